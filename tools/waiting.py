"""How long a command takes in two checkouts, side by side on one machine, and the ratio.

    python tools/waiting.py OLD NEW [--rounds 3] [--command "make test"]

The checkouts take turns, so that what else the machine does slows both. Set both up first (`make run`): otherwise the
first round counts the set-up, and tests the lessons without a run to compare with.
"""

from __future__ import annotations

import argparse
import resource
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple


class Spent(NamedTuple):
    """Seconds of the clock, and of processors, the processes that a command started and waited for included."""

    wall: float
    cpu: float


def measure(command: list[str], checkout: Path, log: Path) -> Spent:
    """Run a command in a checkout; what it prints goes to a log.

    Raises:
        SystemExit: If the command fails: half a test run is no time to compare.
    """
    before, start = _cpu_of_children(), time.monotonic()
    with log.open("w", encoding="utf-8") as file:
        code = subprocess.run(command, cwd=checkout, stdout=file, stderr=subprocess.STDOUT).returncode
    if code != 0:
        raise SystemExit(f"{shlex.join(command)} failed in {checkout} with code {code}; see {log}")
    return Spent(time.monotonic() - start, _cpu_of_children() - before)


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def ratio(old: list[Spent], new: list[Spent], kind: str) -> float:
    """The median of the new checkout's seconds over that of the old one's; `kind` is "wall" or "cpu"."""
    first, second = (statistics.median(getattr(spent, kind) for spent in all_of) for all_of in (old, new))
    return second / first


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--command", type=shlex.split, default="make test")
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args(arguments)
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    for checkout in (options.old, options.new):
        if not checkout.is_dir():
            parser.error(f"{checkout} is not a folder; name two checkouts")
    logs = Path(tempfile.mkdtemp(prefix="waiting-"))
    print(f"{shlex.join(options.command)}; what it prints goes to {logs}")
    times: dict[str, list[Spent]] = {"old": [], "new": []}
    for number in range(1, options.rounds + 1):
        for name, spents in times.items():
            spents.append(measure(options.command, getattr(options, name), logs / f"{name}-{number}.txt"))
            print(f"round {number} {name}: {spents[-1].wall:.1f} s, {spents[-1].cpu:.1f} s of processors", flush=True)
    print(
        f"new / old: {ratio(**times, kind='wall'):.2f} of the time, {ratio(**times, kind='cpu'):.2f} of the processors'"
    )


if __name__ == "__main__":
    sys.exit(main())

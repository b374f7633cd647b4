"""How long do the lessons take in two checkouts? Both take turns on one machine, lesson by lesson or all at once.

    python benchmarks/curriculum.py OLD NEW                        all lessons, as `llmarm run` executes them
    python benchmarks/curriculum.py OLD NEW --each 03 04 05        these one by one: processor seconds of each
    python benchmarks/curriculum.py OLD NEW --repeat 3             the median of three turns
    python benchmarks/curriculum.py OLD NEW --command "make test"  any command, in place of lessons

OLD and NEW are checkouts; both run lessons in this Python, each with its own package and notebooks. A command runs as
it is given: for make, set both up first. Printed are wall time and processor seconds of the whole command, start-up
and report included, and the ratios NEW : OLD. Who goes first alternates, so that a neighbour who comes and goes meets
both. Run it on a machine with nothing else to do.
"""

from __future__ import annotations

import argparse
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from llmarm_tutorial.running import doctor


class Cost(NamedTuple):
    """What one command took, in seconds."""

    wall: float
    cpu: float


def measure(checkout: Path, lessons: list[str], extra: list[str]) -> Cost:
    """Run lessons of a checkout by its own `llmarm run`; all processes below it count as processor time.

    Raises:
        SystemExit: If a lesson fails: times of half a lesson compare nothing.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LLMARM_") or "DATA" in name}
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "llmarm_tutorial", "run", *lessons, "--out", str(Path(out, "runs")), *extra]
        return measure_command(checkout, command, kept | {"PYTHONPATH": str(checkout)})


def measure_command(checkout: Path, command: list[str], environment: dict[str, str] | None = None) -> Cost:
    """Run a command in a checkout; all processes below it that it waits for count as processor time.

    Raises:
        SystemExit: If it fails: the time of half a command compares nothing.
    """
    before, start = os.times(), time.perf_counter()
    done = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True)
    wall, after = time.perf_counter() - start, os.times()
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed in {checkout}:\n{done.stdout}{done.stderr}")
    used = after.children_user - before.children_user + after.children_system - before.children_system
    return Cost(wall, used)


def compare(old: Path, new: Path, repeat: int, cost: Callable[[Path], Cost]) -> tuple[Cost, Cost]:
    """Medians of both checkouts over some turns; the first one alternates."""
    costs: dict[Path, list[Cost]] = {old: [], new: []}
    for turn in range(repeat):
        for checkout in (old, new) if turn % 2 == 0 else (new, old):
            costs[checkout].append(cost(checkout))
    first, second = (Cost(*map(statistics.median, zip(*costs[place], strict=True))) for place in (old, new))
    return first, second


def row(name: str, old: Cost, new: Cost) -> str:
    """A line of the table: seconds of both, and the ratios."""
    walls = f"{old.wall:9.1f} {new.wall:9.1f} {new.wall / old.wall:7.2f}"
    return f"{name:<12}{walls} {old.cpu:9.1f} {new.cpu:9.1f} {new.cpu / old.cpu:7.2f}"


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("old", type=Path, metavar="OLD")
    options.add_argument("new", type=Path, metavar="NEW")
    options.add_argument("lessons", nargs="*", help="numbers; default all")
    options.add_argument("--each", action="store_true", help="one command for each lesson, and their sum")
    options.add_argument("--repeat", type=int, default=1, help="turns of both; default 1")
    options.add_argument("--jobs", help="lessons at the same time, in both; default what each checkout does by itself")
    options.add_argument("--command", help="what to run in each checkout in place of lessons, such as 'make test'")
    given = options.parse_intermixed_args()
    if given.command and (given.lessons or given.each or given.jobs):
        options.error("--command takes the place of lessons, --each and --jobs; leave these out.")
    old, new = given.old.resolve(), given.new.resolve()
    for place in (old, new):
        if not (place / "notebooks").is_dir() or not (place / "llmarm_tutorial").is_dir():
            options.error(f"{place} is no checkout: it needs the folders notebooks and llmarm_tutorial.")
    if old == new and given.repeat < 2:
        options.error("OLD and NEW are the same checkout; compare two, or see the noise with --repeat 3.")
    if given.each and not given.lessons:
        options.error("--each needs the lessons by number, as in  --each 03 04 05.")
    hardware = doctor.hardware()
    print(f"{hardware['cores']} cores, {hardware['cpu']}; load average {os.getloadavg()[0]:.1f} before")
    print(f"{'':<12}{'wall old':>9} {'new':>9} {'ratio':>7} {'cpu old':>9} {'new':>9} {'ratio':>7}")
    if given.command:
        costs = compare(old, new, given.repeat, lambda place: measure_command(place, shlex.split(given.command)))
        print(row("command", *costs))
        return
    extra = ["--jobs", given.jobs] if given.jobs else []
    rows = []
    for lessons in [[number] for number in given.lessons] if given.each else [given.lessons]:
        rows.append(compare(old, new, given.repeat, lambda place, lessons=lessons: measure(place, lessons, extra)))
        print(row(" ".join(lessons) or "all", *rows[-1]), flush=True)
    if len(rows) > 1:
        print(row("together", *(Cost(*map(sum, zip(*costs, strict=True))) for costs in zip(*rows, strict=True))))


if __name__ == "__main__":
    main()

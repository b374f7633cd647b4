"""What this process may use of the machine: cores, memory, and how fast it is now.

A container or a batch system often grants less than the machine has. Linux keeps such limits in control groups, of
version 2 (https://docs.kernel.org/admin-guide/cgroup-v2.html) or 1; the limits of a group hold for all groups below it.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from llmarm_tutorial.errors import RunError

CONTROL_GROUPS = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")
_CAPS = ("OMP_NUM", "OPENBLAS_NUM", "MKL_NUM", "NUMEXPR_NUM", "VECLIB_MAXIMUM")


def capped(threads: int) -> dict[str, str]:
    """The environment variables that hold BLAS and OpenMP of a new process to so many threads."""
    return {f"{name}_THREADS": str(threads) for name in _CAPS}


def cores() -> int:
    """Whole processor cores that this process may use: its affinity and its containers' quotas; at least 1."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for group in _groups("cpu"):
        limit = _numbers(group / "cpu.max") or (
            _numbers(group / "cpu.cfs_quota_us") + _numbers(group / "cpu.cfs_period_us")
        )
        match limit:
            case int(quota), int(period) if quota > 0 and period > 0:  # version 1 says -1 for "no limit"
                usable = min(usable, quota // period)
    return max(usable, 1)


def free_memory() -> int:
    """Bytes that new processes can take: what the machine has available, within what its containers still grant."""
    import psutil

    free = psutil.virtual_memory().available
    for group in _groups("memory"):
        for limit, used, cached in (
            ("memory.max", "memory.current", "inactive_file"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        ):
            match _numbers(group / limit) + _numbers(group / used):
                case int(granted), int(taken):
                    # files kept in memory count as used, and make room when a process asks for it
                    free = min(free, granted - taken + _statistic(group / "memory.stat", cached))
    return max(free, 0)


@cache
def speed_seconds(copies: int = 1) -> float:
    """Seconds that this machine needs now for a fixed small piece of work, the same everywhere (module `speed`).

    The work has the same parts as a lesson: NumPy on matrices, sorting and counting, plain Python. It takes about two
    seconds altogether, and once in a process.

    Args:
        copies: How many processes do it at the same time, as many as lessons will; the slowest one counts.

    Raises:
        RunError: If this Python cannot do the work.
    """
    command = [sys.executable, "-m", "llmarm_tutorial.running.speed"]
    # its errors are not shown: Ctrl-C reaches it as well, and ends it with a traceback
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    with contextlib.ExitStack() as running:
        processes = [
            running.enter_context(subprocess.Popen(command, env={**os.environ, **capped(1)}, **streams))
            for _ in range(copies)
        ]
        printed = [process.communicate()[0] for process in processes]
    try:
        return max(map(float, printed))
    except ValueError:
        raise RunError("The speed check could not be made; run  llmarm doctor  and mend what it names.") from None


def _groups(controller: str) -> Iterator[Path]:
    """The folders of the control groups that this process is in, the innermost first; none outside Linux."""
    try:
        lines = MEMBERSHIP.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return
    for _, controllers, path in (line.split(":", 2) for line in lines if line.count(":") >= 2):
        if controllers and controller not in controllers.split(","):
            continue
        top = CONTROL_GROUPS / controller if controllers else CONTROL_GROUPS
        place = top / path.lstrip("/")
        # within a container the path may be that of the host, which is not here: then the top has its limits
        yield from (group for group in (place, *place.parents) if group.is_relative_to(top))


def _numbers(path: Path) -> tuple[int | None, ...]:
    """The numbers of a control group's file, None for the word "max"; empty if there is no such file."""
    try:
        return tuple(None if word == "max" else int(word) for word in path.read_text(encoding="utf-8").split())
    except (OSError, ValueError):
        return ()


def _statistic(path: Path, name: str) -> int:
    """A line of a control group's statistics; 0 if it is not there."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        return next((int(line.split()[1]) for line in lines if line.split()[:1] == [name]), 0)
    except (OSError, ValueError, IndexError):
        return 0

"""What this process may use of the machine: cores, and memory, which is asked for before it is taken.

A container or a batch system often grants less than the machine has. Linux keeps such limits in control groups, of
version 2 (https://docs.kernel.org/admin-guide/cgroup-v2.html) or 1; the limits of a group hold for all groups below it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from llmarm_tutorial.errors import TooLarge

CONTROL_GROUPS = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")
GB = 1e9
FEWER_ITEMS = "take fewer items: in a lesson by a smaller MAX_ITEMS, else by thin() or filter_items()"
ALWAYS = 2e8  # bytes that are not asked for: to look costs more than it saves


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


def highest_memory() -> int:
    """The most memory that this program has held at once, bytes.

    `getrusage` counts what the process held before the program began as well: that of a large parent, where Linux makes
    a process from another. So it is asked only where there is nothing else.
    """
    status = Path("/proc/self/status")
    if status.exists():
        held = (line.split() for line in status.read_text(encoding="ascii", errors="replace").splitlines())
        return next(int(parts[1]) for parts in held if parts[:1] == ["VmHWM:"]) * 1024
    import resource  # not there on Windows

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def require_memory(n_bytes: float, what: str, remedy: str) -> None:
    """Refuse a table that would not fit into the memory that is free, before it is made.

    The system ends a process that takes more than there is, and a notebook says no more than that its kernel died.

    Args:
        n_bytes: What the table and all that is made with it take at their peak, as estimated.
        what: Its name, with its size, such as "a table of 28,371 × 28,371 items".
        remedy: What to change, naming the parameter: "choose a smaller MAX_ITEMS".

    Raises:
        TooLarge: If it needs more than is free.
    """
    if n_bytes > ALWAYS and n_bytes > (free := free_memory()):
        raise TooLarge(f"{what} needs {n_bytes / GB:,.1f} GB of memory, and {free / GB:,.1f} GB are free: {remedy}.")


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

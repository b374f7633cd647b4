"""Before runs are executed: how many at the same time, in which order, and how long all of them will take.

What a lesson needs is known from the reference of its profile, where `llmarm verify --record` put its seconds and its
peak memory, as long as it runs with the same parameters. Started longest first, each on the first process that is
free, runs end at most a third later than in the best of all orders (R. L. Graham, Bounds on multiprocessing timing
anomalies, SIAM J. Appl. Math. 17, 1969).
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from llmarm_tutorial import resources
from llmarm_tutorial.errors import LlmarmError
from llmarm_tutorial.running import doctor, lessons, machine, reference
from llmarm_tutorial.running.run_folder import Run

GIB = 1024**3
UNKNOWN_NEED = 4 * GIB  # memory of a lesson with data or parameters that nobody measured
MARGIN = 1.25  # of memory, above the recorded peak


@dataclass(frozen=True)
class Schedule:
    """How runs are going to be executed.

    Attributes:
        runs: In the order in which they start, the longest first.
        jobs: How many run at the same time.
        threads: Threads that BLAS and OpenMP may use in each.
        speed_seconds: Time of the speed check, with `jobs` copies at once; see `machine.speed_seconds`.
        estimate: Seconds until the last one ends; None if the time of some run is not known.
        unknown: Ids of the runs whose time is not known.
    """

    runs: tuple[Run, ...]
    jobs: int
    threads: int
    speed_seconds: float
    estimate: float | None
    unknown: tuple[str, ...]


def make(runs: Iterable[Run], jobs: int | None = None) -> Schedule:
    """Plan the execution of some runs.

    Args:
        runs: At least one.
        jobs: How many at the same time; None: as many as cores and free memory carry.

    Raises:
        RunError: If the speed check cannot be made.
    """
    runs = list(runs)
    stored = {profile: _stored(profile) for profile in {run.profile for run in runs}}
    recorded = {run.id: _recorded(run, stored[run.profile]) for run in runs}
    jobs = min(jobs or _carried(runs, recorded), len(runs))
    speed = machine.speed_seconds(jobs)
    times = {
        run.id: entry["seconds"] * speed / entry["speed_seconds"]
        for run in runs
        if (entry := recorded[run.id]) and entry.get("seconds") and entry.get("speed_seconds")
    }
    unknown = tuple(run.id for run in runs if run.id not in times)
    return Schedule(
        # one that nobody timed may be the longest; equal ones keep their order
        runs=tuple(sorted(runs, key=lambda run: -times.get(run.id, float("inf")))),
        jobs=jobs,
        # of several runs each gets one thread, so that no result depends on how many there are at the same time
        threads=resources.cores() if len(runs) == 1 else 1,
        speed_seconds=round(speed, 4),
        estimate=None if unknown else makespan(sorted(times.values(), reverse=True), jobs),
        unknown=unknown,
    )


def makespan(times: Iterable[float], jobs: int) -> float:
    """Seconds until the last of some tasks ends when each, in turn, goes to the first of `jobs` processes that is free.

    Args:
        times: Seconds of each task.
        jobs: Number of processes, at least 1.
    """
    ends = [0.0] * jobs
    for seconds in times:
        heapq.heapreplace(ends, ends[0] + seconds)
    return max(ends)


def _carried(runs: list[Run], recorded: dict[str, dict[str, Any] | None]) -> int:
    """How many runs cores and free memory carry at the same time, were it those that need most; at least one."""
    if any(run.profile != lessons.QUICK for run in runs) and doctor.hardware()["gpus"]:
        return 1  # they share the GPU, and its memory is not divided
    needs = sorted((_need(recorded[run.id]) for run in runs), reverse=True)
    free, carried = resources.free_memory(), 0
    for need in needs[: resources.cores()]:
        free -= need
        carried += free >= 0
    return max(carried, 1)


def _need(recorded: dict[str, Any] | None) -> float:
    """Bytes of memory to set aside for a run."""
    peak = recorded.get("peak_memory_bytes") if recorded else None
    return peak * MARGIN if peak else UNKNOWN_NEED


def _stored(profile: str) -> dict[str, Any]:
    """The reference of a profile by lesson; empty if there is none: only `llmarm verify` cannot do without."""
    try:
        return reference.read(reference.path_of(profile))["lessons"]
    except LlmarmError:
        return {}


def _recorded(run: Run, stored: dict[str, Any]) -> dict[str, Any] | None:
    """What the reference says about the run of this lesson with these parameters, of whatever seed; None if nothing."""
    entry = stored.get(run.lesson.name)
    if entry is None:
        return None
    names = (run.effective.keys() | entry["parameters"].keys()) - {"SEED"}
    same = all(run.effective.get(name) == entry["parameters"].get(name) for name in names)
    return entry["recorded"] if same else None

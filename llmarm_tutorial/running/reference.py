"""The stored reference of each profile: what lessons recorded, and the time, memory and machine that this took.

A reference file is `results/reference/<profile>.json`: lesson → its parameters, where, when and how fast it was
recorded, and value name → what the ledger recorded.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from llmarm_tutorial.errors import BadParameter, RunError
from llmarm_tutorial.lesson.results import Result
from llmarm_tutorial.running import lessons

RECORDED = (  # what is kept of a run beside its values
    "started",
    "git_commit",
    "versions",
    "hardware",
    "seconds",
    "cpu_seconds",
    "peak_memory_bytes",
    "jobs",
    "threads",
    "speed_seconds",
)
_AMOUNTS = ("seconds", "cpu_seconds", "peak_memory_bytes", "speed_seconds")  # of a run; None where not measured


def path_of(profile: str) -> Path:
    """Where the reference results of a profile are kept: beside the folder of lessons.

    Raises:
        UnknownName: If there is no such profile.
    """
    lessons.check_profile(profile)
    return lessons.folder().parent / "results" / "reference" / f"{profile}.json"


def read(path: Path) -> dict[str, Any]:
    """What a reference file holds.

    Raises:
        RunError: If there is no such file, or it holds anything but what `llmarm verify --record` writes.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        for entry in content["lessons"].values():
            _check(entry)
    except FileNotFoundError:
        raise RunError(
            f"There are no reference results {path}; record some with  llmarm verify DIR --record."
        ) from None
    except (OSError, ValueError, LookupError, TypeError, AttributeError, BadParameter):  # whatever a file may hold
        raise RunError(f"The reference results {path} are not readable; restore the file.") from None
    return content


def _check(entry: dict[str, Any]) -> None:
    """Raise one of many errors unless this is what the reference may say about a lesson."""
    recorded = entry["recorded"]
    entry["parameters"].keys()
    for name in _AMOUNTS:
        if (amount := recorded.get(name)) is not None and not 0 <= amount < math.inf:
            raise ValueError(f"{name} is {amount}")
    for name, value in entry["values"].items():
        Result.from_dict({"name": name} | value)

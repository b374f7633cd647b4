"""The stored reference of each profile: what lessons recorded, and the time, memory and machine that this took.

A reference file is `results/reference/<profile>.json`: lesson → its parameters, where, when and how fast it was
recorded, and value name → what the ledger recorded.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from llmarm_tutorial.errors import RunError
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
        RunError: If there is no such file, or it is not readable.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(content["lessons"], dict):
            return content
    except FileNotFoundError:
        raise RunError(
            f"There are no reference results {path}; record some with  llmarm verify DIR --record."
        ) from None
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise RunError(f"The reference results {path} are not readable; restore the file.")

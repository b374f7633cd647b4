"""Do the numbers reproduce? A run against the reference results of its profile, within each result's own tolerance.

Reference files are `results/reference/<profile>.json`: lesson → its parameters, where and when it was recorded, and
value name → what the ledger recorded.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmarm_tutorial import files
from llmarm_tutorial.errors import BadParameter, RunError
from llmarm_tutorial.lesson.ledger import Value
from llmarm_tutorial.running import lessons, report

REPRODUCED, DRIFTED, MISSING, NEW, SKIPPED = "reproduced", "drifted", "missing", "new", "not compared"


@dataclass(frozen=True)
class Verdict:
    """One value of a run against its reference.

    Attributes:
        lesson: Name of the lesson.
        name: Name of the value.
        verdict: REPRODUCED, DRIFTED, MISSING (the reference has it, the run has not), NEW (the other way round) or
            SKIPPED (recorded with `tolerance=None`).
        expected: The reference's value, None if new.
        found: The run's value, None if missing.
        allowed: How far they may be apart; 0 for truth values and text.
    """

    lesson: str
    name: str
    verdict: str
    expected: Value | None
    found: Value | None
    allowed: float


def reference_path(profile: str) -> Path:
    """Where the reference results of a profile are kept: beside the folder of lessons.

    Raises:
        UnknownName: If there is no such profile.
    """
    lessons.check_profile(profile)
    return lessons.folder().parent / "results" / "reference" / f"{profile}.json"


def against_reference(folder: Path, profile: str | None = None) -> list[Verdict]:
    """Compare every lesson in a folder of runs with the reference.

    Args:
        folder: Folder that `llmarm run` wrote.
        profile: Profile whose reference to take; None: the one of the runs.

    Returns:
        A comparison per value of the lessons that were run.

    Raises:
        UnknownName: If there is no such profile.
        RunError: If there is no reference, or the runs cannot be compared with it.
    """
    runs = _one_run_per_lesson(folder)
    path = reference_path(profile or _profile(runs))
    reference = _read(path)["lessons"]
    found = []
    for name, run in runs.items():
        expected = reference.get(name)
        if expected is not None:
            _same_parameters(name, run["parameters"], expected["parameters"])
        found += _compare_values(name, run["values"], expected["values"] if expected else {})
    return found


def record(folder: Path, profile: str | None = None) -> Path:
    """Make the runs in a folder the reference; lessons that are not in it keep theirs.

    Returns:
        The file written.

    Raises:
        UnknownName: If there is no such profile.
        RunError: If a run failed, or the folder cannot serve.
    """
    runs = _one_run_per_lesson(folder)
    if failed := [name for name, run in runs.items() if run["status"] != "ok"]:
        raise RunError(f"Failed lessons cannot become a reference: {', '.join(failed)}; mend and run them again.")
    profile = profile or _profile(runs)
    path = reference_path(profile)
    content = _read(path) if path.exists() else {"format": 1, "lessons": {}}
    content["profile"] = profile
    for name, run in runs.items():
        content["lessons"][name] = {
            "parameters": run["parameters"],
            "recorded": {key: run[key] for key in ("started", "git_commit", "versions", "hardware")},
            "values": {v["name"]: {key: v[key] for key in v if key != "name"} for v in run["values"]},
        }
    content["lessons"] = dict(sorted(content["lessons"].items()))
    files.write_atomically(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    return path


def _compare_values(lesson: str, values: list[dict[str, Any]], expected: dict[str, Any]) -> list[Verdict]:
    found = {entry["name"]: entry["value"] for entry in values}
    comparisons = []
    for name, entry in expected.items():
        want, tolerance = entry["value"], entry["tolerance"]
        numeric = not isinstance(want, str | bool)
        allowed = (tolerance or 0.0) + entry["relative"] * abs(want) if numeric else 0.0
        if name not in found:
            verdict = MISSING
        elif tolerance is None:
            verdict = SKIPPED
        else:
            verdict = REPRODUCED if agree(want, found[name], allowed) else DRIFTED
        comparisons.append(Verdict(lesson, name, verdict, want, found.get(name), allowed))
    new = [entry for entry in found if entry not in expected]
    return comparisons + [Verdict(lesson, name, NEW, None, found[name], 0.0) for name in new]


def agree(want: Value, got: Value, allowed: float) -> bool:
    """Whether two values are the same: numbers up to `allowed`, truth values and text exactly and of one type."""
    if isinstance(want, str | bool) or isinstance(got, str | bool):
        return type(want) is type(got) and want == got
    return abs(got - want) <= allowed + 1e-12 * abs(want)  # decimal texts of the same double differ by less


def _one_run_per_lesson(folder: Path) -> dict[str, dict[str, Any]]:
    runs = report.load(folder)
    by_lesson = {run["lesson"]: run for run in runs}
    if len(by_lesson) < len(runs):
        raise RunError(f"The folder {folder} holds several runs of one lesson; verify takes a folder of  llmarm run.")
    return by_lesson


def _profile(runs: dict[str, dict[str, Any]]) -> str:
    profiles = sorted({run["profile"] for run in runs.values()})
    if len(profiles) > 1:
        raise BadParameter(f"The folder holds runs of the profiles {' and '.join(profiles)}; name one with --profile.")
    return profiles[0]


def _same_parameters(lesson: str, mine: dict[str, Any], reference: dict[str, Any]) -> None:
    different = [name for name in {**mine, **reference} if mine.get(name) != reference.get(name)]
    if different:
        pairs = ", ".join(f"{name}={mine.get(name)!r} instead of {reference.get(name)!r}" for name in sorted(different))
        raise RunError(
            f"Lesson {lesson} was run with other parameters than its reference: {pairs}; run it with the reference's."
        )


def _read(path: Path) -> dict[str, Any]:
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

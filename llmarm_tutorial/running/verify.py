"""Do the numbers reproduce? A run against the reference results of its profile.

A level reproduces within its own tolerance. A gain reproduces when both runs say the same of it, or when their
intervals overlap and neither says the opposite of the other's sign: that a gain changes its sign cannot pass unseen.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmarm_tutorial import files
from llmarm_tutorial.errors import BadParameter, RunError
from llmarm_tutorial.evaluation.verdicts import contradicts
from llmarm_tutorial.lesson.results import Result, Value, show
from llmarm_tutorial.running import reference, report

REPRODUCED, DRIFTED, MISSING, NEW, SKIPPED = "reproduced", "drifted", "missing", "new", "not compared"


EXACT = 1e-9  # up to so much, a tolerance forgives rounding alone


@dataclass(frozen=True)
class Verdict:
    """One value of a run against its reference.

    Attributes:
        lesson: Name of the lesson.
        name: Name of the value.
        verdict: REPRODUCED, DRIFTED, MISSING (the reference has it, the run has not), NEW (the other way round) or
            SKIPPED (a level recorded with `tolerance=None`).
        expected: The reference's result, None if new.
        found: The run's result, None if missing.
    """

    lesson: str
    name: str
    verdict: str
    expected: Result | None
    found: Result | None

    @property
    def detail(self) -> str:
        """What a reader needs to see of it."""
        if self.found is None:
            return f"expected {show(self.expected.value)}"
        if self.verdict != DRIFTED:
            return show(self.found.value) + (f", {self.found.verdict}" if self.found.over else "")
        if self.expected.over or self.found.over:
            return f"{_gain(self.found)} instead of {_gain(self.expected)}"
        return f"{show(self.found.value)} instead of {show(self.expected.value)} ± {show(allowed(self.expected))}"


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
    path = reference.path_of(profile or _profile(runs))
    stored = reference.read(path)["lessons"]
    found = []
    for name, run in runs.items():
        expected = stored.get(name)
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
        RunError: If a run failed, a tolerance could hide a change of sign, or the folder cannot serve.
    """
    runs = _one_run_per_lesson(folder)
    if failed := [name for name, run in runs.items() if run["status"] != "ok"]:
        raise RunError(f"Failed lessons cannot become a reference: {', '.join(failed)}; mend and run them again.")
    for name, run in runs.items():
        if blunt := [entry["name"] for entry in run["values"] if is_blunt(Result.from_dict(entry))]:
            raise RunError(
                f"In lesson {name} the tolerance of {', '.join(blunt)} is wider than half the distance from the "
                "baseline, so that a change of sign would pass; record the gain with ledger.record_gain instead."
            )
    profile = profile or _profile(runs)
    path = reference.path_of(profile)
    content = reference.read(path) if path.exists() else {"format": 1, "lessons": {}}
    content["profile"] = profile
    for name, run in runs.items():
        content["lessons"][name] = {
            "parameters": run["parameters"],
            "recorded": {key: run.get(key) for key in reference.RECORDED},
            "values": {v["name"]: {key: v[key] for key in v if key != "name"} for v in run["values"]},
        }
    content["lessons"] = dict(sorted(content["lessons"].items()))
    files.write_atomically(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    return path


def _compare_values(lesson: str, values: list[dict[str, Any]], expected: dict[str, Any]) -> list[Verdict]:
    found = {entry["name"]: Result.from_dict(entry) for entry in values}
    wanted = {name: Result.from_dict({"name": name} | entry) for name, entry in expected.items()}
    verdicts = [
        Verdict(lesson, name, _verdict(want, found[name]) if name in found else MISSING, want, found.get(name))
        for name, want in wanted.items()
    ]
    return verdicts + [Verdict(lesson, name, NEW, None, result) for name, result in found.items() if name not in wanted]


def _verdict(want: Result, got: Result) -> str:
    if want.over or got.over:  # a level in place of a gain is another thing, and the other way round
        return REPRODUCED if gains_agree(want, got) else DRIFTED
    if want.tolerance is None:
        return SKIPPED
    return REPRODUCED if agree(want.value, got.value, allowed(want)) else DRIFTED


def gains_agree(want: Result, got: Result) -> bool:
    """Whether two runs say the same of a gain.

    Both must be gains over the same system, agree within the tolerance of the first where it has one, and either have
    one verdict, or intervals that overlap while neither verdict says the opposite of the other's sign.
    """
    if want.over != got.over:
        return False
    if want.tolerance is not None and not agree(want.value, got.value, allowed(want)):
        return False
    overlap = want.interval[0] <= got.interval[1] and got.interval[0] <= want.interval[1]
    opposite = contradicts(want.verdict, got.value) or contradicts(got.verdict, want.value)
    return want.verdict == got.verdict or (overlap and not opposite)


def allowed(result: Result) -> float:
    """How far a rerun may be from a result; 0 for truth values and text."""
    if isinstance(result.value, str | bool):
        return 0.0
    return (result.tolerance or 0.0) + result.relative * abs(result.value)


def is_blunt(result: Result) -> bool:
    """Whether a level's tolerance is wider than half its distance from its baseline: it cannot tell its effect."""
    if result.over or result.baseline is None or result.tolerance is None or isinstance(result.value, str | bool):
        return False
    return allowed(result) > max(abs(result.value - result.baseline) / 2, EXACT)


def agree(want: Value, got: Value, allowed: float) -> bool:
    """Whether two values are the same: numbers up to `allowed`, truth values and text exactly and of one type."""
    if isinstance(want, str | bool) or isinstance(got, str | bool):
        return type(want) is type(got) and want == got
    return abs(got - want) <= allowed + 1e-12 * abs(want)  # decimal texts of the same double differ by less


def _gain(result: Result) -> str:
    if not result.over:
        return f"{show(result.value)}, no gain"
    low, high = map(show, result.interval)
    return f"{show(result.value)} [{low}, {high}], {result.verdict} against {result.over}"


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

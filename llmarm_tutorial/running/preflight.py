"""Before any kernel starts: read each file of the user's own once, and ask whether the lessons can use the data.

So a file that cannot be read is refused at once and only once, and what reading it noted is seen before the lessons
begin.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from llmarm_tutorial.data import catalogue, loading
from llmarm_tutorial.data.file_options import FileOptions
from llmarm_tutorial.data.loading import Known
from llmarm_tutorial.errors import DataError, Lacks
from llmarm_tutorial.lesson.needs import require_enough
from llmarm_tutorial.running import lessons
from llmarm_tutorial.running.lessons import Lesson
from llmarm_tutorial.running.run_folder import Run

_OPTIONS = {
    "baskets": "--basket-col",
    "users": "--user-col",
    "order": "--time-col or --order-col",
    "clock": "--time-col",
}


@dataclass(frozen=True)
class Preflight:
    """What is known before the first lesson starts.

    Attributes:
        runs: Those whose data has what their lesson needs.
        left_out: A sentence for each kind of material that a data set lacks, with the lessons that need it.
        notes: Data set → what reading it guessed, merged or left out.
    """

    runs: list[Run]
    left_out: list[str] = field(default_factory=list)
    notes: dict[str, Mapping[str, int]] = field(default_factory=dict)


def check(runs: Iterable[Run]) -> Preflight:
    """Read what the runs will read, each file once, and leave out what their data does not allow.

    Args:
        runs: What is to be executed. A lesson that does not declare how to read a file is not looked at.

    Raises:
        UnknownName: If there is no such data set or format.
        BadParameter: If columns are named for a catalogue set, or too few for a file.
        DataError: If a file cannot be used.
        Lacks: If no run is left.
    """
    known: dict[tuple[str, FileOptions], Known] = {}
    kept, lacking = [], {}
    for run in runs:
        declared = {name: run.effective[name] for name in lessons.DATA_COLUMNS if name in run.effective}
        if not declared or "DATASET" not in run.effective:
            kept.append(run)
            continue
        dataset = run.effective["DATASET"]
        options = FileOptions(**{name.lower(): value for name, value in declared.items()})
        if (dataset, options) not in known:
            known[dataset, options] = loading.survey(dataset, options)
        why = obstacle(run.lesson, dataset, known[dataset, options])
        if why:
            lacking.setdefault(why, set()).add(run.lesson.number)
        else:
            kept.append(run)
    left_out = [_left_out(sorted(numbers), why) for why, numbers in lacking.items()]
    if left_out and not kept:
        raise Lacks(left_out[0])
    notes = {dataset: facts.data.notes for (dataset, _), facts in known.items() if facts.data is not None}
    return Preflight(kept, left_out, notes)


def _left_out(numbers: list[str], why: str) -> str:
    several = len(numbers) > 1
    return f"Lesson{'s' * several} {', '.join(numbers)} {'are' if several else 'is'} left out: {why}"


def obstacle(lesson: Lesson, dataset: str, known: Known) -> str:
    """The sentence on what a data set lacks for a lesson, and what to do about it; "" if nothing is known to lack."""
    missing = [aspect for aspect in catalogue.ASPECTS if aspect in lesson.needs and aspect not in known.aspects]
    if missing:
        what = " and ".join(catalogue.ASPECTS[aspect] for aspect in missing)
        if dataset in catalogue.names():
            remedy = f"data sets that serve: {', '.join(catalogue.names_with(*missing))}"
        else:
            columns = " and ".join(_OPTIONS[aspect] for aspect in missing)
            remedy = f"if the file has them, name the columns with {columns}"
        return f"{Path(dataset).name} lacks {what}; {remedy}."
    try:
        for purpose, numbers in lesson.amounts if known.data is not None else []:
            require_enough(known.data, purpose, **numbers)
    except DataError as error:
        return str(error)
    return ""

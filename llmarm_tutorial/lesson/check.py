"""Exercises that check themselves: a learner hands in a value and is told what is right, or what to think about.

An exercise is defined in `exercises/lesson_NN.py`. A lesson ends the cell of an answer with
`_ = check.exercise("01.1", answer)`; the learner may run `check.hint("01.1")` in a new cell. Attempts are kept on the
learner's own machine.
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import pkgutil
import reprlib
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmarm_tutorial.errors import DataError, UnknownName
from llmarm_tutorial.lesson import exercises
from llmarm_tutorial.lesson.answers import Exercise, WrongAnswer, is_gap

if TYPE_CHECKING:
    import pandas as pd

SOLUTION_MARK = "### BEGIN SOLUTION"
_OUTCOME = ("answers", "hints", "solved")  # columns of tables about attempts
_hints_shown: dict[str, int] = {}


def exercise(id: str, value: Any, *, strict: bool = False) -> bool:
    """Check a learner's value, say what is to be said, and keep the attempt.

    Nothing is kept of a gap that is still open, nor when the running cell shows the solution, as in a lesson's own
    notebook: that is nobody's attempt.

    Args:
        id: The exercise, such as "01.2".
        value: The learner's answer; `...`, or a function of nothing else, counts as not answered.
        strict: Raise instead of printing when the answer does not pass; also switched on by `LLMARM_CHECK_STRICT=1`.

    Returns:
        Whether the answer passed; a lesson assigns it to `_`, so that the message stands alone below the cell.

    Raises:
        UnknownName: If there is no such exercise.
        WrongAnswer: If the check is strict and the answer does not pass.
    """
    task = _find(id)
    complaint = task.complaint(value)
    is_open = is_gap(value)
    if not is_open and SOLUTION_MARK not in _running_cell():
        _keep({"exercise": id, "kind": "answer", "correct": complaint is None, "answer": reprlib.repr(value)[:200]})
    if complaint is None:
        print(f"[correct] {id} {task.title}")
        return True
    if strict or os.environ.get("LLMARM_CHECK_STRICT", "") not in ("", "0"):
        raise WrongAnswer(f"{id} {task.title}: {complaint}")
    more = f' A hint: run check.hint("{id}") in a new cell' if task.hints else ""
    print(f"[{'open' if is_open else 'not yet'}] {id} {task.title}: {complaint}{more}")
    return False


def hint(id: str) -> None:
    """Print the next hint of an exercise.

    Raises:
        UnknownName: If there is no such exercise.
    """
    task = _find(id)
    shown = _hints_shown.get(id, 0)
    if shown >= len(task.hints):
        print(
            f"[hint] {id}: there are no {'more ' if shown else ''}hints; the solution is in the lesson's own notebook."
        )
        return
    _hints_shown[id] = shown + 1
    _keep({"exercise": id, "kind": "hint", "number": shown + 1})
    print(f"[hint {shown + 1} of {len(task.hints)}] {task.hints[shown]}")


def progress() -> pd.DataFrame:
    """A row per exercise of all lessons: title, number of answers and of hints, whether it is solved.

    Raises:
        DataError: If the file of attempts cannot be read.
    """
    import pandas as pd

    attempts = _read(_attempts_file()) if _attempts_file().exists() else []
    rows = []
    for name in _modules():
        for task in _definitions(name).values():
            mine = [attempt for attempt in attempts if attempt["exercise"] == task.id]
            rows.append((task.id, task.title, *_outcome(mine)))
    return pd.DataFrame(rows, columns=["exercise", "title", *_OUTCOME]).set_index("exercise")


def collect(folder: str | Path) -> pd.DataFrame:
    """Attempts of several students, for their instructor.

    A file that cannot be read is named in a printed note; it takes nothing away from the others.

    Args:
        folder: Folder of the students' attempt files, one `*.jsonl` each, named by the student.

    Returns:
        A row per student and exercise that any of the students tried, zeros where a student did not: columns student,
        exercise, answers, hints, solved, first (time of the first attempt, UTC; missing where there is none), last.

    Raises:
        DataError: If there is no such file, or none that can be read.
    """
    import pandas as pd

    attempts, problems = _read_all(Path(folder))
    for problem in problems:
        print(f"[note] left out: {problem}")
    tried = sorted({attempt["exercise"] for of_student in attempts.values() for attempt in of_student})
    if not tried:
        print(f"[note] nobody has tried an exercise yet: {', '.join(attempts)}.")
    rows = []
    for student, of_student in attempts.items():
        for exercise in tried:
            mine = [attempt for attempt in of_student if attempt["exercise"] == exercise]
            times = [attempt["time"] for attempt in mine]
            rows.append((student, exercise, *_outcome(mine), min(times, default=None), max(times, default=None)))
    table = pd.DataFrame(rows, columns=["student", "exercise", *_OUTCOME, "first", "last"])
    kinds = {"answers": "int64", "hints": "int64", "solved": "bool"}
    times = {name: pd.to_datetime(table[name], utc=True) for name in ("first", "last")}
    return table.astype(kinds).assign(**times)


def _running_cell() -> str:
    """The source of the notebook cell that runs; empty outside IPython."""
    from IPython import get_ipython

    shell = get_ipython()
    return shell.history_manager.input_hist_raw[-1] if shell else ""


def _modules() -> list[str]:
    return sorted(m.name for m in pkgutil.iter_modules(exercises.__path__) if m.name.startswith("lesson_"))


def _definitions(module: str) -> dict[str, Exercise]:
    return {task.id: task for task in importlib.import_module(f"{exercises.__name__}.{module}").EXERCISES}


def _find(id: str) -> Exercise:
    module = f"lesson_{id.partition('.')[0]}"
    known = _definitions(module) if module in _modules() else {}
    if id not in known:
        raise UnknownName("exercise", id, known or [task for name in _modules() for task in _definitions(name)])
    return known[id]


def _attempts_file() -> Path:
    if chosen := os.environ.get("LLMARM_ATTEMPTS"):
        return Path(chosen)
    from llmarm_tutorial.data import catalogue

    return catalogue.data_home() / "attempts.jsonl"


def _keep(attempt: dict[str, Any]) -> None:
    """Append an attempt to the learner's file; a lesson goes on where that is not possible, and says so once."""
    # in ASCII, which survives an editor that saves in another encoding
    line = json.dumps({"time": datetime.now(UTC).isoformat(timespec="seconds")} | attempt)
    path = _attempts_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
    except OSError as error:
        _say_not_kept(str(path), error.strerror)


@functools.cache
def _say_not_kept(path: str, reason: str) -> None:
    print(f"[note] attempts are not kept: {path} cannot be written ({reason}).")


def _outcome(attempts: list[dict[str, Any]]) -> tuple[int, int, bool]:
    """Of attempts at one exercise: the number of answers and of hints, and whether one answer was right."""
    answers = [attempt for attempt in attempts if attempt["kind"] == "answer"]
    return len(answers), len(attempts) - len(answers), any(answer["correct"] for answer in answers)


def _read_all(folder: Path) -> tuple[dict[str, list[dict[str, Any]]], list[str]]:
    """Attempts by student, in order of the names, and what is wrong with the files that cannot be read.

    Raises:
        DataError: If the folder holds no attempt file, or none that can be read.
    """
    paths = sorted(folder.iterdir()) if folder.is_dir() else []
    paths = [path for path in paths if path.suffix.lower() == ".jsonl" and not path.name.startswith(".")]
    if not paths:
        raise DataError(f"The folder {folder} holds no attempt files (*.jsonl, one per student).")
    attempts, problems = {}, []
    for path in paths:
        try:
            attempts[path.stem] = _read(path)
        except DataError as error:
            problems.append(str(error))
    if not attempts:
        raise DataError("\n".join(problems))
    return attempts, problems


def _read(path: Path) -> list[dict[str, Any]]:
    """The attempts that a file holds, their times as such.

    Raises:
        DataError: If it cannot be read, is not in UTF-8, or a line is no attempt.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")  # editors put a byte order mark at the start
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); let everybody read it.") from None
    except UnicodeDecodeError as error:
        number = error.object[: error.start].count(b"\n") + 1
        raise DataError(f"Line {number} of {path} is not in UTF-8; save the file as UTF-8, with any editor.") from None
    attempts = []
    for number, line in enumerate(text.split("\n"), start=1):  # an answer may hold what else splits lines, as U+2028
        if not line.strip():
            continue
        try:
            attempts.append(_attempt(json.loads(line)))
        except (ValueError, KeyError, TypeError, RecursionError):
            raise DataError(f"Line {number} of {path} is not an attempt; remove the line.") from None
    return attempts


def _attempt(kept: dict[str, Any]) -> dict[str, Any]:
    """What `_keep` wrote, as far as tables need it.

    Raises:
        ValueError, KeyError, TypeError: If it is something else.
    """
    exercise, kind, time = kept["exercise"], kept["kind"], datetime.fromisoformat(kept["time"])
    if not isinstance(exercise, str) or kind not in ("answer", "hint"):
        raise ValueError(kept)
    correct = kind == "answer" and kept["correct"] is True
    return {"exercise": exercise, "kind": kind, "correct": correct, "time": time.replace(tzinfo=time.tzinfo or UTC)}

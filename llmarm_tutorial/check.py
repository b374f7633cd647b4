"""Exercises that check themselves: a learner hands in a value and is told what is right, or what to think about.

An exercise is defined in `exercises/lesson_NN.py`; the lesson calls `exercise("01.1", my_value)` and `hint("01.1")`.
Attempts are kept on the learner's own machine.
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import pkgutil
import reprlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmarm_tutorial import exercises
from llmarm_tutorial.errors import DataError, LlmarmError, UnknownName

if TYPE_CHECKING:
    import pandas as pd

_hints_shown: dict[str, int] = {}


class WrongAnswer(LlmarmError):
    """An answer did not pass, and the check was strict."""


@dataclass(frozen=True)
class Exercise:
    """One exercise.

    Attributes:
        id: Lesson and number, such as "01.2".
        title: What is asked, in a few words.
        checks: Pairs of a predicate on the learner's value and the message for who does not fulfil it; the message
            teaches (what to think about) and does not give the answer away. The first one that fails shows.
        hints: Help in growing measure.
    """

    id: str
    title: str
    checks: Sequence[tuple[Callable[[Any], Any], str]]
    hints: Sequence[str] = ()

    def complaint(self, value: Any) -> str | None:
        """What is wrong with a value, or None if it passes."""
        if value is ...:
            return "not answered yet: replace the ... by your own code and run the cell again."
        for predicate, message in self.checks:
            try:
                passed = bool(predicate(value))
            except Exception as error:  # a learner may hand in anything: told what it is, not shown our traceback
                kind = type(value).__name__
                return f"this check cannot use an answer of type {kind} ({type(error).__name__}: {error}). {message}"
            if not passed:
                return message
        return None


def exercise(id: str, value: Any, *, strict: bool = False) -> bool:
    """Check a learner's value, say what is to be said, and keep the attempt.

    Args:
        id: The exercise, such as "01.2".
        value: The learner's answer; `...` counts as not answered.
        strict: Raise instead of printing when the answer does not pass; also switched on by `LLMARM_CHECK_STRICT=1`.

    Returns:
        Whether the answer passed.

    Raises:
        UnknownName: If there is no such exercise.
        WrongAnswer: If the check is strict and the answer does not pass.
    """
    task = _find(id)
    complaint = task.complaint(value)
    if value is not ...:
        _keep({"exercise": id, "kind": "answer", "correct": complaint is None, "answer": reprlib.repr(value)[:200]})
    if complaint is None:
        print(f"[correct] {id} {task.title}")
        return True
    if strict or os.environ.get("LLMARM_CHECK_STRICT", "") not in ("", "0"):
        raise WrongAnswer(f"{id} {task.title}: {complaint}")
    more = f' A hint: check.hint("{id}")' if task.hints else ""
    print(f"[{'open' if value is ... else 'not yet'}] {id} {task.title}: {complaint}{more}")
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
    """A row per exercise of all lessons: title, number of answers and of hints, whether it is solved."""
    import pandas as pd

    attempts = _read(_attempts_file()) if _attempts_file().exists() else []
    rows = []
    for name in _modules():
        for task in _definitions(name).values():
            mine = [a for a in attempts if a["exercise"] == task.id]
            answers = [a for a in mine if a["kind"] == "answer"]
            solved = any(a["correct"] for a in answers)
            rows.append((task.id, task.title, len(answers), len(mine) - len(answers), solved))
    return pd.DataFrame(rows, columns=["exercise", "title", "answers", "hints", "solved"]).set_index("exercise")


def collect(folder: str | Path) -> pd.DataFrame:
    """Attempts of several students, for their instructor.

    Args:
        folder: Folder of the students' attempt files, one `*.jsonl` each, named by the student.

    Returns:
        Columns student, exercise, answers, hints, solved, first (time of the first attempt), last.

    Raises:
        DataError: If there is no such file, or one cannot be read.
    """
    import pandas as pd

    files = sorted(Path(folder).glob("*.jsonl"))
    if not files:
        raise DataError(f"The folder {folder} holds no attempt files (*.jsonl, one per student).")
    attempts = pd.DataFrame([{"student": file.stem} | attempt for file in files for attempt in _read(file)])
    attempts["time"] = pd.to_datetime(attempts["time"])
    attempts["correct"] = attempts.get("correct", pd.Series(index=attempts.index, dtype=object)).eq(True)
    table = attempts.groupby(["student", "exercise"]).agg(
        answers=("kind", lambda kinds: int((kinds == "answer").sum())),
        hints=("kind", lambda kinds: int((kinds == "hint").sum())),
        solved=("correct", "any"),
        first=("time", "min"),
        last=("time", "max"),
    )
    return table.reset_index()


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
    from llmarm_tutorial import catalog

    return catalog.data_home() / "attempts.jsonl"


def _keep(attempt: dict[str, Any]) -> None:
    """Append an attempt to the learner's file; a lesson goes on where that is not possible, and says so once."""
    line = json.dumps({"time": datetime.now(UTC).isoformat(timespec="seconds")} | attempt, ensure_ascii=False)
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


def _read(path: Path) -> list[dict[str, Any]]:
    attempts = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            attempt = json.loads(line)
            attempts.append(attempt | {"exercise": attempt["exercise"], "kind": attempt["kind"]})
        except (ValueError, KeyError, TypeError):
            raise DataError(f"Line {number} of {path} is not an attempt; remove the line.") from None
    return attempts

"""The folder of one run: what belongs into it, and how it is written so that no crash leaves half a truth.

A run's folder holds the executed notebook, `log.txt` and, written last, `results.json`: a run is finished when that
file exists and never before. papermill's own marks do not serve for that: a notebook whose kernel was killed or whose
cell timed out says "completed".
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import re
import subprocess
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from llmarm_tutorial.errors import BadParameter, is_own
from llmarm_tutorial.files import ROOT, prepared_file, writing
from llmarm_tutorial.lesson.results import Result
from llmarm_tutorial.running.lessons import Lesson

RESULTS = "results.json"
LOG = "log.txt"
JOURNAL = "log.txt.part"  # the log while the run lasts; killed attempts stay in it
_NEEDED = (  # keys of `results.json` without which it is none, and their types
    dict.fromkeys(("run", "status", "lesson", "title", "profile", "notebook", "started"), str)
    | dict.fromkeys(("parameters", "versions", "hardware"), dict)
    | dict.fromkeys(("seconds", "peak_memory_bytes"), float | int | None)
    | dict.fromkeys(("dataset", "seed", "git_commit", "error"), object)
    | {"values": list}
)
ANSI = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Run:
    """One lesson with its settings.

    Attributes:
        id: Name of its folder.
        lesson: What to execute.
        profile: Name of the profile the settings come from.
        parameters: Parameters that differ from the notebook's defaults.
    """

    id: str
    lesson: Lesson
    profile: str
    parameters: dict[str, Any]

    @property
    def effective(self) -> dict[str, Any]:
        """All parameters with the values that hold in this run."""
        return {name: p.default for name, p in self.lesson.parameters.items()} | self.parameters


def read_results(folder: Path) -> dict[str, Any] | None:
    """The results of the run in a folder, or None while it is not finished."""
    try:
        results = json.loads((folder / RESULTS).read_text(encoding="utf-8"))
        if not results.keys() >= _NEEDED.keys() or not all(
            isinstance(results[key], kind) for key, kind in _NEEDED.items()
        ):
            return None
        if results["status"] != "ok" and not isinstance(results["error"], dict):
            return None
        results["values"] = [Result.from_dict(entry).to_dict() for entry in results["values"]]
    except (OSError, ValueError, AttributeError, TypeError, BadParameter):  # whatever a file may hold instead
        return None
    return results


def write_outcome(folder: Path, results: dict[str, Any], notebook: Any = None) -> None:
    """Write what came of a run: its notebook, its log, and `results.json`, which makes it a finished one.

    What an earlier run left is replaced only when all of this is on the disk.

    Args:
        folder: The run's folder.
        results: What `results.json` is to hold.
        notebook: The executed notebook; None where the run died before it had one.

    Raises:
        RunError: If it cannot be written; the files of the earlier run are intact then.
    """
    page = folder / results["notebook"]
    with contextlib.ExitStack() as prepared:
        text = json.dumps(results, indent=1, ensure_ascii=False)
        new_results = prepared.enter_context(prepared_file(folder / RESULTS, text))
        new_page = None
        if notebook is not None:
            import nbformat

            new_page = prepared.enter_context(prepared_file(page, nbformat.writes(notebook)))
        with writing(folder / RESULTS):
            if new_page is None:
                page.unlink(missing_ok=True)
            else:
                os.replace(new_page, page)
            if (folder / JOURNAL).exists():  # a process may die before it opens one
                os.replace(folder / JOURNAL, folder / LOG)
            os.replace(new_results, folder / RESULTS)


def data_digest(dataset: Any) -> str | None:
    """A hash of a data file's content, to tell results of a changed one; None for a set of the catalogue or no file."""
    path = Path(dataset) if isinstance(dataset, str) else Path()
    if not path.is_absolute():  # what a plan or `--dataset` names as a file comes here as an absolute path
        return None
    try:
        state = path.stat()
        return _file_digest(path, state.st_size, state.st_mtime_ns)
    except OSError:  # the lesson will say that it cannot be read
        return None


@functools.cache
def _file_digest(path: Path, size: int, modified: int) -> str:  # size and time keep the cache true
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def is_outdated(run: Run, results: dict[str, Any]) -> bool:
    """Whether results come from other code of the lesson or another content of the data file."""
    now = (digest(run.lesson), data_digest(run.effective.get("DATASET")))
    return (results.get("code"), results.get("data_file")) != now


def digest(lesson: Lesson) -> str:
    """A hash of the lesson's code, to tell results of an older version."""
    return text_digest(lesson.code)


def text_digest(text: str) -> str:
    """A hash of a text, 16 hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def checkout_digest(root: Path = ROOT) -> str:
    """A hash of all that a lesson executes and reads besides itself: the package's files and the shop of a checkout.

    Args:
        root: The folder around the package.

    Returns:
        16 hexadecimal digits.
    """
    whole = hashlib.sha256()
    for folder in ("llmarm_tutorial", "data"):
        for path in sorted((root / folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                content = hashlib.sha256(path.read_bytes()).hexdigest()
                whole.update(f"{path.relative_to(root).as_posix()} {content}\n".encode())
    return whole.hexdigest()[:16]


def describe_run(run: Run, started: datetime) -> dict[str, Any]:
    """What `results.json` says about a run before it has results."""
    effective = run.effective
    return {
        "run": run.id,
        "status": "failed",
        "lesson": run.lesson.name,
        "title": run.lesson.title,
        "profile": run.profile,
        "parameters": effective,
        "dataset": effective.get("DATASET"),
        "data_file": data_digest(effective.get("DATASET")),
        "seed": effective.get("SEED"),
        "notebook": f"{run.lesson.name}.ipynb",
        "code": digest(run.lesson),
        "checkout": checkout_digest(),
        "git_commit": _commit(run.lesson.path.parent),
        "started": started.isoformat(timespec="milliseconds"),
        "values": [],
        "notes": {},
        "error": None,
    }


def error_summary(
    kind: str, message: str, cell: int | None = None, source: str = "", trace: str = ""
) -> dict[str, Any]:
    """The summary of an error: code cell, the few lines around the failing one, exception.

    An error of the kit's own has a sentence that says what to do, and no lines: they would lead to the wrong place.
    """
    lines = [] if is_own(kind) else source.rstrip().splitlines()
    found = re.search(r"(?:Cell In\[\d+\], line |<cell line: )(\d+)", trace)
    at = min(int(found[1]), len(lines)) if found else None
    first = max(0, at - 3) if at else 0
    shown = [
        f"{'→' if number == at else ' '} {line}"
        for number, line in enumerate(lines[first : first + 5], start=first + 1)
    ]
    return {"cell": cell, "source": shown, "type": kind, "message": ANSI.sub("", message).strip()}


def _commit(folder: Path) -> str | None:
    """The commit of the checkout, marked "-dirty" when files differ from it; None outside one."""
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None

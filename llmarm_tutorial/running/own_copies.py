"""A learner's own copies of lessons and exercises, in a folder that git ignores and that nothing here overwrites.

The kit's notebooks are tracked files: whoever works in them gets conflicts with the next update, and whoever makes them
anew loses what was written. So `llmarm lab` opens `my/`, laid out like `notebooks/`, so that links work in both.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from llmarm_tutorial import files
from llmarm_tutorial.errors import BadParameter, RunError
from llmarm_tutorial.running.lessons import Lesson

FOLDER = "my"  # beside the folder of lessons; named in .gitignore
_RECORD = ".kit.json"  # path of a copy → fingerprint of the kit's notebook that it was made from


def update(lessons: list[Lesson]) -> tuple[Path, list[str]]:
    """Copy what has no copy yet; a file that is there stays as it is.

    Args:
        lessons: The kit's lessons, at least one; each has its exercises in `exercises/` beside it.

    Returns:
        The folder of copies, and a sentence for each copy of which the kit has a newer version by now.

    Raises:
        RunError: If the folder cannot be written, or a notebook of the kit cannot be read.
    """
    home = _home(lessons[0])
    record, notes = _read(home), []
    for name, original in _originals(lessons).items():
        present = _fingerprint(original)
        if not os.path.lexists(home / name):  # a link stays too, wherever it leads
            files.write_atomically(home / name, original.read_bytes())
            record[name] = present
        elif record.setdefault(name, present) != present:
            notes.append(
                f"{FOLDER}/{name}: the kit has a newer version, yours stays as it is. To get the newer one beside it: "
                f"llmarm lab --new {original.stem[:2]}"
            )
    _write(home, record)
    return home, notes


def put_beside(lesson: Lesson) -> list[Path]:
    """Copy the kit's newer versions of a lesson under another name, beside the learner's own.

    Returns:
        What was written: `NN_name-new.ipynb`, or `-new-2` and so on where that is taken.

    Raises:
        BadParameter: If the kit has nothing newer.
        RunError: If the folder cannot be written, or a notebook of the kit cannot be read.
    """
    home = _home(lesson)
    record, written = _read(home), []
    for name, original in _originals([lesson]).items():
        if (home / name).exists() and record.get(name) != _fingerprint(original):
            target = _free_name(home / name)
            files.write_atomically(target, original.read_bytes())
            written.append(target)
            record[name] = _fingerprint(original)
    if not written:
        raise BadParameter(f"The kit has no newer version of lesson {lesson.number} than the one you have a copy of.")
    _write(home, record)
    return written


def _home(lesson: Lesson) -> Path:
    home = lesson.path.parent.parent / FOLDER
    for folder in (home, home / "exercises"):
        if os.path.lexists(folder) and not folder.is_dir():
            raise RunError(f"{folder} is no folder, but your copies of lessons go into one of that name: rename it.")
    return home


def _originals(lessons: list[Lesson]) -> dict[str, Path]:
    """The kit's notebooks by their path in the folder of copies, exercises first."""
    exercises = {f"exercises/{one.path.name}": one.path.parent / "exercises" / one.path.name for one in lessons}
    return {name: path for name, path in exercises.items() if path.exists()} | {
        one.path.name: one.path for one in lessons
    }


def _fingerprint(notebook: Path) -> str:
    """Digest of what a notebook says; outputs and ids of cells, which change when it is made anew, are left out."""
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        said = [[cell["cell_type"], "".join(cell["source"])] for cell in cells]
    except (OSError, ValueError, LookupError, TypeError):
        raise RunError(f"{notebook} is not a readable notebook; restore it or remove it.") from None
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def _free_name(path: Path) -> Path:
    taken, number = path.with_stem(f"{path.stem}-new"), 2
    while taken.exists():
        taken, number = path.with_stem(f"{path.stem}-new-{number}"), number + 1
    return taken


def _read(home: Path) -> dict[str, str]:
    """The record; empty where there is none or it is damaged, which costs a learner no more than a note of news."""
    try:
        record = json.loads((home / _RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _write(home: Path, record: dict[str, str]) -> None:
    files.write_atomically(home / _RECORD, json.dumps(record, indent=1, sort_keys=True))

"""The lessons: which exist, which parameters they declare, and what a profile sets.

A lesson is a notebook `NN_verb_topic.ipynb` with at most one cell tagged `parameters` of typed assignments. Everything
a user may set is checked here, before a kernel starts: papermill itself only logs an unknown parameter and goes on.
"""

from __future__ import annotations

import ast
import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from llmarm_tutorial.data.file_options import OPTIONS
from llmarm_tutorial.errors import BadParameter, RunError, UnknownName
from llmarm_tutorial.files import ROOT
from llmarm_tutorial.running.parameters import Parameter, declared, read_yaml

_FILE = re.compile(r"(\d\d)_\w+")
QUICK = "quick"  # the notebooks' own defaults, so it needs no file
DATA_COLUMNS = tuple(name.upper() for name in OPTIONS)  # the parameters that say how to read a file of one's own


class _Cell(NamedTuple):
    kind: str
    source: str
    tags: tuple[str, ...]


@dataclass(frozen=True)
class Lesson:
    """One lesson.

    Attributes:
        path: Its notebook.
    """

    path: Path

    @property
    def name(self) -> str:
        """File name without its ending, such as "01_count_what_goes_together"."""
        return self.path.stem

    @property
    def number(self) -> str:
        """Two digits, such as "01"."""
        return self.path.stem[:2]

    @cached_property
    def _cells(self) -> list[_Cell]:
        try:
            cells = json.loads(self.path.read_text(encoding="utf-8"))["cells"]
            return [_Cell(c["cell_type"], "".join(c["source"]), tuple(c["metadata"].get("tags", ()))) for c in cells]
        except (OSError, ValueError, LookupError, TypeError, AttributeError):  # whatever a file may hold instead
            raise RunError(f"{self.path} is not a readable notebook; restore it or remove it.") from None

    @cached_property
    def title(self) -> str:
        """The first heading without its number, else the name."""
        for cell in self._cells:
            if cell.kind == "markdown" and (found := re.search(r"^#+\s+(?:\d+\W+)?(.+)$", cell.source, re.M)):
                return found[1].strip()
        return self.name.replace("_", " ")

    @property
    def code(self) -> str:
        """All code of the notebook; whether a result is out of date hangs on it."""
        return "\n\n".join(cell.source for cell in self._cells if cell.kind == "code")

    @cached_property
    def parameters(self) -> dict[str, Parameter]:
        """The declared parameters by name, in their order; empty without a cell tagged `parameters`.

        Raises:
            RunError: If the cell declares one in a way that `declared` does not read.
        """
        for cell in self._cells:
            if "parameters" in cell.tags:
                return {p.name: p for p in declared(cell.source, self.name)}
        return {}

    @cached_property
    def needs(self) -> frozenset[str]:
        """What the lesson asks of its data wherever it is run: the aspects in its lines `data.require("users", …)`."""
        calls = self._calls("data.require")
        return frozenset(part.value for call in calls for part in call.args if isinstance(part, ast.Constant))

    @cached_property
    def amounts(self) -> list[tuple[str, dict[str, int]]]:
        """How much it asks for: purpose and numbers of its lines `require_enough(data, "following", customers=50)`."""
        found = []
        for call in self._calls("require_enough"):
            numbers = {part.arg: part.value.value for part in call.keywords if isinstance(part.value, ast.Constant)}
            if len(numbers) == len(call.keywords):  # what a parameter decides is seen in the lesson only
                found.append((ast.literal_eval(call.args[1]), numbers))
        return found

    def _calls(self, function: str) -> list[ast.Call]:
        """The calls of a function that are a statement of a cell by themselves, so that they run unconditionally."""
        found = []
        for cell in self._cells:
            if cell.kind == "code":
                found += [call for call in _statements(cell.source) if ast.unparse(call.func) == function]
        return found


def folder(path: str | Path | None = None) -> Path:
    """The folder of lessons: the given one, else `LLMARM_LESSONS`, else `notebooks/` of the checkout or right here.

    Raises:
        RunError: If there is none.
    """
    chosen = path or os.environ.get("LLMARM_LESSONS")
    if chosen:
        if not Path(chosen).is_dir():
            raise RunError(f"The folder of lessons {chosen} does not exist; correct LLMARM_LESSONS or leave it unset.")
        return Path(chosen).resolve()
    for place in (ROOT / "notebooks", Path.cwd() / "notebooks"):
        if place.is_dir():
            return place
    raise RunError(
        "There are no lessons here: change into a clone of the repository, or set LLMARM_LESSONS to its notebooks."
    )


def discover(place: str | Path | None = None) -> list[Lesson]:
    """All lessons of the folder in their order.

    Raises:
        RunError: If the folder holds none.
    """
    place = folder(place)
    found = [Lesson(path) for path in sorted(place.glob("*.ipynb")) if _FILE.fullmatch(path.stem)]
    if not found:
        raise RunError(f"The folder {place} holds no lessons (files such as 01_topic.ipynb).")
    return found


def choose(wanted: Iterable[str], available: list[Lesson]) -> list[Lesson]:
    """The lessons meant, in lesson order and each once; all of them if nothing is asked for.

    Args:
        wanted: Numbers ("01", "1"), full names, or ranges of numbers ("01-03").
        available: What there is to choose from.

    Raises:
        UnknownName: If something named does not exist.
    """
    chosen = set()
    for text in wanted:
        if span := re.fullmatch(r"(\d+)-(\d+)", text):
            names = {lesson.name for lesson in available if int(span[1]) <= int(lesson.number) <= int(span[2])}
        else:
            number = f"{int(text):02d}" if re.fullmatch(r"[0-9]+", text) else None
            stem = text.removesuffix(".ipynb")
            names = {lesson.name for lesson in available if lesson.number == number or lesson.name == stem}
        if not names:
            raise UnknownName("lesson", text, [lesson.name for lesson in available])
        chosen |= names
    return [lesson for lesson in available if not chosen or lesson.name in chosen]


def check_values(lesson: Lesson, values: Mapping[str, Any]) -> dict[str, Any]:
    """Values for a lesson's parameters, each in its declared type.

    Raises:
        UnknownName: If the lesson declares no such parameter.
        BadParameter: If a value does not fit.
    """
    for name in values:
        if name not in lesson.parameters:
            raise UnknownName(f"parameter of lesson {lesson.number}", name, lesson.parameters)
    checked = {name: lesson.parameters[name].coerce(value) for name, value in values.items()}
    seed = checked.get("SEED")
    if isinstance(seed, int) and not 0 <= seed < 2**32:  # what NumPy and scikit-learn take
        raise BadParameter(f"The parameter SEED must be from 0 to {2**32 - 1}, not {seed}.")
    return checked


def check_profile(name: str, place: str | Path | None = None) -> None:
    """Raise `UnknownName` unless there is a profile of that name."""
    known = {QUICK, *profile_files(place)}
    if name not in known:
        raise UnknownName("profile", name, known)


def profile_files(place: str | Path | None = None) -> dict[str, Path]:
    """The files of the profiles by their names; the quick one may have none."""
    return {path.stem: path for path in (folder(place) / "profiles").glob("*.yaml")}


def profile(name: str, available: list[Lesson], place: str | Path | None = None) -> dict[str, dict[str, Any]]:
    """What a profile sets: lesson number → parameter → value, everything checked.

    Raises:
        UnknownName: If there is no such profile, or it names a lesson or parameter that does not exist.
        BadParameter: If the file is no mapping of mappings, or a value does not fit.
    """
    files = profile_files(place)
    check_profile(name, place)
    content = read_yaml(files[name]) if name in files else {}
    by_number = {lesson.number: lesson for lesson in available}
    settings = {}
    for key, values in content.items():
        number = str(key).zfill(2)
        if number not in by_number:
            raise UnknownName(f"lesson in the profile {name}:", number, by_number)
        if not isinstance(values or {}, Mapping):
            raise BadParameter(f"In {files[name]} the lesson {number} must hold lines such as  EPOCHS: 3.")
        settings[number] = check_values(by_number[number], values or {})
    return settings


def _statements(source: str) -> list[ast.Call]:
    """The calls that stand alone in a cell."""
    try:
        statements = ast.parse(source).body
    except SyntaxError:  # a cell with a magic of IPython's
        return []
    return [node.value for node in statements if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)]

"""The lessons: which exist, which parameters they declare, and what a profile sets.

A lesson is a notebook `NN_verb_topic.ipynb` with at most one cell tagged `parameters` of typed assignments. Everything
a user may set is checked here, before a kernel starts: papermill itself only logs an unknown parameter and goes on.
"""

from __future__ import annotations

import ast
import io
import json
import math
import os
import re
import tokenize
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from llmarm_tutorial.data.file_options import OPTIONS
from llmarm_tutorial.errors import BadParameter, RunError, UnknownName
from llmarm_tutorial.files import ROOT

_FILE = re.compile(r"(\d\d)_\w+")
_TYPES = {"int": int, "float": float, "str": str, "bool": bool, "list": list}
QUICK = "quick"  # the notebooks' own defaults, so it needs no file
DATA_COLUMNS = tuple(name.upper() for name in OPTIONS)  # the parameters that say how to read a file of one's own


@dataclass(frozen=True)
class Parameter:
    """A parameter that a lesson declares.

    Attributes:
        name: UPPER_CASE name.
        type: "int", "float", "str", "bool" or "list".
        element: Type of a list's elements ("str", "int", …) or "".
        optional: Whether None is allowed (`int | None`).
        default: Its value in the notebook.
        help: The comment behind it.
    """

    name: str
    type: str
    element: str
    optional: bool
    default: Any
    help: str

    def coerce(self, value: Any) -> Any:
        """A value in the declared type. Text is read as that type: "007" stays text for a str and is 7 for an int.

        Raises:
            BadParameter: If the value does not fit.
        """
        if value is None or (isinstance(value, str) and self.type != "str" and value.strip() in ("None", "null", "~")):
            if self.optional:
                return None
            raise self._unfit(value)
        try:
            if self.type == "list":
                return [_read(item, self.element) if self.element else item for item in _items(value)]
            return _read(value, self.type)
        except (ValueError, yaml.YAMLError):
            raise self._unfit(value) from None

    def _unfit(self, value: Any) -> BadParameter:
        wanted = f"list[{self.element}]" if self.element else self.type
        advice = "; put the value in quotes" if self.type == "str" else ""
        return BadParameter(f"The parameter {self.name} must be of type {wanted}, not {value!r}{advice}.")


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

        Read with `ast`: papermill's own inspection goes by regular expression and cuts a default at a "#" inside it.

        Raises:
            RunError: If the cell holds an assignment that is untyped, of an unknown type or without a literal value.
        """
        for cell in self._cells:
            if "parameters" in cell.tags:
                return {p.name: p for p in _declared(cell.source, self.name)}
        return {}


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
        number = f"{key:02d}" if isinstance(key, int) else str(key)
        if number not in by_number:
            raise UnknownName(f"lesson in the profile {name}:", number, by_number)
        if not isinstance(values or {}, Mapping):
            raise BadParameter(f"In {files[name]} the lesson {number} must hold lines such as  EPOCHS: 3.")
        settings[number] = check_values(by_number[number], values or {})
    return settings


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML file that holds a mapping; an empty file is an empty one.

    Raises:
        BadParameter: If it cannot be read or is no mapping.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadParameter(f"There is no file {path}.") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise BadParameter(f"{path} is not readable as YAML: {reason}.") from None
    if not isinstance(content or {}, Mapping):
        raise BadParameter(f"{path} must hold lines such as  name: value.")
    return dict(content or {})


def _declared(source: str, lesson: str) -> Iterable[Parameter]:
    try:
        statements = ast.parse(source).body
        tokens = [t for t in tokenize.generate_tokens(io.StringIO(source).readline) if t.type == tokenize.COMMENT]
    except (SyntaxError, tokenize.TokenError) as error:
        raise RunError(f"Lesson {lesson}: the cell of parameters is not plain Python ({error}).") from None
    comments = {token.start[0]: token.string.lstrip("# ") for token in tokens}
    for node in statements:
        if not isinstance(node, ast.Assign | ast.AnnAssign):
            continue
        name = ast.unparse(node.target if isinstance(node, ast.AnnAssign) else node.targets[0])
        if isinstance(node, ast.Assign) or node.value is None:
            raise RunError(f"Lesson {lesson}: declare the parameter {name} with type and value, as in  SEED: int = 0.")
        kinds = [part.strip() for part in ast.unparse(node.annotation).strip("'\"").split("|")]
        kind = re.fullmatch(r"(\w+)(?:\[(\w+)\])?", kinds[0])
        if not kind or kind[1] not in _TYPES or (kind[2] or "str") not in _TYPES or kinds[1:] not in ([], ["None"]):
            raise RunError(f"Lesson {lesson}: the parameter {name} has a type outside {', '.join(_TYPES)}.")
        try:
            default = ast.literal_eval(node.value)
        except ValueError:
            raise RunError(
                f"Lesson {lesson}: the parameter {name} must have a plain value, not a computed one."
            ) from None
        yield Parameter(name, kind[1], kind[2] or "", bool(kinds[1:]), default, comments.get(node.end_lineno, ""))


def _items(value: Any) -> list[Any]:
    """A list from a list or from text, with or without its brackets."""
    if isinstance(value, str):
        value = yaml.safe_load(value if value.strip().startswith("[") else f"[{value}]")
    if not isinstance(value, list | tuple):
        raise ValueError(value)
    return list(value)


def _read(value: Any, kind: str) -> Any:
    """One value in the type of the given name.

    Raises:
        ValueError: If it does not fit.
    """
    if isinstance(value, str) and kind != "str":
        if kind == "bool":
            value = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}.get(
                value.lower()
            )
        else:  # not by YAML, to which 1e-3 is text and 010 is eight
            value = _TYPES[kind](value)
    if kind == "float" and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not _TYPES[kind] or (kind == "float" and not math.isfinite(value)):
        raise ValueError(value)
    return value

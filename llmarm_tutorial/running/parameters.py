"""Parameters of lessons: what a notebook declares, and the value that a text, a plan or a profile gives to one.

The declared type alone says how a value is read. A plain value of a YAML file is therefore text at first, as on the
command line. YAML's own guesses by the look of a value (1.1, https://yaml.org/type/) take 1e-3 for text, 050 for 40,
12:30 for 750, no for False and 2024-01-01 for a date.
"""

from __future__ import annotations

import ast
import io
import math
import re
import tokenize
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import yaml

from llmarm_tutorial.errors import BadParameter, RunError

_TYPES = {"int": int, "float": float, "str": str, "bool": bool, "list": list}
_TRUTH = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_NOTHING = ("None", "null", "~")


@dataclass(frozen=True)
class Parameter:
    """A parameter that a lesson declares.

    Attributes:
        name: UPPER_CASE name.
        type: "int", "float", "str", "bool" or "list".
        element: Type of a list's elements ("str", "int", …); "" for what is no list.
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

        A list may be empty only where the lesson's own is: a lesson works through what its lists hold, and would fail
        in the middle with none.

        Raises:
            BadParameter: If the value does not fit.
        """
        if value is None or (isinstance(value, str) and self.type != "str" and value.strip() in _NOTHING):
            if self.optional:
                return None
            raise self._unfit(value)
        try:
            if self.type != "list":
                return _read(value, self.type)
            items = [_read(item, self.element) for item in _items(value)]
        except (ValueError, yaml.YAMLError):
            raise self._unfit(value) from None
        if self.default and not items:
            raise BadParameter(f"The parameter {self.name} must hold at least one value, as in {self.default!r}.")
        return items

    def _unfit(self, value: Any) -> BadParameter:
        wanted = f"list[{self.element}]" if self.element else self.type
        advice = "; put the value in quotes" if self.type == "str" else ""
        return BadParameter(f"The parameter {self.name} must be of type {wanted}, not {value!r}{advice}.")


def declared(source: str, lesson: str) -> Iterable[Parameter]:
    """The parameters that a cell of typed assignments declares, in their order.

    Read with `ast`: papermill's own inspection goes by regular expression and cuts a default at a "#" inside it.

    Args:
        source: Code of the cell.
        lesson: Name of the lesson, for the messages.

    Raises:
        RunError: If it holds an assignment that is untyped, of an unknown type or without a literal value, or a list
            that says neither by its type nor by its elements what it holds.
    """
    try:
        statements = ast.parse(source).body
        tokens = [t for t in tokenize.generate_tokens(io.StringIO(source).readline) if t.type == tokenize.COMMENT]
    except (SyntaxError, tokenize.TokenError) as error:
        raise RunError(f"Lesson {lesson}: the cell of parameters is not plain Python ({error}).") from None
    comments = {token.start[0]: token.string.lstrip("# ").removesuffix("  # fmt: skip") for token in tokens}
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
        element = kind[2] or ""
        if kind[1] == "list" and not element:
            element = _element(default)
            if not element:
                raise RunError(f"Lesson {lesson}: say what the list {name} holds, as in  {name}: list[int] = [].")
        yield Parameter(name, kind[1], element, bool(kinds[1:]), default, comments.get(node.end_lineno, ""))


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML file that holds a mapping; an empty file is an empty one.

    Plain values are text, or None where there is none (`~`, `null` or nothing): `Parameter.coerce` reads them.

    Raises:
        BadParameter: If it cannot be read, is no mapping, or names something twice.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_AsText)
    except FileNotFoundError:
        raise BadParameter(f"There is no file {path}.") from None
    except (OSError, ValueError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise BadParameter(f"{path} is not readable as YAML: {reason}.") from None
    if not isinstance(content or {}, Mapping):
        raise BadParameter(f"{path} must hold lines such as  name: value.")
    return dict(content or {})


class _AsText(yaml.SafeLoader):
    """Reads plain values as text, nothing as None, and refuses a name that is given twice."""

    yaml_implicit_resolvers: ClassVar = {
        first: [pair for pair in pairs if pair[0] in ("tag:yaml.org,2002:null", "tag:yaml.org,2002:merge")]
        for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """A mapping, as PyYAML makes it; that one would keep the last of two values and say nothing."""
        names = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in names:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value} is given twice", key.start_mark)
            names.add(key.value)
        return super().construct_mapping(node, deep)


def _element(default: Any) -> str:
    """The type of a list's elements by its default; "" where they have none in common."""
    kinds = {type(item) for item in default} if isinstance(default, list) else set()
    if kinds == {int, float}:
        return "float"
    return next((name for name in ("int", "float", "str", "bool") if kinds == {_TYPES[name]}), "")


def _items(value: Any) -> list[Any]:
    """A list from a list or from text, with or without its brackets."""
    if isinstance(value, str):
        value = yaml.load(value if value.strip().startswith("[") else f"[{value}]", Loader=_AsText)
    if not isinstance(value, list | tuple):
        raise ValueError(value)
    return list(value)


def _read(value: Any, kind: str) -> Any:
    """One value in the type of the given name.

    Raises:
        ValueError: If it does not fit.
    """
    if isinstance(value, str) and kind != "str":
        value = _TRUTH.get(value.strip().lower()) if kind == "bool" else _TYPES[kind](value)
    if kind == "float" and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not _TYPES[kind] or (kind == "float" and not math.isfinite(value)):
        raise ValueError(value)
    return value

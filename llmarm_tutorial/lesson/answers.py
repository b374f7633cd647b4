"""What an exercise is, and what is wrong with an answer."""

from __future__ import annotations

import ast
import inspect
import math
import numbers
import re
import textwrap
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from llmarm_tutorial.errors import LlmarmError

_WANTS_A_NUMBER = re.compile(r"\b(float|int|real number)\b")


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
        if is_gap(value):
            return "not answered yet: replace the ... by your own code and run the cell again."
        for predicate, message in self.checks:
            try:
                passed = bool(predicate(value))
            except Exception as error:  # a learner may hand in anything: told what it is, not shown our traceback
                return _what_went_wrong(value, error, message)
            if not passed:
                return message
        return None


def is_gap(value: Any) -> bool:
    """Whether an answer is what the exercise edition holds: `...`, or a function whose body is no more than that."""
    if value is ...:
        return True
    if not inspect.isfunction(value):
        return False
    try:
        definition = ast.parse(textwrap.dedent(inspect.getsource(value))).body[0]
    except (OSError, SyntaxError):  # made without a source, or a lambda within an expression
        return False
    if not isinstance(definition, ast.FunctionDef):
        return False
    body = definition.body if ast.get_docstring(definition) is None else definition.body[1:]
    return all(isinstance(part, ast.Expr) and getattr(part.value, "value", None) is ... for part in body)


def near(value: Any, wanted: float, relative: float = 1e-6) -> bool:
    """Whether an answer is the wanted number, up to a relative difference."""
    return math.isclose(float(value), wanted, rel_tol=relative)


def _what_went_wrong(value: Any, error: Exception, message: str) -> str:
    """What to say when a check could not be carried out on a value."""
    kind, words = type(value).__name__, " ".join(str(error).split())[:300]
    raised = f"{type(error).__name__}: {words}" if words else type(error).__name__
    if _comes_from(value, error):
        return f"your function raised {raised.rstrip('.')}. {message[:1].upper()}{message[1:]}"
    if isinstance(error, TypeError | ValueError) and _WANTS_A_NUMBER.search(words):
        if isinstance(value, str):
            return "give a number, without quotes; this is text (str)."
        if f"'{kind}'" in words and not isinstance(value, numbers.Number):
            return f"give a number; this is of type {kind}."
    return f"this check cannot use an answer of type {kind} ({raised}). {message[:1].upper()}{message[1:]}"


def _comes_from(value: Any, error: Exception) -> bool:
    """Whether an error was raised inside a learner's function, or by calling it with what the exercise asks for."""
    if not inspect.isfunction(value):
        return False
    code = inspect.unwrap(value).__code__
    inside = any(frame.f_code is code for frame, _ in traceback.walk_tb(error.__traceback__))
    return inside or str(error).startswith(f"{value.__qualname__}() ")

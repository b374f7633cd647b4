"""What an exercise is, and what is wrong with an answer."""

from __future__ import annotations

import ast
import copy
import inspect
import itertools
import linecache
import math
import reprlib
import textwrap
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from llmarm_tutorial.errors import LlmarmError

_LONGEST = 10_000  # of an iterator, which may have no end, so much is looked at
_DATA = (np.ndarray, pd.DataFrame, pd.Series, list, tuple, set, dict)


class WrongAnswer(LlmarmError):
    """An answer did not pass, and the check was strict."""


class _Complaint(Exception):
    """What is wrong with a learner's function, whatever the check under way is about."""


@dataclass(frozen=True)
class Exercise:
    """One exercise: a value is asked for, or a function.

    Attributes:
        id: Lesson and number, such as "01.2".
        title: What is asked, in a few words.
        checks: Pairs of a predicate on the learner's value and the message for who does not fulfil it; the message
            teaches (what to think about) and does not give the answer away. The first one that fails shows.
        hints: Help in growing measure.
        gives: What the value is, such as "a number"; empty where a function is asked for.
        returns: What the function returns, such as "a number"; empty where a value is asked for.
    """

    id: str
    title: str
    checks: Sequence[tuple[Callable[[Any], Any], str]]
    hints: Sequence[str] = ()
    gives: str = ""
    returns: str = ""

    def complaint(self, value: Any) -> str | None:
        """What is wrong with a value, or None if it passes."""
        if is_gap(value):
            return "not answered yet: replace the ... by your own code and run the cell again."
        if isinstance(value, Iterator):  # zip, map: it could be read by one check only
            value = list(itertools.islice(value, _LONGEST))
        if self.returns and not callable(value):
            return "hand in the function itself, without calling it."
        if not self.returns and _holds_nan(value):
            return "your answer holds nan or inf, which are no numbers."
        answer = _Watched(value) if self.returns else value
        for predicate, message in self.checks:
            try:
                passed = bool(predicate(answer))
            except _Complaint as complaint:
                return str(complaint)
            except Exception:  # a learner may hand in anything: told what is wanted, not shown our traceback
                return self._other_kind(answer)
            if not passed:
                return message
        return None

    def _other_kind(self, answer: Any) -> str:
        """What to say where a check could not be carried out: the answer is of another kind than the one asked for."""
        if self.returns:
            return f"your function must return {self.returns}; it returned {_described(answer.returned)}."
        return f"give {self.gives}; this is {_described(answer)}."


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


def number(value: Any) -> float:
    """A learner's number.

    Raises:
        TypeError: If it is no single number; text that reads like one, True and False are none.
    """
    if isinstance(value, str | bytes | bool | np.bool_) or np.ndim(value):
        raise TypeError(f"{_described(value)} is no number")
    return float(value)


def truth(value: Any) -> bool:
    """A learner's True or False.

    Raises:
        TypeError: If it is anything else.
    """
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{_described(value)} is neither True nor False")
    return bool(value)


def near(value: Any, wanted: float, relative: float = 1e-6) -> bool:
    """Whether an answer is the wanted number, up to a relative difference; 0 up to 1e-9.

    Raises:
        TypeError: If the answer is no number.
    """
    return math.isclose(number(value), wanted, rel_tol=relative, abs_tol=1e-9)


class _Watched:
    """A learner's function: called with copies, and complained about where it fails, whatever the check is about."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self.returned: Any = None

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """What the function returns for copies of the arguments.

        Raises:
            _Complaint: If it raises, returns nothing or something that is no number, or changes its arguments.
        """
        handed, handed_named = _copied(arguments), dict(zip(named, _copied(named.values()), strict=True))
        try:
            self.returned = self._function(*handed, **handed_named)
        except Exception as error:
            raise _Complaint(_raised(error)) from None
        names = [*self._names(len(arguments)), *named]
        given, kept = [*handed, *handed_named.values()], [*arguments, *named.values()]
        for name, one, other in zip(names, given, kept, strict=True):
            if not _same(one, other):
                raise _Complaint(f"your function changes its argument `{name}`: work on a copy of it.")
        if self.returned is None:
            raise _Complaint("the function returns nothing: end it with a return.")
        if _holds_nan(self.returned):
            raise _Complaint(
                "what your function returned holds nan or inf, which are no numbers: look for a division by zero, "
                "a logarithm of zero or a mean of nothing."
            )
        return self.returned

    def _names(self, count: int) -> list[str]:
        """Names of the first arguments."""
        try:
            names = [*inspect.signature(self._function).parameters][:count]
        except ValueError:  # not every callable tells its arguments
            names = []
        return names + [f"number {place}" for place in range(len(names) + 1, count + 1)]


def _copied(values: Any) -> list[Any]:
    """Copies of tables and containers; anything else, such as a generator of random numbers, itself."""
    return [copy.deepcopy(value) if isinstance(value, _DATA) else value for value in values]


def _same(one: Any, other: Any) -> bool:
    if isinstance(other, pd.DataFrame | pd.Series):
        return one.equals(other)
    if isinstance(other, np.ndarray):
        return np.array_equal(one, other)
    return not isinstance(other, _DATA) or one == other


def _raised(error: Exception) -> str:
    """What a learner's function raised, with the number and the code of the line."""
    words = " ".join(str(error).split())[:300].rstrip(".")
    raised = f"{type(error).__name__}: {words}" if words else type(error).__name__
    frames = traceback.extract_tb(error.__traceback__)[1:]  # without our own call
    if not frames:
        return f"your function cannot be called as the exercise asks: {raised}."
    own = [frame for frame in frames if frame.filename == frames[0].filename][-1]  # not the libraries that it calls
    line = linecache.getline(own.filename, own.lineno or 0).strip()
    return f"your function raised {raised}, in line {own.lineno}{f': {line}' if line else '.'}"


def _holds_nan(value: Any) -> bool:
    """Whether a number, or one of several, is nan or infinite."""
    if isinstance(value, list | tuple | set | frozenset):
        return any(map(_holds_nan, value))
    if isinstance(value, float | np.ndarray | np.generic | pd.Series):
        numbers = np.asarray(value)
        return numbers.dtype.kind in "fc" and not bool(np.isfinite(numbers).all())
    return False


def _described(value: Any) -> str:
    """An answer in a few words."""
    if value is None:
        return "nothing (None)"
    if isinstance(value, pd.DataFrame):
        return f"a data frame with the columns {', '.join(map(str, value.columns))}"
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    words = " ".join(reprlib.repr(value).split())[:60]
    return f"text in quotes: {words}" if isinstance(value, str) else f"{words} ({type(value).__name__})"

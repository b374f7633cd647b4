"""A recorded value: what it must hold, and how it is shown."""

from __future__ import annotations

import html
import numbers
import re
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import Any

from llmarm_tutorial.errors import BadParameter
from llmarm_tutorial.evaluation import verdicts

NO_FORMULAS = 'class="mathjax_ignore tex2jax_ignore"'  # of HTML in a notebook that holds names with dollar signs
_NAME = re.compile(r"[a-z0-9]+([._@-][a-z0-9]+)*(/[a-z0-9]+([._@-][a-z0-9]+)*)*")

Value = float | int | bool | str


@dataclass(frozen=True)
class Result:
    """One recorded value: a level that something reaches, or a gain of one system over another.

    A level reproduces within its tolerance. A tolerance that could hide which side of its baseline the level is on
    says nothing: such a level is recorded without baseline, and its gain beside it. A gain reproduces by what its
    interval allows one to say, see `running.verify`.

    Attributes:
        name: Slug with parts joined by "/", such as "rules/precision_at_20".
        value: A finite number, a truth value or text; of a gain, how much better, so that more is better.
        unit: Unit of the value, "" for a pure number.
        interval: Lower and upper bound of a confidence interval, in the unit of the value; of a gain, the paired one.
        baseline: What counting reaches on the same task, in the unit of the value; of a gain, what the other system
            reaches, None if it was not measured.
        tolerance: How far a rerun may differ in absolute terms; None: its number is not compared (timings, and gains
            of which only the verdict must stay).
        relative: How far a rerun may differ beyond `tolerance`, as a share of the value.
        claim: Identifier of the claim of the literature that the value speaks to, see `lesson.claims`.
        note: What a reader must know to interpret the value.
        over: Name of the system that a gain is over; "" for a level.

    Raises:
        BadParameter: If the name is no slug, a number is not finite, the interval is not ordered, or a gain has none.
    """

    name: str
    value: Value
    unit: str = ""
    interval: tuple[float, float] | None = None
    baseline: float | None = None
    tolerance: float | None = 0.0
    relative: float = 0.0
    claim: str | None = None
    note: str = ""
    over: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name):
            raise BadParameter(
                f"The result name {self.name!r} is not usable: join lower-case words by _ . - @ and parts by /, "
                "for example 'rules/precision_at_20'."
            )
        where = f"The result {self.name!r}"
        value = _plain(self.value)
        if not isinstance(value, str):
            value = _number(value, f"{where}: its value")
        object.__setattr__(self, "value", value)
        if self.interval is not None:
            if isinstance(value, str | bool):
                raise BadParameter(f"{where} has an interval, but only a number can have one.")
            given = self.interval if isinstance(self.interval, Iterable) else ()
            bounds = tuple(_number(_plain(bound), f"{where}: its interval") for bound in given)
            if len(bounds) != 2 or bounds[0] > bounds[1]:
                raise BadParameter(
                    f"{where} has the interval {self.interval!r}; give (lower, upper) with lower not above upper."
                )
            object.__setattr__(self, "interval", bounds)
        elif self.over:
            raise BadParameter(
                f"{where} is a gain over {self.over}; give its paired interval, interval=(lower, upper)."
            )
        if self.baseline is not None:
            object.__setattr__(self, "baseline", _number(_plain(self.baseline), f"{where}: its baseline"))
        for allowed in ("tolerance", "relative"):
            slack = getattr(self, allowed)
            if slack is None and allowed == "tolerance":
                continue
            if _number(_plain(slack), f"{where}: its {allowed}") < 0:
                raise BadParameter(f"{where} has a negative {allowed}; 0 asks for an exact match.")
            object.__setattr__(self, allowed, float(slack))

    @property
    def verdict(self) -> str | None:
        """Of a gain "wins", "level" or "loses", see `evaluation.verdicts`; None of a level."""
        return verdicts.verdict(*self.interval) if self.over and self.interval else None

    def line(self) -> str:
        """The result as one line of text."""
        sign = "+" if self.over and self.value > 0 else ""
        parts = [f"{self.name} = {sign}{show(self.value)}{' ' + self.unit if self.unit else ''}"]
        if self.interval is not None:
            parts[0] += f" [{show(self.interval[0])}, {show(self.interval[1])}]"
        if self.over:
            reached = "" if self.baseline is None else f" ({show(self.baseline)})"
            parts.append(f"{self.verdict} against {self.over}{reached}")
        elif self.baseline is not None:
            parts.append(f"baseline {show(self.baseline)}")
        return " · ".join([*parts, self.note] if self.note else parts)

    def to_dict(self) -> dict[str, Any]:
        """The result as JSON-ready types; read back with `from_dict`."""
        return asdict(self)

    @classmethod
    def from_dict(cls, entry: dict[str, Any]) -> Result:
        """A result from what `to_dict` gave; keys of later versions are ignored."""
        known = {f.name for f in fields(cls)}
        return cls(**{key: value for key, value in entry.items() if key in known})

    def _repr_html_(self) -> str:
        first, *rest = self.line().split(" · ")
        name, value = first.split(" = ", 1)
        muted = "".join(f'<span style="opacity:.65"> · {html.escape(part)}</span>' for part in rest)
        return (
            f'<div {NO_FORMULAS} style="border-left:3px solid #0f766e;padding:.15em .7em;margin:.2em 0">'
            f'<span style="opacity:.75">{html.escape(name)}</span> &nbsp;<b>{html.escape(value)}</b>{muted}</div>'
        )


def show(value: Value | None) -> str:
    """A value for people: integers with thousands separators, other numbers with four significant digits."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.0f}" if 1e4 <= abs(value) < 1e15 else f"{value:.4g}"


def _plain(value: Any) -> Any:
    """Plain Python for a NumPy scalar or a zero-dimensional array."""
    return value.item() if hasattr(value, "item") and getattr(value, "ndim", 0) == 0 else value


def _number(value: Any, what: str) -> float | int | bool:
    if not isinstance(value, numbers.Real):
        raise BadParameter(f"{what} is a {type(value).__name__}; record a number, a truth value or text.")
    if not -sys.float_info.max <= value <= sys.float_info.max:
        shown = value if isinstance(value, float) else "beyond what a computer's number holds"
        raise BadParameter(f"{what} is {shown}; only finite numbers can be recorded.")
    return value if isinstance(value, bool | int) else float(value)

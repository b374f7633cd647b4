"""The ledger: what a lesson measured, kept inside its executed notebook.

`record` shows one readable line and stores the same facts as a JSON MIME bundle in the cell's output, so that an
executed notebook carries its own results; `collect` reads them back.
"""

from __future__ import annotations

import html
import numbers
import re
import sys
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmarm_tutorial.data.notes import note_lines
from llmarm_tutorial.errors import BadParameter, RunError
from llmarm_tutorial.evaluation import verdicts
from llmarm_tutorial.lesson import claims

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from llmarm_tutorial.evaluation.comparison import Comparison

MIME = "application/vnd.llmarm.result+json"
NO_FORMULAS = 'class="mathjax_ignore tex2jax_ignore"'  # of HTML in a notebook that holds names with dollar signs
NOTES_MIME = "application/vnd.llmarm.notes+json"
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


def slug(label: str) -> str:
    """A label as a part of a result's name: "popularity + tested rules" as "popularity_and_tested_rules"."""
    joined = re.sub(r" [+×] ", " and ", label.lower())
    plain = unicodedata.normalize("NFKD", joined).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9@.]+", "_", plain).strip("_.@")


def record(
    name: str,
    value: Any,
    *,
    unit: str = "",
    interval: tuple[float, float] | None = None,
    baseline: float | None = None,
    tolerance: float | None = 0.0,
    relative: float = 0.0,
    claim: str | None = None,
    note: str = "",
    over: str = "",
) -> Result:
    """Record a result: shown as one line, and kept in the notebook for reports, reference results and claims.

    The arguments are those of `Result`. Two runs agree when they differ by at most `tolerance + relative * |value|`;
    of gains see `record_gain`.

    Returns:
        The result, checked.

    Raises:
        BadParameter: See `Result`.
        UnknownName: If the literature makes no such claim, see `lesson.claims`.

    Example:
        >>> _ = record("rules/precision_at_20", 0.85, interval=(0.64, 0.95), baseline=0.4)
        rules/precision_at_20 = 0.85 [0.64, 0.95] · baseline 0.4
    """
    result = Result(name, value, unit, interval, baseline, tolerance, relative, claim, note, over)
    if claim is not None:
        claims.check(claim)
    _show(result.line(), {"text/html": result._repr_html_(), MIME: result.to_dict()})
    return result


def record_gain(
    name: str,
    comparison: Comparison,
    *,
    less_is_better: bool = False,
    unit: str = "",
    baseline: float | None = None,
    tolerance: float | None = None,
    claim: str | None = None,
    note: str = "",
) -> Result:
    """Record how much better the first system of a comparison is than the second.

    Two runs agree when both say the same (wins, level, loses), or their intervals overlap and neither says the opposite
    of the other's sign; with a tolerance the numbers must agree within it too.

    Args:
        name: As in `Result`.
        comparison: Of both systems on the same cases.
        less_is_better: Whether the metric is an error: the gain is then what the error shrinks by.
        unit: Unit of the metric, "" for a pure number.
        baseline: What the second system reaches.
        tolerance: How far a rerun may differ: tiny where only counting is compared, None where training moves it.
        claim: As in `Result`.
        note: As in `Result`.

    Returns:
        The result, checked.

    Raises:
        BadParameter: See `Result`; or the second system has no name.
        UnknownName: If the literature makes no such claim, see `lesson.claims`.

    Example:
        >>> from llmarm_tutorial.evaluation.comparison import Comparison
        >>> difference = Comparison("log loss", "model", "counts", -0.25, -0.5, -0.125, 0.01, 90)
        >>> _ = record_gain("gaps/gain", difference, less_is_better=True, unit="nats", baseline=2.5)
        gaps/gain = +0.25 nats [0.125, 0.5] · wins against counts (2.5)
    """
    if not comparison.second:
        raise BadParameter(f"The gain {name!r} needs the name of the system that it is over.")
    gain = comparison.negated() if less_is_better else comparison
    return record(
        name,
        gain.difference,
        unit=unit,
        interval=(gain.low, gain.high),
        baseline=baseline,
        tolerance=tolerance,
        claim=claim,
        note=note,
        over=gain.second,
    )


def record_notes(notes: Mapping[str, int]) -> None:
    """Show what reading a data set guessed, merged or left out, a line each, and keep it in the notebook for reports.

    Args:
        notes: `Transactions.notes`; nothing is shown where there are none.

    Example:
        >>> record_notes({"repeated rows, merged": 1170})
        note: repeated rows, merged: 1,170
    """
    if notes:
        _show("\n".join(f"note: {line}" for line in note_lines(notes)), {NOTES_MIME: dict(notes)})


def collect_notes(notebook: NotebookNode) -> dict[str, int]:
    """The notes that an executed notebook carries, of all data sets that it read."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    found = [output["data"][NOTES_MIME] for output in outputs if NOTES_MIME in output.get("data", {})]
    return {what: count for notes in found for what, count in notes.items()}


def collect(notebook: str | Path | NotebookNode) -> list[Result]:
    """The results an executed notebook carries, in the order of its cells.

    Args:
        notebook: Path of a notebook, or the notebook as nbformat read it.

    Raises:
        RunError: If the file is no notebook, or one name was recorded twice.
    """
    source = "the notebook"
    if isinstance(notebook, str | Path):
        source, notebook = str(notebook), read_notebook(notebook)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    results = [Result.from_dict(output["data"][MIME]) for output in outputs if MIME in output.get("data", {})]
    seen: set[str] = set()
    for result in results:
        if result.name in seen:
            raise RunError(f"The result {result.name!r} is recorded twice in {source}; give each its own name.")
        seen.add(result.name)
    return results


def read_notebook(path: str | Path) -> NotebookNode:
    """Read a notebook file.

    Raises:
        RunError: If there is none, or it is not readable.
    """
    import nbformat

    try:
        return nbformat.read(path, as_version=4)
    except FileNotFoundError:
        raise RunError(f"There is no notebook {path}.") from None
    except (OSError, ValueError, nbformat.ValidationError, AttributeError, KeyError, TypeError):
        # nbformat raises these on its way through content that is no notebook
        raise RunError(f"{path} is not a readable notebook; run the lesson again.") from None


def _show(text: str, bundle: Mapping[str, Any]) -> None:
    """Print a text; in a notebook display it with what else it is, by MIME type."""
    if _in_notebook():
        from IPython.display import display

        display({"text/plain": text, **bundle}, raw=True)
    else:
        print(text)


def _in_notebook() -> bool:
    try:
        from IPython import get_ipython
    except ImportError:
        return False
    return getattr(get_ipython(), "kernel", None) is not None


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

"""The ledger: what a lesson measured, kept inside its executed notebook.

`record` shows one readable line and stores the same facts as a JSON MIME bundle in the cell's output, so that an
executed notebook carries its own results; `collect` reads them back.
"""

from __future__ import annotations

import html
import math
import numbers
import re
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmarm_tutorial.errors import BadParameter, RunError

if TYPE_CHECKING:
    from nbformat import NotebookNode

MIME = "application/vnd.llmarm.result+json"
_NAME = re.compile(r"[a-z0-9]+([._@-][a-z0-9]+)*(/[a-z0-9]+([._@-][a-z0-9]+)*)*")

Value = float | int | bool | str


@dataclass(frozen=True)
class Result:
    """One recorded value.

    Attributes:
        name: Slug with parts joined by "/", such as "rules/precision_at_20".
        value: A finite number, a truth value or text.
        unit: Unit of the value, "" for a pure number.
        interval: Lower and upper bound of a confidence interval, in the unit of the value.
        baseline: What counting reaches on the same task, in the unit of the value.
        tolerance: How far a rerun may differ in absolute terms; None: a rerun is not compared (timings).
        relative: How far a rerun may differ beyond `tolerance`, as a share of the value.
        claim: Identifier of the claim of the literature that the value speaks to.
        note: What a reader must know to interpret the value.

    Raises:
        BadParameter: If the name is no slug, a number is not finite or the interval is not ordered.
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
            bounds = [_plain(bound) for bound in self.interval]
            if len(bounds) != 2 or _number(bounds[0], f"{where}: its interval") > _number(
                bounds[1], f"{where}: its interval"
            ):
                raise BadParameter(
                    f"{where} has the interval {self.interval!r}; give (lower, upper) with lower not above upper."
                )
            object.__setattr__(self, "interval", tuple(bounds))
        if self.baseline is not None:
            object.__setattr__(self, "baseline", _number(_plain(self.baseline), f"{where}: its baseline"))
        for allowed in ("tolerance", "relative"):
            slack = getattr(self, allowed)
            if slack is None and allowed == "tolerance":
                continue
            if _number(_plain(slack), f"{where}: its {allowed}") < 0:
                raise BadParameter(f"{where} has a negative {allowed}; 0 asks for an exact match.")
            object.__setattr__(self, allowed, float(slack))

    def line(self) -> str:
        """The result as one line of text."""
        parts = [f"{self.name} = {show(self.value)}{' ' + self.unit if self.unit else ''}"]
        if self.interval is not None:
            parts[0] += f" [{show(self.interval[0])}, {show(self.interval[1])}]"
        if self.baseline is not None:
            parts.append(f"baseline {show(self.baseline)}")
        return " · ".join([*parts, self.note] if self.note else parts)

    def to_dict(self) -> dict[str, Any]:
        """The result as JSON-ready types; read back with `from_dict`."""
        return asdict(self)

    @classmethod
    def from_dict(cls, entry: dict[str, Any]) -> Result:
        """A result from what `to_dict` gave; keys of later versions are ignored."""
        known = {f.name for f in fields(cls)}
        entry = {key: value for key, value in entry.items() if key in known}
        if entry.get("interval") is not None:
            entry["interval"] = tuple(entry["interval"])
        return cls(**entry)

    def _repr_html_(self) -> str:
        first, *rest = self.line().split(" · ")
        name, value = first.split(" = ", 1)
        muted = "".join(f'<span style="opacity:.65"> · {html.escape(part)}</span>' for part in rest)
        return (
            '<div style="border-left:3px solid #0f766e;padding:.15em .7em;margin:.2em 0">'
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
) -> Result:
    """Record a result: shown as one line, and kept in the notebook for reports, reference results and claims.

    The arguments are those of `Result`. Two runs agree when they differ by at most `tolerance + relative * |value|`.

    Returns:
        The result, checked.

    Raises:
        BadParameter: See `Result`.

    Example:
        >>> _ = record("rules/precision_at_20", 0.85, interval=(0.64, 0.95), baseline=0.4)
        rules/precision_at_20 = 0.85 [0.64, 0.95] · baseline 0.4
    """
    result = Result(name, value, unit, interval, baseline, tolerance, relative, claim, note)
    if _in_notebook():
        from IPython.display import display

        bundle = {"text/plain": result.line(), "text/html": result._repr_html_(), MIME: result.to_dict()}
        display(bundle, raw=True)
    else:
        print(result.line())
    return result


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
    if not math.isfinite(value):
        raise BadParameter(f"{what} is {value}; only finite numbers can be recorded.")
    return value if isinstance(value, bool | int) else float(value)

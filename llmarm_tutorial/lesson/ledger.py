"""The ledger: what a lesson measured, kept inside its executed notebook.

`record` shows one readable line and stores the same facts as a JSON MIME bundle in the cell's output, so that an
executed notebook carries its own results; `collect` reads them back.
"""

from __future__ import annotations

import numbers
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmarm_tutorial.data.notes import note_lines
from llmarm_tutorial.errors import BadParameter, RunError
from llmarm_tutorial.lesson import claims
from llmarm_tutorial.lesson.results import Result

if TYPE_CHECKING:
    import pandas as pd
    from nbformat import NotebookNode

    from llmarm_tutorial.evaluation.comparison import Comparison

MIME = "application/vnd.llmarm.result+json"
NOTES_MIME = "application/vnd.llmarm.notes+json"
_NONE = object()  # of a row that an argument says nothing of


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


def record_table(
    name: str,
    table: pd.DataFrame | Mapping[Any, Any] | Iterable[Comparison],
    *,
    less_is_better: bool = False,
    **facts: Any,
) -> list[Result]:
    """Record a whole table, one result for each row: levels as by `record`, gains as by `record_gain`.

    Args:
        name: Pattern of the names, such as "next/ndcg10_{}": `{}` is the row's label as `slug` writes it, and a label
            of several parts (a tuple) fills `{}` several times. Of gains `{first}`, `{second}` and `{metric}` are what
            the comparison names.
        table: What was measured; a value that is NaN was not, and is left out.

            - label → number, truth value or text (a mapping or a Series): levels;
            - a data frame with a column "mean" or "value": levels, with their intervals where it has "low" and "high",
              as `evaluation.means_table` makes it;
            - any other data frame: every cell is a level, and its label is that of the row and that of the column;
            - label → `Comparison`, or comparisons alone, whose label is the first system: gains.
        less_is_better: Of gains, whether the metric is an error, see `record_gain`.
        facts: Further arguments of `record` or `record_gain`: `unit`, `baseline`, `tolerance`, `relative`, `claim`,
            `note`. Each is one value for all rows; a mapping or a Series from label to value, in which a row that is
            missing or NaN has none; or a function of the label. A mapping for the `baseline` of gains goes by the name
            of the system that the gain is over, so that a table of levels serves.

    Returns:
        The results, in the order of the table.

    Raises:
        BadParameter: See `Result`; or two rows get one name.
        UnknownName: If the literature makes no such claim, see `lesson.claims`.

    Example:
        >>> levels = {"popularity": 0.25, "model": 0.5}
        >>> _ = record_table("next/ndcg10_{}", levels, tolerance={"model": 0.02}, note="one seed")
        next/ndcg10_popularity = 0.25 · one seed
        next/ndcg10_model = 0.5 · one seed
        >>> from llmarm_tutorial.evaluation.comparison import Comparison
        >>> gain = Comparison("NDCG@10", "model", "popularity", 0.25, 0.125, 0.5, 0.01, 90)
        >>> _ = record_table("next/gain_{first}_over_{second}", [gain], baseline=levels)
        next/gain_model_over_popularity = +0.25 [0.125, 0.5] · wins against popularity (0.25)
    """
    rows = [row for row in _rows(table) if not _unknown(getattr(row[1], "difference", row[1]))]
    named: dict[str, tuple[Any, Any, dict[str, Any]]] = {}
    for label, value, interval in rows:
        of_gain = hasattr(value, "difference")
        fields = {part: slug(getattr(value, part)) for part in ("metric", "first", "second")} if of_gain else {}
        filled = name.format(*(slug(str(part)) for part in _parts(label)), **fields)
        if filled in named:
            raise BadParameter(
                f"Two rows of the table get the name {filled!r}; let the pattern {name!r} tell them apart by {{}}."
            )
        keys = {fact: value.second if of_gain and fact == "baseline" else label for fact in facts}
        chosen = {fact: _of_row(given, keys[fact], label) for fact, given in facts.items()}
        chosen = {fact: value for fact, value in chosen.items() if value is not _NONE}
        chosen |= {"less_is_better": less_is_better} if of_gain else {"interval": interval}
        named[filled] = record_gain if of_gain else record, value, chosen
    return [keep(filled, value, **chosen) for filled, (keep, value, chosen) in named.items()]


def _rows(table: Any) -> Iterator[tuple[Any, Any, tuple[float, float] | None]]:
    """(label, value, interval) of each result of a table, see `record_table`."""
    if not hasattr(table, "columns"):
        pairs = table.items() if hasattr(table, "items") else ((gain.first, gain) for gain in table)
        yield from ((label, value, None) for label, value in pairs)
        return
    column = next((column for column in ("mean", "value") if column in table), None)
    if column is None:
        for row, values in zip(table.index, table.to_numpy(), strict=True):
            yield from (((*_parts(row), *_parts(c)), value, None) for c, value in zip(table, values, strict=True))
        return
    ends = [(None, None)] * len(table)
    if {"low", "high"} <= set(table):
        ends = list(zip(table["low"], table["high"], strict=True))
    for label, value, (low, high) in zip(table.index, table[column], ends, strict=True):
        yield label, value, None if low is None or _unknown(low) or _unknown(high) else (low, high)


def _of_row(given: Any, key: Any, label: Any) -> Any:
    """What an argument of `record_table` says of one row; `_NONE` where it says nothing."""
    if callable(given):
        return given(label)
    found = given.get(key, _NONE) if hasattr(given, "get") else given
    return _NONE if _unknown(found) else found


def _parts(label: Any) -> tuple[Any, ...]:
    return label if isinstance(label, tuple) else (label,)


def _unknown(value: Any) -> bool:
    """Whether a value is NaN."""
    return isinstance(value, numbers.Real) and value != value


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

"""Where the header of a table stands, and what its columns are called.

Rules: the header is the first line that holds every column asked for. Where none is asked for, it is the first line as
wide as most lines are, or the first such after titles and a blank line. A name that two columns
share is refused where it is asked for. A column without a name that counts the rows is the index that pandas, R or a
spreadsheet wrote; it is left out, like a column without a name and without a value.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from llmarm_tutorial.data.file_options import columns_meant
from llmarm_tutorial.errors import DataError

NUMBER = re.compile(r"[-+−]?\d+([.,]\d+)*")
LONGEST_SHOWN = 60  # signs of a line in a message
MOST_LISTED = 40  # columns in a message
FURTHEST = 30  # lines before the header, at most
FOOTERS = 3  # rows at the end that may be no data
TOTAL = re.compile(
    r"((grand |sub)?-?total|totals|sum|summe|gesamt(summe)?|somme|suma|celkem|totale|totaal|razem|итого|всего|合计|总计"
    r"|合計)\W*",
    re.IGNORECASE,
)
AMOUNT = re.compile(r"([A-Z]{3}|[$€£¥])? ?[-+−]?\d+([., '’]\d+)* ?([A-Z]{3}|[$€£¥%]|Kč|zł)?")
RULE = re.compile(r"[-+=_]{3,}")
COUNT = re.compile(r"\(?\d+ (rows?|records?|zeilen?|lignes?)( affected| selected| in set.*)?\)?\.?", re.IGNORECASE)


@dataclass(frozen=True)
class Contents:
    """What a file holds, before anything is said about its columns.

    Attributes:
        table: One row per row of the file, its columns by name; None where every line is a basket.
        notes: What was guessed or left out: description → number of lines, rows or cells.
        lines: Where every line is a basket, its fields, trimmed, a header among them if there is one.
        divider: What divided the fields of a text, "" where the file is no delimited text.
        twins: Names that several columns had.
    """

    table: pd.DataFrame | None = None
    notes: dict[str, int] = field(default_factory=dict)
    lines: tuple[Sequence[str], ...] = ()
    divider: str = ""
    twins: frozenset[str] = frozenset()


def trimmed(record: Sequence[str]) -> list[str]:
    """The cells of a line without blanks round them and without empty ones at its end."""
    cells = [cell.strip() for cell in record]
    while cells and not cells[-1]:
        cells.pop()
    return cells


def find(records: Sequence[Sequence[str]], wanted: Collection[str]) -> int | None:
    """Number of the first line, among the first `FURTHEST`, that holds every column wanted; None if there is none."""
    for place, record in enumerate(records[:FURTHEST]):
        cells = {cell.strip() for cell in record}
        if wanted and all(column in cells for given in wanted for column in columns_meant(given, cells)):
            return place
    return None


def guess(records: Sequence[Sequence[str]]) -> int:
    """Number of the line that is most likely the header, where nobody says which columns there are."""
    rows = [trimmed(record) for record in records]
    widths = Counter(len(row) for row in rows if row)
    if not widths:
        return 0
    usual = max(widths, key=lambda width: (widths[width], width))
    wide = [place for place, row in enumerate(rows[:FURTHEST]) if len(row) >= usual]
    filled = [place for place, row in enumerate(rows) if row]
    if has_row_names(rows[filled[0]], [rows[place] for place in filled[1:]]):
        return filled[0]
    for place in wide:
        titled = not all(rows[:place]) and any(
            0 < len(row) < usual for row in rows[:place]
        )  # titles end in a blank line
        named = all(rows[place][1:]) and not any(map(NUMBER.fullmatch, rows[place]))
        if titled and named and usual > 1 and not is_headless(records, place):
            return place
    return wide[0] if wide else 0


def has_row_names(header: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Whether rows have one field more than the header, which counts them, as R writes the names of rows."""
    longer = len(below) > 1 and all(len(row) == len(header) + 1 for row in below)
    return longer and not any(map(NUMBER.fullmatch, header)) and counts_up([row[0] for row in below])


def is_headless(records: Sequence[Sequence[str]], place: int) -> bool:
    """Whether the line taken for a header is like the lines below it: a name stands below once more as a value."""
    names, below = trimmed(records[place]), [trimmed(record) for record in records[place + 1 :]]
    others = [row for row in below if row != names]
    if is_titled(names, others):  # a header that comes again, as where files were joined
        below = others
    if names and set(names) <= {cell for row in below for cell in row}:
        return True
    for column, name in enumerate(names):
        values = [row[column] for row in below if column < len(row)]
        if name and (name in values or (column == 0 and _counts_on(name, values))):
            return True
    return False


def is_titled(names: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Whether a name that is no number stands above numbers only."""
    for column, name in enumerate(names):
        values = [row[column] for row in below if column < len(row) and row[column]]
        if values and not NUMBER.fullmatch(name) and all(map(NUMBER.fullmatch, values)):
            return True
    return False


def _counts_on(name: str, values: Sequence[str]) -> bool:
    """Whether a number at the head of a column of numbers is one of them."""
    return bool(values) and len(name) < 6 and all(value.isdecimal() for value in (name, *values))


def counts_up(cells: Sequence[str]) -> bool:
    """Whether cells differ in nothing but a number that goes up by one: Item 1, Item 2, or T100, T101."""
    parts = [re.fullmatch(r"(.*?)(\d+)\)?", cell) for cell in cells]
    if len(cells) < 2 or None in parts or len({part[1] for part in parts}) > 1:
        return False
    counts = [int(part[2]) for part in parts]
    return counts == list(range(counts[0], counts[0] + len(counts)))


def is_numbered(header: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Whether the names of a header, but perhaps the first, count, and are no numbers of items as stand below."""
    return counts_up(header[1:]) and (
        not header[1].isdecimal() or any(not c.isdecimal() for row in below for c in row[1:])
    )


def shown(row: Sequence[str]) -> str:
    """The head of a line, for messages and notes."""
    text = " ".join(", ".join(row).split())
    return text if len(text) <= LONGEST_SHOWN else text[:LONGEST_SHOWN] + "…"


def listed(columns: Collection[str], file: str) -> str:
    """The columns of a file in one sentence, the first of them where there are many."""
    names = [" ".join(str(column).split()) for column in columns]
    more = f" and {len(names) - MOST_LISTED:,} more" if len(names) > MOST_LISTED else ""
    return f"The columns of {file} are: {', '.join(names[:MOST_LISTED])}{more}."


def titles_note(first: Sequence[str]) -> str:
    """What a note says of lines before the header, of which this is the first."""
    return f"lines before the header, left out, the first is {shown(first)!r}"


def finished(
    table: pd.DataFrame, header: Sequence[str], wanted: Collection[str], file: str, notes: dict[str, int]
) -> Contents:
    """What a file holds, from its rows and its header: without footers and empty rows, its columns named.

    Args:
        table: One column per cell of the header, in order.
        header: The names.
        wanted: Columns asked for, as options give them.
        file: Name of the file, for messages.
        notes: What was guessed so far.

    Raises:
        DataError: If a column that is wanted is there twice.
    """
    notes = dict(notes)
    table = _without_headers(_without_footers(table, notes), header, notes)
    empty = table.isna().all(axis=1)
    if empty.any() and table.shape[1] > 1:
        notes["empty rows, left out"] = int(empty.sum())
        table = table[~empty]
    table, twins = _named(table.reset_index(drop=True), header, wanted, file)
    return Contents(table, notes, twins=frozenset(twins))


def _named(
    table: pd.DataFrame, cells: Sequence[str], wanted: Collection[str], file: str
) -> tuple[pd.DataFrame, set[str]]:
    """A table under the names of its header, without columns that hold nothing of their own.

    Args:
        table: One column per cell of the header, in order.
        cells: The header.
        wanted: Columns asked for, as options give them.
        file: Name of the file, for messages.

    Returns:
        The table, and the names that several columns had; all but the first of them got a number.

    Raises:
        DataError: If a column that is wanted is there twice.
    """
    names = [str(cell).strip() for cell in cells]
    twins = {name for name, count in Counter(names).items() if count > 1 and name}
    asked = {column for given in wanted for column in columns_meant(given, names)}
    for name in sorted(twins & asked):
        raise DataError(f"{file}: {names.count(name)} columns are called {name!r}; give each a name of its own.")
    kept: dict[str, pd.Series] = {}
    for number, name in enumerate(names):
        column = table.iloc[:, number]
        if name not in asked and _says_nothing(name, column, number):
            continue
        name, copy = name or f"column {number + 1}", 2
        while name in kept:
            name, copy = f"{names[number]} ({copy})", copy + 1
        kept[name] = column
    return pd.DataFrame(kept, index=table.index), twins


def _says_nothing(name: str, column: pd.Series, number: int) -> bool:
    """Whether a column is empty and nameless, or the first one and the count of the rows."""
    nameless = not name or re.fullmatch(r"Unnamed: \d+|__index_level_\d+__", name) is not None
    if not nameless or column.isna().all():
        return nameless
    if number > 0:
        return False
    counts = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float, na_value=float("nan"))
    return counts[0] in (0, 1) and bool((counts == counts[0] + np.arange(len(counts))).all())


def _without_footers(table: pd.DataFrame, notes: dict[str, int]) -> pd.DataFrame:
    """A table without the sums and the count of rows that stand at its end."""
    end = len(table)
    while end > max(1, len(table) - FOOTERS) and _is_footer(table, end - 1):
        end -= 1
    if end < len(table):
        first = next(str(cell) for cell in table.iloc[end].dropna())
        notes[f"rows at the end that are no data, left out, the first begins with {first!r}"] = len(table) - end
    return table.iloc[:end]


def _without_headers(table: pd.DataFrame, header: Sequence[str], notes: dict[str, int]) -> pd.DataFrame:
    """A table without the rows that repeat its header, as where several files were joined."""
    named = [(number, str(name).strip()) for number, name in enumerate(header) if str(name).strip()]
    again = np.arange(len(table) if named else 0)
    for number, name in named:
        cells = table.iloc[again, number].astype("object")
        again = again[[isinstance(cell, str) and cell.strip() == name for cell in cells]]
    if not len(again):
        return table
    notes["rows that repeat the header, left out"] = len(again)
    return table.drop(index=table.index[again])


def _is_footer(table: pd.DataFrame, place: int) -> bool:
    """Whether a row is a rule, a count of rows, or a sum: cells that are empty or numbers, none of them seen above."""
    filled = table.iloc[place].dropna()
    words = [str(cell).strip() for cell in filled]
    if not words or table.shape[1] < 2:
        return False
    if len(words) == 1 and COUNT.fullmatch(words[0]):
        return True
    if all(map(RULE.fullmatch, words)):
        return True
    if not TOTAL.fullmatch(words[0]) or not all(map(AMOUNT.fullmatch, words[1:])):
        return False
    return not any((table[column].iloc[:place] == cell).any() for column, cell in filled.items())

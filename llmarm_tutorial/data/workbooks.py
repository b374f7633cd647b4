"""Excel workbooks as tables.

Rules, each guess a note: of several sheets the first that holds the columns asked for is read, else the first with a
table; hidden sheets are passed over. A number shown with leading zeros keeps them, a cell in error is empty, and a
whole number of more than 15 digits is noted, since Excel keeps no more.
"""

from __future__ import annotations

import io
import re
import warnings
import zipfile
from collections.abc import Collection, Sequence

import pandas as pd

from llmarm_tutorial.data import delimited, headers
from llmarm_tutorial.data.headers import Contents, trimmed
from llmarm_tutorial.errors import DataError

EXACT = 10**15  # Excel keeps 15 digits of a number


def read(data: bytes, name: str, wanted: Collection[str] = (), layout: str = "") -> Contents:
    """Read the sheet of a workbook that is meant.

    Args:
        data: The workbook.
        name: Name of the file, for messages.
        wanted: Columns asked for, as options give them.
        layout: The option `format`; "baskets" if every row is one basket, "" to find out.

    Raises:
        DataError: If it cannot be opened or no sheet holds a table.
    """
    import openpyxl  # slow to import, and seldom needed

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of styles and rules that openpyxl does not know
            book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
            sheets = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
            grids = {sheet.title: _grid(sheet) for sheet in sheets}
    except (ValueError, KeyError, TypeError, OSError, SyntaxError, zipfile.BadZipFile):
        raise DataError(
            f"{name} cannot be opened as an Excel workbook; if it has a password take it off, else save it as CSV."
        ) from None
    tables = [title for title, (rows, _) in grids.items() if sum(any(map(trimmed, [_texts(row)])) for row in rows) > 1]
    if not tables:
        raise DataError(f"{name} holds no table: no visible sheet has a header and a row below it.")
    fitting = [title for title in tables if headers.find([_texts(row) for row in grids[title][0]], wanted) is not None]
    title = (fitting or tables)[0]
    rows, notes = grids[title]
    others = [other for other in tables if other != title]
    if others:
        notes[f"sheets of {name} left out ({', '.join(others)}); the sheet {title} is read"] = len(others)
    baskets = layout.startswith("baskets") or (
        not layout and not wanted and delimited.are_baskets(list(map(_texts, rows)))
    )
    if baskets:
        return Contents(None, notes, tuple(row for row in map(trimmed, map(_texts, rows)) if row), ",")
    return _table(rows, name, wanted, notes)


def _grid(sheet: object) -> tuple[list[list[object]], dict[str, int]]:
    """The cells of a sheet, row by row, and notes on them."""
    rows, errors, long, blank = [], 0, 0, 0
    sheet.reset_dimensions()  # some programs write a size that is too small, or none
    for cells in sheet.iter_rows():
        row = []
        for cell in cells:
            value = cell.value
            if cell.data_type == "e":
                value, errors = None, errors + 1
            elif isinstance(value, int) and not isinstance(value, bool):
                long += abs(value) >= EXACT
                zeros = re.fullmatch(r"0{2,}", cell.number_format or "")
                value = f"{value:0{len(zeros[0])}d}" if zeros else value
            row.append(value)
        if all(value is None for value in row):  # a sheet may end in a million rows that are formatted and empty
            blank += 1
            continue
        rows.extend([[]] * blank + [row])
        blank = 0
    notes = {"cells that hold an error of Excel, read as empty": errors} if errors else {}
    if long:
        notes["numbers of more than 15 digits, of which Excel keeps the first 15"] = long
    return rows, notes


def _texts(row: Sequence[object]) -> list[str]:
    return ["" if value is None else str(value) for value in row]


def _table(rows: list[list[object]], name: str, wanted: Collection[str], notes: dict[str, int]) -> Contents:
    sample = [_texts(row) for row in rows[:1000]]
    place = headers.find(sample, wanted)
    if place is None:
        place = headers.guess(sample)
    titles = [row for row in map(trimmed, sample[:place]) if row]
    if titles:
        notes[headers.titles_note(titles[0])] = len(titles)
    header = sample[place]
    below = [[None if value == "" else value for value in row] for row in rows[place + 1 :]]
    width = max(len(header), *map(len, below)) if below else len(header)
    header = header + [""] * (width - len(header))
    below = [row + [None] * (width - len(row)) for row in below]
    table = pd.DataFrame(below, columns=range(width), dtype="object")
    return headers.finished(table, header, wanted, name, notes)

"""Delimited text as a table of its columns, or as lines of one basket each.

Rules, each guess a note:

- The delimiter is what the line sep= says, else the one of `, ; tab |` under which a line holds the columns asked for;
  else the one under which lines are alike in width, all from the first if possible, else the one that gives most
  columns. Blanks divide columns only where that brings the columns asked for, and baskets only where they are whole
  numbers.
- A line that only rules off the header, a header that comes again, empty lines, an empty last column, and the sum, the
  rule or the count of rows at the end are left out. `\\N` is missing, as databases write it.
- Every line is a basket if nobody names a column and lines differ in width without a header that fits all, or if the
  header counts them (Item 1, Item 2, or 0, 1, 2). Where a header would fit and some lines are wider, that is an error.
"""

from __future__ import annotations

import contextlib
import csv
import io
import re
import warnings
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

import pandas as pd

from llmarm_tutorial.data import headers, lists
from llmarm_tutorial.data.file_options import RIVAL, SIGNS, divider_of
from llmarm_tutorial.data.headers import Contents, trimmed
from llmarm_tutorial.errors import DataError

DELIMITERS = ",;\t|"
UNWRAPPED = "lines that are in quotes as a whole, taken out of them"
SAMPLE = 200_000  # signs of the text that are looked at to guess its form


def read(text: str, name: str, wanted: Collection[str] = (), layout: str = "") -> Contents:
    """Find the delimiter and the header of a text, and read it.

    Args:
        text: The text, its lines ended by a newline.
        name: Name of the file, for messages.
        wanted: Columns asked for, as options give them; they help to find the header.
        layout: "baskets" if every line is one basket, "rows", "lists" or "wide" if the file is a table, "" to find out;
            "baskets:blank" names the sign that divides the items, see `file_options.SIGNS`.

    Raises:
        DataError: If lines do not fit the header, a column wanted has a twin, or the form of the file is unclear.
    """
    said = re.match(r'\s*"?sep=(.)"?[^\S\n]*[,;]*\n', text)
    notes = {}
    if said:
        notes["line sep= before the header, which names the delimiter"] = 1
        text = text[said.end() :]
    choices = [said[1]] if said else list(DELIMITERS)
    if layout.startswith("baskets"):
        choices = [divider] if (divider := divider_of(layout)) else choices
        return _baskets(text, name, choices, notes)
    if not layout and not wanted and all(map(lists.PRINTED.fullmatch, _filled_lines(text))):
        return _baskets(text, name, choices, notes)
    samples = {delimiter: _sample(text, delimiter) for delimiter in choices}
    if not said and not wanted and (bare := _unwrapped(text)) and _is_one_table(bare):
        found = read(bare, name, wanted, layout)
        return replace(found, notes=notes | {UNWRAPPED: bare.count("\n")} | found.notes)
    if not said and wanted and not any(headers.find(records, wanted) is not None for records in samples.values()):
        blanks = _sample(text, " ")
        samples |= {" ": blanks} if headers.find(blanks, wanted) is not None else {}
        if not samples.get(" ") and (bare := _unwrapped(text)):
            notes[UNWRAPPED] = bare.count("\n")
            found = read(bare, name, wanted, layout)
            return replace(found, notes=notes | found.notes)
    delimiter = max(samples, key=lambda sign: _fit(samples[sign], wanted))
    records = samples[delimiter]
    first = next((row for record in records if (row := trimmed(record))), [])
    if len(first) > 1 and all(re.fullmatch("'.*'", cell) for cell in first):
        raise DataError(f"{name} has its fields in single quotes; save it with double quotes, or with none.")
    place = headers.find(records, wanted)
    if place is None:
        if not layout and not wanted and are_baskets(records):
            return _baskets(text, name, choices, notes)
        place = headers.guess(records)
        _refuse_headless(records, place, name, wanted)
    return _table(text, name, delimiter, place, wanted, notes)


def _filled_lines(text: str) -> list[str]:
    return [line.strip() for line in text.split("\n") if line.strip()]


def _is_one_table(text: str) -> bool:
    """Whether a delimiter divides all lines into the same number of fields, two or more."""
    widths = ({len(record) for record in _sample(text, sign) if trimmed(record)} for sign in DELIMITERS)
    return any(len(found) == 1 and found != {1} for found in widths)


def _unwrapped(text: str) -> str:
    """The text without the quotes that a spreadsheet put round every whole line; "" where it did not."""
    lines = _filled_lines(text)
    if not all(len(line) > 1 and line[0] == line[-1] == '"' for line in lines):
        return ""
    rows = list(_records("\n".join(lines), "\x1f"))
    whole = len(rows) == len(lines) and all(len(row) == 1 for row in rows)
    return (
        "\n".join(row[0] for row in rows) + "\n"
        if whole and any("," in row[0] or ";" in row[0] for row in rows)
        else ""
    )


def _sample(text: str, delimiter: str) -> list[list[str]]:
    """The first lines under a delimiter; blank ones are empty lists."""
    records = []
    with contextlib.suppress(csv.Error):  # a field without end: reading the whole text will say where
        records.extend(_records(text[:SAMPLE], delimiter))
    return records[:-1] if len(text) > SAMPLE and len(records) > 1 else records


def _records(text: str, delimiter: str) -> Iterator[list[str]]:
    return csv.reader(io.StringIO(text, newline="\n"), delimiter=delimiter, skipinitialspace=True)


def _fit(records: Sequence[Sequence[str]], wanted: Collection[str]) -> tuple[bool, bool, bool, int]:
    """How well a delimiter fits: the columns wanted are there, lines are alike, all from the first, how many columns.

    Where numbers hold a comma, a comma divides all lines but the header alike, too.
    """
    place = headers.find(records, wanted)
    header = trimmed(records[headers.guess(records) if place is None else place]) if records else []
    below = [record for record in records[(place or 0) + 1 :] if trimmed(record)]
    alike = sum(len(header) <= len(record) <= len(header) + 1 for record in below) >= 0.9 * len(below)
    same = len({len(record) for record in records if trimmed(record)}) == 1
    return (
        place is not None,
        len(header) > 1 and alike,
        len(header) > 1 and same,
        max((len(trimmed(record)) for record in records), default=0),
    )


def are_baskets(records: Sequence[Sequence[str]]) -> bool:
    """Whether every line is one basket, where nobody names a column."""
    filled = [trimmed(record) for record in records if trimmed(record)]
    if filled and all(len(row) == 1 for row in filled):
        return len(filled) > 1 and any(" " in row[0] for row in filled) and all(map(_is_numbers, filled))
    place = headers.guess(records)
    first, below = trimmed(records[place]), [row for record in records[place + 1 :] if (row := trimmed(record))]
    if not below:
        return False
    if headers.is_numbered(first, below):
        return len({len(row) for row in below}) > 1
    ragged = len({len(row) for row in filled}) > 1
    wider = any(len(row) > len(first) for row in below)
    return ragged and not headers.is_titled(first, below) and (wider or headers.is_headless(records, place))


def _is_numbers(row: Sequence[str]) -> bool:
    return re.fullmatch(r"\d+( +\d+)*", row[0]) is not None


def _refuse_headless(records: Sequence[Sequence[str]], place: int, name: str, wanted: Collection[str]) -> None:
    if not records or not headers.is_headless(records, place):
        return
    row = trimmed(records[place])
    again = [line for line, record in enumerate(records, start=1) if line > place + 1 and trimmed(record) == row]
    if again and not any(map(headers.NUMBER.fullmatch, row)):
        raise DataError(
            f"The first line of {name} ({headers.shown(row)}) stands there again as line {again[0]}: if it holds the "
            "names of the columns, delete it there; if it is data, write the names of the columns above it, or say "
            "--format baskets if every line is one basket."
        )
    ragged = len({len(trimmed(record)) for record in records[place:] if trimmed(record)}) > 1
    more = " and leave out the columns" if wanted else ""
    what = f"; if every line is one basket, say --format baskets{more}" if ragged or len(row) > 1 else ""
    raise DataError(
        f"{name} seems to have no header: its first line ({headers.shown(row)}) is like those below it; write the "
        f"names of the columns above it{what}."
    )


# --- one basket a line -----------------------------------------------------------------------------------------


def _baskets(text: str, name: str, choices: Sequence[str], notes: dict[str, int]) -> Contents:
    """The fields of every line, the header among them if there is one."""
    bracketed = _filled_lines(text)
    if all(map(lists.PRINTED.fullmatch, bracketed)):
        return Contents(None, notes, tuple([line] for line in bracketed), ",")
    delimiter = choices[0] if len(choices) == 1 else _divider(text, name)
    try:
        lines = tuple(row for record in _records(text, delimiter) if (row := trimmed(record)))
    except csv.Error:
        raise DataError(f"{name} cannot be read: a quotation mark is opened and never closed.") from None
    return Contents(None, notes, lines, delimiter)


def _divider(text: str, name: str) -> str:
    """The sign that divides the items of a line."""
    lines = re.sub(r'"[^"]*"', "", text[:SAMPLE]).split("\n")
    counts = Counter({sign: sum(sign in line for line in lines) for sign in DELIMITERS})
    (first, most), (second, fewer) = counts.most_common(2)
    if fewer >= RIVAL * most > 0:
        raise DataError(
            f"Lines of {name} hold both {SIGNS[first]} and {SIGNS[second]}; say which divides the items: "
            f"--format baskets:{SIGNS[first]} or --format baskets:{SIGNS[second]}."
        )
    if most:
        return first
    rows = [row for record in _sample(text, ",") if (row := trimmed(record))]
    if any(" " in row[0] for row in rows) and not all(map(_is_numbers, rows)) and '"' not in text:
        raise DataError(
            f"Lines of {name} hold no comma, semicolon, tab or bar; if blanks divide the items, say --format "
            "baskets:blank."
        )
    return "," if '"' in text else " "


# --- a table ---------------------------------------------------------------------------------------------------


def _table(
    text: str, name: str, delimiter: str, place: int, wanted: Collection[str], notes: dict[str, int]
) -> Contents:
    reader = _records(text, delimiter)
    before = [next(reader) for _ in range(place)]
    header = next(reader)
    titles = [trimmed(record) for record in before if trimmed(record)]
    if titles:
        notes[headers.titles_note(titles[0])] = len(titles)
    lines = reader.line_num
    start = _after_lines(text, lines)
    ruled = re.compile(r"[-+=|:,;\s]*---[-+=|:,;\s]*(\n|$)").match(text[start : start + 10_000])
    if ruled and "\n" not in ruled[0].strip():
        start, lines = start + ruled[0].find("\n") + 1, lines + 1
    below = [record for record in _sample(text[start : start + SAMPLE], delimiter) if trimmed(record)]
    if below and all(len(record) == len(header) + 1 and not record[-1].strip() for record in below):
        header = [*header, ""]
    elif headers.has_row_names(header, below):
        header = ["", *header]
    table = _body(text, start, lines, delimiter, header, name)
    if "\\N" in text:
        absent = table.eq("\\N")
        if count := int(absent.to_numpy().sum()):
            notes["cells that hold \\N, read as empty"] = count
            table = table.mask(absent)
    return replace(headers.finished(table, header, wanted, name, notes), divider=delimiter)


def _after_lines(text: str, lines: int) -> int:
    """Where a text goes on after so many lines."""
    start = 0
    for _ in range(lines):
        start = text.find("\n", start) + 1 or len(text)
    return start


def _body(text: str, start: int, lines: int, delimiter: str, header: Sequence[str], name: str) -> pd.DataFrame:
    """The rows below the header, all as text, one column per cell of the header."""
    stream = io.StringIO(text, newline="\n")
    stream.seek(start)
    try:
        with warnings.catch_warnings():
            # without this, fields beyond the header's would be dropped with no more than a warning
            warnings.simplefilter("error", pd.errors.ParserWarning)
            return pd.read_csv(
                stream, sep=delimiter, header=None, names=range(len(header)), dtype="str", keep_default_na=False,
                na_values=[""], index_col=False, skipinitialspace=True,
            )  # fmt: skip
    except pd.errors.EmptyDataError:
        return pd.DataFrame({column: pd.Series(dtype="str") for column in range(len(header))})
    except (ValueError, pd.errors.ParserWarning):
        return _read_slowly(text[start:], lines, delimiter, header, name)


def _read_slowly(text: str, lines: int, delimiter: str, header: Sequence[str], name: str) -> pd.DataFrame:
    """Rows that pandas does not take: those too long only by empty fields are kept, else the first misfit is named."""
    end, width, line, rows = "\x1a", len(header), lines, []
    reader = _records(f"{text}\n{end}", delimiter)  # unless a quotation mark is open, the last line comes out alone
    try:
        for record in reader:
            cells, first, line = trimmed(record), line + 1, lines + reader.line_num
            if cells == [end]:
                return pd.DataFrame(rows, columns=range(width), dtype="str")
            if len(cells) > width and not any(end in cell for cell in cells):
                raise DataError(
                    f"{name} cannot be read as csv: line {first} has {len(cells)} fields, the header has {width}; put "
                    f"a value that holds the delimiter {delimiter!r} in quotes, or say --format baskets if every line "
                    "is one basket."
                )
            if cells:
                rows.append([cell or None for cell in cells] + [None] * (width - len(cells)))
    except csv.Error:  # a field of more than 131,072 signs
        first = line + 1
    raise DataError(f"{name} cannot be read as csv: the quotation mark that opens in line {first} is never closed.")

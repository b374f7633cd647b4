"""Bring your own: CSV, Parquet and JSON lines files become `Transactions` by naming their columns.

Rules, so that one file always gives one result:

- Ids are text, trimmed: '007' stays '007', and nothing but an empty field is missing (an item may be called 'NA').
- Text is UTF-8, or UTF-16 with its byte order mark. Else, if nearly all bytes beyond ASCII come in pairs, as Chinese
  characters do, it is read as GB18030; else as Windows-1252. Either guess is noted in `Transactions.notes`.
- The delimiter is the one of `, ; tab |` under which the header holds the columns asked for, else most columns.
- Times are ISO 8601 or in one format throughout, month before day unless only day before month fits all rows; whole
  numbers of 9 or 10 digits are seconds since 1970, of 12 or 13 milliseconds. Zones are turned into UTC.
"""

from __future__ import annotations

import csv
import io
import json
import re
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from llmarm_tutorial.data.file_options import FileOptions, columns_meant
from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.errors import BadParameter, DataError

DELIMITED, PARQUET, LINES = (".csv", ".tsv", ".txt"), (".parquet", ".pq"), (".jsonl", ".ndjson", ".json")
SUFFIXES = DELIMITED + PARQUET + LINES


def read(path: str | Path, options: FileOptions) -> Transactions:
    """Read a file of one's own.

    Args:
        path: A CSV (.csv, .tsv, .txt), Parquet (.parquet, .pq) or JSON lines (.jsonl, .ndjson, .json) file.
        options: Which columns say what. The items are obligatory, and baskets or else users with a time or an order;
            rows may lack a user where there are baskets.

    Returns:
        The transactions, named after the file. What was guessed, merged or left out is counted in `notes`.

    Raises:
        DataError: If the file is absent, empty, unreadable, or lacks a column, if a column holds lists, or if a time,
            rank or quantity cannot be read.
        BadParameter: If the columns named do not suffice.
    """
    path = Path(path).expanduser()
    if options.format not in ("", "rows"):
        raise BadParameter(f"The format {options.format} cannot be read yet; write one bought item a row.")
    table, notes = read_table(path, options.columns)
    _check_columns(path, table, options)
    if options.quantity_col:
        table = _purchases(table, options.quantity_col, path, notes)
    named = {"basket_id": options.basket_col, "item_id": options.item_col, "user_id": options.user_col}
    frame = pd.DataFrame({role: _joined_ids(table, column) for role, column in named.items() if column})
    if options.time_col:
        frame["time"] = _times(table, options.time_col, path)
    if options.order_col:
        ranks = _numbers(table, options.order_col, path)
        if not (ranks % 1 == 0).all():
            raise DataError(f"{path.name}, column {options.order_col!r}: an order is told by whole numbers.")
        frame["position"] = ranks.astype(np.int64)
    return Transactions.from_frame(frame, name=path.stem, notes=notes)


def _check_columns(path: Path, table: pd.DataFrame, options: FileOptions) -> None:
    """Raise unless the columns named are there, hold single values and suffice."""
    listed = f"The columns of {path.name} are: {', '.join(table)}."
    for given in options.columns:
        for column in columns_meant(given, table):
            if column not in table:
                raise DataError(f"{path.name} has no column {column!r}. {listed}")
            _refuse_lists(table[column], path)
    if not options.item_col:
        raise BadParameter(f"Say which column holds the items with item_col (--item-col). {listed}")
    if not options.basket_col and not (options.user_col and (options.time_col or options.order_col)):
        raise BadParameter(
            "Say which column tells what was bought together with basket_col (--basket-col), or, for sequences without "
            f"baskets, which hold the user and the time with user_col and time_col (or order_col). {listed}"
        )


def _joined_ids(table: pd.DataFrame, given: str) -> pd.Series:
    """Ids of one column, or of several that together make an id; no two combinations give one text."""
    parts = [_id_text(table[column]) for column in columns_meant(given, table)]
    if len(parts) == 1:
        return parts[0]
    ids = parts[0].str.replace("|", "||")
    for part in parts[1:]:
        ids = ids + " | " + part.str.replace("|", "||")
    return ids


def _times(table: pd.DataFrame, given: str, path: Path) -> pd.Series:
    """Times of one column, or of a date and a time of day that stand in two."""
    columns = columns_meant(given, table)
    times = table[columns[0]]
    if len(columns) > 1:
        times = pd.Series(table[columns].astype("str").agg(" ".join, axis=1))
    return parse_times(times, f"{path.name}, column {given!r}") if len(table) else times


def _numbers(table: pd.DataFrame, column: str, path: Path) -> pd.Series:
    """A column of numbers.

    Raises:
        DataError: If a value is empty or no number; says how many, and the first with its row number.
    """
    numbers = pd.to_numeric(table[column], errors="coerce")
    unread = numbers.isna().to_numpy()
    if unread.any():
        row = int(unread.argmax())
        raise DataError(
            f"{path.name}, column {column!r}: {unread.sum():,} of {len(table):,} values are no numbers, the first is "
            f"{table[column].iloc[row]!r} in row {row + 1} (after the header)."
        )
    return numbers


def _purchases(table: pd.DataFrame, column: str, path: Path, notes: dict[str, int]) -> pd.DataFrame:
    """The rows whose quantity is above 0."""
    kept = _numbers(table, column, path) > 0
    if not kept.all():
        notes[f"rows whose {column} is not above 0, left out"] = int((~kept).sum())
    return table[kept].reset_index(drop=True)


def read_table(path: Path, wanted: Sequence[str] = ()) -> tuple[pd.DataFrame, dict[str, int]]:
    """A file as a table of its columns, delimited text as text, with notes on what had to be guessed.

    Args:
        path: The file, its format told by the suffix.
        wanted: Columns that the caller will ask for; they help to find the delimiter.

    Raises:
        DataError: If the file is absent, empty, of another format or unreadable.
    """
    suffix = path.suffix.lower()
    if not path.is_file():
        raise DataError(f"There is no file {str(path)!r}; check the path, which is taken from the folder {Path.cwd()}.")
    if suffix not in SUFFIXES:
        raise DataError(f"{path.name} is none of the formats that can be read: {', '.join(SUFFIXES)}; save it as one.")
    try:
        if suffix in PARQUET:
            return pd.read_parquet(path), {}
        text, notes = _decode(path)
        return (_parse_lines(text, path) if suffix in LINES else _parse_delimited(text, path, wanted)), notes
    except (ValueError, pd.errors.ParserWarning) as error:  # pandas, pyarrow and json all raise ValueErrors
        reason = " ".join(str(error).split())
        raise DataError(f"{path.name} cannot be read as {suffix[1:]}: {reason}.") from error


def parse_times(times: pd.Series, where: str) -> pd.Series:
    """Datetimes without a zone from text, numbers or datetimes, by the rules in the head of this module.

    Raises:
        DataError: If a time is empty or cannot be read; says how many, and the first with its row number.
    """
    if pd.api.types.is_datetime64_any_dtype(times):
        distinct, found = times, pd.to_datetime(times, utc=True)
    else:
        codes, distinct = pd.factorize(_id_text(times), use_na_sentinel=False)
        distinct = pd.Series(distinct)
        best = _read_times(distinct, format="ISO8601")
        for how in ({}, {"dayfirst": True}):
            if best.isna().any():
                best = min(best, _read_times(distinct, **how), key=lambda reading: reading.isna().sum())
        found, distinct = best.iloc[codes], distinct.iloc[codes]
    unread = found.isna().to_numpy()
    if unread.any():
        row = int(unread.argmax())
        example = "empty" if pd.isna(distinct.iloc[row]) else repr(distinct.iloc[row])
        raise DataError(
            f"{where}: {unread.sum():,} of {len(unread):,} times cannot be read, the first is {example} in row "
            f"{row + 1} (after the header); write them like 2024-03-09 17:45."
        )
    return pd.Series(found.dt.tz_localize(None).to_numpy(), index=times.index)


def _read_times(text: pd.Series, **how: object) -> pd.Series:
    for digits, unit in ((r"\d{9,10}", "s"), (r"\d{12,13}", "ms")):
        if text.dropna().str.fullmatch(digits).all():
            return pd.to_datetime(pd.to_numeric(text), unit=unit, utc=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # pandas warns that it takes no format, or the day first: we count
        return pd.to_datetime(text, errors="coerce", utc=True, **how)


def _refuse_lists(column: pd.Series, path: Path) -> None:
    """Raise where a cell holds several values, of which `_id_text` would make one."""
    can = pd.api.types.is_object_dtype(column) or isinstance(column.dtype, pd.ArrowDtype)
    if can and any(isinstance(cell, list | tuple | dict | np.ndarray) for cell in column):
        raise DataError(f"{path.name}: the column {column.name} holds lists: write one row per item.")


def _id_text(ids: pd.Series) -> pd.Series:
    """Ids as trimmed text; whole numbers without a decimal point, even where missing ones made them floats."""
    if pd.api.types.is_float_dtype(ids) and ((ids.dropna() % 1 == 0) & (ids.dropna().abs() < 2**63)).all():
        ids = ids.astype("Int64")
    missing = ids.isna()
    text = ids.astype("str").str.strip()
    return text.mask(missing | (text == ""))


def _decode(path: Path) -> tuple[str, dict[str, int]]:
    data = path.read_bytes()
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16"), {}
    try:
        text, notes = data.decode("utf-8-sig"), {}
    except UnicodeDecodeError:
        foreign = sum(byte >= 0x80 for byte in data)
        paired = 2 * len(re.findall(rb"[\x81-\xfe](?:[\x80-\xfe]|\d[\x81-\xfe]\d)", data))
        guesses = ("gb18030", "cp1252") if paired >= 0.9 * foreign else ("cp1252",)
        for encoding in guesses:
            try:
                text = data.decode(encoding)
            except UnicodeDecodeError:
                continue
            lines = sum(not line.isascii() for line in text.splitlines())
            notes = {f"lines of a file that is not UTF-8, read as {encoding}": lines}
            break
        else:
            raise DataError(f"{path.name} is not text in UTF-8, UTF-16, GB18030 or Windows-1252; save it as UTF-8.")
    if "\0" in text:
        raise DataError(f"{path.name} holds zero bytes, so it is no text in UTF-8; save it as UTF-8.")
    if not text.strip():
        raise DataError(f"{path.name} is empty; give a file with a header and one row per bought item.")
    return text, notes


def _parse_delimited(text: str, path: Path, wanted: Sequence[str]) -> pd.DataFrame:
    def header(delimiter: str) -> list[str]:
        return [name.strip() for name in next(csv.reader(io.StringIO(text), delimiter=delimiter))]

    text = text.lstrip("\r\n")

    def holds_wanted(names: list[str]) -> bool:
        return all(set(columns_meant(column, names)) <= set(names) for column in wanted)

    delimiter = max(",;\t|", key=lambda d: (holds_wanted(header(d)), len(header(d))))
    with warnings.catch_warnings():
        # without this, fields beyond the header's would be dropped with no more than a warning
        warnings.simplefilter("error", pd.errors.ParserWarning)
        table = pd.read_csv(
            io.StringIO(text), sep=delimiter, dtype="str", keep_default_na=False, na_values=[""], index_col=False
        )
    return table.rename(columns=str.strip)


def _parse_lines(text: str, path: Path) -> pd.DataFrame:
    records = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                records.append(json.loads(line))
            except json.JSONDecodeError as error:
                raise DataError(
                    f"{path.name}: line {number} is not JSON ({error.msg}); write one object a line."
                ) from None
            if not isinstance(records[-1], dict):
                raise DataError(f'{path.name}: line {number} is not an object like {{"item": "milk"}}.')
    return pd.DataFrame.from_records(records)

"""Bring your own: a file of one's own becomes `Transactions` by naming its columns.

This is the door; the rules stand where they are applied, each so that one file always gives one result:

- `decoding`: bytes as text, and what a file is by its content;
- `delimited`, `workbooks`, `records`: CSV, Excel, Parquet and JSON as a table; `headers`: where its names stand;
- `layouts`: one item a row, one basket a line, a list in one cell or a column per item; `lists`: what a cell holds;
- `cells`: ids, numbers and flags; `times`: what is a time; `ranks`: an order without a clock;
- `doubts`: what may be no purchase, no customer, or not one basket.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from llmarm_tutorial.data import cells, decoding, delimited, doubts, headers, layouts, records, roles, workbooks
from llmarm_tutorial.data.file_options import FileOptions, columns_meant
from llmarm_tutorial.data.headers import Contents
from llmarm_tutorial.data.ranks import add_ranks, parse_ranks
from llmarm_tutorial.data.times import join_times, parse_times
from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.errors import BadParameter, DataError


def read(path: str | Path, options: FileOptions) -> Transactions:
    """Read a file of one's own.

    Args:
        path: A file of one of `decoding.SUFFIXES`.
        options: Which columns say what, and how the file is laid out. Where a column holds the items it is obligatory,
            and so are baskets or else users with a time or an order; rows may lack a user where there are baskets.

    Returns:
        The transactions, named after the file. What was guessed, merged or left out is counted in `notes`.

    Raises:
        DataError: If the file is absent, empty, unreadable, or lacks a column, or if an id, time, rank or quantity
            cannot be read.
        BadParameter: If the columns named do not suffice.
    """
    path = Path(path).expanduser()
    contents = read_contents(path, options.columns, options.format)
    notes = dict(contents.notes)
    table, options = layouts.one_item_a_row(contents, options, path.name, notes)
    _check_columns(path, table, options)
    if options.quantity_col:
        table = _purchases(table, options.quantity_col, path, notes)
    doubts.of_columns(table, options, notes)
    named = {"basket": options.basket_col, "item": options.item_col, "user": options.user_col}
    frame = pd.DataFrame(
        {f"{role}_id": _joined_ids(table, column, role, path, notes) for role, column in named.items() if column}
    )
    if options.time_col and len(table):
        frame["time"] = _times(table, options.time_col, path, notes)
    if options.order_col:
        where = f"{path.name}, column {options.order_col!r}"
        frame = add_ranks(frame, parse_ranks(table[options.order_col], where), where, notes)
    _check_baskets(frame, options, path, notes)
    doubts.of_ids(frame, notes)
    if "basket_id" in frame and options.format != "baskets":
        doubts.of_numbers(frame, table, options, notes)
    return Transactions.from_frame(frame, name=path.stem, notes=notes)


def read_contents(path: Path, wanted: Sequence[str] = (), layout: str = "") -> Contents:
    """What a file holds, before anything is said about its columns.

    Args:
        path: The file, its format told by the suffix.
        wanted: Columns that the caller will ask for, as options give them; they help to find the header.
        layout: The option `format`, "" to find it out.

    Raises:
        DataError: If the file is absent, empty, of another format or unreadable, or if a column wanted is there twice.
    """
    data, suffix = decoding.contents(path)
    if suffix in decoding.PARQUET:
        return records.read_parquet(data, path.name, wanted)
    if suffix in decoding.WORKBOOKS:
        return workbooks.read(data, path.name, wanted, layout)
    text, notes = decoding.decode(data, path.name, suffix)
    if suffix in decoding.LINES:
        found = records.read_json(text, path.name, wanted, layout)
    else:
        found = delimited.read(text, path.name, wanted, layout)
    return replace(found, notes=notes | found.notes)


def read_table(path: Path, wanted: Sequence[str] = ()) -> tuple[pd.DataFrame, dict[str, int]]:
    """A file as a table of its columns, delimited text as text, with notes on what had to be guessed.

    Args:
        path: The file, its format told by the suffix.
        wanted: Columns that the caller will ask for; they help to find the delimiter.

    Raises:
        DataError: If the file is absent, empty, of another format or unreadable.
    """
    found = read_contents(path, wanted, "rows")
    return found.table, found.notes


def _check_columns(path: Path, table: pd.DataFrame, options: FileOptions) -> None:
    """Raise unless the columns named are there and suffice."""
    listed = headers.listed(table, path.name)
    advice = f"llmarm data look {shlex.quote(str(path))}  makes a guess. {listed}"
    for given in options.columns:
        for column in columns_meant(given, table):
            if column not in table:
                raise DataError(f"{path.name} has no column {column!r}. {listed}")
    if not options.item_col:
        raise BadParameter(f"Say which column holds the items with item_col (--item-col);  {advice}")
    if not options.basket_col and not (options.user_col and (options.time_col or options.order_col)):
        said = {roles.role_of(str(column)): column for column in reversed(table.columns)}
        customer, day = said.get(roles.USER), said.get(roles.TIME)
        both = (
            f" (where two together make a basket name both: --basket-col {customer},{day})" if customer and day else ""
        )
        raise BadParameter(
            f"Say which column tells what was bought together with basket_col (--basket-col){both}, or, for sequences "
            "without baskets, which hold the user and the time with user_col and time_col (or order_col);  " + advice
        )
    if options.order_col and not options.user_col:
        raise BadParameter(
            "An order is one of each customer's visits: say which column holds the customer with user_col "
            f"(--user-col), or leave out order_col. {listed}"
        )


def _check_baskets(frame: pd.DataFrame, options: FileOptions, path: Path, notes: dict[str, int]) -> None:
    """Raise where baskets are counted anew for each customer; note where no basket holds two items."""
    if "basket_id" not in frame or frame.empty:
        return
    absent = frame["basket_id"].isna()
    if absent.any() and not absent.iloc[0] and frame["item_id"].notna().all():
        raise DataError(
            f"{path.name}: {absent.sum()} rows have an empty basket_id; where a receipt has its number in its first "
            "row only, fill the column downwards and save the file anew, else remove these rows."
        )
    if "user_id" in frame:
        users = frame.groupby("basket_id")["user_id"].nunique()
        if (users > 1).any():
            raise DataError(
                f"{path.name}: the basket {users.idxmax()!r} belongs to {users.max()} users; if baskets are counted "
                "anew for each user, join user and basket into one column by naming both: --basket-col "
                f"{options.user_col},{options.basket_col}."
            )
    if len(frame) > 1 and frame["basket_id"].is_unique:
        notes["baskets, each of a single item, so that nothing goes together; check which column tells the basket"] = (
            len(frame)
        )


def _joined_ids(table: pd.DataFrame, given: str, role: str, path: Path, notes: dict[str, int]) -> pd.Series:
    """Ids of one column, or of several that together make an id; no two combinations give one text."""
    parts = [
        cells.ids(table[column], role, f"{path.name}, column {column!r}", notes)
        for column in columns_meant(given, table)
    ]
    for column, part in zip(columns_meant(given, table), parts, strict=True):
        if role != "user" and len(part) and part.isna().all():
            raise DataError(
                f"{path.name}: the column {column!r} is empty in every row; name another, or, if formulas fill it, "
                "open the workbook in Excel and save it."
            )
    if len(parts) == 1:
        return parts[0]
    ids = parts[0].str.replace("|", "||")
    for part in parts[1:]:
        ids = ids + " | " + part.str.replace("|", "||")
    return ids


def _times(table: pd.DataFrame, given: str, path: Path, notes: dict[str, int]) -> pd.Series:
    """Times of one column, or of a date and a time of day that stand in two."""
    parts = [table[column] for column in columns_meant(given, table)]
    return parse_times(join_times(parts) if len(parts) > 1 else parts[0], f"{path.name}, column {given!r}", notes)


def _purchases(table: pd.DataFrame, column: str, path: Path, notes: dict[str, int]) -> pd.DataFrame:
    """The rows whose quantity is above 0."""
    kept = cells.bought(table[column], f"{path.name}, column {column!r}")
    if not kept.all():
        notes[f"rows whose {column} is not above 0, left out"] = int((~kept).sum())
    if len(kept) and not kept.any():
        raise DataError(f"{path.name}: no row has a {column} above 0; check which column holds the quantity.")
    return table[kept].reset_index(drop=True)

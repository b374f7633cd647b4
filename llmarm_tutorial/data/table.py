"""The canonical form of a table of transactions: the same content gives the same table, whatever file it came from.

Ids are whole numbers or text, times are UTC, a basket has one user and one time, nothing occurs twice, and rows are in
an order that does not depend on the source. Where nothing tells baskets, what a user did at one moment is one: inside a
moment nothing has an order, and an order by id would be made up.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pandas as pd

from llmarm_tutorial.errors import BadParameter, DataError


def canonical_table(frame: pd.DataFrame, name: str) -> tuple[pd.DataFrame, dict[str, int]]:
    """Bring the columns of `transactions.COLUMNS` that are present into canonical form.

    Args:
        frame: One row per event.
        name: Name of the data set, for messages.

    Returns:
        The table in canonical order, with a column `basket_id` where moments became baskets, and notes: what was
        merged and what has one moment, with the number of rows or baskets.

    Raises:
        DataError: If ids or times are empty, times are not datetimes, quantities or prices are not numbers, or a
            basket has several users.
    """
    table = frame.reset_index(drop=True)
    for column in ("user_id", "basket_id", "item_id"):
        if column in table:
            may_miss = column == "user_id" and "basket_id" in table
            table[column] = canonical_ids(table[column], name, may_miss)
    if "user_id" in table and table["user_id"].isna().all():
        table = table.drop(columns="user_id")
    for column in {"quantity", "price"} & set(table):
        table[column] = _numbers(table[column], name)
    if "time" in table:
        table["time"] = _canonical_times(table["time"], name)
    if "basket_id" in table:
        table = _one_user_one_time(table, name)
    # price and quantity come last, so that not even rows alike in all else keep the order of the source
    keys = [c for c in ("user_id", "time", "position", "basket_id", "item_id", "price", "quantity") if c in table]
    table, merged = _merge_repeats(table.sort_values(keys, kind="stable", ignore_index=True, key=_running_numbers))
    notes = {"repeated rows, merged": merged} if merged else {}
    table, tied = _moments_to_visits(table)
    return table, notes | tied


def _running_numbers(values: pd.Series) -> pd.Series:
    """What a column is sorted by: itself, but basket ids that are text of digits as numbers, so that 9 precedes 10."""
    if values.name != "basket_id" or pd.api.types.is_numeric_dtype(values) or not values.str.fullmatch(r"\d+").all():
        return values
    return values.str.zfill(values.str.len().max()) + " " + values  # 07 and 7 are two baskets in one order


def canonical_items(items: pd.DataFrame, name: str) -> pd.DataFrame:
    """An item table with one row per item, sorted by `item_id`, and a `name` for each (the id where none is known)."""
    items = items.assign(item_id=canonical_ids(items["item_id"], name))
    items = items.drop_duplicates("item_id").sort_values("item_id", ignore_index=True)
    if "name" not in items:
        items.insert(1, "name", items["item_id"].astype(str))
    items["name"] = items["name"].fillna(items["item_id"].astype(str))
    return items


def canonical_ids(ids: pd.Series, name: str, may_miss: bool = False) -> pd.Series:
    """Whole numbers as int64 (Int64 where some are missing), all else as text; empty text is missing."""
    if pd.api.types.is_numeric_dtype(ids):
        missing, known = ids.isna(), ids.dropna()
        whole = (known % 1 == 0).all()
        if whole and len(known):  # numbers that int64 cannot hold stay apart as text
            whole = int(known.min()) >= -(2**63) and int(known.max()) < 2**63
        ids = ids.astype(("Int64" if missing.any() else np.int64) if whole else "str")
    else:
        missing = ids.isna() | (ids.astype("str") == "")
        ids = ids.astype("str")
    if missing.any() and not may_miss:
        raise DataError(f"{name}: {missing.sum()} rows have an empty {ids.name}; remove them or choose another column.")
    return ids.mask(missing) if missing.any() else ids


def _numbers(values: pd.Series, name: str) -> pd.Series:
    """Quantities or prices as numbers; text would be joined, not added, where rows are merged."""
    if pd.api.types.is_numeric_dtype(values):
        return values
    kinds = ("decimal", "integer", "floating", "mixed-integer-float", "empty")
    if pd.api.types.infer_dtype(values, skipna=True) not in kinds:
        raise DataError(
            f"{name}: the column {values.name} holds {values.dtype}; quantity and price must be numbers, so convert it "
            "with pandas.to_numeric."
        )
    return pd.to_numeric(values)


def _canonical_times(times: pd.Series, name: str) -> pd.Series:
    """Datetimes in UTC without a zone, to the microsecond."""
    if not pd.api.types.is_datetime64_any_dtype(times):
        raise DataError(
            f"{name}: the column time holds {times.dtype}, not datetimes; convert it with pandas.to_datetime."
        )
    if times.isna().any():
        raise DataError(f"{name}: {times.isna().sum()} rows have no time; remove them or leave the time column out.")
    if times.dt.tz is not None:
        times = times.dt.tz_convert("UTC").dt.tz_localize(None)
    return times.astype("datetime64[us]")


def _one_user_one_time(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """Check that a basket has one user, and give all its rows that user, its first time and its first position."""
    table = table.copy()
    baskets = table.groupby("basket_id")
    if "user_id" in table:
        shared = baskets["user_id"].nunique()
        if (shared > 1).any():
            raise DataError(
                f"{name}: the basket {shared.idxmax()!r} belongs to {shared.max()} users; basket ids must be unique "
                "over all users, so join user and basket into one column first."
            )
        if table["user_id"].isna().any():
            table["user_id"] = canonical_ids(baskets["user_id"].transform("first"), name, may_miss=True)
    for column in {"time", "position"} & set(table):
        table[column] = baskets[column].transform("min")
    return table


def _merge_repeats(table: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Make (basket, item), or without baskets the event, unique; quantities add up. Returns the number of rows merged.

    The table comes sorted, so that which row is kept does not depend on the order of the source. Rows of a set without
    baskets and without order are no events (a user may well have bought the item on two days): they stay.
    """
    if "basket_id" in table:
        keys = ["basket_id", "item_id"]
    elif {"time", "position"} & set(table):
        keys = [c for c in ("user_id", "time", "position", "item_id") if c in table]
    else:
        return table, 0
    repeated = table.duplicated(keys)
    if not repeated.any():
        return table, 0
    if "quantity" in table:
        table["quantity"] = table.groupby(keys)["quantity"].transform("sum", min_count=1)
    return table[~repeated].reset_index(drop=True), int(repeated.sum())


def _moments_to_visits(table: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    """Number the moments of a sorted table as baskets, if it has none and a moment holds several rows.

    A moment is one user's time and, where there is one, position. Which of its rows came first nobody knows. If all
    moments hold one row each, the set stays a set of events.

    Returns:
        The table, and a note that counts the rows (with baskets: the baskets) that share a moment with another one.
    """
    keys = [column for column in ("user_id", "time", "position") if column in table]
    if "user_id" not in keys or len(keys) == 1:
        return table, {}
    if "basket_id" in table:
        baskets = table[table["user_id"].notna()].drop_duplicates("basket_id")
        tied = int(baskets.duplicated(keys, keep=False).sum())
        return table, {"baskets of one user at one moment, in the order of their ids, kept": tied} if tied else {}
    first = ~table.duplicated(keys)
    if not first.all():
        tied = int(table.duplicated(keys, keep=False).sum())
        table = table.copy()
        table.insert(1, "basket_id", np.cumsum(first.to_numpy()) - 1)
        return table, {"events of one user at one moment, taken as one basket, kept": tied}
    tied = int(table.duplicated(keys[:2], keep=False).sum())
    return table, {"events of one user at one moment, in the order of their position, kept": tied} if tied else {}


def hash_values(values: pd.Series) -> np.ndarray:
    """A stable 64-bit hash per value; numbers and their text, all time units, fractions to nine digits hash alike."""
    if pd.api.types.is_datetime64_any_dtype(values):
        values = values.astype("datetime64[us]").astype(np.int64)
    codes, distinct = pd.factorize(values)
    text = [str(v) for v in np.asarray(distinct)]  # of a float32 as of a float64: the shortest digits that give it back
    if pd.api.types.is_float_dtype(distinct):
        text = [repr(int(v)) if v.is_integer() else f"{v:.9g}" for v in map(float, text)]
    hashes = pd.util.hash_array(np.array(text, dtype=object), categorize=False)
    return np.append(hashes, np.uint64(0))[codes]  # a missing value has code -1: hash 0


def fingerprint_of(table: pd.DataFrame) -> str:
    """16 hexadecimal digits for a table's columns and rows, whatever the order of its rows.

    The head of a SHA-256 over the names of the columns and the sorted 64-bit hashes of the rows, values as text.
    """
    rows = np.zeros(len(table), dtype=np.uint64)
    for column in table:
        rows = rows * np.uint64(0x9E3779B97F4A7C15) + hash_values(table[column])
    digest = hashlib.sha256(",".join(table).encode())
    digest.update(np.sort(rows).astype("<u8").tobytes())
    return digest.hexdigest()[:16]


def item_labels(items: pd.DataFrame, label: str) -> list[Any]:
    """A label per row of an item table: ids, or names; what several items share gets the id appended.

    Raises:
        BadParameter: If the item table has no such column.
    """
    if label not in items:
        raise BadParameter(f"The items have no {label!r}; choose one of: {', '.join(items)}.")
    values = items[label]
    shared = values.duplicated(keep=False)
    if shared.any():
        values = values.mask(shared, values.astype(str) + " [" + items["item_id"].astype(str) + "]")
    return values.to_list()

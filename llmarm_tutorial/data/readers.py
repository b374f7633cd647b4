"""Readers of the catalogue's official formats: one function per format, from the main file to `Transactions`.

A reader finds the files that belong to its main file beside it. What it drops it counts in `Transactions.notes`. A file
of another format fails with a `ValueError` of pandas or NumPy, which `loading` turns into a sentence.
"""

from __future__ import annotations

import contextlib
import csv
import os
import tempfile
from collections.abc import Callable
from functools import partial
from itertools import chain, compress
from pathlib import Path

import numpy as np
import pandas as pd

from llmarm_tutorial.data.own_files import read_table
from llmarm_tutorial.data.times import parse_times
from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.errors import DataError

GENRES = (  # the order of the flags in u.item
    *("unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama"),
    *("Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western"),
)
AGES = {1: "under 18", 18: "18-24", 25: "25-34", 35: "35-44", 45: "45-49", 50: "50-55", 56: "56+"}


def shop(path: Path, name: str) -> Transactions:
    """The corner shop: `transactions.parquet` with `items.parquet` and `users.parquet` beside it."""
    items, users = (pd.read_parquet(path.with_name(f"{part}.parquet")) for part in ("items", "users"))
    return Transactions.from_frame(pd.read_parquet(path), items=items, users=users, name=name)


def comma_baskets(path: Path, name: str) -> Transactions:
    """One basket a line, item names between commas (groceries)."""
    return _baskets([[item for item in map(str.strip, line.split(",")) if item] for line in _lines(path)], name)


def number_baskets(path: Path, name: str) -> Transactions:
    """One basket a line, item numbers between blanks (FIMI .dat)."""
    return _baskets([line.split() for line in _lines(path)], name, np.int64)


def user_item_lines(path: Path, name: str) -> Transactions:
    """One event a line, `user item`, each user's in the order of time (the BERT4Rec release)."""
    return Transactions.from_frame(_user_item(path), name=name)


def movielens_100k(path: Path, name: str) -> Transactions:
    """MovieLens 100K: `u.data`, with `u.item` and `u.user` beside it. Ratings are left out.

    The order of lines in `u.data` is random, so what a viewer rated in one second has no order: it becomes a basket.
    """
    frame = _numbers(path, "\t", ["user_id", "item_id", "rating", "time"])
    frame["time"] = pd.to_datetime(frame["time"], unit="s")
    columns = ["item_id", "name", "released", "video", "imdb", *GENRES]
    movies = pd.read_csv(path.with_name("u.item"), sep="|", names=columns, encoding="latin-1", quoting=csv.QUOTE_NONE)
    flags = movies[[*GENRES]].to_numpy(bool)
    movies["category"] = ["|".join(compress(GENRES, row)) for row in flags]
    columns = ["user_id", "age", "gender", "occupation", "zip"]
    users = pd.read_csv(path.with_name("u.user"), sep="|", names=columns, dtype={"zip": "str"})
    items = _occurring(movies[["item_id", "name", "category"]], frame)
    return Transactions.from_frame(frame, items=items, users=users, name=name)


def movielens_1m(path: Path, name: str) -> Transactions:
    """MovieLens 1M: `ratings.dat`, or `sequences.txt` (`user item` in the order of time, without clock times).

    Either with `movies.dat` and `users.dat` beside it. Ratings are left out. The order of lines in `ratings.dat` is
    kept as the position, by which ties in time are ordered: the protocol of the literature, which sorts by time and
    leaves ties as the file has them. `notes` counts them.
    """
    if path.suffix == ".txt":
        frame = _user_item(path)
    else:  # "::" needs the slow parser, ":" with empty columns between does not
        frame = _numbers(path, ":", ["user_id", "", "item_id", "", "rating", "", "time"])
        frame["time"] = pd.to_datetime(frame["time"], unit="s")
        frame["position"] = np.arange(len(frame))
    read = {"sep": "::", "engine": "python", "encoding": "latin-1", "header": None}
    movies = pd.read_csv(path.with_name("movies.dat"), names=["item_id", "name", "category"], **read)
    columns = ["user_id", "gender", "age", "occupation", "zip"]
    users = pd.read_csv(path.with_name("users.dat"), names=columns, dtype={"zip": "str"}, **read)
    users["age"] = users["age"].map(AGES)
    return Transactions.from_frame(frame, items=_occurring(movies, frame), users=users, name=name)


def online_retail(path: Path, name: str) -> Transactions:
    """UCI 352, Online Retail: the .xlsx or a CSV or Parquet copy, cleaned.

    Dropped, in this order and counted so: cancellations (invoices that begin with C), codes of no product (postage,
    fees, samples, vouchers, corrections: a product's code begins with five digits or with DCGS), quantities and prices
    that are not positive. Rows without a customer stay, without a user. Codes differ in upper and lower case between
    rows of one product, so they are raised. A product is named by its most frequent description.
    """
    raw = _online_retail_raw(path)
    code = raw["StockCode"].str.upper()
    reasons = {
        "cancelled rows": raw["InvoiceNo"].str.startswith("C"),
        "rows of no product (postage, fees, samples, vouchers, corrections)": ~code.str.match(r"\d{5}|DCGS"),
        "rows with a quantity that is not positive": raw["Quantity"] <= 0,
        "rows with a price that is not positive": raw["UnitPrice"] <= 0,
    }
    keep, notes = np.ones(len(raw), dtype=bool), {}
    for reason, hit in reasons.items():
        notes[f"{reason}, dropped"] = int((hit & keep).sum())
        keep &= ~hit.to_numpy()
    rows = raw[keep].assign(StockCode=code[keep], Description=raw["Description"][keep].str.strip())
    notes["rows without a customer, kept"] = int(rows["CustomerID"].isna().sum())
    frame = pd.DataFrame(
        {
            "user_id": rows["CustomerID"],
            "basket_id": rows["InvoiceNo"].astype(np.int64),
            "time": parse_times(rows["InvoiceDate"], f"{path.name}, column InvoiceDate").dt.round("min"),
            "item_id": rows["StockCode"],
            "quantity": rows["Quantity"],
            "price": rows["UnitPrice"],
        }
    )
    items = pd.DataFrame(
        {"name": _most_frequent(rows, "StockCode", "Description"), "price": frame.groupby("item_id")["price"].median()}
    )
    users = _most_frequent(rows, "CustomerID", "Country").rename("country")
    return Transactions.from_frame(
        frame,
        items=items.rename_axis("item_id").reset_index(),
        users=users.rename_axis("user_id").reset_index(),
        name=name,
        notes=notes,
    )


def published_plays(path: Path, name: str) -> Transactions:
    """The Last.fm split of the LightGCN release: `data1.txt` (user, artist, plays), with `test1.txt` beside it.

    Both parts in one table, without an order; `published_splits.split` keeps them apart. Plays become the quantity.
    """
    return Transactions.from_frame(pd.concat(PUBLISHED_PARTS["published_plays"](path), ignore_index=True), name=name)


def published_lines(path: Path, name: str) -> Transactions:
    """A split of the LightGCN release with one user a line (`user item item ...`), with `test.txt` beside it.

    Both parts in one table, without an order; `published_splits.split` keeps them apart.
    """
    return Transactions.from_frame(pd.concat(PUBLISHED_PARTS["published_lines"](path), ignore_index=True), name=name)


def online_retail_counts(path: Path) -> dict[str, int]:
    """Counts of the file as published, before cleaning: lines, invoices, stock codes, customers."""
    raw = _online_retail_raw(path)
    columns = {"invoices": "InvoiceNo", "stock codes": "StockCode", "customers": "CustomerID"}
    return {"lines": len(raw)} | {what: int(raw[column].nunique()) for what, column in columns.items()}


def _plays(path: Path) -> pd.DataFrame:
    return _numbers(path, "\t", ["user_id", "item_id", "quantity"])


def _user_lines(path: Path) -> pd.DataFrame:
    rows = [np.array(line.split(), dtype=np.int64) for line in _lines(path)]
    users = np.repeat([row[0] for row in rows], [len(row) - 1 for row in rows])
    return pd.DataFrame({"user_id": users, "item_id": np.concatenate([row[1:] for row in rows])})


# The readers of splits that a release fixed: (train, test), each with user_id and item_id.
PUBLISHED_PARTS: dict[str, Callable[[Path], tuple[pd.DataFrame, pd.DataFrame]]] = {
    "published_plays": lambda path: (_plays(path), _plays(path.with_name("test1.txt"))),
    "published_lines": lambda path: (_user_lines(path), _user_lines(path.with_name("test.txt"))),
}


def _published_counts(reader: str, path: Path) -> dict[str, int]:
    """Rows of both parts, which one table of both does not tell."""
    return {
        f"{part} rows": len(rows) for part, rows in zip(("train", "test"), PUBLISHED_PARTS[reader](path), strict=True)
    }


# The readers whose files hold more than their transactions tell: counts of the file as published.
PUBLISHED_COUNTS: dict[str, Callable[[Path], dict[str, int]]] = {
    "online_retail": online_retail_counts,
    **{reader: partial(_published_counts, reader) for reader in PUBLISHED_PARTS},
}


def _lines(path: Path) -> list[str]:
    return [line for line in path.read_text("utf-8-sig").splitlines() if line.strip()]


def _baskets(baskets: list[list[str]], name: str, dtype: type | None = None) -> Transactions:
    numbers = np.repeat(np.arange(len(baskets)), [len(basket) for basket in baskets])
    items = np.array(list(chain.from_iterable(baskets)), dtype="str").astype(dtype or object)
    return Transactions.from_frame(pd.DataFrame({"basket_id": numbers, "item_id": items}), name=name)


def _numbers(path: Path, separator: str, names: list[str]) -> pd.DataFrame:
    chosen = [number for number, name in enumerate(names) if name]
    frame = pd.read_csv(path, sep=separator, header=None, usecols=chosen, dtype=np.int64)
    return frame.set_axis([names[number] for number in chosen], axis=1)


def _user_item(path: Path) -> pd.DataFrame:
    frame = _numbers(path, " ", ["user_id", "item_id"])
    return frame.assign(position=np.arange(len(frame)))


def _occurring(items: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    """Only the items of the transactions: a model ranks what could have been chosen."""
    return items[items["item_id"].isin(frame["item_id"].unique())]


def _most_frequent(rows: pd.DataFrame, key: str, column: str) -> pd.Series:
    counts = rows.groupby([key, column]).size().reset_index(name="n")
    counts = counts.sort_values(["n", column], ascending=[False, True], kind="stable")  # ties by the alphabet
    return counts.drop_duplicates(key).set_index(key)[column]


def _online_retail_raw(path: Path) -> pd.DataFrame:
    """The table as published, under UCI's column names, ids as text, from any copy."""
    if path.suffix.lower() == ".xlsx":
        raw = _workbook(path)
    else:
        raw, _ = read_table(path)
    published = {
        **{"invoiceno": "InvoiceNo", "invoice": "InvoiceNo", "stockcode": "StockCode", "description": "Description"},
        **{"quantity": "Quantity", "invoicedate": "InvoiceDate", "unitprice": "UnitPrice", "price": "UnitPrice"},
        **{"customerid": "CustomerID", "country": "Country"},
    }
    raw = raw.rename(columns=lambda column: published.get(column.lower().replace(" ", "").replace("_", ""), column))
    lacking = set(published.values()) - set(raw)
    if lacking:
        raise DataError(f"{path.name} lacks the columns {', '.join(sorted(lacking))} of UCI's Online Retail.")
    ids = {column: raw[column].astype("str") for column in ("InvoiceNo", "StockCode")}
    numbers = {column: pd.to_numeric(raw[column]) for column in ("Quantity", "UnitPrice", "CustomerID")}
    return raw.assign(**ids, **numbers)


def _workbook(path: Path) -> pd.DataFrame:
    """The workbook, parsed once (it takes a minute) and kept as Parquet in the cache."""
    from llmarm_tutorial.data.catalogue import data_home  # which imports this module

    status = path.stat()
    kept = data_home() / "parsed" / f"{path.stem}-{status.st_size}-{status.st_mtime_ns}.parquet"
    if kept.is_file():
        return pd.read_parquet(kept)
    texts = {"InvoiceNo": "str", "Invoice": "str", "StockCode": "str", "Description": "str"}
    raw = pd.read_excel(path, dtype=texts)
    with contextlib.suppress(OSError):  # a cache that cannot be written costs the next reader a minute, no more
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=kept.parent, delete=False) as half:
            raw.to_parquet(half)
            half.flush()
            os.fsync(half.fileno())
        os.replace(half.name, kept)
    return raw

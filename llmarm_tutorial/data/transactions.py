"""`Transactions`: the one table type of the kit.

A data set is a tidy table with one row per bought (or watched, or rated) item and up to seven columns, of which only
`item_id` and one of `basket_id`, `user_id` are obligatory, plus a table of items and, where known, one of users. What a
data set does not have it does not have: asking for the baskets of MovieLens raises an error that names those which do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse

from llmarm_tutorial.data import catalogue, splits
from llmarm_tutorial.data.catalogue import ASPECTS
from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.data.table import canonical_ids, canonical_items, canonical_table, fingerprint_of, item_labels
from llmarm_tutorial.errors import DataError, Lacks, Missing

if TYPE_CHECKING:
    import datasets

COLUMNS = ("user_id", "basket_id", "time", "position", "item_id", "quantity", "price")


class Split(NamedTuple):
    """Three parts of one data set that share its item table, hence its item codes and matrix columns."""

    train: Transactions
    validation: Transactions
    test: Transactions


@dataclass(frozen=True, eq=False)
class Transactions:
    """Transactions in canonical order, with their items and, where known, users. Build one with `from_frame`.

    Attributes:
        table: One row per event, the present ones of `COLUMNS`. Sorted by user, time, position, basket, item, so that
            nothing computed from it depends on the row order of the source. A `position` orders what one user did
            where there is no time, and what has one time where the source's own order means something. What has one
            user, time and position has no order: without baskets in the source it is one basket, which gets a number;
            only if no two rows share a moment is there no `basket_id`. Several baskets of a moment are ordered by
            their ids. `notes` counts both. In a set with baskets an item occurs at most once per basket (quantities of
            repeated rows are added up), a basket has one user, one time and one position (its first), and `user_id`
            may be missing (sales without a customer card), which per-user views leave out. In a set without baskets no
            event (user, time, position, item) occurs twice. Times are UTC without a zone, to the microsecond.
        items: One row per item, sorted by `item_id`, with `name` and, where known, `name_zh`, `description`,
            `category`, `price`. The row number is the *item code*, the column of every matrix.
        users: One row per user (`user_id` and whatever is known), or None.
        name: Short name of the data set.
        notes: What reading the source dropped, merged or had to decide: description → number of rows (or baskets).
    """

    table: pd.DataFrame
    items: pd.DataFrame
    users: pd.DataFrame | None = None
    name: str = "unnamed"
    notes: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def from_frame(
        cls,
        frame: pd.DataFrame,
        *,
        items: pd.DataFrame | None = None,
        users: pd.DataFrame | None = None,
        name: str = "unnamed",
        notes: Mapping[str, int] | None = None,
    ) -> Transactions:
        """Check a table and put it into canonical form.

        Args:
            frame: Columns among `COLUMNS`; ids are integers or text, `time` is a datetime, `position` an integer rank.
            items: Item table with at least `item_id`; None takes the distinct items, named by their id.
            users: User table with at least `user_id`.
            name: Short name of the data set, used in messages and reports.
            notes: Counts of what the reader of the source dropped.

        Returns:
            The transactions.

        Raises:
            DataError: If the table is empty, lacks `item_id` or both of `basket_id` and `user_id`, holds empty ids or
                times, has times that are not datetimes, or has a basket of several users.
        """
        if "item_id" not in frame or not {"basket_id", "user_id"} & set(frame):
            raise DataError(f"{name}: a table needs the column item_id and at least one of basket_id and user_id.")
        if frame.empty:
            raise DataError(
                f"{name}: there are no transactions; check that the file is not empty and the filters not too strict."
            )
        table, found = canonical_table(frame[[c for c in COLUMNS if c in frame]], name)
        notes = {**(notes or {}), **found}
        if users is not None:
            users = users.assign(user_id=canonical_ids(users["user_id"], name))
            users = users.drop_duplicates("user_id").sort_values("user_id", ignore_index=True)
        items = canonical_items(table[["item_id"]] if items is None else items, name)
        unknown = ~table["item_id"].isin(items["item_id"])
        if unknown.any():
            first = table["item_id"][unknown].iloc[0]
            raise DataError(f"{name}: {unknown.sum()} rows name items the item table lacks, the first is {first!r}.")
        return cls(table, items, users, name, notes)

    @classmethod
    def from_baskets(cls, baskets: Iterable[Iterable[Any]], *, name: str = "unnamed") -> Transactions:
        """Transactions from an iterable of baskets, each an iterable of item ids; empty baskets are dropped.

        Example:
            >>> Transactions.from_baskets([["bread", "milk"], ["milk"]]).describe()["baskets"]
            2
        """
        pairs = [(number, item) for number, basket in enumerate(baskets) for item in basket]
        return cls.from_frame(pd.DataFrame(pairs, columns=["basket_id", "item_id"]), name=name)

    # --- what there is ---------------------------------------------------------------------------------------------

    @cached_property
    def aspects(self) -> frozenset[str]:
        """Which of `ASPECTS` the data set has."""
        present = {"basket_id": "baskets", "user_id": "users", "time": "clock"}
        found = {aspect for column, aspect in present.items() if column in self.table}
        if "users" in found and ("clock" in found or "position" in self.table):
            found.add("order")
        return frozenset(found)

    def require(self, *aspects: str, purpose: str = "this") -> None:
        """Raise `Lacks`, naming catalogue sets that serve, unless the data set has every aspect in `ASPECTS` named."""
        missing = [a for a in aspects if a not in self.aspects]
        if missing:
            serving = ", ".join(catalogue.names_with(*aspects)) or "none of the catalogue"
            what = " and ".join(ASPECTS[a] for a in missing)
            raise Lacks(
                f"The data set {self.name!r} lacks {what}, which {purpose} needs; data sets that serve: {serving}."
            )

    def __len__(self) -> int:
        return len(self.table)

    def __repr__(self) -> str:
        counts = ", ".join(f"{v:,} {k}" for k, v in self.describe().items() if isinstance(v, int))
        return f"<Transactions {self.name!r}: {counts}>"

    def describe(self) -> dict[str, Any]:
        """Counts and spans: rows, items (that occur), baskets, users, first and last time, mean basket size."""
        facts: dict[str, Any] = {"rows": len(self.table), "items": int(self.table["item_id"].nunique())}
        if "baskets" in self.aspects:
            facts["baskets"] = int(self.table["basket_id"].nunique())
            facts["mean basket size"] = facts["rows"] / facts["baskets"]
        if "users" in self.aspects:
            facts["users"] = int(self.table["user_id"].nunique())
        if "clock" in self.aspects:
            facts["first"], facts["last"] = self.table["time"].min(), self.table["time"].max()
        return facts

    def fingerprint(self, columns: Iterable[str] | None = None) -> str:
        """A content hash that depends neither on row order nor on the file format the rows came from.

        Args:
            columns: Columns to cover; None covers all present ones. The catalogue covers fewer where official copies
                of one set differ in the rest.

        Returns:
            16 hexadecimal digits: the head of a SHA-256 over the sorted 64-bit hashes of the rows, values as text.
        """
        chosen = [c for c in COLUMNS if c in self.table] if columns is None else sorted(columns, key=COLUMNS.index)
        return fingerprint_of(self.table[chosen])

    # --- codes -----------------------------------------------------------------------------------------------------

    @cached_property
    def item_codes(self) -> np.ndarray:
        """Item code of every row, shape (n_rows,), int32."""
        return pd.Index(self.items["item_id"]).get_indexer(self.table["item_id"]).astype(np.int32)

    @cached_property
    def _baskets(self) -> tuple[np.ndarray, np.ndarray]:
        """(basket ids in time order, else in id order; basket number of every row)."""
        self.require("baskets", purpose="a table of baskets")
        codes, ids = pd.factorize(self.table["basket_id"], sort=True)
        if "clock" in self.aspects:
            start = self.table.groupby(codes)["time"].min().to_numpy()
            order = np.argsort(start, kind="stable")
            rank = np.empty_like(order)
            rank[order] = np.arange(len(order))
            codes, ids = rank[codes], ids[order]
        return np.asarray(ids), codes

    @property
    def basket_ids(self) -> np.ndarray:
        """Basket ids in the row order of `basket_matrix`: by start time where there is a clock, else ascending."""
        return self._baskets[0]

    # --- views -----------------------------------------------------------------------------------------------------

    def basket_matrix(self) -> sparse.csr_matrix:
        """Baskets × items, shape (n_baskets, n_items), bool: True where the basket holds the item.

        Raises:
            Lacks: If the data set has no baskets.
        """
        ids, rows = self._baskets
        ones = np.ones(len(rows), dtype=bool)
        matrix = sparse.csr_matrix((ones, (rows, self.item_codes)), shape=(len(ids), len(self.items)))
        matrix.sort_indices()
        return matrix

    def labels(self, label: str = "item_id") -> list[Any]:
        """A label per item code, see `item_labels`."""
        return item_labels(self.items, label)

    def basket_lists(self, label: str = "item_id") -> list[list[Any]]:
        """Baskets as lists of the items' ids (or another of their `labels`, such as "name"), in item order."""
        matrix, labels = self.basket_matrix(), np.array(self.labels(label), dtype=object)
        return [part.tolist() for part in np.split(labels[matrix.indices], matrix.indptr[1:-1])]

    def one_hot(self, label: str = "item_id") -> pd.DataFrame:
        """Baskets × items as the sparse boolean DataFrame that mlxtend takes, columns labelled by id or name."""
        return pd.DataFrame.sparse.from_spmatrix(self.basket_matrix(), columns=list(map(str, self.labels(label))))

    def histories(self) -> Histories:
        """Every user's items in time order, users by ascending id.

        Raises:
            Lacks: If the data set has no users or no order.
        """
        self.require("users", "order", purpose="a sequence per user")
        known = self.table[self.table["user_id"].notna()]  # the head of the table: missing ids sort last
        starts = np.flatnonzero(~known["user_id"].duplicated())
        users = canonical_ids(known["user_id"].iloc[starts], self.name).to_numpy()
        offsets = np.append(starts, len(known)).astype(np.int64)
        number = np.arange(len(known))
        if "baskets" in self.aspects:
            number = np.cumsum(~known["basket_id"].duplicated().to_numpy()) - 1
        visits = number - np.repeat(number[offsets[:-1]], np.diff(offsets))
        return Histories(self.item_codes[: len(known)], offsets, visits.astype(np.int32), len(self.items), users)

    def to_dataset(self) -> datasets.Dataset:
        """A Hugging Face dataset: one row per user (`user_id`, `items` in time order) or, without users, per basket.

        Raises:
            Missing: If the package `datasets` is not installed.
        """
        try:
            import datasets
        except ImportError:
            raise Missing("datasets", "models", "A Hugging Face dataset") from None
        if {"users", "order"} <= self.aspects:
            runs = self.histories()
            rows = {"user_id": runs.user_ids, "items": np.split(runs.items, runs.offsets[1:-1])}
        else:
            matrix = self.basket_matrix()
            rows = {"basket_id": self.basket_ids, "items": np.split(matrix.indices, matrix.indptr[1:-1])}
        return datasets.Dataset.from_dict({key: list(values) for key, values in rows.items()})

    # --- parts -----------------------------------------------------------------------------------------------------

    def rows(self, keep: np.ndarray) -> Transactions:
        """The rows for which `keep`, shape (n_rows,), bool, is true, with the whole item table."""
        return replace(self, table=self.table[keep].reset_index(drop=True), notes={})

    def _parts(self, part: np.ndarray) -> Split:
        """Split by a part number per row: 0 train, 1 validation, 2 test; other rows belong to none."""
        for number, name in enumerate(Split._fields):
            if not (part == number).any():
                raise DataError(
                    f"{self.name}: this split leaves nothing for {name}; use more data or, where there are shares, "
                    "larger ones."
                )
        return Split(*(self.rows(part == number) for number in range(3)))

    def split_by_time(self, validation: float = 0.1, test: float = 0.1) -> Split:
        """Train on the past, validate and test on what came after.

        The two cuts are moments in time, placed so that about the given shares of baskets (without baskets: of events)
        come after them; whatever shares a moment, or a basket, stays on one side.

        Args:
            validation: Share of baskets between the cuts, in (0, 1).
            test: Share of baskets after the second cut, in (0, 1); both together below 1.

        Raises:
            Lacks: If the data set has no clock times.
            BadParameter: If the shares are out of range.
            DataError: If a part would be empty.
        """
        splits.check_shares(validation, test)
        self.require("clock", purpose="a split by time")
        time = self.table["time"].to_numpy()
        units = ~self.table["basket_id"].duplicated() if "baskets" in self.aspects else slice(None)
        return self._parts(splits.by_moment(time, time[units], validation, test))

    def split_by_basket(self, validation: float = 0.1, test: float = 0.1, seed: int = 0) -> Split:
        """Put whole baskets at random into train, validation and test.

        For counting on unordered baskets only: with users or time in the data this leaks the future into training.

        Args:
            validation: Share of baskets, in (0, 1).
            test: Share of baskets, in (0, 1); both together below 1.
            seed: Seed of the shuffle.

        Raises:
            Lacks: If the data set has no baskets.
            BadParameter: If the shares are out of range.
            DataError: If a part would be empty.
        """
        splits.check_shares(validation, test)
        ids, rows = self._baskets
        return self._parts(splits.by_lot(len(ids), validation, test, seed)[rows])

    def split_by_time_or_lot(self, validation: float = 0.1, test: float = 0.1, seed: int = 0) -> Split:
        """`split_by_time` where there is a clock that leaves no part empty, else `split_by_basket`; see both."""
        try:
            return self.split_by_time(validation, test)
        except (Lacks, DataError):
            return self.split_by_basket(validation, test, seed)

    def leave_one_out(self) -> Split:
        """Each user's last basket (without baskets, event) to test, the one before to validation, the rest to train.

        The protocol of SASRec and BERT4Rec (Kang & McAuley 2018; Sun et al. 2019). The items of a basket stay together:
        none of them is the last one, and the rest of a basket that is tested must not be trained on. Users with fewer
        than three units stay in train whole; rows without a user belong to no part.

        Raises:
            Lacks: If the data set has no users or no order.
            DataError: If no user has three units.
        """
        runs = self.histories()
        part = np.full(len(self.table), -1)  # rows without a user belong to no part
        part[: len(runs.items)] = splits.by_place(runs.visits, runs.offsets)
        return self._parts(part)

    def filter_items(self, min_count: int) -> Transactions:
        """Keep items that occur in at least `min_count` rows; the item table shrinks with them."""
        keep = np.bincount(self.item_codes, minlength=len(self.items)) >= max(min_count, 1)
        if not keep.any():
            raise DataError(f"{self.name}: no item occurs {min_count} times or more; choose a smaller number.")
        items = self.items[keep].reset_index(drop=True)
        return replace(self.rows(keep[self.item_codes]), items=items)

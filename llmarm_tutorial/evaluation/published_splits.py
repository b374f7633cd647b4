"""Splits that a paper's release fixed, as matrices: what each user has in training and what is asked in the test.

Graph recommenders are compared on such splits: `lastfm` and `gowalla` of the catalogue are those of the LightGCN
release (He et al. 2020). Users have a row, items a column, and nothing has an order: the test items of a user were
drawn at random from all of that user's. So these are tasks of "which others", not of "what next".

Gowalla is the file that this literature shares (Wang et al. 2019, NGCF). Last.fm is a small set of the release alone:
ids are not those of HetRec 2011, nor is the popularity of artists (the release's authors could not say why), so figures
on "Last.fm" elsewhere are of other data.

The figures of that literature are those of `ranking.evaluate`: Recall@20 is the share of a user's test items among the
first 20, NDCG@20 is relative to the best list of 20, both are means over the users with test items, and what a user has
in training is no candidate.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy import sparse

from llmarm_tutorial.data import catalogue, loading, readers
from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.errors import BadParameter, DataError, UnknownName
from llmarm_tutorial.evaluation.tasks import Task


@dataclass(frozen=True, eq=False)
class PublishedSplit:
    """A fixed split of users' items.

    Attributes:
        name: Name of the data set.
        train: What users have, shape (n_users, n_items), float32 ones.
        test: What is asked, same shape; no cell is in both.
        user_ids: The user of each row, ascending.
        item_ids: The item of each column: the item table's order, so that columns are item codes.
    """

    name: str
    train: sparse.csr_matrix
    test: sparse.csr_matrix
    user_ids: np.ndarray
    item_ids: np.ndarray

    @property
    def n_items(self) -> int:
        """Number of items, those without training included."""
        return self.train.shape[1]

    @property
    def histories(self) -> Histories:
        """What every user has in training, in the order of item codes: to fit recommenders on."""
        return user_histories(self.train, np.arange(self.train.shape[0]))

    def task(self, max_cases: int | None = None, seed: int = 0) -> Task:
        """One case per user with test items, those without training included, as the release counts them.

        Args:
            max_cases: A random sample of so many cases, in the order of users; None for all.
            seed: Seed of that sample.

        Raises:
            BadParameter: If `max_cases` is below 1.
        """
        rows = np.flatnonzero(np.diff(self.test.indptr))
        counts = np.bincount(self.train.indices, minlength=self.n_items)
        targets = self.test[rows].astype(bool)
        whole = Task(user_histories(self.train, rows), targets, self.user_ids[rows], self.n_items, counts)
        return whole.sample(max_cases, seed)

    def held_out(self, share: float = 0.1, seed: int = 0) -> PublishedSplit:
        """The training part split again, to choose on: some of its items become the test; the test proper is gone.

        Args:
            share: Share of each user's training items that is held out, rounded to the nearest number and at most all
                but one, in (0, 1).
            seed: Seed of the draw.

        Raises:
            BadParameter: If the share is out of range.
            DataError: If nothing would be held out.
        """
        if not 0 < share < 1:
            raise BadParameter(f"The share to hold out lies between 0 and 1, not {share}.")
        lengths = np.diff(self.train.indptr)
        rows = np.repeat(np.arange(len(lengths)), lengths)
        order = np.lexsort([np.random.default_rng(seed).random(len(rows)), rows])
        place = np.arange(len(rows)) - self.train.indptr[rows]
        out = np.zeros(len(rows), dtype=bool)
        out[order] = place < np.minimum((share * lengths + 0.5).astype(int), lengths - 1)[rows]
        if not out.any():
            raise DataError(f"{self.name}: a share of {share} of so few items per user is none; hold out more.")
        columns, shape = self.train.indices, self.train.shape
        parts = (cells(rows[keep], columns[keep], shape) for keep in (~out, out))
        return PublishedSplit(f"{self.name}, held out", *parts, self.user_ids, self.item_ids)


def split(name: str) -> PublishedSplit:
    """The published split of a data set of the catalogue; `loading.load(name)` has both parts in one table.

    Raises:
        UnknownName: If the catalogue has no such split.
        DataError: If it is not on this machine or not in its format.
    """
    fixed = [entry.name for entry in catalogue.entries() if entry.reader in readers.PUBLISHED_PARTS]
    if name not in fixed:
        raise UnknownName("published split", name, fixed)
    entry = catalogue.entry(name)
    data = loading.load(name)
    path = catalogue.locate(entry)
    users = np.unique(data.table["user_id"].to_numpy())
    return PublishedSplit(name, *_parts(entry, path, data, users), users, data.items["item_id"].to_numpy())


def cells(rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int]) -> sparse.csr_matrix:
    """A matrix of ones, float32, in the cells given; a cell given twice is one too."""
    matrix = sparse.csr_matrix((np.ones(len(rows), dtype=np.float32), (rows, columns)), shape=shape)
    matrix.data[:] = 1
    matrix.sort_indices()
    return matrix


def _parts(entry: catalogue.Entry, path: Path, data: Transactions, users: np.ndarray) -> list[sparse.csr_matrix]:
    parts = []
    for frame in readers.PUBLISHED_PARTS[entry.reader](path):
        rows = np.searchsorted(users, frame["user_id"])
        columns = np.searchsorted(data.items["item_id"], frame["item_id"])
        parts.append(cells(rows, columns, (len(users), len(data.items))))
    return parts


def user_histories(held: sparse.csr_matrix, users: np.ndarray) -> Histories:
    """The items of some rows of a matrix as histories that know their users; every item is a visit of its own."""
    rows = held[users]
    rows.sort_indices()
    number = np.arange(rows.nnz) - np.repeat(rows.indptr[:-1], np.diff(rows.indptr))
    return replace(Histories.from_matrix(rows, np.asarray(users)), visits=number.astype(np.int32))

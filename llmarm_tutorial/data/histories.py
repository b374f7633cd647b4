"""What users did, one after the other: items end to end, and where each user begins.

One type serves all: what counting and models are fitted on, what a recommender is asked about, what a label is put on.
Only NumPy is needed; the matrices ask for SciPy when they are made.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from llmarm_tutorial.errors import BadParameter

if TYPE_CHECKING:  # what serves an exported model has no SciPy
    from scipy import sparse


@dataclass(frozen=True, eq=False)
class Histories:
    """The items of many cases (users, baskets, what is known before a target), end to end, each in time order.

    Attributes:
        items: Item codes (rows of the item table) of all events, shape (n_events,), int32.
        offsets: Where each case begins, shape (n_cases + 1,), int64, from 0; the last one is n_events.
        visits: Number of the event's basket within its case, not falling; without baskets the number of the event.
        n_items: Size of the catalogue; all codes lie below it.
        user_ids: Id of each case's user, shape (n_cases,), where it is known.
        users: Row of each case's user in the matrix that a system was fitted on, shape (n_cases,), where there is one:
            a system that has learnt something of this user may use it.

    Raises:
        BadParameter: If a code is below 0 or not below `n_items`.
    """

    items: np.ndarray
    offsets: np.ndarray
    visits: np.ndarray
    n_items: int
    user_ids: np.ndarray | None = None
    users: np.ndarray | None = None

    def __post_init__(self) -> None:
        if len(self.items) and not 0 <= self.items.min() <= self.items.max() < self.n_items:
            raise BadParameter(
                f"Item codes lie from 0 to below n_items ({self.n_items}), not from {self.items.min()} to "
                f"{self.items.max()}: give the size of the whole catalogue."
            )

    @classmethod
    def from_lists(cls, histories: Sequence[Sequence[int]], n_items: int | None = None) -> Histories:
        """Histories from lists of item codes, one event per visit.

        Args:
            histories: One list of item codes per case, in time order.
            n_items: Size of the catalogue; None takes the largest code plus 1, which is enough to ask a recommender.

        Example:
            >>> Histories.from_lists([[4, 2], [7]]).last(2).tolist()
            [[4, 2], [-1, 7]]
        """
        lengths = [len(history) for history in histories]
        items = np.array([code for history in histories for code in history], dtype=np.int32)
        visits = np.array([number for length in lengths for number in range(length)], dtype=np.int32)
        offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
        return cls(items, offsets, visits, int(items.max(initial=-1)) + 1 if n_items is None else n_items)

    @classmethod
    def from_matrix(cls, matrix: sparse.csr_matrix, users: np.ndarray | None = None) -> Histories:
        """A case per row of a matrix of cases × items: its stored entries, in the matrix's order, in one visit.

        Args:
            matrix: Shape (n_cases, n_items).
            users: Row of each case's user in a fitted matrix, see the attribute.
        """
        items, offsets = matrix.indices.astype(np.int32), matrix.indptr.astype(np.int64)
        return cls(items, offsets, np.zeros(len(items), dtype=np.int32), matrix.shape[1], users=users)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> np.ndarray:
        """Number of events per case, shape (n_cases,)."""
        return np.diff(self.offsets)

    @property
    def rows(self) -> np.ndarray:
        """The case of every event, shape (n_events,)."""
        return np.repeat(np.arange(len(self)), self.lengths)

    @property
    def starts_visit(self) -> np.ndarray:
        """Whether an event is the first of its visit, shape (n_events,), bool."""
        first = np.ones(len(self.items), dtype=bool)
        first[1:] = self.visits[1:] != self.visits[:-1]
        first[self.offsets[:-1][self.lengths > 0]] = True
        return first

    @property
    def item_counts(self) -> np.ndarray:
        """Number of events of each item, shape (n_items,)."""
        return np.bincount(self.items, minlength=self.n_items)

    @cached_property
    def fingerprint(self) -> str:
        """A hash of the items, visits and bounds of all cases and of `n_items`; whose they are is not part of it."""
        digest = hashlib.sha256(str(self.n_items).encode())
        for part in (self.items, self.offsets, self.visits):
            digest.update(np.ascontiguousarray(part, dtype="<i8").tobytes())
        return digest.hexdigest()

    def of(self, row: int) -> np.ndarray:
        """Item codes of one case, in time order."""
        return self.items[self.offsets[row] : self.offsets[row + 1]]

    def block(self, start: int, stop: int) -> Histories:
        """The cases from `start` to before `stop`, without a copy of their events."""
        offsets = self.offsets[start : stop + 1]
        events = slice(offsets[0], offsets[-1])
        return self._with(events, offsets - offsets[0], slice(start, stop))

    def take(self, rows: np.ndarray) -> Histories:
        """The cases in the given rows, in that order.

        Raises:
            BadParameter: If there is no such row.
        """
        rows = np.asarray(rows)
        if len(rows) and not 0 <= rows.min() <= rows.max() < len(self):
            raise BadParameter(
                f"Rows of {len(self)} histories lie from 0 to below {len(self)}, not from {rows.min()} to {rows.max()}."
            )
        lengths = self.lengths[rows]
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        events = np.arange(offsets[-1]) + np.repeat(self.offsets[rows] - offsets[:-1], lengths)
        return self._with(events, offsets, rows)

    def keep(self, events: np.ndarray) -> Histories:
        """The same cases with some of their events only: those where `events`, shape (n_events,), bool, is true."""
        offsets = np.append(0, np.cumsum(np.bincount(self.rows[events], minlength=len(self))))
        return self._with(events, offsets, slice(None))

    def _with(self, events: np.ndarray | slice, offsets: np.ndarray, cases: np.ndarray | slice) -> Histories:
        """A part of the events under new offsets; what is said of the cases goes along."""
        of_cases = {"user_ids": self.user_ids, "users": self.users}
        parts = {name: None if values is None else values[cases] for name, values in of_cases.items()}
        return replace(self, items=self.items[events], offsets=offsets, visits=self.visits[events], **parts)

    def last(self, n: int) -> np.ndarray:
        """The last n items of every case, shape (n_cases, n), int32, filled with -1 on the left; n is at least 0."""
        _require_count(n)
        place = self.offsets[1:, None] - np.arange(n, 0, -1)
        known = place >= self.offsets[:-1, None]
        if not len(self.items):
            return np.full(place.shape, -1, dtype=np.int32)
        return np.where(known, self.items[np.where(known, place, 0)], -1).astype(np.int32)

    def latest(self, n: int) -> Histories:
        """The last n events of every case; n is at least 0."""
        _require_count(n)
        return self.keep(np.arange(len(self.items)) >= (self.offsets[1:] - n)[self.rows])

    def matrix(self, n_items: int | None = None) -> sparse.csr_matrix:
        """How often each item occurs in each case, shape (n_cases, n_items), float32.

        Args:
            n_items: Number of columns where a system knows more items than these histories; None takes theirs.
        """
        from scipy import sparse

        ones = np.ones(len(self.items), dtype=np.float32)
        shape = (len(self), self.n_items if n_items is None else n_items)
        counts = sparse.csr_matrix((ones, self.items.copy(), self.offsets.copy()), shape=shape)
        counts.sum_duplicates()
        return counts

    def held(self, n_items: int | None = None) -> sparse.csr_matrix:
        """Which items each case has, shape (n_cases, n_items), float32: 1, however often it occurs; see `matrix`."""
        held = self.matrix(n_items)
        held.data[:] = 1
        return held

    def visit_matrix(self) -> tuple[sparse.csr_matrix, np.ndarray]:
        """Which items each visit holds, case by case in time order, and whose visit it is.

        Returns:
            Shape (n_visits, n_items), bool; and the case of every visit, shape (n_visits,).
        """
        first = self.starts_visit
        starts = np.append(np.flatnonzero(first), len(self.items)).astype(np.int64)
        by_visit = Histories(self.items, starts, self.visits, self.n_items)
        return by_visit.matrix().astype(bool), self.rows[first]


def _require_count(n: int) -> None:
    if n < 0:
        raise BadParameter(f"The number of last events is at least 0, not {n}.")

"""What users did, one after the other: items end to end, and where each user begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import numpy as np
from scipy import sparse


class Sequences(NamedTuple):
    """Item sequences of all users, end to end.

    Attributes:
        user_ids: The users, shape (n_users,), in ascending order.
        items: Item codes (rows of the item table) of all events, user by user in time order, shape (n_events,), int32.
        offsets: Where each user's events begin, shape (n_users + 1,), int64; the last one is n_events.
        visits: Number of the event's basket within its user, from 0; without baskets the number of the event itself.
    """

    user_ids: np.ndarray
    items: np.ndarray
    offsets: np.ndarray
    visits: np.ndarray

    def of(self, row: int) -> np.ndarray:
        """Item codes of the user in the given row, in time order."""
        return self.items[self.offsets[row] : self.offsets[row + 1]]


@dataclass(frozen=True, eq=False)
class Histories:
    """What is known of each case before its target, end to end, in time order.

    Attributes:
        items: Item codes of all events, shape (n_events,), int32.
        offsets: Where each case begins, shape (n_cases + 1,), int64, from 0; the last one is n_events.
        visits: Number of the event's basket within its user, from 0; without baskets the number of the event itself.
    """

    items: np.ndarray
    offsets: np.ndarray
    visits: np.ndarray

    @classmethod
    def from_lists(cls, histories: Sequence[Sequence[int]]) -> Histories:
        """Histories from lists of item codes, one event per visit.

        Example:
            >>> Histories.from_lists([[4, 2], [7]]).last(2).tolist()
            [[4, 2], [-1, 7]]
        """
        lengths = [len(history) for history in histories]
        items = np.array([code for history in histories for code in history], dtype=np.int32)
        visits = np.array([number for length in lengths for number in range(length)], dtype=np.int32)
        return cls(items, np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]), visits)

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

    def of(self, row: int) -> np.ndarray:
        """Item codes of one case, in time order."""
        return self.items[self.offsets[row] : self.offsets[row + 1]]

    def block(self, start: int, stop: int) -> Histories:
        """The cases from `start` to before `stop`, without a copy of their events."""
        offsets = self.offsets[start : stop + 1]
        events = slice(offsets[0], offsets[-1])
        return Histories(self.items[events], offsets - offsets[0], self.visits[events])

    def take(self, rows: np.ndarray) -> Histories:
        """The cases in the given rows, in that order."""
        lengths = self.lengths[rows]
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        events = np.arange(offsets[-1]) + np.repeat(self.offsets[rows] - offsets[:-1], lengths)
        return Histories(self.items[events], offsets, self.visits[events])

    def last(self, n: int) -> np.ndarray:
        """The last n items of every case, shape (n_cases, n), int32, filled with -1 on the left."""
        place = self.offsets[1:, None] - np.arange(n, 0, -1)
        known = place >= self.offsets[:-1, None]
        if not len(self.items):
            return np.full(place.shape, -1, dtype=np.int32)
        return np.where(known, self.items[np.where(known, place, 0)], -1).astype(np.int32)

    def matrix(self, n_items: int) -> sparse.csr_matrix:
        """How often each item occurs in each case, shape (n_cases, n_items), float32."""
        ones = np.ones(len(self.items), dtype=np.float32)
        counts = sparse.csr_matrix((ones, self.items.copy(), self.offsets.copy()), shape=(len(self), n_items))
        counts.sum_duplicates()
        return counts


@dataclass(frozen=True, eq=False)
class UserHistories(Histories):
    """Histories of users who have a row in a matrix: a system may know more of them than their items.

    Attributes:
        users: Row of each case's user, shape (n_cases,).
    """

    users: np.ndarray

    def block(self, start: int, stop: int) -> Self:
        """The cases from `start` to before `stop`."""
        return self._with(super().block(start, stop), self.users[start:stop])

    def take(self, rows: np.ndarray) -> Self:
        """The cases in the given rows, in that order."""
        return self._with(super().take(rows), self.users[rows])

    def _with(self, known: Histories, users: np.ndarray) -> Self:
        return replace(self, items=known.items, offsets=known.offsets, visits=known.visits, users=users)


def user_histories(held: sparse.csr_matrix, users: np.ndarray) -> UserHistories:
    """The items of some rows of a matrix as histories that know their users; every item is a visit of its own."""
    rows = held[users]
    rows.sort_indices()
    number = np.arange(rows.nnz) - np.repeat(rows.indptr[:-1], np.diff(rows.indptr))
    offsets = rows.indptr.astype(np.int64)
    return UserHistories(rows.indices.astype(np.int32), offsets, number.astype(np.int32), np.asarray(users))

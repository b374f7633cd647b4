"""What a fitted counting method is: weights from the items of a history to all items, or one score per item for all.

A history speaks through a `Profile`: which of its items, and how loud. Times a matrix of item-to-item weights it makes
scores. Positions count back from the end of the history, in visits: baskets, or events where there are none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import sparse

from llmarm_tutorial.data.histories import Histories


class Profile(NamedTuple):
    """Which part of a history speaks, and how loud.

    Attributes:
        last: The last so many visits (baskets, else events); None for all.
        power: A visit at position p from the end (the last is 1) has weight 1 / p^power.
        once: Whether an item that occurs several times counts at its latest position only, else its weights add up.
    """

    last: int | None
    power: float
    once: bool

    def matrix(self, histories: Histories, n_items: int) -> sparse.csr_matrix:
        """Weights of items, shape (n_cases, n_items), float32."""
        rows, items, position = recent_events(histories, self.last)
        if self.once:  # events are in time order: the last one of an item wins
            cells = rows * n_items + items
            _, latest = np.unique(cells[::-1], return_index=True)
            keep = len(cells) - 1 - latest
            rows, items, position = rows[keep], items[keep], position[keep]
        weights = (1 / position.astype(float) ** self.power).astype(np.float32)
        return sparse.csr_matrix((weights, (rows, items)), shape=(len(histories.offsets) - 1, n_items))


@dataclass(frozen=True, eq=False)
class ItemWeights:
    """A fitted baseline: the profile of a history times item-to-item weights, plus a constant per item.

    Attributes:
        name: Name of the baseline.
        n_items: Number of items.
        profile: What of a history counts.
        weights: From items of the history (rows) to recommended items (columns), shape (n_items, n_items).
        constant: Added to every case, shape (n_items,).
    """

    name: str
    n_items: int
    profile: Profile
    weights: np.ndarray | sparse.csr_matrix
    constant: np.ndarray | None = None

    def scores(self, histories: Histories) -> np.ndarray:
        """Scores of all items for each case, shape (n_cases, n_items), float32."""
        scores = self.profile.matrix(histories, self.n_items) @ self.weights
        scores = scores.toarray() if sparse.issparse(scores) else np.asarray(scores)
        return scores if self.constant is None else scores + self.constant


@dataclass(frozen=True, eq=False)
class ItemScores:
    """A fitted baseline that tells everybody the same.

    Attributes:
        name: Name of the baseline.
        n_items: Number of items.
        values: Score of each item, shape (n_items,), float32.
    """

    name: str
    n_items: int
    values: np.ndarray

    def scores(self, histories: Histories) -> np.ndarray:
        """The same scores for each case, shape (n_cases, n_items), a view."""
        return np.broadcast_to(self.values, (len(histories), self.n_items))


def recent_events(histories: Histories, last: int | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(user row, item, position of the visit from the end, from 1) of the events of the last visits."""
    rows = histories.rows
    ends = histories.visits[np.maximum(histories.offsets[1:] - 1, 0)] if len(rows) else np.zeros(len(histories), int)
    position = ends[rows] - histories.visits + 1
    keep = slice(None) if last is None else position <= last
    return rows[keep], histories.items[keep], position[keep]

"""Recommend what is near: a customer is the mean of the vectors of what was bought, the nearest items are shown.

The textbook way from item vectors to recommendations. `norm="twice"` is a slip met in print: a cosine, which is a
product divided by both lengths, is divided by them once more. The customer's length is the same for all items, the
item's is not: among items of one direction short vectors now win, whether or not shortness means anything. Which items
have short vectors depends on how the vectors were learned.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.errors import BadParameter
from llmarm_tutorial.mining.antecedents import row_blocks
from llmarm_tutorial.recommend.item_weights import Profile

NORMS = {"dot": 0, "cosine": 1, "twice": 2}  # how often the lengths are divided by


@dataclass(frozen=True, eq=False)
class Similarity:
    """Items by their similarity to the weighted mean of a history's item vectors.

    Attributes:
        vectors: A vector per item, shape (n_items, d), finite.
        norm: "cosine"; "dot", the product without division; or "twice", see above.
        last: The last so many visits (baskets, else events) of a history; None for all.
        position_power: A visit at position p from the end weighs 1 / p^position_power.
        name: What tables call it.
    """

    vectors: np.ndarray
    norm: str = "cosine"
    last: int | None = None
    position_power: float = 0.0
    name: str = "similarity"
    _read: np.ndarray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.norm not in NORMS:
            raise BadParameter(f"The norm of a similarity is 'cosine', 'dot' or 'twice', not {self.norm!r}.")
        if self.vectors.ndim != 2 or not np.isfinite(self.vectors).all():
            raise BadParameter("A similarity needs one vector of finite numbers per item, shape (n_items, d).")
        if (self.last is not None and self.last < 1) or not self.position_power >= 0:
            raise BadParameter(
                f"A similarity needs last from 1 (or None) and position_power from 0, not {self.last} and "
                f"{self.position_power}."
            )
        object.__setattr__(self, "_read", _divided(self.vectors, NORMS[self.norm]))

    @property
    def n_items(self) -> int:
        """Number of items."""
        return len(self.vectors)

    def users(self, histories: Histories) -> np.ndarray:
        """Vector of each case, shape (n_cases, d): the weighted mean of its items, zeros for an empty history."""
        weights = Profile(self.last, self.position_power, once=False).matrix(histories, self.n_items)
        total = np.asarray(weights.sum(axis=1))
        return (weights @ self.vectors) / np.where(total > 0, total, 1)

    def scores(self, histories: Histories) -> np.ndarray:
        """Scores of all items, shape (n_cases, n_items), float32; a zero vector is similar to nothing and gets 0."""
        return (_divided(self.users(histories), NORMS[self.norm]) @ self._read.T).astype(np.float32)


def nearest_items(vectors: np.ndarray, k: int) -> np.ndarray:
    """The items most similar to each item, by cosine, made a block of items at a time.

    Args:
        vectors: A vector per item, shape (n_items, d); one of zeros is similar to nothing.
        k: How many, from 1; at most all others.

    Returns:
        Item codes, nearest first, of equals those of lower code, never the item itself, shape (n_items, k).
    """
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = vectors / np.where(length > 0, length, 1)
    found = np.empty((len(unit), min(k, len(unit) - 1)), dtype=np.int64)
    for part in row_blocks(len(unit), len(unit)):
        cosines = unit[part] @ unit.T
        own = np.arange(part.start, part.start + len(cosines))
        cosines[own - part.start, own] = -np.inf
        found[part] = np.argsort(-cosines, axis=1, kind="stable")[:, : found.shape[1]]
    return found


def share_alike(near: np.ndarray, kinds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How many of the neighbours of each item are of its own kind, and how many would be by chance.

    Args:
        near: Item codes of the neighbours, shape (n_items, k), as `nearest_items` gives them.
        kinds: Kind of each item, shape (n_items,); None or NaN where an item has none.

    Returns:
        (share of the neighbours that are of the item's kind; share of all other items that are), shape (n_items,) each,
        in [0, 1], NaN for items without a kind. The item itself is in neither.
    """
    codes, _ = pd.factorize(kinds)
    known = codes >= 0
    found = np.where(known, (codes[near] == codes[:, None]).mean(axis=1), np.nan)
    of_kind = np.bincount(codes[known], minlength=codes.max(initial=0) + 1)[codes]
    return found, np.where(known, (of_kind - 1) / (len(codes) - 1), np.nan)


def _divided(rows: np.ndarray, times: int) -> np.ndarray:
    """Rows divided by their length so many times; zero rows stay zero."""
    rows = np.asarray(rows, dtype=float)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(length > 0, length, 1) ** times

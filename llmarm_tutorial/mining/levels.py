"""What itemsets and sequential patterns have in common: an array of item codes per length, and exact look-ups in it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

import numpy as np
import pandas as pd

from llmarm_tutorial.data.table import item_labels


def in_canonical_order(
    found: Iterable[tuple[np.ndarray, np.ndarray]],
) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
    """Rows of every length in lexicographic order, without empty lengths at the end.

    Args:
        found: Per length, item codes of shape (n_k, k) and counts of shape (n_k,).

    Returns:
        (codes per length, int32; counts per length, int64).
    """
    levels, counts = [], []
    for codes, count in found:
        order = np.lexsort(codes.T[::-1])
        levels.append(codes[order].astype(np.int32))
        counts.append(np.asarray(count, dtype=np.int64)[order])
    while levels and not len(levels[-1]):
        levels.pop(), counts.pop()
    return tuple(levels), tuple(counts)


class Levels:
    """Rows of item codes with their counts, by length; `Itemsets` and `Patterns` say what a row means.

    Attributes:
        levels: For each length k = 1, 2, … an array of shape (n_k, k), int32: item codes, rows in lexicographic order.
        counts: For each length the counts, shape (n_k,), int64.
        items: Item table; item codes are its row numbers.
    """

    levels: tuple[np.ndarray, ...]
    counts: tuple[np.ndarray, ...]
    items: pd.DataFrame

    def __len__(self) -> int:
        return sum(map(len, self.levels))

    def by_length(self) -> list[int]:
        """How many there are of length 1, 2, 3, …"""
        return [len(level) for level in self.levels]

    def _table(self, column: str, row_type: type, total: int, label: str) -> pd.DataFrame:
        """A row each: the labels of its items as `row_type`, `support` (share of the total), `count`, `length`."""
        names = np.array(item_labels(self.items, label), dtype=object)
        rows = [row_type(row) for level in self.levels for row in names[level].tolist()]
        count = np.concatenate([*self.counts, np.empty(0, np.int64)])
        lengths = np.repeat(np.arange(1, len(self.levels) + 1), self.by_length())
        table = {column: pd.Series(rows, dtype=object), "support": count / total, "count": count, "length": lengths}
        return pd.DataFrame(table)

    @staticmethod
    def _key(codes: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """A 64-bit number per row of codes, from odd random ones: one per item, and one more."""
        raise NotImplementedError

    @cached_property
    def _keys(self) -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]:
        """(the random numbers, per level the sorted keys, per level the order that sorts them).

        Drawn again until no two rows of a level share a key: then looking up a row that is present is exact.
        """
        for seed in range(100):
            draws = np.random.default_rng(seed).integers(0, 2**64, len(self.items) + 1, dtype=np.uint64)
            numbers = draws | np.uint64(1)
            keys = [self._key(level, numbers) for level in self.levels]
            orders = [np.argsort(key) for key in keys]
            ordered = [key[order] for key, order in zip(keys, orders, strict=True)]
            if all((key[1:] != key[:-1]).all() for key in ordered):
                return numbers, ordered, orders
        raise AssertionError("no collision-free keys in 100 draws: not possible by chance")

    def rows_of(self, codes: np.ndarray) -> np.ndarray:
        """Row numbers, within their level, of rows that are known to be present.

        Args:
            codes: Item codes, shape (n, k), each row one of this collection.
        """
        return self._find(codes.shape[1] - 1, self._key(codes, self._keys[0]))

    def _find(self, level: int, wanted: np.ndarray) -> np.ndarray:
        """Rows of a level (index) with the wanted keys, all of which are there."""
        _, keys, orders = self._keys
        return orders[level][np.searchsorted(keys[level], wanted)]

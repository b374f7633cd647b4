"""Frequent itemsets as arrays: the table that every miner of the kit returns.

Itemsets of one length form an integer matrix with one row per itemset. Arrays instead of Python sets make rule
generation, closed and maximal itemsets and look-ups vectorised, and half a million itemsets fit into a few megabytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.errors import BadParameter
from llmarm_tutorial.mining.levels import Levels, in_canonical_order
from llmarm_tutorial.mining.thresholds import smallest_counts

Baskets = Transactions | sparse.spmatrix


def as_matrix(baskets: Baskets) -> tuple[sparse.csr_matrix, pd.DataFrame]:
    """Baskets × items as a boolean CSR matrix with sorted indices, and the item table that labels its columns.

    A bare matrix gets an item table whose ids are its column numbers.

    Raises:
        BadParameter: If there are no baskets.
        Lacks: If the transactions have users only, no baskets.
    """
    if isinstance(baskets, Transactions):
        matrix, items = baskets.basket_matrix(), baskets.items
    else:
        matrix = sparse.csr_matrix(baskets, dtype=bool, copy=True)  # what follows works in place
        matrix.sum_duplicates()
        matrix.eliminate_zeros()
        ids = np.arange(matrix.shape[1])
        items = pd.DataFrame({"item_id": ids, "name": ids.astype(str)})
    if matrix.shape[0] == 0:
        raise BadParameter("There are no baskets to count in; check the data set and its filters.")
    return matrix, items


def min_count(min_support: float | int, n_baskets: int) -> int:
    """The smallest number of baskets that reaches a minimum support, by the rule of `thresholds`.

    Args:
        min_support: A float is a share of the baskets in (0, 1]; an int is a number of baskets, at least 1.
        n_baskets: Number of baskets.

    Raises:
        BadParameter: If the support is out of range.
    """
    if isinstance(min_support, (int, np.integer)) and not isinstance(min_support, bool):
        if min_support < 1:
            raise BadParameter(f"min_support as a number of baskets must be at least 1, not {min_support}.")
        return int(min_support)
    return int(smallest_counts(min_support, n_baskets, "min_support"))


@dataclass(frozen=True, eq=False)
class Itemsets(Levels):
    """Frequent itemsets with their counts.

    Attributes:
        levels: For each length k = 1, 2, … an array of shape (n_k, k), int32: item codes, ascending in each row, rows
            in lexicographic order.
        counts: For each length the number of baskets that hold the itemset, shape (n_k,), int64.
        n_baskets: Number of baskets counted.
        items: Item table; item codes are its row numbers.
        has_subsets: Whether every subset of an itemset is present too, which rule generation relies on.
        has_supersets: Whether every frequent superset is present too, which closed and maximal itemsets rely on.
    """

    levels: tuple[np.ndarray, ...]
    counts: tuple[np.ndarray, ...]
    n_baskets: int
    items: pd.DataFrame
    has_subsets: bool = True
    has_supersets: bool = True

    @classmethod
    def build(
        cls, levels: list[np.ndarray], counts: list[np.ndarray], n_baskets: int, items: pd.DataFrame, **flags: bool
    ) -> Itemsets:
        """Bring itemsets in any order into the canonical one and drop empty lengths at the end."""
        rows = [np.sort(codes, axis=1) for codes in levels]
        return cls(*in_canonical_order(zip(rows, counts, strict=True)), n_baskets, items, **flags)

    def __repr__(self) -> str:
        return f"<{len(self):,} itemsets in {self.n_baskets:,} baskets, by length {self.by_length()}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Itemsets) or len(self.levels) != len(other.levels):
            return False
        pairs = zip((*self.levels, *self.counts), (*other.levels, *other.counts), strict=True)
        return self.n_baskets == other.n_baskets and all(np.array_equal(a, b) for a, b in pairs)

    __hash__ = None

    def table(self, label: str = "item_id") -> pd.DataFrame:
        """The table of the literature: `itemset` (frozenset), `support` (share), `count` (baskets), `length`.

        Args:
            label: Column of the item table that names the items: "item_id", "name", "name_zh".
        """
        return self._table("itemset", frozenset, self.n_baskets, label)

    @staticmethod
    def _key(codes: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """The sum of the items' numbers: in any order the same, and the key of a subset is one subtraction away."""
        return numbers[codes].sum(axis=1, dtype=np.uint64)

    def _subset_rows(self, level: int) -> Iterator[np.ndarray]:
        """For the itemsets of a level (index ≥ 1): rows, one level down, of the subsets less the 1st, 2nd, … item."""
        numbers = self._keys[0]
        full = self._key(self.levels[level], numbers)
        for column in range(level + 1):
            yield self._find(level - 1, full - numbers[self.levels[level][:, column]])

    def _without(self, covers: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Itemsets:
        """Drop every itemset that one with one item more covers: `covers(smaller's counts, larger's counts)`."""
        if not (self.has_subsets and self.has_supersets):
            raise BadParameter(
                "Closed and maximal itemsets need all itemsets: mine without max_length and without constraints."
            )
        keep = [np.ones(len(level), dtype=bool) for level in self.levels]
        for level in range(1, len(self.levels)):
            for rows in self._subset_rows(level):
                keep[level - 1][rows[covers(self.counts[level - 1][rows], self.counts[level])]] = False
        levels = [codes[k] for codes, k in zip(self.levels, keep, strict=True)]
        counts = [count[k] for count, k in zip(self.counts, keep, strict=True)]
        return Itemsets(tuple(levels), tuple(counts), self.n_baskets, self.items, has_subsets=False)

    def closed(self) -> Itemsets:
        """Itemsets without a superset of the same count (Pasquier et al. 1999): they determine all counts."""
        return self._without(lambda smaller, larger: smaller == larger)

    def maximal(self) -> Itemsets:
        """Itemsets without a frequent superset (Bayardo 1998): they determine which itemsets are frequent."""
        return self._without(lambda smaller, larger: np.ones(len(larger), dtype=bool))


def count_itemsets(matrix: sparse.csr_matrix, codes: np.ndarray) -> np.ndarray:
    """In how many baskets each given itemset occurs, by intersecting packed bitsets: exact, whatever is frequent.

    Args:
        matrix: Baskets × items, bool.
        codes: Item codes, shape (n, k).

    Returns:
        Counts, shape (n,), int64. The empty itemset (k = 0) occurs in every basket.
    """
    if codes.shape[1] == 0:
        return np.full(len(codes), matrix.shape[0], dtype=np.int64)
    used, place = np.unique(codes, return_inverse=True)
    place = place.reshape(codes.shape)
    bits = pack_columns(matrix[:, used])
    counts = np.empty(len(codes), dtype=np.int64)
    for part in slices(np.full(len(codes), bits.shape[1]), 2**21):  # about 16 MB of bitsets at a time
        joint = bits[place[part, 0]]
        for column in range(1, codes.shape[1]):
            joint &= bits[place[part, column]]
        counts[part] = np.bitwise_count(joint).sum(axis=1, dtype=np.int64)
    return counts


def pack_columns(matrix: sparse.csr_matrix) -> np.ndarray:
    """Columns of a boolean matrix as bitsets: row j has bit t set where basket t holds item j.

    Args:
        matrix: Baskets × items, bool.

    Returns:
        Shape (n_items, n_baskets // 64 + 1), little-endian uint64: bit t is at place t % 64 of word t // 64. Bit
        number n_baskets always exists and is zero, which serves as padding.
    """
    columns = matrix.tocsc()
    columns.sort_indices()
    words = matrix.shape[0] // 64 + 1
    packed = np.zeros(matrix.shape[1] * words, dtype="<u8")
    if columns.nnz:
        item = np.repeat(np.arange(matrix.shape[1], dtype=np.int64), np.diff(columns.indptr))
        basket = columns.indices.astype(np.int64)
        place = item * words + (basket >> 6)  # ascending, so the bits that share a word are neighbours
        first = np.flatnonzero(np.append(True, place[1:] != place[:-1]))
        bit = np.uint64(1) << (basket & 63).astype(np.uint64)
        packed[place[first]] = np.bitwise_or.reduceat(bit, first)
    return packed.reshape(matrix.shape[1], words)


def slices(costs: np.ndarray, budget: int) -> Iterator[slice]:
    """Consecutive slices whose costs add up to at most `budget` each; an element that costs more stands alone."""
    total = np.cumsum(costs)
    start = 0
    while start < len(total):
        spent = total[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(total, spent + budget, side="right")))
        yield slice(start, stop)
        start = stop


def pair_counts(
    matrix: sparse.csr_matrix, smallest: int, most: int = 50_000_000
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Counts of all pairs of items that occur together often enough, from the sparse product XᵀX.

    The product is taken in slices of items, so that its memory stays near 200 MB however many pairs there are.

    Args:
        matrix: Baskets × items, bool.
        smallest: Smallest count wanted, at least 1.
        most: Stop with an error at more pairs.

    Returns:
        (i, j, count), each of shape (n_pairs,), int64, with i < j, ascending.

    Raises:
        BadParameter: If there are more than `most` such pairs.
    """
    ones = matrix.astype(np.int32)
    transposed = ones.T.tocsr()
    # an item's row of the product costs as many multiplications as its baskets have items
    work = transposed.astype(np.int64) @ np.diff(ones.indptr).astype(np.int64)
    pieces, found = [np.empty((3, 0), dtype=np.int64)], 0
    for part in slices(work, 2**24):
        product = (transposed[part] @ ones).tocoo()
        left = product.row.astype(np.int64) + part.start
        chosen = (product.data >= smallest) & (left < product.col)
        found += int(chosen.sum())
        if found > most:
            raise BadParameter(
                f"More than {most:,} pairs of items occur together in {smallest:,} baskets or more: choose a larger "
                "minimum support, or drop rare items first with filter_items."
            )
        pieces.append(np.stack([left[chosen], product.col[chosen], product.data[chosen]]))
    left, right, count = np.concatenate(pieces, axis=1)
    ascending = np.lexsort((right, left))
    return left[ascending], right[ascending], count[ascending]

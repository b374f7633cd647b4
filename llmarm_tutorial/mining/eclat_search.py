"""Eclat on packed bitsets: the kit's fast miner of frequent itemsets.

Zaki (2000) stores for every item the set of baskets that hold it; the support of an itemset is the size of an
intersection. Here these sets are bits in 64-bit words, and four ideas keep NumPy busy instead of Python:

1. *Pairs by one product.* The counts of all pairs are the entries of XᵀX, a sparse matrix product.
2. *Compression by the prefix.* All itemsets that begin with item i live in the baskets of i. Their bitsets hold only
   those, a hundred times shorter where an item has 1 % support. Rare items come first, so that prefixes are short.
3. *Many prefixes at once.* Prefixes of similar support share one array, so a whole level of many subtrees is joined,
   pruned, intersected and counted by a handful of vector operations.
4. *Pruning by pairs.* A candidate is intersected only if its two newest items are a frequent pair themselves.

The search goes depth-first from block to block, hence memory stays bounded by the block size times the depth.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from scipy import sparse

from llmarm_tutorial.errors import BadParameter
from llmarm_tutorial.mining.itemsets import pack_columns, pair_counts, slices

BLOCK_WORDS = 2**20  # 8 MB of bitsets are intersected at a time
GATHER = 2**18  # bits looked up at a time when bitsets are compressed, to stay in the processor's cache


def eclat(
    matrix: sparse.csr_matrix,
    min_count: int,
    max_length: int | None = None,
    containing: np.ndarray | None = None,
    max_itemsets: int = 10_000_000,
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Mine all frequent itemsets.

    Args:
        matrix: Baskets × items, shape (n, m), bool.
        min_count: Smallest number of baskets that makes an itemset frequent, at least 1.
        max_length: Longest itemset wanted; None for no limit.
        containing: Item codes of which every itemset must hold at least one; the rest of the search is not entered.
            None for no constraint.
        max_itemsets: Stop with an error when more are found: the result would not fit a learner's memory.

    Returns:
        Per length, item codes of shape (n_k, k) and counts of shape (n_k,), int64, in no particular order.

    Raises:
        BadParameter: If more than `max_itemsets` are frequent.
    """
    support = np.bincount(matrix.indices, minlength=matrix.shape[1])
    required = np.zeros(matrix.shape[1], dtype=bool)
    required[slice(None) if containing is None else containing] = True
    frequent = np.flatnonzero(support >= min_count)
    # Required items first: they alone are prefixes. Then rare first: short prefixes, small subtrees.
    order = frequent[np.lexsort((frequent, support[frequent], ~required[frequent]))]
    search = _Search(matrix[:, order], support[order], min_count, max_length, max_itemsets)
    search.run(n_prefixes=int(required[order].sum()))
    return [order[np.concatenate(c)] for c in search.codes], [np.concatenate(c) for c in search.counts]


class _Search:
    """State of one search. Items are numbered by their rank in the search order, from 0."""

    def __init__(
        self, matrix: sparse.csr_matrix, support: np.ndarray, min_count: int, max_length: int | None, limit: int
    ) -> None:
        self.matrix, self.support, self.min_count, self.limit = matrix, support, min_count, limit
        self.n_baskets, self.n_items = matrix.shape
        self.max_length = max_length or self.n_items
        self.codes: list[list[np.ndarray]] = []
        self.counts: list[list[np.ndarray]] = []
        self.found = 0

    def run(self, n_prefixes: int) -> None:
        """Find all frequent itemsets whose first item is among the first `n_prefixes`."""
        self._keep(np.arange(n_prefixes)[:, None], self.support[:n_prefixes])
        if self.max_length < 2 or self.n_items < 2:
            return
        left, right, count = pair_counts(self.matrix, self.min_count, self.limit)
        self.pair_keys = left * self.n_items + right
        wanted = left < n_prefixes
        pairs = np.stack([left[wanted], right[wanted]], axis=1)
        self._keep(pairs, count[wanted])
        if self.max_length > 2:
            for codes, bits in self._conditional_bitsets(pairs):
                self._grow(codes, bits)

    def _keep(self, codes: np.ndarray, counts: np.ndarray) -> None:
        self.found += len(codes)
        if self.found > self.limit:
            raise BadParameter(
                f"More than {self.limit:,} itemsets occur in {self.min_count:,} baskets or more: choose a larger "
                "min_support, a max_length, or raise max_itemsets."
            )
        while len(self.codes) < codes.shape[1]:
            self.codes.append([])
            self.counts.append([])
        self.codes[codes.shape[1] - 1].append(codes)
        self.counts[codes.shape[1] - 1].append(counts)

    def _conditional_bitsets(self, pairs: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Blocks of pairs, whole prefixes at a time, with bitsets over the baskets of their prefix only.

        Args:
            pairs: Shape (n, 2), ascending.

        Yields:
            Pairs, shape (n_block, 2), and their bitsets, shape (n_block, words), uint64.
        """
        prefix, size = np.unique(pairs[:, 0], return_counts=True)
        pairs = pairs[np.repeat(size > 1, size)]  # a lone pair has nothing to be joined with
        prefix, size = prefix[size > 1], size[size > 1]
        columns = self.matrix.tocsc()
        columns.sort_indices()
        packed = pack_columns(self.matrix).view(np.uint8)
        stride, flat = packed.shape[1], packed.reshape(-1)
        ends = np.cumsum(size)
        for block in self._blocks(prefix, size):
            members = prefix[block]
            width = int(-(-self.support[members].max() // 64) * 64)
            # baskets of every prefix, one row each, padded with the basket that holds nothing
            baskets = np.full((len(members), width), self.n_baskets, dtype=np.int64)
            inside = np.arange(width) < self.support[members][:, None]
            baskets[inside] = np.concatenate([columns.indices[slice(*columns.indptr[i : i + 2])] for i in members])
            byte, place = baskets >> 3, (baskets & 7).astype(np.uint8)
            codes = pairs[ends[block.start] - size[block.start] : ends[block.stop - 1]]
            owner = np.repeat(np.arange(len(members)), size[block])
            bits = np.empty((len(codes), width // 64), dtype=np.uint64)
            for part in slices(np.full(len(codes), width), GATHER):
                held = flat[byte[owner[part]] + codes[part, 1, None] * stride]
                held = (held >> place[owner[part]]) & np.uint8(1)
                bits[part] = np.packbits(held, axis=1, bitorder="little").view(np.uint64)
            yield codes, bits

    def _blocks(self, prefix: np.ndarray, size: np.ndarray) -> Iterator[slice]:
        """Consecutive prefixes of similar support, so that padding to the widest wastes little, within the budget."""
        words = -(-self.support[prefix] // 64)
        similar = np.flatnonzero(np.diff(np.log2(words).round(), prepend=-1, append=-1))
        for start, stop in pairwise(similar):
            for part in slices(size[start:stop] * words[start:stop], BLOCK_WORDS):
                yield slice(start + part.start, start + part.stop)

    def _grow(self, codes: np.ndarray, bits: np.ndarray) -> None:
        """Join itemsets that differ in their last item only, keep the frequent ones, go on with those.

        Args:
            codes: Shape (n, k), itemsets, those with the same first k − 1 items in consecutive rows.
            bits: Shape (n, words), their bitsets.
        """
        n, k = codes.shape
        last = codes[:, -1]
        ends = np.append(np.flatnonzero((codes[1:, :-1] != codes[:-1, :-1]).any(axis=1)) + 1, n)
        partners = np.repeat(ends, np.diff(ends, prepend=0)) - np.arange(n) - 1  # rows after it with the same prefix
        for part in slices(partners, max(1, BLOCK_WORDS // bits.shape[1])):
            left = np.repeat(np.arange(n)[part], partners[part])
            nth = np.arange(len(left)) - np.repeat(np.cumsum(partners[part]) - partners[part], partners[part])
            right = left + 1 + nth
            key = last[left] * self.n_items + last[right]
            known = self.pair_keys[np.minimum(np.searchsorted(self.pair_keys, key), len(self.pair_keys) - 1)] == key
            left, right = left[known], right[known]
            joint = bits[left]
            joint &= bits[right]
            count = np.bitwise_count(joint).sum(axis=1, dtype=np.int64)
            frequent = count >= self.min_count
            left, right, count, joint = left[frequent], right[frequent], count[frequent], joint[frequent]
            longer = np.concatenate([codes[left], last[right][:, None]], axis=1)
            self._keep(longer, count)
            same = left[1:] == left[:-1]
            joinable = np.append(same, False) | np.append(False, same) if len(left) else np.empty(0, dtype=bool)
            if k + 1 < self.max_length and joinable.any():
                self._grow(longer[joinable], joint[joinable])

"""What baskets say about antecedents: exact counts, fair draws, and bands of support.

An antecedent is a row of item codes, padded with -1 at the end. The evidence for it is in how many baskets it occurs,
and with which other items.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from scipy import sparse

from llmarm_tutorial.errors import BadParameter
from llmarm_tutorial.mining.itemsets import count_itemsets, slices
from llmarm_tutorial.resources import FEWER_ITEMS, require_memory

BLOCK = 2**21  # cells of antecedents × items that are worked on at a time
BANDS = (0, 1, 5, 10, 20, 50, 100, 500)  # the least number of supporting baskets of each band


class Evidence(NamedTuple):
    """What baskets say about antecedents.

    Attributes:
        antecedents: Item codes, shape (n, longest), int32: ascending, shorter antecedents padded with -1 at the end.
        baskets: Baskets that hold the antecedent, shape (n,), int64.
        joint: Baskets that hold the antecedent and the item, shape (n, n_items), int32.
        shares: Share of all baskets that hold the item, shape (n_items,).
    """

    antecedents: np.ndarray
    baskets: np.ndarray
    joint: np.ndarray
    shares: np.ndarray

    @property
    def sizes(self) -> np.ndarray:
        """Items in each antecedent, shape (n,)."""
        return (self.antecedents >= 0).sum(axis=1)

    @property
    def open(self) -> np.ndarray:
        """Which items can follow: all but the antecedent's own, shape (n, n_items), bool. Codes beyond are context."""
        allowed = np.ones(self.joint.shape, dtype=bool)
        row, column = np.nonzero((self.antecedents >= 0) & (self.antecedents < allowed.shape[1]))
        allowed[row, self.antecedents[row, column]] = False
        return allowed

    def take(self, rows: np.ndarray) -> Evidence:
        """The evidence for some of the antecedents."""
        return Evidence(self.antecedents[rows], self.baskets[rows], self.joint[rows], self.shares)


def padded(antecedents: Sequence[Sequence[int]]) -> np.ndarray:
    """Antecedents as a matrix of item codes, ascending, padded with -1 at the end.

    Args:
        antecedents: Item codes of each, without repetition, at least one.

    Raises:
        BadParameter: If an antecedent is empty or holds an item twice.
    """
    longest = max(map(len, antecedents), default=1)
    codes = np.full((len(antecedents), longest), -1, dtype=np.int32)
    for row, antecedent in enumerate(antecedents):
        if not len(antecedent) or len(set(antecedent)) < len(antecedent):
            raise BadParameter("An antecedent has at least one item, and each only once.")
        codes[row, : len(antecedent)] = sorted(antecedent)
    return codes


def gather(matrix: sparse.csr_matrix, antecedents: np.ndarray) -> Evidence:
    """Count, for each antecedent, the baskets that hold it and those that hold each item as well.

    Args:
        matrix: Baskets × items, bool.
        antecedents: Item codes as `padded` makes them, shape (n, longest).

    Returns:
        The evidence, exact; antecedents that no basket holds have counts of 0.

    Raises:
        TooLarge: If the table does not fit into the free memory.
    """
    cells = len(antecedents) * matrix.shape[1]
    what = f"a table of {len(antecedents):,} antecedents × {matrix.shape[1]:,} items"
    require_memory(4 * cells, what, f"ask of fewer antecedents (PER_BAND), or {FEWER_ITEMS}")
    baskets, held = gather_sparse(matrix, antecedents)
    shares = np.bincount(matrix.indices, minlength=matrix.shape[1]) / matrix.shape[0]
    return Evidence(antecedents, baskets, held.toarray(), shares)


def gather_sparse(matrix: sparse.csr_matrix, antecedents: np.ndarray) -> tuple[np.ndarray, sparse.csr_matrix]:
    """The counts of `gather` without the zeros, for antecedents that are too many for a table with all items.

    Args:
        matrix: Baskets × items, bool.
        antecedents: Item codes as `padded` makes them, shape (n, longest).

    Returns:
        (baskets that hold the antecedent, shape (n,), int64; baskets that hold it and the item, shape (n, n_items),
        int32, indices sorted).
    """
    holders = matrix.T.tocsr().astype(np.int32)
    ones = matrix.astype(np.int32)
    baskets = np.zeros(len(antecedents), dtype=np.int64)
    support = np.diff(holders.indptr)
    sizes = (antecedents >= 0).sum(axis=1)
    parts, places = [sparse.csr_matrix((0, matrix.shape[1]), dtype=np.int32)], []
    for size in np.unique(sizes):
        rows = np.flatnonzero(sizes == size)
        codes = antecedents[rows, :size]
        for part in slices(support[codes].sum(axis=1) + 1, 2**22):
            held = holders[codes[part, 0]]
            for column in range(1, size):
                held = held.multiply(holders[codes[part, column]])
            held = held.tocsr()
            baskets[rows[part]] = np.diff(held.indptr)
            parts.append(held @ ones)
            places.append(rows[part])
    joint = sparse.vstack(parts, format="csr")
    if len(antecedents):
        joint = joint[np.argsort(np.concatenate(places))]
    joint.sort_indices()
    return baskets, joint


def row_blocks(n: int, n_items: int) -> Iterator[slice]:
    """Consecutive slices of n rows with all items, each of at most `BLOCK` cells or of one row."""
    return slices(np.full(n, n_items), BLOCK)


def draw_questions(
    unseen: sparse.csr_matrix,
    known: sparse.csr_matrix,
    *,
    sizes: Sequence[int] = (1, 2),
    per_band: int = 300,
    draws: int = 60_000,
    seed: int = 0,
) -> np.ndarray:
    """Antecedents to be tried on unseen baskets, at most so many for each size and band of known support.

    Each size is drawn evenly from all pairs (basket, antecedent within it), so whether an antecedent is asked depends
    on how many unseen baskets hold it, not on which: what else is in them stays a fair sample. To draw a basket first
    and then a part of it would favour small baskets and make every confidence look smaller than it is.

    Args:
        unseen: Baskets × items, bool: those that will be asked.
        known: Baskets × items, bool: those that estimates are made from; their counts decide the band.
        sizes: Items per antecedent.
        per_band: Most antecedents of one size in one band of `BANDS`.
        draws: How many to draw for each size before repetitions are dropped.
        seed: Seed of the draws.

    Returns:
        Item codes as `padded` makes them, by size, then band.

    Raises:
        BadParameter: If no unseen basket is as large as the smallest size; larger sizes that none has are left out.
    """
    rng, found = np.random.default_rng(seed), []
    for size in sizes_held(unseen, sizes):
        codes = np.unique(draw_parts(unseen, size, draws, rng)[1], axis=0)
        band = band_of(count_itemsets(known, codes))
        order = rng.permutation(len(codes))
        found += [codes[order[band[order] == number][:per_band]] for number in range(len(BANDS))]
    width = max(sizes)
    return np.concatenate([np.pad(c, ((0, 0), (0, width - c.shape[1])), constant_values=-1) for c in found])


def sizes_held(matrix: sparse.csr_matrix, sizes: Sequence[int]) -> list[int]:
    """Those of some sizes that a part of a basket can have, and the smallest of them in any case.

    Args:
        matrix: Baskets × items, bool.
        sizes: Items in a part, at least one size.
    """
    largest = int(np.diff(matrix.indptr).max(initial=0))
    return [size for size in sizes if size <= max(largest, min(sizes))]


def draw_parts(
    matrix: sparse.csr_matrix, size: int, draws: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw evenly, with repetition, from all pairs (basket, part of it with the given number of items).

    A basket of m items has m-choose-size parts, so it is drawn with that weight: then every basket that holds a given
    antecedent is as likely as any other to come with it, which is what its confidence averages over.

    Args:
        matrix: Baskets × items, bool.
        size: Items in a part, at least 1.
        draws: How many.
        rng: Source of the draws.

    Returns:
        (basket numbers, shape (draws,); item codes, ascending, shape (draws, size), int32).

    Raises:
        BadParameter: If no basket is that large.
    """
    lengths = np.diff(matrix.indptr)
    weight = np.ones(len(lengths))
    for less in range(size):
        weight *= np.maximum(lengths - less, 0) / (less + 1)
    if not weight.any():
        raise BadParameter(f"No basket has {size} items; ask for smaller antecedents.")
    steps = np.cumsum(weight)
    basket = np.minimum(np.searchsorted(steps, rng.random(draws) * steps[-1], side="right"), len(lengths) - 1)
    # Floyd's algorithm for a random subset, all draws at once: try one of the first j + 1 places, else take place j
    place = np.full((draws, size), -1, dtype=np.int64)
    for column in range(size):
        last = lengths[basket] - size + column
        tried = np.floor(rng.random(draws) * (last + 1)).astype(np.int64)
        taken = (place[:, :column] == tried[:, None]).any(axis=1)
        place[:, column] = np.where(taken, last, tried)
    return basket, np.sort(matrix.indices[matrix.indptr[basket][:, None] + place], axis=1).astype(np.int32)


def band_of(baskets: np.ndarray) -> np.ndarray:
    """Number of the band of `BANDS` for each count of supporting baskets."""
    return np.searchsorted(BANDS, baskets, side="right") - 1


def band_names() -> list[str]:
    """The bands in words: "0", "1 to 4", …, "500 and more"."""
    ends = [*(least - 1 for least in BANDS[1:]), None]
    return [
        f"{a} and more" if b is None else str(a) if a == b else f"{a} to {b}" for a, b in zip(BANDS, ends, strict=True)
    ]

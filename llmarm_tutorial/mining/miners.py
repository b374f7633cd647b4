"""Frequent itemsets: Apriori as it is taught, and one door to every miner.

`apriori` is the algorithm of Agrawal & Srikant (1994) in plain Python, to be read. `mine` is what lessons and batches
call: it counts thresholds exactly, takes constraints and hands the work to a miner by name; whichever it is, the
resulting `Itemsets` are the same.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import sparse

from llmarm_tutorial.errors import BadParameter, UnknownName
from llmarm_tutorial.mining.eclat_search import eclat
from llmarm_tutorial.mining.itemsets import Baskets, Itemsets, as_matrix, min_count

Arrays = tuple[list[np.ndarray], list[np.ndarray]]


def apriori(
    baskets: Iterable[Collection[Hashable]], min_count: int, max_length: int | None = None
) -> dict[frozenset, int]:
    """Frequent itemsets level by level (Agrawal & Srikant 1994).

    Args:
        baskets: The transactions, each a collection of items.
        min_count: Smallest number of baskets that makes an itemset frequent.
        max_length: Longest itemset wanted; None for no limit.

    Returns:
        Itemset → number of baskets that hold it.
    """
    baskets = [frozenset(basket) for basket in baskets]
    counts = Counter(frozenset([item]) for basket in baskets for item in basket)
    level = {itemset: count for itemset, count in counts.items() if count >= min_count}
    frequent = dict(level)
    length = 2
    while level and (max_length is None or length <= max_length):
        counts = Counter()
        candidates = generate_candidates(set(level), length)
        for basket in baskets:
            counts.update(itemset for itemset in candidates if itemset <= basket)
        level = {itemset: count for itemset, count in counts.items() if count >= min_count}
        frequent |= level
        length += 1
    return frequent


def generate_candidates(level: set[frozenset], length: int) -> set[frozenset]:
    """Join frequent itemsets of one item less, and prune what has an infrequent subset: it cannot be frequent itself.

    Args:
        level: All frequent itemsets with `length - 1` items.
        length: Number of items in a candidate.

    Example:
        >>> level = {frozenset(pair) for pair in ["ab", "ac", "bc", "bd"]}
        >>> [sorted(itemset) for itemset in generate_candidates(level, 3)]
        [['a', 'b', 'c']]
    """
    by_prefix: dict[tuple, list] = {}
    for itemset in sorted(map(sorted, level)):
        by_prefix.setdefault(tuple(itemset[:-1]), []).append(itemset[-1])
    joined = {frozenset((*prefix, *pair)) for prefix, lasts in by_prefix.items() for pair in combinations(lasts, 2)}
    return {c for c in joined if all(frozenset(subset) in level for subset in combinations(c, length - 1))}


def _taught(matrix: sparse.csr_matrix, count: int, max_length: int | None) -> Arrays:
    baskets = np.split(matrix.indices, matrix.indptr[1:-1])
    return _by_length(apriori((basket.tolist() for basket in baskets), count, max_length).items())


def _mlxtend(function: str) -> Callable[[sparse.csr_matrix, int, int | None], Arrays]:
    def miner(matrix: sparse.csr_matrix, count: int, max_length: int | None) -> Arrays:
        from mlxtend import frequent_patterns

        frame = pd.DataFrame.sparse.from_spmatrix(matrix)
        n_baskets = matrix.shape[0]
        # mlxtend compares shares: half a basket below the threshold keeps rounding from dropping itemsets on it
        share = (count - 0.5) / n_baskets
        options = {"low_memory": True} if function == "apriori" else {}
        table = getattr(frequent_patterns, function)(frame, min_support=share, max_len=max_length, **options)
        counts = (table["support"] * n_baskets).round().astype(int)
        return _by_length(zip(table["itemsets"], counts, strict=True))

    return miner


def _by_length(found: Iterable[tuple[frozenset, int]]) -> Arrays:
    levels: dict[int, list[list[int]]] = {}
    counts: dict[int, list[int]] = {}
    for itemset, count in found:
        levels.setdefault(len(itemset), []).append(sorted(itemset))
        counts.setdefault(len(itemset), []).append(count)
    lengths = range(1, max(levels, default=0) + 1)
    codes = [np.array(levels.get(k, []), dtype=np.int64).reshape(-1, k) for k in lengths]
    return codes, [np.array(counts.get(k, []), dtype=np.int64) for k in lengths]


MINERS: dict[str, Callable[..., Arrays]] = {
    "eclat": eclat,
    "apriori": _taught,
    "mlxtend-apriori": _mlxtend("apriori"),
    "mlxtend-fpgrowth": _mlxtend("fpgrowth"),
    "mlxtend-fpmax": _mlxtend("fpmax"),
}


def mine(
    baskets: Baskets,
    min_support: float | int,
    *,
    miner: str = "eclat",
    max_length: int | None = None,
    only: Iterable[Hashable] | None = None,
    containing: Iterable[Hashable] | None = None,
    max_itemsets: int = 10_000_000,
) -> Itemsets:
    """Mine frequent itemsets.

    Args:
        baskets: Transactions with baskets, or a sparse matrix of baskets × items.
        min_support: A float is a share of the baskets in (0, 1], an int a number of baskets of at least 1. An itemset
            exactly on the threshold is frequent.
        miner: A name in `MINERS`. "mlxtend-fpmax" finds the maximal itemsets only.
        max_length: Longest itemset wanted, at least 1; None for no limit.
        only: Ids of the items that may occur; None allows all.
        containing: Ids of items of which every itemset must hold at least one; None asks nothing. Eclat does not enter
            the rest of the search; the other miners drop it at the end.
        max_itemsets: Eclat stops with an error when it finds more.

    Returns:
        The frequent itemsets with exact counts.

    Raises:
        BadParameter: If a number is out of range or too many itemsets are frequent.
        UnknownName: If there is no such miner, or no such item.
        Lacks: If the transactions have no baskets.
    """
    if miner not in MINERS:
        raise UnknownName("miner", miner, MINERS)
    if max_length is not None and (not isinstance(max_length, int | np.integer) or max_length < 1):
        raise BadParameter(f"max_length must be a whole number of at least 1 or None, not {max_length!r}.")
    if miner == "mlxtend-fpmax" and max_length is not None:
        raise BadParameter("mlxtend-fpmax finds maximal itemsets of any length: leave max_length out.")
    matrix, items = as_matrix(baskets)
    count = min_count(min_support, matrix.shape[0])
    allowed = codes_of(items, only)
    # no miner needs infrequent items, and mlxtend would make them dense
    allowed = allowed[np.bincount(matrix.indices, minlength=len(items))[allowed] >= count]
    wanted = None if containing is None else np.flatnonzero(np.isin(allowed, codes_of(items, containing)))
    matrix = matrix[:, allowed]
    if count > matrix.shape[0]:
        return Itemsets.build([], [], matrix.shape[0], items)
    if miner == "eclat":
        levels, counts = eclat(matrix, count, max_length, wanted, max_itemsets)
    else:
        levels, counts = MINERS[miner](matrix, count, max_length)
        if wanted is not None:
            kept = [np.isin(codes, wanted).any(axis=1) for codes in levels]
            levels = [codes[k] for codes, k in zip(levels, kept, strict=True)]
            counts = [c[k] for c, k in zip(counts, kept, strict=True)]
    return Itemsets.build(
        [allowed[codes] for codes in levels],
        counts,
        matrix.shape[0],
        items,
        has_subsets=containing is None and miner != "mlxtend-fpmax",
        has_supersets=max_length is None,
    )


def compare_miners(baskets: Baskets, supports: Iterable[float], miners: Iterable[str], patience: float) -> pd.DataFrame:
    """Time miners side by side at falling supports, one run each.

    Args:
        baskets: Transactions with baskets, or a sparse matrix of baskets × items.
        supports: Shares in (0, 1], in falling order.
        miners: Names in `MINERS`, the one to compare the others with first.
        patience: Seconds; a miner that took longer once does not go on to lower supports.

    Returns:
        Columns `miner`, `min_support`, `seconds`, `itemsets`, and `agrees`: whether the itemsets and counts are exactly
        those of the first miner.
    """
    rows, expected = [], {}
    for miner in miners:
        for support in supports:
            start = time.perf_counter()
            found = mine(baskets, support, miner=miner)
            seconds = time.perf_counter() - start
            agrees = found == expected.setdefault(support, found)
            rows.append((miner, support, seconds, len(found), agrees))
            if seconds > patience:
                break
    return pd.DataFrame(rows, columns=["miner", "min_support", "seconds", "itemsets", "agrees"])


def suggest_support(baskets: Baskets, most: int = 1500) -> float:
    """A minimum support at which the itemsets of an unknown data set can still be looked through.

    Args:
        baskets: Transactions with baskets, or a sparse matrix of baskets × items.
        most: Most itemsets wanted.

    Returns:
        The lowest share among 0.5, 0.2, 0.1, 0.05, … that gives no more than `most` itemsets and stands for at least
        two baskets; 0.5 if even that gives more.
    """
    matrix, _ = as_matrix(baskets)
    chosen = 0.5
    for digits in range(1, 9):
        for lead in (5, 2, 1):
            share = round(lead / 10**digits, digits)
            if share * matrix.shape[0] < 2:
                return chosen
            try:
                mine(matrix, share, max_itemsets=most)
            except BadParameter:
                return chosen
            chosen = share
    return chosen


def codes_of(items: pd.DataFrame, ids: Iterable[Hashable] | None) -> np.ndarray:
    """Item codes of item ids (of all items for None), ascending, without repeats.

    Raises:
        UnknownName: If an id is not in the item table.
    """
    if ids is None:
        return np.arange(len(items))
    ids = list(ids)
    codes = pd.Index(items["item_id"]).get_indexer(pd.Index(ids))
    if (codes < 0).any():
        stranger = ids[int(np.argmax(codes < 0))]
        hint = f"These are the first ten item ids; their type is {type(items['item_id'].iloc[0]).__name__}."
        raise UnknownName("item", stranger, items["item_id"].head(10), hint)
    return np.unique(codes)

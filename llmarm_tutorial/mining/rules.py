"""Association rules: from itemsets, or pair rules straight from one matrix product.

A rule X ⇒ Y says that baskets with X tend to hold Y too. Everything about it follows from three counts out of n
baskets: those with X, with Y, and with both (see `measures`). Rules live in a data frame with one row per rule; its
columns are in `COLUMNS`, the sets are frozensets of item ids.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from itertools import combinations

import numpy as np
import pandas as pd

from llmarm_tutorial.data.table import item_labels
from llmarm_tutorial.errors import BadParameter
from llmarm_tutorial.mining.itemsets import (
    Baskets,
    Itemsets,
    as_matrix,
    count_itemsets,
    min_count,
    pair_counts,
)
from llmarm_tutorial.mining.measures import MEASURES, measures
from llmarm_tutorial.mining.miners import codes_of, mine
from llmarm_tutorial.mining.thresholds import check_share, smallest_counts

COUNTS = ("count", "antecedent_count", "consequent_count", "n_baskets")
COLUMNS = ("antecedent", "consequent", *MEASURES, *COUNTS)

CountOf = Callable[[np.ndarray], np.ndarray]  # item codes, shape (n, k) → baskets, shape (n,)


def rules_from_itemsets(
    itemsets: Itemsets, min_confidence: float, *, max_consequent: int | None = 1, label: str = "item_id"
) -> pd.DataFrame:
    """All rules of frequent itemsets that reach a minimum confidence (Agrawal & Srikant 1994, `ap-genrules`).

    Args:
        itemsets: Frequent itemsets with all their subsets, as `mine` returns them without constraints.
        min_confidence: Share in (0, 1]; a rule exactly on it is kept.
        max_consequent: Most items in the consequent; None for no limit.
        label: Column of the item table that names the items.

    Returns:
        Rules by confidence, then support, descending; columns `COLUMNS`.

    Raises:
        BadParameter: If the confidence is out of range or subsets are missing.
    """
    if not itemsets.has_subsets:
        raise BadParameter(
            "Rules need the counts of all subsets: mine without constraints, or use mine_rules for them."
        )

    def count_of(codes: np.ndarray) -> np.ndarray:
        return itemsets.counts[codes.shape[1] - 1][itemsets.rows_of(codes)]

    return _generate(itemsets, count_of, min_confidence, max_consequent, label)


def mine_rules(
    baskets: Baskets,
    min_support: float | int,
    min_confidence: float,
    *,
    antecedent: Iterable[Hashable] | None = None,
    consequent: Iterable[Hashable] | None = None,
    max_length: int | None = None,
    max_consequent: int | None = 1,
    label: str = "item_id",
) -> pd.DataFrame:
    """Mine rules in one call, with constraints on their items pushed into the search.

    Args:
        baskets: Transactions with baskets, or a sparse matrix of baskets × items.
        min_support: Share in (0, 1] or number of baskets, of antecedent and consequent together.
        min_confidence: Share in (0, 1].
        antecedent: Ids of the items that antecedents may hold; None allows all.
        consequent: Ids of the items that consequents may hold; None allows all.
        max_length: Most items in a rule.
        max_consequent: Most items in the consequent; None for no limit.
        label: Column of the item table that names the items.

    Returns:
        Rules by confidence, then support, descending; columns `COLUMNS`.
    """
    matrix, items = as_matrix(baskets)
    ids = items["item_id"]
    may_x = np.isin(np.arange(len(ids)), codes_of(items, antecedent))
    may_y = np.isin(np.arange(len(ids)), codes_of(items, consequent))
    only = None if (may_x | may_y).all() else ids[may_x | may_y]
    # every rule holds items of both sides: search from the side with fewer, no longer than both allow
    fewer = min(may_x, may_y, key=np.sum)
    containing = None if fewer.all() else ids[fewer]
    right = min(int(may_y.sum()), max_consequent or len(ids))
    longest = min(int(may_x.sum()) + right, max_length or len(ids))
    itemsets = mine(baskets, min_support, max_length=max(longest, 1), only=only, containing=containing)

    def count_of(codes: np.ndarray) -> np.ndarray:
        distinct, inverse = np.unique(codes, axis=0, return_inverse=True)
        return count_itemsets(matrix, distinct)[inverse.reshape(-1)]

    return _generate(itemsets, count_of, min_confidence, max_consequent, label, may_x, may_y)


def pair_rules(
    baskets: Baskets, min_support: float | int, min_confidence: float = 0.0, *, label: str = "item_id"
) -> pd.DataFrame:
    """All rules {i} ⇒ {j}, without mining itemsets: the counts are the entries of XᵀX.

    Args:
        baskets: Transactions with baskets, or a sparse matrix of baskets × items.
        min_support: Share in (0, 1] or number of baskets.
        min_confidence: Share in [0, 1]; 0 keeps every pair that is frequent.
        label: Column of the item table that names the items.

    Returns:
        Rules by confidence, then support, descending; columns `COLUMNS`.
    """
    matrix, items = as_matrix(baskets)
    smallest = min_count(min_support, matrix.shape[0])
    support = np.bincount(matrix.indices, minlength=matrix.shape[1])
    i, j, count = pair_counts(matrix, smallest)
    x, y, count = np.append(i, j), np.append(j, i), np.append(count, count)
    if min_confidence:
        confident = count >= smallest_counts(min_confidence, support, "min_confidence")[x]
        x, y, count = x[confident], y[confident], count[confident]
    block = (x[:, None], y[:, None], count, support[x], support[y])
    return _frame([block], matrix.shape[0], items, label)


def _generate(
    itemsets: Itemsets,
    count_of: CountOf,
    min_confidence: float,
    max_consequent: int | None,
    label: str,
    may_x: np.ndarray | None = None,
    may_y: np.ndarray | None = None,
) -> pd.DataFrame:
    """Split the itemsets of every length at every choice of consequent columns, all rows at once.

    Moving an item from antecedent to consequent can only lower the confidence, so a larger consequent is tried only
    for itemsets where all smaller ones within it passed.
    """
    check_share(min_confidence, "min_confidence")
    if max_consequent is not None and max_consequent < 1:
        raise BadParameter(f"max_consequent must be at least 1 or None, not {max_consequent}.")
    blocks = []
    for codes, count in zip(itemsets.levels[1:], itemsets.counts[1:], strict=True):
        length = codes.shape[1]
        passed: dict[tuple[int, ...], np.ndarray] = {(): np.ones(len(codes), dtype=bool)}
        for size in range(1, min(max_consequent or length, length - 1) + 1):
            for right in combinations(range(length), size):
                smaller = [passed.get(part) for part in combinations(right, size - 1)]
                if any(part is None for part in smaller):
                    continue
                rows = np.flatnonzero(np.logical_and.reduce(smaller))
                left = [column for column in range(length) if column not in right]
                x, y = codes[np.ix_(rows, left)], codes[np.ix_(rows, list(right))]
                antecedent = count_of(x)
                confident = count[rows] >= smallest_counts(min_confidence, antecedent, "min_confidence")
                if confident.any():
                    passed[right] = np.zeros(len(codes), dtype=bool)
                    passed[right][rows[confident]] = True
                keep = confident
                if may_x is not None:
                    keep = confident & may_x[x].all(axis=1) & may_y[y].all(axis=1)
                if keep.any():
                    blocks.append((x[keep], y[keep], count[rows][keep], antecedent[keep], count_of(y[keep])))
    return _frame(blocks, itemsets.n_baskets, itemsets.items, label)


def _frame(blocks: list[tuple[np.ndarray, ...]], n_baskets: int, items: pd.DataFrame, label: str) -> pd.DataFrame:
    """Rules as a data frame, from blocks of (antecedent codes, consequent codes, three counts)."""
    if not blocks or not len(blocks[0][2]):
        return pd.DataFrame({column: pd.Series(dtype=object if column in COLUMNS[:2] else float) for column in COLUMNS})
    names = np.array(item_labels(items, label), dtype=object)
    sets = [[frozenset(row) for block in blocks for row in names[block[side]].tolist()] for side in (0, 1)]
    count, antecedent, consequent = (np.concatenate([block[k] for block in blocks]) for k in (2, 3, 4))
    table = pd.DataFrame(
        {
            "antecedent": pd.Series(sets[0], dtype=object),
            "consequent": pd.Series(sets[1], dtype=object),
            **measures(count, antecedent, consequent, n_baskets),
            "count": count,
            "antecedent_count": antecedent,
            "consequent_count": consequent,
            "n_baskets": n_baskets,
        }
    )
    return table.sort_values(["confidence", "count"], ascending=False, kind="stable", ignore_index=True)


def in_words(itemset: Iterable[Hashable]) -> str:
    """One side of a rule for the eye: its items in alphabetical order, between commas."""
    return ", ".join(sorted(map(str, itemset)))


def readable(rules: pd.DataFrame, columns: Iterable[str] = ("support", "confidence", "lift", "count")) -> pd.DataFrame:
    """Rules for the eye: one text column `rule` ("bread, butter ⇒ milk") and the chosen measures.

    Args:
        rules: Rule table.
        columns: Columns to keep.
    """
    sides = zip(rules["antecedent"], rules["consequent"], strict=True)
    text = [f"{in_words(x)} ⇒ {in_words(y)}" for x, y in sides]
    return pd.DataFrame({"rule": text}).join(rules[list(columns)].reset_index(drop=True))

"""What counting knows of pairs of products, of rules and of customers' bags: the features of counting classifiers."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.stats import gamma
from sklearn.preprocessing import normalize

from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.errors import DataError
from llmarm_tutorial.mining.itemsets import as_matrix, count_itemsets
from llmarm_tutorial.mining.measures import expected_count, jaccard, lift, shrunk_lift
from llmarm_tutorial.mining.miners import mine
from llmarm_tutorial.mining.significance import fisher_greater

DOUBT = 5.0  # expected joint baskets that shrink a lift towards 1 by half
VISITS = (
    "ln visits",
    "ln days since the last",
    "ln days since the first",
    "ln days between visits",
    "days since the last per days between",
    "ln items per visit",
)


def pair_counting(train: Transactions, i: np.ndarray, j: np.ndarray) -> dict[str, np.ndarray]:
    """What counting knows of pairs of products, the same for (i, j) and (j, i).

    The shrunk lift is (joint + 5) / (expected + 5), so that pairs which chance would seldom bring together tell little.
    Two products are alike when they are bought together with the same others: the cosine between their rows of shrunk
    log lifts, each other and itself left out. Where the data has users the same is asked of customers in place of
    baskets, which brings together what is bought in turns, and whether those who buy one product more often than
    expected do so with the other, too.

    Args:
        train: Transactions with baskets.
        i: Item codes of one product, shape (n,), each bought at least once.
        j: Item codes of the other.

    Returns:
        Name → values, shape (n,).
    """
    units = {"baskets": as_matrix(train)[0]}
    runs = train.histories() if {"users", "order"} <= train.aspects else None
    if runs is not None:
        purchases = runs.matrix()
        units["customers"] = purchases.astype(bool)
    products, place = np.unique(np.concatenate([i, j]), return_inverse=True)
    a, b = place[: len(i)], place[len(i) :]
    features = {}
    for unit, matrix in units.items():
        sold = np.maximum(np.bincount(matrix.indices, minlength=matrix.shape[1]), 1).astype(float)
        joint = joint_baskets(matrix, products, everything=True)
        shrunk = np.log(shrunk_lift(joint, expected_count(sold[products, None], sold, matrix.shape[0]), DOUBT))
        both, of_i, of_j = joint[a, j], sold[i], sold[j]
        confidences = np.sort([both / of_i, both / of_j], axis=0)
        features |= {
            f"ln {unit}, rarer": np.log(np.minimum(of_i, of_j)),
            f"ln {unit}, more frequent": np.log(np.maximum(of_i, of_j)),
            f"ln (1 + joint {unit})": np.log1p(both),
            f"ln lift in {unit}, shrunk": shrunk[a, j],
            f"confidence in {unit}, lower": confidences[0],
            f"confidence in {unit}, higher": confidences[1],
            f"jaccard in {unit}": jaccard(both, of_i, of_j),
            f"alike in {unit}": _alike(shrunk, products, a, b),
        }
    if runs is not None:
        features["correlation of customers' purchases"] = _correlation(purchases, products)[a, b]
    return features


def _alike(rows: np.ndarray, products: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Cosine between rows a and b, without the two products' own columns."""
    rows = rows.copy()
    rows[np.arange(len(products)), products] = 0  # an item always meets itself
    square = (rows**2).sum(axis=1)
    to_b, to_a = rows[a, products[b]], rows[b, products[a]]
    length = np.sqrt((square[a] - to_b**2) * (square[b] - to_a**2))  # own columns are 0: only each other's to take out
    inner = (rows @ rows.T)[a, b]  # the two products' columns add nothing: one factor is 0 in each
    return inner / np.maximum(length, 1e-12)


def _correlation(purchases: sparse.csr_matrix, products: np.ndarray) -> np.ndarray:
    """Correlation over customers of ln (purchases / expected), both raised by `DOUBT`: who likes both?"""
    bought = np.asarray(purchases.sum(axis=1)) * (np.asarray(purchases.sum(axis=0)).ravel()[products] / purchases.sum())
    surplus = np.log((purchases[:, products].toarray() + DOUBT) / (bought + DOUBT))
    surplus = normalize(surplus - surplus.mean(axis=0), axis=0)
    return surplus.T @ surplus


def joint_baskets(matrix: sparse.csr_matrix, products: np.ndarray, everything: bool = False) -> np.ndarray:
    """Baskets with two products, float64.

    Args:
        matrix: Baskets × items, bool.
        products: Item codes, shape (n_products,).
        everything: Whether all items are columns, else the products alone.

    Returns:
        Shape (n_products, n_products), or (n_products, n_items).
    """
    chosen = matrix[:, products].astype(np.float64)
    return (chosen.T @ (matrix.astype(np.float64) if everything else chosen)).toarray()


def bags(histories: Histories, n_items: int) -> sparse.csr_matrix:
    """ln(1 + purchases) of each item, rows of length 1: how much somebody buys does not outshout what.

    Args:
        histories: Purchases per customer.
        n_items: Number of items.

    Returns:
        Shape (n_customers, n_items), float32.
    """
    return normalize(histories.matrix(n_items).log1p())


def visit_numbers(visits: np.ndarray, gone: np.ndarray, known: np.ndarray, bought: np.ndarray) -> np.ndarray:
    """How often and how regularly customers came, up to a moment.

    Args:
        visits: Number of visits, shape (n,), at least 1.
        gone: Days since the last one.
        known: Days since the first one.
        bought: Items bought in all of them, at least 1.

    Returns:
        The numbers of `VISITS`, shape (n, 6); the days between visits of who came once are 0.
    """
    gap = (known - gone) / np.maximum(visits - 1, 1)
    columns = (
        np.log(visits),
        np.log1p(gone),
        np.log1p(known),
        np.log1p(gap),
        gone / (gap + 1),
        np.log(bought / visits),
    )
    return np.column_stack(columns)


def least_mean(count: np.ndarray) -> np.ndarray:
    """Lower end of the exact one-sided 95 % interval of the mean of Poisson counts, any shape (Garwood 1936)."""
    return np.where(count > 0, gamma.ppf(0.05, np.maximum(count, 1)), 0.0)


def promising_rules(baskets: Transactions, min_count: int, least_lift: float) -> tuple[np.ndarray, ...]:
    """Rules X ⇒ y with one or two items in X and a lift, as arrays.

    Args:
        baskets: Transactions with baskets.
        min_count: Least number of joint baskets.
        least_lift: Least lift.

    Returns:
        Antecedents, shape (n, 2), -1 where there is one item only; consequents, shape (n,); baskets with both, with X,
        with y, shape (n,) each; number of all baskets.

    Raises:
        DataError: If no two items share that many baskets, or none has that lift.
    """
    found = mine(baskets, min_count, max_length=3)
    sold = np.bincount(as_matrix(baskets)[0].indices, minlength=len(found.items))
    pieces = []
    for codes, count in zip(found.levels[1:], found.counts[1:], strict=True):
        for column in range(codes.shape[1]):
            x = np.delete(codes, column, axis=1)
            of_x = found.counts[x.shape[1] - 1][found.rows_of(x)]
            of_y = sold[codes[:, column]]
            good = lift(count, of_x, of_y, found.n_baskets) >= least_lift
            x = np.pad(x, ((0, 0), (0, 2 - x.shape[1])), constant_values=-1)
            pieces.append((x[good], codes[good, column], count[good], of_x[good], of_y[good]))
    if not pieces:
        raise DataError(f"No two items share {min_count} baskets of {baskets.name!r}; take a smaller min_count.")
    if not any(len(of_y) for _, of_y, *_ in pieces):
        raise DataError(f"No rule of {baskets.name!r} has a lift of {least_lift:g}; take a smaller least_lift.")
    return *(np.concatenate(column) for column in zip(*pieces, strict=True)), found.n_baskets


def lift_in(baskets: Transactions, x: np.ndarray, y: np.ndarray, least: np.ndarray) -> np.ndarray:
    """Lift of rules in other baskets, NaN where independence makes one expect fewer than `least` joint ones.

    Args:
        baskets: Transactions with baskets.
        x: Antecedents, shape (n, 2), as `promising_rules` gives them.
        y: Consequents, shape (n,).
        least: Expected joint baskets, shape (n,), above 0.

    Returns:
        Shape (n,).
    """
    matrix = as_matrix(baskets)[0]
    both, of_x = np.zeros(len(y)), np.zeros(len(y))
    of_y = np.bincount(matrix.indices, minlength=matrix.shape[1])[y]
    for size in (1, 2):
        rows = np.flatnonzero((x >= 0).sum(axis=1) == size)
        of_x[rows] = count_itemsets(matrix, x[rows, :size])
        both[rows] = count_itemsets(matrix, np.column_stack([x[rows, :size], y[rows]]))
    n = matrix.shape[0]
    return np.where(expected_count(of_x, of_y, n) >= least, lift(both, of_x, of_y, n), np.nan)


def rule_counting(
    count: np.ndarray, of_x: np.ndarray, of_y: np.ndarray, n: int, size: np.ndarray
) -> dict[str, np.ndarray]:
    """What counting knows of rules.

    Args:
        count: Baskets with antecedent and consequent, shape (n_rules,).
        of_x: Baskets with the antecedent.
        of_y: Baskets with the consequent.
        n: All baskets.
        size: Items of the antecedent.

    Returns:
        Name → values, shape (n_rules,).
    """
    expected = expected_count(of_x, of_y, n)
    p = fisher_greater(count, of_x, of_y, np.full(len(count), n))
    return {
        "ln joint baskets": np.log(count),
        "ln baskets with antecedent": np.log(of_x),
        "ln baskets with consequent": np.log(of_y),
        "confidence": count / of_x,
        "ln lift": np.log(lift(count, of_x, of_y, n)),
        "ln lift, shrunk": np.log(shrunk_lift(count, expected, DOUBT)),
        "leverage": (count - expected) / n,
        "ln expected baskets": np.log(expected),
        "ln p-value": np.log(np.maximum(p, 1e-300)),
        "surprise": (count - expected) / np.sqrt(expected),
        "items of the antecedent": size.astype(float),
    }

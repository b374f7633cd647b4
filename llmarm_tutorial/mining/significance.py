"""Which rules are more than chance: Fisher's exact test, false discoveries held down, lift within groups."""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable

import numpy as np
import pandas as pd
from scipy.special import gammaln

from llmarm_tutorial.data.transactions import item_labels
from llmarm_tutorial.errors import BadParameter, UnknownName
from llmarm_tutorial.mining.itemsets import Baskets, as_matrix, pair_counts


def significance(rules: pd.DataFrame, n_tests: int | None = None) -> pd.DataFrame:
    """Add `p_value` of Fisher's exact test and `q_value` after Benjamini & Hochberg (1995).

    The one-sided test asks how often chance alone would put antecedent and consequent together in so many baskets,
    given how often each occurs. The q-value of a rule is the expected share of false discoveries among all rules with a
    p-value no larger.

    Args:
        rules: Rule table.
        n_tests: How many rules were looked at before this table was selected, at least its length. A table already
            filtered by confidence or lift holds the winners only; correcting for those alone flatters them.

    Raises:
        BadParameter: If `n_tests` is smaller than the table.
    """
    if n_tests is not None and n_tests < len(rules):
        raise BadParameter(
            f"n_tests ({n_tests}) is the number of rules looked at, so at least the {len(rules)} in the table."
        )
    x, y, both, n = (rules[c].to_numpy() for c in ("antecedent_count", "consequent_count", "count", "n_baskets"))
    p = fisher_greater(both, x, y, n)
    return rules.assign(p_value=p, q_value=benjamini_hochberg(p, n_tests))


def benjamini_hochberg(p: np.ndarray, n_tests: int | None = None) -> np.ndarray:
    """q-values: the expected share of false discoveries among all tests with a p-value no larger.

    Args:
        p: p-values, shape (n,).
        n_tests: How many tests were made, at least n; those not in `p` count as p = 1, that is, they stand behind all
            others and only raise the number. None: just those in `p`.

    Returns:
        q-values, shape (n,), in [0, 1].
    """
    order = np.argsort(p, kind="stable")
    bound = p[order] * (len(p) if n_tests is None else n_tests) / np.arange(1, len(p) + 1)
    q = np.empty_like(p)
    q[order] = np.minimum(np.minimum.accumulate(bound[::-1])[::-1], 1)
    return q


def pair_tests(baskets: Baskets) -> pd.DataFrame:
    """Fisher's test for every pair of items that met at least once, without building rules: for millions of pairs.

    Args:
        baskets: Transactions with baskets, or a sparse matrix of baskets × items.

    Returns:
        Columns `i`, `j` (item codes, i < j), `count` (baskets with both), `lift`, `p_value` and `q_value`, the latter
        among all pairs of items that occur, whether they met or not.
    """
    matrix, _ = as_matrix(baskets)
    support = np.bincount(matrix.indices, minlength=matrix.shape[1])
    i, j, both = pair_counts(matrix, 1)
    n = matrix.shape[0]
    p = fisher_greater(both, support[i], support[j], np.full(len(both), n))
    q = benjamini_hochberg(p, math.comb(int((support > 0).sum()), 2))
    lift = both * n / (support[i].astype(float) * support[j])
    return pd.DataFrame({"i": i, "j": j, "count": both, "lift": lift, "p_value": p, "q_value": q})


def lift_within(rules: pd.DataFrame, baskets: Baskets, strata: np.ndarray, label: str = "item_id") -> np.ndarray:
    """Lift of rules given a third variable: joint baskets over those expected if independent within each stratum.

    Args:
        rules: Rule table.
        baskets: Transactions or matrix that know all items of the rules.
        strata: The third variable, one value per basket, such as its week.
        label: Column of the item table that names the items in the rules.

    Returns:
        Shape (n_rules,). 1 where the strata explain the association; NaN where none is expected.
    """
    matrix, items = as_matrix(baskets)
    _, stratum = np.unique(strata, return_inverse=True)
    n = np.bincount(stratum)
    code = item_codes(rules, items, label)

    def per_stratum(itemset: Collection[Hashable]) -> np.ndarray:
        held = np.asarray(matrix[:, [code[item] for item in itemset]].sum(axis=1)).ravel() == len(itemset)
        return np.bincount(stratum[held], minlength=len(n))

    sides = zip(rules["antecedent"], rules["consequent"], strict=True)
    pairs = [(per_stratum(x | y).sum(), (per_stratum(x) * per_stratum(y) / n).sum()) for x, y in sides]
    return np.array([both / expected if expected else np.nan for both, expected in pairs])


def fisher_greater(both: np.ndarray, x: np.ndarray, y: np.ndarray, n: np.ndarray) -> np.ndarray:
    """One-sided p-values of Fisher's exact test: how probable are `both` or more joint baskets under independence.

    The same as `scipy.stats.hypergeom.sf(both - 1, n, x, y)`, for all rules at once and some hundred times faster: from
    the first term of the tail, each next one is a ratio away, and terms fall as one walks away from the expectation.

    Args:
        both: Baskets with antecedent and consequent, shape (n_rules,).
        x: Baskets with the antecedent.
        y: Baskets with the consequent.
        n: All baskets.

    Returns:
        Probabilities, shape (n_rules,).
    """
    both, x, y, n = (np.asarray(a, dtype=float) for a in (both, x, y, n))
    above = both * n > x * y  # there the upper tail is summed; else the lower one, of which the rest is the answer
    k = np.where(above, both, both - 1)
    possible = (k >= 0) & (k >= x + y - n)
    first = np.where(possible, k, np.maximum(0, x + y - n))

    log_first = log_binomial(x, first) + log_binomial(n - x, y - first) - log_binomial(n, y)
    total, term, going = np.ones_like(k), np.ones_like(k), np.flatnonzero(possible)
    while len(going):
        at, gx, gy, gn = first[going], x[going], y[going], n[going]
        up = (gx - at) * (gy - at) / ((at + 1) * np.maximum(gn - gx - gy + at + 1, 1))
        down = at * (gn - gx - gy + at) / ((gx - at + 1) * (gy - at + 1))
        term[going] *= np.where(above[going], up, down)
        total[going] += term[going]
        first[going] += np.where(above[going], 1, -1)
        going = going[term[going] > total[going] * 1e-17]
    tail = np.where(possible, np.exp(log_first) * total, 0.0)
    return np.clip(np.where(above, tail, 1 - tail), 0, 1)


def log_binomial(n: np.ndarray, k: np.ndarray) -> np.ndarray:
    """Logarithm of the number of ways to choose k of n, both from 0, elementwise; -inf where k > n."""
    inside = k <= n
    rest = np.where(inside, n - k, 0)
    return np.where(inside, gammaln(n + 1) - gammaln(k + 1) - gammaln(rest + 1), -np.inf)


def item_codes(rules: pd.DataFrame, items: pd.DataFrame, label: str) -> dict[Hashable, int]:
    """Label → item code; raises `UnknownName` if the rules hold an item that the item table lacks."""
    code = {name: column for column, name in enumerate(item_labels(items, label))}
    strangers = set().union(*rules["antecedent"], *rules["consequent"]) - set(code)
    if strangers:
        raise UnknownName("item", str(next(iter(strangers))), list(code)[:10], "These are the first ten items.")
    return code

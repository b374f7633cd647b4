"""Which rules are more than chance: Fisher's exact test, false discoveries held down, lift within groups.

Here is also the kit's one definition of a *link* between two products, see `linked_pairs`.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable

import numpy as np
import pandas as pd
from scipy.special import gammaln
from scipy.stats import false_discovery_control, norm

from llmarm_tutorial.data.table import item_labels
from llmarm_tutorial.errors import BadParameter, UnknownName
from llmarm_tutorial.mining.itemsets import Baskets, as_matrix, pair_counts
from llmarm_tutorial.mining.measures import expected_count_within, lift


def rule_significance(rules: pd.DataFrame, n_tests: int | None = None) -> pd.DataFrame:
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
        p: p-values, shape (n,), in [0, 1]; those a trifle above 1, as sums give, count as 1.
        n_tests: How many tests were made, at least n; those not in `p` count as p = 1, that is, they stand behind all
            others and only raise the number. None: just those in `p`.

    Returns:
        q-values, shape (n,), in [0, 1].

    Raises:
        BadParameter: If a p-value is below 0 or unknown (NaN).
    """
    p = np.minimum(np.asarray(p, dtype=float), 1)
    if not len(p):
        return p
    if not (p >= 0).all():
        raise BadParameter("p-values lie between 0 and 1 and are known: leave out tests without one.")
    # scipy corrects for the tests in p; those not in it only raise their number, and a share stays at most 1
    return np.minimum(false_discovery_control(p) * (1 if n_tests is None else n_tests / len(p)), 1)


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
    values = {"count": both, "lift": lift(both, support[i], support[j], n), "p_value": p, "q_value": q}
    return pd.DataFrame({"i": i, "j": j, **values})


def check_link(min_count: int, max_q: float | None) -> None:
    """Raise `BadParameter` unless the thresholds of a link are in range, see `linked_pairs`."""
    if min_count < 1 or (max_q is not None and not 0 < max_q <= 1):
        raise BadParameter(f"Links need min_count from 1 and max_q in (0, 1] or None, not {min_count} and {max_q}.")


def linked_pairs(
    baskets: Baskets, *, min_count: int = 1, min_lift: float = 0.0, max_q: float | None = 0.05
) -> pd.DataFrame:
    """The kit's definition of a link between two products: together more often than luck makes any of all pairs.

    Whether there is a link is a question asked of all pairs at once, and most of a million pairs are strangers. A test
    or an interval that is right for one pair lets thousands of strangers through; hence Fisher's exact test, which is
    exact for few baskets too, with the share of false links among those kept held down (Benjamini & Hochberg 1995). A
    minimum count and lift can be asked on top: a link that is real may still be weak.

    `lift_low` is no second definition. It *orders* pairs that are looked at anyway, such as the partners on one
    product's page, by how strong they are for sure; it is made for one pair and corrects for no others. The one place
    that takes pairs by it is the shelf, see `recommend.shelf.link_weights`.

    Args:
        baskets: Transactions with baskets, or a sparse matrix of baskets × items.
        min_count: Fewest baskets that hold both, from 1.
        min_lift: Least lift, from 0.
        max_q: Most expected share of false links among those kept, in (0, 1]; None lets chance in.

    Returns:
        The rows of `pair_tests` that are links.

    Raises:
        BadParameter: If a threshold is out of range.
    """
    check_link(min_count, max_q)
    found = pair_tests(baskets)
    keep = (found["count"] >= min_count) & (found["lift"] >= min_lift)
    if max_q is not None:
        keep &= found["q_value"] <= max_q
    return found[keep]


def lift_low(joint: np.ndarray, left: np.ndarray, right: np.ndarray, n: int, level: float = 0.95) -> np.ndarray:
    """Lift of X ⇒ Y at the lower end of an interval: a score to order pairs by, cautious where baskets are few.

    The lower end of the two-sided Wilson interval (1927) of the confidence, divided by the share of all baskets that
    hold Y; so it is not the same for Y ⇒ X. The share of Y, which rests on all baskets, is taken as known.

    Args:
        joint: Baskets with X and Y, shape (n_pairs,).
        left: Baskets with X, at least 1.
        right: Baskets with Y, at least 1.
        n: All baskets.
        level: Coverage of the interval, in (0, 1).

    Returns:
        Shape (n_pairs,), at least 0 and below the lift.
    """
    z = norm.ppf((1 + level) / 2)
    joint, left = np.asarray(joint, dtype=float), np.asarray(left, dtype=float)
    middle = joint + z**2 / 2
    low = (middle - z * np.sqrt(joint * (left - joint) / left + z**2 / 4)) / (left + z**2)
    return np.maximum(low, 0) / (np.asarray(right) / n)


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
    code = item_codes(rules, items, label)

    def holds(itemset: Collection[Hashable]) -> np.ndarray:
        return np.asarray(matrix[:, [code[item] for item in itemset]].sum(axis=1)).ravel() == len(itemset)

    values = []
    for x, y in zip(rules["antecedent"], rules["consequent"], strict=True):
        left, right = holds(x), holds(y)
        expected = expected_count_within(left, right, stratum)
        values.append((left & right).sum() / expected if expected else np.nan)
    return np.array(values)


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

"""Which rules are worth believing: significance, redundancy, unseen baskets, planted truth.

All functions take the rule table of `rules` and return a new one; none changes its argument.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable, Iterable
from itertools import chain, combinations

import numpy as np
import pandas as pd
from scipy.special import gammaln

from llmarm_tutorial.data.transactions import item_labels
from llmarm_tutorial.errors import BadParameter, UnknownName
from llmarm_tutorial.mining.itemsets import Baskets, as_matrix, count_itemsets, pair_counts
from llmarm_tutorial.mining.rules import COLUMNS, measures

Truth = Iterable[tuple[Collection[Hashable], Collection[Hashable]]]


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
    code = _codes(rules, items, label)

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

    def log_choose(of: np.ndarray, take: np.ndarray) -> np.ndarray:
        return gammaln(of + 1) - gammaln(take + 1) - gammaln(of - take + 1)

    log_first = log_choose(x, first) + log_choose(n - x, y - first) - log_choose(n, y)
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


def without_redundant(rules: pd.DataFrame, min_improvement: float = 0.0) -> pd.DataFrame:
    """Drop rules that a more general one makes superfluous (Bayardo, Agrawal & Gunopulos 1999).

    A rule X ⇒ Y is redundant when some rule X' ⇒ Y of the table with X' a proper subset of X, or Y's own share of the
    baskets (the rule with an empty antecedent), has at least its confidence less `min_improvement`.

    Args:
        rules: Rule table with the shorter rules still in it.
        min_improvement: Confidence that the longer rule must gain over every shorter one, in [0, 1); 0 asks for any.
    """
    known = dict(zip(zip(rules["antecedent"], rules["consequent"], strict=True), rules["confidence"], strict=True))
    best = (rules["consequent_count"] / rules["n_baskets"]).tolist()
    for row, (x, y) in enumerate(zip(rules["antecedent"], rules["consequent"], strict=True)):
        shorter = chain.from_iterable(combinations(x, size) for size in range(1, len(x)))
        best[row] = max(best[row], *(known.get((frozenset(part), y), 0.0) for part in shorter), 0.0)
    return rules[rules["confidence"] > np.array(best) + min_improvement].reset_index(drop=True)


def recount(rules: pd.DataFrame, baskets: Baskets, label: str = "item_id") -> pd.DataFrame:
    """The same rules counted in other baskets, for instance ones that came after those they were mined from.

    Args:
        rules: Rule table.
        baskets: Transactions or matrix that know all items of the rules.
        label: Column of the item table that names the items in the rules.

    Returns:
        Rule table with the same rules in the same order; confidence and what rests on it is NaN for a rule whose
        antecedent or consequent does not occur.
    """
    matrix, items = as_matrix(baskets)
    code = _codes(rules, items, label)

    def count(sets: Iterable[frozenset]) -> np.ndarray:
        coded = [sorted(code[item] for item in itemset) for itemset in sets]
        counts = np.zeros(len(coded), dtype=np.int64)
        lengths = np.array([len(itemset) for itemset in coded], dtype=int)
        for length in np.unique(lengths):
            rows = np.flatnonzero(lengths == length)
            counts[rows] = count_itemsets(matrix, np.array([coded[row] for row in rows], dtype=np.int64))
        return counts

    x, y = count(rules["antecedent"]), count(rules["consequent"])
    both = count(a | b for a, b in zip(rules["antecedent"], rules["consequent"], strict=True))
    n = matrix.shape[0]
    occurs = (x > 0) & (y > 0)
    values = measures(both, np.where(occurs, x, 1), np.where(occurs, y, 1), n)
    found = {name: value if name == "support" else np.where(occurs, value, np.nan) for name, value in values.items()}
    counts = {"count": both, "antecedent_count": x, "consequent_count": y, "n_baskets": n}
    return rules[["antecedent", "consequent"]].assign(**found, **counts)[list(COLUMNS)]


def _codes(rules: pd.DataFrame, items: pd.DataFrame, label: str) -> dict[Hashable, int]:
    """Label → item code; raises `UnknownName` if the rules hold an item that the item table lacks."""
    code = {name: column for column, name in enumerate(item_labels(items, label))}
    strangers = set().union(*rules["antecedent"], *rules["consequent"]) - set(code)
    if strangers:
        raise UnknownName("item", str(next(iter(strangers))), list(code)[:10], "These are the first ten items.")
    return code


def select(
    rules: pd.DataFrame,
    *,
    antecedent: Iterable[Hashable] | None = None,
    consequent: Iterable[Hashable] | None = None,
    either: Iterable[Hashable] | None = None,
) -> pd.DataFrame:
    """Rules that hold at least one of the given items in their antecedent, their consequent, or on either side."""

    def touches(column: str, wanted: Iterable[Hashable]) -> np.ndarray:
        wanted = frozenset(wanted)
        return np.array([not wanted.isdisjoint(itemset) for itemset in rules[column]], dtype=bool)

    keep = np.ones(len(rules), dtype=bool)
    if antecedent is not None:
        keep &= touches("antecedent", antecedent)
    if consequent is not None:
        keep &= touches("consequent", consequent)
    if either is not None:
        either = list(either)
        keep &= touches("antecedent", either) | touches("consequent", either)
    return rules[keep].reset_index(drop=True)


def rank(rules: pd.DataFrame, by: str, n: int | None = None) -> pd.DataFrame:
    """The rules sorted by a measure, best first; equal ones by count, then by their items, so that ranks are stable.

    Args:
        rules: Rule table.
        by: A numeric column; p- and q-values are best when small, all others when large.
        n: How many to return; None for all.

    Raises:
        UnknownName: If there is no such column.
    """
    numeric = [c for c in rules if c not in ("antecedent", "consequent")]
    if by not in numeric:
        raise UnknownName("measure", by, numeric)
    text = [
        " ".join(sorted(map(str, a))) + " > " + " ".join(sorted(map(str, b)))
        for a, b in zip(rules["antecedent"], rules["consequent"], strict=True)
    ]
    keyed = rules.assign(_text=text)
    ascending = by in ("p_value", "q_value")
    keyed = keyed.sort_values([by, "count", "_text"], ascending=[ascending, False, True], kind="stable")
    return keyed.drop(columns="_text").head(len(rules) if n is None else n).reset_index(drop=True)


def against_truth(ranked: pd.DataFrame, truth: Truth, *, directed: bool = True) -> pd.DataFrame:
    """Precision and recall down a ranking, against rules known to be real.

    Args:
        ranked: Rule table, best rule first.
        truth: Pairs (antecedent, consequent) of item collections.
        directed: Whether X ⇒ Y and Y ⇒ X differ. If not, both count as the itemset X ∪ Y and its second mention in the
            ranking is passed over: fair for symmetric measures such as lift.

    Returns:
        One row per rule (or itemset) of the ranking: `rank` from 1, `hit`, `precision` and `recall` so far.

    Raises:
        BadParameter: If the truth is empty.
    """

    def key(x: Collection[Hashable], y: Collection[Hashable]) -> Hashable:
        return (frozenset(x), frozenset(y)) if directed else frozenset(x) | frozenset(y)

    real = {key(x, y) for x, y in truth}
    if not real:
        raise BadParameter("There are no true rules to compare with; this data set has no planted truth of that kind.")
    keys = list(dict.fromkeys(key(x, y) for x, y in zip(ranked["antecedent"], ranked["consequent"], strict=True)))
    hit = np.array([k in real for k in keys], dtype=bool)
    place = np.arange(1, len(keys) + 1)
    return pd.DataFrame(
        {"rank": place, "hit": hit, "precision": hit.cumsum() / place, "recall": hit.cumsum() / len(real)}
    )


def average_precision(curve: pd.DataFrame) -> float:
    """Mean over all true rules of the precision at their rank, 0 for those not in the ranking: in [0, 1].

    Args:
        curve: The result of `against_truth`.
    """
    if not curve["hit"].any():
        return 0.0
    gained = curve["recall"].diff().fillna(curve["recall"].iloc[0])
    return float((curve["precision"] * gained).sum())

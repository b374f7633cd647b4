"""Which rules are worth believing: significance, redundancy, unseen baskets, planted truth.

All functions take the rule table of `rules` and return a new one; none changes its argument.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable
from itertools import chain, combinations

import numpy as np
import pandas as pd

from llmarm_tutorial.errors import BadParameter, UnknownName
from llmarm_tutorial.mining.itemsets import Baskets, as_matrix, count_itemsets
from llmarm_tutorial.mining.measures import measures
from llmarm_tutorial.mining.rules import COLUMNS
from llmarm_tutorial.mining.significance import item_codes
from llmarm_tutorial.mining.thresholds import reaches

Truth = Iterable[tuple[Collection[Hashable], Collection[Hashable]]]


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
    superfluous = reaches(np.array(best), rules["confidence"].to_numpy(float) - min_improvement)
    return rules[~superfluous].reset_index(drop=True)


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
    code = item_codes(rules, items, label)

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


def kept_by_evidence(mined: pd.DataFrame, unseen: pd.DataFrame, groups: int = 4) -> pd.DataFrame:
    """How much of their confidence rules keep, by the number of baskets behind them.

    Args:
        mined: Rule table as mined.
        unseen: The same rules in the same order, recounted in unseen baskets (`recount`).
        groups: Most groups of about equally many rules; fewer where many rules have the same count.

    Returns:
        One row per group, the one with the fewest baskets first, indexed by the counts as "5 to 12" or "5": mean
        confidence `mined` and `unseen`, the number of `rules`, and the share `kept` of it. Rules whose antecedent or
        consequent does not occur in the unseen baskets are left out.
    """
    table = pd.DataFrame(
        {"mined": mined["confidence"], "unseen": unseen["confidence"], "count": mined["count"]}
    ).dropna()
    edges = np.unique(np.quantile(table["count"], np.linspace(0, 1, groups + 1)[1:-1])) if len(table) else []
    group = np.searchsorted(edges, table["count"])
    found = table.groupby(group)
    kept = found[["mined", "unseen"]].mean().assign(rules=found.size())
    kept["kept"] = kept["unseen"] / kept["mined"]
    spans = found["count"].agg(["min", "max"])
    kept.index = [f"{least:,}" if least == most else f"{least:,} to {most:,}" for least, most in spans.to_numpy()]
    return kept.rename_axis("baskets behind the rule")


def rank_rules(rules: pd.DataFrame, by: str, n: int | None = None) -> pd.DataFrame:
    """The rules sorted by a measure, best first; equal ones by count, then by their items, so that ranks are stable.

    Args:
        rules: Rule table.
        by: A numeric column; p- and q-values are best when small, all others when large. What is undefined (NaN), such
            as the conviction of a rule whose consequent every basket holds, comes last.
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
        One row per rule (or itemset) of the ranking: `rank_rules` from 1, `hit`, `precision` and `recall` so far.

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


def precision_at_each(
    ranking: Iterable[Hashable], wanted: Collection[Hashable], passed_over: Collection[Hashable] = ()
) -> dict[Hashable, float]:
    """The precision of a ranking at the place of each thing wanted; the mean of these is the average precision.

    Args:
        ranking: All candidates, the best first, each once.
        wanted: What should come first.
        passed_over: Candidates that count neither way, such as true rules of another kind.

    Returns:
        For each of `wanted`, in its order, the precision down to its place, in [0, 1]; 0 if it is not in the ranking.
    """
    wanted, passed_over = dict.fromkeys(wanted, 0.0), set(passed_over) - set(wanted)
    place = hits = 0
    for candidate in ranking:
        place += candidate not in passed_over
        if candidate in wanted:
            hits += 1
            wanted[candidate] = hits / place
    return wanted

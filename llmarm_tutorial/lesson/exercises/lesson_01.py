"""The exercises of lesson 01: confidence, maximal itemsets, lift and substitutes."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from llmarm_tutorial.lesson.answers import Exercise, near

FIVE = [{1, 2}, {3, 4}, {1, 2, 3, 4}, {1, 2, 3}, {2, 3, 4}]
PAIRS = pd.DataFrame(
    {
        "antecedent": [frozenset("a"), frozenset("b"), frozenset("c"), frozenset("d")],
        "consequent": [frozenset("b"), frozenset("c"), frozenset("d"), frozenset("e")],
        "count": [40, 90, 1, 60],
        "antecedent_count": [400, 300, 10, 250],
        "consequent_count": [300, 300, 20, 300],
        "n_baskets": [1000, 1000, 1000, 1000],
    },
    index=[7, 3, 5, 1],
)  # expected by chance: 120, 90, 0.2, 75


def _rows(function: Callable[..., pd.DataFrame], **options: float) -> list[str]:
    """Antecedents of the rows returned, whatever has become of the index."""
    return ["".join(itemset) for itemset in function(PAIRS.copy(), **options)["antecedent"]]


EXERCISES = [
    Exercise(
        id="01.1",
        title="the confidence of {2} ⇒ {4}",
        checks=[
            (lambda v: 0 <= float(v) <= 1, "a confidence is a share, so it lies between 0 and 1."),
            (
                lambda v: not near(v, 2 / 5),
                "that is the support of {2, 4}; of which baskets is the confidence a share?",
            ),
            (lambda v: not near(v, 2 / 3), "that is the confidence of {4} ⇒ {2}; the antecedent stands on the left."),
            (lambda v: near(v, 2 / 4), "divide the number of baskets with both by the number with the antecedent."),
        ],
        hints=[
            "First find the baskets that hold 2. How many are there?",
            "Among those, how many hold 4 as well?",
            "There are four baskets with 2; go through them one by one.",
        ],
    ),
    Exercise(
        id="01.2",
        title="maximal itemsets at one half",
        checks=[
            (lambda v: all(isinstance(s, frozenset) for s in v), "give a set whose members are frozensets."),
            (
                lambda v: frozenset({1, 2, 3}) not in v,
                "{1, 2, 3} is in two baskets of five: not frequent, so it cannot be maximal.",
            ),
            (
                lambda v: not any(len(s) == 1 for s in v),
                "a single item here is part of a larger frequent itemset, so it is not maximal.",
            ),
            (
                lambda v: set(v) == {frozenset({1, 2}), frozenset({2, 3}), frozenset({3, 4})},
                "maximal means frequent and without any frequent superset: go through the frequent pairs.",
            ),
        ],
        hints=[
            "Which itemsets are frequent at all? Section 2 lists them.",
            "No itemset of three items is frequent here.",
        ],
    ),
    Exercise(
        id="01.3",
        title="lift from nothing",
        checks=[
            (callable, "hand in the function itself, without calling it."),
            (
                lambda f: f({1}, {2}, FIVE) is not None,
                "the function returns nothing: end it with a return.",
            ),
            (
                lambda f: near(f({1}, {2}, FIVE), 1.25),
                "for {1} ⇒ {2} in the five baskets the lift is 1 / 0.8; yours differs.",
            ),
            (
                lambda f: near(f({3}, {2}, FIVE), 15 / 16),
                "for {3} ⇒ {2} it must be below 1: compare with how often the consequent is bought anyway.",
            ),
            (
                lambda f: near(f({1, 3}, {2, 4}, FIVE), 1 * 5 / (2 * 2)),
                "antecedent and consequent may have several items: a basket counts if it holds all of them.",
            ),
        ],
        hints=[
            "Three counts are enough: baskets with x, with y, and with all of both.",
            "`x <= basket` is True if every item of the set x is in the basket.",
            "lift = n · count(x and y) / (count(x) · count(y))",
        ],
    ),
    Exercise(
        id="01.4",
        title="products that avoid each other",
        checks=[
            (callable, "hand in the function itself, without calling it."),
            (lambda f: isinstance(f(PAIRS.copy()), pd.DataFrame), "the function must return a data frame."),
            (
                lambda f: "c" not in _rows(f),
                "a pair of two rare items stays in although chance alone would hardly let them meet once.",
            ),
            (
                lambda f: sorted(_rows(f)) == ["a", "b", "d"],
                "keep every row whose expected number of joint baskets reaches the threshold, and no other.",
            ),
            (lambda f: _rows(f) == ["a", "d", "b"], "sort by the count as a share of the expectation, smallest first."),
            (lambda f: _rows(f, expected=100) == ["a"], "use the argument `expected` as the threshold."),
        ],
        hints=[
            "Under independence the share of baskets with both is the product of the two shares.",
            "As a number of baskets: antecedent_count · consequent_count / n_baskets.",
        ],
    ),
]

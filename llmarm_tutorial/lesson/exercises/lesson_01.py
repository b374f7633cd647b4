"""The exercises of lesson 01: confidence, lift and substitutes."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from llmarm_tutorial.lesson.answers import Exercise, near, number

FIVE = [{1, 2}, {3, 4}, {1, 2, 3, 4}, {1, 2, 3}, {2, 3, 4}]
PAIRS = pd.DataFrame(
    {
        "antecedent": [frozenset(letter) for letter in "abcdefg"],
        "consequent": [frozenset(letter) for letter in "bcdefga"],
        "count": [60, 90, 1, 35, 20, 32, 10],
        "antecedent_count": [512, 512, 10, 256, 128, 640, 255],
        "consequent_count": [400, 200, 20, 200, 640, 128, 200],
        "n_baskets": [1024] * 7,  # a power of two: no way of computing d's expectation of exactly 50 is rounded
    },
    index=[7, 3, 5, 1, 9, 2, 4],
)  # expected by chance: 200, 100, 0.2, 50, 80, 80, 49.8; the shares' order is that of no other column
ORDER = ["e", "a", "f", "d", "b"]


def _rows(function: Callable[..., pd.DataFrame], **options: float) -> list[str]:
    """Antecedents of the rows returned, whatever has become of the index."""
    return ["".join(itemset) for itemset in function(PAIRS, **options)["antecedent"]]


EXERCISES = [
    Exercise(
        id="01.1",
        title="the confidence of {2} ⇒ {4}",
        gives="a number",
        checks=[
            (lambda v: 0 <= number(v) <= 1, "a confidence is a share, so it lies between 0 and 1."),
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
        title="lift from nothing",
        returns="a number",
        checks=[
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
            (
                lambda f: near(f({"x"}, {"y"}, [{"x", "y"}, {"x"}, {"y"}, {"y", "z"}]), 1 * 4 / (2 * 3)),
                "in four other baskets, {x, y}, {x}, {y} and {y, z}, it must be 2/3 for {x} ⇒ {y}.",
            ),
        ],
        hints=[
            "Three counts are enough: baskets with x, with y, and with all of both.",
            "`x <= basket` is True if every item of the set x is in the basket.",
            "lift = n · count(x and y) / (count(x) · count(y))",
        ],
    ),
    Exercise(
        id="01.3",
        title="products that avoid each other",
        returns="rows of the table that it gets, as a data frame",
        checks=[
            (
                lambda f: set(PAIRS.columns) <= set(f(PAIRS).columns),
                "return rows of the table with all columns that it has.",
            ),
            (
                lambda f: "c" not in _rows(f),
                "a pair of two rare items stays in although chance alone would hardly let them meet once.",
            ),
            (
                lambda f: "d" in _rows(f),
                "one pair is expected to meet exactly 50 times: *at least* `expected` takes it in.",
            ),
            (
                lambda f: sorted(_rows(f)) == sorted(ORDER),
                "keep every row whose expected number of joint baskets reaches the threshold, and no other.",
            ),
            (lambda f: _rows(f) == ORDER, "sort by the count as a share of the expectation, smallest first."),
            (lambda f: _rows(f, expected=100) == ["a", "b"], "use the argument `expected` as the threshold."),
        ],
        hints=[
            "Under independence the share of baskets with both is the product of the two shares.",
            "As a number of baskets: antecedent_count · consequent_count / n_baskets.",
        ],
    ),
]

"""The exercises of lesson 06: cosine, fusing two lists, and trading relevance for diversity."""

from __future__ import annotations

from typing import Any

import numpy as np

from llmarm_tutorial.lesson.answers import Exercise, near
from llmarm_tutorial.recommend import rerank

# scores fall as 2, 0, 3, 1: the place in the list is not the number of the item
SCORES = np.array([0.95, 0.3, 1.0, 0.6])
SIMILAR = np.array([[1.0, 0.0, 0.9, 0.1], [0.0, 1.0, 0.0, 0.5], [0.9, 0.0, 1.0, 0.1], [0.1, 0.5, 0.1, 1.0]])


def _list(answer: Any) -> list[int]:
    return [int(item) for item in answer]


def _letters(value: Any) -> list[str]:
    """Letters of a list or of a text, which may have commas."""
    return [str(letter).upper() for letter in value if not isinstance(value, str) or letter.isalpha()]


def _chosen(trade: float, k: int) -> list[int]:
    """What the package lists of the drawn items, whose scores go from 0 to 1."""
    return rerank.mmr(DRAWN_SCORES[None], DRAWN_SIMILAR, trade, k, len(DRAWN_SCORES))[0].tolist()


_RANDOM = np.random.default_rng(6)
DRAWN_SCORES = _RANDOM.permutation(12) / 11
DRAWN_SIMILAR = np.triu(_RANDOM.random((12, 12)), 1)
DRAWN_SIMILAR = DRAWN_SIMILAR + DRAWN_SIMILAR.T + np.eye(12)

EXERCISES = [
    Exercise(
        id="06.1",
        title="a cosine, divided twice",
        gives="two numbers",
        checks=[
            (lambda v: len(v) == 2, "hand in two numbers: the similarities of x to y and of x to z."),
            (
                lambda v: not (near(v[0], 1) and near(v[1], 0.6)),
                "these are the cosines; the formula divides by both lengths once more.",
            ),
            (
                lambda v: not (near(v[0], 50) and near(v[1], 3)),
                "these are the products; divide by both lengths, and then again.",
            ),
            (lambda v: near(v[0], 1 / 50), "x and y have lengths 5 and 10."),
            (lambda v: near(v[1], 0.6 / 5), "x and z have lengths 5 and 1."),
        ],
        hints=[
            "The length of (3, 4) is the square root of 9 + 16.",
            "Cosine: x · y divided by the length of x and by the length of y. Then divide by both again.",
            "The product of x and y is 50, their lengths are 5 and 10; the product of x and z is 3.",
        ],
    ),
    Exercise(
        id="06.2",
        title="reciprocal rank fusion",
        gives="three letters, as a list or as text",
        checks=[
            (lambda v: sorted(_letters(v)) == ["A", "B", "C"], "each of A, B and C stands once in the answer."),
            (
                lambda v: _letters(v)[0] == "B",
                "an item on two lists gets something from both; only one stands that high on both.",
            ),
            (
                lambda v: _letters(v) == ["B", "C", "A"],
                "compare 1/(60 + 3) + 1/(60 + 2) with 1/(60 + 1): with 60 added, being on both lists is worth a lot.",
            ),
        ],
        hints=[
            "Add up 1/(60 + rank) over the lists that hold the item.",
            "A: 1/61. B: 1/62 + 1/61. C: 1/63 + 1/62.",
        ],
    ),
    Exercise(
        id="06.3",
        title="maximal marginal relevance",
        returns="a list of k item numbers",
        checks=[
            (lambda f: len(_list(f(SCORES, SIMILAR, 0.5, 3))) == 3, "return a list of k items."),
            (
                lambda f: len(set(_list(f(SCORES, SIMILAR, 0.1, 4)))) == 4,
                "an item that was chosen is no candidate again.",
            ),
            (
                lambda f: _list(f(SCORES, SIMILAR, 1.0, 4)) == [2, 0, 3, 1],
                "with trade = 1 only the scores count: the order is that of the scores.",
            ),
            (lambda f: _list(f(SCORES, SIMILAR, 0.5, 1)) == [2], "the first item is the one with the highest score."),
            (
                lambda f: _list(f(SCORES, SIMILAR, 0.5, 2)) == [2, 3],
                "take off (1 - trade) times the similarity to the nearest item chosen so far.",
            ),
            (
                lambda f: _list(f(SCORES, SIMILAR, 0.3, 4)) == [2, 3, 1, 0],
                "compare a candidate with all items chosen so far and take the largest similarity, not the last.",
            ),
            (
                lambda f: all(_list(f(DRAWN_SCORES, DRAWN_SIMILAR, t, 6)) == _chosen(t, 6) for t in (0.2, 0.5, 0.8)),
                "of twelve drawn items it lists others: weigh scores with `trade`, similarities with 1 - `trade`.",
            ),
        ],
        hints=[
            "Start with the best item, then choose one after the other.",
            "Value of a candidate: trade × its score − (1 − trade) × its largest similarity to an item chosen so far.",
            "`similarity[:, chosen].max(axis=1)` gives the second term for all items; set those chosen to -np.inf.",
        ],
    ),
]

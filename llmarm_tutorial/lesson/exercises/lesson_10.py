"""The exercises of lesson 10: lift and PMI, two hops, and new links among the first pairs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from llmarm_tutorial.lesson.answers import Exercise, near, number

# a path 0 – 1 – 2 with a heavier second link, 3 hanging on 1, and 4 alone
PATH = np.zeros((5, 5))
for _a, _b, _weight in ((0, 1, 1.0), (1, 2, 3.0), (1, 3, 1.0)):
    PATH[_a, _b] = PATH[_b, _a] = _weight
TRIANGLE = np.ones((3, 3)) - np.eye(3)

_RANDOM = np.random.default_rng(8)
DRAWN = np.triu(_RANDOM.random((9, 9)) * (_RANDOM.random((9, 9)) < 0.4), 1)
DRAWN = DRAWN + DRAWN.T

SCORES = np.triu(_RANDOM.permutation(81).reshape(9, 9), 1).astype(float)
SCORES = SCORES + SCORES.T + 100 * np.eye(9)  # most like itself
PAST = DRAWN > 0
LATER = np.triu(_RANDOM.random((9, 9)) < 0.35, 1)
LATER = LATER | LATER.T | PAST  # links of the past stay links


def _two(function: Callable[..., Any], weights: np.ndarray) -> np.ndarray:
    return np.asarray(function(weights), dtype=float)


def _walked(weights: np.ndarray) -> np.ndarray:
    """Chance of the second step's end, without the start and direct links."""
    found = np.zeros_like(weights)
    out = weights.sum(axis=1)
    for a in range(len(weights)):
        for b in np.flatnonzero(weights[a]):
            for c in np.flatnonzero(weights[b]):
                if c != a and not weights[a, c]:
                    found[a, c] += weights[a, b] / out[a] * weights[b, c] / out[b]
    return found


def _share(function: Callable[..., Any], k: int) -> float:
    return number(function(SCORES, PAST, LATER, k))


def _found(k: int, candidates: np.ndarray, positives: np.ndarray) -> float:
    """Share of the positives among the first k of the candidates, both given as pairs above the diagonal."""
    order = sorted(zip(*np.nonzero(np.triu(candidates, 1)), strict=True), key=lambda pair: -SCORES[pair])
    return sum(bool(positives[pair]) for pair in order[:k]) / np.triu(positives & candidates, 1).sum()


EVERY = ~np.eye(9, dtype=bool)

EXERCISES = [
    Exercise(
        id="10.1",
        title="the weight of a link",
        gives="two numbers",
        checks=[
            (lambda v: len(v) == 2, "hand in two numbers: the lift, and the PMI in bits."),
            (lambda v: not near(v[0], 0.8), "this is a confidence; divide by how common the other one is."),
            (lambda v: near(v[0], 2), "lift: 4 baskets with both, times 10, divided by 4 and by 5."),
            (lambda v: not near(v[1], np.log(2), 1e-3), "these are nats; bits take the logarithm to the base of 2."),
            (lambda v: near(v[1], 1), "the PMI is the logarithm to the base of 2 of the lift."),
        ],
        hints=[
            "If they were strangers, how many of 10 baskets would hold both?",
            "Strangers: 10 · 0.4 · 0.5 = 2 baskets. There are 4.",
        ],
    ),
    Exercise(
        id="10.2",
        title="two hops",
        returns="an array of shape (n, n)",
        checks=[
            (lambda f: _two(f, PATH).shape == (5, 5), "return one number for each pair: shape (n, n)."),
            (
                lambda f: not np.diag(_two(f, PATH)).any(),
                "a return to the start is nothing new: set the diagonal to 0.",
            ),
            (lambda f: not _two(f, TRIANGLE).any(), "pairs that are linked directly get 0."),
            (
                lambda f: near(_two(f, PATH)[0, 2], 0.6),
                "from 0 to 1 for sure, then to 2 with 3 of 5: links are chosen in proportion to their weights.",
            ),
            (
                lambda f: near(_two(f, PATH)[2, 0], 0.2),
                "from 1 to 0 it is 1 of 5: divide rows by their sums, not columns.",
            ),
            (lambda f: np.allclose(_two(f, DRAWN), _walked(DRAWN)), "add up all ways over one product in between."),
        ],
        hints=[
            "Each row divided by its sum: chances of one step. Two steps: this matrix times itself.",
            "Without links nobody goes anywhere: `np.maximum(weights.sum(axis=1, keepdims=True), 1e-12)` is safe to "
            "divide by.",
            "In the end set `found[weights > 0]` and the diagonal to 0.",
        ],
    ),
    Exercise(
        id="10.3",
        title="new links among the first pairs",
        returns="a number",
        checks=[
            (
                lambda f: near(_share(f, 36), 1),
                "with all pairs listed every new link is found: count each pair once, divide by the new links.",
            ),
            (
                lambda f: not near(_share(f, 12), _found(12, EVERY, LATER)),
                "links of the past are no candidates: whoever lists them is right without predicting anything.",
            ),
            (
                lambda f: not near(_share(f, 12), _found(12, EVERY, LATER & ~PAST)),
                "links of the past still take places among the first k: leave them out before sorting.",
            ),
            (
                lambda f: near(_share(f, 12), _found(12, ~PAST, LATER)),
                "each pair counts once: look above the diagonal.",
            ),
            (lambda f: near(_share(f, 3), _found(3, ~PAST, LATER)), "the first k by score, the highest first."),
        ],
        hints=[
            "`i, j = np.nonzero(np.triu(~past, 1))` are the candidates.",
            "Sort the candidates by `-scores[i, j]`, take the first k and see which of them are True in `later`.",
            "Divide by the number of candidates that are True in `later`.",
        ],
    ),
]

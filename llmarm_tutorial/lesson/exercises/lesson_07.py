"""The exercises of lesson 07: chance among new products, a borrowed confidence, and lending confidences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from llmarm_tutorial.lesson.answers import Exercise, near, number

# similarities fall as 2, 0, 3, 1: the most similar product is not the first
CONFIDENCE = np.array([[0.2, 0.4, 0.6, 0.8], [0.5, 0.1, 0.3, 0.9]])
SIMILARITY = np.array([0.5, 0.1, 0.8, 0.2])
_RANDOM = np.random.default_rng(7)
DRAWN_CONFIDENCE = _RANDOM.random((6, 12))
DRAWN_SIMILARITY = _RANDOM.permutation(np.linspace(0.05, 0.9, 12))


def _lent(function: Callable[..., Any], k: int, confidence: np.ndarray, similarity: np.ndarray) -> np.ndarray:
    return np.asarray(function(confidence, similarity, k), dtype=float)


def _by_hand(k: int, confidence: np.ndarray, similarity: np.ndarray) -> np.ndarray:
    """Means of the confidences of the k most similar products, weighted by their similarity."""
    order = sorted(range(len(similarity)), key=lambda item: -similarity[item])[:k]
    return np.array([np.average(row[order], weights=similarity[order]) for row in confidence])


def _right(function: Callable[..., Any], k: int, confidence: np.ndarray, similarity: np.ndarray) -> bool:
    lent, wanted = _lent(function, k, confidence, similarity), _by_hand(k, confidence, similarity)
    return lent.shape == wanted.shape and np.allclose(lent, wanted, atol=1e-9)


EXERCISES = [
    Exercise(
        id="07.1",
        title="the reciprocal rank by chance",
        gives="a number",
        checks=[
            (lambda v: 0 < number(v) <= 1, "a reciprocal rank lies between 0 and 1."),
            (lambda v: not near(v, 1 / 3), "that is 1 over the mean rank; take the mean of 1 over each rank."),
            (lambda v: not near(v, 1 / 5), "that is the chance of each rank; what is it worth to be at that rank?"),
            (
                lambda v: near(v, (1 + 1 / 2 + 1 / 3 + 1 / 4 + 1 / 5) / 5, 2e-3),
                "each of five ranks is equally likely; the first is worth 1, the second 1/2, and so on.",
            ),
        ],
        hints=[
            "With which chance is the bought product at rank 1, at rank 2, …?",
            "At rank r it is worth 1/r. Add up 1/1 to 1/5.",
            "Divide the sum by 5.",
        ],
    ),
    Exercise(
        id="07.2",
        title="a borrowed confidence",
        gives="two shares",
        checks=[
            (lambda v: len(v) == 2, "hand in two shares: from the most similar product, and from both."),
            (lambda v: not near(v[0], 0.18), "divide by the similarity again: one product lends its whole confidence."),
            (lambda v: near(v[0], 0.3), "the most similar product lends what it has itself."),
            (lambda v: not near(v[1], 0.2), "that is the plain mean; the more similar product counts for more."),
            (lambda v: 0.1 <= number(v[1]) <= 0.3, "a mean of 0.3 and 0.1 lies between them."),
            (lambda v: near(v[1], 0.25), "weight 0.3 and 0.1 with the similarities, and divide by the sum of these."),
        ],
        hints=[
            "From one product: the similarity stands above and below the line of the formula.",
            "From both: 0.6 times 0.3 and 0.2 times 0.1, added up.",
            "Divide by 0.6 + 0.2.",
        ],
    ),
    Exercise(
        id="07.3",
        title="lending confidences to a new product",
        returns="an array with one number per antecedent",
        checks=[
            (
                lambda f: _lent(f, 1, CONFIDENCE, SIMILARITY).shape == (2,),
                "return one number per antecedent, so of shape (n_antecedents,).",
            ),
            (
                lambda f: _right(f, 1, CONFIDENCE, SIMILARITY),
                "with k = 1 it is the column of the most similar product, as it stands.",
            ),
            (
                lambda f: _right(f, 2, CONFIDENCE, SIMILARITY),
                "with k = 2 weight both columns by similarity and divide by the sum of these two similarities.",
            ),
            (
                lambda f: all(_right(f, k, DRAWN_CONFIDENCE, DRAWN_SIMILARITY) for k in (3, 7, 12)),
                "of twelve drawn products it gives other numbers: take the k most similar ones, whatever k is.",
            ),
        ],
        hints=[
            "First find the k most similar products: `np.argsort(-similarity)[:k]`.",
            "Take their columns of `confidence` and their similarities.",
            "`confidence[:, nearest] @ s / s.sum()`.",
        ],
    ),
]

"""The exercises of lesson 03: cross-entropy, what a causal model is asked, masking, and seeing order."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from llmarm_tutorial.lesson.answers import Exercise, near

FIRST_ITEM, MASK = 4, 2  # as in item_model, which would load torch for two numbers
ROW = np.array([3, 10, 11, 12, 3, 13, 14, 0, 0])


def _pairs(value: Any) -> list[tuple[int, str]]:
    return sorted((int(place), str(product)) for place, product in value)


def _masked(function: Callable, share: float, seed: int) -> tuple[np.ndarray, list[int]]:
    row, places = function(ROW.copy(), share, np.random.default_rng(seed))
    return np.asarray(row), sorted(int(place) for place in places)


def _often(function: Callable, share: float) -> float:
    """Mean share of products hidden over many draws."""
    return float(np.mean([len(_masked(function, share, seed)[1]) / 5 for seed in range(400)]))


def _agree(function: Callable) -> bool:
    """Whether the row is masked exactly at the places returned."""
    for seed in range(20):
        row, places = _masked(function, 0.4, seed)
        if not np.array_equal(np.where(np.isin(np.arange(len(ROW)), places), MASK, ROW), row):
            return False
    return True


def _set_model(tokens: np.ndarray) -> np.ndarray:
    """Vectors that know the other tokens, but not where they stand."""
    own = np.asarray(tokens, float)[:, None] * [1.0, 0.5]
    return own + own.mean(axis=0)


def _sequence_model(tokens: np.ndarray) -> np.ndarray:
    """Vectors that know the place of every token."""
    return _set_model(tokens) + np.arange(len(tokens))[:, None]


EXERCISES = [
    Exercise(
        id="03.1",
        title="a cross-entropy by hand",
        checks=[
            (lambda v: float(v) > 0, "a probability below 1 costs something: the loss is minus the logarithm."),
            (lambda v: not near(v, 2.25, 1e-3), "that is in bits; nats take the natural logarithm."),
            (lambda v: not near(v, math.log(4), 1e-3), "that is the log of a mean; take the mean of the logs."),
            (lambda v: near(v, 2.25 * math.log(2), 1e-3), "average -log p over the four gaps."),
        ],
        hints=[
            "The loss of one gap is -log p of the right product.",
            "With the logarithm to base 2 the four losses are 1, 2, 3 and 3.",
            "Their mean, times log 2, is in nats.",
        ],
    ),
    Exercise(
        id="03.2",
        title="what a causal model is asked",
        checks=[
            (lambda v: len(list(v)) > 0, "there is something to ask: every product but none of the marks."),
            (
                lambda v: all(product != "[VISIT]" for _, product in v),
                "a [VISIT] is never asked for: when a customer comes again is not a product.",
            ),
            (
                lambda v: (0, "a") in _pairs(v),
                "the first [VISIT] is a position like any other: what comes after it is the first product.",
            ),
            (
                lambda v: _pairs(v) == [(0, "a"), (1, "b"), (3, "c")],
                "each position predicts the token to its right, unless that is a [VISIT] or there is none.",
            ),
        ],
        hints=[
            "Write the row, and below it the same row moved one place to the left.",
            "Cross out the columns in which the lower row has a [VISIT] or nothing.",
            "Three columns are left.",
        ],
    ),
    Exercise(
        id="03.3",
        title="masking a row",
        checks=[
            (lambda f: _agree(f), "return the row with MASK exactly at the places that you list, all else unchanged."),
            (
                lambda f: all(ROW[p] >= FIRST_ITEM for seed in range(50) for p in _masked(f, 0.9, seed)[1]),
                "hide products only: padding and [VISIT] carry no product to guess.",
            ),
            (
                lambda f: all(_masked(f, 1e-9, seed)[1] for seed in range(20)),
                "at least one product must be hidden, else the row teaches nothing.",
            ),
            (
                lambda f: len({tuple(_masked(f, 1e-9, seed)[1]) for seed in range(60)}) > 2,
                "where nothing was drawn, hide a product at random, not always the same.",
            ),
            (lambda f: abs(_often(f, 0.6) - 0.6) < 0.05, "each product is hidden with probability `share`."),
            (
                lambda f: np.array_equal(_masked(f, 0.5, 3)[0], _masked(f, 0.5, 3)[0]),
                "draw from the generator that is passed, so that the same seed gives the same row.",
            ),
        ],
        hints=[
            "Find the products first: tokens from FIRST_ITEM on.",
            "random.random(n) < share hides each of n with that probability; if none is, random.choice helps.",
            "Copy the row before you write into it.",
        ],
    ),
    Exercise(
        id="03.4",
        title="does the model see order?",
        checks=[
            (
                lambda f: bool(f(_sequence_model, np.array([5, 6, 7, 9]))) is True,
                "a model that adds the position to every vector sees order.",
            ),
            (
                lambda f: bool(f(_set_model, np.array([5, 6, 7, 9]))) is False,
                "a model that only averages does not; mind where the first token stands in the reversed row.",
            ),
        ],
        hints=[
            "In the reversed row, the first token is the last one.",
            "Compare hidden(row)[0] with hidden(reversed row)[-1].",
        ],
    ),
]

"""The exercises of lesson 03: cross-entropy, what a causal model is asked, and masking."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from llmarm_tutorial.lesson.answers import Exercise, near, number

FIRST_ITEM, MASK = 4, 2  # as in item_model, which would load torch for two numbers
ROW = np.array([3, 4, 11, 12, 3, 13, 14, 0, 0])  # five products, the first possible one among them


def _pairs(value: Any) -> list[tuple[int, str]]:
    return sorted((int(place), str(product)) for place, product in value)


def _masked(function: Callable, share: float, seed: int) -> tuple[np.ndarray, list[int]]:
    row, places = function(ROW, share, np.random.default_rng(seed))
    return np.asarray(row), sorted(int(place) for place in places)


def _often(function: Callable, share: float) -> np.ndarray:
    """How often each product is hidden, as a share of many draws."""
    hidden = [_masked(function, share, seed)[0] == MASK for seed in range(400)]
    return np.mean(hidden, axis=0)[ROW >= FIRST_ITEM]


def _agree(function: Callable) -> bool:
    """Whether the row is masked exactly at the places returned."""
    for seed in range(50):
        row, places = _masked(function, 0.4, seed)
        expected = ROW.copy()
        expected[places] = MASK
        if len(set(places)) < len(places) or not np.array_equal(row, expected):
            return False
    return True


EXERCISES = [
    Exercise(
        id="03.1",
        title="a cross-entropy by hand",
        gives="a number",
        checks=[
            (lambda v: number(v) > 0, "a probability below 1 costs something: the loss is minus the logarithm."),
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
        gives="a list of pairs (position, product)",
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
        returns="the masked row and the list of hidden positions",
        checks=[
            (lambda f: _agree(f), "return the row with MASK exactly at the places that you list, all else unchanged."),
            (
                lambda f: all(ROW[p] >= FIRST_ITEM for seed in range(50) for p in _masked(f, 0.9, seed)[1]),
                "hide products only: padding and [VISIT] carry no product to guess.",
            ),
            (
                lambda f: all(_masked(f, 0.05, seed)[1] for seed in range(50)),
                "at least one product must be hidden, else the row teaches nothing.",
            ),
            (
                # a product is hidden in 20.5 % of the rows, or in 22.1 % if the row is drawn again until one is
                lambda f: np.abs(_often(f, 0.05) - 0.21).max() < 0.1,
                "where nothing was drawn, hide a product at random, not always the same.",
            ),
            (
                # 33.4 or 36.1 % with the rows in which one had to be hidden; two of five are 40 %
                lambda f: 0.3 < _often(f, 0.3).mean() < 0.39 and abs(_often(f, 0.6).mean() - 0.6) < 0.03,
                "each product is hidden with probability `share`, whatever happens to the others.",
            ),
            (
                lambda f: all(_masked(f, 0.5, seed)[1] == _masked(f, 0.5, seed)[1] for seed in range(20)),
                "draw from the generator that is passed, so that the same seed gives the same row.",
            ),
        ],
        hints=[
            "Find the products first: tokens from FIRST_ITEM on.",
            "random.random(n) < share hides each of n with that probability; if none is, random.choice helps.",
            "Copy the row before you write into it.",
        ],
    ),
]

"""The exercises of lesson 04: shrinkage, fair draws, and choosing a strength."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from llmarm_tutorial.lesson.answers import Exercise, near, number

SIZES = np.array([2, 10, 3, 1])
STRENGTHS = [0.5, 2.0, 8.0, 32.0, 128.0]


def _alike(value: Any, wanted: list[float]) -> bool:
    return np.shape(value) == np.shape(wanted) and np.allclose(value, wanted)


def _chosen(function: Callable[..., float], spread: float) -> float:
    """What a function chooses for rules whose true confidences scatter so much around their prior."""
    random = np.random.default_rng(1)
    q = np.full(4000, 0.2)
    a, b = q * spread, (1 - q) * spread  # a beta distribution worth `spread` baskets
    truth = random.beta(a, b)
    n, n_new = np.full(4000, 6), np.full(4000, 30)
    return number(function(random.binomial(n, truth), n, q, random.binomial(n_new, truth), n_new, STRENGTHS))


def _chosen_of_two_kinds(function: Callable[..., float]) -> float:
    """What a function chooses where rare consequents scatter widely around their prior, and common ones hardly.

    Squared and absolute error hardly see the rare ones, log loss does. Among the rules are some with a prior of 0 or 1,
    of which one came out otherwise: without limits their loss is infinite for every strength.
    """
    random = np.random.default_rng(4)
    q, spread = np.repeat([0.01, 0.5], 1000), np.repeat([2.0, 128.0], 1000)
    truth = random.beta(q * spread, (1 - q) * spread)
    k = np.append(random.binomial(6, truth), [0, 0, 0, 6, 6])
    k_new = np.append(random.binomial(30, truth), [0, 1, 0, 30, 29])
    n, n_new = np.full(len(k), 6), np.full(len(k), 30)
    return number(function(k, n, np.append(q, [0, 0, 0, 1, 1]), k_new, n_new, STRENGTHS))


EXERCISES = [
    Exercise(
        id="04.1",
        title="a shrunk confidence",
        gives="a number",
        checks=[
            (lambda v: 0 <= number(v) <= 1, "a confidence is a chance, so it lies between 0 and 1."),
            (lambda v: not near(v, 3 / 4), "that is the raw share; add the baskets that the prior is worth."),
            (lambda v: not near(v, 3.6 / 4), "the prior's baskets belong into the denominator as well."),
            (lambda v: near(v, 3.6 / 10), "divide 3 baskets and the prior's share of 6 by all ten of them."),
        ],
        hints=[
            "Pretend that 6 more baskets had been seen, of which a tenth holds y.",
            "(k + m q) / (n + m), with k = 3, n = 4, m = 6 and q = 0.1.",
        ],
    ),
    Exercise(
        id="04.2",
        title="fair draws",
        returns="an array with a chance for each basket",
        checks=[
            (lambda f: near(np.sum(f(SIZES, 2)), 1), "chances sum to 1: divide by the sum."),
            (
                lambda f: not _alike(f(SIZES, 2), (SIZES / SIZES.sum()).tolist()),
                "for k = 2 the size alone is not the number of parts.",
            ),
            (
                lambda f: _alike(f(SIZES, 1), [2 / 16, 10 / 16, 3 / 16, 1 / 16]),
                "a basket of n items has n parts of size 1.",
            ),
            (
                lambda f: _alike(f(SIZES, 2), [1 / 49, 45 / 49, 3 / 49, 0]),
                "a basket of n items has n·(n−1)/2 parts of size 2, and one with a single item has none.",
            ),
            (
                lambda f: _alike(f(SIZES, 3), [0, 120 / 121, 1 / 121, 0]),
                "for parts of size 3 the numbers are n choose 3.",
            ),
        ],
        hints=[
            "If all pairs (basket, part) are equally likely, a basket is as likely as it has parts.",
            "`math.comb(n, k)` is the number of parts of size k.",
        ],
    ),
    Exercise(
        id="04.3",
        title="choose the strength of a prior",
        returns="one of the strengths",
        checks=[
            (lambda f: _chosen(f, 8.0) in STRENGTHS, "return one of the strengths given."),
            (
                lambda f: _chosen(f, 2.0) < _chosen(f, 128.0),
                "where confidences scatter little around the prior, it must be worth more baskets.",
            ),
            (
                lambda f: _chosen(f, 8.0) == 8.0,
                "with rules that scatter around the prior as if it were worth 8 baskets, 8 must win.",
            ),
            (
                lambda f: _chosen_of_two_kinds(f) == 32.0,
                "take the log loss, in which rare consequents count, and keep chances off 0 and 1.",
            ),
        ],
        hints=[
            "For each m compute p = (k + m q) / (n + m) from the training counts.",
            "Then judge p by the validation counts: −k′ log p − (n′ − k′) log(1 − p), summed over rules.",
            "`min(strengths, key=loss)` returns the strength with the lowest loss.",
        ],
    ),
]

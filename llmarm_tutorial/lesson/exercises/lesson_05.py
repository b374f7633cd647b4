"""Exercises of lesson 05."""

from __future__ import annotations

import numpy as np

from llmarm_tutorial.lesson.answers import Exercise, near, number

SAID = np.array([0.52, 0.58, 0.62, 0.66, 0.91, 0.93, 0.96, 0.97, 0.99, 0.74, 1.0, 0.0, 0.15])
CAME_TRUE = np.array([True, True, True, False, True, True, True, False, False, True, True, False, False])
BINS = [[0, 1], [2, 3], [4, 5, 6, 7, 8, 10], [9], [11], [12]]  # places in SAID; none but 0 and 1 lies on an edge


def _calibration() -> float:
    distances = [abs(SAID[b].mean() - CAME_TRUE[b].mean()) * len(b) for b in BINS]
    return float(sum(distances)) / len(SAID)


EXERCISES = [
    Exercise(
        id="05.1",
        title="macro F1 by hand",
        gives="a number",
        checks=[
            (lambda v: 0 <= number(v) <= 1, "an F1 lies between 0 and 1."),
            (lambda v: not near(v, 0.8), "that is the accuracy; macro F1 averages over the classes."),
            (lambda v: not near(v, 8 / 9, 2e-3), "that is the F1 of class a; average it with that of class b."),
            (
                lambda v: not near(v, 0.8 * 8 / 9, 2e-3),
                "the classes count alike, whatever their size.",
            ),
            (lambda v: near(v, 4 / 9, 2e-3), "F1 of a is 2 · 0.8 · 1 / 1.8, that of b is 0; take the mean."),
        ],
        hints=[
            "For class a: how many of those called a are a (precision)? How many of those that are a were called a?",
            "F1 = 2PR / (P + R) with P = 0.8 and R = 1; class b gets 0.",
        ],
    ),
    Exercise(
        id="05.2",
        title="how much LoRA trains",
        gives="a whole number",
        checks=[
            (lambda v: number(v) == int(number(v)), "a number of weights is whole."),
            (lambda v: int(v) != 4 * 64 * 64, "that is the matrices themselves, which stay frozen."),
            (lambda v: int(v) != 2 * 4 * 64, "that is one matrix; queries and values, in each layer."),
            (lambda v: int(v) != 4 * 4 * 64, "each matrix gets two thin ones, A and B."),
            (lambda v: int(v) == 4 * 2 * 4 * 64, "four matrices, for each two thin ones of 4 × 64."),
        ],
        hints=[
            "How many matrices get an update? Two in each of two layers.",
            "An update BA of rank 4 has 4 rows of 64 in A and 64 rows of 4 in B.",
        ],
    ),
    Exercise(
        id="05.3",
        title="calibration error",
        returns="a number",
        checks=[
            (
                lambda f: near(f(np.array([0.95, 0.95]), np.array([True, True])), 0.05),
                "two sure and right answers at 0.95 are 0.05 from the truth.",
            ),
            (
                lambda f: near(f(np.array([0.55, 0.55]), np.array([True, False])), 0.05),
                "within a bin, take the distance of the *mean* probability from the *share* of right answers.",
            ),
            (
                lambda f: near(f(np.array([1.0, 0.93]), np.array([False, True])), 0.465),
                "a probability of exactly 1 belongs into the last bin, with 0.93.",
            ),
            (
                lambda f: near(f(np.array([0.0, 0.95]), np.array([True, True])), 0.525),
                "a probability of exactly 0 belongs into the first bin.",
            ),
            (
                lambda f: near(f(SAID, CAME_TRUE), _calibration()),
                "ten bins from 0 to 1, each weighted by its number of examples, distances without sign.",
            ),
        ],
        hints=[
            "The bin of a probability p is int(10 · p), and 9 for p = 1.",
            "Sum over the bins of |mean p − share right| · (examples in the bin / all examples).",
        ],
    ),
]

"""The exercises of lesson 09: temperature, both divergences, and the loss of distillation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from llmarm_tutorial.lesson.answers import Exercise, near, number

FORWARD = 0.5 * np.log(0.5 / 0.75) + 0.5 * np.log(0.5 / 0.25)
REVERSE = 0.75 * np.log(0.75 / 0.5) + 0.25 * np.log(0.25 / 0.5)
_RANDOM = np.random.default_rng(7)
STUDENT, TEACHER = _RANDOM.normal(size=(2, 9))


def _log_chances(scores: np.ndarray) -> np.ndarray:
    return scores - np.log(np.exp(scores).sum())


def _loss(alpha: float, heat: float) -> float:
    """The loss for the drawn scores, product 4 bought."""
    log_p, log_q = _log_chances(TEACHER / heat), _log_chances(STUDENT / heat)
    soft = heat**2 * float(np.exp(log_p) @ (log_p - log_q))
    return (1 - alpha) * -float(_log_chances(STUDENT)[4]) + alpha * soft


def _told(function: Callable[..., float], alpha: float, heat: float) -> float:
    return number(function(STUDENT, TEACHER, 4, alpha, heat))


EXERCISES = [
    Exercise(
        id="09.1",
        title="a temperature",
        gives="two numbers",
        checks=[
            (lambda v: len(v) == 2, "hand in two numbers: the chance of the first product at T = 1 and at T = 2."),
            (lambda v: near(v[0], 0.9), "at T = 1 the two weigh 9 and 1."),
            (lambda v: not near(v[1], 0.9 / 2), "divide the scores by the temperature, not the chances."),
            (lambda v: near(v[1], 0.75), "at T = 2 the score is half of ln 9, which is ln 3."),
        ],
        hints=[
            "Raise e to the scores: ln 9 becomes 9, and 0 becomes 1. A chance is one of these by their sum.",
            "Half of ln 9 is the logarithm of the square root of 9.",
        ],
    ),
    Exercise(
        id="09.2",
        title="two divergences",
        gives="two numbers",
        checks=[
            (lambda v: len(v) == 2, "hand in two numbers: forward, reverse."),
            (
                lambda v: not (near(v[0], REVERSE, 2e-2) and near(v[1], FORWARD, 2e-2)),
                "the right numbers in the wrong order: forward is weighted with what the teacher says.",
            ),
            (
                lambda v: not (near(v[0], FORWARD / np.log(2), 2e-2) and near(v[1], REVERSE / np.log(2), 2e-2)),
                "these are bits; nats take the natural logarithm.",
            ),
            (lambda v: near(v[0], FORWARD, 2e-2), "forward: ½ ln(½ / ¾) + ½ ln(½ / ¼)."),
            (lambda v: near(v[1], REVERSE, 2e-2), "reverse: ¾ ln(¾ / ½) + ¼ ln(¼ / ½)."),
        ],
        hints=[
            "The first argument of KL stands outside the logarithm, as a weight, and inside it above the line.",
            "np.log is the natural logarithm.",
        ],
    ),
    Exercise(
        id="09.3",
        title="the loss of distillation",
        returns="a number",
        checks=[
            (lambda f: near(_told(f, 0.0, 1.0), _loss(0.0, 1.0)), "with α = 0 it is −ln of what q gives it."),
            (lambda f: near(_told(f, 1.0, 1.0), _loss(1.0, 1.0)), "with α = 1 and T = 1 it is KL(teacher ‖ student)."),
            (
                lambda f: not near(_told(f, 1.0, 3.0), _loss(1.0, 3.0) / 9),
                "the soft part is multiplied by the square of the temperature.",
            ),
            (lambda f: near(_told(f, 1.0, 3.0), _loss(1.0, 3.0)), "divide both scores by T in the soft part."),
            (
                lambda f: near(_told(f, 0.3, 3.0), _loss(0.3, 3.0)),
                "the hard part stays at temperature 1 and gets the weight 1 − α.",
            ),
        ],
        hints=[
            "Write a helper that turns scores into logarithms of chances, and use it three times.",
            "Hard part: −log q of the bought product, at T = 1. Soft part: T² times the sum of p (log p − log q).",
        ],
    ),
]

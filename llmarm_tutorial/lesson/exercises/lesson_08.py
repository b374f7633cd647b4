"""The exercises of lesson 08: a forecast, the distances on a shelf, and a fair forecast for a promotion."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from llmarm_tutorial.lesson.answers import Exercise, near, number

# two seasons: within each, a says nothing about b; over both together it seems to
SEASON = np.repeat([0, 1], 100)
BOUGHT_A = np.concatenate([np.arange(100) < 10, np.arange(100) < 50])
BOUGHT_B = np.concatenate([np.arange(100) % 10 == 0, np.arange(100) % 2 == 0])


def _fair(function: Callable[..., float], a: np.ndarray, b: np.ndarray, season: np.ndarray) -> float:
    return number(function(a, b, season, 100))


def _by_hand(a: np.ndarray, b: np.ndarray, season: np.ndarray) -> float:
    """Difference of shares in each season, weighted with n₁n₀/(n₁ + n₀), for 100 buyers."""
    parts = [(a[season == s], b[season == s]) for s in np.unique(season)]
    weights = [x.sum() * (~x).sum() / len(x) for x, _ in parts]
    return 100 * float(np.average([y[x].mean() - y[~x].mean() for x, y in parts], weights=weights))


_RANDOM = np.random.default_rng(6)
_WHEN = _RANDOM.choice(3, 600, p=[0.2, 0.3, 0.5])
DRAWN_A = _RANDOM.random(600) < np.array([0.1, 0.3, 0.6])[_WHEN]
DRAWN_B = _RANDOM.random(600) < np.array([0.1, 0.2, 0.5])[_WHEN] + np.array([0.1, 0.5, 0.2])[_WHEN] * DRAWN_A
DRAWN_SEASON = np.array(["winter", "spring", "summer"])[_WHEN]
NOBODY, AUTUMN = np.zeros(20, dtype=bool), np.repeat("autumn", 20)  # a season without buyers of a


def _naive(a: np.ndarray, b: np.ndarray) -> float:
    """What comes out if the seasons are thrown together, for 100 buyers."""
    return 100 * float(b[a].mean() - b[~a].mean())


EXERCISES = [
    Exercise(
        id="08.1",
        title="the obvious forecast for a promotion",
        gives="a number",
        checks=[
            (lambda v: not near(v, 25), "that is what buyers of a take anyway; others take some b without a, too."),
            (lambda v: not near(v, 0.15), "that is the difference of the shares; there are 100 more buyers."),
            (lambda v: not near(v, 12), "compare with the baskets *without* a, not with all baskets."),
            (lambda v: near(v, 15), "take the share of b with a, less the share of b without a, times the buyers."),
        ],
        hints=[
            "Which share of the baskets with a holds b? Which share of those without?",
            "50 of 200 and 80 of 800.",
            "The difference of the two shares, times 100.",
        ],
    ),
    Exercise(
        id="08.2",
        title="how far apart linked products are",
        gives="two numbers",
        checks=[
            (lambda v: len(v) == 2, "hand in two numbers, one for each shelf."),
            (
                lambda v: not near(v[0], 1.5),
                "that is the plain mean of both links; A–B counts three times, B–C once.",
            ),
            (lambda v: near(v[0], 1.75), "on A, C, B, D the link A–B is two places long, B–C one."),
            (lambda v: near(v[1], 1), "on A, B, C, D both links are one place long."),
        ],
        hints=[
            "Number the places: on the first shelf A has place 1, C 2, B 3, D 4.",
            "A–B is 3 − 1 = 2 places, B–C is 3 − 2 = 1 place.",
            "A weighted mean: (3 · 2 + 1 · 1) / (3 + 1).",
        ],
    ),
    Exercise(
        id="08.3",
        title="a promotion, judged within seasons",
        returns="a number",
        checks=[
            (
                lambda f: not near(_fair(f, BOUGHT_A, BOUGHT_B, SEASON), _naive(BOUGHT_A, BOUGHT_B), 1e-3),
                "this is the naive number; compare baskets of the same season only.",
            ),
            (
                lambda f: abs(_fair(f, BOUGHT_A, BOUGHT_B, SEASON)) < 1e-9,
                "two seasons, in each of which a says nothing about b: the answer is 0.",
            ),
            (
                lambda f: near(_fair(f, DRAWN_A, DRAWN_B, DRAWN_SEASON), _by_hand(DRAWN_A, DRAWN_B, DRAWN_SEASON)),
                "weight the difference of each season with n₁n₀/(n₁ + n₀) and multiply the mean by the buyers.",
            ),
            (
                lambda f: near(
                    _fair(f, np.append(DRAWN_A, NOBODY), np.append(DRAWN_B, ~NOBODY), np.append(DRAWN_SEASON, AUTUMN)),
                    _by_hand(DRAWN_A, DRAWN_B, DRAWN_SEASON),
                ),
                "a season in which nobody buys a has the weight 0: leave it out.",
            ),
        ],
        hints=[
            "In each season take the share of b among the baskets with a, less that among those without.",
            "With n₁ baskets with a and n₀ without, the season's weight is n₁n₀/(n₁ + n₀).",
            "`np.average(differences, weights=weights)` times the number of buyers.",
        ],
    ),
]

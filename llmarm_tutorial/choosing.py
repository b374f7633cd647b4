"""Choosing on validation: the one rule for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from llmarm_tutorial.errors import BadParameter


class Choice(NamedTuple):
    """What did best on validation.

    Attributes:
        best: The settings.
        system: What was built from them.
        tries: One row per try, in order: `setting`, `value` (what was to be large), `seconds`.
    """

    best: Any
    system: Any
    tries: pd.DataFrame

    @property
    def value(self) -> float:
        """The value of the best."""
        return float(self.tries["value"].max())


def choose_setting(
    settings: Sequence[Any],
    judge: Callable[[Any], float],
    *,
    build: Callable[[Any], Any] = lambda setting: setting,
    budget: int | None = None,
    seed: int = 0,
) -> Choice:
    """Try settings and keep the best; of equal values the earlier try wins, and one without a value (nan) never.

    Args:
        settings: What to try, in order, at least one.
        judge: From what was built to the value to make large; it must not see the test.
        build: From a setting to what is judged, such as a fitted recommender.
        budget: Number of tries, from 1: the first, then a random sample of the others without repetition, or all where
            there are no more. None tries all. Give every competitor the same.
        seed: Seed of the sample.

    Raises:
        BadParameter: If there is nothing to try, the budget is below 1, or no try has a value.
    """
    if not len(settings):
        raise BadParameter("To choose settings takes at least one to try.")
    if budget is not None and budget < 1:
        raise BadParameter(f"budget is at least 1, not {budget}.")
    numbers = np.arange(len(settings))
    if budget is not None and len(settings) > budget:
        others = np.random.default_rng(seed).choice(len(settings) - 1, budget - 1, replace=False)
        numbers = np.append(0, np.sort(others) + 1)
    rows, best = [], None
    for number in numbers:
        begin = time.perf_counter()
        system = build(settings[number])
        value = float(judge(system))
        rows.append({"setting": settings[number], "value": value, "seconds": time.perf_counter() - begin})
        if not np.isnan(value) and (best is None or value > best[0]):
            best = value, settings[number], system
    if best is None:
        raise BadParameter("None of the settings has a value on validation: there are no cases to judge them by.")
    return Choice(best[1], best[2], pd.DataFrame(rows))

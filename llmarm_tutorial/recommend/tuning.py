"""The baselines by name, and their settings chosen on validation with a stated budget."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.errors import UnknownName
from llmarm_tutorial.evaluation.metrics import cutoff_of
from llmarm_tutorial.evaluation.ranking import evaluate
from llmarm_tutorial.evaluation.tasks import Recommender, Task
from llmarm_tutorial.recommend.counting import (
    AssociationRules,
    Baseline,
    Ease,
    ItemNeighbours,
    MarkovChain,
    PersonalPopularity,
    Popularity,
    SequentialRules,
    check_from,
)

# --- tuning ----------------------------------------------------------------------------------------------------------


class Choice(NamedTuple):
    """A baseline and the settings worth trying.

    Attributes:
        kind: Its class.
        grid: Values to try per setting.
    """

    kind: type
    grid: Mapping[str, tuple[Any, ...]]


_RECENCY = {"last": (None, 1, 3, 10, 30), "position_power": (0.0, 0.5, 1.0, 2.0)}
BASELINES: Mapping[str, Choice] = {
    "popularity": Choice(Popularity, {"last": (None, 1, 3, 10, 30)}),
    "personal": Choice(PersonalPopularity, {"popularity": (0.1, 1.0, 10.0), **_RECENCY}),
    "ar": Choice(AssociationRules, {"measure": ("confidence", "lift"), "min_count": (1, 2, 5, 10, 20, 50), **_RECENCY}),
    "markov": Choice(MarkovChain, {"popularity": (0.0, 1e-4, 1e-3, 1e-2, 1e-1)}),
    "sr": Choice(
        SequentialRules,
        {
            "steps": (1, 2, 3, 5, 10, 20),
            "last": (1, 3, 5, 10, 20),
            "gap_power": (0.0, 0.5, 1.0, 2.0),
            "position_power": (0.0, 0.5, 1.0, 2.0),
            "row_power": (0.0, 0.5, 0.75, 1.0),
            "popularity": (0.0, 1e-4, 1e-2),
        },
    ),
    "itemknn": Choice(
        ItemNeighbours, {"neighbours": (10, 20, 50, 100, 200, 500), "shrinkage": (0.0, 10.0, 50.0, 200.0), **_RECENCY}
    ),
    "ease": Choice(Ease, {"ridge": (10.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2000.0), **_RECENCY}),
}


class Tuned(NamedTuple):
    """What tuning chose.

    Attributes:
        baseline: The settings that did best on validation.
        fitted: The same, fitted on the training histories.
        tries: One row per try, in order: settings, `value` of the metric, `seconds`.
    """

    baseline: Baseline
    fitted: Recommender
    tries: pd.DataFrame


def make(name: str, **settings: Any) -> Baseline:
    """The baseline of that name with the given settings, the others at their defaults.

    Raises:
        UnknownName: If there is no such baseline or setting.
    """
    if name not in BASELINES:
        raise UnknownName("baseline", name, BASELINES)
    kind = BASELINES[name].kind
    valid = [field.name for field in fields(kind)]
    for setting in settings:
        if setting not in valid:
            raise UnknownName(f"setting of {name}", setting, valid)
    return kind(**settings)


def tune(
    name: str,
    histories: Histories,
    task: Task,
    *,
    budget: int = 20,
    seed: int = 0,
    metric: str = "NDCG@10",
    filter_seen: bool = True,
    grid: Mapping[str, tuple[Any, ...]] | None = None,
) -> Tuned:
    """Choose the settings of a baseline on a validation task.

    The defaults are tried first, then a random sample of the grid without repetition, or all of it where it is no
    larger than the budget. Of equal values the earlier try wins.

    Args:
        name: Name in `BASELINES`.
        histories: Training histories.
        task: The validation task; never the test.
        budget: Number of tries, from 1; give every competitor the same.
        seed: Seed of the sample.
        metric: What to make large, a metric of `metrics.Evaluation`.
        filter_seen: As for `ranking.evaluate`.
        grid: Values per setting, instead of those in `BASELINES`.

    Raises:
        UnknownName: If there is no such baseline or setting.
        BadParameter: If the budget is below 1.
    """
    check_from(1, budget=budget)
    first = make(name)
    grid = BASELINES[name].grid if grid is None else grid
    combinations = [make(name, **dict(zip(grid, values, strict=True))) for values in itertools.product(*grid.values())]
    others = [setting for setting in combinations if setting != first]
    if len(others) > budget - 1:
        chosen = np.sort(np.random.default_rng(seed).choice(len(others), budget - 1, replace=False))
        others = [others[number] for number in chosen]
    rows, best, best_fitted = [], None, None
    for baseline in [first, *others]:
        begin = time.perf_counter()
        fitted = baseline.fit(histories)
        value = evaluate(fitted, task, ks=(cutoff_of(metric),), filter_seen=filter_seen).mean(metric)
        settings = {setting: getattr(baseline, setting) for setting in grid}
        rows.append({**settings, "value": value, "seconds": time.perf_counter() - begin})
        if best is None or value > max(row["value"] for row in rows[:-1]):
            best, best_fitted = baseline, fitted
    return Tuned(best, best_fitted, pd.DataFrame(rows))

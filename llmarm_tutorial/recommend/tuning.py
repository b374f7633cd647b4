"""Choosing recommenders on validation: what is made large, and the baselines by name with the settings to try."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import fields
from operator import methodcaller
from typing import Any, NamedTuple

import pandas as pd

from llmarm_tutorial.choosing import Choice, choose_setting
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
)

# --- choosing --------------------------------------------------------------------------------------------------------


def validation_score(
    task: Task, metric: str = "NDCG@10", *, filter_seen: bool = True, block: int | None = None
) -> Callable[[Recommender], float]:
    """What `choosing.choose_setting` is to make large: the mean of a metric of a recommender on a validation task.

    Args:
        task: The validation task; never the test.
        metric: A metric of `metrics.Evaluation`.
        filter_seen: As for `ranking.evaluate`.
        block: Cases per call; `len(task)` for scores that are precomputed.
    """

    def value(system: Recommender) -> float:
        return evaluate(system, task, ks=(cutoff_of(metric),), filter_seen=filter_seen, block=block).mean(metric)

    return value


# --- baselines -------------------------------------------------------------------------------------------------------


class SearchSpace(NamedTuple):
    """A baseline and the settings worth trying.

    Attributes:
        kind: Its class.
        grid: Values to try per setting.
    """

    kind: type
    grid: Mapping[str, tuple[Any, ...]]


_RECENCY = {"last": (None, 1, 3, 10, 30), "position_power": (0.0, 0.5, 1.0, 2.0)}
BASELINES: Mapping[str, SearchSpace] = {
    "popularity": SearchSpace(Popularity, {"last": (None, 1, 3, 10, 30)}),
    "personal": SearchSpace(PersonalPopularity, {"popularity": (0.1, 1.0, 10.0), **_RECENCY}),
    "ar": SearchSpace(
        AssociationRules, {"measure": ("confidence", "lift"), "min_count": (1, 2, 5, 10, 20, 50), **_RECENCY}
    ),
    "markov": SearchSpace(MarkovChain, {"popularity": (0.0, 1e-4, 1e-3, 1e-2, 1e-1)}),
    "sr": SearchSpace(
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
    "itemknn": SearchSpace(
        ItemNeighbours, {"neighbours": (10, 20, 50, 100, 200, 500), "shrinkage": (0.0, 10.0, 50.0, 200.0), **_RECENCY}
    ),
    "ease": SearchSpace(Ease, {"ridge": (10.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2000.0), **_RECENCY}),
}


def make_baseline(name: str, **settings: Any) -> Baseline:
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


def tune_baseline(
    name: str,
    histories: Histories,
    task: Task,
    *,
    budget: int = 20,
    seed: int = 0,
    metric: str = "NDCG@10",
    filter_seen: bool = True,
    grid: Mapping[str, tuple[Any, ...]] | None = None,
) -> Choice:
    """Choose the settings of a baseline on a validation task: the defaults, then its grid.

    Args:
        name: Name in `BASELINES`.
        histories: Training histories.
        task: The validation task; never the test.
        budget: Number of tries, from 1; give every competitor the same.
        seed: Seed of the sample.
        metric: What to make large, a metric of `metrics.Evaluation`.
        filter_seen: As for `ranking.evaluate`.
        grid: Values per setting, instead of those in `BASELINES`.

    Returns:
        The baseline with the settings that did best, the same fitted, and the tries with a column per setting.

    Raises:
        UnknownName: If there is no such baseline or setting.
        BadParameter: If the budget is below 1.
    """
    first = make_baseline(name)
    grid = BASELINES[name].grid if grid is None else grid
    combinations = [
        make_baseline(name, **dict(zip(grid, values, strict=True))) for values in itertools.product(*grid.values())
    ]
    choice = choose_setting(
        [first, *(baseline for baseline in combinations if baseline != first)],
        validation_score(task, metric, filter_seen=filter_seen),
        build=methodcaller("fit", histories),
        budget=budget,
        seed=seed,
    )
    columns = {setting: [getattr(tried, setting) for tried in choice.tries["setting"]] for setting in grid}
    return choice._replace(tries=pd.DataFrame(columns).join(choice.tries[["value", "seconds"]]))

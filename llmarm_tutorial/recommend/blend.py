"""Two recommenders as one: a model's opinion multiplied by what counting says (claim 19 of the literature)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.errors import BadParameter
from llmarm_tutorial.evaluation.metrics import cutoff_of
from llmarm_tutorial.evaluation.ranking import SCORES_PER_BLOCK, evaluate
from llmarm_tutorial.evaluation.tasks import Recommender, Task

WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0)
FLOOR = 1e-4  # share that counting gives to what it never saw, so that it never forbids an item


@dataclass(frozen=True, eq=False)
class Blend:
    """log P of a model plus a weight times log P of counting: a product of experts (Hinton 2002).

    Attributes:
        model: Scores are logits: their softmax is P.
        counting: Scores are at least 0: their share is P.
        weight: How much counting says, at least 0; 0 leaves the model alone.
        name: What tables call it.
    """

    model: Recommender
    counting: Recommender
    weight: float = 0.75
    name: str = "model × counting"

    def __post_init__(self) -> None:
        if not self.weight >= 0:
            raise BadParameter(f"The weight of a blend is at least 0, not {self.weight}.")
        if self.model.n_items != self.counting.n_items:
            raise BadParameter("Only recommenders of the same items can be blended.")

    @property
    def n_items(self) -> int:
        """Number of items."""
        return self.model.n_items

    def scores(self, histories: Histories) -> np.ndarray:
        """Scores of all items, shape (n_cases, n_items), float32, up to a constant per case.

        Raises:
            BadParameter: If counting gives a score below 0.
        """
        logits, counted = self.model.scores(histories), self.counting.scores(histories)
        if counted.min(initial=0) < 0:
            raise BadParameter("A blend needs scores of counting that are at least 0, as shares and counts are.")
        return (logits + self.weight * log_shares(counted)).astype(np.float32)


def log_shares(scores: np.ndarray) -> np.ndarray:
    """Log of the share of every score of its row's sum, `FLOOR` added.

    Args:
        scores: At least 0, shape (n_cases, n_items).
    """
    return np.log(scores / np.maximum(scores.sum(axis=1, keepdims=True), 1e-12) + FLOOR)


@dataclass(frozen=True, eq=False)
class Told:
    """Scores that a system gave already, for the histories it was asked about and no others.

    Attributes:
        n_items: Number of items.
        values: The scores, shape (n_cases, n_items).
    """

    n_items: int
    values: np.ndarray

    def scores(self, histories: Histories) -> np.ndarray:
        """The scores given, whatever is asked."""
        return self.values


def choose_weight(
    model: Recommender,
    counting: Recommender,
    task: Task,
    *,
    weights: tuple[float, ...] = WEIGHTS,
    metric: str = "NDCG@10",
    filter_seen: bool = True,
    name: str = "model × counting",
) -> tuple[Blend, pd.DataFrame]:
    """The blend whose weight does best on a validation task; each system is asked once, whatever is tried.

    Args:
        model: Scores are logits.
        counting: Scores are at least 0.
        task: The validation task; never the test.
        weights: What to try.
        metric: What to make large, a metric of single cases.
        filter_seen: As for `ranking.evaluate`.
        name: What tables call the blend.

    Returns:
        (the blend, one row per weight: `weight`, `value`).
    """
    values: dict[float, list[np.ndarray]] = {weight: [] for weight in weights}
    step = max(1, SCORES_PER_BLOCK // task.n_items)
    for start in range(0, len(task), step):
        part = task.take(np.arange(start, min(start + step, len(task))))
        told = [Told(system.n_items, system.scores(part.histories)) for system in (model, counting)]
        for weight in weights:
            blend = Blend(*told, weight, name)
            found = evaluate(blend, part, ks=(cutoff_of(metric),), filter_seen=filter_seen, block=len(part))
            values[weight].append(found.values(metric))
    tries = pd.DataFrame(
        [{"weight": weight, "value": float(np.nanmean(np.concatenate(parts)))} for weight, parts in values.items()]
    )
    return Blend(model, counting, float(tries.loc[tries["value"].idxmax(), "weight"]), name), tries

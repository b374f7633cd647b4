"""How well new links were found: candidates ranked by any matrix of scores, judged against what became a link.

A method is anything that gives a matrix of scores, items × items (`link_counting` holds those that count); the score of
a pair is the mean of both directions. Where scores are equal, all orders of the pairs count alike.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from scipy import sparse

from llmarm_tutorial.errors import BadParameter, UnknownName
from llmarm_tutorial.evaluation.comparison import compare
from llmarm_tutorial.evaluation.intervals import bootstrap_interval
from llmarm_tutorial.evaluation.ranks import above_and_tied
from llmarm_tutorial.graphs.link_tasks import LinkTask

CUTOFF = 10  # places of an item's list of partners that count as a hit
METRICS = {"average_precision": "precision", "auroc": "outranked", f"hit_{CUTOFF}": "hit"}


@dataclass(frozen=True, eq=False)
class LinkEvaluation:
    """How one method did, positive by positive.

    Attributes:
        system: The method.
        task: The task.
        scores: Its score of each candidate, shape (n_candidates,), see `LinkTask.candidate_scores`.
    """

    system: str
    task: LinkTask
    scores: np.ndarray

    @property
    def clusters(self) -> list[np.ndarray]:
        """The items of each positive, see `LinkTask.clusters`."""
        return self.task.clusters

    def require_same_cases(self, other: LinkEvaluation) -> None:
        """Raise `BadParameter` unless both methods ranked the same candidates."""
        if not (np.array_equal(self.task.i, other.task.i) and np.array_equal(self.task.j, other.task.j)):
            raise BadParameter(
                f"{self.system!r} and {other.system!r} were judged on different pairs: compare them on one task."
            )

    @cached_property
    def _places(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """For each positive: candidates (first two) and positives (last two) that score higher, and the same."""
        positives = self.scores[self.task.appears]
        row = np.zeros(len(positives), dtype=np.int64)
        return *above_and_tied(self.scores[None], row, positives), *above_and_tied(positives[None], row, positives)

    @property
    def precision(self) -> np.ndarray:
        """Share of positives among the candidates that score no less than it; the mean is the average precision."""
        above, tied, positives_above, positives_tied = self._places
        return (positives_above + positives_tied) / (above + tied)

    @property
    def outranked(self) -> np.ndarray:
        """Share of the negatives that score less, equal ones by half; the mean is the area under the ROC curve."""
        above, tied, positives_above, positives_tied = self._places
        negatives = len(self.scores) - len(above)
        return 1 - (above - positives_above + (tied - positives_tied) / 2) / negatives

    @cached_property
    def hit(self) -> np.ndarray:
        """Chance of a place in the first `CUTOFF` of the candidates of an item, mean over the pair's two items."""
        task, appears = self.task, self.task.appears
        table = np.full((task.n_items, task.n_items), np.nan)
        table[task.i, task.j] = table[task.j, task.i] = self.scores
        chances = []
        for items in (task.i[appears], task.j[appears]):
            above, tied = above_and_tied(table, items, self.scores[appears])
            chances.append(np.clip((CUTOFF - above) / tied, 0, 1))
        return np.mean(chances, axis=0)

    def values(self, metric: str) -> np.ndarray:
        """A metric of `METRICS` for each positive, shape (n_positives,); the metric is their mean.

        Raises:
            UnknownName: If there is no such metric.
        """
        if metric not in METRICS:
            raise UnknownName("metric of links", metric, METRICS)
        return getattr(self, METRICS[metric])

    def mean(self, metric: str = "average_precision") -> float:
        """The value of a metric of `METRICS`."""
        return float(self.values(metric).mean())


def evaluate_links(task: LinkTask, scores: np.ndarray | sparse.spmatrix, name: str = "scores") -> LinkEvaluation:
    """Rank the candidates of a task by any matrix of scores.

    Args:
        task: The task.
        scores: High where a link is expected, shape (n_items, n_items); of the two directions the mean counts.
        name: What tables call the method.

    Raises:
        BadParameter: If the shape is wrong or a candidate has no finite score.
    """
    return LinkEvaluation(name, task, task.candidate_scores(scores))


def by_support(
    task: LinkTask,
    scores: Mapping[str, np.ndarray],
    against: str,
    *,
    metric: str = "average_precision",
    of: np.ndarray | None = None,
    edges: Sequence[int] | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """For pairs with a rare item, or with frequent ones: each bucket a ranking of its own.

    Args:
        task: The task.
        scores: Method → matrix of scores.
        against: The method that gains are measured against, one of them.
        metric: A metric of `METRICS`.
        of: What is cut into buckets, a number of baskets per candidate, shape (n_candidates,): for instance those that
            hold both. None for those with the rarer item.
        edges: Numbers of baskets at which a new bucket begins; None for thirds of the positives.
        resamples: Draws for the intervals.
        seed: Seed of the draws.

    Returns:
        One row per bucket (of those with positives and negatives) and method: `bucket` (text), `from_baskets`,
        `positives`, `candidates`, `method`, `value`, `low`, `high`, `gain`, `gain_low`, `gain_high`.

    Raises:
        UnknownName: If the method to compare with is not among the scores.
    """
    if against not in scores:
        raise UnknownName("method", against, scores)
    baskets = task.rarer if of is None else of
    if edges is None:
        edges = [int(edge) for edge in np.quantile(baskets[task.appears], [1 / 3, 2 / 3])]
    starts = [0, *sorted(set(edges) - {0})]
    rows = []
    for start, stop in itertools.pairwise([*starts, np.inf]):
        inside = (baskets >= start) & (baskets < stop)
        positives = int(task.appears[inside].sum())
        if not 0 < positives < inside.sum():
            continue
        part = task.take(inside)
        bucket = f"{start}" if stop == start + 1 else f"{start} to {stop - 1}"
        bucket = f"{start} and more" if stop == np.inf else bucket
        evaluations = {name: evaluate_links(part, matrix, name) for name, matrix in scores.items()}
        for name, one in evaluations.items():
            interval = bootstrap_interval(one.values(metric), part.clusters, resamples=resamples, seed=seed)
            gain = compare(one, evaluations[against], metric, resamples=resamples, seed=seed)
            values = (one.mean(metric), *interval, gain.difference, gain.low, gain.high)
            rows.append((bucket, start, positives, int(inside.sum()), name, *values))
    columns = ["bucket", "from_baskets", "positives", "candidates", "method", "value", "low", "high"]
    return pd.DataFrame(rows, columns=[*columns, "gain", "gain_low", "gain_high"])

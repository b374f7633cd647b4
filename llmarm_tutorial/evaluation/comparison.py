"""Two systems on the same cases: the difference, its interval, and how likely chance alone makes it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, Self, runtime_checkable

import numpy as np
import pandas as pd

from llmarm_tutorial.errors import BadParameter, UnknownName
from llmarm_tutorial.evaluation.intervals import bootstrap, bootstrap_interval, mean_of_known, sign_flip_test
from llmarm_tutorial.evaluation.verdicts import LOSES, WINS, verdict


class Comparison(NamedTuple):
    """Two systems, case by case.

    Attributes:
        metric: What was compared.
        first: Name of the first system.
        second: Name of the second.
        difference: Metric of the first minus metric of the second.
        low: Lower end of the paired bootstrap interval of the difference.
        high: Upper end.
        p_value: Two-sided, of the paired sign-flip permutation test of no difference; NaN where cases share something
            or have no values of their own.
        cases: Number of cases.
    """

    metric: str
    first: str
    second: str
    difference: float
    low: float
    high: float
    p_value: float
    cases: int

    @property
    def verdict(self) -> str:
        """Whether the first "wins", "loses" or is "level", where more of the metric is better."""
        return verdict(self.low, self.high)

    def negated(self) -> Comparison:
        """The same of an error, as what it shrinks by: more is better then."""
        low, high = 0.0 - self.high, 0.0 - self.low  # 0 - x, since -0.0 would be shown as -0
        return self._replace(difference=0.0 - self.difference, low=low, high=high)


class Results(Protocol):
    """What a system did on some cases.

    Attributes:
        system: Name of the system.
        clusters: What makes cases depend on one another, see `intervals.resampled_weights`; empty if nothing does.
    """

    system: str
    clusters: Sequence[np.ndarray]

    def require_same_cases(self, other: Self) -> None:
        """Raise `BadParameter` unless both systems were asked the same, in the same way."""


class CaseResults(Results, Protocol):
    """Results whose metrics are means over cases."""

    def values(self, metric: str) -> np.ndarray:
        """A metric of every case, shape (n_cases,), NaN where it is not defined."""


@dataclass(frozen=True)
class MeanOfRuns:
    """Several trainings of one system as one result: the value of a case is its mean over the trainings.

    Attributes:
        system: Name of the system.
        runs: The results of each training, at least one, on the same cases; one where nothing is trained.

    Raises:
        BadParameter: If there are no runs, or they were asked different things.
    """

    system: str
    runs: Sequence[CaseResults]

    def __post_init__(self) -> None:
        if not self.runs:
            raise BadParameter(f"{self.system!r} has no runs to take the mean of; give one at least.")
        for run in self.runs[1:]:
            self.runs[0].require_same_cases(run)

    @property
    def clusters(self) -> Sequence[np.ndarray]:
        """What makes cases depend on one another, see `Results`."""
        return self.runs[0].clusters

    def require_same_cases(self, other: MeanOfRuns) -> None:
        """Raise `BadParameter` unless the runs of both were asked the same, in the same way."""
        self.runs[0].require_same_cases(other.runs[0])

    def values(self, metric: str) -> np.ndarray:
        """A metric of every case, shape (n_cases,), NaN where it is not defined."""
        return np.mean([run.values(metric) for run in self.runs], axis=0)

    def mean(self, metric: str) -> float:
        """The mean of a metric over all cases where it is defined."""
        return float(mean_of_known(self.values(metric)))


@dataclass(frozen=True)
class CaseValues:
    """One metric of a system, known case by case: results of what no other class describes.

    Attributes:
        system: Name of the system.
        metric: Name of the metric.
        of_cases: Its values, shape (n_cases,), NaN where it is not defined; two systems have their cases in one order.
        clusters: As in `Results`.
    """

    system: str
    metric: str
    of_cases: np.ndarray
    clusters: Sequence[np.ndarray] = ()

    def require_same_cases(self, other: CaseValues) -> None:
        """Raise `BadParameter` unless both have the same number of cases."""
        if len(self.of_cases) != len(other.of_cases):
            raise BadParameter(
                f"{self.system!r} has {len(self.of_cases):,} cases and {other.system!r} {len(other.of_cases):,}; "
                "compare systems on the same cases."
            )

    def values(self, metric: str) -> np.ndarray:
        """The values of the one metric.

        Raises:
            UnknownName: If it is another one.
        """
        if metric != self.metric:
            raise UnknownName("metric", metric, [self.metric])
        return self.of_cases


@runtime_checkable
class PooledResults(Results, Protocol):
    """Results with metrics of all cases at once, such as the area under the ROC curve: no case has a value."""

    def weighted(self, metric: str, weights: np.ndarray) -> float:
        """A metric where each case counts as often as its weight says, shape (n_cases,)."""

    def __len__(self) -> int:
        """Number of cases."""


@dataclass(frozen=True)
class MeanOfPooledRuns(MeanOfRuns):
    """As `MeanOfRuns`, for metrics of all cases at once: their value is the mean over the trainings."""

    runs: Sequence[PooledResults]

    def weighted(self, metric: str, weights: np.ndarray) -> float:
        """A metric where each case counts as often as its weight says, shape (n_cases,)."""
        return float(np.mean([run.weighted(metric, weights) for run in self.runs]))

    def __len__(self) -> int:
        """Number of cases."""
        return len(self.runs[0])


def compare(
    a: CaseResults | PooledResults,
    b: CaseResults | PooledResults,
    metric: str = "NDCG@10",
    *,
    level: float = 0.95,
    resamples: int = 1000,
    permutations: int = 9999,
    seed: int = 0,
) -> Comparison:
    """Is the difference of two systems more than the luck of these cases?

    The interval is a paired bootstrap, both systems on the same draws: of cases, or of what cases share, see
    `intervals.bootstrap`. Where cases are independent and have values of their own, `intervals.sign_flip_test` gives a
    p-value too.

    Args:
        a: Results of the first system: a `metrics.Evaluation` of recommendations, the `ClassScores` of labelled
            examples, a `LinkEvaluation`, the `MeanOfRuns` of several trainings, or `CaseValues`.
        b: Results of the second, of the same cases.
        metric: A metric that both know.
        level: Coverage of the interval, in (0, 1).
        resamples: Bootstrap samples.
        permutations: Random flips of signs.
        seed: Seed of both.

    Raises:
        BadParameter: If the systems were asked different things, or the interval is not possible.
    """
    a.require_same_cases(b)
    settings = {"level": level, "resamples": resamples, "seed": seed}
    p_value = float("nan")
    if isinstance(a, PooledResults):

        def difference_of(weights: np.ndarray) -> float:
            return a.weighted(metric, weights) - b.weighted(metric, weights)

        n_cases = len(a)
        difference = difference_of(np.ones(n_cases))
        low, high = bootstrap(difference_of, n_cases, a.clusters, **settings)
    else:
        differences = a.values(metric) - b.values(metric)
        known = ~np.isnan(differences)
        differences, clusters = differences[known], [kind[known] for kind in a.clusters]
        n_cases, difference = len(differences), differences.mean()
        low, high = bootstrap_interval(differences, clusters, **settings)
        if not clusters:
            p_value = sign_flip_test(differences, permutations=permutations, seed=seed)
    return Comparison(metric, a.system, b.system, float(difference), float(low), float(high), p_value, n_cases)


def changed_places(
    first: Mapping[str, CaseResults], second: Mapping[str, CaseResults], metric: str = "NDCG@10", *, seed: int = 0
) -> list[tuple[str, str]]:
    """Pairs of systems whose order depends on how they were judged, beyond the luck of the cases.

    Args:
        first: System → its results by one way of judging.
        second: The same systems by another way, on its own cases.
        metric: A metric that all know.
        seed: Seed of the intervals.

    Returns:
        Pairs (x, y): x is better than y in the first results and worse in the second, by the interval of `compare`.

    Raises:
        BadParameter: If systems of one side were asked different things.
    """
    before, after = ({x: mean_of_known(one.values(metric)) for x, one in way.items()} for way in (first, second))
    pairs = [(x, y) for x, y in itertools.permutations(first, 2) if before[x] > before[y] and after[x] < after[y]]
    return [
        (x, y)
        for x, y in pairs
        if compare(first[x], first[y], metric, seed=seed).verdict == WINS
        and compare(second[x], second[y], metric, seed=seed).verdict == LOSES
    ]


def clear_winner(results: Mapping[str, CaseResults], metric: str = "NDCG@10", *, seed: int = 0) -> str | None:
    """The system that is better than each of the others beyond the luck of the cases, by the interval of `compare`.

    Args:
        results: System → its results, all on the same cases.
        metric: A metric that all know.
        seed: Seed of the intervals.

    Returns:
        Its name; None where the best is level with another, or is alone.

    Raises:
        BadParameter: If systems were asked different things.
    """
    means = {name: mean_of_known(result.values(metric)) for name, result in results.items()}
    best = max(means, key=means.__getitem__, default=None)
    others = [result for name, result in results.items() if name != best]
    wins = [compare(results[best], other, metric, seed=seed).verdict == WINS for other in others]
    return best if wins and all(wins) else None


def comparison_table(comparisons: Iterable[Comparison]) -> pd.DataFrame:
    """Comparisons as a table, one row each; without the p-values if no comparison has one."""
    table = pd.DataFrame(list(comparisons), columns=Comparison._fields)
    return table.drop(columns="p_value") if len(table) and table["p_value"].isna().all() else table


def means_table(results: Mapping[str, CaseResults], metric: str = "NDCG@10", *, seed: int = 0) -> pd.DataFrame:
    """Several systems on one metric: the means with their 95 % bootstrap intervals over cases.

    Args:
        results: System → its results.
        metric: A metric that all know.
        seed: Seed of the intervals.

    Returns:
        One row per system, in the given order: "mean", "low", "high" in the unit of the metric, and "cases", those for
        which it is defined. As `ledger.record_table` and the figures take it.
    """
    rows = []
    for result in results.values():
        values = result.values(metric)
        low, high = bootstrap_interval(values, result.clusters, seed=seed)
        rows.append((float(mean_of_known(values)), float(low), float(high), int((~np.isnan(values)).sum())))
    return pd.DataFrame(rows, columns=["mean", "low", "high", "cases"], index=pd.Index(results, name="system"))

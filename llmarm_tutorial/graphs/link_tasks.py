"""Which products will be linked that are not yet? Link prediction through time, judged against plain counts.

Two products are linked where their pair passes `Definition` in a stretch of time. The task: from the past alone, rank
all pairs of known products that are no link in the past; right are those that are a link in the stretch that follows,
counted in that stretch alone. Three choices flatter a method, and each is at hand to show by how much: hiding links at
random instead of waiting for new ones (`hidden`), ranking among a few sampled pairs instead of all (`sampled`), and
leaving out the plainest rival: a pair that becomes a link was often together before, only too seldom to be one.

A method is anything that gives a matrix of scores, items × items (`link_scores` holds those that count); the score of a
pair is the mean of both directions.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse

from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.errors import BadParameter, DataError, UnknownName
from llmarm_tutorial.graphs.item_graph import ItemGraph, together

CUTOFF = 10  # places of an item's list of partners that count as a hit
METRICS = {"average_precision": "precision", "auroc": "above", f"hit_{CUTOFF}": "hit"}


class Definition(NamedTuple):
    """What makes a pair of products a link, in whatever stretch of time it is counted.

    Attributes:
        min_count: Fewest baskets with both, from 1.
        min_lift: Least lift.
        max_q: Most expected share of false links (Benjamini-Hochberg over all pairs of items that occur there).
    """

    min_count: int = 5
    min_lift: float = 1.0
    max_q: float = 0.05

    def graph(self, data: Transactions) -> ItemGraph:
        """The links of a stretch of time, weighted by the logarithm of their lift, undirected."""
        return together(data, "ppmi", min_count=self.min_count, min_lift=max(self.min_lift, 1.0), max_q=self.max_q)


@dataclass(frozen=True, eq=False)
class LinkTask:
    """Pairs that are no link yet, and which of them become one.

    Attributes:
        past: All that may be looked at.
        graph: The links of the past.
        i: First item of each candidate pair, shape (n_candidates,), int32.
        j: Second item, above the first.
        appears: Which candidates become links, shape (n_candidates,), bool.
    """

    past: Transactions
    graph: ItemGraph
    i: np.ndarray
    j: np.ndarray
    appears: np.ndarray

    def __post_init__(self) -> None:
        if not self.appears.any() or self.appears.all():
            raise DataError("No candidate pair becomes a link, or every one does: loosen or tighten the definition.")

    @property
    def n_items(self) -> int:
        """Number of items."""
        return self.graph.n_items

    @cached_property
    def matrix(self) -> sparse.csr_matrix:
        """Baskets × items of the past, float."""
        return self.past.basket_matrix().astype(float)

    @cached_property
    def counts(self) -> np.ndarray:
        """Baskets of the past with both items, shape (n_items, n_items); on the diagonal those with the item."""
        return (self.matrix.T @ self.matrix).toarray()

    @property
    def support(self) -> np.ndarray:
        """Baskets of the past with each item, shape (n_items,)."""
        return self.counts.diagonal()

    @property
    def expected(self) -> np.ndarray:
        """Baskets of the past with both items if they were independent, shape (n_items, n_items)."""
        return np.outer(self.support, self.support) / self.matrix.shape[0]

    @property
    def rarer(self) -> np.ndarray:
        """Baskets of the past with the rarer item of each candidate, shape (n_candidates,)."""
        return np.minimum(self.support[self.i], self.support[self.j])

    def read(self, scores: np.ndarray | sparse.spmatrix) -> np.ndarray:
        """The scores of the candidates, by the largest of them, to twelve digits.

        Sums in another order differ in their last digits; so what is equal but for those stays equal.

        Args:
            scores: Shape (n_items, n_items); of the two directions the mean counts.

        Returns:
            Shape (n_candidates,).

        Raises:
            BadParameter: If the shape is wrong or a candidate has no finite score.
        """
        scores = scores.toarray() if sparse.issparse(scores) else np.asarray(scores)
        if scores.shape != (self.n_items, self.n_items):
            raise BadParameter(f"Scores of links have the shape ({self.n_items}, {self.n_items}), not {scores.shape}.")
        told = (scores[self.i, self.j].astype(float) + scores[self.j, self.i]) / 2
        if not np.isfinite(told).all():
            raise BadParameter("A candidate pair has no finite score: give a number to every pair of items.")
        return np.round(told / (np.abs(told).max(initial=0.0) or 1.0), 12)

    def take(self, keep: np.ndarray) -> LinkTask:
        """The same task with some of its candidates, given by numbers or a mask."""
        return replace(self, i=self.i[keep], j=self.j[keep], appears=self.appears[keep])

    def sampled(self, negatives: int = 1, seed: int = 0) -> LinkTask:
        """All positives, and so many negatives drawn at random for each: an easier task that looks like the same.

        Args:
            negatives: Negatives per positive, from 1.
            seed: Seed of the draw.

        Raises:
            BadParameter: If `negatives` is below 1.
        """
        if negatives < 1:
            raise BadParameter(f"Draw at least 1 negative per positive, not {negatives}.")
        others = np.flatnonzero(~self.appears)
        size = min(negatives * int(self.appears.sum()), len(others))
        drawn = np.random.default_rng(seed).choice(others, size, replace=False)
        return self.take(np.sort(np.concatenate([np.flatnonzero(self.appears), drawn])))


class LinkTasks(NamedTuple):
    """The two tasks of one data set: settings are chosen on the first, the second is judged once."""

    validation: LinkTask
    test: LinkTask


def link_tasks(
    data: Transactions,
    definition: Definition | None = None,
    *,
    validation: float = 0.25,
    test: float = 0.25,
    min_baskets: int = 20,
) -> LinkTasks:
    """New links of two stretches of time, each to be told from all that came before it.

    Args:
        data: Transactions with baskets and a clock.
        definition: What a link is; None for the defaults of `Definition`.
        validation: Share of baskets in the second stretch: what the first tells about it is the validation task.
        test: Share of baskets in the third: what both others tell about it is the test task.
        min_baskets: A candidate pair's items are each in so many baskets of the past, from 1. Whether they are sold
            later plays no part: nobody knows in advance.

    Raises:
        Lacks: If the data set has no baskets or clock times.
        DataError: If no new link appears in a stretch.
    """
    data.require("baskets", "clock", purpose="a prediction of links")
    definition = definition or Definition()
    time = data.table["time"]
    parts = data.split_by_time(validation, test)
    known = data.rows((time < parts.test.table["time"].min()).to_numpy())
    return LinkTasks(
        _task(parts.train, definition.graph(parts.train), definition.graph(parts.validation), min_baskets),
        _task(known, definition.graph(known), definition.graph(parts.test), min_baskets),
    )


def hidden(
    past: Transactions,
    definition: Definition | None = None,
    *,
    share: float = 0.2,
    min_baskets: int = 20,
    seed: int = 0,
) -> LinkTask:
    """Links of the past hidden at random, to be found again: the usual way, and easier than to foresee.

    The baskets are as they were, hidden pairs and all: only methods that look at nothing but `graph` are not told the
    answer.

    Args:
        past: Transactions with baskets.
        definition: What a link is.
        share: Share of links to hide, in (0, 1).
        min_baskets: As for `link_tasks`.
        seed: Seed of the choice.

    Raises:
        BadParameter: If the share is out of range.
        DataError: If nothing is hidden.
    """
    if not 0 < share < 1:
        raise BadParameter(f"The share of links to hide is between 0 and 1, not {share}.")
    whole = (definition or Definition()).graph(past)
    pairs = whole.pairs().sort_values(["i", "j"])
    hide = np.random.default_rng(seed).random(len(pairs)) < share
    kept = pairs[~hide]
    half = sparse.csr_matrix((kept["weight"], (kept["i"], kept["j"])), shape=whole.weights.shape)
    return _task(past, ItemGraph(half + half.T, meaning=whole.meaning), whole, min_baskets)


def _task(past: Transactions, graph: ItemGraph, later: ItemGraph, min_baskets: int) -> LinkTask:
    support = np.bincount(past.item_codes, minlength=len(past.items))
    known = np.flatnonzero(support >= min_baskets)
    first, second = np.triu_indices(len(known), 1)
    i, j = known[first].astype(np.int32), known[second].astype(np.int32)
    linked, links = graph.weights.toarray() > 0, later.weights.toarray() > 0
    free = ~linked[i, j]
    return LinkTask(past, graph, i[free], j[free], links[i[free], j[free]])


# --- judging ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Judged:
    """How one method did. Where scores are equal, all orders of the pairs count alike.

    Attributes:
        name: The method.
        task: The task.
        told: Its score of each candidate, shape (n_candidates,), see `LinkTask.read`.
    """

    name: str
    task: LinkTask
    told: np.ndarray

    @cached_property
    def _places(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """For each positive: candidates (first two) and positives (last two) that score higher, and the same."""
        mine = self.told[self.task.appears]
        return *_above(np.sort(self.told), mine), *_above(np.sort(mine), mine)

    @property
    def rank(self) -> np.ndarray:
        """Mean place of each positive among all candidates, from 1, shape (n_positives,)."""
        ahead, equal, *_ = self._places
        return ahead + (equal + 1) / 2

    @property
    def precision(self) -> np.ndarray:
        """Share of positives among the candidates that score no less than it; the mean is the average precision."""
        ahead, equal, found, same = self._places
        return (found + same) / (ahead + equal)

    @property
    def above(self) -> np.ndarray:
        """Share of the negatives that score less, equal ones by half; the mean is the area under the ROC curve."""
        ahead, equal, found, same = self._places
        others = len(self.told) - len(ahead)
        return 1 - (ahead - found + (equal - same) / 2) / others

    @cached_property
    def hit(self) -> np.ndarray:
        """Chance of a place in the first `CUTOFF` of the candidates of an item, mean over the pair's two items."""
        task, mine = self.task, self.told[self.task.appears]
        table = np.full((task.n_items, task.n_items), -np.inf)
        table[task.i, task.j] = table[task.j, task.i] = self.told
        chance = np.zeros((2, len(mine)))
        for side, items in enumerate((task.i[task.appears], task.j[task.appears])):
            order = np.argsort(items, kind="stable")
            for own in np.split(order, np.flatnonzero(np.diff(items[order])) + 1):
                ahead, equal = _above(np.sort(table[items[own[0]]]), mine[own])
                chance[side, own] = np.clip((CUTOFF - ahead) / equal, 0, 1)
        return chance.mean(axis=0)

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

    def precision_at(self, k: int) -> float:
        """Expected share of positives among the first k candidates, k from 1.

        Raises:
            BadParameter: If k is below 1.
        """
        if k < 1:
            raise BadParameter(f"precision_at needs k from 1, not {k}.")
        ahead, equal, *_ = self._places
        return float(np.clip((k - ahead) / equal, 0, 1).sum() / k)


def _above(ordered: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How many of the ascending numbers are larger than each value, and how many are equal to it."""
    upper = np.searchsorted(ordered, values, side="right")
    return len(ordered) - upper, upper - np.searchsorted(ordered, values)


def judge(task: LinkTask, scores: np.ndarray | sparse.spmatrix, name: str = "scores") -> Judged:
    """Rank the candidates of a task by any matrix of scores.

    Args:
        task: The task.
        scores: High where a link is expected, shape (n_items, n_items); of the two directions the mean counts.
        name: What tables call the method.

    Raises:
        BadParameter: If the shape is wrong or a candidate has no finite score.
    """
    return Judged(name, task, task.read(scores))


def interval(
    task: LinkTask, values: np.ndarray, *, level: float = 0.95, resamples: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """Percentile interval of a mean over positives when the items are drawn anew.

    Links that share an item are not independent: one new gift set brings a dozen. So items are drawn, and a pair counts
    as often as both of its items together were (the pigeonhole bootstrap of Owen 2007, somewhat wider than needed).
    The candidates that the positives compete with stay as they are.

    Args:
        task: The task.
        values: One value per positive, shape (n_positives,).
        level: Coverage, in (0, 1).
        resamples: Draws, from 1; those that catch no positive are passed over.
        seed: Seed of the draws.

    Raises:
        BadParameter: If a parameter is out of range.
    """
    if not 0 < level < 1 or resamples < 1:
        raise BadParameter(f"An interval needs a level in (0, 1) and resamples from 1, not {level} and {resamples}.")
    items, ends = np.unique(np.concatenate([task.i[task.appears], task.j[task.appears]]), return_inverse=True)
    first, second = ends.reshape(2, -1)
    rng, means = np.random.default_rng(seed), np.full(resamples, np.nan)
    for number in range(resamples):
        times = np.bincount(rng.integers(len(items), size=len(items)), minlength=len(items))
        weight = times[first] * times[second]
        if weight.any():
            means[number] = weight @ values / weight.sum()
    low, high = np.nanquantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def results(judged: Iterable[Judged], *, resamples: int = 1000, seed: int = 0) -> pd.DataFrame:
    """Methods side by side, the best average precision first.

    Returns:
        One row per method: `method`, `average_precision` with `low` and `high` (95 %), `auroc`, `hit_10`,
        `precision_100`, `r_precision` (at as many pairs as there are positives), `median_rank`.
    """
    rows = []
    for one in judged:
        low, high = interval(one.task, one.precision, resamples=resamples, seed=seed)
        others = (one.mean("auroc"), one.mean(f"hit_{CUTOFF}"), one.precision_at(100))
        rows.append((one.name, one.mean(), low, high, *others, one.precision_at(len(one.rank)), np.median(one.rank)))
    columns = ["method", "average_precision", "low", "high", "auroc", f"hit_{CUTOFF}", "precision_100"]
    table = pd.DataFrame(rows, columns=[*columns, "r_precision", "median_rank"])
    return table.sort_values("average_precision", ascending=False, kind="stable", ignore_index=True)


class Gain(NamedTuple):
    """What one method gains over another on the same positives.

    Attributes:
        metric: The metric.
        method: The one.
        against: The other.
        gain: Difference of the means.
        low: Lower end of its 95 % interval.
        high: Upper end.
        positives: Number of positives.
    """

    metric: str
    method: str
    against: str
    gain: float
    low: float
    high: float
    positives: int


def compare(a: Judged, b: Judged, metric: str = "average_precision", *, resamples: int = 1000, seed: int = 0) -> Gain:
    """The difference of two methods, positive by positive, with an interval over items (see `interval`).

    Raises:
        BadParameter: If the two were judged on different tasks.
    """
    if not (np.array_equal(a.task.i, b.task.i) and np.array_equal(a.task.j, b.task.j)):
        raise BadParameter(f"{a.name!r} and {b.name!r} were judged on different pairs: compare them on one task.")
    differences = a.values(metric) - b.values(metric)
    low, high = interval(a.task, differences, resamples=resamples, seed=seed)
    return Gain(metric, a.name, b.name, float(differences.mean()), low, high, len(differences))


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
        found = int(task.appears[inside].sum())
        if not 0 < found < inside.sum():
            continue
        part = task.take(inside)
        bucket = (
            f"{start} and more" if stop == np.inf else f"{start}" if stop == start + 1 else f"{start} to {stop - 1}"
        )
        judged = {name: judge(part, matrix, name) for name, matrix in scores.items()}
        for name, one in judged.items():
            low, high = interval(part, one.values(metric), resamples=resamples, seed=seed)
            gain = compare(one, judged[against], metric, resamples=resamples, seed=seed)
            told = (one.mean(metric), low, high, gain.gain, gain.low, gain.high)
            rows.append((bucket, start, found, int(inside.sum()), name, *told))
    columns = ["bucket", "from_baskets", "positives", "candidates", "method", "value", "low", "high"]
    return pd.DataFrame(rows, columns=[*columns, "gain", "gain_low", "gain_high"])

"""For whom does it work, and who finds the same? Evaluations cut into groups of cases, and laid over each other."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy import sparse

from llmarm_tutorial.errors import BadParameter
from llmarm_tutorial.evaluation.comparison import CaseValues, Comparison, compare
from llmarm_tutorial.evaluation.intervals import bootstrap_interval, mean_of_known
from llmarm_tutorial.evaluation.metrics import Evaluation

LENGTHS = (10, 20, 50, 100)  # events of a history from which a new group begins


def by_segment(
    evaluation: Evaluation, labels: Sequence[object], metric: str = "NDCG@10", *, resamples: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """A metric in each group of cases, with a bootstrap interval of 95 %.

    Args:
        evaluation: The evaluation.
        labels: Group of each case, shape (n_cases,); categories of pandas keep their order, others are sorted.
        metric: A metric of single cases.
        resamples: Bootstrap samples of each group.
        seed: Seed of the samples.

    Returns:
        One row per group that has cases: `segment`, `cases`, `mean`, `low`, `high`.

    Raises:
        BadParameter: If there is not one label per case.
    """
    values = evaluation.values(metric)
    if len(labels) != len(values):
        raise BadParameter(f"There are {len(labels)} labels for {len(values)} cases: give one per case.")
    rows = []
    for label, part in pd.Series(values).groupby(pd.Series(labels), observed=True):
        low, high = bootstrap_interval(part.to_numpy(), resamples=resamples, seed=seed)
        rows.append((label, len(part), float(mean_of_known(part.to_numpy())), low, high))
    return pd.DataFrame(rows, columns=["segment", "cases", "mean", "low", "high"])


def by_history_length(
    evaluation: Evaluation,
    metric: str = "NDCG@10",
    *,
    starts: Sequence[int] = LENGTHS,
    resamples: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """A metric by how much is known of the customer, see `by_segment`.

    Args:
        evaluation: The evaluation.
        metric: A metric of single cases.
        starts: Numbers of events at which a new group begins, ascending, from 1.
        resamples: Bootstrap samples of each group.
        seed: Seed of the samples.

    Returns:
        As `by_segment`; segments are named "below 10", "10–19", …, "100 and more", shortest first.

    Raises:
        BadParameter: If the starts do not ascend from 1.
    """
    if not len(starts) or min(starts) < 1 or any(b <= a for a, b in itertools.pairwise(starts)):
        raise BadParameter(f"Groups of history lengths start at ascending numbers from 1, not {tuple(starts)}.")
    middle = [str(a) if b == a + 1 else f"{a}–{b - 1}" for a, b in itertools.pairwise(starts)]
    names = [f"below {starts[0]}", *middle, f"{starts[-1]} and more"]
    group = np.searchsorted(starts, evaluation.task.histories.lengths, side="right")
    return by_segment(
        evaluation, pd.Categorical.from_codes(group, names, ordered=True), metric, resamples=resamples, seed=seed
    )


def by_popularity(evaluation: Evaluation, metric: str = "NDCG@10", buckets: int = 3) -> pd.DataFrame:
    """A metric of single targets by how popular the target was in training, see `popularity_bucket`.

    Args:
        evaluation: The evaluation.
        metric: "HR@k" (or "Recall@k"), "NDCG@k" or "MRR", of each target as if it were the only one.
        buckets: Number of buckets, from 1; items without training events have one of their own, the last.

    Returns:
        One row per bucket, the most popular first: `bucket`, `least_events`, `items`, `targets`, `value` (NaN without
        targets).

    Raises:
        UnknownName: If single targets have no such metric.
        BadParameter: If there is no bucket.
    """
    value, counts = evaluation.target_values(metric), evaluation.task.item_counts
    bucket = np.where(counts == 0, buckets, popularity_bucket(counts, buckets))
    of_target = bucket[evaluation.task.targets.indices]
    rows = []
    for number in range(buckets + 1):
        inside, hit = bucket == number, of_target == number
        if inside.any():
            label = "no training events" if number == buckets else f"{number + 1} of {buckets}"
            mean = value[hit].mean() if hit.any() else np.nan
            rows.append((label, counts[inside].min(), inside.sum(), hit.sum(), mean))
    return pd.DataFrame(rows, columns=["bucket", "least_events", "items", "targets", "value"])


def gain_by_popularity(
    first: Evaluation, second: Evaluation, metric: str = "NDCG@10", buckets: int = 3, *, seed: int = 0
) -> pd.DataFrame:
    """Where one system is ahead of another: its gain by how popular the target was, see `popularity_bucket`.

    Args:
        first: The evaluation of the system whose gain it is.
        second: That of the other one, of the same task.
        metric: As for `by_popularity`.
        buckets: Number of buckets, from 1.
        seed: Seed of the intervals, which are paired, over cases.

    Returns:
        One row per bucket that a target is in, the most popular first: `bucket`, `items`, `gain`, `low`, `high`, and
        the `verdict`, see `verdicts.verdict`.

    Raises:
        UnknownName: If single targets have no such metric.
        BadParameter: If the tasks differ, or there is no bucket.
    """
    bucket = popularity_bucket(first.task.item_counts, buckets)
    items = {f"{number + 1} of {buckets}": (bucket == number).sum() for number in range(buckets)}
    of_target = bucket[first.task.targets.indices]
    kinds = {label: of_target == number for number, label in enumerate(items)}
    rows = [
        (label, items[label], gain.difference, gain.low, gain.high, gain.verdict)
        for label, gain in compare_kinds(first, second, kinds, metric, seed=seed).items()
    ]
    return pd.DataFrame(rows, columns=["bucket", "items", "gain", "low", "high", "verdict"])


def by_kind(
    evaluation: Evaluation, kinds: Mapping[str, np.ndarray], metric: str = "NDCG@10", *, seed: int = 0
) -> pd.DataFrame:
    """A metric by the kind of target or of case, with a bootstrap interval of 95 % over cases.

    Args:
        evaluation: The evaluation.
        kinds: Name of the kind → which targets are of it, shape (n_targets,), bool, such as `Task.bought_before`; or
            which cases, shape (n_cases,), see `Evaluation.values_of`.
        metric: As for `by_popularity`.
        seed: Seed of the intervals.

    Returns:
        One row per kind that there is: `segment` (its name), `cases`, and `mean`, `low` and `high` over these.

    Raises:
        UnknownName: If single targets have no such metric.
        BadParameter: If a kind has one truth value neither per target nor per case.
    """
    rows = []
    for name, which in kinds.items():
        values = evaluation.values_of(which, metric)
        if which.any():
            low, high = bootstrap_interval(values, seed=seed)
            rows.append((name, (~np.isnan(values)).sum(), float(mean_of_known(values)), low, high))
    return pd.DataFrame(rows, columns=["segment", "cases", "mean", "low", "high"])


def compare_kinds(
    first: Evaluation, second: Evaluation, kinds: Mapping[str, np.ndarray], metric: str = "NDCG@10", *, seed: int = 0
) -> dict[str, Comparison]:
    """Where one system is ahead of another: their difference on each kind, see `by_kind`.

    Args:
        first: The evaluation of the system whose gain it is.
        second: That of the other one, of the same task.
        kinds: As for `by_kind`.
        metric: As for `by_popularity`.
        seed: Seed of the intervals, which are paired, over cases of that kind.

    Returns:
        Kind → comparison, of kinds that there are.

    Raises:
        UnknownName: If single targets have no such metric.
        BadParameter: If the tasks differ, or a kind has one truth value neither per target nor per case.
    """
    first.require_same_cases(second)
    found = {}
    for kind, which in kinds.items():
        sides = (CaseValues(one.system, metric, one.values_of(which, metric)) for one in (first, second))
        if which.any():
            found[kind] = compare(*sides, metric, seed=seed)
    return found


def popularity_bucket(counts: np.ndarray, buckets: int = 3) -> np.ndarray:
    """Which items make up the first third of all events, the second, the last.

    Items are sorted by their events and cut so that each bucket holds about the same share of all events: of three
    buckets the first is the few items that make up a third of all events.

    Args:
        counts: Events of each item, shape (n_items,).
        buckets: Number of buckets, from 1.

    Returns:
        Shape (n_items,), 0 for the most popular to buckets - 1, where items without events are too.

    Raises:
        BadParameter: If there is no bucket.
    """
    if buckets < 1:
        raise BadParameter(f"The number of buckets is at least 1, not {buckets}.")
    order = np.argsort(-counts, kind="stable")
    before = np.cumsum(counts[order]) - counts[order]  # events of more popular items
    bucket = np.empty(len(counts), dtype=np.int64)
    bucket[order] = np.minimum(before * buckets // max(counts.sum(), 1), buckets - 1)
    return bucket


def overlap(evaluations: Sequence[Evaluation], k: int = 10) -> pd.DataFrame:
    """Mean share of the k best items of a case that two systems have in common, for every pair of systems.

    Args:
        evaluations: Evaluations of the same task, of different names, that kept lists of at least k items.
        k: Length of the lists; of fewer items, their number.

    Returns:
        Symmetric, indexed by system in both directions; 1 on the diagonal where the lists are full.

    Raises:
        BadParameter: If the tasks differ or lists are missing or too short.
    """
    _same_task(evaluations)
    shown = [_shown(evaluation, k) for evaluation in evaluations]
    places = min(k, shown[0].shape[1])
    shares = [[float(a.multiply(b).sum()) / (places * a.shape[0]) for b in shown] for a in shown]
    names = [evaluation.system for evaluation in evaluations]
    return pd.DataFrame(shares, index=names, columns=names)


def also_found(model: Evaluation, other: Evaluation, k: int = 10) -> float:
    """Share of the targets in a model's first k items that another system has in its first k too; NaN without any.

    With the best counting as the other, this is how much of the model's success counting already explains.

    Args:
        model: Evaluation whose hits are asked about.
        other: Evaluation of the same task.
        k: Length of the lists; equal scores are in the seeded random order of the lists.

    Raises:
        BadParameter: If the tasks differ or lists are missing or too short.
    """
    _same_task([model, other])
    hits = _shown(model, k).multiply(model.task.targets)
    total = hits.sum()
    return float(hits.multiply(_shown(other, k)).sum() / total) if total else float("nan")


def _same_task(evaluations: Sequence[Evaluation]) -> None:
    if len({evaluation.task.fingerprint for evaluation in evaluations}) != 1:
        raise BadParameter("Lists can be compared only within one task: evaluate all systems on the same one.")


def _shown(evaluation: Evaluation, k: int) -> sparse.csr_matrix:
    """Which items are in each case's first k, shape (n_cases, n_items), 0 or 1."""
    lists = evaluation.lists
    if lists is None or not 1 <= k <= lists.shape[1]:
        raise BadParameter(f"{evaluation.system} kept no lists of {k} items: evaluate it with ks=(…, {k}).")
    rows, places = np.nonzero(lists[:, :k] >= 0)
    cells = (np.ones(len(rows)), (rows, lists[rows, places]))
    return sparse.csr_matrix(cells, shape=(len(lists), evaluation.task.n_items))

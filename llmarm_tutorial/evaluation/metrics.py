"""What the places of targets say: metrics per case, intervals over users, and paired tests between two systems.

Every accuracy metric is the exact expectation over random orders of equal scores, see `ranking`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse

from llmarm_tutorial.errors import BadParameter, UnknownName
from llmarm_tutorial.evaluation.intervals import bootstrap_interval, log_binomial

if TYPE_CHECKING:
    from llmarm_tutorial.data.histories import Histories
    from llmarm_tutorial.evaluation.tasks import Task

ACCURACY = ("HR", "NDCG", "Recall", "Precision")
LISTS = ("Novelty", "Diversity")


class Places(NamedTuple):
    """Where the targets of every case stand among the candidates.

    Attributes:
        offsets: Where each case's targets begin, shape (n_cases + 1,).
        above: Candidates with a higher score than the target, shape (n_targets,).
        tied: Candidates with the same score, the target included, shape (n_targets,): its rank is equally likely to be
            above + 1, …, above + tied.
    """

    offsets: np.ndarray
    above: np.ndarray
    tied: np.ndarray

    @property
    def rows(self) -> np.ndarray:
        """The case of every target, shape (n_targets,)."""
        return np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))

    def mean_of(self, function: np.ndarray) -> np.ndarray:
        """Expectation of a function of each target's rank, given as its sums over ranks 1…r for r = 0, 1, …."""
        last = len(function) - 1
        end, start = np.minimum(self.above + self.tied, last), np.minimum(self.above, last)
        return (function[end] - function[start]) / self.tied

    def per_case(self, values: np.ndarray) -> np.ndarray:
        """Sums over the targets of each case, shape (n_cases,)."""
        return np.add.reduceat(values, self.offsets[:-1])

    def first(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(above, tied, number of targets) of the best group of equal scores that holds a target, per case."""
        above = np.minimum.reduceat(self.above, self.offsets[:-1])
        in_group = self.above == above[self.rows]
        return above, np.maximum.reduceat(np.where(in_group, self.tied, 0), self.offsets[:-1]), self.per_case(in_group)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """How one system did in one task, case by case.

    Metrics are asked for by name: "HR@10" (share of cases with a target among the first 10), "NDCG@10" (Järvelin &
    Kekäläinen 2002, binary gains, relative to the best order possible), "Recall@10" (share of a case's targets among
    the first 10), "Precision@10", "MRR" (mean of 1 over the rank of the first target), and of the lists "Novelty@10"
    (mean of -log2 of an item's share of the training events, in bits; an item without any counts as one event),
    "Diversity@10" (1 - mean cosine of the vectors of two items of a list) and "Coverage@10" (share of all items that
    occur in any list).

    Attributes:
        system: Name of the system.
        task: What was asked.
        protocol: Who the candidates were, in words.
        ks: The cut-offs of tables.
        places: Where the targets stand.
        lists: The best candidates of each case, best first, shape (n_cases, largest cut-off), int32, -1 where there
            were fewer; None for sampled metrics.
        vectors: Item vectors for "Diversity", shape (n_items, d).
        score_seconds: Seconds that the system spent on scores.
    """

    system: str
    task: Task
    protocol: str
    ks: tuple[int, ...]
    places: Places
    lists: np.ndarray | None = None
    vectors: np.ndarray | sparse.spmatrix | None = None
    score_seconds: float = 0.0

    @property
    def metrics(self) -> list[str]:
        """Names of the metrics that tables show."""
        names = [*ACCURACY, *(("Novelty", "Coverage") if self.lists is not None else ())]
        names += ["Diversity"] if self.lists is not None and self.vectors is not None else []
        if len(self.task) == self.places.offsets[-1]:
            names.remove("Recall")  # of one target: the same as HR
            names.remove("Precision")  # and HR / k
        shown = [f"{name}@{k}" for name in names for k in self.ks if not (name == "Diversity" and k == 1)]
        return ["MRR", *shown]

    def values(self, metric: str) -> np.ndarray:
        """A metric of every case, shape (n_cases,), such as "NDCG@10" or "MRR".

        Raises:
            UnknownName: If there is no such metric of single cases.
            BadParameter: If the lists are too short, or absent, or vectors are missing.
        """
        if metric == "MRR":
            return self._reciprocal_rank()
        name, k = self._parsed(metric)
        if name in LISTS:
            return self._novelty(k) if name == "Novelty" else self._diversity(k)
        if name not in ACCURACY:
            raise UnknownName("metric of single cases", metric, [*self._valid(), "MRR"])
        n_targets = np.diff(self.places.offsets)
        if name == "HR":
            return self._hit(k)
        if name == "NDCG":
            gains = _discounts(k)
            return self.places.per_case(self.places.mean_of(gains)) / gains[np.minimum(n_targets, k)]
        found = self.places.per_case(self.places.mean_of(np.arange(k + 1.0)))
        return found / (n_targets if name == "Recall" else k)

    def mean(self, metric: str) -> float:
        """A metric over all cases; "Coverage@k" too, which single cases do not have."""
        if metric.startswith("Coverage@"):
            shown = self._lists(self._parsed(metric)[1])
            return len(np.unique(shown[shown >= 0])) / self.task.n_items
        return float(np.nanmean(self.values(metric)))

    def table(self) -> pd.DataFrame:
        """Means of all metrics, one row per metric, one column per cut-off ("all" where there is none)."""
        cells = [(*(m.split("@") if "@" in m else (m, "all")), self.mean(m)) for m in self.metrics]
        frame = pd.DataFrame(cells, columns=["metric", "k", "value"])
        columns = [str(k) for k in self.ks] + ["all"]
        return frame.pivot(index="metric", columns="k", values="value").reindex(
            index=frame["metric"].unique(), columns=columns
        )

    def row(self, metrics: Sequence[str] | None = None) -> pd.DataFrame:
        """One row of means, indexed by the name of the system; rows of several systems stack with `pandas.concat`."""
        cells = {metric: self.mean(metric) for metric in metrics or self.metrics}
        return pd.DataFrame(cells, index=pd.Index([self.system], name="system"))

    def summary(
        self, metrics: Sequence[str] | None = None, *, level: float = 0.95, resamples: int = 1000, seed: int = 0
    ) -> pd.DataFrame:
        """Means with bootstrap intervals over cases (percentiles), one row per metric: mean, low, high, cases."""
        chosen = [m for m in metrics or self.metrics if not m.startswith("Coverage@")]
        values = np.column_stack([self.values(m) for m in chosen])
        low, high = bootstrap_interval(values, level=level, resamples=resamples, seed=seed)
        facts = {"mean": np.nanmean(values, axis=0), "low": low, "high": high, "cases": len(values)}
        return pd.DataFrame(facts, index=pd.Index(chosen, name="metric"))

    def by_popularity(self, metric: str = "NDCG@10", buckets: int = 3) -> pd.DataFrame:
        """A metric of single targets by how popular the target was in training.

        Items are sorted by training events and cut so that each bucket holds about the same share of all events: of
        three buckets the first is the few items that make up a third of all events. Items without any come last.

        Args:
            metric: "HR@k" (or "Recall@k"), "NDCG@k" or "MRR", of each target as if it were the only one.
            buckets: Number of buckets, from 1.

        Returns:
            One row per bucket, the most popular first: `bucket`, `least_events`, `items`, `targets`, `value` (NaN
            without targets).
        """
        name, k = ("MRR", None) if metric == "MRR" else self._parsed(metric)
        if name not in ("HR", "Recall", "NDCG", "MRR"):
            raise UnknownName("metric by popularity", metric, ["HR@k", "NDCG@k", "MRR"])
        if buckets < 1:
            raise BadParameter(f"The number of buckets is at least 1, not {buckets}.")
        sums = {"MRR": lambda: _harmonics(self.task.n_items), "NDCG": lambda: _discounts(k)}
        value = self.places.mean_of(sums.get(name, lambda: np.arange(k + 1.0))())
        counts = self.task.item_counts
        order = np.argsort(-counts, kind="stable")
        before = np.cumsum(counts[order]) - counts[order]  # events of more popular items
        bucket = np.empty(len(counts), dtype=np.int64)
        bucket[order] = np.minimum(before * buckets // max(counts.sum(), 1), buckets - 1)
        bucket[counts == 0] = buckets
        of_target = bucket[self.task.targets.indices]
        rows = []
        for number in range(buckets + 1):
            inside, hit = bucket == number, of_target == number
            if inside.any():
                label = "no training events" if number == buckets else f"{number + 1} of {buckets}"
                mean = value[hit].mean() if hit.any() else np.nan
                rows.append((label, counts[inside].min(), inside.sum(), hit.sum(), mean))
        return pd.DataFrame(rows, columns=["bucket", "least_events", "items", "targets", "value"])

    # --- single metrics --------------------------------------------------------------------------------------------

    def _valid(self) -> list[str]:
        return [f"{name}@k" for name in (*ACCURACY, *LISTS)]

    def _parsed(self, metric: str) -> tuple[str, int]:
        name, _, digits = metric.partition("@")
        if name not in (*ACCURACY, *LISTS, "Coverage") or not digits.isdigit() or int(digits) < 1:
            raise UnknownName("metric", metric, [*self._valid(), "Coverage@k", "MRR"])
        return name, int(digits)

    def _lists(self, k: int) -> np.ndarray:
        if self.lists is None or k > self.lists.shape[1]:
            kept = "none" if self.lists is None else f"those of length {self.lists.shape[1]}"
            raise BadParameter(f"This needs lists of {k} items, the evaluation kept {kept}: evaluate with ks=(…, {k}).")
        return self.lists[:, :k]

    def _hit(self, k: int) -> np.ndarray:
        above, tied, held = self.places.first()
        slots = np.clip(k - above, 0, tied)  # places that the list has for the first group with a target
        # no target gets one of them: C(tied - held, slots) of C(tied, slots) ways
        none = np.exp(log_binomial(tied - held, slots) - log_binomial(tied, slots))
        return np.where(held == 1, slots / tied, 1 - none)

    def _reciprocal_rank(self) -> np.ndarray:
        above, tied, held = self.places.first()
        harmonics = _harmonics(self.task.n_items)
        ranks = (harmonics[above + tied] - harmonics[above]) / tied
        ranks = np.where(tied == 1, 1 / (above + 1), ranks)
        several = np.flatnonzero((held > 1) & (tied > 1))
        groups, inverse = np.unique(np.stack([above, tied, held])[:, several], axis=1, return_inverse=True)
        means = np.empty(groups.shape[1])
        for number, (start, size, count) in enumerate(groups.T):
            first = np.arange(1, size - count + 2)  # the best of `count` targets among `size` places
            chance = np.exp(log_binomial(size - first, count - 1) - log_binomial(size, count))
            means[number] = (chance / (start + first)).sum()
        ranks[several] = means[inverse]
        return ranks

    def _novelty(self, k: int) -> np.ndarray:
        shown = self._lists(k)
        counts = np.maximum(self.task.item_counts, 1)
        bits = np.where(shown >= 0, -np.log2(counts / counts.sum())[shown], 0.0)
        return bits.sum(axis=1) / np.maximum((shown >= 0).sum(axis=1), 1)

    def _diversity(self, k: int) -> np.ndarray:
        shown = self._lists(k)
        if k < 2 or self.vectors is None:
            raise BadParameter("Diversity compares the items of a list: it needs k from 2 and evaluate(…, vectors=…).")
        unit = _unit_rows(self.vectors, self.task.n_items)
        lengths = (shown >= 0).sum(axis=1)
        similar = np.empty(len(shown))
        for start in range(0, len(shown), 2048):
            part = shown[start : start + 2048]
            rows, places = np.nonzero(part >= 0)
            picks = sparse.csr_matrix(
                (np.ones(len(rows)), (rows, part[rows, places])), shape=(len(part), unit.shape[0])
            )
            total = picks @ unit  # the squared length of a sum of unit vectors: its items plus twice all cosines
            similar[start : start + 2048] = _squares(total) - picks @ _squares(unit)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(lengths > 1, 1 - similar / (lengths * (lengths - 1)), np.nan)


def user_vectors(histories: Histories) -> sparse.csr_matrix:
    """A vector per item for the diversity of lists: which cases have it, shape (n_items, n_cases), 0 or 1."""
    return histories.held().T.tocsr()


def _unit_rows(vectors: np.ndarray | sparse.spmatrix, n_items: int) -> np.ndarray | sparse.csr_matrix:
    """Rows of length 1; a zero row stays zero and so is similar to nothing."""
    if vectors.shape[0] != n_items:
        raise BadParameter(f"Diversity needs one vector per item, so {n_items} rows, not {vectors.shape[0]}.")
    if sparse.issparse(vectors):
        vectors = vectors.tocsr()
    vectors = vectors.astype(float)
    lengths = np.sqrt(_squares(vectors))
    return sparse.diags(1 / np.where(lengths > 0, lengths, 1)) @ vectors


def _squares(rows: np.ndarray | sparse.csr_matrix) -> np.ndarray:
    """Squared length of each row."""
    return np.asarray((rows.multiply(rows) if sparse.issparse(rows) else rows * rows).sum(axis=1)).ravel()


def _discounts(k: int) -> np.ndarray:
    """Sums of 1 / log2(rank + 1) over ranks 1…r, shape (k + 1,)."""
    return np.concatenate([[0], np.cumsum(1 / np.log2(np.arange(2, k + 2)))])


def _harmonics(n: int) -> np.ndarray:
    """Sums of 1 / rank over ranks 1…r, shape (n + 1,)."""
    return np.concatenate([[0], np.cumsum(1 / np.arange(1, n + 1))])

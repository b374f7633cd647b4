"""What the places of targets say: metrics per case, intervals over users, and paired tests between two systems.

Every accuracy metric is the exact expectation over random orders of equal scores, see `ranking`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd
from scipy import sparse

from llmarm_tutorial.errors import BadParameter, UnknownName
from llmarm_tutorial.evaluation.intervals import bootstrap_interval, mean_of_known
from llmarm_tutorial.evaluation.ranks import TargetRanks
from llmarm_tutorial.mining.significance import log_binomial

if TYPE_CHECKING:
    from llmarm_tutorial.data.histories import Histories
    from llmarm_tutorial.evaluation.tasks import Task

ACCURACY = ("HR", "NDCG", "Recall", "Precision")
LISTS = ("Novelty", "Diversity")


def parse_metric(metric: str) -> tuple[str, int | None]:
    """Name and cut-off of a metric such as "NDCG@10"; "MRR" looks at whole rankings, its cut-off is None.

    Raises:
        UnknownName: If there is no such metric.
    """
    name, _, digits = metric.partition("@")
    if metric == "MRR":
        return name, None
    if name not in (*ACCURACY, *LISTS, "Coverage") or not digits.isdigit() or int(digits) < 1:
        raise UnknownName("metric", metric, [*(f"{name}@k" for name in (*ACCURACY, *LISTS, "Coverage")), "MRR"])
    return name, int(digits)


def cutoff_of(metric: str) -> int:
    """How long the lists must be that a metric looks at, at least 1: to evaluate for this metric alone."""
    return parse_metric(metric)[1] or 1


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
        ranks: Where the targets stand.
        lists: The best candidates of each case, best first, shape (n_cases, largest cut-off), int32, -1 where there
            were fewer; None for sampled metrics.
        vectors: Item vectors for "Diversity", shape (n_items, d).
    """

    system: str
    task: Task
    protocol: str
    ks: tuple[int, ...]
    ranks: TargetRanks
    clusters: ClassVar[tuple[np.ndarray, ...]] = ()  # cases are different users or baskets
    lists: np.ndarray | None = None
    vectors: np.ndarray | sparse.spmatrix | None = None

    def require_same_cases(self, other: Evaluation) -> None:
        """Raise `BadParameter` unless the other system was asked the same, and its candidates were the same."""
        if self.task is not other.task and self.task.fingerprint != other.task.fingerprint:
            raise BadParameter(
                f"{self.system} and {other.system} were asked different tasks: evaluate both on the same one."
            )
        if self.protocol != other.protocol:
            raise BadParameter(
                f"{self.system} ranked {self.protocol}, {other.system} {other.protocol}: evaluate both in the same way."
            )

    @property
    def metrics(self) -> list[str]:
        """Names of the metrics that tables show."""
        names = [*ACCURACY, *(("Novelty", "Coverage") if self.lists is not None else ())]
        names += ["Diversity"] if self.lists is not None and self.vectors is not None else []
        if len(self.task) == self.ranks.offsets[-1]:
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
        name, k = parse_metric(metric)
        if name == "MRR":
            return self._reciprocal_rank()
        if name in LISTS:
            return self._novelty(k) if name == "Novelty" else self._diversity(k)
        if name not in ACCURACY:
            raise UnknownName("metric of single cases", metric, [*(f"{name}@k" for name in (*ACCURACY, *LISTS)), "MRR"])
        n_targets = np.diff(self.ranks.offsets)
        if name == "HR":
            return self._hit(k)
        if name == "NDCG":
            gains = _discounts(k)
            return self.ranks.per_case(self.ranks.mean_of(gains)) / gains[np.minimum(n_targets, k)]
        hits = self.ranks.per_case(self.ranks.mean_of(np.arange(k + 1.0)))
        return hits / (n_targets if name == "Recall" else k)

    def mean(self, metric: str) -> float:
        """A metric over all cases; "Coverage@k" too, which single cases do not have."""
        if metric.startswith("Coverage@"):
            shown = self._lists(cutoff_of(metric))
            return len(np.unique(shown[shown >= 0])) / self.task.n_items
        return float(mean_of_known(self.values(metric)))

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
        facts = {"mean": mean_of_known(values, axis=0), "low": low, "high": high, "cases": len(values)}
        return pd.DataFrame(facts, index=pd.Index(chosen, name="metric"))

    def target_values(self, metric: str = "NDCG@10") -> np.ndarray:
        """A metric of every target as if it were its case's only one, shape (n_targets,).

        Args:
            metric: "HR@k" (or "Recall@k"), "NDCG@k" or "MRR".

        Raises:
            UnknownName: If it is none of these.
        """
        name, k = parse_metric(metric)
        if name == "MRR":
            return self.ranks.mean_of(_harmonics(self.task.n_items))
        if name not in ("HR", "Recall", "NDCG"):
            raise UnknownName("metric of single targets", metric, ["HR@k", "NDCG@k", "MRR"])
        return self.ranks.mean_of(_discounts(k) if name == "NDCG" else np.arange(k + 1.0))

    def values_of(self, which: np.ndarray, metric: str = "NDCG@10") -> np.ndarray:
        """A metric of some targets or of some cases, NaN for a case that has none of them.

        Args:
            which: Shape (n_targets,), bool, in the order of `task.targets.indices`: the value of a case is the mean of
                `target_values` over these targets. Or shape (n_cases,): the value of a whole case, as in `values`.
                Where each case has one target the two are the same.
            metric: See `target_values`.

        Returns:
            Shape (n_cases,).

        Raises:
            BadParameter: If there is one truth value neither per target nor per case.
        """
        if np.shape(which) == (len(self.task),):
            return np.where(which, self.values(metric), np.nan)
        if np.shape(which) != self.task.targets.indices.shape:
            raise BadParameter(
                f"Give one truth value per target, so {len(self.task.targets.indices)}, or per case, {len(self.task)}."
            )
        values = np.where(which, self.target_values(metric), 0)
        with np.errstate(invalid="ignore"):
            return self.ranks.per_case(values) / self.ranks.per_case(np.asarray(which, dtype=float))

    def values_among(self, items: np.ndarray, metric: str = "NDCG@10") -> np.ndarray:
        """Mean of `target_values` over the targets of a case that are among some items, NaN where none is.

        Args:
            items: Which items, shape (n_items,), bool.
            metric: See `target_values`.

        Returns:
            Shape (n_cases,).
        """
        return self.values_of(items[self.task.targets.indices], metric)

    # --- single metrics --------------------------------------------------------------------------------------------

    def _lists(self, k: int) -> np.ndarray:
        if self.lists is None or k > self.lists.shape[1]:
            kept = "none" if self.lists is None else f"those of length {self.lists.shape[1]}"
            raise BadParameter(f"This needs lists of {k} items, the evaluation kept {kept}: evaluate with ks=(…, {k}).")
        return self.lists[:, :k]

    def _hit(self, k: int) -> np.ndarray:
        above, tied, held = self.ranks.first()
        slots = np.clip(k - above, 0, tied)  # places that the list has for the first group with a target
        # no target gets one of them: C(tied - held, slots) of C(tied, slots) ways
        none = np.exp(log_binomial(tied - held, slots) - log_binomial(tied, slots))
        return np.where(held == 1, slots / tied, 1 - none)

    def _reciprocal_rank(self) -> np.ndarray:
        above, tied, held = self.ranks.first()
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

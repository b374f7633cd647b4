"""What the places of targets say: metrics per case, intervals over users, and paired tests between two systems.

Every accuracy metric is the exact expectation over random orders of equal scores, see `ranking`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.special import gammaln

from llmarm_tutorial.errors import BadParameter, UnknownName

if TYPE_CHECKING:
    from llmarm_tutorial.evaluation.ranking import Histories, Task

ACCURACY = ("HR", "NDCG", "Recall", "Precision")
LISTS = ("Novelty", "Diversity")
EXACT_FLIPS = 14  # with so few cases that differ, the permutation test goes through all 2^n flips of signs


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
        none = np.exp(_log_choose(tied - held, slots) - _log_choose(tied, slots))
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
            chance = np.exp(_log_choose(size - first, count - 1) - _log_choose(size, count))
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


class Comparison(NamedTuple):
    """Two systems, case by case.

    Attributes:
        metric: What was compared.
        first: Name of the first system.
        second: Name of the second.
        difference: Mean of the first minus mean of the second.
        low: Lower end of the bootstrap interval of the difference.
        high: Upper end.
        p_value: Two-sided, of the paired sign-flip permutation test of no difference.
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


def compare(
    a: Evaluation,
    b: Evaluation,
    metric: str = "NDCG@10",
    *,
    level: float = 0.95,
    resamples: int = 1000,
    permutations: int = 9999,
    seed: int = 0,
) -> Comparison:
    """Is the difference of two systems more than the luck of these cases?

    The interval is a paired bootstrap over cases (percentiles). The p-value is of the permutation test that flips the
    signs of the cases' differences, as if the two systems had swapped names there: exact over all flips for at most 14
    cases that differ, else from random flips, with the observed one counted in (Phipson & Smyth 2010).

    Args:
        a: Evaluation of the first system.
        b: Evaluation of the second, of the same task under the same protocol.
        metric: A metric of single cases.
        level: Coverage of the interval, in (0, 1).
        resamples: Bootstrap samples.
        permutations: Random flips.
        seed: Seed of both.

    Raises:
        BadParameter: If the evaluations are of different tasks or protocols.
    """
    if a.task is not b.task and a.task.fingerprint != b.task.fingerprint:
        raise BadParameter(f"{a.system} and {b.system} were asked different tasks: evaluate both on the same one.")
    if a.protocol != b.protocol:
        raise BadParameter(f"{a.system} ranked {a.protocol}, {b.system} {b.protocol}: evaluate both in the same way.")
    differences = a.values(metric) - b.values(metric)
    differences = differences[~np.isnan(differences)]
    low, high = bootstrap_interval(differences[:, None], level=level, resamples=resamples, seed=seed)
    p = sign_flip_test(differences, permutations=permutations, seed=seed)
    mean = float(differences.mean())
    return Comparison(metric, a.system, b.system, mean, float(low[0]), float(high[0]), p, len(differences))


def comparison_table(comparisons: Iterable[Comparison]) -> pd.DataFrame:
    """Comparisons as a table, one row each."""
    return pd.DataFrame(list(comparisons), columns=Comparison._fields)


def bootstrap_interval(
    values: np.ndarray, *, level: float = 0.95, resamples: int = 1000, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Percentile interval of column means when the rows are drawn anew (Efron 1979).

    Args:
        values: Shape (n, m), NaN where a row has no value; all columns are resampled together.
        level: Coverage, in (0, 1).
        resamples: Number of resamples.
        seed: Seed of the draws.

    Returns:
        Lower and upper ends, each of shape (m,).

    Raises:
        BadParameter: If the level is out of range or there are no resamples.
    """
    if not 0 < level < 1 or resamples < 1:
        raise BadParameter(f"An interval needs a level in (0, 1) and resamples from 1, not {level} and {resamples}.")
    rng, known = np.random.default_rng(seed), ~np.isnan(values)
    filled, n = np.where(known, values, 0.0), len(values)
    means = np.empty((resamples, values.shape[1]))
    for number in range(resamples):
        times = np.bincount(rng.integers(n, size=n), minlength=n)
        with np.errstate(invalid="ignore"):
            means[number] = (times @ filled) / (times @ known)
    return tuple(np.nanquantile(means, [(1 - level) / 2, (1 + level) / 2], axis=0))


def sign_flip_test(differences: np.ndarray, *, permutations: int = 9999, seed: int = 0) -> float:
    """Two-sided p-value of paired differences under random signs, see `compare`.

    Args:
        differences: Shape (n,).
        permutations: Random flips where there are too many to go through all.
        seed: Seed of the flips.
    """
    sizes = np.abs(differences[differences != 0])  # what is zero stays zero under every flip
    n = len(sizes)
    if n == 0:
        return 1.0
    observed = abs(differences.sum()) - 1e-9 * sizes.sum()  # sums of the same numbers in another order are equal
    if n <= EXACT_FLIPS:
        bits = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
        return float(np.mean(np.abs((2.0 * bits - 1) @ sizes) >= observed))
    rng, extreme, step = np.random.default_rng(seed), 0, max(1, 2**21 // n)
    for start in range(0, permutations, step):
        count = min(step, permutations - start)
        bits = np.unpackbits(rng.integers(256, size=(count, -(-n // 8)), dtype=np.uint8), axis=1, count=n)
        sums = 2 * (bits @ sizes) - sizes.sum()
        extreme += int((np.abs(sums) >= observed).sum())
    return (extreme + 1) / (permutations + 1)


def user_vectors(histories: Histories, n_items: int) -> sparse.csr_matrix:
    """A vector per item for the diversity of lists: which cases have it, shape (n_items, n_cases), 0 or 1."""
    matrix = histories.matrix(n_items).T.tocsr()
    matrix.data[:] = 1
    return matrix


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


def _log_choose(n: np.ndarray, k: np.ndarray) -> np.ndarray:
    """Logarithm of the binomial coefficient, -inf where k > n."""
    inside = k <= n
    rest = np.where(inside, n - k, 0)
    return np.where(inside, gammaln(n + 1) - gammaln(k + 1) - gammaln(rest + 1), -np.inf)

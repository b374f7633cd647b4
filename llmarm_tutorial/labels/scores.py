"""How good are the probabilities of classes? Every metric and interval from one object.

The metrics are scikit-learn's; what is added are intervals that know which examples depend on one another (all pairs
with one product, all rules with one antecedent), a threshold that is chosen on validation, and calibration.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from sklearn import metrics

from llmarm_tutorial.choosing import choose_setting
from llmarm_tutorial.errors import BadParameter, UnknownName
from llmarm_tutorial.evaluation.intervals import bootstrap
from llmarm_tutorial.labels.tasks import Labelled

LOWER_IS_BETTER = frozenset({"log loss", "Brier", "ECE"})
BINS = 10
_LEAST = 1e-15  # a probability is never taken to be smaller: one sure mistake does not make the log loss infinite


@dataclass(frozen=True, eq=False)
class ClassScores:
    """What a system says of labelled examples.

    Metrics, asked for by name: "accuracy"; "balanced accuracy" (mean recall of the classes); "macro F1" (mean F1 of the
    classes that occur or are predicted); "F1" (of the positive class); "AUROC" and "average precision" (of the positive
    class, with more than two classes the mean over classes, each against the rest); "log loss" (nats); "Brier" (Brier
    1950: squared error of the probabilities, of the positive class if there are two, else summed over classes); "ECE"
    (expected calibration error: distance between the probability of the predicted class and the share that is right, in
    `BINS` bins of equally many examples; Guo et al. 2017 use bins of equal width).

    Attributes:
        system: Name of the system.
        labelled: The examples, one part of a task.
        probabilities: Shape (n, n_classes), rows add up to 1.
        threshold: Of two classes the positive one is predicted from this probability on; None predicts the more
            probable class.
    """

    system: str
    labelled: Labelled
    probabilities: np.ndarray
    threshold: float | None = None

    def __post_init__(self) -> None:
        shape = (len(self.labelled), len(self.labelled.classes))
        if self.probabilities.shape != shape or not shape[0]:
            raise BadParameter(
                f"{self.system} gives probabilities of shape {self.probabilities.shape}; {shape} are needed, at least "
                "one row."
            )
        if not np.allclose(self.probabilities.sum(axis=1), 1, atol=1e-3) or (self.probabilities < 0).any():
            raise BadParameter(f"{self.system} gives rows of probabilities that are negative or do not add up to 1.")
        if self.threshold is not None and shape[1] != 2:
            raise BadParameter(f"A threshold is for two classes, {self.labelled.name!r} has {shape[1]}.")

    def __len__(self) -> int:
        return len(self.labelled)

    @property
    def clusters(self) -> list[np.ndarray]:
        """What examples share, one array per kind that is drawn on its own, see `intervals.resampled_weights`."""
        clusters = self.labelled.clusters
        # both sides of a pair are products, so of one kind: a product is drawn once, whichever side it stands on
        return [clusters] if clusters.ndim == 1 or self.labelled.name == "pair" else list(clusters.T)

    def require_same_cases(self, other: ClassScores) -> None:
        """Raise `BadParameter` unless both systems were asked about the same examples."""
        one, another = self.labelled, other.labelled
        same = one is another or (
            np.array_equal(one.labels, another.labels)
            and np.array_equal(one.clusters, another.clusters)
            and np.array_equal(one.sets.items, another.sets.items)
        )
        if not same:
            raise BadParameter(
                f"{self.system} and {other.system} were asked about different examples: give both the same part."
            )

    @property
    def predicted(self) -> np.ndarray:
        """The predicted class of every example, shape (n,), int64."""
        if self.threshold is None:
            return self.probabilities.argmax(axis=1)
        return (self.probabilities[:, 1] >= self.threshold).astype(np.int64)

    def at(self, threshold: float) -> ClassScores:
        """The same with another threshold, for two classes."""
        return replace(self, threshold=threshold)

    def value(self, metric: str) -> float:
        """A metric over all examples.

        Raises:
            UnknownName: If there is no such metric.
            BadParameter: If it is "F1" and there are more than two classes.
        """
        return self.weighted(metric, np.ones(len(self)))

    def weighted(self, metric: str, weights: np.ndarray) -> float:
        """A metric with a weight per example, shape (n,); NaN where it is not defined."""
        if metric not in METRICS:
            raise UnknownName("metric", metric, METRICS)
        return float(METRICS[metric](self, weights))

    def interval(
        self, metric: str, *, level: float = 0.95, resamples: int = 1000, seed: int = 0
    ) -> tuple[float, float]:
        """Percentile bootstrap interval of a metric that draws clusters, not examples, see `intervals.bootstrap`.

        Args:
            metric: A metric.
            level: Coverage, in (0, 1).
            resamples: Number of draws.
            seed: Seed of the draws.

        Returns:
            Lower and upper end.

        Raises:
            BadParameter: If the level is out of range or there are no resamples.
        """
        return bootstrap(
            lambda weights: self.weighted(metric, weights),
            len(self),
            self.clusters,
            level=level,
            resamples=resamples,
            seed=seed,
        )

    def summary(
        self, names: tuple[str, ...] = (), *, level: float = 0.95, resamples: int = 1000, seed: int = 0
    ) -> pd.DataFrame:
        """Value, lower and upper end of metrics, one row each; without names all that are defined."""
        names = names or tuple(name for name in METRICS if name != "F1" or len(self.labelled.classes) == 2)
        rows = {}
        for name in names:
            low, high = self.interval(name, level=level, resamples=resamples, seed=seed)
            rows[name] = {"value": self.value(name), "low": low, "high": high}
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("metric")

    def report(self) -> pd.DataFrame:
        """Precision, recall, F1 and number of examples of each class, and their macro average."""
        classes = self.labelled.classes
        parts = metrics.precision_recall_fscore_support(
            self.labelled.labels, self.predicted, labels=range(len(classes)), zero_division=0
        )
        table = pd.DataFrame(dict(zip(("precision", "recall", "F1", "examples"), parts, strict=True)), index=classes)
        mean = table.mean().to_dict() | {"examples": table["examples"].sum()}
        return pd.concat([table, pd.DataFrame(mean, index=["macro average"])]).astype({"examples": int})

    def confusion(self) -> pd.DataFrame:
        """Number of examples by true class (rows) and predicted class (columns)."""
        names = list(self.labelled.classes)
        table = metrics.confusion_matrix(self.labelled.labels, self.predicted, labels=range(len(names)))
        return pd.DataFrame(table, pd.Index(names, name="true"), pd.Index(names, name="predicted"))

    def roc(self, positive: int = 1) -> pd.DataFrame:
        """Columns `false_positive` and `true_positive` (rates) of one class against the rest, per threshold."""
        false, true, _ = metrics.roc_curve(self.labelled.labels == positive, self.probabilities[:, positive])
        return pd.DataFrame({"false_positive": false, "true_positive": true})

    def precision_recall(self, positive: int = 1) -> pd.DataFrame:
        """Columns `recall` and `precision`, one row per threshold, of one class against the rest."""
        precision, recall, _ = metrics.precision_recall_curve(
            self.labelled.labels == positive, self.probabilities[:, positive]
        )
        return pd.DataFrame({"recall": recall, "precision": precision})

    def reliability(self, bins: int = BINS) -> pd.DataFrame:
        """Mean probability, share that came true, and number of examples, in bins of equally many examples.

        Of two classes this is about the positive one, of more about the most probable one.
        """
        if len(self.labelled.classes) == 2:
            p, right = self.probabilities[:, 1], self.labelled.labels == 1
        else:
            p, right = self.probabilities.max(axis=1), self.probabilities.argmax(axis=1) == self.labelled.labels
        n, p, right = _binned(p, right, np.ones(len(p)), bins)
        return pd.DataFrame({"probability": p / n, "observed": right / n, "examples": n.astype(int)})


def _binned(p: np.ndarray, right: np.ndarray, weights: np.ndarray, bins: int) -> tuple[np.ndarray, ...]:
    """Sums of weights, of p and of right in bins of about equal weight that do not part equal values; none is empty."""
    values, place = np.unique(p, return_inverse=True)
    mass = np.bincount(place, weights, minlength=len(values))
    middle = np.cumsum(mass) - mass / 2
    number = np.minimum((middle / mass.sum() * bins).astype(int), bins - 1)[place]
    sums = [np.bincount(number, w, minlength=bins) for w in (weights, weights * p, weights * right)]
    return tuple(total[sums[0] > 0] for total in sums)


# --- metrics with weights ------------------------------------------------------------------------------------------

Metric = Callable[[ClassScores, np.ndarray], float]


def _each_class(of_class: Callable[..., float]) -> Metric:
    """A metric of rankings: of the positive class, or the mean over classes that occur and are not all."""

    def mean(scores: ClassScores, weights: np.ndarray) -> float:
        labels, n_classes = scores.labelled.labels, len(scores.labelled.classes)
        values = []
        for number in [1] if n_classes == 2 else range(n_classes):
            true = labels == number
            if 0 < weights[true].sum() < weights.sum():
                values.append(of_class(true, scores.probabilities[:, number], sample_weight=weights))
        return np.mean(values) if values else np.nan

    return mean


def _balanced_accuracy(scores: ClassScores, weights: np.ndarray) -> float:
    labels = scores.labelled.labels
    size, right = np.bincount(labels, weights), np.bincount(labels, weights * (scores.predicted == labels))
    return np.mean(right[size > 0] / size[size > 0])


def _f1(scores: ClassScores, weights: np.ndarray, classes: list[int]) -> float:
    """Mean F1 of the given classes: 2 hits over (true + predicted); classes without either are left out."""
    n, labels, predicted = len(scores.labelled.classes), scores.labelled.labels, scores.predicted
    both = np.bincount(labels, weights, n) + np.bincount(predicted, weights, n)
    hits = np.bincount(labels, weights * (labels == predicted), n)
    known = np.array(classes)[both[classes] > 0]
    return np.mean(2 * hits[known] / both[known]) if len(known) else np.nan


def _macro_f1(scores: ClassScores, weights: np.ndarray) -> float:
    return _f1(scores, weights, list(range(len(scores.labelled.classes))))


def _positive_f1(scores: ClassScores, weights: np.ndarray) -> float:
    if len(scores.labelled.classes) != 2:
        raise BadParameter("F1 is of a positive class; with more than two classes ask for 'macro F1'.")
    return _f1(scores, weights, [1])


def _accuracy(scores: ClassScores, weights: np.ndarray) -> float:
    return np.average(scores.predicted == scores.labelled.labels, weights=weights)


def _log_loss(scores: ClassScores, weights: np.ndarray) -> float:
    of_true = scores.probabilities[np.arange(len(weights)), scores.labelled.labels]
    return np.average(-np.log(np.maximum(of_true, _LEAST)), weights=weights)


def _brier(scores: ClassScores, weights: np.ndarray) -> float:
    n_classes = len(scores.labelled.classes)
    square = (scores.probabilities - np.eye(n_classes)[scores.labelled.labels]) ** 2
    return np.average(square.sum(axis=1), weights=weights) / (2 if n_classes == 2 else 1)


def _ece(scores: ClassScores, weights: np.ndarray) -> float:
    right = scores.probabilities.argmax(axis=1) == scores.labelled.labels
    _, p, right = _binned(scores.probabilities.max(axis=1), right, weights, BINS)
    return np.abs(p - right).sum() / weights.sum()


METRICS: dict[str, Metric] = {
    "accuracy": _accuracy,
    "balanced accuracy": _balanced_accuracy,
    "macro F1": _macro_f1,
    "F1": _positive_f1,
    "AUROC": _each_class(metrics.roc_auc_score),
    "average precision": _each_class(metrics.average_precision_score),
    "log loss": _log_loss,
    "Brier": _brier,
    "ECE": _ece,
}


# --- several systems -------------------------------------------------------------------------------------------------


def score_table(
    systems: Mapping[str, ClassScores],
    names: Sequence[str],
    *,
    interval: bool = False,
    resamples: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Metrics of several systems side by side.

    Args:
        systems: Name of a row → what the system says.
        names: Metrics, a column each.
        interval: Whether columns `low` and `high`, the ends of the 95 % interval of the first metric, follow.
        resamples: Draws of the interval.
        seed: Seed of the draws.

    Raises:
        UnknownName: If there is no such metric.
    """
    rows = {label: {name: scores.value(name) for name in names} for label, scores in systems.items()}
    for label, scores in systems.items() if interval else ():
        ends = scores.interval(names[0], resamples=resamples, seed=seed)
        rows[label] |= dict(zip(("low", "high"), ends, strict=True))
    return pd.DataFrame.from_dict(rows, orient="index")


# --- choosing --------------------------------------------------------------------------------------------------------


def choose_threshold(validation: ClassScores, metric: str = "F1") -> float:
    """The probability from which on to predict the positive class, so that a metric is best on validation.

    Args:
        validation: Scores of validation examples of two classes.
        metric: A metric of predictions: "F1", "macro F1", "accuracy" or "balanced accuracy".

    Returns:
        One of the probabilities (of at most 500 quantiles of them); of equally good ones the lowest.

    Raises:
        UnknownName: If the metric does not depend on a threshold.
        BadParameter: If there are more than two classes, or no examples.
    """
    known = ("F1", "macro F1", "accuracy", "balanced accuracy")
    if metric not in known:
        raise UnknownName("metric with a threshold", metric, known)
    thresholds = np.unique(validation.probabilities[:, -1])
    if len(thresholds) > 500:
        thresholds = np.unique(np.quantile(thresholds, np.linspace(0, 1, 500), method="nearest"))
    return choose_setting(thresholds.tolist(), lambda threshold: validation.at(threshold).value(metric)).best

"""What counting reaches in tasks with labels: the classifiers that a fine-tuned model has to beat.

They get the same training examples as the models and the same validation examples to choose their setting by the same
metric, one training per setting of a short list that is the same for every task.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.base import ClassifierMixin
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from llmarm_tutorial.choosing import choose_setting
from llmarm_tutorial.errors import BadParameter
from llmarm_tutorial.labels.scores import LOWER_IS_BETTER, ClassScores
from llmarm_tutorial.labels.tasks import Labelled

STRENGTHS = (1e-3, 1e-2, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
LEAVES = (3, 7, 15, 31)
RATES = (0.03, 0.1)


def majority(labelled: Labelled, part: str = "test") -> np.ndarray:
    """The class shares of the training examples as probabilities for every example of a part: knows nothing else.

    Args:
        labelled: The task.
        part: The part that is asked about.

    Returns:
        Shape (n, n_classes).
    """
    shares = np.bincount(labelled.of("train").labels, minlength=len(labelled.classes))
    return np.tile(shares / shares.sum(), (len(labelled.of(part)), 1))


@dataclass(frozen=True, eq=False)
class CountClassifier:
    """A classifier on counts, fitted.

    Attributes:
        system: Name of the system.
        setting: What was chosen on validation.
        trials: One row per setting, with its `validation` value of the task's metric.
        model: The fitted scikit-learn classifier.
    """

    system: str
    setting: dict[str, Any]
    trials: pd.DataFrame
    model: ClassifierMixin

    def probabilities(self, labelled: Labelled) -> np.ndarray:
        """Probabilities of the classes for every given example, shape (n, n_classes)."""
        return _probabilities(self.model, labelled)

    def scores(self, labelled: Labelled) -> ClassScores:
        """The same, to be judged."""
        return ClassScores(self.system, labelled, self.probabilities(labelled))


@dataclass(frozen=True)
class LogisticOnCounts:
    """Logistic regression on the counts: dense ones standardised, bags of items (sparse) as they are.

    Bags keep their scale because standardising makes the rarest items the loudest; on the shop's segments that cost
    accuracy and much log loss.

    Attributes:
        strengths: Inverse strengths of the L2 penalty that are tried.
    """

    strengths: tuple[float, ...] = STRENGTHS

    def fit(self, labelled: Labelled) -> CountClassifier:
        """Fit on the training examples, choose on validation; deterministic.

        Raises:
            BadParameter: If the training examples are of one class.
        """
        scale = [] if sparse.issparse(labelled.counts) else [StandardScaler()]
        candidates = (({"C": c}, make_pipeline(*scale, LogisticRegression(C=c, max_iter=2000))) for c in self.strengths)
        return _best("logistic on counts", labelled, candidates)


@dataclass(frozen=True)
class TreesOnCounts:
    """Gradient boosted trees on the counts (histograms as in LightGBM, Ke et al. 2017): also curved and joint effects.

    Attributes:
        leaves: Largest numbers of leaves per tree that are tried.
        rates: Learning rates that are tried.
        seed: Seed of the trees.
    """

    leaves: tuple[int, ...] = LEAVES
    rates: tuple[float, ...] = RATES
    seed: int = 0

    def fit(self, labelled: Labelled) -> CountClassifier:
        """Fit on the training examples, choose on validation; deterministic.

        Raises:
            BadParameter: If the counts are sparse (bags of items), which trees cannot take, or the training examples
                are of one class.
        """
        if sparse.issparse(labelled.counts):
            raise BadParameter("Trees take dense counts; for bags of items take LogisticOnCounts.")
        candidates = (
            (
                {"leaves": leaves, "rate": rate},
                HistGradientBoostingClassifier(
                    max_leaf_nodes=leaves,
                    learning_rate=rate,
                    max_iter=150,
                    early_stopping=False,
                    random_state=self.seed,
                ),
            )
            for leaves in self.leaves
            for rate in self.rates
        )
        return _best("trees on counts", labelled, candidates)


def _best(
    system: str, labelled: Labelled, candidates: Iterable[tuple[dict[str, Any], ClassifierMixin]]
) -> CountClassifier:
    """The candidate with the best validation value of the task's metric; of equally good ones the first."""
    train, validation = labelled.of("train"), labelled.of("validation")
    if len(np.unique(train.labels)) < 2:
        raise BadParameter("A classifier needs training examples of at least two classes: take a larger sample.")
    sign = -1 if labelled.metric in LOWER_IS_BETTER else 1
    models = list(candidates)
    choice = choose_setting(
        range(len(models)),
        lambda model: sign * ClassScores(system, validation, _probabilities(model, validation)).value(labelled.metric),
        build=lambda number: models[number][1].fit(train.counts, train.labels),
    )
    trials = pd.DataFrame([setting for setting, _ in models]).assign(validation=sign * choice.tries["value"])
    return CountClassifier(system, models[choice.best][0], trials, choice.system)


def _probabilities(model: ClassifierMixin, labelled: Labelled) -> np.ndarray:
    chances = np.zeros((len(labelled), len(labelled.classes)))
    if len(labelled):
        chances[:, model.classes_] = model.predict_proba(labelled.counts)  # classes without training examples stay at 0
    return chances

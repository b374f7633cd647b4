"""Estimates of confidence as results that can be compared, antecedent by antecedent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from llmarm_tutorial.errors import BadParameter, UnknownName
from llmarm_tutorial.mining.judging import LOSSES, mean_loss


@dataclass(frozen=True)
class JudgedEstimate:
    """An estimate with its losses, to be compared with another by `evaluation.compare`, antecedent by antecedent.

    Metrics, all errors: "rmse", "log_loss" and "brier", see `by_band`.

    Attributes:
        system: Name of the estimate.
        losses: `confidence_losses` of the antecedents, at least one, each in at least one unseen basket.
        clusters: Empty: antecedents are drawn one by one.
    """

    system: str
    losses: pd.DataFrame
    clusters: tuple[np.ndarray, ...] = ()

    def __len__(self) -> int:
        return len(self.losses)

    def require_same_cases(self, other: JudgedEstimate) -> None:
        """Raise `BadParameter` unless both were judged by the same unseen baskets."""
        if not np.array_equal(self.losses["baskets"], other.losses["baskets"]):
            raise BadParameter(
                f"{self.system} and {other.system} were judged by different baskets: take the losses of both from the "
                "same antecedents and the same unseen baskets."
            )

    def weighted(self, metric: str, weights: np.ndarray) -> float:
        """A mean loss where each antecedent counts as often as its weight says, shape (n,); NaN where noise hides it.

        Raises:
            UnknownName: If there is no such metric.
        """
        if metric not in LOSSES:
            raise UnknownName("loss of an estimate", metric, LOSSES)
        return mean_loss(self.losses, metric, weights)

    def value(self, metric: str) -> float:
        """A mean loss over all antecedents."""
        return self.weighted(metric, np.ones(len(self)))

"""Confidences from a model that was asked for gaps in baskets: what a gap says, and how far to trust it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy import sparse
from scipy.special import expit
from torch import nn

from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.mining.antecedents import Evidence, gather
from llmarm_tutorial.models.batches import ItemBatches
from llmarm_tutorial.models.item_model import ItemModel
from llmarm_tutorial.models.readout import READOUT_SETTINGS, checked_antecedents, log_odds, new_model, read_in_blocks
from llmarm_tutorial.models.training import Settings, Training, train


def gap_chances(model: ItemModel, antecedents: np.ndarray, *, block: int = 1024) -> np.ndarray:
    """What a masked-item model says one gap beside the antecedent holds: a distribution over the other items.

    Args:
        model: A masked-item model, such as `train_gap_model` trains.
        antecedents: Item codes, shape (n, longest), padded with -1.
        block: Antecedents in one forward pass.

    Returns:
        Shape (n, n_items), float32: rows sum to 1, 0 for the antecedent's own items. Not confidences.
    """
    chances = read_in_blocks(model, checked_antecedents(model, antecedents), lambda z: torch.softmax(z, dim=1), block)
    row, column = np.nonzero(antecedents >= 0)
    chances[row, antecedents[row, column]] = 0.0
    return chances / chances.sum(axis=1, keepdims=True)


def items_to_come(matrix: sparse.csr_matrix, antecedents: np.ndarray, strength: float = 20.0) -> np.ndarray:
    """Expected number of further items in a basket that holds the antecedent, shape (n,).

    The mean over the baskets that hold it, shrunk towards what its size alone tells: the mean over all pairs (basket,
    part of it) of that size.

    Args:
        matrix: Baskets × items, bool.
        antecedents: Item codes, shape (n, longest), padded with -1.
        strength: Baskets that the prior is worth.
    """
    known, lengths = gather(matrix, antecedents), np.diff(matrix.indptr).astype(float)
    sizes, prior = known.sizes, np.zeros(len(antecedents))
    for size in np.unique(sizes):
        weight = np.prod([np.maximum(lengths - less, 0) for less in range(size)], axis=0)
        prior[sizes == size] = (weight @ (lengths - size)) / max(weight.sum(), 1e-12)
    further = known.joint.sum(axis=1) - sizes * known.baskets
    return (further + strength * prior) / (known.baskets + strength)


def from_gaps(chances: np.ndarray, to_come: np.ndarray) -> np.ndarray:
    """Confidences from gap chances: times the number of items to come, at most 1.

    Exact if the chances were trained with every missing item counted once: then the chance of y is E[y is missing] /
    E[number missing]. A model trained as BERT is comes near it only, so calibrate the result (`Calibration`).

    Args:
        chances: Shape (n, n_items), from `gap_chances`.
        to_come: Shape (n,), from `items_to_come`.
    """
    return np.minimum(chances * to_come[:, None], 1.0).astype(np.float32)


@dataclass(frozen=True)
class Calibration:
    """A map of chances that keeps their order: log odds are stretched by `slope` and moved by `shift` (Platt 1999).

    Attributes:
        slope: By antecedent size.
        shift: By antecedent size.
    """

    slope: dict[int, float]
    shift: dict[int, float]

    @classmethod
    def fit(cls, estimate: np.ndarray, unseen: Evidence) -> Calibration:
        """Fit on validation baskets by logistic regression, for each antecedent size.

        Args:
            estimate: Chances, shape (n, n_items).
            unseen: Evidence in the validation baskets for the same antecedents.
        """
        slope, shift, sizes = {}, {}, unseen.sizes
        for size in np.unique(sizes):
            rows = np.flatnonzero(sizes == size)
            part, allowed = unseen.take(rows), unseen.take(rows).open
            x = log_odds(estimate[rows])[allowed]
            n = np.broadcast_to(part.baskets[:, None], allowed.shape)[allowed].astype(float)
            k = part.joint[allowed].astype(float)
            a, b = 1.0, 0.0
            for _ in range(25):  # Newton's method; two parameters, so it has long converged
                p = expit(a * x + b)
                w, g = n * p * (1 - p), k - n * p
                gradient = np.array([g @ x, g.sum()])
                hessian = np.array([[w @ (x * x), w @ x], [w @ x, w.sum()]]) + 1e-6 * np.eye(2)
                step = np.linalg.solve(hessian, gradient)
                a, b = a + step[0], b + step[1]
            slope[int(size)], shift[int(size)] = float(a), float(b)
        return cls(slope, shift)

    def apply(self, estimate: np.ndarray, sizes: np.ndarray) -> np.ndarray:
        """Calibrated chances; sizes that were not fitted use the largest that was."""
        known = [min(int(s), max(self.slope)) for s in sizes]
        a = np.array([self.slope[s] for s in known])[:, None]
        b = np.array([self.shift[s] for s in known])[:, None]
        return expit(a * log_odds(estimate) + b).astype(np.float32)


def train_gap_model(
    matrix: sparse.csr_matrix,
    *,
    mask_share: float = 0.2,
    shape: dict[str, Any] | None = None,
    settings: Settings = READOUT_SETTINGS,
    validate: Callable[[nn.Module], float] | None = None,
    seed: int = 0,
    progress: bool = False,
) -> tuple[ItemModel, Training]:
    """Train a masked-item model on baskets as BERT is trained on sentences.

    Args:
        matrix: Training baskets × items, bool.
        mask_share: Share of a basket's items masked; at least one.
        shape: Arguments of `item_config` that differ from its defaults.
        settings: How to train.
        validate: From model to a score, larger is better; None keeps the last weights.
        seed: Seed of weights and masks.
        progress: Show a progress bar.

    Returns:
        (the model, what the training did).
    """
    longest = min(int(np.diff(matrix.indptr).max()), 50)
    model = new_model(matrix, longest=max(longest, 8), seed=seed, **(shape or {}))
    baskets = Histories.from_matrix(matrix)
    drawn = ItemBatches(baskets, longest, "masked", batch_size=256, mask_share=mask_share, seed=seed)
    return model, train(model, drawn, settings, validate=validate, progress=progress)

"""Drawing columns by weight: the one sampler of the corner shop.

It uses uniform numbers only, so that a seed means the same under every NumPy version and on every machine.
"""

from __future__ import annotations

from typing import Any

import numpy as np


class Choice:
    """Rows of weights to draw columns from, by inverting cumulative sums.

    Args:
        weights: Not negative, shape (n_rows, n_columns) or (n_columns,) for one row; every row
            that is drawn from has one above 0.
    """

    def __init__(self, weights: Any) -> None:
        steps = np.cumsum(np.atleast_2d(np.asarray(weights, dtype=float)), axis=1)
        steps /= steps[:, -1:]
        self.width = steps.shape[1]
        self.steps = (steps + np.arange(len(steps))[:, None]).ravel()

    @classmethod
    def poisson(cls, means: Any, most: int = 40) -> Choice:
        """Poisson numbers, a row per mean. With Poisson many slots, products come into a basket independently."""
        means = np.asarray(means, dtype=float).reshape(-1, 1)
        steps = np.cumprod(np.hstack([np.ones_like(means), means / np.arange(1, most + 1)]), axis=1)
        return cls(steps)

    def draw(self, rng: np.random.Generator, rows: np.ndarray) -> np.ndarray:
        """One column for each entry of `rows`, int64 of the same shape."""
        found = np.searchsorted(self.steps, rows + rng.random(rows.shape), side="right") - rows * self.width
        return np.minimum(found, self.width - 1)

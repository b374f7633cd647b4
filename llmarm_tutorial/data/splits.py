"""Which part of a data set a row belongs to: 0 train, 1 validation, 2 test."""

from __future__ import annotations

import numpy as np

from llmarm_tutorial.errors import BadParameter


def check_shares(validation: float, test: float) -> None:
    """Raise `BadParameter` unless both shares are in (0, 1) and leave something for train."""
    if not (0 < validation < 1 and 0 < test < 1 and validation + test < 1):
        raise BadParameter(
            f"validation ({validation}) and test ({test}) are shares between 0 and 1 that leave something for train."
        )


def by_moment(time: np.ndarray, moments: np.ndarray, validation: float, test: float) -> np.ndarray:
    """Parts by two moments, placed so that about the given shares come after them; equal times stay together.

    Args:
        time: Time of each row, shape (n_rows,).
        moments: Times of the units that the shares are of, in any order.
        validation: Share of units between the two moments, in (0, 1).
        test: Share of units after the second, in (0, 1).

    Returns:
        Shape (n_rows,).
    """
    moments = np.sort(moments)
    cuts = moments[[int(len(moments) * (1 - validation - test)), int(len(moments) * (1 - test))]]
    return np.searchsorted(cuts, time, side="right")


def by_lot(n: int, validation: float, test: float, seed: int) -> np.ndarray:
    """Parts of n units by lot, shape (n,)."""
    cuts = np.array([round(n * (1 - validation - test)), round(n * (1 - test))])
    return np.searchsorted(cuts, np.random.default_rng(seed).permutation(n), side="right")


def by_place(number: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """The last unit of every sequence is test, the one before validation; all is train where there are below three.

    Args:
        number: Number of the unit within its sequence, per event, from 0, shape (n_events,).
        offsets: Where the sequences begin and end, shape (n_sequences + 1,).

    Returns:
        Shape (n_events,).
    """
    last = np.repeat(number[offsets[1:] - 1], np.diff(offsets))
    return np.where(last < 2, 0, np.clip(2 - (last - number), 0, 2))

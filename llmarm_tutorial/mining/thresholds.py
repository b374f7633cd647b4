"""When does a count reach a share? One rule for every minimum support and minimum confidence of the kit.

A share comes from a keyboard (0.29), from a division (36 / 59602), from a range (0.1 + 0.2) or from a table of results,
and hardly any of them is a number that a computer holds exactly. So the product of share and total misses the whole
number that is meant by a little, and rounding it up would ask for one basket too many. The rule: before the product is
rounded up, `SLACK` units in its last place, in the precision in which the share was given, are taken off. In double
precision this gives k for k / n, for all k ≤ n ≤ 10⁷, and for the steps of a range or a running sum;
typed decimals of up to seven digits stay exact, since their products are whole or at least 10⁻⁷ away from it.
"""

from __future__ import annotations

import numpy as np

from llmarm_tutorial.errors import BadParameter

SLACK = 16  # units in the last place; 4 are too few for a hundred steps that are summed up


def check_share(share: float, name: str) -> None:
    """Refuse what is no share.

    Raises:
        BadParameter: Unless 0 < share ≤ 1.
    """
    if isinstance(share, (bool, np.bool_)) or not isinstance(share, (int, float, np.number)) or not 0 < share <= 1:
        raise BadParameter(f"{name} must be a share above 0 and at most 1, not {share!r}.")


def smallest_counts(share: float, totals: np.ndarray | int, name: str) -> np.ndarray:
    """The smallest counts that reach a share of some totals.

    Args:
        share: In (0, 1].
        totals: Whole numbers, not below 0, of any shape.
        name: What the share is called, for the refusal.

    Returns:
        Whole numbers of the shape of `totals`, int64.

    Raises:
        BadParameter: Unless 0 < share ≤ 1.
    """
    check_share(share, name)
    return round_up(np.float64(share) * np.asarray(totals), _precision(share))


def round_up(products: np.ndarray, precision: np.dtype) -> np.ndarray:
    """The whole numbers that products of shares and totals mean, or the next ones above.

    Args:
        products: Share times total, double precision, of any shape.
        precision: In which the shares were given.

    Returns:
        Whole numbers of the same shape, int64.
    """
    # half a count is the most that may be given away: in single precision 16 units can be more than that
    slack = np.minimum(SLACK * _last_place(products, precision), 0.5)
    return np.ceil(products - slack).astype(np.int64)


def reaches(values: np.ndarray, least: float | np.ndarray) -> np.ndarray:
    """Whether estimates reach a threshold, by the same rule: an estimate on it is not lost by rounding.

    Args:
        values: Estimated shares, of any shape.
        least: The threshold, or one for each value.
    """
    threshold = np.float64(least)
    return values >= threshold - SLACK * _last_place(threshold, _precision(least))


def _precision(share: float) -> np.dtype:
    return share.dtype if isinstance(share, np.floating) else np.dtype(np.float64)


def _last_place(numbers: np.ndarray, precision: np.dtype) -> np.ndarray:
    """The unit in the last place of some numbers in a precision."""
    return np.spacing(np.abs(numbers).astype(precision)).astype(np.float64)

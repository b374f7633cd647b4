"""What a promotion sold beyond the usual, and which products move together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.ndimage import median_filter
from scipy.stats import norm

from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.errors import BadParameter

WINDOW = 7  # weeks of a running median
FEWEST_WEEKS = 2 * WINDOW  # fewer would leave the median hardly anything to run over

# --- the promotion ---------------------------------------------------------------------------------------------------


class ExtraSales(NamedTuple):
    """What more buyers of one product are expected to buy of another.

    Attributes:
        with_it: Share of the baskets with the promoted product that hold the other: the confidence.
        without: Share of the baskets without it; with strata as they would be in the strata of the promoted product.
        difference: How much higher the chance is with it; with strata, within them.
        low: Lower end of the interval of the difference.
        high: Upper end.
        expected: Extra baskets with the other product, from the given number of extra buyers.
        expected_low: Lower end of its interval.
        expected_high: Upper end.
    """

    with_it: float
    without: float
    difference: float
    low: float
    high: float
    expected: float
    expected_low: float
    expected_high: float


def extra_sales(
    promoted: np.ndarray,
    other: np.ndarray,
    buyers: float,
    *,
    strata: np.ndarray | None = None,
    level: float = 0.95,
) -> ExtraSales:
    """Expected extra sales of another product if so many more baskets hold the promoted one.

    Without strata this is (confidence - share among baskets without the promoted product) × buyers. With strata, such
    as weeks, shares are compared within each stratum and the differences averaged with weights n₁n₀/(n₁ + n₀), as
    Mantel and Haenszel do; the variance is that of Greenland & Robins (1985). The interval is for the luck of the draw
    only. Whether the promoted product *makes* people buy the other, no count of past baskets can say.

    Args:
        promoted: Whether each basket holds the promoted product, shape (n_baskets,), bool.
        other: Whether it holds the other one.
        buyers: How many more baskets are to hold the promoted product.
        strata: A label per basket; None puts all into one stratum. A stratum in which all or no basket holds the
            promoted product says nothing and is left out.
        level: Coverage of the interval, in (0, 1).

    Returns:
        What is expected; NaN in every field if no stratum has baskets with and without the promoted product.

    Raises:
        BadParameter: If the shapes differ.
    """
    promoted, other = np.asarray(promoted, dtype=bool), np.asarray(other, dtype=bool)
    labels = np.zeros(len(promoted), dtype=int) if strata is None else np.asarray(strata)
    if not len(promoted) == len(other) == len(labels):
        raise BadParameter("Promoted product, other product and strata need one value per basket.")
    _, stratum = np.unique(labels, return_inverse=True)
    n1, n0 = (np.bincount(stratum, held, minlength=stratum.max(initial=0) + 1) for held in (promoted, ~promoted))
    k1, k0 = (np.bincount(stratum, held & other, minlength=len(n1)) for held in (promoted, ~promoted))
    use = (n1 > 0) & (n0 > 0)
    if not use.any():
        return ExtraSales(*[np.nan] * len(ExtraSales._fields))
    n1, n0, k1, k0 = n1[use], n0[use], k1[use], k0[use]
    n = n1 + n0
    total = (n1 * n0 / n).sum()
    difference = ((k1 * n0 - k0 * n1) / n).sum() / total
    spread = (k1 * (n1 - k1) * n0**3 + k0 * (n0 - k0) * n1**3) / (n1 * n0 * n**2)
    reach = norm.ppf((1 + level) / 2) * np.sqrt(spread.sum()) / total
    low, high = difference - reach, difference + reach
    with_it, without = k1.sum() / n1.sum(), (k0 / n0 * n1).sum() / n1.sum()
    return ExtraSales(with_it, without, difference, low, high, *(buyers * d for d in (difference, low, high)))


def promotions(
    matrix: sparse.csr_matrix, pairs: Sequence[tuple[int, int]], buyers: float, strata: np.ndarray
) -> pd.DataFrame:
    """Expected extra sales of pairs (promoted, other), naive and within strata, side by side.

    Args:
        matrix: Baskets × items, bool.
        pairs: Codes.
        buyers: Extra baskets with the promoted product.
        strata: A label per basket.

    Returns:
        One row per pair and way ("naive", "within strata"): `promoted`, `other`, `way` and the fields of `ExtraSales`.
    """
    columns, rows = matrix.tocsc(), []
    for pair in pairs:
        held, sold = (np.asarray(columns[:, [code]].todense()).ravel() for code in pair)
        for way, labels in (("naive", None), ("within strata", strata)):
            rows.append((*pair, way, *extra_sales(held, sold, buyers, strata=labels)))
    return pd.DataFrame(rows, columns=["promoted", "other", "way", *ExtraSales._fields])


# --- the stock -------------------------------------------------------------------------------------------------------


def weeks_of(data: Transactions) -> np.ndarray:
    """Number of the week of every basket, in the row order of `basket_matrix`, shape (n_baskets,).

    Weeks begin on Monday and are numbered from the one that holds 1 January 1970, so parts of one data set agree.

    Raises:
        Lacks: If the data have no baskets or no clock.
    """
    data.require("baskets", "clock", purpose="weeks of baskets")
    start = data.table.groupby("basket_id")["time"].min().reindex(data.basket_ids)
    days = (start.dt.floor("D") - pd.Timestamp("1969-12-29")).dt.days
    return (days // 7).to_numpy()


def weekly_sales(matrix: sparse.csr_matrix, weeks: np.ndarray) -> np.ndarray:
    """Baskets with each item in each week from the first to the last, shape (n_weeks, n_items), float.

    Args:
        matrix: Baskets × items, bool.
        weeks: Week number of each basket.

    Raises:
        BadParameter: If there is not one week per basket.
    """
    if len(weeks) != matrix.shape[0]:
        raise BadParameter("Weekly sales need one week number per basket.")
    row = weeks - weeks.min()
    ones = np.ones(len(row))
    chosen = sparse.csr_matrix((ones, (row, np.arange(len(row)))), shape=(row.max() + 1, len(row)))
    return (chosen @ matrix.astype(float)).toarray()


def remove_common(sales: np.ndarray, window: int = WINDOW) -> np.ndarray:
    """What is left of weekly sales when every product's own season and the ups and downs of all trade are taken out.

    Of the square roots of the counts (whose chance variation is alike) each product loses its running median: unlike a
    running mean or waves of a year it follows a season that begins from one week to the next (Tukey 1977). What all
    sales together do beyond their own running median is then taken out by regression.

    Args:
        sales: Shape (n_weeks, n_items).
        window: Weeks of the running median, an odd number from 3; a season shorter than half of it stays in.

    Returns:
        Shape (n_weeks, n_items).

    Raises:
        BadParameter: If the window is even or below 3, or there are fewer than twice as many weeks.
    """
    if window < 3 or window % 2 == 0 or len(sales) < 2 * window:
        raise BadParameter(
            f"The running median needs an odd window from 3 and twice as many weeks, not {window} of {len(sales)}."
        )

    def beyond_median(series: np.ndarray) -> np.ndarray:
        roots = np.sqrt(series)
        return roots - median_filter(roots, size=(window, 1), mode="nearest")

    causes = np.column_stack([np.ones(len(sales)), beyond_median(sales.sum(axis=1, keepdims=True))])
    rest = beyond_median(sales)
    return rest - causes @ np.linalg.lstsq(causes, rest, rcond=None)[0]


def co_movement(sales: np.ndarray, pairs: Sequence[tuple[int, int]], *, window: int = WINDOW) -> pd.DataFrame:
    """Do the weekly sales of two products rise and fall together, as they are and without their common causes?

    Args:
        sales: Shape (n_weeks, n_items).
        pairs: Codes.
        window: As for `remove_common`.

    Returns:
        One row per pair: `a`, `b`, `raw` (correlation of the square roots of weekly sales), `adjusted` (of what
        `remove_common` leaves of them); NaN for a product that sells the same every week.
    """
    a, b = np.array(pairs, dtype=int).reshape(-1, 2).T
    rest = remove_common(sales, window)
    return pd.DataFrame(
        {"a": a, "b": b, "raw": _correlations(np.sqrt(sales), a, b), "adjusted": _correlations(rest, a, b)}
    )


def usual_correlation(rest: np.ndarray, level: float = 0.95) -> float:
    """How far from 0 correlations of any two products lie in a share `level` of cases: what to take for chance.

    Nearly all pairs are unrelated, so their own spread is the yardstick, whatever was done to the series before.

    Args:
        rest: Result of `remove_common`.
        level: In (0, 1).
    """
    a, b = np.triu_indices(rest.shape[1], 1)
    return float(np.nanquantile(np.abs(_correlations(rest, a, b)), level))


def _correlations(series: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    centred = series - series.mean(axis=0)
    length = np.sqrt((centred**2).sum(axis=0))
    moves = length > 1e-9 * np.sqrt(len(series))
    both = (centred[:, a] * centred[:, b]).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(moves[a] & moves[b], both / (length[a] * length[b]), np.nan)

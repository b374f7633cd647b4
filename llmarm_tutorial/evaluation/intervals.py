"""How far chance may have moved a number: one bootstrap, one test by flips of signs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from llmarm_tutorial.errors import BadParameter

EXACT_FLIPS = 14  # with so few cases that differ, the permutation test goes through all 2^n flips of signs


def mean_of_known(values: np.ndarray, axis: int | None = None) -> float | np.ndarray:
    """Mean of the values that are defined.

    Args:
        values: Of any shape, NaN where a value is not defined.
        axis: The axis to take the mean over; None for all values.

    Returns:
        As `numpy.nanmean`; NaN where no value is defined, which is a fact about the data and no reason for a warning.
    """
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.where(known, values, 0.0).sum(axis) / known.sum(axis)


def resampled_weights(
    n_cases: int, clusters: Sequence[np.ndarray] = (), *, resamples: int = 1000, seed: int = 0
) -> Iterator[np.ndarray]:
    """How often each case is drawn in one resample after the other.

    Without clusters the cases are drawn, with repetition (Efron 1979). Cases that share something are not independent:
    then what they share is drawn, and a case counts as often as all its clusters were drawn, multiplied (the pigeonhole
    bootstrap of Owen 2007), which makes intervals somewhat too wide rather than too narrow.

    Args:
        n_cases: Number of cases.
        clusters: One array of integers per kind of cluster, each kind drawn on its own: shape (n_cases,), the cluster
            of each case, or (n_cases, m), where a case is in m clusters of a kind (the two products of a pair).
        resamples: Number of resamples; one that draws no case at all is left out.
        seed: Seed of the draws.

    Yields:
        Shape (n_cases,), float.
    """
    rng = np.random.default_rng(seed)

    def times_drawn(n: int) -> np.ndarray:
        return np.bincount(rng.integers(n, size=n), minlength=n)

    kinds = []
    for kind in clusters:
        values, number = np.unique(kind, return_inverse=True)
        kinds.append((number.reshape(n_cases, -1), len(values)))
    for _ in range(resamples):
        weights = np.ones(n_cases) if kinds else times_drawn(n_cases).astype(float)
        for number, n_clusters in kinds:
            weights *= times_drawn(n_clusters)[number].prod(axis=1)
        if weights.any():
            yield weights


def bootstrap(
    statistic: Callable[[np.ndarray], float | np.ndarray],
    n_cases: int,
    clusters: Sequence[np.ndarray] = (),
    *,
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> tuple[float | np.ndarray, float | np.ndarray]:
    """Percentile interval of whatever can be computed from weighted cases.

    Args:
        statistic: From the weights of cases, shape (n_cases,), to a number or an array of numbers; NaN where it is not
            defined: such resamples are passed over.
        n_cases: Number of cases.
        clusters: What cases share, see `resampled_weights`.
        level: Coverage, in (0, 1).
        resamples: Number of resamples, from 1.
        seed: Seed of the draws.

    Returns:
        Lower and upper end, of the shape that the statistic has.

    Raises:
        BadParameter: If the level is out of range or there are no resamples.
    """
    if not 0 < level < 1 or resamples < 1:
        raise BadParameter(f"An interval needs a level in (0, 1) and resamples from 1, not {level} and {resamples}.")
    values = [statistic(weights) for weights in resampled_weights(n_cases, clusters, resamples=resamples, seed=seed)]
    if not values:  # without cases there is nothing to draw
        nothing = np.full(np.shape(statistic(np.zeros(n_cases))), np.nan)
        return nothing, nothing.copy()
    somewhere = ~np.isnan(values).all(axis=0)  # what no resample defines is unknown, and no reason for a warning
    ends = np.nanquantile(np.where(somewhere, values, 0.0), [(1 - level) / 2, (1 + level) / 2], axis=0)
    low, high = np.where(somewhere, ends, np.nan)
    return low, high


def bootstrap_interval(
    values: np.ndarray,
    clusters: Sequence[np.ndarray] = (),
    *,
    per: np.ndarray | None = None,
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> tuple[float | np.ndarray, float | np.ndarray]:
    """Percentile interval of a mean over cases, or of a ratio of two sums, see `bootstrap`.

    Args:
        values: Shape (n,) or (n, m), NaN where a case has no value; all columns are resampled together.
        clusters: What cases share, see `resampled_weights`.
        per: What the sum of the values is divided by the sum of, of the same shape; None for the number of values, so
            that the ratio is their mean.
        level: Coverage, in (0, 1).
        resamples: Number of resamples, from 1.
        seed: Seed of the draws.

    Returns:
        Lower and upper end, two numbers or two arrays of shape (m,).

    Raises:
        BadParameter: If the level is out of range or there are no resamples.
    """
    known = ~np.isnan(values)
    filled, per = np.where(known, values, 0.0), known if per is None else per

    def ratio(weights: np.ndarray) -> float | np.ndarray:
        with np.errstate(invalid="ignore", divide="ignore"):
            return (weights @ filled) / (weights @ per)

    return bootstrap(ratio, len(values), clusters, level=level, resamples=resamples, seed=seed)


def sign_flip_test(differences: np.ndarray, *, permutations: int = 9999, seed: int = 0) -> float:
    """Two-sided p-value of paired differences under random signs, as if the two systems had swapped names there.

    Exact over all flips for at most `EXACT_FLIPS` cases that differ, as `scipy.stats.permutation_test` is; else from
    random flips, with the observed one counted in (Phipson & Smyth 2010).

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

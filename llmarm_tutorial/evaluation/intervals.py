"""How far chance may have moved a mean: bootstrap, sign flips, Wilson's interval."""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln
from scipy.stats import norm

from llmarm_tutorial.errors import BadParameter

EXACT_FLIPS = 14  # with so few cases that differ, the permutation test goes through all 2^n flips of signs


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


def log_binomial(n: np.ndarray, k: np.ndarray) -> np.ndarray:
    """Logarithm of the binomial coefficient, -inf where k > n."""
    inside = k <= n
    rest = np.where(inside, n - k, 0)
    return np.where(inside, gammaln(n + 1) - gammaln(k + 1) - gammaln(rest + 1), -np.inf)


def wilson_low(hits: np.ndarray, of: np.ndarray, level: float = 0.95) -> np.ndarray:
    """Lower end of the two-sided Wilson interval of a share (Wilson 1927).

    Args:
        hits: Number of hits, shape (n,).
        of: Number of trials, at least 1, shape (n,).
        level: Coverage, in (0, 1).
    """
    z = norm.ppf((1 + level) / 2)
    hits, of = np.asarray(hits, dtype=float), np.asarray(of, dtype=float)
    middle = hits + z**2 / 2
    return np.maximum((middle - z * np.sqrt(hits * (of - hits) / of + z**2 / 4)) / (of + z**2), 0)

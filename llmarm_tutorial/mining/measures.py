"""How much two things have to do with each other, from counts alone: the one home of lift and its relatives.

Everything about a rule X ⇒ Y follows from four numbers: `joint`, the baskets that hold X and Y; `left`, those that hold
X; `right`, those that hold Y; and `n`, all baskets. They are numbers or arrays that broadcast against each other; what
counts as a basket (visits, customers, steps from one visit to the next) is up to the caller.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

MEASURES = ("support", "confidence", "lift", "leverage", "conviction", "zhang", "jaccard", "kulczynski", "imbalance")


def expected_count(left: ArrayLike, right: ArrayLike, n: ArrayLike) -> np.ndarray:
    """Baskets that would hold both if the two were independent: left · right / n."""
    return np.asarray(left, dtype=float) * right / n


def expected_count_within(left: np.ndarray, right: np.ndarray, stratum: np.ndarray) -> float:
    """Baskets that would hold both if the two were independent within each stratum.

    Args:
        left: Whether each basket holds X, shape (n,), bool.
        right: Whether it holds Y.
        stratum: Number of its stratum, shape (n,), from 0.
    """
    n = np.bincount(stratum)
    expected = expected_count(np.bincount(stratum, left), np.bincount(stratum, right), np.maximum(n, 1)).sum()
    return float(without_rounding(expected))


def without_rounding(expected: ArrayLike) -> np.ndarray:
    """Sums of expected counts, whole where they miss a whole number by a billionth of themselves at most.

    A sum of shares such as 1/3 + 1/3 + 1/3 rounds at each step. What the strata explain to the last basket would have a
    lift of 1.0000000000000002, which a filter "above 1" lets pass.
    """
    expected = np.asarray(expected, dtype=float)
    whole = np.rint(expected)
    return np.where(np.abs(expected - whole) <= 1e-9 * expected, whole, expected)


def lift(joint: ArrayLike, left: ArrayLike, right: ArrayLike, n: ArrayLike) -> np.ndarray:
    """How many times as often the two are together as independence expects: n · joint / (left · right).

    1 under independence (Brin et al. 1997). Products of whole numbers are exact below 2⁵³ and there is one division, so
    pairs of the same lift get the same number, to the last digit, and rankings by it break ties as they say.

    Returns:
        At least 0; NaN where X or Y does not occur.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(joint, dtype=float) * n / (np.asarray(left, dtype=float) * right)


def shrunk_lift(joint: ArrayLike, expected: ArrayLike, worth: float) -> np.ndarray:
    """Lift drawn towards 1 by so many baskets: (joint + worth) / (expected + worth).

    Two rare things that met once by accident have the largest lift of all; with a few baskets added to what was seen
    and to what was expected, a pair of which little is expected says little. This is the posterior mean of the lift if
    joint baskets are Poisson distributed and the lift has a gamma prior of mean 1 (a simple case of DuMouchel 1999).

    Args:
        joint: Baskets with both.
        expected: Baskets with both that independence expects, see `expected_count`.
        worth: Expected baskets that the prior is worth, from 0.
    """
    return (np.asarray(joint, dtype=float) + worth) / np.maximum(np.asarray(expected, dtype=float) + worth, 1e-9)


def positive_pmi(
    values: ArrayLike, log: Callable[[np.ndarray], np.ndarray] = np.log2, shift: float = 1.0
) -> np.ndarray:
    """Pointwise mutual information where it is above 0, else 0: the logarithm of the lift (Church & Hanks 1990).

    Args:
        values: Lifts; what is not finite gives 0.
        log: Which logarithm: `np.log2` for bits, `np.log` for nats.
        shift: Its logarithm is taken off first; k for the k negative samples of skip-gram (Levy & Goldberg 2014).
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        found = log(np.asarray(values, dtype=float)) - log(shift)
    return np.where(np.isfinite(found), np.maximum(found, 0), 0)


def jaccard(joint: ArrayLike, left: ArrayLike, right: ArrayLike) -> np.ndarray:
    """Share of the baskets with X or Y that hold both, in [0, 1]."""
    return np.asarray(joint, dtype=float) / (np.asarray(left, dtype=float) + right - joint)


def measures(
    count: np.ndarray, antecedent: np.ndarray, consequent: np.ndarray, n_baskets: int
) -> dict[str, np.ndarray]:
    """All interest measures of rules from their counts.

    With P the share of baskets, X the antecedent, Y the consequent:

    - support P(XY); confidence P(Y|X) (Agrawal et al. 1993)
    - lift P(XY) / P(X)P(Y): 1 under independence (Brin et al. 1997)
    - leverage P(XY) − P(X)P(Y): baskets beyond independence, as a share (Piatetsky-Shapiro 1991)
    - conviction P(X)P(¬Y) / P(X¬Y): 1 under independence, infinite for rules without exception (Brin et al. 1997);
      undefined (NaN) where every basket holds Y, so that nobody can tell a rule from none: 0/0. R's arules says NaN
      too; mlxtend says infinite, which puts "⇒ carrier bag" before every rule that says something
    - zhang: (P(Y|X) − P(Y|¬X)) / the larger of the two: −1 repulsion … 1 attraction (Zhang 2000); 0 where X or Y is in
      every basket
    - jaccard P(XY) / P(X or Y); kulczynski: the mean of P(Y|X) and P(X|Y)
    - imbalance |P(X) − P(Y)| / P(X or Y): 0 balanced … 1 (Wu, Chen & Han 2010)

    All are differences and products of counts with one division at the end, exact below 2⁵³. So where X and Y meet just
    as often as independence says, lift and conviction are exactly 1, and leverage and zhang exactly 0; and what is
    equal is equal to the last digit.

    Args:
        count: Baskets with X and Y, shape (n_rules,).
        antecedent: Baskets with X, shape (n_rules,), at least 1.
        consequent: Baskets with Y, shape (n_rules,), at least 1.
        n_baskets: All baskets.

    Returns:
        Name of the measure → values, shape (n_rules,); in the order of `MEASURES`.
    """
    both, x, y = (np.asarray(counts, dtype=float) for counts in (count, antecedent, consequent))
    n = float(n_baskets)
    either, beyond = x + y - both, both * n - x * y
    with np.errstate(divide="ignore", invalid="ignore"):
        conviction = np.where(x > both, x * (n - y) / ((x - both) * n), np.where(y < n, np.inf, np.nan))
        zhang = beyond / np.maximum(both * (n - x), x * (y - both))
    return {
        "support": both / n,
        "confidence": both / x,
        "lift": lift(count, antecedent, consequent, n_baskets),
        "leverage": beyond / n**2,
        "conviction": conviction,
        "zhang": np.nan_to_num(zhang),  # 0/0 where X and Y are both in every basket: no association either way
        "jaccard": jaccard(count, antecedent, consequent),
        "kulczynski": (both / x + both / y) / 2,
        "imbalance": np.abs(x - y) / either,
    }

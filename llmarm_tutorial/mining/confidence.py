"""How sure can one be of a rule? Estimates of confidence from counts.

The confidence of X ⇒ y is a chance: that a basket which holds X holds y as well. Counts estimate it, well where many
baskets hold X and badly where few do. Here every estimate is a matrix, antecedents × items, so that counts, their
repairs and models are tried on the same unseen baskets in the same way, see `judging`.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import betaln, expit, logit
from sklearn.preprocessing import normalize

from llmarm_tutorial.data.table import item_labels
from llmarm_tutorial.errors import UnknownName
from llmarm_tutorial.mining.antecedents import Evidence
from llmarm_tutorial.mining.measures import lift, measures
from llmarm_tutorial.mining.thresholds import reaches

SLACK = 2.0  # baskets that a prior is worth where it is wrong
LEAST = 1e-5  # a chance never said to be smaller, nor nearer to 1: a loss stays finite


def raw_confidence(known: Evidence) -> np.ndarray:
    """Confidence as it is counted; the item's share of all baskets where no basket holds the antecedent.

    Args:
        known: Evidence in the training baskets.

    Returns:
        Shape (n, n_items), in [0, 1].
    """
    return shrunk_confidence(known, known.shares, 0.0)


def add_k(known: Evidence, k: float) -> np.ndarray:
    """Additive smoothing (Lidstone 1920): k baskets with the item and k without it are added to the counts.

    Args:
        known: Evidence in the training baskets.
        k: Number of baskets, above 0.
    """
    return ((known.joint + k) / (known.baskets + 2 * k)[:, None]).astype(np.float32)


def shrunk_confidence(known: Evidence, prior: np.ndarray, strength: float | np.ndarray) -> np.ndarray:
    """Counts joined with what one would believe without them: (count + m · prior) / (baskets + m).

    The mean of a beta distribution whose prior is worth m baskets (empirical Bayes: Robbins 1956; Efron & Morris 1975).
    With m = 0 it is the counts, with m infinite the prior; where there is neither count nor m, the prior.

    Args:
        known: Evidence in the training baskets.
        prior: Chances, shape (n_items,) or (n, n_items): the items' shares, a model, a coarser count.
        strength: m, one number or one per antecedent, at least 0.

    Returns:
        Shape (n, n_items), float32.
    """
    m = np.broadcast_to(np.asarray(strength, dtype=float), len(known.baskets))[:, None]
    n = known.baskets[:, None].astype(float)
    with np.errstate(invalid="ignore"):
        trust = np.where(np.isinf(m) | (n + m == 0), 0.0, n / (n + m))
    counted = known.joint / np.maximum(n, 1)
    return (trust * counted + (1 - trust) * prior).astype(np.float32)


def doubted(known: Evidence, prior: np.ndarray, strength: float | np.ndarray, doubt: float | np.ndarray) -> np.ndarray:
    """As `shrunk_confidence`, but a count that the prior makes nearly impossible is believed instead of the prior.

    The prior is a mixture: with chance 1 − doubt it is worth `strength` baskets, with chance `doubt` it knows nothing
    and is worth `SLACK`. Which of the two is at work for a rule follows from how probable each makes its count (a
    mixture of two beta-binomials). A strong prior alone would smooth away the few rules that are real exceptions.

    Args:
        known: Evidence in the training baskets.
        prior: Chances, shape (n_items,) or (n, n_items).
        strength: Baskets the prior is worth, one number or one per antecedent, at least 0.
        doubt: Chance that it is wrong, one number or one per antecedent, in [0, 1).

    Returns:
        Shape (n, n_items), float32.
    """
    m = np.minimum(np.broadcast_to(np.asarray(strength, dtype=float), len(known.baskets))[:, None], 1e6)
    w = np.broadcast_to(np.asarray(doubt, dtype=float), len(known.baskets))[:, None]
    if not w.any():
        return shrunk_confidence(known, prior, strength)
    p = np.clip(np.broadcast_to(prior, known.joint.shape).astype(float), LEAST, 1 - LEAST)
    n, k = known.baskets[:, None].astype(float), known.joint.astype(float)
    m = np.maximum(m, SLACK)

    def log_chance(worth: np.ndarray | float) -> np.ndarray:
        return betaln(k + worth * p, n - k + worth * (1 - p)) - betaln(worth * p, worth * (1 - p))

    with np.errstate(divide="ignore"):
        odds = np.log(w) - np.log1p(-w) + log_chance(SLACK) - log_chance(m)
    wrong = expit(odds)
    return ((1 - wrong) * (k + m * p) / (n + m) + wrong * (k + SLACK * p) / (n + SLACK)).astype(np.float32)


def backed_off(known: Evidence, singles: np.ndarray, weight: float = 1.0) -> np.ndarray:
    """Chances of an item given a whole antecedent from those given each of its items alone.

    The log odds of the item are moved by what each item of the antecedent alone does to them. With a weight of 1 that
    is naive Bayes, which takes these for independent; for a single item it is its own estimate. Counts of larger
    antecedents can be shrunk towards it.

    Args:
        known: Evidence whose antecedents are asked.
        singles: Estimates given each single item, shape (n_items, n_items), row = antecedent.
        weight: Factor on the summed changes where the antecedent has several items, above 0: below 1 where they say the
            same thing twice.
    """
    base = _log_odds(known.shares)
    change = np.vstack([_log_odds(singles) - base, np.zeros((1, len(base)))])  # the last row belongs to the padding
    factor = np.where(known.sizes > 1, weight, 1.0)[:, None]
    return expit(base + factor * change[known.antecedents].sum(axis=1)).astype(np.float32)


def borrowed(singles: Evidence, k: int) -> np.ndarray:
    """Chances given each single item, borrowed from the items most alike (item-kNN).

    Two items are alike when baskets that hold one hold what baskets with the other hold: by the cosine between their
    shrunk confidences less the items' shares, each other left out.

    Args:
        singles: Evidence for every single item, in the order of their codes.
        k: Neighbours of an item, at least 1.

    Returns:
        Shape (n_items, n_items), row = antecedent: towards these counts can be shrunk.
    """
    own = shrunk_confidence(singles, singles.shares, 10.0).astype(float)
    profile = (own - singles.shares) / np.sqrt(singles.shares * (1 - singles.shares) + 1e-12)
    np.fill_diagonal(profile, 0.0)
    profile = normalize(profile)
    alike = np.clip(profile @ profile.T, 0, None)
    np.fill_diagonal(alike, 0.0)
    if k < alike.shape[0]:
        alike[alike < np.partition(alike, -k, axis=1)[:, [-k]]] = 0.0
    weight = alike * np.minimum(singles.baskets, 100)  # a neighbour seen once lends little
    total = weight.sum(axis=1, keepdims=True)
    np.fill_diagonal(own, singles.shares)  # what an item does to itself is nothing to lend
    return (weight @ own + singles.shares) / (total + 1)


def mix_log_odds(first: np.ndarray, second: np.ndarray, share: float) -> np.ndarray:
    """A chance between two, on the scale of log odds: `share` of the second."""
    if share in (0.0, 1.0):
        return second if share else first
    return expit((1 - share) * _log_odds(first) + share * _log_odds(second)).astype(np.float32)


def rule_table(
    antecedents: np.ndarray,
    estimate: np.ndarray,
    holding: np.ndarray,
    shares: np.ndarray,
    n_baskets: int,
    items: pd.DataFrame,
    *,
    how: str,
    min_support: float = 0.0,
    min_confidence: float = 0.0,
    most: int | None = None,
    by: str = "confidence",
    label: str = "item_id",
) -> pd.DataFrame:
    """Rules with one consequent, in the form of `rules.COLUMNS`, from any estimate of confidence.

    Args:
        antecedents: Item codes, shape (n, longest), padded with -1.
        estimate: Chances, shape (n, n_items).
        holding: Share of baskets that hold the antecedent, counted or estimated, shape (n,).
        shares: Share of baskets that hold each item, above 0 where it is a consequent, shape (n_items,).
        n_baskets: Number of baskets; counts in the table are that many times the estimated shares, not whole numbers.
        items: Item table.
        how: How the confidence was estimated, for the last column.
        min_support: Least share of baskets with antecedent and consequent.
        min_confidence: Least confidence.
        most: How many to keep; None for all.
        by: "confidence", "lift" or "leverage", by which the most are kept and sorted; equal ones by item code.
        label: Column of the item table that names the items.

    Returns:
        Columns `rules.COLUMNS` and `how`.

    Raises:
        UnknownName: If rules cannot be sorted by that.
    """
    chances = np.asarray(estimate, dtype=float)
    keys = {"confidence": chances, "lift": lift(chances, 1, shares, 1)}
    keys["leverage"] = holding[:, None] * (chances - shares)
    if by not in keys:
        raise UnknownName("measure to keep rules by", by, keys)
    inside = np.zeros(chances.shape, dtype=bool)
    row, column = np.nonzero(antecedents >= 0)
    inside[row, antecedents[row, column]] = True
    keep = reaches(holding[:, None] * chances, min_support) & reaches(chances, min_confidence) & ~inside & (shares > 0)
    row, column = np.nonzero(keep & (holding > 0)[:, None])
    order = np.argsort(-keys[by][row, column], kind="stable")[:most]
    row, column = row[order], column[order]
    x = holding[row] * n_baskets
    names = np.array(item_labels(items, label), dtype=object)
    left = [frozenset(names[codes[codes >= 0]]) for codes in antecedents[row]]
    counts = {"count": x * chances[row, column], "antecedent_count": x, "consequent_count": shares[column] * n_baskets}
    found = measures(*counts.values(), n_baskets) | {name: values[row, column] for name, values in keys.items()}
    sides = {"antecedent": pd.Series(left, dtype=object)}
    sides["consequent"] = pd.Series([frozenset([name]) for name in names[column]], dtype=object)
    return pd.DataFrame({**sides, **found, **counts, "n_baskets": n_baskets, "how": how})


def _log_odds(p: np.ndarray) -> np.ndarray:
    """Log odds of chances, none of them nearer to 0 or 1 than `LEAST`."""
    return logit(np.clip(np.asarray(p, dtype=float), LEAST, 1 - LEAST))

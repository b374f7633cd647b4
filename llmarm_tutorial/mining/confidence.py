"""How sure can one be of a rule? Estimates of confidence from counts.

The confidence of X ⇒ y is a chance: that a basket which holds X holds y as well. Counts estimate it, well where many
baskets hold X and badly where few do. Here every estimate is a matrix, antecedents × items, so that counts, their
repairs and models are tried on the same unseen baskets in the same way, see `judging`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy.special import betaln, expit, logit

from llmarm_tutorial.data.table import item_labels
from llmarm_tutorial.errors import UnknownName
from llmarm_tutorial.mining.antecedents import Evidence, row_blocks
from llmarm_tutorial.mining.measures import lift, measures
from llmarm_tutorial.mining.thresholds import reaches

SLACK = 2.0  # baskets that a prior is worth where it is wrong
RULE_ORDERS = ("confidence", "lift", "leverage")
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
    strength = np.broadcast_to(np.asarray(strength, dtype=float), len(known.baskets))
    prior = np.broadcast_to(prior, known.joint.shape)
    found = np.empty(known.joint.shape, dtype=np.float32)
    for part in row_blocks(*found.shape):
        m, n = strength[part, None], known.baskets[part, None].astype(float)
        with np.errstate(invalid="ignore"):
            trust = np.where(np.isinf(m) | (n + m == 0), 0.0, n / (n + m))
        counted = known.joint[part] / np.maximum(n, 1)
        found[part] = trust * counted + (1 - trust) * prior[part]
    return found


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
    worth = np.broadcast_to(np.asarray(strength, dtype=float), len(known.baskets))
    doubt = np.broadcast_to(np.asarray(doubt, dtype=float), len(known.baskets))
    if not doubt.any():
        return shrunk_confidence(known, prior, worth)
    prior = np.broadcast_to(prior, known.joint.shape)
    found = np.empty(known.joint.shape, dtype=np.float32)
    for part in row_blocks(*found.shape):
        m, w = np.clip(worth[part, None], SLACK, 1e6), doubt[part, None]
        p = np.clip(prior[part].astype(float), LEAST, 1 - LEAST)
        n, k = known.baskets[part, None].astype(float), known.joint[part].astype(float)
        with np.errstate(divide="ignore"):
            odds = np.log(w) - np.log1p(-w) + _log_chance(k, n, p, SLACK) - _log_chance(k, n, p, m)
        wrong = expit(odds)
        found[part] = (1 - wrong) * (k + m * p) / (n + m) + wrong * (k + SLACK * p) / (n + SLACK)
    return found


def _log_chance(k: np.ndarray, n: np.ndarray, p: np.ndarray, worth: np.ndarray | float) -> np.ndarray:
    """Log chance of k in n where the prior p is worth so many baskets (beta-binomial), up to a constant."""
    return betaln(k + worth * p, n - k + worth * (1 - p)) - betaln(worth * p, worth * (1 - p))


def backed_off(known: Evidence, singles: Callable[[np.ndarray], np.ndarray], weight: float = 1.0) -> np.ndarray:
    """Chances of an item given a whole antecedent from those given each of its items alone.

    The log odds of the item are moved by what each item of the antecedent alone does to them. With a weight of 1 that
    is naive Bayes, which takes these for independent; for a single item it is its own estimate. Counts of larger
    antecedents can be shrunk towards it.

    Args:
        known: Evidence whose antecedents are asked.
        singles: From item codes, shape (n,), to estimates given each of these items, shape (n, n_items).
        weight: Factor on the summed changes where the antecedent has several items, above 0: below 1 where they say the
            same thing twice.

    Returns:
        Shape (n, n_items), float32.
    """
    base = _log_odds(known.shares)
    found = np.empty(known.joint.shape, dtype=np.float32)
    for part in row_blocks(*found.shape):
        asked = known.antecedents[part]
        codes = np.unique(asked[asked >= 0])
        change = np.vstack([_log_odds(singles(codes)) - base, np.zeros((1, len(base)))])  # the last row: the padding
        place = np.where(asked < 0, len(codes), np.searchsorted(codes, asked))
        factor = np.where(known.sizes[part] > 1, weight, 1.0)[:, None]
        found[part] = expit(base + factor * change[place].sum(axis=1))
    return found


def mix_log_odds(first: np.ndarray, second: np.ndarray, share: float) -> np.ndarray:
    """A chance between two, on the scale of log odds: `share` of the second."""
    if share in (0.0, 1.0):
        return second if share else first
    mixed = np.empty(first.shape, dtype=np.float32)
    for part in row_blocks(*mixed.shape):
        mixed[part] = expit((1 - share) * _log_odds(first[part]) + share * _log_odds(second[part]))
    return mixed


def rule_table(
    antecedents: np.ndarray,
    estimate: Callable[[np.ndarray], np.ndarray],
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
        estimate: From some of the antecedents to chances of all items; it is asked for a block of rows at a time.
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
    if by not in RULE_ORDERS:
        raise UnknownName("measure to keep rules by", by, RULE_ORDERS)
    row, column, chance = _kept(antecedents, estimate, holding, shares, (min_support, min_confidence, most, by))
    x = holding[row] * n_baskets
    names = np.array(item_labels(items, label), dtype=object)
    left = [frozenset(names[codes[codes >= 0]]) for codes in antecedents[row]]
    counts = {"count": x * chance, "antecedent_count": x, "consequent_count": shares[column] * n_baskets}
    found = measures(*counts.values(), n_baskets) | _orders(chance, holding[row], shares[column])
    sides = {"antecedent": pd.Series(left, dtype=object)}
    sides["consequent"] = pd.Series([frozenset([name]) for name in names[column]], dtype=object)
    return pd.DataFrame({**sides, **found, **counts, "n_baskets": n_baskets, "how": how})


def _orders(chance: np.ndarray, holding: np.ndarray, share: np.ndarray) -> dict[str, np.ndarray]:
    """What rules can be sorted by, from the estimate itself and not from counts made of it, which round."""
    return {"confidence": chance, "lift": lift(chance, 1, share, 1), "leverage": holding * (chance - share)}


def _kept(
    antecedents: np.ndarray,
    estimate: Callable[[np.ndarray], np.ndarray],
    holding: np.ndarray,
    shares: np.ndarray,
    limits: tuple[float, float, int | None, str],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(row, column, chance) of the rules that `rule_table` keeps, the best first; a block of antecedents at a time."""
    min_support, min_confidence, most, by = limits
    found = [(*np.zeros((2, 0), dtype=np.int64), *np.zeros((2, 0)))]

    def best() -> tuple[np.ndarray, ...]:
        columns = [np.concatenate(pieces) for pieces in zip(*found, strict=True)]
        order = np.argsort(-columns[-1], kind="stable")[:most]  # equal ones stay in the order of their codes
        return tuple(column[order] for column in columns)

    for part in row_blocks(len(antecedents), len(shares)):
        asked, held = antecedents[part], holding[part, None]
        chances = np.asarray(estimate(asked), dtype=float)
        keep = reaches(held * chances, min_support) & reaches(chances, min_confidence) & (shares > 0) & (held > 0)
        inside, place = np.nonzero(asked >= 0)
        keep[inside, asked[inside, place]] = False
        here, there = np.nonzero(keep)
        these = chances[here, there]
        keys = _orders(these, holding[part][here], shares[there])
        found.append((here + part.start, there, these, keys[by]))
        if most is not None:
            found = [best()]
    return best()[:-1]


def _log_odds(p: np.ndarray) -> np.ndarray:
    """Log odds of chances, none of them nearer to 0 or 1 than `LEAST`."""
    return logit(np.clip(np.asarray(p, dtype=float), LEAST, 1 - LEAST))

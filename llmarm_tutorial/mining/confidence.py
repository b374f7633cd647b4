"""How sure can one be of a rule? Estimates of confidence from counts, and their trial on unseen baskets.

The confidence of X ⇒ y is a chance: that a basket which holds X holds y as well. Counts estimate it, well where many
baskets hold X and badly where few do. Here every estimate is a matrix, antecedents × items, so that counts, their
repairs and models are tried on the same unseen baskets in the same way, by the number of baskets behind the antecedent.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.special import betaln

from llmarm_tutorial.data.transactions import item_labels
from llmarm_tutorial.errors import UnknownName
from llmarm_tutorial.mining.antecedents import BANDS, Evidence, band_names, band_of, gather, questions
from llmarm_tutorial.mining.antecedents import draw_parts as draw_parts  # so that whoever estimates needs one module
from llmarm_tutorial.mining.antecedents import padded as padded
from llmarm_tutorial.mining.itemsets import slices
from llmarm_tutorial.mining.rules import measures

STRENGTHS = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, math.inf)
DOUBTS = (1e-4, 1e-3, 1e-2)  # chances that a prior is wrong about a rule
SLACK = 2.0  # baskets that a prior is worth where it is wrong
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)  # of the second of two priors
_LEAST = 1e-5  # a chance never said to be smaller, nor nearer to 1: a loss stays finite


# --- estimates -----------------------------------------------------------------------------------------------------


def raw(known: Evidence) -> np.ndarray:
    """Confidence as it is counted; the item's share of all baskets where no basket holds the antecedent.

    Args:
        known: Evidence in the training baskets.

    Returns:
        Shape (n, n_items), in [0, 1].
    """
    return shrunk(known, known.shares, 0.0)


def add_k(known: Evidence, k: float) -> np.ndarray:
    """Additive smoothing (Lidstone 1920): k baskets with the item and k without it are added to the counts.

    Args:
        known: Evidence in the training baskets.
        k: Number of baskets, above 0.
    """
    return ((known.joint + k) / (known.baskets + 2 * k)[:, None]).astype(np.float32)


def shrunk(known: Evidence, prior: np.ndarray, strength: float | np.ndarray) -> np.ndarray:
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
    """As `shrunk`, but a count that the prior makes nearly impossible is believed instead of the prior.

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
        return shrunk(known, prior, strength)
    p = np.clip(np.broadcast_to(prior, known.joint.shape).astype(float), _LEAST, 1 - _LEAST)
    n, k = known.baskets[:, None].astype(float), known.joint.astype(float)
    m = np.maximum(m, SLACK)

    def log_chance(worth: np.ndarray | float) -> np.ndarray:
        return betaln(k + worth * p, n - k + worth * (1 - p)) - betaln(worth * p, worth * (1 - p))

    with np.errstate(divide="ignore"):
        odds = np.log(w) - np.log1p(-w) + log_chance(SLACK) - log_chance(m)
    wrong = _expit(np.clip(odds, -700, 700))
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
    base = _logit(known.shares)
    change = np.vstack([_logit(singles) - base, np.zeros((1, len(base)))])  # the last row belongs to the padding
    factor = np.where(known.sizes > 1, weight, 1.0)[:, None]
    return _expit(base + factor * change[known.antecedents].sum(axis=1)).astype(np.float32)


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
    own = shrunk(singles, singles.shares, 10.0).astype(float)
    profile = (own - singles.shares) / np.sqrt(singles.shares * (1 - singles.shares) + 1e-12)
    np.fill_diagonal(profile, 0.0)
    profile /= np.linalg.norm(profile, axis=1, keepdims=True) + 1e-12
    alike = np.clip(profile @ profile.T, 0, None)
    np.fill_diagonal(alike, 0.0)
    if k < alike.shape[0]:
        alike[alike < np.partition(alike, -k, axis=1)[:, [-k]]] = 0.0
    weight = alike * np.minimum(singles.baskets, 100)  # a neighbour seen once lends little
    total = weight.sum(axis=1, keepdims=True)
    np.fill_diagonal(own, singles.shares)  # what an item does to itself is nothing to lend
    return (weight @ own + singles.shares) / (total + 1)


def blended(first: np.ndarray, second: np.ndarray, share: float) -> np.ndarray:
    """A chance between two, on the scale of log odds: `share` of the second."""
    if share in (0.0, 1.0):
        return second if share else first
    return _expit((1 - share) * _logit(first) + share * _logit(second)).astype(np.float32)


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
    keys = {"confidence": chances, "lift": chances / np.maximum(shares, 1e-12)}
    keys["leverage"] = holding[:, None] * (chances - shares)
    if by not in keys:
        raise UnknownName("measure to keep rules by", by, keys)
    inside = np.zeros(chances.shape, dtype=bool)
    row, column = np.nonzero(antecedents >= 0)
    inside[row, antecedents[row, column]] = True
    keep = (holding[:, None] * chances >= min_support) & (chances >= min_confidence) & ~inside & (shares > 0)
    row, column = np.nonzero(keep & (holding > 0)[:, None])
    order = np.argsort(-keys[by][row, column], kind="stable")[:most]
    row, column = row[order], column[order]
    x = holding[row] * n_baskets
    names = np.array(item_labels(items, label), dtype=object)
    left = [frozenset(names[codes[codes >= 0]]) for codes in antecedents[row]]
    counts = {"count": x * chances[row, column], "antecedent_count": x, "consequent_count": shares[column] * n_baskets}
    found = measures(*counts.values(), n_baskets)
    sides = {"antecedent": pd.Series(left, dtype=object)}
    sides["consequent"] = pd.Series([frozenset([name]) for name in names[column]], dtype=object)
    return pd.DataFrame({**sides, **found, **counts, "n_baskets": n_baskets, "how": how})


# --- trial on unseen baskets ---------------------------------------------------------------------------------------


def losses(estimate: np.ndarray, unseen: Evidence) -> pd.DataFrame:
    """How wrong an estimate is about unseen baskets, one row per antecedent.

    Log loss and Brier score are *proper*: on average the true chance makes them smallest, so that however few unseen
    baskets there are, their mean compares estimates fairly. The squared error of a confidence is not observed, since
    the share of k in n unseen baskets is itself off by p(1 − p)/n; taking away an unbiased estimate of that leaves an
    unbiased one of the squared error, which for a single antecedent may well be negative.

    Args:
        estimate: Chances, shape (n, n_items).
        unseen: Evidence in the unseen baskets for the same antecedents.

    Returns:
        Columns `baskets` (unseen ones), `log_loss` (bits per basket, summed over items), `brier` (likewise) and
        `squared_error` (mean over items; NaN below two baskets).
    """
    n = unseen.baskets.astype(float)
    log_loss, brier, squared = (np.full(len(n), np.nan) for _ in range(3))
    for part in slices(np.full(len(n), estimate.shape[1]), 2**21):
        rows = unseen.take(np.arange(part.start, min(part.stop, len(n))))
        allowed, size = rows.open, np.maximum(rows.baskets, 1)[:, None]
        p = np.clip(estimate[part].astype(float), _LEAST, 1 - _LEAST)
        share = rows.joint / size
        bits = -(share * np.log2(p) + (1 - share) * np.log2(1 - p))
        error = (p - share) ** 2
        noise = share * (1 - share)
        log_loss[part] = np.where(allowed, bits, 0).sum(axis=1)
        brier[part] = np.where(allowed, error + noise, 0).sum(axis=1)
        fair = np.where(allowed, error - noise / np.maximum(size - 1, 1), 0).sum(axis=1) / allowed.sum(axis=1)
        squared[part] = np.where(rows.baskets > 1, fair, np.nan)
    return pd.DataFrame({"baskets": n, "log_loss": log_loss, "brier": brier, "squared_error": squared})


def by_band(losses_of: dict[str, pd.DataFrame], known: Evidence, sizes: Sequence[int] | None = None) -> pd.DataFrame:
    """Losses of several estimates in each band of support.

    Args:
        losses_of: Name of the estimate → `losses` on the same antecedents.
        known: Evidence in the training baskets; it decides the band.
        sizes: Antecedent sizes to take; None for all.

    Returns:
        One row per band and estimate: `band`, `estimate`, `antecedents`, `baskets` (unseen), `rmse` (root of the mean
        squared error over antecedents, weighted by unseen baskets up to 100; NaN where noise hides it), `log_loss` and
        `brier` (mean per unseen basket).
    """
    band = band_of(known.baskets)
    chosen = np.ones(len(band), dtype=bool) if sizes is None else np.isin(known.sizes, sizes)
    names, rows = band_names(), []
    for number in np.unique(band[chosen]):
        here = chosen & (band == number)
        for name, table in losses_of.items():
            part = table[here & (table["baskets"] > 0).to_numpy()]
            if len(part):
                rows.append({"band": names[number], "estimate": name, "antecedents": len(part), **mean_losses(part)})
    return pd.DataFrame(rows)


def mean_losses(table: pd.DataFrame) -> dict[str, float]:
    """Mean losses over some antecedents, see `by_band`: `baskets`, `rmse`, `log_loss`, `brier`."""
    n = table["baskets"].to_numpy()
    several = n > 1
    rmse = math.nan
    if several.any():
        squared = np.average(table["squared_error"].to_numpy()[several], weights=np.minimum(n[several], 100))
        rmse = math.sqrt(squared) if squared > 0 else math.nan
    weighted = {name: float(np.average(table[name], weights=n)) for name in ("log_loss", "brier")}
    return {"baskets": int(n.sum()), "rmse": rmse, **weighted}


def calibration(estimate: np.ndarray, unseen: Evidence, edges: Sequence[float]) -> pd.DataFrame:
    """Whether chances come true: predicted against observed, in classes of the prediction.

    Args:
        estimate: Chances, shape (n, n_items).
        unseen: Evidence in the unseen baskets for the same antecedents.
        edges: Bounds of the classes, ascending.

    Returns:
        One row per class that occurs: `predicted` and `observed` (means over unseen baskets × items) and `cases`.
    """
    allowed = unseen.open & (unseen.baskets > 0)[:, None]
    p = estimate[allowed].astype(float)
    weight = np.broadcast_to(unseen.baskets[:, None], allowed.shape)[allowed].astype(float)
    hits = unseen.joint[allowed].astype(float)
    group = np.clip(np.searchsorted(edges, p, side="right") - 1, 0, len(edges) - 2)
    sums = [np.bincount(group, values, minlength=len(edges) - 1) for values in (weight, weight * p, hits)]
    table = pd.DataFrame(np.stack(sums, axis=1), columns=["cases", "predicted", "observed"])
    table = table[table["cases"] > 0]
    return table.assign(predicted=table["predicted"] / table["cases"], observed=table["observed"] / table["cases"])


class Tuned(NamedTuple):
    """How far to trust a prior in each band of support: chosen on validation baskets, see `tune`.

    Attributes:
        share: Share of the second prior, shape (n_bands,).
        strength: Baskets that the prior is worth, shape (n_bands,).
        doubt: Chance that the prior is wrong about a rule, shape (n_bands,), see `doubted`.
    """

    share: np.ndarray
    strength: np.ndarray
    doubt: np.ndarray

    def estimate(self, known: Evidence, first: np.ndarray, second: np.ndarray | None = None) -> np.ndarray:
        """Counts joined with the prior, band by band, shape (n, n_items)."""
        band = band_of(known.baskets)
        prior = np.broadcast_to(first, known.joint.shape)
        if second is not None:
            prior = np.array(prior, dtype=np.float32)
            for number in np.unique(band):
                here = band == number
                prior[here] = blended(prior[here], second[here], float(self.share[number]))
        return doubted(known, prior, self.strength[band], self.doubt[band])


def tune(
    known: Evidence,
    unseen: Evidence,
    first: np.ndarray,
    second: np.ndarray | None = None,
    *,
    by: str = "log_loss",
    doubts: Sequence[float] = (),
    least: int = 30,
) -> Tuned:
    """Choose in each band the strength of a prior, and its mixture if there are two, by a loss on validation baskets.

    The choices hold counts alone, each prior alone and everything between, so on the baskets used for choosing no
    band is worse than the best of these.

    Args:
        known: Evidence in the training baskets.
        unseen: Evidence in the validation baskets for the same antecedents.
        first: Prior, shape (n_items,) or (n, n_items).
        second: A second prior, shape (n, n_items), or None.
        by: "log_loss" or "brier", see `losses`.
        doubts: Chances to try that the prior is wrong about a rule, see `doubted`; none of them means no doubt.
        least: A band with fewer antecedents uses those of the nearest bands as well, until there are so many.
    """
    band = band_of(known.baskets)
    first = np.broadcast_to(first, known.joint.shape)
    share, strength, doubt = (np.zeros(len(BANDS)) for _ in range(3))
    for number in range(len(BANDS)):
        reach = next(r for r in range(len(BANDS)) if (abs(band - number) <= r).sum() >= least or r == len(BANDS) - 1)
        rows = np.flatnonzero(abs(band - number) <= reach)
        here, there = known.take(rows), unseen.take(rows)
        best = math.inf
        for part in SHARES if second is not None else (0.0,):
            prior = first[rows] if second is None else blended(first[rows], second[rows], part)
            for m in STRENGTHS:
                loss = mean_losses(losses(shrunk(here, prior, m), there))[by]
                if loss < best:
                    best, share[number], strength[number] = loss, part, m
        prior = first[rows] if second is None else blended(first[rows], second[rows], float(share[number]))
        for m in (64.0, 256.0, 1024.0, math.inf) if len(doubts) else ():
            for chance in doubts:
                loss = mean_losses(losses(doubted(here, prior, m, chance), there))[by]
                if loss < best:
                    best, strength[number], doubt[number] = loss, m, chance
    return Tuned(share, strength, doubt)


# --- everything that counts can say ----------------------------------------------------------------------------------

COUNTED = ("counts", "add-k", "shrunk", "back-off", "item-kNN")


class Trial(NamedTuple):
    """Antecedents asked of validation and of test baskets, with what is known of each from training baskets.

    Attributes:
        known: Evidence in training baskets for the antecedents asked in validation.
        unseen: The same antecedents in validation baskets.
        known_test: Evidence in training baskets for the antecedents asked in the test.
        unseen_test: The same antecedents in test baskets.
    """

    known: Evidence
    unseen: Evidence
    known_test: Evidence
    unseen_test: Evidence

    @classmethod
    def of(
        cls,
        train: sparse.csr_matrix,
        validation: sparse.csr_matrix,
        test: sparse.csr_matrix,
        *,
        sizes: Sequence[int] = (1, 2),
        per_band: int = 300,
        seed: int = 0,
    ) -> Trial:
        """Draw antecedents for both trials, see `questions`, and count them."""
        asked = [
            questions(part, train, sizes=sizes, per_band=per_band, seed=2 * seed + number)
            for number, part in enumerate((validation, test))
        ]
        first, second = (gather(train, codes) for codes in asked)
        return cls(first, gather(validation, asked[0]), second, gather(test, asked[1]))


def count_estimates(train: sparse.csr_matrix, trial: Trial) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Every estimate from counts, its numbers chosen by log loss on validation baskets.

    Args:
        train: Training baskets × items, bool.
        trial: The antecedents.

    Returns:
        For each of `COUNTED` the estimates for the antecedents of validation and test. "counts" are raw, "shrunk" is
        towards the items' shares, "back-off" towards what the antecedent's single items say, "item-kNN" towards what
        similar items say, both with doubt (`doubted`).
    """
    singles = gather(train, np.arange(train.shape[1], dtype=np.int32)[:, None])
    both = (trial.known, trial.known_test)
    pool = {
        "back-off": {m: shrunk(singles, singles.shares, m) for m in (10.0, 40.0, 160.0, 640.0)},
        "item-kNN": {k: borrowed(singles, k) for k in (5, 10, 20)},
    }
    found = {"counts": tuple(raw(known) for known in both)}
    k = min((0.01, 0.03, 0.1, 0.3, 1.0), key=lambda k: _loss(add_k(trial.known, k), trial.unseen))
    found["add-k"] = tuple(add_k(known, k) for known in both)
    chosen = tune(trial.known, trial.unseen, singles.shares)
    found["shrunk"] = tuple(chosen.estimate(known, singles.shares) for known in both)
    for name, choices in pool.items():
        options = [(table, weight) for table in choices.values() for weight in (0.5, 0.7, 0.85, 1.0)]
        best = min(options, key=lambda option: _loss(backed_off(trial.known, *option), trial.unseen))
        priors = [backed_off(known, *best) for known in both]
        chosen = tune(trial.known, trial.unseen, priors[0], doubts=DOUBTS)
        found[name] = tuple(chosen.estimate(known, prior) for known, prior in zip(both, priors, strict=True))
    return found


def best_of(estimates: dict[str, tuple[np.ndarray, np.ndarray]], trial: Trial) -> tuple[np.ndarray, np.ndarray, list]:
    """In each band the estimate with the lowest log loss on validation baskets.

    Returns:
        (estimates for validation, for test, the name chosen in each band of `BANDS`).
    """
    band, band_test = band_of(trial.known.baskets), band_of(trial.known_test.baskets)
    names = list(estimates)
    result = [np.array(part) for part in estimates[names[0]]]
    tables = {name: losses(pair[0], trial.unseen) for name, pair in estimates.items()}
    chosen = []
    for number in range(len(BANDS)):
        here = band == number if (band == number).any() else np.ones(len(band), dtype=bool)
        chosen.append(min(names, key=lambda name: mean_losses(tables[name][here])["log_loss"]))
        result[0][band == number] = estimates[chosen[-1]][0][band == number]
        result[1][band_test == number] = estimates[chosen[-1]][1][band_test == number]
    return result[0], result[1], chosen


def _loss(estimate: np.ndarray, unseen: Evidence) -> float:
    return mean_losses(losses(estimate, unseen))["log_loss"]


def _logit(p: np.ndarray) -> np.ndarray:
    p = np.clip(np.asarray(p, dtype=float), _LEAST, 1 - _LEAST)
    return np.log(p / (1 - p))


def _expit(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))

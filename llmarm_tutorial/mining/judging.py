"""Estimates of confidence tried on unseen baskets: their losses, what validation chooses, and the best that counts say.

Antecedents are drawn from baskets that no estimate has seen, so that counts, their repairs and models are judged on the
same questions; by the number of training baskets behind the antecedent, since that is where they differ.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse

from llmarm_tutorial.choosing import choose_setting
from llmarm_tutorial.mining.antecedents import BANDS, Evidence, band_names, band_of, draw_questions, gather, row_blocks
from llmarm_tutorial.mining.confidence import (
    LEAST,
    add_k,
    backed_off,
    doubted,
    mix_log_odds,
    raw_confidence,
)
from llmarm_tutorial.mining.single_items import Neighbourhood, SingleItems
from llmarm_tutorial.resources import FEWER_ITEMS, require_memory

STRENGTHS = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, math.inf)
PRIOR_DOUBTS = (1e-4, 1e-3, 1e-2)  # chances that a prior is wrong about a rule
STRONG = (64.0, 256.0, 1024.0, math.inf)  # those worth doubting
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)  # of the second of two priors
LOSSES = ("rmse", "log_loss", "brier")
BYTES = 100  # that each confidence takes, in all estimates of lesson 04 together and while they are made
NEIGHBOURS = (5, 10, 20)  # items that an item may borrow from
COUNT_ESTIMATES = ("counts", "add-k", "shrunk", "back-off", "item-kNN")


def confidence_losses(estimate: np.ndarray, unseen: Evidence, consequents: np.ndarray | None = None) -> pd.DataFrame:
    """How wrong an estimate is about unseen baskets, one row per antecedent.

    Log loss and Brier score are *proper*: on average the true chance makes them smallest, so that however few unseen
    baskets there are, their mean compares estimates fairly. The squared error of a confidence is not observed, since
    the share of k in n unseen baskets is itself off by p(1 − p)/n; taking away an unbiased estimate of that leaves an
    unbiased one of the squared error, which for a single antecedent may well be negative.

    Args:
        estimate: Chances, shape (n, n_items).
        unseen: Evidence in the unseen baskets for the same antecedents.
        consequents: Which items are asked for, shape (n_items,), bool; None for all.

    Returns:
        Columns `baskets` (unseen ones), `log_loss` (nats per basket, summed over items), `brier` (likewise) and
        `squared_error` (mean over items; NaN below two baskets).
    """
    n = unseen.baskets.astype(float)
    log_loss, brier, squared = (np.full(len(n), np.nan) for _ in range(3))
    for part in row_blocks(*estimate.shape):
        rows = unseen.take(part)
        allowed, size = rows.open, np.maximum(rows.baskets, 1)[:, None]
        if consequents is not None:
            allowed &= consequents
        p = np.clip(estimate[part].astype(float), LEAST, 1 - LEAST)
        share = rows.joint / size
        nats = -(share * np.log(p) + (1 - share) * np.log(1 - p))
        error = (p - share) ** 2
        noise = share * (1 - share)
        log_loss[part] = np.where(allowed, nats, 0).sum(axis=1)
        brier[part] = np.where(allowed, error + noise, 0).sum(axis=1)
        fair = np.where(allowed, error - noise / np.maximum(size - 1, 1), 0).sum(axis=1) / np.maximum(
            allowed.sum(axis=1), 1
        )
        squared[part] = np.where(rows.baskets > 1, fair, np.nan)
    return pd.DataFrame({"baskets": n, "log_loss": log_loss, "brier": brier, "squared_error": squared})


def by_band(losses_of: dict[str, pd.DataFrame], known: Evidence, sizes: Sequence[int] | None = None) -> pd.DataFrame:
    """Losses of several estimates in each band of support.

    Args:
        losses_of: Name of the estimate → `confidence_losses` on the same antecedents.
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


def wide_by_band(table: pd.DataFrame, measures: str | Sequence[str]) -> pd.DataFrame:
    """Losses of estimates side by side, bands in their order; an estimate that has no value at all keeps its column.

    Args:
        table: Result of `by_band`.
        measures: One of its columns, or several for two levels of columns.

    Returns:
        Bands × estimates, or × (measure, estimate).
    """
    measures = measures if isinstance(measures, str) else list(measures)
    bands, estimates = (list(dict.fromkeys(table[column])) for column in ("band", "estimate"))
    wide = table.pivot(index="band", columns="estimate", values=measures).reindex(index=bands)
    if isinstance(measures, str):
        return wide[estimates]
    return wide[[(measure, name) for measure in measures for name in estimates]]


def mean_losses(table: pd.DataFrame) -> dict[str, float]:
    """Mean losses over some antecedents, see `by_band`: `baskets`, `rmse`, `log_loss`, `brier`."""
    means = {name: mean_loss(table, name) for name in LOSSES}
    return {"baskets": int(table["baskets"].sum()), **means}


def mean_loss(table: pd.DataFrame, name: str, times: np.ndarray | float = 1.0) -> float:
    """One mean loss over some antecedents, see `by_band`.

    Args:
        table: `confidence_losses`, with at least one unseen basket.
        name: One of `LOSSES`.
        times: How often each antecedent counts, shape (n,) or one number.
    """
    n = table["baskets"].to_numpy()
    if name != "rmse":
        return float(np.average(table[name].to_numpy(), weights=n * times))
    several = n > 1
    weights = (np.minimum(n, 100) * times)[several]
    if not weights.any():
        return math.nan
    squared = np.average(table["squared_error"].to_numpy()[several], weights=weights)
    return math.sqrt(squared) if squared > 0 else math.nan


class Tuned(NamedTuple):
    """How far to trust a prior in each band of support: chosen on validation baskets, see `tune_confidence`.

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
                prior[here] = mix_log_odds(prior[here], second[here], float(self.share[number]))
        return doubted(known, prior, self.strength[band], self.doubt[band])


def tune_confidence(
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
        by: "log_loss" or "brier", see `confidence_losses`.
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
        priors = {0.0: first[rows]}
        if second is not None:
            priors = {part: mix_log_odds(first[rows], second[rows], part) for part in SHARES}
        share[number], strength[number], doubt[number] = _tuned(here, there, priors, by, doubts)
    return Tuned(share, strength, doubt)


def _tuned(
    known: Evidence, unseen: Evidence, priors: dict[float, np.ndarray], by: str, doubts: Sequence[float]
) -> tuple[float, float, float]:
    """(share, strength, doubt) that lose least; first without doubt, then doubt of what won."""

    def estimate(setting: tuple[float, float, float]) -> np.ndarray:
        part, strength, doubt = setting
        return doubted(known, priors[part], strength, doubt)

    chosen = _least_loss([(part, strength, 0.0) for part in priors for strength in STRENGTHS], estimate, unseen, by)
    if not len(doubts):
        return chosen
    doubtful = [(chosen[0], strength, doubt) for strength in STRONG for doubt in doubts]
    return _least_loss([chosen, *doubtful], estimate, unseen, by)


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
        """Draw antecedents for both trials, see `draw_questions`, and count them."""
        antecedents = [
            draw_questions(part, train, sizes=sizes, per_band=per_band, seed=2 * seed + number)
            for number, part in enumerate((validation, test))
        ]
        first, second = (gather(train, codes) for codes in antecedents)
        return cls(first, gather(validation, antecedents[0]), second, gather(test, antecedents[1]))


def count_estimates(train: sparse.csr_matrix, trial: Trial) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Every estimate from counts, its numbers chosen by log loss on validation baskets.

    Args:
        train: Training baskets × items, bool.
        trial: The antecedents.

    Returns:
        For each of `COUNT_ESTIMATES` the estimates for the antecedents of validation and test. "counts" are raw,
        "shrunk" is towards the items' shares, "back-off" towards what the antecedent's single items say, "item-kNN"
        towards what similar items say, both with doubt (`doubted`).

    Raises:
        TooLarge: If the estimates do not fit into the free memory.
    """
    both = (trial.known, trial.known_test)
    cells = sum(known.joint.size for known in both)
    what = f"{len(COUNT_ESTIMATES)} estimates of {cells:,} confidences"
    require_memory(BYTES * cells, what, f"ask of fewer antecedents (PER_BAND), or {FEWER_ITEMS}")
    singles = SingleItems.of(train)
    near = Neighbourhood.of(singles, np.concatenate([known.antecedents.ravel() for known in both]), max(NEIGHBOURS))
    pool = {
        "back-off": [partial(singles.shrunk, strength=m) for m in (10.0, 40.0, 160.0, 640.0)],
        "item-kNN": [partial(near.borrowed, k=k) for k in NEIGHBOURS],
    }
    found = {"counts": tuple(raw_confidence(known) for known in both)}
    k = _least_loss((0.01, 0.03, 0.1, 0.3, 1.0), partial(add_k, trial.known), trial.unseen)
    found["add-k"] = tuple(add_k(known, k) for known in both)
    chosen = tune_confidence(trial.known, trial.unseen, singles.shares)
    found["shrunk"] = tuple(chosen.estimate(known, singles.shares) for known in both)
    for name, choices in pool.items():
        options = [(say, weight) for say in choices for weight in (0.5, 0.7, 0.85, 1.0)]
        best = _least_loss(options, lambda option: backed_off(trial.known, *option), trial.unseen)
        priors = [backed_off(known, *best) for known in both]
        chosen = tune_confidence(trial.known, trial.unseen, priors[0], doubts=PRIOR_DOUBTS)
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
    tables = {name: confidence_losses(pair[0], trial.unseen) for name, pair in estimates.items()}
    chosen = []
    for number in range(len(BANDS)):
        here = band == number if (band == number).any() else np.ones(len(band), dtype=bool)
        chosen.append(min(names, key=lambda name: mean_losses(tables[name][here])["log_loss"]))
        result[0][band == number] = estimates[chosen[-1]][0][band == number]
        result[1][band_test == number] = estimates[chosen[-1]][1][band_test == number]
    return result[0], result[1], chosen


def _least_loss(
    settings: Sequence[Any], estimate: Callable[[Any], np.ndarray], unseen: Evidence, by: str = "log_loss"
) -> Any:
    """The setting whose estimate loses least on validation baskets."""

    def gain(chances: np.ndarray) -> float:
        return -mean_losses(confidence_losses(chances, unseen))[by]

    return choose_setting(settings, gain, build=estimate).best

"""Several recommenders as one: their scores made comparable, weighted and added up.

Scores of different systems have different scales. What each says of an item is therefore put in one of four ways, and a
`Fusion` adds up what its experts say, each in its way and with its weight:

* "log": log of the chance of the item: softmax of logits, or share of scores. Added up, a product of experts (Hinton
  2002).
* "z": the score in standard deviations from the mean over the case's items.
* "rank": 60 / (60 + rank of the item), the terms of reciprocal rank fusion (Cormack, Clarke & Büttcher 2009), times 60.
* "share": the chance itself. Added up, a mixture.

Weights are set by hand, one of them is chosen (`choose_weight`), or all are learned or chosen (`hybrid`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import log_softmax
from scipy.stats import rankdata

from llmarm_tutorial.choosing import Choice, choose_setting
from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.errors import BadParameter, UnknownName
from llmarm_tutorial.evaluation.intervals import mean_of_known
from llmarm_tutorial.evaluation.metrics import cutoff_of
from llmarm_tutorial.evaluation.ranking import SCORES_PER_BLOCK, evaluate
from llmarm_tutorial.evaluation.tasks import Recommender, Task

RANK_OFFSET = 60  # of Cormack et al.: how little the first places differ
LEAST = -30.0  # log chance of what an expert rules out, so that others may still recommend it
FLOOR = 1e-4  # share that counting gives to what it never saw, so that it never forbids an item
PRODUCT_WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0)


@dataclass(frozen=True, eq=False)
class Expert:
    """A recommender and how to read its scores.

    Attributes:
        name: What tables call it; unique within a fusion.
        system: The recommender.
        scale: "logits", whose softmax is a chance, or "shares", whose share of their sum is; shares below 0 count as 0.
            "counts" are shares that are refused below 0.
    """

    name: str
    system: Recommender
    scale: str = "shares"

    def __post_init__(self) -> None:
        if self.scale not in ("logits", "shares", "counts"):
            raise BadParameter(f"An expert says 'logits', 'shares' or 'counts', not {self.scale!r}.")


@dataclass(frozen=True, eq=False)
class Precomputed:
    """Scores that a system gave already, for the histories it was asked about and no others.

    Attributes:
        n_items: Number of items.
        values: The scores, shape (n_cases, n_items).
    """

    n_items: int
    values: np.ndarray

    @classmethod
    def of(cls, system: Recommender, histories: Histories) -> Precomputed:
        """Ask a system once, block by block, to try several things with its scores."""
        starts = range(0, len(histories), step := max(1, SCORES_PER_BLOCK // system.n_items))
        blocks = [system.scores(histories.block(start, min(start + step, len(histories)))) for start in starts]
        return cls(system.n_items, np.concatenate(blocks))

    def scores(self, histories: Histories) -> np.ndarray:
        """The scores given, whatever is asked: all cases in one block."""
        return self.values


# --- comparable scores -----------------------------------------------------------------------------------------------


def candidate_scores(system: Recommender, histories: Histories, filter_seen: bool) -> np.ndarray:
    """Scores of a system, shape (n_cases, n_items), float32, -inf for items of the history where these are left out."""
    scores = np.array(system.scores(histories), dtype=np.float32)
    if filter_seen:
        scores[histories.rows, histories.items] = -np.inf
    return scores


def chances(scores: np.ndarray, scale: str) -> np.ndarray:
    """Chance of every item, each row on its own; zeros in a row of shares without any.

    Args:
        scores: Shape (n_cases, n_items); -inf for what is no candidate.
        scale: See `Expert`.

    Raises:
        BadParameter: If there is a count below 0.
    """
    if scale == "logits":
        return np.exp(log_chances(scores, scale))
    if scale == "counts" and ((scores < 0) & np.isfinite(scores)).any():
        raise BadParameter("A product needs scores of counting that are at least 0, as shares and counts are.")
    shares = np.maximum(scores, 0)
    return shares / np.maximum(shares.sum(axis=1, keepdims=True), 1e-12)


def log_chances(scores: np.ndarray, scale: str) -> np.ndarray:
    """Log of the chance of every item, each row on its own.

    Args:
        scores: Shape (n_cases, n_items); -inf for what is no candidate.
        scale: See `Expert`. To shares `FLOOR` is added, so that silence is not a veto.

    Returns:
        Same shape, float32, at most 0 (a little above 0 where a share is 1); what is -inf among logits gets `LEAST`, or
        the lowest of its row where that is lower.
    """
    if scale == "logits":
        known = np.isfinite(scores)
        logs = log_softmax(np.where(known, scores, np.finfo(np.float32).min), axis=1)  # all -inf stays defined
        lowest = np.minimum(LEAST, np.where(known, logs, 0).min(axis=1, keepdims=True))
        return np.where(known, logs, lowest).astype(np.float32)
    return np.log(chances(scores, scale) + FLOOR).astype(np.float32, copy=False)


def z_scores(scores: np.ndarray, scale: str = "") -> np.ndarray:
    """Scores in standard deviations from the mean of their row; what is -inf gets the lowest value of the row.

    Args:
        scores: Shape (n_cases, n_items).
        scale: Not used: shares and logits are treated alike.

    Returns:
        Same shape, float32; zeros in a row whose scores are all the same.
    """
    known = np.isfinite(scores)
    n = np.maximum(known.sum(axis=1, keepdims=True), 1)
    filled = np.where(known, scores, 0).astype(float)
    centred = np.where(known, filled - filled.sum(axis=1, keepdims=True) / n, 0)
    deviation = np.sqrt((centred**2).sum(axis=1, keepdims=True) / n)
    deviation[deviation < 1e-9 * np.abs(filled).max(axis=1, keepdims=True, initial=0)] = 0
    z = np.divide(centred, deviation, out=np.zeros_like(centred), where=deviation > 0)
    return np.where(known, z, z.min(axis=1, keepdims=True)).astype(np.float32)


def reciprocal_ranks(scores: np.ndarray, scale: str = "") -> np.ndarray:
    """60 / (60 + rank) within each row, shape (n_cases, n_items), float32; equal scores share their mean rank.

    Raises:
        BadParameter: If a score is NaN.
    """
    if np.isnan(scores).any():
        raise BadParameter("NaN has no rank among scores; give -inf to what is never recommended.")
    return (RANK_OFFSET / (RANK_OFFSET + rankdata(-scores, axis=1))).astype(np.float32)


WAYS: Mapping[str, Callable[[np.ndarray, str], np.ndarray]] = {
    "log": log_chances,
    "z": z_scores,
    "rank": reciprocal_ranks,
    "share": chances,
}


# --- sums of them ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Fusion:
    """A weighted sum of what experts say, made comparable in one way or in several.

    Attributes:
        experts: At least one, of the same items, with different names.
        weights: Way of `WAYS` → one weight per expert. An expert without a weight other than 0 is not asked.
        filter_seen: Whether items of the history are no candidates: they then have no part in ranks and chances. To be
            set as for `ranking.evaluate`.
        name: What tables call it.
    """

    experts: tuple[Expert, ...]
    weights: Mapping[str, Sequence[float]]
    filter_seen: bool = False
    name: str = "fusion"

    def __post_init__(self) -> None:
        check_experts(self.experts)
        for way, weights in self.weights.items():
            if way not in WAYS:
                raise UnknownName("way of fusing scores", way, WAYS)
            if len(weights) != len(self.experts):
                raise BadParameter(f"A fusion needs one weight for each of {len(self.experts)} experts, not {weights}.")

    @property
    def n_items(self) -> int:
        """Number of items."""
        return self.experts[0].system.n_items

    def scores(self, histories: Histories) -> np.ndarray:
        """Scores of all items, shape (n_cases, n_items), float32, up to a constant per case; each expert asked once."""
        scores: dict[int, np.ndarray] = {}
        total = np.zeros((len(histories), self.n_items), dtype=np.float32)
        for way, weights in self.weights.items():
            for number in np.flatnonzero(weights):
                expert = self.experts[number]
                if number not in scores:
                    scores[number] = candidate_scores(expert.system, histories, self.filter_seen)
                total += np.float32(weights[number]) * WAYS[way](scores[number], expert.scale)
        return total


def check_experts(experts: Sequence[Expert]) -> None:
    """Raise `BadParameter` unless there are experts, of different names and of the same items."""
    names = [expert.name for expert in experts]
    if not names or len(set(names)) < len(names):
        raise BadParameter(f"A fusion needs at least one expert, and different names, not {names}.")
    if len({expert.system.n_items for expert in experts}) > 1:
        raise BadParameter("All experts of a fusion must know the same items.")


def product_of_experts(
    model: Recommender, counting: Recommender, weight: float = 0.75, *, name: str = "model × counting"
) -> Fusion:
    """log P of a model plus a weight times log P of counting: a product of two experts (Hinton 2002).

    Args:
        model: Scores are logits: their softmax is P.
        counting: Their share of scores is P; they are at least 0, or scoring raises `BadParameter`.
        weight: How much counting says, at least 0; 0 leaves the model alone.
        name: What tables call it.

    Raises:
        BadParameter: If the weight is below 0, or they know different items.
    """
    if not weight >= 0:
        raise BadParameter(f"The weight of counting is at least 0, not {weight}.")
    experts = (Expert("model", model, "logits"), Expert("counting", counting, "counts"))
    return Fusion(experts, {"log": (1.0, weight)}, name=name)


def choose_weight(
    model: Recommender,
    counting: Recommender,
    task: Task,
    *,
    weights: Sequence[float] = PRODUCT_WEIGHTS,
    metric: str = "NDCG@10",
    filter_seen: bool = True,
    name: str = "model × counting",
) -> Choice:
    """The weight of a `product_of_experts` that does best on a validation task; each system is asked once.

    Cases are asked block by block, so that memory does not grow with their number.

    Args:
        model: Scores are logits.
        counting: Scores are at least 0.
        task: The validation task; never the test.
        weights: What to try.
        metric: What to make large, a metric of accuracy.
        filter_seen: As for `ranking.evaluate`.
        name: What tables call the product.

    Returns:
        The best weight and its product.
    """
    values = np.empty((len(weights), len(task)))
    step = max(1, SCORES_PER_BLOCK // task.n_items)
    for start in range(0, len(task), step):
        rows = np.arange(start, min(start + step, len(task)))
        part = task.take(rows)
        precomputed = [Precomputed(system.n_items, system.scores(part.histories)) for system in (model, counting)]
        for number, weight in enumerate(weights):
            ranked = evaluate(
                product_of_experts(*precomputed, weight),
                part,
                ks=(cutoff_of(metric),),
                filter_seen=filter_seen,
                block=len(part),
            )
            values[number, rows] = ranked.values(metric)
    means = dict(zip(weights, mean_of_known(values, axis=1), strict=True))
    choice = choose_setting(weights, means.__getitem__)
    return choice._replace(system=product_of_experts(model, counting, choice.best, name=name))

"""Several recommenders on one candidate list: scores made comparable, and joined."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp
from scipy.stats import rankdata

from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.errors import BadParameter, UnknownName
from llmarm_tutorial.evaluation.tasks import Recommender
from llmarm_tutorial.recommend.blend import log_shares
from llmarm_tutorial.recommend.counting import Profile

WAYS = ("log", "z", "rank")
FACTS = ("bought", "times", "recent", "popularity")
RANK_OFFSET = 60  # of Cormack et al.: how little the first places differ
LEAST = -30.0  # log chance of what an expert rules out, so that others may still recommend it


@dataclass(frozen=True, eq=False)
class Expert:
    """A recommender and how to read its scores.

    Attributes:
        name: What tables call it; unique within a panel.
        system: The recommender.
        says: "logits", whose softmax is a chance, or "shares", whose share of their sum is; shares below 0 count as 0.
    """

    name: str
    system: Recommender
    says: str = "shares"

    def __post_init__(self) -> None:
        if self.says not in ("logits", "shares"):
            raise BadParameter(f"An expert says 'logits' or 'shares', not {self.says!r}.")


def candidate_scores(system: Recommender, histories: Histories, filter_seen: bool) -> np.ndarray:
    """Scores of a system, shape (n_cases, n_items), float32, -inf for items of the history where these are left out."""
    scores = np.array(system.scores(histories), dtype=np.float32)
    if filter_seen:
        scores[histories.rows, histories.items] = -np.inf
    return scores


def log_chances(scores: np.ndarray, says: str) -> np.ndarray:
    """Log of the chance of every item, each row on its own.

    Args:
        scores: Shape (n_cases, n_items); -inf for what is no candidate.
        says: See `Expert`. To shares the floor of `blend.Blend` is added, so that silence is not a veto.

    Returns:
        Same shape, float32, from `LEAST` to 0 (a little above 0 where a share is 1).
    """
    if says == "logits":
        told = scores - logsumexp(np.maximum(scores, np.finfo(np.float32).min), axis=1, keepdims=True)
        return np.maximum(told, LEAST, dtype=np.float32)
    return log_shares(np.maximum(scores, 0)).astype(np.float32, copy=False)


def z_scores(scores: np.ndarray) -> np.ndarray:
    """Scores in standard deviations from the mean of their row; what is -inf gets the lowest value of the row.

    Args:
        scores: Shape (n_cases, n_items).

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


def reciprocal_ranks(scores: np.ndarray) -> np.ndarray:
    """60 / (60 + rank) within each row, shape (n_cases, n_items), float32; equal scores share their mean rank."""
    return (RANK_OFFSET / (RANK_OFFSET + rankdata(-scores, axis=1))).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Panel:
    """Experts who are asked together.

    Attributes:
        experts: At least one, of the same items, with different names.
        item_counts: Training events of each item, shape (n_items,); see `ranking.Task`.
        filter_seen: Whether items of the history are no candidates: they then have no part in ranks and chances. To be
            set as for `ranking.evaluate`.
    """

    experts: tuple[Expert, ...]
    item_counts: np.ndarray
    filter_seen: bool = True

    def __post_init__(self) -> None:
        names = [expert.name for expert in self.experts]
        if not names or len(set(names)) < len(names):
            raise BadParameter(f"A panel needs at least one expert, and different names, not {names}.")
        if any(expert.system.n_items != self.n_items for expert in self.experts):
            raise BadParameter(f"All experts of a panel must know the same items, here {self.n_items}.")

    @property
    def n_items(self) -> int:
        """Number of items."""
        return len(self.item_counts)

    def names(self, kinds: Sequence[str]) -> list[str]:
        """Names of features of the given kinds, such as "log" or "bought", in order."""
        found = []
        for kind in kinds:
            found += [kind] if kind in FACTS else [f"{kind} {expert.name}" for expert in self.experts]
        return found

    def features(self, histories: Histories, names: Sequence[str]) -> Iterator[np.ndarray]:
        """The features asked for, one after the other, each of shape (n_cases, n_items), float32.

        An expert whose features are not asked for is not asked either; each other one is asked once.

        Raises:
            UnknownName: If there is no such feature.
        """
        valid = self.names((*WAYS, "depth", *FACTS))
        for name in names:
            if name not in valid:
                raise UnknownName("feature", name, valid)
        asked = {name.partition(" ")[2] for name in names}
        heard = {
            expert.name: (expert.says, candidate_scores(expert.system, histories, self.filter_seen))
            for expert in self.experts
            if expert.name in asked
        }
        for name in names:
            kind, _, who = name.partition(" ")
            yield self._fact(kind, histories) if kind in FACTS else _said(kind, *heard[who], histories.lengths)

    def _fact(self, kind: str, histories: Histories) -> np.ndarray:
        if kind == "popularity":
            told = np.log1p(self.item_counts).astype(np.float32)
            return np.broadcast_to(told, (len(histories), self.n_items))
        if kind == "recent":
            return Profile(None, 1.0, once=True).matrix(histories, self.n_items).toarray()
        times = histories.matrix(self.n_items).toarray()
        return (times > 0).astype(np.float32) if kind == "bought" else np.log1p(times)


def _said(kind: str, says: str, scores: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    if kind == "z":
        return z_scores(scores)
    if kind == "rank":
        return reciprocal_ranks(scores)
    told = log_chances(scores, says)
    return told * np.log1p(lengths, dtype=np.float32)[:, None] if kind == "depth" else told


@dataclass(frozen=True, eq=False)
class Combined:
    """A weighted sum of what a panel says.

    Attributes:
        panel: Who is asked.
        weights: Name of a feature → its weight.
        name: What tables call it.
    """

    panel: Panel
    weights: Mapping[str, float]
    name: str = "combined"

    @property
    def n_items(self) -> int:
        """Number of items."""
        return self.panel.n_items

    def scores(self, histories: Histories) -> np.ndarray:
        """Scores of all items, shape (n_cases, n_items), float32, up to a constant per case."""
        used = {name: weight for name, weight in self.weights.items() if weight}
        total = np.zeros((len(histories), self.n_items), dtype=np.float32)
        for weight, values in zip(used.values(), self.panel.features(histories, list(used)), strict=True):
            total += np.float32(weight) * values
        return total


def fused(panel: Panel, weights: Sequence[float], way: str = "log", name: str | None = None) -> Combined:
    """A fusion of scores with weights set by hand.

    Args:
        panel: The experts.
        weights: One per expert, at least 0.
        way: "log" adds log chances (a product of experts), "z" standardised scores, "rank" reciprocal ranks.
        name: What tables call it.

    Raises:
        BadParameter: If the way is unknown, or there is not one weight per expert, at least 0 and not all 0.
    """
    if way not in WAYS:
        raise BadParameter(f"Scores are fused by {', '.join(map(repr, WAYS))}, not {way!r}.")
    if len(weights) != len(panel.experts) or min(weights) < 0 or not any(weights):
        raise BadParameter(f"A fusion needs one weight from 0 for each of {len(panel.experts)} experts, not {weights}.")
    return Combined(panel, dict(zip(panel.names([way]), map(float, weights), strict=True)), name or f"fusion, {way}")

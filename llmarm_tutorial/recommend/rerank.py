"""Another order for the top of a list: by association rules, or so that its items differ from each other.

Both take the first items of a recommender and leave everything below as it was. What they gain in diversity is to be
weighed against what they lose in accuracy, with one evaluation for both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from sklearn.preprocessing import normalize

from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.errors import BadParameter
from llmarm_tutorial.evaluation.tasks import Recommender
from llmarm_tutorial.recommend.experts import candidate_scores
from llmarm_tutorial.resources import FEWER_ITEMS, require_memory

MAX_ITEMS = 20_000  # more items have no table of all similarities
DENSE_BYTES = 2**30


@dataclass(frozen=True, eq=False)
class RuleReranker:
    """The first items of a recommender in an order in which rules have a say.

    Within the first `top`, scores of the recommender are stretched to 0…1 and those of the rules divided by their
    largest; the new score is (1 - weight) times the one plus weight times the other. Items of equal score at the border
    are all in or all out of the first `top`, as there is room.

    Attributes:
        base: The recommender.
        rules: Scores of at least 0: the confidence of rules from the history, such as `counting.AssociationRules`.
        top: How many items get a new place, from 1.
        weight: Say of the rules, in [0, 1]; at 1 they alone decide.
        filter_seen: Whether items of the history are no candidates; to be set as for `ranking.evaluate`.
        name: What tables call it.
    """

    base: Recommender
    rules: Recommender
    top: int = 50
    weight: float = 0.5
    filter_seen: bool = True
    name: str = "re-ranked by rules"

    def __post_init__(self) -> None:
        if self.base.n_items != self.rules.n_items:
            raise BadParameter("Rules can re-rank only a recommender of the same items.")
        if self.top < 1 or not 0 <= self.weight <= 1:
            raise BadParameter(
                f"Re-ranking needs top from 1 and a weight from 0 to 1, not {self.top} and {self.weight}."
            )

    @property
    def n_items(self) -> int:
        """Number of items."""
        return self.base.n_items

    def scores(self, histories: Histories) -> np.ndarray:
        """Scores of all items, shape (n_cases, n_items), float32: from 0 to 1 for the first ones, others below 0.

        Raises:
            BadParameter: If the rules give a score below 0.
        """
        scores = candidate_scores(self.base, histories, self.filter_seen)
        confidence = np.asarray(self.rules.scores(histories))
        if confidence.min(initial=0) < 0:
            raise BadParameter("Re-ranking needs rules whose scores are at least 0, as confidences are.")
        inside, below = _first(scores, self.top)
        confidence = np.where(inside, confidence, 0)
        confidence = confidence / np.maximum(confidence.max(axis=1, keepdims=True), 1e-12)
        mixed = (1 - self.weight) * _stretched(scores, inside) + self.weight * confidence
        return np.where(inside, mixed, below - 1).astype(np.float32)


def similarities(vectors: np.ndarray | sparse.spmatrix) -> np.ndarray:
    """Cosines between all items, shape (n_items, n_items), float32; a zero vector is similar to nothing.

    Args:
        vectors: A vector per item, shape (n_items, d), dense or sparse, such as `metrics.user_vectors`.

    Raises:
        BadParameter: If there are more than 20,000 items: the table would take more than 1.6 GB.
        TooLarge: If it does not fit into the free memory.
    """
    if vectors.shape[0] > MAX_ITEMS:
        raise BadParameter(
            f"A table of the similarities of {vectors.shape[0]:,} items is too large: filter_items() first, to at most "
            f"{MAX_ITEMS:,}."
        )
    require_memory(8 * vectors.shape[0] ** 2, f"a table of the similarities of {vectors.shape[0]:,} items", FEWER_ITEMS)
    rows = sparse.csr_matrix(vectors, dtype=np.float64, copy=True)
    rows.sum_duplicates()  # normalize would take two parts of an entry for two entries
    unit = normalize(rows, copy=False).astype(np.float32)
    if 4 * unit.shape[0] * unit.shape[1] <= DENSE_BYTES:  # items share so many users that a dense product is faster
        unit = unit.toarray()
        return unit @ unit.T
    return (unit @ unit.T).toarray()


def mmr(scores: np.ndarray, similar: np.ndarray, trade: float, k: int = 10, top: int = 50) -> np.ndarray:
    """Lists by maximal marginal relevance (Carbonell & Goldstein 1998): relevant, and unlike what is listed already.

    One item after the other is taken from the `top` of a case: the one for which trade · relevance - (1 - trade) · its
    largest similarity to an item taken before is largest, of equal ones that with the higher score, then the lower
    code. Relevance is the score, stretched to 0…1 over the `top`.

    Args:
        scores: Shape (n_cases, n_items), -inf for what is no candidate.
        similar: Similarity of all items, shape (n_items, n_items), see `similarities`.
        trade: Weight of relevance in [0, 1]; at 1 the order is that of the scores.
        k: Length of the lists, at least 1 and at most `top`.
        top: How many of a case's best items may be listed; of fewer items all may.

    Returns:
        Item codes, best first, shape (n_cases, k), int32; -1 where there are too few candidates.

    Raises:
        BadParameter: If a number is out of range, or the shapes do not fit.
    """
    n_items = scores.shape[1]
    if not 0 <= trade <= 1 or not 1 <= k <= top:
        raise BadParameter(
            f"Marginal relevance needs a trade from 0 to 1 and 1 ≤ k ≤ top, not {trade}, k={k} and top={top}."
        )
    if similar.shape != (n_items, n_items):
        raise BadParameter(f"Marginal relevance needs similarities of {n_items} × {n_items} items.")
    items = np.argsort(-scores, axis=1, kind="stable")[:, :top]
    ranked = np.take_along_axis(scores, items, axis=1)
    free = np.isfinite(ranked)
    relevance = _stretched(ranked, free)
    nearest, rows = np.zeros(items.shape, dtype=np.float32), np.arange(len(items))
    lists = np.full((len(items), k), -1, dtype=np.int32)
    for place in range(k):
        value = np.where(free, trade * relevance - (1 - trade) * nearest, -np.inf)
        pick = value.argmax(axis=1)
        picked, left = items[rows, pick], free[rows, pick]
        lists[left, place] = picked[left]
        free[rows, pick] = False
        closeness = similar[picked[:, None], items]
        nearest = closeness if place == 0 else np.maximum(nearest, closeness)
    return lists


@dataclass(frozen=True, eq=False)
class Diversified:
    """A recommender whose first items are chosen by maximal marginal relevance, see `mmr`.

    Attributes:
        base: The recommender.
        similar: How much alike two items are, shape (n_items, n_items), see `similarities`.
        trade: Weight of relevance against difference, in [0, 1].
        k: How many items are chosen so.
        top: From how many, if there are so many.
        filter_seen: Whether items of the history are no candidates; to be set as for `ranking.evaluate`.
        name: What tables call it.
    """

    base: Recommender
    similar: np.ndarray
    trade: float = 0.7
    k: int = 10
    top: int = 50
    filter_seen: bool = True
    name: str = "diversified"

    @property
    def n_items(self) -> int:
        """Number of items."""
        return self.base.n_items

    def scores(self, histories: Histories) -> np.ndarray:
        """The order as scores, shape (n_cases, n_items), float32: k, k - 1, …, 1 for the list, others below 0."""
        scores = candidate_scores(self.base, histories, self.filter_seen)
        lists = mmr(scores, self.similar, self.trade, self.k, self.top)
        out = np.where(np.isfinite(scores), scores - scores.max(axis=1, keepdims=True) - 1, -np.inf)
        rows, places = np.nonzero(lists >= 0)
        out[rows, lists[rows, places]] = self.k - places
        return out.astype(np.float32)


def _first(scores: np.ndarray, top: int) -> tuple[np.ndarray, np.ndarray]:
    """(which items are in the first `top` of each row, scores minus the lowest of these)."""
    top = min(top, scores.shape[1])
    bound = np.partition(scores, -top, axis=1)[:, [-top]]
    finite = np.isfinite(scores)
    lowest = np.where(finite, scores, np.inf).min(axis=1, keepdims=True)
    bound = np.where(np.isfinite(bound), bound, np.where(np.isfinite(lowest), lowest, 0))
    full = (scores > bound).sum(axis=1, keepdims=True)
    enough = (full > 0) & ((scores >= bound).sum(axis=1, keepdims=True) > top)
    inside = finite & np.where(enough, scores > bound, scores >= bound)
    return inside, scores - np.where(inside, scores, np.inf).min(axis=1, keepdims=True, initial=np.inf)


def _stretched(scores: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Scores stretched to 0…1 over some items of each row, 0 elsewhere and where they are all the same."""
    low = np.where(inside, scores, np.inf).min(axis=1, keepdims=True)
    high = np.where(inside, scores, -np.inf).max(axis=1, keepdims=True)
    span = np.where(high > low, high - low, 1)
    return np.where(inside, (np.where(inside, scores, 0) - np.where(np.isfinite(low), low, 0)) / span, 0)

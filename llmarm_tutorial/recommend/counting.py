"""What counting can do about the next item: the baselines that every model has to beat.

A baseline is a small frozen dataclass of settings; `fit` counts in the training histories and gives a recommender for
`ranking.evaluate`. All but popularity are one product: a sparse profile of the history (which items, how recent) times
a matrix of item-to-item weights. The defaults are simple settings that were fixed before any tuning;
`tuning.tune_baseline` chooses others on validation, so that a model is compared with the best that counting can do and
not with a straw man.

What "before" and "after" mean: with baskets the items of one basket have no order, so transitions lead from one basket
to later ones only and a gap of 1 is the next basket; without baskets every event is a visit of its own. Positions count
back from the end of the history in the same unit.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from scipy import linalg, sparse

from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.errors import BadParameter
from llmarm_tutorial.evaluation.tasks import Recommender
from llmarm_tutorial.mining.measures import lift
from llmarm_tutorial.recommend.item_weights import ItemScores, ItemWeights, Profile, recent_events
from llmarm_tutorial.resources import FEWER_ITEMS, require_memory

DENSE_BYTES = 2**29  # item-to-item weights that are rather full are kept dense up to this size


class Baseline(Protocol):
    """Settings of a counting method."""

    def fit(self, histories: Histories) -> Recommender:
        """Count in training histories."""


@dataclass(frozen=True)
class Popularity:
    """Recommend what was bought most often.

    Attributes:
        last: Count the last so many visits of every user only, which favours what users come to late; None for all.
    """

    name: ClassVar[str] = "popularity"
    last: int | None = None

    def __post_init__(self) -> None:
        _check_last(self.last)

    def fit(self, histories: Histories) -> ItemScores:
        """Count the events of each item."""
        _, items, _ = recent_events(histories, self.last)
        counts = np.bincount(items, minlength=histories.n_items).astype(np.float32)
        return ItemScores(self.name, histories.n_items, counts)


@dataclass(frozen=True)
class PersonalPopularity:
    """Recommend what the customer bought most often: the baseline to beat wherever people buy the same things again.

    Most published next-basket models do not beat it (Hu et al. 2020; Li et al. 2023, "A Next Basket Recommendation
    Reality Check"). Where seen items are left out of the ranking it is popularity.

    Attributes:
        last: Count the last so many visits only, None for all.
        position_power: Weight of a visit is 1 / (its place from the end) to this power; 0 for equal weights.
        popularity: Everybody's purchases together count as so many of the customer's own, at least 0.
    """

    name: ClassVar[str] = "personal"
    last: int | None = None
    position_power: float = 0.0
    popularity: float = 1.0

    def __post_init__(self) -> None:
        _check_last(self.last)
        _check_from(0, position_power=self.position_power, popularity=self.popularity)

    def fit(self, histories: Histories) -> ItemWeights:
        """Count the events of each item; a history speaks for nothing but itself."""
        counts = histories.item_counts
        profile = Profile(self.last, self.position_power, once=False)
        share = (self.popularity * counts / max(counts.sum(), 1)).astype(np.float32)
        itself = sparse.eye(histories.n_items, format="csr", dtype=np.float32)
        return ItemWeights(self.name, histories.n_items, profile, itself, share)


@dataclass(frozen=True)
class AssociationRules:
    """Rules of two items, "who has a also has b", regardless of their order (Agrawal et al. 1993).

    Attributes:
        measure: "confidence", n(a, b) / n(a), or "lift", n · n(a, b) / (n(a) n(b)).
        unit: What counts a and b as together: the same "user", or the same "basket".
        min_count: Pairs that occur in fewer units give no rule.
        last: Rules fire from the items of the last so many visits; None for the whole history.
        position_power: A visit at position p from the end speaks with weight 1 / p^position_power.
    """

    name: ClassVar[str] = "association rules"
    measure: str = "confidence"
    unit: str = "user"
    min_count: int = 1
    last: int | None = 1
    position_power: float = 0.0

    def __post_init__(self) -> None:
        if self.measure not in ("confidence", "lift"):
            raise BadParameter(f"Association rules are ranked by 'confidence' or 'lift', not {self.measure!r}.")
        if self.unit not in ("user", "basket"):
            raise BadParameter(f"Items are together within a 'user' or a 'basket', not {self.unit!r}.")
        _check_last(self.last)
        _check_from(1, min_count=self.min_count)

    def fit(self, histories: Histories) -> ItemWeights:
        """Count all pairs of items of a unit."""
        units = histories.held() if self.unit == "user" else histories.visit_matrix()[0].astype(np.float32)
        pairs = co_occurrences(units)
        pairs.data[pairs.data < self.min_count] = 0
        counts = _sums(units, 0)
        weights = _scaled(pairs, 1 / np.maximum(counts, 1))
        if self.measure == "lift":
            row = np.repeat(np.arange(histories.n_items), np.diff(pairs.indptr))
            weights.data = lift(pairs.data, counts[row], counts[pairs.indices], units.shape[0])
        profile = Profile(self.last, self.position_power, once=True)
        return ItemWeights(f"{self.name}, {self.measure}", histories.n_items, profile, _compact(weights))


@dataclass(frozen=True)
class SequentialRules:
    """Rules with an order, "who had a soon has b": transitions to the next visits, near ones weighing more.

    The sequential rules of Ludewig & Jannach (2018, "Evaluation of Session-based Recommendation Algorithms"), which
    look at the last item only, here summed over several.

    Attributes:
        steps: Transitions lead over gaps of 1 to so many visits.
        last: Rules fire from the items of the last so many visits.
        gap_power: A transition over a gap g counts 1 / g^gap_power.
        position_power: A visit at position p from the end speaks with weight 1 / p^position_power.
        row_power: Each row is divided by its sum to this power: 1 gives probabilities, 0 leaves counts.
        popularity: Weight of the item's share of all events, added to every score; above 0 it decides among items that
            no rule reaches.
    """

    name: ClassVar[str] = "sequential rules"
    steps: int = 10
    last: int | None = 10
    gap_power: float = 1.0
    position_power: float = 1.0
    row_power: float = 1.0
    popularity: float = 0.0

    def __post_init__(self) -> None:
        _check_last(self.last)
        _check_from(1, steps=self.steps)
        _check_from(0, popularity=self.popularity)

    def fit(self, histories: Histories) -> ItemWeights:
        """Count all transitions over up to `steps` visits."""
        weights = transitions(histories, self.steps, self.gap_power)
        total = _sums(weights, 1)
        weights = _scaled(weights, 1 / np.where(total > 0, total, 1) ** self.row_power)
        share = histories.item_counts / max(len(histories.items), 1)
        constant = (self.popularity * share).astype(np.float32) if self.popularity else None
        profile = Profile(self.last, self.position_power, once=False)
        return ItemWeights(self.name, histories.n_items, profile, _compact(weights), constant)


@dataclass(frozen=True)
class MarkovChain:
    """P(next item | last item): transitions to the next visit from the last one.

    Attributes:
        popularity: Weight of the item's share of all events, added to every score: most items never followed the last
            one, and where many followed it once, the more popular is the better guess.
    """

    name: ClassVar[str] = "Markov chain"
    popularity: float = 1e-3

    def __post_init__(self) -> None:
        _check_from(0, popularity=self.popularity)

    def fit(self, histories: Histories) -> ItemWeights:
        """Count transitions to the next visit."""
        fitted = SequentialRules(steps=1, last=1, popularity=self.popularity).fit(histories)
        return ItemWeights(self.name, histories.n_items, fitted.profile, fitted.weights, fitted.constant)


@dataclass(frozen=True)
class ItemNeighbours:
    """Item-kNN: items bought by the same users as those of the history (Sarwar et al. 2001).

    Similarity is n(a, b) / (sqrt(n(a) n(b)) + shrinkage), counted in users.

    Attributes:
        neighbours: Each recommended item listens to so many of its most similar items; equal ones by item code.
        shrinkage: Pulls the similarity of rare items down, from 0.
        last: Items of the last so many visits; None for the whole history.
        position_power: A visit at position p from the end speaks with weight 1 / p^position_power.
    """

    name: ClassVar[str] = "item-kNN"
    neighbours: int = 100
    shrinkage: float = 10.0
    last: int | None = None
    position_power: float = 0.0

    def __post_init__(self) -> None:
        _check_last(self.last)
        _check_from(1, neighbours=self.neighbours)
        _check_from(0, shrinkage=self.shrinkage)

    def fit(self, histories: Histories) -> ItemWeights:
        """Count pairs within users and keep the nearest."""
        held = histories.held()
        counts = np.sqrt(_sums(held, 0))
        similar = co_occurrences(held)
        similar.setdiag(0)
        similar.eliminate_zeros()
        similar.sort_indices()  # among equals the lower item code comes first
        row = np.repeat(np.arange(histories.n_items), np.diff(similar.indptr))
        similar.data = (similar.data / (counts[row] * counts[similar.indices] + self.shrinkage)).astype(np.float32)
        for start, stop in itertools.pairwise(similar.indptr):
            _keep_largest(similar.data[start:stop], self.neighbours)
        weights = similar.T.tocsr()  # similarity is symmetric: the nearest of a row are those that a column listens to
        profile = Profile(self.last, self.position_power, once=True)
        return ItemWeights(self.name, histories.n_items, profile, _compact(weights))


@dataclass(frozen=True)
class Ease:
    """EASE: the linear model that best rebuilds every user's items from the user's other items (Steck 2019).

    Closed form: with P the inverse of XᵀX + ridge · I, the weights are -P[a, b] / P[b, b] and 0 on the diagonal.

    Attributes:
        ridge: Weight of the L2 penalty, above 0.
        last: Items of the last so many visits; None for the whole history.
        position_power: A visit at position p from the end speaks with weight 1 / p^position_power.
        max_items: More items are refused: the inverse takes 8 bytes per pair of items, twice.
    """

    name: ClassVar[str] = "EASE"
    ridge: float = 500.0
    last: int | None = None
    position_power: float = 0.0
    max_items: int = 12_000

    def __post_init__(self) -> None:
        _check_last(self.last)
        if self.ridge <= 0:
            raise BadParameter(f"The ridge of EASE is above 0, not {self.ridge}.")

    def fit(self, histories: Histories) -> ItemWeights:
        """Solve the ridge regressions of all items at once.

        Raises:
            BadParameter: If there are more than `max_items` items.
            TooLarge: If the inverse does not fit into the free memory.
        """
        n_items = histories.n_items
        if n_items > self.max_items:
            raise BadParameter(
                f"EASE inverts a matrix of {n_items:,} × {n_items:,} items ({16 * n_items**2 / 2**30:.0f} GB), more "
                f"than max_items={self.max_items:,} allows: filter_items() first, or raise max_items."
            )
        require_memory(32 * n_items**2, f"EASE of {n_items:,} × {n_items:,} items", FEWER_ITEMS)
        gram = co_occurrences(histories.held()).toarray().astype(np.float64)
        gram[np.diag_indices(n_items)] += self.ridge
        factor, _ = linalg.lapack.dpotrf(gram, lower=1, overwrite_a=1)
        inverse, _ = linalg.lapack.dpotri(factor, lower=1, overwrite_c=1)  # the lower triangle only
        weights = np.tril(inverse) + np.tril(inverse, -1).T
        weights /= -np.diag(weights).copy()
        weights[np.diag_indices(n_items)] = 0
        profile = Profile(self.last, self.position_power, once=True)
        return ItemWeights(self.name, n_items, profile, weights.astype(np.float32))


def transitions(histories: Histories, steps: int = 1, gap_power: float = 1.0) -> sparse.csr_matrix:
    """Weighted counts of how often item b (column) follows item a (row) within a user.

    Args:
        histories: Items of users in time order.
        steps: Gaps of 1 to so many visits are counted.
        gap_power: A gap g counts 1 / g^gap_power.

    Returns:
        Shape (n_items, n_items), float32.
    """
    visits, user = histories.visit_matrix()
    visits = visits.astype(np.float32)
    total = sparse.csr_matrix((histories.n_items,) * 2, dtype=np.float32)
    for gap in range(1, min(steps, len(user) - 1) + 1):
        before = np.flatnonzero(user[:-gap] == user[gap:])
        total = total + (visits[before].T @ visits[before + gap]).tocsr() * np.float32(1 / gap**gap_power)
    return total


# --- counting --------------------------------------------------------------------------------------------------------


def _check_last(last: int | None) -> None:
    if last is not None and last < 1:
        raise BadParameter(f"last is a number of visits from 1, or None for the whole history, not {last}.")


def _check_from(lowest: float, **given: float) -> None:
    """Raise `BadParameter` for the first of the settings that lies below `lowest`."""
    for setting, value in given.items():
        if not value >= lowest:
            raise BadParameter(f"{setting} is at least {lowest}, not {value}.")


def co_occurrences(units: sparse.csr_matrix) -> sparse.csr_matrix:
    """In how many units each pair of items occurs, shape (n_items, n_items); float32 is exact below 2^24."""
    return (units.T @ units).tocsr()


def _keep_largest(values: np.ndarray, k: int) -> None:
    """Set all but the k largest to zero, in place; among equals the first are kept."""
    if len(values) > k:
        bound = np.partition(values, -k)[-k]
        equal = np.flatnonzero(values == bound)
        surplus = equal[k - np.count_nonzero(values > bound) :]
        values[values < bound] = 0
        values[surplus] = 0


def _sums(matrix: sparse.csr_matrix, axis: int) -> np.ndarray:
    return np.asarray(matrix.sum(axis=axis, dtype=np.float64)).ravel()


def _scaled(matrix: sparse.csr_matrix, rows: np.ndarray) -> sparse.csr_matrix:
    """The matrix with its rows multiplied by factors, in double precision."""
    data = matrix.data * np.repeat(rows, np.diff(matrix.indptr))
    return sparse.csr_matrix((data, matrix.indices, matrix.indptr), shape=matrix.shape)


def _compact(weights: sparse.csr_matrix) -> np.ndarray | sparse.csr_matrix:
    """Weights as float32, dense where more than a tenth of the cells are filled and memory allows."""
    weights = weights.astype(np.float32)
    weights.eliminate_zeros()
    size = weights.shape[0] * weights.shape[1]
    return weights.toarray() if weights.nnz > 0.1 * size and 4 * size <= DENSE_BYTES else weights

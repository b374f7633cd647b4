"""Recommend what nobody has bought yet by its text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import linalg, sparse
from sklearn.preprocessing import normalize

from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.errors import BadParameter
from llmarm_tutorial.evaluation.tasks import Recommender
from llmarm_tutorial.recommend import tuning
from llmarm_tutorial.recommend.counting import AssociationRules, Baseline, Ease
from llmarm_tutorial.recommend.item_weights import ItemWeights, Profile
from llmarm_tutorial.recommend.new_items import NewItems
from llmarm_tutorial.resources import FEWER_ITEMS, require_memory

# --- systems ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class ContentNeighbours:
    """Recommend what resembles the history: cosines of vectors take the place of counts (content-based filtering).

    Attributes:
        vectors: One row per item, shape (n_items, d); rows are scaled to length 1.
        neighbours: Each recommended item listens to so many most similar items that occur in training.
        discount: An item of the history with c training events speaks with weight 1 / c^discount: what everybody buys
            says little about taste. In [0, 1].
        last: Items of the last so many visits; None for the whole history.
        position_power: A visit at position p from the end speaks with weight 1 / p^position_power.
        name: What tables call it.
    """

    vectors: np.ndarray
    neighbours: int = 10
    discount: float = 0.5
    last: int | None = None
    position_power: float = 0.0
    name: str = "content-kNN"

    def fit(self, histories: Histories) -> ItemWeights:
        """Compare all items with those that occur in the histories."""
        counts = histories.item_counts
        alike = nearest(self.vectors, counts > 0, self.neighbours)
        weights = alike.T.multiply(1 / np.maximum(counts, 1.0)[:, None] ** self.discount).tocsr().astype(np.float32)
        return ItemWeights(self.name, histories.n_items, Profile(self.last, self.position_power, once=False), weights)


@dataclass(frozen=True, eq=False)
class Borrowed:
    """Counting whose new items borrow from similar ones: their weights are a mean of those of their neighbours.

    For a new item i and rules as the base, conf(a ⇒ i) = Σ s(i, j) conf(a ⇒ j) / Σ s(i, j) over the old items j most
    like i. Old items keep what was counted; what an item says of itself is not lent.

    Attributes:
        vectors: One row per item, shape (n_items, d).
        base: A baseline with item-to-item weights.
        neighbours: How many old items a new one borrows from.
        name: What tables call it; None says "borrowed" and the name of the base.
    """

    vectors: np.ndarray
    base: Baseline = Ease()  # noqa: RUF009, settings are frozen
    neighbours: int = 10
    name: str | None = None

    def fit(self, histories: Histories) -> ItemWeights:
        """Fit the base, then fill the columns of items without events."""
        fitted, weights, lent, old = _counted(self.base, histories)
        alike = nearest(self.vectors, old, self.neighbours)[~old]
        share = alike.multiply(1 / np.maximum(alike.sum(axis=1), 1e-12).reshape(-1, 1)).tocsr()
        weights[:, ~old] = (share @ lent.T).T
        constant = fitted.constant
        if constant is not None:
            constant = constant.copy()
            constant[~old] = share @ constant
        return replace(fitted, name=self.name or f"borrowed {fitted.name}", weights=weights, constant=constant)


@dataclass(frozen=True, eq=False)
class Projected:
    """Counting whose new items are foretold from their vectors by a ridge regression, learned on old items.

    What is foretold are the item's weights in the base, one number per item of the history (as Gantner et al. 2010 map
    attributes to latent factors). Old items keep what was counted; what an item says of itself is not learned from.

    Attributes:
        vectors: One row per item, shape (n_items, d).
        base: A baseline with item-to-item weights.
        ridge: Weight of the L2 penalty, above 0: large values tell every new item the mean of the old ones.
        name: What tables call it; None says "projected" and the name of the base.
    """

    vectors: np.ndarray
    base: Baseline = Ease()  # noqa: RUF009, settings are frozen
    ridge: float = 1.0
    name: str | None = None

    def fit(self, histories: Histories) -> ItemWeights:
        """Fit the base, learn the regression on items with events, and fill the columns of the others."""
        fitted, weights, lent, old = _counted(self.base, histories)
        space = lent.T if fitted.constant is None else np.column_stack([lent.T, fitted.constant])
        space = project(self.vectors, space, old, ridge=self.ridge)
        weights[:, ~old] = space[~old, : histories.n_items].T
        constant = fitted.constant
        if constant is not None:
            constant = np.where(old, constant, space[:, -1]).astype(np.float32)
        return replace(fitted, name=self.name or f"projected {fitted.name}", weights=weights, constant=constant)


@dataclass(frozen=True, eq=False)
class RestrictedRecommender:
    """A recommender that is asked about some items only: all others get the score -inf.

    Attributes:
        system: The recommender.
        candidates: Shape (n_items,), bool.
    """

    system: Recommender
    candidates: np.ndarray

    @property
    def name(self) -> str:
        """The name of the system."""
        return getattr(self.system, "name", type(self.system).__name__)

    @property
    def n_items(self) -> int:
        """Number of items."""
        return self.system.n_items

    def scores(self, histories: Histories) -> np.ndarray:
        """Scores of all items, shape (n_cases, n_items)."""
        return np.where(self.candidates, self.system.scores(histories), np.float32(-np.inf))


def partner_scores(
    vectors: np.ndarray, cold: NewItems, *, neighbours: int | None = None, min_count: int = 5
) -> ItemWeights:
    """Which old items a new one will go with, for `partners`.

    Args:
        vectors: One row per item, shape (n_items, d).
        cold: New items, of data with baskets.
        neighbours: None takes the old items that the new one resembles itself; a number takes the lift of old items
            with so many items that resemble the new one.
        min_count: For the lift: pairs in fewer training baskets count as nothing.

    Returns:
        Scores of old items given a new one.
    """
    whole = Profile(None, 0.0, once=True)
    if neighbours is None:
        alike = nearest(vectors, ~cold.new, cold.n_items)
        return ItemWeights("the similar themselves", cold.n_items, whole, alike)
    rules = AssociationRules("lift", "basket", min_count)
    fitted = Borrowed(vectors, rules, neighbours).fit(cold.train.histories())
    return ItemWeights(f"partners of {neighbours} similar", cold.n_items, whole, fitted.weights.T)


def validation_score_of_new_items(
    validations: Sequence[NewItems], targets: str = "new", *, metric: str = "MRR", max_cases: int | None = None
) -> Callable[[Baseline], float]:
    """What `choosing.choose_setting` is to make large where items are new: the mean of a metric over validations.

    Args:
        validations: Hidden items of the training data, at least one draw of them, never the test.
        targets: What is asked for, see `NewItems.task`.
        metric: A metric of `metrics.Evaluation`.
        max_cases: A random sample of so many cases of each validation; None for all.

    Raises:
        BadParameter: If there is no validation.
    """
    if not len(validations):
        raise BadParameter("To choose settings takes at least one validation to try them on.")
    parts = []
    for number, cold in enumerate(validations):
        task = cold.task(targets).sample(max_cases, number)
        parts.append((cold.train.histories(), cold.new, tuning.validation_score(task, metric)))

    def value(setting: Baseline) -> float:
        return float(np.mean([judge(RestrictedRecommender(setting.fit(past), new)) for past, new, judge in parts]))

    return value


# --- vectors ---------------------------------------------------------------------------------------------------------


def project(vectors: np.ndarray, space: np.ndarray, known: np.ndarray, *, ridge: float = 1.0) -> np.ndarray:
    """Vectors of another kind, foretold for the items that lack them: ridge regression with an intercept.

    Args:
        vectors: What every item has, shape (n_items, d).
        space: What known items have, shape (n_items, m): weights, factors, an item model's output table. The rows of
            the others are not read.
        known: Which items are known, shape (n_items,), bool, at least one.
        ridge: Weight of the L2 penalty, above 0.

    Returns:
        `space` with the rows of unknown items replaced, shape (n_items, m).

    Raises:
        BadParameter: If the ridge is not above 0, the numbers of rows differ or no item is known.
    """
    if not ridge > 0:
        raise BadParameter(f"The ridge of a projection is above 0, not {ridge}.")
    if not len(vectors) == len(space) == len(known) or not known.any():
        raise BadParameter("A projection needs a vector, a row of the space and a mark per item, and a known item.")
    out = np.array(space)
    centre, level = vectors[known].mean(axis=0), out[known].mean(axis=0)
    x, x_unknown = vectors[known] - centre, vectors[~known] - centre
    # the dual form: a space may have thousands of columns, and here the weights of known items do not depend on them
    gram = x @ x.T
    gram[np.diag_indices(len(gram))] += ridge
    out[~known] = level + linalg.solve(gram, x @ x_unknown.T, assume_a="pos").T @ (out[known] - level)
    return out


def nearest(vectors: np.ndarray, among: np.ndarray, neighbours: int) -> sparse.csr_matrix:
    """The cosine of every item with its most similar others; what is 0 or below counts as not similar.

    Args:
        vectors: One row per item, shape (n_items, d).
        among: Which items can be neighbours, shape (n_items,), bool.
        neighbours: How many at most, from 1; of equals those of lower item code.

    Returns:
        Shape (n_items, n_items): in row i the neighbours of item i, never i itself.

    Raises:
        BadParameter: If there are not as many vectors as marks or `neighbours` is below 1.
    """
    if len(vectors) != len(among) or neighbours < 1:
        raise BadParameter(
            f"There are {len(vectors)} vectors for {len(among)} items and {neighbours} neighbours asked for; it needs "
            "a vector per item and at least 1 neighbour."
        )
    unit = normalize(vectors)
    codes, rows = np.flatnonzero(among), []
    for start in range(0, len(unit), 1024):
        cosines = unit[start : start + 1024] @ unit[codes].T
        own = np.arange(start, start + len(cosines))
        cosines[own[:, None] == codes] = 0
        cosines[cosines < 0] = 0
        if neighbours < len(codes):
            bound = np.partition(cosines, -neighbours, axis=1)[:, [-neighbours]]
            equal, room = cosines == bound, neighbours - (cosines > bound).sum(axis=1, keepdims=True)
            cosines[(cosines < bound) | (equal & (np.cumsum(equal, axis=1) > room))] = 0
        rows.append(sparse.csr_matrix(cosines))
    nearest = sparse.vstack(rows).tocoo()
    return sparse.csr_matrix((nearest.data, (nearest.row, codes[nearest.col])), shape=(len(unit), len(unit)))


def _counted(base: Baseline, histories: Histories) -> tuple[ItemWeights, np.ndarray, np.ndarray, np.ndarray]:
    """(the fitted base, a dense copy of its weights, the same without what items say of themselves, old items)."""
    fitted = base.fit(histories)
    if not isinstance(fitted, ItemWeights):
        raise BadParameter(f"{base.name} has no weights from item to item that new items could get; take another base.")
    n_items = histories.n_items
    require_memory(24 * n_items**2, f"a table of the weights of {n_items:,} × {n_items:,} items", FEWER_ITEMS)
    weights = fitted.weights.toarray() if sparse.issparse(fitted.weights) else fitted.weights.copy()
    lent = weights.copy()  # "who has a has a" is no rule, and nothing to lend
    np.fill_diagonal(lent, 0)
    return fitted, weights, lent, histories.item_counts > 0

"""Which products will be linked that are not yet? Tasks of link prediction through time.

Two products are linked where their pair passes `LinkDefinition` in a stretch of time. The task: from the past alone,
rank all pairs of known products that are no link in the past; right are those that are a link in the stretch that
follows, counted in that stretch alone. Three choices flatter a method, and each is at hand to show by how much: hiding
links at random instead of waiting for new ones (`hide_links`), ranking among a few sampled pairs instead of all
(`sampled`), and leaving out the plainest rival: a pair that becomes a link was often together before, only too seldom
to be one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy import sparse

from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.errors import BadParameter, DataError
from llmarm_tutorial.graphs.item_graph import ItemGraph, co_occurrence_graph
from llmarm_tutorial.mining.measures import expected_count
from llmarm_tutorial.resources import FEWER_ITEMS, require_memory


class LinkDefinition(NamedTuple):
    """What makes a pair of products a link, in whatever stretch of time it is counted.

    Attributes:
        min_count: Fewest baskets with both, from 1.
        min_lift: Least lift.
        max_q: Most expected share of false links (Benjamini-Hochberg over all pairs of items that occur there).
    """

    min_count: int = 5
    min_lift: float = 1.0
    max_q: float = 0.05

    def graph(self, data: Transactions) -> ItemGraph:
        """The links of a stretch of time, weighted by the logarithm of their lift, undirected."""
        return co_occurrence_graph(
            data, "ppmi", min_count=self.min_count, min_lift=max(self.min_lift, 1.0), max_q=self.max_q
        )


@dataclass(frozen=True, eq=False)
class LinkTask:
    """Pairs that are no link yet, and which of them become one.

    Attributes:
        past: All that may be looked at.
        graph: The links of the past.
        i: First item of each candidate pair, shape (n_candidates,), int32.
        j: Second item, above the first.
        appears: Which candidates become links, shape (n_candidates,), bool.
    """

    past: Transactions
    graph: ItemGraph
    i: np.ndarray
    j: np.ndarray
    appears: np.ndarray

    def __post_init__(self) -> None:
        if not self.appears.any() or self.appears.all():
            raise DataError("No candidate pair becomes a link, or every one does: loosen or tighten the definition.")

    @property
    def n_items(self) -> int:
        """Number of items."""
        return self.graph.n_items

    @cached_property
    def matrix(self) -> sparse.csr_matrix:
        """Baskets × items of the past, float."""
        return self.past.basket_matrix().astype(float)

    @cached_property
    def counts(self) -> np.ndarray:
        """Baskets of the past with both items, shape (n_items, n_items); on the diagonal those with the item."""
        return (self.matrix.T @ self.matrix).toarray()

    @property
    def support(self) -> np.ndarray:
        """Baskets of the past with each item, shape (n_items,)."""
        return self.counts.diagonal()

    @property
    def expected(self) -> np.ndarray:
        """Baskets of the past with both items if they were independent, shape (n_items, n_items)."""
        return expected_count(self.support[:, None], self.support, self.matrix.shape[0])

    @property
    def rarer(self) -> np.ndarray:
        """Baskets of the past with the rarer item of each candidate, shape (n_candidates,)."""
        return np.minimum(self.support[self.i], self.support[self.j])

    @property
    def clusters(self) -> list[np.ndarray]:
        """Both items of each pair that becomes a link, [shape (n_positives, 2)]: what an interval draws anew.

        Links that share an item are not independent: one new gift set brings a dozen.
        """
        return [np.column_stack([self.i, self.j])[self.appears]]

    def candidate_scores(self, scores: np.ndarray | sparse.spmatrix) -> np.ndarray:
        """The scores of the candidates, by the largest of them, to twelve digits.

        Sums in another order differ in their last digits; so what is equal but for those stays equal.

        Args:
            scores: Shape (n_items, n_items); of the two directions the mean counts.

        Returns:
            Shape (n_candidates,).

        Raises:
            BadParameter: If the shape is wrong or a candidate has no finite score.
        """
        scores = scores.toarray() if sparse.issparse(scores) else np.asarray(scores)
        if scores.shape != (self.n_items, self.n_items):
            raise BadParameter(f"Scores of links have the shape ({self.n_items}, {self.n_items}), not {scores.shape}.")
        means = (scores[self.i, self.j].astype(float) + scores[self.j, self.i]) / 2
        if not np.isfinite(means).all():
            raise BadParameter("A candidate pair has no finite score: give a number to every pair of items.")
        return np.round(means / (np.abs(means).max(initial=0.0) or 1.0), 12)

    def take(self, keep: np.ndarray) -> LinkTask:
        """The same task with some of its candidates, given by numbers or a mask."""
        return replace(self, i=self.i[keep], j=self.j[keep], appears=self.appears[keep])

    def sampled(self, negatives: int = 1, seed: int = 0) -> LinkTask:
        """All positives, and so many negatives drawn at random for each: an easier task that looks like the same.

        Args:
            negatives: Negatives per positive, from 1.
            seed: Seed of the draw.

        Raises:
            BadParameter: If `negatives` is below 1.
        """
        if negatives < 1:
            raise BadParameter(f"Draw at least 1 negative per positive, not {negatives}.")
        others = np.flatnonzero(~self.appears)
        size = min(negatives * int(self.appears.sum()), len(others))
        drawn = np.random.default_rng(seed).choice(others, size, replace=False)
        return self.take(np.sort(np.concatenate([np.flatnonzero(self.appears), drawn])))


class LinkTasks(NamedTuple):
    """The two tasks of one data set: settings are chosen on the first, the second is judged once."""

    validation: LinkTask
    test: LinkTask


def make_link_tasks(
    data: Transactions,
    definition: LinkDefinition | None = None,
    *,
    validation: float = 0.25,
    test: float = 0.25,
    min_baskets: int = 20,
) -> LinkTasks:
    """New links of two stretches of time, each to be told from all that came before it.

    Args:
        data: Transactions with baskets and a clock.
        definition: What a link is; None for the defaults of `LinkDefinition`.
        validation: Share of baskets in the second stretch: what the first tells about it is the validation task.
        test: Share of baskets in the third: what both others tell about it is the test task.
        min_baskets: A candidate pair's items are each in so many baskets of the past, from 1. Whether they are sold
            later plays no part: nobody knows in advance.

    Raises:
        Lacks: If the data set has no baskets or clock times.
        DataError: If no new link appears in a stretch.
    """
    data.require("baskets", "clock", purpose="a prediction of links")
    definition = definition or LinkDefinition()
    time = data.table["time"]
    parts = data.split_by_time(validation, test)
    known = data.rows((time < parts.test.table["time"].min()).to_numpy())
    return LinkTasks(
        _task(parts.train, definition.graph(parts.train), definition.graph(parts.validation), min_baskets),
        _task(known, definition.graph(known), definition.graph(parts.test), min_baskets),
    )


def hide_links(
    past: Transactions,
    definition: LinkDefinition | None = None,
    *,
    share: float = 0.2,
    min_baskets: int = 20,
    seed: int = 0,
) -> LinkTask:
    """Links of the past hidden at random, to be found again: the usual way, and easier than to foresee.

    The baskets are as they were, hidden pairs and all: only methods that look at nothing but `graph` are not told the
    answer.

    Args:
        past: Transactions with baskets.
        definition: What a link is.
        share: Share of links to hide, in (0, 1).
        min_baskets: As for `make_link_tasks`.
        seed: Seed of the choice.

    Raises:
        BadParameter: If the share is out of range.
        DataError: If nothing is hidden.
    """
    if not 0 < share < 1:
        raise BadParameter(f"The share of links to hide is between 0 and 1, not {share}.")
    whole = (definition or LinkDefinition()).graph(past)
    pairs = whole.pairs().sort_values(["i", "j"])
    hide = np.random.default_rng(seed).random(len(pairs)) < share
    kept = pairs[~hide]
    half = sparse.csr_matrix((kept["weight"], (kept["i"], kept["j"])), shape=whole.weights.shape)
    return _task(past, ItemGraph(half + half.T, meaning=whole.meaning), whole, min_baskets)


def _task(past: Transactions, graph: ItemGraph, later: ItemGraph, min_baskets: int) -> LinkTask:
    support = np.bincount(past.item_codes, minlength=len(past.items))
    known = np.flatnonzero(support >= min_baskets)
    # dense tables of counts and of each way to score, and the places of all candidates
    require_memory(
        60 * len(support) ** 2 + 32 * len(known) ** 2, f"a task of links of {len(support):,} items", FEWER_ITEMS
    )
    first, second = np.triu_indices(len(known), 1)
    i, j = known[first].astype(np.int32), known[second].astype(np.int32)
    linked, links = graph.weights.toarray() > 0, later.weights.toarray() > 0
    free = ~linked[i, j]
    return LinkTask(past, graph, i[free], j[free], links[i[free], j[free]])

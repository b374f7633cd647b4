"""Products as a graph: which are linked, and how far a link reaches.

A graph is a sparse matrix of items × items whose entries say how strong a link is. Everything here starts from counted
pairs, so a graph can be no better than the counts behind it: lift alone is largest where two rare products met once by
accident, and a graph drawn from it is a picture of accidents. Hence the filter by significance; what makes two products
a link is said at `mining.significance.linked_pairs`.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import networkx as nx
import numpy as np
import pandas as pd
from scipy import sparse

from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.errors import BadParameter, UnknownName
from llmarm_tutorial.mining.itemsets import Baskets, as_matrix
from llmarm_tutorial.mining.measures import lift, positive_pmi
from llmarm_tutorial.mining.significance import (
    benjamini_hochberg,
    check_link,
    fisher_greater,
    linked_pairs,
    pair_tests,
)
from llmarm_tutorial.recommend.counting import transitions
from llmarm_tutorial.resources import FEWER_ITEMS, require_memory

MEANINGS = {
    "count": "times together",
    "confidence": "P(second | first)",
    "lift": "lift",
    "ppmi": "log2 of the lift, where above 0",
}


@dataclass(frozen=True, eq=False)
class ItemGraph:
    """Items and the links between them.

    Attributes:
        weights: Strength of the link from item (row) to item (column), shape (n_items, n_items), above 0 where there is
            a link; no item is linked to itself. Symmetric unless directed.
        directed: Whether a link from a to b says nothing about one from b to a.
        meaning: What a weight is, in words.
    """

    weights: sparse.csr_matrix
    directed: bool = False
    meaning: str = "weight"

    def __post_init__(self) -> None:
        weights = sparse.csr_matrix(self.weights, dtype=float, copy=True)
        weights.sum_duplicates()
        weights.eliminate_zeros()
        if weights.shape[0] != weights.shape[1] or not (np.isfinite(weights.data) & (weights.data > 0)).all():
            raise BadParameter("The weights of a graph are a square matrix of finite numbers from 0.")
        if weights.diagonal().any():
            raise BadParameter("An item is not linked to itself: set the diagonal of the weights to 0.")
        if not self.directed and abs(weights - weights.T).max() > 1e-9 * max(weights.max(), 1.0):
            raise BadParameter("The weights of an undirected graph are the same both ways: say directed=True instead.")
        object.__setattr__(self, "weights", weights)

    @property
    def n_items(self) -> int:
        """Number of items, linked or not."""
        return self.weights.shape[0]

    @property
    def n_links(self) -> int:
        """Number of links; one between two items of an undirected graph counts once."""
        return self.weights.nnz if self.directed else self.weights.nnz // 2

    @property
    def degree(self) -> np.ndarray:
        """Linked items of each item, shape (n_items,), int64; in a directed graph links in and out are added up."""
        out = np.diff(self.weights.indptr).astype(np.int64)
        return out + np.bincount(self.weights.indices, minlength=self.n_items) if self.directed else out

    def pairs(self) -> pd.DataFrame:
        """The links, strongest first: `i`, `j` (item codes; i < j unless directed) and `weight`."""
        found = (self.weights if self.directed else sparse.triu(self.weights)).tocoo()
        table = pd.DataFrame({"i": found.row, "j": found.col, "weight": found.data})
        return table.sort_values(["weight", "i", "j"], ascending=[False, True, True], ignore_index=True)

    def to_networkx(self, labels: Sequence[Hashable] | None = None) -> nx.Graph:
        """The same as a NetworkX graph with an edge attribute `weight`; items without links are in it, too.

        Args:
            labels: What the nodes are called, all different; None for their item codes.

        Raises:
            BadParameter: If there is not one label of its own per item.
        """
        labels = list(range(self.n_items)) if labels is None else list(labels)
        if len(set(labels)) != self.n_items or len(labels) != self.n_items:
            raise BadParameter(f"A graph of {self.n_items} items needs as many labels, no two of them the same.")
        found = nx.DiGraph() if self.directed else nx.Graph()
        found.add_nodes_from(labels)
        edges = self.pairs().sort_values(["i", "j"])
        found.add_weighted_edges_from((labels[i], labels[j], w) for i, j, w in edges.itertuples(index=False))
        return found


# --- from baskets to graphs ------------------------------------------------------------------------------------------


def co_occurrence_graph(
    baskets: Baskets,
    weight: str = "lift",
    *,
    min_count: int = 1,
    min_lift: float = 0.0,
    max_q: float | None = 0.05,
) -> ItemGraph:
    """Items linked by what is in one basket; undirected.

    Args:
        baskets: Transactions with baskets, or a sparse matrix of baskets × items.
        weight: "count"; "lift"; or "ppmi", its logarithm to the base of 2 where that is above 0 (Church & Hanks 1990).
        min_count: Fewest baskets that hold both, from 1.
        min_lift: Least lift, from 0.
        max_q: Most expected share of false links among those kept, among all pairs of items that occur, in (0, 1];
            None lets chance in.

    Returns:
        The graph of `significance.linked_pairs`.

    Raises:
        UnknownName: If there is no such weight.
        BadParameter: If a threshold is out of range.
    """
    found = linked_pairs(baskets, min_count=min_count, min_lift=min_lift, max_q=max_q)
    n_items = as_matrix(baskets)[0].shape[1]
    i, j, count, lifts = (found[name].to_numpy() for name in ("i", "j", "count", "lift"))
    values = _weights(weight, count, lifts, None)
    half = sparse.csr_matrix((values, (i, j)), shape=(n_items, n_items))
    return ItemGraph(half + half.T, directed=False, meaning=MEANINGS[weight])


def transition_graph(
    data: Transactions, weight: str = "confidence", *, min_count: int = 1, max_q: float | None = 0.05
) -> ItemGraph:
    """Items linked to those of the same customer's next visit (without baskets: to the next event); directed.

    What is counted are pairs of one visit and the next: a link says that visits after one with a hold b more often than
    visits do that come after any visit. Buying the same again is left out.

    Args:
        data: Transactions with users and an order.
        weight: "count"; "confidence", the share of visits after one with a that hold b; "lift"; or "ppmi".
        min_count: Fewest pairs of visits with a, then b, from 1.
        max_q: Most expected share of false links among those kept, among all ordered pairs of items, in (0, 1]; None
            lets chance in.

    Returns:
        The graph.

    Raises:
        UnknownName: If there is no such weight.
        BadParameter: If a threshold is out of range.
        Lacks: If the data set has no users or no order.
    """
    check_link(min_count, max_q)
    histories, n_items = data.histories(), len(data.items)
    last = np.repeat(histories.visits[histories.offsets[1:] - 1], histories.lengths)
    before = np.bincount(histories.items[histories.visits < last], minlength=n_items)
    after = np.bincount(histories.items[histories.visits > 0], minlength=n_items)
    n = int(histories.visits[histories.offsets[1:] - 1].sum())
    steps = transitions(histories).tocoo()
    other = steps.row != steps.col
    i, j, both = steps.row[other], steps.col[other], steps.data[other].astype(np.int64)
    q = benjamini_hochberg(fisher_greater(both, before[i], after[j], np.full(len(i), n)), n_items * (n_items - 1))
    keep = (both >= min_count) & (q <= (1 if max_q is None else max_q))
    i, j, both = i[keep], j[keep], both[keep]
    values = _weights(weight, both, lift(both, before[i], after[j], n), both / before[i])
    weights = sparse.csr_matrix((values, (i, j)), shape=(n_items, n_items))
    return ItemGraph(weights, directed=True, meaning=MEANINGS[weight] + ", at the next visit")


def strongest(graph: ItemGraph, k: int) -> ItemGraph:
    """Keep the k strongest links of each item; in an undirected graph those that either end keeps.

    Args:
        graph: The graph.
        k: Links per item (of those that lead away from it), from 1; among equals the lower item code is kept.

    Raises:
        BadParameter: If k is below 1.
    """
    if k < 1:
        raise BadParameter(f"Keep at least 1 link per item, not {k}.")
    weights = graph.weights.tocoo()
    order = np.lexsort((weights.col, -weights.data, weights.row))
    place = np.arange(len(order)) - graph.weights.indptr[weights.row[order]]
    kept = order[place < k]
    chosen = sparse.csr_matrix((weights.data[kept], (weights.row[kept], weights.col[kept])), shape=weights.shape)
    return ItemGraph(chosen if graph.directed else chosen.maximum(chosen.T), graph.directed, graph.meaning)


def chance_pairs(
    first: Baskets, later: Baskets, *, top: int = 100, min_count: int = 1, max_q: float = 0.05
) -> pd.DataFrame:
    """What becomes of the pairs of highest lift in baskets that came later: with a filter and without.

    Args:
        first: Baskets in which the pairs are chosen.
        later: Baskets with the same items in which they are counted again.
        top: How many pairs of highest lift are looked at (equal ones: by item code).
        min_count: Fewest baskets that hold both, for the second and third row.
        max_q: As for `co_occurrence_graph`, for the third row.

    Returns:
        One row per way of choosing, `filter`: "none", "minimum count", "minimum count and significance"; `pairs`, and
        their medians of `count` and `lift`, `lift_later` (0 where they did not meet again), and `met_again`, the share
        of pairs that are together in any later basket.
    """
    found, again = pair_tests(first), pair_tests(later)
    later_lift = again.set_index(["i", "j"])["lift"]
    counted = found["count"] >= min_count
    ways = {
        "none": found,
        "minimum count": found[counted],
        "minimum count and significance": found[counted & (found["q_value"] <= max_q)],
    }
    rows = []
    for name, table in ways.items():
        best = table.sort_values(["lift", "i", "j"], ascending=[False, True, True]).head(top)
        again_lift = later_lift.reindex(pd.MultiIndex.from_frame(best[["i", "j"]])).fillna(0.0)
        medians = (best["count"].median(), best["lift"].median(), again_lift.median(), (again_lift > 0).mean())
        rows.append((name, len(best), *medians))
    return pd.DataFrame(rows, columns=["filter", "pairs", "count", "lift", "lift_later", "met_again"])


# --- further than one link -------------------------------------------------------------------------------------------


def hops(graph: ItemGraph, item: int, k: int = 2) -> pd.DataFrame:
    """What can be reached from an item over at most k links, and by which path best.

    The strength of a path is the product of its weights. Where weights exceed 1 (they are no chances) all are first
    divided by the largest one; strengths then compare paths of one graph, no more.

    Args:
        graph: The graph.
        item: Item code.
        k: Most links of a path, from 1.

    Returns:
        One row per other item reached, by `hops`, then strength, falling: `item`, `hops` (fewest links), `strength`
        (of the best path of at most k links), `path` (item codes from the first to the last).

    Raises:
        BadParameter: If there is no such item, or k is below 1.
    """
    if not 0 <= item < graph.n_items or k < 1:
        raise BadParameter(f"hops needs an item from 0 to {graph.n_items - 1} and k from 1, not {item} and {k}.")
    links = graph.weights.tocoo()
    weight = links.data / max(links.data.max(initial=0.0), 1.0)
    best = np.zeros(graph.n_items)
    best[item] = 1.0
    steps = np.where(np.arange(graph.n_items) == item, 0, -1)
    paths: dict[int, tuple[int, ...]] = {item: (item,)}
    for step in range(1, k + 1):
        strength = best[links.row] * weight
        order = np.lexsort((links.row, -strength, links.col))  # per target the best way in comes first
        _, first = np.unique(links.col[order], return_index=True)
        entered = order[first]
        entered = entered[strength[entered] > best[links.col[entered]]]
        paths |= {int(links.col[e]): (*paths[int(links.row[e])], int(links.col[e])) for e in entered}
        best[links.col[entered]] = strength[entered]
        steps[links.col[entered][steps[links.col[entered]] < 0]] = step
    reached = np.flatnonzero(steps > 0)
    table = pd.DataFrame({"item": reached, "hops": steps[reached], "strength": best[reached]})
    table["path"] = pd.Series([paths[number] for number in reached.tolist()], dtype=object)
    return table.sort_values(["hops", "strength", "item"], ascending=[True, False, True], ignore_index=True)


def multi_hop(graph: ItemGraph, steps: int | None = None, *, restart: float = 0.15, first: int = 1) -> np.ndarray:
    """Where a walker ends who follows links at random: association beyond being together.

    A walk starts at an item, at each step it stops with chance `restart`, else it follows a link, chosen in proportion
    to its weight. Without a limit this is personalised PageRank (Page et al. 1999), the walk with restart of Tong,
    Faloutsos & Pan (2006).

    Args:
        graph: The graph.
        steps: Longest walk; None for the limit of ever longer ones, which inverts a matrix of items × items.
        restart: Chance to stop at each step, in (0, 1).
        first: Fewest steps of the walks counted: 2 leaves direct links out. Above 1 only with a limit of steps.

    Returns:
        Chances that a walk from an item (row) ends at an item (column), shape (n_items, n_items); the diagonal is 0 and
        so is what no walk reaches.

    Raises:
        BadParameter: If a parameter is out of range.
    """
    if not 0 < restart < 1 or first < 1 or (first > 1 and steps is None) or (steps is not None and steps < first):
        raise BadParameter("multi_hop needs a restart in (0, 1), first from 1, and steps from first on (or None).")
    n_items = graph.n_items
    require_memory(32 * n_items**2, f"a table of the walks between {n_items:,} × {n_items:,} items", FEWER_ITEMS)
    out = np.asarray(graph.weights.sum(axis=1)).ravel()
    step = sparse.diags(1 / np.where(out > 0, out, 1)) @ graph.weights
    if steps is None:
        inverse = np.linalg.inv(np.eye(graph.n_items) - (1 - restart) * step.toarray())
        chances = restart * inverse
    else:
        chances, walk = np.zeros((graph.n_items, graph.n_items)), np.eye(graph.n_items)
        for length in range(1, steps + 1):
            walk = (1 - restart) * (step.T @ walk.T).T
            if length >= first:
                chances += restart * walk
    np.fill_diagonal(chances, 0)
    return np.maximum(chances, 0)


def _weights(name: str, count: np.ndarray, lifts: np.ndarray, confidence: np.ndarray | None) -> np.ndarray:
    known = {"count": count, "lift": lifts, "ppmi": positive_pmi(lifts)}
    if confidence is not None:
        known["confidence"] = confidence
    if name not in known:
        raise UnknownName("weight of links", name, known)
    return known[name]

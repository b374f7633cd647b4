"""The structure of a graph of items: what belongs together, and what stands in the middle.

Both are easily mistaken for a finding: many small groups agree with any other grouping by chance, and the middle of a
graph is mostly what sells. So each comes with the comparison that tells.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import networkx as nx
import numpy as np
import pandas as pd
from scipy.stats import norm, spearmanr
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score, normalized_mutual_info_score

from llmarm_tutorial.errors import BadParameter
from llmarm_tutorial.graphs.item_graph import ItemGraph

NO_COMMUNITY = -1  # label of an item without links


def communities(graph: ItemGraph, *, seed: int = 0, resolution: float = 1.0) -> np.ndarray:
    """Groups of items with more links inside than chance would put there (Louvain: Blondel et al. 2008).

    Args:
        graph: The graph.
        seed: Seed of the order in which items are tried.
        resolution: Above 1 for more and smaller groups, below for fewer.

    Returns:
        Label of each item, shape (n_items,): 0 for the largest group, and so on; `NO_COMMUNITY` without links.
    """
    linked = graph.to_networkx()
    linked.remove_nodes_from(list(nx.isolates(linked)))
    labels = np.full(graph.n_items, NO_COMMUNITY)
    if not len(linked):
        return labels
    groups = nx.community.louvain_communities(linked, weight="weight", resolution=resolution, seed=seed)
    for number, group in enumerate(sorted(map(sorted, groups), key=lambda group: (-len(group), group))):
        labels[group] = number
    return labels


class Agreement(NamedTuple):
    """How far two ways to group the same items agree.

    Attributes:
        items: Items that both ways group.
        groups: Groups of the first.
        others: Groups of the second.
        nmi: Normalised mutual information (arithmetic mean), in [0, 1]; many small groups alone make it large.
        by_chance: Its mean when the first labels are dealt out at random.
        by_chance_high: What chance exceeds in one of twenty deals only.
        p_value: Share of deals that reach the value, the true one among them.
        ami: Adjusted mutual information (Vinh, Epps & Bailey 2010): 0 by chance, 1 for the same groups.
        ari: Adjusted Rand index (Hubert & Arabie 1985), on the same scale.
    """

    items: int
    groups: int
    others: int
    nmi: float
    by_chance: float
    by_chance_high: float
    p_value: float
    ami: float
    ari: float


def agreement(labels: np.ndarray, other: Sequence[Any], *, permutations: int = 500, seed: int = 0) -> Agreement:
    """Compare communities with groups known otherwise, such as departments, and with groups dealt out at random.

    Args:
        labels: Label per item, shape (n_items,); items of `NO_COMMUNITY` are left out.
        other: Group per item, shape (n_items,), text or numbers; missing ones are left out.
        permutations: Random deals, from 1.
        seed: Seed of the deals.

    Raises:
        BadParameter: If the two are not of the same length, or no item is in both.
    """
    labels, other = np.asarray(labels), pd.Series(other).reset_index(drop=True)
    if len(labels) != len(other) or permutations < 1:
        raise BadParameter(f"There are {len(labels)} labels and {len(other)} groups, and {permutations} deals: give as "
                           "many of one as of the other, and at least 1 deal.")  # fmt: skip
    both = (labels != NO_COMMUNITY) & other.notna().to_numpy()
    if not both.any():
        raise BadParameter("No item is in both groupings: the graph has no links, or the groups are all missing.")
    communities, groups = labels[both], pd.factorize(other[both], sort=True)[0]
    value = normalized_mutual_info_score(groups, communities)
    rng = np.random.default_rng(seed)
    chance = np.array([normalized_mutual_info_score(groups, rng.permutation(communities)) for _ in range(permutations)])
    return Agreement(
        int(both.sum()),
        len(np.unique(communities)),
        len(np.unique(groups)),
        float(value),
        float(chance.mean()),
        float(np.quantile(chance, 0.95)),
        float((1 + (chance >= value - 1e-12).sum()) / (1 + permutations)),
        float(adjusted_mutual_info_score(groups, communities)),
        float(adjusted_rand_score(groups, communities)),
    )


def centrality(graph: ItemGraph, *, pivots: int | None = None, seed: int = 0) -> pd.DataFrame:
    """How much in the middle each item stands.

    Args:
        graph: The graph.
        pivots: Start betweenness from so many items drawn at random, which is much faster in large graphs (Brandes &
            Pich 2007); None for all.
        seed: Seed of that draw.

    Returns:
        A row per item code: `degree` (links); `strength` (sum of their weights); `pagerank` (Page et al. 1999, damping
        0.85); `betweenness` (share of shortest paths between others that lead through it, links counting 1 each:
        Freeman 1977).
    """
    linked = graph.to_networkx()
    strength = np.asarray(graph.weights.sum(axis=1)).ravel()
    if graph.directed:
        strength = strength + np.asarray(graph.weights.sum(axis=0)).ravel()
    pivots = None if pivots is None else min(pivots, graph.n_items)
    between = nx.betweenness_centrality(linked, k=pivots, seed=seed)
    rank = nx.pagerank(linked, weight="weight")
    values = {name: [found[item] for item in range(graph.n_items)] for name, found in
              (("pagerank", rank), ("betweenness", between))}  # fmt: skip
    return pd.DataFrame({"degree": graph.degree, "strength": strength, **values})


def against_sales(table: pd.DataFrame, sales: np.ndarray) -> pd.DataFrame:
    """How far a centrality only says what sells: its rank correlation with sales.

    Args:
        table: Measures per item, such as the result of `centrality`.
        sales: Baskets (or events) of each item, shape (n_items,); items that were never sold are left out.

    Returns:
        One row per measure: `measure`, `items`, `spearman` (−1 … 1), `low`, `high` (95 %: Bonett & Wright 2000); NaN
        for a measure that is the same for all items, which is in no order.

    Raises:
        BadParameter: If there is not one number per item, or fewer than four items were sold.
    """
    sales = np.asarray(sales, dtype=float)
    if len(sales) != len(table):
        raise BadParameter(f"There are sales of {len(sales)} items for {len(table)} items: give one number per item.")
    sold = sales > 0
    n = int(sold.sum())
    if n < 4:
        raise BadParameter(f"A correlation with sales needs four items that were sold, not {n}.")
    rho = np.array([_rank_correlation(table[name].to_numpy()[sold], sales[sold]) for name in table])
    with np.errstate(divide="ignore"):
        middle, reach = np.arctanh(rho), norm.ppf(0.975) * np.sqrt((1 + rho**2 / 2) / (n - 3))
    columns = {"spearman": rho, "low": np.tanh(middle - reach), "high": np.tanh(middle + reach)}
    return pd.DataFrame({"measure": list(table), "items": n, **columns})


def _rank_correlation(x: np.ndarray, y: np.ndarray) -> float:
    """Spearman's correlation; NaN where one side is the same everywhere."""
    return spearmanr(x, y).statistic if np.ptp(x) and np.ptp(y) else np.nan

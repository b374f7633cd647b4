"""Products as a graph: which links there are, how far they reach, what belongs together."""

from __future__ import annotations

import warnings

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.stats import hypergeom

from llmarm_tutorial.data.shop.simulate import planted_rules
from llmarm_tutorial.data.shop.structure_plan import FIRST_ID, MEMBERS
from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.errors import BadParameter, Lacks, UnknownName
from llmarm_tutorial.graphs import item_graph, structure
from llmarm_tutorial.mining.itemsets import as_matrix

# a and b are together in 4 of 8 baskets, c and d in 2, a and c in 1
BASKETS = [["a", "b"], ["a", "b"], ["a", "b"], ["a", "b", "c"], ["c", "d"], ["c", "d"], ["e"], ["d"]]


@pytest.fixture
def small() -> Transactions:
    return Transactions.from_baskets(BASKETS)


def graph(links: dict[tuple[int, int], float], n: int, directed: bool = False) -> item_graph.ItemGraph:
    matrix = np.zeros((n, n))
    for (a, b), weight in links.items():
        matrix[a, b] = weight
        if not directed:
            matrix[b, a] = weight
    return item_graph.ItemGraph(sparse.csr_matrix(matrix), directed)


# --- building --------------------------------------------------------------------------------------------------------


def test_links_of_baskets_by_hand(small):
    counts = item_graph.co_occurrence_graph(small, "count", max_q=None)
    assert counts.pairs().to_numpy().tolist() == [[0, 1, 4], [2, 3, 2], [0, 2, 1], [1, 2, 1]]
    assert (counts.n_items, counts.n_links, counts.degree.tolist()) == (5, 4, [2, 2, 3, 1, 0])
    lifts = item_graph.co_occurrence_graph(small, "lift", max_q=None).weights
    assert lifts[0, 1] == lifts[1, 0] == pytest.approx(8 * 4 / (4 * 4))
    assert lifts[2, 3] == pytest.approx(8 * 2 / (3 * 3))
    logs = item_graph.co_occurrence_graph(small, "ppmi", max_q=None)
    assert logs.weights[0, 1] == pytest.approx(1.0)
    assert logs.weights[0, 2] == 0  # lift 8 · 1 / (4 · 3) is below 1
    assert item_graph.co_occurrence_graph(small, min_count=2, max_q=None).n_links == 2
    assert item_graph.co_occurrence_graph(small, min_lift=1.9, max_q=None).n_links == 1


def test_the_filter_by_significance_is_fishers_test_over_all_pairs(small):
    p = hypergeom.sf(3, 8, 4, 4)  # a and b: 1 / 70, the smallest of the ten pairs
    assert item_graph.co_occurrence_graph(small, max_q=10 * p * 1.0001).n_links == 1
    assert item_graph.co_occurrence_graph(small, max_q=10 * p * 0.9999).n_links == 0


def test_links_to_the_next_visit_by_hand():
    frame = pd.DataFrame(
        [(1, 1, "a"), (1, 2, "b"), (1, 3, "a"), (1, 3, "c"), (2, 4, "a"), (2, 5, "b"), (2, 6, "b"), (3, 7, "c")],
        columns=["user_id", "basket_id", "item_id"],
    )
    frame["time"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(frame["basket_id"], unit="D")
    data = Transactions.from_frame(frame)
    found = item_graph.transition_graph(data, "count", max_q=None)
    assert found.directed
    assert found.pairs().to_numpy().tolist() == [[0, 1, 2], [1, 0, 1], [1, 2, 1]]  # b then b is left out
    # visits with one after them: a twice, b twice; four steps, of which b is the target thrice
    confidence = item_graph.transition_graph(data, max_q=None).weights
    assert confidence[0, 1] == 1.0
    assert confidence[1, 0] == 0.5
    assert item_graph.transition_graph(data, "lift", max_q=None).weights[0, 1] == pytest.approx(4 * 2 / (2 * 3))
    p = hypergeom.sf(1, 4, 2, 3)
    assert item_graph.transition_graph(data, max_q=min(1.0, 6 * p)).n_links >= 1
    with pytest.raises(Lacks, match="users"):
        item_graph.transition_graph(Transactions.from_baskets(BASKETS))


def test_the_planted_sequences_are_the_strongest_links_to_the_next_visit(shop):
    found = item_graph.transition_graph(shop, min_count=20).pairs()
    planted = planted_rules("sequential")
    code = {item: number for number, item in enumerate(shop.items["item_id"])}
    real = {
        (code[next(iter(x))], code[next(iter(y))])
        for x, y in zip(planted["antecedent"], planted["consequent"], strict=True)
    }
    ranged = found[["i", "j"]] >= code[FIRST_ID]
    top = set(map(tuple, found[~ranged.any(axis=1)].head(5)[["i", "j"]].to_numpy().tolist()))
    assert top <= real
    assert not real & {(b, a) for a, b in top}
    steps = found[ranged.all(axis=1)].head(10)  # projects go on in one style
    assert all(
        MEMBERS[i - code[FIRST_ID]].style == MEMBERS[j - code[FIRST_ID]].style
        for i, j in zip(steps["i"], steps["j"], strict=True)
    )


def test_the_strongest_links_of_each_item():
    star = graph({(0, 1): 3, (0, 2): 2, (0, 3): 1, (1, 2): 1}, 4)
    assert item_graph.strongest(star, 1).pairs()[["i", "j"]].to_numpy().tolist() == [[0, 1], [0, 2], [0, 3]]
    one_way = graph({(0, 1): 3, (0, 2): 2, (1, 2): 1}, 3, directed=True)
    assert item_graph.strongest(one_way, 1).pairs()[["i", "j"]].to_numpy().tolist() == [[0, 1], [1, 2]]
    with pytest.raises(BadParameter, match="at least 1"):
        item_graph.strongest(star, 0)


def test_without_a_filter_lift_draws_accidents(shop):
    matrix, _ = as_matrix(shop)
    table = item_graph.chance_pairs(matrix[:20000], matrix[20000:], top=50, min_count=5).set_index("filter")
    assert table["lift"].is_monotonic_decreasing  # the least filtered looks best …
    assert table["lift_later"].is_monotonic_increasing  # … and holds least
    assert table["met_again"].is_monotonic_increasing
    matrix = matrix[:, (shop.items["item_id"] < FIRST_ID).to_numpy()]  # rare pairs of the range are real
    table = item_graph.chance_pairs(matrix[:20000], matrix[20000:], top=50, min_count=5).set_index("filter")
    assert table.loc["none", "count"] <= 2
    assert table.loc["none", "met_again"] < 0.7 < table.loc["minimum count and significance", "met_again"]


def test_what_is_no_graph_is_refused():
    with pytest.raises(BadParameter, match="from 0"):
        item_graph.ItemGraph(sparse.csr_matrix([[0, -1.0], [-1.0, 0]]))
    with pytest.raises(BadParameter, match="square"):
        item_graph.ItemGraph(sparse.csr_matrix(np.ones((2, 3))))
    with pytest.raises(BadParameter, match="diagonal"):
        item_graph.ItemGraph(sparse.csr_matrix(np.eye(2)))
    with pytest.raises(BadParameter, match="directed=True"):
        item_graph.ItemGraph(sparse.csr_matrix([[0, 1.0], [0, 0]]))
    with pytest.raises(UnknownName, match="weight of links"):
        item_graph.co_occurrence_graph(Transactions.from_baskets(BASKETS), "confidence")
    with pytest.raises(BadParameter, match="min_count from 1"):
        item_graph.co_occurrence_graph(Transactions.from_baskets(BASKETS), max_q=0.0)


def test_networkx_has_the_same_links():
    found = graph({(0, 1): 3, (1, 2): 2}, 4).to_networkx(list("wxyz"))
    assert sorted(found.edges(data="weight")) == [("w", "x", 3), ("x", "y", 2)]
    assert set(found) == set("wxyz")
    assert graph({(0, 1): 3}, 2, directed=True).to_networkx().is_directed()
    with pytest.raises(BadParameter, match="as many labels"):
        graph({(0, 1): 1}, 2).to_networkx(["a", "a"])


# --- further ---------------------------------------------------------------------------------------------------------


def test_paths_by_hand():
    # 0 → 1 → 2 is stronger than 0 → 2; 3 is three links away
    links = graph({(0, 1): 0.9, (1, 2): 0.8, (0, 2): 0.5, (2, 3): 0.5}, 5, directed=True)
    near = item_graph.hops(links, 0, 1)
    assert near[["item", "strength"]].to_numpy().tolist() == [[1, 0.9], [2, 0.5]]
    two = item_graph.hops(links, 0, 2).set_index("item")
    assert two.loc[2, "hops"] == 1
    assert two.loc[2, "strength"] == pytest.approx(0.72)
    assert two.loc[2, "path"] == (0, 1, 2)
    assert two.loc[3, "path"] == (0, 2, 3)  # the stronger way through 1 takes three links
    assert item_graph.hops(links, 0, 3).set_index("item").loc[3, "path"] == (0, 1, 2, 3)
    assert len(item_graph.hops(links, 4, 3)) == 0
    with pytest.raises(BadParameter, match="k from 1"):
        item_graph.hops(links, 0, 0)
    with pytest.raises(BadParameter, match="from 0 to 4"):
        item_graph.hops(links, 5)


@st.composite
def random_graphs(draw: st.DrawFn, directed: bool | None = None) -> item_graph.ItemGraph:
    n = draw(st.integers(2, 7))
    directed = draw(st.booleans()) if directed is None else directed
    weights = st.sampled_from([0.0, 0.0, 0.2, 0.5, 0.9])
    links = {(a, b): draw(weights) for a in range(n) for b in range(n) if (a != b if directed else a < b)}
    return graph(links, n, directed)


@given(random_graphs())
@settings(max_examples=60, deadline=None)
def test_hops_and_best_paths_are_those_of_networkx(links: item_graph.ItemGraph):
    network = links.to_networkx()
    for _, _, edge in network.edges(data=True):
        edge["cost"] = -np.log(edge["weight"])
    found = item_graph.hops(links, 0, links.n_items).set_index("item")
    fewest = nx.single_source_shortest_path_length(network, 0)
    cost = nx.single_source_dijkstra_path_length(network, 0, weight="cost")
    assert set(found.index) == set(fewest) - {0}
    for item, row in found.iterrows():
        assert row["hops"] == fewest[item]
        assert -np.log(row["strength"]) == pytest.approx(cost[item])
        steps = zip(row["path"][:-1], row["path"][1:], strict=True)
        assert np.prod([links.weights[a, b] for a, b in steps]) == pytest.approx(row["strength"])


def test_walks_by_hand():
    chain = graph({(0, 1): 1.0, (1, 2): 3.0}, 4)
    one = item_graph.multi_hop(chain, 1, restart=0.5)
    assert one[1].tolist() == [0.25 * 0.25, 0, 0.25 * 0.75, 0]
    second = item_graph.multi_hop(chain, 2, restart=0.5, first=2)
    assert second[0].tolist() == [0, 0, pytest.approx(0.5 * 0.25 * 0.75), 0]
    assert second[1].tolist() == [0, 0, 0, 0]  # back where it began
    assert not item_graph.multi_hop(chain)[3].any()
    for wrong in ({"restart": 1.0}, {"steps": 0}, {"first": 2}, {"steps": 1, "first": 2}):
        with pytest.raises(BadParameter, match="multi_hop"):
            item_graph.multi_hop(chain, **wrong)


@given(random_graphs(directed=False))
@settings(max_examples=30, deadline=None)
def test_the_limit_is_personalised_pagerank(links: item_graph.ItemGraph):
    limit = item_graph.multi_hop(links, restart=0.2)
    assert np.allclose(limit, item_graph.multi_hop(links, 200, restart=0.2), atol=1e-9)
    if links.degree[0]:
        rank = nx.pagerank(
            links.to_networkx(), alpha=0.8, personalization={0: 1}, weight="weight", tol=1e-12, max_iter=1000
        )
        others = [rank[item] for item in range(1, links.n_items)]
        assert np.allclose(limit[0, 1:], others, atol=1e-6)


# --- groups ----------------------------------------------------------------------------------------------------------


def test_two_cliques_are_two_communities():
    links = {(a, b): 1.0 for part in ((0, 1, 2, 3), (4, 5, 6)) for a in part for b in part if a < b} | {(3, 4): 0.1}
    labels = structure.communities(graph(links, 8))
    assert labels.tolist() == [0, 0, 0, 0, 1, 1, 1, structure.NO_COMMUNITY]
    assert (structure.communities(graph({}, 3)) == structure.NO_COMMUNITY).all()


def test_many_small_groups_agree_by_chance_and_the_table_says_so():
    rng = np.random.default_rng(0)
    departments = np.repeat(["x", "y", "z"], 20)
    accident = structure.agreement(rng.permutation(np.repeat(np.arange(30), 2)), departments)
    assert accident.nmi > 0.25  # looks like something
    assert accident.by_chance == pytest.approx(accident.nmi, abs=0.06)
    assert accident.p_value > 0.05
    assert abs(accident.ami) < 0.12
    same = structure.agreement(np.repeat([2, 0, 1], 20), departments)
    assert same.nmi == same.ami == same.ari == pytest.approx(1.0)
    assert same.p_value == pytest.approx(1 / 501)


def test_items_without_a_group_do_not_count():
    found = structure.agreement(np.array([0, 0, 1, -1, 1]), ["x", "x", "y", "y", None], permutations=10)
    assert (found.items, found.groups, found.others, found.nmi) == (3, 2, 2, pytest.approx(1.0))
    with pytest.raises(BadParameter, match="as many"):
        structure.agreement(np.zeros(3), ["x"])
    with pytest.raises(BadParameter, match="both groupings"):
        structure.agreement(np.full(2, structure.NO_COMMUNITY), ["x", "y"])


def test_the_middle_of_a_star():
    star = structure.centrality(graph({(0, 1): 1.0, (0, 2): 2.0, (0, 3): 3.0}, 5))
    assert star["degree"].tolist() == [3, 1, 1, 1, 0]
    assert star["strength"].tolist() == [6, 1, 2, 3, 0]
    assert star["betweenness"].tolist() == [0.5, 0, 0, 0, 0]  # 3 of the 6 pairs of the other four
    assert star["pagerank"].argmax() == 0
    way = structure.centrality(graph({(0, 1): 1.0, (1, 2): 1.0}, 3, directed=True))
    assert way["degree"].tolist() == [1, 2, 1]
    assert way["strength"].tolist() == [1, 2, 1]


def test_a_centrality_that_is_only_sales_is_found_out():
    rng = np.random.default_rng(1)
    sales = np.append(rng.integers(1, 1000, 200), 0)
    table = pd.DataFrame({"copy": sales**2, "noise": rng.random(201)})
    found = structure.against_sales(table, sales).set_index("measure")
    assert found.loc["copy", "spearman"] == pytest.approx(1.0)
    assert found.loc["copy", "items"] == 200
    assert found.loc["noise", "low"] < 0 < found.loc["noise", "high"]
    with pytest.raises(BadParameter, match="one number per item"):
        structure.against_sales(table, sales[:5])
    with pytest.raises(BadParameter, match="four items"):
        structure.against_sales(table.head(3), sales[:3])


def test_a_measure_that_is_the_same_for_all_items_has_no_correlation_and_no_warning():
    table = pd.DataFrame({"constant": np.ones(6), "rising": np.arange(6.0)})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = structure.against_sales(table, np.arange(1, 7)).set_index("measure")["spearman"]
        level = structure.against_sales(table, np.full(6, 3))["spearman"]
    assert np.isnan(found["constant"])
    assert found["rising"] == pytest.approx(1.0)
    assert level.isna().all()

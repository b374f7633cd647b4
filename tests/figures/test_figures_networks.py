"""Networks are laid out part by part, the same each time."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pandas as pd

from llmarm_tutorial.figures import mining as mining_figures
from llmarm_tutorial.figures.networks import packed


def test_parts_of_a_network_lie_beside_each_other_whatever_the_order():
    graph = nx.union(nx.cycle_graph(7), nx.union(nx.path_graph([10, 11, 12]), nx.path_graph([20, 21])))
    place = packed(graph)
    assert set(place) == set(graph)
    corners = [np.array([place[node] for node in part]) for part in nx.connected_components(graph)]
    for number, part in enumerate(corners):
        for other in corners[:number]:
            apart = (part.min(axis=0) > other.max(axis=0)) | (other.min(axis=0) > part.max(axis=0))
            assert apart.any()
    shuffled = nx.Graph()
    shuffled.add_nodes_from([21, 3, 10, 5])
    shuffled.add_edges_from((b, a) for a, b in reversed(list(graph.edges)))
    again = packed(shuffled)
    assert all(np.array_equal(place[node], again[node]) for node in graph)


def test_every_item_of_the_network_of_rules_is_named_and_coloured_by_its_group():
    pairs = [("tea", "honey", 3.0), ("honey", "tea", 3.0), ("bread", "jam", 2.0), ("jam", "butter", 1.5)]
    rows = [(frozenset({a}), frozenset({b}), lift) for a, b, lift in pairs]
    rules = pd.DataFrame(rows, columns=["antecedent", "consequent", "lift"])
    figure = mining_figures.rule_network(rules, {"tea": "drinks", "honey": "spreads", "jam": "spreads"})
    (axis,) = figure.axes
    assert sorted(text.get_text() for text in axis.texts) == ["bread", "butter", "honey", "jam", "tea"]
    assert len(axis.patches) == 4
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["", "drinks", "spreads"]
    assert not mining_figures.rule_network(rules).legends

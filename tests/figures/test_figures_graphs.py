"""Figures of the graph of products show what they are given."""

from __future__ import annotations

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection, PathCollection
from scipy import sparse

from llmarm_tutorial.figures import graphs as graphs_figures
from llmarm_tutorial.graphs import item_graph, structure

NAMES = [f"product {number}" for number in range(8)]
SALES = np.array([80, 70, 60, 50, 40, 30, 20, 10])


@pytest.fixture
def small() -> item_graph.ItemGraph:
    """A chain of five, a pair, and an item without links."""
    matrix = np.zeros((8, 8))
    for a, b, weight in ((0, 1, 0.8), (1, 2, 0.4), (2, 3, 0.2), (3, 4, 0.1), (5, 6, 0.9)):
        matrix[a, b] = matrix[b, a] = weight
    return item_graph.ItemGraph(sparse.csr_matrix(matrix))


def drawn(axis: plt.Axes, kind: type) -> list:
    return [artist for artist in axis.collections if isinstance(artist, kind)]


def written(axis: plt.Axes) -> list[str]:
    return [text.get_text() for text in axis.texts]


def test_every_link_is_drawn_wider_with_its_weight(small):
    figure = graphs_figures.product_graph(small, NAMES, SALES, ["x"] * 4 + ["y"] * 4)
    (axis,) = figure.axes
    (lines,) = drawn(axis, LineCollection)
    (dots,) = drawn(axis, PathCollection)
    assert len(lines.get_segments()) == 5
    widths = lines.get_linewidths()  # links in the order of their items
    assert list(np.argsort(widths)) == [3, 2, 1, 0, 4]
    assert len(dots.get_offsets()) == 7  # the item without links is not there
    assert list(dots.get_sizes()) == sorted(dots.get_sizes(), reverse=True)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["x", "y"]
    assert (
        len(
            drawn(graphs_figures.product_graph(small, NAMES, SALES, NAMES, smallest=3).axes[0], LineCollection)[
                0
            ].get_segments()
        )
        == 4
    )


def test_names_do_not_cover_each_other():
    rng = np.random.default_rng(0)
    weights = np.triu(rng.random((60, 60)) < 0.08, 1) * 1.0
    dense = item_graph.ItemGraph(sparse.csr_matrix(weights + weights.T))
    names = [f"a rather long product name {number}" for number in range(60)]
    figure = graphs_figures.product_graph(dense, names, rng.integers(1, 100, 60), [0] * 60, named=60)
    figure.draw_without_rendering()  # the canvas of a closed figure would draw nothing
    boxes = [text.get_window_extent().extents for text in figure.axes[0].texts]
    assert 10 < len(boxes) <= 60
    for number, (x0, y0, x1, y1) in enumerate(boxes):
        assert not any(x0 < c and a < x1 and y0 < d and b < y1 for a, b, c, d in boxes[:number])


def test_communities_are_named_by_number_and_drawn_the_same_each_time(small):
    groups = structure.communities(small).tolist()
    figures = [graphs_figures.product_graph(small, NAMES, SALES, groups) for _ in range(2)]
    assert figures[0].legends[0].get_texts()[0].get_text() == "community 0"
    places = [drawn(figure.axes[0], PathCollection)[0].get_offsets() for figure in figures]
    assert np.array_equal(*places)


def test_rings_stand_at_the_number_of_links(small):
    figure = graphs_figures.rings(item_graph.hops(small, 0, 3), NAMES, 0)
    axis = figure.axes[0]
    assert {"product 0", "product 1", "product 2", "product 3"} == set(written(axis))
    radius = sorted(round(float(np.hypot(*dots.get_offsets()[0])), 6) for dots in drawn(axis, PathCollection))
    assert radius == [0, 1, 2, 3]
    star = np.zeros((40, 40))
    star[0, 1:20] = np.linspace(0.1, 0.9, 19)
    for last in range(20, 40):
        star[19, last] = 0.5
    crowded = item_graph.hops(item_graph.ItemGraph(sparse.csr_matrix(star), directed=True), 0, 2)
    names = [f"item {number}" for number in range(40)]
    shown = written(graphs_figures.rings(crowded, names, 0, per_ring=5).axes[0])
    assert len(shown) == 1 + 5 + 5
    assert "item 19" in shown
    assert "item 1" not in shown


def test_groups_against_groups_counts_items():
    labels = np.array([0, 0, 0, 1, 1, 1, 2, structure.NO_COMMUNITY])
    groups = ["a", "a", "b", "b", "b", "b", "a", "a"]
    axis = graphs_figures.groups_against_groups(labels, groups).axes[0]
    assert [tick.get_text() for tick in axis.get_xticklabels()] == ["0", "1", "1\nsmaller"]
    cells = {(round(t.get_position()[0]), round(t.get_position()[1])): t.get_text() for t in axis.texts}
    assert [tick.get_text() for tick in axis.get_yticklabels()] == ["a", "b"]
    assert cells == {(0, 0): "2", (2, 0): "1", (0, 1): "1", (1, 1): "3"}


def test_the_correlation_stands_over_each_panel(small):
    table = structure.centrality(small)
    figure = graphs_figures.centrality_against_sales(table, SALES, NAMES, structure.against_sales(table, SALES))
    titles = [axis.get_title(loc="left") or axis.get_title() for axis in figure.axes]
    assert [title.split("\n")[0] for title in titles] == list(table)
    assert all("ρ = " in title for title in titles)
    assert set(written(figure.axes[0])) <= set(NAMES)
    assert len(written(figure.axes[0])) >= 1


def test_the_best_method_is_on_top():
    table = pd.DataFrame(
        {"method": ["graph", "own"], "average_precision": [0.02, 0.05], "low": [0.01, 0.03], "high": [0.04, 0.08]}
    )
    figure = graphs_figures.link_prediction(table, 0.002, {"graph": "links", "own": "counts"})
    axis = figure.axes[0]
    assert [tick.get_text() for tick in axis.get_yticklabels()] == ["graph", "own"]  # upwards
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["counts", "links"]
    spans = [line.get_xdata() for line in axis.lines if len(line.get_xdata()) == 2 and line.get_linestyle() == "-"]
    assert [list(span) for span in spans] == [[0.01, 0.04], [0.03, 0.08]]
    assert not graphs_figures.link_prediction(table, 0.002).legends


def test_gains_are_drawn_for_all_but_the_reference():
    rows = [(b, n, m, g, g - 0.1, g + 0.2) for b, n in (("0 to 9", 5), ("10 and more", 7)) for m, g in
            (("own", 0.0), ("graph", 0.3))]  # fmt: skip
    table = pd.DataFrame(rows, columns=["bucket", "positives", "method", "gain", "gain_low", "gain_high"])
    figure = graphs_figures.gain_by_support(table, "own")
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["graph"]
    axis = figure.axes[0]
    assert [tick.get_text() for tick in axis.get_xticklabels()] == [
        "0 to 9\n(5 new links)",
        "10 and more\n(7 new links)",
    ]
    (bars,) = drawn(axis, LineCollection)
    assert bars.get_segments()[0][:, 1].tolist() == pytest.approx([0.2, 0.5])


def test_figures_are_closed_for_pyplot(small):
    before = plt.get_fignums()
    assert isinstance(graphs_figures.rings(item_graph.hops(small, 0, 1), NAMES, 0), mpl.figure.Figure)
    assert plt.get_fignums() == before

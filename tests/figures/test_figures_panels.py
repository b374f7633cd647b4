"""What several figures draw shows what it is given."""

from __future__ import annotations

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmarm_tutorial.figures import panels

points = st.lists(st.tuples(st.integers(1, 6), st.integers(1, 6)), min_size=1, max_size=12)


@given(points)
def test_the_front_is_what_no_other_point_beats(found: list[tuple[int, int]]):
    cost, quality = np.array(found, dtype=float).T
    best = panels.front(cost, quality)
    unbeaten = {
        (c, q) for c, q in found if not any(other[0] <= c and other[1] >= q and other != (c, q) for other in found)
    }
    assert {(cost[place], quality[place]) for place in best} == unbeaten
    assert len(best) == len(unbeaten)
    assert (np.diff(cost[best]) > 0).all()
    assert (np.diff(quality[best]) > 0).all()


@pytest.fixture
def axis() -> plt.Axes:
    figure, axis = plt.subplots()
    yield axis
    plt.close(figure)


def test_groups_show_every_series_with_its_interval_and_size(axis: plt.Axes):
    rows = [("new", 1200, "a", 0.2, 0.1, 0.4), ("old", 7, "a", 0.5, 0.4, 0.7), ("old", 7, "b", 0.3, 0.3, 0.3)]
    table = pd.DataFrame(rows, columns=["age", "cases", "system", "mean", "low", "high"])
    panels.draw_groups(axis, table, "age", "system", size="cases", unit=" customers")
    assert [tick.get_text() for tick in axis.get_xticklabels()] == ["new\n(1,200 customers)", "old\n(7 customers)"]
    a, b = axis.containers
    assert (a.get_label(), b.get_label()) == ("a", "b")
    assert a.lines[0].get_xydata().tolist() == [[-0.175, 0.2], [0.825, 0.5]]
    assert b.lines[0].get_xydata()[1].tolist() == [1.175, 0.3]
    assert a.lines[2][0].get_segments()[1][:, 1].tolist() == pytest.approx([0.4, 0.7])
    assert np.isnan(b.lines[0].get_ydata()[0])  # the group without that series


def test_long_names_of_groups_do_not_run_into_each_other(axis: plt.Axes):
    kinds = ["bought before", "new to the customer", "customers in a project", "all other customers"]
    table = pd.DataFrame({"kind": kinds, "system": "one", "mean": 0.2, "low": 0.1, "high": 0.3})
    axis.figure.set_size_inches(7.8, 3.8)
    panels.draw_groups(axis, table, "kind", "system")
    axis.figure.draw_without_rendering()
    boxes = [label.get_window_extent() for label in axis.get_xticklabels()]
    assert all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))


def test_cells_hold_the_numbers_and_leave_zeros_out_if_asked(axis: plt.Axes):
    table = pd.DataFrame([[1200, 0], [3, 4]], ["x", "y"], ["p", "q"])
    shades = np.array([[0.9, 0.0], [0.1, 0.2]])
    assert np.array_equal(panels.draw_cells(axis, table, shades, zeros=False).get_array(), shades)
    assert {tuple(text.get_position()): text.get_text() for text in axis.texts} == {
        (0, 0): "1,200",
        (0, 1): "3",
        (1, 1): "4",
    }
    assert axis.texts[0].get_color() == "white" != axis.texts[1].get_color()
    assert [tick.get_text() for tick in axis.get_yticklabels()] == ["x", "y"]

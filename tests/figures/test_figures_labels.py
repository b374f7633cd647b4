"""Names beside points lie where there is room for them."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.text import Text

from llmarm_tutorial.figures.labels import short, write_names


@pytest.fixture
def axis() -> plt.Axes:
    figure, axis = plt.subplots(figsize=(4, 3), dpi=100)
    axis.set(xlim=(0, 10), ylim=(0, 10))
    yield axis
    plt.close(figure)


def boxes(axis: plt.Axes) -> dict[str, np.ndarray]:
    """Name → its box in pixels, as drawn."""
    axis.figure.draw_without_rendering()
    return {text.get_text(): Text.get_window_extent(text).extents for text in axis.texts}


def test_a_name_with_room_stands_close_to_the_right(axis: plt.Axes):
    write_names(axis, np.array([[5, 5]]), {0: "name"}, 36.0, gaps=(4,))
    (x, y), (x0, y0, _, y1) = axis.transData.transform((5, 5)), boxes(axis)["name"]
    assert x0 - x == pytest.approx((36**0.5 / 2 + 4) * 100 / 72, abs=1.5)  # its radius and the gap, in pixels
    assert (y0 + y1) / 2 == pytest.approx(y, abs=1.5)


def test_at_an_edge_or_a_line_it_goes_elsewhere(axis: plt.Axes):
    axis.axvline(6, color="k")
    write_names(axis, np.array([[5, 5], [9.9, 9.9]]), {0: "beside a line", 1: "in the corner"})
    found = boxes(axis)
    assert found["beside a line"][2] < axis.transData.transform((6, 0))[0]
    assert (found["in the corner"][2:] <= axis.get_window_extent().extents[2:]).all()


def test_in_a_crowd_names_move_away_on_a_thin_line(axis: plt.Axes):
    points = 5 + np.arange(12)[:, None] * [0.01, 0.01]
    write_names(axis, points, {row: f"name number {row}" for row in range(12)})
    found = list(boxes(axis).values())
    assert len(found) == 12
    assert any(text.arrow_patch for text in axis.texts)
    for number, (x0, y0, x1, y1) in enumerate(found):
        assert not any(x0 < c and a < x1 and y0 < d and b < y1 for a, b, c, d in found[:number])


def test_a_name_without_room_is_left_out_if_asked(axis: plt.Axes):
    crowd = np.argwhere(np.ones((25, 25))) / 5 + 2.5
    write_names(axis, crowd, {312: "no room"}, gaps=(2,), drop=True)
    assert not axis.texts
    write_names(axis, crowd, {312: "no room"}, gaps=(2,))
    assert list(boxes(axis)) == ["no room"]


def test_long_names_are_cut():
    assert [short(name, 4) for name in ("four", "fives")] == ["four", "fiv…"]

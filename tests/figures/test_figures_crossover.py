"""The figure of the crossover: a line per question, dots filled where a gain is sure, names that do not touch."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from llmarm_tutorial.figures import crossover, house_style

COLUMNS = ["part", "asked", "structure", "system", "metric", "gain", "low", "high"]
ROWS = [
    ("next visit", "bought before", 0.0, "model", "NDCG@10", -0.1, -0.2, -0.05),
    ("next visit", "bought before", 1.0, "model", "NDCG@10", 0.0, -0.1, 0.1),
    ("next visit", "bought before", 1.0, "joined", "NDCG@10", 9.0, 8.0, 10.0),
    ("confidences", "1 to 4", 0.0, "model", "RMSE", -0.001, -0.002, 0.001),
    ("confidences", "1 to 4", 1.0, "model", "RMSE", 0.002, 0.001, 0.003),
    ("confidences", "1 to 4", 1.0, "model", "log loss", 9.0, 8.0, 10.0),
    ("confidences", "20 to 99", 1.0, "model", "RMSE", 0.0019, 0.001, 0.003),
]  # fmt: skip
TABLE = pd.DataFrame(ROWS, columns=COLUMNS)


def words(axis: mpl.axes.Axes) -> list[str]:
    return [text.get_text() for text in axis.texts]


def faces(axis: mpl.axes.Axes) -> list[tuple[float, ...]]:
    """Colours of the dots of the first line."""
    first = next(found for found in axis.collections if isinstance(found, mpl.collections.PathCollection))
    return [tuple(face[:3]) for face in first.get_facecolors()]


def test_each_half_says_who_wins_and_every_line_has_its_name():
    left, right = crossover.crossover(TABLE).axes
    for axis in (left, right):
        low, high = axis.get_ylim()
        assert low < 0 < high
        assert {"the model wins", "counting wins", "shipped shop"} <= set(words(axis))
    assert "bought before" in words(left)
    assert {"1 to 4 baskets", "20 to 99 baskets"} <= set(words(right))
    assert left.get_ylim()[1] < 1, "what is joined is not drawn"
    assert right.get_ylim()[1] < 1, "nor the log loss; an RMSE is in percentage points"
    assert right.get_ylim()[1] > 0.2


def test_a_dot_is_filled_where_the_interval_excludes_zero():
    left, right = crossover.crossover(TABLE).axes
    white, color = (1.0, 1.0, 1.0), mpl.colors.to_rgb(house_style.SECOND)
    assert faces(left) == [color, white]
    assert faces(right) == [white, mpl.colors.to_rgb(house_style.ACCENT)]


def test_what_is_chosen_is_marked():
    left, right = crossover.crossover(TABLE, (0.0, "20 to 99")).axes
    assert "this shop" in words(left)
    assert "shipped shop" not in words(left)
    weights = {text.get_text(): text.get_weight() for text in right.texts}
    assert weights["20 to 99 baskets"] == "bold"
    assert weights["1 to 4 baskets"] == "normal"


@pytest.mark.parametrize(
    "ends",
    [{"a": 0.0, "b": 0.0, "c": 0.0}, {"a": 0.0, "b": 0.9, "c": 1.0, "d": 1.1}, {"a": 5.0, "b": 1.0}, {"a": 1.0}],
)
def test_names_stay_apart_and_in_order(ends: dict[str, float]):
    places = crossover.spread(ends, 0.5)
    assert list(places) == sorted(ends, key=lambda name: ends[name])
    heights = np.array(list(places.values()))
    assert (np.diff(heights) >= 0.5 - 1e-9).all()
    assert np.mean(heights) == pytest.approx(np.mean(list(ends.values())))


def test_names_that_do_not_touch_stay_at_their_lines():
    assert crossover.spread({"a": 1.0, "b": 3.0}, 0.5) == {"a": 1.0, "b": 3.0}

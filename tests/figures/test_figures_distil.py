"""The figures of distillation and compression show what their tables say."""

from __future__ import annotations

import itertools

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from llmarm_tutorial.figures import distil as distil_figures
from llmarm_tutorial.figures import house_style
from llmarm_tutorial.figures.panels import front


@pytest.fixture
def systems() -> pd.DataFrame:
    random = np.random.default_rng(0)
    n = 24
    size = 10 ** random.uniform(5, 6.2, n)
    return pd.DataFrame(
        {
            "system": [f"system {number}" for number in range(n)],
            "family": random.choice(["pruned", "coded", "distilled"], n),
            "quality": 0.18 - 0.08 * random.random(n) * (6.3 - np.log10(size)),
            "bytes": size,
            "p50": size / 1e9 * random.uniform(0.5, 2, n),
        }
    )


def words(axis: plt.Axes) -> list[str]:
    return [text.get_text() for text in axis.texts]


def test_a_pareto_figure_draws_its_front_and_names_it(systems: pd.DataFrame):
    with house_style.style():
        figure = distil_figures.pareto(systems, teacher=0.18)
    for axis, cost in zip(figure.axes, (systems["bytes"] / 1e3, systems["p50"] * 1e3), strict=True):
        best = front(cost.to_numpy(), systems["quality"].to_numpy())
        (steps,) = [line for line in axis.get_lines() if line.get_drawstyle() == "steps-post"]
        assert np.allclose(steps.get_xydata()[:-1], np.column_stack([cost, systems["quality"]])[best])
        assert {f"system {place}" for place in best} == {word for word in words(axis) if word.startswith("system")}
        dashed = [line.get_ydata()[0] for line in axis.get_lines() if line.get_linestyle() == "--"]
        assert dashed == [pytest.approx(0.97 * 0.18)]
        drawn = sum(len(line.get_xdata()) for line in axis.get_lines() if line.get_linestyle() == "None")
        assert drawn == len(systems)
    assert words(figure.axes[1])[0] == "97% of the teacher"


def test_bars_stand_where_the_points_do(systems: pd.DataFrame):
    ends = systems.assign(low=systems["quality"] - 0.01, high=systems["quality"] + 0.02)
    for axis, column in zip(distil_figures.pareto(ends).axes, ("bytes", "p50"), strict=True):
        unit = 1e-3 if column == "bytes" else 1e3
        drawn = {tuple(np.round(bar.ravel(), 9)) for bars in axis.collections for bar in bars.get_segments()}
        rows = ends[[column, "low", "high"]].to_numpy()
        assert drawn == {tuple(np.round([x * unit, low, x * unit, high], 9)) for x, low, high in rows}


def test_names_cover_neither_each_other_nor_points_and_stay_inside(systems: pd.DataFrame):
    named = systems.assign(name=[f"name {n}" if n % 3 == 0 else "" for n in range(len(systems))])
    with house_style.style():
        figure = distil_figures.pareto(named)
    figure.draw_without_rendering()
    for axis, cost in zip(figure.axes, (named["bytes"] / 1e3, named["p50"] * 1e3), strict=True):
        assert sorted(words(axis)) == sorted(name for name in named["name"] if name)
        boxes = [mpl.text.Text.get_window_extent(text) for text in axis.texts]
        assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
        assert not any(box.count_contains(axis.transData.transform(np.column_stack([cost, named["quality"]])))
                       for box in boxes)  # fmt: skip
        inside = axis.get_window_extent()
        assert all(inside.contains(box.x0, box.y0) and inside.contains(box.x1, box.y1) for box in boxes)


def test_methods_are_drawn_best_first_with_every_seed():
    table = pd.DataFrame(
        {"method": ["alone", "alone", "taught", "taught", "once"], "quality": [0.1, 0.12, 0.3, 0.32, 0.2]}
    )
    axis = distil_figures.methods(table, {"teacher": 0.4}).axes[0]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["alone", "once", "taught"]  # from below
    seeds, means, *rest = axis.get_lines()
    assert sorted(seeds.get_xdata()) == [0.1, 0.12, 0.2, 0.3, 0.32]
    assert means.get_xdata().tolist() == [pytest.approx(0.11), pytest.approx(0.2), pytest.approx(0.31)]
    assert rest[-1].get_xdata()[0] == 0.4


def test_soft_labels_show_the_chances_of_the_softmax():
    scores = np.log(np.array([8.0, 1.0, 4.0, 3.0]))
    figure = distil_figures.soft_labels(scores, ["a", "b", "c", "d"], {2}, temperatures=(1.0, 1e6), shown=3)
    cold, hot = figure.axes
    assert [label.get_text() for label in cold.get_yticklabels()] == ["a", "c", "d"]
    assert np.allclose([bar.get_width() for bar in cold.patches], [8 / 16, 4 / 16, 3 / 16])
    assert np.allclose([bar.get_width() for bar in hot.patches], 1 / 4, atol=1e-5)
    colours = [bar.get_facecolor() for bar in cold.patches]
    assert colours[0] == colours[2] != colours[1]

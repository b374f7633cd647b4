"""Names are drawn as they are, and numbers of a logarithmic axis in plain letters."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from llmarm_tutorial.figures import house_style
from llmarm_tutorial.figures.labels import write_names

NAMES = ["CARD $5_OFF_$20", "$x^2$", "a_{b}", "\\alpha $", "$\\frac{$"]


def test_names_that_look_like_formulas_are_drawn_as_they_are():
    with house_style.style():
        figure, axis = plt.subplots()
        axis.bar(NAMES, range(5))
        axis.set_title(NAMES[0])
        axis.plot([0], [0], label=NAMES[1])
        axis.legend()
        write_names(axis, np.array([[1, 1]]), {0: NAMES[4]})
        figure.canvas.draw()  # a formula that cannot be read raises here
        assert [label.get_text() for label in axis.get_xticklabels()] == NAMES
        width = axis.title.get_window_extent().width
        axis.set_title(NAMES[0].replace("$", "S"))
        assert width == pytest.approx(axis.title.get_window_extent().width, rel=0.02)  # no character is left out


@pytest.mark.parametrize(
    ("low", "high", "form", "seen"),
    [
        (3e-3, 2e5, "", {"10⁻²", "10⁰", "10⁵"}),
        (2e4, 9e4, "", {"2×10⁴", "6×10⁴"}),
        (30, 4000, "", {"10²", "10³"}),
        (5, 34, "{x:g}", {"6", "10", "20", "30"}),
        (2e4, 9e6, "{x:,.0f}", {"100,000", "1,000,000"}),
    ],
)
def test_powers_of_ten_are_written_in_plain_letters(low: float, high: float, form: str, seen: set[str]):
    with house_style.style():
        figure, axis = plt.subplots()
        axis.set(xscale="log", xlim=(low, high))
        house_style.power_ticks(axis.xaxis, form)
        figure.canvas.draw()
        drawn = {label.get_text() for label in [*axis.get_xticklabels(), *axis.get_xticklabels(minor=True)]}
    assert seen <= drawn
    assert not {letter for text in drawn for letter in text} & set("$\\{}^ ")


def test_the_same_ticks_are_named_as_by_matplotlib():
    named = []
    with house_style.style():
        for write in (lambda axis: None, house_style.power_ticks):
            figure, axis = plt.subplots()
            axis.set(xscale="log", xlim=(2e4, 9e4))
            write(axis.xaxis)
            figure.canvas.draw()
            named.append([bool(label.get_text()) for label in axis.get_xticklabels(minor=True)])
    assert named[0] == named[1]


def test_a_table_in_a_notebook_shows_dollars_as_they_are():
    with plt.rc_context(), pd.option_context("display.html.use_mathjax", True):
        house_style.use_style()
        assert "mathjax_ignore" in pd.DataFrame({"item": NAMES})._repr_html_()

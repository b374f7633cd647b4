"""The twin of the crossover: what it says of one setting of the dial, and what a change of its sliders shows."""

from __future__ import annotations

import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from llmarm_tutorial.errors import UnknownName
from llmarm_tutorial.lesson import crossover_twin
from llmarm_tutorial.lesson.crossover import CrossoverTwin, crossover_table

COLUMNS = ["part", "asked", "structure", "system", "metric", "value", "seeds", "gain", "low", "high", "verdict"]
ROWS = [
    ("next visit", "customers in a project", 0.0, "model", "NDCG@10", 0.1, 3, -0.02, -0.03, -0.01, "loses"),
    ("next visit", "customers in a project", 1.0, "model", "NDCG@10", 0.2, 3, 0.02, 0.01, 0.03, "wins"),
    ("next visit", "bought before", 1.0, "model", "NDCG@10", 0.3, 3, -0.1, -0.2, -0.05, "loses"),
    ("next visit", "bought before", 1.0, "joined", "NDCG@10", 0.4, 3, 0.1, 0.05, 0.2, "wins"),
    ("confidences", "1 to 4", 0.0, "model", "RMSE", 0.01, 3, 0.0, -0.001, 0.001, "level"),
    ("confidences", "1 to 4", 1.0, "model", "RMSE", 0.01, 3, 0.002, 0.001, 0.003, "wins"),
    ("confidences", "1 to 4", 1.0, "model", "log loss", 9.0, 3, 0.2, 0.1, 0.3, "wins"),
    ("confidences", "20 to 99", 1.0, "model", "RMSE", 0.01, 3, -0.002, -0.003, -0.001, "loses"),
]  # fmt: skip
TABLE = pd.DataFrame(ROWS, columns=COLUMNS)


@pytest.fixture
def twin() -> CrossoverTwin:
    return crossover_twin(TABLE, 1.0)


def shown_by(twin: CrossoverTwin) -> list[dict]:
    """Bundles of all outputs of a cell that ends in the twin."""
    InteractiveShell.instance()
    with capture_output() as captured:
        twin._ipython_display_()
    return [output.data for output in captured.outputs]


def test_the_table_by_hand():
    table = crossover_table(TABLE, 1.0, "20 to 99")
    assert table[["asked", "verdict"]].to_numpy().tolist() == [
        ["customers in a project", "wins"],
        ["bought before", "loses"],
        ["confidences of rules in 20 to 99 baskets", "loses"],
    ]
    assert table["gain"].tolist() == [0.02, -0.1, -0.002]


@pytest.mark.parametrize(
    ("structure", "baskets", "says"),
    [(0.8, "1 to 4", "There is no structure '0.8'"), (1.0, "5 to 9", "There is no number of baskets '5 to 9'")],
)
def test_what_was_not_recorded_is_named(structure: float, baskets: str, says: str):
    with pytest.raises(UnknownName, match=says):
        crossover_twin(TABLE, structure, baskets)


def test_the_sentence_counts_who_wins(twin: CrossoverTwin):
    assert "Structure 1: of 3 questions the model wins 2, counting 1, 0 are level." in twin.static
    assert "+0.0200 [+0.0100, +0.0300] NDCG@10" in twin.static


def test_the_sliders_show_another_shop_and_other_rules(twin: CrossoverTwin):
    before = bytes(twin.image.value)
    assert before.startswith(b"\x89PNG")
    twin.support.value = "20 to 99"
    assert "of 3 questions the model wins 1, counting 2, 0 are level" in twin.shown.value
    twin.support.value, twin.dial.value = "1 to 4", 0.0
    assert "Structure 0: of 2 questions the model wins 0, counting 1, 1 are level." in twin.shown.value
    assert bytes(twin.image.value) != before
    assert "Structure 1" in twin.static  # what a page without a kernel shows does not change


def test_a_page_without_a_kernel_keeps_figure_and_table():
    twin = crossover_twin(TABLE, 1.0, live=False)
    assert twin.dial is twin.support is twin.image is twin.shown is None
    figure, html = shown_by(twin)
    assert isinstance(figure["text/plain"], str)
    assert html["text/html"] == twin.static


def test_a_cell_shows_figure_and_table_first_and_the_sliders_after(twin: CrossoverTwin):
    *plain, live = shown_by(twin)
    assert len(plain) == 2
    assert not any("widget" in kind for output in plain for kind in output)  # a stored notebook loses what has widgets
    assert "application/vnd.jupyter.widget-view+json" in live

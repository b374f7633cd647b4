"""Figures of systems that predict what comes next."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from llmarm_tutorial.figures import house_style, sequences

MEANS = pd.DataFrame({"mean": [0.2, 0.3], "low": [0.1, 0.2], "high": [0.3, 0.4]}, index=["counts", "model"])


@pytest.mark.parametrize(("winners", "painted"), [(None, []), ({"next": None}, []), ({"next": "model"}, [1])])
def test_a_system_is_painted_only_if_it_is_said_to_win(winners, painted):
    figure = sequences.scores({"next": MEANS}, "NDCG@10", winners)
    colors = [bar.get_facecolor() for bar in figure.axes[0].patches]
    accent = plt.matplotlib.colors.to_rgba(house_style.ACCENT)
    assert [place for place, color in enumerate(colors) if color == accent] == painted

"""The crossover as an interactive twin: turn the dial of the corner shop, and see who wins."""

from __future__ import annotations

import io
from html import escape
from typing import Any

import numpy as np
import pandas as pd
from IPython.display import HTML, display

from llmarm_tutorial.data.shop.structure_plan import STRUCTURE
from llmarm_tutorial.errors import UnknownName
from llmarm_tutorial.evaluation.verdicts import LEVEL, LOSES, WINS
from llmarm_tutorial.figures.crossover import crossover
from llmarm_tutorial.lesson.results import NO_FORMULAS
from llmarm_tutorial.lesson.widgets import ipywidgets


def crossover_table(table: pd.DataFrame, structure: float, baskets: str) -> pd.DataFrame:
    """Who wins at one setting of the dial: every question about the next visit, and rules of some support.

    Args:
        table: Result of `recorded_crossover`.
        structure: A recorded setting of the dial.
        baskets: In how many baskets the antecedent of a rule is, such as "1 to 4".

    Returns:
        One row per question: `asked`, `metric`, `gain` of the model on the best counting, `low`, `high` and `verdict`.

    Raises:
        UnknownName: If there is no such setting or support.
    """
    rules = table["part"] == "confidences"
    for kind, name, known in (
        ("structure", f"{structure:g}", table["structure"].map("{:g}".format)),
        ("number of baskets", baskets, table.loc[rules, "asked"]),
    ):
        if name not in set(known):
            raise UnknownName(kind, name, list(dict.fromkeys(known)))
    asked = (
        table["metric"].isin(["NDCG@10", "RMSE"]) & (table["system"] == "model") & (~rules | table["asked"].eq(baskets))
    )
    rows = table[asked & np.isclose(table["structure"], structure)]
    named = rows["asked"].mask(rows["part"] == "confidences", f"confidences of rules in {baskets} baskets")
    columns = ["asked", "metric", "gain", "low", "high", "verdict"]
    return rows.assign(asked=named)[columns].sort_values("metric", kind="stable", ignore_index=True)


def crossover_html(table: pd.DataFrame, structure: float, baskets: str) -> str:
    """Who wins at one setting of the dial, as a sentence and an HTML table; see `crossover_table`."""
    rows = crossover_table(table, structure, baskets)
    fell = rows["verdict"].value_counts()
    won = [f"the model wins {fell.get(WINS, 0)}", f"counting {fell.get(LOSES, 0)}", f"{fell.get(LEVEL, 0)} are level"]
    body = ""
    for row in rows.itertuples():
        who = {WINS: "the model", LOSES: "counting", LEVEL: "neither"}[row.verdict]
        gain = f"{row.gain:+.4f} [{row.low:+.4f}, {row.high:+.4f}] {row.metric}"
        cells = "".join(f'<td style="text-align:left">{escape(cell)}</td>' for cell in (row.asked, who, gain))
        body += f"<tr>{cells}</tr>"
    heads = ("asked", "who wins", "gain of the model, 95 % interval")
    head = "".join(f'<th style="text-align:left">{name}</th>' for name in heads)
    return (
        f"<p>Structure {structure:g}: of {len(rows)} questions {', '.join(won)}.</p>"
        f"<table {NO_FORMULAS}><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


class CrossoverTwin:
    """Who wins as the dial of the corner shop is turned; made by `crossover_twin`.

    Attributes:
        figure: The figure of all settings.
        static: HTML of the sentence and the table at the start.
        dial: Slider of the recorded settings of the dial; None without ipywidgets.
        support: Slider of the supporting baskets; None without ipywidgets.
        image: The figure with the chosen setting and line; None without ipywidgets.
        shown: Sentence and table of what is chosen, its value is HTML; None without ipywidgets.
    """

    def __init__(self, table: pd.DataFrame, structure: float, baskets: str, live: bool) -> None:
        self._table = table
        self.figure, self.static = crossover(table), crossover_html(table, structure, baskets)
        self.dial = self.support = self.image = self.shown = None
        if live:
            wide = ipywidgets.Layout(width="420px")
            dials = [(f"{dial:g}", dial) for dial in sorted(set(table["structure"]))]
            asked = list(dict.fromkeys(table.loc[table["part"] == "confidences", "asked"]))
            supports = sorted(asked, key=lambda name: int(name.split()[0]))
            about = {"layout": wide, "style": {"description_width": "130px"}, "continuous_update": False}
            self.dial = ipywidgets.SelectionSlider(options=dials, value=structure, description="structure", **about)
            self.support = ipywidgets.SelectionSlider(
                options=supports, value=baskets, description="supporting baskets", **about
            )
            self.image, self.shown = ipywidgets.Image(format="png", width=900), ipywidgets.HTML()
            for slider in (self.dial, self.support):
                slider.observe(self._refresh, "value")
            self._refresh()

    def _refresh(self, _: dict[str, Any] | None = None) -> None:
        chosen = self.dial.value, self.support.value
        self.shown.value = crossover_html(self._table, *chosen)
        file = io.BytesIO()
        crossover(self._table, chosen).savefig(file, format="png")
        self.image.value = file.getvalue()

    def _ipython_display_(self) -> None:
        """Show the figure and what it says at the start, and below, where there are widgets, the live ones."""
        display(self.figure)
        display(HTML(self.static))
        if self.dial is not None:
            title = ipywidgets.HTML("<b>Try it</b>: turn the dial, and ask for rules of another support.")
            display(ipywidgets.VBox([title, self.dial, self.support, self.image, self.shown]))


def crossover_twin(
    table: pd.DataFrame, structure: float = STRUCTURE, baskets: str = "1 to 4", *, live: bool | None = None
) -> CrossoverTwin:
    """Turn the dial of the corner shop, and see where the model wins and where counting does.

    As the value of a cell it shows the figure of all settings and what it says at the start, then the sliders; a page
    without a kernel keeps figure and table.

    Args:
        table: Result of `recorded_crossover`.
        structure: A recorded setting of the dial, for the start.
        baskets: Supporting baskets of the rules asked at the start.
        live: Whether to make the sliders; None makes them if ipywidgets is installed.

    Raises:
        UnknownName: If that setting or support was not recorded.
    """
    live = ipywidgets is not None if live is None else live and ipywidgets is not None
    return CrossoverTwin(table, structure, baskets, live)

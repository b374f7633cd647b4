"""The figure of the crossover: where a model passes counting, as the dial of the corner shop is turned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from llmarm_tutorial.data.shop.structure_plan import STRUCTURE
from llmarm_tutorial.evaluation.verdicts import LEVEL, verdict
from llmarm_tutorial.figures.house_style import ACCENT, FOURTH, HALO, INK, SECOND, THIRD, finished
from llmarm_tutorial.figures.panels import reach

ABOVE, BELOW = "#E8F1F8", "#FBEDE4"  # light shades of the colours of model and counting
LOOKS = {
    "customers in a project": (ACCENT, "o"),
    "products of the range": ("#56B4E9", "s"),
    "never bought before": (THIRD, "^"),
    "all customers": (INK, "D"),
    "bought before": (SECOND, "v"),
    "1 to 4": (ACCENT, "o"),
    "5 to 19": ("#56B4E9", "s"),
    "20 to 99": (FOURTH, "^"),
    "100 and more": (SECOND, "v"),
}  # look of what is asked, in the order from the model's home to counting's


class Panel(NamedTuple):
    """One panel.

    Attributes:
        part: Which rows, by their column `part`.
        metric: Which rows, by their column `metric`.
        title: Its title.
        ylabel: What is gained.
        scale: What gains are multiplied by.
        suffix: Put behind the names of lines.
    """

    part: str
    metric: str
    title: str
    ylabel: str
    scale: float = 1
    suffix: str = ""


PANELS = (
    Panel("next visit", "NDCG@10", "The next visit", "gain of the model, NDCG@10"),
    Panel("confidences", "RMSE", "Confidences of rules", "error saved by the model,\npercentage points of RMSE",
          100, " baskets"),
)  # fmt: skip


def crossover(table: pd.DataFrame, marked: tuple[float, str] | None = None) -> Figure:
    """What the model gains on the best counting at every setting of the dial, a line per question, with intervals.

    A dot is filled where its interval lies on one side of zero. Lines are named at their ends.

    Args:
        table: Result of `recorded_crossover`; the rows of the joined system are not drawn.
        marked: A setting of the dial and a number of baskets to show: a line across both panels, the line of the
            rules drawn bold. None shows the shipped shop and favours no line.
    """
    table = table[table["system"] == "model"]
    figure, axes = plt.subplots(1, 2, figsize=(11.4, 4.6))
    at, bold = marked or (STRUCTURE, "")
    for axis, panel in zip(axes, PANELS, strict=True):
        rows = table[(table["part"] == panel.part) & (table["metric"] == panel.metric)]
        _draw_lines(axis, rows, panel, bold if bold in set(rows["asked"]) else "")
        _draw_regions(axis)
        axis.axvline(at, color=INK, lw=0.8, ls=":", zorder=1)
        axis.annotate("this shop" if marked else "shipped shop", (at, 1), (0, 3), xycoords=("data", "axes fraction"),
                      textcoords="offset points", ha="center", va="bottom", fontsize=8, color=INK)  # fmt: skip
        axis.set_title(panel.title, pad=16)
        axis.set(ylabel=panel.ylabel, xlabel="structure of the shop (0: nothing but tastes and habits)")
    filled = Line2D([], [], marker="o", ls="", color=INK, label="interval on one side of zero")
    hollow = Line2D([], [], marker="o", ls="", color=INK, mfc="white", label="level: the interval holds zero")
    figure.legend(handles=[filled, hollow], loc="outside lower center", ncols=2)
    return finished(figure)


def _draw_lines(axis: Axes, rows: pd.DataFrame, panel: Panel, bold: str) -> None:
    """A line with its intervals for everything asked, named at its right end."""
    asked = [name for name in LOOKS if name in set(rows["asked"])]
    ends = {}
    for number, name in enumerate(asked):
        color, marker = LOOKS[name]
        line = rows[rows["asked"] == name].sort_values("structure")
        x = line["structure"].to_numpy() + 0.009 * (number - (len(asked) - 1) / 2)  # so that intervals stay apart
        gain, low, high = (panel.scale * line[column].to_numpy() for column in ("gain", "low", "high"))
        faded = 0.3 if bold and name != bold else 1.0
        axis.errorbar(x, gain, reach(gain, low, high), color=color, lw=2.6 if name == bold else 1.8, alpha=faded,
                      elinewidth=1.2, capsize=2.5, zorder=3)  # fmt: skip
        sure = np.array([verdict(*interval) != LEVEL for interval in zip(low, high, strict=True)])
        axis.scatter(x, gain, s=34, marker=marker, edgecolor=color, c=np.where(sure, color, "white"), zorder=4,
                     alpha=1.0, linewidths=1.3)  # fmt: skip
        ends[name] = float(gain[-1])
    low, high = axis.get_ylim()
    places = spread(ends, 0.062 * (high - low))
    for name, y in places.items():
        weight = "bold" if name == bold else "normal"
        axis.annotate(f"{name}{panel.suffix}", (1.04, ends[name]), (1.1, y), color=INK, va="center", fontsize=9,
                      weight=weight, annotation_clip=False,
                      arrowprops={"arrowstyle": "-", "color": LOOKS[name][0], "lw": 1.2})  # fmt: skip
    axis.set_ylim(low, high)
    axis.set_xlim(-0.06, 1.04)
    dials = sorted(set(rows["structure"]))
    axis.set_xticks(dials, [f"{dial:g}" for dial in dials])


def spread(ends: Mapping[str, float], apart: float) -> dict[str, float]:
    """Heights for names beside the ends of lines, at least so far apart, in the order of the ends.

    Names that would touch share the room around their middle.

    Args:
        ends: Name → height of its line's end.
        apart: Least distance of two names.
    """
    groups = [([name], y) for name, y in sorted(ends.items(), key=lambda end: end[1])]

    def bounds(group: tuple[list[str], float]) -> tuple[float, float]:
        half = (len(group[0]) - 1) / 2 * apart
        return group[1] - half, group[1] + half

    place = 0
    while place + 1 < len(groups):
        lower, upper = groups[place], groups[place + 1]
        if bounds(upper)[0] - bounds(lower)[1] >= apart - 1e-12:
            place += 1
            continue
        names = [*lower[0], *upper[0]]
        groups[place : place + 2] = [(names, float(np.mean([ends[name] for name in names])))]
        place = max(place - 1, 0)
    return {name: bounds(group)[0] + number * apart for group in groups for number, name in enumerate(group[0])}


def _draw_regions(axis: Axes) -> None:
    """The halves above and below zero, and whose they are."""
    low, high = axis.get_ylim()
    room = 0.07 * (high - low)  # for the words
    low, high = min(low, 0.0) - room, max(high, 0.0) + room
    axis.set_ylim(low, high)
    axis.axhspan(0, high, color=ABOVE, zorder=0)
    axis.axhspan(low, 0, color=BELOW, zorder=0)
    axis.axhline(0, color=INK, lw=1.0, zorder=2)
    axis.grid(axis="x", visible=False)
    for y, va, words, color in ((0.98, "top", "the model wins", ACCENT), (0.02, "bottom", "counting wins", SECOND)):
        axis.text(0.02, y, words, transform=axis.transAxes, va=va, color=color, fontsize=10, weight="bold",
                  path_effects=HALO, zorder=5)  # fmt: skip

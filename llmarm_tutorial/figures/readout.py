"""Figures of the lesson that reads rules out of a model: errors by support, agreement, calibration, cost."""

from __future__ import annotations

from collections.abc import Iterable

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from llmarm_tutorial.figures.house_style import (
    ACCENT,
    CYCLE,
    FOURTH,
    INK,
    QUIET,
    SECOND,
    finished,
    plain_log_ticks,
)
from llmarm_tutorial.figures.panels import reach
from llmarm_tutorial.mining.antecedents import band_names

LOOKS = {
    "counts": (QUIET, "--"),
    "shrunk": (QUIET, "-"),
    "item-kNN": ("#E69F00", "-"),
    "back-off": (FOURTH, "-"),
    "best count": (INK, "-"),
    "masked gaps, calibrated": ("#56B4E9", ":"),
    "model": (ACCENT, "-"),
    "combined": (SECOND, "-"),
}
MEASURES = {
    "rmse": "error of the confidence (RMSE)",
    "log_loss": "log loss, nats per basket",
    "brier": "Brier score per basket",
}


def draw_crossover(axis: Axes, table: pd.DataFrame, measure: str = "rmse") -> None:
    """Draw an error of several estimates by the number of baskets behind the antecedent into an axis.

    Args:
        axis: Where to draw.
        table: Columns `band`, `estimate`, the measure, and `seed` where there are several: then the line is their mean
            and the bars reach from the lowest to the highest.
        measure: A key of `MEASURES`.
    """
    bands = list(dict.fromkeys(table["band"]))
    for name, (color, dashes) in LOOKS.items():
        rows = table[table["estimate"] == name]
        if rows.empty:
            continue
        spread = rows.groupby("band")[measure].agg(["mean", "min", "max"]).reindex(bands)
        bars = reach(spread["mean"], spread["min"], spread["max"])
        axis.errorbar(range(len(bands)), spread["mean"], bars if bars.any() else None, color=color, ls=dashes,
                      marker="o", ms=3.5, label=name, elinewidth=1, capsize=2)  # fmt: skip
    axis.set_xticks(range(len(bands)), _short(bands), fontsize=8)
    axis.set(xlabel="training baskets behind the antecedent", ylabel=MEASURES[measure], yscale="log")
    plain_log_ticks(axis.yaxis)


def _short(bands: Iterable[str]) -> list[str]:
    return [band.replace(" to ", "–").replace(" and more", "+") for band in bands]


def gains(table: pd.DataFrame, over: str, ylabel: str) -> Figure:
    """What estimates gain over another one by the number of baskets behind the antecedent, a panel per group of rules.

    A dot is filled where its interval lies on one side of zero.

    Args:
        table: A row per group, band and estimate: `group`, `band`, `estimate`, `gain` and the ends `low` and `high` of
            its paired interval; NaN where noise hides it.
        over: The estimate that is gained on.
        ylabel: What is gained, with its unit.
    """
    groups = list(dict.fromkeys(table["group"]))
    bands = [band for band in band_names() if band in set(table["band"])]
    figure, axes = plt.subplots(1, len(groups), figsize=(max(6.0, 4.6 * len(groups)), 3.8), sharey=True, squeeze=False)
    names = list(dict.fromkeys(table["estimate"]))
    for axis, group in zip(axes[0], groups, strict=True):
        here = table[table["group"] == group]
        for number, name in enumerate(names):
            rows = here[here["estimate"] == name].set_index("band").reindex(bands)
            at = np.arange(len(bands)) + (number - (len(names) - 1) / 2) * 0.25
            color, _ = LOOKS[name]
            sure = (rows["low"] > 0) | (rows["high"] < 0)
            axis.errorbar(at, rows["gain"], reach(rows["gain"], rows["low"], rows["high"]), ls="none", color=color,
                          capsize=2, elinewidth=1.2)  # fmt: skip
            axis.scatter(at, rows["gain"], s=28, color=np.where(sure, color, "white"), edgecolor=color, zorder=3,
                         label=name)  # fmt: skip
        axis.axhline(0, color=INK, lw=0.8)
        axis.set_xticks(range(len(bands)), _short(bands), fontsize=8)
        axis.set(xlabel="training baskets behind the antecedent", title=group)
    axes[0][0].set_ylabel(ylabel)
    handles = [Line2D([], [], marker="o", ls="", color=LOOKS[name][0], label=f"{name} over {over}") for name in names]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return finished(figure)


def agreement(counted: np.ndarray, estimates: dict[str, np.ndarray], about: str) -> Figure:
    """Confidences as counted against those estimated, a panel per way of estimating.

    Args:
        counted: Counted confidences, shape (n,).
        estimates: Title of the panel → confidences for the same rules.
        about: Which rules these are, for the axis.
    """
    figure, axes = plt.subplots(
        1, len(estimates), figsize=(4.4 * len(estimates), 4.0), sharex=True, sharey=True, squeeze=False
    )
    top = max(float(counted.max()), *(float(values.max()) for values in estimates.values())) * 1.05
    for axis, (title, values) in zip(axes[0], estimates.items(), strict=True):
        axis.plot([0, top], [0, top], color=QUIET, lw=1)
        axis.scatter(counted, values, s=6, alpha=0.35, lw=0, color=ACCENT, rasterized=True)
        axis.set(title=title, xlabel=f"counted {about}", xlim=(0, top), ylim=(0, top))
    axes[0][0].set_ylabel("estimated")
    return finished(figure)


def of_two_items(table: pd.DataFrame) -> Figure:
    """Confidences of rules of two items, a row per rule: given both (filled), and the higher given one (hollow).

    Args:
        table: Rules × (way of estimating, "both" or "one").
    """
    ways = list(dict.fromkeys(way for way, _ in table.columns))
    figure, axis = plt.subplots(figsize=(8.5, 1.2 + 0.55 * len(table)))
    for number, way in enumerate(ways):
        at = np.arange(len(table)) + (number - (len(ways) - 1) / 2) * 0.8 / len(ways)
        color = INK if number >= len(CYCLE) else CYCLE[number]
        one, both = table[way, "one"], table[way, "both"]
        axis.hlines(at, one, both, color=color, lw=1)
        axis.scatter(one, at, s=24, color="white", edgecolor=color, zorder=3)
        axis.scatter(both, at, s=24, color=color, zorder=3, label=way)
    axis.set_yticks(range(len(table)), table.index, fontsize=8)
    axis.invert_yaxis()
    axis.set(xlabel="confidence given both items (filled), and the higher given one (hollow)", xlim=(0, None))
    figure.legend(loc="outside lower center", ncols=len(ways))
    return finished(figure)


def read_cost(table: pd.DataFrame, training_seconds: float) -> Figure:
    """Seconds until the best rules are there, by minimum support; the model with and without its training.

    Args:
        table: Columns `way`, `least_baskets`, `seconds`.
        training_seconds: What training cost beforehand.
    """
    figure, axis = plt.subplots(figsize=(8.5, 3.8))
    rows = table.sort_values("least_baskets")
    for color, (way, part) in zip(CYCLE, rows.groupby("way", sort=False), strict=False):
        axis.plot(part["least_baskets"], part["seconds"], "o-", ms=4, color=color, label=way)
        if way == "model":
            axis.plot(part["least_baskets"], part["seconds"] + training_seconds, "o:", ms=4, color=color,
                      label="model, its training included")  # fmt: skip
    axis.set(xscale="log", yscale="log", xlabel="least number of joint baskets", ylabel="seconds")
    axis.invert_xaxis()
    for side in (axis.xaxis, axis.yaxis):
        plain_log_ticks(side)
    axis.set_title("Time to the best 1,000 rules of up to three items")
    figure.legend(loc="outside right upper")
    return finished(figure)

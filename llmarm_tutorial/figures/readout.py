"""Figures of the lesson that reads rules out of a model: errors by support, agreement, calibration, cost."""

from __future__ import annotations

from collections.abc import Iterable

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from llmarm_tutorial.figures.house_style import (
    ACCENT,
    CYCLE,
    FOURTH,
    INK,
    QUIET,
    SECOND,
    THIRD,
    finished,
    plain_log_ticks,
)
from llmarm_tutorial.figures.panels import reach
from llmarm_tutorial.mining.judging import wide_by_band

LOOKS = {
    "counts": (QUIET, "--"),
    "shrunk": (QUIET, "-"),
    "item-kNN": ("#E69F00", "-"),
    "back-off": (FOURTH, "-"),
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


def crossover(tables: dict[str, pd.DataFrame], measure: str = "rmse") -> Figure:
    """An error by the number of baskets behind the antecedent, a panel per judge.

    Args:
        tables: Title of the panel → table as `draw_crossover` takes it.
        measure: A key of `MEASURES`.
    """
    figure, axes = plt.subplots(1, len(tables), figsize=(5.6 * len(tables), 4.0), sharey=True, squeeze=False)
    for axis, (title, table) in zip(axes[0], tables.items(), strict=True):
        draw_crossover(axis, table, measure)
        axis.set_title(title)
    for axis in axes[0][1:]:
        axis.set_ylabel("")
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper")
    return finished(figure)


def gain(table: pd.DataFrame, against: str = "shrunk") -> Figure:
    """What each estimate gains over a reference, in nats of log loss per unseen basket, by band.

    Args:
        table: Columns `band`, `estimate`, `log_loss`.
        against: The reference.
    """
    figure, axis = plt.subplots(figsize=(8.5, 3.6))
    wide = wide_by_band(table, "log_loss")
    names = [name for name in LOOKS if name in wide and name not in (against, "counts", "masked gaps, calibrated")]
    width = 0.8 / len(names)
    for place, name in enumerate(names):
        color, _ = LOOKS[name]
        at = np.arange(len(wide)) + (place - (len(names) - 1) / 2) * width
        axis.bar(at, wide[against] - wide[name], width, color=color, label=name)
    axis.axhline(0, color=INK, lw=0.8)
    axis.set_xticks(range(len(wide)), _short(wide.index))
    axis.set(xlabel="training baskets behind the antecedent", ylabel="nats gained per unseen basket")
    axis.set_title(f"Gain over “{against}” (above zero is better)")
    axis.legend()
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


def calibrations(tables: dict[str, pd.DataFrame], title: str) -> Figure:
    """Predicted against observed confidence, a line per estimate.

    Args:
        tables: Name of the estimate (a key of `LOOKS`) → result of `judging.calibration`.
        title: Title.
    """
    figure, axis = plt.subplots(figsize=(5.2, 4.2))
    low = min(float(t[["predicted", "observed"]].replace(0, np.nan).min().min()) for t in tables.values())
    axis.plot([low, 1], [low, 1], color=INK, lw=0.8)
    for name, table in tables.items():
        color, dashes = LOOKS[name]
        axis.plot(table["predicted"], table["observed"].replace(0, np.nan), ls=dashes, marker="o", ms=4, color=color,
                  label=name)  # fmt: skip
    axis.set(xscale="log", yscale="log", xlabel="estimated confidence", ylabel="share that came true", title=title)
    plain_log_ticks(axis.xaxis)
    plain_log_ticks(axis.yaxis)
    axis.legend()
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


def carried_by(names: list[str], effects: dict[str, np.ndarray], title: str) -> Figure:
    """How much each item of an antecedent speaks for the consequent.

    Args:
        names: Items of the antecedent.
        effects: Label → change of log odds when the item is left out, shape (len(names),).
        title: The rule.
    """
    figure, axis = plt.subplots(figsize=(7.5, 0.7 + 0.75 * len(names)))
    height = 0.8 / len(effects)
    colors = (QUIET, ACCENT, THIRD, SECOND)
    for place, (color, (label, values)) in enumerate(zip(colors, effects.items(), strict=False)):
        at = np.arange(len(names)) + (place - (len(effects) - 1) / 2) * height
        axis.barh(at, values, height, color=color, label=label)
    axis.axvline(0, color=INK, lw=0.8)
    axis.set_yticks(range(len(names)), names)
    axis.invert_yaxis()
    axis.set(xlabel="log odds that the item adds to those of the others", title=title)
    figure.legend(loc="outside right upper")
    return finished(figure)

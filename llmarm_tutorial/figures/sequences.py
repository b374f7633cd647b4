"""Figures of customers over time: their visits, what follows what, and scores of systems that foretell it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from llmarm_tutorial.figures.house_style import ACCENT, INK, QUIET, SECOND, finished
from llmarm_tutorial.figures.labels import short
from llmarm_tutorial.figures.panels import reach


def timelines(visits: Sequence[tuple[np.ndarray, np.ndarray]], names: tuple[str, str], within: int) -> Figure:
    """Customers as lines of visits, with the visits that hold one of two items.

    Args:
        visits: Per customer two truth values per visit: holds the first item, holds the second; shapes (n_visits,).
        names: Names of the two items.
        within: Width of the window in visits: a line leads from a first item to a second one that comes in time.
    """
    figure, axis = plt.subplots(figsize=(8.5, 0.26 * len(visits) + 1.2))
    for row, (first, second) in enumerate(visits):
        axis.plot(np.arange(len(first)), np.full(len(first), row), "|", ms=5, color=QUIET)
        for at in np.flatnonzero(first):
            soon = at + 1 + np.flatnonzero(second[at + 1 : at + 1 + within])
            if len(soon):
                axis.plot([at, soon[0]], [row, row], color=SECOND, lw=2.5, alpha=0.45, solid_capstyle="butt")
        axis.plot(np.flatnonzero(first), np.full(first.sum(), row), "o", ms=6, color=ACCENT)
        axis.plot(np.flatnonzero(second), np.full(second.sum(), row), "D", ms=5.5, color=SECOND)
    handles = [
        mpl.lines.Line2D([], [], marker="o", ls="", color=ACCENT, label=names[0][:40]),
        mpl.lines.Line2D([], [], marker="D", ls="", color=SECOND, label=names[1][:40]),
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=2)
    axis.set(xlabel="visit", ylabel="customers", yticks=[], ylim=(len(visits) - 0.4, -0.6))
    axis.xaxis.set_major_locator(mpl.ticker.MaxNLocator(integer=True))
    axis.grid(axis="y", visible=False)
    return finished(figure)


def by_window(widths: pd.DataFrame, name: str) -> Figure:
    """What a wider window does to the confidence of a rule, to what it would be anyway, and to the lift.

    Args:
        widths: Columns `within` (visits), `confidence`, `base` (shares) and `lift`.
        name: The rule in words.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.5, 3.4))
    left.plot(widths["within"], widths["confidence"] * 100, "o-", ms=4, color=ACCENT)
    left.plot(widths["within"], widths["base"] * 100, "o-", ms=4, color=QUIET)
    for column, color, text in (("confidence", ACCENT, "after the antecedent"), ("base", "#5F6973", "after any visit")):
        last = widths.iloc[-1]
        end = (last["within"], last[column] * 100)
        left.annotate(text, end, xytext=(0, 7), textcoords="offset points", ha="right", color=color)
    left.set(ylim=(0, widths["confidence"].max() * 115), ylabel="% of visits followed by it", title=name[:60])
    right.plot(widths["within"], widths["lift"], "o-", ms=4, color=SECOND)
    right.axhline(1, ls=":", color=QUIET)
    right.set(ylim=(0, None), ylabel="lift", title="Lift")
    for axis in (left, right):
        axis.set_xlabel("width of the window, visits")
        axis.xaxis.set_major_locator(mpl.ticker.MaxNLocator(integer=True))
    return finished(figure)


def before_and_after(profiles: pd.DataFrame, columns: int = 3) -> Figure:
    """How much more often than by chance b comes g visits after a, for gaps on both sides of 0; one panel per pair.

    Args:
        profiles: Columns `pair` (in words), `gap` (visits) and `lift`; panels in the order of the table.
        columns: Panels side by side.
    """
    pairs = list(dict.fromkeys(profiles["pair"]))
    rows = -(-len(pairs) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(10, 2.4 * rows), sharex=True, squeeze=False)
    for axis, pair in zip(axes.flat, pairs, strict=False):
        part = profiles[profiles["pair"] == pair]
        colors = np.select([part["gap"] > 0, part["gap"] == 0], [SECOND, "#5F6973"], QUIET)
        axis.bar(part["gap"], part["lift"], color=colors)
        axis.axhline(1, ls=":", color=INK, lw=1)
        axis.set_title(short(pair, 43), fontsize=9)
        axis.xaxis.set_major_locator(mpl.ticker.MaxNLocator(integer=True))
        axis.grid(axis="x", visible=False)
    for axis in axes.flat[len(pairs) :]:
        axis.set_axis_off()
    for axis in axes[-1]:
        axis.set_xlabel("visits after the first item")
    for axis in axes[:, 0]:
        axis.set_ylabel("times chance")
    return finished(figure)


def scores(means: Mapping[str, pd.DataFrame], metric: str, winners: Mapping[str, str | None] | None = None) -> Figure:
    """A metric of several systems with its intervals, one panel per task.

    Args:
        means: Name of the task → table indexed by system with columns `mean`, `low` and `high`; the first row comes on
            top.
        metric: Name of the metric.
        winners: Name of the task → the system to paint, see `comparison.clear_winner`; nothing else is painted, since
            intervals side by side do not tell who is ahead.
    """
    names = list(dict.fromkeys(system for table in means.values() for system in table.index))
    figure, axes = plt.subplots(
        1, len(means), figsize=(9.5, 0.34 * len(names) + 1.1), sharey=True, squeeze=False, layout="constrained"
    )
    place = {name: row for row, name in enumerate(names)}
    for axis, (task, table) in zip(axes.flat, means.items(), strict=True):
        rows = [place[name] for name in table.index]
        best = table.index == (winners or {}).get(task)
        axis.barh(rows, table["mean"], color=np.where(best, ACCENT, QUIET), height=0.66)
        bars = reach(table["mean"], table["low"], table["high"])
        axis.errorbar(table["mean"], rows, xerr=bars, fmt="none", ecolor=INK, elinewidth=1.2, capsize=2.5)
        axis.set(xlabel=metric, title=task, xlim=(0, None))
        axis.xaxis.set_major_locator(mpl.ticker.MaxNLocator(5))
        axis.grid(axis="y", visible=False)
    axes[0, 0].set_yticks(range(len(names)), names)
    axes[0, 0].invert_yaxis()
    return finished(figure)

"""Figures of the lesson on recommending: trade-offs, overlaps, groups of customers, waiting times."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from llmarm_tutorial.figures.house_style import ACCENT, QUIET, SECOND, finished, look, plain_log_ticks, power_ticks
from llmarm_tutorial.figures.panels import draw_cells, draw_groups


def tradeoff(
    curves: dict[str, pd.DataFrame], points: pd.DataFrame, named: tuple[float, ...] = (0.5, 0.7, 0.9)
) -> Figure:
    """Accuracy against diversity, a panel per data set: a line of re-ranked lists, and systems as they are as points.

    Args:
        curves: Title of the panel → columns `trade`, `accuracy`, `diversity`, one row per trade.
        points: Columns `panel` (a key of `curves`), `system`, `accuracy`, `diversity`.
        named: Trades written beside the line.
    """
    figure, axes = plt.subplots(1, len(curves), figsize=(4.4 * len(curves) + 1.5, 4.0), squeeze=False)
    looks = {name: look(n) for n, name in enumerate(dict.fromkeys(points["system"]), 1)}
    drawn = {}
    for axis, (title, curve) in zip(axes[0], curves.items(), strict=True):
        curve = curve.sort_values("trade")
        (drawn["marginal relevance"],) = axis.plot(
            curve["diversity"], curve["accuracy"], ".-", color=ACCENT, lw=1.2, zorder=1
        )
        for row in curve[curve["trade"].isin(named)].itertuples():
            axis.annotate(f"{row.trade:g}", (row.diversity, row.accuracy), xytext=(4, 4), textcoords="offset points",
                          fontsize=8, color=ACCENT)  # fmt: skip
        for row in points[points["panel"] == title].itertuples():
            drawn[row.system] = axis.scatter(row.diversity, row.accuracy, s=42, zorder=2, **looks[row.system])
        axis.set(title=title, xlabel="diversity of the first 10")
    axes[0][0].set_ylabel("NDCG@10")
    figure.legend(drawn.values(), drawn.keys(), loc="outside right upper")
    return finished(figure)


def overlaps(table: pd.DataFrame, title: str = "Share of the first 10 in common") -> Figure:
    """How much the lists of systems agree, as a heat map with its numbers.

    Args:
        table: Result of `groups.overlap`.
        title: Title.
    """
    n = len(table)
    figure, axis = plt.subplots(figsize=(2.6 + 0.62 * n, 1.6 + 0.5 * n))
    image = draw_cells(axis, table, form=".2f", rotation=40, fontsize=8)
    axis.set_title(title)
    figure.colorbar(image, ax=axis, shrink=0.8)
    return finished(figure)


def groups(table: pd.DataFrame, xlabel: str, ylabel: str = "NDCG@10") -> Figure:
    """A metric in groups of cases, a dot per system with its interval.

    Args:
        table: Columns `segment`, `system`, `mean`, `low`, `high`, and `cases` where the groups' sizes are to be shown;
            segments and systems are drawn in the order of their first rows.
        xlabel: What the groups are.
        ylabel: What is measured.
    """
    figure, axis = plt.subplots(figsize=(max(6.0, 1.1 * table["segment"].nunique() + 3.4), 3.8))
    draw_groups(axis, table, "segment", "system", size="cases")
    axis.set(xlabel=xlabel, ylabel=ylabel, ylim=(0, None))
    figure.legend(loc="outside right upper")
    return finished(figure)


def waiting(table: pd.DataFrame) -> Figure:
    """What one customer waits for a list, and how many lists there are in a second if many are asked for at once.

    Args:
        table: Columns `system`, `p50` and `p99` (seconds of a call for one customer) and `per_second` (lists, in
            batches).
    """
    table = table.sort_values("p50", ascending=False)
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.5, 1.2 + 0.34 * len(table)), sharey=True)
    at = np.arange(len(table))
    left.hlines(at, 1e3 * table["p50"], 1e3 * table["p99"], color=QUIET, lw=2)
    left.plot(1e3 * table["p50"], at, "o", color=ACCENT, label="median")
    left.plot(1e3 * table["p99"], at, "|", ms=10, mew=2, color=SECOND, label="99 of 100 wait less")
    left.set_yticks(at, table["system"])
    left.set(xscale="log", xlabel="milliseconds for one customer")
    figure.legend(loc="outside upper right", ncols=2)
    right.plot(table["per_second"], at, "o", color=ACCENT)  # no bars: a log axis has no zero for them to start at
    right.set(xscale="log", xlabel="lists per second, in batches")
    plain_log_ticks(left.xaxis)
    left.tick_params(axis="x", labelsize=8)
    power_ticks(right.xaxis, "{x:,.0f}")
    for axis in (left, right):
        axis.grid(axis="y", visible=False)
    return finished(figure)

"""Figures of the lesson on distillation and compression: quality against cost, methods over seeds, soft labels."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from llmarm_tutorial.figures.house_style import ACCENT, INK, QUIET, SECOND, finished, look, plain_log_ticks
from llmarm_tutorial.figures.labels import write_names
from llmarm_tutorial.figures.panels import front


def pareto(table: pd.DataFrame, teacher: float | None = None, share: float = 0.97, metric: str = "NDCG@10") -> Figure:
    """Quality against bytes and against waiting time, with a line up the points that have no higher one at less cost.

    Args:
        table: One row per system: `system`, `family`, `quality`, `bytes`, `p50` (seconds of a call for one customer),
            and `name`, what is written beside the point ("" for nothing); without it the points on the lines are named.
            With `low` and `high` each point has a bar between them: whether a step up is more than noise.
        teacher: Quality of the teacher, for a line at a share of it; None draws none.
        share: That share.
        metric: What the quality is.
    """
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.6), sharey=True)
    families = list(dict.fromkeys(table["family"]))
    quality = table["quality"].to_numpy()
    panels = ((axes[0], table["bytes"].to_numpy() / 1e3, "kilobytes"),
              (axes[1], table["p50"].to_numpy() * 1e3, "milliseconds for one customer, median"))  # fmt: skip
    for axis, cost, label in panels:
        best = front(cost, quality)
        axis.set(xscale="log", xlabel=f"{label} (logarithmic)")
        for family, rows in table.reset_index(drop=True).groupby("family", sort=False):
            shown = look(families.index(family))
            if {"low", "high"} <= set(rows):
                axis.vlines(cost[rows.index], rows["low"], rows["high"], color=shown["color"], lw=1, alpha=0.6)
            axis.plot(cost[rows.index], quality[rows.index], ls="none", ms=6.5, mec="white", mew=0.6, label=family,
                      zorder=3, **shown)  # fmt: skip
        _wide_enough(axis, cost)
        axis.step([*cost[best], axis.get_xlim()[1]], [*quality[best], quality[best][-1]], where="post", color=QUIET,
                  lw=1.4, zorder=1)  # fmt: skip
    low, high = axes[0].get_ylim()
    if teacher is not None:
        low = min(low, share * teacher - 0.05 * (high - low))
    axes[0].set_ylim(low, high + 0.06 * (high - low))
    if teacher is not None:
        for axis in axes:
            axis.axhline(share * teacher, color=INK, lw=1, ls="--", zorder=1)
        axes[1].text(1, share * teacher, f"{share:.0%} of the teacher", fontsize=8, color=INK, va="bottom",
                     ha="right", transform=axes[1].get_yaxis_transform())  # fmt: skip
    axes[0].set_ylabel(metric)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend([*handles, mpl.lines.Line2D([], [], color=QUIET)], [*labels, "no higher point at less cost"],
                  loc="outside lower center", ncols=min(5, len(labels) + 1))  # fmt: skip
    for axis, cost, _ in panels:
        named = front(cost, quality) if "name" not in table else np.flatnonzero(table["name"] != "")
        text = table["system" if "name" not in table else "name"].to_numpy()
        ranked = named[np.argsort(-quality[named], kind="stable")]
        write_names(axis, np.column_stack([cost, quality]), {row: text[row] for row in ranked})
    return finished(figure)


def _wide_enough(axis: Axes, cost: np.ndarray) -> None:
    low, high = cost.min(), cost.max()
    room = max((high / low) ** 0.12, 1.1)
    axis.set_xlim(low / room, high * room)
    plain_log_ticks(axis.xaxis)
    axis.tick_params(axis="x", labelsize=8)
    axis.xaxis.set_major_formatter("{x:,g}")


def methods(table: pd.DataFrame, lines: Mapping[str, float] | None = None, metric: str = "NDCG@10") -> Figure:
    """Ways to train a student side by side: every seed a small dot, their mean with one standard deviation.

    Args:
        table: Columns `method`, `quality`, a row per seed; methods are drawn best first.
        lines: Name → quality of what is no method, such as the teacher, as vertical lines.
        metric: What the quality is.
    """
    found = table.groupby("method", sort=False)["quality"].agg(["mean", "std"]).sort_values("mean")
    figure, axis = plt.subplots(figsize=(7.5, 1.5 + 0.36 * len(found)))
    at = {method: place for place, method in enumerate(found.index)}
    axis.plot(table["quality"], table["method"].map(at) - 0.22, "o", ms=3.5, color=QUIET, label="one seed")
    axis.errorbar(found["mean"], list(at.values()), xerr=found["std"].fillna(0), fmt="o", ms=6, color=ACCENT,
                  capsize=3, elinewidth=1.4, label="mean and standard deviation")  # fmt: skip
    for (name, value), dashes in zip((lines or {}).items(), ("--", ":", "-."), strict=False):
        axis.axvline(value, color=SECOND, lw=1.2, ls=dashes, label=name)
    axis.set_yticks(list(at.values()), list(at))
    axis.set(xlabel=metric, ylim=(-0.6, len(found) - 0.4))
    axis.grid(axis="y", visible=False)
    figure.legend(loc="outside right upper")
    return finished(figure)


def soft_labels(
    scores: np.ndarray,
    names: Sequence[str],
    bought: Collection[int],
    temperatures: Sequence[float] = (1.0, 2.0, 4.0),
    shown: int = 12,
) -> Figure:
    """What one case teaches: the chances of the first products at several temperatures, what was bought marked.

    Args:
        scores: The teacher's scores (logits) of all items for one case, shape (n_items,).
        names: Names of the items.
        bought: Codes of what was bought.
        temperatures: One panel each.
        shown: Products shown, those with the highest scores.
    """
    order = np.argsort(-scores, kind="stable")[:shown]
    figure, axes = plt.subplots(
        1,
        len(temperatures),
        figsize=(3.0 * len(temperatures) + 2.0, 0.9 + 0.28 * len(order)),
        sharex=True,
        sharey=True,
        squeeze=False,
    )
    colors = [ACCENT if item in bought else QUIET for item in order]
    for axis, heat in zip(axes[0], temperatures, strict=True):
        chances = np.exp((scores - scores.max()) / heat)
        chances /= chances.sum()
        axis.barh(np.arange(len(order)), chances[order], color=colors)
        axis.set_title(f"T = {heat:g}", fontsize=10)
        axis.set_xlabel("chance")
        axis.xaxis.set_major_locator(mpl.ticker.MaxNLocator(4))
        axis.xaxis.set_major_formatter(mpl.ticker.PercentFormatter(1))
        axis.grid(axis="y", visible=False)
        axis.text(0.97, 0.03, f"all others: {1 - chances[order].sum():.0%}", transform=axis.transAxes, ha="right",
                  va="bottom", fontsize=8, color=INK)  # fmt: skip
    axes[0, 0].set_yticks(np.arange(len(order)), [names[item] for item in order], fontsize=8)
    axes[0, 0].invert_yaxis()
    handles = [mpl.patches.Patch(color=ACCENT), mpl.patches.Patch(color=QUIET)]
    figure.legend(handles, ["bought next", "not bought"], loc="outside lower center", ncols=2)
    return finished(figure)

"""Figures of what a shop does with associations: pages, shelves, promotions, sales that move together."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy import sparse

from llmarm_tutorial.figures.house_style import ACCENT, INK, QUIET, SECOND, THIRD, finished, power_ticks
from llmarm_tutorial.figures.panels import reach


def pages(table: pd.DataFrame, at_random: float | None = None) -> Figure:
    """How many later baskets with a product took one of those on its page, by the way the page was filled.

    Args:
        table: Columns `way`, `with product` (share of the later baskets with the product that hold one shown), `low`
            and `high` (its interval), `without product` (share of those without it); see `pages.judge_pages`.
        at_random: Share of the baskets with the product that would hold one of as many products at random.
    """
    figure, axis = plt.subplots(figsize=(8.5, 0.9 + 0.55 * len(table)))
    at = np.arange(len(table))
    share = table["with product"] * 100
    bars = reach(share, table["low"] * 100, table["high"] * 100)
    axis.hlines(at, table["without product"] * 100, share, color=QUIET, lw=2)
    axis.plot(table["without product"] * 100, at, "o", color=QUIET, label="baskets without the product")
    axis.errorbar(share, at, xerr=bars, fmt="o", color=ACCENT, capsize=3, label="baskets with the product")
    if at_random is not None:
        axis.axvline(at_random * 100, color=SECOND, lw=1.2, ls=":", label="as many products at random", zorder=1)
    axis.set_yticks(at, table["way"])
    axis.set_ylim(len(table) - 0.5, -0.5)
    axis.set(xlabel="% of later baskets that hold one of the products shown", xlim=(0, None))
    figure.legend(loc="outside right upper")
    return finished(figure)


def shelves(orders: dict[str, np.ndarray], weights: sparse.csr_matrix, distances: dict[str, float]) -> Figure:
    """Links between products along the shelf, a panel per order: near the diagonal, linked products stand together.

    The area of a dot is the strength of its link.

    Args:
        orders: Title of the panel → codes in their order along the shelf.
        weights: Links to show, symmetric, shape (n, n).
        distances: Title of the panel → mean distance of linked products, in places.
    """
    figure, axes = plt.subplots(1, len(orders), figsize=(3.4 * len(orders), 3.9), sharey=True, squeeze=False)
    pairs = weights.tocoo()
    size = 0.5 + 45 * pairs.data / pairs.data.max()
    for axis, (title, order) in zip(axes[0], orders.items(), strict=True):
        place = np.argsort(order)
        axis.scatter(place[pairs.row], place[pairs.col], s=size, color=ACCENT, alpha=0.6, lw=0, rasterized=True)
        axis.set(xlim=(-1, len(order)), ylim=(len(order), -1), aspect="equal", xlabel="place on the shelf")
        axis.set_title(f"{title}\nmean distance {distances[title]:.0f} places", fontsize=10)
    axes[0][0].set_ylabel("place on the shelf")
    return finished(figure)


def promotion(
    table: pd.DataFrame, labels: Sequence[str], buyers: float, truth: Sequence[float] | None = None
) -> Figure:
    """Expected extra sales of each pair, naive and within strata, with intervals.

    Args:
        table: Result of `promotion.promotions`: for each pair first one way, then the other.
        labels: Name of each pair.
        buyers: Extra buyers that were assumed.
        truth: True extra sales of each pair, if known.
    """
    figure, axis = plt.subplots(figsize=(8.5, 1.1 + 0.55 * len(labels)))
    colors = {"naive": SECOND, "within strata": ACCENT}
    for (way, rows), shift in zip(table.groupby("way", sort=False), (-0.14, 0.14), strict=True):
        at = np.arange(len(rows)) + shift
        bars = reach(rows["expected"], rows["expected_low"], rows["expected_high"])
        axis.errorbar(rows["expected"], at, xerr=bars, fmt="o", ms=5, capsize=3, color=colors[way], label=way)
    if truth is not None:
        axis.plot(truth, range(len(labels)), "D", ms=7, mfc="none", mew=1.4, color=INK, label="truth", zorder=3)
    axis.axvline(0, color=INK, lw=0.8)
    axis.set_yticks(range(len(labels)), labels)
    axis.invert_yaxis()
    axis.set(xlabel=f"extra baskets with the second product for {buyers:,.0f} more buyers of the first")
    figure.legend(loc="outside right upper")
    return finished(figure)


def together_over_time(series: dict[str, tuple[np.ndarray, np.ndarray]], names: tuple[str, str]) -> Figure:
    """Weekly series of two products in panels below each other: as they are, and what is left of them.

    Args:
        series: Title of the panel → two arrays of shape (n_weeks,).
        names: Names of the two products.
    """
    figure, axes = plt.subplots(len(series), 1, figsize=(8.5, 1.7 * len(series) + 0.6), sharex=True, squeeze=False)
    for axis, (title, pair) in zip(axes[:, 0], series.items(), strict=True):
        for values, color, name in zip(pair, (ACCENT, SECOND), names, strict=True):
            axis.plot(values, color=color, lw=1.4, label=name)
        axis.set_title(title)
    axes[-1, 0].set(xlabel="week", xlim=(0, len(pair[0]) - 1))
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside right upper")
    return finished(figure)


def lift_and_movement(table: pd.DataFrame, usual: float, named: Sequence[int] = ()) -> Figure:
    """Correlation of weekly sales against basket lift, as it is and without common causes.

    Args:
        table: Columns `pair` (name), `lift`, `raw`, `adjusted`.
        usual: Adjusted correlations within minus this and this are as chance gives them.
        named: Rows to number and name.
    """
    figure, axes = plt.subplots(1, 2, figsize=(8.5, 3.8), sharex=True, sharey=True)
    titles = {"raw": "weekly sales as they are", "adjusted": "without season and general trade"}
    for axis, (column, title) in zip(axes, titles.items(), strict=True):
        if column == "adjusted":
            axis.axhspan(-usual, usual, color=QUIET, alpha=0.25, lw=0, label="95 % of all pairs")
            axis.legend(loc="lower right")
        axis.scatter(table["lift"], table[column], s=16, color=THIRD, alpha=0.7, lw=0, label="other linked pairs")
        for number, row in enumerate(named, 1):
            spot, pair = (table["lift"].iloc[row], table[column].iloc[row]), table["pair"].iloc[row]
            label = f"{number}  {pair}" if column == "raw" else None
            axis.plot(*spot, "o", ms=11, color="white", mec=SECOND, mew=1.4, zorder=3, label=label)
            axis.annotate(str(number), spot, ha="center", va="center", fontsize=7, zorder=4)
        axis.axhline(0, color=INK, lw=0.8)
        axis.set(xscale="log", xlabel="lift within baskets", title=title)
        power_ticks(axis.xaxis, "{x:g}")
    axes[0].set_ylabel("correlation of weekly sales")
    if len(named):
        (others, *handles), (label, *labels) = axes[0].get_legend_handles_labels()
        figure.legend([*handles, others], [*labels, label], loc="outside right upper", handletextpad=0.2)
    return finished(figure)

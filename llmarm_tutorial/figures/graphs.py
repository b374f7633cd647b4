"""Figures of the lesson on the graph of products: the graph, one product's surroundings, groups, middles, new links."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from llmarm_tutorial.figures.house_style import (
    ACCENT,
    CYCLE,
    HALO,
    INK,
    QUIET,
    SECOND,
    finished,
    palette,
    plain_log_ticks,
    power_ticks,
)
from llmarm_tutorial.figures.labels import short, write_names
from llmarm_tutorial.figures.networks import packed
from llmarm_tutorial.figures.panels import draw_cells, draw_groups, legend_below
from llmarm_tutorial.graphs.item_graph import ItemGraph
from llmarm_tutorial.graphs.structure import NO_COMMUNITY

LINE = "#A9B2BC"


def product_graph(
    graph: ItemGraph,
    names: Sequence[str],
    sales: np.ndarray,
    groups: Sequence[object],
    *,
    named: int = 60,
    smallest: int = 2,
    title: str = "",
) -> Figure:
    """The linked items: colour for the group, area for sales, width for the weight of a link.

    Names are written for the best sellers, as long as there is room for them.

    Args:
        graph: The graph, at most some 200 linked items to be readable.
        names: Name of each item.
        sales: Baskets of each item, shape (n_items,).
        groups: Group of each item: a department, or a community.
        named: Most names written.
        smallest: Parts of the graph (what hangs together) with fewer items are not drawn.
        title: Title; what widths mean is added to it.
    """
    pairs = graph.pairs()
    linked = nx.Graph()
    linked.add_weighted_edges_from(pairs[["i", "j", "weight"]].itertuples(index=False))
    for part in [part for part in nx.connected_components(linked) if len(part) < smallest]:
        linked.remove_nodes_from(part)
    place = packed(linked)
    nodes = sorted(linked)
    at = np.array([place[node] for node in nodes])
    figure, axis = plt.subplots(figsize=(11, 8.5))
    edges = sorted(linked.edges(data="weight"))
    weight = np.log([w for *_, w in edges]) if min(w for *_, w in edges) > 0 else np.ones(len(edges))
    width = 0.5 + 3.0 * (weight - weight.min()) / max(float(np.ptp(weight)), 1e-9)
    lines = [(place[a], place[b]) for a, b, _ in edges]
    axis.add_collection(LineCollection(lines, linewidths=width, colors=LINE, alpha=0.7, zorder=1))
    sold = np.asarray(sales, dtype=float)[nodes]
    size = 12 + 330 * sold / sold.max()
    groups = [groups[node] for node in nodes]
    colors = palette(group for group in groups if group != NO_COMMUNITY)
    colors |= {NO_COMMUNITY: QUIET} if NO_COMMUNITY in groups else {}
    axis.scatter(*at.T, s=size, c=[colors[group] for group in groups], edgecolors="white", lw=0.8, zorder=2)
    legend_below(figure, {_called(group): color for group, color in colors.items()})
    axis.set_axis_off()
    axis.margins(0.04)
    axis.set_title(f"{title}{'; ' if title else ''}a wider line: more {graph.meaning}, larger: more sales")
    order = np.argsort(-sold, kind="stable")[:named]
    write_names(axis, at, {n: short(names[nodes[n]], 25) for n in order}, size, gaps=(2,), drop=True)
    return finished(figure)


def _called(group: object) -> str:
    """A group in the legend: communities have numbers only."""
    if not isinstance(group, int | np.integer):
        return str(group)
    return "no community" if group == NO_COMMUNITY else f"community {group}"


def rings(table: pd.DataFrame, names: Sequence[str], item: int, *, per_ring: int = 14, title: str = "") -> Figure:
    """What can be reached from one item, a ring per number of links; a line per last step of the best path.

    Args:
        table: Result of `item_graph.hops`.
        names: Name of each item.
        item: The item in the middle.
        per_ring: Most items of a ring, those with the strongest paths (and what those lead through).
        title: Title.
    """
    shown = table.sort_values("strength", ascending=False).groupby("hops").head(per_ring)
    # a path may take more links than the fewest: what it leads through is drawn as well
    through = {node for path in shown["path"] for node in path[1:]}
    shown = table[table["item"].isin(through)]
    angle = _angles(shown)
    ring = dict(zip(shown["item"], shown["hops"], strict=True)) | {item: 0}
    last = int(shown["hops"].max())
    spot = {node: ring[node] * np.array([np.cos(angle[node]), np.sin(angle[node])]) for node in angle}
    spot[item] = np.zeros(2)
    figure, axis = plt.subplots(figsize=(9.5, 9.0))
    for radius in range(1, last + 1):
        axis.add_patch(plt.Circle((0, 0), radius, fill=False, color="#DDE1E5", lw=1, zorder=0))
    strength = shown["strength"].to_numpy()
    scale = np.log(strength / strength.min()) / max(float(np.log(strength.max() / strength.min())), 1e-9)
    for row, thick in zip(shown.itertuples(), scale, strict=True):
        (x0, y0), (x1, y1) = spot[row.path[-2]], spot[row.item]
        axis.plot([x0, x1], [y0, y1], color=LINE, lw=0.7 + 3.5 * thick, solid_capstyle="round", zorder=1)
        axis.scatter(x1, y1, s=28 + 90 * thick, color=CYCLE[(row.hops - 1) % len(CYCLE)], edgecolors="white", zorder=2)
        _beside(axis, names[row.item], (x1, y1), angle[row.item], thick)
    axis.scatter(0, 0, s=260, color=INK, edgecolors="white", zorder=3)
    axis.annotate(names[item], (0, 0), xytext=(0, 12), textcoords="offset points", ha="center", va="bottom",
                  weight="bold", zorder=4, path_effects=HALO)  # fmt: skip
    words = {1: "linked directly", 2: "over two links", 3: "over three links"}
    rings_drawn = range(1, last + 1)
    legend_below(figure, {words.get(n, f"over {n} links"): CYCLE[(n - 1) % len(CYCLE)] for n in rings_drawn})
    axis.set(xlim=(-last - 0.75, last + 0.75), ylim=(-last - 0.6, last + 0.6), aspect="equal")
    axis.set_axis_off()
    axis.set_title(title or f"From “{names[item]}”; a wider line: a stronger path")
    return finished(figure)


def _angles(shown: pd.DataFrame) -> dict[int, float]:
    """An angle per item: the branches that leave the middle share the circle by the number of their tips."""
    tree: dict[int, list[int]] = {}
    for path in sorted(shown["path"]):
        tree.setdefault(path[-2], []).append(path[-1])
    order: list[int] = []

    def walk(node: int) -> tuple[float, float]:
        below = [walk(child) for child in tree.get(node, [])]
        if not below:
            order.append(node)
            spread[node] = (len(order) - 1.0, len(order) - 1.0)
        else:
            spread[node] = (below[0][0], below[-1][1])
        return spread[node]

    spread: dict[int, tuple[float, float]] = {}
    root = shown["path"].iloc[0][0]
    walk(root)
    return {
        node: 2 * np.pi * (low + high) / 2 / len(order) + np.pi / 2
        for node, (low, high) in spread.items()
        if node != root
    }


def _beside(axis: Axes, name: str, spot: tuple[float, float], angle: float, thick: float) -> None:
    """A name outside its dot, read outward along its ray and never upside down."""
    degrees = np.degrees(angle) % 360
    left = 90 < degrees < 270
    away = 5 + 4 * thick
    axis.annotate(
        short(name, 23), spot, xytext=(away * np.cos(angle), away * np.sin(angle)),
        textcoords="offset points", ha="right" if left else "left", va="center", rotation_mode="anchor",
        rotation=degrees - 180 if left else degrees, fontsize=8, color=INK, zorder=4,
        path_effects=HALO,
    )  # fmt: skip


def groups_against_groups(labels: Sequence[int], others: Sequence[object], title: str = "", least: int = 3) -> Figure:
    """Communities against groups known otherwise: how many items they share.

    Args:
        labels: Community of each item; items of `NO_COMMUNITY` are left out.
        others: Known group of each item, such as its department.
        title: Title.
        least: Communities with fewer items are one column.
    """
    table = pd.DataFrame({"community": labels, "group": pd.Series(others).to_numpy()})
    table = table[table["community"] != NO_COMMUNITY]
    counts = pd.crosstab(table["group"], table["community"])
    small = counts.columns[counts.sum() < least]
    large = counts.drop(columns=small)
    # rows in the order of the communities they sit in, so that agreement shows as a diagonal
    center = (large * np.arange(large.shape[1])).sum(axis=1) / large.sum(axis=1).clip(lower=1)
    large.columns = [f"{label}" for label in large.columns]
    if len(small):
        large[f"{len(small)}\nsmaller"] = counts[small].sum(axis=1)
    large = large.loc[center.sort_values(kind="stable").index]
    figure, axis = plt.subplots(figsize=(2.8 + 0.55 * large.shape[1], 1.5 + 0.34 * len(large)))
    large.index = large.index.astype(str)
    draw_cells(axis, large, large.to_numpy() / large.to_numpy().max(), zeros=False)
    axis.set(xlabel="community, the largest first", title=title or "Items that a community and a department share")
    return finished(figure)


def centrality_against_sales(
    table: pd.DataFrame, sales: np.ndarray, names: Sequence[str], correlations: pd.DataFrame, *, named: int = 3
) -> Figure:
    """Measures of the middle against sales, a panel each; named are the items furthest from what sales say.

    Args:
        table: Result of `structure.centrality`, or some of its columns.
        sales: Baskets of each item, shape (n_items,).
        names: Name of each item.
        correlations: Result of `structure.against_sales`.
        named: Items named above the trend, in each panel.
    """
    figure, axes = plt.subplots(1, table.shape[1], figsize=(3.3 * table.shape[1], 3.6), squeeze=False)
    rho = correlations.set_index("measure")
    for axis, measure in zip(axes[0], table, strict=True):
        values = table[measure].to_numpy()
        shown = (np.asarray(sales) > 0) & (values > 0)
        row = rho.loc[measure]
        of_sales = "no correlation" if np.isnan(row["spearman"]) else f"ρ = {row['spearman']:.2f}"
        of_sales += f" ({row['low']:.2f} to {row['high']:.2f})" if np.isfinite([row["low"], row["high"]]).all() else ""
        axis.set_title(f"{measure}\n{of_sales}", fontsize=10)
        if not shown.any():
            axis.text(0.5, 0.5, "nothing to show: 0 for every item", transform=axis.transAxes, ha="center", color=INK)
            axis.set(xticks=[], yticks=[])
            continue
        x, y = np.asarray(sales, dtype=float)[shown], values[shown]
        axis.scatter(x, y, s=14, color=ACCENT, alpha=0.6, lw=0)
        axis.set(xscale="log", yscale="log", xlabel="baskets with the item")
        power_ticks(axis.xaxis)
        power_ticks(axis.yaxis)
        axis.minorticks_off()
        axis.margins(y=0.12)  # room for the names at the top
        trend = np.polyfit(np.log(x), np.log(y), 1) if len(set(x)) > 1 else [0.0]  # fewer sales have no trend
        best = np.argsort(np.polyval(trend, np.log(x)) - np.log(y), kind="stable")[:named]
        axis.scatter(x[best], y[best], s=22, color=SECOND, lw=0)
        shown_names = np.asarray(names, dtype=object)[shown]
        write_names(axis, np.column_stack([x, y]), {n: short(shown_names[n], 25) for n in best}, 22.0, fontsize=7.5)
    return finished(figure)


def link_prediction(
    table: pd.DataFrame, chance: float, kinds: Mapping[str, str] | None = None, title: str = "New links foretold"
) -> Figure:
    """Average precision of each method as a dot with its interval, the best on top.

    Args:
        table: One row per method: `method`, `average_precision`, `low`, `high`.
        chance: Share of candidates that become links: what a random order gets.
        kinds: Method → what it rests on, which colours it; None colours all alike.
        title: Title.
    """
    table = table.sort_values("average_precision", kind="stable", ignore_index=True)
    kinds = kinds or {}
    known = list(dict.fromkeys(kinds.get(method, "") for method in table["method"][::-1]))
    colors = dict(zip(known, CYCLE, strict=False))
    figure, axis = plt.subplots(figsize=(8.5, 1.2 + 0.28 * len(table)))
    for row in table.itertuples():
        color = colors[kinds.get(row.method, "")]
        axis.plot([row.low, row.high], [row.Index] * 2, color=color, lw=2, alpha=0.55)
        axis.plot(row.average_precision, row.Index, "o", color=color, ms=6)
    axis.axvline(chance, color=QUIET, ls="--", lw=1.2)
    axis.annotate("chance", (chance, 1), xycoords=("data", "axes fraction"), xytext=(3, -2), va="top",
                  textcoords="offset points", fontsize=8, color="#6B747D")  # fmt: skip
    axis.set_yticks(range(len(table)), table["method"])
    axis.set(xscale="log", xlabel="average precision over all pairs that are no link yet (logarithmic)", title=title)
    axis.set_xlim(min(chance, table["low"].clip(lower=chance / 10).min()) / 1.3, table["high"].max() * 1.3)
    plain_log_ticks(axis.xaxis)
    axis.grid(axis="y", visible=False)
    if any(known):
        handles = [Line2D([], [], marker="o", color=colors[kind], label=kind) for kind in known if kind]
        figure.legend(handles=handles, loc="outside right upper")
    return finished(figure)


def gain_by_support(
    table: pd.DataFrame,
    against: str,
    xlabel: str = "past baskets with the rarer of the two",
    ylabel: str = "average precision gained",
) -> Figure:
    """What each method gains over one of them, by how often the pair's rarer item was sold.

    Args:
        table: Result of `link_evaluation.by_support`.
        against: The method the gains are measured against.
        xlabel: What the buckets are.
        ylabel: What is gained.
    """
    table = table[table["method"] != against]
    figure, axis = plt.subplots(figsize=(max(6.5, 1.9 * table["bucket"].nunique() + 2.6), 3.8))
    axis.axhline(0, color=INK, lw=0.8)
    draw_groups(axis, table, "bucket", "method", ("gain", "gain_low", "gain_high"), "positives", " new links")
    axis.set(xlabel=xlabel, ylabel=ylabel, title=f"Gain over “{against}”")
    figure.legend(loc="outside right upper")
    return finished(figure)

"""Every figure of the kit, in one style.

Functions take plain tables and arrays, draw one figure and return it; they compute nothing that a reader would want to
check. Colours are from Okabe & Ito (2008), which readers with any colour vision tell apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import matplotlib as mpl
import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
import pandas as pd
from matplotlib import patheffects as path_effects
from matplotlib.figure import Figure
from scipy.cluster import hierarchy

ACCENT, SECOND, THIRD, FOURTH, QUIET = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#9AA3AD"
CYCLE = (ACCENT, SECOND, THIRD, FOURTH, "#E69F00", "#56B4E9")
SHADES = "viridis_r"

_STYLE = {
    "figure.figsize": (8.5, 3.8),
    "figure.dpi": 110,
    "figure.constrained_layout.use": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.prop_cycle": mpl.cycler(color=CYCLE),
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.labelcolor": "#333333",
    "grid.color": "#E6E9EC",
    "grid.linewidth": 0.8,
    "font.size": 10,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "savefig.bbox": "tight",
}


def use_style() -> None:
    """Set the kit's style for all figures that follow, and draw them into the notebook as PNG."""
    plt.rcParams.update(_STYLE)


@contextmanager
def style() -> Iterator[None]:
    """The kit's style within a `with` block."""
    with plt.rc_context(_STYLE):
        yield


def _plain_log_ticks(axis: mpl.axis.Axis) -> None:
    """Ticks at 1, 2 and 5 times powers of ten, written out: 0.2 instead of 2 × 10⁻¹."""
    axis.set_major_locator(mpl.ticker.LogLocator(base=10, subs=(1, 2, 5)))
    axis.set_major_formatter(mpl.ticker.FormatStrFormatter("%g"))
    axis.set_minor_formatter(mpl.ticker.NullFormatter())


def _finished(figure: Figure) -> Figure:
    """Close a figure for pyplot, so that a notebook shows it once, as the value of its cell."""
    plt.close(figure)
    return figure


def popularity(counts: np.ndarray, names: Sequence[str], sizes: np.ndarray) -> Figure:
    """How often items are bought, by rank, and how many different items baskets hold.

    Args:
        counts: Baskets per item, shape (n_items,).
        names: Names of the items.
        sizes: Different items per basket, shape (n_baskets,).
    """
    figure, (left, right) = plt.subplots(1, 2, width_ratios=(3, 2))
    order = np.argsort(-counts, kind="stable")
    sold = counts[order]
    rank = np.arange(1, len(sold) + 1)
    half = int(np.searchsorted(np.cumsum(sold), sold.sum() / 2)) + 1
    left.fill_between(rank[:half], sold[:half], step="mid", color=ACCENT, alpha=0.25)
    left.step(rank, sold, where="mid", color=ACCENT)
    for place in (0, half - 1, len(order) - 1):
        right_half = place > len(order) / 2
        left.annotate(
            str(names[order[place]])[:32],
            (rank[place], sold[place]),
            xytext=(-6 if right_half else 8, 12 if place else 0),
            textcoords="offset points",
            ha="right" if right_half else "left",
            fontsize=9,
        )
        left.plot(rank[place], sold[place], "o", ms=4, color=SECOND)
    left.set(xlabel="item, by rank", ylabel="baskets with it", ylim=(0, None))
    left.set_title(f"Long tail: {half} of {len(sold):,} items are half of all sales")
    top = int(np.quantile(sizes, 0.99))
    right.hist(
        np.minimum(sizes, top), bins=np.arange(0.5, top + 1.5, max(1, top // 30)), color=QUIET, edgecolor="white"
    )
    right.axvline(sizes.mean(), color=SECOND)
    right.text(sizes.mean(), right.get_ylim()[1] * 0.95, f"  mean {sizes.mean():.1f}", color=SECOND, va="top")
    right.set(
        xlabel=f"different items in a basket ({top} and more in the last bar)", ylabel="baskets", title="Basket sizes"
    )
    return _finished(figure)


def rhythm(start: pd.Series) -> Figure:
    """Baskets per week over the span of the data, and per day of the week.

    Args:
        start: Time of each basket, datetime.
    """
    figure, (left, right) = plt.subplots(1, 2, width_ratios=(3, 2))
    weekly = start.dt.to_period("W").value_counts().sort_index()
    full = weekly.iloc[1:-1] if len(weekly) > 3 else weekly  # the first and last week are cut off by the span
    left.plot(full.index.to_timestamp(), full.to_numpy(), color=ACCENT)
    left.set(ylabel="baskets a week", ylim=(0, None), title="Weeks")
    left.xaxis.set_major_formatter(mpl.dates.ConciseDateFormatter(left.xaxis.get_major_locator()))
    days = start.dt.dayofweek.value_counts(normalize=True).reindex(range(7), fill_value=0)
    right.bar(["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"], days * 100, color=QUIET)
    right.set(ylabel="% of baskets", title="Days of the week")
    return _finished(figure)


def mining_cost(costs: pd.DataFrame) -> Figure:
    """What a lower minimum support costs: seconds per miner, and how many itemsets come out.

    Args:
        costs: Columns `miner`, `min_support` (share), `seconds` and `itemsets`, one row per run.
    """
    figure, (left, right) = plt.subplots(1, 2, width_ratios=(3, 2))
    for color, (miner, rows) in zip(CYCLE, costs.groupby("miner", sort=False), strict=False):
        rows = rows.sort_values("min_support")
        left.plot(rows["min_support"] * 100, rows["seconds"], "o-", ms=4, color=color)
        left.annotate(
            miner,
            (rows["min_support"].iloc[0] * 100, rows["seconds"].iloc[0]),
            xytext=(6, 4),
            textcoords="offset points",
            color=color,
            fontsize=9,
        )
    found = costs.drop_duplicates("min_support").sort_values("min_support")
    right.plot(found["min_support"] * 100, found["itemsets"], "o-", ms=4, color=QUIET)
    for axis in (left, right):
        axis.set(xscale="log", yscale="log", xlabel="minimum support, % of baskets")
        axis.invert_xaxis()
        _plain_log_ticks(axis.xaxis)
    left.set_xlim(left.get_xlim()[0], left.get_xlim()[1] / 2.2)  # room for the names
    left.set(ylabel="seconds", title="Time")
    right.set(ylabel="frequent itemsets", title="Itemsets found")
    return _finished(figure)


def rule_scatter(rules: pd.DataFrame) -> Figure:
    """Rules by support and confidence, shaded by lift, strongest on top (the scatter plot of arules).

    Args:
        rules: Rule table.
    """
    figure, axis = plt.subplots(figsize=(8.5, 4.4))
    rules = rules.sort_values("lift")
    norm = mpl.colors.LogNorm(max(rules["lift"].min(), 0.1), max(rules["lift"].max(), 1.1))
    points = axis.scatter(
        rules["support"] * 100,
        rules["confidence"] * 100,
        c=rules["lift"],
        cmap=SHADES,
        norm=norm,
        s=22,
        alpha=0.85,
        lw=0,
    )
    bar = figure.colorbar(points, ax=axis, label="lift (logarithmic shades)")
    _plain_log_ticks(bar.ax.yaxis)
    axis.set(xscale="log", xlabel="support, % of baskets (logarithmic)", ylabel="confidence, %")
    _plain_log_ticks(axis.xaxis)
    axis.set_title(f"{len(rules):,} rules")
    return _finished(figure)


def rule_network(rules: pd.DataFrame, groups: dict[str, str] | None = None) -> Figure:
    """Rules as arrows from the items of the antecedent to those of the consequent.

    Args:
        rules: Rule table with items by name, at most some sixty rules.
        groups: Item name → group (department) that colours it; None colours all alike.
    """
    graph = nx.DiGraph()
    for x, y, lift in rules[["antecedent", "consequent", "lift"]].itertuples(index=False):
        for a in sorted(x):
            for b in sorted(y):
                known = graph.get_edge_data(a, b, {"lift": 0.0})["lift"]
                graph.add_edge(a, b, lift=max(known, lift))
    figure, axis = plt.subplots(figsize=(11, 6))
    parts = sorted(nx.weakly_connected_components(graph), key=lambda part: (-len(part), min(part)))
    place = _packed_layout(graph, parts)
    names = sorted({groups.get(node, "") for node in graph} if groups else {""})
    palette = dict(zip(names, plt.get_cmap("tab20").colors, strict=False))
    colors = [palette.get(groups.get(node, "") if groups else "", QUIET) for node in graph]
    lifts = np.array([lift for *_, lift in graph.edges(data="lift")])
    widths = 0.8 + 3 * (np.log(lifts) - np.log(lifts).min()) / max(np.ptp(np.log(lifts)), 1e-9)
    nx.draw_networkx_edges(
        graph,
        place,
        ax=axis,
        width=widths,
        edge_color="#8A94A0",
        arrowsize=11,
        node_size=170,
        connectionstyle="arc3,rad=0.08",
    )
    nx.draw_networkx_nodes(graph, place, ax=axis, node_size=150, node_color=colors, edgecolors="white")
    for node, (x, y) in place.items():
        halo = [path_effects.withStroke(linewidth=2.5, foreground="white")]
        axis.annotate(
            node, (x, y), xytext=(0, 8), textcoords="offset points", ha="center", fontsize=8, path_effects=halo
        )
    if groups:
        handles = [mpl.lines.Line2D([], [], marker="o", ls="", color=palette[name], label=name) for name in names]
        axis.legend(handles=handles, loc="upper left", bbox_to_anchor=(1, 1), fontsize=8)
    axis.set_axis_off()
    axis.margins(0.08)
    axis.set_title("Wider arrow: higher lift")
    return _finished(figure)


def _packed_layout(graph: nx.Graph, parts: list[set]) -> dict[str, np.ndarray]:
    """A layout per connected part, the parts in rows: force layouts push separate parts apart and waste the page."""
    place: dict[str, np.ndarray] = {}
    x = y = row_height = 0.0
    page = max(5.0, 2.4 * np.sqrt(len(graph)))
    for part in parts:
        side = 1.2 * np.sqrt(len(part)) + 0.5
        if x + side > page and x > 0:
            x, y, row_height = 0.0, y - row_height, 0.0
        own = nx.kamada_kawai_layout(graph.subgraph(sorted(part)).to_undirected())
        for node, at in own.items():
            # upright, since the names are written across
            place[node] = np.array([x + side / 2, y - side / 2]) + at[::-1] * (side - 0.9) / 2
        x, row_height = x + side, max(row_height, side)
    return place


def grouped_matrix(rules: pd.DataFrame, n_groups: int = 16, n_consequents: int = 20) -> Figure:
    """Antecedents grouped by the rules they take part in, against consequents (Hahsler & Karpienko 2017).

    A circle is as large as the support and as dark as the lift, both summed up over the group by their mean.

    Args:
        rules: Rule table with items by name.
        n_groups: Most groups of antecedents.
        n_consequents: Most consequents, those with the most and strongest rules.
    """
    text = rules.assign(
        x=[", ".join(sorted(map(str, itemset))) for itemset in rules["antecedent"]],
        y=[", ".join(sorted(map(str, itemset))) for itemset in rules["consequent"]],
    )
    top = np.log(text["lift"]).groupby(text["y"]).sum().nlargest(n_consequents).index
    text = text[text["y"].isin(top)]
    lift = text.pivot_table(index="x", columns="y", values="lift", fill_value=1.0)
    group = np.ones(len(lift), dtype=int)
    if len(lift) > 1:
        group = hierarchy.fcluster(hierarchy.linkage(np.log(lift), "ward"), n_groups, "maxclust")
    text = text.assign(group=pd.Series(group, index=lift.index).reindex(text["x"]).to_numpy())
    cells = (
        text.groupby(["group", "y"])
        .agg(lift=("lift", "mean"), support=("support", "mean"), n=("lift", "size"))
        .reset_index()
    )
    strength = text.groupby("group")["lift"].mean().sort_values(ascending=False)
    column = {g: place for place, g in enumerate(strength.index)}
    row = {y: place for place, y in enumerate(top)}
    figure, axis = plt.subplots(figsize=(10, 1.6 + 0.33 * len(top)))
    size = 30 + 320 * cells["support"] / cells["support"].max()
    points = axis.scatter(
        cells["group"].map(column), cells["y"].map(row), s=size, c=cells["lift"], cmap=SHADES, norm=mpl.colors.LogNorm()
    )
    figure.colorbar(points, ax=axis, label="mean lift", format="%g", pad=0.01).ax.yaxis.set_minor_formatter(
        mpl.ticker.FormatStrFormatter("%g")
    )
    labels = []
    for g in strength.index:
        members = text[text["group"] == g].sort_values("lift", ascending=False)["x"].drop_duplicates()
        labels.append(members.iloc[0][:26] + (f" +{len(members) - 1}" if len(members) > 1 else ""))
    axis.set_xticks(range(len(labels)), labels, rotation=40, ha="right", fontsize=8)
    axis.set_yticks(range(len(top)), [y[:34] for y in top], fontsize=8)
    axis.set(xlabel="antecedents: strongest of the group, and how many more", ylabel="consequent")
    axis.invert_yaxis()
    axis.set_title("Larger circle: more support")
    return _finished(figure)


def found_down_the_ranking(curves: dict[str, pd.DataFrame], n_true: int, longest: int = 200) -> Figure:
    """How many real rules stand among the first k of a ranking, for several rankings.

    Args:
        curves: Name of the ranking → result of `rule_checks.against_truth`.
        n_true: How many real rules there are.
        longest: Longest list looked at.
    """
    figure, axis = plt.subplots(figsize=(8.5, 4.2))
    axis.plot([0, n_true, longest], [0, n_true, n_true], ls=":", color=QUIET)
    axis.annotate(
        "perfect", (n_true / 2, n_true / 2), xytext=(-6, 4), textcoords="offset points", ha="right", color="#666666"
    )
    for color, (name, curve) in zip(CYCLE, curves.items(), strict=False):
        head = curve.head(longest)
        hits = head["hit"].cumsum()
        axis.step(
            head["rank"],
            hits,
            where="post",
            color=color,
            label=f"by {name}: {hits.iloc[-1] if len(hits) else 0} of {n_true}",
        )
    axis.set(
        xlabel="rules looked at, best first", ylabel="real rules among them", xlim=(0, longest), ylim=(0, n_true * 1.08)
    )
    axis.legend(loc="lower right")
    return _finished(figure)


def seen_and_unseen(train: pd.DataFrame, test: pd.DataFrame) -> Figure:
    """Confidence of rules where they were mined against their confidence in unseen baskets, sized by their count.

    Args:
        train: Rule table as mined.
        test: The same rules recounted, in the same order.
    """
    figure, axis = plt.subplots(figsize=(6.4, 5.2))
    axis.plot([0, 100], [0, 100], ls=":", color=QUIET)
    order = np.argsort(train["count"].to_numpy(), kind="stable")  # what rests on much is drawn on top
    train, test = train.iloc[order], test.iloc[order]
    counts = train["count"].to_numpy()
    shade = mpl.colors.LogNorm(counts.min(), max(counts.max(), counts.min() + 1))
    points = axis.scatter(
        train["confidence"] * 100, test["confidence"] * 100, c=counts, norm=shade, cmap=SHADES, s=16, alpha=0.8, lw=0
    )
    figure.colorbar(points, ax=axis, label="baskets behind the rule when mined").ax.yaxis.set_major_formatter("{x:g}")
    axis.set(xlabel="confidence where it was mined, %", ylabel="confidence in unseen baskets, %", aspect="equal")
    axis.set(xlim=(0, 102), ylim=(0, 102), title=f"{len(train):,} rules; on the diagonal they kept their promise")
    return _finished(figure)


def found_by_evidence(shares: pd.DataFrame, strata: Sequence[str]) -> Figure:
    """Share of real rules found against the number of baskets looked at, per stratum: mean and spread over draws.

    Args:
        shares: Column `baskets` and one per stratum with the share found, in [0, 1]; one row per draw.
        strata: Names of the strata, easiest first.
    """
    figure, axis = plt.subplots(figsize=(8.5, 4))
    means, spread = (getattr(shares.groupby("baskets"), name)() * 100 for name in ("mean", "std"))
    nudge = np.linspace(0.985, 1.015, len(strata))  # keeps equal values apart
    for color, name, shift in zip(CYCLE, strata, nudge, strict=False):
        axis.errorbar(
            means.index * shift,
            means[name],
            yerr=spread[name].fillna(0),
            fmt="o-",
            ms=4,
            capsize=3,
            color=color,
            label=name.replace("_", " "),
        )
    axis.set(
        xscale="log",
        ylim=(-4, 104),
        xlabel="baskets looked at (logarithmic)",
        ylabel="% of the planted pair rules found",
    )
    axis.set_xticks(means.index, [f"{baskets:,.0f}" for baskets in means.index])
    axis.xaxis.set_minor_formatter(mpl.ticker.NullFormatter())
    axis.legend(title="made to be", loc="upper left", bbox_to_anchor=(1, 1))
    axis.set_title("Mean and standard deviation over draws")
    return _finished(figure)

"""Figures of the lessons that count: sales, the cost of mining, rules and their networks, rules that hold or not."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.cluster import hierarchy

from llmarm_tutorial.figures.house_style import (
    ACCENT,
    CYCLE,
    QUIET,
    SECOND,
    SHADES,
    finished,
    log_ticks_at,
    palette,
    plain_log_ticks,
    power_ticks,
)
from llmarm_tutorial.figures.labels import short, write_names
from llmarm_tutorial.figures.networks import packed
from llmarm_tutorial.figures.panels import legend_below
from llmarm_tutorial.mining.rules import in_words


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
    marked = np.unique([0, half - 1, len(order) - 1])
    spots = np.column_stack([rank, sold])[marked]
    left.plot(*spots.T, "o", ms=4, color=SECOND)
    left.set(xlabel="item, by rank", ylabel="baskets with it", ylim=(0, None))
    left.set_title(f"Long tail: {half} of {len(sold):,} items are half of all sales")
    top = int(np.quantile(sizes, 0.99))
    right.hist(
        np.minimum(sizes, top), bins=np.arange(0.5, top + 1.5, max(1, top // 30)), color=QUIET, edgecolor="white"
    )
    right.axvline(sizes.mean(), color=SECOND)
    right.text(sizes.mean(), right.get_ylim()[1] * 0.95, f"  mean {sizes.mean():.1f}", color=SECOND, va="top")
    right.set(xlabel=f"items in a basket (last bar: {top} and more)", ylabel="baskets", title="Basket sizes")
    right.xaxis.set_major_locator(mpl.ticker.MaxNLocator(integer=True))
    write_names(left, spots, {n: short(str(names[order[place]]), 32) for n, place in enumerate(marked)}, fontsize=9)
    return finished(figure)


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
    return finished(figure)


def mining_cost(costs: pd.DataFrame) -> Figure:
    """What a lower minimum support costs: seconds per miner, and how many itemsets come out.

    Args:
        costs: Columns `miner`, `min_support` (share), `seconds` and `itemsets`, one row per run.
    """
    figure, (left, right) = plt.subplots(1, 2, width_ratios=(3, 2))
    for color, (miner, rows) in zip(CYCLE, costs.groupby("miner", sort=False), strict=False):
        rows = rows.sort_values("min_support")
        left.plot(rows["min_support"] * 100, rows["seconds"], "o-", ms=4, color=color)
        end = (rows["min_support"].iloc[0] * 100, rows["seconds"].iloc[0])
        left.annotate(miner, end, xytext=(6, 4), textcoords="offset points", color=color, fontsize=9)
    found = costs.drop_duplicates("min_support").sort_values("min_support")
    right.plot(found["min_support"] * 100, found["itemsets"], "o-", ms=4, color=QUIET)
    for axis in (left, right):
        axis.set(xscale="log", yscale="log", xlabel="minimum support, % of baskets")
        axis.invert_xaxis()
        plain_log_ticks(axis.xaxis)
    left.set_xlim(left.get_xlim()[0], left.get_xlim()[1] / 2.2)  # room for the names
    left.set(ylabel="seconds", title="Time")
    power_ticks(left.yaxis, "{x:g}")
    right.set(ylabel="frequent itemsets", title="Itemsets found")
    power_ticks(right.yaxis, "{x:,.0f}")
    return finished(figure)


def rule_scatter(rules: pd.DataFrame) -> Figure:
    """Rules by support and confidence, shaded by lift, strongest on top (the scatter plot of arules).

    Args:
        rules: Rule table.
    """
    figure, axis = plt.subplots(figsize=(8.5, 4.4))
    rules = rules.sort_values("lift")
    norm = mpl.colors.LogNorm(max(rules["lift"].min(), 0.1), max(rules["lift"].max(), 1.1))
    x, y, lift = 100 * rules["support"], 100 * rules["confidence"], rules["lift"]
    points = axis.scatter(x, y, c=lift, cmap=SHADES, norm=norm, s=22, alpha=0.85, lw=0)
    bar = figure.colorbar(points, ax=axis, label="lift (logarithmic shades)")
    plain_log_ticks(bar.ax.yaxis)
    axis.set(xscale="log", xlabel="support, % of baskets (logarithmic)", ylabel="confidence, %")
    plain_log_ticks(axis.xaxis)
    axis.set_title(f"{len(rules):,} rules")
    return finished(figure)


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
    place = packed(graph.to_undirected())
    nodes = sorted(graph)
    at = np.array([place[node] for node in nodes])
    group_of = {node: (groups or {}).get(node, "") for node in graph}
    colors = palette(group_of.values())
    strength = np.log([lift for *_, lift in graph.edges(data="lift")])
    widths = 0.8 + 2.4 * (strength - strength.min()) / max(np.ptp(strength), 1e-9)
    wide, high = np.ptp(at, axis=0)
    figure, axis = plt.subplots(figsize=(11, float(np.clip(14 * high / max(wide, 1e-9), 3, 9))))
    curve = "arc3,rad=0.08"
    nx.draw_networkx_edges(
        graph, place, ax=axis, width=widths, edge_color="#A9B2BC", arrowsize=9, node_size=110, connectionstyle=curve
    )
    nx.draw_networkx_nodes(
        graph, place, ax=axis, node_size=100, node_color=[colors[group_of[node]] for node in graph], edgecolors="white"
    )
    if groups:
        legend_below(figure, colors)
    axis.set_axis_off()
    axis.margins(0.06)
    axis.set_title(f"The {len(rules)} pair rules with the highest lift; wider arrow: higher lift")
    write_names(axis, at, {row: short(node, 23) for row, node in enumerate(nodes)}, 100.0, gaps=(2, 10))
    return finished(figure)


def grouped_matrix(rules: pd.DataFrame, n_groups: int = 24, n_consequents: int = 32) -> Figure:
    """Antecedents grouped by the rules they take part in, against consequents (Hahsler & Karpienko 2017).

    A circle is as large as the support and as dark as the lift, both summed up over the group by their mean.

    Args:
        rules: Rule table with items by name.
        n_groups: Most groups of antecedents.
        n_consequents: Most consequents, those with the strongest rules.
    """
    text = rules.assign(x=rules["antecedent"].map(in_words), y=rules["consequent"].map(in_words))
    strongest = text.groupby("y")["lift"].max()
    top = strongest.nlargest(n_consequents).index
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
    figure, axis = plt.subplots(figsize=(10.5, 1.8 + 0.24 * len(top)))
    size = 20 + 160 * cells["support"] / cells["support"].max()
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
    axis.set(xlabel="antecedents in groups, each named by its strongest rule (+ how many others)", ylabel="consequent")
    axis.invert_yaxis()
    axis.set_title(
        f"{len(top)} of {len(strongest)} consequents, those with the strongest rules; larger circle: more support"
    )
    return finished(figure)


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
        label = f"by {name.replace('_', '-')}: {hits.iloc[-1] if len(hits) else 0} of {n_true}"
        axis.step(head["rank"], hits, where="post", color=color, label=label)
    axis.set(
        xlabel="rules looked at, best first", ylabel="real rules among them", xlim=(0, longest), ylim=(0, n_true * 1.08)
    )
    axis.legend(loc="lower right")
    return finished(figure)


def seen_and_unseen(train: pd.DataFrame, test: pd.DataFrame, n_named: int = 3) -> Figure:
    """Confidence of rules where they were mined against their confidence in unseen baskets, sized by their count.

    Args:
        train: Rule table as mined.
        test: The same rules recounted, in the same order.
        n_named: How many rules to name: of those with the most baskets behind them, the ones that fell most.
    """
    figure, axis = plt.subplots(figsize=(7.4, 5.2))
    solid = train["count"] >= train["count"].quantile(0.9)
    fall = (train["confidence"] - test["confidence"])[solid].nlargest(n_named).index
    axis.plot([0, 100], [0, 100], ls=":", color=QUIET)
    order = np.argsort(train["count"].to_numpy(), kind="stable")  # what rests on much is drawn on top
    train, test = train.iloc[order], test.iloc[order]
    counts = train["count"].to_numpy()
    shade = mpl.colors.LogNorm(counts.min(), max(counts.max(), counts.min() + 1))
    points = axis.scatter(
        train["confidence"] * 100, test["confidence"] * 100, c=counts, norm=shade, cmap=SHADES, s=16, alpha=0.8, lw=0
    )
    bar = figure.colorbar(points, ax=axis, label="baskets behind the rule when mined")
    power_ticks(bar.ax.yaxis, "{x:g}")
    axis.set(xlabel="confidence where it was mined, %", ylabel="confidence in unseen baskets, %", aspect="equal")
    axis.set(xlim=(0, 102), ylim=(0, 102), title=f"{len(train):,} rules; on the diagonal they kept their promise")
    sides = train.loc[fall, ["antecedent", "consequent"]].map(lambda items: in_words(items)[:22])
    names = {place: f"{x} ⇒ {y}" for place, (x, y) in zip(train.index.get_indexer(fall), sides.to_numpy(), strict=True)}
    write_names(axis, 100 * np.column_stack([train["confidence"], test["confidence"]]), names, 16.0)
    return finished(figure)


def found_by_evidence(shares: pd.DataFrame, strata: dict[str, int]) -> Figure:
    """Share of real rules found against the number of baskets looked at, per stratum: mean and spread over draws.

    Args:
        shares: Column `baskets` and one per stratum with the share found, in [0, 1]; one row per draw.
        strata: Name of each stratum, easiest first → number of rules in it.
    """
    figure, axis = plt.subplots(figsize=(8.5, 4))
    means, spread = (getattr(shares.groupby("baskets"), name)() * 100 for name in ("mean", "std"))
    nudge = np.linspace(0.985, 1.015, len(strata))  # keeps equal values apart
    for color, (name, size), shift in zip(CYCLE, strata.items(), nudge, strict=False):
        mean, sd = means[name], spread[name].fillna(0)
        bars = [np.minimum(sd, mean), np.minimum(sd, 100 - mean)]
        label = f"{name.replace('_', ' ')} ({size} rules)"
        axis.errorbar(means.index * shift, mean, yerr=bars, fmt="o-", ms=4, capsize=3, color=color, label=label)
    log_ticks_at(axis, means.index, "{:,.0f}")
    axis.set(ylim=(-4, 104), xlabel="baskets looked at (logarithmic)", ylabel="% of the planted pair rules found")
    axis.legend(title="made to be", loc="upper left", bbox_to_anchor=(1, 1))
    axis.set_title("Mean and standard deviation over draws")
    return finished(figure)

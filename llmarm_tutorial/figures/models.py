"""Figures of the item models: learning, maps of embeddings, growth, quality against time."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from llmarm_tutorial.figures.house_style import ACCENT, CYCLE, QUIET, SECOND, finished, palette
from llmarm_tutorial.figures.labels import write_names
from llmarm_tutorial.models.tokens import SPECIAL_TOKENS


def what_is_asked(rows: dict[str, list[tuple[str, str]]]) -> Figure:
    """One customer's items as boxes, once per way of asking: what the model reads, and what it must guess below.

    Args:
        rows: Name of the objective → (token read, item asked for there or "") per position.
    """
    width = max(map(len, rows.values()))
    figure, axis = plt.subplots(figsize=(8.5, 1.25 * len(rows)))
    for height, (name, tokens) in zip(range(len(rows), 0, -1), rows.items(), strict=True):
        axis.annotate(name, (-0.55, height), ha="right", va="center", weight="bold")
        for place, (token, asked) in enumerate(tokens):
            special = token in SPECIAL_TOKENS
            box = {"boxstyle": "round,pad=0.35", "fc": "#eeeeee" if special else "white", "ec": QUIET}
            axis.annotate(token, (place, height + 0.12), ha="center", va="center", fontsize=8, bbox=box)
            if asked:
                axis.annotate(f"→ {asked}", (place, height - 0.26), ha="center", va="center", fontsize=8, color=ACCENT)
    axis.set(xlim=(-0.7, width - 0.4), ylim=(0.4, len(rows) + 0.5))
    axis.axis("off")
    return finished(figure)


def learning(losses: pd.DataFrame, validations: pd.DataFrame, floors: dict[str, float]) -> Figure:
    """The loss in training and on unseen baskets, beside what counting reaches on the latter.

    Args:
        losses: `Training.losses`.
        validations: Columns `epoch` and `loss`, in nats.
        floors: Name of a way of counting → its loss on the same unseen baskets.
    """
    figure, axis = plt.subplots(figsize=(8.5, 4))
    axis.plot(
        losses["epoch"], losses["loss"], color=QUIET, lw=1, label="model, training batches (several items hidden)"
    )
    axis.plot(validations["epoch"], validations["loss"], "o-", ms=4, color=ACCENT, label="model, unseen baskets")
    for color, (name, value) in zip(CYCLE[1:], floors.items(), strict=False):
        axis.axhline(value, ls=":", color=color, label=name)
    shown = [*validations["loss"], *floors.values()]
    room = 0.6 * (max(shown) - min(shown))
    axis.set(
        xlabel="epochs", ylabel="nats per hidden item", ylim=(min(shown) - room, max(shown) + room), xlim=(0, None)
    )
    axis.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return finished(figure)


def item_map(
    places: np.ndarray, names: Sequence[str], groups: Sequence[str], sizes: np.ndarray, n_named: int = 25
) -> Figure:
    """Items in the plane, coloured by group, the most frequent ones named.

    Args:
        places: Coordinates, shape (n_items, 2).
        names: Names of the items.
        groups: Group of each item, at most some fifteen different ones.
        sizes: How often each item was bought.
        n_named: How many to name.
    """
    figure, axis = plt.subplots(figsize=(8.5, 5.6))
    colors, groups, areas = palette(groups), np.asarray(groups), 12 + 110 * sizes / sizes.max()
    for group, color in colors.items():
        inside = groups == group
        axis.scatter(*places[inside].T, s=areas[inside], color=color, alpha=0.8, lw=0, label=group)
    axis.axis("off")
    legend = axis.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8)
    for handle in legend.legend_handles:
        handle.set_sizes([30])
    first = np.argsort(-sizes, kind="stable")[:n_named]
    write_names(axis, places, {item: names[item] for item in first}, areas, fontsize=7)
    return finished(figure)


def quality_and_time(curves: dict[str, list[dict]], summary: pd.DataFrame) -> Figure:
    """Validation NDCG@10 against the time of training, one line per seed, beside what sequential rules reach at once.

    Args:
        curves: "data system seed" → validations, rows with `seconds` and `score`.
        summary: Columns `data`, `system`, `validation NDCG@10` and `seconds`.
    """
    runs = pd.DataFrame([(*name.split(), name) for name in curves], columns=["data", "system", "seed", "name"])
    figure, axes = plt.subplots(1, max(1, runs["data"].nunique()), figsize=(8.5, 3.8), squeeze=False)
    for axis, (data, here) in zip(axes[0], runs.groupby("data", sort=False), strict=False):
        for color, (system, lines) in zip(CYCLE, here.groupby("system", sort=False), strict=False):
            for number, name in enumerate(lines["name"]):
                rows = pd.DataFrame(curves[name])
                label = None if number else f"{system}, {len(lines)} seed{'s'[: len(lines) > 1]}"
                axis.plot(rows["seconds"] / 60, rows["score"], "o-", ms=3, lw=1, color=color, label=label)
        counted = summary[(summary["data"] == data) & (summary["system"] == "sr")]
        for value, seconds in zip(counted["validation NDCG@10"], counted["seconds"], strict=True):
            axis.axhline(value, ls=":", color=SECOND, label=f"sequential rules, {seconds:.1f} seconds")
        axis.set(title=data, xlabel="minutes of training", ylabel="validation NDCG@10", xlim=(0, None), ylim=(0, None))
        axis.legend(loc="lower right")
    return finished(figure)

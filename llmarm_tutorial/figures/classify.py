"""Figures of the lesson that fine-tunes a model for a task: reports, quality against size and labels, settings."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from llmarm_tutorial.evaluation.verdicts import LEVEL, LOSES, WINS
from llmarm_tutorial.figures.house_style import (
    ACCENT,
    CYCLE,
    INK,
    QUIET,
    SECOND,
    THIRD,
    finished,
    log_ticks_at,
    power_ticks,
)
from llmarm_tutorial.figures.labels import write_names
from llmarm_tutorial.figures.panels import draw_cells, reach
from llmarm_tutorial.labels.scores import LOWER_IS_BETTER, ClassScores

LINES = (*CYCLE, "#000000", "#7F3C8D", QUIET)  # enough for the one-vs-rest curves of nine classes
DASHES = ("-", "--", ":", "-.")
COLOR_OF = {WINS: THIRD, LEVEL: ACCENT, LOSES: QUIET}


def reports(scores: ClassScores, threshold: float | None = None) -> Figure:
    """One system on one part: confusion matrix, ROC, precision and recall, reliability.

    Args:
        scores: What the system says; with more than two classes curves are of each class against the rest.
        threshold: For two classes: the chosen probability from which the positive one is predicted; None leaves the
            threshold of `scores`.
    """
    if threshold is not None:
        scores = scores.at(threshold)
    figure, axes = plt.subplots(2, 2, figsize=(9.5, 8.2))
    _draw_confusion(axes[0, 0], scores)
    classes = scores.labelled.classes
    numbers = [1] if len(classes) == 2 else range(len(classes))
    roc, recall = axes[0, 1], axes[1, 0]
    for color, number in zip(LINES, numbers, strict=False):
        name = classes[number]
        of_roc, of_recall = scores.roc(number), scores.precision_recall(number)
        roc.plot(of_roc["false_positive"], of_roc["true_positive"], color=color, lw=1.4, label=name)
        recall.step(of_recall["recall"], of_recall["precision"], where="post", color=color, lw=1.4)
        share = float((scores.labelled.labels == number).mean())
        recall.axhline(share, color=color, ls=":", lw=1)
    roc.plot([0, 1], [0, 1], color=INK, lw=0.8)
    roc.set(xlabel="false positive rate", ylabel="true positive rate", xlim=(0, 1), ylim=(0, 1.02))
    roc.set_title(f"ROC: AUROC {scores.value('AUROC'):.3f}")
    recall.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
    recall.set_title(f"Precision and recall: average {scores.value('average precision'):.3f} (dotted: chance)")
    if scores.threshold is not None:
        _mark_threshold(roc, recall, scores)
    if len(classes) > 2:
        roc.legend(loc="lower right", fontsize=8)
    _draw_reliability(axes[1, 1], scores)
    figure.suptitle(f"{scores.system}: {len(scores.labelled):,} examples", x=0.01, ha="left", fontsize=11)
    return finished(figure)


def _draw_confusion(axis: Axes, scores: ClassScores) -> None:
    """Counts, shaded by the share of the true class."""
    table = scores.confusion()
    shares = table.div(table.sum(axis=1).replace(0, 1), axis=0).to_numpy()
    draw_cells(axis, table, shares, rotation=30 if len(table) > 2 else 0, aspect="equal")
    axis.tick_params(labelsize=8)
    axis.set(xlabel="predicted", ylabel="true")
    axis.set_title(f"Confusion: macro F1 {scores.value('macro F1'):.3f}")


def _mark_threshold(roc: Axes, recall: Axes, scores: ClassScores) -> None:
    """The point of the threshold on both curves."""
    true, positive = scores.labelled.labels == 1, scores.predicted == 1
    hits = float((true & positive).sum())
    rates = (float((~true & positive).sum()) / max((~true).sum(), 1), hits / max(true.sum(), 1))
    roc.plot(*rates, "o", color=SECOND, ms=6)
    recall.plot(rates[1], hits / max(positive.sum(), 1), "o", color=SECOND, ms=6)
    place = {"xytext": (8, -14), "textcoords": "offset points", "color": SECOND, "fontsize": 9}
    roc.annotate(f"threshold {scores.threshold:.2f}", rates, **place)
    recall.annotate(f"threshold {scores.threshold:.2f}", (rates[1], hits / max(positive.sum(), 1)),
                    **place | {"xytext": (8, 6)})  # fmt: skip


def _draw_reliability(axis: Axes, scores: ClassScores) -> None:
    """Predicted against observed, with a bar of about two standard errors."""
    table = scores.reliability()
    spread = 2 * np.sqrt(table["observed"] * (1 - table["observed"]) / table["examples"])
    axis.plot([0, 1], [0, 1], color=INK, lw=0.8)
    axis.errorbar(table["probability"], table["observed"], spread, fmt="o-", ms=4, lw=1.4, capsize=2, elinewidth=1)
    what = f"“{scores.labelled.classes[1]}”" if len(scores.labelled.classes) == 2 else "the predicted class"
    top = min(1.02, 1.15 * float(max(table["probability"].max(), (table["observed"] + spread).max())))
    axis.set(xlabel=f"probability of {what}", ylabel="share that came true", xlim=(0, top), ylim=(0, top))
    axis.set_title(f"Reliability: ECE {scores.value('ECE'):.3f}")


def quality_and_size(table: pd.DataFrame, metric: str, baselines: dict[str, float] | None = None) -> Figure:
    """Quality against the number of parameters that are trained, every variant named.

    Args:
        table: Columns `variant`, `parameters` (trained ones, at least 1), `value`, `low` and `high` (ends of the
            interval or of the spread over seeds), and `verdict` where the variants were compared with one system on
            the same cases ("wins", "level", "loses"): then the colour says it; one row per variant.
        metric: What `value` is.
        baselines: Name of a baseline → its value, drawn as a line.
    """
    figure, axis = plt.subplots(figsize=(8.5, 4.6))
    compared = "verdict" in table
    rows = table.sort_values("parameters", kind="stable").reset_index(drop=True)
    for verdict, color in COLOR_OF.items() if compared else {"": CYCLE[0]}.items():
        part = rows[rows["verdict"] == verdict] if compared else rows
        if len(part):
            axis.errorbar(part["parameters"], part["value"], reach(part["value"], part["low"], part["high"]), fmt="o",
                          ms=6, color=color, elinewidth=1, capsize=2, label=verdict)  # fmt: skip
    axis.set_xscale("log")
    power_ticks(axis.xaxis)
    low, high = rows["parameters"].min(), rows["parameters"].max()
    axis.set_xlim(low / 2.5, high * 2.5)
    for dashes, (name, value) in zip(DASHES[1:] * 2, (baselines or {}).items(), strict=False):
        axis.axhline(value, color=INK, ls=dashes, lw=1.4, label=name)
    axis.set(xlabel="trained parameters (logarithmic)", ylabel=_named(metric), title="Quality and size")
    if baselines or compared:
        figure.legend(loc="outside right upper")
    write_names(axis, rows[["parameters", "value"]].to_numpy(), dict(enumerate(rows["variant"])), fontsize=8.5)
    return finished(figure)


def efficiency(table: pd.DataFrame, metric: str, baselines: dict[str, float] | None = None) -> Figure:
    """Quality by the number of labels to learn from: mean line, and bars from the worst to the best seed.

    Args:
        table: Columns `system`, `labels`, `value`; one row per seed.
        metric: What `value` is.
        baselines: Name → value of what needs no labels or all of them, drawn as a line.
    """
    figure, axis = plt.subplots(figsize=(8.5, 4.2))
    systems = table.groupby("system", sort=False)
    for place, (color, (name, rows)) in enumerate(zip(LINES, systems, strict=False)):
        spread = rows.groupby("labels")["value"].agg(["mean", "min", "max"])
        beside = spread.index * 1.03 ** (place - (len(systems) - 1) / 2)  # so that bars do not hide each other
        ends = reach(spread["mean"], spread["min"], spread["max"])
        axis.errorbar(beside, spread["mean"], ends, fmt="o-", ms=4, lw=1.6, color=color, elinewidth=1, capsize=2,
                      label=name)  # fmt: skip
    for dashes, (name, value) in zip(DASHES[1:] * 2, (baselines or {}).items(), strict=False):
        axis.axhline(value, color="#555555", ls=dashes, lw=1.2, label=name)
    log_ticks_at(axis, sorted(table["labels"].unique()), "{:,}")
    axis.set(xlabel="labels to learn from (logarithmic)", ylabel=_named(metric))
    several = table.groupby(["system", "labels"]).size().max() > 1
    axis.set_title(f"What labels are worth ({'mean, worst and best seed' if several else 'one seed'})")
    figure.legend(loc="outside right upper")
    return finished(figure)


def advice(tables: dict[str, pd.DataFrame], metric: str) -> Figure:
    """Quality by one setting at a time, a small panel each, on one scale.

    Args:
        tables: Name of the setting → columns `setting` (numbers or words), `value`, and `chosen` (bool) where the
            chosen setting is to be marked; one row per seed.
        metric: What `value` is.
    """
    columns = min(3, len(tables))
    lines = -(-len(tables) // columns)
    figure, axes = plt.subplots(lines, columns, figsize=(3.1 * columns + 0.6, 2.7 * lines), sharey=True, squeeze=False)
    for axis in axes.flat[len(tables) :]:
        axis.axis("off")
    for place, (axis, (name, table)) in enumerate(zip(axes.flat, tables.items(), strict=False)):
        _draw_setting(axis, table)
        axis.set_title(name)
        if place % columns == 0:
            axis.set_ylabel(_named(metric))
    return finished(figure)


def _draw_setting(axis: Axes, table: pd.DataFrame) -> None:
    """Mean line and single seeds by setting; numbers over more than a factor of 30 on a logarithmic scale."""
    numeric = pd.api.types.is_numeric_dtype(table["setting"]) and not pd.api.types.is_bool_dtype(table["setting"])
    settings = sorted(table["setting"].unique()) if numeric else list(dict.fromkeys(table["setting"]))
    wide = numeric and settings[0] > 0 and settings[-1] / settings[0] > 30
    at = dict(zip(settings, settings if wide else range(len(settings)), strict=True))
    mean = table.groupby("setting", sort=False)["value"].mean().reindex(settings)
    axis.scatter([at[s] for s in table["setting"]], table["value"], s=12, color=QUIET, lw=0, zorder=2)
    axis.plot(
        [at[s] for s in settings], mean, ls="-" if numeric else "none", marker="o", ms=4, color=CYCLE[0], zorder=3
    )
    if "chosen" in table and table["chosen"].any():
        chosen = table.loc[table["chosen"], "setting"].iloc[0]
        axis.plot(at[chosen], mean[chosen], "o", ms=10, mfc="none", mec=SECOND, mew=1.5, zorder=4)
    if wide:
        axis.set_xscale("log")
        axis.minorticks_off()
    names = [f"{s:g}" for s in settings] if numeric else [str(s) for s in settings]
    axis.set_xticks([at[s] for s in settings], names, fontsize=8)
    axis.margins(x=0.12)


def _named(metric: str) -> str:
    return f"{metric} (lower is better)" if metric in LOWER_IS_BETTER else metric

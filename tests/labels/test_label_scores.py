"""Scores of classes: against scikit-learn and by hand, cluster bootstrap, thresholds, paired comparison, figures."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from sklearn import metrics

from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.errors import BadParameter, UnknownName
from llmarm_tutorial.evaluation.comparison import compare
from llmarm_tutorial.figures import classify as classify_figures
from llmarm_tutorial.labels.scores import METRICS, ClassScores, choose_threshold, score_table
from llmarm_tutorial.labels.tasks import Labelled


def labelled(labels: list[int], n_classes: int = 2, clusters: np.ndarray | None = None, name: str = "rule") -> Labelled:
    n = len(labels)
    return Labelled(
        name=name,
        classes=tuple("abcdefgh"[:n_classes]),
        sets=Histories.from_lists([[row] for row in range(n)]),
        others=None,
        labels=np.array(labels),
        part=np.full(n, 2, dtype=np.int8),
        counts=np.zeros((n, 0), dtype=np.float32),
        count_names=(),
        clusters=np.arange(n) if clusters is None else clusters,
        metric="AUROC",
    )


def two(labels: list[int], positive: list[float], **fields) -> ClassScores:
    p = np.array(positive, dtype=float)
    return ClassScores("given", labelled(labels, **fields), np.column_stack([1 - p, p]))


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 4), st.integers(0, 1000))
def test_metrics_are_those_of_scikit_learn(n_classes, seed):
    rng = np.random.default_rng(seed)
    labels = np.append(np.arange(n_classes), rng.integers(n_classes, size=40))
    p = rng.dirichlet(np.ones(n_classes), len(labels))
    scores = ClassScores("random", labelled(labels.tolist(), n_classes), p)
    predicted = p.argmax(axis=1)
    assert scores.value("accuracy") == pytest.approx(metrics.accuracy_score(labels, predicted))
    assert scores.value("balanced accuracy") == pytest.approx(metrics.balanced_accuracy_score(labels, predicted))
    assert scores.value("macro F1") == pytest.approx(metrics.f1_score(labels, predicted, average="macro"))
    assert scores.value("log loss") == pytest.approx(metrics.log_loss(labels, p))
    shown = p[:, 1] if n_classes == 2 else p
    assert scores.value("AUROC") == pytest.approx(metrics.roc_auc_score(labels, shown, multi_class="ovr"))
    one_hot = np.eye(n_classes)[labels]
    if n_classes == 2:
        assert scores.value("F1") == pytest.approx(metrics.f1_score(labels, predicted))
        assert scores.value("Brier") == pytest.approx(metrics.brier_score_loss(labels, p[:, 1]))
        assert scores.value("average precision") == pytest.approx(metrics.average_precision_score(labels, p[:, 1]))
    else:
        assert scores.value("average precision") == pytest.approx(metrics.average_precision_score(one_hot, p))
        assert scores.value("Brier") == pytest.approx(((p - one_hot) ** 2).sum(axis=1).mean())


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.sampled_from(sorted(METRICS)))
def test_a_weight_of_two_is_an_example_twice(seed, metric):
    rng = np.random.default_rng(seed)
    labels, p = np.append([0, 1], rng.integers(2, size=20)), rng.integers(1, 10, size=22) / 10
    weights = rng.integers(1, 4, size=22)
    rows = np.repeat(np.arange(22), weights)
    once, repeated = two(labels.tolist(), p), two(labels[rows].tolist(), p[rows])
    assert once.weighted(metric, weights.astype(float)) == pytest.approx(repeated.value(metric))


def test_calibration_error_by_hand():
    # told 0.9 ten times, right eight times; told 0.6 ten times, right seven times: (0.1 + 0.1) / 2
    told = [0.9] * 10 + [0.6] * 10
    scores = two([1] * 8 + [0] * 2 + [1] * 7 + [0] * 3, told)
    assert scores.value("ECE") == pytest.approx(0.1)
    table = scores.reliability()
    assert table["probability"].tolist() == pytest.approx([0.6, 0.9])
    assert table["observed"].tolist() == pytest.approx([0.7, 0.8])
    assert table["examples"].tolist() == [10, 10]


def test_bins_hold_equally_many_examples():
    p = np.linspace(0.01, 0.99, 200)
    assert two([0, 1] * 100, p.tolist()).reliability(5)["examples"].tolist() == [40] * 5


def test_thresholds_reports_and_confusion_by_hand():
    scores = two([0, 0, 1, 1, 1], [0.1, 0.4, 0.3, 0.45, 0.9])
    assert scores.predicted.tolist() == [0, 0, 0, 0, 1]
    assert scores.at(0.3).predicted.tolist() == [0, 1, 1, 1, 1]
    assert scores.at(0.3).confusion().to_numpy().tolist() == [[1, 1], [0, 3]]
    report = scores.at(0.3).report()
    assert report.loc["b", ["precision", "recall"]].tolist() == pytest.approx([0.75, 1.0])
    assert report.loc["macro average", "examples"] == 5
    assert report.loc["macro average", "F1"] == pytest.approx(scores.at(0.3).value("macro F1"))
    # F1 of the positive class: 0.1 → 6/8, 0.3 → 6/7, 0.4 → 4/6, 0.45 → 4/5, 0.9 → 2/4
    assert choose_threshold(scores) == 0.3
    assert choose_threshold(scores, "balanced accuracy") == 0.45  # (1 + 2/3) / 2 against (1/2 + 1) / 2 at 0.3


def test_a_threshold_without_a_value_is_never_chosen(monkeypatch):
    scores = two([0, 1, 1, 0], [0.2, 0.9, 0.6, 0.7])
    values = iter([np.nan, 0.4, 0.6, np.nan])
    monkeypatch.setattr(ClassScores, "value", lambda scores, metric: next(values))
    assert choose_threshold(scores) == 0.7


def test_curves_begin_and_end_where_they_must():
    scores = two([0, 1, 1, 0], [0.2, 0.9, 0.6, 0.7])
    roc, recall = scores.roc(), scores.precision_recall()
    assert metrics.auc(roc["false_positive"], roc["true_positive"]) == pytest.approx(scores.value("AUROC")) == 0.75
    assert recall["recall"].iloc[[0, -1]].tolist() == [1, 0]


def test_clusters_make_intervals_wider():
    rng = np.random.default_rng(0)
    of_cluster = np.repeat(np.arange(40), 25)
    labels = rng.integers(2, size=1000)
    p = np.where(rng.random(40)[of_cluster] < 0.8, labels, 1 - labels) * 0.8 + 0.1  # a cluster is right or wrong whole
    alone = two(labels.tolist(), p.tolist()).interval("accuracy", resamples=300)
    grouped = two(labels.tolist(), p.tolist(), clusters=of_cluster).interval("accuracy", resamples=300)
    assert grouped[1] - grouped[0] > 3 * (alone[1] - alone[0])


def test_an_interval_of_single_examples_is_that_of_the_mean():
    labels = [1] * 80 + [0] * 20
    low, high = two(labels, [0.9] * 100).interval("accuracy", resamples=3000)
    assert (low, high) == pytest.approx((0.8 - 1.96 * 0.04, 0.8 + 1.96 * 0.04), abs=0.015)
    assert two(labels, [0.9] * 100).interval("accuracy", resamples=50, seed=1) == two(labels, [0.9] * 100).interval(
        "accuracy", resamples=50, seed=1
    )


def test_pairs_of_one_product_are_drawn_together():
    # every pair has product 0: where it is not drawn, there are no pairs, where it is drawn twice, all count twice
    clusters = np.column_stack([np.zeros(30, dtype=int), np.arange(1, 31)])
    scores = two([0, 1] * 15, np.linspace(0.1, 0.9, 30).tolist(), clusters=clusters, name="pair")
    low, high = scores.interval("accuracy", resamples=200)
    assert low < scores.value("accuracy") < high


def test_a_paired_difference_knows_more_than_two_intervals():
    rng = np.random.default_rng(1)
    labels = rng.integers(2, size=400)
    p = np.clip(0.5 + (labels - 0.5) * 0.3 + 0.3 * rng.normal(size=400), 0.01, 0.99)
    examples = labelled(labels.tolist())
    a, b = (ClassScores(n, examples, np.column_stack([1 - q, q])) for n, q in (("a", p), ("b", p * 0.98)))
    found = compare(a, b, "Brier", resamples=300)
    assert found.difference == pytest.approx(a.value("Brier") - b.value("Brier"))
    assert found.low <= found.difference <= found.high
    low, high = a.interval("Brier", resamples=300)
    assert found.high - found.low < (high - low) / 3
    same = compare(a, a, "AUROC", resamples=20)
    assert (same.difference, same.low, same.high, same.cases) == (0, 0, 0, 400)
    assert np.isnan(same.p_value)  # the area under a curve has no value for each example


def test_what_cannot_be_asked_is_refused():
    scores = two([0, 1], [0.2, 0.8])
    with pytest.raises(UnknownName, match="Did you mean 'AUROC'"):
        scores.value("AUROCs")
    with pytest.raises(UnknownName, match="metric with a threshold"):
        choose_threshold(scores, "AUROC")
    with pytest.raises(BadParameter, match="different examples"):
        compare(scores, two([1, 1], [0.2, 0.8]), "accuracy")
    with pytest.raises(BadParameter, match="level in"):
        scores.interval("accuracy", level=1.0)
    with pytest.raises(BadParameter, match="of shape"):
        ClassScores("short", labelled([0, 1]), np.ones((1, 2)) / 2)
    with pytest.raises(BadParameter, match="do not add up to 1"):
        ClassScores("logits", labelled([0, 1]), np.array([[1.0, 2.0], [0.0, 1.0]]))
    three = ClassScores("three", labelled([0, 1, 2], 3), np.full((3, 3), 1 / 3))
    with pytest.raises(BadParameter, match="macro F1"):
        three.value("F1")
    with pytest.raises(BadParameter, match="two classes"):
        three.at(0.5)


def test_a_summary_holds_every_metric_that_is_defined():
    rng = np.random.default_rng(0)
    three = ClassScores("three", labelled([0, 1, 2] * 10, 3), rng.dirichlet(np.ones(3), 30))
    table = three.summary(resamples=20)
    assert set(table.index) == set(METRICS) - {"F1"}
    assert (table["low"] <= table["high"]).all()


def test_figures_show_what_they_are_given():
    rng = np.random.default_rng(0)
    binary = two(rng.integers(2, size=60).tolist(), rng.random(60).tolist())
    several = ClassScores("three", labelled(rng.integers(3, size=60).tolist(), 3), rng.dirichlet(np.ones(3), 60))
    figure = classify_figures.reports(binary, 0.4)
    assert f"AUROC {binary.value('AUROC'):.3f}" in figure.axes[1].get_title()
    assert [line.get_label() for line in classify_figures.reports(several).axes[1].get_lines()[:3]] == ["a", "b", "c"]
    variants = pd.DataFrame(
        {"variant": list("wxyz"), "parameters": [10, 10, 10, 1000], "value": [0.5, 0.501, 0.4, 0.6]}
    )
    variants = variants.assign(low=variants["value"] - 0.02, high=variants["value"] + 0.02)
    axis = classify_figures.quality_and_size(variants, "AUROC", {"counting": 0.55}).axes[0]
    boxes = [text.get_window_extent() for text in axis.texts if text.get_text() in "wxyz"]
    assert len(boxes) == 4
    assert not any(a.overlaps(b) for number, a in enumerate(boxes) for b in boxes[:number])
    curve = pd.DataFrame({"system": ["a"] * 4, "labels": [10, 10, 100, 100], "value": [0.1, 0.3, 0.4, 0.6]})
    axis = classify_figures.efficiency(curve, "AUROC").axes[0]
    assert axis.get_lines()[0].get_ydata().tolist() == pytest.approx([0.2, 0.5])
    (bars,) = axis.collections
    assert [bar[:, 1].tolist() for bar in bars.get_segments()] == [pytest.approx([0.1, 0.3]), pytest.approx([0.4, 0.6])]
    tried = pd.DataFrame({"setting": ["cosine", "linear"], "value": [0.1, 0.2], "chosen": [False, True]})
    assert isinstance(classify_figures.advice({"schedule": tried}, "log loss"), Figure)


def test_a_variant_has_the_colour_of_its_verdict():
    """A point that lies higher is no winner where its paired interval holds zero."""
    table = pd.DataFrame({"variant": list("xyz"), "parameters": [1, 10, 100], "value": [0.1, 0.5, 0.6]})
    table = table.assign(low=table["value"] - 0.2, high=table["value"] + 0.2, verdict=["loses", "level", "level"])
    handles, verdicts = classify_figures.quality_and_size(table, "macro F1").axes[0].get_legend_handles_labels()
    assert verdicts == ["level", "loses"]
    assert [len(handle.lines[0].get_xdata()) for handle in handles] == [2, 1]
    assert len({handle.lines[0].get_color() for handle in handles}) == 2


def test_a_table_of_systems_has_their_values_and_the_interval_of_the_first_metric():
    rng = np.random.default_rng(0)
    systems = {name: two(rng.integers(2, size=60).tolist(), rng.random(60).tolist()) for name in ("a", "b")}
    table = score_table(systems, ("AUROC", "log loss"), interval=True, resamples=50, seed=3)
    assert list(table.columns) == ["AUROC", "log loss", "low", "high"]
    for name, scores in systems.items():
        assert table.loc[name, "log loss"] == scores.value("log loss")
        assert tuple(table.loc[name, ["low", "high"]]) == scores.interval("AUROC", resamples=50, seed=3)
    assert list(score_table(systems, ("ECE",)).columns) == ["ECE"]

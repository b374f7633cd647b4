"""Paired comparisons: a difference, its interval and its p-value, and what cannot be compared."""

from __future__ import annotations

import numpy as np
import pytest
from given_scores import Given
from hypothesis import given, settings
from hypothesis import strategies as st

from llmarm_tutorial.errors import BadParameter, UnknownName
from llmarm_tutorial.evaluation.comparison import (
    CaseValues,
    Comparison,
    MeanOfPooledRuns,
    MeanOfRuns,
    changed_places,
    clear_winner,
    compare,
    comparison_table,
    means_table,
)
from llmarm_tutorial.evaluation.metrics import Evaluation
from llmarm_tutorial.evaluation.ranking import evaluate, evaluate_sampled
from llmarm_tutorial.evaluation.tasks import Task


def two_systems(seed: int = 0, n: int = 200):
    rng = np.random.default_rng(seed)
    task = Task.from_lists([[]] * n, rng.integers(0, 30, (n, 1)), 30, np.ones(30))
    good, poor = rng.random((n, 30)), rng.random((n, 30))
    good[np.arange(n), task.targets.indices] += 0.3
    return evaluate(Given(good, "good"), task), evaluate(Given(poor, "poor"), task)


def test_a_comparison_tells_a_difference_from_luck():
    good, poor = two_systems()
    found = compare(good, poor, "NDCG@10")
    assert (found.first, found.second, found.cases) == ("good", "poor", 200)
    assert found.difference == pytest.approx(good.mean("NDCG@10") - poor.mean("NDCG@10"))
    assert 0 < found.low < found.difference < found.high
    assert found.p_value < 0.001
    assert compare(poor, good).low == pytest.approx(-found.high, abs=0.01)
    same = compare(good, good)
    assert same[3:7] == (0, 0, 0, 1)
    assert list(comparison_table([found, same])["p_value"]) == [found.p_value, 1]


def test_a_table_of_means_says_of_every_system_what_its_summary_says():
    good, poor = two_systems()
    table = means_table({"good one": good, "poor": poor}, "MRR", seed=3)
    assert list(table.index) == ["good one", "poor"]
    for (_, row), result in zip(table.iterrows(), (good, poor), strict=True):
        assert row.to_numpy() == pytest.approx(result.summary(["MRR"], seed=3).to_numpy().ravel())


def test_a_table_of_means_knows_which_cases_are_defined_and_what_they_share():
    values = np.append(np.repeat([0.0, 1.0, 0.5], 20), np.nan)  # three customers, each the same twenty times
    alone = means_table({"a": CaseValues("a", "share", values)}, "share").loc["a"]
    assert (alone["mean"], alone["cases"]) == (pytest.approx(0.5), 60)
    clusters = [np.append(np.repeat([0, 1, 2], 20), 3)]
    together = means_table({"a": CaseValues("a", "share", values, clusters)}, "share").loc["a"]
    assert together["high"] - together["low"] > 2 * (alone["high"] - alone["low"])
    assert list(means_table({}, "share").columns) == ["mean", "low", "high", "cases"]


def test_a_winner_is_better_than_each_of_the_others():
    values = np.arange(40) % 7 / 7
    high, also, low = (CaseValues("any", "share", values + more) for more in (0.5, 0.49, 0.0))
    assert clear_winner({"low": low, "high": high}, "share") == "high"
    noisy = CaseValues("any", "share", values + 0.49 + np.where(np.arange(40) % 2, 0.2, -0.2))
    assert clear_winner({"low": low, "high": high, "noisy": noisy}, "share") is None
    assert clear_winner({"low": low, "high": high, "also": also}, "share") == "high"  # by little, but in every case
    assert clear_winner({"high": high}, "share") is clear_winner({}, "share") is None


def test_a_table_of_no_comparisons_has_all_columns():
    assert list(comparison_table([]).columns) == list(Comparison._fields)


def test_different_tasks_and_protocols_are_not_compared():
    good = two_systems()[0]
    other = two_systems(seed=1)[0]
    with pytest.raises(BadParameter, match="different tasks"):
        compare(good, other)
    with pytest.raises(BadParameter, match="in the same way"):
        compare(good, evaluate(Given(np.zeros(30)), good.task, filter_seen=False))
    with pytest.raises(BadParameter, match="in the same way"):
        compare(good, evaluate_sampled(Given(np.zeros(30)), good.task, n_negatives=9))
    assert compare(good, two_systems(seed=0)[1]).difference > 0  # the same task, built twice


class Pooled:
    """Results of one number over all cases, the weighted sum of what is given."""

    def __init__(self, system: str, values: np.ndarray, clusters: list[np.ndarray]) -> None:
        self.system, self.sizes, self.clusters = system, values, clusters

    def __len__(self) -> int:
        return len(self.sizes)

    def require_same_cases(self, other: object) -> None:
        pass

    def weighted(self, metric: str, weights: np.ndarray) -> float:
        return float(weights @ self.sizes / weights.sum())


class PerCase(Pooled):
    """The same as values of each case."""

    weighted = None

    def values(self, metric: str) -> np.ndarray:
        return self.sizes


def both_ways(seed: int, kind: str) -> tuple[Comparison, Comparison]:
    rng = np.random.default_rng(seed)
    one, other = rng.normal(size=(2, 25)).round(2)
    if kind == "cases":
        one[rng.random(25) < 0.1] = np.nan
        a, b = PerCase("a", one, []), PerCase("b", other, [])
    else:
        clusters = [rng.integers(8, size=(25, 2))] if kind == "pairs" else list(rng.integers(8, size=(2, 25)))
        a, b = Pooled("a", one, clusters), Pooled("b", other, clusters)
    return compare(a, b, "size", resamples=60, seed=seed), compare(b, a, "size", resamples=60, seed=seed)


@given(st.integers(0, 2**32 - 1), st.sampled_from(["cases", "pairs", "two kinds"]))
@settings(max_examples=40, deadline=None)
def test_the_other_way_round_everything_changes_its_sign(seed: int, kind: str):
    there, back = both_ways(seed, kind)
    assert (there.first, there.second, there.cases) == (back.second, back.first, back.cases)
    assert there.difference == pytest.approx(-back.difference)
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))
    assert there.p_value == pytest.approx(back.p_value, nan_ok=True)
    assert np.isnan(there.p_value) == (kind != "cases")


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_a_system_is_level_with_itself(seed: int):
    evaluation: Evaluation = two_systems(seed, 20)[0]
    same = compare(evaluation, evaluation, resamples=20, seed=seed)
    assert same[3:] == (0, 0, 0, 1, 20)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_means_of_cases_and_of_all_at_once_agree(seed: int):
    rng = np.random.default_rng(seed)
    (one, other), clusters = rng.normal(size=(2, 30)), [rng.integers(6, size=30)]
    cases = compare(*(PerCase(n, v, clusters) for n, v in (("a", one), ("b", other))), "size", resamples=50)
    pooled = compare(*(Pooled(n, v, clusters) for n, v in (("a", one), ("b", other))), "size", resamples=50)
    assert cases[3:6] == pytest.approx(pooled[3:6])


def test_trainings_of_one_system_count_as_their_mean():
    good, poor = two_systems()
    both = MeanOfRuns("both", [good, poor])
    assert both.values("MRR") == pytest.approx((good.values("MRR") + poor.values("MRR")) / 2)
    assert both.mean("MRR") == pytest.approx((good.mean("MRR") + poor.mean("MRR")) / 2)
    once = compare(MeanOfRuns("good", [good]), MeanOfRuns("poor", [poor]), "MRR")
    assert once == compare(good, poor, "MRR")
    half = compare(MeanOfRuns("good", [good, good]), both, "MRR")
    assert (half.first, half.second) == ("good", "both")
    assert half.difference == pytest.approx(once.difference / 2)


def test_what_has_no_mean_over_trainings():
    good, other = two_systems()[0], two_systems(seed=1)[0]
    with pytest.raises(BadParameter, match="no runs"):
        MeanOfRuns("good", [])
    with pytest.raises(BadParameter, match="different tasks"):
        MeanOfRuns("good", [good, other])
    with pytest.raises(BadParameter, match="different tasks"):
        compare(MeanOfRuns("good", [good]), MeanOfRuns("other", [other]))


def test_systems_that_change_places_between_two_ways_of_judging():
    good, poor = two_systems()
    other_poor, other_good = two_systems(seed=1)  # the other way round
    first, second = {"a": good, "b": poor}, {"a": other_good, "b": other_poor}
    assert changed_places(first, second) == [("a", "b")]
    assert changed_places(second, first) == [("b", "a")]
    assert changed_places(first, first) == []
    assert changed_places(first, {"a": other_good, "b": other_good}) == []  # level is no change


def test_trainings_with_metrics_of_all_cases_count_as_their_mean():
    rng = np.random.default_rng(3)
    one, other = (Pooled(name, rng.normal(size=25), []) for name in "ab")
    both = MeanOfPooledRuns("both", [one, other])
    weights = np.arange(25.0)
    assert both.weighted("size", weights) == pytest.approx(
        (one.weighted("size", weights) + other.weighted("size", weights)) / 2
    )
    once = compare(one, other, "size", resamples=50)
    half = compare(MeanOfPooledRuns("a", [one]), both, "size", resamples=50)
    assert (half.second, half.cases) == ("both", 25)
    assert half[3:6] == pytest.approx([value / 2 for value in once[3:6]])


def test_values_known_case_by_case_are_compared_as_others_are():
    good, poor = two_systems()
    known = [CaseValues(one.system, "MRR", one.values("MRR")) for one in (good, poor)]
    assert compare(*known, "MRR") == compare(good, poor, "MRR")
    with pytest.raises(UnknownName, match="MRR"):
        compare(*known, "NDCG@10")
    with pytest.raises(BadParameter, match="same cases"):
        compare(known[0], CaseValues("short", "MRR", np.ones(3)), "MRR")


def test_an_error_shrinks_by_what_it_was_larger_before():
    error = Comparison("log loss", "model", "counts", -0.25, -0.5, -0.125, 0.01, 90)
    gain = error.negated()
    assert (gain.difference, gain.low, gain.high, gain.verdict) == (0.25, 0.125, 0.5, "wins")
    assert gain.negated() == error
    nothing = Comparison("log loss", "a", "b", 0.0, 0.0, 0.0, 1.0, 5).negated()
    assert str(nothing.difference) == "0.0"

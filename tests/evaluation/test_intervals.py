"""Bootstraps against SciPy and the normal approximation, clusters by hand, permutation tests."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from llmarm_tutorial.errors import BadParameter
from llmarm_tutorial.evaluation.intervals import (
    bootstrap,
    bootstrap_interval,
    mean_of_known,
    resampled_weights,
    sign_flip_test,
)


@pytest.mark.parametrize("n", [3, 8, 12])
def test_few_differences_get_the_exact_permutation_test(n: int):
    differences = np.random.default_rng(n).normal(0.4, 1, n)
    peer = stats.permutation_test(
        (differences,), np.sum, permutation_type="samples", n_resamples=np.inf, alternative="two-sided"
    )
    assert sign_flip_test(differences) == pytest.approx(peer.pvalue)
    assert sign_flip_test(np.r_[differences, np.zeros(50)]) == pytest.approx(peer.pvalue)


def test_many_differences_get_a_random_permutation_test():
    differences = np.random.default_rng(0).normal(0.1, 1, 300)
    assert sign_flip_test(differences) == pytest.approx(stats.ttest_1samp(differences, 0).pvalue, abs=0.02)
    assert sign_flip_test(differences, seed=1) == sign_flip_test(differences, seed=1)
    assert sign_flip_test(np.ones(300)) == 1 / 10_000
    assert sign_flip_test(np.zeros(5)) == 1
    assert sign_flip_test(np.array([1.0, 1, 1])) == 0.25


def test_the_bootstrap_interval_is_that_of_the_normal_approximation_for_many_cases():
    values = np.random.default_rng(0).random((2000, 2))
    low, high = bootstrap_interval(values, resamples=2000)
    error = 1.96 * values.std(axis=0) / math.sqrt(2000)
    assert low == pytest.approx(values.mean(axis=0) - error, abs=0.002)
    assert high == pytest.approx(values.mean(axis=0) + error, abs=0.002)
    values[::2, 1] = np.nan  # a metric that half of the cases lack
    assert bootstrap_interval(values)[0][1] == pytest.approx(np.nanmean(values[:, 1]) - error[1] * 2**0.5, abs=0.003)
    with pytest.raises(BadParameter, match="level"):
        bootstrap_interval(values, level=1)


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.8, 0.95]))
@settings(max_examples=15, deadline=None)
def test_a_bootstrap_of_cases_is_that_of_scipy(seed: int, level: float):
    rng = np.random.default_rng(seed)
    values, sizes = rng.normal(size=(2, 60)), rng.uniform(1, 3, size=60)
    ours = [
        bootstrap_interval(values[0], level=level, resamples=4000, seed=seed),
        bootstrap_interval(values[0] * sizes, per=sizes, level=level, resamples=4000, seed=seed),
        bootstrap(lambda w: float(np.sqrt(np.cov(values[0], fweights=w.astype(int)))), 60, level=level, resamples=4000),
    ]
    statistics = [
        ((values[0],), np.mean),
        ((values[0], sizes), lambda v, s, axis: (v * s).sum(axis=axis) / s.sum(axis=axis)),
        ((values[0],), lambda v, axis: v.std(axis=axis, ddof=1)),
    ]
    for interval, (data, statistic) in zip(ours, statistics, strict=True):
        peer = stats.bootstrap(
            data, statistic, paired=True, vectorized=True, method="percentile", confidence_level=level,
            n_resamples=4000, random_state=seed,
        )  # fmt: skip
        # an end is a quantile of 4000 draws: the two differ by 0.06 standard errors of the statistic
        assert interval == pytest.approx(peer.confidence_interval, abs=5 * 0.06 * peer.standard_error)


def test_columns_are_drawn_together_and_a_column_alone_has_the_same_interval():
    values = np.random.default_rng(1).normal(size=(50, 3))
    low, high = bootstrap_interval(values, resamples=200, seed=4)
    for column in range(3):
        alone = bootstrap_interval(values[:, column], resamples=200, seed=4)
        assert alone == pytest.approx((low[column], high[column]), abs=1e-12)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_what_is_in_one_cluster_is_drawn_as_one(seed: int):
    rng = np.random.default_rng(seed)
    cluster, other = rng.integers(5, size=(2, 30))
    for weights in resampled_weights(30, [cluster], resamples=10, seed=seed):
        assert all(len(set(weights[cluster == number])) <= 1 for number in range(5))
        assert sum(weights[cluster == number][0] for number in set(cluster)) == len(set(cluster))
    # of one kind, a case in the same cluster twice counts by the square; of two kinds, each is drawn on its own
    once = resampled_weights(30, [cluster], resamples=10, seed=seed)
    twice = resampled_weights(30, [np.column_stack([cluster, cluster])], resamples=10, seed=seed)
    assert all((a**2 == b).all() for a, b in zip(once, twice, strict=True))
    for weights in resampled_weights(30, [cluster, other], resamples=10, seed=seed):
        table = {(a, b): w for a, b, w in zip(cluster, other, weights, strict=True)}
        assert all(w == table[a, b] for a, b, w in zip(cluster, other, weights, strict=True))


def test_clusters_of_one_case_each_are_the_cases():
    values = np.random.default_rng(0).normal(size=40)
    alone = bootstrap_interval(values, resamples=300, seed=2)
    assert bootstrap_interval(values, [np.arange(40)], resamples=300, seed=2) == pytest.approx(alone)


def test_a_resample_that_draws_no_case_is_left_out():
    far_apart = [np.array([[0, 1], [2, 3]])]  # each pair is drawn only if both of its sides are
    weights = list(resampled_weights(2, far_apart, resamples=200))
    assert 0 < len(weights) < 200
    assert all(w.any() for w in weights)
    assert bootstrap_interval(np.array([2.0, 2.0]), far_apart, resamples=200) == (2, 2)


def test_resamples_that_are_not_defined_are_passed_over():
    low, high = bootstrap(lambda weights: np.nan if weights[0] > 1 else weights[0], 20, resamples=200)
    assert (low, high) == (0, 1)
    for refused in ({"level": 0.0}, {"resamples": 0}):
        with pytest.raises(BadParameter, match="resamples from 1"):
            bootstrap(np.sum, 20, **refused)


def test_without_cases_an_interval_is_unknown():
    low, high = bootstrap_interval(np.empty((0, 2)))
    assert np.isnan([low, high]).tolist() == [[True, True], [True, True]]


def test_what_no_case_defines_is_unknown_without_a_warning():
    values = np.array([[np.nan, 1.0, np.nan], [np.nan, 3.0, 2.0]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert mean_of_known(values, axis=0) == pytest.approx([np.nan, 2, 2], nan_ok=True)
        assert (mean_of_known(values), np.isnan(mean_of_known(values[:, 0]))) == (2, True)
        low, high = bootstrap_interval(values, resamples=200)
        assert np.isnan(bootstrap_interval(values[:, 0], resamples=200)).all()
    assert np.isnan([low, high]).tolist() == [[True, False, False]] * 2
    assert (low[1:] >= 1).all()
    assert (high[1:] <= 3).all()
    assert mean_of_known(values[:, 1:]) == np.nanmean(values[:, 1:])

"""Ranking: tasks from splits, every metric against all orders of ties, fair lists."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from by_last_item import ByLast
from given_scores import Given
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse, stats

from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.errors import BadParameter, DataError, Lacks, UnknownName
from llmarm_tutorial.evaluation.groups import (
    by_kind,
    by_popularity,
    compare_kinds,
    gain_by_popularity,
    popularity_bucket,
)
from llmarm_tutorial.evaluation.metrics import cutoff_of, user_vectors
from llmarm_tutorial.evaluation.ranking import evaluate, evaluate_sampled
from llmarm_tutorial.evaluation.tasks import Task, gap_task, hide_one_visit, next_item_task


def events(rows: list[tuple], columns: str) -> Transactions:
    frame = pd.DataFrame(rows, columns=columns.split())
    if "time" in frame:
        frame["time"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(frame["time"], unit="D")
    return Transactions.from_frame(frame)


def asked(task: Task) -> dict:
    """user → (history, targets, visits) with the item codes as lists."""
    return {
        user: (
            task.histories.of(row).tolist(),
            task.targets[row].indices.tolist(),
            task.histories.block(row, row + 1).visits.tolist(),
        )
        for row, user in enumerate(task.users)
    }


# --- tasks --------------------------------------------------------------------------------------------------


def test_leaving_out_the_last_event_gives_the_next_item():
    rows = [("u", p, i) for p, i in enumerate("abcd")] + [("v", p, i) for p, i in enumerate("ba")]
    rows += [("w", p, i) for p, i in enumerate("cab")]
    split = events(rows, "user_id position item_id").leave_one_out()
    assert asked(next_item_task(split, "validation")) == {"u": ([0, 1], [2], [0, 1]), "w": ([2], [0], [0])}
    task = next_item_task(split, "test")
    assert asked(task) == {"u": ([0, 1, 2], [3], [0, 1, 2]), "w": ([2, 0], [1], [0, 1])}
    assert task.item_counts.tolist() == [2, 2, 1, 0]  # of train alone: u a b, v b a, w c


def test_a_gap_is_one_item_of_a_basket_and_the_rest_is_known():
    baskets = [{0, 1, 2}, {3}, {1, 3}, {0, 2, 3, 4}]
    matrix = sparse.csr_matrix(np.array([[item in basket for item in range(5)] for basket in baskets]))
    counts, drawn = np.arange(5), set()
    for seed in range(40):
        task = gap_task(matrix, counts, seed=seed)
        assert sorted(task.users) == [0, 2, 3]  # one item leaves nothing to see
        for row, (known, hidden, _) in asked(task).items():
            assert len(hidden) == 1
            assert {*known} | {*hidden} == baskets[row]
            assert len(known) == len(baskets[row]) - 1
            drawn.add((int(row), hidden[0]))
    assert drawn == {(row, item) for row in (0, 2, 3) for item in baskets[row]}
    assert task.item_counts is counts
    assert len(gap_task(matrix, counts, max_cases=2)) == 2
    with pytest.raises(DataError, match="at least one case"):
        gap_task(matrix[[1]], counts)


BASKETS = [
    (user, f"{user}{day}", day, item)
    for user, days in {
        "u": {0: "ab", 1: "c", 8: "ad", 9: "b"},
        "v": {0: "a", 1: "b", 2: "c", 3: "ab"},
        "w": {8: "c", 9: "d"},
        "x": {7: "a", 8: "cd", 9: "b"},
    }.items()
    for day, items in days.items()
    for item in items
]


def test_a_basket_left_out_is_asked_for_whole():
    task = next_item_task(events(BASKETS, "user_id basket_id time item_id").leave_one_out(), "validation")
    assert asked(task)["u"] == ([0, 1, 2], [0, 3], [0, 0, 1])
    assert asked(task)["v"] == ([0, 1], [2], [0, 1])


def test_what_has_one_moment_is_left_out_and_asked_for_whole():
    rows = [("u", 0, "a"), ("u", 1, "c"), ("u", 1, "b"), ("u", 2, "d"), ("u", 2, "a"), ("u", 2, "c")]
    task = next_item_task(events(rows, "user_id time item_id").leave_one_out(), "test")
    assert asked(task)["u"] == ([0, 1, 2], [0, 2, 3], [0, 1, 1])


def test_after_a_cut_in_time_the_first_basket_is_the_target_and_all_before_it_the_history():
    split = events(BASKETS, "user_id basket_id time item_id").split_by_time(0.25, 0.2)
    assert split.test.table["time"].dt.day.unique().tolist() == [10]  # day 9, counted from January 1
    assert split.validation.table["time"].dt.day.unique().tolist() == [9]
    # w has nothing in train, v nothing after the cuts
    assert asked(next_item_task(split, "validation")) == {
        "u": ([0, 1, 2], [0, 3], [0, 0, 1]),
        "x": ([0], [2, 3], [0]),
    }
    test = asked(next_item_task(split, "test"))
    assert test["u"] == ([0, 1, 2, 0, 3], [1], [0, 0, 1, 2, 2])
    assert test["w"] == ([2], [3], [0])  # its first basket lies in validation, which is known at test time


def test_the_whole_horizon_asks_for_all_that_a_user_does_in_the_part():
    rows = [("u", day, item) for day, item in enumerate("abcdefab")]
    split = events(rows, "user_id time item_id").split_by_time(0.25, 0.375)
    assert asked(next_item_task(split, "test"))["u"][1] == [5]
    assert asked(next_item_task(split, "test", horizon="all"))["u"][:2] == ([0, 1, 2, 3, 4], [0, 1, 5])


def test_a_sample_of_cases_is_drawn_by_its_seed():
    rows = [(user, p, item) for user in range(40) for p, item in enumerate("abcd")]
    split = events(rows, "user_id position item_id").leave_one_out()
    one, same, other = (next_item_task(split, "test", max_cases=10, seed=s).users.tolist() for s in (1, 1, 2))
    assert one == same
    assert one == sorted(one)
    assert one != other
    assert len(next_item_task(split, "test", max_cases=99)) == 40


def test_what_cannot_be_a_task_is_refused():
    split = events(BASKETS, "user_id basket_id time item_id").leave_one_out()
    for wrong in ({"part": "train"}, {"horizon": "far"}, {"max_cases": 0}):
        with pytest.raises(BadParameter):
            next_item_task(split, **wrong)
    shuffled = events([(u, f"{u}{d}", d, "a") for u in "uv" for d in range(20)], "user_id basket_id time item_id")
    with pytest.raises(DataError, match="already known"):
        next_item_task(shuffled.split_by_basket(0.3, 0.3, seed=1))
    with pytest.raises(Lacks, match="users"):
        next_item_task(Transactions.from_baskets([["a"]] * 9).split_by_basket(0.3, 0.3))
    strangers = events([(user, f"b{user}", user, "a") for user in range(10)], "user_id basket_id time item_id")
    with pytest.raises(DataError, match="larger share"):
        next_item_task(strangers.split_by_time(0.3, 0.3))
    with pytest.raises(DataError, match="at least one target"):
        Task.from_lists([[1]], [[]], 3)


# --- places and metrics -------------------------------------------------------------------------------------


def plain_metrics(order: tuple[int, ...], targets: set[int], k: int) -> dict[str, float]:
    """The textbook formulas for one list without ties."""
    ranks = sorted(order.index(target) + 1 for target in targets)
    top = [rank for rank in ranks if rank <= k]
    best = sum(1 / math.log2(rank + 1) for rank in range(1, min(k, len(targets)) + 1))
    return {
        f"HR@{k}": float(bool(top)),
        f"Recall@{k}": len(top) / len(targets),
        f"Precision@{k}": len(top) / k,
        f"NDCG@{k}": sum(1 / math.log2(rank + 1) for rank in top) / best,
        "MRR": 1 / ranks[0],
    }


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from([-math.inf, 0.0, 1.0, 2.0]), min_size=5, max_size=5),
    st.sets(st.integers(0, 4), min_size=1, max_size=4),
    st.lists(st.integers(0, 4), max_size=4),
    st.integers(1, 8),
    st.booleans(),
)
def test_every_metric_is_its_mean_over_all_orders_of_ties(
    scores: list[float], targets: set[int], seen: list[int], k: int, filter_seen: bool
):
    task = Task.from_lists([seen], [sorted(targets)], 5)
    found = evaluate(Given(scores), task, ks=(k,), filter_seen=filter_seen)
    candidates = [item for item in range(5) if not filter_seen or item not in seen or item in targets]
    orders = [
        order
        for order in itertools.permutations(candidates)
        if all(scores[a] >= scores[b] for a, b in itertools.pairwise(order))
    ]
    expected = pd.DataFrame([plain_metrics(order, targets, k) for order in orders]).mean()
    for metric, value in expected.items():
        assert found.values(metric) == pytest.approx([value]), metric
    assert tuple(found.lists[0][found.lists[0] >= 0]) in {order[:k] for order in orders}


def test_a_worked_example():
    task = Task.from_lists([[0], [1, 2]], [[3], [0, 4]], 5)
    found = evaluate(Given([[9, 1, 4, 3, 0], [5, 9, 9, 2, 1]]), task, ks=(1, 2))
    # case 0 without item 0: 2, 3, …; case 1 without 1 and 2: 0, 3, 4
    assert found.values("HR@1").tolist() == [0, 1]
    assert found.values("NDCG@2") == pytest.approx([1 / math.log2(3), 1 / (1 + 1 / math.log2(3))])
    assert found.values("Recall@2").tolist() == [1, 0.5]
    assert found.values("Precision@2").tolist() == [0.5, 0.5]
    assert found.values("MRR").tolist() == [0.5, 1]
    assert found.lists.tolist() == [[2, 3], [0, 3]]
    assert found.row(["HR@1", "MRR"]).loc["given"].tolist() == [0.5, 0.75]


def test_a_constant_scorer_gets_what_chance_gets():
    rng = np.random.default_rng(0)
    task = Task.from_lists(rng.integers(0, 40, (300, 5)), rng.integers(40, 50, (300, 1)), 50)
    found = evaluate(Given(np.zeros(50)), task, ks=(10,), filter_seen=False)
    assert found.values("HR@10") == pytest.approx(np.full(300, 10 / 50))
    assert found.values("MRR") == pytest.approx(np.full(300, (1 / np.arange(1, 51)).mean()))
    share = np.bincount(found.lists.ravel(), minlength=50) / 300  # and its lists hold all items alike
    assert np.abs(share - 0.2).max() < 4.5 * math.sqrt(0.2 * 0.8 / 300)
    assert found.mean("Coverage@10") == 1


def test_a_target_that_was_seen_before_stays_a_candidate():
    task = Task.from_lists([[0, 1]], [[1]], 4)
    system = Given([9, 5, 1, 0])
    assert evaluate(system, task, ks=(1,)).mean("HR@1") == 1
    assert evaluate(system, task, ks=(1,), filter_seen=False).mean("HR@1") == 0


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9))
def test_the_size_of_blocks_changes_nothing(seed: int, block: int):
    rng = np.random.default_rng(seed)
    task = Task.from_lists(rng.integers(0, 12, (9, 3)), rng.integers(0, 12, (9, 2)), 12)
    table = rng.integers(0, 3, (9, 12)).astype(np.float32)
    whole, parts = evaluate(Given(table), task, ks=(4,)), evaluate(Given(table), task, ks=(4,), block=block)
    assert (whole.ranks.above == parts.ranks.above).all()
    assert (whole.ranks.tied == parts.ranks.tied).all()
    assert (whole.lists == parts.lists).all()


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(1, 400), st.integers(1, 30), st.sampled_from([3, 50, 10**6]))
def test_ranks_and_lists_agree_with_sorting(seed: int, n_items: int, k: int, levels: int):
    rng, k = np.random.default_rng(seed), min(k, n_items)
    table = rng.integers(0, levels, (6, n_items))
    task = Task.from_lists([[]] * 6, rng.integers(0, n_items, (6, 1)), n_items, np.ones(n_items))
    found = evaluate(Given(table), task, ks=(k,))
    ranks = stats.rankdata(-table, axis=1)[np.arange(6), task.targets.indices]
    assert found.ranks.above + (found.ranks.tied + 1) / 2 == pytest.approx(ranks)
    for row, items in zip(table, found.lists, strict=True):
        assert len(set(items.tolist())) == k
        assert row[items].tolist() == sorted(row, reverse=True)[:k]


def test_a_system_that_cannot_be_judged_is_named():
    task = Task.from_lists([[0], [1]], [[1], [2]], 4)
    broken = np.zeros((2, 4))
    broken[1, 3] = np.nan
    with pytest.raises(BadParameter, match=r"oracle gives NaN"):
        evaluate(Given(broken, "oracle"), task, ks=(1,))
    with pytest.raises(BadParameter, match=r"oracle knows 5 items"):
        evaluate(Given(np.zeros(5), "oracle"), task, ks=(1,))
    small = Given(np.zeros((2, 4)), "oracle")
    small.scores = lambda histories: np.zeros(4)
    with pytest.raises(BadParameter, match=r"oracle gives scores of shape \(4,\)"):
        evaluate(small, task, ks=(1,))
    for ks in ((), (0,), (3, -1)):
        with pytest.raises(BadParameter, match="Cut-offs"):
            evaluate(Given(np.zeros(4)), task, ks=ks)


def test_a_cut_off_beyond_the_catalogue_looks_at_all_of_it():
    task = Task.from_lists([[0], [1]], [[1], [2, 3]], 4)
    found = evaluate(Given([4, 3, 2, 1]), task, vectors=np.eye(4), filter_seen=False)  # cut-offs of 5, 10 and 20
    whole = evaluate(Given([4, 3, 2, 1]), task, vectors=np.eye(4), filter_seen=False, ks=(4,))
    assert found.lists.tolist() == [[0, 1, 2, 3, *[-1] * 16]] * 2
    for metric in ("HR", "NDCG", "Recall", "Novelty", "Diversity"):
        assert found.values(f"{metric}@10") == pytest.approx(whole.values(f"{metric}@4")), metric
    assert found.mean("Coverage@20") == 1
    sampled = evaluate_sampled(Given([4, 3, 2, 1]), task, n_negatives=1)
    assert (sampled.values("HR@10") == 1).all()


def test_scores_are_only_read():
    table = np.arange(8.0).reshape(2, 4)
    before = table.copy()
    evaluate(Given(table), Task.from_lists([[0], [1]], [[1], [2]], 4), ks=(2,))
    assert (table == before).all()


def test_metrics_of_lists_by_hand():
    task = Task.from_lists([[0], [0]], [[1], [3]], 4, [4, 2, 2, 0])
    system = Given([[0, 3, 2, 1], [0, 1, 3, 2]])
    vectors = np.array([[1, 0], [1, 0], [1, 1], [0, 0]])
    found = evaluate(system, task, ks=(2,), vectors=vectors)
    assert found.lists.tolist() == [[1, 2], [2, 3]]
    assert found.values("Novelty@2") == pytest.approx([-math.log2(2 / 9), (-math.log2(2 / 9) - math.log2(1 / 9)) / 2])
    assert found.mean("Coverage@2") == 0.75
    assert found.values("Diversity@2") == pytest.approx([1 - 1 / math.sqrt(2), 1])
    sparse_found = evaluate(system, task, ks=(2,), vectors=sparse.csr_matrix(vectors))
    assert sparse_found.values("Diversity@2") == pytest.approx(found.values("Diversity@2"))
    assert {"Diversity@2", "Novelty@2", "Coverage@2"} <= set(found.metrics)
    with pytest.raises(BadParameter, match="lists of 3"):
        found.values("Novelty@3")
    with pytest.raises(BadParameter, match="vectors"):
        evaluate(system, task, ks=(2,)).values("Diversity@2")
    with pytest.raises(BadParameter, match="4 rows"):
        evaluate(system, task, ks=(2,), vectors=np.ones((3, 2))).values("Diversity@2")


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix])
def test_diversity_is_one_less_the_mean_cosine_of_all_pairs(kind: type):
    rng = np.random.default_rng(3)
    task = Task.from_lists(rng.integers(0, 30, (20, 6)), rng.integers(0, 30, (20, 1)), 30)
    vectors = user_vectors(task.histories).toarray()
    found = evaluate(Given(rng.random((20, 30))), task, ks=(5,), vectors=kind(vectors))
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    expected = [1 - np.mean([unit[a] @ unit[b] for a, b in itertools.combinations(row, 2)]) for row in found.lists]
    assert found.values("Diversity@5") == pytest.approx(expected)


def test_a_task_of_what_is_new_to_each_case():
    task = Task.from_lists([[0, 1], [2], [3]], [[1, 2], [2], [0]], 4)
    new = task.only_new()
    assert list(new.users) == [0, 2]
    assert (task.n_new, new.n_new, task.take(np.array([1])).n_new) == (2, 2, 0)
    assert new.targets.toarray().tolist() == [[False, False, True, False], [True, False, False, False]]
    assert new.targets.dtype == bool
    assert list(new.item_counts) == list(task.item_counts)
    with pytest.raises(DataError, match="anything new"):
        task.take(np.array([1])).only_new()


def test_gains_by_popularity_of_the_target():
    targets = [[0]] * 30 + [[3]] * 30
    task = Task.from_lists([[]] * 60, targets, 4, [9, 1, 1, 1])
    common, rare = evaluate(Given([3, 2, 1, 0]), task, ks=(1,)), evaluate(Given([0, 1, 2, 3]), task, ks=(1,))
    table = gain_by_popularity(rare, common, "HR@1", buckets=2).set_index("bucket")
    assert table["gain"].to_dict() == {"1 of 2": -1, "2 of 2": 1}
    assert table["verdict"].to_list() == ["loses", "wins"]
    assert table["items"].to_list() == [1, 3]
    alone = task.take(np.arange(30))  # nobody bought a rare product
    common, rare = evaluate(Given([3, 2, 1, 0]), alone, ks=(1,)), evaluate(Given([0, 1, 2, 3]), alone, ks=(1,))
    assert list(gain_by_popularity(rare, common, "HR@1")["bucket"]) == ["1 of 3"]


def test_metrics_by_popularity_of_the_target():
    # ten events: item 0 has half of them, items 1 and 2 the rest, item 3 none
    task = Task.from_lists([[]] * 4, [[0], [0], [1], [3]], 4, [5, 3, 2, 0])
    table = by_popularity(evaluate(Given([3, 2, 1, 0]), task, ks=(1,)), "HR@1", buckets=2)
    assert table["bucket"].tolist() == ["1 of 2", "2 of 2", "no training events"]
    assert table["items"].tolist() == [1, 2, 1]
    assert table["targets"].tolist() == [2, 1, 1]
    assert table["value"].tolist() == [1, 0, 0]
    found = evaluate(Given([3, 2, 1, 0]), task, ks=(1,))
    for metric in ("NDCG@3", "MRR", "HR@2"):
        parts = by_popularity(found, metric)
        assert (parts["value"] * parts["targets"]).sum() / 4 == pytest.approx(found.mean(metric))


def test_gains_by_kind_of_the_target():
    """Half of what is bought was bought before: one system knows only that, the other only the rest."""
    task = Task.from_lists([[0], [0], [1]] * 20, [[0, 2], [0], [2]] * 20, 3)
    assert task.bought_before.tolist() == [True, False, True, False] * 20
    repeats = evaluate(ByLast([[2, 1, 0], [0, 1, 0], [0, 0, 1]]), task, ks=(1,), filter_seen=False)
    fresh = evaluate(Given([0, 0, 1]), task, ks=(1,), filter_seen=False)
    kinds = {"before": task.bought_before, "new": ~task.bought_before, "none": np.zeros(80, dtype=bool)}
    means = by_kind(repeats, kinds, "HR@1").set_index("segment")
    assert means["mean"].to_dict() == {"before": 1, "new": 0}
    assert means["cases"].to_dict() == {"before": 40, "new": 40}
    gains = compare_kinds(repeats, fresh, kinds, "HR@1")
    assert {kind: gain.difference for kind, gain in gains.items()} == {"before": 1, "new": -1}
    assert {kind: gain.verdict for kind, gain in gains.items()} == {"before": "wins", "new": "loses"}
    assert {gain.cases for gain in gains.values()} == {40}
    assert repeats.values_of(task.bought_before, "HR@1")[:3] == pytest.approx([1, 1, np.nan], nan_ok=True)
    with pytest.raises(BadParameter, match="one truth value per target, so 80"):
        compare_kinds(repeats, fresh, {"items": np.ones(3, dtype=bool)})
    second = np.arange(60) % 3 == 1  # of the cases: those who buy again, and nothing else
    assert compare_kinds(repeats, fresh, {"second": second}, "NDCG@1")["second"].difference == 1
    assert repeats.values_of(second, "NDCG@1")[:3] == pytest.approx([np.nan, 1, np.nan], nan_ok=True)


def test_values_of_single_targets_among_some_items():
    task = Task.from_lists([[]] * 3, [[0, 1], [2], [3]], 4)
    found = evaluate(Given([4, 3, 2, 1]), task, ks=(1,))
    assert found.target_values("HR@2").tolist() == [1, 1, 0, 0]
    assert found.target_values("MRR").tolist() == pytest.approx([1, 1 / 2, 1 / 3, 1 / 4])
    among = found.values_among(np.array([False, True, True, False]), "MRR")
    assert among == pytest.approx([1 / 2, 1 / 3, np.nan], nan_ok=True)
    everything = found.values_among(np.ones(4, dtype=bool), "NDCG@4")
    assert everything[1:] == pytest.approx(found.values("NDCG@4")[1:])  # of one target: the metric of the case


@given(st.lists(st.integers(0, 20), min_size=1, max_size=30), st.integers(1, 5))
def test_buckets_of_popularity_share_the_events(counts: list[int], buckets: int):
    counts = np.array(counts)
    bucket = popularity_bucket(counts, buckets)
    assert bucket.min() >= 0
    assert bucket.max() < buckets
    order = np.argsort(-counts, kind="stable")
    assert (np.diff(bucket[order]) >= 0).all()  # the more popular item is never in a later bucket
    up_to = np.cumsum(np.bincount(bucket, counts, buckets)) / max(counts.sum(), 1)
    assert (up_to >= (np.arange(buckets) + 1) / buckets - 1e-9).all() or not counts.any()
    assert (up_to - counts.max() / max(counts.sum(), 1) < (np.arange(buckets) + 1) / buckets + 1e-9).all()
    with pytest.raises(BadParameter, match="at least 1"):
        popularity_bucket(counts, 0)


def test_a_sample_of_cases_keeps_their_order():
    task = Task.from_lists([[0]] * 9, [[item] for item in range(9)], 9)
    some = task.sample(4, seed=1)
    assert len(some) == 4
    assert (np.diff(some.users) > 0).all()
    assert some.targets.indices.tolist() == some.users.tolist()
    assert some.fingerprint == task.sample(4, seed=1).fingerprint != task.sample(4, seed=2).fingerprint
    assert task.sample(9) is task.sample(None) is task
    with pytest.raises(BadParameter, match="max_cases"):
        task.sample(0)


def test_a_metric_says_how_long_the_lists_must_be():
    assert [cutoff_of(metric) for metric in ("NDCG@10", "Coverage@3", "MRR")] == [10, 3, 1]
    with pytest.raises(UnknownName, match="MRR"):
        cutoff_of("NDCG@x")


def test_an_unknown_metric_is_named_with_those_that_exist():
    found = evaluate(Given(np.arange(4)), Task.from_lists([[0]], [[1]], 4), ks=(1,))
    for metric in ("AUC", "HR", "HR@0", "hr@5", "MRR@5"):
        with pytest.raises(UnknownName, match="NDCG@k"):
            found.values(metric)
    with pytest.raises(UnknownName, match="single cases"):
        found.values("Coverage@1")
    with pytest.raises(UnknownName):
        by_popularity(found, "Novelty@1")


# --- sampled metrics ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["uniform", "popularity"])
def test_a_sample_of_all_negatives_is_no_sample(by: str):
    rng = np.random.default_rng(5)
    histories = [rng.choice(10, 3, replace=False) for _ in range(20)]
    targets = [rng.choice(np.arange(10, 20), 2, replace=False) for _ in range(20)]
    task = Task.from_lists(histories, targets, 20, np.arange(1, 21))
    system = Given(rng.integers(0, 6, 20))
    full, sampled = evaluate(system, task), evaluate_sampled(system, task, n_negatives=15, by=by)
    for metric in ("HR@5", "NDCG@5", "MRR", "Recall@5"):
        assert sampled.values(metric) == pytest.approx(full.values(metric))


def test_sampled_metrics_can_turn_the_order_of_systems_around():
    """A sure third of hits loses to a system that is always near the top and never at it."""
    n_cases, n_items = 300, 1000
    rng = np.random.default_rng(0)
    task = Task.from_lists([[]] * n_cases, [[0]] * n_cases, n_items, np.ones(n_items))
    sharp, vague = rng.random((n_cases, n_items)), rng.random((n_cases, n_items))
    sharp[: n_cases // 3, 0] = 2
    vague[:, 0] = np.sort(vague[:, 1:], axis=1)[:, -50]  # rank 50 of 1000
    full = [evaluate(Given(table), task).mean("HR@10") for table in (sharp, vague)]
    sampled = [evaluate_sampled(Given(table), task).mean("HR@10") for table in (sharp, vague)]
    assert full[0] > 0.33 > full[1] == 0
    assert sampled[1] > 0.9 > sampled[0]


def test_negatives_by_popularity_are_harder_for_popularity():
    rng = np.random.default_rng(1)
    counts = np.r_[np.full(20, 500), np.full(180, 5)]
    task = Task.from_lists([[]] * 200, rng.integers(0, 20, (200, 1)), 200, counts)
    system = Given(counts + rng.random(200))
    easy, hard = (
        evaluate_sampled(system, task, n_negatives=15, by=by).mean("HR@5") for by in ("uniform", "popularity")
    )
    assert easy > hard + 0.2
    with pytest.raises(BadParameter, match="by"):
        evaluate_sampled(system, task, by="rank")
    with pytest.raises(BadParameter, match="fewer"):
        evaluate_sampled(system, task, n_negatives=200)


def test_a_summary_has_an_interval_per_metric():
    rng = np.random.default_rng(0)
    task = Task.from_lists([[]] * 200, rng.integers(0, 30, (200, 1)), 30, np.ones(30))
    table = rng.random((200, 30))
    table[np.arange(200), task.targets.indices] += 0.3
    summary = evaluate(Given(table), task).summary()
    assert {"MRR", "HR@10", "NDCG@20", "Novelty@5"} <= set(summary.index)
    rounding = 1e-9
    assert (summary["low"] <= summary["mean"] + rounding).all()
    assert (summary["mean"] <= summary["high"] + rounding).all()
    assert summary.loc["HR@10", "low"] < summary.loc["HR@10", "mean"] < summary.loc["HR@10", "high"]
    assert "Coverage@10" not in summary.index


def test_a_hidden_visit_is_asked_for_and_what_came_after_it_stays():
    #            customer 0, visits 0 1 2 · customer 1, visits 0 1 · customer 2, visit 0
    histories = Histories(
        np.array([0, 1, 2, 3, 1, 4, 0], dtype=np.int32),
        np.array([0, 4, 6, 7]),
        np.array([0, 1, 1, 2, 0, 1, 0], dtype=np.int32),
        5,
    )
    rest, task = hide_one_visit(histories, np.array([1, 1, -1]), np.array([0, 1]))
    assert [rest.of(row).tolist() for row in range(3)] == [[0, 3], [1], [0]]
    assert [task.histories.of(row).tolist() for row in range(2)] == [[0, 3], [1]]
    assert task.targets.toarray().tolist() == [[False, True, True, False, False], [False] * 4 + [True]]
    assert task.item_counts.tolist() == [2, 1, 0, 1, 0]
    with pytest.raises(BadParameter, match="needs a hidden visit"):
        hide_one_visit(histories, np.array([1, -1, -1]), np.array([0, 1]))

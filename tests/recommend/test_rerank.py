"""What is near, what rules and difference make of a list, who is served well, and how long it takes."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.metrics.pairwise import cosine_similarity

from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.errors import BadParameter
from llmarm_tutorial.evaluation import groups
from llmarm_tutorial.evaluation.latency import best, measure_latency
from llmarm_tutorial.evaluation.metrics import user_vectors
from llmarm_tutorial.evaluation.ranking import evaluate
from llmarm_tutorial.evaluation.tasks import Task
from llmarm_tutorial.mining import antecedents
from llmarm_tutorial.recommend import tuning
from llmarm_tutorial.recommend.rerank import Diversified, RuleReranker, mmr, similarities
from llmarm_tutorial.recommend.similarity import Similarity, nearest_items, share_alike


class Fixed:
    def __init__(self, values: list[float], wait: float = 0.0) -> None:
        self.values, self.n_items, self.wait = np.array(values, dtype=np.float32), len(values), wait

    def scores(self, histories: Histories) -> np.ndarray:
        time.sleep(self.wait)
        return np.tile(self.values, (len(histories), 1))


ONE = Histories.from_lists([[0]])

# --- similarity ------------------------------------------------------------------------------------------------------

VECTORS = np.array([[2.0, 0.0], [0.0, 1.0], [0.6, 0.8], [0.3, 0.4], [0.0, 0.0]])


def test_cosine_is_that_of_scikit_learn_with_the_mean_of_the_history():
    histories = Histories.from_lists([[0, 1], [2], [0, 0, 1]])
    users = np.array([[1, 0.5], [0.6, 0.8], [4 / 3, 1 / 3]])
    system = Similarity(VECTORS)
    assert np.allclose(system.users(histories), users)
    assert np.allclose(system.scores(histories), cosine_similarity(users, VECTORS), atol=1e-6)
    assert np.allclose(Similarity(VECTORS, "dot").scores(histories), users @ VECTORS.T, atol=1e-6)


def test_a_recent_visit_weighs_more():
    users = Similarity(VECTORS, position_power=1.0).users(Histories.from_lists([[0, 1]]))
    assert np.allclose(users, (0.5 * VECTORS[0] + VECTORS[1]) / 1.5)
    assert np.allclose(Similarity(VECTORS, last=1).users(Histories.from_lists([[0, 1]])), [VECTORS[1]])


def test_divided_twice_the_shorter_of_two_vectors_of_one_direction_wins():
    scores = {norm: Similarity(VECTORS, norm).scores(Histories.from_lists([[2]]))[0] for norm in ("cosine", "twice")}
    assert scores["cosine"][2] == pytest.approx(scores["cosine"][3])
    assert scores["twice"][3] == pytest.approx(2 * scores["twice"][2])
    # even something that points elsewhere passes, if it is only short enough
    short = np.vstack([VECTORS, [[0.001, 0.0]]])
    assert Similarity(short, "twice").scores(Histories.from_lists([[2]]))[0].argmax() == 5


def test_nothing_is_similar_to_nothing():
    for norm in ("cosine", "dot", "twice"):
        scores = Similarity(VECTORS, norm).scores(Histories.from_lists([[], [4], [0]]))
        assert (scores[:2] == 0).all()
        assert scores[2, 4] == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"norm": "thrice"}, "not 'thrice'"),
        ({"vectors": np.array([[1.0], [np.nan]])}, "finite numbers"),
        ({"vectors": np.ones(3)}, "one vector"),
        ({"last": 0}, "last from 1"),
        ({"position_power": -1.0}, "position_power from 0"),
    ],
)
def test_similarity_refuses(options: dict, message: str):
    with pytest.raises(BadParameter, match=message):
        Similarity(**({"vectors": VECTORS} | options))


# --- rules -----------------------------------------------------------------------------------------------------------


def test_rules_reorder_the_first_items_and_leave_the_rest():
    base, rules = Fixed([5.0, 4.0, 3.0, 2.0, 1.0]), Fixed([0.0, 0.0, 0.4, 0.9, 0.8])
    scores = {w: RuleReranker(base, rules, 3, w, False).scores(ONE)[0] for w in (0.0, 0.25, 1.0)}
    assert np.argsort(-scores[0.0]).tolist() == [0, 1, 2, 3, 4]
    assert np.allclose(scores[0.25][:3], [0.75, 0.375, 0.25])
    assert scores[1.0].argmax() == 2
    for found in scores.values():  # what the base had in fourth and fifth place stays there, whatever rules say
        assert np.argsort(-found)[3:].tolist() == [3, 4]


def test_items_left_out_take_no_place_among_the_first():
    scores = RuleReranker(Fixed([5.0, 4.0, 3.0, 2.0]), Fixed([9.0, 0.0, 1.0, 2.0]), 2, 1.0, True).scores(ONE)[0]
    assert scores[0] == -np.inf
    assert np.argsort(-scores).tolist() == [2, 1, 3, 0]


@given(st.lists(st.sampled_from([-np.inf, 0.0, 1.0, 2.0]), min_size=1, max_size=7), st.integers(1, 9))
@settings(max_examples=80, deadline=None)
def test_without_weight_the_order_is_that_of_the_base(values: list, top: int):
    scores = RuleReranker(Fixed(values), Fixed([1.0] * len(values)), top, 0.0, False).scores(ONE)[0]
    assert not np.isnan(scores).any()
    base = np.array(values)
    higher, found = base[:, None] > base, scores[:, None] > scores
    assert (higher == found).all()


@pytest.mark.parametrize(
    ("rules", "options", "message"),
    [
        ([1.0], {}, "same items"),
        ([1.0, 1.0], {"top": 0}, "top from 1"),
        ([1.0, 1.0], {"weight": 1.5}, "and 1.5"),
        ([1.0, -1.0], {}, "at least 0"),
    ],
)
def test_reranking_refuses(rules: list, options: dict, message: str):
    with pytest.raises(BadParameter, match=message):
        RuleReranker(Fixed([1.0, 2.0]), Fixed(rules), **options).scores(ONE)


# --- difference ------------------------------------------------------------------------------------------------------


def greedy(scores: np.ndarray, similar: np.ndarray, trade: float, k: int, top: int) -> list[int]:
    """Marginal relevance of one case in the plainest way."""
    items = sorted(np.flatnonzero(np.isfinite(scores)), key=lambda i: (-scores[i], i))[:top]
    low, high = min(scores[items]), max(scores[items])
    relevance = {i: (scores[i] - low) / (high - low) if high > low else 0.0 for i in items}
    shown: list[int] = []
    while items and len(shown) < k:
        values = [trade * relevance[i] - (1 - trade) * max((similar[s, i] for s in shown), default=0.0) for i in items]
        shown.append(items.pop(int(np.argmax(values))))
    return shown + [-1] * (k - len(shown))


@given(st.integers(0, 1000), st.sampled_from([0.0, 0.3, 0.7, 1.0]))
@settings(max_examples=60, deadline=None)
def test_marginal_relevance_is_the_plain_loop(seed: int, trade: float):
    rng = np.random.default_rng(seed)
    scores = rng.random((3, 9))
    scores[rng.random((3, 9)) < 0.3] = -np.inf
    scores[:, 0] = 0.5
    similar = similarities(rng.normal(size=(9, 4))).astype(float)
    expected = [greedy(row, similar, trade, 4, 6) for row in scores]
    assert mmr(scores, similar, trade, 4, 6).tolist() == expected


def test_difference_by_hand():
    similar = similarities(np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))
    scores = np.array([[3.0, 2.9, 1.0]])
    assert mmr(scores, similar, 1.0, 3, 3).tolist() == [[0, 1, 2]]
    assert mmr(scores, similar, 0.5, 3, 3).tolist() == [[0, 2, 1]]


def test_of_few_items_all_may_be_listed():
    scores, similar = np.array([[1.0, 3.0, 2.0]]), np.eye(3)
    assert mmr(scores, similar, 1.0).tolist() == [[1, 2, 0, *[-1] * 7]]  # ten of fifty are asked for
    assert Diversified(Fixed([1.0, 3.0, 2.0]), similar, 1.0, filter_seen=False).scores(ONE).tolist() == [[8, 10, 9]]


def test_similarities_are_cosines_dense_or_sparse(monkeypatch):
    vectors = np.random.default_rng(0).random((6, 3))
    vectors[2] = 0
    assert np.allclose(similarities(vectors), cosine_similarity(vectors), atol=1e-6)
    assert np.allclose(similarities(sparse.csr_matrix(vectors)), cosine_similarity(vectors), atol=1e-6)
    monkeypatch.setattr("llmarm_tutorial.recommend.rerank.DENSE_BYTES", 0)
    assert np.allclose(similarities(sparse.csr_matrix(vectors)), cosine_similarity(vectors), atol=1e-6)


def test_entries_in_two_parts_are_one_and_the_callers_matrix_stays():
    parts = sparse.csr_matrix((np.array([1.0, 1, 1, 1]), np.array([0, 0, 1, 1]), np.array([0, 3, 4])), shape=(2, 2))
    assert np.allclose(similarities(parts), cosine_similarity(parts.toarray()), atol=1e-6)
    assert parts.data.tolist() == [1, 1, 1, 1]


def test_a_diversified_shop_is_more_diverse_and_with_full_relevance_the_same(shop):
    from llmarm_tutorial.evaluation.tasks import next_item_task

    split = shop.leave_one_out()
    task = next_item_task(split, "test", max_cases=300)
    base = tuning.make_baseline("personal").fit(split.train.histories())
    vectors = user_vectors(task.histories)
    similar = similarities(vectors)
    found = {
        trade: evaluate(
            Diversified(base, similar, trade, filter_seen=False), task, ks=(10,), filter_seen=False, vectors=vectors
        )
        for trade in (0.2, 0.6, 1.0)
    }
    plain = evaluate(base, task, ks=(10,), filter_seen=False, vectors=vectors)
    assert found[1.0].mean("NDCG@10") == pytest.approx(plain.mean("NDCG@10"), abs=0.01)  # ties by code, not at random
    diversity = [evaluation.mean("Diversity@10") for evaluation in found.values()]
    assert diversity[0] > diversity[1] > diversity[2] + 0.01
    assert diversity[2] == pytest.approx(plain.mean("Diversity@10"), abs=0.01)


def test_what_is_not_listed_keeps_its_order_below():
    scores = Diversified(Fixed([1.0, 5.0, 4.0, 3.0]), np.eye(4), 0.5, 2, 3, True).scores(ONE)[0]
    assert scores.tolist() == [-np.inf, 2.0, 1.0, -3.0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"trade": 1.1}, "trade from 0 to 1"),
        ({"k": 3, "top": 2}, "k=3 and top=2"),
        ({"k": 0}, "1 ≤ k"),
        ({"similar": np.eye(3)}, "4 × 4"),
    ],
)
def test_marginal_relevance_refuses(options: dict, message: str):
    with pytest.raises(BadParameter, match=message):
        mmr(**({"scores": np.zeros((1, 4)), "similar": np.eye(4), "trade": 0.5, "k": 2, "top": 3} | options))


def test_diversity_refuses_a_table_of_other_items_and_one_too_large():
    with pytest.raises(BadParameter, match="2 × 2"):
        Diversified(Fixed([1.0, 2.0]), np.eye(3), k=1, top=2, filter_seen=False).scores(ONE)
    with pytest.raises(BadParameter, match="at most 20,000"):
        similarities(sparse.csr_matrix((20_001, 2)))


# --- who is served, and who finds the same ---------------------------------------------------------------------------


def four_cases(values: list[float], name: str):
    task = Task.from_lists([[0], [0] * 12, [0] * 12, [0] * 200], [[1], [1], [2], [3]], 4, [4, 3, 2, 1])
    return evaluate(Fixed(values), task, ks=(1, 2), filter_seen=False, name=name)


def test_groups_of_cases():
    found = groups.by_history_length(four_cases([0, 3, 2, 1], "a"), "HR@1")
    assert found["segment"].tolist() == ["below 10", "10–19", "100 and more"]
    assert found["cases"].tolist() == [1, 2, 1]
    assert found["mean"].tolist() == [1, 0.5, 0]
    assert found.loc[1, ["low", "high"]].tolist() == [0, 1]
    other = groups.by_segment(four_cases([0, 3, 2, 1], "a"), ["x", "y", "y", "x"], "HR@2")
    assert other[["segment", "mean"]].to_numpy().tolist() == [["x", 0.5], ["y", 1.0]]
    assert groups.by_segment(four_cases([0, 3, 2, 1], "a"), [2, 1, 1, 1])["segment"].tolist() == [1, 2]
    assert groups.by_history_length(four_cases([0, 3, 2, 1], "a"), starts=(1, 2))["segment"].tolist() == [
        "1",
        "2 and more",
    ]


def test_overlap_and_hits_found_by_another_by_hand():
    a, b, c = four_cases([0, 3, 2, 1], "a"), four_cases([0, 3, 1, 2], "b"), four_cases([3, 0, 1, 2], "c")
    table = groups.overlap([a, b, c], 2)  # lists {1, 2}, {1, 3}, {0, 3}
    assert table.loc["a"].tolist() == [1, 0.5, 0]
    assert table.loc["b", "c"] == 0.5
    assert table.equals(table.T)
    whole = [evaluate(Fixed([0, 3, 2, 1]), a.task, filter_seen=False, name=name) for name in "ab"]
    assert (groups.overlap(whole) == 1).all(axis=None), "of four items the first ten are all"
    assert groups.also_found(a, b, 2) == pytest.approx(2 / 3)  # of the targets 1, 1, 2 the other has 1, 1
    assert groups.also_found(a, a, 2) == 1
    assert np.isnan(groups.also_found(c, a, 1))


def test_slices_refuse():
    a = four_cases([0, 3, 2, 1], "a")
    with pytest.raises(BadParameter, match="2 labels for 4 cases"):
        groups.by_segment(a, ["x", "y"])
    with pytest.raises(BadParameter, match="ascending"):
        groups.by_history_length(a, starts=(5, 5))
    with pytest.raises(BadParameter, match="no lists of 9 items"):
        groups.overlap([a], 9)
    other = evaluate(Fixed([1, 2, 3, 4]), Task.from_lists([[0]], [[1]], 4), ks=(1,))
    with pytest.raises(BadParameter, match="only within one task"):
        groups.also_found(a, other, 1)


# --- time ------------------------------------------------------------------------------------------------------------


def test_a_slow_system_is_measured_as_slow():
    histories = Histories.from_lists([[0], [1]])
    found = measure_latency(Fixed([1.0, 2.0, 3.0], 0.005), histories, k=2, batch=4, repeats=6, warmup=1)
    assert 0.005 <= found.p50 <= found.p99
    assert found.batch == 4
    assert found.per_second <= 4 / 0.005


def test_lists_are_the_best_in_order():
    scores = np.random.default_rng(0).random((5, 20))
    assert (best(scores, 6) == np.argsort(-scores, axis=1)[:, :6]).all()
    assert best(scores[:, :3], 3).shape == (5, 3)
    assert best(scores[:, :3], 10).shape == (5, 3), "of fewer items all are listed"


@pytest.mark.parametrize("options", [{"k": 0}, {"batch": 0}, {"repeats": 0}, {"warmup": -1}])
def test_measuring_refuses(options: dict):
    with pytest.raises(BadParameter, match="Measuring needs"):
        measure_latency(Fixed([1.0, 2.0, 3.0]), ONE, **({"k": 2} | options))


def test_measuring_needs_histories():
    with pytest.raises(BadParameter, match="0 histories"):
        measure_latency(Fixed([1.0]), Histories.from_lists([]), k=1)


# --- figures ---------------------------------------------------------------------------------------------------------


def test_figures_show_what_they_are_given():
    import matplotlib.pyplot as plt

    from llmarm_tutorial.figures import recommend as recommend_figures

    curve = pd.DataFrame({"trade": [0.5, 1.0], "accuracy": [0.2, 0.3], "diversity": [0.8, 0.6]})
    points = pd.DataFrame([("shop", "model", 0.25, 0.7)], columns=["panel", "system", "accuracy", "diversity"])
    axis = recommend_figures.tradeoff({"shop": curve}, points).axes[0]
    assert axis.lines[0].get_xydata().tolist() == [[0.8, 0.2], [0.6, 0.3]]
    assert axis.collections[0].get_offsets().tolist() == [[0.7, 0.25]]
    table = groups.overlap([four_cases([0, 3, 2, 1], "a"), four_cases([0, 3, 1, 2], "b")], 2)
    assert {text.get_text() for text in recommend_figures.overlaps(table).axes[0].texts} == {"1.00", "0.50"}
    parts = pd.concat([groups.by_history_length(four_cases([0, 3, 2, 1], n)).assign(system=n) for n in "ab"])
    labels = [text.get_text() for text in recommend_figures.groups(parts, "events").axes[0].get_xticklabels()]
    assert labels == ["below 10\n(1)", "10–19\n(2)", "100 and more\n(1)"]
    waits = pd.DataFrame({"system": ["a", "b"], "p50": [1e-3, 2e-3], "p99": [2e-3, 9e-3], "per_second": [900, 400]})
    left, right = recommend_figures.waiting(waits).axes
    assert left.lines[0].get_xdata().tolist() == [2.0, 1.0]
    assert right.lines[0].get_xdata().tolist() == [400, 900]
    assert not right.patches  # bars would need a zero
    plt.close("all")


@pytest.mark.parametrize("block", [1, 50, 2**21])
def test_nearest_items_are_those_of_a_full_table(block: int, monkeypatch: pytest.MonkeyPatch):
    vectors = np.random.default_rng(3).normal(size=(30, 4)).astype(np.float32)
    vectors[7], vectors[9] = 0, 2 * vectors[8]  # similar to nothing; as near to all as item 8
    cosines = vectors @ vectors.T / np.maximum(np.outer(*2 * [np.linalg.norm(vectors, axis=1)]), 1e-9)
    np.fill_diagonal(cosines, -np.inf)
    monkeypatch.setattr(antecedents, "BLOCK", block)
    found = nearest_items(vectors, 5)
    assert found.shape == (30, 5)
    given = np.take_along_axis(cosines, found, axis=1)
    assert given == pytest.approx(-np.sort(-cosines, axis=1)[:, :5], abs=1e-6)
    assert (found != np.arange(30)[:, None]).all()
    assert nearest_items(vectors, 100).shape == (30, 29)
    assert found[8, 0] == 9


def test_the_neighbours_of_a_kind_are_counted_without_the_item_itself():
    near = np.array([[1, 2], [0, 3], [3, 4], [2, 1], [0, 2]])
    found, chance = share_alike(near, np.array(["a", "a", "b", "a", None], dtype=object))
    assert found == pytest.approx([0.5, 1, 0, 0.5, np.nan], nan_ok=True)
    assert chance == pytest.approx([2 / 4, 2 / 4, 0, 2 / 4, np.nan], nan_ok=True)
    found, chance = share_alike(near, np.array([None, np.nan, None, None, None], dtype=object))
    assert np.isnan([found, chance]).all()


def test_random_vectors_have_as_many_neighbours_of_a_kind_as_chance_says():
    random = np.random.default_rng(0)
    kinds = random.choice(["a", "b", "c"], 3000, p=[0.6, 0.3, 0.1])
    found, chance = share_alike(nearest_items(random.normal(size=(3000, 8)), 5), kinds)
    assert found.mean() == pytest.approx(chance.mean(), abs=0.02)

"""Several recommenders as one: comparable scores, sums of them, and a weight chosen on validation."""

from __future__ import annotations

import numpy as np
import pytest
from by_last_item import ByLast, random_task

from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.errors import BadParameter, UnknownName
from llmarm_tutorial.evaluation.ranking import evaluate
from llmarm_tutorial.evaluation.tasks import Task
from llmarm_tutorial.recommend import experts
from llmarm_tutorial.recommend.experts import (
    FLOOR,
    LEAST,
    Expert,
    Fusion,
    Precomputed,
    choose_weight,
    log_chances,
    product_of_experts,
    reciprocal_ranks,
    z_scores,
)


class Fixed:
    def __init__(self, values: list[float]) -> None:
        self.values, self.n_items = np.array(values, dtype=np.float32), len(values)

    def scores(self, histories: Histories) -> np.ndarray:
        return np.tile(self.values, (len(histories), 1))


ONE, OTHER = Fixed([3.0, 1.0, 0.0]), Fixed([0.0, 2.0, 2.0])
HISTORY, HISTORIES = Histories.from_lists([[0]]), Histories.from_lists([[1, 0], [2]])


def experts_of(*systems, scale: str = "shares") -> tuple[Expert, ...]:
    return tuple(Expert(f"e{number}", system, scale) for number, system in enumerate(systems))


# --- comparable scores -----------------------------------------------------------------------------------------------


def test_log_chances_by_hand():
    shares = log_chances(np.array([[3.0, 1.0, -2.0]]), "shares")
    assert np.allclose(shares, np.log(np.array([0.75, 0.25, 0.0]) + FLOOR))
    logits = log_chances(np.array([[0.0, np.log(3), -np.inf]], dtype=np.float32), "logits")
    assert np.allclose(logits, [[np.log(0.25), np.log(0.75), LEAST]])


def test_who_says_nothing_says_the_same_of_all():
    assert np.allclose(log_chances(np.zeros((1, 3)), "shares"), np.log(FLOOR))
    assert np.ptp(log_chances(np.full((1, 3), -np.inf), "logits")) == 0
    assert (z_scores(np.full((1, 4), 0.1, dtype=np.float32)) == 0).all()
    assert (z_scores(np.full((1, 4), -np.inf)) == 0).all()


def test_z_scores_by_hand_and_what_is_no_candidate_is_last():
    z = z_scores(np.array([[1.0, 3.0, -np.inf, 2.0]]))
    assert np.allclose(z, [[-np.sqrt(1.5), np.sqrt(1.5), -np.sqrt(1.5), 0]])


def test_equal_scores_share_their_mean_rank():
    ranks = [1.5, 4.0, 1.5, 3.0]
    assert np.allclose(reciprocal_ranks(np.array([[7.0, -np.inf, 7.0, 2.0]])), 60 / (60 + np.array([ranks])))


# --- sums of them ----------------------------------------------------------------------------------------------------


def test_a_fusion_by_hand_in_each_way():
    experts = experts_of(ONE, OTHER)
    share = [np.array([0.75, 0.25, 0.0]), np.array([0.0, 0.5, 0.5])]
    expected = 0.75 * np.log(share[0] + FLOOR) + 0.25 * np.log(share[1] + FLOOR)
    fused = Fusion(experts, {"log": [0.75, 0.25]}).scores(HISTORIES)
    assert np.allclose(fused, np.tile(expected, (2, 1)), atol=1e-5)
    ranks = 60 / (60 + np.array([1.0, 2.0, 3.0])) + 2 * 60 / (60 + np.array([3.0, 1.5, 1.5]))
    assert np.allclose(Fusion(experts, {"rank": [1, 2]}).scores(HISTORIES)[0], ranks)
    z = [(v - v.mean()) / v.std() for v in (ONE.values, OTHER.values)]
    assert np.allclose(Fusion(experts, {"z": [1, 1]}).scores(HISTORIES)[1], z[0] + z[1], atol=1e-6)
    both = Fusion(experts, {"rank": [1, 2], "z": [1, 1]}).scores(HISTORIES)
    assert np.allclose(both[0], ranks + z[0] + z[1], atol=1e-6)


def test_a_mixture_weighs_shares():
    one, two, nothing = Fixed([1, 3]), Fixed([8, 2]), Fixed([0, 0])
    scores = Fusion(experts_of(one, two), {"share": (0.75, 0.25)}).scores(HISTORY)
    np.testing.assert_allclose(scores, [[0.75 * 0.25 + 0.25 * 0.8, 0.75 * 0.75 + 0.25 * 0.2]])
    scores = Fusion(experts_of(one, nothing), {"share": (0.5, 0.5)}).scores(HISTORY)
    np.testing.assert_allclose(scores, [[0.125, 0.375]])
    below = Fusion(experts_of(Fixed([-1.0, 1.0])), {"share": [1.0]}).scores(HISTORY)
    assert below.tolist() == [[0, 1]], "shares below 0 count as 0"
    logits = Fusion(experts_of(Fixed([0.0, np.log(3)]), scale="logits"), {"share": [1.0]}).scores(HISTORY)
    np.testing.assert_allclose(logits, [[0.25, 0.75]], rtol=1e-6)


def test_an_expert_is_asked_once_and_only_if_it_has_a_say():
    asked, silent = (ByLast(np.tile(system.values, (3, 1))) for system in (ONE, OTHER))
    Fusion(experts_of(asked, silent), {"log": (1.0, 0.0), "rank": (0.5, 0.0), "z": (-1.0, 0.0)}).scores(HISTORIES)
    assert (asked.asked, silent.asked) == (2, 0)


def test_items_that_are_left_out_have_no_part_in_ranks():
    fusion = Fusion(experts_of(ONE), {"rank": [1.0]}, filter_seen=True)
    assert np.allclose(fusion.scores(HISTORY), 60 / (60 + np.array([[3, 1, 2]])))


def test_results_do_not_depend_on_blocks():
    rng = np.random.default_rng(0)
    task = random_task(rng, 40, 12)
    experts = experts_of(*(ByLast(rng.random((12, 12))) for _ in range(2)))
    system = Fusion(experts, dict.fromkeys(("log", "z", "rank", "share"), (0.3, 0.3)), filter_seen=True)
    whole, parts = (evaluate(system, task, ks=(5,), block=block).values("NDCG@5") for block in (40, 7))
    assert np.allclose(whole, parts)


def test_precomputed_scores_are_those_of_the_system(monkeypatch):
    rng = np.random.default_rng(3)
    task, system = random_task(rng, 50, 20), ByLast(rng.random((20, 20)))
    monkeypatch.setattr("llmarm_tutorial.recommend.experts.SCORES_PER_BLOCK", 20 * 7)  # eight blocks, the last smaller
    given = Precomputed.of(system, task.histories)
    assert system.asked == 50
    assert given.scores(task.histories).tolist() == system.scores(task.histories).tolist()


# --- a model and counting --------------------------------------------------------------------------------------------


def test_a_product_by_hand():
    joined = product_of_experts(Fixed([1.0, 2.0, 0.0]), Fixed([6.0, 2.0, 0.0]), 0.5).scores(HISTORY)[0]
    expected = np.array([1.0, 2.0, 0.0]) + 0.5 * np.log(np.array([0.75, 0.25, 0.0]) + FLOOR)
    assert np.allclose(joined - joined[0], expected - expected[0], atol=1e-6)


def test_without_weight_the_model_speaks_alone_and_silence_of_counting_changes_nothing():
    model = Fixed([0.3, -1.0, 2.0])
    alone = product_of_experts(model, Fixed([5.0, 1.0, 0.0]), 0.0).scores(HISTORY)[0]
    assert np.allclose(alone - alone[0], model.values - model.values[0], atol=1e-6)
    silent = product_of_experts(model, Fixed([0.0, 0.0, 0.0]), 1.0).scores(HISTORY)[0]
    assert np.allclose(silent - silent[0], model.values - model.values[0], atol=1e-6)


def test_the_weight_is_chosen_by_validation():
    # of the three items the model is right about the first case, counting about the other two
    task = Task.from_lists([[0], [0], [0]], [[2], [1], [1]], 3)
    weight, system, tries = choose_weight(
        Fixed([0.0, 0.0, 3.0]),
        Fixed([0.0, 9.0, 1.0]),
        task,
        metric="NDCG@1",
        filter_seen=False,
        weights=(0.0, 0.5, 5.0),
    )
    assert tries["value"].tolist() == pytest.approx([1 / 3, 1 / 3, 2 / 3])
    assert weight == 5.0
    assert evaluate(system, task, ks=(1,), filter_seen=False).mean("NDCG@1") == pytest.approx(2 / 3)


def test_choosing_a_weight_asks_each_system_once_and_finds_what_separate_evaluations_find():
    rng = np.random.default_rng(3)
    model, counting = (ByLast(rng.random((20, 20))) for _ in range(2))
    task, weights = random_task(rng, 50, 20), (0.0, 1.0, 3.0)
    tries = choose_weight(model, counting, task, weights=weights).tries
    assert (model.asked, counting.asked) == (50, 50)
    alone = [
        evaluate(product_of_experts(model, counting, weight), task, ks=(10,)).mean("NDCG@10") for weight in weights
    ]
    assert tries["value"].tolist() == pytest.approx(alone)


def test_choosing_a_weight_holds_the_scores_of_one_block_at_a_time(monkeypatch):
    rng = np.random.default_rng(4)
    model, counting = (ByLast(rng.random((20, 20))) for _ in range(2))
    task = random_task(rng, 50, 20)
    whole = choose_weight(model, counting, task).tries["value"]
    largest = []
    scores = ByLast.scores

    def noted(self, histories):
        largest.append(len(histories))
        return scores(self, histories)

    monkeypatch.setattr(ByLast, "scores", noted)
    monkeypatch.setattr(experts, "SCORES_PER_BLOCK", 7 * 20)
    assert choose_weight(model, counting, task).tries["value"].tolist() == whole.tolist()
    assert max(largest) == 7


@pytest.mark.parametrize(
    ("what", "error", "message"),
    [
        (lambda: reciprocal_ranks(np.array([[1.0, np.nan]])), BadParameter, "NaN has no rank"),
        (lambda: Expert("a", ONE, "odds"), BadParameter, "not 'odds'"),
        (lambda: Fusion((), {}), BadParameter, "at least one expert"),
        (lambda: Fusion((Expert("a", ONE),) * 2, {}), BadParameter, "different names"),
        (lambda: Fusion(experts_of(ONE, Fixed([1.0, 1.0])), {}), BadParameter, "same items"),
        (lambda: product_of_experts(ONE, Fixed([1.0, 1.0]), 1.0), BadParameter, "same items"),
        (lambda: product_of_experts(ONE, OTHER, -1.0), BadParameter, "not -1"),
        (lambda: Fusion(experts_of(ONE), {"max": [1.0]}), UnknownName, "'max'"),
        (lambda: Fusion(experts_of(ONE, OTHER), {"log": [1.0]}), BadParameter, "one weight for each of 2"),
    ],
)
def test_what_cannot_be_joined_is_one_sentence(what, error: type, message: str):
    with pytest.raises(error, match=message):
        what()


def test_a_weight_of_zero_leaves_the_order_of_the_model_alone():
    rng = np.random.default_rng(0)
    logits, counts = rng.normal(0, 300, (6, 9)), rng.integers(0, 5, (6, 9))  # chances far below any share
    known = Histories.from_lists([[0]] * 6, 9)
    scores = product_of_experts(Precomputed(9, logits), Precomputed(9, counts), 0.0).scores(known)
    assert (scores.argsort(axis=1) == logits.argsort(axis=1)).all()


def test_counts_below_zero_are_refused_by_a_product():
    joined = product_of_experts(Precomputed(3, np.zeros((1, 3))), Precomputed(3, np.array([[1.0, -1.0, 0.0]])))
    with pytest.raises(BadParameter, match="at least 0, as shares"):
        joined.scores(Histories.from_lists([[0]], 3))

"""Several recommenders as one: comparable scores, fusions, learned combinations, and the choice among them."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.errors import BadParameter, DataError, UnknownName
from llmarm_tutorial.evaluation.ranking import evaluate
from llmarm_tutorial.evaluation.tasks import Task
from llmarm_tutorial.recommend.blend import FLOOR
from llmarm_tutorial.recommend.experts import (
    LEAST,
    Combined,
    Expert,
    Panel,
    fused,
    log_chances,
    reciprocal_ranks,
    z_scores,
)
from llmarm_tutorial.recommend.hybrid import FEATURE_SETS, Candidates, choose, fit


class ByLast:
    """Scores by the last item of the history; counts the cases it was asked about."""

    def __init__(self, table: np.ndarray) -> None:
        self.table, self.n_items, self.asked = np.asarray(table, dtype=np.float32), np.shape(table)[1], 0

    def scores(self, histories: Histories) -> np.ndarray:
        self.asked += len(histories)
        return self.table[histories.last(1)[:, 0]]


def panel_of(*tables: np.ndarray, says: str = "shares", filter_seen: bool = False) -> Panel:
    experts = tuple(Expert(f"e{number}", ByLast(table), says) for number, table in enumerate(tables))
    return Panel(experts, np.array([7, 3, 1]), filter_seen)


ONE = np.tile([3.0, 1.0, 0.0], (3, 1))
OTHER = np.tile([0.0, 2.0, 2.0], (3, 1))
HISTORIES = Histories.from_lists([[1, 0], [2]])


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


# --- a panel and its sums --------------------------------------------------------------------------------------------


def test_a_fusion_by_hand_in_each_way():
    panel = panel_of(ONE, OTHER)
    share = [np.array([0.75, 0.25, 0.0]), np.array([0.0, 0.5, 0.5])]
    expected = 0.75 * np.log(share[0] + FLOOR) + 0.25 * np.log(share[1] + FLOOR)
    assert np.allclose(fused(panel, [0.75, 0.25]).scores(HISTORIES), np.tile(expected, (2, 1)), atol=1e-5)
    ranks = 60 / (60 + np.array([1.0, 2.0, 3.0])) + 2 * 60 / (60 + np.array([3.0, 1.5, 1.5]))
    assert np.allclose(fused(panel, [1, 2], "rank").scores(HISTORIES)[0], ranks)
    z = [(v - v.mean()) / v.std() for v in (ONE[0], OTHER[0])]
    assert np.allclose(fused(panel, [1, 1], "z").scores(HISTORIES)[1], z[0] + z[1], atol=1e-6)


def test_facts_of_the_history():
    names = ["bought", "times", "recent", "popularity", "depth e0", "log e0"]
    history = Histories(np.array([1, 0, 0, 1]), np.array([0, 3, 4]), np.array([0, 1, 2, 0]), 3)
    bought, times, recent, popularity, depth, log = panel_of(ONE).features(history, names)
    assert bought.tolist() == [[1, 1, 0], [0, 1, 0]]
    assert np.allclose(times[0], np.log([3, 2, 1]))
    assert np.allclose(recent, [[1, 1 / 3, 0], [0, 1, 0]])
    assert np.allclose(popularity[1], np.log([8, 4, 2]))
    assert np.allclose(depth, log * np.log([[4], [2]]))


def test_an_expert_is_asked_once_and_only_if_it_has_a_say():
    panel = panel_of(ONE, OTHER)
    Combined(panel, {"log e0": 1.0, "rank e0": 0.5, "z e0": -1.0, "log e1": 0.0}).scores(HISTORIES)
    assert [expert.system.asked for expert in panel.experts] == [2, 0]


def test_items_that_are_left_out_have_no_part_in_ranks():
    panel = panel_of(ONE, filter_seen=True)
    (ranks,) = panel.features(Histories.from_lists([[0]]), ["rank e0"])
    assert np.allclose(ranks, 60 / (60 + np.array([[3, 1, 2]])))


def test_results_do_not_depend_on_blocks():
    rng = np.random.default_rng(0)
    task = random_task(rng, 40, 12)
    experts = tuple(Expert(str(n), ByLast(rng.random((12, 12)))) for n in range(2))
    panel = Panel(experts, task.item_counts, True)
    system = Combined(panel, {name: 0.3 for name in panel.names(("log", "z", "rank", "times", "depth"))})
    whole, parts = (evaluate(system, task, ks=(5,), block=block).values("NDCG@5") for block in (40, 7))
    assert np.allclose(whole, parts)


# --- learning and choosing -------------------------------------------------------------------------------------------


def random_task(rng: np.random.Generator, n_cases: int, n_items: int, table: np.ndarray | None = None) -> Task:
    """Cases of one to three items; the next one is drawn by the softmax of a row of the table, else at random."""
    histories = [rng.integers(0, n_items, rng.integers(1, 4)).tolist() for _ in range(n_cases)]
    chances = np.ones((n_items, n_items)) if table is None else np.exp(table)
    chances = chances / chances.sum(axis=1, keepdims=True)
    return Task.from_lists(histories, [[rng.choice(n_items, p=chances[h[-1]])] for h in histories], n_items)


def test_candidates_are_the_best_of_every_expert_and_unlisted_targets_are_missed():
    first, second = np.tile(np.arange(8.0, 0, -1), (8, 1)), np.tile([0, 0, 0, 9, 1, 0, 0, 0], (8, 1))
    task = Task.from_lists([[0], [0]], [[3], [7, 1]], 8)
    panel = Panel((Expert("a", ByLast(first)), Expert("b", ByLast(second))), np.ones(8), False)
    found = Candidates.gather(panel, task, ["log a"], top=2)
    assert found.real.sum(axis=1).tolist() == [4, 4]  # 0, 1 of the one and 3, 4 of the other
    assert found.target_at.tolist() == [2, *[{1: 1, 7: -1}[item] for item in task.targets.indices[1:]]]
    assert found.judge(found.values[:, :, 0], "HR@2").tolist() == [0, 1]
    assert found.judge(found.values[:, :, 0], "Recall@4").tolist() == [1, 0.5]
    again = found.take(np.array([1, 0]))
    assert again.judge(again.values[:, :, 0], "Recall@4").tolist() == [0.5, 1]


def test_a_judgement_on_candidates_is_that_of_the_full_ranking():
    rng = np.random.default_rng(3)
    task = random_task(rng, 60, 30)
    panel = Panel(tuple(Expert(str(n), ByLast(rng.random((30, 30)))) for n in range(2)), task.item_counts, True)
    found = Candidates.gather(panel, task, panel.names(["log"]), top=30)
    weights = [0.4, 0.6]
    exact = evaluate(fused(panel, weights), task, ks=(10,)).values("NDCG@10")
    assert np.allclose(found.judge(found.values @ np.float32(weights)), exact)


def test_learned_weights_find_the_ones_that_customers_were_drawn_by():
    rng = np.random.default_rng(1)
    logits = [rng.normal(0, 2, (20, 20)) for _ in range(3)]
    task = random_task(rng, 6000, 20, 0.8 * logits[0] - 0.3 * logits[1])
    panel = Panel(tuple(Expert(str(n), ByLast(t), "logits") for n, t in enumerate(logits)), task.item_counts, False)
    weights = fit(Candidates.gather(panel, task, panel.names(["log"])), panel.names(["log"]), penalty=0)
    assert list(weights.values()) == pytest.approx([0.8, -0.3, 0], abs=0.04)


def test_with_two_candidates_the_fit_is_logistic_regression():
    rng = np.random.default_rng(2)
    tables = [rng.normal(size=(300, 2)) for _ in range(2)]
    choice = (rng.random(300) < 1 / (1 + np.exp(-1.5 * (tables[0][:, 1] - tables[0][:, 0])))).astype(int)

    class Rows:
        n_items = 2

        def __init__(self, table: np.ndarray) -> None:
            self.table = table

        def scores(self, histories: Histories) -> np.ndarray:
            return self.table

    task = Task.from_lists([[0]] * 300, choice[:, None].tolist(), 2, [1, 1])
    panel = Panel(tuple(Expert(str(n), Rows(table), "logits") for n, table in enumerate(tables)), np.ones(2), False)
    names = panel.names(["log"])
    ours = fit(Candidates.gather(panel, task, names), names, penalty=0)
    differences = np.column_stack([table[:, 1] - table[:, 0] for table in tables])
    peer = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-8).fit(differences, choice)
    assert list(ours.values()) == pytest.approx(peer.coef_[0].tolist(), abs=2e-3)


def test_a_penalty_makes_weights_smaller_and_a_constant_feature_gets_none():
    rng = np.random.default_rng(4)
    table = rng.normal(0, 1, (15, 15))
    task = random_task(rng, 500, 15, table)
    flat = Expert("flat", ByLast(np.zeros((15, 15))), "logits")
    panel = Panel((Expert("good", ByLast(table), "logits"), flat), task.item_counts, False)
    found = Candidates.gather(panel, task, panel.names(["log"]))
    free, held = (fit(found, panel.names(["log"]), penalty) for penalty in (0.0, 1.0))
    assert 0 < held["log good"] < 0.7 * free["log good"]
    assert free["log flat"] == 0


def chosen_of(tables: list[np.ndarray], task: Task, **options):
    experts = [Expert(f"e{n}", ByLast(table), "logits") for n, table in enumerate(tables)]
    return choose(experts, task, filter_seen=False, metric="NDCG@5", **options), experts


def test_two_halves_of_the_truth_are_joined_and_each_expert_is_asked_once():
    rng = np.random.default_rng(5)
    tables = [rng.normal(0, 1.5, (30, 30)) for _ in range(2)]
    found, experts = chosen_of(tables, random_task(rng, 800, 30, tables[0] + tables[1]))
    assert [expert.system.asked for expert in experts] == [800, 800]
    single = found.tries.loc[found.tries["kind"] == "single", "value"].max()
    row = found.tries.set_index("system").loc[found.name]
    assert row["kind"] != "single"
    assert row["value"] > single + 0.05
    unseen = random_task(rng, 800, 30, tables[0] + tables[1])
    scores = {
        name: evaluate(system, unseen, ks=(5,), filter_seen=False).mean("NDCG@5")
        for name, system in found.finalists.items()
    }
    assert scores[found.name] > max(scores["e0"], scores["e1"]) + 0.05
    assert found.best("fusion") == "fusion, log"


def test_where_one_expert_knows_all_it_is_the_hybrid_itself():
    rng = np.random.default_rng(6)
    truth, noise = rng.normal(0, 2, (30, 30)), rng.normal(0, 2, (30, 30))
    found, experts = chosen_of([noise, truth], random_task(rng, 400, 30, truth))
    assert found.name == "e1"
    assert found.system is experts[1].system


def test_what_is_chosen_is_never_below_a_single_expert_on_validation():
    rng = np.random.default_rng(7)
    for caution in (0.0, 1.0, 5.0):
        found, _ = chosen_of([rng.random((12, 12)) for _ in range(3)], random_task(rng, 60, 12), caution=caution)
        row = found.tries.set_index("system").loc[found.name]
        assert row["value"] >= found.tries.loc[found.tries["kind"] == "single", "value"].max()


def test_choosing_is_repeatable_and_one_expert_is_enough():
    rng = np.random.default_rng(8)
    table, task = rng.random((10, 10)), random_task(rng, 50, 10)
    first, second = (chosen_of([table], task, seed=3)[0] for _ in range(2))
    assert first.tries.equals(second.tries)
    assert first.tries["kind"].tolist() == ["single", *["learned"] * len(FEATURE_SETS)]


@pytest.mark.parametrize(
    ("what", "error", "message"),
    [
        (lambda: Expert("a", ByLast(ONE), "odds"), BadParameter, "not 'odds'"),
        (lambda: Panel((), np.ones(3)), BadParameter, "at least one expert"),
        (lambda: Panel((Expert("a", ByLast(ONE)),) * 2, np.ones(3)), BadParameter, "different names"),
        (lambda: Panel((Expert("a", ByLast(ONE)),), np.ones(4)), BadParameter, "same items, here 4"),
        (lambda: fused(panel_of(ONE), [1.0], "max"), BadParameter, "not 'max'"),
        (lambda: fused(panel_of(ONE, OTHER), [1.0]), BadParameter, "one weight from 0 for each of 2"),
        (lambda: fused(panel_of(ONE, OTHER), [0.0, 0.0]), BadParameter, "one weight"),
        (lambda: list(panel_of(ONE).features(HISTORIES, ["log e9"])), UnknownName, "no feature 'log e9'"),
        (lambda: chosen_of([ONE], Task.from_lists([[0]] * 3, [[1]] * 3, 3)), BadParameter, "at least 4 cases"),
        (lambda: chosen_of([ONE], Task.from_lists([[0]] * 8, [[1]] * 8, 3), steps=1), BadParameter, "2 steps"),
    ],
)
def test_what_cannot_be_joined_is_one_sentence(what, error: type, message: str):
    with pytest.raises(error, match=message):
        what()


def test_nothing_can_be_learned_without_a_listed_target():
    task = Task.from_lists([[0]], [[2]], 3)
    found = Candidates.gather(panel_of(ONE), task, ["log e0"], top=2)
    with pytest.raises(DataError, match="larger top"):
        fit(found, ["log e0"])
    with pytest.raises(BadParameter, match="at least 0"):
        fit(found, ["log e0"], -1)

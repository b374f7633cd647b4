"""The choice among recommenders and ways to join them, and what a learned combination learns."""

from __future__ import annotations

import numpy as np
import pytest
from by_last_item import ByLast, random_task
from sklearn.linear_model import LogisticRegression

from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.errors import BadParameter, DataError
from llmarm_tutorial.evaluation.ranking import evaluate
from llmarm_tutorial.evaluation.tasks import Task
from llmarm_tutorial.recommend.experts import Expert, Fusion
from llmarm_tutorial.recommend.hybrid import Candidates, choose_hybrid, fit

ONE = np.tile([3.0, 1.0, 0.0], (3, 1))


def test_candidates_are_the_best_of_every_expert_and_unlisted_targets_are_missed():
    first, second = np.tile(np.arange(8.0, 0, -1), (8, 1)), np.tile([0, 0, 0, 9, 1, 0, 0, 0], (8, 1))
    task = Task.from_lists([[0], [0]], [[3], [7, 1]], 8)
    experts = (Expert("a", ByLast(first)), Expert("b", ByLast(second)))
    found = Candidates.gather(experts, task, ["log"], filter_seen=False, top=2)
    by_first = found.joined(np.array([[1.0, 0.0]]))
    assert found.real.sum(axis=1).tolist() == [4, 4]  # 0, 1 of the one and 3, 4 of the other
    assert found.target_at.tolist() == [2, *[{1: 1, 7: -1}[item] for item in task.targets.indices[1:]]]
    assert found.judge(by_first, "HR@2").tolist() == [0, 1]
    assert found.judge(by_first, "Recall@4").tolist() == [1, 0.5]


def test_a_judgement_on_candidates_is_that_of_the_full_ranking():
    rng = np.random.default_rng(3)
    task = random_task(rng, 60, 30)
    experts = tuple(Expert(str(n), ByLast(rng.random((30, 30)))) for n in range(2))
    found = Candidates.gather(experts, task, ["log"], top=30)
    fusion = Fusion(experts, {"log": [0.4, 0.6]}, filter_seen=True)
    exact = evaluate(fusion, task, ks=(10,)).values("NDCG@10")
    assert np.allclose(found.judge(found.joined(np.float32([[0.4, 0.6]]))), exact)


def test_learned_weights_find_the_ones_that_customers_were_drawn_by():
    rng = np.random.default_rng(1)
    logits = [rng.normal(0, 2, (20, 20)) for _ in range(3)]
    task = random_task(rng, 6000, 20, 0.8 * logits[0] - 0.3 * logits[1])
    experts = [Expert(str(n), ByLast(table), "logits") for n, table in enumerate(logits)]
    weights = fit(Candidates.gather(experts, task, ["log"], filter_seen=False), penalty=0)
    assert weights[0].tolist() == pytest.approx([0.8, -0.3, 0], abs=0.04)


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
    experts = [Expert(str(n), Rows(table), "logits") for n, table in enumerate(tables)]
    ours = fit(Candidates.gather(experts, task, ["log"], filter_seen=False), penalty=0)
    differences = np.column_stack([table[:, 1] - table[:, 0] for table in tables])
    peer = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-8).fit(differences, choice)
    assert ours[0].tolist() == pytest.approx(peer.coef_[0].tolist(), abs=2e-3)


def test_a_penalty_makes_weights_smaller_and_a_constant_feature_gets_none():
    rng = np.random.default_rng(4)
    table = rng.normal(0, 1, (15, 15))
    task = random_task(rng, 500, 15, table)
    experts = [Expert("good", ByLast(table), "logits"), Expert("flat", ByLast(np.zeros((15, 15))), "logits")]
    found = Candidates.gather(experts, task, ["log"], filter_seen=False)
    free, held = (fit(found, penalty=penalty)[0] for penalty in (0.0, 1.0))
    assert 0 < held[0] < 0.7 * free[0]
    assert free[1] == 0


def test_weights_are_learned_from_the_cases_that_are_named():
    rng = np.random.default_rng(9)
    table = rng.normal(0, 1, (15, 15))
    task, rows = random_task(rng, 200, 15, table), np.arange(0, 200, 2)
    experts = [Expert("a", ByLast(table), "logits"), Expert("b", ByLast(rng.random((15, 15))))]
    some = fit(Candidates.gather(experts, task, filter_seen=False), rows)
    alone = fit(Candidates.gather(experts, task.take(rows), filter_seen=False))
    assert some.shape == (3, 2)
    np.testing.assert_allclose(some, alone, rtol=1e-3, atol=1e-3)


def chosen_of(tables: list[np.ndarray], task: Task, **options):
    experts = [Expert(f"e{n}", ByLast(table), "logits") for n, table in enumerate(tables)]
    return choose_hybrid(experts, task, filter_seen=False, metric="NDCG@5", **options), experts


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
    assert first.tries["kind"].tolist() == ["single"], "there is nobody to be joined with"


@pytest.mark.parametrize(
    ("what", "message"),
    [
        (lambda: chosen_of([ONE], Task.from_lists([[0]] * 3, [[1]] * 3, 3)), "at least 4 cases"),
        (lambda: chosen_of([ONE], Task.from_lists([[0]] * 8, [[1]] * 8, 3), steps=1), "2 steps"),
        (lambda: choose_hybrid([], Task.from_lists([[0]] * 8, [[1]] * 8, 3)), "at least one expert"),
    ],
)
def test_what_cannot_be_chosen_from_is_one_sentence(what, message: str):
    with pytest.raises(BadParameter, match=message):
        what()


def test_nothing_can_be_learned_without_a_listed_target():
    task = Task.from_lists([[0]], [[2]], 3)
    found = Candidates.gather([Expert("e0", ByLast(ONE))], task, ["log"], filter_seen=False, top=2)
    with pytest.raises(DataError, match="larger top"):
        fit(found)
    with pytest.raises(BadParameter, match="at least 0"):
        fit(found, penalty=-1)

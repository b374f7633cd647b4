"""Baselines: each against its definition written out, the tuner, and the reference numbers on real data."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmarm_tutorial.data import loading
from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.errors import BadParameter, UnknownName
from llmarm_tutorial.evaluation.ranking import evaluate
from llmarm_tutorial.evaluation.tasks import Task, next_item_task
from llmarm_tutorial.recommend.counting import (
    AssociationRules,
    Ease,
    ItemNeighbours,
    MarkovChain,
    PersonalPopularity,
    Popularity,
    SequentialRules,
    transitions,
)
from llmarm_tutorial.recommend.tuning import BASELINES, make_baseline, tune_baseline

N = 6
SMALL = [[0, 1, 2], [0, 1, 3], [0, 2], [1, 4, 1], [5]]
TRAIN = Histories.from_lists(SMALL, N)


def visited(users: list[list[list[int]]]) -> Histories:
    """Histories from users as lists of baskets."""
    items = [item for user in users for basket in user for item in basket]
    visits = [number for user in users for number, basket in enumerate(user) for _ in basket]
    lengths = [sum(map(len, user)) for user in users]
    return Histories(
        np.array(items, np.int32), np.concatenate([[0], np.cumsum(lengths)]), np.array(visits, np.int32), N
    )


baskets = st.lists(st.integers(0, N - 1), min_size=1, max_size=3, unique=True)
many_users = st.lists(st.lists(baskets, max_size=5), min_size=1, max_size=6)


def scores(baseline, history: list[int], train: Histories = TRAIN, n: int = N) -> list[float]:
    return baseline.fit(replace(train, n_items=n)).scores(Histories.from_lists([history]))[0].tolist()


# --- each one by its definition ----------------------------------------------------


def test_popularity_counts_events():
    assert scores(Popularity(), [5]) == [3, 4, 2, 1, 1, 1]
    assert scores(Popularity(last=1), []) == [0, 1, 2, 1, 0, 1]


def test_personal_popularity_by_hand():
    train = Histories.from_lists([[0, 0, 1], [1, 2, 2, 1]], 3)  # events per item: 2, 3, 2 of 7
    fitted = PersonalPopularity(popularity=0.7).fit(train)
    asked = Histories.from_lists([[2, 2, 2, 0], []])
    assert np.allclose(fitted.scores(asked), [[1.2, 0.3, 3.2], [0.2, 0.3, 0.2]])
    recent = PersonalPopularity(last=2, position_power=1.0, popularity=0.0).fit(train)
    assert np.allclose(recent.scores(asked)[0], [1, 0, 0.5])


def test_association_rules_fire_from_the_last_item_or_from_all():
    # item 0 has three users, of whom two have 1, two have 2, one has 3
    assert scores(AssociationRules(), [4, 0]) == pytest.approx([1, 2 / 3, 2 / 3, 1 / 3, 0, 0])
    assert scores(AssociationRules(measure="lift"), [0]) == pytest.approx([5 / 3, 10 / 9, 5 / 3, 5 / 3, 0, 0])
    assert scores(AssociationRules(min_count=2), [0]) == pytest.approx([1, 2 / 3, 2 / 3, 0, 0, 0])
    both = [a + b for a, b in zip(scores(AssociationRules(), [0]), scores(AssociationRules(), [4]), strict=True)]
    assert scores(AssociationRules(last=None), [0, 4, 0]) == pytest.approx(both)


def test_association_rules_within_baskets_or_users():
    train = visited([[[0, 1], [2]], [[0], [1]]])
    assert scores(AssociationRules(unit="user"), [0], train) == pytest.approx([1, 1, 0.5, 0, 0, 0])
    assert scores(AssociationRules(unit="basket"), [0], train) == pytest.approx([1, 0.5, 0, 0, 0, 0])


def test_a_markov_chain_knows_what_follows_the_last_item():
    chain = MarkovChain(popularity=0)
    assert scores(chain, [3, 0]) == pytest.approx([0, 2 / 3, 1 / 3, 0, 0, 0])
    assert scores(chain, [1]) == pytest.approx([0, 0, 1 / 3, 1 / 3, 1 / 3, 0])
    assert scores(chain, [5]) == [0] * N
    assert scores(MarkovChain(popularity=0.1), [5]) == pytest.approx([0.1 * c / 12 for c in (3, 4, 2, 1, 1, 1)])


def test_a_sequential_rule_weighs_gaps_and_positions():
    # from 0: to 1 twice over gap 1; to 2 once over 2 and once over 1; to 3 over 2
    row_0 = np.array([0, 2, 1.5, 0.5, 0, 0]) / 4
    row_4 = np.array([0, 1, 0, 0, 0, 0])
    assert scores(SequentialRules(), [4, 0]) == pytest.approx(list(row_0 + row_4 / 2))
    assert scores(SequentialRules(last=1), [4, 0]) == pytest.approx(list(row_0))
    assert scores(SequentialRules(row_power=0, position_power=0), [4, 0]) == pytest.approx(list(4 * row_0 + row_4))
    assert scores(SequentialRules(steps=1), [0]) == pytest.approx([0, 2 / 3, 1 / 3, 0, 0, 0])


@settings(deadline=None)
@given(many_users, st.integers(1, 4), st.sampled_from([0.0, 1.0, 2.0]))
def test_transitions_lead_from_basket_to_later_basket(users: list, steps: int, power: float):
    expected = np.zeros((N, N))
    for user in users:
        for first, before in enumerate(user):
            for gap, after in enumerate(user[first + 1 : first + 1 + steps], start=1):
                for a in before:
                    for b in after:
                        expected[a, b] += 1 / gap**power
    assert transitions(visited(users), steps, power).toarray() == pytest.approx(expected, rel=1e-5)


@settings(deadline=None)
@given(many_users.filter(lambda users: any(users)), st.sampled_from([None, 1, 2]), st.sampled_from([0.0, 1.0]))
def test_positions_count_visits_back_from_the_end(users: list, last: int | None, power: float):
    history = visited(users)
    fitted = SequentialRules(last=last, position_power=power).fit(TRAIN)
    weights = SequentialRules().fit(TRAIN).weights
    weights = weights if isinstance(weights, np.ndarray) else weights.toarray()
    for row, user in enumerate(users):
        chosen = list(enumerate(reversed(user), start=1))[:last]
        expected = sum((weights[item] / p**power for p, basket in chosen for item in basket), start=np.zeros(N))
        assert fitted.scores(history)[row] == pytest.approx(expected, rel=1e-5)


@settings(deadline=None)
@given(many_users, st.integers(1, 4), st.sampled_from([0.0, 3.0]))
def test_neighbours_by_their_definition(users: list, k: int, shrinkage: float):
    train = visited(users)
    held = (train.matrix(N).toarray() > 0).astype(float)
    both, count = held.T @ held, held.sum(axis=0)
    size = np.sqrt(np.outer(count, count)) + shrinkage
    similarity = np.divide(both, size, out=np.zeros((N, N)), where=size > 0).astype(np.float32)
    np.fill_diagonal(similarity, 0)
    expected = np.zeros((N, N))
    for item in range(N):
        near = sorted(range(N), key=lambda other: (-similarity[other, item], other))[:k]
        expected[near, item] = similarity[near, item]
    fitted = ItemNeighbours(neighbours=k, shrinkage=shrinkage).fit(train)
    one_each = Histories.from_lists([[item] for item in range(N)])
    assert fitted.scores(one_each) == pytest.approx(expected, rel=1e-5)


def test_ease_solves_the_ridge_regression_of_every_item_on_the_others():
    rng = np.random.default_rng(0)
    train = Histories.from_lists([rng.choice(8, 3, replace=False) for _ in range(40)], 8)
    held = (train.matrix(8).toarray() > 0).astype(float)
    fitted = Ease(ridge=5.0).fit(train)
    for item in range(8):
        others = [other for other in range(8) if other != item]
        x = held[:, others]
        slopes = np.linalg.solve(x.T @ x + 5.0 * np.eye(7), x.T @ held[:, item])
        assert fitted.weights[others, item] == pytest.approx(slopes, rel=1e-4, abs=1e-6)
        assert fitted.weights[item, item] == 0


def test_an_item_that_occurs_twice_counts_at_its_latest_position():
    once, twice = (scores(ItemNeighbours(position_power=1), history) for history in ([1, 2], [2, 1, 2]))
    assert twice[0] == pytest.approx(once[0])


@pytest.mark.parametrize("name", BASELINES)
def test_all_baselines_answer_for_any_history_in_one_form(name: str):
    fitted = make_baseline(name).fit(replace(TRAIN, n_items=N + 2))  # two items that nobody has
    found = fitted.scores(Histories.from_lists([[], [7], [0, 0, 3]]))
    assert found.shape == (3, N + 2)
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    alone = fitted.scores(Histories.from_lists([[0, 0, 3]]))
    assert found[2] == pytest.approx(alone[0])


# --- settings and the tuner ----------------------------------------------------


def test_settings_out_of_range_are_refused():
    for wrong in (
        lambda: Popularity(last=0),
        lambda: AssociationRules(measure="leverage"),
        lambda: AssociationRules(unit="week"),
        lambda: AssociationRules(min_count=0),
        lambda: SequentialRules(steps=0),
        lambda: MarkovChain(popularity=-1),
        lambda: ItemNeighbours(neighbours=0),
        lambda: ItemNeighbours(shrinkage=math.nan),
        lambda: Ease(ridge=0),
        lambda: tune_baseline("ease", TRAIN, Task.from_lists([[0]], [[1]], N), budget=0),
    ):
        with pytest.raises(BadParameter):
            wrong()
    with pytest.raises(UnknownName, match="sr"):
        make_baseline("srr")
    with pytest.raises(UnknownName, match="steps"):
        make_baseline("sr", stepps=3)


def test_ease_refuses_what_would_not_fit_into_memory():
    with pytest.raises(BadParameter, match=r"54,542 × 54,542 items \(44 GB\).*filter_items"):
        Ease().fit(replace(TRAIN, n_items=54_542))


def wanderers(n_users: int = 150, n_items: int = 20) -> Transactions:
    """Users who walk round a circle of items, sometimes with a leap."""
    rng = np.random.default_rng(0)
    rows = []
    for user in range(n_users):
        walk = (rng.integers(n_items) + np.cumsum(rng.choice([1, 1, 1, 7], 8))) % n_items
        rows += [(user, place, int(item)) for place, item in enumerate(walk)]
    return Transactions.from_frame(pd.DataFrame(rows, columns=["user_id", "position", "item_id"]))


def test_the_tuner_tries_the_defaults_first_and_keeps_the_best():
    split = wanderers().leave_one_out()
    task = next_item_task(split, "validation")
    ask = {"budget": 6, "seed": 3, "metric": "NDCG@5"}
    found, again = (tune_baseline("sr", split.train.histories(), task, **ask) for _ in range(2))
    assert len(found.tries) == 6
    assert found.tries.iloc[0][["steps", "last"]].tolist() == [10, 10]
    assert found.best == again.best
    best = found.tries.loc[found.tries["value"].idxmax()]
    assert best["value"] == evaluate(found.system, task).mean("NDCG@5")
    assert found.best.gap_power == best["gap_power"]
    assert not found.tries.drop(columns=["value", "seconds"]).duplicated().any()


def test_a_small_grid_is_tried_whole():
    split = wanderers().leave_one_out()
    task = next_item_task(split, "validation")
    found = tune_baseline("sr", split.train.histories(), task, budget=50, grid={"steps": (1, 2, 10)})
    assert found.tries["steps"].tolist() == [10, 1, 2]
    assert len(tune_baseline("popularity", split.train.histories(), task).tries) == 5


def test_counting_the_order_beats_counting_sets_where_there_is_an_order():
    split = wanderers().leave_one_out()
    task, train = next_item_task(split, "test"), split.train.histories()
    found = {name: evaluate(make_baseline(name).fit(train), task).mean("HR@5") for name in BASELINES}
    assert found["markov"] > found["ar"] > found["popularity"] - 0.1
    assert found["markov"] > 0.9


# --- real data ----------------------------------------------------

REFERENCE = {  # HR@10 and NDCG@10 on the test part, measured by an independent program
    "sr": (SequentialRules(), 0.260, 0.152),
    "markov": (MarkovChain(), 0.192, 0.112),
    "ar, confidence": (AssociationRules(), 0.086, 0.046),
    "ar, lift": (AssociationRules(measure="lift"), 0.011, 0.006),
    "popularity": (Popularity(), 0.039, 0.019),
    "ease": (Ease(), 0.108, 0.054),
}


def test_the_reference_numbers_of_movielens(real_data):
    """Fitted on train alone, users who have the item counted once, seen items left out."""
    split = loading.load("movielens-1m").filter_items(5).leave_one_out()
    train, task = split.train.histories(), next_item_task(split, "test")
    assert (len(task), task.n_items) == (6040, 3416)
    found = {}
    for name, (baseline, _, _) in REFERENCE.items():
        judged = evaluate(baseline.fit(train), task, ks=(10,))
        found[name] = (judged.mean("HR@10"), judged.mean("NDCG@10"))
    expected = {name: pytest.approx(tuple(numbers), abs=0.003) for name, (_, *numbers) in REFERENCE.items()}
    assert found == expected

"""The canonical form: what has one moment has no order, so that no result depends on the names of items."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from llmarm_tutorial.data import loading
from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.errors import DataError
from llmarm_tutorial.evaluation.ranking import evaluate
from llmarm_tutorial.evaluation.tasks import next_item_task
from llmarm_tutorial.graphs.item_graph import transition_graph
from llmarm_tutorial.mining.patterns import mine_sequences
from llmarm_tutorial.mining.sequence_rules import follow_rules
from llmarm_tutorial.recommend.counting import MarkovChain, Popularity, SequentialRules, transitions

quick = settings(max_examples=60, deadline=None)
DAY = pd.Timestamp("2024-03-01")
ITEMS = "abcdef"
ONE_BASKET = "events of one user at one moment, taken as one basket, kept"
BY_POSITION = "events of one user at one moment, in the order of their position, kept"
BY_ID = "baskets of one user at one moment, in the order of their ids, kept"


def events(rows: list[tuple], columns: str = "user_id time item_id") -> Transactions:
    frame = pd.DataFrame(rows, columns=columns.split())
    if "time" in frame:
        frame["time"] = DAY + pd.to_timedelta(frame["time"], unit="D")
    return Transactions.from_frame(frame)


def pairs(data: Transactions, names: dict[str, str]) -> pd.DataFrame:
    """Every rule a ⇒ b with all its numbers, under the names given, in alphabetical order."""
    table = follow_rules(data, 3, 1)
    sides = [[names[min(side)] for side in table[column]] for column in ("antecedent", "consequent")]
    return table.assign(antecedent=sides[0], consequent=sides[1]).set_index(["antecedent", "consequent"]).sort_index()


# --- one moment is one visit -----------------------------------------------------------------------------------------


def test_what_a_user_did_at_one_moment_is_one_basket() -> None:
    data = events([("u", 1, "b"), ("u", 0, "c"), ("u", 1, "a"), ("v", 1, "a")])
    assert data.aspects == {"baskets", "users", "order", "clock"}
    assert data.basket_lists() == [["c"], ["a", "b"], ["a"]]
    assert data.histories().visits.tolist() == [0, 1, 1, 0]
    assert data.notes == {ONE_BASKET: 2}


def test_a_rank_without_a_clock_makes_visits_too() -> None:
    data = events([("u", 7, "b"), ("u", 7, "a"), ("u", 3, "b")], "user_id position item_id")
    assert data.aspects == {"baskets", "users", "order"}
    assert data.basket_lists() == [["b"], ["a", "b"]]
    assert data.notes == {ONE_BASKET: 2}


def test_events_that_all_have_a_moment_of_their_own_stay_events() -> None:
    data = events([("u", 0, "b"), ("u", 1, "b"), ("v", 0, "b")])
    assert data.aspects == {"users", "order", "clock"}
    assert not data.notes


def test_a_position_orders_what_has_one_time_and_the_note_says_so() -> None:
    data = events([("u", 0, 2, "a"), ("u", 0, 1, "b"), ("u", 1, 3, "c")], "user_id time position item_id")
    assert data.aspects == {"users", "order", "clock"}
    assert data.table["item_id"].tolist() == ["b", "a", "c"]
    assert data.notes == {BY_POSITION: 2}


def test_baskets_of_one_moment_are_counted() -> None:
    rows = [("u", "r2", 0, "a"), ("u", "r1", 0, "b"), ("u", "r3", 1, "a"), ("v", "r4", 0, "a"), (None, "r5", 0, "a")]
    data = events([*rows, ("u", "r1", 0, "c"), (None, "r6", 0, "a")], "user_id basket_id time item_id")
    assert data.table["basket_id"].drop_duplicates().tolist() == ["r1", "r2", "r3", "r4", "r5", "r6"]
    assert data.notes == {BY_ID: 2}


@pytest.mark.parametrize("turn", [1, -1])
def test_running_numbers_of_baskets_are_no_text(turn: int) -> None:
    rows = [("u", basket, 0, "a") for basket in ("9", "10", "7", "07", "110")]
    data = events(rows[::turn], "user_id basket_id time item_id")
    assert data.table["basket_id"].tolist() == ["07", "7", "9", "10", "110"]
    assert data.notes == {BY_ID: 5}


def test_the_visits_of_a_table_that_is_read_again_are_the_same() -> None:
    data = events([("u", 1, "b"), ("u", 0, "c"), ("u", 1, "a"), ("v", 1, "a")])
    again = Transactions.from_frame(data.table)
    assert again.fingerprint() == data.fingerprint()
    assert not again.notes


@pytest.mark.parametrize("order", [slice(None), slice(None, None, -1)], ids=["as written", "reversed"])
def test_two_items_of_one_moment_follow_each_other_neither_way(order: slice) -> None:
    data = events([("u1", 0, "a"), ("u1", 0, "b"), ("u2", 0, "a"), ("u2", 0, "b")][order])
    assert transitions(data.histories()).nnz == 0
    assert mine_sequences(data, 1).by_length() == [2]
    assert follow_rules(data, 1, 1).empty


# --- renaming items changes nothing ----------------------------------------------------------------------------------


@st.composite
def histories(draw) -> tuple[list[tuple[int, int, str]], dict[str, str]]:
    """Events with many ties, and new names for the items in another order."""
    rows = draw(
        st.lists(
            st.tuples(st.integers(0, 3), st.integers(0, 4), st.sampled_from(ITEMS)),
            min_size=8,
            max_size=40,
            unique=True,
        )
    )
    return rows, dict(zip(ITEMS, draw(st.permutations(ITEMS)), strict=True))


@quick
@given(histories(), st.sampled_from(["time", "position"]))
def test_renaming_items_changes_no_count(drawn: tuple, order: str) -> None:
    rows, new = drawn
    assume(len({(user, moment) for user, moment, _ in rows}) > len({user for user, _, _ in rows}))
    columns = f"user_id {order} item_id"
    one, other = events(rows, columns), events([(u, t, new[i]) for u, t, i in rows], columns)
    same = {name: name for name in ITEMS}
    pd.testing.assert_frame_equal(pairs(one, new), pairs(other, same))
    found = [mine_sequences(data, 1, max_length=3).table() for data in (one, other)]
    renamed = {tuple(new[i] for i in p): n for p, n in zip(found[0]["pattern"], found[0]["count"], strict=True)}
    assert renamed == dict(zip(found[1]["pattern"], found[1]["count"], strict=True))
    graphs = [transition_graph(data, "count", max_q=None).weights.toarray() for data in (one, other)]
    column = [other.labels().index(new[item]) for item in one.labels()]
    assert (graphs[0] == graphs[1][np.ix_(column, column)]).all()


@quick
@given(histories())
def test_renaming_items_changes_no_question_and_no_score(drawn: tuple) -> None:
    rows, new = drawn
    one, other = events(rows), events([(u, t, new[i]) for u, t, i in rows])
    column = [other.labels().index(new[item]) for item in one.labels()]
    try:
        splits = [data.leave_one_out() for data in (one, other)]
    except DataError:
        assume(False)
    for part in ("validation", "test"):
        tasks = [next_item_task(split, part) for split in splits]
        assert (tasks[0].targets.toarray() == tasks[1].targets.toarray()[:, column]).all()
        for baseline in (Popularity(), MarkovChain(), SequentialRules()):
            systems = [baseline.fit(split.train.histories()) for split in splits]
            scores = [system.scores(task.histories) for system, task in zip(systems, tasks, strict=True)]
            assert scores[0] == pytest.approx(scores[1][:, column], rel=1e-5)


def random_days(rng: np.random.Generator) -> pd.DataFrame:
    """300 customers with three days of four different items each, drawn at random; a day has one time."""
    days = [(user, day, item) for user in range(300) for day in range(3) for item in rng.choice(24, 4, replace=False)]
    frame = pd.DataFrame(days, columns=["user_id", "time", "item_id"])
    return frame.assign(time=DAY + pd.to_timedelta(frame["time"], unit="D"))


def test_where_nothing_has_an_order_none_is_found() -> None:
    data = Transactions.from_frame(random_days(np.random.default_rng(7)))
    assert data.notes == {ONE_BASKET: 3600}
    table = follow_rules(data, 3, 5)
    ahead = [min(x) < min(y) for x, y in zip(table["antecedent"], table["consequent"], strict=True)]
    assert np.average(ahead, weights=table["count"]) == pytest.approx(0.5, abs=0.03)
    assert (table["direction_p"] < 0.01).mean() < 0.03
    assert not (table["q_value"] < 0.05).any()
    split = data.leave_one_out()
    task = next_item_task(split, "test")
    chance = 5 / 24  # every item is a candidate: an item may be bought again
    for baseline in (Popularity(), MarkovChain(), SequentialRules()):
        found = evaluate(baseline.fit(split.train.histories()), task, ks=(5,), filter_seen=False)
        assert found.mean("Recall@5") == pytest.approx(chance, abs=0.04)


def test_real_movielens_100k_ties(real_data) -> None:
    data = loading.load("movielens-100k")
    assert data.notes == {ONE_BASKET: 75_772}
    assert data.describe()["baskets"] == 49_439

"""Ranks: an order of visits without a clock carries everything that asks for no days."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from llmarm_tutorial.data import loading
from llmarm_tutorial.data.ranks import parse_ranks
from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.errors import BadParameter, DataError, Lacks
from llmarm_tutorial.evaluation.tasks import next_item_task
from llmarm_tutorial.mining.patterns import mine_sequences
from llmarm_tutorial.mining.sequence_rules import follow_rules

VISITS = "card,visit,product\nc1,998,a\nc1,999,b\nc1,1000,c\nc1,1000,a\nc2,1001,a\nc2,1002,b\n"
COLUMNS = {"user_col": "card", "order_col": "visit", "item_col": "product"}


def load(folder: Path, text: str, **columns: str) -> Transactions:
    path = folder / "visits.csv"
    path.write_text(text)
    return loading.load(str(path), **(columns or COLUMNS))


def test_rows_of_one_customer_and_rank_are_one_visit(tmp_path: Path) -> None:
    data = load(tmp_path, VISITS)
    assert data.aspects == {"baskets", "users", "order"}
    assert data.histories().visits.tolist() == [0, 1, 2, 2, 0, 1]
    assert data.basket_lists() == [["a"], ["b"], ["a", "c"], ["a"], ["b"]]
    assert data.notes == {"events of one user at one moment, taken as one basket, kept": 2}


def test_ranks_are_numbers_not_text(tmp_path: Path) -> None:
    data = load(tmp_path, "card,visit,product\nc1,10,x\nc1,9,y\nc1,0100,z\n")
    assert data.table["item_id"].tolist() == ["y", "x", "z"]
    assert data.aspects == {"users", "order"}


def test_what_needs_no_days_runs_on_ranks_and_the_rest_says_so(tmp_path: Path) -> None:
    data = load(tmp_path, VISITS)
    split = data.leave_one_out()
    assert split.test.table["item_id"].tolist() == ["a", "c"]
    assert next_item_task(split, "test").targets.sum() == 2
    assert follow_rules(data, 1, 2)["count"].tolist() == [2]
    assert mine_sequences(data, 2).table()["pattern"].tolist() == [("a",), ("b",), ("a", "b")]
    for clocked in (data.split_by_time, lambda: mine_sequences(data, 2, window="7D")):
        with pytest.raises(Lacks, match="'visits' lacks clock times"):
            clocked()


def test_ranks_order_the_baskets_of_a_file(tmp_path: Path) -> None:
    text = "card,visit,product,receipt\nc1,2,a,r1\nc1,2,b,r1\nc1,1,c,r2\n"
    data = load(tmp_path, text, **COLUMNS, basket_col="receipt")
    assert data.basket_lists() == [["a", "b"], ["c"]]  # by id, as there is no clock
    assert data.histories().visits.tolist() == [0, 1, 1]
    assert data.table["basket_id"].tolist() == ["r2", "r1", "r1"]
    assert not data.notes


def test_a_basket_of_several_ranks_is_noted(tmp_path: Path) -> None:
    text = "card,line,product,receipt\nc1,1,a,r1\nc1,2,b,r1\nc1,3,c,r2\n"
    data = load(tmp_path, text, **COLUMNS | {"order_col": "line"}, basket_col="receipt")
    assert data.notes == {"baskets of several ranks in visits.csv, column 'line', ordered by the smallest": 1}
    assert data.histories().visits.tolist() == [0, 0, 1]


def test_a_visit_that_has_a_rank_has_one_time_its_first(tmp_path: Path) -> None:
    text = "card,visit,product,when\nc1,1,a,2024-03-09 10:00\nc1,1,b,2024-03-09 10:01\nc1,2,c,2024-03-09 12:00\n"
    data = load(tmp_path, text, **COLUMNS, time_col="when")
    assert data.aspects == {"baskets", "users", "order", "clock"}
    assert data.histories().visits.tolist() == [0, 0, 1]
    assert data.table["time"].tolist() == [pd.Timestamp("2024-03-09 10:00")] * 2 + [pd.Timestamp("2024-03-09 12:00")]


def test_a_rank_orders_what_has_one_day(tmp_path: Path) -> None:
    text = "card,visit,product,when\nc1,2,a,2024-03-09\nc1,1,b,2024-03-09\nc1,3,c,2024-03-10\n"
    data = load(tmp_path, text, **COLUMNS, time_col="when")
    assert data.table["item_id"].tolist() == ["b", "a", "c"]
    assert data.notes == {"events of one user at one moment, in the order of their position, kept": 2}


@pytest.mark.parametrize("basket", [{}, {"basket_col": "receipt"}])
def test_times_that_contradict_the_order_are_refused(tmp_path: Path, basket: dict[str, str]) -> None:
    text = "card,visit,product,when,receipt\nc1,1,a,2024-03-09,r1\nc1,2,b,2024-03-08,r2\nc2,1,b,2024-03-08,r3\n"
    with pytest.raises(DataError, match=r"'visit': the order contradicts the times, first for .* 'c1' at rank 2"):
        load(tmp_path, text, **COLUMNS, **basket, time_col="when")


def test_the_fingerprint_covers_the_order(tmp_path: Path) -> None:
    one = load(tmp_path, "card,visit,product\nc1,1,a\nc1,2,b\n")
    same = load(tmp_path, "card,visit,product\nc1,2,b\nc1,1,a\n")
    other = load(tmp_path, "card,visit,product\nc1,2,a\nc1,1,b\n")
    assert one.fingerprint() == same.fingerprint() != other.fingerprint()


def test_an_order_is_one_of_a_customer(tmp_path: Path) -> None:
    with pytest.raises(BadParameter, match=r"with user_col \(--user-col\), or leave out order_col"):
        load(tmp_path, VISITS, basket_col="card", item_col="product", order_col="visit")


@pytest.mark.parametrize("cells", [["1", "2.0", " 3 "], [1, 2, 3], [1.0, 2.0, 3.0]])
def test_whole_numbers_in_every_form(cells: list) -> None:
    assert parse_ranks(pd.Series(cells), "here").tolist() == [1, 2, 3]


def test_long_ranks_keep_their_digits() -> None:
    assert parse_ranks(pd.Series(["202311051430001", "-9"]), "here").tolist() == [202311051430001, -9]


@pytest.mark.parametrize(
    ("cells", "first"),
    [
        (["1", "1.5"], "'1.5'"),
        (["1", None], "empty"),
        (["1", "first"], "'first'"),
        (["1", "2024-03-09"], "'2024-03-09'"),
    ],
)
def test_what_is_no_rank_is_refused(cells: list, first: str) -> None:
    with pytest.raises(DataError) as caught:
        parse_ranks(pd.Series(cells), "here")
    assert f"1 of 2 values are none, the first is {first} in row 2" in str(caught.value)

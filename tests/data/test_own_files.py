"""Bring your own: every file either works or gives one sentence that says what to do."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pandas as pd
import pytest
from refusals import refusal

from llmarm_tutorial.data import loading
from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.errors import BadParameter, DataError, UnknownName

BASKETS = {"basket_col": "basket", "item_col": "item"}
HISTORY = {"user_col": "user", "item_col": "item", "time_col": "when"}


def write(folder: Path, text: str | bytes, name: str = "sales.csv") -> str:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


def items_of(data: Transactions) -> list[str]:
    return data.items["item_id"].tolist()


def test_baskets_of_a_csv(tmp_path: Path) -> None:
    path = write(tmp_path, 'basket,item,note\n1,milk,x\n1,"bread, white",y\n2,007,\n2,🥐,z\n3,NA,z\n')
    data = loading.load(path, **BASKETS)
    assert data.name == "sales"
    assert data.aspects == {"baskets"}
    assert data.basket_lists() == [["bread, white", "milk"], ["007", "🥐"], ["NA"]]


def test_all_columns(tmp_path: Path) -> None:
    path = write(tmp_path, "basket;item;user;when\n1;a;7;2024-01-02\n2;b;;2024-01-03\n")
    data = loading.load(path, **BASKETS, user_col="user", time_col="when")
    assert data.aspects == {"baskets", "users", "order", "clock"}
    assert data.table["user_id"].fillna("?").tolist() == ["7", "?"]


def test_sequences_without_baskets(tmp_path: Path) -> None:
    path = write(tmp_path, "user,item,when\n1,b,2024-01-03\n1,a,2024-01-02\n2,a,2024-01-02\n")
    data = loading.load(path, **HISTORY)
    assert data.aspects == {"users", "order", "clock"}
    assert data.table["item_id"].tolist() == ["a", "b", "a"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters(tmp_path: Path, delimiter: str) -> None:
    rows = [["basket", "item", "a,b;c"], ["1", "milk", "x"], ["2", "tea", "y"]]
    text = "\r\n".join(delimiter.join(f'"{field}"' for field in row) for row in rows)
    assert items_of(loading.load(write(tmp_path, text), **BASKETS)) == ["milk", "tea"]


def test_the_delimiter_is_the_one_that_gives_the_columns_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path, "basket;item;a,b,c,d,e\n1;milk, fresh;x\n")
    assert items_of(loading.load(path, **BASKETS)) == ["milk, fresh"]


def test_one_content_in_every_format_is_one_data_set(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "basket": [1, 1, 2, 10],
            "item": ["007", "🥐, fresh", "NA", "null"],
            "user": pd.array([5, 5, None, 6], dtype="Int64"),
            "when": pd.to_datetime(
                ["2024-01-02 10:00", "2024-01-02 10:00", "2024-01-03", "2024-01-04 00:00:01"], format="ISO8601"
            ),
        }
    )
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_csv(tmp_path / "a.tsv", index=False, sep="\t")
    frame.to_csv(tmp_path / "b.csv", index=False, encoding="utf-16")
    frame.to_csv(tmp_path / "c.csv", index=False, encoding="utf-8-sig")
    frame.to_csv(tmp_path / "d.csv", index=False, encoding="gb18030", sep=";")
    frame.to_parquet(tmp_path / "a.parquet")
    frame.assign(user=frame["user"].astype("float64")).to_parquet(tmp_path / "b.parquet")
    frame.assign(when=frame["when"].astype("str")).to_json(tmp_path / "a.jsonl", orient="records", lines=True)
    read = [loading.load(str(path), **BASKETS, user_col="user", time_col="when") for path in tmp_path.iterdir()]
    assert len(read) == 8
    assert len({data.fingerprint() for data in read}) == 1
    for data in read[1:]:
        pd.testing.assert_frame_equal(data.table, read[0].table)


def test_ids_are_trimmed_text(tmp_path: Path) -> None:
    path = write(tmp_path, "basket, item \n01, 007\n1,7\n")
    data = loading.load(path, **BASKETS)
    assert data.basket_lists() == [["007"], ["7"]]


@pytest.mark.parametrize(
    ("encoding", "item", "named"),
    [("gb18030", "牛奶和面包", "gb18030"), ("cp1252", "Crème brûlée à 2 €", "cp1252"), ("latin-1", "Müsli", "cp1252")],
)
def test_text_that_is_not_utf8_is_read_with_a_note(tmp_path: Path, encoding: str, item: str, named: str) -> None:
    text = f"basket,item\n1,{item}\n1,tea\n".encode(encoding)
    data = loading.load(write(tmp_path, text), **BASKETS)
    assert sorted(items_of(data)) == sorted([item, "tea"])
    assert data.notes == {f"lines of a file that is not UTF-8, read as {named}": 1}


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, b"basket,item\n1,\x81\x00\x8d\n")
    assert "save it as UTF-8" in refusal(DataError, path, **BASKETS)
    path = write(tmp_path, "basket,item\n1,a\n".encode("utf-16-le"))
    assert "zero bytes" in refusal(DataError, path, **BASKETS)


def test_repeated_rows_are_merged_and_counted(tmp_path: Path) -> None:
    data = loading.load(write(tmp_path, "basket,item\n1,a\n1,a\n1,b\n1,a\n"), **BASKETS)
    assert len(data) == 2
    assert data.notes == {"repeated rows, merged": 2}
    path = write(tmp_path, "user,item,when\n1,a,2024-01-01\n1,a,2024-01-01\n1,a,2024-01-02\n")
    data = loading.load(path, **HISTORY)
    assert len(data) == 2
    assert data.notes == {"repeated rows, merged": 1}


def test_baskets_of_one_item(tmp_path: Path) -> None:
    data = loading.load(write(tmp_path, "basket,item\n1,a\n2,a\n3,b\n"), **BASKETS)
    assert data.describe()["mean basket size"] == 1


def test_a_hundred_thousand_items_in_seconds(tmp_path: Path) -> None:
    rows = 300_000
    frame = pd.DataFrame(
        {"basket": [n // 3 for n in range(rows)], "item": [f"item {n % 100_000}" for n in range(rows)]}
    )
    frame["user"], frame["when"] = (
        frame["basket"] % 1000,
        pd.Timestamp("2024") + pd.to_timedelta(frame["basket"], "min"),
    )
    frame.to_csv(tmp_path / "big.csv", index=False)
    start = time.perf_counter()
    data = loading.load(str(tmp_path / "big.csv"), **BASKETS, user_col="user", time_col="when")
    matrix = data.basket_matrix()
    assert time.perf_counter() - start < 15
    assert matrix.shape == (100_000, 100_000)
    assert matrix.nnz == rows


# --- options ---------------------------------------------------------------------------------------------------------


def test_two_columns_make_a_basket_that_no_other_two_make(tmp_path: Path) -> None:
    path = write(tmp_path, "member,date,item\n1,mon,a\n1,mon,b\n2,mon,a\n1,tue,c\n1 | mon,x,a\n1,mon | x,b\n")
    data = loading.load(path, basket_col="member,date", item_col="item", user_col="member")
    assert sorted(data.basket_lists()) == [["a"], ["a"], ["a", "b"], ["b"], ["c"]]


def test_a_column_of_exactly_that_name_wins(tmp_path: Path) -> None:
    path = write(tmp_path, '"member,date",member,date,item\n1,x,y,a\n1,z,y,b\n')
    assert loading.load(path, basket_col="member,date", item_col="item").basket_lists() == [["a", "b"]]


def test_a_date_and_a_time_of_day_in_two_columns(tmp_path: Path) -> None:
    path = write(tmp_path, "user,item,date,clock\n1,b,2024-01-02,17:45\n1,a,2024-01-02,09:30\n")
    data = loading.load(path, user_col="user", item_col="item", time_col="date,clock")
    assert data.table["item_id"].tolist() == ["a", "b"]
    assert data.table["time"].tolist() == [pd.Timestamp("2024-01-02 09:30"), pd.Timestamp("2024-01-02 17:45")]


def test_the_delimiter_is_found_for_joined_columns_too(tmp_path: Path) -> None:
    path = write(tmp_path, "member;date;item;a,b,c,d,e,f\n1;2024-01-02;milk, fresh;x\n")
    assert items_of(loading.load(path, basket_col="member,date", item_col="item")) == ["milk, fresh"]


def test_visits_in_order_without_a_clock(tmp_path: Path) -> None:
    path = write(tmp_path, "user,item,visit\n1,b,10\n1,a,9\n2,a,1\n")
    data = loading.load(path, user_col="user", item_col="item", order_col="visit")
    assert "order" in data.aspects
    assert "clock" not in data.aspects
    assert data.table["item_id"].tolist() == ["a", "b", "a"]
    path = write(tmp_path, "user,item,visit\n1,b,1.5\n1,a,9\n")
    assert "whole numbers" in refusal(DataError, path, user_col="user", item_col="item", order_col="visit")


def test_rows_that_are_no_purchases_are_left_out_and_counted(tmp_path: Path) -> None:
    path = write(tmp_path, "basket,item,pieces\n1,mug,6\n1,tin,1\n2,mug,-6\n3,tin,2\n4,tin,0\n")
    data = loading.load(path, **BASKETS, quantity_col="pieces")
    assert data.basket_lists() == [["mug", "tin"], ["tin"]]
    assert data.notes == {"rows whose pieces is not above 0, left out": 2}
    path = write(tmp_path, "basket,item,pieces\n1,mug,6\n1,tin,some\n2,mug,\n")
    sentence = refusal(DataError, path, **BASKETS, quantity_col="pieces")
    assert "2 of 3 values are no numbers, the first is 'some' in row 2" in sentence


def test_a_format_is_one_that_exists(tmp_path: Path) -> None:
    path = write(tmp_path, "basket,item\n1,a\n")
    assert loading.load(path, **BASKETS, format="rows").basket_lists() == [["a"]]
    assert "Did you mean 'baskets'?" in refusal(UnknownName, path, **BASKETS, format="basket")
    assert "leave out format" in refusal(BadParameter, "groceries", format="rows")


# --- times -----------------------------------------------------------------------------------------------------------


def test_times_that_cannot_be_read_are_counted_and_located(tmp_path: Path) -> None:
    path = write(tmp_path, "user,item,when\n1,a,2024-01-01\n1,b,soon\n1,c,\n2,d,2024-13-45\n")
    sentence = refusal(DataError, path, **HISTORY)
    assert "sales.csv, column 'when': 3 of 4 times cannot be read, the first is 'soon' in row 2" in sentence
    path = write(tmp_path, "user,item,when\n1,a,881250949\n1,b,\n")
    assert "1 of 2 times cannot be read, the first is empty in row 2" in refusal(DataError, path, **HISTORY)


def test_numbers_that_are_no_times_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "user,item,when\n1,a,12\n1,b,banana\n")
    assert "cannot be read" in refusal(DataError, path, **HISTORY)


# --- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.txt"])
@pytest.mark.parametrize("content", ["", "\n \n", "\ufeff"])
def test_empty_files(tmp_path: Path, name: str, content: str) -> None:
    assert f"{name} is empty; give a file with a header" in refusal(
        DataError, write(tmp_path, content, name), **BASKETS
    )


def test_a_header_alone(tmp_path: Path) -> None:
    assert "there are no transactions" in refusal(DataError, write(tmp_path, "basket,item\n"), **BASKETS)
    path = write(tmp_path, "user,item,when\n")
    assert "there are no transactions" in refusal(DataError, path, **HISTORY)


def test_a_missing_column_lists_those_that_exist(tmp_path: Path) -> None:
    path = write(tmp_path, "basket,product\n1,a\n")
    sentence = refusal(DataError, path, **BASKETS)
    assert sentence == "sales.csv has no column 'item'. The columns of sales.csv are: basket, product."


def test_columns_that_do_not_suffice(tmp_path: Path) -> None:
    path = write(tmp_path, "basket,item,user\n1,a,2\n")
    sentence = refusal(BadParameter, path, basket_col="basket")
    assert "which column holds the items" in sentence
    assert "basket, item, user" in sentence
    assert "basket_col (--basket-col)" in refusal(BadParameter, path, item_col="item")
    assert "user_col and time_col" in refusal(BadParameter, path, item_col="item", user_col="user")


def test_empty_ids(tmp_path: Path) -> None:
    path = write(tmp_path, "basket,item\n1,a\n1,\n2,  \n")
    assert "2 rows have an empty item_id" in refusal(DataError, path, **BASKETS)


@pytest.mark.parametrize("text", ["basket,item\n1,a,b\n2,c\n", "basket,item\n1,a\n2,c,d\n", 'basket,item\n1,"a\n'])
def test_rows_that_do_not_fit_the_header(tmp_path: Path, text: str) -> None:
    assert "cannot be read as csv" in refusal(DataError, write(tmp_path, text), **BASKETS)


def test_baskets_counted_anew_for_each_user(tmp_path: Path) -> None:
    path = write(tmp_path, "basket,item,user\n1,a,ann\n1,b,bob\n")
    assert "join user and basket into one column" in refusal(DataError, path, **BASKETS, user_col="user")


def test_json_lines(tmp_path: Path) -> None:
    records = [{"basket": 1, "item": "007"}, {"basket": 1, "item": 7}, {"basket": 2, "item": "a\u2028b", "more": None}]
    text = "\n\n".join(json.dumps(record, ensure_ascii=False) for record in records)
    assert loading.load(write(tmp_path, text, "a.jsonl"), **BASKETS).basket_lists() == [["007", "7"], ["a\u2028b"]]
    path = write(tmp_path, '{"basket": 1, "item": "a"}\n{"basket": 1, "item"\n', "a.json")
    assert "a.json: line 2 is not JSON" in refusal(DataError, path, **BASKETS)
    path = write(tmp_path, '["basket", "item"]\n', "a.json")
    assert "line 1 is not an object" in refusal(DataError, path, **BASKETS)


def test_a_broken_parquet_file(tmp_path: Path) -> None:
    assert "cannot be read as parquet" in refusal(DataError, write(tmp_path, "no", "a.parquet"), **BASKETS)


def test_no_such_file_and_no_such_name(tmp_path: Path) -> None:
    assert "There is no file" in refusal(DataError, str(tmp_path / "gone.csv"), **BASKETS)
    assert "There is no file 'gone.csv'" in refusal(DataError, "gone.csv", **BASKETS)
    assert "There is no file" in refusal(DataError, str(tmp_path), **BASKETS)
    assert "none of the formats" in refusal(DataError, write(tmp_path, "x", "a.doc"), **BASKETS)
    assert "Did you mean 'groceries'?" in refusal(UnknownName, "grocery")
    assert "columns are known: leave out basket_col, item_col" in refusal(BadParameter, "groceries", **BASKETS)


@pytest.mark.parametrize("name", ["a.parquet", "a.jsonl"])
def test_cells_of_several_values_are_refused(tmp_path: Path, name: str) -> None:
    frame = pd.DataFrame({"basket": [1, 1, 2], "item": pd.Series([None, {"id": "a"}, {"id": "a"}], dtype=object)})
    path = tmp_path / name
    frame.to_parquet(path) if name.endswith("parquet") else frame.to_json(path, orient="records", lines=True)
    assert "column 'item' holds lists or objects in some rows; write one row per item" in refusal(
        DataError, str(path), **BASKETS
    )


def test_one_list_among_text_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, '{"b": 1, "i": "a"}\n{"b": 1, "i": ["b", "c"]}\n', "a.jsonl")
    assert "one row per item" in refusal(DataError, path, basket_col="b", item_col="i")


def test_numbers_too_large_for_integers_stay_apart(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pd.DataFrame({"basket": [1, 1], "item": [1e300, 2e300]}).to_parquet(path)
    assert len(loading.load(str(path), **BASKETS).items) == 2

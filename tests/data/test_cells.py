"""Ids keep their digits in every format, and nothing that is no purchase counts silently."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
from refusals import refusal

from llmarm_tutorial.data import cells, loading
from llmarm_tutorial.errors import DataError

BASKETS = {"basket_col": "basket", "item_col": "item"}
LONG, NEXT = 9_007_199_254_740_992, 9_007_199_254_740_993  # a float holds only the first of them


def write(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / name)


# --- ids -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second"), [(LONG, NEXT), (2**63, 2**63 + 1), (-LONG - 1, -LONG), (2**64 - 1, 2**64 - 2)]
)
def test_long_ids_beside_an_empty_one_keep_their_digits(tmp_path: Path, first: int, second: int) -> None:
    ids = [second, first, None]
    dtype = "Int64" if max(first, second) < 2**63 else "UInt64"
    frame = pd.DataFrame({"basket": [1, 2, 3], "item": ["milk", "tea", "milk"], "card": pd.array(ids, dtype=dtype)})
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_parquet(tmp_path / "a.parquet")
    rows = zip([1, 2, 3], frame["item"], ids, strict=True)
    lines = [f'{{"basket": {basket}, "item": "{item}", "card": {card or "null"}}}' for basket, item, card in rows]
    write(tmp_path, "a.jsonl", "\n".join(lines))
    write(tmp_path, "b.jsonl", "\n".join(lines).replace(', "card": null', ""))
    read = [loading.load(str(path), **BASKETS, user_col="card") for path in tmp_path.iterdir()]
    assert [data.describe()["users"] for data in read] == [2] * 4
    assert len({data.fingerprint() for data in read}) == 1
    assert set(read[0].table["user_id"].dropna()) == {str(first), str(second)}


def test_long_items_and_baskets_keep_their_digits(tmp_path: Path) -> None:
    frame = pd.DataFrame({"basket": [LONG, NEXT, NEXT], "item": pd.array([NEXT, LONG, NEXT], dtype="uint64")})
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_parquet(tmp_path / "a.parquet")
    frame.to_json(tmp_path / "a.jsonl", orient="records", lines=True)
    read = [loading.load(str(path), **BASKETS) for path in tmp_path.iterdir()]
    assert all(data.basket_lists() == [[str(NEXT)], [str(LONG), str(NEXT)]] for data in read)
    assert len({data.fingerprint() for data in read}) == 1


def test_numbers_of_pandas_beside_an_empty_cell_are_whole_in_every_format(tmp_path: Path) -> None:
    frame = pd.DataFrame({"basket": [1, 2, 3], "item": ["007", "08", "007"], "card": [7.0, None, 8.0]})
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_parquet(tmp_path / "a.parquet")
    frame.to_json(tmp_path / "a.jsonl", orient="records", lines=True)
    frame.to_excel(tmp_path / "a.xlsx", index=False)
    read = {path.name: loading.load(str(path), **BASKETS, user_col="card") for path in tmp_path.iterdir()}
    assert len({data.fingerprint() for data in read.values()}) == 1
    assert set(read["a.csv"].table["user_id"].dropna()) == {"7", "8"}
    assert read["a.csv"].basket_lists() == [["007"], ["08"], ["007"]]
    assert read["a.csv"].notes["ids of a.csv, column 'card' that end in .0, read without it"] == 2


def test_days_and_decimals_as_ids_are_the_same_in_every_format(tmp_path: Path) -> None:
    days = pd.to_datetime(["2024-05-01", "2024-05-01", "2024-05-02"])
    frame = pd.DataFrame({"day": days, "item": [Decimal("7.00"), Decimal("8"), Decimal("7.00")]})
    frame.to_parquet(tmp_path / "a.parquet")
    frame.assign(day=days.date).to_parquet(tmp_path / "b.parquet")
    frame = frame.assign(item=[7, 8, 7])
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_excel(tmp_path / "a.xlsx", index=False)
    frame.assign(day=days.astype("str")).to_json(tmp_path / "a.jsonl", orient="records", lines=True)
    read = [loading.load(str(path), basket_col="day", item_col="item") for path in tmp_path.iterdir()]
    assert len(read) == 5
    assert len({data.fingerprint() for data in read}) == 1
    assert read[0].basket_ids.tolist() == ["2024-05-01", "2024-05-02"]


def test_letters_in_one_part_and_in_two_are_the_same(tmp_path: Path) -> None:
    data = loading.load(write(tmp_path, "a.csv", "basket,item\n1,cafe\u0301\n2,caf\u00e9\n3,cafe\n"), **BASKETS)
    assert data.basket_lists() == [["café"], ["café"], ["cafe"]]
    assert (
        data.notes["ids of a.csv, column 'item' with letters in two parts, as é of e and an accent, read as one"] == 1
    )


def test_customers_with_and_without_a_decimal_are_one(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "basket,item,card\n1,2.0,7.0\n2,2,7\n3,2,\n")
    data = loading.load(path, **BASKETS, user_col="card")
    assert data.describe()["users"] == 1
    assert data.basket_lists() == [["2.0"], ["2"], ["2"]]
    assert data.notes["ids of a.csv, column 'card' that end in .0, read without it"] == 1


def test_versions_such_as_2_0_beside_others_stay(tmp_path: Path) -> None:
    data = loading.load(write(tmp_path, "a.csv", "basket,item\n1,2.0\n1,2.5\n"), **BASKETS)
    assert data.basket_lists() == [["2.0", "2.5"]]


@pytest.mark.parametrize("text", ["1.23E+15", "9,00720E+15", "1E+15", "4.0e+12"])
def test_ids_that_a_spreadsheet_shortened_are_refused(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, "a.csv", f"basket;item;card\n1;milk;{text}\n2;tea;{text}\n")
    sentence = refusal(DataError, path, **BASKETS, user_col="card")
    assert f"{text} is an id whose last digits a spreadsheet left out" in sentence


def test_digits_that_a_float_or_excel_may_have_lost_are_noted(tmp_path: Path) -> None:
    frame = pd.DataFrame({"basket": [1, 2], "item": ["a", "b"], "card": [float(LONG), None]})
    frame.to_parquet(tmp_path / "a.parquet")
    notes = loading.load(str(tmp_path / "a.parquet"), **BASKETS, user_col="card").notes
    assert any("whose last digits may be lost" in note for note in notes)
    book = openpyxl.Workbook()
    for row in (["basket", "item"], [1, 1234567890123456], [1, 5]):
        book.active.append(row)
    book.save(tmp_path / "a.xlsx")
    notes = loading.load(str(tmp_path / "a.xlsx"), **BASKETS).notes
    assert "numbers of more than 15 digits, of which Excel keeps the first 15" in notes


def test_leading_zeros_that_excel_shows_stay(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for row in (["basket", "item"], [1, 7], [1, "007"], [2, 7]):
        book.active.append(row)
    book.active["B2"].number_format = "000"
    book.save(tmp_path / "a.xlsx")
    assert loading.load(str(tmp_path / "a.xlsx"), **BASKETS).basket_lists() == [["007"], ["7"]]


@pytest.mark.parametrize("word", ["NULL", "None", "nan", "<NA>", "#N/A", "(null)"])
def test_null_is_no_customer_and_no_basket_and_is_noted_as_an_item(tmp_path: Path, word: str) -> None:
    text = f"basket,item,card\n1,milk,{word}\n2,tea,{word}\n3,milk,7\n"
    path = write(tmp_path, "a.csv", text)
    data = loading.load(path, **BASKETS, user_col="card")
    assert data.describe()["users"] == 1
    assert data.notes[f"cells of a.csv, column 'card' that hold {word}, read as empty"] == 2
    assert "2 rows have an empty basket_id" in refusal(DataError, path, basket_col="card", item_col="item")
    data = loading.load(path, basket_col="basket", item_col="card")
    kept = f"cells of a.csv, column 'card' that hold {word}, kept as an item; if it means nothing, take these rows out"
    assert data.notes[kept] == 2


def test_what_databases_write_for_nothing_is_empty_and_noted(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "basket,item,card\n1,milk,\\N\n2,tea,7\n3,\\N,7\n")
    assert "1 rows have an empty item_id" in refusal(DataError, path, **BASKETS)
    path = write(tmp_path, "b.csv", "basket,item,card\n1,milk,\\N\n2,tea,7\n")
    assert loading.load(path, **BASKETS).notes["cells that hold \\N, read as empty"] == 1


def test_ids_of_two_columns_do_not_run_into_each_other(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "member,day,item\n1,11,a\n11,1,b\n1,11,c\n")
    data = loading.load(path, basket_col="member,day", item_col="item")
    assert data.basket_lists() == [["a", "c"], ["b"]]


# --- quantities ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["1", "2,5"], [1, 2.5]),
        (["1.234,50", "3"], [1234.5, 3]),
        (["1,234.50", "3"], [1234.5, 3]),
        (["1,234,567", "5"], [1234567, 5]),
        (["1.250", "2.300"], [1.25, 2.3]),
        (["0,250", "1,250"], [0.25, 1.25]),
        (["3-", "(4)", "−5", "+2", "-1"], [-3, -4, -5, 2, -1]),
        (["1 234", "1\u00a0234", "1'234"], [1234, 1234, 1234]),
        (["1e3", ".5", "2."], [1000, 0.5, 2]),
    ],
)
def test_numbers_as_they_are_written(texts: list[str], expected: list[float]) -> None:
    assert cells.numbers(pd.Series(texts), "here").tolist() == expected


@pytest.mark.parametrize("texts", [["1,234", "5"], ["1.234", "5"], ["12,345", "1,234", "7"]])
def test_a_number_that_may_be_two_is_refused(texts: list[str]) -> None:
    with pytest.raises(DataError, match="may have a sign for thousands or for decimals"):
        cells.numbers(pd.Series(texts), "here")


@pytest.mark.parametrize(
    ("text", "shown"), [("", "empty"), ("many", "'many'"), ("1;2", "'1;2'"), ("3 pcs", "'3 pcs'"), ("inf", "'inf'")]
)
def test_quantities_that_cannot_be_read_are_counted_and_located(tmp_path: Path, text: str, shown: str) -> None:
    path = write(tmp_path, "a.csv", f"basket\titem\tqty\n1\ta\t1\n1\tb\t{text}\n")
    sentence = refusal(DataError, path, **BASKETS, quantity_col="qty")
    assert (
        f"a.csv, column 'qty': 1 of 2 values are no numbers, the first is {shown} in row 2 (after the header)"
        in sentence
    )


@pytest.mark.parametrize("name", ["a.csv", "a.parquet", "a.jsonl", "a.xlsx"])
def test_returns_are_left_out_or_noted(tmp_path: Path, name: str) -> None:
    frame = pd.DataFrame(
        {"invoice": ["A1", "A1", "X2", "A3", "A3", "A4"], "article": ["mug", "tin", "mug", "tin", "bag", "mug"],
         "qty": [6, 2, -6, 1, 0, -1]}
    )  # fmt: skip
    path = tmp_path / name
    writers = {"csv": frame.to_csv, "parquet": frame.to_parquet, "xlsx": frame.to_excel}
    frame.to_json(path, orient="records", lines=True) if name == "a.jsonl" else writers[name[2:]](path)
    columns = {"basket_col": "invoice", "item_col": "article"}
    data = loading.load(str(path), **columns, quantity_col="qty")
    assert data.basket_lists() == [["mug", "tin"], ["tin"]]
    assert data.notes == {"rows whose qty is not above 0, left out": 3}
    silent = loading.load(str(path), **columns)
    assert silent.describe()["baskets"] == 4
    assert silent.notes == {
        "values of 0, less or no in the column qty; if they are no purchases, say --quantity-col qty": 3
    }


@pytest.mark.parametrize(
    ("yes", "no"),
    [
        ("1", "0"),
        ("True", "False"),
        ("yes", "no"),
        ("ja", "nein"),
        ("oui", "non"),
        ("sí", "no"),
        ("да", "нет"),
        ("x", ""),
    ],
)
def test_rows_with_a_flag_that_says_no_are_left_out_or_noted(tmp_path: Path, yes: str, no: str) -> None:
    rows = [(1, "milk", yes), (1, "tea", yes), (1, "jam", no), (2, "milk", no), (2, "tea", yes), (2, "jam", no)]
    path = write(tmp_path, "a.csv", "basket,item,bought\n" + "".join(f"{b},{i},{f}\n" for b, i, f in rows))
    data = loading.load(path, **BASKETS, quantity_col="bought")
    assert data.basket_lists() == [["milk", "tea"], ["tea"]]
    assert data.notes == {"rows whose bought is not above 0, left out": 3}
    note = "values of 0, less or no in the column bought; if they are no purchases, say --quantity-col bought"
    assert loading.load(path, **BASKETS).notes == ({note: 3} if no else {})


def test_columns_that_are_no_quantities_are_not_noted(tmp_path: Path) -> None:
    rows = ['0,1,milk,"1,20",north,2024-01-01', '1,1,tea,"0,80",no,2024-01-01', '2,2,tea,"0,80",no,']
    text = "\n".join(["n,basket,item,price,region,day", *rows])
    assert loading.load(write(tmp_path, "a.csv", text), **BASKETS).notes == {}


def test_nothing_bought_at_all_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "basket,item,qty\n1,milk,0\n2,tea,-1\n")
    assert "no row has a qty above 0" in refusal(DataError, path, **BASKETS, quantity_col="qty")


def test_words_for_nothing_in_capitals(tmp_path: Path) -> None:
    data = loading.load(write(tmp_path, "a.csv", "basket,item,user\n1,NONE,Null\n1,a,7\n"), **BASKETS, user_col="user")
    assert [what.partition(", ")[2] for what in data.notes] == [
        "column 'item' that hold NONE, kept as an item; if it means nothing, take these rows out",
        "column 'user' that hold Null, read as empty",
    ]


def test_ids_with_a_decimal_comma(tmp_path: Path) -> None:
    text = "basket;item;user\n1;a;10,0\n1;b;10,0\n2;a;\n"
    data = loading.load(write(tmp_path, "a.csv", text), **BASKETS, user_col="user")
    assert data.table["user_id"].dropna().unique().tolist() == ["10"]


def test_text_as_bytes(tmp_path: Path) -> None:
    pd.DataFrame({"basket": [1, 1], "item": ["é".encode(), b"b"]}).to_parquet(tmp_path / "a.parquet")
    assert loading.load(str(tmp_path / "a.parquet"), **BASKETS).basket_lists() == [["b", "é"]]

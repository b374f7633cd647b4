"""One set of baskets, however it is written down, is one data set; what may be read in two ways is asked back."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from refusals import refusal

from llmarm_tutorial.data import loading
from llmarm_tutorial.data.look import look
from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.errors import BadParameter, DataError, UnknownName

COLUMNS = {"basket_col": "receipt", "item_col": "article"}
Baskets = list[list[str]]

# what people sell: no item is a number, a flag or a heading, and no basket is one of another
ITEMS = [
    "jam",
    "rice",
    "tea, green",
    "bread; dark",
    'the "best" milk',
    "çay",
    "牛奶",
    "O'Neil's",
    "half/half",
    "a | b",
    "-5°",
]
BASKETS = st.lists(st.lists(st.sampled_from(ITEMS), min_size=1, max_size=6, unique=True), min_size=2, max_size=12)
PLAIN = ["jam", "rice", "tea", "milk", "bread", "eggs"]
PLAIN_BASKETS = [["jam", "rice", "tea"], ["bread", "jam"], ["milk"], ["eggs", "jam", "milk", "rice"], ["bread", "tea"]]


def write(folder: Path, name: str, text: str) -> str:
    (folder / name).write_bytes(text.encode())
    return str(folder / name)


def rows_of(baskets: Baskets) -> pd.DataFrame:
    return pd.DataFrame(
        [(number, item) for number, basket in enumerate(baskets, 1) for item in basket], columns=["receipt", "article"]
    )


def same(data: Transactions, baskets: Baskets) -> None:
    """The same baskets, and the same fingerprint of the items."""
    assert sorted(map(sorted, data.basket_lists())) == sorted(map(sorted, baskets))
    assert data.fingerprint(["item_id"]) == Transactions.from_baskets(baskets).fingerprint(["item_id"])


def quoted(cell: str) -> str:
    doubled = cell.replace('"', '""')
    return f'"{doubled}"'


# --- every format ----------------------------------------------------------------------------------------------------


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(BASKETS)
def test_rows_are_the_same_in_every_file(tmp_path: Path, baskets: Baskets) -> None:
    frame = rows_of(baskets)
    for sign, name in zip(",;\t|", ("a.csv", "b.csv", "c.tsv", "d.txt"), strict=True):
        frame.to_csv(tmp_path / name, sep=sign, index=sign == ";")
    frame.to_csv(tmp_path / "e.csv.gz", index=False)
    frame.to_csv(tmp_path / "f.zip", index=False, compression={"method": "zip", "archive_name": "f.csv"})
    frame.to_parquet(tmp_path / "a.parquet")
    frame.set_index("receipt").to_parquet(tmp_path / "b.parquet")
    frame.to_json(tmp_path / "a.jsonl", orient="records", lines=True)
    frame.to_json(tmp_path / "b.json", orient="records", indent=1)
    frame.to_excel(tmp_path / "a.xlsx", index=False)
    frame.to_excel(tmp_path / "b.xlsx", startrow=3, startcol=1)
    read = [loading.load(str(path), **COLUMNS, format=form) for path in tmp_path.iterdir() for form in ("rows", "")]
    for data in read:
        same(data, baskets)
    assert len({data.fingerprint() for data in read}) == 1


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(BASKETS)
def test_a_basket_a_line_is_the_same_under_every_sign(tmp_path: Path, baskets: Baskets) -> None:
    words = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
    for sign, word in words.items():
        for heading in ("", "items\n"):
            text = heading + "".join(sign.join(map(quoted, basket)) + "\n" for basket in baskets)
            path = write(tmp_path, "lines.csv", text)
            data = loading.load(path, format=f"baskets:{word}")
            same(data, baskets)
            assert data.notes[f"lines of lines.csv read as one basket each (format baskets), items divided by {word}"]
            if any(len(basket) > 1 for basket in baskets):
                same(loading.load(path, format="baskets"), baskets)
    same(loading.load(write(tmp_path, "a.jsonl", "\n".join(map(json.dumps, baskets)))), baskets)


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(BASKETS)
def test_a_list_in_a_cell_is_the_same_as_every_program_prints_it(tmp_path: Path, baskets: Baskets) -> None:
    ways = {
        "python": repr,
        "tuple": lambda basket: repr(tuple(basket)),
        "json": json.dumps,
        "set": lambda basket: repr(frozenset(basket)),
        "numpy": lambda basket: "[" + " ".join(map(repr, basket)) + "]",
        "r": lambda basket: f"c({', '.join(map(json.dumps, basket))})",
        "database": lambda basket: "{" + json.dumps(basket, ensure_ascii=False)[1:-1] + "}",
    }  # fmt: skip
    for way, print_list in ways.items():
        frame = pd.DataFrame(
            {"receipt": range(1, len(baskets) + 1), "article": [print_list(basket) for basket in baskets]}
        )
        frame.to_csv(tmp_path / "lists.csv", index=False)
        data = loading.load(str(tmp_path / "lists.csv"), **COLUMNS, format="lists")
        assert sorted(map(sorted, data.basket_lists())) == sorted(map(sorted, baskets)), way
    frame = pd.DataFrame({"receipt": range(1, len(baskets) + 1), "article": baskets})
    frame.to_parquet(tmp_path / "lists.parquet")
    frame.to_json(tmp_path / "lists.jsonl", orient="records", lines=True)
    for name in ("lists.parquet", "lists.jsonl"):
        same(loading.load(str(tmp_path / name), **COLUMNS), baskets)
        same(loading.load(str(tmp_path / name), item_col="article"), baskets)


@pytest.mark.parametrize("sign", [",", ", ", ";", "; ", "|", " | ", "\t", "\n", "、", "，", "；"])
def test_lists_under_every_sign_are_found(tmp_path: Path, sign: str) -> None:
    frame = pd.DataFrame({"receipt": range(1, 6), "article": [sign.join(basket) for basket in PLAIN_BASKETS]})
    frame.to_csv(tmp_path / "lists.csv", index=False)
    frame.to_parquet(tmp_path / "lists.parquet")
    frame.to_excel(tmp_path / "lists.xlsx", index=False)
    for name in ("lists.csv", "lists.parquet", "lists.xlsx"):
        data = loading.load(str(tmp_path / name), **COLUMNS)
        same(data, PLAIN_BASKETS)
        assert any("(format lists)" in note for note in data.notes)
        same(loading.load(str(tmp_path / name), item_col="article"), PLAIN_BASKETS)


@pytest.mark.parametrize(
    ("word", "sign"), [("blank", " "), ("slash", "/"), ("plus", " + "), ("semicolon", ";"), ("+", "+")]
)
def test_the_sign_of_lists_can_be_said(tmp_path: Path, word: str, sign: str) -> None:
    lines = "".join(f"{number},{sign.join(basket)}\n" for number, basket in enumerate(PLAIN_BASKETS, 1))
    path = write(tmp_path, "lists.csv", f"receipt,article\n{lines}")
    same(loading.load(path, **COLUMNS, format=f"lists:{word}"), PLAIN_BASKETS)


WORDS = [
    "yes no", "Yes ", "x ", "t ?", "ja nein", "oui non", "sí no", "да нет", "是 否", "tak nie", "ano ne", "Y N", "1 0",
    "True False", "TRUE FALSE", "WAHR FALSCH", "1.0 0.0",
]  # fmt: skip


@pytest.mark.parametrize("words", WORDS)
def test_a_column_per_item_is_the_same_under_every_flag(tmp_path: Path, words: str) -> None:
    yes, no = words.split(" ")
    table = pd.DataFrame({item: [yes if item in basket else no for basket in PLAIN_BASKETS] for item in PLAIN})
    table.insert(0, "receipt", range(1, 6))
    table.to_csv(tmp_path / "wide.csv", index=False)
    table.to_excel(tmp_path / "wide.xlsx", index=False)
    table.drop(columns="receipt").to_csv(tmp_path / "bare.csv", sep=";")
    for name, options in (
        ("wide.csv", {"basket_col": "receipt"}),
        ("wide.csv", {}),
        ("wide.xlsx", {}),
        ("bare.csv", {}),
    ):
        for form in ("", "wide"):
            data = loading.load(str(tmp_path / name), **options, format=form)
            same(data, PLAIN_BASKETS)
            assert data.notes[f"columns of {name}, each read as one item (format wide)"] == len(PLAIN)


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(BASKETS)
def test_flags_of_pandas_are_the_same(tmp_path: Path, baskets: Baskets) -> None:
    table = pd.DataFrame({item: [item in basket for basket in baskets] for item in ITEMS})
    table.to_csv(tmp_path / "a.csv", index=False)
    table.to_csv(tmp_path / "b.csv")
    table.to_parquet(tmp_path / "c.parquet")
    table.astype(int).to_json(tmp_path / "d.jsonl", orient="records", lines=True)
    table.astype("int8").to_parquet(tmp_path / "e.parquet")
    table.to_excel(tmp_path / "f.xlsx")
    for path in tmp_path.iterdir():
        same(loading.load(str(path)), baskets)


def test_counts_are_items_bought_and_returns_are_not(tmp_path: Path) -> None:
    text = "receipt,jam,tea,milk\nA,2,0,\nB,0,11,1\nC,-1,3,0\n"
    data = loading.load(write(tmp_path, "wide.csv", text))
    same(data, [["jam"], ["milk", "tea"], ["tea"]])
    assert data.notes == {
        "column receipt of wide.csv, taken for the number of the basket": 3,
        "columns of wide.csv, each read as one item (format wide)": 3,
        "cells of wide.csv below 0, left out": 1,
    }


def test_customers_and_times_stay_beside_lists_and_flags(tmp_path: Path) -> None:
    text = "who,when,items\nann,2024-01-02,jam;tea\nann,2024-01-01,jam;rice\nbob,2024-01-01,tea;rice\n"
    data = loading.load(write(tmp_path, "a.csv", text), item_col="items", user_col="who", time_col="when")
    assert data.table.groupby(["user_id", "time"])["item_id"].agg(list).tolist() == [
        ["jam", "rice"], ["jam", "tea"], ["rice", "tea"],
    ]  # fmt: skip
    text = "receipt,who,jam,tea\n1,ann,yes,no\n2,bob,yes,yes\n"
    data = loading.load(write(tmp_path, "b.csv", text), basket_col="receipt", user_col="who")
    assert data.table["user_id"].tolist() == ["ann", "bob", "bob"]
    text = "receipt,who,first,second,third\n1,ann,jam,tea\n2,bob,tea\n3,ann,milk,jam,tea\n"
    data = loading.load(write(tmp_path, "c.csv", text), basket_col="receipt", user_col="who", format="baskets")
    assert data.table.groupby("basket_id")["item_id"].agg(list).tolist() == [
        ["jam", "tea"],
        ["tea"],
        ["jam", "milk", "tea"],
    ]


# --- what is found of itself -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("heading", ["", "items\n", "Item(s)\n", "0,1,2,3\n", "Item 1,Item 2,Item 3,Item 4\n"])
@pytest.mark.parametrize("padded", [False, True])
def test_a_basket_a_line_is_found_with_and_without_a_header(tmp_path: Path, heading: str, padded: bool) -> None:
    lines = [basket + [""] * (4 - len(basket)) * padded for basket in PLAIN_BASKETS]
    path = write(tmp_path, "lines.csv", heading + "".join(",".join(line) + "\n" for line in lines))
    same(loading.load(path), PLAIN_BASKETS)


@pytest.mark.parametrize(
    "numbers", [["1", "2", "3", "4", "5"], ["T100", "T101", "T102", "T103", "T104"], ["B7", "C12", "A4", "D1", "B99"]]
)
def test_a_first_field_that_numbers_the_baskets_is_no_item(tmp_path: Path, numbers: list[str]) -> None:
    lines = [",".join([number, *basket]) + "\n" for number, basket in zip(numbers, PLAIN_BASKETS, strict=True)]
    for heading in ("", "TID,items\n"):
        data = loading.load(write(tmp_path, "lines.csv", heading + "".join(lines)), format="baskets")
        same(data, PLAIN_BASKETS)
        assert data.basket_ids.tolist() == sorted(numbers)


def test_first_items_that_never_come_back_stay(tmp_path: Path) -> None:
    baskets = [["lamp", "tea"], ["vase", "tea"], ["rug", "jam", "tea"], ["mug", "jam"], ["bowl", "tea"], ["cup", "jam"]]
    for lines in (baskets, [["30", "31", "32"], ["33", "34", "35"], ["36", "31"], ["37", "47", "32"], ["48", "49"]]):
        text = "".join(",".join(line) + "\n" for line in lines)
        same(loading.load(write(tmp_path, "lines.csv", text), format="baskets"), lines)
    data = loading.load(write(tmp_path, "lines.csv", "id,items\n" + "".join(",".join(b) + "\n" for b in baskets)))
    same(data, [basket[1:] for basket in baskets])


def test_a_first_field_that_counts_the_items_is_no_item(tmp_path: Path) -> None:
    lines = [",".join([str(len(basket)), *basket]) + "\n" for basket in PLAIN_BASKETS]
    path = write(tmp_path, "lines.csv", "Item(s),Item 1,Item 2,Item 3,Item 4\n" + "".join(lines))
    data = loading.load(path)
    same(data, PLAIN_BASKETS)
    assert data.notes["first fields of lines.csv, which count the items of their line, left out"] == 5


def test_numbers_divided_by_blanks_are_baskets(tmp_path: Path) -> None:
    path = write(tmp_path, "retail.dat", "0 1 2 3 \n30 31 32 \n33 0 2\n2\n")
    same(loading.load(path), [["0", "1", "2", "3"], ["30", "31", "32"], ["0", "2", "33"], ["2"]])
    path = write(tmp_path, "words.txt", "milk tea\ntea jam milk\n")
    assert refusal(DataError, path, format="baskets").endswith("say --format baskets:blank.")
    same(loading.load(path, format="baskets:blank"), [["milk", "tea"], ["jam", "milk", "tea"]])


def test_a_basket_a_row_is_read_from_every_table(tmp_path: Path) -> None:
    table = pd.DataFrame([basket + [None] * (4 - len(basket)) for basket in PLAIN_BASKETS])
    table.to_excel(tmp_path / "a.xlsx", index=False, header=False)
    table.to_excel(tmp_path / "b.xlsx", startrow=2)
    table.to_csv(tmp_path / "c.csv")
    table.rename(columns="item {}".format).to_json(tmp_path / "d.jsonl", orient="records", lines=True)
    table.rename(columns="item {}".format).to_parquet(tmp_path / "e.parquet")
    for path in tmp_path.iterdir():
        same(loading.load(str(path), format="baskets"), PLAIN_BASKETS)
    for name in ("a.xlsx", "c.csv"):
        same(loading.load(str(tmp_path / name)), PLAIN_BASKETS)


def test_brackets_within_the_names_of_printed_lists_stay(tmp_path: Path) -> None:
    baskets = [["ham (sliced)", "tea"], ["tea", "milk"], ["ham (sliced)"]]
    lines = "".join('"{' + ",".join(basket) + '}"\n' for basket in baskets)
    path = write(tmp_path, "rules.csv", '"items"\n' + lines)
    same(loading.load(path, item_col="items"), baskets)
    same(loading.load(path, format="baskets"), baskets)


@pytest.mark.parametrize("cell", ["{jam,tea}", '"jam,tea"'])
def test_a_line_in_brackets_or_quotes_is_a_basket(tmp_path: Path, cell: str) -> None:
    path = write(tmp_path, "lines.txt", "\n".join([cell, cell.replace("tea", "milk"), cell.replace("jam,tea", "rice")]))
    same(loading.load(path, format="baskets"), [["jam", "tea"], ["jam", "milk"], ["rice"]])


def test_items_with_commas_are_no_lists_where_baskets_have_rows(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", 'receipt,article\n1,"bread, white"\n1,"milk, fresh"\n2,"bread, white"\n')
    same(loading.load(path, **COLUMNS), [["bread, white", "milk, fresh"], ["bread, white"]])


def test_a_doubtful_list_is_noted(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", 'receipt,article\n1,"bread, white"\n2,tea\n3,milk\n')
    data = loading.load(path, **COLUMNS)
    assert (
        data.notes["items that hold a comma, while every basket has one row; if they are lists, say --format lists"]
        == 1
    )
    assert any("each of a single item" in note for note in data.notes)
    assert not loading.load(path, **COLUMNS, format="rows").notes.keys() & {"items that hold a comma"}


def test_an_empty_list_is_left_out_and_counted(tmp_path: Path) -> None:
    path = write(
        tmp_path, "a.jsonl", '{"receipt": 1, "article": ["a"]}\n{"receipt": 2, "article": []}\n{"receipt": 3}\n'
    )
    data = loading.load(path, **COLUMNS)
    same(data, [["a"]])
    assert data.notes["rows of a.jsonl without an item, left out"] == 2


# --- refusals --------------------------------------------------------------------------------------------------------


def test_two_signs_are_asked_back(tmp_path: Path) -> None:
    cells = ["milk, fresh; tea", "tea; jam", "milk, fresh; jam, red"]
    path = write(tmp_path, "a.csv", "receipt,article\n" + "".join(f'{n},"{cell}"\n' for n, cell in enumerate(cells)))
    assert refusal(DataError, path, **COLUMNS).endswith("--format lists:semicolon or --format lists:comma.")
    baskets = [["milk, fresh", "tea"], ["tea", "jam"], ["milk, fresh", "jam, red"]]
    same(loading.load(path, **COLUMNS, format="lists:semicolon"), baskets)
    path = write(tmp_path, "b.txt", "milk, fresh; tea\ntea; jam\nmilk, fresh; jam, red\n")
    assert refusal(DataError, path, format="baskets").endswith("--format baskets:semicolon or --format baskets:comma.")
    same(loading.load(path, format="baskets:semicolon"), baskets)


def test_a_wide_file_read_by_one_of_its_columns_is_refused_with_the_format(tmp_path: Path) -> None:
    path = write(tmp_path, "wide.csv", "receipt,milk,tea\n1,True,True\n2,False,True\n")
    sentence = refusal(BadParameter, path, basket_col="receipt", item_col="milk")
    assert sentence == (
        "The column milk of wide.csv holds only False, True, as in a file with a column per item: say --format wide "
        "and leave out item_col (--item-col)."
    )
    assert "leave out item_col" in refusal(BadParameter, path, item_col="milk", format="wide")
    assert "leave out quantity_col" in refusal(BadParameter, path, quantity_col="milk", format="wide")


def test_what_does_not_fit_the_format_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "wide.csv", "receipt,milk,tea,shop\n1,yes,no,north\n2,no,maybe,north\n")
    assert "column 'tea' holds no flags" in refusal(DataError, path, basket_col="receipt", format="wide")
    twins = write(tmp_path, "twins.csv", "receipt,milk,milk\n1,1,0\n2,0,1\n")
    assert "two columns are called 'milk'" in refusal(DataError, twins, basket_col="receipt", format="wide")
    path = write(tmp_path, "rows.csv", "receipt,article\n1,milk\n1,tea\n")
    assert "no cell holds a comma" in refusal(DataError, path, **COLUMNS, format="lists")
    assert "which column holds the lists" in refusal(BadParameter, path, basket_col="receipt", format="lists")
    assert "no column 'shop'" in refusal(DataError, path, basket_col="shop", format="baskets")
    assert "so no column holds the items" in refusal(BadParameter, path, item_col="article", format="baskets")
    assert "a header and no baskets" in refusal(DataError, write(tmp_path, "none.csv", "items\n"), format="baskets")
    path = write(tmp_path, "no.csv", "receipt,milk,tea\n1,0,0\n2,0,0\n")
    assert "holds no items" in refusal(DataError, path, format="wide")


@pytest.mark.parametrize(
    "cell", ["['a', {'b': 1}]", "['a', ['b']]", "a, b", "['a' 'b' ... 'c']", "['a', ...]", "{'a': 1}", "[a, (b"]
)
def test_a_cell_that_is_no_list_is_refused_with_its_row(tmp_path: Path, cell: str) -> None:
    pd.DataFrame({"receipt": [1, 2], "article": ["['x', 'y']", cell]}).to_csv(tmp_path / "a.csv", index=False)
    sentence = refusal(DataError, str(tmp_path / "a.csv"), **COLUMNS, format="lists")
    assert "row 2 (after the header)" in sentence


def test_formats_that_do_not_exist(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "receipt,article\n1,milk\n")
    assert "Did you mean 'lists'?" in refusal(UnknownName, path, **COLUMNS, format="list")
    for form in ("rows:comma", "lists:&", "wide:tab"):
        assert "only baskets and lists take what divides" in refusal(BadParameter, path, **COLUMNS, format=form)


def test_rows_without_a_header_are_refused_with_both_remedies(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "jam,rice\nrice,jam\n")
    for columns in ({}, COLUMNS):
        sentence = refusal(DataError, path, **columns)
        assert "write the names of the columns above it" in sentence
        assert "--format baskets" in sentence
    path = write(tmp_path, "b.csv", "1,milk\n1,tea\n2,milk\n")
    assert "its first line (1, milk) is like those below it" in refusal(DataError, path)


def test_a_workbook_whose_size_is_wrong_is_read_to_its_end(tmp_path: Path) -> None:
    rows_of(PLAIN_BASKETS).to_excel(tmp_path / "a.xlsx", index=False)
    with zipfile.ZipFile(tmp_path / "a.xlsx") as book:
        parts = {name: book.read(name) for name in book.namelist()}
    sheet = "xl/worksheets/sheet1.xml"
    parts[sheet] = re.sub(rb'<dimension ref="[^"]*"', b'<dimension ref="A1:A2"', parts[sheet])
    with zipfile.ZipFile(tmp_path / "a.xlsx", "w") as book:
        for name, part in parts.items():
            book.writestr(name, part)
    same(loading.load(str(tmp_path / "a.xlsx"), **COLUMNS), PLAIN_BASKETS)


def test_dates_of_a_workbook_are_times(tmp_path: Path) -> None:
    frame = rows_of(PLAIN_BASKETS).assign(
        day=lambda table: pd.Timestamp("2024-05-01") + pd.to_timedelta(table["receipt"], "D")
    )
    frame.to_excel(tmp_path / "a.xlsx", index=False)
    frame.to_csv(tmp_path / "a.csv", index=False)
    read = [loading.load(str(tmp_path / name), **COLUMNS, time_col="day") for name in ("a.xlsx", "a.csv")]
    assert read[0].fingerprint() == read[1].fingerprint()
    assert read[0].describe()["last"] == pd.Timestamp("2024-05-06")


def test_a_hidden_sheet_is_not_the_one_read(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.title, book.active.sheet_state = "old", "hidden"
    book.active.append(["receipt", "article"])
    book.active.append([1, "old"])
    for title, head in (
        ("about", ["made by", "me"]),
        ("north", ["receipt", "article"]),
        ("south", ["receipt", "article"]),
    ):
        sheet = book.create_sheet(title)
        for row in (head, [1, f"{title} tea"], [1, "milk"]):
            sheet.append(row)
    book.save(tmp_path / "a.xlsx")
    data = loading.load(str(tmp_path / "a.xlsx"), **COLUMNS)
    same(data, [["north tea", "milk"]])
    assert data.notes == {"sheets of a.xlsx left out (about, south); the sheet north is read": 2}


WIDE = "basket,milk,bread,eggs,Total\n1,1,0,1,2\n2,1,1,0,2\n3,0,1,1,2\n4,1,0,0,1\n"
FOUR = [["eggs", "milk"], ["bread", "milk"], ["bread", "eggs"], ["milk"]]


@pytest.mark.parametrize("last", ["", "Total,3,2,2,7\n"])
@pytest.mark.parametrize("options", [{"format": "wide"}, {}])
def test_sums_beside_and_below_items_are_no_items(tmp_path: Path, last: str, options: dict[str, str]) -> None:
    data = loading.load(write(tmp_path, "a.csv", WIDE + last), **options)
    assert data.basket_lists() == FOUR
    assert "column Total of a.csv, the sum of the others, left out" in data.notes


def test_a_last_row_of_sums_without_a_name_is_no_basket(tmp_path: Path) -> None:
    text = "milk,bread,eggs\n1,0,1\n1,1,0\n0,1,1\n1,0,0\n3,2,2\n"
    data = loading.load(write(tmp_path, "a.csv", text), format="wide")
    assert data.basket_lists() == FOUR
    assert "last row of a.csv, the sum of those above it, left out" in data.notes


def test_a_flag_that_holds_wherever_another_does_is_no_sum(tmp_path: Path) -> None:
    data = loading.load(write(tmp_path, "a.csv", "milk,bread,pan\n1,0,1\n0,1,1\n0,0,0\n"), format="wide")
    assert data.basket_lists() == [["milk", "pan"], ["bread", "pan"]]


def test_items_in_lines_and_baskets_in_columns_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "item,T1,T2,T3\nmilk,1,0,1\nbread,0,1,1\neggs,1,1,0\n")
    assert "exchange its rows and columns" in refusal(DataError, path)


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl", ".xlsx"])
def test_columns_that_count_items_are_baskets_in_every_format(tmp_path: Path, suffix: str) -> None:
    table = pd.DataFrame([["milk", "tea", None], ["milk", None, None], ["tea", "jam", "rice"]])
    table.columns = ["Item 1", "Item 2", "Item 3"]
    path = tmp_path / f"a{suffix}"
    {
        ".csv": lambda: table.to_csv(path, index=False),
        ".parquet": lambda: table.to_parquet(path),
        ".jsonl": lambda: table.to_json(path, orient="records", lines=True),
        ".xlsx": lambda: table.to_excel(path, index=False),
    }[suffix]()
    assert loading.load(str(path)).basket_lists() == [["milk", "tea"], ["milk"], ["jam", "rice", "tea"]]
    assert look(str(path)).options.format == "baskets"

"""Headers, delimiters and what programs write round a table: left out with a note, or refused with a sentence."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from refusals import refusal

from llmarm_tutorial.data import delimited, loading
from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.errors import BadParameter, DataError, LlmarmError

BASKETS = {"basket_col": "basket", "item_col": "item"}
LISTS = [["milk", "tea"], ["milk"]]


def write(folder: Path, text: str, name: str = "a.csv") -> str:
    (folder / name).write_text(text, encoding="utf-8", newline="")
    return str(folder / name)


def read(folder: Path, text: str, **options: str) -> Transactions:
    return loading.load(write(folder, text), **(options or BASKETS))


SEP = {"line sep= before the header, which names the delimiter": 1}


def titles(first: str, count: int) -> dict[str, int]:
    return {f"lines before the header, left out, the first is {first!r}": count}


def footer(first: str) -> dict[str, int]:
    return {f"rows at the end that are no data, left out, the first begins with {first!r}": 1}


ROWS = "basket,item\n1,milk\n1,tea\n2,milk\n"
FORMS = {
    "sep": ("sep=;\nbasket;item\n1;milk\n1;tea\n2;milk\n", SEP),
    "sep with a rare sign": ("sep=^\nbasket^item\n1^milk\n1^tea\n2^milk\n", SEP),
    "sep in quotes": ('"sep=,"\n' + ROWS, SEP),
    "title": (f"Sales, May 2024\nprinted 2024-05-01\n\n{ROWS}", titles("Sales, May 2024", 2)),
    "titles padded": ("Sales report,,\n,,\nbasket,item,\n1,milk,\n1,tea,\n2,milk,\n", titles("Sales report", 1)),
    "blank lines": ("\n\nbasket,item\n\n1,milk\n1,tea\n\n\n2,milk\n\n", {}),
    "empty rows of a spreadsheet": (f"{ROWS},\n,\n", {"empty rows, left out": 2}),
    "trailing delimiter": ("basket,item,\n1,milk,\n1,tea,\n2,milk,\n", {}),
    "trailing delimiter of rows": ("basket,item\n1,milk,\n1,tea,\n2,milk,\n", {}),
    "trailing delimiter of one row": ("basket,item\n1,milk\n1,tea,,\n2,milk\n", {}),
    "index of pandas": (",basket,item\n0,1,milk\n1,1,tea\n2,2,milk\n", {}),
    "index saved twice": ("Unnamed: 0.1,Unnamed: 0,basket,item\n0,0,1,milk\n1,1,1,tea\n2,2,2,milk\n", None),
    "row names of R": ('"basket","item"\n"1",1,"milk"\n"2",1,"tea"\n"3",2,"milk"\n', {}),
    "blanks of R": ('"basket" "item"\n"1" 1 "milk"\n"2" 1 "tea"\n"3" 2 "milk"\n', {}),
    "total": (f"{ROWS}Total,3\n", footer("Total")),
    "total alone": (f"{ROWS}\nGrand total:,\n", footer("Grand total:")),
    "sum in German": (f"{ROWS.replace(',', ';')}Summe;\n", footer("Summe")),
    "count of rows": (f"{ROWS}(3 rows affected)\n", footer("(3 rows affected)")),
    "psql": (" basket | item \n--------+------\n      1 | milk\n      1 | tea\n      2 | milk\n(3 rows)\n",
             footer("(3 rows)")),
    "sqlcmd": ("basket,item\n------,----\n1,milk\n1,tea\n2,milk\n\n(3 rows affected)\n",
               footer("(3 rows affected)")),
    "blanks before quotes": ('basket, "item"\n1, "milk"\n1, "tea"\n2, "milk"\n', {}),
    "no newline at the end": (ROWS[:-1], {}),
    "lines in quotes": ("".join(f'"{line}"\n' for line in ROWS.split()),
                        {"lines that are in quotes as a whole, taken out of them": 4}),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_what_programs_write_round_a_table_is_no_data(tmp_path: Path, form: str) -> None:
    text, notes = FORMS[form]
    data = read(tmp_path, text)
    assert data.basket_lists() == LISTS
    assert data.fingerprint() == read(tmp_path, ROWS).fingerprint()
    if notes is not None:
        assert data.notes == notes


@pytest.mark.parametrize("form", sorted(set(FORMS) - {"index saved twice", "blanks of R", "lines in quotes"}))
def test_the_header_is_found_where_nobody_names_a_column(tmp_path: Path, form: str) -> None:
    sentence = refusal(BadParameter, write(tmp_path, FORMS[form][0]))
    assert sentence.endswith("The columns of a.csv are: basket, item.")


def test_an_item_called_total_stays(tmp_path: Path) -> None:
    assert read(tmp_path, f"{ROWS}2,Total\n").basket_lists() == [["milk", "tea"], ["Total", "milk"]]
    assert len(read(tmp_path, "item,basket\nmilk,1\ntea,1\nTotal,1\n")) == 3  # basket 1 stands above: no sum


def test_newlines_quotes_and_delimiters_within_quotes_are_part_of_a_name(tmp_path: Path) -> None:
    text = 'basket,item\n1,"bread,\nwhite"\n1,"the ""best"" milk"\n2,TV 32" black\n'
    assert read(tmp_path, text).basket_lists() == [["bread,\nwhite", 'the "best" milk'], ['TV 32" black']]


def test_a_misfit_after_a_long_fit_is_located(tmp_path: Path) -> None:
    rows = "".join(f"{number},milk\n" for number in range(50_000))
    sentence = refusal(DataError, write(tmp_path, f"basket,item\n{rows}7,tea,green\n"), **BASKETS)
    assert "a.csv cannot be read as csv: line 50002 has 3 fields, the header has 2" in sentence
    assert "put a value that holds the delimiter ',' in quotes, or say --format baskets" in sentence
    sentence = refusal(DataError, write(tmp_path, f'basket,item\n{rows}7,"tea\n8,jam\n'), **BASKETS)
    assert "the quotation mark that opens in line 50002 is never closed" in sentence
    long = "x" * 150_000
    sentence = refusal(DataError, write(tmp_path, f'basket,item\n1,a\n7,"{long}\n8,jam\n'), **BASKETS)
    assert "the quotation mark that opens in line 3 is never closed" in sentence


@pytest.mark.parametrize("header", ["basket,item,item", "basket,item, item", "basket, item ,item"])
def test_two_columns_of_one_name_are_refused_alike(tmp_path: Path, header: str) -> None:
    said = "2 columns are called 'item'; give each a name of its own."
    assert said in refusal(DataError, write(tmp_path, f"{header}\n1,milk,A1\n1,tea,A2\n"), **BASKETS)
    frame = pd.DataFrame([[1, "milk", "A1"], [1, "tea", "A2"]], columns=["basket", "x", "y"])
    pq.write_table(pa.Table.from_pandas(frame).rename_columns(header.split(",")), tmp_path / "a.parquet")
    assert said in refusal(DataError, str(tmp_path / "a.parquet"), **BASKETS)
    frame.set_axis(header.split(","), axis=1).to_excel(tmp_path / "a.xlsx", index=False)
    assert said in refusal(DataError, str(tmp_path / "a.xlsx"), **BASKETS)
    data = loading.load(
        write(tmp_path, f"{header},name\n1,milk,A1,x\n1,tea,A2,y\n"), basket_col="basket", item_col="name"
    )
    assert data.basket_lists() == [["x", "y"]]  # a twin that nobody asked for does no harm


def test_two_columns_that_together_make_the_basket_are_suggested(tmp_path: Path) -> None:
    path = write(
        tmp_path, "Member_number,Date,itemDescription\n1,2024-01-01,milk\n1,2024-01-01,tea\n2,2024-01-01,milk\n"
    )
    sentence = refusal(BadParameter, path, item_col="itemDescription")
    assert "(where two together make a basket name both: --basket-col Member_number,Date)" in sentence
    data = loading.load(path, basket_col="Member_number,Date", item_col="itemDescription")
    assert data.basket_lists() == LISTS
    path = write(tmp_path, "n,user,item\n1,ann,a\n1,bob,b\n")
    sentence = refusal(DataError, path, basket_col="n", item_col="item", user_col="user")
    assert sentence.endswith("join user and basket into one column by naming both: --basket-col user,n.")


def test_a_number_in_the_first_row_of_a_receipt_only_is_refused_with_the_remedy(tmp_path: Path) -> None:
    sentence = refusal(DataError, write(tmp_path, "basket,item\n1,milk\n,tea\n,jam\n2,milk\n"), **BASKETS)
    assert "2 rows have an empty basket_id" in sentence
    assert "fill the column downwards" in sentence


def test_baskets_of_one_item_each_are_noted(tmp_path: Path) -> None:
    data = read(tmp_path, "basket,item\n1,milk\n2,tea\n")
    assert data.notes == {
        "baskets, each of a single item, so that nothing goes together; check which column tells the basket": 2
    }


def test_text_of_any_kind_ends_in_one_sentence_or_is_read(tmp_path: Path) -> None:
    """No text of pandas, pyarrow or csv is passed on, and nothing else is raised."""
    pieces = [
        "basket",
        "item",
        "1",
        "milk",
        ",",
        ";",
        "\t",
        "|",
        "\n",
        '"',
        " ",
        "'",
        "0",
        "no",
        "[",
        "]",
        "\\N",
        "=",
        "é",
    ]
    chance, said = random.Random(7), []
    for number in range(400):
        text = ROWS[: chance.randrange(len(ROWS))] + "".join(chance.choices(pieces, k=chance.randrange(1, 40)))
        options = chance.choice(
            [{}, BASKETS, {"format": "baskets"}, {"format": "wide"}, {**BASKETS, "format": "lists"}]
        )
        try:
            loading.load(write(tmp_path, text, f"{number}.csv"), **options)
        except LlmarmError as error:
            said.append(str(error))
    assert len(said) > 100
    assert not [sentence for sentence in said if re.search(r"\n|C error|tokeniz|Parser|codec|index_col", sentence)]


def test_the_delimiter_of_a_large_file_is_found_on_its_head(tmp_path: Path) -> None:
    text = "basket;item;note\n" + "".join(f"{number // 2};{number}, fresh;a,b,c,d\n" for number in range(20_000))
    assert len(text) > delimited.SAMPLE
    assert len(read(tmp_path, text)) == 20_000


@pytest.mark.parametrize(
    ("text", "divider"),
    [
        ("milk;bread;eggs\n1,0;0,0;1,0\n0,0;1,0;1,0\n", ";"),
        ('receipt;item;day\n1;a;"Saturday, March 9, 2024"\n1;b;"Saturday, March 9, 2024"\n', ";"),
        ("receipt;item;day\n1;a;Saturday, March 9, 2024\n1;b;Saturday, March 9, 2024\n", ";"),
        ("Report, 2024\n\nreceipt;item;price\n1;a;1,20\n1;b;1,30\n", ";"),
    ],
)
def test_commas_within_fields_do_not_divide_them(text: str, divider: str) -> None:
    assert delimited.read(text, "a.csv").divider == divider


JOINED = "basket,item\n1,milk\n1,tea\n\nbasket,item\n2,milk\n"


@pytest.mark.parametrize("text", [JOINED, JOINED.replace("\n\n", "\n"), JOINED.replace("\n\n", "\n\n\n")])
def test_a_header_that_comes_again_is_no_basket(tmp_path: Path, text: str) -> None:
    note = {"rows that repeat the header, left out": 1}
    data = read(tmp_path, text)
    assert (data.basket_lists(), data.notes) == (LISTS, note)
    assert delimited.read(text, "a.csv").notes.items() >= note.items()


def test_a_first_line_that_comes_again_without_numbers_is_asked_about() -> None:
    with pytest.raises(DataError, match=r"\(milk, bread\) stands there again as line 2: if it holds the names"):
        delimited.read("milk,bread\nmilk,bread\neggs,milk\n", "a.csv")


@pytest.mark.parametrize("last", ["Sum;;;4,65 €", "Gesamtsumme;;;EUR 4,65", ";;Total;$4.65", "----;----;---;---"])
def test_sums_of_money_and_rules_at_the_end_are_no_data(tmp_path: Path, last: str) -> None:
    data = read(tmp_path, f"basket;item;n;price\n1;milk;1;1,20 €\n1;tea;1;2,25 €\n2;milk;1;1,20 €\n{last}\n")
    assert data.basket_lists() == LISTS
    assert list(data.notes) == [next(iter(footer(re.split(";+", last.strip(";"))[0])))]


def test_a_table_as_a_database_prints_it(tmp_path: Path) -> None:
    rule = "+--------+------+\n"
    text = (
        f"{rule}| basket | item |\n{rule}| 1      | milk |\n| 1      | tea  |\n| 2      | milk |\n{rule}3 rows in set\n"
    )
    assert read(tmp_path, text).basket_lists() == LISTS


def test_single_quotes_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "'basket','item'\n'1','milk'\n'1','tea, green'\n")
    assert "in single quotes" in refusal(DataError, path, **BASKETS)


def test_lines_in_quotes_are_taken_out_of_them_where_no_column_is_named() -> None:
    found = delimited.read('"basket;""item"""\n"1;""milk"""\n"1;""tea"""\n', "a.csv")
    assert list(found.table) == ["basket", "item"]
    assert found.notes == {delimited.UNWRAPPED: 3}


@pytest.mark.parametrize("text", ["{a,b}\n{a}\n{b,c,d}\n", "a,b,c\na,d\nc\n"])
def test_lines_of_baskets_are_found_whichever_is_the_longest(tmp_path: Path, text: str) -> None:
    loaded = loading.load(write(tmp_path, text)).basket_lists()
    assert loaded == [line.strip("{}").split(",") for line in text.split()]


def test_a_column_without_a_value_is_refused_by_name(tmp_path: Path) -> None:
    path = write(tmp_path, "basket,item\n1,\n2,\n")
    assert "the column 'item' is empty in every row" in refusal(DataError, path, **BASKETS)

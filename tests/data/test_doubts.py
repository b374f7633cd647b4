"""What reads well and may yet be wrong is noted: what is no purchase, no customer, not one item, not one basket."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmarm_tutorial.data import loading
from llmarm_tutorial.data.look import look

BASKETS = {"basket_col": "basket", "item_col": "item"}


def notes_of(folder: Path, text: str, **columns: str) -> dict[str, int]:
    path = folder / "sales.csv"
    path.write_text(text, encoding="utf-8")
    return dict(loading.load(str(path), **(BASKETS | columns)).notes)


def only(notes: dict[str, int], start: str) -> tuple[str, int]:
    ((what, count),) = [(what, count) for what, count in notes.items() if what.startswith(start)]
    return what, count


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Milk", "MILK"),
        ("soy milk", "soy\u00a0milk"),
        ("bread", "bread\u200b"),
        ("Cap × 1", "Cap × 3"),
        ("2x tea", "1x tea"),
    ],
)
def test_items_that_are_one_but_for_how_they_are_written(tmp_path: Path, first: str, second: str) -> None:
    what, count = only(notes_of(tmp_path, f"basket,item\n1,{first}\n1,jam\n2,{second}\n2,jam\n"), "items that differ")
    assert count == 2
    assert repr(first) in what
    assert repr(second) in what


def test_items_that_differ_are_not_noted(tmp_path: Path) -> None:
    assert notes_of(tmp_path, "basket,item\n1,milk 1\n1,milk 2\n2,milk x\n2,milk\n") == {}


def test_sums_among_the_items(tmp_path: Path) -> None:
    notes = notes_of(tmp_path, "basket,item,price\n1,milk,1\n1,TOTAL,1\n2,milk,1\n2,TOTAL,1\n")
    assert only(notes, "rows whose item is TOTAL, kept")[1] == 2


@pytest.mark.parametrize("name", ["-", "anonymous", "Guest", "unbekannt"])
def test_a_customer_who_may_be_nobody(tmp_path: Path, name: str) -> None:
    notes = notes_of(tmp_path, f"basket,item,user\n1,milk,{name}\n2,milk,{name}\n3,tea,A\n3,jam,A\n", user_col="user")
    assert only(notes, f"rows of a customer called {name}, kept as one customer")[1] == 2


def test_cancelled_invoices(tmp_path: Path) -> None:
    text = "basket,item\n536365,milk\n536365,tea\nC536379,milk\n536380,milk\n"
    assert only(notes_of(tmp_path, text), "rows of baskets such as C536379")[1] == 1
    assert notes_of(tmp_path, text.replace("5363", "C5363").replace("CC", "C")) == {}


@pytest.mark.parametrize(
    ("column", "values", "count"),
    [
        ("status", "completed|Cancelled|completed|refunded", 2),
        ("event_type", "view|cart|purchase|purchase", 2),
        ("is_return", "0|1|0|0", 1),
        ("qty_returned", "0|2|0|0", 1),
        ("colour", "red|view blue|red|blue", 0),
        ("returning_customer", "yes|yes|yes|yes", 0),
    ],
)
def test_rows_that_may_be_no_purchases(tmp_path: Path, column: str, values: str, count: int) -> None:
    rows = [f"{n // 2},{'ab'[n % 2]},{value}" for n, value in enumerate(values.split("|"))]
    notes = notes_of(tmp_path, "\n".join([f"basket,item,{column}", *rows]))
    assert sum(notes.values()) == count
    assert all(what.startswith(f"rows whose {column}") and "--quantity-col" not in what for what in notes)


def test_returns_are_not_guessed_as_quantities(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("bon,item,qty,qty_returned\n1,a,1,0\n1,b,2,1\n2,a,1,0\n")
    assert look(str(path)).options.quantity_col == ""


DAILY = "bon,date,item\n" + "".join(
    f"{bon},2024-01-0{day},{item}\n" for bon, day, item in ("11a", "11b", "21a", "12c", "12a", "22d")
)
STORES = DAILY.replace("bon", "レシート番号").replace("date", "店舗").replace("2024-01-0", "")
TILLS = DAILY.replace("date", "till").replace("2024-01-0", "")


def test_numbers_of_baskets_that_begin_anew_are_noted(tmp_path: Path) -> None:
    what, count = only(notes_of(tmp_path, DAILY, basket_col="bon", time_col="date"), "baskets whose rows lie")
    assert (count, what.endswith("say --basket-col bon,date")) == (2, True)
    what, count = only(notes_of(tmp_path, TILLS, basket_col="bon"), "baskets with several values of till")
    assert (count, what.endswith("say --basket-col till,bon")) == (2, True)


def test_a_basket_may_last_beyond_midnight(tmp_path: Path) -> None:
    text = "basket,when,item\n1,2024-01-01 23:59,a\n1,2024-01-02 00:01,b\n2,2024-01-02 09:00,a\n"
    assert notes_of(tmp_path, text, time_col="when") == {}


@pytest.mark.parametrize(("text", "basket"), [(DAILY, "date,bon"), (TILLS, "till,bon"), (STORES, "店舗,レシート番号")])
def test_numbers_of_baskets_that_begin_anew_are_joined(tmp_path: Path, text: str, basket: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text)
    found = look(str(path))
    assert found.options.basket_col == basket
    assert found.data.describe()["baskets"] == 4
    assert any("belongs to several of" in question for question in found.questions)

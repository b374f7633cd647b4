"""What a file seems to be: roles by names and values, both readings where two are plausible, a command that works."""

from __future__ import annotations

import json
import random
import shlex
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from llmarm_tutorial.data import loading, roles
from llmarm_tutorial.data.file_options import FileOptions
from llmarm_tutorial.data.look import Look, look
from llmarm_tutorial.errors import BadParameter, DataError

PRODUCTS = ("milk", "bread", "butter", "tea", "jam", "eggs", "rice", "soap")


class Sale:
    """A basket: its number, its customer, when it was bought, what is in it."""

    def __init__(self, number: int, draw: random.Random) -> None:
        self.number, self.customer = 1000 + number, f"C{draw.randint(1, 30):03d}"
        self.when = pd.Timestamp("2024-01-01 09:00") + pd.Timedelta(minutes=draw.randrange(300 * 24 * 60))
        self.items = sorted(set(draw.choices(PRODUCTS, weights=range(8, 0, -1), k=draw.randint(2, 5))))


DRAW = random.Random(5)
SALES = [Sale(number, DRAW) for number in range(140)]
BASKETS = sorted(sale.items for sale in SALES)
BY_DAY = sorted(
    sorted({item for sale in SALES if (sale.customer, sale.when.date()) == visit for item in sale.items})
    for visit in {(sale.customer, sale.when.date()) for sale in SALES}
)


def rows(row: Callable[[Sale, str], dict]) -> pd.DataFrame:
    """One row per item of every sale."""
    return pd.DataFrame([row(sale, item) for sale in SALES for item in sale.items])


def loaded(found: Look) -> list[list[str]]:
    """The baskets that the command which `look` says loads."""
    words = shlex.split(found.command("01"))
    assert words[:3] == ["llmarm", "run", "01"]
    options = dict(zip(words[3::2], words[4::2], strict=True))
    named = {option[2:].replace("-", "_"): value for option, value in options.items() if option != "--dataset"}
    return sorted(sorted(map(str, basket)) for basket in loading.load(options["--dataset"], **named).basket_lists())


# --- what a column's name says


@pytest.mark.parametrize(
    ("role", "names"),
    [
        ("basket", "InvoiceNo|order_id|Bon-Nr|Transaction|BASKET_ID|numéro de commande|účtenka|чек|订单号|receipt|tid"),
        ("item", "StockCode|Description|itemDescription|Artikelbezeichnung|product_name|libellé|zboží|товар|商品名称"),
        (
            "user",
            "CustomerID|Member_number|Kundennummer|household_key|userId|client|zákazník|клиент|会员号|customer name",
        ),
        ("time", "InvoiceDate|Bondatum|date_commande|date de commande|bought_at|Fecha|timestamp|Uhrzeit|дата|日期"),
        ("quantity", "Quantity|Menge|qty|item count|quantity ordered|Cantidad|quantité|数量"),
        ("order", "visit|visit_no|rank"),
        ("other", "UnitPrice|Product category|Country|store id|Store name|Preis|rating|Umsatz"),
        ("", "A|x1|Código|Unnamed: 0"),
    ],
)
def test_names_in_several_languages(role: str, names: str) -> None:
    assert {name: roles.role_of(name) for name in names.split("|")} == dict.fromkeys(names.split("|"), role)


# --- one file of each kind


def rows_of_a_till(folder: Path) -> str:
    frame = rows(lambda s, i: {"Bon-Nr": s.number, "Datum": f"{s.when:%d.%m.%Y}", "Uhrzeit": f"{s.when:%H:%M}",
                               "Kunde": s.customer, "Artikel": i, "Preis": "1,20"})  # fmt: skip
    frame.to_csv(folder / "kasse.csv", index=False, sep=";", encoding="cp1252")
    return str(folder / "kasse.csv")


def baskets_of_a_market(folder: Path) -> str:
    (folder / "market basket.csv").write_text("\n".join(",".join(sale.items) for sale in SALES))
    return str(folder / "market basket.csv")


def lists_of_a_shop(folder: Path) -> str:
    frame = pd.DataFrame([{"Order ID": s.number, "Items": "; ".join(s.items), "Client": s.customer} for s in SALES])
    frame.to_csv(folder / "orders.tsv", index=False, sep="\t")
    return str(folder / "orders.tsv")


def wide_flags(folder: Path) -> str:
    frame = pd.DataFrame([{"tid": s.number} | {p: int(p in s.items) for p in PRODUCTS} for s in SALES])
    frame.to_csv(folder / "wide.csv", index=False)
    return str(folder / "wide.csv")


def a_workbook(folder: Path) -> str:
    frame = rows(lambda s, i: {"Invoice": s.number, "Product": i, "Invoice date": s.when, "Customer": s.customer})
    frame.to_excel(folder / "sales.xlsx", index=False)
    return str(folder / "sales.xlsx")


KINDS = {
    rows_of_a_till: "rows",
    baskets_of_a_market: "baskets",
    lists_of_a_shop: "lists",
    wide_flags: "wide",
    a_workbook: "rows",
}


@pytest.mark.parametrize(("write", "layout"), KINDS.items(), ids=lambda value: getattr(value, "__name__", value))
def test_the_command_that_is_said_loads_the_baskets(tmp_path: Path, write: Callable[[Path], str], layout: str) -> None:
    found = look(write(tmp_path))
    assert (found.options.layout or "rows") == layout
    assert loaded(found) == BASKETS
    assert found.data.describe()["baskets"] == 140
    assert found.questions == ()
    assert len(found.lines()) <= 10


def test_all_roles_of_a_till(tmp_path: Path) -> None:
    found = look(rows_of_a_till(tmp_path))
    assert found.options == FileOptions("Bon-Nr", "Artikel", "Kunde", "Datum,Uhrzeit")
    text = "\n".join(found.lines())
    assert "Bon-Nr = basket, Datum = time, Uhrzeit = time, Kunde = user, Artikel = item; without a role: Preis" in text
    assert "140 baskets, " in text
    assert f"from {min(sale.when for sale in SALES)} to {max(sale.when for sale in SALES)}" in text


def test_lists_in_json_lines(tmp_path: Path) -> None:
    lines = [json.dumps({"ticket": s.number, "products": s.items, "time": str(s.when)}) for s in SALES]
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    assert loaded(look(str(tmp_path / "a.jsonl"))) == BASKETS


# name of a column → its values; the headers are those of files that are often met
VALUES = {
    "number": lambda s, i, n: s.number,
    "row": lambda s, i, n: n,
    "item": lambda s, i, n: i,
    "code": lambda s, i, n: 85000 + PRODUCTS.index(i),
    "customer": lambda s, i, n: s.customer,
    "day": lambda s, i, n: str(s.when.date()),
    "moment": lambda s, i, n: f"{s.when:%Y-%m-%d %H:%M}",
    "clock": lambda s, i, n: f"{s.when:%H:%M:%S}",
    "digits": lambda s, i, n: int(f"{s.when:%H%M}"),
    "year": lambda s, i, n: s.when.year,
    "month": lambda s, i, n: s.when.month,
    "day of month": lambda s, i, n: s.when.day,
    "day number": lambda s, i, n: s.when.day_of_year,
    "place": lambda s, i, n: s.items.index(i) + 1,
    "one": lambda s, i, n: 1,
    "return": lambda s, i, n: -1 if n % 9 == 0 else 2,
    "price": lambda s, i, n: 1.25 + PRODUCTS.index(i),
    "word": lambda s, i, n: "morning" if s.when.hour < 12 else "evening",
}


@pytest.mark.parametrize(
    ("header", "options"),
    [
        (
            "Invoice=number StockCode=code Description=item Quantity=return InvoiceDate=moment Price=price "
            "Customer_ID=customer Country=word",
            FileOptions("Invoice", "Description", "Customer_ID", "InvoiceDate", quantity_col="Quantity"),
        ),
        (
            "Date=day Time=clock Transaction=number Item=item",
            FileOptions("Transaction", "Item", time_col="Date,Time"),
        ),
        (
            "bon=number year=year month=month day=day_of_month hhmm=digits product=item",
            FileOptions("bon", "product", time_col="year,month,day,hhmm"),
        ),
        (
            "Datum=day Uhrzeit=digits Bon=number Artikel=item",
            FileOptions("Bon", "Artikel", time_col="Datum,Uhrzeit"),
        ),
        (
            "order_id=number product_id=code add_to_cart_order=place reordered=one",
            FileOptions("order_id", "product_id"),
        ),
        (
            "household_key=customer BASKET_ID=number DAY=day_number PRODUCT_ID=code QUANTITY=one STORE_ID=one",
            FileOptions("BASKET_ID", "PRODUCT_ID", "household_key", order_col="DAY"),
        ),
        (
            "TRANSACTION_DT=day CUSTOMER_ID=customer AGE_GROUP=word PRODUCT_SUBCLASS=one PRODUCT_ID=code AMOUNT=one",
            FileOptions("CUSTOMER_ID,TRANSACTION_DT", "PRODUCT_ID", "CUSTOMER_ID", "TRANSACTION_DT"),
        ),
        (
            "t_dat=day customer_id=customer article_id=code price=price sales_channel_id=one",
            FileOptions("customer_id,t_dat", "article_id", "customer_id", "t_dat"),
        ),
        (
            "Transaction_ID=row Date=day Customer_ID=customer Gender=word Age=one Product_Category=item Total=price",
            FileOptions("Customer_ID,Date", "Product_Category", "Customer_ID", "Date"),
        ),
        (
            "timestamp=moment visitorid=customer event=word itemid=code",
            FileOptions("", "itemid", "visitorid", "timestamp"),
        ),
        (
            "Belegnummer=number Buchungsdatum=day Kundennr=customer Material=code Materialkurztext=item Menge=return",
            FileOptions("Belegnummer", "Materialkurztext", "Kundennr", "Buchungsdatum", quantity_col="Menge"),
        ),
        (
            "ticket=number libellé=item date=day client=customer montant=price quantité=one",
            FileOptions("ticket", "libellé", "client", "date"),
        ),
        (
            "订单编号=number 商品名称=item 下单时间=moment 会员号=customer 单价=price",
            FileOptions("订单编号", "商品名称", "会员号", "下单时间"),
        ),
    ],
    ids=lambda value: value.split("=")[0] if isinstance(value, str) else "",
)
def test_headers_that_are_often_met(tmp_path: Path, header: str, options: FileOptions) -> None:
    columns = dict(part.split("=") for part in header.split())
    lines = [(sale, item) for sale in SALES for item in sale.items]
    frame = pd.DataFrame(
        {
            name: [VALUES[kind.replace("_", " ")](s, i, n) for n, (s, i) in enumerate(lines)]
            for name, kind in columns.items()
        }
    )
    frame.to_csv(tmp_path / "a.csv", index=False)
    found = look(str(tmp_path / "a.csv"))
    assert found.options == options
    assert found.divider == "comma"


# --- where two readings are plausible


def test_member_and_date_make_the_basket(tmp_path: Path) -> None:
    frame = rows(lambda s, i: {"Member_number": s.customer, "Date": f"{s.when:%d-%m-%Y}", "itemDescription": i})
    frame.to_csv(tmp_path / "a.csv", index=False)
    found = look(str(tmp_path / "a.csv"))
    assert found.options.basket_col == "Member_number,Date"
    assert loaded(found) == BY_DAY
    (question,) = found.questions
    assert "what one Member_number bought on one Date" in question
    assert question.endswith("--basket-col decides")


def test_two_columns_of_items(tmp_path: Path) -> None:
    frame = rows(lambda s, i: {"invoice": s.number, "StockCode": f"S{PRODUCTS.index(i):04d}", "Description": i})
    frame.to_csv(tmp_path / "a.csv", index=False)
    found = look(str(tmp_path / "a.csv"))
    assert found.options.item_col == "Description"
    assert found.questions == (
        "items may be in Description or StockCode; Description is taken; --item-col decides",
    )  # fmt: skip
    decided = look(str(tmp_path / "a.csv"), FileOptions(item_col="StockCode"))
    assert (decided.options.item_col, decided.questions) == ("StockCode", ())


def test_days_and_months_that_can_be_exchanged(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("bon,artikel,datum\n1,a,03/04/2024\n1,b,03/04/2024\n2,a,05/04/2024\n")
    (question,) = look(str(tmp_path / "a.csv")).questions
    assert "days and months of datum can be exchanged" in question
    (tmp_path / "a.csv").write_text("bon,artikel,datum\n1,a,03/04/2024\n1,b,03/04/2024\n2,a,25/04/2024\n")
    assert look(str(tmp_path / "a.csv")).questions == ()
    (tmp_path / "a.csv").write_text("bon,artikel,datum\n1,a,2010-12-01\n1,b,2010-12-01\n2,a,2011-04-03\n")
    assert look(str(tmp_path / "a.csv")).questions == ()


def test_baskets_counted_anew_for_each_customer(tmp_path: Path) -> None:
    frame = rows(lambda s, i: {"ticket no": s.number % 7, "member": s.customer, "product": i})
    frame.to_csv(tmp_path / "a.csv", index=False)
    found = look(str(tmp_path / "a.csv"))
    assert found.options.basket_col == "member,ticket no"
    assert "belongs to several of member" in found.questions[0]


def test_columns_without_telling_names(tmp_path: Path) -> None:
    rows(lambda s, i: {"a": s.number, "b": i, "c": 0.5}).to_csv(tmp_path / "a.csv", index=False)
    found = look(str(tmp_path / "a.csv"))
    assert loaded(found) == BASKETS
    assert "not clear what tells the basket; a is taken" in found.questions[0]


def test_an_order_without_a_clock(tmp_path: Path) -> None:
    frame = rows(lambda s, i: {"household": s.customer, "visit": s.number, "product": i})
    frame.to_csv(tmp_path / "a.csv", index=False)
    found = look(str(tmp_path / "a.csv"))
    assert found.options.order_col == "visit"
    assert {"users", "order"} <= found.data.aspects
    assert "--order-col decides" in found.questions[-1]


def test_quantities_not_above_zero_are_told_by_the_column_of_quantities(tmp_path: Path) -> None:
    text = "invoice,article,qty\n1,mug,6\n1,tin,1\n2,mug,-6\n3,tin,2\n4,tin,0\n3,mug,1\n"
    (tmp_path / "a.csv").write_text(text)
    found = look(str(tmp_path / "a.csv"))
    assert found.options.quantity_col == "qty"
    assert loaded(found) == [["mug", "tin"], ["mug", "tin"]]
    assert "rows whose qty is not above 0, left out: 2" in "\n".join(found.lines())
    (tmp_path / "a.csv").write_text(text.replace("-6", "6").replace(",0\n", ",1\n"))
    assert look(str(tmp_path / "a.csv")).options.quantity_col == ""


def test_a_guess_that_cannot_be_read_is_left_out_and_said(tmp_path: Path) -> None:
    days = pd.date_range("2015-01-01", periods=roles.SAMPLE + 2).strftime("%Y-%m-%d")
    lines = [f"{n},{item},{day}" for n, day in enumerate([*days, "soon"]) for item in ("tea", "jam")]
    (tmp_path / "a.csv").write_text("bon,artikel,datum\n" + "\n".join(lines))
    found = look(str(tmp_path / "a.csv"))
    assert found.options.time_col == ""
    (question,) = found.questions
    assert question.startswith("datum as --time-col cannot be used: a.csv, column 'datum': 2 of 4,006 times cannot")


def test_names_that_hold_commas_are_no_lists(tmp_path: Path) -> None:
    frame = rows(lambda s, i: {"ticket": s.number, "product": f"{i}, fresh", "customer": s.customer})
    frame.to_csv(tmp_path / "a.csv", index=False)
    found = look(str(tmp_path / "a.csv"))
    assert found.options.layout in ("", "rows")
    assert found.data.describe()["items"] == len(PRODUCTS)


# --- names that a shell would take apart, and refusals


def test_the_command_is_quoted_for_a_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = rows(lambda s, i: {"it's a $receipt": s.number, "the item; name": i, "-day": s.when.date()})
    frame.to_csv(tmp_path / "my sales (2).csv", index=False)
    found = look(str(tmp_path / "my sales (2).csv"))
    assert loaded(found) == BASKETS
    monkeypatch.setattr("os.name", "nt")
    words = found.command("01")
    monkeypatch.undo()
    assert words.endswith(' --basket-col "it\'s a $receipt" --item-col "the item; name" --time-col -day')


def test_a_file_named_like_a_set_of_the_catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadParameter, match="llmarm data info groceries"):
        look("groceries")
    with pytest.raises(DataError, match=r"There is no file 'gone\.csv'"):
        look("gone.csv")


def test_what_cannot_be_guessed_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("price,tax\n1.5,2\n1.7,3\n")
    with pytest.raises(BadParameter, match=r"which it is with --item-col, or say --format wide.* are: price, tax"):
        look(str(tmp_path / "a.csv"))
    (tmp_path / "a.csv").write_text("product,price\na,1.5\nb,1.7\na,1.9\n")
    with pytest.raises(BadParameter, match="say which it is with --basket-col"):
        look(str(tmp_path / "a.csv"))


@pytest.mark.parametrize("visits", ["1|1|2|1|2", "1.0|1.0|2.0|1.0|3.0", "1|1|1|1|1"])
@pytest.mark.parametrize("given", [FileOptions(), FileOptions(user_col="customer", order_col="visit")])
def test_visits_of_one_customer_are_baskets(tmp_path: Path, visits: str, given: FileOptions) -> None:
    rows = zip("AAABB", visits.split("|"), ("milk", "bread", "tea", "eggs", "milk"), strict=True)
    (tmp_path / "a.csv").write_text("customer,visit,item\n" + "".join(",".join(row) + "\n" for row in rows))
    found = look(str(tmp_path / "a.csv"), given)
    assert (found.options.basket_col, found.options.order_col) == ("", "visit")
    assert len(found.data.basket_lists()) == len({(c, v) for c, v in zip("AAABB", visits.split("|"), strict=True)})


def test_order_numbers_of_a_customer_are_an_order_too(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("user_id,order_number,item\n1,1,a\n1,1,b\n1,2,a\n2,1,b\n2,2,b\n")
    found = look(str(tmp_path / "a.csv"))
    assert (found.options.basket_col, found.options.order_col) == ("user_id,order_number", "order_number")


def test_a_file_with_a_column_per_item_may_number_visits(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("user,visit,milk,bread\nA,1,1,0\nA,2,0,1\nB,1,1,1\n")
    assert look(str(tmp_path / "a.csv")).options == FileOptions(user_col="user", order_col="visit", format="wide")


def test_why_a_time_is_not_used_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("receipt,item,date\n1,a,09/03/2024\n1,b,09/03/2024\n2,a,2024-03-10\n")
    (question,) = look(str(tmp_path / "a.csv")).questions
    assert question.startswith("date cannot be used as --time-col: column date: 2 of 3 times cannot be read")


def test_receipts_with_gaps_are_refused_by_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("bon,item\n1,milk\n,bread\n2,milk\n,eggs\n")
    with pytest.raises(DataError, match="fill the column downwards"):
        look(str(tmp_path / "a.csv"))


def test_orders_of_a_web_shop_under_a_name(tmp_path: Path) -> None:
    rows = ["#1001,a@x.com,Tee", "#1001,a@x.com,Cap", "#1002,b@x.com,Cap", "#1003,a@x.com,Tee"]
    (tmp_path / "a.csv").write_text("\n".join(["Name,Email,Lineitem name", *rows]))
    assert look(str(tmp_path / "a.csv")).options.basket_col == "Name"


def test_what_is_wrong_with_a_column_per_item_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,milk,milk,eggs\n1,1,0,1\n2,0,1,0\n3,1,1,0\n")
    with pytest.raises(DataError, match="two columns are called 'milk'"):
        look(str(tmp_path / "a.csv"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("bon,item\n", r"holds names of columns \(bon, item\) and no rows below them"),
        ("bon^item\n1^milk\n2^tea\n", r"has a single column, bon\^item: if another sign"),
        ("milk tea\nmilk\ntea jam\n", r"say --format baskets:blank|--format baskets:blank if blanks"),
    ],
)
def test_a_file_of_one_line_or_one_column_is_refused_by_what_to_do(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises((BadParameter, DataError), match=said):
        look(str(tmp_path / "a.csv"))

"""Readers of official formats, on small files of the same shape, traps included; the real files in test_loading."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from llmarm_tutorial.data import catalogue, loading, readers
from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.errors import DataError

RETAIL = pd.DataFrame(
    [
        [536365, "85123A", " WHITE HEART ", 6, "2010-12-01 08:26", 2.55, 17850, "United Kingdom"],
        [536365, 71053, "WHITE LANTERN", 6, "2010-12-01 08:26", 3.39, 17850, "United Kingdom"],
        [536365, 71053, "WHITE LANTERN", 2, "2010-12-01 08:27", 3.39, 17850, "United Kingdom"],
        ["C536379", "85123A", "WHITE HEART", -1, "2010-12-01 09:41", 2.55, 14527, "France"],
        [536370, "POST", "POSTAGE", 3, "2010-12-13 08:45", 18.0, 12583, "France"],
        [536370, "85123a", "WHITE HEART T-LIGHT", 24, "2010-12-13 08:45", 2.55, 12583, "France"],
        [536370, "gift_0001_10", "Gift Voucher £10.00", 1, "2010-12-13 08:45", 8.33, 12583, "France"],
        [536371, "85123A", "WHITE HEART", 1, "2011-11-30 09:00", 2.95, None, "United Kingdom"],
        [536372, 22139, None, 56, "2011-12-09 11:52", 0.0, None, "United Kingdom"],
        [536373, 21134, "thrown away", -30, "2011-12-09 12:00", 0.0, None, "United Kingdom"],
        ["A563185", "B", "Adjust bad debt", 1, "2011-08-12 14:50", 11062.06, None, "United Kingdom"],
        [536374, "DCGSSGIRL", "GIRLS PARTY BAG", 1, "2011-12-09 12:10", 3.29, None, "United Kingdom"],
        [536375, 85123, "WHITE HEART", 1, "2011-12-09 12:10", 2.95, 17850, "United Kingdom"],
    ],
    columns=["InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"],
)
RETAIL["InvoiceDate"] = pd.to_datetime(RETAIL["InvoiceDate"])


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LLMARM_CACHE", str(tmp_path / "cache"))
    return tmp_path


def as_text(frame: pd.DataFrame, date: str = "%Y-%m-%d %H:%M:%S") -> pd.DataFrame:
    ids = {column: frame[column].astype("str") for column in ("InvoiceNo", "StockCode")}
    return frame.assign(**ids, InvoiceDate=frame["InvoiceDate"].dt.strftime(date))


def test_online_retail_is_cleaned_and_counts_what_went(home: Path) -> None:
    as_text(RETAIL).to_parquet(home / "online_retail.parquet")
    data = readers.online_retail(home / "online_retail.parquet", "online-retail")
    assert data.notes == {
        "cancelled rows, dropped": 1,
        "rows of no product (postage, fees, samples, vouchers, corrections), dropped": 3,
        "rows with a quantity that is not positive, dropped": 1,
        "rows with a price that is not positive, dropped": 1,
        "rows without a customer, kept": 2,
        "repeated rows, merged": 1,
    }
    assert sum(data.notes.values()) - 2 + len(data) == len(RETAIL)
    assert data.basket_lists() == [["71053", "85123A"], ["85123A"], ["85123A"], ["DCGSSGIRL"], ["85123"]]
    assert data.table.query("item_id == '71053'")["quantity"].tolist() == [8]
    assert data.table["user_id"].isna().sum() == 2
    names = data.items.set_index("item_id")["name"]
    assert names["85123A"] == "WHITE HEART"
    assert data.items.set_index("item_id")["price"]["85123A"] == 2.55
    assert data.users.to_dict("records") == [
        {"user_id": 12583, "country": "France"},
        {"user_id": 17850, "country": "United Kingdom"},
    ]
    counts = {"lines": 13, "invoices": 9, "stock codes": 10, "customers": 3}
    assert readers.online_retail_counts(home / "online_retail.parquet") == counts


def test_online_retail_from_every_copy_is_the_same(home: Path) -> None:
    spelt = {"CustomerID": "Customer ID", "InvoiceNo": "Invoice", "UnitPrice": "Price"}
    month_first, day_first = as_text(RETAIL, "%-m/%-d/%Y %-H:%M"), as_text(RETAIL, "%d-%m-%Y %H:%M")
    RETAIL.to_excel(home / "Online Retail.xlsx", index=False)
    RETAIL.rename(columns=spelt).to_excel(home / "spelt.xlsx", index=False)
    month_first.to_csv(home / "month_first.csv", index=False, encoding="latin-1")
    day_first.rename(columns=spelt).to_csv(home / "day_first.csv", index=False, encoding="utf-8-sig")
    as_text(RETAIL).assign(InvoiceDate=RETAIL["InvoiceDate"]).to_parquet(home / "dates.parquet")
    as_text(RETAIL).rename(columns=spelt).to_parquet(home / "text.parquet")
    copies = sorted(path for path in home.iterdir() if path.is_file())
    read = [readers.online_retail(path, "online-retail") for path in copies]
    assert len(read) == 6
    for data, path in zip(read, copies, strict=True):
        pd.testing.assert_frame_equal(data.table, read[0].table, obj=path.name)
        pd.testing.assert_frame_equal(data.items, read[0].items, obj=path.name)
        assert data.notes == read[0].notes
        assert readers.online_retail_counts(path) == readers.online_retail_counts(copies[0])


def test_a_workbook_is_parsed_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = home / "Online Retail.xlsx"
    RETAIL.to_excel(path, index=False)
    first = readers.online_retail(path, "online-retail")
    parse = pd.read_excel
    monkeypatch.setattr(pd, "read_excel", lambda *_, **__: pytest.fail("parsed again"))
    assert readers.online_retail(path, "online-retail").fingerprint() == first.fingerprint()
    monkeypatch.setattr(pd, "read_excel", parse)
    RETAIL.head(3).to_excel(path, index=False)
    assert len(readers.online_retail(path, "online-retail")) == 2


def test_a_workbook_is_read_even_if_the_cache_cannot_be_written(home: Path) -> None:
    (home / "cache").write_text("a file where the folder should be")
    RETAIL.to_excel(home / "Online Retail.xlsx", index=False)
    assert len(readers.online_retail(home / "Online Retail.xlsx", "online-retail")) == 6


def test_online_retail_lacking_a_column(home: Path) -> None:
    as_text(RETAIL).drop(columns="StockCode").to_parquet(home / "a.parquet")
    with pytest.raises(DataError, match="lacks the columns StockCode"):
        readers.online_retail(home / "a.parquet", "online-retail")


def test_comma_baskets(tmp_path: Path) -> None:
    path = tmp_path / "groceries.csv"
    path.write_text("whole milk,cream cheese ,yogurt\n\nyogurt\n")
    data = readers.comma_baskets(path, "groceries")
    assert data.basket_lists() == [["cream cheese", "whole milk", "yogurt"], ["yogurt"]]


def test_number_baskets(tmp_path: Path) -> None:
    path = tmp_path / "retail.dat"
    path.write_bytes(b"10 2 30 \r\n2\n\n2 2 7 \n\n")
    data = readers.number_baskets(path, "retail")
    assert data.basket_lists() == [[2, 10, 30], [2], [2, 7]]
    assert data.notes == {"repeated rows, merged": 1}


def test_user_item_lines_keep_their_order(tmp_path: Path) -> None:
    path = tmp_path / "beauty.txt"
    path.write_text("2 9\n1 7\n1 3\n1 7\n\n")
    data = readers.user_item_lines(path, "beauty")
    assert data.aspects == {"users", "order"}
    assert data.table["item_id"].tolist() == [7, 3, 7, 9]


def movielens_100k(folder: Path) -> Transactions:
    (folder / "u.data").write_text("2\t1\t5\t881250949\n1\t2\t3\t881250950\n1\t1\t4\t881250950\n")
    titles = ['"Great" Day, A (1920)', "Café (1990)", "Never Rated (1997)"]
    flags = ["0|1|0|0|0|1" + "|0" * 13, "1" + "|0" * 18, "0|1" + "|0" * 17]
    lines = [f"{n}|{titles[n - 1]}|01-Jan-1995||http://x|{flags[n - 1]}" for n in (1, 2, 3)]
    (folder / "u.item").write_text("\n".join(lines), encoding="latin-1")
    (folder / "u.user").write_text("1|24|M|technician|02139\n2|53|F|other|T8H1N\n")
    return readers.movielens_100k(folder / "u.data", "movielens-100k")


def test_movielens_100k(tmp_path: Path) -> None:
    data = movielens_100k(tmp_path)
    assert data.aspects == {"baskets", "users", "order", "clock"}
    assert data.table[["user_id", "item_id"]].to_numpy().tolist() == [[1, 1], [1, 2], [2, 1]]
    assert data.histories().visits.tolist() == [0, 0, 0]  # user 1 rated both in one second
    assert data.notes == {"events of one user at one moment, taken as one basket, kept": 2}
    assert data.table["time"].iloc[2] == pd.Timestamp("1997-12-04 15:55:49")
    assert data.items.to_dict("records") == [
        {"item_id": 1, "name": '"Great" Day, A (1920)', "category": "Action|Comedy"},
        {"item_id": 2, "name": "Café (1990)", "category": "unknown"},
    ]
    assert data.users["zip"].tolist() == ["02139", "T8H1N"]


def movielens_1m_parts(folder: Path) -> None:
    movies = (
        '1::Star Wars: Episode IV (1977)::Action|Sci-Fi\n2::"Misérables", Les (1995)::Drama\n3::Unseen (2000)::Drama\n'
    )
    (folder / "movies.dat").write_text(movies, encoding="latin-1")
    (folder / "users.dat").write_text("1::F::1::10::48067\n2::M::56::16::02139\n")


def test_movielens_1m(tmp_path: Path) -> None:
    movielens_1m_parts(tmp_path)
    (tmp_path / "ratings.dat").write_text("1::2::5::978300760\n1::1::3::978300760\n2::1::4::978300000\n")
    data = readers.movielens_1m(tmp_path / "ratings.dat", "movielens-1m")
    assert data.aspects == {"users", "order", "clock"}
    assert data.table["item_id"].tolist() == [2, 1, 1]  # a tie in time keeps the order of the file
    assert data.notes == {"events of one user at one moment, in the order of their position, kept": 2}
    assert data.items["name"].tolist() == ["Star Wars: Episode IV (1977)", '"Misérables", Les (1995)']
    assert data.items["category"].tolist() == ["Action|Sci-Fi", "Drama"]
    assert data.users["age"].tolist() == ["under 18", "56+"]
    (tmp_path / "sequences.txt").write_text("1 2\n1 1\n2 1\n")
    copy = readers.movielens_1m(tmp_path / "sequences.txt", "movielens-1m")
    assert copy.aspects == {"users", "order"}
    assert copy.fingerprint(["user_id", "item_id"]) == data.fingerprint(["user_id", "item_id"])
    assert copy.histories().items.tolist() == data.histories().items.tolist()


def test_shop_files(tmp_path: Path) -> None:
    columns = ["user_id", "basket_id", "time", "item_id", "quantity", "price"]
    rows = [[1, 10, pd.Timestamp("2024-03-01"), 3, 2, 0.99], [2, 11, pd.Timestamp("2024-03-02"), 4, 1, 2.5]]
    pd.DataFrame(rows, columns=columns).to_parquet(tmp_path / "transactions.parquet")
    items = {"item_id": [3, 4], "name": ["milk", "tea"], "name_zh": ["牛奶", "茶"], "category": ["dairy", "drinks"]}
    pd.DataFrame(items).to_parquet(tmp_path / "items.parquet")
    pd.DataFrame({"user_id": [1, 2], "segment": ["a", "b"]}).to_parquet(tmp_path / "users.parquet")
    data = readers.shop(tmp_path / "transactions.parquet", "shop")
    assert data.aspects == {"baskets", "users", "order", "clock"}
    assert data.items["name_zh"].tolist() == ["牛奶", "茶"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("retail", b"<html>404 Not Found</html>"),
        ("movielens-100k", b"<html>\n404 Not Found</html>"),
        ("beauty", b"1 2\n3\n"),
        ("online-retail", b"PK\x03\x04 no workbook"),
        ("groceries", b"\xff\xfe\x00"),
    ],
)
def test_wrong_content_is_one_sentence(home: Path, name: str, content: bytes) -> None:
    entry = catalogue.entry(name)
    path = home / entry.files[-1]
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"^{name}: .* is not in the format of this data set: ") as caught:
        loading.read(entry, path)
    assert "\n" not in str(caught.value)


def test_a_part_that_is_missing_is_named(tmp_path: Path) -> None:
    movielens_100k(tmp_path)
    (tmp_path / "u.user").unlink()
    with pytest.raises(DataError, match=r"beside .*u\.data the file u\.user is missing"):
        loading.read(catalogue.entry("movielens-100k"), tmp_path / "u.data")


def test_released_splits_are_one_table_without_an_order(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("3 9 7\n1\n")
    (tmp_path / "test.txt").write_text("1 7 \n\n3 4")
    data = readers.published_lines(tmp_path / "train.txt", "gowalla")
    assert data.aspects == {"users"}
    assert data.table.to_numpy().tolist() == [[1, 7], [3, 4], [3, 7], [3, 9]]
    assert readers.PUBLISHED_COUNTS["published_lines"](tmp_path / "train.txt") == {"train rows": 2, "test rows": 2}
    (tmp_path / "data1.txt").write_text("3\t9\t120\n")
    (tmp_path / "test1.txt").write_text("1\t9\t5\n3\t7\t1\n")
    data = readers.published_plays(tmp_path / "data1.txt", "lastfm")
    assert data.table[["user_id", "item_id", "quantity"]].to_numpy().tolist() == [[1, 9, 5], [3, 7, 1], [3, 9, 120]]
    assert readers.PUBLISHED_COUNTS["published_plays"](tmp_path / "data1.txt") == {"train rows": 1, "test rows": 2}

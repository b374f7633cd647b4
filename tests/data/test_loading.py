"""The catalogue: its entries are complete, sets are found where they may lie, and the real ones hold what they must."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from llmarm_tutorial.data import catalogue, loading, readers
from llmarm_tutorial.data.catalogue import ASPECTS
from llmarm_tutorial.data.transactions import COLUMNS, Transactions
from llmarm_tutorial.errors import BadParameter, DataError, UnknownName

PUBLIC = [name for name in catalogue.names() if name != "shop"]


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without any data: `LLMARM_DATA` and the cache are empty folders."""
    for variable in ("LLMARM_DATA", "LLMARM_CACHE"):
        (tmp_path / variable).mkdir()
        monkeypatch.setenv(variable, str(tmp_path / variable))
    return tmp_path


def test_names() -> None:
    expected = ["shop", "groceries", "online-retail", "movielens-100k", "movielens-1m"]
    assert catalogue.names() == [*expected, "retail", "mushroom", "t10i4d100k", "beauty", "lastfm", "gowalla"]
    assert [entry.name for entry in catalogue.entries()] == catalogue.names()


@pytest.mark.parametrize("entry", catalogue.entries(), ids=catalogue.names())
def test_entries_are_complete(entry: catalogue.Entry) -> None:
    for text in (entry.title, entry.licence, entry.citation, entry.drops):
        assert len(text) > 6 or text == "nothing"
    assert entry.source.startswith("http")
    assert entry.aspects <= set(ASPECTS)
    assert callable(getattr(readers, entry.reader))
    assert bool(entry.published) == (entry.reader in readers.PUBLISHED_COUNTS)
    if entry.name != "shop":
        assert all(url.startswith("http") for url in entry.urls)
        assert entry.urls
        assert entry.megabytes > 0
        assert len(entry.fingerprint) == 16
        assert entry.columns
        assert set(entry.columns) <= set(COLUMNS)
        assert {"rows", "items"} < set(entry.counts)


def test_names_with() -> None:
    assert catalogue.names_with() == catalogue.names()
    assert catalogue.names_with("baskets", "users") == ["shop", "online-retail", "movielens-100k"]
    assert "beauty" in catalogue.names_with("order")
    assert "beauty" not in catalogue.names_with("clock")
    with pytest.raises(UnknownName, match="no aspect 'colour'"):
        catalogue.names_with("colour")


def test_entries_by_name() -> None:
    assert catalogue.entry("retail").citation.startswith("T. Brijs")
    with pytest.raises(UnknownName, match=r"no data set 'retial'. Did you mean 'retail'\? .* sales\.csv"):
        catalogue.entry("retial")


def test_a_name_of_the_catalogue_goes_before_a_file_of_that_name_and_all_else_is_a_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop").touch()
    assert catalogue.resolve("shop", tmp_path) is catalogue.entry("shop")
    assert catalogue.resolve("sales.csv") == Path("sales.csv")
    assert catalogue.resolve("sales.csv", tmp_path) == tmp_path / "sales.csv"
    assert catalogue.resolve("~/sales.csv", tmp_path) == Path.home() / "sales.csv"


def test_what_is_not_here_names_the_command_that_fetches_it(alone: Path) -> None:
    for call in (loading.load, loading.check):
        with pytest.raises(
            DataError, match=r"llmarm data fetch groceries .* LLMARM_DATA .* groceries\.csv in groceries/"
        ):
            call("groceries")
    with pytest.raises(UnknownName):
        loading.check("nothing")


@pytest.mark.parametrize("place", ["groceries/groceries.csv", "groceries.csv", "Groceries/Groceries.CSV"])
@pytest.mark.parametrize("root", ["LLMARM_DATA", "LLMARM_CACHE"])
def test_layouts(alone: Path, root: str, place: str) -> None:
    path = alone / root / place
    if place[0] == "G":
        path = alone / root / "groceries" / Path(place).name
    path.parent.mkdir(exist_ok=True)
    path.write_text("milk,bread\nmilk\n")
    assert catalogue.locate(catalogue.entry("groceries")) == path
    assert loading.load("groceries").describe()["baskets"] == 2


def test_your_folder_goes_before_the_cache(alone: Path) -> None:
    for root, baskets in (("LLMARM_CACHE", 1), ("LLMARM_DATA", 2)):
        path = alone / root / "fimi" / "retail.dat"
        path.parent.mkdir()
        path.write_text("1 2\n" * baskets)
        assert loading.load("retail").describe()["baskets"] == baskets


def test_files_in_order_of_preference_and_any_spelling(alone: Path) -> None:
    folder = alone / "LLMARM_DATA" / "online-retail"
    folder.mkdir()
    for name in ("Online Retail.xlsx", "Online_Retail.csv", "online_retail.parquet"):
        (folder / name).write_text("")
        assert catalogue.locate(catalogue.entry("online-retail")) == folder / name


def test_check_says_what_differs(alone: Path) -> None:
    (alone / "LLMARM_DATA" / "mushroom.dat").write_text("1 2\n1\n")
    report = loading.check("mushroom")
    assert not report.ok
    rows = {row.what: row for row in report.rows}
    assert rows["rows"] == ("rows", 186852, 3, False)
    assert rows["baskets"].found == 2
    assert not rows["fingerprint over basket_id, item_id"].ok
    assert report.path.name == "mushroom.dat"


def test_columns_are_for_files_only() -> None:
    with pytest.raises(BadParameter, match=r"retail is a set of the catalogue, .* leave out user_col"):
        loading.load("retail", user_col="user")


def test_the_shop_is_made_where_it_was_not_shipped(alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = catalogue.SHIPPED_SHOP
    from llmarm_tutorial.data.shop import simulate

    monkeypatch.setattr(catalogue, "SHIPPED_SHOP", alone / "nowhere")
    monkeypatch.setattr(simulate, "write", lambda folder, **_: shutil.copytree(shipped, folder))
    assert loading.load("shop").describe()["rows"] > 0
    assert catalogue.locate(catalogue.entry("shop")).is_relative_to(catalogue.data_home())


# --- the real sets ---------------------------------------------------------------------------------------------------


def test_the_shipped_shop_holds_what_the_catalogue_says(alone: Path) -> None:
    assert catalogue.locate(catalogue.entry("shop")).parent == catalogue.SHIPPED_SHOP
    report = loading.check("shop")
    assert report.ok, [row for row in report.rows if not row.ok]
    assert loading.load("shop").aspects == catalogue.entry("shop").aspects


@pytest.mark.parametrize("name", PUBLIC)
def test_real_sets_hold_what_the_catalogue_says(real_data: Path, name: str) -> None:
    report = loading.check(name)
    assert report.ok, [row for row in report.rows if not row.ok]
    counted = {row.what for row in report.rows}
    assert counted >= {"rows", "items"} or counted & {"lines", "train rows"}


@pytest.mark.parametrize("name", PUBLIC)
def test_real_sets_offer_what_the_catalogue_says(real_data: Path, name: str) -> None:
    data, entry = loading.load(name), catalogue.entry(name)
    lacking = entry.aspects - data.aspects
    assert data.aspects <= entry.aspects
    assert not lacking or (name == "movielens-1m" and lacking == {"clock"})  # the copy without clock times
    assert set(data.items["item_id"]) == set(data.table["item_id"])
    assert data.items["name"].notna().all()
    if "baskets" in entry.aspects:
        assert data.basket_matrix().sum() == len(data)
    if "order" in entry.aspects:
        assert len(data.histories().items) == data.table["user_id"].notna().sum()
    if "order" in entry.aspects and "baskets" not in entry.aspects:
        assert data.leave_one_out().test.describe()["users"] == data.describe()["users"]


def test_real_online_retail_counts_all_its_lines(real_data: Path) -> None:
    data = loading.load("online-retail")
    dropped = sum(count for what, count in data.notes.items() if not what.endswith("kept"))
    assert len(data) + dropped == 541_909
    assert data.items.set_index("item_id")["name"]["85123A"] == "WHITE HANGING HEART T-LIGHT HOLDER"


def test_real_movielens_names_and_genres(real_data: Path) -> None:
    for name in ("movielens-100k", "movielens-1m"):
        data = loading.load(name)
        first = data.items.iloc[0]
        assert first["name"] == "Toy Story (1995)"
        assert set(first["category"].split("|")) == {"Animation", "Children's", "Comedy"}
        assert data.users["user_id"].nunique() == data.describe()["users"]


def test_real_movielens_with_five_ratings_a_film(real_data: Path) -> None:
    kept = loading.load("movielens-1m").filter_items(5)
    assert (len(kept), len(kept.items)) == (999_611, 3_416)


def test_real_set_survives_shuffling(real_data: Path) -> None:
    data, entry = loading.load("online-retail"), catalogue.entry("online-retail")
    again = Transactions.from_frame(data.table.sample(frac=1, random_state=1), items=data.items)
    assert again.fingerprint(entry.columns) == entry.fingerprint


def test_a_data_folder_that_does_not_exist_is_named(alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError) as caught:
        loading.load("groceries")
    assert "no folder" not in str(caught.value)
    monkeypatch.setenv("LLMARM_DATA", str(alone / "gone"))
    with pytest.raises(DataError, match="gone, which is no folder: correct it"):
        loading.load("groceries")

"""Transactions: one canonical form, whatever the source; views that agree; splits that leak nothing."""

from __future__ import annotations

import io
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.data.transactions import Split, Transactions
from llmarm_tutorial.errors import BadParameter, DataError, Lacks

quick = settings(max_examples=40, deadline=None)

DAY = pd.Timestamp("2024-03-01")


@st.composite
def shops(draw, min_rows: int = 1) -> pd.DataFrame:
    """Rows of a shop with everything: each basket with one user (some with none) and times that tie."""
    baskets = draw(st.integers(1, 9))
    users = [draw(st.sampled_from([1, 2, 3, None])) for _ in range(baskets)]
    times = [draw(st.integers(0, 4)) for _ in range(baskets)]
    rows = draw(
        st.lists(
            st.tuples(
                st.integers(0, baskets - 1),
                st.sampled_from(["milk", "007", "bread, white", "🥐", "NA"]),
                st.sampled_from([1.0, 0.1, 0.2, 0.3]),
                st.sampled_from([0.99, 2.5]),
                st.integers(0, 3),
            ),
            min_size=min_rows,
            max_size=40,
        )
    )
    frame = pd.DataFrame(rows, columns=["basket_id", "item_id", "quantity", "price", "minute"])
    frame["user_id"] = pd.array([users[b] for b in frame["basket_id"]], dtype="Int64")
    frame["time"] = [DAY + pd.Timedelta(days=times[b], minutes=m) for b, m in frame[["basket_id", "minute"]].to_numpy()]
    return frame.drop(columns="minute")


@st.composite
def histories(draw) -> pd.DataFrame:
    """Events of users without baskets, with times that tie."""
    rows = draw(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 6), st.integers(1, 5)), min_size=1, max_size=40))
    frame = pd.DataFrame(rows, columns=["user_id", "hour", "item_id"])
    frame["time"] = DAY + pd.to_timedelta(frame["hour"], unit="h")
    return frame.drop(columns="hour")


def shuffled(frame: pd.DataFrame, seed: int) -> pd.DataFrame:
    return frame.iloc[np.random.default_rng(seed).permutation(len(frame))]


def small() -> Transactions:
    """Two users and an unknown one, four baskets, two of them of user 7 at the same time."""
    rows = [
        (7, "b", "2024-03-02 10:00", "milk"),
        (7, "b", "2024-03-02 10:00", "bread"),
        (7, "a", "2024-03-01 09:00", "milk"),
        (7, "c", "2024-03-02 10:00", "eggs"),
        (9, "d", "2024-03-05 12:00", "milk"),
        (None, "e", "2024-02-01 08:00", "tea"),
    ]
    frame = pd.DataFrame(rows, columns=["user_id", "basket_id", "time", "item_id"])
    return Transactions.from_frame(frame.assign(time=pd.to_datetime(frame["time"])), name="small")


# --- canonical form --------------------------------------------------------------------------------------------------


@quick
@given(shops(), st.integers(0, 5))
def test_row_order_of_the_source_changes_nothing(frame: pd.DataFrame, seed: int) -> None:
    one, other = Transactions.from_frame(frame), Transactions.from_frame(shuffled(frame, seed))
    pd.testing.assert_frame_equal(one.table, other.table)
    assert one.fingerprint() == other.fingerprint()
    assert one.notes == other.notes


@quick
@given(histories(), st.integers(0, 5))
def test_row_order_changes_nothing_without_baskets(frame: pd.DataFrame, seed: int) -> None:
    one, other = Transactions.from_frame(frame), Transactions.from_frame(shuffled(frame, seed))
    pd.testing.assert_frame_equal(one.table, other.table)
    assert one.table.duplicated().sum() == 0


@quick
@given(shops())
def test_fingerprint_survives_every_file_format(frame: pd.DataFrame) -> None:
    data = Transactions.from_frame(frame)
    csv = io.StringIO(data.table.to_csv(index=False))
    text = pd.read_csv(csv, dtype={"item_id": "str"}, keep_default_na=False, na_values=[""], parse_dates=["time"])
    parquet = io.BytesIO()
    data.table.assign(price=data.table["price"].astype("float32")).to_parquet(parquet)
    lines = "\n".join(data.table.to_json(orient="records", lines=True, date_format="iso").splitlines())
    objects = pd.read_json(io.StringIO(lines), lines=True, dtype=False)
    objects["time"] = pd.to_datetime(objects["time"])
    for copy in (text, pd.read_parquet(parquet), objects):
        assert Transactions.from_frame(copy).fingerprint() == data.fingerprint()


@quick
@given(shops(), st.data())
def test_fingerprint_sees_every_change(frame: pd.DataFrame, data: st.DataObject) -> None:
    whole = Transactions.from_frame(frame)
    row = data.draw(st.integers(0, len(whole) - 1))
    column = data.draw(st.sampled_from(list(whole.table)))
    changed = whole.table.copy()
    changed[column] = changed[column].astype(object)
    changed.loc[row, column] = pd.Timestamp("1999-01-01") if column == "time" else 424242
    changed["time"] = pd.to_datetime(changed["time"])
    assert Transactions(changed, whole.items).fingerprint() != whole.fingerprint()
    if len(whole) > 1:
        assert Transactions(whole.table.drop(index=row), whole.items).fingerprint() != whole.fingerprint()


def test_fingerprint_covers_the_columns_asked_for() -> None:
    data = small()
    other = Transactions.from_frame(data.table.assign(time=data.table["time"] + pd.Timedelta(days=1)))
    assert data.fingerprint() != other.fingerprint()
    assert data.fingerprint(["item_id", "basket_id"]) == other.fingerprint(["basket_id", "item_id"])
    assert len(data.fingerprint()) == 16
    backwards = Transactions(data.table.iloc[::-1].reset_index(drop=True), data.items)
    assert backwards.fingerprint() == data.fingerprint()


def test_fingerprint_tells_columns_and_missing_values_apart() -> None:
    tables = [
        {"basket_id": [1], "item_id": [2]},
        {"basket_id": [2], "item_id": [1]},
        {"basket_id": [3], "item_id": [0]},
    ]
    tables += [{"basket_id": [1, 2], "item_id": [3, 4], "price": price} for price in ([1, None], [None, 1], [0, 1])]
    assert len({Transactions.from_frame(pd.DataFrame(table)).fingerprint() for table in tables}) == 6


def test_repeated_rows_of_a_basket_are_merged_and_counted() -> None:
    frame = pd.DataFrame({"basket_id": [1, 1, 1, 2], "item_id": ["a", "a", "b", "a"], "quantity": [2, 3, 1, 1]})
    data = Transactions.from_frame(frame)
    assert data.table.query("basket_id == 1 and item_id == 'a'")["quantity"].tolist() == [5]
    assert data.notes == {"repeated rows, merged": 1}
    assert data.basket_matrix().sum() == 3


def test_quantities_that_are_all_unknown_stay_unknown_when_merged() -> None:
    frame = pd.DataFrame({"basket_id": [1, 1, 2], "item_id": ["a", "a", "a"], "quantity": [np.nan] * 3})
    assert Transactions.from_frame(frame).table["quantity"].isna().all()


def test_the_same_event_twice_is_one_but_another_time_is_another() -> None:
    frame = pd.DataFrame({"user_id": [1, 1, 1], "time": pd.to_datetime(["2024", "2024", "2025"]), "item_id": [5, 5, 5]})
    data = Transactions.from_frame(frame)
    assert len(data) == 2
    assert data.notes == {"repeated rows, merged": 1}


def test_without_baskets_and_order_rows_are_no_events_and_stay() -> None:
    data = Transactions.from_frame(pd.DataFrame({"user_id": [1, 1], "item_id": [5, 5]}))
    assert len(data) == 2
    assert data.aspects == {"users"}


def test_a_basket_has_its_first_time_and_its_known_user() -> None:
    frame = pd.DataFrame(
        {
            "user_id": [None, 3, None],
            "basket_id": [1, 1, 2],
            "time": pd.to_datetime(["2024-01-02", "2024-01-01", "2024-01-03"]),
            "item_id": ["a", "b", "a"],
        }
    )
    table = Transactions.from_frame(frame).table
    first = table[table["basket_id"] == 1]
    assert first["user_id"].tolist() == [3, 3]
    assert set(first["time"]) == {pd.Timestamp("2024-01-01")}
    assert table[table["basket_id"] == 2]["user_id"].isna().all()


def test_a_basket_of_several_users_is_refused() -> None:
    frame = pd.DataFrame({"user_id": ["ann", "bob"], "basket_id": ["visit 1", "visit 1"], "item_id": ["a", "b"]})
    with pytest.raises(DataError, match=r"'visit 1' belongs to 2 users; .* join user and basket"):
        Transactions.from_frame(frame)


def test_zones_become_utc_and_coarser_units_the_same_time() -> None:
    zoned = pd.Series(pd.to_datetime(["2024-03-01 01:00"])).dt.tz_localize("Asia/Shanghai")
    plain = pd.Series(pd.to_datetime(["2024-02-29 17:00"]).astype("datetime64[s]"))
    made = [
        Transactions.from_frame(pd.DataFrame({"user_id": [1], "time": time, "item_id": [1]})) for time in (zoned, plain)
    ]
    assert made[0].table["time"].iloc[0] == pd.Timestamp("2024-02-29 17:00")
    assert made[0].fingerprint() == made[1].fingerprint()


@pytest.mark.parametrize(
    ("frame", "sentence"),
    [
        ({"item_id": [1]}, "at least one of basket_id and user_id"),
        ({"basket_id": [1]}, "needs the column item_id"),
        ({"basket_id": [], "item_id": []}, "there are no transactions"),
        ({"basket_id": [1, 2], "item_id": ["a", None]}, "1 rows have an empty item_id"),
        ({"basket_id": [1, 2], "item_id": ["a", ""]}, "1 rows have an empty item_id"),
        ({"basket_id": [1, None], "item_id": ["a", "b"]}, "1 rows have an empty basket_id"),
        ({"user_id": [None, None], "item_id": ["a", "b"]}, "2 rows have an empty user_id"),
        ({"basket_id": [1], "item_id": [1], "time": ["2024-01-01"]}, "not datetimes; convert"),
        ({"basket_id": [1], "item_id": [1], "time": pd.to_datetime([None])}, "1 rows have no time"),
    ],
)
def test_tables_that_are_no_transactions_are_refused(frame: dict, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        Transactions.from_frame(pd.DataFrame(frame), name="mine")


def test_items_of_the_item_table_only() -> None:
    frame, items = pd.DataFrame({"basket_id": [1], "item_id": ["a"]}), pd.DataFrame({"item_id": ["b"]})
    with pytest.raises(DataError, match="the item table lacks, the first is 'a'"):
        Transactions.from_frame(frame, items=items)


def test_users_that_are_all_unknown_are_no_users() -> None:
    frame = pd.DataFrame({"user_id": [np.nan, np.nan], "basket_id": [1, 2], "item_id": ["a", "b"]})
    data = Transactions.from_frame(frame)
    assert data.aspects == {"baskets"}
    with pytest.raises(Lacks):
        data.histories()


def test_ids_keep_what_they_are() -> None:
    frame = pd.DataFrame({"user_id": [2.0, np.nan], "basket_id": ["007", "7"], "item_id": [1.5, 2.0]})
    table = Transactions.from_frame(frame).table
    assert table["user_id"].dtype == "Int64"
    assert table["basket_id"].tolist() == ["007", "7"]
    assert table["item_id"].tolist() == ["1.5", "2.0"]


def test_ids_beyond_the_exact_floats_stay_apart() -> None:
    big = 2**53
    frame = pd.DataFrame({"user_id": [1, 1], "basket_id": [big, big + 1], "item_id": [1, 1]})
    runs = Transactions.from_frame(frame.assign(time=DAY)).histories()
    assert runs.visits.tolist() == [0, 1]


def test_item_and_user_tables_are_put_in_order() -> None:
    frame = pd.DataFrame({"user_id": [2, 1], "item_id": ["b", "a"], "time": DAY})
    items = pd.DataFrame({"item_id": ["b", "c", "a", "a"], "name": ["Bee", None, "Ay", "Again"]})
    users = pd.DataFrame({"user_id": [2.0, 1.0], "segment": ["x", "y"]})
    data = Transactions.from_frame(frame, items=items, users=users)
    assert data.items["item_id"].tolist() == ["a", "b", "c"]
    assert data.items["name"].tolist() == ["Ay", "Bee", "c"]
    assert data.users["user_id"].tolist() == [1, 2]
    assert data.item_codes.tolist() == [0, 1]


# --- views -----------------------------------------------------------------------------------------------------------


@quick
@given(shops())
def test_matrix_lists_one_hot_and_table_agree(frame: pd.DataFrame) -> None:
    data = Transactions.from_frame(frame)
    expected = [
        sorted(set(frame[frame["basket_id"] == basket]["item_id"]))
        for basket in data.basket_ids
    ]  # fmt: skip
    assert data.basket_lists() == expected
    matrix = data.basket_matrix()
    assert matrix.dtype == bool
    assert matrix.shape == (len(expected), len(data.items))
    assert np.array_equal(matrix.toarray(), data.one_hot().to_numpy(dtype=bool))
    assert data.one_hot().columns.tolist() == data.items["item_id"].tolist()
    assert matrix.sum() == len(data) == data.describe()["rows"]
    times = data.table.drop_duplicates("basket_id").set_index("basket_id")["time"]
    assert times.loc[data.basket_ids].is_monotonic_increasing


@quick
@given(shops())
def test_sequences_hold_every_known_event_in_time_order(frame: pd.DataFrame) -> None:
    data = Transactions.from_frame(frame)
    if "users" not in data.aspects:
        return
    runs = data.histories()
    known = data.table[data.table["user_id"].notna()]
    assert runs.user_ids.tolist() == sorted(known["user_id"].unique())
    assert runs.offsets[-1] == len(runs.items) == len(known)
    for row, user in enumerate(runs.user_ids):
        own = known[known["user_id"] == user]
        assert own["time"].is_monotonic_increasing
        assert data.items["item_id"].to_numpy()[runs.of(row)].tolist() == own["item_id"].tolist()
        visits = runs.visits[runs.offsets[row] : runs.offsets[row + 1]]
        assert visits[0] == 0
        assert set(np.diff(visits)) <= {0, 1}
        assert visits[-1] + 1 == own["basket_id"].nunique()


def test_views_of_the_small_shop() -> None:
    data = small()
    assert data.describe() == {
        **{"rows": 6, "items": 4, "baskets": 5, "mean basket size": 1.2, "users": 2},
        **{"first": pd.Timestamp("2024-02-01 08:00"), "last": pd.Timestamp("2024-03-05 12:00")},
    }
    assert data.basket_ids.tolist() == ["e", "a", "b", "c", "d"]
    runs = data.histories()
    assert isinstance(runs, Histories)
    assert runs.user_ids.tolist() == [7, 9]
    assert data.items["item_id"].iloc[runs.items].tolist() == ["milk", "bread", "milk", "eggs", "milk"]
    assert runs.visits.tolist() == [0, 1, 1, 2, 0]
    assert "5 baskets" in repr(data)


def test_position_orders_ties_in_time_and_keeps_baskets_whole() -> None:
    frame = pd.DataFrame(
        {
            "user_id": 1,
            "basket_id": ["x", "y", "x", "y"],
            "time": DAY,
            "position": [3, 1, 2, 4],
            "item_id": ["a", "b", "c", "d"],
        }
    )
    data = Transactions.from_frame(frame)
    assert data.table["basket_id"].tolist() == ["y", "y", "x", "x"]
    assert data.histories().visits.tolist() == [0, 0, 1, 1]
    events = Transactions.from_frame(frame.drop(columns="basket_id"))
    assert events.table["item_id"].tolist() == ["b", "c", "a", "d"]


def test_labels_that_items_share_are_told_apart() -> None:
    frame = pd.DataFrame({"basket_id": [1, 1, 2], "item_id": [1, 2, 3]})
    items = pd.DataFrame({"item_id": [1, 2, 3], "name": ["tea", "tea", "milk"]})
    data = Transactions.from_frame(frame, items=items)
    assert data.basket_lists("name") == [["tea [1]", "tea [2]"], ["milk"]]
    assert data.one_hot("name").columns.tolist() == ["tea [1]", "tea [2]", "milk"]
    with pytest.raises(BadParameter, match="have no 'colour'; choose one of: item_id, name"):
        data.one_hot("colour")


def test_from_baskets() -> None:
    data = Transactions.from_baskets([["bread", "milk"], [], ["milk", "milk"]])
    assert data.basket_lists() == [["bread", "milk"], ["milk"]]
    with pytest.raises(DataError, match="no transactions"):
        Transactions.from_baskets([[], []])


def test_hugging_face_datasets() -> None:
    pytest.importorskip("datasets")
    by_user = small().to_dataset()
    assert by_user["user_id"] == [7, 9]
    assert [len(items) for items in by_user["items"]] == [4, 1]
    by_basket = Transactions.from_baskets([["b", "a"], ["a"]]).to_dataset()
    assert list(by_basket["items"]) == [[0, 1], [0]]


def test_lacks_names_the_sets_that_serve() -> None:
    baskets_only = Transactions.from_baskets([["a"]], name="till")
    with pytest.raises(Lacks, match=r"'till' lacks users .* and an order .*: shop, online-retail, movielens-100k"):
        baskets_only.histories()
    events_only = Transactions.from_frame(
        pd.DataFrame({"user_id": [1], "position": [0], "item_id": [1]}), name="clicks"
    )
    assert events_only.aspects == {"users", "order"}
    for view in (events_only.basket_matrix, events_only.basket_lists, events_only.one_hot, events_only.split_by_basket):
        with pytest.raises(Lacks, match=r"'clicks' lacks baskets .*groceries"):
            view()
    with pytest.raises(Lacks, match="clock times"):
        events_only.split_by_time()
    with pytest.raises(Lacks, match="'till' lacks users"):
        baskets_only.leave_one_out()


# --- splits ----------------------------------------------------------------------------------------------------------


def split_or_none(make) -> Split | None:
    """The split, or None where the data are too few for three parts, which raises."""
    try:
        return make()
    except DataError as error:
        if "leaves nothing for" in str(error):
            return None
        raise


def assert_partition(split: Split, data: Transactions, rows: int) -> None:
    assert sum(len(part) for part in split) == rows
    together = pd.concat([part.table for part in split])
    assert together.duplicated().sum() == 0
    assert all(part.items is data.items and len(part) for part in split)
    if "baskets" in data.aspects:
        baskets = [basket for part in split for basket in part.table["basket_id"].unique()]
        assert len(baskets) == len(set(baskets))


shares = st.sampled_from([(0.1, 0.1), (0.2, 0.3), (0.4, 0.4)])


@quick
@given(st.one_of(shops(), histories()), shares)
def test_split_by_time_lets_no_later_event_into_train(frame: pd.DataFrame, share: tuple[float, float]) -> None:
    data = Transactions.from_frame(frame)
    split = split_or_none(lambda: data.split_by_time(*share))
    if split:
        assert_partition(split, data, len(data))
        assert split.train.table["time"].max() < split.validation.table["time"].min()
        assert split.validation.table["time"].max() < split.test.table["time"].min()


@quick
@given(shops(), shares, st.integers(0, 3))
def test_split_by_basket_keeps_baskets_whole(frame: pd.DataFrame, share: tuple[float, float], seed: int) -> None:
    data = Transactions.from_frame(frame)
    split = split_or_none(lambda: data.split_by_basket(*share, seed=seed))
    if split:
        assert_partition(split, data, len(data))
        again = data.split_by_basket(*share, seed=seed)
        assert all(a.fingerprint() == b.fingerprint() for a, b in zip(split, again, strict=True))


@quick
@given(st.one_of(shops(), histories()))
def test_leave_one_out_keeps_each_users_order(frame: pd.DataFrame) -> None:
    data = Transactions.from_frame(frame)
    if "users" not in data.aspects:
        return
    split = split_or_none(data.leave_one_out)
    known = data.table[data.table["user_id"].notna()]
    baskets = "baskets" in data.aspects
    unit = known["basket_id"] if baskets else known.index.to_series()
    units = unit.groupby(known["user_id"]).nunique()
    if split is None:
        assert (units < 3).all()
        return
    sizes = [part.table.groupby("user_id").size() for part in split]
    assert set(sizes[1].index) == set(sizes[2].index) == set(units[units >= 3].index)
    assert_partition(split, data, len(known))
    if baskets:
        assert all(part.table.groupby("user_id")["basket_id"].nunique().eq(1).all() for part in split[1:])
    else:
        assert sizes[1].eq(1).all()
        assert sizes[2].eq(1).all()
    for user in sizes[2].index:
        spans = [part.table[part.table["user_id"] == user]["time"] for part in split]
        assert spans[0].max() <= spans[1].min()
        assert spans[1].max() <= spans[2].min()
        if "basket_id" not in frame:  # without baskets in the source no moment is on two sides
            assert spans[0].max() < spans[1].min()
            assert spans[1].max() < spans[2].min()


def test_shares_of_the_splits() -> None:
    data = Transactions.from_frame(
        pd.DataFrame({"basket_id": range(1000), "item_id": 1, "time": pd.date_range("2024", periods=1000, freq="h")})
    )
    for split in (data.split_by_time(0.1, 0.2), data.split_by_basket(0.1, 0.2)):
        assert [len(part) for part in split] == [700, 100, 200]
    other = data.split_by_basket(0.1, 0.2, seed=1)
    assert other.test.fingerprint() != data.split_by_basket(0.1, 0.2).test.fingerprint()


@pytest.mark.parametrize(("validation", "test"), [(0, 0.1), (0.1, 0), (0.5, 0.5), (1.2, 0.1), (-0.1, 0.2)])
def test_impossible_shares_are_refused(validation: float, test: float) -> None:
    for split in (small().split_by_time, small().split_by_basket):
        with pytest.raises(BadParameter, match="shares between 0 and 1"):
            split(validation, test)


def test_times_split_where_they_leave_no_part_empty_and_else_a_lot_does() -> None:
    frame = pd.DataFrame({"basket_id": range(20), "item_id": "a", "time": pd.Timestamp("2024-01-01")})
    days = frame.assign(time=frame["time"] + pd.to_timedelta(frame["basket_id"], unit="D"))
    spread, one_day = (Transactions.from_frame(table) for table in (days, frame))
    without = Transactions.from_frame(frame.drop(columns="time"))
    for ours, expected in (
        (spread, spread.split_by_time(0.1, 0.2)),
        (one_day, one_day.split_by_basket(0.1, 0.2, 7)),
        (without, without.split_by_basket(0.1, 0.2, 7)),
    ):
        found = ours.split_by_time_or_lot(0.1, 0.2, 7)
        assert [part.basket_ids.tolist() for part in found] == [part.basket_ids.tolist() for part in expected]


def test_too_little_for_a_split_says_so() -> None:
    with pytest.raises(DataError, match="leaves nothing for validation"):
        Transactions.from_baskets([["a"], ["b"]]).split_by_basket()
    data = small()
    with pytest.raises(DataError, match="leaves nothing for validation"):
        data.rows((data.table["basket_id"] != "a").to_numpy()).leave_one_out()


# --- filters ---------------------------------------------------------------------------------------------------------


@quick
@given(shops(), st.integers(1, 4))
def test_a_filter_keeps_the_items_that_suffice_and_nothing_else(frame: pd.DataFrame, least: int) -> None:
    data = Transactions.from_frame(frame)
    counts = data.table["item_id"].value_counts()
    kept = set(counts[counts >= least].index)
    if not kept:
        with pytest.raises(DataError, match="choose a smaller number"):
            data.filter_items(least)
        return
    part = data.filter_items(least)
    assert set(part.table["item_id"]) == set(part.items["item_id"]) == kept
    pd.testing.assert_frame_equal(
        part.table, data.table[data.table["item_id"].isin(kept)].reset_index(drop=True), check_dtype=False
    )


@pytest.mark.parametrize(
    "ids",
    [
        np.array([2**64 - 1, 2**63, 1], np.uint64),
        np.array([1e300, 2e300, -1e300]),
        np.array([2.0**63, 1.0, -(2.0**63)]),
    ],
)
def test_ids_beyond_64_bits_stay_apart(ids: np.ndarray) -> None:
    data = Transactions.from_frame(pd.DataFrame({"basket_id": 1, "item_id": ids}))
    assert len(data.items) == 3
    if ids.dtype == np.uint64:
        assert set(data.items["item_id"]) == {str(2**64 - 1), str(2**63), "1"}


@pytest.mark.parametrize("column", ["quantity", "price"])
def test_quantities_and_prices_that_are_text_are_refused(column: str) -> None:
    frame = pd.DataFrame({"basket_id": [1, 1], "item_id": ["a", "a"], column: ["1", "2"]})
    with pytest.raises(DataError, match=f"column {column} holds .* must be numbers"):
        Transactions.from_frame(frame)


def test_exact_decimals_and_unknown_quantities_are_numbers() -> None:
    cells = pd.Series([Decimal("1.5"), Decimal("2"), None], dtype=object)
    frame = pd.DataFrame({"basket_id": [1, 1, 2], "item_id": "a", "quantity": cells, "price": None})
    table = Transactions.from_frame(frame).table
    assert table["quantity"].fillna(-1).tolist() == [3.5, -1]
    assert table["price"].isna().all()

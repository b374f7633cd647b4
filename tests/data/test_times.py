"""Times: one column gives one reading, on every day, and what is no time is refused with what to do."""

from __future__ import annotations

import datetime
import io
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmarm_tutorial.data import loading
from llmarm_tutorial.data.times import join_times, parse_times
from llmarm_tutorial.errors import DataError

FORMS = (
    *("%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%Y/%m/%d %H:%M:%S", "%Y年%m月%d日 %H:%M:%S", "%Y%m%d%H%M%S"),
    *("%Y%m%dT%H%M%S", "%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H.%M.%S", "%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y %I:%M:%S%p"),
    *("%d %b %Y %H:%M:%S", "%B %d, %Y %I:%M:%S %p", "%d-%b-%Y %H:%M:%S", "%d%b%Y:%H:%M:%S", "%a %b %d %H:%M:%S %Y"),
    *("%a, %d %b %Y %H:%M:%S GMT", "%d/%b/%Y:%H:%M:%S +0000", "%A, %B %d, %Y %H:%M:%S"),
)
MONTH_FIRST, DAY_FIRST = "read month before day", "read day before month"


def read(texts: list, notes: dict[str, int] | None = None) -> list[str]:
    return parse_times(pd.Series(texts), "here", notes).astype("str").tolist()


def said(texts: list) -> str:
    """What a note says of a column that can be read."""
    notes: dict[str, int] = {}
    read(texts, notes)
    assert set(notes.values()) <= {len(texts)}
    return "; ".join(note.removeprefix("times of here, ") for note in notes)


def refusal(texts: list) -> str:
    with pytest.raises(DataError) as caught:
        read(texts)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert sentence.endswith(".")
    return sentence


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["2024-03-09", "2024-03-10 17:45", "2024-03-11T01:02:03.5"], ["2024-03-09", "2024-03-10 17:45"]),
        (["2024-03-09T10:00:00Z", "2024-03-09T12:00:00+02:00", "2024-03-10"], ["2024-03-09 10:00"] * 2),
        (["20240309", "20240310"], ["2024-03-09", "2024-03-10"]),
        (["3/9/2024", "12/31/2024"], ["2024-03-09", "2024-12-31"]),
        (["9/3/2024", "31/12/2024"], ["2024-03-09", "2024-12-31"]),
        (["09.03.2024 17:45", "31.12.2024 00:00"], ["2024-03-09 17:45", "2024-12-31"]),
        (["9 Mar 2024", "31 Dec 2024"], ["2024-03-09", "2024-12-31"]),
        (["881250949", "1709978400"], ["1997-12-04 15:55:49", "2024-03-09 10:00"]),
        (["1709978400000", "1709978400500"], ["2024-03-09 10:00", "2024-03-09 10:00:00.5"]),
        (["1709978400000000", "1709978400500000"], ["2024-03-09 10:00", "2024-03-09 10:00:00.5"]),
        (["1709978400000000000"], ["2024-03-09 10:00"]),
        ([1709978400.5, 1709978401.0], ["2024-03-09 10:00:00.5", "2024-03-09 10:00:01"]),
        ([1709978400, 1709978401], ["2024-03-09 10:00:00", "2024-03-09 10:00:01"]),
        (["202311051430", "202311051502"], ["2023-11-05 14:30", "2023-11-05 15:02"]),
        (["2023110514", "2023122409"], ["2023-11-05 14:00", "2023-12-24 09:00"]),
        (["20231105143000", "20231224090000"], ["2023-11-05 14:30", "2023-12-24 09:00"]),
        (["20231105143000123"], ["2023-11-05 14:30:00.123"]),
        (["12/1/10 8:26", "12/13/10 8:26"], ["2010-12-01 08:26", "2010-12-13 08:26"]),
        (["99-12-31", "98-12-30"], ["1999-12-31", "1998-12-30"]),
        (["2024-03-09 12:00 AM", "2024-03-09 12:00 p.m."], ["2024-03-09 00:00", "2024-03-09 12:00"]),
        (["2024-03-09 17:45+05:30", "2024-03-09 17:45-0800"], ["2024-03-09 12:15", "2024-03-10 01:45"]),
        (["2024-03-31 02:30", "2024-10-27 02:30"], ["2024-03-31 02:30", "2024-10-27 02:30"]),  # no zone, no summer time
        (["14-03-2024 9:58", "15-03-2024 10:5"], ["2024-03-14 09:58", "2024-03-15 10:05"]),
        (["Sat Mar 09 2024 17:45:00 GMT+0100 (Central European Standard Time)"], ["2024-03-09 16:45"]),
        ([datetime.date(2024, 3, 9), datetime.date(2024, 3, 10)], ["2024-03-09", "2024-03-10"]),
    ],
)
def test_times(texts: list, expected: list[str]) -> None:
    found = parse_times(pd.Series(texts), "here")
    assert found.iloc[:2].tolist() == [pd.Timestamp(time) for time in expected]


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(FORMS),
    st.lists(
        st.datetimes(datetime.datetime(1970, 1, 1), datetime.datetime(2069, 12, 31)),
        min_size=1,
        max_size=8,
        unique=True,
    ),
)
def test_every_form_gives_the_times_back(form: str, moments: list[datetime.datetime]) -> None:
    moments = [moment.replace(microsecond=0) for moment in moments]
    found = parse_times(pd.Series([moment.strftime(form) for moment in moments]), "here")
    assert found.tolist() == [pd.Timestamp(moment) for moment in moments]


def test_datetimes_stay_and_lose_their_zone() -> None:
    stamps = pd.Series(pd.to_datetime(["2024-03-09 17:45", "2024-07-09 17:45"]).tz_localize("Europe/Berlin"))
    found = parse_times(stamps, "here")
    assert found.tolist() == [pd.Timestamp("2024-03-09 16:45"), pd.Timestamp("2024-07-09 15:45")]
    assert "the first is empty in row 1" in refusal([pd.NaT, pd.Timestamp("2024-03-09")])
    assert "years lie from 1901 to 2100" in refusal([pd.Timestamp("1899-12-30 11:20")])


@pytest.mark.parametrize(
    "kind", [object, pd.ArrowDtype(pa.timestamp("us", tz="Europe/Berlin"))], ids=["objects", "Arrow"]
)
def test_datetimes_of_other_kinds_of_column(kind: object) -> None:
    stamps = pd.Series(pd.to_datetime(["2024-03-09 00:00", "2024-07-09 00:00"]).tz_localize("Europe/Berlin"))
    found = parse_times(stamps.astype(kind), "here")
    assert found.tolist() == [pd.Timestamp("2024-03-08 23:00"), pd.Timestamp("2024-07-08 22:00")]
    days = pd.Series([datetime.date(2024, 3, 9)]).astype(pd.ArrowDtype(pa.date32()))
    assert parse_times(days, "here").tolist() == [pd.Timestamp("2024-03-09")]
    assert "a time of day needs a date" in refusal(pd.to_timedelta(["11:20:00", "12:05:30"]).tolist())


def test_the_index_is_kept() -> None:
    assert parse_times(pd.Series(["2024-03-09"], index=[7]), "here").index.tolist() == [7]


# --- what had to be guessed is noted ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("texts", "expected", "note"),
    [
        (["3/4/2024", "5/6/2024"], "2024-03-04", MONTH_FIRST),
        (["03-04-2024", "05-06-2024"], "2024-03-04", MONTH_FIRST),
        (["3.4.2024", "5.6.2024"], "2024-04-03", DAY_FIRST),
        (["3/13/2024", "5/6/2024"], "2024-03-13", ""),
        (["4/4/2024", "6/6/2024"], "2024-04-04", ""),
        (["3/4/24"], "2024-03-04", f"{MONTH_FIRST}, with years of two digits"),
        (["2023110514"], "2023-11-05 14", "whose 10 digits were read as year, month, day, hour and so on"),
        (["1709978400"], "2024-03-09 10", "which are numbers, read as seconds since 1970"),
        (["20231105"], "2023-11-05", ""),
        (["2024-03-04"], "2024-03-04", ""),
    ],
)
def test_a_note_says_what_was_taken(texts: list[str], expected: str, note: str) -> None:
    assert read(texts)[0].startswith(expected)
    assert said(texts) == note


# --- what is no time is refused --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "texts",
    [
        *(["11:20:05", "12:05:30"], ["9:58", "10:5"], ["14:30"], ["Mon 14:30"], ["5 PM"], ["5:45 pm"], ["T11:20"]),
        [datetime.time(11, 20, 5)],
    ],
)
def test_a_time_of_day_is_no_time(texts: list) -> None:
    assert "a time of day needs a date" in refusal(texts)
    assert "--time-col Date,Time" in refusal(texts)


@pytest.mark.parametrize("word", ["now", "today", "Now", "yesterday", "tomorrow"])
def test_words_that_mean_the_day_of_the_run_are_refused(word: str) -> None:
    assert "another day on every run" in refusal([word])
    assert "1 of 2 times cannot be read, the first is" in refusal(["2024-03-09", word])


@pytest.mark.parametrize("text", ["2024-03", "2024/3", "03/2024", "9/3", "Mar 2024", "9 March", "March 9"])
def test_a_date_without_a_day_a_month_or_a_year_is_refused(text: str) -> None:
    assert "a date needs a day, a month and a year" in refusal([text])


@pytest.mark.parametrize("digits", range(1, 20))
def test_a_rank_is_no_time_however_many_digits_it_has(digits: int) -> None:
    ranks = [str(10 ** (digits - 1) + number * 8 * 10 ** max(digits - 2, 0)) for number in range(2)]
    ranks = ["5" + "9" * (digits - 1), *ranks]  # where it has the digits of seconds and so on, the year is far off
    assert "--order-col" in refusal(ranks if digits not in (9, 12, 15, 18) else [rank + "0" for rank in ranks])


@pytest.mark.parametrize("texts", [["1631", "0745", "2359"], ["998", "999", "1000"], ["1000", "9999"], ["-3"], ["1.5"]])
def test_numbers_are_no_times(texts: list[str]) -> None:
    sentence = refusal(texts)
    assert f"{len(texts)} of {len(texts)} times cannot be read, the first is {texts[0]!r} in row 1" in sentence
    assert "give it with order_col (--order-col)" in sentence
    assert "20240309" in sentence


def test_day_numbers_of_a_spreadsheet_are_told_how_to_become_dates() -> None:
    for cells in (["45211", "45212"], [45211.5, 45212.25]):
        assert "format the column as a date there" in refusal(cells)


def test_six_digits_may_be_many_dates() -> None:
    assert "write the year with four digits" in refusal(["231105", "231224"])


@pytest.mark.parametrize("texts", [["24-12-31"], ["31-12-24"], ["01-02-03", "04-05-06"]])
def test_years_of_two_digits_between_hyphens_are_refused(texts: list[str]) -> None:
    assert "write the year with four digits" in refusal(texts)


@pytest.mark.parametrize(
    "texts",
    [
        ["2024-03-09", "3/9/2024"],
        ["3/9/2024", "9.3.2024"],
        ["13/02/2024", "02/14/2024"],
        ["9 Mar 2024", "2024-03-09"],
        ["2024-03-09", "20240309"],
        ["2024-03-09 5:45 PM", "2024-03-09 17:45"],
        ["202311051430", "202313051430"],
        ["1709978400", "1709978400000"],
        ["2024-02-29", "2023-02-29"],
        ["2024-03-09 23:59", "2024-03-09 24:01"],
    ],
)
def test_one_form_throughout(texts: list[str]) -> None:
    assert "cannot be read" in refusal(texts)


@pytest.mark.parametrize("text", ["9999-12-31", "0024-03-09", "1899-12-30 11:20:05", "1900-01-01"])
def test_years_that_stand_for_no_date_are_refused(text: str) -> None:
    assert "years lie from 1901 to 2100" in refusal([text])


def test_names_of_zones_are_refused() -> None:
    assert "write a zone as hours ahead of UTC" in refusal(["2024-03-09 17:45 EST"])


@pytest.mark.parametrize("text", ["soon", "banana 3", "2024-W10-6", "2024-13-45", "0", "2024-03-09 10:00 foo bar", "-"])
def test_all_else_is_refused(text: str) -> None:
    assert "1 of 1 times cannot be read" in refusal([text])


def test_what_cannot_be_read_is_counted_and_located() -> None:
    sentence = refusal(["2024-01-01", "soon", None, "2024-13-45"])
    assert sentence.startswith(
        "here: 3 of 4 times cannot be read, the first is 'soon' in row 2 (after the header); use"
    )
    assert "1 of 2 times cannot be read, the first is empty in row 2" in refusal(["881250949", ""])


# --- a date and a time of day in two columns -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ("14-03-2024,11:20:05\n15-03-2024,9:5", ["2024-03-14 11:20:05", "2024-03-15 09:05:00"]),
        ("11:20,2024-03-14\n09:05,2024-03-15", ["2024-03-14 11:20:00", "2024-03-15 09:05:00"]),
        ("2024-03-14 00:00:00,11:20\n2024-03-15 00:00:00,9:05", ["2024-03-14 11:20:00", "2024-03-15 09:05:00"]),
        (
            "2024-03-14,1899-12-30 11:20:00\n2024-03-15,1899-12-30 09:05:00",
            ["2024-03-14 11:20:00", "2024-03-15 09:05:00"],
        ),
        ("20240314,1631\n20240315,0745", ["2024-03-14 16:31:00", "2024-03-15 07:45:00"]),
        ("20240314,1631\n20240315,45", ["2024-03-14 16:31:00", "2024-03-15 00:45:00"]),
        ("2024-03-14,163105\n2024-03-15,74500", ["2024-03-14 16:31:05", "2024-03-15 07:45:00"]),
        ("2024-03-14,17\n2024-03-15,9", ["2024-03-14 17:00:00", "2024-03-15 09:00:00"]),
        ("3/14/2024,5:45 PM\n3/15/2024,9:05 AM", ["2024-03-14 17:45:00", "2024-03-15 09:05:00"]),
    ],
)
def test_a_date_and_a_time_of_day(columns: str, expected: list[str]) -> None:
    table = pd.read_csv(io.StringIO(columns), header=None, dtype="str")
    found = parse_times(join_times([table[0], table[1]]), "here").astype("str").tolist()
    assert found == expected


def test_three_columns_of_numbers_make_a_date() -> None:
    parts = [pd.Series(numbers) for numbers in ([2024, 2024], [3, 12], [9, 31])]
    assert parse_times(join_times(parts), "here").astype("str").tolist() == ["2024-03-09", "2024-12-31"]


def test_datetimes_and_times_of_python_join() -> None:
    dates = pd.Series(pd.to_datetime(["2024-03-14", "2024-03-15"]))
    clocks = pd.Series([datetime.time(11, 20), datetime.time(9, 5)])
    found = parse_times(join_times([dates, clocks]), "here")
    assert found.tolist() == [pd.Timestamp("2024-03-14 11:20"), pd.Timestamp("2024-03-15 09:05")]


def test_a_missing_part_is_a_missing_time() -> None:
    joined = join_times([pd.Series(["2024-03-14", None]), pd.Series(["11:20", "11:20"])])
    assert "the first is empty in row 2" in refusal(joined.tolist())


# --- whole files -----------------------------------------------------------------------------------------------------

CLOCK = (
    "Day,Clock,Receipt,Article\n14-03-2024,11:20:05,1,Milk\n14-03-2024,12:05:30,2,Rice\n14-03-2024,12:05:30,2,Milk\n"
    "15-03-2024,9:5,3,Salt\n15-03-2024,9:5,3,Soap\n16-03-2024,08:00:45,4,Salt\n"
)
RECEIPTS = {"basket_col": "Receipt", "item_col": "Article"}


def test_a_file_of_times_of_day_is_refused_and_read_with_its_date(tmp_path: Path) -> None:
    path = tmp_path / "clock.csv"
    path.write_text(CLOCK)
    with pytest.raises(DataError, match=r"clock.csv, column 'Clock': 6 of 6 .* name both, as in --time-col Date,Time"):
        loading.load(str(path), **RECEIPTS, time_col="Clock")
    data = loading.load(str(path), **RECEIPTS, time_col="Day,Clock")
    assert data.table["time"].min() == pd.Timestamp("2024-03-14 11:20:05")
    assert data.table["time"].dt.day.tolist() == [14, 14, 14, 15, 15, 16]
    assert not data.notes


def test_a_file_of_which_day_and_month_may_be_exchanged_says_so(tmp_path: Path) -> None:
    path = tmp_path / "days.csv"
    path.write_text("Day,Receipt,Article\n3/4/2024,1,Milk\n3/4/2024,1,Rice\n5/6/2024,2,Rice\n")
    data = loading.load(str(path), **RECEIPTS, time_col="Day")
    assert data.notes == {"times of days.csv, column 'Day', read month before day": 3}


@pytest.mark.parametrize("digits", ["٠١٢٣٤٥٦٧٨٩", "०१२३४५६७८९", "０１２３４５６７８９"])
def test_digits_of_other_scripts_are_digits(digits: str) -> None:
    written = pd.Series(["12/03/2024", "13/03/2024"])
    pd.testing.assert_series_equal(
        parse_times(written.str.translate(str.maketrans("0123456789", digits)), "a"), parse_times(written, "a")
    )

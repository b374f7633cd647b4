"""Times as people, tills and databases write them: one column gives one reading, the same on every day.

Only what names a day, a month and a year is a time. Nothing is completed from today, so neither a time of day nor "now"
is one. Rules, of which the first that fits reads a column; all of its times have one form:

- Year first, such as 2024-03-09 or 2024/3/9, and 20240309; with a time of day and a zone or without.
- Year last, such as 3/9/2024: month before day, unless only day before month fits all rows; with points, as in
  9.3.2024, day before month comes first. Where both fit, a note says which was taken. Years of two digits lie from 1970
  to 2069.
- Months by their English name, such as 9 Mar 2024 or Mar 9, 2024.
- Numbers: stamps of 8, 10, 12, 14 or 17 digits, most of which are a year, month, day, hour, …; else seconds since 1970
  of 9 or 10 digits, milliseconds of 12 or 13, microseconds of 15 or 16, nanoseconds of 18 or 19. A note says which. Any
  other number is no time, however many digits it has.
- Years lie from 1901 to 2100: earlier ones are what spreadsheets and databases write for a time of day.

Zones (Z, UTC, +01:00) are turned into UTC, times without one stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from llmarm_tutorial.data import cells
from llmarm_tutorial.errors import DataError

YEARS = (1901, 2100)
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
LETTERS = (
    "january|february|march|april|may|june|july|august|september|october|november|december|"
    "jan|feb|mar|apr|jun|jul|aug|sept|sep|oct|nov|dec"
)

CLOCK = (
    r"(?:(?:t|[ ,:])\s*(?:(?P<hour>\d{1,2})(?:(?P<c>[:.])(?P<minute>\d{1,2})(?:(?P=c)(?P<second>\d{1,2})"
    r"(?:[.,](?P<fraction>\d{1,9}))?)?)?\s?(?P<half>[ap]\.?m\.?)?|(?P<digits>\d{3,6}))"
    r"\s?(?P<zone>z|(?:utc|gmt)?(?:[+-]\d{2}(?::?\d{2})?)|utc|gmt)?)?"
)
YEAR_FIRST = r"(?P<year>\d{4})(?P<s>[-/. ])\s?(?P<month>\d{1,2})(?P=s)\s?(?P<day>\d{1,2})"
YEAR_LAST = r"(?P<one>\d{1,2})(?P<s>[-/.])\s?(?P<two>\d{1,2})(?P=s)\s?(?P<three>\d{4}|\d{2})"
NAMED = (
    rf"(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\.?[-/ ]?\s*(?P<name>{LETTERS})\.?,?[-/ ]?\s*(?P<year>\d{{4}}|\d{{2}})",
    rf"(?P<name>{LETTERS})\.?[-/ ]?\s*(?P<day>\d{{1,2}})(?:st|nd|rd|th)?,?[-/ ]\s*(?P<year>\d{{4}}|\d{{2}})",
    rf"(?P<year>\d{{4}})[-/ ](?P<name>{LETTERS})[-/ ](?P<day>\d{{1,2}})",
)
COMPACT = r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})"
STAMP = COMPACT + r"(?:(?P<hour>\d{2})(?:(?P<minute>\d{2})(?:(?P<second>\d{2})(?P<fraction>\d{3})?)?)?)?"
EPOCHS = ((r"\d{9,10}(?:\.\d+)?", "s"), (r"\d{12,13}", "ms"), (r"\d{15,16}", "us"), (r"\d{18,19}", "ns"))
EPOCH_NAMES = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}

NUMBER = re.compile(r"[-+]?\d+(?:[.,]\d+)?(?:e[-+]?\d+)?")
TIME_OF_DAY = (
    r"(?:[a-z]{3,9}\.?,? |0 days )?t?\d{1,2}:\d{1,2}(?::\d{1,2})?(?:[.,]\d+)?\s?(?:[ap]\.?m\.?)?|\d{1,2}\s?[ap]\.?m\.?"
)
MEANS_TODAY = re.compile(r"now|today|yesterday|tomorrow")
NO_DAY = re.compile(
    rf"\d{{4}}[-/.]\d{{1,2}}|\d{{1,2}}[-/.](?:\d{{4}}|\d{{1,2}})|(?:{LETTERS})\W*\d+|\d+\W*(?:{LETTERS})"
)
TWO_DIGITS = re.compile(r"\d{1,2}-\d{1,2}-\d{2}\b.*")
MIDNIGHT = r"[ T]00:00(?::00(?:\.0+)?)?$"  # what a date without a time of day shows
NO_DATE = r"^(?:1899-12-3[01]|1900-01-0[01]|0 days)[ T]"  # what a time of day without a date shows


class Reading(NamedTuple):
    """One way to read texts: their times, shape (n,), NaT where it does not fit, and what a note says of it."""

    times: np.ndarray
    note: str = ""

    @property
    def unread(self) -> int:
        """How many texts it does not fit."""
        return int(np.isnat(self.times).sum())


def parse_times(times: pd.Series, where: str, notes: dict[str, int] | None = None) -> pd.Series:
    """Datetimes without a zone from text, numbers or datetimes, by the rules in the head of this module.

    Args:
        times: Cells of any type.
        where: File and column, for messages and notes.
        notes: Takes what had to be guessed: description → number of rows.

    Returns:
        Datetimes to the microsecond, in UTC where a zone was given, with the index of `times`.

    Raises:
        DataError: If a time is empty or cannot be read; says how many, the first with its row, and what to do.
    """
    if pd.api.types.is_datetime64_any_dtype(times) or pd.api.types.infer_dtype(times) == "datetime":
        zoneless = pd.to_datetime(times, utc=True).dt.tz_localize(None)
        found, text = _within_years(zoneless.to_numpy("datetime64[us]")), times.astype("str").mask(times.isna())
    else:
        text = cells.text(times)
        codes, distinct = pd.factorize(text, use_na_sentinel=False)
        best = _best_reading(pd.Series(distinct))
        found = best.times[codes]
        if best.note and notes is not None:
            notes[f"times of {where}, {best.note}"] = len(times)
    unread = np.isnat(found)
    if unread.any():
        row = int(unread.argmax())
        raise DataError(
            f"{where}: {unread.sum():,} of {len(found):,} times cannot be read, the first is "
            f"{'empty' if pd.isna(text.iloc[row]) else repr(text.iloc[row][:60])} in row {row + 1} (after the header); "
            f"{_remedy(text.iloc[row], some_read=not unread.all())}."
        )
    return pd.Series(found, index=times.index)


def join_times(parts: Sequence[pd.Series]) -> pd.Series:
    """One column of text from a date and a time of day (or year, month and day) that stand in several columns.

    A midnight behind the date, and a day of the years 1899 or 1900 before the time, which spreadsheets and databases
    write where there is none, are left out. Of times of day without colons, one or two digits are hours, more are
    hours, minutes and perhaps seconds, in front of which zeros may be missing.

    Args:
        parts: Columns in the order in which they are given; a time of day may come first.

    Returns:
        Text, missing where a part is, with the index of the parts.
    """
    texts = [cells.text(part).str.replace(NO_DATE, "", regex=True) for part in parts]
    if _is_clock(texts[0]) and not _is_clock(texts[-1]):
        texts = [*texts[1:], texts[0]]
    *dates, clock = [text.str.replace(MIDNIGHT, "", regex=True) for text in texts[:-1]] + [texts[-1]]
    if len(dates) in (1, 3) and clock.dropna().str.fullmatch(r"\d{1,6}").all():  # with two, the last is a day
        longest = clock.str.len().max()
        clock = clock.str.zfill(2 if longest <= 2 else 4 if longest <= 4 else 6)
    joined = dates[0]
    for text in [*dates[1:], clock]:
        joined = joined + " " + text
    return joined


def _is_clock(text: pd.Series) -> bool:
    return bool(text.dropna().str.casefold().str.fullmatch(TIME_OF_DAY).all())


# --- one reading for all --------------------------------------------------------------------------------------------


def _best_reading(text: pd.Series) -> Reading:
    """The reading that fits most of distinct texts; of equals the one that comes first in the rules."""
    text = text.str.casefold().str.replace(r"\s+", " ", regex=True)
    foreign = {sign for value in text.dropna() if not value.isascii() for sign in value if sign.isdecimal()}
    text = text.str.translate({ord(sign): str(int(sign)) for sign in foreign})  # digits of Arabic, Hindi or Thai
    known = text.dropna()
    numbers = known.str.fullmatch(NUMBER.pattern).all()
    best = Reading(np.full(len(text), np.datetime64("NaT", "us")))
    for reading in _from_numbers(text) if numbers else _from_dates(_plain(text)):
        if reading.unread < best.unread:
            best = reading
        if best.unread == len(text) - len(known):
            break
    return best


def _from_numbers(text: pd.Series) -> Iterator[Reading]:
    """The reading of numbers, by the rules in the head of this module; none if they are no times."""
    known = text.dropna()
    if known.str.fullmatch(STAMP).all() and known.str.len().nunique() == 1:
        digits, reading = len(known.iloc[0]), Reading(_assembled(text.str.extract(f"^{STAMP}$")))
        read = len(text) - reading.unread
        if 2 * read >= len(known):  # next to no seconds since 1970 have such digits: the others are slips
            said = f"whose {digits} digits were read as year, month, day, hour and so on"
            yield reading._replace(note=said if digits in (10, 12) else "")
            return
    for form, unit in EPOCHS:
        if known.str.fullmatch(form).all():
            since = pd.to_datetime(pd.to_numeric(known), unit=unit, errors="coerce").reindex(text.index)
            times = _within_years(since.to_numpy("datetime64[us]"))
            yield Reading(times, f"which are numbers, read as {EPOCH_NAMES[unit]} since 1970")


def _from_dates(text: pd.Series) -> Iterator[Reading]:
    """Readings of dates, by the rules in the head of this module."""
    for form in (YEAR_FIRST, COMPACT):
        yield Reading(_assembled(text.str.extract(f"^{form}{CLOCK}$")))
    yield from _year_last(text.str.extract(f"^{YEAR_LAST}{CLOCK}$"))
    for form in NAMED:
        parts = text.str.extract(f"^{form}{CLOCK}$")
        month = parts["name"].str[:3].map({name: str(number) for number, name in enumerate(MONTHS, start=1)})
        yield Reading(_assembled(parts.assign(month=month)))


def _year_last(parts: pd.DataFrame) -> Iterator[Reading]:
    """Readings of three numbers of which the last is the year, the likelier first; with what else they could be.

    With hyphens, two digits in front may be a year as well as two digits behind: that is refused. A separator tells a
    custom, so only one of them is read.
    """
    parts = parts.where(parts["s"] == parts["s"].value_counts().sort_index().idxmax()) if parts["s"].any() else parts
    with_points, short = (parts["s"] == ".").any(), parts["three"].str.len() == 2
    orders = {"month before day": ("three", "one", "two"), "day before month": ("three", "two", "one")}
    if with_points:
        orders = dict(reversed(orders.items()))
    if short.any():
        orders["year before month"] = ("one", "two", "three")
    readings = {}
    for order, names in orders.items():
        columns = dict(zip(("year", "month", "day"), (parts[name] for name in names), strict=True))
        readings[order] = Reading(_assembled(parts.assign(**columns)))
    least = min(reading.unread for reading in readings.values())
    fitting = {order: reading for order, reading in readings.items() if reading.unread == least}
    (order, first), *others = fitting.items()
    if short.any() and (parts["s"] == "-").any() and "year before month" in fitting and others:
        return
    said = f"read {order}" if any((other.times != first.times).any() for _, other in others if not least) else ""
    yield first._replace(note=", ".join(filter(None, [said, "with years of two digits" if short.any() else ""])))


def _plain(text: pd.Series) -> pd.Series:
    """Texts without days of the week and names of zones in brackets, the year before the time of day."""
    if text.str.contains("年").any():
        text = text.str.replace(r"[年月]\s?", "-", regex=True).str.replace("日", " ").str.strip()
    if text.str.contains("[a-su-y]", regex=True).any():
        text = text.str.replace(
            r"^(?:mon|tue|tues|wed|wednes|thu|thur|thurs|fri|sat|satur|sun)(?:day)?\.?,? ", "", regex=True
        )
        text = text.str.replace(r" \([^)]*\)$", "", regex=True)
        text = text.str.replace(
            r"^([a-z]{3} \d{1,2}) (\d{1,2}:\d{2}:\d{2})(?: (utc|gmt|[+-]\d{4}))? (\d{4})$", r"\1 \4 \2 \3", regex=True
        ).str.strip()
    return text


# --- parts as times -------------------------------------------------------------------------------------------------


def _assembled(parts: pd.DataFrame) -> np.ndarray:
    """Times from parts as text, NaT where one is missing or out of range.

    Args:
        parts: Columns year, month and day, and those of `CLOCK` that are present.

    Returns:
        Shape (n,), datetime64[us], in UTC where there is a zone.
    """
    none = pd.Series(np.nan, index=parts.index, dtype="str")
    text = {name: parts.get(name, none) for name in ("hour", "minute", "second", "fraction", "half", "digits", "zone")}
    digits = text["digits"].str.zfill(4)
    digits = digits.mask(digits.str.len() == 5, "0" + digits)
    for place, name in enumerate(("hour", "minute", "second")):
        text[name] = text[name].fillna(digits.str[2 * place : 2 * place + 2].replace("", np.nan))
    year, month, day = (_number(parts[name], -1) for name in ("year", "month", "day"))
    year = year + np.where(parts["year"].str.len() == 2, np.where(year < 70, 2000, 1900), 0)
    hour, minute, second = (_number(text[name], 0) for name in ("hour", "minute", "second"))
    with_hour = text["hour"].notna().to_numpy()
    half = text["half"].str[0].to_numpy(dtype=object, na_value="")
    valid = (month >= 1) & (month <= 12) & (hour < 24) & (minute < 60) & (second < 60)
    valid &= np.where(half != "", (hour >= 1) & (hour <= 12), ~with_hour | (half == "").all())
    valid &= (year >= YEARS[0]) & (year <= YEARS[1])
    hour = np.where(half == "p", hour % 12 + 12, np.where(half == "a", hour % 12, hour))
    first = np.where(valid, (year - 1970) * 12 + month - 1, 0).astype("datetime64[M]")
    days = ((first + 1).astype("datetime64[D]") - first.astype("datetime64[D]")).astype(int)
    valid &= (day >= 1) & (day <= days)
    micros = _number((text["fraction"] + "000000").str[:6], 0)
    seconds = ((day - 1) * 24 + hour) * 3600 + minute * 60 + second - 60 * _offset(text["zone"])
    return np.where(valid, first.astype("datetime64[us]") + seconds * 1_000_000 + micros, np.datetime64("NaT", "us"))


def _number(text: pd.Series, missing: int) -> np.ndarray:
    return pd.to_numeric(text).fillna(missing).to_numpy(dtype=np.int64)


def _offset(zones: pd.Series) -> np.ndarray:
    """Minutes that zones such as z, utc, +01:00 or +0530 are ahead of UTC, shape (n,)."""
    parts = zones.str.extract(r"([+-])(\d{2}):?(\d{2})?$")
    minutes = _number(parts[1], 0) * 60 + _number(parts[2], 0)
    return np.where((parts[0] == "-").to_numpy(dtype=bool), -minutes, minutes)


def _within_years(times: np.ndarray) -> np.ndarray:
    """Times, NaT where the year is outside `YEARS`."""
    year = times.astype("datetime64[Y]").astype(np.int64) + 1970
    return np.where((year >= YEARS[0]) & (year <= YEARS[1]), times, np.datetime64("NaT", "us"))


def _remedy(text: str, some_read: bool) -> str:
    """What to do about a text that is no time."""
    if pd.isna(text):
        return "fill it in, or leave such rows out"
    text = text.casefold()
    if re.fullmatch(TIME_OF_DAY, text):
        return "a time of day needs a date: if the date stands in another column, name both, as in --time-col Date,Time"
    if MEANS_TODAY.fullmatch(text):
        return "such a word means another day on every run: write the date"
    if NUMBER.fullmatch(text):
        if re.fullmatch(r"[2-7]\d{4}(\.\d+)?", text):
            return (
                "if it is a day number of a spreadsheet, format the column as a date there and save the file anew; if "
                "it only puts visits in order, give it with order_col (--order-col)"
            )
        return (
            "such a number is no time: if it puts visits in order, give it with order_col (--order-col), if it is a "
            "stamp, write the year with four digits, like 20240309 or 202403091745"
        )
    if NO_DAY.fullmatch(text):
        return "a date needs a day, a month and a year: write it like 2024-03-09"
    year = re.search(r"(?<!\d)\d{4}(?!\d)", text)
    if year and not YEARS[0] <= int(year[0]) <= YEARS[1]:
        return (
            f"years lie from {YEARS[0]} to {YEARS[1]}: write the true date, or leave such rows out; a date and a time "
            "of day in two columns are joined by naming both, as in --time-col Date,Time"
        )
    if re.fullmatch(r".*\d ?[a-z]{2,5}", text):
        return "write a zone as hours ahead of UTC, like 2024-03-09 17:45+01:00"
    if TWO_DIGITS.fullmatch(text):
        return "two digits may be a day or a year: write the year with four digits, like 2024-03-09"
    return f"{'use one form throughout, best ' if some_read else 'write them like '}2024-03-09 17:45"

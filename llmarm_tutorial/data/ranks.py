"""An order without a clock: whole numbers that say which visit of a customer came first."""

from __future__ import annotations

import pandas as pd

from llmarm_tutorial.data import cells
from llmarm_tutorial.errors import DataError

WHOLE = r"([-+]?\d{1,18})(?:\.0+)?"  # what int64 holds; pandas writes 3.0 beside an empty cell


def parse_ranks(column: pd.Series, where: str) -> pd.Series:
    """Ranks as int64, from numbers or text.

    Args:
        column: Cells of any type.
        where: File and column, for messages.

    Raises:
        DataError: If a cell is empty or no whole number; says how many, and the first with its row.
    """
    text = cells.text(column)
    whole = text.str.extract(f"^{WHOLE}$")[0]
    unread = whole.isna().to_numpy()
    if unread.any():
        row = int(unread.argmax())
        example = "empty" if pd.isna(text.iloc[row]) else repr(text.iloc[row])
        raise DataError(
            f"{where}: an order is told by whole numbers of up to 18 digits, such as the number of a customer's visit, "
            f"but {unread.sum():,} of {len(text):,} values are none, the first is {example} in row {row + 1} (after "
            "the header); dates and times go to time_col (--time-col)."
        )
    return whole.astype("int64")


def add_ranks(frame: pd.DataFrame, ranks: pd.Series, where: str, notes: dict[str, int]) -> pd.DataFrame:
    """The rows with their ranks as the position, so that the rows of one customer and rank are one visit.

    A visit has one time, its first: of a visit number, the time tells when the visit began. Ranks that times contradict
    are refused, as either may be meant.

    Args:
        frame: Rows with `user_id` and perhaps `basket_id` and `time`.
        ranks: The rank of each row, int64.
        where: File and column, for messages and notes.
        notes: Takes the number of baskets of several ranks, which get the smallest.

    Raises:
        DataError: If times fall where ranks rise.
    """
    frame = frame.assign(position=ranks)
    visit = ["user_id", "position"]
    if "basket_id" in frame:
        visit = ["basket_id"]
        first = frame.groupby("basket_id")["position"].transform("min")
        several = int(frame["basket_id"][frame["position"] != first].nunique())
        if several:
            notes[f"baskets of several ranks in {where}, ordered by the smallest"] = several
        frame["position"] = first
    if "time" in frame:
        frame["time"] = frame.groupby(visit, dropna=False)["time"].transform("min")
        known = frame[frame["user_id"].notna()].sort_values(["user_id", "position", "time"], kind="stable")
        falls = (known["time"].diff() < pd.Timedelta(0)) & (known["user_id"] == known["user_id"].shift())
        if falls.any():
            later = known[falls].iloc[0]
            raise DataError(
                f"{where}: the order contradicts the times, first for the customer {later['user_id']!r} at rank "
                f"{later['position']}; leave out order_col or time_col, or take a column that numbers visits in time."
            )
    return frame

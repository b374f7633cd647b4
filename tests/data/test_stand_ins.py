"""Stand-ins for baskets and times keep every purchase, and the order of each customer."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from llmarm_tutorial.data.stand_ins import in_baskets
from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.errors import Lacks

DAY = pd.Timestamp("2024-03-01")
EVENTS = pd.DataFrame({"user_id": [1] * 25 + [2] * 5, "item_id": [*range(25), *range(5)]})


def purchases(data: Transactions) -> set[tuple[int, int]]:
    return set(data.table[["user_id", "item_id"]].itertuples(index=False, name=None))


def test_data_with_baskets_and_a_clock_stay_as_they_are():
    data = Transactions.from_frame(EVENTS.assign(basket_id=EVENTS["user_id"], time=DAY))
    assert in_baskets(data) is data


def test_ten_events_in_a_row_stand_in_for_a_basket():
    times = DAY + pd.to_timedelta(np.arange(30), unit="h")
    data = Transactions.from_frame(EVENTS.assign(time=times))
    found = in_baskets(data)
    assert {"baskets", "clock", "order"} <= found.aspects
    assert purchases(found) == purchases(data)
    baskets = found.table.groupby("basket_id")
    assert baskets.size().tolist() == [10, 10, 5, 5]
    assert (baskets["time"].nunique() == 1).all()
    assert baskets["time"].first().tolist() == times[[0, 10, 20, 25]].tolist()


def test_the_place_in_the_history_stands_in_for_the_time():
    data = Transactions.from_frame(EVENTS.assign(position=np.arange(30)))
    found = in_baskets(data)
    assert purchases(found) == purchases(data)
    first = found.table[found.table["user_id"] == 1].sort_values("item_id")
    assert first["time"].is_monotonic_increasing
    assert found.table["time"].max() - found.table["time"].min() < pd.Timedelta(days=1)


def test_without_customers_nothing_can_stand_in():
    data = Transactions.from_frame(pd.DataFrame({"basket_id": [1, 1], "item_id": [1, 2]}))
    with pytest.raises(Lacks, match="stand in"):
        in_baskets(data)

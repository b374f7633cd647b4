"""Data without baskets or without a clock, given a stand-in for what they lack."""

from __future__ import annotations

import pandas as pd

from llmarm_tutorial.data.transactions import Transactions

EVENTS = 10  # events of a customer in a row that count as one basket
START = pd.Timestamp("2000-01-01")  # where stand-ins of times begin


def in_baskets(data: Transactions) -> Transactions:
    """The same purchases with baskets and a clock; data that have both are returned as they are.

    Ten events in a row of a customer stand in for a basket, at the time of the first; the place in the customer's
    history, as a part of one day, for the time. So earlier means the first part of each history.

    Args:
        data: Transactions with users and an order.

    Raises:
        Lacks: If there are no users or no order.
    """
    if {"baskets", "clock"} <= data.aspects:
        return data
    data.require("users", "order", purpose="baskets and times that stand in for missing ones")
    known = data.histories()
    user, visit = known.rows, known.visits
    if "baskets" not in data.aspects:
        visit = visit // EVENTS
    items = data.items["item_id"].to_numpy()[known.items]
    frame = pd.DataFrame({"user_id": known.user_ids[user], "item_id": items})
    frame["basket_id"] = frame.groupby([user, visit]).ngroup()
    if "clock" in data.aspects:
        times = data.table.sort_values(["user_id", "time"], kind="stable")["time"]
        frame["time"] = times.groupby(frame["basket_id"].to_numpy()).transform("min").to_numpy()
    else:
        days = visit / (visit[known.offsets[1:] - 1][user] + 1)
        frame["time"] = START + pd.to_timedelta(days, unit="D")
    return Transactions.from_frame(frame, items=data.items, name=data.name)

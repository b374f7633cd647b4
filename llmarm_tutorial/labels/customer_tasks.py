"""Tasks with labels about customers: which segment one belongs to, and whether one comes again."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.errors import BadParameter, DataError, Lacks
from llmarm_tutorial.labels.features import VISITS, bags, visit_numbers
from llmarm_tutorial.labels.tasks import SHARES, Labelled, checked, divide

DAY = pd.Timedelta(days=1)
HORIZONS = (60.0, 30.0, 14.0, 7.0)  # days that "soon" may mean, the first that can be asked for


def customer_segments(
    data: Transactions,
    *,
    shares: Sequence[float] = SHARES,
    seed: int = 0,
    min_events: int = 5,
    max_events: int = 128,
    column: str = "segment",
) -> Labelled:
    """Which segment does a customer belong to, given the purchases?

    Args:
        data: Transactions with users, an order and a user table that has the column.
        shares: Shares of customers for train, validation and test; the classes keep theirs in every part.
        seed: Seed of the division.
        min_events: Least number of purchases of a customer that takes part.
        max_events: Latest purchases per customer that are given, to counting as to models.
        column: Column of the user table with the label: "segment" or "age_group" in the shop, "gender" or "age" in
            MovieLens.

    Returns:
        The task; `counts` are ln(1 + purchases) of each item, scaled to length 1 per customer, CSR.

    Raises:
        Lacks: If there are no users, no order, or no such column.
        BadParameter: If the shares are no shares.
        DataError: If a part has no customers of a class.
    """
    if data.users is None or column not in data.users:
        known = [] if data.users is None else [name for name in data.users if name != "user_id"]
        raise Lacks(f"The users of {data.name!r} have no {column!r}; known of them: {', '.join(known) or 'nothing'}.")
    runs = data.histories()
    named = data.users.set_index("user_id")[column].reindex(runs.user_ids)
    rows = np.flatnonzero((runs.lengths >= min_events) & named.notna().to_numpy())
    labels, classes = pd.factorize(named.to_numpy()[rows], sort=True)
    part = divide(len(rows), shares, np.random.default_rng(seed), labels)
    histories = runs.take(rows).latest(max_events)
    return checked(
        Labelled(
            name="customer",
            classes=tuple(map(str, classes)),
            sets=histories,
            others=None,
            labels=labels.astype(np.int64),
            part=part,
            counts=bags(histories, len(data.items)),
            count_names=tuple(map(str, data.items["name"])),
            clusters=np.arange(len(rows)),
            metric="macro F1",
        )
    )


def returning_customers(
    data: Transactions,
    *,
    cut: float = 0.75,
    days: float = 60,
    shares: Sequence[float] = SHARES,
    seed: int = 0,
    min_visits: int = 2,
    max_events: int = 128,
) -> Labelled:
    """Will a customer come again soon?

    The label says whether a customer buys within `days` days after a moment, all that is given lies before it.
    Customers take part who came at least `min_visits` times before, the last time at most a half of the time before the
    moment ago: of those long gone one knows the answer.

    Args:
        data: Transactions with users, baskets and clock times.
        cut: The moment, as a share of the span of the data, in (0, 1).
        days: Days after it that are looked at, which the data must cover.
        shares: Shares of customers for train, validation and test; the classes keep theirs in every part.
        seed: Seed of the division.
        min_visits: Least number of visits before the moment, at least 2.
        max_events: Latest purchases per customer that are given, to counting as to models.

    Returns:
        The task; `counts` are ln(1 + purchases) of each item, scaled to length 1 per customer, and the numbers of
        `VISITS`, CSR.

    Raises:
        Lacks: If there are no users, baskets or clock times.
        BadParameter: If a setting is out of range, or the shares are no shares.
        DataError: If the data end before the days do, or a part has no customers of a class.
    """
    data.require("users", "baskets", "clock", purpose="asking who comes again")
    if not 0 < cut < 1 or min_visits < 2 or days <= 0:
        raise BadParameter(
            f"Who comes again takes a cut in (0, 1), days above 0 and min_visits from 2, not {cut}, {days} and "
            f"{min_visits}."
        )
    time = data.table["time"].to_numpy()
    first, moment = _beginning_and_moment(data, cut, days)
    runs = data.rows(time < np.datetime64(moment)).histories()
    visits = data.table[data.table["user_id"].notna()].drop_duplicates("basket_id")
    before = visits[visits["time"] < moment].groupby("user_id")["time"].agg(["size", "min", "max"]).loc[runs.user_ids]
    gone = ((moment - before["max"]) / DAY).to_numpy()
    rows = np.flatnonzero((before["size"] >= min_visits) & (gone <= (moment - first) / DAY / 2))
    soon = visits["time"].between(moment, moment + days * DAY)
    labels = np.isin(runs.user_ids[rows], visits["user_id"][soon].unique()).astype(np.int64)
    known = ((moment - before["min"]) / DAY).to_numpy()
    numbers = visit_numbers(before["size"].to_numpy(), gone, known, runs.lengths)[rows]
    histories = runs.take(rows).latest(max_events)
    return checked(
        Labelled(
            name="customer",
            classes=("stays away", "comes again"),
            sets=histories,
            others=None,
            labels=labels,
            part=divide(len(rows), shares, np.random.default_rng(seed), labels),
            counts=sparse.hstack([bags(histories, len(data.items)), numbers], format="csr", dtype=np.float32),
            count_names=(*map(str, data.items["name"]), *VISITS),
            clusters=np.arange(len(rows)),
            metric="macro F1",
        )
    )


def _beginning_and_moment(data: Transactions, cut: float, days: float) -> tuple[pd.Timestamp, pd.Timestamp]:
    """The first moment of the data, and the one after a share `cut` of their time."""
    first, last = data.table["time"].min(), data.table["time"].max()
    moment = first + (last - first) * cut
    if moment + days * DAY > last:
        raise DataError(
            f"{data.name} goes on for {(last - moment) / DAY:.0f} days after {cut:.0%} of its time, and {days:g} are "
            "to be looked at: take a smaller cut or fewer days."
        )
    return first, moment


def soon_returning_customers(
    data: Transactions, *, horizons: Sequence[float] = HORIZONS, **settings: Any
) -> tuple[Labelled, float]:
    """Will a customer come again soon, with as many days for "soon" as the data bear?

    Where everybody comes every week, "within 60 days" is no question; where the data end after a month, no answer.

    Args:
        data: Transactions with users, baskets and clock times.
        horizons: Days to try, in this order.
        settings: Of `returning_customers`, but for its days.

    Returns:
        The task, and the first of the horizons for which customers of both classes are in every part.

    Raises:
        Lacks: If there are no users, baskets or clock times.
        BadParameter: If a setting is out of range.
        DataError: If there is no such horizon.
    """
    for days in horizons:
        with contextlib.suppress(DataError):
            return returning_customers(data, days=days, **settings), days
    raise DataError(
        f"Who comes again cannot be asked of {data.name}: it takes customers of two visits and more, of whom some come "
        f"again and others stay away within {', '.join(f'{days:g}' for days in horizons)} days."
    )

"""A large data set made smaller: by which rule, and that it is said."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from llmarm_tutorial.data import Transactions, load, thin
from llmarm_tutorial.errors import BadParameter


def sales(customers: bool = True) -> Transactions:
    """300 baskets of 60 customers, the last ten baskets without one; item k is bought about 200 / (k + 1) times."""
    random = np.random.default_rng(0)
    rows = pd.DataFrame({"basket_id": np.repeat(np.arange(300), 5), "item_id": random.zipf(1.5, 1500) % 50})
    rows["time"] = pd.Timestamp("2025-01-01") + pd.to_timedelta(rows["basket_id"], unit="h")
    if customers:
        rows["user_id"] = (rows["basket_id"] % 60).where(rows["basket_id"] < 290)
    return Transactions.from_frame(rows, name="sales")


def test_the_items_bought_most_stay():
    data = sales()
    left = thin(data, 8, 0)
    counts = data.table["item_id"].value_counts()
    kept = counts.index.isin(left.items["item_id"])
    assert kept.sum() == 8
    assert counts[kept].min() >= counts[~kept].max()
    assert left.table["item_id"].value_counts().to_dict() == counts[kept].to_dict()
    assert left.basket_matrix().shape[1] == 8
    rule = f"the 8 most bought of {len(data.items)} items are taken (MAX_ITEMS = 0 takes all)"
    assert left.notes[f"{rule}; purchases of others, left out"] == len(data) - len(left)
    assert set(data.notes.items()) <= set(left.notes.items())


@pytest.mark.parametrize("customers", [True, False])
def test_whole_customers_or_baskets_are_drawn(customers: bool):
    data = sales(customers)
    left = thin(data, 0, 400, seed=3)
    assert 300 < len(left) <= 400
    whole = data.table[data.table["basket_id"].isin(left.table["basket_id"])]
    assert len(whole) == len(left)  # no basket lost a row
    if customers:
        known = left.table["user_id"].dropna().unique()
        assert data.table["user_id"].isin(known).sum() == left.table["user_id"].notna().sum()
    (note,) = set(left.notes) - set(data.notes)
    taken = (
        left.table["user_id"].nunique() + left.table.loc[left.table["user_id"].isna(), "basket_id"].nunique()
        if (customers)
        else left.table["basket_id"].nunique()
    )
    total, whose = (70, "customers") if customers else (300, "baskets")
    assert note == (
        f"{taken} of {total} {whose} are taken, drawn at random (MAX_ROWS = 0 takes all); purchases of others, left out"
    )
    assert thin(data, 0, 400, seed=3).fingerprint() == left.fingerprint() != thin(data, 0, 400, seed=4).fingerprint()


def test_items_go_first_and_then_customers():
    left = thin(sales(), 5, 200, seed=1)
    assert len(left.items) == 5
    assert 100 < len(left) <= 200
    assert len(left.notes) == len(sales().notes) + 2


def test_what_is_small_enough_is_not_touched(shop):
    data = sales()
    for max_items, max_rows in ((0, 0), (50, len(data)), (10**6, 10**6)):
        assert thin(data, max_items, max_rows) is data
    assert thin(shop, 1000, len(shop)) is shop
    assert thin(data, 0, 1).table["basket_id"].nunique() >= 1  # one customer at least


@pytest.mark.parametrize(("limits", "name"), [((-1, 0), "MAX_ITEMS"), ((0, -5), "MAX_ROWS")])
def test_a_number_below_zero_is_refused(limits, name):
    with pytest.raises(BadParameter, match=f"{name} is the most that are taken, or 0 for all"):
        thin(sales(), *limits)


def test_public_sets_with_many_items_are_thinned_and_small_ones_are_not(real_data):
    assert thin(load("groceries"), 1000, 200_000).notes == load("groceries").notes
    assert len(thin(load("online-retail"), 1000, 200_000).items) == 1000

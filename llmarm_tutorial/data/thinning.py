"""A large data set made smaller, by one rule that every lesson states.

First the items that are bought most stay, then customers are drawn at random, each with all that is left of their
purchases, until these are as many as are wanted. Where customers are not known, baskets are drawn. So all that changes
in the look of a customer or a basket is that rare items are gone.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.errors import BadParameter


def thin(data: Transactions, max_items: int, max_rows: int, *, seed: int = 0) -> Transactions:
    """Keep the items bought most, and so many customers as have a number of purchases.

    Args:
        data: The data set.
        max_items: Items that stay: those in most rows, of equal ones those that come first; 0 for all.
        max_rows: Rows that stay at most, whole customers (else baskets) together; at least one customer; 0 for all.
        seed: Seed of the draw of customers.

    Returns:
        What is left, with notes of what is not and which parameter keeps it; the same object if nothing was too many.

    Raises:
        BadParameter: If a number is below 0.
    """
    for name, number in (("MAX_ITEMS", max_items), ("MAX_ROWS", max_rows)):
        if number < 0:
            raise BadParameter(f"{name} is the most that are taken, or 0 for all of them, not {number}.")
    notes = dict(data.notes)
    if 0 < max_items < len(data.items):
        rule = f"the {max_items:,} most bought of {len(data.items):,} items are taken (MAX_ITEMS = 0 takes all)"
        before, data = len(data), _most_bought(data, max_items)
        notes[f"{rule}; purchases of others, left out"] = before - len(data)
    if 0 < max_rows < len(data):
        whose, units = _units(data)
        chosen = _drawn(units, max_rows, seed)
        rule = f"{chosen.sum():,} of {len(chosen):,} {whose} are taken, drawn at random (MAX_ROWS = 0 takes all)"
        before, data = len(data), data.rows(chosen[units])
        notes[f"{rule}; purchases of others, left out"] = before - len(data)
    return replace(data, notes=notes) if notes != data.notes else data


def _most_bought(data: Transactions, n: int) -> Transactions:
    counts = np.bincount(data.item_codes, minlength=len(data.items))
    keep = np.zeros(len(counts), dtype=bool)
    keep[np.argsort(-counts, kind="stable")[:n]] = True
    return replace(data.rows(keep[data.item_codes]), items=data.items[keep].reset_index(drop=True))


def _units(data: Transactions) -> tuple[str, np.ndarray]:
    """(what is drawn, in the plural; its number for every row, from 0)."""
    if "users" not in data.aspects:
        return "baskets", pd.factorize(data.table["basket_id"])[0]
    number = pd.factorize(data.table["user_id"])[0]
    if (number < 0).any():  # baskets without a customer are drawn one by one
        number = np.where(number < 0, number.max() + 1 + pd.factorize(data.table["basket_id"])[0], number)
        number = np.unique(number, return_inverse=True)[1]
    return "customers", number


def _drawn(units: np.ndarray, max_rows: int, seed: int) -> np.ndarray:
    """Which units are taken: in a random order as long as their rows are not too many, at least one; bool."""
    sizes = np.bincount(units)
    order = np.random.default_rng(seed).permutation(len(sizes))
    fits = np.cumsum(sizes[order]) <= max_rows
    fits[0] = True
    chosen = np.zeros(len(sizes), dtype=bool)
    chosen[order[fits]] = True
    return chosen

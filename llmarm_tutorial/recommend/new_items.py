"""Items that nobody has bought yet and customers of one basket: what to say where counting has nothing to count.

A new item has no row in any table of counts, but it has a name and a description. Vectors of these (any array, one row
per item, such as `models.texts` makes) stand in for the counts; `by_text` has three ways to do so. Here are the
questions that they are asked, and all are judged as every recommender is, by `ranking.evaluate`.

Which items are new: in data with a clock those first bought in the last weeks (`launched_items`). Some known items can
be made new by taking them out of training altogether (`hide_items`), for choosing settings without a look at the test,
and for data without a clock or without a new item; `new_or_hidden` takes what there is.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.errors import BadParameter, DataError
from llmarm_tutorial.evaluation.tasks import Task
from llmarm_tutorial.mining.measures import lift

# --- who is asked what -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class NewItems:
    """Some items that training has never seen, and who bought them.

    Attributes:
        train: All that systems may count; its item table is the whole one.
        later: What was bought afterwards (of hidden items: their events), by customers and others.
        new: Which items are new: without an event in `train`, with one in `later`, shape (n_items,), bool.
        hidden: Whether they are known items that were hidden, not new ones.
    """

    train: Transactions
    later: Transactions
    new: np.ndarray
    hidden: bool = False

    @property
    def n_items(self) -> int:
        """Number of items, old and new."""
        return len(self.new)

    def task(self, targets: str = "new") -> Task:
        """Customers known from training, with all they had bought, and what of this sort they bought afterwards.

        Args:
            targets: "new": the new items that they bought. "all": everything that they bought for the first time.
                "basket" leaves customers aside: each later basket with old and new items, of which the old ones are
                given and the new ones asked.

        Returns:
            One case per customer who bought such items, in ascending order of users (or per basket, in order).

        Raises:
            BadParameter: If `targets` is unknown.
            Lacks: If baskets are asked of data without any.
            DataError: If there is no case.
        """
        if targets not in ("new", "all", "basket"):
            raise BadParameter(f"A task of new items asks for 'new', 'all' or 'basket', not {targets!r}.")
        if targets == "basket":
            return self._baskets()
        known = self.train.histories()
        rows = pd.Index(known.user_ids).get_indexer(self.later.table["user_id"])
        items = self.later.item_codes
        keep = (rows >= 0) & (self.new[items] | (targets == "all"))
        bought = sparse.csr_matrix(
            (np.ones(keep.sum(), dtype=bool), (rows[keep], items[keep])), shape=(len(known), self.n_items)
        )
        counts = np.bincount(self.train.item_codes, minlength=self.n_items)
        return _first_time(known, bought, known.user_ids, counts, self.train.name)

    def _baskets(self) -> Task:
        baskets = self.later.basket_matrix()
        known, new = (baskets.multiply(which).tocsr() for which in (~self.new, self.new))
        for part in (known, new):
            part.eliminate_zeros()
        cases = np.flatnonzero((np.diff(known.indptr) > 0) & (np.diff(new.indptr) > 0))
        if not len(cases):
            raise DataError(f"{self.train.name}: no basket holds old and new items; use more weeks.")
        known = known[cases]
        counts = np.bincount(self.train.item_codes, minlength=self.n_items)
        return Task(Histories.from_matrix(known), new[cases], self.later.basket_ids[cases], self.n_items, counts)


def launched_items(data: Transactions, weeks: float) -> NewItems:
    """The items first bought in the last weeks: they are new, and training ends before them.

    Args:
        data: Transactions with users and a clock.
        weeks: How many, counted back from the last event.

    Raises:
        Lacks: If there are no users or no clock times.
        BadParameter: If the number of weeks is not above 0.
        DataError: If no item is new in that time, or nothing comes before.
    """
    before, later = _cut(data, weeks)
    return _new_items(before, later, f"no item was first bought in the last {weeks:g} weeks; use more", hidden=False)


def hide_items(data: Transactions, share: float = 0.1, *, weeks: float | None = None, seed: int = 0) -> NewItems:
    """Known items made new: a random share of them is taken out of training altogether.

    With weeks, training ends so many weeks before the last event and the hidden items count as bought after that only,
    as if they had been launched then. Without, for data that have no clock, training is all events of the other items,
    and the task is who bought the hidden ones: histories then hold what was bought later, too.

    Args:
        data: Transactions with users and an order.
        share: Share of the items that occur, in (0, 1).
        weeks: None for no cut in time.
        seed: Seed of the choice.

    Raises:
        Lacks: If there are no users or no order (for weeks: no clock times).
        BadParameter: If the share or the weeks are out of range.
        DataError: If no hidden item is bought afterwards, or nothing else before.
    """
    if not 0 < share < 1:
        raise BadParameter(f"The share of hidden items lies between 0 and 1, not {share}.")
    data.require("users", "order", purpose="hiding items")
    before, later = (data, data) if weeks is None else _cut(data, weeks)
    known = np.unique(before.item_codes)
    chosen = np.random.default_rng(seed).choice(known, max(1, round(share * len(known))), replace=False)
    taken = np.zeros(len(data.items), dtype=bool)
    taken[chosen] = True
    train = before.rows(~taken[before.item_codes])
    # what was launched after the cut is no part of this exercise: only hidden items are new
    seen = np.isin(later.item_codes, known)
    if weeks is None:
        seen &= taken[later.item_codes]
    return _new_items(train, later.rows(seen), "no hidden item is bought afterwards; hide more", hidden=True)


def new_or_hidden(data: Transactions, weeks: float, *, seed: int = 0) -> NewItems:
    """The items launched in the last weeks; where there are none, a tenth of all, drawn at random and hidden.

    In a shop that sells the same all the year, nothing is new. Then known items stand in: hidden as if they had been
    launched in these weeks, or, without a clock or where that leaves nobody to ask, hidden altogether.

    Args:
        data: Transactions with users and an order.
        weeks: How many, counted back from the last event.
        seed: Seed of the choice of hidden items.

    Returns:
        The first of the three that leaves a question, `NewItems.task("new")`.

    Raises:
        Lacks: If there are no users or no order.
        BadParameter: If the number of weeks is not above 0.
        DataError: If none of them does.
    """
    ways = [lambda: launched_items(data, weeks)] if "clock" in data.aspects else []
    return _first_that_asks([*ways, *_ways_to_hide(data, weeks, seed)])


def hidden_before(cold: NewItems, weeks: float, *, seed: int = 0) -> NewItems:
    """Known items of the training part made new: to choose settings on, without a look at the new items themselves.

    Args:
        cold: New items.
        weeks: As for `new_or_hidden`.
        seed: Seed of the choice.

    Raises:
        DataError: If nobody is left to ask.
    """
    return _first_that_asks(_ways_to_hide(cold.train, weeks, seed))


def _ways_to_hide(data: Transactions, weeks: float, seed: int) -> list[Callable[[], NewItems]]:
    in_time = [lambda: hide_items(data, weeks=weeks, seed=seed)] if "clock" in data.aspects else []
    return [*in_time, lambda: hide_items(data, seed=seed)]


def _first_that_asks(ways: Sequence[Callable[[], NewItems]]) -> NewItems:
    """What the first of these ways makes new, if somebody bought it; raises the error of the last one."""
    for make in ways[:-1]:
        with contextlib.suppress(DataError):
            cold = make()
            cold.task("new")
            return cold
    cold = ways[-1]()
    cold.task("new")
    return cold


def new_customers(data: Transactions, share: float = 0.2, *, seed: int = 0) -> tuple[Transactions, Task, Task]:
    """Customers of one basket: what will be new in their second one? Training knows other customers only.

    Training goes over the whole time, so that it knows later fashions, but nothing of these customers. What a customer
    buys again is not asked for.

    Args:
        data: Transactions with users, baskets and an order.
        share: Share of the customers for validation, and as many for the test, in (0, 0.5).
        seed: Seed of the choice.

    Returns:
        (training transactions, validation task, test task).

    Raises:
        Lacks: If there are no users, baskets or order.
        BadParameter: If the share is out of range.
        DataError: If a part has no customer with something new in a second basket.
    """
    if not 0 < share < 0.5:
        raise BadParameter(f"The share of newcomers lies between 0 and 0.5, not {share}.")
    data.require("baskets", purpose="customers of one basket")
    known = data.histories()
    part = np.searchsorted(
        [share, 2 * share], np.random.default_rng(seed).permutation(len(known)) / len(known), "right"
    )
    train = data.rows(data.table["user_id"].isin(known.user_ids[part == 2]).to_numpy())
    counts = np.bincount(train.item_codes, minlength=len(data.items))
    tasks = []
    for number in (0, 1):
        cases = np.flatnonzero(part == number)
        theirs = known.take(cases)
        first, second = (theirs.keep(theirs.visits == visit) for visit in (0, 1))
        tasks.append(_first_time(first, second.matrix(), known.user_ids[cases], counts, data.name))
    return train, *tasks


def partner_task(cold: NewItems, *, min_count: int = 5, min_lift: float = 2.0) -> Task:
    """With which old items did each new one go, once it was on sale?

    Args:
        cold: New items, of data with baskets.
        min_count: Least number of later baskets with both.
        min_lift: Least lift among the later baskets.

    Returns:
        One case per new item that has partners: its history is the new item, its targets are the partners.

    Raises:
        Lacks: If the data have no baskets.
        DataError: If no new item has a partner.
    """
    baskets = cold.later.basket_matrix().astype(np.float64)
    together = (baskets[:, cold.new].T @ baskets).toarray()
    counts = np.asarray(baskets.sum(axis=0)).ravel()
    lifts = lift(together, counts[cold.new][:, None], counts, baskets.shape[0])
    goes_with = (together >= min_count) & (lifts >= min_lift) & ~cold.new
    rows = np.flatnonzero(goes_with.any(axis=1))
    if not len(rows):
        raise DataError(f"No new item has a partner in {min_count} baskets with a lift of {min_lift:g}; ask for less.")
    codes = np.flatnonzero(cold.new)[rows]
    sold = np.bincount(cold.train.item_codes, minlength=cold.n_items)
    histories = Histories.from_lists(codes[:, None], cold.n_items)
    return Task(histories, sparse.csr_matrix(goes_with[rows]), codes, cold.n_items, sold)


def _cut(data: Transactions, weeks: float) -> tuple[Transactions, Transactions]:
    data.require("users", "clock", purpose="items of the last weeks")
    if not weeks > 0:
        raise BadParameter(f"The number of weeks is above 0, not {weeks}.")
    time = data.table["time"]
    later = (time > time.max() - pd.Timedelta(weeks=weeks)).to_numpy()
    if later.all():
        raise DataError(f"{data.name}: nothing comes before the last {weeks:g} weeks; use fewer.")
    return data.rows(~later), data.rows(later)


def _new_items(train: Transactions, later: Transactions, complaint: str, hidden: bool) -> NewItems:
    n = len(train.items)
    new = (np.bincount(later.item_codes, minlength=n) > 0) & (np.bincount(train.item_codes, minlength=n) == 0)
    if not new.any() or not len(train):
        raise DataError(f"{train.name}: {complaint}.")
    return NewItems(train, later, new, hidden)


def _first_time(
    histories: Histories, bought: sparse.csr_matrix, users: np.ndarray, counts: np.ndarray, name: str
) -> Task:
    """A task of what was bought and is not in the history; cases without any are left out."""
    first = (bought.astype(bool) > (histories.matrix() > 0)).tocsr()
    cases = np.flatnonzero(np.diff(first.indptr))
    if not len(cases):
        raise DataError(f"{name}: nobody with such a history buys something for the first time; take a larger part.")
    return Task(histories.take(cases), first[cases], users[cases], len(counts), counts)

"""A fair question: histories, what came next, and what may be recommended."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np
import pandas as pd
from scipy import sparse

from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.data.transactions import Split
from llmarm_tutorial.errors import BadParameter, DataError


class Recommender(Protocol):
    """Whatever scores items given histories.

    Attributes:
        n_items: Number of items it knows.
    """

    n_items: int

    def scores(self, histories: Histories) -> np.ndarray:
        """Scores of all items for each case, shape (n_cases, n_items), higher is better; called block by block."""


@dataclass(frozen=True, eq=False)
class Task:
    """One evaluation: who is asked what.

    Attributes:
        histories: What is known of each case.
        targets: The items that came next, shape (n_cases, n_items), bool, at least one per case.
        users: User of each case, shape (n_cases,).
        n_items: Number of items.
        item_counts: Events of each item in training, shape (n_items,); what "popular" means here.
    """

    histories: Histories
    targets: sparse.csr_matrix
    users: np.ndarray
    n_items: int
    item_counts: np.ndarray

    def __post_init__(self) -> None:
        if not len(self.users) == len(self.histories) == self.targets.shape[0]:
            raise BadParameter("A task needs as many histories as users and rows of targets.")
        if self.targets.shape[1] != self.n_items or len(self.item_counts) != self.n_items:
            raise BadParameter(f"The targets and item counts of a task need one column per item, here {self.n_items}.")
        if not len(self.users) or (np.diff(self.targets.indptr) == 0).any():
            raise DataError("A task needs at least one case, and every case at least one target.")

    @classmethod
    def from_lists(
        cls,
        histories: Sequence[Sequence[int]],
        targets: Sequence[Sequence[int]],
        n_items: int,
        item_counts: Sequence[int] | None = None,
    ) -> Task:
        """A task from lists of item codes; without `item_counts` the events of the histories are counted."""
        known, wanted = Histories.from_lists(histories, n_items), Histories.from_lists(targets, n_items)
        counts = np.bincount(known.items, minlength=n_items) if item_counts is None else np.asarray(item_counts)
        return cls(known, wanted.matrix().astype(bool), np.arange(len(known)), n_items, counts)

    def __len__(self) -> int:
        return len(self.users)

    def take(self, rows: np.ndarray) -> Task:
        """The cases in the given rows."""
        return replace(
            self, histories=self.histories.take(rows), targets=self.targets[rows], users=np.asarray(self.users)[rows]
        )

    @cached_property
    def _new(self) -> sparse.csr_matrix:
        """The targets that are not in the history of their case."""
        return (self.targets.astype(bool) > (self.histories.matrix(self.n_items) > 0)).tocsr()

    @property
    def n_new(self) -> int:
        """Number of targets that are not in the history of their case; where there is one, `only_new` can be asked."""
        return int(self._new.nnz)

    @property
    def bought_before(self) -> np.ndarray:
        """Whether each target is in the history of its case, shape (n_targets,), in the order of `targets.indices`."""
        cases = np.repeat(np.arange(len(self)), np.diff(self.targets.indptr))
        return np.asarray(self.histories.matrix()[cases, self.targets.indices]).ravel() > 0

    def only_new(self) -> Task:
        """The cases asked only for what is not in their history; those with nothing new are left out.

        Raises:
            DataError: If no case has a new target.
        """
        new = self._new
        cases = np.flatnonzero(np.diff(new.indptr))
        if not len(cases):
            raise DataError("Nobody of this task chose anything new: ask for all targets, or take more cases.")
        return replace(self.take(cases), targets=new[cases])

    def sample(self, max_cases: int | None, seed: int = 0) -> Task:
        """A random sample of so many cases, in their order; all of them if there are no more, or for None.

        Raises:
            BadParameter: If `max_cases` is below 1.
        """
        if max_cases is not None and max_cases < 1:
            raise BadParameter(f"max_cases is a number of cases from 1, not {max_cases}.")
        if max_cases is None or max_cases >= len(self):
            return self
        return self.take(np.sort(np.random.default_rng(seed).choice(len(self), max_cases, replace=False)))

    @cached_property
    def fingerprint(self) -> str:
        """A hash of all that is asked; evaluations with the same one can be compared case by case."""
        digest = hashlib.sha256(str((len(self), self.n_items)).encode())
        for part in (self.histories.items, self.histories.offsets, self.targets.indices, self.targets.indptr):
            digest.update(np.ascontiguousarray(part, dtype="<i8").tobytes())
        digest.update("\n".join(map(str, self.users)).encode())
        return digest.hexdigest()[:16]


def next_item_task(
    split: Split, part: str = "test", *, horizon: str = "next", max_cases: int | None = None, seed: int = 0
) -> Task:
    """What comes next for every user of a part, given all that came before.

    One rule for `Transactions.leave_one_out` and `split_by_time`: a case is a user with events in the part and with at
    least one event in an earlier part. The target is the user's first basket in the part (without baskets, the first
    event), the history all earlier events of the user: those of train and, for "test", of validation too. What follows
    the target within the part is not used. Systems are to be fitted on `split.train` only, for both parts, so that the
    test judges what validation chose.

    Args:
        split: Parts that follow each other in time for every user.
        part: "validation" or "test".
        horizon: "next" asks for the first basket or event; "all" for all items of the user in the part, from the same
            history, as is usual for graph recommenders.
        max_cases: A random sample of that many cases, in the order of users; None for all.
        seed: Seed of that sample.

    Returns:
        The cases, in ascending order of users.

    Raises:
        BadParameter: If part or horizon is unknown or `max_cases` is below 1.
        Lacks: If the data have no users or no order.
        DataError: If the parts overlap in time (a random split), or no user has both a history and a target.
    """
    if part not in ("validation", "test"):
        raise BadParameter(f"A task is made of the part 'validation' or 'test', not {part!r}.")
    if horizon not in ("next", "all"):
        raise BadParameter(f"The horizon is 'next' or 'all', not {horizon!r}.")
    events = _events(split)
    number = ("train", "validation", "test").index(part)
    user, visit, item = (events[c].to_numpy() for c in ("user", "visit", "item"))
    n_users = user[-1] + 1
    before, within = (events["part"] < number).to_numpy(), (events["part"] == number).to_numpy()
    first = np.full(n_users, np.iinfo(np.int64).max)
    np.minimum.at(first, user[within], visit[within])
    has_both = (np.bincount(user[before], minlength=n_users) > 0) & (np.bincount(user[within], minlength=n_users) > 0)
    if not has_both.any():
        raise DataError(f"{split.train.name}: no user has events both in {part} and before it; use a larger share.")
    chosen = np.flatnonzero(has_both)
    case = np.full(n_users, -1)
    case[chosen] = np.arange(len(chosen))
    before = before & (case[user] >= 0)
    within = within & (case[user] >= 0) & ((visit == first[user]) | (horizon == "all"))
    lengths = np.bincount(case[user[before]], minlength=len(chosen))
    n_items = len(split.train.items)
    histories = Histories(
        item[before].astype(np.int32),
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        visit[before].astype(np.int32),
        n_items,
    )
    ones = np.ones(within.sum(), dtype=bool)
    targets = sparse.csr_matrix((ones, (case[user[within]], item[within])), shape=(len(chosen), n_items))
    counts = np.bincount(split.train.item_codes, minlength=n_items)
    ids = events["user_id"].to_numpy()[np.searchsorted(user, chosen)]
    return Task(histories, targets, ids, n_items, counts).sample(max_cases, seed)


def hide_one_visit(histories: Histories, visits: np.ndarray, cases: np.ndarray) -> tuple[Histories, Task]:
    """Hide one visit of each customer, wherever it lies: only to show what it does to know what came after it.

    Args:
        histories: All that was bought.
        visits: Number of the visit to hide, by customer, shape (n_customers,); -1 hides none.
        cases: Numbers of the customers who are asked, each with a hidden visit and with another one.

    Returns:
        What is left, before and after the hidden visits, to train on; and the task to find the hidden visits from it.

    Raises:
        BadParameter: If a customer who is asked has nothing hidden.
    """
    hidden = histories.visits == visits[histories.rows]
    rest = histories.keep(~hidden)
    places = histories.rows[hidden], histories.items[hidden]
    targets = sparse.csr_matrix((np.ones(hidden.sum(), bool), places), (len(histories), histories.n_items))[cases]
    if (np.diff(targets.indptr) == 0).any():
        raise BadParameter("Every customer who is asked needs a hidden visit; choose visits that they made.")
    users = np.arange(len(histories)) if histories.user_ids is None else histories.user_ids
    counts = np.bincount(rest.items, minlength=histories.n_items)
    return rest, Task(rest.take(cases), targets, users[cases], histories.n_items, counts)


def gap_task(
    baskets: sparse.csr_matrix, item_counts: np.ndarray, *, max_cases: int | None = None, seed: int = 0
) -> Task:
    """What is missing? In each unseen basket one item, drawn at random, is hidden and asked for, given the others.

    Args:
        baskets: Unseen baskets × items, bool; those of one item have no gap and are left out.
        item_counts: Events of each item in training, shape (n_items,).
        max_cases: A random sample of that many baskets; None for all.
        seed: Seed of the order of the baskets and of what is hidden.

    Returns:
        A case for each basket, in random order, with its row as the user.

    Raises:
        DataError: If no basket has two items.
    """
    random = np.random.default_rng(seed)
    chosen = random.permutation(np.flatnonzero(np.diff(baskets.indptr) > 1))[:max_cases]
    whole = baskets[chosen]
    hidden = whole.indptr[:-1] + random.integers(0, np.diff(whole.indptr))
    rest = np.delete(whole.indices, hidden).astype(np.int32)
    offsets = whole.indptr - np.arange(len(chosen) + 1, dtype=np.int64)  # each basket is one item shorter
    known = Histories(rest, offsets, np.zeros(len(rest), dtype=np.int32), whole.shape[1])
    ones, places = np.ones(len(chosen), dtype=bool), np.arange(len(chosen) + 1)
    targets = sparse.csr_matrix((ones, whole.indices[hidden], places), shape=whole.shape)
    return Task(known, targets, chosen, whole.shape[1], item_counts)


def _events(split: Split) -> pd.DataFrame:
    """All events of users: user_id, user and visit number, item code and part, by user, parts in order."""
    tables = []
    for number, part in enumerate(split):
        part.require("users", "order", purpose="a task of next items")
        tables.append(part.table.assign(part=number, item=part.item_codes))
    table = pd.concat(tables, ignore_index=True)
    table = table[table["user_id"].notna()]
    table = table.assign(user=pd.factorize(table["user_id"], sort=True)[0])
    table = table.sort_values("user", kind="stable", ignore_index=True)  # within a user: train, validation, test
    user = table["user"].to_numpy()
    clock = table["time" if "time" in table else "position"].to_numpy()
    if ((clock[1:] < clock[:-1]) & (user[1:] == user[:-1])).any():
        raise DataError(
            f"{split.train.name}: a user's validation or test events lie before training events, so what comes next "
            "is already known; split by time or leave the last ones out."
        )
    number = np.arange(len(table))
    if "basket_id" in table:
        number = np.cumsum(~table["basket_id"].duplicated().to_numpy()) - 1
    starts = np.searchsorted(user, np.arange(user[-1] + 1))
    return table.assign(visit=number - number[starts][user])

"""One evaluation for everything that recommends: which item comes next, judged by its place among all items.

A `Task` says who is asked what: the history of each case and the items that came next. A system answers with a score
per item, `evaluate` turns the scores into places, and the `Evaluation` keeps them, so that every metric, interval and
paired test comes from the same numbers. All items are ranked: metrics on a sample of negatives can turn the order of
systems around (Krichene & Rendle 2020, "On Sampled Metrics for Item Recommendation"); `evaluate_sampled` shows it.

The rules:

* A candidate is every item; with `filter_seen`, every item that is not in the case's history. A target stays a
  candidate even where it was seen before.
* Items of equal score are in random order, and every accuracy metric is its exact expectation over these orders: a
  scorer that gives all items the same score gets the value of chance. Lists of items (for coverage, novelty, diversity)
  are one seeded draw of that order.
* A score of -inf is a score like any other, the lowest. NaN is an error.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np
import pandas as pd
from scipy import sparse

from llmarm_tutorial.data.transactions import Split
from llmarm_tutorial.errors import BadParameter, DataError
from llmarm_tutorial.evaluation.metrics import Evaluation, Places

SCORES_PER_BLOCK = 2**21  # 8 MB of float32: larger blocks leave the caches and take longer


@dataclass(frozen=True, eq=False)
class Histories:
    """What is known of each case before its target, end to end, in time order.

    Attributes:
        items: Item codes of all events, shape (n_events,), int32.
        offsets: Where each case begins, shape (n_cases + 1,), int64, from 0; the last one is n_events.
        visits: Number of the event's basket within its user, from 0; without baskets the number of the event itself.
    """

    items: np.ndarray
    offsets: np.ndarray
    visits: np.ndarray

    @classmethod
    def from_lists(cls, histories: Sequence[Sequence[int]]) -> Histories:
        """Histories from lists of item codes, one event per visit.

        Example:
            >>> Histories.from_lists([[4, 2], [7]]).last(2).tolist()
            [[4, 2], [-1, 7]]
        """
        lengths = [len(history) for history in histories]
        items = np.array([code for history in histories for code in history], dtype=np.int32)
        visits = np.array([number for length in lengths for number in range(length)], dtype=np.int32)
        return cls(items, np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]), visits)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> np.ndarray:
        """Number of events per case, shape (n_cases,)."""
        return np.diff(self.offsets)

    @property
    def rows(self) -> np.ndarray:
        """The case of every event, shape (n_events,)."""
        return np.repeat(np.arange(len(self)), self.lengths)

    def of(self, row: int) -> np.ndarray:
        """Item codes of one case, in time order."""
        return self.items[self.offsets[row] : self.offsets[row + 1]]

    def block(self, start: int, stop: int) -> Histories:
        """The cases from `start` to before `stop`, without a copy of their events."""
        offsets = self.offsets[start : stop + 1]
        events = slice(offsets[0], offsets[-1])
        return Histories(self.items[events], offsets - offsets[0], self.visits[events])

    def take(self, rows: np.ndarray) -> Histories:
        """The cases in the given rows, in that order."""
        lengths = self.lengths[rows]
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        events = np.arange(offsets[-1]) + np.repeat(self.offsets[rows] - offsets[:-1], lengths)
        return Histories(self.items[events], offsets, self.visits[events])

    def last(self, n: int) -> np.ndarray:
        """The last n items of every case, shape (n_cases, n), int32, filled with -1 on the left."""
        place = self.offsets[1:, None] - np.arange(n, 0, -1)
        known = place >= self.offsets[:-1, None]
        if not len(self.items):
            return np.full(place.shape, -1, dtype=np.int32)
        return np.where(known, self.items[np.where(known, place, 0)], -1).astype(np.int32)

    def matrix(self, n_items: int) -> sparse.csr_matrix:
        """How often each item occurs in each case, shape (n_cases, n_items), float32."""
        ones = np.ones(len(self.items), dtype=np.float32)
        counts = sparse.csr_matrix((ones, self.items.copy(), self.offsets.copy()), shape=(len(self), n_items))
        counts.sum_duplicates()
        return counts


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
        known, asked = Histories.from_lists(histories), Histories.from_lists(targets)
        counts = np.bincount(known.items, minlength=n_items) if item_counts is None else np.asarray(item_counts)
        return cls(known, asked.matrix(n_items).astype(bool), np.arange(len(known)), n_items, counts)

    def __len__(self) -> int:
        return len(self.users)

    def take(self, rows: np.ndarray) -> Task:
        """The cases in the given rows."""
        return replace(
            self, histories=self.histories.take(rows), targets=self.targets[rows], users=np.asarray(self.users)[rows]
        )

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
    if max_cases is not None and max_cases < 1:
        raise BadParameter(f"max_cases is a number of cases from 1, not {max_cases}.")
    events = _events(split)
    asked = ("train", "validation", "test").index(part)
    user, visit, item = (events[c].to_numpy() for c in ("user", "visit", "item"))
    n_users = user[-1] + 1
    before, within = (events["part"] < asked).to_numpy(), (events["part"] == asked).to_numpy()
    first = np.full(n_users, np.iinfo(np.int64).max)
    np.minimum.at(first, user[within], visit[within])
    has_both = (np.bincount(user[before], minlength=n_users) > 0) & (np.bincount(user[within], minlength=n_users) > 0)
    if not has_both.any():
        raise DataError(f"{split.train.name}: no user has events both in {part} and before it; use a larger share.")
    chosen = np.flatnonzero(has_both)
    if max_cases is not None and max_cases < len(chosen):
        chosen = np.sort(np.random.default_rng(seed).choice(chosen, max_cases, replace=False))
    case = np.full(n_users, -1)
    case[chosen] = np.arange(len(chosen))
    before = before & (case[user] >= 0)
    within = within & (case[user] >= 0) & ((visit == first[user]) | (horizon == "all"))
    lengths = np.bincount(case[user[before]], minlength=len(chosen))
    histories = Histories(
        item[before].astype(np.int32),
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        visit[before].astype(np.int32),
    )
    n_items = len(split.train.items)
    ones = np.ones(within.sum(), dtype=bool)
    targets = sparse.csr_matrix((ones, (case[user[within]], item[within])), shape=(len(chosen), n_items))
    counts = np.bincount(split.train.item_codes, minlength=n_items)
    ids = events["user_id"].to_numpy()[np.searchsorted(user, chosen)]
    return Task(histories, targets, ids, n_items, counts)


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


def evaluate(
    system: Recommender,
    task: Task,
    *,
    ks: Sequence[int] = (5, 10, 20),
    filter_seen: bool = True,
    vectors: np.ndarray | sparse.spmatrix | None = None,
    name: str | None = None,
    block: int | None = None,
    seed: int = 0,
) -> Evaluation:
    """Rank all items for every case and keep the places of the targets.

    Args:
        system: What is judged.
        task: Who is asked what.
        ks: Cut-offs that tables show; any other can be asked of the evaluation later, lists up to the largest.
        filter_seen: Whether items of a case's history are no candidates (targets always are).
        vectors: A vector per item, shape (n_items, d), for the diversity of lists; None leaves diversity out. For the
            users who bought an item, `ranking_stats.user_vectors`; for categories, their one-hot codes.
        name: What tables call the system; None takes its attribute `name`, else its class.
        block: Cases per call of `system.scores`; None takes as many as make 2 million scores. Results do not depend on
            it, memory does: about 16 bytes per score of a block.
        seed: Seed of the order of equal scores in lists.

    Returns:
        The evaluation, with values per case.

    Raises:
        BadParameter: If system and task have different numbers of items, scores have the wrong shape or hold NaN, or a
            cut-off is out of range.
    """
    ks = _cutoffs(ks, task)
    lists, places, seconds = [], [], 0.0
    draw = _Ties(seed)
    for histories, targets, rows, scores, spent in _score_blocks(system, task, block, name):
        seconds += spent
        of_target = scores[rows, targets.indices]
        if filter_seen:
            scores[histories.rows, histories.items] = np.nan  # equal to nothing, above nothing: no candidate
            scores[rows, targets.indices] = of_target
        places.append(_place(scores, rows, of_target))
        lists.append(draw.lists(scores, ks[-1]))
    above, tied = (np.concatenate(part) for part in zip(*places, strict=True))
    return Evaluation(
        system=_name(system, name),
        task=task,
        protocol=f"all items, seen {'left out' if filter_seen else 'kept'}",
        ks=ks,
        places=Places(task.targets.indptr, above, tied),
        lists=np.concatenate(lists),
        vectors=vectors,
        score_seconds=seconds,
    )


def evaluate_sampled(
    system: Recommender,
    task: Task,
    *,
    n_negatives: int = 100,
    by: str = "uniform",
    ks: Sequence[int] = (5, 10, 20),
    name: str | None = None,
    block: int | None = None,
    seed: int = 0,
) -> Evaluation:
    """Rank each target among a few sampled negatives: **only** to show how far this misleads.

    The metrics of samples are no scaled-down versions of the true ones: they reward getting targets past the middle of
    the catalogue, not to its top, and can turn the order of systems around (Krichene & Rendle 2020). Published numbers
    of BERT4Rec and SASRec are of this kind.

    Args:
        system: What is judged.
        task: Who is asked what.
        n_negatives: Number of sampled items per case, neither targets nor in the history, without repetition.
        by: "uniform", or "popularity" for draws in proportion to training events.
        ks: Cut-offs that tables show.
        name: What tables call the system.
        block: Cases per call of `system.scores`.
        seed: Seed of the samples; one seed draws the same negatives for every system.

    Returns:
        An evaluation without lists, not comparable to one over all items.

    Raises:
        BadParameter: As `evaluate`, and if `by` is unknown or there are too few items to draw from.
    """
    if by not in ("uniform", "popularity"):
        raise BadParameter(f"Negatives are sampled by 'uniform' or 'popularity', not {by!r}.")
    ks = _cutoffs(ks, task)
    weights = np.ones(task.n_items) if by == "uniform" else task.item_counts.astype(float)
    with np.errstate(divide="ignore"):
        log_weights = np.log(weights)
    (rng,) = np.random.default_rng(seed).spawn(1)  # a stream of its own: a system may draw its scores from this seed
    places, seconds = [], 0.0
    for histories, targets, rows, scores, spent in _score_blocks(system, task, block, name):
        seconds += spent
        keys = log_weights + rng.gumbel(size=scores.shape)  # the largest n keys: a weighted draw without repetition
        keys[histories.rows, histories.items] = -np.inf
        keys[rows, targets.indices] = -np.inf
        if n_negatives < 1 or np.isfinite(keys).sum(axis=1).min() < n_negatives:
            raise BadParameter(f"{n_negatives} negatives cannot be drawn for every case; choose from 1 to fewer items.")
        drawn = np.argpartition(keys, -n_negatives, axis=1)[:, -n_negatives:]
        of_target = scores[rows, targets.indices]
        above, tied = _place(np.take_along_axis(scores, drawn, axis=1), rows, of_target)
        beside = np.full(scores.shape, np.nan, dtype=scores.dtype)  # the case's own targets compete too
        beside[rows, targets.indices] = of_target
        more, equal = _place(beside, rows, of_target)
        above, tied = above + more, tied + equal
        places.append((above, tied))
    above, tied = (np.concatenate(part) for part in zip(*places, strict=True))
    return Evaluation(
        system=_name(system, name),
        task=task,
        protocol=f"{n_negatives} negatives, {by}, seed {seed}",
        ks=ks,
        places=Places(task.targets.indptr, above, tied),
        score_seconds=seconds,
    )


def _cutoffs(ks: Sequence[int], task: Task) -> tuple[int, ...]:
    if not ks or min(ks) < 1 or max(ks) > task.n_items:
        raise BadParameter(f"Cut-offs lie between 1 and the {task.n_items} items, not {tuple(ks)}.")
    return tuple(sorted(set(ks)))


def _name(system: Recommender, name: str | None) -> str:
    return name or getattr(system, "name", type(system).__name__)


def _score_blocks(
    system: Recommender, task: Task, block: int | None, name: str | None
) -> Iterator[tuple[Histories, sparse.csr_matrix, np.ndarray, np.ndarray, float]]:
    """Block by block: (histories, targets, case of each target, scores of our own to write into, seconds spent)."""
    called = _name(system, name)
    if system.n_items != task.n_items:
        raise BadParameter(f"{called} knows {system.n_items} items, the task has {task.n_items}: fit it on its split.")
    block = block or max(1, SCORES_PER_BLOCK // task.n_items)
    for start in range(0, len(task), block):
        histories = task.histories.block(start, min(start + block, len(task)))
        begin = time.perf_counter()
        scores = np.asarray(system.scores(histories))
        spent = time.perf_counter() - begin
        if scores.shape != (len(histories), task.n_items):
            raise BadParameter(
                f"{called} gives scores of shape {scores.shape}, not {(len(histories), task.n_items)}: one row per "
                "case and one column per item."
            )
        # half precision and whole numbers are widened, so that what is no candidate can be NaN
        scores = np.array(scores, dtype=np.float32 if scores.dtype.itemsize < 4 else np.result_type(scores, np.float32))
        if np.isnan(scores).any():
            raise BadParameter(f"{called} gives NaN as a score; mend it, or give -inf to what it never recommends.")
        targets = task.targets[start : start + len(scores)]
        yield histories, targets, np.repeat(np.arange(len(scores)), np.diff(targets.indptr)), scores, spent


def _place(scores: np.ndarray, rows: np.ndarray, of_target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How many candidates lie above each target, and how many share its score (itself too, if among them)."""
    above, tied = np.empty(len(rows), dtype=np.int64), np.empty(len(rows), dtype=np.int64)
    step = max(1, len(scores))
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        one_each = len(rows) == len(scores) and (rows[part] == np.arange(len(scores))).all()
        candidates = scores if one_each else scores[rows[part]]
        above[part] = np.count_nonzero(candidates > of_target[part, None], axis=1)
        tied[part] = np.count_nonzero(candidates == of_target[part, None], axis=1)
    return above, tied


class _Ties:
    """Lists of the best items with equal scores in random order, the same for every size of block."""

    def __init__(self, seed: int) -> None:
        self.members, self.order = np.random.default_rng(seed).spawn(2)

    def lists(self, scores: np.ndarray, k: int) -> np.ndarray:
        """Item codes of the k best candidates (not NaN), best first, shape (n_cases, k), int32; -1 if none is left."""
        # The k-th largest of the maxima of groups of columns bounds the k-th largest score from below. That leaves few
        # scores to sort, and takes no longer where most are equal.
        n_cases, n_items = scores.shape
        size = max(1, min(64, n_items // (2 * k)))
        whole = n_items - n_items % size
        grouped = np.fmax.reduce(scores[:, :whole].reshape(n_cases, size, -1), axis=1)
        best = np.concatenate([grouped, scores[:, whole:]], axis=1)
        best[np.isnan(best)] = -np.inf
        bound = np.partition(best, -k, axis=1)[:, -k]
        rows, items = np.divmod(np.flatnonzero(scores > bound[:, None]), n_items)
        order = np.lexsort((self.order.random(len(rows)), -scores[rows, items], rows))
        rows, items = rows[order], items[order]
        taken = np.bincount(rows, minlength=n_cases)
        rank = np.arange(len(rows)) - (np.cumsum(taken) - taken)[rows]
        lists = np.full((n_cases, k), -1, dtype=np.int32)
        lists[rows[rank < k], rank[rank < k]] = items[rank < k]
        for row in np.flatnonzero(taken < k):  # the rest of the list has the score of the bound
            tied, room = np.flatnonzero(scores[row] == bound[row]), k - taken[row]
            drawn = self.members.permutation(tied) if len(tied) <= room else self.members.choice(tied, room, False)
            lists[row, taken[row] : taken[row] + len(drawn)] = drawn
        return lists

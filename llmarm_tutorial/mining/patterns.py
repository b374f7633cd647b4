"""Frequent sequential patterns: PrefixSpan as taught, and a fast vertical miner in NumPy.

A *sequence* is what one customer bought, visit after visit; a *pattern* ⟨a, b, c⟩ is found in it if there is a visit
with a, a later one with b, and a still later one with c. The elements of a pattern are single items. Items of one visit
have no order, so two elements never share a visit, even though the same item may occur several times in a pattern. A
customer counts once, however often the pattern is found in the sequence (Agrawal & Srikant 1995).

The fast miner is `mine_sequences`; how it works is told in `pattern_search`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.errors import BadParameter
from llmarm_tutorial.mining.itemsets import min_count
from llmarm_tutorial.mining.levels import Levels, in_canonical_order
from llmarm_tutorial.mining.miners import codes_of
from llmarm_tutorial.mining.pattern_search import Search

Pattern = tuple[Hashable, ...]


def prefixspan(
    sequences: Sequence[Sequence[Collection[Hashable]]], min_count: int, max_length: int | None = None
) -> dict[Pattern, int]:
    """PrefixSpan (Pei et al. 2001), written to be read: a pattern grows at its end, by what comes after it.

    Args:
        sequences: One per customer: a list of visits, each a collection of items. Text serves for visits of one item:
            "abca" is four visits.
        min_count: Smallest number of sequences that makes a pattern frequent, at least 1.
        max_length: Longest pattern wanted; None for no limit.

    Returns:
        Pattern (tuple of items) → number of sequences that hold it.
    """
    found: dict[Pattern, int] = {}

    def grow(prefix: Pattern, projected: list[tuple[int, int]]) -> None:
        """Extend a prefix. Each pair (row, start) says: in that sequence, what comes after the prefix begins there."""
        places = defaultdict(list)
        for row, start in projected:
            first = {}
            for visit in range(start, len(sequences[row])):
                for item in sequences[row][visit]:
                    first.setdefault(item, visit)
            for item, visit in first.items():
                places[item].append((row, visit + 1))
        for item, rest in places.items():
            if len(rest) >= min_count:
                found[*prefix, item] = len(rest)
                if max_length is None or len(prefix) + 1 < max_length:
                    grow((*prefix, item), rest)

    grow((), [(row, 0) for row in range(len(sequences))])
    return found


def transactions_from_lists(
    sequences: Iterable[Iterable[Iterable[Hashable]]], *, name: str = "unnamed"
) -> Transactions:
    """Transactions of small sequences written by hand, in the form that `prefixspan` takes; users are numbered from 0.

    Raises:
        DataError: If no sequence holds an item. Empty sequences are dropped, as a table of events cannot hold them.
    """
    rows = [
        (user, f"{user}.{visit}", visit, item)
        for user, sequence in enumerate(sequences)
        for visit, basket in enumerate(sequence)
        for item in basket
    ]
    return Transactions.from_frame(
        pd.DataFrame(rows, columns=["user_id", "basket_id", "position", "item_id"]), name=name
    )


@dataclass(frozen=True, eq=False)
class Patterns(Levels):
    """Frequent sequential patterns with their counts.

    Attributes:
        levels: For each length k = 1, 2, … an array of shape (n_k, k), int32: item codes in the order of the pattern,
            rows in lexicographic order.
        counts: For each length the number of sequences that hold the pattern, shape (n_k,), int64.
        n_sequences: Number of sequences counted.
        items: Item table; item codes are its row numbers.
        complete: Whether all frequent sub- and super-patterns are present too, which `closed` relies on.
        has_prefixes: Whether the beginnings and ends of a pattern are present too, which rules rely on.
    """

    levels: tuple[np.ndarray, ...]
    counts: tuple[np.ndarray, ...]
    n_sequences: int
    items: pd.DataFrame
    complete: bool = True
    has_prefixes: bool = True

    def __repr__(self) -> str:
        return f"<{len(self):,} patterns in {self.n_sequences:,} sequences, by length {self.by_length()}>"

    def table(self, label: str = "item_id") -> pd.DataFrame:
        """One row per pattern: `pattern` (tuple), `support` (share), `count` (sequences), `length`.

        Args:
            label: Column of the item table that names the items: "item_id", "name", "name_zh".
        """
        return self._table("pattern", tuple, self.n_sequences, label)

    @staticmethod
    def _key(codes: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """It depends on the items and their order: a polynomial, modulo 2⁶⁴."""
        key = np.zeros(len(codes), dtype=np.uint64)
        for column in range(codes.shape[1]):
            key = key * numbers[-1] + numbers[codes[:, column]]
        return key

    def closed(self) -> Patterns:
        """Patterns without a longer pattern around them of the same count (Yan, Han & Afshar 2003).

        If any pattern around has the same count, one with a single element more has it, too. So it is enough to take
        one element out of every pattern and compare.

        Raises:
            BadParameter: If longer patterns are missing, or a maximum gap makes the search above wrong.
        """
        if not self.complete:
            raise BadParameter(
                "Closed patterns need all patterns: mine without max_length, max_gap, only and containing "
                "(a window or a min_gap is fine)."
            )
        keep = [np.ones(len(level), dtype=bool) for level in self.levels]
        for level in range(1, len(self.levels)):
            for column in range(level + 1):
                rows = self.rows_of(np.delete(self.levels[level], column, axis=1))
                keep[level - 1][rows[self.counts[level - 1][rows] == self.counts[level]]] = False
        levels = tuple(codes[kept] for codes, kept in zip(self.levels, keep, strict=True))
        counts = tuple(count[kept] for count, kept in zip(self.counts, keep, strict=True))
        return Patterns(levels, counts, self.n_sequences, self.items, complete=False, has_prefixes=False)


def check_whole(**values: int | None) -> None:
    """Raise `BadParameter` for the first of the named values that is not a whole number of at least 1."""
    for name, value in values.items():
        if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < 1:
            raise BadParameter(f"{name} must be a whole number of at least 1, not {value!r}.")


def mine_sequences(
    data: Transactions,
    min_support: float | int,
    *,
    max_length: int | None = None,
    min_gap: int = 1,
    max_gap: int | None = None,
    window: str | pd.Timedelta | None = None,
    only: Iterable[Hashable] | None = None,
    containing: Iterable[Hashable] | None = None,
    max_patterns: int = 10_000_000,
) -> Patterns:
    """Mine all frequent sequential patterns, in the order and under the constraints given (Srikant & Agrawal 1996).

    Args:
        data: Transactions with users and an order. With baskets a basket is one visit, else every event is.
        min_support: A float is a share of the users in (0, 1], an int a number of users.
        max_length: Longest pattern wanted; None for no limit.
        min_gap: How many visits later the next element must come at least; 1 is the very next visit.
        max_gap: How many visits later it may come at most; None for no limit.
        window: Longest time from the first to the last element, such as "30D"; None for no limit.
        only: Ids of the items that patterns may hold; None allows all.
        containing: Ids of items of which every pattern must hold at least one; None for no constraint.
        max_patterns: Stop with an error when more are found.

    Returns:
        The patterns. With `max_gap`, a pattern's sub-patterns without an inner element may be less frequent than it is.

    Raises:
        Lacks: If the data has no users, no order or, for a window, no clock.
        BadParameter: If a parameter is out of range, or more than `max_patterns` are frequent.
        UnknownName: If an item is not in the item table.
    """
    limits = {"max_length": max_length, "max_gap": max_gap}
    check_whole(min_gap=min_gap, **{name: value for name, value in limits.items() if value is not None})
    if max_gap is not None and max_gap < min_gap:
        raise BadParameter(f"max_gap ({max_gap}) must be at least min_gap ({min_gap}).")
    runs = data.histories()
    n_sequences = len(runs)
    smallest = min_count(min_support, n_sequences)
    owner, new_visit = runs.rows, runs.starts_visit
    visit = np.cumsum(new_visit) - 1  # the visits of all users, numbered through
    stop = np.searchsorted(owner[new_visit], owner[new_visit], side="right")
    reach = None
    if window is not None:
        data.require("clock", purpose="a window in time")
        reach = _reach(stop, data.table["time"].to_numpy()[: len(owner)][new_visit], window)
    keep = np.isin(runs.items, codes_of(data.items, only))
    required = codes_of(data.items, containing)
    if containing is not None:
        keep &= np.isin(owner, owner[np.isin(runs.items, required)])
    search = Search(runs.items[keep], visit[keep], stop, smallest, max_length or len(owner), min_gap, max_patterns)
    if max_gap is None and window is None:
        search.run()
    else:
        search.run_within(max_gap, reach)
    found = search.results()
    if containing is not None:
        holds = [np.isin(codes, required).any(axis=1) for codes, _ in found]
        found = [(codes[rows], count[rows]) for (codes, count), rows in zip(found, holds, strict=True)]
    levels, counts = in_canonical_order(found)
    complete = max_length is None and max_gap is None and only is None and containing is None
    return Patterns(levels, counts, n_sequences, data.items, complete, has_prefixes=containing is None)


def _reach(stop: np.ndarray, times: np.ndarray, window: str | pd.Timedelta) -> np.ndarray:
    """For every visit, the number of the first later one that is outside the window, at most the sequence's `stop`."""
    try:
        span = pd.Timedelta(window)
    except ValueError:
        span = pd.NaT
    if not span > pd.Timedelta(0):
        raise BadParameter(f"window must be a positive time span such as '30D' or '12h', not {window!r}.")
    # all sequences one after the other on one axis of time, further apart than any window reaches
    since = (times - times.min()).astype("timedelta64[us]").astype(np.int64)
    width = min(span // pd.Timedelta("1us"), int(since.max()))
    axis = since + np.cumsum(np.append(0, stop[1:] != stop[:-1])) * (int(since.max()) + width + 1)
    return np.minimum(np.searchsorted(axis, axis + width, side="right"), stop)

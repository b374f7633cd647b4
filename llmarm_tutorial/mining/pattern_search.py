"""The search behind `patterns.mine_sequences`: all frequent sequential patterns, vectorised in NumPy.

The visits of all customers are numbered through, so that "later, in the same sequence" is a comparison with the number
at which the next customer begins. There are two searches, as gap and time limits change the problem.

*Without such limits* the first place where a pattern is complete is all one has to know of a sequence (Pei et al.
2001), and three ideas do the rest:

1. *Pairs by one count.* ⟨a, b⟩ is in a sequence if the first a comes before the last b, so the pairs of all items are
   counted together, from first and last visits alone.
2. *Candidates from siblings and pairs.* ⟨p, b, c⟩ can only be frequent if ⟨p, b⟩, ⟨p, c⟩ and ⟨b, c⟩ are (the pruning of
   SPAM, Ayres et al. 2002, and the co-occurrence map of Fournier-Viger et al. 2014).
3. *A table per first item.* All patterns that begin with a live in the sequences of a. For these, one row per pattern
   holds the visit at which it is first complete, one row per item its last visit; a candidate is counted by comparing
   two rows, and many candidates are compared at once.

*With limits* a pattern may go on from a later place where it does not from the first, so every place is kept. The
events within reach of a place are one short slice of the events in order of time, and these slices are written out for
many patterns at once.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from llmarm_tutorial.errors import BadParameter
from llmarm_tutorial.mining.itemsets import slices

BLOCK = 2**20  # entries worked on at a time: a few arrays of 4 or 8 MB
PAIR_CELLS = 2**24  # cells of the table of pair counts held at a time
NEVER = np.iinfo(np.int32).max  # the visit of what does not come


class Places(NamedTuple):
    """Where patterns end: one entry per pattern and visit, sorted by these.

    Attributes:
        pattern: Row of the pattern, shape (n,).
        end: Visit of the last element.
        start: Visit of the first element, the latest one possible.
    """

    pattern: np.ndarray
    end: np.ndarray
    start: np.ndarray


class Search:
    """State of one search. Within it items are numbered by their rank among the frequent ones.

    Args:
        item: Item codes of the events, shape (n,).
        visit: Visits of the events, numbered through all sequences, shape (n,).
        stop: For every visit, the number of the first one of the next sequence, shape (n_visits,).
        smallest: Smallest number of sequences that makes a pattern frequent.
        max_length: Longest pattern wanted.
        min_gap: How many visits later the next element must come at least.
        limit: Most patterns; more are an error.
    """

    def __init__(
        self,
        item: np.ndarray,
        visit: np.ndarray,
        stop: np.ndarray,
        smallest: int,
        max_length: int,
        min_gap: int = 1,
        limit: int = 10_000_000,
    ) -> None:
        self.stop, self.n_visits = stop, len(stop)
        self.smallest, self.max_length, self.min_gap, self.limit = smallest, max_length, min_gap, limit
        self.codes: list[list[np.ndarray]] = []
        self.counts: list[list[np.ndarray]] = []
        self.found = 0
        self.key = distinct(item.astype(np.int64) * self.n_visits + visit)  # item by item, the visits that hold it
        item, visit = np.divmod(self.key, self.n_visits)
        support = np.bincount(item[self._first(item, visit)])
        self.items = np.flatnonzero(support >= smallest)
        self.support = support[self.items]
        frequent = (support >= smallest)[item]
        self.item, self.visit = np.searchsorted(self.items, item[frequent]), visit[frequent]
        self.key = self.item * self.n_visits + self.visit
        self.in_time = np.argsort(self.visit, kind="stable")
        self.before = np.searchsorted(
            self.visit[self.in_time], np.arange(self.n_visits + 1)
        )  # events before each visit

    def results(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Per length, item codes of shape (n_k, k) and counts of shape (n_k,), in no particular order."""
        both = zip(self.codes, self.counts, strict=True)
        return [(self.items[np.concatenate(codes)], np.concatenate(counts)) for codes, counts in both]

    def _first(self, group: np.ndarray, visit: np.ndarray) -> np.ndarray:
        """Whether each entry is the first of its group in its sequence; entries are sorted by group, then visit."""
        sequence = self.stop[visit]  # as good a number of the sequence as any
        return np.append(True, (group[1:] != group[:-1]) | (sequence[1:] != sequence[:-1]))[: len(group)]

    def _keep(self, codes: np.ndarray, counts: np.ndarray) -> None:
        self.found += len(codes)
        if self.found > self.limit:
            raise BadParameter(
                f"More than {self.limit:,} patterns are in {self.smallest:,} sequences or more: choose a larger "
                "min_support, a max_length, a max_gap or a window, or raise max_patterns."
            )
        while len(self.codes) < codes.shape[1]:
            self.codes.append([])
            self.counts.append([])
        self.codes[codes.shape[1] - 1].append(codes)
        self.counts[codes.shape[1] - 1].append(counts)

    # --- without limits ----------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Find all frequent patterns."""
        singles = np.arange(len(self.items))
        self._keep(singles[:, None], self.support)
        if self.max_length == 1 or not len(singles):
            return
        pairs, counts = self._pairs()
        self._keep(pairs, counts)
        if self.max_length > 2:
            self.pair_keys = pairs[:, 0] * len(singles) + pairs[:, 1]
            seconds = np.split(pairs[:, 1], np.searchsorted(pairs[:, 0], singles[1:]))
            for item, following in enumerate(seconds):
                if len(following):
                    self._subtree(item, following)

    def _pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """All frequent patterns of two elements, shape (n, 2), in lexicographic order, and their counts.

        After the first visit with a, each item b whose last visit is still to come makes one more sequence with ⟨a, b⟩.
        """
        m = len(self.items)
        first = self._first(self.item, self.visit)
        last = np.append(first[1:], True)[self.in_time]
        a, start = self.item[first], self.visit[first]
        b, end = self.item[self.in_time][last], self.visit[self.in_time][last]
        before = np.searchsorted(end, np.arange(self.n_visits + 1))
        stop = self.stop[start]
        low = before[np.minimum(start + self.min_gap, stop)]
        size = before[stop] - low
        pairs, counts = [], []
        for part in slices(np.full(m, m), PAIR_CELLS):
            table = np.zeros((part.stop - part.start) * m, dtype=np.int64)
            head, tail = np.searchsorted(a, [part.start, part.stop])
            for block in slices(size[head:tail], BLOCK):
                rows = slice(head + block.start, head + block.stop)
                which, place = expand(low[rows], size[rows])
                table += np.bincount(((a[rows] - part.start) * m)[which] + b[place], minlength=len(table))
            cells = np.flatnonzero(table >= self.smallest)
            pairs.append(np.stack([cells // m + part.start, cells % m], axis=1))
            counts.append(table[cells])
        return np.concatenate(pairs), np.concatenate(counts)

    def _subtree(self, item: int, following: np.ndarray) -> None:
        """Find the patterns of three elements and more that begin with an item, given those of two."""
        own = slice(*np.searchsorted(self.key, [item * self.n_visits, (item + 1) * self.n_visits]))
        start = self.visit[own][self._first(self.item[own], self.visit[own])]
        stop = self.stop[start]
        low = self.before[np.minimum(start + self.min_gap, stop)]
        column, place = expand(low, self.before[stop] - low)
        event = self.in_time[place]
        row_of = np.full(len(self.items), -1)
        row_of[following] = np.arange(len(following))
        row = row_of[self.item[event]]
        column, event, row = column[row >= 0], event[row >= 0], row[row >= 0]
        # of several values for one cell NumPy keeps the one assigned last
        ends = np.full((len(following), len(start)), NEVER, dtype=np.int32)
        ends[row[::-1], column[::-1]] = self.visit[event[::-1]]
        latest = np.full(ends.shape, -1, dtype=np.int32)
        latest[row, column] = self.visit[event] - (self.min_gap - 1)
        codes = np.stack([np.full(len(following), item), following], axis=1)
        self._grow(codes, ends, row_of, latest)

    def _grow(self, codes: np.ndarray, ends: np.ndarray, row_of: np.ndarray, latest: np.ndarray) -> None:
        """Extend patterns by the last items of their siblings, keep what is frequent, go on with that.

        Args:
            codes: Shape (n, k), patterns in lexicographic order, all frequent ones of their first k − 1 elements.
            ends: Shape (n, n_sequences of the first item), the visit at which each is first complete, else `NEVER`.
            row_of: Row of an item in `latest`.
            latest: The visit up to which the element before the item must have come, −1 where it does not come.
        """
        n, m, last = len(codes), len(self.items), codes[:, -1]
        family = np.append(0, np.cumsum((codes[1:, :-1] != codes[:-1, :-1]).any(axis=1)))
        n_siblings = np.bincount(family)[family]
        left, right = expand(np.searchsorted(family, family), n_siblings)
        wanted = last[left] * m + last[right]
        known = self.pair_keys[np.minimum(np.searchsorted(self.pair_keys, wanted), len(self.pair_keys) - 1)] == wanted
        left, right = left[known], last[right[known]]
        candidates = np.bincount(left, minlength=n)
        reach = np.append(0, np.cumsum(candidates))
        for part in slices(candidates * ends.shape[1], BLOCK):
            x, y = left[reach[part.start] : reach[part.stop]], right[reach[part.start] : reach[part.stop]]
            count = np.empty(len(x), dtype=np.int64)
            for some in slices(np.full(len(x), ends.shape[1]), BLOCK // 8):  # stays in the processor's cache
                count[some] = np.count_nonzero(ends[x[some]] < latest[row_of[y[some]]], axis=1)
            x, y, count = (part[count >= self.smallest] for part in (x, y, count))
            grown = np.concatenate([codes[x], y[:, None]], axis=1)
            self._keep(grown, count)
            if len(grown) and grown.shape[1] < self.max_length:
                self._grow(grown, self._next(ends[x], y, latest[row_of[y]]), row_of, latest)

    def _next(self, ends: np.ndarray, item: np.ndarray, latest: np.ndarray) -> np.ndarray:
        """The next visit with an item after each of `ends`, both per row; `NEVER` where there is none."""
        result = np.full(ends.shape, NEVER, dtype=np.int32)
        row, column = np.nonzero(ends < latest)
        wanted = item[row] * self.n_visits + ends[row, column] + self.min_gap
        result[row, column] = self.visit[np.searchsorted(self.key, wanted)]
        return result

    # --- with limits -------------------------------------------------------------------------------------------------

    def run_within(self, max_gap: int | None, reach: np.ndarray | None) -> None:
        """Find all frequent patterns under limits.

        Args:
            max_gap: How many visits later the next element may come at most; None for no limit.
            reach: For every visit as the first of a pattern, the number of the first later visit that is too late for
                its last one, shape (n_visits,); None for no limit.
        """
        self.max_gap, self.reach = max_gap, reach
        singles = np.arange(len(self.items))
        self._keep(singles[:, None], self.support)
        if self.max_length > 1 and len(singles):
            self._project(singles[:, None], Places(self.item, self.visit, self.visit))

    def _project(self, codes: np.ndarray, places: Places) -> None:
        """Extend patterns by all that comes within reach of their places, keep what is frequent, go on with that."""
        m = len(self.items)
        until = self.stop[places.end] if self.reach is None else self.reach[places.start]
        if self.max_gap is not None:
            until = np.minimum(until, places.end + self.max_gap + 1)
            until = np.minimum(until, self.stop[places.end])
        low = self.before[np.minimum(places.end + self.min_gap, until)]
        size = self.before[until] - low
        bounds = np.searchsorted(places.pattern, np.arange(len(codes) + 1))
        cost = np.diff(np.append(0, np.cumsum(size))[bounds]) + 1
        for part in slices(cost, BLOCK):
            rows = slice(bounds[part.start], bounds[part.stop])
            which, place = expand(low[rows], size[rows])
            event = self.in_time[place]
            longer = (places.pattern[rows] - part.start)[which] * m + self.item[event]
            start = None if self.reach is None else places.start[rows][which]
            longer, end, start = self._distinct(longer, self.visit[event], start)
            count = np.bincount(longer[self._first(longer, end)], minlength=1)
            kept = np.flatnonzero(count >= self.smallest)
            grown = np.concatenate([codes[part][kept // m], kept[:, None] % m], axis=1)
            self._keep(grown, count[kept])
            if len(grown) and grown.shape[1] < self.max_length:
                stays = (count >= self.smallest)[longer]
                rank = np.searchsorted(kept, longer[stays])
                self._project(grown, Places(rank, end[stays], start[stays]))

    def _distinct(self, pattern: np.ndarray, end: np.ndarray, start: np.ndarray | None) -> tuple[np.ndarray, ...]:
        """Each pattern and end once, sorted; of several ways there the latest start, which reaches furthest."""
        key = pattern * self.n_visits + end
        if start is None:
            pattern, end = np.divmod(distinct(key), self.n_visits)
            return pattern, end, end  # without a window nobody asks for the start
        order = np.lexsort((-start, key))
        order = order[np.append(True, key[order][1:] != key[order][:-1])[: len(order)]]
        return pattern[order], end[order], start[order]


def distinct(key: np.ndarray) -> np.ndarray:
    """The distinct numbers, ascending: `np.unique` by sorting, here ten times faster than by its hash table."""
    key = np.sort(key)
    return key[np.append(True, key[1:] != key[:-1])[: len(key)]]


def expand(low: np.ndarray, size: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Write out ranges of whole numbers.

    Args:
        low: First number of each range, shape (n,).
        size: How many numbers it has.

    Returns:
        (which range, which number), for every number of all ranges in turn.
    """
    which = np.repeat(np.arange(len(low)), size)
    return which, np.arange(len(which)) + np.repeat(low - (np.cumsum(size) - size), size)

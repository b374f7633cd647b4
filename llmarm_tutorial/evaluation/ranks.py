"""The rank of an item among candidates where scores may be equal: how many are above it, and how many beside it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

FEW = 32  # values per row of scores up to which counting is quicker than sorting the row


class TargetRanks(NamedTuple):
    """Where the targets of every case stand among the candidates.

    Attributes:
        offsets: Where each case's targets begin, shape (n_cases + 1,).
        above: Candidates with a higher score than the target, shape (n_targets,).
        tied: Candidates with the same score, the target included, shape (n_targets,): its rank is equally likely to be
            above + 1, …, above + tied.
    """

    offsets: np.ndarray
    above: np.ndarray
    tied: np.ndarray

    @property
    def rows(self) -> np.ndarray:
        """The case of every target, shape (n_targets,)."""
        return np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))

    def mean_of(self, function: np.ndarray) -> np.ndarray:
        """Expectation of a function of each target's rank, given as its sums over ranks 1…r for r = 0, 1, …."""
        last = len(function) - 1
        end, start = np.minimum(self.above + self.tied, last), np.minimum(self.above, last)
        return (function[end] - function[start]) / self.tied

    def per_case(self, values: np.ndarray) -> np.ndarray:
        """Sums over the targets of each case, shape (n_cases,)."""
        return np.add.reduceat(values, self.offsets[:-1])

    def first(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(above, tied, number of targets) of the best group of equal scores that holds a target, per case."""
        above = np.minimum.reduceat(self.above, self.offsets[:-1])
        in_group = self.above == above[self.rows]
        return above, np.maximum.reduceat(np.where(in_group, self.tied, 0), self.offsets[:-1]), self.per_case(in_group)


def above_and_tied(scores: np.ndarray, rows: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How many scores of a row are above a value, and how many equal to it.

    Args:
        scores: Scores of candidates, shape (n_rows, n_candidates); NaN is no candidate.
        rows: The row that each value is ranked in, shape (n,).
        values: Shape (n,), no NaN.

    Returns:
        (above, tied), each of shape (n,), int64.
    """
    above, tied = np.empty(len(rows), dtype=np.int64), np.empty(len(rows), dtype=np.int64)
    if len(rows) > FEW * len(scores):
        order = np.argsort(rows, kind="stable")
        of_each_row = np.split(order, np.searchsorted(rows[order], np.arange(1, len(scores))))
        for row, own in zip(scores, of_each_row, strict=True):
            ordered = np.sort(row[~np.isnan(row)])
            upper = np.searchsorted(ordered, values[own], side="right")
            above[own], tied[own] = len(ordered) - upper, upper - np.searchsorted(ordered, values[own])
        return above, tied
    step = max(1, len(scores))
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        one_each = len(rows) == len(scores) and (rows[part] == np.arange(len(scores))).all()
        candidates = scores if one_each else scores[rows[part]]
        above[part] = np.count_nonzero(candidates > values[part, None], axis=1)
        tied[part] = np.count_nonzero(candidates == values[part, None], axis=1)
    return above, tied

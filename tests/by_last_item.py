"""Recommenders and tasks for tests in which the last item decides."""

from __future__ import annotations

import numpy as np

from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.evaluation.tasks import Task


class ByLast:
    """Scores by the last item of the history; counts the cases it was asked about."""

    def __init__(self, table: np.ndarray) -> None:
        self.table, self.n_items, self.asked = np.asarray(table, dtype=np.float32), np.shape(table)[1], 0

    def scores(self, histories: Histories) -> np.ndarray:
        self.asked += len(histories)
        return self.table[histories.last(1)[:, 0]]


def random_task(rng: np.random.Generator, n_cases: int, n_items: int, table: np.ndarray | None = None) -> Task:
    """Cases of one to three items; the next one is drawn by the softmax of a row of the table, else at random."""
    histories = [rng.integers(0, n_items, rng.integers(1, 4)).tolist() for _ in range(n_cases)]
    chances = np.ones((n_items, n_items)) if table is None else np.exp(table)
    chances = chances / chances.sum(axis=1, keepdims=True)
    return Task.from_lists(histories, [[rng.choice(n_items, p=chances[h[-1]])] for h in histories], n_items)

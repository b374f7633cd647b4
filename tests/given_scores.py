"""A recommender for tests whose scores are written down."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from llmarm_tutorial.data.histories import Histories


@dataclass
class Given:
    """A system whose scores are written down: one row per case, or one row for all."""

    table: np.ndarray
    name: str = "given"
    asked: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.table = np.atleast_2d(np.asarray(self.table))
        self.n_items = self.table.shape[1]
        self.start = 0

    def scores(self, histories: Histories) -> np.ndarray:
        self.asked.append(len(histories))
        if len(self.table) == 1:
            return np.broadcast_to(self.table, (len(histories), self.n_items))
        self.start, begin = self.start + len(histories), self.start
        return self.table[np.arange(begin, self.start) % len(self.table)]

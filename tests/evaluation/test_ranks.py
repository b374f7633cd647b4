"""Ranks with ties: counted or sorted, they are those of SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata

from llmarm_tutorial.evaluation import ranks


@pytest.mark.parametrize("few", [0, 10**6])  # all rows are sorted, or all are counted through
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 12), st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_ranks_are_those_of_scipy(few: int, seed: int, n_rows: int, n_candidates: int, levels: int):
    rng = np.random.default_rng(seed)
    table = rng.integers(levels, size=(n_rows, n_candidates)).astype(float)
    table[rng.random(table.shape) < 0.2] = -np.inf
    rows, items = rng.permutation(np.argwhere(np.ones_like(table))).T
    lowest, highest = (rankdata(-table, axis=1, method=method)[rows, items] for method in ("min", "max"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranks, "FEW", few)
        above, tied = ranks.above_and_tied(table, rows, table[rows, items])
        assert (above == lowest - 1).all()
        assert (tied == highest - lowest + 1).all()
        table[:, -1] = np.nan  # no candidate
        known = items < n_candidates - 1
        with_less = ranks.above_and_tied(table, rows[known], table[rows, items][known])
        lowest, highest = (
            rankdata(-table[:, :-1], axis=1, method=method)[rows[known], items[known]] for method in ("min", "max")
        )
    assert (with_less[0] == lowest - 1).all()
    assert (with_less[1] == highest - lowest + 1).all()

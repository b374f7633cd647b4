"""A threshold keeps what lies on it, however the share was come by: typed, divided, summed up, or read from a table."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmarm_tutorial.data import Transactions
from llmarm_tutorial.errors import BadParameter
from llmarm_tutorial.mining import (
    follow_rules,
    mine,
    mine_rules,
    mine_sequences,
    pair_rules,
    rules_from_patterns,
    transactions_from_lists,
)
from llmarm_tutorial.mining.itemsets import min_count
from llmarm_tutorial.mining.thresholds import reaches, round_up, smallest_counts

DOUBLE, SINGLE = np.dtype(np.float64), np.dtype(np.float32)


def divided(n: int, precision: np.dtype) -> np.ndarray:
    """For all k from 1 to n: the count that k / n of n is read as."""
    k = np.arange(1, n + 1)
    shares = (k.astype(precision) / precision.type(n)).astype(np.float64)
    return round_up(shares * n, precision)


@pytest.mark.parametrize("precision", [DOUBLE, SINGLE], ids=str)
def test_every_k_of_every_small_n_as_a_division_is_k(precision):
    assert [n for n in range(1, 2000) if (divided(n, precision) != np.arange(1, n + 1)).any()] == []


@pytest.mark.parametrize("n", [59_602, 131_209, 999_983, 5_000_000, 9_999_991, 10_000_000])
def test_every_k_of_a_large_n_as_a_division_is_k(n):
    assert (divided(n, DOUBLE) == np.arange(1, n + 1)).all()
    if n <= 5_000_000:  # beyond, single precision holds no more the numbers between
        assert (divided(n, SINGLE) == np.arange(1, n + 1)).all()


@pytest.mark.parametrize("n", [10, 30, 100, 7_501, 9_835, 59_602])
def test_steps_of_a_range_and_running_sums_are_what_they_stand_for(n):
    steps = np.arange(0.01, 1, 0.01)
    running = np.cumsum(np.full(99, 0.01))
    wanted = np.array([-(-percent * n // 100) for percent in range(1, 100)])
    assert (round_up(steps * n, DOUBLE) == wanted).all()
    assert (round_up(running * n, DOUBLE) == wanted).all()


@given(st.integers(1, 10**7), st.integers(1, 10**7))
def test_a_typed_decimal_of_seven_digits_is_exact(digits, n):
    share = float(f"{digits}e-7")
    assert min_count(share, n) == -(-Fraction(digits, 10**7) * n // 1)


@pytest.mark.parametrize(("share", "n", "k"), [(0.1, 30, 3), (0.29, 100, 29), (0.07, 100, 7), (0.1 + 0.2, 10, 3)])
def test_shares_known_to_be_awkward(share, n, k):
    assert min_count(share, n) == k
    assert min_count(np.float64(share), n) == k
    assert min_count(np.float32(share), n) == k


def test_what_is_clearly_above_a_count_asks_for_the_next():
    assert min_count(0.3000001, 10) == 4
    assert min_count(np.float32(0.30001), 10) == 4
    assert list(smallest_counts(0.5, np.array([0, 1, 2, 3, 10**7 + 1]), "share")) == [0, 1, 1, 2, 5_000_001]


def test_every_row_of_a_table_is_kept_at_its_own_support_and_confidence():
    data = Transactions.from_baskets([["A", "B"]] * 5 + [["A", "C"]] * 2 + [["B", "C"]] * 3 + [["C"]] * 11)
    table = mine(data, 1).table()
    for itemset, support in zip(table["itemset"], table["support"], strict=True):
        assert itemset in set(mine(data, float(support)).table()["itemset"])
    rules = mine_rules(data, 1, 0.01)
    for generated in (mine_rules, pair_rules):
        for rule in rules.itertuples():
            kept = generated(data, 1, rule.confidence)
            assert ((kept["antecedent"] == rule.antecedent) & (kept["consequent"] == rule.consequent)).any()


def test_sequences_on_the_threshold_are_kept():
    customers = transactions_from_lists(["ab"] * 5 + ["c"])
    patterns = mine_sequences(customers, 5 / 6)
    assert patterns.by_length() == [2, 1]
    longer = mine_sequences(transactions_from_lists(["ab"] * 5 + ["a"]), 1)
    assert len(rules_from_patterns(longer, 5 / 6)) == 1
    followed = transactions_from_lists(["ab"] * 5 + ["ac"])
    assert set(follow_rules(followed, 1, 1, 5 / 6)["consequent"]) == {frozenset("b")}


def test_an_estimate_on_the_threshold_is_kept():
    thirds = np.array([1 / 3, 1 - 2 / 3, 0.33])
    assert list(reaches(thirds, 1 / 3)) == [True, True, False]
    assert list(reaches(thirds, np.float32(1 / 3))) == [True, True, False]


@pytest.mark.parametrize("share", [0, -0.1, 1.1, float("nan"), True, "0.5", None])
def test_what_is_no_share_is_refused(share):
    with pytest.raises(BadParameter, match="min_confidence must be a share above 0 and at most 1"):
        smallest_counts(share, 5, "min_confidence")

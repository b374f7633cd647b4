"""Measures at the edges: what independence gives, what is in every basket, and where that stands in a ranking."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import sparse

from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.graphs import item_graph
from llmarm_tutorial.mining import confidence, sequence_rules
from llmarm_tutorial.mining.measures import (
    expected_count,
    expected_count_within,
    lift,
    measures,
    shrunk_lift,
    without_rounding,
)
from llmarm_tutorial.mining.miners import mine
from llmarm_tutorial.mining.patterns import mine_sequences, transactions_from_lists
from llmarm_tutorial.mining.rule_checks import rank_rules, recount, without_redundant
from llmarm_tutorial.mining.rules import mine_rules, pair_rules, rules_from_itemsets
from llmarm_tutorial.mining.significance import pair_tests

WITH_A_BAG = Transactions.from_baskets(
    [["BAG", "tea", "milk"]] * 20 + [["BAG", "tea"]] * 5 + [["BAG", "milk"]] * 5 + [["BAG", "jam"]] * 10
)


def says_nothing(found: dict[str, np.ndarray] | pd.Series) -> bool:
    """Whether all four measures are exactly what independence gives."""
    return found["lift"] == found["conviction"] == 1 and found["leverage"] == found["zhang"] == 0


def test_independent_pairs_say_exactly_nothing_whatever_their_counts():
    for n in range(2, 150):
        for x, y in product(range(1, n + 1), range(1, n)):
            if x * y % n == 0:
                assert says_nothing(measures(x * y // n, x, y, n)), (x, y, n)


@given(st.integers(1, 10**4), st.integers(1, 10**4), st.integers(1, 10**4), st.data())
def test_independent_pairs_say_exactly_nothing_in_many_baskets_too(a, b, c, draw):
    """x y / n is whole, as x = a b, y = a c d and n = a b c."""
    n, x, y = a * b * c, a * b, a * c * draw.draw(st.integers(1, b))
    assume(n < 9 * 10**7 and y < n)
    assert says_nothing(measures(x * y // n, x, y, n))


@given(st.integers(2, 10**7), st.data())
def test_every_other_pair_is_on_its_side_of_independence(n, draw):
    x, y = draw.draw(st.integers(1, n)), draw.draw(st.integers(1, n - 1))
    both = draw.draw(st.integers(max(0, x + y - n), min(x, y)))
    found = measures(both, x, y, n)
    sign = np.sign(both * n - x * y)
    for name, nothing in {"lift": 1, "leverage": 0, "conviction": 1, "zhang": 0}.items():
        assert np.sign(found[name] - nothing) == sign, name


@given(st.integers(1, 10**7), st.data())
def test_what_every_basket_holds_has_no_conviction(n, draw):
    x = draw.draw(st.integers(1, n))
    found = measures(x, x, n, n)
    assert np.isnan(found["conviction"])
    assert (found["lift"], found["leverage"], found["zhang"]) == (1, 0, 0)
    assert measures(x, n, x, n)["conviction"] == (1 if x < n else pytest.approx(np.nan, nan_ok=True))


def test_a_rule_without_exception_is_of_infinite_conviction_if_it_could_have_one():
    assert measures(3, 3, 4, 5)["conviction"] == math.inf
    assert np.isnan(measures(3, 3, 5, 5)["conviction"])


@pytest.mark.parametrize(
    "table",
    [
        lambda: mine_rules(WITH_A_BAG, 1, 0.1),
        lambda: pair_rules(WITH_A_BAG, 1),
        lambda: rules_from_itemsets(mine(WITH_A_BAG, 1), 0.1, max_consequent=None),
        lambda: recount(pair_rules(WITH_A_BAG, 1), WITH_A_BAG),
    ],
    ids=["mine_rules", "pair_rules", "rules_from_itemsets", "recount"],
)
def test_a_bag_in_every_basket_never_ranks_first(table: Callable[[], pd.DataFrame]):
    ranked = rank_rules(table(), "conviction")
    is_bag = ranked["consequent"] == frozenset(["BAG"])
    assert is_bag.any()
    assert ranked["conviction"].isna().equals(is_bag)
    assert is_bag.to_numpy()[-is_bag.sum() :].all()  # behind all others
    assert ranked["lift"].iloc[0] > 1
    assert not (ranked[is_bag | ranked["antecedent"].eq(frozenset(["BAG"]))]["lift"] != 1).any()


def test_undefined_values_come_last_whichever_way_a_measure_is_sorted():
    rules = pair_rules(WITH_A_BAG, 1).assign(p_value=np.nan)
    rules.loc[3, "p_value"] = 0.5
    assert rank_rules(rules, "p_value", 1)["p_value"].tolist() == [0.5]
    negative = mine_rules(Transactions.from_baskets([["B", "x"], ["B", "y"], ["B", "x", "y"], ["B", "x"]]), 1, 0.1)
    ranked = rank_rules(negative, "conviction")
    assert ranked["conviction"].dropna().max() == 1  # nothing attracts anything
    assert ranked["conviction"].isna().tolist() == sorted(ranked["conviction"].isna())


def test_sequences_with_something_in_each_of_them():
    visits = [[["a"], ["bag"], ["b"], ["bag"]]] * 6 + [[["c"], ["bag"], ["bag"]]] * 4
    data = transactions_from_lists(visits)
    for table in (
        sequence_rules.rules_from_patterns(mine_sequences(data, 1)),
        sequence_rules.follow_rules(data, within=5, min_support=1),
        sequence_rules.follow_rules(data, within=5, min_support=1, per="customer"),
    ):
        ranked = rank_rules(table, "conviction")
        everywhere = ranked["consequent_count"] == ranked["n_baskets"]
        assert everywhere.any()
        assert not everywhere.iloc[0]
        assert not np.isinf(ranked[everywhere]["conviction"]).any()


def test_pairs_links_and_graphs_agree_on_what_says_nothing():
    x, y, n = 12, 15, 20
    both = x * y // n
    matrix = np.zeros((n, 2), dtype=bool)
    matrix[:x, 0] = True
    matrix[x - both : x - both + y, 1] = True
    matrix = sparse.csr_matrix(matrix)
    assert pair_tests(matrix)["lift"].tolist() == [1.0]
    assert item_graph.co_occurrence_graph(matrix, "lift", max_q=None).weights[0, 1] == 1
    assert item_graph.co_occurrence_graph(matrix, "ppmi", max_q=None).weights[0, 1] == 0
    assert shrunk_lift(both, expected_count(x, y, n), 5.0) == 1
    assert lift(both, x, y, n) == 1


@given(st.lists(st.integers(1, 40), min_size=1, max_size=8))
@settings(max_examples=30, deadline=None)
def test_what_strata_explain_to_the_last_basket_has_a_lift_of_one(sizes):
    """As many strata as each has baskets, one with X and one with Y: k times 1/k baskets are expected with both."""
    strata = np.repeat(sizes, sizes)
    stratum = np.repeat(np.arange(len(strata)), strata)
    first = np.append(True, stratum[1:] != stratum[:-1])
    assert len(sizes) / expected_count_within(first, first, stratum) == 1


def test_only_rounding_is_taken_off():
    thirds = sum([1 / 3] * 3000)
    assert thirds != 1000
    given = np.array([thirds, 0.0, 1e-12, 2.00001, 0.3])
    assert without_rounding(given).tolist() == [1000, 0.0, 1e-12, 2.00001, 0.3]


def test_estimates_of_just_the_share_have_a_lift_of_one():
    shares = np.array([0.1, 0.3, 0.7])
    items = pd.DataFrame({"item_id": ["a", "b", "c"]})
    table = confidence.rule_table(
        np.array([[0], [1], [2]]),
        lambda codes: np.tile(shares, (len(codes), 1)),
        shares,
        shares,
        1237,
        items,
        how="the share alone",
    )
    assert len(table) == 6
    assert set(table["lift"]) == {1.0}
    assert set(table["leverage"]) == {0.0}


def test_an_improvement_of_just_the_least_is_no_improvement():
    data = Transactions.from_baskets(
        [["a", "b", "c"]] * 4 + [["a", "b"]] + [["a", "c"]] * 3 + [["a"]] * 2 + [["b", "d"]] * 30
    )
    rules = mine_rules(data, 1, 0.05)
    longer = rules[rules["antecedent"].eq(frozenset("ab")) & rules["consequent"].eq(frozenset("c"))].iloc[0]
    shorter = rules[rules["antecedent"].eq(frozenset("a")) & rules["consequent"].eq(frozenset("c"))].iloc[0]
    assert (longer["confidence"], shorter["confidence"]) == (0.8, 0.7)

    def is_kept(least: float) -> bool:
        kept = without_redundant(rules, least)
        return bool((kept["antecedent"].eq(frozenset("ab")) & kept["consequent"].eq(frozenset("c"))).any())

    assert is_kept(0.09)
    assert not is_kept(0.1)  # although 0.7 + 0.1 is 0.7999999999999999

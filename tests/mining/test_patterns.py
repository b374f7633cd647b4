"""Sequential patterns and rules: by hand, against brute force and a peer, and the numbers others have published."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmarm_tutorial.data import loading
from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.data.shop import simulate, structure_plan
from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.errors import BadParameter, DataError, Lacks, UnknownName
from llmarm_tutorial.mining import rule_checks, sequence_rules
from llmarm_tutorial.mining.patterns import mine_sequences, prefixspan, transactions_from_lists
from llmarm_tutorial.mining.rules import COLUMNS
from llmarm_tutorial.mining.sequence_rules import TESTS, follow_rules, rules_from_patterns
from llmarm_tutorial.recommend.by_rules import recommend_by_rules

FOUR = ["abcb", "acb", "bac", "cab"]  # four customers, one item a visit

visit = st.frozensets(st.integers(0, 4), min_size=1, max_size=3)
sequences_of_visits = st.lists(st.lists(visit, min_size=1, max_size=6), min_size=1, max_size=10)
sequences_of_items = st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=8), min_size=1, max_size=12)


def as_dict(patterns) -> dict[tuple, int]:
    table = patterns.table()
    return dict(zip(table["pattern"], table["count"], strict=True))


def timed(sequences, hours) -> Transactions:
    """Visits at given hours: sequences of visits, and for each of their visits its time."""
    rows = [
        (user, f"{user}.{number}", number, pd.Timestamp("2030-01-01") + pd.Timedelta(hours=hours[user][number]), item)
        for user, sequence in enumerate(sequences)
        for number, basket in enumerate(sequence)
        for item in basket
    ]
    return Transactions.from_frame(pd.DataFrame(rows, columns=["user_id", "basket_id", "position", "time", "item_id"]))


def brute_force(
    sequences, smallest: int, longest: int, min_gap: int = 1, max_gap: int = 99, window: float = 99, hours=None
) -> dict[tuple, int]:
    """Go through every choice of visits and of one item from each."""
    counts: dict[tuple, int] = {}
    for user, sequence in enumerate(sequences):
        clock = hours[user] if hours else list(range(len(sequence)))
        held = set()
        for length in range(1, min(longest, len(sequence)) + 1):
            for places in combinations(range(len(sequence)), length):
                gaps = [b - a for a, b in pairwise(places)]
                if all(min_gap <= gap <= max_gap for gap in gaps) and clock[places[-1]] - clock[places[0]] <= window:
                    partial = {()}
                    for place in places:
                        partial = {(*p, item) for p in partial for item in sequence[place]}
                    held |= partial
        for pattern in held:
            counts[pattern] = counts.get(pattern, 0) + 1
    return {pattern: count for pattern, count in counts.items() if count >= smallest}


def is_inside(small: tuple, large: tuple) -> bool:
    rest = iter(large)
    return all(item in rest for item in small)


# --- by hand ---


def test_four_sequences_by_hand():
    expected = {("a",): 4, ("b",): 4, ("c",): 4}
    expected |= {("a", "b"): 3, ("a", "c"): 3, ("b", "c"): 2, ("c", "b"): 3, ("a", "c", "b"): 2}
    assert prefixspan(FOUR, 2) == expected
    assert as_dict(mine_sequences(transactions_from_lists(FOUR), 2)) == expected


def test_items_of_one_visit_have_no_order():
    together = [[{"a", "b"}], [{"a", "b"}], [{"a"}, {"b"}]]
    assert as_dict(mine_sequences(transactions_from_lists(together), 1)) == {("a",): 3, ("b",): 3, ("a", "b"): 1}
    assert prefixspan(together, 1) == {("a",): 3, ("b",): 3, ("a", "b"): 1}


def test_a_customer_counts_once_and_an_item_may_come_again():
    assert as_dict(mine_sequences(transactions_from_lists(["ababab", "ab"]), 1, max_length=2)) == {
        ("a",): 2,
        ("b",): 2,
        ("a", "b"): 2,
        ("a", "a"): 1,
        ("b", "a"): 1,
        ("b", "b"): 1,
    }


def test_the_first_place_is_not_enough_under_a_maximum_gap():
    # the first a is three visits before c, the second is next to it; ⟨a, c, d⟩ must be found through the second one
    data = transactions_from_lists(["abbacd"])
    found = as_dict(mine_sequences(data, 1, max_gap=1))
    assert ("a", "c", "d") in found
    assert ("a", "d") not in found
    assert ("b", "c") not in found


def test_a_window_runs_from_the_first_element_to_the_last():
    data = timed(["abc", "abc"], [[0, 10, 20], [0, 10, 30]])
    assert as_dict(mine_sequences(data, 1, window="20h"))["a", "b", "c"] == 1  # exactly on the limit still counts
    assert as_dict(mine_sequences(data, 1, window="10h")).get(("a", "b", "c")) is None
    assert as_dict(mine_sequences(data, 1, window="10h"))["a", "b"] == 2
    assert as_dict(mine_sequences(data, 1, window=pd.Timedelta(days=400))) == as_dict(mine_sequences(data, 1))


def test_a_window_takes_the_latest_start():
    data = timed(["aab"], [[0, 50, 60]])
    assert ("a", "b") in as_dict(mine_sequences(data, 1, window="10h"))
    assert ("a", "a", "b") not in as_dict(mine_sequences(data, 1, window="10h"))


def test_visits_without_a_frequent_item_still_count_as_steps():
    data = transactions_from_lists(
        ["axb", "ayb"]
    )  # x and y are rare and dropped from the search, not from the calendar
    assert ("a", "b") not in as_dict(mine_sequences(data, 2, max_gap=1))
    assert ("a", "b") in as_dict(mine_sequences(data, 2, max_gap=2))
    assert ("a", "b") in as_dict(mine_sequences(data, 2, min_gap=2))
    assert ("a", "b") not in as_dict(mine_sequences(data, 2, min_gap=3))


# --- laws ---


@settings(max_examples=150, deadline=None)
@given(sequences_of_visits, st.integers(1, 4), st.sampled_from([None, 1, 2, 3]))
def test_all_miners_agree_with_brute_force(sequences, smallest, longest):
    expected = brute_force(sequences, smallest, longest or 6)
    assert prefixspan(sequences, smallest, longest) == expected
    assert as_dict(mine_sequences(transactions_from_lists(sequences), smallest, max_length=longest)) == expected


@settings(max_examples=150, deadline=None)
@given(sequences_of_visits, st.integers(1, 3), st.integers(1, 3), st.integers(0, 2), st.sampled_from([None, 4, 9]))
def test_limits_agree_with_brute_force(sequences, smallest, min_gap, more, window):
    random = np.random.default_rng(len(sequences))
    hours = [np.cumsum(random.integers(0, 5, len(sequence))).tolist() for sequence in sequences]
    data = timed(sequences, hours)
    for max_gap in (None, min_gap + more):
        expected = brute_force(sequences, smallest, 6, min_gap, max_gap or 99, window or 99, hours)
        span = f"{window}h" if window else None
        found = mine_sequences(data, smallest, min_gap=min_gap, max_gap=max_gap, window=span)
        assert as_dict(found) == expected


@settings(max_examples=100, deadline=None)
@given(sequences_of_items, st.integers(1, 5), st.sampled_from([1, 2, 3, 5]))
def test_the_package_prefixspan_finds_the_same(sequences, smallest, longest):
    peer = pytest.importorskip("prefixspan").PrefixSpan(sequences)
    peer.minlen, peer.maxlen = 1, longest
    expected = {tuple(pattern): count for count, pattern in peer.frequent(smallest)}
    visits = [[[item] for item in sequence] for sequence in sequences]
    assert as_dict(mine_sequences(transactions_from_lists(visits), smallest, max_length=longest)) == expected
    assert prefixspan(visits, smallest, longest) == expected


@settings(max_examples=80, deadline=None)
@given(sequences_of_visits, st.integers(1, 3), st.integers(1, 2), st.sampled_from([None, "9h"]))
def test_closed_patterns_agree_with_brute_force(sequences, smallest, min_gap, window):
    hours = [list(range(0, 3 * len(sequence), 3)) for sequence in sequences]
    found = mine_sequences(timed(sequences, hours), smallest, min_gap=min_gap, window=window)
    every = as_dict(found)
    expected = {
        pattern: count
        for pattern, count in every.items()
        if not any(
            len(other) > len(pattern) and more == count and is_inside(pattern, other) for other, more in every.items()
        )
    }
    assert as_dict(found.closed()) == expected


def test_closed_patterns_by_hand():
    # every sequence with a, b, c in this order has a b after it; the package prefixspan 0.5.2 overlooks that
    found = mine_sequences(transactions_from_lists([*FOUR * 2, "abcabc"]), 3)
    assert as_dict(found)["a", "b", "c"] == as_dict(found)["a", "b", "c", "b"] == 3
    closed = as_dict(found.closed())
    assert ("a", "b", "c") not in closed
    assert closed["a", "b", "c", "b"] == 3


@settings(max_examples=60, deadline=None)
@given(sequences_of_visits, st.integers(1, 3), st.sampled_from([None, 2]), st.sets(st.integers(0, 4), min_size=1))
def test_constraints_on_items_select_among_all_patterns(sequences, smallest, max_gap, chosen):
    data = transactions_from_lists(sequences)
    chosen = chosen & set(data.items["item_id"])
    every = as_dict(mine_sequences(data, smallest, max_gap=max_gap))
    if chosen:
        only = mine_sequences(data, smallest, max_gap=max_gap, only=chosen)
        assert as_dict(only) == {pattern: count for pattern, count in every.items() if set(pattern) <= chosen}
        containing = mine_sequences(data, smallest, max_gap=max_gap, containing=chosen)
        assert as_dict(containing) == {pattern: count for pattern, count in every.items() if set(pattern) & chosen}


@pytest.mark.parametrize("limits", [{}, {"max_gap": 3}, {"window": "20D"}, {"min_gap": 2}])
def test_small_blocks_change_nothing(shop, monkeypatch, limits):
    whole = as_dict(mine_sequences(shop, 0.2, max_length=3, **limits))
    monkeypatch.setattr("llmarm_tutorial.mining.pattern_search.BLOCK", 3000)
    monkeypatch.setattr("llmarm_tutorial.mining.pattern_search.PAIR_CELLS", 500)
    assert as_dict(mine_sequences(shop, 0.2, max_length=3, **limits)) == whole
    assert max(map(len, whole)) == 3 or limits


# --- thresholds and errors ---


def test_a_support_exactly_on_the_threshold_is_kept():
    data = transactions_from_lists(["ab"] * 3 + ["b"] * 7)
    assert ("a", "b") in as_dict(mine_sequences(data, 0.3))  # 0.3 · 10 is 3.0000000000000004 in binary
    assert ("a", "b") in as_dict(mine_sequences(data, 3))
    assert ("a", "b") not in as_dict(mine_sequences(data, 4))


def test_patterns_are_in_canonical_order():
    found = mine_sequences(transactions_from_lists(FOUR), 2)
    assert found.table()["pattern"].to_list() == sorted(as_dict(found), key=lambda pattern: (len(pattern), pattern))
    assert found.by_length() == [3, 4, 1]
    assert repr(found) == "<8 patterns in 4 sequences, by length [3, 4, 1]>"


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"max_length": 0}, "max_length"),
        ({"min_gap": 0}, "min_gap"),
        ({"min_gap": None}, "min_gap"),
        ({"max_gap": 1.5}, "max_gap"),
        ({"max_gap": True}, "max_gap"),
        ({"min_gap": 3, "max_gap": 2}, "at least min_gap"),
        ({"window": "soon"}, "window"),
        ({"window": "-3h"}, "window"),
        ({"max_patterns": 3}, "max_patterns"),
        ({"max_patterns": 3, "max_gap": 2}, "max_patterns"),
    ],
)
def test_parameters_out_of_range(wrong, word):
    with pytest.raises(BadParameter, match=word) as caught:
        mine_sequences(timed(["abc", "abc"], [[0, 1, 2]] * 2), **{"min_support": 1, **wrong})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("support", [0, -1, 1.5, True, "many"])
def test_a_support_out_of_range(support):
    with pytest.raises(BadParameter):
        mine_sequences(transactions_from_lists(FOUR), support)


def test_what_is_missing_is_said():
    with pytest.raises(Lacks, match="clock"):
        mine_sequences(transactions_from_lists(FOUR), 1, window="3D")
    with pytest.raises(Lacks, match="users"):
        mine_sequences(Transactions.from_baskets(["ab", "b"]), 1)
    with pytest.raises(UnknownName, match="item"):
        mine_sequences(transactions_from_lists(FOUR), 1, only=["z"])
    with pytest.raises(DataError):
        transactions_from_lists([[], []])
    for limits in ({"max_length": 2}, {"max_gap": 2}, {"only": ["a"]}, {"containing": ["a"]}):
        with pytest.raises(BadParameter, match="Closed"):
            mine_sequences(transactions_from_lists(FOUR), 1, **limits).closed()


def test_nothing_frequent_is_an_empty_result():
    for limits in ({}, {"max_gap": 2}, {"containing": ["a"]}):
        found = mine_sequences(transactions_from_lists(FOUR), 5, **limits)
        assert len(found) == 0
        assert len(found.table()) == 0
    assert len(mine_sequences(transactions_from_lists(FOUR), 5).closed()) == 0


# --- numbers that two other programs agree on ---


@pytest.mark.parametrize(("support", "by_length"), [(0.2, [129, 28]), (0.1, [498, 2175, 47])])
def test_movielens_as_published(real_data, support, by_length):
    data = loading.load("movielens-1m").filter_items(5)
    assert mine_sequences(data, support, max_length=3).by_length() == by_length


# --- rules from patterns ---


def rules_as_dict(table: pd.DataFrame, *columns: str) -> dict:
    keys = [(tuple(x), tuple(y)) for x, y in zip(table["antecedent"], table["consequent"], strict=True)]
    return dict(zip(keys, table[list(columns)].itertuples(index=False, name=None), strict=True))


def test_rules_from_patterns_by_hand():
    found = rules_from_patterns(mine_sequences(transactions_from_lists(FOUR), 2))
    assert tuple(found.columns) == COLUMNS
    counted = rules_as_dict(found, "count", "antecedent_count", "consequent_count", "confidence")
    assert counted[("c",), ("b",)] == (3, 4, 4, 0.75)
    assert counted[("b",), ("c",)] == (2, 4, 4, 0.5)
    assert counted[("a", "c"), ("b",)] == (2, 3, 4, 2 / 3)
    assert len(counted) == 5
    longer = rules_as_dict(
        rules_from_patterns(mine_sequences(transactions_from_lists(FOUR), 2), max_consequent=None), "count"
    )
    assert set(longer) - set(counted) == {(("a",), ("c", "b"))}
    assert found["confidence"].is_monotonic_decreasing


def test_a_sequential_rule_exactly_on_the_confidence_is_kept():
    data = transactions_from_lists(["ab"] * 7 + ["a"] * 3)
    patterns = mine_sequences(data, 1)
    assert len(rules_from_patterns(patterns, 0.7)) == 1  # 0.7 · 10 is 7.000000000000001 in binary
    assert len(rules_from_patterns(patterns, 0.71)) == 0
    assert len(follow_rules(transactions_from_lists(["ab"] * 7 + ["ac"] * 3), 1, 1, 0.7)) == 1


def test_rules_from_patterns_need_beginnings():
    data = transactions_from_lists(FOUR)
    for patterns in (mine_sequences(data, 2, containing=["b"]), mine_sequences(data, 2).closed()):
        with pytest.raises(BadParameter, match="beginnings"):
            rules_from_patterns(patterns)
    with pytest.raises(BadParameter, match="max_consequent"):
        rules_from_patterns(mine_sequences(data, 2), max_consequent=0)
    assert len(rules_from_patterns(mine_sequences(data, 5))) == 0


# --- what follows within a window ---


def test_what_follows_by_hand():
    data = transactions_from_lists(["aabx", "xab", "b"])  # six visits... of which five have a next one
    table = follow_rules(data, 1, 1)
    assert tuple(table.columns) == (*COLUMNS, *TESTS)
    counted = rules_as_dict(table, "count", "antecedent_count", "consequent_count", "n_baskets")
    assert counted[("a",), ("b",)] == (2, 3, 2, 5)  # a comes three times, the first is not followed by b at once
    assert counted[("x",), ("a",)] == (1, 1, 2, 5)
    assert rules_as_dict(follow_rules(data, 2, 1), "count")[("a",), ("b",)] == (3,)
    assert (("a",), ("a",)) in rules_as_dict(follow_rules(data, 1, 1, repeats=True), "count")
    assert (("a",), ("a",)) not in counted


def brute_follow(sequences, within: int) -> tuple[dict, dict, int]:
    """Counts of pairs, expectations within customers, and the number of visits with a next one."""
    counts, expected, n = {}, {}, 0
    for sequence in sequences:
        own = sequence[:-1]
        n += len(own)
        ahead = [set().union(*sequence[place + 1 : place + 1 + within]) for place in range(len(own))]
        for a in range(5):
            for b in range(5):
                with_a, with_b = [a in visit for visit in own], [b in visits for visits in ahead]
                both = sum(x and y for x, y in zip(with_a, with_b, strict=True))
                counts[a, b] = counts.get((a, b), 0) + both
                expected[a, b] = expected.get((a, b), 0) + (sum(with_a) * sum(with_b) / len(own) if own else 0)
    return counts, expected, n


@settings(max_examples=100, deadline=None)
@given(sequences_of_visits, st.integers(1, 3))
def test_what_follows_agrees_with_brute_force(sequences, within):
    counts, expected, n = brute_follow(sequences, within)
    found = follow_rules(transactions_from_lists(sequences), within, 1, repeats=True)
    table = rules_as_dict(found, "count", "reverse_count", "n_baskets", "expected")
    assert {(x[0], y[0]) for x, y in table} == {pair for pair, count in counts.items() if count}
    for (x, y), (count, reverse, visits, by_chance) in table.items():
        assert (count, reverse, visits) == (counts[x[0], y[0]], counts[y[0], x[0]], n)
        assert by_chance == pytest.approx(expected[x[0], y[0]])


@settings(max_examples=60, deadline=None)
@given(sequences_of_visits, st.integers(1, 3))
def test_per_customer_agrees_with_brute_force(sequences, within):
    several = [sequence for sequence in sequences if len(sequence) > 1]
    if not several:
        return
    expected = {}
    for sequence in several:
        held = {
            (a, b)
            for place, visit in enumerate(sequence)
            for later in sequence[place + 1 : place + 1 + within]
            for a in visit
            for b in later
        }
        for pair in held:
            expected[pair] = expected.get(pair, 0) + 1
    found = follow_rules(transactions_from_lists(sequences), within, 1, per="customer", repeats=True)
    table = rules_as_dict(found, "count", "antecedent_count", "consequent_count", "n_baskets")
    assert {(x[0], y[0]): values[0] for (x, y), values in table.items()} == expected
    for (x, y), (_, with_x, with_y, n) in table.items():
        assert with_x == sum(any(x[0] in visit for visit in sequence[:-1]) for sequence in several)
        assert with_y == sum(any(y[0] in visit for visit in sequence[1:]) for sequence in several)
        assert n == len(several)


def test_the_tests_of_a_rule_against_scipy():
    from scipy import stats

    table = follow_rules(transactions_from_lists(["abxab", "abyab", "xxaby", "byaba"]), 1, 1)
    row = table[[x == {"a"} and y == {"b"} for x, y in zip(table["antecedent"], table["consequent"], strict=True)]]
    row = row.iloc[0]
    assert row["p_value"] == pytest.approx(stats.poisson.sf(row["count"] - 1, row["expected"]))
    n = int(row["count"] + row["reverse_count"])
    assert row["direction_p"] == pytest.approx(stats.binomtest(int(row["count"]), n, alternative="greater").pvalue)


def test_a_taste_for_both_is_no_evidence():
    # half of the customers buy a or b at every visit, in random order, the others never
    random = np.random.default_rng(5)
    fond = [[[item] for item in random.choice(list("ab"), 20)] for _ in range(200)]
    rest = [[[item] for item in random.choice(list("xy"), 20)] for _ in range(200)]
    table = follow_rules(transactions_from_lists(fond + rest), 1, 1).set_index("antecedent")
    row = table.loc[[frozenset("a")]].iloc[0]
    assert row["lift"] > 1.8
    assert row["lift_within"] == pytest.approx(1.0, abs=0.12)


def test_the_planted_counts_of_the_shop_are_found_again(shop):
    planted = simulate.planted_rules("sequential")
    found = rules_as_dict(follow_rules(shop, 3, 1), "count", "confidence", "lift")
    for rule in planted.itertuples():
        count, confidence, lift = found[tuple(rule.antecedent), tuple(rule.consequent)]
        assert count == rule.count
        assert confidence == pytest.approx(rule.confidence, abs=1e-6)
        assert lift == pytest.approx(rule.lift, rel=1e-4)


def test_the_planted_sequential_rules_come_first_where_baskets_show_none(shop):
    planted = simulate.planted_rules("sequential")
    truth = list(zip(planted["antecedent"], planted["consequent"], strict=True))
    found = follow_rules(shop, 3, 2)
    curve = rule_checks.against_truth(rule_checks.rank_rules(found, "p_value"), truth, directed=True)
    assert curve["hit"].head(planted["difficulty"].isin(["easy", "medium"]).sum()).all()
    # of the range's products, those of a project follow each other, too
    sides = found[["antecedent", "consequent"]].map(min)
    ordinary = (sides < structure_plan.FIRST_ID).all(axis=1)
    curve = rule_checks.against_truth(rule_checks.rank_rules(found[ordinary], "p_value"), truth, directed=True)
    assert rule_checks.average_precision(curve) > 0.8


def test_parameters_of_follow_rules():
    data = transactions_from_lists(FOUR)
    for wrong, word in (({"within": 0}, "within"), ({"within": 1.0}, "within"), ({"per": "basket"}, "per")):
        with pytest.raises(BadParameter, match=word):
            follow_rules(data, **wrong)
    with pytest.raises(Lacks):
        follow_rules(Transactions.from_baskets(["ab"]))


def test_rules_recommend_what_they_say():
    data = transactions_from_lists(["ab", "ab", "ac", "cd"])
    rules = follow_rules(data, 1, 1)
    system = recommend_by_rules(rules, data.items, last=2)
    scores = system.scores(Histories.from_lists([[0], [2, 0], [2, 0, 3, 3]]))  # codes of a, b, c, d are 0 to 3
    assert scores[0].tolist() == pytest.approx([0, 2 / 3, 1 / 3, 0])
    assert scores[1].tolist() == pytest.approx([0, 2 / 3, 1 / 3, 1])
    assert scores[2].tolist() == [0, 0, 0, 0]
    assert not recommend_by_rules(rules.head(0), data.items).scores(Histories.from_lists([[0]])).any()
    with pytest.raises(BadParameter, match="measure"):
        recommend_by_rules(rules, data.items, by="beauty")
    with pytest.raises(BadParameter, match="one item"):
        recommend_by_rules(rules_from_patterns(mine_sequences(data, 1)).assign(antecedent=[("a", "b")] * 3), data.items)


def test_sequential_rules_are_readable():
    found = sequence_rules.readable_sequences(rules_from_patterns(mine_sequences(transactions_from_lists(FOUR), 2)))
    assert "a → c ⇒ b" in set(found["rule"])


def test_lift_by_gap_by_hand():
    data = transactions_from_lists(["abba", "ab"])
    table = sequence_rules.lift_by_gap(data, [("a", "b")], reach=2).set_index("gap")
    assert table.index.to_list() == [-2, -1, 0, 1, 2]
    assert table["count"].to_list() == [1, 1, 0, 2, 1]
    # one visit on, the first customer: a in one of three visits, b in two of the next; the second: one of one
    assert table["expected"][1] == pytest.approx(1 * 2 / 3 + 1)
    with pytest.raises(BadParameter, match="reach"):
        sequence_rules.lift_by_gap(data, [("a", "b")], reach=0)
    with pytest.raises(UnknownName):
        sequence_rules.lift_by_gap(data, [("a", "z")])


def test_what_is_planted_stands_on_one_side_of_zero(shop):
    rule = simulate.planted_rules("sequential").iloc[0]
    pair = (min(rule["antecedent"]), min(rule["consequent"]))
    lift = sequence_rules.lift_by_gap(shop, [pair]).set_index("gap")["lift"]
    assert lift[1] > 4
    assert lift[[-3, -2, -1, 0]].max() < 1.3


@pytest.mark.parametrize("per", ["visit", "customer"])
@pytest.mark.parametrize("support", [1, 0.5])
def test_where_nobody_comes_twice_nothing_follows_anything(per: str, support: float):
    some = follow_rules(transactions_from_lists(["ab", "b"]), 2, 1, per=per)
    none = follow_rules(transactions_from_lists(["a", "b", "c"]), 2, support, per=per)
    assert none.empty
    assert none.dtypes.to_dict() == some.dtypes.to_dict()

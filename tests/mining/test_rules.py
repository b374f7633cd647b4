"""Association rules: worked examples, laws, the peer library, published numbers, and which rules to believe."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlxtend.frequent_patterns import association_rules
from scipy import sparse, stats

from llmarm_tutorial.data import loading
from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.errors import BadParameter, UnknownName
from llmarm_tutorial.mining import rules as rules_module
from llmarm_tutorial.mining.measures import MEASURES, expected_count, lift, measures, positive_pmi, shrunk_lift
from llmarm_tutorial.mining.miners import mine
from llmarm_tutorial.mining.rule_checks import (
    against_truth,
    average_precision,
    kept_by_evidence,
    precision_at_each,
    rank_rules,
    recount,
    without_redundant,
)
from llmarm_tutorial.mining.rules import COLUMNS, mine_rules, pair_rules, readable, rules_from_itemsets
from llmarm_tutorial.mining.significance import (
    benjamini_hochberg,
    fisher_greater,
    lift_within,
    linked_pairs,
    pair_tests,
    rule_significance,
)

FIVE = Transactions.from_baskets([[1, 2], [3, 4], [1, 2, 3, 4], [1, 2, 3], [2, 3, 4]])

baskets_of_few_items = st.lists(st.sets(st.integers(0, 6), min_size=1), min_size=2, max_size=40)


def keyed(rules: pd.DataFrame) -> dict[tuple[frozenset, frozenset], pd.Series]:
    return {(row["antecedent"], row["consequent"]): row for _, row in rules.iterrows()}


def rule(x: list, y: list) -> tuple[frozenset, frozenset]:
    return frozenset(x), frozenset(y)


def test_measures_by_hand():
    """{1} ⇒ {2} in five baskets: together 3, {1} 3, {2} 4."""
    row = keyed(mine_rules(FIVE, 0.4, 0.5))[rule([1], [2])]
    assert row["support"] == pytest.approx(3 / 5)
    assert row["confidence"] == 1
    assert row["lift"] == pytest.approx((3 / 5) / (3 / 5 * 4 / 5))
    assert row["leverage"] == pytest.approx(3 / 5 - 3 / 5 * 4 / 5)
    assert row["conviction"] == math.inf
    assert row["zhang"] == pytest.approx((1 - 1 / 2) / 1)  # P(2|1) = 1, P(2|not 1) = 1/2
    assert row["jaccard"] == pytest.approx(3 / 4)
    assert row["kulczynski"] == pytest.approx((1 + 3 / 4) / 2)
    assert row["imbalance"] == pytest.approx(1 / 4)


def assert_same_conviction(row: pd.Series, of_peer: float) -> None:
    """The same, but where every basket holds the consequent: there the peer says infinite, and the kit undefined."""
    if row["consequent_count"] == row["n_baskets"]:
        assert of_peer == math.inf
        assert np.isnan(row["conviction"])
    else:
        assert row["conviction"] == pytest.approx(of_peer, abs=1e-9)


@given(baskets_of_few_items, st.integers(1, 3))
@settings(max_examples=30, deadline=None)
def test_measures_agree_with_the_peer_library(baskets, smallest):
    transactions = Transactions.from_baskets(baskets)
    ours = pair_rules(transactions, smallest)
    itemsets = mine(transactions, smallest, max_length=2)
    if not len(ours):
        return
    frequent = itemsets.table().rename(columns={"itemset": "itemsets"})
    peer = association_rules(frequent, metric="support", min_threshold=0.0)
    for theirs in peer.itertuples(index=False):
        row = keyed(ours)[theirs.antecedents, theirs.consequents]
        for name in ("support", "confidence", "lift", "leverage", "jaccard", "kulczynski"):
            assert row[name] == pytest.approx(getattr(theirs, name), abs=1e-12), name
        assert_same_conviction(row, theirs.conviction)


@given(st.integers(1, 10**6), st.integers(1, 10**5), st.integers(1, 10**5), st.integers(1, 50))
def test_equal_lifts_are_equal_to_the_last_digit(n, left, right, factor):
    joint = min(left, right)
    assert lift(joint * factor, left * factor, right, n) == lift(joint, left, right, n)
    assert lift(joint, left, right, n) == measures(joint, left, right, n)["lift"]


def test_lift_where_nothing_is_bought_and_where_little_is():
    assert np.isnan(lift(0, 0, 3, 10))
    assert expected_count([2, 0], 5, 10).tolist() == [1, 0]
    assert shrunk_lift([4, 0], [1, 0], 2.0).tolist() == [2, 1]
    assert positive_pmi([4, 1, 0.5, 0, np.nan]).tolist() == [2, 0, 0, 0, 0]
    assert positive_pmi(8.0, shift=2.0) == 2
    assert positive_pmi(np.e, np.log) == 1


def test_rules_of_the_five_baskets_by_hand():
    rules = mine_rules(FIVE, 0.4, 1.0)
    expected = {rule([1], [2]), rule([4], [3]), rule([1, 3], [2]), rule([2, 4], [3])}
    assert set(keyed(rules)) == expected


@given(baskets_of_few_items, st.integers(1, 4), st.sampled_from([0.1, 0.5, 0.75, 1.0]))
@settings(max_examples=25, deadline=None)
@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")  # the peer's own division
def test_rules_agree_with_the_peer_library(baskets, smallest, confidence):
    transactions = Transactions.from_baskets(baskets)
    itemsets = mine(transactions, smallest)
    if len(itemsets) == 0:
        return  # the peer refuses an empty table
    ours = rules_from_itemsets(itemsets, confidence, max_consequent=None)
    table = itemsets.table().rename(columns={"itemset": "itemsets"})
    theirs = association_rules(table, metric="confidence", min_threshold=confidence - 1e-9, num_itemsets=len(baskets))
    peers = {(r["antecedents"], r["consequents"]): r for _, r in theirs.iterrows()}
    assert set(keyed(ours)) == set(peers)
    names = {"zhang": "zhangs_metric", "support": "support", "confidence": "confidence", "lift": "lift"}
    names |= {"leverage": "leverage", "jaccard": "jaccard", "kulczynski": "kulczynski"}
    for key, row in keyed(ours).items():
        assert_same_conviction(row, peers[key]["conviction"])
        for mine_name, their_name in names.items():
            assert row[mine_name] == pytest.approx(peers[key][their_name], abs=1e-9), mine_name


@given(baskets_of_few_items, st.integers(1, 4), st.sampled_from([0.2, 0.6]))
def test_pair_rules_are_the_rules_of_two_items(baskets, smallest, confidence):
    transactions = Transactions.from_baskets(baskets)
    direct = pair_rules(transactions, smallest, confidence)
    mined = rules_from_itemsets(mine(transactions, smallest, max_length=2), confidence)
    assert set(keyed(direct)) == set(keyed(mined))
    by_rule = keyed(mined)
    for key, row in keyed(direct).items():
        pd.testing.assert_series_equal(row, by_rule[key], check_names=False)


@given(
    baskets_of_few_items,
    st.integers(1, 3),
    st.sets(st.integers(0, 6), min_size=1, max_size=3),
    st.sets(st.integers(0, 6), min_size=1, max_size=3),
)
@settings(max_examples=50, deadline=None)
def test_pushed_constraints_give_what_filtering_afterwards_gives(baskets, smallest, left, right):
    present = set().union(*baskets)
    left, right = left & present, right & present
    if not left or not right:
        return
    transactions = Transactions.from_baskets(baskets)
    everything = keyed(mine_rules(transactions, smallest, 0.3, max_consequent=None))
    expected = {key: row for key, row in everything.items() if key[0] <= left and key[1] <= right}
    found = keyed(mine_rules(transactions, smallest, 0.3, antecedent=left, consequent=right, max_consequent=None))
    assert set(found) == set(expected)
    for key, row in found.items():
        pd.testing.assert_series_equal(row, expected[key], check_names=False)


@given(st.integers(1, 40), st.integers(1, 40))
def test_a_rule_exactly_on_the_confidence_is_kept(both, alone):
    """The antecedent alone in `alone` baskets and with the consequent in `both`: confidence both / (both + alone)."""
    transactions = Transactions.from_baskets([["x", "y"]] * both + [["x"]] * alone)
    confidence = both / (both + alone)
    if round(confidence, 6) == confidence:  # a threshold that can be written down
        assert rule(["x"], ["y"]) in keyed(mine_rules(transactions, 1, confidence))


@pytest.mark.parametrize(("both", "all_x", "confidence"), [(7, 50, 0.14), (7, 25, 0.28), (14, 25, 0.56)])
def test_confidences_that_floating_point_loses(both, all_x, confidence):
    """0.14 · 50 is 7.000000000000001 in floating point: a rule of exactly 7 in 50 would be dropped."""
    assert math.ceil(confidence * all_x) == both + 1, "not a case where rounding hurts"
    transactions = Transactions.from_baskets([["x", "y"]] * both + [["x"]] * (all_x - both))
    assert rule(["x"], ["y"]) in keyed(mine_rules(transactions, 1, confidence))
    assert rule(["x"], ["y"]) in keyed(pair_rules(transactions, 1, confidence))


def test_constraints_on_either_side_restrict_the_search(monkeypatch):
    searched = []
    original = rules_module.mine
    monkeypatch.setattr(rules_module, "mine", lambda *a, **k: searched.append(k) or original(*a, **k))
    mine_rules(FIVE, 0.2, 0.1, antecedent=[1], consequent=[2, 3])
    mine_rules(FIVE, 0.2, 0.1, antecedent=[1, 2], consequent=[3], max_consequent=None)
    assert [list(k["containing"]) for k in searched] == [[1], [3]]
    assert [sorted(k["only"]) for k in searched] == [[1, 2, 3], [1, 2, 3]]
    assert [k["max_length"] for k in searched] == [2, 3]


def test_a_consequent_has_at_least_one_item():
    with pytest.raises(BadParameter, match="max_consequent"):
        mine_rules(FIVE, 0.4, 0.5, max_consequent=0)


def test_items_of_one_name_stay_apart_in_rules():
    frame = pd.DataFrame({"basket_id": [1, 1, 2, 2, 3], "item_id": ["p", "q", "p", "q", "p"]})
    items = pd.DataFrame({"item_id": ["p", "q"], "name": ["bag", "bag"]})
    transactions = Transactions.from_frame(frame, items=items)
    rules = pair_rules(transactions, 1, label="name")
    assert set(keyed(rules)) == {rule(["bag [p]"], ["bag [q]"]), rule(["bag [q]"], ["bag [p]"])}
    pd.testing.assert_frame_equal(recount(rules, transactions, label="name"), rules)


def test_no_rules_is_an_empty_table_with_all_columns():
    rules = mine_rules(FIVE, 1.0, 1.0)
    assert list(rules.columns) == list(COLUMNS)
    assert len(rules) == 0
    assert len(rule_significance(rules)) == len(without_redundant(rules)) == len(rank_rules(rules, "lift")) == 0
    assert len(pair_rules(FIVE, 5)) == 0


def test_an_item_in_every_basket_has_no_association():
    transactions = Transactions.from_baskets([["a", "b"], ["a"], ["a", "c"]])
    row = keyed(pair_rules(transactions, 1))[rule(["a"], ["b"])]
    assert row["lift"] == 1
    assert row["zhang"] == 0


@pytest.mark.parametrize("confidence", [0, -1, 1.01, "high", float("nan")])
def test_impossible_confidences_are_refused(confidence):
    with pytest.raises(BadParameter, match="min_confidence"):
        mine_rules(FIVE, 0.4, confidence)


def test_rules_need_all_subsets():
    with pytest.raises(BadParameter, match="mine_rules"):
        rules_from_itemsets(mine(FIVE, 0.4, containing=[1]), 0.5)


# --- published numbers ---


@pytest.fixture
def groceries(real_data):
    return loading.load("groceries")


def test_published_rules_of_groceries(groceries):
    itemsets = mine(groceries, 0.001)
    rules = rules_from_itemsets(itemsets, 0.8)
    assert len(rules) == 410
    lengths = (rules["antecedent"].map(len) + 1).value_counts()
    assert [lengths[k] for k in (3, 4, 5, 6)] == [29, 229, 140, 12]
    assert len(rules_from_itemsets(itemsets, 0.5)) == 5668
    assert len(rules_from_itemsets(itemsets, 0.8, max_consequent=None)) == 413
    assert len(rules_from_itemsets(itemsets, 0.5, max_consequent=None)) == 5829
    moderate = mine(groceries, 0.006)
    assert len(rules_from_itemsets(moderate, 0.25)) == 463
    assert len(rules_from_itemsets(moderate, 0.25, max_consequent=None)) == 467


def test_the_best_known_rule_of_groceries(groceries):
    row = keyed(mine_rules(groceries, 0.001, 0.8, consequent=["bottled beer"]))[
        rule(["liquor", "red/blush wine"], ["bottled beer"])
    ]
    assert row["support"] == pytest.approx(0.001932, abs=5e-7)
    assert row["confidence"] == pytest.approx(0.904762, abs=5e-7)
    assert row["lift"] == pytest.approx(11.235, abs=5e-4)


# --- which rules to believe ---


def test_fisher_by_hand():
    """Lady tasting tea: 8 baskets, X in 4, Y in 4, together in all 4: one arrangement of 70."""
    transactions = Transactions.from_baskets([["x", "y"]] * 4 + [["z"]] * 4)
    row = keyed(rule_significance(pair_rules(transactions, 4)))[rule(["x"], ["y"])]
    assert row["p_value"] == pytest.approx(1 / 70)


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(0, 60), st.integers(0, 60)), min_size=1))
@settings(deadline=None)
def test_fisher_agrees_with_scipy(tables):
    """Tables of baskets with both, only x, only y, neither."""
    both, only_x, only_y, neither = np.array(tables).T
    n, x, y = both + only_x + only_y + neither, both + only_x, both + only_y
    expected = stats.hypergeom.sf(both - 1, n, x, y)
    keep = n > 0
    assert fisher_greater(both, x, y, n)[keep] == pytest.approx(expected[keep], rel=1e-9, abs=1e-12)


def test_fisher_agrees_with_scipy_on_large_counts():
    rng = np.random.default_rng(0)
    x, y = rng.integers(1, 20_000, 300), rng.integers(1, 20_000, 300)
    both = np.minimum(rng.poisson(x * y / 1e6 * rng.uniform(0.3, 4, 300)), np.minimum(x, y))
    expected = stats.hypergeom.sf(both - 1, 1_000_000, x, y)
    assert fisher_greater(both, x, y, np.full(300, 1_000_000)) == pytest.approx(expected, rel=1e-6, abs=1e-200)


def test_correction_counts_the_rules_that_were_looked_at():
    rules = pair_rules(Transactions.from_baskets([["x", "y"]] * 4 + [["z"]] * 4), 4)  # x ⇒ y and y ⇒ x
    assert rule_significance(rules)["q_value"].tolist() == pytest.approx([1 / 70, 1 / 70])
    assert rule_significance(rules, n_tests=20)["q_value"].tolist() == pytest.approx([20 / 2 / 70] * 2)
    with pytest.raises(BadParameter, match="n_tests"):
        rule_significance(rules, n_tests=1)


@given(st.integers(0, 200))
def test_correction_agrees_with_scipy(others):
    held = np.random.default_rng(others).random((60, 6)) < 0.4
    rules = pair_rules(Transactions.from_baskets([np.flatnonzero(row).tolist() for row in held]), 2)
    tested = rule_significance(rules, n_tests=len(rules) + others)
    expected = stats.false_discovery_control(np.append(tested["p_value"], np.ones(others)))[: len(rules)]
    assert tested["q_value"].to_numpy() == pytest.approx(expected)


@given(st.lists(st.integers(0, 20), max_size=30), st.integers(0, 40))
def test_q_values_follow_their_definition_with_ties(twentieths, others):
    """q of a test: the least, over all p no smaller, of p · tests / (tests with a p no larger)."""
    p = np.array(twentieths, dtype=float) / 20
    n = len(p) + others
    wanted = [min([1.0, *(bound * n / (p <= bound).sum() for bound in p[p >= own])]) for own in p]
    assert benjamini_hochberg(p, n) == pytest.approx(wanted, abs=1e-12)


def test_links_are_the_pairs_that_pass_all_thresholds():
    transactions = Transactions.from_baskets([["x", "y"]] * 6 + [["x"], ["z"], ["w"]] * 4 + [["w", "z"]])
    tested = pair_tests(transactions)
    assert len(tested) == 2
    assert linked_pairs(transactions)[["count", "lift"]].to_numpy().tolist() == [[6, 19 * 6 / (10 * 6)]]
    assert len(linked_pairs(transactions, max_q=None)) == 2
    assert len(linked_pairs(transactions, max_q=None, min_lift=1)) == len(linked_pairs(transactions, min_count=2)) == 1
    for wrong in ({"min_count": 0}, {"max_q": 0.0}, {"max_q": 1.5}):
        with pytest.raises(BadParameter, match="Links need"):
            linked_pairs(transactions, **wrong)


def test_strangers_are_no_links():
    """400 items bought independently of each other: 80,000 pairs, and next to no link among them."""
    bought = np.random.default_rng(0).random((2000, 400)) < 0.05
    assert len(linked_pairs(sparse.csr_matrix(bought))) <= 1


def test_false_discoveries_are_controlled_under_independence():
    """On baskets drawn at random every rule is false; a 5 % false discovery rate should rarely find any."""
    found = 0
    for seed in range(20):
        held = np.random.default_rng(seed).random((400, 25)) < 0.15
        rules = pair_rules(Transactions.from_baskets([np.flatnonzero(row).tolist() for row in held]), 2)
        found += (rule_significance(rules, n_tests=25 * 24)["q_value"] < 0.05).any()
    assert found <= 3


@given(baskets_of_few_items)
def test_pair_tests_are_the_significance_of_pair_rules(baskets):
    transactions = Transactions.from_baskets(baskets)
    tests = pair_tests(transactions)
    ids = transactions.items["item_id"].to_numpy()
    rules = keyed(rule_significance(pair_rules(transactions, 1), n_tests=len(ids) * (len(ids) - 1)))
    assert len(rules) == 2 * len(tests)
    for row in tests.itertuples():
        for x, y in ((row.i, row.j), (row.j, row.i)):
            same = rules[rule([ids[x]], [ids[y]])]
            assert same["count"] == row.count
            assert same["lift"] == pytest.approx(row.lift)
            assert same["p_value"] == pytest.approx(row.p_value)
            assert same["q_value"] == pytest.approx(row.q_value)  # every pair is there twice, so is every test


def test_lift_within_strata_by_hand():
    """x and y are sold in one of two seasons, there independently: half of 8 baskets each, together in a quarter."""
    season = [["x", "y"], ["x", "y"], ["x"], ["x"], ["y"], ["y"], ["z"], ["z"]]
    transactions = Transactions.from_baskets(season + [["z"]] * 8)
    rules = pair_rules(transactions, 1)
    rules = rules[
        [
            x == frozenset("x") and y == frozenset("y")
            for x, y in zip(rules["antecedent"], rules["consequent"], strict=True)
        ]
    ]
    assert rules["lift"].item() == pytest.approx(2)
    strata = np.array(["summer"] * 8 + ["winter"] * 8)
    assert lift_within(rules, transactions, strata).item() == pytest.approx(1)
    assert lift_within(rules, transactions, np.zeros(16)).item() == pytest.approx(2)
    alone = np.arange(16)  # every basket a stratum: x and y are expected where they are, and nowhere else
    assert lift_within(rules, transactions, alone).item() == pytest.approx(1)
    apart = np.array([0, 0, 0, 0, 1, 1, 1, 1] + [2] * 8)
    never = rules.assign(consequent=[frozenset(["y", "z"])])
    assert math.isnan(lift_within(never, transactions, apart).item())


def test_pair_tests_count_the_items_that_occur():
    transactions = Transactions.from_baskets([["x", "y"]] * 4 + [["z"]] * 4)
    wider = sparse.hstack([transactions.basket_matrix(), sparse.csr_matrix((8, 50), dtype=bool)], format="csr")
    assert pair_tests(wider)["q_value"].item() == pytest.approx(3 / 70)  # three items occur: three pairs


def test_readable_rules():
    table = readable(mine_rules(FIVE, 0.4, 1.0), ["lift"])
    assert "1, 3 ⇒ 2" in table["rule"].to_list()
    assert list(table.columns) == ["rule", "lift"]


def test_redundant_rules_by_hand():
    baskets = [["a", "b", "c"]] * 6 + [["a", "c"]] * 2 + [["a"]] * 2 + [["b"]] * 10
    rules = mine_rules(Transactions.from_baskets(baskets), 0.1, 0.5)
    kept = keyed(without_redundant(rules))
    assert rule(["a"], ["c"]) in kept  # .8 against .4 in all baskets
    assert rule(["a", "b"], ["c"]) in kept  # 1.0 improves on .8
    assert rule(["b", "c"], ["a"]) not in kept  # {c} ⇒ {a} has confidence 1 already
    assert rule(["a", "b"], ["c"]) not in keyed(without_redundant(rules, min_improvement=0.25))
    assert keyed(rules)[rule(["c"], ["b"])]["confidence"] == 0.75  # but b is in .8 of all baskets anyway
    assert rule(["c"], ["b"]) not in kept


def test_recount_equals_mining_where_the_rules_came_from():
    rules = mine_rules(FIVE, 0.4, 0.5)
    pd.testing.assert_frame_equal(recount(rules, FIVE), rules)


def test_recount_on_unseen_baskets():
    rules = mine_rules(FIVE, 0.4, 0.5)
    other = Transactions.from_baskets([[1], [1, 2], [2, 3], [4]])
    seen = keyed(recount(rules, other))
    assert seen[rule([1], [2])]["confidence"] == pytest.approx(1 / 2)
    assert seen[rule([1], [2])]["lift"] == pytest.approx((1 / 4) / (2 / 4 * 2 / 4))
    assert math.isnan(seen[rule([1, 3], [2])]["confidence"])  # {1,3} does not occur
    assert seen[rule([1, 3], [2])]["support"] == 0
    with pytest.raises(UnknownName, match="no item '4'"):
        recount(rules, Transactions.from_baskets([[1, 2, 3]]))


def test_rank():
    rules = mine_rules(FIVE, 0.4, 0.5)
    best = rank_rules(rules, "lift", 3)
    assert best["lift"].is_monotonic_decreasing
    assert best["lift"].iloc[0] == rules["lift"].max()
    pd.testing.assert_frame_equal(rank_rules(rules.sample(frac=1, random_state=0), "lift"), rank_rules(rules, "lift"))
    with pytest.raises(UnknownName, match="Did you mean 'lift'"):
        rank_rules(rules, "lifft")
    tested = rule_significance(rules)
    assert rank_rules(tested, "p_value")["p_value"].is_monotonic_increasing
    assert rank_rules(tested, "q_value")["q_value"].iloc[0] == tested["q_value"].min()
    tied = rank_rules(rules.assign(lift=1.0), "lift")
    assert tied["count"].is_monotonic_decreasing


def test_against_truth_by_hand():
    ranked = pd.DataFrame(
        {
            "antecedent": [frozenset("a"), frozenset("b"), frozenset("c")],
            "consequent": [frozenset("b"), frozenset("a"), frozenset("d")],
        }
    )
    curve = against_truth(ranked, [("a", "b"), ("c", "d"), ("e", "f")])
    assert curve["hit"].tolist() == [True, False, True]
    assert curve["precision"].tolist() == pytest.approx([1, 1 / 2, 2 / 3])
    assert curve["recall"].tolist() == pytest.approx([1 / 3, 1 / 3, 2 / 3])
    assert average_precision(curve) == pytest.approx((1 + 2 / 3 + 0) / 3)
    undirected = against_truth(ranked, [("b", "a"), ("c", "d")], directed=False)
    assert undirected["hit"].tolist() == [True, True]
    with pytest.raises(BadParameter, match="no true rules"):
        against_truth(ranked, [])


def test_measure_names_are_the_columns():
    assert set(MEASURES) <= set(pair_rules(FIVE, 1).columns)


@pytest.mark.parametrize("p", [[0.1, np.nan], [0.1, -0.2]])
def test_p_values_that_are_none_are_refused(p):
    with pytest.raises(BadParameter, match="leave out tests"):
        benjamini_hochberg(np.array(p))


def test_precision_at_the_place_of_each_true_rule():
    """Places 1 and 3 of what counts; c is passed over, e is not ranked at all."""
    assert precision_at_each("acbdf", ["d", "a", "e"], passed_over="c") == {"d": 2 / 3, "a": 1.0, "e": 0.0}
    assert precision_at_each("acb", "c", passed_over="ca") == {"c": 1.0}  # what is wanted is never passed over
    assert precision_at_each("ab", []) == {}


def test_the_mean_of_these_precisions_is_the_average_precision():
    names = [frozenset(x) for x in "abcdef"]
    ranked = pd.DataFrame({"antecedent": names, "consequent": [frozenset("z")] * 6})
    curve = against_truth(ranked, [("b", "z"), ("e", "z"), ("q", "z")])
    assert np.mean(list(precision_at_each("abcdef", "beq").values())) == pytest.approx(average_precision(curve))


def test_confidence_that_is_kept_is_told_by_the_baskets_behind_the_rules():
    counts = np.array([5, 5, 6, 8, 9, 20, 21, 300])
    mined = pd.DataFrame({"confidence": np.full(8, 0.4), "count": counts})
    unseen = pd.DataFrame({"confidence": [0.1, 0.3, np.nan, 0.2, 0.2, 0.4, 0.2, 0.5]})
    found = kept_by_evidence(mined, unseen)
    assert found.index.tolist() == ["5", "8 to 9", "20", "21 to 300"]  # the rule of 6 is not in the unseen
    assert found["rules"].tolist() == [2, 2, 1, 2]
    assert found["kept"].tolist() == pytest.approx([0.5, 0.5, 1.0, 0.875])


def test_rules_of_one_count_are_one_group_and_no_rules_none():
    alike = pd.DataFrame({"confidence": [0.5, 0.5], "count": [7, 7]})
    assert kept_by_evidence(alike, alike).index.tolist() == ["7"]
    none = kept_by_evidence(alike.head(0), alike.head(0))
    assert none.empty
    assert none.columns.tolist() == ["mined", "unseen", "rules", "kept"]

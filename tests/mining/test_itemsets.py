"""Frequent itemsets: laws, agreement of all miners, and the numbers others have published."""

from __future__ import annotations

from itertools import chain, combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from llmarm_tutorial.data import loading
from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.errors import BadParameter, Lacks, UnknownName
from llmarm_tutorial.mining.itemsets import count_itemsets, min_count, pack_columns, pair_counts, slices
from llmarm_tutorial.mining.miners import MINERS, apriori, compare_miners, generate_candidates, mine, suggest_support

FIVE = [[1, 2], [3, 4], [1, 2, 3, 4], [1, 2, 3], [2, 3, 4]]

baskets_of_few_items = st.lists(st.sets(st.integers(0, 7), min_size=1), min_size=1, max_size=40)


def as_dict(itemsets) -> dict[frozenset, int]:
    table = itemsets.table()
    return dict(zip(table["itemset"], table["count"], strict=True))


def brute_force(baskets: list[set], smallest: int) -> dict[frozenset, int]:
    """Count every subset of every basket."""
    counts: dict[frozenset, int] = {}
    for basket in baskets:
        for itemset in chain.from_iterable(combinations(sorted(basket), k) for k in range(1, len(basket) + 1)):
            counts[frozenset(itemset)] = counts.get(frozenset(itemset), 0) + 1
    return {itemset: count for itemset, count in counts.items() if count >= smallest}


def random_matrix(rng: np.random.Generator, n_baskets: int, n_items: int, density: float) -> sparse.csr_matrix:
    return sparse.csr_matrix(rng.random((n_baskets, n_items)) < density)


# --- the worked example ---


@pytest.mark.parametrize("miner", [m for m in MINERS if m != "mlxtend-fpmax"])
def test_five_baskets_by_hand(miner):
    found = mine(Transactions.from_baskets(FIVE), 0.5, miner=miner)
    one = {frozenset([1]): 3, frozenset([2]): 4, frozenset([3]): 4, frozenset([4]): 3}
    two = {frozenset([1, 2]): 3, frozenset([2, 3]): 3, frozenset([3, 4]): 3}
    assert as_dict(found) == one | two  # {1,2,3} is in two of five baskets only


def test_fpmax_gives_the_maximal_itemsets_by_hand():
    found = mine(Transactions.from_baskets(FIVE), 0.5, miner="mlxtend-fpmax")
    assert set(as_dict(found)) == {frozenset([1, 2]), frozenset([2, 3]), frozenset([3, 4])}


def test_candidates_are_joined_and_pruned_by_hand():
    level = {frozenset(pair) for pair in ["ab", "ac", "bc", "bd"]}
    assert generate_candidates(level, 3) == {frozenset("abc")}  # abd and bcd lack ad and cd


def test_closed_and_maximal_by_hand():
    found = mine(Transactions.from_baskets(FIVE), 0.4)
    # {1} always comes with 2, {4} with 3; {1,3} with 2, {2,4} with 3
    closed = {frozenset(s) for s in ([2], [3], [1, 2], [2, 3], [3, 4], [1, 2, 3], [2, 3, 4])}
    assert set(as_dict(found.closed())) == closed
    assert set(as_dict(found.maximal())) == {frozenset([1, 2, 3]), frozenset([2, 3, 4])}


# --- thresholds ---


@pytest.mark.parametrize(
    ("support", "n", "expected"),
    [
        (0.1, 30, 3),
        (0.3, 10, 3),
        (0.7, 10, 7),
        (0.001, 9835, 10),
        (0.2, 8124, 1625),
        (1.0, 7, 7),
        (1e-9, 5, 1),
        (4, 5, 4),
    ],
)
def test_threshold_is_the_decimal_the_user_wrote(support, n, expected):
    assert min_count(support, n) == expected


@given(st.integers(1, 2000), st.integers(1, 1000))
def test_support_on_the_threshold_counts(n, thousandths):
    """A share written with three decimals: the count is the exact ceiling, computed in integers."""
    assert min_count(thousandths / 1000, n) == -(-thousandths * n // 1000)


@pytest.mark.parametrize("support", [0, 0.0, -0.1, 1.5, float("nan"), True, "0.1", None])
def test_impossible_supports_are_refused_in_one_sentence(support):
    with pytest.raises(BadParameter, match="min_support"):
        mine(Transactions.from_baskets(FIVE), support)


def test_other_user_errors():
    transactions = Transactions.from_baskets(FIVE)
    with pytest.raises(UnknownName, match="Did you mean 'eclat'"):
        mine(transactions, 0.5, miner="eclatt")
    with pytest.raises(UnknownName, match="no item 99"):
        mine(transactions, 0.5, only=[99])
    for length in (0, 2.5):
        with pytest.raises(BadParameter, match="max_length"):
            mine(transactions, 0.5, max_length=length)
    with pytest.raises(BadParameter, match="leave max_length out"):
        mine(transactions, 0.5, miner="mlxtend-fpmax", max_length=2)
    with pytest.raises(UnknownName, match="type is int"):
        mine(transactions, 0.5, only=["1"])
    with pytest.raises(BadParameter, match="More than 3 itemsets"):
        mine(transactions, 0.2, max_itemsets=3)
    with pytest.raises(BadParameter, match="no baskets"):
        mine(sparse.csr_matrix((0, 4)), 0.5)
    with pytest.raises(BadParameter, match="without max_length"):
        mine(transactions, 0.2, max_length=2).closed()


def test_sequences_without_baskets_are_refused():
    watched = Transactions.from_frame(pd.DataFrame({"user_id": [1, 1], "item_id": [1, 2], "position": [0, 1]}))
    with pytest.raises(Lacks, match="lacks baskets"):
        mine(watched, 0.5)


def test_the_suggested_support_gives_a_readable_number_of_itemsets():
    held = np.random.default_rng(0).random((500, 12)) < 0.3
    matrix = sparse.csr_matrix(held)
    chosen = suggest_support(matrix, most=60)
    assert len(mine(matrix, chosen)) <= 60
    lower = {0.5: 0.2, 0.2: 0.1, 0.1: 0.05, 0.05: 0.02, 0.02: 0.01}[chosen]
    assert len(mine(matrix, lower)) > 60
    assert suggest_support(sparse.csr_matrix(np.ones((50, 12), dtype=bool)), most=10) == 0.5  # nothing fits
    assert suggest_support(Transactions.from_baskets(FIVE)) == 0.5  # lower means a single basket


def test_miners_compared_side_by_side(monkeypatch):
    costs = compare_miners(Transactions.from_baskets(FIVE), [0.8, 0.4], ["eclat", "apriori"], patience=60)
    assert costs[["miner", "min_support", "itemsets"]].to_numpy().tolist() == [
        ["eclat", 0.8, 2],
        ["eclat", 0.4, 11],
        ["apriori", 0.8, 2],
        ["apriori", 0.4, 11],
    ]
    assert costs["agrees"].all()
    assert len(compare_miners(Transactions.from_baskets(FIVE), [0.8, 0.4], ["eclat"], patience=0)) == 1
    monkeypatch.setitem(MINERS, "apriori", lambda matrix, count, longest: ([np.array([[0]])], [np.array([5])]))
    wrong = compare_miners(Transactions.from_baskets(FIVE), [0.8], ["eclat", "apriori"], patience=60)
    assert wrong["agrees"].tolist() == [True, False]


# --- laws ---


@given(baskets_of_few_items, st.integers(1, 5))
def test_eclat_and_apriori_agree_with_brute_force(baskets, smallest):
    expected = brute_force(baskets, smallest)
    transactions = Transactions.from_baskets(baskets)
    assert as_dict(mine(transactions, smallest)) == expected
    assert apriori(baskets, smallest) == expected


@given(baskets_of_few_items, st.integers(1, 5))
@settings(max_examples=25, deadline=None)
def test_all_miners_give_the_same_table(baskets, smallest):
    transactions = Transactions.from_baskets(baskets)
    found = mine(transactions, smallest)
    for miner in ("apriori", "mlxtend-apriori", "mlxtend-fpgrowth"):
        assert mine(transactions, smallest, miner=miner) == found
    assert mine(transactions, smallest, miner="mlxtend-fpmax") == found.maximal()


@given(baskets_of_few_items, st.integers(1, 4))
def test_support_falls_as_itemsets_grow(baskets, smallest):
    counts = as_dict(mine(Transactions.from_baskets(baskets), smallest))
    for itemset, count in counts.items():
        for item in itemset:
            if len(itemset) > 1:
                assert counts[itemset - {item}] >= count


@given(baskets_of_few_items, st.integers(1, 4), st.randoms(use_true_random=False))
def test_the_order_of_baskets_does_not_matter(baskets, smallest, random):
    shuffled = random.sample(baskets, len(baskets))
    assert mine(Transactions.from_baskets(baskets), smallest) == mine(Transactions.from_baskets(shuffled), smallest)


@given(baskets_of_few_items, st.integers(1, 4))
def test_closed_and_maximal_follow_their_definitions(baskets, smallest):
    found = mine(Transactions.from_baskets(baskets), smallest)
    counts = as_dict(found)
    closed = {s for s in counts if not any(s < t and counts[s] == counts[t] for t in counts)}
    maximal = {s for s in counts if not any(s < t for t in counts)}
    assert set(as_dict(found.closed())) == closed
    assert set(as_dict(found.maximal())) == maximal


@given(baskets_of_few_items, st.integers(1, 3), st.sets(st.integers(0, 7), min_size=1, max_size=3), st.integers(1, 4))
def test_constraints_give_what_filtering_afterwards_gives(baskets, smallest, chosen, longest):
    transactions = Transactions.from_baskets(baskets)
    chosen = sorted(chosen & set().union(*baskets))
    if not chosen:
        return
    counts = as_dict(mine(transactions, smallest))
    within = {s: c for s, c in counts.items() if s <= set(chosen)}
    holding = {s: c for s, c in counts.items() if s & set(chosen) and len(s) <= longest}
    assert as_dict(mine(transactions, smallest, only=chosen)) == within
    held = mine(transactions, smallest, containing=chosen)
    assert len(held) == 0 or not held.has_subsets
    for miner in ("eclat", "apriori"):
        assert as_dict(mine(transactions, smallest, containing=chosen, max_length=longest, miner=miner)) == holding


# --- sizes at which the vector code takes its other branches ---


@pytest.mark.parametrize("seed", range(6))
def test_eclat_agrees_with_fpgrowth_across_word_boundaries(seed):
    """Basket numbers around multiples of 64, items in every basket, empty baskets, dense and sparse."""
    rng = np.random.default_rng(seed)
    held = rng.random((int(rng.choice([63, 64, 65, 640, 1001])), 14)) < rng.choice([0.05, 0.3, 0.7])
    held[:, 3] = True
    matrix = sparse.csr_matrix(held)
    smallest = max(2, matrix.shape[0] // 8)
    assert mine(matrix, smallest) == mine(matrix, smallest, miner="mlxtend-fpgrowth")


def test_eclat_agrees_when_work_is_cut_into_many_blocks(monkeypatch):
    matrix = random_matrix(np.random.default_rng(1), 500, 30, 0.4)
    whole = mine(matrix, 20)
    monkeypatch.setattr("llmarm_tutorial.mining.eclat_search.BLOCK_WORDS", 7)
    monkeypatch.setattr("llmarm_tutorial.mining.eclat_search.GATHER", 100)
    assert len(whole.levels) >= 3
    assert mine(matrix, 20) == whole


def test_an_item_in_every_basket_and_duplicate_entries():
    matrix = sparse.csr_matrix((np.ones(5, bool), ([0, 0, 1, 2, 2], [0, 0, 0, 0, 1])), shape=(3, 3))
    found = mine(matrix, 1)
    assert as_dict(found) == {frozenset([0]): 3, frozenset([1]): 1, frozenset([0, 1]): 1}


def test_the_callers_matrix_stays_as_it_is():
    """Stored zeros, repeated and unsorted entries are cleaned up in a copy."""
    given_matrix = sparse.csr_matrix(
        (np.array([5, 0, 7, 9, 1]), np.array([2, 1, 0, 1, 1]), np.array([0, 3, 5])), shape=(2, 3)
    )
    before = given_matrix.toarray()
    assert as_dict(mine(given_matrix, 1)) == {frozenset(s): 1 for s in ([0], [1], [2], [0, 2])}
    assert np.array_equal(given_matrix.toarray(), before)
    assert given_matrix.indices.tolist() == [2, 1, 0, 1, 1]


def test_too_many_pairs_are_refused_before_they_fill_the_memory():
    wide = sparse.csr_matrix(np.ones((1, 20_000), dtype=bool))
    with pytest.raises(BadParameter, match="More than 100,000 pairs"):
        mine(wide, 1, max_itemsets=100_000)


@pytest.mark.parametrize("miner", ["mlxtend-apriori", "mlxtend-fpgrowth"])
def test_the_peers_too_keep_itemsets_on_the_threshold(miner):
    """7 of 9 baskets: as a share this is no decimal, and comparing shares may lose it."""
    for n in range(3, 60):
        matrix = sparse.csr_matrix(np.arange(n)[:, None] < [n - 2, n - 1])
        assert len(mine(matrix, n - 2, miner=miner)) == 3


def test_infrequent_items_do_not_reach_the_peers(monkeypatch):
    widths = []
    taught = MINERS["apriori"]
    monkeypatch.setitem(MINERS, "apriori", lambda m, *rest: widths.append(m.shape[1]) or taught(m, *rest))
    mine(Transactions.from_baskets([*FIVE, [9]]), 2, miner="apriori")
    assert widths == [4]


def test_items_of_one_name_stay_apart():
    frame = pd.DataFrame({"basket_id": [1, 1, 2, 2], "item_id": ["p", "q", "p", "q"]})
    items = pd.DataFrame({"item_id": ["p", "q"], "name": ["bag", "bag"]})
    table = mine(Transactions.from_frame(frame, items=items), 2).table(label="name")
    assert set(table["itemset"]) == {frozenset(["bag [p]"]), frozenset(["bag [q]"]), frozenset(["bag [p]", "bag [q]"])}
    with pytest.raises(BadParameter, match="no 'brand'"):
        mine(Transactions.from_frame(frame, items=items), 2).table(label="brand")


def test_long_itemsets_are_not_cut_short():
    matrix = sparse.csr_matrix(np.ones((3, 12), dtype=bool))
    assert len(mine(matrix, 3)) == 2**12 - 1


def test_a_hundred_thousand_items():
    rng = np.random.default_rng(0)
    matrix = sparse.csr_matrix(
        (np.ones(300_000, bool), (rng.integers(0, 50_000, 300_000), rng.zipf(1.3, 300_000) % 100_000)),
        shape=(50_000, 100_000),
    )
    pairs = mine(matrix, 5, max_length=2)
    left, right, count = pair_counts(pairs_matrix := sparse.csr_matrix(matrix, dtype=bool), 5)
    assert np.array_equal(pairs.levels[1], np.stack([left, right], axis=1))
    assert np.array_equal(pairs.counts[1], count)
    assert np.array_equal(count_itemsets(pairs_matrix, pairs.levels[1][:500]), count[:500])


def test_bitsets_keep_a_zero_bit_for_padding():
    for n_baskets in (1, 63, 64, 65, 128):
        packed = pack_columns(sparse.csr_matrix(np.ones((n_baskets, 2), dtype=bool)))
        bits = np.unpackbits(packed.view(np.uint8), axis=1, bitorder="little")
        assert bits[:, :n_baskets].all()
        assert not bits[:, n_baskets:].any()
        assert bits.shape[1] > n_baskets


@given(st.lists(st.integers(0, 9), max_size=30), st.integers(1, 20))
def test_slices_cover_everything_within_the_budget(costs, budget):
    costs = np.array(costs, dtype=np.int64)
    parts = list(slices(costs, budget))
    covered = [i for part in parts for i in range(part.start, part.stop)]
    assert covered == list(range(len(costs)))
    assert all(costs[part].sum() <= budget or part.stop - part.start == 1 for part in parts)


# --- published numbers ---

BY_LENGTH = {
    ("groceries", 0.001): [157, 2981, 6831, 3137, 376, 10],
    ("retail", 0.001): [2117, 3260, 1794, 382, 36],
    ("t10i4d100k", 0.005): [569, 342, 110, 43, 9],
    ("t10i4d100k", 0.001): [797, 8831, 7130, 5499, 3188, 1429, 503, 130, 23, 2],
    ("mushroom", 0.2): [43, 376, 1472, 3559, 6267, 8802, 10151, 9488, 7010, 4004, 1729, 546, 119, 16, 1],
}
ALL_CLOSED_MAXIMAL = {
    ("groceries", 0.05): (31, 31, 27),
    ("groceries", 0.01): (333, 333, 243),
    ("groceries", 0.006): (747, None, None),
    ("groceries", 0.005): (1001, 1001, 708),
    ("groceries", 0.001): (13492, 13464, 7794),
    ("retail", 0.01): (159, 159, 78),
    ("retail", 0.005): (580, 580, 284),
    ("retail", 0.002): (2691, 2691, 1341),
    ("retail", 0.001): (7589, 7572, 3452),
    ("retail", 0.0005): (19242, 19114, 8143),
    ("t10i4d100k", 0.01): (385, 385, 370),
    ("t10i4d100k", 0.005): (1073, None, None),
    ("t10i4d100k", 0.002): (13255, 13107, 1938),
    ("t10i4d100k", 0.001): (27532, 26806, 4054),
    ("mushroom", 0.2): (53583, 1197, 158),
    ("mushroom", 0.1): (574431, 4885, 547),
}


@pytest.mark.parametrize(("name", "support"), ALL_CLOSED_MAXIMAL)
def test_counts_that_two_independent_libraries_agree_on(real_data, name, support):
    found = mine(loading.load(name), support)
    everything, closed, maximal = ALL_CLOSED_MAXIMAL[name, support]
    assert len(found) == everything
    if closed is not None:
        assert (len(found.closed()), len(found.maximal())) == (closed, maximal)
    if (name, support) in BY_LENGTH:
        assert found.by_length() == BY_LENGTH[name, support]


def test_eclat_and_fpgrowth_agree_on_groceries(real_data):
    groceries = loading.load("groceries")
    assert mine(groceries, 0.002) == mine(groceries, 0.002, miner="mlxtend-fpgrowth")

"""Estimates of confidence: exact counts, fair draws, shrinkage, and losses that do not favour anyone."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.preprocessing import normalize

from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.errors import BadParameter, UnknownName
from llmarm_tutorial.evaluation import compare
from llmarm_tutorial.mining import antecedents, confidence, judging
from llmarm_tutorial.mining.antecedents import Evidence, gather, padded
from llmarm_tutorial.mining.confidence import shrunk_confidence
from llmarm_tutorial.mining.judged import JudgedEstimate
from llmarm_tutorial.mining.judging import Trial, confidence_losses
from llmarm_tutorial.mining.rules import pair_rules
from llmarm_tutorial.mining.single_items import Neighbourhood, SingleItems

FIVE = Transactions.from_baskets([[1, 2], [3, 4], [1, 2, 3, 4], [1, 2, 3], [2, 3, 4]]).basket_matrix()

baskets_of_few_items = st.lists(st.sets(st.integers(0, 6), min_size=1), min_size=2, max_size=30)


def matrix_of(baskets: list[set[int]], n_items: int = 7) -> sparse.csr_matrix:
    dense = np.zeros((len(baskets), n_items), dtype=bool)
    for row, basket in enumerate(baskets):
        dense[row, list(basket)] = True
    return sparse.csr_matrix(dense)


def shop_of_two_habits(n: int, seed: int) -> sparse.csr_matrix:
    """20 items; the even and the odd ones go together."""
    rng = np.random.default_rng(seed)
    habit = rng.integers(0, 2, n)
    chance = np.where((np.arange(20) % 2)[None, :] == habit[:, None], 0.3, 0.05)
    return sparse.csr_matrix(rng.random((n, 20)) < chance)


# --- evidence ------------------------------------------------------------------------------------------------------


def test_evidence_by_hand():
    """{1}: three baskets; {1, 3}: two; {1, 4}: one. Codes are ids less 1."""
    found = gather(FIVE, padded([[0], [2, 0], [0, 3]]))
    assert found.baskets.tolist() == [3, 2, 1]
    assert found.joint.tolist() == [[3, 3, 2, 1], [2, 2, 2, 1], [1, 1, 1, 1]]
    assert found.shares.tolist() == [3 / 5, 4 / 5, 4 / 5, 3 / 5]
    assert found.sizes.tolist() == [1, 2, 2]
    assert found.open.tolist() == [[False, True, True, True], [False, True, False, True], [False, True, True, False]]


@given(baskets_of_few_items, st.lists(st.sets(st.integers(0, 6), min_size=1, max_size=3), min_size=1, max_size=8))
@settings(max_examples=40, deadline=None)
def test_evidence_is_what_a_loop_counts(baskets, antecedents):
    found = gather(matrix_of(baskets), padded([sorted(x) for x in antecedents]))
    for row, x in enumerate(antecedents):
        holding = [basket for basket in baskets if x <= basket]
        assert found.baskets[row] == len(holding)
        assert found.joint[row].tolist() == [sum(y in basket for basket in holding) for y in range(7)]


def test_counted_confidence_is_that_of_the_rule_table(shop):
    rules = pair_rules(shop, 50)
    code = {item: place for place, item in enumerate(shop.items["item_id"])}
    x = np.array([[code[min(a)]] for a in rules["antecedent"]], dtype=np.int32)
    y = np.array([code[min(b)] for b in rules["consequent"]])
    found = confidence.raw_confidence(gather(shop.basket_matrix(), x))
    assert found[np.arange(len(y)), y] == pytest.approx(rules["confidence"].to_numpy(), abs=1e-6)


@pytest.mark.parametrize("antecedent", [[], [1, 1]])
def test_an_impossible_antecedent_is_refused(antecedent):
    with pytest.raises(BadParameter, match="at least one item"):
        padded([antecedent])


# --- fair draws ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 2, 3])
def test_every_part_of_every_basket_is_drawn_equally_often(size: int):
    matrix = matrix_of([{0, 1}, {0, 1, 2, 3, 4}, {2, 3, 5}, {6}])
    rng = np.random.default_rng(0)
    basket, part = antecedents.draw_parts(matrix, size, 60_000, rng)
    every = [
        (row, x) for row, held in enumerate([{0, 1}, {0, 1, 2, 3, 4}, {2, 3, 5}, {6}]) for x in combinations(held, size)
    ]
    drawn = {key: 0 for key in every}
    for row, x in zip(basket.tolist(), part.tolist(), strict=True):
        drawn[row, tuple(x)] += 1  # a KeyError would be a part that its basket does not hold
    expected = 60_000 / len(every)
    assert max(abs(n - expected) for n in drawn.values()) < 5 * np.sqrt(expected)


def test_drawn_pairs_give_the_confidence_and_a_basket_first_does_not():
    """Baskets {0, 1} and {0, 1, 2, …, 9}: the confidence of {0} ⇒ {2} is one half."""
    matrix = matrix_of([{0, 1}, set(range(10))], 10)
    rng = np.random.default_rng(1)
    basket, part = antecedents.draw_parts(matrix, 1, 50_000, rng)
    with_it = (part == 0).any(axis=1)
    assert (basket[with_it] == 1).mean() == pytest.approx(0.5, abs=0.02)
    naive = rng.integers(0, 2, 50_000)  # a basket first, then one of its items
    first = rng.random(50_000) < np.where(naive == 0, 1 / 2, 1 / 10)
    assert naive[first].mean() == pytest.approx((1 / 10) / (1 / 2 + 1 / 10), abs=0.02)


def test_too_large_a_part_is_refused():
    with pytest.raises(BadParameter, match="No basket has 5 items"):
        antecedents.draw_parts(FIVE, 5, 10, np.random.default_rng(0))


def test_questions_come_from_unseen_baskets_and_fill_the_bands():
    known, unseen = shop_of_two_habits(3000, 0), shop_of_two_habits(1000, 1)
    asked = antecedents.draw_questions(unseen, known, sizes=(1, 2), per_band=15, seed=3)
    assert (gather(unseen, asked).baskets > 0).all()
    assert len(np.unique(asked, axis=0)) == len(asked)
    evidence = gather(known, asked)
    kinds = list(zip(evidence.sizes, antecedents.band_of(evidence.baskets), strict=True))
    assert max(kinds.count(kind) for kind in kinds) == 15
    again = antecedents.draw_questions(unseen, known, sizes=(1, 2), per_band=15, seed=3)
    assert np.array_equal(asked, again)


def test_bands():
    assert antecedents.band_of(np.array([0, 1, 4, 5, 499, 500, 9999])).tolist() == [0, 1, 1, 2, 6, 7, 7]
    assert antecedents.band_names()[:3] == ["0", "1 to 4", "5 to 9"]
    assert antecedents.band_names()[-1] == "500 and more"


# --- estimates -----------------------------------------------------------------------------------------------------


def test_estimates_by_hand():
    """{1} ⇒ {4}: one of three baskets; item 4 is in three of five."""
    known = gather(FIVE, padded([[0]]))
    assert confidence.raw_confidence(known)[0, 3] == pytest.approx(1 / 3)
    assert confidence.add_k(known, 1)[0, 3] == pytest.approx(2 / 5)
    assert shrunk_confidence(known, known.shares, 2)[0, 3] == pytest.approx((1 + 2 * 3 / 5) / (3 + 2))
    assert shrunk_confidence(known, known.shares, np.inf)[0] == pytest.approx(known.shares)


def test_without_baskets_a_count_falls_back_on_the_shares():
    known = gather(matrix_of([{0, 1}, {2}]), padded([[0, 2]]))
    assert confidence.raw_confidence(known)[0] == pytest.approx(known.shares)


def test_doubt_believes_a_count_that_the_prior_cannot_explain():
    """Prior 0.1: 40 of 100 is believed, 12 of 100 and 2 of 4 are not."""
    counts = np.array([[40], [12], [2]], dtype=np.int32)
    known = Evidence(np.full((3, 1), 5), np.array([100, 100, 4]), counts, np.array([0.1]))
    told = confidence.doubted(known, np.array([0.1]), np.inf, 0.001)[:, 0]
    assert told[0] == pytest.approx((40 + confidence.SLACK * 0.1) / (100 + confidence.SLACK), abs=0.01)
    assert told[1:] == pytest.approx([0.1, 0.1], abs=0.02)
    assert confidence.doubted(known, np.array([0.1]), 50, 0.0) == pytest.approx(
        shrunk_confidence(known, np.array([0.1]), 50)
    )


def test_doubt_is_bayes_rule_by_hand():
    """One basket with the item; prior 0.2 worth 8 baskets or, with a chance of one half, SLACK: both expect 0.2."""
    known = Evidence(padded([[5]]), np.array([1]), np.array([[1]], dtype=np.int32), np.array([0.2]))
    firm, loose = (1 + 8 * 0.2) / 9, (1 + confidence.SLACK * 0.2) / (1 + confidence.SLACK)
    assert confidence.doubted(known, np.array([0.2]), 8, 0.5)[0, 0] == pytest.approx((firm + loose) / 2, rel=1e-5)


def test_back_off_multiplies_odds():
    known = gather(FIVE, padded([[0, 2]]))
    singles = np.full((4, 4), 0.5)
    singles[0, 3], singles[2, 3] = 0.3, 0.8
    base, odds = 0.6 / 0.4, (0.3 / 0.7) * (0.8 / 0.2) / (0.6 / 0.4)
    assert confidence.backed_off(known, singles.__getitem__)[0, 3] == pytest.approx(odds / (1 + odds))
    half = base * np.sqrt(odds / base)
    assert confidence.backed_off(known, singles.__getitem__, 0.5)[0, 3] == pytest.approx(half / (1 + half))


def test_back_off_of_a_single_item_is_its_own_estimate():
    singles = np.linspace(0.1, 0.9, 16).reshape(4, 4)
    known = gather(FIVE, padded([[1], [0, 1]]))
    assert confidence.backed_off(known, singles.__getitem__, 0.5)[0] == pytest.approx(singles[1], rel=1e-5)


def test_a_rare_item_borrows_from_those_like_it():
    """Item 18 is cut to three baskets; its even neighbours tell what it goes with."""
    dense = shop_of_two_habits(4000, 5).toarray()
    rows = np.flatnonzero(dense[:, 18])
    dense[rows[3:], 18] = False
    matrix, every = sparse.csr_matrix(dense), np.arange(20, dtype=np.int32)
    lent = Neighbourhood.of(SingleItems.of(matrix), every, 5).borrowed(np.array([18]), 5)[0]
    truth = 0.3 * 6 / 7 + 0.05 / 7  # a basket with an even item is of the even habit six times of seven
    even = lent[[0, 2, 4, 6]]
    assert np.abs(even - truth).max() < 0.06
    counted = confidence.raw_confidence(gather(matrix, every[:, None]))[18, [0, 2, 4, 6]]
    assert np.abs(counted - truth).max() > 0.06


def dense_loan(matrix: sparse.csr_matrix, k: int) -> np.ndarray:
    """What every item borrows, as the definition says it, with tables of all items × all items."""
    singles = gather(matrix, np.arange(matrix.shape[1], dtype=np.int32)[:, None])
    own = (singles.joint + 10 * singles.shares) / (singles.baskets + 10)[:, None]
    profile = (own - singles.shares) / np.sqrt(singles.shares * (1 - singles.shares) + 1e-12)
    profile[np.abs(own - singles.shares) < 1e-12] = 0.0  # what is left by rounding would be blown up
    np.fill_diagonal(profile, 0.0)
    alike = np.clip(normalize(profile) @ normalize(profile).T, 0, None)
    np.fill_diagonal(alike, 0.0)
    alike[alike < np.partition(alike, -k, axis=1)[:, [-k]]] = 0.0
    weight = alike * np.minimum(singles.baskets, 100)
    np.fill_diagonal(own, singles.shares)
    return (weight @ own + singles.shares) / (weight.sum(axis=1, keepdims=True) + 1)


@pytest.mark.parametrize("k", [1, 5, 12])
@pytest.mark.parametrize("block", [7, 2**21])
def test_neighbours_in_sparse_rows_are_those_of_full_tables(k: int, block: int, monkeypatch: pytest.MonkeyPatch):
    """With an item in every basket, one that was never bought and one bought once."""
    dense = shop_of_two_habits(500, 6).toarray()
    dense[:, 3], dense[:, 4], dense[:, 5] = True, False, np.arange(500) == 7
    matrix, codes = sparse.csr_matrix(dense), np.array([0, 3, 4, 5, 6, 19])
    monkeypatch.setattr(antecedents, "BLOCK", block)
    near = Neighbourhood.of(SingleItems.of(matrix), np.append(codes, [-1, 0]), 12)
    assert near.borrowed(codes, k) == pytest.approx(dense_loan(matrix, k)[codes], abs=1e-6)
    asked = np.array([19, 0, 19])  # in any order
    assert near.borrowed(asked, k) == pytest.approx(dense_loan(matrix, k)[asked], abs=1e-6)


@pytest.mark.parametrize("rows", [1, 3])
def test_estimates_in_blocks_are_those_of_the_whole(rows: int, trial, monkeypatch: pytest.MonkeyPatch):
    train, questions = trial
    whole = judging.count_estimates(train, questions)
    monkeypatch.setattr(antecedents, "BLOCK", rows * 20)
    for name, parts in judging.count_estimates(train, questions).items():
        for found, right in zip(parts, whole[name], strict=True):
            assert found == pytest.approx(right, rel=1e-6), name


def test_counts_without_zeros_are_those_with_them():
    asked = padded([[0], [1, 2], [3], [0, 1, 2, 3], [0, 3]])
    baskets, joint = antecedents.gather_sparse(FIVE, asked)
    full = gather(FIVE, asked)
    assert baskets.tolist() == full.baskets.tolist() == [3, 3, 3, 1, 1]
    assert joint.toarray().tolist() == full.joint.tolist()
    assert antecedents.gather_sparse(FIVE, asked[:0])[1].shape == (0, 4)


# --- losses --------------------------------------------------------------------------------------------------------


def test_losses_by_hand():
    """One antecedent in four unseen baskets, one other item in one of them, predicted at one half."""
    unseen = Evidence(padded([[0]]), np.array([4]), np.array([[4, 1]], dtype=np.int32), np.array([0.5, 0.5]))
    table = confidence_losses(np.array([[0.9, 0.5]]), unseen)
    assert table["log_loss"][0] == pytest.approx(np.log(2))  # one bit, whatever happens
    assert table["brier"][0] == pytest.approx(0.25)
    assert table["squared_error"][0] == pytest.approx((0.5 - 0.25) ** 2 - 0.25 * 0.75 / 3)


def test_losses_of_some_consequents_are_those_of_the_table_without_the_others():
    known = gather(FIVE, padded([[0], [1, 2], [3]]))
    estimate = np.random.default_rng(0).uniform(0.1, 0.9, known.joint.shape)
    some = np.array([False, True, True, False])
    table = confidence_losses(estimate, known, some)
    p, share = estimate[2, 1:3], known.joint[2, 1:3] / known.baskets[2]  # the antecedent is none of them
    assert table["log_loss"][2] == pytest.approx(-(share * np.log(p) + (1 - share) * np.log(1 - p)).sum())
    assert table["log_loss"][1] == 0  # both are in the antecedent
    whole = confidence_losses(estimate, known)
    other = confidence_losses(estimate, known, ~some)
    assert (table["log_loss"] + other["log_loss"]).to_numpy() == pytest.approx(whole["log_loss"].to_numpy())


def test_the_squared_error_is_unbiased_however_few_baskets_there_are():
    rng = np.random.default_rng(0)
    truth, told, n = 0.3, 0.4, 3
    drawn = rng.binomial(n, truth, 40_000)
    unseen = Evidence(
        np.zeros((40_000, 1), dtype=np.int32), np.full(40_000, n), np.stack([drawn * 0 + n, drawn], axis=1),
        np.array([0.5, 0.5]),
    )  # fmt: skip
    table = confidence_losses(np.full((40_000, 2), told), unseen)
    assert table["squared_error"].mean() == pytest.approx((told - truth) ** 2, abs=0.002)


@given(st.floats(0.02, 0.98), st.floats(0.02, 0.98))
@settings(max_examples=30, deadline=None)
def test_the_truth_loses_least(truth: float, told: float):
    """Both losses are proper: expectation over k of three baskets."""
    chances = [truth**k * (1 - truth) ** (3 - k) * [1, 3, 3, 1][k] for k in range(4)]
    unseen = Evidence(
        np.zeros((4, 1), dtype=np.int32), np.full(4, 3), np.array([[3, k] for k in range(4)]), np.array([0.5, 0.5])
    )
    expected = [
        confidence_losses(np.full((4, 2), p), unseen)[["log_loss", "brier"]].to_numpy().T @ chances
        for p in (truth, told)
    ]
    assert (expected[0] <= expected[1] + 1e-9).all()


# --- what is chosen ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trial() -> tuple[sparse.csr_matrix, Trial]:
    train = shop_of_two_habits(600, 0)
    return train, Trial.of(train, shop_of_two_habits(2000, 1), shop_of_two_habits(2000, 2), per_band=40, seed=0)


def test_tuned_strengths_are_no_worse_than_either_side(trial):
    _, questions = trial
    known, unseen = questions.known, questions.unseen
    model = np.where((known.antecedents[:, :1] % 2) == (np.arange(20) % 2), 0.25, 0.1).astype(np.float32)
    chosen = judging.tune_confidence(known, unseen, known.shares, model)
    options = {
        "both": chosen.estimate(known, known.shares, model),
        "shares": shrunk_confidence(known, known.shares, np.inf),
        "counts": confidence.raw_confidence(known),
        "model": model,
    }
    table = judging.by_band({name: confidence_losses(p, unseen) for name, p in options.items()}, known)
    by = table.pivot(index="band", columns="estimate", values="log_loss")
    enough = table.pivot(index="band", columns="estimate", values="antecedents")["both"] >= 30
    assert enough.any()
    assert (by["both"] <= by[["shares", "counts", "model"]].min(axis=1) + 1e-9)[enough].all()


def test_shrinking_and_borrowing_help_on_unseen_baskets(trial):
    train, questions = trial
    found = judging.count_estimates(train, questions)
    assert tuple(found) == judging.COUNT_ESTIMATES
    table = {
        name: judging.mean_losses(confidence_losses(pair[1], questions.unseen_test)) for name, pair in found.items()
    }
    assert table["shrunk"]["log_loss"] < table["add-k"]["log_loss"] < table["counts"]["log_loss"]
    assert table["back-off"]["rmse"] < table["shrunk"]["rmse"] < table["counts"]["rmse"]
    best = judging.best_of(found, questions)
    assert best[1].shape == found["counts"][1].shape
    assert set(best[2]) <= set(found)
    rows = np.flatnonzero(antecedents.band_of(questions.known_test.baskets) == 5)
    assert np.array_equal(best[1][rows], found[best[2][5]][1][rows])


# --- estimates compared ----------------------------------------------------------------------------------------------


def judged(error: float, seed: int = 0, n: int = 80) -> JudgedEstimate:
    """An estimate that is off by so much about n antecedents in 5 to 40 baskets."""
    rng = np.random.default_rng(seed)
    baskets, truth = rng.integers(5, 40, n), rng.uniform(0.1, 0.5, (n, 6))
    joint = rng.binomial(baskets[:, None], truth)
    unseen = Evidence(np.full((n, 1), -1, dtype=np.int32), baskets, joint, np.full(6, 0.3))
    return JudgedEstimate(f"off by {error}", confidence_losses(truth + error, unseen))


def test_an_estimate_counts_each_antecedent_as_often_as_it_is_drawn():
    estimate = judged(0.1)
    assert {name: estimate.value(name) for name in judging.LOSSES} == {
        name: value for name, value in judging.mean_losses(estimate.losses).items() if name != "baskets"
    }
    twice = np.repeat(np.arange(len(estimate)), 2)
    times = np.zeros(len(estimate))
    times[:10] = 2
    for name in judging.LOSSES:
        drawn = JudgedEstimate("drawn", estimate.losses.iloc[twice[:20]])
        assert estimate.weighted(name, times) == pytest.approx(drawn.value(name))


def test_the_better_estimate_wins_in_every_loss():
    for name in judging.LOSSES:
        gain = compare(judged(0.0), judged(0.2), name, resamples=200).negated()
        assert (gain.first, gain.second, gain.verdict) == ("off by 0.0", "off by 0.2", "wins")
        assert compare(judged(0.2), judged(0.0), name, resamples=200).negated().verdict == "loses"


def test_estimates_that_cannot_be_compared():
    with pytest.raises(UnknownName, match="log_loss"):
        judged(0.1).value("AUROC")
    with pytest.raises(BadParameter, match="different baskets"):
        compare(judged(0.1), judged(0.1, seed=1), "rmse")


def test_sizes_that_no_basket_has_are_not_asked():
    pairs = Transactions.from_baskets([["a", "b"], ["a", "c"], ["b"]]).basket_matrix()
    assert antecedents.sizes_held(pairs, (1, 2, 3)) == [1, 2]
    assert antecedents.sizes_held(pairs, (4, 3)) == [3]  # refused where it is drawn
    found = antecedents.draw_questions(pairs, pairs, sizes=(1, 2, 3), draws=200)
    assert sorted((row[row >= 0]).tolist() for row in found) == [[0], [0, 1], [0, 2], [1], [2]]


def test_an_estimate_without_any_value_keeps_its_column():
    rows = [("5 to 9", "model", np.nan, 2.0), ("1 to 4", "model", np.nan, 1.0), ("1 to 4", "counts", 0.5, 3.0)]
    table = pd.DataFrame(rows, columns=["band", "estimate", "rmse", "log_loss"])
    wide = judging.wide_by_band(table, ["rmse", "log_loss"])
    assert wide.index.tolist() == ["5 to 9", "1 to 4"]
    assert wide.columns.tolist() == [(m, name) for m in ("rmse", "log_loss") for name in ("model", "counts")]
    assert wide["rmse"]["model"].isna().all()
    assert judging.wide_by_band(table, "log_loss").loc["1 to 4"].tolist() == [1.0, 3.0]

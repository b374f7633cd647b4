"""What a shop does with associations: each number against one worked out by hand, a law, or the planted truth."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse, stats

from llmarm_tutorial.data.shop import simulate
from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.errors import BadParameter, Lacks, UnknownName
from llmarm_tutorial.figures import shop as shop_figures
from llmarm_tutorial.mining.rules import pair_rules
from llmarm_tutorial.mining.significance import lift_low, linked_pairs
from llmarm_tutorial.recommend import promotion, shelf
from llmarm_tutorial.recommend.counting import AssociationRules
from llmarm_tutorial.recommend.pages import judge_pages, page_links, partners_of, taken_along


def baskets(*rows: str) -> sparse.csr_matrix:
    """Baskets × items from rows like "1100"."""
    return sparse.csr_matrix(np.array([[c == "1" for c in row] for row in rows]))


# --- links and pages -------------------------------------------------------------------------------------------------


def test_links_by_hand():
    matrix = baskets("110", "110", "100", "011", "001")
    found = page_links(matrix, least=2, strength=5)
    assert found[["item", "partner", "together"]].to_numpy().tolist() == [[0, 1, 2], [1, 0, 2]]
    first = found.iloc[0]
    assert (first["baskets"], first["confidence"], first["share"]) == (3, 2 / 3, 3 / 5)
    assert first["shrunk"] == pytest.approx((2 + 5 * 0.6) / (3 + 5))
    assert first["lift"] == pytest.approx(2 / 3 / 0.6)


@pytest.mark.parametrize(("hits", "of"), [(0, 3), (1, 1), (7, 20), (490, 1000)])
def test_the_lower_end_agrees_with_scipy(hits: int, of: int):
    wanted = stats.binomtest(hits, of).proportion_ci(0.9, method="wilson").low
    # half of all baskets hold the partner, so the lift is twice the confidence
    found = lift_low(np.array([hits]), np.array([of]), np.array([of]), 2 * of, 0.9)[0]
    assert found == pytest.approx(2 * wanted, abs=1e-12)


def test_few_baskets_pull_the_lower_end_down_and_the_best_partner_changes(shop):
    found = page_links(shop.basket_matrix(), least=1)
    by_lift, by_low = (partners_of(found, 11, 3, by) for by in ("lift", "lift_low"))
    assert shop.labels("name")[11] == "Tortilla wraps"
    assert shop.labels("name")[by_low["partner"][0]] == "Guacamole"
    assert by_low["together"][0] > by_lift["together"][0] or by_low["partner"][0] == by_lift["partner"][0]
    assert by_low["lift_low"].is_monotonic_decreasing
    assert (found["lift_low"] < found["lift"]).all()


def test_what_later_baskets_take_along():
    later = baskets("1100", "1010", "1001", "0110", "0011")
    row = taken_along(later, {0: [1, 2]}).iloc[0]
    assert (row["baskets"], row["taken"]) == (3, 2)
    # each basket with item 0 holds one of three others; two shown: missed with chance C(2,2)/C(3,2) = 1/3
    assert row["chance"] == pytest.approx(3 * 2 / 3)
    assert row["others"] == 1.0


@given(st.integers(0, 10**6), st.integers(1, 4))
@settings(max_examples=30, deadline=None)
def test_chance_is_what_random_pages_take(seed: int, k: int):
    random = np.random.default_rng(seed)
    later = sparse.csr_matrix(random.random((12, 6)) < 0.4)
    pages = itertools.combinations(range(1, 6), k)
    rows = [taken_along(later, {0: page}).iloc[0] for page in pages]
    assert np.mean([row["taken"] for row in rows]) == pytest.approx(rows[0]["chance"])


@pytest.mark.parametrize("page", [[0, 1], [1, 1]])
def test_a_page_shows_others_once(page: list[int]):
    with pytest.raises(BadParameter, match="other products"):
        taken_along(baskets("11", "10"), {0: page})


def test_pages_are_judged_against_those_without_the_product():
    even = pd.DataFrame({"item": [0, 1], "baskets": [4, 4], "taken": [2, 2], "chance": [1, 1], "others": [0.25, 0.25]})
    uneven = pd.DataFrame({"item": [0, 1], "baskets": [3, 1], "taken": [3, 0], "chance": [1, 1], "others": [0.5, 0.1]})
    judged = judge_pages({"even": even, "uneven": uneven}, resamples=200, seed=1).set_index("way")
    # all draws of two like pages are alike
    assert judged.loc["even"].tolist() == [0.5, 0.5, 0.5, 0.25, 2, 2, 2]
    # 3 of 4 baskets, against (3 · 0.5 + 1 · 0.1) / 4 of those without the product
    assert judged.loc["uneven", ["with product", "without product"]].tolist() == pytest.approx([0.75, 0.4])
    assert judged.loc["uneven", "ratio"] == pytest.approx(0.75 / 0.4)
    # draws hold the first page twice, both, or the second twice
    assert judged.loc["uneven", ["low", "high"]].tolist() == [0, 1]
    assert judged.loc["uneven", ["ratio low", "ratio high"]].tolist() == pytest.approx([0, 2])


def test_pages_of_different_products_are_not_compared():
    pages = pd.DataFrame({"item": [0], "baskets": [2], "taken": [1], "chance": [1.0], "others": [0.5]})
    for wrong in ({}, {"a": pages, "b": pages.assign(item=1)}, {"a": pages.assign(baskets=0)}):
        with pytest.raises(BadParameter, match="same products"):
            judge_pages(wrong)
    for settings_ in ({"resamples": 0}, {"level": 1.0}):
        with pytest.raises(BadParameter, match="resamples"):
            judge_pages({"a": pages}, **settings_)


def test_pages_rules_tests_and_recommenders_tell_the_same_lift(shop):
    known = shop.rows(shop.table["user_id"].notna().to_numpy())  # the recommender counts within users only
    matrix = known.basket_matrix()
    found = page_links(matrix, least=5)
    found = found[found["item"] < found["partner"]].sort_values(["item", "partner"])
    tested = linked_pairs(matrix, min_count=5, max_q=None)
    assert found["lift"].tolist() == tested["lift"].tolist()
    assert sorted(pair_rules(matrix, 5)["lift"]) == sorted([*tested["lift"], *tested["lift"]])
    weights = sparse.csr_matrix(AssociationRules("lift", "basket", 5).fit(known.histories()).weights)
    told = np.asarray(weights[tested["i"].to_numpy(), tested["j"].to_numpy()]).ravel()
    assert told.tolist() == tested["lift"].astype(np.float32).tolist()


def test_wrong_settings_of_links_and_partners():
    matrix = baskets("11", "10")
    for wrong in ({"least": 0}, {"strength": -1}, {"level": 1.0}):
        with pytest.raises(BadParameter, match="Links need"):
            page_links(matrix, **wrong)
    with pytest.raises(UnknownName, match="measure of partners"):
        partners_of(page_links(matrix, least=1), 0, by="luck")


# --- the shelf -------------------------------------------------------------------------------------------------------


def chain(n: int, seed: int) -> tuple[sparse.csr_matrix, np.ndarray]:
    """Links between neighbours of a line, its places shuffled; and the shuffled order."""
    order = np.random.default_rng(seed).permutation(n)
    weights = np.zeros((n, n))
    weights[order[:-1], order[1:]] = weights[order[1:], order[:-1]] = 1
    return sparse.csr_matrix(weights), order


@pytest.mark.parametrize("how", shelf.ORDERINGS)
def test_a_short_line_is_laid_out_again(how: str):
    weights, order = chain(5, 3)
    assert shelf.seriate(weights, how).tolist() in (order.tolist(), order[::-1].tolist())


@given(st.integers(3, 40), st.integers(0, 100))
@settings(max_examples=20, deadline=None)
def test_the_fiedler_vector_lays_out_any_line(n: int, seed: int):
    weights, order = chain(n, seed)
    assert shelf.seriate(weights).tolist() in (order.tolist(), order[::-1].tolist())
    assert shelf.mean_distance(shelf.seriate(weights), weights) == 1.0


@given(st.integers(1, 12), st.integers(0, 1000), st.sampled_from(shelf.ORDERINGS))
@settings(max_examples=60, deadline=None)
def test_every_product_gets_one_place(n: int, seed: int, how: str):
    random = np.random.default_rng(seed)
    upper = np.triu(random.random((n, n)) * (random.random((n, n)) < 0.3), 1)
    order = shelf.seriate(sparse.csr_matrix(upper + upper.T), how)
    assert sorted(order.tolist()) == list(range(n))


@pytest.mark.parametrize("how", shelf.ORDERINGS)
def test_linked_groups_stay_together_and_loose_products_come_last(how: str):
    weights = np.zeros((7, 7))
    for a, b in ((0, 4), (4, 6), (0, 6), (1, 3)):
        weights[a, b] = weights[b, a] = 1
    order = shelf.seriate(sparse.csr_matrix(weights), how).tolist()
    assert (set(order[:3]), set(order[3:5]), order[5:]) == ({0, 4, 6}, {1, 3}, [2, 5])


def test_distances_by_hand():
    weights = sparse.csr_matrix(np.array([[0, 3, 0], [3, 0, 1], [0, 1, 0]]))
    assert shelf.mean_distance(np.array([0, 1, 2]), weights) == 1.0
    assert shelf.mean_distance(np.array([0, 2, 1]), weights) == pytest.approx((3 * 2 + 1 * 1) / 4)


def test_only_sure_links_weigh_and_by_what_chance_does_not_explain():
    rows = ["1100"] * 30 + ["0011"] * 2 + ["0010"] * 30 + ["0001"] * 30 + ["0000"] * 8
    weights = shelf.link_weights(baskets(*rows), least=2).toarray()
    assert weights[0, 1] == weights[1, 0] == pytest.approx(30 - 30 * 30 / 100)
    assert np.count_nonzero(weights) == 2  # 2 and 3 met less often than by chance


def test_a_seriated_shelf_holds_in_later_baskets(shop):
    parts = shop.filter_items(5).split_by_time(0.1, 0.2)
    now, later = (shelf.link_weights(part.basket_matrix()) for part in (parts.train, parts.test))
    chance = (now.shape[0] + 1) / 3
    for how in shelf.ORDERINGS:
        assert shelf.mean_distance(shelf.seriate(now, how), later) < 0.8 * chance


def test_wrong_shelves():
    two = sparse.csr_matrix(np.array([[0, 1], [1, 0]]))
    with pytest.raises(UnknownName, match="way to order"):
        shelf.seriate(two, "by hand")
    for wrong in ([[0, 1], [0, 0]], [[0, -1], [-1, 0]], [[0, 1]]):
        with pytest.raises(BadParameter, match="symmetric"):
            shelf.seriate(sparse.csr_matrix(np.array(wrong)))
    with pytest.raises(BadParameter, match="order a part"):
        shelf.seriate(sparse.csr_matrix((shelf.MOST_ITEMS + 1,) * 2))
    with pytest.raises(BadParameter, match="once"):
        shelf.mean_distance(np.array([0, 0]), two)
    with pytest.raises(BadParameter, match="No pair"):
        shelf.mean_distance(np.array([0, 1]), sparse.csr_matrix((2, 2)))


# --- the promotion ---------------------------------------------------------------------------------------------------


def test_naive_extra_sales_by_hand():
    a = np.repeat([True, False], [10, 90])
    b = np.concatenate([np.arange(10) < 4, np.arange(90) < 9])
    found = promotion.extra_sales(a, b, 50)
    assert (found.with_it, found.without) == (0.4, 0.1)
    assert found.expected == pytest.approx(50 * 0.3)
    reach = stats.norm.ppf(0.975) * np.sqrt(0.4 * 0.6 / 10 + 0.1 * 0.9 / 90)  # of two independent shares
    assert (found.low, found.high) == pytest.approx((0.3 - reach, 0.3 + reach))
    assert (found.expected_low, found.expected_high) == pytest.approx((50 * found.low, 50 * found.high))


def test_a_season_alone_sells_nothing():
    season = np.repeat(["winter", "summer"], 100)
    a = np.concatenate([np.arange(100) < 10, np.arange(100) < 50])
    b = np.concatenate([np.arange(100) % 10 == 0, np.arange(100) % 2 == 0])
    assert promotion.extra_sales(a, b, 100).expected == pytest.approx(100 * (26 / 60 - 34 / 140))
    within = promotion.extra_sales(a, b, 100, strata=season)
    assert within.expected == pytest.approx(0)
    assert within.with_it == within.without == pytest.approx(26 / 60)


def test_strata_that_say_nothing_are_left_out():
    a, b, season = np.array([1, 0, 1, 0, 1, 1]), np.array([1, 0, 0, 0, 1, 0]), np.array([0, 0, 0, 0, 1, 1])
    assert promotion.extra_sales(a, b, 1, strata=season) == promotion.extra_sales(a[:4], b[:4], 1)


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    random, inside = np.random.default_rng(5), 0
    for _ in range(300):
        season = random.integers(0, 8, 800)
        a = random.random(800) < 0.1 + 0.05 * season
        b = random.random(800) < 0.05 + 0.05 * season + 0.15 * a
        found = promotion.extra_sales(a, b, 1, strata=season, level=0.9)
        inside += found.low <= 0.15 <= found.high
    assert stats.binomtest(inside, 300, 0.9).pvalue > 0.01


def test_the_planted_confounded_pairs_fool_the_naive_number_only(shop):
    planted = simulate.planted_rules("confounded").set_index("id")
    code = {item: row for row, item in enumerate(shop.items["item_id"])}
    pairs = [(code[min(r.antecedent)], code[min(r.consequent)]) for r in planted.loc[["C01", "C02"]].itertuples()]
    table = promotion.promotions(shop.basket_matrix(), pairs, 100, promotion.weeks_of(shop))
    naive, within = (table[table["way"] == way] for way in ("naive", "within strata"))
    for entry, low, expected in zip(
        (entry for entry in simulate.truth()["planted"] if entry["id"] in ("C01", "C02")),
        naive["expected_low"],
        naive["expected"],
        strict=True,
    ):
        seen = entry["realised"]["overall"]
        others = (seen["consequents"] - seen["count"]) / (seen["baskets"] - seen["antecedents"])
        assert expected == pytest.approx(100 * (seen["confidence"] - others), rel=1e-4)
        assert low > 0.75 * expected
    assert ((within["expected_low"] < 0) & (within["expected_high"] > 0)).all()


def test_a_real_rule_survives_the_strata(shop):
    names = shop.labels("name")
    pair = (names.index("Tortilla wraps"), names.index("Guacamole"))
    table = promotion.promotions(shop.basket_matrix(), [pair], 100, promotion.weeks_of(shop))
    assert (table["expected_low"] > 40).all()


def test_wrong_promotions():
    a = np.array([True, False])
    with pytest.raises(BadParameter, match="one value per basket"):
        promotion.extra_sales(a, a[:1], 10)


def test_where_everybody_has_it_nothing_is_expected_of_a_promotion():
    a = np.array([True, False])
    assert np.isnan(promotion.extra_sales(a, a, 10, strata=np.array([0, 1]))).all()  # in each week all or nobody
    assert np.isnan(promotion.extra_sales(np.ones(2, dtype=bool), a, 10)).all()


# --- the stock -------------------------------------------------------------------------------------------------------


def test_weeks_begin_on_monday_and_parts_agree(shop):
    weeks = promotion.weeks_of(shop)
    first = shop.table.groupby("basket_id")["time"].min().reindex(shop.basket_ids)
    monday = np.datetime64("1969-12-29") + weeks * np.timedelta64(7, "D")
    ahead = (first.to_numpy() - monday) / np.timedelta64(1, "D")
    assert ((ahead >= 0) & (ahead < 7)).all()
    parts = shop.split_by_time(0.1, 0.1)
    assert np.concatenate([promotion.weeks_of(part) for part in parts]).tolist() == weeks.tolist()


def test_weekly_sales_by_hand():
    sales = promotion.weekly_sales(baskets("11", "10", "01"), np.array([7, 7, 9]))
    assert sales.tolist() == [[2, 1], [0, 0], [0, 1]]
    with pytest.raises(BadParameter, match="one week number per basket"):
        promotion.weekly_sales(baskets("11"), np.array([1, 2]))


def test_baskets_without_a_clock_have_no_weeks():
    with pytest.raises(Lacks, match="clock"):
        promotion.weeks_of(Transactions.from_baskets([[1, 2]]))


def drawn_sales(seed: int, linked: bool) -> np.ndarray:
    """Two products of one steep season among twenty others; linked ones also sell together within weeks."""
    random = np.random.default_rng(seed)
    season = np.where((np.arange(78) // 13) % 3 == 1, 60, 2)
    shared = random.poisson(0.7 * season) if linked else 0
    rest = 0.3 if linked else 1.0
    pair = [shared + random.poisson(rest * season) for _ in range(2)]
    return np.column_stack([*pair, *random.poisson(30, (20, 78))]).astype(float)


def test_a_common_season_is_taken_out_and_a_link_stays():
    tables = {linked: [promotion.co_movement(drawn_sales(s, linked), [(0, 1)]) for s in range(20)] for linked in (0, 1)}
    raw, adjusted = ({k: np.mean([t[c][0] for t in v]) for k, v in tables.items()} for c in ("raw", "adjusted"))
    assert min(raw.values()) > 0.9
    assert abs(adjusted[0]) < 0.1
    assert adjusted[1] > 0.5


def test_what_all_trade_does_is_taken_out():
    random = np.random.default_rng(2)
    trade = random.gamma(20, 1 / 20, 80)
    sales = random.poisson(60 * trade[:, None], (80, 40)).astype(float)
    found = promotion.co_movement(sales, list(itertools.combinations(range(40), 2)))
    assert found["raw"].mean() > 0.5
    assert abs(found["adjusted"].mean()) < 0.05


def test_usual_correlations_and_still_products():
    sales = np.random.default_rng(4).poisson(25, (90, 30)).astype(float)
    sales[:, 3] = 5
    assert np.isnan(promotion.co_movement(sales, [(3, 4)])["raw"][0])
    usual = promotion.usual_correlation(promotion.remove_common(sales))
    found = promotion.co_movement(sales, list(itertools.combinations(range(4, 30), 2)))
    assert (found["adjusted"].abs() <= usual).mean() == pytest.approx(0.95, abs=0.03)


@pytest.mark.parametrize(("weeks", "window"), [(40, 6), (40, 1), (13, 7)])
def test_a_running_median_needs_room(weeks: int, window: int):
    with pytest.raises(BadParameter, match="odd window"):
        promotion.remove_common(np.ones((weeks, 2)), window)


# --- figures ---------------------------------------------------------------------------------------------------------


def test_pages_show_what_random_products_take():
    table = pd.DataFrame(
        {
            "way": ["a", "b"],
            "with product": [0.4, 0.2],
            "low": [0.3, 0.1],
            "high": [0.5, 0.3],
            "without product": [0.1, 0.2],
        }
    )
    lines = {line.get_label(): list(line.get_xdata()) for line in shop_figures.pages(table, 0.07).axes[0].lines}
    assert lines["baskets without the product"] == [10, 20]
    assert lines["as many products at random"] == pytest.approx([7, 7])
    plain = [line.get_label() for line in shop_figures.pages(table).axes[0].lines]
    assert "as many products at random" not in plain


def test_all_dots_of_movements_are_named():
    table = pd.DataFrame({"pair": ["p", "q"], "lift": [2.0, 3.0], "raw": [0.5, 0.4], "adjusted": [0.1, 0.0]})
    legend = shop_figures.lift_and_movement(table, 0.2, [1]).legends[0]
    assert [text.get_text() for text in legend.get_texts()] == ["1  q", "other linked pairs"]

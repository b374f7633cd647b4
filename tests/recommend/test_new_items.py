"""New items and new customers: tasks counted by hand, what each system says of them, and a peer's regression."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.linear_model import Ridge
from sklearn.neighbors import NearestNeighbors

from llmarm_tutorial.choosing import choose_setting
from llmarm_tutorial.data import loading
from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.errors import BadParameter, DataError, Lacks
from llmarm_tutorial.evaluation.ranking import evaluate
from llmarm_tutorial.recommend import by_text, new_items
from llmarm_tutorial.recommend.by_text import Borrowed, ContentNeighbours, Projected, RestrictedRecommender
from llmarm_tutorial.recommend.counting import (
    AssociationRules,
    Ease,
    ItemNeighbours,
    Popularity,
    SequentialRules,
)
from llmarm_tutorial.recommend.new_items import NewItems

# user, basket, day, items; "n" and "m" are first sold in the last week
BASKETS = [
    (1, 11, 1, "ab"),
    (1, 12, 8, "a"),
    (1, 13, 30, "bnc"),
    (2, 21, 2, "bc"),
    (2, 22, 29, "mb"),
    (3, 31, 3, "ad"),
    (3, 32, 9, "c"),
    (4, 41, 30, "na"),
]
A, B, C, D, M, N = range(6)


def made(baskets: list[tuple[int, int, int, str]] = BASKETS) -> Transactions:
    rows = [(user, basket, pd.Timestamp(2025, 1, day), item) for user, basket, day, items in baskets for item in items]
    frame = pd.DataFrame(rows, columns=["user_id", "basket_id", "time", "item_id"])
    return Transactions.from_frame(frame, name="made")


def codes(row) -> list[int]:
    return sorted(row.indices.tolist())


@pytest.fixture
def cold() -> NewItems:
    return new_items.launched_items(made(), weeks=1)


# --- who is asked what -----------------------------------------------------------------------------------------------


def test_items_of_the_last_week_are_new(cold: NewItems):
    assert np.flatnonzero(cold.new).tolist() == [M, N]
    assert len(cold.train) == 8
    assert len(cold.later) == 7
    assert cold.train.table["time"].max() < cold.later.table["time"].min()


def test_customers_are_asked_for_new_items(cold: NewItems):
    task = cold.task()
    assert task.users.tolist() == [1, 2], "user 3 does not come again, user 4 is unknown"
    assert [codes(task.targets[row]) for row in range(2)] == [[N], [M]]
    assert sorted(task.histories.of(0).tolist()) == [A, A, B]
    assert task.item_counts.tolist() == [3, 2, 2, 1, 0, 0]


def test_customers_are_asked_for_all_that_is_new_to_them(cold: NewItems):
    task = cold.task("all")
    assert [codes(task.targets[row]) for row in range(2)] == [[C, N], [M]], "they had b before"


def test_baskets_are_asked_for_their_new_items(cold: NewItems):
    task = cold.task("basket")
    assert task.users.tolist() == [22, 13, 41], "in order of time"
    assert [sorted(task.histories.of(row).tolist()) for row in range(3)] == [[B], [B, C], [A]]
    assert [codes(task.targets[row]) for row in range(3)] == [[M], [N], [N]]


def test_what_cannot_be_asked_is_refused(cold: NewItems):
    with pytest.raises(BadParameter, match="'new', 'all' or 'basket', not 'old'"):
        cold.task("old")
    with pytest.raises(BadParameter, match="above 0"):
        new_items.launched_items(made(), weeks=0)
    with pytest.raises(DataError, match="nothing comes before"):
        new_items.launched_items(made(), weeks=52)
    with pytest.raises(DataError, match="no item was first bought"):
        new_items.launched_items(made([basket for basket in BASKETS if basket[2] < 20 or basket[1] == 32]), weeks=1 / 7)
    with pytest.raises(Lacks):
        new_items.launched_items(Transactions.from_baskets(["ab", "c"]), weeks=1)


def test_nobody_known_who_buys_new_items_is_said():
    strangers = new_items.launched_items(made([*BASKETS[:2], *BASKETS[3:4], *BASKETS[5:]]), weeks=1)
    with pytest.raises(DataError, match="for the first time"):
        strangers.task()
    lonely = new_items.launched_items(made([*BASKETS[:2], (1, 13, 30, "n")]), weeks=1)
    with pytest.raises(DataError, match="no basket holds old and new"):
        lonely.task("basket")


def test_the_corner_shop_launches_its_six_planted_items():
    data = loading.load("shop")
    cold = new_items.launched_items(data, weeks=6)
    late = data.items["first_sold"] >= "2025-05-19"
    assert np.flatnonzero(cold.new).tolist() == np.flatnonzero(late).tolist()
    assert cold.new.sum() == 6


def test_where_nothing_is_new_known_items_are_hidden():
    found = new_items.new_or_hidden(made(), 1)
    assert not found.hidden
    assert np.flatnonzero(found.new).tolist() == [M, N]
    always = made([(user, 100 * user + day, day, "abcd"[day % 4] + "e") for user in (1, 2, 3) for day in range(1, 29)])
    found = new_items.new_or_hidden(always, 1, seed=2)
    assert found.hidden
    assert found.train.table["time"].max() < found.later.table["time"].min(), "hidden as if launched"
    at_once = made([(user, user, 1, "abcd") for user in (1, 2, 3)])  # nothing comes before the last week
    found = new_items.new_or_hidden(at_once, 1)
    assert (found.hidden, len(found.task())) == (True, 3)
    with pytest.raises(DataError):
        new_items.new_or_hidden(made([(1, 1, 1, "a")]), 1)
    with pytest.raises(BadParameter, match="above 0"):
        new_items.new_or_hidden(made(), 0)


def test_settings_are_chosen_on_items_that_training_knows(cold: NewItems):
    like_it = new_items.hidden_before(cold, 1)
    assert like_it.hidden
    assert not like_it.new[cold.new].any()
    assert like_it.train.table["time"].max() <= cold.train.table["time"].max()
    assert len(like_it.task())


@pytest.mark.parametrize("weeks", [None, 6.0])
def test_hidden_items_are_nowhere_in_training(weeks: float | None):
    data = loading.load("shop")
    cold = new_items.hide_items(data, 0.1, weeks=weeks, seed=3)
    assert 0.07 * len(data.items) <= cold.new.sum() <= np.ceil(0.1 * len(data.items))
    assert not np.isin(cold.train.item_codes, np.flatnonzero(cold.new)).any()
    task = cold.task()
    assert not np.isin(task.histories.items, np.flatnonzero(cold.new)).any()
    assert cold.new[task.targets.indices].all()
    if weeks is None:
        assert len(cold.train) + len(cold.later) == len(data)
        assert cold.new[cold.later.item_codes].all()
    else:
        assert cold.train.table["time"].max() < cold.later.table["time"].min()
        assert not set(data.items["item_id"][data.items["first_sold"] >= "2025-05-19"]) & set(
            cold.later.table["item_id"]
        ), "what was really launched is no part of the exercise"
    other = new_items.hide_items(data, 0.1, weeks=weeks, seed=3)
    np.testing.assert_array_equal(other.new, cold.new)
    assert (new_items.hide_items(data, 0.1, weeks=weeks, seed=4).new != cold.new).any()


def test_a_share_out_of_range_is_refused():
    with pytest.raises(BadParameter, match="share of hidden items"):
        new_items.hide_items(made(), 1.0)
    with pytest.raises(BadParameter, match="share of newcomers"):
        new_items.new_customers(made(), 0.5)


def test_newcomers_are_unknown_and_asked_for_their_second_basket():
    data = loading.load("shop")
    train, validation, test = new_items.new_customers(data, 0.2, seed=1)
    parts = [set(train.table["user_id"]), set(validation.users), set(test.users)]
    assert not parts[0] & parts[1]
    assert not parts[0] & parts[2]
    assert not parts[1] & parts[2]
    user = test.users[7]
    visits = [set(group) for _, group in data.table[data.table["user_id"] == user].groupby("basket_id")["item_id"]]
    times = data.table[data.table["user_id"] == user].groupby("basket_id")["time"].min().to_numpy()
    first, second = (visits[number] for number in np.argsort(times)[:2])
    ids = data.items["item_id"].to_numpy()
    assert set(ids[test.histories.of(7)]) == first
    assert set(ids[test.targets[7].indices]) == second - first


def test_partners_by_hand(cold: NewItems):
    """Later baskets: bcn, bm, an. Lift of n with a is 3/2, with b 3/4, with c 3/2, of m with b 3/2."""
    task = new_items.partner_task(cold, min_count=1, min_lift=1.2)
    assert task.users.tolist() == [M, N]
    assert [codes(task.targets[row]) for row in range(2)] == [[B], [A, C]]
    assert [task.histories.of(row).tolist() for row in range(2)] == [[M], [N]]
    with pytest.raises(DataError, match="ask for less"):
        new_items.partner_task(cold, min_count=2)


# --- vectors ---------------------------------------------------------------------------------------------------------


def test_nearest_agrees_with_scikit_learn():
    vectors = np.random.default_rng(0).random((30, 4))
    among = np.arange(30) % 3 > 0
    found = by_text.nearest(vectors, among, 5)
    peer = NearestNeighbors(n_neighbors=6, metric="cosine").fit(vectors[among])
    distance, place = peer.kneighbors(vectors)
    for row in range(30):
        others = np.flatnonzero(among)[place[row]]
        expected = {i: 1 - d for i, d in zip(others, distance[row], strict=True) if i != row}
        kept = dict(sorted(expected.items(), key=lambda pair: -pair[1])[:5])
        assert sorted(found[row].indices) == sorted(kept)
        np.testing.assert_allclose(found[row].data, [kept[i] for i in found[row].indices], rtol=1e-10)


def test_nearest_leaves_out_what_is_not_similar():
    vectors = np.array([[1.0, 0], [-1, 0], [0, 1], [1, 1]])
    found = by_text.nearest(vectors, np.array([True, True, True, False]), 10).toarray()
    np.testing.assert_allclose(found, [[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0], [0.5**0.5, 0, 0.5**0.5, 0]])


def test_of_equal_neighbours_the_first_are_kept():
    found = by_text.nearest(np.ones((5, 1)), np.ones(5, dtype=bool), 2)
    assert [codes(found[row]) for row in range(5)] == [[1, 2], [0, 2], [0, 1], [0, 1], [0, 1]]


def test_nearest_refuses_what_does_not_fit():
    for vectors, neighbours in ((np.ones((3, 2)), 1), (np.ones((2, 2)), 0)):
        with pytest.raises(BadParameter, match="a vector per item"):
            by_text.nearest(vectors, np.ones(2, dtype=bool), neighbours)


NUMBERS = st.floats(-3, 3, width=32)


@settings(max_examples=40, deadline=None)
@given(
    vectors=arrays.arrays(np.float64, (7, 3), elements=NUMBERS),
    space=arrays.arrays(np.float64, (7, 5), elements=NUMBERS),
    known=arrays.arrays(bool, 7).filter(any),
    ridge=st.floats(0.1, 100),
)
def test_a_projection_is_scikit_learns_ridge_regression(vectors, space, known, ridge):
    found = by_text.project(vectors, space, known, ridge=ridge)
    np.testing.assert_array_equal(found[known], space[known])
    if not known.all():
        peer = Ridge(alpha=ridge).fit(vectors[known], space[known]).predict(vectors[~known])
        np.testing.assert_allclose(found[~known], peer, atol=1e-6)


def test_single_precision_is_enough_for_a_projection():
    vectors = np.random.default_rng(0).random((300, 40))
    space, known = np.random.default_rng(1).random((300, 20)), np.arange(300) < 250
    single = by_text.project(vectors.astype(np.float32), space.astype(np.float32), known, ridge=0.1)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, by_text.project(vectors, space, known, ridge=0.1), atol=1e-4)


def test_a_projection_refuses_what_does_not_fit():
    ones = np.ones((2, 2))
    with pytest.raises(BadParameter, match="above 0"):
        by_text.project(ones, ones, np.array([True, False]), ridge=0)
    with pytest.raises(BadParameter, match="a known item"):
        by_text.project(ones, ones, np.array([False, False]))


# --- systems ---------------------------------------------------------------------------------------------------------

# m is like a, n is halfway between b and c
VECTORS = np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, -1], [1, 0, 0], [0, 0.6, 0.8]])


def test_content_neighbours_by_hand(cold: NewItems):
    fitted = ContentNeighbours(VECTORS, neighbours=2, discount=1.0).fit(cold.train.histories())
    scores = fitted.scores(Histories.from_lists([[A, A, B], [C]]))
    # training events: a 3, b 2, c 2; nothing is said about what has no similar old item
    np.testing.assert_allclose(scores, [[0, 0, 0, 0, 2 / 3, 0.3], [0, 0, 0, 0, 0, 0.4]], atol=1e-6)
    one = ContentNeighbours(VECTORS, neighbours=1, discount=0.0).fit(cold.train.histories())
    np.testing.assert_allclose(one.scores(Histories.from_lists([[A, B, C]]))[0, 4:], [1, 0.8], atol=1e-6)


def test_new_items_borrow_the_rules_of_similar_ones(cold: NewItems):
    """Baskets ab, a, bc, ad, c: conf(a ⇒ b) = 1/3, conf(b ⇒ a) = conf(b ⇒ c) = 1/2, conf(c ⇒ b) = 1/2."""
    rules = AssociationRules(unit="basket", last=None)
    counted = rules.fit(cold.train.histories()).weights
    counted = counted.toarray() if hasattr(counted, "toarray") else counted
    fitted = Borrowed(VECTORS, rules, neighbours=2).fit(cold.train.histories())
    np.testing.assert_array_equal(fitted.weights[:, :4], counted[:, :4])
    np.fill_diagonal(counted, 0)
    np.testing.assert_allclose(fitted.weights[:, M], counted[:, A])
    np.testing.assert_allclose(fitted.weights[:, N], (0.6 * counted[:, B] + 0.8 * counted[:, C]) / 1.4, atol=1e-6)
    assert fitted.weights[A, N] == pytest.approx(0.6 / 1.4 / 3)
    assert fitted.name == "borrowed association rules, confidence"


def test_an_item_without_a_similar_one_borrows_nothing(cold: NewItems):
    vectors = VECTORS.copy()
    vectors[M] = 0
    fitted = Borrowed(vectors, Ease(), neighbours=2).fit(cold.train.histories())
    assert not fitted.weights[:, M].any()
    assert fitted.weights[:, N].any()


@pytest.mark.parametrize("base", [Ease(), ItemNeighbours(), SequentialRules(popularity=0.1)], ids=lambda b: b.name)
def test_new_columns_are_foretold_and_old_ones_kept(cold: NewItems, base):
    histories = cold.train.histories()
    counted = base.fit(histories)
    weights = counted.weights.toarray() if hasattr(counted.weights, "toarray") else counted.weights
    fitted = Projected(VECTORS, base, ridge=0.5).fit(histories)
    np.testing.assert_array_equal(fitted.weights[:, :4], weights[:, :4])
    others = weights - np.diag(np.diag(weights))
    peer = Ridge(alpha=0.5).fit(VECTORS[:4], others[:, :4].T)
    np.testing.assert_allclose(fitted.weights[:, 4:], peer.predict(VECTORS[4:]).T, atol=1e-5)
    borrowed = Borrowed(VECTORS, base, neighbours=1).fit(histories)
    if counted.constant is not None:
        peer = Ridge(alpha=0.5).fit(VECTORS[:4], counted.constant[:4])
        np.testing.assert_allclose(fitted.constant[4:], peer.predict(VECTORS[4:]), atol=1e-6)
        np.testing.assert_array_equal(borrowed.constant, counted.constant[[A, B, C, D, A, C]])
    again = base.fit(histories).weights
    again = again.toarray() if hasattr(again, "toarray") else again
    np.testing.assert_array_equal(again, weights)


def test_a_base_without_item_weights_is_refused(cold: NewItems):
    with pytest.raises(BadParameter, match="popularity has no weights from item to item"):
        Borrowed(VECTORS, Popularity()).fit(cold.train.histories())


def test_only_candidates_are_ranked(cold: NewItems):
    popular = Popularity().fit(cold.train.histories())
    system = RestrictedRecommender(popular, cold.new)
    assert np.isneginf(system.scores(Histories.from_lists([[A]]))[0]).tolist() == [True] * 4 + [False] * 2
    assert evaluate(system, cold.task(), ks=(1,)).mean("HR@1") == 0.5, "both new items are equally unknown: chance"
    assert (system.name, system.n_items) == ("popularity", 6)


def test_partner_scores(cold: NewItems):
    asked = Histories.from_lists([[M], [N]])
    alike = by_text.partner_scores(VECTORS, cold)
    np.testing.assert_allclose(alike.scores(asked), [[1, 0, 0, 0, 0, 0], [0, 0.6, 0.8, 0, 0, 0]], atol=1e-6)
    # m resembles a alone; of 5 training baskets ab, a, bc, ad, c: lift(a, b) = 5·1/(3·2), lift(a, d) = 5·1/(3·1)
    lent = by_text.partner_scores(VECTORS, cold, neighbours=1, min_count=1).scores(asked)
    np.testing.assert_allclose(lent[0], [0, 5 / 6, 0, 5 / 3, 0, 0], atol=1e-5)


def test_the_best_settings_are_chosen(cold: NewItems):
    # who bought a most goes for n afterwards, who bought b and c for m: the other way round than VECTORS has it
    wrong = ContentNeighbours(VECTORS, neighbours=2)
    right = ContentNeighbours(VECTORS[[A, B, C, D, N, M]], neighbours=2)
    best, _, tries = choose_setting([wrong, right, right], by_text.validation_score_of_new_items([cold, cold]))
    assert best is right
    values = tries["value"].tolist()
    assert values[1] == values[2] > values[0]
    assert choose_setting([wrong], by_text.validation_score_of_new_items([cold], max_cases=1)).value <= 1
    with pytest.raises(BadParameter, match="at least one to try"):
        choose_setting([], by_text.validation_score_of_new_items([cold]))
    with pytest.raises(BadParameter, match="one validation"):
        by_text.validation_score_of_new_items([])


def test_knowing_the_planted_links_beats_chance_in_the_shop():
    """What vectors could at best give: new items at the very place of the old ones that they were made to go with."""
    data = loading.load("shop")
    cold = new_items.launched_items(data, weeks=6)
    ids = data.items["item_id"].to_list()
    vectors = np.eye(len(ids))
    for old, new in ((254, 255), (250, 257), (144, 244), (150, 160), (230, 256), (194, 173)):
        vectors[ids.index(new)] = vectors[ids.index(old)]
    histories, task = cold.train.histories(), cold.task("basket")
    chance = evaluate(RestrictedRecommender(Popularity().fit(histories), cold.new), task, ks=(1,)).mean("MRR")
    fitted = ContentNeighbours(vectors, neighbours=1).fit(histories)
    assert evaluate(RestrictedRecommender(fitted, cold.new), task, ks=(1,)).mean("MRR") > chance + 0.2

"""Labelled tasks: disjoint parts, labels by hand, counts from the early baskets only, samples, counting baselines."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse, stats

from llmarm_tutorial.data import loading
from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.errors import BadParameter, DataError, Lacks, UnknownName
from llmarm_tutorial.labels.baselines import LogisticOnCounts, TreesOnCounts, majority
from llmarm_tutorial.labels.customer_tasks import (
    customer_segments,
    returning_customers,
    soon_returning_customers,
)
from llmarm_tutorial.labels.features import VISITS, pair_counting
from llmarm_tutorial.labels.product_tasks import holding_rules, same_category_pairs, together_pairs
from llmarm_tutorial.labels.scores import ClassScores
from llmarm_tutorial.labels.tasks import PARTS, Labelled


def task(labels: list[int], part: list[int], counts: np.ndarray | None = None, **changes) -> Labelled:
    n = len(labels)
    fields = {
        "name": "customer",
        "classes": tuple("abcdef"[: max(max(labels) + 1, 2)]),
        "sets": Histories.from_lists([[row] for row in range(n)]),
        "others": None,
        "labels": np.array(labels),
        "part": np.array(part, dtype=np.int8),
        "counts": np.arange(n, dtype=np.float32)[:, None] if counts is None else counts,
        "count_names": ("x",) if counts is None else tuple(f"x{k}" for k in range(counts.shape[1])),
        "clusters": np.arange(n),
        "metric": "macro F1",
    }
    return Labelled(**fields | changes)


def baskets(rows: list[list[str]], items: str) -> Transactions:
    """Baskets of the items named by single letters, with one item table whatever occurs."""
    pairs = [(number, item) for number, row in enumerate(rows) for item in row]
    frame = pd.DataFrame(pairs, columns=["basket_id", "item_id"])
    return Transactions.from_frame(frame, items=pd.DataFrame({"item_id": list(items)}))


@pytest.fixture(scope="module")
def split(shop):
    return shop.split_by_time(0.25, 0.25)


# --- the table -----------------------------------------------------------------------------------------------------


def test_parts_and_rows_keep_what_belongs_together():
    whole = task([0, 1, 1, 0], [2, 0, 1, 0])
    assert whole.of("train").counts[:, 0].tolist() == [1, 3]
    assert [whole.take([2, 0]).sets.of(row).tolist() for row in (0, 1)] == [[2], [0]]
    assert whole.of("test").labels.tolist() == [0]
    with pytest.raises(UnknownName, match="no part 'dev'"):
        whole.of("dev")


def test_balance_by_hand():
    table = task([0, 1, 1, 0, 1], [0, 0, 0, 1, 2]).balance()
    assert table["examples"].tolist() == [3, 1, 1]
    assert table["b"].tolist() == pytest.approx([2 / 3, 0, 1])


def test_what_does_not_fit_is_refused():
    with pytest.raises(BadParameter, match="as many sets"):
        task([0, 1], [0, 0], clusters=np.arange(3))
    with pytest.raises(BadParameter, match="0 to 1"):
        task([0, 2], [0, 0], classes=("a", "b"))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=4, max_size=60), st.integers(0, 5), st.data())
def test_a_sample_keeps_classes_shares_and_the_other_parts(labels, seed, data):
    whole = task([*labels, 0, 1, 2, 3, 1], [0] * (len(labels) + 4) + [2])
    train = whole.of("train")
    n = data.draw(st.integers(4, len(train)))
    found = whole.sample(n, seed)
    drawn = found.of("train")
    assert len(drawn) == n
    assert found.of("test").sets.items.tolist() == whole.of("test").sets.items.tolist()
    sizes, wanted = np.bincount(drawn.labels, minlength=4), np.bincount(train.labels) * n / len(train)
    assert sizes.min() >= 1
    assert (sizes <= np.maximum(np.ceil(wanted) + 1, 1)).all()
    assert np.unique(drawn.sets.items).tolist() == drawn.sets.items.tolist()  # nothing twice, order kept


def test_samples_of_one_seed_are_nested_and_refused_out_of_range():
    whole = task([0, 1] * 50, [0] * 100)
    small, large = (set(whole.sample(n, 3).sets.items.tolist()) for n in (20, 60))
    assert small < large
    assert small != set(whole.sample(20, 4).sets.items.tolist())
    for n in (1, 101):
        with pytest.raises(BadParameter, match="2 to 100"):
            whole.sample(n)


# --- pairs ---------------------------------------------------------------------------------------------------------


def products_of(part: Labelled) -> set[int]:
    return set(part.sets.items.tolist()) | set(part.others.items.tolist())


def test_category_pairs_have_true_labels_and_no_product_in_two_parts(shop, split):
    found = same_category_pairs(shop, split.train, seed=1)
    category = shop.items["category"].to_numpy()
    assert (found.labels == (category[found.sets.items] == category[found.others.items])).all()
    products = [products_of(found.of(part)) for part in PARTS]
    assert not (products[0] & products[1] | products[0] & products[2] | products[1] & products[2])
    assert [len(found.of(part)) for part in PARTS] == [len(p) * (len(p) - 1) // 2 for p in products]
    assert (found.clusters == np.column_stack([found.sets.items, found.others.items])).all()
    fewer = same_category_pairs(shop, split.train, seed=1, negatives=2)
    sizes = [np.bincount(fewer.of(part).labels).tolist() for part in PARTS]
    assert all(negative == 2 * positive for negative, positive in sizes)


def test_the_same_seed_gives_the_same_task_another_one_another(shop, split):
    a, b, c = (same_category_pairs(shop, split.train, seed=seed) for seed in (1, 1, 2))
    assert (a.sets.items == b.sets.items).all()
    assert (a.counts == b.counts).all()
    assert products_of(a.of("test")) != products_of(c.of("test"))


def test_pair_counts_by_hand_and_symmetric():
    data = baskets([["a", "b"], ["a", "b", "c"], ["a", "c"], ["c"], ["d"]], "abcd")
    told = pair_counting(data, np.array([0, 0]), np.array([1, 2]))
    assert told["confidence in baskets, lower"].tolist() == pytest.approx([2 / 3, 2 / 3])
    assert told["confidence in baskets, higher"].tolist() == pytest.approx([1, 2 / 3])
    assert told["jaccard in baskets"].tolist() == pytest.approx([2 / 3, 2 / 4])
    assert told["ln lift in baskets, shrunk"][0] == pytest.approx(np.log((2 + 5) / (3 * 2 / 5 + 5)))
    back = pair_counting(data, np.array([1, 2]), np.array([0, 0]))
    for name, values in told.items():
        np.testing.assert_allclose(back[name], values, err_msg=name)


def test_alike_is_the_cosine_without_the_two_products():
    rows = [["a", "c"], ["b", "c"], ["a", "d"], ["b", "d"], ["c", "e"], ["a"], ["e", "d"]]
    data = baskets(rows, "abcde")
    matrix = data.basket_matrix().toarray().astype(float)
    sold = matrix.sum(axis=0)
    lift = np.log((matrix.T @ matrix + 5) / (np.outer(sold, sold) / len(rows) + 5))
    left, right = lift[0, [2, 3, 4]], lift[1, [2, 3, 4]]
    expected = left @ right / np.linalg.norm(left) / np.linalg.norm(right)
    assert pair_counting(data, np.array([0]), np.array([1]))["alike in baskets"][0] == pytest.approx(expected)


def test_pairs_that_come_together_later(split):
    early, later = split.train, split.test
    found = together_pairs(early, later, seed=2, least_lift=1.0)
    after = later.basket_matrix().astype(float)
    sold = np.asarray(after.sum(axis=0)).ravel()
    for row in [*np.flatnonzero(found.labels)[:20], *np.flatnonzero(found.labels == 0)[:20]]:
        i, j = found.sets.items[row], found.others.items[row]
        joint = after[:, [i]].multiply(after[:, [j]]).sum()
        expected = sold[i] * sold[j] / after.shape[0]
        # beyond chance: as many or more are improbable at a mean of the expected number
        assert found.labels[row] == (stats.poisson.sf(joint - 1, expected) <= 0.05)
    products = [products_of(found.of(part)) for part in PARTS]
    assert not (products[0] & products[2] | products[1] & products[2])
    np.testing.assert_allclose(
        found.counts[:, found.count_names.index("jaccard in baskets")],
        pair_counting(early, found.sets.items, found.others.items)["jaccard in baskets"],
        rtol=1e-5,
    )


def test_pairs_refuse_what_they_cannot_use(shop, split):
    plain = Transactions.from_baskets([["a", "b"]])
    with pytest.raises(Lacks, match="together_pairs"):
        same_category_pairs(plain, plain)
    with pytest.raises(BadParameter, match="add up to 1"):
        same_category_pairs(shop, split.train, shares=(0.5, 0.2, 0.2))
    with pytest.raises(BadParameter, match="at least 1"):
        same_category_pairs(shop, split.train, negatives=0)
    with pytest.raises(DataError, match="use more data"):
        same_category_pairs(shop, split.train, min_count=10**6)


# --- customers -----------------------------------------------------------------------------------------------------


def test_segments_are_stratified_and_count_what_the_model_reads(shop):
    found = customer_segments(shop, max_events=16, min_events=8)
    assert found.sets.lengths.max() == 16
    assert found.sets.lengths.min() >= 8
    shares = found.balance()[list(found.classes)]
    assert (shares.max() - shares.min()).max() < 0.01
    runs = shop.histories()
    truth = shop.users.set_index("user_id")["segment"]
    row = int(found.clusters[5])
    assert runs.of(row)[-16:].tolist() == found.sets.of(5).tolist()  # all customers of the shop bought enough
    assert found.classes[found.labels[5]] == truth[runs.user_ids[row]]
    bag = np.log1p(np.bincount(found.sets.of(5), minlength=len(shop.items)))
    np.testing.assert_allclose(found.counts[5].toarray()[0], bag / np.linalg.norm(bag), rtol=1e-5)


def test_segments_need_the_column(shop):
    with pytest.raises(Lacks, match="no 'gender'; known of them: segment, age_group"):
        customer_segments(shop, column="gender")
    with pytest.raises(Lacks, match="nothing"):
        customer_segments(Transactions.from_frame(pd.DataFrame({"user_id": [1], "item_id": [1]})), column="age")


def visits(days: dict[int, list[float]]) -> Transactions:
    rows = [(user, f"{user}-{n}", pd.Timestamp("2024-01-01") + pd.Timedelta(days=day), item)
            for user, when in days.items() for n, day in enumerate(when) for item in (n, 99)]  # fmt: skip
    return Transactions.from_frame(pd.DataFrame(rows, columns=["user_id", "basket_id", "time", "item_id"]))


def test_who_comes_again_by_hand():
    come = {user: [10, 50, 70, 76] for user in range(10)}  # two and more before day 75, then within ten days
    stay = {user: [10, 50, 70, 90] for user in range(10, 20)}  # after the ten days
    gone = {20: [0, 30], 21: [70, 76], 22: [0, 100]}  # away for long; one visit; one visit, and the span of 100 days
    found = returning_customers(visits(come | stay | gone), cut=0.75, days=10)
    assert len(found) == 20
    assert found.labels.tolist() == [1] * 10 + [0] * 10
    assert found.sets.of(0).tolist() == [0, 4, 1, 4, 2, 4]  # nothing from after the moment; item 99 has code 4
    numbers = found.counts[0].toarray()[0][-len(VISITS) :]
    gap = 30  # days between visits: 10, 50, 70
    by_hand = [np.log(3), np.log1p(5), np.log1p(65), np.log1p(gap), 5 / (gap + 1), np.log(2)]
    np.testing.assert_allclose(numbers, by_hand, rtol=1e-5)
    with pytest.raises(DataError, match="goes on for 25 days after 75% of its time, and 40 are to be looked at"):
        returning_customers(visits(come | gone), cut=0.75, days=40)
    with pytest.raises(BadParameter, match=r"min_visits from 2, not 0.75, 10 and 1\."):
        returning_customers(visits(come | gone), cut=0.75, days=10, min_visits=1)
    with pytest.raises(DataError, match="of the class"):
        returning_customers(visits(come | gone), cut=0.75, days=10)


def test_soon_is_as_many_days_as_the_data_bear():
    come = {user: [10, 50, 70, 76] for user in range(10)}
    stay = {user: [10, 50, 70, 90] for user in range(10, 20)}
    task, days = soon_returning_customers(visits(come | stay | {20: [0, 100]}))
    assert days == 14, "the data end 25 days after the moment, and within 7 days too few would tell"
    assert task.labels.tolist() == [1] * 10 + [0] * 10
    alike = visits(come | {20: [0, 100]})
    with pytest.raises(DataError, match=r"cannot be asked of unnamed: .* within 60, 30, 14, 7 days"):
        soon_returning_customers(alike)
    with pytest.raises(BadParameter, match="min_visits"):
        soon_returning_customers(alike, min_visits=0)


# --- rules ---------------------------------------------------------------------------------------------------------


def lift_of(data: Transactions, x: np.ndarray, y: int) -> tuple[float, float]:
    """(lift, joint baskets expected by chance)."""
    held = data.basket_matrix().toarray()
    with_x, with_y = held[:, x].all(axis=1), held[:, y]
    expected = with_x.sum() * with_y.sum() / len(held)
    return (with_x & with_y).sum() / expected, expected


def test_rules_are_labelled_by_baskets_that_are_not_counted(split):
    found = holding_rules(*split, rules=3000, seed=3)
    for number in np.random.default_rng(0).choice(len(found), 40, replace=False):
        x, y = found.sets.of(number), int(found.others.of(number)[0])
        promised, _ = lift_of(split.train, x, y)
        kept, expected = lift_of(split.test if found.part[number] == 2 else split.validation, x, y)
        assert promised >= 1.5
        assert promised * expected >= 5 - 1e-9
        assert found.labels[number] == (kept - 1 >= 0.5 * (promised - 1))
        assert found.counts[number, found.count_names.index("ln lift")] == pytest.approx(np.log(promised), rel=1e-5)
    antecedents = [{tuple(found.of(part).sets.of(row)) for row in range(len(found.of(part)))} for part in PARTS]
    assert not (antecedents[0] & antecedents[1] | antecedents[0] & antecedents[2] | antecedents[1] & antecedents[2])
    assert set(found.sets.lengths) == {1, 2}
    assert 0.1 < found.labels.mean() < 0.9


@pytest.mark.parametrize("setting", [{"least_lift": 1.0}, {"kept": 0.0}, {"kept": 1.5}, {"least_expected": 0.0}])
def test_rules_refuse_settings_out_of_range(split, setting):
    with pytest.raises(BadParameter, match="Rules have a lift above 1"):
        holding_rules(*split, **setting)


def test_rules_need_items_that_met():
    alone = Transactions.from_baskets([["a"], ["b"]])
    with pytest.raises(DataError, match="smaller min_count"):
        holding_rules(alone, alone, alone)
    strangers = Transactions.from_baskets([["a", "b"], ["a"], ["b"], []] * 5)
    with pytest.raises(DataError, match=r"has a lift of 1.5; take a smaller least_lift"):
        holding_rules(strangers, strangers, strangers)


# --- counting baselines --------------------------------------------------------------------------------------------


def test_majority_tells_the_training_shares():
    found = majority(task([0, 0, 0, 1, 1, 1], [0, 0, 0, 0, 2, 2]))
    assert found.tolist() == [[0.75, 0.25]] * 2


@pytest.mark.parametrize("classifier", [LogisticOnCounts(), TreesOnCounts(leaves=(3, 7), rates=(0.1,))])
def test_counting_learns_what_counts_tell_and_chooses_on_validation(classifier):
    rng = np.random.default_rng(0)
    counts = rng.normal(size=(600, 3)).astype(np.float32)
    labels = (counts[:, 0] + 0.3 * rng.normal(size=600) > 0).astype(int)
    whole = task(labels.tolist(), [0] * 300 + [1] * 150 + [2] * 150, counts)
    fitted = classifier.fit(whole)
    assert fitted.scores(whole.of("test")).value("AUROC") > 0.95
    best = fitted.trials["validation"].max()
    assert fitted.scores(whole.of("validation")).value("macro F1") == pytest.approx(best)
    assert (fitted.probabilities(whole) == classifier.fit(whole).probabilities(whole)).all()
    swapped = task(labels.tolist()[:450] + (1 - labels[450:]).tolist(), whole.part.tolist(), counts)
    assert classifier.fit(swapped).setting == fitted.setting  # test labels play no part


def test_a_setting_without_a_value_on_validation_never_wins(monkeypatch):
    whole = task([0, 1] * 30, [0] * 20 + [1] * 20 + [2] * 20, np.arange(60, dtype=np.float32)[:, None])
    values = iter([np.nan, 0.2, 0.5, np.nan])
    monkeypatch.setattr(ClassScores, "value", lambda scores, metric: next(values))
    fitted = LogisticOnCounts(strengths=(1.0, 2.0, 3.0, 4.0)).fit(whole)
    assert fitted.setting == {"C": 3.0}
    assert fitted.trials["validation"].isna().tolist() == [True, False, False, True]
    monkeypatch.setattr(ClassScores, "value", lambda scores, metric: np.nan)
    with pytest.raises(BadParameter, match="None of the settings has a value on validation"):
        LogisticOnCounts().fit(whole)


def test_counting_takes_bags_and_refuses_what_it_cannot_learn_from():
    bag = sparse.csr_matrix(np.eye(2, dtype=np.float32)[[0, 1] * 30])
    whole = task([0, 1] * 30, [0] * 20 + [1] * 20 + [2] * 20, bag)
    assert LogisticOnCounts().fit(whole).scores(whole.of("test")).value("accuracy") == 1
    with pytest.raises(BadParameter, match="take LogisticOnCounts"):
        TreesOnCounts().fit(whole)
    with pytest.raises(BadParameter, match="at least two classes"):
        LogisticOnCounts().fit(task([0, 0, 1, 1], [0, 0, 1, 1]))


def test_online_retail_is_neither_trivial_nor_hopeless_for_counting(real_data):
    retail = loading.load("online-retail").split_by_time(0.15, 0.15)
    found = together_pairs(retail.train, retail.test, pairs=6000)
    test = found.of("test")
    told = LogisticOnCounts(strengths=(0.1,)).fit(found).scores(test)
    least = ClassScores("majority", test, majority(found)).value("average precision")
    assert least + 0.1 < told.value("average precision") < 0.8

"""The corner shop: the shipped files are those of the recorded seed, and what was planted is there."""

from __future__ import annotations

import errno
import re

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from llmarm_tutorial.data.shop import draw, plan, simulate, structure_plan
from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.errors import BadParameter, DataError, UnknownName
from llmarm_tutorial.files import ROOT

SHIPPED = simulate.SHIPPED
TABLES = ("transactions", "items", "users")


def same(one: pd.DataFrame, other: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(one.reset_index(drop=True), other.reset_index(drop=True))


def read(folder) -> dict[str, pd.DataFrame]:
    return {name: pq.read_table(folder / f"{name}.parquet").to_pandas() for name in TABLES}


@pytest.fixture(scope="module")
def shipped() -> dict[str, pd.DataFrame]:
    return read(SHIPPED)


@pytest.fixture(scope="module")
def held(shipped) -> pd.DataFrame:
    """Baskets × products by name, bool, in the order of customer and time."""
    names = shipped["items"].set_index("item_id")["name"]
    table = shipped["transactions"]
    codes, items = pd.factorize(table["item_id"])
    matrix = np.zeros((table["basket_id"].nunique(), len(items)), dtype=bool)
    matrix[table["basket_id"] - 1, codes] = True
    return pd.DataFrame(matrix, columns=names[items].to_list())


@pytest.fixture(scope="module")
def baskets(shipped) -> pd.DataFrame:
    """One row per basket, as in `held`: user_id, time, week, segment."""
    table = shipped["transactions"].drop_duplicates("basket_id").merge(shipped["users"], on="user_id")
    week = (table["time"] - pd.Timestamp(plan.START)).dt.days // 7
    return table.assign(week=week)[["user_id", "basket_id", "time", "week", "segment"]]


def lift(a, b, where=slice(None)) -> float:
    a, b = np.asarray(a)[where], np.asarray(b)[where]
    return (a & b).mean() / (a.mean() * b.mean())


def kind(*names: str) -> list[plan.Planted]:
    return list(plan.planted(*names))


def by_id(values) -> dict:
    return {"argvalues": values, "ids": [p.id for p in values]}


def entry(p: plan.Planted) -> dict:
    return next(e for e in simulate.truth()["planted"] if e["id"] == p.id)


# --- the files ---------------------------------------------------------------------------------------------------


def test_the_shipped_files_are_those_of_the_recorded_seed(shipped):
    fresh = simulate.generate()
    for name in TABLES:
        same(shipped[name], getattr(fresh, name))
    assert simulate.truth() == fresh.truth


def test_the_shipped_files_are_small_and_described():
    assert {path.name for path in SHIPPED.iterdir()} == set(simulate.FILES)
    assert sum(path.stat().st_size for path in SHIPPED.iterdir()) < 3_000_000
    truth, text = simulate.truth(), (ROOT / "data" / "README.md").read_text("utf-8")
    for number in (truth["baskets"], truth["rows"], truth["customers"], truth["weeks"], len(plan.PRODUCTS)):
        assert f"{number:,}" in text
    assert f"seed {simulate.SEED} and a dial of {truth['structure']['dial']:g}" in text
    assert f"{len(truth['planted'])} planted things" in text
    assert f"{len(truth['structure']['planted'])} of the range" in text
    for difficulty, meaning in plan.DIFFICULTIES.items():
        assert f"{difficulty.replace('_', ' ')} | {meaning}" in text


def test_the_tables_have_the_promised_columns_and_keys(shipped):
    table, items, users = (shipped[name] for name in TABLES)
    assert list(table) == ["user_id", "basket_id", "time", "item_id", "quantity", "price"]
    assert list(items) == ["item_id", "name", "name_zh", "description", "category", "price", "first_sold"]
    assert list(users) == ["user_id", "segment", "age_group"]
    for frame in (table, items, users):
        assert not frame.isna().any().any()
    assert not table.duplicated(["basket_id", "item_id"]).any()
    assert (table.groupby("basket_id")[["user_id", "time"]].nunique() == 1).all().all()
    assert set(table["item_id"]) == set(items["item_id"])
    assert set(table["user_id"]) <= set(users["user_id"])
    assert users["segment"].nunique() == len(plan.SEGMENTS)
    data = Transactions.from_frame(table, items=items, users=users, name="shop")
    assert data.aspects == {"baskets", "users", "order", "clock"}
    assert not data.notes


def test_the_products_read_like_a_shop():
    products, ordinary, ranged = plan.PRODUCTS, plan.ORDINARY, structure_plan.PRODUCTS
    assert 190 <= len(ordinary) <= 230
    assert 300 <= len(ranged) <= 380
    assert ordinary["item_id"].tolist() == list(range(101, 101 + len(ordinary)))
    assert ranged["item_id"].tolist() == list(range(1001, 1001 + len(ranged)))
    assert products["item_id"].tolist() == [*ordinary["item_id"], *ranged["item_id"]]
    for column in ("item_id", "name", "name_zh", "description"):
        assert products[column].is_unique
    assert set(ranged["category"]) <= set(ordinary["category"])
    assert products["category"].nunique() == 12
    assert products["price"].between(0.2, 30).all()
    assert products["name_zh"].map(lambda name: bool(re.fullmatch(r"[\u4e00-\u9fff]+", name))).all()
    assert products["description"].str.len().between(20, 220).all()
    openings = ordinary["description"].str.split().str[:3].str.join(" ")
    assert openings.value_counts().iloc[0] <= 2, "descriptions from a template"


# --- seeds, chunks, writing --------------------------------------------------------------------------------------


def test_a_seed_decides_everything():
    one, again, other = (simulate.generate(seed, 60, 40) for seed in (1, 1, 2))
    same(one.transactions, again.transactions)
    assert one.truth == again.truth
    assert len(one.transactions) != len(other.transactions)


def test_a_large_shop_begins_with_the_chunks_of_a_smaller_one(monkeypatch):
    monkeypatch.setattr(draw, "CHUNK", 200)
    small, large = (simulate.generate(5, customers, 40) for customers in (400, 500))
    same(small.users, large.users[:400])
    same(small.transactions, large.transactions[: len(small.transactions)])
    assert large.transactions["basket_id"].is_monotonic_increasing
    assert large.transactions["basket_id"].nunique() == large.transactions["basket_id"].max() == large.truth["baskets"]


def test_writing_and_generating_agree_over_several_chunks(tmp_path, monkeypatch):
    monkeypatch.setattr(draw, "CHUNK", 100)
    folder = simulate.write(tmp_path / "a" / "shop", customers=250, seed=9, weeks=40, progress=False)
    fresh = simulate.generate(9, 250, 40)
    for name, table in read(folder).items():
        same(table, getattr(fresh, name))
    assert simulate.truth(folder) == fresh.truth
    assert len(simulate.planted_rules(None, folder)) == len(plan.PLANTED)
    assert pq.ParquetFile(folder / "transactions.parquet").num_row_groups == 3
    assert [path.name for path in folder.parent.iterdir()] == ["shop"]


@pytest.mark.parametrize("customers", [1, 3])
def test_a_tiny_shop_can_be_made(customers):
    shop = simulate.generate(0, customers, 30)
    assert len(shop.users) == customers
    assert shop.truth["rows"] == len(shop.transactions)


@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_a_failed_write_leaves_what_was_there(tmp_path, monkeypatch, failure):
    folder = simulate.write(tmp_path / "shop", customers=20, seed=1, weeks=30, progress=False)
    before = read(folder)
    monkeypatch.setattr(draw, "CHUNK", 100)
    real, calls = pq.ParquetWriter.write_table, []

    def fails_later(*arguments, **named):
        calls.append(1)
        if len(calls) > 3:
            raise failure
        return real(*arguments, **named)

    monkeypatch.setattr(pq.ParquetWriter, "write_table", fails_later)
    expected = DataError if isinstance(failure, OSError) else KeyboardInterrupt
    for target in (folder, tmp_path / "new"):
        calls.clear()
        with pytest.raises(expected) as caught:
            simulate.write(target, customers=300, seed=1, weeks=30, progress=False)
        if expected is DataError:
            assert "No space left on device" in str(caught.value)
            assert "free some space" in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["shop"]
    for name in TABLES:
        same(before[name], read(folder)[name])


def test_a_shop_is_replaced_but_nothing_else(tmp_path):
    folder = simulate.write(tmp_path / "shop", customers=20, seed=1, weeks=30, progress=False)
    simulate.write(folder, customers=30, seed=1, weeks=30, progress=False)
    assert simulate.truth(folder)["customers"] == 30
    (folder / "thesis.txt").write_text("mine")
    with pytest.raises(DataError, match="other files"):
        simulate.write(folder, customers=20, progress=False)
    assert (folder / "thesis.txt").read_text() == "mine"


@pytest.mark.parametrize(("name", "value"), [("seed", -1), ("customers", 0), ("weeks", 10), ("customers", 2.5)])
def test_impossible_sizes_are_refused(name, value):
    with pytest.raises(BadParameter, match=name):
        simulate.generate(**{name: value})


def test_a_missing_truth_is_named(tmp_path):
    with pytest.raises(DataError, match=r"truth\.json"):
        simulate.truth(tmp_path)


def test_the_truth_is_known_without_the_checkout(tmp_path, monkeypatch):
    shipped = simulate.truth()
    monkeypatch.setattr(simulate, "SHIPPED", tmp_path)
    assert simulate.truth() == shipped


# --- the background ----------------------------------------------------------------------------------------------


def test_size_popularity_and_rhythm(shipped, held, baskets):
    truth = simulate.truth()
    assert 40_000 <= truth["baskets"] <= 50_000
    assert baskets["week"].max() == truth["weeks"] - 1 == 77
    assert 5 <= held.sum(axis=1).mean() <= 5.5
    ordinary = held[plan.ORDINARY["name"]]
    by_segment = ordinary.sum(axis=1).groupby(baskets["segment"]).mean()
    assert by_segment["family"] > 1.25 * by_segment["student"]
    popularity = ordinary.sum().sort_values(ascending=False)
    assert popularity.iloc[: len(popularity) // 5].sum() > 0.5 * popularity.sum()
    assert popularity.iloc[-len(popularity) // 4 :].sum() < 0.05 * popularity.sum()
    weekday = baskets["time"].dt.day_of_week.value_counts()
    assert weekday.idxmax() == 5
    assert weekday.idxmin() == 6
    assert baskets["time"].dt.hour.between(7, 21).all()
    assert not baskets["time"].dt.strftime("%m-%d").isin(plan.CLOSED).any()
    month = baskets["time"].dt.month
    assert held["Vanilla ice cream"][month == 7].mean() > 2 * held["Vanilla ice cream"][month == 1].mean()
    assert held["Leeks"][month == 1].mean() > 2 * held["Leeks"][month == 7].mean()
    assert 0.85 < (shipped["transactions"]["quantity"] == 1).mean() < 0.97


def test_prices_are_list_prices_or_promotions(shipped):
    table = shipped["transactions"].merge(shipped["items"], on="item_id", suffixes=("", "_listed"))
    share = table["price"] / table["price_listed"]
    assert (share <= 1).all()
    assert share.min() > 0.65
    assert 0.02 < (share < 1).mean() < 0.15
    week = (table["time"] - pd.Timestamp(plan.START)).dt.days // 7
    assert (table.groupby([week, table["item_id"]])["price"].nunique() == 1).all()


def test_customers_have_lasting_tastes(shipped):
    table = shipped["transactions"]
    last = table.groupby("user_id")["basket_id"].transform("max") == table["basket_id"]
    past, future = table[~last], table[last]
    bestsellers = past["item_id"].value_counts().index[:10]
    own = past.groupby(["user_id", "item_id"]).size().sort_values(ascending=False, kind="stable")
    own = own.groupby(level=0).head(10).reset_index()[["user_id", "item_id"]]
    personal = len(future.merge(own)) / len(future)
    assert personal > 1.3 * future["item_id"].isin(bestsellers).mean()


def test_strong_pairs_are_planted_or_explained(held):
    strong = simulate.truth()["background"]["strong_pairs"]
    assert strong["counts"]["not explained"] == 0
    for pair in strong["pairs"]:
        assert lift(*(held[name] for name in pair["item_names"])) == pytest.approx(pair["lift"], abs=1e-5)
    unplanted = [pair["lift"] for pair in strong["pairs"] if pair["why"] != "planted"]
    obvious = [e["realised"]["overall"]["lift"] for e in map(entry, kind("same_basket")) if e["difficulty"] == "easy"]
    assert np.median(unplanted) < 3.5
    assert min(obvious) > 2 * np.median(unplanted)
    assert 1 < simulate.truth()["background"]["lift_of_a_typical_pair"] < 1.3


# --- the planted truth -------------------------------------------------------------------------------------------


def test_the_plan_names_each_thing_once_and_chains_nothing():
    assert len({p.id for p in plan.PLANTED}) == len(plan.PLANTED)
    assert set(plan.KINDS) == {p.kind for p in plan.PLANTED}
    together = kind("same_basket", "drift", "cold_start")
    causes = {name for p in together for name in p.antecedent}
    assert not causes & {p.consequent for p in together}, "a consequent that sets off another rule"
    assert sum(len(p.antecedent) == 1 for p in kind("same_basket")) >= 12
    assert sum(len(p.antecedent) == 2 for p in kind("same_basket")) >= 6
    assert {p.difficulty for p in kind("same_basket")} == set(plan.DIFFICULTIES)
    assert len(kind("sequential")) >= 8
    assert len(kind("long_memory")) >= 3
    assert len(kind("substitute")) >= 5


def test_difficulties_are_told_with_their_limits():
    for difficulty, (support, count, lift) in plan.LIMITS.items():
        least = f"support of at least {100 * support:g} %" if support else f"at least {count} baskets"
        assert plan.DIFFICULTIES[difficulty] == f"{least} and lift of at least {lift:g}"
    assert list(plan.DIFFICULTIES) == [*plan.LIMITS, "nearly_invisible"]
    assert simulate.truth()["difficulties"] == plan.DIFFICULTIES


@pytest.mark.parametrize("p", **by_id(kind("same_basket", "sequential", "long_memory")))
def test_difficulty_labels_mean_what_they_say(p):
    seen = entry(p)["realised"][entry(p)["view"]]
    reached = [
        difficulty
        for difficulty, limits in plan.LIMITS.items()
        if all(seen[name] >= least for name, least in limits._asdict().items())
    ]
    assert [*reached, "nearly_invisible"][0] == p.difficulty


@pytest.mark.parametrize("p", **by_id([p for p in plan.PLANTED if p.kind != "confounded"]))
def test_what_was_realised_is_what_was_expected(p):
    seen, expected = entry(p)["realised"][entry(p)["view"]], entry(p)["expected"]
    share = expected["confidence"]
    assert abs(seen["confidence"] - share) < 3 * np.sqrt(share * (1 - share) / seen["antecedents"]) + 0.01
    assert expected["support"] == pytest.approx(share * seen["antecedents"] / seen["baskets"], abs=1e-6)


@pytest.mark.parametrize("p", **by_id(kind("same_basket")))
def test_same_basket_rules_are_in_the_baskets(p, held):
    seen = entry(p)["realised"]["overall"]
    a, b = held[list(p.antecedent)].all(axis=1), held[p.consequent]
    assert (a & b).sum() == seen["count"]
    assert lift(a, b) == pytest.approx(seen["lift"], rel=1e-4)
    assert lift(a, b) > 1.2


@pytest.mark.parametrize("p", **by_id([p for p in kind("same_basket") if len(p.antecedent) == 2]))
def test_one_of_two_antecedents_alone_tells_nothing(p, held):
    assert lift(held[list(p.antecedent)].all(axis=1), held[p.consequent]) > 5
    for name in p.antecedent:
        assert 0.7 < lift(held[name], held[p.consequent]) < 1.35


@pytest.mark.parametrize("p", **by_id(kind("sequential", "long_memory")))
def test_sequential_rules_have_a_direction(p, held, baskets):
    a, b, user = held[p.antecedent[0]].to_numpy(), held[p.consequent].to_numpy(), baskets["user_id"].to_numpy()

    def later(present):
        found = np.zeros(len(user), dtype=bool)
        for step in {"sequential": (1, 2, 3), "long_memory": (9, 10, 11)}[p.kind]:
            found[:-step] |= present[step:] & (user[step:] == user[:-step])
        return found

    again = later(np.ones(len(user), dtype=bool))
    assert lift(a, later(b), again) == pytest.approx(entry(p)["realised"][entry(p)["view"]]["lift"], rel=1e-4)
    assert lift(a, later(b), again) > 4
    for found, chance in (
        ((b & later(a)).sum(), b[again].sum() * later(a)[again].mean()),
        ((a & b).sum(), a.sum() * b.mean()),
    ):
        assert found < chance + 2.5 * np.sqrt(chance) + 1


@pytest.mark.parametrize("p", **by_id(kind("substitute")))
def test_substitutes_avoid_each_other(p, held):
    assert held[p.antecedent[0]].mean() > 0.02
    assert held[p.consequent].mean() > 0.015
    assert lift(held[p.antecedent[0]], held[p.consequent]) < 0.5


@pytest.mark.parametrize("p", **by_id(kind("confounded")[:2]))
def test_a_shared_season_explains_the_pair(p, held, baskets):
    a, b = held[p.antecedent[0]], held[p.consequent]
    sums = pd.DataFrame({"a": a, "b": b, "ab": a & b, "n": 1}).groupby(baskets["week"]).sum()
    expected = (sums["a"] * sums["b"] / sums["n"]).sum()
    assert lift(a, b) > 3
    assert sums["ab"].sum() / expected == pytest.approx(1, abs=0.15)
    assert entry(p)["realised"]["within the season"]["lift"] == pytest.approx(1, abs=0.15)


def test_popularity_explains_the_bag(held):
    a, b = held["Frozen pizza"], held["Carrier bag"]
    assert (a & b).sum() / a.sum() > 0.2
    assert lift(a, b) == pytest.approx(1, abs=0.08)


@pytest.mark.parametrize("p", **by_id(kind("cold_start")))
def test_new_products_come_late_and_with_their_like(p, shipped, held, baskets):
    first = shipped["items"].set_index("name").loc[p.consequent, "first_sold"]
    assert first == pd.Timestamp(plan.START) + pd.Timedelta(weeks=78 - p.since) == pd.Timestamp(entry(p)["from"])
    new = held[p.consequent]
    assert not new[baskets["time"] < first].any()
    assert new.sum() >= 20
    assert lift(held[p.antecedent[0]], new, baskets["time"] >= first) > 5
    others = shipped["items"].loc[~shipped["items"]["name"].isin([q.consequent for q in kind("cold_start")])]
    assert (others["first_sold"] == pd.Timestamp(plan.START)).all()


@pytest.mark.parametrize("p", **by_id(kind("drift")))
def test_drifting_rules_begin_or_stop(p, held, baskets):
    recent = (baskets["week"] >= 78 - plan.DRIFT_WEEKS).to_numpy()
    holds = recent if p.since else ~recent
    a, b = held[p.antecedent[0]], held[p.consequent]
    assert lift(a, b, holds) > 8
    assert lift(a, b, ~holds) < 2
    assert entry(p)["from" if p.since else "until"] == "2025-03-31"


@pytest.mark.parametrize(("name", "factor"), plan.POPULARITY_DRIFT.items())
def test_popularity_drifts(name, factor, held, baskets):
    recent = baskets["week"] >= 78 - plan.DRIFT_WEEKS
    change = held[name][recent].mean() / held[name][~recent].mean()
    assert change > 1.5 if factor > 1 else change < 0.75


def test_one_segment_is_served_badly(shipped, held, baskets):
    own = (baskets["segment"] == plan.BADLY_SERVED).to_numpy()
    customers = shipped["users"]["segment"] == plan.BADLY_SERVED
    assert 0.02 < customers.mean() < 0.06
    assert own.sum() / customers.sum() < 0.6 * (~own).sum() / (~customers).sum()
    for p in kind("segment"):
        assert lift(held[p.antecedent[0]], held[p.consequent], own) > 4
        assert lift(held[p.antecedent[0]], held[p.consequent], ~own) < 1.5
    easy = [p for p in kind("same_basket") if p.difficulty == "easy"]
    confidence = {
        group: np.mean([held[p.consequent][where & held[p.antecedent[0]]].mean() for p in easy])
        for group, where in (("own", own), ("others", ~own))
    }
    assert confidence["own"] < 0.3 * confidence["others"]
    bestsellers = held.sum().nlargest(20).index
    share = [held.loc[where, bestsellers].to_numpy().sum() / held[where].to_numpy().sum() for where in (own, ~own)]
    assert share[0] < 0.85 * share[1]


# --- scoring against it ------------------------------------------------------------------------------------------


def test_planted_rules_are_ready_for_scoring(shipped):
    rules = simulate.planted_rules()
    assert set(rules["kind"]) == {"same_basket"}
    assert {len(a) for a in rules["antecedent"]} == {1, 2}
    ids = set(shipped["items"]["item_id"])
    assert all(isinstance(a, frozenset) and a <= ids for a in [*rules["antecedent"], *rules["consequent"]])
    assert {"id", "difficulty", "expected_support", "expected_confidence", "support", "lift"} <= set(rules)
    assert set(simulate.planted_rules(["drift", "segment"])["kind"]) == {"drift", "segment"}
    assert len(simulate.planted_rules(None)) == len(plan.PLANTED)
    with pytest.raises(UnknownName, match="sequential"):
        simulate.planted_rules("sequentail")


def test_the_range_is_every_product_with_a_role_and_no_planted_rule_is_in_it(shipped):
    ranged = simulate.range_items()
    assert ranged == {id_ for id_ in shipped["items"]["item_id"] if id_ >= structure_plan.FIRST_ID}
    planted = simulate.planted_rules(["same_basket", "drift", "segment", "cold_start", "sequential"])
    assert all(ranged.isdisjoint(a | b) for a, b in zip(planted["antecedent"], planted["consequent"], strict=True))

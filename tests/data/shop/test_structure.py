"""The structure of the shop's range: each planted kind is found by the method meant for it, and the dial rules it.

What is counted here is counted from the tables of a shop, not from what the generator noted while drawing.
"""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse, stats
from typer.testing import CliRunner

from llmarm_tutorial import mining
from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.data.shop import draw, plan, simulate, structure_plan
from llmarm_tutorial.data.shop.structure_draw import kit_chances
from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.errors import BadParameter
from llmarm_tutorial.files import ROOT
from llmarm_tutorial.running import cli

SHIPPED, DIALS = structure_plan.STRUCTURE, (0.0, 0.5, 1.0)
ROLES, STYLES = list(structure_plan.ROLES), list(structure_plan.STYLES)
PARTNERS = [(role, partner, strength) for role, (partner, strength) in structure_plan.PARTNERS.items()]
MEMBERS = pd.DataFrame(structure_plan.MEMBERS).assign(item_id=structure_plan.PRODUCTS["item_id"])
STYLED = MEMBERS["style"].to_numpy() != ""
dialled = pytest.mark.parametrize("dial", DIALS)
turned_up = pytest.mark.parametrize("dial", DIALS[1:])


class Counted:
    """A shop's tables, as arrays over baskets in the order of customer and time.

    Attributes:
        shop: The tables and the truth.
        user: Customer of each basket, shape (n_baskets,).
        held: Which products of the range are in which basket, shape (n_baskets, n_members), sparse.
        of_cell: How many products of each style and role are in which basket, shape (n_baskets, n_styles, n_roles).
    """

    def __init__(self, dial: float) -> None:
        self.shop = simulate.generate(structure=dial)
        table = self.shop.transactions
        self.user = table.drop_duplicates("basket_id")["user_id"].to_numpy()
        rows = table[table["item_id"] >= structure_plan.FIRST_ID]
        places = (rows["basket_id"].to_numpy() - 1, rows["item_id"].to_numpy() - structure_plan.FIRST_ID)
        shape = (len(self.user), len(MEMBERS))
        self.held = sparse.csr_matrix((np.ones(len(rows), dtype=np.int32), places), shape=shape)
        cell = MEMBERS["style"][STYLED].map(STYLES.index) * len(ROLES) + MEMBERS["role"][STYLED].map(ROLES.index)
        self.of_cell = (self.held[:, STYLED] @ np.eye(len(STYLES) * len(ROLES), dtype=np.int32)[cell]).reshape(
            -1, len(STYLES), len(ROLES)
        )

    def follows(self, present: np.ndarray, roles: tuple[str, ...]) -> tuple[int, int]:
        """How often the roles but the last came one visit after the other in a style, and the last one with them.

        The antecedents are two products or more of a role in a style, the sign of a step; the consequent is any.
        """
        count = len(roles)
        end = len(self.user) - count + 1
        whole = (self.user[:end] == self.user[count - 1 :])[:, None]
        for place, role in enumerate(roles[:-1]):
            whole = whole & present[place : place + end, :, ROLES.index(role)]
        return int(whole.sum()), int((whole & (self.of_cell[count - 1 :, :, ROLES.index(roles[-1])] > 0)).sum())


@functools.cache
def counted(dial: float) -> Counted:
    return Counted(dial)


def share_is(hits: int, cases: int, expected: float, slack: float = 0.02) -> bool:
    """Whether a share is the expected one, within three standard errors and what other causes may add or take."""
    return abs(hits / cases - expected) <= 3 * np.sqrt(expected * (1 - expected) / cases) + slack


def triples(project: structure_plan.Project) -> list[tuple[str, ...]]:
    return [project.steps[first : first + 3] for first in range(len(project.steps) - 2)]


# --- the plan ----------------------------------------------------------------------------------------------------


def test_the_last_two_steps_name_the_next_and_the_last_one_does_not():
    assert len(structure_plan.PROJECTS) >= 8
    whole = [steps for project in structure_plan.PROJECTS.values() for steps in triples(project)]
    assert len({steps[:2] for steps in whole}) == len(whole)
    pairs = {pair for p in structure_plan.PROJECTS.values() for pair in zip(p.steps, p.steps[1:], strict=False)}
    for role in ROLES:
        assert sum(first == role for first, _ in pairs) >= 4
    for project in structure_plan.PROJECTS.values():
        assert len(set(project.steps)) == len(project.steps)


def test_each_kind_is_planted_at_several_strengths():
    planted = simulate.planted_structure()
    assert set(planted["kind"]) == {"project", "style", "conjunction", "exchangeable"}
    assert (planted.groupby("kind")["strength"].nunique() >= 3).all()
    assert planted["id"].is_unique
    assert len({p.strength for p in plan.planted("long_memory")}) >= 3


def test_the_range_is_a_product_for_each_role_style_and_maker():
    assert not MEMBERS.duplicated(["role", "style", "place"]).any()
    sizes = MEMBERS.groupby(["role", "style"]).size()
    for role, of in structure_plan.ROLES.items():
        assert (sizes[role] == of.makers).all()
        assert list(sizes[role].index) == sorted(STYLES)
    for role, of in structure_plan.KITS.items():
        assert sizes[role].to_dict() == {"": of.makers}
    truth, named = simulate.truth()["structure"], structure_plan.PRODUCTS.set_index("item_id")["name"]
    for role in ROLES:
        for style in STYLES:
            assert all(f"{style.capitalize()} {role} (" in named[item] for item in truth["roles"][role][style])
    for role in structure_plan.KITS:
        assert all(named[item].startswith(f"{role.capitalize()} (") for item in truth["kits"][role])


def test_the_datasheet_names_what_is_planted():
    text, truth = (ROOT / "data" / "README.md").read_text("utf-8"), simulate.truth()
    planted = simulate.planted_structure()
    for kind, rows in planted.groupby("kind"):
        assert f"| {rows['id'].iloc[0]}–{rows['id'].iloc[-1]} | {kind} |" in text
    for role in structure_plan.ROLES:
        assert role in text
    for style in structure_plan.STYLES:
        assert style in text
    assert f"{len(plan.ORDINARY)} *ordinary* products" in text
    assert f"a *range* of {len(structure_plan.PRODUCTS)} products" in text
    assert truth["structure"]["dial"] == SHIPPED


# --- projects ----------------------------------------------------------------------------------------------------


@turned_up
@pytest.mark.parametrize("strength", sorted({p.strength for p in structure_plan.PROJECTS.values()}))
def test_two_steps_foretell_the_third_as_strongly_as_planted(dial, strength):
    shop = counted(dial)
    for before in (2, 1):
        found = [
            shop.follows(shop.of_cell >= 2, steps[2 - before :])
            for p in structure_plan.PROJECTS.values()
            if p.strength == strength
            for steps in triples(p)
        ]
        cases, hits = np.sum(found, axis=0)
        if before == 2:  # a visit that is no errand takes no step
            assert cases > 200
            assert share_is(hits, cases, dial * strength * structure_plan.ERRANDS)
        else:
            assert hits / cases < 0.3 * dial


@pytest.mark.parametrize("name", structure_plan.PROJECTS)
def test_each_project_shows_beyond_the_last_step(name):
    shop = counted(SHIPPED)
    for steps in triples(structure_plan.PROJECTS[name]):
        (both, together), (last, after_last) = (shop.follows(shop.of_cell >= 2, part) for part in (steps, steps[1:]))
        assert share_is(together, both, SHIPPED * structure_plan.PROJECTS[name].strength * structure_plan.ERRANDS)
        assert together / both > 2 * after_last / last
        assert stats.fisher_exact([[together, both - together], [after_last, last - after_last]]).pvalue < 1e-6


# --- partners of one style ---------------------------------------------------------------------------------------


@turned_up
@pytest.mark.parametrize(("role", "partner", "strength"), PARTNERS, ids=[role for role, *_ in PARTNERS])
def test_a_role_brings_its_partner_in_the_same_style_only(dial, role, partner, strength):
    of_cell = counted(dial).of_cell
    taken, along = of_cell[:, :, ROLES.index(role)] >= 2, of_cell[:, :, ROLES.index(partner)] > 0
    assert share_is((taken & along).sum(), taken.sum(), dial * strength)
    other_style = (taken[:, :, None] & along[:, None, :])[:, ~np.eye(len(STYLES), dtype=bool)]
    assert other_style.sum() / (taken.sum() * (len(STYLES) - 1)) < 0.03


@pytest.mark.parametrize("least_seen", [(0, 1), (1, 20)], ids=["never met", "met in fewer than 20 baskets"])
def test_partners_meet_although_their_pairs_were_hardly_seen(least_seen):
    """Pairs are chosen by the customers with odd numbers, and judged by the others."""
    shop = counted(SHIPPED)
    odd = shop.user % 2 == 1
    seen, unseen = ((part.T @ part).toarray() for part in (shop.held[odd], shop.held[~odd]))
    alone = unseen.diagonal()
    chance = np.outer(alone, alone) / (~odd).sum()
    role, style = MEMBERS["role"].to_numpy(), MEMBERS["style"].to_numpy()
    partner = np.array([structure_plan.PARTNERS[name][0] if name in structure_plan.PARTNERS else "" for name in role])
    rare = (seen >= least_seen[0]) & (seen < least_seen[1])
    within = rare & (partner[:, None] == role) & (style[:, None] == style)
    across = rare & (partner[:, None] == role) & (style[:, None] != style)
    assert within.sum() > 100
    assert unseen[within].sum() > 8 * chance[within].sum()
    assert unseen[across].sum() < 1.3 * chance[across].sum()


def test_pairs_of_products_are_rare_where_roles_are_frequent():
    for entry in simulate.truth()["structure"]["planted"]:
        if entry["kind"] == "style":
            taken_along = entry["realised"] * entry["count"]  # baskets of the two roles
            assert taken_along > 1_000
            assert entry["baskets_of_a_middling_pair"] < taken_along / 30
    never = [e["pairs_that_never_met"] for e in simulate.truth()["structure"]["planted"] if e["kind"] == "style"]
    assert sum(never) > 40


# --- conjunctions ------------------------------------------------------------------------------------------------


def kit_baskets(shop: Counted) -> tuple[list[str], sparse.csr_matrix]:
    """The kits' roles, and baskets × roles."""
    roles = list(structure_plan.KITS)
    of_role = np.array([[role == member for role in roles] for member in MEMBERS["role"]], dtype=np.int32)
    return roles, sparse.csr_matrix((shop.held @ of_role) > 0, dtype=np.int32)


@dialled
def test_two_roles_bring_a_third_and_neither_alone_says_so(dial):
    roles, baskets = kit_baskets(counted(dial))
    pairs = mining.mine_rules(baskets, 10, 1e-6, max_length=2)
    assert pairs["lift"].between(0.6, 1.4).all()
    whole = mining.mine_rules(baskets, 1, 1e-6, max_length=3)
    rules = {(row.antecedent, row.consequent): row for row in whole.rename(columns={"count": "count_"}).itertuples()}
    for conjunction in structure_plan.CONJUNCTIONS.values():
        row = rules[
            frozenset(map(roles.index, conjunction.antecedent)), frozenset([roles.index(conjunction.consequent)])
        ]
        given_both = kit_chances(conjunction.strength, dial)[2]
        assert share_is(row.count_, round(row.count_ / row.confidence), given_both, slack=0)
        assert dial == 0 or row.lift > 10 * dial * conjunction.strength


def test_rules_of_two_antecedents_are_those_planted():
    roles, baskets = kit_baskets(counted(SHIPPED))
    found = mining.mine_rules(baskets, 15, 0.3, max_length=3)
    kits = {frozenset((*c.antecedent, c.consequent)) for c in structure_plan.CONJUNCTIONS.values()}
    named = [
        frozenset(roles[code] for code in x | y) for x, y in zip(found["antecedent"], found["consequent"], strict=True)
    ]
    assert set(named) == kits


probability = st.floats(0, 1, allow_nan=False)


@given(strength=st.floats(structure_plan.KIT_RATE, 1), structure=probability)
def test_the_chances_of_a_kit_leave_every_pair_independent(strength, structure):
    p = structure_plan.KIT_RATE
    none, one, both = kit_chances(strength, structure)
    assert all(0 <= chance <= 1 for chance in (none, one, both))
    assert both == pytest.approx(p + structure * (strength - p))
    assert p * both + (1 - p) * one == pytest.approx(p)  # given either antecedent, whatever the other
    assert (1 - p) ** 2 * none + 2 * p * (1 - p) * one + p * p * both == pytest.approx(p)


@given(strength=probability)
def test_at_0_a_kit_is_three_independent_roles(strength):
    assert kit_chances(strength, 0) == pytest.approx([structure_plan.KIT_RATE] * 3)


# --- exchangeable products ---------------------------------------------------------------------------------------


def profile_neighbours(shop: Counted, count: int) -> np.ndarray:
    """Products most alike in what else was in their baskets (cosine of PPMI), shape (n_members, count)."""
    together = (shop.held.T @ shop.held).toarray().astype(float)
    np.fill_diagonal(together, 0)
    expected = together.sum(axis=1, keepdims=True) * together.sum(axis=0, keepdims=True) / together.sum()
    profile = np.log(np.maximum(together / np.maximum(expected, 1e-12), 1))
    profile /= np.maximum(np.linalg.norm(profile, axis=1, keepdims=True), 1e-12)
    alike = profile @ profile.T
    np.fill_diagonal(alike, -1)
    return np.argsort(-alike, axis=1, kind="stable")[:, :count]


@pytest.mark.parametrize(("dial", "least", "most"), [(0.0, 0, 0.04), (0.5, 0.8, 1), (SHIPPED, 0.95, 1)])
def test_products_of_one_role_and_style_have_the_same_company(dial, least, most):
    near = profile_neighbours(counted(dial), min(of.makers for of in structure_plan.ROLES.values()) - 1)
    cell = (MEMBERS["role"] + " " + MEMBERS["style"]).to_numpy()
    share = (cell[near] == cell[:, None])[STYLED].mean()
    assert least <= share <= most


def test_makers_sell_as_their_place_says():
    shop = counted(SHIPPED)
    sold = np.asarray(shop.held.sum(axis=0)).ravel()
    assert sold.min() >= 30
    for entry in simulate.truth()["structure"]["planted"]:
        if entry["kind"] == "exchangeable":
            cells = sold[(MEMBERS["role"] == entry["name"]).to_numpy()].reshape(len(STYLES), entry["makers"])
            assert cells.sum() == entry["count"]
            assert entry["realised"] == pytest.approx(cells[:, 0].sum() / cells.sum(), abs=1e-6)
            assert entry["realised"] == pytest.approx(entry["expected"], abs=0.03)  # two alike in a basket are one
            assert cells.sum() > 15 * np.median(cells)


# --- long memory -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("p", plan.planted("long_memory"), ids=lambda p: p.id)
def test_a_long_memory_shows_in_a_window_of_nine_to_eleven_visits_and_in_no_other(p):
    shop = counted(SHIPPED).shop
    data = Transactions.from_frame(shop.transactions, items=shop.items, users=shop.users)
    a, b = (int(plan.PRODUCTS["item_id"][plan.row(name)]) for name in (*p.antecedent, p.consequent))
    gaps = mining.lift_by_gap(data, [(a, b)], reach=14).set_index("gap")

    def lift(first: int, last: int) -> float:
        window = gaps.loc[first:last]
        return window["count"].sum() / window["expected"].sum()

    assert lift(9, 11) > 4
    for first, last in ((-11, -9), (-3, -1), (0, 0), (1, 3), (4, 8), (12, 14)):
        count, expected = gaps.loc[first:last, "count"].sum(), gaps.loc[first:last, "expected"].sum()
        assert count < expected + 3 * np.sqrt(expected) + 1
    assert lift(1, 3) < 1
    assert gaps["lift"].idxmax() == 10


# --- the dial ----------------------------------------------------------------------------------------------------


def test_at_0_nothing_of_the_plan_is_there():
    """Products of one style go together as those of two styles do; so do three roles one after the other."""
    shop = counted(0.0)
    present = shop.of_cell > 0
    own = np.eye(len(STYLES), dtype=bool)
    first, second = ([ROLES.index(pair[side]) for pair in PARTNERS] for side in (0, 1))
    met = np.einsum("bsr,btr->st", present[:, :, first].astype(float), present[:, :, second].astype(float))
    whole = shop.user[:-2] == shop.user[2:]
    followed = np.zeros_like(met)
    for project in structure_plan.PROJECTS.values():
        for steps in triples(project):
            x, y, z = (ROLES.index(role) for role in steps)
            antecedent = present[:-2, :, x] & present[1:-1, :, y] & whole[:, None]
            followed += antecedent.T.astype(float) @ present[2:, :, z]
    for counts in (met, followed):
        within, across = counts[own].sum(), counts[~own].sum() / (len(STYLES) - 1)
        assert within > 500
        assert abs(within - across) < 3 * np.sqrt(within + across / (len(STYLES) - 1))


@dialled
def test_what_the_plan_did_is_what_the_dial_says(dial):
    structure = counted(dial).shop.truth["structure"]
    assert structure["dial"] == dial
    for entry in structure["planted"]:
        if entry["kind"] in ("project", "style"):
            assert entry["expected"] == pytest.approx(dial * entry["strength"])
        elif entry["kind"] == "conjunction":
            assert entry["expected"] == pytest.approx(kit_chances(entry["strength"], dial)[2], abs=1e-6)
        if entry["kind"] != "exchangeable" and entry["count"]:
            assert share_is(round(entry["realised"] * entry["count"]), entry["count"], entry["expected"], slack=0)


def test_the_dial_leaves_visits_and_sales_as_they_are():
    tables = {dial: counted(dial).shop.transactions for dial in DIALS}
    for measure, most in (
        (lambda table: table["basket_id"].nunique(), 0.001),
        (lambda table: (table["item_id"] < structure_plan.FIRST_ID).sum(), 0.005),
        (len, 0.015),
    ):
        counts = np.array([measure(table) for table in tables.values()])
        assert np.ptp(counts) < most * counts.mean()


@pytest.mark.parametrize("value", [-0.1, 1.0001, float("nan"), float("inf"), "half", None, True])
def test_an_impossible_dial_is_refused_in_one_sentence(value, tmp_path):
    for make in (simulate.generate, functools.partial(simulate.write, tmp_path / "shop", progress=False)):
        with pytest.raises(BadParameter, match=r"^The corner shop needs structure to be a number from 0 to 1, not ."):
            make(customers=20, structure=value)
    assert not (tmp_path / "shop").exists()


def test_the_dial_is_an_option_of_the_command(tmp_path):
    run = functools.partial(CliRunner().invoke, cli.app)
    for name, options in (("low", ["--structure", "0.3", "--seed", "4"]), ("shipped", ["--seed", "4"])):
        done = run(["data", "make", "--customers", "60", "--out", str(tmp_path / name), *options])
        assert done.exit_code == 0, done.output
    for name, dial in (("low", 0.3), ("shipped", SHIPPED)):
        fresh = simulate.generate(4, 60, structure=dial)
        assert simulate.truth(tmp_path / name) == fresh.truth
        written = pq.read_table(tmp_path / name / "transactions.parquet").to_pandas()
        pd.testing.assert_frame_equal(written, fresh.transactions.reset_index(drop=True))
    assert set(simulate.planted_structure(tmp_path / "low")["expected"]) != set(
        simulate.planted_structure(tmp_path / "shipped")["expected"]
    )
    refused = run(["data", "make", "--customers", "60", "--out", str(tmp_path / "no"), "--structure", "1.5"])
    assert refused.exit_code == 2
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize("dial", [0.0, 0.4, 1.0])
def test_at_any_dial_a_large_shop_begins_with_the_chunks_of_a_smaller_one(dial, monkeypatch):
    monkeypatch.setattr(draw, "CHUNK", 150)
    small, large = (simulate.generate(5, customers, 40, dial) for customers in (300, 400))
    same = large.transactions[: len(small.transactions)].reset_index(drop=True)
    pd.testing.assert_frame_equal(small.transactions.reset_index(drop=True), same)


# --- who is on an errand -----------------------------------------------------------------------------------------


def test_who_is_on_an_errand_is_seen_in_the_last_visit_only():
    ids = {(m.role, m.style, m.place): structure_plan.FIRST_ID + row for row, m in enumerate(structure_plan.MEMBERS)}
    item_ids = [
        101,
        ids["tea", "organic", 0],
        ids["jam", "organic", 3],
        ids["jam", "spicy", 3],
        ids["candles", "", 0],
        ids["napkins", "", 0],
        999_999,
    ]
    cases = {
        "two of a style": ([[0], [1, 2]], True),
        "two of a style among others": ([[3], [0, 1, 2, 3, 4]], True),
        "two of a style, in two visits": ([[1], [2]], False),
        "two of a style, but before": ([[1, 2], [0, 3]], False),
        "two styles": ([[2, 3]], False),
        "two of a kit": ([[4, 5]], False),
        "one": ([[1, 0, 6]], False),
        "nothing known": ([], False),
    }
    for order in (list(cases), list(cases)[::-1], ["nothing known"]):
        visits = [cases[name][0] for name in order]
        items = np.array([code for case in visits for visit in case for code in visit], dtype=np.int32)
        number = np.array([place for case in visits for place, visit in enumerate(case) for _ in visit], dtype=np.int32)
        offsets = np.cumsum([0, *(sum(map(len, case)) for case in visits)])
        histories = Histories(items, offsets, number, len(item_ids))
        assert simulate.on_errand(histories, item_ids).tolist() == [cases[name][1] for name in order]


def test_the_sign_of_an_errand_says_in_which_style_it_goes_on():
    goes_on = {}
    for dial in (0.0, SHIPPED):
        shop = counted(dial)
        two = shop.of_cell.sum(axis=2) >= 2
        sign = two[:-1] & (shop.user[:-1] == shop.user[1:])[:, None]
        goes_on[dial] = two[1:][sign].mean()
    assert goes_on[SHIPPED] > 0.5
    assert goes_on[0.0] < 0.2

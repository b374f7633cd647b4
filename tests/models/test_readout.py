"""Rules read out of a model: fair training pairs, exact small cases, agreement with counts, what a gap is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("accelerate")

from llmarm_tutorial.data.transactions import Transactions  # noqa: E402
from llmarm_tutorial.errors import BadParameter, UnknownName  # noqa: E402
from llmarm_tutorial.mining import antecedents, confidence, judging  # noqa: E402
from llmarm_tutorial.mining.antecedents import gather, padded  # noqa: E402
from llmarm_tutorial.mining.rules import COLUMNS, pair_rules  # noqa: E402
from llmarm_tutorial.models import gap_reading, readout  # noqa: E402

FIVE = Transactions.from_baskets([[1, 2], [3, 4], [1, 2, 3, 4], [1, 2, 3], [2, 3, 4]])
QUICK = replace(readout.READOUT_SETTINGS, epochs=6, learning_rate=5e-3)


def two_habits(n: int, seed: int, n_items: int = 20) -> sparse.csr_matrix:
    """The even and the odd items go together."""
    rng = np.random.default_rng(seed)
    habit = rng.integers(0, 2, n)
    chance = np.where((np.arange(n_items) % 2)[None, :] == habit[:, None], 0.3, 0.05)
    dense = rng.random((n, n_items)) < chance
    return sparse.csr_matrix(dense[dense.sum(axis=1) > 1])


@pytest.fixture(scope="module")
def trained():
    train, validation = two_habits(2000, 0), two_habits(800, 1)
    asked = antecedents.draw_questions(validation, train, per_band=60)
    model, done = readout.train_completion_model(train, validation, asked, settings=QUICK, batches={"draws": 2500})
    return train, model, done


# --- training pairs --------------------------------------------------------------------------------------------------


def test_targets_are_the_counted_confidences():
    batches = readout.PartBatches(FIVE.basket_matrix(), 4, sizes=(1, 2), draws=64, batch_size=32)
    assert batches.count(0) == 4
    seen = list(batches.stream(0, range(4)))
    antecedents = torch.cat([batch["antecedents"] for batch in seen]).numpy()
    targets = torch.cat([batch["targets"] for batch in seen]).numpy()
    assert sum(batch["size"] for batch in seen) == len(antecedents) == 128
    known = gather(FIVE.basket_matrix(), antecedents)
    assert targets == pytest.approx(confidence.raw_confidence(known), abs=1e-6)
    by_hand = targets[(antecedents == [0, -1]).all(axis=1)][0]
    assert by_hand == pytest.approx([1, 1, 2 / 3, 1 / 3])


def test_batches_depend_on_seed_and_epoch_alone():
    make = lambda seed: readout.PartBatches(FIVE.basket_matrix(), 4, draws=32, batch_size=32, seed=seed)  # noqa: E731
    first, again, other = make(1), make(1), make(2)
    whole = [batch["antecedents"] for batch in first.stream(3, range(3))]
    resumed = [batch["antecedents"] for batch in again.stream(3, range(1, 3))]
    assert all(torch.equal(a, b) for a, b in zip(whole[1:], resumed, strict=True))
    assert first.fingerprint() == again.fingerprint() != other.fingerprint()
    assert not torch.equal(whole[0], next(other.stream(3, [0]))["antecedents"])
    assert not torch.equal(whole[0], next(first.stream(4, [0]))["antecedents"])


def test_an_antecedents_own_items_cost_nothing():
    model = readout.new_model(FIVE.basket_matrix())
    antecedents = torch.tensor([[0, 2]])
    loss = [
        readout.completion_loss(model.eval(), {"antecedents": antecedents, "targets": torch.tensor([target])}).item()
        for target in ([1.0, 0.5, 1.0, 0.5], [0.0, 0.5, 0.0, 0.5], [1.0, 1.0, 1.0, 0.5])
    ]
    assert loss[0] == loss[1] != loss[2]


def test_context_is_given_and_never_asked_for():
    """Column 4 is context: it decides whether item 3 follows item 0, and is no consequent."""
    rng = np.random.default_rng(0)
    context, first = rng.random(3000) < 0.5, rng.random(3000) < 0.5
    follows = rng.random(3000) < np.where(context & first, 0.9, 0.1)
    other = rng.random((3000, 2)) < 0.4
    table = sparse.csr_matrix(np.column_stack([first, other, follows, context]))
    asked = padded([[0], [0, 4], [1], [4]])
    longer = replace(QUICK, epochs=16, patience=16)
    model, _ = readout.train_completion_model(
        table[:2500], table[2500:], asked, n_items=4, settings=longer, batches={"draws": 2000}
    )
    found = readout.confidences(model, asked, 4)
    assert found.shape == (4, 4)
    assert found[1, 3] > 0.75
    assert found[3, 3] == pytest.approx(0.5, abs=0.12)
    assert found[0, 3] == pytest.approx(0.5, abs=0.12)


# --- confidences -----------------------------------------------------------------------------------------------------


def test_an_untrained_model_knows_the_shares():
    matrix = two_habits(500, 3)
    model = readout.new_model(matrix)
    with torch.no_grad():  # no vectors: what is left is the bias
        model.bert.embeddings.word_embeddings.weight.zero_()
    shares = np.bincount(matrix.indices, minlength=20) / matrix.shape[0]
    assert readout.confidences(model, padded([[3]]))[0] == pytest.approx(shares, abs=2e-3)


def test_the_order_of_an_antecedent_does_not_matter(trained):
    _, model, _ = trained
    a, b = (readout.confidences(model, np.array([x])) for x in ([2, 5, 9], [9, 2, 5]))
    assert a == pytest.approx(b, abs=1e-5)
    short, long = readout.confidences(model, np.array([[2, -1]])), readout.confidences(model, np.array([[2]]))
    assert short == pytest.approx(long, abs=1e-5)


def test_it_agrees_with_counts_where_there_are_many(trained):
    train, model, _ = trained
    known = gather(train, padded([[item] for item in range(20)]))
    assert known.baskets.min() > 200
    error = np.abs(readout.confidences(model, known.antecedents) - confidence.raw_confidence(known))[known.open]
    assert error.mean() < 0.025


def test_it_beats_raw_counts_where_there_are_few(trained):
    train, model, _ = trained
    many = two_habits(60_000, 9)
    asked = antecedents.draw_questions(many, train, sizes=(3,), per_band=80)
    known = gather(train, asked)
    few = known.take(np.flatnonzero((known.baskets > 0) & (known.baskets < 20)))
    truth = gather(many, few.antecedents)
    told = {"model": readout.confidences(model, few.antecedents), "counts": confidence.raw_confidence(few)}
    rmse = {name: judging.mean_losses(judging.confidence_losses(p, truth))["rmse"] for name, p in told.items()}
    assert rmse["model"] < 0.4 * rmse["counts"]


def test_the_training_kept_the_best_epoch(trained):
    _, _, done = trained
    assert done.best_score == done.validations["score"].max()


@pytest.mark.parametrize("antecedents", [np.zeros((1, 9), dtype=int), np.array([1, 2]), np.array([[20]])])
def test_what_the_model_cannot_read_is_refused(trained, antecedents):
    with pytest.raises(BadParameter, match="model"):
        readout.confidences(trained[1], antecedents)


# --- gaps ------------------------------------------------------------------------------------------------------------


def test_a_gap_is_no_confidence():
    """Five baskets, item 1: its confidences sum to the mean number of further items, a gap's chances to 1."""
    matrix = FIVE.basket_matrix()
    x = padded([[0]])
    known = gather(matrix, x)
    counted = np.where(known.open, confidence.raw_confidence(known), 0)
    assert counted.sum() == pytest.approx(2)
    assert gap_reading.items_to_come(matrix, x, strength=0)[0] == pytest.approx(2)
    model = readout.new_model(matrix)
    chances = gap_reading.gap_chances(model, x)
    assert chances.sum() == pytest.approx(1, abs=1e-5)
    assert chances[0, 0] == 0


def test_gap_chances_that_count_every_missing_item_once_give_the_confidence():
    """E[y missing] / E[number missing], by hand for item 1: 3, 2 and 1 of six missing items."""
    to_come = gap_reading.items_to_come(FIVE.basket_matrix(), padded([[0]]), strength=0)
    assert gap_reading.from_gaps(np.array([[0, 3 / 6, 2 / 6, 1 / 6]]), to_come)[0] == pytest.approx(
        [0, 1, 2 / 3, 1 / 3]
    )


def test_items_to_come_fall_back_on_the_size_of_the_antecedent():
    matrix = FIVE.basket_matrix()
    pairs = padded([[0, 1], [0, 3]])
    sizes = np.diff(matrix.indptr)
    weight = sizes * (sizes - 1)
    prior = (weight @ (sizes - 2)) / weight.sum()
    assert gap_reading.items_to_come(matrix, pairs, strength=1e9) == pytest.approx([prior, prior], rel=1e-6)
    assert gap_reading.items_to_come(matrix, pairs, strength=0) == pytest.approx([(0 + 2 + 1) / 3, 2])


def test_a_gap_model_learns_who_goes_with_whom():
    matrix = two_habits(1500, 0)
    model, done = gap_reading.train_gap_model(matrix, settings=replace(QUICK, epochs=5))
    chances = gap_reading.gap_chances(model, padded([[0, 2]]))[0]
    assert chances[4:20:2].sum() > 2 * chances[1:20:2].sum()
    assert len(done.losses)


def test_calibration_finds_the_distortion():
    rng = np.random.default_rng(0)
    truth = rng.uniform(0.02, 0.6, (300, 8))
    drawn = rng.binomial(400, truth)
    unseen = antecedents.Evidence(np.full((300, 1), 7), np.full(300, 400), drawn, np.full(8, 0.3))
    odds = np.log(truth / (1 - truth))
    told = 1 / (1 + np.exp(-(odds / 0.8 - 0.5)))
    fitted = gap_reading.Calibration.fit(told, unseen)
    assert fitted.slope[1] == pytest.approx(0.8, abs=0.02)
    assert fitted.apply(told, np.ones(300, dtype=int))[:, :7] == pytest.approx(truth[:, :7], abs=0.02)


# --- rules -----------------------------------------------------------------------------------------------------------


def items_of(n: int) -> pd.DataFrame:
    return pd.DataFrame({"item_id": np.arange(n), "name": [f"item {k}" for k in range(n)]})


def test_a_rule_table_from_counts_is_that_of_the_miner():
    matrix = two_habits(400, 2)
    known = gather(matrix, padded([[item] for item in range(20)]))
    counted = confidence.raw_confidence(known)
    ours = confidence.rule_table(
        known.antecedents, lambda codes: counted[codes[:, 0]], known.baskets / matrix.shape[0], known.shares,
        matrix.shape[0], items_of(20), how="counts", min_confidence=0.2,
    )  # fmt: skip
    mined = pair_rules(matrix, 1, 0.2)
    assert [*ours] == [*COLUMNS, "how"]
    key = lambda table: table.set_index(["antecedent", "consequent"]).sort_index()  # noqa: E731
    numbers = ["confidence", "lift", "leverage", "count", "antecedent_count", "consequent_count"]
    ours, mined = ({(min(x), min(y)): row for (x, y), row in key(t)[numbers].iterrows()} for t in (ours, mined))
    assert ours.keys() == mined.keys()
    for pair, row in mined.items():
        assert ours[pair].to_numpy() == pytest.approx(row.to_numpy(), rel=1e-5)


def test_rules_read_from_the_model_alone(trained, monkeypatch: pytest.MonkeyPatch):
    train, model, _ = trained
    shares = np.bincount(train.indices, minlength=20) / train.shape[0]
    limits = {"min_support": 0.01, "min_confidence": 0.2}
    rules = readout.read_rules(model, shares, train.shape[0], items_of(20), **limits, by="lift")
    assert [*rules] == [*COLUMNS, "how"]
    assert rules["confidence"].min() >= 0.2
    assert rules["support"].min() >= 0.01
    assert rules["lift"].is_monotonic_decreasing
    assert set(rules["antecedent"].map(len)) == {1, 2}
    parity = [{item % 2 for item in x | y} for x, y in zip(rules["antecedent"], rules["consequent"], strict=True)]
    assert np.mean([len(p) == 1 for p in parity[: len(parity) // 2]]) > 0.95
    best = readout.read_rules(model, shares, train.shape[0], items_of(20), **limits, by="lift", most=5)
    assert best["antecedent"].tolist() == rules["antecedent"].tolist()[:5]
    monkeypatch.setattr(antecedents, "BLOCK", 60)  # three antecedents at a time give the same rules
    for most in (None, 5):
        again = readout.read_rules(model, shares, train.shape[0], items_of(20), **limits, by="lift", most=most)
        # sums of few rows round otherwise, so that two rules of nearly one lift may change places
        assert again["lift"].to_numpy() == pytest.approx(rules["lift"].head(len(again)).to_numpy(), rel=1e-5)
        assert len(again) == (most or len(rules))
        pair = ["antecedent", "consequent"]
        same = again.merge(rules, on=pair, suffixes=("", "_whole"))
        assert len(same) == len(again)
        assert same["confidence"].to_numpy() == pytest.approx(same["confidence_whole"].to_numpy(), rel=1e-5)
        assert same["support"].to_numpy() == pytest.approx(same["support_whole"].to_numpy(), rel=1e-5)
    pairs = rules[rules["antecedent"].map(len) == 2].head(40)
    code = padded([sorted(x) for x in pairs["antecedent"]])
    counted = gather(train, code).baskets
    assert np.abs(pairs["antecedent_count"] / counted - 1).mean() < 0.15


def test_wrong_orders_and_lengths_are_named(trained):
    _, model, _ = trained
    with pytest.raises(BadParameter, match="1 or 2"):
        readout.read_rules(model, np.full(20, 0.1), 100, items_of(20), min_support=0.01, longest=3)
    with pytest.raises(UnknownName, match="lift"):
        readout.read_rules(model, np.full(20, 0.1), 100, items_of(20), min_support=0.01, by="luck")

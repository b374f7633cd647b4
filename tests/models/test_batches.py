"""Batches of item sequences: every event once, in any order within a visit, with little padding."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.errors import BadParameter, DataError
from llmarm_tutorial.models.batches import ItemBatches
from llmarm_tutorial.models.tokens import FIRST_ITEM, MASK, PAD, VISIT

sequences = st.lists(st.lists(st.integers(0, 9), max_size=23), min_size=1, max_size=8).filter(
    lambda rows: max(map(len, rows)) > 1
)


def batches(rows: list[list[int]], **options) -> ItemBatches:
    known = Histories.from_lists(rows)
    options = {"max_length": 5, "batch_size": 3} | options
    return ItemBatches(known, **options)


@settings(max_examples=60, deadline=None)
@given(sequences, st.integers(0, 3), st.booleans())
def test_a_causal_epoch_predicts_every_event_but_the_first_once(rows: list[list[int]], epoch: int, bucketed: bool):
    found = []
    for batch in (made := batches(rows, bucketed=bucketed)).stream(epoch, range(made.count(epoch))):
        flat = batch["input_ids"].flatten()
        assert batch["input_ids"].shape[1] <= 5
        assert batch["size"] == len(batch["targets"]) == int((flat != PAD).sum())
        found += list(zip((flat[batch["scored"]] - FIRST_ITEM).tolist(), batch["targets"].tolist(), strict=True))
    assert sorted(found) == sorted(pair for row in rows for pair in itertools.pairwise(row))


@settings(max_examples=60, deadline=None)
@given(sequences, st.integers(0, 3))
def test_a_masked_epoch_hides_what_it_asks_for(rows: list[list[int]], epoch: int):
    made = batches(rows, objective="masked")
    for batch in made.stream(epoch, range(made.count(epoch))):
        ids = batch["input_ids"]
        assert ((ids == MASK).sum(1) >= 1).all()
        assert torch.equal(batch["scored"], (ids.flatten() == MASK).nonzero()[:, 0])
        assert (ids.flatten()[batch["scored"]] == MASK).all()
        assert batch["size"] == int((ids != PAD).sum())


def test_whole_visits_are_asked_for_once_each_item_and_only_with_what_came_before():
    known = Histories.from_lists([[4, 7, 2, 5], [1, 3, 6]])
    known = replace(known, visits=np.array([0, 0, 1, 1, 0, 1, 1], dtype=np.int32))
    made = ItemBatches(known, 9, batch_size=2, visits=True, whole_visits=True)
    (batch,) = made.stream(0, [0])
    ids, found = batch["input_ids"], []
    for place, target in zip(batch["scored"].tolist(), batch["targets"].tolist(), strict=True):
        row, column = divmod(place, ids.shape[1])
        assert ids[row, column] == VISIT
        before = sorted((ids[row, :column][ids[row, :column] >= FIRST_ITEM] - FIRST_ITEM).tolist())
        found.append((before, target))
    expected = [([], 4), ([], 7), ([4, 7], 2), ([4, 7], 5), ([], 1), ([1], 3), ([1], 6)]
    assert sorted(found) == sorted(expected)


def test_a_batch_by_hand():
    made = batches([[4, 7, 2], [1, 3]], max_length=5)
    (batch,) = made.stream(0, [0])
    order = [0, 1] if batch["attention_mask"][0].all() else [1, 0]
    assert batch["input_ids"][order].tolist() == [[FIRST_ITEM + 4, FIRST_ITEM + 7], [FIRST_ITEM + 1, PAD]]
    assert sorted(batch["targets"].tolist()) == [2, 3, 7]
    assert batch["attention_mask"][order].tolist() == [[1, 1], [1, 0]]


def test_last_item_samples_mask_the_last_item_only():
    made = batches([[4, 7, 2], [1, 3, 5, 6]], objective="masked", last_share=1.0)
    (batch,) = made.stream(0, [0])
    assert sorted(batch["targets"].tolist()) == [2, 6]
    assert [row[row != PAD][-1].item() for row in batch["input_ids"]] == [MASK, MASK]


@pytest.mark.parametrize("objective", ["masked", "causal"])
def test_with_visits_baskets_stay_together_in_any_order_and_marks_are_never_asked_for(objective: str):
    known = Histories.from_lists([[4, 7, 2, 9, 5, 0, 8], [1, 3]])
    known = replace(known, visits=np.array([0, 0, 0, 1, 1, 1, 2, 0, 0]))
    made = ItemBatches(known, 20, objective, last_share=1.0, visits=True)
    orders = set()
    for epoch in range(8):
        (batch,) = made.stream(epoch, [0])
        longest = batch["input_ids"][int(batch["attention_mask"].sum(1).argmax())]
        row = (longest[longest != PAD] - FIRST_ITEM).tolist()
        assert batch["size"] == (9 if objective == "masked" else 7)
        if objective == "masked":
            assert sorted(batch["targets"].tolist())[1] == 8
            continue
        # what is predicted: every item, the first of a visit from its mark
        assert sorted(batch["targets"].tolist()) == [0, 1, 2, 3, 4, 5, 7, 8, 9]
        assert [place for place, code in enumerate(row) if code == -1] == [0, 4, 8]
        assert set(row[1:4]) == {4, 7, 2}
        orders.add(tuple(row))
    assert objective == "masked" or len(orders) > 2


def test_epochs_differ_and_repeat():
    made = batches([list(range(10)) * 3, [1, 2, 3]], objective="masked")

    def drawn(epoch: int) -> list:
        return [batch["input_ids"].tolist() for batch in made.stream(epoch, range(made.count(epoch)))]

    assert drawn(3) == drawn(3)
    assert drawn(3) != drawn(4)
    whole = list(made.stream(2, range(made.count(2))))
    (second,) = made.stream(2, [1])
    assert second["input_ids"].tolist() == whole[1]["input_ids"].tolist()


def test_buckets_save_padding():
    random = np.random.default_rng(0)
    rows = [list(random.integers(0, 9, length)) for length in random.integers(2, 50, 200)]
    share = {
        b: batches(rows, max_length=50, batch_size=8, bucketed=b).describe()["padding share"] for b in (True, False)
    }
    assert share[True] < 0.05 < 0.3 < share[False]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"objective": "both"}, BadParameter, "not 'both'"),
        ({"batch_size": 0}, BadParameter, "batch_size"),
        ({"max_length": 1}, BadParameter, "max_length"),
        ({"mask_share": 0.0}, BadParameter, "mask_share"),
        ({"last_share": 1.1}, BadParameter, "last_share"),
    ],
)
def test_wrong_batches_are_one_sentence(options: dict, error: type, message: str):
    with pytest.raises(error, match=message):
        batches([[1, 2, 3]], **options)


def test_sequences_of_one_item_teach_nothing():
    with pytest.raises(DataError, match="No sequence has two items"):
        batches([[1], [2]])

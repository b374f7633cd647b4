"""Teachers say what they say alone, students learn it, and nobody changes the teacher."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.errors import BadParameter
from llmarm_tutorial.models.batches import ItemBatches
from llmarm_tutorial.models.distil_loss import DistillationMix
from llmarm_tutorial.models.item_model import ItemModel, item_config
from llmarm_tutorial.models.recommender import ItemRecommender
from llmarm_tutorial.models.teachers import (
    CountingTeacher,
    JointTeacher,
    ModelTeacher,
    Student,
    TopTeacher,
    fidelity,
)
from llmarm_tutorial.models.training import Settings, train
from llmarm_tutorial.recommend import tuning
from llmarm_tutorial.recommend.experts import log_chances

N_ITEMS = 10
SEQUENCES = [[1, 2, 3, 4], [5, 6, 7], [8, 9, 0, 1, 2], [3, 3, 4]]


def model_of(seed: int = 0, **options) -> ItemModel:
    shape = {"hidden": 8, "layers": 2, "heads": 2, "dropout": 0.0, "spread": 0.5, "max_length": 6} | options
    return ItemModel(item_config(N_ITEMS, **shape), seed=seed).eval()


def batches_of(objective: str = "causal", **options) -> ItemBatches:
    known = Histories.from_lists(SEQUENCES, N_ITEMS)
    return ItemBatches(known, 6, objective, batch_size=4, **options)


def first_batch(batches: ItemBatches) -> dict:
    batch = next(batches.stream(0, [0]))
    batch.pop("size")
    return batch


def prefixes(batch: dict) -> Histories:
    """What a causal student has read at every scored position."""
    width = batch["input_ids"].shape[1]
    rows = [batch["input_ids"][place // width, : place % width + 1] - 4 for place in batch["scored"].tolist()]
    return Histories.from_lists([row[row >= 0].tolist() for row in rows])


def test_a_model_says_what_it_says_as_a_recommender():
    teacher, batch = model_of(), first_batch(batches_of())
    says = ModelTeacher(teacher).reads(batch)
    n = len(batch["targets"])
    alone = torch.from_numpy(ItemRecommender(teacher).scores(prefixes(batch)))
    for heat in (1.0, 3.0):
        together = torch.cat([says(0, 4, heat), says(4, n, heat)])
        assert torch.allclose(together, (alone / heat).log_softmax(1), atol=1e-5)


def test_counting_says_what_it_says_as_a_recommender():
    known = Histories.from_lists(SEQUENCES, N_ITEMS)
    rules = tuning.make_baseline("sr").fit(known)
    batch = first_batch(batches_of())
    said = CountingTeacher(rules).reads(batch)(2, 7, 2.0)
    expected = torch.from_numpy(log_chances(rules.scores(prefixes(batch))[2:7], "shares") / 2).log_softmax(1)
    assert torch.allclose(said, expected.float(), atol=1e-6)


def test_for_a_masked_student_counting_reads_all_that_is_not_masked():
    batch = first_batch(batches_of("masked", mask_share=0.4))

    class Counter:
        n_items = N_ITEMS

        def scores(self, histories: Histories) -> np.ndarray:
            return histories.matrix(N_ITEMS).toarray()

    said = CountingTeacher(Counter(), "masked").reads(batch)(0, len(batch["targets"]), 1.0)
    width = batch["input_ids"].shape[1]
    for place, logs in zip(batch["scored"].tolist(), said, strict=True):
        row = batch["input_ids"][place // width]
        counts = np.bincount(row[row >= 4] - 4, minlength=N_ITEMS)
        shares = (counts + 1e-9) / (counts + 1e-9).sum()  # nothing left to read: all alike
        assert torch.allclose(logs.exp(), torch.from_numpy(shares).float(), atol=2e-3)


def test_together_teachers_say_the_product_of_what_they_say():
    batch = first_batch(batches_of())
    first, second = (ModelTeacher(model_of(seed)) for seed in (1, 2))
    says = JointTeacher([first, second], [1.0, 0.5]).reads(batch)(0, 3, 1.0)
    product = first.reads(batch)(0, 3, 1.0) + 0.5 * second.reads(batch)(0, 3, 1.0)
    assert torch.allclose(says, product.log_softmax(1), atol=1e-5)


def test_the_order_of_a_teacher_is_spread_by_rank():
    batch = first_batch(batches_of())
    teacher = ModelTeacher(model_of())
    said = TopTeacher(teacher, 3, decay=1.0).reads(batch)(0, 5, 1.0)
    order = teacher.reads(batch)(0, 5, 1.0).argsort(1, descending=True)
    shares = torch.exp(-torch.arange(3.0))
    for logs, first in zip(said, order, strict=True):
        assert torch.allclose(logs.exp()[first[:3]], shares / shares.sum(), atol=1e-6)
        assert torch.isinf(logs[first[3:]]).all()


def test_a_student_of_soft_labels_comes_to_say_what_its_teacher_says():
    teacher, student = model_of(1), model_of(2, layers=1)
    asked = Histories.from_lists([sequence[:-1] for sequence in SEQUENCES])  # where the teacher was heard
    before = fidelity(ItemRecommender(student), ItemRecommender(teacher), asked, k=3)
    kept = {name: weight.clone() for name, weight in teacher.state_dict().items()}
    pair = Student(student, ModelTeacher(teacher), DistillationMix(1.0))
    plan = Settings(epochs=150, learning_rate=1e-2, precision="no", weight_decay=0.0)
    train(pair, batches_of(), plan, progress=False)
    after = fidelity(ItemRecommender(student), ItemRecommender(teacher), asked, k=3)
    assert after.divergence < 0.1 * before.divergence
    assert after.overlap > before.overlap
    assert all(torch.equal(weight, kept[name]) for name, weight in teacher.state_dict().items())
    assert not any("teacher" in name for name in pair.state_dict())


def test_without_teacher_a_student_learns_as_in_pretraining():
    plan = Settings(epochs=2, precision="no")
    alone, student = model_of(3), model_of(3)
    train(alone, batches_of(), plan, progress=False)
    train(Student(student, None), batches_of(), plan, progress=False)
    for name, weight in alone.state_dict().items():
        assert torch.equal(weight, student.state_dict()[name]), name


def test_hidden_states_are_matched_through_a_map():
    teacher, student = model_of(1), model_of(2, hidden=4, layers=1)
    pair = Student(student, ModelTeacher(teacher), DistillationMix(0.0), matching=1.0)
    assert pair.bridge.weight.shape == (8, 4)
    batch = first_batch(batches_of())

    def distance() -> float:
        return float(pair(**batch).loss - Student(student, None)(**batch).loss)

    before = distance()
    train(pair, batches_of(), Settings(epochs=60, learning_rate=1e-2, precision="no"), progress=False)
    assert distance() < 0.7 * before


def test_a_student_without_a_teacher_of_states_matches_nothing():
    rules = tuning.make_baseline("popularity").fit(Histories.from_lists(SEQUENCES, N_ITEMS))
    with pytest.raises(BadParameter, match="needs an item model as teacher"):
        Student(model_of(), CountingTeacher(rules), matching=0.1)


@pytest.mark.parametrize(
    ("student", "said"),
    [
        ({"objective": "masked"}, "objective='causal'"),
        ({"visits": True}, "read the same tokens"),
        ({"max_length": 7}, "max_length is 6 at most"),
    ],
)
def test_a_student_that_reads_otherwise_is_refused(student, said):
    with pytest.raises(BadParameter, match=said):
        Student(model_of(**student), ModelTeacher(model_of()))


def test_other_mistakes_are_said_plainly():
    teacher = ModelTeacher(model_of())
    other = ItemModel(item_config(N_ITEMS + 1, hidden=8))
    with pytest.raises(BadParameter, match="knows 10 items and the student 11"):
        Student(other, teacher)
    with pytest.raises(BadParameter, match="same items"):
        JointTeacher([teacher, ModelTeacher(other)])
    with pytest.raises(BadParameter, match="for each a weight"):
        JointTeacher([teacher], [0.0])
    with pytest.raises(BadParameter, match="k is from 1 to 10"):
        TopTeacher(teacher, 0)
    with pytest.raises(BadParameter, match="'causal' or 'masked'"):
        CountingTeacher(ItemRecommender(other), "both")
    with pytest.raises(BadParameter, match="at least 0"):
        CountingTeacher(ItemRecommender(model_of())).reads(first_batch(batches_of()))(0, 2, 1.0)
    with pytest.raises(BadParameter, match="Fidelity needs histories"):
        fidelity(ItemRecommender(other), ItemRecommender(other), Histories.from_lists([]))


def test_fidelity_by_hand():
    class Fixed:
        n_items = 3

        def __init__(self, *rows: list[float]) -> None:
            self.rows = np.log(np.array(rows))

        def scores(self, histories: Histories) -> np.ndarray:
            return self.rows

    teacher, student = Fixed([0.5, 0.3, 0.2], [0.5, 0.3, 0.2]), Fixed([0.5, 0.3, 0.2], [0.2, 0.3, 0.5])
    found = fidelity(student, teacher, Histories.from_lists([[0], [1]]), k=2)
    assert found.overlap == 0.75  # both items, then one of two
    assert found.first == 0.5
    assert found.divergence == pytest.approx(0.5 * (0.5 - 0.2) * np.log(2.5))


@pytest.mark.parametrize("objective", ["causal", "masked"])
def test_a_distillation_that_was_killed_ends_as_if_it_had_not_been(objective, tmp_path):
    def pair() -> Student:
        teacher = ModelTeacher(model_of(1, objective=objective))
        return Student(model_of(2, layers=1, objective=objective), teacher, DistillationMix(0.7, 2.0), matching=0.5)

    def learn(student: Student, **options) -> None:
        plan = Settings(epochs=3, precision="no", log_every=1)
        train(student, batches_of(objective), plan, folder=tmp_path, progress=False, **options)

    def killed(model: torch.nn.Module, step: int) -> None:
        if step == 2:
            raise KeyboardInterrupt

    whole, again = pair(), pair()
    train(whole, batches_of(objective), Settings(epochs=3, precision="no", log_every=1), progress=False)
    with pytest.raises(KeyboardInterrupt):
        learn(pair(), after_step=killed)
    learn(again)
    for name, weight in whole.state_dict().items():
        assert torch.equal(weight, again.state_dict()[name]), name

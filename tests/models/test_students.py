"""Students that begin as part of their teacher."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.errors import BadParameter
from llmarm_tutorial.models.batches import ItemBatches
from llmarm_tutorial.models.item_model import ItemModel, item_config
from llmarm_tutorial.models.recommender import ItemRecommender
from llmarm_tutorial.models.students import narrow_student, ready_to_learn
from llmarm_tutorial.models.training import Settings, train

N_ITEMS = 10
SEQUENCES = [[1, 2, 3, 4], [5, 6, 7], [8, 9, 0, 1, 2], [3, 3, 4]]


def model_of(seed: int = 0, **options) -> ItemModel:
    shape = {"hidden": 8, "layers": 2, "heads": 2, "dropout": 0.0, "spread": 0.5, "max_length": 6} | options
    return ItemModel(item_config(N_ITEMS, **shape), seed=seed).eval()


def in_few_directions(seed: int = 0) -> ItemModel:
    """A model of which every second direction is empty, so that nothing is lost by leaving these out."""
    model = model_of(seed, layers=1)
    used = torch.arange(8) % 2 == 0
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "LayerNorm" in name or "item_bias" in name or "intermediate" in name:
                continue
            if "embeddings" in name:
                weight[:, ~used] = 0
    return model


def test_the_kept_directions_hold_the_item_vectors():
    teacher = in_few_directions()
    student = narrow_student(teacher, 4)
    theirs, mine = (model.output_table.detach() for model in (teacher, student))
    assert mine.shape == (N_ITEMS, 4)
    assert torch.allclose(mine @ mine.T, theirs @ theirs.T, atol=1e-5)


@pytest.mark.parametrize("heads", [1, 2])
def test_at_full_width_attention_is_that_of_the_teacher(heads):
    """Who attends to whom, and what is heard, do not depend on the directions in which they are written."""
    teacher = model_of(5, heads=heads)
    for layer in teacher.bert.encoder.layer:
        for part in (layer.attention.self.query, layer.attention.self.value, layer.attention.output.dense):
            torch.nn.init.normal_(part.bias)
    student = narrow_student(teacher, 8)
    turn = torch.linalg.lstsq(teacher.output_table, student.output_table).solution.detach()
    states = torch.randn(1, 5, 8)
    for old, new in zip(teacher.bert.encoder.layer, student.bert.encoder.layer, strict=True):
        old_heard, new_heard = (
            model.attention.output.dense(model.attention.self(given)[0])
            for model, given in ((old, states), (new, states @ turn))
        )
        assert torch.allclose(old_heard @ turn, new_heard, atol=1e-4)


def test_a_narrowed_student_starts_ahead_of_a_random_one():
    teacher = model_of(3, hidden=16, spread=0.1)
    known = Histories.from_lists([[(start + step) % N_ITEMS for step in range(6)] for start in range(N_ITEMS)])
    batches = ItemBatches(known, 6, "causal", batch_size=5)
    train(teacher, batches, Settings(epochs=80, learning_rate=1e-2, precision="no"), progress=False)
    asked = Histories.from_lists([[(start + step) % N_ITEMS for step in range(3)] for start in range(N_ITEMS)])
    right = (np.arange(N_ITEMS) + 3) % N_ITEMS

    def chance(model: ItemModel) -> float:
        logs = torch.from_numpy(ItemRecommender(model).scores(asked)).log_softmax(1)
        return float(logs[np.arange(N_ITEMS), right].exp().mean())

    assert chance(narrow_student(teacher, 10)) > 2 * chance(model_of(3, hidden=10, spread=0.1))


def test_items_that_count_more_are_kept_better():
    teacher = model_of(6)
    weights = np.where(np.arange(N_ITEMS) < 2, 100.0, 0.01)
    table = teacher.output_table.detach()

    def kept(student: ItemModel, items: slice) -> float:
        return (student.output_table[items].norm() / table[items].norm()).item()

    assert kept(narrow_student(teacher, 2, weights), slice(0, 2)) == pytest.approx(1, abs=1e-3)
    assert kept(narrow_student(teacher, 2), slice(0, 2)) < 0.99


def test_widths_and_models_that_do_not_fit_are_refused():
    with pytest.raises(BadParameter, match="multiple of the teacher's 2 heads from 2 to 8, not 3"):
        narrow_student(model_of(), 3)
    with pytest.raises(BadParameter, match="not 10"):
        narrow_student(model_of(), 10)
    with pytest.raises(BadParameter, match="full, tied table"):
        narrow_student(model_of(tied=False), 4)
    with pytest.raises(BadParameter, match="one number from 0 per item, 10"):
        narrow_student(model_of(), 4, np.ones(3))


@pytest.mark.parametrize("positions", [True, False])
def test_a_student_learns_with_all_it_has_but_the_positions_of_a_set(positions):
    student = model_of(dropout=0.5, positions=positions, objective="causal" if positions else "masked")
    student.requires_grad_(False)
    assert ready_to_learn(student) is student
    frozen = [name for name, weight in student.named_parameters() if not weight.requires_grad]
    assert frozen == ([] if positions else ["bert.embeddings.position_embeddings.weight"])
    assert {module.p for module in student.modules() if isinstance(module, torch.nn.Dropout)} == {0.0}

"""Trainings on a graphics card: they repeat, end where they began, and what is made of their models works there too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.models import compress, export, hardware, pruning
from llmarm_tutorial.models.batches import ItemBatches
from llmarm_tutorial.models.item_model import ItemModel, item_config
from llmarm_tutorial.models.recommender import ItemRecommender
from llmarm_tutorial.models.serve import OnnxRecommender
from llmarm_tutorial.models.students import narrow_student
from llmarm_tutorial.models.training import Settings, Training, train

N_ITEMS = 40
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no graphics card here")
CUDNN = torch.backends.cuda.cudnn_sdp_enabled


def switches() -> tuple[bool, ...]:
    lax = torch.is_deterministic_algorithms_warn_only_enabled()
    return torch.are_deterministic_algorithms_enabled(), lax, CUDNN(), torch.backends.cuda.flash_sdp_enabled()


def trained(objective: str = "causal", precision: str = "no", **options) -> tuple[ItemModel, Training]:
    random = np.random.default_rng(0)
    rows = [(start + np.arange(length)) % N_ITEMS for start, length in random.integers(3, 30, (200, 2))]
    model = ItemModel(item_config(N_ITEMS, objective=objective, hidden=32, layers=2, heads=2, max_length=24), seed=1)
    batches = ItemBatches(Histories.from_lists(rows), 24, objective, 16)
    settings = Settings(epochs=2, learning_rate=1e-2, precision=precision, log_every=5)
    return model, train(model, batches, settings, progress=False, **options)


# --- the switches, which need no card -------------------------------------------------------------------------------


def test_inside_nothing_is_left_to_chance_and_afterwards_all_is_as_before(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(hardware, "_products_repeat", lambda: True)
    before, inside = switches(), []

    @hardware.repeatable()
    def fails() -> None:
        inside.append(switches())
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert inside == [(True, False, False, True)]
    assert switches() == before


def test_a_gpu_that_was_used_before_is_said_to_repeat_nothing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(hardware, "_products_repeat", lambda: False)
    before = switches()
    with pytest.warns(UserWarning, match="import llmarm_tutorial first"), hardware.repeatable():
        assert switches()[:3] == (*before[:2], False)
    assert switches() == before


def test_without_a_card_nothing_is_switched(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    before = switches()
    with hardware.repeatable():
        assert switches() == before


def test_a_training_ends_where_it_began():
    model, _ = trained(validate=lambda net: 1.0)
    assert {weight.device.type for weight in model.parameters()} == {"cpu"}


# --- on the card -----------------------------------------------------------------------------------------------------


@needs_gpu
@pytest.mark.parametrize("precision", ["no", "bf16"])
@pytest.mark.parametrize("objective", ["causal", "masked"])
def test_the_same_seed_gives_the_same_weights(objective: str, precision: str):
    one, done = trained(objective, precision)
    other, _ = trained(objective, precision)
    assert done.device == "cuda"
    for name, weight in one.state_dict().items():
        assert torch.equal(weight, other.state_dict()[name]), name


@needs_gpu
def test_a_model_on_the_card_scores_as_on_the_processor():
    model, _ = trained("masked")
    asked = Histories.from_lists([[1, 2, 3], [7]], N_ITEMS)
    here = ItemRecommender(model).scores(asked)
    assert ItemRecommender(model.cuda()).scores(asked) == pytest.approx(here, abs=1e-3)


@needs_gpu
def test_what_is_made_of_a_model_on_the_card(tmp_path: Path):
    model = trained("masked")[0].eval()
    asked = Histories.from_lists([[1, 2, 3], [7]], N_ITEMS)
    weights = np.arange(1.0, N_ITEMS + 1)
    batches = ItemBatches(Histories.from_lists([[1, 2, 3], [4, 5]], N_ITEMS), 24, "masked", 2)

    def made(net: ItemModel) -> list[ItemModel]:
        slopes = pruning.gradient_importance(net, batches.stream(0, range(1)))
        return [
            narrow_student(net, 16, weights),
            compress.factorise_table(net, 4, weights),
            compress.quantise_table(net, 4, 16),
            compress.shortened(net, 8),
            pruning.prune(net, heads=0.5, neurons=0.5),
            pruning.prune(net, neurons=0.5, importance=slopes),
        ]

    on_card = made(model.cuda())
    path = export.to_onnx(model, tmp_path / "model.onnx")
    assert OnnxRecommender(path).scores(asked) == pytest.approx(ItemRecommender(model).scores(asked), abs=1e-3)
    for one, other in zip(on_card, made(model.cpu()), strict=True):
        assert one.device.type == "cuda"
        assert ItemRecommender(one).scores(asked) == pytest.approx(ItemRecommender(other).scores(asked), abs=1e-2)

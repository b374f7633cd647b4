"""Weights laid end to end learn what they learn one by one."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from llmarm_tutorial.errors import BadParameter
from llmarm_tutorial.models.flat_weights import FlatWeights


def network() -> nn.Module:
    torch.manual_seed(2)
    net = nn.Sequential(nn.Embedding(7, 4), nn.Linear(4, 5), nn.LayerNorm(5), nn.GELU(), nn.Linear(5, 3))
    net[2].weight.requires_grad_(False)
    return net


def loss(net: nn.Module, step: int) -> torch.Tensor:
    rows = torch.randint(0, 7, (6,), generator=torch.Generator().manual_seed(step))
    return (net(rows) ** 2).sum() * 10


@pytest.mark.parametrize("largest", [0.5, 1e6], ids=["clipped", "as it is"])
def test_a_training_is_that_of_the_weights_one_by_one(largest: float):
    flat, single = network(), network()
    weights = FlatWeights(flat)
    mine = weights.optimizer(0.01, 0.1)
    trained = [weight for weight in single.parameters() if weight.requires_grad]
    groups = [
        {"params": [w for w in trained if w.dim() > 1], "weight_decay": 0.1},
        {"params": [w for w in trained if w.dim() == 1], "weight_decay": 0.0},
    ]
    theirs = torch.optim.AdamW(groups, lr=0.01)
    for step in range(20):
        loss(flat, step).backward()
        weights.clip(largest)
        loss(single, step).backward()
        norm = nn.utils.clip_grad_norm_(trained, largest)
        assert (norm > largest) == (largest < 1)
        for one, other in zip(flat.parameters(), single.parameters(), strict=True):
            assert (one.grad is None) == (other.grad is None)
            assert other.grad is None or torch.allclose(
                one.grad, other.grad, atol=1e-4 * float(norm.clamp(max=largest))
            )
        for optimizer in (mine, theirs):
            optimizer.step()
        weights.clear()
        theirs.zero_grad()
    for name, value in single.state_dict().items():
        torch.testing.assert_close(flat.state_dict()[name], value, atol=1e-5, rtol=1e-4)


def test_matrices_and_vectors_lie_apart_and_frozen_weights_stay_out():
    weights = FlatWeights(network())
    assert [len(part) for part in weights.matrices] == [7 * 4 + 4 * 5 + 5 * 3]
    assert [len(part) for part in weights.vectors] == [5 + 5 + 3]  # not the frozen norm


def test_weights_of_two_types_lie_apart():
    net = network()
    net[4].to(torch.bfloat16)
    assert {part.dtype for part in FlatWeights(net).all()} == {torch.float32, torch.bfloat16}


def test_released_weights_keep_their_values_and_share_no_memory():
    net = network()
    before = copy.deepcopy(net.state_dict())
    weights = FlatWeights(net)
    places = {weight.untyped_storage().data_ptr() for weight in net.parameters() if weight.requires_grad}
    assert len(places) == 2
    weights.release()
    places = [weight.untyped_storage().data_ptr() for weight in net.parameters()]
    assert len(places) == len(set(places))
    assert all(weight.grad is None for weight in net.parameters())
    assert all(torch.equal(net.state_dict()[name], value) for name, value in before.items())


def test_a_frozen_model_is_refused():
    with pytest.raises(BadParameter, match="All parameters of the model are frozen"):
        FlatWeights(network().requires_grad_(False))


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e15, 1e25, 1e35])
def test_a_gradient_whose_squares_overflow_is_shortened_and_not_lost(size: float):
    net = network()
    weights = FlatWeights(net)
    for part in weights.all():
        part.grad.fill_(size)
    total = size * sum(len(part) for part in weights.all()) ** 0.5
    weights.clip(1.0)
    found = torch.cat([part.grad for part in weights.all()]).norm()
    assert float(found) == pytest.approx(min(total, 1.0), rel=1e-4)


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_a_gradient_that_is_not_finite_stays_visible(wrong: float):
    weights = FlatWeights(network())
    weights.all()[0].grad[0] = wrong
    weights.clip(1.0)
    assert not torch.cat([part.grad for part in weights.all()]).isfinite().all()

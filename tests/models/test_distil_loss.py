"""The fused loss of distillation against its definition, and the laws that it must keep."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from llmarm_tutorial.errors import BadParameter
from llmarm_tutorial.models import distil_loss
from llmarm_tutorial.models.distil_loss import DistillationMix, distillation_loss
from llmarm_tutorial.models.loss import cross_entropy


def drawn(n: int = 150, n_items: int = 31, width: int = 8, seed: int = 0):
    draw = torch.Generator().manual_seed(seed)
    hidden, table, bias = (torch.randn(*shape, generator=draw) for shape in ((n, width), (n_items, width), (n_items,)))
    targets = torch.randint(n_items, (n,), generator=draw)
    return hidden, table, bias, targets, torch.randn(n, n_items, generator=draw)


def plain(hidden, table, bias, targets, of_teacher, mix: DistillationMix) -> torch.Tensor:
    """The definition, with the whole table of scores, in double precision."""
    scores = hidden @ table.T + bias
    log_q, log_p = ((part / mix.temperature).log_softmax(1) for part in (scores, of_teacher))
    above, below = (log_p, log_q) if mix.direction == "forward" else (log_q, log_p)
    divergence = (above.exp() * (above - below)).sum(1).mean()
    hard = torch.nn.functional.cross_entropy(scores, targets)
    return (1 - mix.soft) * hard + mix.soft * mix.temperature**2 * divergence


def fused(hidden, table, bias, targets, of_teacher, mix: DistillationMix) -> torch.Tensor:
    logs = (of_teacher / mix.temperature).log_softmax(1)
    return distillation_loss(hidden, table, bias, targets, lambda start, stop: logs[start:stop].clone(), mix)


@pytest.mark.parametrize("direction", ["forward", "reverse"])
@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
@pytest.mark.parametrize("soft", [0.0, 0.3, 1.0])
def test_loss_and_gradients_are_those_of_the_definition(soft, temperature, direction, monkeypatch):
    monkeypatch.setattr(distil_loss, "BLOCK_SCORES", 64 * 31)  # three blocks
    mix = DistillationMix(soft, temperature, direction)
    *learned, targets, of_teacher = drawn()
    exact = [part.double().requires_grad_() for part in learned]
    expected = plain(*exact, targets, of_teacher.double(), mix)
    slopes = torch.autograd.grad(expected, exact)
    mine = [part.clone().requires_grad_() for part in learned]
    found = fused(*mine, targets, of_teacher, mix)
    (3 * found).backward()
    assert found.item() == pytest.approx(expected.item(), rel=1e-5, abs=1e-6)
    for part, slope in zip(mine, slopes, strict=True):
        assert torch.allclose(part.grad, 3 * slope.float(), rtol=1e-4, atol=1e-6)


def test_hard_labels_alone_are_the_cross_entropy_of_pretraining():
    *learned, targets, of_teacher = drawn()
    assert float(fused(*learned, targets, of_teacher, DistillationMix(0.0))) == pytest.approx(
        float(cross_entropy(*learned, targets)), rel=1e-6
    )


def test_by_hand():
    # two items, the student undecided, the teacher at 3 : 1
    hidden, table, bias = torch.zeros(1, 1), torch.zeros(2, 1), torch.zeros(2)
    of_teacher = torch.tensor([[math.log(3), 0.0]])
    forward = 0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5)
    reverse = 0.5 * math.log(0.5 / 0.75) + 0.5 * math.log(0.5 / 0.25)
    right = torch.tensor([1])
    assert float(fused(hidden, table, bias, right, of_teacher, DistillationMix(1.0))) == pytest.approx(forward)
    assert float(fused(hidden, table, bias, right, of_teacher, DistillationMix(1.0, 1.0, "reverse"))) == pytest.approx(
        reverse
    )
    half = fused(hidden, table, bias, right, of_teacher, DistillationMix(0.5))
    assert float(half) == pytest.approx(0.5 * math.log(2) + 0.5 * forward)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 99), st.sampled_from([0.7, 1.0, 3.0]), st.sampled_from(["forward", "reverse"]))
def test_a_divergence_is_never_below_zero_and_zero_for_the_teacher_itself(seed, temperature, direction):
    *learned, targets, of_teacher = drawn(20, 9, 4, seed)
    mix = DistillationMix(1.0, temperature, direction)
    assert float(fused(*learned, targets, of_teacher, mix)) > 0
    hidden, table, bias = learned
    assert float(fused(hidden, table, bias, targets, hidden @ table.T + bias, mix)) == pytest.approx(0, abs=1e-5)


def test_a_teacher_may_rule_items_out():
    *learned, targets, of_teacher = drawn(10, 9, 4)
    of_teacher[:, 3] = -torch.inf
    mine = [part.requires_grad_() for part in learned]
    loss = fused(*mine, targets, of_teacher, DistillationMix(0.8))
    loss.backward()
    assert torch.isfinite(loss)
    assert all(torch.isfinite(part.grad).all() for part in mine)


def test_no_targets_cost_nothing():
    loss = distillation_loss(
        torch.zeros(0, 4, requires_grad=True), torch.zeros(5, 4), torch.zeros(5), torch.zeros(0, dtype=torch.long),
        lambda start, stop: torch.zeros(0, 5), DistillationMix(),
    )  # fmt: skip
    assert loss.item() == 0


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"soft": 1.1}, "weight from 0 to 1"),
        ({"temperature": 0}, "above 0"),
        ({"direction": "both"}, "forward, reverse"),
    ],
)
def test_impossible_mixes_are_refused(wrong, said):
    with pytest.raises(BadParameter, match=said):
        DistillationMix(**wrong)

"""Operations of a training step worked by hand, and the rates of GPUs by their names."""

from __future__ import annotations

import math

import pytest
import torch

from llmarm_tutorial.models.item_model import item_config
from llmarm_tutorial.models.utilisation import PEAKS, peak_rate, training_operations


def test_operations_worked_by_hand():
    """H = 4, F = 8, one layer, 10 items: windows of 3 and 1 items, one scored position.

    Linear maps 4 · (8 · 16 + 4 · 4 · 8) = 1,024, attention (9 + 1) · 4 · 4 = 160, scores 2 · 4 · 10 = 80: 1,264, and
    three times that with the backward pass.
    """
    config = item_config(10, objective="masked", hidden=4, layers=1, heads=1, feed_forward=8, max_length=3)
    assert training_operations(config, torch.tensor([3, 1]), 1) == 3 * 1264


def test_a_second_layer_adds_to_layers_only_and_padding_to_nothing():
    one, two = (item_config(10, objective="masked", hidden=4, layers=n, heads=1, feed_forward=8) for n in (1, 2))
    lengths = torch.tensor([3, 1])
    scores = training_operations(one, lengths, 5) - training_operations(one, lengths, 0)
    assert training_operations(two, lengths, 5) == 2 * training_operations(one, lengths, 0) + scores
    assert training_operations(one, torch.tensor([3, 1, 0]), 5) == training_operations(one, lengths, 5)


@pytest.mark.parametrize(
    ("device", "peak"),
    [
        ("NVIDIA H100 80GB HBM3", PEAKS["H100"]),
        ("NVIDIA A100-SXM4-40GB", PEAKS["A100"]),
        ("Tesla T4", PEAKS["T4"]),
        ("NVIDIA L40S", PEAKS["L40S"]),
        ("NVIDIA A10G", math.nan),
        ("", math.nan),
    ],
)
def test_the_rate_of_a_gpu_by_its_name(device: str, peak: float):
    assert peak_rate(device) == pytest.approx(peak, nan_ok=True)

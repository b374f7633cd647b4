"""How much of a device a training uses: model FLOP utilisation (Chowdhery et al. 2022, "PaLM", appendix B).

That is the operations which the task itself needs, by the seconds and by the device's highest rate. Padding, scores of
positions that are not asked for, and anything computed again count as nothing.
"""

from __future__ import annotations

import math

from torch import Tensor
from transformers import BertConfig

from llmarm_tutorial.models.tokens import FIRST_ITEM

# Dense 16-bit TFLOP/s as their makers state them
PEAKS = {"H200": 989.0, "H100": 989.0, "A100": 312.0, "L40S": 362.0, "L4": 121.0, "A10": 125.0, "T4": 65.0}


def training_operations(config: BertConfig, lengths: Tensor, scored: int) -> float:
    """Operations of a training step of an item model, forward and backward.

    A window of L items needs layers · (L · (8 H² + 4 H F) + 4 L² H) operations forward, with width H and feed-forward
    width F, and every position that is scored against I items 2 H I more. A multiplication and an addition are two
    operations; the backward pass takes twice the forward pass.

    Args:
        config: Configuration of the model.
        lengths: Items in each window, without padding, shape (n_windows,).
        scored: Positions with a target, in all windows together.
    """
    width, real = config.hidden_size, lengths.double()
    linear = 8 * width**2 + 4 * width * config.intermediate_size
    layers = config.num_hidden_layers * (linear * real.sum() + 4 * width * real.square().sum()).item()
    return 3 * (layers + 2 * scored * width * (config.vocab_size - FIRST_ITEM))


def peak_rate(device: str) -> float:
    """The highest rate of a GPU in TFLOP/s by the name that PyTorch gives it; NaN of one that is not in `PEAKS`."""
    parts = device.replace("-", " ").split()
    return next((peak for name, peak in PEAKS.items() if name in parts), math.nan)

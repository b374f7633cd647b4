"""Cross-entropy over a whole catalogue without the table of its scores.

For a batch of 6,000 positions and a catalogue of 50,000 items the scores alone would take 1.2 GB, their softmax and
gradient as much again, and the time goes into moving them through memory. Here a block of positions is scored, turned
into its loss *and* its gradient, and forgotten while it is still in the cache (the idea of fused linear cross-entropy:
Wijmans et al. 2025, "Cut your losses in large-vocabulary language models").
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

BLOCK_SCORES = 1 << 20  # scores in flight: 4 MB in float32, of the order of a core's cache
BLOCK_SCORES_GPU = 1 << 26


def cross_entropy(hidden: Tensor, table: Tensor, bias: Tensor, targets: Tensor) -> Tensor:
    """Mean cross-entropy of `softmax(hidden @ table.T + bias)`.

    Under autocast the products are taken in its precision and all sums in float32.

    Args:
        hidden: Hidden states, shape (n, width).
        table: Item vectors, shape (n_items, width).
        bias: Shape (n_items,).
        targets: Right item codes, shape (n,), int64.

    Returns:
        The mean loss in nats, a scalar in float32; 0 if there are no targets.
    """
    device = hidden.device.type
    precision = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else table.dtype
    with torch.autocast(device, enabled=False):
        return _CrossEntropy.apply(hidden, table, bias, targets, precision)


class _CrossEntropy(torch.autograd.Function):
    """The loss and, where one is wanted, its gradient, block by block in the forward pass."""

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, table: Tensor, bias: Tensor, targets: Tensor, precision: torch.dtype
    ) -> Tensor:
        n, n_items = len(hidden), len(table)
        ctx.dtypes = hidden.dtype, table.dtype
        hidden, table = hidden.to(precision), table.to(precision)
        wanted = any(ctx.needs_input_grad)
        total = torch.zeros((), dtype=torch.float32, device=hidden.device)
        if wanted:
            d_hidden = torch.empty_like(hidden)
            d_table = torch.zeros(table.shape, dtype=torch.float32, device=table.device)
            d_bias = torch.zeros_like(bias)
        rows = max(64, (BLOCK_SCORES if hidden.device.type == "cpu" else BLOCK_SCORES_GPU) // n_items)
        for start in range(0, n, rows):
            part, right = hidden[start : start + rows], targets[start : start + rows, None]
            scores = (part @ table.T).float().add_(bias)
            top = scores.amax(1, keepdim=True)
            of_right = scores.gather(1, right)
            weights = scores.sub_(top).exp_()
            mass = weights.sum(1, keepdim=True)
            total += (top + mass.log() - of_right).sum()
            if wanted:
                # The gradient with respect to the scores is probability minus one-hot target. The two terms go their
                # own ways and the division by the mass is left to the thin side, which saves passes over the block.
                share = mass.reciprocal()
                d_bias += (share.T @ weights)[0]
                weights = weights.to(precision)
                d_hidden[start : start + rows] = (weights @ table) * share - table[right[:, 0]]
                d_table += weights.T @ (part * share.to(precision))
        if wanted:
            d_table.index_add_(0, targets, hidden.float(), alpha=-1)
            d_bias.index_add_(0, targets, torch.ones_like(targets, dtype=d_bias.dtype), alpha=-1)
            ctx.save_for_backward(d_hidden, d_table, d_bias)
            ctx.n = max(n, 1)
        return total / max(n, 1)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        d_hidden, d_table, d_bias = ctx.saved_tensors
        scale = slope / ctx.n
        for_hidden, for_table = ctx.dtypes
        return (d_hidden * scale).to(for_hidden), (d_table * scale).to(for_table), d_bias * scale, None, None

"""The loss of distillation over a whole catalogue: hard targets and a teacher's distribution, without tables of scores.

As in `loss`, a block of positions is scored, turned into its loss and its gradient, and forgotten. With p the
teacher's distribution and q the student's, both from scores divided by the temperature T, the soft part is

    forward:  T² · KL(p ‖ q) = T² · Σ p log(p / q)      (Hinton, Vinyals & Dean 2015, up to the entropy of p)
    reverse:  T² · KL(q ‖ p) = T² · Σ q log(q / p)

The factor T² keeps its gradient of the same size at every temperature. Forward punishes a student that gives no chance
to what the teacher thinks possible, reverse one that gives a chance to what the teacher rules out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from llmarm_tutorial.errors import BadParameter
from llmarm_tutorial.models.loss import BLOCK_SCORES, BLOCK_SCORES_GPU

DIRECTIONS = ("forward", "reverse")


@dataclass(frozen=True)
class DistillationMix:
    """How hard and soft targets are mixed.

    Attributes:
        soft: Weight of the teacher's distribution, from 0 (hard labels only) to 1 (soft only); hard ones get the rest.
        temperature: What scores are divided by before the softmax, above 0: above 1 the teacher's small chances count
            for more.
        direction: "forward" for KL(teacher ‖ student), "reverse" for KL(student ‖ teacher).
    """

    soft: float = 0.5
    temperature: float = 1.0
    direction: str = "forward"

    def __post_init__(self) -> None:
        if not 0 <= self.soft <= 1 or not self.temperature > 0:
            raise BadParameter(
                f"soft ({self.soft}) is a weight from 0 to 1 and temperature ({self.temperature}) a number above 0."
            )
        if self.direction not in DIRECTIONS:
            raise BadParameter(f"direction is {self.direction!r}; choose one of: {', '.join(DIRECTIONS)}.")


def distillation_loss(
    hidden: Tensor,
    table: Tensor,
    bias: Tensor,
    targets: Tensor,
    teacher_logs: Callable[[int, int], Tensor],
    mix: DistillationMix,
) -> Tensor:
    """Mean of the mixed loss over positions.

    Args:
        hidden: The student's hidden states, shape (n, width).
        table: Its item vectors, shape (n_items, width).
        bias: Shape (n_items,).
        targets: Right item codes, shape (n,), int64.
        teacher_logs: From the first position and one past the last to the teacher's log probabilities at the
            temperature, shape (stop - start, n_items), float32; -inf is allowed where the direction is forward. It is
            changed.
        mix: See `DistillationMix`.

    Returns:
        A scalar in float32: nats, the soft part times the temperature squared; 0 if there are no targets.
    """
    device = hidden.device.type
    precision = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else table.dtype
    with torch.autocast(device, enabled=False):
        return _Distillation.apply(hidden, table, bias, targets, teacher_logs, mix, precision)


class _Distillation(torch.autograd.Function):
    """The loss and its gradient, block by block in the forward pass."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        table: Tensor,
        bias: Tensor,
        targets: Tensor,
        teacher_logs: Callable[[int, int], Tensor],
        mix: DistillationMix,
        precision: torch.dtype,
    ) -> Tensor:
        n, n_items = len(hidden), len(table)
        ctx.dtypes, ctx.n = (hidden.dtype, table.dtype), max(n, 1)
        hidden, table = hidden.to(precision), table.to(precision)
        d_hidden = torch.empty_like(hidden)
        d_table = torch.zeros(table.shape, dtype=torch.float32, device=table.device)
        d_bias = torch.zeros_like(bias)
        total = torch.zeros((), dtype=torch.float32, device=hidden.device)
        rows = max(64, (BLOCK_SCORES if hidden.device.type == "cpu" else BLOCK_SCORES_GPU) // n_items)
        for start in range(0, n, rows):
            stop = min(start + rows, n)
            part = hidden[start:stop]
            scores = (part @ table.T).float().add_(bias)
            value, slope = _block(
                scores, targets[start:stop, None], teacher_logs(start, stop) if mix.soft else None, mix
            )
            total += value
            d_bias += slope.sum(0)
            slope = slope.to(precision)
            d_hidden[start:stop] = slope @ table
            d_table += slope.T @ part
        ctx.save_for_backward(d_hidden, d_table, d_bias)
        return total / ctx.n

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        d_hidden, d_table, d_bias = ctx.saved_tensors
        scale = slope / ctx.n
        for_hidden, for_table = ctx.dtypes
        learned = (d_hidden * scale).to(for_hidden), (d_table * scale).to(for_table), d_bias * scale
        return *learned, None, None, None, None


def _block(scores: Tensor, right: Tensor, log_p: Tensor | None, mix: DistillationMix) -> tuple[Tensor, Tensor]:
    """Summed loss of a block and its gradient with respect to the scores; both arguments may be overwritten."""
    heat, hard = mix.temperature, 1 - mix.soft
    if log_p is None:
        return _hard(scores, right, 1.0)
    if hard and heat != 1:
        value, slope = _hard(scores.clone(), right, hard)
    log_q = scores.div_(heat)
    log_q -= log_q.logsumexp(1, keepdim=True)
    if hard and heat == 1:  # both parts share one softmax
        value, slope = -hard * log_q.gather(1, right).sum(), None
    elif not hard:
        value, slope = scores.new_zeros(()), None
    q = log_q.exp()
    if mix.direction == "forward":
        p = log_p.exp()
        log_ratio = log_p.sub_(log_q).masked_fill_(p == 0, 0.0)
        value += mix.soft * heat**2 * (p * log_ratio).sum()
        soft_slope = (q - p).mul_(mix.soft * heat)
    else:
        log_ratio = log_q.clone().sub_(log_p)
        each = (q * log_ratio).sum(1, keepdim=True)
        value += mix.soft * heat**2 * each.sum()
        soft_slope = log_ratio.sub_(each).mul_(q).mul_(mix.soft * heat)
    if slope is not None:
        return value, slope.add_(soft_slope)
    if hard:
        soft_slope.add_(q, alpha=hard).scatter_add_(1, right, torch.full_like(right, -hard, dtype=q.dtype))
    return value, soft_slope


def _hard(scores: Tensor, right: Tensor, weight: float) -> tuple[Tensor, Tensor]:
    """Summed cross-entropy times a weight, and its gradient; the scores are overwritten."""
    log_q = scores.sub_(scores.logsumexp(1, keepdim=True))
    value = -weight * log_q.gather(1, right).sum()
    slope = log_q.exp_()
    slope.scatter_add_(1, right, torch.full_like(right, -1, dtype=slope.dtype))
    return value, slope.mul_(weight)

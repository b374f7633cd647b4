"""Weights of a model laid end to end: an optimizer's step is then a few operations, not a few for every weight.

In a small model most of what clipping, AdamW and clearing of gradients take is not arithmetic: it is looking after
twenty tensors one by one. Laid end to end there are two, and the numbers that come out are the same.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from llmarm_tutorial.errors import BadParameter


class FlatWeights:
    """Trained weights of a model, and their gradients, as parts of few long vectors.

    From now on every weight is a view of such a vector, and so is its gradient, which is never None: a weight that a
    step does not reach has the gradient 0. `release` makes the weights independent again.

    Args:
        model: The model; its weights of the same type, and alike in being a matrix or a vector, share a long vector.

    Attributes:
        matrices: Long vectors of weights with two dimensions or more.
        vectors: Long vectors of biases, norms and the like.

    Raises:
        BadParameter: If the model has no weights to be trained.
    """

    def __init__(self, model: nn.Module) -> None:
        self._weights = [weight for weight in model.parameters() if weight.requires_grad]
        if not self._weights:
            raise BadParameter("All parameters of the model are frozen; leave requires_grad on for some.")
        alike: dict[tuple[bool, torch.dtype, torch.device], list[nn.Parameter]] = {}
        for weight in self._weights:
            alike.setdefault((weight.dim() > 1, weight.dtype, weight.device), []).append(weight)
        self.matrices = [_laid_out(members) for (matrix, *_), members in alike.items() if matrix]
        self.vectors = [_laid_out(members) for (matrix, *_), members in alike.items() if not matrix]

    def all(self) -> list[nn.Parameter]:
        """All long vectors."""
        return [*self.matrices, *self.vectors]

    def optimizer(self, rate: float, decay: float) -> torch.optim.Optimizer:
        """AdamW over the long vectors: matrices decay, vectors do not (Loshchilov & Hutter 2019)."""
        groups = [{"params": self.matrices, "weight_decay": decay}, {"params": self.vectors, "weight_decay": 0.0}]
        # Accelerate's own is for scaled half precision, and slow
        return torch.optim.AdamW(groups, lr=rate, fused=self.all()[0].device.type in ("cpu", "cuda"))

    def clip(self, largest: float) -> None:
        """Shorten the gradient as a whole to a norm of at most `largest`.

        Where the squares of a finite gradient overflow, the norm is taken in double precision: an infinite one would
        set the whole gradient to 0, step after step, and nothing would say so. Layer normalisation of a vector of zeros
        gives such gradients.
        """
        gradients = [part.grad for part in self.all()]
        norm = nn.utils.get_total_norm(gradients)
        wide = torch.stack([torch.linalg.vector_norm(part, dtype=torch.float64) for part in gradients]).norm()
        nn.utils.clip_grads_with_norm_(self.all(), largest, torch.where(norm.isfinite(), norm, wide))

    @torch.no_grad()
    def clear(self) -> None:
        """Set the gradient to 0, where it is: the weights' own gradients are views of it."""
        for part in self.all():
            part.grad.zero_()

    def release(self) -> None:
        """Give every weight memory of its own, and no gradient."""
        for weight in self._weights:
            weight.data = weight.data.clone()
            weight.grad = None


def _laid_out(members: list[nn.Parameter]) -> nn.Parameter:
    """A long vector with the values of some weights, which become views of it."""
    flat = nn.Parameter(torch.cat([weight.detach().reshape(-1) for weight in members]))
    flat.grad = torch.zeros_like(flat)
    sizes = [weight.numel() for weight in members]
    parts: Iterable[tuple[nn.Parameter, Tensor, Tensor]]
    parts = zip(members, flat.detach().split(sizes), flat.grad.split(sizes), strict=True)
    for weight, values, slopes in parts:
        weight.data, weight.grad = values.view(weight.shape), slopes.view(weight.shape)
    return flat

"""Students that begin as part of their teacher: its main directions only; and what makes one ready to learn.

A student with random weights has to find again what its teacher knows before it can learn the rest. What is taken over
is copied; nothing is shared, and the teacher stays as it is.
"""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import Tensor, nn

from llmarm_tutorial.errors import BadParameter
from llmarm_tutorial.models.item_model import ItemModel
from llmarm_tutorial.models.tokens import FIRST_ITEM


@torch.no_grad()
def narrow_student(teacher: ItemModel, hidden: int, weights: np.ndarray | None = None) -> ItemModel:
    """A student of smaller width that sees its teacher's vectors along their main directions (after SliceGPT, Ashkboos
    et al. 2024).

    Of the space of the item vectors the directions with the largest weighted variance are kept, and every map is
    written in them: products of queries and keys, and of values and outputs, are first formed and then cut to the rank
    that the narrower heads have. Layer normalisation does not commute with a change of directions, so this is a start
    to learn from, not an equal.

    Args:
        teacher: A model with a full, tied table whose heads were not cut.
        hidden: The new width, a multiple of the teacher's heads and at most its width. Neurons of the feed-forward
            layers stay as many; cut them with `pruning.prune`.
        weights: How much each item counts in the choice of directions, shape (n_items,), such as the square root of its
            sales; None counts all alike.

    Raises:
        BadParameter: If the width does not fit or the teacher has another kind of table or head.
    """
    config = copy.deepcopy(teacher.config)
    heads, width = config.num_attention_heads, config.hidden_size
    if not 1 <= hidden <= width or hidden % heads:
        raise BadParameter(
            f"hidden is a multiple of the teacher's {heads} heads from {heads} to {width}, not {hidden}."
        )
    cut = any(layer.attention.self.num_attention_heads < heads for layer in teacher.bert.encoder.layer)
    if config.table != "full" or not config.tied or cut:
        raise BadParameter("Only a model with a full, tied table and all its heads can be narrowed; do that first.")
    config.hidden_size = hidden
    student = ItemModel(config).to(teacher.device)
    kept = _directions(teacher.bert.embeddings.word_embeddings.weight, hidden, weights)
    of_student, of_teacher = student.bert.embeddings, teacher.bert.embeddings
    for name in ("word_embeddings", "position_embeddings", "token_type_embeddings"):
        getattr(of_student, name).weight.copy_(getattr(of_teacher, name).weight @ kept)
    _norm(of_teacher.LayerNorm, of_student.LayerNorm, kept)
    for old, new in zip(teacher.bert.encoder.layer, student.bert.encoder.layer, strict=True):
        _attention(old.attention, new.attention, kept, heads)
        new.intermediate.dense.weight.copy_(old.intermediate.dense.weight @ kept)
        new.intermediate.dense.bias.copy_(old.intermediate.dense.bias)
        new.output.dense.weight.copy_(kept.T @ old.output.dense.weight)
        new.output.dense.bias.copy_(old.output.dense.bias @ kept)
        _norm(old.attention.output.LayerNorm, new.attention.output.LayerNorm, kept)
        _norm(old.output.LayerNorm, new.output.LayerNorm, kept)
    student.item_bias.copy_(teacher.item_bias)
    return student.eval()


def ready_to_learn(student: ItemModel) -> ItemModel:
    """Let a small model learn with all it has; what it took from a teacher is changed too.

    Args:
        student: A model that was cut, narrowed, or made anew; it is changed.

    Returns:
        The same model: every weight is trained but the positions of one that reads sets, and nothing is dropped, since
        a small model has no weights to spare.
    """
    for module in student.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    student.requires_grad_(True)
    student.bert.embeddings.position_embeddings.weight.requires_grad_(bool(student.config.positions))
    return student


def _directions(table: Tensor, hidden: int, weights: np.ndarray | None) -> Tensor:
    """Main directions of the item vectors, orthonormal, shape (width, hidden)."""
    items = table[FIRST_ITEM:]
    if weights is not None:
        if np.shape(weights) != (len(items),) or not np.min(weights) >= 0 or not np.max(weights) > 0:
            raise BadParameter(f"Weights are one number from 0 per item, {len(items)} of them, and not all 0.")
        items = items * torch.from_numpy(np.sqrt(weights)).to(items)[:, None]
    return torch.linalg.svd(items.T @ items)[0][:, :hidden].contiguous()


def _norm(old: nn.LayerNorm, new: nn.LayerNorm, kept: Tensor) -> None:
    """Layer normalisation along the kept directions; what comes out keeps its length, not that of each number."""
    new.weight.copy_((kept.square().T @ old.weight) * (len(old.weight) / len(new.weight)) ** 0.5)
    new.bias.copy_(old.bias @ kept)


def _attention(old: nn.Module, new: nn.Module, kept: Tensor, heads: int) -> None:
    """Every head's two products along the kept directions, each cut to the rank of a narrower head."""
    size = kept.shape[1] // heads
    query, key, value = (
        part.weight.unflatten(0, (heads, -1)) for part in (old.self.query, old.self.key, old.self.value)
    )
    out = old.output.dense.weight.unflatten(1, (heads, -1)).movedim(1, 0)  # (heads, width, size of a head)
    bias = old.self.query.bias.unflatten(0, (heads, -1))
    cooler = (size / query.shape[1]) ** 0.5  # attention divides by the root of a head's size
    new.output.dense.bias.copy_((old.output.dense.weight @ old.self.value.bias + old.output.dense.bias) @ kept)
    for head in range(heads):
        rows = slice(head * size, (head + 1) * size)
        product = kept.T @ query[head].T @ key[head] @ kept * cooler
        left, strength, right = torch.linalg.svd(product)
        root = strength[:size].sqrt()
        new.self.query.weight[rows] = (left[:, :size] * root).T
        new.self.key.weight[rows] = root[:, None] * right[:size]
        # what a query adds whatever it asks; what a key adds whoever asks has no influence on the softmax
        everyone = (bias[head] @ key[head]) @ kept * cooler
        new.self.query.bias[rows] = torch.linalg.lstsq(new.self.key.weight[rows].T, everyone[:, None]).solution[:, 0]
        left, strength, right = torch.linalg.svd(kept.T @ out[head] @ value[head] @ kept)
        root = strength[:size].sqrt()
        new.output.dense.weight[:, rows] = left[:, :size] * root
        new.self.value.weight[rows] = root[:, None] * right[:size]
    new.self.key.bias.zero_()
    new.self.value.bias.zero_()

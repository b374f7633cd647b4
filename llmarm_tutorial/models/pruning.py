"""Fewer heads, fewer neurons, fewer weights: which matter, and a model without the others."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import prune as torch_prune

from llmarm_tutorial.errors import BadParameter
from llmarm_tutorial.models.item_model import ItemModel
from llmarm_tutorial.models.training import Batch, model_loss

# --- fewer heads and neurons -----------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Importance:
    """How much each part of a model matters, on a scale of its own.

    Attributes:
        heads: One array per layer, shape (heads,).
        neurons: One array per layer, shape (feed-forward width,).
    """

    heads: tuple[np.ndarray, ...]
    neurons: tuple[np.ndarray, ...]


def magnitude_importance(model: ItemModel) -> Importance:
    """Importance as the size of the weights: of what a part reads and of what is read from it, as a product of norms.

    A neuron that reads loudly and is not listened to matters as little as one that is silent.
    """
    with torch.no_grad():
        heads, neurons = [], []
        for layer in model.bert.encoder.layer:
            n_heads = layer.attention.self.num_attention_heads
            value = layer.attention.self.value.weight.unflatten(0, (n_heads, -1)).norm(dim=(1, 2))
            heads.append(value * layer.attention.output.dense.weight.unflatten(1, (n_heads, -1)).norm(dim=(0, 2)))
            neurons.append(layer.intermediate.dense.weight.norm(dim=1) * layer.output.dense.weight.norm(dim=0))
    return Importance(_arrays(heads), _arrays(neurons))


def gradient_importance(model: ItemModel, batches: Iterable[Batch]) -> Importance:
    """Importance as the change of the loss that a part's removal would cause, to first order.

    The slope of the loss along a gate on the part's output is the sum of gradient × weight over the map that reads it;
    its absolute value, averaged over batches, is the measure (heads: Michel et al. 2019; neurons: Molchanov et al.
    2017). Small batches are better: within a batch slopes of opposite sign cancel.

    Args:
        model: The model; it is used in evaluation mode, so that dropout adds no noise.
        batches: Training batches, such as `ItemBatches(...).stream(0, range(20))`.

    Raises:
        BadParameter: If there are no batches.
    """
    net = copy.deepcopy(model).eval()
    layers = net.bert.encoder.layer
    read_by = [(layer.attention.output.dense.weight, layer.output.dense.weight) for layer in layers]
    heads = [torch.zeros(layer.attention.self.num_attention_heads, device=net.device) for layer in layers]
    neurons = [torch.zeros(layer.output.dense.in_features, device=net.device) for layer in layers]
    seen = 0
    for batch in batches:
        loss = model_loss(net, {name: value.to(net.device) for name, value in batch.items() if name != "size"})
        slopes = torch.autograd.grad(loss, [weight for pair in read_by for weight in pair])
        for place, (mix, down) in enumerate(read_by):
            along_mix, along_down = (slopes[2 * place] * mix).sum(0), (slopes[2 * place + 1] * down).sum(0)
            heads[place] += along_mix.unflatten(0, (len(heads[place]), -1)).sum(1).abs().detach()
            neurons[place] += along_down.abs().detach()
        seen += 1
    if not seen:
        raise BadParameter("Importance by gradient needs at least one batch.")
    return Importance(_arrays([part / seen for part in heads]), _arrays([part / seen for part in neurons]))


def random_importance(model: ItemModel, seed: int = 0) -> Importance:
    """Importance drawn at random: what a measure of importance has to beat."""
    random, layers = np.random.default_rng(seed), model.bert.encoder.layer
    return Importance(
        tuple(random.random(layer.attention.self.num_attention_heads) for layer in layers),
        tuple(random.random(layer.output.dense.in_features) for layer in layers),
    )


def _arrays(parts: list[Tensor]) -> tuple[np.ndarray, ...]:
    return tuple(part.double().cpu().numpy() for part in parts)


def prune(
    model: ItemModel, *, heads: float = 0.0, neurons: float = 0.0, importance: Importance | None = None
) -> ItemModel:
    """Cut the least important heads and neurons out: structured pruning.

    Neurons go in equal number from every layer. Heads are compared over all layers, each layer's importances divided by
    their norm, and every layer keeps at least one.

    Args:
        model: The model.
        heads: Share of all heads to cut, in [0, 1).
        neurons: Share of the feed-forward neurons of each layer to cut, in [0, 1).
        importance: What `magnitude_importance` (also for None), `gradient_importance` or `random_importance` found.

    Returns:
        A smaller model in evaluation mode. Its configuration names the heads that each layer has, `heads_left`.

    Raises:
        BadParameter: If a share is out of range, or too small or too large to cut anything.
    """
    importance = importance or magnitude_importance(model)
    wide, n_heads = len(importance.neurons[0]), sum(map(len, importance.heads))
    fewer = round(neurons * wide)
    cut = min(round(heads * n_heads), n_heads - len(importance.heads))
    for name, share, number in (("neurons", neurons, fewer), ("heads", heads, cut)):
        if not 0 <= share < 1 or (share > 0 and number == 0) or number == wide:
            raise BadParameter(
                f"{name} is a share from 0 to below 1, and large enough to cut one of them and leave one; with "
                f"{wide} neurons in a layer and {n_heads} heads in {len(importance.heads)} layers it cannot be {share}."
            )
    kept_heads = _kept_heads(importance.heads, cut)
    config = copy.deepcopy(model.config)
    config.intermediate_size = wide - fewer
    config.heads_left = [len(kept) for kept in kept_heads]
    pruned = copy.deepcopy(model)
    pruned.config = pruned.bert.config = config
    for layer, kept, values in zip(pruned.bert.encoder.layer, kept_heads, importance.neurons, strict=True):
        attention = layer.attention.self
        rows = (kept[:, None] * attention.attention_head_size + np.arange(attention.attention_head_size)).ravel()
        for name in ("query", "key", "value"):
            setattr(attention, name, _part(getattr(attention, name), outputs=rows))
        layer.attention.output.dense = _part(layer.attention.output.dense, inputs=rows)
        attention.num_attention_heads, attention.all_head_size = len(kept), len(rows)
        stay = np.sort(np.argsort(-values, kind="stable")[: wide - fewer])
        layer.intermediate.dense = _part(layer.intermediate.dense, outputs=stay)
        layer.output.dense = _part(layer.output.dense, inputs=stay)
    return pruned.eval()


def _kept_heads(importances: tuple[np.ndarray, ...], cut: int) -> list[np.ndarray]:
    """Which heads each layer keeps when the `cut` least important ones of all are gone."""
    scaled = [values / max(np.linalg.norm(values), np.finfo(float).tiny) for values in importances]
    safe = [values.argmax() for values in scaled]  # one of each layer stays
    order = sorted(
        (value, layer, head)
        for layer, values in enumerate(scaled)
        for head, value in enumerate(values)
        if head != safe[layer]
    )
    gone = {(layer, head) for _, layer, head in order[:cut]}
    return [
        np.array([h for h in range(len(values)) if (layer, h) not in gone]) for layer, values in enumerate(importances)
    ]


def _part(linear: nn.Linear, inputs: np.ndarray | None = None, outputs: np.ndarray | None = None) -> nn.Linear:
    """A linear map of some of the inputs, or to some of the outputs, of another."""
    weight, bias = linear.weight.detach(), linear.bias.detach()
    if outputs is not None:
        weight, bias = weight[outputs], bias[outputs]
    if inputs is not None:
        weight = weight[:, inputs]
    part = nn.Linear(weight.shape[1], weight.shape[0])
    part.weight, part.bias = nn.Parameter(weight.clone()), nn.Parameter(bias.clone())
    return part


def prune_weights(model: ItemModel, share: float) -> ItemModel:
    """Set the smallest weights of all linear maps to zero: unstructured pruning (Han et al. 2015).

    The matrices keep their shapes, and a dense product takes as long with zeros as without. A training afterwards would
    fill the zeros again unless they are held.

    Args:
        model: The model.
        share: Share of the weights of linear maps that become zero, in [0, 1).

    Raises:
        BadParameter: If `share` is out of range.
    """
    if not 0 <= share < 1:
        raise BadParameter(f"The share of weights to zero is from 0 to below 1, not {share}.")
    sparse = copy.deepcopy(model).eval()
    weights = [(module, "weight") for module in sparse.modules() if isinstance(module, nn.Linear)]
    torch_prune.global_unstructured(weights, torch_prune.L1Unstructured, amount=float(share))
    for module, name in weights:
        torch_prune.remove(module, name)
    return sparse

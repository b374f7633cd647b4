"""A trained item model made smaller: fewer heads and neurons, thinner tables, fewer bits.

Every function leaves its model alone and returns a new one. What cuts something out gives an `ItemModel` of really
smaller matrices, which trains on like any other; a short training afterwards gets back much of what was lost.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from sklearn.cluster import KMeans
from torch import Tensor, nn
from torch.nn.utils import prune as torch_prune
from transformers import BertConfig

from llmarm_tutorial.errors import BadParameter, DataError, Lacks
from llmarm_tutorial.models.item_model import ItemModel
from llmarm_tutorial.models.tables import check_table
from llmarm_tutorial.models.tokens import FIRST_ITEM
from llmarm_tutorial.models.training import Batch, model_loss


class Size(NamedTuple):
    """How large a model is.

    Attributes:
        parameters: Its numbers, codes of items included.
        bytes: What they take: four for a float32, two for a bfloat16, one for an int8 or a code; of a file its length.
        zeros: How many of the numbers are zero. A matrix keeps its zeros, in memory as in time.
    """

    parameters: int
    bytes: int
    zeros: int


def size(model: nn.Module | str | Path) -> Size:
    """The size of a model in memory or in a file.

    Args:
        model: A module, quantised ones included, or an ONNX file.

    Raises:
        DataError: If the file cannot be read as ONNX.
    """
    if isinstance(model, nn.Module):
        tensors = {tensor.data_ptr(): tensor for tensor in _tensors(model)}.values()  # shared ones once
        zeros = sum(int((tensor == 0).sum()) for tensor in tensors)
        numbers = sum(tensor.numel() for tensor in tensors)
        return Size(numbers, sum(tensor.numel() * tensor.element_size() for tensor in tensors), zeros)
    import onnx

    try:
        arrays = [onnx.numpy_helper.to_array(tensor) for tensor in onnx.load(model).graph.initializer]
        length = Path(model).stat().st_size
    except Exception as error:  # protobuf raises kinds of its own for a damaged file
        raise DataError(f"{model} cannot be read as an ONNX file; write it with `export.to_onnx`.") from error
    return Size(sum(array.size for array in arrays), length, sum(int((array == 0).sum()) for array in arrays))


def _tensors(model: nn.Module) -> list[Tensor]:
    found = []
    for value in model.state_dict().values():
        parts = value if isinstance(value, tuple) else (value,)  # a quantised layer keeps (weight, bias)
        found += [part.int_repr() if part.is_quantized else part for part in parts if isinstance(part, Tensor)]
    return found


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


def by_magnitude(model: ItemModel) -> Importance:
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


def by_gradient(model: ItemModel, batches: Iterable[Batch]) -> Importance:
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
    heads = [torch.zeros(layer.attention.self.num_attention_heads) for layer in layers]
    neurons = [torch.zeros(layer.output.dense.in_features) for layer in layers]
    seen = 0
    for batch in batches:
        loss = model_loss(net, {name: value for name, value in batch.items() if name != "size"})
        slopes = torch.autograd.grad(loss, [weight for pair in read_by for weight in pair])
        for place, (mix, down) in enumerate(read_by):
            along_mix, along_down = (slopes[2 * place] * mix).sum(0), (slopes[2 * place + 1] * down).sum(0)
            heads[place] += along_mix.unflatten(0, (len(heads[place]), -1)).sum(1).abs().detach()
            neurons[place] += along_down.abs().detach()
        seen += 1
    if not seen:
        raise BadParameter("Importance by gradient needs at least one batch.")
    return Importance(_arrays([part / seen for part in heads]), _arrays([part / seen for part in neurons]))


def at_random(model: ItemModel, seed: int = 0) -> Importance:
    """Importance drawn at random: what a measure of importance has to beat."""
    random, layers = np.random.default_rng(seed), model.bert.encoder.layer
    return Importance(
        tuple(random.random(layer.attention.self.num_attention_heads) for layer in layers),
        tuple(random.random(layer.output.dense.in_features) for layer in layers),
    )


def _arrays(parts: list[Tensor]) -> tuple[np.ndarray, ...]:
    return tuple(part.double().numpy() for part in parts)


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
        importance: What `by_magnitude` (also for None), `by_gradient` or `at_random` found.

    Returns:
        A smaller model in evaluation mode. Its configuration names the heads that each layer has, `heads_left`.

    Raises:
        BadParameter: If a share is out of range, or too small or too large to cut anything.
    """
    importance = importance or by_magnitude(model)
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


def zeroed(model: ItemModel, share: float) -> ItemModel:
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


def shortened(model: ItemModel, max_length: int) -> ItemModel:
    """A model that reads less of each history: attention's work grows with the length, and more than with it.

    Args:
        model: The model.
        max_length: Longest input in tokens, from 2 to what the model reads.

    Returns:
        A copy in evaluation mode, without the positions that it no longer has.

    Raises:
        BadParameter: If `max_length` is out of range.
    """
    longest = model.config.max_position_embeddings
    if not 2 <= max_length <= longest:
        raise BadParameter(f"This model reads up to {longest} tokens; max_length is from 2 to that, not {max_length}.")
    config = copy.deepcopy(model.config)
    config.max_position_embeddings = max_length
    shorter = ItemModel(config)
    kept = dict(model.state_dict())
    positions = "bert.embeddings.position_embeddings.weight"
    shorter.load_state_dict(kept | {positions: kept[positions][:max_length]})
    return shorter.eval()


# --- thinner tables --------------------------------------------------------------------------------------------------


def factorised(model: ItemModel, rank: int, weights: np.ndarray | None = None) -> ItemModel:
    """Replace the item table by the product of two thin matrices that comes closest to it (truncated SVD).

    Args:
        model: A model with a full table.
        rank: Inner width, from 1 to the width of the model.
        weights: How much each item's error counts, shape (n_items,), such as how often it is bought; None counts all
            alike. Special tokens count as the heaviest item.

    Returns:
        A model with an `tables.FactorisedTable`, in evaluation mode.

    Raises:
        BadParameter: If the table is not full, the rank out of range, or the weights do not fit.
    """
    given, scale = _full_table(model, weights)
    changed = _with_table(model, table="factorised", rank=rank)
    scale = np.sqrt(scale)[:, None]
    left, strength, right = np.linalg.svd(scale * given, full_matrices=False)
    balance = np.sqrt(strength[:rank])  # each of the two matrices gets half of the strength
    words = changed.bert.embeddings.word_embeddings
    with torch.no_grad():
        words.rows.copy_(torch.from_numpy(left[:, :rank] * balance / scale))
        words.mix.copy_(torch.from_numpy(balance[:, None] * right[:rank]))
    return changed


def coded(
    model: ItemModel, parts: int = 8, centroids: int = 256, *, weights: np.ndarray | None = None, seed: int = 0
) -> ItemModel:
    """Replace the item table by codes and codebooks: product quantisation (Jégou et al. 2011).

    Vectors are cut into parts and every part is clustered by k-means; an item keeps the numbers of its clusters.

    Args:
        model: A model with a full table.
        parts: Parts of a vector, bytes of a code; a divisor of the width of the model.
        centroids: Clusters per part, from 2 to 256 and at most the number of tokens.
        weights: As for `factorised`.
        seed: Seed of the first centres.

    Returns:
        A model with an `tables.CodedTable`, in evaluation mode.

    Raises:
        BadParameter: If the table is not full, a number out of range, or the weights do not fit.
    """
    given, counts = _full_table(model, weights)
    if centroids > len(given):
        raise BadParameter(f"{centroids} centroids are more than the {len(given)} tokens of the model; take fewer.")
    changed = _with_table(model, table="coded", parts=parts, centroids=centroids)
    codes, books = [], []
    for part in np.split(given, parts, axis=1):
        found = KMeans(centroids, n_init=1, random_state=seed).fit(part, sample_weight=counts)
        codes.append(found.labels_)
        books.append(found.cluster_centers_)
    words = changed.bert.embeddings.word_embeddings
    words.set_codes(torch.from_numpy(np.stack(codes, axis=1)), torch.from_numpy(np.stack(books)).float())
    return changed


def _full_table(model: ItemModel, weights: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """The table of all tokens, float64, and a weight for each, on average 1."""
    if model.config.table != "full":
        raise BadParameter(f"The table of this model is {model.config.table} already; give a model with a full one.")
    table = model.bert.embeddings.word_embeddings.weight.detach().double().numpy()
    if weights is None:
        return table, np.ones(len(table))
    if np.shape(weights) != (model.n_items,) or not np.min(weights) >= 0 or not np.max(weights) > 0:
        raise BadParameter(f"Weights are one number from 0 per item, {model.n_items} of them, and not all 0.")
    everyone = np.concatenate([np.full(FIRST_ITEM, np.max(weights)), weights]).astype(float)
    everyone = np.maximum(everyone, 1e-3 * everyone.mean())  # what nobody buys still gets a vector
    return table, everyone / everyone.mean()


def _with_table(model: ItemModel, **fields: int | str) -> ItemModel:
    """A copy of a model with another kind of table, not yet filled."""
    config: BertConfig = copy.deepcopy(model.config)
    for name, value in fields.items():
        setattr(config, name, value)
    check_table(config.table, config.hidden_size, config.rank, config.parts, config.centroids)
    changed = copy.deepcopy(model)
    changed.config = changed.bert.config = config
    changed.bert.embeddings.word_embeddings = ItemModel(config).bert.embeddings.word_embeddings
    return changed.eval()


# --- fewer bits ------------------------------------------------------------------------------------------------------


def int8(module: nn.Module) -> nn.Module:
    """Turn the linear maps of a module into 8-bit integers, by PyTorch; what flows between them is quantised in flight.

    Embeddings, and with them the table that scores, stay as they are: PyTorch has no such product. ONNX Runtime has,
    see `export.quantise`. PyTorch will drop this kind of quantisation in a future version.

    Args:
        module: An `ItemModel` or an `export.NextItem`.

    Raises:
        Lacks: If this build of PyTorch has no kernels for it.
    """
    engines = [name for name in torch.backends.quantized.supported_engines if name != "none"]
    if not engines or not hasattr(torch.ao, "quantization"):
        raise Lacks("This PyTorch cannot compute in 8-bit integers; export the model and use `export.quantise`.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it will be dropped: said above
        return torch.ao.quantization.quantize_dynamic(copy.deepcopy(module).eval(), {nn.Linear}, dtype=torch.qint8)


def bf16(module: nn.Module) -> nn.Module:
    """Keep a module in bfloat16: half the bytes, three decimal digits; fast where `training.hardware_bf16` says so."""
    return copy.deepcopy(module).bfloat16().eval()

"""A trained item model made smaller: a shorter memory, thinner tables, fewer bits; `pruning` takes heads and neurons.

Every function leaves its model alone and returns a new one. What cuts something out gives an `ItemModel` of really
smaller matrices, which trains on like any other; a short training afterwards gets back much of what was lost.
"""

from __future__ import annotations

import copy
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from sklearn.cluster import KMeans
from torch import Tensor, nn
from transformers import BertConfig

from llmarm_tutorial.errors import BadParameter, DataError, Lacks
from llmarm_tutorial.models.item_model import ItemModel
from llmarm_tutorial.models.tables import check_table
from llmarm_tutorial.models.tokens import FIRST_ITEM


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


def measure_size(model: nn.Module | str | Path) -> Size:
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


def learnt_weights(model: ItemModel) -> dict[str, int]:
    """Numbers that training may change, by part: "table of items", "attention", "feed-forward" and "rest".

    Args:
        model: The model; positions of one that reads sets are switched off, and not counted.
    """
    marks = {"table of items": "word_embeddings", "attention": ".attention.", "feed-forward": ".layer."}
    spent = dict.fromkeys([*marks, "rest"], 0)
    for name, weight in model.named_parameters():
        if weight.requires_grad and (model.config.positions or "position" not in name):
            spent[next((part for part, mark in marks.items() if mark in name), "rest")] += weight.numel()
    return spent


def _tensors(model: nn.Module) -> list[Tensor]:
    found = []
    for value in model.state_dict().values():
        parts = value if isinstance(value, tuple) else (value,)  # a quantised layer keeps (weight, bias)
        found += [part.int_repr() if part.is_quantized else part for part in parts if isinstance(part, Tensor)]
    return found


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
    shorter = ItemModel(config).to(model.device)
    kept = dict(model.state_dict())
    positions = "bert.embeddings.position_embeddings.weight"
    shorter.load_state_dict(kept | {positions: kept[positions][:max_length]})
    return shorter.eval()


# --- thinner tables --------------------------------------------------------------------------------------------------


def factorise_table(model: ItemModel, rank: int, weights: np.ndarray | None = None) -> ItemModel:
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
    kept = min(rank, len(strength))  # a table of few tokens has no more directions: the others stay 0
    balance = np.sqrt(strength[:kept])  # each of the two matrices gets half of the strength
    words = changed.bert.embeddings.word_embeddings
    with torch.no_grad():
        words.rows.zero_()[:, :kept] = torch.from_numpy(left[:, :kept] * balance / scale)
        words.mix.zero_()[:kept] = torch.from_numpy(balance[:, None] * right[:kept])
    return changed


def quantise_table(
    model: ItemModel, parts: int = 8, centroids: int = 256, *, weights: np.ndarray | None = None, seed: int = 0
) -> ItemModel:
    """Replace the item table by codes and codebooks: product quantisation (Jégou et al. 2011).

    Vectors are cut into parts and every part is clustered by k-means; an item keeps the numbers of its clusters.

    Args:
        model: A model with a full table.
        parts: Parts of a vector, bytes of a code; a divisor of the width of the model.
        centroids: Clusters per part, from 2 to 256 and at most the number of tokens.
        weights: As for `factorise_table`.
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
    table = model.bert.embeddings.word_embeddings.weight.detach().double().cpu().numpy()
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
    return changed.to(model.device).eval()


# --- fewer bits ------------------------------------------------------------------------------------------------------


def int8(module: nn.Module) -> nn.Module:
    """Turn the linear maps of a module into 8-bit integers, by PyTorch; what flows between them is quantised in flight.

    Embeddings, and with them the table that scores, stay as they are: PyTorch has no such product. ONNX Runtime has,
    see `onnx_int8.quantise`. PyTorch will drop this kind of quantisation in a future version.

    Args:
        module: An `ItemModel` or an `export.NextItem`.

    Raises:
        Lacks: If this build of PyTorch has no kernels for it.
    """
    engines = [name for name in torch.backends.quantized.supported_engines if name != "none"]
    if not engines or not hasattr(torch.ao, "quantization"):
        raise Lacks("This PyTorch cannot compute in 8-bit integers; export the model and use `onnx_int8.quantise`.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it will be dropped: said above
        return torch.ao.quantization.quantize_dynamic(copy.deepcopy(module).eval(), {nn.Linear}, dtype=torch.qint8)


def bf16(module: nn.Module) -> nn.Module:
    """Keep a module in bfloat16: half the bytes, three decimal digits; fast where `hardware.hardware_bf16` says so."""
    return copy.deepcopy(module).bfloat16().eval()

"""An item model made ready to serve: only what the next item needs, as one ONNX file.

Training scores every position, serving asks for one: what comes after the last. `NextItem` is the same network computed
for that alone, and `to_onnx` writes it into a file that ONNX Runtime runs without Python code of the model (ONNX: an
open format of computation graphs). `onnx_int8` turns its matrices into 8-bit integers.
`serve.OnnxRecommender` opens both.
"""

from __future__ import annotations

import copy
import importlib.util
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import linear, scaled_dot_product_attention

from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.errors import Missing
from llmarm_tutorial.files import write_atomically
from llmarm_tutorial.models.item_model import ItemModel
from llmarm_tutorial.models.tables import FactorisedTable
from llmarm_tutorial.models.tokens import FIRST_ITEM, score_in_blocks

if TYPE_CHECKING:  # an optional package
    import onnx_ir

OPSET = 20  # of ONNX: layer normalisation and GELU are one operation each; ONNX Runtime reads it since 1.17 (2024)


class NextItem(nn.Module):
    """An item model that scores what comes next after the last token, and computes nothing else.

    Above the last layer nobody looks at any position but one, so that layer asks one query, of all keys and values, and
    its feed-forward part sees one state. This is exact, and saves most of a layer: of a model of two layers nearly half
    the work. Queries, keys and values of the other layers are one product instead of three.

    Args:
        model: The model; its weights are copied.
    """

    def __init__(self, model: ItemModel) -> None:
        super().__init__()
        embeddings, layers = model.bert.embeddings, model.bert.encoder.layer
        self.reading = model.reading
        self.words = copy.deepcopy(embeddings.word_embeddings)
        types = embeddings.token_type_embeddings.weight.detach()
        self.positions = nn.Parameter(embeddings.position_embeddings.weight.detach() + types[0])
        self.norm = copy.deepcopy(embeddings.LayerNorm)
        causal = model.config.objective == "causal"
        self.layers = nn.ModuleList(_Layer(layer, causal) for layer in layers[:-1])
        self.last = _LastLayer(layers[-1])
        self.own_table = None if model.config.tied else copy.deepcopy(model.item_table)
        special = torch.zeros(0 if self.own_table else FIRST_ITEM)  # a shared table has rows of special tokens as well
        self.bias = nn.Parameter(torch.cat([special.to(model.item_bias), model.item_bias.detach()]))
        self.requires_grad_(False).eval()

    def forward(self, input_ids: Tensor, lasts: Tensor) -> Tensor:
        """Scores of all items.

        Args:
            input_ids: Token ids, shape (batch, length), padded on the right.
            lasts: The position that is read in each row, shape (batch,).

        Returns:
            Shape (batch, n_items), by item code.
        """
        length = input_ids.shape[1]
        visible = torch.arange(length, device=lasts.device) <= lasts[:, None]
        states = self.norm(self.words(input_ids) + self.positions[:length])
        for layer in self.layers:
            states = layer(states, visible)
        state = self.last(states, visible, lasts)
        if self.own_table is not None:
            return linear(state, self.own_table.weight, self.bias)
        if isinstance(self.words, FactorisedTable):  # two thin products; the table itself is never built
            return linear(linear(state, self.words.mix), self.words.rows, self.bias)[:, FIRST_ITEM:]
        return linear(state, self.words.weight, self.bias)[:, FIRST_ITEM:]


class NextItemRecommender:
    """A `NextItem`, or what quantisation made of one, as a recommender.

    Args:
        net: The module.
        block: Histories in one forward pass; what fits the caches is fastest, on a GPU take hundreds.
    """

    def __init__(self, net: NextItem, *, block: int = 64) -> None:
        self.net, self.block = net, block
        self.n_items = net.reading.n_items

    @torch.inference_mode()
    def scores(self, histories: Histories) -> np.ndarray:
        """Scores of all items as the next one, shape (n_cases, n_items), float32."""
        device = self.net.bias.device

        def answer(*given: np.ndarray) -> np.ndarray:
            return self.net(*(torch.from_numpy(part).to(device) for part in given)).float().cpu().numpy()

        return score_in_blocks(histories, self.net.reading, self.block, answer)


def to_onnx(model: ItemModel | NextItem, path: str | Path) -> Path:
    """Write a model as one ONNX file that takes any number of histories of any length up to the model's.

    Its inputs are `input_ids` and `lasts`, its output `scores`, see `NextItem.forward`; how histories become tokens is
    in its metadata. Scores differ from PyTorch's by rounding, less than 1e-4.

    Args:
        model: The model, in float32.
        path: Where to write; a file that is there is replaced.

    Returns:
        The path.

    Raises:
        Missing: If the packages that write ONNX are not installed.
        RunError: If the file cannot be written.
    """
    need_package("onnxscript", "Exporting a model to ONNX")
    net = model if isinstance(model, NextItem) else NextItem(model)
    net = net if net.bias.device.type == "cpu" else copy.deepcopy(net).cpu()  # a file knows no device
    batch, longest = torch.export.Dim("batch"), net.reading.max_length
    lengths = {1: torch.export.Dim("length", max=longest)} if longest > 1 else {}
    example = torch.full((2, min(3, longest)), FIRST_ITEM), torch.tensor([0, 0])
    with quietly():
        from onnx_ir.passes.common import DeduplicateInitializersPass
        from onnxscript.optimizer import optimize_ir

        program = torch.onnx.export(
            net,
            example,
            input_names=["input_ids", "lasts"],
            output_names=["scores"],
            dynamic_shapes={"input_ids": {0: batch} | lengths, "lasts": {0: batch}},
            opset_version=OPSET,
            dynamo=True,
            optimize=False,
            verbose=False,
        )
        optimize_ir(program.model, should_fold=_worth_folding)
        DeduplicateInitializersPass(size_limit=2**31)(program.model)
        proto = program.model_proto
    for node in proto.graph.node:  # where in whose files the exporter found it
        del node.metadata_props[:]
        node.doc_string = ""
    for key, value in net.reading.to_text().items():
        proto.metadata_props.add(key=key, value=value)
    write_atomically(Path(path), proto.SerializeToString())
    return Path(path)


# --- the layers ------------------------------------------------------------------------------------------------------


class _Block(nn.Module):
    """What every layer has: the output map of attention, the feed-forward part, both with their norms."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        attention = layer.attention.self
        self.head_width = attention.attention_head_size
        self.width = attention.query.out_features  # less than that of the states where heads were removed
        self.mix, self.mix_norm = copy.deepcopy(layer.attention.output.dense), layer.attention.output.LayerNorm
        self.up, self.kink = copy.deepcopy(layer.intermediate.dense), layer.intermediate.intermediate_act_fn
        self.down, self.down_norm = copy.deepcopy(layer.output.dense), layer.output.LayerNorm
        self.mix_norm, self.down_norm = copy.deepcopy(self.mix_norm), copy.deepcopy(self.down_norm)

    def by_head(self, states: Tensor) -> Tensor:
        """(batch, length, width) → (batch, heads, length, head width)."""
        return states.unflatten(-1, (-1, self.head_width)).transpose(1, 2)

    def rest(self, states: Tensor, heard: Tensor) -> Tensor:
        """The layer behind attention: states of shape (…, hidden), what attention heard of shape (…, width)."""
        states = self.mix_norm(states + self.mix(heard))
        return self.down_norm(states + self.down(self.kink(self.up(states))))


class _Layer(_Block):
    """A layer below the last one: all positions ask all that they may see."""

    def __init__(self, layer: nn.Module, causal: bool) -> None:
        super().__init__(layer)
        attention = layer.attention.self
        self.causal = causal
        self.ask = _joined(attention.query, attention.key, attention.value)

    def forward(self, states: Tensor, visible: Tensor) -> Tensor:
        query, key, value = (self.by_head(part) for part in self.ask(states).split(self.width, dim=-1))
        # a causal model needs no mask for padding: that is on the right, where nothing looks
        mask = None if self.causal else visible[:, None, None, :]
        heard = scaled_dot_product_attention(query, key, value, attn_mask=mask, is_causal=self.causal)
        return self.rest(states, heard.transpose(1, 2).flatten(2))


class _LastLayer(_Block):
    """The last layer: one position asks, for both objectives everything up to itself."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__(layer)
        attention = layer.attention.self
        self.ask, self.answer = copy.deepcopy(attention.query), _joined(attention.key, attention.value)

    def forward(self, states: Tensor, visible: Tensor, lasts: Tensor) -> Tensor:
        place = lasts[:, None, None].expand(-1, 1, states.shape[-1])
        state = states.gather(1, place)
        key, value = (self.by_head(part) for part in self.answer(states).split(self.width, dim=-1))
        heard = scaled_dot_product_attention(
            self.by_head(self.ask(state)), key, value, attn_mask=visible[:, None, None, :]
        )
        return self.rest(state[:, 0], heard.flatten(1))


def _joined(*maps: nn.Linear) -> nn.Linear:
    """One linear map that gives the outputs of several end to end."""
    joined = nn.Linear(maps[0].in_features, sum(part.out_features for part in maps))
    joined.weight = nn.Parameter(torch.cat([part.weight.detach() for part in maps]))
    joined.bias = nn.Parameter(torch.cat([part.bias.detach() for part in maps]))
    return joined


# --- graphs and files ------------------------------------------------------------------------------------------------


def _worth_folding(node: onnx_ir.Node) -> bool | None:
    """Which products of constants a file holds; None leaves it to the optimiser.

    Matrices are turned beforehand, or they could not be quantised. Codes stay bytes; ONNX Runtime makes indices of them
    when it opens the file.
    """
    whole = node.inputs and node.inputs[0] is not None and node.inputs[0].dtype
    if node.op_type == "Transpose" and whole:
        return whole.is_floating_point()
    if node.op_type == "Cast" and whole and whole.itemsize == 1:
        return False
    return None


def need_package(package: str, purpose: str) -> None:
    """Raise `Missing` with what to install if a package that writes ONNX is not there."""
    if importlib.util.find_spec(package) is None:
        raise Missing(package, "models", purpose)


@contextmanager
def quietly() -> Iterator[None]:
    """Keep libraries from remarks about their own insides, which no user could mend."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)

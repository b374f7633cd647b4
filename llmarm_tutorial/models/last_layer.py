"""The last layer of a BERT, computed only where its result is read.

A masked model is asked for a fifth of its positions, a recommender for the last one, a classifier for the first. What
the last layer makes of all others is thrown away. Keys and values are needed everywhere; queries, the feed-forward part
and the norms only at the positions that are read, and the answers there are the same.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from transformers import BertConfig
from transformers.models.bert.modeling_bert import BertLayer, BertModel

from llmarm_tutorial.errors import BadParameter
from llmarm_tutorial.models.encoder import Encoder, attended, behind_attention, by_head, layer_states


class LastLayer(BertLayer):
    """A `BertLayer` with the same weights that can be told where it is read.

    Attributes:
        first_only: Whether only the first position of each sequence is read, as a classifier does.
    """

    first_only: bool = False

    def forward(
        self,
        hidden_states: Tensor,
        attention_mask: Tensor | None = None,
        encoder_hidden_states: Tensor | None = None,
        encoder_attention_mask: Tensor | None = None,
        past_key_values: Any | None = None,
        *,
        read: Tensor | None = None,
        **kwargs: Any,
    ) -> Tensor:
        """Hidden states, shape (batch, length, hidden), or at the positions read only.

        Args:
            hidden_states: States of the layer below, shape (batch, length, hidden).
            attention_mask: As Transformers makes it for its fused attention, or None.
            encoder_hidden_states: Not used by a BERT without cross-attention.
            encoder_attention_mask: Likewise.
            past_key_values: Keys and values that stand before the layer's own (prefix tuning).
            read: Indices into the flattened batch × length, shape (n_read,), from 0; the result is of shape
                (n_read, hidden) then. None: all positions, or with `first_only` the first ones, of shape
                (batch, 1, hidden).
            kwargs: Further arguments of `BertLayer`. Where the states or attentions of all layers are to be kept, the
                whole layer is computed.

        Raises:
            BadParameter: If `read` holds something else, or the states or attentions of all layers are asked for.
        """
        all_kept = _keeps_all_layers(self.attention.self.config, kwargs)
        if read is not None and all_kept:
            raise BadParameter(
                "States and attentions of all layers are those of all positions: ask for them without read, and "
                "pick the positions from what you get."
            )
        if read is None and (all_kept or not self.first_only):
            return super().forward(hidden_states, attention_mask, past_key_values=past_key_values, **kwargs)
        return self._read(hidden_states, attention_mask, read, past_key_values)

    def states(self, below: Tensor, mask: Tensor | None, causal: bool, read: Tensor | None) -> Tensor:
        """The states that `forward` gives, the short way; see `encoder.layer_states`."""
        if read is None and not self.first_only:
            return layer_states(self, below, mask, causal)
        return self._read(below, mask, read)

    def _read(self, below: Tensor, mask: Tensor | None, read: Tensor | None, past: Any | None = None) -> Tensor:
        """States where they are read: (n_read, hidden), or (batch, 1, hidden) at the first positions."""
        batch, length = below.shape[:2]
        if read is not None:
            check_positions(read, batch * length)
            return self._at(below, mask, past, read, *_by_sequence(read, batch, length))
        first = torch.arange(0, batch * length, length, device=below.device)
        rows = torch.arange(batch, device=below.device)
        return self._at(below, mask, past, first, rows[:, None], rows)[:, None]

    def _at(
        self, below: Tensor, mask: Tensor | None, past: Any | None, read: Tensor, table: Tensor, place: Tensor
    ) -> Tensor:
        """States at some positions, shape (n_read, hidden); for `table` and `place` see `_by_sequence`."""
        inner, length = self.attention.self, below.shape[1]
        asking = below.flatten(0, 1)[read]
        batch, _, *heads = by_head(self, below)
        queries = inner.query(asking)[table].view(batch, -1, *heads).transpose(1, 2)
        keys, values = (part(below).view(batch, length, *heads).transpose(1, 2) for part in (inner.key, inner.value))
        if past is not None:
            past = getattr(past, "self_attention_cache", past)
            keys, values = past.update(keys, values, inner.layer_idx)
        if self.is_decoder:  # what is on the right of a position, padding with it, has no influence
            mask = torch.arange(length, device=read.device) <= (read % length)[table][:, None, :, None]
        elif mask is not None:
            mask = mask[:, :, :1]  # a position that sees both sides sees what all see
        heard = attended(inner, queries, keys, values, mask).flatten(0, 1)[place]
        return behind_attention(self, heard, asking)


def _by_sequence(read: Tensor, batch: int, length: int) -> tuple[Tensor, Tensor]:
    """The positions read as a table with a row per sequence, and where each of them stands in that table.

    Returns:
        Indices into `read`, shape (batch, most in a sequence), 0 where a sequence has fewer; and indices into the
        flattened table, shape (n_read,).
    """
    row = torch.div(read, length, rounding_mode="floor")
    count = torch.bincount(row, minlength=batch)
    most = max(int(count.max()), 1)
    by_row = row.argsort(stable=True)  # the positions may come in any order
    sorted_row = row[by_row]
    rank = torch.arange(len(read), device=read.device) - (count.cumsum(0) - count)[sorted_row]
    place = torch.empty_like(by_row)
    place[by_row] = sorted_row * most + rank
    table = torch.zeros(batch * most, dtype=torch.long, device=read.device)
    table[place] = torch.arange(len(read), device=read.device)
    return table.view(batch, most), place


def check_positions(positions: Tensor, n: int) -> None:
    """Refuse what does not name positions of a batch: a number below 0 would be one counted from the end.

    Args:
        positions: Indices into the flattened batch × length.
        n: Batch × length.

    Raises:
        BadParameter: Unless they are whole numbers from 0 to n − 1, shape (n_read,).
    """
    if positions.dim() != 1 or positions.dtype not in (torch.int64, torch.int32):
        raise BadParameter(
            "Positions to read are a row of whole numbers, indices into the flattened batch; these are of shape "
            f"{tuple(positions.shape)} and type {positions.dtype}."
        )
    if len(positions):
        least, most = torch.stack(positions.aminmax()).tolist()
        if least < 0 or most >= n:
            raise BadParameter(f"Positions to read are from 0 to {n - 1} in this batch, not {least} to {most}.")


def _keeps_all_layers(config: BertConfig, arguments: Mapping[str, Any]) -> bool:
    """Whether a forward pass is to keep the states or attentions of all layers, by its arguments or its settings."""
    names = ("output_hidden_states", "output_attentions")
    return any(arguments.get(name, getattr(config, name, False)) for name in names)


def passes_arguments_down() -> bool:
    """Whether a BERT hands arguments that it does not know to its layers, as Transformers 5 does and 4 does not."""
    arguments = inspect.signature(BertModel.forward).parameters.values()
    return any(argument.kind is argument.VAR_KEYWORD for argument in arguments)


def is_read_where_asked(bert: BertModel) -> bool:
    """Whether `read_where_asked` took effect, and the settings do not ask for the states of all layers."""
    return isinstance(bert.encoder.layer[-1], LastLayer) and not _keeps_all_layers(bert.config, {})


def read_where_asked(bert: BertModel, *, first_only: bool = False) -> None:
    """Let a BERT's last layer be computed where it is read; its weights and their names stay as they are.

    With Transformers 4 nothing changes: the whole layer is computed, which takes longer and gives the same.

    Args:
        bert: The encoder, changed in place.
        first_only: Whether nothing but the first position of a sequence is ever read.
    """
    if not passes_arguments_down():
        return
    last = bert.encoder.layer[-1]
    last.__class__ = LastLayer  # a layer made anew would draw weights, and all later draws would be others
    last.first_only = first_only
    bert.__class__ = Encoder

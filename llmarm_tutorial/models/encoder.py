"""The forward pass of a BERT in few steps, over the very modules of Hugging Face Transformers.

Between those modules the library looks after masks, caches, recorded states and kernels for models of any kind. For
ours, with a width of tens, that takes longer than the arithmetic. Here the same modules are called in the same order
and give the same; what is asked for beyond states at tokens is left to the library.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers.modeling_outputs import BaseModelOutputWithPoolingAndCrossAttentions
from transformers.models.bert.modeling_bert import BertEmbeddings, BertLayer, BertModel

Heads = tuple[int, int, int, int]


class Encoder(BertModel):
    """A `BertModel` with the same weights that goes the short way where it can."""

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        past_key_values: Any | None = None,
        *,
        return_dict: bool = True,
        read: Tensor | None = None,
        **kwargs: Any,
    ) -> BaseModelOutputWithPoolingAndCrossAttentions:
        """Last hidden states, as `BertModel` gives them.

        Args:
            input_ids: Token ids, shape (batch, length); None where `inputs_embeds` are given.
            attention_mask: 1 for tokens, 0 for padding, shape (batch, length); None if there is no padding.
            token_type_ids: Segments, shape (batch, length); None for 0 everywhere.
            inputs_embeds: Vectors in place of token ids, shape (batch, length, hidden).
            past_key_values: What stands before the layers' own keys and values; peft looks for this name.
            return_dict: False gives a tuple.
            read: Where the last layer is read, see `last_layer.LastLayer`.
            kwargs: Further arguments of `BertModel`; any but None takes the library's way.
        """
        further = {name: value for name, value in kwargs.items() if value is not None}
        recorded = self.config.output_hidden_states or self.config.output_attentions
        odd = attention_mask is not None and attention_mask.dim() != 2
        if further or recorded or odd or past_key_values is not None or not return_dict:
            further |= {} if read is None else {"read": read}
            return self._at_length(
                input_ids,
                attention_mask,
                token_type_ids,
                inputs_embeds=inputs_embeds,
                past_key_values=past_key_values,
                return_dict=return_dict,
                **further,
            )
        *lower, last = self.encoder.layer
        causal = last.is_decoder
        mask = None if attention_mask is None else attention_mask[:, None, None, :].bool()
        words = self.embeddings.word_embeddings(input_ids) if inputs_embeds is None else inputs_embeds
        if causal and mask is not None:
            length = words.shape[1]
            mask = mask & torch.ones(length, length, dtype=torch.bool, device=mask.device).tril()
        states = embedded(self.embeddings, words, token_type_ids)
        for layer in lower:
            states = layer_states(layer, states, mask, causal)
        states = last.states(states, mask, causal, read)
        pooled = self.pooler(states) if self.pooler is not None else None
        return BaseModelOutputWithPoolingAndCrossAttentions(last_hidden_state=states, pooler_output=pooled)

    def _at_length(self, *args: Any, **kwargs: Any) -> Any:
        """The library's way; what it can record it knows by the class."""
        self.__class__ = BertModel
        try:
            return BertModel.forward(self, *args, **kwargs)
        finally:
            self.__class__ = Encoder


def embedded(embeddings: BertEmbeddings, words: Tensor, segments: Tensor | None) -> Tensor:
    """What the first layer reads, shape (batch, length, hidden): the sum of the vectors of word, segment and position.

    Where all tokens are of segment 0, and positions count up as always, a vector is added and nothing looked up.
    """
    kinds, places = embeddings.token_type_embeddings, embeddings.position_embeddings
    kind = kinds.weight[0] if segments is None else kinds(segments)
    return embeddings.dropout(embeddings.LayerNorm(words + kind + places.weight[: words.shape[1]]))


def layer_states(layer: BertLayer, below: Tensor, mask: Tensor | None, causal: bool) -> Tensor:
    """States of a layer at all positions, shape (batch, length, hidden).

    Args:
        layer: The layer.
        below: States of the layer below, shape (batch, length, hidden).
        mask: True where a position may be looked at, shape (batch, 1, 1 or length, length); None for no padding.
        causal: Whether a position sees only what is on its left; a mask, if there is one, has it in it.
    """
    inner, shape = layer.attention.self, by_head(layer, below)
    query, key, value = (part(below).view(shape).transpose(1, 2) for part in (inner.query, inner.key, inner.value))
    return behind_attention(layer, attended(inner, query, key, value, mask, causal), below)


def by_head(layer: BertLayer, below: Tensor) -> Heads:
    """The shape (batch, length, heads, width of a head) of a layer's queries, keys and values."""
    inner = layer.attention.self
    return (*below.shape[:2], inner.num_attention_heads, inner.attention_head_size)


def attended(
    inner: nn.Module, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, causal: bool = False
) -> Tensor:
    """What a layer's heads hear, shape (batch, queries, heads × width of a head)."""
    heard = nn.functional.scaled_dot_product_attention(
        query,
        key,
        value,
        attn_mask=mask,
        dropout_p=inner.dropout.p if inner.training else 0.0,
        is_causal=causal and mask is None,
        scale=inner.scaling,
    )
    return heard.transpose(1, 2).flatten(2)


def behind_attention(layer: BertLayer, heard: Tensor, below: Tensor) -> Tensor:
    """The rest of a layer: the output map of attention and the feed-forward part, each added to what came in."""
    mix, widen, narrow = layer.attention.output, layer.intermediate, layer.output
    states = mix.LayerNorm(mix.dropout(mix.dense(heard)) + below)
    wide = widen.intermediate_act_fn(widen.dense(states))
    return narrow.LayerNorm(narrow.dropout(narrow.dense(wide)) + states)

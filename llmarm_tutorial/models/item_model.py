"""A language model of items: BERT over item ids instead of words, with a masked or a causal objective.

A customer's purchases are a sentence, an item is a token. The network is the BERT of Hugging Face Transformers built
from a configuration, with random weights; ours are the head, which scores only the positions that are asked for, and
the loss over the whole catalogue. `AutoModel.from_pretrained` opens a saved model as a plain BERT.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import CharDelimiterSplit
from torch import Tensor, nn
from transformers import BertConfig, BertModel, BertPreTrainedModel, PreTrainedTokenizerFast
from transformers.utils import logging

from llmarm_tutorial.errors import BadParameter, DataError
from llmarm_tutorial.models.last_layer import check_positions, is_read_where_asked, read_where_asked
from llmarm_tutorial.models.loss import cross_entropy
from llmarm_tutorial.models.seeds import seeded
from llmarm_tutorial.models.tables import CodedTable, FactorisedTable, check_table
from llmarm_tutorial.models.tokens import FIRST_ITEM, MASK, PAD, SPECIAL_TOKENS, UNKNOWN, Reading

OBJECTIVES = ("masked", "causal")


class ItemOutput(NamedTuple):
    """What `ItemModel` returns: the mean loss in nats over the scored positions, and how many there were."""

    loss: Tensor
    scored: int


def item_config(
    n_items: int,
    *,
    objective: str = "causal",
    hidden: int = 64,
    layers: int = 2,
    heads: int = 2,
    feed_forward: int | None = None,
    max_length: int = 50,
    positions: bool = True,
    visits: bool = False,
    dropout: float = 0.1,
    attention_dropout: float = 0.0,
    tied: bool = True,
    spread: float = 0.02,
    table: str = "full",
    rank: int = 16,
    parts: int = 8,
    centroids: int = 256,
) -> BertConfig:
    """Configuration of an `ItemModel`: that of BERT with fields for what BERT has not, from `objective` to `table`.

    Args:
        n_items: Size of the catalogue.
        objective: "masked" sees both sides of a gap (Devlin et al. 2019; BERT4Rec, Sun et al. 2019), "causal" only
            what came before (SASRec, Kang & McAuley 2018).
        hidden: Width of the model, a multiple of `heads`.
        layers: Transformer layers.
        heads: Attention heads.
        feed_forward: Width between the two linear maps of a layer; None takes four times `hidden`.
        max_length: Longest input in tokens.
        positions: False makes the input a set: the order of its items has no influence on a masked model.
        visits: Whether a token [VISIT] stands where a customer comes anew: for data with baskets, whose items have no
            order among themselves. What follows it is the question "what will be in the next basket?".
        dropout: Share of activations dropped in training, in [0, 1).
        attention_dropout: Share of attention weights dropped, in [0, 1). On a CPU anything above 0 keeps PyTorch from
            using its fused attention, which at a length of 200 is twice as fast.
        tied: Whether the output table is the input embedding (Press & Wolf 2017) or a table of its own.
        spread: Standard deviation of the initial weights: BERT's .02 is for widths of hundreds, .1 for narrow models.
        table: Item vectors: "full", one free vector per item; "factorised" or "coded", see `tables`.
        rank: Inner width of a factorised table, from 1 to `hidden`.
        parts: Codes per item of a coded table, a divisor of `hidden`.
        centroids: Entries of each of its codebooks, from 2 to 256.

    Raises:
        BadParameter: If a value is out of range.
    """
    sizes = {"n_items": n_items, "hidden": hidden, "layers": layers, "heads": heads, "max_length": max_length}
    _check(objective, sizes, {"dropout": dropout, "attention_dropout": attention_dropout})
    check_table(table, hidden, rank, parts, centroids)
    own = {"objective": objective, "positions": positions, "visits": visits, "tied": tied}
    own |= {"table": table, "rank": rank, "parts": parts, "centroids": centroids}
    return BertConfig(
        vocab_size=n_items + FIRST_ITEM,
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=feed_forward or 4 * hidden,
        max_position_embeddings=max_length,
        type_vocab_size=1,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=attention_dropout,
        initializer_range=spread,
        pad_token_id=PAD,
        is_decoder=objective == "causal",
        use_cache=False,
        tie_word_embeddings=False,  # the head is ours; nothing for Transformers to tie
        **own,
    )


def _check(objective: str, sizes: dict[str, int], shares: dict[str, float]) -> None:
    """Say which value of `item_config` is out of range."""
    if objective not in OBJECTIVES:
        raise BadParameter(f"An item model has the objective 'masked' or 'causal', not {objective!r}.")
    for name, size in sizes.items():
        if size < 1:
            raise BadParameter(f"{name} is {size}; an item model needs at least 1.")
    if sizes["hidden"] % sizes["heads"]:
        raise BadParameter(
            f"hidden ({sizes['hidden']}) must be a multiple of heads ({sizes['heads']}): each head gets an equal share."
        )
    for name, share in shares.items():
        if not 0 <= share < 1:
            raise BadParameter(f"{name} is {share}; it is a share from 0 to below 1.")


def _narrow(attention: nn.Module, heads: int) -> None:
    """Give a layer's attention room for some of its heads only, as `pruning.prune` leaves it."""
    inner, hidden = attention.self, attention.output.dense.out_features
    width = heads * inner.attention_head_size
    for name in ("query", "key", "value"):
        setattr(inner, name, nn.Linear(hidden, width))
    attention.output.dense = nn.Linear(width, hidden)
    inner.num_attention_heads, inner.all_head_size = heads, width


class ItemModel(BertPreTrainedModel):
    """BERT over items, scored against the whole catalogue.

    Build one with `ItemModel(item_config(...), seed=1)`, save it with `save_pretrained`, open it with
    `from_pretrained`.

    Args:
        config: What `item_config` gives.
        seed: Seed of the weights; what was drawn before has no influence, and nothing drawn later notices.

    Attributes:
        bert: The encoder of Hugging Face Transformers, causal where the objective is.
        item_bias: One number per item, its popularity once all else is accounted for, shape (n_items,).
    """

    config_class = BertConfig

    def __init__(self, config: BertConfig, *, seed: int = 0) -> None:
        super().__init__(config)
        with seeded(seed):
            self._build(config)
        if not config.positions:
            table = self.bert.embeddings.position_embeddings
            nn.init.zeros_(table.weight)
            table.weight.requires_grad_(False)

    def _build(self, config: BertConfig) -> None:
        """Parts with random weights; the order of the draws decides them."""
        self.bert = BertModel(config, add_pooling_layer=False)
        self.item_bias = nn.Parameter(torch.zeros(self.n_items))
        if not config.tied:
            self.item_table = nn.Linear(config.hidden_size, self.n_items, bias=False)
        for layer, left in zip(self.bert.encoder.layer, getattr(config, "heads_left", ()), strict=False):
            _narrow(layer.attention, left)
        self.post_init()
        size = (config.vocab_size, config.hidden_size)
        if config.table == "factorised":
            self.bert.embeddings.word_embeddings = FactorisedTable(*size, config.rank, config.initializer_range)
        elif config.table == "coded":
            books = (config.parts, config.centroids)
            self.bert.embeddings.word_embeddings = CodedTable(*size, *books, config.initializer_range)
        read_where_asked(self.bert)

    @property
    def n_items(self) -> int:
        """Size of the catalogue."""
        return self.config.vocab_size - FIRST_ITEM

    @property
    def reading(self) -> Reading:
        """How histories become tokens for this model."""
        config = self.config
        return Reading(self.n_items, config.max_position_embeddings, config.objective == "masked", config.visits)

    @torch.no_grad()
    def start_from_popularity(self, counts: np.ndarray) -> None:
        """Set the bias of every item to the log of its share, so that training need not learn what counting knows.

        Args:
            counts: How often each item occurs in training, shape (n_items,); 0.5 is added to each.
        """
        share = (counts + 0.5) / (counts.sum() + 0.5 * len(counts))
        self.item_bias.copy_(torch.from_numpy(np.log(share)))

    @torch.no_grad()
    def start_from_copying(self) -> None:
        """Make attention pass on what it sees as it is: the value and output maps of every layer become the identity.

        With a tied head, what is in the history then speaks for itself from the first step on. Where customers buy the
        same things again, a model with random maps needs thousands of steps to find this out.
        """
        for layer in self.bert.encoder.layer:
            for linear in (layer.attention.self.value, layer.attention.output.dense):
                nn.init.eye_(linear.weight)

    @property
    def output_table(self) -> Tensor:
        """Item vectors of the head, shape (n_items, hidden): the input embeddings unless the head is untied."""
        if self.config.tied:
            return self.bert.embeddings.word_embeddings.weight[FIRST_ITEM:]
        return self.item_table.weight

    def hidden(self, input_ids: Tensor, attention_mask: Tensor | None = None, scored: Tensor | None = None) -> Tensor:
        """Last hidden states.

        Args:
            input_ids: Token ids, shape (batch, length), padded on the right.
            attention_mask: 1 for tokens, 0 for padding; None if there is no padding. A causal model needs none: what is
                on the right has no influence.
            scored: Indices into the flattened batch × length of the positions wanted, shape (n_scored,), from 0; the
                last layer leaves out most of its work for the others. None: all positions.

        Returns:
            Shape (batch, length, hidden), or (n_scored, hidden).

        Raises:
            BadParameter: If `scored` holds something else. On a graphics card, where looking at numbers waits for all
                work before, only if the last layer leaves work out and looks at them anyway.
        """
        if self.config.is_decoder:
            attention_mask = None
        given = {"input_ids": input_ids, "attention_mask": attention_mask}
        few = scored is not None and 0 < 2 * scored.numel() <= input_ids.numel()
        if few and is_read_where_asked(self.bert):
            return self.bert(**given, read=scored).last_hidden_state
        if scored is not None and scored.device.type == "cpu":
            check_positions(scored, input_ids.numel())
        states = self.bert(**given).last_hidden_state
        return states if scored is None else states.flatten(0, 1)[scored]

    def logits(self, hidden: Tensor) -> Tensor:
        """Scores of all items for hidden states of shape (n, hidden): shape (n, n_items), by item code."""
        return nn.functional.linear(hidden, self.output_table, self.item_bias)

    def forward(
        self, input_ids: Tensor, scored: Tensor, targets: Tensor, attention_mask: Tensor | None = None
    ) -> ItemOutput:
        """Mean cross-entropy over the whole catalogue, at the scored positions only.

        Args:
            input_ids: Token ids, shape (batch, length), padded on the right.
            scored: Indices into the flattened batch × length of the positions that predict, shape (n_scored,), one that
                predicts several items as often.
            targets: Item code to be predicted at each of them, shape (n_scored,).
            attention_mask: See `hidden`.
        """
        places, which = scored, None
        if scored.is_cpu and scored.ndim == 1:  # on a graphics card their number would be waited for
            places, which = torch.unique_consecutive(scored, return_inverse=True)
        states = self.hidden(input_ids, attention_mask, places)
        states = states if places.numel() == scored.numel() else states.index_select(0, which)
        return ItemOutput(cross_entropy(states, self.output_table, self.item_bias, targets), len(targets))


def build_tokenizer(item_ids: Iterable[Any]) -> PreTrainedTokenizerFast:
    """A Hugging Face tokenizer whose words are item ids.

    It takes a list of ids with `is_split_into_words=True`, or one string with a tab between the ids (ids may hold
    blanks). The token of the item with code c is `FIRST_ITEM + c`; what it does not know is [UNK].

    Args:
        item_ids: Ids in the order of their item codes; numbers are written as text.

    Raises:
        DataError: If an id occurs twice, holds a tab or holds the name of a special token.
    """
    ids = [*map(str, item_ids)]
    # the tokenizer cuts special tokens out of the text first, out of longer words too
    if len(set(ids)) < len(ids) or any(mark in word for word in ids for mark in ("\t", *SPECIAL_TOKENS)):
        raise DataError(
            f"Item ids must differ from each other as text and hold no tab and none of {', '.join(SPECIAL_TOKENS)}."
        )
    vocabulary = {word: token for token, word in enumerate([*SPECIAL_TOKENS, *ids])}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token=SPECIAL_TOKENS[UNKNOWN]))
    tokenizer.pre_tokenizer = CharDelimiterSplit("\t")
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=SPECIAL_TOKENS[PAD],
        unk_token=SPECIAL_TOKENS[UNKNOWN],
        mask_token=SPECIAL_TOKENS[MASK],
        model_input_names=["input_ids", "attention_mask"],
    )


def save(model: ItemModel, tokenizer: PreTrainedTokenizerFast, folder: str | Path) -> None:
    """Write a model and its tokenizer into one folder, from which `load` and Transformers open them."""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def load(folder: str | Path) -> tuple[ItemModel, PreTrainedTokenizerFast]:
    """Open what `save` wrote; nothing is looked for on a hub.

    Raises:
        DataError: If the folder holds no item model.
    """
    try:
        config = BertConfig.from_pretrained(folder, local_files_only=True)
        if not hasattr(config, "objective"):
            raise ValueError("a BERT, but none of items")
        model = ItemModel.from_pretrained(folder, config=config, local_files_only=True)
        tokenizer = PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        raise DataError(f"{folder} holds no item model that can be opened; train one and save it there.") from error
    return model.eval(), tokenizer


def quiet_loading() -> None:
    """Keep Transformers from drawing a progress bar for every model that is opened."""
    logging.disable_progress_bar()


def with_new_items(model: ItemModel, new: np.ndarray, table: np.ndarray, bias: np.ndarray) -> ItemModel:
    """A copy of an item model in which the rows of some items are replaced, such as by what their texts foretell.

    Args:
        model: A trained item model; with a tied table its input embeddings change as well.
        new: Which items to replace, shape (n_items,), bool.
        table: Item vectors, shape (n_items, hidden); only the rows of new items are read.
        bias: One number per item, shape (n_items,); likewise.

    Raises:
        BadParameter: If a shape does not fit the model.
    """
    shape = tuple(model.output_table.shape)
    if table.shape != shape or bias.shape != shape[:1] or new.shape != shape[:1]:
        raise BadParameter(f"The model has item vectors of shape {shape}, the table given is of shape {table.shape}.")
    changed = copy.deepcopy(model)
    rows = torch.from_numpy(np.flatnonzero(new)).to(model.device)
    with torch.no_grad():
        for weights, values in ((changed.output_table, table), (changed.item_bias, bias)):
            weights[rows] = torch.as_tensor(values[new], dtype=weights.dtype, device=weights.device)
    return changed

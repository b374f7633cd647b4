"""An item model trained on histories, from one short description: how it is built, what it is asked, how it is trained.

A recipe, histories and a seed decide a model; `Recipe.key` names what is kept of it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.models.batches import ItemBatches
from llmarm_tutorial.models.item_model import ItemModel, item_config
from llmarm_tutorial.models.recommender import ItemRecommender
from llmarm_tutorial.models.tokens import FIRST_ITEM
from llmarm_tutorial.models.training import Settings, Training, train


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to make an item model; the defaults are a small one that learns to recommend in minutes on one core.

    The dial is `hidden`. Left at None, layers and heads follow it as in the family of BERT, one of each per 64 numbers
    (Turc et al. 2019: 2 of 128, 4 of 256, 8 of 512), at least one; the feed-forward part is as wide as the model.

    Attributes:
        objective: "causal" or "masked", see `item_config`.
        hidden: Width of the model.
        layers: Transformer layers.
        heads: Attention heads.
        feed_forward: Width between the two linear maps of a layer; BERT's is four times `hidden`.
        max_length: Longest input in tokens.
        positions: False reads a history as a set.
        visits: Whether a [VISIT] stands before every visit.
        dropout: Share of activations dropped in training, in [0, 1).
        spread: Standard deviation of the initial weights.
        popularity: Whether item biases start from how often each item occurs (`ItemModel.start_from_popularity`).
        whole_visits: Whether every [VISIT] is asked for the whole visit that it opens, see `ItemBatches`.
        copying: Whether attention starts as the identity (`ItemModel.start_from_copying`).
        quiet: Whether positions and special tokens start at zero (`start_from_items_alone`).
        batch_size: Windows in a batch.
        last_share: Share of windows in which only the last item is masked; masked objective only.
        epochs: Passes over the histories; with the further fields see `training.Settings`.
    """

    objective: str = "causal"
    hidden: int = 64
    layers: int | None = None
    heads: int | None = None
    feed_forward: int | None = None
    max_length: int = 50
    positions: bool = True
    visits: bool = False
    dropout: float = 0.0
    spread: float = 0.1
    popularity: bool = True
    copying: bool = True
    quiet: bool = False
    whole_visits: bool = False
    batch_size: int = 16
    last_share: float = 0.0
    epochs: int = 20
    learning_rate: float = 2e-3
    warmup: float = 0.1
    decay: str = "linear"
    precision: str = "no"
    validate_every: int = 1
    patience: int = 5
    log_every: int = 25

    def key(self, histories: Histories, *, start: ItemModel | None = None) -> str:
        """A name for what is kept of models made so, the same on every machine; models of other seeds share it.

        It differs where anything does that changes the model: a field other than `log_every`, the histories, the model
        started from. It knows neither how a training is validated nor the version of this package.

        Args:
            histories: What the model learns from.
            start: What `fit` is given as `model`.

        Returns:
            12 hexadecimal digits.
        """
        return recipe_key(self, histories, start)

    def model(self, histories: Histories, *, seed: int) -> ItemModel:
        """The model before training.

        Args:
            histories: What it will learn from; only how often each item occurs is looked at.
            seed: Seed of its weights.

        Raises:
            BadParameter: See `item_config`.
        """
        units = max(self.hidden // 64, 1)
        config = item_config(
            histories.n_items,
            objective=self.objective,
            hidden=self.hidden,
            layers=self.layers or units,
            heads=self.heads or max(heads for heads in range(1, units + 1) if self.hidden % heads == 0),
            feed_forward=self.feed_forward or self.hidden,
            max_length=self.max_length,
            positions=self.positions,
            visits=self.visits,
            dropout=self.dropout,
            spread=self.spread,
        )
        model = ItemModel(config, seed=seed)
        if self.popularity:
            model.start_from_popularity(histories.item_counts)
        if self.copying:
            model.start_from_copying()
        if self.quiet:
            start_from_items_alone(model)
        return model

    def batches(self, histories: Histories, *, seed: int) -> ItemBatches:
        """The histories as training batches; the seed draws order, cuts and masks."""
        return ItemBatches(
            histories,
            self.max_length,
            self.objective,
            batch_size=self.batch_size,
            last_share=self.last_share,
            seed=seed,
            visits=self.visits,
            whole_visits=self.whole_visits,
        )

    def settings(self, *, seed: int) -> Settings:
        """How the training loop is run."""
        names = ("epochs", "learning_rate", "warmup", "decay", "precision", "validate_every", "patience", "log_every")
        return Settings(**{name: getattr(self, name) for name in names}, seed=seed)

    def fit(
        self,
        histories: Histories,
        *,
        seed: int,
        model: ItemModel | None = None,
        validate: Callable[[ItemRecommender], float] | None = None,
        folder: str | Path | None = None,
        progress: bool = False,
    ) -> Fitted:
        """Train a model on histories.

        Args:
            histories: The training part.
            seed: Seed of everything: weights, batches, masks, dropout.
            model: Trained in place of a new one, such as one that starts from other vectors.
            validate: From the recommender to a score, larger is better; the best epoch is kept.
            folder: Keeps checkpoints by `key` and seed, so that the same call goes on, or returns at once; each way of
                validating needs a folder of its own.
            progress: Show a progress bar.
        """
        key = self.key(histories, start=model)
        model = self.model(histories, seed=seed) if model is None else model
        recommender = ItemRecommender(model)
        training = train(
            model,
            self.batches(histories, seed=seed),
            self.settings(seed=seed),
            validate=None if validate is None else lambda _: validate(recommender),
            folder=None if folder is None else Path(folder) / f"{key}-{seed}",
            progress=progress,
        )
        return Fitted(recommender, training)


@torch.no_grad()
def start_from_items_alone(model: ItemModel) -> None:
    """Let positions and special tokens begin at zero, so that at first only the items of a history speak.

    A random vector of the [VISIT] or [MASK] that predicts would be longer than the mean of the history beside it.
    """
    embeddings = model.bert.embeddings
    embeddings.position_embeddings.weight.zero_()
    embeddings.token_type_embeddings.weight.zero_()
    embeddings.word_embeddings.weight[:FIRST_ITEM].zero_()


def recipe_key(recipe: Any, histories: Histories, start: ItemModel | None = None) -> str:
    """12 hexadecimal digits for a recipe (a dataclass), its histories and what it starts from; see `Recipe.key`."""
    fields = {name: value for name, value in asdict(recipe).items() if name != "log_every"}
    digest = hashlib.sha256(json.dumps(fields, sort_keys=True).encode())
    digest.update(histories.fingerprint.encode())
    for name, weight in () if start is None else start.state_dict().items():
        digest.update(name.encode() + weight.cpu().numpy().tobytes())
    return digest.hexdigest()[:12]


@dataclass(frozen=True, eq=False)
class Fitted:
    """A trained item model.

    Attributes:
        recommender: The model as a recommender.
        training: What the training did.
        note: One sentence about where the weights come from, if `shipped.trained` was asked for them; else empty.
    """

    recommender: ItemRecommender
    training: Training
    note: str = ""

    @property
    def model(self) -> ItemModel:
        """The network."""
        return self.recommender.model

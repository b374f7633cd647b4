"""A completion model from one short description, as `recipes` has it for models that learn from histories."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import sparse

from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.models.item_model import ItemModel
from llmarm_tutorial.models.readout import READOUT_SETTINGS, new_model, train_completion_model
from llmarm_tutorial.models.recipes import Fitted, recipe_key
from llmarm_tutorial.models.recommender import ItemRecommender
from llmarm_tutorial.models.training import Settings


@dataclass(frozen=True, kw_only=True)
class CompletionRecipe:
    """How to make a model that says which items are in the rest of a basket; see `readout.train_completion_model`.

    Attributes:
        n_items: Columns of the baskets that can be consequents, those before the context; None for all.
        hidden: Width of the model.
        layers: Transformer layers.
        heads: Attention heads.
        dropout: Share of activations dropped in training, in [0, 1).
        sizes: Items in a part that is shown.
        draws: Parts of each size in an epoch.
        batch_size: Parts in a batch.
        epochs: Most rounds of draws; with the further fields see `training.Settings`.
    """

    n_items: int | None = None
    hidden: int = 64
    layers: int = 2
    heads: int = 2
    dropout: float = 0.1
    sizes: tuple[int, ...] = (1, 2, 3)
    draws: int = 8_000
    batch_size: int = 256
    epochs: int = READOUT_SETTINGS.epochs
    learning_rate: float = READOUT_SETTINGS.learning_rate
    warmup: float = READOUT_SETTINGS.warmup
    decay: str = READOUT_SETTINGS.decay
    patience: int = READOUT_SETTINGS.patience
    validate_every: int = READOUT_SETTINGS.validate_every

    def key(self, baskets: Histories) -> str:
        """A name for what is kept of models made so, see `Recipe.key`; the baskets as `Histories.from_matrix`."""
        return recipe_key(self, baskets)

    def model(self, baskets: Histories, *, seed: int) -> ItemModel:
        """The model before training, with the log odds of the items' shares as biases."""
        return new_model(baskets.held().astype(bool), seed=seed, **self._shape())

    def fit(
        self,
        baskets: sparse.csr_matrix,
        validation: sparse.csr_matrix,
        antecedents: np.ndarray,
        *,
        seed: int,
        folder: str | Path | None = None,
        progress: bool = False,
    ) -> Fitted:
        """Train a model on baskets; the epoch with the lowest log loss on validation baskets is kept.

        Args:
            baskets: Training baskets × tokens, bool.
            validation: Validation baskets × tokens, bool.
            antecedents: Antecedents asked in validation, item codes padded with -1.
            seed: Seed of weights and draws.
            folder: Keeps checkpoints, so that the same call goes on; one folder for each training.
            progress: Show a progress bar.
        """
        names = ("epochs", "learning_rate", "warmup", "decay", "patience", "validate_every")
        model, training = train_completion_model(
            baskets,
            validation,
            antecedents,
            n_items=self.n_items,
            batches={"sizes": self.sizes, "draws": self.draws, "batch_size": self.batch_size},
            shape=self._shape(),
            settings=Settings(precision=READOUT_SETTINGS.precision, **{name: getattr(self, name) for name in names}),
            seed=seed,
            folder=folder,
            progress=progress,
        )
        return Fitted(ItemRecommender(model), training)

    def _shape(self) -> dict[str, int | float]:
        return {"hidden": self.hidden, "layers": self.layers, "heads": self.heads, "dropout": self.dropout}

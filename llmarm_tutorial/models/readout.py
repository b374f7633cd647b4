"""Rules read out of a language model of items: P(consequent in the basket | antecedent in the basket).

Two ways to read. A *masked-item* model says which item one gap of a basket holds; scaled by how many items are still
to come this is nearly a confidence, and the scale can be calibrated (`gap_reading`). A *completion* model is trained on
the question itself: given a part of a basket, which items are in the rest of it. Both are the `ItemModel` of the kit
without positions, and both give the matrix antecedents × items that `confidence` tries on unseen baskets.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy import sparse
from scipy.special import logit
from torch import Tensor, nn

from llmarm_tutorial.errors import BadParameter
from llmarm_tutorial.mining.antecedents import (
    Evidence,
    draw_parts,
    gather,
    gather_sparse,
    row_blocks,
    sizes_held,
)
from llmarm_tutorial.mining.confidence import rule_table
from llmarm_tutorial.mining.judging import confidence_losses, mean_losses
from llmarm_tutorial.mining.thresholds import reaches
from llmarm_tutorial.models.item_model import ItemModel, item_config
from llmarm_tutorial.models.tokens import FIRST_ITEM, MASK, PAD
from llmarm_tutorial.models.training import Settings, Training, train

READOUT_SETTINGS = Settings(epochs=8, learning_rate=2e-3, warmup=0.1, patience=3, precision="no")


@dataclass(frozen=True, eq=False)
class PartBatches:
    """Batches for basket completion: parts of baskets, each with how often the rest holds every item.

    Parts are drawn evenly from all pairs (basket, part of it), see `antecedents.draw_parts`. As target a part gets not
    the one basket it was drawn from but the mean of all that hold it, which is what the draws would average to, without
    their noise: the confidences, as counted. The network cannot keep a table of them; it learns what they have in
    common. Every epoch draws anew, from seed and epoch alone.

    Attributes:
        matrix: Baskets × tokens, bool. Columns from `n_items` on are context: they are given, never asked for.
        n_items: Columns that can be consequents.
        sizes: Items in a part; each size that some basket has gets equally many draws.
        draws: Parts of each size in an epoch.
        batch_size: Parts in a batch.
        seed: Seed of everything drawn.
    """

    matrix: sparse.csr_matrix
    n_items: int
    sizes: tuple[int, ...] = (1, 2, 3)
    draws: int = 8_000
    batch_size: int = 256
    seed: int = 0

    def count(self, epoch: int) -> int:
        """Number of batches of an epoch."""
        return -(-self.draws * len(sizes_held(self.matrix, self.sizes)) // self.batch_size)

    def fingerprint(self) -> str:
        """A hash of the baskets and of how parts are drawn."""
        digest = hashlib.sha256(repr((self.n_items, self.sizes, self.draws, self.batch_size, self.seed)).encode())
        for array in (self.matrix.indices, self.matrix.indptr):
            digest.update(np.ascontiguousarray(array).astype("<i8").tobytes())
        return digest.hexdigest()

    def stream(self, epoch: int, numbers: Iterable[int]) -> Iterator[dict[str, Any]]:
        """The batches of these numbers: `antecedents` (item codes, padded with -1), `targets` (shares), `size`."""
        antecedents, rows, shares = _drawn(self, epoch)
        for number in numbers:
            chosen = rows[number * self.batch_size : (number + 1) * self.batch_size]
            yield {
                "antecedents": torch.from_numpy(antecedents[chosen].astype(np.int64)),
                "targets": torch.from_numpy(shares[chosen].toarray()),
                "size": len(chosen),
            }


@lru_cache(maxsize=2)
def _drawn(batches: PartBatches, epoch: int) -> tuple[np.ndarray, np.ndarray, sparse.csr_matrix]:
    """(distinct parts, which of them each draw of the epoch is, shares of items in the baskets that hold each)."""
    rng = np.random.default_rng([batches.seed, epoch])
    width = max(batches.sizes)
    sizes = sizes_held(batches.matrix, batches.sizes)
    drawn = [draw_parts(batches.matrix, size, batches.draws, rng)[1] for size in sizes]
    drawn = np.concatenate([np.pad(d, ((0, 0), (0, width - d.shape[1])), constant_values=-1) for d in drawn])
    distinct, rows = np.unique(drawn, axis=0, return_inverse=True)
    parts = []
    for start in range(0, len(distinct), 4096):
        baskets, joint = gather_sparse(batches.matrix, distinct[start : start + 4096])
        share = (joint.data / np.repeat(baskets, np.diff(joint.indptr))).astype(np.float32)
        parts.append(sparse.csr_matrix((share, joint.indices, joint.indptr), joint.shape)[:, : batches.n_items])
    return distinct, rng.permutation(rows.reshape(-1)), sparse.vstack(parts, format="csr")


def gap_states(model: ItemModel, antecedents: Tensor) -> Tensor:
    """Hidden states of one [MASK] beside each antecedent: what the model knows of an item yet to come.

    Args:
        model: The model.
        antecedents: Item codes, shape (n, longest), padded with -1.

    Returns:
        Shape (n, hidden).
    """
    tokens = torch.where(antecedents < 0, PAD, antecedents + FIRST_ITEM)
    tokens = torch.cat([torch.full_like(tokens[:, :1], MASK), tokens], dim=1)
    first = torch.arange(0, tokens.numel(), tokens.shape[1], device=tokens.device)
    return model.hidden(tokens, (tokens != PAD).long(), first)


def completion_loss(model: nn.Module, batch: dict[str, Any]) -> Tensor:
    """Binary cross-entropy of every item that can follow, in nats per part, summed over items."""
    model = getattr(model, "module", model)  # several processes wrap the model
    antecedents, targets = batch["antecedents"], batch["targets"]
    logits = model.logits(gap_states(model, antecedents))[:, : targets.shape[1]].float()
    each = nn.functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    return (each * _followers(antecedents, targets.shape[1])).sum(dim=1).mean()


def _followers(antecedents: Tensor, n_items: int) -> Tensor:
    """1 for items that can follow, 0 for the antecedent's own, shape (n, n_items)."""
    inside = torch.where((antecedents < 0) | (antecedents >= n_items), n_items, antecedents)
    ones = torch.ones(len(antecedents), n_items + 1, device=antecedents.device)
    return ones.scatter_(1, inside, 0.0)[:, :n_items]


def new_model(matrix: sparse.csr_matrix, *, longest: int = 8, seed: int = 0, **shape: Any) -> ItemModel:
    """An untrained model of baskets, without positions; its item biases are the log odds of the items' shares.

    Args:
        matrix: Baskets × tokens, bool.
        longest: Longest input in tokens, the [MASK] included.
        seed: Seed of the weights.
        shape: Further arguments of `item_config`, such as `hidden` and `layers`.
    """
    config = item_config(matrix.shape[1], objective="masked", positions=False, max_length=longest, **shape)
    model = ItemModel(config, seed=seed)
    held = np.bincount(matrix.indices, minlength=matrix.shape[1])
    share = (held + 0.5) / (matrix.shape[0] + 1)
    with torch.no_grad():
        model.item_bias.copy_(torch.from_numpy(logit(share)))
    return model


@torch.no_grad()
def read_in_blocks(
    model: ItemModel, antecedents: np.ndarray, link: Callable[[Tensor], Tensor], block: int
) -> np.ndarray:
    """What the link makes of a model's scores beside each antecedent, shape (n, n_items), block by block."""
    was_training = model.training
    model.eval()
    parts = []
    for start in range(0, len(antecedents), block):
        codes = torch.from_numpy(antecedents[start : start + block].astype(np.int64)).to(model.device)
        parts.append(link(model.logits(gap_states(model, codes)).float()).cpu().numpy())
    model.train(was_training)
    return np.concatenate(parts) if parts else np.empty((0, model.n_items), dtype=np.float32)


def confidences(
    model: ItemModel, antecedents: np.ndarray, n_items: int | None = None, *, block: int = 1024
) -> np.ndarray:
    """Confidence of antecedent ⇒ item for every item, read from a completion model.

    Args:
        model: A model trained by `train_completion_model`.
        antecedents: Item codes, shape (n, longest), padded with -1 (`antecedents.padded`).
        n_items: Leading columns wanted, where later ones are context; None for all.
        block: Antecedents in one forward pass.

    Returns:
        Shape (n, n_items), float32, in (0, 1). What stands in the antecedent's own columns means nothing.
    """
    n_items = n_items or model.n_items
    return read_in_blocks(
        model, checked_antecedents(model, antecedents), lambda z: torch.sigmoid(z[:, :n_items]), block
    )


def checked_antecedents(model: ItemModel, antecedents: np.ndarray) -> np.ndarray:
    """The antecedents, shape (n, longest), if the model can read them; raises `BadParameter` if not."""
    longest = model.config.max_position_embeddings - 1
    if antecedents.ndim != 2 or antecedents.shape[1] > longest:
        raise BadParameter(f"The model reads antecedents of at most {longest} items, as a matrix of item codes.")
    if len(antecedents) and antecedents.max() >= model.n_items:
        raise BadParameter(f"The model knows the item codes 0 to {model.n_items - 1}, not {antecedents.max()}.")
    return antecedents


def log_odds(p: np.ndarray) -> np.ndarray:
    """Log odds of chances, which are kept a millionth away from 0 and 1."""
    return logit(np.clip(p.astype(float), 1e-6, 1 - 1e-6))


def train_completion_model(
    matrix: sparse.csr_matrix,
    validation: sparse.csr_matrix,
    antecedents: np.ndarray,
    *,
    n_items: int | None = None,
    batches: dict[str, Any] | None = None,
    shape: dict[str, Any] | None = None,
    settings: Settings = READOUT_SETTINGS,
    seed: int = 0,
    folder: str | Path | None = None,
    progress: bool = False,
) -> tuple[ItemModel, Training]:
    """Train a completion model; it ends with the weights of the lowest log loss on validation baskets.

    Args:
        matrix: Training baskets × tokens, bool.
        validation: Validation baskets × tokens, bool.
        antecedents: Antecedents asked in validation, item codes padded with -1.
        n_items: Columns that can be consequents; None for all.
        batches: Arguments of `PartBatches` that differ from its defaults.
        shape: Arguments of `item_config` that differ from its defaults.
        settings: How to train.
        seed: Seed of weights and draws.
        folder: Keeps checkpoints, see `training.train`.
        progress: Show a progress bar.

    Returns:
        (the model, what the training did: its score is minus the log loss in nats per basket).
    """
    n_items = n_items or matrix.shape[1]
    model = new_model(matrix, seed=seed, **(shape or {}))
    drawn = PartBatches(matrix, n_items, seed=seed, **(batches or {}))
    unseen = _items_only(gather(validation, antecedents), n_items)

    def score(model: nn.Module) -> float:
        return -mean_losses(confidence_losses(confidences(model, antecedents, n_items), unseen))["log_loss"]

    options = {"loss": completion_loss, "validate": score, "folder": folder, "progress": progress}
    done = train(model, drawn, settings, **options)
    return model, done


def _items_only(evidence: Evidence, n_items: int) -> Evidence:
    return evidence._replace(joint=evidence.joint[:, :n_items], shares=evidence.shares[:n_items])


def read_rules(
    model: ItemModel,
    shares: np.ndarray,
    n_baskets: int,
    items: pd.DataFrame,
    *,
    min_support: float,
    min_confidence: float = 0.0,
    longest: int = 2,
    most: int | None = None,
    by: str = "confidence",
    label: str = "item_id",
) -> pd.DataFrame:
    """Rules from a completion model alone: of the baskets it needs nothing but the share of each item.

    Single items first; an antecedent grows by an item while the model expects it in enough baskets, by the chain rule
    P(a, b) = P(a) P(b | a), the commoner item first.

    Args:
        model: A model trained by `train_completion_model`.
        shares: Share of the training baskets that hold each item, shape (n_items,).
        n_baskets: Number of training baskets.
        items: Item table.
        min_support: Least share of baskets with antecedent and consequent, as the model estimates it.
        min_confidence: Least confidence, as the model estimates it.
        longest: Most items in an antecedent, 1 or 2.
        most: How many rules to keep; None for all.
        by: "confidence", "lift" or "leverage": what the kept rules are chosen and sorted by.
        label: Column of the item table that names the items.

    Returns:
        Columns `rules.COLUMNS` and `how` ("model").

    Raises:
        BadParameter: If `longest` is neither 1 nor 2.
    """
    if longest not in (1, 2):
        raise BadParameter(f"Antecedents are read up to 1 or 2 items, not {longest!r}.")
    n_items = len(shares)
    singles = np.flatnonzero(reaches(shares, min_support)).astype(np.int32)
    parts = [(singles[:, None], shares[singles])]
    if longest == 2:
        parts.append(_expected_pairs(model, singles, shares, min_support))

    def estimate(codes: np.ndarray) -> np.ndarray:
        return confidences(model, codes, n_items)

    limits = {"min_support": min_support, "min_confidence": min_confidence, "most": most, "by": by, "label": label}
    tables = [
        rule_table(codes, estimate, holding, shares, n_baskets, items, how="model", **limits)
        for codes, holding in parts
    ]
    rules = pd.concat(tables, ignore_index=True) if len(tables) > 1 else tables[0]
    return rules.sort_values(by, ascending=False, kind="stable", ignore_index=True).head(most or len(rules))


def _expected_pairs(
    model: ItemModel, singles: np.ndarray, shares: np.ndarray, min_support: float
) -> tuple[np.ndarray, np.ndarray]:
    """(pairs of items that the model expects in enough baskets, shape (n, 2); the share of baskets it expects)."""
    commoner = np.lexsort((singles, -shares[singles])).argsort()
    pairs, expected = [np.zeros((0, 2), dtype=np.int32)], [np.zeros(0)]
    for part in row_blocks(len(singles), len(shares)):
        together = shares[singles[part]][:, None] * confidences(model, singles[part, None], len(shares))[:, singles]
        first, second = np.nonzero(reaches(together, min_support) & (commoner[part, None] < commoner))
        pairs.append(np.sort(np.stack([singles[part][first], singles[second]], axis=1), axis=1))
        expected.append(together[first, second])
    return np.concatenate(pairs), np.concatenate(expected)

"""From labelled examples to batches for a classifier: tokens, segments, and baskets changed a little to make more."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.errors import BadParameter
from llmarm_tutorial.labels.tasks import Labelled
from llmarm_tutorial.models.tokens import PAD, encode_sets

Batch = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Augmentation:
    """How a set of items is changed before it is shown, anew in every epoch; the label stays.

    What it does to text classifiers is described by Wei & Zou 2019 ("EDA"), for item sequences by Xie et al. 2022
    (CL4SRec).

    Attributes:
        drop: Share of the items left out, in [0, 1); at least one stays.
        substitute: Share of the items replaced by one of their neighbours, in [0, 1].
        neighbours: Item codes of similar items, shape (n_items, k); for `substitute`.
        reorder: Whether the items are shuffled. A model without positions does not notice.
    """

    drop: float = 0.0
    substitute: float = 0.0
    neighbours: np.ndarray | None = None
    reorder: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.drop < 1 or not 0 <= self.substitute <= 1:
            raise BadParameter(
                f"drop ({self.drop}) is a share from 0 to below 1, substitute ({self.substitute}) one from 0 to 1."
            )
        if self.substitute and self.neighbours is None:
            raise BadParameter("To substitute items give neighbours: the codes of similar items, one row per item.")

    def __call__(self, codes: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Changed item codes of one set, at least one."""
        if self.reorder:
            codes = random.permutation(codes)
        if self.drop and len(codes):
            kept = random.random(len(codes)) >= self.drop
            kept[random.integers(len(codes))] = True
            codes = codes[kept]
        if self.substitute:
            near = self.neighbours[codes, random.integers(self.neighbours.shape[1], size=len(codes))]
            codes = np.where(random.random(len(codes)) < self.substitute, near, codes)
        return codes


@dataclass(frozen=True, eq=False)
class ClassBatches:
    """Batches for a classifier from `fine_tuning.new_classifier`; see `training.Batches`.

    Examples are written as `tokens.encode_sets` says. The class is read at the `[MASK]`, which pretraining has taught
    to gather what the others say.

    Attributes:
        labelled: The examples to learn from.
        max_length: Longest input in tokens, the `[MASK]` included.
        batch_size: Examples in a batch.
        seed: Seed of the order and of the augmentation.
        augmentation: How first sets are changed; None leaves them as they are.
    """

    labelled: Labelled
    max_length: int
    batch_size: int = 64
    seed: int = 0
    augmentation: Augmentation | None = None

    def __post_init__(self) -> None:
        if self.batch_size < 1 or self.max_length < 2:
            raise BadParameter(
                f"batch_size ({self.batch_size}) must be at least 1 and max_length ({self.max_length}) at least 2."
            )

    def count(self, epoch: int) -> int:
        """Number of batches of an epoch."""
        return -(-len(self.labelled) // self.batch_size)

    def stream(self, epoch: int, numbers: Iterable[int]) -> Iterator[Batch]:
        """The batches of an epoch with these numbers: `class_inputs`, `labels`, and in `size` how many examples."""
        order = np.random.default_rng([self.seed, epoch]).permutation(len(self.labelled))
        for number in numbers:
            rows = order[number * self.batch_size : (number + 1) * self.batch_size]
            sets = self.labelled.sets.take(rows)
            if self.augmentation is not None:
                random = np.random.default_rng([self.seed, epoch, number])
                sets = Histories.from_lists([self.augmentation(sets.of(row), random) for row in range(len(sets))])
            others = None if self.labelled.others is None else self.labelled.others.take(rows)
            labels = torch.from_numpy(self.labelled.labels[rows])
            yield {**class_inputs(sets, others, self.max_length), "labels": labels, "size": len(rows)}

    def fingerprint(self) -> str:
        """A hash of the examples and of how they are shown."""
        changed = self.augmentation and (
            self.augmentation.drop,
            self.augmentation.substitute,
            self.augmentation.reorder,
        )
        digest = hashlib.sha256(repr((self.max_length, self.batch_size, self.seed, changed)).encode())
        others = () if self.labelled.others is None else (self.labelled.others.items, self.labelled.others.offsets)
        near = () if changed is None or self.augmentation.neighbours is None else (self.augmentation.neighbours,)
        for part in (self.labelled.sets.items, self.labelled.sets.offsets, self.labelled.labels, *others, *near):
            digest.update(np.ascontiguousarray(part).astype("<i8").tobytes())
        return digest.hexdigest()


def class_inputs(sets: Histories, others: Histories | None, max_length: int) -> dict[str, torch.Tensor]:
    """The arguments of a BERT classifier for examples, see `tokens.encode_sets`.

    Returns:
        `input_ids`, `attention_mask` and `token_type_ids`, each of shape (n_examples, longest), padded on the right.
    """
    input_ids, segments = encode_sets(sets, others, max_length)
    return {
        "input_ids": torch.from_numpy(input_ids),
        "attention_mask": torch.from_numpy((input_ids != PAD).astype(np.int64)),
        "token_type_ids": torch.from_numpy(segments),
    }

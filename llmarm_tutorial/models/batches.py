"""From histories to training batches: windows, masks, targets, and batches of equal length.

Every epoch is drawn anew from (seed, epoch) alone, so that training can go on from any batch of any epoch as if it had
never stopped.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import torch

from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.errors import BadParameter, DataError
from llmarm_tutorial.models.tokens import (
    FIRST_ITEM,
    MASK,
    PAD,
    causal_examples,
    mark_visits,
    masked_examples,
    visit_examples,
)

Batch = dict[str, Any]


@dataclass(frozen=True, eq=False)
class ItemBatches:
    """Batches for an `ItemModel` from histories of customers, or from baskets.

    With `visits`, the model's [VISIT] stands before every visit, and the items of a visit, which have no order, are
    shuffled anew every epoch: data sets list them by number, and a model would learn that.

    A history longer than `max_length` is cut into windows that follow each other; where the first cut falls is drawn
    anew every epoch, so that no item always stands at the same position. Windows of similar length share a batch:
    padding is computed and thrown away, and behind a few long sequences it would be most of the work.

    Attributes:
        histories: What is learnt from.
        max_length: Longest input in tokens.
        objective: "causal": every item predicts the next one. "masked": items are replaced by [MASK] and predicted
            from both sides.
        batch_size: Windows in a batch.
        mask_share: Share of the items masked, in (0, 1); at least one a window. Masked objective only.
        last_share: Share of windows in which only the last item is masked, in [0, 1]: what a recommender is asked
            (BERT4Rec mixes such samples in). Masked objective only.
        seed: Seed of everything drawn.
        visits: Whether the model reads visits.
        whole_visits: Whether every [VISIT] is asked for all items of the visit that it opens, in place of every item
            for the next one. Causal objective with `visits` only.
        bucketed: False fills batches at random, as most code does; there to measure what bucketing gains.
    """

    histories: Histories
    max_length: int
    objective: str = "causal"
    batch_size: int = 128
    mask_share: float = 0.2
    last_share: float = 0.0
    seed: int = 0
    bucketed: bool = True
    visits: bool = False
    whole_visits: bool = False

    def __post_init__(self) -> None:
        if self.objective not in ("masked", "causal"):
            raise BadParameter(f"Batches have the objective 'masked' or 'causal', not {self.objective!r}.")
        if self.batch_size < 1 or self.max_length < 2:
            raise BadParameter(
                f"batch_size ({self.batch_size}) must be at least 1 and max_length ({self.max_length}) at least 2."
            )
        if not 0 < self.mask_share < 1 or not 0 <= self.last_share <= 1:
            raise BadParameter(
                f"mask_share ({self.mask_share}) lies between 0 and 1, last_share ({self.last_share}) from 0 to 1."
            )
        if self.histories.lengths.max(initial=0) < 2:
            raise DataError("No sequence has two items, so there is nothing to predict one from; use more data.")

    @cached_property
    def _marked(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Items and offsets as the model reads them, and the original event behind each item."""
        if self.visits:
            return mark_visits(self.histories)
        return self.histories.items, self.histories.offsets, np.arange(len(self.histories.items))

    @lru_cache(maxsize=2)  # noqa: B019, the batches of an epoch share it and an epoch is drawn once
    def _drawn(self, epoch: int) -> np.ndarray:
        """Items of an epoch, end to end, -1 for marks: those of each visit in random order."""
        items, _, event = self._marked
        if not self.visits:
            return items
        real = np.flatnonzero(event >= 0)
        group = np.cumsum(event < 0)[real]  # marks so far: the number of the visit
        drawn = items.copy()
        drawn[real] = items[real][np.lexsort([np.random.default_rng([self.seed, epoch, 3]).random(len(real)), group])]
        return drawn

    def windows(self, epoch: int) -> np.ndarray:
        """First event and one past the last event of every window of an epoch, shape (n_windows, 2).

        A causal window holds one event more than `max_length`: the last one is only a target, and the next window
        begins with it, so that every event but a history's first is predicted exactly once.
        """
        random = np.random.default_rng([self.seed, epoch, 0])
        offsets = self._marked[1]
        lengths = np.diff(offsets)
        causal = self.objective == "causal"
        steps = lengths - causal  # inputs in all
        first = np.where(steps > self.max_length, random.integers(1, self.max_length + 1, len(steps)), self.max_length)
        cuts = 1 + np.maximum(0, -(-(steps - first) // self.max_length))  # windows per sequence
        cuts[steps < (1 if causal else 2)] = 0
        row = np.repeat(np.arange(len(lengths)), cuts)
        number = np.arange(len(row)) - np.repeat(np.cumsum(cuts) - cuts, cuts)
        start = np.where(number > 0, first[row] + (number - 1) * self.max_length, 0)
        stop = np.minimum(first[row] + number * self.max_length, steps[row])
        found = np.stack([start, stop + causal], axis=1) + offsets[row, None]
        return found[found[:, 1] - found[:, 0] >= 2]

    def epoch(self, number: int) -> list[np.ndarray]:
        """The windows of every batch of an epoch, in the order of training: a list of arrays of shape (≤ batch, 2)."""
        windows = self.windows(number)
        random = np.random.default_rng([self.seed, number, 1])
        windows = windows[random.permutation(len(windows))]
        if self.bucketed:
            windows = windows[np.argsort(windows[:, 1] - windows[:, 0], kind="stable")]
        parts = [windows[start : start + self.batch_size] for start in range(0, len(windows), self.batch_size)]
        return [parts[place] for place in random.permutation(len(parts))]

    def batch(self, windows: np.ndarray, key: tuple[int, int]) -> Batch:
        """One batch: the arguments of `ItemModel.forward`, and `size`, the number of items it reads.

        Args:
            windows: Shape (n, 2), from `epoch`.
            key: (epoch, batch number), from which masks are drawn.
        """
        lengths = windows[:, 1] - windows[:, 0]
        inside = np.arange(lengths.max()) < lengths[:, None]
        events = np.where(inside, windows[:, :1] + np.arange(lengths.max()), 0)
        tokens = np.where(inside, self._drawn(key[0])[events].astype(np.int64) + FIRST_ITEM, PAD)
        if self.objective == "causal":
            whole = self.whole_visits and self.visits
            examples = visit_examples(tokens) if whole else causal_examples(tokens)
        else:
            random = np.random.default_rng([self.seed, *key, 2])
            examples = masked_examples(tokens, random, self.mask_share, self.last_share)
        input_ids = examples.input_ids
        batch = {
            "input_ids": torch.from_numpy(input_ids),
            "scored": torch.from_numpy(examples.scored),
            "targets": torch.from_numpy(examples.targets),
            "size": int(((input_ids >= FIRST_ITEM) | (input_ids == MASK)).sum()),
        }
        if (input_ids == PAD).any():
            batch["attention_mask"] = torch.from_numpy((input_ids != PAD).astype(np.int64))
        return batch

    def count(self, epoch: int) -> int:
        """Number of batches of an epoch."""
        return -(-len(self.windows(epoch)) // self.batch_size)

    def stream(self, epoch: int, numbers: Iterable[int]) -> Iterator[Batch]:
        """The batches of an epoch with these numbers, see `training.Batches`."""
        batches = self.epoch(epoch)
        for number in numbers:
            yield self.batch(batches[number], (epoch, number))

    def fingerprint(self) -> str:
        """A hash of the histories and of how they are cut and masked."""
        values = {part.name: getattr(self, part.name) for part in fields(self)}
        return hashlib.sha256(repr(values | {"histories": self.histories.fingerprint}).encode()).hexdigest()

    def describe(self) -> dict[str, Any]:
        """Windows, batches and tokens of the first epoch, and the share of computed positions that are padding."""
        batches = self.epoch(0)
        causal = self.objective == "causal"
        lengths = [windows[:, 1] - windows[:, 0] - causal for windows in batches]
        computed = sum(len(part) * int(part.max()) for part in lengths)
        tokens = sum(int(part.sum()) for part in lengths)
        return {
            "windows": sum(map(len, batches)),
            "batches": len(batches),
            "tokens": tokens,
            "padding share": 1 - tokens / computed,
        }

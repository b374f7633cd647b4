"""What a graph network learns links from: steps over the links of an item graph, each with some links hidden.

A link that is to be foretold must not pass messages: the network would only have to find out who its neighbours are,
which in use is never the question. So every step hides a part of the links and foretells these from the others. Hiding
all links of some items instead teaches the network to speak for items that have none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from scipy import sparse

from llmarm_tutorial.errors import BadParameter, DataError
from llmarm_tutorial.graphs.sparse_tensors import csr_tensor


@dataclass(frozen=True, eq=False)
class LinkBatches:
    """Steps over the links of a graph, each with some links hidden from the messages and foretold, see `training`.

    An epoch deals all links (or all items) into `folds` parts at random and takes each part once.

    Attributes:
        graph: Weights of the training links, above 0, symmetric, shape (n_items, n_items); the diagonal is not read.
        folds: Parts of an epoch, so steps, from 2.
        hide: "links": a part of the links passes no messages and is foretold. "items": a part of the items hears and
            tells nothing, and their links are foretold: what new items are asked.
        others: Pairs that are no links beside each link, drawn evenly among all items that one end, chosen at random,
            is not linked to; from 1.
        seed: Seed of everything drawn.
    """

    graph: sparse.csr_matrix
    folds: int = 5
    hide: str = "links"
    others: int = 16
    seed: int = 0

    def __post_init__(self) -> None:
        if self.hide not in ("links", "items"):
            raise BadParameter(f"Training hides 'links' or 'items', not {self.hide!r}.")
        if self.folds < 2 or self.others < 1:
            raise BadParameter(f"Training needs folds ({self.folds}) from 2 and others ({self.others}) from 1.")
        if (abs(self.graph - self.graph.T) > 1e-6 * abs(self.graph).max()).nnz or self.graph.data.min(initial=1) <= 0:
            raise BadParameter("The links of a graph have weights above 0, the same in both directions.")
        if len(self._links[0]) < self.folds:
            raise DataError(f"The graph has {len(self._links[0])} links for {self.folds} folds; use more data.")

    @cached_property
    def _links(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(one end, the other end, weight) of every link, once."""
        upper = sparse.triu(self.graph, 1).tocoo()
        return upper.row.astype(np.int64), upper.col.astype(np.int64), upper.data.astype(np.float32)

    @cached_property
    def _unlinked(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What `unlinked` looks up: (where each item's links begin, how many others it has, keys)."""
        n = self.graph.shape[0]
        taken = (self.graph.astype(bool) + sparse.eye(n, dtype=bool, format="csr")).tocsr()
        taken.sort_indices()
        row = np.repeat(np.arange(n), np.diff(taken.indptr))
        before = taken.indices - (np.arange(taken.nnz) - taken.indptr[row])  # unlinked items of lower code
        return taken.indptr[:-1].astype(np.int64), n - np.diff(taken.indptr), row * np.int64(n) + before

    def unlinked(self, items: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Items that are not linked to the given ones, drawn evenly, shape (len(items), others).

        Every given item must have one: see `others_of`.
        """
        starts, room, keys = self._unlinked
        place = random.integers(room[items, None], size=(len(items), self.others))  # the how-manieth unlinked item
        at = np.searchsorted(keys, items[:, None] * np.int64(self.graph.shape[0]) + place, side="right")
        return place + at - starts[items, None]

    def others_of(self, items: np.ndarray) -> np.ndarray:
        """How many items each of the given ones is not linked to."""
        return self._unlinked[1][items]

    def count(self, epoch: int) -> int:
        """Steps of an epoch."""
        return self.folds

    def stream(self, epoch: int, numbers: Iterable[int]) -> Iterator[dict[str, Any]]:
        """The steps of an epoch with these numbers: the arguments of `LinkModel.forward`, and `size`, their links."""
        n = self.graph.shape[0]
        first, second, weight = self._links
        dealt = np.random.default_rng([self.seed, epoch]).permutation(len(first) if self.hide == "links" else n)
        for number in numbers:
            random = np.random.default_rng([self.seed, epoch, number])
            taken = dealt % self.folds == number
            hidden = taken if self.hide == "links" else taken[first] | taken[second]
            turned = random.random(hidden.sum()) < 0.5
            ends = np.where(turned, (first[hidden], second[hidden]), (second[hidden], first[hidden]))
            ends = np.where(self.others_of(ends[0]) > 0, ends, ends[::-1])
            ends = ends[:, self.others_of(ends[0]) > 0]  # two items that are linked to all others teach nothing
            visible = sparse.coo_matrix((weight[~hidden], (first[~hidden], second[~hidden])), shape=(n, n)).tocsr()
            yield {
                "weights": csr_tensor(visible + visible.T),
                "first": torch.from_numpy(ends[0]),
                "second": torch.from_numpy(ends[1]),
                "others": torch.from_numpy(self.unlinked(ends[0], random)),
                "size": ends.shape[1],
            }

    def fingerprint(self) -> str:
        """A hash of the links and of how they are drawn."""
        digest = hashlib.sha256(repr((self.folds, self.hide, self.others, self.seed, self.graph.shape)).encode())
        for part in self._links:
            digest.update(np.ascontiguousarray(part).tobytes())
        return digest.hexdigest()

"""LightGCN: users and items as vectors that are smoothed along the graph of who has what (He et al. 2020).

Of a graph network only the averaging over neighbours is left: no weights, no nonlinearity. With Â the adjacency matrix
of users and items divided by the square roots of both degrees, and E the learnt vectors, layer k is Âᵏ E and what is
compared by dot products is the mean over the layers 0 … K. That is a polynomial P(Â) E with a symmetric Â, so the
gradient of E is P(Â) times the gradient that arrives: forward and backward are the same K products of a sparse matrix
in rows (CSR) with a dense one, and nothing has to be kept between them. Sending a message along every edge instead
writes one vector per edge and layer into memory.

Training is `training.train` with `GraphBatches` and a `GraphLoss`: the published BPR loss, or a softmax over sampled
items, which needs far fewer passes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor, nn
from torch.nn import functional

from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.errors import BadParameter, DataError, UnknownName
from llmarm_tutorial.graphs.sparse_tensors import csr_tensor
from llmarm_tutorial.models.training import Batch, Settings

LOSSES = ("bpr", "softmax")


# --- the graph -------------------------------------------------------------------------------------------------------


def normalised_adjacency(held: sparse.spmatrix) -> sparse.csr_matrix:
    """The graph of users and items: D^(-1/2) A D^(-1/2), users first.

    Args:
        held: Users × items, not 0 where the user has the item.

    Returns:
        Shape (n_users + n_items, n_users + n_items), float32, symmetric; empty rows for users and items without any.

    Raises:
        DataError: If nobody has anything.
    """
    held = sparse.csr_matrix(held != 0, dtype=np.float64)
    if not held.nnz:
        raise DataError("The graph has no edges: nobody has any item, so there is nothing to learn from.")
    of_user, of_item = (np.maximum(np.asarray(held.sum(axis)).ravel(), 1) for axis in (1, 0))
    scaled = sparse.diags(of_user**-0.5) @ held @ sparse.diags(of_item**-0.5)
    adjacency = sparse.bmat([[None, scaled], [scaled.T, None]], format="csr", dtype=np.float32)
    adjacency.sort_indices()
    return adjacency


def propagate(nodes: Tensor, adjacency: Tensor, layers: int) -> Tensor:
    """Mean of the layers 0 … `layers`: (E + ÂE + … + Âᴷ E) / (K + 1).

    Args:
        nodes: Learnt vectors, shape (n_nodes, width).
        adjacency: Symmetric, shape (n_nodes, n_nodes), sparse CSR: the gradient relies on its symmetry.
        layers: How often neighbours are averaged, from 0.

    Returns:
        Shape (n_nodes, width).
    """
    return _LayerMean.apply(nodes, adjacency, layers)


class _LayerMean(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, nodes: Tensor, adjacency: Tensor, layers: int) -> Tensor:
        ctx.adjacency, ctx.layers = adjacency, layers
        return _layer_mean(nodes, adjacency, layers)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None, None]:
        return _layer_mean(slope, ctx.adjacency, ctx.layers), None, None


def _layer_mean(values: Tensor, adjacency: Tensor, layers: int) -> Tensor:
    total = values
    with torch.autocast(values.device.type, enabled=False):  # there are no sparse products in bfloat16
        for _ in range(layers):
            total = torch.addmm(values, adjacency, total)  # Horner: E + Â (E + Â (E + …))
    return total / (layers + 1)


# --- the model -------------------------------------------------------------------------------------------------------


class LightGCN(nn.Module):
    """Vectors of users and items, and the graph along which they are smoothed.

    Args:
        held: Users × items of training, not 0 where the user has the item; the graph.
        width: Length of the vectors, from 1.
        layers: How often neighbours are averaged, from 0; 0 is matrix factorisation.
        spread: Standard deviation of the vectors before training, normally distributed, above 0 (0.1 in the release).
        seed: Seed of these vectors.

    Raises:
        BadParameter: If width, layers or spread are out of range.
        DataError: If the graph has no edges.
    """

    def __init__(
        self, held: sparse.spmatrix, width: int = 64, layers: int = 3, *, spread: float = 0.1, seed: int = 0
    ) -> None:
        super().__init__()
        if width < 1:
            raise BadParameter(f"The width of vectors is at least 1, not {width}.")
        if layers < 0:
            raise BadParameter(f"The number of layers is at least 0, not {layers}; 0 leaves the graph out.")
        if not spread > 0:
            raise BadParameter(f"The spread of the first vectors is above 0, not {spread}: equal vectors stay equal.")
        self.layers, (self.n_users, self.n_items) = layers, held.shape
        first = torch.randn(sum(held.shape), width, generator=torch.Generator().manual_seed(seed))
        self.nodes = nn.Parameter(first * spread)
        self.register_buffer("adjacency", csr_tensor(normalised_adjacency(held)), persistent=False)

    def propagated(self) -> Tensor:
        """Vectors that are compared, users first, shape (n_users + n_items, width)."""
        return propagate(self.nodes, self.adjacency, self.layers)

    def forward(self, users: Tensor, positives: Tensor, negatives: Tensor) -> tuple[Tensor, ...]:
        """Vectors of users, of the items they have and of items to tell apart, and half the mean squared length.

        Args:
            users: Rows of users, shape (n,).
            positives: An item of each, shape (n,).
            negatives: Items, shape (m,).

        Returns:
            Smoothed vectors of shape (n, width), (n, width), (m, width), and the penalty of the learnt vectors of all
            three, divided by n, a scalar.
        """
        sizes = [len(users), len(positives), len(negatives)]
        rows = torch.cat([users, positives + self.n_users, negatives + self.n_users])
        penalty = self.nodes.index_select(0, rows).square().sum() / (2 * len(users))
        return *self.propagated().index_select(0, rows).split(sizes), penalty


@dataclass(frozen=True)
class GraphLoss:
    """What is made small; `loss` of `training.train`.

    "bpr" (Rendle et al. 2009): the user's item above one other, softplus(u·n - u·p). "softmax": the user's item among
    the negatives of the whole batch, cross-entropy of cosines over a temperature (Wu et al. 2024, "On the effectiveness
    of sampled softmax loss for item recommendation").

    Attributes:
        kind: One of `LOSSES`; the batches need the same.
        decay: Weight of half the squared length of the batch's learnt (not smoothed) vectors, per example.
        temperature: Divides the cosines of the softmax, above 0.

    Raises:
        UnknownName: If there is no such loss.
        BadParameter: If decay or temperature are out of range.
    """

    kind: str = "bpr"
    decay: float = 1e-4
    temperature: float = 0.1

    def __post_init__(self) -> None:
        _known(self.kind)
        if self.decay < 0 or not self.temperature > 0:
            raise BadParameter(f"decay ({self.decay}) is at least 0 and temperature ({self.temperature}) above 0.")

    def __call__(self, model: nn.Module, batch: Batch) -> Tensor:
        """The mean loss of a batch of `GraphBatches`, a scalar."""
        users, positives, negatives, penalty = model(**batch)
        if self.kind == "bpr":
            return functional.softplus((users * (negatives - positives)).sum(1)).mean() + self.decay * penalty
        users, positives, negatives = (functional.normalize(part) for part in (users, positives, negatives))
        right = (users * positives).sum(1, keepdim=True) / self.temperature
        wrong = users @ negatives.T / self.temperature
        same = batch["positives"][:, None] == batch["negatives"]  # the right answer is no wrong one
        wrong = wrong.masked_fill(same, -torch.inf)
        return (torch.cat([right, wrong], 1).logsumexp(1) - right[:, 0]).mean() + self.decay * penalty


def _known(kind: str) -> None:
    if kind not in LOSSES:
        raise UnknownName("loss", kind, LOSSES)


def published_settings(**changes: Any) -> Settings:
    """`training.Settings` as in the release: Adam at a constant 1e-3, no clipping, float32, at most 1,000 epochs.

    The decay of the paper is part of the loss (`GraphLoss.decay`), so that of the optimiser is 0, which makes AdamW
    Adam.

    Args:
        changes: What to set otherwise.
    """
    plain = {"warmup": 0.0, "decay": "constant", "weight_decay": 0.0, "clip": 1e9, "precision": "no"}
    rhythm = {"epochs": 1000, "validate_every": 10, "patience": 10, "log_every": 1000}  # logs and checkpoints per epoch
    return Settings(**{"learning_rate": 1e-3} | plain | rhythm | changes)


# --- batches ---------------------------------------------------------------------------------------------------------


class GraphBatches:
    """Users, an item that each has, and items to tell it apart from; see `training.Batches`.

    For "bpr" as the release draws them: users at random, an item of each at random, and an item at random among those
    the user has not. An epoch is as many draws as there are edges. For "softmax" every edge once an epoch in random
    order, and `negatives` items for the whole batch, drawn in proportion to (users who have it)^power.

    Args:
        held: Users × items of training.
        loss: One of `LOSSES`.
        batch_size: Examples per batch, from 1 (2048 in the release).
        negatives: Items drawn per batch for "softmax", from 1; "bpr" draws one per example.
        power: 0 draws items evenly, 1 as they are bought.
        seed: Every draw depends on it, the epoch and the number of the batch alone.

    Raises:
        UnknownName: If there is no such loss.
        BadParameter: If a number is out of range.
        DataError: If the graph has no edges, or every user has every item.
    """

    def __init__(
        self,
        held: sparse.spmatrix,
        loss: str = "bpr",
        batch_size: int = 2048,
        *,
        negatives: int = 1024,
        power: float = 0.0,
        seed: int = 0,
    ) -> None:
        _known(loss)
        if batch_size < 1 or negatives < 1 or power < 0:
            raise BadParameter(
                f"batch_size ({batch_size}) and negatives ({negatives}) are at least 1, power ({power}) at least 0."
            )
        held = sparse.csr_matrix(held != 0)
        held.sort_indices()
        self.loss, self.batch_size, self.negatives, self.power, self.seed = loss, batch_size, negatives, power, seed
        self.n_items, self.items, self.offsets = held.shape[1], held.indices.astype(np.int64), held.indptr
        lengths = np.diff(held.indptr)
        self.users = np.repeat(np.arange(len(lengths)), lengths)
        self.keys = self.users * self.n_items + self.items  # ascending: a row after the other, each sorted
        self.active = np.flatnonzero((lengths > 0) & (lengths < self.n_items))
        if not len(self.active):
            raise DataError("Nobody has some items and lacks others, so there is nothing to tell apart; use more data.")
        weights = np.bincount(self.items, minlength=self.n_items).astype(float) ** power
        self.cumulated = np.cumsum(weights / weights.sum())

    def count(self, epoch: int) -> int:
        """Number of batches of an epoch."""
        return -(-len(self.items) // self.batch_size)

    def stream(self, epoch: int, numbers: Iterable[int]) -> Iterator[Batch]:
        """The batches of an epoch with these numbers."""
        order = (
            np.random.default_rng([self.seed, epoch]).permutation(len(self.items)) if self.loss == "softmax" else None
        )
        for number in numbers:
            start = number * self.batch_size
            random = np.random.default_rng([self.seed, epoch, number])
            if order is None:
                triple = self._pairs_apart(random, min(self.batch_size, len(self.items) - start))
            else:
                edges = order[start : start + self.batch_size]
                drawn = np.searchsorted(self.cumulated, random.random(self.negatives), side="right")
                triple = self.users[edges], self.items[edges], np.minimum(drawn, self.n_items - 1)
            names = ("users", "positives", "negatives")
            yield dict(zip(names, map(torch.from_numpy, triple), strict=True)) | {"size": len(triple[0])}

    def _pairs_apart(self, random: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        users = self.active[random.integers(0, len(self.active), n)]
        first, last = self.offsets[users], self.offsets[users + 1]
        positives = self.items[random.integers(first, last)]
        negatives = random.integers(0, self.n_items, n)
        wrong = np.arange(n)
        while len(wrong):
            keys = users[wrong] * self.n_items + negatives[wrong]
            place = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
            wrong = wrong[self.keys[place] == keys]
            negatives[wrong] = random.integers(0, self.n_items, len(wrong))
        return users, positives, negatives

    def fingerprint(self) -> str:
        """A hash of the edges and of how batches are drawn from them."""
        plain = (self.loss, self.batch_size, self.negatives, self.power, self.seed, self.n_items)
        digest = hashlib.sha256(repr(plain).encode())
        digest.update(self.keys.astype("<i8").tobytes())
        return digest.hexdigest()


# --- recommending ----------------------------------------------------------------------------------------------------


class GraphRecommender:
    """A trained LightGCN as a `tasks.Recommender`.

    Cases that know their user (`Histories.users`) are scored with the user's vector. Any other history h of n
    different items is scored as a new user who has these items and no learnt vector, while all other vectors stay:

        u = 1 / (K + 1) · Σ_{i in h} 1 / √(n · d_i) · Σ_{k < K} e_i^(k)

    with d_i the number of users in the graph who have i (at least 1) and e_i^(k) the item's vector in layer k; without
    layers the learnt vectors stand for the sum. An empty history scores 0 everywhere.

    Args:
        model: The model; later training does not change the recommender.
        name: What tables call it.
    """

    def __init__(self, model: LightGCN, name: str = "LightGCN") -> None:
        self.name, self.n_items, n_users = name, model.n_items, model.n_users
        with torch.no_grad():
            final = model.propagated().cpu().numpy()
            below = propagate(model.nodes, model.adjacency, max(model.layers - 1, 0)).cpu().numpy()[n_users:]
        self.users, self.items = final[:n_users], final[n_users:]
        degrees = np.diff(model.adjacency.crow_indices().cpu().numpy())[n_users:]
        weight = max(model.layers, 1) / (model.layers + 1)  # `below` is a mean over the layers, the formula has a sum
        self.spoken = (below * (weight / np.sqrt(np.maximum(degrees, 1)))[:, None]).astype(np.float32)

    def scores(self, histories: Histories) -> np.ndarray:
        """Dot products with all items, shape (n_cases, n_items), float32."""
        known = histories.users
        vectors = self.users[known] if known is not None else self.user_vectors(histories)
        return vectors @ self.items.T

    def user_vectors(self, histories: Histories) -> np.ndarray:
        """Vectors of new users with these histories, shape (n_cases, width), float32."""
        held = histories.held(self.n_items)
        return (held @ self.spoken) / np.sqrt(np.maximum(np.diff(held.indptr), 1)).astype(np.float32)[:, None]

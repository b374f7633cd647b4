"""Which items will go together? Graph neural networks that foretell the links of an item graph.

A node is an item, a link says that two items go together more than by chance. A network gives every item a vector, made
of what is known of the item (an id of its own, its text, its vector in an item model) and of the vectors of its
neighbours; two items are linked where the product of their vectors is large. Three ways to listen to neighbours
(GraphSAGE, GAT, LightGCN) stand beside a network that listens to none: what that one finds too, the features told and
not the graph.

A link that is to be foretold must not pass messages; what a network is trained on stands in `link_batches`.

All is computed on the whole graph at once, with the layers of PyTorch Geometric and nothing compiled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor, nn

from llmarm_tutorial.errors import BadParameter, Missing, UnknownName
from llmarm_tutorial.graphs.link_batches import LinkBatches
from llmarm_tutorial.graphs.sparse_tensors import csr_tensor
from llmarm_tutorial.models.seeds import seeded
from llmarm_tutorial.models.training import Settings, Training, train

ENCODERS: Mapping[str, str] = {
    "MLP": "the item's own features only, no graph: the baseline of all others",
    "GraphSAGE": "the item's own vector beside the mean of its neighbours' (Hamilton, Ying & Leskovec 2017)",
    "GAT": "a mean of neighbours weighted by attention (Veličković et al. 2018)",
    "LightGCN": "neighbours smoothed without weights or kinks, all layers averaged (He et al. 2020)",
}
LOSSES = ("softmax", "bpr", "bce")
HEADS = 4  # of attention in GAT
PLAN = Settings(epochs=100, learning_rate=5e-3, validate_every=5, patience=5, precision="no")


class LinkModel(nn.Module):
    """A vector per item, from its features and its neighbours, and links where vectors agree.

    Build one with `link_model`.

    Attributes:
        encoder: Name in `ENCODERS`.
        item_bias: One number per item, for items that are linked to many, shape (n_items,).
    """

    def __init__(
        self, n_items: int, features: Tensor | None, ids: Tensor | None, encoder: str, width: int, layers: int,
        dropout: float,
    ) -> None:  # fmt: skip
        super().__init__()
        self.encoder = encoder
        self.register_buffer("features", features)
        self.register_buffer("known", ids)  # an item that training never links has no id worth reading
        self.read = None if features is None else nn.Linear(features.shape[1], width, bias=False)
        self.ids = None if ids is None else nn.Parameter(0.1 * torch.randn(n_items, width))
        self.layers = nn.ModuleList(_layer(encoder, width) for _ in range(layers))
        self.dropout = nn.Dropout(dropout)
        self.item_bias = nn.Parameter(torch.zeros(n_items))

    def vectors(self, weights: Tensor) -> Tensor:
        """Item vectors, shape (n_items, width).

        Args:
            weights: Links that pass messages, a sparse CSR tensor of shape (n_items, n_items): what item i (row) hears
                from item j (column), above 0.
        """
        with torch.autocast(weights.device.type, enabled=False):  # there are no sparse products in bfloat16
            return self._vectors(weights)

    def _vectors(self, weights: Tensor) -> Tensor:
        state = 0 if self.read is None else self.read(self.features)
        if self.ids is not None:
            state = state + self.ids * self.known[:, None]
        heard = _messages(weights, self.encoder)
        states = [state]
        for number, layer in enumerate(self.layers):
            state = self.dropout(state)
            state = layer(state) if heard is None else layer(state, heard)
            if self.encoder != "LightGCN" and number + 1 < len(self.layers):
                state = torch.relu(state)
            states.append(state)
        return torch.stack(states).mean(0) if self.encoder == "LightGCN" else state

    def forward(self, weights: Tensor, first: Tensor, second: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
        """Scores of links and of pairs that are none.

        Args:
            weights: See `vectors`.
            first: Items at one end of links, shape (m,).
            second: Those at the other end, shape (m,).
            others: Items that the first is not linked to, shape (m, k).

        Returns:
            (scores of the links, shape (m,); scores of the others, shape (m, k)).
        """
        vectors, bias = self.vectors(weights), self.item_bias
        anchor = vectors[first]
        linked = (anchor * vectors[second]).sum(1) + bias[first] + bias[second]
        unlinked = (vectors[others] @ anchor[:, :, None])[:, :, 0] + bias[first, None] + bias[others]
        return linked, unlinked


def link_model(
    graph: sparse.csr_matrix,
    features: np.ndarray | Sequence[np.ndarray] | None = None,
    *,
    encoder: str = "GraphSAGE",
    ids: bool = True,
    width: int = 64,
    layers: int = 2,
    dropout: float = 0.0,
    seed: int = 0,
) -> LinkModel:
    """An untrained model of links.

    Args:
        graph: Weights of the training links, shape (n_items, n_items); items without a link get no id.
        features: What is known of every item, shape (n_items, d), or several such arrays, which are put side by side,
            each scaled to a mean square of 1; None for ids alone.
        encoder: Name in `ENCODERS`.
        ids: Whether every linked item has a learned vector of its own beside its features. Items without a link, such
            as new ones, are known by their features only.
        width: Numbers per vector, for GAT a multiple of 4.
        layers: How many links away an item can hear, from 1.
        dropout: Share of numbers dropped before every layer in training, in [0, 1).
        seed: Seed of the initial weights.

    Raises:
        Missing: If PyTorch Geometric is not installed.
        UnknownName: If there is no such encoder.
        BadParameter: If there are neither ids nor features, shapes do not fit or a number is out of range.
    """
    _geometric()
    if encoder not in ENCODERS:
        raise UnknownName("graph encoder", encoder, ENCODERS)
    if width < 1 or layers < 1 or not 0 <= dropout < 1 or (encoder == "GAT" and width % HEADS):
        raise BadParameter(
            f"A graph encoder needs width ({width}) and layers ({layers}) from 1, a dropout ({dropout}) in [0, 1), and "
            f"GAT a width that is a multiple of {HEADS}."
        )
    n_items, given = graph.shape[0], None
    blocks = [features] if isinstance(features, np.ndarray) else list(features or ())
    if not blocks and not ids:
        raise BadParameter("Items without ids and without features are all the same: give one or the other.")
    for block in blocks:
        if block.ndim != 2 or len(block) != n_items or not np.isfinite(block).all():
            raise BadParameter(f"Features are finite numbers of shape ({n_items}, d), not {block.shape}.")
    if blocks:
        scaled = [block / max(np.sqrt(np.mean(np.square(block, dtype=float))), 1e-12) for block in blocks]
        given = torch.from_numpy(np.hstack(scaled).astype(np.float32))
    known = torch.from_numpy((np.diff(graph.indptr) > 0).astype(np.float32)) if ids else None
    with seeded(seed):
        return LinkModel(n_items, given, known, encoder, width, layers, dropout)


# --- training and use ------------------------------------------------------------------------------------------------


def link_loss(model: nn.Module, batch: dict[str, Any], kind: str = "softmax") -> Tensor:
    """How badly a step's links are told from pairs that are none, in nats.

    Args:
        model: A `LinkModel`.
        batch: A step of `LinkBatches`.
        kind: "softmax": the link among its others (InfoNCE, van den Oord et al. 2018). "bpr": the link above each other
            (Rendle et al. 2009). "bce": link or none, links and others weighing the same.
    """
    linked, unlinked = model(**batch)
    n = max(len(linked), 1)  # in a step without links nothing is wrong
    if kind == "softmax":
        return (torch.logsumexp(torch.cat([linked[:, None], unlinked], 1), 1) - linked).sum() / n
    if kind == "bpr":
        return nn.functional.softplus(unlinked - linked[:, None]).sum() / (n * unlinked.shape[1])
    loss = nn.functional.softplus(-linked).sum() + nn.functional.softplus(unlinked).sum() / unlinked.shape[1]
    return loss / (2 * n)


@dataclass(frozen=True, eq=False)
class Links:
    """A trained model of links, and the graph whose links pass its messages.

    Attributes:
        model: The model, in evaluation mode.
        graph: Weights of the links, shape (n_items, n_items).
        training: What the loop did.
    """

    model: LinkModel
    graph: sparse.csr_matrix
    training: Training

    def vectors(self, graph: sparse.csr_matrix | None = None) -> np.ndarray:
        """Item vectors, shape (n_items, width), float32; those of items without a link come from their features alone.

        Args:
            graph: Other links to hear, such as of new items to those they resemble; None takes those of training.
        """
        return _vectors(self.model, csr_tensor(self.graph if graph is None else graph))

    def scores(self, graph: sparse.csr_matrix | None = None) -> np.ndarray:
        """How likely any two items are linked, shape (n_items, n_items), symmetric; -inf on the diagonal.

        With the softmax loss exp(score) in a row is proportional to the chance that it is this item that the row's item
        is linked to.
        """
        return _scores(self.model, csr_tensor(self.graph if graph is None else graph))


def fit_links(
    graph: sparse.csr_matrix,
    features: np.ndarray | Sequence[np.ndarray] | None = None,
    settings: Settings = PLAN,
    *,
    validate: Callable[[np.ndarray], float] | None = None,
    loss: str = "softmax",
    folds: int = 5,
    hide: str = "links",
    others: int = 16,
    progress: bool = False,
    **sizes: Any,
) -> Links:
    """Train a model to foretell the links of a graph; the epoch that validates best is kept.

    Args:
        graph: Weights of the training links, above 0, symmetric, shape (n_items, n_items).
        features: See `link_model`.
        settings: How to train; its seed draws initial weights, hidden links and others.
        validate: From scores of all pairs (see `Links.scores`) to a number that is larger the better; given links of
            validation, never those of the test. None trains to the end.
        loss: Name in `LOSSES`, see `link_loss`.
        folds: See `LinkBatches`.
        hide: See `LinkBatches`.
        others: See `LinkBatches`.
        progress: Show a progress bar.
        **sizes: Encoder, ids, width, layers and dropout, see `link_model`.

    Raises:
        UnknownName: If there is no such loss or encoder.
        Missing: If PyTorch Geometric is not installed.
        BadParameter: If a value is out of range, or the graph's weights are not symmetric and above 0.
        DataError: If there are fewer links than folds.
    """
    if loss not in LOSSES:
        raise UnknownName("loss of links", loss, LOSSES)
    model = link_model(graph, features, seed=settings.seed, **sizes)
    batches = LinkBatches(graph, folds, hide, others, settings.seed)
    whole = csr_tensor(graph)
    done = train(
        model, batches, settings, loss=partial(link_loss, kind=loss), progress=progress,
        validate=None if validate is None else lambda net: validate(_scores(net, whole)),
    )  # fmt: skip
    return Links(model, graph, done)


# --- parts of a model ------------------------------------------------------------------------------------------------


@torch.inference_mode()
def _vectors(model: LinkModel, weights: Tensor) -> np.ndarray:
    was_training = model.training
    model.eval()
    found = model.vectors(weights.to(model.item_bias.device)).float().cpu().numpy()
    model.train(was_training)
    return found


def _scores(model: LinkModel, weights: Tensor) -> np.ndarray:
    vectors, bias = _vectors(model, weights), model.item_bias.detach().float().cpu().numpy()
    scores = vectors @ vectors.T + bias + bias[:, None]
    np.fill_diagonal(scores, -np.inf)
    return scores


def _geometric() -> Any:
    try:
        import torch_geometric.nn
    except ImportError:
        raise Missing("torch_geometric", "models", "A graph neural network") from None
    return torch_geometric.nn


def _layer(encoder: str, width: int) -> nn.Module:
    library = _geometric()
    if encoder == "GraphSAGE":
        return library.SAGEConv(width, width, aggr="sum")  # of weights that add up to 1 in each row: the mean
    if encoder == "GAT":
        return library.GATConv(width, width // HEADS, HEADS)
    return library.LGConv(normalize=False) if encoder == "LightGCN" else nn.Linear(width, width)


def _messages(weights: Tensor, encoder: str) -> Tensor | None:
    """What the layers of an encoder take: normalised weights, or pairs (from, to), or nothing."""
    if encoder == "MLP":
        return None
    starts, column, value = weights.crow_indices(), weights.col_indices(), weights.values()
    row = torch.repeat_interleave(torch.arange(len(starts) - 1, device=value.device), starts.diff())
    if encoder == "GAT":
        return torch.stack([column, row])
    degree = torch.zeros(len(starts) - 1, device=value.device).index_add(0, row, value)
    value = value / (degree[row] if encoder == "GraphSAGE" else (degree[row] * degree[column]).sqrt())
    return torch.sparse_csr_tensor(starts, column, value, weights.shape, check_invariants=False)

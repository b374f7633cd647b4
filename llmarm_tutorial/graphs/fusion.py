"""What a graph of items can lend to a recommender: scores of links, walks over several links, vectors to start from.

Three ways in, from late to early. Scores of links, from a graph network or by counting, recommend by themselves
(`by_links`, `Walks`) and can be experts of a fusion like any other recommender; `gain_of_graph`
says what they add there. Vectors of a graph network can be what an item model starts from (`start_from_vectors`).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy import sparse
from scipy.special import softmax

from llmarm_tutorial.choosing import choose_setting
from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.errors import BadParameter
from llmarm_tutorial.evaluation.tasks import Task
from llmarm_tutorial.graphs.item_graph import ItemGraph, multi_hop, strongest
from llmarm_tutorial.models.item_model import ItemModel
from llmarm_tutorial.models.tokens import FIRST_ITEM
from llmarm_tutorial.recommend.counting import co_occurrences
from llmarm_tutorial.recommend.experts import Expert
from llmarm_tutorial.recommend.hybrid import Hybrid, choose_hybrid
from llmarm_tutorial.recommend.item_weights import ItemWeights, Profile
from llmarm_tutorial.recommend.tuning import validation_score

RECENCY = ((None, 0.0), (None, 1.0), (1, 0.0), (3, 1.0), (10, 1.0))  # `last` and `position_power`, see `by_links`


def by_links(
    scores: np.ndarray, *, last: int | None = None, position_power: float = 0.0, name: str = "links"
) -> ItemWeights:
    """Recommend what the items of the history are likely linked to.

    Each item of the history deals out a weight of 1 over all others by the softmax of its scores, as rules deal out
    confidence; what the items say is added up.

    Args:
        scores: How likely items are linked, as logits, shape (n_items, n_items); the diagonal is not read.
        last: Items of the last so many visits; None for the whole history.
        position_power: A visit at position p from the end speaks with weight 1 / p^position_power.
        name: What tables call it.

    Raises:
        BadParameter: If the scores are not square or hold NaN.
    """
    if scores.ndim != 2 or scores.shape[0] != scores.shape[1] or np.isnan(scores).any():
        raise BadParameter(f"Scores of links are a square table without NaN, not one of shape {scores.shape}.")
    logits = np.array(scores, dtype=np.float32)
    np.fill_diagonal(logits, -np.inf)
    return ItemWeights(name, len(logits), Profile(last, position_power, once=True), softmax(logits, axis=1))


@dataclass(frozen=True)
class Walks:
    """Recommend what walks over links lead to: association over several links by counting alone.

    Links are pairs of items that the same customers have, weighing n(a, b) / (n(a) n(b))^discount, counted in users:
    with 0 walks lead to what is popular, with 0.5 to what is similar by the cosine.

    Attributes:
        steps: Most links of a walk, from 1; 1 is counting of pairs (each item's weights divided by their sum), more
            reach items that were never bought together.
        restart: Chance to stop at each step, in (0, 1), see `item_graph.multi_hop`.
        discount: See above, from 0.
        neighbours: Walks follow the strongest so many links of each item, and those that come back; None for all.
        last: Walks begin at the items of the last so many visits; None for the whole history.
        position_power: A visit at position p from the end speaks with weight 1 / p^position_power.
        name: What tables call it.
    """

    steps: int = 2
    restart: float = 0.5
    discount: float = 0.5
    neighbours: int | None = 100
    last: int | None = None
    position_power: float = 0.0
    name: str = "walks"

    def __post_init__(self) -> None:
        if not self.discount >= 0 or (self.last is not None and self.last < 1):
            raise BadParameter(f"Walks need a discount ({self.discount}) from 0 and last ({self.last}) from 1 or None.")

    def fit(self, histories: Histories) -> ItemWeights:
        """Count pairs within users and walk over them.

        Raises:
            BadParameter: If steps, restart or neighbours are out of range.
        """
        graph = shared_users(histories, self.discount)
        if self.neighbours is not None:
            graph = strongest(graph, self.neighbours)
        weights = multi_hop(graph, self.steps, restart=self.restart).astype(np.float32)
        return ItemWeights(self.name, histories.n_items, Profile(self.last, self.position_power, once=True), weights)


def shared_users(histories: Histories, discount: float = 0.5) -> ItemGraph:
    """Items linked by the customers who have both, weighing n(a, b) / (n(a) n(b))^discount; undirected.

    Args:
        histories: Items of users.
        discount: 0 for counts, 0.5 for cosines, 1 for the lift up to a factor.
    """
    held = histories.held()
    counts = np.asarray(held.sum(axis=0), dtype=float).ravel()
    pairs = co_occurrences(held)
    pairs.setdiag(0)
    pairs.eliminate_zeros()
    row = np.repeat(np.arange(histories.n_items), np.diff(pairs.indptr))
    data = pairs.data / (counts[row] * counts[pairs.indices]) ** discount
    return ItemGraph(sparse.csr_matrix((data, pairs.indices, pairs.indptr), shape=pairs.shape), meaning="shared users")


def with_recency(
    system: ItemWeights,
    task: Task,
    *,
    tries: Sequence[tuple[int | None, float]] = RECENCY,
    metric: str = "NDCG@10",
    filter_seen: bool = True,
) -> tuple[ItemWeights, float]:
    """A recommender of item-to-item weights, with the part of the history that does best on a validation task.

    Args:
        system: The recommender; its weights stay as they are.
        task: The validation task; never the test.
        tries: Pairs of `last` and `position_power`, see `by_links`; of equals the earlier.
        metric: What to make large.
        filter_seen: As for `ranking.evaluate`.

    Returns:
        (the recommender, its value on validation).
    """
    profiles = [Profile(last, power, system.profile.once) for last, power in tries]
    judge = validation_score(task, metric, filter_seen=filter_seen)
    found = choose_setting(profiles, judge, build=lambda profile: replace(system, profile=profile))
    return found.system, found.value


class GraphGain(NamedTuple):
    """Two hybrids chosen in the same way.

    Attributes:
        without: The best of the experts without a graph.
        with_graph: The best of all experts.
    """

    without: Hybrid
    with_graph: Hybrid


def gain_of_graph(experts: Sequence[Expert], graph: Sequence[Expert], task: Task, **how: Any) -> GraphGain:
    """The hybrid that validation chooses with and without experts that know a graph, see `hybrid.choose_hybrid`.

    Both are chosen by the same rule from the same cases, so that what differs on the test is due to the graph.

    Args:
        experts: Those without a graph.
        graph: Those with one.
        task: The validation task; never the test.
        **how: Further settings of `hybrid.choose_hybrid`, such as `filter_seen`.

    Raises:
        BadParameter: If no expert has a graph, or names are not different.
    """
    names = [expert.name for expert in itertools.chain(experts, graph)]
    if not graph or not experts or len(set(names)) < len(names):
        raise BadParameter(f"A gain needs experts with a graph and others without, of different names, not {names}.")
    return GraphGain(choose_hybrid(experts, task, **how), choose_hybrid([*experts, *graph], task, **how))


@torch.no_grad()
def start_from_vectors(model: ItemModel, vectors: np.ndarray, *, keep: np.ndarray | None = None) -> None:
    """Let an item model start from given item vectors, such as those of a graph network, instead of random ones.

    Wider vectors are projected onto their principal directions, narrower ones are filled up with the model's own random
    numbers; all are centred and brought to the spread of the model's initial weights, so that what changes is the
    direction of the vectors and not the size of the first steps. With a tied head the output table starts from them
    as well.

    Args:
        model: The model, before training.
        vectors: Shape (n_items, d), finite.
        keep: Items that keep their random vector, such as those without a link, shape (n_items,), bool.

    Raises:
        BadParameter: If there is not one finite vector per item, or all are the same.
    """
    table = model.bert.embeddings.word_embeddings.weight
    if vectors.ndim != 2 or len(vectors) != model.n_items or not np.isfinite(vectors).all():
        raise BadParameter(f"The model starts from finite vectors of shape ({model.n_items}, d), not {vectors.shape}.")
    taken = np.ones(model.n_items, dtype=bool) if keep is None else ~keep
    centred = vectors[taken].astype(float)
    centred -= centred.mean(axis=0)
    if centred.shape[1] > table.shape[1]:
        _, _, directions = np.linalg.svd(centred, full_matrices=False)
        centred = centred @ directions[: table.shape[1]].T
    if not centred.std() > 0:
        raise BadParameter("All these vectors are the same, so there is nothing to start from.")
    scaled = torch.from_numpy(centred / centred.std() * model.config.initializer_range).to(table)
    rows = torch.from_numpy(np.flatnonzero(taken)).to(table.device) + FIRST_ITEM
    table[rows, : scaled.shape[1]] = scaled

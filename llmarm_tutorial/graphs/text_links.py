"""New items by links that a graph network foretells from their texts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import sparse

from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.errors import BadParameter
from llmarm_tutorial.graphs.fusion import by_links
from llmarm_tutorial.graphs.item_graph import co_occurrence_graph, strongest
from llmarm_tutorial.graphs.link_networks import PLAN, Links, fit_links
from llmarm_tutorial.models.training import Settings
from llmarm_tutorial.recommend.by_text import nearest
from llmarm_tutorial.recommend.item_weights import ItemWeights


@dataclass(frozen=True, eq=False)
class TextLinks:
    """A `counting.Baseline` that knows new items: it learns from text which items are linked, on those that are known.

    Known items are linked where baskets hold both more often than by chance (PPMI). A network learns to foretell these
    links from text alone ("MLP") or from text and the links of others (Hamilton, Ying & Leskovec 2017, "GraphSAGE"),
    and so says which known items go with one that nobody has bought.

    Attributes:
        vectors: Text of every item, shape (n_items, d), by which a new item finds known ones that are like it.
        features: What the network reads, such as the main directions of `vectors`, shape (n_items, m).
        encoder: Name in `link_networks.ENCODERS`.
        hide: What training hides: "links", or whole "items", see `link_batches.LinkBatches`.
        borrowed: How many known items, those most alike, a new one hears messages from; 0 for none.
        settings: How to train.
        neighbours: Known items are linked to so many others, those with the largest PPMI, and those that come back.
        min_count: Fewest baskets with both.
        trained: Networks by what they were trained on; one dictionary for many settings trains those that differ in
            `borrowed` only once.
    """

    vectors: np.ndarray
    features: np.ndarray
    encoder: str = "GraphSAGE"
    hide: str = "items"
    borrowed: int = 0
    settings: Settings = PLAN
    neighbours: int = 20
    min_count: int = 2
    trained: dict[Any, Links] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.vectors) != len(self.features) or self.borrowed < 0:
            raise BadParameter(
                "Text links need a vector and features of each item, and borrowed from 0: there are "
                f"{len(self.vectors)} vectors, {len(self.features)} rows of features, and borrowed is {self.borrowed}."
            )

    def fit(self, histories: Histories) -> ItemWeights:
        """Train on the strongest links of known items, then say which of them go with each new one.

        Raises:
            UnknownName: If there is no such encoder.
            Missing: If PyTorch Geometric is not installed.
            DataError: If there are too few links, see `link_networks.fit_links`.
        """
        key = (self.encoder, self.hide, self.settings, self.neighbours, self.min_count, histories.fingerprint)
        if key not in self.trained:
            pairs = co_occurrence_graph(histories.visit_matrix()[0], "ppmi", min_count=self.min_count)
            how = {"encoder": self.encoder, "ids": False, "hide": self.hide, "others": 8}
            self.trained[key] = fit_links(
                strongest(pairs, self.neighbours).weights, self.features, self.settings, **how
            )
        fitted = self.trained[key]
        graph = fitted.graph
        if self.borrowed:
            old = np.diff(graph.indptr) > 0
            heard = sparse.diags((~old).astype(float)) @ nearest(self.vectors, old, self.borrowed).tocsr()
            heard.eliminate_zeros()
            graph = (graph + heard).tocsr()  # a row's weights are divided by their sum: their size has no influence
        return by_links(fitted.scores(graph), name=self.encoder)

"""Scores for pairs of products that are no link yet: by their counts, by the graph around them, by short vectors.

Every function takes a `link_tasks.LinkTask`, looks at its past only, and gives a matrix of items × items.
`choose_link_scores` tries the settings of a method on the validation task, so that each competitor is at its best.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import eigsh
from scipy.special import xlogy
from scipy.stats import rankdata
from sklearn.decomposition import NMF, TruncatedSVD
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import normalize

from llmarm_tutorial.choosing import Choice, choose_setting
from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.errors import BadParameter, UnknownName
from llmarm_tutorial.graphs.item_graph import ItemGraph, multi_hop
from llmarm_tutorial.graphs.link_evaluation import evaluate_links
from llmarm_tutorial.graphs.link_tasks import LinkTask
from llmarm_tutorial.mining.measures import lift, positive_pmi, shrunk_lift
from llmarm_tutorial.recommend.counting import Ease


def own_counts(task: LinkTask, by: str = "likelihood", worth: float = 5.0) -> np.ndarray:
    """What the pair's own baskets say, though too little to make it a link: the rival of all that follows.

    Args:
        task: The task.
        by: "count", baskets with both; "lift", shrunk to 1 by `worth` expected baskets; "likelihood", the logarithm of
            the likelihood ratio (Dunning 1993), negative where the two avoid each other.
        worth: For the lift, at least 0.

    Raises:
        UnknownName: If there is no such way.
    """
    if by not in ("count", "lift", "likelihood"):
        raise UnknownName("reading of a pair's own counts", by, ("count", "lift", "likelihood"))
    if by == "count":
        return task.counts
    if by == "lift":
        return shrunk_lift(task.counts, task.expected, worth)
    n, x, y = task.matrix.shape[0], task.support[:, None], task.support[None, :]
    cells = (task.counts, x - task.counts, y - task.counts, n - x - y + task.counts)
    means = (task.expected, x * (n - y) / n, (n - x) * y / n, (n - x) * (n - y) / n)
    ratio = sum(xlogy(cell, cell / np.maximum(mean, 1e-300)) for cell, mean in zip(cells, means, strict=True))
    return np.sign(task.counts - task.expected) * ratio


def popularity(task: LinkTask) -> np.ndarray:
    """Product of the two items' baskets: what sells much meets much."""
    return np.outer(task.support, task.support)


def attachment(task: LinkTask) -> np.ndarray:
    """Preferential attachment: product of the two degrees (Barabási & Albert 1999), each plus one."""
    return np.outer(task.graph.degree + 1.0, task.graph.degree + 1.0)


def neighbours(task: LinkTask, by: str = "adamic-adar", weighted: bool = False) -> np.ndarray:
    """What the two items' neighbours share (Liben-Nowell & Kleinberg 2007).

    Args:
        task: The task.
        by: "common", the number of shared neighbours; "jaccard", its share of all neighbours of either; "adamic-adar",
            each counting 1 / log of its degree (Adamic & Adar 2003); "allocation", 1 / its degree (Zhou, Lü & Zhang
            2009).
        weighted: Whether a shared neighbour counts the product of the two links' weights.

    Raises:
        UnknownName: If there is no such way.
    """
    if by not in ("common", "jaccard", "adamic-adar", "allocation"):
        raise UnknownName("score of neighbours", by, ("common", "jaccard", "adamic-adar", "allocation"))
    links = task.graph.weights if weighted else _binary(task.graph)
    degree = np.maximum(task.graph.degree, 1).astype(float)
    # a neighbour that two items share has two links at least, so its logarithm is above 0
    through = {"adamic-adar": 1 / np.log(np.maximum(degree, 2)), "allocation": 1 / degree}.get(by, np.ones_like(degree))
    shared = (links @ sparse.diags(through) @ links).toarray()
    if by == "jaccard":
        total = np.asarray(links.sum(axis=1)).ravel()
        shared /= np.maximum(total[:, None] + total[None, :] - shared, 1e-12)
    return shared


def katz(task: LinkTask, share: float = 0.5, steps: int | None = None) -> np.ndarray:
    """All paths between two items, each further link damping by a factor (Katz 1953).

    Args:
        task: The task.
        share: The damping factor as a share of the largest that converges, in (0, 1).
        steps: Longest path; None for all, by the inverse of I − factor · A.

    Raises:
        BadParameter: If a parameter is out of range.
    """
    if not 0 < share < 1 or (steps is not None and steps < 1):
        raise BadParameter(f"Katz needs a share in (0, 1) and steps from 1 or None, not {share} and {steps}.")
    links = _binary(task.graph)
    largest = float(eigsh(links, k=1, which="LA", v0=np.ones(task.n_items), return_eigenvectors=False)[0])
    links = links * (share / largest)
    if steps is None:
        eye = np.eye(task.n_items)
        return np.linalg.inv(eye - links.toarray()) - eye
    paths = links.toarray()
    total = paths.copy()
    for _ in range(steps - 1):
        paths = links @ paths
        total += paths
    return total


def page_rank(task: LinkTask, restart: float = 0.15, steps: int | None = None) -> np.ndarray:
    """Where walks with restart end, from either of the two items: see `item_graph.multi_hop`."""
    return multi_hop(task.graph, steps, restart=restart)


def vectors(
    task: LinkTask, dimensions: int = 32, shift: float = 1.0, power: float = 0.5, cosine: bool = False, seed: int = 0
) -> np.ndarray:
    """Products of item vectors from a singular value decomposition of the shifted, positive logarithm of the lift.

    With the logarithm of the number of negative samples as shift, this matrix is what item2vec (skip-gram with negative
    sampling over baskets: Barkan & Koenigstein 2016) factorises implicitly (Levy & Goldberg 2014).

    Args:
        task: The task.
        dimensions: Length of the vectors; at most one less than there are items.
        shift: The logarithm of this is taken off; 1 for none, k for k negative samples.
        power: Dimensions are as long as their singular values to this power: with 0.5 the products of the vectors are
            near the matrix itself, with 0 all dimensions weigh alike.
        cosine: Whether vectors are brought to the same length.
        seed: Seed of the decomposition.
    """
    seen = task.counts * ~np.eye(task.n_items, dtype=bool)
    lifts = lift(seen, task.support[:, None], task.support, task.matrix.shape[0])
    positive = sparse.csr_matrix(positive_pmi(lifts, np.log, shift))
    model = TruncatedSVD(min(dimensions, task.n_items - 1), random_state=seed)
    found = model.fit_transform(positive) * np.maximum(model.singular_values_, 1e-12) ** (power - 1)
    if cosine:
        found = normalize(found)
    return found @ found.T


def factors(task: LinkTask, dimensions: int = 16, by: str = "count", seed: int = 0) -> np.ndarray:
    """Baskets together as a non-negative factorisation of baskets × items has them (Lee & Seung 1999).

    Args:
        task: The task.
        dimensions: Number of factors; at most as many as there are items.
        by: "count", rebuilt baskets with both; or "lift", those by the expected ones, each with 5 baskets added.
        seed: Seed of the start.

    Raises:
        UnknownName: If there is no such way.
    """
    if by not in ("count", "lift"):
        raise UnknownName("reading of factors", by, ("count", "lift"))
    model = NMF(min(dimensions, task.n_items), init="nndsvda", max_iter=100, tol=1e-3, random_state=seed)
    baskets = model.fit_transform(task.matrix)
    rebuilt = model.components_.T @ (baskets.T @ baskets) @ model.components_
    return rebuilt if by == "count" else shrunk_lift(rebuilt, task.expected, 5.0)


def linear(task: LinkTask, ridge: float = 500.0) -> np.ndarray:
    """Weights of the linear model that rebuilds each basket's items from its others: see `counting.Ease`."""
    return np.asarray(Ease(ridge=ridge).fit(Histories.from_matrix(task.matrix)).weights)


def _binary(graph: ItemGraph) -> sparse.csr_matrix:
    links = graph.weights.copy()
    links.data[:] = 1.0
    return links


# --- choosing --------------------------------------------------------------------------------------------------------


class Method(NamedTuple):
    """A score of pairs and the settings worth trying.

    Attributes:
        score: Task and settings → scores, shape (n_items, n_items).
        grid: Values to try per setting.
    """

    score: Callable[..., np.ndarray]
    grid: Mapping[str, tuple[Any, ...]] = {}


_WALKS = {"restart": (0.05, 0.15, 0.3, 0.5, 0.8)}
_VECTORS = {"dimensions": (8, 16, 32, 64), "power": (0.0, 0.5, 1.0), "cosine": (False, True)}
METHODS: Mapping[str, Method] = {
    "popularity": Method(popularity),
    "own count": Method(own_counts, {"by": ("count",)}),
    "own lift": Method(own_counts, {"by": ("lift",), "worth": (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0)}),
    "own likelihood": Method(own_counts, {"by": ("likelihood",)}),
    "attachment": Method(attachment),
    "common neighbours": Method(neighbours, {"by": ("common",), "weighted": (False, True)}),
    "Jaccard": Method(neighbours, {"by": ("jaccard",)}),
    "Adamic-Adar": Method(neighbours, {"by": ("adamic-adar",), "weighted": (False, True)}),
    "resource allocation": Method(neighbours, {"by": ("allocation",), "weighted": (False, True)}),
    "Katz": Method(katz, {"share": (0.1, 0.3, 0.5, 0.7, 0.9), "steps": (2, 3, None)}),
    "PageRank": Method(page_rank, _WALKS),
    "PPMI vectors": Method(vectors, _VECTORS),
    "item2vec, closed form": Method(vectors, {"shift": (2.0, 5.0), **_VECTORS}),
    "factors": Method(factors, {"dimensions": (8, 16, 32), "by": ("count", "lift")}),
    "EASE": Method(linear, {"ridge": (50.0, 200.0, 500.0, 2000.0, 10000.0)}),
}


def choose_link_scores(
    name: str, task: LinkTask, grid: Mapping[str, tuple[Any, ...]] | None = None, metric: str = "average_precision"
) -> Choice:
    """Try all settings of a method on the validation task, see `choosing.choose_setting`.

    Args:
        name: Key of `METHODS`.
        task: The validation task; never the test.
        grid: Values per setting, instead of those of the method.
        metric: What to make large, a metric of `METRICS`.

    Returns:
        The best settings; a function from a task to the scores with these settings, from its past; the tries.

    Raises:
        UnknownName: If there is no such method.
    """
    if name not in METHODS:
        raise UnknownName("method of link prediction", name, METHODS)
    method = METHODS[name]
    grid = method.grid if grid is None else grid
    return choose_setting(
        [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())],
        lambda score: evaluate_links(task, score(task), name).mean(metric),
        build=lambda settings: partial(method.score, **settings),
    )


def joined_scores(
    validation: LinkTask, at_validation: Mapping[str, np.ndarray], task: LinkTask, scores: Mapping[str, np.ndarray]
) -> tuple[np.ndarray, dict[str, float]]:
    """Several scores as one, weighted by a logistic regression on validation: does the second add to the first?

    A score enters as the logarithm of its place among the candidates, so that only orders matter and tasks of
    different size compare.

    Args:
        validation: The validation task.
        at_validation: Method → scores there.
        task: The task to be scored.
        scores: The same methods' scores there.

    Returns:
        (log odds of a link for the candidates of `task`, lowest elsewhere, shape (n_items, n_items); method → weight:
        the change of the log odds for a place e times nearer the top.)

    Raises:
        BadParameter: If the two hold different methods.
    """
    if list(at_validation) != list(scores) or not at_validation:
        raise BadParameter("Join the same methods, in the same order, for both tasks, at least one.")

    def places(where: LinkTask, matrices: Mapping[str, np.ndarray]) -> np.ndarray:
        ranks = [rankdata(-where.candidate_scores(matrix)) for matrix in matrices.values()]
        return np.log(len(where.i) / np.column_stack(ranks))

    model = LogisticRegression(C=np.inf, max_iter=1000).fit(places(validation, at_validation), validation.appears)
    odds = model.decision_function(places(task, scores))
    matrix = np.full((task.n_items, task.n_items), odds.min())
    matrix[task.i, task.j] = matrix[task.j, task.i] = odds
    return matrix, dict(zip(scores, model.coef_[0].tolist(), strict=True))

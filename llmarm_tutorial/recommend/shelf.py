"""An order of products in which those that are bought together lie near each other."""

from __future__ import annotations

import numpy as np
from scipy import linalg, sparse
from scipy.cluster import hierarchy
from scipy.sparse import csgraph
from scipy.spatial import distance

from llmarm_tutorial.errors import BadParameter, UnknownName
from llmarm_tutorial.mining.itemsets import pair_counts
from llmarm_tutorial.mining.measures import expected_count
from llmarm_tutorial.mining.significance import lift_low

ORDERINGS = ("spectral", "clusters")
MOST_ITEMS = 4000  # a seriation holds dense matrices of items × items


# --- the shelf -------------------------------------------------------------------------------------------------------


def link_weights(matrix: sparse.csr_matrix, *, least: int = 5, level: float = 0.95) -> sparse.csr_matrix:
    """How strongly products are linked: joint baskets beyond chance, of pairs that are linked for sure.

    Args:
        matrix: Baskets × items, bool.
        least: Fewest baskets that hold both, at least 1.
        level: Coverage of the interval of the lift, in (0, 1): a pair counts if its lower end is above 1 seen from both
            sides. That is milder than the links of `significance.linked_pairs`, as it corrects for no other pairs: of
            the shop's products it takes six times as many pairs, and with all baskets shuffled still some 500, where
            that definition takes none. The order of a shelf bears it, since a pair weighs its baskets beyond chance:
            false pairs weigh little, and true but weak ones help to place the products that have no strong one.

    Returns:
        Symmetric, shape (n_items, n_items): n(a, b) - n(a) n(b) / n, above 0, nothing on the diagonal.

    Raises:
        BadParameter: If a parameter is out of range.
    """
    if least < 1 or not 0 < level < 1:
        raise BadParameter("Links of a shelf need least from 1 and a level between 0 and 1.")
    i, j, both = pair_counts(matrix, least)
    n, support = matrix.shape[0], np.bincount(matrix.indices, minlength=matrix.shape[1])
    lows = [lift_low(both, support[a], support[b], n, level) for a, b in ((i, j), (j, i))]
    sure = np.minimum(*lows) > 1
    i, j, both = i[sure], j[sure], both[sure]
    extra = both - expected_count(support[i], support[j], n)
    half = sparse.csr_matrix((extra, (i, j)), shape=(matrix.shape[1],) * 2)
    return (half + half.T).tocsr()


def seriate(weights: sparse.csr_matrix, how: str = "spectral") -> np.ndarray:
    """An order of products in which linked ones come to stand near each other.

    "spectral" sorts each connected part of the graph by its Fiedler vector, the second eigenvector of the Laplacian:
    of all ways to put products on a line it nearly has the smallest sum of weight × squared distance (Atkins, Boman &
    Hendrickson 1998); the degrees of the products serve as their masses, so that one loose end does not stretch the
    line (Shi & Malik 2000). "clusters" merges linked products into a tree (average linkage) and turns its branches so
    that neighbouring leaves are as close as the tree allows (Bar-Joseph, Gifford & Jaakkola 2001). Parts follow each
    other by size, products without a link come last, in the order given.

    Args:
        weights: Symmetric, at least 0, shape (n, n), at most `MOST_ITEMS` items.
        how: One of `ORDERINGS`.

    Returns:
        Codes in their order along the shelf, shape (n,).

    Raises:
        UnknownName: If there is no such way.
        BadParameter: If the weights are not square and symmetric, below 0 or too many.
    """
    if how not in ORDERINGS:
        raise UnknownName("way to order a shelf", how, ORDERINGS)
    weights = sparse.csr_matrix(weights)
    if weights.shape[0] != weights.shape[1] or abs(weights - weights.T).max() > 1e-9 or weights.min() < 0:
        raise BadParameter("The weights of links are a symmetric matrix of numbers from 0.")
    if weights.shape[0] > MOST_ITEMS:
        raise BadParameter(f"A shelf of more than {MOST_ITEMS:,} products takes too much memory; order a part of them.")
    _, part = csgraph.connected_components(weights, directed=False)
    sizes = np.bincount(part)
    order = []
    for number in np.argsort(-sizes, kind="stable"):
        inside = np.flatnonzero(part == number)
        if len(inside) > 2:
            inside = inside[(_spectral if how == "spectral" else _clustered)(weights[inside][:, inside].toarray())]
        order.append(inside)
    return np.concatenate(order)


def _spectral(weights: np.ndarray) -> np.ndarray:
    mass = weights.sum(axis=1)
    laplacian = np.diag(mass) - weights
    _, vectors = linalg.eigh(laplacian, np.diag(mass), subset_by_index=[1, 1])
    place = vectors[:, 0] * np.sign(vectors[np.argmax(np.abs(vectors[:, 0])), 0])  # eigenvectors have no sign
    return np.argsort(place, kind="stable")


def _clustered(weights: np.ndarray) -> np.ndarray:
    strongest = weights.max(axis=1)
    apart = 1 - weights / np.sqrt(np.outer(strongest, strongest))
    np.fill_diagonal(apart, 0)
    condensed = distance.squareform(np.maximum(apart, 0), checks=False)
    return hierarchy.leaves_list(hierarchy.optimal_leaf_ordering(hierarchy.linkage(condensed, "average"), condensed))


def mean_distance(order: np.ndarray, weights: sparse.csr_matrix) -> float:
    """Mean distance along the shelf, in places, of the pairs that the weights name, each as often as its weight.

    Args:
        order: Codes in their order along the shelf, each once.
        weights: Symmetric, shape (n, n): later links, or how often pairs were bought together.

    Raises:
        BadParameter: If the order does not name every code once, or no pair has a weight.
    """
    if not np.array_equal(np.sort(order), np.arange(weights.shape[0])):
        raise BadParameter(f"An order of the shelf names each of the {weights.shape[0]} products once.")
    place = np.argsort(order)
    pairs = sparse.triu(weights, 1).tocoo()
    if not pairs.nnz:
        raise BadParameter("No pair of products has a weight, so there is no distance to judge by.")
    return float(np.average(np.abs(place[pairs.row] - place[pairs.col]), weights=pairs.data))

"""Layout of networks in figures: where nodes are drawn."""

from __future__ import annotations

from collections.abc import Hashable

import networkx as nx
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.stats import rankdata


def packed(graph: nx.Graph) -> dict[Hashable, np.ndarray]:
    """Where to draw the nodes of a graph of several parts: force layouts push parts apart and waste the page.

    Every part is laid out on its own in a box of its size (Kamada & Kawai 1989), and the boxes are fitted together, the
    largest first.

    Args:
        graph: Nodes that can be sorted, and undirected links.

    Returns:
        Node → position, shape (2,).
    """
    parts = sorted(map(sorted, nx.connected_components(graph)), key=lambda part: (-len(part), part))
    # in half units: room to write names beside the items
    boxes = [(int(3.2 * np.sqrt(len(part))) + 1, int(2.2 * np.sqrt(len(part))) + 1) for part in parts]
    across = max(boxes[0][0], round(1.45 * np.sqrt(sum(wide * high for wide, high in boxes))))
    taken = np.zeros((sum(high for _, high in boxes), across), dtype=bool)
    place: dict[int, np.ndarray] = {}
    for part, (wide, high) in zip(parts, boxes, strict=True):
        free = ~sliding_window_view(taken, (high, wide)).any(axis=(2, 3))
        y, x = np.argwhere(free)[0]
        taken[y : y + high, x : x + wide] = True
        own = nx.Graph()
        own.add_nodes_from(part)
        own.add_edges_from(sorted(graph.subgraph(part).edges))
        at = np.array([*nx.kamada_kawai_layout(own).values()])
        # half of it by rank: crowds around much-graph items are pulled apart, who is left of whom stays
        at = _to_unit(at) + _to_unit(rankdata(at, axis=0)) if len(part) > 5 else 2 * _to_unit(at)
        spots = np.array([x, -y]) + np.array([wide / 2, -high / 2]) + at / 2 * [(wide - 2) / 2, (high - 1.2) / 2]
        place |= dict(zip(part, spots, strict=True))
    return place


def _to_unit(at: np.ndarray) -> np.ndarray:
    """Each coordinate from -1 to 1; 0 where all are the same."""
    reach = np.ptp(at, axis=0) / 2
    middle = (at.max(axis=0) + at.min(axis=0)) / 2
    return np.where(reach > 1e-6, (at - middle) / np.maximum(reach, 1e-6), 0)

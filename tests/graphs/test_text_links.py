"""New items by links that a network foretells from text: they go with what the items they resemble go with."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.errors import BadParameter
from llmarm_tutorial.graphs.text_links import TextLinks
from llmarm_tutorial.models.training import Settings

pytest.importorskip("torch_geometric", reason="graph networks need PyTorch Geometric")

SHORT = Settings(epochs=15, learning_rate=1e-2, precision="no")
GROUPS = np.arange(24) % 4
NEW = np.arange(24) >= 20  # one of each group, which nobody has


@pytest.fixture(scope="module")
def histories() -> Histories:
    """Customers with one basket each, of known items of one group."""
    random, known = np.random.default_rng(0), np.arange(20).reshape(5, 4).T
    found = Histories.from_lists([random.choice(known[n % 4], 3, replace=False) for n in range(400)], 24)
    return replace(found, visits=np.zeros_like(found.visits))


@pytest.fixture(scope="module")
def texts() -> np.ndarray:
    """A word for each group, and noise."""
    return (np.eye(4)[GROUPS] + np.random.default_rng(1).normal(0, 0.1, (24, 4))).astype(np.float32)


@pytest.mark.parametrize(("encoder", "borrowed"), [("MLP", 0), ("GraphSAGE", 3)])
def test_a_new_item_goes_with_the_items_of_its_group(encoder: str, borrowed: int, histories, texts):
    fitted = TextLinks(texts, texts, encoder, "items", borrowed, SHORT, min_count=1).fit(histories)
    bought = Histories.from_lists([[group, group + 4] for group in range(4)], 24)
    asked = fitted.scores(bought)[:, NEW]
    assert asked.argmax(axis=1).tolist() == [0, 1, 2, 3]


def test_settings_that_differ_in_use_only_share_a_network(histories, texts):
    trained = {}
    few = Settings(epochs=2, precision="no")
    first, second = (
        TextLinks(texts, texts, "GraphSAGE", "items", n, few, min_count=1, trained=trained).fit(histories)
        for n in (0, 3)
    )
    assert len(trained) == 1
    bought = Histories.from_lists([[0, 4]], 24)
    assert not np.allclose(first.scores(bought)[:, NEW], second.scores(bought)[:, NEW])
    other = TextLinks(texts, texts, "GraphSAGE", "links", 0, few, min_count=1, trained=trained)
    other.fit(histories)
    assert len(trained) == 2


def test_vectors_and_features_are_of_the_same_items():
    with pytest.raises(BadParameter, match="there are 3 vectors, 2 rows of features"):
        TextLinks(np.eye(3), np.eye(2))
    with pytest.raises(BadParameter, match="borrowed is -1"):
        TextLinks(np.eye(3), np.eye(3), borrowed=-1)

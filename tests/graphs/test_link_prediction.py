"""Links of later stretches by a network: passes chosen on validation, then trained anew on the past of the test."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from llmarm_tutorial.graphs.item_graph import strongest
from llmarm_tutorial.graphs.link_evaluation import evaluate_links
from llmarm_tutorial.graphs.link_networks import fit_links
from llmarm_tutorial.graphs.link_prediction import fit_past, predict_links
from llmarm_tutorial.graphs.link_tasks import LinkDefinition, make_link_tasks
from llmarm_tutorial.models.training import Settings

pytest.importorskip("torch_geometric", reason="graph networks need PyTorch Geometric")

PLAN = Settings(epochs=6, learning_rate=1e-2, decay="constant", validate_every=2, precision="no", seed=3)
HOW = {"encoder": "LightGCN", "folds": 2, "others": 4, "width": 8}


@pytest.fixture(scope="module")
def tasks(shop):
    return make_link_tasks(shop, LinkDefinition(min_count=5, max_q=0.1), validation=0.3, test=0.4)


def test_the_best_passes_of_validation_serve_for_the_test(tasks):
    found = predict_links(tasks, None, PLAN, **HOW)
    assert found.epochs in (2, 4, 6)
    assert found.value == pytest.approx(evaluate_links(tasks.validation, found.validation).mean())
    alone = fit_links(tasks.test.graph.weights, None, replace(PLAN, epochs=found.epochs), **HOW)
    assert np.array_equal(found.test, alone.scores())
    for epochs in {2, 4, 6} - {found.epochs}:
        other = fit_links(tasks.validation.graph.weights, None, replace(PLAN, epochs=epochs), **HOW)
        assert evaluate_links(tasks.validation, other.scores()).mean() <= found.value + 1e-9


def test_messages_pass_over_the_nearest_links(tasks):
    few = fit_past(tasks.test, None, PLAN, nearest=2, **HOW)
    assert few.graph.nnz == strongest(tasks.test.graph, 2).weights.nnz < tasks.test.graph.weights.nnz
    assert fit_past(tasks.test, None, PLAN, **HOW).graph.nnz == tasks.test.graph.weights.nnz

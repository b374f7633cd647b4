"""Links of later stretches of time by a graph network: trained on the past of each task, its length by validation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from llmarm_tutorial.graphs.item_graph import strongest
from llmarm_tutorial.graphs.link_evaluation import evaluate_links
from llmarm_tutorial.graphs.link_networks import PLAN, Links, fit_links
from llmarm_tutorial.graphs.link_tasks import LinkTask, LinkTasks
from llmarm_tutorial.models.training import Settings


class PredictedLinks(NamedTuple):
    """What a network says of both tasks.

    Attributes:
        validation: Scores of all pairs, trained on the past of the validation task, shape (n_items, n_items).
        test: The same, trained on the past of the test task.
        value: Average precision on validation, in [0, 1].
        epochs: Passes over the links that are best on validation; as many serve for the test.
    """

    validation: np.ndarray
    test: np.ndarray
    value: float
    epochs: int


def predict_links(
    tasks: LinkTasks,
    features: np.ndarray | Sequence[np.ndarray] | None = None,
    settings: Settings = PLAN,
    *,
    nearest: int | None = None,
    **how: Any,
) -> PredictedLinks:
    """Train a network on the past of validation, then anew, for as many passes as were best there, on that of the test.

    Args:
        tasks: Links of two stretches of time.
        features: What is known of every item, see `link_networks.link_model`; None for ids alone.
        settings: How to train, with the most epochs to try.
        nearest: Messages pass over the strongest so many links of each item and those that come back; None for all.
        **how: Encoder, folds, others and the like, see `link_networks.fit_links`.

    Raises:
        As `link_networks.fit_links` does.
    """
    first = fit_past(
        tasks.validation, features, settings, nearest=nearest, **how,
        validate=lambda scores: evaluate_links(tasks.validation, scores).mean(),
    )  # fmt: skip
    epochs, value = first.training.best_epoch, first.training.best_score
    second = fit_past(tasks.test, features, replace(settings, epochs=epochs), nearest=nearest, **how)
    return PredictedLinks(first.scores(), second.scores(), float(value), epochs)


def fit_past(
    task: LinkTask,
    features: np.ndarray | Sequence[np.ndarray] | None = None,
    settings: Settings = PLAN,
    *,
    nearest: int | None = None,
    **how: Any,
) -> Links:
    """A network of the links of a task's past, see `predict_links`."""
    graph = task.graph if nearest is None else strongest(task.graph, nearest)
    return fit_links(graph.weights, features, settings, **how)

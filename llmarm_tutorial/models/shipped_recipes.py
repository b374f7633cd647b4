"""Which trained models the kit ships: recipe, seed, what each learns from and what validates it; and how all are made.

Several lessons open the same weights. What a model learns from is made here exactly as in the lessons, so that
`shipped.trained` finds it there by its fingerprint.
"""

from __future__ import annotations

import platform
import shutil
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from llmarm_tutorial.data.catalogue import data_home
from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.data.thinning import thin
from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.errors import RunError, UnknownName
from llmarm_tutorial.evaluation.ranking import evaluate
from llmarm_tutorial.evaluation.tasks import gap_task, next_item_task
from llmarm_tutorial.files import lock
from llmarm_tutorial.labels.customer_tasks import customer_segments
from llmarm_tutorial.mining.antecedents import draw_questions, gather
from llmarm_tutorial.mining.judging import confidence_losses, mean_losses
from llmarm_tutorial.models.completion import CompletionRecipe
from llmarm_tutorial.models.fine_tuning import fine_tune
from llmarm_tutorial.models.readout import confidences
from llmarm_tutorial.models.recipes import Fitted, Recipe
from llmarm_tutorial.models.recommender import ItemRecommender
from llmarm_tutorial.models.shipped import halved, is_kept, keep
from llmarm_tutorial.models.training import Settings

MAX_ITEMS, MAX_ROWS = 2_000, 300_000  # the lessons' parameters of these names
LARGEST = 100  # lesson 04: baskets with more different items are wholesale orders
LENGTH = 32  # lesson 05: latest purchases of a customer that are read


class Material(NamedTuple):
    """What one model is made from.

    Attributes:
        histories: What it learns from.
        fit: From recipe, seed and a folder for checkpoints to the model, which keeps the epoch that validated best.
        score: From a model to its score on validation, larger is better.
    """

    histories: Histories
    fit: Callable[[Any, int, Path], Fitted]
    score: Callable[[Fitted], float]


class Listed(NamedTuple):
    """One of the models that are kept.

    Attributes:
        recipe: How it is made.
        seed: Seed of its weights, and of splits and draws.
        metric: What `Material.score` is.
        tolerance: What the score may lose when matrices are kept in half precision.
        material: From a data set and the seed to what it is made from.
    """

    recipe: Recipe | CompletionRecipe
    seed: int
    metric: str
    tolerance: float
    material: Callable[[Transactions, int], Material]


def _next_visit(data: Transactions, seed: int) -> Material:
    """Customers without their last two baskets; NDCG@10 for the last but one."""
    split = data.leave_one_out()
    past, task = split.train.histories(), next_item_task(split, "validation", seed=seed)
    again = task.histories.matrix().multiply(task.targets).astype(bool).sum() / task.targets.nnz

    def score(system: ItemRecommender) -> float:
        return evaluate(system, task, ks=(10,), filter_seen=bool(again < 0.05)).mean("NDCG@10")

    return _material(past, score)


def _gaps(data: Transactions, seed: int) -> Material:
    """Baskets; minus the loss on an item that is taken out of each of 4,000 later ones, in nats."""
    parts = data.split_by_time_or_lot(0.1, 0.1, seed)
    sets = Histories.from_matrix(parts.train.basket_matrix())
    task = gap_task(parts.validation.basket_matrix(), sets.item_counts, max_cases=4000, seed=seed)
    rest, right = task.histories, task.targets.indices

    def score(system: ItemRecommender) -> float:
        scores = system.scores(rest).astype(np.float64)
        scores[rest.rows, rest.items] = -np.inf
        return float((scores[np.arange(len(right)), right] - np.logaddexp.reduce(scores, axis=1)).mean())

    return _material(sets, score)


def _material(histories: Histories, score: Callable[[ItemRecommender], float]) -> Material:
    """Of a `Recipe` whose epochs are validated by the score that is recorded."""

    def fit(recipe: Recipe, seed: int, folder: Path) -> Fitted:
        return recipe.fit(histories, seed=seed, validate=score, folder=folder)

    return Material(histories, fit, lambda fitted: score(fitted.recommender))


def _confidences(data: Transactions, seed: int) -> Material:
    """Baskets; minus the log loss of confidences on unseen ones, in nats per basket."""
    small = np.diff(data.basket_matrix().indptr) <= LARGEST
    kept = data.table["basket_id"].isin(data.basket_ids[small])
    parts = replace(data, table=data.table[kept].reset_index(drop=True)).filter_items(5).split_by_basket(0.1, 0.2, seed)
    train, validation = parts.train.basket_matrix(), parts.validation.basket_matrix()
    asked = draw_questions(validation, train, per_band=150, seed=2 * seed)
    unseen = gather(validation, asked)

    def fit(recipe: CompletionRecipe, seed: int, folder: Path) -> Fitted:
        return recipe.fit(train, validation, asked, seed=seed, folder=folder)

    def score(fitted: Fitted) -> float:
        return -mean_losses(confidence_losses(confidences(fitted.model, asked), unseen))["log_loss"]

    return Material(Histories.from_matrix(train), fit, score)


def _customers(data: Transactions, seed: int) -> Material:
    """Customers of training and validation; macro F1 of a linear head trained on the labels, for validation."""
    task = customer_segments(data, seed=seed, max_events=LENGTH)
    seen = task.sets.take(np.flatnonzero(task.part < 2))
    head = Settings(epochs=8, patience=8, learning_rate=3e-2, warmup=0.1, precision="no", seed=seed)

    def fit(recipe: Recipe, seed: int, folder: Path) -> Fitted:
        return recipe.fit(seen, seed=seed, folder=folder)

    def score(fitted: Fitted) -> float:
        return fine_tune(fitted.model, task, "linear head", head, max_length=LENGTH + 1).training.best_score

    return Material(seen, fit, score)


LISTED: dict[str, Listed] = {
    "next-visit": Listed(
        Recipe(
            visits=True, whole_visits=True, quiet=True, layers=2, heads=2, feed_forward=128, max_length=128,
            dropout=0.2, batch_size=32, epochs=90, learning_rate=4e-3, validate_every=5, patience=6, log_every=100,
        ),
        1, "NDCG@10", 0.001, _next_visit,
    ),
    "gaps": Listed(
        Recipe(
            objective="masked", positions=False, heads=2, feed_forward=128, dropout=0.1, copying=False, batch_size=64,
            epochs=40, learning_rate=3e-3, validate_every=4, log_every=100,
        ),
        1, "minus the loss of a gap in nats", 0.005, _gaps,
    ),
    "confidences": Listed(
        CompletionRecipe(epochs=80, patience=6, validate_every=4),
        4, "minus the log loss in nats", 0.005, _confidences,
    ),
    "customers": Listed(
        Recipe(
            objective="masked", positions=False, hidden=48, layers=1, heads=1, feed_forward=96, max_length=LENGTH,
            epochs=60, learning_rate=2e-3, warmup=0.05, log_every=100,
        ),
        1, "macro F1 of a linear head", 0.01, _customers,
    ),
}  # fmt: skip
RECIPES = {name: listed.recipe for name, listed in LISTED.items()}


def make(
    data: Transactions,
    folder: Path,
    names: Iterable[str] = (),
    *,
    listed: dict[str, Listed] | None = None,
    say: Callable[[str], None] = print,
) -> None:
    """Train what is listed and keep the weights; what is kept already is left, and a training that was killed goes on.

    Everything runs in one thread, so that the same machine makes the same weights again.

    Args:
        data: The data set, with baskets, users and an order.
        folder: Where the weights go.
        names: Which of them; none takes all.
        listed: The list; None takes the kit's.
        say: Called with a line for each.

    Raises:
        Lacks: If the data set lacks something.
        UnknownName: If there is no such name.
        RunError: If weights score otherwise in half precision, another process makes weights, or they cannot be
            written.
    """
    listed = LISTED if listed is None else listed
    for name in (names := list(names) or list(listed)):
        if name not in listed:
            raise UnknownName("shipped model", name, listed)
    data.require("baskets", "users", "order", purpose="making weights")
    unfinished, threads = data_home() / "unfinished-weights", torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with lock(unfinished, wait=False, complaint="Another process makes weights: wait for it."):
            for name in names:
                say(f"{name}: {_made(name, listed[name], data, folder, unfinished)}")
    finally:
        torch.set_num_threads(threads)


def _made(name: str, one: Listed, data: Transactions, folder: Path, unfinished: Path) -> str:
    """Make the weights of one model if they are not kept, and say what they score."""
    thinned = thin(data, MAX_ITEMS, MAX_ROWS, seed=one.seed)
    material = one.material(thinned, one.seed)
    key = one.recipe.key(material.histories)
    if is_kept(folder, name, key, one.seed):
        return "kept already"
    checkpoints, begin = unfinished / f"{name}-{key}-{one.seed}", time.process_time()
    fitted = material.fit(one.recipe, one.seed, checkpoints)
    seconds = time.process_time() - begin
    whole = material.score(fitted)
    fitted.model.load_state_dict({part: weight.float() for part, weight in halved(fitted.model).items()})
    score = material.score(fitted)
    if not abs(score - whole) <= one.tolerance:
        raise RunError(
            f"In half precision {name} scores {score:.4f} in place of {whole:.4f}, more than {one.tolerance:g} apart: "
            "its recipe has to be another one."
        )
    about = {
        "data": {"name": thinned.name, "fingerprint": thinned.fingerprint()},
        "metric": one.metric,
        "score": score,
        "score_in_full_precision": whole,
        "processor_seconds": seconds,
        "hardware": f"{platform.machine()}, one thread, torch {torch.__version__}",
    }
    keep(folder, name, one.recipe, material.histories, fitted, seed=one.seed, about=about)
    shutil.rmtree(checkpoints, ignore_errors=True)
    return f"{one.metric} {score:.4f}, {fitted.training.best_epoch} epochs, {seconds:.0f} processor seconds"

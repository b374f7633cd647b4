"""Trained weights that are kept in a folder: opened where they fit what is asked for, verified, and never a program.

A folder of weights holds a safetensors file for each model, its matrices in half precision, and `manifest.json`: what
each was made of (recipe, histories, seed), the hash of its file, how it was trained and what it scored. The kit ships
one folder, made by `llmarm data weights`; that command keeps those of other data in the user's cache.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import safetensors.torch
import torch
from safetensors import SafetensorError

from llmarm_tutorial.data.catalogue import data_home
from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.errors import BadParameter, DataError
from llmarm_tutorial.files import ROOT, write_atomically
from llmarm_tutorial.models.completion import CompletionRecipe
from llmarm_tutorial.models.item_model import ItemModel
from llmarm_tutorial.models.recipes import Fitted, Recipe
from llmarm_tutorial.models.recommender import ItemRecommender
from llmarm_tutorial.models.training import Training

SHIPPED = ROOT / "data" / "weights"
MANIFEST = "manifest.json"
ALWAYS = {"key", "seed", "recipe", "sha256", "training", "metric", "score", "processor_seconds"}  # of every entry
CURVE = 40  # rows of a loss curve that are kept
COMMAND = "llmarm data weights"


def folders() -> tuple[Path, ...]:
    """Where weights are looked for, in this order: those of the checkout, those in the user's cache."""
    return SHIPPED, data_home() / "weights"


def trained(
    recipe: Recipe | CompletionRecipe,
    histories: Histories,
    *,
    seed: int,
    otherwise: Fitted | None = None,
    epochs: int | None = None,
) -> Fitted:
    """A trained model: opened where its weights are kept, else trained.

    Weights are opened only where recipe, histories and seed are those that they were made of and the file is the one
    that was written.

    Args:
        recipe: How the model is made.
        histories: What it learns from.
        seed: Seed of everything.
        otherwise: Given back where no weights are kept, such as the model of a shorter training; None trains by
            `recipe.fit`.
        epochs: So long is trained then, at least 1; None as long as the recipe says.

    Returns:
        The model; `note` says in one sentence where it comes from. Of a curve that was kept, some rows are there.

    Raises:
        DataError: If a file was changed or a manifest cannot be read.
        BadParameter: If nothing is kept and a `CompletionRecipe` would have to train: it needs unseen baskets too.
    """
    key, kept = recipe.key(histories), {folder: read_manifest(folder) for folder in folders()}
    for folder, entries in kept.items():
        for name, entry in entries.items():
            if (entry["key"], entry["seed"]) == (key, seed) and (folder / f"{name}.safetensors").exists():
                return _open(folder, name, entry, recipe.model(histories, seed=seed))
    fitted = otherwise
    if fitted is None:
        if isinstance(recipe, CompletionRecipe):
            raise BadParameter("No such weights are kept: train the model with `fit`, and give it as `otherwise`.")
        fitted = (recipe if epochs is None else replace(recipe, epochs=epochs)).fit(histories, seed=seed)
    entries = [entry for found in kept.values() for entry in found.values()]
    asked = _plain(asdict(recipe)), seed
    asked_before = not entries or asked in [(entry["recipe"], entry["seed"]) for entry in entries]
    return replace(fitted, note=_why_not(fitted.training, asked_before))


def _why_not(training: Training, asked_before: bool) -> str:
    """Why a model is not one that was kept, and what makes it so."""
    epochs = int(training.losses["epoch"].max()) if len(training.losses) else training.best_epoch
    here = f"the model was trained here, for {epochs} epoch{'s' * (epochs != 1)}"
    if asked_before:
        return f"No weights are kept for these data, so {here}; `{COMMAND} DATASET` makes them once."
    return f"No weights are kept for these parameters and this seed, so {here}; more epochs may make it better."


def _open(folder: Path, name: str, entry: Mapping[str, Any], model: ItemModel) -> Fitted:
    """A model with the weights of a file."""
    path = folder / f"{name}.safetensors"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: delete it and make it anew with  {COMMAND}.") from error
    if hashlib.sha256(content).hexdigest() != entry["sha256"]:
        raise DataError(
            f"{path} is not the file that {MANIFEST} beside it describes: restore it, or delete it and make it anew "
            f"with  {COMMAND}."
        )
    try:
        model.load_state_dict({part: weight.float() for part, weight in safetensors.torch.load(content).items()})
    except (SafetensorError, RuntimeError) as error:  # no such file, or the weights of another network
        raise DataError(
            f"{path} holds no weights of this model: delete it and make it anew with  {COMMAND}."
        ) from error
    try:
        training = Training(**entry["training"] | {part: pd.DataFrame(entry["training"][part]) for part in _CURVES})
        if training.best_score is None:
            training.best_score = math.nan
        note = (
            f"The weights are those kept as {name}: {training.best_epoch} epochs, {entry['processor_seconds']:.0f} s "
            f"of one core, with {entry['metric']} {entry['score']:.4f} on validation."
        )
    except (TypeError, ValueError, KeyError) as error:  # a manifest that somebody has edited
        raise DataError(
            f"{folder / MANIFEST} says of {name} what is not of a training: restore it, or delete its folder and run  "
            f"{COMMAND}."
        ) from error
    return Fitted(ItemRecommender(model.eval()), training, note)


_CURVES = ("losses", "validations")


# --- keeping ---------------------------------------------------------------------------------------------------------


def read_manifest(folder: Path) -> dict[str, dict[str, Any]]:
    """What is kept in a folder, by name; nothing where there is no manifest.

    Raises:
        DataError: If the manifest cannot be read.
    """
    path = folder / MANIFEST
    if not path.exists():
        return {}
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        complete = all(entry.keys() >= ALWAYS for entry in entries.values())
    except (OSError, ValueError, AttributeError) as error:
        raise DataError(f"{path} cannot be read: restore it, or delete its folder and run  {COMMAND}.") from error
    if not complete:
        raise DataError(
            f"{path} lacks what describes its weights: restore it, or delete its folder and run  {COMMAND}."
        )
    return entries


def is_kept(folder: Path, name: str, key: str, seed: int) -> bool:
    """Whether a folder has weights of that name, made of that and as they were written."""
    entry, path = read_manifest(folder).get(name), folder / f"{name}.safetensors"
    if entry is None or (entry["key"], entry["seed"]) != (key, seed) or not path.exists():
        return False
    return hashlib.sha256(path.read_bytes()).hexdigest() == entry["sha256"]


def halved(model: ItemModel) -> dict[str, torch.Tensor]:
    """The weights as they are kept: matrices in half precision, vectors (biases, norms) as they are."""
    weights = {name: weight.detach().cpu().contiguous() for name, weight in model.state_dict().items()}
    return {name: weight.half() if weight.ndim > 1 else weight.clone() for name, weight in weights.items()}


def keep(
    folder: Path,
    name: str,
    recipe: Recipe | CompletionRecipe,
    histories: Histories,
    fitted: Fitted,
    *,
    seed: int,
    about: Mapping[str, Any],
) -> None:
    """Write the weights of a model and its entry in the manifest, so that `trained` opens them.

    Args:
        folder: Where to; made if absent.
        name: Name of the file.
        recipe: What the model was made by.
        histories: What it learned from.
        fitted: The model.
        seed: Its seed.
        about: Further facts for the manifest, with `metric`, `score` (of the weights as kept) and `processor_seconds`
            of the training among them.

    Raises:
        RunError: If it cannot be written.
    """
    content = safetensors.torch.save(halved(fitted.model))
    training = asdict(replace(fitted.training, losses=None, validations=None))
    training |= {part: _rows(getattr(fitted.training, part)) for part in _CURVES}
    entry = {
        "recipe": asdict(recipe),
        "key": recipe.key(histories),
        "seed": seed,
        "histories": histories.fingerprint,
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        **about,
        "training": training,
    }
    entries = read_manifest(folder) | {name: _plain(entry)}
    write_atomically(folder / f"{name}.safetensors", content)
    text = json.dumps(dict(sorted(entries.items())), indent=1, allow_nan=False)
    write_atomically(folder / MANIFEST, text + "\n")


def _rows(curve: pd.DataFrame) -> list[dict[str, float]]:
    """Rows of a curve, evenly spaced, the first and the last among them."""
    chosen = np.unique(np.linspace(0, len(curve) - 1, min(CURVE, len(curve))).round().astype(int))
    return curve.iloc[chosen].to_dict("records")


def _plain(value: Any) -> Any:
    """What JSON gives back of a value: numbers to six digits, lists for tuples, nothing for what is no number."""
    if isinstance(value, Mapping):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value

"""Recipes: the models that were written out before, one seed for everything, and a key that tells them apart."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.errors import BadParameter
from llmarm_tutorial.models.batches import ItemBatches
from llmarm_tutorial.models.item_model import ItemModel, item_config
from llmarm_tutorial.models.recipes import Fitted, Recipe
from llmarm_tutorial.models.recommender import ItemRecommender
from llmarm_tutorial.models.training import Settings, train

N_ITEMS = 20
QUICK = Recipe(hidden=16, max_length=8, epochs=2, batch_size=8, dropout=0.2)
OTHER = {  # for every field a value that no default has
    "objective": "masked",
    "hidden": 32,
    "layers": 2,
    "heads": 2,
    "feed_forward": 24,
    "max_length": 7,
    "positions": False,
    "visits": True,
    "dropout": 0.3,
    "spread": 0.05,
    "popularity": False,
    "copying": False,
    "quiet": True,
    "whole_visits": True,
    "batch_size": 9,
    "last_share": 0.5,
    "epochs": 3,
    "learning_rate": 1e-3,
    "warmup": 0.2,
    "decay": "cosine",
    "precision": "bf16",
    "validate_every": 2,
    "patience": 1,
    "log_every": 3,
}


pytestmark = pytest.mark.usefixtures("one_thread")


def known(seed: int = 0) -> Histories:
    random = np.random.default_rng(seed)
    found = Histories.from_lists(
        [random.integers(0, N_ITEMS, length).tolist() for length in random.integers(0, 20, 60)]
    )
    return replace(found, visits=found.visits // 2)


def same(one: ItemModel, other: ItemModel) -> bool:
    others = other.state_dict()
    return all(torch.equal(weight, others[name]) for name, weight in one.state_dict().items())


def fitted(recipe: Recipe = QUICK, seed: int = 1, **options) -> Fitted:
    return recipe.fit(known(), seed=seed, **options)


@pytest.mark.parametrize("objective", ["causal", "masked"])
def test_a_recipe_makes_the_model_that_its_steps_make(objective: str):
    past, ordered = known(), objective == "causal"
    recipe = Recipe(objective=objective, hidden=16, max_length=8, positions=ordered, visits=ordered, epochs=2)
    config = item_config(
        N_ITEMS, objective=objective, hidden=16, layers=1, heads=1, feed_forward=16, max_length=8, positions=ordered,
        visits=ordered, dropout=0.0, spread=0.1,
    )  # fmt: skip
    model = ItemModel(config, seed=3)
    model.start_from_popularity(np.bincount(past.items, minlength=N_ITEMS))
    model.start_from_copying()
    batches = ItemBatches(past, 8, objective, batch_size=16, seed=3, visits=ordered)
    train(
        model,
        batches,
        Settings(epochs=2, learning_rate=2e-3, warmup=0.1, precision="no", seed=3),
        validate=lambda net: float(ItemRecommender(net).scores(past).std()),
        progress=False,
    )
    found = recipe.fit(past, seed=3, validate=lambda system: float(system.scores(past).std()))
    assert same(found.model, model)


def test_where_only_items_speak_at_first_a_history_says_itself():
    """Without positions and marks, and with copying, what is in the history ranks above what is not."""
    recipe = replace(QUICK, hidden=64, dropout=0.0, popularity=False, visits=True, quiet=True)
    model = recipe.model(known(), seed=1)
    assert not model.bert.embeddings.position_embeddings.weight.any()
    asked = Histories.from_lists([[3, 5, 3], [7]], N_ITEMS)
    scores = ItemRecommender(model).scores(asked)
    assert np.argsort(-scores)[0, :2].tolist() == [3, 5]
    assert scores[1].argmax() == 7
    assert replace(recipe, quiet=False).model(known(), seed=1).bert.embeddings.position_embeddings.weight.any()


def test_the_seed_alone_decides_and_nothing_drawn_later_notices():
    torch.manual_seed(5)
    expected = torch.rand(4)
    torch.manual_seed(5)
    one = fitted().model
    assert torch.equal(torch.rand(4), expected)
    assert same(one, fitted().model)
    assert not same(one, fitted(seed=2).model)


def test_the_dial_follows_the_family_of_bert():
    shapes = {}
    for hidden in (16, 64, 128, 200, 256):
        config = Recipe(hidden=hidden).model(known(), seed=0).config
        assert config.intermediate_size == config.hidden_size == hidden
        shapes[hidden] = config.num_hidden_layers, config.num_attention_heads
    assert shapes == {16: (1, 1), 64: (1, 1), 128: (2, 2), 200: (3, 2), 256: (4, 4)}  # three heads do not divide 200
    config = Recipe(hidden=128, layers=1, heads=8, feed_forward=32).model(known(), seed=0).config
    assert (config.num_hidden_layers, config.num_attention_heads, config.intermediate_size) == (1, 8, 32)


def test_a_key_is_the_same_everywhere_and_differs_by_every_field_but_the_rhythm_of_the_log():
    assert set(OTHER) == {field.name for field in fields(Recipe)}
    keys = {name: replace(QUICK, **{name: value}).key(known()) for name, value in OTHER.items()}
    assert keys.pop("log_every") == replace(QUICK).key(known()) == QUICK.key(known())
    assert len({QUICK.key(known()), *keys.values()}) == len(OTHER)
    code = (
        "from llmarm_tutorial.data.histories import Histories\n"
        "from llmarm_tutorial.models.recipes import Recipe\n"
        "print(Recipe(hidden=16, epochs=2).key(Histories.from_lists([[4, 2], [7]])))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == Recipe(hidden=16, epochs=2).key(Histories.from_lists([[4, 2], [7]]))


def test_a_key_differs_by_data_and_by_the_model_started_from():
    starts = [
        QUICK.model(known(), seed=1),
        QUICK.model(known(), seed=2),
        replace(QUICK, hidden=32).model(known(), seed=1),
    ]
    keys = {QUICK.key(known()), QUICK.key(known(seed=1)), *(QUICK.key(known(), start=start) for start in starts)}
    assert len(keys) == 5
    assert QUICK.key(known(), start=starts[0]) == QUICK.key(known(), start=QUICK.model(known(), seed=1))


def kept(folder) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_what_is_kept_is_opened_by_key_and_seed(tmp_path):
    one = fitted(folder=tmp_path)
    first = f"{QUICK.key(known())}-1"
    assert kept(tmp_path) == {first}
    again = fitted(folder=tmp_path)
    assert same(one.model, again.model)
    assert again.training.seconds == one.training.seconds
    assert fitted(replace(QUICK, log_every=1), folder=tmp_path).training.seconds == one.training.seconds
    fitted(seed=2, folder=tmp_path)
    assert kept(tmp_path) == {first, f"{QUICK.key(known())}-2"}


def test_a_stale_model_is_never_opened(tmp_path):
    """Neither after the recipe changed, nor the data, nor what is started from: each has a place of its own."""
    fitted(folder=tmp_path)
    start = QUICK.model(known(), seed=7)
    longer, others, own = replace(QUICK, epochs=3), known(seed=1), QUICK.key(known(), start=start)
    assert same(fitted(longer, folder=tmp_path).model, fitted(longer).model)
    assert same(QUICK.fit(others, seed=1, folder=tmp_path).model, QUICK.fit(others, seed=1).model)
    fitted(model=start, folder=tmp_path)
    expected = {QUICK.key(known()), longer.key(known()), QUICK.key(others), own}
    assert kept(tmp_path) == {f"{key}-1" for key in expected}
    assert len(expected) == 4


def test_a_model_that_is_given_is_the_one_that_is_trained():
    start = replace(QUICK, copying=False).model(known(), seed=1)
    found = fitted(model=start)
    assert found.model is start
    assert not same(found.model, fitted().model)


def test_an_impossible_recipe_is_one_sentence():
    with pytest.raises(BadParameter, match="not 'both'"):
        fitted(replace(QUICK, objective="both"))
    with pytest.raises(BadParameter, match="epochs is 0"):
        fitted(replace(QUICK, epochs=0))

"""The weights that the kit ships: small, whole, made of the recipes and the shop that are here."""

from __future__ import annotations

from dataclasses import asdict

import pytest
import safetensors.torch
import torch

from llmarm_tutorial.data.thinning import thin
from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.models import shipped, shipped_recipes
from llmarm_tutorial.models.recipes import Fitted
from llmarm_tutorial.models.recommender import ItemRecommender

pytestmark = pytest.mark.usefixtures("one_thread")

ENTRIES = shipped.read_manifest(shipped.SHIPPED)
LISTED = shipped_recipes.LISTED
MOST_BYTES = 2_000_000  # of all weights together


@pytest.fixture(scope="module")
def materials(shop: Transactions) -> dict[str, shipped_recipes.Material]:
    """What each is made from, of the shop as shipped."""
    return {
        name: one.material(thin(shop, shipped_recipes.MAX_ITEMS, shipped_recipes.MAX_ROWS, seed=one.seed), one.seed)
        for name, one in LISTED.items()
    }


def test_all_that_is_listed_is_shipped_and_nothing_else():
    files = {path.name for path in shipped.SHIPPED.iterdir()}
    assert files == {shipped.MANIFEST, *(f"{name}.safetensors" for name in LISTED)}
    assert set(ENTRIES) == set(LISTED)


def test_all_weights_together_are_small():
    assert sum(path.stat().st_size for path in shipped.SHIPPED.iterdir()) < MOST_BYTES


@pytest.mark.parametrize("name", LISTED)
def test_matrices_are_in_half_precision_and_finite(name: str):
    weights = safetensors.torch.load_file(shipped.SHIPPED / f"{name}.safetensors")
    for part, weight in weights.items():
        assert weight.dtype == (torch.float16 if weight.ndim > 1 else torch.float32), part
        assert torch.isfinite(weight).all(), part


@pytest.mark.parametrize("name", LISTED)
def test_what_is_shipped_was_made_of_the_recipe_and_the_shop_that_are_here(name: str, shop: Transactions, materials):
    entry, one = ENTRIES[name], LISTED[name]
    assert entry["data"] == {"name": "shop", "fingerprint": shop.fingerprint()}
    assert entry["histories"] == materials[name].histories.fingerprint
    assert (entry["key"], entry["seed"]) == (one.recipe.key(materials[name].histories), one.seed)
    assert entry["recipe"].keys() == asdict(one.recipe).keys()
    assert shipped.is_kept(shipped.SHIPPED, name, entry["key"], one.seed)


@pytest.mark.parametrize("name", LISTED)
def test_weights_score_what_the_manifest_says_in_either_precision(name: str, materials):
    entry, one = ENTRIES[name], LISTED[name]
    opened = shipped.trained(one.recipe, materials[name].histories, seed=one.seed)
    assert f"kept as {name}" in opened.note
    assert materials[name].score(opened) == pytest.approx(entry["score"], abs=one.tolerance)
    assert entry["score"] == pytest.approx(entry["score_in_full_precision"], abs=one.tolerance)


@pytest.mark.parametrize("name", LISTED)
def test_training_reached_more_than_it_began_with(name: str, materials):
    one, material = LISTED[name], materials[name]
    untrained = one.recipe.model(material.histories, seed=one.seed).eval()
    assert ENTRIES[name]["score"] > material.score(Fitted(ItemRecommender(untrained), None)) + one.tolerance

"""Weights that are kept: opened only where they fit and are whole, made again alike, never a program."""

from __future__ import annotations

import ast
import hashlib
import json
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import sparse

from llmarm_tutorial.data import shop as corner_shop
from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.errors import BadParameter, DataError, Lacks, RunError, UnknownName
from llmarm_tutorial.mining.antecedents import draw_questions
from llmarm_tutorial.models import shipped, shipped_recipes
from llmarm_tutorial.models.completion import CompletionRecipe
from llmarm_tutorial.models.item_model import ItemModel
from llmarm_tutorial.models.recipes import Fitted, Recipe

pytestmark = pytest.mark.usefixtures("one_thread", "no_other_weights")

TINY = Recipe(hidden=16, max_length=8, epochs=2, batch_size=8)
LISTED = {
    name: one._replace(recipe=replace(one.recipe, hidden=16, epochs=2, validate_every=1), tolerance=1.0)
    for name, one in shipped_recipes.LISTED.items()
}


@pytest.fixture
def no_other_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the checkout's weights nor those of the user's cache."""
    monkeypatch.setattr(shipped, "SHIPPED", tmp_path / "shipped")
    monkeypatch.setenv("LLMARM_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def small_shop() -> Transactions:
    """A shop of some customers, as a table."""
    drawn = corner_shop.generate(seed=5, customers=60, weeks=40)
    data = Transactions.from_frame(drawn.transactions, name="small", items=drawn.items)
    return replace(data, users=drawn.users)


def past(seed: int = 0) -> Histories:
    random = np.random.default_rng(seed)
    return Histories.from_lists([random.integers(0, 20, 9).tolist() for _ in range(40)], 20)


def kept(histories: Histories | None = None, recipe: Recipe = TINY, seed: int = 1, name: str = "tiny") -> Fitted:
    """A model trained and kept where weights are looked for."""
    histories = past() if histories is None else histories
    fitted = recipe.fit(histories, seed=seed, validate=lambda system: float(system.scores(past()).std()))
    about = {"metric": "spread", "score": fitted.training.best_score, "processor_seconds": 3.0}
    shipped.keep(shipped.SHIPPED, name, recipe, histories, fitted, seed=seed, about=about)
    return fitted


def same(one: ItemModel, other: ItemModel) -> bool:
    others = other.state_dict()
    return all(torch.equal(weight, others[name]) for name, weight in one.state_dict().items())


def refusal(call: Callable[[], object], error: type[Exception] = DataError) -> str:
    """The one sentence with which something is refused."""
    with pytest.raises(error) as caught:
        call()
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert sentence.endswith(".")
    return sentence


# --- opening ---------------------------------------------------------------------------------------------------------


def test_what_is_kept_is_what_a_training_gives_up_to_half_precision():
    fresh = kept()
    opened = shipped.trained(TINY, past(), seed=1)
    for name, weight in fresh.model.state_dict().items():
        expected = weight.half().float() if weight.ndim > 1 else weight
        assert torch.equal(opened.model.state_dict()[name], expected), name
    assert not opened.model.training
    assert opened.recommender.scores(past()) == pytest.approx(fresh.recommender.scores(past()), abs=0.02)
    assert opened.training.best_score == pytest.approx(fresh.training.best_score, rel=1e-5)
    assert opened.training.validations["epoch"].tolist() == [1, 2]
    assert opened.training.losses["loss"].iloc[-1] == pytest.approx(fresh.training.losses["loss"].iloc[-1], rel=1e-5)
    assert "kept as tiny" in opened.note
    assert fresh.note == ""


@pytest.mark.parametrize(
    ("changed", "cause"),
    [
        ({"histories": past(seed=3)}, "No weights are kept for these data"),
        ({"recipe": replace(TINY, learning_rate=1e-3)}, "No weights are kept for these parameters"),
        ({"seed": 2}, "No weights are kept for these parameters and this seed"),
    ],
    ids=["data", "recipe", "seed"],
)
def test_other_data_another_recipe_or_seed_train(changed: dict, cause: str):
    fresh = kept()
    asked = {"recipe": TINY, "histories": past(), "seed": 1} | changed
    found = shipped.trained(asked["recipe"], asked["histories"], seed=asked["seed"])
    assert cause in found.note
    assert "for 2 epochs" in found.note
    assert same(found.model, asked["recipe"].fit(asked["histories"], seed=asked["seed"]).model)
    assert not same(found.model, fresh.model)


def test_without_any_weights_it_trains_and_names_the_command():
    found = shipped.trained(TINY, past(), seed=1)
    assert "`llmarm data weights DATASET`" in found.note
    assert same(found.model, TINY.fit(past(), seed=1).model)


def test_so_many_epochs_are_trained_only_where_nothing_is_kept():
    found = shipped.trained(TINY, past(), seed=1, epochs=1)
    assert same(found.model, replace(TINY, epochs=1).fit(past(), seed=1).model)
    assert "for 1 epoch;" in found.note
    kept()
    assert "kept as tiny" in shipped.trained(TINY, past(), seed=1, epochs=1).note


def test_the_shorter_training_is_given_back_where_nothing_is_kept():
    short = replace(TINY, epochs=1).fit(past(), seed=1)
    found = shipped.trained(TINY, past(), seed=1, otherwise=short)
    assert found.model is short.model
    assert "for 1 epoch;" in found.note
    kept()
    assert shipped.trained(TINY, past(), seed=1, otherwise=short).model is not short.model


def test_weights_in_the_users_cache_are_found_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    kept()
    (tmp_path / "cache").mkdir()
    shipped.SHIPPED.rename(tmp_path / "cache" / "weights")
    assert "kept as tiny" in shipped.trained(TINY, past(), seed=1).note


def test_a_manifest_without_its_file_trains():
    kept()
    (shipped.SHIPPED / "tiny.safetensors").unlink()
    assert "No weights are kept" in shipped.trained(TINY, past(), seed=1).note


# --- what is refused -------------------------------------------------------------------------------------------------


def rewritten(content: bytes) -> None:
    """Other content in the file, and a manifest that vouches for it."""
    (shipped.SHIPPED / "tiny.safetensors").write_bytes(content)
    manifest = shipped.SHIPPED / shipped.MANIFEST
    entries = json.loads(manifest.read_text())
    entries["tiny"]["sha256"] = hashlib.sha256(content).hexdigest()
    manifest.write_text(json.dumps(entries))


def test_a_file_that_was_changed_is_refused():
    kept()
    path = shipped.SHIPPED / "tiny.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    sentence = refusal(lambda: shipped.trained(TINY, past(), seed=1))
    assert "is not the file that manifest.json beside it describes" in sentence
    assert "llmarm data weights" in sentence


class Touched:
    """A pickle of it writes a file when it is opened."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (Path(self.path),)


def test_a_pickle_is_not_opened_even_if_the_manifest_vouches_for_it(tmp_path: Path):
    kept()
    rewritten(pickle.dumps(Touched(str(tmp_path / "touched"))))
    assert "holds no weights of this model" in refusal(lambda: shipped.trained(TINY, past(), seed=1))
    assert not (tmp_path / "touched").exists()


def test_the_weights_of_another_network_are_refused():
    kept(recipe=replace(TINY, hidden=32))
    content = (shipped.SHIPPED / "tiny.safetensors").read_bytes()
    kept()
    rewritten(content)
    assert "holds no weights of this model" in refusal(lambda: shipped.trained(TINY, past(), seed=1))


@pytest.mark.parametrize("text", ["{", "[]", '{"tiny": {}}', '{"tiny": 1}'])
def test_a_manifest_that_says_nothing_is_refused(text: str):
    kept()
    (shipped.SHIPPED / shipped.MANIFEST).write_text(text)
    assert shipped.MANIFEST in refusal(lambda: shipped.trained(TINY, past(), seed=1))


@pytest.mark.parametrize(
    "wrong",
    [
        {"training": None},
        {"training": {}},
        {"training": {"losses": 3, "validations": []}},
        {"score": None},
        {"score": "high"},
        {"processor_seconds": None},
    ],
    ids=str,
)
def test_a_manifest_that_tells_of_no_training_is_refused(wrong: dict):
    kept()
    manifest = shipped.SHIPPED / shipped.MANIFEST
    entries = json.loads(manifest.read_text())
    entries["tiny"] |= wrong
    manifest.write_text(json.dumps(entries))
    assert shipped.MANIFEST in refusal(lambda: shipped.trained(TINY, past(), seed=1))


def test_a_folder_in_place_of_a_file_is_refused():
    kept()
    path = shipped.SHIPPED / "tiny.safetensors"
    path.unlink()
    path.mkdir()
    assert str(path) in refusal(lambda: shipped.trained(TINY, past(), seed=1))


def test_nothing_that_could_run_a_program_is_imported():
    for module in (shipped, shipped_recipes):
        source = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
        names = {node.attr for node in ast.walk(source) if isinstance(node, ast.Attribute)}
        names |= {alias.name for node in ast.walk(source) if isinstance(node, ast.Import) for alias in node.names}
        assert not {"pickle", "joblib"} & names
        loads = [
            ast.unparse(node.func)
            for node in ast.walk(source)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "load"
        ]
        assert set(loads) <= {"safetensors.torch.load"}


# --- completion models -----------------------------------------------------------------------------------------------


def baskets(seed: int) -> sparse.csr_matrix:
    dense = np.random.default_rng(seed).random((300, 12)) < 0.3
    return sparse.csr_matrix(dense[dense.sum(axis=1) > 1])


def test_a_completion_model_is_kept_and_opened_alike():
    train, validation = baskets(0), baskets(1)
    asked = draw_questions(validation, train, per_band=20)
    recipe = CompletionRecipe(hidden=16, layers=1, draws=500, epochs=2)
    fitted, histories = recipe.fit(train, validation, asked, seed=2), Histories.from_matrix(train)
    about = {"metric": "log loss", "score": 1.0, "processor_seconds": 1.0}
    shipped.keep(shipped.SHIPPED, "parts", recipe, histories, fitted, seed=2, about=about)
    opened = shipped.trained(recipe, histories, seed=2)
    assert torch.equal(opened.model.item_bias, fitted.model.item_bias)
    sentence = refusal(lambda: shipped.trained(recipe, histories, seed=3), BadParameter)
    assert "otherwise" in sentence
    assert shipped.trained(recipe, histories, seed=3, otherwise=fitted).model is fitted.model
    assert recipe.key(histories) != replace(recipe, draws=501).key(histories)


# --- making ----------------------------------------------------------------------------------------------------------


def made(data: Transactions, folder: Path, *names: str, listed: dict | None = None) -> list[str]:
    lines: list[str] = []
    shipped_recipes.make(data, folder, names, listed=listed or LISTED, say=lines.append)
    return lines


def test_all_are_made_and_found_made_alike_again_and_left_alone(small_shop: Transactions, tmp_path: Path):
    lines = made(small_shop, shipped.SHIPPED)
    assert [line.split(":")[0] for line in lines] == list(shipped_recipes.LISTED)
    first = {path.name: path.read_bytes() for path in shipped.SHIPPED.iterdir()}
    assert set(first) == {shipped.MANIFEST, *(f"{name}.safetensors" for name in LISTED)}
    assert all(line.endswith("kept already") for line in made(small_shop, shipped.SHIPPED))
    assert {path.name: path.read_bytes() for path in shipped.SHIPPED.iterdir()} == first
    made(small_shop, tmp_path / "again")
    for name, content in first.items():
        if name != shipped.MANIFEST:
            assert (tmp_path / "again" / name).read_bytes() == content, name
    past = small_shop.leave_one_out().train.histories()
    assert "kept as next-visit" in shipped.trained(LISTED["next-visit"].recipe, past, seed=1).note
    entry = shipped.read_manifest(shipped.SHIPPED)["next-visit"]
    assert entry["data"]["fingerprint"] == small_shop.fingerprint()
    assert entry["histories"] == past.fingerprint


def test_a_damaged_file_is_made_anew(small_shop: Transactions):
    made(small_shop, shipped.SHIPPED, "gaps")
    path = shipped.SHIPPED / "gaps.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    assert not made(small_shop, shipped.SHIPPED, "gaps")[0].endswith("kept already")
    assert path.read_bytes() == content


def test_a_training_that_was_stopped_goes_on(small_shop: Transactions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    made(small_shop, tmp_path / "whole", "next-visit")

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(shipped_recipes, "keep", killed)
        with pytest.raises(KeyboardInterrupt):
            made(small_shop, shipped.SHIPPED, "next-visit")
    with monkeypatch.context() as patched:  # all steps are in the checkpoint: no batch is asked for again
        patched.setattr("llmarm_tutorial.models.batches.ItemBatches.stream", killed)
        made(small_shop, shipped.SHIPPED, "next-visit")
    one, other = (folder / "next-visit.safetensors" for folder in (tmp_path / "whole", shipped.SHIPPED))
    assert one.read_bytes() == other.read_bytes()
    assert not list((tmp_path / "cache" / "unfinished-weights").glob("next-visit*"))


def test_weights_that_score_otherwise_in_half_precision_are_not_kept(small_shop: Transactions):
    def shifting(data: Transactions, seed: int) -> shipped_recipes.Material:
        scores = iter((0.3, 0.2))
        return shipped_recipes.LISTED["gaps"].material(data, seed)._replace(score=lambda _: next(scores))

    listed = {"gaps": LISTED["gaps"]._replace(material=shifting, tolerance=0.05)}
    sentence = refusal(lambda: made(small_shop, shipped.SHIPPED, listed=listed), RunError)
    assert "0.2000 in place of 0.3000" in sentence
    assert not shipped.SHIPPED.exists()


def test_what_cannot_be_made_is_refused(small_shop: Transactions, tmp_path: Path):
    assert "next-visit" in refusal(lambda: made(small_shop, tmp_path, "next visit"), UnknownName)
    bare = Transactions.from_baskets([[1, 2], [2, 3]])
    assert "making weights" in refusal(lambda: made(bare, tmp_path), Lacks)


def test_making_takes_one_thread_and_gives_the_others_back(small_shop: Transactions):
    seen = []

    def looking(data: Transactions, seed: int) -> shipped_recipes.Material:
        seen.append(torch.get_num_threads())
        return shipped_recipes.LISTED["gaps"].material(data, seed)

    torch.set_num_threads(2)
    try:
        made(small_shop, shipped.SHIPPED, listed={"gaps": LISTED["gaps"]._replace(material=looking)})
        assert (seen, torch.get_num_threads()) == ([1], 2)
    finally:
        torch.set_num_threads(1)

"""Serving: the same scores without what serving does not need, in PyTorch, in an ONNX file, and in bytes."""

from __future__ import annotations

import dataclasses
import importlib.util
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.errors import BadParameter, DataError, Missing, RunError
from llmarm_tutorial.evaluation.ranking import evaluate
from llmarm_tutorial.evaluation.tasks import next_item_task
from llmarm_tutorial.models import export, tokens
from llmarm_tutorial.models.batches import ItemBatches
from llmarm_tutorial.models.export import NextItem, NextItemRecommender, to_onnx
from llmarm_tutorial.models.item_model import ItemModel, item_config
from llmarm_tutorial.models.onnx_int8 import quantise
from llmarm_tutorial.models.recommender import ItemRecommender
from llmarm_tutorial.models.serve import OnnxRecommender
from llmarm_tutorial.models.tokens import FIRST_ITEM, Reading
from llmarm_tutorial.models.training import Settings, train

N_ITEMS = 300
KINDS = {
    "causal": {},
    "masked": {"objective": "masked"},
    "visits": {"visits": True},
    "masked visits": {"objective": "masked", "visits": True, "heads": 4},
    "one layer, untied": {"layers": 1, "tied": False, "objective": "masked"},
    "three layers, a set": {"layers": 3, "positions": False, "objective": "masked"},
    "factorised": {"table": "factorised", "rank": 4},
    "coded": {"table": "coded", "parts": 4, "centroids": 16},
}


def model(seed: int = 0, **options) -> ItemModel:
    torch.manual_seed(seed)
    found = ItemModel(item_config(N_ITEMS, **{"hidden": 16, "max_length": 12} | options), seed=seed).eval()
    with torch.no_grad():  # far from the small initial weights, so that every influence shows
        for weight in found.parameters():
            if weight.requires_grad:
                weight.add_(torch.randn_like(weight) * 0.2)
    return found


def histories(*lengths: int, seed: int = 0) -> Histories:
    random = np.random.default_rng(seed)
    found = Histories.from_lists([random.integers(0, N_ITEMS, length).tolist() for length in lengths])
    return dataclasses.replace(found, visits=(found.visits // 3).astype(np.int32))  # three events in a visit


ASKED = histories(0, 1, 2, 5, 11, 12, 13, 40)


def agreement(scores: np.ndarray, others: np.ndarray) -> float:
    """Share of the ten best that two tables of scores have in common."""
    best, rest = (np.argsort(-part, axis=1)[:, :10] for part in (scores, others))
    return float(np.mean([len(set(a) & set(b)) for a, b in zip(best, rest, strict=True)]) / 10)


# --- the same scores --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("block", [3, 512])
def test_one_position_alone_scores_as_the_whole_model_does(options: dict, block: int):
    net = model(**options)
    whole = ItemRecommender(net).scores(ASKED)
    alone = NextItemRecommender(NextItem(net), block=block).scores(ASKED)
    assert whole.std() > 0.1  # or nothing is shown
    assert np.abs(whole - alone).max() < 1e-4
    assert agreement(whole, alone) == 1


def test_the_served_model_is_a_copy():
    net = model()
    served_net = NextItem(net)
    before = NextItemRecommender(served_net).scores(ASKED)
    with torch.no_grad():
        for weight in net.parameters():
            weight.zero_()
    assert np.array_equal(NextItemRecommender(served_net).scores(ASKED), before)
    assert not any(weight.requires_grad for weight in served_net.parameters())


def test_the_last_layer_computes_one_position():
    net, seen = NextItem(model()), {}
    for name, layer in (("lower", net.layers[0]), ("last", net.last)):
        layer.up.register_forward_hook(lambda _, given, __, name=name: seen.update({name: given[0].shape}))
    NextItemRecommender(net).scores(histories(10, 10, 10))
    assert seen["lower"] == (3, 10, 16)
    assert seen["last"] == (3, 16)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """From the name of a kind to a model and its file, each exported once."""

    @cache
    def export_once(kind: str) -> tuple[ItemModel, Path]:
        net = model(**KINDS[kind])
        return net, to_onnx(net, tmp_path_factory.mktemp("exported") / "model.onnx")

    return export_once


@pytest.mark.parametrize("kind", ["masked visits", "one layer, untied", "factorised", "coded"])
def test_an_exported_model_scores_as_in_pytorch_for_any_batch_and_length(kind: str, exported, tmp_path: Path):
    net, path = exported(kind)
    assert [entry.name for entry in path.parent.iterdir()] == ["model.onnx"], "one file"
    whole = ItemRecommender(net).scores(ASKED)
    served_scores = OnnxRecommender(path, block=3).scores(ASKED)
    assert np.abs(whole - served_scores).max() < 1e-4
    assert agreement(whole, served_scores) == 1
    one = Histories.from_lists([[5]])
    assert np.abs(ItemRecommender(net).scores(one) - OnnxRecommender(path).scores(one)).max() < 1e-4
    in_bytes = OnnxRecommender(quantise(path, tmp_path / "small.onnx")).scores(ASKED)
    assert np.abs(whole - in_bytes).max() < 0.2 * whole.std()
    assert agreement(whole, in_bytes) > 0.9


def test_thin_tables_are_thin_in_the_file_too(exported):
    import onnx

    def stored(kind: str) -> dict[str, int]:
        file = onnx.load(exported(kind)[1])
        arrays = [onnx.numpy_helper.to_array(tensor) for tensor in file.graph.initializer]
        tall = [array for array in arrays if N_ITEMS + FIRST_ITEM in array.shape and array.ndim == 2]
        return {str(array.dtype): sum(a.nbytes for a in tall if a.dtype == array.dtype) for array in tall}

    rows = N_ITEMS + FIRST_ITEM
    assert stored("coded") == {"uint8": rows * 4}  # four codes for each token, once
    assert stored("factorised") == {"float32": rows * 4 * 4}


# --- a model that was trained -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(shop, tmp_path_factory):
    """A model of some customers of the shop, its task, its file, and its file in bytes."""
    split = shop.leave_one_out()
    known, n_items = split.train.histories(), len(shop.items)
    known = known.block(0, 200)
    net = ItemModel(item_config(n_items, hidden=32, visits=True, spread=0.1))
    net.start_from_popularity(known.item_counts)
    net.start_from_copying()
    batches = ItemBatches(known, 50, visits=True, objective="causal", batch_size=64)
    train(net, batches, Settings(epochs=2, learning_rate=5e-3, precision="no"), progress=False)
    folder = tmp_path_factory.mktemp("served")
    path = to_onnx(net, folder / "model.onnx")
    return net, next_item_task(split, "validation"), path, quantise(path, folder / "small.onnx")


def test_bytes_cost_next_to_nothing_on_the_shop(trained):
    net, task, path, small = trained
    systems = (ItemRecommender(net), OnnxRecommender(path), OnnxRecommender(small))
    whole, exported, in_bytes = (evaluate(system, task, filter_seen=False, ks=(10,)) for system in systems)
    assert whole.mean("NDCG@10") > 0.15  # it has learnt something
    assert exported.mean("NDCG@10") == pytest.approx(whole.mean("NDCG@10"), abs=1e-6)
    assert in_bytes.mean("NDCG@10") == pytest.approx(whole.mean("NDCG@10"), abs=0.003)
    same = [len(set(a) & set(b)) for a, b in zip(whole.lists, in_bytes.lists, strict=True)]
    assert np.mean(same) > 9.7
    numbers = sum(weight.numel() for weight in net.parameters())
    assert path.stat().st_size < 4 * numbers + 60_000  # the graph itself takes some tens of kilobytes
    assert small.stat().st_size < numbers + 80_000


def test_the_file_says_how_to_read_histories_and_nothing_of_this_machine(trained):
    net, _, path, small = trained
    for file in (path, small):
        assert OnnxRecommender(file).reading == Reading(net.n_items, 50, masked=False, visits=True)
        assert b"site-packages" not in file.read_bytes()
        assert str(Path(export.__file__).parent).encode() not in file.read_bytes()


def test_serving_needs_no_pytorch(trained):
    code = (
        "import sys, numpy as np\n"
        "from llmarm_tutorial.data.histories import Histories\n"
        "from llmarm_tutorial.models.serve import OnnxRecommender\n"
        f"scores = OnnxRecommender({str(trained[2])!r}).scores(Histories.from_lists([[1, 2], []]))\n"
        "print(scores.shape, 'torch' in sys.modules, 'transformers' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[0] == "(2, 535) False False"


# --- what can go wrong ------------------------------------------------------------------------------------------------


def test_what_is_no_file_of_ours_is_refused(tmp_path: Path, trained):
    import onnx

    wrong, foreign, older = tmp_path / "text.onnx", tmp_path / "foreign.onnx", tmp_path / "older.onnx"
    wrong.write_text("no model")
    file = onnx.load(trained[2])
    del file.metadata_props[:]
    onnx.save(file, foreign)
    file.metadata_props.add(key=tokens.FORMAT, value="0")
    onnx.save(file, older)
    for path in (wrong, foreign, older):
        with pytest.raises(DataError, match="write it anew"):
            OnnxRecommender(path)
        with pytest.raises(DataError, match="write it anew"):
            quantise(path, tmp_path / "small.onnx")
    with pytest.raises(DataError, match="There is no file"):
        OnnxRecommender(tmp_path / "nowhere.onnx")
    with pytest.raises(DataError, match="write it anew"):
        quantise(tmp_path / "nowhere.onnx", tmp_path / "small.onnx")
    with pytest.raises(DataError, match="quantised already"):
        quantise(trained[3], tmp_path / "small.onnx")
    assert not (tmp_path / "small.onnx").exists()


def test_a_file_that_cannot_be_written_leaves_nothing_behind(trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="could not be written"):
        quantise(trained[2], tmp_path / "file" / "small.onnx")

    def full(handle: int) -> None:  # what was written does not get to the disk
        raise OSError(28, "No space left on device")

    (tmp_path / "small.onnx").write_text("the last one")
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(RunError, match="No space left on device"):
        quantise(trained[2], tmp_path / "small.onnx")
    assert (tmp_path / "small.onnx").read_text() == "the last one"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "small.onnx"]


def test_missing_packages_are_named(trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(Missing, match="onnxruntime"):
        OnnxRecommender(trained[2])
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(Missing, match="onnxscript"):
        to_onnx(trained[0], tmp_path / "model.onnx")
    with pytest.raises(Missing, match="onnx"):
        quantise(trained[2], tmp_path / "small.onnx")


@pytest.mark.parametrize("options", [{"threads": 0}, {"block": 0}])
def test_numbers_out_of_range_are_refused(options: dict, tmp_path: Path):
    with pytest.raises(BadParameter, match="at least 1"):
        OnnxRecommender(tmp_path / "model.onnx", **options)

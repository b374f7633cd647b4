"""The training loop: that it learns, repeats itself, goes on after a kill, and says in one sentence what is wrong."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from llmarm_tutorial.data import histories as histories_module
from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.errors import BadParameter, RunError
from llmarm_tutorial.models import training, training_log
from llmarm_tutorial.models.batches import ItemBatches
from llmarm_tutorial.models.item_model import ItemModel, item_config
from llmarm_tutorial.models.recommender import ItemRecommender
from llmarm_tutorial.models.seeds import own_draws, seed_device
from llmarm_tutorial.models.training import Settings, train

N_ITEMS = 12
QUICK = Settings(epochs=3, learning_rate=1e-2, log_every=2, precision="no")


pytestmark = pytest.mark.usefixtures("one_thread")


def cycles(n: int = 40, seed: int = 0) -> ItemBatches:
    """Customers who buy item 0, 1, 2, … in turn, each from a starting point of their own."""
    random = np.random.default_rng(seed)
    lengths = random.integers(4, 12, n)
    rows = [
        (start + np.arange(length)) % N_ITEMS
        for start, length in zip(random.integers(0, N_ITEMS, n), lengths, strict=True)
    ]
    return ItemBatches(Histories.from_lists(rows), max_length=12, batch_size=4)


def fresh(seed: int = 0, dropout: float = 0.1) -> ItemModel:
    return ItemModel(item_config(N_ITEMS, hidden=16, layers=1, max_length=12, dropout=dropout), seed=seed)


def weights(model: torch.nn.Module) -> list[np.ndarray]:
    return [weight.numpy().copy() for weight in model.state_dict().values()]


def same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    return all(map(np.array_equal, weights(one), weights(other)))


def run(model: ItemModel, settings: Settings = QUICK, **options) -> training.Training:
    return train(model, options.pop("batches", cycles()), settings, progress=False, **options)


# --- learning ---------------------------------------------------------------------------------------------------------


def test_it_learns_who_follows_whom():
    model = fresh()
    done = run(model, replace(QUICK, epochs=25))
    histories = histories_module.Histories.from_lists([[start, (start + 1) % N_ITEMS] for start in range(N_ITEMS)])
    guessed = ItemRecommender(model).scores(histories).argmax(1)
    assert guessed.tolist() == [(start + 2) % N_ITEMS for start in range(N_ITEMS)]
    assert done.losses["loss"].iloc[-1] < 0.2 < 2 < done.losses["loss"].iloc[0]
    assert not model.training


def test_the_same_seed_gives_the_same_model_and_another_seed_another():
    models = [fresh() for _ in range(3)]
    curves = [run(model, replace(QUICK, seed=seed)).losses for model, seed in zip(models, (1, 1, 2), strict=True)]
    columns = ["step", "epoch", "loss", "learning_rate"]
    pd.testing.assert_frame_equal(curves[0][columns], curves[1][columns])
    assert same(models[0], models[1])
    assert not same(models[0], models[2])


def test_what_was_drawn_before_has_no_influence():
    models = [fresh(), fresh()]
    run(models[0])
    torch.rand(17)
    np.random.default_rng().random()
    run(models[1])
    assert same(*models)


def test_what_is_drawn_later_does_not_notice_a_training():
    model, _ = fresh(), torch.manual_seed(3)
    expected = torch.rand(5)
    torch.manual_seed(3)
    run(model)
    assert torch.equal(torch.rand(5), expected)


def test_the_rate_rises_and_falls():
    plan = Settings(learning_rate=2.0, warmup=0.5)
    assert [plan.rate(share) for share in (0, 0.25, 0.5, 0.75, 1)] == [0, 1, 2, 1, 0]
    assert replace(plan, decay="constant").rate(1) == 2
    assert replace(plan, decay="cosine").rate(0.75) == pytest.approx(1)


def test_several_batches_a_step_are_one_larger_batch():
    # rows of one length, so that the mean over a batch is the mean over its parts
    large = ItemBatches(Histories.from_lists([list(range(6))] * 16), 8, batch_size=16)
    small = replace(large, batch_size=4)
    models = [fresh(dropout=0), fresh(dropout=0)]
    run(models[0], batches=large)
    run(models[1], replace(QUICK, accumulate=4), batches=small)
    for one, other in zip(*map(weights, models), strict=True):
        assert np.allclose(one, other, atol=1e-5)


def test_frozen_parameters_stay():
    model = fresh()
    model.bert.embeddings.requires_grad_(False)
    before = model.bert.embeddings.word_embeddings.weight.clone()
    run(model)
    assert torch.equal(before, model.bert.embeddings.word_embeddings.weight)


def test_half_precision_learns_as_well():
    model = fresh()
    done = run(model, replace(QUICK, precision="bf16", epochs=25))
    assert done.precision == "bf16"
    assert done.losses["loss"].iloc[-1] < 0.3
    assert all(weight.dtype == torch.float32 for weight in model.parameters())


def test_a_loss_of_ones_own():
    model = fresh()
    done = run(model, loss=lambda net, batch: 2 * training.model_loss(net, batch))
    assert done.losses["loss"].iloc[0] > 1.5 * np.log(N_ITEMS)


# --- validation -------------------------------------------------------------------------------------------------------


def test_it_stops_when_validation_no_longer_improves_and_keeps_the_best():
    model, seen, scores = fresh(), [], iter([1.0, 3.0, 2.0, 2.5, 9.0])

    def validate(net: torch.nn.Module) -> float:
        assert not net.training
        seen.append(weights(net))
        return next(scores)

    done = run(model, replace(QUICK, epochs=20, patience=2), validate=validate)
    assert (done.best_epoch, done.best_score, done.stopped_early) == (2, 3.0, True)
    assert done.validations["epoch"].tolist() == [1, 2, 3, 4]
    assert all(map(np.array_equal, weights(model), seen[1]))


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize(
    ("scores", "best"),
    [([np.nan, 0.2, 0.5, 0.3], 3), ([0.2, np.nan, 0.5, 0.3], 3), ([0.5, 0.2, np.nan], 1), ([np.nan, np.nan, 0.1], 3)],
)
def test_a_validation_that_is_no_number_is_never_the_best(tmp_path, scores: list[float], best: int, kept: bool):
    model, seen, given = fresh(), [], iter(scores)

    def validate(net: torch.nn.Module) -> float:
        seen.append(weights(net))
        return next(given)

    settings = replace(QUICK, epochs=len(scores), patience=10)
    done = run(model, settings, validate=validate, **({"folder": tmp_path} if kept else {}))
    assert (done.best_epoch, done.best_score) == (best, scores[best - 1])
    assert all(map(np.array_equal, weights(model), seen[best - 1]))


def test_without_any_number_the_last_weights_stay():
    done = run(fresh(), replace(QUICK, epochs=2), validate=lambda net: float("nan"))
    assert done.best_epoch == 2
    assert np.isnan(done.best_score)


def test_validation_comes_as_often_as_asked_and_at_the_end():
    done = run(fresh(), replace(QUICK, epochs=5, validate_every=2), validate=lambda net: 1.0)
    assert done.validations["epoch"].tolist() == [2, 4, 5]


# --- going on ---------------------------------------------------------------------------------------------------------


class Killed(Exception):
    pass


def dying(after: int):
    """A loss that breaks off the training after some batches."""
    count = 0

    def loss(net, batch):
        nonlocal count
        count += 1
        if count > after:
            raise Killed
        return training.model_loss(net, batch)

    return loss


@pytest.mark.parametrize("after", [1, 7, 10, 19, 26])
def test_a_training_that_was_killed_goes_on_as_if_it_had_not_been(tmp_path: Path, after: int):
    assert cycles().count(0) == 10

    def validate(net):
        return float(-np.abs(weights(net)[0]).sum())  # any score that the weights decide

    plain = fresh()
    whole = run(plain, validate=validate)
    with pytest.raises(Killed):
        run(fresh(), validate=validate, folder=tmp_path, loss=dying(after))
    second = fresh(seed=5)  # its own weights must not matter where there is a checkpoint
    if not (tmp_path / "last.pt").exists():
        assert after == 1
        second = fresh()
    done = run(second, validate=validate, folder=tmp_path)
    assert same(plain, second)
    for table in ("losses", "validations"):
        exact = [column for column in ("step", "epoch", "loss", "score") if column in getattr(whole, table)]
        pd.testing.assert_frame_equal(getattr(whole, table)[exact], getattr(done, table)[exact])


def test_a_training_that_had_ended_returns_at_once(tmp_path: Path):
    first, second = fresh(), fresh(seed=3)
    done = run(first, folder=tmp_path, validate=lambda net: 1.0)
    again = run(second, folder=tmp_path, validate=lambda net: 1.0, loss=dying(0))
    assert same(first, second)
    assert again.best_score == done.best_score
    pd.testing.assert_frame_equal(again.losses, done.losses)


@pytest.mark.parametrize("other", ["settings", "data", "model"])
def test_the_checkpoint_of_another_training_is_refused(tmp_path: Path, other: str):
    run(fresh(), folder=tmp_path)
    with pytest.raises(RunError, match=r"other settings, data or model; name another folder"):
        run(
            ItemModel(item_config(N_ITEMS, hidden=8, max_length=8)) if other == "model" else fresh(),
            replace(QUICK, learning_rate=1e-4) if other == "settings" else QUICK,
            batches=cycles(seed=1) if other == "data" else cycles(),
            folder=tmp_path,
        )


def test_a_damaged_checkpoint_is_one_sentence(tmp_path: Path):
    run(fresh(), folder=tmp_path)
    (tmp_path / "last.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(RunError, match=r"last\.pt cannot be read; delete the folder"):
        run(fresh(), folder=tmp_path)


def test_a_full_disk_is_one_sentence_and_keeps_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(Killed):
        run(fresh(), folder=tmp_path, loss=dying(5))
    kept = (tmp_path / "last.pt").read_bytes()

    def full(handle):  # what was written does not get to the disk
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(
            RunError, match=r"last\.pt could not be written \(No space left on device\): free some space"
        ):
            run(fresh(), folder=tmp_path)
    assert (tmp_path / "last.pt").read_bytes() == kept
    whole, resumed = fresh(), fresh()
    run(whole)
    run(resumed, folder=tmp_path)
    assert same(whole, resumed)


SCRIPT = """
import sys
sys.path.insert(0, {tests!r})
import torch, time
from test_training import *
torch.set_num_threads(1)
model = fresh(dropout={dropout})
slow = lambda net, batch: (time.sleep({sleep}), training.model_loss(net, batch))[1]
done = train(model, cycles(), QUICK, folder={folder!r}, progress=False, loss=slow, validate=lambda net: 1.0)
if training.Accelerator().is_main_process:
    torch.save((model.state_dict(), done.processes), {out!r})
"""


def script(tmp_path: Path, folder: Path | None, *, sleep: float = 0.0, dropout: float = 0.1) -> tuple[Path, Path]:
    path, out = tmp_path / "script.py", tmp_path / "out.pt"
    text = SCRIPT.format(
        tests=str(Path(__file__).parent), folder=folder and str(folder), out=str(out), sleep=sleep, dropout=dropout
    )
    path.write_text(text)
    return path, out


def test_a_process_that_is_killed_loses_nothing(tmp_path: Path):
    path, out = script(tmp_path, tmp_path / "kept", sleep=0.3)
    process = subprocess.Popen([sys.executable, path])
    deadline = time.monotonic() + 120
    while not (tmp_path / "kept" / "last.pt").exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not out.exists()
    whole, resumed = fresh(), fresh()
    run(whole, validate=lambda net: 1.0)
    run(resumed, validate=lambda net: 1.0, folder=tmp_path / "kept")
    assert same(whole, resumed)


def test_two_processes_train_the_same_model_as_one_with_two_batches_a_step(tmp_path: Path):
    path, out = script(tmp_path, None, dropout=0.0)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", str(path)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    state, processes = torch.load(out, weights_only=True)
    assert processes == 2
    alone = fresh(dropout=0.0)
    run(alone, replace(QUICK, accumulate=2), validate=lambda net: 1.0)
    for name, weight in alone.state_dict().items():
        assert torch.allclose(weight, state[name], atol=1e-4), name


# --- trouble ----------------------------------------------------------------------------------------------------------


def test_a_loss_that_is_no_number_stops_with_advice():
    with pytest.raises(RunError, match=r"The loss became nan in epoch 1: start again with a learning_rate below 0\.01"):
        run(fresh(), loss=lambda net, batch: training.model_loss(net, batch) * float("nan"))


def test_batches_too_few_for_a_step_are_one_sentence():
    with pytest.raises(BadParameter, match=r"10 batches, fewer than processes times accumulate \(11\)"):
        run(fresh(), replace(QUICK, accumulate=11))


def test_a_model_with_nothing_to_train_is_one_sentence():
    with pytest.raises(BadParameter, match="All parameters of the model are frozen"):
        run(fresh().requires_grad_(False))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "epochs is 0"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"warmup": 1.0}, "warmup"),
        ({"decay": "steps"}, "decay is 'steps'; choose one of: linear, cosine, constant"),
        ({"precision": "fp8"}, "precision is 'fp8'"),
    ],
)
def test_wrong_settings_are_one_sentence(options: dict, message: str):
    with pytest.raises(BadParameter, match=message):
        Settings(**options)


def test_curves_go_to_tensorboard(tmp_path: Path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    done = run(fresh(), folder=tmp_path, validate=lambda net: 1.0)
    (file,) = (tmp_path / "llmarm").glob("events.out.tfevents.*")
    events = EventAccumulator(str(file)).Reload()
    assert [e.step for e in events.Scalars("loss")] == done.losses["step"].tolist()
    assert len(events.Scalars("validation")) == 3


def test_weights_and_biases_is_used_only_by_who_is_logged_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(training_log.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    assert training_log.trackers() == ["tensorboard"]
    (tmp_path / ".netrc").write_text("machine api.wandb.ai login user password secret\n")
    (tmp_path / ".netrc").chmod(0o600)
    assert training_log.trackers() == ["tensorboard", "wandb"]
    (tmp_path / ".netrc").unlink()
    monkeypatch.setenv("WANDB_API_KEY", "secret")
    assert training_log.trackers() == ["tensorboard", "wandb"]


def test_a_device_is_seeded_as_torch_seeds_all():
    with own_draws():
        seed_device(2**40 + 7, torch.device("cpu"))
        mine = torch.rand(3)
        torch.manual_seed(2**40 + 7)
        assert torch.equal(mine, torch.rand(3))

"""One training loop for every neural part of the kit: pretraining, fine-tuning, distillation, graphs.

What is trained is said by three things: a model, batches, and a function from model and batch to a loss. The loop is
the same on one CPU, one GPU or several processes, through Accelerate. Everything drawn at random depends on the seed
and the number of the step alone, never on what was drawn before: a training that was killed goes on exactly as if it
had not been.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import pandas as pd
import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from torch import Tensor, nn

from llmarm_tutorial.errors import BadParameter
from llmarm_tutorial.models.checkpoints import Checkpoints
from llmarm_tutorial.models.flat_weights import FlatWeights
from llmarm_tutorial.models.hardware import hardware_bf16, repeatable
from llmarm_tutorial.models.seeds import own_draws, seed_device
from llmarm_tutorial.models.training_log import TrainingLog, trackers

DECAYS = ("linear", "cosine", "constant")
PRECISIONS = ("auto", "bf16", "no")
Batch = dict[str, Any]


class Batches(Protocol):
    """What the loop needs of its data; `batches.ItemBatches` is one."""

    def count(self, epoch: int) -> int:
        """Number of batches of an epoch."""

    def stream(self, epoch: int, numbers: Iterable[int]) -> Iterator[Batch]:
        """The batches of these numbers: tensors by argument name, and `size`, how many items (or rows) they hold."""

    def fingerprint(self) -> str:
        """Text that differs where the batches would."""


def model_loss(model: nn.Module, batch: Batch) -> Tensor:
    """The usual loss: what the model itself computes from the batch."""
    return model(**batch).loss


@dataclass(frozen=True)
class Settings:
    """How to train.

    Attributes:
        epochs: Passes over the data, at least 1.
        learning_rate: Peak step size of AdamW (Loshchilov & Hutter 2019).
        warmup: Share of all steps over which the rate rises from 0, in [0, 1).
        decay: How it falls to 0 afterwards: "linear", "cosine", or "constant" for not at all.
        weight_decay: Decay of matrices per unit of learning rate; vectors (biases, norms) are left alone.
        clip: Largest norm of the gradient.
        accumulate: Batches per step: a larger batch than memory holds.
        precision: "bf16", "no" (float32), or "auto": bf16 where the hardware computes in it.
        validate_every: Epochs between validations.
        patience: Stop after this many validations without a better one.
        log_every: Steps between two rows of the loss curve, checks for NaN and checkpoints.
        seed: Seed of what is drawn in training (dropout).
    """

    epochs: int = 20
    learning_rate: float = 1e-3
    warmup: float = 0.05
    decay: str = "linear"
    weight_decay: float = 0.01
    clip: float = 1.0
    accumulate: int = 1
    precision: str = "auto"
    validate_every: int = 1
    patience: int = 5
    log_every: int = 25
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "accumulate", "validate_every", "patience", "log_every"):
            if getattr(self, name) < 1:
                raise BadParameter(f"{name} is {getattr(self, name)}; training needs at least 1.")
        if not self.learning_rate > 0 or not self.clip > 0 or self.weight_decay < 0 or not 0 <= self.warmup < 1:
            raise BadParameter(
                f"learning_rate ({self.learning_rate}) and clip ({self.clip}) must be above 0, weight_decay "
                f"({self.weight_decay}) at least 0, warmup ({self.warmup}) a share below 1."
            )
        for name, value, valid in (("decay", self.decay, DECAYS), ("precision", self.precision, PRECISIONS)):
            if value not in valid:
                raise BadParameter(f"{name} is {value!r}; choose one of: {', '.join(valid)}.")

    def rate(self, progress: float) -> float:
        """Learning rate when a share `progress` of all steps is done."""
        if progress < self.warmup:
            return self.learning_rate * progress / self.warmup
        left = (1 - progress) / (1 - self.warmup)
        shape = {"linear": left, "cosine": 0.5 - 0.5 * math.cos(math.pi * left), "constant": 1.0}
        return self.learning_rate * shape[self.decay]


@dataclass
class Training:
    """What a training did.

    Attributes:
        losses: One row per `log_every` steps: `step`, `epoch`, `loss` (mean since the last row), `learning_rate`,
            `items_per_second`, `seconds` (of training so far, validation left out).
        validations: One row per validation: `epoch`, `step`, `score`, `seconds`.
        best_epoch: Epoch of the best validation; without any that gave a number the last one.
        best_score: Its score, NaN without any; a validation that gives NaN is never the best.
        seconds: Time of training and validation together, over all parts of an interrupted training.
        stopped_early: Whether patience ran out.
        device: Where it ran.
        precision: "bf16" or "no".
        processes: How many processes trained.
    """

    losses: pd.DataFrame
    validations: pd.DataFrame
    best_epoch: int
    best_score: float
    seconds: float
    stopped_early: bool
    device: str
    precision: str
    processes: int


@own_draws()
@repeatable()
def train(
    model: nn.Module,
    batches: Batches,
    settings: Settings | None = None,
    *,
    loss: Callable[[nn.Module, Batch], Tensor] = model_loss,
    validate: Callable[[nn.Module], float] | None = None,
    after_step: Callable[[nn.Module, int], None] | None = None,
    folder: str | Path | None = None,
    progress: bool = True,
) -> Training:
    """Train a model in place; it ends with the weights that validated best, else with the last.

    It trains on the GPU if there is one and ends where it was, so that what comes after is the same everywhere.

    Args:
        model: The model.
        batches: The data, see `Batches`.
        settings: See `Settings`; None takes the defaults.
        loss: From model and batch to a scalar to be made small.
        validate: From model to a score, larger is better, such as NDCG@10 on validation; it
            runs in evaluation mode without gradients, in one of several processes.
        after_step: Called with the model and the number of the step (from 1) after every step,
            while its gradients are still there, for methods that look at them. What it
            remembers by itself is in no checkpoint.
        folder: Keeps checkpoints, from which the same call goes on after it was killed (and
            returns at once when it had ended), and logs for TensorBoard. None keeps nothing.
        progress: Show a progress bar.

    Returns:
        Curves, scores and times.

    Raises:
        BadParameter: If there are fewer batches than processes times `accumulate`.
        RunError: If the loss becomes NaN or infinite, or the folder cannot be used.
    """
    run = _Run(model, batches, settings or Settings(), folder, progress)
    while run.goes_on():
        run.network.train()
        for step in run.steps():  # a step is one batch, or several that are `accumulate`d
            for batch in step:
                with run.gradients_exchanged(batch is step[-1]):
                    with run.precision():
                        value = loss(run.network, batch) / len(step)
                    value.backward()
                run.log.add(value)
            run.weights.clip(run.settings.clip)
            run.optimizer.step()
            if after_step is not None:
                after_step(model, run.progress.steps + 1)
            run.weights.clear()
        if validate is not None:
            run.validate(validate)
        run.keep()
    return run.end()


# --- what the loop rests on ------------------------------------------------------------------------------------------


class _Run:
    """One training: where it computes, how far it has come, and what it keeps."""

    def __init__(
        self, model: nn.Module, batches: Batches, settings: Settings, folder: str | Path | None, bar: bool
    ) -> None:
        self.model, self.batches, self.settings = model, batches, settings
        self.accelerator = _accelerator(settings, folder)
        device = self.accelerator.device
        self.bf16 = settings.precision == "bf16" or (settings.precision == "auto" and hardware_bf16(device))
        self.precision = partial(torch.autocast, device.type, torch.bfloat16) if self.bf16 else nullcontext
        self.group = self.accelerator.num_processes * settings.accumulate  # batches of one step
        self.home = next(model.parameters()).device
        model.to(device)
        self.network = self.accelerator.prepare(model)  # may move the weights, so that their views are made after it
        self.weights = FlatWeights(model)
        self.optimizer = self.weights.optimizer(settings.learning_rate, settings.weight_decay)
        signature = _signature(model, batches, settings, self.group, self.weights)
        self.checkpoints = Checkpoints(folder, signature, writes=self.accelerator.is_main_process)
        self.progress = self.checkpoints.resume(model, self.optimizer)
        self.best = self.checkpoints.best()
        rows = {"epochs": settings.epochs, "every": settings.log_every, "peak": settings.learning_rate, "bar": bar}
        self.log = TrainingLog(self.accelerator, self.progress, **rows)

    def goes_on(self) -> bool:
        """Whether there is another epoch."""
        return self.progress.epoch < self.settings.epochs and self.progress.worse < self.settings.patience

    def steps(self) -> Iterator[list[Batch]]:
        """What is left of an epoch, step by step: its batches on the device, its rate set, what it draws seeded."""
        at, settings, index = self.progress, self.settings, self.accelerator.process_index
        steps = self.batches.count(at.epoch) // self.group
        if steps == 0:
            raise BadParameter(
                f"An epoch has {self.batches.count(at.epoch)} batches, fewer than processes times accumulate "
                f"({self.group}): make batch_size or accumulate smaller."
            )
        numbers = range(at.step * self.group + index, steps * self.group, self.accelerator.num_processes)
        stream = self.batches.stream(at.epoch, numbers)
        self.log.begin()
        while at.step < steps:
            seed_device(_seed(settings.seed, at.epoch, at.step, index), self.accelerator.device)
            rate = settings.rate((at.epoch + (at.step + 1) / steps) / settings.epochs)
            for part in self.optimizer.param_groups:
                part["lr"] = rate
            yield [self._ready(next(stream)) for _ in range(settings.accumulate)]
            at.step, at.steps = at.step + 1, at.steps + 1
            if self.log.row(steps, rate) and at.step < steps:
                self.keep()
        at.epoch, at.step = at.epoch + 1, 0

    def _ready(self, batch: Batch) -> Batch:
        """A batch on the device; its size goes to the log."""
        self.log.items += batch["size"]
        return {name: _moved(value, self.accelerator.device) for name, value in batch.items() if name != "size"}

    def gradients_exchanged(self, last: bool) -> AbstractContextManager[None]:
        """Several processes exchange their gradients once a step, with its last batch."""
        return nullcontext() if last else self.accelerator.no_sync(self.network)

    def validate(self, validate: Callable[[nn.Module], float]) -> None:
        """Validate where it is due, and keep the weights if they are the best so far."""
        at, clock = self.progress, time.perf_counter()
        if at.epoch % self.settings.validate_every and at.epoch < self.settings.epochs:
            return
        with self.precision():
            score = _validated(self.accelerator, self.model, validate)
        at.validating += time.perf_counter() - clock
        self.log.score(score)
        better = at.best is at.validations[-1]
        at.worse = 0 if better else at.worse + 1
        if better:
            self.best = {name: weight.detach().cpu().clone() for name, weight in self.model.state_dict().items()}
            self.checkpoints.keep_best(self.best)

    def keep(self) -> None:
        """Write a checkpoint."""
        self.checkpoints.keep(self.model, self.optimizer, self.progress)

    def end(self) -> Training:
        """Close everything, take the best weights, and report."""
        self.log.bar.close()
        if self.accelerator.num_processes > 1:
            # what rests on the connection goes first, then all close it together; else one may wait for ever
            del self.network, self.optimizer
            self.accelerator.free_memory()
            self.accelerator.wait_for_everyone()
        self.accelerator.end_training()
        self.weights.release()
        if self.best is not None:
            self.model.load_state_dict(self.best)
        self.model.to(self.home).eval()
        at = self.progress
        best = at.best
        return Training(
            losses=pd.DataFrame(at.losses),
            validations=pd.DataFrame(at.validations),
            best_epoch=best["epoch"] if best else at.epoch,
            best_score=best["score"] if best else math.nan,
            seconds=at.trained + at.validating,
            stopped_early=at.epoch < self.settings.epochs,
            device=str(self.accelerator.device),
            precision="bf16" if self.bf16 else "no",
            processes=self.accelerator.num_processes,
        )


def _accelerator(settings: Settings, folder: str | Path | None) -> Accelerator:
    named = trackers() if folder is not None else []
    accelerator = Accelerator(log_with=named or None, project_dir=folder)
    if named:
        accelerator.init_trackers("llmarm", config=asdict(settings))
    return accelerator


def _seed(*numbers: int) -> int:
    """A seed for one step of one process; close numbers give seeds that have nothing in common."""
    return int.from_bytes(hashlib.blake2b(repr(numbers).encode(), digest_size=7).digest())


def _signature(model: nn.Module, batches: Batches, settings: Settings, group: int, weights: FlatWeights) -> str:
    shapes = [(name, tuple(weight.shape)) for name, weight in model.state_dict().items()]
    shapes += [(part.dtype, len(part)) for part in weights.all()]  # what the optimizer keeps
    what = repr((type(model).__name__, shapes, batches.fingerprint(), asdict(replace(settings, log_every=1)), group))
    return hashlib.sha256(what.encode()).hexdigest()


def _moved(value: Any, device: torch.device) -> Any:
    return value.to(device, non_blocking=True) if isinstance(value, Tensor) else value


def _validated(accelerator: Accelerator, model: nn.Module, validate: Callable[[nn.Module], float]) -> float:
    """The score of a model, computed in one process and told to all."""
    score: list[Any] = [None]
    if accelerator.is_main_process:
        model.eval()
        with torch.no_grad():
            score = [float(validate(model))]
    return broadcast_object_list(score)[0]

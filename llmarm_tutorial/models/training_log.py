"""What a training tells while it runs: its loss curve, on a progress bar and to the trackers that are there."""

from __future__ import annotations

import importlib.util
import math
import netrc
import os
import time

from accelerate import Accelerator
from torch import Tensor
from tqdm.auto import tqdm

from llmarm_tutorial.errors import RunError
from llmarm_tutorial.models.checkpoints import Progress

BAR = "{l_bar}{bar}| {n:.2f}/{total} epochs [{elapsed}<{remaining}{postfix}]"


class TrainingLog:
    """The loss curve of a training.

    Args:
        accelerator: Tells the trackers.
        progress: Where rows are kept.
        epochs: Length of the bar.
        every: Steps between two rows.
        peak: Largest learning rate, named where the loss breaks.
        bar: Whether a progress bar is shown.
    """

    def __init__(
        self, accelerator: Accelerator, progress: Progress, *, epochs: int, every: int, peak: float, bar: bool
    ) -> None:
        self.accelerator, self.progress, self.every, self.peak = accelerator, progress, every, peak
        shown = bar and accelerator.is_main_process
        self.bar = tqdm(total=epochs, initial=progress.epoch, unit="epoch", bar_format=BAR, disable=not shown)
        self.begin()

    def begin(self) -> None:
        """Start a new row; time counts from here."""
        self.loss: Tensor | float = 0.0
        self.items, self.since, self.clock = 0, self.progress.steps, time.perf_counter()

    def add(self, loss: Tensor) -> None:
        """Add what a batch contributes to the loss of its step; nobody waits for its value yet."""
        self.loss = self.loss + loss.detach()

    def row(self, steps: int, rate: float) -> bool:
        """Write a row where one is due: after so many steps, and at the end of the epoch.

        Args:
            steps: Steps of the epoch.
            rate: Learning rate of the last step.

        Returns:
            Whether a row was due.

        Raises:
            RunError: If the loss is no number any more.
        """
        at, count = self.progress, self.progress.steps - self.since
        if count < self.every and at.step < steps:
            return False
        mean = float(self.loss) / count
        if not math.isfinite(mean):
            raise RunError(
                f"The loss became {mean} in epoch {at.epoch + 1}: start again with a learning_rate below "
                f"{self.peak:g}, a longer warmup, or precision='no'."
            )
        seconds = time.perf_counter() - self.clock
        at.trained += seconds
        speed = self.accelerator.num_processes * self.items / seconds
        row = {"loss": mean, "learning_rate": rate, "items_per_second": speed}
        at.losses.append({"step": at.steps, "epoch": at.epoch + at.step / steps, **row, "seconds": at.trained})
        self.accelerator.log(row, step=at.steps)
        self.bar.n = at.epoch + at.step / steps
        self._show()
        self.begin()
        return True

    def score(self, score: float) -> None:
        """Write the row of a validation."""
        at = self.progress
        at.validations.append({"epoch": at.epoch, "step": at.steps, "score": score, "seconds": at.trained})
        self.accelerator.log({"validation": score}, step=at.steps)
        self._show()

    def _show(self) -> None:
        last, scores = self.progress.losses[-1], self.progress.validations
        text = f"loss {last['loss']:.3f}, {last['items_per_second']:,.0f} items/s"
        self.bar.set_postfix_str(text + (f", validation {scores[-1]['score']:.4f}" if scores else ""), refresh=True)


def trackers() -> list[str]:
    """TensorBoard where it is installed, Weights & Biases where somebody has logged in to it."""
    named = ["tensorboard"] if importlib.util.find_spec("tensorboard") else []
    if importlib.util.find_spec("wandb"):
        try:
            known = netrc.netrc().hosts
        except (OSError, netrc.NetrcParseError):
            known = {}
        named += ["wandb"] if os.environ.get("WANDB_API_KEY") or "api.wandb.ai" in known else []
    return named

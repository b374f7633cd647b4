"""Checkpoints of a training: written whole or not at all, opened only by the training they belong to."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from llmarm_tutorial.errors import RunError
from llmarm_tutorial.files import write_atomically


@dataclass
class Progress:
    """How far a training has come; all of it is in a checkpoint.

    Attributes:
        epoch: Epochs done.
        step: Steps done of the epoch under way.
        steps: Steps done in all.
        worse: Validations since the best one.
        trained: Seconds of training so far.
        validating: Seconds of validation so far.
        losses: Rows of `training.Training.losses`.
        validations: Rows of `training.Training.validations`.
    """

    epoch: int = 0
    step: int = 0
    steps: int = 0
    worse: int = 0
    trained: float = 0.0
    validating: float = 0.0
    losses: list[dict[str, float]] = field(default_factory=list)
    validations: list[dict[str, float]] = field(default_factory=list)

    @property
    def best(self) -> dict[str, float] | None:
        """The validation with the highest score, of equal ones the first; None if none gave a number."""
        scored = (row for row in self.validations if not math.isnan(row["score"]))
        return max(scored, key=lambda row: row["score"], default=None)


class Checkpoints:
    """The state of one training in a folder: `last.pt` to go on from, `best.pt` with the weights that validated best.

    Args:
        folder: Where to keep them; None keeps nothing.
        signature: What the training is (settings, data, model, processes); a folder of another one is refused.
        writes: Whether this process writes; of several processes one does, all read.
    """

    def __init__(self, folder: str | Path | None, signature: str, *, writes: bool = True) -> None:
        self.folder = None if folder is None else Path(folder)
        self.signature, self.writes = signature, writes

    def resume(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> Progress:
        """Bring model and optimizer to where the last checkpoint left them, and say where that is.

        Raises:
            RunError: If the folder belongs to another training, or its file cannot be read.
        """
        state = self._read("last.pt")
        if state is None:
            return Progress()
        if state["signature"] != self.signature:
            raise RunError(
                f"{self.folder} holds the checkpoint of a training with other settings, data or model; name another "
                "folder, or delete this one to start anew."
            )
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        return Progress(**state["place"])

    def best(self) -> dict[str, torch.Tensor] | None:
        """The weights that validated best, or None."""
        state = self._read("best.pt")
        return None if state is None else state["weights"]

    def keep(self, model: nn.Module, optimizer: torch.optim.Optimizer, progress: Progress) -> None:
        """Write what `resume` needs.

        Raises:
            RunError: If it cannot be written; what was kept before is still there.
        """

        def state() -> dict[str, Any]:  # asked for only where it will be written
            parts = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "place": asdict(progress)}
            return parts | {"signature": self.signature}

        self._write("last.pt", state)

    def keep_best(self, weights: dict[str, torch.Tensor]) -> None:
        """Write the weights that validated best; raises as `keep` does."""
        self._write("best.pt", lambda: {"weights": weights})

    def _read(self, name: str) -> dict[str, Any] | None:
        if self.folder is None or not (self.folder / name).exists():
            return None
        try:
            return torch.load(self.folder / name, map_location="cpu", weights_only=True)
        except Exception as error:  # torch raises many kinds for a damaged file
            raise RunError(f"{self.folder / name} cannot be read; delete the folder to start anew.") from error

    def _write(self, name: str, state: Callable[[], dict[str, Any]]) -> None:
        if self.folder is None or not self.writes:
            return
        buffer = io.BytesIO()  # first in memory: torch reports a full disk as a failed assertion of its own
        torch.save(state(), buffer)
        write_atomically(self.folder / name, buffer.getvalue())

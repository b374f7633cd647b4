"""Checkpoints of a training: written whole or not at all, opened only by the training they belong to."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from llmarm_tutorial.errors import RunError


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

    def open(self) -> dict[str, Any] | None:
        """The last state, or None where nothing was kept yet.

        Raises:
            RunError: If the folder belongs to another training, or its file cannot be read.
        """
        state = self._read("last.pt")
        if state is not None and state["signature"] != self.signature:
            raise RunError(
                f"{self.folder} holds the checkpoint of a training with other settings, data or model; name another "
                "folder, or delete this one to start anew."
            )
        return state

    def best(self) -> dict[str, torch.Tensor] | None:
        """The weights that validated best, or None."""
        state = self._read("best.pt")
        return None if state is None else state["weights"]

    def keep(self, state: Callable[[], dict[str, Any]]) -> None:
        """Write the state to go on from; it is asked for only where it will be written.

        Raises:
            RunError: If it cannot be written; what was kept before is still there.
        """
        self._write("last.pt", lambda: state() | {"signature": self.signature})

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
        part = self.folder / f".{name}.{os.getpid()}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            part.write_bytes(buffer.getbuffer())
            os.replace(part, self.folder / name)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise RunError(
                f"The checkpoint {self.folder / name} could not be written ({error.strerror}); make room or name "
                "another folder and start the same training again: it goes on from the last checkpoint."
            ) from error

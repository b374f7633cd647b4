"""Trainings in processes of their own that take turns, so that a machine which is busy for a while is busy for all.

Every process waits at a gate between two steps; the first round warms up and is not counted.
"""

from __future__ import annotations

import argparse
import collections
import math
import multiprocessing
import time
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection
from typing import Any

import pandas as pd
import psutil
import torch
from peers import start_method
from transformers import BertConfig

from llmarm_tutorial.models.batches import ItemBatches
from llmarm_tutorial.models.tokens import PAD
from llmarm_tutorial.models.utilisation import training_operations
from llmarm_tutorial.resources import highest_memory


class Enough(Exception):
    """Raised inside a training to end it."""


class Gate:
    """Stands between two steps of a training: lets it run for its turn, then reports and waits for the next one."""

    def __init__(self, line: Connection, config: BertConfig, device: str) -> None:
        self.line, self.config, self.device = line, config, device
        self.limit = math.nan
        self.totals, self.pending = collections.Counter(), collections.Counter()

    def step(self, lengths: torch.Tensor, width: int, scored: int) -> None:
        """A step has ended (but for the first call) and one with windows of these lengths is about to begin."""
        self.totals += self.pending
        if math.isnan(self.limit):
            self.before = psutil.Process().memory_info().rss
            self._wait({})
        elif time.perf_counter() - self.start >= self.limit:
            if self.device == "cuda":
                torch.cuda.synchronize()
            spent = {"seconds": time.perf_counter() - self.start, "cpu": time.process_time() - self.start_cpu}
            self._wait(dict(self.totals) | spent)
        flops = training_operations(self.config, lengths, scored)
        computed = len(lengths) * width
        self.pending = collections.Counter(steps=1, items=int(lengths.sum()), computed=computed, flops=flops)

    def _wait(self, report: dict) -> None:
        self.line.send(report)
        self.limit = self.line.recv()
        if self.limit is None:
            self.line.send({"peak_mb": self._peak() / 2**20})
            raise Enough
        self.totals.clear()
        self.start, self.start_cpu = time.perf_counter(), time.process_time()

    def _peak(self) -> int:
        if self.device == "cuda":
            return torch.cuda.max_memory_allocated()
        return max(0, highest_memory() - self.before)


class Gated:
    """Batches that pass a gate; see `training.Batches`."""

    def __init__(self, batches: ItemBatches, gate: Gate) -> None:
        self.batches, self.gate = batches, gate
        self.count, self.fingerprint = batches.count, batches.fingerprint

    def stream(self, epoch: int, numbers: Iterable[int]) -> Iterator[dict[str, Any]]:
        for batch in self.batches.stream(epoch, numbers):
            self.gate.step((batch["input_ids"] != PAD).sum(1), batch["input_ids"].shape[1], len(batch["targets"]))
            yield batch


class Worker:
    """A system in a process of its own; with --smoke a fork of this one, which is quick to start.

    Args:
        work: Trains a system: gets its name, the data, the options, and the line on which it reports.
        system: Its name.
        data: What `work` learns from.
        options: With `smoke`.
    """

    def __init__(self, work: Callable[..., None], system: str, data: Any, options: argparse.Namespace) -> None:
        context = multiprocessing.get_context(start_method(fresh=not options.smoke))
        self.system, (self.line, theirs) = system, context.Pipe()
        self.process = context.Process(target=work, args=(system, data, options, theirs), daemon=True)
        self.process.start()
        theirs.close()

    def answer(self) -> dict:
        """What the process says next."""
        try:
            return self.line.recv()
        except EOFError:
            return {"note": "the process ended"}


def rounds(workers: list[Worker], options: argparse.Namespace) -> tuple[dict[str, pd.DataFrame], dict[str, str]]:
    """Rounds in which every system has a turn; the first one warms up.

    Returns:
        (turns of every system: steps, items, flops, seconds, rates; why others failed).
    """
    failed = {worker.system: start["note"] for worker in workers if "note" in (start := worker.answer())}
    turns: dict[str, list[dict]] = {worker.system: [] for worker in workers}
    for number in range(options.turns + 1):
        for worker in workers if number % 2 else workers[::-1]:
            if worker.system in failed:
                continue
            worker.line.send(options.seconds)
            turn = worker.answer()
            if "note" in turn:
                failed[worker.system] = turn["note"]
            elif number:
                rates = {"rate": turn["items"] / turn["seconds"], "cpu_rate": turn["items"] / turn["cpu"]}
                turns[worker.system].append(turn | rates)
    return {system: pd.DataFrame(kept) for system, kept in turns.items() if system not in failed}, failed

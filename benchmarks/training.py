"""How fast is the training loop? Items per second and memory against Hugging Face's Trainer, side by side in one run.

    python benchmarks/training.py [--turns 4] [--seconds 6] [--data movielens-1m beauty] [--device cuda] [--compile]
    python benchmarks/training.py --until 0.1 --data movielens-1m     # hours on a CPU: seconds to a validation NDCG@10

All systems train the same network (BERT with 2 layers of width 64, a fifth of the items masked) with AdamW on the same
windows of the same histories, 128 in a batch. Those of Trainer use `BertForMaskedLM` and
`DataCollatorForLanguageModeling` in two ways: every window padded to the full length, in Trainer's default float32, as
most published code does; and the best that Trainer's own switches give, bfloat16 and windows grouped by length.

Every system is a process of its own, and they take turns: each trains for some seconds, then waits for the others. The
first round warms up and is not counted. A ratio is taken within a round and the median over rounds is shown, so that a
machine that is busy for a while is busy for all; the ratio by CPU time hardly feels neighbours at all (on a GPU it says
nothing). What counts is items read, not padding. Memory is the highest during training less the memory before; on a GPU
it is what PyTorch allocated there.

The share of the peak is model FLOP utilisation, see `llmarm_tutorial/models/utilisation.py`. With a network as small as
this one it is low on any GPU.
"""

from __future__ import annotations

import argparse
import os
import time
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import harness
import numpy as np
import pandas as pd
import torch
import trainer_peer
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from rows import setting, unfolded
from turns import Enough, Gate, Gated, Worker, rounds

from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.errors import RunError
from llmarm_tutorial.evaluation.ranking import evaluate
from llmarm_tutorial.evaluation.tasks import Task, next_item_task
from llmarm_tutorial.figures import house_style
from llmarm_tutorial.models.batches import ItemBatches
from llmarm_tutorial.models.item_model import ItemModel, item_config
from llmarm_tutorial.models.recommender import ItemRecommender
from llmarm_tutorial.models.training import Settings, train
from llmarm_tutorial.models.utilisation import peak_rate

LENGTHS = {"movielens-1m": 200, "beauty": 50, "shop": 20}  # longest input, as published for the first two
BATCH, MASK_SHARE, RATE = 128, 0.2, 1e-3
OURS = "llmarm"
SYSTEMS = {  # name → keyword arguments of `ours` or of `trainer_peer.fit`
    OURS: {"precision": "auto"},
    "llmarm, float32": {"precision": "no"},
    "Trainer, padded, float32": {"grouped": False, "bf16": False},
    "Trainer, grouped by length, bf16": {"grouped": True, "bf16": True},
}
ENDLESS = 100_000  # epochs: a turn ends the training


class Data(NamedTuple):
    """Training histories of one set, and what validates."""

    name: str
    histories: Histories
    n_items: int
    validation: Task

    def batches(self) -> ItemBatches:
        return ItemBatches(self.histories, LENGTHS[self.name], "masked", BATCH, MASK_SHARE)

    def config(self):
        return item_config(self.n_items, objective="masked", max_length=LENGTHS[self.name])


def prepared(name: str, data: Transactions) -> Data:
    """The data of a set, last events left out."""
    split = data.leave_one_out()
    task = next_item_task(split, "validation", max_cases=5000)
    return Data(name, split.train.histories(), len(split.train.items), task)


# --- the systems -----------------------------------------------------------------------------------------------------


def ours(data: Data, gate: Gate | None, options: argparse.Namespace, *, precision: str, validate=None) -> None:
    """Train with the kit."""
    model = ItemModel(data.config(), seed=0)
    if options.compile:
        model.compile()
    epochs = options.epochs if gate is None else ENDLESS
    settings = Settings(epochs=epochs, patience=epochs, learning_rate=RATE, precision=precision)
    batches = data.batches() if gate is None else Gated(data.batches(), gate)
    train(model, batches, settings, validate=validate, progress=False)


def theirs(data: Data, gate: Gate | None, options: argparse.Namespace, **how: Any) -> None:
    """Train with Hugging Face's Trainer."""
    epochs = options.epochs if gate is None else ENDLESS
    about = {"epochs": epochs, "rate": RATE, "compiled": options.compile, "device": options.device}
    trainer_peer.fit(data.batches(), data.config(), gate, **about, **how)


def work(system: str, data: Data, options: argparse.Namespace, line: Connection) -> None:
    """One process: train a system in turns, or until it validates well enough."""
    training = ours if system.startswith(OURS) else theirs
    try:
        if options.until:
            line.send(until(training, system, data, options))
        else:
            training(data, Gate(line, data.config(), options.device), options, **SYSTEMS[system])
    except Enough:
        pass
    except Exception as error:  # whatever the library raises goes into the table
        line.send({"note": f"{type(error).__name__}: {error}"[:100]})
        raise


def until(training, system: str, data: Data, options: argparse.Namespace) -> dict:
    """Seconds of training, validations left out, until NDCG@10 on the validation cases is reached."""
    scores: list[float] = []
    start, judging = time.perf_counter(), 0.0

    def validate(model) -> float:
        nonlocal judging
        begin = time.perf_counter()
        scores.append(evaluate(ItemRecommender(model), data.validation).mean("NDCG@10"))
        judging += time.perf_counter() - begin
        print(f"{data.name:14} {system:34} epoch {len(scores):3}  NDCG@10 {scores[-1]:.4f}", flush=True)
        if scores[-1] >= options.until:
            raise Enough
        return scores[-1]

    try:
        training(data, None, options, validate=validate, **SYSTEMS[system])
        note = f"not within {options.epochs} epochs"
    except Enough:
        note = "reached"
    seconds = time.perf_counter() - start - judging
    return {"seconds": seconds, "epochs": len(scores), "best": max(scores), "note": note}


# --- the run ---------------------------------------------------------------------------------------------------------


def in_turns(bench: harness.Bench, data: Data, **which: Any) -> None:
    """Measure all systems of a set side by side."""
    gpu = torch.cuda.get_device_name(0) if bench.options.device == "cuda" else ""
    peak = bench.options.peak_tflops or peak_rate(gpu)
    workers = [Worker(work, system, data, bench.options) for system in SYSTEMS]
    turns, failed = rounds(workers, bench.options)
    for system, note in failed.items():
        bench.add(data.name, system, {"items per second": np.nan}, notes={"note": note}, **which)
    for worker in (worker for worker in workers if worker.system in turns):
        worker.line.send(None)
        memory, its = worker.answer()["peak_mb"], turns[worker.system]
        worker.process.join()
        values = {"items per second": its["rate"].median(), "items per CPU second": its["cpu_rate"].median()}
        if OURS in turns:
            ratios = turns[OURS]["rate"] / its["rate"]
            values["llmarm is times faster"] = ratios.median(), ratios.min(), ratios.max()
            values["llmarm is times faster by CPU time"] = (turns[OURS]["cpu_rate"] / its["cpu_rate"]).median()
        values["steps"] = int(its["steps"].sum())
        values["computed per item"] = its["computed"].sum() / its["items"].sum()
        values["TFLOP/s"] = (its["flops"] / its["seconds"]).median() / 1e12
        values["share of peak"] = values["TFLOP/s"] / peak
        bench.add(data.name, worker.system, values, memory=memory, **which)


def measure(bench: harness.Bench) -> None:
    """Every set: all systems in turns, or with --until each until it validates well enough."""
    options = bench.options
    if options.device == "cuda" and not torch.cuda.is_available():
        raise RunError("torch sees no GPU here: leave out --device cuda, or see  llmarm doctor.")
    if options.device == "cpu":
        os.environ["ACCELERATE_USE_CPU"] = "1"  # Accelerate would take a GPU by itself
    # else a thread that waits for another spins on a core that a neighbour could use, and both are slow
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    if bench.smoke:
        options.turns, options.seconds = 1, 0.1
    for name, transactions in bench.datasets():
        data = prepared(name, transactions)
        about = {"T": LENGTHS[name], "device": options.device} | ({"until": options.until} if options.until else {})
        which = {
            "setting": setting(**about),
            "made_of": [options.turns, options.seconds, options.compile, options.epochs],
        }
        left = [system for system in SYSTEMS if not bench.has(name, system, **which)]
        if left and not options.until:
            in_turns(bench, data, **which)
        for system in left if options.until else ():
            done = Worker(work, system, data, options).answer()
            values = {"epochs": done.get("epochs", 0), "best validation NDCG@10": done.get("best", np.nan)}
            bench.add(name, system, values, seconds=done.get("seconds", np.nan), notes={"note": done["note"]}, **which)


def figures(rows: pd.DataFrame, bench: harness.Bench) -> dict[str, Figure]:
    """Items per second of every system on every set."""
    table = unfolded(rows[rows["metric"] == "items per second"])
    names = list(dict.fromkeys(table["data"]))
    if not names:
        return {}
    figure, axes = plt.subplots(1, len(names), figsize=(6 * len(names), 2.8), sharey=True, squeeze=False)
    for axis, name in zip(axes[0], names, strict=True):
        here = table[table["data"] == name].iloc[::-1]
        rates, colors = (
            here["value"].fillna(0),
            [house_style.ACCENT if s == OURS else house_style.QUIET for s in here["system"]],
        )
        axis.barh(here["system"], rates, color=colors)
        for place, (rate, memory) in enumerate(zip(rates, here["memory"], strict=True)):
            label = f" {rate:,.0f} · {memory:,.0f} MB" if rate else " did not finish"
            axis.text(rate, place, label, va="center", fontsize=8)
        axis.set(title=f"{name}, at most {here['T'].iloc[0]} items", xlabel="items per second")
        axis.set_xlim(0, 1.35 * rates.max() or 1)
    figure.suptitle("Items read in training per second · peak memory", x=0.01, ha="left", fontsize=10)
    return {"training": figure}


def main() -> None:
    """Measure, write training.csv, training.json and training.png."""
    parser = harness.parser(__doc__, data=["movielens-1m", "beauty"])
    parser.add_argument("--turns", type=int, default=4, help="rounds that count (one more warms up)")
    parser.add_argument("--seconds", type=float, default=6, help="a system's turn; one step is the least")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--compile", action="store_true", help="with torch.compile, for all systems")
    parser.add_argument("--peak-tflops", type=float, help="the device's highest rate, where the kit does not know it")
    parser.add_argument("--until", type=float, help="train each system until NDCG@10 on validation is this; takes long")
    parser.add_argument("--epochs", type=int, default=200, help="the most epochs with --until")
    harness.run(parser, measure, figures)


if __name__ == "__main__":
    main()

"""The same job done by several libraries, side by side: the loop, the process of its own, and the figure."""

from __future__ import annotations

import multiprocessing
import os
import platform
import resource
import statistics
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import psutil
from harness import Bench, hardware
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from rows import setting, unfolded

from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.figures import house_style
from llmarm_tutorial.resources import highest_memory

Job = Callable[[], int]
RATIO = "times the seconds of llmarm"


def side_by_side(
    bench: Bench,
    miners: Mapping[str, Callable[[Transactions, float], Job]],
    counted: str,
    *,
    limit: int,
    least_count: int = 1,
) -> None:
    """Measure every miner on every set and support of --data, which names them as NAME@SUPPORT.

    Every measurement has three rows: how many were found, in how many runs, and the seconds in units of the first
    miner's; all miners of a set and support are measured in one call, so that the ratio is of one state of the machine.

    Args:
        bench: With the options `data` and `repeats`.
        miners: Name → from data and minimum support to a job that returns how many it found; the kit's own is first.
        counted: What is found, as the metric's name.
        limit: Processor seconds after which a miner is ended.
        least_count: Items that occur less often are left out.
    """
    supports = [given.split("@") for given in bench.options.data]
    repeats, first = 1 if bench.smoke else bench.options.repeats, next(iter(miners.values()))
    versions = hardware()["versions"]  # a library that was not there, or is newer now, is measured
    for name, data in bench.datasets():
        data = data.filter_items(least_count) if least_count > 1 else data
        for support in (float(text) for set_, text in supports if set_ == name):
            which = {"setting": setting(support=support), "made_of": [repeats, limit, least_count, versions]}
            if all(bench.has(name, miner, **which) for miner in miners):
                continue
            own = np.nan
            for miner, prepare in miners.items():
                spent = apart(partial(prepare, data, support), repeats=repeats, limit=limit, fresh=not bench.smoke)
                own = spent.seconds if prepare is first else own
                values = {counted: spent.value, "runs": spent.runs, RATIO: spent.seconds / own}
                notes = {"note": spent.note} if spent.note else None
                bench.add(name, miner, values, seconds=spent.seconds, memory=spent.memory, notes=notes, **which)


def drawn(rows: pd.DataFrame, counted: str) -> Figure:
    """Seconds per miner, a panel for each set and support, on a logarithmic scale."""
    table = unfolded(rows)
    panels = list(table[["data", "support"]].drop_duplicates().itertuples(index=False))
    figure, axes = plt.subplots(len(panels), 1, figsize=(8.5, 1.9 * len(panels)), sharex=True, squeeze=False)
    for axis, (data, support) in zip(axes.flat, panels, strict=True):
        here = table[(table["data"] == data) & (table["support"] == support)].iloc[::-1]
        found, ratio = (here[here["metric"] == metric] for metric in (counted, RATIO))
        colors = [house_style.ACCENT if name.startswith("llmarm") else house_style.QUIET for name in found["system"]]
        axis.barh(found["system"], found["seconds"].fillna(0), color=colors)
        for place, (row, times) in enumerate(zip(found.itertuples(), ratio["value"], strict=True)):
            done = row.seconds == row.seconds
            says = f" {row.seconds:.3g} s · {times:.3g}× · {row.memory:.0f} MB" if done else " did not finish"
            axis.text(row.seconds if done else 0.012, place, says, va="center", fontsize=8)
        axis.set(title=f"{data}, minimum support {support}: {found['value'].max():,.0f} {counted}")
        axis.set(xscale="log", xlim=(0.005, 30000))
        house_style.power_ticks(axis.xaxis)
    axes[-1, 0].set_xlabel("median seconds (logarithmic) · times llmarm's · peak memory while mining")
    return figure


class Spent(NamedTuple):
    """What a job cost in a process of its own.

    Attributes:
        value: What the job returned; NaN if it did not end.
        seconds: Median processor seconds.
        runs: How often it ran.
        memory: Highest memory while it ran less the memory before, MB.
        note: Why there is no value; empty if there is one.
    """

    value: float = np.nan
    seconds: float = np.nan
    runs: int = 0
    memory: float = np.nan
    note: str = ""


def apart(
    prepare: Callable[[], Callable[[], float]],
    *,
    repeats: int = 5,
    enough: float = 12,
    limit: int = 180,
    fresh: bool = True,
) -> Spent:
    """Time and memory of a job, on one thread.

    A fresh process prepares, a fork of it runs the job: a fork's highest memory starts at what it inherits, so the peak
    of loading does not hide the job's. Needs Linux or macOS.

    Args:
        prepare: Makes the job, from its data on; something that `pickle` can name, such as a `functools.partial`.
        repeats: How often it runs at most.
        enough: Seconds after which it is not run again.
        limit: Processor seconds after which it is ended.
        fresh: False prepares in a fork of this process, which is quick to start but keeps this process's threads.
    """
    threads = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}
    before = {name: os.environ.get(name) for name in threads}
    os.environ.update(threads)
    try:
        return _asked(start_method(fresh), _prepared, prepare, repeats, enough, limit)
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _asked(method: str, target: Callable[..., None], *arguments: Any) -> Spent:
    """What a process sends back before it ends; one that sends nothing was ended by its limit, or died."""
    context = multiprocessing.get_context(method)
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=target, args=(*arguments, theirs))
    child.start()
    theirs.close()
    try:
        return ours.recv()
    except EOFError:
        return Spent(note="did not end within its limit")
    finally:
        child.join()


def _prepared(prepare: Callable, repeats: int, enough: float, limit: int, line: Any) -> None:
    try:
        line.send(_asked("fork", _repeated, prepare(), repeats, enough, limit))
    except Exception as error:  # whatever a library raises goes into the notes
        line.send(Spent(note=f"{type(error).__name__}: {error}"[:200]))


def _repeated(job: Callable[[], float], repeats: int, enough: float, limit: int, line: Any) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
    before, spent = psutil.Process().memory_info().rss, []
    try:
        while len(spent) < repeats and sum(spent) < enough:
            begin = time.process_time()
            value = job()
            spent.append(time.process_time() - begin)
    except Exception as error:
        line.send(Spent(note=f"{type(error).__name__}: {error}"[:200]))
        return
    memory = max(0, highest_memory() - before) / 2**20
    line.send(Spent(float(value), statistics.median(spent), len(spent), memory))


def start_method(fresh: bool) -> str:
    """How `multiprocessing` starts a process: a fork of one with libraries at work is quick, and on a Mac not safe."""
    return "spawn" if fresh or platform.system() == "Darwin" else "fork"

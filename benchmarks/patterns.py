"""How fast are the miners of sequential patterns? Time and peak memory, side by side in one run.

    python benchmarks/patterns.py [--repeats 5] [--out results/benchmarks] [--sets movielens-1m@0.2 …]

Patterns of up to three elements, without limits on gaps, from items that occur at least five times; an item of the same
visit is no later one. Every miner gets the sequences in the form it takes by nature and is timed until it has every
pattern with its count. The package prefixspan knows no visits of several items, so it is left out where there are any.
Each miner runs in a process of its own, on one thread, and what is measured is the time that the processor spends
on it, which a busy machine changes less than the time on the clock; its memory is the highest during mining less the
memory before. The ratios within one run are what carries over. Needs Linux or macOS, and `pip install prefixspan`.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import multiprocessing
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import psutil

from llmarm_tutorial.data import loading
from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.errors import LlmarmError
from llmarm_tutorial.figures import house_style
from llmarm_tutorial.mining.itemsets import min_count
from llmarm_tutorial.mining.patterns import mine_sequences, prefixspan

SETS = ("movielens-1m@0.2", "movielens-1m@0.1", "movielens-1m@0.05", "shop@0.2", "online-retail@0.03")
LONGEST = 3
TIME_LIMIT = 60  # seconds of the processor for one miner on one set, all repeats and the loading together
ENOUGH = 12  # seconds of mining after which a miner is not run again
KIT = "llmarm (NumPy)"

ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}

Job = Callable[[], int]


def kit(data: Transactions, support: float) -> Job:
    data.histories()  # loads what the first call would
    return lambda: len(mine_sequences(data, support, max_length=LONGEST))


def taught(data: Transactions, support: float) -> Job:
    runs = data.histories()
    smallest = min_count(support, len(runs.user_ids))
    sequences = []
    for user in range(len(runs.user_ids)):
        visits = runs.visits[runs.offsets[user] : runs.offsets[user + 1]]
        cuts = np.flatnonzero(np.diff(visits)) + 1
        sequences.append([part.tolist() for part in np.split(runs.of(user), cuts)])
    return lambda: len(prefixspan(sequences, smallest, LONGEST))


def package(data: Transactions, support: float) -> Job | None:
    from prefixspan import PrefixSpan

    if "baskets" in data.aspects:
        return None
    runs = data.histories()
    peer = PrefixSpan([part.tolist() for part in np.split(runs.items, runs.offsets[1:-1])])
    peer.maxlen = LONGEST
    smallest = min_count(support, len(runs.user_ids))
    return lambda: len(peer.frequent(smallest))


MINERS: dict[str, Callable[..., Job | None]] = {
    KIT: kit,
    "PrefixSpan as taught (Python)": taught,
    "prefixspan (package)": package,
}


def measure(miner: str, dataset: str, support: float, repeats: int) -> dict:
    """Median time in seconds, peak memory in MB and the number of patterns.

    The mining runs in a fork of the process that has loaded the data: a fork's highest memory starts at what it
    inherits, so the peak of loading does not hide the miner's.
    """
    job = MINERS[miner](loading.load(dataset).filter_items(5), support)
    if job is None:
        return {"note": "knows no visits"}
    fork = multiprocessing.get_context("fork")
    ours, theirs = fork.Pipe(duplex=False)
    child = fork.Process(target=_repeat, args=(job, repeats, theirs))
    child.start()
    theirs.close()
    try:
        return ours.recv()
    except EOFError:  # ended by its limit
        return {"note": f"over {TIME_LIMIT} s"}
    finally:
        child.join()


def _repeat(job: Job, repeats: int, line: Connection) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (TIME_LIMIT, TIME_LIMIT))
    before = psutil.Process().memory_info().rss
    seconds: list[float] = []
    while len(seconds) < repeats and sum(seconds) < ENOUGH:
        start = time.process_time()
        found = job()
        seconds.append(time.process_time() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if platform.system() == "Darwin" else 1024)
    memory = max(0.0, (peak - before) / 2**20)
    line.send({"patterns": found, "seconds": statistics.median(seconds), "runs": len(seconds), "peak_mb": memory})


def run(settings: list[str], repeats: int) -> pd.DataFrame:
    """Measure every miner on every set, one after the other."""
    rows = []
    for setting in settings:
        dataset, support = setting.split("@")
        for miner in MINERS:
            command = [sys.executable, __file__, "--one", miner, dataset, support, "--repeats", str(repeats)]
            row = {"data": dataset, "min_support": float(support), "miner": miner}
            try:
                done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | ONE_THREAD)
                row |= json.loads(done.stdout.splitlines()[-1])
            except subprocess.CalledProcessError as failure:
                row |= {"note": failure.stderr.strip().splitlines()[-1][:100]}
            rows.append(row)
            shown = f"{row['seconds']:8.3f} s  {row['patterns']:>8,}" if "seconds" in row else row["note"]
            print(f"{setting:20} {miner:32} {shown}", flush=True)
    table = pd.DataFrame(rows)
    fast = table[table["miner"] == KIT].set_index(["data", "min_support"])["seconds"]
    keys = pd.MultiIndex.from_frame(table[["data", "min_support"]])
    table["times_llmarm"] = table["seconds"] / fast.reindex(keys).to_numpy()
    return table


def draw(table: pd.DataFrame) -> plt.Figure:
    """Seconds per miner and set, on a logarithmic scale."""
    settings = list(dict.fromkeys(zip(table["data"], table["min_support"], strict=True)))
    figure, axes = plt.subplots(len(settings), 1, figsize=(8.5, 1.25 * len(settings) + 0.6), sharex=True, squeeze=False)
    for axis, (data, support) in zip(axes.flat, settings, strict=True):
        part = table[(table["data"] == data) & (table["min_support"] == support)].iloc[::-1]
        colors = [house_style.ACCENT if miner.startswith("llmarm") else house_style.QUIET for miner in part["miner"]]
        axis.barh(part["miner"], part["seconds"].fillna(0), color=colors)
        for place, row in enumerate(part.itertuples()):
            done = row.seconds == row.seconds
            label = f" {row.seconds:.3g} s · {row.times_llmarm:.3g}× · {row.peak_mb:.0f} MB" if done else f" {row.note}"
            axis.text(row.seconds if done else 0.012, place, label, va="center", fontsize=8)
        found = part["patterns"].max()
        axis.set(title=f"{data}, minimum support {support:g}: {found:,.0f} patterns", xscale="log", xlim=(0.01, 2000))
    axes[-1, 0].set_xlabel("median seconds of the processor (logarithmic) · times llmarm's · peak memory while mining")
    return figure


def save_figure(table: pd.DataFrame, out: Path) -> None:
    with house_style.style():
        draw(table).savefig(out / "patterns.png", dpi=130, bbox_inches="tight")


def main() -> None:
    parser = argparse.ArgumentParser(description="Time and peak memory of miners of sequential patterns, side by side.")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "results" / "benchmarks")
    parser.add_argument("--sets", nargs="+", default=list(SETS), metavar="NAME@SUPPORT")
    parser.add_argument("--one", nargs=3, metavar=("MINER", "DATA", "SUPPORT"), help=argparse.SUPPRESS)
    parser.add_argument("--figure-only", action="store_true", help="draw patterns.png anew from patterns.csv")
    options = parser.parse_args()
    if options.figure_only:
        save_figure(pd.read_csv(options.out / "patterns.csv"), options.out)
        return
    if options.one:
        miner, dataset, support = options.one
        print(json.dumps(measure(miner, dataset, float(support), options.repeats)))
        return
    here = []
    for setting in options.sets:
        try:
            loading.load(setting.split("@")[0])
            here.append(setting)
        except LlmarmError as error:
            print(f"{setting}: left out. {error}")
    table = run(here, options.repeats)
    options.out.mkdir(parents=True, exist_ok=True)
    table.to_csv(options.out / "patterns.csv", index=False, float_format="%.4g")
    save_figure(table, options.out)
    about = {
        "command": "python benchmarks/patterns.py",
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {psutil.cpu_count()} cores",
        "versions": {name: importlib.metadata.version(name) for name in ("numpy", "scipy", "prefixspan")},
    }
    (options.out / "patterns.json").write_text(json.dumps(about, indent=2) + "\n")
    print(f"wrote {options.out}/patterns.csv, patterns.png and patterns.json")


if __name__ == "__main__":
    main()

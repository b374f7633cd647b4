"""How fast are the miners? Time and peak memory of frequent itemset mining, side by side in one run.

    python benchmarks/mining.py [--repeats 5] [--out results/benchmarks] [--sets retail@0.001 …]

Every miner gets the data in the form it takes by nature (the kit a sparse matrix, mlxtend a sparse DataFrame, the
others lists of lists) and is timed until it has every itemset with its count. Each runs in a process of its own; its
memory is the highest during mining less the memory before. Machines differ and are busy; the ratios within one run are
what carries over. Needs Linux or macOS.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import math
import multiprocessing
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
from llmarm_tutorial.errors import LlmarmError
from llmarm_tutorial.figures import house_style
from llmarm_tutorial.mining.itemsets import as_matrix, min_count
from llmarm_tutorial.mining.miners import mine

SETS = ("retail@0.001", "retail@0.0005", "t10i4d100k@0.005", "t10i4d100k@0.001", "groceries@0.001", "mushroom@0.2")
TIME_LIMIT = 180  # seconds for one miner on one set, all repeats together
ENOUGH = 12  # seconds of mining after which a miner is not run again

Job = Callable[[], int]


def kit(matrix, support: float) -> Job:
    return lambda: len(mine(matrix, support))


def kit_table(matrix, support: float) -> Job:
    return lambda: len(mine(matrix, support).table())


def mlxtend_sparse(function: str) -> Callable[..., Job]:
    def prepare(matrix, support: float) -> Job:
        from mlxtend import frequent_patterns

        frame = pd.DataFrame.sparse.from_spmatrix(matrix)
        share = (min_count(support, matrix.shape[0]) - 0.5) / matrix.shape[0]
        return lambda: len(getattr(frequent_patterns, function)(frame, min_support=share))

    return prepare


def pyfim_eclat(matrix, support: float) -> Job:
    import fim

    baskets = as_lists(matrix)
    count = min_count(support, matrix.shape[0])
    return lambda: len(fim.eclat(baskets, supp=-count, target="s", report="a"))


def efficient_apriori(matrix, support: float) -> Job:
    from efficient_apriori import itemsets_from_transactions

    baskets = [tuple(basket) for basket in as_lists(matrix)]
    share = min_count(support, matrix.shape[0]) / matrix.shape[0]

    def job() -> int:
        found, _ = itemsets_from_transactions(baskets, min_support=share, max_length=matrix.shape[1])
        return sum(map(len, found.values()))

    return job


def as_lists(matrix) -> list[list[int]]:
    return [basket.tolist() for basket in np.split(matrix.indices, matrix.indptr[1:-1])]


MINERS: dict[str, Callable[..., Job]] = {
    "llmarm eclat (NumPy)": kit,
    "llmarm eclat, as table of sets": kit_table,
    "pyfim eclat (C)": pyfim_eclat,
    "mlxtend fpgrowth (sparse)": mlxtend_sparse("fpgrowth"),
    "mlxtend hmine (sparse)": mlxtend_sparse("hmine"),
    "efficient-apriori": efficient_apriori,
}


def measure(miner: str, dataset: str, support: float, repeats: int) -> dict:
    """Median time in seconds, peak memory in MB and the number of itemsets.

    The mining runs in a fork of the process that has loaded the data: a fork's highest memory starts at what it
    inherits, so the peak of loading does not hide the miner's.
    """
    matrix, _ = as_matrix(loading.load(dataset))
    job = MINERS[miner](matrix, support)
    fork = multiprocessing.get_context("fork")
    ours, theirs = fork.Pipe(duplex=False)
    child = fork.Process(target=_repeat, args=(job, repeats, theirs))
    child.start()
    theirs.close()
    result = ours.recv()
    child.join()
    return result


def _repeat(job: Job, repeats: int, line: Connection) -> None:
    before = psutil.Process().memory_info().rss
    seconds: list[float] = []
    while len(seconds) < repeats and sum(seconds) < ENOUGH:
        start = time.perf_counter()
        found = job()
        seconds.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if platform.system() == "Darwin" else 1024)
    memory = max(0.0, (peak - before) / 2**20)
    line.send({"itemsets": found, "seconds": statistics.median(seconds), "runs": len(seconds), "peak_mb": memory})


def run(settings: list[str], repeats: int) -> pd.DataFrame:
    """Measure every miner on every set, one after the other."""
    rows = []
    for setting in settings:
        dataset, support = setting.split("@")
        for miner in MINERS:
            command = [sys.executable, __file__, "--one", miner, dataset, support, "--repeats", str(repeats)]
            row = {"data": dataset, "min_support": float(support), "miner": miner}
            try:
                done = subprocess.run(command, capture_output=True, text=True, timeout=TIME_LIMIT, check=True)
                row |= json.loads(done.stdout.splitlines()[-1])
            except subprocess.TimeoutExpired:
                row |= {"note": f"over {TIME_LIMIT} s"}
            except subprocess.CalledProcessError as failure:
                row |= {"note": failure.stderr.strip().splitlines()[-1][:100]}
            rows.append(row)
            shown = (
                f"{row['seconds']:8.3f} s  {row['peak_mb']:7.0f} MB  {row['itemsets']:>7,}"
                if "seconds" in row
                else row["note"]
            )
            print(f"{setting:20} {miner:32} {shown}", flush=True)
    table = pd.DataFrame(rows)
    fast = table[table["miner"] == "llmarm eclat (NumPy)"].set_index(["data", "min_support"])["seconds"]
    keys = pd.MultiIndex.from_frame(table[["data", "min_support"]])
    table["times_llmarm"] = table["seconds"] / fast.reindex(keys).to_numpy()
    return table


def draw(table: pd.DataFrame) -> plt.Figure:
    """Seconds per miner and set, on a logarithmic scale."""
    settings = list(dict.fromkeys(zip(table["data"], table["min_support"], strict=True)))
    columns = 3
    rows = math.ceil(len(settings) / columns)
    figure, axes = plt.subplots(rows, columns, figsize=(12, 2.8 * rows), sharey=True, sharex=True, squeeze=False)
    for axis, (data, support) in zip(axes.flat, settings, strict=False):
        part = table[(table["data"] == data) & (table["min_support"] == support)].iloc[::-1]
        colors = [house_style.ACCENT if miner.startswith("llmarm") else house_style.QUIET for miner in part["miner"]]
        axis.barh(part["miner"], part["seconds"], color=colors)
        for place, row in enumerate(part.itertuples()):
            done = row.seconds == row.seconds
            label = (
                f" {row.seconds:.3g} s · {row.times_llmarm:.3g}× · {row.peak_mb:.0f} MB" if done else " did not finish"
            )
            axis.text(row.seconds if done else 0.006, place, label, va="center", fontsize=8)
        axis.set(title=f"{data}, minimum support {support:g}", xscale="log", xlim=(0.005, 30000))
    for axis in axes.flat[len(settings) :]:
        axis.set_axis_off()
    for axis in axes[-1]:
        axis.set_xlabel("median seconds (logarithmic)")
    figure.suptitle("Seconds · times llmarm's · peak memory while mining", x=0.01, ha="left", fontsize=10)
    return figure


def save_figure(table: pd.DataFrame, out: Path) -> None:
    with house_style.style():
        draw(table).savefig(out / "mining.png", dpi=130, bbox_inches="tight")


def main() -> None:
    parser = argparse.ArgumentParser(description="Time and peak memory of itemset miners, side by side.")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "results" / "benchmarks")
    parser.add_argument("--sets", nargs="+", default=list(SETS), metavar="NAME@SUPPORT")
    parser.add_argument("--one", nargs=3, metavar=("MINER", "DATA", "SUPPORT"), help=argparse.SUPPRESS)
    parser.add_argument("--figure-only", action="store_true", help="draw mining.png anew from mining.csv")
    options = parser.parse_args()
    if options.figure_only:
        save_figure(pd.read_csv(options.out / "mining.csv"), options.out)
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
    if not here:
        sys.exit("None of the data sets is on this machine: fetch them with  llmarm data fetch NAME.")
    table = run(here, options.repeats)
    options.out.mkdir(parents=True, exist_ok=True)
    table.to_csv(options.out / "mining.csv", index=False, float_format="%.4g")
    save_figure(table, options.out)
    packages = ("numpy", "scipy", "mlxtend", "pyfim", "efficient-apriori")
    about = {
        "command": "python benchmarks/mining.py",
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {psutil.cpu_count()} cores",
        "versions": {name: importlib.metadata.version(name) for name in packages},
    }
    (options.out / "mining.json").write_text(json.dumps(about, indent=2) + "\n")
    print(f"wrote {options.out}/mining.csv, mining.png and mining.json")


if __name__ == "__main__":
    main()

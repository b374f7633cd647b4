"""How good and how fast is LightGCN on the splits of its release? Against counting, and against messages along edges.

    python benchmarks/lightgcn.py [--data lastfm gowalla] [--seeds 1 2 3] [--recipes published softmax] [--speed]
                                  [--work runs/lightgcn] [--out results/benchmarks]

The task is that of the release: Recall@20 and NDCG@20 of the items that were drawn at random from those of each user,
all items ranked, those in training left out. Everything is chosen on a tenth of every user's training items: settings
of the baselines, and the number of epochs with the first seed of each recipe. Then all is fitted on the whole training
part and tested once. (The published code looks at the test as it trains, and its tables show the best it saw there or
the last.) Every training keeps its state in --work and goes on from there when the command is given again. For the data
see `llmarm data fetch`.

Recipes: `published` is that of the release: BPR, one negative, batches of 2,048, Adam 1e-3, decay 1e-4, 64 numbers per
node, 3 layers, up to 1,000 epochs. `softmax` has the same model with a softmax over sampled items and a higher rate (on
gowalla in larger batches too, and `softmax-long` with the sampling and temperature that did best on lastfm). On gowalla
the published recipe takes 18 hours of one core, so it is run there only if asked for.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import psutil
import torch
from torch_geometric.nn import LGConv

from llmarm_tutorial.errors import LlmarmError
from llmarm_tutorial.evaluation import published_splits
from llmarm_tutorial.evaluation.intervals import bootstrap_interval
from llmarm_tutorial.evaluation.metrics import Evaluation
from llmarm_tutorial.evaluation.ranking import evaluate
from llmarm_tutorial.evaluation.tasks import Recommender, Task
from llmarm_tutorial.figures import house_style
from llmarm_tutorial.graphs.lightgcn import (
    GraphBatches,
    GraphLoss,
    GraphRecommender,
    LightGCN,
    csr_tensor,
    normalised_adjacency,
    propagate,
    published_settings,
)
from llmarm_tutorial.models.training import train
from llmarm_tutorial.recommend import tuning

METRICS = ("Recall@20", "NDCG@20")
ALSO = ("Recall@10", "NDCG@10")  # kept per seed, as some papers cut there
TRIES = 12  # settings of each baseline tried on validation
CHECKED = 3000  # validation cases after some epochs; what is reported uses all of them
GRIDS = {
    "popularity": {"last": (None,)},
    "itemknn": {"neighbours": (20, 50, 100, 200, 500, 1000), "shrinkage": (0.0, 10.0)},
    "ease": {"ridge": (10.0, 50.0, 100.0, 200.0, 500.0, 1000.0)},
}
PUBLISHED = {"gowalla": (0.1824, 0.1547)}  # the PyTorch release, 3 layers, 1,000 epochs; it has no figure for lastfm

RECIPES: dict[str, dict[str, dict[str, Any]]] = {
    "lastfm": {
        "published": {"batches": {"batch_size": 2048}, "loss": {}, "settings": {"validate_every": 20, "patience": 5}},
        "softmax": {
            "batches": {"batch_size": 2048, "negatives": 512, "power": 0.5},
            "loss": {"temperature": 0.2},
            "settings": {"epochs": 48, "learning_rate": 5e-3, "decay": "linear", "validate_every": 4, "patience": 12},
        },
    },
    "gowalla": {
        "softmax": {
            "batches": {"batch_size": 8192, "negatives": 512, "power": 1.0},
            "loss": {"temperature": 0.1},
            "settings": {"epochs": 60, "learning_rate": 1e-2, "validate_every": 1, "patience": 3},
        },
        "softmax-long": {
            "batches": {"batch_size": 8192, "negatives": 512, "power": 0.5},
            "loss": {"temperature": 0.2},
            "settings": {"epochs": 40, "learning_rate": 1e-2, "decay": "linear", "validate_every": 4, "patience": 10},
        },
        "published": {"batches": {"batch_size": 2048}, "loss": {}, "settings": {"validate_every": 10, "patience": 20}},
    },
}


class Bench:
    """One published split, and its training part split again to choose on."""

    def __init__(self, name: str, work: Path) -> None:
        self.name, self.work = name, work / name
        self.work.mkdir(parents=True, exist_ok=True)
        self.whole = published_splits.split(name)
        self.part = self.whole.held_out(0.1, seed=0)
        self.few = self.part.task(CHECKED)
        self.tasks: dict[str, Task] = {"validation": self.part.task(), "test": self.whole.task()}

    def keep(self, stem: str, row: dict[str, Any], tested: Evaluation, curve: list[dict] | None = None) -> None:
        """Write one result and its values per case, the mark that it is done last."""
        values = np.column_stack([tested.values(metric) for metric in METRICS]).astype(np.float32)
        np.save(self.work / f"{stem}.npy", values)
        row = {"data": self.name} | row | {f"test {metric}": tested.mean(metric) for metric in (*METRICS, *ALSO)}
        part = self.work / f".{stem}.json"
        part.write_text(json.dumps({"row": row, "curve": curve or []}, indent=1), encoding="utf-8")
        os.replace(part, self.work / f"{stem}.json")
        print(f"{self.name} {stem}: test " + ", ".join(f"{m} {row[f'test {m}']:.4f}" for m in METRICS), flush=True)

    def judged(self, system: Recommender, part: str, name: str) -> Evaluation:
        """The evaluation on validation or test."""
        return evaluate(system, self.tasks[part], ks=(20,), name=name)

    def counting(self) -> None:
        """Every baseline with the settings that did best on validation, counted again in the whole training part."""
        for name, grid in GRIDS.items():
            if (self.work / f"{name}.json").exists():
                continue
            used = time.process_time()
            try:
                tuned = tuning.tune_baseline(
                    name, self.part.histories, self.few, budget=TRIES, metric="Recall@20", grid=grid
                )
                searched, used, begin = time.process_time() - used, time.process_time(), time.perf_counter()
                fitted = tuned.best.fit(self.whole.histories)
            except LlmarmError as error:
                print(f"{self.name} {name}: left out. {error}")
                continue
            row = {
                "system": name,
                "recipe": "",
                "seed": 0,
                "seconds": time.perf_counter() - begin,
                "core seconds": time.process_time() - used,
                "core seconds of choosing": searched,
                "settings": repr(tuned.best),
            }
            for metric in METRICS:
                row[f"validation {metric}"] = self.judged(tuned.system, "validation", name).mean(metric)
            self.keep(name, row, self.judged(fitted, "test", name))

    def model(self, recipe: str, seed: int, first: int) -> None:
        """Train on the whole training part for as many epochs as were best on validation with the first seed."""
        stem = f"{recipe}-{seed}"
        if (self.work / f"{stem}.json").exists():
            return
        plan = RECIPES[self.name][recipe]
        chosen = self.chosen(recipe, first)
        used = since_start(self.work / stem)
        model, done = self.trained(recipe, seed, self.whole, self.work / stem, {"epochs": chosen["epochs"]}, None)
        used = time.process_time() - used
        row = chosen["validation"] | {
            "system": f"LightGCN, {recipe}",
            "recipe": recipe,
            "seed": seed,
            "epochs": chosen["epochs"],
            "threads": torch.get_num_threads(),
            "seconds": done.seconds,
            "core seconds": used,
            "core seconds of choosing": chosen["core seconds"],
            "settings": json.dumps(plan),
        }
        self.keep(stem, row, self.judged(GraphRecommender(model), "test", stem), chosen["curve"])

    def chosen(self, recipe: str, seed: int) -> dict[str, Any]:
        """The best number of epochs on validation, with the curve that shows it."""
        path = self.work / f"{recipe}-chosen" / "chosen.json"
        if path.exists():
            return json.loads(path.read_text(encoding="utf-8"))
        used = since_start(path.parent)

        def validate(net: LightGCN) -> float:
            found = evaluate(GraphRecommender(net), self.few, ks=(20,))
            told = ", ".join(f"{metric} {found.mean(metric):.4f}" for metric in METRICS)
            print(
                f"{self.name} {recipe}, validation: {told}, core seconds {time.process_time() - used:.0f}", flush=True
            )
            return found.mean("Recall@20")

        model, done = self.trained(recipe, seed, self.part, path.parent, {}, validate)
        plan = asdict(published_settings(**RECIPES[self.name][recipe]["settings"]))
        found = self.judged(GraphRecommender(model), "validation", recipe)
        kept = {
            # a rate that falls to 0 belongs to its number of epochs; only at a constant one epochs can be chosen
            "epochs": done.best_epoch if plan["decay"] == "constant" else plan["epochs"],
            "core seconds": time.process_time() - used,
            "validation": {f"validation {metric}": found.mean(metric) for metric in METRICS},
            "curve": done.validations.to_dict("records"),
        }
        path.write_text(json.dumps(kept, indent=1), encoding="utf-8")
        return kept

    def trained(
        self,
        recipe: str,
        seed: int,
        data: published_splits.PublishedSplit,
        folder: Path,
        changes: dict,
        validate: Callable | None,
    ) -> tuple[LightGCN, Any]:
        """A model trained by a recipe on a training part."""
        plan = RECIPES[self.name][recipe]
        kind = "bpr" if recipe == "published" else "softmax"
        model = LightGCN(data.train, 64, 3, seed=seed)
        done = train(
            model,
            GraphBatches(data.train, kind, seed=seed, **plan["batches"]),
            published_settings(seed=seed, **plan["settings"] | changes),
            loss=GraphLoss(kind, **plan["loss"]),
            validate=validate,
            folder=folder,
            progress=False,
        )
        return model, done


def since_start(folder: Path) -> float:
    """Core seconds of this process until now; NaN where a training goes on, as those of the earlier part are lost."""
    return float("nan") if (folder / "last.pt").exists() else time.process_time()


def speed(name: str, rounds: int = 7) -> pd.DataFrame:
    """Forward and backward of three layers: sparse rows against messages along edges, interleaved, medians."""
    matrix = normalised_adjacency(published_splits.split(name).train)
    adjacency, coordinates = csr_tensor(matrix), matrix.tocoo()
    edges = torch.tensor(np.array([coordinates.col, coordinates.row]), dtype=torch.int64)
    weights, layer = torch.from_numpy(coordinates.data), LGConv(normalize=False)
    nodes = torch.randn(matrix.shape[0], 64, generator=torch.Generator().manual_seed(0)) * 0.1
    slope = torch.ones_like(nodes)

    def along_edges(values: torch.Tensor) -> torch.Tensor:
        total = one = values
        for _ in range(3):
            one = layer(one, edges, weights)
            total = total + one
        return total / 4

    ways = {"rows (CSR)": lambda values: propagate(values, adjacency, 3), "messages (LGConv)": along_edges}
    rows, results = [], {}
    before = torch.get_num_threads()
    for threads in (1, 2):
        torch.set_num_threads(threads)
        spent: dict[str, list[float]] = {way: [] for way in ways}
        for number in range(rounds + 1):
            for way, function in ways.items():
                values = nodes.clone().requires_grad_()
                begin = time.perf_counter()
                function(values).backward(slope)
                if number:  # the first round warms up
                    spent[way].append(time.perf_counter() - begin)
                results[way] = values.grad
        ratios = [slow / quick for quick, slow in zip(*spent.values(), strict=True)]
        for way, times in spent.items():
            rows.append({"data": name, "threads": threads, "way": way, "seconds": statistics.median(times)})
        rows[-2]["times as fast"] = statistics.median(ratios)
        rows[-2]["least"], rows[-2]["most"] = min(ratios), max(ratios)
    torch.set_num_threads(before)
    one, other = results.values()
    if not torch.allclose(one, other, atol=1e-4, rtol=1e-4):
        raise SystemExit("The two ways do not give the same gradient.")
    # What is written per step: every layer of messages is a vector per edge, kept for the gradient; rows keep nothing.
    rows[0]["MB of messages"], rows[1]["MB of messages"] = 0.0, 3 * len(weights) * 64 * 4 / 1e6
    return pd.DataFrame(rows)


def collected(work: Path) -> tuple[pd.DataFrame, dict[str, list[dict]], pd.DataFrame]:
    """All results in a folder: one row each, the curves, and a summary with intervals per data set and system."""
    rows, curves, cases = [], {}, {}
    for path in sorted(work.glob("*/*.json")):
        kept = json.loads(path.read_text(encoding="utf-8"))
        rows.append(kept["row"])
        cases.setdefault((kept["row"]["data"], kept["row"]["system"]), []).append(np.load(path.with_suffix(".npy")))
        if kept["curve"]:
            curves[f"{kept['row']['data']}, {kept['row']['recipe']}"] = kept["curve"]
    table, found = pd.DataFrame(rows), []
    for (data, system), part in table.groupby(["data", "system"], sort=False) if rows else ():
        row = {"data": data, "system": system, "seeds": len(part)}
        low, high = bootstrap_interval(np.mean(cases[data, system], axis=0))
        for number, metric in enumerate(METRICS):
            row[metric], row[f"{metric} sd"] = part[f"test {metric}"].mean(), part[f"test {metric}"].std()
            row[f"{metric} low"], row[f"{metric} high"] = low[number], high[number]
            row[f"validation {metric}"] = part[f"validation {metric}"].mean()
        columns = [c for c in ("epochs", "seconds", "core seconds", "core seconds of choosing") if c in part]
        found.append(row | {column: part[column].mean() for column in columns})
    summary = pd.DataFrame(found)
    if len(summary):
        summary = summary.sort_values(["data", "Recall@20"], ascending=[False, False], ignore_index=True)
    return table, curves, summary


def drawing(summary: pd.DataFrame, curves: dict[str, list[dict]]) -> plt.Figure:
    """Validation over the epochs, and Recall@20 of all systems in the test, one row per data set."""
    names = list(summary["data"].unique())
    figure, axes = plt.subplots(len(names), 2, figsize=(8.5, 3.2 * len(names)), squeeze=False, layout="constrained")
    for (left, right), name in zip(axes, names, strict=True):
        here = [(told, pd.DataFrame(curve)) for told, curve in curves.items() if told.startswith(f"{name}, ")]
        for color, (told, curve) in zip(house_style.CYCLE, here, strict=False):
            left.plot(curve["epoch"], curve["score"], "o-", ms=2.5, color=color, label=told.split(", ")[1])
        left.set(xscale="log", xlabel="epochs", ylabel="Recall@20, validation", title=name)
        left.legend(frameon=False)
        part = summary[summary["data"] == name].iloc[::-1]
        errors = [part["Recall@20"] - part["Recall@20 low"], part["Recall@20 high"] - part["Recall@20"]]
        right.barh(
            part["system"], part["Recall@20"], xerr=errors, color=house_style.CYCLE[0], ecolor="#555555", capsize=2
        )
        if name in PUBLISHED:
            right.axvline(PUBLISHED[name][0], ls=":", color="#555555")
            right.set_title("dotted: published", fontsize=9)
        right.set_xlabel("Recall@20, test")
    return figure


def main() -> None:
    """Measure, write lightgcn.csv, lightgcn_seeds.csv, lightgcn_speed.csv, lightgcn.json and lightgcn.png."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="*", choices=RECIPES, default=list(RECIPES))
    parser.add_argument("--recipes", nargs="+", choices=("published", "softmax", "softmax-long"), default=None)
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--work", type=Path, default=Path("runs/lightgcn"))
    parser.add_argument("--out", type=Path, default=Path("results/benchmarks"))
    parser.add_argument("--speed", action="store_true", help="measure a step's time on gowalla too")
    parser.add_argument("--models-only", action="store_true", help="leave the baselines for later")
    parser.add_argument("--collect", action="store_true", help="only write the tables of what is done")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for name in [] if options.collect else options.data:
        try:
            bench = Bench(name, options.work)
        except LlmarmError as error:
            sys.exit(str(error))
        usual = ["published", "softmax"] if name == "lastfm" else ["softmax", "softmax-long"]
        for seed in options.seeds:
            for recipe in options.recipes or usual:
                if recipe in RECIPES[name]:
                    bench.model(recipe, seed, options.seeds[0])
        if not options.models_only:
            bench.counting()
    if options.speed:
        speed("gowalla").to_csv(options.out / "lightgcn_speed.csv", index=False, float_format="%.4g")
    rows, curves, summary = collected(options.work)
    if rows.empty:
        sys.exit(f"{options.work} holds no results yet; run without --collect.")
    summary.to_csv(options.out / "lightgcn.csv", index=False, float_format="%.6g")
    rows.to_csv(options.out / "lightgcn_seeds.csv", index=False, float_format="%.6g")
    about = {
        "command": "python benchmarks/lightgcn.py --speed",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "machine": f"{platform.machine()}, {psutil.cpu_count()} cores",
        "published": PUBLISHED,
        "recipes": RECIPES,
    }
    text = json.dumps(about | {"curves": curves}, indent=1) + "\n"
    (options.out / "lightgcn.json").write_text(text, encoding="utf-8")
    with house_style.style():
        drawing(summary, curves).savefig(options.out / "lightgcn.png", dpi=130)
    print(summary.to_string(index=False, float_format=lambda value: f"{value:.4f}"))


if __name__ == "__main__":
    main()

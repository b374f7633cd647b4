"""How good are models and counting at the next item? The protocol of SASRec and BERT4Rec, every seed, every baseline.

    python benchmarks/quality.py [--recipe cpu|gpu] [--data movielens-1m beauty] [--seeds 1 2 3]
                                 [--work runs/quality] [--out results/benchmarks]

Leave-one-out by event; all items are ranked, those of the history left out; everything is fitted on the training part,
chosen on validation and tested once. Every training keeps its state in --work and goes on from there when the command
is given again, so that a long benchmark can be stopped at any time. A recipe says how each model is trained: `cpu`
needs two cores and 15 minutes a model, `gpu` a graphics card of 16 GB. For the data see `llmarm data fetch`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import numpy as np
import pandas as pd
import psutil
import torch

from llmarm_tutorial.data import loading
from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.errors import LlmarmError
from llmarm_tutorial.evaluation.intervals import bootstrap_interval
from llmarm_tutorial.evaluation.metrics import Evaluation
from llmarm_tutorial.evaluation.ranking import evaluate
from llmarm_tutorial.evaluation.tasks import Recommender, Task, next_item_task
from llmarm_tutorial.figures import house_style
from llmarm_tutorial.figures import models as models_figures
from llmarm_tutorial.models.recipes import Recipe
from llmarm_tutorial.recommend import tuning
from llmarm_tutorial.recommend.experts import choose_weight

METRICS = ("HR@10", "NDCG@10", "MRR")
CHECKED = 3000  # validation cases after each epoch; what is reported uses all of them
TRIES = 12  # settings of each baseline tried on validation

# Chosen on validation, results/next_items.md.
USUAL = Recipe(
    layers=2, heads=2, feed_forward=256, dropout=0.1, spread=0.02, popularity=False, copying=False, batch_size=128,
    warmup=0.05, precision="auto", log_every=50,
)  # fmt: skip
CAUSAL, MASKED = USUAL, replace(USUAL, objective="masked")
LARGE = {"hidden": 128, "heads": 4, "feed_forward": 512, "learning_rate": 1e-3}
LONG = LARGE | {"max_length": 200, "layers": 3, "patience": 8}
RECIPES: dict[str, dict[str, dict[str, Recipe]]] = {
    "cpu": {
        "movielens-1m": {
            "causal": replace(CAUSAL, epochs=20, validate_every=2),
            "masked": replace(MASKED, max_length=100, last_share=0.1, epochs=40, validate_every=4),
        },
        "beauty": {
            "causal": replace(CAUSAL, dropout=0.3, epochs=8),
            "masked": replace(MASKED, dropout=0.2, last_share=0.3, epochs=16, learning_rate=1e-3, validate_every=2),
        },
    },
    "gpu": {
        "movielens-1m": {
            "causal": replace(CAUSAL, **LONG, dropout=0.2, epochs=80, validate_every=2),
            "masked": replace(MASKED, **LONG, last_share=0.1, epochs=200, validate_every=4),
        },
        "beauty": {
            "causal": replace(CAUSAL, **LARGE, dropout=0.4, epochs=30, patience=6),
            "masked": replace(MASKED, **LARGE, dropout=0.3, last_share=0.3, epochs=100, validate_every=2, patience=8),
        },
    },
}


class Bench:
    """One data set, its split and its two tasks."""

    def __init__(self, name: str, work: Path) -> None:
        self.name, self.work = name, work / name
        self.kept_models = work.parent / "item-models" / name  # for the benchmarks that use the same ones
        self.work.mkdir(parents=True, exist_ok=True)
        data: Transactions = loading.load(name)
        if name == "movielens-1m":
            data = data.filter_items(5)
        split = data.leave_one_out(unit="event")
        self.n_items, self.histories = len(data.items), split.train.histories()
        self.tasks: dict[str, Task] = {part: next_item_task(split, part) for part in ("validation", "test")}
        self.few = next_item_task(split, "validation", max_cases=CHECKED)

    def judge(self, system: Recommender, name: str) -> tuple[dict[str, float], Evaluation]:
        """The metrics on validation and test, and the evaluation of the test."""
        found: dict[str, float] = {}
        for part, task in self.tasks.items():
            evaluation = evaluate(system, task, ks=(10,), name=name)
            found |= {f"{part} {metric}": evaluation.mean(metric) for metric in METRICS}
        return found, evaluation

    def keep(self, stem: str, row: dict[str, Any], evaluation: Evaluation, curve: list[dict] | None = None) -> None:
        """Write one result and its values per case, the mark that it is done last."""
        np.save(self.work / f"{stem}.npy", evaluation.values("NDCG@10").astype(np.float32))
        part = self.work / f".{stem}.json"
        part.write_text(json.dumps({"row": row, "curve": curve or []}, indent=1), encoding="utf-8")
        os.replace(part, self.work / f"{stem}.json")

    def counting(self) -> None:
        """Every baseline with its default settings and with those that did best on validation."""
        for name in tuning.BASELINES:
            if name == "personal" or (self.work / f"{name}.json").exists():
                continue  # with seen items left out it is popularity
            try:
                begin, used = time.perf_counter(), time.process_time()
                fitted = tuning.make_baseline(name).fit(self.histories)
                seconds, used = time.perf_counter() - begin, time.process_time() - used
                found, evaluation = self.judge(fitted, name)
                tuned = tuning.tune_baseline(name, self.histories, self.few, budget=TRIES)
            except LlmarmError as error:
                print(f"{self.name} {name}: left out. {error}")
                continue
            common = {"data": self.name, "recipe": "", "seed": 0, "threads": 1, "parameters": 0}
            self.keep(name, common | {"system": name, "seconds": seconds, "core seconds": used} | found, evaluation)
            if tuned.best != tuning.make_baseline(name):
                found, evaluation = self.judge(tuned.system, f"{name}, tuned")
                spent = float(tuned.tries["seconds"].sum())
                row = {
                    "system": f"{name}, tuned",
                    "seconds": spent,
                    "core seconds": spent,
                    "settings": repr(tuned.best),
                }
                self.keep(f"{name}-tuned", common | row | found, evaluation)

    def model(self, recipe: str, objective: str, seed: int) -> None:
        """Train one model, judge it alone and multiplied with sequential rules."""
        stem = f"{recipe}-{objective}-{seed}"
        if (self.work / f"{stem}-blend.json").exists():
            return
        plan = RECIPES[recipe][self.name][objective]
        used = time.process_time()
        fitted = plan.fit(
            self.histories,
            seed=seed,
            validate=lambda system: evaluate(system, self.few, ks=(10,)).mean("NDCG@10"),
            folder=self.kept_models,
            progress=True,
        )
        used = time.process_time() - used
        recommender, done = fitted.recommender, fitted.training
        common = {
            "data": self.name,
            "recipe": recipe,
            "seed": seed,
            "threads": torch.get_num_threads(),
            "parameters": sum(weight.numel() for weight in fitted.model.parameters()),
            "seconds": done.seconds,
            "core seconds": used,
            "best epoch": done.best_epoch,
            "device": done.device,
            "precision": done.precision,
            "settings": json.dumps(asdict(plan)),
        }
        found, evaluation = self.judge(recommender, objective)
        self.keep(stem, common | {"system": objective} | found, evaluation, done.validations.to_dict("records"))
        rules = tuning.make_baseline("sr").fit(self.histories)
        joined = choose_weight(recommender, rules, self.few)
        found, evaluation = self.judge(joined.system, f"{objective} × sr")
        self.keep(f"{stem}-blend", common | {"system": f"{objective} × sr", "weight": joined.best} | found, evaluation)
        print(f"{self.name} {stem}: test NDCG@10 {evaluation.mean('NDCG@10'):.4f} with sr")


def collected(work: Path) -> tuple[pd.DataFrame, dict[str, list[dict]], dict[tuple, np.ndarray]]:
    """All results in a folder: their rows, the curves of the trainings, and NDCG@10 per case."""
    rows, curves, cases = [], {}, {}
    for path in sorted(work.glob("*/*.json")):
        kept = json.loads(path.read_text(encoding="utf-8"))
        row = kept["row"]
        rows.append(row)
        cases[row["data"], row["system"], row["recipe"], row["seed"]] = np.load(path.with_suffix(".npy"))
        if kept["curve"]:
            curves[f"{row['data']} {row['system']} {row['seed']}"] = kept["curve"]
    return pd.DataFrame(rows), curves, cases


def summarised(rows: pd.DataFrame, cases: dict[tuple, np.ndarray]) -> pd.DataFrame:
    """One row per data set and system: mean and standard deviation over seeds, and the gain on sr with its interval."""
    found = []
    for (data, system, recipe), part in rows.groupby(["data", "system", "recipe"], sort=False):
        row = {"data": data, "system": system, "recipe": recipe, "seeds": len(part)}
        for metric in METRICS:
            row[metric] = part[f"test {metric}"].mean()
            row[f"{metric} sd"] = part[f"test {metric}"].std()
            row[f"validation {metric}"] = part[f"validation {metric}"].mean()
        row |= {column: part[column].mean() for column in ("seconds", "core seconds", "parameters")}
        rival = cases.get((data, "sr", "", 0))
        if rival is not None:
            gains = np.mean([cases[data, system, recipe, seed] for seed in part["seed"]], axis=0) - rival
            low, high = bootstrap_interval(gains)
            row |= {"gain on sr": gains.mean(), "low": low, "high": high}
        found.append(row)
    order = {"movielens-1m": 0, "beauty": 1}
    table = pd.DataFrame(found)
    return table.sort_values(
        ["data", "NDCG@10"], key=lambda c: c.map(order) if c.name == "data" else c, ignore_index=True
    )


def main() -> None:
    """Measure, write quality.csv, quality_seeds.csv, quality.json and quality.png."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", choices=RECIPES, default="cpu")
    parser.add_argument("--data", nargs="+", choices=RECIPES["cpu"], default=list(RECIPES["cpu"]))
    parser.add_argument("--models", nargs="*", choices=("causal", "masked"), default=["causal", "masked"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--work", type=Path, default=Path("runs/quality"))
    parser.add_argument("--out", type=Path, default=Path("results/benchmarks"))
    parser.add_argument("--collect", action="store_true", help="only write the tables of what is done")
    options = parser.parse_args()
    if not options.collect:
        for name in options.data:
            try:
                bench = Bench(name, options.work)
            except LlmarmError as error:
                sys.exit(str(error))
            bench.counting()
            for objective in options.models:
                for seed in options.seeds:
                    bench.model(options.recipe, objective, seed)
    rows, curves, cases = collected(options.work)
    if rows.empty:
        sys.exit(f"{options.work} holds no results yet; run without --collect.")
    options.out.mkdir(parents=True, exist_ok=True)
    summary = summarised(rows, cases)
    summary.to_csv(options.out / "quality.csv", index=False, float_format="%.6g")
    rows.to_csv(options.out / "quality_seeds.csv", index=False, float_format="%.6g")
    models = sorted(
        {system.split()[0] for system, recipe in zip(rows["system"], rows["recipe"], strict=True) if recipe}
    )
    about = {
        "command": f"python benchmarks/quality.py --models {' '.join(models)}",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "machine": f"{platform.machine()}, {psutil.cpu_count()} cores",
        "recipes": sorted(set(rows["recipe"]) - {""}),
        "defaults": asdict(USUAL),
    }
    (options.out / "quality.json").write_text(json.dumps(about | {"curves": curves}, indent=1) + "\n", encoding="utf-8")
    with house_style.style():
        models_figures.quality_and_time(curves, summary).savefig(options.out / "quality.png", dpi=130)
    print(summary.to_string(index=False, float_format=lambda value: f"{value:.4f}"))


if __name__ == "__main__":
    main()

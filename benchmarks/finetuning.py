"""What does fine-tuning gain, and how much of a model must it move? Every task, variant and seed, beside counting.

    python benchmarks/finetuning.py [--data shop online-retail movielens-1m] [--seeds 1 2 3]
                                    [--work runs/finetuning] [--out results/benchmarks]

Three kinds of tasks (see `llmarm_tutorial/labels/tasks.py`), each with parts that share nothing that would give answers
away. Every variant of fine-tuning gets the same epochs (from scratch four times as many) and up to three learning
rates; the rate is chosen on validation of the first seed, the test is looked at once per seed. A seed draws
pretraining, division of the examples, and fine-tuning. Results are kept one by one in --work, so that the command goes
on where it was stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import numpy as np
import pandas as pd
import psutil
import torch
from matplotlib.figure import Figure

from llmarm_tutorial.data import loading
from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.errors import LlmarmError
from llmarm_tutorial.figures import classify as classify_figures
from llmarm_tutorial.figures import house_style
from llmarm_tutorial.labels import customer_tasks, product_tasks
from llmarm_tutorial.labels.baselines import LogisticOnCounts, TreesOnCounts, majority
from llmarm_tutorial.labels.scores import ClassScores
from llmarm_tutorial.labels.tasks import Labelled
from llmarm_tutorial.models.fine_tuning import VARIANTS, fine_tune
from llmarm_tutorial.models.item_model import ItemModel
from llmarm_tutorial.models.label_batches import Augmentation
from llmarm_tutorial.models.recipes import Recipe
from llmarm_tutorial.models.training import Settings

MANY = ("scratch", "full", "top layer")  # variants that move many weights: smaller rates
RATES = {variant: (3e-4, 1e-3, 3e-3) if variant in MANY else (3e-3, 1e-2, 3e-2) for variant in VARIANTS}
RATES["scratch"] = (1e-3, 3e-3)
EPOCHS = 8
PATIENT = {"scratch": 4}  # times as many epochs: what was not pretrained has more to learn
METRICS = ("AUROC", "average precision", "macro F1", "accuracy", "log loss", "ECE")
TASKS = {
    "shop": ("customer", "rule", "pair"),
    "online-retail": ("customer", "rule", "pair"),
    "movielens-1m": ("customer",),
}
LABELS = (50, 100, 200, 400, 800)  # and all: the curve of label efficiency, on customers
PRETRAINING = {  # epochs
    "shop": {"customer": 24, "basket": 12},
    "online-retail": {"customer": 10, "basket": 6},
    "movielens-1m": {"customer": 4},
}
WIDTH, LENGTH = 64, 64
CONSTANT = replace(Settings(), epochs=EPOCHS, patience=EPOCHS, precision="no", learning_rate=1e-3)
ADVICE: dict[str, dict[str, Any]] = {
    "as is": {},
    "rate 2e-5": {"settings": {"learning_rate": 2e-5}},
    "rate 1e-4": {"settings": {"learning_rate": 1e-4}},
    "rate 3e-4": {"settings": {"learning_rate": 3e-4}},
    "rate 3e-3": {"settings": {"learning_rate": 3e-3}},
    "rate 1e-2": {"settings": {"learning_rate": 1e-2}},
    "no warm-up": {"settings": {"warmup": 0.0}},
    "warm-up 30 %": {"settings": {"warmup": 0.3}},
    "constant rate": {"settings": {"decay": "constant"}},
    "weight decay 0": {"settings": {"weight_decay": 0.0}},
    "weight decay 0.3": {"settings": {"weight_decay": 0.3}},
    "dropout 0": {"dropout": 0.0},
    "dropout 0.3": {"dropout": 0.3},
    "label smoothing 0.1": {"smoothing": 0.1},
    "drop 20 % of the items": {"augmentation": {"drop": 0.2}},
    "drop 50 % of the items": {"augmentation": {"drop": 0.5}},
    "substitute 20 % of the items": {"augmentation": {"substitute": 0.2}},
    "reorder": {"augmentation": {"reorder": True}},
}


class Bench:
    """One data set with one seed: its tasks and its pretrained models, made when they are asked for."""

    def __init__(self, name: str, seed: int, work: Path) -> None:
        self.name, self.seed, self.work = name, seed, work / name
        self.work.mkdir(parents=True, exist_ok=True)
        data: Transactions = loading.load(name)
        self.data = data.filter_items(5) if name != "shop" else data
        self.split = None if name == "movielens-1m" else self.data.split_by_time(0.25, 0.25)
        self.early = self.data if self.split is None else self.split.train
        self._tasks: dict[str, Labelled] = {}
        self._models: dict[str, ItemModel] = {}

    def task(self, kind: str) -> Labelled:
        """One task of the data set."""
        if kind not in self._tasks:
            self._tasks[kind] = self._make(kind)
        return self._tasks[kind]

    def _make(self, kind: str) -> Labelled:
        if kind == "customer":
            if self.name == "online-retail":
                return customer_tasks.returning_customers(self.data, seed=self.seed, max_events=LENGTH)
            column = "segment" if self.name == "shop" else "gender"
            return customer_tasks.customer_segments(self.data, seed=self.seed, max_events=LENGTH, column=column)
        if kind == "rule":
            demands = {"min_count": 20, "kept": 0.75} if self.name == "online-retail" else {}
            return product_tasks.holding_rules(*self.split, seed=self.seed, rules=20_000, **demands)
        if self.name == "shop":
            return product_tasks.same_category_pairs(self.data, self.early, seed=self.seed, shares=(0.4, 0.2, 0.4))
        return product_tasks.together_pairs(self.early, after(self.data, self.split), seed=self.seed, pairs=6000)

    def model(self, kind: str) -> ItemModel:
        """The pretrained masked model of sets: of customers' purchases, or of baskets; without what is tested on."""
        unit = "customer" if kind == "customer" else "basket"
        if unit in self._models:
            return self._models[unit]
        if unit == "basket":
            known = Histories.from_matrix(self.early.basket_matrix())
        else:
            task = self.task("customer")
            known = task.sets.take(np.flatnonzero(task.part < 2))  # no customer of the test
        recipe = Recipe(
            objective="masked", positions=False, hidden=WIDTH, layers=2, heads=1, feed_forward=2 * WIDTH,
            max_length=LENGTH, copying=unit == "customer", batch_size=16 if unit == "customer" else 64,
            epochs=PRETRAINING[self.name][unit], warmup=0.05, log_every=100,
        )  # fmt: skip
        fitted = recipe.fit(known, seed=self.seed, folder=self.work / f"pretrained-{unit}")
        done = fitted.training
        first, last = done.losses["loss"].iloc[[0, -1]]
        print(f"{self.name} {unit} {self.seed}: pretrained in {done.seconds:.0f} s, loss {first:.3f} → {last:.3f}")
        self._models[unit] = fitted.model
        return fitted.model

    def kept(self, stem: str, measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """A result from the work folder, or measured now and kept."""
        path = self.work / f"{stem}.json".replace(" ", "_").replace("%", "")
        if not path.exists():
            row = {"data": self.name, "seed": self.seed} | measure()
            part = path.with_suffix(".part")
            part.write_text(json.dumps(row, indent=1), encoding="utf-8")
            os.replace(part, path)
            print(self.name, stem, f"{row['test']:.4f}", f"{row.get('seconds', 0):.0f} s", flush=True)
        return json.loads(path.read_text(encoding="utf-8"))

    def counting(self, kind: str) -> None:
        """Majority and the classifiers on counts."""
        task = self.task(kind)
        test = task.of("test")
        nothing = ClassScores("majority", test, majority(task))
        self.kept(f"{kind}-majority-{self.seed}", lambda: self._judged(kind, nothing, {}))
        makers = [LogisticOnCounts] if kind == "customer" else [LogisticOnCounts, TreesOnCounts]
        for maker in makers:

            def fitted(maker: type = maker) -> dict[str, Any]:
                begin = time.process_time()
                found = maker().fit(task)
                cost = {"seconds": time.process_time() - begin, "validation": found.trials["validation"].max()}
                return self._judged(kind, found.scores(test), cost | {"setting": str(found.setting)})

            self.kept(f"{kind}-{maker.__name__}-{self.seed}", fitted)

    def variant(self, kind: str, variant: str, rates: tuple[float, ...]) -> float:
        """Fine-tune with each rate; the best on validation is judged on the test. Returns that rate."""

        def measure() -> dict[str, Any]:
            task, start = self.task(kind), self.model(kind)
            tries = {}
            for rate in rates:
                begin = time.process_time()
                epochs = EPOCHS * PATIENT.get(variant, 1)
                plan = replace(CONSTANT, learning_rate=rate, seed=self.seed, epochs=epochs, patience=epochs)
                tuned = fine_tune(start, task, variant, plan, max_length=LENGTH + 1)
                tries[rate] = tuned, time.process_time() - begin
            rate = max(tries, key=lambda r: tries[r][0].training.best_score)
            tuned, seconds = tries[rate]
            cost = {"seconds": seconds, "trainable": tuned.trainable, "state_bytes": tuned.state_bytes}
            cost |= {"rate": rate, "validation": tuned.training.best_score, "best epoch": tuned.training.best_epoch}
            return self._judged(kind, tuned.scores(task.of("test")), cost)

        return self.kept(f"{kind}-{variant}-{self.seed}", measure)["rate"]

    def few(self, labels: int, system: str, rate: float) -> None:
        """Customers with few labels: counting, or a variant, with the rate chosen for all labels."""

        def measure() -> dict[str, Any]:
            whole = self.task("customer")
            task = whole.sample(labels, seed=self.seed)
            about = {"labels": labels}
            if system == "logistic on counts":
                return self._judged("customer", LogisticOnCounts().fit(task).scores(task.of("test")), about)
            # as many steps as with 800 labels, so that few labels do not mean few steps
            usual = EPOCHS * PATIENT.get(system, 1)
            epochs = max(usual, usual * min(800, (whole.part == 0).sum()) // labels)
            plan = replace(CONSTANT, learning_rate=rate, seed=self.seed, epochs=epochs, patience=epochs)
            plan = replace(plan, validate_every=max(1, epochs // EPOCHS))
            shape = {"max_length": LENGTH + 1, "batch_size": min(64, labels)}
            tuned = fine_tune(self.model("customer"), task, system, plan, **shape)
            return self._judged("customer", tuned.scores(task.of("test")), about)

        self.kept(f"few-{system}-{labels}-{self.seed}", measure)

    def advice(self, name: str, options: dict[str, Any], labels: int) -> None:
        """One piece of advice on full fine-tuning on customers, judged on validation and test."""

        def measure() -> dict[str, Any]:
            task = self.task("customer").sample(labels, seed=self.seed)
            given = dict(options)
            plan = replace(CONSTANT, seed=self.seed, **given.pop("settings", {}))
            if change := given.pop("augmentation", None):
                given["augmentation"] = Augmentation(**change, neighbours=self._neighbours())
            tuned = fine_tune(self.model("customer"), task, "full", plan, max_length=LENGTH + 1, **given)
            about = {"labels": labels, "validation": tuned.training.best_score, "best epoch": tuned.training.best_epoch}
            last = {}
            if name == "as is":
                last = self._without_stopping(task)
            return self._judged("customer", tuned.scores(task.of("test")), about | last) | {"system": name}

        self.kept(f"advice-{name}-{labels}-{self.seed}", measure)

    def _without_stopping(self, task: Labelled) -> dict[str, float]:
        """The last epoch of three times as many, instead of the best one; and an ensemble of three."""
        plan = replace(CONSTANT, seed=self.seed, epochs=3 * EPOCHS, validate_every=3 * EPOCHS, patience=3)
        start, test = self.model("customer"), task.of("test")
        last = fine_tune(start, task, "full", plan, max_length=LENGTH + 1).scores(test)
        best = fine_tune(start, task, "full", replace(plan, validate_every=1, patience=99), max_length=LENGTH + 1)
        several = [
            fine_tune(start, task, "full", replace(CONSTANT, seed=100 * self.seed + k), max_length=LENGTH + 1).scores(
                test
            )
            for k in range(3)
        ]
        together = ClassScores("ensemble", test, np.mean([one.probabilities for one in several], axis=0))
        return {
            "24 epochs, last one": last.value(task.metric),
            "24 epochs, best one": best.scores(test).value(task.metric),
            "three single, mean": float(np.mean([one.value(task.metric) for one in several])),
            "ensemble of three": together.value(task.metric),
        }

    def _neighbours(self) -> np.ndarray:
        """The five nearest items of each by the vectors of the pretrained model."""
        vectors = self.model("customer").output_table.detach().numpy()
        unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        similar = unit @ unit.T
        np.fill_diagonal(similar, -np.inf)
        return np.argpartition(-similar, 5, axis=1)[:, :5]

    def _judged(self, kind: str, scores: ClassScores, about: dict[str, Any]) -> dict[str, Any]:
        """A result: all metrics on the test, the task's own one with its interval over clusters."""
        metric = scores.labelled.metric
        low, high = scores.interval(metric, resamples=300, seed=self.seed)
        row = {"task": kind, "system": scores.system, "metric": metric, "test": scores.value(metric)}
        return row | {"low": low, "high": high, **about, **{m: scores.value(m) for m in METRICS}}


def after(data: Transactions, split: Any) -> Transactions:
    """Validation and test together: all baskets after the training part."""
    table = pd.concat([split.validation.table, split.test.table], ignore_index=True)
    return replace(data, table=table, notes={})


def collected(work: Path) -> pd.DataFrame:
    """All results of a work folder, one row each, with `part`: the variants, the few labels, or the advice."""
    rows = []
    for path in sorted(work.glob("*/*.json")):
        part = path.stem.split("-")[0]
        rows.append(
            {"part": part if part in ("few", "advice") else "variants"} | json.loads(path.read_text(encoding="utf-8"))
        )
    return pd.DataFrame(rows)


def summarised(rows: pd.DataFrame) -> pd.DataFrame:
    """Mean and standard deviation over seeds of every system in every task."""
    columns = ["test", "AUROC", "average precision", "macro F1", "log loss", "ECE", "validation", "trainable",
               "state_bytes", "seconds", "rate", "low", "high"]  # fmt: skip
    keys = ["data", "task", "metric", "system"]
    grouped = rows[rows["part"] == "variants"].groupby(keys, sort=False)
    table = grouped[columns].mean()
    table.insert(0, "seeds", grouped.size())
    table.insert(2, "sd", grouped["test"].std())
    return table.reset_index()


def pareto(summary: pd.DataFrame, data: str, task: str) -> Figure:
    """Quality against trained weights in one task; the bars are a standard deviation over seeds."""
    rows = summary[(summary["data"] == data) & (summary["task"] == task)]
    models = rows[rows["trainable"].notna()]
    shown = pd.DataFrame({"variant": models["system"], "parameters": models["trainable"], "value": models["test"]})
    shown["low"], shown["high"] = models["test"] - models["sd"], models["test"] + models["sd"]
    counted = rows[rows["trainable"].isna() & (rows["system"] != "majority")].set_index("system")["test"].to_dict()
    return classify_figures.pareto(shown, rows["metric"].iloc[0], counted)


def main() -> None:
    """Measure, write finetuning.csv, finetuning_few.csv, finetuning_advice.csv, finetuning.json and two figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--work", type=Path, default=Path("runs/finetuning"))
    parser.add_argument("--out", type=Path, default=Path("results/benchmarks"))
    parser.add_argument("--collect", action="store_true", help="only write the tables of what is done")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if not options.collect:
        try:
            for name in options.data:
                measure(name, options.seeds, options.work)
        except LlmarmError as error:
            sys.exit(str(error))
    rows = collected(options.work)
    if rows.empty:
        sys.exit(f"{options.work} holds no results yet; run without --collect.")
    options.out.mkdir(parents=True, exist_ok=True)
    summary = summarised(rows)
    write = {"index": False, "float_format": "%.6g"}
    summary.to_csv(options.out / "finetuning.csv", **write)
    rows[rows["part"] == "few"].dropna(axis=1, how="all").to_csv(options.out / "finetuning_few.csv", **write)
    rows[rows["part"] == "advice"].dropna(axis=1, how="all").to_csv(options.out / "finetuning_advice.csv", **write)
    about = {
        "command": "python benchmarks/finetuning.py",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "machine": f"{platform.machine()}, {psutil.cpu_count()} cores, one thread",
        "epochs": EPOCHS,
        "rates": {variant: RATES[variant] for variant in VARIANTS},
        "pretraining epochs": PRETRAINING,
    }
    (options.out / "finetuning.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    with house_style.style():
        pareto(summary, "shop", "customer").savefig(options.out / "finetuning.png", dpi=130)
        few = rows[(rows["part"] == "few") & (rows["data"] == "shop")].rename(columns={"test": "value"})
        few = few.assign(labels=few["labels"].astype(int))
        classify_figures.efficiency(few, "macro F1").savefig(options.out / "finetuning_few.png", dpi=130)
    print(summary.to_string(index=False, float_format=lambda value: f"{value:.4f}"))


def measure(name: str, seeds: list[int], work: Path) -> None:
    """Everything of one data set, the first seed choosing the learning rates for all."""
    benches = [Bench(name, seed, work) for seed in seeds]
    rates: dict[tuple[str, str], float] = {}
    for kind in TASKS[name]:
        for bench in benches:
            bench.counting(kind)
            for variant in VARIANTS:
                tried = (rates[kind, variant],) if (kind, variant) in rates else RATES[variant]
                rates[kind, variant] = bench.variant(kind, variant, tried)
    if name == "movielens-1m":
        return
    for bench in benches:
        most = int((bench.task("customer").part == 0).sum())
        for labels in [n for n in LABELS if n < most] + [most]:
            for system in ("logistic on counts", "scratch", "full", "LoRA"):
                bench.few(labels, system, rates.get(("customer", system), 0.0))
        for piece, given in ADVICE.items():
            bench.advice(piece, given, min(400, most))


if __name__ == "__main__":
    main()

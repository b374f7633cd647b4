"""What does fine-tuning gain, and how much of a model must it move? Every task, variant and seed, beside counting.

    python benchmarks/finetuning.py [--data shop online-retail movielens-1m] [--seeds 1 2 3]

Three kinds of tasks (see `llmarm_tutorial/labels/tasks.py`), each with parts that share nothing that would give answers
away. Every variant of fine-tuning gets the same epochs (from scratch four times as many) and up to three learning
rates; the rate is chosen on validation of the first seed, the test is looked at once per seed. A seed draws
pretraining, division of the examples, and fine-tuning.
"""

from __future__ import annotations

import time
from dataclasses import replace
from functools import cache
from typing import Any

import harness
import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from rows import over_seeds, setting, unfolded

from llmarm_tutorial.choosing import choose_setting
from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.figures import classify as classify_figures
from llmarm_tutorial.labels import customer_tasks, product_tasks
from llmarm_tutorial.labels.baselines import LogisticOnCounts, TreesOnCounts, majority
from llmarm_tutorial.labels.scores import ClassScores
from llmarm_tutorial.labels.tasks import Labelled
from llmarm_tutorial.models.fine_tuning import VARIANTS, FineTuned, fine_tune
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
COUNTED = {"logistic on counts": LogisticOnCounts, "trees on counts": TreesOnCounts}
LABELS = (50, 100, 200, 400, 800)  # and all: the curve of label efficiency, on customers
FEW = ("logistic on counts", "scratch", "full", "LoRA")  # what is on it
ADVISED = 400  # labels
PRETRAINING = {  # epochs
    "shop": {"customer": 24, "basket": 12},
    "online-retail": {"customer": 10, "basket": 6},
    "movielens-1m": {"customer": 4},
}
MODEL = Recipe(
    objective="masked", positions=False, hidden=64, layers=2, heads=1, feed_forward=128, max_length=64,
    warmup=0.05, log_every=100,
)  # fmt: skip
CONSTANT = Settings(precision="no", learning_rate=1e-3)
ADVICE: dict[str, dict[str, Any]] = {  # fields of Settings, arguments of fine_tune, fields of Augmentation
    "as is": {},
    "rate 2e-5": {"learning_rate": 2e-5},
    "rate 1e-4": {"learning_rate": 1e-4},
    "rate 3e-4": {"learning_rate": 3e-4},
    "rate 3e-3": {"learning_rate": 3e-3},
    "rate 1e-2": {"learning_rate": 1e-2},
    "no warm-up": {"warmup": 0.0},
    "warm-up 30 %": {"warmup": 0.3},
    "constant rate": {"decay": "constant"},
    "weight decay 0": {"weight_decay": 0.0},
    "weight decay 0.3": {"weight_decay": 0.3},
    "dropout 0": {"dropout": 0.0},
    "dropout 0.3": {"dropout": 0.3},
    "label smoothing 0.1": {"smoothing": 0.1},
    "drop 20 % of the items": {"drop": 0.2},
    "drop 50 % of the items": {"drop": 0.5},
    "substitute 20 % of the items": {"substitute": 0.2},
    "reorder": {"reorder": True},
}


class Question:
    """One data set with one seed: its tasks and its pretrained models, made when they are asked for."""

    def __init__(self, bench: harness.Bench, name: str, data: Transactions, seed: int) -> None:
        self.bench, self.name, self.seed = bench, name, seed
        self.epochs, self.length = 5 if bench.smoke else EPOCHS, bench.smaller(MODEL).max_length
        self.data = data.filter_items(5) if name != "shop" else data
        self.split = None if name == "movielens-1m" else self.data.split_by_time(0.25, 0.25)
        self.early = self.data if self.split is None else self.split.train
        self.task, self.model = cache(self._task), cache(self._model)

    def _task(self, kind: str) -> Labelled:
        if kind == "customer":
            if self.name == "online-retail":
                return customer_tasks.returning_customers(self.data, seed=self.seed, max_events=self.length)
            column = "segment" if self.name == "shop" else "gender"
            return customer_tasks.customer_segments(self.data, seed=self.seed, max_events=self.length, column=column)
        if kind == "rule":
            demands = {"min_count": 20, "kept": 0.75} if self.name == "online-retail" else {}
            return product_tasks.holding_rules(*self.split, seed=self.seed, rules=20_000, **demands)
        if self.name == "shop":
            return product_tasks.same_category_pairs(self.data, self.early, seed=self.seed, shares=(0.4, 0.2, 0.4))
        later = pd.concat([self.split.validation.table, self.split.test.table], ignore_index=True)
        later = replace(self.data, table=later, notes={})
        return product_tasks.together_pairs(self.early, later, seed=self.seed, pairs=6000)

    def _model(self, unit: str) -> ItemModel:
        """The pretrained masked model of sets: of customers' purchases, or of baskets; without what is tested on."""
        customers = unit == "customer"
        known = self.task("customer").sets if customers else Histories.from_matrix(self.early.basket_matrix())
        if customers:
            known = known.take(np.flatnonzero(self.task("customer").part < 2))
        size, epochs = 16 if customers else 64, PRETRAINING[self.name][unit]
        recipe = replace(MODEL, copying=customers, batch_size=size, epochs=epochs)
        return self.bench.model(recipe, known, self.seed).model

    def which(self, kind: str, **more: Any) -> dict[str, Any]:
        """What names a measurement, and what decides it."""
        made_of = [MODEL, PRETRAINING[self.name], CONSTANT, EPOCHS, PATIENT, RATES]
        return {"setting": setting(task=kind, **more), "seed": self.seed, "made_of": made_of}

    def keep(self, scores: ClassScores, about: dict[str, float], which: dict[str, Any], **cost: Any) -> None:
        """Keep all metrics on the test, the task's own one first, with its interval over clusters."""
        own = scores.labelled.metric
        draws = 10 if self.bench.smoke else 300
        values = {own: (scores.value(own), *scores.interval(own, resamples=draws, seed=self.seed))}
        values |= {metric: scores.value(metric) for metric in METRICS if metric != own}
        self.bench.add(self.name, scores.system, values | about, **which, **cost)

    def tuned(
        self, kind: str, task: Labelled, variant: str = "full", options: dict[str, Any] | None = None, **plan: Any
    ) -> FineTuned:
        """A fine-tuned model; `options` are of `fine_tune`, `plan` of its settings."""
        epochs = plan.setdefault("epochs", self.epochs * PATIENT.get(variant, 1))
        settings = replace(CONSTANT, **({"seed": self.seed, "patience": epochs} | plan))
        start = self.model("customer" if kind == "customer" else "basket")
        return fine_tune(start, task, variant, settings, max_length=self.length + 1, **(options or {}))

    def counting(self, kind: str) -> None:
        """Majority and the classifiers on counts; trees take no bags of items, which customers are."""
        which, task = self.which(kind), self.task(kind)
        test = task.of("test")
        if not self.bench.has(self.name, "majority", **which):
            self.keep(ClassScores("majority", test, majority(task)), {}, which)
        for system, maker in COUNTED.items():
            if self.bench.has(self.name, system, **which) or (kind == "customer" and maker is TreesOnCounts):
                continue
            begin = time.process_time()
            found = maker().fit(task)
            cost = {"seconds": time.process_time() - begin, "notes": {"chosen": str(found.setting)}}
            self.keep(found.scores(test), {"validation": found.trials["validation"].max()}, which, **cost)

    def variant(self, kind: str, variant: str, rates: tuple[float, ...]) -> float:
        """Fine-tune with each rate; the best on validation is judged on the test. Returns that rate."""
        which, rows = self.which(kind), self.bench.rows
        if self.bench.has(self.name, variant, **which):
            here = (rows["data"] == self.name) & (rows["system"] == variant) & (rows["metric"] == "rate")
            here &= (rows["setting"] == which["setting"]) & (rows["seed"] == self.seed)
            return rows.loc[here, "value"].item()
        task, tries = self.task(kind), {}
        for rate in rates:
            begin = time.process_time()
            tries[rate] = self.tuned(kind, task, variant, learning_rate=rate), time.process_time() - begin
        rate = choose_setting(rates, lambda rate: tries[rate][0].training.best_score).best
        tuned, seconds = tries[rate]
        about = {"trainable": tuned.trainable, "state bytes": tuned.state_bytes, "rate": rate}
        self.keep(tuned.scores(task.of("test")), about | progress(tuned), which, seconds=seconds)
        return rate

    def few(self, labels: int, system: str, rate: float) -> None:
        """Customers with few labels: counting, or a variant, with the rate chosen for all labels."""
        which = self.which("customer", labels=labels)
        if self.bench.has(self.name, system, **which):
            return
        whole = self.task("customer")
        task = whole.sample(labels, seed=self.seed)
        if system in COUNTED:
            self.keep(COUNTED[system]().fit(task).scores(task.of("test")), {}, which)
            return
        # as many steps as with 800 labels, so that few labels do not mean few steps
        usual = self.epochs * PATIENT.get(system, 1)
        epochs = max(usual, usual * min(800, (whole.part == 0).sum()) // labels)
        plan = {"learning_rate": rate, "epochs": epochs, "validate_every": max(1, epochs // EPOCHS)}
        tuned = self.tuned("customer", task, system, {"batch_size": min(64, labels)}, **plan)
        self.keep(tuned.scores(task.of("test")), {}, which)

    def advice(self, name: str, labels: int) -> None:
        """One piece of advice on full fine-tuning on customers, judged on validation and test."""
        which = self.which("customer", labels=labels, advice=name)
        if self.bench.has(self.name, "full", **which):
            return
        task, given = self.task("customer").sample(labels, seed=self.seed), ADVICE[name]
        options = {option: given[option] for option in ("dropout", "smoothing") if option in given}
        change = {option: given[option] for option in ("drop", "substitute", "reorder") if option in given}
        if change:
            options["augmentation"] = Augmentation(**change, neighbours=self.neighbours())
        plan = {option: value for option, value in given.items() if option not in options and option not in change}
        tuned = self.tuned("customer", task, options=options, **plan)
        more = {} if given else self.without_stopping(task)
        self.keep(tuned.scores(task.of("test")), progress(tuned) | more, which)

    def without_stopping(self, task: Labelled) -> dict[str, float]:
        """The last epoch of three times as many, instead of the best one; and an ensemble of three."""
        test, long = task.of("test"), {"epochs": 3 * self.epochs}
        last = self.tuned("customer", task, **long, validate_every=3 * self.epochs).scores(test)
        best = self.tuned("customer", task, **long).scores(test)
        several = [self.tuned("customer", task, seed=100 * self.seed + number).scores(test) for number in range(3)]
        together = ClassScores("ensemble", test, np.mean([one.probabilities for one in several], axis=0))
        return {
            "24 epochs, last one": last.value(task.metric),
            "24 epochs, best one": best.value(task.metric),
            "three single, mean": float(np.mean([one.value(task.metric) for one in several])),
            "ensemble of three": together.value(task.metric),
        }

    def neighbours(self) -> np.ndarray:
        """The five nearest items of each by the vectors of the pretrained model."""
        vectors = self.model("customer").output_table.detach().numpy()
        unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        similar = unit @ unit.T
        np.fill_diagonal(similar, -np.inf)
        return np.argpartition(-similar, 5, axis=1)[:, :5]


def progress(tuned: FineTuned) -> dict[str, float]:
    """The best validation and when it was."""
    return {"validation": tuned.training.best_score, "best epoch": tuned.training.best_epoch}


def measure(bench: harness.Bench) -> None:
    """Everything of every set, the first seed choosing the learning rates for all."""
    torch.set_num_threads(1)
    for name, data in bench.datasets():
        questions = [Question(bench, name, data, seed) for seed in bench.options.seeds]
        rates: dict[tuple[str, str], float] = {}
        for kind in TASKS[name]:
            for question in questions:
                question.counting(kind)
                for variant in VARIANTS:
                    tried = (rates[kind, variant],) if (kind, variant) in rates else RATES[variant]
                    rates[kind, variant] = question.variant(kind, variant, tried[: 1 if bench.smoke else None])
        for question in questions if name != "movielens-1m" else ():
            most = int((question.task("customer").part == 0).sum())
            labels = [n for n in LABELS if n < most] + [most]
            for n in labels[: 1 if bench.smoke else None]:
                for system in FEW:
                    question.few(n, system, rates.get(("customer", system), 0.0))
            for piece in list(ADVICE)[:: 8 if bench.smoke else 1]:
                question.advice(piece, min(ADVISED, most))


def figures(rows: pd.DataFrame, bench: harness.Bench) -> dict[str, Figure]:
    """Quality against trained weights, and against the number of labels, of the shop's customers."""
    table = unfolded(rows[(rows["data"] == "shop") & rows["setting"].str.startswith("task=customer")])
    if table.empty:
        return {}
    found = over_seeds(table[table["setting"] == setting(task="customer")])
    wide = found.pivot(index="system", columns="metric", values=["value", "sd"])
    quality = wide["value"]["macro F1"]
    shown = pd.DataFrame({"parameters": wide["value"]["trainable"], "value": quality})
    shown["low"], shown["high"] = quality - wide["sd"]["macro F1"], quality + wide["sd"]["macro F1"]
    models = shown[shown["parameters"].notna()].rename_axis("variant").reset_index()
    counted = quality[[name for name in COUNTED if name in quality]].to_dict()
    few = table[(table["metric"] == "macro F1") & (table["labels"] != "") & (table["advice"] == "")]
    few = few.assign(labels=few["labels"].astype(int))
    return {
        "finetuning": classify_figures.quality_and_size(models, "macro F1", counted),
        "finetuning_few": classify_figures.efficiency(few, "macro F1"),
    }


def main() -> None:
    """Measure, write finetuning.csv, finetuning.json and two figures."""
    harness.run(harness.parser(__doc__, data=list(TASKS), seeds=(1, 2, 3), choices=list(TASKS)), measure, figures)


if __name__ == "__main__":
    main()

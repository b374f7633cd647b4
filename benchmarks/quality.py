"""How good are models and counting at the next item? The protocol of SASRec and BERT4Rec, every seed, every baseline.

    python benchmarks/quality.py [--recipe cpu|gpu] [--data movielens-1m beauty] [--models causal] [--seeds 1 2 3]

Leave-one-out by event; all items are ranked, those of the history left out; everything is fitted on the training part,
chosen on validation and tested once. Every training keeps its state in --work and goes on from there when the command
is given again, so that a long benchmark can be stopped at any time. For the recipes see `benchmarks/recipes.py`, for
the data `llmarm data fetch`.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import harness
import pandas as pd
import rows as schema
import torch
from matplotlib.figure import Figure
from recipes import RECIPES

from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.errors import LlmarmError
from llmarm_tutorial.evaluation.ranking import evaluate
from llmarm_tutorial.evaluation.tasks import Recommender, next_item_task
from llmarm_tutorial.figures import models as models_figures
from llmarm_tutorial.recommend import tuning
from llmarm_tutorial.recommend.experts import choose_weight

METRICS = ("HR@10", "NDCG@10", "MRR")
CHECKED = 3000  # validation cases after each epoch; what is reported uses all of them
TRIES = 12  # settings of each baseline tried on validation


class Question:
    """One data set, its split and its two tasks."""

    def __init__(self, bench: harness.Bench, name: str, data: Transactions) -> None:
        self.bench, self.name = bench, name
        split = data.leave_one_out()
        self.histories = split.train.histories()
        self.tasks = {"validation ": next_item_task(split, "validation"), "": next_item_task(split, "test")}
        self.few = next_item_task(split, "validation", max_cases=CHECKED)

    @cached_property
    def rules(self) -> Recommender:
        """Sequential rules, which a model is multiplied with."""
        return tuning.make_baseline("sr").fit(self.histories)

    def judge(self, system: Recommender, name: str, about: Mapping[str, float], **which: Any) -> None:
        """Keep the metrics on validation and test."""
        judged = {part: evaluate(system, task, ks=(10,), name=name) for part, task in self.tasks.items()}
        values = {f"{part}{metric}": found.mean(metric) for part, found in judged.items() for metric in METRICS}
        cases = {"NDCG@10": judged[""].values("NDCG@10")}
        self.bench.add(self.name, name, values | about, cases=cases, **which)

    def counting(self, name: str) -> None:
        """A baseline with its default settings and with those that did best on validation."""
        usual = tuning.make_baseline(name)
        made_of = [usual, tuning.BASELINES[name].grid, CHECKED, TRIES]
        try:
            if not self.bench.has(self.name, name, made_of=[usual]):
                begin, used = time.perf_counter(), time.process_time()
                fitted = usual.fit(self.histories)
                about = {"seconds on the clock": time.perf_counter() - begin}
                self.judge(fitted, name, about, made_of=[usual], seconds=time.process_time() - used)
            if not self.bench.has(self.name, f"{name}, tuned", made_of=made_of):
                tuned = tuning.tune_baseline(name, self.histories, self.few, budget=2 if self.bench.smoke else TRIES)
                spent, notes = float(tuned.tries["seconds"].sum()), {"settings": repr(tuned.best)}
                self.judge(tuned.system, f"{name}, tuned", {}, made_of=made_of, seconds=spent, notes=notes)
        except LlmarmError as error:
            print(f"{self.name} {name}: left out. {error}")

    def model(self, kind: str, objective: str, seed: int) -> None:
        """Train one model, judge it alone and multiplied with sequential rules."""
        recipe = RECIPES[kind][self.name][objective]
        which = {"seed": seed, "setting": schema.setting(recipe=kind), "made_of": [recipe.key(self.histories), CHECKED]}
        both = f"{objective} × sr"
        if self.bench.has(self.name, both, **which):
            return
        used = time.process_time()
        fitted = self.bench.model(recipe, self.histories, seed, validation=self.few)
        used, done = time.process_time() - used, fitted.training
        about = {"seconds on the clock": done.seconds, "best epoch": done.best_epoch}
        about["parameters"] = sum(weight.numel() for weight in fitted.model.parameters())
        notes = {"recipe": dataclasses.asdict(recipe), "device": done.device, "precision": done.precision}
        notes |= {"threads": torch.get_num_threads(), "curve": done.validations.to_dict("records")}
        self.judge(fitted.recommender, objective, about, seconds=used, notes=notes, **which)
        joined = choose_weight(fitted.recommender, self.rules, self.few)
        self.judge(joined.system, both, about | {"weight of sr": joined.best}, seconds=used, **which)


def measure(bench: harness.Bench) -> None:
    """Counting, then the models, then the gains on sequential rules."""
    for name, data in bench.datasets():
        question = Question(bench, name, data)
        for baseline in bench.options.counting:
            question.counting(baseline)
        for objective in bench.options.models:
            for seed in bench.options.seeds:
                question.model(bench.options.recipe, objective, seed)
    measured = bench.rows[bench.rows["metric"] == "NDCG@10"]
    for data, system, setting in measured[["data", "system", "setting"]].drop_duplicates().itertuples(index=False):
        bench.gain(data, system, "sr", setting=setting)


def figures(rows: pd.DataFrame, bench: harness.Bench) -> dict[str, Figure]:
    """Validation against the time of training."""
    curves = {}
    for label, notes in bench.notes.items():
        if "curve" in notes:
            data, _, system, seed = label.split(" | ")
            curves[f"{data} {system} {seed.removeprefix('seed ')}"] = notes["curve"]
    summary = schema.over_seeds(rows).pivot_table(index=["data", "system"], columns="metric", values="value")
    summary = summary.rename(columns={"seconds on the clock": "seconds"}).reset_index()
    return {"quality": models_figures.quality_and_time(curves, summary)}


def main() -> None:
    """Measure, write quality.csv, quality.json and quality.png."""
    parser = harness.parser(__doc__, data=list(RECIPES["gpu"]), seeds=(1, 2, 3))
    parser.add_argument("--recipe", choices=RECIPES, default="cpu")
    parser.add_argument("--models", nargs="*", choices=("causal", "masked"), default=["causal", "masked"])
    counting = [name for name in tuning.BASELINES if name != "personal"]  # with seen items left out it is popularity
    parser.add_argument("--counting", nargs="*", choices=counting, default=counting)
    harness.run(parser, measure, figures)


if __name__ == "__main__":
    main()

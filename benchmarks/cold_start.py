"""Does text help where counting has nothing to count? New items, their partners, and customers of one basket.

    python benchmarks/cold_start.py [--data shop online-retail movielens-1m] [--text tf-idf minilm]
                                    [--models] [--seeds 1 2 3] [--work runs/cold_start] [--out results/benchmarks]

New items are those first bought in the last weeks; movielens-1m has no clock, so there a tenth of the films, drawn at
random, is taken out of training altogether and histories hold what was rated later, too. Settings are chosen on known
items that are hidden in the same way from the rest of training (one draw per seed), then everything is tested once.
Intervals are bootstraps over cases. --models adds a small causal item model on the same training part, one per seed,
whose rows for new items are foretold from text; it takes minutes. What is in --work is not measured again, so that the
command can be given anew after it was stopped. For MiniLM: pip install 'llmarm[text]'.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import platform
import sys
import time
from collections.abc import Sequence
from operator import methodcaller
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import psutil
import torch
from matplotlib.figure import Figure
from sklearn.linear_model import RidgeCV

from llmarm_tutorial.data import loading
from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.errors import LlmarmError
from llmarm_tutorial.evaluation.comparison import compare
from llmarm_tutorial.evaluation.metrics import Evaluation
from llmarm_tutorial.evaluation.ranking import evaluate
from llmarm_tutorial.evaluation.tasks import Recommender, Task
from llmarm_tutorial.figures import house_style
from llmarm_tutorial.models import item_model
from llmarm_tutorial.models import texts as text
from llmarm_tutorial.models.item_model import quiet_loading
from llmarm_tutorial.models.recipes import Recipe
from llmarm_tutorial.models.recommender import ItemRecommender
from llmarm_tutorial.recommend import by_text, tuning
from llmarm_tutorial.recommend import new_items as cold_start
from llmarm_tutorial.recommend.by_text import Borrowed, ContentNeighbours, Projected, RestrictedRecommender
from llmarm_tutorial.recommend.counting import Baseline, Ease, ItemNeighbours, Popularity
from llmarm_tutorial.recommend.experts import Expert, Fusion

WEEKS = {"shop": 6.0, "online-retail": 10.0, "movielens-1m": None}
SHARE = 0.1  # of the items is hidden
PARTNERS = {"shop": {"min_count": 5, "min_lift": 2.0}, "online-retail": {"min_count": 10, "min_lift": 5.0}}
METRICS = ("MRR", "HR@1", "HR@10", "NDCG@10")
MOST_CASES = 500  # of each validation
RIDGES = (0.3, 3.0, 30.0)
TEXTS = {"tf-idf": text.TfidfText, "minilm": text.SentenceText}
ASKED = {
    "new": "new items among new ones, to customers",
    "new among all": "new items among all, to customers",
    "all": "whatever customers buy for the first time",
    "basket": "new items among new ones, to baskets",
}
PARTS = ("new_items", "baskets", "partners", "newcomers")
Rows = list[dict[str, Any]]


class Once:
    """A baseline that is fitted once per training part, however many systems are built on it."""

    def __init__(self, base: Baseline) -> None:
        self.base, self.name = base, base.name
        self.done: dict[bytes, Recommender] = {}

    def __repr__(self) -> str:
        return repr(self.base)

    def fit(self, histories: Histories) -> Recommender:
        """Fit, or look up what was fitted on the same histories."""
        key = hashlib.sha256(histories.items.tobytes() + histories.offsets.tobytes()).digest()
        if key not in self.done:
            self.done[key] = self.base.fit(histories)
        return self.done[key]


class Bench:
    """One data set: its new items, the validations, and the rows found so far."""

    def __init__(self, name: str, seeds: Sequence[int], texts: Sequence[str]) -> None:
        self.name, self.seeds, self.weeks = name, seeds, WEEKS[name]
        self.data: Transactions = loading.load(name)
        if name == "movielens-1m":
            self.data = self.data.filter_items(5)
        if self.weeks is None:
            self.cold = cold_start.hide_items(self.data, SHARE, seed=0)
        else:
            self.cold = cold_start.launched_items(self.data, self.weeks)
        self.validations = [
            cold_start.hide_items(self.cold.train, SHARE, weeks=self.weeks, seed=seed) for seed in self.seeds
        ]
        written = text.item_texts(self.data.items)
        self.vectors = {(encoder := TEXTS[key]()).name: encoder.vectors(written) for key in texts}
        self.histories, self.n_items = self.cold.train.histories(), self.cold.n_items
        self.rows: Rows = []
        self.gains: Rows = []
        self.facts = {
            "data": name,
            "items": self.n_items,
            "new items": int(self.cold.new.sum()),
            "cut": None if self.weeks is None else str(self.cold.later.table["time"].min()),
            "hidden items of each validation": [int(cold.new.sum()) for cold in self.validations],
        }

    def keep(self, task: str, evaluation: Evaluation, encoder: str = "", chosen: object = "", seed: int = 0) -> None:
        """Add the row of one evaluation, with intervals."""
        row = {"data": self.name, "task": task, "system": evaluation.system, "text": encoder, "seed": seed}
        row |= {"cases": len(evaluation.task)}
        for metric, found in evaluation.summary(METRICS).iterrows():
            row |= {metric: found["mean"], f"{metric} low": found["low"], f"{metric} high": found["high"]}
        self.rows.append(row | {"settings": told(chosen)})
        print(f"{self.name} | {task} | {evaluation.system} {encoder} | MRR {row['MRR']:.4f}", flush=True)

    def gain(self, task: str, one: Evaluation, other: Evaluation, encoder: str, metric: str = "MRR") -> None:
        """Add the difference of two systems, with interval and p-value."""
        found = compare(one, other, metric)._asdict()
        self.gains.append({"data": self.name, "task": task, "text": encoder} | found)

    def new_items(self) -> None:
        """New items to customers."""
        self.asked("new")

    def baskets(self) -> None:
        """New items to baskets."""
        if "baskets" in self.data.aspects:
            self.asked("basket")

    def asked(self, asked: str) -> None:
        """Counting, and counting with text, on the tasks of new items."""
        bases = [Once(base) for base in (Ease(), ItemNeighbours())]
        tasks = {asked: (self.cold.task(asked), True)}
        if asked == "new":
            tasks["new among all"] = (self.cold.task(), False)
            if self.weeks is not None:  # without a cut in time, only hidden items come later
                tasks["all"] = (self.cold.task("all"), False)
        plain: dict[str, Evaluation] = {}
        for base in (Popularity(), Ease()):
            fitted = base.fit(self.histories)
            for task, (cases, only) in tasks.items():
                if only and base != Popularity():
                    continue  # without text all new items are equal to whatever counts
                name = "chance" if only else base.name
                evaluation = evaluate(judged(fitted, self.cold.new, only), cases, name=name)
                plain[task] = evaluation  # the last one is the stronger
                self.keep(ASKED[task], evaluation)
        found: dict[tuple[str, str], Evaluation] = {}
        judge = by_text.validation_score_of_new_items(self.validations, asked, max_cases=MOST_CASES)
        for encoder, vectors in self.vectors.items():
            for kind, settings in grids(vectors, bases).items():
                best = tuning.choose_setting(settings, judge).best
                fitted = best.fit(self.histories)
                for task, (cases, only) in tasks.items():
                    evaluation = evaluate(judged(fitted, self.cold.new, only), cases, name=kind)
                    self.keep(ASKED[task], evaluation, encoder, best)
                    self.gain(ASKED[task], evaluation, plain[task], encoder)
                    if only:
                        found[kind, encoder] = evaluation
        for (kind, one), (other_kind, other) in itertools.combinations(found, 2):
            if kind == other_kind:
                self.gain(ASKED[asked], found[kind, other], found[kind, one], f"{other} against {one}")

    def partners(self) -> None:
        """With which old items a new one will go."""
        if self.name not in PARTNERS:
            return
        old = ~self.cold.new
        tasks = {"partners of new items": cold_start.partner_task(self.cold, **PARTNERS[self.name])}
        if self.name == "shop":
            tasks["planted partners of new items"], self.facts["ranks of planted partners"] = self.planted(), {}
        for task, cases in tasks.items():
            popular = evaluate(RestrictedRecommender(Popularity().fit(self.histories), old), cases)
            self.keep(task, popular)
            for encoder, vectors in self.vectors.items():
                for neighbours in (None, 3, 10):  # not chosen: all are shown
                    scores = by_text.partner_scores(vectors, self.cold, neighbours=neighbours)
                    found = evaluate(RestrictedRecommender(scores, old), cases)
                    self.keep(task, found, encoder, f"neighbours={neighbours}")
                    self.gain(task, found, popular, encoder)
                    if task.startswith("planted"):
                        ranks = (found.ranks.above + (found.ranks.tied + 1) / 2).tolist()
                        self.facts["ranks of planted partners"][f"{encoder}, {scores.name}, {neighbours}"] = ranks

    def planted(self) -> Task:
        """The shop's answer: each new item was made to be bought with one old one."""
        code = {item: number for number, item in enumerate(self.data.items["item_id"])}
        path = Path(__file__).resolve().parents[1] / "data" / "shop" / "truth.json"
        truth = json.loads(path.read_text(encoding="utf-8"))["planted"]
        links = [(rule["antecedent"], rule["consequent"]) for rule in truth if rule["kind"] == "cold_start"]
        new = [[code[item] for item in consequent] for _, consequent in links]
        old = [[code[item] for item in antecedent] for antecedent, _ in links]
        counts = np.bincount(self.cold.train.item_codes, minlength=self.n_items)
        return Task.from_lists(new, old, self.n_items, counts)

    def newcomers(self) -> None:
        """Customers of one basket; what is chosen, is chosen on other customers."""
        if "baskets" not in self.data.aspects:
            return
        task = "second basket of unknown customers"
        for seed in self.seeds:
            known, few, test = cold_start.new_customers(self.data, seed=seed)
            histories, evaluations = known.histories(), {}
            tuned = {
                name: tuning.tune_baseline(name, histories, few, budget=12, metric="MRR", grid=grid)
                for name, grid in {
                    "popularity": {"last": (None, 1, 3)},
                    "ar": {"measure": ("confidence", "lift"), "unit": ("user", "basket"), "min_count": (1, 5)},
                    "itemknn": {"neighbours": (30, 100, 300), "shrinkage": (0.0, 10.0)},
                    "ease": {"ridge": (100.0, 500.0, 2000.0)},
                }.items()
            }
            for name, best in tuned.items():
                evaluations[name] = evaluate(best.system, test, name=name)
                self.keep(task, evaluations[name], "", best.best, seed)
            counting = max(("ar", "itemknn"), key=lambda name: tuned[name].value)
            judge = tuning.validation_score(few, "MRR")
            for encoder, vectors in self.vectors.items():
                text_only = tuning.choose_setting(contents(vectors), judge, build=methodcaller("fit", histories))
                alone = evaluate(text_only.system, test, name="content-kNN")
                self.keep(task, alone, encoder, text_only.best, seed)
                self.gain(task, alone, evaluations["popularity"], encoder)
                experts = (Expert(counting, tuned[counting].system), Expert("text", text_only.system))
                mixed = tuning.choose_setting(
                    (0.0, 0.05, 0.1, 0.2, 0.4, 0.6),
                    judge,
                    build=lambda share, experts=experts: Fusion(experts, {"share": (1 - share, share)}),
                )
                mixture = evaluate(mixed.system, test, name=f"mixture with {counting}")
                self.keep(task, mixture, encoder, f"share of text={mixed.best}", seed)
                self.gain(task, mixture, evaluations[counting], encoder)

    def models(self) -> None:
        """A small causal item model whose rows for new items are foretold from text."""
        known, new = self.histories, self.cold.new
        tasks = {"new": (self.cold.task(), True), "new among all": (self.cold.task(), False)}
        if self.weeks is not None:
            tasks["all"] = (self.cold.task("all"), False)
        recipe = Recipe(
            layers=2, heads=2, feed_forward=256, visits="baskets" in self.data.aspects, dropout=0.1, copying=False,
            batch_size=128, warmup=0.05, decay="cosine", precision="auto",
        )  # fmt: skip
        for seed in self.seeds:
            fitted = recipe.fit(known, seed=seed)
            model = fitted.model
            self.facts.setdefault("seconds of item models", []).append(fitted.training.seconds)
            plain = {
                task: evaluate(judged(ItemRecommender(model), new, only), cases, name="item model")
                for task, (cases, only) in tasks.items()
            }
            for task, evaluation in plain.items():
                self.keep(ASKED[task], evaluation, "", "", seed)
            space = np.column_stack([model.output_table.detach().numpy(), model.item_bias.detach().numpy()])
            for encoder, vectors in self.vectors.items():
                ridge = RidgeCV(np.logspace(-2, 3, 11)).fit(vectors[~new], space[~new]).alpha_  # old items left out
                foretold = by_text.project(vectors, space, ~new, ridge=float(ridge))
                changed = item_model.with_new_items(model, new, foretold[:, :-1], foretold[:, -1])
                for task, (cases, only) in tasks.items():
                    system = judged(ItemRecommender(changed), new, only)
                    evaluation = evaluate(system, cases, name="projected item model")
                    self.keep(ASKED[task], evaluation, encoder, f"ridge={ridge:.3g}", seed)
                    self.gain(ASKED[task], evaluation, plain[task], encoder)


def judged(system: Recommender, new: np.ndarray, only: bool) -> Recommender:
    """A system asked about new items only, or as it is."""
    return RestrictedRecommender(system, new) if only else system


def told(setting: object) -> str:
    """Settings in words, without the vectors."""
    if not hasattr(setting, "vectors"):
        return str(setting)
    return ", ".join(f"{name}={of}" for name, of in vars(setting).items() if name not in ("vectors", "name"))


def contents(vectors: np.ndarray) -> list[Baseline]:
    tries = itertools.product((10, 30, 100), (0.0, 0.5, 1.0))
    return [ContentNeighbours(vectors, neighbours, discount) for neighbours, discount in tries]


def grids(vectors: np.ndarray, bases: Sequence[Baseline]) -> dict[str, list[Baseline]]:
    """What is tried on validation."""
    return {
        "content-kNN": contents(vectors),
        "borrowed": [Borrowed(vectors, base, neighbours) for base in bases for neighbours in (3, 10, 30)],
        "projected": [Projected(vectors, base, ridge) for base in bases for ridge in RIDGES],
    }


def figure(rows: pd.DataFrame) -> Figure:
    """Mean reciprocal rank of every system, a panel per data set and task."""
    shown = [ASKED["new"], ASKED["basket"], "partners of new items", "second basket of unknown customers"]
    names = list(dict.fromkeys(rows["data"]))
    drawn, axes = plt.subplots(len(names), len(shown), figsize=(4.4 * len(shown), 3.4 * len(names)), squeeze=False)
    for line, name in zip(axes, names, strict=True):
        for axis, task in zip(line, shown, strict=True):
            part = rows[(rows["data"] == name) & (rows["task"] == task)]
            if part.empty:
                axis.set_visible(False)
                continue
            system = part["system"].str.cat(part["text"].where(part["text"] != "", None), sep=", ", na_rep="")
            part = part.assign(label=system.str.removesuffix(", ")).groupby("label", sort=False)
            means = part[["MRR", "MRR low", "MRR high"]].mean()[::-1]
            place = np.arange(len(means))
            errors = np.abs(means[["MRR low", "MRR high"]].to_numpy().T - means["MRR"].to_numpy())
            axis.errorbar(means["MRR"], place, xerr=errors, fmt="o", markersize=4)
            axis.set_yticks(place, means.index)
            axis.set_xlim(left=0)
            axis.set_title(f"{name}\n{task}", fontsize=9)
            axis.set_xlabel("mean reciprocal rank (95 %)")
    return drawn


def measured(name: str, options: argparse.Namespace) -> None:
    """Do what of a data set is not done, and keep it part by part."""
    bench = None
    for part in (*PARTS, *(["models"] if options.models else [])):
        path = options.work / f"{name}-{part}.json"
        if path.exists():
            continue
        bench = bench or Bench(name, options.seeds, options.text)
        bench.rows, bench.gains, begin = [], [], time.perf_counter()
        getattr(bench, part)()
        found = {"rows": bench.rows, "gains": bench.gains, "facts": bench.facts}
        found["seconds"] = round(time.perf_counter() - begin, 1)
        path.write_text(json.dumps(found, indent=1), encoding="utf-8")


def main() -> None:
    """Measure, write cold_start.csv, cold_start.json and cold_start.png."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", choices=WEEKS, default=list(WEEKS))
    parser.add_argument("--text", nargs="+", choices=TEXTS, default=list(TEXTS))
    parser.add_argument("--models", action="store_true")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--work", type=Path, default=Path("runs/cold_start"))
    parser.add_argument("--out", type=Path, default=Path("results/benchmarks"))
    options = parser.parse_args()
    quiet_loading()
    for folder in (options.work, options.out):
        folder.mkdir(parents=True, exist_ok=True)
    for name in options.data:
        try:
            measured(name, options)
        except LlmarmError as error:
            sys.exit(str(error))
    rows, gains, facts = [], [], {}
    for name, part in itertools.product(WEEKS, (*PARTS, "models")):
        path = options.work / f"{name}-{part}.json"
        if path.exists():
            kept = json.loads(path.read_text(encoding="utf-8"))
            rows, gains = rows + kept["rows"], gains + kept["gains"]
            seconds = facts.get(name, {}).get("seconds", {}) | {part: kept["seconds"]}
            facts[name] = facts.get(name, {}) | kept["facts"] | {"seconds": seconds}
    table = pd.DataFrame(rows)
    table.to_csv(options.out / "cold_start.csv", index=False, float_format="%.6g")
    with_models = any("models" in of["seconds"] for of in facts.values())
    about = {
        "command": "python benchmarks/cold_start.py" + " --models" * with_models,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "machine": f"{platform.machine()}, {psutil.cpu_count()} cores",
        "seeds": options.seeds,
        "data": list(facts.values()),
        "gains": gains,
    }
    (options.out / "cold_start.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    with house_style.style():
        figure(table).savefig(options.out / "cold_start.png", dpi=110)


if __name__ == "__main__":
    main()

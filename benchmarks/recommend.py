"""From scores to a shelf: which way of joining a model and counting recommends best, and what does it cost?

    python benchmarks/recommend.py [--data shop online-retail movielens-1m] [--seeds 1 2 3]
                                   [--work runs/recommend] [--out results/benchmarks]

The last basket of every customer is asked for (films: the last event), the one before is validation. All items are
ranked; those bought before stay where customers buy again. Everything is fitted on the training part, chosen on
validation and tested once, with every seed. Results are kept in --work and item models beside it, so that the same
command goes on where it was stopped; for films the models are those of `benchmarks/quality.py`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import numpy as np
import pandas as pd
import psutil
import recipes
import torch

from llmarm_tutorial.data import loading
from llmarm_tutorial.errors import LlmarmError
from llmarm_tutorial.evaluation import groups
from llmarm_tutorial.evaluation.intervals import bootstrap_interval
from llmarm_tutorial.evaluation.latency import measure_latency
from llmarm_tutorial.evaluation.metrics import Evaluation, user_vectors
from llmarm_tutorial.evaluation.ranking import evaluate
from llmarm_tutorial.evaluation.tasks import Recommender, next_item_task
from llmarm_tutorial.figures import house_style
from llmarm_tutorial.figures import recommend as recommend_figures
from llmarm_tutorial.models.recommender import ItemRecommender
from llmarm_tutorial.recommend import tuning
from llmarm_tutorial.recommend.experts import Expert, Fusion, Precomputed, choose_weight
from llmarm_tutorial.recommend.hybrid import choose_hybrid
from llmarm_tutorial.recommend.rerank import Diversified, RuleReranker, similarities
from llmarm_tutorial.recommend.similarity import Similarity

METRICS = ("HR@10", "NDCG@10", "Coverage@10", "Diversity@10", "Novelty@10")
TRIES = 12  # settings of each baseline tried on validation
CHECKED = 3000  # validation cases on which everything is chosen
RECIPES = {name: recipes.RECIPES["cpu"][name] for name in ("shop", "online-retail", "movielens-1m")}
RULE_WEIGHTS = (0.1, 0.25, 0.5, 0.75, 1.0)
TRADES = (0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)
GIVEN_UP = 0.02  # share of NDCG@10 that diversity may cost on validation
SINGLE = ("model", "similarity, cosine", "similarity, twice")
SLICED = ("best counting", "model", "model × counting", "hybrid", "hybrid, diversified")


class Bench:
    """One data set, its split and its two tasks."""

    def __init__(self, name: str, work: Path) -> None:
        self.name, self.work = name, work / name
        self.kept_models = work.parent / "item-models" / name
        self.work.mkdir(parents=True, exist_ok=True)
        data = loading.load(name)
        films = name == "movielens-1m"
        split = data.filter_items(5).leave_one_out(unit="event") if films else data.leave_one_out()
        self.n_items, self.past = len(split.train.items), split.train.histories()
        self.test = next_item_task(split, "test")
        self.few = next_item_task(split, "validation", max_cases=CHECKED)
        known = self.few.histories
        bought = known.matrix(self.n_items).multiply(self.few.targets).astype(bool).sum()
        self.filter_seen = bool(bought < 0.05 * self.few.targets.nnz)
        self.vectors = user_vectors(next_item_task(split, "validation").histories)
        self.similar = similarities(self.vectors)

    def judge(self, system: Recommender, name: str, block: int | None = None) -> Evaluation:
        return evaluate(
            system, self.test, ks=(10,), filter_seen=self.filter_seen, vectors=self.vectors, name=name, block=block
        )

    def validated(self, system: Recommender, block: int | None = None) -> float:
        return tuning.validation_score(self.few, "NDCG@10", filter_seen=self.filter_seen, block=block)(system)

    def precomputed(self, system: Recommender) -> float:
        """The same of a system made of `Precomputed` scores."""
        return self.validated(system, len(self.few))

    def curve(self, system: Recommender) -> list[dict[str, float]]:
        """Accuracy and diversity on the test at every trade."""
        scores, found = Precomputed.of(system, self.test.histories), []
        for trade in TRADES:
            lists = Diversified(scores, self.similar, trade, filter_seen=self.filter_seen)
            evaluation = self.judge(lists, "", block=len(self.test))
            found.append(
                {"trade": trade, "accuracy": evaluation.mean("NDCG@10"), "diversity": evaluation.mean("Diversity@10")}
            )
        return found

    # --- systems -----------------------------------------------------------------------------------------------------

    def counting(self) -> tuple[dict[str, Recommender], dict[str, float]]:
        """Every baseline tuned on validation, the best first, and its NDCG@10 there; settings are kept."""
        path = self.work / "counting.json"
        kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        fitted = {}
        for name in tuning.BASELINES:
            if name == "personal" and self.filter_seen:
                continue  # with seen items left out it is popularity
            if name in kept:
                fitted[name] = tuning.make_baseline(name, **kept[name]["settings"]).fit(self.past)
                continue
            found = tuning.tune_baseline(name, self.past, self.few, budget=TRIES, filter_seen=self.filter_seen)
            fitted[name] = found.system
            kept[name] = {"settings": asdict(found.best), "value": found.value}
            path.write_text(json.dumps(kept, indent=1), encoding="utf-8")
        order = sorted(fitted, key=lambda name: -kept[name]["value"])
        return {name: fitted[name] for name in order}, {name: kept[name]["value"] for name in order}

    def trained(self, objective: str, seed: int) -> tuple[ItemRecommender, float]:
        """A model of the next visit and its NDCG@10 on validation; kept, so that it is trained once."""
        recipe = RECIPES[self.name][objective]
        fitted = recipe.fit(self.past, seed=seed, validate=self.validated, folder=self.kept_models)
        return fitted.recommender, fitted.training.best_score

    def models(self, seeds: list[int]) -> tuple[str, dict[int, ItemRecommender]]:
        """The better objective by validation with the first seed, and its models of all seeds."""
        first = {objective: self.trained(objective, seeds[0]) for objective in RECIPES[self.name]}
        print(self.name, {objective: f"{score:.4f}" for objective, (_, score) in first.items()}, flush=True)
        chosen = max(first, key=lambda objective: first[objective][1])
        return chosen, {seeds[0]: first[chosen][0]} | {seed: self.trained(chosen, seed)[0] for seed in seeds[1:]}

    def near(self, vectors: np.ndarray) -> dict[str, Similarity]:
        """Cosines of a model's vectors, how much of the history by validation, and the same divided twice."""
        tries = [(last, power) for last in (None, 10, 3, 1) for power in (0.0, 1.0) if (last, power) != (1, 1.0)]
        build = lambda tried: Similarity(vectors, last=tried[0], position_power=tried[1])  # noqa: E731
        chosen = tuning.choose_setting(tries, self.validated, build=build).best
        return {
            f"similarity, {norm}": Similarity(vectors, norm, last=chosen[0], position_power=chosen[1])
            for norm in ("cosine", "twice")
        }

    def joined(self, model: ItemRecommender, counted: dict[str, Recommender]) -> tuple[dict[str, Recommender], dict]:
        """Everything that is made from one model and the baselines, and what was chosen on validation."""
        seen, best = {"filter_seen": self.filter_seen}, next(iter(counted))
        systems: dict[str, Recommender] = {"model": model}
        systems |= self.near(model.model.output_table.detach().numpy())
        factor = next(name for name in counted if name not in ("ease", "popularity"))  # whose scores are shares
        product = choose_weight(model, counted[factor], self.few, **seen)
        systems["model × counting"] = product.system
        first, second = (Precomputed.of(system, self.few.histories) for system in (model, counted["ar"]))
        weight = tuning.choose_setting(
            RULE_WEIGHTS, self.precomputed, build=lambda weight: RuleReranker(first, second, weight=weight, **seen)
        ).best
        systems["model, re-ranked by rules"] = RuleReranker(model, counted["ar"], weight=weight, **seen)
        experts = [Expert("model", model, "logits")]
        experts += [Expert(name, system) for name, system in counted.items() if name != "popularity"][:3]
        hybrid = choose_hybrid(experts, self.few, **seen)
        for name in ("fusion, log", "fusion, z", "fusion, rank"):
            systems[name] = hybrid.finalists[name]
        systems["learned"] = hybrid.finalists["learned"]
        systems["hybrid"] = hybrid.system
        scores = Precomputed.of(hybrid.system, self.few.histories)
        kept = {trade: self.precomputed(Diversified(scores, self.similar, trade, **seen)) for trade in TRADES}
        trade = min(trade for trade, value in kept.items() if value >= (1 - GIVEN_UP) * kept[1.0])
        systems["hybrid, diversified"] = Diversified(hybrid.system, self.similar, trade, **seen)
        chosen = {
            "blended with": factor,
            "blend weight": product.best,
            "rule weight": weight,
            "experts": [expert.name for expert in experts],
            "hybrid": hybrid.name,
            "hybrid weights": weights_of(hybrid.system),
            "tries": hybrid.tries.to_dict("records"),
            "trade": trade,
            "similarity": repr((systems["similarity, cosine"].last, systems["similarity, cosine"].position_power)),
            "best counting": best,
        }
        return systems, chosen

    # --- results -----------------------------------------------------------------------------------------------------

    def result(self, evaluation: Evaluation, seed: int, kind: str) -> dict[str, Any]:
        row = {"data": self.name, "system": evaluation.system, "kind": kind, "seed": seed}
        return row | {metric: evaluation.mean(metric) for metric in METRICS}

    def waited(self, system: Recommender) -> dict[str, float]:
        one = measure_latency(system, self.test.histories)
        many = measure_latency(system, self.test.histories, batch=256, repeats=8, warmup=1)
        return {"p50": one.p50, "p99": one.p99, "per_second": many.per_second}

    def run(self, seeds: list[int]) -> None:
        """Judge everything; each seed is written when it is done."""
        _, models = self.models(seeds)
        counted, values = self.counting()
        best = next(iter(counted))
        judged = {name: self.judge(system, name) for name, system in counted.items()}
        if not (self.work / "seed-0.json").exists():
            rows = [
                self.result(judged[name], 0, "counting") | {"validation": values[name]} | self.waited(counted[name])
                for name in counted
            ]
            self.keep(0, rows, [self.sliced(judged[best], "best counting", 0)], judged, {})
        for seed in seeds:
            if (self.work / f"seed-{seed}.json").exists():
                continue
            systems, chosen = self.joined(models[seed], counted)
            here, waits = self.all_judged(systems, timed=seed == seeds[0])
            rows = [
                self.result(evaluation, seed, "single" if name in SINGLE else "joined") | waits.get(name, {})
                for name, evaluation in here.items()
            ]
            for row in rows:
                if row["system"] in SINGLE:
                    row["validation"] = self.validated(systems[row["system"]])
            shown = [judged[best], *(here[name] for name in ("model", "similarity, cosine", "model, re-ranked by rules",
                     "model × counting", "hybrid", "hybrid, diversified"))]  # fmt: skip
            chosen["also found by the best counting"] = groups.also_found(here["model"], judged[best])
            chosen["overlap"] = groups.overlap(shown).round(4).to_dict()
            if seed == seeds[0]:
                chosen["curve"] = self.curve(systems["hybrid"])
            parts = [self.sliced(evaluation, name, seed) for name, evaluation in here.items() if name in SLICED]
            self.keep(seed, rows, parts, here, chosen)
            print(
                f"{self.name} seed {seed}: " + ", ".join(f"{r['system']} {r['NDCG@10']:.4f}" for r in rows), flush=True
            )

    def all_judged(
        self, systems: dict[str, Recommender], *, timed: bool
    ) -> tuple[dict[str, Evaluation], dict[str, dict[str, float]]]:
        """Evaluations of systems, and their waiting times if asked for; one that has two names is judged once."""
        here: dict[str, Evaluation] = {}
        waits: dict[str, dict[str, float]] = {}
        for name, system in systems.items():
            twin = next((other for other in here if systems[other] is system), None)
            here[name] = replace(here[twin], system=name) if twin else self.judge(system, name)
            if timed:
                waits[name] = waits[twin] if twin else self.waited(system)
        return here, waits

    def sliced(self, evaluation: Evaluation, name: str, seed: int) -> pd.DataFrame:
        """NDCG@10 by length of the history and by popularity of the target."""
        lengths = groups.by_history_length(evaluation).assign(by="history length")
        lengths["segment"] = lengths["segment"].astype(str)
        popular = groups.by_popularity(evaluation).rename(
            columns={"bucket": "segment", "targets": "cases", "value": "mean"}
        )
        popular = popular[["segment", "cases", "mean"]].assign(by="popularity")
        return pd.concat([lengths, popular]).assign(data=self.name, system=name, seed=seed)

    def keep(
        self, seed: int, rows: list[dict], parts: list[pd.DataFrame], judged: dict[str, Evaluation], chosen: dict
    ) -> None:
        cases = {name: evaluation.values("NDCG@10").astype(np.float32) for name, evaluation in judged.items()}
        np.savez(self.work / f"seed-{seed}.npz", **cases)
        told = {"rows": rows, "slices": pd.concat(parts).to_dict("records"), "chosen": chosen}
        part = self.work / f".seed-{seed}.json"
        part.write_text(json.dumps(told, indent=1), encoding="utf-8")
        os.replace(part, self.work / f"seed-{seed}.json")


def weights_of(system: Recommender) -> dict[str, Any]:
    """Weights of a fusion by way; none of a single system, which may have weights of another kind."""
    return dict(system.weights) if isinstance(system, Fusion) else {}


def summarised(name: str, folder: Path, seeds: list[int]) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """One row per system: means and standard deviations over seeds, gains on the best counting and single system.

    Returns:
        (summary, slices of all seeds, what was chosen with each seed).
    """
    told = {s: json.loads((folder / name / f"seed-{s}.json").read_text(encoding="utf-8")) for s in (0, *seeds)}
    cases: dict[str, list[np.ndarray]] = {}
    for seed in (0, *seeds):
        with np.load(folder / name / f"seed-{seed}.npz") as kept:
            for system in kept.files:
                cases.setdefault(system, []).append(kept[system])
    mean_cases = {system: np.mean(parts, axis=0) for system, parts in cases.items()}
    rows = pd.DataFrame([row for part in told.values() for row in part["rows"]])
    validation = rows[rows["kind"].isin(["counting", "single"])].groupby("system")["validation"].mean()
    counted = rows[rows["kind"] == "counting"].set_index("system")["validation"]
    rivals = {"best counting": counted.idxmax(), "best single": validation.idxmax()}
    found = []
    for system, part in rows.groupby("system", sort=False):
        row = {"data": name, "system": system, "kind": part["kind"].iloc[0], "seeds": len(part)}
        for metric in METRICS:
            row |= {metric: part[metric].mean(), f"{metric} sd": part[metric].std()}
        row["validation NDCG@10"] = part["validation"].mean()
        for label, rival in rivals.items():
            gains = (mean_cases[system] - mean_cases[rival]).astype(float)
            low, high = bootstrap_interval(gains)
            row |= {f"gain on {label}": gains.mean(), f"{label} low": low, f"{label} high": high}
        found.append(row | {column: part[column].iloc[0] for column in ("p50", "p99", "per_second")})
    parts = pd.DataFrame([row for part in told.values() for row in part["slices"]])
    return pd.DataFrame(found), parts, rivals | {f"seed {s}": told[s]["chosen"] for s in seeds}


def drawn(summary: pd.DataFrame, chosen: dict[str, Any], seed: int) -> matplotlib.figure.Figure:
    """Accuracy against diversity: the hybrid's curve beside all that was judged."""
    names = ["best counting", "model", "similarity, cosine", "model, re-ranked by rules", "model × counting", "hybrid"]
    curves, points = {}, []
    for data, here in summary.groupby("data", sort=False):
        curves[data] = pd.DataFrame(chosen[data][f"seed {seed}"]["curve"])
        rows = here.set_index("system")
        for name in names:
            row = rows.loc[chosen[data].get(name, name)]
            points.append((data, name, row["NDCG@10"], row["Diversity@10"]))
    return recommend_figures.tradeoff(
        curves, pd.DataFrame(points, columns=["panel", "system", "accuracy", "diversity"])
    )


def main() -> None:
    """Measure, write recommend.csv, recommend_slices.csv, recommend.json and recommend.png."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", choices=RECIPES, default=list(RECIPES))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--work", type=Path, default=Path("runs/recommend"))
    parser.add_argument("--out", type=Path, default=Path("results/benchmarks"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    found = []
    for name in options.data:
        try:
            Bench(name, options.work).run(options.seeds)
        except LlmarmError as error:
            sys.exit(str(error))
        found.append(summarised(name, options.work, options.seeds))
    summary, parts = (pd.concat(tables, ignore_index=True) for tables in list(zip(*found, strict=True))[:2])
    chosen = {name: part[2] for name, part in zip(options.data, found, strict=True)}
    options.out.mkdir(parents=True, exist_ok=True)
    summary.to_csv(options.out / "recommend.csv", index=False, float_format="%.6g")
    columns = ["data", "system", "seed", "by", "segment", "cases", "mean", "low", "high"]
    parts[columns].to_csv(options.out / "recommend_slices.csv", index=False, float_format="%.6g")
    about = {
        "command": f"python benchmarks/recommend.py --data {' '.join(options.data)}",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "machine": f"{platform.machine()}, {psutil.cpu_count()} cores, one of them used",
    }
    told = json.dumps(about | {"chosen": chosen}, indent=1) + "\n"
    (options.out / "recommend.json").write_text(told, encoding="utf-8")
    with house_style.style():
        drawn(summary, chosen, options.seeds[0]).savefig(options.out / "recommend.png", dpi=130)
    shown = ["data", "system", *METRICS, "gain on best single", "best single low", "best single high"]
    print(summary[shown].to_string(index=False, float_format=lambda value: f"{value:.4f}"))


if __name__ == "__main__":
    main()

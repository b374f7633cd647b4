"""What does a small model learn from a teacher, and what does a compressed one lose?

    python benchmarks/distillation.py [--parts methods sweep data deploy] [--data shop movielens-1m] [--seeds 1 2 3]
                                      [--work runs/distillation] [--out results/benchmarks]

Students have at most a quarter of their teacher's weights. Everything is trained on the training part, its epoch chosen
on validation, and tested once. Every training keeps its result in --work and is not repeated. The teachers of
movielens-1m are the models of `benchmarks/quality.py`, those of the shop the models of `benchmarks/recommend.py`,
trained where they are not kept yet.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import numpy as np
import onnxruntime
import pandas as pd
import psutil
import recipes
import torch

from llmarm_tutorial.data import loading
from llmarm_tutorial.errors import LlmarmError
from llmarm_tutorial.evaluation.intervals import bootstrap_interval
from llmarm_tutorial.evaluation.latency import Latency, measure_latency
from llmarm_tutorial.evaluation.ranking import evaluate
from llmarm_tutorial.evaluation.tasks import Recommender, next_item_task
from llmarm_tutorial.figures import distil as distil_figures
from llmarm_tutorial.figures import house_style
from llmarm_tutorial.models.batches import ItemBatches
from llmarm_tutorial.models.compress import bf16, factorise_table, int8, measure_size, quantise_table, shortened
from llmarm_tutorial.models.distil_loss import DistillationMix
from llmarm_tutorial.models.export import NextItem, NextItemRecommender, to_onnx
from llmarm_tutorial.models.item_model import ItemModel
from llmarm_tutorial.models.onnx_int8 import quantise
from llmarm_tutorial.models.pruning import prune, prune_weights
from llmarm_tutorial.models.recommender import ItemRecommender
from llmarm_tutorial.models.serve import OnnxRecommender
from llmarm_tutorial.models.students import narrow_student
from llmarm_tutorial.models.teachers import (
    CountingTeacher,
    JointTeacher,
    ModelTeacher,
    Student,
    Teacher,
    TopTeacher,
    fidelity,
)
from llmarm_tutorial.models.training import Settings, train
from llmarm_tutorial.recommend import tuning

CHECKED = 3000  # validation cases on which epochs are chosen
TEMPERATURES = (0.5, 1.0, 2.0, 4.0)
SOFT = (0.5, 1.0)
SHARES = (0.1, 1.0)  # of the training sequences
SHORTER = {"shop": (64,), "movielens-1m": (32, 24, 16)}  # tokens of a history
NAMED = {  # in the figure
    "teacher": "teacher",
    "teacher, ONNX int8": "teacher, int8",
    "half of the neurons, ONNX": "half of the neurons",
    "student, hard labels, ONNX int8": "student, int8",
    "student, hard labels, reads 24, last position only": "reads 24",
    "student, soft labels, ONNX": "soft labels",
    "student, model × counting teaches, ONNX": "taught by model × counting",
}
GOAL = 0.97  # of the teacher's NDCG@10


@dataclass(frozen=True)
class Plan:
    """How the students of a data set are built and trained; chosen on validation of seed 1."""

    epochs: int
    learning_rate: float
    length: int
    objective: str
    batch_size: int


PLANS = {
    "shop": Plan(epochs=16, learning_rate=5e-3, length=128, objective="masked", batch_size=16),
    "movielens-1m": Plan(epochs=10, learning_rate=2e-3, length=50, objective="causal", batch_size=128),
}
COUNTING = {"shop": "personal", "movielens-1m": "sr"}  # the best counting that a student could learn from


class Bench:
    """One data set: its split, its teachers, its students, and the results kept so far."""

    def __init__(self, name: str, work: Path) -> None:
        self.name, self.work, self.plan = name, work / name, PLANS[name]
        self.recipe = recipes.RECIPES["cpu"][name][self.plan.objective]  # of the teacher
        self.kept_models = work.parent / "item-models" / name
        self.work.mkdir(parents=True, exist_ok=True)
        data = loading.load(name)
        films = name == "movielens-1m"
        split = data.filter_items(5).leave_one_out(unit="event") if films else data.leave_one_out()
        self.n_items, self.past = len(split.train.items), split.train.histories()
        self.test = next_item_task(split, "test")
        self.validation = next_item_task(split, "validation", max_cases=CHECKED)
        self.filter_seen = films  # nobody rates a film twice; in the shop most purchases are repeated
        self.counts = np.bincount(self.past.items, minlength=self.n_items)
        self.counting = tuning.make_baseline(COUNTING[name]).fit(self.past)
        self._teachers: dict[int, ItemModel] = {}

    def values(self, system: Recommender, part: str = "test") -> np.ndarray:
        """NDCG@10 of every case."""
        task = self.test if part == "test" else self.validation
        return evaluate(system, task, ks=(10,), filter_seen=self.filter_seen).values("NDCG@10")

    def batches(self, seed: int, share: float = 1.0) -> ItemBatches:
        """Training batches from a share of the customers."""
        past, plan = self.past, self.plan
        if share < 1:
            past = past.take(np.sort(np.random.default_rng(0).permutation(len(past))[: round(share * len(past))]))
        return ItemBatches(past, plan.length, plan.objective, batch_size=plan.batch_size, seed=seed)

    def teacher(self, seed: int) -> ItemModel:
        """The trained teacher of a seed."""
        if seed not in self._teachers:
            fitted = self.recipe.fit(
                self.past,
                seed=seed,
                validate=lambda system: self.values(system, "validation").mean(),
                folder=self.kept_models,
            )
            self._teachers[seed] = fitted.model
        return self._teachers[seed]

    def student(self, start: str, seed: int) -> ItemModel:
        """A student before it has learnt, with at most a quarter of its teacher's weights.

        Args:
            start: "teacher": what is left of the teacher. In the shop its main directions and an eighth of its neurons;
                of films both layers, a third of their neurons, and the table in codes. "random": the same shape (and
                codes) with random weights.
            seed: Seed of weights, and of the teacher.
        """
        roots = np.sqrt(self.counts)
        if self.name == "shop":
            model = narrow_student(prune(self.teacher(seed), neurons=0.875), 26, roots)
            if start == "random":
                small = replace(self.recipe, hidden=26, feed_forward=8)
                model = small.model(self.past, seed=seed)
        else:
            model = quantise_table(prune(self.teacher(seed), neurons=0.64), parts=32, weights=roots, seed=seed)
            if start == "random":
                fresh = ItemModel(model.config, seed=seed)
                fresh.bert.embeddings.word_embeddings.codes.copy_(model.bert.embeddings.word_embeddings.codes)
                fresh.start_from_popularity(self.counts)
                model = fresh
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0  # a student has no weights to spare
        model.requires_grad_(True)
        model.bert.embeddings.position_embeddings.weight.requires_grad_(bool(model.config.positions))
        return model

    def teaches(self, method: str, seed: int) -> tuple[Teacher | None, DistillationMix, float]:
        """Teacher, mix and weight of matching of a method."""
        model = ModelTeacher(self.teacher(seed))
        counting = CountingTeacher(self.counting, self.plan.objective)
        three = (ModelTeacher(self.teacher(other)) for other in (1, 2, 3))  # trained where they are asked for
        ways: dict[str, tuple[Callable[[], Teacher | None], DistillationMix, float]] = {
            "hard labels": (lambda: None, DistillationMix(0.0), 0.0),
            "soft labels": (lambda: model, DistillationMix(1.0), 0.0),
            "hard and soft": (lambda: model, DistillationMix(0.5), 0.0),
            "soft, temperature 2": (lambda: model, DistillationMix(1.0, 2.0), 0.0),
            "soft, reverse KL": (lambda: model, DistillationMix(1.0, 1.0, "reverse"), 0.0),
            "soft and hidden states": (lambda: model, DistillationMix(1.0), 1.0),
            "hard and top 20 ranks": (lambda: TopTeacher(model, 20), DistillationMix(0.5), 0.0),
            "counting teaches": (lambda: counting, DistillationMix(1.0), 0.0),
            "model × counting teaches": (
                lambda: JointTeacher([model, counting], [1.0, 0.75]),
                DistillationMix(1.0),
                0.0,
            ),
            "three models teach": (lambda: JointTeacher(list(three)), DistillationMix(1.0), 0.0),
        }
        build, mix, matching = ways[method]
        return build(), mix, matching

    def learned(
        self,
        start: str,
        method: str,
        seed: int,
        *,
        mix: DistillationMix | None = None,
        share: float = 1.0,
        epochs: int = 0,
    ) -> tuple[ItemModel, dict[str, Any]]:
        """Train a student and judge it, or open what an earlier run kept."""
        heat = f"-{mix.soft:g}-{mix.temperature:g}" if mix else ""
        stem = f"{start}-{method}{heat}-{share:g}-{epochs}-{seed}".replace(" ", "_").replace(",", "").replace("×", "x")
        path = self.work / f"{stem}.json"
        model = self.student(start, seed)
        if path.exists():
            model.load_state_dict(torch.load(path.with_suffix(".pt")))
            return model.eval(), json.loads(path.read_text(encoding="utf-8"))
        teacher, usual, matching = self.teaches(method, seed)
        pair = Student(model, teacher, mix or usual, matching=matching)
        begin = time.process_time()
        # fewer customers: as many steps, not as many epochs
        rounds = round((epochs or self.plan.epochs) / share)
        settings = Settings(
            epochs=rounds, learning_rate=self.plan.learning_rate, warmup=0.1, precision="no", seed=seed,
            validate_every=max(1, rounds // 4), patience=rounds, weight_decay=0.01, log_every=50,
        )  # fmt: skip
        done = train(
            pair,
            self.batches(seed, share),
            settings,
            validate=lambda net: self.values(ItemRecommender(net.model), "validation").mean(),
            progress=False,
        )
        used = time.process_time() - begin
        mine = ItemRecommender(model)
        found = self.values(mine)
        row = {
            "data": self.name,
            "path": stem,
            "student": start,
            "method": method,
            "seed": seed,
            "soft": (mix or usual).soft,
            "temperature": (mix or usual).temperature,
            "share": share,
            "epochs": rounds,
            "parameters": trained(model),
            "NDCG@10": float(found.mean()),
            "validation NDCG@10": done.best_score,
            "teacher NDCG@10": float(self.values(ItemRecommender(self.teacher(seed))).mean()),
            "core seconds": used,
        }
        row |= fidelity(mine, ItemRecommender(self.teacher(seed)), self.validation.histories)._asdict()
        torch.save(model.state_dict(), path.with_suffix(".pt"))
        np.save(path.with_suffix(".npy"), found.astype(np.float32))
        write(path, row)
        print(
            f"{self.name} {stem}: {done.best_score:.4f} validation, {row['NDCG@10']:.4f} test, {used:.0f} s", flush=True
        )
        return model, row


def trained(model: ItemModel) -> int:
    """Weights that training may change."""
    return sum(weight.numel() for weight in model.parameters() if weight.requires_grad)


def write(path: Path, row: dict[str, Any]) -> None:
    """Write a result so that it is there as a whole or not at all."""
    part = path.with_name(f".{path.name}")
    part.write_text(json.dumps(row, indent=1), encoding="utf-8")
    os.replace(part, path)


# --- parts ------------------------------------------------------------------------------------------------------------

METHODS = {
    "shop": {
        "teacher": (
            "hard labels", "soft labels", "hard and soft", "soft, temperature 2", "soft, reverse KL",
            "soft and hidden states", "hard and top 20 ranks", "counting teaches",
            "model × counting teaches", "three models teach",
        ),
        "random": ("hard labels", "soft labels", "model × counting teaches"),
    },
    "movielens-1m": {"teacher": ("soft labels", "hard labels")},
}  # fmt: skip
# On films, with one seed, what costs up to ten minutes of a core each
ONCE = (
    ("random", "hard labels"),
    ("random", "soft labels"),
    ("teacher", "soft, reverse KL"),
    ("teacher", "model × counting teaches"),
)


def methods(bench: Bench, seeds: list[int]) -> list[dict[str, Any]]:
    """Every way to teach, by start of the student."""
    plan = [(start, method, seed) for start, ways in METHODS[bench.name].items() for method in ways for seed in seeds]
    if bench.name == "movielens-1m":
        plan += [(start, method, seeds[0]) for start, method in ONCE]
    return [bench.learned(*which)[1] for which in plan]


def sweep(bench: Bench, seeds: list[int]) -> list[dict[str, Any]]:
    """Temperature against weight of the soft labels."""
    return [
        bench.learned("teacher", "hard and soft", seed, mix=DistillationMix(soft, heat))[1]
        for seed in seeds
        for heat in TEMPERATURES
        for soft in SOFT
    ]


def data(bench: Bench, seeds: list[int]) -> list[dict[str, Any]]:
    """Hard and soft labels when there are fewer customers to learn from; the teacher knew them all."""
    return [
        bench.learned(start, method, seed, share=share)[1]
        for seed in seeds
        for share in SHARES
        for start in ("teacher", "random")
        for method in ("hard labels", "soft labels")
    ]


def variants(bench: Bench, seed: int) -> dict[str, tuple[str, Callable[[], tuple[Recommender, int, int]]]]:
    """Everything that could be deployed: name → family and a function to (recommender, weights, bytes)."""
    teacher, roots = bench.teacher(seed), np.sqrt(bench.counts)
    folder = bench.work / "deployed"
    folder.mkdir(exist_ok=True)

    def in_torch(model: ItemModel, net: torch.nn.Module | None = None) -> tuple[Recommender, int, int]:
        held = measure_size(model if net is None else net)
        return (
            (ItemRecommender(model, block=64) if net is None else NextItemRecommender(net)),
            trained(model),
            held.bytes,
        )

    def exported(name: str, model: ItemModel, bits: int = 32) -> tuple[Recommender, int, int]:
        path = to_onnx(model, folder / f"{name}-{seed}.onnx".replace(" ", "_"))
        if bits == 8:
            path = quantise(path, folder / f"{name}-{seed}-int8.onnx".replace(" ", "_"))
        return OnnxRecommender(path), trained(model), path.stat().st_size

    found: dict[str, tuple[str, Callable[[], tuple[Recommender, int, int]]]] = {
        "teacher": ("teacher", lambda: in_torch(teacher)),
        "teacher, last position only": ("teacher", lambda: in_torch(teacher, NextItem(teacher))),
        "teacher, torch int8": ("fewer bits", lambda: in_torch(teacher, int8(NextItem(teacher)))),
        "teacher, bf16": ("fewer bits", lambda: in_torch(teacher, bf16(NextItem(teacher)))),
        "teacher, ONNX": ("teacher", lambda: exported("teacher", teacher)),
        "teacher, ONNX int8": ("fewer bits", lambda: exported("teacher", teacher, 8)),
        "half of the weights zero": ("pruned", lambda: in_torch(prune_weights(teacher, 0.5))),
    }
    halved = prune(teacher, neurons=0.5)
    found["half of the neurons, ONNX"] = ("pruned", lambda: exported("neurons", halved))
    if len(teacher.bert.encoder.layer) * teacher.config.num_attention_heads > 1:
        fewer = prune(teacher, heads=0.5)
        found["half of the heads, ONNX"] = ("pruned", lambda: exported("heads", fewer))
    width = teacher.config.hidden_size
    thin = factorise_table(teacher, width // 2, weights=roots)
    found[f"table of rank {width // 2}, ONNX"] = ("small table", lambda: exported("factorised", thin))
    if bench.n_items > 256:
        codes = quantise_table(teacher, parts=32, weights=roots, seed=seed)
        found["table in codes, ONNX"] = ("small table", lambda: exported("coded", codes))
        found["table in codes, ONNX int8"] = ("small table", lambda: exported("coded", codes, 8))
    best = ("model × counting teaches",) if bench.name == "shop" else ()
    for method in ("hard labels", "soft labels", *best):
        student = bench.learned("teacher", method, seed)[0]
        name = f"student, {method}"
        found[name] = ("student", lambda student=student: in_torch(student))
        net = NextItem(student)
        found[f"{name}, last position only"] = ("student", lambda student=student, net=net: in_torch(student, net))
        found[f"{name}, ONNX"] = ("student", lambda name=name, student=student: exported(name, student))
        found[f"{name}, ONNX int8"] = ("student", lambda name=name, student=student: exported(name, student, 8))
        for length in SHORTER[bench.name]:
            less = shortened(student, length)
            short = f"{name}, reads {length}"
            net = NextItem(less)
            found[f"{short}, last position only"] = ("reads less", lambda less=less, net=net: in_torch(less, net))
            found[f"{short}, bf16"] = ("reads less", lambda less=less, net=net: in_torch(less, bf16(net)))
            found[f"{short}, ONNX int8"] = ("reads less", lambda short=short, less=less: exported(short, less, 8))
    for length in SHORTER[bench.name]:
        less = shortened(teacher, length)
        net = NextItem(less)
        found[f"teacher, reads {length}, last position only"] = (
            "reads less",
            lambda less=less, net=net: in_torch(less, net),
        )
    return found


def deploy(bench: Bench, seeds: list[int], rounds: int = 5) -> pd.DataFrame:
    """Quality of every variant over seeds, its size, and how long it takes on one core."""
    torch.set_num_threads(1)
    rows, systems = [], {}
    for seed in seeds:
        for name, (family, build) in variants(bench, seed).items():
            system, weights, held = build()
            found, checked = bench.values(system), bench.values(system, "validation")
            row = {"data": bench.name, "system": name, "family": family, "seed": seed, "weights": weights}
            rows.append(row | {"bytes": held, "NDCG@10": found.mean(), "validation": checked.mean()})
            if seed == seeds[0]:
                systems[name] = system
            print(f"{bench.name} {name} {seed}: {found.mean():.4f}, {held:,} bytes", flush=True)
    times: dict[str, list[tuple[Latency, Latency]]] = {name: [] for name in systems}
    for number in range(rounds):  # in turns, so that a busy neighbour meets all of them
        for name, system in systems.items():
            alone = measure_latency(system, bench.test.histories, repeats=100, seed=number)
            together = measure_latency(system, bench.test.histories, batch=256, repeats=4, warmup=1, seed=number)
            times[name].append((alone, together))
    table = pd.DataFrame(rows)
    perfect = table[table["system"] == "teacher"].set_index("seed")["NDCG@10"]
    table["kept"] = table["NDCG@10"] / table["seed"].map(perfect)
    shared = table.groupby(["data", "system", "family"], sort=False)
    summary = shared.agg(
        weights=("weights", "first"), bytes=("bytes", "mean"), ndcg=("NDCG@10", "mean"), sd=("NDCG@10", "std"),
        validation=("validation", "mean"), kept=("kept", "mean"), kept_sd=("kept", "std"), seeds=("seed", "size"),
    ).reset_index()  # fmt: skip
    for column, pick in (
        ("p50", lambda pair: pair[0].p50),
        ("p99", lambda pair: pair[0].p99),
        ("per_second", lambda pair: pair[1].per_second),
    ):
        summary[column] = summary["system"].map({name: np.median([pick(p) for p in t]) for name, t in times.items()})
    base = summary.set_index("system").loc["teacher"]
    summary["throughput_gain"] = summary["per_second"] / base["per_second"]
    summary["weights_share"] = summary["weights"] / base["weights"]
    return summary


def summarised(rows: list[dict[str, Any]], bench: Bench, keys: list[str]) -> pd.DataFrame:
    """Mean and standard deviation over seeds, and the gain on hard labels of the same student with its interval.

    A gain is taken over the seeds that both have, per case, and its interval over customers.
    """
    table = pd.DataFrame(rows)
    found = []
    for key, part in table.groupby(["data", *keys], sort=False):
        row = dict(zip(["data", *keys], key, strict=True)) | {"seeds": len(part)}
        for column in ("NDCG@10", "validation NDCG@10", "overlap", "first", "divergence", "core seconds"):
            row[column] = part[column].mean()
        row["sd"] = part["NDCG@10"].std()
        row["kept"] = (part["NDCG@10"] / part["teacher NDCG@10"]).mean()
        row["parameters"] = part["parameters"].iloc[0]
        rival = table[(table["method"] == "hard labels") & (table["student"] == part["student"].iloc[0])]
        rival = rival[(rival["share"] == part["share"].iloc[0]) & rival["seed"].isin(part["seed"])]
        if len(rival) == len(part):
            gains = np.mean([per_case(bench, r) for r in part["path"]], axis=0)
            gains = gains - np.mean([per_case(bench, r) for r in rival["path"]], axis=0)
            row["gain on hard labels"] = gains.mean()
            row["low"], row["high"] = bootstrap_interval(gains)
        found.append(row)
    return pd.DataFrame(found)


def per_case(bench: Bench, stem: str) -> np.ndarray:
    """NDCG@10 of every test case of a kept run."""
    return np.load(bench.work / f"{stem}.npy")


def drawn(folder: Path, work: Path) -> None:
    """Write one table of all single runs, and draw what the tables say."""
    kept = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(work.glob("*/*.json"))]
    runs = pd.DataFrame(kept)
    runs.to_csv(folder / "distillation_seeds.csv", index=False, float_format="%.6g")
    with house_style.style():
        for name in PLANS:
            plain = runs.query("data == @name and share == 1 and student == 'teacher'")
            plain = plain[~plain["path"].str.contains(r"hard_and_soft-\d")]  # those belong to the sweep
            if len(plain):
                lines = {"teacher": plain["teacher NDCG@10"].mean()}
                figure = distil_figures.methods(plain.assign(quality=plain["NDCG@10"]), lines)
                figure.savefig(folder / f"distillation_methods_{name}.png", dpi=130)
            path = folder / "distillation_deploy.csv"
            rows = pd.read_csv(path).query("data == @name") if path.exists() else pd.DataFrame()
            if len(rows):
                teacher = rows.loc[rows["system"] == "teacher", "ndcg"].iloc[0]
                rows = rows.assign(quality=rows["ndcg"], name=rows["system"].map(NAMED).fillna(""))
                figure = distil_figures.pareto(rows, teacher, GOAL)
                figure.savefig(folder / f"distillation_deploy_{name}.png", dpi=130)


def main() -> None:
    """Measure, write distillation*.csv, .json and figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = ("methods", "sweep", "data", "deploy")
    parser.add_argument("--parts", nargs="+", choices=parts, default=list(parts))
    parser.add_argument("--data", nargs="+", choices=PLANS, default=list(PLANS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--work", type=Path, default=Path("runs/distillation"))
    parser.add_argument("--out", type=Path, default=Path("results/benchmarks"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    tables: dict[str, list[pd.DataFrame]] = {part: [] for part in parts}
    for name in options.data:
        try:
            bench = Bench(name, options.work)
        except LlmarmError as error:
            sys.exit(str(error))
        if "methods" in options.parts:
            tables["methods"].append(summarised(methods(bench, options.seeds), bench, ["student", "method"]))
        if name == "shop":  # what would take hours on films
            hard = [bench.learned("teacher", "hard labels", seed)[1] for seed in options.seeds]
            if "sweep" in options.parts:
                keys = ["student", "method", "soft", "temperature"]
                tables["sweep"].append(summarised(hard + sweep(bench, options.seeds), bench, keys))
            if "data" in options.parts:
                tables["data"].append(summarised(data(bench, options.seeds), bench, ["student", "method", "share"]))
        if "deploy" in options.parts:
            tables["deploy"].append(deploy(bench, options.seeds))
    for part, found in tables.items():
        if not found:
            continue
        path = options.out / f"distillation_{part}.csv"
        table = pd.concat(found, ignore_index=True)
        if path.exists():  # other data sets keep their rows
            kept = pd.read_csv(path)
            table = pd.concat([kept[~kept["data"].isin(table["data"])], table], ignore_index=True)
        table.to_csv(path, index=False, float_format="%.6g")
        print(table.to_string(index=False, float_format=lambda value: f"{value:.4f}"))
    drawn(options.out, options.work)
    about = {
        "command": "python benchmarks/distillation.py",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "onnxruntime": onnxruntime.__version__,
        "machine": f"{platform.machine()}, {psutil.cpu_count()} cores, no GPU",
        "plans": {name: vars(plan) for name, plan in PLANS.items()},
    }
    (options.out / "distillation.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

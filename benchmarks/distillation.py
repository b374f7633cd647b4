"""What does a small model learn from a teacher, and what does a compressed one lose?

    python benchmarks/distillation.py [--parts methods sweep data deploy] [--data shop movielens-1m] [--seeds 1 2 3]

Students have at most a quarter of their teacher's weights. Everything is trained on the training part, its epoch chosen
on validation, and tested once; gains are on hard labels with the same start. *methods*: every way to teach. *sweep*:
temperature against weight of the soft labels, and *data*: fewer customers to learn from, both on the shop, for films
would take hours. *deploy*: quality, size and waiting time of all that could be deployed, on one thread. The teachers
are the models of `benchmarks/quality.py` and `benchmarks/recommend.py`, trained where they are not kept yet.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import harness
import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from next_basket import NextBasket
from rows import over_seeds, setting, unfolded

from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.evaluation.ranking import evaluate
from llmarm_tutorial.evaluation.tasks import Recommender
from llmarm_tutorial.figures import distil as distil_figures
from llmarm_tutorial.models import teachers
from llmarm_tutorial.models.batches import ItemBatches
from llmarm_tutorial.models.compress import bf16, factorise_table, int8, measure_size, quantise_table, shortened
from llmarm_tutorial.models.distil_loss import DistillationMix
from llmarm_tutorial.models.export import NextItem, NextItemRecommender, to_onnx
from llmarm_tutorial.models.item_model import ItemModel
from llmarm_tutorial.models.onnx_int8 import quantise
from llmarm_tutorial.models.pruning import prune, prune_weights
from llmarm_tutorial.models.recommender import ItemRecommender
from llmarm_tutorial.models.serve import OnnxRecommender
from llmarm_tutorial.models.students import narrow_student, ready_to_learn
from llmarm_tutorial.models.training import Settings, train
from llmarm_tutorial.recommend import tuning

# How the students of a data set are built and trained; chosen on validation of seed 1
PLANS: dict[str, dict[str, Any]] = {
    "shop": {"objective": "masked", "epochs": 16, "rate": 5e-3, "batch_size": 16},
    "movielens-1m": {"objective": "causal", "epochs": 10, "rate": 2e-3, "batch_size": 128},
}
COUNTING = {"shop": "personal", "movielens-1m": "sr"}  # the best counting that a student could learn from
SHORTER = {"shop": (64,), "movielens-1m": (32, 24, 16)}  # tokens of a history
WIDTH = 26 / 64  # of the teacher's, in the shop
METHODS = {  # data → start → methods with every seed
    "shop": {
        "teacher": (
            "hard labels", "soft labels", "hard and soft", "soft, temperature 2", "soft, reverse KL",
            "soft and hidden states", "hard and top 20 ranks", "counting teaches", "model × counting teaches",
            "three models teach",
        ),
        "random": ("hard labels", "soft labels", "model × counting teaches"),
    },
    "movielens-1m": {"teacher": ("hard labels", "soft labels")},
}  # fmt: skip
ONCE = (  # on films, with one seed: what costs up to ten minutes of a core each
    ("random", "hard labels"), ("random", "soft labels"), ("teacher", "soft, reverse KL"),
    ("teacher", "model × counting teaches"),
)  # fmt: skip
DEPLOYED = {
    "shop": ("hard labels", "soft labels", "model × counting teaches"),
    "movielens-1m": ("hard labels", "soft labels"),
}
TEMPERATURES = (0.5, 1.0, 2.0, 4.0)
SOFT = (0.5, 1.0)
SHARES = (0.1, 1.0)  # of the customers
ROUNDS = 5  # of measuring times
GOAL = 0.97  # of the teacher's NDCG@10
NAMED = {  # in the figure
    "teacher": "teacher",
    "teacher, ONNX int8": "teacher, int8",
    "half of the neurons, ONNX": "half of the neurons",
    "student, hard labels, ONNX int8": "student, int8",
    "student, hard labels, reads 24, last position only": "reads 24",
    "student, soft labels, ONNX": "soft labels",
    "student, model × counting teaches, ONNX": "taught by model × counting",
}


class Question(NextBasket):
    """One data set: its teachers, its students, and what could be deployed."""

    def __init__(self, bench: harness.Bench, name: str, data: Transactions) -> None:
        super().__init__(bench, name, data)
        self.plan, self.recipe = PLANS[name], bench.smaller(self.recipes[PLANS[name]["objective"]])
        self.roots = np.sqrt(self.histories.item_counts)
        self.counted = tuning.make_baseline(COUNTING[name]).fit(self.histories)
        self.epochs, self.shorter = (1, (10,)) if bench.smoke else (self.plan["epochs"], SHORTER[name])
        self.teacher = cache(lambda seed: self.trained(self.plan["objective"], seed).model)
        self.of_teacher = cache(lambda seed: self.values(ItemRecommender(self.teacher(seed))))
        self.made_of += [self.plan, COUNTING[name], WIDTH]

    def values(self, system: Recommender) -> np.ndarray:
        """NDCG@10 of every test case."""
        return evaluate(system, self.test, ks=(10,), **self.seen).values("NDCG@10")

    def student(self, start: str, seed: int) -> ItemModel:
        """A student before it has learnt.

        Args:
            start: "teacher": what is left of the teacher. In the shop its main directions and an eighth of its neurons;
                of films both layers, a third of their neurons, and the table in codes. "random": the same shape (and
                codes) with random weights.
            seed: Seed of weights, and of the teacher.
        """
        teacher, recipe = self.teacher(seed), self.recipe
        if self.name == "shop":
            model = narrow_student(prune(teacher, neurons=0.875), round(WIDTH * recipe.hidden), self.roots)
            if start == "random":
                shape = {"hidden": model.config.hidden_size, "feed_forward": model.config.intermediate_size}
                model = replace(recipe, **shape).model(self.histories, seed=seed)
        else:
            model = quantise_table(prune(teacher, neurons=0.64), parts=32, weights=self.roots, seed=seed)
            if start == "random":
                codes, model = model.bert.embeddings.word_embeddings.codes, ItemModel(model.config, seed=seed)
                model.bert.embeddings.word_embeddings.codes.copy_(codes)
                model.start_from_popularity(self.histories.item_counts)
        return ready_to_learn(model)

    def teaching(self, method: str, seed: int) -> tuple[teachers.Teacher | None, DistillationMix, float]:
        """Teacher, mix and weight of matching of a method."""
        model = teachers.ModelTeacher(self.teacher(seed))
        counting = teachers.CountingTeacher(self.counted, self.plan["objective"])
        three = (teachers.ModelTeacher(self.teacher(other)) for other in (1, 2, 3))  # trained where they are asked for
        ways: dict[str, tuple[Callable[[], teachers.Teacher | None], tuple, float]] = {
            "hard labels": (lambda: None, (0.0,), 0.0),
            "soft labels": (lambda: model, (1.0,), 0.0),
            "hard and soft": (lambda: model, (0.5,), 0.0),
            "soft, temperature 2": (lambda: model, (1.0, 2.0), 0.0),
            "soft, reverse KL": (lambda: model, (1.0, 1.0, "reverse"), 0.0),
            "soft and hidden states": (lambda: model, (1.0,), 1.0),
            "hard and top 20 ranks": (lambda: teachers.TopTeacher(model, 20), (0.5,), 0.0),
            "counting teaches": (lambda: counting, (1.0,), 0.0),
            "model × counting teaches": (lambda: teachers.JointTeacher([model, counting], [1.0, 0.75]), (1.0,), 0.0),
            "three models teach": (lambda: teachers.JointTeacher(list(three)), (1.0,), 0.0),
        }
        build, mix, matching = ways[method]
        return build(), DistillationMix(*mix), matching

    def learned(
        self, start: str, method: str, seed: int, *, share: float = 1.0, heat: tuple[float, ...] = ()
    ) -> ItemModel:
        """A trained student, judged.

        Args:
            start: See `student`.
            method: See `teaching`.
            seed: Seed of everything.
            share: Share of the customers to learn from, with as many steps.
            heat: Weight and temperature of the soft labels, where they are not the method's own.
        """
        model = self.student(start, seed)
        teacher, mix, matching = self.teaching(method, seed)
        mix, known = DistillationMix(*heat) if heat else mix, self.histories
        if share < 1:
            known = known.take(np.sort(np.random.default_rng(0).permutation(len(known))[: round(share * len(known))]))
        rounds = round(self.epochs / share)
        settings = Settings(
            epochs=rounds, learning_rate=self.plan["rate"], warmup=0.1, precision="no", seed=seed,
            validate_every=max(1, rounds // 4), patience=rounds, weight_decay=0.01, log_every=50,
        )  # fmt: skip
        length, size = self.recipe.max_length, self.plan["batch_size"]
        begin = time.process_time()
        done = train(
            teachers.Student(model, teacher, mix, matching=matching),
            ItemBatches(known, length, self.plan["objective"], batch_size=size, seed=seed),
            settings,
            validate=lambda net: self.validated(ItemRecommender(net.model)),
            folder=self.bench.kept(self.made_of, known, self.teacher(seed), start, method, heat, rounds, seed),
            progress=False,
        )
        seconds = time.process_time() - begin
        about = {"start": start, "share": share} | dict(zip(("soft", "temperature"), heat, strict=False))
        which = {"setting": setting(**about), "seed": seed, "made_of": self.made_of}
        if not self.bench.has(self.name, method, **which):
            system, rival = ItemRecommender(model), ItemRecommender(self.teacher(seed))
            found, perfect = self.values(system), self.of_teacher(seed).mean()
            values = {"NDCG@10": found.mean(), "validation NDCG@10": done.best_score, "teacher NDCG@10": perfect}
            values |= {"share of the teacher's NDCG@10": found.mean() / perfect}
            values |= teachers.fidelity(system, rival, self.few.histories)._asdict()
            values |= {"parameters": weights(model), "epochs": rounds}
            self.bench.add(self.name, method, values, seconds=seconds, cases={"NDCG@10": found}, **which)
        return model.eval()

    # --- what could be deployed ---------------------------------------------------------------------------------------

    def variants(self, seed: int) -> dict[str, tuple[str, Callable[[], tuple[Recommender, int, int]]]]:
        """Everything that could be deployed: name → family and a function to (recommender, weights, bytes)."""
        teacher, last = self.teacher(seed), "last position only"
        in_bits = {"bf16": lambda model: bf16(NextItem(model)), "torch int8": lambda model: int8(NextItem(model))}
        nets = {"": None, last: NextItem, **in_bits}
        found: dict[str, tuple[str, Callable]] = {}

        def add(name: str, family: str, model: ItemModel, *kinds: str) -> None:
            export = cache(partial(to_onnx, model, self.bench.work / f"{self.name} {name} {seed}.onnx"))
            for kind in kinds:
                build = partial(exported, model, export, int8="int8" in kind)
                build = partial(in_torch, model, nets[kind]) if kind in nets else build
                found[f"{name}, {kind}".removesuffix(", ")] = family, build

        add("teacher", "teacher", teacher, "", last, "ONNX")
        add("teacher", "fewer bits", teacher, "torch int8", "bf16", "ONNX int8")
        add("half of the weights zero", "pruned", prune_weights(teacher, 0.5), "")
        add("half of the neurons", "pruned", prune(teacher, neurons=0.5), "ONNX")
        if len(teacher.bert.encoder.layer) * teacher.config.num_attention_heads > 1:
            add("half of the heads", "pruned", prune(teacher, heads=0.5), "ONNX")
        rank = teacher.config.hidden_size // 2
        add(f"table of rank {rank}", "small table", factorise_table(teacher, rank, weights=self.roots), "ONNX")
        if self.n_items > 256:
            parts = math.gcd(32, teacher.config.hidden_size)  # of the small model of --smoke, fewer
            codes = quantise_table(teacher, parts=parts, weights=self.roots, seed=seed)
            add("table in codes", "small table", codes, "ONNX", "ONNX int8")
        for method in DEPLOYED[self.name][: 1 if self.bench.smoke else None]:
            student, name = self.learned("teacher", method, seed), f"student, {method}"
            add(name, "student", student, "", last, "ONNX", "ONNX int8")
            for length in self.shorter:
                add(f"{name}, reads {length}", "reads less", shortened(student, length), last, "bf16", "ONNX int8")
        for length in self.shorter:
            add(f"teacher, reads {length}", "reads less", shortened(teacher, length), last)
        return found

    def deploy(self, seed: int) -> None:
        """Quality and size of every variant, and with the first seed how long it takes on one core."""
        which, last = {"seed": seed, "made_of": [*self.made_of, SHORTER, ROUNDS]}, f"teacher, reads {self.shorter[-1]}"
        if self.bench.has(self.name, f"{last}, last position only", setting=setting(family="reads less"), **which):
            return
        rows, systems = {}, {}
        for name, (family, build) in self.variants(seed).items():
            systems[name], size, held = build()
            values = {"NDCG@10": self.values(systems[name]).mean(), "validation NDCG@10": self.validated(systems[name])}
            rows[name] = family, values | {"weights": size, "bytes": held}
        if seed == self.bench.options.seeds[0]:
            for name, times in self.waits(systems).items():
                rows[name][1].update(times)
        base = dict(rows["teacher"][1])
        shares = {"NDCG@10": "share of the teacher's NDCG@10", "weights": "share of the teacher's weights"}
        shares["lists per second"] = "times the teacher's lists per second"
        for name, (family, values) in rows.items():
            values |= {share: values[metric] / base[metric] for metric, share in shares.items() if metric in values}
            self.bench.add(self.name, name, values, setting=setting(family=family), **which)

    def waits(self, systems: dict[str, Recommender]) -> dict[str, dict[str, float]]:
        """Medians of rounds in which all systems take turns, so that a busy neighbour meets all of them."""
        rounds, repeats = (1, 5) if self.bench.smoke else (ROUNDS, 100)
        times: dict[str, list[dict[str, float]]] = {name: [] for name in systems}
        for number in range(rounds):
            for name, system in systems.items():
                times[name].append(self.times(system, repeats=repeats, blocks=4, seed=number))
        return {name: pd.DataFrame(found).median().to_dict() for name, found in times.items()}


def weights(model: ItemModel) -> int:
    """Weights that training may change."""
    return sum(weight.numel() for weight in model.parameters() if weight.requires_grad)


def in_torch(
    model: ItemModel, net: Callable[[ItemModel], torch.nn.Module] | None = None
) -> tuple[Recommender, int, int]:
    """A variant in PyTorch: (recommender, weights, bytes)."""
    if net is None:
        return ItemRecommender(model, block=64), weights(model), measure_size(model).bytes
    changed = net(model)
    return NextItemRecommender(changed), weights(model), measure_size(changed).bytes


def exported(model: ItemModel, export: Callable[[], Path], *, int8: bool) -> tuple[Recommender, int, int]:
    """A variant in ONNX Runtime: (recommender, weights, bytes)."""
    path = export()
    path = quantise(path, path.with_name(f"int8 {path.name}")) if int8 else path
    return OnnxRecommender(path), weights(model), path.stat().st_size


def measure(bench: harness.Bench) -> None:
    """All parts of every set."""
    torch.set_num_threads(1)
    parts, seeds = bench.options.parts, bench.options.seeds
    for name, data in bench.datasets():
        question = Question(bench, name, data)
        plan = [(start, way, seed) for start, ways in METHODS[name].items() for way in ways for seed in seeds]
        plan += [(*pair, seeds[0]) for pair in ONCE] if name == "movielens-1m" else []
        for start, method, seed in plan if "methods" in parts else ():
            question.learned(start, method, seed)
        for seed in seeds:
            for heat in TEMPERATURES[: 1 if bench.smoke else None] if "sweep" in parts and name == "shop" else ():
                for soft in SOFT:
                    question.learned("teacher", "hard and soft", seed, heat=(soft, heat))
            for share in SHARES if "data" in parts and name == "shop" else ():
                for start in ("teacher", "random"):
                    for method in ("hard labels", "soft labels"):
                        question.learned(start, method, seed, share=share)
            if "deploy" in parts:
                question.deploy(seed)
    taught = unfolded(bench.rows[bench.rows["metric"] == "overlap"])
    for row in taught[["data", "system", "setting", "start", "share"]].drop_duplicates().to_dict("records"):
        if row["system"] != "hard labels":
            hard = setting(start=row["start"], share=row["share"])
            bench.gain(row["data"], row["system"], "hard labels", setting=row["setting"], rival_setting=hard)


def figures(rows: pd.DataFrame, bench: harness.Bench) -> dict[str, Figure]:
    """Ways to teach, and quality against size and waiting time, a figure of each data set."""
    found, table = {}, unfolded(rows)
    for name, part in table.groupby("data"):
        taught = part[(part["setting"] == setting(start="teacher", share=1.0)) & part["seed"].notna()]
        taught = taught.rename(columns={"system": "method", "value": "quality"})
        if len(taught):
            lines = {"teacher": taught.loc[taught["metric"] == "teacher NDCG@10", "quality"].mean()}
            taught = taught[taught["metric"] == "NDCG@10"]
            found[f"distillation_methods_{name}"] = distil_figures.methods(taught, lines)
        wide = over_seeds(part[part["setting"].str.startswith("family=")])
        if len(wide):
            wide = wide.pivot_table(index=["system", "setting"], columns="metric", values="value", sort=False)
            wide = unfolded(wide.reset_index()).rename(columns={"NDCG@10": "quality", "p50 seconds": "p50"})
            perfect = wide.loc[wide["system"] == "teacher", "quality"].iloc[0]
            wide = wide.assign(name=wide["system"].map(NAMED).fillna(""))
            found[f"distillation_deploy_{name}"] = distil_figures.pareto(wide, perfect, GOAL)
    return found


def main() -> None:
    """Measure, write distillation.csv, distillation.json and four figures."""
    parts = ["methods", "sweep", "data", "deploy"]
    parser = harness.parser(__doc__, data=list(PLANS), seeds=(1, 2, 3), choices=list(PLANS))
    parser.add_argument("--parts", nargs="+", choices=parts, default=parts)
    harness.run(parser, measure, figures)


if __name__ == "__main__":
    main()

"""Does a graph of items add anything? Links to come, recommending beside a sequence model and counts, and new items.

    python benchmarks/graphs.py [--parts links fusion cold start] [--data shop online-retail movielens-1m]
                                [--seeds 1 2 3] [--work runs/graphs] [--out results/benchmarks]

links: which pairs of products become a link in the next stretch of time, by graph networks and by counting; what is
chosen, is chosen on the stretch before. fusion: the last basket of every customer (films: the last event), as in
`benchmarks/recommend.py`, whose item models are trained where they are not kept yet; hybrids are chosen by one rule
with and without an expert that knows the graph. cold: items first bought in the last weeks, by links foretold from
their text. start, after fusion: the shop's item model trained from the vectors of LightGCN, with the same batches and
as many epochs. Intervals are bootstraps over cases of the mean over seeds (links: over items). What is in --work is not
measured again, so that the same command goes on.
"""

from __future__ import annotations

import argparse
import itertools
import json
import platform
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import psutil
import recommend
import torch
import torch_geometric
from cold_start import WEEKS, contents
from matplotlib.figure import Figure
from scipy import sparse
from sklearn.decomposition import TruncatedSVD

from llmarm_tutorial.data import loading
from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.errors import LlmarmError
from llmarm_tutorial.evaluation.groups import popularity_bucket
from llmarm_tutorial.evaluation.intervals import bootstrap_interval
from llmarm_tutorial.evaluation.metrics import Evaluation
from llmarm_tutorial.evaluation.ranking import evaluate
from llmarm_tutorial.evaluation.tasks import Recommender
from llmarm_tutorial.figures import house_style
from llmarm_tutorial.graphs import link_counting, link_tasks
from llmarm_tutorial.graphs.fusion import (
    RECENCY,
    Walks,
    by_links,
    gain_of_graph,
    shared_users,
    start_from_vectors,
    with_recency,
)
from llmarm_tutorial.graphs.item_graph import co_occurrence_graph, strongest
from llmarm_tutorial.graphs.lightgcn import GraphBatches, GraphLoss, GraphRecommender, LightGCN, published_settings
from llmarm_tutorial.graphs.link_evaluation import evaluate_links
from llmarm_tutorial.graphs.link_networks import ENCODERS, Links, fit_links
from llmarm_tutorial.models import texts
from llmarm_tutorial.models.recommender import ItemRecommender
from llmarm_tutorial.models.training import Settings, train
from llmarm_tutorial.recommend import by_text, new_items
from llmarm_tutorial.recommend.by_text import Borrowed, RestrictedRecommender, nearest
from llmarm_tutorial.recommend.counting import Baseline, Ease, Popularity
from llmarm_tutorial.recommend.experts import Expert
from llmarm_tutorial.recommend.hybrid import choose_hybrid
from llmarm_tutorial.recommend.item_weights import ItemWeights
from llmarm_tutorial.recommend.similarity import Similarity
from llmarm_tutorial.recommend.tuning import choose_setting

PARTS = ("links", "fusion", "cold", "start")
DATA = ("shop", "online-retail", "movielens-1m")
# what a link is: strict where baskets are those of wholesalers, loose in the shop, where few links are new
DEFINITIONS = {
    "shop": link_tasks.LinkDefinition(min_count=3, min_lift=1.0, max_q=0.2),
    "online-retail": link_tasks.LinkDefinition(min_count=20, min_lift=5.0),
}
COUNTED = ("popularity", "own count", "own lift", "own likelihood", "attachment", "common neighbours", "Adamic-Adar",
           "resource allocation", "Katz", "PageRank", "PPMI vectors", "EASE")  # fmt: skip
NEAREST = 20  # links of each item that pass messages where networks recommend
FEATURES = {"ids": (True, False), "text": (False, True), "ids, text": (True, True)}
DIRECTIONS = 128  # of the TF-IDF vectors, which have thousands of mostly empty columns
LINK_PLAN = {"learning_rate": 1e-2, "validate_every": 5, "patience": 4, "precision": "no", "log_every": 1000}
LINK_EPOCHS, SHORT = 60, 15
# of LightGCN: edges in a step, items to tell them apart from, epochs, and the last events of a customer in the graph
SIZES = {"shop": (4096, 256, 16, None), "online-retail": (8192, 512, 20, None), "movielens-1m": (16384, 512, 12, 50)}
TEMPERATURES = {"shop": 0.1, "online-retail": 0.1, "movielens-1m": 0.2}
STARTED = ("shop",)  # where an item model is trained from vectors of LightGCN as well: it takes minutes per seed
LAYERS = {"shop": (1, 2), "online-retail": (1, 2), "movielens-1m": (2,)}  # tried with the first seed
WALKED_FROM = ((None, 0.0), (10, 1.0))
HOW = {"steps": 3, "top": 50}  # of the choice among hybrids
BUCKETS = ("all", "1 of 3", "2 of 3", "3 of 3")  # the most popular items that make up a third of all events, …
PAIRS = [
    ("LightGCN", "best counting"),
    ("walks", "best counting"),
    ("model × LightGCN", "model"),
    ("hybrid with walks", "hybrid without graph"),
    ("hybrid with graph", "hybrid without graph"),
    ("hybrid with graph", "hybrid with walks"),
    ("model from LightGCN", "model"),
]
Rows = list[dict[str, Any]]


def kept(path: Path, rows: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    part.replace(path)


def compact(vectors: np.ndarray) -> np.ndarray:
    """The main directions of text vectors."""
    return TruncatedSVD(min(DIRECTIONS, *(n - 1 for n in vectors.shape)), random_state=0).fit_transform(vectors)


# --- links -----------------------------------------------------------------------------------------------------------


def foretold(
    tasks: link_tasks.LinkTasks, features: np.ndarray, kind: tuple[str, str], seed: int, path: Path
) -> tuple[tuple[np.ndarray, np.ndarray], dict[str, int]]:
    """Scores of a graph network for both tasks, each trained on the past of that task, and the number of epochs.

    The number that is best for the links of validation serves for both.
    """
    if not path.exists():
        encoder, named = kind
        ids, told = FEATURES[named]
        found, epochs = {}, None
        for part, task in tasks._asdict().items():
            plan = Settings(epochs=epochs or LINK_EPOCHS, decay="constant", seed=seed, **LINK_PLAN)
            validate = None if epochs else (lambda scores, task=task: evaluate_links(task, scores).mean())
            fitted = fit_links(
                task.graph.weights, features if told else None, plan, validate=validate, encoder=encoder, ids=ids,
                folds=2, others=8,
            )  # fmt: skip
            epochs = fitted.training.best_epoch
            found |= {part: fitted.vectors(), f"{part} bias": fitted.model.item_bias.detach().numpy()}
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, epochs=epochs, **found)
    with np.load(path) as told:
        scores = [
            told[p] @ told[p].T + told[f"{p} bias"] + told[f"{p} bias"][:, None] for p in link_tasks.LinkTasks._fields
        ]
        return tuple(scores), {"epochs": int(told["epochs"])}


def counted(
    tasks: link_tasks.LinkTasks, method: str, path: Path
) -> tuple[tuple[np.ndarray, np.ndarray], dict[str, Any]]:
    """Scores of a counting method for both tasks, its settings chosen on validation."""
    told = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if method not in told:
        kept(path, told | {method: link_counting.choose_link_scores(method, tasks.validation).best})
        told = json.loads(path.read_text(encoding="utf-8"))
    score = link_counting.METHODS[method].score
    return tuple(score(task, **told[method]) for task in tasks), told[method]


def of_links(name: str, seeds: Sequence[int], work: Path) -> None:
    """Counting and graph networks on the links of one data set."""
    done = work / f"links-{name}.json"
    if name not in DEFINITIONS:
        return
    if done.exists() and set(seeds) <= {row["seed"] for row in json.loads(done.read_text(encoding="utf-8"))["rows"]}:
        return
    data = loading.load(name)
    tasks = link_tasks.make_link_tasks(data, DEFINITIONS[name])
    features = compact(texts.TfidfText().vectors(texts.item_texts(data.items)))
    rows: Rows = []
    scored: dict[str, list[Callable[[], tuple[np.ndarray, np.ndarray]]]] = {}  # tables of all pairs are large
    found: dict[str, list[np.ndarray]] = {}
    value: dict[str, list[float]] = {}

    def keep(method: str, kind: str, seed: int, scores: Callable[[], Any]) -> None:
        parts, settings = scores()
        first, second = (evaluate_links(task, part, method) for task, part in zip(tasks, parts, strict=True))
        scored.setdefault(method, []).append(lambda: scores()[0])
        found.setdefault(method, []).append(second.precision)
        value.setdefault(method, []).append(first.mean())
        row = {"data": name, "method": method, "kind": kind, "seed": seed, "settings": str(settings)}
        row |= {"validation": first.mean(), "average_precision": second.mean()}
        rows.append(row | {metric: second.mean(metric) for metric in ("auroc", "hit_10")})
        print(f"{name} | {method} {seed} | {row['validation']:.4f} {row['average_precision']:.4f}", flush=True)

    folder = work / f"links-{name}"
    for method in COUNTED:
        keep(method, "counting", 0, partial(counted, tasks, method, folder / "counting.json"))
    for kind in itertools.product(ENCODERS, FEATURES):
        label, group = f"{kind[0]} ({kind[1]})", "no graph" if kind[0] == "MLP" else "graph"
        for seed in seeds:
            path = folder / f"{label}-{seed}.npz"
            keep(label, group, seed, partial(foretold, tasks, features, kind, seed, path))
    mean = {method: float(np.mean(values)) for method, values in value.items()}
    groups = {
        kind: {row["method"] for row in rows if row["kind"] == kind} for kind in ("counting", "no graph", "graph")
    }
    best = {kind: max(methods, key=mean.get) for kind, methods in groups.items()}
    gains: Rows = []

    def gain(one: str, other: str, precisions: Sequence[np.ndarray]) -> None:
        """The mean over seeds of the difference, with an interval over items."""
        difference = np.mean(precisions, axis=0) - np.mean(found[other], axis=0)
        low, high = bootstrap_interval(difference, tasks.test.clusters)
        told = {"gain": float(difference.mean()), "low": low, "high": high}
        gains.append({"data": name, "method": one, "against": other} | told)

    gain(best["graph"], best["counting"], found[best["graph"]])
    gain(best["graph"], best["no graph"], found[best["graph"]])
    rival = scored[best["counting"]][0]()
    for kind in ("no graph", "graph"):
        joint = []
        for scores in scored[best[kind]]:
            first, second = ({"counting": a, kind: b} for a, b in zip(rival, scores(), strict=True))
            both = link_counting.joined_scores(tasks.validation, first, tasks.test, second)[0]
            joint.append(evaluate_links(tasks.test, both).precision)
        gain(f"{best['counting']} and {best[kind]}", best["counting"], joint)
    facts = {"data": name, "definition": DEFINITIONS[name]._asdict(), "best on validation": best}
    facts |= {
        part: {"links": task.graph.n_links, "candidates": len(task.i), "new links": int(task.appears.sum())}
        for part, task in tasks._asdict().items()
    }
    kept(done, {"rows": rows, "gains": gains, "facts": facts})


# --- fusion ----------------------------------------------------------------------------------------------------------


class Bench(recommend.Bench):
    """A data set of `benchmarks/recommend.py` with systems that know a graph."""

    def __init__(self, name: str, work: Path) -> None:
        super().__init__(name, Path("runs/recommend"))
        self.kept = work / f"fusion-{name}"
        last = SIZES[name][3]
        back = np.repeat(self.past.offsets[1:], np.diff(self.past.offsets)) - np.arange(len(self.past.items))
        recent = self.past.items[back <= last] if last else self.past.items
        offsets = np.append(0, np.cumsum(np.minimum(np.diff(self.past.offsets), last or len(self.past.items))))
        shape = (len(offsets) - 1, self.n_items)
        self.held = sparse.csr_matrix((np.ones(len(recent), dtype=np.float32), recent.copy(), offsets), shape=shape)
        self.held.sum_duplicates()
        self.third = popularity_bucket(np.bincount(self.past.items, minlength=self.n_items))

    def lightgcn(self, seed: int, layers: int) -> tuple[GraphRecommender, float]:
        """LightGCN on customers and items, and its NDCG@10 on validation."""
        batch, negatives, epochs, _ = SIZES[self.name]
        model = LightGCN(self.held, 64, layers, seed=seed)
        batches = GraphBatches(self.held, "softmax", batch, negatives=negatives, seed=seed)
        plan = published_settings(epochs=epochs, learning_rate=1e-2, validate_every=4, patience=2, seed=seed)
        done = train(
            model, batches, plan, loss=GraphLoss("softmax", temperature=TEMPERATURES[self.name]), progress=False,
            validate=lambda net: self.validated(GraphRecommender(net)),
            folder=self.kept / f"lightgcn-{layers}-{seed}",
        )  # fmt: skip
        return GraphRecommender(model), done.best_score

    def recent(self, vectors: np.ndarray) -> tuple[Similarity, float]:
        """Cosines of item vectors to as much of the history as is best on validation."""
        tries = [Similarity(vectors, "cosine", last=last, position_power=power) for last, power in RECENCY]
        found = choose_setting(tries, self.validated)
        return found.system, found.value

    def linked(self, seed: int) -> tuple[ItemWeights, float]:
        """Links foretold by a graph network on the graph of shared customers."""
        graph = strongest(shared_users(self.past), NEAREST).weights
        plan = Settings(epochs=2 * SHORT, decay="constant", seed=seed, **LINK_PLAN | {"patience": 3})
        fitted = fit_links(graph, None, plan, encoder="LightGCN", folds=2, others=8,
                           validate=lambda scores: self.validated(by_links(scores)))  # fmt: skip
        return with_recency(by_links(fitted.scores()), self.few, filter_seen=self.filter_seen)

    def walks(self) -> tuple[ItemWeights, dict[str, Any]]:
        """Walks over pairs, tuned on validation."""
        path = self.kept / "walks.json"
        if path.exists():
            told = json.loads(path.read_text(encoding="utf-8"))
            return Walks(**told["settings"]).fit(self.past), told
        found = []
        for steps, discount in itertools.product((2, 3), (0.0, 0.5)):
            fitted = Walks(steps, 0.5, discount, 50).fit(self.past)
            system, value = with_recency(fitted, self.few, tries=WALKED_FROM, filter_seen=self.filter_seen)
            found.append((value, {"steps": steps, "discount": discount, "neighbours": 50}, system))
        _, settings, system = max(found, key=lambda row: row[0])
        system, value = with_recency(system, self.few, filter_seen=self.filter_seen)
        last, power, _ = system.profile
        settings |= {"last": last, "position_power": power}
        kept(path, {"settings": settings, "value": value})
        return system, {"settings": settings, "value": value}

    def started(self, objective: str, seed: int, vectors: np.ndarray) -> tuple[ItemRecommender, float]:
        """The item model of `recommend.Bench.trained` once more, but from the given vectors."""
        recipe = recommend.RECIPES[self.name][objective]
        model = recipe.model(self.past, seed=seed)
        start_from_vectors(model, vectors, keep=np.bincount(self.past.items, minlength=self.n_items) == 0)
        folder = self.kept / f"start-{objective}"
        fitted = recipe.fit(self.past, seed=seed, model=model, validate=self.validated, folder=folder)
        return fitted.recommender, fitted.training.best_score

    def values(self, evaluation: Evaluation) -> dict[str, np.ndarray]:
        """NDCG@10 of every case, and the mean over those of its targets that are in a bucket (NaN without any)."""
        found = {"all": evaluation.values("NDCG@10")}
        return found | {
            label: evaluation.values_among(self.third == number) for number, label in enumerate(BUCKETS[1:])
        }

    def keep(self, seed: int, systems: dict[str, Recommender], chosen: dict[str, Any], part: str = "seed") -> None:
        """Judge on the test and write."""
        values, rows = {}, []
        for name, system in systems.items():
            evaluation = evaluate(system, self.test, ks=(10,), filter_seen=self.filter_seen, name=name)
            found = self.values(evaluation)
            values |= {f"{name}|{label}": column.astype(np.float32) for label, column in found.items()}
            rows.append({"data": self.name, "system": name, "seed": seed, "HR@10": evaluation.mean("HR@10")})
            told = ", ".join(f"{label} {np.nanmean(column):.4f}" for label, column in found.items())
            print(f"{self.name} seed {seed} | {name} | {told}", flush=True)
        np.savez(self.kept / f"{part}-{seed}.npz", **values)
        kept(self.kept / f"{part}-{seed}.json", {"rows": rows, "chosen": chosen})

    def run(self, seeds: list[int]) -> None:
        """Judge everything; each seed is written when it is done."""
        self.kept.mkdir(parents=True, exist_ok=True)
        wanted = [seed for seed in (0, *seeds) if not (self.kept / f"seed-{seed}.json").exists()]
        if not wanted:
            return
        counted, values = self.counting()
        walks, told = self.walks()
        best = next(iter(counted))
        if 0 in wanted:
            self.keep(0, {"best counting": counted[best], "walks": walks},
                      {"best counting": best, "validation": values, "walks": told})  # fmt: skip
        score = {layers: self.lightgcn(seeds[0], layers)[1] for layers in LAYERS[self.name]}
        layers = max(score, key=score.get)
        objective, models = self.models(seeds)
        for seed in (seed for seed in wanted if seed):
            model = models[seed]
            network, value = self.lightgcn(seed, layers)
            graph = {"LightGCN": (network, value), "LightGCN, cosine": self.recent(network.items)}
            graph["links by LightGCN"] = self.linked(seed)
            strong = max(graph, key=lambda name: graph[name][1])
            says = "logits" if strong == "LightGCN" else "shares"
            base = [Expert("model", model, "logits")]
            base += [Expert(name, system) for name, system in counted.items() if name != "popularity"][:3]
            how = HOW | {"filter_seen": self.filter_seen}
            without, with_graph = gain_of_graph(base, [Expert(strong, graph[strong][0], says)], self.few, **how)
            with_walks = choose_hybrid([*base, Expert("walks", walks)], self.few, **how)
            pair = choose_hybrid([base[0], Expert("LightGCN", network, "logits")], self.few, **how)
            systems = {"model": model} | {name: system for name, (system, _) in graph.items()}
            systems |= {
                "model × LightGCN": pair.finalists[pair.best("fusion")],  # what is learned knows more than the two
                "hybrid without graph": without.system,
                "hybrid with walks": with_walks.system,
                "hybrid with graph": with_graph.system,
            }
            chosen = {
                "LightGCN by layers": score,
                "validation": {name: v for name, (_, v) in graph.items()} | {"model": self.validated(model)},
                "experts": [expert.name for expert in base],
                "graph expert": strong,
                "objective": objective,
            }
            for name, hybrid in {"without": without, "with walks": with_walks, "with graph": with_graph}.items():
                chosen[name] = {"name": hybrid.name, "weights": recommend.weights_of(hybrid.system),
                                "value": float(hybrid.tries.set_index("system").loc[hybrid.name, "value"])}  # fmt: skip
            self.keep(seed, systems, chosen)

    def start(self, seeds: list[int]) -> None:
        """Train item models from the vectors of LightGCN, after `run`."""
        for seed in seeds:
            if (self.kept / f"start-{seed}.json").exists():
                continue
            told = json.loads((self.kept / f"seed-{seed}.json").read_text(encoding="utf-8"))["chosen"]
            layers = max(told["LightGCN by layers"], key=told["LightGCN by layers"].get)
            network, _ = self.lightgcn(seed, int(layers))
            model, value = self.started(told["objective"], seed, network.items)
            self.keep(seed, {"model from LightGCN": model}, {"validation": value}, "start")


# --- new items -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class TextLinks:
    """New items by links that a network foretells from text, learned on the links of known ones; a `Baseline`.

    Attributes:
        vectors: Text of every item, shape (n_items, d).
        features: The same with fewer numbers, which the network reads.
        encoder: "GraphSAGE", or "MLP" for the text alone.
        hide: What training hides, see `link_batches.LinkBatches`.
        borrowed: How many known items, those most alike, a new one is linked to for listening; 0 for none.
        seed: Seed of training.
        trained: Networks by what they were trained on, shared by settings that differ in use only.
    """

    vectors: np.ndarray
    features: np.ndarray
    encoder: str = "GraphSAGE"
    hide: str = "items"
    borrowed: int = 0
    seed: int = 1
    trained: dict[Any, Links] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What tables call it."""
        return self.encoder

    def fit(self, histories: Histories) -> ItemWeights:
        """Train on the strongest links of known items, then say which of them go with each new one."""
        key = (self.encoder, self.hide, self.seed, histories.items.tobytes())
        if key not in self.trained:
            graph = strongest(co_occurrence_graph(histories.visit_matrix()[0], "ppmi", min_count=2), NEAREST).weights
            plan = Settings(epochs=SHORT, seed=self.seed, **LINK_PLAN)
            self.trained[key] = fit_links(
                graph, self.features, plan, encoder=self.encoder, ids=False, hide=self.hide, others=8
            )
        fitted = self.trained[key]
        graph = fitted.graph
        if self.borrowed:
            old = np.diff(graph.indptr) > 0
            alike = nearest(self.vectors, old, self.borrowed).tocsr()
            heard = sparse.diags((~old).astype(float)) @ alike
            heard.eliminate_zeros()
            graph = (graph + heard).tocsr()  # a row's weights are divided by their sum: their size has no influence
        return by_links(fitted.scores(graph), name=self.encoder)


def of_new_items(name: str, seeds: Sequence[int], work: Path) -> None:
    """New items to customers and to baskets."""
    path = work / f"cold-{name}.json"
    if path.exists() or WEEKS[name] is None:
        return
    data = loading.load(name)
    cold = new_items.launched_items(data, WEEKS[name])
    validations = [new_items.hide_items(cold.train, 0.1, weeks=WEEKS[name], seed=seed) for seed in seeds]
    vectors = texts.TfidfText().vectors(texts.item_texts(data.items))
    features, histories = compact(vectors), cold.train.histories()
    rows, gains = [], []
    trained: dict[Any, Links] = {}
    for asked in ("new", "basket"):
        task, mean = cold.task(asked), {}

        def judged(setting: Baseline, task: Any = task) -> Evaluation:
            return evaluate(RestrictedRecommender(setting.fit(histories), cold.new), task, ks=(10,))

        judge = by_text.validation_score_of_new_items(validations, asked, max_cases=500)
        systems: dict[str, list[Baseline]] = {"chance": [Popularity()]}
        systems["TF-IDF neighbours"] = [choose_setting(contents(vectors), judge).best]
        lent = [Borrowed(vectors, Ease(), neighbours) for neighbours in (3, 10, 30)]
        systems["borrowed counts"] = [choose_setting(lent, judge).best]
        for encoder in ("MLP", "GraphSAGE"):
            grid = [
                TextLinks(vectors, features, encoder, hide, borrowed, seeds[0], trained)
                for hide in ("links", "items")
                for borrowed in ((0, 5, 20) if encoder == "GraphSAGE" else (0,))
            ]
            best, _, tries = choose_setting(grid, judge)
            shown = {f"{s.hide}, {s.borrowed}": v for s, v in zip(grid, tries["value"], strict=True)}
            print(name, asked, encoder, shown, flush=True)
            systems[encoder] = [
                TextLinks(vectors, features, encoder, best.hide, best.borrowed, seed, trained) for seed in seeds
            ]
        for label, settings in systems.items():
            evaluations = [judged(setting) for setting in settings]
            mean[label] = np.mean([evaluation.values("MRR") for evaluation in evaluations], axis=0)
            for seed, setting, evaluation in zip(seeds, settings, evaluations, strict=False):
                how = "" if not isinstance(setting, TextLinks) else f"hide={setting.hide}, borrowed={setting.borrowed}"
                row = {"data": name, "task": asked, "system": label, "seed": seed if how else 0, "settings": how}
                rows.append(row | {"cases": len(task)} | {m: evaluation.mean(m) for m in ("MRR", "HR@1", "NDCG@10")})
                print(rows[-1], flush=True)
        for one, other in (("GraphSAGE", "TF-IDF neighbours"), ("GraphSAGE", "MLP"), ("GraphSAGE", "borrowed counts"),
                           ("MLP", "TF-IDF neighbours")):  # fmt: skip
            difference = mean[one] - mean[other]
            low, high = bootstrap_interval(difference)
            gains.append({"data": name, "task": asked, "system": one, "against": other,
                          "gain": float(difference.mean()), "low": low, "high": high})  # fmt: skip
    kept(path, {"rows": rows, "gains": gains})


# --- results ---------------------------------------------------------------------------------------------------------


def over_seeds(rows: Rows, by: list[str], metrics: list[str]) -> pd.DataFrame:
    """Means and standard deviations over seeds."""
    groups = pd.DataFrame(rows).groupby(by, sort=False)
    table = groups[metrics].mean().join(groups[metrics].std().add_suffix(" sd"))
    return groups.size().rename("seeds").to_frame().join(table).reset_index()


def told_links(work: Path, out: Path) -> dict[str, Any]:
    """Write graphs_links.csv; gains and facts go into the JSON file."""
    parts = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(work.glob("links-*.json"))]
    if parts:
        rows = [row for part in parts for row in part["rows"]]
        metrics = ["validation", "average_precision", "auroc", "hit_10"]
        table = over_seeds(rows, ["data", "kind", "method"], metrics)
        table.to_csv(out / "graphs_links.csv", index=False, float_format="%.5g")
    return {part["facts"]["data"]: part["facts"] | {"gains": part["gains"]} for part in parts}


def told_fusion(work: Path, out: Path) -> dict[str, Any]:
    """Write graphs.png and graphs_fusion.csv: a row per system and bucket, with gains over the rivals in `PAIRS`."""
    found, about = [], {}
    for name in DATA:
        folder = work / f"fusion-{name}"
        if not folder.exists():
            continue
        cases: dict[str, dict[str, list[np.ndarray]]] = {}
        about[name] = {}
        for path in [*sorted(folder.glob("seed-*.json")), *sorted(folder.glob("start-*.json"))]:
            about[name][path.stem] = json.loads(path.read_text(encoding="utf-8"))["chosen"]
            with np.load(path.with_suffix(".npz")) as values:
                for key in values.files:
                    system, bucket = key.split("|")
                    cases.setdefault(system, {}).setdefault(bucket, []).append(values[key].astype(float))
        for system, bucket in itertools.product(cases, BUCKETS):
            parts = cases[system][bucket]
            means = [np.nanmean(part) for part in parts]
            row = {"data": name, "system": system, "targets": bucket, "cases": int((~np.isnan(parts[0])).sum()),
                   "seeds": len(parts), "NDCG@10": np.mean(means),
                   "NDCG@10 sd": np.std(means, ddof=1) if len(means) > 1 else np.nan}  # fmt: skip
            rivals = [other for one, other in PAIRS if one == system and other in cases] or [None]
            for rival in rivals:
                gain = {"against": rival}
                if rival:
                    gains = np.mean(parts, axis=0) - np.mean(cases[rival][bucket], axis=0)
                    low, high = bootstrap_interval(gains)
                    gain |= {"gain": np.nanmean(gains), "low": low, "high": high}
                found.append(row | gain)
    if found:
        table = pd.DataFrame(found)
        table.to_csv(out / "graphs_fusion.csv", index=False, float_format="%.5g")
        with house_style.style():
            drawn(table).savefig(out / "graphs.png", dpi=130)
    return about


def drawn(table: pd.DataFrame) -> Figure:
    """What the graph adds to its rival, by popularity of the target."""
    names, pairs = list(dict.fromkeys(table["data"])), PAIRS[2:5]
    figure, axes = plt.subplots(1, len(names), figsize=(4.2 * len(names), 3.4), squeeze=False, sharey=True)
    for axis, name in zip(axes[0], names, strict=True):
        axis.axhline(0, color="0.6", linewidth=0.8)
        for number, (one, other) in enumerate(pairs):
            rows = table[(table["data"] == name) & (table["system"] == one) & (table["against"] == other)]
            errors = np.abs(rows[["low", "high"]].to_numpy().T - rows["gain"].to_numpy())
            place = np.arange(len(rows)) + 0.15 * (number - 1)
            axis.errorbar(place, rows["gain"], yerr=errors, fmt="o", markersize=4, label=f"{one} − {other}")
        axis.set_xticks(range(len(BUCKETS)), ["all", "frequent", "medium", "rare"])
        axis.set_title(name)
        axis.set_xlabel("targets")
    axes[0, 0].set_ylabel("gain in NDCG@10 (95 %)")
    axes[0, 0].legend(fontsize=7)
    return figure


def told_new_items(work: Path, out: Path) -> list[dict[str, Any]]:
    """Write graphs_cold.csv; gains go into the JSON file."""
    parts = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(work.glob("cold-*.json"))]
    if parts:
        rows = [row for part in parts for row in part["rows"]]
        table = over_seeds(rows, ["data", "task", "system", "settings", "cases"], ["MRR", "HR@1", "NDCG@10"])
        table.to_csv(out / "graphs_cold.csv", index=False, float_format="%.5g")
    return [gain for part in parts for gain in part["gains"]]


def main() -> None:
    """Measure, write graphs_links.csv, graphs_fusion.csv, graphs_cold.csv, graphs.png and graphs.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--data", nargs="+", choices=DATA, default=list(DATA))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--work", type=Path, default=Path("runs/graphs"))
    parser.add_argument("--out", type=Path, default=Path("results/benchmarks"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    for part, name in itertools.product(options.parts, options.data):
        begin = time.perf_counter()
        try:
            if part == "links":
                of_links(name, options.seeds, options.work)
            elif part == "fusion":
                Bench(name, options.work).run(options.seeds)
            elif part == "start":
                if name in STARTED:
                    Bench(name, options.work).start(options.seeds)
            else:
                of_new_items(name, options.seeds, options.work)
        except LlmarmError as error:
            sys.exit(str(error))
        print(f"{part} {name}: {time.perf_counter() - begin:.0f} s", flush=True)
    about = {
        "command": "python benchmarks/graphs.py",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torch_geometric": torch_geometric.__version__,
        "machine": f"{platform.machine()}, {psutil.cpu_count()} cores, one of them used",
        "links": told_links(options.work, options.out),
        "fusion": told_fusion(options.work, options.out),
        "new items": told_new_items(options.work, options.out),
    }
    (options.out / "graphs.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""Does a graph of items add anything? Links to come, and recommending beside a sequence model and counts.

    python benchmarks/graphs.py [--parts links fusion start] [--data shop online-retail movielens-1m] [--seeds 1 2 3]

links: which pairs of products become a link in the next stretch of time, by graph networks and by counting; what is
chosen, is chosen on the stretch before. fusion: the last basket of every customer, see `benchmarks/next_basket.py`;
hybrids are chosen by one rule with and without an expert that knows the graph. start: the shop's item model trained
from the vectors of LightGCN, with the same batches and as many epochs. Intervals are bootstraps over cases of the mean
over seeds (links: over items). New items by links foretold from text: `benchmarks/cold_start.py --networks`.
"""

from __future__ import annotations

import itertools
from functools import cached_property
from typing import Any

import harness
import numpy as np
import pandas as pd
import rows as schema
import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from next_basket import DATA, NextBasket
from sklearn.decomposition import TruncatedSVD

from llmarm_tutorial import graphs
from llmarm_tutorial.choosing import choose_setting
from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.evaluation.groups import popularity_bucket
from llmarm_tutorial.evaluation.ranking import evaluate
from llmarm_tutorial.evaluation.tasks import Recommender
from llmarm_tutorial.graphs.fusion import RECENCY, shared_users, start_from_vectors
from llmarm_tutorial.graphs.link_networks import ENCODERS
from llmarm_tutorial.models import texts
from llmarm_tutorial.models.training import Settings, train
from llmarm_tutorial.recommend.experts import Expert, Fusion
from llmarm_tutorial.recommend.hybrid import choose_hybrid
from llmarm_tutorial.recommend.item_weights import ItemWeights
from llmarm_tutorial.recommend.similarity import Similarity

PARTS = ("links", "fusion", "start")
# what a link is: strict where baskets are those of wholesalers, loose in the shop, where few links are new
DEFINITIONS = {
    "shop": graphs.LinkDefinition(min_count=3, min_lift=1.0, max_q=0.2),
    "online-retail": graphs.LinkDefinition(min_count=20, min_lift=5.0),
}
LOOSE = graphs.LinkDefinition(min_count=2, min_lift=1.0, max_q=1.0)  # with --smoke
COUNTED = ("popularity", "own count", "own lift", "own likelihood", "attachment", "common neighbours", "Adamic-Adar",
           "resource allocation", "Katz", "PageRank", "PPMI vectors", "EASE")  # fmt: skip
NEAREST = 20  # links of each item that pass messages where networks recommend
FEATURES = {"ids": (True, False), "text": (False, True), "ids, text": (True, True)}
DIRECTIONS = 128  # of the TF-IDF vectors, which have thousands of mostly empty columns
LINK_EPOCHS = 60
LINK_PLAN = {"learning_rate": 1e-2, "decay": "constant", "validate_every": 5, "patience": 4, "precision": "no"}
# of LightGCN: edges in a step, items to tell them apart from, epochs, and the last events of a customer in the graph
SIZES = {"shop": (4096, 256, 16, None), "online-retail": (8192, 512, 20, None), "movielens-1m": (16384, 512, 12, 50)}
TEMPERATURES = {"shop": 0.1, "online-retail": 0.1, "movielens-1m": 0.2}
STARTED = ("shop",)  # where an item model is trained from vectors of LightGCN as well: it takes minutes per seed
LAYERS = {"shop": (1, 2), "online-retail": (1, 2), "movielens-1m": (2,)}  # tried with the first seed
WALKED_FROM = ((None, 0.0), (10, 1.0))
HOW = {"steps": 3, "top": 50}  # of the choice among hybrids
BUCKETS = {"": "all", "targets=1 of 3": "frequent", "targets=2 of 3": "medium", "targets=3 of 3": "rare"}
PAIRS = [
    ("LightGCN", "best counting"),
    ("walks", "best counting"),
    ("model × LightGCN", "model"),
    ("hybrid with walks", "hybrid without graph"),
    ("hybrid with graph", "hybrid without graph"),
    ("hybrid with graph", "hybrid with walks"),
    ("model from LightGCN", "model"),
]
Scores = tuple[np.ndarray, np.ndarray]  # of all pairs, for the links of validation and of the test


class LinkQuestion:
    """The links of one data set."""

    def __init__(self, bench: harness.Bench, name: str, data: Transactions) -> None:
        self.bench, self.name = bench, name
        self.tasks = graphs.make_link_tasks(data, LOOSE if bench.smoke else DEFINITIONS[name])
        vectors = texts.TfidfText().vectors(texts.item_texts(data.items))
        size = min(DIRECTIONS, *(n - 1 for n in vectors.shape))
        self.features = TruncatedSVD(size, random_state=0).fit_transform(vectors)
        self.plan = LINK_PLAN | {"epochs": 2 if bench.smoke else LINK_EPOCHS}
        self.made_of = [DEFINITIONS, self.plan, DIRECTIONS]

    def counted(self, method: str) -> tuple[Scores, dict[str, Any]]:
        """Scores of a counting method, its settings chosen on validation."""
        found = graphs.choose_link_scores(method, self.tasks.validation)
        return tuple(found.system(task) for task in self.tasks), {"settings": found.best}

    def foretold(self, method: str, seed: int) -> tuple[Scores, dict[str, Any]]:
        """Scores of a graph network for both tasks, each trained on the past of that task.

        The number of epochs that is best for the links of validation serves for both.
        """
        encoder, features = method.removesuffix(")").split(" (")
        ids, text = FEATURES[features]
        how = {"encoder": encoder, "ids": ids, "folds": 2, "others": 8}
        plan = Settings(**self.plan | {"seed": seed})
        found = graphs.predict_links(self.tasks, self.features if text else None, plan, **how)
        return (found.validation, found.test), {"settings": {"epochs": found.epochs}}

    def judge(self, method: str, kind: str, seed: int) -> None:
        """Keep how well a method foretells the links of both tasks."""
        which = {"seed": seed, "setting": schema.setting(task="links", kind=kind), "made_of": self.made_of}
        if self.bench.has(self.name, method, **which):
            return
        scores, notes = self.counted(method) if kind == "counting" else self.foretold(method, seed)
        first, second = (graphs.evaluate_links(task, part) for task, part in zip(self.tasks, scores, strict=True))
        values = {"validation average precision": first.mean(), "average precision": second.mean()}
        values |= {"AUROC": second.mean("auroc"), "HR@10": second.mean("hit_10")}
        cases = {"average precision": second.precision}
        self.bench.add(self.name, method, values, cases=cases, notes=notes, **which)

    def join(self, counting: str, network: str, kind: str, seed: int) -> None:
        """Keep how well counting and a network do together, weighted on validation."""
        which = {"seed": seed, "setting": schema.setting(task="links", kind="joint"), "made_of": self.made_of}
        if self.bench.has(self.name, f"{counting} and {network}", **which):
            return
        one, other = self.counted(counting)[0], self.foretold(network, seed)[0]
        first, second = ({"counting": a, kind: b} for a, b in zip(one, other, strict=True))
        both = graphs.joined_scores(self.tasks.validation, first, self.tasks.test, second)[0]
        found = graphs.evaluate_links(self.tasks.test, both)
        values, cases = {"average precision": found.mean()}, {"average precision": found.precision}
        self.bench.add(self.name, f"{counting} and {network}", values, cases=cases, **which)

    def gain(self, method: str, kind: str, rival: str, rival_kind: str) -> None:
        """The mean over seeds of the difference, with an interval over items."""
        where, other = (schema.setting(task="links", kind=k) for k in (kind, rival_kind))
        about = {"setting": where, "rival_setting": other, "clusters": self.tasks.test.clusters}
        self.bench.gain(self.name, method, rival, "average precision", **about)

    def run(self) -> None:
        """Counting and graph networks, and the best of both together."""
        encoders, features = (("MLP", "LightGCN"), ("text",)) if self.bench.smoke else (ENCODERS, FEATURES)
        for method in COUNTED:
            self.judge(method, "counting", 0)
        for encoder, named, seed in itertools.product(encoders, features, self.bench.options.seeds):
            self.judge(f"{encoder} ({named})", "no graph" if encoder == "MLP" else "graph", seed)
        found = schema.unfolded(schema.over_seeds(self.bench.rows))
        found = found[(found["data"] == self.name) & (found["metric"] == "validation average precision")]
        best = found.loc[found.groupby("kind")["value"].idxmax()].set_index("kind")["system"]
        self.gain(best["graph"], "graph", best["counting"], "counting")
        self.gain(best["graph"], "graph", best["no graph"], "no graph")
        for kind in ("no graph", "graph"):
            for seed in self.bench.options.seeds:
                self.join(best["counting"], best[kind], kind, seed)
            self.gain(f"{best['counting']} and {best[kind]}", "joint", best["counting"], "counting")
        for part, task in self.tasks._asdict().items():
            facts = {"links": task.graph.n_links, "candidates": len(task.i), "new links": int(task.appears.sum())}
            self.bench.add(self.name, "the data", facts, setting=schema.setting(task="links", part=part))


class FusionQuestion(NextBasket):
    """The next basket, by systems that know a graph too."""

    def __init__(self, bench: harness.Bench, name: str, data: Transactions) -> None:
        super().__init__(bench, name, data)
        self.made_of += [SIZES[name], TEMPERATURES[name], LAYERS[name], LINK_PLAN, HOW]
        self.third = popularity_bucket(self.histories.item_counts)
        back = np.repeat(self.histories.offsets[1:], self.histories.lengths) - np.arange(len(self.histories.items))
        self.recent = self.histories.keep(back <= (SIZES[name][3] or np.inf))

    def lightgcn(self, seed: int, layers: int) -> tuple[graphs.GraphRecommender, float]:
        """LightGCN on customers and items, and its NDCG@10 on validation."""
        batch, negatives, epochs, _ = SIZES[self.name]
        epochs, held = 4 if self.bench.smoke else epochs, self.recent.matrix(self.n_items)
        plan = graphs.published_settings(epochs=epochs, learning_rate=1e-2, validate_every=4, patience=2, seed=seed)
        loss = graphs.GraphLoss("softmax", temperature=TEMPERATURES[self.name])
        folder = self.bench.kept("LightGCN", layers, batch, negatives, plan, loss, self.recent, self.few, self.seen)
        model = graphs.LightGCN(held, 64, layers, seed=seed)
        batches = graphs.GraphBatches(held, "softmax", batch, negatives=negatives, seed=seed)
        score = lambda net: self.validated(graphs.GraphRecommender(net))  # noqa: E731
        done = train(model, batches, plan, loss=loss, validate=score, folder=folder, progress=False)
        return graphs.GraphRecommender(model), done.best_score

    @cached_property
    def layers(self) -> dict[int, float]:
        """Numbers of layers of LightGCN with NDCG@10 on validation, the best first."""
        first, *_ = self.bench.options.seeds
        found = {layers: self.lightgcn(first, layers)[1] for layers in LAYERS[self.name]}
        return dict(sorted(found.items(), key=lambda tried: -tried[1]))

    def near(self, vectors: np.ndarray) -> tuple[Similarity, float]:
        """Cosines of item vectors to as much of the history as is best on validation."""
        tries = [Similarity(vectors, "cosine", last=last, position_power=power) for last, power in RECENCY]
        found = choose_setting(tries, self.validated)
        return found.system, found.value

    def linked(self, seed: int) -> tuple[ItemWeights, float]:
        """Links foretold by a graph network on the graph of shared customers."""
        graph = graphs.strongest(shared_users(self.histories), NEAREST).weights
        plan = Settings(**LINK_PLAN | {"epochs": 2 if self.bench.smoke else 30, "patience": 3, "seed": seed})
        how = {"encoder": "LightGCN", "folds": 2, "others": 8}
        fitted = graphs.fit_links(
            graph, None, plan, validate=lambda scores: self.validated(graphs.by_links(scores)), **how
        )
        return graphs.with_recency(graphs.by_links(fitted.scores()), self.few, **self.seen)

    @cached_property
    def walks(self) -> tuple[ItemWeights, dict[str, Any]]:
        """Walks over pairs, tuned on validation, and their settings."""

        def build(tried: tuple[int, float]) -> tuple[ItemWeights, float]:
            fitted = graphs.Walks(tried[0], 0.5, tried[1], 50).fit(self.histories)
            return graphs.with_recency(fitted, self.few, tries=WALKED_FROM, **self.seen)

        tries = list(itertools.product((2, 3), (0.0, 0.5)))
        found = choose_setting(tries, lambda built: built[1], build=build)
        system, value = graphs.with_recency(found.system[0], self.few, **self.seen)
        settings = {"steps": found.best[0], "discount": found.best[1], "neighbours": 50}
        settings |= dict(zip(("last", "position_power"), system.profile[:2], strict=True))
        return system, {"settings": settings, "value": value}

    def judge(self, system: Recommender, name: str, seed: int, notes: dict[str, Any] | None = None) -> None:
        """Keep NDCG@10 of all cases, and of each third of targets the mean over a case's targets in it."""
        found = evaluate(system, self.test, ks=(10,), **self.seen, name=name)
        values = [found.values("NDCG@10"), *(found.values_among(self.third == number) for number in range(3))]
        for setting, cases in reversed(list(zip(BUCKETS, values, strict=True))):  # that of all is kept last
            about = {"NDCG@10": float(np.nanmean(cases)), "cases": int((~np.isnan(cases)).sum())}
            about |= {} if setting else {"HR@10": found.mean("HR@10")}
            which = {"seed": seed, "setting": setting, "made_of": self.made_of, "notes": None if setting else notes}
            self.bench.add(self.name, name, about, cases={"NDCG@10": cases}, **which)

    def run(self) -> None:
        """Judge everything."""
        if not self.bench.has(self.name, "walks", made_of=self.made_of):
            best, tuned = next(iter(self.counting.items()))
            notes = {"best counting": best, "validation": {name: tried.value for name, tried in self.counting.items()}}
            self.judge(tuned.system, "best counting", 0, notes)
            self.judge(*self.walks[:1], "walks", 0, self.walks[1])
        for seed in self.bench.missing(self.name, "hybrid with graph", made_of=self.made_of):
            systems, notes = self.joined(seed)
            for name, system in systems.items():
                self.judge(system, name, seed, notes if name == "hybrid with graph" else None)

    def joined(self, seed: int) -> tuple[dict[str, Recommender], dict[str, Any]]:
        """The model, graphs alone, and hybrids chosen by one rule with and without a graph."""
        model, (layers, *_) = self.model(seed), self.layers
        network, value = self.lightgcn(seed, layers)
        graph = {"LightGCN": (network, value), "LightGCN, cosine": self.near(network.items)}
        graph["links by LightGCN"] = self.linked(seed)
        strong = max(graph, key=lambda name: graph[name][1])
        base, how = self.experts(model), HOW | self.seen
        expert = Expert(strong, graph[strong][0], "logits" if strong == "LightGCN" else "shares")
        without, with_graph = graphs.gain_of_graph(base, [expert], self.few, **how)
        with_walks = choose_hybrid([*base, Expert("walks", self.walks[0])], self.few, **how)
        pair = choose_hybrid([base[0], Expert("LightGCN", network, "logits")], self.few, **how)
        systems = {"model": model} | {name: system for name, (system, _) in graph.items()}
        systems["model × LightGCN"] = pair.finalists[pair.best("fusion")]  # what is learned knows more than the two
        hybrids = {"hybrid without graph": without, "hybrid with walks": with_walks, "hybrid with graph": with_graph}
        notes = {"LightGCN by layers": self.layers, "graph expert": strong, "objective": self.objective}
        notes["validation"] = {name: v for name, (_, v) in graph.items()} | {"model": self.validated(model)}
        notes["experts"] = [expert.name for expert in base]
        for name, hybrid in hybrids.items():
            weights = dict(hybrid.system.weights) if isinstance(hybrid.system, Fusion) else {}
            value = float(hybrid.tries.set_index("system").loc[hybrid.name, "value"])
            notes[name] = {"name": hybrid.name, "weights": weights, "value": value}
        return systems | {name: hybrid.system for name, hybrid in hybrids.items()}, notes

    def start(self) -> None:
        """The item model once more, trained from the vectors of LightGCN."""
        for seed in self.bench.missing(self.name, "model from LightGCN", made_of=self.made_of):
            layers, *_ = self.layers
            network, _ = self.lightgcn(seed, layers)
            recipe = self.bench.smaller(self.recipes[self.objective])
            model = recipe.model(self.histories, seed=seed)
            start_from_vectors(model, network.items, keep=self.histories.item_counts == 0)
            fitted = self.bench.model(recipe, self.histories, seed, validation=self.few, start=model, **self.seen)
            notes = {"validation": fitted.training.best_score}
            self.judge(fitted.recommender, "model from LightGCN", seed, notes)


def measure(bench: harness.Bench) -> None:
    """All parts, data set by data set, then the gains."""
    torch.set_num_threads(1)
    parts = bench.options.parts
    for name, data in bench.datasets():
        if "links" in parts and name in DEFINITIONS:
            LinkQuestion(bench, name, data).run()
        question = FusionQuestion(bench, name, data)
        if "fusion" in parts:
            question.run()
        if "start" in parts and name in STARTED:
            question.start()
        for (one, other), setting in itertools.product(PAIRS, BUCKETS):
            bench.gain(name, one, other, setting=setting, rival_setting=setting)


def figures(rows: pd.DataFrame, bench: harness.Bench) -> dict[str, Figure]:
    """What the graph adds to its rival, by popularity of the target."""
    pairs = PAIRS[2:5]
    names = list(rows.loc[rows["system"].isin([one for one, _ in pairs]), "data"].unique())
    if not names:
        return {}
    figure, axes = plt.subplots(1, len(names), figsize=(4.2 * len(names), 3.4), squeeze=False, sharey=True)
    for axis, name in zip(axes[0], names, strict=True):
        axis.axhline(0, color="0.6", linewidth=0.8)
        for number, (one, other) in enumerate(pairs):
            told = (rows["data"] == name) & (rows["system"] == one) & (rows["metric"] == f"NDCG@10 gain on {other}")
            gain = rows[told].set_index("setting").reindex(list(BUCKETS))
            errors = [gain["value"] - gain["low"], gain["high"] - gain["value"]]
            place = np.arange(len(gain)) + 0.15 * (number - 1)
            axis.errorbar(place, gain["value"], yerr=errors, fmt="o", markersize=4, label=f"{one} − {other}")
        axis.set_xticks(range(len(BUCKETS)), BUCKETS.values())
        axis.set_title(name)
        axis.set_xlabel("targets")
    axes[0, 0].set_ylabel("gain in NDCG@10 (95 %)")
    axes[0, 0].legend(fontsize=7)
    return {"graphs": figure}


def main() -> None:
    """Measure, write graphs.csv, graphs.json and graphs.png."""
    parser = harness.parser(__doc__, data=DATA, choices=DATA, seeds=(1, 2, 3))
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    harness.run(parser, measure, figures)


if __name__ == "__main__":
    main()

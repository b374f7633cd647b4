"""From scores to a shelf: which way of joining a model and counting recommends best, and what does it cost?

    python benchmarks/recommend.py [--data shop online-retail movielens-1m] [--seeds 1 2 3]

The last basket of every customer is asked for, see `benchmarks/next_basket.py`. Everything is fitted on the training
part, chosen on validation and tested once, with every seed; how long a customer waits is measured with the first one,
on one thread. Gains are on the best counting and on the best single system by validation.
"""

from __future__ import annotations

from typing import Any

import harness
import pandas as pd
import rows as schema
import torch
from matplotlib.figure import Figure
from next_basket import DATA, NextBasket

from llmarm_tutorial.choosing import choose_setting
from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.evaluation import groups
from llmarm_tutorial.evaluation.metrics import Evaluation, user_vectors
from llmarm_tutorial.evaluation.ranking import evaluate
from llmarm_tutorial.evaluation.tasks import Recommender
from llmarm_tutorial.figures import recommend as recommend_figures
from llmarm_tutorial.models.recommender import ItemRecommender
from llmarm_tutorial.recommend import tuning
from llmarm_tutorial.recommend.experts import Fusion, Precomputed, choose_weight
from llmarm_tutorial.recommend.hybrid import choose_hybrid
from llmarm_tutorial.recommend.rerank import Diversified, RuleReranker, similarities
from llmarm_tutorial.recommend.similarity import Similarity

METRICS = ("HR@10", "NDCG@10", "Coverage@10", "Diversity@10", "Novelty@10")
RULE_WEIGHTS = (0.1, 0.25, 0.5, 0.75, 1.0)
TRADES = (0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)
GIVEN_UP = 0.02  # share of NDCG@10 that diversity may cost on validation
SINGLE = ("model", "similarity, cosine", "similarity, twice")
FUSIONS = ("fusion, log", "fusion, z", "fusion, rank", "learned")
LAST = "hybrid, diversified"
SLICED = ("model", "model × counting", "hybrid", LAST)  # and the best counting
SHOWN = ("model", "similarity, cosine", "model, re-ranked by rules", "model × counting", "hybrid")


class Question(NextBasket):
    """Single systems and all that is joined from them."""

    def __init__(self, bench: harness.Bench, name: str, data: Transactions) -> None:
        super().__init__(bench, name, data)
        self.made_of += [RULE_WEIGHTS, TRADES, GIVEN_UP]
        self.vectors = user_vectors(self.known)
        self.similar = similarities(self.vectors)
        self.waits: dict[int, dict[str, float]] = {}

    def judge(self, system: Recommender, name: str = "", block: int | None = None) -> Evaluation:
        """The evaluation on the test."""
        return evaluate(system, self.test, ks=(10,), **self.seen, vectors=self.vectors, name=name, block=block)

    def keep(
        self, found: Evaluation, seed: int, about: dict[str, float], *, sliced: bool, notes: dict | None = None
    ) -> None:
        """Keep an evaluation, and its parts by length of the history and by popularity of the target."""
        which = {"seed": seed, "made_of": self.made_of}
        if sliced:
            for part in groups.by_history_length(found).itertuples():
                values = {"NDCG@10": (part.mean, part.low, part.high), "cases": part.cases}
                setting = schema.setting(history=part.segment)
                self.bench.add(self.name, found.system, values, setting=setting, **which)
            for part in groups.by_popularity(found).itertuples():
                values, setting = {"NDCG@10": part.value, "cases": part.targets}, schema.setting(popularity=part.bucket)
                self.bench.add(self.name, found.system, values, setting=setting, **which)
        values = {metric: found.mean(metric) for metric in METRICS} | about
        cases = {"NDCG@10": found.values("NDCG@10")}
        self.bench.add(self.name, found.system, values, cases=cases, notes=notes, **which)

    def waited(self, system: Recommender) -> dict[str, float]:
        """How long a customer waits, and lists per second; of a system that has two names once."""
        if id(system) not in self.waits:
            self.waits[id(system)] = self.times(system, repeats=20 if self.bench.smoke else 200, blocks=8)
        return self.waits[id(system)]

    def near(self, model: ItemRecommender) -> dict[str, Similarity]:
        """Cosines of a model's vectors, how much of the history by validation, and the same divided twice."""
        vectors = model.model.output_table.detach().numpy()
        tries = [(last, power) for last in (None, 10, 3, 1) for power in (0.0, 1.0) if (last, power) != (1, 1.0)]
        build = lambda tried: Similarity(vectors, last=tried[0], position_power=tried[1])  # noqa: E731
        last, power = choose_setting(tries, self.validated, build=build).best
        norms = ("cosine", "twice")
        return {f"similarity, {n}": Similarity(vectors, n, last=last, position_power=power) for n in norms}

    def joined(self, model: ItemRecommender) -> tuple[dict[str, Recommender], dict[str, Any]]:
        """Everything that is made from one model and the baselines, and what was chosen on validation."""
        counted = {name: tuned.system for name, tuned in self.counting.items()}
        systems: dict[str, Recommender] = {"model": model} | self.near(model)
        factor = next(name for name in counted if name not in ("ease", "popularity"))  # whose scores are shares
        product = choose_weight(model, counted[factor], self.few, **self.seen)
        systems["model × counting"] = product.system
        first, second = (Precomputed.of(system, self.few.histories) for system in (model, counted["ar"]))
        weight = choose_setting(
            RULE_WEIGHTS,
            self.precomputed,
            build=lambda weight: RuleReranker(first, second, weight=weight, **self.seen),
        ).best
        systems["model, re-ranked by rules"] = RuleReranker(model, counted["ar"], weight=weight, **self.seen)
        experts = self.experts(model)
        hybrid = choose_hybrid(experts, self.few, **self.seen)
        systems |= {name: hybrid.finalists[name] for name in FUSIONS} | {"hybrid": hybrid.system}
        scores = Precomputed.of(hybrid.system, self.few.histories)
        kept = {trade: self.precomputed(self.diversified(scores, trade)) for trade in TRADES}
        trade = min(trade for trade, value in kept.items() if value >= (1 - GIVEN_UP) * kept[1.0])
        systems[LAST] = self.diversified(hybrid.system, trade)
        near = systems["similarity, cosine"]
        notes = {"blended with": factor, "blend weight": product.best, "rule weight": weight, "trade": trade}
        notes |= {"experts": [expert.name for expert in experts], "hybrid": hybrid.name}
        notes |= {"hybrid weights": dict(hybrid.system.weights) if isinstance(hybrid.system, Fusion) else {}}
        notes |= {"similarity": repr((near.last, near.position_power)), "tries": hybrid.tries.to_dict("records")}
        return systems, notes

    def precomputed(self, system: Recommender) -> float:
        """NDCG@10 on validation of a system made of `Precomputed` scores."""
        return self.validated(system, len(self.few))

    def diversified(self, system: Recommender, trade: float) -> Diversified:
        """A system's lists made more diverse."""
        return Diversified(system, self.similar, trade, **self.seen)

    def curve(self, system: Recommender, seed: int) -> None:
        """Accuracy and diversity on the test at every trade."""
        scores = Precomputed.of(system, self.test.histories)
        for trade in TRADES:
            found = self.judge(self.diversified(scores, trade), block=len(self.test))
            values = {metric: found.mean(metric) for metric in ("NDCG@10", "Diversity@10")}
            setting = schema.setting(trade=trade)
            self.bench.add(self.name, LAST, values, seed=seed, setting=setting, made_of=self.made_of)

    def run(self) -> None:
        """Judge counting, then all that is made from the model of each seed."""
        first, *_ = self.bench.options.seeds
        seeds = self.bench.missing(self.name, LAST, made_of=self.made_of)
        if not seeds:
            return
        best = next(iter(self.counting))
        counted = {name: self.judge(tuned.system, name) for name, tuned in self.counting.items()}
        for name, tuned in self.counting.items():
            if not self.bench.has(self.name, name, made_of=self.made_of):
                about = {"validation NDCG@10": tuned.value} | self.waited(tuned.system)
                self.keep(counted[name], 0, about, sliced=name == best, notes={"settings": repr(tuned.best)})
        for seed in seeds:
            systems, notes = self.joined(self.model(seed))
            found = {name: self.judge(system, name) for name, system in systems.items()}
            notes["also found by the best counting"] = groups.also_found(found["model"], counted[best])
            shown = [counted[best], *(found[name] for name in (*SHOWN, LAST))]
            notes["overlap"] = groups.overlap(shown).round(4).to_dict()
            if seed == first:
                self.curve(systems["hybrid"], seed)
            for name, system in systems.items():
                about = {"validation NDCG@10": self.validated(system)} if name in SINGLE else {}
                about |= self.waited(system) if seed == first else {}
                self.keep(found[name], seed, about, sliced=name in SLICED, notes=notes if name == LAST else None)


def rivals(rows: pd.DataFrame, data: str) -> dict[str, str]:
    """The best single system and the best counting by validation."""
    checked = rows[(rows["data"] == data) & (rows["metric"] == "validation NDCG@10")]
    values = schema.over_seeds(checked).set_index("system")["value"]
    return {"single": values.idxmax(), "counting": values[values.index.isin(tuning.BASELINES)].idxmax()}


def measure(bench: harness.Bench) -> None:
    """All systems, then the gains on the best single one and on the best counting."""
    torch.set_num_threads(1)
    for name, data in bench.datasets():
        Question(bench, name, data).run()
        here = bench.rows[bench.rows["data"] == name]
        for system in here.loc[here["setting"] == "", "system"].unique():
            for rival in dict.fromkeys(rivals(here, name).values()):
                bench.gain(name, system, rival)


def figures(rows: pd.DataFrame, bench: harness.Bench) -> dict[str, Figure]:
    """Accuracy against diversity: the hybrid's curve beside all that was judged."""
    names = {"NDCG@10": "accuracy", "Diversity@10": "diversity"}
    table = schema.unfolded(schema.over_seeds(rows)).query("metric in @names")
    wide = table.pivot_table(index=["data", "system", "setting"], columns="metric", values="value", sort=False)
    wide = wide.rename(columns=names).reset_index()
    curves, points = {}, []
    for data, here in wide.groupby("data", sort=False):
        curve = here[here["setting"].str.startswith("trade=")]
        curves[data] = curve.assign(trade=curve["setting"].str.removeprefix("trade=").astype(float))
        best = rivals(rows, data)["counting"]
        for system in (best, *SHOWN):
            row = here[(here["system"] == system) & (here["setting"] == "")].iloc[0]
            points.append((data, "best counting" if system == best else system, row["accuracy"], row["diversity"]))
    points = pd.DataFrame(points, columns=["panel", "system", "accuracy", "diversity"])
    return {"recommend": recommend_figures.tradeoff(curves, points)}


def main() -> None:
    """Measure, write recommend.csv, recommend.json and recommend.png."""
    harness.run(harness.parser(__doc__, data=DATA, choices=DATA, seeds=(1, 2, 3)), measure, figures)


if __name__ == "__main__":
    main()

"""Does text help where counting has nothing to count? New items, their partners, and customers of one basket.

    python benchmarks/cold_start.py [--data shop online-retail movielens-1m] [--text tf-idf minilm]
                                    [--models] [--networks] [--seeds 1 2 3]

New items are those first bought in the last weeks; movielens-1m has no clock, so there a tenth of the films, drawn at
random, is taken out of training altogether and histories hold what was rated later, too. Settings are chosen on known
items that are hidden in the same way from the rest of training (one draw per seed), then everything is tested once.
Intervals are bootstraps over cases. Both options take minutes a seed: --models adds a small causal item model on the
same training part whose rows for new items are foretold from text, --networks graph networks that foretell from text
which known items a new one will be linked to. For MiniLM: pip install 'llmarm[text]'.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from functools import cache, cached_property, partial
from operator import methodcaller
from typing import Any

import harness
import numpy as np
import pandas as pd
import rows as schema
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from sklearn.decomposition import TruncatedSVD
from sklearn.linear_model import RidgeCV

from llmarm_tutorial.choosing import choose_setting
from llmarm_tutorial.data.shop import simulate
from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.evaluation.comparison import compare
from llmarm_tutorial.evaluation.metrics import Evaluation
from llmarm_tutorial.evaluation.ranking import evaluate
from llmarm_tutorial.evaluation.tasks import Recommender, Task
from llmarm_tutorial.graphs.text_links import TextLinks
from llmarm_tutorial.models import item_model, texts
from llmarm_tutorial.models.item_model import quiet_loading
from llmarm_tutorial.models.recipes import Recipe
from llmarm_tutorial.models.recommender import ItemRecommender
from llmarm_tutorial.models.training import Settings
from llmarm_tutorial.recommend import by_text, new_items, tuning
from llmarm_tutorial.recommend.by_text import Borrowed, ContentNeighbours, Projected, RestrictedRecommender
from llmarm_tutorial.recommend.counting import Baseline, Ease, ItemNeighbours, Popularity
from llmarm_tutorial.recommend.experts import Expert, Fusion

WEEKS = {"shop": 6.0, "online-retail": 10.0, "movielens-1m": None}
SHARE = 0.1  # of the items is hidden
PARTNERS = {"shop": {"min_count": 5, "min_lift": 2.0}, "online-retail": {"min_count": 10, "min_lift": 5.0}}
METRICS = ("MRR", "HR@1", "HR@10", "NDCG@10")
MOST_CASES = 500  # of each validation
SHARES = (0.0, 0.05, 0.1, 0.2, 0.4, 0.6)  # of text in a mixture
TEXTS = {"tf-idf": texts.TfidfText, "minilm": texts.SentenceText}
NEW, BASKETS = "new items among new ones, to customers", "new items among new ones, to baskets"
AMONG_ALL = "new items among all, to customers"
ANYTHING = "whatever customers buy for the first time"
PARTNERS_OF, PLANTED = "partners of new items", "planted partners of new items"
NEWCOMERS = "second basket of unknown customers"
COUNTED = {  # on customers who are not known, and what is tried
    "popularity": {"last": (None, 1, 3)},
    "ar": {"measure": ("confidence", "lift"), "unit": ("user", "basket"), "min_count": (1, 5)},
    "itemknn": {"neighbours": (30, 100, 300), "shrinkage": (0.0, 10.0)},
    "ease": {"ridge": (100.0, 500.0, 2000.0)},
}
RECIPE = Recipe(
    layers=2, heads=2, feed_forward=256, dropout=0.1, copying=False, batch_size=128, warmup=0.05, decay="cosine",
    precision="auto",
)  # fmt: skip
DIRECTIONS = 128  # of the TF-IDF vectors, which have thousands of mostly empty columns
PLAN = {"epochs": 15, "learning_rate": 1e-2, "precision": "no", "log_every": 1000}


class Once:
    """A baseline that is fitted once per training part, however many systems are built on it."""

    def __init__(self, base: Baseline) -> None:
        self.base, self.name, self.fit = base, base.name, cache(base.fit)

    def __repr__(self) -> str:
        return repr(self.base)


class Question:
    """One data set, its new items, and the validations."""

    def __init__(self, bench: harness.Bench, name: str, data: Transactions) -> None:
        self.bench, self.name, self.data, self.weeks = bench, name, data, WEEKS[name]
        self.seeds = bench.options.seeds
        hidden = self.weeks is None
        self.cold = new_items.hide_items(data, SHARE) if hidden else new_items.launched_items(data, self.weeks)
        self.validations = [
            new_items.hide_items(self.cold.train, SHARE, weeks=self.weeks, seed=seed) for seed in self.seeds
        ]
        self.histories, self.n_items = self.cold.train.histories(), self.cold.n_items
        self.among = {NEW: (self.cold.task(), True), AMONG_ALL: (self.cold.task(), False)}
        if not hidden:  # without a cut in time, only hidden items come later
            self.among[ANYTHING] = (self.cold.task("all"), False)
        cut = {} if hidden else {"cut": str(self.cold.later.table["time"].min())}
        about = {"items": self.n_items, "new items": int(self.cold.new.sum())}
        bench.add(name, "the data", about, notes=cut | {"hidden": [int(v.new.sum()) for v in self.validations]})

    @cached_property
    def vectors(self) -> dict[str, np.ndarray]:
        """Texts of the items as numbers, by the name of who reads them."""
        encoders = [TEXTS[key]() for key in self.bench.options.text]
        written = texts.item_texts(self.data.items)
        return {encoder.name: encoder.vectors(written) for encoder in encoders}

    def judge(
        self, task: str, cases: Task, system: Recommender, name: str, rival: Evaluation | None = None, **which: Any
    ) -> Evaluation:
        """Keep the metrics of a system with intervals, and the gain on a rival where other seeds have other cases."""
        found = evaluate(system, cases, name=name)
        table = found.summary(METRICS)[["mean", "low", "high"]]
        values = {metric: tuple(map(float, row)) for metric, row in zip(METRICS, table.to_numpy(), strict=True)}
        values["cases"] = len(cases)
        if rival:
            values[f"MRR gain on {rival.system}"] = compare(found, rival, "MRR")[3:6]
        if task == PLANTED:
            which["notes"] = {"ranks": (found.ranks.above + (found.ranks.tied + 1) / 2).tolist()}
        kept = {} if rival else {"MRR": found.values("MRR")}
        where = schema.setting(task=task)
        self.bench.add(self.name, name, values, setting=where, cases=kept, **which)
        return found

    def judge_all(self, tasks: Mapping[str, tuple[Task, bool]], system: Recommender, name: str, **which: Any) -> None:
        """The same in all tasks, where they say so asked about new items only."""
        for task, (cases, only) in tasks.items():
            asked = RestrictedRecommender(system, self.cold.new) if only else system
            self.judge(task, cases, asked, name, **which)

    def gain(self, tasks: Sequence[str], system: str, rival: str) -> None:
        """Gains in the mean reciprocal rank."""
        for task in tasks:
            where = schema.setting(task=task)
            self.bench.gain(self.name, system, rival, "MRR", setting=where, rival_setting=where)

    def has(self, task: str, system: str, **which: Any) -> bool:
        """Whether this was measured before."""
        return self.bench.has(self.name, system, setting=schema.setting(task=task), **which)

    def asked(self, targets: str, tasks: dict[str, tuple[Task, bool]]) -> None:
        """Counting, and counting with text, on the tasks of new items."""
        first, made_of = next(iter(tasks)), [self.seeds, MOST_CASES, self.bench.options.text]
        kinds = ("content-kNN", "borrowed", "projected")
        if not self.has(first, "chance", made_of=made_of):
            for base in (Ease(), Popularity()):
                fitted = base.fit(self.histories)
                free = {task: of for task, of in tasks.items() if not of[1]}
                self.judge_all(free, fitted, base.name, made_of=made_of)
            # without text all new items are equal to whatever counts
            self.judge_all({first: tasks[first]}, fitted, "chance", made_of=made_of)
        bases = [Once(base) for base in (Ease(), ItemNeighbours())]
        score = by_text.validation_score_of_new_items(self.validations, targets, max_cases=MOST_CASES)
        for encoder, vectors in self.vectors.items():
            missing = [kind for kind in kinds if not self.has(first, f"{kind}, {encoder}", made_of=made_of)]
            for kind in missing:
                best = choose_setting(grid(kind, vectors, bases, small=self.bench.smoke), score).best
                name, fitted = f"{kind}, {encoder}", best.fit(self.histories)
                self.judge_all(tasks, fitted, name, made_of=made_of, notes=in_words(best))
        for kind in kinds:
            names = [f"{kind}, {encoder}" for encoder in self.vectors]
            for name in names:
                self.gain([first], name, "chance")
                self.gain([task for task in tasks if task != first], name, Ease().name)
            for one, other in itertools.combinations(names, 2):
                self.gain([first], other, one)
        if self.bench.options.networks and self.weeks is not None and "TF-IDF" in self.vectors:
            self.networks(first, tasks[first][0], score)

    def networks(self, task: str, cases: Task, score: Any) -> None:
        """Graph networks that read TF-IDF, chosen with the first seed, trained with each."""
        vectors = self.vectors["TF-IDF"]
        size = min(DIRECTIONS, *(n - 1 for n in vectors.shape))
        features = TruncatedSVD(size, random_state=0).fit_transform(vectors)
        plan = PLAN | ({"epochs": 1} if self.bench.smoke else {})
        made_of, trained = [plan, self.seeds, MOST_CASES], {}
        for encoder, near in {"MLP": (0,), "GraphSAGE": (0, 5, 20)}.items():
            name = f"{encoder}, TF-IDF"
            missing = self.bench.missing(self.name, name, setting=schema.setting(task=task), made_of=made_of)
            make = partial(TextLinks, vectors, features, encoder, trained=trained)
            if missing:
                first = Settings(**plan, seed=self.seeds[0])
                tries = [make(hide, n, first) for hide, n in itertools.product(("links", "items"), near)]
                best = choose_setting(tries, score).best
            for seed in missing:
                fitted = make(best.hide, best.borrowed, Settings(**plan, seed=seed)).fit(self.histories)
                system = RestrictedRecommender(fitted, self.cold.new)
                notes = {"settings": f"hide={best.hide}, borrowed={best.borrowed}"}
                self.judge(task, cases, system, name, seed=seed, made_of=made_of, notes=notes)
        for rival in ("content-kNN, TF-IDF", "MLP, TF-IDF", "borrowed, TF-IDF"):
            self.gain([task], "GraphSAGE, TF-IDF", rival)
        self.gain([task], "MLP, TF-IDF", "content-kNN, TF-IDF")

    def partners(self) -> None:
        """With which old items a new one will go."""
        old = ~self.cold.new
        demands = {"min_count": 1, "min_lift": 1.0} if self.bench.smoke else PARTNERS[self.name]
        tasks = {PARTNERS_OF: new_items.partner_task(self.cold, **demands)}
        if self.name == "shop":
            tasks[PLANTED] = self.planted()
        for task, cases in tasks.items():
            popular = Popularity().fit(self.histories)
            self.judge(task, cases, RestrictedRecommender(popular, old), popular.name)
            for (encoder, vectors), neighbours in itertools.product(self.vectors.items(), (None, 3, 10)):
                scores = by_text.partner_scores(vectors, self.cold, neighbours=neighbours)  # none chosen: all are shown
                system, name = RestrictedRecommender(scores, old), f"{scores.name}, {encoder}"
                self.judge(task, cases, system, name)
                self.gain([task], name, popular.name)

    def planted(self) -> Task:
        """The shop's answer: each new item was made to be bought with one old one."""
        code = {item: number for number, item in enumerate(self.data.items["item_id"])}
        links = simulate.planted_rules("cold_start")
        old, new = ([[code[item] for item in items] for items in links[side]] for side in ("antecedent", "consequent"))
        return Task.from_lists(new, old, self.n_items, np.bincount(self.cold.train.item_codes, minlength=self.n_items))

    def newcomers(self) -> None:
        """Customers of one basket; what is chosen, is chosen on other customers."""
        made_of, last = [COUNTED, SHARES, self.bench.options.text], f"content-kNN, {list(self.vectors)[-1]}"
        for seed in self.bench.missing(self.name, last, setting=schema.setting(task=NEWCOMERS), made_of=made_of):
            known, few, test = new_items.new_customers(self.data, seed=seed)
            histories, which = known.histories(), {"seed": seed, "made_of": made_of}
            how = {"budget": 2 if self.bench.smoke else 12, "metric": "MRR"}
            tuned = {
                name: tuning.tune_baseline(name, histories, few, grid=grid, **how) for name, grid in COUNTED.items()
            }
            rivals = {
                name: self.judge(NEWCOMERS, test, tuned[name].system, name, notes=in_words(tuned[name].best), **which)
                for name in COUNTED
            }
            best = max(("ar", "itemknn"), key=lambda name: tuned[name].value)
            score = tuning.validation_score(few, "MRR")
            for encoder, vectors in self.vectors.items():
                tries = grid("content-kNN", vectors, (), small=self.bench.smoke)
                text = choose_setting(tries, score, build=methodcaller("fit", histories))
                experts = (Expert(best, tuned[best].system), Expert("text", text.system))
                mix = lambda share: Fusion(experts, {"share": (1 - share, share)})  # noqa: B023, E731
                mixed = choose_setting(SHARES, score, build=mix)
                about = {"rival": rivals[best], "notes": {"settings": f"share of text={mixed.best}"}}
                self.judge(NEWCOMERS, test, mixed.system, f"mixture with {best}, {encoder}", **about, **which)
                about = {"rival": rivals["popularity"], "notes": in_words(text.best)}
                self.judge(NEWCOMERS, test, text.system, f"content-kNN, {encoder}", **about, **which)

    def models(self) -> None:
        """A small causal item model whose rows for new items are foretold from text."""
        recipe = Recipe(**vars(RECIPE) | {"visits": "baskets" in self.data.aspects})
        made_of, new = [recipe, self.bench.options.text], self.cold.new
        for seed in self.bench.missing(self.name, "item model", setting=schema.setting(task=NEW), made_of=made_of):
            which = {"seed": seed, "made_of": made_of}
            fitted = self.bench.model(recipe, self.histories, seed)
            model = fitted.model
            space = np.column_stack([model.output_table.detach().numpy(), model.item_bias.detach().numpy()])
            for encoder, vectors in self.vectors.items():
                ridge = float(
                    RidgeCV(np.logspace(-2, 3, 11)).fit(vectors[~new], space[~new]).alpha_
                )  # old items left out
                foretold = by_text.project(vectors, space, ~new, ridge=ridge)
                changed = ItemRecommender(item_model.with_new_items(model, new, foretold[:, :-1], foretold[:, -1]))
                notes = {"settings": f"ridge={ridge:.3g}"}
                self.judge_all(self.among, changed, f"projected item model, {encoder}", notes=notes, **which)
            notes = {"seconds on the clock": fitted.training.seconds}
            self.judge_all(dict(reversed(self.among.items())), fitted.recommender, "item model", notes=notes, **which)
        for encoder in self.vectors:
            self.gain(list(self.among), f"projected item model, {encoder}", "item model")


def in_words(setting: object) -> dict[str, str]:
    """Settings as a note, without the vectors."""
    kept = (f"{name}={of}" for name, of in vars(setting).items() if name not in ("vectors", "name"))
    return {"settings": ", ".join(kept)}


def grid(kind: str, vectors: np.ndarray, bases: Sequence[Baseline], *, small: bool) -> list[Baseline]:
    """What is tried on validation; with `small` the first two."""
    near = (3, 10, 30)
    tries: list[Baseline] = {
        "content-kNN": [ContentNeighbours(vectors, n, d) for n in (10, 30, 100) for d in (0.0, 0.5, 1.0)],
        "borrowed": [Borrowed(vectors, base, neighbours) for base in bases for neighbours in near],
        "projected": [Projected(vectors, base, ridge) for base in bases for ridge in (0.3, 3.0, 30.0)],
    }[kind]
    return tries[:2] if small else tries


def measure(bench: harness.Bench) -> None:
    """Everything that can be asked of each data set."""
    quiet_loading()
    if bench.smoke:
        bench.options.text, bench.options.models, bench.options.networks = ["tf-idf"], True, True
    for name, data in bench.datasets():
        question = Question(bench, name, data)
        question.asked("new", question.among)
        if "baskets" in data.aspects:
            question.asked("basket", {BASKETS: (question.cold.task("basket"), True)})
            question.newcomers()
        if name in PARTNERS:
            question.partners()
        if bench.options.models:
            question.models()


def figures(rows: pd.DataFrame, bench: harness.Bench) -> dict[str, Figure]:
    """Mean reciprocal rank of every system, a panel per data set and task."""
    found = schema.unfolded(schema.over_seeds(rows)).query("metric == 'MRR'")
    shown, names = (NEW, BASKETS, PARTNERS_OF, NEWCOMERS), list(found["data"].unique())
    figure, axes = plt.subplots(len(names), len(shown), figsize=(4.4 * len(shown), 3.4 * len(names)), squeeze=False)
    for (line, name), (column, task) in itertools.product(enumerate(names), enumerate(shown)):
        axis, part = axes[line, column], found[(found["data"] == name) & (found["task"] == task)][::-1]
        if part.empty:
            axis.set_visible(False)
            continue
        place, errors = np.arange(len(part)), [part["value"] - part["low"], part["high"] - part["value"]]
        axis.errorbar(part["value"], place, xerr=errors, fmt="o", markersize=4)
        axis.set_yticks(place, part["system"])
        axis.set_xlim(left=0)
        axis.set_title(f"{name}\n{task}", fontsize=9)
        axis.set_xlabel("mean reciprocal rank (95 %)")
    return {"cold_start": figure}


def main() -> None:
    """Measure, write cold_start.csv, cold_start.json and cold_start.png."""
    parser = harness.parser(__doc__, data=list(WEEKS), choices=list(WEEKS), seeds=(1, 2, 3))
    parser.add_argument("--text", nargs="+", choices=TEXTS, default=list(TEXTS))
    parser.add_argument("--models", action="store_true", help="item models, too")
    parser.add_argument("--networks", action="store_true", help="graph networks, too")
    harness.run(parser, measure, figures)


if __name__ == "__main__":
    main()

"""How good and how fast is LightGCN on the splits of its release? Against counting, and against messages along edges.

    python benchmarks/lightgcn.py [--data lastfm gowalla] [--seeds 1 2 3] [--recipes published softmax] [--speed]

The task is that of the release: Recall@20 and NDCG@20 of the items that were drawn at random from those of each user,
all items ranked, those in training left out. Everything is chosen on a tenth of every user's training items: settings
of the baselines, and the number of epochs with the first seed of each recipe. Then all is fitted on the whole training
part and tested once. (The published code looks at the test as it trains, and its tables show the best it saw there or
the last.) Every training keeps its state in --work and goes on from there when the command is given again. For the data
see `llmarm data fetch`.

Recipes: `published` is that of the release: BPR, one negative, batches of 2,048, Adam 1e-3, decay 1e-4, 64 numbers per
node, 3 layers, up to 1,000 epochs. `softmax` has the same model with a softmax over sampled items and a higher rate (on
gowalla in larger batches too, and `softmax-long` with the sampling and temperature that did best on lastfm). On gowalla
the published recipe takes 18 hours of one core, so it is run there only if asked for.
"""

from __future__ import annotations

import functools
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import harness
import numpy as np
import pandas as pd
import rows as schema
import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from scipy import sparse

from llmarm_tutorial import graphs
from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.errors import LlmarmError, Missing, RunError
from llmarm_tutorial.evaluation import published_splits
from llmarm_tutorial.evaluation.intervals import bootstrap_interval
from llmarm_tutorial.evaluation.published_splits import PublishedSplit
from llmarm_tutorial.evaluation.ranking import evaluate
from llmarm_tutorial.evaluation.tasks import Recommender
from llmarm_tutorial.figures import house_style
from llmarm_tutorial.graphs.sparse_tensors import csr_tensor
from llmarm_tutorial.models.training import Training, train
from llmarm_tutorial.recommend import tuning

METRICS = ("Recall@20", "NDCG@20")
ALSO = ("Recall@10", "NDCG@10")  # on the test, as some papers cut there
TRIES = 12  # settings of each baseline tried on validation
CHECKED = 3000  # validation cases after some epochs; what is reported uses all of them
GRIDS = {
    "popularity": {"last": (None,)},
    "itemknn": {"neighbours": (20, 50, 100, 200, 500, 1000), "shrinkage": (0.0, 10.0)},
    "ease": {"ridge": (10.0, 50.0, 100.0, 200.0, 500.0, 1000.0)},
}
PUBLISHED = {"gowalla": (0.1824, 0.1547)}  # the PyTorch release, 3 layers, 1,000 epochs; it has no figure for lastfm

SOFTMAX = {"negatives": 512, "power": 0.5}
RECIPES: dict[str, dict[str, dict[str, Any]]] = {
    "lastfm": {
        "published": {"batches": {"batch_size": 2048}, "loss": {}, "settings": {"validate_every": 20, "patience": 5}},
        "softmax": {
            "batches": {"batch_size": 2048, **SOFTMAX},
            "loss": {"temperature": 0.2},
            "settings": {"epochs": 48, "learning_rate": 5e-3, "decay": "linear", "validate_every": 4, "patience": 12},
        },
    },
    "gowalla": {
        "softmax": {
            "batches": {"batch_size": 8192, "negatives": 512, "power": 1.0},
            "loss": {"temperature": 0.1},
            "settings": {"epochs": 60, "learning_rate": 1e-2, "validate_every": 1, "patience": 3},
        },
        "softmax-long": {
            "batches": {"batch_size": 8192, **SOFTMAX},
            "loss": {"temperature": 0.2},
            "settings": {"epochs": 40, "learning_rate": 1e-2, "decay": "linear", "validate_every": 4, "patience": 10},
        },
        "published": {"batches": {"batch_size": 2048}, "loss": {}, "settings": {"validate_every": 10, "patience": 20}},
    },
}


def published_split(bench: harness.Bench, name: str, data: Transactions) -> PublishedSplit:
    """The released split of a data set; of the corner shop, which only --smoke takes, one like it."""
    if not bench.smoke:
        return published_splits.split(name)
    held = data.histories().held()
    ids = np.unique(data.table["user_id"].dropna())
    whole = PublishedSplit(name, held, sparse.csr_matrix(held.shape, dtype=np.float32), ids, data.items["item_id"])
    return whole.held_out(0.2)


class Question:
    """One published split, and its training part split again to choose on."""

    def __init__(self, bench: harness.Bench, name: str, data: Transactions) -> None:
        self.bench, self.name, self.recipes = bench, name, RECIPES["lastfm" if bench.smoke else name]
        self.whole = published_split(bench, name, data)
        self.part = self.whole.held_out(0.1, seed=0)
        self.few = self.part.task(CHECKED)
        self.tasks = {"validation ": self.part.task(), "": self.whole.task()}

    def judged(self, system: Recommender, part: str) -> tuple[dict[str, float], dict[str, np.ndarray]]:
        """Metrics, and their values per case, on a part."""
        found = evaluate(system, self.tasks[part], ks=(20,))
        values = {f"{part}{metric}": found.mean(metric) for metric in (*METRICS, *([] if part else ALSO))}
        return values, {metric: found.values(metric) for metric in METRICS}

    def counting(self, name: str) -> None:
        """A baseline with the settings that did best on validation, counted again in the whole training part."""
        made_of = [GRIDS[name], TRIES, CHECKED]
        if self.bench.has(self.name, name, made_of=made_of):
            return
        used, how = time.process_time(), {"metric": "Recall@20", "grid": GRIDS[name]}
        try:
            tuned = tuning.tune_baseline(name, self.part.histories, self.few, budget=TRIES, **how)
            searched, used, begin = time.process_time() - used, time.process_time(), time.perf_counter()
            fitted = tuned.best.fit(self.whole.histories)
        except LlmarmError as error:
            print(f"{self.name} {name}: left out. {error}")
            return
        about = {"seconds on the clock": time.perf_counter() - begin, "seconds of choosing": searched}
        used = time.process_time() - used
        tested, cases = self.judged(fitted, "")
        values, notes = self.judged(tuned.system, "validation ")[0] | tested | about, {"settings": repr(tuned.best)}
        self.bench.add(self.name, name, values, made_of=made_of, seconds=used, cases=cases, notes=notes)

    def model(self, recipe: str, seed: int) -> None:
        """Train on the whole training part for as many epochs as were best on validation with the first seed."""
        first, system = self.bench.options.seeds[0], f"LightGCN, {recipe}"
        which = {"seed": seed, "made_of": [self.recipes[recipe], CHECKED]}
        if self.bench.has(self.name, system, **which):
            return
        epochs, values, notes = self.chosen(recipe, first)
        model, done, used = self.trained(recipe, seed, self.whole, {"epochs": epochs})
        tested, cases = self.judged(graphs.GraphRecommender(model), "")
        about = {"epochs": epochs, "seconds on the clock": done.seconds}
        said = {"settings": self.recipes[recipe], "threads": torch.get_num_threads()} | (notes if seed == first else {})
        values = values | tested | about
        self.bench.add(self.name, system, values, seconds=used, cases=cases, notes=said, **which)

    @functools.cache  # noqa: B019, a question lives as long as its run
    def chosen(self, recipe: str, seed: int) -> tuple[int, dict[str, float], dict[str, Any]]:
        """The best number of epochs on validation, the metrics there, and the curve that shows it."""
        score = tuning.validation_score(self.few, "Recall@20")
        model, done, used = self.trained(recipe, seed, self.part, {}, lambda net: score(graphs.GraphRecommender(net)))
        values, _ = self.judged(graphs.GraphRecommender(model), "validation ")
        # a rate that falls to 0 belongs to its number of epochs; only at a constant one epochs can be chosen
        plan = self.plan(recipe)
        epochs = done.best_epoch if plan.decay == "constant" else plan.epochs
        return epochs, values | {"seconds of choosing": used}, {"curve": done.validations.to_dict("records")}

    def plan(self, recipe: str, **changes: Any) -> Any:
        """How a recipe is trained."""
        small = {"epochs": 2, "validate_every": 1} if self.bench.smoke else {}
        return graphs.published_settings(**self.recipes[recipe]["settings"] | small | changes)

    def trained(
        self,
        recipe: str,
        seed: int,
        data: PublishedSplit,
        changes: dict[str, Any],
        validate: Callable[[graphs.LightGCN], float] | None = None,
    ) -> tuple[graphs.LightGCN, Training, float]:
        """A model trained by a recipe, and the processor seconds; NaN where an earlier training goes on."""
        how, kind = self.recipes[recipe], "bpr" if recipe == "published" else "softmax"
        plan = self.plan(recipe, seed=seed, **changes)
        folder: Path = self.bench.kept("LightGCN", how, plan, data.histories, self.few if validate else None)
        used = float("nan") if (folder / "last.pt").exists() else time.process_time()
        model = graphs.LightGCN(data.train, 64, 3, seed=seed)
        batches, loss = (
            graphs.GraphBatches(data.train, kind, seed=seed, **how["batches"]),
            graphs.GraphLoss(kind, **how["loss"]),
        )
        done = train(model, batches, plan, loss=loss, validate=validate, folder=folder, progress=False)
        return model, done, time.process_time() - used

    def over_seeds(self, system: str, rival: str = "itemknn") -> None:
        """Intervals of the means over seeds, and of the gain on item neighbours."""
        for metric in METRICS:
            cases = self.bench.cases(self.name, system, metric)
            if cases is not None:
                low, high = bootstrap_interval(cases)
                values = {f"{metric} over all seeds": (float(cases.mean()), float(low), float(high))}
                self.bench.add(self.name, system, values, seed=None)
                self.bench.gain(self.name, system, rival, metric)


def speed(bench: harness.Bench, name: str, rounds: int = 7) -> None:
    """Forward and backward of three layers: sparse rows against messages along edges, interleaved, medians."""
    try:
        from torch_geometric.nn import LGConv
    except ImportError:
        raise Missing("torch_geometric", "models", "The time of messages along edges") from None
    matrix = graphs.normalised_adjacency(published_split(bench, name, bench.load(name)).train)
    adjacency, coordinates = csr_tensor(matrix), matrix.tocoo()
    edges = torch.tensor(np.array([coordinates.col, coordinates.row]), dtype=torch.int64)
    weights, layer = torch.from_numpy(coordinates.data), LGConv(normalize=False)
    nodes = torch.randn(matrix.shape[0], 64, generator=torch.Generator().manual_seed(0)) * 0.1
    slope = torch.ones_like(nodes)

    def along_edges(values: torch.Tensor) -> torch.Tensor:
        total = one = values
        for _ in range(3):
            one = layer(one, edges, weights)
            total = total + one
        return total / 4

    ways = {"rows (CSR)": lambda values: graphs.propagate(values, adjacency, 3), "messages (LGConv)": along_edges}
    # What is written per step: every layer of messages is a vector per edge, kept for the gradient; rows keep nothing.
    written = dict(zip(ways, (0.0, 3 * len(weights) * 64 * 4 / 1e6), strict=True))
    before = torch.get_num_threads()
    for threads in (1, 2):
        torch.set_num_threads(threads)
        spent: dict[str, list[float]] = {way: [] for way in ways}
        slopes = {}
        for number in range(rounds + 1):
            for way, function in ways.items():
                values = nodes.clone().requires_grad_()
                begin = time.perf_counter()
                function(values).backward(slope)
                if number:  # the first round warms up
                    spent[way].append(time.perf_counter() - begin)
                slopes[way] = values.grad
        if not torch.allclose(*slopes.values(), atol=1e-4, rtol=1e-4):
            raise RunError("The two ways do not give the same gradient.")
        ratios = [slow / quick for quick, slow in zip(*spent.values(), strict=True)]
        for way, times in spent.items():
            values = {"seconds of a step": statistics.median(times), "MB of messages": written[way]}
            if way == "rows (CSR)":
                values["times as fast as messages"] = (statistics.median(ratios), min(ratios), max(ratios))
            bench.add(name, way, values, setting=schema.setting(threads=threads), seconds=statistics.median(times))
    torch.set_num_threads(before)


def measure(bench: harness.Bench) -> None:
    """Models, then counting; the time of a step if asked for."""
    for name, data in bench.datasets():
        question = Question(bench, name, data)
        usual = ["softmax", "softmax-long"] if name == "gowalla" else ["published", "softmax"]
        for seed in bench.options.seeds:
            for recipe in bench.options.recipes or usual:
                if recipe in question.recipes:
                    question.model(recipe, seed)
        for baseline in [] if bench.options.models_only else GRIDS:
            question.counting(baseline)
        for system in bench.rows.loc[bench.rows["data"] == name, "system"].unique():
            question.over_seeds(system)
    if bench.options.speed or bench.smoke:
        speed(bench, "shop" if bench.smoke else "gowalla")


def figures(rows: pd.DataFrame, bench: harness.Bench) -> dict[str, Figure]:
    """Validation over the epochs, and Recall@20 of all systems in the test, one row per data set."""
    whole = rows[rows["metric"] == "Recall@20 over all seeds"]
    names = list(whole["data"].unique())
    figure, axes = plt.subplots(len(names), 2, figsize=(8.5, 3.2 * len(names)), squeeze=False, layout="constrained")
    for (left, right), name in zip(axes, names, strict=True):
        labels = [label for label, notes in bench.notes.items() if label.startswith(f"{name} | ") and "curve" in notes]
        for color, label in zip(house_style.CYCLE, labels, strict=False):
            curve = pd.DataFrame(bench.notes[label]["curve"])
            recipe = label.split(" | ")[1].removeprefix("LightGCN, ")
            left.plot(curve["epoch"], curve["score"], "o-", ms=2.5, color=color, label=recipe)
        left.set(xscale="log", xlabel="epochs", ylabel="Recall@20, validation", title=name)
        house_style.power_ticks(left.xaxis)
        left.legend(frameon=False)
        part = whole[whole["data"] == name].sort_values("value")
        errors = [part["value"] - part["low"], part["high"] - part["value"]]
        color = house_style.CYCLE[0]
        right.barh(part["system"], part["value"], xerr=errors, color=color, ecolor="#555555", capsize=2)
        if name in PUBLISHED:
            right.axvline(PUBLISHED[name][0], ls=":", color="#555555")
            right.set_title("dotted: published", fontsize=9)
        right.set_xlabel("Recall@20, test")
    return {"lightgcn": figure}


def main() -> None:
    """Measure, write lightgcn.csv, lightgcn.json and lightgcn.png."""
    parser = harness.parser(__doc__, data=list(RECIPES), choices=list(RECIPES), seeds=(1, 2, 3))
    parser.add_argument("--recipes", nargs="+", choices=("published", "softmax", "softmax-long"))
    parser.add_argument("--speed", action="store_true", help="measure a step's time on gowalla too")
    parser.add_argument("--models-only", action="store_true", help="leave the baselines for later")
    harness.run(parser, measure, figures)


if __name__ == "__main__":
    main()

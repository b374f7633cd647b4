"""The last basket of every customer (films: the last event), from all before it: what several benchmarks ask.

All items are ranked; those bought before stay where customers buy again. Everything is fitted on the training part and
chosen on the basket before the last one.
"""

from __future__ import annotations

from functools import cached_property

from harness import Bench
from recipes import RECIPES

from llmarm_tutorial.choosing import Choice, choose_setting
from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.evaluation.latency import measure_latency
from llmarm_tutorial.evaluation.tasks import Recommender, next_item_task
from llmarm_tutorial.models.recipes import Fitted
from llmarm_tutorial.models.recommender import ItemRecommender
from llmarm_tutorial.recommend import tuning
from llmarm_tutorial.recommend.experts import Expert

DATA = ("shop", "online-retail", "movielens-1m")
TRIES = 12  # settings of each baseline tried on validation
CHECKED = 3000  # validation cases on which everything is chosen


class NextBasket:
    """One data set, its split, its two tasks, and what is chosen for it on validation.

    Attributes:
        few: The validation task.
        seen: Whether what the history holds is left out: where hardly anybody buys again.
        made_of: What decides all that is chosen here.
    """

    def __init__(self, bench: Bench, name: str, data: Transactions) -> None:
        self.bench, self.name, self.recipes = bench, name, RECIPES["cpu"][name]
        split = data.leave_one_out()
        self.n_items, self.histories = len(split.train.items), split.train.histories()
        self.test, self.known = next_item_task(split, "test"), next_item_task(split, "validation").histories
        self.few = next_item_task(split, "validation", max_cases=CHECKED)
        again = self.few.histories.matrix(self.n_items).multiply(self.few.targets).astype(bool).sum()
        self.seen = {"filter_seen": bool(again < 0.05 * self.few.targets.nnz)}
        self.made_of = [self.recipes, CHECKED, TRIES]

    def validated(self, system: Recommender, block: int | None = None) -> float:
        """NDCG@10 on validation."""
        return tuning.validation_score(self.few, "NDCG@10", **self.seen, block=block)(system)

    def times(self, system: Recommender, *, repeats: int, blocks: int, seed: int = 0) -> dict[str, float]:
        """How long a customer waits, asked one by one, and lists per second in blocks of 256.

        Args:
            system: A fitted recommender.
            repeats: Customers asked alone.
            blocks: Blocks asked.
            seed: Which customers are drawn.
        """
        alone = measure_latency(system, self.test.histories, repeats=repeats, seed=seed)
        many = measure_latency(system, self.test.histories, batch=256, repeats=blocks, warmup=1, seed=seed)
        return {"p50 seconds": alone.p50, "p99 seconds": alone.p99, "lists per second": many.per_second}

    @cached_property
    def counting(self) -> dict[str, Choice]:
        """Every baseline with the settings that did best on validation, the best first."""
        names = [name for name in tuning.BASELINES if name != "personal" or not self.seen["filter_seen"]]
        how = {"budget": 2 if self.bench.smoke else TRIES, **self.seen}  # "personal" without seen items: popularity
        found = {name: tuning.tune_baseline(name, self.histories, self.few, **how) for name in names}
        return dict(sorted(found.items(), key=lambda tuned: -tuned[1].value))

    def trained(self, objective: str, seed: int) -> Fitted:
        """An item model; `benchmarks/quality.py` has the same of films."""
        return self.bench.model(self.recipes[objective], self.histories, seed, validation=self.few, **self.seen)

    @cached_property
    def objective(self) -> str:
        """That of the better item model on validation, with the first seed."""
        first = self.bench.options.seeds[0]
        return choose_setting([*self.recipes], lambda name: self.trained(name, first).training.best_score).best

    def model(self, seed: int) -> ItemRecommender:
        """The better item model."""
        return self.trained(self.objective, seed).recommender

    def experts(self, model: ItemRecommender) -> list[Expert]:
        """The model and the three best of counting that tell customers apart."""
        counted = [Expert(name, tuned.system) for name, tuned in self.counting.items() if name != "popularity"]
        return [Expert("model", model, "logits"), *counted[:3]]

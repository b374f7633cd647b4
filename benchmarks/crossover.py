"""Where does a model pass counting, as the dial of the corner shop is turned, and how do supporting baskets move it?

    python benchmarks/crossover.py [--structures 1 0 0.9 0.6 0.3] [--seeds 1 2 3]

The shop is drawn anew at every setting of its dial `structure`, with the same seed. *The next visit*: the last visit of
every customer from all before it, as five questions. For each the best counting is chosen on its validation, of all
baselines with equally many tries; the model is one for all five, trained and validated on all customers. Joined is what
`choose_hybrid` takes on the same validation. *Confidences*: estimates from 70 % of the baskets, judged by the
baskets of a larger shop that nothing was fitted to, by the number of training baskets behind the antecedent. Training
takes the same budget at every setting. Gains are paired, over customers or antecedents, and means over seeds.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

import harness
import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from recipes import BRIEF
from rows import over_seeds, setting, unfolded

from llmarm_tutorial.data.shop import generate, on_errand, structure_plan
from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.evaluation.comparison import compare
from llmarm_tutorial.evaluation.ranking import evaluate
from llmarm_tutorial.evaluation.tasks import Recommender, Task, next_item_task
from llmarm_tutorial.figures import crossover as crossover_figures
from llmarm_tutorial.mining import judging
from llmarm_tutorial.mining.antecedents import gather
from llmarm_tutorial.mining.judged import JudgedEstimate
from llmarm_tutorial.models.completion import CompletionRecipe
from llmarm_tutorial.models.readout import confidences
from llmarm_tutorial.recommend import tuning
from llmarm_tutorial.recommend.experts import Expert
from llmarm_tutorial.recommend.hybrid import choose_hybrid

DATA = "shop"
STRUCTURES = (1.0, 0.0, 0.9, 0.6, 0.3)  # the most telling first
CUSTOMERS, UNSEEN_CUSTOMERS = 2_000, 10_000
BASKETS = CompletionRecipe(epochs=20)  # half a minute of one core
TRIES = 12  # settings of each baseline, for each question
PER_BAND, SPLIT = 300, 4  # antecedents of one size asked in a band; seed of the parts and of what is asked
SUPPORTS = {"1 to 4": (1, 5), "5 to 19": (5, 20), "20 to 99": (20, 100), "100 and more": (100, 10**9)}
BEST, MODEL, JOINED = "best counting", "model", "joined"
ERRORS = {"RMSE": "rmse", "log loss": "log_loss"}


class World:
    """A shop at one setting of the dial.

    Attributes:
        structure: The dial.
        data: Its baskets.
    """

    def __init__(self, bench: harness.Bench, structure: float) -> None:
        self.bench, self.structure = bench, structure
        self.customers = harness.CUSTOMERS if bench.smoke else CUSTOMERS
        self.data = self.drawn(self.customers)

    def drawn(self, customers: int) -> Transactions:
        """A shop of so many customers."""
        shop = generate(customers=customers, structure=self.structure)
        return Transactions.from_frame(shop.transactions, items=shop.items, name=f"structure {self.structure:g}")

    def setting(self, **parts: str) -> str:
        """The setting of a row."""
        return setting(structure=float(self.structure), **parts)


# --- the next visit ---------------------------------------------------------------------------------------------------


class NextVisit:
    """The next visit in one shop, as several questions: name → (validation task, test task, whether seen is left out).

    Of customers in a project it is asked by what is known of them before. The other questions take some of a visit's
    products as targets; nothing that a customer has already is recommended where new products are asked for.
    """

    def __init__(self, world: World) -> None:
        self.world, self.bench = world, world.bench
        split = world.data.leave_one_out()
        self.histories = split.train.histories()
        self.ids = split.train.items["item_id"].to_numpy()
        self.parts = [next_item_task(split, part) for part in ("validation", "test")]
        self.tries = 2 if self.bench.smoke else TRIES
        self.made_of = [world.data, BRIEF, TRIES]

    @cached_property
    def questions(self) -> dict[str, tuple[Task, Task, bool]]:
        """All questions that some customer is asked in both parts."""
        of_range = self.ids >= structure_plan.FIRST_ID
        asked = {
            "all customers": lambda task: task,
            "customers in a project": lambda task: task.take(np.flatnonzero(on_errand(task.histories, self.ids))),
            "bought before": lambda task: only(task, task.bought_before),
            "never bought before": Task.only_new,
            "products of the range": lambda task: only(task, of_range[task.targets.indices]),
        }
        return {
            name: (*(ask(task) for task in self.parts), name == "never bought before") for name, ask in asked.items()
        }

    def run(self, seed: int) -> None:
        """Judge counting, the model of this seed, and both joined, on every question."""
        asked = {name: self.world.setting(asked=name) for name in self.questions}
        which = {"seed": seed, "made_of": self.made_of}
        if all(self.bench.has(DATA, JOINED, setting=said, **which) for said in asked.values()):
            return
        fitted = self.bench.model(BRIEF, self.histories, seed, validation=self.parts[0], filter_seen=False)
        for name, said in asked.items():
            validation, test, filter_seen = self.questions[name]
            counting = self.counting[name]
            experts = [Expert(label, tuned.system) for label, tuned in counting if label != "popularity"][:3]
            experts = [Expert(MODEL, fitted.recommender, "logits"), *experts]
            joined = choose_hybrid(experts, validation, filter_seen=filter_seen)
            first, tuned = counting[0]
            systems: dict[str, Recommender] = {BEST: tuned.system, MODEL: fitted.recommender, JOINED: joined.system}
            notes = {BEST: {"chosen": first, "settings": repr(tuned.best)}, JOINED: {"chosen": joined.name}}
            for label, system in systems.items():
                about = which | {"seed": 0} if label == BEST else which
                values = evaluate(system, test, ks=(10,), filter_seen=filter_seen).values("NDCG@10")
                spent = {"seconds": fitted.training.seconds} if label == MODEL else {}
                self.bench.add(
                    DATA, label, {"NDCG@10": float(values.mean()), "customers": len(test)}, setting=said,
                    cases={"NDCG@10": values}, notes=notes.get(label), **spent, **about,
                )  # fmt: skip

    @cached_property
    def counting(self) -> dict[str, list]:
        """For each question all baselines as (name, tuned on its validation), the best first."""
        found = {}
        for name, (validation, _, filter_seen) in self.questions.items():
            how = {"budget": self.tries, "filter_seen": filter_seen}
            tuned = [(label, tuning.tune_baseline(label, self.histories, validation, **how)) for label in
                     tuning.BASELINES if label != "personal" or not filter_seen]  # fmt: skip
            found[name] = sorted(tuned, key=lambda pair: -pair[1].value)
        return found

    def gain(self) -> None:
        """Gains of the model and of both joined."""
        for name in self.questions:
            for system, rival in ((MODEL, BEST), (JOINED, BEST), (JOINED, MODEL)):
                said = self.world.setting(asked=name)
                self.bench.gain(DATA, system, rival, setting=said, rival_setting=said)


def only(task: Task, targets: np.ndarray) -> Task:
    """The cases asked for some of their targets alone, shape (n_targets,), bool; those with none of them go."""
    kept = task.targets.copy()
    kept.data = targets
    kept.eliminate_zeros()
    cases = np.flatnonzero(np.diff(kept.indptr))
    return replace(task.take(cases), targets=kept[cases])


# --- confidences ------------------------------------------------------------------------------------------------------


class Confidences:
    """Confidences of antecedent ⇒ item in one shop, judged by the baskets of a larger one, which nothing has seen."""

    def __init__(self, world: World) -> None:
        self.world, self.bench = world, world.bench
        self.made_of = [world.data, BASKETS, PER_BAND, SPLIT, UNSEEN_CUSTOMERS]
        self.supports = {name: world.setting(baskets=name) for name in SUPPORTS}

    @cached_property
    def parts(self) -> tuple:
        """Baskets × items to estimate from and to choose from, and the antecedents asked in either part."""
        data = self.world.data.filter_items(5)
        train, validation, test = (part.basket_matrix() for part in data.split_by_basket(0.1, 0.2, seed=SPLIT))
        trial = judging.Trial.of(train, validation, test, per_band=20 if self.bench.smoke else PER_BAND, seed=SPLIT)
        large = self.world.drawn(2 * self.world.customers if self.bench.smoke else UNSEEN_CUSTOMERS)
        columns = pd.Index(large.items["item_id"]).get_indexer(data.items["item_id"])
        return train, validation, trial, gather(large.basket_matrix()[:, columns], trial.known_test.antecedents)

    @cached_property
    def best(self) -> tuple[np.ndarray, np.ndarray, list[str]]:
        """The best counted estimates, see `judging.best_of`."""
        train, _, trial, _ = self.parts
        return judging.best_of(judging.count_estimates(train, trial), trial)

    def run(self, seed: int) -> None:
        """Judge counting, the model of this seed, and both joined, in every band of support."""
        which = {"seed": seed, "made_of": self.made_of}
        if all(self.bench.has(DATA, JOINED, setting=said, **which) for said in self.supports.values()):
            return
        train, validation, trial, unseen = self.parts
        recipe = replace(BASKETS, epochs=2, draws=500) if self.bench.smoke else BASKETS
        folder = self.bench.kept(recipe, train.indices, train.indptr, validation.indices, seed)
        fitted = recipe.fit(train, validation, trial.known.antecedents, seed=seed, folder=folder)
        read = [confidences(fitted.model, known.antecedents) for known in (trial.known, trial.known_test)]
        prior = judging.tune_confidence(trial.known, trial.unseen, self.best[0], read[0], doubts=judging.PRIOR_DOUBTS)
        joined = prior.estimate(trial.known_test, self.best[1], read[1])
        for label, estimate in {BEST: self.best[1], MODEL: read[1], JOINED: joined}.items():
            about = which | {"seed": 0} if label == BEST else which
            spent = {"seconds": fitted.training.seconds} if label == MODEL else {}
            losses = judging.confidence_losses(estimate, unseen)
            for name, said in self.supports.items():
                low, high = SUPPORTS[name]
                baskets = trial.known_test.baskets
                part = losses[(baskets >= low) & (baskets < high) & (unseen.baskets > 0)]
                values = {said_as: judging.mean_loss(part, loss) for said_as, loss in ERRORS.items()}
                cases = {column: part[column].to_numpy() for column in ("baskets", "log_loss", "squared_error")}
                self.bench.add(
                    DATA, label, values | {"antecedents": len(part)}, setting=said, cases=cases, **spent, **about
                )

    def gain(self) -> None:
        """What the model and both joined lose less than the best counting, by a bootstrap over antecedents."""
        for said in self.supports.values():
            for system in (MODEL, JOINED):
                ours, theirs = self.judged(system, said), self.judged(BEST, said)
                gains = {name: compare(ours, theirs, loss).negated() for name, loss in ERRORS.items()}
                values = {f"{name} gain on {BEST}": (g.difference, g.low, g.high) for name, g in gains.items()}
                self.bench.add(DATA, system, values, seed=None, setting=said)

    def judged(self, system: str, said: str) -> JudgedEstimate:
        """The losses of a system, mean over its seeds."""
        columns = ("baskets", "log_loss", "squared_error")
        return JudgedEstimate(system, pd.DataFrame({c: self.bench.cases(DATA, system, c, said) for c in columns}))


def measure(bench: harness.Bench) -> None:
    """Both questions at every setting with the first seed, then with the next; gains anew after each."""
    torch.set_num_threads(1)
    worlds: dict[float, tuple] = {}
    for seed in bench.options.seeds:
        for structure in bench.options.structures[: 1 if bench.smoke else None]:
            if structure not in worlds:
                world = World(bench, structure)
                worlds[structure] = NextVisit(world), Confidences(world)
            for part in worlds[structure]:
                part.run(seed)
                part.gain()


def figures(rows: pd.DataFrame, bench: harness.Bench) -> dict[str, Figure]:
    """Gains of the model by the dial."""
    found = unfolded(over_seeds(rows[rows["metric"].str.endswith(f" gain on {BEST}")]))
    confidence = found["asked"] == ""
    columns = {
        "part": np.where(confidence, "confidences", "next visit"),
        "asked": found["asked"].mask(confidence, found["baskets"]),
        "structure": found["structure"].astype(float),
        "metric": found["metric"].str.removesuffix(f" gain on {BEST}"),
        "gain": found["value"],
    }
    return {"crossover": crossover_figures.crossover(found[["system", "low", "high"]].assign(**columns))}


def main() -> None:
    """Measure, write crossover.csv, crossover.json and crossover.png."""
    parser = harness.parser(__doc__, data=[DATA], choices=[DATA], seeds=(1, 2, 3))
    parser.add_argument("--structures", nargs="+", type=float, default=list(STRUCTURES), help="usually %(default)s")
    harness.run(parser, measure, figures)


if __name__ == "__main__":
    main()

"""What does judging cost, and counting? Seconds of the ranking evaluation and of the baselines.

    python benchmarks/ranking.py [--users 100000] [--items 10000] [--data movielens-1m]

First the evaluation alone, with scores that are at hand, for that many users and items; then fit and scores of every
baseline at its defaults, leave-one-out. Seconds of the processor, which other work on the machine disturbs less.
"""

from __future__ import annotations

import time

import harness
import numpy as np
from rows import setting

from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.evaluation.ranking import evaluate
from llmarm_tutorial.evaluation.tasks import Task, next_item_task
from llmarm_tutorial.recommend.tuning import BASELINES, make_baseline

LEVELS = {"all scores differ": 2**24, "three levels": 3, "all scores equal": 1}


class AtHand:
    """Scores that take no time: the same random rows again and again, unlike or mostly equal."""

    def __init__(self, n_items: int, levels: int) -> None:
        self.n_items = n_items
        self.table = np.random.default_rng(0).integers(0, levels, (256, n_items)).astype(np.float32)

    def scores(self, histories: Histories) -> np.ndarray:
        """The first rows of the table."""
        return self.table[: len(histories)]


def made_up(n_users: int, n_items: int) -> Task:
    """Users with 20 random items and one random target."""
    rng = np.random.default_rng(1)
    known = rng.integers(0, n_items, (n_users, 20)).tolist()
    return Task.from_lists(known, rng.integers(0, n_items, (n_users, 1)).tolist(), n_items)


def measure(bench: harness.Bench) -> None:
    """The evaluation alone, then every baseline."""
    users, items = (500, 100) if bench.smoke else (bench.options.users, bench.options.items)
    size = setting(users=users, items=items)
    task = None
    for name, levels in LEVELS.items():
        if bench.has("made up", name, setting=size):
            continue
        task = task or made_up(users, items)
        begin = time.process_time()
        evaluate(AtHand(items, levels), task, block=256)
        seconds = time.process_time() - begin
        bench.add("made up", name, {"evaluation seconds": seconds}, setting=size, seconds=seconds)
    for data, transactions in bench.datasets():
        split = transactions.filter_items(5).leave_one_out()
        train, task = split.train.histories(), next_item_task(split, "test")
        for name in BASELINES:
            if bench.has(data, name, made_of=[make_baseline(name)]):
                continue
            begin = time.process_time()
            fitted = make_baseline(name).fit(train)
            fit = time.process_time() - begin
            judged = evaluate(fitted, task, ks=(10,))
            seconds = time.process_time() - begin
            values = {metric: judged.mean(metric) for metric in ("HR@10", "NDCG@10")}
            values |= {"fit seconds": fit, "evaluation seconds": seconds - fit}
            bench.add(data, name, values, made_of=[make_baseline(name)], seconds=seconds)


def main() -> None:
    """Measure, write ranking.csv and ranking.json."""
    parser = harness.parser(__doc__, data=["movielens-1m"])
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--items", type=int, default=10_000)
    harness.run(parser, measure)


if __name__ == "__main__":
    main()

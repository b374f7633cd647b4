"""What does judging cost, and counting? Seconds of the ranking evaluation and of the baselines.

    python benchmarks/ranking.py [--users 100000] [--items 10000] [--set movielens-1m]

First the evaluation alone, with scores that are at hand, for that many users and items; then fit and scores of every
baseline at its defaults, leave-one-out. CPU seconds, which other work on the machine disturbs less than the clock.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd

from llmarm_tutorial.data import loading
from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.errors import LlmarmError
from llmarm_tutorial.evaluation.ranking import evaluate
from llmarm_tutorial.evaluation.tasks import Task, next_item_task
from llmarm_tutorial.recommend.tuning import BASELINES, make_baseline


class AtHand:
    """Scores that take no time: the same random rows again and again, unlike or mostly equal."""

    def __init__(self, n_items: int, levels: int) -> None:
        self.n_items = n_items
        self.table = np.random.default_rng(0).integers(0, levels, (256, n_items)).astype(np.float32)

    def scores(self, histories: Histories) -> np.ndarray:
        return self.table[: len(histories)]


def evaluation_cost(n_users: int, n_items: int) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    lengths = np.full(n_users, 20)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    items = rng.integers(0, n_items, offsets[-1], dtype=np.int32)
    histories = Histories(items, offsets, np.tile(np.arange(20, dtype=np.int32), n_users), n_items)
    targets = Histories(
        rng.integers(0, n_items, n_users, dtype=np.int32), np.arange(n_users + 1), np.zeros(n_users, np.int32), n_items
    )
    counts = np.bincount(items, minlength=n_items)
    task = Task(histories, targets.matrix().astype(bool), np.arange(n_users), n_items, counts)
    rows = []
    for name, levels in {"all scores differ": 2**24, "three levels": 3, "all scores equal": 1}.items():
        begin = time.process_time()
        evaluate(AtHand(n_items, levels), task, block=256)
        rows.append((name, time.process_time() - begin))
    return pd.DataFrame(rows, columns=["scores", "seconds"])


def baseline_cost(name: str) -> pd.DataFrame:
    split = loading.load(name).filter_items(5).leave_one_out("event")
    train, task = split.train.histories(), next_item_task(split, "test")
    rows = []
    for baseline in BASELINES:
        begin = time.process_time()
        fitted = make_baseline(baseline).fit(train)
        fit_seconds = time.process_time() - begin
        begin = time.process_time()
        judged = evaluate(fitted, task, ks=(10,))
        seconds = time.process_time() - begin
        rows.append((baseline, fit_seconds, seconds, judged.mean("HR@10"), judged.mean("NDCG@10")))
    return pd.DataFrame(rows, columns=["baseline", "fit", "scores and evaluation", "HR@10", "NDCG@10"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--set", default="movielens-1m")
    given = parser.parse_args()
    print(evaluation_cost(given.users, given.items).round(1).to_string(index=False))
    try:
        print(baseline_cost(given.set).round(3).to_string(index=False))
    except LlmarmError as error:
        print(error)


if __name__ == "__main__":
    main()

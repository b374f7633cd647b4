"""Lesson 04's estimates and rules on a third of a large shop: memory does not grow with items × items."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

WORK = """
import json
import big_sales
import numpy as np
from llmarm_tutorial import mining, resources
from llmarm_tutorial.data import Transactions
from llmarm_tutorial.models import readout

sales = big_sales.make_sales(big_sales.BASKETS // 3, big_sales.PRODUCTS // 3)
sales = sales.rename(columns={"basket": "basket_id", "product": "item_id"})
data = Transactions.from_frame(sales[["basket_id", "item_id"]]).filter_items(5)
train, validation, test = (part.basket_matrix() for part in data.split_by_basket(0.1, 0.2))
trial = mining.Trial.of(train, validation, test, per_band=8)
estimates = mining.count_estimates(train, trial)
best = mining.best_of(estimates, trial)
model = readout.new_model(train, hidden=16, layers=1, heads=1, feed_forward=16)
batches = readout.PartBatches(train, train.shape[1], draws=1000)
batch = next(batches.stream(0, [0]))
limits = {"min_support": 0.002, "min_confidence": 0.01, "most": 1000}
rules = readout.read_rules(model, trial.known.shares, train.shape[0], data.items, **limits)
peak = resources.highest_memory()
answer = {"items": train.shape[1], "baskets": train.shape[0], "asked": trial.known.joint.shape[0], "rules": len(rules)}
answer |= {"finite": all(bool(np.isfinite(p).all()) for pair in estimates.values() for p in pair), "peak": peak}
print(json.dumps(answer))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell the peak of a process")
def test_estimates_and_rules_stay_small_where_items_are_many():
    folders = [str(Path(__file__).parents[2] / "benchmarks"), os.environ.get("PYTHONPATH", "")]
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    environment = {**os.environ, **threads, "PYTHONPATH": os.pathsep.join(folder for folder in folders if folder)}
    done = subprocess.run([sys.executable, "-c", WORK], env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["items"] > 9_000
    assert told["baskets"] > 30_000
    assert told["asked"] > 100
    assert told["rules"] == 1000
    assert told["finite"]
    seven_tables = 84 * told["items"] ** 2  # what full tables of items × items would take
    assert told["peak"] < seven_tables / 6
    assert told["peak"] < 1.3e9

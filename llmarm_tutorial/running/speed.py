"""A fixed small piece of work whose time says how fast a machine is: `python -m llmarm_tutorial.running.speed`.

What it does must stay as it is: the reference results keep its time beside the times of the lessons, and estimates of
other machines are the ratio of the two.
"""

from __future__ import annotations

import statistics
import time

import numpy as np

ROUNDS, LONGEST = 9, 3.0  # rounds, and seconds after which none is begun


def work() -> float:
    """One round of what lessons do: layers of a small network, sorting and counting, plain Python. A check-sum."""
    rng = np.random.default_rng(0)
    hidden = rng.standard_normal((512, 128), dtype=np.float32)
    wide, back = (rng.standard_normal(shape, dtype=np.float32) / 16 for shape in ((128, 512), (512, 128)))
    for _ in range(24):
        scores = hidden @ hidden.T / 16
        scores = np.exp(scores - scores.max(axis=1, keepdims=True))
        hidden = scores / scores.sum(axis=1, keepdims=True) @ hidden + np.maximum(hidden @ wide, 0) @ back
        hidden /= np.sqrt((hidden**2).mean(axis=1, keepdims=True) + 1e-6)
    baskets = rng.integers(0, 500, size=(20_000, 8))
    baskets.sort(axis=1)
    pairs = np.unique(baskets[:, :-1] * 500 + baskets[:, 1:], return_counts=True)[1]
    counts: dict[int, int] = {}
    for item in baskets[:8_000].ravel().tolist():
        counts[item] = counts.get(item, 0) + 1
    return float(hidden.sum()) + float(pairs.max()) + max(counts.values())


def seconds() -> float:
    """The median time of a round: a moment's disturbance by another program does not count."""
    work()  # warms the caches up
    times: list[float] = []
    while len(times) < ROUNDS and sum(times) < LONGEST:
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


if __name__ == "__main__":
    print(seconds())

"""How long a customer waits for a list, and how many lists a machine makes in a second."""

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np

from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.errors import BadParameter
from llmarm_tutorial.evaluation.tasks import Recommender


class Latency(NamedTuple):
    """How long lists take, see `measure_latency`.

    Attributes:
        p50: Median seconds of a call.
        p99: Seconds that 99 of 100 calls stay below.
        per_second: Lists per second, over all calls.
        batch: Customers in a call.
    """

    p50: float
    p99: float
    per_second: float
    batch: int


def measure_latency(
    system: Recommender,
    histories: Histories,
    *,
    k: int = 10,
    batch: int = 1,
    repeats: int = 200,
    warmup: int = 10,
    seed: int = 0,
) -> Latency:
    """Time a recommender from a history to the list of its k best items, by the clock.

    Args:
        system: The recommender.
        histories: Histories to draw from; every call gets others, at random and with repetition.
        k: Length of the lists, from 1; of fewer items all are listed.
        batch: Customers in a call: 1 for somebody who waits, hundreds for lists that are made overnight.
        repeats: Calls that are timed, from 1; the 99th percentile needs a few hundred.
        warmup: Calls before these, from 0, so that caches and libraries are ready.
        seed: Seed of the draw.

    Raises:
        BadParameter: If a number is out of range or there are no histories.
    """
    if not len(histories) or k < 1 or batch < 1 or repeats < 1 or warmup < 0:
        raise BadParameter(
            f"Measuring needs histories, k, batch and repeats from 1 and warmup from 0; not {len(histories)} "
            f"histories, {k}, {batch}, {repeats} and {warmup}."
        )
    draws = np.random.default_rng(seed).integers(0, len(histories), (warmup + repeats, batch))
    seconds = np.empty(len(draws))
    for number, rows in enumerate(draws):
        drawn = histories.take(rows)
        begin = time.perf_counter()
        best(system.scores(drawn), k)
        seconds[number] = time.perf_counter() - begin
    seconds = seconds[warmup:]
    p50, p99 = np.quantile(seconds, [0.5, 0.99])
    return Latency(float(p50), float(p99), float(repeats * batch / seconds.sum()), batch)


def best(scores: np.ndarray, k: int) -> np.ndarray:
    """Item codes of the k highest scores of each row, best first, shape (n_cases, k); equal ones in any order.

    With fewer than k items all are listed.
    """
    k = min(k, scores.shape[1])
    first = np.argpartition(-scores, k - 1, axis=1)[:, :k]
    order = np.argsort(-np.take_along_axis(scores, first, axis=1), axis=1)
    return np.take_along_axis(first, order, axis=1)

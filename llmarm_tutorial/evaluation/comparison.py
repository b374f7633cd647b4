"""Two systems on the same cases: the mean difference, its interval, and how likely chance alone makes it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd

from llmarm_tutorial.errors import BadParameter
from llmarm_tutorial.evaluation.intervals import bootstrap_interval, sign_flip_test
from llmarm_tutorial.evaluation.metrics import Evaluation


class Comparison(NamedTuple):
    """Two systems, case by case.

    Attributes:
        metric: What was compared.
        first: Name of the first system.
        second: Name of the second.
        difference: Mean of the first minus mean of the second.
        low: Lower end of the bootstrap interval of the difference.
        high: Upper end.
        p_value: Two-sided, of the paired sign-flip permutation test of no difference.
        cases: Number of cases.
    """

    metric: str
    first: str
    second: str
    difference: float
    low: float
    high: float
    p_value: float
    cases: int


def compare(
    a: Evaluation,
    b: Evaluation,
    metric: str = "NDCG@10",
    *,
    level: float = 0.95,
    resamples: int = 1000,
    permutations: int = 9999,
    seed: int = 0,
) -> Comparison:
    """Is the difference of two systems more than the luck of these cases?

    The interval is a paired bootstrap over cases (percentiles). The p-value is of the permutation test that flips the
    signs of the cases' differences, as if the two systems had swapped names there: exact over all flips for at most 14
    cases that differ, else from random flips, with the observed one counted in (Phipson & Smyth 2010).

    Args:
        a: Evaluation of the first system.
        b: Evaluation of the second, of the same task under the same protocol.
        metric: A metric of single cases.
        level: Coverage of the interval, in (0, 1).
        resamples: Bootstrap samples.
        permutations: Random flips.
        seed: Seed of both.

    Raises:
        BadParameter: If the evaluations are of different tasks or protocols.
    """
    if a.task is not b.task and a.task.fingerprint != b.task.fingerprint:
        raise BadParameter(f"{a.system} and {b.system} were asked different tasks: evaluate both on the same one.")
    if a.protocol != b.protocol:
        raise BadParameter(f"{a.system} ranked {a.protocol}, {b.system} {b.protocol}: evaluate both in the same way.")
    differences = a.values(metric) - b.values(metric)
    differences = differences[~np.isnan(differences)]
    low, high = bootstrap_interval(differences[:, None], level=level, resamples=resamples, seed=seed)
    p = sign_flip_test(differences, permutations=permutations, seed=seed)
    mean = float(differences.mean())
    return Comparison(metric, a.system, b.system, mean, float(low[0]), float(high[0]), p, len(differences))


def comparison_table(comparisons: Iterable[Comparison]) -> pd.DataFrame:
    """Comparisons as a table, one row each."""
    return pd.DataFrame(list(comparisons), columns=Comparison._fields)

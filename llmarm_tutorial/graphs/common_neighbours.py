"""Does a second link say something that the pair's own counts do not say yet? A check by counting alone.

Pairs that are no link so far are compared with pairs whose own counts were alike: do those with a common neighbour meet
more often later?
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.errors import BadParameter
from llmarm_tutorial.evaluation.intervals import bootstrap
from llmarm_tutorial.graphs.link_counting import neighbours, own_counts
from llmarm_tutorial.graphs.link_tasks import LinkTask
from llmarm_tutorial.mining.measures import expected_count

EDGES = (0.8, 1.2, 1.6)
WITHOUT, WITH = "none", "a common neighbour"


@dataclass(frozen=True, eq=False)
class SecondStep:
    """Candidate pairs of a task, and how often they met in the stretch of time that followed.

    Attributes:
        pairs: One row per candidate: `met`, the later baskets with both; `expected`, how many there would be if the two
            were independent there; `becomes a link`; `own lift so far`, a band of the pair's lift in the past, drawn
            towards 1 by five expected baskets; `neighbour`, whether the two have one in common.
        ends: The two items of each candidate, shape (n_candidates, 2).
        n_items: Number of items.
    """

    pairs: pd.DataFrame
    ends: np.ndarray
    n_items: int

    @property
    def table(self) -> pd.DataFrame:
        """Per band of own lift: number of `pairs`, pooled `lift later` (met by expected) and `share that become links`,
        each without and with a common neighbour."""
        bands = self.pairs.groupby(["own lift so far", "neighbour"], observed=True)
        pooled = bands.agg(
            pairs=("met", "size"), met=("met", "sum"), expected=("expected", "sum"), share=("becomes a link", "mean")
        )
        pooled["lift later"] = pooled["met"] / pooled["expected"]
        shown = pooled[["pairs", "lift later", "share"]].unstack()
        return shown.rename(columns={"share": "share that become links"})

    @cached_property
    def times_as_often(self) -> float:
        """Later lift of pairs with a common neighbour by that of others of like own lift; NaN without such pairs.

        The mean of the logarithms over the bands, each weighted by the expected baskets with a common neighbour.
        """
        return self._ratio(np.ones(len(self.pairs)))

    def interval(self, *, resamples: int = 200, seed: int = 0) -> tuple[float, float]:
        """A 95 % interval of `times_as_often`: items are drawn anew, since pairs that share one are not independent.

        Args:
            resamples: Draws.
            seed: Seed of the draws.

        Returns:
            (lower end, upper end), both NaN where the value is.
        """
        if not np.isfinite(self.times_as_often):
            return np.nan, np.nan
        first, second = self.ends.T
        return bootstrap(
            lambda times: self._ratio(times[first] * times[second]), self.n_items, resamples=resamples, seed=seed
        )

    def _ratio(self, weight: np.ndarray) -> float:
        """See `times_as_often`; weight: how often each pair counts, shape (n_candidates,)."""
        bands = self.pairs["own lift so far"].cat
        group = 2 * bands.codes.to_numpy() + (self.pairs["neighbour"] == WITH).to_numpy()
        met, expected = (
            np.bincount(group, weight * self.pairs[name], 2 * len(bands.categories)).reshape(-1, 2)
            for name in ("met", "expected")
        )
        usable = (met > 0).all(axis=1)
        if not usable.any():
            return np.nan
        rate = np.log(met[usable] / expected[usable])
        return float(np.exp(np.average(rate[:, 1] - rate[:, 0], weights=expected[usable, 1])))


def second_step(task: LinkTask, later: Transactions, edges: Sequence[float] = EDGES) -> SecondStep:
    """Compare candidates with and without a common neighbour, at like own lift.

    Args:
        task: The task; its candidates are no link in the past.
        later: The stretch of time that follows the task's past, with the same items.
        edges: Lifts at which a new band begins, rising, above 0.

    Raises:
        BadParameter: If the later stretch has other items, or the edges do not rise from above 0.
    """
    if len(later.items) != task.n_items:
        raise BadParameter(
            f"The later stretch has {len(later.items)} items and the task {task.n_items}: take the same."
        )
    if not edges or not (np.diff([0, *edges]) > 0).all():
        raise BadParameter(f"The edges of bands of lift rise from above 0; {list(edges)} do not.")
    baskets = later.basket_matrix().astype(float)
    met = (baskets.T @ baskets).toarray()
    single = met.diagonal()
    expected = expected_count(single[:, None], single, baskets.shape[0])
    bands = [f"{low} to {high}" for low, high in itertools.pairwise(edges)]
    bands = [f"below {edges[0]}", *bands, f"above {edges[-1]}"]
    i, j = task.i, task.j
    own = own_counts(task, "lift")[i, j]
    pairs = pd.DataFrame({"met": met[i, j], "expected": expected[i, j], "becomes a link": task.appears})
    pairs["own lift so far"] = pd.cut(own, [-1, *edges, np.inf], labels=bands)
    pairs["neighbour"] = np.where(neighbours(task, "common")[i, j] > 0, WITH, WITHOUT)
    return SecondStep(pairs, np.column_stack([i, j]), task.n_items)

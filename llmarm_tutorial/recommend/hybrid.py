"""Several recommenders as one: fixed ways of adding up their opinions, one that is learned, and a choice among all.

A `Panel` asks its experts once per block of histories and makes their scores comparable. A `Combined` recommender is a
weighted sum of what the panel says. `fused` gives it weights by hand, `fit` learns them from what customers bought, and
`choose` takes on validation whichever did best: a single expert, a fusion or a learned combination, so that a hybrid is
shipped only where it is worth it.

What the panel says of an item, by name of the feature:

* "log X": log of the chance that expert X gives it: softmax of logits, or share of scores.
* "z X": the score of X in standard deviations from the mean over the case's items.
* "rank X": 60 / (60 + rank of X), the terms of reciprocal rank fusion (Cormack, Clarke & Büttcher 2009), times 60.
* "depth X": "log X" times the log of 1 + the number of events in the history, so that a weight may depend on it.
* "bought", "times", "recent": whether the customer had it before, log of 1 + how often, and 1 over the number of visits
  since (1 for the last visit, 0 for never).
* "popularity": log of 1 + its training events.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import optimize

from llmarm_tutorial.errors import BadParameter, DataError
from llmarm_tutorial.evaluation.metrics import Evaluation
from llmarm_tutorial.evaluation.ranking import SCORES_PER_BLOCK
from llmarm_tutorial.evaluation.ranks import TargetRanks, above_and_tied
from llmarm_tutorial.evaluation.tasks import Recommender, Task
from llmarm_tutorial.recommend.experts import FACTS, RANK_OFFSET, WAYS, Combined, Expert, Panel

FEATURE_SETS: Mapping[str, tuple[str, ...]] = {
    "log": ("log",),
    "log, rank": ("log", "rank"),
    "log, rank, facts": ("log", "rank", *FACTS),
    "log, rank, facts, depth": ("log", "rank", *FACTS, "depth"),
}


# --- candidates ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Candidates:
    """Features of the items worth looking at in each case: the best of every expert.

    Targets that no expert lists are not added: among candidates that are all listed by somebody, an item that nobody
    lists would give itself away, and a combination would learn that bad ranks are good.

    Attributes:
        task: Who was asked what.
        names: Names of the features.
        values: Features, shape (n_cases, width, n_features), float32, 0 behind a case's last candidate.
        real: Where there is a candidate, shape (n_cases, width), bool.
        target_at: Place of each target among its case's candidates, in the order of `task.targets`; -1 for those that
            no expert lists.
    """

    task: Task
    names: tuple[str, ...]
    values: np.ndarray
    real: np.ndarray
    target_at: np.ndarray

    @classmethod
    def gather(cls, panel: Panel, task: Task, names: Sequence[str], top: int = 100) -> Candidates:
        """Ask the panel about a task, each expert once.

        Args:
            panel: The experts.
            task: A validation task.
            names: Features to keep.
            top: How many of each expert's best items; of equal scores all or none.
        """
        ranks = panel.names(["rank"])
        wanted = [*dict.fromkeys([*ranks, *names])]
        bound = RANK_OFFSET / (RANK_OFFSET + top) * (1 - 1e-6)
        parts, step = [], max(1, SCORES_PER_BLOCK // task.n_items)
        for start in range(0, len(task), step):
            stop = min(start + step, len(task))
            said = dict(zip(wanted, panel.features(task.histories.block(start, stop), wanted), strict=True))
            inside = np.any([said[name] >= bound for name in ranks], axis=0)
            place = np.cumsum(inside, axis=1) - 1
            at = np.nonzero(inside)
            values = np.zeros((stop - start, inside.sum(axis=1).max(), len(names)), dtype=np.float32)
            for number, name in enumerate(names):
                values[at[0], place[at], number] = said[name][at]
            real = np.arange(values.shape[1]) < inside.sum(axis=1)[:, None]
            targets = _target_rows(task, start, stop)
            parts.append((values, real, np.where(inside[targets], place[targets], -1)))
        width = max(values.shape[1] for values, _, _ in parts)
        values = np.concatenate([np.pad(v, ((0, 0), (0, width - v.shape[1]), (0, 0))) for v, _, _ in parts])
        real = np.concatenate([np.pad(r, ((0, 0), (0, width - r.shape[1]))) for _, r, _ in parts])
        return cls(task, tuple(names), values, real, np.concatenate([at for _, _, at in parts]))

    def take(self, rows: np.ndarray) -> Candidates:
        """The cases in the given rows."""
        targets = self.task.targets
        spans = [np.arange(targets.indptr[row], targets.indptr[row + 1]) for row in rows]
        at = self.target_at[np.concatenate(spans)]
        return Candidates(self.task.take(rows), self.names, self.values[rows], self.real[rows], at)

    def columns(self, names: Sequence[str]) -> np.ndarray:
        """Some of the features, shape (n_cases, width, len(names))."""
        return self.values[:, :, [self.names.index(name) for name in names]]

    def judge(self, scores: np.ndarray, metric: str = "NDCG@10") -> np.ndarray:
        """A metric of accuracy with only the candidates ranked: what no expert lists is never recommended.

        Args:
            scores: Shape (n_cases, width).
            metric: A metric of single cases, see `metrics.Evaluation`.

        Returns:
            The metric of every case, shape (n_cases,).
        """
        rows = np.repeat(np.arange(len(self.task)), np.diff(self.task.targets.indptr))
        candidates = np.where(self.real, scores, np.nan)
        above, tied = above_and_tied(candidates, rows, candidates[rows, self.target_at])
        listed = self.target_at >= 0
        above, tied = np.where(listed, above, self.task.n_items - 1), np.where(listed, tied, 1)
        ranks = TargetRanks(self.task.targets.indptr, above, tied)
        return Evaluation("", self.task, "candidates", (1,), ranks).values(metric)


def _target_rows(task: Task, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
    """(row within the block, item) of each target, in the order in which the task keeps them."""
    targets = task.targets[start:stop]
    return np.repeat(np.arange(stop - start), np.diff(targets.indptr)), targets.indices


# --- learning --------------------------------------------------------------------------------------------------------


def fit(candidates: Candidates, names: Sequence[str], penalty: float = 1e-5) -> dict[str, float]:
    """Weights that give the targets the highest chance among the candidates: conditional logistic regression.

    The listwise loss is the cross-entropy between the softmax over a case's candidates and the even distribution over
    the targets among them (McFadden 1974; Cao et al. 2007), a convex function of the weights, made small by L-BFGS.
    Cases without a target among the candidates say nothing.

    Args:
        candidates: Cases to learn from.
        names: Features to use.
        penalty: Weight of the squared length of the weights, on features of standard deviation 1; at least 0.

    Returns:
        Name of the feature → weight, on the feature's own scale.

    Raises:
        BadParameter: If the penalty is below 0.
        DataError: If no case has a target among its candidates.
    """
    if not penalty >= 0:
        raise BadParameter(f"The penalty of a fit is at least 0, not {penalty}.")
    rows = np.repeat(np.arange(len(candidates.task)), np.diff(candidates.task.targets.indptr))
    listed = candidates.target_at >= 0
    truth = np.zeros(candidates.real.shape, dtype=np.float32)
    truth[rows[listed], candidates.target_at[listed]] = 1
    useful = truth.any(axis=1)
    if not useful.any():
        raise DataError("No target is among the candidates, so there is nothing to learn from; take a larger top.")
    real = candidates.real[useful]
    truth = (truth[useful] / truth[useful].sum(axis=1, keepdims=True))[real]
    values = candidates.columns(names)[useful][real]  # candidates of all cases end to end
    spread = values.std(axis=0, dtype=float)
    scale = np.where(spread > 1e-6, 1 / np.maximum(spread, 1e-6), 0).astype(np.float32)
    values = (values - values.mean(axis=0, dtype=float).astype(np.float32)) * scale
    sizes = real.sum(axis=1)
    starts, told = np.cumsum(sizes) - sizes, truth @ values

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        logits = values @ weights.astype(np.float32)
        top = np.maximum.reduceat(logits, starts)
        chances = np.exp(logits - np.repeat(top, sizes))
        total = np.add.reduceat(chances, starts)
        chances /= np.repeat(total, sizes)
        value = ((top + np.log(total)).sum(dtype=float) - told @ weights) / len(sizes) + penalty * weights @ weights
        gradient = (chances @ values - told) / len(sizes) + 2 * penalty * weights
        return float(value), gradient.astype(float)

    found = optimize.minimize(loss, np.zeros(len(names)), jac=True, method="L-BFGS-B", options={"maxiter": 200})
    return dict(zip(names, (found.x * scale).tolist(), strict=True))


# --- choosing --------------------------------------------------------------------------------------------------------


class Chosen(NamedTuple):
    """What `choose` found.

    Attributes:
        system: The hybrid: a combination where it is better than every single expert, else the best of these.
        name: Its name among the finalists.
        tries: One row per way: `system`, `kind` ("single", "fusion", "learned"), `value` (mean of the metric over the
            validation cases, each judged with weights that it had no part in), `gain` on the best single expert and
            its standard `error`.
        finalists: Name of the way → recommender.
    """

    system: Recommender
    name: str
    tries: pd.DataFrame
    finalists: dict[str, Recommender]

    def best(self, kind: str) -> str:
        """Name of the best way of a kind."""
        rows = self.tries[self.tries["kind"] == kind]
        return rows.loc[rows["value"].idxmax(), "system"]


def choose(
    experts: Sequence[Expert],
    task: Task,
    *,
    filter_seen: bool = True,
    metric: str = "NDCG@10",
    top: int = 100,
    steps: int = 4,
    caution: float = 1.0,
    seed: int = 0,
) -> Chosen:
    """The best single expert, fusion or learned combination on a validation task.

    The cases are divided at random into halves. Weights of fusions are chosen from all that add up to 1 in steps of
    1 / `steps`, learned combinations are fitted on the one half, and judged on the other; then the other way round. Of
    the combinations the best is taken if it beats the best single expert by more than `caution` standard errors; else
    that expert is (the rule of one standard error of Breiman et al. 1984). So no combination is taken that does worse
    on validation than a single expert. In the end all weights are found anew on all cases. All experts are asked once.

    Args:
        experts: At least one.
        task: The validation task; never the test.
        filter_seen: As for `ranking.evaluate`.
        metric: What to make large, a metric of single cases.
        top: Candidates of each expert, see `Candidates.gather`.
        steps: Fineness of the weights of fusions, from 2.
        caution: Standard errors that a combination must be ahead, from 0.
        seed: Seed of the division.

    Raises:
        BadParameter: If there are fewer than four cases, `steps` is below 2 or `caution` below 0.
    """
    if len(task) < 4 or steps < 2 or not caution >= 0:
        raise BadParameter(
            f"Choosing needs at least 4 cases, 2 steps and caution from 0, not {len(task)}, {steps} and {caution}."
        )
    panel = Panel(tuple(experts), task.item_counts, filter_seen)
    everything = Candidates.gather(panel, task, panel.names((*WAYS, "depth", *FACTS)), top)
    order = np.array_split(np.random.default_rng(seed).permutation(len(task)), 2)
    halves = [everything.take(rows) for rows in order]
    found = [_ways(panel, part, metric, steps) for part in (*halves[::-1], everything)]  # the last one is served
    rows, values = [], {}
    for name, (kind, _) in found[-1].items():
        parts = [
            half.judge(half.columns(list(ways[name][1])) @ np.float32([*ways[name][1].values()]), metric)
            for half, ways in zip(halves, found, strict=False)
        ]
        values[name] = np.concatenate(parts)
        rows.append((name, kind, float(values[name].mean())))
    tries = pd.DataFrame(rows, columns=["system", "kind", "value"])
    rival = max((expert.name for expert in experts), key=lambda name: values[name].mean())
    gains = np.stack([values[name] - values[rival] for name in tries["system"]])
    tries["gain"], tries["error"] = gains.mean(axis=1), gains.std(axis=1) / np.sqrt(len(task))
    ahead = tries[(tries["gain"] > caution * tries["error"]) & (tries["kind"] != "single")]
    winner = rival if ahead.empty else ahead.loc[ahead["value"].idxmax(), "system"]
    finalists: dict[str, Recommender] = {name: Combined(panel, w, name) for name, (_, w) in found[-1].items()}
    finalists |= {expert.name: expert.system for expert in experts}
    return Chosen(finalists[winner], winner, tries, finalists)


def _ways(panel: Panel, part: Candidates, metric: str, steps: int) -> dict[str, tuple[str, dict[str, float]]]:
    """All ways of using a panel, with the weights that some cases suggest: name → (kind, weights)."""
    ways = {expert.name: ("single", {f"rank {expert.name}": 1.0}) for expert in panel.experts}
    lattice = _lattice(len(panel.experts), steps)
    for way in WAYS if len(lattice) else ():
        names = panel.names([way])
        said = part.columns(names)
        best = lattice[int(np.argmax([part.judge(said @ weights, metric).mean() for weights in lattice]))]
        ways[f"fusion, {way}"] = "fusion", dict(zip(names, best.tolist(), strict=True))
    for name, kinds in FEATURE_SETS.items():
        ways[f"learned, {name}"] = "learned", fit(part, panel.names(kinds))
    return ways


def _lattice(n: int, steps: int) -> np.ndarray:
    """All weights of n experts that are multiples of 1 / steps and add up to 1, more than one above 0."""
    cuts = itertools.combinations(range(steps + n - 1), n - 1)
    weights = np.array([np.diff([-1, *cut, steps + n - 1]) - 1 for cut in cuts], dtype=np.float32) / steps
    return weights[(weights > 0).sum(axis=1) > 1]

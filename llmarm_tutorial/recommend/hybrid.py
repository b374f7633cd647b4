"""The best way to join recommenders, found on validation: a single one, a fusion with chosen weights, or a learned one.

`fit` learns the weights of a `Fusion` from what customers bought. `choose_hybrid` takes whichever did best, and a
combination only if it is clearly ahead, so that a hybrid is shipped only where it is worth it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import optimize
from scipy.special import log_softmax
from sklearn.preprocessing import normalize

from llmarm_tutorial.errors import BadParameter, DataError
from llmarm_tutorial.evaluation.metrics import Evaluation
from llmarm_tutorial.evaluation.ranks import TargetRanks, above_and_tied
from llmarm_tutorial.evaluation.tasks import Recommender, Task
from llmarm_tutorial.recommend.experts import (
    RANK_OFFSET,
    WAYS,
    Expert,
    Fusion,
    Precomputed,
    candidate_scores,
    check_experts,
    reciprocal_ranks,
)

JOINED_BY = ("log", "z", "rank")  # each makes a fusion; the learned combination uses all of them


@dataclass(frozen=True, eq=False)
class Candidates:
    """What experts say of the items worth looking at in each case: the best of every expert.

    Targets that no expert lists are not added: among candidates that are all listed by somebody, an item that nobody
    lists would give itself away, and a combination would learn that bad ranks are good.

    Attributes:
        task: Who was asked what.
        values: What is said, shape (n_cases, width, n_ways, n_experts), float32.
        real: Where there is a candidate, shape (n_cases, width), bool; the last places of most cases are not used.
        target_at: Where each target is among its case's candidates, in the order of `task.targets`; -1 for those that
            no expert lists.
    """

    task: Task
    values: np.ndarray
    real: np.ndarray
    target_at: np.ndarray

    @classmethod
    def gather(
        cls,
        experts: Sequence[Expert],
        task: Task,
        ways: Sequence[str] = JOINED_BY,
        *,
        filter_seen: bool = True,
        top: int = 100,
    ) -> Candidates:
        """Ask the experts about a task, each once.

        Args:
            experts: At least one, of the same items, with different names.
            task: A validation task.
            ways: How to make scores comparable, of `experts.WAYS`.
            filter_seen: As for `experts.Fusion`.
            top: How many of each expert's best items; of equal scores all or none.
        """
        check_experts(experts)
        known = task.histories
        scores = [candidate_scores(Precomputed.of(expert.system, known), known, filter_seen) for expert in experts]
        bound = RANK_OFFSET / (RANK_OFFSET + top) * (1 - 1e-6)
        listed = np.any([reciprocal_ranks(of_expert) >= bound for of_expert in scores], axis=0)
        items = np.argsort(~listed, axis=1, kind="stable")[:, : listed.sum(axis=1).max()]  # those listed come first
        values = np.empty((*items.shape, len(ways), len(experts)), dtype=np.float32)
        for (number, way), (who, expert) in itertools.product(enumerate(ways), enumerate(experts)):
            values[:, :, number, who] = np.take_along_axis(WAYS[way](scores[who], expert.scale), items, axis=1)
        targets = _case_of_target(task), task.targets.indices
        target_at = np.where(listed[targets], (np.cumsum(listed, axis=1) - 1)[targets], -1)
        return cls(task, values, np.take_along_axis(listed, items, axis=1), target_at)

    def joined(self, weights: np.ndarray) -> np.ndarray:
        """Sums of what is said, shape (n_cases, width), by weights of shape (n_ways, n_experts)."""
        return np.tensordot(self.values, weights, axes=2)

    def judge(self, scores: np.ndarray, metric: str = "NDCG@10") -> np.ndarray:
        """A metric of accuracy with only the candidates ranked: what no expert lists is never recommended.

        Args:
            scores: Shape (n_cases, width).
            metric: A metric of single cases, see `metrics.Evaluation`.

        Returns:
            The metric of every case, shape (n_cases,).
        """
        rows = _case_of_target(self.task)
        candidates = np.where(self.real, scores, np.nan)
        above, tied = above_and_tied(candidates, rows, candidates[rows, self.target_at])
        listed = self.target_at >= 0
        above, tied = np.where(listed, above, self.task.n_items - 1), np.where(listed, tied, 1)
        ranks = TargetRanks(self.task.targets.indptr, above, tied)
        return Evaluation("", self.task, "candidates", (1,), ranks).values(metric)


def fit(candidates: Candidates, cases: np.ndarray | None = None, *, penalty: float = 1e-5) -> np.ndarray:
    """Weights that give the targets the highest chance among the candidates: conditional logistic regression.

    The listwise loss is the cross-entropy between the softmax over a case's candidates and the even distribution over
    the targets among them (McFadden 1974; Cao et al. 2007), a convex function of the weights, made small by L-BFGS.
    Cases without a target among the candidates say nothing.

    Args:
        candidates: What experts say.
        cases: Numbers of the cases to learn from; None for all.
        penalty: Weight of the squared length of the weights, on features of standard deviation 1; at least 0.

    Returns:
        Weights, shape (n_ways, n_experts), on the scale of what is said.

    Raises:
        BadParameter: If the penalty is below 0.
        DataError: If no case has a target among its candidates.
    """
    if not penalty >= 0:
        raise BadParameter(f"The penalty of a fit is at least 0, not {penalty}.")
    listed = candidates.target_at >= 0
    truth = np.zeros(candidates.real.shape, dtype=np.float32)
    truth[_case_of_target(candidates.task)[listed], candidates.target_at[listed]] = 1
    useful = np.flatnonzero(truth.any(axis=1))
    useful = useful if cases is None else np.intersect1d(useful, cases)
    if not len(useful):
        raise DataError("No target is among the candidates, so there is nothing to learn from; take a larger top.")
    real, truth = candidates.real[useful], normalize(truth[useful], "l1")
    features = candidates.values[useful].reshape(*real.shape, -1)
    spread = features[real].std(axis=0, dtype=float)
    scale = np.where(spread > 1e-6, 1 / np.maximum(spread, 1e-6), 0).astype(np.float32)
    features = (features - features[real].mean(axis=0, dtype=float).astype(np.float32)) * scale

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        log_chances = log_softmax(np.where(real, features @ weights.astype(np.float32), -np.inf), axis=1)
        missed = np.exp(log_chances) - truth
        value = -log_chances[truth > 0] @ truth[truth > 0] / len(real) + penalty * weights @ weights
        gradient = np.tensordot(missed, features, axes=2) / len(real) + 2 * penalty * weights
        return float(value), gradient.astype(float)

    best = optimize.minimize(loss, np.zeros(len(scale)), jac=True, method="L-BFGS-B", options={"maxiter": 200})
    return (best.x * scale).reshape(candidates.values.shape[2:])


def _case_of_target(task: Task) -> np.ndarray:
    """The case of every target, shape (n_targets,)."""
    return np.repeat(np.arange(len(task)), np.diff(task.targets.indptr))


class Hybrid(NamedTuple):
    """What `choose_hybrid` found.

    Attributes:
        system: A combination where it is better than every single expert, else the best of these.
        name: Its name among the finalists.
        tries: One row per way to join: `system`, `kind` ("single", "fusion", "learned"), `value` (mean of the metric
            over the validation cases, each judged with weights that it had no part in), `gain` on the best single
            expert and its standard `error`.
        finalists: Name of the way to join → recommender.
    """

    system: Recommender
    name: str
    tries: pd.DataFrame
    finalists: dict[str, Recommender]

    def best(self, kind: str) -> str:
        """Name of the best of a kind."""
        rows = self.tries[self.tries["kind"] == kind]
        return rows.loc[rows["value"].idxmax(), "system"]


def choose_hybrid(
    experts: Sequence[Expert],
    task: Task,
    *,
    filter_seen: bool = True,
    metric: str = "NDCG@10",
    top: int = 100,
    steps: int = 4,
    caution: float = 1.0,
    seed: int = 0,
) -> Hybrid:
    """The best single expert, fusion or learned combination on a validation task.

    The cases are divided at random into halves. Weights of fusions are chosen from all that add up to 1 in steps of
    1 / `steps`, those of the learned combination are fitted on the one half, and judged on the other; then the other
    way round. Of the combinations the best is taken if it beats the best single expert by more than `caution` standard
    errors; else that expert is (the rule of one standard error of Breiman et al. 1984). So no combination is taken that
    does worse on validation than a single expert. In the end all weights are found anew on all cases. All experts are
    asked once.

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
    candidates = Candidates.gather(experts, task, filter_seen=filter_seen, top=top)
    halves = np.array_split(np.random.default_rng(seed).permutation(len(task)), 2)
    rows, values, finalists = [], {}, {expert.name: expert.system for expert in experts}
    ways = _ways_to_join(candidates, [expert.name for expert in experts], metric, steps)
    for name, (kind, weights_from) in ways.items():
        values[name] = np.empty(len(task))
        for half, other in (halves, halves[::-1]):
            values[name][half] = candidates.judge(candidates.joined(weights_from(other)), metric)[half]
        rows.append((name, kind, float(values[name].mean())))
        if kind != "single":
            weights = zip(JOINED_BY, weights_from(np.arange(len(task))).tolist(), strict=True)
            finalists[name] = Fusion(tuple(experts), {way: of for way, of in weights if any(of)}, filter_seen, name)
    tries = pd.DataFrame(rows, columns=["system", "kind", "value"])
    rival = max((expert.name for expert in experts), key=lambda name: values[name].mean())
    gains = np.stack([values[name] - values[rival] for name in tries["system"]])
    tries["gain"], tries["error"] = gains.mean(axis=1), gains.std(axis=1) / np.sqrt(len(task))
    ahead = tries[(tries["gain"] > caution * tries["error"]) & (tries["kind"] != "single")]
    winner = rival if ahead.empty else ahead.loc[ahead["value"].idxmax(), "system"]
    return Hybrid(finalists[winner], winner, tries, finalists)


def _ways_to_join(
    candidates: Candidates, names: Sequence[str], metric: str, steps: int
) -> dict[str, tuple[str, Callable[[np.ndarray], np.ndarray]]]:
    """Name → (kind, weights as the given cases suggest them, shape (n_ways, n_experts)); one expert is not joined."""
    ways = {}
    for who, name in enumerate(names):
        alone = np.zeros((len(JOINED_BY), len(names)), dtype=np.float32)
        alone[JOINED_BY.index("rank"), who] = 1
        ways[name] = "single", lambda cases, alone=alone: alone
    lattice = _lattice(len(names), steps)
    for number, way in enumerate(JOINED_BY) if len(lattice) else ():
        weights = np.zeros((len(lattice), len(JOINED_BY), len(names)), dtype=np.float32)
        weights[:, number] = lattice
        tried = np.stack([candidates.judge(candidates.joined(of), metric) for of in weights])
        ways[f"fusion, {way}"] = "fusion", lambda cases, w=weights, t=tried: w[t[:, cases].mean(axis=1).argmax()]
    if len(names) > 1:
        ways["learned"] = "learned", lambda cases: fit(candidates, cases).astype(np.float32)
    return ways


def _lattice(n: int, steps: int) -> np.ndarray:
    """All weights of n experts that are multiples of 1 / steps and add up to 1, more than one above 0."""
    cuts = itertools.combinations(range(steps + n - 1), n - 1)
    weights = np.array([np.diff([-1, *cut, steps + n - 1]) - 1 for cut in cuts], dtype=np.float32) / steps
    return weights[(weights > 0).sum(axis=1) > 1]

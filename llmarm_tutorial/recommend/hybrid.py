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
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import optimize
from scipy.special import logsumexp

from llmarm_tutorial.errors import BadParameter, DataError, UnknownName
from llmarm_tutorial.evaluation.metrics import Evaluation, Places
from llmarm_tutorial.evaluation.ranking import SCORES_PER_BLOCK, Histories, Recommender, Task
from llmarm_tutorial.recommend.blend import log_shares
from llmarm_tutorial.recommend.counting import Profile

WAYS = ("log", "z", "rank")
FACTS = ("bought", "times", "recent", "popularity")
FEATURE_SETS: Mapping[str, tuple[str, ...]] = {
    "log": ("log",),
    "log, rank": ("log", "rank"),
    "log, rank, facts": ("log", "rank", *FACTS),
    "log, rank, facts, depth": ("log", "rank", *FACTS, "depth"),
}
RANK_OFFSET = 60  # of Cormack et al.: how little the first places differ
LEAST = -30.0  # log chance of what an expert rules out, so that others may still recommend it


@dataclass(frozen=True, eq=False)
class Expert:
    """A recommender and how to read its scores.

    Attributes:
        name: What tables call it; unique within a panel.
        system: The recommender.
        says: "logits", whose softmax is a chance, or "shares", whose share of their sum is; shares below 0 count as 0.
    """

    name: str
    system: Recommender
    says: str = "shares"

    def __post_init__(self) -> None:
        if self.says not in ("logits", "shares"):
            raise BadParameter(f"An expert says 'logits' or 'shares', not {self.says!r}.")


def candidate_scores(system: Recommender, histories: Histories, filter_seen: bool) -> np.ndarray:
    """Scores of a system, shape (n_cases, n_items), float32, -inf for items of the history where these are left out."""
    scores = np.array(system.scores(histories), dtype=np.float32)
    if filter_seen:
        scores[histories.rows, histories.items] = -np.inf
    return scores


def log_chances(scores: np.ndarray, says: str) -> np.ndarray:
    """Log of the chance of every item, each row on its own.

    Args:
        scores: Shape (n_cases, n_items); -inf for what is no candidate.
        says: See `Expert`. To shares the floor of `blend.Blend` is added, so that silence is not a veto.

    Returns:
        Same shape, float32, from `LEAST` to 0 (a little above 0 where a share is 1).
    """
    if says == "logits":
        told = scores - logsumexp(np.maximum(scores, np.finfo(np.float32).min), axis=1, keepdims=True)
        return np.maximum(told, LEAST, dtype=np.float32)
    return log_shares(np.maximum(scores, 0)).astype(np.float32, copy=False)


def z_scores(scores: np.ndarray) -> np.ndarray:
    """Scores in standard deviations from the mean of their row; what is -inf gets the lowest value of the row.

    Args:
        scores: Shape (n_cases, n_items).

    Returns:
        Same shape, float32; zeros in a row whose scores are all the same.
    """
    known = np.isfinite(scores)
    n = np.maximum(known.sum(axis=1, keepdims=True), 1)
    filled = np.where(known, scores, 0).astype(float)
    centred = np.where(known, filled - filled.sum(axis=1, keepdims=True) / n, 0)
    deviation = np.sqrt((centred**2).sum(axis=1, keepdims=True) / n)
    deviation[deviation < 1e-9 * np.abs(filled).max(axis=1, keepdims=True, initial=0)] = 0
    z = np.divide(centred, deviation, out=np.zeros_like(centred), where=deviation > 0)
    return np.where(known, z, z.min(axis=1, keepdims=True)).astype(np.float32)


def tied_places(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where every item stands in its row: how many lie above it, and how many share its score, itself included.

    Args:
        scores: Shape (n_cases, n_items).

    Returns:
        (above, tied), each of the same shape, int32.
    """
    order = np.argsort(-scores, axis=1)
    ranked = np.take_along_axis(scores, order, axis=1)
    place = np.arange(scores.shape[1], dtype=np.int32)
    fresh = np.ones(scores.shape, dtype=bool)
    fresh[:, 1:] = ranked[:, 1:] != ranked[:, :-1]
    first = np.maximum.accumulate(np.where(fresh, place, 0), axis=1)
    ends = np.where(np.roll(fresh, -1, axis=1), place + 1, len(place))
    ends[:, -1] = len(place)
    size = np.minimum.accumulate(ends[:, ::-1], axis=1)[:, ::-1] - first
    above, tied = np.empty_like(first), np.empty_like(first)
    np.put_along_axis(above, order, first, axis=1)
    np.put_along_axis(tied, order, size, axis=1)
    return above, tied


def reciprocal_ranks(scores: np.ndarray) -> np.ndarray:
    """60 / (60 + rank) within each row, shape (n_cases, n_items), float32; equal scores share their mean rank."""
    above, tied = tied_places(scores)
    return (RANK_OFFSET / (RANK_OFFSET + above + (tied + 1) / 2)).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Panel:
    """Experts who are asked together.

    Attributes:
        experts: At least one, of the same items, with different names.
        item_counts: Training events of each item, shape (n_items,); see `ranking.Task`.
        filter_seen: Whether items of the history are no candidates: they then have no part in ranks and chances. To be
            set as for `ranking.evaluate`.
    """

    experts: tuple[Expert, ...]
    item_counts: np.ndarray
    filter_seen: bool = True

    def __post_init__(self) -> None:
        names = [expert.name for expert in self.experts]
        if not names or len(set(names)) < len(names):
            raise BadParameter(f"A panel needs at least one expert, and different names, not {names}.")
        if any(expert.system.n_items != self.n_items for expert in self.experts):
            raise BadParameter(f"All experts of a panel must know the same items, here {self.n_items}.")

    @property
    def n_items(self) -> int:
        """Number of items."""
        return len(self.item_counts)

    def names(self, kinds: Sequence[str]) -> list[str]:
        """Names of features of the given kinds, such as "log" or "bought", in order."""
        found = []
        for kind in kinds:
            found += [kind] if kind in FACTS else [f"{kind} {expert.name}" for expert in self.experts]
        return found

    def features(self, histories: Histories, names: Sequence[str]) -> Iterator[np.ndarray]:
        """The features asked for, one after the other, each of shape (n_cases, n_items), float32.

        An expert whose features are not asked for is not asked either; each other one is asked once.

        Raises:
            UnknownName: If there is no such feature.
        """
        valid = self.names((*WAYS, "depth", *FACTS))
        for name in names:
            if name not in valid:
                raise UnknownName("feature", name, valid)
        asked = {name.partition(" ")[2] for name in names}
        heard = {
            expert.name: (expert.says, candidate_scores(expert.system, histories, self.filter_seen))
            for expert in self.experts
            if expert.name in asked
        }
        for name in names:
            kind, _, who = name.partition(" ")
            yield self._fact(kind, histories) if kind in FACTS else _said(kind, *heard[who], histories.lengths)

    def _fact(self, kind: str, histories: Histories) -> np.ndarray:
        if kind == "popularity":
            told = np.log1p(self.item_counts).astype(np.float32)
            return np.broadcast_to(told, (len(histories), self.n_items))
        if kind == "recent":
            return Profile(None, 1.0, once=True).matrix(histories, self.n_items).toarray()
        times = histories.matrix(self.n_items).toarray()
        return (times > 0).astype(np.float32) if kind == "bought" else np.log1p(times)


def _said(kind: str, says: str, scores: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    if kind == "z":
        return z_scores(scores)
    if kind == "rank":
        return reciprocal_ranks(scores)
    told = log_chances(scores, says)
    return told * np.log1p(lengths, dtype=np.float32)[:, None] if kind == "depth" else told


@dataclass(frozen=True, eq=False)
class Combined:
    """A weighted sum of what a panel says.

    Attributes:
        panel: Who is asked.
        weights: Name of a feature → its weight.
        name: What tables call it.
    """

    panel: Panel
    weights: Mapping[str, float]
    name: str = "combined"

    @property
    def n_items(self) -> int:
        """Number of items."""
        return self.panel.n_items

    def scores(self, histories: Histories) -> np.ndarray:
        """Scores of all items, shape (n_cases, n_items), float32, up to a constant per case."""
        used = {name: weight for name, weight in self.weights.items() if weight}
        total = np.zeros((len(histories), self.n_items), dtype=np.float32)
        for weight, values in zip(used.values(), self.panel.features(histories, list(used)), strict=True):
            total += np.float32(weight) * values
        return total


def fused(panel: Panel, weights: Sequence[float], way: str = "log", name: str | None = None) -> Combined:
    """A fusion of scores with weights set by hand.

    Args:
        panel: The experts.
        weights: One per expert, at least 0.
        way: "log" adds log chances (a product of experts), "z" standardised scores, "rank" reciprocal ranks.
        name: What tables call it.

    Raises:
        BadParameter: If the way is unknown, or there is not one weight per expert, at least 0 and not all 0.
    """
    if way not in WAYS:
        raise BadParameter(f"Scores are fused by {', '.join(map(repr, WAYS))}, not {way!r}.")
    if len(weights) != len(panel.experts) or min(weights) < 0 or not any(weights):
        raise BadParameter(f"A fusion needs one weight from 0 for each of {len(panel.experts)} experts, not {weights}.")
    return Combined(panel, dict(zip(panel.names([way]), map(float, weights), strict=True)), name or f"fusion, {way}")


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
            metric: A metric of single cases, see `ranking_stats.Evaluation`.

        Returns:
            The metric of every case, shape (n_cases,).
        """
        above, tied = tied_places(np.where(self.real, scores, -np.inf))
        rows = np.repeat(np.arange(len(self.task)), np.diff(self.task.targets.indptr))
        listed = self.target_at >= 0
        above = np.where(listed, above[rows, self.target_at], self.task.n_items - 1)
        tied = np.where(listed, tied[rows, self.target_at], 1)
        places = Places(self.task.targets.indptr, above, tied)
        return Evaluation("", self.task, "candidates", (1,), places).values(metric)


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

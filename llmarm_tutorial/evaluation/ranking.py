"""One evaluation for everything that recommends: which item comes next, judged by its place among all items.

A `Task` says who is asked what: the history of each case and the items that came next. A system answers with a score
per item, `evaluate` turns the scores into places, and the `Evaluation` keeps them, so that every metric, interval and
paired test comes from the same numbers. All items are ranked: metrics on a sample of negatives can turn the order of
systems around (Krichene & Rendle 2020, "On Sampled Metrics for Item Recommendation"); `evaluate_sampled` shows it.

The rules:

* A candidate is every item; with `filter_seen`, every item that is not in the case's history. A target stays a
  candidate even where it was seen before.
* Items of equal score are in random order, and every accuracy metric is its exact expectation over these orders: a
  scorer that gives all items the same score gets the value of chance. Lists of items (for coverage, novelty, diversity)
  are one seeded draw of that order.
* A score of -inf is a score like any other, the lowest. NaN is an error.
* A cut-off beyond the catalogue looks at all of it: of 8 items, the first 10 are these 8.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from scipy import sparse

from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.errors import BadParameter
from llmarm_tutorial.evaluation.metrics import Evaluation
from llmarm_tutorial.evaluation.ranks import TargetRanks, above_and_tied
from llmarm_tutorial.evaluation.tasks import Recommender, Task

SCORES_PER_BLOCK = 2**21  # 8 MB of float32: larger blocks leave the caches and take longer


def evaluate(
    system: Recommender,
    task: Task,
    *,
    ks: Sequence[int] = (5, 10, 20),
    filter_seen: bool = True,
    vectors: np.ndarray | sparse.spmatrix | None = None,
    name: str | None = None,
    block: int | None = None,
    seed: int = 0,
) -> Evaluation:
    """Rank all items for every case and keep the places of the targets.

    Args:
        system: What is judged.
        task: Who is asked what.
        ks: Cut-offs that tables show; any other can be asked of the evaluation later, lists up to the largest.
        filter_seen: Whether items of a case's history are no candidates (targets always are).
        vectors: A vector per item, shape (n_items, d), for the diversity of lists; None leaves diversity out. For the
            users who bought an item, `metrics.user_vectors`; for categories, their one-hot codes.
        name: What tables call the system; None takes its attribute `name`, else its class.
        block: Cases per call of `system.scores`; None takes as many as make 2 million scores. Results do not depend on
            it, memory does: about 16 bytes per score of a block.
        seed: Seed of the order of equal scores in lists.

    Returns:
        The evaluation, with values per case.

    Raises:
        BadParameter: If system and task have different numbers of items, scores have the wrong shape or hold NaN, or a
            cut-off is below 1.
    """
    ks = _cutoffs(ks)
    lists, ranks = [], []
    draw = _Ties(seed)
    for histories, targets, rows, scores in _score_blocks(system, task, block, name):
        of_target = scores[rows, targets.indices]
        if filter_seen:
            scores[histories.rows, histories.items] = np.nan  # equal to nothing, above nothing: no candidate
            scores[rows, targets.indices] = of_target
        ranks.append(above_and_tied(scores, rows, of_target))
        lists.append(draw.lists(scores, ks[-1]))
    return Evaluation(
        system=_name(system, name),
        task=task,
        protocol=f"all items, seen {'left out' if filter_seen else 'kept'}",
        ks=ks,
        ranks=TargetRanks(task.targets.indptr, *map(np.concatenate, zip(*ranks, strict=True))),
        lists=np.concatenate(lists),
        vectors=vectors,
    )


def evaluate_sampled(
    system: Recommender,
    task: Task,
    *,
    n_negatives: int = 100,
    by: str = "uniform",
    ks: Sequence[int] = (5, 10, 20),
    name: str | None = None,
    block: int | None = None,
    seed: int = 0,
) -> Evaluation:
    """Rank each target among a few sampled negatives: **only** to show how far this misleads.

    The metrics of samples are no scaled-down versions of the true ones: they reward getting targets past the middle of
    the catalogue, not to its top, and can turn the order of systems around (Krichene & Rendle 2020). Published numbers
    of BERT4Rec and SASRec are of this kind.

    Args:
        system: What is judged.
        task: Who is asked what.
        n_negatives: Number of sampled items per case, neither targets nor in the history, without repetition.
        by: "uniform", or "popularity" for draws in proportion to training events.
        ks: Cut-offs that tables show.
        name: What tables call the system.
        block: Cases per call of `system.scores`.
        seed: Seed of the samples; one seed draws the same negatives for every system.

    Returns:
        An evaluation without lists, not comparable to one over all items.

    Raises:
        BadParameter: As `evaluate`, and if `by` is unknown or there are too few items to draw from.
    """
    if by not in ("uniform", "popularity"):
        raise BadParameter(f"Negatives are sampled by 'uniform' or 'popularity', not {by!r}.")
    ks = _cutoffs(ks)
    weights = np.ones(task.n_items) if by == "uniform" else task.item_counts.astype(float)
    with np.errstate(divide="ignore"):
        log_weights = np.log(weights)
    (rng,) = np.random.default_rng(seed).spawn(1)  # a stream of its own: a system may draw its scores from this seed
    ranks = []
    for histories, targets, rows, scores in _score_blocks(system, task, block, name):
        keys = log_weights + rng.gumbel(size=scores.shape)  # the largest n keys: a weighted draw without repetition
        keys[histories.rows, histories.items] = -np.inf
        keys[rows, targets.indices] = -np.inf
        if n_negatives < 1 or np.isfinite(keys).sum(axis=1).min() < n_negatives:
            raise BadParameter(f"{n_negatives} negatives cannot be drawn for every case; choose from 1 to fewer items.")
        drawn = np.argpartition(keys, -n_negatives, axis=1)[:, -n_negatives:]
        no_candidate = np.ones(scores.shape, dtype=bool)
        np.put_along_axis(no_candidate, drawn, False, axis=1)
        no_candidate[rows, targets.indices] = False  # the case's own targets compete too
        scores[no_candidate] = np.nan
        ranks.append(above_and_tied(scores, rows, scores[rows, targets.indices]))
    return Evaluation(
        system=_name(system, name),
        task=task,
        protocol=f"{n_negatives} negatives, {by}, seed {seed}",
        ks=ks,
        ranks=TargetRanks(task.targets.indptr, *map(np.concatenate, zip(*ranks, strict=True))),
    )


def _cutoffs(ks: Sequence[int]) -> tuple[int, ...]:
    if not ks or min(ks) < 1:
        raise BadParameter(f"Cut-offs are whole numbers from 1, not {tuple(ks)}.")
    return tuple(sorted(set(ks)))


def _name(system: Recommender, name: str | None) -> str:
    return name or getattr(system, "name", type(system).__name__)


def _score_blocks(
    system: Recommender, task: Task, block: int | None, name: str | None
) -> Iterator[tuple[Histories, sparse.csr_matrix, np.ndarray, np.ndarray]]:
    """Block by block: (histories, targets, case of each target, scores of our own to write into)."""
    called = _name(system, name)
    if system.n_items != task.n_items:
        raise BadParameter(f"{called} knows {system.n_items} items, the task has {task.n_items}: fit it on its split.")
    block = block or max(1, SCORES_PER_BLOCK // task.n_items)
    for start in range(0, len(task), block):
        histories = task.histories.block(start, min(start + block, len(task)))
        scores = np.asarray(system.scores(histories))
        if scores.shape != (len(histories), task.n_items):
            raise BadParameter(
                f"{called} gives scores of shape {scores.shape}, not {(len(histories), task.n_items)}: one row per "
                "case and one column per item."
            )
        # half precision and whole numbers are widened, so that what is no candidate can be NaN
        scores = np.array(scores, dtype=np.float32 if scores.dtype.itemsize < 4 else np.result_type(scores, np.float32))
        if np.isnan(scores).any():
            raise BadParameter(f"{called} gives NaN as a score; mend it, or give -inf to what it never recommends.")
        targets = task.targets[start : start + len(scores)]
        yield histories, targets, np.repeat(np.arange(len(scores)), np.diff(targets.indptr)), scores


class _Ties:
    """Lists of the best items with equal scores in random order, the same for every size of block."""

    def __init__(self, seed: int) -> None:
        self.members, self.order = np.random.default_rng(seed).spawn(2)

    def lists(self, scores: np.ndarray, k: int) -> np.ndarray:
        """Item codes of the k best candidates (not NaN), best first, shape (n_cases, k), int32; -1 if none is left."""
        # The k-th largest of the maxima of groups of columns bounds the k-th largest score from below. That leaves few
        # scores to sort, and takes no longer where most are equal.
        n_cases, n_items = scores.shape
        lists, k = np.full((n_cases, k), -1, dtype=np.int32), min(k, n_items)
        size = max(1, min(64, n_items // (2 * k)))
        whole = n_items - n_items % size
        grouped = np.fmax.reduce(scores[:, :whole].reshape(n_cases, size, -1), axis=1)
        best = np.concatenate([grouped, scores[:, whole:]], axis=1)
        best[np.isnan(best)] = -np.inf
        bound = np.partition(best, -k, axis=1)[:, -k]
        rows, items = np.divmod(np.flatnonzero(scores > bound[:, None]), n_items)
        order = np.lexsort((self.order.random(len(rows)), -scores[rows, items], rows))
        rows, items = rows[order], items[order]
        taken = np.bincount(rows, minlength=n_cases)
        rank = np.arange(len(rows)) - (np.cumsum(taken) - taken)[rows]
        lists[rows[rank < k], rank[rank < k]] = items[rank < k]
        for row in np.flatnonzero(taken < k):  # the rest of the list has the score of the bound
            tied, room = np.flatnonzero(scores[row] == bound[row]), k - taken[row]
            drawn = self.members.permutation(tied) if len(tied) <= room else self.members.choice(tied, room, False)
            lists[row, taken[row] : taken[row] + len(drawn)] = drawn
        return lists

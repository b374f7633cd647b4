"""Recommendations with reasons, for people who try a basket: three systems that answer with why as well as what.

Each takes a basket, distinct item codes, and gives at most 20 items that are not in it, the best first: code, score,
reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from llmarm_tutorial.data import Histories
from llmarm_tutorial.errors import BadParameter
from llmarm_tutorial.evaluation.tasks import Recommender
from llmarm_tutorial.recommend.experts import Expert

SHOWN = 20
Answers = list[tuple[int, float, str]]  # code, score, reason


@dataclass(frozen=True)
class RuleReasons:
    """Confidences beyond what is bought anyway, summed over the basket; the reason is the strongest rule.

    Attributes:
        confidences: Of antecedent (row) and consequent (column), shape (n_items, n_items), in [0, 1].
        share: Of all units that hold each item, shape (n_items,), in [0, 1].
        names: Of the items, shape (n_items,).
        unit: What a rule counts, such as "basket" or "user".
    """

    confidences: np.ndarray | sparse.csr_matrix
    share: np.ndarray
    names: Sequence[str]
    unit: str = "basket"

    def __call__(self, basket: Sequence[int]) -> Answers:
        """Only items whose score is above 0; see the module. Raises `BadParameter` for a basket without items."""
        _require(basket)
        each = self.confidences[list(basket)]
        each = each.toarray() if sparse.issparse(each) else each
        beyond = each - self.share
        scores, top = _best(beyond.sum(axis=0), basket)
        answers = []
        for j in top[scores[top] > 0].tolist():
            i = int(beyond[:, j].argmax())
            with_it = f"{each[i, j]:.0%} of {self.unit}s with {self.names[basket[i]]}"
            answers.append((j, float(scores[j]), f"{with_it}, {self.share[j]:.1%} of all"))
        return answers


@dataclass(frozen=True)
class ModelReasons:
    """Scores of a model; the reason is the item of the basket whose absence lowers them most.

    Attributes:
        model: The model, or any other recommender.
        names: Of the items, shape (n_items,).
    """

    model: Recommender
    names: Sequence[str]

    def __call__(self, basket: Sequence[int]) -> Answers:
        """See the module. Raises `BadParameter` for a basket without items."""
        scores, top = _best(_scores(self.model, [basket])[0], basket)
        if len(basket) == 1:
            return [(j, float(scores[j]), f"because of {self.names[basket[0]]}") for j in top.tolist()]
        without = _scores(self.model, [[item for item in basket if item != left] for left in basket])
        most = (scores[top] - without[:, top]).argmax(axis=0)
        return [
            (j, float(scores[j]), f"most because of {self.names[basket[i]]}")
            for j, i in zip(top.tolist(), most.tolist(), strict=True)
        ]


@dataclass(frozen=True)
class ExpertReasons:
    """Scores of a combination of experts; the reason is at which place each expert has the item.

    Attributes:
        combination: What joins the experts.
        experts: Whom it joins.
    """

    combination: Recommender
    experts: Sequence[Expert]

    def __call__(self, basket: Sequence[int]) -> Answers:
        """See the module. Raises `BadParameter` for a basket without items."""
        scores, top = _best(_scores(self.combination, [basket])[0], basket)
        by_expert = {one.name: _best(_scores(one.system, [basket])[0], basket)[0] for one in self.experts}
        answers = []
        for j in top.tolist():
            places = (f"{name} {int((of_one > of_one[j]).sum()) + 1}." for name, of_one in by_expert.items())
            answers.append((j, float(scores[j]), " · ".join(places)))
        return answers


def _scores(system: Recommender, baskets: Sequence[Sequence[int]]) -> np.ndarray:
    """Scores for baskets as if each were a whole history, shape (n_baskets, n_items)."""
    for basket in baskets:
        _require(basket)
    histories = Histories.from_lists([list(basket) for basket in baskets], n_items=system.n_items)
    return system.scores(histories).astype(float)


def _best(scores: np.ndarray, basket: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Scores with −∞ for what is in the basket, and the items outside it by their scores, at most `SHOWN`."""
    scores = np.array(scores, dtype=float)
    scores[list(basket)] = -np.inf
    top = np.argsort(-scores, kind="stable")[:SHOWN]
    return scores, top[np.isfinite(scores[top])]


def _require(basket: Sequence[int]) -> None:
    if not len(basket):
        raise BadParameter("A basket without items gives no reasons: put at least one item into it.")

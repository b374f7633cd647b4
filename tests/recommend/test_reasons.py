"""Recommendations with reasons: worked out by hand for four items."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from scipy import sparse

from llmarm_tutorial.data import Histories
from llmarm_tutorial.errors import BadParameter
from llmarm_tutorial.recommend import Expert, ExpertReasons, ModelReasons, RuleReasons

NAMES = ["bread", "butter", "jam", "tea"]
CONFIDENCES = np.array([[0, 0.75, 0.5, 0.125], [0.5, 0, 0.25, 0.125], [0, 0, 0, 0], [0, 0, 0, 0]])
SHARE = np.array([0.5, 0.25, 0.25, 0.25])


@dataclass
class Adds:
    """Each item of a history adds its row."""

    rows: np.ndarray
    name: str = "adds"

    @property
    def n_items(self) -> int:
        return len(self.rows)

    def scores(self, histories: Histories) -> np.ndarray:
        return histories.matrix().toarray() @ self.rows


ADDS = Adds(np.array([[9.0, 1, 3, 2], [1, 9, 1, 4], [0, 0, 9, 0], [0, 0, 0, 9]]))


@pytest.mark.parametrize("as_given", [np.asarray, sparse.csr_matrix])
def test_rules_name_the_strongest_and_leave_out_what_is_no_more_likely(as_given):
    answer = RuleReasons(as_given(CONFIDENCES), SHARE, NAMES)
    assert answer([0, 1]) == [(2, 0.25, "50% of baskets with bread, 25.0% of all")]
    assert answer([0])[0] == (1, 0.5, "75% of baskets with bread, 25.0% of all")
    assert answer([2]) == []


def test_rules_name_what_they_count():
    assert RuleReasons(CONFIDENCES, SHARE, NAMES, "user")([0])[1][2] == "50% of users with bread, 25.0% of all"


def test_the_model_names_the_item_whose_absence_lowers_the_score_most():
    assert ModelReasons(ADDS, NAMES)([0, 1]) == [
        (3, 6.0, "most because of butter"),
        (2, 4.0, "most because of bread"),
    ]
    assert ModelReasons(ADDS, NAMES)([1])[0] == (3, 4.0, "because of butter")


def test_experts_are_asked_for_the_place():
    experts = [Expert("adds", ADDS), Expert("other", Adds(ADDS.rows[:, [0, 1, 3, 2]]))]
    assert ExpertReasons(ADDS, experts)([0, 1]) == [(3, 6.0, "adds 1. · other 2."), (2, 4.0, "adds 2. · other 1.")]


@pytest.mark.parametrize(
    "answer",
    [RuleReasons(CONFIDENCES, SHARE, NAMES), ModelReasons(ADDS, NAMES), ExpertReasons(ADDS, [Expert("adds", ADDS)])],
)
def test_what_is_in_the_basket_is_not_recommended_and_no_basket_is_refused(answer):
    assert all(item != 0 for item, *_ in answer([0]))
    with pytest.raises(BadParameter, match="put at least one item"):
        answer([])

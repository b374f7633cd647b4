"""A model and counting as one recommender."""

from __future__ import annotations

import numpy as np
import pytest

from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.errors import BadParameter
from llmarm_tutorial.evaluation.ranking import evaluate
from llmarm_tutorial.evaluation.tasks import Task
from llmarm_tutorial.recommend.blend import FLOOR, Blend, choose_weight


class Fixed:
    def __init__(self, values: list[float]) -> None:
        self.values, self.n_items = np.array(values, dtype=np.float32), len(values)

    def scores(self, histories: Histories) -> np.ndarray:
        return np.tile(self.values, (len(histories), 1))


ONE = Histories.from_lists([[0]])


def test_a_blend_by_hand():
    blend = Blend(Fixed([1.0, 2.0, 0.0]), Fixed([6.0, 2.0, 0.0]), 0.5)
    expected = np.array([1.0, 2.0, 0.0]) + 0.5 * np.log(np.array([0.75, 0.25, 0.0]) + FLOOR)
    assert np.allclose(blend.scores(ONE)[0], expected, atol=1e-6)


def test_without_weight_the_model_speaks_alone_and_silence_of_counting_changes_nothing():
    model = Fixed([0.3, -1.0, 2.0])
    assert np.allclose(Blend(model, Fixed([5.0, 1.0, 0.0]), 0.0).scores(ONE), model.scores(ONE))
    silent = Blend(model, Fixed([0.0, 0.0, 0.0]), 1.0).scores(ONE)[0]
    assert np.allclose(silent - silent[0], model.values - model.values[0], atol=1e-6)


def test_the_weight_is_chosen_by_validation():
    # of the three items the model is right about the first case, counting about the other two
    task = Task.from_lists([[0], [0], [0]], [[2], [1], [1]], 3)
    blend, tries = choose_weight(
        Fixed([0.0, 0.0, 3.0]),
        Fixed([0.0, 9.0, 1.0]),
        task,
        metric="NDCG@1",
        filter_seen=False,
        weights=(0.0, 0.5, 5.0),
    )
    assert tries["value"].tolist() == pytest.approx([1 / 3, 1 / 3, 2 / 3])
    assert blend.weight == 5.0
    assert evaluate(blend, task, ks=(1,), filter_seen=False).mean("NDCG@1") == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("counting", "weight", "message"),
    [
        ([1.0, 1.0], 1.0, "same items"),
        ([1.0, -1.0, 0.0], 1.0, "at least 0, as shares"),
        ([1.0, 1.0, 1.0], -1.0, "not -1"),
    ],
)
def test_what_cannot_be_blended_is_one_sentence(counting: list, weight: float, message: str):
    with pytest.raises(BadParameter, match=message):
        Blend(Fixed([0.0, 0.0, 0.0]), Fixed(counting), weight).scores(ONE)


def test_choosing_a_weight_asks_each_system_once_and_finds_what_separate_evaluations_find(monkeypatch):
    class Counted:
        def __init__(self, seed: int) -> None:
            self.table = np.random.default_rng(seed).random((50, 20)).astype(np.float32)
            self.n_items, self.asked = 20, 0

        def scores(self, histories: Histories) -> np.ndarray:
            self.asked += len(histories)
            return self.table[histories.last(1)[:, 0]]

    model, counting = Counted(1), Counted(2)
    draws = np.random.default_rng(3).integers(0, 20, (50, 4)).tolist()
    task = Task.from_lists([row[:3] for row in draws], [row[3:] for row in draws], 20)
    monkeypatch.setattr(
        "llmarm_tutorial.recommend.blend.SCORES_PER_BLOCK", 20 * 7
    )  # eight blocks, the last one smaller
    _, tries = choose_weight(model, counting, task, weights=(0.0, 1.0, 3.0))
    assert (model.asked, counting.asked) == (50, 50)
    alone = [evaluate(Blend(model, counting, weight), task, ks=(10,)).mean("NDCG@10") for weight in (0.0, 1.0, 3.0)]
    assert tries["value"].tolist() == pytest.approx(alone)

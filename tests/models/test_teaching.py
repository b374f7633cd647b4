"""Every way to teach trains a student and leaves its teachers as they are."""

from __future__ import annotations

import pytest
import torch

from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.models.item_model import ItemModel
from llmarm_tutorial.models.recipes import Recipe
from llmarm_tutorial.models.teachers import Student
from llmarm_tutorial.models.teaching import WAYS, teachers_of
from llmarm_tutorial.models.training import train
from llmarm_tutorial.recommend import tuning

PAST = Histories.from_lists([[1, 2, 3, 4], [5, 6, 7], [8, 9, 0, 1, 2], [3, 3, 4]], 10)
SMALL = Recipe(hidden=8, layers=1, heads=1, max_length=6, epochs=2, batch_size=4)


@pytest.fixture(scope="module")
def teacher() -> ItemModel:
    return SMALL.fit(PAST, seed=1).model


@pytest.mark.parametrize("name", WAYS)
def test_a_way_moves_its_student_and_not_its_teacher(name: str, teacher: ItemModel):
    way, before = WAYS[name], {part: weight.clone() for part, weight in teacher.state_dict().items()}
    teachers = teachers_of(teacher, tuning.make_baseline("personal").fit(PAST))
    student = SMALL.model(PAST, seed=2)
    start = student.output_table.detach().clone()
    pair = Student(student, teachers[way.taught_by], way.mix, matching=way.matching)
    losses = train(pair, SMALL.batches(PAST, seed=1), SMALL.settings(seed=1), progress=False).losses["loss"]
    assert losses.notna().all()
    assert not torch.equal(student.output_table, start)
    assert all(torch.equal(weight, before[part]) for part, weight in teacher.state_dict().items())


def test_ways_differ_and_hard_labels_have_no_teacher(teacher: ItemModel):
    assert len(set(WAYS.values())) == len(WAYS)
    teachers = teachers_of(teacher, tuning.make_baseline("personal").fit(PAST))
    assert {way.taught_by for way in WAYS.values()} == set(teachers)
    assert all((teachers[way.taught_by] is None) == (way.soft == 0) for way in WAYS.values())

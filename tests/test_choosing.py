"""Choosing on validation: what wins, and what is tried."""

from __future__ import annotations

import math

import pytest

from llmarm_tutorial.choosing import choose_setting
from llmarm_tutorial.errors import BadParameter


def test_of_equal_tries_the_earlier_wins_and_a_budget_is_kept():
    best, system, tries = choose_setting([3, 1, -3, 2], abs, build=lambda number: 10 * number)
    assert (best, system) == (3, 30)
    assert tries["setting"].tolist() == [3, 1, -3, 2]
    assert tries["value"].tolist() == [30, 10, 30, 20]
    settings = list(range(50))
    few, again = (choose_setting(settings, float, budget=5, seed=2).tries["setting"].tolist() for _ in range(2))
    assert few == again == sorted(set(few))
    assert len(few) == 5
    assert few[0] == 0, "the first is always tried"
    assert choose_setting(settings, float, budget=50).best == 49


def test_a_try_without_a_value_never_wins():
    values = {"a": math.nan, "b": -1.0, "c": math.nan, "d": -2.0}
    choice = choose_setting([*values], values.get)
    assert (choice.best, choice.value) == ("b", -1.0)
    with pytest.raises(BadParameter, match="no cases to judge them by"):
        choose_setting(["a", "c"], values.get)

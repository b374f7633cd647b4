"""What a lesson needs is said in one sentence, with what there is."""

from __future__ import annotations

from unittest import mock

import IPython.display
import pytest

from llmarm_tutorial.data import Histories, Transactions
from llmarm_tutorial.errors import BadParameter, DataError, UnknownName
from llmarm_tutorial.lesson import material, require_at_least, require_choices, require_enough, require_sequences
from llmarm_tutorial.mining import transactions_from_lists


def test_enough_passes():
    require_enough(Transactions.from_baskets([[1, 2], [3]]), "splitting", baskets=2, several=1, items=3)
    require_enough(transactions_from_lists(["abc", "ab", "a"]), "following", customers=2, visits=2)


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        ({"baskets": 3}, "Splitting needs at least 3 baskets (five has 2): take a file that holds them."),
        (
            {"several": 2},
            "Splitting needs at least 2 baskets with two or more items (five has 1): take a file that holds them.",
        ),
        ({"items": 9}, "Splitting needs at least 9 different items (five has 3): take a file that holds them."),
        (
            {"baskets": 3, "items": 9},
            "Splitting needs at least 3 baskets (five has 2) and at least 9 different items (five has 3): "
            "take a file that holds them.",
        ),
    ],
)
def test_what_is_missing_is_said_with_what_there_is(wanted, sentence):
    data = Transactions.from_baskets([[1, 2], [3]], name="five")
    with pytest.raises(DataError) as raised:
        require_enough(data, "splitting", **wanted)
    assert str(raised.value) == sentence


def test_customers_are_counted_by_their_visits():
    data = transactions_from_lists(["abc", "ab", "a"])
    with pytest.raises(DataError, match=r"at least 3 customers with 2 visits or more \(.* has 2\)"):
        require_enough(data, "following customers", customers=3, visits=2)
    with pytest.raises(DataError, match="at least 4 customers "):
        require_enough(data, "following customers", customers=4)
    with pytest.raises(DataError, match="at least 1 customer with 4 visits"):
        require_enough(data, "following customers", customers=1, visits=4)


def test_a_section_without_material_says_so(capsys: pytest.CaptureFixture):
    def fails(*names: str, how: str) -> None:
        raise DataError(f"Of {names[0]} nothing is {how}; use *more*.")

    assert material("the shelf", sorted, "ba", reverse=True) == ["b", "a"]
    assert not capsys.readouterr().out
    with mock.patch.object(IPython.display, "display") as shown:
        assert material("the shelf", fails, "bread", how="left") is None
    said = shown.call_args[0][0].data
    assert said == "**Left out:** the shelf, since of bread nothing is left; use \\*more\\*."
    with pytest.raises(BadParameter):
        material("the shelf", mock.Mock(side_effect=BadParameter("wrong")))


def test_learning_from_the_past_needs_two_items_of_somebody():
    require_sequences(Histories.from_lists([[0], [0, 1]]), "learning from the past")
    for past in (Histories.from_lists([[0], [1]]), Histories.from_lists([])):
        with pytest.raises(DataError, match="Learning from the past needs customers with two items before their last"):
            require_sequences(past, "learning from the past")


def test_choices_that_exist_pass():
    require_choices("METHODS", ["hard", "soft"], ("hard", "soft", "ranks"), needed=["hard"])


@pytest.mark.parametrize(
    ("given", "kind", "sentence"),
    [
        (
            ["hard", "sofd"],
            UnknownName,
            r"There is no value of METHODS 'sofd'\. Did you mean 'soft'\? Valid: hard, soft\.",
        ),
        (["soft"], BadParameter, r"METHODS must list 'hard' too: the others are compared with it\."),
        (["hard", "hard"], BadParameter, r"METHODS lists 'hard' twice; once is enough\."),
    ],
)
def test_choices_that_cannot_be_used_are_refused(given, kind, sentence):
    with pytest.raises(kind, match=f"^{sentence}$"):
        require_choices("METHODS", given, ("hard", "soft"), needed=["hard"])


@pytest.mark.parametrize("value", [4000, 10_000])
def test_a_parameter_that_is_large_enough_passes(value: int):
    require_at_least("TRUTH_CUSTOMERS", value, 4000, "else it is no other shop")


@pytest.mark.parametrize("value", [2000, 0, -1, float("nan")])
def test_a_parameter_that_is_too_small_is_refused(value: float):
    with pytest.raises(BadParameter, match=r"^TRUTH_CUSTOMERS is at least 4,000, not .*: else it is no other shop\.$"):
        require_at_least("TRUTH_CUSTOMERS", value, 4000, "else it is no other shop")

"""What a lesson needs of its data and parameters, said at its start: before anything is counted or trained."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import numpy as np

from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.errors import BadParameter, DataError, Lacks, UnknownName
from llmarm_tutorial.lesson.prose import left_out, plain

T = TypeVar("T")


def require_enough(
    data: Transactions,
    purpose: str,
    *,
    baskets: int = 0,
    several: int = 0,
    customers: int = 0,
    visits: int = 1,
    items: int = 0,
    bought: int = 1,
) -> None:
    """Raise `DataError`, with what is needed and what there is, unless there is enough of everything asked for.

    Args:
        data: The data set; with customers asked for, it has users and an order (`Transactions.require`).
        purpose: What needs it, as the beginning of a sentence such as "following customers".
        baskets: Least number of baskets.
        several: Least number of baskets with two or more different items.
        customers: Least number of customers with so many visits.
        visits: Visits that each of these customers has at least; without baskets every event is a visit.
        items: Least number of different items.
        bought: Purchases that each of these items has at least.

    Raises:
        DataError: If there is too little of something.
    """
    facts, missing = data.describe(), []
    if facts.get("baskets", 0) < baskets:
        missing.append((f"{baskets:,} baskets", facts.get("baskets", 0)))
    if several:
        full = int((np.diff(data.basket_matrix().indptr) > 1).sum())
        if full < several:
            missing.append((f"{several:,} baskets with two or more items", full))
    enough = int((np.bincount(data.item_codes) >= bought).sum())
    if enough < items:
        of = f" bought {bought} times or more" if bought > 1 else ""
        missing.append((f"{items:,} different items{of}", enough))
    if customers:
        runs = data.histories()
        loyal = int((runs.visits[runs.offsets[1:] - 1] + 1 >= visits).sum())
        if loyal < customers:
            of = f" with {visits} visits or more" if visits > 1 else ""
            missing.append((f"{customers:,} customer{'s' if customers > 1 else ''}{of}", loyal))
    if missing:
        needed = " and ".join(f"at least {what} ({data.name} has {there:,})" for what, there in missing)
        raise DataError(f"{purpose[0].upper()}{purpose[1:]} needs {needed}: take a file that holds them.")


def require_choices(parameter: str, given: Iterable[str], valid: Iterable[str], needed: Iterable[str] = ()) -> None:
    """Raise unless a parameter that lists names names only what there is, each once, and what the lesson cannot miss.

    Args:
        parameter: Its name.
        given: What it lists.
        valid: All that it may list.
        needed: What it must list.

    Raises:
        UnknownName: If it lists something else.
        BadParameter: If it lists something twice, or lacks something.
    """
    given, valid = list(given), list(valid)
    for one in given:
        if one not in valid:
            raise UnknownName(f"value of {parameter}", one, valid)
        if given.count(one) > 1:
            raise BadParameter(f"{parameter} lists {one!r} twice; once is enough.")
    for one in needed:
        if one not in given:
            raise BadParameter(f"{parameter} must list {one!r} too: the others are compared with it.")


def require_at_least(parameter: str, value: float, least: float, reason: str) -> None:
    """Raise `BadParameter` unless a parameter is as large as the lesson needs it.

    Args:
        parameter: Its name.
        value: Its value.
        least: The smallest value that serves.
        reason: Why, as the end of a sentence such as "else the shop is the one that was learned from".
    """
    if not value >= least:
        raise BadParameter(f"{parameter} is at least {least:,}, not {value:,}: {reason}.")


def require_sequences(past: Histories, purpose: str) -> None:
    """Raise `DataError` unless some customer has two items to learn from.

    Args:
        past: What is learned from: what customers bought before the visits that are asked for.
        purpose: What needs it, as the beginning of a sentence such as "learning from the past".

    Raises:
        DataError: If everybody has one item at most.
    """
    if past.lengths.max(initial=0) < 2:
        raise DataError(
            f"{purpose[0].upper()}{purpose[1:]} needs customers with two items before their last two visits: take a "
            "file that holds them."
        )


def material(what: str, make: Callable[..., T], *arguments: Any, **settings: Any) -> T | None:
    """What a section of a lesson works on, or None where the data do not hold it: then the section says so.

    Args:
        what: What is left out then, as the subject of a sentence.
        make: Makes it, and raises `DataError` or `Lacks` where the data are too few or lack an aspect.
        arguments: Of `make`.
        settings: Of `make`, by name.
    """
    try:
        return make(*arguments, **settings)
    except (DataError, Lacks) as error:
        why = plain(error).removesuffix(".")
        left_out(what, why[0].lower() + why[1:])
        return None

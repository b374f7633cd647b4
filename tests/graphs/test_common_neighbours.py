"""Whether pairs with a common neighbour meet more often later than others of like own lift."""

from __future__ import annotations

import numpy as np
import pytest

from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.errors import BadParameter
from llmarm_tutorial.graphs.common_neighbours import WITH, second_step
from llmarm_tutorial.graphs.link_counting import neighbours, own_counts
from llmarm_tutorial.graphs.link_tasks import LinkDefinition, make_link_tasks


@pytest.fixture(scope="module")
def compared(shop):
    tasks = make_link_tasks(shop, LinkDefinition(min_count=5, max_q=0.1), validation=0.3, test=0.4)
    later = shop.split_by_time(0.3, 0.4).test
    return tasks.test, later, second_step(tasks.test, later)


def by_hand(task, later, times) -> float:
    """Pair by pair, each counted as often as the product of its items' numbers says."""
    baskets = [set(basket) for basket in later.basket_lists()]
    ids = list(later.items["item_id"])
    holders = {item: {n for n, basket in enumerate(baskets) if item in basket} for item in ids}
    own, common = own_counts(task, "lift"), neighbours(task, "common") > 0
    met, expected = np.zeros((4, 2)), np.zeros((4, 2))
    for i, j in zip(task.i.tolist(), task.j.tolist(), strict=True):
        band = sum(own[i, j] > edge for edge in (0.8, 1.2, 1.6))
        a, b = holders[ids[i]], holders[ids[j]]
        weight = times[i] * times[j]
        met[band, int(common[i, j])] += weight * len(a & b)
        expected[band, int(common[i, j])] += weight * len(a) * len(b) / len(baskets)
    usable = (met > 0).all(axis=1)
    ratio = np.log(met / expected)[usable]
    return float(np.exp(np.average(ratio[:, 1] - ratio[:, 0], weights=expected[usable, 1])))


def test_the_ratio_is_that_counted_pair_by_pair(compared):
    task, later, found = compared
    assert found.times_as_often == pytest.approx(by_hand(task, later, np.ones(task.n_items)), rel=1e-9)
    low, high = found.interval(resamples=100, seed=3)
    assert low < found.times_as_often < high
    assert found.interval(resamples=100, seed=3) == (low, high)


def test_the_table_holds_every_candidate_once(compared):
    task, _, found = compared
    table = found.table
    assert table["pairs"].sum().sum() == len(task.i)
    assert list(table.index) == ["below 0.8", "0.8 to 1.2", "1.2 to 1.6", "above 1.6"]
    new = (table["pairs"] * table["share that become links"]).sum().sum()
    assert new == pytest.approx(task.appears.sum())
    last = found.pairs[found.pairs["own lift so far"] == "above 1.6"]
    last = last[last["neighbour"] == WITH]
    assert table["lift later"].loc["above 1.6", WITH] == pytest.approx(last["met"].sum() / last["expected"].sum())


def test_without_pairs_to_compare_there_is_no_number(compared):
    task, later, _ = compared
    alone = task.take(neighbours(task, "common")[task.i, task.j] == 0)
    found = second_step(alone, later)
    assert np.isnan(found.times_as_often)
    assert np.isnan(found.interval()).all()


def test_what_does_not_fit_is_refused(compared):
    task, later, _ = compared
    other = Transactions.from_baskets([["a", "b"], ["a"]])
    with pytest.raises(BadParameter, match=f"has 2 items and the task {task.n_items}: take the same"):
        second_step(task, other)
    for edges in ((), (1.2, 0.8), (0.0, 1.0)):
        with pytest.raises(BadParameter, match="rise from above 0"):
            second_step(task, later, edges)

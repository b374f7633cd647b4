"""The one type of history: its views, its parts and its matrices."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.errors import BadParameter

ragged = st.lists(st.lists(st.integers(0, 8), max_size=6), min_size=1, max_size=8)


def test_the_views_of_a_history():
    histories = Histories.from_lists([[4, 2, 4], [], [7]], 8)
    assert len(histories) == 3
    assert histories.last(2).tolist() == [[2, 4], [-1, -1], [-1, 7]]
    assert histories.matrix().toarray()[0].tolist() == [0, 0, 1, 0, 2, 0, 0, 0]
    assert histories.of(0).tolist() == [4, 2, 4]
    assert histories.visits.tolist() == [0, 1, 2, 0]
    assert Histories.from_lists([[], []]).last(2).tolist() == [[-1, -1]] * 2


@given(ragged, st.data())
def test_blocks_and_rows_of_histories_are_those_cases(lists: list[list[int]], data: st.DataObject):
    histories = Histories.from_lists(lists)
    start = data.draw(st.integers(0, len(lists)))
    stop = data.draw(st.integers(start, len(lists)))
    rows = np.array(data.draw(st.lists(st.integers(0, len(lists) - 1), max_size=5)), dtype=int)
    assert [histories.block(start, stop).of(i).tolist() for i in range(stop - start)] == lists[start:stop]
    assert [histories.take(rows).of(i).tolist() for i in range(len(rows))] == [lists[row] for row in rows]
    padded = histories.last(4)
    assert [[code for code in row if code >= 0] for row in padded.tolist()] == [one[-4:] for one in lists]


def test_the_size_of_the_catalogue_is_said_or_read_off():
    assert Histories.from_lists([[4, 2], []]).n_items == 5
    assert Histories.from_lists([[], []]).n_items == 0
    assert Histories.from_lists([[4, 2]], 9).matrix().shape == (1, 9)
    assert Histories.from_lists([[4, 2]]).matrix(9).shape == (1, 9)  # a system may know more items


@given(ragged, st.integers(1, 4), st.data())
def test_some_events_of_every_case(lists: list[list[int]], n: int, data: st.DataObject):
    histories = Histories.from_lists(lists)
    assert [histories.latest(n).of(i).tolist() for i in range(len(lists))] == [one[-n:] for one in lists]
    size = len(histories.items)
    wanted = np.array(data.draw(st.lists(st.booleans(), min_size=size, max_size=size)), dtype=bool)
    part, marks = histories.keep(wanted), np.split(wanted, histories.offsets[1:-1])
    assert [part.of(i).tolist() for i in range(len(lists))] == [
        [item for item, kept in zip(one, mark, strict=True) if kept] for one, mark in zip(lists, marks, strict=True)
    ]
    assert part.visits.tolist() == histories.visits[wanted].tolist()


def test_what_is_known_of_users_goes_along():
    histories = Histories.from_lists([[4], [2, 3], [7]])
    histories = Histories(histories.items, histories.offsets, histories.visits, 8, np.array(list("abc")), np.arange(3))
    for part in (histories.take(np.array([2, 1])), histories.block(1, 3), histories.keep(histories.items > 2)):
        assert (len(part), part.n_items) == (len(part.users), 8)
        assert part.user_ids.tolist() == np.array(list("abc"))[part.users].tolist()


def test_who_has_what_however_often():
    histories = Histories.from_lists([[1, 0, 1], []], 3)
    assert histories.matrix().toarray().tolist() == [[1, 2, 0], [0, 0, 0]]
    assert histories.held().toarray().tolist() == [[1, 1, 0], [0, 0, 0]]
    assert histories.item_counts.tolist() == [1, 2, 0]


def test_visits_are_rows_case_by_case():
    items, visits = np.array([0, 2, 1, 0, 1, 1], np.int32), np.array([0, 0, 1, 0, 0, 0], np.int32)
    histories = Histories(items, np.array([0, 3, 3, 5, 6]), visits, 3)
    matrix, case = histories.visit_matrix()
    assert matrix.toarray().tolist() == [
        [True, False, True],
        [False, True, False],
        [True, True, False],
        [False, True, False],
    ]
    assert case.tolist() == [0, 0, 2, 3]
    empty, nobody = Histories.from_lists([[], []], 3).visit_matrix()
    assert (empty.shape, nobody.tolist()) == ((0, 3), [])


def test_rows_of_a_matrix_are_cases_of_one_visit():
    matrix = sparse.csr_matrix(np.array([[0, 2, 1], [0, 0, 0], [3, 0, 0]]))
    histories = Histories.from_matrix(matrix, users=np.array([5, 6, 7]))
    assert [histories.of(row).tolist() for row in range(3)] == [[1, 2], [], [0]]
    assert histories.visit_matrix()[0].toarray().tolist() == [[False, True, True], [True, False, False]]
    assert histories.take(np.array([2])).users.tolist() == [7]


def test_asking_needs_numpy_alone():
    code = (
        "import sys; from llmarm_tutorial.data.histories import Histories\n"
        "Histories.from_lists([[1, 2]]).last(3); print({'scipy', 'pandas', 'torch'} & set(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "set()\n"


def test_histories_with_the_same_fingerprint_hold_the_same():
    one = Histories.from_lists([[4, 2], [7]], 9)
    others = [
        Histories.from_lists([[4, 3], [7]], 9),
        Histories.from_lists([[4], [2, 7]], 9),
        Histories.from_lists([[4, 2], [7]], 10),
        replace(one, visits=np.zeros_like(one.visits)),
    ]
    assert len({histories.fingerprint for histories in [one, *others]}) == 5
    assert Histories(one.items.astype("i8"), one.offsets, one.visits, 9, users=np.array([1, 0])).fingerprint == (
        one.fingerprint
    )


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: Histories.from_lists([[4, 2]], 4), r"below n_items \(4\), not from 2 to 4"),
        (lambda: Histories.from_lists([[0, -1]]), "not from -1 to 0"),
        (lambda: Histories.from_lists([[1], [2]]).take(np.array([0, -1])), "not from -1 to 0"),
        (lambda: Histories.from_lists([[1], [2]]).take(np.array([2])), "below 2, not from 2 to 2"),
        (lambda: Histories.from_lists([[1], [2]]).last(-1), "at least 0, not -1"),
        (lambda: Histories.from_lists([[1], [2]]).latest(-3), "at least 0, not -3"),
    ],
)
def test_what_no_history_has_is_one_sentence(wrong, message: str):
    with pytest.raises(BadParameter, match=message):
        wrong()

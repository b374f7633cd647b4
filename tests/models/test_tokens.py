"""What a history looks like to a model: by hand, against plain loops, and back again."""

from __future__ import annotations

import dataclasses
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.errors import BadParameter, DataError
from llmarm_tutorial.models.tokens import (
    FIRST_ITEM,
    MASK,
    PAD,
    SPECIAL_TOKENS,
    UNKNOWN,
    VISIT,
    Reading,
    causal_examples,
    decode_histories,
    encode_histories,
    encode_sets,
    mark_visits,
    masked_examples,
    score_in_blocks,
    visit_examples,
)

N_ITEMS = 300


def test_the_numbers_of_special_tokens_are_their_places():
    named = [SPECIAL_TOKENS[number] for number in (PAD, UNKNOWN, MASK, VISIT)]
    assert named == ["[PAD]", "[UNK]", "[MASK]", "[VISIT]"]
    assert len(SPECIAL_TOKENS) == FIRST_ITEM


def test_a_reading_survives_as_text_and_other_text_is_refused():
    reading = Reading(10, max_length=6, masked=True, visits=False)
    assert Reading.from_text(reading.to_text()) == reading
    with pytest.raises(DataError, match="no next-item model"):
        Reading.from_text({"n_items": "10"})


# --- to predict -------------------------------------------------------------------------------------------------------


def test_histories_by_hand():
    asked = Histories(
        np.array([7, 8, 9], dtype=np.int32), np.array([0, 3, 3]), np.array([0, 0, 1], dtype=np.int32), N_ITEMS
    )
    found, lasts = encode_histories(asked, Reading(10, max_length=6, masked=True, visits=True))
    seven, eight, nine = (code + FIRST_ITEM for code in (7, 8, 9))
    # the first visit's mark no longer fits: four tokens of history, then the question
    assert found.tolist() == [[seven, eight, VISIT, nine, VISIT, MASK], [VISIT, MASK, 0, 0, 0, 0]]
    assert lasts.tolist() == [5, 1]
    found, lasts = encode_histories(asked, Reading(10, max_length=2, masked=False, visits=False))
    assert found.tolist() == [[eight, nine], [MASK, 0]]  # nothing is known of the second, and nothing asked
    assert lasts.tolist() == [1, 0]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, N_ITEMS - 1), max_size=9), min_size=1, max_size=6),
    st.integers(1, 4),
    st.integers(3, 8),
    st.booleans(),
    st.booleans(),
)
def test_encoded_histories_are_what_a_plain_loop_makes(
    cases, in_visit: int, max_length: int, masked: bool, visits: bool
):
    asked = Histories.from_lists(cases)
    asked = dataclasses.replace(asked, visits=(asked.visits // in_visit).astype(np.int32))
    rows = []
    for case in range(len(asked)):
        row, before = [], -1
        for code, visit in zip(asked.of(case), asked.visits[asked.offsets[case] :], strict=False):
            row += [VISIT] * int(visits and visit != before) + [int(code) + FIRST_ITEM]
            before = visit
        question = [VISIT] * visits + [MASK] * masked
        room = max_length - len(question)
        rows.append([*row[max(0, len(row) - room) :], *question] or [MASK])
    found, lasts = encode_histories(asked, Reading(N_ITEMS, max_length, masked, visits))
    assert [row[: last + 1].tolist() for row, last in zip(found, lasts, strict=True)] == rows
    assert all((row[last + 1 :] == PAD).all() for row, last in zip(found, lasts, strict=True))
    assert found.shape[1] == max(map(len, rows))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(0, N_ITEMS - 1), max_size=9), min_size=1, max_size=6), st.booleans())
def test_decoded_histories_are_what_was_encoded(cases, visits: bool):
    known = Histories.from_lists(cases)
    found = decode_histories(*encode_histories(known, Reading(N_ITEMS, 30, masked=False, visits=visits)), N_ITEMS)
    assert found.items.tolist() == known.items.tolist()
    assert found.offsets.tolist() == known.offsets.tolist()
    assert (np.diff(found.visits) == np.diff(known.visits)).all()  # numbers begin elsewhere


def test_decoding_reads_up_to_a_position():
    row = np.array([[VISIT, 7 + FIRST_ITEM, 8 + FIRST_ITEM, VISIT, 9 + FIRST_ITEM, PAD]] * 2)
    found = decode_histories(row, np.array([2, 5]), N_ITEMS)
    assert [found.of(case).tolist() for case in range(2)] == [[7, 8], [7, 8, 9]]
    assert found.visits.tolist() == [1, 1, 1, 1, 2]


def test_scores_come_in_the_order_of_the_histories():
    known = Histories.from_lists([[5, 1, 2], [4], [3, 3]])

    def score(input_ids: np.ndarray, lasts: np.ndarray) -> np.ndarray:
        return np.repeat(input_ids[np.arange(len(lasts)), lasts][:, None], 6, axis=1)

    found = score_in_blocks(known, Reading(6, 4, masked=False, visits=False), 2, score)
    assert found.shape == (3, 6)
    assert (found[:, 0] - FIRST_ITEM).tolist() == [2, 4, 3]


def test_sets_by_hand():
    ids, segments = encode_sets(Histories.from_lists([[0, 1, 2], [7]]), Histories.from_lists([[8], [9]]), 4)
    first = FIRST_ITEM
    assert ids.tolist() == [[MASK, 1 + first, 2 + first, 8 + first], [MASK, 7 + first, 9 + first, PAD]]
    assert segments.tolist() == [[0, 0, 0, 1], [0, 0, 1, 0]]
    with pytest.raises(BadParameter, match="A second set has 1 items, the input room for 0"):
        encode_sets(Histories.from_lists([[0]]), Histories.from_lists([[8]]), 1)


def test_visits_are_marked_by_hand():
    histories = replace(Histories.from_lists([[4, 7, 2], [], [1, 3]]), visits=np.array([0, 0, 1, 0, 0]))
    marked, ends, event = mark_visits(histories)
    assert marked.tolist() == [-1, 4, 7, -1, 2, -1, 1, 3]
    assert ends.tolist() == [0, 5, 5, 8]
    assert event.tolist() == [-1, 0, 1, -1, 2, -1, 3, 4]


# --- to learn ---------------------------------------------------------------------------------------------------------


def at(scored: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """Scored positions as a mask of the tokens; they rise, and none is there twice."""
    assert (np.diff(scored) > 0).all()
    return np.isin(np.arange(tokens.size), scored).reshape(tokens.shape)


def test_causal_examples_by_hand():
    one, two, three = (code + FIRST_ITEM for code in (1, 2, 3))
    given_ids, scored, targets = causal_examples(np.array([[VISIT, one, two, VISIT], [two, three, PAD, PAD]]))
    assert given_ids.tolist() == [[VISIT, one, two], [two, PAD, PAD]]
    assert scored.tolist() == [0, 1, 3]
    assert targets.tolist() == [1, 2, 3]


def test_a_visit_is_asked_for_whole_from_what_came_before():
    one, two, three = (code + FIRST_ITEM for code in (1, 2, 3))
    rows = [[VISIT, one, two, VISIT, three, one], [three, VISIT, two, PAD, PAD, PAD], [one, two, PAD, PAD, PAD, PAD]]
    given_ids, scored, targets = visit_examples(np.array(rows))
    assert given_ids.tolist() == [[VISIT, one, two, VISIT, three], [three, VISIT, PAD, PAD, PAD], [one] + [PAD] * 4]
    assert scored.tolist() == [0, 0, 3, 3, 6]
    assert targets.tolist() == [1, 2, 3, 1, 2]


def test_without_any_visit_the_next_items_are_asked():
    tokens = np.array([[FIRST_ITEM, FIRST_ITEM + 1, PAD], [FIRST_ITEM + 2, FIRST_ITEM, FIRST_ITEM + 1]])
    for one, other in zip(visit_examples(tokens), causal_examples(tokens), strict=True):
        assert one.tolist() == other.tolist()


rows_of_tokens = st.lists(
    st.lists(st.integers(0, 9), min_size=1, max_size=8).map(lambda row: [VISIT, *(code + FIRST_ITEM for code in row)]),
    min_size=1,
    max_size=5,
)


@settings(max_examples=80, deadline=None)
@given(rows_of_tokens, st.floats(0.05, 0.95), st.floats(0, 1), st.integers(0, 5))
def test_masks_hide_items_only_at_least_one_a_row_and_ask_for_what_they_hide(rows, share, last_share, seed):
    width = max(map(len, rows))
    tokens = np.array([row + [PAD] * (width - len(row)) for row in rows])
    before = tokens.copy()
    ids, scored, targets = masked_examples(tokens, np.random.default_rng(seed), share, last_share)
    scored = at(scored, tokens)
    assert (tokens == before).all()
    assert (ids[scored] == MASK).all()
    assert (ids[~scored] == tokens[~scored]).all()
    assert (tokens[scored] - FIRST_ITEM).tolist() == targets.tolist()
    assert targets.min() >= 0
    assert scored.any(1).all()


def test_as_many_items_are_masked_as_asked_for():
    tokens = np.full((200, 50), FIRST_ITEM)
    for share in (0.15, 0.4):
        _, scored, _ = masked_examples(tokens, np.random.default_rng(1), share)
        assert at(scored, tokens).mean() == pytest.approx(share, abs=0.01)
    _, scored, _ = masked_examples(tokens, np.random.default_rng(1), 0.3, last_share=1.0)
    assert at(scored, tokens)[:, -1].all()
    assert not at(scored, tokens)[:, :-1].any()

"""What a history looks like to a model: special numbers, marks of visits, positions, and blocks of similar lengths."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.errors import DataError

PAD, MASK, VISIT = 0, 2, 3  # places of these tokens in `item_model.SPECIAL_TOKENS`
FIRST_ITEM = 4  # token id = item code + FIRST_ITEM, so that the code -1 is [VISIT]
FORMAT = "llmarm.next_item"  # the key under which our files keep the version of what they say about themselves
VERSION = "1"


class Reading(NamedTuple):
    """How a model reads histories.

    Attributes:
        n_items: Size of the catalogue.
        max_length: Longest input in tokens.
        masked: Whether the question is a [MASK] behind the history; else it is the last token of the history.
        visits: Whether a [VISIT] stands before every visit, and before the question.
    """

    n_items: int
    max_length: int
    masked: bool
    visits: bool

    def to_text(self) -> dict[str, str]:
        """The fields as text, with the version, as a file keeps them."""
        return {FORMAT: VERSION} | {name: str(int(value)) for name, value in self._asdict().items()}

    @classmethod
    def from_text(cls, text: dict[str, str]) -> Reading:
        """What `to_text` wrote.

        Raises:
            DataError: If it was not `to_text` that wrote this.
        """
        if text.get(FORMAT) != VERSION:
            raise DataError("This is no next-item model that `export.to_onnx` of this version wrote.")
        number = {name: int(text[name]) for name in cls._fields}
        return cls(number["n_items"], number["max_length"], bool(number["masked"]), bool(number["visits"]))


def tokens(histories: Histories, reading: Reading) -> tuple[np.ndarray, np.ndarray]:
    """Histories as a model reads them: the end of each, as much as fits, and behind it the question.

    Returns:
        Token ids padded on the right, shape (n_cases, length), and the position that is read in each row, shape
        (n_cases,), both int64. A case without anything to read or to ask is a single [MASK]: nothing is known.
    """
    codes, offsets = histories.items, histories.offsets
    if reading.visits:
        codes, offsets, _ = mark_visits(codes, offsets, histories.visits)
    codes = codes + np.int64(FIRST_ITEM)
    asked = [VISIT] * reading.visits + [MASK] * reading.masked
    kept = np.minimum(np.diff(offsets), reading.max_length - len(asked))
    lengths = np.maximum(kept + len(asked), 1)
    column = np.arange(lengths.max(initial=1))
    found = np.full((len(kept), len(column)), PAD)
    inside = column < kept[:, None]
    found[inside] = codes[((offsets[1:] - kept)[:, None] + column)[inside]]
    rows = np.arange(len(kept))
    for number, token in enumerate(asked or [MASK]):
        place = kept + number
        here = np.full(len(kept), True) if asked else kept == 0
        found[rows[here], place[here]] = token
    return found, lengths - 1


def mark_visits(
    items: np.ndarray, offsets: np.ndarray, visits: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Put the code -1, which is the token [VISIT], before every visit of every sequence.

    Args:
        items: Item codes end to end, shape (n_events,).
        offsets: Where each sequence begins, shape (n_sequences + 1,).
        visits: Number of each event's visit within its sequence, shape (n_events,), not falling.

    Returns:
        Items and offsets with the marks, and the original event behind every item, -1 for marks.
    """
    first = np.ones(len(items), dtype=bool)
    first[1:] = visits[1:] != visits[:-1]
    first[offsets[:-1][np.diff(offsets) > 0]] = True
    place = np.arange(len(items)) + np.cumsum(first)  # where each event goes
    marked = np.full(len(items) + first.sum(), -1, dtype=items.dtype)
    event = np.full(len(marked), -1)
    marked[place], event[place] = items, np.arange(len(items))
    before = np.concatenate([[0], np.cumsum(first)])
    return marked, offsets + before[offsets], event


def answered(
    histories: Histories, reading: Reading, block: int, answer: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> np.ndarray:
    """What a model answers to histories, block by block; those of similar lengths share a block.

    Args:
        histories: What is asked.
        reading: How the model reads.
        block: Histories in one call.
        answer: From the two arrays of `tokens` to scores, shape (n_cases of the block, n_items).

    Returns:
        Shape (n_cases, n_items), float32, in the order of the histories.
    """
    out = np.empty((len(histories), reading.n_items), dtype=np.float32)
    by_length = np.argsort(histories.lengths, kind="stable")
    for start in range(0, len(by_length), block):
        rows = by_length[start : start + block]
        out[rows] = answer(*tokens(histories.take(rows), reading))
    return out


SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[MASK]", "[VISIT]")
UNKNOWN = SPECIAL_TOKENS.index("[UNK]")

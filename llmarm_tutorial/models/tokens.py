"""What a history looks like to a model: special tokens, marks of visits, masks, and the position that is read.

This is the one place that knows. Training asks by `masked_examples`, `causal_examples` and
`visit_examples`, whoever predicts by
`encode_histories` and `encode_sets`; with NumPy alone, so that a shop can serve a model without PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.errors import BadParameter, DataError

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[MASK]", "[VISIT]")
PAD, UNKNOWN, MASK, VISIT = range(len(SPECIAL_TOKENS))
FIRST_ITEM = len(SPECIAL_TOKENS)  # token id = item code + FIRST_ITEM
VISIT_CODE = VISIT - FIRST_ITEM  # what stands for [VISIT] among item codes
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


# --- to predict ------------------------------------------------------------------------------------------------------


def encode_histories(histories: Histories, reading: Reading) -> tuple[np.ndarray, np.ndarray]:
    """Histories as a model reads them: the end of each, as much as fits, and behind it the question.

    Returns:
        Token ids padded on the right, shape (n_cases, length), and the position that is read in each row, shape
        (n_cases,), both int64. A case without anything to read or to ask is a single [MASK]: nothing is known.
    """
    codes, offsets = histories.items, histories.offsets
    if reading.visits:
        codes, offsets, _ = mark_visits(histories)
    codes = codes + np.int64(FIRST_ITEM)
    question = [VISIT] * reading.visits + [MASK] * reading.masked
    kept = np.minimum(np.diff(offsets), reading.max_length - len(question))
    lengths = np.maximum(kept + len(question), 1)
    column = np.arange(lengths.max(initial=1))
    input_ids = np.full((len(kept), len(column)), PAD)
    inside = column < kept[:, None]
    input_ids[inside] = codes[((offsets[1:] - kept)[:, None] + column)[inside]]
    rows = np.arange(len(kept))
    for number, token in enumerate(question or [MASK]):
        asked = np.full(len(kept), True) if question else kept == 0
        input_ids[rows[asked], kept[asked] + number] = token
    return input_ids, lengths - 1


def encode_sets(sets: Histories, others: Histories | None, max_length: int) -> tuple[np.ndarray, np.ndarray]:
    """Sets of items to be classified: a [MASK], the items of the set, and those of a second set where there is one.

    Args:
        sets: Item codes of the first set of each example.
        others: Those of the second set, or None.
        max_length: Longest input in tokens; the second set is kept whole, of the first the latest items.

    Returns:
        Token ids padded on the right, and 1 for what belongs to the second set, as BERT marks a second sentence; both
        of shape (n_examples, longest), int64.

    Raises:
        BadParameter: If a second set alone is longer than the input.
    """
    seconds = np.zeros(len(sets), dtype=np.int64) if others is None else others.lengths
    if len(seconds) and seconds.max() > max_length - 1:
        raise BadParameter(f"A second set has {seconds.max()} items, the input room for {max_length - 1}.")
    firsts = np.minimum(sets.lengths, max_length - 1 - seconds)
    place = np.arange(1 + (firsts + seconds).max(initial=0))
    input_ids = np.full((len(sets), len(place)), PAD, dtype=np.int64)
    input_ids[:, 0] = MASK
    from_end = sets.offsets[1:, None] - firsts[:, None] + place - 1
    in_first = (place >= 1) & (place <= firsts[:, None])
    input_ids[in_first] = sets.items[from_end[in_first]] + FIRST_ITEM
    in_second = (place > firsts[:, None]) & (place <= (firsts + seconds)[:, None])
    if others is not None:
        input_ids[in_second] = others.items + FIRST_ITEM
    return input_ids, in_second.astype(np.int64)


def decode_histories(input_ids: np.ndarray, lasts: np.ndarray, n_items: int) -> Histories:
    """The histories that rows of tokens tell up to a position; without any [VISIT] each item is a visit of its own.

    Args:
        input_ids: Token ids, shape (n_cases, length).
        lasts: The last position that counts in each row, shape (n_cases,).
        n_items: Size of the catalogue.
    """
    seen = (input_ids >= FIRST_ITEM) & (np.arange(input_ids.shape[1]) <= lasts[:, None])
    marks = input_ids == VISIT
    visits = np.cumsum(marks if marks.any() else seen, axis=1)
    offsets = np.concatenate([[0], np.cumsum(seen.sum(1))])
    items = (input_ids[seen] - FIRST_ITEM).astype(np.int32)
    return Histories(items, offsets, visits[seen].astype(np.int32), n_items)


def score_in_blocks(
    histories: Histories, reading: Reading, block: int, score: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> np.ndarray:
    """A model's scores for histories, block by block; those of similar lengths share a block.

    Args:
        histories: The cases.
        reading: How the model reads.
        block: Histories in one call.
        score: From the two arrays of `encode_histories` to scores, shape (n_cases of the block, n_items).

    Returns:
        Shape (n_cases, n_items), float32, in the order of the histories.
    """
    scores = np.empty((len(histories), reading.n_items), dtype=np.float32)
    by_length = np.argsort(histories.lengths, kind="stable")
    for start in range(0, len(by_length), block):
        rows = by_length[start : start + block]
        scores[rows] = score(*encode_histories(histories.take(rows), reading))
    return scores


def mark_visits(histories: Histories) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Put `VISIT_CODE`, which becomes the token [VISIT], before every visit of every history.

    Returns:
        Items and offsets with the marks, and the original event behind every item, -1 for marks.
    """
    items, first = histories.items, histories.starts_visit
    place = np.arange(len(items)) + np.cumsum(first)  # where each event goes
    marked = np.full(len(items) + first.sum(), VISIT_CODE, dtype=items.dtype)
    event = np.full(len(marked), -1)
    marked[place], event[place] = items, np.arange(len(items))
    before = np.concatenate([[0], np.cumsum(first)])
    return marked, histories.offsets + before[histories.offsets], event


# --- to learn --------------------------------------------------------------------------------------------------------


class Examples(NamedTuple):
    """What a model reads in training, and what it is asked.

    Attributes:
        input_ids: Token ids, shape (n, length), padded on the right.
        scored: The positions that are to predict an item, as indices into the flattened n × length, rising, shape
            (n_scored,), int64; one that is asked for several items is there as often.
        targets: The item code that each of them is to predict, shape (n_scored,), int64.
    """

    input_ids: np.ndarray
    scored: np.ndarray
    targets: np.ndarray


def causal_examples(tokens: np.ndarray) -> Examples:
    """Every token predicts the item behind it; a [VISIT] is never asked for.

    Args:
        tokens: Token ids, shape (n, length + 1), padded on the right; the last token of a row is only a target.
    """
    following = tokens[:, 1:]
    scored = following >= FIRST_ITEM
    input_ids = np.where(following == PAD, PAD, tokens[:, :-1])
    return Examples(input_ids, np.flatnonzero(scored), following[scored] - FIRST_ITEM)


def visit_examples(tokens: np.ndarray) -> Examples:
    """Every [VISIT] predicts all items of the visit that it opens, from what came before: the next-visit question.

    Items that follow no [VISIT] of their row are not asked for; where there is none at all, tokens are asked as in
    `causal_examples`.

    Args:
        tokens: Token ids, shape (n, length + 1), padded on the right; the last token of a row is only a target.
    """
    place = np.arange(tokens.shape[1])
    opened = np.maximum.accumulate(np.where(tokens == VISIT, place, -1), axis=1)  # the latest [VISIT], -1 before it
    asked = (tokens >= FIRST_ITEM) & (opened >= 0)
    if not asked.any():
        return causal_examples(tokens)
    input_ids = np.where(tokens[:, 1:] == PAD, PAD, tokens[:, :-1])
    row, _ = np.nonzero(asked)
    return Examples(input_ids, row * input_ids.shape[1] + opened[asked], tokens[asked] - FIRST_ITEM)


def masked_examples(
    tokens: np.ndarray, random: np.random.Generator, mask_share: float, last_share: float = 0.0
) -> Examples:
    """Some items are replaced by [MASK] and predicted from both sides (Devlin et al. 2019; Sun et al. 2019).

    Unlike in BERT, none of them is left as it is or replaced by another one.

    Args:
        tokens: Token ids, shape (n, length), padded on the right.
        random: What masks are drawn from.
        mask_share: Share of the items masked, in (0, 1); at least one a row.
        last_share: Share of rows in which only the last item is masked, in [0, 1].
    """
    items = tokens >= FIRST_ITEM
    draw = np.where(items, random.random(items.shape), 2.0)
    scored = draw < mask_share
    scored[np.arange(len(draw)), draw.argmin(1)] = True  # at least one
    last_only = random.random(len(draw)) < last_share
    last = items.shape[1] - 1 - items[:, ::-1].argmax(1)
    scored[last_only] = np.arange(items.shape[1]) == last[last_only, None]
    scored &= items
    return Examples(np.where(scored, MASK, tokens), np.flatnonzero(scored), tokens[scored] - FIRST_ITEM)

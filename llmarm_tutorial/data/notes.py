"""What reading a data set guessed, merged or left out, in the words in which terminal, notebook and report show it."""

from __future__ import annotations

from collections.abc import Mapping


def note_lines(notes: Mapping[str, int]) -> list[str]:
    """`Transactions.notes` as lines for people: "repeated rows, merged: 1,170"."""
    return [f"{what}: {count:,}" for what, count in notes.items()]

"""How a file of one's own is refused: one sentence on one line."""

from __future__ import annotations

import pytest

from llmarm_tutorial.data import loading
from llmarm_tutorial.errors import LlmarmError


def refusal(error: type[LlmarmError], *arguments: str, **options: str) -> str:
    """What `load` says when it raises this error."""
    with pytest.raises(error) as caught:
        loading.load(*arguments, **options)
    sentence = str(caught.value)
    assert "\n" not in sentence
    return sentence

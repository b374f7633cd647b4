"""Code that a lesson shows: all of it but the docstring."""

from __future__ import annotations

import pytest

from llmarm_tutorial import mining
from llmarm_tutorial.lesson.listing import show_code


def test_a_function_is_shown_without_its_docstring(monkeypatch: pytest.MonkeyPatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    show_code(mining.apriori)
    (block,) = shown
    lines = block.data.splitlines()
    assert lines[0] == "```python"
    assert lines[1].startswith("def apriori(")
    assert lines[-1] == "```"
    assert '"""' not in block.data

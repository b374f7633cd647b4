"""What lessons show of the comparison of libraries."""

from __future__ import annotations

import pytest

from llmarm_tutorial.errors import UnknownName
from llmarm_tutorial.lesson import library_answers


@pytest.mark.parametrize(("topic", "columns"), [("itemsets", 4), ("patterns", 4), ("rankings", 6)])
def test_every_library_has_a_row_and_an_answer_to_each_question(topic: str, columns: int):
    table = library_answers(topic)
    assert 5 <= len(table) <= 11
    assert table.shape[1] == columns
    assert table.notna().all(axis=None)
    assert table.index.is_unique
    assert table.index[0].startswith("llmarm ")


def test_an_unknown_topic_is_named():
    with pytest.raises(UnknownName, match=r"There is no topic 'itemset'\. Did you mean 'itemsets'\?"):
        library_answers("itemset")

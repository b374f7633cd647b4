"""What other libraries answer to a small input, as `benchmarks/libraries.py` measured it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from llmarm_tutorial.errors import UnknownName

ANSWERS = Path(__file__).with_suffix(".csv")


def library_answers(topic: str) -> pd.DataFrame:
    """The same small questions put to several libraries; "exact" is what counting with a pencil gives.

    Args:
        topic: "itemsets", "patterns" or "rankings".

    Returns:
        One row per library with its version, one column per question or metric. A bar stands for a library that has
        no such function.

    Raises:
        UnknownName: If there is no such topic.
    """
    table = pd.read_csv(ANSWERS, dtype=str)
    if topic not in set(table["topic"]):
        raise UnknownName("topic", topic, sorted(set(table["topic"])))
    part = table[table["topic"] == topic]
    part = part.assign(library=part["library"] + " " + part["version"])
    wide = part.pivot(index="library", columns="asked", values="answer")
    return wide.loc[part["library"].unique(), part["asked"].unique()].rename_axis(columns=None)

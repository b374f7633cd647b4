"""What benchmarks measured on data that cannot be shipped, such as films, for lessons to show beside their own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from llmarm_tutorial.errors import UnknownName
from llmarm_tutorial.evaluation.verdicts import verdict

ROWS = Path(__file__).with_suffix(".csv")  # written by tools/results_tables.py from results/benchmarks


def recorded_rows(topic: str) -> pd.DataFrame:
    """A question as a benchmark of the repository answered it, with all customers and more training than in a lesson.

    Args:
        topic: "next item" (who predicts it), "joining" (model and counting as one) or "teaching" (students of a model).

    Returns:
        One row per system, the best first, indexed by its name under the name of the data: the metric, a mean over
        `seeds` trainings; the `gain` on what the column names, paired by customer, with the ends `low` and `high` of
        its 95 % interval and its `verdict`, see `verdicts.verdict`. Of what the gain is over, these are NaN and "".

    Raises:
        UnknownName: If there is no such topic.
    """
    table = pd.read_csv(ROWS)
    if topic not in set(table["topic"]):
        raise UnknownName("topic", topic, table["topic"].unique())
    part = table[table["topic"] == topic].sort_values("value", ascending=False, kind="stable")
    itself = part["system"] == part["over"]
    interval = part[["low", "high"]].mask(itself)
    said = [verdict(*ends) if np.isfinite(ends).all() else "" for ends in interval.to_numpy()]
    columns = {
        part["metric"].iloc[0]: part["value"],
        "seeds": part["seeds"],
        f"gain on {part['over'].iloc[0]}": part["gain"].mask(itself),
        "low": interval["low"],
        "high": interval["high"],
        "verdict": said,
    }
    return pd.DataFrame(columns).set_index(pd.Index(part["system"], name=part["data"].iloc[0]))

"""What benchmarks and lessons recorded, for lessons to show: films, which cannot be shipped, and who won where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from llmarm_tutorial.errors import UnknownName
from llmarm_tutorial.evaluation.verdicts import LEVEL, LOSES, WINS, verdict
from llmarm_tutorial.lesson import claims

# written by tools/results_tables.py from results/benchmarks and results/reference
ROWS = Path(__file__).with_suffix(".csv")
ANSWERS, VERDICTS = (ROWS.with_name(f"recorded_{part}.csv") for part in ("answers", "verdicts"))


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


def recorded_answers() -> pd.DataFrame:
    """Where a model beat counting and where it did not, as the benchmarks of the repository recorded it.

    Returns:
        One row per question, those that a model wins first, then those where it is level: `verdict` of the gain, see
        `verdicts.verdict`; `question`; `data`; `system`; `against`, the counting that it is measured by; the `gain` in
        the metric that stands behind it, with the ends `low` and `high` of its paired 95 % interval; the `property` of
        the data that the authors think decides, which is no measurement; the number of the `claim` it speaks to.
    """
    table = pd.read_csv(ANSWERS, dtype={"claim": str}, keep_default_na=False)
    said = [verdict(low, high) for low, high in zip(table["low"], table["high"], strict=True)]
    order = pd.Series([(WINS, LEVEL, LOSES).index(one) for one in said], index=table.index)
    table.insert(0, "verdict", said)
    return table.loc[order.sort_values(kind="stable").index].reset_index(drop=True)


def recorded_claims() -> pd.DataFrame:
    """What the literature claims, and how often the gains that decide fell out in the lessons on the corner shop.

    Returns:
        One row per claim of `lesson.claims` that a recorded gain decides, indexed by its number: the `claim`, how many
        of its gains are "wins", "level" and "loses", and the `lessons` that recorded them.
    """
    table = pd.read_csv(VERDICTS, dtype={"claim": str, "lesson": str})
    said = [verdict(low, high) for low, high in zip(table["low"], table["high"], strict=True)]
    counts = pd.crosstab(table["claim"], pd.Series(said, name="verdict"))
    counts = counts.reindex(columns=[WINS, LEVEL, LOSES], fill_value=0)
    known = claims.load()
    counts = counts.loc[[id_ for id_ in known if id_ in counts.index]]
    counts.insert(0, "claim", [known[id_].claim for id_ in counts.index])
    by_claim = table.groupby("claim")["lesson"].agg(lambda lessons: ", ".join(sorted(set(lessons))))
    return counts.assign(lessons=by_claim).rename_axis(index=None, columns=None)


def recorded_crossover() -> pd.DataFrame:
    """What an item model, and model and counting joined, gain on the best counting as the dial of the shop is turned.

    Returns:
        One row per question, setting of the dial and system, see `benchmarks/crossover.py`: `part` ("next visit" or
        "confidences"), `asked` (which customers or purchases; for confidences, by how many baskets the antecedent is
        supported), `structure` (the dial, in [0, 1]), `system` ("model" or "joined"), `metric` ("NDCG@10", for
        confidences "RMSE" or "log loss"), its `value`, how many `seeds` it is the mean of, the `gain` (of errors what
        they shrink by) with the ends `low` and `high` of its paired 95 % interval and its `verdict`, see
        `verdicts.verdict`.
    """
    table = pd.read_csv(ROWS)
    table = table[table["topic"] == "crossover"].reset_index(drop=True)
    settings = [dict(part.split("=", 1) for part in text.split("; ")) for text in table["setting"]]
    columns: dict[str, Any] = {
        "part": ["next visit" if "asked" in setting else "confidences" for setting in settings],
        "asked": [setting.get("asked") or setting["baskets"] for setting in settings],
        "structure": [float(setting["structure"]) for setting in settings],
    }
    found = pd.DataFrame(columns).join(table[["system", "metric", "value", "seeds", "gain", "low", "high"]])
    found["verdict"] = [verdict(low, high) for low, high in found[["low", "high"]].to_numpy()]
    return found.sort_values(["part", "asked", "structure"], ascending=[False, True, True], ignore_index=True)

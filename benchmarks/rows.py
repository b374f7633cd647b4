"""The one schema of what benchmarks measure, read by the benchmarks and by the pages of results/.

    data, system    what was measured, on what
    setting         "name=value; name=value", see `setting`: what else tells two rows apart (a minimum support, a task,
                    a number of labels). The one free column: without it such things would go into the names.
    seed            a whole number, 0 where nothing is drawn; empty where a row is about all seeds together, as a gain
    metric, value   one number; a gain has the metric "NDCG@10 gain on sr"
    low, high       95 % interval of the value, where there is one
    seconds         what the system cost, processor time unless the script says otherwise; the same in all rows of a
                    measurement
    memory          highest memory while measuring, above what the data take, MB

Means and standard deviations over seeds are not stored: `over_seeds` computes them. Only where the single values are
lost, a row without a seed is a mean, and the row "NDCG@10, sd of 3 seeds" beside it the standard deviation. Words, such
as chosen settings or why something failed, are notes in the JSON file beside the rows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

KEY = ("data", "system", "setting", "seed", "metric")
NUMBERS = ("value", "low", "high", "seconds", "memory")
COLUMNS = (*KEY, *NUMBERS)


def setting(**parts: Any) -> str:
    """What else tells two rows apart, as text: `setting(support=0.1, task="new")` is "support=0.1; task=new"."""
    return "; ".join(
        f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}" for name, value in parts.items()
    )


def read_rows(path: Path) -> pd.DataFrame:
    """The rows of a file, bit for bit; `seed` is a whole number or <NA>, a number that is not there NaN."""
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    table["seed"] = pd.array([int(text) if text else None for text in table["seed"]], dtype="Int64")
    return table.assign(**{column: [float(text or "nan") for text in table[column]] for column in NUMBERS})


def unfolded(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with a column of text more for every name in `setting`, empty where a row has none of it."""
    parts = [dict(part.split("=", 1) for part in text.split("; ") if part) for text in rows["setting"]]
    return rows.join(
        pd.DataFrame(parts, index=rows.index, columns=list(dict.fromkeys(n for p in parts for n in p))).fillna("")
    )


def over_seeds(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per data, system, setting and metric, in the order of the first ones.

    Returns:
        Columns `data`, `system`, `setting`, `metric`, `seeds` (how many rows), means `value`, `low`, `high`, `seconds`,
        `memory` over them, and the standard deviation `sd` of the values, NaN of a single one.
    """
    names = ["data", "system", "setting", "metric"]
    groups = rows.groupby(names, sort=False)
    table = groups[list(NUMBERS)].mean().assign(seeds=groups.size(), sd=groups["value"].std()).reset_index()
    stored = table["metric"].str.extract(r"^(?P<metric>.*), sd of (?P<seeds>\d+) seeds$")
    spread = table.assign(metric=stored["metric"], seeds=stored["seeds"].astype(float), sd=table["value"])
    known = stored["metric"].notna()
    table = table[~known].set_index(names)
    table.update(spread.loc[known, [*names, "seeds", "sd"]].set_index(names))
    return table.reset_index().astype({"seeds": int})

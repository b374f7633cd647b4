"""Which lessons run on which data, how long, and in how much memory? Every lesson on every set, one after another.

    python benchmarks/matrix.py [--data online-retail big …] [--lessons 04 06] [--limit 600]

The sets are those of the catalogue that are on this machine and have what the lesson asks for, two made-up sales files
(`big_sales.py`: "big" has 131,000 baskets of 39,000 products, "third" a third of each), and small shops. A lesson runs
as `llmarm run` runs it, quick profile, in a kernel of its own with one BLAS thread. Its peak is the resident memory of
the kernel, libraries included. An outcome is "done", what the lesson says that it needs, or the error that ended it.
Where the machine is shared, processor seconds tell more than those of the clock.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import big_sales
import harness
import pandas as pd
from rows import setting

from llmarm_tutorial.data import catalogue, loading
from llmarm_tutorial.errors import LlmarmError, is_own
from llmarm_tutorial.files import write_atomically
from llmarm_tutorial.running import execution, lessons, preflight
from llmarm_tutorial.running.run_folder import Run

COLUMNS = {"BASKET_COL": "basket", "ITEM_COL": "product", "USER_COL": "customer", "TIME_COL": "time"}
MB = 1e6
SMOKE = 1  # lessons with --smoke
SALES: dict[str, Callable[[], pd.DataFrame]] = {
    "big": big_sales.make_sales,
    "third": lambda: big_sales.make_sales(big_sales.BASKETS // 3, big_sales.PRODUCTS // 3),
    "12 products": lambda: big_sales.make_sales(2000, 12),
    "8 products": lambda: big_sales.make_sales(2000, 8),
    "30 baskets": lambda: big_sales.make_sales(30, 40),
    "one customer": lambda: big_sales.make_sales(400, 40).assign(customer=0),
    "two visits each": lambda: big_sales.make_sales(600, 40).assign(customer=lambda sales: sales["basket"] // 2),
    "one item in every basket": lambda: everywhere(big_sales.make_sales(600, 40)),
}
SETS = (*catalogue.names(), *SALES)


def everywhere(sales: pd.DataFrame) -> pd.DataFrame:
    """A table of sales in which every basket also holds a bag."""
    bags = sales.drop_duplicates("basket").assign(product="bag")
    return pd.concat([sales, bags]).sort_values("basket", kind="stable", ignore_index=True)


def given(bench: harness.Bench, name: str) -> dict[str, Any]:
    """The parameters that name a set: of a made-up one its file, which is written first.

    Raises:
        LlmarmError: If a set of the catalogue is not on this machine.
    """
    if name not in SALES:
        loading.load(name)
        return {"DATASET": name}
    path = bench.options.work / "sales" / f"{name.replace(' ', '-')}.parquet"
    if not path.exists():
        write_atomically(path, SALES[name]().to_parquet(index=False))
    return {"DATASET": str(path), **COLUMNS}


def measure(bench: harness.Bench) -> None:
    """Run what has not been run."""
    chosen = lessons.choose(bench.options.lessons, lessons.discover())
    chosen = [lesson for lesson in chosen if "DATASET" in lesson.parameters]
    chosen = chosen[:SMOKE] if bench.smoke else chosen
    for name in bench.options.data:
        try:
            parameters = given(bench, name)
        except LlmarmError as error:
            print(f"{name}: left out. {error}", flush=True)
            continue
        for lesson in chosen:
            one(bench, name, lesson, parameters)


def one(bench: harness.Bench, name: str, lesson: lessons.Lesson, parameters: dict[str, Any]) -> None:
    """Run one lesson on one set, and keep what came of it."""
    made_of, known = [lesson.code, bench.options.limit], bench.rows
    known = known[(known["data"] == name) & (known["system"] == lesson.number)]
    if any(bench.has(name, lesson.number, setting=before, made_of=made_of) for before in known["setting"]):
        return
    parameters = {key: value for key, value in parameters.items() if key in lesson.parameters}
    run = Run(f"{name.replace(' ', '-')}-{lesson.number}", lesson, "quick", parameters)
    try:
        lacks = preflight.check([run]).left_out
        results = {} if lacks else execution.run_lesson(run, bench.work / "runs", timeout=bench.options.limit)
    except LlmarmError as error:
        lacks, results = [str(error)], {}
    outcome = f"refused: {lacks[0].partition(' left out: ')[2] or lacks[0]}" if lacks else in_words(results["error"])
    if lacks and name not in SALES:
        return  # a set of the catalogue without what the lesson asks for
    bench.forget(name, lesson.number)
    values = {"wall seconds": results.get("seconds", 0.0)}
    cost = {"seconds": results.get("cpu_seconds", 0.0), "memory": results.get("peak_memory_bytes", 0) / MB}
    about = {"made_of": made_of, "notes": {"note": outcome}}
    bench.add(name, lesson.number, values, setting=setting(outcome=outcome.replace(";", ",")), **about, **cost)


def in_words(error: dict[str, Any] | None) -> str:
    """The outcome of a run: "done", "refused: …" with the sentence, or "failed: …" with the error and its cell."""
    if error is None:
        return "done"
    if is_own(error["type"]):
        return f"refused: {error['message'].removeprefix(error['type'] + ': ')}"
    return f"failed in cell {error['cell']}: {error['type']}: {' '.join(error['message'].split())[:200]}"


def main() -> None:
    """Run, and write matrix.csv and matrix.json."""
    parser = harness.parser(__doc__, data=SETS, smoke=["30 baskets", "12 products"])
    parser.add_argument("--lessons", nargs="+", default=[], metavar="NN", help="usually all")
    parser.add_argument("--limit", type=int, default=600, help="seconds that one cell of a lesson may take")
    harness.run(parser, measure)


if __name__ == "__main__":
    main()

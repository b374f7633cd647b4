"""Batches: a grid of lessons × data sets × parameters × seeds, executed once each, and one table of what came out.

A plan is a YAML file. The folder of the batch is its memory: a run whose `results.json` says "ok" is finished,
everything else is yet to do, so that a batch killed at any moment goes on where it was when it is started again.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmarm_tutorial import files
from llmarm_tutorial.errors import BadParameter, RunError, UnknownName
from llmarm_tutorial.running import doctor, lessons, pool, run_folder
from llmarm_tutorial.running.lessons import Lesson
from llmarm_tutorial.running.parameters import read_yaml
from llmarm_tutorial.running.run_folder import Run
from llmarm_tutorial.running.schedule import Schedule

if TYPE_CHECKING:
    import pandas as pd

_KEYS = ("lessons", "datasets", "seeds", "profile", "parameters")
BUSY = "Another llmarm works in the folder {}; wait for it or choose another folder."
SETTING = ("lesson", "dataset", "profile")
_RUN_COLUMNS = ("run", *SETTING, "seed", "status", "seconds", "peak_memory_bytes")
_VALUE_COLUMNS = ("name", "value", "text", "unit", "low", "high", "baseline")
COLUMNS = (*_RUN_COLUMNS, *_VALUE_COLUMNS)


@dataclass(frozen=True)
class Plan:
    """What a batch is to run.

    Attributes:
        runs: Every distinct run, in order.
        varied: Names of the parameters that the plan's grid sets.
    """

    runs: list[Run]
    varied: tuple[str, ...]


def read_plan(path: Path, available: list[Lesson] | None = None) -> Plan:
    """Read a plan and check all of it.

    Args:
        path: YAML file with `lessons`, `datasets`, `seeds` (lists), `profile` and `parameters` (name → list of values),
            all optional; what a lesson does not declare (DATASET, SEED, a parameter) does not multiply its runs.
        available: The lessons to choose from.

    Raises:
        UnknownName: If a key, lesson, data set, profile or parameter does not exist.
        BadParameter: If the file is no plan or a value does not fit.
    """
    from llmarm_tutorial.data import catalogue

    content = read_yaml(path)
    if not content:
        raise BadParameter(f"The plan {path} is empty: name at least lessons, as in  lessons: ['01'].")
    for key in content:
        if key not in _KEYS:
            raise UnknownName("plan entry", str(key), _KEYS)
    available = lessons.discover() if available is None else available
    chosen = lessons.choose([str(name).zfill(2) for name in _list(content, "lessons")], available)
    profile = str(content.get("profile") or lessons.QUICK)
    grid = _grid(content, path, chosen)
    axes: dict[str, list[Any]] = {"DATASET": _list(content, "datasets"), "SEED": _list(content, "seeds")}
    if axes["DATASET"]:
        axes["DATASET"] = [check_dataset(str(name), path.parent) for name in axes["DATASET"]]
    if taken := {name for name, values in axes.items() if values} & set(grid):
        raise BadParameter(f"{path}: {taken.pop()} is set twice; use either datasets and seeds, or parameters.")
    axes |= grid
    check_declared(chosen, [name for name, values in axes.items() if values])
    settings = lessons.profile(profile, available)
    runs: dict[str, Run] = {}
    for lesson in chosen:
        mine = {name: values for name, values in axes.items() if values and name in lesson.parameters}
        for point in itertools.product(*mine.values()):
            changed = lessons.check_values(lesson, dict(zip(mine, point, strict=True)))
            parameters = settings.get(lesson.number, {}) | changed
            effective = Run("", lesson, profile, parameters).effective
            if effective.get("DATASET") in catalogue.names():  # whose columns are known
                parameters = {n: v for n, v in parameters.items() if n not in lessons.DATA_COLUMNS}
            run = make_run(lesson, profile, parameters, [name for name in mine if name in parameters])
            runs[run.id] = run
    columns = set(lessons.DATA_COLUMNS) & set(grid)
    if columns and not any(columns & set(run.parameters) for run in runs.values()):
        raise BadParameter(f"{path}: {' and '.join(sorted(columns))} serve a file of your own; name it in datasets.")
    return Plan(list(runs.values()), tuple(grid))


def make_run(lesson: Lesson, profile: str, parameters: dict[str, Any], varied: Iterable[str]) -> Run:
    """A run whose folder is named by what sets it apart: the varied parameters, and a hash of all its settings."""
    essence = json.dumps([lesson.name, profile, parameters], sort_keys=True)
    parts = [lesson.number]
    for name in varied:
        value = parameters[name]
        parts.append(Path(value).stem if name == "DATASET" else f"{name} {value}")
    slug = re.sub(r"[^a-z0-9.]+", "-", "-".join(parts).lower()).strip("-.")
    return Run(f"{slug[:60]}-{hashlib.sha256(essence.encode()).hexdigest()[:8]}", lesson, profile, parameters)


def check_dataset(name: str, relative_to: Path | None = None) -> str:
    """A data set's name if the catalogue has it, or the absolute path of a file.

    Raises:
        UnknownName: If it is neither.
        BadParameter: If it looks like a path, and there is no such file.
        RunError: If the catalogue's set is not on this machine.
    """
    from llmarm_tutorial.data import catalogue

    meant = catalogue.resolve(name, relative_to)
    if isinstance(meant, catalogue.Entry):
        if meant.urls and catalogue.locate(meant) is None:
            raise RunError(
                f"The data set {name} is not on this machine: run  llmarm data fetch {name}  first."
                f"{catalogue.misdirection()}"
            )
        return name
    if meant.is_file():
        return str(meant.resolve())
    if meant.suffix or len(Path(name).parts) > 1:
        place = relative_to or Path.cwd()
        raise BadParameter(f"There is no file {name!r}; check the path, which is taken from the folder {place}.")
    raise UnknownName("data set", name, catalogue.names(), "Or give the path of a file of your own.")


def check_declared(chosen: Iterable[Lesson], names: Iterable[str]) -> None:
    """Raise `UnknownName` unless each parameter is declared by at least one of the lessons.

    Raises:
        BadParameter: If a data set is named for lessons that read the corner shop only.
    """
    chosen = list(chosen)
    valid = {name for lesson in chosen for name in lesson.parameters}
    for name in names:
        if name == "DATASET" and name not in valid:
            numbers = ", ".join(lesson.number for lesson in chosen)
            raise BadParameter(
                f"Of the chosen lessons ({numbers}) none takes a data set, as they work on the corner shop only: leave "
                "it out, or choose a lesson that declares DATASET."
            )
        if name not in valid:
            raise UnknownName("parameter of the chosen lessons", name, valid)


def pending(plan: Plan, out: Path) -> tuple[list[Run], list[Run]]:
    """The runs yet to do, and those finished before their lesson, data file or llmarm changed (which are kept)."""
    todo, outdated, kit = [], [], doctor.versions().get("llmarm")
    for run in plan.runs:
        results = run_folder.read_results(out / run.id)
        if results is None or results["status"] != "ok":
            todo.append(run)
        elif results["versions"].get("llmarm") != kit or run_folder.is_outdated(run, results):
            outdated.append(run)
    return todo, outdated


def run_batch(
    plan: Plan,
    out: Path,
    *,
    jobs: int | None = None,
    timeout: int | None = None,
    announce: Callable[[Schedule], None] = lambda plan: None,
    listen: pool.Listener = lambda run, news: None,
) -> list[dict[str, Any]]:
    """Do what the plan asks and the folder lacks, then gather the tables.

    Args:
        plan: What to run.
        out: Folder of the batch; of an earlier attempt, to resume it.
        jobs: Number of processes; None: as many as cores and free memory carry.
        timeout: Seconds that one cell may take.
        announce, listen: See `pool.execute`.

    Returns:
        The results of all runs of the plan, in its order.

    Raises:
        RunError: If another process works in the folder, or results cannot be written.
    """
    with files.lock(out, wait=False, complaint=BUSY.format(out)):
        todo, _ = pending(plan, out)
        pool.execute(todo, out, jobs=jobs, timeout=timeout, announce=announce, listen=listen)
        results = [run_folder.read_results(out / run.id) for run in plan.runs]
        if not all(results):
            raise RunError(f"Results vanished from {out} while the batch ran; start it again.")
        gather(results, plan.varied, out)
    return results


def gather(results: list[dict[str, Any]], varied: Iterable[str], out: Path) -> None:
    """Write the tables: `results.csv` and `.parquet` (a row per run and value), `summary.csv` (per setting and value).

    Args:
        results: Results of runs.
        varied: Parameters that get a column.
        out: Folder to write to.
    """
    table = tidy(results, varied)
    files.write_atomically(out / "results.csv", table.to_csv(index=False))
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False)
    files.write_atomically(out / "results.parquet", buffer.getvalue())
    files.write_atomically(out / "summary.csv", summarise(table, varied).to_csv(index=False))


def tidy(results: list[dict[str, Any]], varied: Iterable[str] = ()) -> pd.DataFrame:
    """One row per run and recorded value; text goes to the column `text`, numbers and truth values to `value`."""
    import pandas as pd

    rows = []
    for result in results:
        run = {key: result[key] for key in _RUN_COLUMNS}
        run |= {name: _cell(result["parameters"].get(name)) for name in varied}
        for entry in result["values"]:
            low, high = entry["interval"] or (None, None)
            is_text = isinstance(entry["value"], str)
            rows.append(
                run
                | {
                    "name": entry["name"],
                    "value": None if is_text else float(entry["value"]),
                    "text": entry["value"] if is_text else None,
                    "unit": entry["unit"],
                    "low": low,
                    "high": high,
                    "baseline": 0.0 if entry.get("over") else entry["baseline"],  # a gain is measured against nothing
                }
            )
    columns = [*_RUN_COLUMNS, *varied, *_VALUE_COLUMNS]
    numbers = dict.fromkeys(("value", "low", "high", "baseline", "seconds"), "float64") | dict.fromkeys(
        ("text", "dataset"), "str"
    )
    table = pd.DataFrame(rows, columns=columns).astype(numbers)
    for name in varied:
        if table[name].dtype == object:  # of several types, or beyond 64 bits: Parquet has no such column
            table[name] = table[name].map(str, na_action="ignore").astype("str")
    return table


def summarise(table: pd.DataFrame, varied: Iterable[str] = ()) -> pd.DataFrame:
    """Mean, standard deviation, number and 95 % t-interval of every number, per setting: over its seeds.

    Args:
        table: What `tidy` gave; failed runs are left out.
        varied: Parameters that tell settings apart.

    Returns:
        Columns of the setting, then name, unit, n, mean, sd, low, high, baseline (its mean); with one run sd, low and
        high are missing.
    """
    from scipy import stats

    groups = by_setting(table, varied)
    found = groups["value"].agg(n="count", mean="mean", sd="std").reset_index()
    half = stats.t.ppf(0.975, (found["n"] - 1).where(found["n"] > 1)) * found["sd"] / found["n"] ** 0.5
    found["low"], found["high"] = found["mean"] - half, found["mean"] + half
    found["baseline"] = groups["baseline"].mean().to_numpy()
    return found


def by_setting(table: pd.DataFrame, varied: Iterable[str] = ()) -> Any:
    """The numbers of finished runs, grouped by setting and name."""
    usable = table[(table["status"] == "ok") & table["value"].notna()]
    return usable.groupby([*SETTING, *varied, "name", "unit"], dropna=False, sort=False)


def varied_columns(table: pd.DataFrame) -> list[str]:
    """Those columns of a tidy table that hold the parameters of the plan's grid."""
    return [c for c in table.columns if c not in COLUMNS]


def _grid(content: Mapping[str, Any], path: Path, chosen: list[Lesson]) -> dict[str, list[Any]]:
    """What `parameters` of a plan says: name → values, for a parameter that is a list a list of lists.

    Raises:
        BadParameter: If it is no mapping, a name has no values, or a value of a list stands without its brackets.
    """
    grid = content.get("parameters") or {}
    if not isinstance(grid, Mapping):
        raise BadParameter(f"{path}: parameters must hold lines such as  EPOCHS: [1, 5].")
    grid = {str(name): values if isinstance(values, list) else [values] for name, values in grid.items()}
    lists = {p.name: p.default for lesson in chosen for p in lesson.parameters.values() if p.type == "list"}
    for name, values in grid.items():
        if not values:
            raise BadParameter(f"{path}: the parameter {name} has no values; name at least one.")
        if name in lists and not all(isinstance(value, list) for value in values):
            example = json.dumps([lists[name]], ensure_ascii=False)
            raise BadParameter(f"{path}: {name} is itself a list; give each value its brackets:  {name}: {example}.")
    return grid


def _list(content: Mapping[str, Any], key: str) -> list[Any]:
    values = content.get(key)
    if values is None:
        return []
    return values if isinstance(values, list) else [values]


def _cell(value: Any) -> Any:
    """A parameter's value as it can stand in a table's cell."""
    return json.dumps(value) if isinstance(value, list) else value

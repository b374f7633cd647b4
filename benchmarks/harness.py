"""What all benchmarks share: options, work folder, resume, kept models, gains, hardware; rows as in `rows`.

A script holds its question only: it builds a `parser` and gives `run` a function that measures. A measurement is kept
in --work as it ends, its rows last and each file whole or not at all. It is not made again unless something that
decides it has changed: the data, or what the script names in `made_of`. A model is kept under the hash of all that
decides it (`Bench.kept`), so that a changed recipe never meets an old model; the scripts share these models.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import hashlib
import importlib.metadata
import io
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import psutil
from rows import COLUMNS, KEY, NUMBERS, read_rows

from llmarm_tutorial.data import loading
from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.errors import DataError, LlmarmError, RunError
from llmarm_tutorial.evaluation.intervals import bootstrap_interval
from llmarm_tutorial.evaluation.ranking import evaluate
from llmarm_tutorial.evaluation.tasks import Task
from llmarm_tutorial.files import lock, write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from llmarm_tutorial.models.item_model import ItemModel
    from llmarm_tutorial.models.recipes import Fitted, Recipe

ROOT = Path(__file__).resolve().parents[1]
CUSTOMERS = 200  # with --smoke
LEAST_COUNT = {"movielens-1m": 5}  # how often an item must occur, as published; other sets are taken whole
PACKAGES = (
    "numpy", "scipy", "pandas", "torch", "transformers", "accelerate", "peft", "torch-geometric", "onnxruntime",
    "mlxtend", "pyfim", "efficient-apriori", "prefixspan", "pyaerial",
)  # fmt: skip


# --- what decides a measurement ---------------------------------------------------------------------------------------


def fingerprint(*parts: Any) -> str:
    """A hash of whatever decides a measurement or a model: 16 hexadecimal digits, the same on every machine.

    Args:
        parts: Recipes and other dataclasses, histories, tasks, transactions, networks, arrays, numbers, words, None,
            and lists, tuples and dictionaries of these.

    Raises:
        TypeError: If a part is something else, whose text might not say what it is.
    """
    return hashlib.sha256("\n".join(map(_said, parts)).encode()).hexdigest()[:16]


def _said(part: Any) -> str:
    if isinstance(part, Histories):
        return _said([part.items, part.offsets, part.visits, part.n_items])
    if isinstance(part, Task):
        return part.fingerprint
    if isinstance(part, Transactions):
        return part.fingerprint()
    if isinstance(part, np.ndarray):
        return f"{part.dtype.str} {part.shape} {hashlib.sha256(np.ascontiguousarray(part).tobytes()).hexdigest()}"
    if hasattr(part, "state_dict"):
        return _said([(name, weight.detach().cpu().float().numpy()) for name, weight in part.state_dict().items()])
    if dataclasses.is_dataclass(part):
        return type(part).__name__ + _said(
            {field.name: getattr(part, field.name) for field in dataclasses.fields(part)}
        )
    if isinstance(part, Mapping):
        return "{" + ", ".join(f"{name!r}: {_said(value)}" for name, value in part.items()) + "}"
    if isinstance(part, list | tuple):
        return "[" + ", ".join(map(_said, part)) + "]"
    if isinstance(part, np.generic):
        return repr(part.item())
    if part is None or isinstance(part, str | int | float):
        return repr(part)
    raise TypeError(f"a {type(part).__name__} cannot be told from another one by its text")


# --- the bench -------------------------------------------------------------------------------------------------------


class Bench:
    """One run of one script.

    Attributes:
        name: Name of the script, and of what it writes.
        options: What was given on the command line.
        smoke: Whether this is only to show that the script runs.
        work: Folder of this script's rows, per-case values and notes.

    Raises:
        RunError: If rows or notes of an earlier run are damaged.
    """

    def __init__(self, name: str, options: argparse.Namespace) -> None:
        self.name, self.options, self.smoke = name, options, options.smoke
        self.work = options.work / name
        self._loaded: dict[str, Transactions] = {}
        self._rows: dict[tuple, dict[str, Any]] = {}
        self.notes: dict[str, dict[str, Any]] = {}
        try:
            if (self.work / "rows.csv").exists():
                for row in read_rows(self.work / "rows.csv")[[*COLUMNS, "made_of"]].to_dict("records"):
                    row["seed"] = None if pd.isna(row["seed"]) else int(row["seed"])
                    self._rows[tuple(row[column] for column in KEY)] = row
            if (self.work / "notes.json").exists():
                self.notes = dict(json.loads((self.work / "notes.json").read_text(encoding="utf-8")))
        except (OSError, ValueError, LookupError, TypeError):
            raise RunError(
                f"{self.work} holds rows or notes that are damaged: empty it, or name another --work."
            ) from None

    # --- data

    def datasets(self) -> Iterator[tuple[str, Transactions]]:
        """The sets of --data that are on this machine; the others are named and left out.

        Raises:
            DataError: If none is.
        """
        here = 0
        for name in dict.fromkeys(given.split("@")[0] for given in self.options.data):
            try:
                data = self.load(name)
            except LlmarmError as error:
                print(f"{name}: left out. {error}", flush=True)
                continue
            here += 1
            yield name, data
        if not here:
            raise DataError("None of the data sets is on this machine: fetch them with  llmarm data fetch NAME.")

    def load(self, name: str) -> Transactions:
        """A data set as the benchmarks use it, with --smoke its first customers (or baskets) only."""
        if name not in self._loaded:
            data = loading.load(name)
            if self.smoke:
                unit = data.table["user_id" if "users" in data.aspects else "basket_id"]
                data = data.rows(unit.isin(unit.dropna().unique()[:CUSTOMERS]).to_numpy())
            self._loaded[name] = data.filter_items(LEAST_COUNT[name]) if name in LEAST_COUNT else data
        return self._loaded[name]

    # --- measuring

    def has(
        self, data: str, system: str, *, seed: int | None = 0, setting: str = "", made_of: Sequence[Any] = ()
    ) -> bool:
        """Whether this was measured before, from the same data and from equal parts; see `fingerprint`."""
        made = self._made(data, made_of)
        return any(row["made_of"] == made for row in self._rows.values() if _same(row, data, system, setting, seed))

    def add(
        self,
        data: str,
        system: str,
        values: Mapping[str, float | tuple[float, float, float]],
        *,
        seed: int | None = 0,
        setting: str = "",
        made_of: Sequence[Any] = (),
        seconds: float = np.nan,
        memory: float = np.nan,
        cases: Mapping[str, np.ndarray] | None = None,
        notes: Mapping[str, Any] | None = None,
    ) -> None:
        """Keep a measurement, in place of an earlier one of the same name: all of it, or after a crash nothing.

        Args:
            data: Name of the data set.
            system: What was measured.
            values: Metric → value, or value with the two ends of its interval.
            seed: Seed of the measurement; 0 where nothing is drawn.
            setting: See `setting`.
            made_of: What decides the values besides data set and seed: recipes, settings, limits. Other seeds that
                were made of something else are dropped: a mean over seeds is of one thing.
            seconds: Processor seconds that the system cost.
            memory: Highest memory, MB.
            cases: Metric → value of every case, shape (n_cases,), from which `gain` computes.
            notes: Words and curves, for the JSON file.
        """
        for metric, found in (cases or {}).items():
            file = io.BytesIO()
            np.save(file, np.asarray(found, dtype=np.float32))
            write_atomically(self._cases(data, system, setting, seed, metric), file.getvalue())
        made = self._made(data, made_of)
        if seed is not None:
            for key, row in list(self._rows.items()):
                same = key[:3] == (data, system, setting)
                over_it = (key[0], key[2]) == (data, setting) and row["metric"].endswith(f" gain on {system}")
                if over_it or (same and (row["seed"] in (seed, None) or row["made_of"] != made)):
                    del self._rows[key]  # measured before, or a gain from or on it, or another seed of what is no more
        for metric, value in values.items():
            value, low, high = value if isinstance(value, tuple) else (value, np.nan, np.nan)
            found = (data, system, setting, seed, metric, value, low, high, seconds, memory)
            row = dict(zip(COLUMNS, found, strict=True)) | {"made_of": made}
            self._rows[tuple(row[column] for column in KEY)] = row
        label = _label(data, system, setting, seed)
        if self.notes.pop(label, None) or notes:
            self.notes |= {label: dict(notes)} if notes else {}
            write_atomically(self.work / "notes.json", json.dumps(self.notes, indent=1) + "\n")
        write_atomically(self.work / "rows.csv", self._table("made_of").to_csv(index=False))
        shown = ", ".join(f"{metric} {_plain(value)}" for metric, value in list(values.items())[:3])
        shown = (notes or {}).get("note", shown)
        cost = "" if np.isnan(seconds) else f", {seconds:,.3g} s"
        print(f"{label}: {shown}{cost}", flush=True)

    def missing(self, data: str, system: str, **which: Any) -> list[int]:
        """Those of the seeds asked for with which a system was not measured before, see `has`."""
        return [seed for seed in self.options.seeds if not self.has(data, system, seed=seed, **which)]

    def forget(self, data: str, system: str) -> None:
        """Drop what was measured and noted of a system on a data set, in whatever setting."""
        for key in [key for key in self._rows if key[:2] == (data, system)]:
            row = self._rows.pop(key)
            self.notes.pop(_label(data, system, row["setting"], row["seed"]), None)

    def gain(
        self,
        data: str,
        system: str,
        rival: str,
        metric: str = "NDCG@10",
        *,
        setting: str = "",
        rival_setting: str = "",
        clusters: Sequence[np.ndarray] = (),
    ) -> None:
        """Add the mean difference to a rival on the same cases, with its paired bootstrap interval (95 %).

        Both are averaged over their seeds case by case, the rival over ours only where it has them all; cases where
        either has no value are left out. Nothing is added where one of the two was not measured. Cases that share a
        cluster depend on one another, see `bootstrap_interval`.
        """
        ours = self.cases(data, system, metric, setting)
        theirs = self.cases(data, rival, metric, rival_setting, of=self.seeds(data, system, setting))
        if ours is None or theirs is None:
            return
        if ours.shape != theirs.shape:
            raise RunError(f"{system} and {rival} were measured on different cases of {data}: empty {self.work}.")
        gains = ours - theirs
        low, high = bootstrap_interval(gains, clusters)
        values = {f"{metric} gain on {rival}": (float(np.nanmean(gains)), float(low), float(high))}
        self.add(data, system, values, seed=None, setting=setting)

    def seeds(self, data: str, system: str, setting: str = "") -> list[int]:
        """The seeds measured."""
        found = (row["seed"] for row in self._rows.values() if _same(row, data, system, setting, row["seed"]))
        return [seed for seed in dict.fromkeys(found) if seed is not None]

    def cases(
        self, data: str, system: str, metric: str = "NDCG@10", setting: str = "", *, of: Sequence[int] = ()
    ) -> np.ndarray | None:
        """A metric of every case, shape (n_cases,); None if there are none.

        It is the mean over the seeds `of`, or over all seeds measured where one of those is not.
        """
        seeds = self.seeds(data, system, setting)
        seeds = list(of) if of and set(of) <= set(seeds) else seeds
        paths = [self._cases(data, system, setting, seed, metric) for seed in seeds]
        kept = [np.load(path).astype(float) for path in paths if path.exists()]
        return np.mean(kept, axis=0) if kept else None

    # --- models

    def kept(self, *decides: Any) -> Path:
        """A folder for what is kept of a training, under the hash of all that decides it; see `fingerprint`."""
        return self.options.work / "models" / fingerprint(*decides)

    def model(
        self,
        recipe: Recipe,
        histories: Histories,
        seed: int,
        *,
        validation: Task | None = None,
        filter_seen: bool = True,
        start: ItemModel | None = None,
    ) -> Fitted:
        """A trained item model, or the one kept of the same recipe, histories, seed, validation and start.

        Args:
            recipe: How it is made; see `smaller` for what --smoke makes of it.
            histories: The training part.
            seed: Seed of everything.
            validation: The best epoch is chosen by NDCG@10 on this task; None keeps the last one.
            filter_seen: Whether validation leaves out what the history holds.
            start: Trained in place of a new model.
        """
        recipe = self.smaller(recipe)
        folder = self.kept(recipe.key(histories, start=start), seed, validation, filter_seen)

        def score(system: Any) -> float:
            return evaluate(system, validation, ks=(10,), filter_seen=filter_seen).mean("NDCG@10")

        return recipe.fit(
            histories, seed=seed, model=start, validate=None if validation is None else score, folder=folder
        )

    def smaller(self, recipe: Recipe) -> Recipe:
        """The recipe; with --smoke one of the same kind that takes a second."""
        small = dict.fromkeys(("layers", "heads", "epochs", "validate_every"), 1)
        small |= {"hidden": 16, "feed_forward": 16, "max_length": 20}
        return dataclasses.replace(recipe, **small) if self.smoke else recipe

    # --- results

    @property
    def rows(self) -> pd.DataFrame:
        """All rows so far, those of earlier calls with the same --work among them."""
        return self._table()

    def _table(self, *more: str) -> pd.DataFrame:
        table = pd.DataFrame(self._rows.values(), columns=[*COLUMNS, *more])
        return table.astype({"seed": "Int64"} | dict.fromkeys(NUMBERS, float))

    def write(self, figures: Mapping[str, Figure], seconds: float) -> None:
        """Write NAME.csv, NAME.json and the figures, which say of which rows they are, into --out."""
        out: Path = self.options.out
        rows = self.rows.to_csv(index=False, float_format="%.6g")
        write_atomically(out / f"{self.name}.csv", rows)
        about = {"command": command(self.name), **hardware(), "seconds": round(seconds), "notes": self.notes}
        write_atomically(out / f"{self.name}.json", json.dumps(about, indent=1) + "\n")
        for stem, figure in figures.items():
            file = io.BytesIO()
            figure.savefig(file, format="png", dpi=130, bbox_inches="tight", metadata={"Source": fingerprint(rows)})
            write_atomically(out / f"{stem}.png", file.getvalue())
        print(f"wrote {self.name} to {out}, after {seconds:.0f} s", flush=True)

    def _made(self, data: str, made_of: Sequence[Any]) -> str:
        return fingerprint(self._loaded.get(data), *made_of)

    def _cases(self, *key: Any) -> Path:
        return self.work / "cases" / f"{fingerprint(*key)}.npy"


def _same(row: Mapping[str, Any], data: str, system: str, setting: str, seed: int | None) -> bool:
    return (row["data"], row["system"], row["setting"], row["seed"]) == (data, system, setting, seed)


def _label(data: str, system: str, setting: str, seed: int | None) -> str:
    return " | ".join([data, *[setting] * bool(setting), system, *[f"seed {seed}"] * bool(seed)])


def _plain(value: Any) -> str:
    return "{:.4g} [{:.4g}, {:.4g}]".format(*value) if isinstance(value, tuple) else f"{value:,.4g}"


def command(name: str) -> str:
    """The command that this process is, or the BENCH_COMMAND that runs it with others."""
    return os.environ.get("BENCH_COMMAND") or " ".join(["python", f"benchmarks/{name}.py", *sys.argv[1:]])


def hardware() -> dict[str, Any]:
    """Versions, machine and threads."""
    torch = sys.modules.get("torch")
    gpu = [_graphics_card()] if torch and torch.cuda.is_available() else []
    versions = {}
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return {
        "python": platform.python_version(),
        "machine": ", ".join([platform.machine(), f"{psutil.cpu_count()} cores", *gpu]),
        "threads": torch.get_num_threads() if torch else 1,
        "versions": versions,
    }


def _graphics_card() -> str:
    """Name and driver of the first graphics card, CUDA as PyTorch has it."""
    asked = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader", "--id=0"]
    name, driver = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip().split(", ")
    return f"{name}, driver {driver}, CUDA {sys.modules['torch'].version.cuda}"


# --- the command line -------------------------------------------------------------------------------------------------


def parser(
    doc: str,
    *,
    data: Sequence[str],
    seeds: Sequence[int] = (0,),
    smoke: Sequence[str] = ("shop",),
    choices: Sequence[str] | None = None,
) -> argparse.ArgumentParser:
    """The options that all benchmarks have; a script adds its own.

    Args:
        doc: The script's docstring.
        data: The data sets that it takes when none is named.
        seeds: Likewise the seeds.
        smoke: What stands in for `data` with --smoke; it also takes one seed only, and a work folder of its own.
        choices: The only sets that it can take, as it has a recipe for each; None for any.
    """
    found = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    found.add_argument(
        "--data", nargs="+", default=list(data), choices=choices, metavar="NAME",
        help=f"data sets; usually {' '.join(data)}",
    )  # fmt: skip
    found.add_argument("--seeds", nargs="+", type=int, default=list(seeds), help="usually %(default)s")
    found.add_argument(
        "--work", type=Path, default=ROOT / "runs" / "benchmarks", help="keeps what is measured, and models"
    )
    found.add_argument("--out", type=Path, default=ROOT / "results" / "benchmarks", help="where the results go")
    found.add_argument("--collect", action="store_true", help="measure nothing: write what --work holds")
    found.add_argument(
        "--smoke", action="store_true", help=f"show that it runs: {CUSTOMERS} customers of the shop, one seed"
    )
    found.set_defaults(smoke_data=list(smoke))
    return found


def run(
    options: argparse.ArgumentParser,
    measure: Callable[[Bench], None],
    figures: Callable[[pd.DataFrame, Bench], Mapping[str, Figure]] | None = None,
) -> None:
    """Measure and write: all that `main` of a benchmark does.

    Args:
        options: The `parser`.
        measure: Measures what is not there yet.
        figures: From all rows and the bench to figures by the name of their file; drawn in the kit's style.
    """
    if "--smoke" in sys.argv[1:]:
        work = ROOT / "runs" / "smoke"
        seeds, data = options.get_default("seeds")[:1], options.get_default("smoke_data")
        options.set_defaults(data=data, seeds=seeds, work=work, out=work / "results")
    given = options.parse_args()
    name, begin = Path(sys.argv[0]).stem, time.perf_counter()
    busy = f"Another run works in {given.work / name}: wait for it, or name another --work."
    try:
        with lock(given.work / name, wait=False, complaint=busy):
            bench = Bench(name, given)  # reads what is there, so that no other run may write meanwhile
            if not given.collect:
                measure(bench)
            if bench.rows.empty:
                raise RunError(f"{bench.work} holds no results: nothing was measured.")
            drawn: Mapping[str, Figure] = {}
            if figures:
                import matplotlib

                matplotlib.use("Agg")
                from llmarm_tutorial.figures import house_style

                with house_style.style():
                    drawn = figures(bench.rows, bench)
            bench.write(drawn, time.perf_counter() - begin)
    except LlmarmError as error:
        sys.exit(str(error))

"""The corner shop: simulated baskets in which we know what is true.

`generate` makes a shop in memory, `write` one of any size on disk, and `truth` and `planted_rules` say what a method
should find in it. `plan` holds what the shop is made of, `draw` draws the baskets, and
`truth_table` counts what came out.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm.auto import tqdm

from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.data.shop import plan, structure_plan
from llmarm_tutorial.data.shop.draw import Drawing
from llmarm_tutorial.data.shop.structure_plan import STRUCTURE
from llmarm_tutorial.data.shop.truth_table import Tally
from llmarm_tutorial.errors import DataError, UnknownName
from llmarm_tutorial.files import ROOT

SEED, CUSTOMERS, WEEKS = 2153, 2_000, 78  # of the shipped shop
SHIPPED = ROOT / "data" / "shop"
FILES = ("transactions.parquet", "items.parquet", "users.parquet", "truth.json")


class Shop(NamedTuple):
    """A shop in memory: the tables of the Parquet files and the parsed truth."""

    transactions: pd.DataFrame
    items: pd.DataFrame
    users: pd.DataFrame
    truth: dict[str, Any]


def generate(seed: int = SEED, customers: int = CUSTOMERS, weeks: int = WEEKS, structure: float = STRUCTURE) -> Shop:
    """Draw a shop.

    Args:
        seed: Seed of everything random, at least 0.
        customers: Number of customers, at least 1; about 20 baskets each in 78 weeks.
        weeks: Number of weeks from Monday, 1 January 2024, at least 30.
        structure: The dial, in [0, 1]: share of the planted strengths of projects, styles and conjunctions that is at
            work; 0 leaves tastes and habits that are independent of each other.

    Returns:
        The shop, equal to what `write` with the same arguments puts on disk.

    Raises:
        BadParameter: If an argument is out of range.
    """
    drawing, tables, users = Drawing(seed, customers, weeks, structure), [], []
    tally = Tally(drawing)
    for chunk in drawing.chunks():
        tally.add(chunk)
        tables.append(chunk.transactions)
        users.append(chunk.users)
    return Shop(
        pa.concat_tables(tables).to_pandas(),
        drawing.items().to_pandas(),
        pa.concat_tables(users).to_pandas(),
        tally.truth(),
    )


def write(
    folder: str | Path,
    customers: int = CUSTOMERS,
    seed: int = SEED,
    weeks: int = WEEKS,
    structure: float = STRUCTURE,
    progress: bool = True,
) -> Path:
    """Draw a shop straight to Parquet, in the memory of one chunk. Nothing half-written is ever left.

    Args:
        folder: Where `FILES` go; made if absent. A shop that lies there is replaced, once the new one is complete.
        customers: Number of customers, at least 1.
        seed: Seed of everything random.
        weeks: Number of weeks, at least 30.
        structure: The dial, as for `generate`.
        progress: Whether to show a progress bar (in customers).

    Returns:
        The folder.

    Raises:
        BadParameter: If an argument is out of range.
        DataError: If the folder holds something else than a shop, or the disk refuses or is full.
    """
    folder = Path(folder).expanduser().absolute()
    drawing = Drawing(seed, customers, weeks, structure)
    if folder.exists() and (not folder.is_dir() or {entry.name for entry in folder.iterdir()} - set(FILES)):
        raise DataError(f"{folder} holds other files than a corner shop; choose an empty or a new folder.")
    beside = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        new = beside / "new"
        new.mkdir()
        _stream(drawing, new, progress)
        if folder.exists():
            os.replace(folder, beside / "old")
        os.replace(new, folder)
    except OSError as error:
        raise DataError(
            f"The corner shop could not be written to {folder} ({error.strerror or error}); free some space or choose "
            "another folder, nothing was left behind."
        ) from error
    finally:
        if beside is not None:
            if (beside / "old").exists() and not folder.exists():  # interrupted between the two renames
                os.replace(beside / "old", folder)
            shutil.rmtree(beside, ignore_errors=True)
    return folder


def _stream(drawing: Drawing, folder: Path, progress: bool) -> None:
    """Write all files of the shop into an existing folder, chunk by chunk, and flush them to the disk."""
    tally, writers = Tally(drawing), {}
    with contextlib.ExitStack() as stack:
        bar = stack.enter_context(
            tqdm(total=drawing.customers, unit=" customers", desc="corner shop", disable=not progress)
        )
        for chunk in drawing.chunks():
            tally.add(chunk)
            for name, table in (("transactions", chunk.transactions), ("users", chunk.users)):
                if name not in writers:
                    writer = pq.ParquetWriter(folder / f"{name}.parquet", table.schema, compression="zstd")
                    writers[name] = stack.enter_context(writer)
                writers[name].write_table(table)
            bar.update(len(chunk.users))
    pq.write_table(drawing.items(), folder / "items.parquet", compression="zstd")
    text = json.dumps(tally.truth(), ensure_ascii=False, indent=1)
    (folder / "truth.json").write_text(text + "\n", encoding="utf-8")
    for name in FILES:
        with open(folder / name, "rb+") as file:
            os.fsync(file.fileno())


def truth(folder: str | Path | None = None) -> dict[str, Any]:
    """The planted truth of a shop.

    Args:
        folder: Folder of a shop made by `write`; None takes the shipped one (drawn anew where it is not installed).

    Raises:
        DataError: If the folder has no readable truth.json.
    """
    if folder is None and not (SHIPPED / "truth.json").exists():
        return _drawn_truth()
    path = Path(folder or SHIPPED) / "truth.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is not a readable truth file; make the shop with `llmarm data make`.") from error


@functools.cache
def _drawn_truth() -> dict[str, Any]:
    return generate().truth


def planted_rules(kind: str | Iterable[str] | None = "same_basket", folder: str | Path | None = None) -> pd.DataFrame:
    """What is planted, one row each, for scoring what a method recovers.

    Args:
        kind: A key of `plan.KINDS`, or several, or None for all.
        folder: Folder of a shop, as for `truth`.

    Returns:
        Columns id, kind, antecedent and consequent (frozensets of item_id), antecedent_names, consequent_names,
        difficulty, strength, expected_support, expected_confidence, expected_lift, and support, confidence, lift and
        count as they came out, all within the baskets where the rule holds (the segment, the weeks, else all).

    Raises:
        UnknownName: If there is no such kind.
    """
    kinds = list(plan.KINDS) if kind is None else [kind] if isinstance(kind, str) else list(kind)
    for name in kinds:
        if name not in plan.KINDS:
            raise UnknownName("kind of planted rule", name, plan.KINDS)
    rows = [
        {
            "id": entry["id"],
            "kind": entry["kind"],
            "antecedent": frozenset(entry["antecedent"]),
            "consequent": frozenset(entry["consequent"]),
            "antecedent_names": ", ".join(entry["antecedent_names"]),
            "consequent_names": ", ".join(entry["consequent_names"]),
            "difficulty": entry["difficulty"],
            "strength": entry["strength"],
            "expected_support": entry["expected"]["support"],
            "expected_confidence": entry["expected"]["confidence"],
            "expected_lift": entry["expected"]["lift"],
            **{name: entry["realised"][entry["view"]][name] for name in ("support", "confidence", "lift", "count")},
        }
        for entry in truth(folder)["planted"]
        if entry["kind"] in kinds
    ]
    return pd.DataFrame(rows)


def planted_structure(folder: str | Path | None = None) -> pd.DataFrame:
    """What is planted among the roles and styles of the range, one row each.

    Args:
        folder: Folder of a shop, as for `truth`.

    Returns:
        Columns id, kind (project, style, conjunction, exchangeable), name, roles, strength (at a dial of 1), expected
        (a share, at the dial of this shop), realised (the same share as it came out) and count (of what).
    """
    columns = ["id", "kind", "name", "roles", "strength", "expected", "realised", "count"]
    return pd.DataFrame([{name: entry[name] for name in columns} for entry in truth(folder)["structure"]["planted"]])


def range_items(folder: str | Path | None = None) -> frozenset[int]:
    """Ids of the products of the range, whose links go by role and style and not by single products.

    Args:
        folder: Folder of a shop, as for `truth`.
    """
    structure = truth(folder)["structure"]
    of_styles = [ids for by_style in structure["roles"].values() for ids in by_style.values()]
    return frozenset(id_ for ids in [*of_styles, *structure["kits"].values()] for id_ in ids)


def on_errand(histories: Histories, item_ids: Sequence[int]) -> np.ndarray:
    """Which customers are in the middle of a project, as far as their history shows.

    The sign is a last visit with two products or more of one style of the range; only the past is looked at.

    Args:
        histories: What is known of each case.
        item_ids: Id of each item code, shape (n_items,), as in the shop's item table.

    Returns:
        Shape (n_cases,), bool.
    """
    styles = list(structure_plan.STYLES)
    of_style = np.array([styles.index(m.style) if m.style else -1 for m in structure_plan.MEMBERS])
    style = np.full(len(item_ids), -1)
    number = np.asarray(item_ids) - structure_plan.FIRST_ID
    inside = (number >= 0) & (number < len(of_style))
    style[inside] = of_style[number[inside]]
    last = histories.visits == histories.visits[histories.offsets[histories.rows + 1] - 1]
    counted = last & (style[histories.items] >= 0)
    held = np.zeros((len(histories), len(styles)), dtype=np.int64)
    np.add.at(held, (histories.rows[counted], style[histories.items[counted]]), 1)
    return (held >= 2).any(axis=1)

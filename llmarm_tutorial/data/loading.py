"""The catalogue: which data sets exist, where they lie, whether they hold what they must, and how any set is loaded.

A set is sought in the folder `LLMARM_DATA`, then in the user's cache (`data_home`), and never downloaded unasked:
`llmarm data fetch NAME` does that. The entries themselves are data, in `catalogue.toml`.
"""

from __future__ import annotations

import os
import tomllib
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pooch

from llmarm_tutorial.data import own_files, readers
from llmarm_tutorial.data.transactions import ASPECTS, Transactions
from llmarm_tutorial.errors import BadParameter, DataError, UnknownName
from llmarm_tutorial.files import ROOT

SHIPPED_SHOP = ROOT / "data" / "shop"


@dataclass(frozen=True)
class Entry:
    """A data set of the catalogue.

    Attributes:
        name: What users call it.
        title: One line that says what it is.
        source: The official page.
        urls: Download addresses in the order in which they are tried; none for what is generated.
        licence: The terms that bind its users.
        citation: What to cite.
        reader: Name of the function in `readers`.
        files: Names of the main file, in order of preference.
        parts: Names of files that belong to the main file and lie beside it.
        folders: Names of the folder that holds it, beside its own name.
        aspects: Which of `transactions.ASPECTS` it has.
        drops: What the reader leaves out.
        megabytes: Room that fetching it needs on disk.
        fingerprint: Expected `Transactions.fingerprint(columns)`; empty where only a recorded seed decides.
        columns: The columns that the fingerprint covers: those that all official copies share.
        counts: Expected counts after reading, by their names in `Transactions.describe`.
        published: Expected counts of the file as published, where the reader cleans it.
    """

    name: str
    title: str
    source: str
    urls: tuple[str, ...]
    licence: str
    citation: str
    reader: str
    files: tuple[str, ...]
    aspects: frozenset[str]
    parts: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    drops: str = "nothing"
    megabytes: int = 0
    fingerprint: str = ""
    columns: tuple[str, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    published: Mapping[str, int] = field(default_factory=dict)


class Finding(NamedTuple):
    """One line of a `Report`: what was looked at, what it should be, what it is, whether they agree."""

    what: str
    expected: Any
    found: Any
    ok: bool


@dataclass(frozen=True)
class Report:
    """What a check of a data set found.

    Attributes:
        name: The data set.
        path: Its main file.
        rows: One finding per fact of its catalogue entry.
        notes: What the reader dropped or merged: description → number of rows.
    """

    name: str
    path: Path
    rows: tuple[Finding, ...]
    notes: Mapping[str, int]

    @property
    def ok(self) -> bool:
        """Whether all that was expected was found."""
        return all(row.ok for row in self.rows)


@cache
def _entries() -> dict[str, Entry]:
    listed = tomllib.loads(Path(__file__).with_name("catalogue.toml").read_text("utf-8"))
    entries = {}
    for name, facts in listed.items():
        facts = {key: tuple(value) if isinstance(value, list) else value for key, value in facts.items()}
        entries[name] = Entry(**facts | {"name": name, "aspects": frozenset(facts["aspects"])})
    return entries


def entries() -> list[Entry]:
    """All data sets, the shop first."""
    return list(_entries().values())


def names() -> list[str]:
    """Names of all data sets, the shop first."""
    return list(_entries())


def names_with(*aspects: str) -> list[str]:
    """Names of the data sets that have all the given aspects.

    Raises:
        UnknownName: If an aspect is none of `transactions.ASPECTS`.
    """
    for aspect in aspects:
        if aspect not in ASPECTS:
            raise UnknownName("aspect", aspect, ASPECTS)
    return [entry.name for entry in entries() if entry.aspects.issuperset(aspects)]


def entry(name: str) -> Entry:
    """The entry of that name.

    Raises:
        UnknownName: If there is none.
    """
    if name not in _entries():
        hint = "A file of your own is named by its path, such as sales.csv."
        raise UnknownName("data set", name, names(), hint=hint)
    return _entries()[name]


def data_home() -> Path:
    """The user's cache of data sets: `LLMARM_CACHE`, else the place the operating system has for caches."""
    return Path(os.environ.get("LLMARM_CACHE") or pooch.os_cache("llmarm"))


def locate(entry: Entry) -> Path | None:
    """Main file of a data set on this machine, or None: the checkout's (shop), `LLMARM_DATA`'s, the cache's."""
    if entry.reader == "shop":
        return find(entry, (SHIPPED_SHOP, data_home() / entry.name))
    roots = [Path(root) for root in (os.environ.get("LLMARM_DATA"), data_home()) if root]
    return find(entry, (root / folder for root in roots for folder in (entry.name, *entry.folders, ".")))


def misdirection() -> str:
    """A sentence, with a blank before it, if `LLMARM_DATA` points to no folder; else ""."""
    place = os.environ.get("LLMARM_DATA")
    if not place or Path(place).is_dir():
        return ""
    return f" LLMARM_DATA is {place}, which is no folder: correct it or unset it."


def find(entry: Entry, folders: Iterable[Path]) -> Path | None:
    """The first main file of a data set in the folders given; spelling of blanks and case does not matter."""
    for folder in folders:
        present = {plain(path.name): path for path in folder.iterdir()} if folder.is_dir() else {}
        for name in entry.files:
            if plain(name) in present:
                return present[plain(name)]
    return None


def plain(file: str) -> str:
    """A file's name without regard to case and to blanks, underscores and hyphens."""
    return file.lower().replace(" ", "").replace("_", "").replace("-", "").replace("+", "")


def load(
    dataset: str, *, basket_col: str = "", item_col: str = "", user_col: str = "", time_col: str = ""
) -> Transactions:
    """Load a data set of the catalogue, or a file of one's own.

    Args:
        dataset: A name of the catalogue, or the path of a CSV, Parquet or JSON lines file with one item per row.
        basket_col: For a file, the column that tells what was bought together.
        item_col: For a file, the column of items.
        user_col: For a file, the column of customers.
        time_col: For a file, the column of times.

    Returns:
        The transactions.

    Raises:
        UnknownName: If it is neither a name of the catalogue nor a path.
        BadParameter: If columns are named for a catalogue set, or too few for a file.
        DataError: If the set is not on this machine, or the file cannot be used.
    """
    columns = {"basket_col": basket_col, "item_col": item_col, "user_col": user_col, "time_col": time_col}
    if dataset in _entries():
        given = ", ".join(column for column, value in columns.items() if value)
        if given:
            raise BadParameter(f"{dataset} is a set of the catalogue, whose columns are known: leave out {given}.")
        found = locate(_entries()[dataset])
        return read(_entries()[dataset], found or _obtain(_entries()[dataset]))
    path = Path(dataset).expanduser()
    if path.exists() or path.suffix.lower() in own_files.SUFFIXES or len(path.parts) > 1:
        return own_files.read(path, **columns)
    raise UnknownName("data set", dataset, names(), hint="A file of your own is named by its path, such as sales.csv.")


def read(entry: Entry, path: Path) -> Transactions:
    """Read a data set's main file, with what belongs to it.

    Raises:
        DataError: If it does not hold the format of that data set.
    """
    try:
        return getattr(readers, entry.reader)(path, entry.name)
    except FileNotFoundError as error:
        raise DataError(f"{entry.name}: beside {path} the file {Path(error.filename).name} is missing.") from error
    except (ValueError, zipfile.BadZipFile) as error:  # what pandas, numpy and openpyxl make of wrong content
        reason = " ".join(str(error).split())
        raise DataError(f"{entry.name}: {path} is not in the format of this data set: {reason}.") from error


def check(name: str) -> Report:
    """Compare a data set on this machine with its catalogue entry, by content.

    Raises:
        UnknownName: If there is no such data set.
        DataError: If it is not on this machine or cannot be read.
    """
    chosen = entry(name)
    return examine(chosen, locate(chosen) or _obtain(chosen))


def examine(entry: Entry, path: Path) -> Report:
    """Compare a file with a catalogue entry, by content; see `check`."""
    data = read(entry, path)
    expected, found = dict(entry.counts), data.describe()
    if entry.published:
        cleaned = [{f"{what} after cleaning": count for what, count in counts.items()} for counts in (expected, found)]
        expected = {**entry.published, **cleaned[0]}
        found = readers.PUBLISHED_COUNTS[entry.reader](path) | cleaned[1]
    if entry.fingerprint:
        covered = f"fingerprint over {', '.join(entry.columns)}"
        expected[covered], found[covered] = entry.fingerprint, data.fingerprint(entry.columns)
    rows = tuple(Finding(what, value, found.get(what), found.get(what) == value) for what, value in expected.items())
    return Report(entry.name, path, rows, data.notes)


def _obtain(entry: Entry) -> Path:
    """Make the shop where it was not shipped; say how to fetch any other set that is not here."""
    if entry.reader == "shop":
        from llmarm_tutorial.data.shop import simulate as corner_shop  # slow to import, and seldom needed

        corner_shop.write(data_home() / entry.name)
        return data_home() / entry.name / entry.files[0]
    raise DataError(
        f"{entry.name} is not on this machine: run  llmarm data fetch {entry.name}  or set LLMARM_DATA to a folder "
        f"that holds {entry.files[0]} in {entry.name}/.{misdirection()}"
    )

"""The catalogue of data sets: what there is, what each has, and where its files lie."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pooch

from llmarm_tutorial.errors import UnknownName
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
        aspects: Which of `ASPECTS` it has.
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


@cache
def all_entries() -> dict[str, Entry]:
    """The data sets by name, read once."""
    listed = tomllib.loads(Path(__file__).with_name("catalogue.toml").read_text("utf-8"))
    entries = {}
    for name, facts in listed.items():
        facts = {key: tuple(value) if isinstance(value, list) else value for key, value in facts.items()}
        entries[name] = Entry(**facts | {"name": name, "aspects": frozenset(facts["aspects"])})
    return entries


def entries() -> list[Entry]:
    """All data sets, the shop first."""
    return list(all_entries().values())


def names() -> list[str]:
    """Names of all data sets, the shop first."""
    return list(all_entries())


def names_with(*aspects: str) -> list[str]:
    """Names of the data sets that have all the given aspects.

    Raises:
        UnknownName: If an aspect is none of `ASPECTS`.
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
    if name not in all_entries():
        hint = "A file of your own is named by its path, such as sales.csv."
        raise UnknownName("data set", name, names(), hint=hint)
    return all_entries()[name]


def resolve(dataset: str, folder: Path | None = None) -> Entry | Path:
    """What somebody means who names a data set: one of the catalogue, or else a file of their own.

    Every name comes through this door, so that a set of the catalogue is preferred to a file of its name everywhere.

    Args:
        dataset: A name of the catalogue or the path of a file; `~` is the home folder.
        folder: Where a relative path begins; None leaves it to the current folder.

    Returns:
        The entry of that name, or a path, whether there is such a file or not.
    """
    if dataset in all_entries():
        return all_entries()[dataset]
    path = Path(dataset).expanduser()
    return path if folder is None else folder / path


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


ASPECTS = {
    "baskets": "baskets (which items were bought together)",
    "users": "users (who bought)",
    "order": "an order of events (a time or a position per row)",
    "clock": "clock times (when it happened)",
}

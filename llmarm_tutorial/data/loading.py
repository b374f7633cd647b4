"""The catalogue: which data sets exist, where they lie, whether they hold what they must, and how any set is loaded.

A set is sought in the folder `LLMARM_DATA`, then in the user's cache (`data_home`), and never downloaded unasked:
`llmarm data fetch NAME` does that. The entries themselves are data, in `catalogue.toml`.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from llmarm_tutorial.data import decoding, own_files, readers
from llmarm_tutorial.data.catalogue import Entry, data_home, entry, locate, misdirection, resolve
from llmarm_tutorial.data.file_options import FileOptions
from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.errors import BadParameter, DataError


class CheckedFact(NamedTuple):
    """One line of a `DataCheck`: what was looked at, what it should be, what it is, whether they agree."""

    what: str
    expected: Any
    found: Any
    ok: bool


class Known(NamedTuple):
    """What is known of a data set before a lesson loads it.

    Attributes:
        aspects: Which of `ASPECTS` it has.
        data: The transactions of a file of one's own; None of a set of the catalogue, which is not read for it.
    """

    aspects: frozenset[str]
    data: Transactions | None = None


@dataclass(frozen=True)
class DataCheck:
    """What a check of a data set found.

    Attributes:
        name: The data set.
        path: Its main file.
        rows: One finding per fact of its catalogue entry.
        notes: What the reader dropped or merged: description → number of rows.
    """

    name: str
    path: Path
    rows: tuple[CheckedFact, ...]
    notes: Mapping[str, int]

    @property
    def ok(self) -> bool:
        """Whether all that was expected was found."""
        return all(row.ok for row in self.rows)


def load(
    dataset: str,
    *,
    basket_col: str = "",
    item_col: str = "",
    user_col: str = "",
    time_col: str = "",
    order_col: str = "",
    quantity_col: str = "",
    format: str = "",
) -> Transactions:
    """Load a data set of the catalogue, or a file of one's own.

    Args:
        dataset: A name of the catalogue, or the path of a file of one's own; see `own_files`.
        basket_col, item_col, user_col, time_col, order_col, quantity_col, format: For a file, how to read it; see
            `FileOptions`.

    Returns:
        The transactions.

    Raises:
        UnknownName: If it is neither a name of the catalogue nor a path, or if there is no such format.
        BadParameter: If columns are named for a catalogue set, or too few for a file.
        DataError: If the set is not on this machine, or the file cannot be used.
    """
    options = FileOptions(basket_col, item_col, user_col, time_col, order_col, quantity_col, format)
    meant = _meant(dataset, options)
    return read(meant, locate(meant) or _obtain(meant)) if isinstance(meant, Entry) else own_files.read(meant, options)


def survey(dataset: str, options: FileOptions) -> Known:
    """What a data set has; a file of one's own is read for it, as `load` reads it.

    Raises:
        UnknownName, BadParameter, DataError: As in `load`.
    """
    meant = _meant(dataset, options)
    if isinstance(meant, Entry):
        return Known(meant.aspects)
    data = own_files.read(meant, options)
    return Known(data.aspects, data)


def _meant(dataset: str, options: FileOptions) -> Entry | Path:
    """The set of the catalogue, or the file, that is to be loaded; see `load` for what is refused."""
    meant = resolve(dataset)
    if isinstance(meant, Entry):
        if options.given:
            given = ", ".join(options.given)
            raise BadParameter(f"{dataset} is a set of the catalogue, whose columns are known: leave out {given}.")
    elif not (meant.exists() or meant.suffix.lower() in decoding.SUFFIXES or len(meant.parts) > 1):
        entry(dataset)  # what does not look like a path is a name with a slip: say which names there are
    return meant


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


def check(name: str) -> DataCheck:
    """Compare a data set on this machine with its catalogue entry, by content.

    Raises:
        UnknownName: If there is no such data set.
        DataError: If it is not on this machine or cannot be read.
    """
    chosen = entry(name)
    return examine(chosen, locate(chosen) or _obtain(chosen))


def examine(entry: Entry, path: Path) -> DataCheck:
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
    rows = tuple(
        CheckedFact(what, value, found.get(what), found.get(what) == value) for what, value in expected.items()
    )
    return DataCheck(entry.name, path, rows, data.notes)


def _obtain(entry: Entry) -> Path:
    """Make the shop where it was not shipped; say how to fetch any other set that is not here."""
    if entry.reader == "shop":
        from llmarm_tutorial.data.shop import simulate  # slow to import, and seldom needed

        simulate.write(data_home() / entry.name)
        return data_home() / entry.name / entry.files[0]
    raise DataError(
        f"{entry.name} is not on this machine: run  llmarm data fetch {entry.name}  or set LLMARM_DATA to a folder "
        f"that holds {entry.files[0]} in {entry.name}/.{misdirection()}"
    )

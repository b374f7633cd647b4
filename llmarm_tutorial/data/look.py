"""What a file of one's own seems to be, and the command that runs a lesson on it.

The roles of columns are guessed (see `roles`); then the file is read as the guess says, so that what is shown is what a
lesson would find. Where two readings are plausible both are said, with the option that decides.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from llmarm_tutorial.data import catalogue, headers, own_files, roles
from llmarm_tutorial.data.file_options import SIGNS, FileOptions, columns_meant
from llmarm_tutorial.data.guesses import Guess, guess_table
from llmarm_tutorial.data.notes import note_lines
from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.errors import BadParameter, DataError, LlmarmError

LAYOUTS = {
    "rows": "one bought item a row",
    "baskets": "one basket a line",
    "lists": "a list of items in one cell",
    "wide": "a column per item",
}
ROLES = (
    "basket_col",
    "quantity_col",
    "item_col",
    "order_col",
    "time_col",
    "user_col",
)  # of two roles, the last is shown
FEWEST_COLUMNS = 4  # lines of so many fields each, or fewer, may be a table without a header
MOST_SHOWN = 4  # columns without a role, and notes, that are shown


@dataclass(frozen=True)
class Look:
    """What a file seems to be.

    Attributes:
        file: The file as the user named it.
        options: How to read it.
        columns: Its columns: name → the role that is guessed, "" without one; empty where every line is a basket.
        divider: What divides its fields, in words; "" where nothing does.
        data: What it holds, read by these options, with what reading it noted.
        questions: Where another reading is plausible: a sentence each, with the option that decides.
    """

    file: str
    options: FileOptions
    columns: Mapping[str, str]
    divider: str
    data: Transactions
    questions: tuple[str, ...]

    def command(self, lesson: str) -> str:
        """The command that runs a lesson on the file, quoted for the shell of this system."""
        file = f"./{self.file}" if self.file in catalogue.names() or self.file.startswith("-") else self.file
        words = ["llmarm", "run", lesson, "--dataset", file]
        for option, value in self.options.given.items():
            words += [f"--{option.replace('_', '-')}", value]
        return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)

    def lines(self) -> list[str]:
        """All but the command, a line each."""
        layout = self.options.layout or "rows"
        divided = f", fields divided by {self.divider}" if self.divider else ""
        shown = [f"{Path(self.file).name}: {LAYOUTS[layout]} (format {layout}){divided}"]
        if self.columns and (layout != "baskets" or any(self.columns.values())):
            known = [f"{name} = {role}" for name, role in self.columns.items() if role]
            rest = [name for name, role in self.columns.items() if not role]
            more = f"; without a role: {_head(rest)}" if rest and layout not in ("wide", "baskets") else ""
            shown.append(f"columns   {', '.join(known) or 'none has a role'}{more}")
        facts = self.data.describe()
        counts = [f"{count:,} {what}" for what, count in facts.items() if isinstance(count, int)]
        if "first" in facts:
            counts.append(f"from {facts['first']} to {facts['last']}")
        shown.append(f"holds     {', '.join(counts)}")
        notes = note_lines(self.data.notes)
        shown += [f"noted     {line}" for line in notes[:MOST_SHOWN]]
        if len(notes) > MOST_SHOWN:
            shown.append(f"noted     and {len(notes) - MOST_SHOWN} more, which the run shows")
        return shown + [f"unclear   {question}" for question in self.questions]


def look(file: str, given: FileOptions = FileOptions()) -> Look:  # noqa: B008  frozen
    """Guess how to read a file, and read it so.

    Args:
        file: The file.
        given: What the user says of it; only the rest is guessed.

    Raises:
        DataError: If the file cannot be read, or no guess can.
        BadParameter: If it is a set of the catalogue, or nothing is like items or baskets; says which option to give.
    """
    path = Path(file).expanduser()
    if file in catalogue.names() and not path.exists():
        raise BadParameter(f"{file} is a set of the catalogue, no file: llmarm data info {file} tells what it is.")
    contents = own_files.read_contents(path, given.columns, given.format)
    if contents.table is None:
        guess = Guess({}, given)
        guess.set(format="baskets")
        widths = {len(line) for line in contents.lines}
        if len(widths) == 1 and 1 < max(widths) <= FEWEST_COLUMNS:
            guess.ask(
                "format",
                f"every line holds {max(widths)} fields; if these are columns, such as customer and item, write their "
                "names above them",
            )
    else:
        if contents.table.empty:
            raise DataError(
                f"{path.name} holds names of columns ({headers.shown(list(contents.table))}) and no rows below them; "
                "if its first line is a basket, say --format baskets."
            )
        guess = Guess(roles.columns_of(contents.table), given)
        guess_table(guess, contents, path)
    data, options = _read(path, guess)
    if any(re.search(r"read (month|day|year) before", note) for note in data.notes):
        guess.questions.append(
            f"days and months of {options.time_col} can be exchanged, see what is noted; if the dates are wrong, write "
            "them like 2024-03-09"
        )
    used: dict[str, str] = {}
    for option in ROLES:
        used |= dict.fromkeys(columns_meant(getattr(options, option), guess.columns), option.removesuffix("_col"))
    columns = {name: used.get(name, "") for name in guess.columns}
    divider = SIGNS.get(contents.divider, contents.divider)
    return Look(file, options, columns, divider, data, tuple(guess.questions))


def _read(path: Path, guess: Guess) -> tuple[Transactions, FileOptions]:
    """The file as the guess says; where it cannot be read so, without one guess after the other."""
    droppable = [name for name in ("quantity_col", "order_col", "time_col", "user_col") if name in guess.options.given]
    droppable = [name for name in droppable if not getattr(guess.given, name)]
    trials = [(), *((name,) for name in droppable), tuple(droppable)]
    first: LlmarmError | None = None
    for dropped in trials:
        options = replace(guess.options, **dict.fromkeys(dropped, ""))
        if "time_col" in dropped and options.basket_col.endswith(f",{guess.options.time_col}"):
            continue
        try:
            data = own_files.read(path, options)
        except (DataError, BadParameter) as error:
            first = first or error
            continue
        if dropped:
            names = " and ".join(f"{getattr(guess.options, name)} as --{name.replace('_', '-')}" for name in dropped)
            guess.questions.append(f"{names} cannot be used: {first}")
        return data, options
    raise first


def _head(names: list[str]) -> str:
    more = f" and {len(names) - MOST_SHOWN} more" if len(names) > MOST_SHOWN else ""
    return ", ".join(names[:MOST_SHOWN]) + more

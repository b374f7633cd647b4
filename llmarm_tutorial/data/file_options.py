"""How to read a file of one's own: which column says what, and how the file is laid out."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields

from llmarm_tutorial.errors import BadParameter, UnknownName

FORMATS = ("rows", "baskets", "lists", "wide")
SIGNS = {  # what may divide the items of one line or cell, by the word that a command line takes without quotes
    **{
        ",": "comma",
        ";": "semicolon",
        "\t": "tab",
        "|": "bar",
        " ": "blank",
        "\n": "newline",
        "/": "slash",
        "+": "plus",
    },
    **{"、": "、", "，": "，", "；": "；"},
}

RIVAL = 0.2  # share of the lines with one sign in which another makes it unclear which divides the items


@dataclass(frozen=True)
class FileOptions:
    """What a user says of a file; all text, and "" where nothing is said.

    A column may be given as several, joined by a comma ("member,date"); a column of exactly that name wins.

    Attributes:
        basket_col: Column, or columns, that tell what was bought together.
        item_col: Column of items.
        user_col: Column of customers.
        time_col: Column, or columns such as a date and a time of day, that tell when.
        order_col: Column of whole numbers that order a customer's visits where no time is known.
        quantity_col: Column of quantities; rows not above 0 are no purchases and are left out.
        format: One of `FORMATS`: "rows" (one bought item a row), "baskets" (one basket a line), "lists" (several items
            in one cell of `item_col`) or "wide" (a column per item); "" finds it out. What divides the items may
            follow "baskets" and "lists", as a word or a sign of `SIGNS`: "lists:semicolon", "baskets:blank".

    Raises:
        UnknownName: If there is no such format.
    """

    basket_col: str = ""
    item_col: str = ""
    user_col: str = ""
    time_col: str = ""
    order_col: str = ""
    quantity_col: str = ""
    format: str = ""

    def __post_init__(self) -> None:
        if self.format and self.layout not in FORMATS:
            raise UnknownName("format of files", self.format, FORMATS)
        divider = self.format.partition(":")[2]
        if divider and (self.layout not in ("baskets", "lists") or divider_of(self.format) not in SIGNS):
            raise BadParameter(
                f"The format {self.format!r} cannot be used: only baskets and lists take what divides the items, one "
                f"of {', '.join(SIGNS.values())}, as in lists:semicolon."
            )

    @property
    def layout(self) -> str:
        """The format without what divides the items."""
        return self.format.partition(":")[0]

    @property
    def given(self) -> dict[str, str]:
        """The options that say something: name → value."""
        return {name: getattr(self, name) for name in OPTIONS if getattr(self, name)}

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that are named, as they are given."""
        return tuple(value for name, value in self.given.items() if name != "format")


OPTIONS = tuple(field.name for field in fields(FileOptions))


def divider_of(format: str) -> str:
    """The sign that a format names as dividing the items, "" where it names none."""
    given = format.partition(":")[2]
    return {word: sign for sign, word in SIGNS.items()}.get(given, given)


def columns_meant(column: str, present: Collection[str]) -> list[str]:
    """The columns that one option names: the one of exactly that name, else those between its commas."""
    return [column] if column in present else [part.strip() for part in column.split(",")]

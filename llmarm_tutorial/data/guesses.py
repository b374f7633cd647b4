"""Which columns of a file say what, guessed from names and values: see `roles` for what a column says by itself.

A guess that another reading could replace is a question, which names the option that decides.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd

from llmarm_tutorial.data import cells, doubts, headers, layouts, roles
from llmarm_tutorial.data.file_options import FileOptions, columns_meant
from llmarm_tutorial.data.headers import Contents
from llmarm_tutorial.data.ranks import WHOLE
from llmarm_tutorial.data.roles import Column
from llmarm_tutorial.data.times import parse_times
from llmarm_tutorial.errors import BadParameter, DataError

FLAGGED = frozenset(
    {"bought", "purchased", "sold", "gekauft", "achete", "comprado"}
)  # what a column of yes and no is called
DATE_PARTS = (
    {"year", "jahr", "annee", "ano", "anno", "rok"},
    {"month", "monat", "mois", "mes", "mese", "mesic"},
    {"day", "tag", "jour", "dia", "giorno", "den"},
)
HOURS = {"time", "hour", "clock", "zeit", "uhrzeit", "heure", "hora", "ora", "cas", "hhmm", "hhmmss"}


class Guess:
    """The options as they come together; what the user gave stays.

    Args:
        columns: The columns of the file.
        given: What the user says of it.
    """

    def __init__(self, columns: Mapping[str, Column], given: FileOptions) -> None:
        self.columns, self.options, self.given = columns, given, given
        self.questions: list[str] = []

    def set(self, **options: str) -> None:
        """Take a guess for what is not given."""
        open_ = {name: value for name, value in options.items() if value and not getattr(self.given, name)}
        self.options = replace(self.options, **open_)

    def ask(self, option: str, question: str) -> None:
        """Say what is unclear, unless the user has decided it."""
        if not getattr(self.given, option):
            self.questions.append(f"{question}; --{option.replace('_', '-')} decides")

    def said(self, role: str) -> list[Column]:
        """The free columns whose names tell a role."""
        return [column for column in self.free() if column.said == role]

    def free(self) -> list[Column]:
        """The columns that no option names yet."""
        taken = {column for given in self.options.columns for column in columns_meant(given, self.columns)}
        return [column for name, column in self.columns.items() if name not in taken]


def guess_table(guess: Guess, contents: Contents, path: Path) -> None:
    """Fill in the options for a table."""
    _guess_times(guess)
    _guess_user(guess)
    if layout := _layout_of_all(guess, contents, path):
        guess.set(format=layout)
        return
    _guess_item(guess, path)
    _, read = layouts.one_item_a_row(contents, _basket_in_sight(guess), path.name, {})
    if read.layout == "lists":
        guess.set(format=read.format)
    _guess_quantity(guess, contents.table)
    _guess_basket(guess, contents.table, path)
    _guess_order(guess)


def _basket_in_sight(guess: Guess) -> FileOptions:
    """The item column, with what may tell its baskets: only if none of these comes back are its cells lists."""
    options = replace(guess.options, quantity_col="", order_col="")
    if not (options.user_col and options.time_col):  # a customer alone, or a day alone, is no basket
        options = replace(options, user_col="", time_col="")
    baskets = [column.name for column in guess.said(roles.BASKET) if column.is_full]
    return replace(options, basket_col=options.basket_col or next(iter(baskets), ""))


def _layout_of_all(guess: Guess, contents: Contents, path: Path) -> str:
    """ "wide" or "baskets" if so all columns, but some that are then set, hold items; else ""."""
    if guess.given.format:
        return guess.given.format if guess.given.layout in ("wide", "baskets") else ""
    if guess.given.item_col:
        return ""
    baskets = [column.name for column in guess.said(roles.BASKET) if column.is_full and not column.is_repeated]
    tried = replace(guess.options, basket_col=guess.options.basket_col or next(iter(baskets), ""))
    if tried.user_col and not tried.time_col and not tried.basket_col:
        visits = [column.name for column in guess.said(roles.ORDER) if _is_ranks(column)]
        tried = replace(tried, order_col=tried.order_col or next(iter(visits), ""))
    _, read = layouts.one_item_a_row(contents, tried, path.name, {})
    if read.layout == "wide":
        guess.set(basket_col=tried.basket_col, order_col=tried.order_col)
    return read.layout if read.layout in ("wide", "baskets") else ""


def _guess_times(guess: Guess) -> None:
    clocks = [column for column in guess.free() if column.is_time_of_day]
    names = {column.name for column in clocks}
    times = [column for column in guess.free() if column.name not in names and column.is_time]
    times.sort(key=lambda column: (column.said != roles.TIME, not column.has_clock))
    parts = [] if times else _date_parts(guess)
    if parts or (times and not times[0].has_clock):
        parts = parts or times[:1]
        taken = {column.name for column in parts}
        digits = [column for column in guess.free() if _is_digits_of_a_clock(column) and column.name not in taken]
        parts += (clocks + digits)[:1]
    else:
        parts = times[:1]
    if not parts:
        _say_unread_times(guess)
        return
    joined = ",".join(column.name for column in parts)
    if len(parts) > 1 and any("," in column.name for column in parts):  # such names cannot be joined
        joined = parts[0].name
    guess.set(time_col=joined)
    if len(times) > 1:
        guess.ask("time_col", f"times may be in {_names(times)}; {joined} is taken")


def _refuse_one_column(columns: Collection[str], file: str) -> None:
    """Raise where a table has a single column, which alone cannot tell baskets of items."""
    if len(columns) == 1:
        raise BadParameter(
            f"{file} has a single column, {headers.shown(list(columns))}: if another sign than a comma, semicolon, tab "
            "or bar divides its fields, save it with commas; if every line is one basket, say --format baskets, or "
            "--format baskets:blank if blanks divide the items; if rows belong together, add a column that says so."
        )


def _say_unread_times(guess: Guess) -> None:
    """Say why a column of text that is called a time cannot be used as one."""
    for column in guess.said(roles.TIME):
        if guess.given.time_col or column.is_number or not len(column.distinct):
            continue
        try:
            parse_times(column.values, f"column {column.name}")
        except DataError as error:
            guess.questions.append(f"{column.name} cannot be used as --time-col: {error}")


def _date_parts(guess: Guess) -> list[Column]:
    """The columns of year, month and day, if all three are there."""
    whole = [column for column in guess.free() if column.is_whole]
    found = [[column for column in whole if words & set(roles.words_of(column.name))][:1] for words in DATE_PARTS]
    return [column for part in found for column in part] if all(found) else []


def _is_digits_of_a_clock(column: Column) -> bool:
    """Whether a column holds times of day without colons, such as 1745."""
    named = HOURS & set(roles.words_of(column.name))
    return bool(named) and column.is_whole and column.distinct.str.fullmatch(r"\d{1,6}").all()


def _guess_user(guess: Guess) -> None:
    users = [column for column in guess.said(roles.USER) if len(column.distinct)]
    users.sort(key=lambda column: (not column.is_full, column.is_readable))
    if users:
        guess.set(user_col=users[0].name)
    if len(users) > 1:
        guess.ask("user_col", f"customers may be in {_names(users)}; {users[0].name} is taken")


def _guess_item(guess: Guess, path: Path) -> None:
    found = [column for column in guess.free() if column.is_list] or guess.said(roles.ITEM)
    if not found:  # no name tells: text that comes back
        found = [column for column in guess.free() if not column.said and not column.is_number and column.is_full]
        found = [column for column in found if column.is_repeated] or found
        found = found or [column for column in guess.free() if roles.speaks_of(column.name, roles.ITEM)]
    if not found and not guess.given.item_col:
        _refuse_one_column(guess.columns, path.name)
        raise BadParameter(
            f"No column of {path.name} looks like the items; say which it is with --item-col, or say --format wide if "
            f"every item has a column, --format baskets if every line is a basket. "
            f"{headers.listed(guess.columns, path.name)}"
        )
    found.sort(key=lambda column: (not column.is_list, not (column.is_full or column.is_list), not column.is_readable))
    if found:
        guess.set(item_col=found[0].name)
    if len(found) > 1:
        guess.ask("item_col", f"items may be in {_names(found)}; {found[0].name} is taken")


def _guess_quantity(guess: Guess, table: pd.DataFrame) -> None:
    found = [c for c in guess.free() if c.said == roles.QUANTITY or FLAGGED & set(roles.words_of(c.name))]
    for column in found:
        if not doubts.tells_returns(column.name) and cells.count_not_bought(table[column.name]):
            guess.set(quantity_col=column.name)
            return


def _guess_basket(guess: Guess, table: pd.DataFrame, path: Path) -> None:
    single = guess.options.layout == "lists"  # each row is a basket
    named = [c for c in guess.said(roles.BASKET) if c.is_full]
    found = [c for c in named if c.is_repeated or single]
    found.sort(key=lambda column: (not column.stands_together, -len(column.distinct)))
    user, time = guess.options.user_col, guess.options.time_col
    if found and not guess.options.basket_col:
        basket = found[0].name
        if anew := _numbered_anew(guess, table, found[0]):
            joined = ",".join([*anew, basket])
            guess.ask(
                "basket_col", f"one number of {basket} belongs to several of {' and '.join(anew)}, so {joined} is taken"
            )
            basket = joined
        guess.set(basket_col=basket)
        if len(found) > 1:
            guess.ask("basket_col", f"baskets may be told by {_names(found)}; {basket} is taken")
    if guess.options.basket_col or single:
        return
    day, has_users = guess.columns.get(time), user in guess.columns and guess.columns[user].is_full
    if has_users and day is not None and not day.has_clock:
        guess.set(basket_col=f"{user},{time}")
        guess.ask("basket_col", f"no column tells the basket; what one {user} bought on one {time} is taken for it")
    elif not (user and (time or _ranks(guess))):
        _guess_basket_by_values(guess, named, path)


def _guess_basket_by_values(guess: Guess, named: list[Column], path: Path) -> None:
    """Take a column whose values come back row after row; else what is called a basket, a moment, or a customer.

    A column that is called a basket and has empty cells is taken before a moment: reading it says what to do.
    """
    found = [c for c in guess.free() if c.stands_together and c.said in ("", roles.TIME, roles.ORDER)]
    found.sort(key=lambda column: -len(column.distinct))
    # shops write the number of an order, such as #1001, under Name
    numbered = [c for c in guess.said(roles.ITEM) if c.is_full and c.stands_together and not c.is_readable]
    gaps = [column for column in guess.said(roles.BASKET) if len(column.distinct) and column not in named]
    candidates = found + named + gaps + numbered
    basket = candidates[0].name if candidates else guess.options.time_col or guess.options.user_col
    if not basket:
        _refuse_one_column(guess.columns, path.name)
        raise BadParameter(
            "No column looks like what tells which rows were bought together; say which it is with --basket-col. "
            f"{headers.listed(guess.columns, path.name)}"
        )
    guess.set(basket_col=basket)
    guess.ask("basket_col", f"it is not clear what tells the basket; {basket} is taken, one basket for each value")


def _numbered_anew(guess: Guess, table: pd.DataFrame, basket: Column) -> list[str]:
    """Columns in each of whose values numbers of baskets begin anew: places, days, customers.

    One number of two customers is enough, for a basket has one; else it must be half of the numbers that come back.
    """
    user, day = guess.columns.get(guess.options.user_col), guess.columns.get(guess.options.time_col)
    columns = [column for column in guess.free() if doubts.is_place(column.name)]
    columns += [day] if day is not None and not day.has_clock and day is not basket else []
    columns += [user] if user is not None and user is not basket else []
    repeated = int((basket.values.value_counts() > 1).sum())
    found = []
    for column in columns:
        if "," in column.name + basket.name:  # such names cannot be joined
            continue
        several = int((table[column.name].groupby(basket.values).nunique() > 1).sum())
        if several and (column is user or 2 * several >= repeated):
            found.append(column)
    others = [column for column in found if column is not user]
    if others and user in found:  # receipts of a day or a till have one customer, orders of a customer many days
        keys = [column.values for column in (*others, basket)]
        found = [user] if (user.values.groupby(keys).nunique() > 1).any() else others
    return [column.name for column in found]


def _is_constant(column: Column, basket: Column) -> bool:
    """Whether a column has one value in each basket."""
    return bool((column.values.groupby(basket.values).nunique() <= 1).all())


def _is_ranks(column: Column) -> bool:
    return column.is_full and column.distinct.str.fullmatch(WHOLE).all()


def _ranks(guess: Guess) -> list[Column]:
    """Columns that may number a customer's visits, the likeliest first."""
    basket = guess.columns.get(guess.options.basket_col)
    counted = [c for c in guess.said(roles.BASKET) if basket is not None and len(c.distinct) < len(basket.distinct)]
    others = [c for c in guess.said(roles.TIME) + counted if len(c.distinct) > 2]
    parts = columns_meant(guess.options.basket_col, guess.columns)
    sure = [guess.given.order_col, *(parts if guess.options.user_col in parts and len(parts) == 2 else [])]
    sure = [guess.columns[name] for name in sure if name in guess.columns and name != guess.options.user_col]
    found = [c for c in sure + guess.said(roles.ORDER) + others if _is_ranks(c)]
    return [c for c in found if basket is None or _is_constant(c, basket)]


def _guess_order(guess: Guess) -> None:
    if guess.options.time_col or not guess.options.user_col:
        return
    if found := _ranks(guess):
        guess.set(order_col=found[0].name)
        guess.ask("order_col", f"{found[0].name} is taken for the order of a customer's visits, as no time is known")


def _names(columns: Iterable[Column]) -> str:
    return " or ".join(column.name for column in columns)

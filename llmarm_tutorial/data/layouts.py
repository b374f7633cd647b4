"""Four ways to write baskets down, made one: a table of one bought item per row.

Rules, each guess a note:

- "baskets", one basket a line: a first line of words such as item, or of counted names (Item 1, Item 2), is a header. A
  first field that is different in every line, and stands nowhere else, is the number of the basket if the header says
  so, if it counts the lines, or if all are built alike (A17, B4); under a header, one that counts the items of its line
  is left out.
- "lists", several items in one cell, by the rules of `lists`.
- "wide", a column per item: flags (0 and 1, yes and no) or counts; an item with no, 0 or nothing is not bought. It is
  guessed only if no item column is named and all other columns but one, the basket, are such. A column that is the sum
  of all the others, and a last row that is the sum of those above it, are left out.
- "rows" is the rest.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from llmarm_tutorial.data import cells, headers, lists
from llmarm_tutorial.data.file_options import SIGNS, FileOptions, columns_meant, divider_of
from llmarm_tutorial.data.headers import Contents
from llmarm_tutorial.errors import BadParameter, DataError

FEWEST_COUNTED = 3  # columns of counts that are taken for items, where nobody says so
FEWEST = 5  # lines from which first fields that never come back are taken for numbers of baskets
ITEM_WORD = re.compile(
    r"(item|product|produkt|article|artikel|artículo|producto|produto|prodotto|товар|товары|商品|zboží)(e|s|\(s\))?"
    r"[ _.]*\d*",
    re.IGNORECASE,
)
ID_WORD = re.compile(
    r"(basket|transaction|receipt|order|invoice|warenkorb|einkauf|bon|kassenbon|ticket)s?|id"
    r"|(basket|transaction|receipt|order|invoice|warenkorb|einkauf|bon|ticket|t)?[ _.-]?(id|no|nr|number|nummer)\.?",
    re.IGNORECASE,
)


def one_item_a_row(
    contents: Contents, options: FileOptions, file: str, notes: dict[str, int]
) -> tuple[pd.DataFrame, FileOptions]:
    """Bring what a file holds into one row per bought item.

    Args:
        contents: What was read.
        options: What the user says of it.
        file: Name of the file, for messages.
        notes: Takes what was guessed: description → number of lines or rows.

    Returns:
        The table, and the options that name its columns; `format` is the one that was used.

    Raises:
        DataError: If the file is not laid out as the format says, or if a cell is no list, flag or count.
        BadParameter: If a column is named that the format has no use for.
    """
    if options.layout == "baskets" and contents.table is not None:
        texts = contents.table.apply(cells.text).fillna("")
        contents = Contents(None, {}, (tuple(contents.table), *texts.itertuples(index=False)), ",")
    if contents.table is not None and not options.given and _counts_items(contents.table):
        return one_item_a_row(contents, replace(options, format="baskets"), file, notes)
    if contents.table is None:
        return _from_baskets(contents, options, file, notes)
    if options.layout == "wide" or (not options.format and not options.item_col and _is_wide(contents.table, options)):
        return _from_wide(contents, options, file, notes)
    if options.layout == "lists":
        return _from_lists(contents.table, options, file, notes)
    if not options.item_col or options.item_col not in contents.table:
        return contents.table, options
    column = contents.table[options.item_col]
    if not options.format and lists.are_real(column):
        return _from_lists(contents.table, options, file, notes)
    if not options.format:
        for name in (name for given in options.columns for name in columns_meant(given, contents.table)):
            if name in contents.table:
                cells.refuse_objects(contents.table[name], f"{file}, column {name!r}")
        _refuse_flags(contents.table, options, file)
        if lists.are_printed(column) or lists.are_likely(contents.table, options, notes):
            return _from_lists(contents.table, options, file, notes)
    return contents.table, replace(options, format="rows")


def _counts_items(table: pd.DataFrame) -> bool:
    """Whether the columns of a table are the places of a basket: Item 1, Item 2, whose cells are no flags."""
    names = list(map(str, table))
    counted = len(names) > 1 and headers.is_numbered(names, ()) and ITEM_WORD.fullmatch(names[1]) is not None
    return counted and not _is_wide(table, FileOptions())


# --- one basket a line -----------------------------------------------------------------------------------------


def _from_baskets(
    contents: Contents, options: FileOptions, file: str, notes: dict[str, int]
) -> tuple[pd.DataFrame, FileOptions]:
    if options.item_col:
        raise BadParameter(
            f"Every line of {file} is a basket, so no column holds the items; leave out item_col (--item-col)."
        )
    lines, header = list(contents.lines), list[str]()
    others = {column for given in options.columns for column in columns_meant(given, lines[0])}
    if others or _is_heading(lines):
        header = list(lines.pop(0))
        absent = sorted(others - set(header))
        if absent:
            raise DataError(f"{file} has no column {absent[0]!r}; its first line is: {', '.join(header)}.")
        if not others:
            notes[f"header of {file}, left out: {headers.shown(header)}"] = 1
    if not lines:
        raise DataError(f"{file} holds a header and no baskets.")
    sign = SIGNS.get(contents.divider, contents.divider)
    notes[f"lines of {file} read as one basket each (format baskets), items divided by {sign}"] = len(lines)
    places = sorted(header.index(column) for column in others)
    if not places and (what := _leading(lines, header)):
        places = [0]
        notes[f"first fields of {file}, {what}"] = len(lines)
        if "number" in what:
            options, header = replace(options, basket_col="basket"), ["basket"]
    frame = {
        header[place]: [line[place] if place < len(line) else None for line in lines] for place in places if header
    }
    baskets = [[item for place, item in enumerate(line) if place not in places and item] for line in lines]
    if max(map(len, baskets)) == 1 and not divider_of(options.format):  # every line is one field, in quotes or brackets
        column = pd.Series([basket[0] if basket else None for basket in baskets], dtype="str")
        if lists.are_printed(column) or lists.divide(column):
            baskets, _ = lists.split(column, "", file)
    return _exploded(pd.DataFrame(frame, index=range(len(lines))), baskets, options, file, notes)


def _is_heading(lines: Sequence[Sequence[str]]) -> bool:
    """Whether the first of the lines of baskets names the fields."""
    first, below = lines[0], {cell for line in lines[1:] for cell in line}
    words = all(ITEM_WORD.fullmatch(cell) or ID_WORD.fullmatch(cell) for cell in first if cell)
    return (words and not below & set(first)) or headers.is_numbered(first, lines[1:])


def _leading(lines: Sequence[Sequence[str]], header: Sequence[str]) -> str:
    """What the first field of every line is if it is no item: in words, else ""."""
    firsts, others = [line[0] for line in lines], [cell for line in lines for cell in line[1:] if cell]
    sizes = [sum(map(bool, line[1:])) for line in lines]
    if header and all(first == str(size) for first, size in zip(firsts, sizes, strict=True)):
        return "which count the items of their line, left out"
    if len(set(firsts)) < len(firsts) or set(firsts) & set(others) or not others:
        return ""
    titled = bool(header) and ID_WORD.fullmatch(header[0]) is not None
    named = not all(map(str.isdecimal, others))  # among numbers of items, a number of a basket is harder to tell
    counted = headers.counts_up(firsts) and (named or len(lines) >= FEWEST)
    forms, others_forms = set(map(_form, firsts)), set(map(_form, others))
    alike = len(lines) >= FEWEST and len(forms) == 1 and "9" in min(forms) and not forms & others_forms
    return "all different, taken for the number of the basket" if titled or counted or alike else ""


def _form(cell: str) -> str:
    """How a text is built: A17 and B4 are alike."""
    return re.sub(r"\d+", "9", re.sub(r"[^\W\d]", "a", cell))


def _exploded(
    table: pd.DataFrame, baskets: Sequence[Sequence[str]], options: FileOptions, file: str, notes: dict[str, int]
) -> tuple[pd.DataFrame, FileOptions]:
    """One row per item of every basket, beside what the row of the basket says."""
    sizes = np.array([len(basket) for basket in baskets], dtype=np.int64)
    if not sizes.sum():
        raise DataError(f"{file} holds no items.")
    if not sizes.all():
        notes[f"rows of {file} without an item, left out"] = int((sizes == 0).sum())
    if not options.basket_col and not (options.user_col and (options.time_col or options.order_col)):
        table = table.assign(**{"number of the row": np.arange(1, len(table) + 1)})
        options = replace(options, basket_col="number of the row")
    rows = table.iloc[np.repeat(np.arange(len(table)), sizes)].reset_index(drop=True)
    name = options.item_col or "item"
    while not options.item_col and name in rows:
        name += "_"
    rows[name] = pd.Series([item for basket in baskets for item in basket], dtype="str")
    return rows, replace(options, item_col=name)


# --- a list in one cell ----------------------------------------------------------------------------------------


def _from_lists(
    table: pd.DataFrame, options: FileOptions, file: str, notes: dict[str, int]
) -> tuple[pd.DataFrame, FileOptions]:
    if not options.item_col or options.item_col not in table:
        raise BadParameter(
            f"Say which column holds the lists of items with item_col (--item-col). {headers.listed(table, file)}"
        )
    where = f"{file}, column {options.item_col!r}"
    baskets, how = lists.split(table[options.item_col], divider_of(options.format), where)
    notes[f"rows of {where}, read as {how} of items (format lists)"] = len(table)
    others = table.drop(columns=options.item_col)
    return _exploded(others, baskets, replace(options, format="lists"), file, notes)


# --- a column per item -----------------------------------------------------------------------------------------


def _unnamed(table: pd.DataFrame, options: FileOptions) -> list[str]:
    """The columns that no option names."""
    taken = {column for given in options.columns for column in columns_meant(given, table)}
    return [column for column in table if column not in taken]


def _basket_column(table: pd.DataFrame, options: FileOptions) -> str:
    """The column that tells the baskets of a file with a column per item where no option does; "" without one."""
    if options.basket_col or table.empty:
        return ""
    found = []
    for place, column in enumerate(_unnamed(table, options)):
        ids = cells.text(table[column])
        if ids.isna().any() or ids.duplicated().any():
            continue
        flagged = cells.flags(table[column]) is not None
        if _amounts(table[column]) is None or (place == 0 and (not flagged or ID_WORD.fullmatch(column))):
            found.append(column)
    return found[0] if len(found) == 1 else ""


def _is_wide(table: pd.DataFrame, options: FileOptions) -> bool:
    products = [column for column in _unnamed(table, options) if column != _basket_column(table, options)]
    if len(products) < 2 or table.empty:
        return False
    if _all_flags(table, products):
        return True
    amounts = [_amounts(table[column]) for column in products]
    if len(products) < FEWEST_COUNTED or any(amount is None for amount in amounts):
        return False
    total = _sum_of_the_rest(amounts)
    if total is not None and _all_flags(table, products[:total] + products[total + 1 :]):
        return True
    return min((amount == 0).sum() for amount in amounts) > 0 and np.mean([amount == 0 for amount in amounts]) > 1 / 3


def _amounts(column: pd.Series) -> np.ndarray | None:
    """How many of an item each basket holds, from flags or counts; None if the cells are neither."""
    says = cells.flags(column)
    if says is not None:
        return says.astype(float)
    numbers = pd.to_numeric(cells.text(column).fillna("0"), errors="coerce").to_numpy(dtype=float)
    return numbers if np.isfinite(numbers).all() and (numbers % 1 == 0).all() else None


def _sum_of_the_rest(amounts: Sequence[np.ndarray]) -> int | None:
    """Which column holds the sum of all the others in every row, where a sum of 2 or more shows that it is no flag."""
    if len(amounts) < FEWEST_COUNTED or not len(amounts[0]):
        return None
    whole = np.sum(amounts, axis=0)
    sums = [number for number, amount in enumerate(amounts) if (2 * amount == whole).all() and amount.max() > 1]
    return sums[-1] if sums else None


def _without_sums(amounts: dict[str, np.ndarray], file: str, notes: dict[str, int]) -> dict[str, np.ndarray]:
    """The amounts without a column that holds the sum of the others, and nothing for a last row of sums."""
    if not amounts or not len(next(iter(amounts.values()))):
        return amounts
    total = _sum_of_the_rest(list(amounts.values()))
    if total is not None:
        name = list(amounts)[total]
        amounts = {column: amount for column, amount in amounts.items() if column != name}
        notes[f"column {name} of {file}, the sum of the others, left out"] = 1
    values = np.array(list(amounts.values()))
    above, last = values[:, :-1], values[:, -1]
    if values.shape[1] >= FEWEST_COUNTED and last.max() > 1 and (above.sum(axis=1) == last).all():
        notes[f"last row of {file}, the sum of those above it, left out"] = 1
        amounts = {column: np.append(amount[:-1], 0) for column, amount in amounts.items()}
    return amounts


def _from_wide(
    contents: Contents, options: FileOptions, file: str, notes: dict[str, int]
) -> tuple[pd.DataFrame, FileOptions]:
    table = contents.table
    for option, value in (("item_col", options.item_col), ("quantity_col", options.quantity_col)):
        if value:
            raise BadParameter(
                f"In the format wide every item has a column: leave out {option} (--{option.replace('_', '-')})."
            )
    absent = [column for given in options.columns for column in columns_meant(given, table) if column not in table]
    if absent:
        raise DataError(f"{file} has no column {absent[0]!r}. {headers.listed(table, file)}")
    if basket := _basket_column(table, options):
        options = replace(options, basket_col=basket)
        notes[f"column {basket} of {file}, taken for the number of the basket"] = len(table)
    amounts = {column: _amounts(table[column]) for column in _unnamed(table, options)}
    if basket and ITEM_WORD.fullmatch(basket):
        raise DataError(
            f"{file} holds an item a line and a column per basket, as its column {basket} says; exchange its rows and "
            "columns."
        )
    others = [column for column, amount in amounts.items() if amount is None]
    if others:
        raise DataError(
            f"{file}, column {others[0]!r} holds no flags (0 and 1, yes and no) and no counts; name it if it tells the "
            "basket, the customer or the time, else take it out."
        )
    if contents.twins & set(amounts):
        raise DataError(
            f"{file}: two columns are called {min(contents.twins & set(amounts))!r}; give each a name of its own."
        )
    amounts = _without_sums(amounts, file, notes)
    negative = sum(int((amount < 0).sum()) for amount in amounts.values())
    if negative:
        notes[f"cells of {file} below 0, left out"] = negative
    notes[f"columns of {file}, each read as one item (format wide)"] = len(amounts)
    columns = _unnamed(table, options)
    names, held = list(amounts), [np.flatnonzero(amount > 0) for amount in amounts.values()]
    order = np.argsort(np.concatenate([*held, np.empty(0, dtype=np.int64)]), kind="stable")
    codes = np.repeat(np.arange(len(held)), [len(rows) for rows in held])[order]
    sizes = np.bincount(np.concatenate([*held, np.empty(0, dtype=np.int64)]).astype(np.int64), minlength=len(table))
    items = [names[code] for code in codes]
    ends = np.cumsum(sizes)
    baskets = [items[end - size : end] for end, size in zip(ends, sizes, strict=True)]
    return _exploded(table.drop(columns=columns), baskets, replace(options, format="wide"), file, notes)


def _refuse_flags(table: pd.DataFrame, options: FileOptions, file: str) -> None:
    """Raise where the column of items holds flags, as a file with a column per item does."""
    products = [options.item_col, *_unnamed(table, options)]
    if len(table) and len(products) > 1 and _all_flags(table, products):
        words = ", ".join(sorted(set(cells.text(table[options.item_col]).dropna())))
        raise BadParameter(
            f"The column {options.item_col} of {file} holds only {words}, as in a file with a column per item: say "
            "--format wide and leave out item_col (--item-col)."
        )


def _all_flags(table: pd.DataFrame, columns: Collection[str]) -> bool:
    return all(cells.flags(table[column]) is not None for column in columns)

"""Lists of items in one cell: whether a column holds them, and what they hold.

Rules: real lists, as Parquet and JSON lines hold them, need no guess, and text that is in brackets throughout is a list
as Python, NumPy, JSON, R or a database prints it. Other text is divided by the sign that most cells hold; where another
is nearly as frequent, the user has to say. Text is taken for lists unasked only if no basket has two rows, every second
cell or more holds the sign, and a part of one cell comes back in another.
"""

from __future__ import annotations

import ast
import csv
import json
import re
from collections import Counter
from collections.abc import Iterable

import numpy as np
import pandas as pd

from llmarm_tutorial.data import cells
from llmarm_tutorial.data.file_options import RIVAL, SIGNS, FileOptions, columns_meant
from llmarm_tutorial.errors import DataError

DIVIDERS = [sign for sign in SIGNS if sign not in " /+"]  # blanks, slashes and plus signs stand within names as well
PRINTED = re.compile(r"(frozenset|set|c)?[\[({].*[\])}]", re.DOTALL)
QUOTED = r"""(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
NUMPY_TEXT = re.compile(rf"\[\s*{QUOTED}(\s+{QUOTED})+\s*\]")  # no commas, so Python would join the parts
WITH_COMMA = re.compile(r".*,.*", re.DOTALL)
NUMPY_NUMBERS = re.compile(r"\[\s*\d+\.?(\s+\d+\.?)+\s*\]")


def are_real(column: pd.Series) -> bool:
    """Whether cells are real lists, and no cell is anything else but missing."""
    if not (pd.api.types.is_object_dtype(column) or isinstance(column.dtype, pd.ArrowDtype)):
        return False
    known = [cell for cell in column if _is_list(cell) or not _is_missing(cell)]
    return bool(known) and all(map(_is_list, known))


def _is_list(cell: object) -> bool:
    return isinstance(cell, list | tuple | np.ndarray)


def _is_printed(text: str) -> bool:
    return PRINTED.fullmatch(text) is not None


def _is_several(text: str) -> bool:
    """Whether a printed list holds several items."""
    return _is_printed(text) and any(pattern.fullmatch(text) for pattern in (WITH_COMMA, NUMPY_TEXT, NUMPY_NUMBERS))


def _is_missing(cell: object) -> bool:
    return cell is None or cell is pd.NA or cell == "" or cell != cell


def are_printed(column: pd.Series) -> bool:
    """Whether all text cells are in brackets, and one at least holds several items."""
    known = cells.text(column).dropna()
    if not len(known) or not _is_printed(known.iloc[0]):
        return False
    return all(map(_is_printed, known)) and any(map(_is_several, known))


def are_likely(table: pd.DataFrame, options: FileOptions, notes: dict[str, int]) -> bool:
    """Whether the text cells of the item column are lists, by the rule in the head of this module.

    Args:
        table: One row per row of the file.
        options: Its columns; `item_col` is there.
        notes: Takes a doubtful case: description → number of cells.
    """
    others = [column for given in options.columns for column in columns_meant(given, table)]
    others = [column for column in others if column in table and column not in (options.item_col, options.quantity_col)]
    if len(table) < 2 or (others and table.duplicated(others).any()):
        return False
    texts = cells.text(table[options.item_col])
    if divide(texts):
        return True
    sign, count = _signs(texts)[0]
    if count:
        what = f"items that hold a {SIGNS[sign]}, while every basket has one row; if they are lists, say --format lists"
        notes[what] = count
    return False


def divide(texts: pd.Series) -> bool:
    """Whether at least every second text is divided by one sign, or in brackets, and a part comes back in another."""
    known = texts.dropna()
    (sign, count), _ = _signs(known)
    if len(known) and sum(map(_is_several, known)) >= len(known) / 2:
        return True
    parts = Counter(part.strip() for text in known.unique() for part in set(text.split(sign)))
    return count > 0 and count >= len(known) / 2 and max(parts.values()) > 1


def _signs(texts: pd.Series) -> list[tuple[str, int]]:
    """The two signs that most texts hold, and how many do."""
    counts = Counter({sign: int(texts.str.contains(sign, regex=False).sum()) for sign in DIVIDERS})
    return counts.most_common(2)


def split(column: pd.Series, divider: str, where: str) -> tuple[list[list[str]], str]:
    """The items of every cell, as text without empty ones.

    Args:
        column: Lists, or text.
        divider: The sign that divides the items; "" to find it out.
        where: File and column, for messages.

    Returns:
        One list per cell, empty where the cell is, and what the cells are, in words.

    Raises:
        DataError: If a cell is no list like the others or holds objects, or if it is unclear what divides the items.
    """
    if are_real(column):
        return [
            [] if _is_missing_list(cell) else _items(cell, where, row) for row, cell in enumerate(column, 1)
        ], "lists"
    texts = cells.text(column)
    codes, distinct = pd.factorize(texts)
    sign = divider or _divider(texts.dropna(), where)
    filled = np.flatnonzero(codes >= 0)
    rows = filled[np.unique(codes[filled], return_index=True)[1]] + 1
    found = [
        _items(_divided(cell, sign) if sign else _printed(cell), where, row)
        for cell, row in zip(distinct, rows, strict=True)
    ]
    how = f"lists divided by {SIGNS[sign]}" if sign else "printed lists"
    return [found[code] if code >= 0 else [] for code in codes], how


def _is_missing_list(cell: object) -> bool:
    return not _is_list(cell) and _is_missing(cell)


def _items(values: Iterable[object] | None, where: str, row: int) -> list[str]:
    if values is None:
        raise DataError(f"{where}: row {row} (after the header) is no list like the others; write all rows alike.")
    values = list(values)
    if any(isinstance(value, dict | list | tuple | set | np.ndarray) or value is ... for value in values):
        raise DataError(f"{where}: row {row} (after the header) holds more than plain items; write one row per item.")
    found = cells.text(pd.Series(values, dtype="object")) if not all(isinstance(v, str) for v in values) else values
    return [item.strip() for item in found if isinstance(item, str) and item.strip()]


def _divider(texts: pd.Series, where: str) -> str:
    """The sign that divides the items of text cells; "" if they are lists as a program prints them."""
    printed = texts.map(_is_printed).to_numpy(dtype=bool)
    if len(texts) and (printed.all() or texts.map(_is_several).mean() >= 1 / 2):
        if not printed.all():
            row = texts.index[int(np.argmin(printed))] + 1
            raise DataError(f"{where}: row {row} (after the header) is no list like the others; write all rows alike.")
        return ""
    (first, most), (second, fewer) = _signs(texts)
    if not most:
        raise DataError(
            f"{where}: no cell holds a comma, semicolon, tab, bar or line break, so these are no lists; if another "
            "sign divides the items, name it, as in --format lists:blank, else say --format rows."
        )
    if fewer >= RIVAL * most:
        raise DataError(
            f"{where}: cells hold both {SIGNS[first]} and {SIGNS[second]}; say which divides the items: --format "
            f"lists:{SIGNS[first]} or --format lists:{SIGNS[second]}."
        )
    return first


def _divided(cell: str, sign: str) -> list[str]:
    if '"' in cell and sign != "\n":
        return next(csv.reader([cell.replace("\n", " ")], delimiter=sign, skipinitialspace=True))
    return cell.split(sign)


def _printed(cell: str) -> list[object] | None:
    """The items of a list as a program prints it; None where it is none."""
    text = re.sub(r"^(frozenset|set|c)(?=\()", "", cell)
    text = text[1:-1] if text.startswith(("({", "([")) else text
    if NUMPY_TEXT.fullmatch(text):
        return [ast.literal_eval(part) for part in re.findall(QUOTED, text)]
    if NUMPY_NUMBERS.fullmatch(text):
        return [part.removesuffix(".") for part in text.strip("[] \n").split()]
    for parse in (json.loads, ast.literal_eval):
        try:
            found = parse(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
        if isinstance(found, list | tuple | set):
            return list(found)
        return None if isinstance(found, dict) else [found]  # ("milk") is one item to R
    inner = text[1:-1]
    if not PRINTED.fullmatch(text) or "..." in inner or re.search(r"[\[\]{}\n]", inner):
        return None
    return [part.strip().strip("'\"") for part in next(csv.reader([inner], skipinitialspace=True), [])]

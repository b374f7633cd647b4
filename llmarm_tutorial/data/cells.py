"""What the cells of a column say: ids, numbers and flags, whatever wrote them.

Rules, so that one content gives one result in every format:

- Ids are text, trimmed: '007' stays '007', whole numbers have no decimal point, and an item may be called 'NA'. If all
  ids of a column end in .0, as pandas writes numbers beside an empty cell, the end is taken off, with a note.
- Letters in one part and in two (é of e and an accent, as some systems write it) are the same letter, with a note.
- An id that a spreadsheet wrote as 1.23E+15 is refused, for its last digits are lost. Numbers with a decimal point of
  more than 15 digits may have lost theirs, which is noted.
- NULL, None, nan and the like are no customer, with a note; as a basket they are refused, as an item they are noted.
- The decimal sign of a column is the one that fits all its numbers; where 1,234 may be either, it is refused.
- Flags are 0 and 1, or yes and no in the languages of `FLAGS`; an empty cell is no.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from decimal import Decimal

import numpy as np
import pandas as pd

from llmarm_tutorial.errors import DataError

NOTHING = frozenset({"null", "(null)", "<na>", "nan", "none", "#n/a", "n/a", "\\n"})  # in lower case
YES = (
    "1 1.0 1,0 true t yes y x ✓ ✔ ja j wahr oui vrai sí si verdadero s sim verdadeiro vero da да 是 有 はい tak prawda "
    "ano igen evet 예 네 kyllä ναι"
)
NO = (
    "0 0.0 0,0 false f no n - ? nein falsch non faux falso não nao нет 否 无 いいえ nie fałsz ne nem hayır 아니오 ei "
    "nee nej nei όχι"
)
FLAGS = {word: True for word in YES.split()} | {word: False for word in NO.split()} | {"": False}
EXPONENT = re.compile(r"[-+]?\d([.,]\d+)?E\+\d+", re.IGNORECASE)
NUMERIC = re.compile(r"\d")
DIGITS = 2**53  # from here on a number with a decimal point does not hold every whole number


def ids(column: pd.Series, role: str, where: str, notes: dict[str, int]) -> pd.Series:
    """Ids as trimmed text, missing where empty.

    Args:
        column: Cells of any type.
        role: "basket", "item" or "user", whose rules for NULL differ.
        where: File and column, for messages and notes.
        notes: Takes what was guessed: description → number of rows.

    Returns:
        Text, with the index of `column`.

    Raises:
        DataError: If a cell holds several values, or if digits of an id are lost.
    """
    codes, distinct = _distinct(column, where)
    text, counts = pd.Series(_id_texts(distinct), dtype="object"), np.bincount(codes, minlength=len(distinct))

    def note(what: str, which: np.ndarray) -> None:
        if which.any():
            notes[what.format(where)] = int(counts[which].sum())

    lost = np.array([isinstance(value, float | np.floating) and abs(value) >= DIGITS for value in distinct], dtype=bool)
    note("ids of {} of more than 15 digits with a decimal point, whose last digits may be lost", lost)
    short = [value for value in text[~lost] if value and EXPONENT.fullmatch(value)]
    if short:
        raise DataError(
            f"{where}: {short[0]} is an id whose last digits a spreadsheet left out; format the column as text or as a "
            "number without decimals there, and save the file anew."
        )
    pointed = _ends_in_point_zero(text, role)
    note("ids of {} that end in .0, read without it", pointed)
    text[pointed] = text[pointed].str[:-2]
    parted = np.array([value is not None and not unicodedata.is_normalized("NFC", value) for value in text], dtype=bool)
    note("ids of {} with letters in two parts, as é of e and an accent, read as one", parted)
    text[parted] = [unicodedata.normalize("NFC", value) for value in text[parted]]
    absent = text.str.casefold().isin(NOTHING).to_numpy()
    done = "kept as an item; if it means nothing, take these rows out" if role == "item" else "read as empty"
    note(f"cells of {{}} that hold {', '.join(sorted(text[absent]))}, {done}", absent)
    text = text.mask((absent & (role != "item")) | (text == ""))
    return pd.Series(text.to_numpy()[codes], index=column.index, dtype="str")


def _ends_in_point_zero(text: pd.Series, role: str) -> np.ndarray:
    """Which ids end in a .0 that says nothing, as all do; an item may be 2 and another 2.0, a customer not."""
    known = text[text.notna() & (text != "")]
    whole = known.map(re.compile(r"-?\d+[.,]0" if role == "item" else r"-?\d+([.,]0)?").fullmatch).notna().all()
    return text.map(lambda value: whole and value is not None and value.endswith((".0", ",0"))).to_numpy(dtype=bool)


def text(column: pd.Series) -> pd.Series:
    """Cells as trimmed text, missing where empty; nothing is guessed, noted or refused."""
    codes, distinct = _distinct(column, f"The column {column.name}")
    texts = np.array([text or None for text in _id_texts(distinct)], dtype=object)
    return pd.Series(texts[codes], index=column.index, dtype="str")


def refuse_objects(column: pd.Series, where: str) -> None:
    """Raise `DataError` where a cell holds several values, of which `ids` would have to make one."""
    if pd.api.types.is_object_dtype(column):
        _distinct(column, where)


def _distinct(column: pd.Series, where: str) -> tuple[np.ndarray, list[object]]:
    """Codes of shape (n,) and the distinct cells, where 1, 1.0, True and '1' are different cells."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(column.cat.categories.dtype)
    if pd.api.types.is_object_dtype(column):
        keys: dict[tuple[type, object], int] = {}
        try:
            codes = [keys.setdefault((type(cell), cell if cell == cell else None), len(keys)) for cell in column]
        except (TypeError, ValueError):
            raise DataError(
                f"{where} holds lists or objects in some rows; write one row per item, or a list in every row and "
                "--format lists."
            ) from None
        return np.array(codes, dtype=np.int64), [cell for _, cell in keys]
    codes, distinct = pd.factorize(column, use_na_sentinel=False)
    return codes, list(distinct)


def _id_texts(values: list[object]) -> list[str | None]:
    """Cells as text; days without a time of day throughout are written as days."""
    texts = [_id_text(value) for value in values]
    times = [value for value, text in zip(values, texts, strict=True) if text is not None]
    if times and all(isinstance(value, dt.datetime) and value.time() == dt.time() for value in times):
        return [None if text is None else text[:10] for text in texts]
    return texts


def _id_text(value: object) -> str | None:
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bytes):  # as Spark and Hive write text to Parquet
        return value.decode(errors="replace").strip()
    if value is None or value is pd.NA or value is pd.NaT or value != value:
        return None
    if isinstance(value, bool | np.bool_):
        return str(bool(value))
    if isinstance(value, float | np.floating | Decimal) and abs(value) < 2**63 and value % 1 == 0:
        return str(int(value))
    return str(value).strip()


def flags(column: pd.Series) -> np.ndarray | None:
    """Which cells say yes, shape (n,), bool; None if a cell is none of `FLAGS`."""
    if pd.api.types.is_bool_dtype(column):
        return column.fillna(False).to_numpy(dtype=bool)
    codes, distinct = _distinct(column, "a column")
    says = [FLAGS.get((_id_text(value) or "").casefold()) for value in distinct]
    return None if None in says else np.array(says, dtype=bool)[codes]


def bought(column: pd.Series, where: str) -> np.ndarray:
    """Which rows are purchases, shape (n,), bool: a number above 0, or a flag that says yes.

    Raises:
        DataError: If a cell is neither.
    """
    if pd.api.types.is_bool_dtype(column) or any(
        word and not NUMERIC.search(word) for word in text(column).dropna().unique()
    ):
        says = flags(column)
        if says is not None:
            return says
    return (numbers(column, where) > 0).to_numpy()


def count_not_bought(column: pd.Series) -> int:
    """How many cells of a column of numbers or flags are 0, less, or say no; 0 for any other column, or one of ids."""
    if pd.api.types.is_datetime64_any_dtype(column) or not len(column):
        return 0
    try:
        codes, distinct = _distinct(column, "")
    except DataError:
        return 0
    texts = [_id_text(value) or "" for value in distinct]
    counts = np.bincount(codes, minlength=len(texts))
    known = np.array([text != "" for text in texts])
    says = [FLAGS.get(text.casefold()) for text in texts]
    if None not in says:
        return int(counts[known & ~np.array(says, dtype=bool)].sum())
    if not all(NUMERIC.search(text) for text in texts if text):
        return 0
    try:
        values = _parsed(texts, "")
    except DataError:  # 1,234 may be either number, above 0 both times
        values = _parsed([text.replace(",", "").replace(".", "") for text in texts], "")
    if not np.isfinite(values[known]).all() or (counts.max() == 1 and values[known].min() >= 0):
        return 0
    return int(counts[known & (values <= 0)].sum())


def numbers(column: pd.Series, where: str) -> pd.Series:
    """A column of numbers, whatever signs for decimals, thousands and minus it uses.

    Args:
        column: Numbers, or text such as "1,5", "1.234,50", "−3", "3-" (as tills write it) or "(3)" (as accountants do).
        where: File and column, for messages.

    Returns:
        Numbers of dtype float64, or int64 where all are whole, with the index of `column`.

    Raises:
        DataError: If a cell is empty or no number (says how many, and the first with its row), or if 1,234 may be
            either of two numbers.
    """
    if pd.api.types.is_numeric_dtype(column):
        found = column.astype("Float64" if column.isna().any() else column.dtype)
        values = found.to_numpy(dtype=float, na_value=np.nan)
    else:
        codes, distinct = _distinct(column, where)
        values = _parsed([_id_text(value) or "" for value in distinct], where)[codes]
    unread = ~np.isfinite(values)
    if unread.any():
        row = int(unread.argmax())
        first = column.iloc[row]
        shown = "empty" if pd.isna(first) or not str(first).strip() else repr(str(first))
        raise DataError(
            f"{where}: {unread.sum():,} of {len(values):,} values are no numbers, the first is {shown} in row "
            f"{row + 1} (after the header); write a number there or leave the option out."
        )
    whole = bool((values % 1 == 0).all()) and bool((np.abs(values) < DIGITS).all())
    return pd.Series(values.astype(np.int64) if whole else values, index=column.index)


def _parsed(texts: list[str], where: str) -> np.ndarray:
    """Numbers from distinct texts, nan where one is none."""
    plain = []
    for text in texts:
        text = re.sub(r"[\s'’\u00a0\u202f](?=\d{3})", "", text).replace("−", "-")  # 1 234 and 1'234
        if re.fullmatch(r"\(.*\)|[^-].*-", text):
            text = "-" + text.strip("()-")
        plain.append(text)
    point = _decimal_sign([text for text in plain if re.search(r"[.,]", text)], len(plain), where)
    other = "," if point == "." else "."
    grouped = re.compile(rf"[-+]?\d{{1,3}}(\{other}\d{{3}})+(\{point}\d*)?")
    read = [text.replace(other, "") if grouped.fullmatch(text) else text for text in plain]
    read = [text if other in text and other == "." else text.replace(point, ".") for text in read]
    return np.array([float(text) if _is_float(text) else np.nan for text in read])


def _is_float(text: str) -> bool:
    return re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", text, re.IGNORECASE) is not None


def _decimal_sign(signed: list[str], total: int, where: str) -> str:
    """Which of "." and "," is the decimal sign of a column.

    Args:
        signed: The distinct numbers that hold one of them.
        total: How many distinct numbers there are.
        where: File and column, for messages.
    """
    votes = set()
    for text in signed:
        used = [sign for sign in ",." if sign in text]
        if len(used) == 2:
            votes.add(max(used, key=text.rfind))
        elif text.count(used[0]) > 1:
            votes.add("." if used[0] == "," else ",")
        elif not re.fullmatch(r"[-+]?[1-9]\d{0,2}[.,]\d{3}", text):
            votes.add(used[0])
    if len(votes) == 1:
        return votes.pop()
    if not votes and signed:
        used = {sign for text in signed for sign in ",." if sign in text}
        if len(used) == 1 and len(signed) == total:  # weights such as 1.250: every number has three decimals
            return used.pop()
        if len(used) == 1:
            raise DataError(
                f"{where}: {signed[0]} may have a sign for thousands or for decimals; write numbers without a sign for "
                "thousands and with a point for decimals."
            )
    return "."

"""What can be read and may yet be no purchase, no customer, or not one basket.

Nothing is changed for a doubt: it becomes a note that says what to do, since only the user knows what a till or a shop
means by a word. The doubts are:

- items that are one but for capitals, blanks or a count (Milk and milk, Cap × 1 and Cap × 3), and items called Total;
- customers called anonymous, guest and the like, who would be one customer with a long history;
- baskets that are numbered C123 among numbers, as cancelled invoices are, and words such as refunded or view;
- numbers of baskets that begin anew each day or at each till, so that one number stands for several baskets.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import pandas as pd

from llmarm_tutorial.data import cells, headers, roles
from llmarm_tutorial.data.file_options import FileOptions, columns_meant
from llmarm_tutorial.errors import DataError


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


NOBODY = _words(
    "- -- ? . anonymous anonym anonyme anonimo anónimo anonymní guest gast invité invitado host unknown unbekannt "
    "inconnu desconocido neznámý walk-in walkin laufkunde laufkundschaft default"
)
NO_PURCHASE = _words(
    "cancelled canceled cancel cancellation refunded refund partially_refunded returned return void voided "
    "storniert storno retoure erstattet annulé annulée remboursé cancelado devuelto devolución annullato reso "
    "stornováno vráceno zwrot view click impression cart addtocart add_to_cart remove_from_cart wishlist "
    "transaction_failed failed"
)
RETURNING = re.compile(r"(is)?(return|refund|cancel|void|storn|retour|annul|devol)(?!ing)\w*")  # in names of columns
PLACES = _words(
    "store shop branch till terminal register outlet pos cashier filiale kasse markt laden magasin caisse "
    "boutique tienda caja sucursal negozio cassa winkel kassa sklep kasa obchod pokladna prodejna pobocka loja "
    "caixa магазин касса 店舗 店 レジ 门店 商店 收银台"
)
COUNT = re.compile(r"^\d+ ?[x×] | ?\(?[x×] ?\d+\)?$")
MOST_WORDS = 30  # distinct values of a column that may say what became of a row
APART = pd.Timedelta(hours=12)  # what one basket does not last


def is_place(name: str) -> bool:
    """Whether a column's name is that of a till or a store, which may number its receipts by itself."""
    return bool(PLACES & set(roles.words_of(name)))


def tells_returns(name: str) -> bool:
    """Whether a column's name speaks of what was brought back, so that a yes or a number in it is no purchase."""
    return any(RETURNING.fullmatch(word) for word in roles.words_of(name))


def of_ids(frame: pd.DataFrame, notes: dict[str, int]) -> None:
    """Note doubts about items, customers and numbers of baskets.

    Args:
        frame: Rows with `item_id` and perhaps `user_id` and `basket_id`, as text.
        notes: Takes the doubts: description → number of rows, or of items.
    """
    counts = frame["item_id"].dropna().value_counts()
    _note_twins(list(counts.index), notes)
    totals = counts[[headers.TOTAL.fullmatch(item) is not None for item in counts.index]]
    if len(totals):
        what = f"rows whose item is {', '.join(sorted(totals.index))}, kept; if these are sums, take the rows out"
        notes[what] = int(totals.sum())
    if "user_id" in frame:
        users = frame["user_id"].dropna().value_counts()
        nobody = users[[user.casefold() in NOBODY for user in users.index]]
        if len(nobody):
            names = ", ".join(sorted(nobody.index))
            what = f"rows of a customer called {names}, kept as one customer; if it means nobody, empty these cells"
            notes[what] = int(nobody.sum())
    if "basket_id" in frame:
        baskets = frame["basket_id"].dropna().value_counts()
        cancelled = baskets[[re.fullmatch(r"C\d+", basket) is not None for basket in baskets.index]]
        if len(cancelled) and sum(map(str.isdecimal, baskets.index)) >= len(baskets) / 2:
            what = (
                f"rows of baskets such as {min(cancelled.index)}, numbered as cancelled invoices are, kept; if they "
                "are no purchases, take them out"
            )
            notes[what] = int(cancelled.sum())


def _note_twins(items: Sequence[str], notes: dict[str, int]) -> None:
    by_key: dict[str, list[str]] = {}
    for item in items:
        plain = unicodedata.normalize("NFKC", item) if not item.isascii() else item
        if not plain.isascii():
            plain = "".join(sign for sign in plain if unicodedata.category(sign) != "Cf")
        by_key.setdefault(COUNT.sub("", " ".join(plain.casefold().split())), []).append(item)
    twins = [sorted(names) for names in by_key.values() if len(names) > 1]
    if twins:
        first, second, *_ = min(twins)
        what = (
            "items that differ only in capitals, blanks or a count, kept apart, such as "
            f"{first[: headers.LONGEST_SHOWN]!r} and {second[: headers.LONGEST_SHOWN]!r}"
        )
        notes[what] = sum(map(len, twins))


def of_columns(table: pd.DataFrame, options: FileOptions, notes: dict[str, int]) -> None:
    """Note rows that may be no purchases, by what columns say that no option names.

    Args:
        table: One row per bought item.
        options: Its columns.
        notes: Takes the doubts: description → number of rows.
    """
    named = {column for given in options.columns for column in columns_meant(given, table)}
    for column in map(str, table.columns.difference(named, sort=False)):
        if tells_returns(column):
            count, what = _count_returned(table[column]), f"rows whose {column} says yes or holds a number"
        else:
            if not options.quantity_col and options.layout != "wide":
                _note_zeros(table[column], column, notes)
            count, what = _count_words(table[column], column)
        if count:
            notes[f"{what}, kept; if they are no purchases, take them out"] = count


def _note_zeros(column: pd.Series, name: str, notes: dict[str, int]) -> None:
    """Count values of 0 or less, and flags that say no."""
    count = cells.count_not_bought(column)
    if count and roles.role_of(name) not in (roles.BASKET, roles.ITEM, roles.USER):  # ids may begin with 0
        notes[f"values of 0, less or no in the column {name}; if they are no purchases, say --quantity-col {name}"] = (
            count
        )


def _value_counts(column: pd.Series) -> pd.Series:
    """How often each text stands in a column, the texts in lower case; empty where cells are lists or objects."""
    try:
        return cells.text(column).dropna().str.casefold().value_counts()
    except DataError:
        return pd.Series(dtype="int64")


def _count_returned(column: pd.Series) -> int:
    """How many cells say that something was brought back."""
    counts = _value_counts(column)
    said = [cells.FLAGS.get(value, value.isdecimal() and int(value) > 0) for value in counts.index]
    return int(counts[said].sum()) if len(counts) else 0


def _count_words(column: pd.Series, name: str) -> tuple[int, str]:
    """How many rows a column of few words says are no purchases, and a description of them."""
    if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_datetime64_any_dtype(column):
        return 0, ""
    counts = _value_counts(column)
    found = counts[[value.replace(" ", "_") in NO_PURCHASE for value in counts.index]]
    if len(counts) > MOST_WORDS or not len(found):
        return 0, ""
    return int(found.sum()), f"rows whose {name} is {' or '.join(sorted(found.index))}"


def of_numbers(frame: pd.DataFrame, table: pd.DataFrame, options: FileOptions, notes: dict[str, int]) -> None:
    """Note numbers of baskets that may begin anew each day, or at each till.

    Args:
        frame: Rows with `basket_id` and perhaps `time`.
        table: The same rows with all columns of the file.
        options: Its columns.
        notes: Takes the doubts: description → number of baskets.
    """
    basket, named = options.basket_col, {c for given in options.columns for c in columns_meant(given, table)}
    if "time" in frame and basket != options.user_col:
        times = frame["time"].groupby(frame["basket_id"])
        count = int((times.max() - times.min() > APART).sum())
        if count:
            day = columns_meant(options.time_col, table)[0]
            if day == options.time_col and (frame["time"] != frame["time"].dt.normalize()).any():
                day = "DAY, where DAY is a column with the day alone"
            notes[
                "baskets whose rows lie more than 12 hours apart; if numbers of baskets begin anew each day, say "
                f"--basket-col {basket},{day}"
            ] = count
    for column in table.columns.difference(named, sort=False):
        if is_place(str(column)):
            count = int((cells.text(table[column]).groupby(frame["basket_id"]).nunique() > 1).sum())
            if count:
                notes[
                    f"baskets with several values of {column}; if numbers of baskets begin anew in each, say "
                    f"--basket-col {column},{basket}"
                ] = count

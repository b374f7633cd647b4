"""Small and odd shops, and lessons run on them: in this process, cell by cell, with everything drawn that a cell shows.

A shop is a table of one row per bought item with the columns card, receipt, article and day. All are drawn anew from
fixed seeds, in a few hundred rows.
"""

from __future__ import annotations

import ast
import contextlib
import io
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import editions
import IPython.display
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.text import Text

from llmarm_tutorial.lesson import ledger

ROOT = Path(__file__).parents[2]
SOURCES = {source.stem[:2]: source for source in editions.sources(ROOT)}
COLUMNS = {"BASKET_COL": "receipt", "ITEM_COL": "article", "USER_COL": "card", "TIME_COL": "day",
           "ORDER_COL": "visit"}  # fmt: skip
FIRST_DAY = pd.Timestamp("2024-01-01")


def sold(visits: list[tuple[int, int, set[str]]]) -> pd.DataFrame:
    """The table of a shop: a row per item of each visit (customer, days since the first one, items)."""
    rows = [
        (f"c{customer:03}", f"r{number:04}", item, (FIRST_DAY + pd.Timedelta(days=day)).date().isoformat())
        for number, (customer, day, basket) in enumerate(visits)
        for item in sorted(basket)
    ]
    return pd.DataFrame(rows, columns=["card", "receipt", "article", "day"])


def habits(
    names: list[str], *, customers: int = 60, visits: int = 5, seed: int = 1, linked: bool = True
) -> pd.DataFrame:
    """Customers who come once a month; if linked, every second item brings its neighbour along, and one the next time.

    Args:
        names: What the shop sells, in order of popularity.
        customers: How many there are.
        visits: How often each comes.
        seed: Of all draws.
        linked: Whether anything goes together; if not, all items are alike and drawn independently.
    """
    random, drawn = np.random.default_rng(seed), []
    weight = 1 / np.arange(2, len(names) + 2) if linked else np.ones(len(names))
    for customer in range(customers):
        before: set[int] = set()
        for visit in range(visits):
            size = min(1 + random.integers(1, 4), len(names))
            items = set(random.choice(len(names), size, replace=False, p=weight / weight.sum()).tolist())
            if linked:
                items |= {item + 1 for item in items if item % 2 and item + 1 < len(names) and random.random() < 0.7}
                items |= {3} if 2 in before and random.random() < 0.7 else set()
            drawn.append((customer, 30 * visit + int(random.integers(0, 28)), {names[item] for item in items}))
            before = items
    return sold(drawn)


def numbered(n: int) -> list[str]:
    """Names m01, m02, … of so many products."""
    return [f"m{number:02}" for number in range(1, n + 1)]


def nothing_new() -> pd.DataFrame:
    """The first basket of a customer holds all that she will ever buy, and every product is there from day one."""
    random, drawn = np.random.default_rng(2), []
    names = np.array(numbered(30))
    for customer in range(60):
        own = random.choice(names, 6, replace=False)
        drawn.append((customer, 0, set(own)))
        drawn += [
            (customer, 20 * visit + int(random.integers(0, 19)), set(random.choice(own, 3, replace=False)))
            for visit in range(1, 6)
        ]
    return sold(drawn)


def codes_for_names() -> pd.DataFrame:
    """Articles are numbers; ten of forty are new in the last two months, and sold to a tenth of the customers then."""
    table = habits([str(4711 + 13 * number) for number in range(30)], customers=60, visits=6, seed=3)
    random = np.random.default_rng(4)
    late = table.drop_duplicates("receipt")
    late = late[(late["day"] >= "2024-05-01") & (random.random(len(late)) < 0.5)]
    new = late.assign(article=[str(9001 + random.integers(0, 10)) for _ in range(len(late))])
    return pd.concat([table, new], ignore_index=True)


ODD_NAMES = [
    "CARD $5_OFF_$20", "$x^2$", "a_{b}_c", "{}", "100% \\alpha", "R&D <b>bold</b>", "*star* `tick` |bar|",
    "[link](http://x)", "#1 ~~deal~~", "Very long " * 20 + "name", "x_1^2 $ y", "~",
]  # fmt: skip


def pairs_of(table: pd.DataFrame) -> pd.DataFrame:
    """The first two items of every basket."""
    return table[table.groupby("receipt").cumcount() < 2]


def with_one_everywhere() -> pd.DataFrame:
    """One item, the bag, is in every basket."""
    table = habits(numbered(12), seed=5)
    bags = table.drop_duplicates("receipt").assign(article="bag")
    return pd.concat([table, bags], ignore_index=True)


def visit_numbers() -> pd.DataFrame:
    """No day, but the number of the visit."""
    table = habits(numbered(15), seed=7)
    return table.assign(visit=table.groupby("card")["day"].rank(method="dense").astype(int)).drop(columns="day")


def shared_words() -> pd.DataFrame:
    """Names that tell what is alike."""
    return habits(
        [f"{kind} {thing}" for thing in ("tea", "bread", "soap", "jam") for kind in ("green", "black", "red")]
    )


def _three_days(table: pd.DataFrame) -> pd.Series:
    """The days of a shop in which the n-th visit of everybody is on the n-th day."""
    return "2024-03-0" + table.groupby("card")["day"].rank(method="dense").astype(int).astype(str)


SHOPS: dict[str, Callable[[], pd.DataFrame]] = {
    "twelve products": lambda: habits(numbered(12)),
    "nothing goes together": lambda: habits(numbered(12), linked=False),
    "nothing new": nothing_new,
    "single items": lambda: habits(numbered(12), visits=3).drop_duplicates("receipt"),
    "codes for names": codes_for_names,
    "one visit a customer": lambda: habits(numbered(20), customers=240, visits=1),
    "eight products": lambda: habits(numbered(8)),
    "thirty baskets": lambda: habits(numbered(12), customers=10, visits=3),
    "one customer": lambda: habits(numbered(12), customers=1, visits=150),
    "two visits each": lambda: habits(numbered(12), customers=120, visits=2),
    "three visits each": lambda: habits(numbered(12), customers=60, visits=3),
    "two items a basket": lambda: pairs_of(habits(numbered(12))),
    "nothing follows": lambda: habits(numbered(900), customers=60, visits=3, linked=False),
    "visit numbers": visit_numbers,
    "one day": lambda: habits(numbered(15)).assign(day="2024-03-01"),
    "three days": lambda: habits(numbered(15), visits=3, customers=80).assign(day=_three_days),
    "no times": lambda: habits(numbered(15)).drop(columns="day"),
    "no baskets": lambda: habits(numbered(15)).drop(columns="receipt"),
    "no customers": lambda: habits(numbered(15)).drop(columns="card"),
    "one item in every basket": with_one_everywhere,
    "odd names": lambda: habits(ODD_NAMES, seed=6),
    "shared words": shared_words,
}


@dataclass
class Told:
    """What a lesson told: texts, figures and tables shown, results recorded, and the error that ended it.

    Attributes:
        error: What the lesson ended with, None if it came to its end.
        cell: Number of the code cell in which it ended, from 1.
        at_start: Whether it has not got further than the cell that loads the data.
        texts: What was printed, and what was displayed as Markdown.
        figures: The figures that were shown.
        tables: The tables that were shown.
        results: Name of a recorded result → the result.
        warnings: Warnings of numerical libraries, such as a mean of nothing, with where each came up.
    """

    error: Exception | None = None
    cell: int = 0
    at_start: bool = True
    texts: list[str] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    tables: list[pd.DataFrame] = field(default_factory=list)
    results: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def show(self, *values: Any, **_: Any) -> None:
        """What a notebook does with the last value of a cell, and with what is displayed."""
        for value in values:
            if isinstance(value, Figure):
                value.draw_without_rendering()  # raises what the page would; a closed figure's canvas draws nothing
                self.figures.append(value)
            elif isinstance(value, pd.DataFrame):
                value.to_html()
                self.tables.append(value)
            elif isinstance(value, IPython.display.Markdown):
                self.texts.append(value.data)

    def record(self, name: str, value: Any, **about: Any) -> Any:
        """Takes the place of `ledger.record`: checks as it does, and keeps the result."""
        assert name not in self.results, f"{name} is recorded twice"
        with contextlib.redirect_stdout(io.StringIO()):
            self.results[name] = _RECORD(name, value, **about)
        return self.results[name]

    @property
    def drawn(self) -> list[str]:
        """All that is written in the figures."""
        found = [text for figure in self.figures for text in figure.findobj(Text)]
        return [text.get_text() for text in found if text.get_visible() and text.get_text()]

    @property
    def said(self) -> str:
        """All texts in one."""
        return "\n".join(self.texts)


_RECORD = ledger.record


def cells_of(lesson: str) -> Iterator[tuple[str, bool]]:
    """Code cells of a lesson such as "02", each with whether it is the one of the parameters."""
    for cell in editions.notebook_of(SOURCES[lesson]).cells:
        if cell.cell_type == "code" and "google.colab" not in cell.source:
            yield cell.source, "parameters" in cell.metadata.get("tags", [])


@contextlib.contextmanager
def _listening(told: Told) -> Iterator[None]:
    """Displays and records go to `told`; styles, displays of pandas and the threads of PyTorch end as they began."""
    import torch

    threads, printed = torch.get_num_threads(), io.StringIO()
    with (
        plt.rc_context(),
        pd.option_context("display.float_format", None),
        mock.patch.object(IPython.display, "display", told.show),
        mock.patch.object(ledger, "record", told.record),
        contextlib.redirect_stdout(printed),
        warnings.catch_warnings(record=True) as warned,
    ):
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", RuntimeWarning)
        try:
            yield
        finally:
            told.texts.append(printed.getvalue())
            told.warnings += [f"{one.filename}:{one.lineno}: {one.message}" for one in warned]
            plt.close("all")
            torch.set_num_threads(threads)


def run(lesson: str, table: pd.DataFrame, folder: Path, **parameters: Any) -> Told:
    """Run a lesson on a shop until its end or its first error.

    Args:
        lesson: Number of the lesson, such as "02".
        table: The shop.
        folder: Where its file is written.
        parameters: Parameters of the lesson that differ from its own, besides those that name the file and its columns.
    """
    path = folder / "shop.csv"
    table.to_csv(path, index=False)
    told, names = Told(), {"__name__": "__lesson__"}
    with _listening(told):
        for told.cell, (source, is_parameters) in enumerate(cells_of(lesson), start=1):
            try:
                _execute(source, names, told)
            except Exception as error:  # whatever a lesson ends with is what the tests look at
                told.error = error
                break
            told.at_start &= "load(DATASET" not in source
            if is_parameters:
                columns = {name: column for name, column in COLUMNS.items() if column in table}
                given = {"DATASET": str(path)} | columns | parameters
                assert given.keys() <= names.keys(), f"no parameters: {given.keys() - names.keys()}"
                names |= given
    return told


def _execute(source: str, names: dict[str, Any], told: Told) -> None:
    """Run a cell; its last value is shown if it is an expression."""
    *statements, last = ast.parse(source).body
    shown = isinstance(last, ast.Expr) and not source.rstrip().endswith(";")
    if not shown:
        statements.append(last)
    exec(compile(ast.Module(statements, []), "<cell>", "exec"), names)
    if shown:
        told.show(eval(compile(ast.Expression(last.value), "<cell>", "eval"), names))

"""A lesson's functions may be called after its last cell, by a widget or a learner: names must still mean the same."""

from __future__ import annotations

import symtable
from collections.abc import Iterator

import editions
import pytest

SOURCES = editions.sources(editions.ROOT)
AT_ONCE = {"listcomp", "setcomp", "dictcomp", "genexpr", "<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"}


def functions(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    """The outermost functions, lambdas and classes of a cell; a comprehension is none, it reads its names at once."""
    for inner in table.get_children():
        if inner.get_name() in AT_ONCE:
            yield from functions(inner)
        else:
            yield inner


def globals_read(table: symtable.SymbolTable) -> set[str]:
    """Names of the module that the body of a function reads, its inner functions and comprehensions included."""
    own = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_global() and symbol.is_referenced()}
    return own.union(*map(globals_read, table.get_children()))


def bound(cell: symtable.SymbolTable) -> set[str]:
    """Names of the module that a cell gives a value: assigned, imported, defined, or of a loop."""
    names = {symbol.get_name() for symbol in cell.get_symbols() if symbol.is_assigned() or symbol.is_imported()}
    if cell.get_type() != "module":  # inside, only what is declared global, or := in a comprehension
        names &= {symbol.get_name() for symbol in cell.get_symbols() if symbol.is_global()}
    return names.union(*map(bound, cell.get_children()))


def read_and_bound_later(cells: list[str]) -> list[str]:
    """Names that a function reads from the module and that a later cell binds, as "function: name".

    Args:
        cells: Code of the cells, in order.
    """
    tables = [symtable.symtable(cell, "cell", "exec") for cell in cells]
    found = []
    for place, table in enumerate(tables):
        later = set().union(*map(bound, tables[place + 1 :]))
        for function in functions(table):
            found += [f"{function.get_name()}: {name}" for name in sorted(globals_read(function) & later)]
    return found


FUNCTION = "def share_of(j, k=k):\n    return share[j] * k"


@pytest.mark.parametrize(
    "later",
    [
        "share = 1",
        "share += 1",
        "for way, share in rows:\n    pass",
        "with open(path) as share:\n    pass",
        "import numpy as share",
        "def share():\n    pass",
        "if share_of(1):\n    (share, rest), *more = 1, 2",
        "print(share := 3)",
        "[share := x for x in rows]",
        "def change():\n    global share\n    share = 1",
    ],
)
def test_a_name_that_is_bound_again_is_found(later: str):
    assert read_and_bound_later(["share = [1]", FUNCTION, "x = 1", later]) == ["share_of: share"]


@pytest.mark.parametrize(
    "cell",
    [
        "answers = {name: lambda j: share[j] for name in names}",
        "answer = lambda j: [share[i] for i in j]",
        "def outer(j):\n    def inner():\n        return share\n    return inner",
        "class Answer:\n    def of(self, j):\n        return share[j]",
    ],
)
def test_every_kind_of_function_is_looked_at(cell: str):
    assert [line.partition(": ")[2] for line in read_and_bound_later([cell, "share = 1"])] == ["share"]


@pytest.mark.parametrize(
    "cells",
    [
        ["share = 1\nshare = 2", FUNCTION],  # before
        [FUNCTION, "k = 1"],  # a default is read when the function is defined
        [FUNCTION, "[share for share in rows]", "def other(share):\n    rest = share", "rows[share] = share.x = 1"],
        ["table = [share[j] for j in rows]", "share = 1"],  # read once, at once
        ["def own(share):\n    return share", "share = 1"],
    ],
)
def test_names_that_stay_what_they_are_pass(cells: list[str]):
    assert read_and_bound_later(cells) == []


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_no_function_of_a_lesson_reads_a_name_that_a_later_cell_binds(source):
    """Such a function is handed the name as an argument, or keeps it as a default (`share=share`)."""
    cells = [cell.source for cell in editions.notebook_of(source).cells if cell.cell_type == "code"]
    assert read_and_bound_later(cells) == []

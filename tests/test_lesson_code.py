"""What a lesson is made of: short enough to be read, its parts in place, and names that mean the same to the end.

A lesson's functions may be called after its last cell, by a widget or a learner.
"""

from __future__ import annotations

import re
import symtable
from collections.abc import Iterator

import editions
import jupytext
import pytest
from nbformat import NotebookNode

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


# --- one idea each ---------------------------------------------------------------------------------------------------

MOST_WORDS, MOST_CODE, LONGEST_CELL = 2500, 400, 20  # words of Markdown; lines of code that a reader sees
START = "00"  # the lesson that introduces the others: no parameters, exercises or summary


def words(cells: list[NotebookNode]) -> int:
    """Words of the Markdown cells, tables and references among them; signs alone are none."""
    text = " ".join(cell.source for cell in cells if cell.cell_type == "markdown")
    return sum(any(sign.isalnum() for sign in word) for word in text.split())


def visible_code(cells: list[NotebookNode]) -> list[str]:
    """Code of the cells that are not folded; that of the parameters, which a table explains, is left out."""
    aside = {editions.HIDE, "parameters"}
    code = [cell for cell in cells if cell.cell_type == "code"]
    return [cell.source for cell in code if not aside & set(cell.metadata.get("tags", []))]


def bullets(cells: list[NotebookNode]) -> int:
    """Bullets of the section that is called Summary, up to the next heading: written, or said by its code."""
    text, said = "", ""
    for cell in cells:
        inside = re.search(r"^## Summary$(?!.*^## )", text, re.MULTILINE | re.DOTALL)
        if cell.cell_type == "markdown":
            text += f"\n{cell.source}"
        elif inside:
            said += f"\n{cell.source}"
    section = re.search(r"^## Summary$(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    written = re.findall(r"^- ", section[1], re.MULTILINE) if section else []
    return len(written) + len(re.findall(r"[\"']- ", said))


def faults(cells: list[NotebookNode]) -> list[str]:
    """Where a lesson is more than one idea, or a part of it is missing, a sentence each.

    Args:
        cells: The cells of a source, as jupytext reads it.
    """
    code = visible_code(cells)
    asked = len(re.findall(r"check\.exercise\(", "\n".join(code)))
    n_words, n_lines = words(cells), sum(bool(line.strip()) for one in code for line in one.splitlines())
    found = [f"a cell of {n} lines: {c.splitlines()[0]}" for c in code if (n := c.count("\n") + 1) > LONGEST_CELL]
    found += [f"{n_words:,} words, of at most {MOST_WORDS:,}"] * (n_words > MOST_WORDS)
    found += [f"{n_lines} lines of code, of at most {MOST_CODE}"] * (n_lines > MOST_CODE)
    if not cells[0].source.startswith(f"# {START} "):
        found += [f"{asked} exercises, of at least 3"] * (asked < 3)
        found += [f"{bullets(cells)} bullets of 3 to 5 in ## Summary"] * (not 3 <= bullets(cells) <= 5)
        given = any(editions.PARAMETERS in cell.source for cell in cells if cell.cell_type == "markdown")
        found += [f"no {editions.PARAMETERS}"] * (not given)
    return found


LONG = """\
# %% [markdown]
# # 07 · Too much
#
# {parameters}

# %% tags=["hide"]
import math

# %% tags=["parameters"]
SEED: int = 1  # of everything

# %%
_ = check.exercise("07.1", math.pi), check.exercise("07.2", 2), check.exercise("07.3", 3)

# %% [markdown]
# ## Summary
# - One,
#   and more of it.
# - Two.
# - Three.
#
# ## References
# - Not a part of it.
"""


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("", "", []),
        ("# - Two.", "# Two.", ["2 bullets of 3 to 5 in ## Summary"]),
        ("# - Two.", "# - 2.\n" * 4, ["6 bullets of 3 to 5 in ## Summary"]),
        ("## Summary", "## End", ["0 bullets of 3 to 5 in ## Summary"]),
        ("# - Two.", "# %%\nsay('- Two.', f'- {2}')\n\n# %% [markdown]", []),
        ("# - Two.", "# %%\nsay(*['- Two.'] * 2)\n\n# %% [markdown]\n# ## End", ["2 bullets of 3 to 5 in ## Summary"]),
        ("{parameters}", "none", ["no {parameters}"]),
        (', check.exercise("07.3", 3)', "", ["2 exercises, of at least 3"]),
        ("# - Two.", "# - Two." + " 2 –" * 2483, ["2,501 words, of at most 2,500"]),
        ("import math", "import math\n" * 21, []),
        ("_ = check", "\n" * 20 + "_ = check", ["a cell of 21 lines"]),
        ("# %% [markdown]\n# ## Summary", "# %%\nx = 1\n\n" * 400 + "# %% [markdown]\n# ## Summary", ["401 lines"]),
    ],
)
def test_what_makes_a_lesson_too_long_or_incomplete_is_found(old: str, new: str, fault: list[str]):
    found = faults(jupytext.reads(LONG.replace(old, new, 1), fmt="py:percent").cells)
    assert len(found) == len(fault)
    assert all(line.startswith(start) for line, start in zip(found, fault, strict=True))


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_a_lesson_is_one_idea_and_has_all_its_parts(source):
    assert faults(jupytext.reads(source.read_text(encoding="utf-8"), fmt="py:percent").cells) == []

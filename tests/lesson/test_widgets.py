"""The recommendation twin: its table, what a change of the controls shows, and what stays without a kernel."""

from __future__ import annotations

import ast
import subprocess
import symtable
import sys
from collections.abc import Iterator

import editions
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from llmarm_tutorial.errors import BadParameter
from llmarm_tutorial.lesson import widgets

SOURCES = editions.sources(editions.ROOT)
NAMES = ["bread", "butter <1>", "milk & honey", "jam", "tea"]


def neighbours(basket: list[int]) -> list[tuple[int, float, str]]:
    """The next codes, in order."""
    following = [(max(basket) + step) % len(NAMES) for step in range(1, 4)]
    return [(code, 1 / place, f"after {NAMES[max(basket)]}") for place, code in enumerate(following, 1)]


def tea_only(basket: list[int]) -> list[tuple[int, float, str]]:
    """Tea."""
    return [(4, 1.0, "always <b>tea</b>")]


SYSTEMS = {"next": neighbours, "tea": tea_only}


@pytest.fixture
def twin() -> widgets.RecommendTwin:
    return widgets.recommend_twin(NAMES, SYSTEMS, [0, 1], k=3)


def test_the_table_by_hand():
    table = widgets.recommendations(NAMES, SYSTEMS, [1], 2)
    assert table[["system", "rank", "item", "score"]].to_numpy().tolist() == [
        ["next", 1, 2, 1.0],
        ["next", 2, 3, 0.5],
        ["tea", 1, 4, 1.0],
    ]
    assert table["reason"][0] == "after butter <1>"


def test_names_and_reasons_are_escaped(twin):
    for html in (twin.static, twin.shown.value):
        assert "butter &lt;1&gt;" in html
        assert "milk &amp; honey" in html
        assert "always &lt;b&gt;tea" in html
        assert "<1>" not in html
        assert "<b>tea</b>" not in html.replace("<b>tea</b><br>", "")  # but for the bold name of what all recommend


def test_what_all_recommend_is_bold(twin):
    assert "<b>tea</b>" in twin.static
    assert "<b>jam</b>" not in twin.static
    alone = widgets.recommend_twin(NAMES, {"tea": tea_only}, [0], live=False)
    assert "<b>" not in alone.static


def test_another_basket_shows_another_table(twin):
    assert twin.shown.value == twin.static
    twin.add.value = "jam"
    twin.basket.value = ["jam"]
    assert "In the basket: jam" in twin.shown.value
    assert "after jam" in twin.shown.value
    assert "after butter" not in twin.shown.value
    assert "after butter" in twin.static  # what a page without a kernel shows does not change


def test_a_product_that_is_picked_goes_into_the_basket_once(twin):
    twin.add.value = "ja"  # still typing
    assert twin.basket.value == ("bread", "butter <1>")
    for _ in range(2):
        twin.add.value = "jam"
    assert twin.basket.value == twin.basket.options == ("bread", "butter <1>", "jam")
    assert twin.add.value == ""
    assert "after jam" in twin.shown.value


def test_fewer_and_more_recommendations(twin):
    rows = twin.shown.value.count("<tr>")
    twin.count.value = 1
    assert twin.shown.value.count("<tr>") == rows - 2


def test_an_empty_basket_says_what_to_do(twin):
    twin.basket.value = []
    assert widgets.EMPTY in twin.shown.value
    twin.basket.value = ["bread"]
    assert "after bread" in twin.shown.value


def test_what_was_taken_out_can_be_put_back(twin):
    twin.basket.value = ["bread"]
    twin.add.value = "butter <1>"
    assert twin.basket.value == ("bread", "butter <1>")
    assert twin.shown.value == twin.static


def shown_by(twin: widgets.RecommendTwin) -> list[dict]:
    """Bundles of all outputs of a cell that ends in the twin."""
    InteractiveShell.instance()
    with capture_output() as captured:
        twin._ipython_display_()
    return [output.data for output in captured.outputs]


def test_a_cell_shows_a_plain_table_first_and_the_controls_after(twin):
    plain, live = shown_by(twin)
    assert plain["text/html"] == twin.static
    assert not any("widget" in kind for kind in plain)  # a stored notebook loses outputs with widgets
    assert "application/vnd.jupyter.widget-view+json" in live


def test_without_controls_the_table_is_all():
    twin = widgets.recommend_twin(NAMES, SYSTEMS, [0], live=False)
    assert twin.basket is twin.shown is None
    assert [bundle["text/html"] for bundle in shown_by(twin)] == [twin.static]


def test_a_machine_without_ipywidgets_shows_the_table():
    code = (
        "import sys; sys.modules['ipywidgets'] = None\n"
        "from llmarm_tutorial.lesson import widgets\n"
        "twin = widgets.recommend_twin(['a', 'b'], {'s': lambda basket: [(1, 1.0, 'why')]}, [0])\n"
        "assert twin.basket is None and 'why' in twin.static\n"
        "twin._ipython_display_()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_wrong_input():
    for basket in ([], [5], [-1]):
        with pytest.raises(BadParameter, match="codes from 0 to 4"):
            widgets.recommend_twin(NAMES, SYSTEMS, basket)
    with pytest.raises(BadParameter, match="From 1 to"):
        widgets.recommend_twin(NAMES, SYSTEMS, [0], k=0)
    with pytest.raises(BadParameter, match="name of its own"):
        widgets.recommend_twin(["tea", "tea"], SYSTEMS, [0])


# --- a lesson's widget still answers after all cells ran -----------------------------------------------------------


def functions_of(cell: str) -> list[str]:
    """Names handed to `recommend_twin` as systems, those of no function included."""
    calls = [node for node in ast.walk(ast.parse(cell)) if isinstance(node, ast.Call)]
    calls = [call for call in calls if ast.unparse(call.func).endswith("recommend_twin")]
    systems = [value for call in calls for value in ast.walk(call.args[1])]
    return [value.id for value in systems if isinstance(value, ast.Name)]


def globals_of(table: symtable.SymbolTable) -> Iterator[str]:
    """Global names that the body of a function reads, its inner functions and comprehensions included."""
    yield from (symbol.get_name() for symbol in table.get_symbols() if symbol.is_global())
    for inner in table.get_children():
        yield from globals_of(inner)


def bound_again(cells: list[str]) -> set[str]:
    """Global names that a twin's functions read when they answer and that a cell after the twin gives another value.

    Args:
        cells: Code of the cells, in order.
    """
    last = max(number for number, cell in enumerate(cells) if functions_of(cell))
    defined = {
        table.get_name(): table
        for cell in cells[: last + 1]
        for table in symtable.symtable(cell, "cell", "exec").get_children()
        if table.get_type() == "function"
    }
    read: set[str] = set()
    waiting = [name for cell in cells for name in functions_of(cell)]
    while waiting:
        if (name := waiting.pop()) not in read:
            read.add(name)
            waiting += globals_of(defined[name]) if name in defined else ()
    later = [symtable.symtable(cell, "cell", "exec") for cell in cells[last + 1 :]]
    bound = (symbol for table in later for symbol in table.get_symbols())
    return read & {symbol.get_name() for symbol in bound if symbol.is_assigned() or symbol.is_imported()}


def test_names_that_are_bound_again_are_found():
    made = "twin = widgets.recommend_twin(names, {'s': answer}, [0])"
    answer = "def answer(basket, k=k):\n    return [(j, share[j], why(j, k)) for j in basket]"
    reasons = "def why(j, k):\n    return names[j]"
    for later, expected in (
        ("for share, low in rows:\n    pass", {"share"}),
        ("names = 1", {"names"}),  # read by what is called
        ("def why():\n    pass", {"why"}),
        ("import numpy as share", {"share"}),
        ("k = 1\nj = [share for share in rows]\ndef f():\n    share = 1", set()),  # a default, and names of their own
    ):
        assert bound_again([reasons, answer, made, later]) == expected
    assert bound_again(["share = 1", reasons, answer, made]) == set()


@pytest.mark.parametrize(
    "source", [source for source in SOURCES if "recommend_twin(" in source.read_text("utf-8")], ids=lambda s: s.stem
)
def test_no_later_cell_of_a_lesson_breaks_its_widget(source):
    cells = [cell.source for cell in editions.notebook_of(source).cells if cell.cell_type == "code"]
    assert any(functions_of(cell) for cell in cells)
    assert bound_again(cells) == set()

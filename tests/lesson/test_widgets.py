"""The recommendation twin: its table, what a change of the controls shows, and what stays without a kernel."""

from __future__ import annotations

import subprocess
import sys

import editions
import nbformat
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
    twin.add.value = "ja"
    assert twin.basket.value == ("bread", "butter <1>")
    for _ in range(2):
        twin.add.value = "jam"
    assert twin.basket.value == twin.basket.options == ("bread", "butter <1>", "jam")
    assert twin.add.value == ""
    assert "after jam" in twin.shown.value


@pytest.mark.parametrize("typed", ["jam", "JAM", " Jam "])
def test_capitals_do_not_matter(twin, typed):
    twin.add.value = typed
    assert twin.basket.value == ("bread", "butter <1>", "jam")
    assert twin.said.value == twin.add.value == ""


def test_of_two_names_that_differ_in_capitals_each_is_found():
    twin = widgets.recommend_twin(["tea", "Tea", "jam"], {"none": lambda basket: []}, [2])
    twin.add.value = "Tea"
    twin.add.value = "tea"
    assert twin.basket.value == ("jam", "Tea", "tea")


def test_what_is_no_product_is_told_until_one_is_typed(twin):
    before = twin.shown.value
    twin.add.value = "buter <1>"
    assert twin.said.value == "<p>There is no product &#x27;buter &lt;1&gt;&#x27;. Did you mean butter &lt;1&gt;?</p>"
    assert twin.add.value == "buter <1>"  # to be mended
    assert twin.shown.value == before
    twin.add.value = "zzz"
    assert twin.said.value == "<p>There is no product &#x27;zzz&#x27;.</p>"
    twin.add.value = "jam"
    assert twin.said.value == ""
    assert not twin.add.continuous_update  # a word that is being typed is not answered


def test_putting_in_asks_each_system_once_and_shows_no_empty_basket():
    asked, shown = [], []

    def counted(basket):
        asked.append(basket)
        return tea_only(basket)

    twin = widgets.recommend_twin(NAMES, {"counted": counted}, [0], k=1)
    asked.clear()
    twin.shown.observe(lambda change: shown.append(change["new"]), "value")
    twin.add.value = "jam"
    assert asked == [[0, 3]]
    assert len(shown) == 1
    assert "bread, jam" in shown[0]
    twin.add.value = "jam"  # it is inside: nothing new to ask
    assert len(asked) == len(shown) == 1
    twin.basket.value = ["bread"]
    twin.count.value = 2
    assert asked == [[0, 3], [0], [0]]  # and what is moved later is answered


def test_an_error_of_a_system_is_shown_in_place_of_the_table():
    def breaks(basket):
        if len(basket) > 1:
            share = 0.5
            return [(0, share[0], "<why>")]
        return tea_only(basket)

    twin = widgets.recommend_twin(NAMES, {"breaks": breaks}, [0], k=1)
    good = twin.shown.value
    twin.add.value = "jam"
    assert "No answer: TypeError: &#x27;float&#x27; object is not subscriptable (in breaks, line " in twin.shown.value
    assert "share[0], &quot;&lt;why&gt;&quot;" in twin.shown.value
    twin.basket.value = ["bread"]
    assert twin.shown.value == good


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


SMALL = {"EPOCHS": 1, "MAX_CASES": 100, "PAGES": 5, "SHELF": 40}
MOVES = """
tables = [twin.shown.value]
assert tables == [twin.static]
assert "<td>" in tables[0]
twin.count.value = 2
tables.append(twin.shown.value)
assert tables[-1].count("<tr>") == 3
bananas = next(name for name in map(str, names) if name not in twin.basket.options)
twin.add.value = bananas.lower()
tables.append(twin.shown.value)
assert bananas in twin.basket.value, (bananas, twin.basket.value, twin.said.value)
twin.basket.value = [bananas]
tables.append(twin.shown.value)
twin.basket.value = []
tables.append(twin.shown.value)
assert widgets.EMPTY in tables[-1]
assert not [table for table in tables if "No answer" in table], tables
assert len(set(tables)) == len(tables)
"""


def test_the_controls_of_lesson_08_answer_after_its_last_cell():
    """The whole lesson runs, with small settings, and only then somebody moves the controls."""
    (source,) = [source for source in SOURCES if source.stem.startswith("08_")]
    notebook = editions.notebook_of(source)
    (parameters,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    parameters.source += "".join(f"\n{name} = {value}" for name, value in SMALL.items())
    assert all(f"\n{name}: " in parameters.source for name in SMALL)
    notebook.cells.append(nbformat.v4.new_code_cell(MOVES))
    editions.execute(notebook, source.parent.parent)  # fails with the cell's own error

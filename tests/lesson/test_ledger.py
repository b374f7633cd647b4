"""The ledger: what may be recorded, how it is shown, and that an executed notebook gives it back."""

from __future__ import annotations

import io

import nbformat
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmarm_tutorial.errors import BadParameter, RunError, UnknownName
from llmarm_tutorial.evaluation import Comparison
from llmarm_tutorial.lesson import ledger
from llmarm_tutorial.lesson.ledger import MIME
from llmarm_tutorial.lesson.results import Result, show


def notebook_of(*results: Result) -> nbformat.NotebookNode:
    """An executed notebook whose cells carry these results."""
    notebook = nbformat.v4.new_notebook()
    for result in results:
        output = nbformat.v4.new_output("display_data", {"text/plain": result.line(), MIME: result.to_dict()})
        notebook.cells.append(nbformat.v4.new_code_cell("…", outputs=[output], execution_count=1))
    return notebook


def test_outside_a_notebook_the_line_is_printed(capsys):
    ledger.record("rules/precision_at_20", 0.85, interval=(0.64, 0.95), baseline=0.4, unit="share", note="of 20")
    assert capsys.readouterr().out == "rules/precision_at_20 = 0.85 share [0.64, 0.95] · baseline 0.4 · of 20\n"


def test_in_a_notebook_three_forms_are_displayed(monkeypatch):
    shown = []
    monkeypatch.setattr(ledger, "_in_notebook", lambda: True)
    monkeypatch.setattr("IPython.display.display", lambda bundle, raw: shown.append((bundle, raw)))
    ledger.record("a/b", 1, note="less < more")
    (bundle, raw) = shown[0]
    assert raw
    assert set(bundle) == {"text/plain", "text/html", MIME}
    assert "less &lt; more" in bundle["text/html"]
    assert bundle[MIME]["value"] == 1


@pytest.mark.parametrize(
    ("difference", "less_is_better", "line"),
    [
        (Comparison("NDCG@10", "model", "counts", -0.02, -0.03, -0.01, 0.01, 90), False, "loses"),
        (Comparison("NDCG@10", "model", "counts", 0.02, -0.01, 0.05, 0.2, 90), False, "level"),
        (Comparison("log loss", "model", "counts", -0.02, -0.03, -0.01, 0.01, 90), True, "wins"),
        (Comparison("log loss", "model", "counts", 0.02, 0.01, 0.03, 0.01, 90), True, "loses"),
        (Comparison("log loss", "counts", "counts", 0.0, 0.0, 0.0, 1.0, 90), True, "level"),
    ],
)
def test_a_gain_says_who_wins(capsys, difference, less_is_better, line):
    result = ledger.record_gain("a", difference, less_is_better=less_is_better, baseline=0.5)
    assert result.verdict == line
    assert result.interval[0] <= result.value <= result.interval[1]
    assert str(result.value) != "-0.0"
    assert capsys.readouterr().out.endswith(f" · {line} against counts (0.5)\n")
    assert result.tolerance is None  # compared by its verdict, not by its number


def test_levels_have_no_verdict_and_gains_need_an_interval():
    assert Result("a", 0.3, interval=(0.2, 0.4), baseline=0.1).verdict is None
    with pytest.raises(BadParameter, match="gain over counts; give its paired interval"):
        Result("a", 0.3, over="counts")


def test_only_claims_of_the_literature_can_be_spoken_to():
    ledger.record("a", 1, claim="slip-5")
    with pytest.raises(UnknownName, match=r"no claim '21'.*claims\.toml"):
        ledger.record("a", 1, claim="21")


def test_a_gain_is_over_something_that_has_a_name():
    with pytest.raises(BadParameter, match="'a' needs the name of the system"):
        ledger.record_gain("a", Comparison("NDCG@10", "model", "", 0.02, 0.01, 0.03, 0.01, 90))


@pytest.mark.parametrize("name", ["Precision", "a b", "", "a/", "/a", "a//b", "é", 3])
def test_names_that_are_no_slug_are_refused(name):
    with pytest.raises(BadParameter, match="not usable"):
        Result(name, 1)


@pytest.mark.parametrize("name", ["a", "rules/precision_at_20", "item-knn/ndcg@10", "v1.2/x"])
def test_slugs_are_names(name):
    assert Result(name, 1).name == name


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        (10**400, "beyond"),
        (None, "NoneType"),
        ([1], "list"),
        (np.array([1.0, 2.0]), "ndarray"),
    ],
)
def test_values_that_are_no_value_are_refused(value, words):
    with pytest.raises(BadParameter, match=words):
        Result("a", value)


@pytest.mark.parametrize(
    ("value", "plain"),
    [(np.float64(0.5), 0.5), (np.int64(3), 3), (np.bool_(True), True), (np.array(2.5), 2.5), ("x", "x")],
)
def test_numpy_scalars_become_plain(value, plain):
    result = Result("a", value)
    assert result.value == plain
    assert type(result.value) is type(plain)


@pytest.mark.parametrize(
    "wrong",
    [
        {"interval": (2, 1)},
        {"interval": (1,)},
        {"interval": 1.5},
        {"interval": "01"},
        {"interval": (0, float("nan"))},
        {"baseline": "x"},
        {"tolerance": -1},
        {"relative": -0.1},
        {"relative": None},
    ],
)
def test_bad_particulars_are_refused_by_the_result_s_name(wrong):
    with pytest.raises(BadParameter, match="'a'"):
        Result("a", 1, **wrong)


def test_text_has_no_interval():
    with pytest.raises(BadParameter, match="only a number"):
        Result("a", "x", interval=(0, 1))


@given(
    value=st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.booleans(), st.text()),
    baseline=st.none() | st.floats(-10, 10),
    tolerance=st.none() | st.floats(0, 10),
)
def test_a_notebook_file_gives_back_what_was_recorded(value, baseline, tolerance):
    result = Result("a/b", value, baseline=baseline, tolerance=tolerance, note="n", claim="c1")
    file = io.StringIO(nbformat.writes(notebook_of(result)))
    assert ledger.collect(nbformat.read(file, as_version=4)) == [result]


def test_intervals_survive_the_file(tmp_path):
    result = Result("a", 0.5, interval=(np.float64(0.25), 1))
    nbformat.write(notebook_of(result), tmp_path / "n.ipynb")
    assert ledger.collect(tmp_path / "n.ipynb") == [result]


def test_results_come_in_the_order_of_cells():
    assert [r.name for r in ledger.collect(notebook_of(Result("b", 1), Result("a", 2)))] == ["b", "a"]


def test_one_name_twice_is_an_error():
    with pytest.raises(RunError, match="'a' is recorded twice"):
        ledger.collect(notebook_of(Result("a", 1), Result("a", 1)))


@pytest.mark.parametrize("content", ["not json", "{}", '{"cells": 3}', None])
def test_what_is_no_notebook_is_one_sentence(tmp_path, content):
    path = tmp_path / "n.ipynb"
    if content is not None:
        path.write_text(content)
    with pytest.raises(RunError, match=r"n\.ipynb"):
        ledger.collect(path)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1234567, "1,234,567"),
        (0.123456, "0.1235"),
        (True, "yes"),
        (2.0, "2"),
        (12345.6, "12,346"),
        (1e-9, "1e-09"),
        ("x", "x"),
    ],
)
def test_numbers_are_shown_for_people(value, text):
    assert show(value) == text


@pytest.mark.parametrize(
    ("label", "slug"),
    [
        ("popularity + tested rules", "popularity_and_tested_rules"),
        ("model × counting", "model_and_counting"),
        ("Adamic-Adar", "adamic_adar"),
        ("strength, all counts", "strength_all_counts"),
        ("Café at 0.5 (new)", "cafe_at_0.5_new"),
    ],
)
def test_a_label_becomes_a_part_of_a_name(label, slug):
    assert ledger.slug(label) == slug
    Result(f"a/{ledger.slug(label)}", 1)


# --- whole tables ----------------------------------------------------------------------------------------------------

GAIN = Comparison("NDCG@10", "model", "own habits", 0.02, 0.01, 0.03, 0.01, 90)


def of(results: list[Result], *fields: str) -> dict:
    """Name → some fields of recorded results."""
    return {result.name: tuple(getattr(result, field) for field in fields) for result in results}


@pytest.mark.parametrize(
    "table",
    [
        {"own habits": 0.5, "never tried": float("nan"), "model": 0.25},
        pd.Series({"own habits": 0.5, "never tried": np.nan, "model": 0.25}),
        pd.DataFrame({"mean": {"own habits": 0.5, "never tried": np.nan, "model": 0.25}}),
        pd.DataFrame({"value": {"own habits": 0.5, "model": 0.25}, "cases": 9}),
    ],
)
def test_one_call_records_every_row_that_was_measured(table):
    found = ledger.record_table("next/ndcg10_{}", table, tolerance=1e-6)
    assert of(found, "value", "interval", "tolerance") == {
        "next/ndcg10_own_habits": (0.5, None, 1e-6),
        "next/ndcg10_model": (0.25, None, 1e-6),
    }


def test_a_table_brings_its_intervals_along():
    table = pd.DataFrame({"mean": [0.5, 0.25], "low": [0.4, np.nan], "high": [0.6, np.nan]}, index=["a", "b"])
    assert of(ledger.record_table("x/{}", table), "interval") == {"x/a": ((0.4, 0.6),), "x/b": (None,)}


def test_a_table_of_cells_is_named_by_row_and_column():
    table = pd.DataFrame({"p-value": [0.5, 0.25], "lift": [1.5, np.nan]}, index=[1, 10])
    assert of(ledger.record_table("truth/{}_{}", table), "value") == {
        "truth/1_p_value": (0.5,),
        "truth/1_lift": (1.5,),
        "truth/10_p_value": (0.25,),
    }
    assert of(ledger.record_table("truth/met_{}_by_{}", {(10, "lift"): 3}), "value") == {"truth/met_10_by_lift": (3,)}


def test_what_differs_by_row_is_a_mapping_or_a_function():
    table = pd.Series({"model": 0.5, "counts": 0.25})
    found = ledger.record_table(
        "x/{}",
        table,
        tolerance=lambda name: None if name == "model" else 1e-6,
        claim={"model": "1"},
        note=pd.Series({"counts": "tuned"}),
        baseline={"model": 0.25, "counts": np.nan},
        unit="nats",
    )
    assert of(found, "tolerance", "claim", "note", "baseline", "unit") == {
        "x/model": (None, "1", "", 0.25, "nats"),
        "x/counts": (1e-6, None, "tuned", None, "nats"),
    }


def test_gains_have_their_baseline_from_the_table_of_levels():
    levels = {"model": 0.5, "own habits": 0.48}
    unknown = GAIN._replace(first="nobody", difference=float("nan"), low=float("nan"), high=float("nan"))
    found = ledger.record_table("next/gain_{first}_over_{second}", [GAIN, unknown], baseline=levels, claim="1")
    assert of(found, "value", "baseline", "verdict", "tolerance", "claim") == {
        "next/gain_model_over_own_habits": (0.02, 0.48, "wins", None, "1")
    }
    found = ledger.record_table("{}/{}/{metric}", {("next", "model"): GAIN}, less_is_better=True, tolerance=0.1)
    assert of(found, "value", "verdict", "tolerance") == {"next/model/ndcg@10": (-0.02, "loses", 0.1)}


def test_a_table_is_shown_as_its_results_one_by_one(capsys):
    ledger.record_table("x/{}", {"a": 0.5}, baseline=0.25)
    together = capsys.readouterr().out
    ledger.record("x/a", 0.5, baseline=0.25)
    assert together == capsys.readouterr().out


def test_two_rows_of_one_name_are_refused_before_anything_is_recorded(capsys):
    with pytest.raises(BadParameter, match="get the name 'x/level'; let the pattern 'x/level' tell them apart"):
        ledger.record_table("x/level", {"a": 1, "b": 2})
    assert capsys.readouterr().out == ""


def test_a_table_without_rows_records_nothing():
    assert ledger.record_table("x/{}", {}) == ledger.record_table("x/{}", []) == []


def test_a_wrong_value_in_a_table_is_named():
    with pytest.raises(BadParameter, match="'x/b'"):
        ledger.record_table("x/{}", {"a": 1, "b": float("inf")})

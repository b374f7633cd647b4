"""Sentences made from results say what the interval allows, whatever the results are."""

from __future__ import annotations

import html
import re

import nbconvert.filters
import pytest

from llmarm_tutorial.evaluation import Comparison
from llmarm_tutorial.lesson import against, each_against, left_out, number, plain, say, signed
from llmarm_tutorial.lesson.results import Result


@pytest.mark.parametrize(
    ("low", "value", "high", "words"),
    [
        (0.0041, 0.0109, 0.0177, "**better than** counts (+0.0109, +0.0041 to +0.0177)"),
        (-0.0081, -0.0042, -0.0003, "**worse than** counts (−0.0042, −0.0081 to −0.0003)"),
        (-0.01, 0.001, 0.012, "**level with** counts (+0.001, −0.01 to +0.012)"),
        (0.0, 0.0, 0.0, "**level with** counts (0, 0 to 0)"),
    ],
)
def test_the_words_follow_the_interval(low, value, high, words):
    comparison = Comparison("NDCG@10", "model", "counts", value, low, high, 0.5, 90)
    assert against(comparison) == words
    assert against(Result("a", value, interval=(low, high), over="counts")) == words
    assert against(comparison, name=False) == words.replace(" counts", "")


def test_a_list_says_of_each_comparison_what_it_allows():
    better = Comparison("NDCG@10", "model", "counts", 0.5, 0.25, 0.75, 0.01, 90)
    worse = Comparison("Diversity@10", "rules", "model", -0.5, -0.75, -0.25, 0.01, 90)
    assert each_against([better, worse]).splitlines() == [
        "- NDCG@10: model is **better than** counts (+0.5, +0.25 to +0.75).",
        "- Diversity@10: rules is **worse than** model (−0.5, −0.75 to −0.25).",
    ]
    assert each_against([]) == ""


def test_signs_are_typographic():
    assert [signed(v) for v in (0.5, -0.5, 0.0, -12345.6)] == ["+0.5", "−0.5", "0", "−12,346"]


def test_small_differences_have_no_exponent():
    assert [signed(v) for v in (6.498e-05, -2.6459e-05, 1e-9)] == ["+0.00006498", "−0.00002646", "+0.000000001"]


def test_names_with_a_comma_stand_in_quotation_marks():
    gain = Comparison("MRR", "content, MiniLM", "content, TF-IDF", 0.5, 0.25, 0.75, 0.01, 90)
    said = "- MRR: “content, MiniLM” is **better than** “content, TF-IDF” (+0.5, +0.25 to +0.75)."
    assert each_against([gain]) == said


def test_paragraphs_are_shown_as_markdown(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    say("The model is **level with** counts.", "So be it.")
    assert shown[0].data == "The model is **level with** counts.\n\nSo be it."


@pytest.mark.parametrize(
    "name",
    [
        "CARD $5_OFF_$20",
        "$x^2$",
        "a_{b}_c",
        "*star* `tick` |bar|",
        "[link](http://x)",
        "~~deal~~",
        "R&D <b>b</b>",
        "\\alpha",
    ],
)
def test_a_name_in_markdown_is_shown_as_it_is(name):
    page = nbconvert.filters.markdown2html(f"It is {plain(name)} that goes with {plain(name)}.")
    shown = re.sub(r"<[^<>]*>", "", page)
    assert html.unescape(shown).strip() == f"It is {name} that goes with {name}."
    assert re.search(r"\$[^<]*\$", page) is None  # in one piece of text, which MathJax would take for a formula


def test_what_is_left_out_is_said_in_a_sentence(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    left_out("the recount on unseen baskets", "no pair rule has a lift above 1.5")
    assert shown[0].data == "**Left out:** the recount on unseen baskets, since no pair rule has a lift above 1.5."


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (9e-05, "0.00009"),
        (-7.13, "−7.13"),
        (0.0, "0"),
        (12345.6, "12,346"),
        (float("nan"), "NaN"),
        (3.2e-40, "3.2e−40"),
    ],
)
def test_a_number_is_shown_without_exponent_and_with_a_true_minus(value, text):
    assert number(value) == text

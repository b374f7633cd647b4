"""Sentences of the lessons about outcomes in the shop stand in their Markdown, and the reference says the same.

A sentence that can be computed is no Markdown: a cell says it (`lesson.prose`). What must stay Markdown is listed in a
file of its lesson, `outcomes_NN.toml`, each sentence with the recorded value that it speaks about:

    [[sentence]]
    lesson = "02"
    text = "a fragment of the Markdown source, line breaks as they come"
    name = "the/recorded_name"
    verdict = "wins"        # of a gain; or, of a level: above = 0.5, below = 0.5 or above_baseline = true
"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import editions
import pytest

from llmarm_tutorial.evaluation.verdicts import LEVEL, LOSES, WINS
from llmarm_tutorial.lesson.results import Result

ROOT = Path(__file__).parents[2]
SOURCES = {source.stem[:2]: source for source in editions.sources(ROOT)}
REFERENCE = json.loads((ROOT / "results/reference/quick.json").read_text("utf-8"))["lessons"]
SENTENCES = [
    entry
    for path in sorted(Path(__file__).parent.glob("outcomes_*.toml"))
    for entry in tomllib.loads(path.read_text("utf-8"))["sentence"]
]
each_sentence = pytest.mark.parametrize("entry", SENTENCES, ids=lambda entry: f"{entry['lesson']}:{entry['name']}")


def words(text: str) -> str:
    """A text without its line breaks."""
    return " ".join(text.split())


def markdown_of(lesson: str) -> list[str]:
    """The Markdown cells of a lesson, such as "02"."""
    cells = editions.notebook_of(SOURCES[lesson]).cells
    return [words(cell.source) for cell in cells if cell.cell_type == "markdown"]


def says_so(entry: dict[str, Any], result: Result) -> bool:
    """Whether a recorded result is what a sentence needs it to be."""
    match {key: entry[key] for key in entry if key not in ("lesson", "text", "name")}:
        case {"verdict": word, **more} if word in (WINS, LEVEL, LOSES) and not more:
            return result.verdict == word
        case {"above": int() | float() as bound, **more} if not more:
            return result.value > bound
        case {"below": int() | float() as bound, **more} if not more:
            return result.value < bound
        case {"above_baseline": bool(above), **more} if not more:
            return result.value != result.baseline and (result.value > result.baseline) == above
        case condition:
            raise ValueError(f"a sentence needs one condition, and {condition} is none")


@each_sentence
def test_the_sentence_stands_in_the_lesson(entry):
    assert any(words(entry["text"]) in cell for cell in markdown_of(entry["lesson"]))


@each_sentence
def test_the_reference_says_what_the_sentence_says(entry):
    (lesson,) = (name for name in REFERENCE if name.startswith(entry["lesson"]))
    recorded = REFERENCE[lesson]["values"][entry["name"]]
    assert says_so(entry, Result.from_dict({"name": entry["name"]} | recorded))


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({"verdict": "wins"}, True),
        ({"verdict": "level"}, False),
        ({"verdict": "loses"}, False),
        ({"above": 0.1}, True),
        ({"above": 0.2}, False),
        ({"below": 0.3}, True),
        ({"below": 0.2}, False),
        ({"above_baseline": False}, True),
        ({"above_baseline": True}, False),
    ],
)
def test_a_sentence_can_be_wrong(condition, holds):
    gain = Result("a/gain", 0.2, interval=(0.1, 0.3), baseline=0.5, over="counting")
    assert says_so({"lesson": "02", "text": "…", "name": "a/gain"} | condition, gain) == holds


@pytest.mark.parametrize(
    "condition", [{"verdict": "better"}, {"above": "0.1"}, {"near": 0.1}, {}, {"above": 0.1, "below": 0.3}]
)
def test_a_sentence_without_a_condition_is_refused(condition):
    with pytest.raises(ValueError, match="needs one condition"):
        says_so({"lesson": "02", "text": "…", "name": "a"} | condition, Result("a", 0.2))

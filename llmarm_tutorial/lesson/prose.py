"""Sentences about results that are made from the results: they are true on whatever data the lesson was run."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING

from llmarm_tutorial.evaluation.verdicts import LEVEL, LOSES, WINS
from llmarm_tutorial.lesson.results import show

if TYPE_CHECKING:
    from llmarm_tutorial.evaluation.comparison import Comparison
    from llmarm_tutorial.lesson.results import Result

_MARKUP = re.compile(r"[\\`*_{}\[\]|~]")  # what Markdown reads as a sign of its own, wherever it stands
_WORDS = {WINS: "better than", LEVEL: "level with", LOSES: "worse than"}


def say(*paragraphs: str) -> None:
    """Show paragraphs of Markdown under the cell; outside a notebook they are printed.

    Args:
        paragraphs: Markdown text, made with `against` and `number` wherever it speaks of an outcome.
    """
    from IPython.display import Markdown, display

    display(Markdown("\n\n".join(paragraphs)))


def left_out(what: str, why: str) -> None:
    """Say that a section, or a part of one, has nothing to show on this data; what was measured before it stays.

    Args:
        what: What is left out, as the subject of a sentence.
        why: What the data lacks, as the rest of the sentence; names in it as `plain` gives them.
    """
    say(f"**Left out:** {what}, since {why}.")


def plain(name: object) -> str:
    """A name from the data as Markdown that shows it as it is: no formula, emphasis, link, code or HTML."""
    text = _MARKUP.sub(r"\\\g<0>", str(name)).replace("&", "&amp;").replace("<", "&lt;")
    return text.replace("$", r"<span>\$</span>")  # apart from others: MathJax looks at what Markdown leaves


def against(gain: Comparison | Result, *, name: bool = True) -> str:
    """What a gain allows one to say, as the end of a sentence: "**worse than** counts (−0.0042, −0.0081 to −0.0003)".

    Args:
        gain: A comparison in which more of the metric is better, or a recorded gain.
        name: Whether to name the system that the gain is over.

    Returns:
        Markdown: better than, level with or worse than; the gain and its 95 % interval.
    """
    if hasattr(gain, "difference"):
        other, value, interval = gain.second, gain.difference, (gain.low, gain.high)
    else:
        other, value, interval = gain.over, gain.value, gain.interval
    low, high = map(signed, interval)
    named = f" {_named(other)}" if name else ""
    return f"**{_WORDS[gain.verdict]}**{named} ({signed(value)}, {low} to {high})"


def each_against(gains: Iterable[Comparison]) -> str:
    """A Markdown list of what gains allow one to say: "- NDCG@10: model is **worse than** counts (…)", one each.

    Args:
        gains: Comparisons in which more of the metric is better.
    """
    return "\n".join(f"- {gain.metric}: {_named(gain.first)} is {against(gain)}." for gain in gains)


def number(value: float) -> str:
    """A number with a true minus and four significant digits: "0.00009", "−7.1", "12,346", "NaN", "3.2e−40".

    Without an exponent down to a billionth, since readers take 9e-05 for nine; what is smaller, such as a p-value, has
    one.
    """
    if value != value:
        return "NaN"
    text = show(abs(value))
    if "e-" in text and abs(value) >= 1e-9:
        text = f"{Decimal(text):f}"
    return ("−" if value < 0 else "") + text.replace("e-", "e−")


def signed(value: float) -> str:
    """A difference with its sign, else as `number`: "+0.0109", "−0.00004", "0"."""
    return f"+{number(value)}" if value > 0 else number(value)


def _named(system: str) -> str:
    """A name as a part of a sentence: in quotation marks if it holds a comma."""
    return f"“{system}”" if "," in system else system

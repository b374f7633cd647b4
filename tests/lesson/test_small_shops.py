"""Every lesson runs on small and odd shops: to its end, or it says at its start what it needs.

A section without material is left out with a sentence, and what was measured stays. The shops are in `small_shops`, and
what each lesson is expected to do in the files `runs_NN_to_NN.py` beside this one: `PARAMETERS` of its cheapest run,
the shops it is `REFUSED` by, what is `LEFT_OUT`, and where it `SHOWS_NAMES` of products. A lesson that takes long runs
on the shops in `EVERYDAY`, one for every way through it, and on all shops where the environment has LLMARM_EVERY_SHOP.
"""

from __future__ import annotations

import importlib
import os
import re
from collections import ChainMap
from pathlib import Path

import pytest
import small_shops
from small_shops import ODD_NAMES, SHOPS, Told

from llmarm_tutorial.errors import LlmarmError

EXPECTED = [importlib.import_module(path.stem) for path in sorted(Path(__file__).parent.glob("runs_*_to_*.py"))]
PARAMETERS, REFUSED, LEFT_OUT = (
    ChainMap(*(getattr(module, name) for module in EXPECTED)) for name in ("PARAMETERS", "REFUSED", "LEFT_OUT")
)
EVERYDAY = ChainMap(*(getattr(module, "EVERYDAY", {}) for module in EXPECTED))
SHOWS_NAMES = ChainMap(*(getattr(module, "SHOWS_NAMES", {}) for module in EXPECTED))
EVERY_SHOP = bool(os.environ.get("LLMARM_EVERY_SHOP"))
CASES = [
    (lesson, shop) for lesson in sorted(PARAMETERS) for shop in (SHOPS if EVERY_SHOP else EVERYDAY.get(lesson, SHOPS))
]


@pytest.mark.parametrize(("lesson", "shop"), CASES, ids=[f"{lesson} {shop}" for lesson, shop in CASES])
def test_a_lesson_goes_through_or_says_at_its_start_what_it_needs(lesson: str, shop: str, tmp_path: Path):
    told = small_shops.run(lesson, SHOPS[shop](), tmp_path, **PARAMETERS[lesson])
    needed = REFUSED.get(lesson, {}).get(shop)
    if needed is None:
        _went_through(told, LEFT_OUT.get(lesson, {}).get(shop, []))
        if shop == "odd names":
            _names_stand_as_they_are(told, SHOWS_NAMES.get(lesson, ["drawings", "tables"]))
    else:
        _was_refused(told, needed)


def _went_through(told: Told, left_out: list[str]) -> None:
    if told.error is not None:
        raise AssertionError(f"ended in cell {told.cell}") from told.error
    assert told.results
    assert told.warnings == []
    said = [text for text in told.texts if text.startswith("**Left out:** ")]
    assert len(said) == len(left_out), said
    for what, text in zip(left_out, said, strict=True):
        assert text.startswith(f"**Left out:** {what}, since "), text
    assert re.findall(r"[^\n]*(?<!m = )\b(?:nan|inf)\b[^\n]*", told.said) == []
    assert not [text for text in told.drawn if "\\mathdefault" in text]  # the source of a formula


def _names_stand_as_they_are(told: Told, where: list[str]) -> None:
    """Names that look like formulas or markup, in what is drawn and in the tables, wherever a lesson shows names."""
    in_tables = [str(value) for table in told.tables for value in (*table.index, *table.to_numpy().ravel())]
    texts = {"drawings": told.drawn, "tables": in_tables}
    for part in where:
        assert any(name in text for text in texts[part] for name in ODD_NAMES if {"$", "_"} & {*name}), part


def _was_refused(told: Told, needed: str) -> None:
    assert isinstance(told.error, LlmarmError), told.error
    assert needed in str(told.error)
    assert ". " not in str(told.error)  # one sentence
    assert told.at_start
    assert not told.results

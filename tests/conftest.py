"""Fixtures shared by all tests: the shipped shop, the real public data where they are at hand."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def real_data_folder() -> Path | None:
    """The folder of real data sets: `LLMARM_DATA`, else `shared/data` beside the checkout."""
    for folder in (os.environ.get("LLMARM_DATA"), ROOT.parent / "shared" / "data"):
        if folder and (Path(folder) / "groceries" / "groceries.csv").exists():
            return Path(folder)
    return None


@pytest.fixture
def real_data(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The real data sets, with `LLMARM_DATA` pointing at them; skips where they are absent."""
    folder = real_data_folder()
    if folder is None:
        pytest.skip("the real data sets are not here: set LLMARM_DATA to the folder that holds them")
    monkeypatch.setenv("LLMARM_DATA", str(folder))
    return folder


@pytest.fixture(scope="session")
def shop():
    """The corner shop as shipped."""
    from llmarm_tutorial.data import loading

    return loading.load("shop")

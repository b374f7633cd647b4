"""Fixtures shared by all tests: the shipped shop, the real public data where they are at hand."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def pytest_configure(config: pytest.Config) -> None:
    """Where nbval tests the notebooks, let it use what `make run` has just executed."""
    if getattr(config.option, "nbval_lax", False):
        import executed_lessons

        config.pluginmanager.register(executed_lessons)


def pytest_xdist_auto_num_workers() -> int:
    """As many as there are cores and, at 2 GiB each, free memory; 0, which is this very process, in place of 1."""
    from llmarm_tutorial import resources

    workers = min(resources.cores(), resources.free_memory() // (2 * 1024**3))
    return workers if workers > 1 else 0


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

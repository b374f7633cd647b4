"""Every benchmark runs: on few customers of the shop, with small models, which the scripts share."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import harness
import pytest
import rows as schema
import torch

BENCHMARKS = Path(harness.__file__).parent
SHARED = {
    "big_sales",
    "harness",
    "library_questions",
    "next_basket",
    "peers",
    "recipes",
    "rows",
    "trainer_peer",
    "turns",
}  # no scripts
# curriculum compares two checkouts, libraries records answers in words; each has tests of its own
APART = {"curriculum", "libraries"}
GRAPHS = {"cold_start", "graphs", "lightgcn"}  # need PyTorch Geometric
SCRIPTS = sorted({path.stem for path in BENCHMARKS.glob("*.py")} - SHARED - APART)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One work folder, and with it one set of models, for all scripts."""
    return tmp_path_factory.mktemp("smoke")


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_benchmark_runs_on_few_customers(script: str, work: Path, monkeypatch: pytest.MonkeyPatch):
    if script in GRAPHS:
        pytest.importorskip("torch_geometric", reason="graph networks need PyTorch Geometric")
    out = work / "out"
    words = ["--smoke", "--work", str(work), "--out", str(out)]
    monkeypatch.setattr(sys, "argv", [f"benchmarks/{script}.py", *words])
    monkeypatch.setenv("LLMARM_DATA", str(work / "no data here"))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        importlib.import_module(script).main()
    finally:
        torch.set_num_threads(threads)
    found = schema.read_rows(out / f"{script}.csv")
    assert tuple(found.columns) == schema.COLUMNS
    assert found["value"].notna().any()
    assert not found.duplicated(list(schema.KEY)).any()


@pytest.mark.parametrize("script", SCRIPTS)
def test_no_script_imports_another(script: str):
    text = (BENCHMARKS / f"{script}.py").read_text(encoding="utf-8")
    lines = [line.split()[1].split(".")[0] for line in text.splitlines() if line.startswith(("import ", "from "))]
    assert not set(lines) & set(SCRIPTS)

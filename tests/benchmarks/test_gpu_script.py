"""The script for a graphics card, with a stand-in for Python: its limits hold and what was measured is kept."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STAND_IN = """#!/usr/bin/env bash
if [ "$1" = -c ]; then echo versions; exit; fi
echo "$*" >>"$CALLS"
case "$* " in
    *pytest*) exit "${TESTS:-0}" ;;
    *--collect*) ;;
    *"${SLOW:-nothing}"*) sleep 30 ;;
esac
name=$(basename "$1" .py)
while [ $# -gt 0 ]; do [ "$1" = --out ] && out=$2; shift; done
mkdir -p "$out"; echo rows >"$out/$name.csv"; echo {} >"$out/$name.json"
"""


def run(folder: Path, *arguments: str, **environment: str) -> tuple[int, dict[str, str], list[str]]:
    """Exit code, the files in OUT, the commands given to Python."""
    python = folder / "python"
    python.write_text(STAND_IN)
    python.chmod(0o755)
    given = {"PYTHON": str(python), "CALLS": str(folder / "calls"), **environment}
    command = ["bash", str(ROOT / "benchmarks" / "gpu.sh"), str(folder / "out"), *arguments]
    done = subprocess.run(command, env=os.environ | given, capture_output=True, text=True, timeout=60)
    files = {path.name: path.read_text() for path in (folder / "out").iterdir()}
    return done.returncode, files, (folder / "calls").read_text().splitlines()


@pytest.mark.parametrize("arguments", [(), ("--smoke",)], ids=["card", "smoke"])
def test_every_step_leaves_its_rows(tmp_path: Path, arguments: tuple[str, ...]):
    code, files, calls = run(tmp_path, *arguments)
    assert code == 0
    assert len(files) <= 8
    assert {"gpu_training.csv", "gpu_training.json", "gpu_quality.csv", "gpu_quality.json"} < set(files)
    assert all("--smoke" in call for call in calls if "benchmarks" in call) == bool(arguments)
    assert "tests: exit 0" in files["steps.txt"]


def test_a_failed_step_stops_no_other_and_is_told(tmp_path: Path):
    code, files, _ = run(tmp_path, TESTS="1")
    assert code == 1
    assert "tests: exit 1" in files["steps.txt"]
    assert "quality: exit 0" in files["steps.txt"]


def test_a_step_beyond_its_limit_is_stopped_and_its_rows_are_collected(tmp_path: Path):
    code, files, calls = run(tmp_path, SLOW="quality.py", LIMIT="9")
    assert code == 1
    assert "quality: exit 124" in files["steps.txt"]
    assert any("--collect" in call for call in calls)
    assert files["gpu_quality.csv"] == "rows\n"

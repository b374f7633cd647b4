"""An exported model is served where there is NumPy and ONNX Runtime and nothing else: really tried, in such a place."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from llmarm_tutorial.files import ROOT

ASK = """
import json, sys
from llmarm_tutorial.data import Histories
from llmarm_tutorial.models import OnnxRecommender
scores = OnnxRecommender(sys.argv[1]).scores(Histories.from_lists([[1, 2], []]))
print(json.dumps(scores.tolist()))
"""


def link_package(name: str, folder: Path) -> None:
    """Put an installed package, and what it requires, into another environment."""
    for file in importlib.metadata.files(name):
        top = file.parts[0]
        if top != ".." and not (folder / top).exists():
            (folder / top).symlink_to(importlib.metadata.distribution(name).locate_file(top))
    for line in importlib.metadata.requires(name) or []:
        if ";" not in line:
            link_package(re.match(r"[\w.-]+", line)[0], folder)


def test_serving_needs_numpy_and_onnxruntime_alone(tmp_path: Path):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    from llmarm_tutorial.data.histories import Histories
    from llmarm_tutorial.models.export import to_onnx
    from llmarm_tutorial.models.item_model import ItemModel, item_config
    from llmarm_tutorial.models.serve import OnnxRecommender

    assert onnxruntime.__version__
    file = to_onnx(ItemModel(item_config(7, hidden=8, layers=1, heads=1, max_length=6)).eval(), tmp_path / "model.onnx")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "bare")], check=True)
    (packages,) = (tmp_path / "bare" / "lib").glob("python*/site-packages")
    for name in ("numpy", "onnxruntime"):
        link_package(name, packages)
    (packages / "llmarm_tutorial").symlink_to(ROOT / "llmarm_tutorial")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    python = str(tmp_path / "bare" / "bin" / "python")
    for absent in ("scipy", "pandas", "torch"):
        assert subprocess.run([python, "-c", f"import {absent}"], env=environment, capture_output=True).returncode == 1
    done = subprocess.run([python, "-c", ASK, str(file)], env=environment, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    expected = OnnxRecommender(file).scores(Histories.from_lists([[1, 2], []]))
    assert json.loads(done.stdout) == pytest.approx(expected, abs=1e-6)

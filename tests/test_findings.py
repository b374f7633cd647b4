"""The scripts in findings/ say what they show, install what they name, and stay outside CI: none is run here."""

from __future__ import annotations

import ast
import os
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = sorted((ROOT / "findings").glob("*.sh"))
PINNED = re.compile(r"[a-z0-9-]+==[0-9][0-9.]*")


@pytest.fixture(params=SCRIPTS, ids=lambda path: path.stem)
def script(request) -> Path:
    return request.param


def parts(script: Path) -> tuple[list[str], list[str], str]:
    """A script's comment at the top, what pip installs, and the Python program at its end."""
    text = script.read_text(encoding="utf-8")
    first, *rest = text.splitlines()
    assert first == "#!/usr/bin/env bash"
    head = rest[: rest.index("set -euo pipefail")]
    installs = [line for line in rest if " -m pip install " in line]
    assert len(installs) == 1
    names = installs[0].partition(" install ")[2].removeprefix("--quiet ").split()
    return head, names, text.partition("<<'END'\n")[2].removesuffix("END\n")


def test_there_are_findings():
    assert SCRIPTS


def test_a_finding_can_be_run(script: Path):
    assert os.access(script, os.X_OK)


def test_its_head_says_what_happens(script: Path):
    head, names, _ = parts(script)
    assert [line for line in head if not line.startswith("# ")] == []
    assert [line for line in script.read_text(encoding="utf-8").splitlines() if len(line) > 120] == []
    marks = [re.match(r"# (Version|Expected|Instead|Output)\b.*?:(.*)", line) for line in head]
    assert [mark[1] for mark in marks if mark] == ["Version", "Expected", "Instead", "Output"]
    assert len(head) > 1 + next(i for i, mark in enumerate(marks) if mark and mark[1] == "Output"), "no output is shown"
    package, _, version = names[0].partition("==")
    said = " ".join(head).lower()
    assert f"{package} {version}" in said


def test_it_installs_pinned_packages_into_a_folder_of_its_own(script: Path):
    _, names, _ = parts(script)
    assert names
    assert [name for name in names if not PINNED.fullmatch(name)] == []
    text = script.read_text(encoding="utf-8")
    assert 'place="$(mktemp -d)"' in text
    assert "trap 'rm -rf \"$place\"' EXIT" in text


def test_it_checks_the_behaviour_without_the_kit(script: Path):
    _, _, program = parts(script)
    checks = [node for node in ast.walk(ast.parse(program)) if isinstance(node, ast.Assert)]
    assert any("the behaviour has changed" in ast.unparse(check) for check in checks)
    assert "llmarm" not in script.read_text(encoding="utf-8")


def test_each_has_a_row_in_the_table():
    table = (ROOT / "findings/README.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^\| \[`(\w+\.sh)`\]", table, flags=re.MULTILINE)) == [path.name for path in SCRIPTS]


def test_files_named_as_guards_exist():
    table = (ROOT / "findings/README.md").read_text(encoding="utf-8")
    guards = re.findall(r"`((?:tests|llmarm_tutorial|benchmarks)/[\w/]+\.py)(?:::(\w+))?`", table)
    assert guards
    for file, name in guards:
        assert not name or f"def {name}(" in (ROOT / file).read_text(encoding="utf-8"), f"{file} has no {name}"
        assert (ROOT / file).is_file()


@pytest.mark.parametrize("file", [".ci/run", ".github/workflows/ci.yml", "Makefile"])
def test_nothing_in_ci_runs_them(file: str):
    assert "findings" not in (ROOT / file).read_text(encoding="utf-8")

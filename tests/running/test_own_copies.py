"""A learner's own copies: made once, never overwritten, and news of the kit are told."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import nbformat
import pytest
from lesson_factory import write_lesson
from typer.testing import CliRunner

from llmarm_tutorial.files import ROOT
from llmarm_tutorial.running import own_copies
from llmarm_tutorial.running.cli import app


def lab(*arguments: str) -> str:
    """What `llmarm lab` prints when all is well."""
    result = CliRunner().invoke(app, ["lab", "--no-open", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def complaint(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["lab", *arguments])
    assert result.exit_code == 1
    assert "Traceback" not in result.output
    return result.stderr


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout of two lessons, the second without exercises."""
    notebooks = tmp_path / "notebooks"
    write_lesson(notebooks, "01_toy", "answer = 1")
    write_lesson(notebooks / "exercises", "01_toy", "answer = ...")
    write_lesson(notebooks, "02_toy", "1 + 1")
    monkeypatch.setenv("LLMARM_LESSONS", str(notebooks))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def copies(root: Path) -> list[str]:
    return sorted(path.relative_to(root / "my").as_posix() for path in (root / "my").rglob("*.ipynb"))


def solve(root: Path) -> bytes:
    """The learner's answer in the copy of the exercises."""
    write_lesson(root / "my" / "exercises", "01_toy", "answer = 'mine'")
    return (root / "my" / "exercises" / "01_toy.ipynb").read_bytes()


def test_the_first_call_copies_lessons_and_exercises(root: Path):
    assert lab() == f"your copies: {root / 'my'}\n"
    assert copies(root) == ["01_toy.ipynb", "02_toy.ipynb", "exercises/01_toy.ipynb"]
    for name in copies(root):
        assert (root / "my" / name).read_bytes() == (root / "notebooks" / name).read_bytes()


def test_no_call_overwrites_a_file_and_new_lessons_are_added(root: Path):
    lab()
    answers = solve(root)
    (root / "my" / "02_toy.ipynb").write_text("whatever it holds")
    write_lesson(root / "notebooks", "03_toy", "3")
    assert lab() == f"your copies: {root / 'my'}\n"
    assert (root / "my" / "exercises" / "01_toy.ipynb").read_bytes() == answers
    assert (root / "my" / "02_toy.ipynb").read_text() == "whatever it holds"
    assert "03_toy.ipynb" in copies(root)
    (root / "my" / "exercises" / "01_toy.ipynb").unlink()  # who begins anew gets a fresh one
    lab()
    assert b"answer = ..." in (root / "my" / "exercises" / "01_toy.ipynb").read_bytes()


def test_what_the_kit_changed_is_told_and_can_be_had_beside(root: Path):
    lab()
    answers = solve(root)
    write_lesson(root / "notebooks" / "exercises", "01_toy", "better = ...")
    news = "my/exercises/01_toy.ipynb: the kit has a newer version, yours stays as it is."
    for _ in range(2):
        (line, _) = lab().splitlines()
        assert line == f"{news} To get the newer one beside it: llmarm lab --new 01"
    assert lab("--new", "1").splitlines() == [
        f"written: {root / 'my' / 'exercises' / '01_toy-new.ipynb'}",
        f"your copies: {root / 'my'}",
    ]
    assert b"better" in (root / "my" / "exercises" / "01_toy-new.ipynb").read_bytes()
    assert "newer" not in lab()
    write_lesson(root / "notebooks" / "exercises", "01_toy", "best = ...")
    lab("--new", "01_toy")
    assert b"better" in (root / "my" / "exercises" / "01_toy-new.ipynb").read_bytes()
    assert b"best" in (root / "my" / "exercises" / "01_toy-new-2.ipynb").read_bytes()
    assert (root / "my" / "exercises" / "01_toy.ipynb").read_bytes() == answers


def test_outputs_made_anew_are_no_news(root: Path):
    lab()
    path = root / "notebooks" / "02_toy.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[-1].outputs = [nbformat.v4.new_output("stream", text="2")]
    nbformat.write(notebook, path)
    assert "newer" not in lab()


@pytest.mark.parametrize("record", ["", "[]", "{}"])
def test_a_damaged_record_costs_no_copy(root: Path, record: str):
    lab()
    answers = solve(root)
    (root / "my" / ".kit.json").write_text(record)
    assert "newer" not in lab()
    assert (root / "my" / "exercises" / "01_toy.ipynb").read_bytes() == answers
    assert sorted(json.loads((root / "my" / ".kit.json").read_text())) == copies(root)


def test_mistakes_are_one_sentence(root: Path, monkeypatch: pytest.MonkeyPatch):
    assert "There is no lesson '9'" in complaint("--no-open", "--new", "9")
    assert "no newer version of lesson 02" in complaint("--no-open", "--new", "02")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "pip install 'llmarm[lab]'" in complaint()
    (root / "notebooks" / "02_toy.ipynb").write_text("{}")
    assert "02_toy.ipynb is not a readable notebook" in complaint("--no-open")


@pytest.mark.parametrize("name", ["my", "my/exercises"])
@pytest.mark.parametrize("leads_nowhere", [False, True])
def test_what_stands_where_a_folder_of_copies_belongs_is_told(root: Path, name: str, leads_nowhere: bool):
    path = root / name
    path.parent.mkdir(exist_ok=True)
    path.symlink_to(root / "nowhere") if leads_nowhere else path.write_text("")
    expected = f"{path} is no folder, but your copies of lessons go into one of that name: rename it."
    assert expected in complaint()


def test_a_link_to_a_copy_elsewhere_stays_a_link(root: Path):
    (root / "my").mkdir()
    (root / "my" / "01_toy.ipynb").symlink_to(root / "a stick that is not plugged in.ipynb")
    lab()
    assert (root / "my" / "01_toy.ipynb").is_symlink()


@pytest.mark.parametrize("code", [0, 3])
def test_it_opens_jupyterlab_in_the_copies_and_ends_as_that_ends(
    root: Path, monkeypatch: pytest.MonkeyPatch, code: int
):
    calls = []
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    monkeypatch.setattr(
        subprocess, "run", lambda command: calls.append(command) or subprocess.CompletedProcess(command, code)
    )
    assert CliRunner().invoke(app, ["lab"]).exit_code == code
    assert [command[1:] for command in calls] == [["-m", "jupyterlab", str(root / "my")]]


def test_the_folder_lies_beside_the_lessons_and_git_ignores_it():
    assert f"/{own_copies.FOLDER}/" in (ROOT / ".gitignore").read_text().split()
    makefile = (ROOT / "Makefile").read_text()
    assert "llmarm_tutorial lab $(ARGS)" in makefile
    assert "jupyterlab" not in makefile

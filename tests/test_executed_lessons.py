"""Notebooks that `make run` has executed: which executions stand for a new one, and that nbval compares no less."""

from __future__ import annotations

import json
import os
import runpy
import shutil
from collections.abc import Callable
from pathlib import Path

import executed_lessons
import nbformat
import pytest
from lesson_factory import write_lesson

from llmarm_tutorial import resources
from llmarm_tutorial.running import doctor, execution, run_folder
from llmarm_tutorial.running.lessons import Lesson
from llmarm_tutorial.running.run_folder import Run

ROOT = Path(__file__).resolve().parents[1]
NAME = "07_toy"
RESULTS = Path("runs", "today", NAME, run_folder.RESULTS)
EXECUTED = Path("runs", "today", NAME, f"{NAME}.ipynb")
STORED = Path("notebooks", f"{NAME}.ipynb")


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout of one lesson, stored with its outputs, and a run that has executed it as it stands."""
    root = tmp_path_factory.mktemp("checkout")
    cells = ("# NBVAL_CHECK_OUTPUT\nprint(SEED + SIZE)", "open('executions', 'a').write('x')")
    lesson = Lesson(write_lesson(root / "notebooks", NAME, *cells))
    results = execution.run_lesson(Run(NAME, lesson, "quick", {}), root / "runs" / "today")
    assert results["status"] == "ok"
    store(root / EXECUTED, root / STORED)
    return root


def store(executed: Path, stored: Path) -> None:
    """Copy an executed notebook to where it would have been before the run began."""
    shutil.copy(executed, stored)
    os.utime(stored, (0, 0))


@pytest.fixture
def checkout(executed: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(executed, tmp_path / "copy"))


def serves(checkout: Path, seconds: float = 300) -> bool:
    return executed_lessons.find_execution(checkout / STORED, seconds) is not None


def change_results(checkout: Path, /, **values: object) -> None:
    results = json.loads((checkout / RESULTS).read_text(encoding="utf-8"))
    (checkout / RESULTS).write_text(json.dumps(results | values), encoding="utf-8")


def change_notebook(path: Path, change: Callable[[nbformat.NotebookNode], None]) -> str:
    """Change a notebook's cell that prints; returns the digest of the new file."""
    notebook = nbformat.read(path, as_version=4)
    (cell,) = (cell for cell in notebook.cells if cell.source.startswith("# NBVAL"))
    change(cell)
    path.write_text(nbformat.writes(notebook), encoding="utf-8")
    os.utime(path, (0, 0))
    return run_folder.text_digest(nbformat.writes(notebook))


# --- which executions serve


def test_an_execution_of_all_as_it_stands_serves(checkout):
    assert serves(checkout)
    assert not serves(checkout, seconds=0), "the cell took longer than it may"


def test_a_changed_package_or_library_makes_it_stale(checkout, monkeypatch):
    with monkeypatch.context() as changed:
        changed.setattr(run_folder, "checkout_digest", lambda: "another")
        assert not serves(checkout)
    monkeypatch.setattr(doctor, "versions", lambda: {"python": "3.11.0"})
    assert not serves(checkout)


@pytest.mark.parametrize("name", ["llmarm_tutorial/mining/rules.py", "llmarm_tutorial/new.toml", "data/shop/items"])
def test_every_file_that_a_lesson_may_read_counts(tmp_path, name):
    for known in ("llmarm_tutorial/mining/rules.py", "data/shop/items", "tests/test_rules.py"):
        (tmp_path / known).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / known).write_text("before")
    before = run_folder.checkout_digest(tmp_path)
    for free in ("tests/test_rules.py", "llmarm_tutorial/mining/__pycache__/rules.pyc"):
        (tmp_path / free).parent.mkdir(exist_ok=True)
        (tmp_path / free).write_text("after")
    assert run_folder.checkout_digest(tmp_path) == before
    (tmp_path / name).write_text("after")
    assert run_folder.checkout_digest(tmp_path) != before


def test_a_run_notes_this_checkout(checkout):
    assert json.loads((checkout / RESULTS).read_text(encoding="utf-8"))["checkout"] == run_folder.checkout_digest(ROOT)


def test_a_run_during_which_the_package_was_edited_serves_no_checkout(checkout, monkeypatch):
    digests = iter(["before", "after"])
    monkeypatch.setattr(run_folder, "checkout_digest", lambda: next(digests))
    run = Run(NAME, Lesson(checkout / STORED), "quick", {})
    assert execution.run_lesson(run, checkout / "runs" / "today")["checkout"] is None


@pytest.mark.parametrize(
    "values",
    [
        {"status": "failed", "error": {}},
        {"parameters": {"DATASET": "shop", "SEED": 1, "SIZE": 3}},
        {"lesson": "07_other"},
        {"checkout": None},
        {"notebook_digest": None},
        {"notebook": "nowhere.ipynb"},
        {"started": "yesterday"},
        {"started": "0001-01-01"},
    ],
    ids=str,
)
def test_another_run_does_not_serve(checkout, values):
    change_results(checkout, **values)
    assert not serves(checkout)


def test_an_older_run_serves_where_the_newest_does_not(checkout):
    shutil.copytree(checkout / "runs" / "today", checkout / "runs" / "later")
    later = checkout / str(RESULTS).replace("today", "later")
    later.write_text(later.read_text(encoding="utf-8").replace('"ok"', '"failed"'), encoding="utf-8")
    assert serves(checkout)


def test_a_notebook_is_not_compared_with_the_run_that_it_was_made_from(checkout):
    shutil.copy(checkout / EXECUTED, checkout / STORED)
    assert not serves(checkout)


def test_a_lesson_edited_since_is_executed(checkout):
    change_notebook(checkout / STORED, lambda cell: cell.update(source=cell.source + "\n"))
    assert not serves(checkout)


def test_a_tampered_execution_does_not_serve(checkout):
    change_notebook(checkout / EXECUTED, lambda cell: cell.outputs[0].update(text="4\n"))
    assert not serves(checkout)


@pytest.mark.parametrize(
    ("source", "printed", "sound"),
    [
        ("1 + 1", "", True),
        ('check.exercise("01.1", x)', "[correct] 01.1 Count\n", True),
        ('check.exercise("01.1", x)', "[not yet] 01.1 Count: look again\n", False),
        ('check.exercise("01.1", x)', "[open] 01.1 Count: fill the gap\n", False),
        ('check.exercise("01.1", x)', "[correct] 01.2 Count\n", False),
        ('check.exercise("01.1", x)', "", False),
        ('for x in (1, 2): check.exercise("01.1", x)', "[correct] 01.1 Count\n[not yet] 01.1 Count: no\n", False),
        ("check.exercise(name, x)", "[correct] 01.1 Count\n", False),
    ],
)
def test_an_exercise_must_be_solved_as_under_strict_checks(checkout, source, printed, sound):
    outputs = [nbformat.v4.new_output("stream", name="stdout", text=printed)]
    digest = change_notebook(checkout / EXECUTED, lambda cell: cell.update(source=source, outputs=outputs))
    store(checkout / EXECUTED, checkout / STORED)
    change_results(checkout, notebook_digest=digest)
    assert serves(checkout) == sound


def test_an_execution_with_an_error_does_not_serve(checkout):
    error = nbformat.v4.new_output("error", ename="ValueError", evalue="", traceback=[])
    digest = change_notebook(checkout / EXECUTED, lambda cell: cell.outputs.append(error))
    change_results(checkout, notebook_digest=digest)
    assert not serves(checkout)


# --- nbval with them


@pytest.fixture
def nbval(checkout: Path, capsys: pytest.CaptureFixture[str]) -> Callable[[], tuple[int, str, int]]:
    """Tests the lesson; returns the exit code, what was printed, and how often the lesson was executed in all."""

    def run() -> tuple[int, str, int]:
        arguments = ["-q", "-p", "no:cacheprovider", "--nbval-lax", f"--rootdir={checkout}", str(checkout / STORED)]
        code = pytest.main(arguments, plugins=[executed_lessons])
        return code, capsys.readouterr().out, len((checkout / "notebooks" / "executions").read_text())

    return run


def test_nbval_compares_with_the_execution(checkout, nbval):
    code, output, executions = nbval()
    assert (code, executions) == (0, 1), output
    assert "3 passed" in output
    assert "lessons: 0 executed, 1 compared" in output


def test_nbval_notices_an_output_that_differs(checkout, nbval):
    change_notebook(checkout / STORED, lambda cell: cell.outputs[0].update(text="4\n"))
    code, output, executions = nbval()
    assert (code, executions) == (1, 1), output
    assert "Cell outputs differ" in output
    assert "1 failed, 2 passed" in output


def test_nbval_executes_where_none_serves(checkout, nbval):
    change_results(checkout, checkout="another")
    code, output, executions = nbval()
    assert (code, executions) == (0, 2), output
    assert "lessons: 1 executed, 0 compared" in output


def test_a_cell_that_is_skipped_shifts_nothing(checkout, nbval):
    skipped = nbformat.v4.new_code_cell("# NBVAL_SKIP\nprint('left out')", execution_count=9)
    notebook = nbformat.read(checkout / EXECUTED, as_version=4)
    notebook.cells.insert(2, skipped)
    (checkout / EXECUTED).write_text(nbformat.writes(notebook), encoding="utf-8")
    store(checkout / EXECUTED, checkout / STORED)
    change_results(checkout, notebook_digest=run_folder.text_digest(nbformat.writes(notebook)))
    code, output, executions = nbval()
    assert (code, executions) == (0, 1), output
    assert "3 passed, 1 skipped" in output


# --- how many workers


@pytest.mark.parametrize(
    ("cores", "free", "workers"), [(2, 16, 2), (8, 64, 8), (8, 6, 3), (8, 3, 0), (1, 64, 0)], ids=str
)
def test_workers_are_as_many_as_cores_and_memory_carry(monkeypatch, cores, free, workers):
    monkeypatch.setattr(resources, "cores", lambda: cores)
    monkeypatch.setattr(resources, "free_memory", lambda: free * doctor.GIB)
    # by its path: a folder of tests may have a conftest of its own, and the last one loaded has the name
    conftest = runpy.run_path(str(ROOT / "tests" / "conftest.py"))
    assert conftest["pytest_xdist_auto_num_workers"]() == workers

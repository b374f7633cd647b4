"""An own file is read once, before any kernel starts; what was noted is seen in terminal, notebook and report."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from lesson_factory import PARAMETERS, write_lesson
from test_cli import complaint, llmarm

from llmarm_tutorial.data import own_files
from llmarm_tutorial.errors import DataError, Lacks
from llmarm_tutorial.running import lessons, preflight
from llmarm_tutorial.running.lessons import Lesson
from llmarm_tutorial.running.run_folder import Run

OPTIONS = PARAMETERS + "".join(f'{name}: str = ""\n' for name in lessons.DATA_COLUMNS)
LOAD = """from llmarm_tutorial.data import load
from llmarm_tutorial.lesson import ledger
data = load(DATASET, basket_col=BASKET_COL, item_col=ITEM_COL, user_col=USER_COL, time_col=TIME_COL)
ledger.record_notes(data.notes)
data.require({})"""
COLUMNS = ("--basket-col", "receipt", "--item-col", "product")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two lessons that load a file: 01 needs baskets, 02 users in order."""
    write_lesson(tmp_path / "notebooks", "01_count", LOAD.format('"baskets"'), parameters=OPTIONS)
    write_lesson(tmp_path / "notebooks", "02_follow", LOAD.format('"users", "order"'), parameters=OPTIONS)
    write_lesson(tmp_path / "notebooks", "03_nothing", "1", parameters=None)
    monkeypatch.setenv("LLMARM_LESSONS", str(tmp_path / "notebooks"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sales.csv").write_bytes("receipt,product\n1,Crème\n1,Crème\n2,Crème\n2,tea\n".encode("cp1252"))
    return tmp_path


def runs_of(place: Path, **parameters: str) -> list[Run]:
    return [Run(lesson.name, lesson, "quick", parameters) for lesson in lessons.discover(place / "notebooks")]


def own(place: Path, **parameters: str) -> list[Run]:
    named = {"DATASET": str(place / "sales.csv"), "BASKET_COL": "receipt", "ITEM_COL": "product"}
    return runs_of(place, **(named | parameters))


def test_a_lesson_s_needs_are_those_of_its_cells(place, tmp_path):
    assert [sorted(lesson.needs) for lesson in lessons.discover()] == [["baskets"], ["order", "users"], []]
    cells = ("%matplotlib inline", 'if a:\n    data.require("clock")', 'data.require("users", purpose="this")')
    assert Lesson(write_lesson(tmp_path / "more", "01_x", *cells)).needs == {"users"}


def test_the_kit_s_lessons_say_what_they_need():
    needs = {lesson.number: lesson.needs for lesson in lessons.discover()}
    assert {number for number, need in needs.items() if not need} == {"00", "08"}  # they work on the corner shop only
    assert set.union(*map(set, needs.values())) <= {"baskets", "users", "order", "clock"}


def test_a_file_is_read_once_for_all_lessons(place, monkeypatch):
    read, calls = own_files.read, []
    monkeypatch.setattr(own_files, "read", lambda *arguments: calls.append(arguments) or read(*arguments))
    checked = preflight.check(own(place))
    assert len(calls) == 1
    assert [run.lesson.number for run in checked.runs] == ["01", "03"]
    (notes,) = checked.notes.values()
    assert sorted(notes.values()) == [1, 3]


def test_lessons_without_material_are_left_out_in_one_sentence(place):
    checked = preflight.check(own(place))
    assert checked.left_out == [
        "Lesson 02 is left out: sales.csv lacks users (who bought) and an order of events (a time or a position "
        "per row); if the file has them, name the columns with --user-col and --time-col or "
        "--order-col."
    ]
    with pytest.raises(Lacks, match="Lesson 02 is left out"):
        preflight.check(own(place)[1:2])


def test_a_lesson_for_which_a_file_is_too_small_is_left_out(place):
    enough = 'from llmarm_tutorial.lesson import require_enough\n{}require_enough(data, "testing rules", baskets={})'
    cells = [LOAD.format('"baskets"'), enough.format("", 100), enough.format("", "SIZE"), enough.format("if 1: ", 9)]
    lesson = Lesson(write_lesson(place / "notebooks", "04_large", *cells, parameters=OPTIONS))
    assert lesson.amounts == [("testing rules", {"baskets": 100})]
    checked = preflight.check(own(place))
    assert [run.lesson.number for run in checked.runs] == ["01", "03"]
    assert checked.left_out[1] == (
        "Lesson 04 is left out: Testing rules needs at least 100 baskets (sales has 2): take a file that holds them."
    )


def test_what_the_catalogue_says_is_enough(place, monkeypatch):
    monkeypatch.delenv("LLMARM_DATA", raising=False)  # nothing is read, so it need not be there
    checked = preflight.check(runs_of(place, DATASET="groceries"))
    assert [run.lesson.number for run in checked.runs] == ["01", "03"]
    assert "groceries lacks users" in checked.left_out[0]
    assert "data sets that serve: " in checked.left_out[0]


def test_a_refusal_comes_at_once_and_once(place):
    (place / "sales.csv").write_text("receipt,product\n1,\n2,tea\n")
    start = time.perf_counter()
    sentence = complaint("run", "--dataset", "sales.csv", *COLUMNS, "--out", "out")
    assert time.perf_counter() - start < 2
    assert sentence.startswith("sales: 1 rows have an empty")
    assert not (place / "out").exists()
    assert "has no column 'basket'" in complaint("run", "--dataset", "sales.csv", "--basket-col", "basket")
    assert "There is no format of files 'basket'" in complaint("run", "--dataset", "sales.csv", "--format", "basket")
    assert "leave out basket_col" in complaint("run", "--basket-col", "basket")


def test_a_batch_reads_before_it_starts(place):
    (place / "plan.yaml").write_text("datasets: [sales.csv]\nparameters: {BASKET_COL: receipt, ITEM_COL: item}\n")
    assert "sales.csv has no column 'item'" in complaint("batch", "plan.yaml")
    assert not (place / "runs").exists()
    (place / "plan.yaml").write_text("datasets: [sales.csv]\nparameters: {BASKET_COL: receipt, ITEM_COL: product}\n")
    result = llmarm("batch", "plan.yaml", "--out", "out")
    assert result.exit_code == 0, result.output
    assert "Lesson 02 is left out" in result.stdout
    assert "2 runs" in result.stdout
    assert "repeated rows, merged: 1" in (place / "out" / "report.html").read_text()


def test_notes_are_shown_in_terminal_notebook_and_report(place):
    result = llmarm("run", "--dataset", "sales.csv", *COLUMNS, "--out", "out")
    assert result.exit_code == 0, result.output
    guessed = "lines of a file that is not UTF-8, read as cp1252: 3"
    assert result.stdout.count(guessed) == 1
    assert result.stdout.index(guessed) < result.stdout.index("01_count starts")
    assert "note on sales.csv: repeated rows, merged: 1" in result.stdout
    results = json.loads((place / "out" / "01_count" / "results.json").read_text())
    assert results["notes"] == {guessed.rpartition(":")[0]: 3, "repeated rows, merged": 1}
    assert f"note: {guessed}" in (place / "out" / "01_count" / "01_count.ipynb").read_text()
    page = (place / "out" / "report.html").read_text()
    assert "What reading the data noted" in page
    assert page.count(guessed) == 1


def test_an_error_of_the_kit_s_own_is_its_sentence_alone(place):
    fails = "from llmarm_tutorial.errors import DataError\na = 1\nraise DataError('take a larger file: ' + 'x' * 500)"
    write_lesson(place / "notebooks", "04_fails", fails, parameters=None)
    result = llmarm("run", "4", "--out", "out")
    assert result.exit_code == 1
    assert f"\n    take a larger file: {'x' * 500}\n" in result.stdout
    assert "raise DataError" not in result.stdout
    assert DataError.__name__ not in result.stdout
    error = json.loads((place / "out" / "04_fails" / "results.json").read_text())["error"]
    assert (error["type"], error["cell"], error["source"]) == ("DataError", 1, [])

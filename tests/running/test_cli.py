"""The command line: what it does, and that each mistake of a user is met with one sentence and the right exit code."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from lesson_factory import RECORD, write_lesson
from test_report import put_run
from typer.testing import CliRunner

from llmarm_tutorial import __version__, files
from llmarm_tutorial.data import download
from llmarm_tutorial.data.shop import simulate
from llmarm_tutorial.errors import FetchError
from llmarm_tutorial.lesson.results import Result
from llmarm_tutorial.running import doctor, run_folder
from llmarm_tutorial.running.cli import app
from llmarm_tutorial.running.doctor import Finding


def llmarm(*arguments: str):
    return CliRunner().invoke(app, list(arguments))


def complaint(*arguments: str) -> str:
    """The single sentence on standard error of a command that fails for the user's sake."""
    result = llmarm(*arguments)
    assert result.exit_code == 1, result.output
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert len(result.stderr.splitlines()) == 1
    return result.stderr


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three lessons: 00 without parameters, 01 and 02 with DATASET, SEED, SIZE; 02 fails when SIZE is 0."""
    notebooks = tmp_path / "notebooks"
    write_lesson(notebooks, "00_start", "1", parameters=None)
    write_lesson(notebooks, "01_toy", RECORD, "print(DATASET)")
    write_lesson(notebooks, "02_toy", RECORD, "a = 1\nb = a / SIZE\nc = 2")
    monkeypatch.setenv("LLMARM_LESSONS", str(notebooks))
    monkeypatch.chdir(tmp_path)
    return tmp_path


# --- run


def test_run_goes_on_after_a_failure_and_ends_with_table_and_report(place):
    result = llmarm("run", "-p", "SIZE=0", "--seed", "4", "--out", "out", "--jobs", "2")
    assert result.exit_code == 1
    text = result.stdout
    assert "02_toy failed in cell 4" in text  # the parameters come in a cell of their own
    assert "→ b = a / SIZE" in text
    assert "ZeroDivisionError: division by zero" in text
    table = [line.split() for line in text.splitlines() if line.startswith(("00_", "01_", "02_"))][-3:]
    assert [row[:2] for row in table] == [["00_start", "ok"], ["01_toy", "ok"], ["02_toy", "failed"]]
    assert [row[-1] for row in table] == ["0", "1", "1"]
    assert text.rstrip().endswith("report: out/report.html")
    assert (place / "out" / "report.html").exists()
    results = json.loads((place / "out" / "01_toy" / "results.json").read_text())
    assert results["parameters"] == {"DATASET": "shop", "SEED": 4, "SIZE": 0}
    assert results["values"][0]["value"] == 4


def test_run_takes_a_file_of_one_s_own_by_a_relative_path(place):
    (place / "my sales.csv").write_text("b,i\n1,a\n")
    result = llmarm("run", "1", "--dataset", "my sales.csv")
    assert result.exit_code == 0, result.output
    (folder,) = (place / "runs").iterdir()  # the default folder
    assert sorted(path.name for path in folder.iterdir() if path.is_dir()) == ["01_toy"]
    results = json.loads((folder / "01_toy" / "results.json").read_text())
    assert results["dataset"] == str(place / "my sales.csv")


def test_run_into_the_same_folder_runs_again(place):
    llmarm("run", "0", "--out", "out")
    first = run_folder.read_results(place / "out" / "00_start")
    assert llmarm("run", "0", "--out", "out").exit_code == 0
    assert run_folder.read_results(place / "out" / "00_start")["started"] > first["started"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["7"], "There is no lesson '7'"),
        (["01_toys"], "Did you mean '01_toy'?"),
        (["-p", "SIZES=1"], "Did you mean 'SIZE'? Valid: DATASET, SEED, SIZE"),
        (["-p", "SIZE"], "-p takes NAME=VALUE, not 'SIZE'"),
        (["-p", "SIZE=big"], "SIZE must be of type int, not 'big'"),
        (["-p", "SEED=-1"], "SEED must be from 0 to 4294967295, not -1"),
        (["--seed", "-1"], "SEED must be from 0 to 4294967295, not -1"),
        (["-p", "SEED=1", "--seed", "2"], "SEED is given twice"),
        (["-p", "SIZE=1", "-p", "SIZE=2"], "SIZE is given twice"),
        (["0", "--seed", "2"], "There is no parameter of the chosen lessons 'SEED'"),
        (["0", "--dataset", "shop"], "chosen lessons (00) none takes a data set, as they work on the corner shop"),
        (["--basket-col", "b"], "There is no parameter of the chosen lessons 'BASKET_COL'"),
        (["--dataset", "grocery"], "Did you mean 'groceries'?"),
        (["--dataset", "nowhere.csv"], "There is no file 'nowhere.csv'"),
        (["--dataset", "nowhere"], "Or give the path of a file of your own"),
        (["--profile", "large"], "There is no profile 'large'"),
        (["--out", "file"], "cannot be used"),
        (["--out", "file/below"], "cannot be used"),
    ],
)
def test_mistakes_with_run(place, arguments, words):
    (place / "file").write_text("")
    assert words in complaint("run", *arguments)


def test_wrong_usage_is_exit_code_2(place):
    for arguments in (["run", "--jobs", "0"], ["run", "--timeout", "x"], ["run", "--colour"], ["batch"], ["fly"]):
        assert llmarm(*arguments).exit_code == 2


def test_a_busy_folder_is_refused(place):
    with files.lock(place / "out", wait=False):
        assert "Another llmarm works in the folder out" in complaint("run", "0", "--out", "out")


def test_without_lessons(monkeypatch, tmp_path):
    monkeypatch.setenv("LLMARM_LESSONS", str(tmp_path))
    assert "holds no lessons" in complaint("run")


# --- batch, report, verify


def test_batch_resumes_and_reports(place):
    (place / "plan.yaml").write_text("lessons: [1]\nseeds: [0, 1]")
    first = llmarm("batch", "plan.yaml", "--jobs", "2")
    assert first.exit_code == 0, first.output
    assert "2 runs, 0 of them finished before, in runs/plan" in first.stdout
    again = llmarm("batch", "plan.yaml")
    assert "2 runs, 2 of them finished before" in again.stdout
    assert (
        (place / "runs" / "plan" / "summary.csv")
        .read_text()
        .splitlines()[1]
        .startswith("01_toy,shop,quick,toy/value,,2,3.5")
    )
    assert again.stdout.rstrip().endswith("report: runs/plan/report.html")


def test_mistakes_with_batch_report_verify(place):
    assert "There is no file plan.yaml" in complaint("batch", "plan.yaml")
    (place / "plan.yaml").write_text("lessons: [9]")
    assert "There is no lesson '09'" in complaint("batch", "plan.yaml")
    assert "holds no runs" in complaint("report", "nowhere")
    assert "holds no runs" in complaint("verify", "nowhere")
    put_run(place / "a", "01_toy")
    assert "--record" in complaint("verify", "a")
    (place / "odd" / "x").mkdir(parents=True)
    (place / "odd" / "x" / "results.json").write_text('{"status": "ok"}')
    assert "holds no runs" in complaint("report", "odd")
    assert "holds no runs" in complaint("verify", "odd")
    for arguments in ([], ["--record"]):
        assert "Valid: quick" in complaint("verify", "a", "--profile", "../../x", *arguments)


def test_verify_says_what_reproduces(place):
    put_run(place / "a", "01_toy", Result("same", 1), Result("far", 1.0, tolerance=0.25), Result("gone", 1))
    put_run(place / "b", "01_toy", Result("same", 1), Result("far", 2.0), Result("fresh", 1))
    assert llmarm("verify", "a", "--record").exit_code == 0
    good = llmarm("verify", "a")
    assert good.exit_code == 0
    assert good.stdout.splitlines()[-1] == "3 reproduced"
    bad = llmarm("verify", "b")
    assert bad.exit_code == 1
    assert [line.split()[0] for line in bad.stdout.splitlines()[:-1]] == ["reproduced", "drifted", "missing", "new"]
    assert "far: 2 instead of 1 ± 0.25" in bad.stdout
    assert llmarm("verify", "b", "--profile", "full").exit_code == 1


def test_report_names_its_page(place):
    put_run(place / "a", "01_toy")
    assert llmarm("report", "a").stdout == "report: a/report.html\n"


# --- new-lesson


def test_a_new_lesson_comes_from_the_template(place):
    (place / "notebooks" / "template.py").write_text("# # {number} {title}\nx = {'a': 1}\n")
    assert llmarm("new-lesson", "7", "rank_next_items").exit_code == 0
    written = place / "notebooks" / "source" / "07_rank_next_items.py"
    assert written.read_text() == "# # 07 Rank next items\nx = {'a': 1}\n"
    assert "taken by 07_rank_next_items.py" in complaint("new-lesson", "07", "other_topic")


@pytest.mark.parametrize(
    ("number", "name", "words"),
    [
        ("x", "a_b", "digits"),
        ("007", "a_b", "digits"),
        ("7", "A b", "lower-case"),
        ("7", "../x", "lower-case"),
        ("7", "a", "template"),
    ],
)
def test_mistakes_with_new_lesson(place, number, name, words):
    assert words in complaint("new-lesson", number, name)


# --- data


def test_the_catalogue_is_listed_and_described():
    listed = llmarm("data", "list").stdout
    for name in ("shop", "groceries", "online-retail", "beauty"):
        assert name in listed
    described = llmarm("data", "info", "groceries").stdout
    assert "9,835 baskets" in described
    assert "licence" in described
    assert "Did you mean 'groceries'" in complaint("data", "info", "grocery")


def test_the_shop_passes_its_check(shop):
    result = llmarm("data", "check", "shop")
    assert result.exit_code == 0, result.output
    assert "[problem]" not in result.stdout
    assert str(shop.describe()["rows"]) in result.stdout.replace(",", "")


def test_real_data_pass_their_check(real_data):
    result = llmarm("data", "check", "groceries")
    assert result.exit_code == 0, result.output
    assert "baskets: 9,835" in result.stdout


def test_fetching_says_where_it_put_the_set_or_why_not(monkeypatch):
    monkeypatch.setattr(download, "fetch", lambda name: Path("/cache") / name)
    assert llmarm("data", "fetch", "groceries").stdout == "groceries: /cache/groceries\n"

    def fail(name):
        raise FetchError("No way there.")

    monkeypatch.setattr(download, "fetch", fail)
    assert complaint("data", "fetch", "groceries") == "No way there.\n"


def test_making_a_shop(monkeypatch, tmp_path):
    calls = []
    monkeypatch.setattr(simulate, "write", lambda folder, **options: calls.append((folder, options)))
    assert llmarm("data", "make", "--customers", "50", "--out", str(tmp_path / "x"), "--seed", "3").exit_code == 0
    assert llmarm("data", "make", "--customers", "50", "--out", str(tmp_path / "x")).exit_code == 0
    with_seed, without = calls
    assert with_seed == (tmp_path / "x", {"customers": 50, "progress": True, "seed": 3})
    assert "seed" not in without[1]
    (tmp_path / "file").write_text("")
    assert "is a file" in complaint("data", "make", "--customers", "5", "--out", str(tmp_path / "file"))
    assert llmarm("data", "make", "--customers", "0", "--out", "x").exit_code == 2


def test_making_weights_where_lessons_look_for_them(monkeypatch, tmp_path):
    from llmarm_tutorial.models import shipped, shipped_recipes

    calls = []
    monkeypatch.setattr(
        shipped_recipes, "make", lambda data, folder, names, say: calls.append((data.name, folder, list(names)))
    )
    monkeypatch.setenv("LLMARM_CACHE", str(tmp_path))
    (tmp_path / "mine.csv").write_text("basket,item\n1,a\n1,b\n2,a\n2,b\n")
    columns = ("--basket-col", "basket", "--item-col", "item")
    assert llmarm("data", "weights").exit_code == 0
    assert llmarm("data", "weights", str(tmp_path / "mine.csv"), "--only", "gaps", *columns).exit_code == 0
    assert llmarm("data", "weights", "--out", str(tmp_path / "x")).exit_code == 0
    shop, own, elsewhere = calls
    assert shop == ("shop", shipped.SHIPPED, [])
    assert own[1:] == (tmp_path / "weights", ["gaps"])
    assert elsewhere == ("shop", tmp_path / "x", [])


def test_weights_that_cannot_be_made_are_refused(tmp_path):
    assert "shipped model 'gap'" in complaint("data", "weights", "--only", "gap", "--out", str(tmp_path))
    (tmp_path / "mine.csv").write_text("basket,item\n1,a\n1,b\n2,a\n2,b\n")
    assert "lacks users" in complaint(
        "data", "weights", str(tmp_path / "mine.csv"), "--basket-col", "basket", "--item-col", "item"
    )


# --- the rest


def test_doctor_fails_when_there_is_a_problem(monkeypatch):
    monkeypatch.setattr(doctor, "checkup", lambda: [Finding("ok", "a"), Finding("note", "b", "c")])
    result = llmarm("doctor")
    assert (result.exit_code, result.stdout) == (0, "[ok]       a\n[note]     b → c\n")
    monkeypatch.setattr(doctor, "checkup", lambda: [Finding("problem", "a", "b")])
    assert llmarm("doctor").exit_code == 1


def test_version_and_help():
    assert llmarm("--version").stdout == f"llmarm {__version__}\n"
    text = llmarm("--help").stdout
    for command in ("doctor", "data", "run", "batch", "report", "verify", "new-lesson"):
        assert command in text


def test_help_answers_at_once():
    best = 9.0
    for _ in range(3):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "llmarm_tutorial", "--help"], check=True, capture_output=True)
        best = min(best, time.perf_counter() - start)
    modules = "{'pandas', 'numpy', 'papermill', 'torch'}"
    code = f"import sys, llmarm_tutorial.running.cli; print(*{modules} & set(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert loaded.strip() == ""
    assert best < 2  # about 0.2 s; a busy machine is forgiven


def test_a_keyboard_interrupt_is_calm(place, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("llmarm_tutorial.running.pool.execute", interrupted)
    result = llmarm("run", "0", "--out", "out")
    assert result.exit_code == 130
    assert result.stderr == "stopped; what is done is kept\n"

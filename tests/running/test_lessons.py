"""Lessons: choosing them, their parameters and profiles, and executing one with everything that can go wrong."""

from __future__ import annotations

import errno
import json
import os
import sys
import threading
from pathlib import Path

import pytest
from lesson_factory import PARAMETERS, RECORD, write_lesson

import llmarm_tutorial
from llmarm_tutorial import files
from llmarm_tutorial.errors import BadParameter, RunError, UnknownName
from llmarm_tutorial.running import execution, lessons, run_folder
from llmarm_tutorial.running.lessons import Lesson
from llmarm_tutorial.running.run_folder import Run


@pytest.fixture
def three(tmp_path: Path) -> list[Lesson]:
    for name in ("00_start_here", "01_count_things", "03_rank_items"):
        write_lesson(tmp_path, name)
    (tmp_path / "scratch.ipynb").write_text("{}")
    return lessons.discover(tmp_path)


# --- which lessons


def test_only_numbered_notebooks_are_lessons(three):
    assert [lesson.name for lesson in three] == ["00_start_here", "01_count_things", "03_rank_items"]


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        ([], "00 01 03"),
        (["01"], "01"),
        (["1"], "01"),
        (["0"], "00"),
        (["03_rank_items"], "03"),
        (["03_rank_items.ipynb"], "03"),
        (["3", "01", "1"], "01 03"),
        (["01-03"], "01 03"),
        (["0-2"], "00 01"),
    ],
)
def test_choosing(three, wanted, numbers):
    assert [lesson.number for lesson in lessons.choose(wanted, three)] == numbers.split()


@pytest.mark.parametrize("wanted", ["02", "rank", "4-9", "3-1", "²", "", "01_count_thing"])
def test_what_does_not_exist_cannot_be_chosen(three, wanted):
    with pytest.raises(UnknownName) as error:
        lessons.choose(["01", wanted], three)
    assert "03_rank_items" in str(error.value)


def test_the_nearest_name_is_suggested(three):
    with pytest.raises(UnknownName, match="Did you mean '01_count_things'"):
        lessons.choose(["01_count_thing"], three)


def test_the_folder_can_be_set(monkeypatch, tmp_path, three):
    monkeypatch.setenv("LLMARM_LESSONS", str(tmp_path))
    assert lessons.folder() == tmp_path
    monkeypatch.setenv("LLMARM_LESSONS", str(tmp_path / "nowhere"))
    with pytest.raises(RunError, match="LLMARM_LESSONS"):
        lessons.folder()


def test_a_folder_without_lessons_is_one_sentence(tmp_path):
    with pytest.raises(RunError, match="holds no lessons"):
        lessons.discover(tmp_path)


@pytest.mark.parametrize("content", ["", "{}", '{"cells": 1}', "[]"])
def test_a_broken_notebook_is_one_sentence(tmp_path, content):
    (tmp_path / "01_broken.ipynb").write_text(content)
    with pytest.raises(RunError, match=r"01_broken\.ipynb"):
        _ = lessons.discover(tmp_path)[0].parameters


def test_title_is_the_first_heading(tmp_path):
    for written in ("Count things", "01 · Count things", "1. Count things"):
        assert Lesson(write_lesson(tmp_path, "01_x", title=written)).title == "Count things"
    assert Lesson(write_lesson(tmp_path, "01_x", title="2024")).title == "2024"


# --- profiles


def write_profile(place: Path, text: str, name: str = "full") -> None:
    (place / "profiles").mkdir(exist_ok=True)
    (place / "profiles" / f"{name}.yaml").write_text(text)


def test_a_profile_sets_parameters_per_lesson(tmp_path, three):
    write_profile(tmp_path, '"01": {SIZE: 9}\n3:\n  SEED: 4\n')
    assert lessons.profile("full", three, tmp_path) == {"01": {"SIZE": 9}, "03": {"SEED": 4}}


def test_quick_needs_no_file(tmp_path, three):
    assert lessons.profile("quick", three, tmp_path) == {}


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('"01": {SIZES: 9}', UnknownName),
        ('"07": {SIZE: 9}', UnknownName),
        ('"01": {SIZE: many}', BadParameter),
        ('"01": 5', BadParameter),
        ("- 1", BadParameter),
        ("a: [", BadParameter),
    ],
)
def test_mistakes_in_a_profile_are_errors(tmp_path, three, text, kind):
    write_profile(tmp_path, text)
    with pytest.raises(kind):
        lessons.profile("full", three, tmp_path)


def test_unknown_profiles_list_the_valid_ones(tmp_path, three):
    write_profile(tmp_path, "")
    with pytest.raises(UnknownName, match=r"Did you mean 'full'\? Valid: full, quick"):
        lessons.profile("ful", three, tmp_path)


# --- running one


def make_run(folder: Path, *cells: str, name: str = "01_toy", **parameters) -> Run:
    return Run("a-run", Lesson(write_lesson(folder, name, *cells)), "quick", parameters)


def test_a_run_writes_notebook_log_and_results(tmp_path, monkeypatch):
    # neither a kernel of the user's nor braces in a path may come between
    fake = tmp_path / "jupyter" / "kernels" / "python3"
    fake.mkdir(parents=True)
    (fake / "kernel.json").write_text('{"argv": ["/bin/false"], "display_name": "x", "language": "python"}')
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    facts = "import os, sys\nprint(sys.executable, os.getcwd(), os.environ['OMP_NUM_THREADS'])"
    recorded = "ledger.record('data/fingerprint', 'abc')"
    run = make_run(tmp_path / "{lessons} ü", RECORD, facts, recorded, SIZE=5)
    beats = []

    results = execution.run_lesson(run, tmp_path / "out", listen=beats.append)

    folder = tmp_path / "out" / "a-run"
    assert sorted(path.name for path in folder.iterdir()) == ["01_toy.ipynb", "log.txt", "results.json"]
    assert json.loads((folder / "results.json").read_text()) == results
    assert results["status"] == "ok"
    assert results["error"] is None
    assert results["parameters"] == {"DATASET": "shop", "SEED": 0, "SIZE": 5}
    assert (results["dataset"], results["seed"], results["profile"]) == ("shop", 0, "quick")
    assert {v["name"]: v["value"] for v in results["values"]} == {"toy/value": 5, "data/fingerprint": "abc"}
    assert results["data_fingerprint"] == "abc"
    assert results["versions"]["python"].startswith(f"{sys.version_info[0]}.{sys.version_info[1]}")
    assert results["hardware"]["cores"] >= 1
    assert results["peak_memory_bytes"] > 10_000_000
    assert 0 < results["seconds"] < 60
    assert f"{sys.executable} {run.lesson.path.parent} 1" in (folder / "log.txt").read_text()
    assert beats[-1].cells == 5
    assert [b.cell for b in beats] == sorted(b.cell for b in beats)
    assert {b.cell for b in beats} >= {1, 2, 3, 4, 5}


def test_a_run_uses_the_package_that_the_command_uses(tmp_path, monkeypatch):
    other = tmp_path / "other" / "llmarm_tutorial"  # such as the checkout that is installed where this one is not
    other.mkdir(parents=True)
    (other / "__init__.py").write_text("raise RuntimeError('another checkout')")
    monkeypatch.setenv("PYTHONPATH", str(other.parent))
    which = "import llmarm_tutorial\nassert llmarm_tutorial.__file__ == {!r}, llmarm_tutorial.__file__"
    run = make_run(tmp_path, which.format(llmarm_tutorial.__file__), RECORD)
    assert execution.run_lesson(run, tmp_path / "out")["error"] is None


def test_a_failing_cell_is_shown_in_a_few_lines(tmp_path):
    bad = "a = 1\nb = 0\n\nc = a / b\nd = 4\ne = 5\nf = 6"
    results = execution.run_lesson(make_run(tmp_path, RECORD, bad, "never = 1"), tmp_path)
    assert results["status"] == "failed"
    assert results["error"] == {
        "cell": 3,
        "source": ["  b = 0", "  ", "→ c = a / b", "  d = 4", "  e = 5"],
        "type": "ZeroDivisionError",
        "message": "division by zero",
    }
    assert [v["name"] for v in results["values"]] == ["toy/value"]  # what came before is kept
    assert "ZeroDivisionError" in (tmp_path / "a-run" / "log.txt").read_text()


@pytest.mark.parametrize(
    ("cell", "kind", "where"),
    [
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "DeadKernelError", 2),
        ("import time; time.sleep(60)", "CellTimeoutError", 2),
        ("raise SystemExit(0)", "Unfinished", 3),  # papermill takes this for success
        ("from llmarm_tutorial.lesson import ledger\nfor n in (1, 2): ledger.record('a', n)", "RunError", None),
    ],
    ids=["killed", "timeout", "exit", "twice"],
)
def test_runs_that_look_complete_are_failures(tmp_path, cell, kind, where):
    results = execution.run_lesson(make_run(tmp_path, cell, "1"), tmp_path, timeout=1)
    assert results["status"] == "failed"
    assert (results["error"]["type"], results["error"]["cell"]) == (kind, where)
    assert run_folder.read_results(tmp_path / "a-run")["status"] == "failed"


def test_a_full_disk_is_one_sentence_and_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "results.json"
    files.write_atomically(path, "before")

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match=r"results\.json could not be written \(No space left on device\)"):
        files.write_atomically(path, "after")
    assert path.read_text() == "before"
    assert [p.name for p in tmp_path.iterdir()] == ["results.json"]


@pytest.mark.parametrize("function", [os.fsync, os.replace, print])
def test_a_disk_full_at_the_end_of_a_run_leaves_it_unfinished_and_others_intact(tmp_path, monkeypatch, function):
    first = execution.run_lesson(make_run(tmp_path, RECORD), tmp_path)

    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if function is print:  # the log
        monkeypatch.setattr(execution, "print", full, raising=False)
    else:
        monkeypatch.setattr(os, function.__name__, full)
    with pytest.raises(RunError, match="No space left on device"):
        execution.run_lesson(Run("another", make_run(tmp_path, RECORD).lesson, "quick", {}), tmp_path)
    monkeypatch.undo()
    assert run_folder.read_results(tmp_path / "a-run") == first
    assert run_folder.read_results(tmp_path / "another") is None


@pytest.mark.parametrize("content", ["", '{"stat', "[]", "{}"])
def test_half_a_results_file_is_no_result(tmp_path, content):
    (tmp_path / "results.json").write_text(content)
    assert run_folder.read_results(tmp_path) is None


def test_the_digest_changes_with_the_code_only(tmp_path):
    digests = []
    for title, cell in (("A", "1"), ("B", "1"), ("B", "2")):
        lesson = Lesson(write_lesson(tmp_path, "01_x", cell, title=title, parameters=PARAMETERS))
        digests.append(run_folder.digest(lesson))
    assert digests[0] == digests[1] != digests[2]


def test_results_without_their_keys_are_no_result(tmp_path):
    results = execution.run_lesson(make_run(tmp_path, RECORD), tmp_path)
    path = tmp_path / "a-run" / "results.json"
    for broken in (
        {"status": "ok"},
        {key: value for key, value in results.items() if key != "lesson"},
        results | {"values": [{"name": "a"}]},
        results | {"values": {"a": 1}},
        results | {"status": "failed"},
        results | {"parameters": None},
    ):
        path.write_text(json.dumps(broken))
        assert run_folder.read_results(tmp_path / "a-run") is None
    path.write_text(json.dumps(results))
    assert run_folder.read_results(tmp_path / "a-run") == results


def test_an_earlier_run_stays_until_the_next_is_done(tmp_path, monkeypatch):
    run = make_run(tmp_path, RECORD)
    first = execution.run_lesson(run, tmp_path)
    folder = tmp_path / "a-run"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def stop(beat):
        if threading.current_thread() is threading.main_thread():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        execution.run_lesson(run, tmp_path, listen=stop)
    assert {name: (folder / name).read_bytes() for name in before} == before

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(RunError, match="No space left"):
            execution.run_lesson(run, tmp_path)
    assert {name: (folder / name).read_bytes() for name in before} == before
    assert run_folder.read_results(folder) == first

    again = execution.run_lesson(run, tmp_path)
    assert run_folder.read_results(folder) == again
    assert again["started"] > first["started"]
    assert {path.name for path in folder.iterdir()} == set(before)


@pytest.mark.parametrize("seed", [-1, 2**32, 10**23, "-1"])
def test_seeds_out_of_range_are_refused(tmp_path, seed):
    lesson = Lesson(write_lesson(tmp_path, "01_x"))
    with pytest.raises(BadParameter, match="SEED must be from 0 to 4294967295"):
        lessons.check_values(lesson, {"SEED": seed})
    assert lessons.check_values(lesson, {"SEED": 2**32 - 1}) == {"SEED": 2**32 - 1}

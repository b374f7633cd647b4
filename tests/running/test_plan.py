"""Batches: plans are checked whole, killed batches resume, and the tables add up."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest
from lesson_factory import PARAMETERS, RECORD, write_lesson

from llmarm_tutorial import files
from llmarm_tutorial.errors import BadParameter, LlmarmError, RunError, UnknownName
from llmarm_tutorial.running import lessons, pool, run_folder
from llmarm_tutorial.running import plan as batch

TRACE = """import os, pathlib, time
def trace(what):
    with open(os.environ["TRACE"], "a") as file:
        print(what, SIZE, SEED, file=file)
trace("start"); time.sleep(0.4); trace("end")"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with lessons: 00 without parameters, 01 with DATASET, SEED and SIZE."""
    write_lesson(tmp_path / "notebooks", "00_start", "1 + 1", parameters=None)
    write_lesson(tmp_path / "notebooks", "01_toy", RECORD)
    monkeypatch.setenv("LLMARM_LESSONS", str(tmp_path / "notebooks"))
    monkeypatch.setenv("TRACE", str(tmp_path / "trace"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def plan_of(place: Path, text: str) -> batch.Plan:
    path = place / "plan.yaml"
    path.write_text(text)
    return batch.read_plan(path)


# --- plans


def test_a_plan_is_the_grid_of_what_each_lesson_declares(place):
    (place / "my sales.csv").write_text("basket,item\n1,a\n")
    plan = plan_of(place, "datasets: [shop, my sales.csv]\nseeds: [0, 1]\nparameters: {SIZE: [3, 4, 4]}")
    settings = [(run.lesson.number, run.parameters) for run in plan.runs]
    own = str(place / "my sales.csv")
    expected = [(data, seed, size) for data in ("shop", own) for seed in (0, 1) for size in (3, 4)]
    assert settings == [
        ("00", {}),
        *[("01", {"DATASET": data, "SEED": seed, "SIZE": size}) for data, seed, size in expected],
    ]
    assert plan.varied == ("SIZE",)


def test_run_names_are_readable_distinct_and_stable(place):
    text = "lessons: ['01']\nseeds: [0, 1]\nparameters: {SIZE: [3, 4]}"
    names = [run.id for run in plan_of(place, text).runs]
    assert names == [run.id for run in plan_of(place, text).runs]
    assert len(set(names)) == 4
    assert names[0].startswith("01-seed-0-size-3-")


def test_lessons_may_be_numbers_of_yaml(place):
    assert [run.lesson.number for run in plan_of(place, "lessons: [1, 0]").runs] == ["00", "01"]
    assert [run.lesson.number for run in plan_of(place, "lessons: 01").runs] == ["01"]
    assert [run.lesson.number for run in plan_of(place, "lessons: 00-01").runs] == ["00", "01"]


def test_the_plan_overrides_its_profile(place):
    (place / "notebooks" / "profiles").mkdir()
    (place / "notebooks" / "profiles" / "full.yaml").write_text('"01": {SIZE: 100, SEED: 7}')
    plan = plan_of(place, "lessons: [1]\nprofile: full\nseeds: [1]")
    assert [run.parameters for run in plan.runs] == [{"SIZE": 100, "SEED": 1}]


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("lesson: [1]", UnknownName, "Did you mean 'lessons'"),
        ("lessons: [7]", UnknownName, "01_toy"),
        ("profile: huge", UnknownName, "quick"),
        ("datasets: [grocery]", UnknownName, "groceries"),
        ("datasets: [nowhere/sales.csv]", BadParameter, "There is no file 'nowhere/sales.csv'; check the path"),
        ("parameters: {SZIE: [1]}", UnknownName, "Did you mean 'SIZE'"),
        ("lessons: [0]\nseeds: [1]", UnknownName, "SEED"),
        ("seeds: [a]", BadParameter, "SEED must be of type int"),
        ("seeds: [99999999999999999999999]", BadParameter, "SEED must be from 0"),
        ("parameters: {SIZE: [1, x]}", BadParameter, "SIZE must be of type int"),
        ("parameters: {SIZE: []}", BadParameter, "at least one"),
        ("parameters: [SIZE]", BadParameter, "parameters must hold"),
        ("seeds: [1]\nparameters: {SEED: [1]}", BadParameter, "twice"),
        ("- a", BadParameter, r"plan\.yaml"),
        ("a: [", BadParameter, "not readable as YAML"),
    ],
)
def test_mistakes_in_a_plan_are_found_before_anything_runs(place, text, kind, words):
    with pytest.raises(kind, match=words):
        plan_of(place, text)


def test_a_plan_that_does_not_exist(place):
    with pytest.raises(BadParameter, match=r"There is no file nowhere\.yaml"):
        batch.read_plan(Path("nowhere.yaml"))


def test_a_catalogue_set_that_is_not_here_is_named_with_its_command(place, monkeypatch):
    monkeypatch.setenv("LLMARM_CACHE", str(place / "empty"))
    monkeypatch.delenv("LLMARM_DATA", raising=False)
    with pytest.raises(LlmarmError, match="llmarm data fetch groceries"):
        plan_of(place, "datasets: [groceries]")


# --- tables


def result(seed: int, value: float | str | bool, *, dataset: str = "shop", status: str = "ok") -> dict:
    entry = {"name": "a", "value": value, "unit": "", "interval": [0, 1], "baseline": 0.5}
    run = {"run": f"r{seed}{dataset}", "lesson": "01_toy", "dataset": dataset, "profile": "quick", "status": status}
    return run | {"seed": seed, "seconds": 1.0, "peak_memory_bytes": 1, "parameters": {"SIZE": [1]}, "values": [entry]}


def test_mean_and_interval_are_those_of_the_t_distribution():
    table = batch.tidy([result(seed, value) for seed, value in enumerate([1.0, 2.0, 3.0])])
    (row,) = batch.summarise(table).to_dict("records")
    assert (row["n"], row["mean"], row["sd"], row["baseline"]) == (3, 2.0, 1.0, 0.5)
    half = 4.302652729911275 / 3**0.5  # the 0.975 quantile with two degrees of freedom, from a printed table
    assert row["low"] == pytest.approx(2 - half)
    assert row["high"] == pytest.approx(2 + half)


def test_settings_are_told_apart_and_failed_runs_left_out():
    runs = [
        result(0, 1.0),
        result(1, 5.0, status="failed"),
        result(0, 3.0, dataset="own"),
        result(1, 5.0, dataset="own"),
    ]
    summary = batch.summarise(batch.tidy(runs)).set_index("dataset")
    assert summary["mean"].to_dict() == {"shop": 1.0, "own": 4.0}
    assert summary["n"].to_dict() == {"shop": 1, "own": 2}
    assert summary.loc["shop", ["sd", "low", "high"]].isna().all()


def test_text_is_kept_apart_and_truth_values_count_as_numbers():
    table = batch.tidy([result(0, "abc"), result(1, True), result(2, False)], ["SIZE"])
    assert table["text"].to_list()[0] == "abc"
    assert table["SIZE"].to_list() == ["[1]"] * 3
    assert batch.summarise(table, ["SIZE"])["mean"].to_list() == [0.5]


def test_the_parquet_file_is_the_csv_file(tmp_path):
    batch.gather([result(0, 0.1), result(1, "abc")], ["SIZE"], tmp_path)
    parquet, csv = pd.read_parquet(tmp_path / "results.parquet"), pd.read_csv(tmp_path / "results.csv")
    assert parquet.columns.to_list() == csv.columns.to_list()
    assert parquet["value"].to_list()[0] == csv["value"].to_list()[0] == 0.1


def test_nothing_recorded_gives_empty_tables(tmp_path):
    batch.gather([result(0, 1.0) | {"values": []}], [], tmp_path)
    assert len(pd.read_parquet(tmp_path / "results.parquet")) == 0
    assert len(pd.read_csv(tmp_path / "summary.csv")) == 0


# --- running


def start(place: Path) -> subprocess.Popen[str]:
    """`llmarm batch` in a process group of its own; what it prints goes to a file, which nobody has to wait for."""
    command = [sys.executable, "-m", "llmarm_tutorial", "batch", "plan.yaml", "--out", "out", "--jobs", "2"]
    with open(place / "output", "w") as output:
        return subprocess.Popen(command, cwd=place, stdout=output, stderr=output, start_new_session=True)


def finished(place: Path) -> dict[str, str]:
    """Finished runs and when they started."""
    found = {path.parent.name: json.loads(path.read_text()) for path in (place / "out").glob("*/results.json")}
    return {name: results["started"] for name, results in found.items() if results["status"] == "ok"}


def starts(place: Path) -> dict[str, int]:
    lines = (place / "trace").read_text().splitlines() if (place / "trace").exists() else []
    return {line: lines.count(line) for line in lines if line.startswith("start")}


def wait_until(condition, seconds: float = 10) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return condition()


def gone(processes: list[psutil.Process]) -> bool:
    return not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in processes)


@pytest.fixture
def traced(place: Path) -> Path:
    """A plan of four runs that write down when they start and end."""
    write_lesson(place / "notebooks", "01_toy", RECORD, TRACE)
    plan_of(place, "lessons: [1]\nseeds: [0, 1]\nparameters: {SIZE: [1, 2]}")
    return place


def test_a_batch_killed_at_any_moment_resumes(traced):
    runs = {run.id: run.parameters for run in batch.read_plan(traced / "plan.yaml").runs}
    before, begun = {}, {}
    for done, kill in ((0, os.killpg), (1, os.kill), (2, os.killpg), (4, None)):  # the whole group, or the parent only
        process = start(traced)
        if kill:
            assert wait_until(lambda n=done: starts(traced) and len(finished(traced)) >= n, 30)
            family = [*psutil.Process(process.pid).children(recursive=True)]
            kill(process.pid, signal.SIGKILL)
        process.wait(60)
        if kill:
            assert wait_until(lambda f=family: gone(f)), "something outlives the batch"
        for name, started in before.items():
            line = f"start {runs[name]['SIZE']} {runs[name]['SEED']}"
            assert finished(traced)[name] == started, "a finished run was repeated or lost"
            assert starts(traced)[line] == begun[line], "a finished run was executed again"
        known, before, begun = len(before), finished(traced), starts(traced)
        assert len(before) >= done
    output = (traced / "output").read_text()
    assert process.returncode == 0, output
    assert before.keys() == runs.keys()
    assert f"4 runs, {known} of them finished before" in output
    table = pd.read_parquet(traced / "out" / "results.parquet")
    assert sorted(table["value"]) == sorted(s["SIZE"] + s["SEED"] for s in runs.values())


def test_nothing_survives_a_killed_parent(place):
    write_lesson(place / "notebooks", "01_toy", f"{TRACE}; time.sleep(60)")
    plan_of(place, "lessons: [1]\nseeds: [0, 1]")
    process = start(place)
    assert wait_until(lambda: len(starts(place)) == 2, 30)
    family = [*psutil.Process(process.pid).children(recursive=True)]
    assert len(family) >= 4  # two processes with a kernel each
    process.kill()
    process.wait()
    assert wait_until(lambda: gone(family), 5)


def test_a_killed_process_does_not_take_the_batch_along(place):
    write_lesson(
        place / "notebooks", "01_toy", RECORD, "import os, signal\nif SEED == 1: os.kill(os.getppid(), signal.SIGKILL)"
    )
    plan = plan_of(place, "lessons: [1]\nseeds: [0, 1, 2]")
    results = batch.run_batch(plan, place / "out", jobs=2)
    assert [r["status"] for r in results] == ["ok", "failed", "ok"]
    assert results[1]["error"]["type"] == "ProcessDied"
    assert "signal 9" in results[1]["error"]["message"]

    write_lesson(place / "notebooks", "01_toy", RECORD)  # mended: the failed run is tried again, the others are not
    plan = batch.read_plan(place / "plan.yaml")
    todo, outdated = batch.pending(plan, place / "out")
    assert [run.parameters["SEED"] for run in todo] == [1]
    assert [run.parameters["SEED"] for run in outdated] == [0, 2]
    again = batch.run_batch(plan, place / "out")
    assert [r["status"] for r in again] == ["ok", "ok", "ok"]
    assert [again[n]["started"] for n in (0, 2)] == [results[n]["started"] for n in (0, 2)]


def test_a_run_finished_by_a_leftover_of_a_killed_batch_is_not_repeated(place):
    (run,) = plan_of(place, "lessons: [0]").runs
    pool.execute([run], place / "out")
    first = run_folder.read_results(place / "out" / run.id)
    assert pool.execute([run], place / "out") == [first]
    assert pool.execute([run], place / "out", again=True)[0]["started"] > first["started"]


def test_two_batches_do_not_share_a_folder(place):
    plan = plan_of(place, "lessons: [0]")
    with (
        files.lock(place / "out", wait=False),
        pytest.raises(RunError, match="Another llmarm works in the folder"),
    ):
        batch.run_batch(plan, place / "out")


def test_ctrl_c_stops_calmly(traced):
    process = start(traced)
    family = [psutil.Process(process.pid)]
    assert wait_until(lambda: starts(traced), 30)
    family += family[0].children(recursive=True)
    os.killpg(process.pid, signal.SIGINT)
    process.wait(20)
    output = (traced / "output").read_text()
    assert process.returncode == 130, output
    assert output.strip().endswith("stopped; what is done is kept")
    assert "Traceback" not in output
    assert wait_until(lambda: gone(family))


def test_results_that_cannot_be_written_stop_the_batch(place):
    plan = plan_of(place, "lessons: [0, 1]\nseeds: [0]")
    blocked = place / "out" / plan.runs[0].id
    blocked.parent.mkdir()
    blocked.write_text("a file where the run's folder must be")
    with pytest.raises(RunError, match="cannot be used"):
        batch.run_batch(plan, place / "out")


def test_the_lock_is_freed_when_its_holder_dies(tmp_path):
    code = "import sys, time; from pathlib import Path; from llmarm_tutorial import files\n"
    code += "with files.lock(Path(sys.argv[1]), wait=False): print('held', flush=True); time.sleep(60)"
    holder = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(RunError, match="busy"), files.lock(tmp_path, wait=False, complaint="busy"):
        pass
    holder.kill()
    holder.communicate()
    with files.lock(tmp_path, wait=False):
        pass


def test_lessons_are_found_by_the_environment(place):
    assert [lesson.number for lesson in lessons.discover()] == ["00", "01"]


def test_columns_serve_own_files_only(place):
    columns = "".join(f'{name}: str = ""\n' for name in lessons.DATA_COLUMNS)
    write_lesson(place / "notebooks", "01_toy", "print(DATASET)", parameters=PARAMETERS + columns)
    (place / "mine.csv").write_text("b,i\n1,a\n")
    grid = "parameters: {BASKET_COL: [b], ITEM_COL: [i]}"
    plan = plan_of(place, f"lessons: [1]\ndatasets: [shop, mine.csv]\n{grid}")
    assert [run.parameters for run in plan.runs] == [
        {"DATASET": "shop"},
        {"DATASET": str(place / "mine.csv"), "BASKET_COL": "b", "ITEM_COL": "i"},
    ]
    with pytest.raises(BadParameter, match="BASKET_COL and ITEM_COL serve a file of your own"):
        plan_of(place, f"lessons: [1]\n{grid}")


def test_a_changed_file_or_another_llmarm_makes_results_outdated(place, monkeypatch):
    own = place / "mine.csv"
    own.write_text("b,i\n1,a\n")
    plan = plan_of(place, "lessons: [1]\ndatasets: [shop, mine.csv]")
    batch.run_batch(plan, place / "out")
    assert batch.pending(plan, place / "out") == ([], [])
    os.utime(own, (1, 1))  # touched, but the same
    assert batch.pending(plan, place / "out") == ([], [])
    own.write_text("b,i\n1,b\n")
    assert batch.pending(plan, place / "out") == ([], [plan.runs[1]])
    monkeypatch.setattr(batch.doctor, "versions", lambda: {"llmarm": "99"})
    assert batch.pending(plan, place / "out") == ([], plan.runs)


@pytest.mark.parametrize("values", [(1, "a"), (1, 10**30), (True, None), ("a", None), (1, None)])
def test_a_parameter_of_several_types_fits_the_table(tmp_path, values):
    runs = [result(seed, 1.0) | {"parameters": {"SIZE": value}} for seed, value in enumerate(values)]
    batch.gather(runs, ["SIZE"], tmp_path)
    column = pd.read_parquet(tmp_path / "results.parquet")["SIZE"]
    assert column.isna().tolist() == [value is None for value in values]
    if values[1] in ("a", 10**30):
        assert column.tolist() == [str(value) for value in values]


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "{}"])
def test_an_empty_plan_is_refused(place, text):
    with pytest.raises(BadParameter, match="is empty: name at least lessons"):
        plan_of(place, text)

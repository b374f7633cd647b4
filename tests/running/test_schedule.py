"""How runs are planned: as many as the machine carries, the longest first, with an estimate from recorded times."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from lesson_factory import RECORD, write_lesson
from rich.console import Console
from test_plan import gone, wait_until
from typer.testing import CliRunner

from llmarm_tutorial import resources
from llmarm_tutorial.running import display, doctor, lessons, machine, pool, reference, report, run_folder, schedule
from llmarm_tutorial.running.cli import app

GIB = 2**30
SECONDS = {"00": 10.0, "01": 60.0, "02": 30.0}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three lessons with a reference of a machine whose speed check took .5 s; here it takes 1 s on 8 cores."""
    recorded = {}
    for number, seconds in SECONDS.items():
        path = write_lesson(tmp_path / "notebooks", f"{number}_toy", RECORD, "threads = 1")
        parameters = {"DATASET": "shop", "SEED": 0, "SIZE": 3}
        facts = {"seconds": seconds, "peak_memory_bytes": GIB, "speed_seconds": 0.5}
        recorded[path.stem] = {"parameters": parameters, "recorded": facts, "values": {}}
    monkeypatch.setenv("LLMARM_LESSONS", str(tmp_path / "notebooks"))
    path = reference.path_of("quick")
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"lessons": recorded}))
    monkeypatch.setattr(machine, "speed_seconds", lambda copies: 1.0)
    monkeypatch.setattr(resources, "cores", lambda: 8)
    monkeypatch.setattr(resources, "free_memory", lambda: 100 * GIB)
    monkeypatch.setitem(doctor.hardware(), "gpus", [])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def runs(profile: str = "quick", **parameters) -> list[run_folder.Run]:
    return [run_folder.Run(lesson.name, lesson, profile, parameters) for lesson in lessons.discover()]


def test_the_longest_start_first_and_the_estimate_is_scaled_by_the_speed_of_this_machine(place):
    plan = schedule.make(runs(), jobs=2)
    assert [run.lesson.number for run in plan.runs] == ["01", "02", "00"]
    assert plan.estimate == 120  # 2 × the longest: the others end beside it
    assert schedule.make(runs(), jobs=1).estimate == 200
    assert plan.unknown == ()
    assert display.describe(plan) == "3 runs, 2 at a time: about 2 minutes on this machine as it is now"


@pytest.mark.parametrize(
    ("times", "jobs", "expected"),
    [([], 1, 0), ([5], 3, 5), ([3, 3, 2, 2, 2], 2, 7), ([3, 3, 2, 2, 2], 1, 12), ([5, 4, 3, 3, 3], 3, 7)],
)
def test_the_makespan_is_that_of_processes_that_take_the_next_one_when_free(times, jobs, expected):
    assert schedule.makespan(times, jobs) == expected


@pytest.mark.parametrize(
    ("cores", "free", "jobs"),
    [(8, 100, 3), (2, 100, 2), (1, 100, 1), (8, 3, 2), (8, 2.5, 2), (8, 2.4, 1), (8, 0.1, 1)],
)
def test_by_default_as_many_run_as_cores_and_memory_carry(place, monkeypatch, cores, free, jobs):
    monkeypatch.setattr(resources, "cores", lambda: cores)
    monkeypatch.setattr(resources, "free_memory", lambda: free * GIB)  # each lesson needs 1 GiB and a quarter
    assert schedule.make(runs()).jobs == jobs


def test_what_nobody_measured_gets_more_memory_and_no_estimate(place, monkeypatch):
    monkeypatch.setattr(resources, "free_memory", lambda: 9 * GIB)
    plan = schedule.make(runs(SIZE=9))
    assert (plan.jobs, plan.estimate, len(plan.unknown)) == (2, None, 3)
    assert "there is no recorded time like that of 00_toy, 01_toy, 02_toy" in display.describe(plan)
    assert schedule.make(runs(SEED=9)).estimate is not None, "another seed changes no time"
    one_unknown = [*runs()[:2], run_folder.Run("new", runs()[2].lesson, "quick", {"SIZE": 9})]
    assert [run.id for run in schedule.make(one_unknown).runs] == ["new", "01_toy", "00_toy"], "it may be the longest"


@pytest.mark.parametrize("text", [None, "{", '{"lessons": {"01_toy": {"parameters": {}, "recorded": {}}}}'])
def test_without_a_reference_that_can_be_read_runs_are_executed_all_the_same(place, text):
    path = reference.path_of("quick")
    path.unlink() if text is None else path.write_text(text)
    assert schedule.make(runs()).estimate is None


def test_runs_that_share_a_gpu_come_one_after_another(place, monkeypatch):
    (place / "notebooks" / "profiles").mkdir()
    (place / "notebooks" / "profiles" / "full.yaml").write_text("")
    assert schedule.make(runs("full")).jobs == 3
    monkeypatch.setitem(doctor.hardware(), "gpus", ["H100"])
    assert schedule.make(runs("full")).jobs == 1
    assert schedule.make(runs()).jobs == 3, "the quick lessons fit together on one GPU"


def test_of_several_runs_each_gets_one_thread_and_a_single_one_all_cores(place):
    assert [schedule.make(runs(), jobs=jobs).threads for jobs in (1, 2)] == [1, 1]
    assert schedule.make(runs()[:1]).threads == 8


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "about 5 seconds"),
        (12.6, "about 15 seconds"),
        (59, "about 1 minute"),
        (104, "about 1 minute 40 seconds"),
        (299, "about 5 minutes"),
        (3000, "about 50 minutes"),
    ],
)
def test_an_estimate_is_no_more_precise_than_it_is(seconds, words):
    assert report.about(seconds) == words


# --- executing the plan

WORK = """import os
import numpy as np
rng = np.random.default_rng(SEED + SIZE)
a = rng.standard_normal((300, 300))
ledger.record('toy/sum', float(np.linalg.inv(a).sum()))
ledger.record('toy/threads', os.environ['OMP_NUM_THREADS'])"""


def test_runs_at_the_same_time_give_the_results_of_runs_one_after_another(place):
    for number in SECONDS:
        write_lesson(place / "notebooks", f"{number}_toy", RECORD, WORK, "1 / (SIZE - 4)" if number == "01" else "1")
    found = {}
    for jobs in (1, 3):
        told: list[str] = []
        found[jobs] = pool.execute(
            runs(SIZE=4),
            place / str(jobs),
            jobs=jobs,
            announce=lambda plan, told=told: told.append(f"plan of {plan.jobs}"),
            listen=lambda run, news, told=told: told.append(run.id) if news is None else None,
        )
        assert told == [f"plan of {jobs}", "00_toy", "01_toy", "02_toy"], "no recorded time: the order is kept"
    assert [r["values"] for r in found[1]] == [r["values"] for r in found[3]]
    assert [r["status"] for r in found[3]] == ["ok", "failed", "ok"], "a failed lesson does not stop the others"
    assert {v["value"] for r in found[3] for v in r["values"] if v["name"] == "toy/threads"} == {"1"}
    assert {(r["jobs"], r["threads"], r["speed_seconds"]) for r in found[3]} == {(3, 1, 1.0)}


def test_processor_seconds_are_those_of_the_kernel_and_of_what_it_starts(place):
    burn = "import time\nend = time.process_time() + {}\nwhile time.process_time() < end: pass"
    child = f"import subprocess, sys\n_ = subprocess.run([sys.executable, '-c', {burn.format(0.7)!r}], check=True)"
    write_lesson(place / "notebooks", "00_toy", burn.format(0.8), child, "time.sleep(1.5)")
    (result,) = pool.execute(runs()[:1], place / "out")
    assert 1.5 <= result["cpu_seconds"] < result["seconds"] + 1
    assert result["seconds"] > 3


def test_run_says_its_estimate_before_and_the_time_after(place):
    result = CliRunner().invoke(app, ["run", "0-1", "--out", "out"])
    assert result.exit_code == 0, result.output
    lines = [line for line in result.stdout.splitlines() if line]
    assert lines[0] == "2 runs, 2 at a time: about 2 minutes on this machine as it is now"
    assert [line.split()[0] for line in lines[1:3]] == ["01_toy", "00_toy"], "the longest starts first"
    table = [line.split() for line in lines if line.split()[1:2] == ["ok"]]
    assert [row[0] for row in table] == ["00_toy", "01_toy"], "the table is in lesson order"
    assert all(row[3] == "s" and row[5] == "s" and row[7] == "MiB" for row in table)
    assert re.fullmatch(r"2 runs in .+; the estimate was 2 min 00 s", lines[-2])


def test_ctrl_c_leaves_no_kernel_of_runs_at_the_same_time(place):
    for number in ("01", "02"):
        flag = str(place / number)
        write_lesson(place / "notebooks", f"{number}_toy", f"open({flag!r}, 'w').close()\nimport time; time.sleep(60)")
    command = [sys.executable, "-m", "llmarm_tutorial", "run", "1-2", "--jobs", "2", "--out", "out"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert wait_until(lambda: (place / "01").exists() and (place / "02").exists(), 60)
    family = psutil.Process(process.pid).children(recursive=True)
    assert len(family) >= 4  # two processes with a kernel each
    os.killpg(process.pid, signal.SIGINT)
    _, complaint = process.communicate(timeout=20)
    assert (process.returncode, complaint) == (130, "stopped; what is done is kept\n")
    assert wait_until(lambda: gone(family))


@pytest.mark.parametrize("seconds", [0.0, 0.1, 0.3, 0.6])
def test_ctrl_c_is_as_calm_while_the_processes_start(place, seconds):
    command = [sys.executable, "-m", "llmarm_tutorial", "run", "1-2", "--jobs", "2", "--out", "out"]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen(
        command, start_new_session=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}, bufsize=1, **streams
    )
    assert any(line.startswith("02_toy starts") for line in process.stdout)
    time.sleep(seconds)
    family = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, signal.SIGINT)
    _, complaint = process.communicate(timeout=20)
    assert (process.returncode, complaint) == (130, "stopped; what is done is kept\n")
    assert wait_until(lambda: gone(family))


def test_a_process_of_a_run_loads_no_grammar(place):
    """It takes a second of each; whichever way the command was called."""
    code = "import llmarm_tutorial.running.pool, sys; print('lark' in sys.modules, 'nbformat' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


def test_a_batch_with_nothing_left_to_do_checks_no_speed(place, monkeypatch):
    monkeypatch.setattr(machine, "speed_seconds", lambda copies: pytest.fail("there is nothing to estimate"))
    assert pool.execute([], place / "out") == []
    display.RunDisplay(Console(), 0).close([])

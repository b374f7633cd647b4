"""How processes are started: their threads, and the speed check."""

from __future__ import annotations

import pytest

from llmarm_tutorial.errors import RunError
from llmarm_tutorial.running import machine, speed


def test_capped_processes_have_so_many_threads():
    caps = machine.capped(3)
    assert set(caps.values()) == {"3"}
    assert {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"} <= set(caps)


def test_the_speed_check_is_of_processes_of_its_own_and_made_once():
    machine.speed_seconds.cache_clear()
    first = machine.speed_seconds(2)
    assert 0 < first < 10
    assert machine.speed_seconds(2) == first
    assert machine.speed_seconds.cache_info().misses == 1


def test_a_python_that_cannot_make_the_speed_check_is_one_sentence(monkeypatch, capfd):
    machine.speed_seconds.cache_clear()
    monkeypatch.setattr(machine.sys, "executable", "false")
    with pytest.raises(RunError, match="run  llmarm doctor"):
        machine.speed_seconds(2)
    assert capfd.readouterr() == ("", "")


def test_the_speed_check_is_the_same_work_each_time_and_short(monkeypatch):
    assert speed.work() == pytest.approx(speed.work(), rel=1e-6)
    clock = iter(range(1000))
    monkeypatch.setattr(speed.time, "perf_counter", lambda: float(next(clock)))
    rounds = []
    monkeypatch.setattr(speed, "work", lambda: rounds.append(1))
    assert speed.seconds() == 1.0
    assert len(rounds) == 4, "one to warm up, and none is begun after three seconds"

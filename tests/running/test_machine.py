"""What the machine grants: cores and memory within the limits of containers, and the speed check."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest

from llmarm_tutorial.errors import RunError
from llmarm_tutorial.running import machine, speed

GIB = 2**30


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Pretend 16 cores, 32 GiB free, and control groups of which this process is in `path`."""
    monkeypatch.setattr(machine, "CONTROL_GROUPS", tmp_path / "groups")
    monkeypatch.setattr(machine, "MEMBERSHIP", tmp_path / "membership")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)), raising=False)
    monkeypatch.setattr(
        psutil, "virtual_memory", lambda: type("Memory", (), {"available": 32 * GIB, "total": 64 * GIB})
    )

    def make(membership: str, files: dict[str, str]) -> None:
        (tmp_path / "membership").write_text(membership)
        for name, text in files.items():
            path = tmp_path / "groups" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    return make


def test_without_limits_all_cores_and_all_free_memory_count(groups):
    assert (machine.cores(), machine.free_memory()) == (16, 32 * GIB)  # not Linux: there is no such file
    groups("0::/\n", {"cpu.max": "max 100000\n", "memory.max": "max\n", "memory.current": "5\n"})
    assert (machine.cores(), machine.free_memory()) == (16, 32 * GIB)


@pytest.mark.parametrize(
    ("membership", "files", "cores"),
    [
        ("0::/\n", {"cpu.max": "200000 100000\n"}, 2),
        ("0::/\n", {"cpu.max": "250000 100000\n"}, 2),  # two and a half: whole cores
        ("0::/\n", {"cpu.max": "50000 100000\n"}, 1),  # half a core: one process is the least
        ("0::/a/b\n", {"a/cpu.max": "300000 100000\n", "a/b/cpu.max": "max 100000\n"}, 3),  # from above
        ("0::/a/b\n", {"cpu.max": "400000 100000\n"}, 4),  # the host's path, which is not here
        ("5:cpu,cpuacct:/x\n", {"cpu/x/cpu.cfs_quota_us": "600000", "cpu/x/cpu.cfs_period_us": "100000"}, 6),
        ("5:cpu,cpuacct:/x\n", {"cpu/x/cpu.cfs_quota_us": "-1", "cpu/x/cpu.cfs_period_us": "100000"}, 16),
        ("5:memory:/x\n", {"cpu/x/cpu.cfs_quota_us": "100000", "cpu/x/cpu.cfs_period_us": "100000"}, 16),
        ("0::/\n", {"cpu.max": "nonsense\n"}, 16),
        ("\nnonsense\n0::/a:b\n", {"a:b/cpu.max": "200000 100000\n"}, 2),
    ],
)
def test_a_quota_limits_the_cores(groups, membership, files, cores):
    groups(membership, files)
    assert machine.cores() == cores


@pytest.mark.parametrize(
    ("membership", "files", "free"),
    [
        ("0::/\n", {"memory.max": f"{8 * GIB}", "memory.current": f"{3 * GIB}"}, 5),
        (
            "0::/\n",
            {
                "memory.max": f"{8 * GIB}",
                "memory.current": f"{7 * GIB}",
                "memory.stat": f"anon 5\ninactive_file {2 * GIB}\n",
            },
            3,
        ),
        ("0::/a\n", {"memory.max": f"{4 * GIB}", "memory.current": "0", "a/memory.max": "max"}, 4),
        ("0::/\n", {"memory.max": f"{GIB}", "memory.current": f"{2 * GIB}"}, 0),
        ("0::/\n", {"memory.max": f"{99 * GIB}", "memory.current": "0"}, 32),
        (
            "9:memory:/x\n",
            {
                "memory/memory.limit_in_bytes": f"{6 * GIB}",
                "memory/memory.usage_in_bytes": f"{3 * GIB}",
                "memory/memory.stat": f"total_inactive_file {GIB}\n",
            },
            4,
        ),
    ],
)
def test_a_container_limits_the_free_memory(groups, membership, files, free):
    groups(membership, files)
    assert machine.free_memory() == free * GIB


def test_what_cannot_be_read_is_no_limit(groups, tmp_path):
    files = {"memory.max": f"{8 * GIB}\n", "memory.current": "0\n", "memory.stat": "inactive_file\n"}
    groups("0::/\n", files)
    assert machine.free_memory() == 8 * GIB
    (tmp_path / "membership").write_bytes(b"0::/\xff\n")  # a name need not be UTF-8
    assert (machine.cores(), machine.free_memory()) == (16, 8 * GIB)


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

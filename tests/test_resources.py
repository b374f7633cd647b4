"""What the machine grants: cores and memory within the limits of containers, and memory asked for before use."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest

from llmarm_tutorial import graphs, mining, recommend, resources
from llmarm_tutorial.data import Transactions
from llmarm_tutorial.errors import TooLarge
from llmarm_tutorial.graphs import item_graph
from llmarm_tutorial.mining.antecedents import Evidence, gather

GIB = 2**30


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Pretend 16 cores, 32 GiB free, and control groups of which this process is in `path`."""
    monkeypatch.setattr(resources, "CONTROL_GROUPS", tmp_path / "groups")
    monkeypatch.setattr(resources, "MEMBERSHIP", tmp_path / "membership")
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
    assert (resources.cores(), resources.free_memory()) == (16, 32 * GIB)  # not Linux: there is no such file
    groups("0::/\n", {"cpu.max": "max 100000\n", "memory.max": "max\n", "memory.current": "5\n"})
    assert (resources.cores(), resources.free_memory()) == (16, 32 * GIB)


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
    assert resources.cores() == cores


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
    assert resources.free_memory() == free * GIB


def test_what_cannot_be_read_is_no_limit(groups, tmp_path):
    files = {"memory.max": f"{8 * GIB}\n", "memory.current": "0\n", "memory.stat": "inactive_file\n"}
    groups("0::/\n", files)
    assert resources.free_memory() == 8 * GIB
    (tmp_path / "membership").write_bytes(b"0::/\xff\n")  # a name need not be UTF-8
    assert (resources.cores(), resources.free_memory()) == (16, 8 * GIB)


def test_the_highest_memory_is_that_of_the_program_not_of_its_parent():
    ballast = np.ones(60_000_000)
    asked = "from llmarm_tutorial import resources; print(resources.highest_memory())"
    child = int(subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True).stdout)
    assert 1e6 < child < ballast.nbytes < resources.highest_memory()


def test_what_does_not_fit_is_refused_before_it_is_made(groups):
    remedy = "choose a smaller MAX_ITEMS"
    resources.require_memory(31 * GIB, "a table of all items", remedy)
    with pytest.raises(TooLarge) as refused:
        resources.require_memory(41e9, "a table of 39,000 × 39,000 items", remedy)
    assert str(refused.value) == (
        "a table of 39,000 × 39,000 items needs 41.0 GB of memory, and 34.4 GB are free: choose a smaller MAX_ITEMS."
    )


def test_a_small_table_is_not_asked_for(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(resources, "free_memory", lambda: 0)
    resources.require_memory(1e8, "a small table", "")
    with pytest.raises(TooLarge):
        resources.require_memory(1e9, "a large table", "make it smaller")


def links(data: Transactions) -> None:
    graphs.make_link_tasks(data)


def walks(data: Transactions) -> None:
    item_graph.multi_hop(graphs.co_occurrence_graph(data, "count", max_q=None))


def evidence(data: Transactions) -> None:
    gather(data.basket_matrix(), np.arange(50, dtype=np.int32)[:, None])


def estimates(data: Transactions) -> None:
    few = Evidence(np.array([[0], [1]]), np.array([3, 4]), np.ones((2, 210), dtype=np.int32), np.full(210, 0.1))
    mining.count_estimates(data.basket_matrix(), mining.Trial(few, few, few, few))


TABLES = {
    "EASE": lambda data: recommend.Ease().fit(data.histories()),
    "similarities": lambda data: recommend.similarities(np.eye(300)),
    "new items": lambda data: recommend.Borrowed(np.eye(210), recommend.make_baseline("ar")).fit(data.histories()),
    "links": links,
    "walks": walks,
    "evidence": evidence,
    "estimates": estimates,
}


@pytest.mark.parametrize("table", TABLES)
def test_a_large_table_is_refused_by_naming_the_parameter(table: str, shop, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(resources, "ALWAYS", 0)
    monkeypatch.setattr(resources, "free_memory", lambda: 5_000)
    with pytest.raises(TooLarge, match=r"needs .* GB of memory, and 0\.0 GB are free: .*MAX_ITEMS"):
        TABLES[table](shop)

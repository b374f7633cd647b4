"""What the kit runs on: hardware and versions for the record, and a check-up that says what to mend and how."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from llmarm_tutorial import resources
from llmarm_tutorial.errors import LlmarmError

GIB = 1024**3
_RECORDED = (
    "llmarm",
    "numpy",
    "scipy",
    "pandas",
    "pyarrow",
    "mlxtend",
    "scikit-learn",
    "matplotlib",
    "torch",
    "transformers",
    "accelerate",
    "peft",
    "torch-geometric",
    "onnxruntime",
)
_OPTIONAL = {
    "models": "lessons with neural models",
    "lab": "working in JupyterLab",
    "test": "the tests",
    "text": "sentence vectors of descriptions without a download",
}
_PROCESSOR_TORCH = "pip install torch --index-url https://download.pytorch.org/whl/cpu"


class Finding(NamedTuple):
    """One line of the check-up.

    Attributes:
        level: "ok", "problem" (something will fail) or "note" (good to know).
        text: What was found.
        remedy: What to do about it, "" if nothing.
    """

    level: str
    text: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{f'[{self.level}]':<10} {self.text}{f' → {self.remedy}' if self.remedy else ''}"


def versions() -> dict[str, str]:
    """Versions of Python and of the installed packages that numbers may depend on."""
    found = {"python": platform.python_version()}
    for package in _RECORDED:
        if (version := _version(package)) is not None:
            found[package] = version
    return found


@functools.cache
def hardware() -> dict[str, Any]:
    """Processor model, cores, memory in bytes, GPUs by name, operating system."""
    import psutil

    return {
        "cpu": _cpu_model(),
        "cores": resources.cores(),
        "memory_bytes": psutil.virtual_memory().total,
        "gpus": _gpus(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def checkup() -> list[Finding]:
    """Everything a lesson leans on, examined."""
    parts = (_python, _packages, _extras, _machine, _kernel, _cache, _shop, _datasets, _torch, _gpu)
    return [finding for part in parts for finding in part()]


def show() -> None:
    """Print the check-up, for notebook 00."""
    findings = checkup()
    print("\n".join(map(str, findings)))
    problems = sum(finding.level == "problem" for finding in findings)
    print(f"\n{problems} problem{'s' * (problems > 1)} to solve before you start." if problems else "\nAll is ready.")


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists() and (found := re.search(r"^model name\s*:\s*(.+)$", info.read_text(), re.M)):
        return found[1].strip()
    if sys.platform == "darwin" and (name := _output("sysctl", "-n", "machdep.cpu.brand_string")):
        return name
    return platform.processor() or platform.machine()


def _gpus() -> list[str]:
    """Names of NVIDIA GPUs as the driver gives them: importing torch for this would take seconds."""
    return _output("nvidia-smi", "--query-gpu=name", "--format=csv,noheader").splitlines()


def _output(*command: str) -> str:
    if shutil.which(command[0]) is None:
        return ""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _requirements() -> list[Any]:
    """What the installed `llmarm` says it needs: requirements with their extra, "" for the always needed."""
    from packaging.requirements import Requirement

    return [Requirement(text) for text in importlib.metadata.requires("llmarm") or []]


def _unmet(requirements: list[Any]) -> list[str]:
    """Those that are absent or of a version outside the range, in words."""
    unmet = []
    for need in requirements:
        version = _version(need.name)
        if version is None:
            unmet.append(need.name)
        elif not need.specifier.contains(version, prereleases=True):
            unmet.append(f"{need.name} {version} (needs {need.specifier})")
    return unmet


def _python() -> Iterator[Finding]:
    level = "ok" if sys.version_info >= (3, 11) else "problem"
    yield Finding(level, f"Python {platform.python_version()}", "" if level == "ok" else "install Python 3.11 or newer")


def _packages() -> Iterator[Finding]:
    try:
        always = [need for need in _requirements() if need.marker is None or need.marker.evaluate({"extra": ""})]
    except importlib.metadata.PackageNotFoundError:
        yield Finding("problem", "the package llmarm is not installed", "run  pip install -e .  in the checkout")
        return
    if unmet := _unmet(always):
        yield Finding(
            "problem",
            f"packages missing or of an unfit version: {', '.join(unmet)}",
            "run  pip install --upgrade llmarm",
        )
    else:
        yield Finding("ok", f"{len(always)} packages are there, in fitting versions")


def _extras() -> Iterator[Finding]:
    try:
        needs = [need for need in _requirements() if need.marker is not None]
    except importlib.metadata.PackageNotFoundError:
        return
    for extra, purpose in _OPTIONAL.items():
        mine = [n for n in needs if n.marker.evaluate({"extra": extra}) and not n.marker.evaluate({"extra": ""})]
        if unmet := _unmet(mine):
            # `llmarm run` runs all lessons, and without the models some of them fail
            level = "problem" if extra == "models" else "note"
            remedy = f"pip install 'llmarm[{extra}]'"
            if "torch" in unmet and sys.platform == "linux" and not _gpus():
                remedy = f"{_PROCESSOR_TORCH}  (PyPI's build is gigabytes larger), then  {remedy}"
            yield Finding(level, f"without {', '.join(unmet)}: no {purpose}", remedy)
        elif mine:
            yield Finding("ok", f"extra [{extra}] for {purpose}")


def _machine() -> Iterator[Finding]:
    memory, disk = resources.free_memory(), shutil.disk_usage(Path.cwd()).free
    for name, free, least in (("memory", memory, 2 * GIB), ("disk space", disk, 1 * GIB)):
        remedy = "" if free >= least else f"lessons may need {least // GIB} GiB: close programs or free some"
        yield Finding("note" if remedy else "ok", f"{free / GIB:.1f} GiB of {name} free", remedy)
    threads = os.environ.get("OMP_NUM_THREADS", "not set")
    yield Finding("ok", f"{resources.cores()} processor cores; OMP_NUM_THREADS {threads} (llmarm sets it for its runs)")


def _kernel() -> Iterator[Finding]:
    try:
        version = importlib.metadata.version("ipykernel")
    except importlib.metadata.PackageNotFoundError:
        yield Finding("problem", "no Jupyter kernel for this Python", "run  pip install ipykernel")
        return
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    try:
        first = KernelSpecManager().get_kernel_spec("python3").argv[0]
    except NoSuchKernel:
        first = ""
    resolved = shutil.which(first) or first
    # jupyter_client itself starts a bare "python" as the interpreter it runs in
    if first.startswith("python") or Path(resolved).absolute() == Path(sys.executable).absolute():
        yield Finding("ok", f"kernel python3 is this Python (ipykernel {version})")
    else:
        remedy = "llmarm run is not affected; for Jupyter run  python -m ipykernel install --sys-prefix"
        yield Finding("note", f"Jupyter's kernel python3 is another Python, {resolved or 'none'}", remedy)


def _cache() -> Iterator[Finding]:
    from llmarm_tutorial.data import catalogue

    place = Path(catalogue.data_home())
    try:
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=place) as file:
            file.write(bytes(8192))  # a full disk takes an empty file
            file.flush()
    except OSError as error:
        remedy = "free some space, or set LLMARM_CACHE to a folder you may write to"
        yield Finding("problem", f"the cache folder {place} cannot be written ({error.strerror})", remedy)
        return
    yield Finding("ok", f"cache folder {place} can be written")


def _shop() -> Iterator[Finding]:
    from llmarm_tutorial.data import loading

    remedy = "restore the folder data/shop (git checkout data/shop)"
    try:
        report = loading.check("shop")
    except (LlmarmError, OSError) as error:
        yield Finding("problem", f"the corner shop cannot be read: {error}", remedy)
        return
    wrong = [f"{row.what} {row.found} instead of {row.expected}" for row in report.rows if not row.ok]
    if wrong:
        yield Finding("problem", f"the corner shop is not as shipped: {', '.join(wrong)}", remedy)
    else:
        counts = ", ".join(f"{row.found:,} {row.what}" for row in report.rows if isinstance(row.found, int))
        yield Finding("ok", f"the corner shop is as shipped{f': {counts}' if counts else ''}")


def _datasets() -> Iterator[Finding]:
    from llmarm_tutorial.data import catalogue

    if wrong := catalogue.misdirection():
        yield Finding("problem", wrong.strip(), "set LLMARM_DATA to the folder of your data sets")
    here = [entry.name for entry in catalogue.entries() if catalogue.locate(entry)]
    away = [entry.name for entry in catalogue.entries() if entry.name not in here]
    yield Finding("ok", f"data sets at hand: {', '.join(here) or 'none'}")
    if away:
        yield Finding("note", f"not at hand: {', '.join(away)}", f"llmarm data fetch {away[0]}")


def _torch() -> Iterator[Finding]:
    """What the models would run on; that torch is missing is said with the extras."""
    versions = {name: _version(name) for name in ("torch", "transformers", "accelerate")}
    if versions["torch"] is None:
        return
    try:
        device, bf16 = _device()
    except (ImportError, OSError) as error:  # OSError: one of its shared libraries is missing
        yield Finding(
            "problem",
            f"torch {versions['torch']} cannot be imported: {error}",
            "install it anew: https://pytorch.org/get-started",
        )
        return
    listed = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    yield Finding("ok", f"{listed}; device {device}, bf16 {bf16}")


def _gpu() -> Iterator[Finding]:
    gpus = _gpus()
    try:
        seen = _version("torch") is not None and not _device()[0].startswith("cpu")
    except (ImportError, OSError):
        seen = False
    if gpus and not seen:
        remedy = "install a CUDA build of torch: https://pytorch.org/get-started"
        yield Finding("note", f"GPU {', '.join(gpus)}, but no torch that sees it", remedy)
    elif not seen:
        yield Finding("note", "no GPU: everything runs on the processor, the profile gpu takes long")


def _device() -> tuple[str, str]:
    """The device that torch computes on, with its name, and how it computes in bfloat16.

    Raises:
        ImportError, OSError: If torch is broken.
    """
    import torch

    if torch.cuda.is_available():
        native = torch.cuda.is_bf16_supported(including_emulation=False)
        return f"cuda ({torch.cuda.get_device_name(0)})", "in hardware" if native else "emulated, slow"
    if torch.backends.mps.is_available():
        return "mps (Apple's GPU)", "as macOS 14 and newer have it"
    info = Path("/proc/cpuinfo")  # the flag is called avx512_bf16 or amx_bf16 on x86, bf16 on ARM
    flags = re.search(r"^(?:flags|Features)\s*:(.*)$", info.read_text(), re.M) if info.exists() else None
    if flags is None:
        return "cpu", "unknown"
    return "cpu", "in hardware" if "bf16" in flags[1] else "emulated, slow"

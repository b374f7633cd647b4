"""Execute one lesson: papermill runs the notebook; what came of it is written into the run's folder."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import nbformat

from llmarm_tutorial.errors import LlmarmError
from llmarm_tutorial.files import FULL, ROOT, writing
from llmarm_tutorial.lesson import ledger
from llmarm_tutorial.running import doctor, machine, run_folder
from llmarm_tutorial.running.run_folder import (
    ANSI,
    JOURNAL,
    Run,
    describe_run,
    error_summary,
    text_digest,
    write_outcome,
)


class Conditions(NamedTuple):
    """Under which a run takes its time: runs at the same time, BLAS threads of each, time of the speed check."""

    jobs: int = 1
    threads: int = 1
    speed_seconds: float | None = None


class Beat(NamedTuple):
    """Where a running lesson stands: code cell `cell` of `cells`, seconds so far, memory in bytes."""

    cell: int
    cells: int
    seconds: float
    memory: int
    peak: int


def run_lesson(
    run: Run,
    out: Path,
    *,
    timeout: int | None = None,
    conditions: Conditions = Conditions(),  # noqa: B008  a tuple, which nobody can change
    listen: Callable[[Beat], None] = lambda beat: None,
) -> dict[str, Any]:
    """Execute a lesson in the folder of its notebook and write what came of it to `out / run.id`.

    The kernel is this very interpreter with this very package, whatever the user has installed. Files of an earlier
    run stay until those of this one take their place.

    Args:
        run: What to execute.
        out: Folder of the runs.
        timeout: Seconds that one cell may take; None for no limit.
        conditions: How many threads BLAS may use, and what else the time depends on; noted with the results.
        listen: Is told at every cell and a few times a second where the run stands.

    Returns:
        What `results.json` holds; `status` is "ok", or "failed" with an `error`.

    Raises:
        RunError: If the results cannot be written.
    """
    folder = out / run.id
    started, clock = datetime.now(UTC), time.monotonic()
    results = describe_run(run, started)
    with writing(folder / JOURNAL):
        folder.mkdir(parents=True, exist_ok=True)
        log = open(folder / JOURNAL, "a", encoding="utf-8", buffering=1)  # noqa: SIM115  closed by the `with` below
    with writing(folder / JOURNAL, only=FULL), log:
        print(f"{results['started']} {run.lesson.name} {json.dumps(run.parameters, ensure_ascii=False)}", file=log)
        watch = _Watch(listen, log)
        with watch:
            before = _cpu_of_children()
            results["error"] = _execute(run, watch, log, timeout, conditions.threads)
        if results["error"]:
            print(f"failed: {results['error']['type']}: {results['error']['message']}", file=log)
    notebook = watch.notebook
    if notebook is not None:
        results["notebook_digest"] = text_digest(nbformat.writes(notebook))
        results["notes"] = ledger.collect_notes(notebook)
        try:
            results["values"] = [result.to_dict() for result in ledger.collect(notebook)]
        except LlmarmError as error:
            results["error"] = results["error"] or error_summary(type(error).__name__, str(error))
    if run_folder.checkout_digest() != results["checkout"]:  # edited meanwhile: nobody knows which of both was executed
        results["checkout"] = None
    fingerprint = [v["value"] for v in results["values"] if v["name"] == "data/fingerprint"]
    results |= {
        "status": "failed" if results["error"] else "ok",
        "data_fingerprint": fingerprint[0] if fingerprint else None,
        "seconds": round(time.monotonic() - clock, 3),
        "cpu_seconds": round(_cpu_of_children() - before, 3),
        "peak_memory_bytes": watch.peak,
        **conditions._asdict(),
        "versions": doctor.versions(),
        "hardware": doctor.hardware(),
    }
    write_outcome(folder, results, notebook)
    return results


def _execute(run: Run, watch: _Watch, log: Any, timeout: int | None, threads: int) -> dict[str, Any] | None:
    """Run the notebook; returns what went wrong, or None."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # papermill's and nbclient's about each other
        import papermill
        from nbclient.exceptions import CellTimeoutError, DeadKernelError

        try:
            papermill.execute_notebook(
                str(run.lesson.path).replace("{", "{{").replace("}", "}}"),  # papermill fills in braces
                None,
                run.parameters,
                kernel_name="python3",
                language="python",
                kernel_manager_class=_own_kernel(threads),
                cwd=run.lesson.path.parent,
                progress_bar=False,
                stdout_file=log,
                stderr_file=log,
                execution_timeout=timeout,
                on_notebook_start=watch.notebook_started,
                on_cell_execute=watch.cell_started,
            )
        except papermill.PapermillExecutionError as error:
            trace = ANSI.sub("", "\n".join(error.traceback))
            print(trace, file=log)
            return error_summary(error.ename, error.evalue, watch.cell, error.source, trace)
        except CellTimeoutError:
            return error_summary(
                "CellTimeoutError", f"the cell took longer than the {timeout} s it may take", watch.cell, watch.source
            )
        except DeadKernelError:
            reason = "the kernel died, most often because memory ran out"
            return error_summary("DeadKernelError", reason, watch.cell, watch.source)
        except RuntimeError as error:  # jupyter_client's for a kernel that does not start
            if watch.notebook is not None:
                raise
            return error_summary("RuntimeError", f"the kernel did not start: {error}; run  llmarm doctor")
    for number, cell in enumerate(watch.code_cells(), start=1):
        if cell.execution_count is None:
            return error_summary("Unfinished", "the notebook stopped before this cell", number, cell.source)
    return None


def _cpu_of_children() -> float:
    """Processor seconds of all processes below this one that have ended: the kernel and what it started."""
    times = os.times()
    return times.children_user + times.children_system


def _own_kernel(threads: int) -> type:
    """A kernel manager that starts this interpreter, with BLAS held to so many threads."""
    from ipykernel.kernelspec import get_kernel_dict
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager

    # a run must not count as a learner's attempt at the exercises
    own = {"PYDEVD_DISABLE_FILE_VALIDATION": "1", "LLMARM_ATTEMPTS": os.devnull} | _own_package()
    spec = KernelSpec(**get_kernel_dict(), env=machine.capped(threads) | own)

    class OwnKernel(AsyncKernelManager):
        kernel_spec = spec

    return OwnKernel


def _own_package() -> dict[str, str]:
    """The environment in which a kernel imports this very package, whichever checkout is the installed one.

    The kernel works in the folder of its notebook, so that it would not find what this process found in its own.
    """
    if not (ROOT / "pyproject.toml").exists():  # installed for good: a path before the standard library's does harm
        return {}
    others = os.environ.get("PYTHONPATH")
    return {"PYTHONPATH": os.pathsep.join([str(ROOT), *([others] if others else [])])}


class _Watch:
    """Follows a running notebook: its cells by nbclient's hooks, its memory by a thread."""

    def __init__(self, listen: Callable[[Beat], None], log: Any) -> None:
        self.notebook: Any = None
        self.cell, self.cells, self.memory, self.peak, self.source = 0, 0, 0, 0, ""
        self._listen, self._log, self._start = listen, log, time.monotonic()
        self._over, self._turn = threading.Event(), threading.Lock()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def code_cells(self) -> list[Any]:
        """The cells that are to be executed."""
        cells = [c for c in self.notebook.cells if c.cell_type == "code" and c.source.strip()]
        return [c for c in cells if "skip-execution" not in c.metadata.get("tags", [])]

    def notebook_started(self, notebook: Any, **_: Any) -> None:
        self.notebook = notebook
        self.cells = len(self.code_cells())

    def cell_started(self, cell: Any, **_: Any) -> None:
        self.cell, self.source = self.cell + 1, cell.source
        print(f"[{time.monotonic() - self._start:8.1f} s] cell {self.cell} of {self.cells}", file=self._log)
        self._tell()

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _tell(self) -> None:
        with self._turn:
            self._listen(Beat(self.cell, self.cells, time.monotonic() - self._start, self.memory, self.peak))

    def _sample(self) -> None:
        """Ten times a second: the resident memory of all processes below this one, the kernel and what it started.

        Which these are is asked less often: it takes a look at every process of the machine.
        """
        import psutil

        this, told, listed, family = psutil.Process(), 0.0, 0.0, []
        while not self._over.wait(0.1):
            if time.monotonic() - listed > 0.4:
                listed, family = time.monotonic(), this.children(recursive=True)
            total = 0
            for process in family:
                with contextlib.suppress(psutil.Error):
                    if time.time() - process.create_time() > 0.2:  # just forked, it still counts its parent's memory
                        total += process.memory_info().rss
            self.memory, self.peak = total, max(total, self.peak)
            if time.monotonic() - told > 0.4:
                told = time.monotonic()
                self._tell()

"""Execute runs on several processes, so that no run can take the others along.

Each run has a process of its own. A process watches its parent and ends, with its kernel, when the parent is gone; it
holds its run's folder while it works, so that a leftover of a killed batch and its successor never write to one folder.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import psutil

from llmarm_tutorial import files
from llmarm_tutorial.errors import RunError
from llmarm_tutorial.running import doctor, execution, run_folder, schedule
from llmarm_tutorial.running.execution import Beat, Conditions
from llmarm_tutorial.running.run_folder import Run
from llmarm_tutorial.running.schedule import Schedule

Listener = Callable[[Run, "Beat | dict[str, Any] | None"], None]


def execute(
    runs: Iterable[Run],
    out: Path,
    *,
    jobs: int | None = None,
    timeout: int | None = None,
    again: bool = False,
    announce: Callable[[Schedule], None] = lambda plan: None,
    listen: Listener = lambda run, news: None,
) -> list[dict[str, Any]]:
    """Execute runs, at most `jobs` at a time and the longest first, and go on after failed ones.

    Args:
        runs: What to execute.
        out: Folder that gets a folder for each.
        jobs: Processes; None: as many as cores and free memory carry. See `schedule.make`.
        timeout: Seconds that one cell may take.
        again: Execute runs that are finished already once more.
        announce: Is told, before the first run starts, how all of them will be executed.
        listen: Is told (run, None) when a run starts, (run, beat) while it works, (run, results) when it ended.

    Returns:
        The results of all runs in their order.

    Raises:
        RunError: If the speed check cannot be made, or results cannot be written; what runs is stopped then.
    """
    order = list(runs)
    if not order:
        return []
    plan = schedule.make(order, jobs)
    announce(plan)
    waiting, conditions = list(plan.runs), Conditions(plan.jobs, plan.threads, plan.speed_seconds)
    working: dict[Connection, tuple[Run, multiprocessing.process.BaseProcess]] = {}
    done: dict[str, dict[str, Any]] = {}
    spawn = multiprocessing.get_context("spawn")
    try:
        while waiting or working:
            while waiting and len(working) < plan.jobs:
                run = waiting.pop(0)
                ours, theirs = spawn.Pipe(duplex=False)
                process = spawn.Process(target=_work, args=(run, out, timeout, conditions, again, theirs), name=run.id)
                listen(run, None)
                with _undisturbed():
                    working[ours] = run, process
                    process.start()
                theirs.close()
            for line in wait(list(working)):
                run, process = working[line]
                try:
                    news = line.recv()
                except (EOFError, ConnectionError):  # ended without a last word
                    process.join()
                    news = _record_death(run, out, process.exitcode)
                if isinstance(news, str):
                    raise RunError(news)
                listen(run, news)
                if isinstance(news, dict):
                    done[run.id] = news
                    process.join()
                    line.close()
                    del working[line]
    finally:
        for _, process in working.values():
            if process.pid is not None:  # else Ctrl-C came before it was
                _kill_tree(process.pid)
                process.join()
    return [done[run.id] for run in order]


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Let Ctrl-C wait, also in a process that starts meanwhile: while that imports it would end with a traceback."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # else it starts with the first process, and lets signals through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(run: Run, out: Path, timeout: int | None, conditions: Conditions, again: bool, line: Connection) -> None:
    """What a process does: one run. Sends beats and at last the results, or a sentence if these cannot be written."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # for the kernel, which is stopped by it at times
    threading.Thread(target=_end_with_parent, daemon=True).start()
    folder = out / run.id
    try:
        with files.lock(folder, wait=True):
            results = None if again else run_folder.read_results(folder)
            if results is None or results["status"] != "ok":  # else a leftover of a killed batch has just finished it
                _divert_output(folder / run_folder.JOURNAL)
                results = execution.run_lesson(run, out, timeout=timeout, conditions=conditions, listen=line.send)
            line.send(results)
    except RunError as error:
        line.send(str(error))


def _end_with_parent() -> None:
    """Wait for the parent to be gone, then end this process and its kernel."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        _kill_tree(os.getpid())


def _kill_tree(pid: int) -> None:
    """Kill a process and everything below it, the leaves first."""
    try:
        top = psutil.Process(pid)
        family = [*reversed(top.children(recursive=True)), top]
    except psutil.NoSuchProcess:
        return
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def _divert_output(journal: Path) -> None:
    """Send what this process and its kernel print past Python to the run's log, not over the progress display."""
    with open(journal, "a") as file:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(file.fileno(), stream.fileno())


def _record_death(run: Run, out: Path, code: int | None) -> dict[str, Any]:
    """Write, in its stead, the results of a process that died."""
    reason = (
        f"was killed by signal {-code}, most often because memory ran out"
        if code and code < 0
        else f"ended with code {code}"
    )
    results = run_folder.describe_run(run, datetime.now(UTC)) | {
        "error": run_folder.error_summary("ProcessDied", f"its process {reason}; see {run_folder.LOG}"),
        "seconds": None,
        "cpu_seconds": None,
        "peak_memory_bytes": None,
        "versions": doctor.versions(),
        "hardware": doctor.hardware(),
    }
    run_folder.write_outcome(out / run.id, results)
    return results

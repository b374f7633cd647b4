"""What a terminal shows while lessons run: a live bar for each, or plain lines where the output is not a terminal."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Table
from rich.text import Text

from llmarm_tutorial.data.notes import note_lines
from llmarm_tutorial.errors import is_own
from llmarm_tutorial.running.execution import Beat
from llmarm_tutorial.running.report import about, seconds, size
from llmarm_tutorial.running.run_folder import Run
from llmarm_tutorial.running.schedule import Schedule

LONGEST_TABLE = 40


class RunDisplay:
    """Follows runs; use as a context manager and give `announce` and `listen` to what executes them.

    Args:
        console: Where to show it.
        total: Number of runs to come.
    """

    def __init__(self, console: Console, total: int) -> None:
        self.console, self.total, self.ended = console, total, 0
        self._plan: Schedule | None = None
        self._clock = time.monotonic()
        self._tasks: dict[str, TaskID] = {}
        self._noted: set[str] = set()  # data sets whose notes were shown
        self._bars = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[where]}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> RunDisplay:
        self._bars.start()
        if self.total > 1:
            self._all = self._bars.add_task("all", total=self.total, where=f"0 of {self.total}")
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def before(self, left_out: Iterable[str], notes: Mapping[str, Mapping[str, int]]) -> None:
        """Say, before anything starts, which lessons are left out and what reading the user's files noted."""
        for sentence in left_out:
            self._say(sentence, "yellow")
        for dataset, noted in notes.items():
            self._note(dataset, noted)

    def announce(self, plan: Schedule) -> None:
        """Say, before the first run starts, how many run at the same time and how long all of them will take."""
        self._plan, self._clock = plan, time.monotonic()
        self._say(describe(plan))

    def listen(self, run: Run, news: Beat | dict[str, Any] | None) -> None:
        """Show that a run starts (None), where it stands (a beat) or how it ended (its results)."""
        if news is None:
            self._tasks[run.id] = self._bars.add_task(run.id, total=None, where="starts")
            if not self.console.is_terminal:
                self._say(f"{run.id} starts")
        elif isinstance(news, Beat):
            cell = f"cell {news.cell} of {news.cells}" if news.cell else "starts"
            where = f"{cell} · {seconds(news.seconds)} · peak {size(news.peak)}"
            done = max(news.cell - 1, 0)
            self._bars.update(self._tasks[run.id], total=news.cells or None, completed=done, where=where)
        else:
            self._bars.remove_task(self._tasks.pop(run.id))
            self.ended += 1
            if self.total > 1:
                self._bars.update(self._all, completed=self.ended, where=f"{self.ended} of {self.total}")
            self._end(run, news)

    def _end(self, run: Run, results: dict[str, Any]) -> None:
        if results.get("notes"):  # results of an older run have none
            self._note(results["dataset"], results["notes"])
        facts = f"{seconds(results['seconds'])}, peak {size(results['peak_memory_bytes'])}"
        error = results["error"]
        if not error:
            self._say(f"{run.id} finished ({facts})", "green")
            return
        cell = f" in cell {error['cell']}" if error["cell"] else ""
        self._say(f"{run.id} failed{cell} ({facts})", "bold red")
        for line in error["source"]:
            self._say(f"    {line}", "dim")
        message = " ".join(error["message"].split())
        self._say(f"    {message}" if is_own(error["type"]) else f"    {error['type']}: {message[:400]}", "red")

    def _note(self, dataset: str, notes: Mapping[str, int]) -> None:
        """Show what reading a data set noted, once for all lessons that read it."""
        if dataset not in self._noted:
            self._noted.add(dataset)
            for line in note_lines(notes):
                self._say(f"note on {Path(dataset).name}: {line}")

    def _say(self, text: str, style: str = "") -> None:
        self.console.print(Text(text, style), soft_wrap=True)

    def close(self, results: list[dict[str, Any]]) -> None:
        """A closing table, and how long everything took."""
        show_table(self.console, results)
        if self._plan is None:  # nothing was left to do
            return
        took = f"{runs_in_words(len(self._plan.runs))} in {seconds(time.monotonic() - self._clock)}"
        if self._plan.estimate is not None:
            took += f"; the estimate was {seconds(self._plan.estimate)}"
        self._say(f"\n{took}")


def describe(plan: Schedule) -> str:
    """One sentence on how runs will be executed, with the estimate of their time."""
    several = f", {plan.jobs} at a time" if len(plan.runs) > 1 else ""
    if plan.estimate is not None:
        return f"{runs_in_words(len(plan.runs))}{several}: {about(plan.estimate)} on this machine as it is now"
    shown = ", ".join(plan.unknown[:3]) + (f" and {len(plan.unknown) - 3} more" if len(plan.unknown) > 3 else "")
    number = runs_in_words(len(plan.runs))
    return f"{number}{several}; how long is not known: there is no recorded time like that of {shown}"


def runs_in_words(count: int) -> str:
    """ "1 run", "2 runs"."""
    return f"{count} run{'s' * (count != 1)}"


def show_table(console: Console, results: list[dict[str, Any]]) -> None:
    """A closing table: run, status, time, processor time, peak memory, number of results.

    Of very many runs only the failed ones.
    """
    if len(results) > LONGEST_TABLE:
        failed = [run for run in results if run["status"] != "ok"]
        console.print(f"\n{len(results) - len(failed)} runs finished, {len(failed)} failed", highlight=False)
        results = failed[:LONGEST_TABLE]
    if not results:
        return
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name, side in (
        ("run", "left"),
        ("status", "left"),
        ("time", "right"),
        ("processor", "right"),
        ("peak memory", "right"),
        ("results", "right"),
    ):
        table.add_column(name, justify=side, no_wrap=True)
    for run in results:
        status = Text(run["status"], "green" if run["status"] == "ok" else "bold red")
        times = seconds(run["seconds"]), seconds(run.get("cpu_seconds"))  # older runs have no processor time
        facts = *times, size(run["peak_memory_bytes"]), str(len(run["values"]))
        table.add_row(run["run"], status, *facts)
    console.print()
    console.print(table)

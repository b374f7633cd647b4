"""A plugin of pytest: nbval compares a lesson with what `make run` has just executed, in place of executing it again.

It holds for an execution of the very same cells by the very same package, shop, versions and parameters, in which no
cell failed, and which began after the notebook was stored: one that gave the stored outputs would be compared with
itself. Whatever else lies in `runs/` is left aside, and nbval executes the lesson as it always did. What is
compared, and how, stays nbval's affair: it gets the outputs from a kernel that plays them back.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import NotebookNode
from nbval.plugin import IPyNbFile

from llmarm_tutorial.errors import LlmarmError
from llmarm_tutorial.running import doctor, run_folder
from llmarm_tutorial.running.lessons import Lesson

ASKED = re.compile(r'check\.exercise\(\s*"([\w.]+)"')
ANSWERED = re.compile(r"^\[([\w ]+)\] (\d\d\.\w+) ", re.MULTILINE)
PLAYED = "compared with an execution by llmarm run"


# --- which executions serve ----------------------------------------------------------------------------------------


def find_execution(notebook: Path, seconds: float) -> NotebookNode | None:
    """The newest execution that can stand for a new one, from `runs/` of the checkout; None if there is none.

    Args:
        notebook: A lesson in `notebooks/` of a checkout.
        seconds: How long a cell may take.
    """
    found = []
    for path in notebook.parents[1].glob(f"runs/*/*/{run_folder.RESULTS}"):
        results = run_folder.read_results(path.parent)
        if results is not None and results["lesson"] == notebook.stem and _began_after(notebook, results["started"]):
            found.append((results["started"], path.parent, results))
    for _, folder, results in sorted(found, key=lambda entry: entry[0], reverse=True):
        executed = read_execution(notebook, folder, results, seconds)
        if executed is not None:
            return executed
    return None


def _began_after(notebook: Path, started: str) -> bool:
    try:
        return datetime.fromisoformat(started).timestamp() > notebook.stat().st_mtime
    except (ValueError, OverflowError):  # no time that `llmarm run` writes
        return False


def read_execution(notebook: Path, folder: Path, results: dict[str, Any], seconds: float) -> NotebookNode | None:
    """The executed notebook of a run, or None where a new execution of the lesson might differ from it.

    Args:
        notebook: The lesson as it is now.
        folder: The run's folder.
        results: What its `results.json` holds.
        seconds: How long a cell may take.
    """
    try:
        declared = {name: parameter.default for name, parameter in Lesson(notebook).parameters.items()}
        text = (folder / results["notebook"]).read_text(encoding="utf-8")
        executed = nbformat.reads(text, as_version=4)
    except (LlmarmError, OSError, ValueError, nbformat.ValidationError):  # nbval says what is wrong with the lesson
        return None
    same = {
        "status": "ok",
        "parameters": declared,
        "versions": doctor.versions(),
        "checkout": run_folder.checkout_digest(),
        "notebook_digest": run_folder.text_digest(text),
    }
    if any(results.get(name) != value for name, value in same.items()):
        return None
    cells = _code(executed)
    if [cell.source for cell in cells] != [cell.source for cell in _code(nbformat.read(notebook, as_version=4))]:
        return None
    return executed if all(_is_sound(cell, seconds) for cell in cells) else None


def _code(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def _is_sound(cell: NotebookNode, seconds: float) -> bool:
    """Whether a cell of an execution ended in time, without an error, and with every exercise solved.

    The last point is why strict checks, which a run does not have, would have raised nothing.
    """
    if any(output.output_type == "error" for output in cell.outputs):
        return False
    if (cell.metadata.get("papermill", {}).get("duration") or 0) > seconds:
        return False
    printed = "".join(output.text for output in cell.outputs if output.output_type == "stream")
    asked = ASKED.findall(cell.source)
    all_found = cell.source.count("check.exercise(") == len(asked)
    return all_found and set(ANSWERED.findall(printed)) == {("correct", id) for id in asked}


# --- how nbval gets them -------------------------------------------------------------------------------------------


@dataclass
class Playback:
    """Answers like nbval's kernel, with the outputs of an execution, cell by cell.

    Attributes:
        cells: The executed code cells that were not asked for yet.
    """

    cells: list[NotebookNode]
    _messages: list[dict[str, Any]] = field(default_factory=list)

    def is_alive(self) -> bool:
        """Always: nothing can die."""
        return True

    def stop(self) -> None:
        """Nothing to stop."""

    def await_reply(self, msg_id: str, timeout: float | None = None) -> None:
        """The reply is there at once."""

    def execute_cell_input(self, source: str, allow_stdin: bool | None = None) -> str:
        """Get the messages of the next cell with this source ready; returns the id that they answer to.

        Cells before it are passed over: nbval leaves out what is marked to be skipped.
        """
        while (cell := self.cells.pop(0)).source != source:
            pass
        parent = {"msg_id": cell.id}
        for output in cell.outputs:
            content = {key: value for key, value in output.items() if key != "output_type"}
            self._messages.append({"msg_type": output.output_type, "parent_header": parent, "content": content})
        idle = {"msg_type": "status", "parent_header": parent, "content": {"execution_state": "idle"}}
        self._messages.append(idle)
        return cell.id

    def get_message(self, stream: str, timeout: float | None = None) -> dict[str, Any]:
        """The next message of the cell."""
        return self._messages.pop(0)


class ExecutedLesson(IPyNbFile):
    """A lesson whose cells nbval compares with an execution that is there."""

    execution: NotebookNode

    def collect(self) -> Iterator[pytest.Item]:
        """Nbval's cells, each with a note for the summary."""
        for cell in super().collect():
            cell.user_properties.append((PLAYED, True))
            yield cell

    def setup(self) -> None:
        """Give nbval the outputs that are there; it would start a kernel here."""
        self.kernel = Playback(_code(self.execution))
        self.setup_sanitize_files()


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> Iterator[list[pytest.Collector]]:
    """Put an executed lesson in the place of each that nbval would execute, where there is one."""
    collectors = yield
    for number, collector in enumerate(collectors):
        if isinstance(collector, IPyNbFile):
            execution = find_execution(file_path, parent.config.option.nbval_cell_timeout)
            if execution is not None:
                collectors[number] = ExecutedLesson.from_parent(parent, path=file_path)
                collectors[number].execution = execution
    return collectors


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say how many lessons were executed, and how many compared with what a run had executed."""
    executed: dict[str, bool] = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "nodeid", "").partition("::")[0].endswith(".ipynb"):
                executed[report.nodeid.partition("::")[0]] = (PLAYED, True) not in report.user_properties
    if executed:
        new = sum(executed.values())
        terminalreporter.write_line(f"lessons: {new} executed, {len(executed) - new} compared with the newest run")

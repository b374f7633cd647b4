"""One page about a folder of runs: results, figures, failures, hardware. A single HTML file that needs nothing else."""

from __future__ import annotations

import base64
import contextlib
import functools
import html
import importlib
import io
import re
import textwrap
import urllib.parse
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from llmarm_tutorial import files
from llmarm_tutorial.data.notes import note_lines
from llmarm_tutorial.errors import RunError, is_own
from llmarm_tutorial.lesson.ledger import read_notebook
from llmarm_tutorial.lesson.results import Result, show
from llmarm_tutorial.running import plan, run_folder

_TEMPLATE = Path(__file__).with_name("report.html")
_HEADING = re.compile(r"^#+\s+(.+?)\s*#*$", re.MULTILINE)
_NUMBERING = re.compile(r"^[\d.]+\s+")
_MARKUP = re.compile(r"[*_`$]|\[([^\]]*)\]\([^)]*\)")
_STRONG, _PALE, _WARM = "#0f766e", "#a7cfc9", "#c2410c"


# nbconvert's page waits for three scripts from the network; this one shows at once, with its formulas as TeX until the
# one that draws them has come, and folds the code that the notebook folds
_NOTEBOOK_PAGE = """
{% extends "lab/index.html.j2" %}
{% block html_head_js %}{% endblock %}
{% block html_head_js_mermaidjs %}{% endblock %}
{% block html_head_js_mathjax %}
<script type="text/x-mathjax-config">
MathJax.Hub.Config({tex2jax: {inlineMath: [["$", "$"]], processEscapes: true}});
</script>
<script async src="{{ resources.mathjax_url }}"></script>
{% endblock %}
{% block input_group %}
{% if cell.metadata.get("jupyter", {}).get("source_hidden") %}
<details><summary>Code</summary>{{ super() }}</details>
{% else %}
{{ super() }}
{% endif %}
{% endblock %}
"""


@dataclass(frozen=True)
class Figure:
    """A picture of an executed notebook: PNG as base64, and the heading it stands under, without its number."""

    png: str
    caption: str


def build(folder: Path) -> Path:
    """Write `report.html` into a folder of runs, and beside each lesson's notebook a rendering to read in a browser.

    A batch gets no renderings: they would multiply its size.

    Args:
        folder: Folder that `llmarm run` or `llmarm batch` wrote.

    Returns:
        Path of the page.

    Raises:
        RunError: If the folder holds no finished run, or the page cannot be written.
    """
    runs = load(folder)
    files.write_atomically(folder / "report.html", _render(folder, runs))
    return folder / "report.html"


def load(folder: Path) -> list[dict[str, Any]]:
    """The results of all runs below a folder, in the order of their lessons, then of their names.

    Raises:
        RunError: If there are none.
    """
    found = [run_folder.read_results(place) for place in sorted(folder.iterdir())] if folder.is_dir() else []
    runs = sorted((run for run in found if run), key=lambda run: (run["lesson"], run["run"]))
    if not runs:
        raise RunError(f"The folder {folder} holds no runs; give one that  llmarm run  or  llmarm batch  wrote.")
    return runs


def figures(notebook: Path) -> list[Figure]:
    """The PNG outputs of an executed notebook, each with the heading above it.

    Raises:
        RunError: If the file is no notebook.
    """
    found, heading = [], ""
    for cell in read_notebook(notebook).cells:
        if cell.cell_type == "markdown":
            headings = _HEADING.findall(cell.source)
            heading = _NUMBERING.sub("", _MARKUP.sub(r"\1", headings[-1])) if headings else heading
        pictures = [output.get("data", {}).get("image/png") for output in cell.get("outputs", [])]
        found += [Figure("".join(picture.split()), heading) for picture in pictures if picture]
    return found


def render_notebook(notebook: Path, title: str) -> Path | None:
    """Write an executed notebook as HTML beside it, unless the page there is newer than the notebook.

    Args:
        notebook: Path of the notebook.
        title: Title of the page.

    Returns:
        Path of the page; None where nbconvert, which comes with JupyterLab, is not installed.

    Raises:
        RunError: If the file is no notebook, nbconvert cannot render it, or the page cannot be written.
    """
    page = notebook.with_suffix(".html")
    if page.exists() and page.stat().st_mtime >= notebook.stat().st_mtime:
        return page
    try:
        nbconvert = importlib.import_module("nbconvert")
    except ImportError:
        return None
    exporter = nbconvert.HTMLExporter(raw_template=_NOTEBOOK_PAGE)
    content = read_notebook(notebook)
    try:
        text, _ = exporter.from_notebook_node(content, resources={"metadata": {"name": title}})
    except Exception as error:  # its templates and filters raise whatever they like; none is worth a traceback
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise RunError(f"{notebook.name} could not be rendered as HTML ({reason}); open it in Jupyter.") from error
    files.write_atomically(page, text)
    return page


@contextlib.contextmanager
def rendering(folder: Path) -> Iterator[Callable[[dict[str, Any]], Future[None]]]:
    """Render notebooks in a thread while other runs go on, so that `build` finds most pages there.

    Args:
        folder: Folder of the runs.

    Yields:
        A function that takes the results of a run which has just ended; it returns at once.
    """

    def render(results: dict[str, Any]) -> None:
        notebook = folder / results["run"] / results["notebook"]
        with contextlib.suppress(RunError):  # `build` tries again, and says what is wrong
            if notebook.exists():  # not when its process died
                render_notebook(notebook, results["title"])

    with ThreadPoolExecutor(1) as thread:
        try:
            yield functools.partial(thread.submit, render)
        finally:
            thread.shutdown(wait=False, cancel_futures=True)  # what is not begun is left to `build`


def _render(folder: Path, runs: list[dict[str, Any]]) -> str:
    import jinja2

    is_batch = (folder / "results.parquet").exists()
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {
        "show": show,
        "seconds": seconds,
        "size": size,
        "breakable": _breakable,
        "quote": urllib.parse.quote,
        "is_own": is_own,
    }
    for run in runs:
        run["results"] = [Result.from_dict(entry) for entry in run["values"]]
        notebook = folder / run["run"] / run["notebook"]
        run["has_notebook"] = notebook.exists()  # not when its process died
        # the page of a batch would repeat every lesson's figures for every run: it links to the notebooks instead
        single = run["has_notebook"] and not is_batch
        run["figures"] = figures(notebook) if single else []
        run["page"], run["warning"] = None, ""
        if single:
            try:
                run["page"] = page.name if (page := render_notebook(notebook, run["title"])) else None
            except RunError as error:  # the notebook itself is still there to be linked
                run["warning"] = str(error)
    return environment.from_string(_TEMPLATE.read_text(encoding="utf-8")).render(
        folder=folder.resolve().name,
        written=datetime.now().astimezone(),
        runs=runs,
        failed=[run for run in runs if run["status"] != "ok"],
        blocks=_summary(folder, runs) if is_batch else [],
        is_batch=is_batch,
        total_seconds=sum(run["seconds"] or 0 for run in runs),
        peak=max(run["peak_memory_bytes"] or 0 for run in runs),
        datasets=sorted({Path(run["dataset"]).name for run in runs if run["dataset"]}),
        profiles=sorted({run["profile"] for run in runs}),
        notes=_notes(runs),
        environments=_environments(runs),
    )


def _breakable(name: str) -> str:
    """A name as HTML that may be broken behind its joints."""
    return re.sub("([/_])", r"\1<wbr>", html.escape(name))


def _notes(runs: Iterable[dict[str, Any]]) -> dict[str, list[str]]:
    """What reading each data set noted: its name → lines."""
    noted: dict[str, list[str]] = {}
    for run in runs:
        if run.get("notes"):  # results of an older run have none
            lines = noted.setdefault(Path(run["dataset"]).name, [])
            lines += [line for line in note_lines(run["notes"]) if line not in lines]
    return noted


def _environments(runs: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The distinct combinations of hardware, versions and commit under which runs were made: mostly one."""
    distinct = []
    for run in runs:
        entry = {key: run[key] for key in ("hardware", "versions", "git_commit")}
        if entry not in distinct:
            distinct.append(entry)
    return distinct


def _summary(folder: Path, runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A block per recorded number: its mean and interval per setting, its note, and a dot plot if it varies at all."""
    import pandas as pd

    path = folder / "results.parquet"
    try:
        table = pd.read_parquet(path)
    except (OSError, ValueError):  # pyarrow's errors are ValueErrors
        table = pd.DataFrame()
    if not set(plan.COLUMNS) <= set(table):
        raise RunError(f"{path} is damaged; start the batch again, which writes it anew.")
    notes = {(run["run"], result.name): result.note for run in runs for result in run["results"]}
    table["note"] = [notes.get(key, "") for key in zip(table["run"], table["name"], strict=True)]
    varied = [column for column in plan.varied_columns(table) if column != "note"]
    means = plan.summarise(table, varied)
    groups = plan.by_setting(table, varied)
    means["singles"] = groups["value"].agg(list).to_list()
    means["same"] = [len(values) > 1 and len(set(values)) == 1 for values in means["singles"]]
    means["note"] = groups["note"].agg(_one_note).to_list()
    settings = [*plan.SETTING, *varied]
    telling = [c for c in settings if means[c].nunique(dropna=False) > 1]
    means["setting"] = [" · ".join(_label(c, row[c]) for c in telling) for row in means.to_dict("records")]
    means = means.astype(object).where(means.notna(), None)
    blocks = []
    for (name, unit), block in means.groupby(["name", "unit"], sort=False):
        rows = block.to_dict("records")
        shared = rows[0]["note"] if block["note"].nunique() == 1 else ""
        varies = len({value for row in rows for value in row["singles"]}) > 1
        png = _dot_plot(unit, rows) if varies else None
        blocks.append({"name": name, "unit": unit, "note": shared, "rows": rows, "png": png})
    return blocks


def _one_note(notes: Iterable[str]) -> str:
    """The note of a value in all its runs, or that of the first one with a remark."""
    distinct = list(dict.fromkeys(notes))
    return f"{distinct[0]} (differs between seeds)" if len(distinct) > 1 else distinct[0]


def _label(column: str, value: Any) -> str:
    """One part of a setting's name: a lesson by its number, a data set by its file, a parameter by name and value."""
    if column in plan.SETTING:
        return value[:2] if column == "lesson" else Path(str(value)).name
    return f"{column} {value}"


def _dot_plot(unit: str, rows: list[dict[str, Any]]) -> str:
    """Mean with interval per setting, every run as a pale dot, the baseline as an upright mark. PNG as base64."""
    from matplotlib.figure import Figure as Canvas

    # small enough that its text can still be read when the page shrinks it to the width of a telephone
    canvas = Canvas(figsize=(4.4, 0.7 + 0.4 * len(rows)), layout="constrained", dpi=220)
    axes = canvas.subplots()
    for place, row in enumerate(reversed(rows)):
        axes.plot(row["singles"], [place] * len(row["singles"]), "o", color=_PALE, markersize=5, zorder=1)
        if row["low"] is not None:
            axes.plot([row["low"], row["high"]], [place, place], color=_STRONG, linewidth=2.2, zorder=2)
        axes.plot(row["mean"], place, "o", color=_STRONG, markersize=7, zorder=3)
        if row["baseline"] is not None:
            axes.plot(row["baseline"], place, "|", color=_WARM, markersize=17, markeredgewidth=2.4, zorder=2)
    axes.set_yticks(range(len(rows)), [textwrap.fill(row["setting"], 24) for row in reversed(rows)])
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.locator_params(axis="x", nbins=5)
    axes.ticklabel_format(axis="x", useOffset=False)
    axes.set_xlabel(unit, fontsize=9, color="#444")
    axes.grid(axis="x", color="#e4e4e0", linewidth=0.8)
    axes.tick_params(length=0, labelsize=9, colors="#444")
    axes.spines[:].set_visible(False)
    buffer = io.BytesIO()
    canvas.savefig(buffer, format="png")
    return base64.b64encode(buffer.getvalue()).decode()


def seconds(value: float | None) -> str:
    """A duration for people."""
    if value is None:
        return "–"
    if value < 59.95:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def about(value: float) -> str:
    """A duration that is known roughly, in words: to five seconds, from a minute on to ten, from five on to minutes."""
    step = 5 if value < 57.5 else 10 if value < 295 else 60
    minutes, rest = divmod(max(round(value / step), 1) * step, 60)
    words = [
        f"{number} {unit}{'s' * (number != 1)}" for number, unit in ((minutes, "minute"), (rest, "second")) if number
    ]
    return f"about {' '.join(words)}"


def size(value: float | None) -> str:
    """An amount of memory for people."""
    if value is None:
        return "–"
    return f"{value / 2**30:.1f} GiB" if value >= 2**30 else f"{value / 2**20:.0f} MiB"

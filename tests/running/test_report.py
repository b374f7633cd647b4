"""The report: one page that needs nothing else, with failures on top, figures, numbers and working links."""

from __future__ import annotations

import base64
import json
import os
import re
import sys
import threading
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pandas as pd
import pytest

from llmarm_tutorial.errors import RunError
from llmarm_tutorial.lesson.results import Result
from llmarm_tutorial.running import plan, report

PIXEL = base64.b64encode(b"\x89PNG a picture").decode()
ENVIRONMENT = {
    "hardware": {"cpu": "A <fast> one", "cores": 4, "memory_bytes": 8 * 2**30, "gpus": ["H200"], "system": "Linux"},
    "versions": {"python": "3.11.7", "numpy": "2.4.0"},
    "git_commit": "abc123-dirty",
}


class Page(HTMLParser):
    """What the tests ask of a page: its tags with attributes, and its text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source.replace("<wbr>", ""))

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def put_run(folder: Path, lesson: str, *values: Result, error: dict | None = None, name: str = "", **more) -> dict:
    """A run's folder as `run_lesson` leaves it, with one figure in the notebook."""
    notebook = nbformat.v4.new_notebook()
    output = nbformat.v4.new_output("display_data", {"image/png": PIXEL + "\n", "text/plain": "<Figure>"})
    cells = [
        nbformat.v4.new_markdown_cell("## 3. The *long* tail"),
        nbformat.v4.new_code_cell("plot", outputs=[output]),
    ]
    notebook.cells = cells
    results = {
        "run": name or lesson,
        "status": "failed" if error else "ok",
        "lesson": lesson,
        "title": f"Lesson <{lesson}>",
        "profile": "quick",
        "parameters": {"SEED": 0, "SIZE": 1},
        "dataset": "shop",
        "seed": 0,
        "notebook": f"{lesson}.ipynb",
        "started": "2026-01-01T00:00:00",
        "values": [value.to_dict() for value in values],
        "error": error,
        "seconds": 61.0,
        "peak_memory_bytes": 3 * 2**29,
        **ENVIRONMENT,
        **more,
    }
    place = folder / results["run"]
    place.mkdir(parents=True)
    nbformat.write(notebook, place / results["notebook"])
    (place / "results.json").write_text(json.dumps(results))
    return results


ERROR = {"cell": 3, "source": ["  a", "→ b < c"], "type": "NameError", "message": "name 'b' is not defined"}


@pytest.fixture
def page(tmp_path: Path) -> Page:
    value = Result("rules/precision", 0.8512, "share", (0.6, 0.95), 0.4, note="a note & more")
    put_run(tmp_path, "01_count", value, Result("rules/count", 1410))
    put_run(tmp_path, "02_follow", error=ERROR)
    assert report.build(tmp_path) == tmp_path / "report.html"
    return Page(tmp_path / "report.html")


def test_the_page_needs_nothing_else(page):
    links = [a.get("src") or a.get("href") or "" for _, a in page.tags]
    assert [link for link in links if link.startswith(("http", "//"))] == []
    assert not page.all("link")
    assert not page.all("script")
    assert "@import" not in page.source
    assert re.findall(r"url\(", page.source) == []
    assert "prefers-color-scheme: dark" in page.source
    assert page.all("html")[0]["lang"] == "en"
    assert any(meta.get("name") == "viewport" for meta in page.all("meta"))


def test_numbers_are_there_with_all_that_belongs_to_them(page):
    for words in ("rules/precision", "0.8512", "share", "0.6 to 0.95", "0.4", "a note & more", "1,410"):
        assert words in page.text
    assert "1 min 01 s" in page.text
    assert "1.5 GiB" in page.text


def test_figures_are_inlined_with_their_heading(page):
    pictures = page.all("img")
    assert [picture["src"] for picture in pictures] == [f"data:image/png;base64,{PIXEL}"] * 2
    assert pictures[0]["alt"] == "Figure 1 of Lesson <01_count>: The long tail"


def test_figures_under_one_heading_are_told_apart_by_number(tmp_path):
    run = put_run(tmp_path, "01_count")
    path = tmp_path / "01_count" / run["notebook"]
    heading, plot = nbformat.read(path, 4).cells
    plots = [nbformat.v4.new_code_cell("plot", outputs=plot.outputs) for _ in range(3)]
    nbformat.write(nbformat.v4.new_notebook(cells=[plots[0], heading, *plots[1:]]), path)
    page = Page(report.build(tmp_path))
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", page.source)
    assert captions == ["Figure 1", "Figure 2 · The long tail", "Figure 3 · The long tail"]
    assert page.all("img")[0]["alt"] == "Figure 1 of Lesson <01_count>"


def test_failures_come_first(page):
    assert "1 of 2 lessons finished, 1 failed" in page.text
    assert page.text.index("NameError") < page.text.index("rules/precision")
    assert "→ b < c" in page.text
    assert "The rest is not affected." in page.text


def test_without_other_runs_there_is_no_rest(tmp_path):
    put_run(tmp_path, "02_follow", error=ERROR)
    assert "The rest" not in Page(report.build(tmp_path)).text


def test_links_lead_to_what_is_there(page, tmp_path):
    targets = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    for link in page.all("a"):
        where = link["href"]
        assert where[1:] in targets if where.startswith("#") else (tmp_path / where).exists(), where


def test_the_executed_notebook_can_be_read_in_a_browser(page, tmp_path):
    pytest.importorskip("nbconvert")
    links = [link["href"] for link in page.all("a")]
    assert {"01_count/01_count.html", "01_count/01_count.ipynb"} <= set(links)
    assert "read the executed notebook · .ipynb" in page.text
    assert "read the notebook up to this cell · .ipynb" in page.text
    notebook = Page(tmp_path / "01_count" / "01_count.html")
    assert "Lesson <01_count>" in notebook.text
    assert PIXEL in notebook.source
    loaded = [script for script in notebook.all("script") if "src" in script]
    assert all("async" in script for script in loaded), "without a network the page would wait"
    assert not notebook.all("link")


def test_a_rendering_folds_code_that_the_notebook_folds_and_shows_what_it_printed(tmp_path):
    pytest.importorskip("nbconvert")
    output = nbformat.v4.new_output("stream", text="printed by folded code")
    table = "<details>\n<summary>Parameters</summary>\n\n| Name |\n|---|\n| `SEED` |\n\n</details>"
    cells = [
        nbformat.v4.new_markdown_cell(table),
        nbformat.v4.new_code_cell("folded = 1", outputs=[output], metadata={"jupyter": {"source_hidden": True}}),
        nbformat.v4.new_code_cell("shown = 2"),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "n.ipynb")
    page = report.render_notebook(tmp_path / "n.ipynb", "A lesson").read_text(encoding="utf-8")
    body = page[page.index("<body") :]
    parameters, code = re.findall(r"<details>.*?</details>", body, re.DOTALL)
    assert "<td>" in parameters
    assert "folded" in code
    assert "printed by folded code" not in code
    rest = body.replace(code, "")
    assert "printed by folded code" in rest
    assert "shown" in rest
    assert ">folded<" not in rest


def test_a_rendering_is_made_again_only_when_the_notebook_is_newer(page, tmp_path):
    pytest.importorskip("nbconvert")
    notebook, rendered = tmp_path / "01_count" / "01_count.ipynb", tmp_path / "01_count" / "01_count.html"
    rendered.write_text("old")
    report.build(tmp_path)
    assert rendered.read_text() == "old"
    later = rendered.stat().st_mtime + 10
    os.utime(notebook, (later, later))
    report.build(tmp_path)
    assert "The" in rendered.read_text()


def test_without_nbconvert_the_notebook_itself_is_linked(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "nbconvert", None)
    put_run(tmp_path, "01_count")
    links = [link["href"] for link in Page(report.build(tmp_path)).all("a")]
    assert "01_count/01_count.ipynb" in links
    assert not any("html" in link for link in links)


def test_hardware_and_versions_are_named(page):
    for words in ("A <fast> one", "4 cores", "8.0 GiB", "H200", "numpy 2.4.0", "abc123-dirty"):
        assert words in page.text


def test_a_page_without_failures_says_so(tmp_path):
    put_run(tmp_path, "01_count")
    text = Page(report.build(tmp_path)).text
    assert "1 lesson finished" in text
    assert "What failed" not in text


def test_a_run_that_died_without_a_notebook(tmp_path):
    died = {"cell": None, "source": [], "type": "ProcessDied", "message": "killed"}
    put_run(tmp_path, "01_count", error=died, seconds=None, peak_memory_bytes=None)
    (tmp_path / "01_count" / "01_count.ipynb").unlink()
    page = Page(report.build(tmp_path))
    assert "ProcessDied" in page.text
    assert not any("ipynb" in link["href"] for link in page.all("a"))


def put_batch(folder: Path, values: dict[int, list[Result]], varied: tuple[str, ...] = ()) -> Page:
    """A batch with a setting per SIZE and a seed per value of it, and its page."""
    runs = [
        put_run(
            folder,
            "01_count",
            value,
            Result("text", "x"),
            name=f"run-{size}-{seed}",
            seed=seed,
            parameters={"SIZE": size},
        )
        for size, seeds in values.items()
        for seed, value in enumerate(seeds)
    ]
    plan.gather(runs, varied, folder)
    return Page(report.build(folder))


def test_a_batch_shows_means_and_dots(tmp_path):
    values = {size: [Result("a", f * size, "s", baseline=0.5) for f in (1.0, 2.0, 3.0)] for size in (1, 2)}
    page = put_batch(tmp_path, values, ("SIZE",))
    (picture,) = page.all("img")  # one value that is a number: one plot, and no figures of the lessons
    assert base64.b64decode(picture["src"].partition(",")[2]).startswith(b"\x89PNG")
    for words in ("SIZE 1", "SIZE 2", "-0.4841 to 4.484", "run-2-0", "6 runs finished", "the baseline an upright mark"):
        assert words in page.text
    assert page.source.index("-0.4841") < page.source.index("<img"), "the table first, then the plots"
    assert not re.search(r"img \{[^}]*min-width", page.source), "a plot fits the narrowest page"
    assert not list(tmp_path.glob("*/*.html")), "the notebooks of a batch are not rendered"


def test_a_value_that_is_the_same_for_every_seed_is_said_to_be_so(tmp_path):
    page = put_batch(tmp_path, {1: [Result("a/b", 0.7947, note="of all rules")] * 3})
    assert "a/b of all rules 0.7947 the same for every seed" in page.text
    assert "0.7947 – 0.7947" not in page.text
    assert not page.all("img")
    assert "What varies" not in page.text


def test_settings_that_differ_are_drawn_even_if_seeds_agree(tmp_path):
    page = put_batch(tmp_path, {size: [Result("a", size)] * 2 for size in (1, 2)}, ("SIZE",))
    assert len(page.all("img")) == 1
    assert page.text.count("the same for every seed") == 2


def test_a_single_run_has_neither_interval_nor_plot(tmp_path):
    page = put_batch(tmp_path, {1: [Result("a", 5)]})
    assert "same for every seed" not in page.text
    assert not page.all("img")


def test_notes_stand_where_they_hold(tmp_path):
    values = {size: [Result("a", size, note=f"support {size}")] * 2 for size in (1, 2)}
    assert "SIZE 1 support 1 1 the same" in put_batch(tmp_path / "per setting", values, ("SIZE",)).text
    values = {size: [Result("a", size, note="all rules")] * 2 for size in (1, 2)}
    assert put_batch(tmp_path / "everywhere", values, ("SIZE",)).text.count("a all rules SIZE 1 1 the same") == 1
    values = {1: [Result("a", 1, note=f"draw {seed}") for seed in range(20)]}
    text = put_batch(tmp_path / "per seed", values).text
    assert "draw 0 (differs between seeds)" in text
    assert "draw 1" not in text


@pytest.mark.parametrize("make", [False, True])
def test_a_folder_without_runs_is_one_sentence(tmp_path, make):
    folder = tmp_path / "x"
    if make:
        folder.mkdir()
    with pytest.raises(RunError, match="holds no runs"):
        report.build(folder)


@pytest.mark.parametrize(
    ("value", "text"), [(0.04, "0.0 s"), (59.94, "59.9 s"), (59.97, "1 min 00 s"), (3600, "1 h 00 min"), (None, "–")]
)
def test_durations(value, text):
    assert report.seconds(value) == text


def test_pages_are_made_while_other_runs_go_on_and_not_again_for_the_report(tmp_path):
    good, damaged, died = (put_run(tmp_path, lesson) for lesson in ("01_x", "02_x", "03_x"))
    (tmp_path / "02_x" / "02_x.ipynb").write_text("no notebook")
    (tmp_path / "03_x" / "03_x.ipynb").unlink()
    with report.rendering(tmp_path) as render:
        for results in (good, damaged, died):
            assert render(results).result(60) is None
    page = tmp_path / "01_x" / "01_x.html"
    assert [path.name for path in tmp_path.rglob("*.html")] == [page.name]
    (tmp_path / "02_x" / "02_x.ipynb").unlink()
    before = page.stat().st_mtime_ns
    report.build(tmp_path)
    assert page.stat().st_mtime_ns == before


def test_pages_that_are_not_begun_are_left_to_the_report(tmp_path, monkeypatch):
    begun, go_on = threading.Event(), threading.Event()
    rendered = []

    def slow(notebook, title):
        begun.set()
        go_on.wait(20)
        rendered.append(notebook.name)

    monkeypatch.setattr(report, "render_notebook", slow)
    runs = [put_run(tmp_path, lesson) for lesson in ("01_x", "02_x")]
    with report.rendering(tmp_path) as render:
        waiting = [render(results) for results in runs]
        begun.wait(20)
        threading.Timer(0.3, go_on.set).start()  # the runs end, or Ctrl-C ends them, while the first page is made
    assert rendered == ["01_x.ipynb"]
    assert waiting[1].cancelled()


@pytest.mark.parametrize("damage", [b"", b"PAR1 no", None], ids=["empty", "damaged", "foreign"])
def test_a_damaged_table_is_one_sentence(tmp_path, damage):
    plan.gather([put_run(tmp_path, "01_count", Result("a", 1))], [], tmp_path)
    path = tmp_path / "results.parquet"
    pd.DataFrame({"a": [1]}).to_parquet(path) if damage is None else path.write_bytes(damage)
    with pytest.raises(RunError, match="damaged; start the batch again"):
        report.build(tmp_path)


def test_a_notebook_that_cannot_be_rendered_is_linked_with_a_remark(tmp_path, monkeypatch):
    nbconvert = pytest.importorskip("nbconvert")

    def fail(*_, **__):
        raise RuntimeError("no such\ntemplate")

    monkeypatch.setattr(nbconvert.HTMLExporter, "from_notebook_node", fail)
    put_run(tmp_path, "01_count")
    page = Page(report.build(tmp_path))
    assert "01_count.ipynb could not be rendered as HTML (RuntimeError: no such template)" in page.text
    links = [a["href"] for a in page.all("a")]
    assert "01_count/01_count.ipynb" in links
    assert "01_count/01_count.html" not in links

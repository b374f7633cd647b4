"""The three editions of a lesson: made from one source, in step with it, open to learners."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import editions
import nbformat
import numpy as np
import pytest
import yaml

from llmarm_tutorial.lesson.ledger import MIME

ROOT = Path(__file__).resolve().parents[1]
SOURCES = editions.sources(ROOT)
EXERCISE = "check.exercise("

SOURCE = """\
# %% [markdown]
# # 07 · Try the editions
#
# See [the data](../data/README.md).

# %% tags=["parameters"]
SEED: int = 1  # of everything

# %%
# NBVAL_CHECK_OUTPUT
print(SEED)

# %%
# the answer to everything
### BEGIN SOLUTION
answer, _scratch = 42, 0
answer += _scratch
rest = answer - 1
### END SOLUTION
assert answer == 42

# %%
from llmarm_tutorial.lesson import ledger

_ = ledger.record("answer/value", 42.5, tolerance=0.1)
"""


def lesson(root: Path, text: str = SOURCE, name: str = "07_try_the_editions") -> Path:
    source = root / "notebooks" / "source" / f"{name}.py"
    source.parent.mkdir(parents=True, exist_ok=True)
    source.write_text(text, encoding="utf-8")
    return source


def stub(code: str) -> str:
    """What the exercise edition makes of a code cell."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(textwrap.dedent(code).strip())])
    return editions.exercises_of(notebook, "07_x").cells[0].source


# --- the lessons of this repository ----------------------------------------------------------------------------------


def test_the_editions_are_in_step_with_their_sources():
    assert editions.problems(ROOT) == []


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_both_editions_carry_badges_that_open_them(source: Path):
    """That the places exist under the ref is tested with the launch links of all documents."""
    notebook = editions.notebook_of(source)
    for folder, edition in (
        ("notebooks", notebook),
        ("notebooks/exercises", editions.exercises_of(notebook, source.stem)),
    ):
        path = f"{folder}/{source.stem}.ipynb"
        title = edition.cells[0].source
        assert f"({editions.colab(path)})" in title
        assert f"({editions.binder(path)})" in title
        assert title.count(f"/{source.stem}.ipynb)") == 2


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_links_to_files_lead_somewhere(source: Path):
    for folder in (ROOT / "notebooks", ROOT / "notebooks" / "exercises"):
        notebook = nbformat.read(folder / f"{source.stem}.ipynb", as_version=4)
        text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
        links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", text)
        assert [link for link in links if not (folder / link).exists()] == []


def names_in(code: str) -> tuple[set[str], set[str]]:
    """The names that a cell gives a value, at any depth, and those that it reads."""
    made, read = set(), set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Name):
            (read if isinstance(node.ctx, ast.Load) else made).add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            made.add(node.name)
        elif isinstance(node, ast.alias):
            made.add((node.asname or node.name).partition(".")[0])
    return made, read


def cells_for_exercises(cells: list[str]) -> list[int]:
    """Numbers of the exercises' cells and of all cells that give a value to a name they read, directly or not."""
    kept: list[int] = []
    wanted: set[str] = set()
    for number, code in reversed(list(enumerate(cells))):
        made, read = names_in(code)
        if EXERCISE in code or made & wanted:
            kept.insert(0, number)
            wanted |= read
    return kept


def test_what_exercises_read_is_found():
    cells = ["import numpy as np", "a = np.ones(3)", "c = 1", "def f(x):\n    return a + x", f"_ = {EXERCISE}f(2))"]
    assert cells_for_exercises(cells) == [0, 1, 3, 4]
    assert cells_for_exercises([*cells, "d = c"]) == [0, 1, 3, 4]


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_gaps_fail_their_checks(source: Path):
    """The solutions pass the same checks: `make test` runs the notebooks with strict checks.

    What the exercises do not read is left out: it is the lesson's own, cell by cell, and tested with it.
    """
    edition = nbformat.read(ROOT / "notebooks" / "exercises" / f"{source.stem}.ipynb", as_version=4)
    cells = [cell for cell in edition.cells if cell.cell_type == "code"]
    if not any(EXERCISE in cell.source for cell in cells):
        pytest.skip("the lesson has no exercises")
    lesson = [cell.source for cell in editions.notebook_of(source).cells if cell.cell_type == "code"]
    kept = cells_for_exercises([cell.source for cell in cells])
    assert [cell.source for number, cell in enumerate(cells) if number not in kept] == [
        code for number, code in enumerate(lesson) if number not in kept
    ]
    edition.cells = [cells[number] for number in kept]
    run = editions.execute(edition, ROOT / "notebooks" / "exercises", allow_errors=True)
    for cell in run.cells:
        if EXERCISE in cell.source:
            assert [output.get("ename") for output in cell.outputs][-1:] == ["WrongAnswer"], cell.source
        else:
            assert not any(output.output_type == "error" for output in cell.outputs), cell.source


@pytest.mark.parametrize("profile", ["full", "gpu"])
def test_profiles_name_every_lesson(profile: str):
    values = yaml.safe_load((ROOT / "notebooks" / "profiles" / f"{profile}.yaml").read_text(encoding="utf-8"))
    assert sorted(values) == [source.name[:2] for source in SOURCES]


def test_the_quick_values_are_the_defaults_of_the_notebooks():
    assert not (ROOT / "notebooks" / "profiles" / "quick.yaml").exists()


def test_the_template_gives_both_editions(tmp_path: Path):
    text = (ROOT / "notebooks" / "template.py").read_text(encoding="utf-8")
    text = text.replace("{number}", "07").replace("{title}", "Try it")
    notebook = editions.notebook_of(lesson(tmp_path, text))
    assert notebook.cells[0].source.startswith("# 07 · Try it\n")
    tagged = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    assert len(tagged) == 1
    assert "answer = ..." in str(editions.exercises_of(notebook, "07_try_the_editions"))


DECLARED = """\
# %% [markdown]
# # 07 · Try the editions

# %% tags=["hide"]
import math

# %% [markdown]
# What you can change:
#
# {parameters}

# %% tags=["parameters"]
DATASET: str = "shop"  # a name, or a | b
SEEDS: list[int] = [1, 2]  # of the draws
LIMIT: float | None = None

# %%
print(DATASET, SEEDS, LIMIT, math.pi)
"""


def test_parameters_are_shown_where_the_source_asks_for_them(tmp_path: Path):
    shown = editions.notebook_of(lesson(tmp_path, DECLARED)).cells[3].source
    before, _, table = shown.partition("<details>\n")
    assert before == "What you can change:\n\n"
    assert table.splitlines() == [
        "<summary>The 3 parameters of this lesson</summary>",
        "",  # without it the table would not be read as Markdown
        "| Name | Type | Default | Meaning |",
        "|---|---|---|---|",
        "| `DATASET` | str | `'shop'` | a name, or a \\| b |",
        "| `SEEDS` | list of int | `[1, 2]` | of the draws |",
        "| `LIMIT` | float or None | `None` |  |",
        "",
        "</details>",
    ]


def test_parameters_of_a_lesson_that_has_none_cannot_be_shown(tmp_path: Path):
    with pytest.raises(editions.EditionError, match=r"07_try_the_editions\.py: \{parameters\} needs a cell"):
        editions.notebook_of(lesson(tmp_path, DECLARED.replace('tags=["parameters"]', "")))


def test_code_that_is_marked_so_is_folded_in_both_editions(tmp_path: Path):
    notebook = editions.notebook_of(lesson(tmp_path, DECLARED))
    for edition in (notebook, editions.exercises_of(notebook, "07_try_the_editions")):
        folded = [cell.source.splitlines()[-1].strip() for cell in edition.cells if editions.folded(cell)]
        assert folded == [editions.setup_cell().splitlines()[-1].strip(), "import math"]


# --- making them -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("checkout")
    lesson(root)
    editions.build(root, [])
    return root


def edit(root: Path, target: Path, change, edition: str = "07_try_the_editions.ipynb") -> Path:
    """A copy of the built checkout with one notebook changed."""
    for path in root.rglob("*.*"):
        copy = target / path.relative_to(root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    path = target / "notebooks" / edition
    notebook = nbformat.read(path, as_version=4)
    change(notebook)
    nbformat.write(notebook, path)
    return target


def test_building_gives_an_executed_and_an_exercise_edition(built: Path):
    assert editions.problems(built) == []
    notebook = nbformat.read(built / "notebooks" / "07_try_the_editions.ipynb", as_version=4)
    exercises = nbformat.read(built / "notebooks" / "exercises" / "07_try_the_editions.ipynb", as_version=4)
    assert notebook.cells[3].outputs[0].text == "1\n"
    assert notebook.metadata.kernelspec.name == "python3"
    assert [cell.get("outputs", []) for cell in exercises.cells] == [[]] * len(exercises.cells)
    assert exercises.cells[-2].source.splitlines() == [
        "# the answer to everything",
        "answer = ...  # your code here",
        "rest = ...  # your code here",
        "assert answer == 42",
    ]
    assert "(../data/README.md)" in notebook.cells[0].source
    assert "(../../data/README.md)" in exercises.cells[0].source
    assert "/notebooks/exercises/07_try_the_editions.ipynb" in exercises.cells[0].source


def test_building_again_changes_no_byte(built: Path):
    paths = [*(built / "notebooks").rglob("*.ipynb")]
    before = [path.read_bytes() for path in paths]
    editions.build(built, ["07"])
    assert [path.read_bytes() for path in paths] == before


def test_a_new_cell_leaves_the_ids_of_the_others_alone(tmp_path: Path):
    ids = [cell.id for cell in editions.notebook_of(lesson(tmp_path)).cells]
    grown = SOURCE.replace("# %% tags", "# %% [markdown]\n# New.\n\n# %% tags")
    more = [cell.id for cell in editions.notebook_of(lesson(tmp_path, grown)).cells]
    assert [i for i in more if i in ids] == ids
    assert len(set(more)) == len(ids) + 1


def test_a_failing_lesson_leaves_its_notebook_alone(built: Path, tmp_path: Path):
    root = edit(built, tmp_path, lambda notebook: None)
    notebook = root / "notebooks" / "07_try_the_editions.ipynb"
    before = notebook.read_bytes()
    lesson(root, SOURCE.replace("= 42, 0", "= 41, 0"))
    with pytest.raises(editions.EditionError, match="llmarm run failed"):
        editions.build(root, [])
    assert notebook.read_bytes() == before
    assert "AssertionError" in (root / "runs/notebooks/07_try_the_editions/log.txt").read_text(encoding="utf-8")


def test_a_lesson_that_does_not_exist_is_named(built: Path):
    with pytest.raises(editions.EditionError, match="no lesson 99"):
        editions.build(built, ["99"])


# --- noticing what is out of step ------------------------------------------------------------------------------------


def _no_output(notebook):
    notebook.cells[3].outputs = []


def _failed(notebook):
    notebook.cells[3].outputs = [nbformat.v4.new_output("error", ename="ValueError", evalue="", traceback=[])]


def _address(notebook):
    notebook.cells[3].outputs = [nbformat.v4.new_output("execute_result", {"text/plain": "<Axes at 0x7f1c>"})]


def _not_in_order(notebook):
    notebook.cells[2].execution_count = 9


def _edited(notebook):
    notebook.cells[3].source += "\nprint()"


def _untagged(notebook):
    notebook.cells[2].metadata = {}


def _unfolded(notebook):
    notebook.cells[1].metadata.pop("jupyter")


def _result(notebook):
    (output,) = notebook.cells[-1].outputs
    return output.data


def _another_value(notebook):
    _result(notebook)[MIME]["value"] = 42.6
    _result(notebook)["text/plain"] = "answer/value = 42.6"


def _another_text(notebook):
    _result(notebook)["text/plain"] = "answer/value = 43"


def _another_tolerance(notebook):
    _result(notebook)[MIME]["tolerance"] = 5.0


def _result_lost(notebook):
    notebook.cells[-1].outputs = []


def _result_renamed(notebook):
    _result(notebook)[MIME]["name"] = "answer/other"
    _result(notebook)["text/plain"] = "answer/other = 42.5"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (_no_output, "no output to compare"),
        (_failed, "ends in an error"),
        (_address, "differs in every run"),
        (_not_in_order, "from top to bottom"),
        (_edited, "is not what"),
        (_untagged, "is not what"),
        (_unfolded, "is not what"),
        (_another_value, "its result answer/value is not that of the reference"),
        (_another_text, "it shows another answer/value than it records"),
        (_another_tolerance, "its result answer/value is not that of the reference"),
        (_result_lost, "it lacks the result answer/value"),
    ],
)
def test_an_unsound_notebook_is_noticed(built: Path, tmp_path: Path, change, complaint: str):
    (problem,) = editions.problems(edit(built, tmp_path, change))
    assert complaint in problem
    assert "make notebooks" in problem or "git restore notebooks/07_try_the_editions.ipynb" in problem


def test_a_renamed_result_is_noticed_twice(built: Path, tmp_path: Path):
    unknown, missing = editions.problems(edit(built, tmp_path, _result_renamed))
    assert "lacks the result answer/value" in unknown + missing
    assert "answer/other is not in the reference" in unknown + missing


def test_what_is_stored_and_the_reference_are_one_run(built: Path):
    reference = json.loads((built / "results/reference/quick.json").read_text(encoding="utf-8"))["lessons"]
    run = json.loads((built / "runs/notebooks/07_try_the_editions/results.json").read_text(encoding="utf-8"))
    assert reference["07_try_the_editions"]["recorded"]["started"] == run["started"]
    assert reference["07_try_the_editions"]["values"]["answer/value"]["value"] == 42.5


def test_an_edited_exercise_edition_is_noticed(built: Path, tmp_path: Path):
    root = edit(built, tmp_path, _edited, "exercises/07_try_the_editions.ipynb")
    assert [p.split(":")[0] for p in editions.problems(root)] == ["notebooks/exercises/07_try_the_editions.ipynb"]


def filled(notebook):
    """The learner's answer in a gap; as JupyterLab saves it, the id stays."""
    (cell,) = [cell for cell in notebook.cells if f"answer = {editions.GAP}" in cell.source]
    cell.source = cell.source.replace(f"answer = {editions.GAP}", "answer = 6 * 7")


def scratch(notebook):
    notebook.cells.append(nbformat.v4.new_code_cell("sum(range(9))"))


@pytest.mark.parametrize(
    ("edition", "change", "line"),
    [
        ("exercises/07_try_the_editions.ipynb", filled, "assert answer == 42"),
        ("exercises/07_try_the_editions.ipynb", scratch, "sum(range(9))"),
        ("07_try_the_editions.ipynb", scratch, "sum(range(9))"),
    ],
)
def test_a_notebook_that_somebody_worked_in_is_not_made_anew(built, tmp_path, change, line, edition):
    root = edit(built, tmp_path, change, edition)
    before = {path: path.read_bytes() for path in root.rglob("*.ipynb")}
    remedy = f"the cell '{line}' is not the kit's. If it is your own work, keep a copy in my/"
    for text in (SOURCE, SOURCE.replace("= 42, 0", "= 42, 00")):  # whether or not the source has changed meanwhile
        lesson(root, text)
        with pytest.raises(editions.EditionError) as refusal:
            editions.build(root, [])
        assert str(refusal.value).startswith(f"notebooks/{edition}: {remedy}")
        assert f"git restore notebooks/{edition}." in str(refusal.value)
        assert {path: path.read_bytes() for path in before} == before
        assert any(f"notebooks/{edition}" in problem and remedy in problem for problem in editions.problems(root))
    editions.build(root, ["07"], force=True)
    assert editions.problems(root) == []


def test_a_changed_source_is_no_work_of_the_learners(built: Path, tmp_path: Path):
    """Also where the last build was not committed: the ids tell what a build has made."""
    root = edit(built, tmp_path, lambda notebook: None)
    changed = lesson(
        root, SOURCE.replace("rest = answer - 1", "rest, more = answer - 1, 2").replace("SEED)", "SEED + 1)")
    )
    assert [problem.endswith("; run  make notebooks.") for problem in editions.problems(root)] == [True, True]
    editions.build(root, [])
    assert editions.problems(root) == []
    assert "more = ..." in (root / "notebooks" / "exercises" / f"{changed.stem}.ipynb").read_text()


@pytest.mark.parametrize("content", ["<<<<<<< HEAD\n{}", "[]", "{}", '{"cells": 3, "nbformat": 4}', ""])
def test_a_notebook_with_a_conflict_of_git_or_what_is_none_is_told_so(built: Path, tmp_path: Path, content: str):
    root = edit(built, tmp_path, lambda notebook: None)
    path = root / "notebooks" / "exercises" / "07_try_the_editions.ipynb"
    path.write_text(content)
    for command in (lambda: editions.build(root, []), lambda: editions.problems(root)):
        with pytest.raises(editions.EditionError, match="no readable notebook; restore it with  git restore"):
            command()


@pytest.mark.parametrize(("words", "force"), [(["07"], False), (["--force", "07"], True), (["07", "--force"], True)])
def test_the_tool_takes_force(monkeypatch: pytest.MonkeyPatch, words: list[str], force: bool):
    calls = []
    monkeypatch.setattr(editions, "build", lambda root, numbers, *, force: calls.append((numbers, force)))
    monkeypatch.setattr(editions, "problems", lambda root: [])
    assert editions.main(["build", *words]) == 0
    assert calls == [(["07"], force)]


def test_missing_and_stray_notebooks_are_noticed(built: Path, tmp_path: Path):
    root = edit(built, tmp_path, lambda notebook: None)
    stray = root / "notebooks" / "07_try_the_editions.ipynb"
    stray.rename(root / "notebooks" / "08_left_over.ipynb")
    complaints = "\n".join(editions.problems(root))
    assert "08_left_over.ipynb: has no source." in complaints
    assert "07_try_the_editions.ipynb: is missing" in complaints


# --- the time that a lesson takes ------------------------------------------------------------------------------------

TIMED = SOURCE.replace("# See [the data]", "# You need {run_time}. See [the data]")
MACHINE = {"cpu": "Intel(R) Xeon(R) Processor @ 2.00GHz", "cores": 2}


def record(root: Path, seconds: float | None) -> None:
    """A reference in which the lesson took so many seconds."""
    path = root / "results" / "reference" / "quick.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    entry = {"parameters": {}, "recorded": {"hardware": MACHINE, "seconds": seconds}, "values": {}}
    path.write_text(json.dumps({"lessons": {"07_try_the_editions": entry}}))


def test_the_time_in_the_title_is_the_recorded_one_of_a_named_machine(tmp_path: Path):
    source = lesson(tmp_path, TIMED)
    assert "You need its time to run is not recorded yet." in editions.notebook_of(source).cells[0].source
    record(tmp_path, None)  # by an llmarm that did not keep the time
    assert "not recorded yet" in editions.notebook_of(source).cells[0].source
    for seconds, words in ((42.4, "about 40 seconds"), (67, "about 1 minute 10 seconds")):
        record(tmp_path, seconds)
        expected = f"You need {words} to run (recorded on 2 cores, Intel Xeon)."
        assert expected in editions.notebook_of(source).cells[0].source


def test_building_records_the_time_and_puts_it_into_both_titles(tmp_path: Path):
    source = lesson(tmp_path, TIMED)
    editions.build(tmp_path, [])
    recorded = json.loads((tmp_path / "results" / "reference" / "quick.json").read_text(encoding="utf-8"))
    assert recorded["lessons"]["07_try_the_editions"]["recorded"]["seconds"] > 0
    for path in (tmp_path / "notebooks").rglob("*.ipynb"):
        assert f"You need {editions.run_time(source)}." in nbformat.read(path, as_version=4).cells[0].source
    assert "to run (recorded on" in editions.run_time(source)
    record(tmp_path, 4242)
    complaints = [problem for problem in editions.problems(tmp_path) if "is not what" in problem]
    assert len(complaints) == 2, "titles with another time than the reference are out of step"


def test_a_reference_that_is_not_readable_is_one_sentence_before_anything_runs(tmp_path: Path):
    lesson(tmp_path)
    record(tmp_path, 3)
    (tmp_path / "results" / "reference" / "quick.json").write_text("<<<<<<< HEAD")
    with pytest.raises(editions.EditionError, match="not readable; restore"):
        editions.build(tmp_path, [])
    assert not list((tmp_path / "notebooks").rglob("*.ipynb"))


@pytest.mark.parametrize("source", [*SOURCES, ROOT / "notebooks" / "template.py"], ids=lambda source: source.stem)
def test_every_lesson_says_how_long_it_runs_and_nobody_types_it(source: Path):
    first = source.read_text(encoding="utf-8").split("# %%")[1]
    assert first.count(editions.RUN_TIME) == 1
    assert not re.search(r"(minutes?|seconds?) to run", first)


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_the_reference_knows_what_every_lesson_takes(source: Path):
    """Else headers have no time and `llmarm run` no estimate: record anew as CONTRIBUTING.md says."""
    path = ROOT / "results" / "reference" / "quick.json"
    recorded = json.loads(path.read_text(encoding="utf-8"))["lessons"][source.stem]["recorded"]
    assert all(recorded.get(key) for key in ("seconds", "cpu_seconds", "peak_memory_bytes", "speed_seconds", "jobs"))


# --- gaps ------------------------------------------------------------------------------------------------------------


def test_a_function_keeps_its_head_and_docstring():
    code = '''
    ### BEGIN SOLUTION
    def support(matrix, items: list) -> float:
        """Share of baskets that hold all items."""
        inside = matrix[:, items].all(axis=1)

        return float(inside.mean())


    def twice(x):
        return 2 * x
    ### END SOLUTION
    '''
    assert stub(code).splitlines() == [
        "def support(matrix, items: list) -> float:",
        '    """Share of baskets that hold all items."""',
        "    ...  # your code here",
        "def twice(x):",
        "    ...  # your code here",
    ]


def test_a_solution_inside_a_function_keeps_its_indentation():
    code = """
    def lift(a, b):
        ### BEGIN SOLUTION
        ratio = a / b
        return ratio
        ### END SOLUTION
    """
    assert stub(code) == "def lift(a, b):\n    ...  # your code here"


def test_several_solutions_and_statements_without_names():
    code = """
    ### BEGIN SOLUTION
    for n in range(3):
        print(n)
    ### END SOLUTION
    left, right = 1, 2
    ### BEGIN SOLUTION
    top: int = left
    ### END SOLUTION
    """
    assert stub(code).splitlines() == ["...  # your code here", "left, right = 1, 2", "top = ...  # your code here"]


@pytest.mark.parametrize(
    "code", ["### BEGIN SOLUTION\nx = 1", "x = 1\n### END SOLUTION", "### BEGIN SOLUTION\n%time x\n### END SOLUTION"]
)
def test_a_broken_mark_or_solution_is_refused(code: str):
    with pytest.raises(editions.EditionError):
        stub(code)


def test_a_source_without_title_or_with_its_own_badges_is_refused(tmp_path: Path):
    with pytest.raises(editions.EditionError, match="title"):
        editions.notebook_of(lesson(tmp_path, "# %%\nprint(1)\n"))
    with pytest.raises(editions.EditionError, match="leave out"):
        editions.notebook_of(lesson(tmp_path, SOURCE + "# %%\nimport os\nos.environ['COLAB_RELEASE_TAG']\n"))


# --- the set-up cell -------------------------------------------------------------------------------------------------


def test_the_set_up_cell_does_nothing_elsewhere(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("COLAB_RELEASE_TAG", raising=False)
    monkeypatch.setattr(subprocess, "run", lambda *args, **kwargs: pytest.fail("something was installed"))
    exec(editions.setup_cell(), {})


def test_the_set_up_cell_installs_what_the_badges_open_on_colab(monkeypatch: pytest.MonkeyPatch):
    calls = []
    monkeypatch.setenv("COLAB_RELEASE_TAG", "release")
    monkeypatch.delenv("LLMARM_SOURCE", raising=False)
    monkeypatch.setattr(subprocess, "run", lambda command, **kwargs: calls.append((command, kwargs)))
    exec(editions.setup_cell(), {})
    assert calls == [], "llmarm is here already"
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    exec(editions.setup_cell(), {})
    ((command, kwargs),) = calls
    assert command[-1] == "llmarm[models] @ git+{}@{}".format(*editions.launch())
    assert kwargs == {"check": True}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of the package as it stands."""
    folder = tmp_path_factory.mktemp("wheel")
    checkout = folder / "source"
    checkout.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        (checkout / name).write_bytes((ROOT / name).read_bytes())
    for path in (ROOT / "llmarm_tutorial").rglob("*.*"):
        if path.is_file() and "__pycache__" not in path.parts:
            copy = checkout / path.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    quiet = ["--quiet", "--disable-pip-version-check", "--no-deps"]
    make = [sys.executable, "-m", "pip", "wheel", *quiet, "--no-build-isolation", "-w", str(folder), str(checkout)]
    subprocess.run(make, check=True)
    (built,) = folder.glob("*.whl")
    return built


def clean_environment(folder: Path, libraries: str) -> tuple[Path, Path]:
    """An interpreter that has those libraries of this one whose names match, as Colab has its own; and its packages."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")], check=True)
    (packages,) = (folder / "venv" / "lib").glob("python*/site-packages")
    for entry in Path(np.__file__).parents[1].iterdir():
        if re.match(libraries, entry.name) and not (packages / entry.name).exists():
            (packages / entry.name).symlink_to(entry)
    return folder / "venv" / "bin" / "python", packages


def install(python: Path, what: str | Path) -> None:
    """Install one distribution into an environment."""
    command = [str(python), "-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check", str(what)]
    subprocess.run(command, check=True)


def on_colab(python: Path, code: str, source: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run code where everything looks like Colab, llmarm coming from the given source."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "LLMARM"))}
    environment |= {"COLAB_RELEASE_TAG": "release", "LLMARM_SOURCE": source, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    folder = python.parents[2]
    environment |= {"LLMARM_CACHE": str(folder / "cache")} | more
    return subprocess.run([python, "-c", code], cwd=folder, env=environment, capture_output=True, text=True)


SHOP = """
import json
import llmarm_tutorial
from llmarm_tutorial.data import loading
print(json.dumps([llmarm_tutorial.__file__, loading.load("shop").describe()["items"]]))
"""


def test_the_set_up_cell_of_a_wheel_serves_the_shop(tmp_path: Path, wheel: Path):
    """The cell's own code in a clean environment: it installs the wheel, and the shop loads without a checkout."""
    python, packages = clean_environment(tmp_path, "(?!.*llmarm)")
    done = on_colab(python, f"import numpy\n{editions.setup_cell()}\n{SHOP}", str(wheel))
    assert done.returncode == 0, done.stderr
    where, items = json.loads(done.stdout.splitlines()[-1])
    assert Path(where).is_relative_to(packages)
    assert items > 100
    assert any((tmp_path / "cache").rglob("transactions.parquet")), "the shop is made in the cache"


def pretend_wheel(folder: Path, name: str, version: str, needs: str = "") -> Path:
    """A wheel of one module that knows its version, and what it needs."""
    path, about = folder / f"{name}-{version}-py3-none-any.whl", f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    files = {
        f"{name}.py": f"__version__ = {version!r}\n",
        f"{about}/METADATA": metadata + f"Requires-Dist: {needs}\n" * bool(needs),
        f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{about}/top_level.txt": f"{name}\n",
    }
    record = "".join(f"{file},,\n" for file in [*files, f"{about}/RECORD"])
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in {**files, f"{about}/RECORD": record}.items():
            archive.writestr(file, text)
    return path


AGAIN = """
try:
    exec(cell, globals())
except RuntimeError as error:
    print(error)
"""


def test_a_kernel_that_holds_an_older_library_is_to_be_restarted(tmp_path: Path):
    """In one kernel the cell says so each time it runs; in the next, which loads the newer one, nothing."""
    python, _ = clean_environment(tmp_path, "pip")
    old = pretend_wheel(tmp_path, "arrays", "1.26.4")
    pretend_wheel(tmp_path, "arrays", "2.1.0")
    kit = pretend_wheel(tmp_path, "llmarm_tutorial", "1.0", "arrays>=2.0")
    offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path)}
    install(python, old)
    cell = f"cell = {editions.setup_cell()!r}"
    kernel = f"import arrays\n{cell}\n{AGAIN}\n{AGAIN}\nprint(arrays.__version__)"
    done = on_colab(python, kernel, str(kit), **offline)
    assert done.returncode == 0, done.stderr
    first, second, held = done.stdout.splitlines()
    assert first == second
    assert re.fullmatch(r"This kernel still holds the older arrays, .*: choose Runtime > Restart session, .*", first)
    assert held == "1.26.4"
    after = on_colab(python, f"{cell}\n{AGAIN}\nimport arrays\nprint(arrays.__version__)", str(kit), **offline)
    assert (after.returncode, after.stdout) == (0, "2.1.0\n"), after.stderr


@pytest.mark.parametrize("loads", ["", "import arrays"], ids=["loaded by nobody", "new enough"])
def test_a_kernel_that_holds_nothing_older_goes_on(tmp_path: Path, loads: str):
    python, _ = clean_environment(tmp_path, "pip")
    present = pretend_wheel(tmp_path, "arrays", "2.1.0" if loads else "1.26.4")
    pretend_wheel(tmp_path, "arrays", "2.3.0")
    kit = pretend_wheel(tmp_path, "llmarm_tutorial", "1.0", "arrays>=2.0")
    offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path)}
    install(python, present)
    done = on_colab(
        python, f"{loads}\n{editions.setup_cell()}\nimport arrays\nprint(arrays.__version__)", str(kit), **offline
    )
    assert (done.returncode, done.stdout) == (0, "2.1.0\n" if loads else "2.3.0\n"), done.stderr


@pytest.mark.skipif(
    not os.environ.get("LLMARM_TEST_ONLINE") or sys.version_info >= (3, 13),
    reason="fetches two versions of NumPy: set LLMARM_TEST_ONLINE=1; there is no wheel of 1.26 for Python 3.13",
)
def test_a_kernel_that_holds_numpy_1_26_is_to_be_restarted(tmp_path: Path, wheel: Path):
    """The same with the real one, which pip renews, and then the shop."""
    python, _ = clean_environment(tmp_path, "(?!.*llmarm|numpy)")
    install(python, "numpy==1.26.4")
    cell = f"cell = {editions.setup_cell()!r}"
    done = on_colab(python, f"import numpy\n{cell}\n{AGAIN}\nprint(numpy.__version__)", str(wheel))
    assert done.returncode == 0, done.stderr
    said, held = done.stdout.splitlines()
    assert re.match(r"This kernel still holds the older .*numpy", said)
    assert held == "1.26.4"
    after = on_colab(python, f"{editions.setup_cell()}\n{SHOP}", str(wheel))
    assert after.returncode == 0, after.stderr
    assert json.loads(after.stdout.splitlines()[-1])[1] > 100

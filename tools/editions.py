"""One source, two notebooks: make the editions of the lessons and show that they are in step.

    python tools/editions.py build [--force] [NN ...]   make the editions of all lessons, or of the ones named, and the
                                                        reference
    python tools/editions.py check                      compare, in a second, without running anything

`notebooks/source/NN_name.py` (percent text) is what people edit. From it come `notebooks/NN_name.ipynb`, run from top
to bottom with its outputs in place, and `notebooks/exercises/NN_name.ipynb`, without outputs and with a gap wherever
the source has a solution. Badges and the set-up cell for Colab are put in here, so that all lessons have the same, and
the time that a lesson takes comes from where it was recorded, results/reference/quick.json. A cell of Markdown that
holds {parameters} shows the parameters of the lesson in a folded table; code with the tag `hide` is folded. A notebook
that somebody has worked in is not made anew, unless with --force.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

from llmarm_tutorial.errors import RunError
from llmarm_tutorial.lesson import ledger
from llmarm_tutorial.lesson.ledger import MIME
from llmarm_tutorial.lesson.results import Result
from llmarm_tutorial.running import reference
from llmarm_tutorial.running.parameters import Parameter, declared
from llmarm_tutorial.running.report import about

ROOT = Path(__file__).resolve().parents[1]
RUN_TIME = "{run_time}"  # where a source has this, its editions say how long the lesson takes
PARAMETERS = "{parameters}"  # where a source has this, its editions show the lesson's parameters in a folded table
HIDE = "hide"  # tag of set-up, imports and ledger: such code is folded, what it shows is not
GAP = "...  # your code here"
SOLUTION = re.compile(
    r"^([ \t]*)### BEGIN SOLUTION[^\n]*\n(.*?)^[ \t]*### END SOLUTION[^\n]*$", re.DOTALL | re.MULTILINE
)
MARKED = re.compile(r"^#\s*NBVAL_CHECK_OUTPUT", re.MULTILINE)  # nbval compares the outputs of these cells
ADDRESS = re.compile(r"<[^<>\n]* at 0x[0-9a-f]+>")
REFERENCE = Path("results", "reference", "quick.json")  # beside the folder of lessons
WIDGET = "application/vnd.jupyter.widget-view+json"
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


class EditionError(Exception):
    """A source from which no edition can be made."""


# --- what every lesson begins with ---------------------------------------------------------------------------------


def launch() -> tuple[str, str]:
    """The repository's address and the ref that Colab and Binder open, as `("https://github.com/o/r", "main")`."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return settings["project"]["urls"]["Source"], settings["tool"]["llmarm"]["launch"]["ref"]


def colab(path: str = "") -> str:
    """Where Colab opens a notebook, named by its path in the repository; without one, a list of all notebooks."""
    repository, ref = launch()
    slug = repository.removeprefix("https://github.com/")
    return f"https://colab.research.google.com/github/{slug}/blob/{ref}/{path}".rstrip("/")


def binder(path: str = "notebooks") -> str:
    """Where Binder opens a notebook or a folder, named by its path in the repository, in JupyterLab."""
    repository, ref = launch()
    slug = repository.removeprefix("https://github.com/")
    return f"https://mybinder.org/v2/gh/{slug}/{ref}?urlpath=lab/tree/{path}"


def badges(path: str) -> str:
    """Markdown of the two badges that open a notebook, named by its path in the repository, on Colab and on Binder."""
    return (
        f"[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({colab(path)})\n"
        f"[![Open on Binder](https://mybinder.org/badge_logo.svg)]({binder(path)})"
    )


def setup_cell() -> str:
    """The code of the set-up cell, the same in every lesson."""
    repository, ref = launch()
    return textwrap.dedent(f"""\
        # On Google Colab this cell installs llmarm and keeps Colab's packages that are new enough.
        # Everywhere else it does nothing.
        import importlib.metadata
        import importlib.util
        import os
        import subprocess
        import sys

        renewed = globals().get("renewed", [])  # of an earlier run of this cell in this kernel
        on_colab = "google.colab" in sys.modules or "COLAB_RELEASE_TAG" in os.environ
        if on_colab and importlib.util.find_spec("llmarm_tutorial") is None:
            owners = importlib.metadata.packages_distributions()
            loaded = {{name for module in [*sys.modules] for name in owners.get(module, ())}}
            before = {{name: importlib.metadata.version(name) for name in sorted(loaded)}}
            source = "llmarm[models] @ git+{repository}@{ref}"
            source = os.environ.get("LLMARM_SOURCE", source)
            subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", source], check=True)
            importlib.invalidate_caches()
            renewed = [n for n, version in before.items() if importlib.metadata.version(n) != version]
        if renewed:
            raise RuntimeError(
                f"This kernel still holds the older {{', '.join(renewed)}}, loaded before llmarm was "
                "installed: choose Runtime > Restart session, then run this cell again."
            )""")


def run_time(source: Path) -> str:
    """How long a lesson takes and on what machine, as `llmarm verify --record` wrote it down."""
    root = source.parents[2]
    try:
        lessons = reference.read(root / REFERENCE)["lessons"]
    except RunError:
        lessons = {}
    recorded = lessons.get(source.stem, {}).get("recorded", {})
    if not recorded.get("seconds") or not recorded.get("hardware"):
        return "its time to run is not recorded yet"
    cores = recorded["hardware"]["cores"]
    processor = re.sub(r"\((R|TM)\)| CPU| Processor| @.*", "", recorded["hardware"]["cpu"])
    machine = f"{cores} core{'s' * (cores != 1)}, {' '.join(processor.split())}"
    return f"{about(recorded['seconds'])} to run (recorded on {machine})"


# --- from the source to the editions -------------------------------------------------------------------------------


def sources(root: Path) -> list[Path]:
    """The lessons' sources in lesson order."""
    return sorted((root / "notebooks" / "source").glob("[0-9][0-9]_*.py"))


def entry(source: Path) -> tuple[list[str], list[str]]:
    """A lesson in the lists of lessons: (number, link with title, question) and (link with title, links that open it).

    Raises:
        EditionError: If its first cell does not say title and question.
    """
    opening, name = source.read_text(encoding="utf-8").partition("\n# %%")[0], source.stem
    title = re.search(r"^# # \d\d · (.+)$", opening, re.MULTILINE)
    question = re.search(r"^# \*Question: (.+)\*$", opening, re.MULTILINE)
    if not title or not question:
        raise EditionError(f"{source}: its first cell needs the lines  # 01 · Title  and  *Question: …*")
    both = f"notebooks/{name}.ipynb", f"notebooks/exercises/{name}.ipynb"
    links = [f"[open]({place(path)})" for place in (colab, binder) for path in both]
    return [name[:2], f"[{title[1]}]({both[0]})", question[1]], [f"[{name[:2]} {title[1]}](../{both[0]})", *links]


def notebook_of(source: Path) -> NotebookNode:
    """The notebook of a source, not yet run: its cells, with badges under the title and the set-up cell after it."""
    parsed = jupytext.reads(source.read_text(encoding="utf-8"), fmt="py:percent")
    if not parsed.cells or not parsed.cells[0].source.startswith("# "):
        raise EditionError(f"{source.name}: the first cell must be markdown that begins with the title, '# …'.")
    if "COLAB_RELEASE_TAG" in str(parsed) or "colab.research.google" in str(parsed):
        raise EditionError(f"{source.name}: leave out badges and set-up cell, tools/editions.py puts them in.")
    title, *rest = parsed.cells
    _show_parameters(rest, source)
    heading, _, text = title.source.partition("\n")
    text = text.replace(RUN_TIME, run_time(source))
    title.source = f"{heading}\n\n{badges(f'notebooks/{source.stem}.ipynb')}\n\n{text.strip()}".strip()
    notebook = nbformat.v4.new_notebook(metadata=METADATA)
    for cell in (title, nbformat.v4.new_code_cell(setup_cell(), metadata={"tags": [HIDE]}), *rest):
        kept = {"tags": cell.metadata["tags"]} if "tags" in cell.metadata else {}
        if HIDE in kept.get("tags", []):
            kept["jupyter"] = {"source_hidden": True}
        make = nbformat.v4.new_code_cell if cell.cell_type == "code" else nbformat.v4.new_markdown_cell
        notebook.cells.append(make(cell.source, metadata=kept))
    _name_cells(notebook)
    return notebook


def _show_parameters(cells: list[NotebookNode], source: Path) -> None:
    """Put the table of parameters wherever a cell asks for it.

    Raises:
        EditionError: If one asks for it in a lesson without parameters.
    """
    asking = [cell for cell in cells if cell.cell_type == "markdown" and PARAMETERS in cell.source]
    given = [cell.source for cell in cells if "parameters" in cell.metadata.get("tags", [])]
    if asking and not given:
        raise EditionError(f"{source.name}: {PARAMETERS} needs a cell with the tag parameters.")
    for cell in asking:
        cell.source = cell.source.replace(PARAMETERS, parameters_table(declared(given[0], source.stem)))


def parameters_table(parameters: Iterable[Parameter]) -> str:
    """A folded table of parameters, as HTML around Markdown: name, type, default, meaning."""
    rows = ["| Name | Type | Default | Meaning |", "|---|---|---|---|"]
    for one in parameters:
        kind = (f"list of {one.element}" if one.element else one.type) + (" or None" if one.optional else "")
        cells = (f"`{one.name}`", kind, f"`{one.default!r}`", one.help)
        rows.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    table = "\n".join(rows)
    return f"<details>\n<summary>The {len(rows) - 2} parameters of this lesson</summary>\n\n{table}\n\n</details>"


def _name_cells(notebook: NotebookNode) -> None:
    """Ids from what a cell says: building again changes none, a new cell leaves the others' alone, and edits show."""
    seen: dict[str, int] = {}
    for cell in notebook.cells:
        digest = _digest(cell)
        seen[digest] = seen.get(digest, 0) + 1
        cell.id = digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"


def _digest(cell: NotebookNode) -> str:
    return hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:12]


def exercises_of(notebook: NotebookNode, name: str) -> NotebookNode:
    """The student's edition of a notebook: gaps for solutions, no outputs, links that work one folder down."""
    edition = nbformat.from_dict(notebook)
    for cell in edition.cells:
        if cell.cell_type == "code":
            cell.source = SOLUTION.sub(lambda block: _gap(block, name), cell.source)
            cell.outputs, cell.execution_count = [], None
            if "SOLUTION" in cell.source:
                raise EditionError(f"{name}: BEGIN SOLUTION and END SOLUTION do not match in:\n{cell.source}")
        else:
            cell.source = cell.source.replace(f"/notebooks/{name}.ipynb", f"/notebooks/exercises/{name}.ipynb")
            cell.source = cell.source.replace("](../", "](../../")
    _name_cells(edition)
    return edition


def _gap(block: re.Match[str], name: str) -> str:
    """What stands in place of a solution: every name it assigns, every function's head, else a bare gap."""
    indent, code = block[1], textwrap.dedent(block[2])
    try:
        statements = ast.parse(code).body
    except SyntaxError as error:
        raise EditionError(
            f"{name}: a solution must be whole statements of plain Python ({error.msg}):\n{code}"
        ) from None
    lines: list[str] = []
    if not any(isinstance(statement, ast.Return) for statement in statements):
        for statement in statements:
            if isinstance(statement, ast.FunctionDef):
                lines += [*_head(statement, code), f"    {GAP}"]
            else:
                gaps = (f"{target} = {GAP}" for target in _assigned(statement) if not target.startswith("_"))
                lines += [gap for gap in gaps if gap not in lines]
    return "\n".join(indent + line if line else line for line in lines or [GAP])


def _head(function: ast.FunctionDef, code: str) -> list[str]:
    """A function's lines down to and with its docstring."""
    first = function.body[0]
    last = first.end_lineno if ast.get_docstring(function) is not None else first.lineno - 1
    begin = min([function.lineno, *(decorator.lineno for decorator in function.decorator_list)])
    return code.splitlines()[begin - 1 : last]


def _assigned(statement: ast.stmt) -> list[str]:
    """The plain names that an assignment gives a value; none for any other statement."""
    if isinstance(statement, ast.Assign):
        targets = statement.targets
    else:
        targets = [statement.target] if isinstance(statement, ast.AnnAssign) else []
    flat = [part for target in targets for part in (target.elts if isinstance(target, ast.Tuple) else [target])]
    return [part.id for part in flat if isinstance(part, ast.Name)]


def execute(notebook: NotebookNode, folder: Path, *, allow_errors: bool = False, timeout: int = 600) -> NotebookNode:
    """Run a notebook in a folder with strict self-checks; the outputs are tidied so that equal runs give equal files.

    Raises:
        CellExecutionError: If a cell fails and errors are not allowed.
    """
    notebook = nbformat.from_dict(notebook)
    client = NotebookClient(
        notebook,
        timeout=timeout,
        kernel_name="python3",
        allow_errors=allow_errors,
        resources={"metadata": {"path": str(folder)}},
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,
        extra_arguments=["--log-level=ERROR"],  # else ipykernel warns of TCP, which is what every front end uses
    )
    # solutions are no learner's attempts: none is kept
    client.execute(env={**os.environ, "LLMARM_CHECK_STRICT": "1", "LLMARM_ATTEMPTS": os.devnull})
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = _tidied(cell.outputs)
    notebook.metadata = nbformat.from_dict(METADATA)
    return notebook


def build(root: Path, numbers: list[str], *, force: bool = False) -> None:
    """Make both editions of the numbered lessons, or of all, and record what the lessons measured as the reference.

    One `llmarm run` gives the stored notebooks and `results/reference/quick.json`, so that they cannot differ. It stays
    in `runs/notebooks`, with a report. Nothing is stored unless all lessons came through.

    Raises:
        EditionError: If there is no such lesson, one fails, its results cannot be a reference, or, unless forced,
            somebody has worked in a notebook that would be replaced.
    """
    chosen = [source for source in sources(root) if not numbers or source.name[:2] in numbers]
    if unknown := set(numbers) - {source.name[:2] for source in chosen}:
        valid = ", ".join(source.name[:2] for source in sources(root))
        raise EditionError(f"There is no lesson {', '.join(sorted(unknown))}. Valid: {valid}.")
    worked_in = [] if force else [line for source in chosen for line in _worked_in(root, source)]
    if worked_in:
        raise EditionError("\n".join([*worked_in, "Nothing was made. To overwrite all the same: build --force."]))
    _recorded_lessons(root)  # before minutes of work: what this build records goes into the same file
    folder, out = root / "notebooks", root / "runs" / "notebooks"
    shutil.rmtree(out, ignore_errors=True)
    (out / "not-run").mkdir(parents=True)
    (folder / "exercises").mkdir(exist_ok=True)
    for source in chosen:
        _write(notebook_of(source), out / "not-run" / f"{source.stem}.ipynb")
    if (before := root / REFERENCE).exists():  # tells the schedule what each lesson took before
        (out / REFERENCE).parent.mkdir(parents=True)
        shutil.copyfile(before, out / REFERENCE)
    _llmarm("run", "--out", str(out), lessons=out / "not-run")
    _llmarm("verify", str(out), "--record", lessons=folder)
    for source in chosen:
        executed = nbformat.read(out / source.stem / f"{source.stem}.ipynb", as_version=4)
        _write(exercises_of(notebook_of(source), source.stem), folder / "exercises" / f"{source.stem}.ipynb")
        _write(with_outputs(notebook_of(source), executed), folder / f"{source.stem}.ipynb")


def _llmarm(*arguments: str, lessons: Path) -> None:
    """Call the kit's command line with the lessons of a folder and strict self-checks."""
    environment = {**os.environ, "LLMARM_LESSONS": str(lessons), "LLMARM_CHECK_STRICT": "1"}
    done = subprocess.run([sys.executable, "-m", "llmarm_tutorial", *arguments], env=environment, check=False)
    if done.returncode:
        raise EditionError(f"llmarm {arguments[0]} failed, see above; the stored notebooks are as they were.")


def with_outputs(notebook: NotebookNode, executed: NotebookNode) -> NotebookNode:
    """A notebook with the outputs of an executed one of the same code, tidied so that equal runs give equal files.

    Raises:
        EditionError: If the executed notebook has other code.
    """
    notebook = nbformat.from_dict(notebook)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    done = [cell for cell in executed.cells if cell.cell_type == "code"]
    if [cell.source for cell in cells] != [cell.source for cell in done]:
        raise EditionError("The executed notebook has other code than its source; make it again.")
    for cell, ran in zip(cells, done, strict=True):
        cell.execution_count, cell.outputs = ran.execution_count, _tidied(ran.outputs)
    return notebook


def _tidied(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Outputs without live widgets, which are dead in a stored notebook; streams that follow each other are joined."""
    tidy: list[NotebookNode] = []
    for output in outputs:
        if WIDGET in output.get("data", {}):
            continue  # its static twin stays
        if output.output_type == "stream" and tidy and tidy[-1].get("name") == output.name:
            tidy[-1].text += output.text
        else:
            tidy.append(nbformat.from_dict(output))
    return tidy


def _worked_in(root: Path, source: Path) -> list[str]:
    """A sentence for each edition of a lesson that holds somebody's own work."""
    return [
        f"{path.relative_to(root)}: {advice}"
        for path, expected in _editions(root, source)
        if path.exists() and (advice := _own_work(_stored(path), expected, path.relative_to(root)))
    ]


def _editions(root: Path, source: Path) -> list[tuple[Path, NotebookNode]]:
    """(where it lies, what it must hold) of a lesson's notebook and of its exercises."""
    folder, notebook = root / "notebooks", notebook_of(source)
    return [
        (folder / f"{source.stem}.ipynb", notebook),
        (folder / "exercises" / f"{source.stem}.ipynb", exercises_of(notebook, source.stem)),
    ]


def _stored(path: Path) -> NotebookNode:
    try:
        return ledger.read_notebook(path)
    except RunError:  # such as the marks of a conflict that git left
        raise EditionError(f"{path}: is no readable notebook; restore it with  git restore {path}.") from None


def _own_work(stored: NotebookNode, expected: NotebookNode, here: Path) -> str:
    """What to do about cells that no build has made: their ids do not fit what they say. Empty if there are none."""
    made = {(cell.cell_type, cell.source) for cell in expected.cells}
    for cell in stored.cells:
        generated = cell.get("id", "").partition("-")[0] == _digest(cell)
        if cell.source.strip() and not generated and (cell.cell_type, cell.source) not in made:
            return (
                f"the cell '{cell.source.strip().splitlines()[-1]}' is not the kit's. If it is your own work, keep a "
                f"copy in my/, where work belongs (make lab), and then  git restore {here.as_posix()}."
            )
    return ""


def _write(notebook: NotebookNode, path: Path) -> None:
    nbformat.validate(notebook)
    draft = path.with_suffix(".tmp")
    draft.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")
    os.replace(draft, path)


# --- are they in step? ---------------------------------------------------------------------------------------------


def problems(root: Path) -> list[str]:
    """Everything that is out of step, one sentence each; empty when all is well."""
    folder = root / "notebooks"
    names = [source.stem for source in sources(root)]
    notebooks = sorted([*folder.glob("*.ipynb"), *folder.glob("exercises/*.ipynb")])
    found = [f"{path.relative_to(root)}: has no source." for path in notebooks if path.stem not in names]
    for source in sources(root):
        for path, expected in _editions(root, source):
            here = path.relative_to(root)
            if not path.exists():
                found.append(f"{here}: is missing; run  make notebooks.")
                continue
            stored = _stored(path)
            if _cells(stored) != _cells(expected):
                advice = _own_work(stored, expected, here) or "run  make notebooks."
                found.append(f"{here}: is not what {source.relative_to(root)} gives; {advice}")
            elif path.parent == folder:
                remedy = (
                    f"If you ran it yourself:  git restore {here.as_posix()}, and work in my/ (make lab); "
                    f"else  make notebooks LESSONS={source.stem[:2]}."
                )
                wrong = (*_unsound(stored), *_not_recorded(stored, source.stem, root))
                found += [f"{here}: {problem} {remedy}" for problem in wrong]
    return found


def _recorded_lessons(root: Path) -> dict[str, Any]:
    """The reference results by lesson, empty where there are none yet."""
    try:
        return reference.read(root / REFERENCE)["lessons"] if (root / REFERENCE).exists() else {}
    except RunError as error:  # such as the marks of a conflict that git left
        raise EditionError(str(error)) from None


def _not_recorded(notebook: NotebookNode, name: str, root: Path) -> list[str]:
    """Where an executed notebook says something else than the reference results: both come from one run."""
    recorded = _recorded_lessons(root).get(name, {"values": {}})["values"]
    outputs = [
        output for cell in notebook.cells for output in cell.get("outputs", []) if MIME in output.get("data", {})
    ]
    measured = {output.data[MIME]["name"]: output.data for output in outputs}
    found = [f"its result {key} is not in the reference." for key in measured.keys() - recorded.keys()]
    found += [f"it lacks the result {key} of the reference." for key in recorded.keys() - measured.keys()]
    for key in measured.keys() & recorded.keys():
        result = Result.from_dict(measured[key][MIME])
        if json.loads(json.dumps(result.to_dict())) != {"name": key, **recorded[key]}:
            found.append(f"its result {key} is not that of the reference.")
        if measured[key].get("text/plain") != result.line():
            found.append(f"it shows another {key} than it records.")
    return sorted(found)


def _cells(notebook: NotebookNode) -> list[tuple[str, str, str, list[str], bool]]:
    return [
        (c.get("id", ""), c.cell_type, c.source, list(c.metadata.get("tags", [])), folded(c)) for c in notebook.cells
    ]


def folded(cell: NotebookNode) -> bool:
    """Whether Jupyter folds the code of a cell."""
    return bool(cell.metadata.get("jupyter", {}).get("source_hidden"))


def _unsound(notebook: NotebookNode) -> list[str]:
    """What is wrong with the outputs of an executed notebook."""
    found = []
    code = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    if [cell.execution_count for cell in code] != list(range(1, len(code) + 1)):
        found.append("its cells were not run once each from top to bottom.")
    for cell in code:
        first = cell.source.strip().splitlines()[0]
        if any(output.output_type == "error" for output in cell.outputs):
            found.append(f"the cell '{first}' ends in an error.")
        if not cell.outputs and (MARKED.search(cell.source) or "nbval-check-output" in cell.metadata.get("tags", [])):
            found.append(f"the cell '{first}' is marked for comparison but has no output to compare.")
        if address := ADDRESS.search(json.dumps(cell.outputs)):
            found.append(f"the cell '{first}' shows {address[0]}, which differs in every run.")
    return found


def main(arguments: list[str]) -> int:
    """The command line; returns the exit code."""
    try:
        match arguments:
            case ["build", *numbers]:
                build(ROOT, [number for number in numbers if number != "--force"], force="--force" in numbers)
            case ["check"]:
                pass
            case _:
                print(__doc__, file=sys.stderr)
                return 2
        found = problems(ROOT)
    except EditionError as error:
        print(error, file=sys.stderr)
        return 1
    print("\n".join(found) or f"The editions of {len(sources(ROOT))} lessons are in step with their sources.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

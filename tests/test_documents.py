"""What visitors read: README, CONTRIBUTING, docs/ and results/ name what exists, and say no more than was measured."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import editions
import pandas as pd
import pytest
import results_tables
import typer.main
import yaml

import llmarm_tutorial
from llmarm_tutorial.running.cli import app

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = re.findall(r"^([a-z]+):.*## ", MAKEFILE, re.MULTILINE)
GUIDES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PAGES = sorted((ROOT / "results").rglob("*.md"))
DOCUMENTS = [*GUIDES, ROOT / "data" / "README.md", *PAGES]
MADE_BY_USERS = ("runs", ".venv", "my")  # folders that a checkout has later


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


README = text_of(ROOT / "README.md")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


# --- size ------------------------------------------------------------------------------------------------------------


def test_the_readme_is_read_in_one_sitting():
    assert len(README.encode()) <= 7_000


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_page_of_results_is_read_in_one_sitting(page: Path):
    assert len(page.read_bytes()) <= 15_000


# --- commands --------------------------------------------------------------------------------------------------------


def commands_of(text: str) -> list[str]:
    """Every command in a ```bash block, without comments and trailing backslashes."""
    blocks = re.findall(r"```bash\n(.*?)```", text, re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [line for line in (re.sub(r"\s+#.*", "", line).strip() for line in lines) if line]


@pytest.mark.parametrize("guide", GUIDES, ids=name_of)
def test_the_commands_of_a_guide_exist(guide: Path):
    root = typer.main.get_command(app)
    for line in commands_of(text_of(guide)):
        name, *words = re.sub(r'"[^"]*"', "…", line).split()
        if name == "make":
            named = [word for word in words if "=" not in word]
            assert set(named) <= set(TARGETS), line
            assert {word.split("=")[0] for word in words if "=" in word} <= set(
                re.findall(r"^(\w+) \?=", MAKEFILE, re.M)
            ), line
        elif name.endswith("llmarm"):
            command = root
            while hasattr(command, "commands") and words and not words[0].startswith("-"):
                assert words[0] in command.commands, line
                command = command.commands[words.pop(0)]
            options = {option for parameter in command.params for option in parameter.opts} | {"--help"}
            assert {word.split("=")[0] for word in words if re.match(r"--?[a-z]", word)} <= options, line
        elif name.endswith("python"):
            assert (ROOT / words[0]).is_file(), line
        else:
            assert name in ("git", "cd", "source", "mamba"), line


def test_ci_runs_the_commands_of_the_readme():
    script = ROOT / ".ci" / "run"
    assert subprocess.run(["bash", "-n", script]).returncode == 0
    commands = [line for line in text_of(script).splitlines() if line.startswith("make")]
    assert [command.split(" &&")[0] for command in commands] == ["make run", "make test"]
    assert {"make run", "make test"} <= set(commands_of(README))


# --- paths and names -------------------------------------------------------------------------------------------------


def named_paths(text: str) -> set[str]:
    """Paths that a document's running text names in `code`, with NN for the number of a lesson and * for anything."""
    words = re.findall(r"`(?:python )?([^`\s]+)(?: [^`]*)?`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    kinds = r"\.(cff|csv|html|ipynb|json|md|parquet|png|py|toml|txt|ya?ml)"
    paths = {word for word in words if re.fullmatch(rf"[\w.*-]+(/[\w.*-]*)+|[\w*-]+{kinds}", word)}
    return {path for path in paths if path.split("/")[0] not in MADE_BY_USERS}


def exists(path: str, document: Path) -> bool:
    """Whether a path leads somewhere from the root, from the document's folder, or as a bare name one folder below."""
    pattern = path.rstrip("/").replace("NN_name", "[0-9][0-9]_*").replace("NN", "[0-9][0-9]")
    below = [] if "/" in path else [*document.parent.glob(f"*/{pattern}")]
    return bool([*ROOT.glob(pattern), *document.parent.glob(pattern), *below])


# the pages of single lessons name values of the ledger, which look like paths
@pytest.mark.parametrize("document", [page for page in DOCUMENTS if page.parent.name != "lessons"], ids=name_of)
def test_the_paths_that_a_document_names_exist(document: Path):
    assert [path for path in sorted(named_paths(text_of(document))) if not exists(path, document)] == []


def test_a_path_that_leads_nowhere_is_noticed():
    text = (
        "`tools/editions.py`, `a/b.py`, `lift`, `notebooks/source/NN_name.py`, `lost.py`, `runs/x`, `python c/d.py x`."
    )
    assert named_paths(text) == {"tools/editions.py", "a/b.py", "notebooks/source/NN_name.py", "lost.py", "c/d.py"}
    missing = [path for path in named_paths(text) if not exists(path, ROOT / "README.md")]
    assert sorted(missing) == ["a/b.py", "c/d.py", "lost.py"]


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_the_links_of_a_document_lead_somewhere(document: Path):
    here = re.findall(r"\]\((?!https?:)([^)\s]+)\)", text_of(document))
    for link in here:
        path, _, heading = link.partition("#")
        target = document.parent / path if path else document
        assert target.exists(), link
        titles = re.findall(r"^#+ (.+)$", text_of(target), re.MULTILINE) if heading else []
        assert not heading or heading in [re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles]


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_the_names_of_the_package_in_a_document_exist(document: Path):
    for name in set(re.findall(r"\bllmarm_tutorial(?:\.\w+)+", text_of(document))):
        module, _, attribute = name.rpartition(".")
        found = importlib.import_module(module)
        assert hasattr(found, attribute) or importlib.util.find_spec(name), name


def test_every_entry_of_contributing_names_at_most_four_files():
    rows = re.findall(r"^\| (an? .+?|the .+?|what .+?) \| (.+) \|$", text_of(ROOT / "CONTRIBUTING.md"), re.MULTILINE)
    assert len(rows) == 15
    for task, files in rows:
        assert 1 <= len(named_paths(files)) <= 4, task


def test_the_tree_of_the_readme_shows_every_folder():
    (tree,) = re.findall(r"```\n(notebooks/.*?)```", README, re.DOTALL)
    package = {line.split()[0] for line in tree.splitlines() if line.startswith("  ")}
    inside = [path for path in (ROOT / "llmarm_tutorial").iterdir() if (path / "__init__.py").exists()]
    assert package == {f"{path.name}/" for path in inside}
    top = {
        word for line in tree.splitlines() if not line.startswith("  ") for word in re.findall(r"(?:^|  )(\w+/)", line)
    }
    assert [folder for folder in top if not (ROOT / folder).is_dir()] == []
    assert {"notebooks/", "llmarm_tutorial/", "data/", "benchmarks/", "results/", "tests/", "tools/", "docs/"} <= top


def test_the_readme_lists_every_lesson():
    for notebook in (ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"):
        assert f"(notebooks/{notebook.name})" in README


# --- results ---------------------------------------------------------------------------------------------------------


def test_the_documents_say_what_the_results_say():
    command = [sys.executable, str(ROOT / "tools" / "results_tables.py"), "check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.001, 0.2, "**wins**"),
        (-0.2, -0.001, "**loses**"),
        (-0.1, 0.3, "level"),
        (0.0, 0.0, "level"),
        (0, 0.1, "level"),
    ],
)
def test_the_interval_gives_the_verdict(low: float, high: float, verdict: str, monkeypatch: pytest.MonkeyPatch):
    found = pd.DataFrame([{"value": (low + high) / 2, "low": low, "high": high}])
    monkeypatch.setattr(results_tables, "named", lambda line: found)
    line = {"question": "?", "data": "shop", "shown": "model", "metric": "MRR gain on sr"}
    shown = results_tables.headlines([line])
    assert f"| ? | corner shop | model | {verdict} | sequential rules, not tuned | " in shown
    assert f"{verdict.strip('*')} 1" in shown


def test_a_number_shows_mean_spread_and_interval_as_far_as_there_are_any():
    row = {"value": 0.12341, "sd": float("nan"), "low": float("nan"), "high": float("nan")}
    assert results_tables.number(row) == "0.1234"
    assert results_tables.number(row | {"sd": 0.01}, ".2f") == "0.12 ± 0.01"
    assert results_tables.number(row | {"sd": 0.0}, ".2f") == "0.12"
    assert results_tables.number(row | {"sd": 0.01, "low": 0.1, "high": 0.2}, "+.2f") == "+0.12 ± 0.01 [+0.10, +0.20]"
    assert results_tables.number(row | {"value": float("nan")}) == "–"


def test_a_cell_takes_the_first_metric_that_fits_and_names_what_a_gain_is_on():
    rows = pd.DataFrame({"metric": ["MRR gain on sr", "MRR gain on ar", "seconds"], "value": [0.1, -0.2, 0.0031]})
    rows = rows.assign(sd=float("nan"), low=float("nan"), high=float("nan"), seconds=1234.5)
    assert results_tables.cell(rows, "MRR gain on ar|+.1f") == "-0.2"
    assert results_tables.cell(rows, "MRR gain on *|+.1f") == "+0.1 on sr · -0.2 on ar"
    assert results_tables.cell(rows, "seconds|.2g|ms") == "3.1 ms"
    assert results_tables.cell(rows, "seconds#seconds|,.0f|s") == "1,234 s"
    assert results_tables.cell(rows, "HR@10") == "–"


def test_numbers_in_names_go_by_their_size():
    names = ["100 and more", "20 to 99", "1 to 4", "5 to 19", "all"]
    assert results_tables.by_number(names) == ["1 to 4", "5 to 19", "20 to 99", "100 and more", "all"]
    assert results_tables.by_number(["dial 1", "dial 0.9", "dial 0"]) == ["dial 0", "dial 0.9", "dial 1"]


def test_every_row_of_published_figures_is_shown_beside_ours_with_the_difference():
    rows = results_tables.of_published({"published": "published.csv"}).splitlines()[2:]
    shown = [[cell.strip() for cell in row.strip("| ").split(" | ")] for row in rows]
    assert len(shown) == len((ROOT / "results" / "published.csv").read_text(encoding="utf-8").splitlines()) - 1
    measured = [row for row in shown if "not measured yet" not in row[4]]
    assert measured
    for row in measured:
        assert float(row[5]) == pytest.approx(float(row[4].split()[0]) - float(row[3]), abs=1e-4)
        assert row[7].startswith("`python benchmarks/")


def test_the_readme_has_eight_headlines_and_their_verdicts_fit_the_numbers():
    rows = re.findall(r"\| \**(wins|loses|level)\** \| [^|]+ \| \S+ \[(\S+), (\S+)\] \S+ \|", README)
    assert len(rows) == 8
    for verdict, low, high in rows:
        assert (verdict == "wins") <= (float(low) >= 0)
        assert (verdict == "loses") <= (float(high) <= 0)
        assert (verdict == "level") <= (float(low) <= 0 <= float(high))
    assert {verdict for verdict, _, _ in rows} == {"wins", "loses", "level"}, "both ways, and undecided"


def test_no_result_is_typed_into_the_readme():
    made = re.escape(results_tables.BEGIN) + ".*?" + re.escape(results_tables.END)
    by_hand = re.sub(made, "", README, flags=re.DOTALL)
    assert re.findall(r"[-+]?\d*\.\d{2,}(?!\d*/)|\d+(?:\.\d+)? ?%", re.sub(r"Python 3\.\d+", "", by_hand)) == []


def test_a_page_keeps_what_people_wrote(tmp_path: Path):
    page = tmp_path / "page.md"
    begin, end = results_tables.BEGIN, results_tables.END
    page.write_text(f"before\n{begin}\nold\n{end}\nbetween\n{begin}{end}\nbehind\n")
    first, second = (f"{begin}\n\n{word}\n\n{end}" for word in ("new", "more"))
    assert results_tables.filled(page, ["new", "more"]) == f"before\n{first}\nbetween\n{second}\nbehind\n"
    with pytest.raises(SystemExit, match="1 times, not 2 times"):
        results_tables.filled(page, ["new"])
    assert results_tables.filled(tmp_path / "fresh.md", ["new"]).startswith("# fresh\n\n" + begin)


def test_every_page_of_results_that_code_or_a_lesson_names_is_there():
    code = [
        path
        for folder in ("notebooks/source", "benchmarks", "llmarm_tutorial")
        for path in (ROOT / folder).rglob("*.py")
    ]
    named = {name for path in code for name in re.findall(r"results/[a-z_0-9/]+\.(?:md|csv|json)", text_of(path))}
    assert "results/next_item.md" in named
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_every_topic_is_in_the_index_of_results():
    index = text_of(ROOT / "results" / "README.md")
    assert [page.name for page in (ROOT / "results").glob("*.md") if f"({page.name})" not in index] == ["README.md"]


# --- links that open a notebook elsewhere ----------------------------------------------------------------------------

LAUNCHES = (
    r"https://colab\.research\.google\.com/github/([\w.-]+/[\w.-]+)/blob/([^/)\s\"]+)/?([^)\s\"]*)",
    r"https://mybinder\.org/v2/gh/([\w.-]+/[\w.-]+)/([^/?)\s\"]+)(?:\?urlpath=lab/tree/)?([^)\s\"]*)",
    r"https://github\.com/([\w.-]+/[\w.-]+)/(?:blob|tree)/([^/)\s\"]+)/?([^)\s\"]*)",
)


def launches(text: str) -> set[tuple[str, str, str]]:
    """Owner and name, ref, and path of every link to a file of a repository."""
    return {link for pattern in LAUNCHES for link in re.findall(pattern, text)}


def git(folder: Path, *arguments: str) -> str | None:
    """What git says, or None where it refuses."""
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else None


def files_under(folder: Path, ref: str) -> set[str] | None:
    """All files that a ref of a checkout leads to, or None where git does not know the ref.

    A tag stays where it is: its own tree counts. A branch moves on to what is being worked on here, so it counts as it
    will be with the next commit; else a new lesson could not be tested before it is on `main`.
    """
    if git(folder, "rev-parse", "--verify", "--quiet", f"refs/tags/{ref}") is not None:
        return set(git(folder, "ls-tree", "-r", "-z", "--name-only", f"refs/tags/{ref}").split("\0"))
    branches = (f"refs/heads/{ref}", f"refs/remotes/origin/{ref}")
    if any(git(folder, "rev-parse", "--verify", "--quiet", branch) is not None for branch in branches):
        return set(git(folder, "ls-files", "-z").split("\0"))
    return None


def dead(links: set[tuple[str, str, str]], files: set[str]) -> list[str]:
    """Paths of links that lead to no file and no folder."""
    known = files | {parent.as_posix() for file in files for parent in Path(file).parents} | {""}
    return sorted({path for _, _, path in links if path.rstrip("/") not in known})


def all_launches() -> set[tuple[str, str, str]]:
    """The links of the documents, of the catalogue of data sets, and of the badges of both editions of every lesson."""
    texts = [text_of(path) for path in (*DOCUMENTS, ROOT / "llmarm_tutorial" / "data" / "catalogue.toml")]
    for source in editions.sources(ROOT):
        notebook = editions.notebook_of(source)
        texts += [notebook.cells[0].source, editions.exercises_of(notebook, source.stem).cells[0].source]
    return set().union(*map(launches, texts))


def test_launch_links_open_this_repository_under_the_one_ref():
    address, ref = editions.launch()
    slug = address.removeprefix("https://github.com/")
    own = {link for link in all_launches() if link[0] == slug}
    assert len(own) > 2 * len(editions.sources(ROOT))
    assert {link[1] for link in own} == {ref}
    assert {editions.colab(), editions.binder(), address} <= set(re.findall(r"https://[^)\s]+", README))
    assert f"git+{address}@{ref}" in editions.setup_cell()


def test_launch_links_lead_to_files_that_exist_under_the_ref():
    if git(ROOT, "rev-parse", "--show-toplevel") != f"{ROOT}\n":
        pytest.skip("no checkout: without git nobody knows what the ref holds")
    ref = editions.launch()[1]
    files = files_under(ROOT, ref)
    if files is None and git(ROOT, "rev-parse", "--is-shallow-repository") == "true\n":
        # of a pull request, continuous integration fetches one commit without branches; it knows them after the merge
        files = set(git(ROOT, "ls-files", "-z").split("\0"))
    assert files is not None, f"git knows no tag or branch {ref}: every link to Colab and Binder is dead"
    own = {link for link in all_launches() if editions.launch()[0].endswith(f"/{link[0]}")}
    assert dead(own, files) == [], "dead links, or files that are not in git yet"


def test_a_ref_that_git_does_not_know_and_a_dead_path_are_noticed(tmp_path: Path):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "a.ipynb").write_text("")
    author = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    for command in (["init", "-q", "-b", "main"], ["add", "."], [*author, "commit", "-q", "-m", "first"]):
        assert git(tmp_path, *command) is not None
    assert files_under(tmp_path, "v0.1.0") is None
    assert "notebooks/a.ipynb" in files_under(tmp_path, "main")
    git(tmp_path, "tag", "v0.1.0")
    (tmp_path / "notebooks" / "b.ipynb").write_text("")
    git(tmp_path, "add", ".")
    assert "notebooks/b.ipynb" in files_under(tmp_path, "main")
    assert "notebooks/b.ipynb" not in files_under(tmp_path, "v0.1.0")
    text = "(https://mybinder.org/v2/gh/o/r/main?urlpath=lab/tree/notebooks/b.ipynb) (https://github.com/o/r/tree/main/notebooks)"
    assert launches(text) == {("o/r", "main", "notebooks/b.ipynb"), ("o/r", "main", "notebooks")}
    assert dead(launches(text), files_under(tmp_path, "v0.1.0")) == ["notebooks/b.ipynb"]


# --- citation --------------------------------------------------------------------------------------------------------


def test_the_citation_names_this_version():
    citation = yaml.safe_load(text_of(ROOT / "CITATION.cff"))
    known = "cff-version message type title authors version license repository-code keywords abstract date-released doi"
    assert set(citation) <= set(known.split())
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert citation["version"] == llmarm_tutorial.__version__
    assert citation["license"] == PROJECT["license"]
    assert citation["repository-code"] == PROJECT["urls"]["Source"]


def test_the_command_that_is_installed_exists():
    module, _, name = PROJECT["scripts"]["llmarm"].partition(":")
    assert getattr(importlib.import_module(module), name) is app

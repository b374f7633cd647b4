"""The house rules: imports go down only, modules stay readable, what is public is explained and typed."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
import tomllib
import types
from collections.abc import Iterator
from pathlib import Path

import editions
import networkx
import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "llmarm_tutorial"
EVERY_FILE = sorted((ROOT / PACKAGE).rglob("*.py"))
BENCHMARKS = sorted((ROOT / "benchmarks").glob("*.py"))
LONGEST_FILE, LONGEST_FUNCTION = 350, 70  # lines, blank ones, comments and docstrings among them
LONGEST_LINE, LONGEST_CELL = 96, 25  # of code in a notebook: what a page shows without scrolling
NO_PYTORCH = ("data", "mining", "evaluation", "recommend", "labels", "lesson", "running")

# Folders are floors: a file imports from its own folder and from those before it. Files outside folders come first.
FLOORS = ("", "data", "mining", "evaluation", "recommend", "labels", "models", "graphs", "figures", "lesson", "running")


def dotted(path: Path) -> str:
    """Name of a module within the package, as "mining.rules"; a folder's own file has the folder's name."""
    return ".".join(path.relative_to(ROOT / PACKAGE).with_suffix("").parts).removesuffix("__init__").rstrip(".")


MODULES = {dotted(path): path for path in EVERY_FILE}

# import name → name on PyPI, where they differ
DISTRIBUTION = {
    "efficient_apriori": "efficient-apriori",
    "fim": "pyfim",
    "jupyter_client": "jupyter-client",
    "onnx_ir": "onnx-ir",
    "sklearn": "scikit-learn",
    "torch_geometric": "torch-geometric",
    "yaml": "pyyaml",
}


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(path: Path) -> set[str]:
    """Dotted names of all modules that a file imports, at its top or later."""
    names = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}:{node.lineno}: write the import in full"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def within(name: str) -> str:
    """The kit's module that a dotted name lies in: that of "llmarm_tutorial.mining.rules.lift" is "mining.rules"."""
    parts = name.split(".")[1:]
    return next((".".join(parts[:n]) for n in range(len(parts), 0, -1) if ".".join(parts[:n]) in MODULES), "")


def own_imports(path: Path) -> set[str]:
    """The kit's modules that a file imports, at its top, within functions or for types only."""
    return {within(name) for name in imported(path) if name.split(".")[0] == PACKAGE}


def floor(module: str) -> int:
    return FLOORS.index(module.split(".")[0] if "." in module or module in FLOORS else "")


def upward(module: str, others: set[str]) -> list[str]:
    """Those of a module's imports that lie above it."""
    return sorted(other for other in others if floor(other) > floor(module))


def circles(arrows: dict[str, set[str]]) -> list[list[str]]:
    """Groups of modules that import each other, directly or through others."""
    graph = networkx.DiGraph([(one, other) for one, others in arrows.items() for other in others - {one}])
    return [sorted(group) for group in networkx.strongly_connected_components(graph) if len(group) > 1]


def public(path: Path) -> list[tuple[str, ast.FunctionDef | ast.ClassDef]]:
    """Public functions, classes and methods of a module."""
    found = []
    for node in tree(path).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            found.append((node.name, node))
            if isinstance(node, ast.ClassDef):
                methods = [part for part in node.body if isinstance(part, ast.FunctionDef) and part.name[0] != "_"]
                found += [(f"{node.name}.{method.name}", method) for method in methods]
    return found


def functions(path: Path) -> list[ast.FunctionDef]:
    """All functions and methods of a file, those within others among them."""
    return [node for node in ast.walk(tree(path)) if isinstance(node, ast.FunctionDef)]


def folders() -> list[str]:
    """Every folder of the package, as "data.shop"."""
    return sorted(dotted(path) for path in EVERY_FILE if path.name == "__init__.py" and path.parent.name != PACKAGE)


def code_cells() -> Iterator[tuple[str, str]]:
    """(lesson, code) of every cell of code that a lesson has."""
    for source in editions.sources(ROOT):
        for cell in editions.notebook_of(source).cells:
            if cell.cell_type == "code":
                yield source.stem, cell.source


def test_every_folder_is_a_floor():
    assert {module.split(".")[0] for module in MODULES if "." in module} == set(FLOORS) - {""}


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_go_down_only(module: str):
    if module not in ("", "__main__"):
        assert upward(module, own_imports(MODULES[module])) == []


def test_no_two_files_import_each_other():
    assert circles({module: own_imports(path) for module, path in MODULES.items()}) == []


def test_an_import_upwards_or_in_a_circle_is_noticed():
    assert upward("mining.rules", {"errors", "data.table", "mining.itemsets", "lesson.ledger"}) == ["lesson.ledger"]
    assert within(f"{PACKAGE}.mining.rules.mine_rules") == "mining.rules"
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": {"d"}}) == [["a", "b", "c"]]


@pytest.mark.parametrize("path", [*EVERY_FILE, *BENCHMARKS], ids=lambda path: path.stem)
def test_a_function_fits_on_a_screen(path: Path):
    long = [node.name for node in functions(path) if node.end_lineno - node.lineno >= LONGEST_FUNCTION]
    assert long == [], f"more than {LONGEST_FUNCTION} lines"


@pytest.mark.parametrize("path", EVERY_FILE, ids=dotted)
def test_a_module_is_read_in_one_sitting(path: Path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE


def test_a_lesson_is_read_without_scrolling():
    """Lines end within the page, and a cell is one idea; `# fmt: skip` is no way round that."""
    lines = [f"{lesson}: {line}" for lesson, code in code_cells() for line in code.splitlines()]
    wide = [line for line in lines if len(line.partition(": ")[2]) > LONGEST_LINE]
    assert wide == [], f"more than {LONGEST_LINE} characters"
    high = [f"{lesson}: {code.splitlines()[0]}" for lesson, code in code_cells() if code.count("\n") >= LONGEST_CELL]
    assert high == [], f"more than {LONGEST_CELL} lines"


# --- faces ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", sorted(set(folders()) - {"lesson.exercises"}))
def test_a_face_lists_what_it_shows(folder: str):
    shown = importlib.import_module(f"{PACKAGE}.{folder}")
    listed = set(re.findall(r"\w+", shown.__doc__.partition("Public names")[2]))
    assert set(shown.__all__) - listed == set()
    assert set(shown.__all__) <= set(dir(shown))
    modules = {name.removeprefix(f"{folder}.") for name in MODULES if name.startswith(f"{folder}.")}
    for name in shown.__all__:
        value = getattr(shown, name)
        assert isinstance(value, types.ModuleType) == (name in modules), f"{name} names a module and something in one"
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = shown.nothing


def test_lessons_import_from_faces_only():
    for path in [*(ROOT / "notebooks" / "source").glob("*.py"), ROOT / "notebooks" / "template.py"]:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == PACKAGE:
                folder = node.module.partition(".")[2]
                assert folder in {*folders(), "errors", ""}, f"{path.name}: {node.module} is the inside of a folder"
                if folder in folders():
                    shown = importlib.import_module(node.module).__all__
                    assert {alias.name for alias in node.names} - set(shown) == set(), path.name


def test_counting_and_running_reach_no_pytorch():
    """Nor does looking at a folder of models; a process of its own, since this one has long loaded it."""
    inside = [f"{PACKAGE}.{module}" for module in MODULES if module.split(".")[0] in NO_PYTORCH]
    faces = [f"{PACKAGE}.{folder}" for folder in folders()]
    code = (
        "import importlib, sys\n"
        f"for name in {[*faces, *inside]!r}: importlib.import_module(name)\n"
        "print({'torch', 'transformers', 'accelerate'} & set(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


@pytest.mark.parametrize("path", EVERY_FILE, ids=dotted)
def test_what_is_public_is_explained_and_typed(path: Path):
    bare = [name for name, node in public(path) if not ast.get_docstring(node)]
    assert bare == [], "without docstring"
    untyped = []
    for name, node in public(path):
        if isinstance(node, ast.FunctionDef):
            given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs, node.args.vararg, node.args.kwarg]
            missing = [a.arg for a in given if a and not a.annotation and a.arg not in ("self", "cls")]
            untyped += [f"{name}({argument})" for argument in missing] + ([] if node.returns else [f"{name} ->"])
    assert untyped == [], "without type"
    assert ast.get_docstring(tree(path)), "the module says nothing about itself"


def test_every_library_in_use_is_declared():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = [
        *project["dependencies"],
        *(line for extra in project["optional-dependencies"].values() for line in extra),
    ]
    names = {re.match(r"[\w-]+", line)[0].lower() for line in declared}
    for path in [*EVERY_FILE, *ROOT.glob("tests/**/*.py"), *ROOT.glob("tools/*.py"), *ROOT.glob("benchmarks/*.py")]:
        used = {name.split(".")[0] for name in imported(path)} - sys.stdlib_module_names - {PACKAGE}
        used -= {other.stem for folder in ("tests", "tools", "benchmarks") for other in (ROOT / folder).rglob("*.py")}
        assert {DISTRIBUTION.get(name, name.lower()) for name in used} - names == set(), path.name


@pytest.mark.parametrize("arguments", [["check"], ["format", "--check"]], ids=["lint", "format"])
def test_ruff_has_nothing_to_say(arguments: list[str]):
    done = subprocess.run(
        [sys.executable, "-m", "ruff", *arguments, "--quiet", "."], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_two_files_of_tests_have_one_name():
    """Tests are found by the name of their file alone, so that a second of that name stops them all."""
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert [name for name in names if names.count(name) > 1] == []

"""The house rules: imports go down only, modules stay readable, what is public is explained and typed."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import networkx
import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "llmarm_tutorial"
EVERY_FILE = sorted((ROOT / PACKAGE).rglob("*.py"))
LONGEST = 320  # lines of code, without blank lines, comments and docstrings

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


def code_lines(path: Path) -> int:
    """Lines that are neither blank nor comment nor docstring."""
    text = path.read_text(encoding="utf-8")
    prose = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            prose |= set(range(node.lineno, node.end_lineno + 1))
    lines = enumerate(text.splitlines(), 1)
    return sum(bool(line.strip()) and line.lstrip()[0] != "#" and number not in prose for number, line in lines)


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


@pytest.mark.parametrize("path", EVERY_FILE, ids=dotted)
def test_a_module_is_read_in_one_sitting(path: Path):
    assert code_lines(path) <= LONGEST


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

"""The house rules: imports go down only, modules stay readable, what is public is explained and typed."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "llmarm_tutorial"
MODULES = {path.stem: path for path in sorted((ROOT / PACKAGE).glob("*.py"))}
MODULES |= {"exercises": ROOT / PACKAGE / "exercises" / "__init__.py"}
LESSON_CHECKS = sorted((ROOT / PACKAGE / "exercises").glob("[!_]*.py"))
EVERY_FILE = [path for path in [*MODULES.values(), *LESSON_CHECKS] if path.exists()]
LONGEST = 320  # lines of code, without blank lines, comments and docstrings

FLOORS = {
    0: "__init__ errors",
    1: "canonical transactions readers own_files fetch catalog "
    "corner_shop corner_shop_draw corner_shop_plan corner_shop_truth",
    2: "itemsets eclat apriori rules rule_checks evidence confidence patterns pattern_search sequence_rules baselines "
    "blend ranking ranking_stats similarity hybrid rerank slices latency cold_start shelf "
    "item_graph links link_scores released served "
    "labelled label_counts label_baselines class_scores",
    3: "item_model item_loss item_batches training checkpoints class_batches readout classify text "
    "item_tables soft_loss sparse_tensors distil inherit compress export graph graph_fusion lightgcn",
    4: "plots plots_models plots_sequences plots_readout plots_classify plots_recommend plots_shelf "
    "plots_distill plots_graph widgets check exercises ledger claims",
    5: "cli cli_data batch display doctor execution lessons pool report run_folder verify __main__",
}
FLOOR = {module: floor for floor, modules in FLOORS.items() for module in modules.split()}
SHARED_BY_MODELS = {
    *("item_model", "item_loss", "item_tables", "item_batches", "soft_loss", "sparse_tensors", "training"),
    *("checkpoints", "class_batches"),
}

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


def own_imports(path: Path) -> set[str]:
    """The kit's modules that a file imports."""
    parts = [name.split(".") for name in imported(path)]
    return {part[1] if part[1] in MODULES else "__init__" for part in parts if part[0] == PACKAGE and len(part) > 1}


def upward(module: str, others: set[str]) -> list[str]:
    """Those of a module's imports that the floors forbid."""
    above = {other for other in others if FLOOR.get(other, 0) > FLOOR[module]}
    if FLOOR[module] == 3:
        above |= {other for other in others if FLOOR[other] == 3} - SHARED_BY_MODELS
    return sorted(above)


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


def test_every_module_has_a_floor():
    assert sorted(set(MODULES) - set(FLOOR)) == []


@pytest.mark.parametrize("module", sorted(set(MODULES) & set(FLOOR)))
def test_imports_go_down_only(module: str):
    assert upward(module, own_imports(MODULES[module])) == []


@pytest.mark.parametrize("path", LESSON_CHECKS, ids=lambda path: path.stem)
def test_imports_of_the_exercises_go_down_only(path: Path):
    assert upward("exercises", own_imports(path)) == []


def test_an_import_upwards_is_noticed():
    assert upward("rules", {"transactions", "itemsets", "ledger"}) == ["ledger"]
    assert upward("readout", {"training", "graph", "rules"}) == ["graph"]


@pytest.mark.parametrize("path", EVERY_FILE, ids=lambda path: path.stem)
def test_a_module_is_read_in_one_sitting(path: Path):
    assert code_lines(path) <= LONGEST


@pytest.mark.parametrize("path", EVERY_FILE, ids=lambda path: path.stem)
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
    for path in [*EVERY_FILE, *ROOT.glob("tests/*.py"), *ROOT.glob("tools/*.py"), *ROOT.glob("benchmarks/*.py")]:
        used = {name.split(".")[0] for name in imported(path)} - sys.stdlib_module_names - {PACKAGE}
        used -= {other.stem for folder in ("tests", "tools", "benchmarks") for other in (ROOT / folder).glob("*.py")}
        assert {DISTRIBUTION.get(name, name.lower()) for name in used} - names == set(), path.name


@pytest.mark.parametrize("arguments", [["check"], ["format", "--check"]], ids=["lint", "format"])
def test_ruff_has_nothing_to_say(arguments: list[str]):
    done = subprocess.run(
        [sys.executable, "-m", "ruff", *arguments, "--quiet", "."], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr

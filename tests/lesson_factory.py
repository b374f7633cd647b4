"""Tiny lessons for tests, written into a temporary folder."""

from __future__ import annotations

from pathlib import Path

import nbformat

PARAMETERS = 'DATASET: str = "shop"  # which data\nSEED: int = 0  # of every draw\nSIZE: int = 3\n'
RECORD = "from llmarm_tutorial.lesson import ledger\nledger.record('toy/value', SIZE + SEED, tolerance=0.5)"


def write_lesson(
    folder: Path, name: str, *cells: str, parameters: str | None = PARAMETERS, title: str = "A toy lesson"
) -> Path:
    """Write a notebook of a title, a parameters cell and code cells; what begins with "## " becomes a heading."""
    notebook = nbformat.v4.new_notebook()
    notebook.metadata["kernelspec"] = {"name": "python3", "language": "python", "display_name": "Python 3"}
    notebook.cells = [nbformat.v4.new_markdown_cell(f"# {title}")]
    if parameters is not None:
        notebook.cells.append(nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}))
    for cell in cells:
        make = nbformat.v4.new_markdown_cell if cell.startswith("## ") else nbformat.v4.new_code_cell
        notebook.cells.append(make(cell))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.ipynb"
    nbformat.write(notebook, path)
    return path

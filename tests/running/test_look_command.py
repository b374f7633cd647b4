"""A stranger's file runs lesson 01 by what `llmarm data look` says alone."""

from __future__ import annotations

import random
import shlex
import time
from pathlib import Path

import editions
import nbformat
import pandas as pd
import pytest
from test_cli import complaint, llmarm

from llmarm_tutorial.running import run_folder

GOODS = ("milk", "bread", "butter", "tea", "jam", "eggs", "rice", "soap", "beer", "ham", "salt", "corn")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with lesson 01 as its source now stands, and a file of 260 baskets in which bread goes with butter."""
    (source,) = (path for path in editions.sources(editions.ROOT) if path.stem.startswith("01"))
    (tmp_path / "notebooks").mkdir()
    nbformat.write(editions.notebook_of(source), tmp_path / "notebooks" / f"{source.stem}.ipynb")
    monkeypatch.setenv("LLMARM_LESSONS", str(tmp_path / "notebooks"))
    monkeypatch.chdir(tmp_path)
    draw, rows = random.Random(3), []
    for number in range(260):
        basket = set(draw.choices(GOODS, weights=range(12, 0, -1), k=draw.randint(1, 4)))
        basket |= {"bread", "butter"} if draw.random() < 0.3 else set()
        day = pd.Timestamp("2024-01-01") + pd.Timedelta(days=number)
        rows += [{"Member no": number % 40, "Day": f"{day:%d.%m.%Y}", "Article": item} for item in sorted(basket)]
    pd.DataFrame(rows + rows[:3]).to_csv(tmp_path / "my sales.csv", index=False, sep=";")
    return tmp_path


def test_look_says_in_ten_lines_what_to_type(place: Path) -> None:
    start = time.perf_counter()
    result = llmarm("data", "look", "my sales.csv")
    assert time.perf_counter() - start < 2
    assert result.exit_code == 0, result.output
    *said, command = result.stdout.splitlines()
    assert len(said) < 10
    assert "serves    lesson 01" in said
    assert command.strip() == (
        "llmarm run 01 --dataset 'my sales.csv' --basket-col 'Member no,Day' --item-col Article "
        "--user-col 'Member no' --time-col Day"
    )


def test_look_says_what_a_lesson_lacks_once_for_all_that_lack_it(place: Path) -> None:
    for source in editions.sources(editions.ROOT):
        if source.stem[:2] in ("02", "03"):
            nbformat.write(editions.notebook_of(source), place / "notebooks" / f"{source.stem}.ipynb")
    (place / "market.csv").write_text("milk,bread\nmilk,tea,jam\n" * 60)
    said = llmarm("data", "look", "market.csv").stdout.splitlines()
    assert "serves    lesson 01" in said
    (lacking,) = (line for line in said if line.startswith("lacking"))
    assert lacking.startswith("lacking   lessons 02, 03: market.csv lacks users (who bought)")
    assert "--user-col" in lacking
    assert (
        "lacking   lesson 02: Following customers needs at least 50 customers"
        in llmarm("data", "look", "my sales.csv").stdout
    )


def test_what_the_user_says_is_not_guessed(place: Path) -> None:
    result = llmarm("data", "look", "my sales.csv", "--basket-col", "Day", "--item-col", "Article")
    assert "--basket-col Day --item-col Article" in result.stdout
    assert "unclear" not in result.stdout


def test_a_file_that_cannot_be_read_is_one_sentence(place: Path) -> None:
    assert "There is no file 'gone.csv'" in complaint("data", "look", "gone.csv")
    (place / "empty.csv").write_text("")
    assert "empty.csv is empty" in complaint("data", "look", "empty.csv")
    assert "no column 'basket'" in complaint("data", "look", "my sales.csv", "--basket-col", "basket")


def test_lesson_01_runs_by_that_command(place: Path) -> None:
    command = llmarm("data", "look", "my sales.csv").stdout.splitlines()[-1]
    program, *arguments = shlex.split(command)
    assert program == "llmarm"
    result = llmarm(*arguments, "--out", "out")
    assert result.exit_code == 0, result.output
    (lesson,) = (path for path in (place / "out").iterdir() if path.is_dir())
    results = run_folder.read_results(lesson)
    assert results["status"] == "ok"
    assert results["parameters"]["BASKET_COL"] == "Member no,Day"
    assert len(results["values"]) > 3
    assert results["notes"] == {"repeated rows, merged": 3}
    for page in (place / "out" / "report.html", lesson / results["notebook"]):
        assert "repeated rows, merged: 3" in page.read_text()

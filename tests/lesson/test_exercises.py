"""Every exercise accepts right answers of any style and refuses plausible wrong ones.

The tables are in `answers_0N.py` beside this file: `RIGHT` and `WRONG`, exercise → answers. An answer is an expression
(`2 / 5`), a whole function (`def …`), or an edit of the lesson's own solution (`old -> new`).
"""

from __future__ import annotations

import importlib
import re

import editions
import numpy as np
import pandas as pd
import pytest

from llmarm_tutorial.lesson import check

TABLES = [importlib.import_module(f"answers_{lessons}") for lessons in ("01_to_04", "05_to_11")]
RIGHT = {id: answers for table in TABLES for id, answers in table.RIGHT.items()}
WRONG = {id: answers for table in TABLES for id, answers in table.WRONG.items()}
TASKS = {id: task for name in check._modules() for id, task in check._definitions(name).items()}
FEWEST = 3  # plausible wrong answers of an exercise


def solutions() -> dict[str, str]:
    """Exercise → code of its solution in the lesson."""
    found = {}
    for source in editions.sources(editions.ROOT):
        text = source.read_text(encoding="utf-8")
        for block in re.finditer(
            editions.SOLUTION.pattern + r'\s*_ = check\.exercise\("(.*?)"', text, editions.SOLUTION.flags
        ):
            found[block[3]] = block[2]
    return found


SOLUTIONS = solutions()


def made(id: str, answer: str) -> object:
    """The value or function of an answer in a table."""
    space = {"np": np, "pd": pd, "FIRST_ITEM": 4, "MASK": 2}
    if " -> " in answer and not answer.startswith("def "):
        old, new = answer.split(" -> ")
        assert SOLUTIONS[id].count(old) == 1, f"the solution of {id} has {SOLUTIONS[id].count(old)} times: {old}"
        answer = SOLUTIONS[id].replace(old, new)
    if not TASKS[id].returns and "=" not in answer.replace("==", ""):
        answer = f"answer = {answer}"
    exec(answer, space)
    functions = re.findall(r"^def (\w+)", answer, re.MULTILINE)
    return space[functions[-1]] if functions else space["answer"]


def cases(table: dict[str, list[str]]) -> list:
    return [pytest.param(id, answer, id=f"{id}: {answer}") for id, answers in table.items() for answer in answers]


def test_every_exercise_has_its_lists():
    assert sorted(SOLUTIONS) == sorted(TASKS) == sorted(RIGHT) == sorted(WRONG)
    assert {id: len(set(answers)) for id, answers in WRONG.items() if len(set(answers)) < FEWEST} == {}
    assert [id for id, answers in RIGHT.items() if not answers] == []


@pytest.mark.parametrize("id", sorted(SOLUTIONS))
def test_the_lessons_own_solution_passes(id: str):
    assert TASKS[id].complaint(made(id, SOLUTIONS[id])) is None


@pytest.mark.parametrize(("id", "answer"), cases(RIGHT))
def test_another_way_of_being_right_passes(id: str, answer: str):
    assert TASKS[id].complaint(made(id, answer)) is None


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("id", "answer"), cases(WRONG))
def test_a_plausible_wrong_answer_is_refused(id: str, answer: str):
    assert TASKS[id].complaint(made(id, answer)) is not None


@pytest.mark.parametrize("id", sorted(SOLUTIONS))
def test_what_is_no_answer_is_refused_in_one_sentence(id: str):
    """Whatever is handed in, the sentence says what is wanted, and never that something else was wrong."""
    task = TASKS[id]
    if task.returns:
        assert task.complaint(made(id, "def f(*args): pass")) == "the function returns nothing: end it with a return."
        assert task.complaint(made(id, "def f(*args): return 1 / 0")).startswith(
            "your function raised ZeroDivisionError: division by zero, in line 1"
        )
        assert "cannot be called" in task.complaint(made(id, "def f(): return 1"))
        assert task.complaint(made(id, "def f(*args): return float('nan')")).startswith("what your function returned")
        assert task.complaint(made(id, "def f(*args): return object()")).startswith("your function must return")
        assert task.complaint(3) == "hand in the function itself, without calling it."
    else:
        assert task.complaint(float("nan")) == "your answer holds nan or inf, which are no numbers."
        assert task.complaint(None) == f"give {task.gives}; this is nothing (None)."
        assert task.complaint(print).startswith(f"give {task.gives}; this is <built-in")


CHANGES_ITS_INPUT = {
    "01.2": "with_a = sum( -> baskets.pop(); with_a = sum(",
    "01.3": "chance = -> pairs['x'] = 0; chance =",
    "02.3": "ends = {i for -> sequence.append([]); ends = {i for",
    "02.2": "followed = [ -> sequences.append('x'); followed = [",
    "03.3": "row.copy() -> row",
    "04.3": "return min(strengths, -> strengths.sort(reverse=True); return min(strengths,",
    "06.3": "chosen = [ -> scores *= 1.1; chosen = [",
    "07.3": "nearest = np -> similarity *= 2; nearest = np",
    "08.3": "differences, weights = [], [] -> a[:] = ~a; a[:] = ~a; b[:] = ~b; differences, weights = [], []",
    "09.3": "log_p, log_q = -> student /= heat; log_p, log_q =",
    "10.2": "found = step @ step -> weights *= 2; found = step @ step",
    "11.3": "found = [] -> first *= 2; found = []",
}


@pytest.mark.parametrize(("id", "edit"), CHANGES_ITS_INPUT.items())
def test_a_function_that_changes_its_input_is_told_so(id: str, edit: str):
    complaint = TASKS[id].complaint(made(id, edit))
    assert re.fullmatch(r"your function changes its argument `\w+`: work on a copy of it\.", complaint)

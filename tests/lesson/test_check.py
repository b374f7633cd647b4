"""Exercises: what a learner is told for a right, wrong, strange or missing answer, and what is kept of it."""

from __future__ import annotations

import json
import re
import sys
import types
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from nbclient import NotebookClient

from llmarm_tutorial.errors import DataError, LlmarmError, UnknownName
from llmarm_tutorial.lesson import check
from llmarm_tutorial.lesson.answers import Exercise, WrongAnswer, near, number

SUM = Exercise(
    "98.1",
    "Add up",
    checks=[
        (lambda value: len(value) == 2, "Two numbers are asked for: one per basket."),
        (lambda value: sum(value) == 5, "Together they must be the size of both baskets."),
    ],
    hints=["Count the first basket.", "It has three items."],
    gives="a list of two numbers",
)
RATIO = Exercise(
    "98.3",
    "Divide",
    checks=[
        (lambda value: 0 <= number(value) <= 1, "a share lies between 0 and 1."),
        (lambda value: near(value, 0.75), "which of the two is the whole?"),
    ],
    gives="a number",
)
FUNCTION = Exercise(
    "98.4",
    "Write a function",
    checks=[(lambda f: near(f(1, 0), 1), "think of an empty basket.")],
    returns="a number",
)
PLAIN = Exercise(
    "98.2", "Name it", checks=[(lambda value: value == "lift", "Which measure divides by chance?")], gives="a word"
)


@pytest.fixture(autouse=True)
def attempts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Four exercises of a lesson 98, and a fresh file of attempts."""
    module = types.ModuleType("llmarm_tutorial.lesson.exercises.lesson_98")
    module.EXERCISES = [SUM, PLAIN, RATIO, FUNCTION]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(check, "_modules", lambda: ["lesson_98"])
    monkeypatch.setattr(check, "_hints_shown", {})
    monkeypatch.setenv("LLMARM_ATTEMPTS", str(tmp_path / "kept" / "attempts.jsonl"))
    monkeypatch.delenv("LLMARM_CHECK_STRICT", raising=False)
    check._say_not_kept.cache_clear()
    return tmp_path / "kept" / "attempts.jsonl"


def kept(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_right_answer(capsys):
    assert check.exercise("98.1", [2, 3]) is True
    assert capsys.readouterr().out == "[correct] 98.1 Add up\n"


def test_the_first_failing_check_teaches(capsys):
    assert check.exercise("98.1", [2, 3, 4]) is False
    assert check.exercise("98.1", [2, 2]) is False
    first, second = capsys.readouterr().out.splitlines()
    assert first == (
        '[not yet] 98.1 Add up: Two numbers are asked for: one per basket. A hint: run check.hint("98.1") in a new cell'
    )
    assert "size of both baskets" in second


def test_an_untouched_stub_is_not_answered_yet(capsys, attempts):
    assert check.exercise("98.1", ...) is False
    assert capsys.readouterr().out.startswith("[open] 98.1 Add up: not answered yet")
    assert not attempts.exists()


def gap_with_docstring(x: float, y: float) -> float:
    """Divide."""
    ...  # your code here


def gap_without_docstring(x, y): ...


def returns_nothing(x, y):
    """Divide."""
    return


def left_the_dots(x, y):  # noqa: RET503
    """Divide."""
    return x
    ...  # your code here


@pytest.mark.parametrize("gap", [gap_with_docstring, gap_without_docstring])
def test_a_function_that_is_still_a_gap_is_not_answered_yet(capsys, attempts, gap):
    assert check.exercise("98.4", gap) is False
    assert capsys.readouterr().out.startswith("[open] 98.4 Write a function: not answered yet")
    assert not attempts.exists()
    with pytest.raises(WrongAnswer, match="not answered yet"):
        check.exercise("98.4", gap, strict=True)


def test_any_own_code_is_an_answer(attempts):
    assert check.exercise("98.4", left_the_dots) is True
    without_source = eval("lambda x, y: ...")  # no file, no cell
    for own in (returns_nothing, without_source):
        assert check.exercise("98.4", own) is False
    assert [attempt["correct"] for attempt in kept(attempts)] == [True, False, False]


def told(function) -> str:
    """What is said to a function that does not pass."""
    return FUNCTION.complaint(function)


def test_an_error_of_the_learners_own_function_is_shown_with_its_line_and_nothing_else():
    def divide(x, y):
        return x / y

    def silent(x, y):
        raise AssertionError

    def through_a_library(x, y):
        return np.full(2, x).reshape(3)

    def through_another(x, y):
        return divide(x, y)

    first = divide.__code__.co_firstlineno
    division = f"your function raised ZeroDivisionError: division by zero, in line {first + 1}: return x / y"
    assert told(divide) == told(through_another) == division
    assert told(silent) == f"your function raised AssertionError, in line {first + 4}: raise AssertionError"
    assert re.fullmatch(
        rf"your function raised ValueError: .*, in line {first + 7}: return np\.full\(2, x\)\.reshape\(3\)",
        told(through_a_library),
    )
    assert told(lambda x: x).startswith("your function cannot be called as the exercise asks: TypeError: ")
    assert told(lambda x: x).endswith("takes 1 positional argument but 2 were given.")
    assert told(eval("lambda x, y: x / y")).endswith("division by zero, in line 1.")  # no file, no cell


NAN = "what your function returned holds nan or inf, which are no numbers: look for a division by zero"


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        (lambda x, y: None, "the function returns nothing: end it with a return."),
        (lambda x, y: np.float64(y) / y, NAN),
        (lambda x, y: float("inf"), NAN),
        (lambda x, y: [1.0, np.nan], NAN),
        (lambda x, y: pd.Series([np.nan]), NAN),
        (lambda x, y: "1", "your function must return a number; it returned text in quotes: '1'."),
        (lambda x, y: True, "your function must return a number; it returned True (bool)."),
        (lambda x, y: [x], "your function must return a number; it returned [1] (list)."),
        (lambda x, y: np.ones((1, 2)), "your function must return a number; it returned an array of shape (1, 2)."),
        (
            lambda x, y: pd.DataFrame({"a": [1]}),
            "your function must return a number; it returned a data frame with the ",
        ),
        (lambda x, y: 2, "think of an empty basket."),
        (3, "hand in the function itself, without calling it."),
        (FUNCTION, "hand in the function itself, without calling it."),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_what_a_function_returned_is_told_in_one_true_sentence(function, sentence):
    assert told(function).startswith(sentence)


@pytest.mark.parametrize(
    ("value", "change"),
    [
        ([3, 1], lambda value: value.sort()),
        ([[3]], lambda value: value[0].append(1)),
        (np.arange(3), lambda value: value.__iadd__(1)),
        (pd.DataFrame({"a": [1]}), lambda value: value.insert(0, "b", 1)),
        ({1: 2}, lambda value: value.clear()),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_function_that_changes_what_it_gets_is_told_so_and_changes_nothing(value, change):
    before = repr(value)
    task = Exercise("98.5", "Add", [(lambda f: f(value) == f(data=value) == 1, "it is 1.")], returns="a number")

    def changes(data):
        change(data)
        return 1

    assert task.complaint(changes) == "your function changes its argument `data`: work on a copy of it."
    assert task.complaint(lambda data: 1) is None
    assert repr(value) == before


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("3/4", "give a number; this is text in quotes: '3/4'."),
        (None, "give a number; this is nothing (None)."),
        ([0.75], "give a number; this is [0.75] (list)."),
        (np.array([0.75]), "give a number; this is an array of shape (1,)."),
        (True, "give a number; this is True (bool)."),
        (gap_with_docstring.__get__(1), "give a number; this is <bound method"),
        (1j, "give a number; this is 1j (complex)."),
        (float("nan"), "your answer holds nan or inf, which are no numbers."),
    ],
)
def test_who_must_give_a_number_is_told_so(capsys, value, words):
    assert check.exercise("98.3", value) is False
    said = capsys.readouterr().out
    assert said.startswith(f"[not yet] 98.3 Divide: {words}")
    assert "ValueError" not in said


def test_a_cell_that_shows_the_solution_is_nobodys_attempt(tmp_path, monkeypatch):
    monkeypatch.setenv("LLMARM_ATTEMPTS", str(tmp_path / "attempts.jsonl"))
    monkeypatch.setenv("LLMARM_CHECK_STRICT", "0")
    toy = 'check.Exercise("98.1", "Toy", [(lambda value: value == 1, "not one.")])'
    sources = [
        f"from llmarm_tutorial.lesson import check\ncheck._find = lambda id: {toy}",
        '### BEGIN SOLUTION\nanswer = 1\n### END SOLUTION\n_ = check.exercise("98.1", answer)',
        'answer = 2\n_ = check.exercise("98.1", answer)',
        'def gap(x):\n    """One."""\n    ...  # your code here\n_ = check.exercise("98.1", gap)',
        'toy = check.Exercise("98.2", "Toy", [(lambda f: f(0) == 1, "not one.")], returns="a number")\n'
        "check._find = lambda id: toy",
        'def halve(x):\n    half = 1 / x\n    return half\n\n\n_ = check.exercise("98.2", halve)',
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    NotebookClient(notebook, kernel_name="python3", timeout=60, extra_arguments=["--log-level=ERROR"]).execute()
    texts = ["".join(output.get("text", "") for output in cell.outputs) for cell in notebook.cells]
    assert texts[:3] == ["", "[correct] 98.1 Toy\n", "[not yet] 98.1 Toy: not one.\n"]
    assert texts[3].startswith("[open] 98.1 Toy: not answered yet")
    attempts = kept(tmp_path / "attempts.jsonl")
    assert [attempt["correct"] for attempt in attempts] == [False, False]  # the learner's own, not the solution's
    assert texts[5] == (  # lines are those of the cell
        "[not yet] 98.2 Toy: your function raised ZeroDivisionError: division by zero, in line 2: half = 1 / x\n"
    )


@pytest.mark.parametrize("strange", [3, None, print, np.zeros((2, 2)), pd.DataFrame({"a": [1, 2], "b": [0, 0]})])
def test_a_strange_answer_is_met_kindly(capsys, strange):
    assert check.exercise("98.1", strange) is False
    said = capsys.readouterr().out
    assert "Traceback" not in said
    if not hasattr(strange, "__len__"):
        assert "give a list of two numbers; this is " in said
        assert "nothing (None)" in said if strange is None else f"({type(strange).__name__})" in said


def test_an_answer_that_cannot_describe_itself(capsys, attempts):
    class Odd:
        def __repr__(self):
            raise ValueError("no words")

    assert check.exercise("98.2", Odd()) is False
    assert kept(attempts)[0]["answer"].startswith("<Odd instance")


def test_hints_come_one_by_one_and_end(capsys):
    for _ in range(3):
        check.hint("98.1")
    assert capsys.readouterr().out.splitlines() == [
        "[hint 1 of 2] Count the first basket.",
        "[hint 2 of 2] It has three items.",
        "[hint] 98.1: there are no more hints; the solution is in the lesson's own notebook.",
    ]
    check.hint("98.2")
    assert "there are no hints" in capsys.readouterr().out


@pytest.mark.parametrize("wrong", [[1, 1], ..., 5])
def test_strict_checks_raise(monkeypatch, wrong):
    with pytest.raises(WrongAnswer, match=r"98\.1 Add up"):
        check.exercise("98.1", wrong, strict=True)
    monkeypatch.setenv("LLMARM_CHECK_STRICT", "1")
    with pytest.raises(LlmarmError):
        check.exercise("98.1", wrong)
    assert check.exercise("98.1", [2, 3])
    monkeypatch.setenv("LLMARM_CHECK_STRICT", "0")
    assert not check.exercise("98.1", wrong)


@pytest.mark.parametrize("id", ["98.9", "99.1", "", "98"])
def test_unknown_exercises_list_the_valid_ones(id):
    with pytest.raises(UnknownName, match=r"98\.1, 98\.2, 98\.3, 98\.4"):
        check.exercise(id, 1)


def test_attempts_are_kept_as_lines(attempts):
    check.exercise("98.1", [1, 1])
    check.hint("98.1")
    check.exercise("98.1", [2, 3])
    first, hint, last = kept(attempts)
    assert (first["exercise"], first["kind"], first["correct"], first["answer"]) == ("98.1", "answer", False, "[1, 1]")
    assert (hint["kind"], hint["number"]) == ("hint", 1)
    assert last["correct"] is True
    assert pd.Timestamp(first["time"]).tz is not None


def test_where_nothing_can_be_kept_the_lesson_goes_on_and_says_so_once(monkeypatch, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LLMARM_ATTEMPTS", str(tmp_path / "file" / "attempts.jsonl"))
    assert check.exercise("98.1", [2, 3])
    assert check.exercise("98.1", [2, 3])
    assert capsys.readouterr().out.count("attempts are not kept") == 1
    assert check.progress()["answers"].to_list() == [0, 0, 0, 0]


def test_progress_is_a_row_per_exercise():
    assert check.progress()["solved"].to_dict() == dict.fromkeys(("98.1", "98.2", "98.3", "98.4"), False)
    check.exercise("98.1", [1, 1])
    check.hint("98.1")
    check.exercise("98.1", [2, 3])
    check.exercise("98.1", [1, 1])  # solved stays solved
    table = check.progress()
    assert table.loc["98.1"].to_dict() == {"title": "Add up", "answers": 3, "hints": 1, "solved": True}
    assert not table.loc["98.2", "solved"]


def test_instructors_collect_several_students(attempts, tmp_path):
    check.exercise("98.1", [1, 1])
    check.exercise("98.1", [2, 3])
    attempts.rename(tmp_path / "ada.jsonl")
    check.hint("98.1")
    attempts.rename(tmp_path / "bob.jsonl")
    table = check.collect(tmp_path).set_index(["student", "exercise"])
    assert table.loc[("ada", "98.1"), ["answers", "hints", "solved"]].to_list() == [2, 0, True]
    assert table.loc[("bob", "98.1"), ["answers", "hints", "solved"]].to_list() == [0, 1, False]
    assert table.loc[("ada", "98.1"), "first"] <= table.loc[("ada", "98.1"), "last"]


def attempt(minute: int = 0, exercise: str = "98.1", **more) -> str:
    """A line of a file of attempts."""
    kept = {"time": f"2024-05-01T10:{minute:02d}:00+00:00", "exercise": exercise, "kind": "answer", "correct": False}
    return json.dumps(kept | more, ensure_ascii=False) + "\n"


def test_who_tried_nothing_is_in_the_table_with_zeros(tmp_path, capsys):
    (tmp_path / "ann.jsonl").write_text(attempt(0) + attempt(5, correct=True) + attempt(7, "98.2"))
    (tmp_path / "bob.jsonl").write_text("")
    (tmp_path / "eve.JSONL").write_text("\n\n" + attempt(1) + "\r\n")
    (tmp_path / "._ann.jsonl").write_bytes(b"\0\5\26\7")  # what macOS puts beside a file on other disks
    table = check.collect(tmp_path)
    rows = table[["student", "exercise", "answers", "hints", "solved"]].to_numpy().tolist()
    assert rows == [
        ["ann", "98.1", 2, 0, True],
        ["ann", "98.2", 1, 0, False],
        ["bob", "98.1", 0, 0, False],
        ["bob", "98.2", 0, 0, False],
        ["eve", "98.1", 1, 0, False],
        ["eve", "98.2", 0, 0, False],
    ]
    assert (table["last"] - table["first"]).dt.total_seconds().tolist()[:2] == [300, 0]
    assert table["first"].isna().tolist() == table["answers"].eq(0).tolist()
    assert capsys.readouterr().out == ""


def test_where_nobody_tried_anything_the_table_is_empty_and_of_the_same_kind(tmp_path, capsys):
    for name in ("ann", "bob"):
        (tmp_path / f"{name}.jsonl").write_text("")
    nobody = check.collect(tmp_path)
    assert len(nobody) == 0
    assert capsys.readouterr().out == "[note] nobody has tried an exercise yet: ann, bob.\n"
    (tmp_path / "bob.jsonl").write_text(attempt())
    somebody = check.collect(tmp_path)
    assert nobody.columns.to_list() == somebody.columns.to_list()
    assert nobody["solved"].dtype == somebody["solved"].dtype


def test_a_byte_order_mark_costs_no_attempt(tmp_path):
    (tmp_path / "ann.jsonl").write_bytes(b"\xef\xbb\xbf" + attempt(answer="café").encode())
    assert check.collect(tmp_path)["answers"].to_list() == [1]


@pytest.mark.parametrize("separator", ["\u2028", "\x85", "\x0b", "\x1e"])
def test_only_the_end_of_a_line_splits_lines(tmp_path, separator):
    (tmp_path / "ann.jsonl").write_text(attempt(answer=f"a{separator}b"), encoding="utf-8")
    assert check.collect(tmp_path)["answers"].to_list() == [1]


BROKEN = {
    "another encoding": (attempt() + attempt(answer="café")).encode("cp1252"),
    "two bytes each": (attempt() + attempt()).encode("utf-16"),
    "no attempt": b"{}\n",
    "cut off": attempt().encode() + attempt().encode()[:40],
    "a number": b"7\n",
    "no time": json.dumps({"exercise": "98.1", "kind": "answer", "correct": True}).encode(),
    "another time": attempt(time="yesterday").encode(),
    "a number for an exercise": attempt(exercise=98.1).encode(),
    "another kind": attempt(kind="question").encode(),
    "neither right nor wrong": attempt().replace('"correct": false', '"other": 1').encode(),
    "nested": b"[" * 100_000,
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_file_is_named_and_takes_nothing_from_the_others(tmp_path, capsys, content):
    (tmp_path / "cyd.jsonl").write_bytes(content)
    with pytest.raises(DataError, match=r"Line [12] of .*cyd\.jsonl is not"):
        check.collect(tmp_path)
    (tmp_path / "ann.jsonl").write_text(attempt())
    assert check.collect(tmp_path)["student"].to_list() == ["ann"]
    assert re.fullmatch(r"\[note\] left out: Line [12] of .*cyd\.jsonl is not .*\.\n", capsys.readouterr().out)


def test_a_file_in_another_encoding_is_not_to_lose_a_line(tmp_path):
    (tmp_path / "cyd.jsonl").write_bytes(attempt(answer="café").encode("cp1252"))
    with pytest.raises(DataError, match="save the file as UTF-8"):
        check.collect(tmp_path)


def test_a_folder_that_cannot_be_read_as_a_file_is_named(tmp_path, capsys):
    (tmp_path / "ann.jsonl").write_text(attempt())
    (tmp_path / "bob.jsonl").mkdir()
    assert check.collect(tmp_path)["student"].to_list() == ["ann"]
    assert "bob.jsonl cannot be read (Is a directory)" in capsys.readouterr().out


@pytest.mark.parametrize("folder", [".", "nowhere"])
def test_a_folder_without_attempt_files_is_one_sentence(tmp_path, folder):
    with pytest.raises(DataError, match="holds no attempt files"):
        check.collect(tmp_path / folder)


def test_what_is_kept_can_be_saved_in_any_encoding(attempts, tmp_path):
    assert check.exercise("98.2", "Grüße, 木曜日 \u2028") is False
    attempts.write_bytes(attempts.read_text("utf-8").encode("cp1252"))  # by an editor that takes its own
    assert check.progress().loc["98.2", "answers"] == 1
    assert kept(attempts)[0]["answer"].startswith("'Grüße, 木曜日")


def test_the_learners_own_broken_file_is_one_sentence(attempts):
    check.exercise("98.1", [2, 3])
    attempts.write_bytes(attempts.read_bytes() + b"{")
    with pytest.raises(DataError, match=r"Line 2 of .* is not an attempt; remove the line"):
        check.progress()


def test_the_shipped_exercises_are_well_formed(monkeypatch):
    monkeypatch.undo()
    for name in check._modules():
        for task in check._definitions(name).values():
            assert task.id.startswith(f"{name.removeprefix('lesson_')}.")
            assert task.checks
            assert task.hints
            assert bool(task.gives) != bool(task.returns)
            assert all(message for _, message in task.checks)

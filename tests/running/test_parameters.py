"""Parameters: what a notebook declares, and one value of a text, a plan or a profile whichever way it is written."""

from __future__ import annotations

from pathlib import Path

import pytest
from lesson_factory import write_lesson

from llmarm_tutorial.errors import BadParameter, RunError, UnknownName
from llmarm_tutorial.running import lessons, plan
from llmarm_tutorial.running.lessons import Lesson
from llmarm_tutorial.running.parameters import declared, read_yaml

TYPED = """
# a comment of its own
DATASET: str = "shop#1"  # which data
COUNT: int = 3
SHARE: float = 0.1  # of all
FAST: bool = False
SIZES: list[int] = [1, 2]
RATES: list[float] = [
    0.1,
    0.2,
]  # several lines
WORDS: list = ["a"]
EXTRA: list[int] = []
LIMIT: int | None = None
"""


@pytest.fixture
def typed(tmp_path: Path) -> Lesson:
    return Lesson(write_lesson(tmp_path, "01_typed", parameters=TYPED))


def test_parameters_are_read_with_type_default_and_comment(typed):
    found = {p.name: (p.type, p.element, p.optional, p.default, p.help) for p in typed.parameters.values()}
    assert found == {
        "DATASET": ("str", "", False, "shop#1", "which data"),
        "COUNT": ("int", "", False, 3, ""),
        "SHARE": ("float", "", False, 0.1, "of all"),
        "FAST": ("bool", "", False, False, ""),
        "SIZES": ("list", "int", False, [1, 2], ""),
        "RATES": ("list", "float", False, [0.1, 0.2], "several lines"),
        "WORDS": ("list", "str", False, ["a"], ""),
        "EXTRA": ("list", "int", False, [], ""),
        "LIMIT": ("int", "", True, None, ""),
    }


def test_papermill_finds_the_same_parameters(typed):
    import papermill

    theirs = papermill.inspect_notebook(typed.path)
    assert list(theirs) == [name for name in typed.parameters if name != "LIMIT"]  # it does not know unions


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("DATASET", "007", "007"),
        ("DATASET", "true", "true"),
        ("DATASET", "", ""),
        ("DATASET", "null", "null"),
        ("COUNT", "007", 7),
        ("COUNT", "-2", -2),
        ("SHARE", "1e-3", 0.001),
        ("SHARE", "2", 2.0),
        ("FAST", "true", True),
        ("FAST", "False", False),
        ("SIZES", "[3, 4]", [3, 4]),
        ("SIZES", "3,4", [3, 4]),
        ("EXTRA", "[]", []),
        ("EXTRA", "", []),
        ("RATES", "[1e-3, 1]", [0.001, 1.0]),
        ("LIMIT", "5", 5),
        ("LIMIT", "None", None),
        ("LIMIT", "null", None),
    ],
)
def test_text_is_read_as_the_declared_type(typed, name, text, value):
    read = lessons.check_values(typed, {name: text})[name]
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("COUNT", "three", "int"),
        ("COUNT", "1.5", "int"),
        ("COUNT", 1.5, "int"),
        ("COUNT", True, "int"),
        ("COUNT", "None", "int"),
        ("COUNT", "", "int"),
        ("SHARE", "a", "float"),
        ("SHARE", "nan", "float"),
        ("SHARE", "inf", "float"),
        ("FAST", "maybe", "bool"),
        ("FAST", 1, "bool"),
        ("SIZES", "[1, a]", r"list\[int\]"),
        ("SIZES", "[1", r"list\[int\]"),
        ("SIZES", 5, r"list\[int\]"),
        ("DATASET", 7, "str"),
        ("DATASET", None, "str"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_type(typed, name, value, kind):
    with pytest.raises(BadParameter, match=f"{name} must be of type {kind}"):
        lessons.check_values(typed, {name: value})


@pytest.mark.parametrize("value", ["[]", "", " ", []])
@pytest.mark.parametrize(("name", "own"), [("SIZES", r"\[1, 2\]"), ("RATES", r"\[0.1, 0.2\]"), ("WORDS", r"\['a'\]")])
def test_a_list_that_a_lesson_works_through_is_not_empty(typed, name, own, value):
    with pytest.raises(BadParameter, match=f"^The parameter {name} must hold at least one value, as in {own}\\.$"):
        lessons.check_values(typed, {name: value})


def test_no_list_of_the_kit_may_be_emptied():
    """Each would fail in the middle of its lesson."""
    lists = [(lesson, p) for lesson in lessons.discover() for p in lesson.parameters.values() if p.type == "list"]
    assert lists
    for lesson, parameter in lists:
        with pytest.raises(BadParameter, match="at least one value"):
            lessons.check_values(lesson, {parameter.name: []})


def test_unknown_parameters_list_the_valid_ones(typed):
    with pytest.raises(UnknownName, match=r"Did you mean 'COUNT'\? Valid: COUNT, DATASET"):
        lessons.check_values(typed, {"CUONT": 1})


@pytest.mark.parametrize(
    "line",
    [
        "SEED = 0",
        "SEED: int",
        "SEED: complex = 0",
        "SEED: int = N",
        "SEED: dict = {}",
        "SEED: int = (",
        "A: list = []",
        "A: list = [1, 'a']",
    ],
)
def test_authors_must_declare_type_and_value(tmp_path, line):
    lesson = Lesson(write_lesson(tmp_path, "01_x", parameters=line))
    with pytest.raises(RunError, match="Lesson 01_x"):
        _ = lesson.parameters


def test_a_lesson_may_have_no_parameters(tmp_path):
    assert Lesson(write_lesson(tmp_path, "01_x", parameters=None)).parameters == {}


# --- what YAML 1.1 would guess by the look of a value

PLAIN = [  # a parameter, and a plain value as somebody types it; None: refused
    ("COUNT", "050", 50),
    ("COUNT", "1_000", 1000),
    ("COUNT", "0o17", None),
    ("COUNT", "0x10", None),
    ("COUNT", "12:30", None),
    ("COUNT", "yes", None),
    ("COUNT", "1e3", None),
    ("COUNT", "2024-01-01", None),
    ("SHARE", "1e-3", 0.001),
    ("SHARE", "1E3", 1000.0),
    ("SHARE", "1_000.5", 1000.5),
    ("SHARE", ".5", 0.5),
    ("SHARE", "12:30", None),
    ("SHARE", "1:30.5", None),
    ("SHARE", "no", None),
    ("SHARE", ".inf", None),
    ("SHARE", ".nan", None),
    ("SHARE", "1e400", None),
    ("FAST", "on", True),
    ("FAST", "No", False),
    ("FAST", "1", None),
    ("FAST", "y", None),
    ("DATASET", "no", "no"),
    ("DATASET", "on", "on"),
    ("DATASET", "1e-3", "1e-3"),
    ("DATASET", "050", "050"),
    ("DATASET", "12:30", "12:30"),
    ("DATASET", "2024-01-01", "2024-01-01"),
    ("DATASET", "1_000", "1_000"),
    ("DATASET", "1.10", "1.10"),
    ("DATASET", "=", "="),
    ("LIMIT", "~", None),
    ("SIZES", "[050, 100]", [50, 100]),
    ("SIZES", "[12:30]", None),
    ("SIZES", "[1, 2.0]", None),
    ("SIZES", "[1, no]", None),
    ("SIZES", "[[1], [2]]", None),
    ("SIZES", "[1, ~]", None),
    ("EXTRA", "[]", []),
    ("RATES", "[1e-3, 3e-3]", [0.001, 0.003]),
    ("RATES", "[1, 0.5]", [1.0, 0.5]),
    ("RATES", "[abc]", None),
    ("RATES", "[true]", None),
    ("RATES", "[2024-01-01]", None),
    ("WORDS", "[no, 1e-3, 12:30, 007]", ["no", "1e-3", "12:30", "007"]),
    ("WORDS", "[a: b]", None),
]


@pytest.mark.parametrize(("name", "text", "value"), PLAIN)
def test_a_plain_value_is_the_same_on_the_command_line_and_in_a_file(typed, tmp_path, name, text, value):
    path = tmp_path / "values.yaml"
    path.write_text(f"{name}: {text}\n")
    for given in ({name: text}, read_yaml(path)):
        if value is None and name != "LIMIT":
            with pytest.raises(BadParameter, match=f"{name} must be of type"):
                lessons.check_values(typed, given)
        else:
            read = lessons.check_values(typed, given)[name]
            assert read == value
            assert type(read) is type(value)
            assert not isinstance(value, list) or [*map(type, read)] == [*map(type, value)]


@pytest.mark.parametrize("text", ["1e-3, 3e-3", "[1e-3, 3e-3]", "[0.001, 0.003]", ".001,.003"])
def test_a_list_without_brackets_or_elements_of_another_look_is_the_same_list(typed, text):
    assert lessons.check_values(typed, {"RATES": text}) == {"RATES": [0.001, 0.003]}


@pytest.mark.parametrize(
    ("declared", "element"),
    [("[1, 2]", "int"), ("[1, 0.5]", "float"), ("['a']", "str"), ("[True]", "bool"), ("[0.1]", "float")],
)
def test_a_list_that_does_not_say_what_it_holds_holds_what_its_default_does(tmp_path, declared, element):
    lesson = Lesson(write_lesson(tmp_path, "01_x", parameters=f"A: list = {declared}"))
    assert lesson.parameters["A"].element == element


@pytest.mark.parametrize("text", ["DATASET:", "DATASET: ~", "DATASET: null"])
def test_nothing_in_a_file_is_no_text(typed, tmp_path, text):
    (tmp_path / "values.yaml").write_text(text)
    with pytest.raises(BadParameter, match="DATASET must be of type str, not None; put the value in quotes"):
        lessons.check_values(typed, read_yaml(tmp_path / "values.yaml"))


def test_quotes_make_text_of_anything(typed, tmp_path):
    (tmp_path / "values.yaml").write_text("DATASET: 'null'\nWORDS: ['~', \"no\"]\nCOUNT: '7'\n")
    read = lessons.check_values(typed, read_yaml(tmp_path / "values.yaml"))
    assert read == {"DATASET": "null", "WORDS": ["~", "no"], "COUNT": 7}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("COUNT: 1\nCOUNT: 2", "COUNT is given twice"),
        ("a: {b: 1, b: 1}", "b is given twice"),
        ("a: !!int abc", "not readable as YAML"),
        ("? [a]\n: 1", "not readable as YAML"),
        ("a: !!python/name:os.system x", "not readable as YAML"),
    ],
)
def test_a_file_that_is_no_mapping_of_names_is_one_sentence(tmp_path, text, words):
    (tmp_path / "values.yaml").write_text(text)
    with pytest.raises(BadParameter, match=words):
        read_yaml(tmp_path / "values.yaml")


# --- plans


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_lesson(tmp_path / "notebooks", "08_eight", parameters="RATES: list = [0.1]\nNAME: str = ''\nSEED: int = 0")
    write_lesson(tmp_path / "notebooks", "10_ten", parameters="SEED: int = 0")
    monkeypatch.setenv("LLMARM_LESSONS", str(tmp_path / "notebooks"))
    return tmp_path


def runs_of(place: Path, text: str) -> list[tuple[str, dict]]:
    (place / "plan.yaml").write_text(text)
    return [(run.id, run.parameters) for run in plan.read_plan(place / "plan.yaml").runs]


def test_two_spellings_of_a_plan_are_one_plan(place):
    short = runs_of(place, "lessons: [08]\nseeds: [1]\nparameters: {RATES: [[1e-3, 3e-3]]}")
    long = runs_of(place, 'lessons: ["08"]\nseeds: [01]\nparameters: {RATES: [[0.001, 0.003]]}')
    assert short == long
    assert [parameters for _, parameters in short] == [{"SEED": 1, "RATES": [0.001, 0.003]}]


def test_a_number_of_a_lesson_is_not_read_in_eights(place):
    assert [name[:2] for name, _ in runs_of(place, "lessons: [010]")] == ["10"]
    assert [name[:2] for name, _ in runs_of(place, "lessons: [8, 10]\nprofile:")] == ["08", "10"]


def test_values_of_a_text_stay_as_they_are_typed(place):
    runs = runs_of(place, "lessons: [8]\nparameters: {NAME: [no, 2024-01-01, 1e-3, 050]}")
    assert [parameters["NAME"] for _, parameters in runs] == ["no", "2024-01-01", "1e-3", "050"]


@pytest.mark.parametrize("values", ["[0.001, 0.003]", "0.001", "[[0.001], 0.003]", "'0.001,0.003'"])
def test_a_list_without_its_own_brackets_is_refused_in_a_plan(place, values):
    with pytest.raises(BadParameter, match=r"RATES is itself a list; .* RATES: \[\[0\.1\]\]"):
        runs_of(place, f"lessons: [8]\nparameters: {{RATES: {values}}}")


def test_the_lessons_of_the_kit_declare_what_their_lists_hold():
    kit = {f"{lesson.number} {p.name}": p for lesson in lessons.discover() for p in lesson.parameters.values()}
    lists = {name: p.element for name, p in kit.items() if p.type == "list"}
    for name, values in [("05 RATES", "abc"), ("05 LABELS", "12:30"), ("05 RATES", "no")]:
        with pytest.raises(BadParameter, match=rf"must be of type list\[{lists[name]}\]"):
            kit[name].coerce(values)
    assert kit["05 LABELS"].coerce("050,100") == [50, 100]
    assert kit["09 METHODS"].coerce("no") == ["no"]
    assert kit["05 RATES"].coerce("1e-3,3e-3") == [0.001, 0.003]


def test_a_mark_for_the_formatter_is_no_part_of_the_explanation():
    (methods,) = declared('METHODS: list = [\n    "a", "b"\n]  # ways to teach  # fmt: skip', "09")
    assert methods.help == "ways to teach"

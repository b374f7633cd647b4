"""Verification: every verdict, the tolerance at its edge, and what cannot be compared."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_report import ERROR, put_run

from llmarm_tutorial.errors import BadParameter, RunError, UnknownName
from llmarm_tutorial.lesson.ledger import Result
from llmarm_tutorial.running import verify


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "notebooks").mkdir()
    monkeypatch.setenv("LLMARM_LESSONS", str(tmp_path / "notebooks"))
    return tmp_path


def verdicts(folder: Path) -> dict[str, str]:
    return {c.name: c.verdict for c in verify.against_reference(folder)}


def test_every_verdict(place):
    put_run(
        place / "a",
        "01_x",
        Result("same", 1),
        Result("near", 1.0, tolerance=0.1),
        Result("far", 1.0),
        Result("gone", 1),
        Result("time", 1.0, tolerance=None),
    )
    put_run(
        place / "b",
        "01_x",
        Result("same", 1),
        Result("near", 1.05),
        Result("far", 1.05),
        Result("time", 9.0),
        Result("fresh", 1),
    )
    path = verify.record(place / "a")
    assert path == place / "results" / "reference" / "quick.json"
    assert verdicts(place / "a") == {
        "same": "reproduced",
        "near": "reproduced",
        "far": "reproduced",
        "gone": "reproduced",
        "time": "not compared",
    }
    assert verdicts(place / "b") == {
        "same": "reproduced",
        "near": "reproduced",
        "far": "drifted",
        "gone": "missing",
        "time": "not compared",
        "fresh": "new",
    }


@pytest.mark.parametrize(
    ("reference", "found", "verdict"),
    [
        (Result("a", 10.0, tolerance=0.5), 10.5, "reproduced"),
        (Result("a", 10.0, tolerance=0.5), 10.51, "drifted"),
        (Result("a", 10.0, relative=0.1), 9.0, "reproduced"),
        (Result("a", -10.0, relative=0.1), -11.0, "reproduced"),
        (Result("a", -10.0, relative=0.1), -11.1, "drifted"),
        (Result("a", 10.0, tolerance=1, relative=0.1), 12.0, "reproduced"),
        (Result("a", 0.1 + 0.2), 0.3, "reproduced"),
        (Result("a", 5), 5.0, "reproduced"),
        (Result("a", 5), 6, "drifted"),
        (Result("a", True, tolerance=1), False, "drifted"),
        (Result("a", True), 1, "drifted"),
        (Result("a", "x", tolerance=1), "y", "drifted"),
        (Result("a", "x"), "x", "reproduced"),
        (Result("a", 1, tolerance=9), "1", "drifted"),
    ],
)
def test_the_edge_of_the_tolerance(place, reference, found, verdict):
    put_run(place / "a", "01_x", reference)
    put_run(place / "b", "01_x", Result("a", found))
    verify.record(place / "a")
    assert verdicts(place / "b") == {"a": verdict}


@given(st.floats(-1e9, 1e9), st.floats(0, 10), st.floats(0, 1), st.floats(-1, 1))
def test_within_the_tolerance_is_reproduced_beyond_it_drifted(value, tolerance, relative, share):
    allowed = tolerance + relative * abs(value)
    assert verify.agree(value, value + share * allowed, allowed)
    assert not verify.agree(value, value + 1.01 * allowed + 1e-6 * (1 + abs(value)), allowed)


def test_lessons_that_were_not_run_keep_their_reference_and_are_not_missed(place):
    put_run(place / "a", "01_x", Result("a", 1))
    put_run(place / "b", "02_y", Result("b", 2))
    verify.record(place / "a")
    verify.record(place / "b")
    assert verdicts(place / "a") == {"a": "reproduced"}
    assert verdicts(place / "b") == {"b": "reproduced"}


def test_a_reference_says_where_it_is_from(place):
    measured = Result("a", 1, "s", interval=(0.5, 2), note="once")
    put_run(place / "a", "01_x", measured)
    content = json.loads(verify.record(place / "a").read_text())
    assert content["profile"] == "quick"
    assert content["lessons"]["01_x"]["recorded"]["versions"]["python"] == "3.11.7"
    kept = content["lessons"]["01_x"]["values"]["a"]
    assert Result("a", **kept) == measured


def test_failed_runs_miss_their_values_and_are_no_reference(place):
    put_run(place / "a", "01_x", Result("a", 1))
    verify.record(place / "a")
    put_run(place / "b", "01_x", error=ERROR)
    assert verdicts(place / "b") == {"a": "missing"}
    with pytest.raises(RunError, match="01_x"):
        verify.record(place / "b")


def test_other_parameters_are_not_compared(place):
    put_run(place / "a", "01_x", Result("a", 1))
    put_run(place / "b", "01_x", Result("a", 1), parameters={"SEED": 0, "SIZE": 2})
    verify.record(place / "a")
    with pytest.raises(RunError, match="SIZE=2 instead of 1"):
        verify.against_reference(place / "b")


def test_without_reference_the_command_is_named(place):
    put_run(place / "a", "01_x", Result("a", 1))
    with pytest.raises(RunError, match=r"--record"):
        verify.against_reference(place / "a")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"lessons": 1}'])
def test_a_broken_reference_is_one_sentence(place, content):
    put_run(place / "a", "01_x", Result("a", 1))
    path = verify.reference_path("quick")
    path.parent.mkdir(parents=True)
    path.write_text(content)
    with pytest.raises(RunError, match="not readable"):
        verify.against_reference(place / "a")


def test_folders_that_do_not_tell_what_to_compare(place):
    put_run(place / "a", "01_x", name="r1")
    put_run(place / "a", "01_x", name="r2")
    with pytest.raises(RunError, match="several runs of one lesson"):
        verify.against_reference(place / "a")
    put_run(place / "b", "01_x")
    put_run(place / "b", "02_x", profile="full")
    with pytest.raises(BadParameter, match="full and quick"):
        verify.against_reference(place / "b")


@pytest.mark.parametrize("call", [verify.against_reference, verify.record])
def test_only_profiles_that_exist_have_a_reference(place, call):
    put_run(place / "a", "01_x", Result("a", 1))
    (place / "notebooks" / "profiles").mkdir()
    (place / "notebooks" / "profiles" / "gpu.yaml").write_text("")
    with pytest.raises(UnknownName, match="Valid: gpu, quick"):
        call(place / "a", "../../x")
    assert not list(place.rglob("x.json"))

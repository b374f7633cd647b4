"""Verification: every verdict, the tolerance at its edge, and what cannot be compared."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lesson_factory import write_lesson
from test_report import ERROR, put_run

from llmarm_tutorial.errors import BadParameter, RunError, UnknownName
from llmarm_tutorial.lesson.results import Result
from llmarm_tutorial.running import lessons, machine, reference, run_folder, schedule, verify


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "notebooks").mkdir()
    monkeypatch.setenv("LLMARM_LESSONS", str(tmp_path / "notebooks"))
    monkeypatch.setattr(machine, "speed_seconds", lambda copies: 1.0)
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


def gain(value: float, low: float, high: float, over: str = "counts", **facts) -> Result:
    return Result("a", value, interval=(low, high), over=over, tolerance=facts.pop("tolerance", None), **facts)


WON, LOST = gain(0.02, 0.01, 0.03), gain(-0.02, -0.03, -0.01)


@pytest.mark.parametrize(
    ("reference", "found", "verdict"),
    [
        (WON, gain(0.05, 0.04, 0.06), "reproduced"),  # wins in both, however much
        (WON, gain(0.012, -0.001, 0.025), "reproduced"),  # level now, but the intervals overlap and the sign is kept
        (WON, gain(-0.001, -0.02, 0.018), "drifted"),  # level, overlapping: but the reference says that it wins
        (WON, gain(0.001, -0.007, 0.009), "drifted"),  # level, of the same sign: but the intervals do not meet
        (WON, LOST, "drifted"),
        (LOST, WON, "drifted"),
        (gain(0.0, 0.0, 0.0), gain(0.0, 0.0, 0.0), "reproduced"),
        (gain(0.001, -0.01, 0.012), gain(-0.001, -0.012, 0.01), "reproduced"),  # level in both: a sign says nothing
        (gain(0.001, -0.01, 0.012), gain(-0.008, -0.015, -0.001), "drifted"),  # it loses now, and was above zero
        (gain(-0.001, -0.01, 0.008), gain(-0.008, -0.015, -0.001), "reproduced"),
        (WON, gain(0.02, 0.01, 0.03, over="chance"), "drifted"),  # a gain over something else
        (WON, Result("a", 0.02), "drifted"),  # no gain at all
        (Result("a", 0.02, tolerance=0.05), LOST, "drifted"),  # nor was it one before
        (gain(0.02, 0.01, 0.03, tolerance=1e-6), gain(0.02, 0.01, 0.03), "reproduced"),
        (gain(0.02, 0.01, 0.03, tolerance=1e-6), gain(0.021, 0.01, 0.03), "drifted"),  # counting is exact
    ],
)
def test_a_gain_reproduces_by_what_its_interval_says(place, reference, found, verdict):
    put_run(place / "a", "01_x", reference)
    put_run(place / "b", "01_x", found)
    verify.record(place / "a")
    assert verdicts(place / "b") == {"a": verdict}


@given(st.floats(-1, 1), st.floats(0, 0.5), st.floats(0, 0.5))
def test_a_clear_gain_never_reproduces_with_its_sign_turned(value, below, above):
    result = gain(value, value - below, value + above)
    turned = gain(-value, -value - above, -value + below)
    assert verify.gains_agree(result, result)
    assert verify.gains_agree(result, turned) == (result.verdict == "level")


@pytest.mark.parametrize(
    ("result", "blunt"),
    [
        (Result("a", 0.126, baseline=0.096, tolerance=0.1), True),
        (Result("a", 0.126, baseline=0.096, tolerance=0.014), False),
        (Result("a", 0.126, baseline=0.096, tolerance=0.01, relative=0.1), True),
        (Result("a", 0.126, tolerance=0.1), False),  # says nothing of a baseline
        (Result("a", 1.0, baseline=1.0, tolerance=1e-9), False),  # forgives rounding alone
        (Result("a", 1.0, baseline=1.0, tolerance=0.001), True),
        (Result("a", 9.0, baseline=8.9, tolerance=None), False),  # not compared
        (gain(0.001, 0.0005, 0.002, baseline=0.3, tolerance=0.02), False),  # compared by its verdict
    ],
)
def test_a_level_must_tell_its_effect_from_none(place, result, blunt):
    assert verify.is_blunt(result) == blunt
    put_run(place / "a", "01_x", result)
    if blunt:
        with pytest.raises(RunError, match=r"lesson 01_x the tolerance of a is wider .*record_gain"):
            verify.record(place / "a")
    else:
        verify.record(place / "a")


def test_what_drifted_is_shown_as_it_is_read(place):
    put_run(place / "a", "01_x", WON)
    put_run(place / "b", "01_x", LOST)
    verify.record(place / "a")
    (verdict,) = verify.against_reference(place / "b")
    assert verdict.detail == (
        "-0.02 [-0.03, -0.01], loses against counts instead of 0.02 [0.01, 0.03], wins against counts"
    )
    put_run(place / "c", "01_x", Result("a", 0.02))
    verify.record(place / "c")
    (verdict,) = verify.against_reference(place / "b")
    assert verdict.detail == "-0.02 [-0.03, -0.01], loses against counts instead of 0.02, no gain"


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


def entry(**parts) -> str:
    """A reference of one lesson with some parts other than `llmarm verify --record` writes them."""
    parts = {"parameters": {}, "recorded": {"seconds": 1.0}, "values": {"a": {"value": 1}}} | parts
    return json.dumps({"lessons": {"01_x": {key: part for key, part in parts.items() if part != "left out"}}})


@pytest.mark.parametrize(
    "content",
    [
        *("", "[]", "{}", '{"lessons": 1}', '{"lessons": {"01_x": null}}', '{"lessons": {"01_x": []}}'),
        *(entry(**{part: content}) for part in ("parameters", "recorded", "values") for content in ("left out", None)),
        *(entry(recorded={name: n}) for name in ("seconds", "peak_memory_bytes") for n in ("9", -1, float("nan"))),
        *(entry(recorded={"speed_seconds": n}) for n in (float("inf"), [])),
        *(entry(values={"a": content}) for content in (3, {}, {"value": float("nan")}, {"value": [1]})),
        *(entry(values={"a": {"value": 1.0} | facts}) for facts in ({"interval": 3}, {"interval": [3, 2]})),
        *(entry(values={"a": {"value": 1.0} | facts}) for facts in ({"tolerance": "x"}, {"over": "counts"})),
    ],
)
def test_a_broken_reference_is_one_sentence_and_no_reason_to_run_nothing(place, content):
    run = run_folder.Run("r", lessons.Lesson(write_lesson(place, "01_x", parameters=None)), "quick", {})
    put_run(place / "a", "01_x", Result("a", 1))
    path = reference.path_of("quick")
    path.parent.mkdir(parents=True)
    path.write_text(content)
    with pytest.raises(RunError, match="not readable"):
        verify.against_reference(place / "a")
    assert schedule.make([run]).estimate is None


def test_what_a_reference_of_another_version_lacks_or_has_besides_is_no_breakage(place):
    put_run(place / "a", "01_x", Result("a", 1))
    path = reference.path_of("quick")
    path.parent.mkdir(parents=True)
    for recorded, value in (({}, {"value": 1}), ({"seconds": 0, "news": 1}, {"value": 1, "news": 2})):
        path.write_text(entry(parameters={"SEED": 0, "SIZE": 1}, recorded=recorded, values={"a": value}))
        assert verdicts(place / "a") == {"a": "reproduced"}


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

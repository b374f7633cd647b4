"""The claims: complete, each with a test that can fail, and decided by what is recorded for them and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llmarm_tutorial.lesson import claims

ROOT = Path(__file__).parents[2]
CLAIMS = claims.load()
RECORDED = {
    f"{lesson[:2]}:{name}": entry
    for lesson, said in json.loads((ROOT / "results/reference/quick.json").read_text("utf-8"))["lessons"].items()
    for name, entry in said["values"].items()
}


def test_all_claims_and_slips_are_there():
    assert list(CLAIMS) == [*(str(n) for n in range(1, 21)), *(f"slip-{n}" for n in range(1, 13))]


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=lambda claim: claim.id)
def test_a_claim_says_what_decides_it(claim):
    assert claim.claim.endswith(".")
    assert claim.seeds >= 1
    assert set(claim.texts) <= {"T1", "T2", "T3", "T4", "T5"}
    assert all((claim.texts, claim.metric, claim.data, claim.holds, claim.refuted))
    assert claim.holds != claim.refuted


@pytest.mark.parametrize("claim", [c for c in CLAIMS.values() if c.decided_by], ids=lambda claim: claim.id)
def test_what_decides_a_claim_is_recorded_for_it(claim):
    for pattern in claim.decided_by:
        names = [name for name in RECORDED if claims.matches(name, pattern)]
        assert names, f"nothing recorded is named {pattern}"
        assert {RECORDED[name]["claim"] for name in names} == {claim.id}, pattern


def test_every_gain_recorded_for_a_claim_decides_it():
    """Else the gains that please could be picked."""
    gains = {name: entry["claim"] for name, entry in RECORDED.items() if entry.get("over") and entry["claim"]}
    left_out = {name: claim for name, claim in gains.items() if name not in CLAIMS[claim].deciding([name])}
    assert not left_out


def test_which_claims_have_no_measurement_yet():
    """This list gets shorter; a claim that is measured must leave it."""
    nothing = [claim.id for claim in CLAIMS.values() if not claim.decided_by]
    slips = [f"slip-{n}" for n in (1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12)]
    assert nothing == ["12", "13", "15", "16", "18", "20", *slips]


def test_a_pattern_names_whole_lessons_and_names():
    assert claims.matches("11:fusion/next_gain_of_graph", "11:fusion/*_gain_*")
    assert not claims.matches("06:fusion/next_gain_of_graph", "11:fusion/*")
    assert not claims.matches("11:fusion/next", "11:fusion/*_gain_*")

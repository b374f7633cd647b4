"""What lessons show of benchmarks: the rows are those of results/benchmarks, verdicts those of their intervals."""

from __future__ import annotations

import harness
import pandas as pd
import pytest
import results_tables

from llmarm_tutorial.data.shop.structure_plan import STRUCTURE
from llmarm_tutorial.errors import UnknownName
from llmarm_tutorial.lesson import (
    claims,
    recorded,
    recorded_answers,
    recorded_claims,
    recorded_crossover,
    recorded_rows,
)

TOPICS = {"next item": "sr", "joining": "model", "teaching": "hard labels"}


@pytest.mark.parametrize(("topic", "over"), TOPICS.items())
def test_every_system_has_its_mean_and_its_gain(topic: str, over: str):
    table = recorded_rows(topic)
    assert table.columns.tolist() == ["NDCG@10", "seeds", f"gain on {over}", "low", "high", "verdict"]
    assert table.index.name == "MovieLens-1M"
    assert table.index.is_unique
    assert table["NDCG@10"].is_monotonic_decreasing
    others = table.drop(index=over)
    assert len(others) >= 3
    assert others.notna().all(axis=None)
    assert table.loc[over, ["low", "high"]].isna().all()
    assert table.loc[over, "verdict"] == ""


def test_the_verdict_is_that_of_the_interval(tmp_path, monkeypatch: pytest.MonkeyPatch):
    rows = [
        ["t", "Films", "ahead", 3, "MRR", 0.4, "base", 0.1, 0.05, 0.2],
        ["t", "Films", "behind", 3, "MRR", 0.2, "base", -0.1, -0.2, -0.05],
        ["t", "Films", "base", 1, "MRR", 0.3, "base", 0.0, 0.0, 0.0],
        ["t", "Films", "beside", 1, "MRR", 0.31, "base", 0.01, -0.1, 0.1],
    ]
    columns = ["topic", "data", "system", "seeds", "metric", "value", "over", "gain", "low", "high"]
    pd.DataFrame(rows, columns=columns).to_csv(tmp_path / "rows.csv", index=False)
    monkeypatch.setattr(recorded, "ROWS", tmp_path / "rows.csv")
    said = {"ahead": "wins", "beside": "level", "base": "", "behind": "loses"}
    assert recorded_rows("t")["verdict"].to_dict() == said
    assert list(recorded_rows("t").index) == list(said)


def test_the_file_holds_what_the_benchmarks_measured():
    assert results_tables.in_lessons(results_tables.PLAN["recorded"]) == recorded.ROWS.read_text("utf-8")
    row = recorded_rows("next item").loc["causal"]
    measured = results_tables.measured("quality").query("data == 'movielens-1m' and system == 'causal'")
    measured = measured.set_index("metric")["value"]
    assert row["NDCG@10"] == pytest.approx(measured["NDCG@10"], abs=1e-6)
    assert row["gain on sr"] == pytest.approx(measured["NDCG@10 gain on sr"], abs=1e-6)


def test_answers_begin_with_what_a_model_wins_and_say_why():
    table = recorded_answers()
    assert table["verdict"].tolist() == sorted(table["verdict"], key=["wins", "level", "loses"].index)
    assert len(table) == len(results_tables.PLAN["headlines"])
    assert (table["property"].str.split().str.len() >= 4).all(), "each row says what the data are like"
    assert set(table["claim"]) <= set(claims.load())
    wins = table[table["verdict"] == "wins"]
    assert (wins["low"] > 0).all()
    assert (table.loc[table["verdict"] == "loses", "high"] < 0).all()


def test_every_gain_that_decides_a_claim_is_counted_once():
    lessons = results_tables.read("reference/quick")["lessons"]
    gains = [f"{n[:2]}:{name}" for n, entry in lessons.items() for name, v in entry["values"].items() if v.get("over")]
    table = recorded_claims()
    assert list(table.columns) == ["claim", "wins", "level", "loses", "lessons"]
    for id_, claim in claims.load().items():
        counted = table.loc[id_, ["wins", "level", "loses"]].sum() if id_ in table.index else 0
        assert counted == len(claim.deciding(gains)), id_
    assert table.index.isin(claims.load()).all()


def test_the_files_hold_what_lessons_and_benchmarks_recorded():
    answers = results_tables.answers(results_tables.PLAN["headlines"])
    assert results_tables.as_csv(answers) == recorded.ANSWERS.read_text("utf-8")
    assert results_tables.as_csv(results_tables.verdicts()) == recorded.VERDICTS.read_text("utf-8")


def test_an_unknown_topic_is_named():
    with pytest.raises(UnknownName, match=r"There is no topic 'join'\. Did you mean 'joining'\?"):
        recorded_rows("join")


def test_the_crossover_holds_every_question_at_every_recorded_setting_of_the_dial():
    table = recorded_crossover()
    asked = {part: list(dict.fromkeys(rows["asked"])) for part, rows in table.groupby("part")}
    assert set(asked["confidences"]) == {"1 to 4", "5 to 19", "20 to 99", "100 and more"}
    assert {"all customers", "customers in a project", "bought before"} < set(asked["next visit"])
    dials = set(table["structure"])
    assert {0.0, STRUCTURE} <= dials
    for _, rows in table.groupby(["part", "asked", "system", "metric"]):
        assert rows["structure"].tolist() == sorted(dials)
    assert (table["seeds"] >= 1).all()
    assert (table["low"] <= table["gain"]).all()
    assert (table["gain"] <= table["high"]).all()
    assert set(table["verdict"]) <= {"wins", "level", "loses"}


def test_a_row_of_the_crossover_is_that_of_its_benchmark():
    measured = results_tables.measured("crossover")
    for row in recorded_crossover().itertuples():
        where = measured["asked" if row.part == "next visit" else "baskets"] == row.asked
        where &= (measured["structure"] == f"{row.structure:g}") & (measured["system"] == row.system)
        values = measured[where].set_index("metric")["value"]
        assert row.value == pytest.approx(values[row.metric], abs=1e-6)
        assert row.gain == pytest.approx(values[f"{row.metric} gain on best counting"], abs=1e-6)


def test_the_picture_of_the_crossover_is_drawn_from_its_rows():
    folder = results_tables.RESULTS / "benchmarks"
    rows = (folder / "crossover.csv").read_text("utf-8")
    assert f"tEXtSource\0{harness.fingerprint(rows)}".encode() in (folder / "crossover.png").read_bytes()

"""The comparison of libraries: exact answers, verdicts, and a page that says what the table says."""

from __future__ import annotations

import sys
from pathlib import Path

import libraries
import library_questions
import pandas as pd
import pytest

TABLE = pd.read_csv(libraries.TABLE, dtype=str, keep_default_na=False)
BY_NAME = {(question.topic, question.name): question for question in libraries.QUESTIONS}


def exact(topic: str, name: str, case: int = 0) -> dict:
    question = BY_NAME[topic, name]
    return library_questions.exact(question, question.cases[case])


def test_the_exact_answers_are_those_of_a_pencil():
    assert exact("itemsets", "on .07") == {frozenset("a"): 7, frozenset("b"): 7, frozenset("ab"): 7, frozenset("c"): 93}
    assert exact("itemsets", "twice") == {frozenset("a"): 2, frozenset("b"): 2}
    assert len(exact("itemsets", "nine")) == 2**9 - 1
    a, b = frozenset("a"), frozenset("b")
    assert exact("itemsets", "conf .8") == {(a, b): 16 / 20, (b, a): 1}
    assert [len(exact("itemsets", "on k/100", k)) for k in (0, 49, 98)] == [4, 4, 3]
    assert exact("patterns", "in a row") == {("a",): 2, ("a", "a"): 2}
    assert exact("patterns", "once each") == {("b",): 2}


def test_the_exact_metrics_are_means_over_orders():
    tied = pytest.approx(
        {"NDCG@10": 0.6404, "MAP@10": 25 / 48, "MRR": 25 / 48, "P@10": 0.1, "R@10": 1, "HR@10": 1}, abs=1e-4
    )
    assert exact("rankings", "tie, first") == tied
    assert exact("rankings", "tie, last") == tied
    assert exact("rankings", "one hit")["NDCG@10"] == 0.5
    assert exact("rankings", "item twice")["NDCG@10"] == 1
    assert exact("rankings", "many right")["R@10"] == 0.5


def test_a_difference_is_named():
    question = BY_NAME["itemsets", "twice"]
    truth = {frozenset("a"): 2, frozenset("b"): 2}
    right = [[["a"], 2], [["b"], 2]]
    assert libraries.difference(question, truth, right) == "exact"
    assert libraries.difference(question, truth, right[:1]) == "lacks 1 of 2"
    assert libraries.difference(question, truth, [*right, [["a", "b"], 1]]) == "1 too many"
    assert libraries.difference(question, truth, [[["a"], 3], [["b"], 2]]) == "1 miscounted"
    assert libraries.difference(question, truth, [*right, [["a"], 2]]) == "1 repeated"


def test_what_cannot_be_asked_is_not_invented(tmp_path: Path):
    peer = libraries.Peer("itemsets", "nobody", "nobody==1.0")
    question = BY_NAME["itemsets", "twice"]
    (answers,) = libraries.ask(peer, [question], "cannot be installed: no such version", tmp_path)
    (row,) = libraries.judged(peer, question, answers)
    assert (row["verdict"], row["answer"]) == ("not available", "cannot be installed: no such version")
    (row,) = libraries.judged(peer, question, [{"refused": "ValueError: items must be unique"}])
    assert (row["verdict"], row["answer"]) == ("refuses", "ValueError: items must be unique")
    (answers,) = libraries.ask(peer, [question], Path(sys.executable), tmp_path)
    assert "does not run here: KeyError: 'nobody'" in answers[0]["refused"]


def test_what_is_installed_here_answers_as_recorded(tmp_path: Path):
    peers = [peer for peer in libraries.PEERS if peer.name.split()[0] in libraries.SMOKE]
    found = libraries.measure(peers, tmp_path, here=True)
    ours = found[(found["library"] == libraries.KIT) & (found["verdict"] == "differs")]
    assert set(zip(ours["topic"], ours["question"], strict=True)) == {("itemsets", "empty"), ("rankings", "empty list")}
    keys = ["topic", "question", "library", "version", "measure"]
    both = found.merge(TABLE, on=keys, suffixes=("", " recorded"))
    assert set(both["library"]) >= {libraries.KIT}
    assert both["answer"].to_list() == both["answer recorded"].to_list()


def test_every_library_was_asked_everything():
    asked = {
        (peer.topic, peer.name, q.name)
        for peer in libraries.PEERS
        for q in libraries.QUESTIONS
        if q.topic == peer.topic
    }
    assert set(TABLE[["topic", "library", "question"]].itertuples(index=False, name=None)) == asked
    pins = {(peer.topic, peer.name, peer.needs.split()[0].split("==")[1]) for peer in libraries.PEERS if peer.needs}
    recorded = set(TABLE[["topic", "library", "version"]].itertuples(index=False, name=None))
    assert {row for row in recorded if row[1] != libraries.KIT} == pins
    assert set(TABLE["verdict"]) <= {"exact", "differs", "refuses", "not available"}


def test_page_and_lessons_say_what_the_table_says():
    assert libraries.PAGE.read_text(encoding="utf-8") == libraries.page(TABLE)
    assert libraries.SHOWN.read_text(encoding="utf-8") == libraries.in_lessons(TABLE).to_csv(index=False)


def test_an_unknown_library_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(sys, "argv", ["libraries.py", "--peers", "nobody", "--work", str(tmp_path)])
    with pytest.raises(SystemExit, match=r"No such peer: choose from llmarm, mlxtend apriori"):
        libraries.main()

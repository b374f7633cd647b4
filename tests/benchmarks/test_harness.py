"""The harness of the benchmarks: rows, resume, whole writes, kept models, gains, costs; examples worked by hand."""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import harness
import numpy as np
import pandas as pd
import peers
import pytest
import rows as schema

from llmarm_tutorial import files
from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.errors import DataError, RunError
from llmarm_tutorial.evaluation.tasks import Task

ROOT = Path(__file__).resolve().parents[2]
DATA = Transactions.from_baskets([["a", "b"], ["a", "c"]], name="made up")


def bench_in(folder: Path, data: Transactions = DATA, **options: object) -> harness.Bench:
    """A bench as the command line makes it, with one data set that is at hand."""
    given = harness.parser("", data=["made up"]).parse_args(["--work", str(folder), "--out", str(folder / "out")])
    bench = harness.Bench("some", argparse.Namespace(**vars(given) | options))
    bench._loaded["made up"] = data
    return bench


def run(monkeypatch: pytest.MonkeyPatch, folder: Path, measure, *arguments: str, figures=None) -> None:
    """Call `harness.run` as `python benchmarks/some.py ARGUMENTS` does."""
    words = ["--work", str(folder), "--out", str(folder / "out"), *arguments]
    monkeypatch.setattr(sys, "argv", ["benchmarks/some.py", *words])
    harness.run(harness.parser("", data=["shop"], seeds=(1, 2)), measure, figures)


# --- rows ------------------------------------------------------------------------------------------------------------


def test_rows_come_back_bit_for_bit(tmp_path: Path):
    bench = bench_in(tmp_path)
    bench.add("made up", "one", {"MRR": (1 / 3, 0.1, 2 / 3), "HR@10": 0.5}, seed=2, setting="task=new", seconds=1e-9)
    bench.add("made up", "NA", {"MRR": float("nan")}, notes={"note": "too slow"})
    again = bench_in(tmp_path)
    pd.testing.assert_frame_equal(again.rows, bench.rows)
    assert tuple(again.rows.columns) == schema.COLUMNS
    assert again.rows["value"][0] == 1 / 3
    assert again.rows["system"][2] == "NA"  # a name, not a missing one
    assert again.notes == {"made up | NA": {"note": "too slow"}}


def test_what_is_forgotten_leaves_no_note(tmp_path: Path):
    bench = bench_in(tmp_path)
    bench.add("made up", "one", {"seconds": 0.0}, setting="outcome=refused", notes={"note": "refused"})
    bench.add("made up", "two", {"seconds": 2.0}, setting="outcome=done", notes={"note": "done"})
    bench.forget("made up", "one")
    bench.add("made up", "one", {"seconds": 1.0}, setting="outcome=done", notes={"note": "done"})
    again = bench_in(tmp_path)
    assert again.notes == {
        "made up | outcome=done | two": {"note": "done"},
        "made up | outcome=done | one": {"note": "done"},
    }
    assert again.rows[["system", "value"]].to_numpy().tolist() == [["two", 2.0], ["one", 1.0]]


def test_mean_and_spread_over_seeds():
    """0.1, 0.2, 0.3: mean 0.2, standard deviation with n − 1 below 0.1."""
    found = [("d", "s", "", seed, "MRR", seed / 10, seed / 20, np.nan, seed, 8) for seed in (1, 2, 3)]
    found.append(("d", "t", "", 0, "MRR", 0.4, np.nan, np.nan, 1, np.nan))
    table = schema.over_seeds(pd.DataFrame(found, columns=schema.COLUMNS))
    assert table["system"].tolist() == ["s", "t"]
    assert table["seeds"].tolist() == [3, 1]
    assert table.loc[0, ["value", "sd", "low", "seconds"]].tolist() == pytest.approx([0.2, 0.1, 0.1, 2])
    assert np.isnan(table["sd"][1])


def test_a_stored_mean_keeps_its_stored_spread():
    """Of old runs only a mean and a standard deviation are known; neither is taken for a value of one seed."""
    found = [
        ("d", "s", "", None, "MRR", 0.2, np.nan, np.nan, np.nan, np.nan),
        ("d", "s", "", None, "MRR, sd of 3 seeds", 0.1, np.nan, np.nan, np.nan, np.nan),
        ("d", "s", "", 0, "HR@10", 0.5, 0.4, 0.6, np.nan, np.nan),
    ]
    table = schema.over_seeds(pd.DataFrame(found, columns=schema.COLUMNS))
    assert table["metric"].tolist() == ["MRR", "HR@10"]
    assert table[["value", "sd", "seeds"]].iloc[0].tolist() == [0.2, 0.1, 3]
    assert table["seeds"].tolist() == [3, 1]
    assert table[["low", "high"]].iloc[1].tolist() == [0.4, 0.6]


def test_a_setting_is_unfolded_into_columns():
    assert schema.setting(support=0.05, task="new") == "support=0.05; task=new"
    table = schema.unfolded(pd.DataFrame({"setting": ["support=0.05; task=new", "", "task=a=b"]}))
    assert table[["support", "task"]].to_numpy().tolist() == [["0.05", "new"], ["", ""], ["", "a=b"]]


RECORDED = [path for path in sorted((ROOT / "results" / "benchmarks").glob("*.csv")) if path.stem != "libraries"]


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_recorded_rows_have_the_schema_and_no_row_twice(path: Path):
    assert pd.read_csv(path, nrows=0).columns.tolist() == list(schema.COLUMNS)
    table = schema.read_rows(path)
    assert not table.duplicated(list(schema.KEY)).any()
    assert (table["low"].isna() | ((table["low"] <= table["value"]) & (table["value"] <= table["high"]))).all()


# --- resume ----------------------------------------------------------------------------------------------------------


def test_seeds_that_are_missing_are_those_asked_for_and_not_measured(tmp_path: Path):
    bench = bench_in(tmp_path, seeds=[1, 2, 3])
    bench.add("made up", "one", {"MRR": 0.5}, seed=2, made_of=[3])
    assert bench.missing("made up", "one", made_of=[3]) == [1, 3]
    assert bench.missing("made up", "one", made_of=[4]) == [1, 2, 3]
    assert bench.missing("made up", "one", setting="task=another", made_of=[3]) == [1, 2, 3]


def test_what_is_there_is_not_measured_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    measured = []

    def measure(bench: harness.Bench) -> None:
        for seed in bench.options.seeds:
            if not bench.has("made up", "one", seed=seed, made_of=[3]):
                measured.append(seed)
                bench.add("made up", "one", {"MRR": seed / 2}, seed=seed, made_of=[3])

    run(monkeypatch, tmp_path, measure, "--seeds", "1")
    run(monkeypatch, tmp_path, measure)
    assert measured == [1, 2]
    assert schema.read_rows(tmp_path / "out" / "some.csv")["value"].tolist() == [0.5, 1]
    run(monkeypatch, tmp_path, lambda bench: pytest.fail("--collect measures nothing"), "--collect")


def test_a_measurement_is_stale_when_what_decides_it_changes(tmp_path: Path):
    bench = bench_in(tmp_path)
    bench.add("made up", "one", {"MRR": 0.5, "HR@10": 1}, made_of=[3])
    assert bench.has("made up", "one", made_of=[3])
    assert not bench.has("made up", "one", made_of=[4])
    assert not bench.has("made up", "one", seed=1, made_of=[3])
    assert not bench.has("made up", "one", setting="task=new", made_of=[3])
    other = Transactions.from_baskets([["a", "b"], ["a", "d"]], name="made up")
    assert not bench_in(tmp_path, other).has("made up", "one", made_of=[3])
    bench.add("made up", "one", {"MRR": 0.7}, made_of=[4])  # in place of both old rows
    assert bench.rows[["metric", "value"]].to_numpy().tolist() == [["MRR", 0.7]]


def test_a_mean_over_seeds_is_of_one_thing(tmp_path: Path):
    """A new recipe measured with one seed takes the other seeds of the old recipe with it, and the old gain."""
    bench, case = bench_in(tmp_path), {"NDCG@10": np.ones(2)}
    for seed in (1, 2):
        bench.add("made up", "model", {"NDCG@10": 1}, seed=seed, made_of=["old"], cases=case)
    bench.add("made up", "sr", {"NDCG@10": 0}, cases={"NDCG@10": np.zeros(2)})
    bench.gain("made up", "model", "sr")
    bench.add("made up", "model", {"NDCG@10": 0.5}, seed=1, made_of=["new"], cases={"NDCG@10": np.full(2, 0.5)})
    assert bench.rows[["system", "seed", "value"]].to_numpy().tolist() == [["sr", 0, 0], ["model", 1, 0.5]]
    bench.gain("made up", "model", "sr")
    assert bench.rows["value"].iloc[-1] == 0.5


def test_a_fingerprint_tells_apart_what_differs_and_refuses_what_it_cannot_tell():
    histories = Histories.from_lists([[0, 1], [2]])
    task, other = Task.from_lists([[0]], [[1]], 3), Task.from_lists([[0]], [[2]], 3)
    different = [
        1, 1.5, "1", None, [1], {"a": 1}, {"b": 1}, np.arange(3), np.arange(3.0), histories,
        Histories.from_lists([[0], [1, 2]]), task, other, DATA,
    ]  # fmt: skip
    assert len({harness.fingerprint(part) for part in different}) == len(different)
    assert harness.fingerprint(np.float64(1.5), [1, 2]) == harness.fingerprint(1.5, (1, 2))
    with pytest.raises(TypeError, match="a object cannot be told"):
        harness.fingerprint(object())


# --- whole or not at all ----------------------------------------------------------------------------------------------

ENDLESS = """
import argparse, sys
from pathlib import Path
import harness, numpy as np
options = harness.parser("", data=["x"]).parse_args(["--work", sys.argv[1]])
bench = harness.Bench("some", options)
for seed in range(1, 10**6):
    values = {f"metric {number}": seed + number / 10 for number in range(10)}
    bench.add("x", "one", values, seed=seed, cases={"metric 0": np.full(50, seed)}, notes={"seed": seed})
"""


def test_after_a_kill_every_measurement_is_there_whole_or_not_at_all(tmp_path: Path):
    path = f"{ROOT / 'benchmarks'}:{ROOT}"
    process = subprocess.Popen(
        [sys.executable, "-c", ENDLESS, tmp_path], stdout=subprocess.DEVNULL, env={"PYTHONPATH": path}
    )
    rows = tmp_path / "some" / "rows.csv"
    deadline = time.monotonic() + 60
    while not (rows.exists() and rows.stat().st_size > 5000):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    bench = bench_in(tmp_path)
    seeds = bench.rows.groupby("seed")["value"].agg(["size", "sum"])
    assert (seeds["size"] == 10).all()
    assert seeds["sum"].to_numpy() == pytest.approx(10 * seeds.index.to_numpy(int) + 4.5)
    assert bench.cases("x", "one", "metric 0")[0] == pytest.approx(seeds.index.to_numpy(int).mean())


def test_a_write_that_fails_leaves_the_rows_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    bench = bench_in(tmp_path)
    bench.add("made up", "one", {"MRR": 0.5})
    before = (tmp_path / "some" / "rows.csv").read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "replace", full)
    with pytest.raises(RunError, match="free some space"):
        bench.add("made up", "two", {"MRR": 0.7})
    assert (tmp_path / "some" / "rows.csv").read_bytes() == before
    assert [path.name for path in (tmp_path / "some").iterdir()] == ["rows.csv"]


# --- gains -----------------------------------------------------------------------------------------------------------


def test_a_gain_worked_by_hand(tmp_path: Path):
    """Seeds (1, 0) and (1, 1) average to (1, .5), less (0, .5) are gains 1 and 0: mean .5.

    Of two draws from {1, 0} a quarter has the mean 0 and a quarter 1, so the 2.5 % and 97.5 % points are 0 and 1.
    """
    bench = bench_in(tmp_path)
    for seed, found in ((1, [1, 0]), (2, [1, 1])):
        bench.add("made up", "model", {"NDCG@10": np.mean(found)}, seed=seed, cases={"NDCG@10": np.array(found)})
    bench.add("made up", "sr", {"NDCG@10": 0.25}, cases={"NDCG@10": np.array([0, 0.5])})
    bench_in(tmp_path).gain("made up", "model", "sr")
    row = bench_in(tmp_path).rows.iloc[-1]
    assert row["metric"] == "NDCG@10 gain on sr"
    assert row["seed"] is pd.NA
    assert row[["value", "low", "high"]].tolist() == [0.5, 0, 1]


def test_cases_of_one_cluster_are_drawn_together(tmp_path: Path):
    """Gains of 1 and 0, five of each: of two clusters a quarter of the draws has the mean 0, and a quarter 1."""
    bench, cases = bench_in(tmp_path), np.repeat([1.0, 0.0], 5)
    bench.add("made up", "model", {"MRR": 0.5}, cases={"MRR": cases})
    bench.add("made up", "rival", {"MRR": 0}, cases={"MRR": np.zeros(10)})
    for clusters, whole in (([np.repeat([0, 1], 5)], True), ((), False)):
        bench.gain("made up", "model", "rival", "MRR", clusters=clusters)
        value, low, high = bench.rows.iloc[-1][["value", "low", "high"]]
        assert value == 0.5
        assert ((low, high) == (0, 1)) is whole
        assert whole or 0 < low < 0.5 < high < 1


def test_a_gain_goes_when_either_side_is_measured_on_another_seed(tmp_path: Path):
    bench, cases = bench_in(tmp_path), {"MRR": np.array([0.5, 1])}
    for system in ("model", "rival", "third"):
        bench.add("made up", system, {"MRR": 0.75}, seed=1, cases=cases)
    for changed, left in (("rival", "MRR gain on model"), ("model", None)):
        bench.gain("made up", "model", "rival", "MRR")
        bench.gain("made up", "third", "model", "MRR")
        bench.add("made up", changed, {"MRR": 0.5}, setting="task=another")  # has nothing to do with them
        assert bench.rows["seed"].isna().sum() == 2
        bench.add("made up", changed, {"MRR": 0.5}, seed=2, cases=cases)
        assert bench.rows[bench.rows["seed"].isna()]["metric"].tolist() == ([left] if left else [])


def test_a_gain_is_paired_and_leaves_out_cases_without_a_value(tmp_path: Path):
    """Cases differ much, the two systems always by .125: the interval has no width."""
    bench, hard = bench_in(tmp_path), np.array([0, 0.25, 0.5, np.nan, 0.75])
    bench.add("made up", "sr", {"MRR": 0}, cases={"MRR": hard})
    bench.add("made up", "model", {"MRR": 0}, cases={"MRR": hard + 0.125})
    bench.gain("made up", "model", "sr", "MRR")
    assert bench.rows.iloc[-1][["value", "low", "high"]].tolist() == [0.125, 0.125, 0.125]
    bench.gain("made up", "model", "never measured", "MRR")
    assert len(bench.rows) == 3
    bench.add("made up", "few", {"MRR": 0}, cases={"MRR": np.zeros(2)})
    with pytest.raises(RunError, match="different cases of made up"):
        bench.gain("made up", "few", "sr", "MRR")


def test_a_gain_is_over_the_seeds_that_both_have(tmp_path: Path):
    """Seed 2 of the rival is better by .5 for every case; a model with seed 1 alone is compared with seed 1 alone."""
    bench, hard = bench_in(tmp_path), np.array([0, 0.25, 0.5])
    for seed in (1, 2):
        bench.add("made up", "plain", {"MRR": 0}, seed=seed, cases={"MRR": hard + (seed - 1) / 2})
    bench.add("made up", "model", {"MRR": 0}, seed=1, cases={"MRR": hard + 0.125})
    bench.gain("made up", "model", "plain", "MRR")
    assert bench.rows.iloc[-1][["value", "low", "high"]].tolist() == [0.125, 0.125, 0.125]
    assert bench.seeds("made up", "model") == [1]
    assert bench.seeds("made up", "plain") == [1, 2]


# --- models ----------------------------------------------------------------------------------------------------------


def test_a_stale_model_is_caught(tmp_path: Path):
    """A model is reused only where recipe, seed, histories, validation and start are the same."""
    from llmarm_tutorial.models.recipes import Recipe

    recipe = Recipe(hidden=8, layers=1, heads=1, feed_forward=8, max_length=6, epochs=1, batch_size=4)
    histories = Histories.from_lists([[0, 1, 2, 3], [3, 2, 1, 0]] * 8, 12)
    task = Task.from_lists([[0, 1]], [[2]], 12)
    bench, kept = bench_in(tmp_path), tmp_path / "models"

    def weights(*which, **how) -> bytes:
        return bench.model(*which, **how).recommender.model.output_table.detach().numpy().tobytes()

    first = weights(recipe, histories, 1)
    assert len(list(kept.iterdir())) == 1
    assert weights(replace(recipe), histories, 1) == first
    assert len(list(kept.iterdir())) == 1  # opened, not trained
    changed = [
        ((replace(recipe, learning_rate=0.02), histories, 1), {}),
        ((recipe, histories, 2), {}),
        ((recipe, Histories.from_lists([[0, 1, 2, 3], [2, 3, 1, 0]] * 8, 12), 1), {}),
        ((recipe, histories, 1), {"start": recipe.model(histories, seed=5)}),
    ]
    assert len({first, *(weights(*which, **how) for which, how in changed)}) == 5
    weights(recipe, histories, 1, validation=task)
    weights(recipe, histories, 1, validation=task, filter_seen=False)
    assert len(list(kept.iterdir())) == 7


def test_smoke_makes_a_model_smaller_but_of_the_same_kind(tmp_path: Path):
    from llmarm_tutorial.models.recipes import Recipe

    recipe = Recipe(objective="masked", hidden=256, positions=False)
    assert bench_in(tmp_path).smaller(recipe) is recipe
    small = bench_in(tmp_path, smoke=True).smaller(recipe)
    assert (small.objective, small.positions) == ("masked", False)
    assert small.hidden < 64


# --- the command line -------------------------------------------------------------------------------------------------


def test_what_a_run_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from matplotlib.figure import Figure

    run(
        monkeypatch, tmp_path, lambda bench: bench.add("shop", "one", {"MRR": 1 / 3}), "--smoke",
        figures=lambda rows, bench: {"drawn": Figure()},
    )  # fmt: skip
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["drawn.png", "some.csv", "some.json"]
    about = (tmp_path / "out" / "some.json").read_text(encoding="utf-8")
    assert '"command": "python benchmarks/some.py --work' in about
    assert '"numpy"' in about
    assert " cores" in about


def test_smoke_takes_few_customers_of_the_shop_and_one_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    seen = []

    def measure(bench: harness.Bench) -> None:
        seen.extend((name, data.describe()["users"], bench.options.seeds) for name, data in bench.datasets())
        bench.add("shop", "one", {"MRR": 1})

    run(monkeypatch, tmp_path, measure, "--smoke")
    assert seen == [("shop", harness.CUSTOMERS, [1])]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--data", "bananas"], "None of the data sets is on this machine: fetch them"),
        (["--collect"], "holds no results"),
    ],
)
def test_a_run_that_cannot_be_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments, says):
    with pytest.raises(SystemExit, match=says):
        run(monkeypatch, tmp_path, lambda bench: list(bench.datasets()), *arguments)


def test_a_set_without_a_recipe_is_refused_with_those_that_have_one(capsys: pytest.CaptureFixture):
    with pytest.raises(SystemExit):
        harness.parser("", data=["shop"], choices=["shop", "beauty"]).parse_args(["--data", "groceries"])
    assert "invalid choice: 'groceries' (choose from 'shop', 'beauty')" in capsys.readouterr().err.replace(
        "shop, beauty", "'shop', 'beauty'"
    )


@pytest.mark.parametrize("content", ["", "data,system", "data,system,setting,seed\n1,2", "\x00"])
@pytest.mark.parametrize("name", ["rows.csv", "notes.json"])
def test_a_damaged_work_folder_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name, content):
    (tmp_path / "some").mkdir()
    (tmp_path / "some" / name).write_text(content)
    with pytest.raises(SystemExit, match="damaged: empty it, or name another --work"):
        run(monkeypatch, tmp_path, lambda bench: None)


def test_what_stands_in_the_folder_is_read_while_no_other_run_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def begin(name: str, options: argparse.Namespace) -> None:
        with pytest.raises(RunError), files.lock(tmp_path / "some", wait=False):
            pass
        raise RunError("it is held")

    monkeypatch.setattr(harness, "Bench", begin)
    with pytest.raises(SystemExit, match="it is held"):
        run(monkeypatch, tmp_path, lambda bench: None)


def test_half_a_word_is_no_option(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Else  --smok  would write what few customers give over the results."""
    with pytest.raises(SystemExit, match="2"):
        run(monkeypatch, tmp_path, lambda bench: bench.add("shop", "one", {"MRR": 1}), "--smok")


def test_two_runs_in_one_folder_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with files.lock(tmp_path / "some", wait=False), pytest.raises(SystemExit, match="name another --work"):
        run(monkeypatch, tmp_path, lambda bench: None)


def test_a_set_that_is_not_here_is_named_and_left_out(tmp_path: Path, capsys: pytest.CaptureFixture):
    bench = bench_in(tmp_path)
    bench.options.data = ["bananas", "made up@0.1", "made up@0.2"]
    assert [name for name, _ in bench.datasets()] == ["made up"]
    assert "bananas: left out." in capsys.readouterr().out
    bench.options.data = ["bananas"]
    with pytest.raises(DataError, match="llmarm data fetch"):
        list(bench.datasets())


# --- a process of its own ---------------------------------------------------------------------------------------------


def job(kind: str):
    """A job that counts to three, with 64 MB, an error, or no end."""

    def counted() -> int:
        if kind == "fails":
            raise ValueError("no such basket")
        while kind == "endless":
            pass
        return 3 if kind == "counts" else int(np.ones(8 * 2**20).sum() > 0)

    if kind == "unprepared":
        raise ImportError("no such miner")
    return counted


def test_what_a_job_costs():
    spent = peers.apart(partial(job, "counts"), repeats=3)
    assert (spent.value, spent.runs, spent.note) == (3, 3, "")
    assert spent.memory < 32
    assert 0 <= spent.seconds < 1
    assert 50 < peers.apart(partial(job, "large"), fresh=False).memory < 90


@pytest.mark.parametrize(
    ("kind", "note"),
    [
        ("fails", "ValueError: no such basket"),
        ("unprepared", "ImportError: no such miner"),
        ("endless", "did not end within its limit"),
    ],
)
def test_a_job_that_gives_nothing_says_why(kind: str, note: str):
    spent = peers.apart(partial(job, kind), limit=1, fresh=False)
    assert np.isnan(spent.value)
    assert spent.note == note

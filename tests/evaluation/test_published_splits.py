"""Published splits: matrices, tasks, histories that know their users, and the figures of the release by hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from given_scores import Given
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from llmarm_tutorial.data import loading
from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.errors import BadParameter, DataError, UnknownName
from llmarm_tutorial.evaluation import published_splits
from llmarm_tutorial.evaluation.published_splits import PublishedSplit, cells, user_histories
from llmarm_tutorial.evaluation.ranking import evaluate


def small(train: list[list[int]], test: list[list[int]], n_items: int) -> PublishedSplit:
    def matrix(rows: list[list[int]]) -> sparse.csr_matrix:
        numbers = [row for row, items in enumerate(rows) for _ in items]
        return cells(
            np.array(numbers, int), np.array([item for items in rows for item in items], int), (len(rows), n_items)
        )

    return PublishedSplit("small", matrix(train), matrix(test), np.arange(len(train)) + 10, np.arange(n_items))


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Both formats, a few rows each: user 4 and artist 9 occur in the test only."""
    for name in ("lastfm", "gowalla"):
        (tmp_path / name).mkdir()
    (tmp_path / "lastfm" / "data1.txt").write_text("2\t7\t100\n1\t5\t3\n1\t7\t20\n")
    (tmp_path / "lastfm" / "test1.txt").write_text("4\t5\t1\n1\t9\t8\n")
    (tmp_path / "gowalla" / "train.txt").write_text("0 2 0 \n1\n3 1\n")
    (tmp_path / "gowalla" / "test.txt").write_text("0 4\n3 0 2\n")
    monkeypatch.setenv("LLMARM_DATA", str(tmp_path))
    return tmp_path


def test_a_split_of_plays(files: Path):
    split = published_splits.split("lastfm")
    assert (split.user_ids.tolist(), split.item_ids.tolist()) == ([1, 2, 4], [5, 7, 9])
    assert split.train.toarray().tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 0]]
    assert split.test.toarray().tolist() == [[0, 0, 1], [0, 0, 0], [1, 0, 0]]
    data = loading.load("lastfm")
    assert data.aspects == {"users"}
    assert data.items["item_id"].tolist() == split.item_ids.tolist()
    assert data.table["quantity"].tolist() == [3, 20, 8, 100, 1]


def test_a_split_of_lines(files: Path):
    split = published_splits.split("gowalla")
    assert (split.user_ids.tolist(), split.item_ids.tolist()) == ([0, 3], [0, 1, 2, 4])
    assert split.train.toarray().tolist() == [[1, 0, 1, 0], [0, 1, 0, 0]]
    assert split.test.toarray().tolist() == [[0, 0, 0, 1], [1, 0, 1, 0]]
    assert len(loading.load("gowalla")) == 6


def test_a_check_tells_the_parts_apart(files: Path):
    rows = {row.what: row for row in loading.check("gowalla").rows}
    assert (rows["train rows"].found, rows["test rows"].found) == (3, 3)
    assert rows["train rows"].expected == 810128
    assert not rows["train rows"].ok


@pytest.mark.parametrize("name", ["lastfm", "gowalla"])
def test_the_real_splits_hold_what_the_release_does(real_data: Path, name: str):
    if not (real_data / name).exists():
        pytest.skip(f"{name} is not in {real_data}")
    split = published_splits.split(name)
    counts = {"lastfm": (1880, 4489, 42135, 10533), "gowalla": (29858, 40981, 810128, 217242)}[name]
    assert (*split.train.shape, split.train.nnz, split.test.nnz) == counts
    assert split.train.multiply(split.test).nnz == 0
    assert set(split.train.data) == {1.0}
    assert loading.check(name).ok


def test_names_of_other_sets_and_files_that_are_missing(files: Path):
    with pytest.raises(UnknownName, match=r"no published split 'beauty'\. Valid: gowalla, lastfm"):
        published_splits.split("beauty")
    (files / "lastfm" / "test1.txt").unlink()
    with pytest.raises(DataError, match=r"beside .*data1\.txt the file test1\.txt is missing"):
        published_splits.split("lastfm")


def test_files_of_another_format(files: Path):
    (files / "gowalla" / "test.txt").write_text("<html>404</html>\n")
    with pytest.raises(DataError, match=r"gowalla: .* is not in the format of this data set: "):
        published_splits.split("gowalla")


def test_a_task_asks_everybody_with_test_items():
    split = small([[0, 2], [1], [], [3]], [[1], [], [0, 3], [0]], 4)
    task = split.task()
    assert task.users.tolist() == [10, 12, 13]
    assert [task.histories.of(row).tolist() for row in range(3)] == [[0, 2], [], [3]]
    assert task.histories.users.tolist() == [0, 2, 3]
    assert task.item_counts.tolist() == [1, 1, 1, 1]
    assert task.take(np.array([2, 0])).histories.users.tolist() == [3, 0]
    assert split.task(max_cases=2, seed=3).users.tolist() == split.task(max_cases=2, seed=3).users.tolist()
    assert len(split.task(max_cases=2)) == 2
    with pytest.raises(BadParameter, match="from 1, not 0"):
        split.task(max_cases=0)


def test_histories_keep_their_users_in_every_view():
    known = user_histories(small([[0, 2], [1], [], [3]], [[]] * 4, 4).train, np.array([3, 0, 2]))
    assert known.visits.tolist() == [0, 0, 1]
    part = known.block(1, 3)
    assert isinstance(part, Histories)
    assert (part.users.tolist(), part.of(0).tolist(), len(part)) == ([0, 2], [0, 2], 2)
    assert known.take(np.array([1])).users.tolist() == [0]


def test_the_figures_of_the_release_by_hand():
    """Recall and NDCG at 2: the first case finds its only item second, the second finds one of three, first."""
    split = small([[0], [5]], [[1], [0, 1, 2]], 6)
    # what is known already has the best score
    given = Given([[9.0, 5, 6, 1, 1, 1], [7, 0, 1, 6, 5, 9]])
    found = evaluate(given, split.task(), ks=(2,), block=2)
    assert found.values("Recall@2").tolist() == [1.0, pytest.approx(1 / 3)]
    second = 1 / math.log2(3)
    assert found.values("NDCG@2") == pytest.approx([second / 1, 1 / (1 + second)])


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_recall_and_ndcg_are_those_of_the_release(data: st.DataObject):
    """Against its formulas, written from the list of k: hits over targets, and gains over those of min(k, n) hits."""
    n_items, k = 12, data.draw(st.integers(1, 8))
    scores = np.array(data.draw(st.permutations(range(n_items))), float)[None]
    test = data.draw(st.sets(st.integers(0, n_items - 1), min_size=1, max_size=n_items - 1))
    rest = sorted(set(range(n_items)) - test)
    seen = data.draw(st.sets(st.sampled_from(rest)))
    found = evaluate(Given(scores.copy()), small([sorted(seen)], [sorted(test)], n_items).task(), ks=(k,))
    scores[0, sorted(seen)] = -np.inf
    hits = np.isin(np.argsort(-scores[0])[:k], sorted(test))
    gains = 1 / np.log2(np.arange(2, k + 2))
    assert found.mean(f"Recall@{k}") == pytest.approx(hits.sum() / len(test))
    assert found.mean(f"NDCG@{k}") == pytest.approx((hits * gains).sum() / gains[: min(k, len(test))].sum())


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.05, 0.9))
def test_holding_out_splits_training_and_forgets_the_test(seed: int, share: float):
    held = (np.random.default_rng(seed).random((6, 15)) < 0.6).astype(int)
    held[:, 0] = 1
    split = small([list(np.flatnonzero(row)) for row in held], [[]] * 6, 15)
    part = split.held_out(0.9 if share > 0.5 else 0.4, seed=seed)
    assert (part.train + part.test != split.train).nnz == 0
    lengths, out = held.sum(1), np.diff(part.test.indptr)
    wanted = np.minimum(((0.9 if share > 0.5 else 0.4) * lengths + 0.5).astype(int), lengths - 1)
    assert out.tolist() == wanted.tolist()
    again = split.held_out(0.9 if share > 0.5 else 0.4, seed=seed)
    assert (again.test != part.test).nnz == 0


def test_holding_out_draws_at_random():
    split = small([list(range(40))], [[]], 40)
    firsts = {tuple(split.held_out(0.5, seed=seed).test.indices) for seed in range(5)}
    assert len(firsts) == 5


def test_shares_that_cannot_be_held_out():
    split = small([[0], [1]], [[], []], 2)
    with pytest.raises(BadParameter, match="between 0 and 1, not 1"):
        split.held_out(1)
    with pytest.raises(DataError, match="hold out more"):
        split.held_out(0.5)

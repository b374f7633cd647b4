"""LightGCN: the graph and its gradient against dense algebra and PyG, batches, losses, resuming, recommending."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.errors import BadParameter, DataError, UnknownName
from llmarm_tutorial.evaluation.published_splits import user_histories
from llmarm_tutorial.evaluation.ranking import evaluate
from llmarm_tutorial.evaluation.tasks import Task
from llmarm_tutorial.graphs.lightgcn import (
    GraphBatches,
    GraphLoss,
    GraphRecommender,
    LightGCN,
    csr_tensor,
    normalised_adjacency,
    propagate,
    published_settings,
)
from llmarm_tutorial.models.training import train


def drawn(seed: int, n_users: int = 7, n_items: int = 9, share: float = 0.35) -> sparse.csr_matrix:
    cells = np.random.default_rng(seed).random((n_users, n_items)) < share
    cells[0, 0] = True
    return sparse.csr_matrix(cells.astype(np.float32))


def clubs(n_users: int = 60, n_items: int = 40, seed: int = 0) -> sparse.csr_matrix:
    """Two circles of users that share no item."""
    random = np.random.default_rng(seed)
    held = random.random((n_users, n_items)) < 0.3
    held[: n_users // 2, n_items // 2 :] = False
    held[n_users // 2 :, : n_items // 2] = False
    return sparse.csr_matrix(held.astype(np.float32))


# --- the graph -------------------------------------------------------------------------------------------------------


def test_the_adjacency_by_hand():
    """Two users, three items: the first has 0 and 1, the second 1; nobody has 2."""
    matrix = normalised_adjacency(sparse.csr_matrix([[1, 4, 0], [0, 1, 0]])).toarray()
    one, two = 1 / math.sqrt(2 * 1), 1 / math.sqrt(2 * 2)
    other = 1 / math.sqrt(1 * 2)
    upper = np.array([[one, two, 0], [0, other, 0]])
    assert matrix == pytest.approx(np.block([[np.zeros((2, 2)), upper], [upper.T, np.zeros((3, 3))]]))


def test_layers_by_hand():
    """One user with one item, vectors 1 and 3: each layer swaps them, so two layers give (1+3+1)/3 and (3+1+3)/3."""
    adjacency = csr_tensor(normalised_adjacency(sparse.csr_matrix([[1]])))
    nodes = torch.tensor([[1.0], [3.0]])
    assert propagate(nodes, adjacency, 2).flatten().tolist() == pytest.approx([5 / 3, 7 / 3])
    assert propagate(nodes, adjacency, 0).tolist() == nodes.tolist()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 4))
def test_values_and_gradients_are_those_of_dense_algebra(seed: int, layers: int):
    matrix = normalised_adjacency(drawn(seed))
    dense = torch.from_numpy(matrix.toarray()).double()
    random = torch.Generator().manual_seed(seed)
    nodes = torch.randn(16, 3, generator=random)
    slope = torch.randn(16, 3, generator=random)
    mine, theirs = nodes.clone().requires_grad_(), nodes.double().requires_grad_()
    out = propagate(mine, csr_tensor(matrix), layers)
    wanted = sum(torch.linalg.matrix_power(dense, k) @ theirs for k in range(layers + 1)) / (layers + 1)
    assert out.detach().numpy() == pytest.approx(wanted.detach().numpy(), abs=1e-5)
    out.backward(slope)
    wanted.backward(slope.double())
    assert mine.grad.numpy() == pytest.approx(theirs.grad.numpy(), abs=1e-5)


@pytest.mark.parametrize("layers", [1, 3])
def test_the_same_vectors_as_pyg(layers: int):
    """PyG sends messages along edges: `models.LightGCN` on both directions of every edge."""
    models = pytest.importorskip("torch_geometric.nn.models", reason="torch-geometric is not installed")
    held = drawn(5, 40, 60, 0.15)
    model = LightGCN(held, 16, layers, seed=3)
    rows, columns = held.nonzero()
    edges = torch.tensor(np.array([[*rows, *(columns + 40)], [*(columns + 40), *rows]]), dtype=torch.int64)
    peer = models.LightGCN(100, 16, layers)
    with torch.no_grad():
        peer.embedding.weight.copy_(model.nodes)
    theirs, mine = peer.get_embedding(edges), model.propagated()
    assert mine.detach().numpy() == pytest.approx(theirs.detach().numpy(), abs=1e-6)
    slope = torch.randn(mine.shape, generator=torch.Generator().manual_seed(0))
    mine.backward(slope)
    theirs.backward(slope)
    assert model.nodes.grad.numpy() == pytest.approx(peer.embedding.weight.grad.numpy(), abs=1e-6)


def test_the_graph_is_not_stored_with_the_weights():
    assert list(LightGCN(drawn(0), 4).state_dict()) == ["nodes"]


def test_the_seed_decides_the_first_vectors():
    one, same, other = (LightGCN(drawn(0), 4, seed=seed).nodes for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    wide = LightGCN(drawn(0), 5000, spread=0.1).nodes.detach()
    assert float(wide.std()) == pytest.approx(0.1, rel=0.02)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"width": 0}, "width of vectors is at least 1, not 0"),
        ({"layers": -1}, "at least 0, not -1"),
        ({"spread": 0.0}, "above 0, not 0.0"),
    ],
)
def test_models_that_cannot_be(settings: dict, complaint: str):
    with pytest.raises(BadParameter, match=complaint):
        LightGCN(drawn(0), **settings)


def test_a_graph_without_edges():
    empty = sparse.csr_matrix((3, 4))
    with pytest.raises(DataError, match="no edges"):
        LightGCN(empty)
    with pytest.raises(DataError, match="nothing to tell apart"):
        GraphBatches(empty)
    with pytest.raises(DataError, match="nothing to tell apart"):
        GraphBatches(sparse.csr_matrix(np.ones((2, 3))))


# --- batches ---------------------------------------------------------------------------------------------------------


def test_bpr_batches_hold_what_users_have_and_have_not():
    held = drawn(3, 30, 20)
    cells = held.toarray()
    cells[4], cells[5] = 0, 1  # nothing, everything
    held = sparse.csr_matrix(cells)
    batches = GraphBatches(held, batch_size=64, seed=1)
    parts = list(batches.stream(0, range(batches.count(0))))
    users, positives, negatives = (torch.cat([part[name] for part in parts]).numpy() for name in NAMES)
    assert len(users) == held.nnz == sum(part["size"] for part in parts)
    assert (held.toarray()[users, positives] == 1).all()
    assert (held.toarray()[users, negatives] == 0).all()
    assert not {4, 5} & set(users)
    assert len(set(users)) > 20


NAMES = ("users", "positives", "negatives")


def test_users_are_drawn_evenly_and_negatives_among_the_rest_evenly():
    held = sparse.csr_matrix([[1, 1, 1, 1, 0, 0], [1, 0, 0, 0, 0, 0]])
    batches = GraphBatches(held, batch_size=1)
    users, positives, negatives = batches._pairs_apart(np.random.default_rng(0), 60_000)
    assert np.bincount(users) / 60_000 == pytest.approx([0.5, 0.5], abs=0.01)
    assert np.bincount(positives[users == 0]) / (users == 0).sum() == pytest.approx([0.25] * 4, abs=0.01)
    assert np.bincount(negatives[users == 0])[4:] / (users == 0).sum() == pytest.approx([0.5] * 2, abs=0.01)
    assert np.bincount(negatives[users == 1])[1:] / (users == 1).sum() == pytest.approx([0.2] * 5, abs=0.01)


def test_softmax_batches_hold_every_edge_once():
    held = drawn(3, 30, 20)
    batches = GraphBatches(held, "softmax", 50, negatives=7)
    for epoch in (0, 1):
        parts = list(batches.stream(epoch, range(batches.count(epoch))))
        cells = torch.cat([part["users"] * 20 + part["positives"] for part in parts]).numpy()
        assert sorted(cells) == sorted(np.flatnonzero(held.toarray()))
        assert {len(part["negatives"]) for part in parts} == {7}


def test_negatives_of_the_softmax_by_popularity():
    held = sparse.csr_matrix(np.repeat([[1, 0, 0, 0]], 6, 0) + np.array([[0, 1, 0, 0], *[[0] * 4] * 5]))
    for power, wanted in ((0, [0.25] * 4), (1, [6 / 7, 1 / 7, 0, 0])):
        batches = GraphBatches(held, "softmax", negatives=40_000, power=power)
        (part,) = batches.stream(0, [0])
        shares = np.bincount(part["negatives"], minlength=4) / 40_000
        assert shares == pytest.approx(wanted, abs=0.015)


@pytest.mark.parametrize("loss", ["bpr", "softmax"])
def test_a_batch_depends_on_seed_epoch_and_number_alone(loss: str):
    batches = GraphBatches(drawn(3, 30, 20), loss, 16, seed=5)
    whole = list(batches.stream(2, range(4)))
    (third,) = GraphBatches(drawn(3, 30, 20), loss, 16, seed=5).stream(2, [3])
    assert all(torch.equal(whole[3][name], third[name]) for name in NAMES)
    (later,) = batches.stream(3, [3])
    assert not torch.equal(later["users"], third["users"])
    assert batches.fingerprint() != GraphBatches(drawn(3, 30, 20), loss, 16, seed=6).fingerprint()
    assert batches.fingerprint() != GraphBatches(drawn(4, 30, 20), loss, 16, seed=5).fingerprint()


@pytest.mark.parametrize("wrong", [{"batch_size": 0}, {"negatives": 0}, {"power": -1.0}])
def test_batches_that_cannot_be(wrong: dict):
    with pytest.raises(BadParameter, match="at least"):
        GraphBatches(drawn(0), **wrong)


# --- losses ----------------------------------------------------------------------------------------------------------


def one_pair() -> tuple[LightGCN, dict]:
    """No layers, one user (2, 0), items (1, 1) and (3, -1): dot products 2 and 6."""
    model = LightGCN(sparse.csr_matrix([[1, 0]]), 2, 0)
    with torch.no_grad():
        model.nodes.copy_(torch.tensor([[2.0, 0.0], [1.0, 1.0], [3.0, -1.0]]))
    return model, {"users": torch.tensor([0]), "positives": torch.tensor([0]), "negatives": torch.tensor([1])}


def test_bpr_by_hand():
    model, batch = one_pair()
    penalty = (4 + 2 + 10) / 2
    assert GraphLoss("bpr", decay=0.01)(model, batch).item() == pytest.approx(math.log1p(math.exp(4)) + 0.01 * penalty)


def test_softmax_by_hand():
    model, batch = one_pair()
    batch["negatives"] = torch.tensor([1, 0])  # the right answer among the wrong ones does not count
    right, wrong = 1 / math.sqrt(2) / 0.5, 3 / math.sqrt(10) / 0.5
    found = GraphLoss("softmax", decay=0.0, temperature=0.5)(model, batch)
    assert found.item() == pytest.approx(math.log(math.exp(right) + math.exp(wrong)) - right)


def test_losses_that_cannot_be():
    with pytest.raises(UnknownName, match=r"no loss 'bce'\. Valid: bpr, softmax"):
        GraphLoss("bce")
    with pytest.raises(UnknownName, match="no loss 'bce'"):
        GraphBatches(drawn(0), "bce")
    for wrong in ({"decay": -1.0}, {"temperature": 0.0}):
        with pytest.raises(BadParameter, match="temperature"):
            GraphLoss(**wrong)


def test_the_published_recipe_is_plain_adam():
    """Three steps of the loop against torch's Adam on the same batches, gradients by autograd through dense layers."""
    held = drawn(1, 12, 15)
    model, batches = LightGCN(held, 4, 2, seed=1), GraphBatches(held, batch_size=20, seed=2)
    nodes = model.nodes.detach().clone().requires_grad_()
    dense = torch.from_numpy(normalised_adjacency(held).toarray())
    optimizer = torch.optim.Adam([nodes], lr=1e-3)
    steps = batches.count(0)
    for batch in batches.stream(0, range(steps)):
        final = (nodes + dense @ nodes + dense @ dense @ nodes) / 3
        users, right, wrong = batch["users"], batch["positives"] + 12, batch["negatives"] + 12
        gap = (final[users] * (final[right] - final[wrong])).sum(1)
        penalty = sum(nodes[rows].norm() ** 2 for rows in (users, right, wrong)) / 2 / len(users)
        optimizer.zero_grad()
        (-torch.nn.functional.logsigmoid(gap).mean() + 1e-4 * penalty).backward()
        optimizer.step()
    done = train(model, batches, published_settings(epochs=1), loss=GraphLoss(), progress=False)
    assert steps > 1
    assert done.losses["learning_rate"].iloc[-1] == 1e-3
    assert model.nodes.detach().numpy() == pytest.approx(nodes.detach().numpy(), abs=1e-6)


def test_settings_can_be_changed():
    changed = published_settings(learning_rate=0.01, epochs=3)
    assert (changed.learning_rate, changed.epochs, changed.weight_decay, changed.decay) == (0.01, 3, 0.0, "constant")


# --- training and recommending ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("loss", "epochs"), [("bpr", 60), ("softmax", 20)])
def test_training_tells_two_clubs_apart(loss: str, epochs: int):
    held = clubs()
    model = LightGCN(held, 8, 2, seed=1)
    batches = GraphBatches(held, loss, 128, negatives=64, seed=1)
    train(model, batches, published_settings(epochs=epochs, learning_rate=0.02), loss=GraphLoss(loss), progress=False)
    scores = GraphRecommender(model).scores(user_histories(held, np.arange(60)))
    own = np.kron(np.eye(2), np.ones((30, 20))).astype(bool)
    assert scores[own].mean() > scores[~own].mean()
    assert (np.where(own, scores, -np.inf).max(1) > np.where(own, -np.inf, scores).max(1)).mean() > 0.95


def test_a_training_that_stopped_goes_on_as_if_it_had_not(tmp_path: Path):
    held = clubs()

    def run(epochs: int, folder: Path | None) -> torch.Tensor:
        model = LightGCN(held, 4, 2, seed=1)
        batches = GraphBatches(held, batch_size=100, seed=1)

        def stop(_: torch.nn.Module, step: int) -> None:
            if step == 9 and epochs == 2:
                raise KeyboardInterrupt

        try:
            train(model, batches, published_settings(epochs=4, log_every=3), loss=GraphLoss(), folder=folder,
                  after_step=stop, progress=False)  # fmt: skip
        except KeyboardInterrupt:
            return run(4, folder)
        return model.nodes.detach()

    assert torch.equal(run(4, None), run(2, tmp_path))


def test_a_recommender_knows_users_by_their_rows():
    held = drawn(2)
    model = LightGCN(held, 4, 2)
    recommender = GraphRecommender(model)
    final = model.propagated().detach().numpy()
    scores = recommender.scores(user_histories(held, np.array([3, 1])))
    assert scores == pytest.approx(final[[3, 1]] @ final[7:].T, abs=1e-6)
    with torch.no_grad():
        model.nodes.zero_()
    assert recommender.scores(user_histories(held, np.array([3, 1]))) == pytest.approx(scores)


def test_any_other_history_by_hand():
    """Items of degree 2 and 1, one layer: u = 1/2 · 1/√2 · (e₀/√2 + e₁/√1)."""
    model = LightGCN(sparse.csr_matrix([[1, 1, 0], [1, 0, 0]]), 2, 1)
    recommender = GraphRecommender(model)
    learnt = model.nodes.detach().numpy()[2:]
    wanted = (learnt[0] / math.sqrt(2) + learnt[1]) / 2 / math.sqrt(2)
    vectors = recommender.user_vectors(Histories.from_lists([[0, 1, 0], [2], []]))
    assert vectors[0] == pytest.approx(wanted, rel=1e-5)
    assert vectors[1] == pytest.approx(learnt[2] / 2, rel=1e-5)  # an item that nobody has counts as one of degree 1
    assert vectors[2].tolist() == [0, 0]


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_a_new_user_is_what_a_graph_with_him_and_no_vector_of_his_own_gives(layers: int):
    """With him in the graph the items' degrees and neighbours change too; with many users that is next to nothing."""
    held = drawn(9, 400, 12, 0.3)
    model = LightGCN(held, 6, layers, seed=1)
    history = [1, 4, 5]
    row = sparse.csr_matrix(([1.0] * 3, ([0] * 3, history)), shape=(1, 12))
    joined = LightGCN(sparse.vstack([held, row]), 6, layers)
    with torch.no_grad():
        joined.nodes.copy_(torch.cat([model.nodes[:400], torch.zeros(1, 6), model.nodes[400:]]))
    wanted = joined.propagated()[400].detach().numpy()
    found = GraphRecommender(model).user_vectors(Histories.from_lists([history]))[0]
    assert found == pytest.approx(wanted, abs=0.06 * float(np.abs(wanted).max()))


def test_it_stands_in_the_table_of_leave_one_out():
    held = clubs()
    model = LightGCN(held, 8, 2, seed=1)
    train(model, GraphBatches(held, "softmax", 128, negatives=64), published_settings(epochs=20, learning_rate=0.02),
          loss=GraphLoss("softmax"), progress=False)  # fmt: skip
    strangers = clubs(seed=7)
    known = [row.indices.tolist() for row in strangers if row.nnz > 2]
    task = Task.from_lists([items[:-1] for items in known], [items[-1:] for items in known], 40)
    found = evaluate(GraphRecommender(model), task, ks=(10,))
    assert found.system == "LightGCN"
    assert found.mean("HR@10") > 0.4  # by chance 10 of about 34 candidates


def test_layers_zero_is_matrix_factorisation():
    held = drawn(2)
    model = LightGCN(held, 4, 0)
    assert model.propagated().detach().numpy() == pytest.approx(model.nodes.detach().numpy())
    history = GraphRecommender(model).user_vectors(Histories.from_lists([[3]]))
    degree = max(held[:, 3].nnz, 1)
    assert history[0] == pytest.approx(model.nodes[7 + 3].detach().numpy() / math.sqrt(degree), rel=1e-5)

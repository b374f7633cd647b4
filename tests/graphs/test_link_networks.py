"""Links of an item graph, foretold by graph networks."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from llmarm_tutorial.errors import BadParameter, DataError, Missing, UnknownName
from llmarm_tutorial.graphs.link_batches import LinkBatches
from llmarm_tutorial.graphs.link_networks import ENCODERS, LOSSES, fit_links, link_loss, link_model
from llmarm_tutorial.graphs.sparse_tensors import csr_tensor
from llmarm_tutorial.models.training import Settings

pytest.importorskip("torch_geometric", reason="graph networks need PyTorch Geometric")

PLAN = Settings(epochs=30, learning_rate=1e-2, validate_every=5, precision="no")


def graph_of(pairs: list[tuple[int, int]], n: int, weights: list[float] | None = None) -> sparse.csr_matrix:
    first, second = np.array(pairs).reshape(-1, 2).T
    upper = sparse.coo_matrix((weights or np.ones(len(first)), (first, second)), shape=(n, n))
    return (upper + upper.T).tocsr()


def communities(n: int = 60, groups: int = 4, seed: int = 0) -> tuple[sparse.csr_matrix, np.ndarray, np.ndarray]:
    """(graph with a fifth of its links taken out, those links, all links): items of a group go together."""
    random = np.random.default_rng(seed)
    group = np.arange(n) % groups
    chance = np.where(group[:, None] == group, 0.6, 0.03)
    linked = np.triu(random.random((n, n)) < chance, 1)
    pairs = random.permutation(np.argwhere(linked))
    cut = len(pairs) // 5
    return graph_of(pairs[cut:].tolist(), n), pairs[:cut], linked | linked.T


def auc(scores: np.ndarray, links: np.ndarray, linked: np.ndarray) -> float:
    """Chance that a link is scored above a pair that is none."""
    none = np.argwhere(np.triu(~linked, 1))
    return float((scores[tuple(links.T)][:, None] > scores[tuple(none.T)]).mean())


# --- messages --------------------------------------------------------------------------------------------------------


def test_graphsage_takes_the_weighted_mean_of_neighbours():
    features = np.eye(3, dtype=np.float32)
    model = link_model(graph_of([(0, 1), (0, 2)], 3, [1.0, 3.0]), features, ids=False, width=3, layers=1)
    with torch.no_grad():
        model.read.weight.copy_(torch.eye(3) / model.features.max())  # undo the scaling of features
        layer = model.layers[0]
        layer.lin_l.weight.copy_(torch.eye(3))
        layer.lin_l.bias.zero_()
        layer.lin_r.weight.copy_(10 * torch.eye(3))
        found = model.vectors(csr_tensor(graph_of([(0, 1), (0, 2)], 3, [1.0, 3.0])))
    expected = [[10, 0.25, 0.75], [1, 10, 0], [1, 0, 10]]  # item 0 hears 1 with a quarter of 1 + 3
    assert found.numpy() == pytest.approx(np.array(expected), abs=1e-6)


def test_with_equal_weights_it_is_the_mean_of_the_library():
    from torch_geometric.nn import SAGEConv

    graph, _, _ = communities(20)
    features = np.random.default_rng(0).normal(size=(20, 8)).astype(np.float32)
    model = link_model(graph, features, ids=False, width=8, layers=1)
    library = SAGEConv(8, 8, aggr="mean")
    library.load_state_dict(model.layers[0].state_dict())
    row, column = graph.nonzero()
    with torch.no_grad():
        expected = library(model.read(model.features), torch.from_numpy(np.stack([column, row])).long())
        found = model.vectors(csr_tensor(graph))
    assert found.numpy() == pytest.approx(expected.numpy(), abs=1e-5)


def test_lightgcn_averages_layers_smoothed_by_the_roots_of_degrees():
    graph = graph_of([(0, 1), (1, 2)], 3)
    model = link_model(graph, encoder="LightGCN", width=3, layers=2)
    with torch.no_grad():
        model.ids.copy_(torch.eye(3))
        found = model.vectors(csr_tensor(graph)).numpy()
    smooth = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]]) / np.sqrt(np.outer([1, 2, 1], [1, 2, 1]))
    assert found == pytest.approx((np.eye(3) + smooth + smooth @ smooth) / 3, abs=1e-6)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_two_layers_hear_two_links_away_and_an_mlp_nobody(encoder: str):
    graph = graph_of([(0, 1), (1, 2), (2, 3), (3, 4)], 5)
    model = link_model(graph, encoder=encoder, width=8, layers=2, seed=1).eval()
    with torch.no_grad():
        before = model.vectors(csr_tensor(graph)).numpy()
        model.ids[0] += 1.0
        moved = np.abs(model.vectors(csr_tensor(graph)).numpy() - before).max(axis=1) > 1e-7
    assert moved.tolist() == ([True] + 4 * [False] if encoder == "MLP" else [True, True, True, False, False])


@pytest.mark.parametrize("encoder", ENCODERS)
def test_an_item_without_links_is_known_by_its_features(encoder: str):
    graph = graph_of([(0, 1), (1, 2)], 5)
    features = np.random.default_rng(0).normal(size=(5, 6))
    features[4] = features[3]
    vectors = link_model(graph, features, encoder=encoder, width=8).vectors(csr_tensor(graph)).detach().numpy()
    assert vectors[3] == pytest.approx(vectors[4], abs=1e-6)  # neither has an id that would tell them apart
    assert np.isfinite(vectors).all()
    assert np.abs(vectors[3]).max() > 0
    assert np.abs(vectors[0] - vectors[1]).max() > 1e-3


def test_features_stand_side_by_side_each_scaled_to_one():
    blocks = [np.array([[300.0, 400.0], [0.0, 0.0]]), np.array([[0.01], [0.01]])]
    model = link_model(graph_of([(0, 1)], 2), blocks)
    assert model.features.shape == (2, 3)
    assert model.features[:, :2].square().mean().item() == pytest.approx(1)
    assert model.features[:, 2].tolist() == pytest.approx([1, 1])


def test_a_matrix_in_any_order_becomes_the_same_tensor():
    shuffled = sparse.csr_matrix((np.array([2.0, 1.0, 3.0, 4.0]), [1, 0, 1, 1], [0, 3, 4]), shape=(2, 2))
    assert csr_tensor(shuffled).to_dense().tolist() == [[1, 5], [0, 4]]
    assert shuffled.nnz == 4


# --- steps -----------------------------------------------------------------------------------------------------------


def pairs_in(weights: torch.Tensor) -> set[tuple[int, int]]:
    return set(map(tuple, np.argwhere(weights.to_dense().numpy() > 0).tolist()))


@pytest.mark.parametrize("hide", ["links", "items"])
def test_no_link_is_foretold_while_it_passes_messages(hide: str):
    graph, _, _ = communities()
    for step in LinkBatches(graph, folds=4, hide=hide).stream(0, range(4)):
        asked = set(zip(step["first"].tolist(), step["second"].tolist(), strict=True))
        assert asked
        assert not asked & pairs_in(step["weights"])
        assert not {(b, a) for a, b in asked} & pairs_in(step["weights"])


def test_an_epoch_asks_for_every_link_once():
    graph, _, _ = communities()
    steps = list(LinkBatches(graph, folds=4).stream(3, range(4)))
    asked = [tuple(sorted(pair)) for s in steps for pair in zip(s["first"].tolist(), s["second"].tolist(), strict=True)]
    assert sorted(asked) == sorted(map(tuple, np.argwhere(np.triu(graph.toarray())).tolist()))
    assert [step["size"] for step in steps] == [len(step["first"]) for step in steps]
    assert [len(pairs_in(s["weights"])) + 2 * s["size"] for s in steps] == [graph.nnz] * 4


def test_hidden_items_hear_and_tell_nothing_and_all_their_links_are_asked():
    graph, _, _ = communities()
    for step in LinkBatches(graph, folds=5, hide="items").stream(0, range(5)):
        heard = {item for pair in pairs_in(step["weights"]) for item in pair}
        silent = set(np.flatnonzero(np.diff(graph.indptr) > 0).tolist()) - heard
        asked = {tuple(sorted(p)) for p in zip(step["first"].tolist(), step["second"].tolist(), strict=True)}
        left_out = {tuple(p) for p in np.argwhere(np.triu(graph.toarray())).tolist() if silent & set(p)}
        assert asked >= left_out
        assert silent


def test_steps_depend_on_seed_epoch_and_number_alone():
    graph, _, _ = communities()
    batches = LinkBatches(graph, seed=5)
    last = next(batches.stream(2, [4]))
    again = list(LinkBatches(graph, seed=5).stream(2, range(5)))[4]
    assert all(torch.equal(last[name], again[name]) for name in ("first", "second", "others"))
    other = next(LinkBatches(graph, seed=6).stream(2, [4]))
    assert not torch.equal(last["others"][:10], other["others"][:10])
    assert batches.fingerprint() == LinkBatches(graph, seed=5).fingerprint()
    assert batches.fingerprint() != LinkBatches(graph, seed=6).fingerprint()
    assert batches.fingerprint() != LinkBatches(2 * graph, seed=5).fingerprint()


@settings(max_examples=40, deadline=None)
@given(st.integers(3, 12), st.integers(0, 10**6))
def test_others_are_drawn_from_exactly_the_items_without_a_link(n: int, seed: int):
    random = np.random.default_rng(seed)
    upper = np.triu(random.random((n, n)) < random.random(), 1)
    upper[0, 1] = upper[1, 2] = True
    batches = LinkBatches(sparse.csr_matrix((upper | upper.T).astype(float)), folds=2, others=400)
    free = ~(upper | upper.T) & ~np.eye(n, dtype=bool)
    items = np.flatnonzero(free.any(axis=1))
    assert batches.others_of(np.arange(n)).tolist() == free.sum(axis=1).tolist()
    drawn = batches.unlinked(items, random) if len(items) else np.empty((0, 400))
    for item, row in zip(items, drawn, strict=True):
        assert set(row.tolist()) == set(np.flatnonzero(free[item]).tolist())


def test_others_are_drawn_evenly():
    batches = LinkBatches(graph_of([(0, 2), (2, 3), (3, 4)], 6), folds=2, others=30_000)
    share = np.bincount(batches.unlinked(np.array([2]), np.random.default_rng(0))[0], minlength=6) / 30_000
    assert share == pytest.approx([0, 1 / 3, 0, 0, 1 / 3, 1 / 3], abs=0.01)


def test_an_item_linked_to_all_is_asked_from_the_other_end():
    star = graph_of([(0, 1), (0, 2), (0, 3), (1, 2)], 4)
    first = np.concatenate([step["first"] for epoch in range(5) for step in LinkBatches(star, 2).stream(epoch, (0, 1))])
    assert 0 not in first
    assert len(first) == 5 * 4


@pytest.mark.parametrize("loss", LOSSES)
def test_where_everything_is_linked_there_is_nothing_to_learn(loss: str):
    whole = sparse.csr_matrix(1.0 - np.eye(4))
    assert [step["size"] for step in LinkBatches(whole, 2).stream(0, (0, 1))] == [0, 0]
    assert fit_links(whole, None, Settings(epochs=1), folds=2, width=4, loss=loss).training.losses["loss"].item() == 0


# --- losses ----------------------------------------------------------------------------------------------------------


class Fixed(torch.nn.Module):
    def forward(self) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.tensor([1.0, 0.0]), torch.tensor([[0.0, 0.0], [0.0, 2.0]])


def test_losses_by_hand():
    e, log = np.e, np.log
    assert link_loss(Fixed(), {}).item() == pytest.approx((log(e + 2) - 1 + log(1 + 1 + e**2)) / 2, rel=1e-5)
    bpr = np.mean([log(1 + 1 / e), log(1 + 1 / e), log(2), log(1 + e**2)])
    assert link_loss(Fixed(), {}, "bpr").item() == pytest.approx(bpr, rel=1e-5)
    bce = (np.mean([log(1 + 1 / e), log(2)]) + np.mean([log(2), log(2), log(2), log(1 + e**2)])) / 2
    assert link_loss(Fixed(), {}, "bce").item() == pytest.approx(bce, rel=1e-5)


# --- training --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoder", ["GraphSAGE", "GAT", "LightGCN"])
def test_a_graph_network_finds_links_it_has_not_seen(encoder: str):
    graph, links, linked = communities()
    fitted = fit_links(graph, None, PLAN, encoder=encoder, width=16)
    scores = fitted.scores()
    assert auc(scores, links, linked) > 0.8
    assert np.allclose(np.triu(scores, 1), np.triu(scores.T, 1), atol=1e-4)
    assert (np.diag(scores) == -np.inf).all()
    assert fitted.vectors().shape == (60, 16)


def test_where_features_say_it_all_an_mlp_is_enough():
    graph, links, linked = communities()
    group = np.eye(4)[np.arange(60) % 4]
    fitted = fit_links(graph, group, PLAN, encoder="MLP", ids=False, width=16)
    assert auc(fitted.scores(), links, linked) > 0.85


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_learns(loss: str):
    graph, links, linked = communities()
    assert auc(fit_links(graph, None, PLAN, loss=loss, width=16).scores(), links, linked) > 0.75


def test_what_validates_best_is_kept_and_the_seed_decides_all():
    graph, links, linked = communities()
    told = []

    def validate(scores: np.ndarray) -> float:
        told.append(auc(scores, links, linked))
        return told[-1]

    first = fit_links(graph, None, PLAN, validate=validate, width=8)
    assert auc(first.scores(), links, linked) == pytest.approx(max(told))
    assert first.training.best_score == max(told)
    again = fit_links(graph, None, PLAN, validate=validate, width=8)
    assert np.array_equal(first.vectors(), again.vectors())


def test_new_items_get_vectors_from_features_and_better_ones_from_borrowed_links():
    graph, _, _ = communities()
    group = np.arange(60) % 4
    new = np.arange(60) >= 52
    old = sparse.csr_matrix(graph.toarray() * np.outer(~new, ~new))
    old.eliminate_zeros()
    fitted = fit_links(old, np.eye(4)[group], PLAN, hide="items", width=16)
    right = group[new][:, None] == group[~new]
    for scores in (fitted.scores(), fitted.scores(graph)):
        found = scores[np.ix_(new, ~new)]
        assert found[right].mean() > found[~right].mean() + 1
    assert not np.allclose(fitted.vectors()[new], fitted.vectors(graph)[new])


# --- what users can do wrong -----------------------------------------------------------------------------------------


def test_wrong_names_and_values_are_told():
    graph, _, _ = communities()
    with pytest.raises(UnknownName, match="Valid: GAT, GraphSAGE, LightGCN, MLP"):
        link_model(graph, encoder="graphsage")
    with pytest.raises(UnknownName, match="loss of links"):
        fit_links(graph, loss="hinge")
    with pytest.raises(BadParameter, match="multiple of 4"):
        link_model(graph, encoder="GAT", width=10)
    with pytest.raises(BadParameter, match="all the same"):
        link_model(graph, ids=False)
    with pytest.raises(BadParameter, match=r"shape \(60, d\)"):
        link_model(graph, np.ones((59, 3)))
    with pytest.raises(BadParameter, match="'links' or 'items'"):
        LinkBatches(graph, hide="nodes")
    with pytest.raises(BadParameter, match="folds"):
        LinkBatches(graph, folds=1)
    with pytest.raises(BadParameter, match="both directions"):
        LinkBatches(sparse.triu(graph).tocsr())
    with pytest.raises(BadParameter, match="above 0"):
        LinkBatches(-graph)
    with pytest.raises(DataError, match="2 links for 5 folds"):
        LinkBatches(graph_of([(0, 1), (1, 2)], 3))


def test_without_pytorch_geometric_one_sentence_says_what_to_do(monkeypatch: pytest.MonkeyPatch):
    graph, _, _ = communities()
    monkeypatch.setitem(sys.modules, "torch_geometric.nn", None)
    with pytest.raises(Missing, match="A graph neural network needs the package 'torch_geometric'"):
        link_model(graph)

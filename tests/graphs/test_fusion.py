"""What a graph lends to a recommender."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import softmax

from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.errors import BadParameter
from llmarm_tutorial.evaluation.ranking import evaluate
from llmarm_tutorial.evaluation.tasks import Task
from llmarm_tutorial.graphs.fusion import (
    RECENCY,
    Walks,
    by_links,
    gain_of_graph,
    shared_users,
    start_from_vectors,
    with_recency,
)
from llmarm_tutorial.models.item_model import ItemModel, item_config
from llmarm_tutorial.models.tokens import FIRST_ITEM
from llmarm_tutorial.recommend.counting import AssociationRules, Popularity
from llmarm_tutorial.recommend.experts import Expert
from llmarm_tutorial.recommend.item_weights import ItemWeights, Profile

CHAIN = Histories.from_lists([[0, 1], [0, 1], [1, 2]], 3)  # 0 and 2 never meet, 1 knows both


# --- links and walks -------------------------------------------------------------------------------------------------


def test_every_item_of_the_history_deals_out_a_weight_of_one():
    scores = np.array([[9.0, 1.0, 0.0], [1.0, 9.0, 2.0], [0.0, 2.0, 9.0]])
    system = by_links(scores)
    found = system.scores(Histories.from_lists([[0], [0, 1], [0, 0]]))
    first, second = softmax([1.0, 0.0]), softmax([1.0, 2.0])
    assert found[0] == pytest.approx([0, *first])
    assert found[1] == pytest.approx([second[0], first[0], first[1] + second[1]])
    assert found[2] == pytest.approx(found[0])  # an item speaks once
    assert scores[0, 0] == 9.0


def test_recent_items_speak_louder():
    scores = np.zeros((3, 3))
    scores[0, 1] = scores[2, 0] = 50.0
    history = Histories.from_lists([[0, 2]])
    assert by_links(scores, last=1).scores(history)[0] == pytest.approx([1, 0, 0], abs=1e-6)
    assert by_links(scores, position_power=1.0).scores(history)[0] == pytest.approx([1, 0.5, 0], abs=1e-6)


@pytest.mark.parametrize("scores", [np.zeros((2, 3)), np.full((2, 2), np.nan), np.zeros(4)])
def test_scores_of_links_are_a_square_table(scores: np.ndarray):
    with pytest.raises(BadParameter, match="square table"):
        by_links(scores)


def test_links_by_shared_users_by_hand():
    four = replace(CHAIN, n_items=4)
    counts = shared_users(four, discount=0.0).weights.toarray()
    assert counts.tolist() == [[0, 2, 0, 0], [2, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]]
    cosines = shared_users(four).weights.toarray()
    assert cosines[0, 1] == pytest.approx(2 / np.sqrt(2 * 3))
    assert cosines[1, 2] == pytest.approx(1 / np.sqrt(3 * 1))
    twice = Histories.from_lists([[0, 1, 0, 0]])
    assert shared_users(twice, discount=0.0).weights.toarray().tolist() == [[0, 1], [1, 0]]


def test_walks_of_two_steps_reach_what_was_never_bought_together():
    one, two = (Walks(steps=steps, discount=0.0).fit(CHAIN) for steps in (1, 2))
    from_first = Histories.from_lists([[0]])
    # half of the walks from 0 never start, half of the others stop at 1, then one in three goes on to 2, if it goes
    assert one.scores(from_first)[0] == pytest.approx([0, 0.25, 0])
    assert two.scores(from_first)[0] == pytest.approx([0, 0.25, 0.25 * 0.5 / 3])


def test_one_step_of_counts_is_confidence_up_to_a_factor_per_item(shop):
    histories = shop.histories()
    walks = Walks(steps=1, discount=0.0, neighbours=None).fit(histories).weights
    rules = AssociationRules().fit(histories).weights.copy()
    np.fill_diagonal(rules, 0)
    assert 4 * walks == pytest.approx(rules / np.maximum(rules.sum(axis=1, keepdims=True), 1e-12), abs=1e-6)


def test_fewer_neighbours_mean_fewer_links(shop):
    histories = shop.histories()
    few, all_links = (Walks(steps=1, neighbours=k).fit(histories).weights for k in (5, None))
    assert 5 <= (few > 0).sum(axis=1).max() < (all_links > 0).sum(axis=1).max()


def test_walks_refuse_what_makes_no_sense():
    with pytest.raises(BadParameter, match="discount"):
        Walks(discount=-1)
    with pytest.raises(BadParameter, match="last"):
        Walks(last=0)
    with pytest.raises(BadParameter, match="restart"):
        Walks(restart=1.0).fit(CHAIN)


# --- joining ---------------------------------------------------------------------------------------------------------


def next_in_a_ring(n: int = 24, cases: int = 60) -> tuple[Task, np.ndarray]:
    """Cases of three random items; what comes next is the neighbour of the last one. And the links of that ring."""
    random = np.random.default_rng(0)
    histories = [random.choice(n, 3, replace=False).tolist() for _ in range(cases)]
    histories = [h for h in histories if (h[-1] + 1) % n not in h]
    links = np.zeros((n, n))
    links[np.arange(n), (np.arange(n) + 1) % n] = 5.0
    return Task.from_lists(histories, [[(h[-1] + 1) % n] for h in histories], n), links


def test_recency_is_chosen_on_validation():
    task, links = next_in_a_ring()
    system, value = with_recency(by_links(links), task)
    assert system.profile.last == 1 or system.profile.power == 1
    assert value == pytest.approx(evaluate(system, task).mean("NDCG@10"))
    assert value > evaluate(by_links(links), task).mean("NDCG@10")
    assert len(set(RECENCY)) == len(RECENCY)
    with pytest.raises(BadParameter, match="at least one"):
        with_recency(by_links(links), task, tries=())


def test_a_graph_that_knows_the_answer_is_taken_and_one_that_knows_nothing_is_not():
    task, links = next_in_a_ring()
    popular = Expert("popular", Popularity().fit(task.histories))
    knowing = Expert("graph", by_links(links, last=1))
    found = gain_of_graph([popular], [knowing], task)
    values = [evaluate(chosen.system, task).mean("NDCG@10") for chosen in found]
    assert found.without.name == "popular"
    assert values[1] > values[0] + 0.2
    silent = Expert(
        "graph", ItemWeights("silent", task.n_items, Profile(None, 0.0, True), np.zeros((24, 24), np.float32))
    )
    assert gain_of_graph([Expert("rules", knowing.system)], [silent], task).with_graph.name == "rules"


def test_a_gain_needs_two_sides():
    task, links = next_in_a_ring()
    expert = Expert("graph", by_links(links))
    for sides in (([expert], []), ([], [expert]), ([expert], [expert])):
        with pytest.raises(BadParameter, match="with a graph and others without"):
            gain_of_graph(*sides, task)


# --- vectors to start from -------------------------------------------------------------------------------------------


def table(model: ItemModel) -> np.ndarray:
    return model.output_table.detach().numpy().copy()


def cosines(vectors: np.ndarray) -> np.ndarray:
    centred = vectors - vectors.mean(axis=0)
    unit = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    return unit @ unit.T


def test_a_model_starts_from_the_directions_of_the_vectors_and_its_own_spread():
    model = ItemModel(item_config(30, hidden=8, spread=0.05))
    given = 7 * np.random.default_rng(0).normal(size=(30, 8)) + 3
    special = model.bert.embeddings.word_embeddings.weight[:FIRST_ITEM].clone()
    start_from_vectors(model, given)
    assert cosines(table(model)) == pytest.approx(cosines(given), abs=1e-4)
    assert table(model).std() == pytest.approx(0.05, rel=1e-3)
    assert torch.equal(model.bert.embeddings.word_embeddings.weight[:FIRST_ITEM], special)


def test_wide_vectors_keep_their_main_directions_and_narrow_ones_are_filled_up():
    random = np.random.default_rng(0)
    flat = random.normal(size=(30, 4)) @ random.normal(size=(4, 50))  # 50 numbers, but only four directions
    wide = ItemModel(item_config(30, hidden=8))
    start_from_vectors(wide, flat)
    assert cosines(table(wide)) == pytest.approx(cosines(flat), abs=1e-4)
    narrow = ItemModel(item_config(30, hidden=8))
    before = table(narrow)
    start_from_vectors(narrow, flat[:, :3])
    assert np.array_equal(table(narrow)[:, 3:], before[:, 3:])
    assert not np.allclose(table(narrow)[:, :3], before[:, :3])


def test_items_can_keep_their_random_vectors():
    model = ItemModel(item_config(10, hidden=4))
    before, keep = table(model), np.arange(10) >= 7
    start_from_vectors(model, np.random.default_rng(0).normal(size=(10, 4)), keep=keep)
    assert np.array_equal(table(model)[keep], before[keep])
    assert (np.abs(table(model) - before)[~keep].max(axis=1) > 0).all()


def test_vectors_that_do_not_fit_are_refused():
    model = ItemModel(item_config(10, hidden=4))
    for vectors in (np.zeros((9, 4)), np.full((10, 4), np.inf), np.zeros(10)):
        with pytest.raises(BadParameter, match=r"shape \(10, d\)"):
            start_from_vectors(model, vectors)
    with pytest.raises(BadParameter, match="All these vectors are the same"):
        start_from_vectors(model, np.ones((10, 4)))

"""Compression: what is cut is gone, what is kept says the same, and sizes are what they are said to be."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import TruncatedSVD

from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.errors import BadParameter, DataError, Lacks
from llmarm_tutorial.models import compress, item_model, pruning
from llmarm_tutorial.models.batches import ItemBatches
from llmarm_tutorial.models.compress import bf16, factorise_table, int8, learnt_weights, measure_size, quantise_table
from llmarm_tutorial.models.item_model import ItemModel, item_config
from llmarm_tutorial.models.pruning import (
    Importance,
    gradient_importance,
    magnitude_importance,
    prune,
    prune_weights,
    random_importance,
)
from llmarm_tutorial.models.recommender import ItemRecommender
from llmarm_tutorial.models.tokens import FIRST_ITEM
from llmarm_tutorial.models.training import Settings, train

N_ITEMS = 40
ASKED = Histories.from_lists([[1, 2, 3], [4], [], [5, 6, 7, 8, 9]])


def model(seed: int = 0, **options) -> ItemModel:
    torch.manual_seed(seed)
    options = {"hidden": 8, "heads": 4, "feed_forward": 12, "max_length": 6, "dropout": 0.0} | options
    found = ItemModel(item_config(N_ITEMS, **options), seed=seed).eval()
    with torch.no_grad():
        for weight in found.parameters():
            weight.add_(torch.randn_like(weight) * 0.3)
    return found


def scores(net: ItemModel) -> np.ndarray:
    return ItemRecommender(net).scores(ASKED)


def batches(n: int = 3, size_of_batch: int = 4) -> list[dict]:
    random = np.random.default_rng(0)
    source = ItemBatches(
        Histories.from_lists(random.integers(0, N_ITEMS, (40, 5)).tolist()), 6, batch_size=size_of_batch
    )
    return list(source.stream(0, range(n)))


# --- sizes ------------------------------------------------------------------------------------------------------------


def test_a_size_by_hand():
    net = torch.nn.Linear(3, 2)
    with torch.no_grad():
        net.weight[0] = 0
    assert measure_size(net) == (8, 32, 3)
    assert measure_size(net.bfloat16()) == (8, 16, 3)


def test_the_size_of_an_item_model_is_that_of_its_parameters():
    net = model()
    numbers = sum(weight.numel() for weight in net.parameters())
    assert measure_size(net)[:2] == (numbers, 4 * numbers)
    assert measure_size(bf16(net))[:2] == (numbers, 2 * numbers)


def test_codes_are_bytes():
    net = model(table="coded", parts=4, centroids=16)
    rows = N_ITEMS + FIRST_ITEM
    numbers = sum(weight.numel() for weight in net.parameters())
    assert measure_size(net)[:2] == (numbers + 4 * rows, 4 * numbers + 4 * rows)


def test_shared_numbers_count_once():
    one, other = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)
    other.weight = one.weight
    assert measure_size(torch.nn.ModuleList([one, other])).parameters == 6 + 2 + 2


def test_the_size_of_a_file_is_its_length(tmp_path):
    import onnx

    weights = onnx.numpy_helper.from_array(np.array([0.0, 1.0, 2.0], dtype=np.float32), "weights")
    graph = onnx.helper.make_graph([], "g", [], [], [weights])
    onnx.save(onnx.helper.make_model(graph), tmp_path / "model.onnx")
    assert measure_size(tmp_path / "model.onnx") == (3, (tmp_path / "model.onnx").stat().st_size, 1)
    (tmp_path / "text.onnx").write_text("no model")
    for name in ("text.onnx", "nowhere.onnx"):
        with pytest.raises(DataError, match="cannot be read as an ONNX file"):
            measure_size(tmp_path / name)


# --- pruning ----------------------------------------------------------------------------------------------------------


def silenced(net: ItemModel, heads: list[list[int]], neurons: list[list[int]]) -> ItemModel:
    """The same model with nothing listening to some heads and neurons: what pruning must be equal to."""
    net = copy.deepcopy(net)
    with torch.no_grad():
        for layer, gone, silent in zip(net.bert.encoder.layer, heads, neurons, strict=True):
            width = layer.attention.self.attention_head_size
            for head in gone:
                layer.attention.output.dense.weight[:, head * width : (head + 1) * width] = 0
            layer.output.dense.weight[:, silent] = 0
    return net


@pytest.mark.parametrize("objective", ["causal", "masked"])
def test_what_is_pruned_is_cut_out_and_nothing_else_changes(objective: str):
    net = model(objective=objective)
    importance = Importance(
        heads=(np.array([4.0, 0.1, 3.0, 5.0]), np.array([9.0, 8.0, 7.0, 1.0])),
        neurons=(np.arange(12.0), np.arange(12.0)[::-1]),
    )
    pruned = prune(net, heads=0.25, neurons=0.25, importance=importance)
    same = silenced(net, [[1], [3]], [[0, 1, 2], [9, 10, 11]])
    assert np.abs(scores(same) - scores(net)).max() > 0.01
    assert np.abs(scores(pruned) - scores(same)).max() < 1e-5
    assert pruned.config.heads_left == [3, 3]
    assert pruned.config.intermediate_size == 9
    # per layer: one head of 2 (three maps of 8 × 2 and their biases, one map back), three neurons
    assert measure_size(net).parameters - measure_size(pruned).parameters == 2 * (3 * (16 + 2) + 16 + 3 * (8 + 1 + 8))


def test_every_layer_keeps_a_head():
    net = model()
    weak = Importance((np.array([1.0, 2, 3, 4]) * 1e-9, np.array([1.0, 1, 1, 1.1])), magnitude_importance(net).neurons)
    pruned = prune(net, heads=0.9, importance=weak)
    assert pruned.config.heads_left == [1, 1]
    assert np.isfinite(scores(pruned)).all()


def test_magnitude_finds_what_is_silent_and_what_nobody_hears():
    net = model()
    layer = net.bert.encoder.layer[1]
    with torch.no_grad():
        layer.intermediate.dense.weight[3] = 0
        layer.output.dense.weight[:, 7] = 0
        layer.attention.self.value.weight[2:4] = 0  # head 1
        layer.attention.output.dense.weight[:, 6:8] = 0  # head 3
    found = magnitude_importance(net)
    assert np.flatnonzero(found.neurons[1] == 0).tolist() == [3, 7]
    assert np.flatnonzero(found.heads[1] == 0).tolist() == [1, 3]
    assert (found.heads[0] > 0).all()
    weight, back = layer.intermediate.dense.weight, layer.output.dense.weight
    by_hand = np.sqrt((weight[5].detach().numpy() ** 2).sum() * (back[:, 5].detach().numpy() ** 2).sum())
    assert found.neurons[1][5] == pytest.approx(by_hand)


def test_the_gradient_measure_is_the_slope_of_the_loss_along_a_gate():
    net, (batch,) = model(), batches(1)
    found = gradient_importance(net, [batch])

    def loss(part: str, number: int, gate: float) -> float:
        other = copy.deepcopy(net)
        layer = other.bert.encoder.layer[0]
        with torch.no_grad():
            if part == "neuron":
                layer.output.dense.weight[:, number] *= gate
            else:
                layer.attention.output.dense.weight[:, 2 * number : 2 * number + 2] *= gate
            return other(**{name: value for name, value in batch.items() if name != "size"}).loss.item()

    step = 1e-2
    for part, values in (("neuron", found.neurons[0]), ("head", found.heads[0])):
        for number in (0, 3):
            slope = (loss(part, number, 1 + step) - loss(part, number, 1 - step)) / (2 * step)
            assert values[number] == pytest.approx(abs(slope), rel=0.02, abs=2e-5)


def test_the_gradient_measure_averages_over_batches_and_leaves_no_trace():
    net = model()
    one, other = (gradient_importance(net, [batch]) for batch in batches(2))
    both = gradient_importance(net, batches(2))
    assert np.allclose(both.neurons[1], (one.neurons[1] + other.neurons[1]) / 2, rtol=1e-4, atol=1e-9)
    assert all(weight.grad is None for weight in net.parameters())
    with pytest.raises(BadParameter, match="at least one batch"):
        gradient_importance(net, [])


def test_the_random_measure_is_a_draw_of_its_seed():
    net = model()
    assert np.array_equal(random_importance(net, 3).neurons[0], random_importance(net, 3).neurons[0])
    assert not np.array_equal(random_importance(net, 3).neurons[0], random_importance(net, 4).neurons[0])


@pytest.mark.parametrize("options", [{"neurons": 1.0}, {"neurons": 0.01}, {"heads": -0.5}, {"heads": 0.01}])
def test_shares_that_cut_nothing_or_all_are_refused(options: dict):
    with pytest.raises(BadParameter, match="large enough to cut one"):
        prune(model(), **options)


def test_a_pruned_model_trains_on():
    pruned = prune(model(), heads=0.25, neurons=0.5)
    source = ItemBatches(Histories.from_lists([[1, 2, 3, 4, 5]] * 40), 6, batch_size=8)
    batch = next(source.stream(0, [0]))
    del batch["size"]
    before = pruned(**batch).loss.item()
    done = train(pruned, source, Settings(epochs=3, learning_rate=1e-2, precision="no"), progress=False)
    assert done.losses["loss"].iloc[-1] < before - 0.5
    assert measure_size(pruned).parameters == measure_size(prune(model(), heads=0.25, neurons=0.5)).parameters


def test_zeroing_takes_the_smallest_weights_of_linear_maps_and_saves_nothing():
    net = model()
    sparse = prune_weights(net, 0.5)
    given = torch.cat([m.weight.flatten() for m in net.modules() if isinstance(m, torch.nn.Linear)]).abs()
    left = torch.cat([m.weight.flatten() for m in sparse.modules() if isinstance(m, torch.nn.Linear)]).abs()
    assert int((left == 0).sum()) == len(given) // 2
    assert given[left == 0].max() <= given[left > 0].min()
    assert torch.equal(left[left > 0], given[left > 0])
    assert measure_size(sparse).zeros == len(given) // 2
    assert measure_size(sparse).bytes == measure_size(net).bytes
    assert torch.equal(sparse.output_table, net.output_table)
    for share in (-0.1, 1.0):
        with pytest.raises(BadParameter, match="below 1"):
            prune_weights(net, share)


# --- tables -----------------------------------------------------------------------------------------------------------


def test_a_factorised_table_is_the_closest_of_its_rank():
    net = model()
    table = net.bert.embeddings.word_embeddings.weight.detach().numpy()
    thin = factorise_table(net, 3)
    found = thin.bert.embeddings.word_embeddings.weight.detach().numpy()
    peer = TruncatedSVD(3, algorithm="arpack", random_state=0)
    theirs = peer.inverse_transform(peer.fit_transform(table.astype(float)))
    assert np.abs(found - theirs).max() < 1e-5
    assert np.linalg.matrix_rank(found) == 3
    rows, width = table.shape
    assert measure_size(net).parameters - measure_size(thin).parameters == rows * width - 3 * (rows + width)
    assert (thin.config.table, thin.config.rank) == ("factorised", 3)


def test_of_full_rank_nothing_is_lost():
    net = model()
    assert np.abs(scores(factorise_table(net, 8)) - scores(net)).max() < 1e-4


def test_a_table_of_fewer_tokens_than_the_rank_loses_nothing():
    net = ItemModel(item_config(2, hidden=24, heads=4, max_length=6), seed=0).eval()
    thin = factorise_table(net, 16)
    found, table = (one.bert.embeddings.word_embeddings.weight.detach() for one in (thin, net))
    assert len(table) < 16
    assert (found - table).abs().max() < 1e-5


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 7), st.integers(0, 1000))
def test_weights_move_the_error_to_items_that_count_less(rank: int, seed: int):
    net = model()
    counts = np.random.default_rng(seed).exponential(size=N_ITEMS) ** 3 + 0.01
    everyone = np.concatenate([np.full(FIRST_ITEM, counts.max()), counts])
    everyone = np.maximum(everyone, 1e-3 * everyone.mean())
    table = net.bert.embeddings.word_embeddings.weight.detach().numpy()

    def error(thin: ItemModel, weights: np.ndarray) -> float:
        missed = thin.bert.embeddings.word_embeddings.weight.detach().numpy() - table
        return float((weights[:, None] * missed**2).sum())

    alike, weighted = factorise_table(net, rank), factorise_table(net, rank, counts)
    assert error(weighted, everyone) <= error(alike, everyone) * (1 + 1e-4)
    assert error(alike, np.ones(len(table))) <= error(weighted, np.ones(len(table))) * (1 + 1e-4)


def test_a_coded_table_takes_each_part_to_its_nearest_centre():
    net = model()
    small = quantise_table(net, parts=4, centroids=8, seed=0)
    words = small.bert.embeddings.word_embeddings
    table = net.bert.embeddings.word_embeddings.weight.detach()
    assert words.codes.dtype == torch.uint8
    for part in range(4):
        centres, vectors = words.books.detach()[part * 8 : part * 8 + 8], table[:, 2 * part : 2 * part + 2]
        distances = torch.cdist(vectors, centres)
        assert torch.allclose(distances.gather(1, words.codes[:, part : part + 1].long())[:, 0], distances.amin(1))
        one = vectors[words.codes[:, part] == 0].mean(0)
        assert torch.allclose(centres[0], one, atol=1e-4), "a centre is the mean of its vectors"
    again = quantise_table(net, parts=4, centroids=8, seed=0)
    assert torch.equal(again.bert.embeddings.word_embeddings.codes, words.codes)


def test_with_a_centre_for_every_token_nothing_is_lost():
    net = model()
    exact = quantise_table(net, parts=2, centroids=N_ITEMS + FIRST_ITEM)
    assert np.abs(scores(exact) - scores(net)).max() < 1e-4


def test_items_that_count_get_centres_of_their_own():
    net = model()
    counts = np.full(N_ITEMS, 1e-6)
    counts[:4] = 1.0
    table = net.output_table.detach()
    missed = {
        name: (quantise_table(net, 1, 9, weights=weights).output_table.detach() - table)[:4].abs().max()
        for name, weights in (("alike", None), ("by count", counts))
    }
    assert missed["by count"] < 0.05 < missed["alike"]


def test_what_makes_no_table_is_refused():
    net = model()
    for wrong in (0, 9):
        with pytest.raises(BadParameter, match="rank"):
            factorise_table(net, wrong)
    with pytest.raises(BadParameter, match="parts"):
        quantise_table(net, 3, 8)
    with pytest.raises(BadParameter, match="more than the 44 tokens"):
        quantise_table(net, 2, 45)
    with pytest.raises(BadParameter, match="factorised already"):
        quantise_table(factorise_table(net, 2), 2, 8)
    for weights in (np.ones(3), np.zeros(N_ITEMS), -np.ones(N_ITEMS)):
        with pytest.raises(BadParameter, match="one number from 0 per item"):
            factorise_table(net, 2, weights)


def test_a_thinner_model_is_saved_and_opened(tmp_path):
    for thin in (factorise_table(model(), 3), quantise_table(model(), 2, 16)):
        thin.save_pretrained(tmp_path)
        opened = ItemModel.from_pretrained(tmp_path).eval()
        assert np.abs(scores(opened) - scores(thin)).max() < 1e-6


# --- bits -------------------------------------------------------------------------------------------------------------


def test_eight_bits_stay_close_and_leave_the_model_alone():
    net = model()
    before = scores(net)
    small = int8(net)
    assert np.abs(scores(small) - before).max() < 0.2 * before.std()
    assert np.array_equal(scores(net), before)
    linear = sum(m.weight.numel() for m in net.modules() if isinstance(m, torch.nn.Linear))
    saved = measure_size(net).bytes - measure_size(small).bytes
    assert 3 * linear - 500 < saved <= 3 * linear  # each layer keeps a scale and a zero point


def test_half_precision_stays_close():
    net = model()
    assert np.abs(scores(bf16(net)) - scores(net)).max() < 0.05 * scores(net).std()
    assert scores(bf16(net)).dtype == np.float32


def test_a_build_without_kernels_is_named(monkeypatch: pytest.MonkeyPatch):
    class Without:
        supported_engines = ("none",)

    monkeypatch.setattr(compress.torch.backends, "quantized", Without)
    with pytest.raises(Lacks, match="export the model"):
        int8(model())


# --- shorter memory, and what comes back from disk --------------------------------------------------------------------


def test_a_shortened_model_says_what_the_model_says_of_the_end_of_a_history():
    net = ItemModel(item_config(20, hidden=8, layers=2, heads=2, max_length=9, spread=0.5)).eval()
    shorter = compress.shortened(net, 4)
    long, end = (Histories.from_lists([history]) for history in ([3, 1, 4, 1, 5, 9, 2, 6], [5, 9, 2, 6]))
    assert np.allclose(ItemRecommender(shorter).scores(long), ItemRecommender(net).scores(end), atol=1e-6)
    assert shorter.bert.embeddings.position_embeddings.weight.shape == (4, 8)
    for wrong in (1, 10):
        with pytest.raises(BadParameter, match="up to 9 tokens"):
            compress.shortened(net, wrong)


@pytest.mark.parametrize("shares", [{"heads": 0.5}, {"neurons": 0.5}, {"heads": 0.25, "neurons": 0.25}])
def test_a_pruned_model_opens_as_it_was_saved(shares, tmp_path):
    net = ItemModel(item_config(20, hidden=8, layers=2, heads=4, max_length=9, spread=0.5)).eval()
    pruned = pruning.prune(net, **shares)
    item_model.save(pruned, item_model.build_tokenizer(range(20)), tmp_path)
    again, _ = item_model.load(tmp_path)
    asked = Histories.from_lists([[3, 1, 4], [1, 5]])
    assert np.array_equal(ItemRecommender(again).scores(asked), ItemRecommender(pruned).scores(asked))


def test_learnt_weights_are_counted_by_part():
    net = model(hidden=8, heads=2, feed_forward=12, layers=1, max_length=6)
    spent = learnt_weights(net)
    assert sum(spent.values()) == sum(weight.numel() for weight in net.parameters())
    assert spent["table of items"] == (N_ITEMS + FIRST_ITEM) * 8
    assert spent["attention"] == 4 * (8 * 8 + 8) + 2 * 8  # queries, keys, values, output; its normalisation
    assert spent["feed-forward"] == 2 * 8 * 12 + 12 + 8 + 2 * 8
    of_sets = learnt_weights(model(hidden=8, heads=2, feed_forward=12, layers=1, max_length=6, positions=False))
    assert sum(spent.values()) - sum(of_sets.values()) == net.config.max_position_embeddings * 8
    net.requires_grad_(False)
    assert sum(learnt_weights(net).values()) == 0

"""The item model: its loss, what each position may see, and that it survives saving."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.errors import BadParameter, DataError
from llmarm_tutorial.models import loss
from llmarm_tutorial.models.item_model import ItemModel, build_tokenizer, item_config, load, save
from llmarm_tutorial.models.recommender import ItemRecommender
from llmarm_tutorial.models.tokens import FIRST_ITEM, MASK, PAD, VISIT

N_ITEMS = 11


def model(seed: int = 0, **options) -> ItemModel:
    torch.manual_seed(seed)
    options = {"hidden": 8, "max_length": 6, "dropout": 0.0} | options
    found = ItemModel(item_config(N_ITEMS, **options), seed=seed).eval()
    with torch.no_grad():  # far from the small initial weights, so that every influence shows
        for weight in found.parameters():
            if weight.requires_grad:
                weight.add_(torch.randn_like(weight) * 0.3)
    return found


def tokens(*rows: list[int]) -> torch.Tensor:
    width = max(map(len, rows))
    return torch.tensor([[code + FIRST_ITEM for code in row] + [PAD] * (width - len(row)) for row in rows])


# --- the loss ---------------------------------------------------------------------------------------------------------


def loss_and_slopes(function, *, n: int, n_items: int):
    torch.manual_seed(1)
    hidden = (torch.randn(n, 4) * 2).requires_grad_()
    table = torch.randn(n_items, 4).requires_grad_()
    bias = torch.randn(n_items).requires_grad_()
    targets = torch.randint(0, n_items, (n,))
    value = function(hidden, table, bias, targets)
    (value * 3).backward()
    return [value.detach(), hidden.grad, table.grad, bias.grad]


def plain(hidden, table, bias, targets):
    return torch.nn.functional.cross_entropy(hidden @ table.T + bias, targets)


@pytest.mark.parametrize(("n", "n_items"), [(1, 2), (64, 5), (65, 5), (200, 37)])
def test_the_loss_and_its_gradient_are_those_of_torch(n: int, n_items: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(loss, "BLOCK_SCORES", 1)  # the smallest blocks: 64 rows
    ours = loss_and_slopes(loss.cross_entropy, n=n, n_items=n_items)
    for mine, peers in zip(ours, loss_and_slopes(plain, n=n, n_items=n_items), strict=True):
        assert torch.allclose(mine, peers, atol=1e-6, rtol=1e-5)


def test_half_precision_stays_close_and_keeps_the_table_in_full_precision():
    with torch.autocast("cpu", torch.bfloat16):
        ours = loss_and_slopes(loss.cross_entropy, n=200, n_items=37)
    for mine, peers in zip(ours, loss_and_slopes(plain, n=200, n_items=37), strict=True):
        assert mine.dtype == torch.float32
        assert (mine - peers).abs().max() < 0.03 * peers.abs().max()


def test_extreme_scores_neither_overflow_nor_lose_the_loss():
    hidden, table = torch.tensor([[1000.0]]), torch.tensor([[1.0], [-1.0]])
    assert loss.cross_entropy(hidden, table, torch.zeros(2), torch.tensor([1])) == 2000
    assert loss.cross_entropy(hidden, table, torch.zeros(2), torch.tensor([0])) == 0


def test_without_targets_the_loss_is_zero():
    assert loss.cross_entropy(torch.zeros(0, 3), torch.zeros(5, 3), torch.zeros(5), torch.zeros(0).long()) == 0


def test_an_untrained_model_is_as_uncertain_as_chance():
    torch.manual_seed(0)
    fresh = ItemModel(item_config(500, hidden=16)).eval()
    batch = {
        "input_ids": torch.randint(3, 503, (8, 20)),
        "scored": torch.arange(160),
        "targets": torch.randint(0, 500, (160,)),
    }
    assert fresh(**batch).loss.item() == pytest.approx(np.log(500), rel=0.02)


# --- who sees what ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("objective", ["masked", "causal"])
def test_a_causal_model_does_not_see_what_comes_later_and_a_masked_one_does(objective: str):
    net = model(objective=objective)
    one, other = net.hidden(tokens([1, 2, 3, 4])), net.hidden(tokens([1, 2, 3, 9]))
    assert torch.allclose(one[:, :3], other[:, :3], atol=1e-6) == (objective == "causal")
    assert not torch.allclose(one[:, 3], other[:, 3], atol=1e-3)


@pytest.mark.parametrize("objective", ["masked", "causal"])
def test_padding_has_no_influence(objective: str):
    net = model(objective=objective)
    alone = net.hidden(tokens([1, 2, 3]))
    padded = tokens([1, 2, 3], [4, 5, 6, 7, 8, 9])
    together = net.hidden(padded, (padded != PAD).long())
    assert torch.allclose(alone[0], together[0, :3], atol=1e-5)


@pytest.mark.parametrize("positions", [True, False])
def test_without_positions_the_input_is_a_set(positions: bool):
    net = model(objective="masked", positions=positions)
    forward, backward = net.hidden(tokens([1, 2, 3, 4]))[0], net.hidden(tokens([4, 3, 2, 1]))[0].flip(0)
    assert torch.allclose(forward, backward, atol=1e-5) == (not positions)


def test_positions_that_are_off_stay_off_in_training():
    net = model(objective="masked", positions=False).train()
    net(tokens([1, 2, 3]), torch.tensor([0]), torch.tensor([1])).loss.backward()
    table = net.bert.embeddings.position_embeddings.weight
    assert table.grad is None
    assert not table.any()


def test_only_the_scored_positions_count():
    net = model()
    both = net(tokens([1, 2, 3]), torch.tensor([0, 2]), torch.tensor([5, 6]))
    single = [net(tokens([1, 2, 3]), torch.tensor([p]), torch.tensor([t])).loss for p, t in ((0, 5), (2, 6))]
    assert both.scored == 2
    assert torch.allclose(both.loss, (single[0] + single[1]) / 2, atol=1e-6)
    right = net.logits(net.hidden(tokens([1, 2, 3]))[0]).log_softmax(1)
    assert torch.allclose(both.loss, -(right[0, 5] + right[2, 6]) / 2, atol=1e-5)


def test_a_position_may_be_asked_for_several_items():
    one, other = model(), model()
    ids, scored, targets = tokens([1, 2, 3]), torch.tensor([1, 1, 2]), torch.tensor([5, 6, 5])
    loss = one(ids, scored, targets).loss
    single = [other(ids, scored[t : t + 1], targets[t : t + 1]).loss for t in range(3)]
    assert torch.allclose(loss, torch.stack(single).mean(), atol=1e-6)
    loss.backward()
    torch.stack(single).mean().backward()
    for left, right in zip(one.parameters(), other.parameters(), strict=True):
        assert left.grad is None or torch.allclose(left.grad, right.grad, atol=1e-6)
    states = one.hidden(ids, None, scored)
    assert torch.allclose(states, one.hidden(ids)[0][scored], atol=1e-5)


@pytest.mark.parametrize("tied", [True, False])
def test_the_head_is_the_input_embedding_unless_untied(tied: bool):
    net = model(tied=tied)
    net(tokens([1, 2]), torch.tensor([1]), torch.tensor([7])).loss.backward()
    embedding = net.bert.embeddings.word_embeddings.weight
    assert bool(embedding.grad[FIRST_ITEM + 7].any()) == tied  # item 7 was never an input
    assert net.output_table.shape == (N_ITEMS, 8)


def test_a_model_that_starts_from_popularity_begins_with_the_shares():
    net = ItemModel(item_config(N_ITEMS, hidden=8)).eval()
    counts = np.arange(N_ITEMS) * 10
    net.start_from_popularity(counts)
    with torch.no_grad():
        told = net.logits(torch.zeros(1, 8)).softmax(1)[0].numpy()
    assert np.allclose(told, (counts + 0.5) / (counts.sum() + N_ITEMS / 2), atol=1e-6)


def test_a_model_that_starts_from_copying_prefers_what_it_has_seen():
    random, lead = np.random.default_rng(0), {}
    rows = random.integers(0, 200, (100, 8))
    for copying in (False, True):
        net = ItemModel(item_config(200, hidden=64, layers=1, spread=0.1))
        if copying:
            net.start_from_copying()
        scores = ItemRecommender(net).scores(Histories.from_lists(rows.tolist()))
        scores = (scores - scores.mean(axis=1, keepdims=True)) / scores.std(axis=1, keepdims=True)
        lead[copying] = scores[np.arange(100)[:, None], rows[:, :-1]].mean()  # the last item leads in either model
    assert abs(lead[False]) < 0.1 < 0.2 < lead[True]


# --- saving -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"objective": "masked", "positions": False}, {"tied": False}])
def test_a_saved_model_scores_the_same(tmp_path, options: dict):
    net = model(**options)
    ids = [f"item {code}" for code in range(N_ITEMS)]
    save(net, build_tokenizer(ids), tmp_path / "saved")
    again, tokenizer = load(tmp_path / "saved")
    histories = Histories.from_lists([[1, 2, 3], [4], []])
    assert np.array_equal(ItemRecommender(net).scores(histories), ItemRecommender(again).scores(histories))
    assert again.config.objective == net.config.objective
    assert tokenizer(["item 3", "item 0", "what?"], is_split_into_words=True)["input_ids"] == [
        FIRST_ITEM + 3,
        FIRST_ITEM,
        1,
    ]


def test_transformers_opens_a_saved_model_by_itself(tmp_path):
    net = model(objective="masked")
    save(net, build_tokenizer(range(N_ITEMS)), tmp_path)
    encoder, tokenizer = AutoModel.from_pretrained(tmp_path), AutoTokenizer.from_pretrained(tmp_path)
    batch = tokenizer(["1\t2\t3", "4"], padding=True, return_tensors="pt")
    assert batch["input_ids"].tolist() == tokens([1, 2, 3], [4]).tolist()
    theirs = encoder.eval()(**batch).last_hidden_state
    assert torch.allclose(theirs[0], net.hidden(tokens([1, 2, 3]))[0], atol=1e-5)


def test_a_folder_without_a_model_is_one_sentence(tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(DataError, match=r"holds no item model .* train one"):
            load(folder)


def test_a_bert_of_words_is_no_item_model(tmp_path):
    from transformers import BertConfig, BertModel

    BertModel(BertConfig(vocab_size=30, hidden_size=8, num_attention_heads=2, num_hidden_layers=1)).save_pretrained(
        tmp_path
    )
    with pytest.raises(DataError, match="no item model"):
        load(tmp_path)


@pytest.mark.parametrize("ids", [["a", "a"], [1, "1"], ["a\tb"], ["[MASK]"], ["face [MASK] 50 ml"]])
def test_ids_that_a_tokenizer_cannot_tell_apart_are_refused(ids: list):
    with pytest.raises(DataError, match="Item ids must differ"):
        build_tokenizer(ids)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"objective": "seq2seq"}, "'masked' or 'causal', not 'seq2seq'"),
        ({"hidden": 10, "heads": 4}, "multiple of heads"),
        ({"layers": 0}, "layers is 0"),
        ({"dropout": 1.0}, "dropout is 1.0"),
    ],
)
def test_a_wrong_configuration_is_one_sentence(options: dict, message: str):
    with pytest.raises(BadParameter, match=message):
        item_config(N_ITEMS, **options)


# --- recommending -----------------------------------------------------------------------------------------------------


def test_a_causal_recommender_reads_the_last_items():
    net = model()
    scores = ItemRecommender(net, block=2).scores(Histories.from_lists([[5], [1, 2, 3], [0, 9, 8, 7, 6, 5, 4, 3]]))
    for row, items in enumerate([[5], [1, 2, 3], [8, 7, 6, 5, 4, 3]]):
        expected = net.logits(net.hidden(tokens(items))[:, -1])[0]
        assert np.allclose(scores[row], expected.detach(), atol=1e-5)


def test_a_masked_recommender_fills_a_mask_behind_the_last_items():
    net = model(objective="masked")
    scores = ItemRecommender(net).scores(Histories.from_lists([[1, 2], [0, 9, 8, 7, 6, 5, 4, 3]]))
    for row, items in enumerate([[1, 2], [7, 6, 5, 4, 3]]):
        asked = torch.cat([tokens(items), torch.tensor([[MASK]])], dim=1)
        assert np.allclose(scores[row], net.logits(net.hidden(asked)[:, -1])[0].detach(), atol=1e-5)


@pytest.mark.parametrize("objective", ["masked", "causal"])
def test_an_empty_history_gets_finite_scores_and_training_mode_is_kept(objective: str):
    net = model(objective=objective).train()
    scores = ItemRecommender(net).scores(Histories.from_lists([[], [3]]))
    assert np.isfinite(scores).all()
    assert net.training


def test_a_model_with_visits_is_asked_for_the_next_visit():
    histories = Histories(np.array([1, 2, 3], np.int32), np.array([0, 3, 3]), np.array([0, 0, 1], np.int32), 10)
    for objective, asked in (("causal", []), ("masked", [MASK])):
        net = model(objective=objective, visits=True, max_length=8)
        scores = ItemRecommender(net).scores(histories)
        rows = ([VISIT, 1 + FIRST_ITEM, 2 + FIRST_ITEM, VISIT, 3 + FIRST_ITEM, VISIT, *asked], [VISIT, *asked])
        for row, ids in enumerate(rows):
            expected = net.logits(net.hidden(torch.tensor([ids]))[:, -1])[0].detach()
            assert np.allclose(scores[row], expected, atol=1e-5)


# --- seeds ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"tied": False}, {"table": "factorised"}, {"table": "coded"}])
def test_a_seed_alone_decides_the_weights_and_nothing_drawn_later_notices(options: dict):
    config = item_config(N_ITEMS, **options)
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    one, same, other = (ItemModel(config, seed=seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.rand(3), expected)
    assert all(torch.equal(weight, same[name]) for name, weight in one.items())
    words = next(name for name in one if "word_embeddings" in name)
    assert not torch.equal(one[words], other[words])

"""Small tables of item vectors: what they hold, how they learn, that a model with one is saved and opened."""

from __future__ import annotations

import pytest
import torch

from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.errors import BadParameter
from llmarm_tutorial.models.batches import ItemBatches
from llmarm_tutorial.models.item_model import ItemModel, build_tokenizer, item_config, load, save
from llmarm_tutorial.models.tables import CodedTable, FactorisedTable
from llmarm_tutorial.models.tokens import FIRST_ITEM
from llmarm_tutorial.models.training import Settings, train

SMALL = [{"table": "factorised", "rank": 2}, {"table": "coded", "parts": 4, "centroids": 8}]


def test_a_factorised_table_is_the_product_of_its_parts():
    table = FactorisedTable(3, 4, 1)
    with torch.no_grad():
        table.rows.copy_(torch.tensor([[1.0], [2.0], [0.0]]))
        table.mix.copy_(torch.tensor([[1.0, 0.0, -1.0, 3.0]]))
    assert table.weight.tolist() == [[1, 0, -1, 3], [2, 0, -2, 6], [0, 0, 0, 0]]
    assert table(torch.tensor([[1]])).tolist() == [[[2, 0, -2, 6]]]


def test_a_coded_table_puts_entries_together():
    table = CodedTable(3, 4, parts=2, centroids=2)
    books = torch.tensor([[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]]])
    table.set_codes(torch.tensor([[0, 1], [1, 0], [1, 1]], dtype=torch.uint8), books)
    assert table.weight.tolist() == [[1, 2, 7, 8], [3, 4, 5, 6], [3, 4, 7, 8]]
    assert table(torch.tensor([2, 0])).tolist() == [[3, 4, 7, 8], [1, 2, 7, 8]]


@pytest.mark.parametrize("table", [FactorisedTable(20, 8, 3), CodedTable(20, 8, 4, 8)], ids=["factorised", "coded"])
def test_the_vectors_of_tokens_are_rows_of_the_table(table):
    tokens = torch.tensor([[0, 19], [7, 7]])
    assert torch.allclose(table(tokens), table.weight[tokens])


def test_codes_of_another_shape_are_refused():
    with pytest.raises(BadParameter, match=r"codes of shape \(3, 2\) below 4"):
        CodedTable(3, 4, 2, 4).set_codes(torch.full((3, 2), 4, dtype=torch.uint8), torch.zeros(2, 4, 2))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"table": "hashed"}, "choose one of: full, factorised, coded"),
        ({"table": "factorised", "rank": 0}, "rank is 0"),
        ({"table": "factorised", "rank": 17}, r"width of the model \(16\)"),
        ({"table": "coded", "parts": 3}, "parts that divide"),
        ({"table": "coded", "centroids": 257}, "2 to 256 centroids"),
    ],
)
def test_impossible_tables_are_refused(wrong, said):
    with pytest.raises(BadParameter, match=said):
        item_config(10, hidden=16, **wrong)


@pytest.mark.parametrize("small", SMALL, ids=lambda small: small["table"])
def test_a_model_with_a_small_table_learns_through_it(small):
    model = ItemModel(item_config(12, hidden=16, layers=1, heads=1, dropout=0.0, spread=0.1, **small))
    assert model.output_table.shape == (12, 16)
    before = {name: weight.clone() for name, weight in model.named_parameters()}
    done = train(
        model,
        ItemBatches(Histories.from_lists([list(range(12))] * 40), 12),
        Settings(epochs=60, learning_rate=1e-2, precision="no", log_every=1),
        progress=False,
    )
    stem = "bert.embeddings.word_embeddings."
    for name in [name for name in before if name.startswith(stem)]:
        assert not torch.equal(before[name], model.state_dict()[name]), name
    assert done.losses["loss"].iloc[-1] < 0.5 * done.losses["loss"].iloc[0]


@pytest.mark.parametrize("small", SMALL, ids=lambda small: small["table"])
def test_a_model_with_a_small_table_opens_as_it_was_saved(small, tmp_path):
    model = ItemModel(item_config(9, hidden=16, layers=1, heads=1, **small)).eval()
    save(model, build_tokenizer(range(9)), tmp_path)
    again, _ = load(tmp_path)
    tokens = torch.arange(9)[None] + FIRST_ITEM
    assert torch.equal(model.hidden(tokens), again.hidden(tokens))
    assert torch.equal(model.output_table, again.output_table)


def test_a_small_table_costs_what_it_says():
    full, factorised, coded = (
        sum(
            weight.numel() for name, weight in ItemModel(item_config(100, **table)).named_parameters() if "word" in name
        )
        for table in ({}, {"table": "factorised", "rank": 8}, {"table": "coded", "parts": 16, "centroids": 32})
    )
    assert (full, factorised, coded) == (104 * 64, 104 * 8 + 8 * 64, 32 * 64)

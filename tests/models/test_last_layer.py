"""A last layer that is computed only where it is read says what the whole layer says there, and learns the same."""

from __future__ import annotations

import copy

import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification
from transformers.utils import ModelOutput

from llmarm_tutorial.errors import BadParameter
from llmarm_tutorial.models import last_layer
from llmarm_tutorial.models.fine_tuning import VARIANTS, new_classifier
from llmarm_tutorial.models.item_model import ItemModel, item_config
from llmarm_tutorial.models.last_layer import LastLayer, is_read_where_asked, read_where_asked
from llmarm_tutorial.models.tokens import FIRST_ITEM, MASK, PAD

pytestmark = pytest.mark.skipif(
    not last_layer.passes_arguments_down(), reason="Transformers 4 computes the whole last layer"
)
N_ITEMS = 11
LENGTHS = (6, 2, 6, 4)  # the second and the last sequence are padded


def model(**options) -> ItemModel:
    options = {"hidden": 8, "heads": 2, "max_length": 6, "dropout": 0.0, "spread": 0.5} | options
    return ItemModel(item_config(N_ITEMS, **options), seed=3).eval()


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids, shape (4, 6), and their mask."""
    drawn = torch.randint(FIRST_ITEM, FIRST_ITEM + N_ITEMS, (4, 6), generator=torch.Generator().manual_seed(1))
    mask = (torch.arange(6) < torch.tensor(LENGTHS)[:, None]).long()
    return torch.where(mask.bool(), drawn, PAD), mask


READ = {
    "the first of each": [0, 6, 12, 18],
    "the last of each": [5, 7, 17, 21],
    "some, and none of the third": [0, 3, 4, 6, 18, 20],
    "in any order": [18, 0, 7, 6, 3],
    "one twice": [3, 3, 18],
    "one alone": [21],
    "none": [],
}


@pytest.mark.parametrize("where", READ)
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("objective", ["masked", "causal"])
def test_states_and_gradients_are_those_of_the_whole_layer(objective: str, layers: int, where: str):
    net, scored = model(objective=objective, layers=layers).double(), torch.tensor(READ[where], dtype=torch.long)
    input_ids, mask = batch()
    slopes = []
    for states in (net.hidden(input_ids, mask, scored), net.hidden(input_ids, mask).flatten(0, 1)[scored]):
        assert states.shape == (len(scored), 8)
        net.zero_grad()
        (states * torch.arange(8)).sin().sum().backward()
        slopes.append([w.grad for w in net.parameters() if w.grad is not None])
        slopes.append([states])
    for one, other in zip(slopes[0] + slopes[1], slopes[2] + slopes[3], strict=True):
        assert torch.allclose(one, other, atol=1e-9)


def test_without_padding_there_is_no_mask():
    net, scored = model(objective="masked"), torch.tensor([1, 8, 9])
    input_ids = batch()[0].clamp(min=FIRST_ITEM)
    assert torch.allclose(net.hidden(input_ids, None, scored), net.hidden(input_ids).flatten(0, 1)[scored], atol=1e-6)


def test_where_most_positions_are_read_the_whole_layer_is_computed(monkeypatch: pytest.MonkeyPatch):
    net, (input_ids, mask) = model(objective="masked"), batch()
    monkeypatch.setattr(LastLayer, "_at", lambda *_: pytest.fail("the layer was cut"))
    assert net.hidden(input_ids, mask, torch.arange(13)).shape == (13, 8)


def test_weights_and_their_names_stay_as_they_are():
    config = BertConfig(vocab_size=9, hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=8)
    net = BertForSequenceClassification(config)
    before = copy.deepcopy(net.state_dict())
    read_where_asked(net.bert, first_only=True)
    after = net.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[name], before[name]) for name in before)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_classifier_says_the_same_with_the_whole_layer(variant: str):
    net = new_classifier(model(objective="masked", layers=2), 3, variant, dropout=0.0, steps=20, seed=1).eval()
    with torch.no_grad():  # what a variant adds is nothing at first
        for weight in net.parameters():
            weight.add_(0.2 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(weight.numel())))
    input_ids, mask = batch()
    input_ids[:, 0] = MASK
    given = {"input_ids": input_ids, "attention_mask": mask, "token_type_ids": torch.zeros_like(mask)}
    cut = net(**given).logits
    last = next(module for module in net.modules() if isinstance(module, LastLayer))
    assert last.first_only
    last.first_only = False
    assert cut.std() > 0.01
    assert torch.allclose(cut, net(**given).logits, atol=1e-5)


def test_with_transformers_4_the_whole_layer_is_computed_and_says_the_same(monkeypatch):
    ids, mask = batch()
    scored = torch.tensor([1, 8])
    shortened = model()
    monkeypatch.setattr(last_layer, "passes_arguments_down", lambda: False)
    whole = model()
    assert is_read_where_asked(shortened.bert)
    assert not is_read_where_asked(whole.bert)
    torch.testing.assert_close(whole.hidden(ids, mask, scored), shortened.hidden(ids, mask, scored))


WRONG = {
    "from the end": torch.tensor([3, -1]),
    "behind the last": torch.tensor([0, 24]),
    "a table": torch.zeros(2, 2, dtype=torch.long),
    "one number": torch.tensor(3),
    "truth values": torch.arange(24) < 3,
    "no whole numbers": torch.tensor([1.0, 2.0]),
}


@pytest.mark.parametrize("scored", WRONG.values(), ids=WRONG.keys())
@pytest.mark.parametrize("cut", [True, False], ids=["cut", "whole"])
def test_what_names_no_position_is_one_sentence_however_the_layer_is_computed(scored: torch.Tensor, cut: bool):
    net, (input_ids, mask) = model(), batch()
    if not cut and scored.dim() == 1 and not scored.dtype.is_floating_point:
        scored = torch.cat([scored, torch.arange(14).to(scored.dtype)])  # too many to leave work out
    with pytest.raises(BadParameter, match="Positions to read are"):
        net.hidden(input_ids, mask, scored)
    with pytest.raises(BadParameter, match="Positions to read are"):
        net(input_ids, scored, torch.zeros(len(scored) if scored.dim() else 1, dtype=torch.long), mask)
    with pytest.raises(BadParameter, match="Positions to read are"):
        net.bert(input_ids=input_ids, read=scored)


STATES, WEIGHTS = {"hidden_states": [(4, 6, 8)] * 3}, {"attentions": [(4, 2, 6, 6)] * 2}
KEPT = [  # names in the settings, names as arguments, and what is to be handed out of each layer
    (("output_hidden_states",), (), STATES),
    ((), ("output_hidden_states",), STATES),
    (("output_attentions",), (), WEIGHTS),
    ((), ("output_attentions",), WEIGHTS),
]


def of_all_layers(found: ModelOutput) -> dict[str, list[tuple[int, ...]]]:
    """Shapes of what was handed out of each layer."""
    names = [name for name in ("hidden_states", "attentions") if found.get(name)]
    return {name: [tuple(of_layer.shape) for of_layer in found[name]] for name in names}


@pytest.mark.parametrize(("settings", "arguments", "shapes"), KEPT)
def test_states_of_all_layers_are_those_of_all_positions(settings, arguments, shapes):
    net, (input_ids, mask), scored = model(layers=2), batch(), torch.tensor([1, 8])
    cut = net.hidden(input_ids, mask, scored)
    net.set_attn_implementation("eager")  # the others do not know their attentions
    for name in settings:
        setattr(net.config, name, True)
    with pytest.raises(BadParameter, match="ask for them without read"):
        net.bert(input_ids=input_ids, read=scored, **dict.fromkeys(arguments, True))
    assert of_all_layers(net.bert(input_ids=input_ids, **dict.fromkeys(arguments, True))) == shapes
    assert torch.allclose(net.hidden(input_ids, mask, scored), cut, atol=1e-6)  # which hands none of them out


@pytest.mark.parametrize(("settings", "arguments", "shapes"), KEPT)
def test_a_classifier_hands_out_the_states_of_all_layers_whole(settings, arguments, shapes):
    net = new_classifier(model(objective="masked", layers=2), 3, "full", dropout=0.0, steps=20, seed=1).eval()
    input_ids, mask = batch()
    cut = net(input_ids=input_ids, attention_mask=mask).logits
    net.set_attn_implementation("eager")
    for name in settings:
        setattr(net.config, name, True)
    found = net(input_ids=input_ids, attention_mask=mask, **dict.fromkeys(arguments, True))
    assert of_all_layers(found) == shapes
    assert torch.allclose(found.logits, cut, atol=1e-6)

"""The short forward pass of a BERT says what the library's says, and learns the same."""

from __future__ import annotations

import copy

import pytest
import torch
from transformers import BertConfig
from transformers.models.bert.modeling_bert import BertLayer, BertModel

from llmarm_tutorial.models import last_layer
from llmarm_tutorial.models.encoder import Encoder
from llmarm_tutorial.models.last_layer import read_where_asked

pytestmark = pytest.mark.skipif(not last_layer.passes_arguments_down(), reason="Transformers 4 goes the library's way")


def both(*, causal: bool = False, layers: int = 2, pooler: bool = True) -> tuple[BertModel, BertModel]:
    """A BERT as the library has it, and the same with the short way; large random weights, no dropout."""
    sizes = {"vocab_size": 19, "hidden_size": 8, "num_hidden_layers": layers, "num_attention_heads": 2}
    dropped = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    config = BertConfig(
        **sizes, **dropped, intermediate_size=16, initializer_range=0.7, is_decoder=causal, use_cache=False
    )
    torch.manual_seed(4)
    whole = BertModel(config, add_pooling_layer=pooler).double()
    short = copy.deepcopy(whole)
    read_where_asked(short)
    assert type(short) is Encoder
    return whole, short


def given(**further: torch.Tensor) -> dict[str, torch.Tensor]:
    ids = torch.randint(1, 19, (3, 5), generator=torch.Generator().manual_seed(1))
    return {"input_ids": ids} | further


PADDED = (torch.arange(5) < torch.tensor([5, 2, 4])[:, None]).long()
SEGMENTS = torch.tensor([[0, 0, 1, 1, 1]]).expand(3, 5)
INPUTS = {
    "tokens": {},
    "padding": {"attention_mask": PADDED},
    "segments": {"token_type_ids": SEGMENTS},
    "padding and segments": {"attention_mask": PADDED, "token_type_ids": SEGMENTS},
}


@pytest.mark.parametrize("name", INPUTS)
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("causal", [False, True])
def test_states_and_gradients_are_those_of_the_library(causal: bool, layers: int, name: str, monkeypatch):
    nets = both(causal=causal, layers=layers)
    seen = INPUTS[name].get("attention_mask", torch.ones_like(PADDED)).bool()
    found = [nets[0](**given(**INPUTS[name]))]
    monkeypatch.setattr(BertLayer, "forward", lambda *_, **__: pytest.fail("the library's way was taken"))
    found.append(nets[1](**given(**INPUTS[name])))
    monkeypatch.undo()
    torch.testing.assert_close(found[1].last_hidden_state[seen], found[0].last_hidden_state[seen])
    torch.testing.assert_close(found[1].pooler_output, found[0].pooler_output)
    for output in found:
        (output.last_hidden_state[seen] * torch.arange(8)).sin().sum().backward()
    for (parameter, one), other in zip(nets[0].named_parameters(), nets[1].parameters(), strict=True):
        assert (one.grad is None) == (other.grad is None), parameter
        if one.grad is not None:
            torch.testing.assert_close(other.grad, one.grad, msg=parameter)


def test_vectors_in_place_of_tokens_are_read():
    whole, short = both()
    vectors = torch.randn(3, 5, 8, dtype=torch.float64)
    one, other = (net(inputs_embeds=vectors, attention_mask=PADDED).last_hidden_state for net in (whole, short))
    torch.testing.assert_close(other[PADDED.bool()], one[PADDED.bool()])


def test_dropout_draws_the_same_numbers():
    nets = both(pooler=False)
    states = []
    for net in nets:
        for module in net.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.3
        torch.manual_seed(9)
        states.append(net.train()(**given()).last_hidden_state)
        assert not torch.allclose(states[-1], net.eval()(**given()).last_hidden_state)
    torch.testing.assert_close(*states)


def test_what_it_does_not_know_is_left_to_the_library():
    whole, short = both()
    options = {"output_hidden_states": True}
    one, other = (net(**given(attention_mask=PADDED), **options) for net in (whole, short))
    assert len(other.hidden_states) == 3
    for mine, theirs in zip(other.hidden_states, one.hidden_states, strict=True):
        torch.testing.assert_close(mine, theirs)
    assert type(short) is Encoder
    assert isinstance(short(**given(), return_dict=False), tuple)
    places = torch.tensor([[4, 3, 2, 1, 0]])
    one, other = (net(**given(), position_ids=places).last_hidden_state for net in (whole, short))
    torch.testing.assert_close(other, one)
    square = torch.ones(3, 1, 5, 5, dtype=torch.bool).tril()
    one, other = (net(**given(attention_mask=square)).last_hidden_state for net in (whole, short))
    torch.testing.assert_close(other, one)

#!/usr/bin/env bash
# Version: peft 0.21.2, transformers 5.23.0, torch 2.13.0 (a large download)
# Expected: after `merge_and_unload()` a LoRA model is an ordinary model; saved and loaded it gives the same scores, as
#   the same model does without peft.
# Instead: with the output layer trained along (`modules_to_save=["cls"]`, the usual way for a masked model over items)
#   the merged model in memory is right, but its copy from disk has an output bias of zeros: the popularity of every
#   item, which is what the bias of such a model learns, is gone. The bias has two names that are one tensor; the merged
#   model is saved under one of them and loaded under the other. Saving and loading succeed; a table of missing keys in
#   the log is all there is. Compare the scores before and after saving.
# Output:
#   without peft   in memory -> from disk: largest difference 0.0, largest bias 5.0 -> 5.0
#   merged         in memory -> from disk: largest difference 5.0, largest bias 5.0 -> 0.0
set -euo pipefail
place="$(mktemp -d)"
trap 'rm -rf "$place"' EXIT
"${PYTHON:-python3}" -m venv "$place"
"$place/bin/python" -m pip install --quiet torch==2.13.0 transformers==5.23.0 peft==0.21.2 accelerate==1.15.0
"$place/bin/python" -I - <<'END'
import logging
import os
import tempfile
import warnings

os.environ["HF_HUB_OFFLINE"] = "1"
warnings.simplefilter("ignore")
logging.disable()
import torch
import transformers
from peft import LoraConfig, get_peft_model
from transformers import BertConfig, BertForMaskedLM

transformers.utils.logging.disable_progress_bar()
items = torch.arange(5, 13)[None]


def pretrained():
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    return BertForMaskedLM(BertConfig(vocab_size=50, max_position_embeddings=16, **sizes)).eval()


def with_bias(model):
    """The model as if it had learned that item 7 is popular."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad and parameter.shape == (50,):
                parameter[7] = 5.0
    return model


def saved_and_loaded(model):
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        again = BertForMaskedLM.from_pretrained(folder).eval()
    with torch.no_grad():
        difference = (model(items).logits - again(items).logits).abs().max()
    biases = [one.cls.predictions.decoder.bias.abs().max() for one in (model, again)]
    return [round(float(number), 1) for number in (difference, *biases)]


adapter = LoraConfig(r=2, target_modules=["query", "value"], modules_to_save=["cls"])
seen = {
    "without peft": saved_and_loaded(with_bias(pretrained())),
    "merged": saved_and_loaded(with_bias(get_peft_model(pretrained(), adapter)).merge_and_unload().eval()),
}
for case, (difference, before, after) in seen.items():
    print(f"{case:14} in memory -> from disk: largest difference {difference}, largest bias {before} -> {after}")
assert list(seen.values()) == [[0, 5, 5], [5, 5, 0]], f"the behaviour has changed: {seen}"
END

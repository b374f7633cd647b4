#!/usr/bin/env bash
# Version: transformers 5.23.0, torch 2.13.0 (a large download)
# Expected: the collator for masked models draws new masks in every epoch (dynamic masking, why one does it in the
#   collator); a seed makes the run repeatable, and how many processes load the data changes nothing about that.
# Instead: with `seed=` and `num_workers` of 1 or more, every epoch gets the very same masks: a model sees one masked
#   version of each history, however long it trains. The generator is made on first use, in the worker, and by default
#   every epoch starts new workers that start it again. Without a seed, in the main process, or with
#   `persistent_workers=True` all is as expected.
# Output (of 8 histories over 3 epochs: different maskings seen, 24 are possible):
#   no workers, no seed                        24
#   no workers, seed=1                         24
#   one worker, no seed                        24
#   one worker, seed=1                          8
#   one worker, seed=1, persistent_workers     24
set -euo pipefail
place="$(mktemp -d)"
trap 'rm -rf "$place"' EXIT
"${PYTHON:-python3}" -m venv "$place"
"$place/bin/python" -m pip install --quiet torch==2.13.0 transformers==5.23.0
"$place/bin/python" -I - <<'END'
import logging
import os
import warnings

os.environ["HF_HUB_OFFLINE"] = "1"
warnings.simplefilter("ignore")
logging.disable()
import torch
from tokenizers import Tokenizer, models
from torch.utils.data import DataLoader
from transformers import DataCollatorForLanguageModeling, PreTrainedTokenizerFast

words = {str(item): item for item in range(100)} | {"[MASK]": 100, "[PAD]": 101, "[UNK]": 102}
tokenizer = PreTrainedTokenizerFast(
    tokenizer_object=Tokenizer(models.WordLevel(words, unk_token="[UNK]")), mask_token="[MASK]", pad_token="[PAD]"
)
histories = [{"input_ids": list(range(start, start + 20))} for start in range(0, 80, 10)]


def maskings(workers, seed, persistent=False):
    """How many different maskings of histories three epochs show."""
    torch.manual_seed(0)
    collator = DataCollatorForLanguageModeling(tokenizer, mlm_probability=0.3, seed=seed)
    process = {"multiprocessing_context": "fork", "persistent_workers": persistent} if workers else {}
    loader = DataLoader(histories, batch_size=4, collate_fn=collator, num_workers=workers, **process)
    return len({tuple(row.tolist()) for _ in range(3) for batch in loader for row in batch["labels"]})


seen = {
    "no workers, no seed": maskings(0, None),
    "no workers, seed=1": maskings(0, 1),
    "one worker, no seed": maskings(1, None),
    "one worker, seed=1": maskings(1, 1),
    "one worker, seed=1, persistent_workers": maskings(1, 1, True),
}
for case, number in seen.items():
    print(f"{case:42} {number:2}")
assert list(seen.values()) == [24, 24, 24, 8, 24], f"the behaviour has changed: {seen}"
END

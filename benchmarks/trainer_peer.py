"""Hugging Face's Trainer with its own parts, as a peer of the kit's training loop: the same windows, masks and rate."""

from __future__ import annotations

import collections
import tempfile
from collections.abc import Callable, Iterator

import numpy as np
import torch
from transformers import (
    BertConfig,
    BertForMaskedLM,
    DataCollatorForLanguageModeling,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)
from transformers.trainer_callback import PrinterCallback
from turns import Gate

from llmarm_tutorial.models.batches import ItemBatches
from llmarm_tutorial.models.item_model import build_tokenizer
from llmarm_tutorial.models.seeds import seeded
from llmarm_tutorial.models.tokens import FIRST_ITEM, PAD


class Collator(DataCollatorForLanguageModeling):
    """Hugging Face's collator, which notes the size of every batch that it makes."""

    def __call__(self, features, return_tensors=None):
        batch = super().__call__(features, return_tensors)
        self.made.append(
            (batch["attention_mask"].sum(1), batch["input_ids"].shape[1], int((batch["labels"] >= 0).sum()))
        )
        return batch


class Hooks(TrainerCallback):
    """Lets Trainer pass the gate before every step and validate after every epoch."""

    def __init__(self, made: collections.deque, gate: Gate | None, validate) -> None:
        self.made, self.gate, self.validate = made, gate, validate

    def on_step_begin(self, args, state, control, **others):
        size = self.made.popleft()
        if self.gate:
            self.gate.step(*size)

    def on_epoch_end(self, args, state, control, model=None, **others):
        if self.validate:
            model.eval()
            self.validate(AsItemModel(model))


class MixedTrainer(Trainer):
    """Trainer, with the batches of equal length in random order: its own order begins with all the long ones, so some
    seconds of it would be no sample of an epoch."""

    def _get_train_sampler(self, *arguments):
        sampler = super()._get_train_sampler(*arguments)
        grouped = self.args.train_sampling_strategy == "group_by_length"
        return ShuffledBatches(sampler, self.args.per_device_train_batch_size) if grouped else sampler


class ShuffledBatches(torch.utils.data.Sampler):
    """What another sampler draws, batch by batch in random order; a last batch that is not full is left out."""

    def __init__(self, sampler: torch.utils.data.Sampler, size: int) -> None:
        self.sampler, self.size = sampler, size

    def __len__(self) -> int:
        return len(self.sampler) // self.size * self.size

    def __iter__(self) -> Iterator[int]:
        drawn = np.fromiter(self.sampler, dtype=np.int64)[: len(self)].reshape(-1, self.size)
        return iter(np.random.default_rng(0).permutation(drawn).ravel().tolist())


class AsItemModel(torch.nn.Module):
    """A `BertForMaskedLM` with the methods of an `ItemModel` that `ItemRecommender` asks for."""

    def __init__(self, model: BertForMaskedLM) -> None:
        super().__init__()
        self.model, self.config, self.device = model, model.config, model.device
        self.n_items = model.config.vocab_size - FIRST_ITEM

    def hidden(self, input_ids, attention_mask):
        return self.model.bert(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state

    def logits(self, hidden):
        return self.model.cls(hidden)[:, FIRST_ITEM:]


def fit(
    batches: ItemBatches,
    config: BertConfig,
    gate: Gate | None,
    *,
    epochs: int,
    rate: float,
    compiled: bool,
    device: str,
    grouped: bool,
    bf16: bool,
    validate: Callable[[torch.nn.Module], float] | None = None,
) -> None:
    """Train with Hugging Face's Trainer, on the windows of the kit's first epoch.

    Args:
        batches: What the kit would train on, with the masked objective.
        config: Of the network; changed to one with a tied head, as the kit's has.
        gate: What to pass before every step; None lets the training run.
        epochs: Passes over the windows.
        rate: Learning rate.
        compiled: Whether to use `torch.compile`.
        device: "cpu" or "cuda".
        grouped: Whether windows of similar length share a batch; else all are padded to the longest input.
        bf16: Whether to compute in bfloat16.
        validate: Called after every epoch with the network in the form of an `ItemModel`.
    """
    config.tie_word_embeddings = True
    rows = []
    for start, stop in batches.windows(0).tolist():
        tokens = (batches.histories.items[start:stop] + FIRST_ITEM).tolist()
        padding = 0 if grouped else batches.max_length - len(tokens)
        mask = [1] * len(tokens) + [0] * padding
        special = [0] * len(tokens) + [1] * padding
        rows.append({"input_ids": tokens + [PAD] * padding, "attention_mask": mask, "special_tokens_mask": special})
    # every chosen item becomes [MASK], as in the kit and in BERT4Rec
    collator = Collator(
        build_tokenizer(range(config.vocab_size - FIRST_ITEM)),
        mlm_probability=batches.mask_share,
        mask_replace_prob=1.0,
        random_replace_prob=0.0,
    )
    collator.made = collections.deque()
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            folder, num_train_epochs=epochs, learning_rate=rate, warmup_steps=0.05,
            weight_decay=0.01, per_device_train_batch_size=batches.batch_size, dataloader_drop_last=True, bf16=bf16,
            train_sampling_strategy="group_by_length" if grouped else "random", torch_compile=compiled,
            use_cpu=device == "cpu", dataloader_pin_memory=device == "cuda", seed=0,
            logging_strategy="no", save_strategy="no", report_to="none", disable_tqdm=True, remove_unused_columns=False,
        )  # fmt: skip
        hooks = Hooks(collator.made, gate, validate)
        with seeded(0):
            model = BertForMaskedLM(config)
        trainer = MixedTrainer(model, arguments, data_collator=collator, train_dataset=rows, callbacks=[hooks])
        trainer.remove_callback(PrinterCallback)
        trainer.train()

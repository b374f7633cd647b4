"""Fine-tuning: a pretrained item model becomes a classifier, in whole or in small part.

The classifier is the `BertForSequenceClassification` of Hugging Face Transformers on the encoder of an `ItemModel`.
What of it is trained is the *variant*: everything, the upper layers, the head alone, or a few new weights beside frozen
old ones (parameter-efficient fine-tuning; all but the bottleneck adapters come from the library peft). The loop is that
of `training`.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import BertConfig, BertForSequenceClassification

from llmarm_tutorial.errors import BadParameter, UnknownName
from llmarm_tutorial.labels.scores import ClassScores
from llmarm_tutorial.labels.tasks import Labelled
from llmarm_tutorial.models.adapters import Bottleneck, Sizes, by_peft, reallocate_ranks
from llmarm_tutorial.models.item_model import ItemModel
from llmarm_tutorial.models.label_batches import Augmentation, ClassBatches, class_inputs
from llmarm_tutorial.models.last_layer import read_where_asked
from llmarm_tutorial.models.seeds import seeded
from llmarm_tutorial.models.training import Settings, Training, train

VARIANTS: Mapping[str, str] = {
    "scratch": "all weights, none of them pretrained",
    "full": "all weights, from pretraining",
    "top layer": "the head, the pooler and the last layer of the encoder",
    "linear head": "the head on a frozen encoder",
    "LoRA": "low-rank updates of the attention's queries and values (Hu et al. 2022)",
    "AdaLoRA": "low-rank updates whose ranks go where they matter (Zhang et al. 2023)",
    "IA3": "factors for keys, values and the feed-forward layer (Liu et al. 2022)",
    "prefix tuning": "keys and values put before every layer's own (Li & Liang 2021)",
    "prompt tuning": "vectors put before the input (Lester et al. 2021)",
    "adapters": "a bottleneck behind the two blocks of every layer (Houlsby et al. 2019)",
}


@dataclass(frozen=True, eq=False)
class FineTuned:
    """A fine-tuned classifier.

    Attributes:
        model: The classifier, in evaluation mode.
        variant: Name in `VARIANTS`.
        max_length: Longest input in tokens.
        training: What the loop did.
        trainable: Number of trained weights: what has to be kept per task beside the shared encoder.
        state_bytes: Memory of weights, gradients and the two moments of AdamW in training, in bytes (float32;
            activations are not in it).
    """

    model: nn.Module
    variant: str
    max_length: int
    training: Training
    trainable: int
    state_bytes: int

    def scores(self, labelled: Labelled, name: str | None = None) -> ClassScores:
        """The classifier's probabilities for examples, ready to be judged."""
        return ClassScores(name or self.variant, labelled, probabilities(self.model, labelled, self.max_length))


def new_classifier(
    pretrained: ItemModel,
    n_classes: int,
    variant: str = "full",
    *,
    sizes: Sizes | None = None,
    dropout: float = 0.1,
    steps: int | None = None,
    seed: int = 0,
) -> nn.Module:
    """A classifier of item sets on a pretrained encoder, with what the variant trains switched on.

    The input is what `tokens.encode_sets` writes. The pooler, which BERT puts between encoder and head, starts as the
    identity, so that a linear head on a frozen encoder reads the encoder's state and no random mixture of it. Segment
    1, which pretraining has not seen, starts as a random vector of the size of an item's.

    Args:
        pretrained: A masked item model; it is left as it is.
        n_classes: Number of classes, from 2.
        variant: Name in `VARIANTS`.
        sizes: Sizes of the additions.
        dropout: Share of activations dropped in training, in the encoder and before the head, in [0, 1).
        steps: Steps of the training to come, from 10; only AdaLoRA plans with it.
        seed: Seed of all new weights.

    Returns:
        A module that takes `input_ids`, `attention_mask`, `token_type_ids` and gives an output with `logits`.

    Raises:
        UnknownName: If there is no such variant.
        BadParameter: If the model is causal or compressed, or a number is out of range.
        Missing: If the variant needs peft and it is not installed.
    """
    if variant not in VARIANTS:
        raise UnknownName("variant of fine-tuning", variant, VARIANTS)
    if pretrained.config.objective != "masked":
        raise BadParameter("A causal model sees nothing at the first token, where classes are read; give a masked one.")
    config = pretrained.config
    if config.table != "full" or any(left < config.num_attention_heads for left in getattr(config, "heads_left", ())):
        raise BadParameter("A thinner table or pruned heads do not fit into a plain BERT; give a whole model.")
    if n_classes < 2 or not 0 <= dropout < 1:
        raise BadParameter(f"n_classes ({n_classes}) must be at least 2 and dropout ({dropout}) a share below 1.")
    sizes = sizes or Sizes()
    if min(sizes.rank, sizes.virtual, sizes.bottleneck) < 1:
        raise BadParameter(f"The sizes of fine-tuning are at least 1, not {sizes}.")
    with seeded(seed):
        return _built(pretrained, n_classes, variant, sizes, dropout, steps)


def _built(
    pretrained: ItemModel, n_classes: int, variant: str, sizes: Sizes, dropout: float, steps: int | None
) -> nn.Module:
    """The classifier of a variant; the order of the draws decides its new weights."""
    model = BertForSequenceClassification(_config(pretrained.config, n_classes, dropout, sizes.virtual))
    read_where_asked(model.bert, first_only=True)
    if variant == "scratch":
        _freeze_positions(model, pretrained.config)
        return model
    _take_over(model, pretrained)
    if variant == "full":
        _freeze_positions(model, pretrained.config)
        return model
    model.requires_grad_(False)
    if variant in ("linear head", "top layer"):
        trained = [model.classifier]
        if variant == "top layer":
            trained += [model.bert.pooler, model.bert.encoder.layer[-1]]
        for module in trained:
            module.requires_grad_(True)
        return model
    if variant == "adapters":
        for layer in model.bert.encoder.layer:
            for block in (layer.attention.output, layer.output):
                block.dense = nn.Sequential(block.dense, Bottleneck(model.config.hidden_size, sizes.bottleneck))
        model.classifier.requires_grad_(True)
        return model
    return by_peft(model, variant, sizes, steps)


def fine_tune(
    pretrained: ItemModel,
    labelled: Labelled,
    variant: str = "full",
    settings: Settings | None = None,
    *,
    max_length: int = 50,
    batch_size: int = 64,
    smoothing: float = 0.0,
    augmentation: Augmentation | None = None,
    sizes: Sizes | None = None,
    dropout: float = 0.1,
    progress: bool = False,
) -> FineTuned:
    """Train a classifier on the training part; the epoch that does best on the validation part is kept.

    Args:
        pretrained: A masked item model; it is left as it is.
        labelled: The task; its test part is not looked at.
        variant: Name in `VARIANTS`.
        settings: How to train; its seed also draws new weights and the order of examples. A patience of `epochs` or
            more trains to the end, and still keeps the best epoch.
        max_length: Longest input in tokens.
        batch_size: Examples in a batch.
        smoothing: Share of each label spread evenly over all classes, in [0, 1) (Szegedy et al. 2016).
        augmentation: How training examples are changed.
        sizes: Sizes of what the parameter-efficient variants add.
        dropout: Share of activations dropped in training, in [0, 1).
        progress: Show a progress bar.

    Raises:
        BadParameter: See `new_classifier`; and if `smoothing` is out of range or `max_length` is more than the model
            takes.
    """
    settings = settings or Settings(epochs=10, precision="no")
    if not 0 <= smoothing < 1:
        raise BadParameter(f"Label smoothing is a share from 0 to below 1, not {smoothing}.")
    if pretrained.config.positions and max_length > pretrained.config.max_position_embeddings + 1:
        raise BadParameter(
            f"The model was pretrained on {pretrained.config.max_position_embeddings} positions; choose a max_length "
            "of at most one more."
        )
    batches = ClassBatches(labelled.of("train"), max_length, batch_size, settings.seed, augmentation)
    steps = settings.epochs * (batches.count(0) // settings.accumulate)
    model = new_classifier(
        pretrained, len(labelled.classes), variant, sizes=sizes, dropout=dropout, steps=steps, seed=settings.seed
    )
    trainable = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    total = sum(weight.numel() for weight in model.parameters())
    held_out = labelled.of("validation")

    def validate(net: nn.Module) -> float:
        return ClassScores(variant, held_out, probabilities(net, held_out, max_length)).value(labelled.metric)

    done = train(
        model,
        batches,
        settings,
        loss=partial(class_loss, smoothing=smoothing),
        validate=validate,
        after_step=reallocate_ranks if variant == "AdaLoRA" else None,
        progress=progress,
    )
    return FineTuned(model, variant, max_length, done, trainable, 4 * (total + 3 * trainable))


def class_loss(model: nn.Module, batch: dict[str, Any], smoothing: float = 0.0) -> Tensor:
    """Mean cross-entropy of a batch, in nats."""
    given = {name: value for name, value in batch.items() if name != "labels"}
    return nn.functional.cross_entropy(model(**given).logits.float(), batch["labels"], label_smoothing=smoothing)


@torch.inference_mode()
def probabilities(model: nn.Module, labelled: Labelled, max_length: int, *, block: int = 1024) -> np.ndarray:
    """Class probabilities of examples, shape (n_examples, n_classes), float64.

    Args:
        model: A classifier; it is used in evaluation mode.
        labelled: The examples; their labels are not looked at.
        max_length: Longest input in tokens, as in training.
        block: Examples in one forward pass.
    """
    was_training = model.training
    model.eval()
    device = next(model.parameters()).device
    by_length = np.argsort(labelled.sets.lengths, kind="stable")  # what shares a pass has similar lengths
    found = np.empty((len(labelled), len(labelled.classes)))
    for start in range(0, len(labelled), block):
        rows = by_length[start : start + block]
        others = None if labelled.others is None else labelled.others.take(rows)
        given = {
            name: part.to(device) for name, part in class_inputs(labelled.sets.take(rows), others, max_length).items()
        }
        found[rows] = model(**given).logits.double().softmax(dim=1).cpu().numpy()
    model.train(was_training)
    return found


# --- parts of a classifier -------------------------------------------------------------------------------------------


def _config(pretrained: BertConfig, n_classes: int, dropout: float, virtual: int) -> BertConfig:
    config = copy.deepcopy(pretrained)
    config.num_labels = n_classes
    config.type_vocab_size = 2
    config.is_decoder = False
    config.hidden_dropout_prob = dropout
    config.max_position_embeddings = pretrained.max_position_embeddings + 1 + virtual
    return config


def _freeze_positions(model: BertForSequenceClassification, pretrained: BertConfig) -> None:
    """A model of sets stays one."""
    if not pretrained.positions:
        table = model.bert.embeddings.position_embeddings.weight
        nn.init.zeros_(table)
        table.requires_grad_(False)


@torch.no_grad()
def _take_over(model: BertForSequenceClassification, pretrained: ItemModel) -> None:
    """Copy the encoder; what it lacks (segment 1, further positions, the pooler) keeps or gets a sensible start."""
    given = {name: weight for name, weight in pretrained.bert.state_dict().items() if "embeddings.p" not in name}
    segments = model.bert.embeddings.token_type_embeddings.weight
    segments[0] = given.pop("embeddings.token_type_embeddings.weight")[0]
    words = given["embeddings.word_embeddings.weight"]
    nn.init.normal_(segments[1], std=float(words.std()))
    positions = model.bert.embeddings.position_embeddings.weight
    positions.zero_()
    known = pretrained.bert.embeddings.position_embeddings.weight
    positions[: len(known)] = known
    model.bert.load_state_dict(given, strict=False)
    nn.init.eye_(model.bert.pooler.dense.weight)
    nn.init.zeros_(model.bert.pooler.dense.bias)

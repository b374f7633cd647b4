"""Small parts that are trained in place of a whole model: low-rank updates, factors, prompts, bottlenecks."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import BertForSequenceClassification

from llmarm_tutorial.errors import BadParameter, Missing
from llmarm_tutorial.models.tokens import MASK


@dataclass(frozen=True)
class Sizes:
    """Sizes of what the parameter-efficient variants add.

    Attributes:
        rank: Rank of the updates of LoRA, and the mean rank that AdaLoRA ends with (it starts from 3/2 of it).
        virtual: Virtual tokens of prefix and prompt tuning.
        bottleneck: Width of an adapter.
    """

    rank: int = 4
    virtual: int = 4
    bottleneck: int = 8


class Bottleneck(nn.Module):
    """An adapter: down to a few numbers, a kink, up again, added to what came in; at first it adds nothing."""

    def __init__(self, width: int, bottleneck: int) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(width, bottleneck), nn.Linear(bottleneck, width)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, states: Tensor) -> Tensor:
        """States of any shape (…, width), changed a little."""
        return states + self.up(torch.relu(self.down(states)))


def by_peft(model: BertForSequenceClassification, variant: str, sizes: Sizes, steps: int | None) -> nn.Module:
    """The variants of the library peft, each with the classifier trained in full."""
    try:
        import peft
    except ImportError:
        raise Missing("peft", "models", f"Fine-tuning by {variant}") from None
    common = {"task_type": "SEQ_CLS", "modules_to_save": ["classifier"]}
    if variant == "AdaLoRA" and (steps is None or steps < 10):
        raise BadParameter(f"AdaLoRA plans its ranks over all steps and needs at least 10 of them, not {steps}.")
    makers: dict[str, Callable[[], Any]] = {
        "LoRA": lambda: peft.LoraConfig(
            r=sizes.rank, lora_alpha=2 * sizes.rank, target_modules=["query", "value"], **common
        ),
        "AdaLoRA": lambda: peft.AdaLoraConfig(
            init_r=-(-3 * sizes.rank // 2),
            target_r=sizes.rank,
            lora_alpha=2 * sizes.rank,
            target_modules=["query", "value"],
            total_step=steps,
            tinit=steps // 10,
            tfinal=steps // 4,
            deltaT=max(1, steps // 50),
            **common,
        ),
        "IA3": lambda: peft.IA3Config(
            target_modules=["key", "value", "output.dense"], feedforward_modules=["output.dense"], **common
        ),
        "prefix tuning": lambda: peft.PrefixTuningConfig(num_virtual_tokens=sizes.virtual, **common),
        "prompt tuning": lambda: peft.PromptTuningConfig(num_virtual_tokens=sizes.virtual, **common),
    }
    with warnings.catch_warnings():
        # peft asks for an attribute that Transformers has renamed; nothing that a user could mend
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing", category=FutureWarning)
        adapted = peft.get_peft_model(model, makers[variant]())
    if variant == "prompt tuning":
        # the class is read at the first virtual token, so it starts as the [MASK] that pretraining knows
        with torch.no_grad():
            prompt = adapted.prompt_encoder["default"].embedding.weight
            words = model.bert.embeddings.word_embeddings.weight
            prompt.copy_(words[MASK] + 0.1 * words.std() * torch.randn_like(prompt))
    return adapted


def reallocate_ranks(model: nn.Module, step: int) -> None:
    """AdaLoRA looks at the gradients of every step and takes ranks from where they matter least."""
    model.base_model.update_and_allocate(step)

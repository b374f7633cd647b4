"""Distillation: a small item model learns from what a teacher says, not only from what was bought.

A purchase tells which item came next; a teacher tells how likely every item was. The teacher may be a larger item
model, a counting baseline, or several of them multiplied. `Student` is what `training.train` trains: the small model
together with the loss.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.errors import BadParameter
from llmarm_tutorial.evaluation.tasks import Recommender
from llmarm_tutorial.models.distil_loss import DistillationMix, distillation_loss
from llmarm_tutorial.models.item_model import ItemModel, ItemOutput
from llmarm_tutorial.models.loss import cross_entropy
from llmarm_tutorial.models.tokens import decode_histories
from llmarm_tutorial.recommend.experts import log_chances

Says = Callable[[int, int, float], Tensor]


class Teacher(Protocol):
    """What gives soft targets."""

    @property
    def n_items(self) -> int:
        """Size of the catalogue."""

    def reads(self, batch: Mapping[str, Any]) -> Says:
        """Look at a batch of `ItemBatches`.

        Returns:
            A function from the first scored position, one past the last, and a temperature, to log probabilities of
            all items there, shape (stop - start, n_items), float32, a tensor that the caller may change.
        """


class ModelTeacher:
    """An item model as teacher; it must read the same tokens as the student.

    Args:
        model: The trained model; it is put into evaluation mode and left as it is.
    """

    def __init__(self, model: ItemModel) -> None:
        self.model = model.eval()

    @property
    def n_items(self) -> int:
        """Size of the catalogue."""
        return self.model.n_items

    @torch.no_grad()
    def states(self, batch: Mapping[str, Any]) -> Tensor:
        """Last hidden states at the scored positions, shape (n_scored, hidden)."""
        return self.model.hidden(batch["input_ids"], batch.get("attention_mask"), batch["scored"])

    def reads(self, batch: Mapping[str, Any]) -> Says:
        """See `Teacher`."""
        return self.says(self.states(batch))

    def says(self, states: Tensor) -> Says:
        """What the teacher says, from its hidden states."""

        def said(start: int, stop: int, temperature: float) -> Tensor:
            with torch.no_grad():
                scores = self.model.logits(states[start:stop]).float().div_(temperature)
                return scores.sub_(scores.logsumexp(1, keepdim=True))

        return said


class CountingTeacher:
    """A counting baseline as teacher: the shares of its scores, a little added so that it forbids nothing.

    At each position it reads what the student may read: what came before for a causal model, all items of the window
    that are not masked for a masked one.

    Args:
        counting: A fitted baseline whose scores are at least 0, such as `counting.SequentialRules`.
        objective: "causal" or "masked", that of the student.
    """

    def __init__(self, counting: Recommender, objective: str = "causal") -> None:
        if objective not in ("causal", "masked"):
            raise BadParameter(f"A student has the objective 'causal' or 'masked', not {objective!r}.")
        self.counting, self.objective = counting, objective

    @property
    def n_items(self) -> int:
        """Size of the catalogue."""
        return self.counting.n_items

    def reads(self, batch: Mapping[str, Any]) -> Says:
        """See `Teacher`.

        Raises:
            BadParameter: If counting gives a score below 0.
        """
        tokens, scored = batch["input_ids"].cpu().numpy(), batch["scored"].cpu().numpy()
        device = batch["input_ids"].device
        rows, columns = np.divmod(scored, tokens.shape[1])

        def said(start: int, stop: int, temperature: float) -> Tensor:
            row, column = rows[start:stop], columns[start:stop]
            back = None
            if self.objective == "masked":  # all gaps of a window see the same
                row, back = np.unique(row, return_inverse=True)
                column = np.full(len(row), tokens.shape[1] - 1)
            histories = decode_histories(tokens[row], column, self.n_items)
            scores = np.asarray(self.counting.scores(histories))
            if scores.min(initial=0) < 0:
                raise BadParameter("A counting teacher needs scores that are at least 0, as shares and counts are.")
            logs = torch.from_numpy(log_chances(scores, "shares")).to(device).div_(temperature)
            logs = logs if back is None else logs[torch.from_numpy(back).to(device)]
            return logs.sub_(logs.logsumexp(1, keepdim=True))

        return said


class JointTeacher:
    """Several teachers as one: the product of what they say, each to the power of its weight (Hinton 2002).

    Args:
        teachers: The teachers, of the same catalogue.
        weights: Their weights, at least 0, one above it; None gives each an equal share.
    """

    def __init__(self, teachers: Sequence[Teacher], weights: Sequence[float] | None = None) -> None:
        weights = [1 / len(teachers)] * len(teachers) if weights is None else list(weights)
        if not teachers or len(weights) != len(teachers) or min(weights) < 0 or not sum(weights) > 0:
            raise BadParameter(
                "A joint teacher needs teachers, and for each a weight of at least 0, not all of them 0."
            )
        if len({teacher.n_items for teacher in teachers}) > 1:
            raise BadParameter("Only teachers of the same items can teach together.")
        self.teachers, self.weights = list(teachers), weights

    @property
    def n_items(self) -> int:
        """Size of the catalogue."""
        return self.teachers[0].n_items

    def reads(self, batch: Mapping[str, Any]) -> Says:
        """See `Teacher`."""
        parts = [teacher.reads(batch) for teacher in self.teachers]

        def said(start: int, stop: int, temperature: float) -> Tensor:
            total = sum(
                weight * part(start, stop, 1.0) for part, weight in zip(parts, self.weights, strict=True) if weight
            )
            total = total.div_(temperature)
            return total.sub_(total.logsumexp(1, keepdim=True))

        return said


class TopTeacher:
    """Only the order of a teacher's first k items: ranking distillation (Tang & Wang 2018).

    The item at rank r (from 0) gets a share proportional to exp(-r / decay), whatever score it had, all others nothing.
    In the place of their pointwise loss stands the cross-entropy over the catalogue, as everywhere in the kit.

    Args:
        teacher: Whose order it is.
        k: How many items, from 1.
        decay: Ranks over which the share falls to 1/e of itself, above 0.
    """

    def __init__(self, teacher: Teacher, k: int = 20, decay: float = 5.0) -> None:
        if not 1 <= k <= teacher.n_items or not decay > 0:
            raise BadParameter(f"k is from 1 to {teacher.n_items} and decay above 0, not {k} and {decay}.")
        self.teacher, self.k = teacher, k
        self.log_share = torch.log_softmax(-torch.arange(k, dtype=torch.float32) / decay, 0)

    @property
    def n_items(self) -> int:
        """Size of the catalogue."""
        return self.teacher.n_items

    def reads(self, batch: Mapping[str, Any]) -> Says:
        """See `Teacher`; the temperature changes nothing about an order."""
        inner = self.teacher.reads(batch)

        def said(start: int, stop: int, temperature: float) -> Tensor:
            logs = inner(start, stop, 1.0)
            first = logs.topk(self.k, 1).indices
            shares = self.log_share.to(logs.device).expand(len(logs), -1)
            return logs.fill_(-torch.inf).scatter_(1, first, shares)

        return said


class Student(nn.Module):
    """A small model together with its teacher and loss: `train(Student(...), batches, settings)`.

    Only the small model's weights (and the map of hidden states, if any) are trained and kept in checkpoints. Validate
    with `lambda student: evaluate(ItemRecommender(student.model), …)`.

    Args:
        model: The small model.
        teacher: See `Teacher`; None leaves hard labels alone, the honest rival with the same loop.
        mix: How hard and soft targets are mixed.
        matching: Weight of hidden-state matching, at least 0: the mean squared distance between the teacher's last
            hidden states and a learned linear map of the student's (Romero et al. 2015; Jiao et al. 2020). It needs a
            `ModelTeacher`.

    Attributes:
        model: The small model.
        bridge: The linear map from its hidden states to the teacher's, None without matching.

    Raises:
        BadParameter: If teacher and student have other items, objectives or tokens, or matching lacks its teacher.
    """

    def __init__(
        self, model: ItemModel, teacher: Teacher | None, mix: DistillationMix | None = None, *, matching: float = 0.0
    ) -> None:
        super().__init__()
        if teacher is not None and teacher.n_items != model.n_items:
            raise BadParameter(
                f"The teacher knows {teacher.n_items} items and the student {model.n_items}; "
                "train both on one catalogue."
            )
        if isinstance(teacher, ModelTeacher):
            for name in ("objective", "visits"):
                of_student, of_teacher = getattr(model.config, name), getattr(teacher.model.config, name)
                if of_student != of_teacher:
                    raise BadParameter(
                        f"The teacher was built with {name}={of_teacher!r} and the student with {name}={of_student!r}; "
                        "they must read the same tokens."
                    )
            length = teacher.model.config.max_position_embeddings
            if model.config.max_position_embeddings > length:
                raise BadParameter(
                    f"The student may not read more than the teacher can: max_length is {length} at most."
                )
        if matching < 0 or (matching and not isinstance(teacher, ModelTeacher)):
            raise BadParameter("matching is a weight of at least 0, and above 0 it needs an item model as teacher.")
        self.model, self.mix, self.matching = model, mix or DistillationMix(), matching
        self._teacher = (teacher,)  # in a tuple, so that it is no part of what is trained and kept
        self.bridge = None
        if matching:
            width = teacher.model.config.hidden_size
            self.bridge = nn.Linear(model.config.hidden_size, width, bias=False)
            nn.init.eye_(self.bridge.weight)

    def forward(
        self, input_ids: Tensor, scored: Tensor, targets: Tensor, attention_mask: Tensor | None = None
    ) -> ItemOutput:
        """The mixed loss at the scored positions; arguments as `ItemModel.forward`."""
        (teacher,) = self._teacher
        model = self.model
        states = model.hidden(input_ids, attention_mask, scored)
        if teacher is None or (not self.mix.soft and not self.matching):
            return ItemOutput(cross_entropy(states, model.output_table, model.item_bias, targets), len(targets))
        batch = {"input_ids": input_ids, "scored": scored, "attention_mask": attention_mask}
        extra: Tensor | float = 0.0
        if self.matching:
            its = teacher.states(batch)
            extra = self.matching * (self.bridge(states).float() - its.float()).square().mean()
            says = teacher.says(its)
        else:
            says = teacher.reads(batch)
        loss = distillation_loss(
            states,
            model.output_table,
            model.item_bias,
            targets,
            lambda start, stop: says(start, stop, self.mix.temperature),
            self.mix,
        )
        return ItemOutput(loss + extra, len(targets))


class Fidelity(NamedTuple):
    """How faithfully a student repeats its teacher (Stanton et al. 2021), apart from how well it does.

    Attributes:
        overlap: Mean share of the teacher's k best items that are among the student's, in [0, 1].
        first: Share of cases in which both put the same item first.
        divergence: Mean KL(teacher ‖ student) in nats.
    """

    overlap: float
    first: float
    divergence: float


def fidelity(student: Recommender, teacher: Recommender, histories: Histories, *, k: int = 10) -> Fidelity:
    """Compare what two recommenders say, both with scores that are logits.

    Args:
        student: The one that should repeat.
        teacher: The other.
        histories: What both are asked.
        k: Length of the lists.

    Raises:
        BadParameter: If there are no histories or k is not from 1 to the number of items.
    """
    if not len(histories) or not 1 <= k <= teacher.n_items:
        raise BadParameter(f"Fidelity needs histories and k from 1 to {teacher.n_items}, not {len(histories)} and {k}.")
    of_teacher, of_student = (
        torch.from_numpy(np.array(system.scores(histories))).float() for system in (teacher, student)
    )
    lists = [scores.topk(k, 1).indices for scores in (of_teacher, of_student)]
    overlap = (lists[0][:, :, None] == lists[1][:, None, :]).any(2).float().mean()
    log_p, log_q = of_teacher.log_softmax(1), of_student.log_softmax(1)
    divergence = (log_p.exp() * (log_p - log_q)).sum(1).mean()
    return Fidelity(float(overlap), float((lists[0][:, 0] == lists[1][:, 0]).float().mean()), float(divergence))

"""Ways to teach a small model: what it begins as, who teaches it, and what it is asked to repeat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from llmarm_tutorial.evaluation.tasks import Recommender
from llmarm_tutorial.models.distil_loss import DistillationMix
from llmarm_tutorial.models.item_model import ItemModel
from llmarm_tutorial.models.teachers import CountingTeacher, JointTeacher, ModelTeacher, Teacher, TopTeacher


class Way(NamedTuple):
    """One way.

    Attributes:
        begins: What the student begins as: "teacher", what is left of the large model, or "random".
        taught_by: Name in `teachers_of`.
        soft: Weight of the soft labels, from 0 to 1; hard ones get the rest.
        direction: "forward" for KL(teacher ‖ student), "reverse" for KL(student ‖ teacher).
        temperature: What scores are divided by before the softmax, above 0.
        matching: Weight of drawing the student's hidden states to the teacher's (Romero et al. 2015), from 0.
        passes: How many times the usual passes the student gets.
    """

    begins: str = "teacher"
    taught_by: str = "the model"
    soft: float = 1.0
    direction: str = "forward"
    temperature: float = 1.0
    matching: float = 0.0
    passes: int = 1

    @property
    def mix(self) -> DistillationMix:
        """How hard and soft labels are mixed."""
        return DistillationMix(self.soft, self.temperature, self.direction)


WAYS: Mapping[str, Way] = {
    "hard labels": Way(taught_by="nobody", soft=0.0),
    "soft labels": Way(),
    "reverse KL": Way(direction="reverse"),
    "counting teaches": Way(taught_by="counting"),
    "model × counting": Way(taught_by="model × counting"),
    "hard and soft": Way(soft=0.5),
    "temperature": Way(temperature=2.0),
    "hidden states": Way(matching=1.0),
    "ranks": Way(taught_by="the model's order", soft=0.5),
    "soft labels, random start": Way(begins="random"),
    "hard labels, random start": Way(begins="random", taught_by="nobody", soft=0.0),
    "hard labels, twice as long": Way(taught_by="nobody", soft=0.0, passes=2),
}


def teachers_of(model: ItemModel, counting: Recommender) -> dict[str, Teacher | None]:
    """Who can teach, by the names that a `Way` uses.

    Args:
        model: The large model.
        counting: A recommender whose scores are at least 0, such as shares; it is asked as the model is.

    Returns:
        "nobody" (None: hard labels alone), "the model", "counting", "model × counting" (the product of their chances),
        "the model's order" (its first 20 items, Tang & Wang 2018).
    """
    by_model, by_counts = ModelTeacher(model), CountingTeacher(counting, model.config.objective)
    return {
        "nobody": None,
        "the model": by_model,
        "counting": by_counts,
        "model × counting": JointTeacher([by_model, by_counts], [1.0, 1.0]),
        "the model's order": TopTeacher(by_model, min(20, model.n_items)),
    }

"""Counting, in a corner shop's baskets, what its structure did: roles, styles, projects, conjunctions."""

from __future__ import annotations

from typing import Any

import numpy as np

from llmarm_tutorial.data.shop import structure_plan
from llmarm_tutorial.data.shop.structure_draw import ROLES, STYLES, Range, Steps, kit_chances

KINDS = {
    "project": "an errand takes the next step of a project, which depends on the two steps before",
    "style": "a role takes its partner along in the same style, whichever the two products",
    "conjunction": "two roles together bring a third, either alone says nothing of it",
    "exchangeable": "products of several makers that play one role in one style",
}


class StructureTally:
    """Sums over chunks of baskets, from which the part `structure` of the truth file is made."""

    def __init__(self, drawn: Range) -> None:
        self.drawn = drawn
        self.errands = 0
        self.steps: Steps | None = None
        self.kits = {name: np.zeros(8, dtype=np.int64) for name in structure_plan.CONJUNCTIONS}  # by who is in: C B A

    def add(self, held: np.ndarray, errand: np.ndarray, steps: Steps) -> None:
        """Count a chunk: products × baskets, which baskets are errands, and what the plan did."""
        self.errands += int(errand.sum())
        self.steps = steps if self.steps is None else Steps(*map(np.add, self.steps, steps))
        for name, conjunction in structure_plan.CONJUNCTIONS.items():
            inside = [self._holds(held, role) for role in (*conjunction.antecedent, conjunction.consequent)]
            self.kits[name] += np.bincount(inside[0] + 2 * inside[1] + 4 * inside[2], minlength=8)

    def _holds(self, held: np.ndarray, role: str) -> np.ndarray:
        """Which baskets hold any product of a kit's role."""
        rows = [row for row, member in enumerate(structure_plan.MEMBERS) if member.role == role]
        return held[self.drawn.first + np.array(rows)].any(axis=0)

    def truth(self, together: np.ndarray) -> dict[str, Any]:
        """What is planted and what came out.

        Args:
            together: Baskets that hold each two products, shape (n_products, n_products).
        """
        return {
            "dial": self.drawn.structure,
            "kinds": KINDS,
            "club": {
                "share_of_customers": structure_plan.CLUB_SHARE,
                "share_of_errands": structure_plan.ERRANDS,
                "errands": self.errands,
            },
            "roles": {name: {style: self._ids(name, style) for style in STYLES} for name in ROLES},
            "kits": {name: self._ids(name, "") for name in structure_plan.KITS},
            "planted": [
                *self._projects(),
                *self._partners(together),
                *self._conjunctions(),
                *self._exchangeable(together),
            ],
        }

    def _ids(self, role: str, style: str) -> list[int]:
        return [structure_plan.FIRST_ID + row for row in self._rows(role, style)]

    def _rows(self, role: str, style: str) -> list[int]:
        """Rows in the range of a role's products in a style."""
        members = enumerate(structure_plan.MEMBERS)
        return [row for row, member in members if member.role == role and member.style == style]

    def _projects(self) -> list[dict[str, Any]]:
        return [
            {
                "id": f"P{number + 1:02}",
                "kind": "project",
                "name": name,
                "roles": list(project.steps),
                "strength": project.strength,
                "expected": round(self.drawn.structure * project.strength, 6),
                "realised": ratio(self.steps.followed[number], self.steps.errands[number]),
                "count": int(self.steps.errands[number]),
            }
            for number, (name, project) in enumerate(structure_plan.PROJECTS.items())
        ]

    def _partners(self, together: np.ndarray) -> list[dict[str, Any]]:
        entries = []
        for number, (role, (partner, strength)) in enumerate(structure_plan.PARTNERS.items()):
            pairs = np.concatenate([self._pairs(together, role, partner, style).ravel() for style in STYLES])
            entries.append(
                {
                    "id": f"Y{number + 1:02}",
                    "kind": "style",
                    "name": f"{role} with {partner}",
                    "roles": [role, partner],
                    "strength": strength,
                    "expected": round(self.drawn.structure * strength, 6),
                    "realised": ratio(self.steps.along[number], self.steps.taken[number]),
                    "count": int(self.steps.taken[number]),
                    "pairs_of_products": len(pairs),
                    "pairs_that_never_met": int((pairs == 0).sum()),
                    "baskets_of_a_middling_pair": float(np.median(pairs)),
                }
            )
        return entries

    def _pairs(self, together: np.ndarray, role: str, partner: str, style: str) -> np.ndarray:
        """Baskets with each product of a role and each of its partner's, both in one style."""
        rows, columns = (self.drawn.first + np.array(self._rows(name, style)) for name in (role, partner))
        return together[np.ix_(rows, columns)]

    def _conjunctions(self) -> list[dict[str, Any]]:
        entries = []
        for number, (name, conjunction) in enumerate(structure_plan.CONJUNCTIONS.items()):
            counts = self.kits[name].reshape(2, 2, 2)  # consequent, second, first
            either = counts.sum(axis=0)
            chances = kit_chances(conjunction.strength, self.drawn.structure)
            entries.append(
                {
                    "id": f"J{number + 1:02}",
                    "kind": "conjunction",
                    "name": name,
                    "roles": [*conjunction.antecedent, conjunction.consequent],
                    "strength": conjunction.strength,
                    "expected": round(float(chances[2]), 6),
                    "realised": ratio(counts[1, 1, 1], either[1, 1]),
                    "count": int(either[1, 1]),
                    "given_the_first": ratio(counts[1, :, 1].sum(), either[:, 1].sum()),
                    "given_the_second": ratio(counts[1, 1].sum(), either[1].sum()),
                    "base_rate": ratio(counts[1].sum(), counts.sum()),
                }
            )
        return entries

    def _exchangeable(self, together: np.ndarray) -> list[dict[str, Any]]:
        """A role's makers: how often a product was bought, and what of a role's sales falls on the first maker."""
        entries = []
        for number, (name, role) in enumerate(structure_plan.ROLES.items()):
            sold = np.array(
                [together.diagonal()[self.drawn.first + np.array(self._rows(name, style))] for style in STYLES]
            )
            weights = (1.0 + np.arange(role.makers)) ** -structure_plan.MAKER_POWER
            entries.append(
                {
                    "id": f"X{number + 1:02}",
                    "kind": "exchangeable",
                    "name": name,
                    "roles": [name],
                    "strength": round(1 / role.makers, 6),
                    "expected": round(float(weights[0] / weights.sum()), 6),
                    "realised": ratio(sold[:, 0].sum(), sold.sum()),
                    "count": int(sold.sum()),
                    "makers": role.makers,
                }
            )
        return entries


def ratio(part: float, whole: float) -> float | None:
    """A share as the truth file writes it, to six digits; of nothing there is none."""
    return None if not whole else round(float(part) / float(whole), 6)

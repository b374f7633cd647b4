"""Putting the range of the corner shop into baskets: errands for projects, partners of one style, kits, tastes.

The dial, `structure`, is the share of every planted strength that is at work. What it takes away is not lost: where
the plan does not decide, as many products come by taste (a few favourites of the customer, else chance). So the shop
has the same visits and nearly the same sales at any dial; only what goes with what differs.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from llmarm_tutorial.data.shop import plan, structure_plan
from llmarm_tutorial.data.shop.sampling import Choice

ROLES, STYLES, PROJECTS = (
    list(table) for table in (structure_plan.ROLES, structure_plan.STYLES, structure_plan.PROJECTS)
)
STEPS = np.array([[ROLES.index(role) for role in project.steps] for project in structure_plan.PROJECTS.values()])
FOLLOWED = np.array([project.strength for project in structure_plan.PROJECTS.values()])
PARTNERS = np.array([ROLES.index(structure_plan.PARTNERS[name][0]) for name in ROLES])
TAKEN_ALONG = np.array([structure_plan.PARTNERS[name][1] for name in ROLES])
OWN_PROJECTS = 3  # a member's projects, taken up in any order


class Steps(NamedTuple):
    """What the plan did in a chunk of customers.

    Attributes:
        errands: Errands in which each project was under way, shape (n_projects,).
        followed: Those among them that took its next step, shape (n_projects,).
        taken: Steps that took each role, shape (n_roles,).
        along: Those among them that took the role's partner along in the same style, shape (n_roles,).
    """

    errands: np.ndarray
    followed: np.ndarray
    taken: np.ndarray
    along: np.ndarray


class Range:
    """The range of the shop, ready to be drawn from.

    Args:
        structure: The dial, in [0, 1].
    """

    def __init__(self, structure: float) -> None:
        self.structure = structure
        members = structure_plan.MEMBERS
        self.first = len(plan.PRODUCTS) - len(members)  # row of the range's first product
        weight = np.array([(member.place + 1.0) ** -structure_plan.MAKER_POWER for member in members])
        role = np.array([ROLES.index(member.role) if member.style else -1 for member in members])
        style = np.array([STYLES.index(member.style) if member.style else -1 for member in members])
        cell = np.where(style < 0, -1, role * len(STYLES) + style)
        cells = np.arange(len(ROLES) * len(STYLES))[:, None]
        self.makers = Choice(weight * (cell == cells))  # a row for each role and style
        self.taste = Choice(weight * (style >= 0))
        kits = np.array([member.role for member in members])
        self.kits = {name: Choice(weight * (kits == name)) for name in structure_plan.KITS}

    def fill(
        self, rng: np.random.Generator, held: np.ndarray, user: np.ndarray, errand: np.ndarray, size: int
    ) -> Steps:
        """Put products of the range into baskets.

        Args:
            rng: The chunk's random numbers.
            held: Which product is in which basket, shape (n_products, n_baskets), changed in place.
            user: Number of each basket's customer within the chunk, shape (n_baskets,), ascending; within a customer
                the baskets are in the order of time.
            errand: Which baskets are errands, shape (n_baskets,).
            size: Number of customers.
        """
        favourites = self.taste.draw(rng, np.zeros((size, structure_plan.FAVOURITES), dtype=np.int64))
        chunk = _Filling(self, rng, held, user, favourites)
        browsing = Choice.poisson([structure_plan.BROWSING]).draw(rng, np.zeros_like(user))
        chunk.by_taste(np.repeat(np.arange(len(user)), browsing))
        steps = chunk.errands(np.flatnonzero(errand))
        chunk.kits()
        return steps


class _Filling(NamedTuple):
    """A chunk of baskets that is being filled.

    Attributes:
        range: What to draw from.
        rng, held, user: As for `Range.fill`.
        favourites: Each customer's favourites, as rows of the range, shape (n_customers, FAVOURITES).
    """

    range: Range
    rng: np.random.Generator
    held: np.ndarray
    user: np.ndarray
    favourites: np.ndarray

    def put(self, product: np.ndarray, basket: np.ndarray) -> None:
        """Put rows of the range into baskets, both of shape (n,)."""
        self.held[self.range.first + product, basket] = True

    def of_cell(self, cell: np.ndarray, basket: np.ndarray) -> None:
        """One product of a role and style, whichever the maker, for each entry of `basket`."""
        self.put(self.range.makers.draw(self.rng, cell), basket)

    def by_taste(self, basket: np.ndarray) -> None:
        """One product for each entry of `basket`, a favourite of the customer's or any."""
        anything = self.range.taste.draw(self.rng, np.zeros_like(basket))
        own = self.favourites[self.user[basket], _below(self.rng, structure_plan.FAVOURITES, len(basket))]
        favours = self.rng.random(len(basket)) < structure_plan.FAVOURITE_SHARE
        self.put(np.where(favours, own, anything), basket)

    def errands(self, baskets: np.ndarray) -> Steps:
        """Fill the errands: every customer's first, then the second, …: a project goes on from one to the next.

        Args:
            baskets: Numbers of the errands' baskets, shape (n_errands,), ascending.
        """
        rng, size, last = self.rng, len(self.favourites), STEPS.shape[1]
        number = np.arange(len(baskets)) - np.searchsorted(self.user[baskets], self.user[baskets])
        own = np.argsort(rng.random((size, len(PROJECTS))), axis=1)[:, :OWN_PROJECTS]
        project, style = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.int64)
        step = np.full(size, last)  # nothing begun: a project ends with its last step
        done = Steps(*(np.zeros(count, dtype=np.int64) for count in 2 * (len(PROJECTS),) + 2 * (len(ROLES),)))
        for turn in range(number.max(initial=-1) + 1):
            basket = baskets[number == turn]  # one of each customer at most
            who = self.user[basket]
            new = who[step[who] == last]
            project[new] = own[new, _below(rng, OWN_PROJECTS, len(new))]
            style[new], step[new] = _below(rng, len(STYLES), len(new)), 0
            follows = rng.random(len(who)) < self.range.structure * FOLLOWED[project[who]]
            role = STEPS[project[who], step[who]]
            done.errands[:] += np.bincount(project[who], minlength=len(PROJECTS))
            done.followed[:] += np.bincount(project[who[follows]], minlength=len(PROJECTS))
            self._step(basket[follows], role[follows], style[who[follows]], done)
            self._instead(basket[~follows], role[~follows])
            step[who[follows]] += 1
        return done

    def _step(self, basket: np.ndarray, role: np.ndarray, style: np.ndarray, done: Steps) -> None:
        """The product of a step and its partners in the same style; what the dial takes away comes by taste.

        Args:
            basket, role, style: Numbers of each step's basket, role and style, shape (n_steps,).
            done: What `taken` and `along` are added to.
        """
        cell = role * len(STYLES) + style
        self.of_cell(cell, basket)
        second = self.rng.random(len(basket)) < structure_plan.TWO_OF_A_ROLE
        self.of_cell(cell[second], basket[second])
        along = self.rng.random(len(basket)) < TAKEN_ALONG[role]
        partner = along & (self.rng.random(len(basket)) < self.range.structure)
        self.of_cell((PARTNERS[role] * len(STYLES) + style)[partner], basket[partner])
        self.by_taste(basket[along & ~partner])
        done.taken[:] += np.bincount(role, minlength=len(ROLES))
        done.along[:] += np.bincount(role[partner], minlength=len(ROLES))

    def _instead(self, basket: np.ndarray, role: np.ndarray) -> None:
        """As many products by taste as the steps not taken, of these roles, would have brought."""
        second = np.full(len(basket), structure_plan.TWO_OF_A_ROLE)
        more = self.rng.random((2, len(basket))) < [second, TAKEN_ALONG[role]]
        self.by_taste(np.repeat(basket, 1 + more.sum(axis=0)))

    def kits(self) -> None:
        """Kits on any visit. Given the antecedents' number in the basket, the consequent's chance is `kit_chances`."""
        count, rng = self.held.shape[1], self.rng
        for conjunction in structure_plan.CONJUNCTIONS.values():
            inside = [rng.random(count) < structure_plan.KIT_RATE for _ in conjunction.antecedent]
            chances = kit_chances(conjunction.strength, self.range.structure)
            inside.append(rng.random(count) < chances[np.add.reduce(inside, dtype=np.int64)])
            for name, where in zip((*conjunction.antecedent, conjunction.consequent), inside, strict=True):
                basket = np.flatnonzero(where)
                self.put(self.range.kits[name].draw(rng, np.zeros_like(basket)), basket)


def _below(rng: np.random.Generator, most: int, size: int) -> np.ndarray:
    """Whole numbers from 0 to below `most`, each as likely, from uniform numbers as all of the shop."""
    return np.floor(most * rng.random(size)).astype(np.int64)


def kit_chances(strength: float, structure: float) -> np.ndarray:
    """Chance of a conjunction's consequent with none, one and both antecedents in the basket, shape (3,).

    Either antecedent alone, and the consequent, come with the rate p. With s for both, the chance for one only is set
    so that P(consequent | one antecedent, whatever the other) stays p: s p + x (1 - p) = p. The chance for none brings
    the consequent's rate to p. So every pair of the three is independent and only all three together are not.
    """
    p = structure_plan.KIT_RATE
    both = p + structure * (strength - p)
    one = p * (1 - both) / (1 - p)
    none = (p - p * p * both - 2 * p * (1 - p) * one) / (1 - p) ** 2
    return np.array([none, one, both])

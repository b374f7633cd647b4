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
        browsing = np.repeat(
            np.arange(len(user)), Choice.poisson([structure_plan.BROWSING]).draw(rng, np.zeros_like(user))
        )
        self._by_taste(rng, held, browsing, user, favourites)
        steps = self._errands(rng, held, user, errand, favourites)
        self._kits(rng, held)
        return steps

    def _put(self, held: np.ndarray, product: np.ndarray, basket: np.ndarray) -> None:
        held[self.first + product, basket] = True

    def _by_taste(self, rng, held, basket, user, favourites) -> None:
        """One product for each entry of `basket`, a favourite of the customer's or any."""
        anything = self.taste.draw(rng, np.zeros_like(basket))
        own = favourites[user[basket], _below(rng, structure_plan.FAVOURITES, len(basket))]
        taken = np.where(rng.random(len(basket)) < structure_plan.FAVOURITE_SHARE, own, anything)
        self._put(held, taken, basket)

    def _errands(self, rng, held, user, errand, favourites) -> Steps:
        """All errands, every customer's first, then the second, and so on: a project goes on from one to the next."""
        size = len(favourites)
        baskets = np.flatnonzero(errand)
        number = np.arange(len(baskets)) - np.searchsorted(user[baskets], user[baskets])
        own = np.argsort(rng.random((size, len(PROJECTS))), axis=1)[:, :OWN_PROJECTS]
        project, style = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.int64)
        step = np.full(size, STEPS.shape[1])  # nothing begun: a project ends with its last step
        done = Steps(*(np.zeros(count, dtype=np.int64) for count in 2 * (len(PROJECTS),) + 2 * (len(ROLES),)))
        for turn in range(number.max(initial=-1) + 1):
            basket = baskets[number == turn]
            who = user[basket]
            new = who[step[who] == STEPS.shape[1]]
            project[new] = own[new, _below(rng, OWN_PROJECTS, len(new))]
            style[new], step[new] = _below(rng, len(STYLES), len(new)), 0
            goes_on = rng.random(len(who)) < self.structure * FOLLOWED[project[who]]
            np.add.at(done.errands, project[who], 1)
            np.add.at(done.followed, project[who[goes_on]], 1)
            role = STEPS[project[who], np.minimum(step[who], STEPS.shape[1] - 1)]
            self._step(rng, held, basket[goes_on], role[goes_on], style[who[goes_on]], user, favourites, done)
            other = basket[~goes_on]
            more = rng.random((2, len(other))) < [
                np.full(len(other), structure_plan.TWO_OF_A_ROLE),
                TAKEN_ALONG[role[~goes_on]],
            ]
            self._by_taste(rng, held, np.repeat(other, 1 + more.sum(axis=0)), user, favourites)
            step[who[goes_on]] += 1
        return done

    def _step(self, rng, held, basket, role, style, user, favourites, done) -> None:
        """The product of a step and its partners in the same style; what the dial takes away comes by taste."""
        cell = role * len(STYLES) + style
        self._put(held, self.makers.draw(rng, cell), basket)
        second = rng.random(len(basket)) < structure_plan.TWO_OF_A_ROLE
        self._put(held, self.makers.draw(rng, cell[second]), basket[second])
        along = rng.random(len(basket)) < TAKEN_ALONG[role]
        partner = along & (rng.random(len(basket)) < self.structure)
        cell = PARTNERS[role] * len(STYLES) + style
        self._put(held, self.makers.draw(rng, cell[partner]), basket[partner])
        self._by_taste(rng, held, basket[along & ~partner], user, favourites)
        np.add.at(done.taken, role, 1)
        np.add.at(done.along, role[partner], 1)

    def _kits(self, rng, held) -> None:
        """Kits on any visit. Given the antecedents' number in the basket, the consequent's chance is `kit_chances`."""
        count, rate = held.shape[1], structure_plan.KIT_RATE
        for conjunction in structure_plan.CONJUNCTIONS.values():
            inside = [rng.random(count) < rate for _ in conjunction.antecedent]
            chance = kit_chances(conjunction.strength, self.structure)[np.add.reduce(inside, dtype=np.int64)]
            inside.append(rng.random(count) < chance)
            for name, where in zip((*conjunction.antecedent, conjunction.consequent), inside, strict=True):
                basket = np.flatnonzero(where)
                self._put(held, self.kits[name].draw(rng, np.zeros_like(basket)), basket)


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

"""Drawing the corner shop's baskets, a chunk of customers at a time.

Four layers make a basket. First a *background* that a model may learn: segments of customers, personal favourites,
what a visit is for, seasons, promotions, a long tail. Then the *whims*, products that know nothing but the week. Then
the *range* of `structure_draw`. Last the *planted truth* of `plan`, which puts products in or takes them out.

Everything is an array operation over a chunk of `CHUNK` customers, and a chunk's random numbers depend on nothing but
the seed and its own number. A shop of any size is therefore made in the memory of one chunk, and all of its chunks but
the last are those of any larger shop with the same seed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from llmarm_tutorial.data.shop import plan, structure_plan
from llmarm_tutorial.data.shop.sampling import Choice
from llmarm_tutorial.data.shop.structure_draw import Range, Steps
from llmarm_tutorial.errors import BadParameter

CHUNK = 10_000  # customers; part of what a seed means


class Baskets(NamedTuple):
    """The baskets of a chunk of customers, in the order of customer and time.

    Attributes:
        held: Which product is in which basket, shape (n_products, n_baskets), bool.
        user: Number of the customer within the chunk, shape (n_baskets,), ascending.
        segment: Number of the customer's segment, shape (n_baskets,).
        week: Week from 0, shape (n_baskets,).
        weeks: Number of weeks of the whole shop.
        weekday: 0 (Monday) to 6, shape (n_baskets,).
        errand: Which baskets are errands of club members, shape (n_baskets,).
    """

    held: np.ndarray
    user: np.ndarray
    segment: np.ndarray
    week: np.ndarray
    weeks: int
    weekday: np.ndarray
    errand: np.ndarray

    def take(self, kept: np.ndarray) -> Baskets:
        """The baskets where `kept` is True."""
        return self._replace(
            held=self.held[:, kept],
            **{name: getattr(self, name)[kept] for name in ("user", "segment", "week", "weekday", "errand")},
        )

    def later(self, present: np.ndarray | bool, *steps: int) -> np.ndarray:
        """Whether `present` (one truth value or one per basket) holds in a later visit of the same customer.

        Args:
            present: What to look for, shape (n_baskets,) or a single bool.
            steps: How many visits later; any one of these will do. None given means the next three.
        """
        found = np.zeros(len(self.user), dtype=bool)
        for step in steps or (1, 2, 3):
            same = self.user[step:] == self.user[:-step]
            found[:-step] |= same & np.broadcast_to(present, len(self.user))[step:]
        return found


class Chunk(NamedTuple):
    """A chunk of customers.

    Attributes:
        transactions: Columns of transactions.parquet.
        users: Columns of users.parquet.
        baskets: The same baskets as arrays.
        segment: Number of every customer's segment, shape (n_customers,).
        expected: For each thing planted, by id, the number of baskets in which antecedent and consequent are to be
            expected together, given the background: the coins of the planting are the only chance left in it.
    """

    transactions: pa.Table
    users: pa.Table
    baskets: Baskets
    segment: np.ndarray
    expected: dict[str, float]
    steps: Steps


def holds(names: Iterable[str], baskets: Baskets) -> np.ndarray:
    """Which baskets hold all the products named, shape (n_baskets,)."""
    return baskets.held[[plan.row(name) for name in names]].all(axis=0)


def applies(p: plan.Planted, baskets: Baskets) -> np.ndarray:
    """In which baskets something planted is at work: its segments and its weeks, shape (n_baskets,)."""
    number = list(plan.SEGMENTS).index(p.segment or plan.BADLY_SERVED)
    where = (baskets.segment == number) if p.segment else (baskets.segment != number)
    return where & in_force(p, baskets)


def in_force(p: plan.Planted, baskets: Baskets) -> np.ndarray:
    """Which baskets are of the weeks in which something planted holds, shape (n_baskets,)."""
    since = 0 if p.since is None else baskets.weeks - p.since
    until = baskets.weeks - (p.until or 0)
    return (baskets.week >= since) & (baskets.week < until)


class Calendar:
    """Days and weeks of the shop: when people come, what is on sale, in season and on promotion."""

    def __init__(self, seed: int, weeks: int) -> None:
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0,)))
        self.weeks = weeks
        days = pd.date_range(plan.START, periods=7 * weeks)
        self.start = np.datetime64(plan.START)
        self.weekday = np.arange(7 * weeks) % 7  # the start is a Monday
        self.visits = np.array(plan.VISITS_BY_MONTH)[days.month - 1] * np.array(plan.VISITS_BY_WEEKDAY)[self.weekday]
        self.visits *= ~days.strftime("%m-%d").isin(plan.CLOSED)
        self.month = days.month.to_numpy()[3::7]  # of the week's Thursday, as in ISO 8601
        self.season = {name: np.array(factors)[self.month - 1] for name, factors in plan.SEASONS.items()}
        self.demand = np.stack([self.season[name] for name in plan.PRODUCTS["season"]], axis=1)
        self.first_week = np.zeros(len(plan.PRODUCTS), dtype=np.int64)
        for p in plan.planted("cold_start"):
            self.first_week[plan.row(p.consequent)] = weeks - p.since
        self.demand *= np.arange(weeks)[:, None] >= self.first_week
        for name, factor in plan.POPULARITY_DRIFT.items():
            self.demand[-plan.DRIFT_WEEKS :, plan.row(name)] *= factor
        promoted = rng.random(self.demand.shape) < plan.PROMOTION_SHARE
        promoted[:, [plan.row(name) for name in (*plan.ON_A_WHIM, *structure_plan.PRODUCTS["name"])]] = (
            False  # their demand must follow the season alone
        )
        cut = Choice(np.ones(len(plan.PROMOTION_CUTS))).draw(rng, np.zeros(promoted.shape, dtype=np.int64))
        factor = np.where(promoted, np.array(plan.PROMOTION_CUTS)[cut], 1.0)
        self.cents = np.rint(plan.PRODUCTS["price"].to_numpy() * 100 * factor).astype(np.int64)
        self.demand *= np.where(promoted, plan.PROMOTION_DEMAND, 1.0)
        self.peak = self.demand.max(axis=0)


class Drawing:
    """Tables to draw from, made once; then one chunk of customers after the other."""

    def __init__(self, seed: int, customers: int, weeks: int, structure: float) -> None:
        if isinstance(structure, bool) or not isinstance(structure, int | float | np.number) or not 0 <= structure <= 1:
            raise BadParameter(f"The corner shop needs structure to be a number from 0 to 1, not {structure!r}.")
        for name, value, least in (("seed", seed, 0), ("customers", customers, 1), ("weeks", weeks, 30)):
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
                raise BadParameter(f"The corner shop needs {name} to be a whole number from {least}, not {value!r}.")
        self.seed, self.customers, self.calendar = int(seed), int(customers), Calendar(int(seed), int(weeks))
        self.range = Range(float(structure))
        products, segments = plan.PRODUCTS, list(plan.SEGMENTS.values())
        self.category = pd.Categorical(products["category"], plan.CATEGORIES).codes.astype(np.int64)
        popularity = products["popularity"].to_numpy() / 1000
        self.whims = np.array([plan.row(name) for name in plan.ON_A_WHIM])
        self.whim_rate = popularity[self.whims]
        popularity[self.whims] = 0

        # who comes, and when
        self.segment = Choice([segment.share for segment in segments])
        self.age = Choice([segment.ages for segment in segments])
        self.hour = Choice([segment.hours for segment in segments])

        # what segments like: weights at the peak of demand, to be thinned to the week's demand after the draw
        fond = np.ones((len(segments), len(products)))
        for number, segment in enumerate(segments):
            for what, factor in segment.fond.items():
                fond[number] *= np.where((products["category"] == what) | (products["name"] == what), factor, 1.0)
        weights = popularity * fond
        weights *= popularity.sum() / weights.sum(axis=1, keepdims=True)
        at_peak = weights * self.calendar.peak
        self.general = Choice(at_peak)
        sizes = at_peak.sum(axis=1) * [segment.size for segment in segments]
        self.slots = Choice.poisson(sizes[:, None] * list(plan.SIZE_FACTOR.values()))  # a row for each segment and size

        # personal favourites: a row for each segment and department, the last department being "any"
        departments = self.category == np.arange(len(plan.CATEGORIES) + 1)[:, None]
        departments[-1] = True
        self.any_department = len(plan.CATEGORIES)
        self.taste = Choice((weights[:, None, :] * departments).reshape(-1, len(products)))
        self.rank = Choice(1 / np.arange(1, plan.FAVOURITES + 1))

        # what a visit is for: a row for each week; the last column, and the last row of what is wanted, mean nothing
        shares = np.array([mission.share for mission in plan.MISSIONS.values()])
        seasons = np.array([self.calendar.season[mission.season] for mission in plan.MISSIONS.values()])
        self.mission = Choice(np.vstack([shares[:, None] * seasons, 1 - shares @ seasons]).T)
        wanted = np.zeros((len(plan.MISSIONS) + 1, len(products)))
        for number, mission in enumerate(plan.MISSIONS.values()):
            rows = [plan.row(name) for name in mission.products]
            wanted[number, rows] = plan.MISSION_BOOST * (popularity * self.calendar.peak)[rows]
        self.mission_slots = Choice.poisson(wanted.sum(axis=1))
        wanted[-1] = 1  # never drawn from, since it has no slots
        self.wanted = Choice(wanted)

    def items(self) -> pa.Table:
        """The item table."""
        products = plan.PRODUCTS
        first = self.calendar.start + (7 * self.calendar.first_week).astype("timedelta64[D]")
        columns = {name: products[name] for name in ("item_id", "name", "name_zh", "description", "category", "price")}
        return pa.table({**columns, "first_sold": first.astype("datetime64[us]")})

    def chunks(self) -> Iterator[Chunk]:
        """One chunk of customers after the other."""
        baskets_before = 0
        for number, first in enumerate(range(0, self.customers, CHUNK)):
            rng = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(1 + number,)))
            user_ids = np.arange(first, min(first + CHUNK, self.customers)) + 1
            segment = self.segment.draw(rng, np.zeros_like(user_ids))
            users = {
                "user_id": user_ids,
                "segment": np.array(list(plan.SEGMENTS))[segment],
                "age_group": np.array(plan.AGE_GROUPS)[self.age.draw(rng, segment)],
            }
            member = rng.random(len(user_ids)) < structure_plan.CLUB_SHARE
            baskets, time = self._visits(rng, segment, member)
            self._background(rng, baskets, segment)
            steps = self.range.fill(rng, baskets.held, baskets.user, baskets.errand, len(user_ids))
            kept = baskets.held.any(axis=0)  # who leaves with nothing leaves no receipt
            baskets, time = baskets.take(kept), time[kept]
            expected = _plant(rng, baskets)
            basket, item = np.nonzero(np.ascontiguousarray(baskets.held.T))
            transactions = {
                "user_id": user_ids[baskets.user[basket]],
                "basket_id": baskets_before + 1 + basket,
                "time": time[basket],
                "item_id": plan.PRODUCTS["item_id"].to_numpy()[item],
                "quantity": self._quantity(rng, item),
                "price": self.calendar.cents[baskets.week[basket], item] / 100,
            }
            baskets_before += len(time)
            yield Chunk(pa.table(transactions), pa.table(users), baskets, segment, expected, steps)

    def _quantity(self, rng: np.random.Generator, item: np.ndarray) -> np.ndarray:
        """How many of each: mostly one, of bottles and pots more often several."""
        often = np.isin(self.category, [plan.CATEGORIES.index(name) for name in plan.OFTEN_SEVERAL])[item]
        several = np.searchsorted(plan.SEVERAL, rng.random(len(item)), side="right")
        return (1 + np.where(often, several, several // 2)).astype(np.int8)

    def _visits(self, rng: np.random.Generator, segment: np.ndarray, member: np.ndarray) -> tuple[Baskets, np.ndarray]:
        """Empty baskets in the order of customer and time, and their times."""
        size = len(segment)
        rate = np.array([s.visits for s in plan.SEGMENTS.values()])[segment] / 7
        rate *= (0.35 + 2.0 * rng.random(size) ** 3) / 0.85  # a few customers come often, many seldom
        rate *= np.where(member, structure_plan.CLUB_VISITS, 1.0)
        joined = np.maximum(0, 5 * rng.random(size) - 4) * 0.6 * len(self.calendar.visits)  # a fifth join later
        comes = rng.random((size, len(self.calendar.visits))) < rate[:, None] * self.calendar.visits
        comes &= np.arange(len(self.calendar.visits)) >= joined[:, None]
        user, day = np.nonzero(comes)
        minute = 60 * (plan.OPENING_HOUR + self.hour.draw(rng, segment[user])) + np.floor(60 * rng.random(len(user)))
        time = self.calendar.start.astype("datetime64[us]") + (1440 * day + minute).astype("timedelta64[m]")
        held = np.zeros((len(plan.PRODUCTS), len(user)), dtype=bool)
        errand = member[user] & (rng.random(len(user)) < structure_plan.ERRANDS)
        weekday = self.calendar.weekday[day]
        return Baskets(held, user, segment[user], day // 7, self.calendar.weeks, weekday, errand), time

    def _background(self, rng: np.random.Generator, baskets: Baskets, segment: np.ndarray) -> None:
        """Fill the baskets with what customers like, need on such a visit, and take on a whim."""
        count = len(baskets.user)
        rows = segment[:, None] * (self.any_department + 1)
        departments = self.category[self.taste.draw(rng, np.repeat(rows + self.any_department, 2, axis=1))]
        source = np.full((len(segment), plan.FAVOURITES), self.any_department)
        source[:, 1::2] = np.resize([0, 1], plan.FAVOURITES // 2)  # every other one from one of two departments
        source[:, 1::2] = np.take_along_axis(departments, source[:, 1::2], axis=1)
        favourites = self.taste.draw(rng, rows + source)

        big = rng.random(count) < np.array(plan.BIG_SHOP_BY_WEEKDAY)[baskets.weekday]
        size = np.where(baskets.errand, list(plan.SIZE_FACTOR).index("errand"), big)
        slots = self.slots.draw(rng, len(plan.SIZE_FACTOR) * baskets.segment + size)
        basket = np.repeat(np.arange(count), slots)
        favourite = favourites[baskets.user[basket], self.rank.draw(rng, np.zeros(len(basket), dtype=np.int64))]
        item = self.general.draw(rng, baskets.segment[basket])
        item = np.where(rng.random(len(basket)) < plan.FAVOURITE_SHARE, favourite, item)
        self._put(rng, baskets, basket, item)

        mission = np.where(baskets.errand, len(plan.MISSIONS), self.mission.draw(rng, baskets.week))
        basket = np.repeat(np.arange(count), self.mission_slots.draw(rng, mission))
        self._put(rng, baskets, basket, self.wanted.draw(rng, mission[basket]))

        for item, rate in zip(self.whims, self.whim_rate, strict=True):
            baskets.held[item] = rng.random(count) < rate * self.calendar.demand[baskets.week, item]

    def _put(self, rng: np.random.Generator, baskets: Baskets, basket: np.ndarray, item: np.ndarray) -> None:
        """Put products into baskets as far as the week's demand, relative to its peak, allows."""
        taken = rng.random(len(item)) < (self.calendar.demand / self.calendar.peak)[baskets.week[basket], item]
        baskets.held[item[taken], basket[taken]] = True


def _plant(rng: np.random.Generator, baskets: Baskets) -> dict[str, float]:
    """Carry out the plan on filled baskets and return `Chunk.expected`."""
    held, expected = baskets.held, {}
    for p in plan.planted("substitute"):
        first, second = held[plan.row(p.antecedent[0])], held[plan.row(p.consequent)]
        both, coin = first & second, rng.random(held.shape[1])
        expected[p.id] = both.sum() * (1 - p.strength)
        first &= ~(both & (coin < p.strength / 2))
        second &= ~(both & (coin >= p.strength / 2) & (coin < p.strength))
    for p in plan.planted("same_basket", "drift", "segment", "cold_start"):
        where, consequent, coin = applies(p, baskets), held[plan.row(p.consequent)], rng.random(held.shape[1])
        if p.suppress:
            first, second = (held[plan.row(name)] for name in p.antecedent)
            chance = p.suppress[0] * (first & ~second) + p.suppress[1] * (second & ~first)
            consequent &= ~(where & (coin < chance))
        antecedent = holds(p.antecedent, baskets)
        missing = where & antecedent & ~consequent
        expected[p.id] = (where & antecedent & consequent).sum() + p.strength * missing.sum()
        consequent |= missing & (coin < p.strength)
    for p in plan.planted("sequential", "long_memory"):
        bought, consequent = held[plan.row(p.antecedent[0])], held[plan.row(p.consequent)]
        coin = rng.random(held.shape[1])
        delay = p.steps[0] + Choice(p.delay).draw(rng, np.zeros(held.shape[1], dtype=np.int64))
        without = baskets.later(consequent, *p.steps)
        chance = sum(share * baskets.later(True, steps) for steps, share in zip(p.steps, p.delay, strict=True))
        expected[p.id] = (bought & without).sum() + p.strength * (chance * (bought & ~without)).sum()
        source = np.flatnonzero(bought & (coin < p.strength))
        target = source + delay[source]
        inside = target < held.shape[1]
        source, target = source[inside], target[inside]
        consequent[target[baskets.user[source] == baskets.user[target]]] = True
    return expected

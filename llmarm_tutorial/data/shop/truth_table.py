"""Counting, in a corner shop's baskets, what was planted and what else is there: the truth file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from scipy import sparse

from llmarm_tutorial.data.shop import plan
from llmarm_tutorial.data.shop.draw import Baskets, Calendar, Chunk, Drawing, holds, in_force
from llmarm_tutorial.data.shop.structure_truth import StructureTally, ratio

STRONG_LIFT, STRONG_COUNT, STRONG_DEVIATIONS = 2.0, 10, 5.0  # what makes a pair of products strongly lifted
STRONG_CAUSE = 1.3  # lift that a common cause alone must give to count as its explanation
EXPLANATIONS = (
    "planted",
    "both linked to a third by what is planted",
    "same mission",
    "same season or weeks of sale",
    "liked by the same segments",
    "favourites of the same customers",
    "not explained",
)
FOR_EVERYBODY = (
    "sequential",
    "long_memory",
    "substitute",
    "confounded",
)  # kinds that hold for the badly served segment, too


class Tally:
    """Sums over chunks of baskets, from which the truth file is made."""

    def __init__(self, drawing: Drawing) -> None:
        self.drawing, self.calendar = drawing, drawing.calendar
        self.counts: dict[tuple[str, str], np.ndarray] = defaultdict(lambda: np.zeros(4, dtype=np.int64))
        self.expected: dict[str, float] = defaultdict(float)
        self.together = np.zeros((len(plan.PRODUCTS), len(plan.PRODUCTS)), dtype=np.int64)
        self.by_week = np.zeros((self.calendar.weeks, len(plan.PRODUCTS) + 1), dtype=np.int64)  # last column: baskets
        self.by_segment = np.zeros((len(plan.SEGMENTS), len(plan.PRODUCTS) + 1), dtype=np.int64)
        self.by_customer = np.zeros(self.together.shape)  # together, were products independent within each customer
        self.customers = np.zeros(len(plan.SEGMENTS), dtype=np.int64)
        self.structure = StructureTally(drawing.range)

    def add(self, chunk: Chunk) -> None:
        """Count a chunk."""
        baskets = chunk.baskets
        for key, value in chunk.expected.items():
            self.expected[key] += float(value)
        for p in plan.PLANTED:
            for view, where, antecedent, consequent in _views(p, baskets, self.calendar):
                sides = (where, where & antecedent, where & consequent, where & antecedent & consequent)
                self.counts[p.id, view] += [side.sum() for side in sides]
        matrix = sparse.csr_matrix(baskets.held, dtype=np.int32)
        self.together += (matrix @ matrix.T).toarray()
        for sums, group in ((self.by_week, baskets.week), (self.by_segment, baskets.segment)):
            sums[:, :-1] += _summed(matrix, group, len(sums)).toarray()
            sums[:, -1] += np.bincount(group, minlength=len(sums))
        visits = np.bincount(baskets.user, minlength=len(chunk.segment))
        bought = _summed(matrix, baskets.user, len(visits)).astype(float)
        self.by_customer += (bought.T @ sparse.diags_array(1 / np.maximum(visits, 1)) @ bought).toarray()
        self.structure.add(baskets.held, baskets.errand, chunk.steps)
        self.customers += np.bincount(chunk.segment, minlength=len(plan.SEGMENTS))

    def truth(self) -> dict[str, Any]:
        """The content of truth.json."""
        last = self.calendar.start + np.timedelta64(7 * self.calendar.weeks - 1, "D")
        return {
            "seed": self.drawing.seed,
            "customers": self.drawing.customers,
            "weeks": self.calendar.weeks,
            "first_day": str(self.calendar.start),
            "last_day": str(last),
            "baskets": int(self.by_week[:, -1].sum()),
            "rows": int(self.by_week[:, :-1].sum()),
            "kinds": plan.KINDS,
            "difficulties": plan.DIFFICULTIES,
            "planted": [self._entry(p) for p in plan.PLANTED],
            "popularity_drift": [
                {**_named("item", [name]), "factor": factor, "from": self._day(-plan.DRIFT_WEEKS)}
                for name, factor in plan.POPULARITY_DRIFT.items()
            ],
            "structure": self.structure.truth(self.together),
            "badly_served": self._badly_served(),
            "background": self._background(),
        }

    def _day(self, week: int) -> str:
        return str(self.calendar.start + np.timedelta64(7 * (week % self.calendar.weeks), "D"))

    def _entry(self, p: plan.Planted) -> dict[str, Any]:
        realised = {view: _measures(count) for (key, view), count in self.counts.items() if key == p.id}
        view = next(iter(realised))
        baskets, antecedent, consequent, _ = self.counts[p.id, view].tolist()
        together = self.expected[p.id] if p.id in self.expected else self._given_the_week(p)
        entry = {
            "id": p.id,
            "kind": p.kind,
            **_named("antecedent", p.antecedent),
            **_named("consequent", [p.consequent]),
            "difficulty": p.difficulty,
            "strength": p.strength,
            "segment": p.segment or ("all" if p.kind in FOR_EVERYBODY else f"all but {plan.BADLY_SERVED}"),
            "from": None if p.since is None else self._day(-p.since),
            "until": None if p.until is None else self._day(-p.until),
            "view": view,
            "expected": {
                "support": ratio(together, baskets),
                "confidence": ratio(together, antecedent),
                "lift": ratio(together * baskets, antecedent * consequent),
            },
            "realised": realised,
        }
        if p.suppress:
            entry["suppress"] = list(p.suppress)
        if p.delay:
            entry["delay"] = {str(visits): share for visits, share in zip(p.steps, p.delay, strict=True)}
        return entry

    def _given_the_week(self, p: plan.Planted) -> float:
        """Baskets that hold both products of a confounded pair if they know of each other through the week only."""
        first, second = (self.by_week[:, plan.row(name)] for name in (*p.antecedent, p.consequent))
        return float((first * second / np.maximum(self.by_week[:, -1], 1)).sum())

    def _badly_served(self) -> dict[str, Any]:
        number = list(plan.SEGMENTS).index(plan.BADLY_SERVED)
        own, others = self.by_segment[number], self.by_segment.sum(axis=0) - self.by_segment[number]
        bestsellers = np.argsort(-self.together.diagonal(), kind="stable")[:20]
        customers = int(self.customers[number])
        return {
            "segment": plan.BADLY_SERVED,
            "why": "few customers, few visits, habits of their own, and none of the others' same-basket rules",
            "rules": [p.id for p in plan.planted("segment")],
            "customers": customers,
            "baskets": int(own[-1]),
            "visits_per_customer": ratio(own[-1], customers),
            "visits_per_other_customer": ratio(others[-1], self.customers.sum() - customers),
            "purchases_among_20_bestsellers": ratio(own[bestsellers].sum(), own[:-1].sum()),
            "purchases_among_20_bestsellers_of_others": ratio(others[bestsellers].sum(), others[:-1].sum()),
        }

    def _background(self) -> dict[str, Any]:
        pairs = self._strong_pairs()
        return {
            "segments": {
                name: {"share": s.share, "visits_per_week": s.visits, "basket_size": s.size, "fond_of": s.fond}
                for name, s in plan.SEGMENTS.items()
            },
            "missions": {
                name: {**_named("item", m.products), "share": m.share, "season": m.season or None}
                for name, m in plan.MISSIONS.items()
            },
            "mission_boost": 1 + plan.MISSION_BOOST,
            "favourites": {
                "per_customer": plan.FAVOURITES,
                "share_of_purchases": plan.FAVOURITE_SHARE,
                "departments": "every other favourite comes from two departments that the customer prefers",
            },
            "on_a_whim": _named("item", plan.ON_A_WHIM),
            "lift_of_a_typical_pair": self._typical_lift(),
            "strong_pairs": {
                "threshold": f"lift of at least {STRONG_LIFT:g}, in {STRONG_COUNT} baskets or more, and more than "
                f"{STRONG_DEVIATIONS:g} standard deviations above independence",
                "counts": {why: sum(pair["why"] == why for pair in pairs) for why in EXPLANATIONS},
                "pairs": pairs,
            },
        }

    def _typical_lift(self) -> float | None:
        """Lift of all pairs of ordinary products taken together: what large and small baskets do to every pair."""
        ordinary = slice(len(plan.ORDINARY))
        together = self.together[ordinary, ordinary]
        single = together.diagonal()
        expected = (single.sum() ** 2 - (single**2).sum()) / max(self.by_week[:, -1].sum(), 1)
        return ratio(together.sum() - single.sum(), expected)

    def _strong_pairs(self) -> list[dict[str, Any]]:
        """Strongly lifted pairs, each with the part of the plan that explains it, the strongest first."""
        single = self.together.diagonal()
        expected = np.outer(single, single) / max(self.by_week[:, -1].sum(), 1)
        strong = (self.together >= STRONG_LIFT * expected) & (self.together >= STRONG_COUNT)
        strong[len(plan.ORDINARY) :] = strong[:, len(plan.ORDINARY) :] = False  # what links the range is `structure`
        strong &= self.together > expected + STRONG_DEVIATIONS * np.sqrt(expected)
        partners = defaultdict(set)
        for p in plan.PLANTED:
            rows = {plan.row(name) for name in (*p.antecedent, p.consequent)}
            for row in rows:
                partners[row] |= rows - {row}
        missions = [{plan.row(name) for name in mission.products} for mission in plan.MISSIONS.values()]
        by_week, by_segment = _within(self.by_week), _within(self.by_segment)
        found = []
        for a, b in np.argwhere(np.triu(strong, 1)).tolist():
            explains = (
                b in partners[a],
                bool(partners[a] & partners[b]),
                any({a, b} <= mission for mission in missions),
                by_week[a, b] > STRONG_CAUSE * expected[a, b],
                by_segment[a, b] > STRONG_CAUSE * expected[a, b],
                self.by_customer[a, b] > STRONG_CAUSE * expected[a, b],
                True,
            )
            found.append(
                {
                    **_named("item", plan.PRODUCTS["name"].iloc[[a, b]]),
                    "count": int(self.together[a, b]),
                    "lift": ratio(self.together[a, b], expected[a, b]),
                    "why": EXPLANATIONS[explains.index(True)],
                }
            )
        return sorted(found, key=lambda pair: -pair["lift"])


def _summed(matrix: sparse.csr_matrix, group: np.ndarray, groups: int) -> sparse.csr_matrix:
    """Baskets with each product in each group of baskets, shape (groups, n_products)."""
    ones = np.ones(len(group), dtype=np.int32)
    return sparse.csr_matrix((ones, (group, np.arange(len(group)))), shape=(groups, len(group))) @ matrix.T


def _within(sums: np.ndarray) -> np.ndarray:
    """Baskets that would hold both of two products, were they independent within each group (a row of `sums`)."""
    held, baskets = sums[:, :-1], np.maximum(sums[:, -1:], 1)
    return held.T @ (held / baskets)


def _views(p: plan.Planted, baskets: Baskets, calendar: Calendar) -> Iterator[tuple[str, *tuple[np.ndarray, ...]]]:
    """(name, which baskets count, which have the antecedent, which the consequent); the first view is the main one."""
    a, b = holds(p.antecedent, baskets), holds([p.consequent], baskets)
    everywhere = np.ones(len(a), dtype=bool)
    if p.delay:
        again = baskets.later(True, *p.steps)
        when = "in the next three visits" if not p.after else f"{p.steps[0]} to {p.steps[-1]} visits later"
        yield when, again, a, baskets.later(b, *p.steps)
        yield "in reverse order", again, b, baskets.later(a, *p.steps)
        if p.after:
            yield "in the next three visits", baskets.later(True), a, baskets.later(b)
        yield "in the same basket", everywhere, a, b
        return
    if p.kind == "drift":
        yield "while it holds", in_force(p, baskets), a, b
        yield "before and after", ~in_force(p, baskets), a, b
    elif p.kind == "segment":
        own = baskets.segment == list(plan.SEGMENTS).index(p.segment)
        yield "within the segment", own, a, b
        yield "all other segments", ~own, a, b
    elif p.kind == "cold_start":
        yield "since on sale", in_force(p, baskets), a, b
    yield "overall", everywhere, a, b
    for name in p.antecedent if len(p.antecedent) > 1 else ():
        yield f"{name} alone", everywhere, holds([name], baskets), b
    if p.kind == "confounded":
        season = plan.PRODUCTS["season"][plan.row(p.consequent)]
        if season:
            yield "within the season", (calendar.season[season] >= 1)[baskets.week], a, b


def _named(role: str, names: Iterable[str]) -> dict[str, list]:
    """Item ids and names under the keys `role` and `role`_names."""
    names = list(names)
    ids = plan.PRODUCTS["item_id"].to_numpy()
    return {role: [int(ids[plan.row(name)]) for name in names], f"{role}_names": names}


def _measures(count: np.ndarray) -> dict[str, float | int | None]:
    baskets, antecedent, consequent, together = (int(c) for c in count)
    return {
        "baskets": baskets,
        "antecedents": antecedent,
        "consequents": consequent,
        "count": together,
        "support": ratio(together, baskets),
        "confidence": ratio(together, antecedent),
        "base_rate": ratio(consequent, baskets),
        "lift": ratio(together * baskets, antecedent * consequent),
    }

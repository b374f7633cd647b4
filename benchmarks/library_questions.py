"""The questions of `libraries.py`, small enough to be answered with a pencil, and their answers in exact arithmetic.

Supports and confidences are text, so that "0.07" is seven hundredths and not the nearest binary fraction. The answers
come from listing everything: all subsets of a basket, all subsequences of a sequence, all orders of equal scores.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, combinations, groupby, permutations, product

METRICS = ("NDCG@10", "MAP@10", "MRR", "P@10", "R@10", "HR@10")


@dataclass(frozen=True)
class Question:
    """What every library of a topic is asked.

    Attributes:
        topic: "itemsets", "patterns" or "rankings".
        name: Short name, the head of a column.
        says: The same in a sentence.
        cases: Arguments of the functions in `adapters/`; one, or a sweep over thresholds.
        compares: What must agree: "count" of sets and patterns, "confidence" or "support" of rules, "metrics".
    """

    topic: str
    name: str
    says: str
    cases: list[dict]
    compares: str = "count"


def _lists(counted: dict[str, int]) -> list[list[str]]:
    """Baskets or sequences of one-letter items, each as often as its number says."""
    return [list(items) for items, times in counted.items() for _ in range(times)]


def _sets(name: str, says: str, *cases: tuple, compares: str = "count") -> Question:
    """A question about (baskets, support) or, for rules, (baskets, support, confidence)."""
    keys = ("baskets", "support", "confidence")
    asked = [dict(zip(keys, (_lists(case[0]), *case[1:], ""), strict=False)) for case in cases]
    return Question("itemsets", name, says, asked, compares)


def _sequences(name: str, says: str, *cases: tuple[dict, str]) -> Question:
    """A question about (sequences, support), beside one longer sequence, so that no miner stops where the data end."""
    asked = [{"sequences": [*_lists(some), list("xyzw")], "support": support} for some, support in cases]
    return Question("patterns", name, says, asked)


def _ranking(name: str, says: str, *users: tuple[list[int], list[float], list[int]], n_items: int = 20) -> Question:
    """A question about users with (items, scores, right items)."""
    asked = [dict(zip(("items", "scores", "right"), user, strict=True)) for user in users]
    return Question("rankings", name, says, [{"users": asked, "n_items": n_items}], "metrics")


_TEN, _FALLING = list(range(10)), [1 - rank / 20 for rank in range(10)]
_LOGARITHMS = [math.log(share) for share in (0.6, 0.3, 0.1)]
_SHARES = [(k, f"{k / 100:.2f}") for k in range(1, 100)]
_RULES = [(k, f"{k / 20:.2f}") for k in range(1, 20)]
_APART = {"acdefghijklmb": 1, "a0123456789-b": 1, "n": 1}

QUESTIONS = (
    _sets("on .07", "7 of 100 baskets hold a and b; support .07", ({"ab": 7, "c": 93}, "0.07")),
    _sets(
        "on k/100",
        "the same with k of 100 and support k/100, for k = 1 … 99",
        *(({"ab": k, "c": 100 - k}, share) for k, share in _SHARES),
    ),
    _sets("between", "support .3 of 5 baskets, so in 2 or more", ({"ab": 2, "c": 1, "d": 1, "e": 1}, "0.3")),
    _sets("twice", "a basket names an item twice", ({"aab": 1, "a": 1, "b": 1, "c": 1}, "0.5")),
    _sets("in all", "an item is in every basket", ({"ab": 2, "ac": 1}, "0.5")),
    _sets("empty", "one of 4 baskets is empty; support .3", ({"": 1, "ab": 1, "a": 1, "c": 1}, "0.3")),
    _sets("nine", "3 of 4 baskets hold the same 9 items", ({"abcdefghi": 3, "z": 1}, "0.5")),
    _sets(
        "conf .8",
        "16 of 20 baskets with a hold b; rules of confidence .8",
        ({"ab": 16, "a": 4, "c": 80}, "0.01", "0.8"),
        compares="confidence",
    ),
    _sets(
        "conf k/20",
        "the same with k of 20 and confidence k/20, for k = 1 … 19",
        *(({"ab": k, "a": 20 - k, "c": 80}, "0.01", share) for k, share in _RULES),
        compares="confidence",
    ),
    _sets(
        "rule supp",
        "a is in 20 of 100 baskets, a and b in 16; rules of support .18",
        ({"ab": 16, "a": 4, "cd": 40, "c": 40}, "0.18", "0.5"),
        compares="support",
    ),
    _sequences("on .07", "a is before b for 7 of 100 customers; support .07", ({"ab": 7, "c": 92}, "0.07")),
    _sequences(
        "on k/100",
        "the same with k of 100 and support k/100, for k = 2 … 98",
        *(({"ab": k, "c": 99 - k}, share) for k, share in _SHARES[1:-1]),
    ),
    _sequences("between", "support .3 of 5 customers, so 2 or more", ({"ab": 2, "c": 1, "d": 1}, "0.3")),
    _sequences("item twice", "a pattern has an item twice", ({"aba": 1, "aca": 1, "ba": 1}, "0.5")),
    _sequences("in a row", "an item comes twice in a row", ({"aa": 2, "b": 1}, "0.5")),
    _sequences("whole", "a pattern is as long as the longest sequence", ({"xyzw": 2, "b": 1}, "0.5")),
    _sequences("gap", "something lies between a and b", ({"amb": 1, "anb": 1, "c": 1}, "0.5")),
    _sequences("far", "eleven items lie between a and b", (_APART, "0.5")),
    _sequences("once each", "one customer has a pattern twice", ({"abab": 1, "b": 1, "c": 1}, "0.5")),
    _ranking("one hit", "a list of ten, the third item is right", (_TEN, _FALLING, [2])),
    _ranking("tie, first", "four equal scores, the item named first is right", (_TEN[:4], [0.5] * 4, [0])),
    _ranking("tie, last", "four equal scores, the item named last is right", (_TEN[:4], [0.5] * 4, [3])),
    _ranking("logarithms", "scores log .6, log .3, log .1; the first item is right", (_TEN[:3], _LOGARITHMS, [0])),
    _ranking("short list", "a list of three, the second item is right", (_TEN[:3], _FALLING[:3], [1])),
    _ranking(
        "empty list",
        "of two users one has no list, the other's first item is right",
        ([], [], [1]),
        (_TEN[:3], _FALLING[:3], [0]),
    ),
    _ranking("item twice", "the right item stands first and second", ([0, 0, 1], _FALLING[:3], [0])),
    _ranking(
        "many right", "twenty items are right, ten of them fill the list", (_TEN, _FALLING, list(range(20))), n_items=40
    ),
)


def exact(question: Question, case: dict) -> dict:
    """The right answer to a case: what must be found → its number, or metric → value."""
    if question.topic == "rankings":
        return _metrics(case["users"])
    if question.topic == "patterns":
        held = [set(_subsequences(sequence)) for sequence in case["sequences"]]
    else:
        held = [set(_subsets(basket)) for basket in case["baskets"]]
    counts = Counter(found for one in held for found in one)
    least = Fraction(case["support"]) * len(held)
    frequent = {found: count for found, count in counts.items() if count >= least}
    return frequent if question.compares == "count" else _rules(question, case, frequent, len(held))


def _subsets(basket: list[str]) -> Iterator[frozenset]:
    items = sorted(set(basket))
    return (frozenset(some) for size in range(1, len(items) + 1) for some in combinations(items, size))


def _subsequences(sequence: list[str]) -> Iterator[tuple]:
    return (some for size in range(1, len(sequence) + 1) for some in combinations(sequence, size))


def _rules(question: Question, case: dict, frequent: dict, n: int) -> dict:
    found = {}
    for whole, count in frequent.items():
        for body in _subsets(sorted(whole)):
            if body != whole and Fraction(count, frequent[body]) >= Fraction(case["confidence"]):
                share = Fraction(count, frequent[body] if question.compares == "confidence" else n)
                found[body, whole - body] = float(share)
    return found


def _metrics(users: list[dict], k: int = 10) -> dict[str, float]:
    """Means over users; of equal scores, the mean over all their orders.

    An item counts at its first place. Average precision is divided by the number of right items, or by k if there are
    more; precision by k.
    """
    totals = Counter()
    for user in users:
        ranked = sorted(zip(user["scores"], user["items"], strict=True), reverse=True)
        tied = [[item for _, item in group] for _, group in groupby(ranked, key=lambda pair: pair[0])]
        orders = [list(chain.from_iterable(order)) for order in product(*map(permutations, tied))]
        for order in orders:
            first = {item: place for place, item in reversed(list(enumerate(order, start=1)))}
            places = sorted(first[item] for item in user["right"] if item in first)
            for name, value in _of_one_list(places, len(user["right"]), k).items():
                totals[name] += value / len(orders) / len(users)
    return {name: float(totals[name]) for name in METRICS}


def _of_one_list(places: list[int], n_right: int, k: int) -> dict[str, Fraction | float]:
    hits = [place for place in places if place <= k]
    best = sum(1 / math.log2(place + 1) for place in range(1, min(n_right, k) + 1))
    precisions = sum(Fraction(number, place) for number, place in enumerate(hits, start=1))
    return {
        "NDCG@10": sum(1 / math.log2(place + 1) for place in hits) / best,
        "MAP@10": precisions / min(n_right, k),
        "MRR": Fraction(1, places[0]) if places else Fraction(0),
        "P@10": Fraction(len(hits), k),
        "R@10": Fraction(len(hits), n_right),
        "HR@10": Fraction(bool(hits)),
    }

"""The exercises of lesson 02: support of patterns, projection, limits on gaps, confidence within a window."""

from __future__ import annotations

from typing import Any

from llmarm_tutorial.lesson.answers import Exercise, near

FIVE = ["cmf", "mcfm", "fmc", "cf", "mcmf"]
PATTERNS = {("c", "f"), ("c", "m"), ("m", "c"), ("m", "f")}
BASKETS = [["a"], ["b", "c"], ["a", "b"], ["c"], ["d"]]


def _as_patterns(value: Any) -> set[tuple[str, ...]]:
    return {tuple(pattern) for pattern in value}


EXERCISES = [
    Exercise(
        id="02.1",
        title="the support of ⟨m, f⟩",
        checks=[
            (lambda v: 0 <= float(v) <= 1, "a support is a share of the customers, so it lies between 0 and 1."),
            (
                lambda v: not near(v, 4 / 5),
                "that is the share of customers who bought both; here m must come before f.",
            ),
            (lambda v: not near(v, 2 / 5), "that is the support of ⟨f, m⟩; read the pattern from left to right."),
            (lambda v: near(v, 3 / 5), "count the customers who have an m and, at a later visit, an f."),
        ],
        hints=[
            "The first customer bought coffee, milk, filters: is there an m before an f?",
            "The third customer bought filters first. Is there another f after the m?",
        ],
    ),
    Exercise(
        id="02.2",
        title="what comes after the first c",
        checks=[
            (lambda v: len(v) == 5, "give a list of five texts, one per customer, in the order of the customers."),
            (lambda v: "c" not in "".join(v), "the c itself belongs to the prefix, not to what comes after it."),
            (lambda v: list(v)[2] == "", 'the third customer buys nothing after the c: write "".'),
            (
                lambda v: list(v) == ["mf", "fm", "", "f", "mf"],
                "cut every sequence right behind its first c and keep the rest.",
            ),
        ],
        hints=['"cmf" begins with c, so what is left is "mf".', '"mcfm": the c is its second visit.'],
    ),
    Exercise(
        id="02.3",
        title="a pattern under a maximum gap",
        checks=[
            (callable, "hand in the function itself, without calling it."),
            (
                lambda f: f([["a"], ["b"]], ("a", "b"), 1) is not None,
                "the function returns nothing: end it with return.",
            ),
            (lambda f: f([["a"], ["b"]], ("a", "b"), 1), "⟨a, b⟩ is in a sequence of a and then b."),
            (lambda f: not f([["b"], ["a"]], ("a", "b"), 9), "the order matters: b before a is no ⟨a, b⟩."),
            (
                lambda f: not f([["a", "b"]], ("a", "b"), 9),
                "items of one visit have no order: the second element must come at a later visit.",
            ),
            (
                lambda f: not f([["a"], ["c"], ["b"]], ("a", "b"), 1),
                "b comes two visits later, which a gap of 1 forbids.",
            ),
            (lambda f: f([["a"], ["c"], ["b"]], ("a", "b"), 2), "two visits later is within a maximum gap of 2."),
            (
                lambda f: f(BASKETS, ("a", "b", "d"), 2),
                "one way through fails here while another one succeeds: do not stop at the first a or the first b.",
            ),
            (lambda f: f([["a"], ["c"], ["a"], ["b"]], ("a", "b"), 1), "the second a works where the first does not."),
            (lambda f: not f(BASKETS, ("d", "a"), 9), "nothing after d holds an a."),
        ],
        hints=[
            "Keep the set of all visits at which the part of the pattern so far can end.",
            "At the start these are all visits with the first item.",
            "For the next item: keep a visit j if it holds the item and some kept visit i has 1 ≤ j − i ≤ max_gap.",
        ],
    ),
    Exercise(
        id="02.4",
        title="confidence within a window",
        checks=[
            (callable, "hand in the function itself, without calling it."),
            (lambda f: f(["ab"], "a", "b", 1) is not None, "the function returns nothing: end it with return."),
            (lambda f: near(f(["ab"], "a", "b", 1), 1), "after the only a comes b at once: the confidence is 1."),
            (
                lambda f: near(f(["aab"], "a", "b", 1), 1 / 2),
                "every visit with an a counts: of two only the second is followed by b at the next visit.",
            ),
            (lambda f: near(f(["aab"], "a", "b", 2), 1), "with a window of two visits the first a reaches b as well."),
            (
                lambda f: near(f(["aba"], "a", "b", 1), 1),
                "of the last visit nobody knows what follows: leave it out, above and below the line.",
            ),
            (lambda f: near(f(FIVE, "c", "f", 1), 2 / 4), "for c and f in the five sequences it must be one half."),
            (lambda f: near(f(FIVE, "c", "f", 2), 1), "for c and f within two visits it must be 1."),
        ],
        hints=[
            "Go through all customers and all their visits but the last one.",
            "The visits in the window after visit i are sequence[i + 1 : i + 1 + within].",
            "Confidence = (visits with a that have a b in their window) / (visits with a).",
        ],
    ),
]

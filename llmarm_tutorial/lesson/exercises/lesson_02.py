"""The exercises of lesson 02: support of patterns, confidence within a window, limits on gaps."""

from __future__ import annotations

from llmarm_tutorial.lesson.answers import Exercise, near, number, truth

FIVE = ["cmf", "mcfm", "fmc", "cf", "mcmf"]
BASKETS = [["a"], ["b", "c"], ["a", "b"], ["c"], ["d"]]


EXERCISES = [
    Exercise(
        id="02.1",
        title="the support of ⟨m, f⟩",
        gives="a number",
        checks=[
            (lambda v: 0 <= number(v) <= 1, "a support is a share of the customers, so it lies between 0 and 1."),
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
        title="confidence within a window",
        returns="a number",
        checks=[
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
            (
                lambda f: near(f(["aab"], "a", "a", 1), 1 / 2),
                "the window begins after the visit: an a is not followed by itself.",
            ),
            (lambda f: near(f(["abb"], "a", "b", 2), 1), "b twice in the window is one visit of a that was followed."),
            (
                lambda f: near(f(["abc", "ac"], "a", "b", 2), 1 / 2),
                "a visit counts although its sequence ends before the window does.",
            ),
            (
                lambda f: near(f(["ca", "bca", "bc"], "c", "b", 2), 0),
                "a window ends with its sequence: what the next customer buys is not in it.",
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
    Exercise(
        id="02.3",
        title="a pattern under a maximum gap",
        returns="True or False",
        checks=[
            (lambda f: truth(f([["a"], ["b"]], ("a", "b"), 1)), "⟨a, b⟩ is in a sequence of a and then b."),
            (lambda f: not truth(f([["b"], ["a"]], ("a", "b"), 9)), "the order matters: b before a is no ⟨a, b⟩."),
            (
                lambda f: not truth(f([["a", "b"]], ("a", "b"), 9)),
                "items of one visit have no order: the second element must come at a later visit.",
            ),
            (
                lambda f: not truth(f([["a"], ["c"], ["b"]], ("a", "b"), 1)),
                "b comes two visits later, which a gap of 1 forbids.",
            ),
            (
                lambda f: truth(f([["a"], ["c"], ["b"]], ("a", "b"), 2)),
                "two visits later is within a maximum gap of 2.",
            ),
            (
                lambda f: truth(f(BASKETS, ("a", "b", "d"), 2)),
                "one way through fails here while another one succeeds: do not stop at the first a or the first b.",
            ),
            (
                lambda f: truth(f([["a"], ["c"], ["a"], ["b"]], ("a", "b"), 1)),
                "the second a works where the first does not.",
            ),
            (lambda f: not truth(f(BASKETS, ("d", "a"), 9)), "nothing after d holds an a."),
            (
                lambda f: not truth(f([["a"], ["b"]], ("a", "b", "c"), 9)),
                "every item of the pattern must come, the third as well.",
            ),
            (
                lambda f: truth(f(BASKETS, ("d",), 1)) and not truth(f(BASKETS, ("e",), 1)),
                "a pattern of one item is held where one visit holds the item.",
            ),
            (
                lambda f: not truth(f([["a"]], ("a", "a"), 9)) and truth(f([["a"], ["a"]], ("a", "a"), 1)),
                "⟨a, a⟩ needs two visits with an a.",
            ),
        ],
        hints=[
            "Keep the set of all visits at which the part of the pattern so far can end.",
            "At the start these are all visits with the first item.",
            "For the next item: keep a visit j if it holds the item and some kept visit i has 1 ≤ j − i ≤ max_gap.",
        ],
    ),
]

"""The exercises of lesson 11: one step of propagation, a layer for everybody, and two systems joined with a weight."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from llmarm_tutorial.lesson.answers import Exercise, near

_RANDOM = np.random.default_rng(11)

# the last customer has nothing, and nobody has the last product
HAS = np.zeros((5, 6))
HAS[:4, :5] = _RANDOM.random((4, 5)) < 0.5
HAS[0, :2] = HAS[1, 1:4] = 1
OF_USERS, OF_ITEMS = _RANDOM.normal(size=(5, 3)), _RANDOM.normal(size=(6, 3))
ONE = np.array([[1.0, 1.0, 0.0], [0.0, 1.0, 0.0]])  # two customers, of whom one has two products

N_CUSTOMERS, N_PRODUCTS = 40, 12
FIRST = _RANDOM.normal(size=(N_CUSTOMERS, N_PRODUCTS))
# customers differ in the size of their scores, so that standardising all at once is another thing
SECOND = _RANDOM.normal(size=(N_CUSTOMERS, N_PRODUCTS)) * _RANDOM.uniform(1, 40, (N_CUSTOMERS, 1))
SECOND = SECOND + _RANDOM.uniform(0, 90, (N_CUSTOMERS, 1))
TARGET = _RANDOM.integers(0, N_PRODUCTS, N_CUSTOMERS)
BEFORE = _RANDOM.random((N_CUSTOMERS, N_PRODUCTS)) < 0.4
BEFORE[np.arange(N_CUSTOMERS), TARGET] = False
WEIGHTS = [0.0, 0.2, 0.5, 0.7, 1.0]


def _layer(function: Callable[..., Any], has: np.ndarray, users: np.ndarray, items: np.ndarray) -> list[np.ndarray]:
    """New vectors of customers and of products, as arrays of numbers."""
    of_users, of_items = function(has, users, items)
    return [np.asarray(of_users, dtype=float), np.asarray(of_items, dtype=float)]


def _new(function: Callable[..., Any]) -> list[np.ndarray]:
    return _layer(function, HAS, OF_USERS, OF_ITEMS)


def _summed(has: np.ndarray, users: np.ndarray, items: np.ndarray) -> list[np.ndarray]:
    """One layer, link by link."""
    new = [np.zeros_like(users), np.zeros_like(items)]
    for user, item in zip(*np.nonzero(has), strict=True):
        root = np.sqrt(has[user].sum() * has[:, item].sum())
        new[0][user] += items[item] / root
        new[1][item] += users[user] / root
    return new


def _same(found: list[np.ndarray], wanted: list[np.ndarray]) -> bool:
    return all(one.shape == other.shape and np.allclose(one, other) for one, other in zip(found, wanted, strict=True))


def _mrr(function: Callable[..., Any], weights: list[float]) -> np.ndarray:
    return np.asarray(function(FIRST, SECOND, BEFORE, TARGET, weights), dtype=float)


def _placed(joined: Callable[[float], np.ndarray], weights: list[float], *, listed: bool = False) -> list[float]:
    """MRR of joined scores at each weight, customer by customer; listed: with what a customer has."""
    means = []
    for weight in weights:
        scores, total = joined(weight), 0.0
        for customer, wanted in enumerate(TARGET):
            rivals = np.ones(N_PRODUCTS, dtype=bool) if listed else ~BEFORE[customer]
            total += 1 / (1 + np.sum(scores[customer, rivals] > scores[customer, wanted]))
        means.append(total / N_CUSTOMERS)
    return means


def _standard(scores: np.ndarray, axis: int | None = 1) -> np.ndarray:
    return (scores - scores.mean(axis=axis, keepdims=True)) / scores.std(axis=axis, keepdims=True)


def _join(weight: float) -> np.ndarray:
    return weight * _standard(FIRST) + (1 - weight) * _standard(SECOND)


def _raw(weight: float) -> np.ndarray:
    return weight * FIRST + (1 - weight) * SECOND


def _at_once(weight: float) -> np.ndarray:
    return weight * _standard(FIRST, None) + (1 - weight) * _standard(SECOND, None)


EXERCISES = [
    Exercise(
        id="11.1",
        title="one step of propagation",
        gives="two numbers",
        checks=[
            (lambda v: len(v) == 2, "hand in two numbers: Dan's vector in layer 1, and the mean of layers 0 and 1."),
            (lambda v: not near(v[0], 7), "divide what each product sends by √(d of Dan · d of the product)."),
            (lambda v: not near(v[0], 3.5), "this is a plain mean; divide by √(d of Dan · d of the product)."),
            (lambda v: not near(v[0], 3 / 4 + 4 / 16), "take the square root of the product of the two degrees."),
            (lambda v: near(v[0], 2.5), "tea sends 3 / √(2 · 2), milk 4 / √(2 · 8)."),
            (lambda v: not near(v[1], 3), "a mean of two layers: divide the sum by 2."),
            (lambda v: near(v[1], 1.5), "the mean of what Dan held before, 0.5, and what arrived."),
        ],
        hints=[
            "Dan has two products, so his degree is 2; tea has two customers, milk has eight.",
            "√4 = 2 and √16 = 4: tea sends 3/2, milk 4/4.",
        ],
    ),
    Exercise(
        id="11.2",
        title="a layer for everybody",
        returns="two arrays, of shape (n, d) and (m, d)",
        checks=[
            (
                lambda f: [new.shape for new in _new(f)] == [OF_USERS.shape, OF_ITEMS.shape],
                "return two tables: the new vectors of the customers, shape (n, d), then of the products, (m, d).",
            ),
            (
                lambda f: near(_layer(f, ONE, np.zeros((2, 1)), np.ones((3, 1)))[0][1, 0], 1 / np.sqrt(2)),
                "who has one product, which two customers have, gets it divided by √(1 · 2).",
            ),
            (
                lambda f: near(_layer(f, ONE, np.ones((2, 1)), np.zeros((3, 1)))[1][0, 0], 1 / np.sqrt(2)),
                "a product's new vector is made of its customers' old ones, divided by √(d of both).",
            ),
            (
                lambda f: not _layer(f, ONE, np.ones((2, 1)), np.zeros((3, 1)))[0].any(),
                "a customer's new vector is made of products' vectors alone, not of its own.",
            ),
            (
                lambda f: not (_new(f)[0][4].any() or _new(f)[1][5].any()),
                "who has no link gets zeros.",
            ),
            (
                lambda f: _same(_new(f), _summed(HAS, OF_USERS, OF_ITEMS)),
                "add up over all links, from the vectors as they were before this layer.",
            ),
        ],
        hints=[
            "The degrees are sums of rows and of columns of `has`; np.outer gives all products d_u · d_i.",
            "np.maximum(…, 1) under the root is safe to divide by.",
            "With the scaled matrix S the new vectors are S @ of_items and S.T @ of_users.",
        ],
    ),
    Exercise(
        id="11.3",
        title="two systems joined",
        returns="one number for each weight",
        checks=[
            (lambda f: _mrr(f, WEIGHTS).shape == (len(WEIGHTS),), "return one number for each weight."),
            (
                lambda f: not np.allclose(_mrr(f, WEIGHTS), _placed(_join, WEIGHTS, listed=True)),
                "what the customer has is no candidate: it must not take a place.",
            ),
            (
                lambda f: np.allclose(_mrr(f, [1.0]), _placed(_join, [1.0])),
                "at weight 1 the first system alone says the order: the mean of 1 / place, places from 1.",
            ),
            (
                lambda f: np.allclose(_mrr(f, [0.0]), _placed(_join, [0.0])),
                "at weight 0 the second system alone says the order.",
            ),
            (
                lambda f: not np.allclose(_mrr(f, WEIGHTS), _placed(_raw, WEIGHTS)),
                "the second system's scores are larger and drown the first's: standardise both.",
            ),
            (
                lambda f: not np.allclose(_mrr(f, WEIGHTS), _placed(_at_once, WEIGHTS)),
                "standardise the scores of each customer, not of all customers at once.",
            ),
            (
                lambda f: np.allclose(_mrr(f, WEIGHTS), _placed(_join, WEIGHTS)),
                "standardise over all products of the customer, then join, then leave out what the customer has.",
            ),
        ],
        hints=[
            "scores.mean(axis=1, keepdims=True) is the mean of each customer; std takes the same arguments.",
            "np.where(has, -np.inf, joined) leaves out what the customer has.",
            "The place is 1 + the number of products with a higher score than the one that was bought.",
        ],
    ),
]

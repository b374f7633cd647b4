"""Tasks with labels: pairs of products, customers and rules, each as examples that counting and models are given alike.

A `Labelled` holds the items of every example, what counting knows of it, its label, and to which part it belongs:
train, validation or test. The parts are disjoint in what would give the answer away: products for pairs, customers,
antecedents for rules. Counts never come from the baskets that the labels come from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import sparse

from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.errors import BadParameter, DataError, UnknownName

PARTS = ("train", "validation", "test")
SHARES = (0.6, 0.2, 0.2)


@dataclass(frozen=True, eq=False)
class Labelled:
    """Examples with labels, in three parts.

    Attributes:
        name: "pair", "customer" or "rule".
        classes: Names of the classes; of two the second is the positive one.
        sets: Item codes per example: the first product, a customer's purchases in time order, or the antecedent.
        others: The second product or the consequent; None for customers.
        labels: Row of each example in `classes`, shape (n,), int64.
        part: 0 train, 1 validation, 2 test, shape (n,), int8.
        counts: What counting knows of each example, shape (n, d), float32, dense or CSR.
        count_names: Names of its columns.
        clusters: What makes examples depend on one another, shape (n,): the customer; or shape (n, 2), where examples
            share either side: both products, or antecedent and consequent. Integers from 0.
        metric: The metric that the task is judged by, of `scores.ClassScores`.
    """

    name: str
    classes: tuple[str, ...]
    sets: Histories
    others: Histories | None
    labels: np.ndarray
    part: np.ndarray
    counts: np.ndarray | sparse.csr_matrix
    count_names: tuple[str, ...]
    clusters: np.ndarray
    metric: str

    def __post_init__(self) -> None:
        n = len(self.labels)
        sized = (self.sets, self.sets if self.others is None else self.others, self.part, self.clusters)
        if any(len(column) != n for column in sized) or self.counts.shape != (n, len(self.count_names)):
            raise BadParameter(f"A task of {n} labels needs as many sets, parts, clusters and rows of counts.")
        if not np.isin(self.labels, np.arange(len(self.classes))).all():
            raise BadParameter(f"The labels of {len(self.classes)} classes are 0 to {len(self.classes) - 1}.")

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        sizes = zip(np.bincount(self.part, minlength=len(PARTS)), PARTS, strict=True)
        return f"<Labelled {self.name!r}: {', '.join(f'{size:,} {part}' for size, part in sizes)}>"

    def take(self, rows: np.ndarray) -> Labelled:
        """The examples in the given rows, in that order."""
        rows = np.asarray(rows, dtype=np.int64)
        return replace(
            self,
            sets=self.sets.take(rows),
            others=None if self.others is None else self.others.take(rows),
            labels=self.labels[rows],
            part=self.part[rows],
            counts=self.counts[rows],
            clusters=self.clusters[rows],
        )

    def of(self, part: str) -> Labelled:
        """The examples of one part.

        Args:
            part: "train", "validation" or "test".

        Raises:
            UnknownName: If it is none of these.
        """
        if part not in PARTS:
            raise UnknownName("part", part, PARTS)
        return self.take(np.flatnonzero(self.part == PARTS.index(part)))

    def sample(self, n: int, seed: int = 0) -> Labelled:
        """The task with fewer labels to learn from: n training examples; validation and test stay as they are.

        The classes keep their shares, but every class keeps at least one example. For one seed a smaller sample lies
        within a larger one, as far as the rounding of the shares allows.

        Args:
            n: Number of training examples, from the number of classes to all.
            seed: Seed of the draw.

        Raises:
            BadParameter: If n is out of range.
        """
        train = np.flatnonzero(self.part == 0)
        present = np.unique(self.labels[train])
        if not len(present) <= n <= len(train):
            raise BadParameter(f"A sample holds {len(present)} to {len(train)} training examples, not {n}.")
        order = np.random.default_rng(seed).permutation(train)
        place = pd.Series(order).groupby(self.labels[order]).cumcount().to_numpy()  # within its class, from 0
        size = np.bincount(self.labels[order])[self.labels[order]]
        # the first of every class, then by how far each class is into its own examples: shares stay even
        chosen = order[np.lexsort((np.arange(len(order)), (place + 0.5) / size, place > 0))[:n]]
        return self.take(np.sort(np.concatenate([chosen, np.flatnonzero(self.part > 0)])))

    def balance(self) -> pd.DataFrame:
        """Examples and share of each class, one row per part."""
        table = pd.crosstab(
            pd.Categorical.from_codes(self.part, PARTS),
            pd.Categorical.from_codes(self.labels, list(self.classes)),
            rownames=["part"],
            colnames=["class"],
            dropna=False,
        )
        shares = table.div(table.sum(axis=1), axis=0)
        shares.insert(0, "examples", table.sum(axis=1))
        return shares.rename_axis(columns=None)


def divide(n: int, shares: Sequence[float], rng: np.random.Generator, classes: np.ndarray | None = None) -> np.ndarray:
    """Divide units at random into train, validation and test.

    Args:
        n: Number of units, such as products, customers or antecedents.
        shares: Shares of the parts, above 0, adding up to 1.
        rng: Source of the draw.
        classes: Class of each unit, from 0, shape (n,): every part gets its share of each class; None for no classes.

    Returns:
        Number of the part in `PARTS`, shape (n,), int8.

    Raises:
        BadParameter: If the shares are no shares.
    """
    if len(shares) != len(PARTS) or min(shares) <= 0 or not np.isclose(sum(shares), 1):
        raise BadParameter(f"The shares of train, validation and test are above 0 and add up to 1, not {shares}.")
    place = rng.permutation(n)
    if classes is not None:
        place[np.lexsort((place, classes))] = np.arange(n)  # class after class, at random within
        first = np.searchsorted(np.sort(classes), classes)
        cuts = [np.bincount(classes)[classes] * share for share in np.cumsum(shares)[:2]]
        return sum((place - first >= np.round(cut)).astype(np.int8) for cut in cuts)
    return np.searchsorted(np.round(np.cumsum(shares)[:2] * n), place, side="right").astype(np.int8)


def checked(task: Labelled) -> Labelled:
    """The same task.

    Raises:
        DataError: If a part lacks a class.
    """
    found = task.balance()[list(task.classes)].fillna(0)
    empty = [(part, name) for part in PARTS for name in task.classes if not found.loc[part, name]]
    if empty:
        part, name = empty[0]
        raise DataError(f"No {task.name} in {part} is of the class {name!r}; use more data or milder limits.")
    return task

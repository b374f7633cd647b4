"""What single items say of all others, and what they borrow from the items most like them (item-kNN).

Items × items is the one table of the kit that grows with the square of the catalogue. It is kept without its zeros
(most pairs of a large catalogue never meet), and its rows are filled in for the items that are asked about, a block at
a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from scipy import sparse

from llmarm_tutorial.mining.antecedents import Evidence, gather_sparse, row_blocks
from llmarm_tutorial.mining.confidence import shrunk_confidence

WORTH = 10.0  # baskets that the items' shares are worth where items are compared
SEEN_ENOUGH = 100  # baskets after which a neighbour is heard in full


@dataclass(frozen=True, eq=False)
class SingleItems:
    """How often each item is bought, and how often with each other one. Build one with `of`.

    Attributes:
        joint: Baskets that hold both, shape (n_items, n_items), int32, without zeros; on the diagonal those that hold
            the item.
        baskets: Baskets that hold the item, shape (n_items,).
        shares: The same as a share of all baskets.
    """

    joint: sparse.csr_matrix
    baskets: np.ndarray
    shares: np.ndarray

    @classmethod
    def of(cls, matrix: sparse.csr_matrix) -> SingleItems:
        """Count a matrix of baskets × items, bool."""
        n_items = matrix.shape[1]
        baskets, joint = gather_sparse(matrix, np.arange(n_items, dtype=np.int32)[:, None])
        return cls(joint, baskets, np.bincount(matrix.indices, minlength=n_items) / matrix.shape[0])

    def shrunk(self, codes: np.ndarray, strength: float) -> np.ndarray:
        """Chances of all items given each of some, as `shrunk_confidence` towards the shares, shape (n, n_items)."""
        known = Evidence(codes[:, None], self.baskets[codes], self.joint[codes].toarray(), self.shares)
        return shrunk_confidence(known, self.shares, strength)

    def neighbours(self, codes: np.ndarray, k: int) -> sparse.csr_matrix:
        """The items most like some items: baskets that hold one hold what baskets with the other hold.

        That is the cosine between their confidences, shrunk, less the items' shares in units of their standard
        deviation, each other left out. These profiles have no zeros, but each is a sparse row (what was counted) less
        a multiple of one row that all have in common (the shares), and so their products are products of sparse rows
        and a few sums.

        Args:
            codes: Item codes, shape (n,).
            k: Neighbours of an item, at least 1; all that are as near as the last one count as well.

        Returns:
            Cosines, shape (n, n_items), above 0 for neighbours, else not stored.
        """
        counted, common, trust = self._profiles()
        along = counted @ common
        squares = np.asarray(counted.multiply(counted).sum(axis=1)).ravel()
        length = squares - 2 * trust * along + trust**2 * (common @ common)
        # nothing but rounding is left of the profile of an item that stands beside all others as chance would have it
        with np.errstate(divide="ignore"):
            scale = np.where(length > 1e-9 * squares, 1 / np.sqrt(np.maximum(length, 0)), 0.0)
        parts = [sparse.csr_matrix((0, len(trust)))]
        for part in row_blocks(len(codes), len(trust)):
            own = codes[part]
            alike = (counted @ counted[own].T.toarray()).T
            alike -= np.outer(along[own], trust) + np.outer(trust[own], along)
            alike += np.outer(trust[own], trust * (common @ common))
            alike *= np.outer(scale[own], scale)
            alike[np.arange(len(own)), own] = 0.0
            if k < alike.shape[1]:
                alike[alike < np.partition(alike, -k, axis=1)[:, [-k]]] = 0.0
            parts.append(sparse.csr_matrix(np.maximum(alike, 0)))
        return sparse.vstack(parts, format="csr")

    def _profiles(self) -> tuple[sparse.csr_matrix, np.ndarray, np.ndarray]:
        """(A, v, t): the profile of item i is the row A[i] − t[i] · v, with 0 for the item itself."""
        spread = np.sqrt(self.shares * (1 - self.shares) + 1e-12)
        # of an item in every basket, every confidence is its share
        scale = np.where(self.shares < 1, 1 / spread, 0.0)
        common, trust = self.shares * scale, self.baskets / (self.baskets + WORTH)
        counted = self._counted() @ sparse.diags(scale)
        return _with_diagonal(counted, trust * common), common, trust

    def _counted(self) -> sparse.csr_matrix:
        """What is counted of the shrunk confidences: the rest of each is the item's share, times 1 − trust."""
        return sparse.diags(1 / (self.baskets + WORTH)) @ self.joint

    @cached_property
    def lent(self) -> sparse.csr_matrix:
        """What an item has to lend: its confidences as counted; its own share where it is itself asked about."""
        return _with_diagonal(self._counted(), self.baskets / (self.baskets + WORTH) * self.shares)


@dataclass(frozen=True, eq=False)
class Neighbourhood:
    """Items that lend to each other (item-kNN). Build one with `of`.

    Attributes:
        singles: The counts.
        codes: Items that may borrow, ascending, shape (n,).
        alike: `SingleItems.neighbours` of these.
    """

    singles: SingleItems
    codes: np.ndarray
    alike: sparse.csr_matrix

    @classmethod
    def of(cls, singles: SingleItems, codes: np.ndarray, k: int) -> Neighbourhood:
        """Seek the k nearest neighbours of the items among the codes, which may repeat; those below 0 are padding."""
        codes = np.unique(codes[codes >= 0])
        return cls(singles, codes, singles.neighbours(codes, k))

    @cached_property
    def nearer(self) -> np.ndarray:
        """For each stored neighbour, how many of the same item are nearer."""
        rows = np.repeat(np.arange(self.alike.shape[0]), np.diff(self.alike.indptr))
        return pd.Series(-self.alike.data).groupby(rows).rank(method="min").to_numpy() - 1

    def borrowed(self, codes: np.ndarray, k: int) -> np.ndarray:
        """Chances given each single item, borrowed from the items most alike: towards these counts can be shrunk.

        Args:
            codes: Item codes among those that may borrow, shape (n,).
            k: Neighbours of an item, at most those that were sought.

        Returns:
            Shape (n, n_items).
        """
        alike = self.alike.copy()
        alike.data[self.nearer >= k] = 0.0
        weight = alike[np.searchsorted(self.codes, codes)]
        # a neighbour seen once lends little
        weight = weight @ sparse.diags(np.minimum(self.singles.baskets, SEEN_ENOUGH).astype(float))
        weight.eliminate_zeros()
        doubt = WORTH / (self.singles.baskets + WORTH)
        shares = self.singles.shares
        found = (weight @ self.singles.lent).toarray() + np.outer(weight @ doubt + 1, shares)
        return found / (np.asarray(weight.sum(axis=1)) + 1)


def _with_diagonal(matrix: sparse.csr_matrix, values: np.ndarray) -> sparse.csr_matrix:
    return (matrix + sparse.diags(values - matrix.diagonal())).tocsr()

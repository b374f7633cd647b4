"""Sequential rules: Y comes after X. From patterns, or for all pairs of items within a window of visits.

Tables have the columns of `rules`, so everything that ranks, selects or scores rules works on them, too. What is
counted is said at each function: sequences, visits or customers; the column `n_baskets` holds how many there are.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.special import bdtrc, gammainc

from llmarm_tutorial.data.table import item_labels
from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.errors import BadParameter
from llmarm_tutorial.mining.itemsets import min_count, slices
from llmarm_tutorial.mining.measures import expected_count_within, measures, without_rounding
from llmarm_tutorial.mining.miners import codes_of
from llmarm_tutorial.mining.patterns import Patterns, check_whole, mine_sequences
from llmarm_tutorial.mining.rules import COLUMNS
from llmarm_tutorial.mining.significance import benjamini_hochberg
from llmarm_tutorial.mining.thresholds import check_share, smallest_counts

TESTS = ("expected", "lift_within", "p_value", "q_value", "reverse_count", "direction_p")
CELLS = 2**24  # multiplications, or cells of a table, per step


def rules_from_patterns(
    patterns: Patterns, min_confidence: float = 0.0, *, max_consequent: int | None = 1, label: str = "item_id"
) -> pd.DataFrame:
    """Rules "who went through X goes on through Y": each pattern, cut into a beginning X and an end Y.

    Counted per sequence: the confidence is the share of the sequences with X in which X goes on to Y under the limits
    of the patterns. The lift compares it with the share of sequences that hold Y *anywhere*; under a narrow gap or
    window that is harder to reach than chance, and a lift below 1 says little. `follow_rules` compares like with like.

    Args:
        patterns: Patterns with all their beginnings, as `mine_sequences` gives them without `containing`.
        min_confidence: Share in [0, 1]; 0 keeps all.
        max_consequent: Most elements in the end; None for no limit.
        label: Column of the item table that names the items.

    Returns:
        Rules by confidence, then count, descending; columns as in `rules.COLUMNS`, both sides tuples in order of time.

    Raises:
        BadParameter: If beginnings are missing or a parameter is out of range.
    """
    if not patterns.has_prefixes:
        raise BadParameter(
            "Rules need the counts of all beginnings: mine without containing, and not only closed ones."
        )
    if max_consequent is not None and max_consequent < 1:
        raise BadParameter(f"max_consequent must be at least 1 or None, not {max_consequent}.")
    if min_confidence:
        check_share(min_confidence, "min_confidence")
    names = np.array(item_labels(patterns.items, label), dtype=object)
    blocks = []
    for level, count in zip(patterns.levels[1:], patterns.counts[1:], strict=True):
        for size in range(1, min(max_consequent or level.shape[1], level.shape[1] - 1) + 1):
            sides = (level[:, :-size], level[:, -size:])
            x, y = (patterns.counts[side.shape[1] - 1][patterns.rows_of(side)] for side in sides)
            keep = np.ones(len(count), dtype=bool)
            if min_confidence:
                keep = count >= smallest_counts(min_confidence, x, "min_confidence")
            labels = [list(map(tuple, names[side[keep]].tolist())) for side in sides]
            blocks.append(_table(*labels, count[keep], x[keep], y[keep], patterns.n_sequences))
    table = pd.concat(blocks, ignore_index=True) if blocks else _table([], [], *[np.empty(0, int)] * 3, 1)
    return table.sort_values(["confidence", "count"], ascending=False, kind="stable", ignore_index=True)


def follow_rules(
    data: Transactions,
    within: int = 3,
    min_support: float | int = 5,
    min_confidence: float = 0.0,
    *,
    per: str = "visit",
    repeats: bool = False,
    label: str = "item_id",
) -> pd.DataFrame:
    """All rules {a} ⇒ {b}: b is bought in one of the next `within` visits after a.

    Counted per *visit*, among all visits that have a next one: the confidence is the share of those with a that are
    followed by b in time, the lift compares it with the share of all of them that are. Nothing is known of what comes
    after the last visit, so visits near the end of a sequence have fewer chances, for all items alike. Or counted per
    *customer*, among those with at least two visits: the confidence is the share of those who bought a before their
    last visit to whom it happened at least once that b followed in time; the lift compares it with the share who bought
    b in any visit but the first. Who buys a often has many chances, so a confidence per customer is the larger one, and
    its lift is not 1 for unrelated items.

    Per visit, two tests are added that ask what a lift does not:

    - `expected`: visits with a that are followed by b, if each customer's visits with a lay at random among the
      customer's own visits; `lift_within` compares the count with it. Who likes both a and b is no evidence then (the
      stratification of Cochran 1954 and Mantel & Haenszel 1959). `p_value`: the probability of so large a count if it
      is Poisson distributed with this expectation, which is cautious as the true spread is smaller; `q_value`: the same
      corrected for all ordered pairs of items that occur (Benjamini & Hochberg 1995).
    - `reverse_count`: visits with b followed by a, in the same window; `direction_p`: the probability of at least this
      imbalance if both orders were equally likely.

    Args:
        data: Transactions with users and an order. With baskets a basket is one visit, else every event is.
        within: Width of the window in visits, at least 1.
        min_support: Number of visits (or customers) in which the rule holds, or their share as a float.
        min_confidence: Share in [0, 1]; 0 keeps all.
        per: "visit" or "customer".
        repeats: Whether to include a ⇒ a.
        label: Column of the item table that names the items.

    Returns:
        Rules by confidence, then count, descending; columns as in `rules.COLUMNS` and, per visit, `TESTS`. None where
        nobody comes twice.

    Raises:
        Lacks: If the data has no users or no order.
        BadParameter: If a parameter is out of range.
    """
    if per not in ("visit", "customer"):
        raise BadParameter(f"per must be 'visit' or 'customer', not {per!r}.")
    check_whole(within=within)
    if min_confidence:
        check_share(min_confidence, "min_confidence")
    left, right, user = _before_and_after(data, within, per)
    n = left.shape[0]
    x, y = (np.bincount(part.indices, minlength=part.shape[1]) for part in (left, right))
    smallest = max(1, min_count(min_support, n))  # a share of nobody is nobody
    a, b, count = _joint(left, right, smallest) if per == "visit" else _within_customers(data, smallest, within)
    keep = np.ones(len(a), dtype=bool) if repeats else a != b
    if min_confidence:
        keep &= count >= smallest_counts(min_confidence, x, "min_confidence")[a]
    a, b, count = a[keep], b[keep], count[keep]
    names = item_labels(data.items, label)
    sides = [[frozenset([names[code]]) for code in side.tolist()] for side in (a, b)]
    table = _table(*sides, count, x[a], y[b], n)
    if per == "visit":
        n_tests = int((x > 0).sum()) * (int((y > 0).sum()) - (not repeats))
        table = table.assign(**_tests(left, right, user, a, b, count, n_tests))
    return table.sort_values(["confidence", "count"], ascending=False, kind="stable", ignore_index=True)


def _before_and_after(
    data: Transactions, within: int, per: str
) -> tuple[sparse.csr_matrix, sparse.csr_matrix, np.ndarray]:
    """(what comes before, what comes after, user row of every visit that has a next one); see `follow_rules`.

    Per visit: visits that have a next one × items, the visit's own and those of its window. Per customer: customers ×
    items, those bought before the last visit and those bought after the first.
    """
    held, owner = data.histories().visit_matrix()
    has_next = np.append(owner[1:] == owner[:-1], False)
    user = owner[has_next]
    if per == "visit":
        return held[has_next], followed_by(held, owner, within)[has_next], user
    return _union(held[has_next], user), _union(held[1:][has_next[:-1]], user), user


def _within_customers(data: Transactions, smallest: int, within: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(a, b, customers to whom it happened that b followed a in time), of pairs with enough customers."""
    found = mine_sequences(data, smallest, max_length=2, max_gap=int(within))
    if len(found.levels) < 2:
        return tuple(np.empty((3, 0), dtype=np.int64))
    return *found.levels[1].T, found.counts[1]


def _tests(
    left: sparse.csr_matrix,
    right: sparse.csr_matrix,
    user: np.ndarray,
    a: np.ndarray,
    b: np.ndarray,
    count: np.ndarray,
    n_tests: int,
) -> dict[str, np.ndarray]:
    """The columns `TESTS` of rules a ⇒ b counted per visit, see `follow_rules`."""
    expected, reverse = _expected(left, right, user, a, b), _joint_of(left, right, b, a)
    p = gammainc(count, expected)  # P(Poisson(expected) >= count)
    q = benjamini_hochberg(p, max(n_tests, len(p)))
    direction = bdtrc(count - 1, count + reverse, 0.5)
    return dict(zip(TESTS, (expected, count / expected, p, q, reverse, direction), strict=True))


def followed_by(held: sparse.csr_matrix, user: np.ndarray, within: int) -> sparse.csr_matrix:
    """Visits × items, bool: whether one of the same user's next `within` visits holds the item.

    Args:
        held: Visits × items, user by user in order of time.
        user: User row of every visit, ascending.
        within: Width of the window in visits, at least 1.
    """
    n = held.shape[0]
    follows = sparse.csr_matrix((n, n), dtype=np.int32)
    for gap in range(1, min(within, n - 1) + 1):
        same = np.flatnonzero(user[gap:] == user[:-gap])
        ones = np.ones(len(same), dtype=np.int32)
        follows = follows + sparse.csr_matrix((ones, (same, same + gap)), shape=(n, n))
    return (follows @ held.astype(np.int32)).astype(bool)


def lift_by_gap(data: Transactions, pairs: Iterable[tuple[Hashable, Hashable]], reach: int = 6) -> pd.DataFrame:
    """How often b is bought exactly g visits after a, compared with chance, for gaps on both sides of 0.

    Chance means that each customer's visits with b lie at random among the customer's own visits. So a taste for both
    items gives 1 at all gaps, a common season a hill around 0, and an item that calls for another a hill on one side.

    Args:
        data: Transactions with users and an order.
        pairs: Pairs (a, b) of item ids.
        reach: Largest gap in visits, at least 1; a gap of −2 is b two visits before a, 0 the same visit.

    Returns:
        Columns antecedent, consequent, gap, count (visits with a that have b at this gap), expected, lift (NaN where
        nothing is expected); one row per pair and gap.

    Raises:
        BadParameter: If `reach` is out of range.
        UnknownName: If an item is not in the item table.
    """
    check_whole(reach=reach)
    held, user = data.histories().visit_matrix()
    columns, rows, pairs = held.tocsc(), [], list(pairs)
    code = {item: int(codes_of(data.items, [item])[0]) for pair in pairs for item in pair}
    bought = {item: columns[:, [column]].toarray().ravel() for item, column in code.items()}
    for gap in range(-reach, reach + 1):
        first = np.arange(max(0, -gap), len(user) - max(0, gap))
        first = first[user[first] == user[first + gap]]
        who = user[first]
        for a, b in pairs:
            x, y = bought[a][first], bought[b][first + gap]
            expected = expected_count_within(x, y, who)
            count = int((x & y).sum())
            rows.append((a, b, gap, count, expected, count / expected if expected else np.nan))
    table = pd.DataFrame(rows, columns=["antecedent", "consequent", "gap", "count", "expected", "lift"])
    return table.sort_values(["antecedent", "consequent", "gap"], kind="stable", ignore_index=True)


def readable_sequences(
    rules: pd.DataFrame, columns: Iterable[str] = ("support", "confidence", "lift", "count")
) -> pd.DataFrame:
    """Sequential rules for the eye: one text column `rule` ("tea → honey ⇒ lemon") and the chosen measures."""
    sides = zip(rules["antecedent"], rules["consequent"], strict=True)
    text = [f"{' → '.join(map(str, x))} ⇒ {' → '.join(map(str, y))}" for x, y in sides]
    return pd.DataFrame({"rule": text}).join(rules[list(columns)].reset_index(drop=True))


def _table(x: list, y: list, count: np.ndarray, count_x: np.ndarray, count_y: np.ndarray, n: int) -> pd.DataFrame:
    counts = {"count": count, "antecedent_count": count_x, "consequent_count": count_y, "n_baskets": n}
    sides = {"antecedent": pd.Series(x, dtype=object), "consequent": pd.Series(y, dtype=object)}
    return pd.DataFrame({**sides, **measures(count, count_x, count_y, n), **counts})[list(COLUMNS)]


def _union(held: sparse.csr_matrix, user: np.ndarray) -> sparse.csr_matrix:
    """Users × items, bool: whether any of the user's visits holds the item."""
    users, row = np.unique(user, return_inverse=True)
    ones = np.ones(len(row), dtype=np.int32)
    summed = sparse.csr_matrix((ones, (row, np.arange(len(row)))), shape=(len(users), len(row))) @ held.astype(np.int32)
    return summed.astype(bool)


def _joint(left: sparse.csr_matrix, right: sparse.csr_matrix, smallest: int) -> tuple[np.ndarray, ...]:
    """(a, b, count) of the pairs of columns that are both true in enough rows: the entries of leftᵀ right."""
    ones, columns = right.astype(np.int32), left.T.tocsr().astype(np.int32)
    work = columns.astype(np.int64) @ np.diff(ones.indptr).astype(np.int64)
    pieces = [np.empty((3, 0), dtype=np.int64)]
    for part in slices(work, CELLS):
        product = (columns[part] @ ones).tocoo()
        chosen = product.data >= smallest
        pieces.append(np.stack([product.row[chosen] + part.start, product.col[chosen], product.data[chosen]]))
    a, b, count = np.concatenate(pieces, axis=1, dtype=np.int64)
    order = np.lexsort((b, a))
    return a[order], b[order], count[order]


def _joint_of(left: sparse.spmatrix, right: sparse.spmatrix, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Entries (a, b) of leftᵀ right, for given pairs of columns."""
    columns, result = left.T.tocsr(), np.zeros(len(a), dtype=np.result_type(left.dtype, np.int64))
    columns, ones = columns.astype(result.dtype), right.tocsr().astype(result.dtype)
    order = np.argsort(a, kind="stable")
    bounds = np.searchsorted(a[order], np.arange(left.shape[1] + 1))
    for part in slices(np.full(left.shape[1], left.shape[1]), CELLS):
        rows = order[bounds[part.start] : bounds[part.stop]]
        if len(rows):
            table = (columns[part] @ ones).toarray()
            result[rows] = table[a[rows] - part.start, b[rows]]
    return result


def _expected(
    left: sparse.csr_matrix, right: sparse.csr_matrix, user: np.ndarray, a: np.ndarray, b: np.ndarray
) -> np.ndarray:
    """Joint rows of given pairs of columns, were the two independent within each user."""
    users, row = np.unique(user, return_inverse=True)
    visits = np.bincount(row, minlength=len(users))
    group = sparse.csr_matrix((np.ones(len(row)), (row, np.arange(len(row)))), shape=(len(users), len(row)))
    share = sparse.diags_array(1 / visits, shape=(len(users), len(users))) @ (group @ left.astype(float))
    return without_rounding(_joint_of(share, group @ right.astype(float), a, b))

"""Tasks with labels about products: pairs of one category, pairs bought together later, rules that hold later."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.errors import BadParameter, Lacks
from llmarm_tutorial.labels.features import (
    joint_baskets,
    least_mean,
    lift_in,
    pair_counting,
    promising_rules,
    rule_counting,
)
from llmarm_tutorial.labels.tasks import PARTS, SHARES, Labelled, checked, divide
from llmarm_tutorial.mining.itemsets import as_matrix
from llmarm_tutorial.mining.measures import expected_count, lift


def same_category_pairs(
    data: Transactions,
    train: Transactions,
    *,
    shares: Sequence[float] = SHARES,
    seed: int = 0,
    negatives: int | None = None,
    min_count: int = 20,
) -> Labelled:
    """Do two products belong to the same category?

    The products are divided, not the pairs: a pair belongs to a part when both its products do, and pairs across parts
    are left out. So no product of the test was ever seen with a label.

    Args:
        data: Has the categories of the items.
        train: Transactions with baskets, of the same item table, that are counted in.
        shares: Shares of products for train, validation and test.
        seed: Seed of the division and of the draw of negatives.
        negatives: Pairs of different categories per pair of the same one, drawn at random; None keeps all.
        min_count: Least number of training baskets of a product that takes part.

    Returns:
        The task; `counts` are those of `pair_counting`.

    Raises:
        Lacks: If the items have no category.
        BadParameter: If the shares are no shares, or `negatives` is below 1.
        DataError: If a part has no pairs of a class.
    """
    if "category" not in data.items:
        raise Lacks(
            f"The items of {data.name!r} have no category, which this task asks for: take together_pairs instead."
        )
    if negatives is not None and negatives < 1:
        raise BadParameter(f"negatives, a number per pair of one category, is at least 1 or None, not {negatives}.")
    rng = np.random.default_rng(seed)
    matrix, _ = as_matrix(train)
    category = data.items["category"]
    known = category.notna().to_numpy() & (np.bincount(matrix.indices, minlength=matrix.shape[1]) >= min_count)
    products = np.flatnonzero(known)
    i, j, part = _pairs_within(products, divide(len(products), shares, rng))
    code = pd.factorize(category)[0]
    labels = (code[i] == code[j]).astype(np.int64)
    if negatives is not None:
        keep = labels == 1
        for number in range(3):
            rows = np.flatnonzero((part == number) & (labels == 0))
            wanted = min(len(rows), negatives * int((part == number)[keep].sum()))
            keep[rng.choice(rows, wanted, replace=False)] = True
        i, j, part, labels = i[keep], j[keep], part[keep], labels[keep]
    return _pair_task(train, i, j, part, labels, ("different categories", "same category"))


def together_pairs(
    early: Transactions,
    later: Transactions,
    *,
    shares: Sequence[float] = SHARES,
    seed: int = 0,
    pairs: int = 20_000,
    min_count: int = 50,
    min_later: int = 20,
    least_lift: float = 5.0,
    seldom: int = 3,
) -> Labelled:
    """Will two products be bought together beyond chance later?

    "Beyond chance" means that one can be sure of it in the later baskets: the lower end of a one-sided 95 % interval of
    the lift (the joint baskets taken as Poisson) reaches `least_lift`. A lift above 1 alone would say little: where
    large and small baskets are mixed, most frequent products meet more often than independence expects.

    The products are divided as in `same_category_pairs`. Of the pairs within a part, at most `pairs` (in validation and
    test in proportion to their shares) are drawn: half among those that met at least `seldom` times early, half among
    those that met more rarely or never. So shares of classes are those of this draw, not of all pairs.

    Args:
        early: Transactions with baskets, counted in.
        later: Baskets of the same item table that came after, which give the labels.
        shares: Shares of products for train, validation and test.
        seed: Seed of the division and the draw.
        pairs: Most pairs over all parts.
        min_count: Least number of early baskets of a product that takes part.
        min_later: Least number of later baskets of such a product: else nothing could be sure.
        least_lift: Lift that a pair must surely reach, above 0.
        seldom: Joint early baskets from which a pair counts as one that met.

    Returns:
        The task; `counts` are those of `pair_counting` in the early baskets.

    Raises:
        BadParameter: If the shares are no shares.
        DataError: If a part has no pairs of a class.
    """
    rng = np.random.default_rng(seed)
    before, after = as_matrix(early)[0], as_matrix(later)[0]
    sold, sold_later = (np.bincount(m.indices, minlength=m.shape[1]) for m in (before, after))
    products = np.flatnonzero((sold >= min_count) & (sold_later >= min_later))
    i, j, part = _pairs_within(products, divide(len(products), shares, rng))
    met = (
        np.asarray(joint_baskets(before, products)[np.searchsorted(products, i), np.searchsorted(products, j)])
        >= seldom
    )
    keep = [
        rng.permutation(np.flatnonzero((part == number) & (met == often)))[: int(pairs * share / 2)]
        for number, share in enumerate(shares)
        for often in (False, True)
    ]
    rows = np.sort(np.concatenate(keep))
    i, j, part = i[rows], j[rows], part[rows]
    joint = joint_baskets(after, products)[np.searchsorted(products, i), np.searchsorted(products, j)]
    expected = expected_count(sold_later[i], sold_later[j], after.shape[0])
    labels = (least_mean(joint) >= least_lift * expected).astype(np.int64)
    return _pair_task(early, i, j, part, labels, ("not beyond chance", "together"))


def holding_rules(
    early: Transactions,
    middle: Transactions,
    later: Transactions,
    *,
    shares: Sequence[float] = SHARES,
    seed: int = 0,
    rules: int = 20_000,
    min_count: int = 5,
    least_lift: float = 1.5,
    least_expected: float = 5.0,
    kept: float = 0.5,
) -> Labelled:
    """Does a rule that was mined hold on unseen baskets?

    Rules have one or two items in the antecedent and one in the consequent, and look promising where they were mined:
    enough joint baskets and a lift of at least `least_lift`. A rule holds when at least the share `kept` of its excess
    lift is still there: lift on unseen baskets − 1 ≥ kept · (lift where it was mined − 1). That asks for the strength
    the miner promised, so it is no question of how frequent the items are, as a test of significance would be, and a
    high lift from few baskets is no merit: it has more to lose.

    Labels of training and validation come from `middle`, those of test from `later`: the test is a later time *and*
    other antecedents. Antecedents are divided, so no two parts share one.

    Args:
        early: Transactions with baskets that rules are mined and counted in.
        middle: Later baskets of the same item table.
        later: Baskets after these.
        shares: Shares of antecedents for train, validation and test.
        seed: Seed of the draw and the division.
        rules: Most rules, half of them with one item in the antecedent where there are so many.
        min_count: Least number of joint early baskets.
        least_lift: Least lift in the early baskets, above 1.
        least_expected: Joint unseen baskets that the promised lift must make one expect, above 0: a rule of which less
            is expected cannot be judged and takes no part.
        kept: Share of the excess lift, in (0, 1].

    Returns:
        The task; `counts` come from the early baskets alone.

    Raises:
        BadParameter: If a setting is out of range.
        DataError: If a part has no rules of a class.
    """
    if least_lift <= 1 or not 0 < kept <= 1 or least_expected <= 0:
        wrong = f"{least_lift}, {kept} and {least_expected}"
        raise BadParameter(f"Rules have a lift above 1, keep a share in (0, 1] and are expected at all, not {wrong}.")
    rng = np.random.default_rng(seed)
    *mined, n = promising_rules(early, min_count, least_lift)
    chosen = _half_of_each(mined[0][:, 1] < 0, rules, rng)
    x, y, count, of_x, of_y = (column[chosen] for column in mined)
    cluster = np.unique(x, axis=0, return_inverse=True)[1].reshape(-1)  # the number of the antecedent
    part = divide(cluster.max() + 1, shares, rng)[cluster]
    promised = lift(count, of_x, of_y, n)
    unseen = np.full(len(y), np.nan)
    for baskets, here in ((middle, part < 2), (later, part == 2)):
        unseen[here] = lift_in(baskets, x[here], y[here], least_expected / promised[here])
    counts = rule_counting(count, of_x, of_y, n, (x[:, 1] >= 0) + 1)
    task = Labelled(
        name="rule",
        classes=("does not hold", "holds"),
        sets=Histories.from_lists([[code for code in row if code >= 0] for row in x.tolist()], len(early.items)),
        others=Histories.from_lists(y[:, None].tolist(), len(early.items)),
        labels=(unseen - 1 >= kept * (promised - 1)).astype(np.int64),
        part=part,
        **_columns(counts, len(y)),
        clusters=np.column_stack([cluster, y]),
        metric="AUROC",
    )
    return checked(task.take(np.flatnonzero(~np.isnan(unseen))))


# --- draws and pairs -------------------------------------------------------------------------------------------


def _half_of_each(single: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    """Rules at random, half of them with one item in the antecedent where there are so many: row numbers, ascending."""
    order = rng.permutation(len(single))
    ones, twos = order[single[order]], order[~single[order]]
    ones = ones[: max(most // 2, most - len(twos))]
    return np.sort(np.concatenate([ones, twos[: most - len(ones)]]))


def _columns(counts: dict[str, np.ndarray], n: int) -> dict[str, Any]:
    """`counts` and `count_names` of a task with n examples, from name → values."""
    return {
        "counts": np.column_stack([np.empty((n, 0)), *counts.values()]).astype(np.float32),
        "count_names": (*counts,),
    }


def _pairs_within(products: np.ndarray, part: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(i, j, part) of all pairs i < j of products of one part."""
    pieces = []
    for number in range(len(PARTS)):
        members = products[part == number]
        first, second = np.triu_indices(len(members), 1)
        pieces.append((members[first], members[second], np.full(len(first), number, dtype=np.int8)))
    return tuple(np.concatenate(column) for column in zip(*pieces, strict=True))


def _pair_task(
    train: Transactions, i: np.ndarray, j: np.ndarray, part: np.ndarray, labels: np.ndarray, classes: tuple[str, str]
) -> Labelled:
    """A task of pairs that counts in the given transactions."""
    counts = pair_counting(train, i, j) if len(i) else {}
    return checked(
        Labelled(
            name="pair",
            classes=classes,
            sets=Histories.from_lists(i[:, None].tolist(), len(train.items)),
            others=Histories.from_lists(j[:, None].tolist(), len(train.items)),
            labels=labels,
            part=part,
            **_columns(counts, len(i)),
            clusters=np.column_stack([i, j]),
            metric="average precision",
        )
    )

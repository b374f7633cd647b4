"""Five tasks with labels, made from a table of purchases."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import sparse

from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.errors import BadParameter, DataError, Lacks
from llmarm_tutorial.labels.features import (
    VISITS,
    bags,
    joint_baskets,
    least_mean,
    lift_in,
    pair_counting,
    promising_rules,
    rule_counting,
    visit_numbers,
)
from llmarm_tutorial.labels.tasks import PARTS, SHARES, Labelled
from llmarm_tutorial.mining.itemsets import as_matrix
from llmarm_tutorial.mining.measures import expected_count, lift

DAY = pd.Timedelta(days=1)


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
    i, j, part = _pairs_within(products, _divide(len(products), shares, rng))
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
    i, j, part = _pairs_within(products, _divide(len(products), shares, rng))
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


def customer_segments(
    data: Transactions,
    *,
    shares: Sequence[float] = SHARES,
    seed: int = 0,
    min_events: int = 5,
    max_events: int = 128,
    column: str = "segment",
) -> Labelled:
    """Which segment does a customer belong to, given the purchases?

    Args:
        data: Transactions with users, an order and a user table that has the column.
        shares: Shares of customers for train, validation and test; the classes keep theirs in every part.
        seed: Seed of the division.
        min_events: Least number of purchases of a customer that takes part.
        max_events: Latest purchases per customer that are given, to counting as to models.
        column: Column of the user table with the label: "segment" or "age_group" in the shop, "gender" or "age" in
            MovieLens.

    Returns:
        The task; `counts` are ln(1 + purchases) of each item, scaled to length 1 per customer, CSR.

    Raises:
        Lacks: If there are no users, no order, or no such column.
        BadParameter: If the shares are no shares.
        DataError: If a part has no customers of a class.
    """
    if data.users is None or column not in data.users:
        known = [] if data.users is None else [name for name in data.users if name != "user_id"]
        raise Lacks(f"The users of {data.name!r} have no {column!r}; known of them: {', '.join(known) or 'nothing'}.")
    runs = data.histories()
    named = data.users.set_index("user_id")[column].reindex(runs.user_ids)
    rows = np.flatnonzero((runs.lengths >= min_events) & named.notna().to_numpy())
    labels, classes = pd.factorize(named.to_numpy()[rows], sort=True)
    part = _divide(len(rows), shares, np.random.default_rng(seed), labels)
    histories = runs.take(rows).latest(max_events)
    return _checked(
        Labelled(
            name="customer",
            classes=tuple(map(str, classes)),
            sets=histories,
            others=None,
            labels=labels.astype(np.int64),
            part=part,
            counts=bags(histories, len(data.items)),
            count_names=tuple(map(str, data.items["name"])),
            clusters=np.arange(len(rows)),
            metric="macro F1",
        )
    )


def returning_customers(
    data: Transactions,
    *,
    cut: float = 0.75,
    days: float = 60,
    shares: Sequence[float] = SHARES,
    seed: int = 0,
    min_visits: int = 2,
    max_events: int = 128,
) -> Labelled:
    """Will a customer come again soon?

    The label says whether a customer buys within `days` days after a moment, all that is given lies before it.
    Customers take part who came at least `min_visits` times before, the last time at most a half of the time before the
    moment ago: of those long gone one knows the answer.

    Args:
        data: Transactions with users, baskets and clock times.
        cut: The moment, as a share of the span of the data, in (0, 1).
        days: Days after it that are looked at, which the data must cover.
        shares: Shares of customers for train, validation and test; the classes keep theirs in every part.
        seed: Seed of the division.
        min_visits: Least number of visits before the moment, at least 2.
        max_events: Latest purchases per customer that are given, to counting as to models.

    Returns:
        The task; `counts` are ln(1 + purchases) of each item, scaled to length 1 per customer, and the numbers of
        `VISITS`, CSR.

    Raises:
        Lacks: If there are no users, baskets or clock times.
        BadParameter: If the moment or the days are out of range, or the shares are no shares.
        DataError: If a part has no customers of a class.
    """
    data.require("users", "baskets", "clock", purpose="asking who comes again")
    time = data.table["time"].to_numpy()
    first, last = pd.Timestamp(time.min()), pd.Timestamp(time.max())
    moment = first + (last - first) * cut
    if not 0 < cut < 1 or min_visits < 2 or days <= 0 or moment + days * DAY > last:
        raise BadParameter(
            f"The {days} days after {cut} of the data must lie within it, and customers have at least 2 visits, not "
            f"{min_visits}: take a smaller cut or fewer days."
        )
    runs = data.rows(time < np.datetime64(moment)).histories()
    visits = data.table[data.table["user_id"].notna()].drop_duplicates("basket_id")
    before = visits[visits["time"] < moment].groupby("user_id")["time"].agg(["size", "min", "max"]).loc[runs.user_ids]
    gone = ((moment - before["max"]) / DAY).to_numpy()
    rows = np.flatnonzero((before["size"] >= min_visits) & (gone <= (moment - first) / DAY / 2))
    soon = visits["time"].between(moment, moment + days * DAY)
    labels = np.isin(runs.user_ids[rows], visits["user_id"][soon].unique()).astype(np.int64)
    known = ((moment - before["min"]) / DAY).to_numpy()
    numbers = visit_numbers(before["size"].to_numpy(), gone, known, runs.lengths)[rows]
    histories = runs.take(rows).latest(max_events)
    return _checked(
        Labelled(
            name="customer",
            classes=("stays away", "comes again"),
            sets=histories,
            others=None,
            labels=labels,
            part=_divide(len(rows), shares, np.random.default_rng(seed), labels),
            counts=sparse.hstack([bags(histories, len(data.items)), numbers], format="csr", dtype=np.float32),
            count_names=(*map(str, data.items["name"]), *VISITS),
            clusters=np.arange(len(rows)),
            metric="macro F1",
        )
    )


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
        raise BadParameter(
            f"Rules have a lift above 1, keep a share in (0, 1] and are expected in some baskets, not {least_lift}, "
            f"{kept} and {least_expected}."
        )
    rng = np.random.default_rng(seed)
    x, y, count, of_x, of_y, n = promising_rules(early, min_count, least_lift)
    chosen = rng.permutation(len(y))
    single = chosen[x[chosen, 1] < 0]
    double = chosen[x[chosen, 1] >= 0]
    single = single[: max(rules // 2, rules - len(double))]
    chosen = np.sort(np.concatenate([single, double[: rules - len(single)]]))
    x, y, count, of_x, of_y = x[chosen], y[chosen], count[chosen], of_x[chosen], of_y[chosen]
    antecedents, cluster = np.unique(x, axis=0, return_inverse=True)
    cluster = cluster.reshape(-1)
    part = _divide(len(antecedents), shares, rng)[cluster]
    promised = lift(count, of_x, of_y, n)
    unseen = np.full(len(y), np.nan)
    for baskets, here in ((middle, part < 2), (later, part == 2)):
        unseen[here] = lift_in(baskets, x[here], y[here], least_expected / promised[here])
    rows = np.flatnonzero(~np.isnan(unseen))
    x, y = x[rows], y[rows]
    counts = rule_counting(count[rows], of_x[rows], of_y[rows], n, (x[:, 1] >= 0) + 1)
    return _checked(
        Labelled(
            name="rule",
            classes=("does not hold", "holds"),
            sets=Histories.from_lists([[code for code in row if code >= 0] for row in x.tolist()], len(early.items)),
            others=Histories.from_lists(y[:, None].tolist(), len(early.items)),
            labels=(unseen - 1 >= kept * (promised - 1))[rows].astype(np.int64),
            part=part[rows],
            counts=np.column_stack(list(counts.values())).astype(np.float32),
            count_names=tuple(counts),
            clusters=np.column_stack([cluster[rows], y]),
            metric="AUROC",
        )
    )


# --- parts, pairs, rules -------------------------------------------------------------------------------------------


def _divide(n: int, shares: Sequence[float], rng: np.random.Generator, classes: np.ndarray | None = None) -> np.ndarray:
    """A part at random for each of n units, shape (n,), int8; with classes, so that each keeps its share of each."""
    if len(shares) != len(PARTS) or min(shares) <= 0 or not np.isclose(sum(shares), 1):
        raise BadParameter(f"The shares of train, validation and test are above 0 and add up to 1, not {shares}.")
    place = rng.permutation(n)
    if classes is not None:
        place[np.lexsort((place, classes))] = np.arange(n)  # class after class, at random within
        first = np.searchsorted(np.sort(classes), classes)
        cuts = [np.bincount(classes)[classes] * share for share in np.cumsum(shares)[:2]]
        return sum((place - first >= np.round(cut)).astype(np.int8) for cut in cuts)
    return np.searchsorted(np.round(np.cumsum(shares)[:2] * n), place, side="right").astype(np.int8)


def _checked(task: Labelled) -> Labelled:
    """The task, unless a part lacks a class."""
    found = task.balance()[list(task.classes)].fillna(0)
    empty = [(part, name) for part in PARTS for name in task.classes if not found.loc[part, name]]
    if empty:
        part, name = empty[0]
        raise DataError(f"No {task.name} in {part} is of the class {name!r}; use more data or milder limits.")
    return task


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
    return _checked(
        Labelled(
            name="pair",
            classes=classes,
            sets=Histories.from_lists(i[:, None].tolist(), len(train.items)),
            others=Histories.from_lists(j[:, None].tolist(), len(train.items)),
            labels=labels,
            part=part,
            counts=np.column_stack([np.empty((len(i), 0)), *counts.values()]).astype(np.float32),
            count_names=tuple(counts),
            clusters=np.column_stack([i, j]),
            metric="average precision",
        )
    )

"""Items that nobody has bought yet and customers of one basket: what to say where counting has nothing to count.

A new item has no row in any table of counts, but it has a name and a description. Here vectors of these (any array, one
row per item, such as `text` makes) stand in for the counts, in three ways: a new item resembles what a customer bought
(`ContentNeighbours`), it will be bought with what similar items are bought with (`Borrowed`), or a regression from
vectors to counted weights, learned on known items, says with what (`Projected`). All are judged as every recommender
is, by `ranking.evaluate`.

Which items are new: in data with a clock those first bought in the last weeks (`launched`). Some known items can be
made new by taking them out of training altogether (`hidden`), for choosing settings without a look at the test, and for
data without a clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import linalg, sparse

from llmarm_tutorial.data.transactions import Sequences, Transactions
from llmarm_tutorial.errors import BadParameter, DataError
from llmarm_tutorial.evaluation.ranking import Histories, Recommender, Task, evaluate
from llmarm_tutorial.recommend.counting import AssociationRules, Baseline, Ease, ItemWeights, Profile

# --- who is asked what -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class NewItems:
    """Some items that training has never seen, and who bought them.

    Attributes:
        train: All that systems may count; its item table is the whole one.
        later: What was bought afterwards (of hidden items: their events), by customers and others.
        new: Which items are new: without an event in `train`, with one in `later`, shape (n_items,), bool.
    """

    train: Transactions
    later: Transactions
    new: np.ndarray

    @property
    def n_items(self) -> int:
        """Number of items, old and new."""
        return len(self.new)

    def task(self, asked: str = "new") -> Task:
        """Customers known from training, with all they had bought, and what of this sort they bought afterwards.

        Args:
            asked: "new": the new items that they bought. "all": everything that they bought for the first time.
                "basket" leaves customers aside: each later basket with old and new items, of which the old ones are
                given and the new ones asked.

        Returns:
            One case per customer who bought such items, in ascending order of users (or per basket, in order).

        Raises:
            BadParameter: If `asked` is unknown.
            Lacks: If baskets are asked of data without any.
            DataError: If there is no case.
        """
        if asked not in ("new", "all", "basket"):
            raise BadParameter(f"A task of new items asks for 'new', 'all' or 'basket', not {asked!r}.")
        if asked == "basket":
            return self._baskets()
        known = self.train.sequences()
        rows = pd.Index(known.user_ids).get_indexer(self.later.table["user_id"])
        items = self.later.item_codes
        keep = (rows >= 0) & (self.new[items] | (asked == "all"))
        bought = sparse.csr_matrix(
            (np.ones(keep.sum(), dtype=bool), (rows[keep], items[keep])), shape=(len(known.user_ids), self.n_items)
        )
        histories = Histories(known.items, known.offsets, known.visits)
        counts = np.bincount(self.train.item_codes, minlength=self.n_items)
        return _first_time(histories, bought, known.user_ids, counts, self.train.name)

    def _baskets(self) -> Task:
        baskets = self.later.basket_matrix()
        given, asked = (baskets.multiply(which).tocsr() for which in (~self.new, self.new))
        for part in (given, asked):
            part.eliminate_zeros()
        cases = np.flatnonzero((np.diff(given.indptr) > 0) & (np.diff(asked.indptr) > 0))
        if not len(cases):
            raise DataError(f"{self.train.name}: no basket holds old and new items; use more weeks.")
        given = given[cases]
        codes, offsets = given.indices.astype(np.int32), given.indptr.astype(np.int64)
        histories = Histories(codes, offsets, np.zeros_like(codes))
        counts = np.bincount(self.train.item_codes, minlength=self.n_items)
        return Task(histories, asked[cases], self.later.basket_ids[cases], self.n_items, counts)


def launched(data: Transactions, weeks: float) -> NewItems:
    """The items first bought in the last weeks: they are new, and training ends before them.

    Args:
        data: Transactions with users and a clock.
        weeks: How many, counted back from the last event.

    Raises:
        Lacks: If there are no users or no clock times.
        BadParameter: If the number of weeks is not above 0.
        DataError: If no item is new in that time, or nothing comes before.
    """
    before, later = _cut(data, weeks)
    return _new_items(before, later, f"no item was first bought in the last {weeks:g} weeks; use more")


def hidden(data: Transactions, share: float = 0.1, *, weeks: float | None = None, seed: int = 0) -> NewItems:
    """Known items made new: a random share of them is taken out of training altogether.

    With weeks, training ends so many weeks before the last event and the hidden items count as bought after that only,
    as if they had been launched then. Without, for data that have no clock, training is all events of the other items,
    and the task is who bought the hidden ones: histories then hold what was bought later, too.

    Args:
        data: Transactions with users and an order.
        share: Share of the items that occur, in (0, 1).
        weeks: None for no cut in time.
        seed: Seed of the choice.

    Raises:
        Lacks: If there are no users or no order (for weeks: no clock times).
        BadParameter: If the share or the weeks are out of range.
        DataError: If no hidden item is bought afterwards, or nothing else before.
    """
    if not 0 < share < 1:
        raise BadParameter(f"The share of hidden items lies between 0 and 1, not {share}.")
    data.require("users", "order", purpose="hiding items")
    before, later = (data, data) if weeks is None else _cut(data, weeks)
    known = np.unique(before.item_codes)
    chosen = np.random.default_rng(seed).choice(known, max(1, round(share * len(known))), replace=False)
    taken = np.zeros(len(data.items), dtype=bool)
    taken[chosen] = True
    train = before.rows(~taken[before.item_codes])
    # what was launched after the cut is no part of this exercise: only hidden items are new
    seen = np.isin(later.item_codes, known)
    if weeks is None:
        seen &= taken[later.item_codes]
    return _new_items(train, later.rows(seen), "no hidden item is bought afterwards; hide more")


def newcomers(data: Transactions, share: float = 0.2, *, seed: int = 0) -> tuple[Transactions, Task, Task]:
    """Customers of one basket: what will be new in their second one? Training knows other customers only.

    Training goes over the whole time, so that it knows later fashions, but nothing of these customers. What a customer
    buys again is not asked for.

    Args:
        data: Transactions with users, baskets and an order.
        share: Share of the customers for validation, and as many for the test, in (0, 0.5).
        seed: Seed of the choice.

    Returns:
        (training transactions, validation task, test task).

    Raises:
        Lacks: If there are no users, baskets or order.
        BadParameter: If the share is out of range.
        DataError: If a part has no customer with something new in a second basket.
    """
    if not 0 < share < 0.5:
        raise BadParameter(f"The share of newcomers lies between 0 and 0.5, not {share}.")
    data.require("baskets", purpose="customers of one basket")
    known = data.sequences()
    part = np.searchsorted(
        [share, 2 * share], np.random.default_rng(seed).permutation(len(known.user_ids)) / len(known.user_ids), "right"
    )
    user = np.repeat(np.arange(len(known.user_ids)), np.diff(known.offsets))
    train = data.rows(data.table["user_id"].isin(known.user_ids[part == 2]).to_numpy())
    counts = np.bincount(train.item_codes, minlength=len(data.items))
    tasks = []
    for number in (0, 1):
        cases = np.flatnonzero(part == number)
        first, second = (_visit(known, user, cases, visit) for visit in (0, 1))
        tasks.append(_first_time(first, second.matrix(len(data.items)), known.user_ids[cases], counts, data.name))
    return train, *tasks


def one_basket(task: Task) -> Task:
    """The cases of a task whose history is a single basket, asked for what is not in it.

    Raises:
        DataError: If there are none.
    """
    last = task.histories.visits[task.histories.offsets[1:] - 1]  # of a task of known customers: no history is empty
    some = np.flatnonzero(last == 0)
    return _first_time(
        task.histories.take(some), task.targets[some], np.asarray(task.users)[some], task.item_counts, "this task"
    )


def partners(cold: NewItems, *, min_count: int = 5, min_lift: float = 2.0) -> Task:
    """With which old items did each new one go, once it was on sale?

    Args:
        cold: New items, of data with baskets.
        min_count: Least number of later baskets with both.
        min_lift: Least lift among the later baskets.

    Returns:
        One case per new item that has partners: its history is the new item, its targets are the partners.

    Raises:
        Lacks: If the data have no baskets.
        DataError: If no new item has a partner.
    """
    baskets = cold.later.basket_matrix().astype(np.float64)
    together = (baskets[:, cold.new].T @ baskets).toarray()
    counts = np.asarray(baskets.sum(axis=0)).ravel()
    lift = together * baskets.shape[0] / np.maximum(np.outer(counts[cold.new], counts), 1)
    found = (together >= min_count) & (lift >= min_lift) & ~cold.new
    rows = np.flatnonzero(found.any(axis=1))
    if not len(rows):
        raise DataError(f"No new item has a partner in {min_count} baskets with a lift of {min_lift:g}; ask for less.")
    codes = np.flatnonzero(cold.new)[rows]
    sold = np.bincount(cold.train.item_codes, minlength=cold.n_items)
    return Task(Histories.from_lists(codes[:, None]), sparse.csr_matrix(found[rows]), codes, cold.n_items, sold)


def _cut(data: Transactions, weeks: float) -> tuple[Transactions, Transactions]:
    data.require("users", "clock", purpose="items of the last weeks")
    if not weeks > 0:
        raise BadParameter(f"The number of weeks is above 0, not {weeks}.")
    time = data.table["time"]
    later = (time > time.max() - pd.Timedelta(weeks=weeks)).to_numpy()
    if later.all():
        raise DataError(f"{data.name}: nothing comes before the last {weeks:g} weeks; use fewer.")
    return data.rows(~later), data.rows(later)


def _new_items(train: Transactions, later: Transactions, complaint: str) -> NewItems:
    n = len(train.items)
    new = (np.bincount(later.item_codes, minlength=n) > 0) & (np.bincount(train.item_codes, minlength=n) == 0)
    if not new.any() or not len(train):
        raise DataError(f"{train.name}: {complaint}.")
    return NewItems(train, later, new)


def _first_time(
    histories: Histories, bought: sparse.csr_matrix, users: np.ndarray, counts: np.ndarray, name: str
) -> Task:
    """A task of what was bought and is not in the history; cases without any are left out."""
    first = (bought.astype(bool) > (histories.matrix(len(counts)) > 0)).tocsr()
    cases = np.flatnonzero(np.diff(first.indptr))
    if not len(cases):
        raise DataError(f"{name}: nobody with such a history buys something for the first time; take a larger part.")
    return Task(histories.take(cases), first[cases], users[cases], len(counts), counts)


def _visit(known: Sequences, user: np.ndarray, cases: np.ndarray, visit: int) -> Histories:
    """One visit of some users as histories."""
    row = np.full(len(known.user_ids), -1)
    row[cases] = np.arange(len(cases))
    keep = (known.visits == visit) & (row[user] >= 0)
    lengths = np.bincount(row[user[keep]], minlength=len(cases))
    return Histories(known.items[keep], np.append(0, np.cumsum(lengths)), np.zeros(keep.sum(), dtype=np.int32))


# --- systems ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class ContentNeighbours:
    """Recommend what resembles the history: cosines of vectors take the place of counts (content-based filtering).

    Attributes:
        vectors: One row per item, shape (n_items, d); rows are scaled to length 1.
        neighbours: Each recommended item listens to so many most similar items that occur in training.
        discount: An item of the history with c training events speaks with weight 1 / c^discount: what everybody buys
            says little about taste. In [0, 1].
        last: Items of the last so many visits; None for the whole history.
        position_power: A visit at position p from the end speaks with weight 1 / p^position_power.
        name: What tables call it.
    """

    vectors: np.ndarray
    neighbours: int = 10
    discount: float = 0.5
    last: int | None = None
    position_power: float = 0.0
    name: str = "content-kNN"

    def fit(self, sequences: Sequences | Histories, n_items: int) -> ItemWeights:
        """Compare all items with those that occur in the sequences."""
        counts = _events(sequences, n_items)
        alike = nearest(self.vectors, counts > 0, self.neighbours)
        weights = alike.T.multiply(1 / np.maximum(counts, 1.0)[:, None] ** self.discount).tocsr().astype(np.float32)
        return ItemWeights(self.name, n_items, Profile(self.last, self.position_power, once=False), weights)


@dataclass(frozen=True, eq=False)
class Borrowed:
    """Counting whose new items borrow from similar ones: their weights are a mean of those of their neighbours.

    For a new item i and rules as the base, conf(a ⇒ i) = Σ s(i, j) conf(a ⇒ j) / Σ s(i, j) over the old items j most
    like i. Old items keep what was counted; what an item says of itself is not lent.

    Attributes:
        vectors: One row per item, shape (n_items, d).
        base: A baseline with item-to-item weights.
        neighbours: How many old items a new one borrows from.
        name: What tables call it; None says "borrowed" and the name of the base.
    """

    vectors: np.ndarray
    base: Baseline = Ease()  # noqa: RUF009, settings are frozen
    neighbours: int = 10
    name: str | None = None

    def fit(self, sequences: Sequences | Histories, n_items: int) -> ItemWeights:
        """Fit the base, then fill the columns of items without events."""
        fitted, weights, lent, old = _counted(self.base, sequences, n_items)
        alike = nearest(self.vectors, old, self.neighbours)[~old]
        share = alike.multiply(1 / np.maximum(alike.sum(axis=1), 1e-12).reshape(-1, 1)).tocsr()
        weights[:, ~old] = (share @ lent.T).T
        constant = fitted.constant
        if constant is not None:
            constant = constant.copy()
            constant[~old] = share @ constant
        return replace(fitted, name=self.name or f"borrowed {fitted.name}", weights=weights, constant=constant)


@dataclass(frozen=True, eq=False)
class Projected:
    """Counting whose new items are foretold from their vectors by a ridge regression, learned on old items.

    What is foretold are the item's weights in the base, one number per item of the history (as Gantner et al. 2010 map
    attributes to latent factors). Old items keep what was counted; what an item says of itself is not learned from.

    Attributes:
        vectors: One row per item, shape (n_items, d).
        base: A baseline with item-to-item weights.
        ridge: Weight of the L2 penalty, above 0: large values tell every new item the mean of the old ones.
        name: What tables call it; None says "projected" and the name of the base.
    """

    vectors: np.ndarray
    base: Baseline = Ease()  # noqa: RUF009, settings are frozen
    ridge: float = 1.0
    name: str | None = None

    def fit(self, sequences: Sequences | Histories, n_items: int) -> ItemWeights:
        """Fit the base, learn the regression on items with events, and fill the columns of the others."""
        fitted, weights, lent, old = _counted(self.base, sequences, n_items)
        space = lent.T if fitted.constant is None else np.column_stack([lent.T, fitted.constant])
        space = project(self.vectors, space, old, ridge=self.ridge)
        weights[:, ~old] = space[~old, :n_items].T
        constant = fitted.constant
        if constant is not None:
            constant = np.where(old, constant, space[:, -1]).astype(np.float32)
        return replace(fitted, name=self.name or f"projected {fitted.name}", weights=weights, constant=constant)


@dataclass(frozen=True, eq=False)
class Only:
    """A recommender that is asked about some items only: all others get the score -inf.

    Attributes:
        system: The recommender.
        candidates: Shape (n_items,), bool.
    """

    system: Recommender
    candidates: np.ndarray

    @property
    def name(self) -> str:
        """The name of the system."""
        return getattr(self.system, "name", type(self.system).__name__)

    @property
    def n_items(self) -> int:
        """Number of items."""
        return self.system.n_items

    def scores(self, histories: Histories) -> np.ndarray:
        """Scores of all items, shape (n_cases, n_items)."""
        return np.where(self.candidates, self.system.scores(histories), np.float32(-np.inf))


@dataclass(frozen=True, eq=False)
class Mixture:
    """Two recommenders as one: a weighted mean of their shares, for scores that are at least 0.

    Attributes:
        first: A recommender.
        second: Another one, of the same items.
        share: Of the second, in [0, 1].
        name: What tables call it.
    """

    first: Recommender
    second: Recommender
    share: float = 0.5
    name: str = "mixture"

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise BadParameter(f"The share of the second of a mixture lies between 0 and 1, not {self.share}.")
        if self.first.n_items != self.second.n_items:
            raise BadParameter("Only recommenders of the same items can be mixed.")

    @property
    def n_items(self) -> int:
        """Number of items."""
        return self.first.n_items

    def scores(self, histories: Histories) -> np.ndarray:
        """Scores of all items, shape (n_cases, n_items), float32.

        Raises:
            BadParameter: If a score is below 0.
        """
        total = 0.0
        for system, weight in ((self.first, 1 - self.share), (self.second, self.share)):
            scores = system.scores(histories)
            if scores.min(initial=0) < 0:
                raise BadParameter("A mixture needs scores that are at least 0, as shares, counts and cosines are.")
            total = total + weight * scores / np.maximum(scores.sum(axis=1, keepdims=True), 1e-12)
        return total.astype(np.float32)


def partner_scores(
    vectors: np.ndarray, cold: NewItems, *, neighbours: int | None = None, min_count: int = 5
) -> ItemWeights:
    """Which old items a new one will go with, for `partners`.

    Args:
        vectors: One row per item, shape (n_items, d).
        cold: New items, of data with baskets.
        neighbours: None takes the old items that the new one resembles itself; a number takes the lift of old items
            with so many items that resemble the new one.
        min_count: For the lift: pairs in fewer training baskets count as nothing.

    Returns:
        Scores of old items given a new one.
    """
    whole = Profile(None, 0.0, once=True)
    if neighbours is None:
        alike = nearest(vectors, ~cold.new, cold.n_items)
        return ItemWeights("the similar themselves", cold.n_items, whole, alike)
    rules = AssociationRules("lift", "basket", min_count)
    fitted = Borrowed(vectors, rules, neighbours).fit(cold.train.sequences(), cold.n_items)
    return ItemWeights(f"partners of {neighbours} similar", cold.n_items, whole, fitted.weights.T)


def choose(
    settings: Sequence[Baseline],
    validations: Sequence[NewItems],
    *,
    asked: str = "new",
    metric: str = "MRR",
    max_cases: int | None = None,
) -> tuple[Baseline, np.ndarray]:
    """The settings that do best among new items, on average over validations; the earlier of equals.

    Args:
        settings: What to try, at least one.
        validations: Hidden items of the training data, at least one draw of them, never the test.
        asked: Which task, see `NewItems.task`.
        metric: What to make large.
        max_cases: A random sample of so many cases of each validation; None for all.

    Returns:
        (the best settings, the mean of the metric for each, in order).

    Raises:
        BadParameter: If there is nothing to try, or nothing to try it on.
    """
    if not len(settings) or not len(validations):
        raise BadParameter("To choose settings takes at least one to try and one validation to try it on.")
    cutoff, values = int(metric.partition("@")[2] or 1), np.zeros((len(validations), len(settings)))
    for row, cold in enumerate(validations):
        task, sequences = cold.task(asked), cold.train.sequences()
        if max_cases is not None and max_cases < len(task):
            task = task.take(np.sort(np.random.default_rng(row).choice(len(task), max_cases, replace=False)))
        for column, setting in enumerate(settings):
            fitted = Only(setting.fit(sequences, cold.n_items), cold.new)
            values[row, column] = evaluate(fitted, task, ks=(cutoff,)).mean(metric)
    means = values.mean(axis=0)
    return settings[int(means.argmax())], means


# --- vectors ---------------------------------------------------------------------------------------------------------


def project(vectors: np.ndarray, space: np.ndarray, known: np.ndarray, *, ridge: float = 1.0) -> np.ndarray:
    """Vectors of another kind, foretold for the items that lack them: ridge regression with an intercept.

    Args:
        vectors: What every item has, shape (n_items, d).
        space: What known items have, shape (n_items, m): weights, factors, an item model's output table. The rows of
            the others are not read.
        known: Which items are known, shape (n_items,), bool, at least one.
        ridge: Weight of the L2 penalty, above 0.

    Returns:
        `space` with the rows of unknown items replaced, shape (n_items, m).

    Raises:
        BadParameter: If the ridge is not above 0, the numbers of rows differ or no item is known.
    """
    if not ridge > 0:
        raise BadParameter(f"The ridge of a projection is above 0, not {ridge}.")
    if not len(vectors) == len(space) == len(known) or not known.any():
        raise BadParameter("A projection needs a vector, a row of the space and a mark per item, and a known item.")
    out = np.array(space)
    centre, level = vectors[known].mean(axis=0), out[known].mean(axis=0)
    x, asked = vectors[known] - centre, vectors[~known] - centre
    # the dual form: a space may have thousands of columns, and here the weights of known items do not depend on them
    gram = x @ x.T
    gram[np.diag_indices(len(gram))] += ridge
    out[~known] = level + linalg.solve(gram, x @ asked.T, assume_a="pos").T @ (out[known] - level)
    return out


def nearest(vectors: np.ndarray, among: np.ndarray, neighbours: int) -> sparse.csr_matrix:
    """The cosine of every item with its most similar others; what is 0 or below counts as not similar.

    Args:
        vectors: One row per item, shape (n_items, d).
        among: Which items can be neighbours, shape (n_items,), bool.
        neighbours: How many at most, from 1; of equals those of lower item code.

    Returns:
        Shape (n_items, n_items): in row i the neighbours of item i, never i itself.

    Raises:
        BadParameter: If there are not as many vectors as marks or `neighbours` is below 1.
    """
    if len(vectors) != len(among) or neighbours < 1:
        raise BadParameter(
            f"There are {len(vectors)} vectors for {len(among)} items and {neighbours} neighbours asked for; it needs "
            "a vector per item and at least 1 neighbour."
        )
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    codes, rows = np.flatnonzero(among), []
    for start in range(0, len(unit), 1024):
        cosines = unit[start : start + 1024] @ unit[codes].T
        own = np.arange(start, start + len(cosines))
        cosines[own[:, None] == codes] = 0
        cosines[cosines < 0] = 0
        if neighbours < len(codes):
            bound = np.partition(cosines, -neighbours, axis=1)[:, [-neighbours]]
            equal, room = cosines == bound, neighbours - (cosines > bound).sum(axis=1, keepdims=True)
            cosines[(cosines < bound) | (equal & (np.cumsum(equal, axis=1) > room))] = 0
        rows.append(sparse.csr_matrix(cosines))
    found = sparse.vstack(rows).tocoo()
    return sparse.csr_matrix((found.data, (found.row, codes[found.col])), shape=(len(unit), len(unit)))


def _events(sequences: Sequences | Histories, n_items: int) -> np.ndarray:
    return np.bincount(sequences.items, minlength=n_items)


def _counted(
    base: Baseline, sequences: Sequences | Histories, n_items: int
) -> tuple[ItemWeights, np.ndarray, np.ndarray, np.ndarray]:
    """(the fitted base, a dense copy of its weights, the same without what items say of themselves, old items)."""
    fitted = base.fit(sequences, n_items)
    if not isinstance(fitted, ItemWeights):
        raise BadParameter(f"{base.name} has no weights from item to item that new items could get; take another base.")
    weights = fitted.weights.toarray() if sparse.issparse(fitted.weights) else fitted.weights.copy()
    lent = weights.copy()  # "who has a has a" is no rule, and nothing to lend
    np.fill_diagonal(lent, 0)
    return fitted, weights, lent, _events(sequences, n_items) > 0

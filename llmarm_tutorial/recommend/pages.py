"""What a shop does with associations: product pages, shelves, promotions, stock; each use with a number to judge it by.

A link between two products is a pair that is together in more baskets than chance explains, even at the lower end of an
interval. Everything here counts such links in one stretch of time and is judged in a later one, because what a shop
does today meets the customers of tomorrow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import linalg, sparse
from scipy.cluster import hierarchy
from scipy.ndimage import median_filter
from scipy.sparse import csgraph
from scipy.spatial import distance
from scipy.special import gammaln
from scipy.stats import norm

from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.errors import BadParameter, UnknownName
from llmarm_tutorial.mining.itemsets import pair_counts

ORDERINGS = ("spectral", "clusters")
MOST_ITEMS = 4000  # a seriation holds dense matrices of items × items
MEASURES = ("lift_low", "shrunk", "confidence", "lift")


# --- the product page ------------------------------------------------------------------------------------------------


def links(matrix: sparse.csr_matrix, *, least: int = 5, strength: float = 20.0, level: float = 0.95) -> pd.DataFrame:
    """What is bought along with each product, and how far the counts can be trusted.

    Args:
        matrix: Baskets × items, bool.
        least: Fewest baskets that hold both, at least 1.
        strength: How many baskets the partner's own share is worth in the shrunk confidence, at least 0.
        level: Coverage of the two-sided Wilson interval of the confidence, in (0, 1).

    Returns:
        One row per ordered pair of products, by item, then `lift_low`, falling: `item`, `partner` (codes), `baskets`
        (with the item), `together`, `confidence`, `shrunk` ((together + strength · share) / (baskets + strength)),
        `share` (of all baskets, that hold the partner), `lift`, `lift_low` (lower end of the interval by the share).

    Raises:
        BadParameter: If a parameter is out of range.
    """
    if least < 1 or strength < 0 or not 0 < level < 1:
        raise BadParameter("Links need least from 1, a strength of at least 0 and a level between 0 and 1.")
    i, j, both = pair_counts(matrix, least)
    item, partner, together = np.append(i, j), np.append(j, i), np.append(both, both)
    support = np.bincount(matrix.indices, minlength=matrix.shape[1])
    baskets, share = support[item], support[partner] / matrix.shape[0]
    confidence = together / baskets
    found = {
        "item": item,
        "partner": partner,
        "baskets": baskets,
        "together": together,
        "confidence": confidence,
        "shrunk": (together + strength * share) / (baskets + strength),
        "share": share,
        "lift": confidence / share,
        "lift_low": wilson_low(together, baskets, level) / share,
    }
    return pd.DataFrame(found).sort_values(
        ["item", "lift_low", "partner"], ascending=[True, False, True], ignore_index=True
    )


def wilson_low(hits: np.ndarray, of: np.ndarray, level: float = 0.95) -> np.ndarray:
    """Lower end of the two-sided Wilson interval of a share (Wilson 1927).

    Args:
        hits: Number of hits, shape (n,).
        of: Number of trials, at least 1, shape (n,).
        level: Coverage, in (0, 1).
    """
    z = norm.ppf((1 + level) / 2)
    hits, of = np.asarray(hits, dtype=float), np.asarray(of, dtype=float)
    middle = hits + z**2 / 2
    return np.maximum((middle - z * np.sqrt(hits * (of - hits) / of + z**2 / 4)) / (of + z**2), 0)


def partners(found: pd.DataFrame, item: int, k: int = 3, by: str = "lift_low") -> pd.DataFrame:
    """The k partners of one product, best first; fewer if it has fewer.

    Args:
        found: Result of `links`.
        item: Its code.
        k: How many.
        by: One of `MEASURES`.

    Raises:
        UnknownName: If there is no such measure.
    """
    if by not in MEASURES:
        raise UnknownName("measure of partners", by, MEASURES)
    own = found[found["item"] == item]
    return own.sort_values([by, "partner"], ascending=[False, True], ignore_index=True).head(k)


def taken_along(later: sparse.csr_matrix, shown: Mapping[int, Sequence[int]]) -> pd.DataFrame:
    """How often later baskets with a product hold at least one of the products shown on its page.

    Nobody saw the page: this says how well the partners fit what is bought anyway, not what showing them would change.

    Args:
        later: Baskets × items, bool, of a time after the one that the partners come from.
        shown: Code of the product → codes of those shown with it, other products, without repetition.

    Returns:
        One row per product: `item`, `baskets` (that hold it), `taken` (of these, with one shown or more), `chance` (the
        number expected if as many others were shown at random), `others` (share of the baskets without the product
        that hold one shown or more: what the partners sell anyway).

    Raises:
        BadParameter: If a page shows its own product or one twice.
    """
    holders = later.T.tocsr()
    sizes = np.diff(later.indptr)
    n, rows = later.shape[1], []
    for item, listed in shown.items():
        if item in listed or len(set(listed)) < len(listed):
            raise BadParameter("A page shows other products than its own, and each only once.")
        with_item = np.zeros(later.shape[0], dtype=bool)
        with_item[holders[item].indices] = True
        with_one = np.zeros(later.shape[0], dtype=bool)
        with_one[holders[list(listed)].indices] = True
        # the basket holds size - 1 of n - 1 others: none of k drawn ones with chance C(n - size, k) / C(n - 1, k)
        none = np.exp(_log_choose(n - sizes[with_item], len(listed)) - _log_choose(n - 1, len(listed)))
        others = (with_one & ~with_item).sum() / max((~with_item).sum(), 1)
        rows.append((item, with_item.sum(), (with_item & with_one).sum(), (1 - none).sum(), others))
    return pd.DataFrame(rows, columns=["item", "baskets", "taken", "chance", "others"])


def judge_pages(
    taken: Mapping[str, pd.DataFrame], *, resamples: int = 1000, level: float = 0.95, seed: int = 0
) -> pd.DataFrame:
    """How often pages are taken by those who bought the product and by those who did not, per way to fill them.

    Intervals are percentiles of a bootstrap over pages: baskets of one page are no independent cases, as they are asked
    about the same partners. All ways are judged on the same draws.

    Args:
        taken: Name of the way → result of `taken_along`, the same products in the same order.
        resamples: Bootstrap samples, at least 1.
        level: Coverage of the intervals, in (0, 1).
        seed: Seed of the samples.

    Returns:
        One row per way: `way`, `with product` (share of the later baskets with the product that hold one shown), `low`
        and `high` (its interval), `without product` (the same share of the baskets without it, pages weighted by their
        baskets), `ratio` (of the two), `ratio low` and `ratio high` (its interval); a ratio by 0 is infinite or NaN.

    Raises:
        BadParameter: If the ways have different products or none that is in a basket, or a parameter is out of range.
    """
    products = [table["item"].tolist() for table in taken.values()]
    if (
        not products
        or any(other != products[0] for other in products)
        or not all(t["baskets"].any() for t in taken.values())
    ):
        raise BadParameter("Pages are judged on the same products for every way, at least one of them in a basket.")
    if resamples < 1 or not 0 < level < 1:
        raise BadParameter("Judging pages needs resamples from 1 and a level between 0 and 1.")
    n, ends = len(products[0]), [(1 - level) / 2, (1 + level) / 2]
    draws = np.vstack([np.arange(n), np.random.default_rng(seed).integers(0, n, (resamples, n))])  # first: as it is
    rows = []
    for way, table in taken.items():
        baskets, hits, others = (table[name].to_numpy(float) for name in ("baskets", "taken", "others"))
        held = baskets[draws].sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            share, without = hits[draws].sum(axis=1) / held, (baskets * others)[draws].sum(axis=1) / held
            ratio = share / without
        (low, high), (least, most) = (np.nanquantile(values[1:], ends) for values in (share, ratio))
        rows.append((way, share[0], low, high, without[0], ratio[0], least, most))
    columns = ["way", "with product", "low", "high", "without product", "ratio", "ratio low", "ratio high"]
    return pd.DataFrame(rows, columns=columns)


def _log_choose(n: np.ndarray | int, k: int) -> np.ndarray:
    n = np.asarray(n, dtype=float)
    return np.where(n >= k, gammaln(n + 1) - gammaln(k + 1) - gammaln(np.maximum(n - k, 0) + 1), -np.inf)


# --- the shelf -------------------------------------------------------------------------------------------------------


def link_weights(matrix: sparse.csr_matrix, *, least: int = 5, level: float = 0.95) -> sparse.csr_matrix:
    """How strongly products are linked: joint baskets beyond chance, of pairs that are linked for sure.

    Args:
        matrix: Baskets × items, bool.
        least: Fewest baskets that hold both.
        level: As for `links`; a pair counts if the lower end of its lift is above 1 seen from both sides.

    Returns:
        Symmetric, shape (n_items, n_items): n(a, b) - n(a) n(b) / n, above 0, nothing on the diagonal.
    """
    found = links(matrix, least=least, level=level)
    found = found.assign(a=found[["item", "partner"]].min(axis=1), b=found[["item", "partner"]].max(axis=1))
    sure = found.groupby(["a", "b"], as_index=False).agg(
        low=("lift_low", "min"), together=("together", "first"), lift=("lift", "first")
    )
    sure = sure[sure["low"] > 1]
    extra = (sure["together"] * (1 - 1 / sure["lift"])).to_numpy()
    half = sparse.csr_matrix((extra, (sure["a"], sure["b"])), shape=(matrix.shape[1],) * 2)
    return (half + half.T).tocsr()


def seriate(weights: sparse.csr_matrix, how: str = "spectral") -> np.ndarray:
    """An order of products in which linked ones come to stand near each other.

    "spectral" sorts each connected part of the graph by its Fiedler vector, the second eigenvector of the Laplacian:
    of all ways to put products on a line it nearly has the smallest sum of weight × squared distance (Atkins, Boman &
    Hendrickson 1998); the degrees of the products serve as their masses, so that one loose end does not stretch the
    line (Shi & Malik 2000). "clusters" merges linked products into a tree (average linkage) and turns its branches so
    that neighbouring leaves are as close as the tree allows (Bar-Joseph, Gifford & Jaakkola 2001). Parts follow each
    other by size, products without a link come last, in the order given.

    Args:
        weights: Symmetric, at least 0, shape (n, n), at most `MOST_ITEMS` items.
        how: One of `ORDERINGS`.

    Returns:
        Codes in their order along the shelf, shape (n,).

    Raises:
        UnknownName: If there is no such way.
        BadParameter: If the weights are not square and symmetric, below 0 or too many.
    """
    if how not in ORDERINGS:
        raise UnknownName("way to order a shelf", how, ORDERINGS)
    weights = sparse.csr_matrix(weights)
    if weights.shape[0] != weights.shape[1] or abs(weights - weights.T).max() > 1e-9 or weights.min() < 0:
        raise BadParameter("The weights of links are a symmetric matrix of numbers from 0.")
    if weights.shape[0] > MOST_ITEMS:
        raise BadParameter(f"A shelf of more than {MOST_ITEMS:,} products takes too much memory; order a part of them.")
    _, part = csgraph.connected_components(weights, directed=False)
    sizes = np.bincount(part)
    order = []
    for number in np.argsort(-sizes, kind="stable"):
        inside = np.flatnonzero(part == number)
        if len(inside) > 2:
            inside = inside[(_spectral if how == "spectral" else _clustered)(weights[inside][:, inside].toarray())]
        order.append(inside)
    return np.concatenate(order)


def _spectral(weights: np.ndarray) -> np.ndarray:
    mass = weights.sum(axis=1)
    laplacian = np.diag(mass) - weights
    _, vectors = linalg.eigh(laplacian, np.diag(mass), subset_by_index=[1, 1])
    place = vectors[:, 0] * np.sign(vectors[np.argmax(np.abs(vectors[:, 0])), 0])  # eigenvectors have no sign
    return np.argsort(place, kind="stable")


def _clustered(weights: np.ndarray) -> np.ndarray:
    strongest = weights.max(axis=1)
    apart = 1 - weights / np.sqrt(np.outer(strongest, strongest))
    np.fill_diagonal(apart, 0)
    condensed = distance.squareform(np.maximum(apart, 0), checks=False)
    return hierarchy.leaves_list(hierarchy.optimal_leaf_ordering(hierarchy.linkage(condensed, "average"), condensed))


def mean_distance(order: np.ndarray, weights: sparse.csr_matrix) -> float:
    """Mean distance along the shelf, in places, of the pairs that the weights name, each as often as its weight.

    Args:
        order: Codes in their order along the shelf, each once.
        weights: Symmetric, shape (n, n): later links, or how often pairs were bought together.

    Raises:
        BadParameter: If the order does not name every code once, or no pair has a weight.
    """
    if not np.array_equal(np.sort(order), np.arange(weights.shape[0])):
        raise BadParameter(f"An order of the shelf names each of the {weights.shape[0]} products once.")
    place = np.argsort(order)
    pairs = sparse.triu(weights, 1).tocoo()
    if not pairs.nnz:
        raise BadParameter("No pair of products has a weight, so there is no distance to judge by.")
    return float(np.average(np.abs(place[pairs.row] - place[pairs.col]), weights=pairs.data))


# --- the promotion ---------------------------------------------------------------------------------------------------


class ExtraSales(NamedTuple):
    """What more buyers of one product are expected to buy of another.

    Attributes:
        with_it: Share of the baskets with the promoted product that hold the other: the confidence.
        without: Share of the baskets without it; with strata as they would be in the strata of the promoted product.
        difference: How much higher the chance is with it; with strata, within them.
        low: Lower end of the interval of the difference.
        high: Upper end.
        expected: Extra baskets with the other product, from the given number of extra buyers.
        expected_low: Lower end of its interval.
        expected_high: Upper end.
    """

    with_it: float
    without: float
    difference: float
    low: float
    high: float
    expected: float
    expected_low: float
    expected_high: float


def extra_sales(
    promoted: np.ndarray,
    other: np.ndarray,
    buyers: float,
    *,
    strata: np.ndarray | None = None,
    level: float = 0.95,
) -> ExtraSales:
    """Expected extra sales of another product if so many more baskets hold the promoted one.

    Without strata this is (confidence - share among baskets without the promoted product) × buyers. With strata, such
    as weeks, shares are compared within each stratum and the differences averaged with weights n₁n₀/(n₁ + n₀), as
    Mantel and Haenszel do; the variance is that of Greenland & Robins (1985). The interval is for the luck of the draw
    only. Whether the promoted product *makes* people buy the other, no count of past baskets can say.

    Args:
        promoted: Whether each basket holds the promoted product, shape (n_baskets,), bool.
        other: Whether it holds the other one.
        buyers: How many more baskets are to hold the promoted product.
        strata: A label per basket; None puts all into one stratum. A stratum in which all or no basket holds the
            promoted product says nothing and is left out.
        level: Coverage of the interval, in (0, 1).

    Raises:
        BadParameter: If the shapes differ, or no stratum has baskets with and without the promoted product.
    """
    promoted, other = np.asarray(promoted, dtype=bool), np.asarray(other, dtype=bool)
    labels = np.zeros(len(promoted), dtype=int) if strata is None else np.asarray(strata)
    if not len(promoted) == len(other) == len(labels):
        raise BadParameter("Promoted product, other product and strata need one value per basket.")
    _, stratum = np.unique(labels, return_inverse=True)
    n1, n0 = (np.bincount(stratum, held, minlength=stratum.max(initial=0) + 1) for held in (promoted, ~promoted))
    k1, k0 = (np.bincount(stratum, held & other, minlength=len(n1)) for held in (promoted, ~promoted))
    use = (n1 > 0) & (n0 > 0)
    if not use.any():
        raise BadParameter("No stratum has baskets with and without the promoted product; choose coarser strata.")
    n1, n0, k1, k0 = n1[use], n0[use], k1[use], k0[use]
    n = n1 + n0
    total = (n1 * n0 / n).sum()
    difference = ((k1 * n0 - k0 * n1) / n).sum() / total
    spread = (k1 * (n1 - k1) * n0**3 + k0 * (n0 - k0) * n1**3) / (n1 * n0 * n**2)
    reach = norm.ppf((1 + level) / 2) * np.sqrt(spread.sum()) / total
    low, high = difference - reach, difference + reach
    with_it, without = k1.sum() / n1.sum(), (k0 / n0 * n1).sum() / n1.sum()
    return ExtraSales(with_it, without, difference, low, high, *(buyers * d for d in (difference, low, high)))


def promotions(
    matrix: sparse.csr_matrix, pairs: Sequence[tuple[int, int]], buyers: float, strata: np.ndarray
) -> pd.DataFrame:
    """Expected extra sales of pairs (promoted, other), naive and within strata, side by side.

    Args:
        matrix: Baskets × items, bool.
        pairs: Codes.
        buyers: Extra baskets with the promoted product.
        strata: A label per basket.

    Returns:
        One row per pair and way ("naive", "within strata"): `promoted`, `other`, `way` and the fields of `ExtraSales`.
    """
    columns, rows = matrix.tocsc(), []
    for pair in pairs:
        held, sold = (np.asarray(columns[:, [code]].todense()).ravel() for code in pair)
        for way, labels in (("naive", None), ("within strata", strata)):
            rows.append((*pair, way, *extra_sales(held, sold, buyers, strata=labels)))
    return pd.DataFrame(rows, columns=["promoted", "other", "way", *ExtraSales._fields])


# --- the stock -------------------------------------------------------------------------------------------------------


def weeks_of(data: Transactions) -> np.ndarray:
    """Number of the week of every basket, in the row order of `basket_matrix`, shape (n_baskets,).

    Weeks begin on Monday and are numbered from the one that holds 1 January 1970, so parts of one data set agree.

    Raises:
        Lacks: If the data have no baskets or no clock.
    """
    data.require("baskets", "clock", purpose="weeks of baskets")
    start = data.table.groupby("basket_id")["time"].min().reindex(data.basket_ids)
    days = (start.dt.floor("D") - pd.Timestamp("1969-12-29")).dt.days
    return (days // 7).to_numpy()


def weekly_sales(matrix: sparse.csr_matrix, weeks: np.ndarray) -> np.ndarray:
    """Baskets with each item in each week from the first to the last, shape (n_weeks, n_items), float.

    Args:
        matrix: Baskets × items, bool.
        weeks: Week number of each basket.

    Raises:
        BadParameter: If there is not one week per basket.
    """
    if len(weeks) != matrix.shape[0]:
        raise BadParameter("Weekly sales need one week number per basket.")
    row = weeks - weeks.min()
    ones = np.ones(len(row))
    chosen = sparse.csr_matrix((ones, (row, np.arange(len(row)))), shape=(row.max() + 1, len(row)))
    return (chosen @ matrix.astype(float)).toarray()


def remove_common(sales: np.ndarray, window: int = 7) -> np.ndarray:
    """What is left of weekly sales when every product's own season and the ups and downs of all trade are taken out.

    Of the square roots of the counts (whose chance variation is alike) each product loses its running median: unlike a
    running mean or waves of a year it follows a season that begins from one week to the next (Tukey 1977). What all
    sales together do beyond their own running median is then taken out by regression.

    Args:
        sales: Shape (n_weeks, n_items).
        window: Weeks of the running median, an odd number from 3; a season shorter than half of it stays in.

    Returns:
        Shape (n_weeks, n_items).

    Raises:
        BadParameter: If the window is even or below 3, or there are fewer than twice as many weeks.
    """
    if window < 3 or window % 2 == 0 or len(sales) < 2 * window:
        raise BadParameter(
            f"The running median needs an odd window from 3 and twice as many weeks, not {window} of {len(sales)}."
        )

    def beyond_median(series: np.ndarray) -> np.ndarray:
        roots = np.sqrt(series)
        return roots - median_filter(roots, size=(window, 1), mode="nearest")

    causes = np.column_stack([np.ones(len(sales)), beyond_median(sales.sum(axis=1, keepdims=True))])
    rest = beyond_median(sales)
    return rest - causes @ np.linalg.lstsq(causes, rest, rcond=None)[0]


def co_movement(sales: np.ndarray, pairs: Sequence[tuple[int, int]], *, window: int = 7) -> pd.DataFrame:
    """Do the weekly sales of two products rise and fall together, as they are and without their common causes?

    Args:
        sales: Shape (n_weeks, n_items).
        pairs: Codes.
        window: As for `remove_common`.

    Returns:
        One row per pair: `a`, `b`, `raw` (correlation of the square roots of weekly sales), `adjusted` (of what
        `remove_common` leaves of them); NaN for a product that sells the same every week.
    """
    a, b = np.array(pairs, dtype=int).reshape(-1, 2).T
    rest = remove_common(sales, window)
    return pd.DataFrame(
        {"a": a, "b": b, "raw": _correlations(np.sqrt(sales), a, b), "adjusted": _correlations(rest, a, b)}
    )


def usual_correlation(rest: np.ndarray, level: float = 0.95) -> float:
    """How far from 0 correlations of any two products lie in a share `level` of cases: what to take for chance.

    Nearly all pairs are unrelated, so their own spread is the yardstick, whatever was done to the series before.

    Args:
        rest: Result of `remove_common`.
        level: In (0, 1).
    """
    a, b = np.triu_indices(rest.shape[1], 1)
    return float(np.nanquantile(np.abs(_correlations(rest, a, b)), level))


def _correlations(series: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    centred = series - series.mean(axis=0)
    length = np.sqrt((centred**2).sum(axis=0))
    moves = length > 1e-9 * np.sqrt(len(series))
    both = (centred[:, a] * centred[:, b]).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(moves[a] & moves[b], both / (length[a] * length[b]), np.nan)

"""What a shop does with associations: product pages, shelves, promotions, stock; each use with a number to judge it by.

A product page has room for three partners, so partners are *ordered*, above all by `lift_low`: how much more often than
chance the two are together, at the very least. Whether two products are linked at all is another question, see
`mining.significance.linked_pairs`. Everything here is counted in one stretch of time and judged in a later one, because
what a shop does today meets the customers of tomorrow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy import sparse

from llmarm_tutorial.errors import BadParameter, UnknownName
from llmarm_tutorial.evaluation.intervals import bootstrap_interval
from llmarm_tutorial.mining.itemsets import pair_counts
from llmarm_tutorial.mining.measures import lift
from llmarm_tutorial.mining.significance import lift_low, log_binomial

MEASURES = ("lift_low", "shrunk", "confidence", "lift")


# --- the product page ------------------------------------------------------------------------------------------------


def page_links(
    matrix: sparse.csr_matrix, *, least: int = 5, strength: float = 20.0, level: float = 0.95
) -> pd.DataFrame:
    """What is bought along with each product, and how far the counts can be trusted.

    Args:
        matrix: Baskets × items, bool.
        least: Fewest baskets that hold both, at least 1.
        strength: How many baskets the partner's own share is worth in the shrunk confidence, at least 0.
        level: Coverage of the two-sided Wilson interval of the confidence, in (0, 1).

    Returns:
        One row per ordered pair of products, by item, then `lift_low`, falling: `item`, `partner` (codes), `baskets`
        (with the item), `together`, `confidence`, `shrunk` ((together + strength · share) / (baskets + strength)),
        `share` (of all baskets, that hold the partner), `lift`, `lift_low` (see `significance.lift_low`).

    Raises:
        BadParameter: If a parameter is out of range.
    """
    if least < 1 or strength < 0 or not 0 < level < 1:
        raise BadParameter("Links need least from 1, a strength of at least 0 and a level between 0 and 1.")
    i, j, both = pair_counts(matrix, least)
    item, partner, together = np.append(i, j), np.append(j, i), np.append(both, both)
    support = np.bincount(matrix.indices, minlength=matrix.shape[1])
    n, baskets, sold = matrix.shape[0], support[item], support[partner]
    share = sold / n
    found = {
        "item": item,
        "partner": partner,
        "baskets": baskets,
        "together": together,
        "confidence": together / baskets,
        "shrunk": (together + strength * share) / (baskets + strength),
        "share": share,
        "lift": lift(together, baskets, sold, n),
        "lift_low": lift_low(together, baskets, sold, n, level),
    }
    return pd.DataFrame(found).sort_values(
        ["item", "lift_low", "partner"], ascending=[True, False, True], ignore_index=True
    )


def partners_of(found: pd.DataFrame, item: int, k: int = 3, by: str = "lift_low") -> pd.DataFrame:
    """The k partners of one product, best first; fewer if it has fewer.

    Args:
        found: Result of `page_links`.
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
        none = np.exp(log_binomial(n - sizes[with_item], len(listed)) - log_binomial(n - 1, len(listed)))
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
    rows = []
    for way, table in taken.items():
        baskets, hits, others = (table[name].to_numpy(float) for name in ("baskets", "taken", "others"))
        expected = baskets * others  # if those with the product took one as often as those without
        settings = {"level": level, "resamples": resamples, "seed": seed}
        share, without = hits.sum() / baskets.sum(), expected.sum() / baskets.sum()
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = share / without
        of_share = bootstrap_interval(hits, per=baskets, **settings)
        of_ratio = bootstrap_interval(hits, per=expected, **settings)
        rows.append((way, share, *of_share, without, ratio, *of_ratio))
    columns = ["way", "with product", "low", "high", "without product", "ratio", "ratio low", "ratio high"]
    return pd.DataFrame(rows, columns=columns)

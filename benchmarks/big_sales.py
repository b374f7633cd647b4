"""A made-up sales file of any size, to see whether memory and time hold: about 131,000 baskets of 39,000 products.

    python benchmarks/big_sales.py sales.parquet                     the whole
    python benchmarks/big_sales.py third.csv --part 3                a third of baskets, products and customers

As in a real shop the popularity of products follows Zipf's law, baskets are of very different sizes, a customer comes
back and buys much of the same again, and some products go together. The same seed gives the same file. The columns are
`basket`, `customer`, `time`, `product`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

BASKETS, PRODUCTS = 131_000, 39_000
VISITS = 10  # of a customer, on average
LINES, SPREAD, LARGEST = 8.5, 0.7, 100  # median lines of a basket, standard deviation of their logarithm, most lines
HABITS = 40  # products that a customer buys again and again
OF_HABIT, OF_PARTNER = 0.45, 0.15  # share of the lines that are a habit, or go with the line before; the rest is chance
FLATTER = 5  # Zipf's law with an offset (Mandelbrot 1953): popularity is 1 / (rank + offset)
DAYS = 540
KINDS = ("plain", "organic", "smoked", "salted", "sweet", "frozen", "fresh", "dried", "red", "green", "large", "small")
GOODS = (
    "apples", "bread", "butter", "candles", "cheese", "chocolate", "coffee", "crackers", "eggs", "fish", "flour",
    "honey", "jam", "juice", "lentils", "milk", "mustard", "napkins", "nuts", "oats", "oil", "olives", "onions",
    "pasta", "pears", "peas", "pepper", "rice", "salad", "salt", "soap", "soup", "spinach", "sugar", "tea",
    "tomatoes", "vinegar", "water", "yoghurt",
)  # fmt: skip


def make_sales(baskets: int = BASKETS, products: int = PRODUCTS, *, seed: int = 0) -> pd.DataFrame:
    """Make a sales table.

    Args:
        baskets: Number of baskets, at least 1.
        products: Number of products that may be bought, at least 2; some of the rarest may not be.
        seed: Seed of every draw.

    Returns:
        One row per bought product: `basket` (number), `customer` (number), `time`, `product` (such as "red tea 7"),
        sorted by basket, each product once a basket. About ten rows per basket.
    """
    random = np.random.default_rng(seed)
    customers = max(1, baskets // VISITS)
    eager = random.gamma(1.0, size=customers)  # some come often, many seldom
    customer = np.sort(random.choice(customers, baskets, p=eager / eager.sum()))
    lines = np.clip(np.rint(random.lognormal(np.log(LINES), SPREAD, baskets)), 1, LARGEST).astype(np.int64)
    basket = np.repeat(np.arange(baskets), lines)
    rank = _ranks(random, customer[basket], customers, products)
    minute = random.integers(0, DAYS * 24 * 60, baskets)
    number = random.permutation(products)  # what a product is called says nothing of how popular it is
    words = [f"{kind} {good}" for good in GOODS for kind in KINDS]
    names = np.array([f"{words[n % len(words)]} {n // len(words) + 1}" for n in range(products)], dtype=object)
    table = {"basket": basket, "customer": customer[basket], "time": minute[basket], "product": number[rank]}
    table = pd.DataFrame(table).drop_duplicates(["basket", "product"], ignore_index=True)
    table["time"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(table["time"], unit="min")
    table["product"] = names[table["product"]]
    return table


def _ranks(random: np.random.Generator, customer: np.ndarray, customers: int, products: int) -> np.ndarray:
    """Rank in popularity of the product of each line, from 0."""
    steps = np.cumsum(1 / (np.arange(products) + FLATTER))

    def popular(n: int) -> np.ndarray:
        return np.searchsorted(steps, random.random(n) * steps[-1], side="right").clip(max=products - 1)

    n = len(customer)
    habits = popular(customers * HABITS).reshape(customers, HABITS)
    often = (random.random(n) ** 2 * HABITS).astype(np.int64)  # the first of them more often than the last
    rank, kind = popular(n), random.random(n)
    rank = np.where(kind < OF_HABIT, habits[customer, often], rank)
    # partners are neighbours in popularity: 0 and 1, 2 and 3, …
    before = np.append(rank[:1], rank[:-1])
    partner = np.minimum(before ^ 1, products - 1)
    return np.where(kind > 1 - OF_PARTNER, partner, rank)


def write_sales(path: Path, part: int = 1, *, seed: int = 0) -> Path:
    """Write the file, Parquet or CSV as its name says, unless it is there.

    Args:
        path: Where.
        part: 1 for the whole, 3 for a third of the baskets, products and customers.
        seed: Seed of every draw.
    """
    if not path.exists():
        table = make_sales(BASKETS // part, PRODUCTS // part, seed=seed)
        path.parent.mkdir(parents=True, exist_ok=True)
        half = path.with_name(f"{path.stem}-half{path.suffix}")
        table.to_csv(half, index=False) if path.suffix == ".csv" else table.to_parquet(half, index=False)
        half.replace(path)
    return path


def main() -> None:
    """Write the file that is asked for."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("file", type=Path, help="where to write: .parquet or .csv")
    options.add_argument("--part", type=int, default=1, help="3: a third of the size")
    options.add_argument("--seed", type=int, default=0)
    given = options.parse_args()
    print(write_sales(given.file, given.part, seed=given.seed))


if __name__ == "__main__":
    main()

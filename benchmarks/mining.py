"""How fast are the miners? Time and peak memory of frequent itemset mining, side by side in one run.

    python benchmarks/mining.py [--data retail@0.001 …] [--repeats 5]

Every miner gets the data in the form it takes by nature (the kit a sparse matrix, mlxtend a sparse DataFrame, the
others lists of lists) and is timed until it has every itemset with its count. Each runs in a process of its own, on one
thread; what is measured is the time that the processor spends, its memory is the highest during mining less the memory
before. Machines differ; the ratios within one run are what carries over. Needs Linux or macOS.
"""

from __future__ import annotations

from functools import partial

import harness
import numpy as np
import pandas as pd
import peers

from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.mining.itemsets import as_matrix, min_count
from llmarm_tutorial.mining.miners import mine

SETS = ("retail@0.001", "retail@0.0005", "t10i4d100k@0.005", "t10i4d100k@0.001", "groceries@0.001", "mushroom@0.2")
LIMIT = 180  # seconds for one miner on one set, all repeats together


def kit(data: Transactions, support: float) -> peers.Job:
    """The kit's own."""
    matrix, _ = as_matrix(data)
    return lambda: len(mine(matrix, support))


def kit_table(data: Transactions, support: float) -> peers.Job:
    """The kit's own, with a table of frozensets as mlxtend gives it."""
    matrix, _ = as_matrix(data)
    return lambda: len(mine(matrix, support).table())


def mlxtend(function: str, data: Transactions, support: float) -> peers.Job:
    """A miner of mlxtend."""
    from mlxtend import frequent_patterns

    matrix, _ = as_matrix(data)
    frame = pd.DataFrame.sparse.from_spmatrix(matrix)
    share = (min_count(support, matrix.shape[0]) - 0.5) / matrix.shape[0]
    return lambda: len(getattr(frequent_patterns, function)(frame, min_support=share))


def pyfim_eclat(data: Transactions, support: float) -> peers.Job:
    """Borgelt's, in C."""
    import fim

    baskets = as_lists(data)
    count = min_count(support, len(baskets))
    return lambda: len(fim.eclat(baskets, supp=-count, target="s", report="a"))


def efficient_apriori(data: Transactions, support: float) -> peers.Job:
    """Apriori in Python."""
    from efficient_apriori import itemsets_from_transactions

    baskets = [tuple(basket) for basket in as_lists(data)]
    share, longest = min_count(support, len(baskets)) / len(baskets), len(data.items)
    return lambda: sum(map(len, itemsets_from_transactions(baskets, min_support=share, max_length=longest)[0].values()))


def as_lists(data: Transactions) -> list[list[int]]:
    """The baskets as lists of item codes."""
    matrix, _ = as_matrix(data)
    return [basket.tolist() for basket in np.split(matrix.indices, matrix.indptr[1:-1])]


MINERS = {
    "llmarm eclat (NumPy)": kit,
    "llmarm eclat, as table of sets": kit_table,
    "pyfim eclat (C)": pyfim_eclat,
    "mlxtend fpgrowth (sparse)": partial(mlxtend, "fpgrowth"),
    "mlxtend hmine (sparse)": partial(mlxtend, "hmine"),
    "efficient-apriori": efficient_apriori,
}


def main() -> None:
    """Measure, write mining.csv, mining.json and mining.png."""
    parser = harness.parser(__doc__, data=SETS, smoke=["shop@0.05"])
    parser.add_argument("--repeats", type=int, default=5)
    harness.run(
        parser,
        lambda bench: peers.side_by_side(bench, MINERS, "itemsets", limit=LIMIT),
        lambda rows, bench: {"mining": peers.drawn(rows, "itemsets")},
    )


if __name__ == "__main__":
    main()

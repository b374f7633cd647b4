"""How fast are the miners of sequential patterns? Time and peak memory, side by side in one run.

    python benchmarks/patterns.py [--data movielens-1m@0.2 …] [--repeats 5]

Patterns of up to three elements, without limits on gaps, from items that occur at least five times; an item of the same
visit is no later one. Every miner gets the sequences in the form it takes by nature and is timed until it has every
pattern with its count. The package prefixspan knows no visits of several items, so it is left out where there are any.
For time and memory see `benchmarks/mining.py`. Needs Linux or macOS.
"""

from __future__ import annotations

import harness
import numpy as np
import peers

from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.errors import Lacks
from llmarm_tutorial.mining.itemsets import min_count
from llmarm_tutorial.mining.patterns import mine_sequences, prefixspan

SETS = ("movielens-1m@0.2", "movielens-1m@0.1", "movielens-1m@0.05", "shop@0.2", "online-retail@0.03")
LONGEST = 3
LIMIT = 60  # seconds of the processor for one miner on one set, all repeats together


def kit(data: Transactions, support: float) -> peers.Job:
    """The kit's own."""
    data.histories()  # loads what the first call would
    return lambda: len(mine_sequences(data, support, max_length=LONGEST))


def taught(data: Transactions, support: float) -> peers.Job:
    """PrefixSpan as lesson 02 teaches it."""
    runs = data.histories()
    smallest = min_count(support, len(runs.user_ids))
    sequences = []
    for user in range(len(runs.user_ids)):
        visits = runs.visits[runs.offsets[user] : runs.offsets[user + 1]]
        cuts = np.flatnonzero(np.diff(visits)) + 1
        sequences.append([part.tolist() for part in np.split(runs.of(user), cuts)])
    return lambda: len(prefixspan(sequences, smallest, LONGEST))


def package(data: Transactions, support: float) -> peers.Job:
    """The package prefixspan."""
    from prefixspan import PrefixSpan

    if "baskets" in data.aspects:
        raise Lacks("The package prefixspan knows no visits of several items.")
    runs = data.histories()
    peer = PrefixSpan([part.tolist() for part in np.split(runs.items, runs.offsets[1:-1])])
    peer.maxlen = LONGEST
    smallest = min_count(support, len(runs.user_ids))
    return lambda: len(peer.frequent(smallest))


MINERS = {"llmarm (NumPy)": kit, "PrefixSpan as taught (Python)": taught, "prefixspan (package)": package}


def main() -> None:
    """Measure, write patterns.csv, patterns.json and patterns.png."""
    parser = harness.parser(__doc__, data=SETS, smoke=["shop@0.4"])
    parser.add_argument("--repeats", type=int, default=5)
    harness.run(
        parser,
        lambda bench: peers.side_by_side(bench, MINERS, "patterns", limit=LIMIT, least_count=5),
        lambda rows, bench: {"patterns": peers.drawn(rows, "patterns")},
    )


if __name__ == "__main__":
    main()

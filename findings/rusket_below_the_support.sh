#!/usr/bin/env bash
# Version: rusket 0.1.101, pandas 3.1.1, scipy 1.17.1, pyarrow 26.0.1
# Expected: at a minimum support of .3, every pattern that comes back holds for three tenths of the sequences or more.
# Instead: PrefixSpan turns the share into a number of sequences and rounds it down, 1.5 of 5 to 1. Patterns of a single
#   customer, a support of .2, come back as frequent; with three sequences, .6 asks for one of them. Its miner of
#   itemsets rounds up, so the two disagree about the same threshold.
# Output:
#   minimum support .3 of 5: smallest support of patterns 0.20, of itemsets 0.40
#   minimum support .6 of 3: smallest support of patterns 0.33, of itemsets 0.67
set -euo pipefail
place="$(mktemp -d)"
trap 'rm -rf "$place"' EXIT
"${PYTHON:-python3}" -m venv "$place"
"$place/bin/python" -m pip install --quiet rusket==0.1.101 pandas==3.1.1 scipy==1.17.1 pyarrow==26.0.1
"$place/bin/python" -I - <<'END'
from rusket import FPGrowth, PrefixSpan


def smallest(baskets, share):
    patterns = int(PrefixSpan(baskets, min_support=share).mine()["support"].min())
    itemsets = FPGrowth.from_transactions(baskets, min_support=share).mine()
    return round(patterns / len(baskets), 2), round(float(itemsets["support"].min()), 2)


five, three = [[1, 2], [1, 2], [3, 4], [5, 6], [7, 8]], [[1, 2], [1, 2], [3, 4]]
seen = {".3 of 5": smallest(five, 0.3), ".6 of 3": smallest(three, 0.6)}
for asked, (patterns, itemsets) in seen.items():
    print(f"minimum support {asked}: smallest support of patterns {patterns:.2f}, of itemsets {itemsets:.2f}")
assert list(seen.values()) == [(0.2, 0.4), (0.33, 0.67)], f"the behaviour has changed: {seen}"
END

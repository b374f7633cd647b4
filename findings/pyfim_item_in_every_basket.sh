#!/usr/bin/env bash
# Version: pyfim 6.28 (builds from source: needs a C compiler)
# Expected: an item that lies in every basket is the most frequent itemset of all, and all miners of one package find
#   the same.
# Instead: `apriori`, `eclat` and `fpgrowth` leave out the itemset of that item alone, at any threshold and with
#   `zmin=1`, while every larger itemset with it is there; `sam` and `relim` find it. With one more basket that lacks
#   the item it comes back. So counts of itemsets on dense data differ by one, and an itemset has a subset that is not
#   "frequent".
# Output:
#   apriori   ab=2 ac=2 b=2 c=2
#   eclat     ab=2 ac=2 b=2 c=2
#   fpgrowth  ab=2 ac=2 b=2 c=2
#   relim     a=3 ab=2 ac=2 b=2 c=2
#   sam       a=3 ab=2 ac=2 b=2 c=2
set -euo pipefail
place="$(mktemp -d)"
trap 'rm -rf "$place"' EXIT
"${PYTHON:-python3}" -m venv "$place"
"$place/bin/python" -m pip install --quiet pyfim==6.28
"$place/bin/python" -I - <<'END'
import fim

baskets = [["a", "b"], ["a", "c"], ["a", "b", "c"]]
seen = {}
for miner in (fim.apriori, fim.eclat, fim.fpgrowth, fim.relim, fim.sam):
    itemsets = miner(baskets, target="s", supp=-2, zmin=1, report="a")
    seen[miner.__name__] = " ".join(sorted(f"{''.join(sorted(items))}={count}" for items, count in itemsets))
    print(f"{miner.__name__:9} {seen[miner.__name__]}")
without, complete = "ab=2 ac=2 b=2 c=2", "a=3 ab=2 ac=2 b=2 c=2"
assert list(seen.values()) == [without] * 3 + [complete] * 2, f"the behaviour has changed: {seen}"
again = {items: count for items, count in fim.eclat([*baskets, ["d"]], target="s", supp=-2, zmin=1, report="a")}
assert again[("a",)] == 3, f"the behaviour has changed: {again}"
END

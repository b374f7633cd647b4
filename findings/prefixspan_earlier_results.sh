#!/usr/bin/env bash
# Version: prefixspan 0.5.2
# Expected: a result that was returned stays as it is, whatever the miner is asked next.
# Instead: every call returns one and the same list of the miner, emptied and filled anew. Who mines at two thresholds
#   and then compares, compares the second result with itself; after `topk` even the entries of the first have another
#   form.
# Output:
#   patterns of 2 customers, when returned:        5
#   the same list, after asking for 3 customers:   2
#   its first entry, after asking for the best:    (3, ['a']) -> (3, ['a'], [(0, 0), (1, 0), (2, 0)])
set -euo pipefail
place="$(mktemp -d)"
trap 'rm -rf "$place"' EXIT
"${PYTHON:-python3}" -m venv "$place"
"$place/bin/python" -m pip install --quiet prefixspan==0.5.2
"$place/bin/python" -I - <<'END'
from prefixspan import PrefixSpan

miner = PrefixSpan([["a", "b", "c"], ["a", "b"], ["a", "c"], ["b"]])
first = miner.frequent(2)
seen = [len(first)]
print("patterns of 2 customers, when returned:       ", len(first))
second = miner.frequent(3)
seen.append(len(first))
print("the same list, after asking for 3 customers:  ", len(first))
entry = first[0]
miner.topk(1)
print("its first entry, after asking for the best:   ", entry, "->", first[0])
assert seen == [5, 2] and first is second, f"the behaviour has changed: {seen}"
assert entry == (3, ["a"]) and len(first[0]) == 3, f"the behaviour has changed: {first}"
END

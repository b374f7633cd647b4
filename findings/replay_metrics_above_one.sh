#!/usr/bin/env bash
# Version: replay-rec 0.22.0
# Expected: NDCG and MAP are at most 1. An item that stands in a list twice is found once, or the list is refused.
# Instead: NDCG and MAP count the item at both places and go beyond 1, while precision, recall and hit rate of the same
#   list count it once. A recommender that joins the lists of two models and forgets to remove what both name is
#   rewarded for it, and in a mean over customers nobody sees a value above 1.
# Output:
#   list a b c, right a  NDCG 1.00  MAP 1.00  precision 0.33  recall 1.00
#   list a a b, right a  NDCG 1.63  MAP 2.00  precision 0.33  recall 1.00
#   list a a a, right a  NDCG 2.13  MAP 3.00  precision 0.33  recall 1.00
set -euo pipefail
place="$(mktemp -d)"
trap 'rm -rf "$place"' EXIT
"${PYTHON:-python3}" -m venv "$place"
"$place/bin/python" -m pip install --quiet replay-rec==0.22.0
"$place/bin/python" -I - <<'END'
import warnings

warnings.simplefilter("ignore")
from replay.metrics import MAP, NDCG, Precision, Recall


def measured(items):
    shown, right = {"customer": list(zip(items, (3.0, 2.0, 1.0)))}, {"customer": ["a"]}
    values = [metric(3)(shown, right)[f"{metric.__name__}@3"] for metric in (NDCG, MAP, Precision, Recall)]
    return [round(float(value), 2) for value in values]


seen = {items: measured(items) for items in ("abc", "aab", "aaa")}
for items, values in seen.items():
    said = "  ".join(f"{name} {value:.2f}" for name, value in zip(("NDCG", "MAP", "precision", "recall"), values))
    print(f"list {' '.join(items)}, right a  {said}")
expected = [[1, 1, 0.33, 1], [1.63, 2, 0.33, 1], [2.13, 3, 0.33, 1]]
assert list(seen.values()) == expected, f"the behaviour has changed: {seen}"
END

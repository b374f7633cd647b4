#!/usr/bin/env bash
# Version: RecTools 0.19.0, pandas 2.3.3, numpy 1.26.4
# Expected: the NDCG of a list that could not be better is 1; the best list of a customer with one right item has it at
#   the top.
# Instead: `NDCG(k)` divides by the gain of k right items, whether there are so many or not. With one right item per
#   customer, as in leave-one-out, the best possible mean of NDCG@10 is .22, and it falls as k grows. Numbers of other
#   libraries and papers are four and a half times as large. `divide_by_achievable=True` gives the usual definition; it
#   is not the default.
# Output:
#   one right item, first in the list: NDCG@1 1.00  NDCG@10 0.22  NDCG@10 divided by what can be achieved 1.00
set -euo pipefail
place="$(mktemp -d)"
trap 'rm -rf "$place"' EXIT
"${PYTHON:-python3}" -m venv "$place"
"$place/bin/python" -m pip install --quiet rectools==0.19.0 pandas==2.3.3 numpy==1.26.4
"$place/bin/python" -I - <<'END'
import warnings

warnings.simplefilter("ignore")
import pandas as pd
from rectools.metrics import NDCG

shown = pd.DataFrame({"user_id": [1] * 10, "item_id": range(10), "rank": range(1, 11)})
right = pd.DataFrame({"user_id": [1], "item_id": [0]})
metrics = (NDCG(k=1), NDCG(k=10), NDCG(k=10, divide_by_achievable=True))
plain, ten, achievable = (round(float(metric.calc(shown, right)), 2) for metric in metrics)
print(f"one right item, first in the list: NDCG@1 {plain:.2f}  NDCG@10 {ten:.2f}", end="  ")
print(f"NDCG@10 divided by what can be achieved {achievable:.2f}")
assert (plain, ten, achievable) == (1, 0.22, 1), f"the behaviour has changed: {plain}, {ten}, {achievable}"
END

#!/usr/bin/env bash
# Version: implicit 0.7.3, scipy 1.17.1, numpy 2.4.6
# Expected: `recommend(..., filter_already_liked_items=True)`, which is the default, never gives an item that the
#   customer has; a list that cannot be filled is shorter. And precision@10 with one hit among ten places is .1.
# Instead: a neighbourhood model that has fewer neighbours than asked for fills the list up with the customer's own
#   items at score 0, so "new" items count as hits where somebody buys again. And `precision_at_k` divides by the number
#   of right items where that is smaller than k: with one right item per customer it is the hit rate, ten times the
#   precision of others.
# Output:
#   customer has [0, 1], recommended [2, 3, 1, 0] with scores [3.0, 1.0, 0.0, 0.0]
#   one right item per customer, it is in the list: precision@10 = 1.0
set -euo pipefail
place="$(mktemp -d)"
trap 'rm -rf "$place"' EXIT
"${PYTHON:-python3}" -m venv "$place"
"$place/bin/python" -m pip install --quiet implicit==0.7.3 scipy==1.17.1 numpy==2.4.6
"$place/bin/python" -I - <<'END'
import logging
import warnings

logging.disable()
warnings.simplefilter("ignore")
import numpy as np
from implicit.evaluation import precision_at_k
from implicit.nearest_neighbours import ItemItemRecommender
from scipy import sparse

bought = np.array([[1, 1, 0, 0, 0], [1, 1, 1, 0, 0], [0, 1, 1, 1, 0], [0, 0, 1, 1, 1]], dtype=float)
customers = sparse.csr_matrix(bought)
model = ItemItemRecommender(K=20)
model.fit(customers, show_progress=False)
items, scores = model.recommend(0, customers[0], N=5)
print(f"customer has {np.flatnonzero(bought[0]).tolist()}, recommended {items.tolist()} with scores {scores.tolist()}")
assert items.tolist() == [2, 3, 1, 0] and scores.tolist() == [3, 1, 0, 0], f"the behaviour has changed: {items}"

right = sparse.csr_matrix((np.ones(4), ([0, 1, 2, 3], [2, 3, 0, 0])), shape=(4, 5))
precision = precision_at_k(model, customers, right, K=10, show_progress=False)
print("one right item per customer, it is in the list: precision@10 =", precision)
assert precision == 1, f"the behaviour has changed: {precision}"
END

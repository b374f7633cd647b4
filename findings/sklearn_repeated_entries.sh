#!/usr/bin/env bash
# Version: scikit-learn 1.9.1, scipy 1.17.1, numpy 2.4.6
# Expected: a sparse matrix may hold an entry in two parts (a customer who buys milk twice), which SciPy adds up
#   wherever it computes; so scikit-learn gives the same for it as for the dense matrix of the same values.
# Instead: some of scikit-learn's functions for sparse input sum, square or compare the stored parts one by one. A row
#   of `normalize` is longer than 1, a customer's cosine with themselves is 5/3, a variance is -4, and `binarize` takes
#   1 + 1 for less than 1.5. `normalize(norm="l1")` is right, so a test of it tells nothing. No warning.
#   `sum_duplicates()` first helps.
# Output:
#   cosine with themselves      dense 1.00  sparse 1.67
#   length after normalize      dense 1.00  sparse 1.29
#   variance of the first item  dense 1.00  sparse -4.00
#   bought more than 1.5 times  dense 1.00  sparse 0.00
set -euo pipefail
place="$(mktemp -d)"
trap 'rm -rf "$place"' EXIT
"${PYTHON:-python3}" -m venv "$place"
"$place/bin/python" -m pip install --quiet scikit-learn==1.9.1 scipy==1.17.1 numpy==2.4.6
"$place/bin/python" -I - <<'END'
import numpy as np
from scipy import sparse
from sklearn.feature_selection import VarianceThreshold
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.preprocessing import binarize, normalize


def one_by_one():
    """A customer who bought item 0 twice and item 1 once; another who bought twice as much of both."""
    bought = np.array([0, 0, 1, 0, 0, 1])
    return sparse.csr_matrix((np.array([1.0, 1, 1, 2, 2, 2]), bought, np.array([0, 3, 6])), shape=(2, 2))


def length(matrix):
    rows = normalize(matrix)
    return np.linalg.norm(rows.toarray()[0] if sparse.issparse(rows) else rows[0])


measures = {
    "cosine with themselves": lambda x: cosine_similarity(x)[0, 0],
    "length after normalize": length,
    "variance of the first item": lambda x: VarianceThreshold().fit(x).variances_[0],
    "bought more than 1.5 times": lambda x: binarize(x, threshold=1.5)[0, 0],
}
assert (one_by_one() @ np.ones(2)).tolist() == [3, 6]  # SciPy takes the matrix for what it is
seen = []
for name, measure in measures.items():
    dense, parts = float(measure(one_by_one().toarray())), float(measure(one_by_one()))
    print(f"{name:27} dense {dense:.2f}  sparse {parts:.2f}")
    seen.append((round(dense, 2), round(parts, 2)))
assert seen == [(1, 1.67), (1, 1.29), (1, -4), (1, 0)], f"the behaviour has changed: {seen}"
END

#!/usr/bin/env bash
# Version: torchmetrics 1.9.0, torch 2.13.0 (a large download)
# Expected: a rank depends on the order of the scores alone; probabilities, their logarithms and logits of the same
#   order get the same reciprocal rank, precision and recall.
# Instead: some retrieval metrics drop every right item whose score is not above zero. With log-probabilities, which
#   never are, a perfect list has a mean reciprocal rank, precision, recall and average precision of 0, while hit rate
#   and NDCG of the same list are 1. With logits only some customers lose their hits, so the mean is wrong by a
#   plausible amount. No warning.
# Output:
#   reciprocal rank    probabilities 1.00  logarithms 0.00
#   recall             probabilities 1.00  logarithms 0.00
#   average precision  probabilities 1.00  logarithms 0.00
#   hit rate           probabilities 1.00  logarithms 1.00
#   NDCG               probabilities 1.00  logarithms 1.00
set -euo pipefail
place="$(mktemp -d)"
trap 'rm -rf "$place"' EXIT
"${PYTHON:-python3}" -m venv "$place"
"$place/bin/python" -m pip install --quiet torch==2.13.0 torchmetrics==1.9.0
"$place/bin/python" -I - <<'END'
import torch
from torchmetrics.functional import retrieval

metrics = {
    "reciprocal rank": retrieval.retrieval_reciprocal_rank,
    "recall": retrieval.retrieval_recall,
    "average precision": retrieval.retrieval_average_precision,
    "hit rate": retrieval.retrieval_hit_rate,
    "NDCG": retrieval.retrieval_normalized_dcg,
}
probabilities, right = torch.tensor([0.6, 0.3, 0.1]), torch.tensor([True, False, False])
seen = {name: (float(of(probabilities, right)), float(of(probabilities.log(), right))) for name, of in metrics.items()}
for name, (plain, logarithms) in seen.items():
    print(f"{name:18} probabilities {plain:.2f}  logarithms {logarithms:.2f}")
assert list(seen.values()) == [(1, 0)] * 3 + [(1, 1)] * 2, f"the behaviour has changed: {seen}"
END

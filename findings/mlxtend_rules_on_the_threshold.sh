#!/usr/bin/env bash
# Version: mlxtend 0.25.0, pandas 3.1.1, numpy 2.4.6
# Expected: a rule that holds in 16 of 20 baskets has a confidence of .8 and is kept at `min_threshold=0.8`; the miners
#   of the package agree on which itemsets reach a support of 14/50 when 14 of 50 baskets have them.
# Instead: confidence is divided from two supports that are rounded themselves, .16 / .2, a little less than .8, and the
#   rule is dropped: of 19 rules "B of 20 baskets" among 100 baskets, nine are lost at exactly their own confidence. And
#   `hmine` loses itemsets that lie exactly on the threshold, which `apriori` and `fpgrowth` find. Round numbers are
#   what people ask for.
# Output:
#   16 of 20 baskets, min_threshold=0.8: 0.7999999999999999, rules kept: 0
#   lost on their own threshold, B of 20: [1, 2, 4, 8, 9, 11, 15, 16, 18]
#   itemsets in 14 of 50 baskets, min_support=14/50: apriori 3, fpgrowth 3, hmine 0
set -euo pipefail
place="$(mktemp -d)"
trap 'rm -rf "$place"' EXIT
"${PYTHON:-python3}" -m venv "$place"
"$place/bin/python" -m pip install --quiet mlxtend==0.25.0 pandas==3.1.1 numpy==2.4.6
"$place/bin/python" -I - <<'END'
import warnings

warnings.simplefilter("ignore")
import pandas as pd
from mlxtend.frequent_patterns import apriori, association_rules, fpgrowth, hmine


def bought(both, first, baskets):
    """`first` baskets have a, `both` of them b as well."""
    return pd.DataFrame({"a": [i < first for i in range(baskets)], "b": [i < both for i in range(baskets)]})


def rules(both, first, threshold):
    itemsets = apriori(bought(both, first, 100), min_support=0.001, use_colnames=True)
    found = association_rules(itemsets, metric="confidence", min_threshold=threshold)
    return found[found.antecedents == frozenset("a")]


confidence = float(rules(16, 20, 0.5).confidence.iloc[0])
kept = len(rules(16, 20, 0.8))
print(f"16 of 20 baskets, min_threshold=0.8: {confidence!r}, rules kept: {kept}")
lost = [both for both in range(1, 20) if rules(both, 20, both / 20).empty]
print("lost on their own threshold, B of 20:", lost)
sizes = {miner.__name__: len(miner(bought(14, 14, 50), min_support=14 / 50)) for miner in (apriori, fpgrowth, hmine)}
print("itemsets in 14 of 50 baskets, min_support=14/50:", ", ".join(f"{name} {size}" for name, size in sizes.items()))
assert kept == 0 and lost == [1, 2, 4, 8, 9, 11, 15, 16, 18], f"the behaviour has changed: {kept}, {lost}"
assert list(sizes.values()) == [3, 3, 0], f"the behaviour has changed: {sizes}"
END

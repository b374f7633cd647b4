"""One call per library: frequent itemsets, and rules where a confidence is asked for.

Each function takes `baskets` (lists of items), `support` and `confidence` (shares written as text, such as "0.07"; an
empty confidence asks for itemsets) and gives rows: of itemsets [[items], count], of rules [[antecedent], [consequent],
confidence, support]. A library is called as its documentation shows, with its own defaults.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

from serve import serve, spark

Baskets = list[list[str]]


def _rows(found: Iterable, n: int = 1) -> list:
    """Itemsets with counts; of a share of n baskets, the nearest whole number."""
    return [[sorted(map(str, items)), round(float(value) * n)] for items, value in found]


def _rules(found: Iterable) -> list:
    return [[sorted(map(str, x)), sorted(map(str, y)), float(c), float(s)] for x, y, c, s in found]


def _table_of_rules(rules: Any) -> list:
    return _rules(rules[["antecedents", "consequents", "confidence", "support"]].itertuples(index=False))


def _mlxtend(miner: str, baskets: Baskets, support: str, confidence: str) -> list:
    import pandas as pd
    from mlxtend import frequent_patterns
    from mlxtend.preprocessing import TransactionEncoder

    encoder = TransactionEncoder()
    frame = pd.DataFrame(encoder.fit(baskets).transform(baskets), columns=encoder.columns_)
    found = getattr(frequent_patterns, miner)(frame, min_support=float(support), use_colnames=True)
    if not confidence:
        return _rows(zip(found["itemsets"], found["support"], strict=True), len(baskets))
    return _table_of_rules(frequent_patterns.association_rules(found, min_threshold=float(confidence)))


def pyfim(baskets: Baskets, support: str, confidence: str) -> list:
    import fim

    percent = float(100 * Decimal(support))
    if not confidence:
        return _rows(fim.apriori(baskets, supp=percent, report="a"))
    found = fim.arules(baskets, supp=percent, conf=float(100 * Decimal(confidence)), report="cs")
    return _rules((body, [head], c, s) for head, body, c, s in found if body)


def efficient_apriori(baskets: Baskets, support: str, confidence: str) -> list:
    from efficient_apriori import apriori

    itemsets, rules = apriori(baskets, min_support=float(support), min_confidence=float(confidence or 1))
    if not confidence:
        return _rows(pair for level in itemsets.values() for pair in level.items())
    return _rules((rule.lhs, rule.rhs, rule.confidence, rule.support) for rule in rules)


def pami(baskets: Baskets, support: str, confidence: str) -> list:
    from PAMI.AssociationRules.basic.confidence import confidence as RuleMiner
    from PAMI.frequentPattern.basic.FPGrowth import FPGrowth

    with tempfile.TemporaryDirectory() as folder:
        data, patterns = Path(folder) / "baskets.tsv", Path(folder) / "patterns.txt"
        data.write_text("".join("\t".join(basket) + "\n" for basket in baskets))
        miner = FPGrowth(iFile=str(data), minSup=float(support), sep="\t")
        miner.mine()
        if not confidence:
            found = miner.getPatterns().items()
            return _rows((items if isinstance(items, tuple) else items.split("\t"), count) for items, count in found)
        miner.save(str(patterns))
        rules = RuleMiner(str(patterns), float(confidence))
        rules.mine()
    return _rules((x, y, c, count / len(baskets)) for x, y, count, c in rules.getAssociationRules())


def rusket(baskets: Baskets, support: str, confidence: str) -> list:
    import rusket

    miner = rusket.FPGrowth.from_transactions(baskets, min_support=float(support))
    found = miner.mine()
    if not confidence:
        return _rows(zip(found["itemsets"], found["support"], strict=True), len(baskets))
    return _table_of_rules(miner.association_rules(min_threshold=float(confidence)))


def desbordante(baskets: Baskets, support: str, confidence: str) -> list:
    import desbordante

    if not confidence:
        raise NotImplementedError("gives rules only")
    miner = desbordante.ar.algorithms.Default()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "bought.csv"
        data.write_text("".join(f"{n},{item}\n" for n, basket in enumerate(baskets) for item in basket))
        table = (str(data), ",", False)
        miner.load_data(table=table, input_format="singular", tid_column_index=0, item_column_index=1)
        miner.execute(minsup=float(support), minconf=float(confidence))
    return _rules((rule.left, rule.right, rule.confidence, rule.support) for rule in miner.get_ars())


def pyspark(baskets: Baskets, support: str, confidence: str) -> list:
    from pyspark.ml.fpm import FPGrowth

    frame = spark().createDataFrame([(basket,) for basket in baskets], "items array<string>")
    model = FPGrowth(minSupport=float(support), minConfidence=float(confidence or 1)).fit(frame)
    if not confidence:
        return _rows((row["items"], row["freq"]) for row in model.freqItemsets.collect())
    found = model.associationRules.collect()
    return _rules((r["antecedent"], r["consequent"], r["confidence"], r["support"]) for r in found)


def llmarm(baskets: Baskets, support: str, confidence: str) -> list:
    from llmarm_tutorial import mining
    from llmarm_tutorial.data import Transactions

    data = Transactions.from_baskets(baskets)
    if not confidence:
        found = mining.mine(data, float(support)).table()
        return _rows(zip(found["itemset"], found["count"], strict=True))
    rules = mining.mine_rules(data, float(support), float(confidence), max_consequent=None)
    return _rules(rules[["antecedent", "consequent", "confidence", "support"]].itertuples(index=False))


def mlxtend_apriori(**case: Any) -> list:
    return _mlxtend("apriori", **case)


def mlxtend_fpgrowth(**case: Any) -> list:
    return _mlxtend("fpgrowth", **case)


def mlxtend_fpmax(**case: Any) -> list:
    if case["confidence"]:
        raise NotImplementedError("gives maximal itemsets, without the counts that rules need")
    return _mlxtend("fpmax", **case)


def mlxtend_hmine(**case: Any) -> list:
    return _mlxtend("hmine", **case)


if __name__ == "__main__":
    serve(globals())

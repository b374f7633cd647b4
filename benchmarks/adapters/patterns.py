"""One call per library: frequent sequential patterns of single items, counted once per sequence.

Each function takes `sequences` (lists of items) and `support`, a share as text, and gives rows [[items], count].
A library is called as its documentation shows, with its own defaults, and with the share where it takes one.
"""

from __future__ import annotations

import math
from fractions import Fraction

from serve import serve, spark

Sequences = list[list[str]]


def _coded(sequences: Sequences) -> tuple[list[list[int]], list[str]]:
    names = sorted({item for sequence in sequences for item in sequence})
    return [[names.index(item) for item in sequence] for sequence in sequences], names


def prefixspan(sequences: Sequences, support: str) -> list:
    from prefixspan import PrefixSpan

    count = math.ceil(Fraction(support) * len(sequences))  # it takes a number of sequences
    return [[list(pattern), count] for count, pattern in PrefixSpan(sequences).frequent(count)]


def gsppy(sequences: Sequences, support: str) -> list:
    from gsppy.gsp import GSP

    levels = GSP(sequences).search(min_support=float(support))
    return [[list(pattern), count] for level in levels for pattern, count in level.items()]


def seq2pat(sequences: Sequences, support: str) -> list:
    from sequential.seq2pat import Seq2Pat

    return [[list(row[:-1]), row[-1]] for row in Seq2Pat(sequences).get_patterns(float(support))]


def rusket(sequences: Sequences, support: str) -> list:
    import rusket

    coded, names = _coded(sequences)
    found = rusket.PrefixSpan(coded, min_support=float(support)).mine()
    rows = found[["sequence", "support"]].itertuples(index=False)
    return [[[names[code] for code in sequence], int(count)] for sequence, count in rows]


def pyspark(sequences: Sequences, support: str) -> list:
    from pyspark.ml.fpm import PrefixSpan

    visits = [([[item] for item in sequence],) for sequence in sequences]
    frame = spark().createDataFrame(visits, "sequence array<array<string>>")
    found = PrefixSpan(minSupport=float(support)).findFrequentSequentialPatterns(frame).collect()
    return [[[visit[0] for visit in row["sequence"]], row["freq"]] for row in found]


def llmarm(sequences: Sequences, support: str) -> list:
    from llmarm_tutorial import mining

    found = mining.mine_sequences(mining.transactions_from_lists(sequences), float(support)).table()
    return [[list(pattern), int(count)] for pattern, count in zip(found["pattern"], found["count"], strict=True)]


if __name__ == "__main__":
    serve(globals())

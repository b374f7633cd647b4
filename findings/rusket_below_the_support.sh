#!/usr/bin/env bash
# Version: rusket 0.1.101 and seq2pat 2.0.0, with pandas 3.1.1
# Expected: at a minimum support of .3, every pattern that comes back holds for three tenths of the sequences or more.
# Instead: both libraries turn the share into a number of sequences and round it down, 1.5 of 5 to 1. Patterns of one
#   customer, a support of .2, come back as frequent. The fewer sequences, the further below the threshold: with three
#   of them, .6 asks for one.
# Output:
#   minimum support .3 of 5 sequences, smallest support found: rusket 0.2, seq2pat 0.2
#   minimum support .6 of 3 sequences, smallest support found: rusket 0.33, seq2pat 0.33
set -euo pipefail
place="$(mktemp -d)"
trap 'rm -rf "$place"' EXIT
"${PYTHON:-python3}" -m venv "$place"
"$place/bin/python" -m pip install --quiet rusket==0.1.101 seq2pat==2.0.0 pandas==3.1.1 scipy==1.17.1 pyarrow==26.0.1
"$place/bin/python" -I - <<'END'
from rusket import PrefixSpan
from sequential.seq2pat import Seq2Pat


def smallest(sequences, share):
    rusket = int(PrefixSpan(sequences, min_support=share).mine()["support"].min())
    seq2pat = min(row[-1] for row in Seq2Pat(sequences).get_patterns(share))
    return round(rusket / len(sequences), 2), round(seq2pat / len(sequences), 2)


seen = {(3, 5): smallest([[1, 2], [1, 2], [1, 2], [3, 4], [5, 6]], 0.3), (6, 3): smallest([[1, 2], [1, 2], [3, 4]], 0.6)}
for (tenths, n), (rusket, seq2pat) in seen.items():
    print(f"minimum support .{tenths} of {n} sequences, smallest support found: rusket {rusket}, seq2pat {seq2pat}")
assert list(seen.values()) == [(0.2, 0.2), (0.33, 0.33)], f"the behaviour has changed: {seen}"
END

#!/usr/bin/env bash
# Version: PAMI 2026.10.13.1
# Expected: the support of an itemset is the number of baskets that hold it; one that names an item twice is one basket.
# Instead: `FPGrowth` counts every mention. An item that is named twice in a basket, as on a receipt with a line per
#   unit, gains support; an itemset is found more often than one of its parts, which cannot be, and in more baskets than
#   there are; and an item can form a pair with itself. No warning.
# Output:
#   ab ab c    a=2 ab=2 b=2
#   aab ab c   a=3 ab=3 b=2
#   aab aab c  a=4 aa=2 aab=2 ab=2 b=2
set -euo pipefail
place="$(mktemp -d)"
trap 'rm -rf "$place"' EXIT
"${PYTHON:-python3}" -m venv "$place"
"$place/bin/python" -m pip install --quiet pami==2026.10.13.1
"$place/bin/python" -I - <<'END'
import contextlib
import io
import tempfile
from pathlib import Path

from PAMI.frequentPattern.basic.FPGrowth import FPGrowth


def mined(baskets):
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        file = Path(folder) / "baskets.tsv"
        file.write_text("".join("\t".join(basket) + "\n" for basket in baskets.split()))
        miner = FPGrowth(iFile=str(file), minSup=2, sep="\t")
        miner.mine()
    return " ".join(sorted(f"{''.join(sorted(items))}={count}" for items, count in miner.getPatterns().items()))


seen = {baskets: mined(baskets) for baskets in ("ab ab c", "aab ab c", "aab aab c")}
for baskets, patterns in seen.items():
    print(f"{baskets:10} {patterns}")
expected = ["a=2 ab=2 b=2", "a=3 ab=3 b=2", "a=4 aa=2 aab=2 ab=2 b=2"]
assert list(seen.values()) == expected, f"the behaviour has changed: {seen}"
END

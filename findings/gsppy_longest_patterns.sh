#!/usr/bin/env bash
# Version: gsppy 5.3.0
# Expected: a pattern that every customer follows is found; `max_k=2` asks for patterns of one and of two items.
# Instead: the last level that was counted is thrown away, frequent or not. Patterns as long as the longest sequence
#   never come back, and with `max_k=k` none of k items does. One more customer with a longer, unrelated sequence brings
#   them back.
# Output:
#   three times a b                  a=3 b=3
#   three times a b, and once x y z  a=3 b=3 ab=3
#   three times a b c                a=3 b=3 c=3 ab=3 ac=3 bc=3
#   three times a b c, max_k=2       a=3 b=3 c=3
set -euo pipefail
place="$(mktemp -d)"
trap 'rm -rf "$place"' EXIT
"${PYTHON:-python3}" -m venv "$place"
"$place/bin/python" -m pip install --quiet gsppy==5.3.0
"$place/bin/python" -I - <<'END'
import logging

from gsppy.gsp import GSP

logging.disable()


def mined(sequences, **how):
    levels = GSP([list(sequence) for sequence in sequences]).search(min_support=0.5, **how)
    return " ".join(f"{''.join(pattern)}={count}" for level in levels for pattern, count in level.items())


seen = {
    "three times a b": mined(["ab"] * 3),
    "three times a b, and once x y z": mined(["ab"] * 3 + ["xyz"]),
    "three times a b c": mined(["abc"] * 3),
    "three times a b c, max_k=2": mined(["abc"] * 3, max_k=2),
}
for case, patterns in seen.items():
    print(f"{case:32} {patterns}")
expected = ["a=3 b=3", "a=3 b=3 ab=3", "a=3 b=3 c=3 ab=3 ac=3 bc=3", "a=3 b=3 c=3"]
assert list(seen.values()) == expected, f"the behaviour has changed: {seen}"
END

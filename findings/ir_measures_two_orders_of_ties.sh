#!/usr/bin/env bash
# Version: ir-measures 0.4.3 (with pytrec-eval-terrier 0.5.11)
# Expected: the reciprocal rank of the one right item in a list of three is the same as `RR` and as `RR@10`: the list
#   ends before the cutoff. Scores that differ have an order.
# Instead: the two are computed by different programs behind one interface. `RR` (trec_eval) takes scores as 32-bit
#   floats and puts the higher name first among equals, `RR@10` (MS MARCO's script) takes 64 bits and puts the lower
#   name first. Two probabilities near 1 that differ in the eighth digit are a tie for one and an order for the other,
#   and a mean over customers mixes best case and worst case. Break ties yourself, and hand over ranks instead of
#   scores.
# Output:
#   all scores equal, right is a:              RR 0.33  RR@10 1.00
#   a .99999999, b .99999998, right is a:      RR 0.50  RR@10 1.00
#   the same as ranks (2, 1), right is a:      RR 1.00  RR@10 1.00
set -euo pipefail
place="$(mktemp -d)"
trap 'rm -rf "$place"' EXIT
"${PYTHON:-python3}" -m venv "$place"
"$place/bin/python" -m pip install --quiet ir-measures==0.4.3 pytrec-eval-terrier==0.5.11 numpy==2.4.6
"$place/bin/python" -I - <<'END'
from ir_measures import RR, calc_aggregate


def both(scores):
    values = calc_aggregate([RR, RR @ 10], {"customer": {"a": 1}}, {"customer": scores})
    return round(values[RR], 2), round(values[RR @ 10], 2)


seen = {
    "all scores equal, right is a:": both({"a": 0.5, "b": 0.5, "c": 0.5}),
    "a .99999999, b .99999998, right is a:": both({"a": 0.99999999, "b": 0.99999998}),
    "the same as ranks (2, 1), right is a:": both({"a": 2.0, "b": 1.0}),
}
for case, (plain, cut) in seen.items():
    print(f"{case:42} RR {plain:.2f}  RR@10 {cut:.2f}")
assert list(seen.values()) == [(0.33, 1), (0.5, 1), (1, 1)], f"the behaviour has changed: {seen}"
END

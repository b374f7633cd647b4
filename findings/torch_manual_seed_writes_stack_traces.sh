#!/usr/bin/env bash
# Version: torch 2.13.0 (a large download); a machine without an NVIDIA GPU
# Expected: `torch.manual_seed` sets a state; seeding anew at every step of a training costs next to nothing.
# Instead: where no such device has been used, each call also formats the whole stack of its caller as text, three
#   times, and keeps it in case a device is used later. The generator alone, `torch.default_generator.manual_seed`,
#   gives the same draws on the CPU and writes nothing.
# Output:
#   100 calls of torch.manual_seed: 300 stack traces formatted
#   100 calls of torch.default_generator.manual_seed: 0 stack traces formatted
#   same draws: True
set -euo pipefail
place="$(mktemp -d)"
trap 'rm -rf "$place"' EXIT
"${PYTHON:-python3}" -m venv "$place"
"$place/bin/python" -m pip install --quiet torch==2.13.0
CUDA_VISIBLE_DEVICES="" "$place/bin/python" -I - <<'END'
import traceback

import torch

written, original = 0, traceback.format_stack


def counted(*arguments, **named):
    global written
    written += 1
    return original(*arguments, **named)


traceback.format_stack = counted


def traces(seed):
    global written
    written = 0
    for _ in range(100):
        seed(1)
    return written, torch.rand(3).tolist()


whole, drawn = traces(torch.manual_seed)
alone, again = traces(torch.default_generator.manual_seed)
print(f"100 calls of torch.manual_seed: {whole} stack traces formatted")
print(f"100 calls of torch.default_generator.manual_seed: {alone} stack traces formatted")
print(f"same draws: {drawn == again}")
assert (whole, alone, drawn == again) == (300, 0, True), f"the behaviour has changed: {whole}, {alone}"
END

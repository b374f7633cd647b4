#!/usr/bin/env bash
# Version: torch 2.11.0 with CUDA 13.0 on an NVIDIA H200 (a large download; needs a card of the Hopper kind)
# Expected: attention in bfloat16 costs about the same for a batch of a length that was not met before as for one that
#   was; on a card that computes in bfloat16 it is faster than in float32.
# Instead: a padding mask sends `scaled_dot_product_attention` in bfloat16 to cuDNN, which makes a plan for every new
#   combination of batch size and length, forward and backward; that takes hundreds of times as long as the attention.
#   Histories have new lengths all the time: a small item model trained slower in bfloat16 than in float32. float32 and
#   the kernels named by `torch.nn.attention.sdpa_kernel` (flash, efficient, math) need no plans.
# Output:
#   default  torch.float32   new lengths     0.90 ms each, the same again   0.77 ms
#   default  torch.bfloat16  new lengths   383.33 ms each, the same again   0.71 ms
#   others   torch.float32   new lengths     0.71 ms each, the same again   0.69 ms
#   others   torch.bfloat16  new lengths     0.67 ms each, the same again   0.65 ms
set -euo pipefail
place="$(mktemp -d)"
trap 'rm -rf "$place"' EXIT
"${PYTHON:-python3}" -m venv "$place"
"$place/bin/python" -m pip install --quiet torch==2.11.0
"$place/bin/python" -I - <<'END'
import contextlib
import sys
import time

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

if not torch.cuda.is_available() or torch.cuda.get_device_capability()[0] != 9:
    sys.exit("This needs an NVIDIA GPU of the Hopper kind, such as an H100; nothing was tried.")
OTHERS = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]


def attend(length, dtype):
    """Attention of 128 padded rows and two heads, forward and backward."""
    given = [torch.randn(128, 2, length, 32, device="cuda", dtype=dtype, requires_grad=True) for _ in range(3)]
    filled = torch.randint(1, length + 1, (128,), device="cuda")
    mask = (torch.arange(length, device="cuda") < filled[:, None])[:, None, None, :]
    scaled_dot_product_attention(*given, attn_mask=mask).sum().backward()


def milliseconds(lengths, dtype):
    torch.cuda.synchronize()
    begin = time.perf_counter()
    for length in lengths:
        attend(length, dtype)
    torch.cuda.synchronize()
    return 1000 * (time.perf_counter() - begin) / len(lengths)


seen = {}
for kernels, context in (("default", contextlib.nullcontext), ("others", lambda: sdpa_kernel(OTHERS))):
    for dtype in (torch.float32, torch.bfloat16):
        with context():
            attend(200, dtype)  # start everything
            lengths = range(20, 40)
            new, again = milliseconds(lengths, dtype), milliseconds(lengths, dtype)
        seen[kernels, dtype] = new / again
        print(f"{kernels:8} {str(dtype):15} new lengths {new:8.2f} ms each, the same again {again:6.2f} ms")
assert seen["default", torch.bfloat16] > 10, f"the behaviour has changed: {seen}"
assert max(ratio for key, ratio in seen.items() if key != ("default", torch.bfloat16)) < 5, f"something else: {seen}"
END

"""What a device can do, and what a graphics card must be told so that a training repeats and does not wait for plans.

By itself PyTorch takes on a GPU whatever kernel is fastest, and some of them add in an order that differs from run to
run. And for attention in bfloat16 it takes cuDNN on cards of the Hopper kind, which makes a plan for every new
combination of batch size and length: histories have new lengths all the time (see `results/LOG.md`).
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

# without plans per length; the first that can do what is asked is taken
ATTENTION = (SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH)

# cuBLAS reads it when it starts; without it matrix products may differ from run to run
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


def hardware_bf16(device: torch.device) -> bool:
    """Whether a device computes in bfloat16 by itself: CPUs with AVX-512 BF16 or AMX, NVIDIA GPUs from Ampere on."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return device.type == "cpu" and any(getattr(torch.cpu, check, bool)() for check in checks)


@contextmanager
def repeatable() -> Iterator[None]:
    """Let a block (or, as a decorator, a function) compute on a GPU so that the same seed gives the same numbers.

    PyTorch's switches are then as before. Without a GPU nothing is changed, since on a processor this holds anyway.

    Yields:
        Nothing. It warns once if PyTorch computed on the GPU before this package was imported, as it can then no longer
        be made to repeat itself.
    """
    if not torch.cuda.is_available():
        yield
        return
    strict, lax = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    filling = torch.utils.deterministic.fill_uninitialized_memory
    torch.utils.deterministic.fill_uninitialized_memory = False  # that finds faults of programs, and costs time
    try:
        torch.use_deterministic_algorithms(True)
        if not _products_repeat():
            torch.use_deterministic_algorithms(strict, warn_only=lax)
            warnings.warn(
                "PyTorch used the GPU before llmarm was imported, so trainings there will not repeat bit for bit: "
                "import llmarm_tutorial first, or set CUBLAS_WORKSPACE_CONFIG=:4096:8.",
                stacklevel=3,
            )
        with sdpa_kernel(list(ATTENTION)):
            yield
    finally:
        torch.use_deterministic_algorithms(strict, warn_only=lax)
        torch.utils.deterministic.fill_uninitialized_memory = filling


def _products_repeat() -> bool:
    """Whether cuBLAS was told in time; PyTorch refuses a product otherwise."""
    one = torch.ones(1, 1, device="cuda")
    try:
        return bool(one @ one == 1)
    except RuntimeError:
        return False

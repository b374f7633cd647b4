"""Random numbers of PyTorch from a seed that is given, never from what the process drew before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def own_draws() -> Iterator[None]:
    """Let a block (or, as a decorator, a function) draw and seed as it likes; PyTorch's generators are then as before.

    All devices are named, since PyTorch warns of the time it takes where there are several and none is.
    """
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        yield


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Let a block draw from a seed, as after `torch.manual_seed(seed)`; PyTorch's generators are then as before."""
    with own_draws():
        torch.manual_seed(seed)
        yield


def seed_device(seed: int, device: torch.device) -> None:
    """Seed what a computation on one device draws from, as `torch.manual_seed` would.

    That function also seeds all other devices, and on a machine without a GPU writes down a stack trace each time: more
    work than a training step of a small model has otherwise to do beside its arithmetic.

    Args:
        seed: The seed.
        device: Where the computation runs; the CPU is seeded in any case.
    """
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)
    elif device.type != "cpu":
        torch.manual_seed(seed)

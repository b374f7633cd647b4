"""How processes are started on this machine: threads of each, and how fast it is now."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from functools import cache

from llmarm_tutorial.errors import RunError

_CAPS = ("OMP_NUM", "OPENBLAS_NUM", "MKL_NUM", "NUMEXPR_NUM", "VECLIB_MAXIMUM")


def capped(threads: int) -> dict[str, str]:
    """The environment variables that hold BLAS and OpenMP of a new process to so many threads."""
    return {f"{name}_THREADS": str(threads) for name in _CAPS}


@cache
def speed_seconds(copies: int = 1) -> float:
    """Seconds that this machine needs now for a fixed small piece of work, the same everywhere (module `speed`).

    The work has the same parts as a lesson: NumPy on matrices, sorting and counting, plain Python. It takes about two
    seconds altogether, and once in a process.

    Args:
        copies: How many processes do it at the same time, as many as lessons will; the slowest one counts.

    Raises:
        RunError: If this Python cannot do the work.
    """
    command = [sys.executable, "-m", "llmarm_tutorial.running.speed"]
    # its errors are not shown: Ctrl-C reaches it as well, and ends it with a traceback
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    with contextlib.ExitStack() as running:
        processes = [
            running.enter_context(subprocess.Popen(command, env={**os.environ, **capped(1)}, **streams))
            for _ in range(copies)
        ]
        printed = [process.communicate()[0] for process in processes]
    try:
        return max(map(float, printed))
    except ValueError:
        raise RunError("The speed check could not be made; run  llmarm doctor  and mend what it names.") from None

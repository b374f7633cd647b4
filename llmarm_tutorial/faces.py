"""What a folder shows: its public names, each loaded from its module when it is first asked for.

So `from llmarm_tutorial.evaluation import compare` needs no knowledge of the files behind it, and importing a folder
costs nothing: what needs PyTorch loads it when it is used.
"""

from __future__ import annotations

import gc
import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

MANY_OBJECTS = 50_000  # what PyTorch or Transformers make while they load, ten times over


def face(folder: str, modules: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """`__getattr__`, `__dir__` and `__all__` of a package that loads its names late (PEP 562).

    Args:
        folder: Dotted name of the package, `__name__`.
        modules: Module → its public names, divided by spaces; a module without names is itself what is shown.
    """
    home = {name: module for module, names in modules.items() for name in names.split() or [module]}

    def load(name: str) -> Any:
        if name not in home:
            raise AttributeError(f"module {folder!r} has no attribute {name!r}")
        with _uncollected():
            module = importlib.import_module(f"{folder}.{home[name]}")
        value = module if name == home[name] else getattr(module, name)
        setattr(sys.modules[folder], name, value)  # found without this function from now on
        return value

    return load, lambda: sorted(home), sorted(home)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Put off Python's search for unreachable objects while modules load, and spare it what large libraries made.

    Such a library makes hundreds of thousands of objects that stay to the end. While they are made they are searched
    again and again, and later every time when a training has made enough of its own: seconds in a lesson.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        if gc.get_count()[0] > MANY_OBJECTS:
            gc.freeze()
        gc.enable()

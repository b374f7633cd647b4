"""What a folder shows: its public names, each loaded from its module when it is first asked for.

So `from llmarm_tutorial.evaluation import compare` needs no knowledge of the files behind it, and importing a folder
costs nothing: what needs PyTorch loads it when it is used.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any


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
        module = importlib.import_module(f"{folder}.{home[name]}")
        value = module if name == home[name] else getattr(module, name)
        setattr(sys.modules[folder], name, value)  # found without this function from now on
        return value

    return load, lambda: sorted(home), sorted(home)

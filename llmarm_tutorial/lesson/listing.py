"""Code of the package, shown where a lesson speaks of it: what learners read is what runs."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from typing import Any


def show_code(function: Callable[..., Any]) -> None:
    """Show the code of a function without its docstring, which the lesson itself replaces.

    Args:
        function: A function of a module, with a docstring.
    """
    from IPython.display import Markdown, display

    code = inspect.getsource(function)
    docstring = ast.parse(code).body[0].body[0]
    lines = code.splitlines(keepends=True)
    del lines[docstring.lineno - 1 : docstring.end_lineno]
    display(Markdown(f"```python\n{''.join(lines)}\n```"))

"""The errors a user can cause.

Every one carries a single sentence that says what went wrong and what to do; the command line prints that sentence and
nothing else. Anything that is not an `LlmarmError` is a defect of the kit and keeps its traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class LlmarmError(Exception):
    """Base of all errors that a user can cause and mend."""


class UnknownName(LlmarmError):
    """A data set, lesson, parameter, profile or similar was named that does not exist.

    Args:
        kind: What was named, in the singular ("data set", "lesson", "parameter").
        name: What the user wrote.
        valid: Every name that would have been accepted; close ones are suggested first.
        hint: An optional further sentence, for example how to bring one's own file.
    """

    def __init__(self, kind: str, name: str, valid: Iterable[str], hint: str = "") -> None:
        self.kind, self.name, self.valid = kind, name, sorted(map(str, valid))
        close = [c for c in difflib.get_close_matches(str(name), self.valid, n=1) if c != str(name)]
        guess = f" Did you mean {close[0]!r}?" if close else ""
        listed = ", ".join(self.valid) or "none"
        super().__init__(f"There is no {kind} {name!r}.{guess} Valid: {listed}.{' ' + hint if hint else ''}")


class BadParameter(LlmarmError):
    """A parameter has the right name but a value that cannot be used."""


class DataError(LlmarmError):
    """A file or table cannot be used as transactions: empty, a column missing, times that do not parse."""


class TooLarge(LlmarmError):
    """A table would not fit into the memory that is free."""


class Lacks(LlmarmError):
    """A data set lacks what was asked of it (users, baskets, an order, clock times, descriptions)."""


class FetchError(LlmarmError):
    """A data set could not be downloaded or the download has the wrong content."""


class Missing(LlmarmError):
    """An optional package is needed that is not installed.

    Args:
        package: The import name of the package.
        extra: The extra of `llmarm` that installs it.
        purpose: What needs it.
    """

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        self.package, self.extra = package, extra
        super().__init__(f"{purpose} needs the package {package!r}: run  pip install 'llmarm[{extra}]'  and try again.")


class RunError(LlmarmError):
    """A lesson, batch or report could not be run to its end."""


def is_own(kind: str) -> bool:
    """Whether an exception's class, told by its name, is one of these: then its sentence says all that helps."""
    return any(kind == error.__name__ for error in (LlmarmError, *LlmarmError.__subclasses__()))

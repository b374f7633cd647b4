"""What the literature claims, each with the test that was written down before its results: `claims.toml` as objects."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from llmarm_tutorial.errors import UnknownName


@dataclass(frozen=True)
class Claim:
    """One claim of the texts under test, or one of their slips.

    Attributes:
        id: Its number, such as "8", or "slip-5".
        claim: What the texts say, in the kit's own words.
        texts: Which of them, such as ("T2",).
        metric: What is measured.
        data: On which data.
        seeds: Over how many seeds, at least, where something is trained.
        holds: What must come out for the claim to hold on a data set.
        refuted: What refutes it there.
        decided_by: Recorded names that decide, as "11:fusion/*_gain_*"; empty while nothing does.
    """

    id: str
    claim: str
    texts: tuple[str, ...]
    metric: str
    data: tuple[str, ...]
    seeds: int
    holds: str
    refuted: str
    decided_by: tuple[str, ...]

    def deciding(self, names: Iterable[str]) -> list[str]:
        """Those of some recorded names, written as "11:fusion/next_gain_of_graph_learned", that decide this claim."""
        return [name for name in names if any(matches(name, pattern) for pattern in self.decided_by)]


def matches(name: str, pattern: str) -> bool:
    """Whether a recorded name, as "11:fusion/next_gain_of_graph", is one that a pattern of `decided_by` names."""
    return fnmatchcase(name, pattern)


@functools.cache
def load() -> dict[str, Claim]:
    """All claims, then all slips, by their ids."""
    content = tomllib.loads(Path(__file__).with_name("claims.toml").read_text(encoding="utf-8"))
    return {
        id_: Claim(id_, **{key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()})
        for id_, entry in content.items()
    }


def check(claim: str) -> None:
    """Refuse what is no claim.

    Raises:
        UnknownName: If the literature makes no claim of this id.
    """
    if claim not in load():
        raise UnknownName("claim", claim, load(), "They stand with their tests in llmarm_tutorial/lesson/claims.toml.")

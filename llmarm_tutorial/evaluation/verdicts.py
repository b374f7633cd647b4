"""What an interval of a gain allows one to say: the one rule behind every verdict of the kit, and its words."""

from __future__ import annotations

WINS, LEVEL, LOSES = "wins", "level", "loses"


def verdict(low: float, high: float) -> str:
    """Whether a gain is more than the luck of the cases.

    Args:
        low: Lower end of the interval of a gain. More is better: of an error, take what it shrinks by.
        high: Upper end, not below `low`.

    Returns:
        WINS where the whole interval lies above zero, LOSES where it lies below, LEVEL where it holds zero.
    """
    return WINS if low > 0 else LOSES if high < 0 else LEVEL


def contradicts(verdict: str, gain: float) -> bool:
    """Whether a verdict says the opposite of the sign that another run's gain has; LEVEL contradicts nothing."""
    return (verdict == WINS and gain <= 0) or (verdict == LOSES and gain >= 0)

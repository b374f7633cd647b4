"""One look for all figures: colours, markers, fonts, axes.

Colours are from Okabe & Ito (2008), which readers with any colour vision tell apart; only the many groups of a network
need a larger palette, and there nodes are named as well.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
from matplotlib import patheffects as path_effects
from matplotlib.axes import Axes
from matplotlib.figure import Figure

ACCENT, SECOND, THIRD, FOURTH, QUIET = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#9AA3AD"
CYCLE = (ACCENT, SECOND, THIRD, FOURTH, "#E69F00", "#56B4E9")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
SHADES = "viridis_r"
_RAISED = str.maketrans("0123456789-−", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁻")
INK = "#333333"  # of words and thin lines
HALO = (path_effects.withStroke(linewidth=2.5, foreground="white"),)  # keeps words readable on lines

# Item names may be Chinese; the first of these that are installed are used, whatever DejaVu lacks.
_FONTS = ("Noto Sans CJK SC", "Noto Sans SC", "Microsoft YaHei", "PingFang SC", "Hiragino Sans GB", "WenQuanYi Zen Hei")

_STYLE = {
    "figure.figsize": (8.5, 3.8),
    "figure.dpi": 110,
    "figure.constrained_layout.use": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.prop_cycle": mpl.cycler(color=CYCLE),
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.labelcolor": "#333333",
    "grid.color": "#E6E9EC",
    "grid.linewidth": 0.8,
    "font.size": 10,
    "text.parse_math": False,  # a name such as "$5_OFF_$20" is no formula
    "legend.fontsize": 9,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "savefig.bbox": "tight",
}


def _fonts() -> list[str]:
    installed = {font.name for font in mpl.font_manager.fontManager.ttflist}
    return ["DejaVu Sans", *(name for name in _FONTS if name in installed)]


def use_style() -> None:
    """Set the kit's style for all figures that follow; names stand as they are, in pandas' tables too."""
    plt.rcParams.update(_STYLE | {"font.family": _fonts()})
    pd.options.display.html.use_mathjax = False
    # an emoji that no font has is drawn as a box; the notebook need not say so for every figure
    warnings.filterwarnings("ignore", message="Glyph .* missing from font", category=UserWarning)


@contextmanager
def style() -> Iterator[None]:
    """The kit's style within a `with` block."""
    with plt.rc_context(_STYLE | {"font.family": _fonts()}):
        yield


def look(number: int) -> dict[str, str]:
    """Colour and marker of the series with this number, from 0; either one alone tells neighbours apart."""
    return {"color": CYCLE[number % len(CYCLE)], "marker": MARKERS[number % len(MARKERS)]}


def palette(groups: Iterable[Hashable]) -> dict[Hashable, object]:
    """A colour per group, in sorted order: the kit's own as long as they suffice."""
    known = sorted(set(groups), key=lambda group: (str(type(group)), group))
    tab20 = plt.get_cmap("tab20").colors  # dark and light in turn: the dark ones first, which differ most
    colors = CYCLE if len(known) <= len(CYCLE) else (*tab20[::2], *tab20[1::2])
    return dict(zip(known, cycle(colors), strict=False))


def plain_log_ticks(axis: mpl.axis.Axis) -> None:
    """Ticks at 1, 2 and 5 times powers of ten, written out: 0.2 instead of 2 × 10⁻¹."""
    axis.set_major_locator(mpl.ticker.LogLocator(base=10, subs=(1, 2, 5)))
    axis.set_major_formatter(mpl.ticker.FormatStrFormatter("%g"))
    axis.set_minor_formatter(mpl.ticker.NullFormatter())


class _Powers(mpl.ticker.LogFormatterSciNotation):
    """Powers of ten in plain letters, 10⁵ or 2×10⁻¹, where matplotlib would write a formula; or numbers in a format."""

    def __init__(self, form: str, **settings: Any) -> None:
        super().__init__(**settings)
        self.form = form

    def __call__(self, x: float, pos: int | None = None) -> str:
        formula = super().__call__(x, pos)
        if formula and self.form:
            return self.form.format(x=x)
        text = re.sub(r"\$|\\mathdefault|\s", "", formula).replace(r"\times", "×")
        return re.sub(r"\^\{(.*?)\}", lambda power: power[1].translate(_RAISED), text).strip("{}")


def power_ticks(axis: mpl.axis.Axis, form: str = "") -> None:
    """Ticks of a logarithmic axis that spans many powers of ten: 10⁵. Small ones are named where these are few.

    Args:
        axis: Of logarithmic scale.
        form: A format such as "{x:g}" in which the numbers are written out; "": as powers.
    """
    axis.set_major_formatter(_Powers(form))
    axis.set_minor_formatter(_Powers(form, labelOnlyBase=False, minor_thresholds=(1, 0.4)))


def log_ticks_at(axes: Axes, values: Sequence[float], form: str) -> None:
    """A logarithmic axis to the right, with ticks at these values alone, written in this format."""
    axes.set_xscale("log")
    axes.set_xticks(values, [form.format(value) for value in values])
    axes.xaxis.set_minor_locator(mpl.ticker.NullLocator())


def finished(figure: Figure) -> Figure:
    """Close a figure for pyplot, so that a notebook shows it once, as the value of its cell."""
    plt.close(figure)
    return figure

"""What several figures draw: dots with their intervals in groups, tables as shaded cells, the front of what is best."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike

from llmarm_tutorial.figures.house_style import INK, look

LONGEST_NAME = 16  # letters of a group's name in a line: longer ones run into their neighbours


def reach(middle: ArrayLike, low: ArrayLike, high: ArrayLike) -> np.ndarray:
    """How far intervals reach to both sides of their middles, as `Axes.errorbar` takes it, shape (2, n)."""
    return np.abs(np.stack([low, high]) - np.asarray(middle))


def front(cost: np.ndarray, quality: np.ndarray) -> np.ndarray:
    """Which points no other one beats: none is as cheap and better, or as good and cheaper.

    Args:
        cost: Less is better, shape (n,).
        quality: More is better, shape (n,).

    Returns:
        Their places, cheapest first; of equal points one.
    """
    order = np.lexsort((-quality, cost))
    best = np.maximum.accumulate(np.concatenate([[-np.inf], quality[order][:-1]]))
    return order[quality[order] > best]


def legend_below(figure: Figure, colors: Mapping[str, object]) -> None:
    """What the colours of dots mean, below the axes.

    Args:
        figure: Where to draw.
        colors: Meaning → colour.
    """
    handles = [Line2D([], [], marker="o", ls="", color=color, label=label) for label, color in colors.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(6, len(handles)))


def draw_groups(
    axis: Axes,
    table: pd.DataFrame,
    group: str,
    series: str,
    columns: tuple[str, str, str] = ("mean", "low", "high"),
    size: str = "",
    unit: str = "",
) -> None:
    """Draw a dot with its interval for every series, side by side in each group.

    Args:
        axis: Where to draw.
        table: A row per group and series; both are drawn in the order of their first rows.
        group: Column of the group.
        series: Column of the series.
        columns: Columns of the middle and of the ends of the interval.
        size: Column with the size of the group, written below its name; "" or one that is not there for none.
        unit: What the size counts.
    """
    groups, names = (list(dict.fromkeys(table[column])) for column in (group, series))
    for number, name in enumerate(names):
        rows = table[table[series] == name].set_index(group).reindex(groups)
        middle, low, high = (rows[column] for column in columns)
        at = np.arange(len(groups)) + (number - (len(names) - 1) / 2) * 0.7 / len(names)
        axis.errorbar(at, middle, reach(middle, low, high), ls="none", ms=5, capsize=2, elinewidth=1.2, label=name,
                      **look(number))  # fmt: skip
    labels = [textwrap.fill(str(one), LONGEST_NAME) for one in groups]
    if size in table:
        sizes = table.drop_duplicates(group)[size]
        labels = [f"{label}\n({n:,}{unit})" for label, n in zip(labels, sizes, strict=True)]
    axis.set_xticks(range(len(groups)), labels)
    axis.set_xlim(-0.5, len(groups) - 0.5)
    axis.grid(axis="x", visible=False)


def draw_cells(
    axis: Axes,
    table: pd.DataFrame,
    shades: np.ndarray | None = None,
    form: str = ",",
    *,
    zeros: bool = True,
    rotation: float = 0,
    aspect: str = "auto",
    fontsize: float = 9,
) -> AxesImage:
    """Draw a table as cells with their numbers.

    Args:
        axis: Where to draw.
        table: The numbers.
        shades: How dark each cell is, in [0, 1], of the table's shape; None takes the numbers themselves.
        form: Format of the numbers.
        zeros: Whether zeros are written.
        rotation: Of the columns' names, in degrees.
        aspect: As in `Axes.imshow`.
        fontsize: Of the numbers.

    Returns:
        The shades, for a colour bar.
    """
    shades = table.to_numpy() if shades is None else shades
    image = axis.imshow(shades, cmap="Blues", vmin=0, vmax=1, aspect=aspect)
    for row, column in np.ndindex(table.shape):
        if zeros or table.iat[row, column]:
            color = "white" if shades[row, column] > 0.6 else INK
            axis.text(column, row, format(table.iat[row, column], form), ha="center", va="center", color=color,
                      fontsize=fontsize)  # fmt: skip
    axis.set_xticks(range(table.shape[1]), table.columns, rotation=rotation, ha="right" if rotation else "center")
    axis.set_yticks(range(len(table)), table.index)
    axis.tick_params(length=0)
    axis.grid(False)
    axis.spines[:].set_visible(False)
    return image

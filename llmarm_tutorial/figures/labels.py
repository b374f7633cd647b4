"""Names beside the points of a figure: none covers another, and each as few points and lines as there is room for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.patches import FancyArrowPatch
from matplotlib.path import Path
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from llmarm_tutorial.figures.house_style import HALO, INK, QUIET

_AROUND = np.array([(1, 0), (-1, 0), (0, 1), (0.75, 0.75), (-0.75, 0.75), (0, -1), (0.75, -0.75), (-0.75, -0.75)])
_OUTSIDE, _NAME, _POINT, _LINE, _STEP = 1000, 100, 3, 1, 1  # how bad it is to leave the axes, cover a name, …


def short(name: str, most: int) -> str:
    """A name of at most so many characters, cut at its end."""
    return name if len(name) <= most else f"{name[: most - 1]}…"


def write_names(
    axis: Axes,
    points: np.ndarray,
    names: Mapping[int, str],
    areas: float | np.ndarray = 40.0,
    *,
    gaps: Sequence[float] = (4, 14, 26, 38, 52),
    fontsize: float = 8,
    drop: bool = False,
) -> None:
    """Write names beside points, inside the axes, once all else is drawn.

    Every place around a point is weighed, and the best one taken, of equal ones the nearest.

    Args:
        axis: Where to write; its limits must not change later.
        points: All points drawn, in the units of the data, shape (n_points, 2).
        names: Row in `points` → what is written beside it, the most important ones first.
        areas: Areas of the points as in `Axes.scatter`, in square points of print, one or shape (n_points,).
        gaps: Distances from the edge of the point that are tried, in points of print; from the second on, a thin line
            leads to the point.
        fontsize: In points of print.
        drop: Leave out a name that has no room: it would cover another name or several points, or leave the axes.
    """
    figure = axis.figure
    figure.draw_without_rendering()  # fixes the layout, so that places are those of the finished figure
    scale = figure.dpi / 72
    pixels = axis.transData.transform(np.asarray(points, dtype=float))
    radius = np.broadcast_to(np.sqrt(areas) / 2 * scale, len(pixels))
    taken = [text.get_window_extent().extents for text in axis.texts]
    lines = _lines(axis)
    for row, name in names.items():
        size = _size(axis, name, fontsize)
        far = np.repeat(radius[row] + np.array(gaps) * scale, len(_AROUND))[:, None]
        toward = np.tile(_AROUND, (len(gaps), 1))
        corner = pixels[row] + far * toward - size * (1 - np.sign(toward)) / 2
        boxes = np.hstack([corner, corner + size])
        crowded = _OUTSIDE * _outside(boxes, axis.get_window_extent().extents) + _NAME * _overlaps(boxes, taken)
        covered = (_distances(boxes, pixels) < radius).sum(axis=1)
        crossed = np.array([sum(line.intersects_bbox(Bbox.from_extents(box), filled=False) for line in lines)
                            for box in boxes])  # fmt: skip
        step = np.repeat(np.arange(len(gaps)), len(_AROUND))
        best = int(np.argmin(crowded + _POINT * covered + _LINE * crossed + _STEP * step))
        if drop and (crowded[best] or covered[best] > 1):
            continue
        text = axis.annotate(
            name, points[row], xytext=(corner[best] - pixels[row]) / scale, textcoords="offset points", ha="left",
            va="bottom", fontsize=fontsize, color=INK, path_effects=HALO, zorder=4,
            arrowprops={"arrowstyle": "-", "color": QUIET, "lw": 0.6} if step[best] else None,
        )  # fmt: skip
        text.set_in_layout(False)  # or the axes would move away under the names
        taken.append(boxes[best])


def _size(axis: Axes, name: str, fontsize: float) -> np.ndarray:
    """Width and height of a text, in pixels."""
    text = Text(0, 0, name, fontsize=fontsize, figure=axis.figure)
    return np.array(text.get_window_extent().size)


def _lines(axis: Axes) -> list[Path]:
    """All lines drawn in the axes, in pixels."""
    drawn = [line for line in axis.get_lines() if line.get_linestyle() != "None"]
    lines = [line.get_transform().transform_path(line.get_path()) for line in drawn]
    arrows = [patch for patch in axis.patches if isinstance(patch, FancyArrowPatch)]
    lines += [arrow.get_transform().transform_path(arrow.get_path()) for arrow in arrows]
    several = [artist for artist in axis.collections if isinstance(artist, LineCollection)]
    return lines + [artist.get_transform().transform_path(path) for artist in several for path in artist.get_paths()]


def _outside(boxes: np.ndarray, frame: np.ndarray) -> np.ndarray:
    return ((boxes[:, :2] < frame[:2]) | (boxes[:, 2:] > frame[2:])).any(axis=1)


def _overlaps(boxes: np.ndarray, others: Sequence[np.ndarray]) -> np.ndarray:
    """How many of the others each box overlaps."""
    other = np.reshape(others, (-1, 4))
    apart = (boxes[:, None, :2] >= other[None, :, 2:]) | (boxes[:, None, 2:] <= other[None, :, :2])
    return (~apart.any(axis=2)).sum(axis=1)


def _distances(boxes: np.ndarray, points: np.ndarray) -> np.ndarray:
    """From each box to each point, 0 inside, shape (n_boxes, n_points)."""
    beyond = np.maximum(np.maximum(boxes[:, None, :2] - points, points - boxes[:, None, 2:]), 0)
    return np.hypot(beyond[..., 0], beyond[..., 1])

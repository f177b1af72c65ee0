"""Curves with their names at their ends: functions, and losses over a run."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING, Any, Mapping, NamedTuple

import numpy as np

from minigan.plot.settings import drawn, plain
from minigan.plot.style import COLOURS, MUTED, PAPER, colour, reference_line, styled_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Series = Mapping[str, tuple[Any, Any]]  # name -> (x, y), two vectors of one length
NAME_SIZE = 9.0          # points
NAME_DISTANCE = 0.062    # between two names, as a share of the height of the axes
MEDIANS = 400            # the most points of a running median

__all__ = ["Series", "lines", "loss_curves"]


class End(NamedTuple):
    """What stands at the right end of a curve."""

    name: str
    colour: str
    y: np.ndarray  # the curve's values; its name stands at the height of the last


@drawn
def lines(series: Series, title: str = "", caption: str = "", x_label: str = "", y_label: str = "",
          dots: Series | None = None, log: bool = False, from_zero: bool = False,
          on: Axes | None = None) -> Figure:
    """Curves by name, each labelled at its right end.

    series: name -> (x, y). dots: the same, drawn as points, in the colour of the curve of that name
    if there is one. log: a logarithmic y axis. from_zero: one that begins at 0. caption: one line
    under the plot. on: an Axes of `panels`.
    """
    figure, ax = styled_axes(on, title, caption, x_label, y_label)
    if log:
        ax.set_yscale("log")

    dots = dots or {}
    names = dict.fromkeys([*series, *dots])  # each once, in order
    colours = dict(zip(names, cycle(COLOURS)))
    ends = []
    for name, (x, y) in series.items():
        ax.plot(x, y, color=colours[name], linewidth=1.8)
        ends.append(End(name, colours[name], np.asarray(y, float)))
    for name, (x, y) in dots.items():
        ax.plot(x, y, linestyle="none", marker="o", markersize=4.4, markerfacecolor=PAPER,
                markeredgecolor=colours[name], markeredgewidth=1.2, zorder=3, clip_on=False)
        if name not in series:
            ends.append(End(name, colours[name], np.asarray(y, float)))

    if from_zero:
        ax.set_ylim(bottom=0)
    _name_ends(ax, ends)
    return figure


@drawn
def loss_curves(series: Series, caption: str = "", title: str = "", x_label: str = "step",
                levels: Mapping[str, float] | None = None, on: Axes | None = None) -> Figure:
    """Losses over steps: every value thin, the running median (over a 30th of the run) bold.

    series: name -> (steps, values). caption: one line under the plot that says what a normal curve
    looks like. levels: dashed lines to compare with, by name. on: an Axes of `panels`. A few
    outliers do not set the scale; values that are not finite are left out.
    """
    figure, ax = styled_axes(on, title, caption, x_label)
    ends = []
    heights = []  # what the vertical axis must show
    for i, (name, (steps, values)) in enumerate(series.items()):
        x = np.asarray(steps, float)
        y = np.asarray(values, float)
        x = x[np.isfinite(y)]
        y = y[np.isfinite(y)]
        at, medians = _running_median(y, len(y) // 60)
        ax.plot(x, y, color=colour(i), linewidth=0.6, alpha=0.28)
        ax.plot(x[at], medians, color=colour(i), linewidth=1.9, zorder=3)
        ends.append(End(name, colour(i), medians))
        if len(y):
            heights += [np.percentile(y, (1, 99)), medians]

    for name, level in (levels or {}).items():
        reference_line(ax, y=level)
        ends.append(End(name, MUTED, np.array([level])))
        heights.append(np.array([level]))

    if heights:
        _fit_height(ax, np.concatenate(heights))
    _name_ends(ax, ends)
    return figure


def _running_median(y: np.ndarray, half: int) -> tuple[np.ndarray, np.ndarray]:
    """Up to 400 positions in y, and the median of y from `half` before to `half` after each."""
    count = min(len(y), MEDIANS)
    at = np.unique(np.linspace(0, len(y) - 1, count).astype(int))
    medians = []
    for i in at:
        window = y[max(0, i - half):i + half + 1]
        medians.append(np.median(window))
    return at, np.array(medians)


def _fit_height(ax: Axes, values: np.ndarray) -> None:
    """Let the vertical axis show these values and a little room."""
    low = values.min()
    high = values.max()
    room = 0.06 * (high - low or abs(high) or 1)
    ax.set_ylim(low - room, high + room)


def _name_ends(ax: Axes, ends: list[End]) -> None:
    """Names at the right ends of curves, in their colours, moved apart where they would collide."""
    ends = [end for end in ends if len(end.y)]
    ax.get_ylim()  # fixes the scale, which the next line reads
    to_axes = ax.transScale + ax.transLimits  # from data to shares of the axes' width and height
    x = 0 if ax.get_xscale() == "linear" else 1
    heights = []
    for end in ends:
        _, height = to_axes.transform((x, end.y[-1]))
        heights.append(float(np.clip(height, 0, 1)))

    order = np.argsort(heights, kind="stable")
    moved = _apart(sorted(heights), NAME_DISTANCE)
    for height, i in zip(moved, order):
        end = ends[i]
        ax.text(1.012, height, plain(end.name), transform=ax.transAxes, size=NAME_SIZE,
                va="center", weight="bold", color=end.colour)


def _apart(heights: list[float], distance: float) -> list[float]:
    """Sorted numbers, moved as little as possible (least squares) until `distance` apart.

    The i-th less i * distance has to be non-decreasing: isotonic regression, by pooling adjacent
    violators.
    """
    blocks: list[tuple[float, int]] = []  # sum and count of numbers that share one value
    for i, height in enumerate(heights):
        total = height - i * distance
        count = 1
        while blocks and blocks[-1][0] / blocks[-1][1] > total / count:
            before, length = blocks.pop()
            total = before + total
            count += length
        blocks.append((total, count))

    levels: list[float] = []
    for total, count in blocks:
        levels += [total / count] * count
    return [level + i * distance for i, level in enumerate(levels)]

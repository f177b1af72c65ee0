"""Charts of numbers other than curves: distributions, points, the plane, rows of names."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING, Any, Mapping, Sequence

import numpy as np

from minigan.plot.settings import drawn, plain
from minigan.plot.style import (COLOURS, FAINT, INK, MUTED, PAPER, colour, diverging, legend,
                                panels, reference_line, styled_axes)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEVELS = 22  # of a function of the plane


@drawn
def histogram(values: Mapping[str, Any], bins: int = 50, title: str = "", caption: str = "",
              x_label: str = "", on: Axes | None = None) -> Figure:
    """Distributions of one or several named arrays, as the share of values in each bin.

    values: name -> numbers of any shape. bins: how many; all arrays share their edges. on: an Axes
    of `panels`.
    """
    figure, ax = styled_axes(on, title, caption, x_label)
    arrays = {name: np.ravel(np.asarray(numbers, float)) for name, numbers in values.items()}
    edges = np.histogram_bin_edges(np.concatenate([*arrays.values()]), bins)
    for i, (name, numbers) in enumerate(arrays.items()):
        counts, _ = np.histogram(numbers, edges)
        shares = counts / max(len(numbers), 1)
        ax.stairs(shares, edges, fill=True, color=colour(i), alpha=0.18)
        ax.stairs(shares, edges, color=colour(i), linewidth=1.5, label=plain(name))
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    _legend_of_several(ax, len(values))
    return figure


@drawn
def scatter(points: Mapping[str, np.ndarray], limit: float | None = None, title: str = "",
            caption: str = "", on: Axes | None = None) -> Figure:
    """Clouds of points in the plane by name, later ones on top.

    points: name -> (N, 2). limit: the axes go from -limit to limit, so that pictures over time can
    be compared. on: an Axes of `panels`.
    """
    figure, ax = styled_axes(on, title, caption, square=True)
    for i, (name, xy) in enumerate(points.items()):
        x, y = xy.T
        ax.scatter(x, y, s=7, linewidths=0, alpha=0.55, label=plain(name), color=colour(i))
    if limit:
        ax.set(xlim=(-limit, limit), ylim=(-limit, limit))
    _legend_of_several(ax, len(points))
    return figure


@drawn
def level_sets(xx: np.ndarray, yy: np.ndarray, zz: np.ndarray, points: np.ndarray | None = None,
               title: str = "", caption: str = "", on: Axes | None = None) -> Figure:
    """A function of the plane as filled levels around its median, which is white.

    xx, yy, zz: (H, W), as `np.meshgrid` makes them. points: (N, 2), drawn on top. on: an Axes of
    `panels`.
    """
    figure, ax = styled_axes(on, title, caption, square=True)
    middle = np.median(zz)
    top = float(np.abs(zz - middle).max()) or 1.0
    levels = middle + np.linspace(-top, top, LEVELS)
    ax.contourf(xx, yy, zz, levels=levels, cmap=diverging(), alpha=0.75)
    ax.contour(xx, yy, zz, levels=levels, colors=PAPER, linewidths=0.5, linestyles="solid")
    if points is not None:
        x, y = points.T
        ax.scatter(x, y, s=6, linewidths=0, alpha=0.6, color=INK, zorder=3)
        ax.set_xlim(xx.min(), xx.max())
        ax.set_ylim(yy.min(), yy.max())
    return figure


# ---------------------------------------------------------------- rows of names

@drawn
def ranges(series: Mapping[str, Mapping[str, tuple[float, float, float]]], title: str = "",
           caption: str = "", level: float | None = None) -> Figure:
    """Medians as dots on lines from the lowest to the highest value, one row for each name.

    series: series -> name -> (median, low, high). level: a dashed line to compare with.
    """
    names = list(dict.fromkeys(name for values in series.values() for name in values))
    count = sum(len(values) for values in series.values())
    figure, axes = panels(1, 7.2, 0.16 * count + 0.2 * len(names) + 1.5, caption=caption)
    ax = axes[0]
    _name_rows(ax, names, title)

    colours = dict(zip(series, cycle(COLOURS)))
    labelled = set()
    for row, name in enumerate(names):
        labels = [label for label in series if name in series[label]]
        distance = 0.72 / max(len(labels), 2)
        for i, label in enumerate(labels):
            median, low, high = series[label][name]
            y = row + (i - (len(labels) - 1) / 2) * distance
            in_key = "" if label in labelled else plain(label)
            labelled.add(label)
            ax.plot([low, high], [y, y], color=colours[label], linewidth=2.2, alpha=0.4,
                    solid_capstyle="round")
            ax.plot([median], [y], "o", color=colours[label], markersize=5.5,
                    markeredgecolor=PAPER, markeredgewidth=0.8, label=in_key, zorder=3)

    ax.set_xlim(left=0)
    if level is not None:
        reference_line(ax, x=level)
    _legend_beside(ax)
    return figure


@drawn
def bars(names: Sequence[str], charts: Mapping[str, Mapping[str, Sequence[float]]],
         title: str = "", caption: str = "", same_scale: bool = False) -> Figure:
    """Bar charts side by side with one row for each name.

    charts: title of a chart -> piece of a bar -> its length in each row; pieces follow one another.
    same_scale: give all charts the scale of the longest bar.
    """
    figure, axes = panels(len(charts), 4.4, 0.27 * len(names) + 1.3, title, caption)
    ends = []  # of each chart, where its bars end
    for ax, (label, pieces) in zip(axes, charts.items()):
        _name_rows(ax, names if ax is axes[0] else [""] * len(names), label)
        ends.append(_stacked_bars(ax, len(names), pieces))

    longest = [end.max() or 1 for end in ends]
    if same_scale:
        longest = [max(longest)] * len(charts)
    for ax, length in zip(axes, longest):
        ax.set_xlim(0, 1.16 * length)
    _legend_beside(axes[-1])
    return figure


def _stacked_bars(ax: Axes, rows: int, pieces: Mapping[str, Sequence[float]]) -> np.ndarray:
    """Draw a bar in each row, with its length beside it; returns the lengths."""
    ends = np.zeros(rows)
    for i, (piece, lengths) in enumerate(pieces.items()):
        ax.barh(range(rows), lengths, left=ends, height=0.62, color=colour(i), label=plain(piece),
                linewidth=0)
        ends += np.asarray(lengths, float)
    for row, end in enumerate(ends):
        number = f"{end:,.0f}" if end >= 1000 else f"{end:.3g}"
        ax.text(end, row, f" {number}" if end else "", va="center", size=8, color=MUTED)
    return ends


def _name_rows(ax: Axes, names: Sequence[str], title: str) -> None:
    """Style an Axes whose vertical axis has names, the first on top."""
    styled_axes(ax, title)
    ax.set_yticks(range(len(names)), [plain(name) for name in names])
    ax.tick_params(axis="y", labelcolor=INK)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.grid(axis="y", visible=False)
    ax.grid(axis="x", color=FAINT, linewidth=0.8)


def _legend_beside(ax: Axes) -> None:
    """A key at the right of the chart, where no bar or point can be below it."""
    legend(ax, loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0)


def _legend_of_several(ax: Axes, count: int) -> None:
    """A key, unless there is only one thing to name."""
    if count > 1:
        legend(ax, loc="best", borderaxespad=0.2)

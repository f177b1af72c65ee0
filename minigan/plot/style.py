"""The house's look: colours and sizes, and the figures, axes and legends that every chart starts
from.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

from minigan.plot.raster import encoded
from minigan.plot.saving import pixels
from minigan.plot.settings import drawn, plain
from minigan.system.notebook import or_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

INK = "#1f2933"    # titles and names
MUTED = "#66717d"  # captions, labels, numbers, lines to compare with
FAINT = "#e4e7eb"  # grids and frames
PAPER = "#ffffff"
AXIS = "#b5bdc6"   # the horizontal axis
COLOURS = ("#2563a8", "#d9622b", "#2e8b6f", "#8a4fa3", "#b8860b", "#5b6770", "#c2477f", "#4aa3c7")

DPI = 150
TITLE = 11.0       # points
SUBTITLE = 9.5     # of one plot among several
TEXT = 8.5         # of all other words
LETTERS = 14.5     # characters of a caption an inch
DASHED = (0, (4, 3))


def colour(i: int) -> str:
    """The colour of the i-th series; after the last colour comes the first again."""
    return COLOURS[i % len(COLOURS)]


def diverging() -> Colormap:
    """Colours of signed numbers: orange below, white at 0, blue above."""
    from matplotlib.colors import LinearSegmentedColormap

    stops = ["#8c3b12", COLOURS[1], "#f7d3bd", PAPER, "#c3d7ec", COLOURS[0], "#123a66"]
    return LinearSegmentedColormap.from_list("minigan", stops, N=257)  # odd: the middle is white


def wrapped(text: str, width: float, letters: float = LETTERS) -> list[str]:
    """A text in lines that fit `width` inches, at `letters` characters an inch."""
    return textwrap.wrap(text, max(20, int(width * letters)))


# ---------------------------------------------------------------- figures

def new_figure(width: float, height: float, dpi: int = DPI, layout: Any = None) -> Figure:
    """An empty Figure of that many inches that a notebook displays by itself.

    layout: matplotlib's, such as "constrained".
    """
    from matplotlib.figure import Figure

    class Picture(Figure):
        """A Figure that needs no pyplot to be displayed."""

        @drawn
        def draw(self, renderer: Any) -> None:
            super().draw(renderer)

        @or_text
        def _repr_png_(self) -> bytes:
            return encoded(pixels(self))

    return Picture((width, height), dpi=dpi, facecolor=PAPER, layout=layout)


@drawn
def panels(count: int, width: float = 3.2, height: float | None = None, title: str = "",
           caption: str = "") -> tuple[Figure, list[Axes]]:
    """A Figure with `count` empty Axes side by side, for the functions that take `on`.

    width, height: inches of a panel; height None leaves room for a square. title, caption: above
    and below all of them.
    """
    if not height:
        height = width
        height += 0.45 * bool(title) + 0.35 * bool(caption)
    figure = new_figure(width * count, height, layout="constrained")
    figure.get_layout_engine().set(w_pad=0.12, h_pad=0.12)  # type: ignore
    axes = [figure.add_subplot(1, count, i + 1) for i in range(count)]

    if title:
        figure.suptitle(plain(title), x=0.012, ha="left", size=TITLE, weight="bold", color=INK)
    if caption:
        below = "\n".join(wrapped(caption, width * count))
        figure.supxlabel(plain(below), x=0.012, ha="left", size=TEXT, color=MUTED)
    return figure, axes


# ---------------------------------------------------------------- axes

def styled_axes(on: Axes | None, title: str, caption: str = "", x_label: str = "",
                y_label: str = "", square: bool = False) -> tuple[Figure, Axes]:
    """An Axes in the house's style, and its Figure: a new one, or `on`.

    It has no box, faint lines at the ticks, and its title at the left. square: the plane, with both
    axes to one scale, in a faint box and without ticks. A caption of `on` goes below its x label,
    that of a new figure below all.
    """
    if on is None:
        width, height = (4.2, 4.2) if square else (7.2, 4.0)
        figure, (ax,) = panels(1, width, height, caption=caption)
        title_size = TITLE
        caption = ""
    else:
        ax = on
        figure = on.figure  # type: ignore[assignment]
        title_size = SUBTITLE

    ax.set_title(plain(title), loc="left", size=title_size, weight="bold", color=INK, pad=9)
    below = "\n".join(filter(None, [x_label, caption]))
    ax.set_xlabel(plain(below), size=TEXT, color=MUTED)
    ax.set_ylabel(plain(y_label), size=TEXT, color=MUTED)
    ax.tick_params(which="both", length=0, labelsize=TEXT, labelcolor=MUTED, pad=5)

    if square:
        for spine in ax.spines.values():
            spine.set(visible=True, color=FAINT, linewidth=0.9)
        ax.set_aspect("equal")
        ax.set(xticks=[], yticks=[])
    else:
        for side, spine in ax.spines.items():
            spine.set(visible=side == "bottom", color=AXIS, linewidth=0.9)
        ax.grid(axis="y", color=FAINT, linewidth=0.8)
        ax.set_axisbelow(True)
        ax.margins(x=0.01)
    return figure, ax


def reference_line(ax: Axes, y: float | None = None, x: float | None = None) -> None:
    """A dashed line across the plot to compare with, horizontal at y or vertical at x."""
    if y is not None:
        ax.axhline(y, color=MUTED, linewidth=0.9, linestyle=DASHED, zorder=2)
    if x is not None:
        ax.axvline(x, color=MUTED, linewidth=0.9, linestyle=DASHED, zorder=1)


def legend(ax: Axes, **where: Any) -> None:
    """A key to the colours, without a frame. where: `loc` and such arguments of matplotlib."""
    ax.legend(frameon=False, fontsize=TEXT, labelcolor=INK, handlelength=1, **where)

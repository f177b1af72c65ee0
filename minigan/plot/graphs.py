"""Layouts of graphs drawn: boxes, arrows, a key to their colours.

The protocols below are all that this file knows of a layout; `minigan.graph.layout` makes them.
Lengths are in ems, the size of a layout's text, with y downwards.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol, Sequence

from minigan.plot.settings import drawn, plain
from minigan.plot.style import COLOURS, FAINT, INK, MUTED, PAPER, TEXT, new_figure, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FILL = {"leaf": PAPER, "parameter": "#e3f3ec", "op": "#e7eff8", "gradient": "#fdece2"}
EDGE = {"leaf": MUTED, "parameter": COLOURS[2], "op": COLOURS[0], "gradient": COLOURS[1]}
MEANING = {"leaf": "input or constant", "parameter": "parameter", "op": "forward",
           "gradient": "backward"}
ARROW = "#9db2c8"
GRADIENT_ARROW = "#e0a98a"
SIGNS = {"*": "\u00d7", "-": "\u2212", "/": "\u00f7", "**": "^"}  # as they are printed

EM = TEXT / 72   # inches
LARGEST = 40.0   # inches; a larger picture is drawn smaller

MARGIN = 1.7         # ems, around the picture
HEADING = 3.0        # for the titles
BETWEEN = 4.6        # graphs side by side
KEY_HEIGHT = 2.6
LINE_HEIGHT = 1.5    # of the caption


class Node(Protocol):
    """A box with its centre at x, y.

    kind: "output" is drawn strong. members: more than 1 are drawn as a pile.
    """

    label: str
    kind: str
    detail: str
    members: int
    x: float
    y: float
    width: float
    height: float

    @property
    def look(self) -> str:
        """What decides its colours: a key of FILL."""


class Edge(Protocol):
    """An arrow through points (x, y)."""

    gradient: bool
    points: list[tuple[float, float]]


class Layout(Protocol):
    """A graph, width x height ems large; direction: "down" or "right"."""

    @property
    def nodes(self) -> Sequence[Node]:
        """Its boxes."""

    @property
    def edges(self) -> Sequence[Edge]:
        """Its arrows."""

    width: float
    height: float
    direction: str


class Entry(NamedTuple):
    """One colour in the key. look: a key of FILL; width: the room that it takes, in ems."""

    look: str
    meaning: str
    width: float


@drawn
def graph(*layouts: Layout, titles: Sequence[str] = (), caption: str = "") -> Figure:
    """Draw one or several layouts of `minigan.graph` in one picture, with a key to the colours.

    Layouts that point down stand side by side, those that point right one below the other. titles:
    of the first layouts. A picture of more than 40 inches is drawn smaller.
    """
    titles = [*titles, *[""] * (len(layouts) - len(titles))]
    head = HEADING if any(titles) else 0.0
    beside = layouts[0].direction == "down"
    corners, right = _corners(layouts, titles, head, beside)
    bottom = max(y + head + layout.height for (_, y), layout in zip(corners, layouts)) + 1.8

    key = _key(layouts)
    right = max(right, sum(entry.width for entry in key) + MARGIN)
    width = right + MARGIN
    below = wrapped(caption, right * EM)
    height = bottom + KEY_HEIGHT + LINE_HEIGHT * len(below) + 0.5 * bool(below)

    unit = min(EM, LARGEST / width, LARGEST / height)  # inches
    em = 72 * unit                                     # points
    figure = new_figure(width * unit, height * unit)
    ax = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
    ax.set_axis_off()

    for layout, title, (x, y) in zip(layouts, titles, corners):
        ax.text(x, y + 0.2, plain(title), size=1.25 * em, weight="bold", color=INK, va="center")
        _draw_edges(ax, layout, x, y + head, em)
        for node in layout.nodes:
            _draw_node(ax, node, x + node.x, y + head + node.y, em)
    if beside:
        for x, y in corners[1:]:
            middle = x - BETWEEN / 2
            ax.plot([middle, middle], [y, bottom - 1.8], color=FAINT, linewidth=0.12 * em)

    _draw_key(ax, key, bottom, em)
    for i, line in enumerate(below):
        ax.text(MARGIN, bottom + 2.8 + LINE_HEIGHT * i, plain(line), size=em, color=MUTED,
                va="center_baseline")
    return figure


def _corners(layouts: Sequence[Layout], titles: Sequence[str], head: float, beside: bool
             ) -> tuple[list[tuple[float, float]], float]:
    """The upper left corner of each graph and its title, and where the last one ends at the right.
    """
    corners = []
    x = y = MARGIN
    right = 0.0
    for layout, title in zip(layouts, titles):
        corners.append((x, y))
        width = max(layout.width, 0.8 * len(title))
        right = max(right, x + width)
        if beside:
            x += width + BETWEEN
        else:
            y += head + layout.height + BETWEEN / 2
    return corners, right


# ---------------------------------------------------------------- the key

def _key(layouts: Sequence[Layout]) -> list[Entry]:
    """An entry for each colour that is used."""
    used = {node.look for layout in layouts for node in layout.nodes}
    key = []
    for look, meaning in MEANING.items():
        if look in used:
            key.append(Entry(look, meaning, 3.6 + 0.46 * len(meaning)))
    return key


def _draw_key(ax: Axes, key: Sequence[Entry], top: float, em: float) -> None:
    x = MARGIN
    for look, meaning, width in key:
        _draw_box(ax, x, top, 1.5, 1.0, look, em)
        ax.text(x + 2.0, top + 0.52, meaning, size=0.9 * em, color=MUTED, va="center_baseline")
        x += width


# ---------------------------------------------------------------- nodes and edges

def _draw_node(ax: Axes, node: Node, x: float, y: float, em: float) -> None:
    """A node with its centre at x, y."""
    strong = node.kind == "output"
    left = x - node.width / 2
    top = y - node.height / 2
    if node.members > 1:  # a pile stands for several nodes
        for shift in (0.6, 0.3):
            _draw_box(ax, left + shift, top + shift, node.width, node.height, node.look, em, strong)
    _draw_box(ax, left, top, node.width, node.height, node.look, em, strong)

    label = plain(" ".join(SIGNS.get(word, word) for word in node.label.split(" ")))
    colour = PAPER if strong else INK
    if not node.detail:
        ax.text(x, y, label, size=em, ha="center", va="center_baseline", zorder=3, color=colour)
        return
    ax.text(x, y - 0.52, label, size=em, ha="center", va="center", zorder=3, color=colour)
    detail = plain(node.detail)
    colour = PAPER if strong else MUTED
    ax.text(x, y + 0.62, detail, size=0.8 * em, ha="center", va="center", zorder=3, color=colour)


def _draw_box(ax: Axes, x: float, y: float, width: float, height: float, look: str, em: float,
              strong: bool = False) -> None:
    """A box with round corners, a leaf's rounder; x, y: its upper left corner."""
    from matplotlib.patches import FancyBboxPatch

    radius = min(height / 2, 1.1) if look == "leaf" else 0.35
    inner_width = max(width - 2 * radius, 0.01)
    inner_height = max(height - 2 * radius, 0.01)
    fill = EDGE[look] if strong else FILL[look]
    ax.add_patch(FancyBboxPatch(
        (x + radius, y + radius), inner_width, inner_height, boxstyle=f"round,pad={radius}",
        facecolor=fill, edgecolor=EDGE[look], linewidth=0.12 * em, zorder=2))


def _draw_edges(ax: Axes, layout: Layout, left: float, top: float, em: float) -> None:
    """Smooth arrows: a cubic from point to point that leaves and arrives in the layout's direction.
    """
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path

    for edge in layout.edges:
        points = [(left + x, top + y) for x, y in edge.points]
        vertices = [points[0]]
        codes = [Path.MOVETO]
        for (x0, y0), (x1, y1) in zip(points, points[1:]):
            if layout.direction == "down":
                middle = (y0 + y1) / 2
                vertices += [(x0, middle), (x1, middle), (x1, y1)]
            else:
                middle = (x0 + x1) / 2
                vertices += [(middle, y0), (middle, y1), (x1, y1)]
            codes += [Path.CURVE4] * 3
        ax.add_patch(FancyArrowPatch(
            path=Path(vertices, codes), arrowstyle="-|>,head_length=0.35,head_width=0.18",
            mutation_scale=em, linewidth=0.1 * em, shrinkA=0, shrinkB=0, zorder=1,
            color=GRADIENT_ARROW if edge.gradient else ARROW, joinstyle="round"))

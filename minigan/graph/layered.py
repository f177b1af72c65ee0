"""Where to draw a graph: boxes in layers, with few crossings and few bends.

The layout is layered (Sugiyama, Tagawa, Toda 1981: Methods for visual understanding of hierarchical
system structures), in four steps: a layer for every node and points where long edges pass a layer
(`layers`), an order within each layer (`ordering`), and coordinates (`coordinates`). It works on
any graph without cycles and knows no tensor. Nothing is recursive: a chain of 10,000 is fine.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Sequence

from minigan import plot
from minigan.graph.coordinates import coordinates
from minigan.graph.layers import Pair, Rows, assign_layers, make_rows
from minigan.graph.ordering import reorder
from minigan.system.notebook import or_text

# Ems.
GAP = 1.3                # between boxes
BETWEEN_LAYERS = 2.1
BEND = 0.7               # room for an edge that passes a layer
BEND_MARGIN = 0.3        # from such an edge to the end of the picture
PADDING = 1.4            # around a box's words
LETTER = 0.62            # the width of a letter of a label,
SMALL_LETTER = 0.5       # and of a detail
HEIGHT = 1.9             # of a box with a label,
HIGH = 2.9               # and with a detail, too


@dataclass
class Node:
    """A box: what it says, what it is, and where it is (the centre, in ems, y downwards).

    kind: "leaf", "parameter", "op", "gradient" (made by a backward rule) or "output".
    gradient: whether a backward rule made it, also for outputs. group: the layer it belongs to.
    members: how many tensors the box stands for.
    """

    label: str
    kind: str = "op"
    detail: str = ""
    gradient: bool = False
    group: str = ""
    members: int = 1
    layer: int = 0
    x: float = 0.0
    y: float = 0.0
    width: float = 0.0
    height: float = 0.0

    @property
    def is_leaf(self) -> bool:
        """Whether no op computed it."""
        return self.kind in ("leaf", "parameter")

    @property
    def look(self) -> str:
        """The kind whose colours it has; an output has those of its op."""
        if self.kind != "output":
            return self.kind
        return "gradient" if self.gradient else "op"


@dataclass
class Edge:
    """From nodes[source] to nodes[target], through points that the curve passes."""

    source: int
    target: int
    gradient: bool = False
    points: list[tuple[float, float]] = field(default_factory=list)


@dataclass
class Layout:
    """A graph that can be drawn: 0 <= x <= width, 0 <= y <= height."""

    nodes: list[Node]
    edges: list[Edge]
    width: float = 0.0
    height: float = 0.0
    direction: str = "down"

    @or_text
    def _repr_png_(self) -> bytes:
        return plot.png(plot.graph(self))


def arrange(nodes: list[Node], edges: Sequence[Pair], direction: str = "down") -> Layout:
    """Place any graph without cycles: fills in the nodes' layer, x, y, width and height.

    edges: pairs (source, target) of positions in `nodes`; repeated ones are drawn side by side.
    direction: "down" or "right".

    Raises:
        ValueError: the edges have a cycle.
    """
    for node in nodes:
        node.width = PADDING + max(LETTER * len(node.label), SMALL_LETTER * len(node.detail))
        node.height = HIGH if node.detail else HEIGHT
    down = direction == "down"
    breadths = [node.width if down else node.height for node in nodes]
    depths = [node.height if down else node.width for node in nodes]

    layers, longest_paths = assign_layers(len(nodes), edges)
    rows = make_rows(layers, edges)
    reorder(rows)
    sizes = [breadth + GAP for breadth in breadths]
    sizes += [BEND] * (rows.slots - len(nodes))
    across = coordinates(rows, sizes, longest_paths)
    left, right = _extent(rows, breadths, across)
    middles, thickness, extent = _bands(layers, depths)

    def turned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
        """Points (across, along) as (x, y), from the drawing's corner on."""
        shifted = [(a - left, b) for a, b in points]
        return shifted if down else [(b, a) for a, b in shifted]

    curves = []
    ports = _ports(rows, edges, breadths, across)
    for e, (source, target) in enumerate(edges):
        begin = middles[layers[source]] + depths[source] / 2
        end = middles[layers[target]] - depths[target] / 2
        points = [(across[source], begin)]
        for layer, bend in enumerate(rows.bends[e], layers[source] + 1):
            points.append((across[bend], middles[layer] - thickness[layer] / 2))
            points.append((across[bend], middles[layer] + thickness[layer] / 2))
        points.append((across[target] + ports[e], end))
        curves.append(Edge(source, target, nodes[target].gradient, turned(points)))

    centres = turned([(across[i], middles[layer]) for i, layer in enumerate(layers)])
    for node, layer, (x, y) in zip(nodes, layers, centres):
        node.layer = layer
        node.x = x
        node.y = y
    width = right - left
    height = extent
    if not down:
        width, height = height, width
    return Layout(nodes, curves, width, height, direction)


def _extent(rows: Rows, breadths: Sequence[float], across: Sequence[float]) -> tuple[float, float]:
    """Where the drawing begins and ends across the layers."""
    lows = [across[i] - breadth / 2 for i, breadth in enumerate(breadths)]
    highs = [across[i] + breadth / 2 for i, breadth in enumerate(breadths)]
    lows += [across[bend] - BEND_MARGIN for passed in rows.bends for bend in passed]
    highs += [across[bend] + BEND_MARGIN for passed in rows.bends for bend in passed]
    return min(lows, default=0.0), max(highs, default=0.0)


def _bands(layers: Sequence[int], depths: Sequence[float]
           ) -> tuple[list[float], list[float], float]:
    """The middle and the thickness of each layer, and where the last one ends.

    A layer is as thick as its deepest box.
    """
    thickness = [0.0] * (max(layers, default=-1) + 1)
    for layer, depth in zip(layers, depths):
        thickness[layer] = max(thickness[layer], depth)

    middles = []
    at = 0.0
    for thick in thickness:
        middles.append(at + thick / 2)
        at += thick + BETWEEN_LAYERS
    return middles, thickness, max(at - BETWEEN_LAYERS, 0.0)


def _ports(rows: Rows, edges: Sequence[Pair], breadths: Sequence[float], across: Sequence[float]
           ) -> list[float]:
    """How far from the middle of its box each edge ends: those into one box end side by side."""
    entering: list[list[int]] = [[] for _ in breadths]
    for e, (_, target) in enumerate(edges):
        entering[target].append(e)

    def comes_from(e: int) -> float:
        """Where an edge comes from: its last bend, or its source."""
        source, _ = edges[e]
        slot = rows.bends[e][-1] if rows.bends[e] else source
        return across[slot]

    ports = [0.0] * len(edges)
    for target, arriving in enumerate(entering):
        arriving.sort(key=comes_from)
        step = min(1.0, 0.6 * breadths[target] / max(len(arriving), 1))
        for i, e in enumerate(arriving):
            ports[e] = (i - (len(arriving) - 1) / 2) * step
    return ports

"""The picture of a graph: of a function, or of its gradient, which is a graph like any other.

    draw(y, "graph.png")                                # y and everything it was computed from
    gx = grad(y, x, create_graph=True)
    draw(gx, "gradient.png", names={"x": x})            # what backward rules made looks different
    print(to_dot(gx)), print(to_mermaid(gx))            # the same as text for other tools

`layout` turns tensors into nodes and edges with places; `plot.graph` draws these. The layout is
layered (Sugiyama, Tagawa, Toda 1981), in four steps, one function each: a layer for every node
(longest path), points where long edges pass a layer, an order within each layer with few crossings
(barycentres), and coordinates (least squares). Nothing here is recursive: a chain of 10,000 ops is
fine.

A large graph is collapsed by layer: parameters named like "critic.0.weight" belong to "critic.0",
an op to the layer of the parameters that it touches, or of its newest input if it touches none.
"""

from __future__ import annotations

import math
import os
from bisect import bisect_right, insort
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Mapping, Sequence

from minigan import plot
from minigan.engine import Tensor
from minigan.system.console import plural

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SYMBOLS = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "power": "**",
           "matmul": "@"}
MANY = 60  # more nodes than this, and layers are collapsed
TOO_MANY = 600  # more than this, and they are collapsed even if no parameter names a layer


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


@dataclass
class Edge:
    """From nodes[source] to nodes[target], through points that the curve passes."""

    source: int
    target: int
    gradient: bool = False
    points: list[tuple[float, float]] = field(default_factory=list)


@dataclass
class Layout:
    """A graph with places: 0 <= x <= width, 0 <= y <= height."""

    nodes: list[Node]
    edges: list[Edge]
    width: float = 0.0
    height: float = 0.0
    direction: str = "down"


# ---------------------------------------------------------------- what to draw

def layout(outputs: Tensor | Sequence[Tensor], inputs: Tensor | Sequence[Tensor] | None = None,
           names: Mapping[str, Tensor] | None = None, constants: bool = True,
           collapse: bool | None = None, direction: str = "down") -> Layout:
    """Nodes and edges of everything that the outputs were computed from, with places.

    inputs: tensors at which to stop, drawn as leaves; None goes down to the beginning.
    names: what to call tensors, {"x": x}, if they have no `name` or another one.
    constants: whether to show leaves that have no name and need no gradient.
    collapse: one box a layer; None does so above 60 nodes. direction: "down" or "right".
    """
    if direction not in ("down", "right"):
        raise ValueError(f"layout: direction must be 'down' or 'right', got {direction!r}")
    outs, stops = _listed("outputs", outputs), _listed("inputs", () if inputs is None else inputs)
    called = {id(t): name for name, t in (names or {}).items()}
    tensors = _collect(outs, stops)
    nodes = _nodes(tensors, {id(t) for t in outs}, {id(t) for t in stops}, called)
    if not constants:
        shown = {id(t) for t in (*outs, *stops)} | set(called)
        kept = [(t, n) for t, n in zip(tensors, nodes) if n.kind != "leaf" or t.requires_grad
                or t.name or id(t) in shown]
        tensors, nodes = [t for t, _ in kept], [n for _, n in kept]
    place = {id(t): i for i, t in enumerate(tensors)}
    edges = [(place[id(x)], i) for i, (t, n) in enumerate(zip(tensors, nodes))
             if not _is_leaf(n) for x in t.inputs if id(x) in place]
    groups = len({n.group for n in nodes} - {""})
    if collapse is None:
        collapse = len(nodes) > (MANY if groups > 1 else TOO_MANY)
    if collapse:
        nodes, edges = _collapsed(nodes, edges)
    return arrange(nodes, edges, direction)


def draw(outputs: Tensor | Sequence[Tensor], path: str | os.PathLike[str] | None = None,
         title: str = "", caption: str = "", **options: Any) -> Figure:
    """The picture of a graph; written to `path` (a .png file) if that is given.

    options: those of `layout`.
    """
    figure = plot.graph(layout(outputs, **options), titles=[title], caption=caption)
    if path is not None:
        plot.save(figure, path)
    return figure


def _listed(name: str, given: Any) -> list[Tensor]:
    listed = [given] if isinstance(given, Tensor) else list(given)
    if not all(isinstance(t, Tensor) for t in listed) or (name == "outputs" and not listed):
        raise TypeError(f"layout: {name} must be a tensor or a sequence of tensors, got {given!r}")
    return listed


def _collect(outputs: list[Tensor], stops: list[Tensor]) -> list[Tensor]:
    """Everything below the outputs, oldest first, so inputs come before results."""
    ends, found, stack = {id(t) for t in stops}, {}, list(outputs)
    while stack:
        t = stack.pop()
        if id(t) not in found:
            found[id(t)] = t
            if id(t) not in ends:
                stack.extend(x for x in t.inputs if isinstance(x, Tensor))
    return sorted(found.values(), key=lambda t: t.tick)


def _nodes(tensors: list[Tensor], outputs: set[int], stops: set[int],
           called: dict[int, str]) -> list[Node]:
    """A node for each tensor, without a place; `tensors` has inputs before results."""
    made: dict[int, Node] = {}
    for t in tensors:
        name = called.get(id(t), t.name)
        inputs = sorted((x for x in t.inputs if id(x) in made), key=lambda x: x.tick)
        below = [made[id(x)] for x in inputs] if id(t) not in stops else []  # oldest first
        op = None if id(t) in stops else t.op
        gradient = t.within is not None
        if op is None:
            layered = t.requires_grad and "." in name
            parameter = getattr(t, "role", None) is not None or layered
            kind, group = ("parameter", name.rpartition(".")[0]) if parameter else ("leaf", "")
            label = name or getattr(t, "role", "") or ("input" if t.requires_grad else "constant")
        else:
            kind, group = "gradient" if gradient else "op", _group(below, gradient)
            label = f"{name} = {_label(t)}" if name else _label(t)
        if id(t) in outputs and op is not None:
            kind = "output"
        detail = str(t.shape).replace(" ", "") if t.ndim else f"{t.item():.4g}"
        if label == "constant" and not t.ndim:
            label, detail = detail, ""
        made[id(t)] = Node(label, kind, detail, gradient, group)
    return list(made.values())


def _label(t: Tensor) -> str:
    """The op as Python writes it, with plain numbers: "* 2", "1 -", "@ .T", "leaky_relu 0.2"."""
    assert t.op is not None
    symbol = SYMBOLS.get(t.op.name)
    numbers = ["" if isinstance(x, Tensor) else f"{x:.4g}" for x in t.inputs]
    if t.op.name == "matmul":
        numbers = [".T" if t.settings.get(flag) else "" for flag in ("ta", "tb")]
    if symbol and len(numbers) == 2:
        return " ".join(filter(None, [numbers[0], symbol, numbers[1]]))
    numbers += [f"{v:.4g}" for v in t.settings.values() if type(v) in (int, float)]
    return " ".join(filter(None, [t.op.name, *numbers]))


def _group(below: list[Node], gradient: bool) -> str:
    """The layer of an op's parameters; else of its newest input, in a gradient its forward ones.

    What is computed forward from a gradient, like the penalty on its norm, belongs to no layer.
    """
    grouped = [n for n in below if n.group]
    parameters = [n for n in grouped if n.kind == "parameter"]
    forward = [n for n in grouped if gradient and not n.gradient]
    newest = grouped[-1:] if gradient or not any(n.gradient for n in below) else []
    chosen = parameters or forward[-1:] or newest
    return chosen[0].group if chosen else ""


def _is_leaf(node: Node) -> bool:
    return node.kind in ("leaf", "parameter")


def _collapsed(nodes: list[Node], edges: list[tuple[int, int]]
               ) -> tuple[list[Node], list[tuple[int, int]]]:
    """One box for the nodes of a layer, forward and gradient apart; outputs and inputs stay.

    A node's depth is how often the path to it has changed the layer. Boxes are made of nodes of
    one layer and one depth, so no path can leave a box and come back: the result has no cycle.
    """
    above: list[list[int]] = [[] for _ in nodes]
    for source, target in edges:
        above[target].append(source)
    home: dict[int, tuple[Any, int]] = {}  # node -> (layer, depth)
    for i, node in enumerate(nodes):
        if _is_leaf(node):
            if node.kind == "leaf" and not _anonymous(node):
                home[i] = (i, 0)
            continue
        key = i if node.kind == "output" else (node.group, node.gradient)
        depths = [home[j][1] + (home[j][0] != key) for j in above[i] if j in home]
        home[i] = (key, max(depths, default=0))
        for j in above[i]:
            home.setdefault(j, home[i])  # parameters and constants live where they are first used
    members: dict[tuple[Any, int], list[int]] = {}
    for i in sorted(home):
        members.setdefault(home[i], []).append(i)
    boxes = [_box(nodes, inside) for inside in members.values()]
    place = {key: i for i, key in enumerate(members)}
    pairs = {(place[home[a]], place[home[b]]) for a, b in edges if home[a] != home[b]}
    return boxes, sorted(pairs)


def _anonymous(leaf: Node) -> bool:
    return leaf.label == "constant" or not leaf.detail


def _box(nodes: list[Node], inside: list[int]) -> Node:
    first = nodes[inside[0]]
    if len(inside) == 1:
        return first
    ops = [nodes[i] for i in inside if not _is_leaf(nodes[i])]
    if any(n.kind == "output" for n in ops):  # an output and its constants
        return next(n for n in ops if n.kind == "output")
    words = ["matmul" if "@" in n.label else n.label.split(" ")[0] for n in ops]
    words = list(dict.fromkeys(w for w in words if w[0].isalpha())) or ["arithmetic"]
    listed, count = ", ".join(words[:3] + ["..."] * (len(words) > 3)), plural(len(ops), "op")
    group = ops[0].group
    label = f"layer {group}" if group.isdigit() else group or listed
    return Node(label, ops[0].kind, f"{count}: {listed}" if group else count, ops[0].gradient,
                group, len(inside))


# ---------------------------------------------------------------- where to draw it

GAP, BETWEEN_LAYERS, BEND = 1.3, 2.1, 0.7  # ems: between boxes, between layers, at a passing edge
MANY_BENDS = 20_000  # above this, the longest edges go straight


def arrange(nodes: list[Node], edges: Sequence[tuple[int, int]], direction: str = "down") -> Layout:
    """Places for any graph without cycles: fills in the nodes' layer, x, y, width and height.

    edges: pairs (source, target) of positions in `nodes`; repeated ones are drawn side by side.
    """
    for node in nodes:
        node.width = 1.4 + max(0.62 * len(node.label), 0.5 * len(node.detail))
        node.height = 2.9 if node.detail else 1.9
    layers, backbone = _layers(len(nodes), edges)
    rows, above, below, bends = _rows(layers, edges)
    _reorder(rows, above, below)
    sizes = [(n.width if direction == "down" else n.height) + GAP for n in nodes]
    sizes += [BEND] * (len(above) - len(nodes))
    across = _coordinates(rows, above, below, sizes, len(nodes), backbone)
    _straighten(rows, bends, sizes, across)
    return _place(nodes, edges, direction, layers, bends, across)


def _layers(count: int, edges: Sequence[tuple[int, int]]
            ) -> tuple[list[int], set[tuple[int, int]]]:
    """The longest path's length to each node; then as near to its results as it may.

    Returns layers, and the edges on longest paths, to be drawn straight before all others.
    """
    above: list[set[int]] = [set() for _ in range(count)]
    below: list[set[int]] = [set() for _ in range(count)]
    for source, target in edges:
        above[target].add(source)
        below[source].add(target)
    missing, layers = [len(a) for a in above], [0] * count
    order = [i for i in range(count) if not missing[i]]
    for i in order:  # grows while it is read
        for j in sorted(below[i]):
            layers[j] = max(layers[j], layers[i] + 1)
            missing[j] -= 1
            if not missing[j]:
                order.append(j)
    if len(order) < count:
        raise ValueError("arrange: the edges have a cycle")
    backbone = {(a, b) for a, b in edges if layers[b] == layers[a] + 1}
    for i in reversed(order):
        if below[i] and len(above[i]) <= len(below[i]):
            layers[i] = min(layers[j] for j in below[i]) - 1
    return layers, backbone


def _rows(layers: list[int], edges: Sequence[tuple[int, int]]
          ) -> tuple[list[list[int]], list[list[int]], list[list[int]], list[list[int]]]:
    """Rows of nodes and, numbered after them, of bends: where an edge passes a layer.

    Returns rows, and for each node or bend its neighbours above and below, and each edge's bends.
    """
    rows: list[list[int]] = [[] for _ in range(max(layers, default=-1) + 1)]
    for i, layer in enumerate(layers):
        rows[layer].append(i)
    above: list[list[int]] = [[] for _ in layers]
    below: list[list[int]] = [[] for _ in layers]
    spans = [layers[b] - layers[a] for a, b in edges]
    longest = max(spans, default=0)
    while sum(s - 1 for s in spans if s <= longest) > MANY_BENDS:
        longest //= 2
    bends = []
    for (source, target), span in zip(edges, spans):
        passed = []
        if span <= longest:
            last = source
            for layer in range(layers[source] + 1, layers[target]):
                passed.append(len(above))
                rows[layer].append(len(above))
                above.append([last])
                below[last].append(len(below))
                below.append([])
                last = passed[-1]
            below[last].append(target)
            above[target].append(last)
        bends.append(passed)
    return rows, above, below, bends


def _reorder(rows: list[list[int]], above: list[list[int]], below: list[list[int]]) -> None:
    """Sort each row by the mean place of its neighbours, up and down, while crossings get fewer."""
    place = [0.0] * len(above)

    def number(row: list[int]) -> None:
        for i, slot in enumerate(row):
            place[slot] = i

    def sort(row: list[int], others: list[list[int]]) -> None:
        middle = {s: sum(place[o] for o in others[s]) / len(others[s]) if others[s] else place[s]
                  for s in row}
        row.sort(key=lambda s: middle[s])
        number(row)

    for row in rows:
        number(row)
    best, kept = _crossings(rows, below, place), [list(row) for row in rows]
    for _ in range(12 if len(above) < 5000 else 2):
        if not best:
            break
        for row in rows[1:]:
            sort(row, above)
        for row in rows[-2::-1]:
            sort(row, below)
        if len(above) < 3000:
            for row in rows:
                _swap_neighbours(row, place, above, below)
        count = _crossings(rows, below, place)
        if count < best:
            best, kept = count, [list(row) for row in rows]
    for row, order in zip(rows, kept):
        row[:] = order


def _swap_neighbours(row: list[int], place: list[float], above: list[list[int]],
                     below: list[list[int]]) -> None:
    """Swap adjacent slots of a row where that removes crossings."""
    for i in range(len(row) - 1):
        a, b = row[i], row[i + 1]
        now = swapped = 0
        for others in (above, below):
            for p in others[a]:
                for q in others[b]:
                    now += place[p] > place[q]
                    swapped += place[p] < place[q]
        if swapped < now:
            row[i], row[i + 1], place[a], place[b] = b, a, i + 1, i


def _crossings(rows: list[list[int]], below: list[list[int]], place: list[float]) -> int:
    """How many pairs of edges cross between neighbouring rows."""
    total = 0
    for row in rows:
        seen: list[float] = []  # where the edges further left end, sorted
        for slot in row:
            ends = sorted(place[other] for other in below[slot])
            total += sum(len(seen) - bisect_right(seen, end) for end in ends)
            for end in ends:
                insort(seen, end)
    return total


def _coordinates(rows: list[list[int]], above: list[list[int]], below: list[list[int]],
                 sizes: list[float], count: int, backbone: set[tuple[int, int]]) -> list[float]:
    """Places across: each near its neighbours' mean, none nearer to another than their sizes ask.

    Sweeps over the rows, each the exact least-squares fit to its neighbours with the order kept.
    An edge between two bends weighs most, so that long edges are straight, then the backbone.
    """
    def weigh(a: int, b: int) -> float:
        if a < count and b < count:
            return 4.0 if (a, b) in backbone or (b, a) in backbone else 0.5
        return 1.0 if a < count or b < count else 8.0

    across = [0.0] * len(above)
    offsets: list[list[float]] = []
    for row in rows:
        offset, last = [], 0.0
        for i, slot in enumerate(row):
            last += (sizes[row[i - 1]] + sizes[slot]) / 2 if i else 0.0
            offset.append(last)
        offsets.append(offset)
        for slot, o in zip(row, offset):
            across[slot] = o - last / 2
    sweeps = 16 if len(above) < 5000 else 3
    for sweep in range(3 * sweeps):
        sides = ([above], [below], [above, below])[sweep % 3]
        span = range(len(rows)) if sweep % 3 != 1 else range(len(rows))[::-1]
        for r in span:
            wishes, weights = [], []
            for slot in rows[r]:
                total = weight = 0.0
                for other in (o for side in sides for o in side[slot]):
                    w = weigh(slot, other)
                    total, weight = total + w * across[other], weight + w
                wishes.append(total / weight if weight else across[slot])
                weights.append(weight or 0.1)
            fitted = _fit([w - o for w, o in zip(wishes, offsets[r])], weights)
            for slot, value, o in zip(rows[r], fitted, offsets[r]):
                across[slot] = value + o
    return across


def _straighten(rows: list[list[int]], bends: list[list[int]], sizes: list[float],
                across: list[float]) -> None:
    """Give the bends of each edge one place across as far as their neighbours leave room."""
    beside: dict[int, tuple[int | None, int | None]] = {}
    for row in rows:
        for i, slot in enumerate(row):
            beside[slot] = (row[i - 1] if i else None, row[i + 1] if i + 1 < len(row) else None)

    def room(slot: int) -> tuple[float, float]:
        left, right = beside[slot]
        return (-math.inf if left is None else across[left] + (sizes[left] + sizes[slot]) / 2,
                math.inf if right is None else across[right] - (sizes[right] + sizes[slot]) / 2)

    def settle(run: list[int], low: float, high: float) -> None:
        mean = sum(across[slot] for slot in run) / max(len(run), 1)
        for slot in run:
            across[slot] = min(max(mean, low), high)

    for _ in range(4):
        for passed in bends:
            run: list[int] = []
            low, high = -math.inf, math.inf
            for bend in passed:
                left, right = room(bend)
                if max(low, left) > min(high, right):  # no one place suits this bend, too
                    settle(run, low, high)
                    run, low, high = [], -math.inf, math.inf
                    left, right = room(bend)
                run, low, high = [*run, bend], max(low, left), min(high, right)
            settle(run, low, high)


def _fit(wishes: list[float], weights: list[float]) -> list[float]:
    """The nearest non-decreasing sequence, in weighted least squares (pool adjacent violators)."""
    blocks: list[tuple[float, float, int]] = []  # weighted sum, weight, length
    for wish, weight in zip(wishes, weights):
        total, length = wish * weight, 1
        while blocks and blocks[-1][0] * weight >= total * blocks[-1][1]:
            t, w, n = blocks.pop()
            total, weight, length = total + t, weight + w, length + n
        blocks.append((total, weight, length))
    return [total / weight for total, weight, length in blocks for _ in range(length)]


def _place(nodes: list[Node], edges: Sequence[tuple[int, int]], direction: str, layers: list[int],
           bends: list[list[int]], across: list[float]) -> Layout:
    """Coordinates of boxes and curves from the places across and the layers."""
    down = direction == "down"
    breadth = [n.width if down else n.height for n in nodes]
    depth = [n.height if down else n.width for n in nodes]
    thick = [0.0] * (max(layers, default=-1) + 1)
    for i, layer in enumerate(layers):
        thick[layer] = max(thick[layer], depth[i])
    middle, end = [], 0.0
    for t in thick:
        middle.append(end + t / 2)
        end += t + BETWEEN_LAYERS
    left = min((across[i] - breadth[i] / 2 for i in range(len(nodes))), default=0.0)
    left = min([left, *(across[s] - 0.3 for passed in bends for s in passed)])
    right = max((across[i] + breadth[i] / 2 for i in range(len(nodes))), default=0.0)
    right = max([right, *(across[s] + 0.3 for passed in bends for s in passed)])
    entering: list[list[int]] = [[] for _ in nodes]
    for e, (_, target) in enumerate(edges):
        entering[target].append(e)
    port = [0.0] * len(edges)  # edges into one box end side by side
    for target, into in enumerate(entering):
        into.sort(key=lambda e: across[bends[e][-1] if bends[e] else edges[e][0]])
        step = min(1.0, 0.6 * breadth[target] / max(len(into), 1))
        for i, e in enumerate(into):
            port[e] = (i - (len(into) - 1) / 2) * step
    curves = []
    for e, (source, target) in enumerate(edges):
        points = [(across[source], middle[layers[source]] + depth[source] / 2)]
        for layer, bend in enumerate(bends[e], layers[source] + 1):
            points += [(across[bend], middle[layer] - thick[layer] / 2),
                       (across[bend], middle[layer] + thick[layer] / 2)]
        points.append((across[target] + port[e], middle[layers[target]] - depth[target] / 2))
        shifted = [(a - left, d) for a, d in points]
        curves.append(Edge(source, target, nodes[target].gradient,
                           shifted if down else [(d, a) for a, d in shifted]))
    for i, node in enumerate(nodes):
        node.layer, a, d = layers[i], across[i] - left, middle[layers[i]]
        node.x, node.y = (a, d) if down else (d, a)
    extent = right - left, max(end - BETWEEN_LAYERS, 0.0)
    return Layout(nodes, curves, *(extent if down else extent[::-1]), direction)


# ---------------------------------------------------------------- the same as text

def _look(node: Node) -> str:
    return node.kind if node.kind != "output" else "gradient" if node.gradient else "op"


def to_dot(outputs: Tensor | Sequence[Tensor], **options: Any) -> str:
    """The graph in the language of Graphviz; options: those of `layout`."""
    g = layout(outputs, **options)
    lines = ["digraph minigan {", f"  rankdir={'TB' if g.direction == 'down' else 'LR'};",
             '  node [shape=box, style="rounded,filled", fontname="Helvetica"];']
    for i, n in enumerate(g.nodes):
        words = "\\n".join(w.replace("\\", "\\\\").replace('"', '\\"')
                           for w in (n.label, n.detail) if w)
        bold = ", penwidth=3" if n.kind == "output" else ""
        lines.append(f'  n{i} [label="{words}", fillcolor="{plot.FILL[_look(n)]}", '
                     f'color="{plot.EDGE[_look(n)]}"{bold}];')
    lines += [f"  n{e.source} -> n{e.target};" for e in g.edges]
    return "\n".join([*lines, "}"]) + "\n"


def to_mermaid(outputs: Tensor | Sequence[Tensor], **options: Any) -> str:
    """The graph in the language of Mermaid, which GitHub draws; options: those of `layout`."""
    g = layout(outputs, **options)
    lines = [f"graph {'TD' if g.direction == 'down' else 'LR'}"]
    for i, n in enumerate(g.nodes):
        words = "<br>".join(map(_escaped, filter(None, (n.label, n.detail))))
        lines.append(f'  n{i}["{words}"]:::{_look(n)}')
    lines += [f"  n{e.source} --> n{e.target}" for e in g.edges]
    used = sorted({_look(n) for n in g.nodes})
    lines += [f"  classDef {look} fill:{plot.FILL[look]},stroke:{plot.EDGE[look]}" for look in used]
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    """Text without anything that Mermaid reads as markup."""
    return "".join(c if c.isalnum() or c in " .,()_=:" else f"#{ord(c)};" for c in text)

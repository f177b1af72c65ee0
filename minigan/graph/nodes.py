"""What to draw of a graph: from tensors to nodes and edges.

A node for each tensor says the op that made it, as Python writes it, and its shape. What backward
rules made looks different: a gradient is a graph like any other. A large graph is collapsed by
layer (`collapsing`).
"""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from minigan.engine import Tensor
from minigan.graph.collapsing import collapsed
from minigan.graph.layered import Layout, Node, arrange
from minigan.graph.layers import Pair

SYMBOLS = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "power": "**",
           "matmul": "@"}
MANY = 60  # with more nodes than this, layers are collapsed
TOO_MANY = 600  # with more than this, even if no parameter names a layer


def layout(outputs: Tensor | Sequence[Tensor], inputs: Tensor | Sequence[Tensor] | None = None,
           names: Mapping[str, Tensor] | None = None, constants: bool = True,
           collapse: bool | None = None, direction: str = "down") -> Layout:
    """Nodes and edges of everything that the outputs were computed from, and where to draw them.

    inputs: tensors at which to stop, drawn as leaves; None goes down to the beginning.
    names: what to call tensors, {"x": x}; it replaces a `name` that they have.
    constants: whether to show leaves that have no name and need no gradient.
    collapse: one box for each layer; None does so above 60 nodes, or above 600 if they are not of
    several layers. direction: "down" or "right".

    Raises:
        TypeError: outputs or inputs are something other than tensors, or there are no outputs.
        ValueError: direction is neither "down" nor "right".
    """
    if direction not in ("down", "right"):
        raise ValueError(f"layout: direction must be 'down' or 'right', got {direction!r}")
    outs = _listed("outputs", outputs)
    stops = _listed("inputs", () if inputs is None else inputs)
    called = {id(t): name for name, t in (names or {}).items()}

    nodes = _nodes(outs, stops, called)
    if not constants:
        shown = {id(t) for t in (*outs, *stops)} | set(called)
        nodes = [(t, node) for t, node in nodes
                 if id(t) in shown or not _is_constant(t, node)]
    boxes = [node for _, node in nodes]
    edges = _edges(nodes)

    if collapse is None:
        groups = {node.group for node in boxes} - {""}
        collapse = len(boxes) > (MANY if len(groups) > 1 else TOO_MANY)
    if collapse:
        boxes, edges = collapsed(boxes, edges)
    return arrange(boxes, edges, direction)


def _listed(name: str, given: Any) -> list[Tensor]:
    """Tensors as a list, from one tensor or a sequence."""
    listed = [given] if isinstance(given, Tensor) else list(given)
    if not all(isinstance(t, Tensor) for t in listed) or (name == "outputs" and not listed):
        raise TypeError(f"layout: {name} must be a tensor or a sequence of tensors, got {given!r}")
    return listed


def _nodes(outputs: Sequence[Tensor], stops: Sequence[Tensor], called: Mapping[int, str]
           ) -> list[tuple[Tensor, Node]]:
    """A node, with no position yet, for each tensor below the outputs; inputs before results.

    called: names of tensors by id.
    """
    ends = {id(t) for t in stops}
    results = {id(t) for t in outputs}
    made: dict[int, Node] = {}
    nodes = []
    for t in _ancestors(outputs, ends):
        name = called.get(id(t), t.name)
        if t.op is None or id(t) in ends:
            node = _leaf(t, name)
        else:
            inputs = [x for x in t.inputs if isinstance(x, Tensor) and id(x) in made]
            inputs.sort(key=lambda x: x.tick)
            node = _computed(t, name, [made[id(x)] for x in inputs])
            if id(t) in results:
                node.kind = "output"
        made[id(t)] = node
        nodes.append((t, node))
    return nodes


def _ancestors(outputs: Sequence[Tensor], ends: set[int]) -> list[Tensor]:
    """The outputs and everything below them, oldest first, so inputs come before results.

    ends: ids of tensors at which to stop.
    """
    seen: dict[int, Tensor] = {}
    stack = list(outputs)
    while stack:
        t = stack.pop()
        if id(t) in seen:
            continue
        seen[id(t)] = t
        if id(t) not in ends:
            stack.extend(x for x in t.inputs if isinstance(x, Tensor))
    return sorted(seen.values(), key=lambda t: t.tick)


def _is_constant(t: Tensor, node: Node) -> bool:
    """Whether a tensor is a leaf that has no name and needs no gradient."""
    return node.kind == "leaf" and not t.requires_grad and not t.name


def _edges(nodes: Sequence[tuple[Tensor, Node]]) -> list[Pair]:
    """An edge for each input of an op, as positions in `nodes`."""
    position = {id(t): i for i, (t, _) in enumerate(nodes)}
    edges = []
    for i, (t, node) in enumerate(nodes):
        if node.is_leaf:
            continue
        for x in t.inputs:
            if id(x) in position:
                edges.append((position[id(x)], i))
    return edges


def _leaf(t: Tensor, name: str) -> Node:
    """The node of a tensor that was not computed, or whose computation is not shown."""
    role = getattr(t, "role", None)
    in_a_layer = t.requires_grad and "." in name
    if role is not None or in_a_layer:
        kind = "parameter"
        group = name.rpartition(".")[0]
    else:
        kind = "leaf"
        group = ""

    label = name or role or ("input" if t.requires_grad else "constant")
    detail = _detail(t)
    if label == "constant" and not t.ndim:
        label = detail
        detail = ""
    return Node(label, kind, detail, t.within is not None, group)


def _computed(t: Tensor, name: str, inputs: Sequence[Node]) -> Node:
    """The node of an op's result. inputs: nodes, oldest first."""
    gradient = t.within is not None
    label = _label(t)
    if name:
        label = f"{name} = {label}"
    kind = "gradient" if gradient else "op"
    return Node(label, kind, _detail(t), gradient, _group(inputs, gradient))


def _detail(t: Tensor) -> str:
    """The shape, or the value of a number."""
    return str(t.shape).replace(" ", "") if t.ndim else f"{t.item():.4g}"


def _label(t: Tensor) -> str:
    """The op as Python writes it, with plain numbers: "* 2", "1 -", "@ .T", "leaky_relu 0.2"."""
    assert t.op is not None
    if t.op.name == "matmul":
        words = [".T" if t.settings.get(flag) else "" for flag in ("ta", "tb")]
    else:
        words = ["" if isinstance(x, Tensor) else f"{x:.4g}" for x in t.inputs]

    symbol = SYMBOLS.get(t.op.name)
    if symbol and len(words) == 2:
        words = [words[0], symbol, words[1]]
    else:
        numbers = [f"{v:.4g}" for v in t.settings.values() if type(v) in (int, float)]
        words = [t.op.name, *words, *numbers]
    return " ".join(filter(None, words))


def _group(inputs: Sequence[Node], gradient: bool) -> str:
    """The layer of an op: that of its parameters, else of its newest input.

    In a gradient the newest forward input counts more. What is computed forward from a gradient,
    like the penalty on its norm, belongs to no layer.
    """
    grouped = [node for node in inputs if node.group]
    parameters = [node for node in grouped if node.kind == "parameter"]
    if parameters:
        return parameters[0].group
    if gradient:
        forward = [node for node in grouped if not node.gradient]
        grouped = forward or grouped
    elif any(node.gradient for node in inputs):
        return ""
    return grouped[-1].group if grouped else ""

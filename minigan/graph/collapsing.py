"""A large graph with one box for each layer.

Parameters named like "critic.0.weight" belong to "critic.0", an op to the layer of the parameters
that it reads, or of its newest input if it reads none.
"""

from __future__ import annotations

from typing import Any, Sequence

from minigan.graph.layered import Node
from minigan.graph.layers import Pair
from minigan.system.console import plural

Home = tuple[Any, int]  # of a node: a key for its layer, or the node itself; and a depth
WORDS = 3  # ops that a box names


def collapsed(nodes: Sequence[Node], edges: Sequence[Pair]) -> tuple[list[Node], list[Pair]]:
    """One box for the nodes of a layer, forward and gradient apart; outputs and inputs stay.

    nodes: inputs before results. A node's depth is how often the path to it has changed the layer.
    Boxes are made of nodes of one layer and one depth, so no path can leave a box and come back:
    the result has no cycle.
    """
    homes = _homes(nodes, edges)
    members: dict[Home, list[Node]] = {}
    for i in sorted(homes):
        members.setdefault(homes[i], []).append(nodes[i])

    boxes = [_box(inside) for inside in members.values()]
    position = {home: i for i, home in enumerate(members)}
    pairs = set()
    for source, target in edges:
        a = position[homes[source]]
        b = position[homes[target]]
        if a != b:
            pairs.add((a, b))
    return boxes, sorted(pairs)


def _homes(nodes: Sequence[Node], edges: Sequence[Pair]) -> dict[int, Home]:
    """Which nodes go into one box: those with the same home."""
    above: list[list[int]] = [[] for _ in nodes]
    for source, target in edges:
        above[target].append(source)

    homes: dict[int, Home] = {}
    for i, node in enumerate(nodes):
        if node.is_leaf:
            if node.kind == "leaf" and not _is_anonymous(node):
                homes[i] = (i, 0)
            continue
        key = i if node.kind == "output" else (node.group, node.gradient)
        depth = 0
        for j in above[i]:
            if j in homes:
                before, d = homes[j]
                depth = max(depth, d + (before != key))
        homes[i] = (key, depth)
        for j in above[i]:  # parameters and constants live where they are first used
            homes.setdefault(j, homes[i])
    return homes


def _is_anonymous(leaf: Node) -> bool:
    """Whether a leaf is a constant that nobody named."""
    return leaf.label == "constant" or not leaf.detail


def _box(inside: Sequence[Node]) -> Node:
    """One node for several."""
    if len(inside) == 1:
        return inside[0]
    ops = [node for node in inside if not node.is_leaf]
    for node in ops:
        if node.kind == "output":  # with its constants
            return node

    first = ops[0]
    listed = _names(ops)
    detail = plural(len(ops), "op")
    if not first.group:
        label = listed
    else:
        label = f"layer {first.group}" if first.group.isdigit() else first.group
        detail = f"{detail}: {listed}"
    return Node(label, first.kind, detail, first.gradient, first.group, len(inside))


def _names(ops: Sequence[Node]) -> str:
    """The first few names of ops, in order: "matmul, tanh"."""
    words = ["matmul" if "@" in op.label else op.label.split(" ")[0] for op in ops]
    words = [word for word in dict.fromkeys(words) if word[0].isalpha()]
    if not words:
        return "arithmetic"
    if len(words) > WORDS:
        words = [*words[:WORDS], "..."]
    return ", ".join(words)

"""Steps 1 and 2 of a layered drawing: a layer for every node, and bends where an edge passes one.

    edges a->b, b->c, a->c:    layers a 0, b 1, c 2;    a->c bends beside b:    a
                                                                                b  .
                                                                                c

A node or a bend is a slot, a number; nodes come first. From here on an edge leads from each slot to
slots of the next row only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

MANY_BENDS = 20_000  # above this, the longest edges go straight

Pair = tuple[int, int]  # an edge: source, target


@dataclass
class Rows:
    """Slots in rows, and how they are connected.

    rows: the slots of each layer, in the order in which they will be drawn. above, below: of each
    slot, those that it is connected to in the row before and after. bends: of each edge, the slots
    that it passes. nodes: how many of the slots are nodes.
    """

    rows: list[list[int]]
    above: list[list[int]]
    below: list[list[int]]
    bends: list[list[int]]
    nodes: int

    @property
    def slots(self) -> int:
        """How many nodes and bends there are."""
        return len(self.above)


def assign_layers(count: int, edges: Sequence[Pair]) -> tuple[list[int], set[Pair]]:
    """Put each of `count` nodes into a layer, so that all edges point to later ones.

    A node's layer is the length of the longest path to it (longest-path layering). A node with no
    more inputs than results is then moved down to them, which makes edges shorter.

    Returns the layers, and the edges on longest paths, to be drawn straight before all others.

    Raises:
        ValueError: the edges have a cycle.
    """
    above: list[set[int]] = [set() for _ in range(count)]
    below: list[set[int]] = [set() for _ in range(count)]
    for source, target in edges:
        above[target].add(source)
        below[source].add(target)

    layers = [0] * count
    missing = [len(inputs) for inputs in above]
    order = [i for i in range(count) if not missing[i]]
    for i in order:  # grows while it is read
        for j in sorted(below[i]):
            layers[j] = max(layers[j], layers[i] + 1)
            missing[j] -= 1
            if not missing[j]:
                order.append(j)
    if len(order) < count:
        raise ValueError("arrange: the edges have a cycle")

    longest_paths = {(a, b) for a, b in edges if layers[b] == layers[a] + 1}
    for i in reversed(order):
        if below[i] and len(above[i]) <= len(below[i]):
            layers[i] = min(layers[j] for j in below[i]) - 1
    return layers, longest_paths


def make_rows(layers: Sequence[int], edges: Sequence[Pair]) -> Rows:
    """Put nodes into the rows of their layers, and a bend wherever an edge passes a layer."""
    count = max(layers, default=-1) + 1
    rows: list[list[int]] = [[] for _ in range(count)]
    for i, layer in enumerate(layers):
        rows[layer].append(i)
    above: list[list[int]] = [[] for _ in layers]
    below: list[list[int]] = [[] for _ in layers]
    bends: list[list[int]] = []

    longest = _longest_bent([layers[b] - layers[a] for a, b in edges])
    for source, target in edges:
        passed: list[int] = []
        bends.append(passed)
        if layers[target] - layers[source] > longest:
            continue
        last = source
        for layer in range(layers[source] + 1, layers[target]):
            bend = len(above)
            rows[layer].append(bend)
            passed.append(bend)
            above.append([last])
            below.append([])
            below[last].append(bend)
            last = bend
        below[last].append(target)
        above[target].append(last)
    return Rows(rows, above, below, bends, len(layers))


def _longest_bent(spans: Sequence[int]) -> int:
    """The largest number of layers over which an edge still gets bends."""
    longest = max(spans, default=0)
    while sum(span - 1 for span in spans if span <= longest) > MANY_BENDS:
        longest //= 2
    return longest

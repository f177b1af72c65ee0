"""Step 4 of a layered drawing: how far to the right each slot lies, in ems.

Slots are drawn near their neighbours in other rows, in the order that step 3 found and as far apart
as their sizes require. Sweeps over the rows give each row the exact least-squares fit to its
neighbours (isotonic regression; Brandes and Koepf 2002, and the priorities of Sugiyama 1981, do it
by rules). Then the bends of each edge are put in line.
"""

from __future__ import annotations

import math
from typing import Callable, Sequence

from minigan.graph.layers import Pair, Rows

SWEEPS = 48
FEW_SWEEPS = 9      # for a large graph
LARGE = 5000        # slots
SETTLINGS = 4       # how often bends are put in line
FREE = 0.1          # the weight of a slot without neighbours, which stays if it can

# How much it counts that an edge is straight: most between two bends, so that long edges are.
BETWEEN_BENDS = 8.0
ON_A_LONGEST_PATH = 4.0
AT_ONE_BEND = 1.0
BETWEEN_NODES = 0.5


def coordinates(graph: Rows, sizes: Sequence[float], longest_paths: set[Pair]) -> list[float]:
    """How far to the right the centre of each slot lies.

    sizes: how much room each slot needs. longest_paths: edges between nodes that are made straight
    before others.
    """
    def weight(a: int, b: int) -> float:
        if a < graph.nodes and b < graph.nodes:
            straight = (a, b) in longest_paths or (b, a) in longest_paths
            return ON_A_LONGEST_PATH if straight else BETWEEN_NODES
        return AT_ONE_BEND if a < graph.nodes or b < graph.nodes else BETWEEN_BENDS

    offsets = [_offsets(row, sizes) for row in graph.rows]
    across = [0.0] * graph.slots
    for row, offset in zip(graph.rows, offsets):  # each row around 0
        for slot, o in zip(row, offset):
            across[slot] = o - offset[-1] / 2

    down = range(len(graph.rows))
    passes = [
        (down, [graph.above]),
        (down[::-1], [graph.below]),
        (down, [graph.above, graph.below]),
    ]
    for sweep in range(SWEEPS if graph.slots < LARGE else FEW_SWEEPS):
        order, sides = passes[sweep % 3]
        for r in order:
            _fit_row(graph.rows[r], offsets[r], sides, weight, across)

    _straighten(graph, sizes, across)
    return across


def fit(wishes: Sequence[float], weights: Sequence[float]) -> list[float]:
    """The nearest non-decreasing sequence, in weighted least squares (pool adjacent violators)."""
    blocks: list[tuple[float, float, int]] = []  # weighted sum, weight, length
    for wish, weight in zip(wishes, weights):
        total = wish * weight
        length = 1
        while blocks and blocks[-1][0] * weight >= total * blocks[-1][1]:
            t, w, n = blocks.pop()
            total += t
            weight += w
            length += n
        blocks.append((total, weight, length))

    fitted: list[float] = []
    for total, weight, length in blocks:
        fitted += [total / weight] * length
    return fitted


def _offsets(row: Sequence[int], sizes: Sequence[float]) -> list[float]:
    """How far each slot of a row is at least from the first."""
    offsets = []
    at = 0.0
    for i, slot in enumerate(row):
        if i > 0:
            at += (sizes[row[i - 1]] + sizes[slot]) / 2
        offsets.append(at)
    return offsets


def _fit_row(row: Sequence[int], offsets: Sequence[float], sides: Sequence[Sequence[Sequence[int]]],
             weight: Callable[[int, int], float], across: list[float]) -> None:
    """Move a row's slots as near to the weighted means of their neighbours as their order allows.

    sides: the neighbours of each slot, in one or two lists.
    """
    wishes = []
    weights = []
    for slot, offset in zip(row, offsets):
        moment = 0.0
        sum_of_weights = 0.0
        for neighbours in sides:
            for other in neighbours[slot]:
                w = weight(slot, other)
                moment += w * across[other]
                sum_of_weights += w
        wish = moment / sum_of_weights if sum_of_weights else across[slot]
        wishes.append(wish - offset)
        weights.append(sum_of_weights or FREE)

    for slot, value, offset in zip(row, fit(wishes, weights), offsets):
        across[slot] = value + offset


# ---------------------------------------------------------------- straight edges

def _straighten(graph: Rows, sizes: Sequence[float], across: list[float]) -> None:
    """Put the bends of each edge in line, as far as their neighbours leave room."""
    beside: dict[int, tuple[int | None, int | None]] = {}
    for row in graph.rows:
        padded = [None, *row, None]
        for i, slot in enumerate(row):
            beside[slot] = (padded[i], padded[i + 2])

    def room(slot: int) -> tuple[float, float]:
        """From where to where a slot can be moved."""
        left, right = beside[slot]
        low = -math.inf
        high = math.inf
        if left is not None:
            low = across[left] + (sizes[left] + sizes[slot]) / 2
        if right is not None:
            high = across[right] - (sizes[right] + sizes[slot]) / 2
        return low, high

    for _ in range(SETTLINGS):
        for bends in graph.bends:
            _align(bends, room, across)


def _align(bends: Sequence[int], room: Callable[[int], tuple[float, float]], across: list[float]
           ) -> None:
    """Put the bends of an edge in line, in as few straight pieces as their rooms allow."""
    piece: list[int] = []
    low, high = -math.inf, math.inf  # where all bends of the piece have room
    for bend in bends:
        left, right = room(bend)
        if max(low, left) > min(high, right):  # this bend does not fit in line
            _settle(piece, low, high, across)
            piece = []
            low, high = -math.inf, math.inf
            left, right = room(bend)
        piece.append(bend)
        low = max(low, left)
        high = min(high, right)
    _settle(piece, low, high, across)


def _settle(piece: Sequence[int], low: float, high: float, across: list[float]) -> None:
    """Move bends to their mean, or as near to it as `low` and `high` allow."""
    if not piece:
        return
    mean = sum(across[slot] for slot in piece) / len(piece)
    for slot in piece:
        across[slot] = min(max(mean, low), high)

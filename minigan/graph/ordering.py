"""Step 3 of a layered drawing: an order within each row that makes few edges cross.

Sweeps down and up sort each row by the mean position of its neighbours in the row before (the
barycentre heuristic of Sugiyama, Tagawa, Toda 1981); neighbours that cross less when swapped are
swapped (as in Gansner, Koutsofios, North, Vo 1993). The best order that was seen is kept.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from typing import Sequence

from minigan.graph.layers import Rows

SWEEPS = 12
FEW_SWEEPS = 2          # for a large graph
LARGE = 5000            # slots
SWAPPED_UP_TO = 3000    # slots: in larger graphs neighbours are not swapped


def reorder(graph: Rows) -> None:
    """Sort the slots of each row in place."""
    position = [0.0] * graph.slots
    for row in graph.rows:
        _number(row, position)

    fewest = crossings(graph, position)
    best = [list(row) for row in graph.rows]
    for _ in range(SWEEPS if graph.slots < LARGE else FEW_SWEEPS):
        if not fewest:
            break
        for row in graph.rows[1:]:
            _sort(row, graph.above, position)
        for row in graph.rows[-2::-1]:
            _sort(row, graph.below, position)
        if graph.slots < SWAPPED_UP_TO:
            for row in graph.rows:
                _swap_neighbours(row, graph, position)

        count = crossings(graph, position)
        if count < fewest:
            fewest = count
            best = [list(row) for row in graph.rows]

    for row, order in zip(graph.rows, best):
        row[:] = order


def crossings(graph: Rows, position: Sequence[float]) -> int:
    """How many pairs of edges cross between neighbouring rows, with slots at these positions."""
    total = 0
    for row in graph.rows:
        ends: list[float] = []  # of the edges further left, sorted
        for slot in row:
            own = sorted(position[other] for other in graph.below[slot])
            for end in own:
                total += len(ends) - bisect_right(ends, end)
            for end in own:
                insort(ends, end)
    return total


def _number(row: Sequence[int], position: list[float]) -> None:
    for i, slot in enumerate(row):
        position[slot] = i


def _sort(row: list[int], neighbours: Sequence[Sequence[int]], position: list[float]) -> None:
    """Sort a row by the mean position of each slot's neighbours; one without any stays."""
    barycentre = {}
    for slot in row:
        others = neighbours[slot]
        if others:
            barycentre[slot] = sum(position[other] for other in others) / len(others)
        else:
            barycentre[slot] = position[slot]
    row.sort(key=lambda slot: barycentre[slot])
    _number(row, position)


def _swap_neighbours(row: list[int], graph: Rows, position: list[float]) -> None:
    """Swap adjacent slots of a row where that removes crossings."""
    for i in range(len(row) - 1):
        a = row[i]
        b = row[i + 1]
        now = 0
        swapped = 0
        for neighbours in (graph.above, graph.below):
            for p in neighbours[a]:
                for q in neighbours[b]:
                    now += position[p] > position[q]
                    swapped += position[p] < position[q]
        if swapped < now:
            row[i] = b
            row[i + 1] = a
            position[b] = i
            position[a] = i + 1

"""Several calls of a recorded step at once: each as soon as what it reads is there.

Two threads inside of one op meet at its end and at every block, and Python lets one of them pass at
a time. In different ops they seldom meet. A GAN's step has such ops: real and generated images go
through D side by side, and each layer has a gradient for its weights and one for its input. Where
there is but one call to make, its blocks are shared as always.

The order of the calls changes no bit: what reads or writes the same memory keeps its order.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from threading import Condition, Lock
from typing import Any, Iterable, Sequence

from minigan.backend.cpu.capture.optimize import Call, memories
from minigan.system.threads import Task, assist, threads

HEAVY = 1e-4  # seconds of a call for which another thread is woken
LONG = 2e-4   # seconds of a call; lanes pay where such calls take half of a step's time


class Lanes:
    """The calls of a tape in groups, who waits for whom, and how long each takes."""

    def __init__(self, calls: Sequence[Call], values: list[Any], seconds: Sequence[float]) -> None:
        self.values = values
        heavy = [s >= HEAVY for s in seconds]
        groups, self.after = _grouped(_order(calls, values), heavy)
        self.runs = [[calls[i][:3] for i in group] for group in groups]
        self.heavy = [heavy[group[0]] for group in groups]
        took = [sum(seconds[i] for i in group) for group in groups]
        self.waits = [0] * len(took)    # for so many groups
        self.rank = took[:]             # seconds from here to the end, on the longest way
        for g in reversed(range(len(took))):
            self.rank[g] += max((self.rank[h] for h in self.after[g]), default=0.0)
            for h in self.after[g]:
                self.waits[h] += 1
        freed = {place for call in calls for place in call.last}
        self.read = [tuple({place for i in group for place in calls[i].inputs} & freed)
                     for group in groups]
        self.readers = Counter(place for places in self.read for place in places)
        total = sum(seconds)
        self.long = sum(s for s in seconds if s >= LONG) / total if total else 0.0
        self.gate = Condition(Lock())

    def pay(self) -> bool:
        """Whether that is faster than one call after the other."""
        return self.long >= 0.5 and threads() > 1

    def run(self) -> None:
        """Make all calls."""
        self._waits, self._readers = self.waits[:], self.readers.copy()
        self._ready: list[tuple[float, int]] = []  # heavy groups, those on the longest way first
        self._left, self._idle = len(self.runs), False
        self._error: BaseException | None = None
        self._helpers: list[Task] = []
        self._helping = 0
        try:
            self._make(self._due(g for g, n in enumerate(self.waits) if n == 0))
            while (g := self._next()) is not None:
                self._make([g])
        except BaseException as error:
            with self.gate:
                self._error = error
            raise
        finally:
            for helper in self._helpers:
                helper.finish()

    def _next(self) -> int | None:
        """For the thread that calls `run`: the next heavy group, None when all are made."""
        with self.gate:
            while not self._ready and self._left and self._error is None:
                self._idle = True
                self.gate.wait()
                self._idle = False
            if self._error is not None:
                raise self._error
            return self._take() if self._ready else None

    def _take(self) -> int:
        _, g = heapq.heappop(self._ready)
        if self._ready and not self._idle and self._helping < threads() - 1:
            self._helping += 1
            self._helpers.append(assist(self._help))
        return g

    def _help(self) -> None:
        """On another thread, while there is more to do than the first one can."""
        try:
            while True:
                with self.gate:
                    if self._error is not None or len(self._ready) <= self._idle:
                        self._helping -= 1
                        self.gate.notify()
                        return
                    if self._idle:
                        self.gate.notify()
                    g = self._take()
                self._make([g])
        except BaseException as error:
            with self.gate:
                self._error = error
                self.gate.notify()

    def _due(self, groups: Iterable[int]) -> list[int]:
        """Of groups that wait for nothing the light ones; the heavy ones join what is ready."""
        light = []
        for g in groups:
            if self.heavy[g]:
                heapq.heappush(self._ready, (-self.rank[g], g))
            else:
                light.append(g)
        return light

    def _make(self, due: list[int]) -> None:
        """Make the calls of groups, and at once of the light ones that waited for them."""
        values = self.values
        while due:
            g = due.pop()
            for run, inputs, result in self.runs[g]:
                made = run(*[values[place] for place in inputs])
                if result is not None:
                    values[result] = made
                del made
            with self.gate:
                self._left -= 1
                for place in self.read[g]:
                    self._readers[place] -= 1
                    if not self._readers[place]:
                        values[place] = None
                for h in self.after[g]:
                    self._waits[h] -= 1
                due += self._due(h for h in self.after[g] if not self._waits[h])
                if self._idle and (self._ready or not self._left):
                    self.gate.notify()


def _grouped(after: Sequence[Sequence[int]], heavy: Sequence[bool]
             ) -> tuple[list[list[int]], list[list[int]]]:
    """Calls in groups: a light one belongs to the last call it waits for, if there is such a last.

    after: for each call those that wait for it; the same is returned of the groups. A group's calls
    are made in their order; the first may be heavy.
    """
    groups: list[list[int]] = []
    waits_for: list[set[int]] = [set() for _ in after]  # groups
    earlier: list[set[int]] = []                        # groups that a group waits for, and itself
    for i, waiting in enumerate(after):
        last = [g for g in waits_for[i] if waits_for[i] <= earlier[g]]
        if last and not heavy[i]:
            (g,) = last
        else:
            g = len(groups)
            groups.append([])
            earlier.append({g}.union(*[earlier[before] for before in waits_for[i]]))
        groups[g].append(i)
        for j in waiting:
            waits_for[j].add(g)
    following: list[set[int]] = [set() for _ in groups]
    for g, group in enumerate(groups):
        for before in {b for i in group for b in waits_for[i]} - {g}:
            following[before].add(g)
    return groups, [sorted(waiting) for waiting in following]


def _order(calls: Sequence[Call], values: list[Any]) -> list[list[int]]:
    """For each call, those that wait for it: they read its result, or memory in turn with it."""
    memory = memories(calls, values)
    after: list[set[int]] = [set() for _ in calls]
    maker: dict[int, int] = {}
    writer: dict[int, int] = {}
    readers: dict[int, list[int]] = defaultdict(list)
    for i, call in enumerate(calls):
        for place in call.inputs:
            if place in maker:
                after[maker[place]].add(i)
        for read in (*call.reads, *[memory[place] for place in call.inputs]):
            if read in writer:
                after[writer[read]].add(i)
            readers[read].append(i)
        over = () if call.reused is None else (memory[call.reused],)
        for written in (*call.writes, *over):
            for j in (*readers.pop(written, ()), writer.get(written)):
                if j is not None and j != i:
                    after[j].add(i)
            writer[written] = i
        if call.result is not None:
            maker[call.result] = i
    return [sorted(waiting) for waiting in after]

"""Runs a schedule on several threads: each group of calls as soon as what it reads is there.

The thread that asks for the replay takes heavy groups off a heap, those on the longest way first,
and makes the light groups that become due on the way. While there is more to do than it can, it
lets threads of the pool help. All of them share one lock, which is never held while computing.
"""

from __future__ import annotations

import heapq
from threading import Condition, Lock
from typing import Any, Iterable

from minigan.backend.cpu.capture.schedule import Schedule
from minigan.system.threads import Task, assist, threads


class Lanes:
    """One replay of a schedule.

    values: by slot; those that are there beforehand come in here, results are left here.
    """

    def __init__(self, schedule: Schedule, values: list[Any]) -> None:
        self._groups = schedule.groups
        self._values = values
        self._waits = [group.waits for group in schedule.groups]
        self._readers = schedule.readers.copy()
        self._ready: list[tuple[float, int]] = []  # heavy groups, those on the longest way first
        self._left = len(schedule.groups)          # groups that have yet to be made
        self._gate = Condition(Lock())
        self._idle = False                         # whether the first thread waits
        self._helpers: list[Task] = []
        self._helping = 0                          # helpers that have not ended
        self._error: BaseException | None = None

    def run(self) -> None:
        """Make all calls."""
        first = [g for g, waits in enumerate(self._waits) if waits == 0]
        try:
            self._make(self._due(first))
            while (g := self._next()) is not None:
                self._make([g])
        except BaseException as error:
            with self._gate:
                self._error = error
            raise
        finally:
            for helper in self._helpers:
                helper.finish()

    def _next(self) -> int | None:
        """For the thread that calls `run`: the next heavy group, None when all are made."""
        with self._gate:
            while not self._ready and self._left and self._error is None:
                self._idle = True
                self._gate.wait()
                self._idle = False
            if self._error is not None:
                raise self._error
            return self._take() if self._ready else None

    def _take(self) -> int:
        """The first heavy group; wakes a helper if there are more."""
        _, g = heapq.heappop(self._ready)
        if self._ready and not self._idle and self._helping < threads() - 1:
            self._helping += 1
            self._helpers.append(assist(self._help))
        return g

    def _help(self) -> None:
        """On another thread, while there is more to do than the first one can."""
        try:
            while True:
                with self._gate:
                    if self._error is not None or len(self._ready) <= self._idle:
                        self._helping -= 1
                        self._gate.notify()
                        return
                    if self._idle:
                        self._gate.notify()
                    g = self._take()
                self._make([g])
        except BaseException as error:
            with self._gate:
                self._error = error
                self._gate.notify()

    def _due(self, groups: Iterable[int]) -> list[int]:
        """Of groups that wait for nothing the light ones; the heavy ones join what is ready."""
        light = []
        for g in groups:
            group = self._groups[g]
            if group.heavy:
                heapq.heappush(self._ready, (-group.rank, g))
            else:
                light.append(g)
        return light

    def _make(self, due: list[int]) -> None:
        """Make the calls of groups, and at once of the light ones that waited for them."""
        values = self._values
        while due:
            group = self._groups[due.pop()]
            for call in group.calls:
                made = call.run(*[values[slot] for slot in call.inputs])
                if call.output is not None:
                    values[call.output] = made
                del made

            with self._gate:
                self._left -= 1
                for slot in group.reads:
                    self._readers[slot] -= 1
                    if not self._readers[slot]:
                        values[slot] = None
                for g in group.after:
                    self._waits[g] -= 1
                due += self._due(g for g in group.after if not self._waits[g])
                if self._idle and (self._ready or not self._left):
                    self._gate.notify()

"""Several calls of a recorded step at once: each as soon as what it reads is there.

Two threads inside of one op meet at its end and at every block, and Python lets one of them pass at
a time. In different ops they seldom meet. A GAN's step has such ops: real and generated images go
through D side by side, and each layer has a gradient for its weights and one for its input. Where
there is but one call to make, its blocks are shared as always.

The order of the calls changes no bit: what reads or writes the same memory keeps its order.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from concurrent.futures import Future
from threading import Condition
from typing import TYPE_CHECKING, Any, Iterable, Sequence

import numpy as np

from minigan.backend.threads import assist, threads

if TYPE_CHECKING:
    from minigan.backend.cpu_tape import Call

HEAVY = 1e-4  # seconds of a call for which another thread is woken
LONG = 2e-4   # seconds of a call; lanes pay where such calls take half of a step's time


class Lanes:
    """The calls of a tape, who waits for whom, and how long each took."""

    def __init__(self, calls: Sequence[Call], values: list[Any], seconds: Sequence[float]) -> None:
        self.calls, self.values = calls, values
        self.after = _order(calls, values)
        self.waits = [0] * len(calls)   # for so many calls
        self.rank = list(seconds)       # seconds from here to the end, on the longest way
        for i in reversed(range(len(calls))):
            self.rank[i] += max((self.rank[j] for j in self.after[i]), default=0.0)
            for j in self.after[i]:
                self.waits[j] += 1
        self.heavy = [s >= HEAVY for s in seconds]
        self.readers = [0] * len(values)
        for call in calls:
            for place in {*call.inputs}:
                self.readers[place] += 1
        self.freed = {place for call in calls for place in call.last}
        total = sum(seconds)
        self.long = sum(s for s in seconds if s >= LONG) / total if total else 0.0
        self.gate = Condition()

    def pay(self) -> bool:
        """Whether that is faster than one call after the other."""
        return self.long >= 0.5 and threads() > 1

    def run(self) -> None:
        """Make all calls."""
        self._waits, self._readers = self.waits[:], self.readers[:]
        self._ready: list[tuple[float, int]] = []  # heavy calls, those on the longest way first
        self._left, self._idle = len(self.calls), False
        self._error: BaseException | None = None
        self._helpers: list[Future[None]] = []
        self._helping = 0
        try:
            self._make(self._due(i for i, n in enumerate(self.waits) if n == 0))
            while (i := self._next()) is not None:
                self._make([i])
        except BaseException as error:
            with self.gate:
                self._error = error
            raise
        finally:
            for helper in self._helpers:
                if not helper.cancel():
                    helper.exception()  # waits for it

    def _next(self) -> int | None:
        """For the thread that calls `run`: the next heavy call, None when all are made."""
        with self.gate:
            while not self._ready and self._left and self._error is None:
                self._idle = True
                self.gate.wait()
                self._idle = False
            if self._error is not None:
                raise self._error
            return self._take() if self._ready else None

    def _take(self) -> int:
        _, i = heapq.heappop(self._ready)
        if self._ready and not self._idle and self._helping < threads() - 1:
            self._helping += 1
            self._helpers.append(assist(self._help))
        return i

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
                    i = self._take()
                self._make([i])
        except BaseException as error:
            with self.gate:
                self._error = error
                self.gate.notify()

    def _due(self, calls: Iterable[int]) -> list[int]:
        """Of calls that wait for nothing the light ones; the heavy ones join what is ready."""
        light = []
        for i in calls:
            if self.heavy[i]:
                heapq.heappush(self._ready, (-self.rank[i], i))
            else:
                light.append(i)
        return light

    def _make(self, due: list[int]) -> None:
        """Make calls, and at once the light ones that waited for them."""
        calls, values = self.calls, self.values
        while due:
            i = due.pop()
            call = calls[i]
            made = call.run(*[values[place] for place in call.inputs])
            if call.result is not None:
                values[call.result] = made
            del made
            with self.gate:
                self._left -= 1
                for place in {*call.inputs} & self.freed:
                    self._readers[place] -= 1
                    if not self._readers[place]:
                        values[place] = None
                for j in self.after[i]:
                    self._waits[j] -= 1
                due += self._due(j for j in self.after[i] if not self._waits[j])
                if self._idle and (self._ready or not self._left):
                    self.gate.notify()


def _order(calls: Sequence[Call], values: list[Any]) -> list[list[int]]:
    """For each call, those that wait for it: they read its result, or memory in turn with it."""
    after: list[set[int]] = [set() for _ in calls]
    maker: dict[int, int] = {}
    writer: dict[int, int] = {}
    readers: dict[int, list[int]] = defaultdict(list)
    for i, call in enumerate(calls):
        reads = [*call.reads]
        for place in call.inputs:
            if place in maker:
                after[maker[place]].add(i)
                shares = calls[maker[place]].shares
                reads += [] if shares is None else [shares]
            elif isinstance(values[place], np.ndarray):
                base = values[place].base
                reads.append(id(values[place] if base is None else base))
        for memory in reads:
            if memory in writer:
                after[writer[memory]].add(i)
            readers[memory].append(i)
        for memory in call.writes:
            for j in (*readers.pop(memory, ()), writer.get(memory)):
                if j is not None and j != i:
                    after[j].add(i)
            writer[memory] = i
        if call.result is not None:
            maker[call.result] = i
    return [sorted(waiting) for waiting in after]

"""A step recorded as a graph of the device, and what a replay of it counts.

In eager steps a kernel is handed the host's numbers; in a captured step it reads the device's. It
is the same kernel, so both give the same bits.
"""

from __future__ import annotations

from contextlib import contextmanager
from threading import get_ident
from typing import Any, Iterator

import numpy as np

from minigan.backend.base import Array
from minigan.backend.gpu.counters import SLOTS, Mirror
from minigan.backend.gpu.passes import KernelPasses

Owned = tuple[Any, str]  # an object and the name of its attribute, such as (optimizer, "t")


class GraphRecording:
    """A `Recording`: what a captured step counts and reads, and the graph that repeats it."""

    program: Any = None  # only the driver knows it

    def __init__(self, mirror: Mirror) -> None:
        self.mirror = mirror
        self.graph: Any = None               # with `launch()`, once the step is recorded
        self.starts: dict[Owned, int] = {}   # counters, as they were when the capture began
        self.counts: dict[Owned, int] = {}   # what one replay adds to each
        self.rates: set[Owned] = set()       # what a replay reads

    def op(self, *_: Any) -> None:
        """An op ran: nothing to note, as what it asked of the device is in the graph."""

    def keep(self, array: Array) -> None:
        """The step uses an older array: nothing to note, as the graph holds its address.

        The caller of `capture` keeps the array alive.
        """

    def give(self, array: Array) -> Array:
        """The array that holds this result after every replay: itself, as its address stays."""
        return array

    @contextmanager
    def in_op(self) -> Iterator[None]:
        """Computing inside an op: no different from outside, as the stream records both."""
        yield

    def __str__(self) -> str:
        return f"one graph of the device {self.mirror.device}, which its driver alone can list"

    def stop(self) -> None:
        """Capturing computes nothing: put the host's counters back, and keep what they counted."""
        for (owner, name), start in self.starts.items():
            self.counts[owner, name] = getattr(owner, name) - start
            setattr(owner, name, start)

    def replay(self) -> None:
        """Run the step once; the host does not wait for it."""
        for owner, name in (*self.counts, *self.rates):
            self.mirror.level(owner, name)
        self.graph.launch()
        for (owner, name), by in self.counts.items():
            setattr(owner, name, getattr(owner, name) + by)
            slot = self.mirror.clock(owner, name)
            slot.there = getattr(owner, name)  # as the graph's last kernel counts


class GraphCapture(KernelPasses):
    """A device that can capture a step; a subclass says how, in `captured`."""

    capturable = True
    live_attributes = frozenset({"t", "lr"})  # they live on the device

    def __init__(self, device: str, module: Any, array_type: type) -> None:
        super().__init__(device, module, array_type)
        self.mirror = Mirror(device, module)
        self.zero = module.zeros(1, "uint64")
        self._recording: GraphRecording | None = None
        self._recorder = 0  # the thread that records

    # The numbers.

    def clock(self, owner: Any, counter: str) -> tuple[Array, int]:
        """A counter as kernels take it: a word on the device, and what to add to it."""
        self.enter()
        now = getattr(owner, counter)
        if self._recording is None:
            return self.zero, now
        slot = self.mirror.clock(owner, counter)
        start = self._recording.starts.setdefault((owner, counter), now)
        return slot.word, now - start

    def advance(self, owner: Any, counter: str, by: int = 1) -> None:
        self.clock(owner, counter)
        super().advance(owner, counter, by)

    def rate(self, owner: Any, name: str) -> Array:
        """A number such as the learning rate, float64 (1,), on the device."""
        self.enter()
        slot = self.mirror.rate(owner, name)
        if self._recording is None:
            self.mirror.level(owner, name)
        else:
            self._recording.rates.add((owner, name))
        return slot.word

    # Capturing.

    @property
    def capturing(self) -> bool:
        """Whether what is computed now is recorded, and not computed."""
        return self._recording is not None

    def enter(self) -> None:
        """Call this before the current thread asks the device for anything.

        Raises:
            RuntimeError: another thread is recording, and would record this thread's work as well.
        """
        if self._recording is not None and self._recorder != get_ident():
            raise RuntimeError(f"another thread records a step on {self.device}, and what this one "
                               f"computes there would become a part of it; let it wait")

    def captured(self) -> Any:
        """A context that records what is launched in it; it yields an object with `launch()`.

        Raises:
            NotImplementedError: the subclass does not say how.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say how it captures")

    @contextmanager
    def recording(self) -> Iterator[GraphRecording]:
        """Record everything that is computed inside as one graph, which `replay` runs.

        Raises:
            RuntimeError: a step is being captured already, by this thread or another.
        """
        self.enter()
        if self._recording is not None:
            raise RuntimeError("a step is being captured already; captures do not nest")
        recording = GraphRecording(self.mirror)
        counted = self.module.zeros(SLOTS, "uint64")
        self._advance_all(counted)  # adds 0; now the kernel is compiled
        try:
            with self.captured() as recording.graph:
                self._recording = recording
                self._recorder = get_ident()
                yield recording
                self._advance_all(counted)
        finally:
            self._recording = None
            recording.stop()
        self.write(counted, self._by_slot(recording.counts))

    def _advance_all(self, counted: Array) -> None:
        self.each("advance", "float32", SLOTS, self.mirror.clocks, counted)

    def _by_slot(self, counts: dict[Owned, int]) -> np.ndarray:
        by = np.zeros(SLOTS, np.uint64)
        for (owner, name), count in counts.items():
            by[self.mirror.clock(owner, name).index] = count
        return by

"""Numbers that change from step to step: how a device keeps them, and the host without asking.

A captured step repeats the numbers that it was captured with. So the number of the step, the
learning rate and the counters of random streams live on the device, and every kernel that needs one
reads it there. Each is an attribute of its owner as well (`optimizer.t`, `optimizer.lr`,
`stream.counter`): the host adds what a replay counts, and writes to the device only where the two
have come apart, as after a checkpoint was loaded.

In eager steps a kernel is handed the host's number; it is the same kernel, so it gives the same
bits.
"""

from __future__ import annotations

import math
import weakref
from contextlib import contextmanager
from threading import get_ident
from typing import Any, Iterator

import numpy as np

from minigan.backend.base import Array
from minigan.backend.gpu.kernels import REALS
from minigan.backend.gpu.passes import Passes, contiguous

PLACES = 1024  # numbers that a device can keep at a time


class Recording:
    """What a captured step counts and reads, and the graph that repeats it."""

    program = None  # only the driver knows it

    def __init__(self, device: Counting) -> None:
        self.device, self.graph = device, None  # type: Counting, Any
        self.counters: dict[tuple[Any, str], int] = {}  # values when the capture began, then
        self.settings: set[tuple[Any, str]] = set()     # what one replay adds

    def op(self, *_: Any) -> None:
        """An op ran; what it asked of the device is in the graph."""

    keep = op

    def give(self, array: Array) -> Array:
        """An array that every replay computes anew: this one itself, as it is in the graph."""
        return array

    @contextmanager
    def in_op(self) -> Iterator[None]:
        """What is made inside belongs to an op."""
        yield

    def __str__(self) -> str:
        return f"one graph of the device {self.device.device}, which its driver alone can list"

    def stop(self) -> None:
        """Capturing computes nothing: put the host's counters back, and keep what they counted."""
        for (owner, name), start in self.counters.items():
            self.counters[owner, name] = getattr(owner, name) - start
            setattr(owner, name, start)

    def replay(self) -> None:
        """Run the step once; the host does not wait for it."""
        for owner, name in (*self.counters, *self.settings):
            self.device.level(owner, name)
        self.graph.launch()
        for (owner, name), by in self.counters.items():
            setattr(owner, name, getattr(owner, name) + by)
            self.device.known[owner][name][1] += by  # as the graph's last kernel does


class Counting(Passes):
    """A device that can capture a step; a subclass says how, in `captured`."""

    capturable = picks_batches = True
    live_attributes = frozenset({"t", "lr"})  # they live on the device

    def __init__(self, device: str, module: Any, array_type: type) -> None:
        super().__init__(device, module, array_type)
        self.clocks = module.zeros(PLACES, "uint64")
        self.numbers = module.zeros(PLACES, "float64")
        self.zero = module.zeros(1, "uint64")
        # By owner and name: its place, the value that the device has there, and in which array.
        self.known: Any = weakref.WeakKeyDictionary()
        self._free = list(range(PLACES))[::-1]
        self._recording: Recording | None = None
        self._recorder = 0  # the thread that records

    # The numbers.

    def clock(self, owner: Any, counter: str) -> tuple[Array, int]:
        """A counter as kernels take it: a word on the device, and what to add to it."""
        self.enter()
        now = getattr(owner, counter)
        if self._recording is None:
            return self.zero, now
        place = self._place(owner, counter)
        start = self._recording.counters.setdefault((owner, counter), now)
        return self.clocks[place:place + 1], now - start

    def advance(self, owner: Any, counter: str, by: int = 1) -> None:
        self.clock(owner, counter)
        super().advance(owner, counter, by)

    def setting(self, owner: Any, name: str) -> Array:
        """A number such as the learning rate, float64 (1,), on the device."""
        self.enter()
        place = self._place(owner, name, self.numbers)
        if self._recording is None:
            self.level(owner, name)
        else:
            self._recording.settings.add((owner, name))
        return self.numbers[place:place + 1]

    def level(self, owner: Any, name: str) -> None:
        """Write a number of the host to the device where that has another."""
        kept, value = self.known[owner][name], getattr(owner, name)
        place, there, array = kept
        if there != value:
            array[place:place + 1].fill(value)
            kept[1] = value

    def _place(self, owner: Any, name: str, array: Array | None = None) -> int:
        if owner not in self.known:
            self.known[owner] = {}
            weakref.finalize(owner, self._give_back, self.known[owner])
        places = self.known[owner]
        if name not in places:
            if not self._free:
                raise RuntimeError(f"more than {PLACES} counters on {self.device}; delete models "
                                   f"that are no longer needed")
            places[name] = [self._free.pop(), None, self.clocks if array is None else array]
        return int(places[name][0])

    def _give_back(self, places: dict[str, list[Any]]) -> None:
        self._free.extend(place for place, *_ in places.values())

    def write(self, array: Array, values: np.ndarray) -> None:
        """Overwrite an array with values of the host, after all that was asked for before."""
        array.set(values)

    # Capturing.

    @property
    def capturing(self) -> bool:
        """Whether what is computed now is recorded, and not computed."""
        return self._recording is not None

    def enter(self) -> None:
        """Before this thread asks the device for something.

        Raises:
            RuntimeError: another thread records, and all that is asked for would be recorded.
        """
        if self._recording is not None and self._recorder != get_ident():
            raise RuntimeError(f"another thread records a step on {self.device}, and what this one "
                               f"computes there would become a part of it; let it wait")

    def captured(self) -> Any:
        """A context that records what is launched in it; gives an object with `launch()`."""
        raise NotImplementedError

    @contextmanager
    def recording(self) -> Iterator[Recording]:
        """Record all that is computed inside as one graph, which `replay` runs."""
        self.enter()
        if self._recording is not None:
            raise RuntimeError("a step is being captured already; captures do not nest")
        recording = Recording(self)
        counted = self.module.zeros(PLACES, "uint64")
        self.each("advance", "float32", PLACES, self.clocks, counted)  # adds 0: now it is compiled
        try:
            with self.captured() as recording.graph:
                self._recording, self._recorder = recording, get_ident()
                yield recording
                self.each("advance", "float32", PLACES, self.clocks, counted)
        finally:
            self._recording = None
            recording.stop()
        by = np.zeros(PLACES, np.uint64)
        for (owner, name), count in recording.counters.items():
            by[self._place(owner, name)] = count
        self.write(counted, by)

    # Optimizers and averages.

    def update(self, optimizer: Any) -> None:
        flat = optimizer.values, optimizer.gradient, *optimizer.running.values()
        kind = type(optimizer)
        known = {"Adam": self._adam, "RMSprop": self._rmsprop, "SGD": self._sgd}
        if kind.__module__ == "minigan.optim" and str(flat[0].dtype) in REALS:
            known[kind.__name__](optimizer, flat)
        elif self.capturing:
            raise RuntimeError(f"the rule of {kind.__name__} is not known to the device: captured, "
                               f"it would repeat the numbers of one step")
        else:
            super().update(optimizer)

    def _adam(self, optimizer: Any, flat: tuple[Array, ...]) -> None:
        (beta1, beta2), dtype = optimizer.betas, flat[0].dtype
        rates = self.module.empty(2, "float64")
        self.each("adam_rates", dtype, 1, *self.clock(optimizer, "t"),
                  self.setting(optimizer, "lr"), beta1, beta2, optimizer.eps, rates)
        self.each("adam", dtype, flat[0].size, *flat, rates, beta1, beta2)

    def _rmsprop(self, optimizer: Any, flat: tuple[Array, ...]) -> None:
        alpha = optimizer.alpha
        self.each("rmsprop", flat[0].dtype, flat[0].size, *flat, self.setting(optimizer, "lr"),
                  alpha, 1 - alpha, optimizer.eps)

    def _sgd(self, optimizer: Any, flat: tuple[Array, ...]) -> None:
        self.each("sgd", flat[0].dtype, flat[0].size, *flat, self.setting(optimizer, "lr"),
                  optimizer.momentum)

    def follow(self, average: Array, value: Array, ema: Any) -> None:
        self.each("ema", average.dtype, average.size, average, contiguous(value),
                  *self.clock(ema, "t"), ema.decay)

    # Random numbers.

    def uniform(self, stream: Any, shape: tuple[int, ...], low: float, high: float, dtype: Any
                ) -> Array:
        most = np.nextafter(dtype.type(high), dtype.type(low))
        return self._draw("random_uniform", stream, shape, dtype, high - low, low, most)

    def normal(self, stream: Any, shape: tuple[int, ...], mean: float, std: float, dtype: Any
               ) -> Array:
        return self._draw("random_normal", stream, shape, dtype, mean, std)

    def _draw(self, kernel: str, stream: Any, shape: tuple[int, ...], dtype: Any, *settings: Any
              ) -> Array:
        self.enter()
        n, out = math.prod(shape), self.module.empty(shape, dtype)
        a_block = 8 if dtype == np.float32 else 4                # numbers
        drawn = n + n % 2 if kernel == "random_normal" else n    # pairs
        if n:
            self.each(kernel, dtype, n, *map(int, stream.key), *self.clock(stream, "counter"),
                      *settings, out)
            self.advance(stream, "counter", -(-drawn // a_block))
        return out

    # Batches of a data set that lives here.

    def batch(self, images: Array, labels: Array | None, order: Array, batches: Any, n: int
              ) -> tuple[Array, Array | None]:
        """n images from `batches.position` on, as floats in [-1, 1], and their labels.

        images: bytes (N, H, W, C); order: the epoch's, int64 (N,).
        """
        clock = self.clock(batches, "position")
        x = self.module.empty((n, *images.shape[1:]), "float32")
        self.each("batch_images", "float32", x.size, images, order, *clock,
                  math.prod(images.shape[1:]), x)
        if labels is None:
            return x, None
        y = self.module.empty(n, "int64")
        self.each("batch_labels", "float32", n, labels, order, *clock, y)
        return x, y

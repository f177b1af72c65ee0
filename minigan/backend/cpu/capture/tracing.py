"""NumPy as a device that can record a step: what each of its primitives reports to the tracer.

In a small network's step a third of the time goes into deciding what to compute: making tensors,
looking for paths, finding rules. From step to step the answers are the same. A recording notes down
what is asked of the arrays, and a replay asks the same again. Nothing is left out but results that
are never read, so the bits are the same.
"""

from __future__ import annotations

import functools
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Callable, Iterator, Sequence

import numpy as np

from minigan.backend.base import Array
from minigan.backend.cpu.capture.optimize import optimize
from minigan.backend.cpu.capture.program import Program
from minigan.backend.cpu.capture.replay import Replay, source
from minigan.backend.cpu.capture.tracer import Tracer
from minigan.backend.cpu.passes import BlockedPasses
from minigan.backend.recording import Recording
from minigan.reading import EVERYTHING
from minigan.system.turn import Turn

MAKERS = ("arange", "empty", "eye", "full", "ones", "zeros")  # what they make is the same each time


class NumpyRecording(Tracer, Recording):
    """A step that is traced until `stop`, and then a program that can be replayed.

    traced: the program as it was noted down. program: after all passes. Both are None until `stop`.
    """

    traced: Program | None = None
    program: Program | None = None

    def stop(self) -> None:
        """Stop recording, and optimize what was recorded."""
        self.traced, checks = self.finish()
        self.program = optimize(self.traced)
        self.run = Replay(self.program, checks)

    def replay(self) -> None:
        self.run()

    def source(self) -> str:
        """The program as the Python function that a replay runs."""
        return source(self.run.program)

    def __str__(self) -> str:
        if self.program is None:
            return "a step that is being recorded"
        return f"# {self.program.summary()}; {self.run.describe()}\n{self.program}"


_recorded: ContextVar[NumpyRecording | None] = ContextVar("the step recorded here", default=None)


class Tracing(BlockedPasses):
    """The processor as a device that can record a step.

    A tracer notes down what its own thread or asyncio task computes. Threads of the pool have none:
    a call whose blocks they share is noted down by the thread that made it.
    """

    capturable = True
    live_attributes = EVERYTHING  # rules are Python and run in every replay

    def __init__(self, device: str, module: Any, array_type: type) -> None:
        super().__init__(device, module, array_type)
        self._plain = {name: getattr(np, name) for name in MAKERS}
        self._recordings = 0  # in all threads together
        self._counting = Turn()
        self.__dict__.update(self._plain)

    @property
    def tracer(self) -> NumpyRecording | None:
        """What notes down the step that this thread records, None if it records none."""
        return _recorded.get()

    @property
    def capturing(self) -> bool:
        """Whether the thread that asks records a step."""
        return _recorded.get() is not None

    @contextmanager
    def recording(self) -> Iterator[NumpyRecording]:
        """Record all that this thread computes inside as one step, which `replay` runs.

        Raises:
            RuntimeError: this thread records a step already.
        """
        if _recorded.get() is not None:
            raise RuntimeError("a step is being captured already; captures do not nest")
        recording = NumpyRecording()
        with self._counting:
            self._recordings += 1
            self.__dict__.update({name: _noted(make) for name, make in self._plain.items()})
        before = _recorded.set(recording)
        try:
            yield recording
        finally:
            _recorded.reset(before)
            with self._counting:
                self._recordings -= 1
                if not self._recordings:
                    self.__dict__.update(self._plain)
            recording.stop()

    def _change(self, name: str, run: Callable[..., Any], inputs: Sequence[Any] = (), *,
                reads: Sequence[Any] = (), writes: Sequence[Any],
                target: Array | None = None) -> None:
        """Do what changes something, or only note it down where a step is recorded."""
        tracer = _recorded.get()
        if tracer is None:
            run(*inputs)
        else:
            tracer.call(name, run, inputs, reads=reads, writes=writes, target=target)

    # What changes something. All counters of an owner are one piece of memory.

    def advance(self, owner: Any, counter: str, by: int = 1) -> None:
        tracer = _recorded.get()
        count = functools.partial(super().advance, owner, counter, by)
        if tracer is not None:
            tracer.count(owner, counter)
            tracer.call("advance", count, writes=[owner])
        count()

    def assign(self, target: Array, value: Any) -> None:
        tracer = _recorded.get()
        if tracer is not None and tracer.makes(target):
            tracer.rewrite("assign", np.copyto, target, value)
            return
        copy = functools.partial(np.copyto, target)
        copied = target if isinstance(value, np.ndarray) else None
        self._change("assign", copy, [value], writes=[target], target=copied)

    def limit(self, array: Array, low: float, high: float) -> None:
        tracer = _recorded.get()
        if tracer is not None and tracer.makes(array):
            def clip(array: Array, _: Any) -> None:
                np.clip(array, low, high, out=array)

            tracer.rewrite("limit", clip, array, 0)
        else:
            clip_in_place = functools.partial(super().limit, array, low, high)
            self._change("limit", clip_in_place, writes=[array])

    def update(self, optimizer: Any) -> None:
        name = type(optimizer).__name__
        tracer = _recorded.get()
        if tracer is not None:
            tracer.name(optimizer.gradient, f"{name}.gradient")
            for key, array in optimizer.running.items():
                tracer.name(array, f"{name}.{key}")
        self._change(name, functools.partial(super().update, optimizer),
                     reads=[optimizer, optimizer.gradient],
                     writes=[optimizer.values, *optimizer.running.values()])

    def follow(self, average: Array, value: Array, ema: Any) -> None:
        follow = functools.partial(super().follow, average, value, ema)
        tracer = _recorded.get()
        if tracer is not None:
            tracer.name(average, f"{type(ema).__name__}.average")
        self._change("follow", follow, reads=[value, ema], writes=[average])

    # What is different each time.

    def uniform(self, stream: Any, *settings: Any) -> Array:
        draw = functools.partial(super().uniform, stream, *settings)
        return self._drawn("uniform", draw, stream)

    def normal(self, stream: Any, *settings: Any) -> Array:
        draw = functools.partial(super().normal, stream, *settings)
        return self._drawn("normal", draw, stream)

    def _drawn(self, name: str, draw: Callable[[], Array], stream: Any) -> Array:
        tracer = _recorded.get()
        if tracer is None:
            return draw()
        tracer.count(stream, "counter")
        return tracer.draw(name, draw, (), draw(), writes=[stream])

    # What is made of parts.

    def part(self, run: Callable[..., Array], *arrays: Array) -> Array:
        """run(*arrays), a part of an op.

        Where a step asks again for the same function of the same arrays, its replays compute it
        once.
        """
        result = run(*arrays)
        tracer = _recorded.get()
        if tracer is not None:
            tracer.part(run, arrays, result)
        return result

    def copied(self, array: Array) -> Array:
        copy = array.copy()
        tracer = _recorded.get()
        if tracer is None:
            return copy
        return tracer.draw("copy", np.copy, [array], copy)

    def array(self, values: Any, dtype: Any = None, copy: bool = True) -> Array:
        """An array with these values. A copy of an array of the step is made in every replay."""
        make = functools.partial(np.array, dtype=dtype, copy=copy)
        array = make(values)
        tracer = _recorded.get()
        if tracer is None or array is values or not isinstance(values, np.ndarray):
            return array
        return tracer.draw("array", make, [values], array)

    def recheck(self, check: Callable[[Array], None], array: Array, key: Any) -> None:
        tracer = _recorded.get()
        if tracer is not None:
            tracer.check(check, array, key)

    # What a replay cannot do: let Python look at a value.

    def item(self, array: Array) -> Any:
        """The only element, as a Python number.

        Raises:
            RuntimeError: a step is being recorded.
        """
        self._refuse("item")
        return array.item()

    def to_host(self, array: Array) -> np.ndarray:
        """The array itself.

        Raises:
            RuntimeError: a step is being recorded.
        """
        self._refuse("numpy")
        return super().to_host(array)

    def _refuse(self, method: str) -> None:
        if _recorded.get() is not None:
            raise RuntimeError(f"{method}() is not permitted while a step is captured: the code "
                               f"that reads the value does not run in a replay")


def _noted(make: Callable[..., Array]) -> Callable[..., Array]:
    """One of MAKERS that notes its arrays, for as long as any thread records a step."""
    def made(*sizes: Any, **settings: Any) -> Array:
        array = make(*sizes, **settings)
        tracer = _recorded.get()
        return array if tracer is None else tracer.constant(array)

    return made

"""A training step as a list of NumPy calls: recorded once, then made again without the engine.

In a small network's step a third of the time goes into deciding what to compute: making tensors,
looking for paths, finding rules. From step to step the answers are the same. So `Taping` notes down
what is asked of the arrays, and `Tape.replay` asks the same again, with new arrays in the places of
the old ones. Nothing is left out but results that nobody reads, so the bits are the same.

Recording must change nothing, so what would change something is noted down only: parameters and
running statistics stay, counters go back when it ends. An array that came from elsewhere, by
arithmetic outside of ops, would be frozen in the replays, and is refused.
"""

from __future__ import annotations

import functools
import time
import weakref
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock
from typing import Any, Callable, Iterator, Sequence

import numpy as np

from minigan.backend.base import Array
from minigan.backend.cpu_calls import Call, memory_of, placed
from minigan.backend.cpu_lanes import Lanes
from minigan.backend.cpu_passes import Passes

MAKERS = ("arange", "empty", "eye", "full", "ones", "zeros")  # what they make is the same each time


class Tape:
    """The calls of a step. Arrays live at places, numbered in the order in which they came."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._values: list[Any] = []                       # by place
        self._places: dict[int, int] = {}                  # by id, of arrays that are alive
        self._constants: set[int] = set()                  # ids of arrays from MAKERS
        self._fixed: set[int] = set()                      # places of constants and numbers
        self._counters: dict[tuple[Any, str], int] = {}    # values when recording began
        self._results: list[tuple[int, Array]] = []
        self._lanes: Lanes | None = None

    # Recording.

    def op(self, xp: Any, op: Any, inputs: Sequence[Any], settings: dict[str, Any], result: Array
           ) -> None:
        """Note down an op: arrays and numbers in, an array out."""
        index = [part for part in settings.get("index") or () if isinstance(part, np.ndarray)]
        run = (_indexed(xp, op.forward, settings, len(inputs)) if index else
               functools.partial(op.forward, xp, **settings))
        self.call(_as_array(run) if result.ndim == 0 else run, [*inputs, *index], result,
                  out=None if index or result.ndim == 0 else op.out)

    def call(self, run: Callable[..., Any], inputs: Sequence[Any] = (), result: Any = None,
             reads: Sequence[Any] = (), writes: Sequence[Any] = (), **more: Any) -> None:
        """Note down: run(*inputs) makes `result`, reads and writes arrays and other objects."""
        if result is not None and id(result) in self._places:
            return  # nothing new: an op handed on its input, or what another op made within it
        places = [self._place_of(value) for value in inputs]
        made: dict[str, Any] = {}
        if result is not None:
            made = {"result": self._new_place(result),
                    "kind": (result.shape, result.dtype, result.flags.c_contiguous)}
            views = [p for p, value in zip(places, inputs) if memory_of(value) == memory_of(result)]
            if views:
                made["shares"] = views[0]
            else:
                self._constants.discard(memory_of(result))  # made by a call, if by way of a maker
        self.calls.append(Call(run, places, reads=tuple(map(memory_of, reads)),
                               writes=tuple(map(memory_of, writes)), **made, **more))

    def part(self, run: Callable[..., Array], inputs: Sequence[Array], result: Array) -> None:
        """Note down what an op is made of, unless of an array of its own: then it is one call."""
        if all(id(array) in self._places for array in inputs):
            self.call(run, inputs, result, once=True)

    def constant(self, array: Array) -> Array:
        """Take note of an array whose values every replay may share."""
        self._constants.add(id(array))
        weakref.finalize(array, self._constants.discard, id(array))
        return array

    def keep(self, array: Array) -> None:
        """Take an array that was there before the recording as it is, whatever it will hold."""
        if id(array) not in self._places:
            self._values[self._new_place(array)] = array

    def count(self, owner: Any, counter: str) -> None:
        """Remember a counter, to put it back."""
        self._counters.setdefault((owner, counter), getattr(owner, counter))

    def give(self, array: Array) -> None:
        """Let every replay write into this array, a result, what it computes in its place."""
        self._results.append((self._place_of(array), array))

    def _place_of(self, value: Any) -> int:
        if not isinstance(value, np.ndarray):
            self._fixed.add(len(self._values))
            self._values.append(value)
            return len(self._values) - 1
        if id(value) not in self._places:
            if not {id(value), id(value.base)} & self._constants:
                raise RuntimeError(f"an array, {value.dtype} {value.shape}, was made outside of "
                                   f"ops, so every replay would use its present values")
            self.keep(value)
            self._fixed.add(self._places[id(value)])
        return self._places[id(value)]

    def _new_place(self, array: Array) -> int:
        self._places[id(array)] = place = len(self._values)
        self._values.append(None)
        weakref.finalize(array, self._places.pop, id(array), None)
        return place

    def stop(self) -> None:
        """Put the counters back, and keep the calls that are needed in every replay."""
        for (owner, counter), value in self._counters.items():
            setattr(owner, counter, value)
        self._places.clear()
        wanted = {place for place, _ in self._results}
        self.calls = placed(self._needed(self._varying()), self._values, wanted)

    def _varying(self) -> list[Call]:
        """The calls but those whose result is always the same; these are made here."""
        calls = []
        for call in self.calls:
            if call.result is None or call.reads or call.writes or not self._fixed.issuperset(
                    call.inputs):
                calls.append(call)
            else:
                self._make(call)
                self._fixed.add(call.result)
        return calls

    def _needed(self, calls: list[Call]) -> list[Call]:
        """The calls that change something, or whose results are read."""
        read, needed = {place for place, _ in self._results}, []
        for call in reversed(calls):
            if call.writes or call.result in read:
                read.update(call.inputs)
                needed.append(call)
        return needed[::-1]

    # Replaying.

    def replay(self) -> None:
        """Make the calls again; an array is freed after the last one that reads it.

        The first replay is timed, which tells whether several calls at once would be faster.
        """
        if self._lanes is None:
            seconds = [self._make(call) for call in self.calls]
            self._lanes = Lanes(self.calls, self._values, seconds)
        elif self._lanes.pay():
            self._lanes.run()
        else:
            return self._in_turn()
        for place, array in self._results:
            array[...] = self._values[place]

    def source(self) -> str:
        """The calls as a Python function, a line each: f are functions, v values, r results."""
        lines = ["def replay():"]
        for i, call in enumerate(self.calls):
            made = "" if call.result is None else f"v{call.result} = "
            lines.append(f"{made}f{i}({', '.join(f'v{place}' for place in call.inputs)})")
            lines += [f"del v{place}" for place in call.last]
        lines += [f"r{i}[...] = v{place}" for i, (place, _) in enumerate(self._results)]
        return "\n    ".join(lines)

    @functools.cached_property
    def _in_turn(self) -> Callable[[], None]:
        """That function. A loop over the calls would take 3 % of a small network's step."""
        names = {f"f{i}": call.run for i, call in enumerate(self.calls)}
        names.update((f"v{place}", value) for place, value in enumerate(self._values))
        names.update((f"r{i}", array) for i, (_, array) in enumerate(self._results))
        exec(compile(self.source(), "<a recorded step>", "exec"), names)
        return names["replay"]

    def _make(self, call: Call) -> float:
        began = time.perf_counter()
        made = call.run(*[self._values[i] for i in call.inputs])
        seconds = time.perf_counter() - began
        if call.result is not None:
            self._values[call.result] = made
        for place in call.last:
            self._values[place] = None
        return seconds


def _as_array(run: Callable[..., Any]) -> Callable[..., Array]:
    """NumPy makes scalars of 0-d results, the engine arrays."""
    return lambda *values: np.asarray(run(*values))


def _indexed(xp: Any, forward: Callable[..., Array], settings: dict[str, Any], n: int
             ) -> Callable[..., Array]:
    """An op with n inputs whose index has arrays, which come behind the inputs."""
    def run(*values: Any) -> Array:
        arrays = iter(values[n:])
        index = tuple(next(arrays) if isinstance(part, np.ndarray) else part
                      for part in settings["index"])
        return forward(xp, *values[:n], **{**settings, "index": index})

    return run


_recorded: ContextVar[Tape | None] = ContextVar("the tape that is recorded here", default=None)


class Taping(Passes):
    """The processor as a device that can capture a step.

    A tape records what its own thread or asyncio task computes. The threads of the pool see none:
    a call that they share is noted down by the thread that made it.
    """

    capturable = True
    _tape = property(lambda self: _recorded.get())  # while a step is recorded

    def __init__(self, device: str, module: Any, array_type: type) -> None:
        super().__init__(device, module, array_type)
        self._plain = {name: getattr(np, name) for name in MAKERS}
        self._recordings = 0  # in all threads together
        self._counting = Lock()
        self.__dict__.update(self._plain)

    @contextmanager
    def recording(self) -> Iterator[Tape]:
        """Record all that is computed inside as one tape, which `replay` runs."""
        if self._tape is not None:
            raise RuntimeError("a step is being captured already; captures do not nest")
        tape = Tape()
        with self._counting:
            self._recordings += 1
            self.__dict__.update({name: _noted(make) for name, make in self._plain.items()})
        before = _recorded.set(tape)
        try:
            yield tape
        finally:
            _recorded.reset(before)
            with self._counting:
                self._recordings -= 1
                if not self._recordings:
                    self.__dict__.update(self._plain)
            tape.stop()

    def _change(self, run: Callable[..., Any], inputs: Sequence[Any], reads: Sequence[Any],
                writes: Sequence[Any], **more: Any) -> None:
        """Do what changes something, or note it down where a step is recorded."""
        if self._tape is None:
            run(*inputs)
        else:
            self._tape.call(run, inputs, None, reads, writes, **more)

    # What changes something. Of a counter's owner, all counters are one piece of memory.

    def advance(self, owner: Any, counter: str, by: int = 1) -> None:
        count = functools.partial(super().advance, owner, counter, by)
        if self._tape is not None:
            self._tape.count(owner, counter)
            self._tape.call(count, writes=[owner])
        count()

    def assign(self, target: Array, value: Any) -> None:
        self._change(functools.partial(np.copyto, target), [value], (), [target],
                     target=target if isinstance(value, np.ndarray) else None)

    def limit(self, array: Array, low: float, high: float) -> None:
        self._change(functools.partial(super().limit, array, low, high), (), (), [array])

    def update(self, optimizer: Any) -> None:
        self._change(functools.partial(super().update, optimizer), (),
                     [optimizer, optimizer.gradient],
                     [optimizer.values, *optimizer.running.values()])

    def follow(self, average: Array, value: Array, ema: Any) -> None:
        self._change(functools.partial(super().follow, average, value, ema), (), [value, ema],
                     [average])

    # What is different each time.

    def uniform(self, stream: Any, *settings: Any) -> Array:
        return self._drawn(functools.partial(super().uniform, stream, *settings), stream)

    def normal(self, stream: Any, *settings: Any) -> Array:
        return self._drawn(functools.partial(super().normal, stream, *settings), stream)

    def _drawn(self, draw: Callable[[], Array], stream: Any) -> Array:
        if self._tape is None:
            return draw()
        self._tape.count(stream, "counter")
        values = draw()
        self._tape.call(draw, (), values, writes=[stream])
        return values

    # What is made of parts.

    def part(self, run: Callable[..., Array], *arrays: Array) -> Array:
        """run(*arrays), a part of an op.

        Where a step asks for the same again, the same function of the same arrays, its replays make
        it once.
        """
        result = run(*arrays)
        if self._tape is not None:
            self._tape.part(run, arrays, result)
        return result

    def copied(self, array: Array) -> Array:
        copy = array.copy()
        if self._tape is not None:
            self._tape.call(np.copy, [array], copy)
        return copy

    # What a replay cannot do: let Python look at a value.

    def item(self, array: Array) -> Any:
        self._refuse("item")
        return array.item()

    def to_host(self, array: Array) -> np.ndarray:
        self._refuse("numpy")
        return super().to_host(array)

    def _refuse(self, what: str) -> None:
        if self._tape is not None:
            raise RuntimeError(f"{what}() is not permitted while a step is captured: the code that "
                               f"reads the value does not run in a replay")


def _noted(make: Callable[..., Array]) -> Callable[..., Array]:
    """What makes arrays, for the time in which a step is recorded somewhere."""
    def made(*sizes: Any, **settings: Any) -> Array:
        array, tape = make(*sizes, **settings), _recorded.get()
        return array if tape is None else tape.constant(array)

    return made

"""A training step as a list of NumPy calls: recorded once, then made again without the engine.

In a small network's step a third of the time goes into deciding what to compute: making tensors,
looking for paths, finding rules. From step to step the answers are the same. So `Taping` notes down
what is asked of the arrays, and `Tape.replay` asks the same again, with new arrays in the places of
the old ones. Nothing is left out but results that nobody reads, so the bits are the same.

Recording must change nothing, so what would change something is noted down only: parameters and
running statistics stay, counters go back when it ends. An array that came from elsewhere, by
arithmetic outside of ops, would be frozen in the replays, and is refused; and as nobody would see
that Python writes into an array directly, none that the step can reach may be written meanwhile.
"""

from __future__ import annotations

import functools
import time
import weakref
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Callable, Iterator, Sequence

import numpy as np

from minigan.backend.base import Array
from minigan.backend.cpu.capture.optimize import Call, memory_of, placed
from minigan.backend.cpu.capture.schedule import Lanes
from minigan.backend.cpu.passes import BlockedPasses
from minigan.reading import EVERYTHING
from minigan.system.turn import Turn

MAKERS = ("arange", "empty", "eye", "full", "ones", "zeros")  # what they make is the same each time


class Tape:
    """The calls of a step. Arrays live at places, numbered in the order in which they came."""

    program = None

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._values: list[Any] = []                       # by place
        self._places: dict[int, int] = {}                  # by id, of arrays that are alive
        self._constants: set[int] = set()                  # ids of arrays from MAKERS
        self._fixed: set[int] = set()                      # places of constants and numbers
        self._shared: dict[int, int] = {}                  # of the places of views: of which place
        self._families: dict[int, list[Any]] = {}          # by memory, weak references to arrays
        self._guarded: list[Any] = []                      # weak references to what is read-only
        self._ops = 0                                      # that are being computed
        self._checks: dict[Any, Callable[[], None]] = {}   # made before each replay
        self._counters: dict[tuple[Any, str], int] = {}    # values when recording began
        self._results: list[tuple[int, Array]] = []
        self._lanes: Lanes | None = None

    # Recording.

    @contextmanager
    def in_op(self) -> Iterator[None]:
        """What is made inside belongs to an op, whose forward may write to it."""
        self._ops += 1
        try:
            yield
        finally:
            self._ops -= 1

    def _guard(self, array: Array) -> None:
        """Let Python not write to an array until the recording ends."""
        if isinstance(array, np.ndarray) and array.flags.writeable and not self._ops:
            array.flags.writeable = False
            self._guarded.append(weakref.ref(array))

    def op(self, xp: Any, op: Any, inputs: Sequence[Any], settings: dict[str, Any], result: Array
           ) -> None:
        """Note down an op: arrays and numbers in, an array out."""
        index = [part for part in settings.get("index") or () if isinstance(part, np.ndarray)]
        run = (_indexed(xp, op, settings, len(inputs)) if index else
               functools.partial(op.forward, xp, **settings))
        self.call(_as_array(run) if result.ndim == 0 else run, [*inputs, *index], result,
                  out=None if index or result.ndim == 0 else op.out)
        self._guard(result)

    def call(self, run: Callable[..., Any], inputs: Sequence[Any] = (), result: Any = None,
             reads: Sequence[Any] = (), writes: Sequence[Any] = (), **more: Any) -> None:
        """Note down: run(*inputs) makes `result`, reads and writes arrays and other objects."""
        if result is not None and id(result) in self._places:
            return  # nothing new: an op handed on its input, or what another op made within it
        places = [self._place_of(value) for value in inputs]
        self._guarded += [weakref.ref(array) for array in writes
                          if isinstance(array, np.ndarray) and not array.flags.writeable]
        made: dict[str, Any] = {}
        if result is not None:
            made = {"result": self._new_place(result),
                    "kind": (result.shape, result.dtype, result.flags.c_contiguous)}
            views = [p for p, value in zip(places, inputs) if memory_of(value) == memory_of(result)]
            if views:
                made["shares"] = self._shared[made["result"]] = views[0]
            else:
                self._constants.discard(memory_of(result))  # made by a call, if by way of a maker
        self.calls.append(Call(run, places, reads=tuple(map(memory_of, reads)),
                               writes=tuple(map(memory_of, writes)), **made, **more))

    def draw(self, run: Callable[..., Array], inputs: Sequence[Any], result: Array, **more: Any
             ) -> Array:
        """Note down what is made outside of ops; returns the result."""
        self.call(run, inputs, result, **more)
        self._guard(result)
        return result

    def makes(self, array: Array) -> bool:
        """Whether the step has made this array, or what it is a view of."""
        if {id(array), id(array.base)} & self._constants:
            return True
        place = self._places.get(id(array))
        while place in self._shared:
            place = self._shared[place]
        return place is not None and self._values[place] is None

    def rewrite(self, run: Callable[..., Any], array: Array, value: Any) -> None:
        """Note down: run(array, value) writes to this array, which the step has made.

        In every replay the step makes another one. So the call makes a copy that is written, and
        from now on that, with new views of it, has the place of the array and of its views.
        """
        self._place_of(array)
        whole, *views = [found for reference in self._families[memory_of(array)]
                         if (found := reference()) is not None]
        if not whole.flags.c_contiguous:
            raise RuntimeError("a tensor that the step itself has made, in another order than C's, "
                               "is written; compute a new tensor instead")
        part = _part_of(whole, array)

        def rewritten(whole: Array, value: Any) -> Array:
            copy = whole.copy()
            run(part(copy), value)
            return copy

        made = np.empty_like(whole)
        self.call(rewritten, [whole, value], made)
        self._constants.discard(id(whole))
        self._places[id(whole)] = self._places[id(made)]
        for view in views:
            make = _part_of(whole, view)
            again = make(made)
            self.call(make, [made], again)
            self._places[id(view)] = self._places[id(again)]

    def part(self, run: Callable[..., Array], inputs: Sequence[Array], result: Array) -> None:
        """Note down what an op is made of, unless of an array of its own: then it is one call."""
        if all(id(array) in self._places for array in inputs):
            self.call(run, inputs, result, once=True)

    def constant(self, array: Array) -> Array:
        """Take note of an array whose values every replay may share."""
        self._constants.add(id(array))
        weakref.finalize(array, self._constants.discard, id(array))
        self._guard(array)
        return array

    def keep(self, array: Array) -> None:
        """Take an array that was there before the recording as it is, whatever it will hold."""
        if isinstance(array, np.ndarray) and id(array) not in self._places:
            self._values[self._new_place(array)] = array
            self._guard(array)

    def check(self, check: Callable[[Array], None], array: Array, key: Any) -> None:
        """Let every replay call check(array), before anything else where nothing made the array."""
        memory, key = memory_of(array), (id(array), key)
        if self.makes(array) or any(memory in call.writes for call in self.calls):
            self.call(check, [array], writes=[check])
        elif key not in self._checks:
            self._checks[key] = functools.partial(check, array)

    def count(self, owner: Any, counter: str) -> None:
        """Remember a counter, to put it back."""
        self._counters.setdefault((owner, counter), getattr(owner, counter))

    def give(self, array: Array) -> Array:
        """An array into which every replay writes what it computes in the place of this one."""
        given = array.copy(order="K")  # of its own: a result may be read-only, or a view
        self._results.append((self._place_of(array), given))
        return given

    def _place_of(self, value: Any) -> int:
        if not isinstance(value, np.ndarray):
            self._fixed.add(len(self._values))
            self._values.append(value)
            return len(self._values) - 1
        if id(value) not in self._places:
            if not {id(value), id(value.base)} & self._constants:
                raise RuntimeError(f"an array, {value.dtype} {value.shape}, was made outside of "
                                   f"ops, so every replay would use its present values; make "
                                   f"constants before the step, draw random numbers from a stream, "
                                   f"bring data in a tensor that is given new values with assign")
            if id(value) not in self._constants:
                self._place_of(value.base)  # first what it is a view of
            self.keep(value)
            self._fixed.add(self._places[id(value)])
        return self._places[id(value)]

    def _new_place(self, array: Array) -> int:
        self._places[id(array)] = place = len(self._values)
        self._values.append(None)
        self._families.setdefault(memory_of(array), []).append(weakref.ref(array))
        weakref.finalize(array, self._places.pop, id(array), None)
        return place

    def stop(self) -> None:
        """Put the counters back, and keep the calls that are needed in every replay."""
        for (owner, counter), value in self._counters.items():
            setattr(owner, counter, value)
        guarded = [array for reference in self._guarded if (array := reference()) is not None]
        for array in sorted(guarded, key=lambda array: array.base is not None):  # views at last
            if array.base is None or getattr(array.base, "flags", array.flags).writeable:
                array.flags.writeable = True
        self._guarded.clear()
        self._families.clear()
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
        for check in self._checks.values():
            check()
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
        if len(lines) == 1:
            lines.append("pass")
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


def _indexed(xp: Any, op: Any, settings: dict[str, Any], n: int) -> Callable[..., Array]:
    """An op with n inputs whose index has arrays, which come behind the inputs."""
    def run(*values: Any) -> Array:
        arrays = iter(values[n:])
        index = tuple(next(arrays) if isinstance(part, np.ndarray) else part
                      for part in settings["index"])
        try:
            return op.forward(xp, *values[:n], **{**settings, "index": index})
        except IndexError as error:
            raise IndexError(f"{op.name}: {error}") from error

    return run


def _part_of(whole: Array, view: Array) -> Callable[[Array], Array]:
    """A function that makes, of an array like `whole`, the view that `view` is of `whole`."""
    offset = view.ctypes.data - whole.ctypes.data
    shape, dtype, strides = view.shape, view.dtype, view.strides
    return lambda array: np.ndarray(shape, dtype, array, offset, strides)


_recorded: ContextVar[Tape | None] = ContextVar("the tape that is recorded here", default=None)


class Taping(BlockedPasses):
    """The processor as a device that can capture a step.

    A tape records what its own thread or asyncio task computes. The threads of the pool see none:
    a call that they share is noted down by the thread that made it.
    """

    capturable = True
    live_attributes = EVERYTHING  # rules are Python and run in every replay
    _tape = property(lambda self: _recorded.get())  # while a step is recorded

    def __init__(self, device: str, module: Any, array_type: type) -> None:
        super().__init__(device, module, array_type)
        self._plain = {name: getattr(np, name) for name in MAKERS}
        self._recordings = 0  # in all threads together
        self._counting = Turn()
        self.__dict__.update(self._plain)

    @property
    def capturing(self) -> bool:
        """Whether the thread that asks records a step."""
        return _recorded.get() is not None

    @contextmanager
    def recording(self) -> Iterator[Tape]:
        """Record all that this thread computes inside as one tape, which `replay` runs."""
        if _recorded.get() is not None:
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
        tape = _recorded.get()
        if tape is None:
            run(*inputs)
        else:
            tape.call(run, inputs, None, reads, writes, **more)

    # What changes something. Of a counter's owner, all counters are one piece of memory.

    def advance(self, owner: Any, counter: str, by: int = 1) -> None:
        tape = _recorded.get()
        count = functools.partial(super().advance, owner, counter, by)
        if tape is not None:
            tape.count(owner, counter)
            tape.call(count, writes=[owner])
        count()

    def assign(self, target: Array, value: Any) -> None:
        tape = _recorded.get()
        if tape is not None and tape.makes(target):
            tape.rewrite(np.copyto, target, value)
        else:
            self._change(functools.partial(np.copyto, target), [value], (), [target],
                         target=target if isinstance(value, np.ndarray) else None)

    def limit(self, array: Array, low: float, high: float) -> None:
        tape = _recorded.get()
        if tape is not None and tape.makes(array):
            tape.rewrite(lambda part, _: np.clip(part, low, high, out=part), array, 0)
        else:
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
        tape = _recorded.get()
        if tape is None:
            return draw()
        tape.count(stream, "counter")
        return tape.draw(draw, (), draw(), writes=[stream])

    # What is made of parts.

    def part(self, run: Callable[..., Array], *arrays: Array) -> Array:
        """run(*arrays), a part of an op.

        Where a step asks for the same again, the same function of the same arrays, its replays make
        it once.
        """
        result, tape = run(*arrays), _recorded.get()
        if tape is not None:
            tape.part(run, arrays, result)
        return result

    def copied(self, array: Array) -> Array:
        copy, tape = array.copy(), _recorded.get()
        return copy if tape is None else tape.draw(np.copy, [array], copy)

    def array(self, values: Any, dtype: Any = None, copy: bool = True) -> Array:
        """An array with these values; of an array that a replay knows, it makes the copy anew."""
        make = functools.partial(np.array, dtype=dtype, copy=copy)
        array, tape = make(values), _recorded.get()
        if tape is None or array is values or not isinstance(values, np.ndarray):
            return array
        return tape.draw(make, [values], array)

    def recheck(self, check: Callable[[Array], None], array: Array, key: Any) -> None:
        tape = _recorded.get()
        if tape is not None:
            tape.check(check, array, key)

    # What a replay cannot do: let Python look at a value.

    def item(self, array: Array) -> Any:
        self._refuse("item")
        return array.item()

    def to_host(self, array: Array) -> np.ndarray:
        self._refuse("numpy")
        return super().to_host(array)

    def _refuse(self, what: str) -> None:
        if _recorded.get() is not None:
            raise RuntimeError(f"{what}() is not permitted while a step is captured: the code that "
                               f"reads the value does not run in a replay")


def _noted(make: Callable[..., Array]) -> Callable[..., Array]:
    """What makes arrays, for the time in which a step is recorded somewhere."""
    def made(*sizes: Any, **settings: Any) -> Array:
        array, tape = make(*sizes, **settings), _recorded.get()
        return array if tape is None else tape.constant(array)

    return made

"""Notes down what a step asks of NumPy, and makes a `Program` of it.

The step runs as it always does, and each of its arrays gets a slot when it is first seen. A call
that would change a parameter, say, is noted down and not made: recording must change nothing.

Two kinds of mistake would make a replay wrong, and are refused. An array that came from elsewhere,
by arithmetic outside of ops, would be frozen at its present values. And where Python writes into an
array directly, the tracer does not see it, so all arrays that the step can reach are read-only.
"""

from __future__ import annotations

import functools
import weakref
from contextlib import contextmanager
from typing import Any, Callable, Iterator, Sequence

import numpy as np

from minigan.backend.base import Array
from minigan.backend.cpu.capture.program import (Call, Effects, Layout, Output, Program, Slot,
                                                 memory_of)
from minigan.backend.cpu.capture.readonly import ReadOnly
from minigan.backend.recording import RecordedOp


class Tracer:
    """Fills the slots of a program, call by call."""

    def __init__(self) -> None:
        self._calls: list[Call] = []
        self._inputs: dict[Slot, Array] = {}
        self._constants: dict[Slot, Any] = {}
        self._outputs: list[Output] = []
        self._names: dict[int, str] = {}                    # of memory, for people
        self._slots = 0                                     # given out so far

        self._slot_of: dict[int, Slot] = {}                 # by id, of arrays that are alive
        self._view_of: dict[Slot, Slot] = {}
        self._sharing: dict[int, list[Any]] = {}            # by memory, weak references to arrays
        self._constant_ids: set[int] = set()                # arrays that each replay may share

        self._read_only = ReadOnly()
        self._ops = 0                                       # being computed, one within another
        self._checks: dict[Any, Callable[[], None]] = {}    # made before each replay
        self._counters: dict[tuple[Any, str], int] = {}     # values when recording began

    # Ops, and arrays that existed before.

    @contextmanager
    def in_op(self) -> Iterator[None]:
        """What is made inside belongs to an op, whose forward may write to it."""
        self._ops += 1
        try:
            yield
        finally:
            self._ops -= 1

    def op(self, xp: Any, op: RecordedOp, inputs: Sequence[Any], settings: dict[str, Any],
           result: Array) -> None:
        """Note down an op: arrays and numbers in, an array out."""
        index = [entry for entry in settings.get("index") or () if isinstance(entry, np.ndarray)]
        run: Callable[..., Any]
        if index:
            run = _indexed(xp, op, settings, len(inputs))
        else:
            run = functools.partial(op.forward, xp, **settings)

        out = None if index else op.out
        if result.ndim == 0:
            run = _as_array(run)
            out = None
        self.call(op.name, run, [*inputs, *index], result, out=out)
        self._protect(result)

    def keep(self, array: Array) -> None:
        """Note an array that existed before the recording; a replay reads what it holds then."""
        if isinstance(array, np.ndarray) and id(array) not in self._slot_of:
            self._inputs[self._new_slot(array)] = array
            self._protect(array)

    def give(self, array: Array) -> Array:
        """The array into which every replay writes the result that is in `array` now.

        Raises:
            RuntimeError: the array was neither kept nor computed in the step.
        """
        given = array.copy(order="K")  # its own memory: a result may be read-only, or a view
        self._outputs.append(Output(self._slot(array), given))
        return given

    # What the device computes besides ops.

    def call(self, op: str, run: Callable[..., Any], inputs: Sequence[Any] = (),
             result: Array | None = None, *, reads: Sequence[Any] = (), writes: Sequence[Any] = (),
             out: tuple[int, ...] | None = None, target: Array | None = None,
             shareable: bool = False) -> None:
        """Note down: run(*inputs) makes `result`, reads and writes arrays and other objects.

        out, target, shareable: as in `Call`.
        """
        if result is not None and id(result) in self._slot_of:
            return  # nothing new: an op handed on its input, or what another op made within it

        slots = tuple(self._slot(value) for value in inputs)
        for thing in (*reads, *writes):
            if not isinstance(thing, np.ndarray):
                self.name(thing, type(thing).__name__)
        for thing in writes:
            self._read_only.release_later(thing)
        effects = Effects(tuple(map(memory_of, reads)), tuple(map(memory_of, writes)))
        call = Call(op, run, slots, effects=effects, out=out, target=target, shareable=shareable)

        if result is not None:
            output = self._new_slot(result)
            memory = memory_of(result)
            shared = [slot for slot, value in zip(slots, inputs) if memory_of(value) == memory]
            if shared:
                self._view_of[output] = shared[0]
            else:
                self._constant_ids.discard(memory)  # made by a call, if by way of a maker
            call = call._replace(output=output, layout=Layout.of(result),
                                 view_of=self._view_of.get(output))
        self._calls.append(call)

    def draw(self, op: str, run: Callable[..., Array], inputs: Sequence[Any], result: Array,
             writes: Sequence[Any] = ()) -> Array:
        """Note down a result that is made outside of ops, such as random numbers; returns it."""
        self.call(op, run, inputs, result, writes=writes)
        self._protect(result)
        return result

    def part(self, run: Callable[..., Array], inputs: Sequence[Array], result: Array) -> None:
        """Note down a part of an op, if it is made of arrays that the step knows.

        Otherwise, as when it is made of what the op has computed itself, the op stays one call.
        """
        if all(id(array) in self._slot_of for array in inputs):
            self.call(getattr(run, "__name__", "part"), run, inputs, result, shareable=True)

    def constant(self, array: Array) -> Array:
        """Note an array whose values every replay may share."""
        self._constant_ids.add(id(array))
        weakref.finalize(array, self._constant_ids.discard, id(array))
        self._protect(array)
        return array

    # What the step writes.

    def makes(self, array: Array) -> bool:
        """Whether the step has made this array, or what it is a view of."""
        if self._is_constant(array):
            return True
        slot = self._slot_of.get(id(array))
        while slot in self._view_of:
            slot = self._view_of[slot]
        return slot is not None and slot not in self._inputs and slot not in self._constants

    def rewrite(self, op: str, run: Callable[..., Any], array: Array, value: Any) -> None:
        """Note down: run(array, value) writes to this array, which the step has made.

        In every replay the step makes another one. So the call makes a copy that is written, and
        from now on that, with new views of it, has the slot of the array and of its views.

        Raises:
            RuntimeError: the array's memory is not in C's order.
        """
        self._slot(array)
        references = self._sharing[memory_of(array)]
        alive = [shared for reference in references if (shared := reference()) is not None]
        whole, *views = alive
        if not whole.flags.c_contiguous:
            raise RuntimeError("a tensor that the step itself has made, in another order than C's, "
                               "is written; compute a new tensor instead")
        view = _view_maker(whole, array)

        def rewritten(whole: Array, value: Any) -> Array:
            copy = whole.copy()
            run(view(copy), value)
            return copy

        made = np.empty_like(whole)
        self.call(op, rewritten, [whole, value], made)
        self._constant_ids.discard(id(whole))
        self._slot_of[id(whole)] = self._slot_of[id(made)]
        for old in views:
            make = _view_maker(whole, old)
            new = make(made)
            self.call("view", make, [made], new)
            self._slot_of[id(old)] = self._slot_of[id(new)]

    def count(self, owner: Any, counter: str) -> None:
        """Remember a counter, to put it back."""
        self._counters.setdefault((owner, counter), getattr(owner, counter))

    def check(self, check: Callable[[Array], None], array: Array, key: Any) -> None:
        """Let every replay call check(array), before anything else where nothing made the array."""
        memory = memory_of(array)
        if self.makes(array) or any(memory in call.effects.writes for call in self._calls):
            self.call("check", check, [array], writes=[check])  # so no pass removes it
            self.name(check, "its verdict")
        else:
            self._checks.setdefault((id(array), key), functools.partial(check, array))

    def name(self, thing: Any, name: str) -> None:
        """Say what to call a piece of memory, for people."""
        self._names[memory_of(thing)] = name

    # The end.

    def finish(self) -> tuple[Program, list[Callable[[], None]]]:
        """The program, and the checks before it; puts the counters back, lets arrays be written."""
        for (owner, name), value in self._counters.items():
            setattr(owner, name, value)
        self._read_only.release()
        self._sharing.clear()
        self._slot_of.clear()
        program = Program(self._calls, self._inputs, self._constants, self._outputs, self._names)
        return program, list(self._checks.values())

    # Slots.

    def _slot(self, value: Any) -> Slot:
        """The slot of an input; a constant gets one here.

        Raises:
            RuntimeError: it is an array that no replay would make, and not a known constant.
        """
        if not isinstance(value, np.ndarray):
            slot = self._next_slot()
            self._constants[slot] = value
            return slot
        if id(value) not in self._slot_of:
            if not self._is_constant(value):
                raise RuntimeError(f"an array, {value.dtype} {value.shape}, was made outside of "
                                   f"ops, so every replay would use its present values; make "
                                   f"constants before the step, draw random numbers from a stream, "
                                   f"bring data in a tensor that is given new values with assign")
            if id(value) not in self._constant_ids:
                self._slot(value.base)  # first what it is a view of
            self._constants[self._new_slot(value)] = value
            self._protect(value)
        return self._slot_of[id(value)]

    def _new_slot(self, array: Array) -> Slot:
        """A slot for an array, which has it as long as it lives."""
        slot = self._next_slot()
        self._slot_of[id(array)] = slot
        self._sharing.setdefault(memory_of(array), []).append(weakref.ref(array))
        weakref.finalize(array, self._slot_of.pop, id(array), None)
        return slot

    def _next_slot(self) -> Slot:
        self._slots += 1
        return self._slots - 1

    def _is_constant(self, array: Array) -> bool:
        return id(array) in self._constant_ids or id(array.base) in self._constant_ids

    def _protect(self, array: Array) -> None:
        """Keep Python from writing to an array that is finished."""
        if not self._ops:
            self._read_only.protect(array)


def _as_array(run: Callable[..., Any]) -> Callable[..., Array]:
    """`run` with its result as an array, where NumPy would return a scalar for a 0-d one."""
    def as_array(*values: Any) -> Array:
        return np.asarray(run(*values))

    return as_array


def _indexed(xp: Any, op: RecordedOp, settings: dict[str, Any], n: int) -> Callable[..., Array]:
    """An op with n inputs whose index has arrays, which come behind the inputs."""
    def run(*values: Any) -> Array:
        inputs = values[:n]
        arrays = iter(values[n:])
        index = tuple(next(arrays) if isinstance(entry, np.ndarray) else entry
                      for entry in settings["index"])
        try:
            return op.forward(xp, *inputs, **{**settings, "index": index})
        except IndexError as error:
            raise IndexError(f"{op.name}: {error}") from error

    return run


def _view_maker(whole: Array, view: Array) -> Callable[[Array], Array]:
    """A function that makes, of an array like `whole`, the view that `view` is of `whole`."""
    offset = view.ctypes.data - whole.ctypes.data
    shape = view.shape
    dtype = view.dtype
    strides = view.strides

    def make(array: Array) -> Array:
        return np.ndarray(shape, dtype, array, offset, strides)

    return make

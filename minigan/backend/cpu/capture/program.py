"""A recorded step as data: one call a line, values in numbered slots.

    v10 = matmul(v9, v0)                         # float32 (64, 128)
    v11 = bias_leaky_relu(v10, v1)               # float32 (64, 128), over v10, free v10

A slot is what a compiler calls a register: each is given a value once, by a call or beforehand, and
later calls name it. Programs and calls are never changed; a pass of `optimize` makes new ones.

    >>> y = np.zeros(3)
    >>> program = Program([Call("add", np.add, (0, 0), output=2),
    ...                    Call("multiply", np.multiply, (2, 1), output=3)],
    ...                   inputs={0: np.ones(3)}, constants={1: 0.5}, outputs=[Output(3, y)])
    >>> print(program)
    v0 = input                                   # float64 (3,)
    v2 = add(v0, v0)
    v3 = multiply(v2, 0.5)
    return v3
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Callable, Iterable, Mapping, NamedTuple, Sequence

import numpy as np

from minigan.system.notebook import Printed

Slot = int
Memory = int  # the id of its owner, or -1 - slot if the call that makes that slot allocates it

COLUMN = 44   # where the notes of a line begin
SHOWN = 4     # pieces of memory that a line names


class Layout(NamedTuple):
    """What an array looks like: two of the same layout can take each other's place in memory."""

    shape: tuple[int, ...]
    dtype: np.dtype
    contiguous: bool  # in C's order

    @classmethod
    def of(cls, array: np.ndarray) -> Layout:
        """The layout of an array."""
        return cls(array.shape, array.dtype, array.flags.c_contiguous)

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """How many bytes it takes."""
        return self.size * self.dtype.itemsize

    def __str__(self) -> str:
        return f"{self.dtype} {self.shape}"


class Effects(NamedTuple):
    """Memory that a call reads or writes besides its inputs and its result.

    It belongs to arrays that were there before the step, or to other objects, such as a stream's
    counter or an optimizer's settings; all attributes of an object are one piece of memory.
    """

    reads: tuple[Memory, ...] = ()
    writes: tuple[Memory, ...] = ()


class Call(NamedTuple):
    """One line of a program: run(*values of the slots `inputs`); the result goes into `output`."""

    op: str                               # "affine": for people
    run: Callable[..., Any]
    inputs: tuple[Slot, ...] = ()
    output: Slot | None = None            # None: it is called for its effects
    layout: Layout | None = None          # of the result, where that is an array

    effects: Effects = Effects()
    view_of: Slot | None = None           # the input whose memory the result shares, if it does
    frees: tuple[Slot, ...] = ()          # slots that no later call reads

    # What passes need to know, and what they decide.
    shareable: bool = False               # an equal call of equal inputs may take its result
    out: tuple[int, ...] | None = None    # as an op's: the positions of inputs that `out` may be
    target: np.ndarray | None = None      # the call only copies its input here, or computes here
    reused: Slot | None = None            # the input over whose array the result is written

    @property
    def allocates(self) -> bool:
        """Whether it makes an array in memory of its own."""
        return self.layout is not None and self.view_of is None and self.reused is None


class Output(NamedTuple):
    """A result of the step: the slot that holds it, and the array that it is copied to."""

    slot: Slot
    array: np.ndarray


@dataclass(frozen=True)
class Program(Printed):
    """The calls of a step, in order.

    inputs: arrays that were there before the step, by slot. Their values change between replays.
    constants: numbers, and arrays that are the same in every replay.
    names: what to call memory that no slot holds, such as an optimizer's.
    """

    calls: Sequence[Call]
    inputs: Mapping[Slot, np.ndarray] = field(default_factory=dict)
    constants: Mapping[Slot, Any] = field(default_factory=dict)
    outputs: Sequence[Output] = ()
    names: Mapping[Memory, str] = field(default_factory=dict)

    def values(self) -> list[Any]:
        """What is in each slot before the first call; None where a call gives it its value."""
        given = {**self.inputs, **self.constants}
        made = [call.output for call in self.calls if call.output is not None]
        values = [None] * (1 + max([*given, *made], default=-1))
        for slot, value in given.items():
            values[slot] = value
        return values

    def returned(self) -> set[Slot]:
        """The slots of the results."""
        return {output.slot for output in self.outputs}

    def memory(self) -> dict[Slot, Memory]:
        """The memory of each slot: a view has that of the slot it is a view of."""
        memory = {slot: memory_of(value)
                  for slot, value in (*self.inputs.items(), *self.constants.items())}
        for call in self.calls:
            output = call.output
            if output is None:
                continue
            memory[output] = -1 - output if call.view_of is None else memory[call.view_of]
        return memory

    def summary(self) -> str:
        """One line: how many calls, how many arrays they allocate, how much is in use at once."""
        buffers = sum(call.allocates for call in self.calls)
        return (f"{len(self.calls)} calls, {buffers} buffers, "
                f"at most {peak_bytes(self):,} bytes at a time")

    def __str__(self) -> str:
        memory = self.memory()
        lines = [_line(f"v{slot} = input", [str(Layout.of(array))])
                 for slot, array in self.inputs.items()]
        lines += [_line(f"v{slot} = constant", [str(Layout.of(value))])
                  for slot, value in self.constants.items() if isinstance(value, np.ndarray)]
        lines += [self._shown(call, memory) for call in self.calls]
        if self.outputs:
            lines.append("return " + ", ".join(f"v{output.slot}" for output in self.outputs))
        return "\n".join(lines)

    def _shown(self, call: Call, memory: dict[Slot, Memory]) -> str:
        """A call as a line."""
        inputs = ", ".join(map(self._name, call.inputs))
        result = "" if call.output is None else f"v{call.output} = "

        notes = []
        if call.layout is not None:
            notes.append(str(call.layout))
        if call.target is not None:
            notes.append(str(Layout.of(call.target)))
        if call.view_of is not None:
            notes.append(f"view of v{call.view_of}")
        if call.reused is not None:
            notes.append(f"over v{call.reused}")
        if call.effects.reads:
            notes.append(f"reads {self._owners(call.effects.reads, memory)}")
        if call.effects.writes:
            notes.append(f"writes {self._owners(call.effects.writes, memory)}")
        if call.frees:
            notes.append("free " + ", ".join(f"v{slot}" for slot in call.frees))
        return _line(f"{result}{call.op}({inputs})", notes)

    def _name(self, slot: Slot) -> str:
        """How an argument is shown: a number as it is."""
        value = self.constants.get(slot)
        if value is None or isinstance(value, np.ndarray):
            return f"v{slot}"
        return repr(value.item() if isinstance(value, np.generic) else value)

    def _owners(self, pieces: Iterable[Memory], memory: dict[Slot, Memory]) -> str:
        """Pieces of memory by the inputs that hold them, or by name."""
        names = []
        for piece in dict.fromkeys(pieces):
            held = [f"v{slot}" for slot in self.inputs if memory[slot] == piece]
            names += held or [self.names.get(piece, "an array")]
        more = len(names) - SHOWN
        return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def memory_of(thing: Any) -> Memory:
    """What identifies the memory of an array or object: a view has that of its base."""
    base = getattr(thing, "base", None)
    return id(thing if base is None else base)


def peak_bytes(program: Program) -> int:
    """The most bytes that results of calls take at a time, if they are made one after another."""
    memory = program.memory()
    holders: Counter[Memory] = Counter()  # slots that hold a piece of memory
    sizes: dict[Memory, int] = {}
    present = peak = 0
    for call in program.calls:
        output = call.output
        if output is not None and call.layout is not None:
            piece = memory[output]
            holders[piece] += 1
            if call.reused is not None:
                sizes[piece] = sizes.pop(memory[call.reused], 0)
            elif call.allocates:
                sizes[piece] = call.layout.nbytes
                present += call.layout.nbytes
                peak = max(peak, present)

        for slot in call.frees:
            piece = memory[slot]
            holders[piece] -= 1
            if not holders[piece]:
                present -= sizes.pop(piece, 0)
    return peak


def _line(code: str, notes: Sequence[str]) -> str:
    return f"{code:<{COLUMN}} # {', '.join(notes)}" if notes else code

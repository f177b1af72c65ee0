"""Passes over a program: each takes one and returns another that does the same with less.

    traced -> fold_constants -> remove_dead_calls -> share_common_parts
           -> forward_stores -> free_after_last_use -> reuse_buffers

No pass changes a bit of the results: which calls are made changes, and where a result is kept, but
never how it is computed. The examples below are tests. They start from

    >>> import numpy as np
    >>> from minigan.backend.cpu.capture.program import Call, Effects, Layout, Output, Program
    >>> x, y = np.ones((2, 2)), np.zeros((2, 2))
"""

from __future__ import annotations

import functools
from collections import Counter
from dataclasses import replace
from typing import Any, Callable, Iterator, NamedTuple

import numpy as np

from minigan.backend.cpu.blocks import BLOCK
from minigan.backend.cpu.capture.program import Call, Layout, Memory, Program, Slot

LARGE = BLOCK  # numbers in a result; a smaller one stays in the cache anyway


def optimize(program: Program) -> Program:
    """The program after all passes."""
    for apply in PASSES:
        program = apply(program)
    return program


def stages(program: Program) -> Iterator[tuple[str, Program]]:
    """The name of each pass and the program after it, to see what each does.

        for name, program in stages(captured.recording.traced):
            print(name, program.summary())
    """
    yield "traced", program
    for apply in PASSES:
        program = apply(program)
        yield apply.__name__, program


def fold_constants(program: Program) -> Program:
    """Compute now what is the same in every replay: calls of constants alone, without effects.

        >>> program = Program([Call("add", np.add, (1, 2), output=3),
        ...                    Call("multiply", np.multiply, (0, 3), output=4)],
        ...                   inputs={0: x}, constants={1: 2.0, 2: 3.0}, outputs=[Output(4, y)])
        >>> print(program)
        v0 = input                                   # float64 (2, 2)
        v3 = add(2.0, 3.0)
        v4 = multiply(v0, v3)
        return v4
        >>> print(fold_constants(program))
        v0 = input                                   # float64 (2, 2)
        v4 = multiply(v0, 5.0)
        return v4
    """
    constants = dict(program.constants)
    calls = []
    for call in program.calls:
        output = call.output
        if output is None or any(call.effects) or not constants.keys() >= set(call.inputs):
            calls.append(call)
        else:
            constants[output] = call.run(*[constants[slot] for slot in call.inputs])
    return replace(program, calls=calls, constants=constants)


def remove_dead_calls(program: Program) -> Program:
    """Leave out calls that write nothing and whose results are never read.

        >>> program = Program([Call("exp", np.exp, (0,), output=1),
        ...                    Call("sin", np.sin, (0,), output=2)],
        ...                   inputs={0: x}, outputs=[Output(2, y)])
        >>> print(program)
        v0 = input                                   # float64 (2, 2)
        v1 = exp(v0)
        v2 = sin(v0)
        return v2
        >>> print(remove_dead_calls(program))
        v0 = input                                   # float64 (2, 2)
        v2 = sin(v0)
        return v2
    """
    read = program.returned()
    calls = []
    for call in reversed(program.calls):
        if call.effects.writes or call.output in read:
            read.update(call.inputs)
            calls.append(call)
    calls.reverse()
    inputs = {slot: array for slot, array in program.inputs.items() if slot in read}
    constants = {slot: value for slot, value in program.constants.items() if slot in read}
    return replace(program, calls=calls, inputs=inputs, constants=constants)


class _Asked(NamedTuple):
    """What a call asks for: the same function of the same inputs gives the same."""

    run: Callable[..., Any]
    inputs: tuple[Slot, ...]


def share_common_parts(program: Program) -> Program:
    """Leave out a call if an equal one was made before and its inputs have not been written since.

    The gradients of a convolution transform what its forward pass has transformed already. Only
    calls that say `shareable` are looked at: parts of ops, which are pure and always the same
    function where they do the same.

        >>> program = Program([Call("of_w", np.sin, (0,), output=1, shareable=True),
        ...                    Call("of_w", np.sin, (0,), output=2, shareable=True),
        ...                    Call("multiply", np.multiply, (1, 2), output=3)],
        ...                   inputs={0: x}, outputs=[Output(3, y)])
        >>> print(program)
        v0 = input                                   # float64 (2, 2)
        v1 = of_w(v0)
        v2 = of_w(v0)
        v3 = multiply(v1, v2)
        return v3
        >>> print(share_common_parts(program))
        v0 = input                                   # float64 (2, 2)
        v1 = of_w(v0)
        v3 = multiply(v1, v1)
        return v3
    """
    memory = program.memory()
    returned = program.returned()
    made: dict[_Asked, Slot] = {}
    instead: dict[Slot, Slot] = {}          # for a slot whose call is left out
    calls = []
    for call in program.calls:
        inputs = tuple(instead.get(slot, slot) for slot in call.inputs)
        view_of = None if call.view_of is None else instead.get(call.view_of, call.view_of)
        call = call._replace(inputs=inputs, view_of=view_of)

        key = _Asked(call.run, inputs)
        output = call.output if call.shareable else None
        if output is not None and key in made and output not in returned:
            instead[output] = made[key]
            continue
        for earlier in list(made):
            read = {memory[slot] for slot in earlier.inputs}
            if not read.isdisjoint(call.effects.writes):
                del made[earlier]
        if output is not None:
            made[key] = output
        calls.append(call)
    return replace(program, calls=calls)


def forward_stores(program: Program) -> Program:
    """Compute a result where it would be copied to, such as a gradient in its optimizer's buffer.

    What is computed in one place and copied to another passes through the processor twice. The call
    that makes it must take `out`, nothing else may read the result, and no call on the way may
    touch the memory that is now written earlier.

        >>> copy = Call("assign", functools.partial(np.copyto, x), (2,), target=x,
        ...             effects=Effects(writes=(id(x),)))
        >>> program = Program([Call("matmul", np.matmul, (1, 1), output=2, out=()), copy],
        ...                   inputs={1: y}, names={id(x): "x"})
        >>> print(program)
        v1 = input                                   # float64 (2, 2)
        v2 = matmul(v1, v1)
        assign(v2)                                   # float64 (2, 2), writes x
        >>> print(forward_stores(program))
        v1 = input                                   # float64 (2, 2)
        matmul(v1, v1)                               # float64 (2, 2), writes x
    """
    memory = program.memory()
    readers = Counter(slot for call in program.calls for slot in call.inputs)
    readers.update(program.returned())
    makers = {call.output: i for i, call in enumerate(program.calls) if call.out is not None}

    def touches(call: Call, copy: Call) -> bool:
        """Whether a call reads or writes what the copy will overwrite."""
        (whole,) = copy.effects.writes
        if whole in call.effects.reads or whole in [memory[slot] for slot in call.inputs]:
            return True
        if whole not in call.effects.writes:
            return False
        return call.target is None or np.may_share_memory(call.target, copy.target)

    calls: list[Call | None] = list(program.calls)
    for i, copy in enumerate(program.calls):
        if copy.target is None or not copy.target.flags.c_contiguous:
            continue
        (source,) = copy.inputs
        if source not in makers or readers[source] > 1:
            continue
        maker = makers[source]
        between = [call for call in calls[maker:i] if call is not None]
        if any(touches(call, copy) for call in between):
            continue
        made = between[0]
        run = functools.partial(made.run, out=copy.target)
        calls[maker] = copy._replace(op=made.op, run=run, inputs=made.inputs)
        calls[i] = None
    return replace(program, calls=[call for call in calls if call is not None])


def free_after_last_use(program: Program) -> Program:
    """Say after which call a slot is no longer read, so that its array can be freed.

        >>> program = Program([Call("exp", np.exp, (0,), output=1),
        ...                    Call("sin", np.sin, (1,), output=2)],
        ...                   inputs={0: x}, outputs=[Output(2, y)])
        >>> print(free_after_last_use(program))
        v0 = input                                   # float64 (2, 2)
        v1 = exp(v0)
        v2 = sin(v1)                                 # free v1
        return v2
    """
    kept = {*program.inputs, *program.constants}
    read = program.returned()
    calls = []
    for call in reversed(program.calls):
        last = set(call.inputs) - read
        calls.append(call._replace(frees=tuple(sorted(last - kept))))
        read |= last
    calls.reverse()
    return replace(program, calls=calls)


def reuse_buffers(program: Program) -> Program:
    """Write a large result over an input of the same layout whose memory is not read later.

    New memory has to be fetched before it is written; that of an input is in the cache.

        >>> large = Layout((300, 300), np.dtype("float32"), True)
        >>> program = Program([Call("exp", np.exp, (0,), 1, large),
        ...                    Call("sin", np.sin, (1,), 2, large, out=(0,))],
        ...                   inputs={0: x}, outputs=[Output(2, y)])
        >>> print(reuse_buffers(program))
        v0 = input                                   # float64 (2, 2)
        v1 = exp(v0)                                 # float32 (300, 300)
        v2 = sin(v1)                                 # float32 (300, 300), over v1
        return v2
    """
    memory = program.memory()
    layouts: dict[Slot, Layout | None] = {}  # of what calls have made
    last: dict[Memory, int] = {}             # the call that reads a piece of memory last
    for i, call in enumerate(program.calls):
        if call.output is not None and memory[call.output] < 0:
            layouts[call.output] = call.layout
        for slot in call.inputs:
            last[memory[slot]] = i
    for slot in program.returned():
        last[memory[slot]] = len(program.calls)

    def can_take(call: Call, i: int, position: int) -> bool:
        """Whether call i, the last to read an input's memory, may write its result there."""
        slot = call.inputs[position]
        piece = memory[slot]
        times = sum(memory[other] == piece for other in call.inputs)
        return layouts.get(slot) == call.layout and last[piece] == i and times == 1

    calls = []
    for i, call in enumerate(program.calls):
        layout = call.layout
        if layout is not None and layout.contiguous and layout.size > LARGE:
            for position in call.out or ():
                if can_take(call, i, position):
                    run = functools.partial(_over, call.run, position)
                    call = call._replace(run=run, reused=call.inputs[position])
                    break
        calls.append(call)
    return replace(program, calls=calls)


PASSES: tuple[Callable[[Program], Program], ...] = (
    fold_constants,
    remove_dead_calls,
    share_common_parts,
    forward_stores,
    free_after_last_use,
    reuse_buffers,
)


def _over(run: Callable[..., Any], position: int, *values: Any) -> Any:
    """Call run, and let it write its result over one of its inputs."""
    return run(*values, out=values[position])

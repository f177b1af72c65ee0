"""The calls of a recorded step: none made twice, and their results in memory that is in use.

The gradients of a convolution transform what its forward pass has transformed already: a step makes
such a part once (`Call.once`).

New memory has to be fetched before it is written, and what is computed in one place and copied to
another passes through the processor twice. A call whose op can do so (`Op.out`) writes straight to
where its result would be copied, as gradients are to their optimizer, or over an input that nobody
reads any more. That changes no bit.
"""

from __future__ import annotations

import functools
import math
from collections import Counter
from typing import Any, Callable, Iterable, NamedTuple, Sequence

import numpy as np

from minigan.backend.base import Array
from minigan.backend.cpu.blocks import BLOCK


class Call(NamedTuple):
    """One call of a tape: run(*values at the places `inputs`), whose result goes to a place.

    reads, writes: memory that was there before and is not among the inputs, by id.
    """

    run: Callable[..., Any]
    inputs: Sequence[int]
    result: int | None = None
    last: Sequence[int] = ()    # places that no later call reads
    reads: Sequence[int] = ()
    writes: Sequence[int] = ()
    kind: Any = None            # shape, dtype of the result, and whether it is contiguous
    shares: int | None = None   # the place of which the result is a view, if it is one
    target: Array | None = None  # where the call only copies its input to, or writes its result
    out: tuple[int, ...] | None = None  # if `run` takes `out`: the inputs, by position, it may be
    reused: int | None = None   # the place over whose array the result is written
    once: bool = False          # whether an equal call of equal inputs may take its result


NOTHING = Call(lambda: None, ())
LARGE = BLOCK  # numbers in a result; less stays in the cache anyway


def memory_of(thing: Any) -> int:
    """What tells memory apart: views share their base's."""
    base = getattr(thing, "base", None)
    return id(thing if base is None else base)


def memories(calls: Iterable[Call], values: Sequence[Any]) -> dict[int, int]:
    """The memory at each place: by id, or below 0 where a call makes it."""
    memory = {place: memory_of(value) for place, value in enumerate(values) if value is not None}
    for call in calls:
        if call.result is not None:
            memory[call.result] = (-1 - call.result if call.shares is None else
                                   memory[call.shares])
    return memory


def placed(calls: list[Call], values: Sequence[Any], wanted: set[int]) -> list[Call]:
    """The same calls with their results where they are best.

    values: those that are there before, by place. wanted: places that are read in the end.
    """
    memory = memories(calls, values)
    calls = _made_once(calls, memory, wanted)
    calls = _written_at_once(calls, memory, wanted)
    _find_last(calls, values, wanted)
    _write_over(calls, memory, wanted)
    return calls


def _made_once(calls: list[Call], memory: dict[int, int], wanted: set[int]) -> list[Call]:
    """Leave out what has been made before, as long as what it was made of stays as it was."""
    made: dict[Any, Any] = {}     # places, by function and inputs
    instead: dict[Any, Any] = {}  # places, by the place whose call is left out
    kept = []
    for call in calls:
        call = call._replace(inputs=[instead.get(place, place) for place in call.inputs],
                             shares=instead.get(call.shares, call.shares))
        key = call.run, *call.inputs
        if call.once and key in made and call.result not in wanted:
            instead[call.result] = made[key]
            continue
        if call.writes:
            made = {key: place for key, place in made.items()
                    if not {*call.writes} & {memory.get(read) for read in key[1:]}}
        if call.once:
            made[key] = call.result
        kept.append(call)
    return kept


def _written_at_once(calls: list[Call], memory: dict[int, int], wanted: set[int]) -> list[Call]:
    """Let what would only be copied be computed where it is copied to."""
    readers = Counter(place for call in calls for place in call.inputs)
    readers.update(wanted)
    makers = {call.result: i for i, call in enumerate(calls) if call.out is not None}

    def touches(call: Call, copy: Call) -> bool:
        """Whether a call reads or writes what the copy will overwrite."""
        (whole,) = copy.writes
        if whole in (*call.reads, *map(memory.get, call.inputs)):
            return True
        return whole in call.writes and (
            call.target is None or np.may_share_memory(call.target, copy.target))

    for i, copy in enumerate(calls):
        if copy.target is None or copy.inputs[0] not in makers or readers[copy.inputs[0]] > 1:
            continue
        maker = makers[copy.inputs[0]]
        if copy.target.flags.c_contiguous and not any(
                touches(call, copy) for call in calls[maker:i]):
            run = functools.partial(calls[maker].run, out=copy.target)
            calls[maker] = copy._replace(run=run, inputs=calls[maker].inputs)
            calls[i] = NOTHING
    return [call for call in calls if call is not NOTHING]


def _find_last(calls: list[Call], values: Sequence[Any], wanted: set[int]) -> None:
    """Note which call is the last to read a place, so that its array can be freed."""
    read = {*wanted}
    for i in reversed(range(len(calls))):
        inputs = {*calls[i].inputs}
        calls[i] = calls[i]._replace(last=tuple(p for p in inputs - read if values[p] is None))
        read |= inputs


def _write_over(calls: list[Call], memory: dict[int, int], wanted: set[int]) -> None:
    """Let a result take the place of an input, where nobody else will read that memory."""
    kinds = {place: call.kind for call in calls
             if (place := call.result) is not None and memory[place] < 0}
    last = {memory[place]: i for i, call in enumerate(calls) for place in call.inputs}
    last.update((memory[place], len(calls)) for place in wanted)
    for i, call in enumerate(calls):
        if call.kind is None or not call.kind[2] or math.prod(call.kind[0]) <= LARGE:
            continue
        here = [memory[place] for place in call.inputs]
        for position in call.out or ():
            place = call.inputs[position]
            if kinds.get(place) == call.kind and last[memory[place]] == i and (
                    here.count(memory[place]) == 1):
                calls[i] = call._replace(run=functools.partial(_over, call.run, position),
                                         reused=place)
                break


def _over(run: Callable[..., Any], position: int, *values: Any) -> Any:
    return run(*values, out=values[position])

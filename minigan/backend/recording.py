"""The contract of a recorded step: what a device is told while it records, and what it gives back.

    with xp.recording() as recording:     # the step's Python code runs once, in here
        ...
    recording.replay()                    # the step again, without its Python code

A device that can do this says `capturable = True` and offers `Backend.recording`, `capturing` and
`live_attributes`. Everything a step changes goes through the methods of `Backend` that are made for
it (`advance, assign, limit, update, follow, uniform, normal`), and it writes nowhere else, so a
device sees every change by itself. `minigan.capturing` tells it the rest, through a `Recording`.

Two devices fulfil the contract. NumPy's notes down every call and becomes a program, which is
optimized and replayed (`backend/cpu/capture`). CuPy's is a CUDA graph: the driver records what is
launched, so it has little use for what it is told here (`backend/gpu/recording`).
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Callable, Protocol, Sequence

Array = Any  # see `minigan.backend.base.Array`


class RecordedOp(Protocol):
    """What a recording needs to know of an op (`minigan.engine.Op`) to run it again."""

    name: str
    forward: Callable[..., Array]
    out: tuple[int, ...] | None


class Recording(Protocol):
    """One step: first it is being recorded, and after `Backend.recording` has ended, replayed.

    program: what a replay does as data that prints itself, None where only the driver knows it.
    """

    program: Any

    # While the step is recorded.

    def in_op(self) -> AbstractContextManager[None]:
        """Around the forward of an op.

        An array that is made inside belongs to the op, and the op may go on writing to it. One that
        is made outside is finished: a device may refuse a later write, which no replay would see.
        """

    def op(self, xp: Any, op: RecordedOp, inputs: Sequence[Any], settings: dict[str, Any],
           result: Array) -> None:
        """An op has run: op.forward(xp, *inputs, **settings) gave `result`.

        inputs: arrays and numbers. A device that records its own calls needs no such word; NumPy
        does not record, so this is what its program is made of.
        """

    def keep(self, array: Array) -> None:
        """This array was there before the step, such as a parameter's or a batch's.

        A replay reads whatever it holds by then. An array that is neither kept nor computed in the
        step would be frozen in a replay at the values of today, so NumPy refuses it.
        """

    def give(self, array: Array) -> Array:
        """The array into which every replay writes the result that is in `array` now.

        It may be this array itself, or another one if a replay frees or overwrites this one.
        """

    # Afterwards.

    def replay(self) -> None:
        """Run the step once more; returns when it is done, or on a GPU when it is queued.

        Raises:
            Exception: whatever the step raises. A part of it may be done by then.
        """

    def __str__(self) -> str:
        """What a replay does, for people: line by line, or one line if only the driver knows."""

"""The contract of a recorded step: what a device is told while it records, and what it gives back.

    with xp.recording() as recording:     # the step's Python code runs once, in here
        ...
    recording.replay()                    # the step again, without its Python code

A device that can do this says `capturable = True` and offers `Backend.recording`, `capturing` and
`live_attributes`. A step changes things only through the methods of `Backend` that are made for it
(`advance, assign, limit, update, follow, uniform, normal`), so a device sees every change by
itself. `minigan.capturing` tells it the rest, through a `Recording`.

Two devices fulfil the contract. NumPy's recording notes down every call; they become a program,
which is optimized and replayed (`backend/cpu/capture`). CuPy's is a CUDA graph: the driver records
what is launched, so most of what it is told here is not needed (`backend/gpu/recording`).
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

    program: what a replay does, as data that can be printed; None where only the driver knows it.
    """

    program: Any

    # While the step is recorded.

    def in_op(self) -> AbstractContextManager[None]:
        """Around the forward of an op.

        An array that is made inside belongs to the op, which may go on writing to it. One that is
        made outside is finished: a device may refuse later writes, since no replay would make them.
        """

    def op(self, xp: Any, op: RecordedOp, inputs: Sequence[Any], settings: dict[str, Any],
           result: Array) -> None:
        """An op has run: op.forward(xp, *inputs, **settings) gave `result`.

        inputs: arrays and numbers. A device whose driver records its calls can ignore this. NumPy
        has no such driver, so its program is made of these.
        """

    def keep(self, array: Array) -> None:
        """This array existed before the step: a parameter's or a batch's, for example.

        Every replay reads what it holds at that moment. Any other array that the step did not
        compute would keep its present values in every replay, so NumPy refuses it.
        """

    def give(self, array: Array) -> Array:
        """The array into which every replay writes the result that is in `array` now.

        It may be this array itself, or another one if a replay frees or overwrites this one.
        """

    # Afterwards.

    def replay(self) -> None:
        """Run the step once more; returns when it is done, or on a GPU when it is queued.

        Raises:
            Exception: whatever the step raises. Part of the step may be done already.
        """

    def __str__(self) -> str:
        """What a replay does, for people: line by line, or one line if only the driver knows."""

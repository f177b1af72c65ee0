"""A training step recorded once and replayed: without the engine, on a GPU as a single launch.

    step()                                # once or more as it is: compiles what has to be compiled
    fast = capture(step, tensors)         # records it, computes nothing
    losses = fast()                       # the same step as `step()`, to the bit

What is captured is what is asked of the device, not the Python code: that ran when it was recorded.
So a number that changes from step to step has to come from the backend (see `backend/counting.py`
for a GPU, `backend/cpu_tape.py` for NumPy), a choice that the code makes is made for good, and one
capture serves one kind of step.
"""

from __future__ import annotations

from typing import Any, Callable, Iterable

from minigan.backend import BackendError, default, of
from minigan.engine import Op, Tensor, op_hook

Results = dict[str, Tensor]


class CaptureError(RuntimeError):
    """A step does something that no graph can hold, such as waiting for the device."""


class Captured:
    """A recorded step: calling it runs it once more and returns the same tensors, with new values.

    Whoever needs the values of one call after the next one copies them.
    """

    def __init__(self, recording: Any, results: Results, written: list[Tensor],
                 step: Callable[[], Results]) -> None:
        self._recording, self.results, self._written = recording, results, written
        self._step = step  # and with it, whatever arrays the graph reads

    def __call__(self) -> Results:
        self._recording.replay()
        for tensor in self._written:
            tensor.touch()
        return self.results


def capture(step: Callable[[], Results], tensors: Iterable[Tensor] = ()) -> Captured:
    """Record step() as one graph of the device.

    step: takes nothing, returns its losses by name; it ran before, with arrays of the same sizes.
    tensors: all that it may write to, parameters and buffers, and those that bring its data. Those
    that it does write to, every replay marks as written, so that older graphs which had read them
    are stale.

    Raises:
        BackendError: the device cannot capture.
        CaptureError: the step cannot be captured; names the op, or says that it was outside of any.
    """
    tensors = list(tensors)
    xp: Any = of(tensors[0].data) if tensors else default()
    if not xp.capturable:
        raise BackendError(f'backend {xp.device!r} cannot capture a step; "numpy" and "cupy" can, '
                           f'and without capture every backend trains')
    began = Tensor(xp.zeros((), "float32")).tick
    try:
        with xp.recording() as recording, op_hook(_noting(recording, began)):
            for tensor in tensors:
                recording.keep(tensor.data)
            results = step()
            for tensor in results.values():
                if tensor.tick >= began:
                    recording.give(tensor.data)
    except CaptureError:
        raise
    except MemoryError:
        raise
    except Exception as error:
        raise CaptureError(f"the step cannot be captured: outside of any op, {_why(error)}"
                           ) from error
    written = [t for t in tensors if t.memory is not None and t.memory.written > began]
    return Captured(recording, results, [*written, *results.values()], step)


def _noting(recording: Any, began: int) -> Callable[[Op, Op | None, Any], Tensor]:
    """A hook for the ops of a step that is being captured, and began at that tick."""
    def watch(op: Op, within: Op | None, run: Any) -> Tensor:
        try:
            inputs, settings = run.args
            for x in inputs:
                if isinstance(x, Tensor) and x.tick < began:  # it was there before
                    recording.keep(x.data)
            y: Tensor = run()
            recording.op(of(y.data), op,
                         [x.data if isinstance(x, Tensor) else x for x in inputs], settings, y.data)
            return y
        except (CaptureError, MemoryError):
            raise
        except Exception as error:
            where = f", in the backward rule of {within.name}," if within else ""
            raise CaptureError(f"the step cannot be captured: {op.name}{where} {_why(error)}"
                               ) from error
    return watch


def _why(error: Exception) -> str:
    return f"failed with {type(error).__name__} ({' '.join(str(error).split())})"

"""A recorded step: it checks its guards, then replays.

A replay repeats what was asked of the device. The Python code ran when the step was recorded, and
does not run again. So a number that changes from step to step has to come from the backend, a
branch that the code took is taken for good, and one recording serves one kind of step.
"""

from __future__ import annotations

from threading import Lock
from typing import Any, Callable

from minigan.backend import Backend
from minigan.backend.recording import Recording
from minigan.blocks import current
from minigan.capturing.guards import Guards, LeftBehind
from minigan.engine import Memory, Tensor, mark_written
from minigan.system.notebook import Printed

Results = dict[str, Tensor]


class CaptureError(RuntimeError):
    """A step does something that cannot be recorded, such as waiting for the device."""


class ChangedError(CaptureError):
    """Something that a recorded step had read from Python has changed: a replay would be wrong."""


class Captured(Printed):
    """A recorded step: calling it runs it once more and returns the same tensors, with new values.

    results: the tensors, as the step returns them. The next call overwrites their values; copy what
    you want to keep.

    While ops are watched (`op_hook`), the step runs op by op. A replay computes where the step was
    recorded, whatever `use` says by now, and under `no_grad` too. `print` shows what it does, line
    by line: on NumPy the program, on a GPU that it is one graph.

    Only one call at a time: not from two threads at once. A call that ends in an exception may have
    done part of its step: some parameters are then updated and others not, as in `step()`.

    Raises:
        ChangedError: something that the step had read from Python has changed, such as the mode of
            a network, a layer's settings, the array that a tensor holds, or a variable that the
            step's function reads. Nothing was computed; capture the step again.
        RuntimeError: the step is being replayed already, or another is being recorded.
    """

    def __init__(self, xp: Backend, recording: Recording, results: Any, left: list[LeftBehind],
                 written: list[Memory], guards: Guards, step: Callable[[], Any]) -> None:
        self.recording = recording
        self.results = results
        self._xp = xp
        self._guards = guards
        self._left = left
        self._written = written
        self._step = step       # keeps alive whatever arrays the graph reads
        self._busy = Lock()

    @property
    def program(self) -> Any:
        """What a replay does, call by call; None on a GPU, where only the driver knows it.

        On NumPy it is a `Program`, which prints itself. `recording.traced` is the same before any
        pass; minigan.backend.cpu.capture.optimize.stages(it) gives the program after each pass.
        """
        return self.recording.program

    def __str__(self) -> str:
        return str(self.recording)

    def __call__(self) -> Any:
        if not self._busy.acquire(blocking=False):
            raise RuntimeError("this recorded step is being replayed already, by another thread or "
                               "within itself; record one for each thread")
        try:
            if self._xp.capturing:
                raise RuntimeError("a recorded step cannot be part of the step that is being "
                                   "recorded; call the step itself there")
            for one in self._left:
                one.put(one.tensor)
            if not self._guards.hold() and (changes := self._guards.changes()):
                raise ChangedError(f"since this step was recorded, {changes}; a replay would "
                                   f"not know: capture the step again")
            if current.get().hooks:
                self._run_eagerly()
            else:
                try:
                    self.recording.replay()
                finally:  # half a step writes, too
                    mark_written(self._written)
        finally:
            self._busy.release()
        return self.results

    def _run_eagerly(self) -> None:
        """Run one step op by op, and put its results where a replay leaves them."""
        new = listed(self._step())
        pairs = [(tensor, new[name]) for name, tensor in listed(self.results).items()]
        pairs += [(one.tensor, one.get()) for one in self._left]
        for tensor, result in pairs:
            if tensor is not result:
                tensor.assign(result.detach())
        for one in self._left:
            one.put(one.tensor)

    def __reduce__(self) -> Any:
        raise TypeError("a recorded step can be neither copied nor pickled, as it belongs to the "
                        "arrays that it was recorded with; record the step of the copy")


def listed(results: Any) -> Results:
    """What a step returns, by name; a single tensor has the name "".

    Raises:
        CaptureError: it is neither a dict of tensors nor a tensor.
    """
    if isinstance(results, Tensor):
        return {"": results}
    advice = "it should return its results by name, as in {'loss': loss.detach()}, or one tensor"
    if not isinstance(results, dict):
        raise CaptureError(f"the step cannot be captured: it returns {_article(results)}; "
                           f"{advice}")
    for name, value in results.items():
        if not isinstance(value, Tensor):
            raise CaptureError(f"the step cannot be captured: it returns {_article(value)} as "
                               f"{name!r}; {advice}")
    return results


def _article(value: Any) -> str:
    return "None" if value is None else f"a {type(value).__name__}"

"""A training step recorded once and replayed: without the engine, on a GPU as a single launch.

    step()                                # once or more as it is: compiles what has to be compiled
    fast = capture(step, tensors)         # records it, computes nothing
    losses = fast()                       # the same step as `step()`, to the bit

What is captured is what is asked of the device, not the Python code: that ran when it was recorded.
So a number that changes from step to step has to come from the backend (see `backend/gpu/recording`
for a GPU, `backend/cpu/capture` for NumPy), a choice that the code makes is made for good, and one
capture serves one kind of step. What the code read to make its choices is noted down, see `Noted`,
and a replay that would make another choice than the code does now is refused.
"""

from __future__ import annotations

from threading import Lock
from typing import Any, Callable, Iterable

from minigan.backend import Backend, BackendError, backend_of, default
from minigan.backend.recording import Recording
from minigan.capturing.exploring import Explorer
from minigan.capturing.noted import Left, Noted
from minigan.engine import Memory, Op, Tensor, mark_written, op_hook, watched

Results = dict[str, Tensor]


class CaptureError(RuntimeError):
    """A step does something that no graph can hold, such as waiting for the device."""


class ChangedError(CaptureError):
    """What a recorded step had read from Python is another now, so its replay would be wrong."""


class Captured:
    """A recorded step: calling it runs it once more and returns the same tensors, with new values.

    Whoever needs the values of one call after the next one copies them. While ops are watched
    (`op_hook`), the step runs op by op. A replay computes where the step was recorded, whatever
    `use` says by now, and under `no_grad` too.

    One call at a time, so not from two threads at once. A call that ends in an exception may have
    done a part of its step: some parameters are then updated and others not, as in `step()`.

    Raises:
        ChangedError: something that the step had read from Python is another now, such as the mode
            of a network, a layer's settings, the array that a tensor holds, or a number that the
            step finds among its function's own names. Nothing was computed; capture the step again.
        RuntimeError: the step is being replayed already, or another is being recorded.
    """

    def __init__(self, xp: Backend, recording: Recording, results: Any, left: list[Left],
                 written: list[Memory], noted: Noted, step: Callable[[], Any]) -> None:
        self.results = results  # as the step returns them
        self._xp, self.recording, self._noted = xp, recording, noted
        self._left, self._written = left, written
        self._step = step       # and with it, whatever arrays the graph reads
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
                raise RuntimeError("a recorded step cannot be a part of the step that is being "
                                   "recorded; call the step itself there")
            for one in self._left:
                one.put(one.tensor)
            if not self._noted.same() and (changes := self._noted.changes()):
                raise ChangedError(f"since this step was recorded, {changes}; a replay would "
                                   f"not know: capture the step again")
            if watched():
                self._run_eagerly()
            else:
                try:
                    self.recording.replay()
                finally:  # a half of a step writes, too
                    mark_written(self._written)
        finally:
            self._busy.release()
        return self.results

    def _run_eagerly(self) -> None:
        """One step op by op, whose results come where a replay leaves them."""
        found = _listed(self._step())
        pairs = [(tensor, found[name]) for name, tensor in _listed(self.results).items()]
        pairs += [(one.tensor, one.get()) for one in self._left]
        for tensor, result in pairs:
            if tensor is not result:
                tensor.assign(result.detach())
        for one in self._left:
            one.put(one.tensor)

    def __reduce__(self) -> Any:
        raise TypeError("a recorded step can be neither copied nor pickled, as it belongs to the "
                        "arrays that it was recorded with; record the step of the copy")


def capture(step: Callable[[], Any], tensors: Iterable[Tensor] = ()) -> Captured:
    """Record step() as one graph of the device.

    step: takes nothing, returns its losses by name, a dict of tensors, or a single tensor; it ran
    before, with arrays of the same sizes. What it reads from Python is looked at before every
    replay: the attributes of networks, optimizers and models that took part, the tensors that it
    used, and what its function finds under its own names (globals, and names of the function around
    it), in lists, dicts and attributes of such things too, also where another function of its
    module reads them. What is out of sight stays what it was: numbers in a file, in a NumPy array
    or behind a function of another module; what an iterator gives next; attributes that are found
    by a text (`getattr`); a method that is replaced on its class; lists and dicts of more than 256
    entries; attributes that are written past `__setattr__`.
    tensors: those that bring its data or are written, where the step's function does not find them
    itself. Whatever it writes to, every replay marks as written, so that older graphs which had
    read it are stale.

    On a GPU no other thread may compute while a step is recorded.

    Raises:
        BackendError: the device cannot capture.
        CaptureError: the step cannot be captured; names the op, or says that it was outside of any.
    """
    tensors = list(tensors)
    xp = backend_of(tensors[0].data) if tensors else default()
    if not xp.capturable:
        raise BackendError(f'backend {xp.device!r} cannot capture a step; "numpy" and "cupy" can, '
                           f'and without capture every backend trains')
    began = Tensor(xp.zeros((), "float32")).tick
    try:
        with xp.recording() as recording:
            noted = Explorer(began, recording.keep)
            if len(xp.precisions) > 1:
                noted.answer(f"precision of {xp.device}", lambda: xp.precision)
            with noted.noting(step, tensors), op_hook(_noting(recording, noted)):
                results = step()
            left = noted.left()
            made = [t for t in _listed(results).values() if t.tick >= began]
            made = list({id(t): t for t in [*made, *[one.tensor for one in left]]}.values())
            for tensor in made:
                tensor.data, tensor.memory = recording.give(tensor.data), Memory()
    except (CaptureError, MemoryError):
        raise
    except Exception as error:
        raise CaptureError(f"the step cannot be captured: outside of any op, {_why(error)}"
                           ) from error
    if changes := noted.changes() or noted.carried():
        raise CaptureError(f"the step cannot be captured, as a replay would not do what its code "
                           f"does: {changes}")
    written = [*noted.written(), *[tensor.memory for tensor in made if tensor.memory]]
    results = dict(results) if isinstance(results, dict) else results
    return Captured(xp, recording, results, left, written, noted, step)


def _listed(results: Any) -> Results:
    """What a step returns, by name.

    Raises:
        CaptureError: it is neither a dict of tensors nor a tensor.
    """
    if isinstance(results, Tensor):
        return {"": results}
    due = "it should return its results by name, as in {'loss': loss.detach()}, or one tensor"
    if not isinstance(results, dict):
        raise CaptureError(f"the step cannot be captured: it returns {_kind(results)}; {due}")
    for name, value in results.items():
        if not isinstance(value, Tensor):
            raise CaptureError(f"the step cannot be captured: it returns {_kind(value)} as "
                               f"{name!r}; {due}")
    return results


def _kind(value: Any) -> str:
    return "None" if value is None else f"a {type(value).__name__}"


def _noting(recording: Recording, noted: Noted) -> Callable[[Op, Op | None, Any], Tensor]:
    """A hook for the ops of a step that is being captured."""
    def watch(op: Op, within: Op | None, run: Any) -> Tensor:
        try:
            inputs, settings = run.args[:2]
            for x in inputs:
                if isinstance(x, Tensor) and x.tick < noted.began:  # it was there before
                    noted.used(x)
            with recording.in_op():
                y: Tensor = run()
            recording.op(backend_of(y.data), op,
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
    if "is read-only" in str(error):
        return ("an array was written directly, which a replay would not repeat; write with "
                "Tensor.assign, or compute new tensors")
    return f"failed with {type(error).__name__} ({' '.join(str(error).split())})"

"""A training step recorded once and replayed: without the engine, on a GPU as a single launch.

    step()                                # as it is, once: compiles what has to be compiled
    fast = capture(step, tensors)         # records it, computes nothing
    losses = fast()                       # the same step as `step()`, to the bit
    print(fast)                           # what it does, line by line
"""

from __future__ import annotations

from typing import Any, Callable, Iterable

from minigan.backend import BackendError, backend_of, default
from minigan.backend.recording import Recording
from minigan.capturing.captured import Captured, CaptureError, listed
from minigan.capturing.explorer import Explorer
from minigan.capturing.guards import Guards, LeftBehind
from minigan.engine import Memory, Op, Tensor, op_hook


def capture(step: Callable[[], Any], tensors: Iterable[Tensor] = ()) -> Captured:
    """Record step() as one graph of the device.

    step: takes no argument, returns its losses by name, a dict of tensors, or a single tensor; it
    has run before, with arrays of the same sizes. What it reads from Python is checked before every
    replay: the attributes of networks, optimizers and models that took part, the tensors that it
    used, and the variables that its function or another function of its module reads (globals, and
    those of enclosing functions), including lists, dicts and attributes of objects in them. These
    changes stay unseen: numbers in a file, in a NumPy array or behind a function of another module;
    what an iterator yields next; attributes that are looked up by a string (`getattr`); a method
    that is replaced on its class; lists and dicts of more than 256 entries; attributes that are set
    without `__setattr__`.
    tensors: those that hold its data or that it writes, unless its function has them in variables.
    Every replay marks what it writes as written, so older graphs that read it become stale.

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
            guards = Guards(began, recording.keep)
            explorer = Explorer(guards)
            if len(xp.precisions) > 1:
                guards.answer(f"precision of {xp.device}", lambda: xp.precision)
            with explorer.noting(step, tensors), op_hook(_watching(recording, guards)):
                results = step()
            left = guards.left_behind()
            made = _made(results, left, began)
            for tensor in made:
                tensor.data = recording.give(tensor.data)
                tensor.memory = Memory()
    except (CaptureError, MemoryError):
        raise
    except Exception as error:
        raise CaptureError(f"the step cannot be captured: outside of any op, {_why(error)}"
                           ) from error
    if changes := guards.changes() or guards.cannot_be_repeated():
        raise CaptureError(f"the step cannot be captured, as a replay would not do what its code "
                           f"does: {changes}")

    written = guards.written()
    written += [tensor.memory for tensor in made if tensor.memory]
    results = dict(results) if isinstance(results, dict) else results
    return Captured(xp, recording, results, left, written, guards, step)


def _made(results: Any, left: list[LeftBehind], began: int) -> list[Tensor]:
    """Tensors that the step makes and others read after it, each once."""
    returned = [tensor for tensor in listed(results).values() if tensor.tick >= began]
    tensors = returned + [one.tensor for one in left]
    return list({id(tensor): tensor for tensor in tensors}.values())


def _watching(recording: Recording, guards: Guards) -> Callable[[Op, Op | None, Any], Tensor]:
    """A hook around the ops of a step that is being recorded."""
    def watch(op: Op, within: Op | None, run: Any) -> Tensor:
        try:
            inputs, settings = run.args[:2]
            for x in inputs:
                if isinstance(x, Tensor) and x.tick < guards.began:  # it existed before
                    guards.used(x)
            with recording.in_op():
                y: Tensor = run()
            arrays = [x.data if isinstance(x, Tensor) else x for x in inputs]
            recording.op(backend_of(y.data), op, arrays, settings, y.data)
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

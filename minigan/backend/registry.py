"""Which backends exist, which one an array belongs to, and where new arrays are made.

The array decides where an op runs; the default of `use` decides only where new arrays are made.
"""

from __future__ import annotations

import os
from types import TracebackType
from typing import Callable

from minigan.backend.base import Array, Backend, BackendError, Choice, choices
from minigan.system.turn import Turn

BY_TYPE: dict[type, Backend] = {}  # by the type of its arrays: the engine looks here once per op

_makers: dict[str, Callable[[], Backend]] = {}  # by name, all that are registered
_made: dict[str, Backend] = {}                  # by name, those that were asked for
_making = Turn()


# Known backends.

def register(name: str, make: Callable[[], Backend]) -> None:
    """Register a backend under a name; `make` is called on first use.

    make: raises a BackendError where the backend cannot be used.
    """
    _makers[name] = make
    _made.pop(name, None)


def get_backend(name: str) -> Backend:
    """The backend of that name, made on first use.

    Raises:
        BackendError: no backend has that name, or its device cannot be used here.
    """
    if name in _made:
        return _made[name]
    if name not in _makers:
        raise BackendError(f"backend {name!r} is unknown; known are {', '.join(_makers)}")
    with _making:  # one of each, however many threads ask at once
        if name not in _made:
            backend = _makers[name]()
            BY_TYPE[backend.array_type] = backend
            _made[name] = backend
    return _made[name]


def available() -> dict[str, Backend | str]:
    """Every backend by name, or the sentence that says why it cannot be used here."""
    known: dict[str, Backend | str] = {}
    for name in _makers:
        try:
            known[name] = get_backend(name)
        except BackendError as error:
            known[name] = str(error)
    return known


# Arrays.

def backend_of(array: Array) -> Backend:
    """The backend that an array belongs to.

    Raises:
        TypeError: it is not an array of a known backend.
        BackendError: it is CuPy's, and CuPy cannot be used here.
    """
    array_type = type(array)
    if array_type not in BY_TYPE and array_type.__module__.partition(".")[0] == "cupy":
        get_backend("cupy")
    if array_type not in BY_TYPE:
        raise TypeError(f"data must be an array of a known backend ({', '.join(_makers)}), "
                        f"got {array_type.__module__}.{array_type.__name__}")
    return BY_TYPE[array_type]


def check_array(array: Array, differentiable: bool = False) -> None:
    """Check that an array is a known backend's and holds numbers that minigan computes with.

    Those are float32, float64, integers and booleans; floats alone if it is to be `differentiable`.

    Raises:
        TypeError: it is not, or it holds others.
    """
    if type(array) not in BY_TYPE:
        backend_of(array)
    dtype = array.dtype
    if dtype.kind == "f" and dtype.itemsize in (4, 8):
        return
    if differentiable:
        raise TypeError(f"requires_grad: only float tensors have gradients, got {dtype}")
    if dtype.kind not in "iub":
        raise TypeError(f"data must be float32, float64, integers or booleans, got {dtype}")


# Where new arrays are made.

_default: Backend | None = None  # of the process: what `use` said outside of any block


def default() -> Backend:
    """Where new arrays are made: what `use` said, else the variable MINIGAN_BACKEND, else NumPy.

    Raises:
        BackendError: MINIGAN_BACKEND names a backend that is unknown or cannot be used here.
    """
    global _default
    chosen = choices.get()
    if chosen and chosen[0].block is None:
        _settle()
        chosen = choices.get()
    if chosen:
        return chosen[-1].backend
    if _default is None:
        _default = get_backend(os.environ.get("MINIGAN_BACKEND") or "numpy")
    return _default


class use:
    """Make new arrays on a backend: `use("cupy")` from now on, or `with use("cupy"): ...`.

    A plain call holds from now on for the whole process, all threads included. A block holds for
    the thread or asyncio task that runs it, and for no other; blocks may be left in any order. A
    plain call within a block holds until that block ends, and only there.

    name: "numpy", "cupy", or one that was registered. precision: of float32 products on a GPU,
    "fp32" (the default) or "tf32"; it holds as long as the choice and in the same places.

    Raises:
        BackendError: the backend is unknown or cannot be used on this machine; says what to do.
        ValueError: the backend does not have this precision.
    """

    # A call cannot know whether it is the head of a `with` block. So at first it holds for its own
    # thread only; it holds for the process once Python drops this object, or once something asks
    # for the default. If it did so at once, other threads would see every block for an instant.

    _mine: Choice | None = None  # until a block begins

    def __init__(self, name: str, precision: str | None = None) -> None:
        self._backend = get_backend(name)
        self._precision = precision
        if precision is not None:
            self._backend.check_precision(precision)
        _settle()
        self._mine = Choice(self._backend, precision)
        self._mine.open = not choices.get()
        choices.set((*choices.get(), self._mine))

    def __enter__(self) -> Backend:
        others = [choice for choice in choices.get() if choice is not self._mine]
        if self._mine is not None:
            self._mine.open = False
            self._mine = None
        choices.set((*others, Choice(self._backend, self._precision, self)))
        return self._backend

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        chosen = choices.get()
        entered = [i for i, choice in enumerate(chosen) if choice.block is self]
        if not entered:
            return
        before = chosen[:entered[-1]]
        after = list(chosen[entered[-1] + 1:])
        while after and after[0].block is None:  # a plain call within this block
            del after[0]
        choices.set((*before, *after))

    def __del__(self) -> None:
        self._from_now_on()

    def __repr__(self) -> str:
        self._from_now_on()  # a notebook shows the value of a cell, and keeps it
        return f"<use of {self._backend.device}>"

    def _from_now_on(self) -> None:
        if self._mine is not None:
            _publish(self._mine)
            _settle()


def _publish(choice: Choice) -> None:
    """Make a plain call's choice that of the process, unless that has been done."""
    global _default
    if choice.open:
        choice.open = False
        _default = choice.backend
        if choice.precision is not None:
            _default.set_precision(choice.precision)


def _settle() -> None:
    """Make plain calls outside of any block hold for the process, no longer for this thread."""
    chosen = choices.get()
    while chosen and chosen[0].block is None:
        _publish(chosen[0])
        chosen = chosen[1:]
    choices.set(chosen)

"""Which backends exist, which one an array belongs to, and where new arrays are made.

The array decides where an op runs; the default of `use` decides only where new arrays are made.
"""

from __future__ import annotations

import os
from types import TracebackType
from typing import Any, Callable

from minigan.backend.base import Array, Backend, BackendError, Choice, choices
from minigan.system.turn import Turn

_makers: dict[str, Callable[[], Backend]] = {}
_made: dict[str, Backend] = {}
_making = Turn()
_default: Backend | None = None  # of the process: what `use` said outside of any block

BY_TYPE: dict[type, Backend] = {}  # the engine looks here, once an op


def register(name: str, make: Callable[[], Backend]) -> None:
    """Make a backend known by name; `make` runs when somebody asks for it first."""
    _makers[name] = make
    _made.pop(name, None)


def get_backend(name: str) -> Backend:
    """The backend of that name, made on first use.

    Raises:
        BackendError: no backend has that name, or its device cannot be used here.
    """
    if name not in _made:
        if name not in _makers:
            raise BackendError(f"backend {name!r} is unknown; known are {', '.join(_makers)}")
        with _making:  # one of each, whichever threads ask first
            if name not in _made:
                backend = _makers[name]()
                _made[name] = BY_TYPE[backend.array_type] = backend
    return _made[name]


def backend_of(array: Array) -> Backend:
    """The backend that an array belongs to."""
    kind = type(array)
    if kind not in BY_TYPE and kind.__module__.partition(".")[0] == "cupy":
        get_backend("cupy")
    if kind not in BY_TYPE:
        raise TypeError(f"data must be an array of a known backend ({', '.join(_makers)}), "
                        f"got {kind.__module__}.{kind.__name__}")
    return BY_TYPE[kind]


def check_array(array: Array, differentiable: bool = False) -> None:
    """Raise a TypeError unless `array` is a known backend's and holds numbers minigan knows."""
    if type(array) not in BY_TYPE:
        backend_of(array)
    if array.dtype.kind not in ("f" if differentiable else "fiub") or (
            array.dtype.kind == "f" and array.dtype.itemsize not in (4, 8)):
        raise TypeError(f"requires_grad: only float tensors have gradients, got {array.dtype}"
                        if differentiable else
                        f"data must be float32, float64, integers or booleans, got {array.dtype}")


def default() -> Backend:
    """Where new arrays are made: `use`, else the variable MINIGAN_BACKEND, else NumPy."""
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

    A call from now on is for the whole process, all threads included. A block is for the thread or
    asyncio task that computes in it, and for no other; blocks may be left in any order. A call
    inside of a block holds until that block ends, and there only.

    precision: of float32 products on a GPU, "fp32" (the default) or "tf32", for as long and in the
    same places.

    Raises:
        BackendError: the backend is unknown or cannot be used on this machine; says what to do.
        ValueError: the backend has no such precision.
    """

    # A call does not know whether a `with` will hold it. So it chooses for its own thread first,
    # and becomes the process's when Python drops it, or when it is needed next: were it the
    # process's at once, every block would be seen by other threads for an instant.

    _mine: Choice | None = None  # as long as no block has begun

    def __init__(self, name: str, precision: str | None = None) -> None:
        self._backend, self._precision = get_backend(name), precision
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
        places = [i for i, choice in enumerate(chosen) if choice.block is self]
        if places:
            before, inside = chosen[:places[-1]], list(chosen[places[-1] + 1:])
            while inside and inside[0].block is None:  # called inside of this block
                del inside[0]
            choices.set((*before, *inside))

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
    global _default
    if choice.open:
        choice.open = False
        _default = choice.backend
        if choice.precision is not None:
            _default.set_precision(choice.precision)


def _settle() -> None:
    """Let calls that no block is around hold for the whole process, not for this thread alone."""
    chosen = choices.get()
    while chosen and chosen[0].block is None:
        _publish(chosen[0])
        chosen = chosen[1:]
    choices.set(chosen)


def available() -> dict[str, Any]:
    """Every backend's name with the backend, or with the sentence that says why there is none."""
    found: dict[str, Any] = {}
    for name in _makers:
        try:
            found[name] = get_backend(name)
        except BackendError as error:
            found[name] = str(error)
    return found

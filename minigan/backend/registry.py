"""Which backends exist, which one an array belongs to, and where new arrays are made.

The array decides where an op runs; the default of `use` decides only where new arrays are made.
"""

from __future__ import annotations

import os
from types import TracebackType
from typing import Any, Callable

from minigan.backend.base import Array, Backend, BackendError

_makers: dict[str, Callable[[], Backend]] = {}
_made: dict[str, Backend] = {}
_default: Backend | None = None

BY_TYPE: dict[type, Backend] = {}  # the engine looks here, once an op


def offer(name: str, make: Callable[[], Backend]) -> None:
    """Make a backend known by name; `make` runs when somebody asks for it first."""
    _makers[name] = make
    _made.pop(name, None)


def get(name: str) -> Backend:
    """The backend of that name, made on first use.

    Raises:
        BackendError: no backend has that name, or its device cannot be used here.
    """
    if name not in _made:
        if name not in _makers:
            raise BackendError(f"backend {name!r} is unknown; known are {', '.join(_makers)}")
        backend = _makers[name]()
        _made[name] = BY_TYPE[backend.array_type] = backend
    return _made[name]


def of(array: Array) -> Backend:
    """The backend that an array belongs to."""
    kind = type(array)
    if kind not in BY_TYPE and kind.__module__.partition(".")[0] == "cupy":
        get("cupy")
    if kind not in BY_TYPE:
        raise TypeError(f"data must be an array of a known backend ({', '.join(_makers)}), "
                        f"got {kind.__module__}.{kind.__name__}")
    return BY_TYPE[kind]


def check_array(array: Array, differentiable: bool = False) -> None:
    """Raise a TypeError unless `array` is a known backend's and holds numbers minigan knows."""
    if type(array) not in BY_TYPE:
        of(array)
    if array.dtype.kind not in ("f" if differentiable else "fiub") or (
            array.dtype.kind == "f" and array.dtype.itemsize not in (4, 8)):
        raise TypeError(f"requires_grad: only float tensors have gradients, got {array.dtype}"
                        if differentiable else
                        f"data must be float32, float64, integers or booleans, got {array.dtype}")


def default() -> Backend:
    """Where new arrays are made: `use`, else the variable MINIGAN_BACKEND, else NumPy."""
    global _default
    if _default is None:
        _default = get(os.environ.get("MINIGAN_BACKEND") or "numpy")
    return _default


class use:
    """Make new arrays on a backend: `use("cupy")` from now on, or `with use("cupy"): ...`.

    precision: of float32 products on a GPU, "fp32" (the default) or "tf32", from then on.

    Raises:
        BackendError: the backend is unknown or cannot be used on this machine; says what to do.
        ValueError: the backend has no such precision.
    """

    def __init__(self, name: str, precision: str | None = None) -> None:
        global _default
        backend = get(name)
        if precision is not None:
            backend.set_precision(precision)
        self._before = _default
        _default = backend

    def __enter__(self) -> Backend:
        return default()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        global _default
        _default = self._before


def known() -> dict[str, Any]:
    """Every backend's name with the backend, or with the sentence that says why there is none."""
    found: dict[str, Any] = {}
    for name in _makers:
        try:
            found[name] = get(name)
        except BackendError as error:
            found[name] = str(error)
    return found

"""A stand-in for a GPU: NumPy computes, but only what CuPy would compute is allowed.

    from stand_in import capturing, counted
    with minigan.use("stand-in"), counted() as counts: ...

Its arrays refuse to meet NumPy's, are never converted unasked, and stay arrays when 0-d. Whatever
makes the host wait for the device, or moves data between them, is counted; inside `capturing()` it
raises, as it would while a CUDA graph is captured. Where CuPy is installed, with or without a GPU,
every name and every function's arguments are checked against it.
"""
from __future__ import annotations

import inspect
from collections import Counter
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace
from typing import Any, Iterator

import numpy as np

from minigan.backend import Backend, register

try:
    import cupy
except ImportError:
    cupy = None

ASK_THE_HOST = {"allclose", "argwhere", "array_equal", "array_equiv", "bincount", "extract",
                "flatnonzero", "get", "item", "nonzero", "tobytes", "tolist", "unique"}
UPLOAD = {"array", "asanyarray", "asarray", "ascontiguousarray"}  # of anything but a device array
HIDDEN = {"base", "ctypes", "data", "flat", "random"}  # an array's memory, a module's hidden state

_counters: list[Counter[str]] = []
_capturing = False


def note(what: str) -> None:
    """The device waits for the host or exchanges data with it: count it, or raise if capturing."""
    if _capturing:
        raise RuntimeError(f"{what} is not permitted while capturing")
    for counter in _counters:
        counter[what] += 1


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """Count synchronisations and transfers inside the block, by name."""
    counter: Counter[str] = Counter()
    _counters.append(counter)
    try:
        yield counter
    finally:
        _counters.pop()


@contextmanager
def capturing() -> Iterator[None]:
    """Let every synchronisation and transfer inside the block raise."""
    global _capturing
    before, _capturing = _capturing, True
    try:
        yield
    finally:
        _capturing = before


def unwrap(value: Any) -> Any:
    """What NumPy computes with, also inside tuples and lists; host arrays are refused."""
    if isinstance(value, StandInArray):
        return value._array
    if isinstance(value, np.ndarray):
        raise TypeError(f"Unsupported type {type(value)}")
    if isinstance(value, (tuple, list)):
        return type(value)(map(unwrap, value))
    return value


def wrap(value: Any, kind: type[StandInArray]) -> Any:
    """A result as the device would return it: 0-d results are arrays, too."""
    if isinstance(value, (np.ndarray, np.generic)):
        return kind(np.asarray(value))
    if isinstance(value, (tuple, list)):
        return type(value)(wrap(part, kind) for part in value)
    return value


def call(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any],
         kind: type[StandInArray], owner: np.ndarray | None = None) -> Any:
    """Let NumPy compute; a result written to `out` is the very array that was given."""
    arrays, settings = unwrap(args), {name: unwrap(value) for name, value in kwargs.items()}
    out = kwargs.get("out")
    out = out[0] if isinstance(out, tuple) else out
    result = compute(lambda: function(*arrays, **settings), writes=written(function, arrays, out),
                     reads=[*flat(arrays), owner])
    return wrap(result, kind) if out is None else out


def flat(values: Any) -> Iterator[Any]:
    """All values, those inside tuples and lists too."""
    for value in values:
        yield from flat(value) if isinstance(value, (tuple, list)) else (value,)


def written(function: Any, arrays: tuple[Any, ...], out: Any) -> list[np.ndarray]:
    """The arrays that a call overwrites: `out`, or the first argument of add.at and array.fill."""
    if out is not None:
        return [out._array]
    owner, name = getattr(function, "__self__", None), getattr(function, "__name__", "")
    if name == "fill" and isinstance(owner, np.ndarray):
        return [owner]
    return [arrays[0]] if name == "at" else []


# A captured step: the list of what was asked for. Capturing computes nothing: what writes to an
# array is only noted down; what makes an array makes one of zeros, for its shape.

class Tape:
    """What a CUDA graph is on a device: calls that can be made again, in the same memory."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def launch(self) -> None:
        """Make all calls, with the values that their arrays have now."""
        for run in self.calls:
            run()


_tape: Tape | None = None


@contextmanager
def taped() -> Iterator[Tape]:
    """Note down what is asked for inside."""
    global _tape
    tape = _tape = Tape()
    try:
        with capturing(), np.errstate(all="ignore"):
            yield tape
    finally:
        _tape = None


def compute(run: Any, writes: Any = (), reads: Any = ()) -> Any:
    """run(), or if a step is being captured, a note that it is to be run into the same memory."""
    if _tape is None:
        return run()
    if writes:
        _tape.calls.append(run)
        return None
    result = run()
    if isinstance(result, np.generic):
        result = np.asarray(result)
    if isinstance(result, np.ndarray) and not any(
            isinstance(x, np.ndarray) and np.may_share_memory(result, x) for x in reads):
        def again() -> None:
            result[...] = run()
        result[...] = 0 if not any(isinstance(x, np.ndarray) for x in reads) else result
        _tape.calls.append(again)
    return result  # a view is up to date by itself


def twin_of(owner: Any, name: str) -> Any:
    """CuPy's attribute of the same name, None if CuPy is not installed."""
    return None if owner is None else getattr(owner, name)  # AttributeError: CuPy has no such thing


class StandInArray(np.lib.mixins.NDArrayOperatorsMixin):
    """An array that lives on the stand-in device."""

    __slots__ = ("_array", "__weakref__")

    def __init__(self, array: np.ndarray) -> None:
        self._array = array

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        raise TypeError("Implicit conversion to a NumPy array is not allowed")

    def __array_function__(self, function: Any, *_: Any) -> Any:
        raise TypeError(f"numpy.{function.__name__} of a device array; call the backend's")

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return call(getattr(ufunc, method), inputs, kwargs, type(self))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in HIDDEN:
            raise AttributeError(f"a device array has no {name}")
        twin = twin_of(cupy and cupy.ndarray, name)
        value = getattr(self._array, name)
        if not callable(value):
            return wrap(value, type(self))
        return Function(value, twin, type(self), self._array)

    @property
    def flags(self) -> Any:
        """The flags that CuPy knows; nothing here is read-only."""
        flags = self._array.flags
        return SimpleNamespace(c_contiguous=flags.c_contiguous, f_contiguous=flags.f_contiguous,
                               owndata=flags.owndata)

    def _key(self, index: Any) -> tuple[Any, ...]:
        """The index for NumPy; its Ellipsis makes single elements 0-d views, as on a device."""
        parts = index if isinstance(index, tuple) else (index,)
        if any(isinstance(part, list) for part in parts):
            raise TypeError("a list as an index is an upload that nobody asked for")
        return unwrap(parts) if any(part is ... for part in parts) else unwrap((*parts, ...))

    def __getitem__(self, index: Any) -> StandInArray:
        parts = index if isinstance(index, tuple) else (index,)
        if any(isinstance(part, StandInArray) and part.dtype == bool for part in parts):
            note("boolean index")  # the host has to know how many there are
        key = self._key(index)
        return wrap(compute(lambda: self._array[key], reads=[self._array]), type(self))

    def __setitem__(self, index: Any, value: Any) -> None:
        if isinstance(value, (list, tuple)):
            raise TypeError("writing a list is an upload that nobody asked for")
        key, host = self._key(index), unwrap(value)
        compute(lambda: self._array.__setitem__(key, host), writes=[self._array])

    def __len__(self) -> int:
        return len(self._array)

    def __iter__(self) -> Iterator[StandInArray]:
        return (self[i] for i in range(len(self)))

    def __float__(self) -> float:
        note("float")
        return float(self._array)

    def __int__(self) -> int:
        note("int")
        return int(self._array)

    def __index__(self) -> int:
        note("int")
        return self._array.__index__()

    def __bool__(self) -> bool:
        note("bool")
        return bool(self._array)

    def __repr__(self) -> str:
        note("repr")
        return f"stand-in {self._array!r}"

    def get(self) -> np.ndarray:
        """A copy on the host."""
        note("get")
        return self._array.copy()

    def set(self, array: np.ndarray) -> None:
        """Overwrite with values from the host."""
        note("set")
        self._array[...] = array


class Function:
    """A NumPy function, ufunc or method that takes and returns device arrays."""

    def __init__(self, function: Any, twin: Any, kind: type[StandInArray],
                 owner: np.ndarray | None = None) -> None:
        self._function, self._twin, self._kind, self._owner = function, twin, kind, owner

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        name = self._function.__name__
        if name in UPLOAD and not isinstance(args[0], StandInArray):
            note(name)
            if name == "array":  # xp.array(...) asks for a copy, also of a host array
                args = (self._kind(np.array(args[0])), *args[1:])
        if name in ASK_THE_HOST or (name == "where" and len(args) == 1):
            note(name)
        if inspect.isfunction(self._twin):
            inspect.signature(self._twin).bind(*args, **kwargs)  # TypeError, as CuPy would raise it
        return call(self._function, args, kwargs, self._kind, self._owner)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        value = getattr(self._function, name)  # add.at, add.reduce
        return Function(value, twin_of(self._twin, name), self._kind) if callable(value) else value


class StandInModule:
    """NumPy's functions for device arrays, and no other functions than CuPy's."""

    def __init__(self, module: ModuleType, twin: Any, kind: type[StandInArray] = StandInArray
                 ) -> None:
        self._module, self._twin, self._kind = module, twin, kind

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in HIDDEN:
            raise AttributeError(f"the stand-in has no {name}")
        if name == "ndarray":
            return self._kind
        twin, value = twin_of(self._twin, name), getattr(self._module, name)
        if isinstance(value, ModuleType):
            return StandInModule(value, twin, self._kind)
        plain = isinstance(value, type) or not callable(value)
        return value if plain else Function(value, twin, self._kind)


class StandIn(Backend):
    """The stand-in device; `from_host` and `to_host` are the only ways in and out."""

    def __init__(self) -> None:
        super().__init__("stand-in", StandInModule(np, cupy), StandInArray)

    def from_host(self, array: np.ndarray) -> StandInArray:
        if not isinstance(array, (np.ndarray, np.generic)):
            raise TypeError(f"from_host needs a NumPy array, got {type(array)}")
        note("from_host")
        return StandInArray(np.array(array))

    def to_host(self, array: StandInArray) -> np.ndarray:
        note("to_host")
        return array._array.copy()

    def synchronize(self) -> None:
        note("synchronize")


register("stand-in", StandIn)

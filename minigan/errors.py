"""What can go wrong in a graph, one sentence each: what happened, and what to do about it."""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np


def called(x: Any) -> str:
    """What to call a tensor in a message."""
    return f"{x.name or (x.op.name if x.op else 'a tensor')} of shape {x.shape}"


class StaleGraphError(RuntimeError):
    """A gradient needs a value that was overwritten after the graph had recorded it."""

    def __init__(self, op: str, value: Any) -> None:
        super().__init__(f"{op}: {called(value)} was overwritten after this graph was recorded, so "
                         f"its gradient would mix old and new values; compute the output again "
                         f"after the update")


class UnreachedError(ValueError):
    """A gradient was asked with respect to a tensor that the outputs do not depend on."""

    def __init__(self, position: int, value: Any, outputs: Sequence[Any]) -> None:
        why = ("does not require a gradient" if not value.requires_grad else
               "is not reached from the outputs" if any(y.requires_grad for y in outputs) else
               "is not reached: the outputs have no graph (no_grad? a grad without create_graph?)")
        super().__init__(f"grad: inputs[{position}], {called(value)}, {why}; unreached='zeros' "
                         f"would give zeros")


class MixedDevicesError(TypeError):
    """Operands of one op live on different devices."""

    def __init__(self, op: str, operands: Sequence[Any]) -> None:
        devices = sorted({x.device for x in operands if hasattr(x, "device")})
        super().__init__(f"{op} mixes tensors on {' and '.join(devices)}; nothing is moved "
                         f"unasked, move one with to({devices[0]!r})")


class ShapesError(ValueError, IndexError):
    """The operands' shapes, or an index, do not fit the op."""

    def __init__(self, op: str, why: Exception | str, operands: Sequence[Any]) -> None:
        shapes = ", ".join(str(x.shape) for x in operands if hasattr(x, "shape"))
        super().__init__(f"{op}: {why}; the operands have shapes {shapes}")


class MixedDtypesError(TypeError):
    """Operands of one op have different float types."""

    def __init__(self, op: str, *dtypes: Any) -> None:
        mixed = sorted(map(str, dtypes))
        super().__init__(f"{op} mixes {' and '.join(mixed)}; convert one with "
                         f"astype({mixed[0]!r})")


class NotFloatError(TypeError):
    """An op that computes with floats was given integers or booleans."""

    def __init__(self, op: str, given: Any, made: Any) -> None:
        super().__init__(f"{op} needs a float tensor, got {given} and would make {made} of it; "
                         f"convert first with astype('float32')")


class OperandError(TypeError):
    """An operand is neither a tensor nor a number."""

    def __init__(self, op: str, operand: Any) -> None:
        super().__init__(f"{op}: operands must be tensors or numbers, got "
                         f"{type(operand).__name__}; wrap arrays in minigan.tensor(...)")


class NotScalarError(ValueError):
    """The gradient of a non-scalar was asked without saying in which direction."""

    def __init__(self, value: Any) -> None:
        super().__init__(f"grad: the output, {called(value)}, is not a scalar; give its cotangent, "
                         f"a tensor of the same shape, as grad_outputs (in backward: as grad)")


def check_choice(what: str, given: Any, choices: Sequence[Any]) -> None:
    """Raise a ValueError unless `given` is one of the choices."""
    if given not in choices:
        raise ValueError(f"{what} must be one of {', '.join(map(repr, choices))}, got {given!r}")


def check_matmul(a: Any, b: Any, transpose_a: bool, transpose_b: bool) -> None:
    """Raise unless a and b are tensors with one axis or more whose inner sizes agree."""
    for x in (a, b):
        if not hasattr(x, "tick"):
            raise OperandError("matmul", x)
    if not (a.ndim and b.ndim) or (
            a.shape[-2 if transpose_a and a.ndim > 1 else -1]
            != b.shape[-1 if transpose_b or b.ndim == 1 else -2]):
        raise ShapesError("matmul", "needs one axis or more, and inner sizes that agree", (a, b))


def check_places(picked: tuple[int, ...], values: Any) -> None:
    """Raise a ShapesError unless an index picks as many places as there are values."""
    if picked != values.shape:
        raise ShapesError("scatter_add", f"the index picks places of shape {picked}", (values,))


def refuse_conversion(tensor: Any, *_: Any, **__: Any) -> Any:
    """What NumPy gets when it tries to make an array of a tensor."""
    raise TypeError("a tensor does not turn into a NumPy array by itself; use t.numpy()")


def refuse_equality(tensor: Any, other: Any) -> bool:
    """What == and != between tensors do: whether same values or the same tensor are meant is open.

    Without this, tensors of equal values would be unequal, in silence.
    """
    raise TypeError("== and != are not defined for tensors; ask `a is b` for the same tensor, and "
                    "compare values as arrays, with a.numpy() == b.numpy()")


def refuse_order(tensor: Any, other: Any) -> bool:
    """What <, <=, > and >= between tensors do."""
    raise TypeError("tensors are not compared with <, <=, > or >=; compare arrays, a.numpy() < "
                    "b.numpy(), or use minigan.ops.maximum, minimum or clip")


def refuse_number(tensor: Any) -> float:
    """What float(t) and int(t) do."""
    raise TypeError("a tensor does not turn into a number by itself; use t.item()")


def refuse_rows() -> Any:
    """What len(t) and a loop over t do where t has no axis."""
    raise TypeError("a 0-d tensor has no rows, so neither a length nor a loop; use t.item()")


def check_one(tensor: Any) -> None:
    """Raise a ValueError unless the tensor has one element."""
    if tensor.size != 1:
        raise ValueError(f"item: a tensor of shape {tensor.shape} has not one element but "
                         f"{tensor.size}; use t.numpy() or an index")


def refuse_abs(tensor: Any) -> Any:
    """What abs(t) does."""
    raise TypeError("abs(t) is not defined for tensors; use minigan.ops.abs(t)")


def refuse_attribute(tensor: Any, name: str) -> Any:
    """What a tensor does for an attribute that it has not: functions are in `minigan.ops`."""
    raise AttributeError(f"a tensor has no attribute {name!r}; functions of tensors are in "
                         f"minigan.ops: ops.sum(x), ops.reshape(x, shape), ops.mean(x), ...")


def check_ids(what: str, ids: Any, count: int) -> None:
    """Raise unless ids are an array of integers and, on the host, from 0 to count - 1.

    NumPy would take -1 for the last one. On a device they are not looked at, as that would wait for
    it: who brings labels there checks them first.
    """
    if getattr(getattr(ids, "dtype", None), "kind", "") not in ("i", "u"):
        raise TypeError(f"{what} must be an integer array or tensor, got {ids!r}")
    if isinstance(ids, np.ndarray) and ids.size and not 0 <= ids.min() <= ids.max() < count:
        raise ValueError(f"{what} must be from 0 to {count - 1}, got {ids.min()} to {ids.max()}")


def check_alike(what: str, given: Any, due: Any) -> None:
    """Raise a ValueError unless `given` is a number or an array like `due` in all but values."""
    if not isinstance(given, (int, float)) and (
            type(given), getattr(given, "shape", None), getattr(given, "dtype", None)) != (
            type(due), due.shape, due.dtype):
        raise ValueError(f"{what} is {_look(given)}; needed is {_look(due)}")


def check_scalars(outputs: Sequence[Any]) -> None:
    """Raise a NotScalarError if an output has more or less than one element."""
    for y in outputs:
        if y.size != 1:
            raise NotScalarError(y)


def check_cotangents(given: Sequence[Any], outputs: Sequence[Any]) -> None:
    """Raise a ValueError unless there is one tensor for each output, alike in everything."""
    if len(given) != len(outputs):
        raise ValueError(f"grad: {len(given)} grad_outputs for {len(outputs)} outputs")
    for i, (gy, y) in enumerate(zip(given, outputs)):
        check_alike(f"grad: grad_outputs[{i}]", gy.data, y.data)


def _look(array: Any) -> str:
    return " ".join([type(array).__name__, *(str(getattr(array, part)) for part in
                                             ("shape", "dtype") if hasattr(array, part))])

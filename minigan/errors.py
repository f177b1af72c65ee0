"""What can go wrong in a graph, one sentence each: what happened, and what to do about it."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

import numpy as np

MOST_CLASSES = 1_000_000  # each has a name, and in a conditional model a row of numbers

NO_METHODS = (  # that people look for in a tensor
    "abs", "add", "add_", "all", "any", "argmax", "argmin", "chunk", "clamp", "clip", "clone",
    "contiguous", "copy", "copy_", "cpu", "cuda", "cumsum", "dim", "div", "dot", "double",
    "exp", "expand", "expand_dims", "fill", "fill_", "flatten", "float", "gather", "half",
    "int", "leaky_relu", "log", "log1p", "log_softmax", "logsumexp", "long", "masked_fill",
    "matmul", "max", "mean", "min", "mm", "mul", "mul_", "norm", "numel", "permute", "pow",
    "prod", "ravel", "relu", "repeat", "requires_grad_", "reshape", "retain_grad", "sigmoid",
    "softmax", "softplus", "split", "sqrt", "square", "squeeze", "std", "sub", "sum",
    "swapaxes", "take", "tanh", "tolist", "transpose", "type", "unsqueeze", "var", "view",
    "zero_")


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

    def __init__(self, op: str, why: Exception | str, operands: Sequence[Any],
                 settings: dict[str, Any] = {}) -> None:
        shapes = ", ".join(str(x.shape) for x in operands if hasattr(x, "shape"))
        sizes = [f"{name} {value}" for name, value in settings.items()
                 if name in ("shape", "axis", "axes")]
        given = f"; given is {', '.join(sizes)}" if sizes else ""
        super().__init__(f"{op}: {why}; the operands have shapes {shapes}{given}")


class MixedDtypesError(TypeError):
    """Operands of one op have different float types."""

    def __init__(self, op: str, *dtypes: Any) -> None:
        mixed = sorted(map(str, dtypes))
        super().__init__(f"{op} mixes {' and '.join(mixed)}; convert one with "
                         f"astype({mixed[0]!r})")


class NotFloatError(TypeError):
    """An op that computes with floats was given integers or booleans."""

    def __init__(self, op: str, given: Any, made: Any = None, name: str = "") -> None:
        why = f" and would make {made} of it" if made is not None else ""
        what = f" as {name}" if name else ""
        super().__init__(f"{op} needs a float tensor{what}, got {given}{why}; convert first with "
                         f"astype('float32')")


class OperandError(TypeError):
    """An operand is neither a tensor nor a number."""

    def __init__(self, op: str, operand: Any) -> None:
        super().__init__(f"{op}: operands must be tensors or numbers, got "
                         f"{type(operand).__name__}; wrap arrays in minigan.tensor(...)")


class SettingError(TypeError):
    """A setting of an op is of a type that it cannot take."""

    def __init__(self, op: str, why: Exception | str, settings: dict[str, Any]) -> None:
        given = ", ".join(f"{name}={shown(value)}" for name, value in settings.items())
        super().__init__(f"{op}: {why}; the settings are {given or 'none'}")


class NotScalarError(ValueError):
    """The gradient of a non-scalar was asked without saying in which direction."""

    def __init__(self, value: Any) -> None:
        super().__init__(f"grad: the output, {called(value)}, is not a scalar; give its cotangent, "
                         f"a tensor of the same shape, as grad_outputs (in backward: as grad)")


class NotFinite(FloatingPointError):
    """A number of the training is infinite or NaN."""


def check_finite(values: Mapping[str, Any]) -> None:
    """Raise a NotFinite that names the first number or host array which is not finite all over."""
    for name, value in values.items():
        if not np.isfinite(value).all():
            bad = np.ravel(value)
            raise NotFinite(f"{name} is {bad[~np.isfinite(bad)][0]}")


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


def check_places(index: Any, shape: Any, values: Any, zeros: Any) -> None:
    """Raise a ShapesError unless an index picks as many places of `shape` as there are values.

    zeros: makes an array of a shape and a dtype on the device of the values.
    """
    check_sizes("scatter_add: shape", shape)
    try:
        picked = zeros(shape, "bool")[index].shape
    except IndexError as error:
        raise ShapesError("scatter_add", error, (values,), {"shape": shape}) from error
    if picked != values.shape:
        raise ShapesError("scatter_add", f"the index picks places of shape {picked}", (values,),
                          {"shape": shape})


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


class NoMethod:
    """In place of a method that NumPy's or PyTorch's tensors have, and ours do not.

    A `__getattr__` could say the same of any name, but with it every `t.data` takes three times as
    long in Python 3.10 and 3.11, and a small step 4 % longer.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, tensor: Any, kind: type | None = None) -> Any:
        raise AttributeError(f"a tensor has no attribute {self.name!r}; functions of tensors are "
                             f"in minigan.ops: ops.sum(x), ops.reshape(x, shape), ops.mean(x), ...")


def own_names(tensor: Any) -> list[str]:
    """What a tensor has, without what it only refuses: for dir(t) and completion."""
    return sorted(set(object.__dir__(tensor)) - set(NO_METHODS))


def is_number(value: Any) -> bool:
    """Whether value is a real number, Python's or NumPy's: no tensor, no array, no word."""
    return isinstance(value, (int, float, np.integer, np.floating))


def is_whole(value: Any) -> bool:
    """Whether value is a whole number, and not True or False."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def shown(value: Any) -> str:
    """What was given, in one short line."""
    if hasattr(value, "shape") and not isinstance(value, np.generic):
        return look(value)
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else f"{text[:77]}..."


def checked_dtype(what: str, dtype: Any) -> np.dtype:
    """A dtype that a tensor can have: float32, float64, an integer or bool."""
    try:
        found = np.dtype(dtype)
    except TypeError:
        raise TypeError(f"{what} must be float32, float64, an integer type or bool, got "
                        f"{shown(dtype)}") from None
    if found.kind not in "fiub" or found.kind == "f" and found.itemsize not in (4, 8):
        raise TypeError(f"{what} must be float32, float64, an integer type or bool, got {found}")
    return found


def kind_of_numbers(what: str, data: Any) -> str:
    """The kind of dtype ("f", "i", "u", "b") of numbers in nested lists."""
    try:
        kind = np.asarray(data).dtype.kind
    except ValueError:
        raise ValueError(f"{what} must be numbers, or lists of one length within each other, got "
                         f"{shown(data)}") from None
    except TypeError:
        raise TypeError(f"{what} must be numbers, lists of numbers or an array, got "
                        f"{shown(data)}; tensors become one by minigan.ops.stack") from None
    if kind not in "fiub":
        raise TypeError(f"{what} must be float32, float64, integers or booleans, got "
                        f"{shown(data)}")
    return kind


def check_tensors(function: str, **given: Any) -> None:
    """Raise a TypeError unless all that is given, by its argument's name, are tensors."""
    for name, x in given.items():
        if not hasattr(x, "tick"):
            raise TypeError(f"{function}: {name} must be a tensor, got {type(x).__name__}; wrap "
                            f"arrays in minigan.tensor(...)")


def check_floats(function: str, **given: Any) -> None:
    """Raise a TypeError unless all that is given are tensors of floats."""
    check_tensors(function, **given)
    for name, x in given.items():
        if x.dtype.kind != "f":
            raise NotFloatError(function, x.dtype, name=name)


def bad_axis(function: str, name: str, axis: Any, x: Any) -> Exception:
    """The error of an axis that a tensor does not have, or that is named twice."""
    axes = f"each once, from {-x.ndim} to {x.ndim - 1}" if x.ndim else "of which it has none"
    return ShapesError(function, f"{name} must be axes of the tensor, {axes}, got {shown(axis)}",
                       (x,))


def check_not_empty(function: str, axes: Sequence[int], x: Any) -> None:
    """Raise a ShapesError where an axis over which something is looked for has no elements."""
    if any(x.shape[i] == 0 for i in axes):
        raise ShapesError(function, f"over axis {tuple(axes)} there are no elements, so none is "
                                    f"largest or smallest", (x,))


def check_sizes(what: str, shape: Any, least: int = 0) -> None:
    """Raise unless `shape` is a tuple of whole numbers, none below `least`."""
    if not isinstance(shape, (tuple, list)) or not all(is_whole(n) and n >= least for n in shape):
        raise ValueError(f"{what} must be a tuple of whole numbers of {least} or more, got "
                         f"{shown(shape)}")


def check_share(what: str, value: Any) -> None:
    """Raise a ValueError unless value is a number in [0, 1)."""
    if not (is_number(value) and 0 <= value < 1):
        raise ValueError(f"{what} must be in [0, 1), got {shown(value)}")


def check_eps(what: str, value: Any) -> None:
    """Raise a ValueError unless value, which keeps a quotient finite, is a number of 0 or more."""
    if not (is_number(value) and 0 <= value < float("inf")):
        raise ValueError(f"{what} must be a number of 0 or more, got {shown(value)}")


def check_ids(what: str, ids: Any, count: int) -> None:
    """Raise unless ids are an array of integers and, on the host, from 0 to count - 1.

    NumPy would take -1 for the last one. On a device they are not looked at, as that would wait for
    it: who brings labels there checks them first.
    """
    if getattr(getattr(ids, "dtype", None), "kind", "") not in ("i", "u"):
        raise TypeError(f"{what} must be an integer array or tensor, got {shown(ids)}")
    if isinstance(ids, np.ndarray) and ids.size and not 0 <= ids.min() <= ids.max() < count:
        raise ValueError(f"{what} must be from 0 to {count - 1}, got {ids.min()} to {ids.max()}")


def check_alike(what: str, given: Any, due: Any) -> None:
    """Raise a ValueError unless `given` is a number or an array like `due` in all but values."""
    if not isinstance(given, (int, float)) and (
            type(given), getattr(given, "shape", None), getattr(given, "dtype", None)) != (
            type(due), due.shape, due.dtype):
        raise ValueError(f"{what} is {look(given)}; needed is {look(due)}")


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


def look(array: Any) -> str:
    """What kind of array, of which shape and dtype."""
    return " ".join([type(array).__name__, *(str(getattr(array, part)) for part in
                                             ("shape", "dtype") if hasattr(array, part))])

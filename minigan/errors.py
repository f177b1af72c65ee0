"""What can go wrong in a graph, one sentence each: what happened, and what to do about it."""

from __future__ import annotations

from typing import Any, Iterable, Mapping, Sequence

import numpy as np

# ---------------------------------------------------------------- what was given, in few words


def called(x: Any) -> str:
    """What to call a tensor in a message: its name, or the op that made it, and its shape."""
    name = x.name
    if not name:
        name = x.op.name if x.op else "a tensor"
    return f"{name} of shape {x.shape}"


def shown(value: Any) -> str:
    """What was given, in one line of at most 80 characters; of an array what kind it is."""
    if hasattr(value, "shape") and not isinstance(value, np.generic):
        return look(value)
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else f"{text[:77]}..."


def look(array: Any) -> str:
    """The type of an array, its shape and its dtype, as far as it has them."""
    words = [type(array).__name__]
    for attribute in ("shape", "dtype"):
        if hasattr(array, attribute):
            words.append(str(getattr(array, attribute)))
    return " ".join(words)


# ---------------------------------------------------------------- the operands of an op

class NotTensorError(TypeError):
    """An argument that must be a tensor is something else."""

    def __init__(self, function: str, name: str, given: Any) -> None:
        super().__init__(f"{function}: {name} must be a tensor, got {type(given).__name__}; wrap "
                         f"arrays in minigan.tensor(...)")


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


class ShapesError(ValueError, IndexError):
    """The operands' shapes, or an index, do not fit the op."""

    def __init__(self, op: str, why: Exception | str, operands: Sequence[Any],
                 settings: dict[str, Any] = {}) -> None:
        shapes = ", ".join(str(x.shape) for x in operands if hasattr(x, "shape"))
        sizes = [f"{name} {value}" for name, value in settings.items()
                 if name in ("shape", "axis", "axes")]
        given = f"; given is {', '.join(sizes)}" if sizes else ""
        super().__init__(f"{op}: {why}; the operands have shapes {shapes}{given}")


class MixedDevicesError(TypeError):
    """Operands of one op live on different devices."""

    def __init__(self, op: str, devices: Iterable[str]) -> None:
        names = sorted(set(devices))
        super().__init__(f"{op} mixes tensors on {' and '.join(names)}; nothing is moved "
                         f"unasked, move one with to({names[0]!r})")


class MixedDtypesError(TypeError):
    """Operands of one op have different float types."""

    def __init__(self, op: str, *dtypes: Any) -> None:
        names = sorted(map(str, dtypes))
        super().__init__(f"{op} mixes {' and '.join(names)}; convert one with "
                         f"astype({names[0]!r})")


class NotFloatError(TypeError):
    """An op that computes with floats was given integers or booleans, or made another type."""

    def __init__(self, op: str, given: Any, made: Any = None, name: str = "") -> None:
        which = f" as {name}" if name else ""
        if made is not None and given.kind == "f":
            super().__init__(f"{op} made {made} of {given}: an op's result has its inputs' dtype; "
                             f"convert it in the forward, or give the op `converts`")
            return
        why = f" and would make {made} of it" if made is not None else ""
        super().__init__(f"{op} needs a float tensor{which}, got {given}{why}; convert first with "
                         f"astype('float32')")


# ---------------------------------------------------------------- gradients

class StaleGraphError(RuntimeError):
    """A gradient needs a value that was overwritten after the graph had recorded it."""

    def __init__(self, op: str, value: Any) -> None:
        super().__init__(f"{op}: {called(value)} was overwritten after this graph was recorded, so "
                         f"its gradient would mix old and new values; compute the output again "
                         f"after the update")


class UnreachedError(ValueError):
    """A gradient was asked for with respect to a tensor that the outputs do not depend on."""

    def __init__(self, position: int, value: Any, outputs: Sequence[Any]) -> None:
        if not value.requires_grad:
            why = "does not require a gradient"
        elif any(y.requires_grad for y in outputs):
            why = "is not reached from the outputs"
        else:
            why = ("is not reached: the outputs have no graph (no_grad? a grad without "
                   "create_graph?)")
        super().__init__(f"grad: inputs[{position}], {called(value)}, {why}; unreached='zeros' "
                         f"would give zeros")


class NotScalarError(ValueError):
    """The gradient of a non-scalar was asked for without saying in which direction."""

    def __init__(self, value: Any) -> None:
        super().__init__(f"grad: the output, {called(value)}, is not a scalar; give its cotangent, "
                         f"a tensor of the same shape, as grad_outputs (in backward: as grad)")


# ---------------------------------------------------------------- training

class NotFinite(FloatingPointError):
    """A number of the training is infinite or NaN."""


def check_finite(values: Mapping[str, Any]) -> None:
    """Check numbers and host arrays, given by name.

    Raises:
        NotFinite: one is not finite everywhere; names the first, and its first such number.
    """
    for name, value in values.items():
        finite = np.isfinite(value)
        if not finite.all():
            bad = np.ravel(value)[~np.ravel(finite)]
            raise NotFinite(f"{name} is {bad[0]}")

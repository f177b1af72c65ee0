"""Checks of tensors, and of the axes that they have, for functions that take tensors."""

from __future__ import annotations

from typing import Any

from numpy.lib.array_utils import normalize_axis_tuple

from minigan import errors
from minigan.engine import Tensor

Axis = int | tuple[int, ...] | None


def check_tensors(function: str, **given: Any) -> None:
    """Check that all that is given, by its argument's name, are tensors.

    Raises:
        NotTensorError: one is something else.
    """
    for name, x in given.items():
        if not isinstance(x, Tensor):
            raise errors.NotTensorError(function, name, x)


def check_floats(function: str, **given: Any) -> None:
    """Check that all that is given, by its argument's name, are tensors of floats.

    Raises:
        NotTensorError: one is not a tensor.
        NotFloatError: one has integers or booleans.
    """
    check_tensors(function, **given)
    for name, x in given.items():
        if x.dtype.kind != "f":
            raise errors.NotFloatError(function, x.dtype, name=name)


def axes_of(x: Tensor, axis: Axis, function: str, name: str = "axis") -> tuple[int, ...]:
    """`axis` (int, tuple or None for all) as a sorted tuple of non-negative axes of x.

    Raises:
        OperandError: x is not a tensor.
        ShapesError: x has no such axis, or it is named twice; names the function and the argument.
    """
    if not isinstance(x, Tensor):
        raise errors.OperandError(function, x)
    ndim = x.data.ndim
    if axis is None:
        return tuple(range(ndim))
    try:
        return tuple(sorted(normalize_axis_tuple(axis, ndim)))
    except (TypeError, ValueError):
        among = f"each once, from {-ndim} to {ndim - 1}" if ndim else "but it has none"
        why = f"{name} must be axes of the tensor, {among}, got {errors.shown(axis)}"
        raise errors.ShapesError(function, why, (x,)) from None

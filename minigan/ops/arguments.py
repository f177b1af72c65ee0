"""Checks of tensors, and of the axes that they have, for functions that take tensors."""

from __future__ import annotations

import functools
import inspect
from typing import Any, Callable, TypeVar, cast

from numpy.lib.array_utils import normalize_axis_tuple

from minigan import errors
from minigan.backend import Shape
from minigan.engine import Tensor

Axis = int | tuple[int, ...] | None  # as people give it
Axes = tuple[int, ...]               # sorted, none negative: what `axes_of` makes of an `Axis`
F = TypeVar("F", bound=Callable[..., Tensor])


def of_tensors(function: F) -> F:
    """Check, before a function runs, that what its annotations call a Tensor is one.

    Raises:
        NotTensorError: in a call, an argument is not; names it and the function.
    """
    parameters = inspect.signature(function).parameters
    names = [*parameters]
    tensors = {name for name in names if parameters[name].annotation == "Tensor"}

    @functools.wraps(function)
    def checked(*arguments: Any, **named: Any) -> Tensor:
        for name, x in (*zip(names, arguments), *named.items()):
            if not isinstance(x, Tensor) and name in tensors:
                raise errors.NotTensorError(function.__name__, name, x)
        return function(*arguments, **named)
    return cast(F, checked)


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


def axes_of(x: Tensor, axis: Axis, function: str, name: str = "axis") -> Axes:
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


def kept(x: Tensor, axes: Axes) -> Shape:
    """x's shape with size 1 for the axes."""
    return tuple([1 if i in axes else n for i, n in enumerate(x.shape)])


def dropped(x: Tensor, axes: Axes) -> Shape:
    """x's shape without the axes."""
    return tuple([n for i, n in enumerate(x.shape) if i not in axes])

"""Checks of arguments that are not tensors: numbers, words, shapes, dtypes and arrays.

`what` names the function and its argument, as in "clip: low", for the message. Checks of tensors
are in `ops/arguments.py`.
"""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np

from minigan.errors import ShapesError, look, shown

MOST_CLASSES = 1_000_000  # each has a name, and in a conditional model a row of numbers

IMAGES = "images are (N, H, W, C); for (N, C, H, W) use transpose(x, (0, 2, 3, 1))"

# ---------------------------------------------------------------- numbers and words


def is_number(value: Any) -> bool:
    """Whether value is a real number, Python's or NumPy's, and not a tensor or an array."""
    return isinstance(value, (int, float, np.integer, np.floating))


def is_whole(value: Any) -> bool:
    """Whether value is a whole number, and not True or False."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def whole(what: str, value: Any) -> int:
    """A number of things, such as channels, units or ids, as an int.

    Raises:
        ValueError: it is not a whole number of 1 or more.
    """
    if not is_whole(value) or value < 1:
        raise ValueError(f"{what} must be a whole number of 1 or more, got {shown(value)}")
    return int(value)


def check_choice(what: str, given: Any, choices: Sequence[Any]) -> None:
    """Check that `given` is one of the choices.

    Raises:
        ValueError: it is not.
    """
    if given not in choices:
        raise ValueError(f"{what} must be one of {', '.join(map(repr, choices))}, got {given!r}")


def check_number(what: str, value: Any) -> None:
    """Check that value is a number, and not a tensor or an array.

    Raises:
        TypeError: it is not.
    """
    if not is_number(value):
        raise TypeError(f"{what} must be a number, got {shown(value)}")


def check_momentum(what: str, value: Any) -> None:
    """Check that value is a number in [0, 1].

    Raises:
        ValueError: it is not.
    """
    if not (is_number(value) and 0 <= value <= 1):
        raise ValueError(f"{what} must be in [0, 1], got {shown(value)}")


def check_share(what: str, value: Any) -> None:
    """Check that value is a number in [0, 1).

    Raises:
        ValueError: it is not.
    """
    if not (is_number(value) and 0 <= value < 1):
        raise ValueError(f"{what} must be in [0, 1), got {shown(value)}")


def check_bounds(what: str, low: Any, high: Any) -> None:
    """Check that low and high are numbers, low not above high.

    Raises:
        ValueError: they are not.
    """
    if not (is_number(low) and is_number(high) and low <= high):
        raise ValueError(f"{what}: low and high must be numbers, low not above high, got "
                         f"{shown(low)} and {shown(high)}; for one bound, or tensors as bounds, "
                         f"use maximum and minimum")


def check_eps(what: str, value: Any) -> None:
    """Check that value, which keeps a quotient finite, is a finite number of 0 or more.

    Raises:
        ValueError: it is not.
    """
    if not (is_number(value) and 0 <= value < float("inf")):
        raise ValueError(f"{what} must be a number of 0 or more, got {shown(value)}")


def check_slope(what: str, slope: Any) -> None:
    """Check that maximum(x, slope * x) is x above 0 and slope * x below.

    Raises:
        ValueError: the slope is not a number from 0 to 1.
    """
    if not (is_number(slope) and 0 <= slope <= 1):
        raise ValueError(f"{what}: slope must be between 0 and 1, got {shown(slope)}")


# ---------------------------------------------------------------- shapes and dtypes

def check_sizes(what: str, shape: Any, least: int = 0) -> None:
    """Check that `shape` is a tuple or list of whole numbers, none below `least`.

    Raises:
        ValueError: it is not.
    """
    if not isinstance(shape, (tuple, list)) or not all(is_whole(n) and n >= least for n in shape):
        raise ValueError(f"{what} must be a tuple of whole numbers of {least} or more, got "
                         f"{shown(shape)}")


def whole_axis(what: str, axis: Any, ndim: int, shape: Any) -> int:
    """An axis, counted from the front, of a result with ndim axes that is made of a `shape`.

    Raises:
        ValueError: it is not a whole number, or there is no such axis.
    """
    if not is_whole(axis) or not -ndim <= axis < ndim:
        among = f"from {-ndim} to {ndim - 1}" if ndim else "but there is none"
        raise ValueError(f"{what} must be an int, {among}, got {shown(axis)} for "
                         f"a tensor of shape {shape}")
    return int(axis) % ndim


def check_widths(what: str, widths: Any, shape: Any) -> None:
    """Check that `widths` is a pair of whole numbers, 0 or more, for each axis of a shape.

    Raises:
        ValueError: it is not.
    """
    if not isinstance(widths, (tuple, list)) or len(widths) != len(shape) or not all(
            map(_is_width, widths)):
        raise ValueError(f"{what} must be {len(shape)} pairs of ints, 0 or more, for a tensor of "
                         f"shape {shape}, got {shown(widths)}")


def _is_width(pair: Any) -> bool:
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        return False
    return all(is_whole(n) and n >= 0 for n in pair)


def check_images(what: str, shape: Any) -> None:
    """Check that a shape has the four axes of images.

    Raises:
        ValueError: it has fewer or more.
    """
    if len(shape) != 4:
        raise ValueError(f"{what} has shape {shape}; {IMAGES}")


def check_axes(what: str, axes: Any) -> None:
    """Check that axes are an int, a tuple or list of ints, or None.

    Raises:
        ValueError: they are not.
    """
    listed = axes if isinstance(axes, (tuple, list)) else (axes,)
    if axes is not None and not all(map(is_whole, listed)):
        raise ValueError(f"{what} must be an int, a tuple of ints or None, got {shown(axes)}")


def check_ints(what: str, values: Any, count: int) -> None:
    """Check that values are a tuple or list of whole numbers; `count`, for the message, how many.

    Raises:
        TypeError: they are not.
    """
    if not isinstance(values, (tuple, list)) or not all(map(is_whole, values)):
        raise TypeError(f"{what} must be a tuple of {count} ints, got {shown(values)}")


def check_not_empty(function: str, axes: Any, x: Any) -> None:
    """Check that x has elements over these axes, so that one of them can be looked for.

    Raises:
        ShapesError: it has none.
    """
    if any(x.shape[i] == 0 for i in axes):
        raise ShapesError(function, f"over axis {axes} there are no elements, so none is "
                                    f"largest or smallest", (x,))


def check_kernel(function: str, name: str, images: Any, w: Any, axis: int) -> None:
    """Check the shapes of images, (N, H, W, C), and of weights, (KH, KW, C_in, C_out).

    name: of the images' argument. axis: that of w on which there must be C channels.

    Raises:
        ValueError: a shape is another, or the channels do not agree.
    """
    check_images(f"{function}: {name}", images)
    if len(w) != 4:
        raise ValueError(f"{function}: w has shape {w}; weights are (KH, KW, C_in, C_out)")
    if images[-1] != w[axis]:
        raise ValueError(f"{function}: {name} of shape {images} has {images[-1]} channels "
                         f"and w of shape {w} wants {w[axis]}; {IMAGES}")


def check_one_shape(function: str, **given: Any) -> None:
    """Check that two tensors or arrays, given by their arguments' names, have one shape.

    Raises:
        ValueError: they have two.
    """
    (one, x), (other, y) = given.items()
    if x.shape != y.shape:
        raise ValueError(f"{function} compares pairs: {one} has shape {x.shape}, {other} "
                         f"{y.shape}; nothing is broadcast")


def inner_sizes_agree(a: Any, b: Any, transpose_a: bool, transpose_b: bool) -> bool:
    """Whether arrays of shapes a and b, each of one axis or more, have a matrix product."""
    if not (a and b):
        return False
    inner = a[-2] if transpose_a and len(a) > 1 else a[-1]
    other = b[-1] if transpose_b or len(b) == 1 else b[-2]
    return bool(inner == other)


def check_affine(x: Any, w: Any, b: Any) -> None:
    """Check the shapes of a dense layer: x (..., n_in), w (n_in, n_out), b (n_out,).

    Raises:
        ValueError: one does not fit.
    """
    if len(w) != 2 or b != w[1:]:
        raise ValueError(f"affine: w must be (n_in, n_out) and b (n_out,), got {w} and {b}")
    if not x or x[-1] != w[0]:
        raise ValueError(f"affine: x of shape {x} should have {w[0]} features, its last axis, for "
                         f"w of shape {w}")


def check_bias(function: str, x: Any, b: Any) -> None:
    """Check the shapes of x, (..., C), and of a bias, (C,).

    Raises:
        ValueError: they do not fit.
    """
    if not x or b != x[-1:]:
        raise ValueError(f"{function}: b must be (C,), one number for each channel of x, the "
                         f"last axis, got {b} for x of shape {x}")


def check_image_pairs(function: str, x: Any, y: Any) -> None:
    """Check that two shapes are (N, H, W, C), of one N.

    Raises:
        ValueError: they are not.
    """
    if len(x) != 4 or len(y) != 4 or x[0] != y[0]:
        raise ValueError(f"{function}: x and y must be (N, H, W, C) of one N, got {x} and {y}")


def check_classes(function: str, logits: Any, labels: Any) -> None:
    """Check that a shape is (N, K), and labels an array of (N,).

    Raises:
        ValueError: they are not.
    """
    shape = getattr(labels, "shape", None)
    if len(logits) != 2 or shape != logits[:1]:
        raise ValueError(f"{function}: logits must be (N, K) and labels an array (N,), "
                         f"got {logits} and {labels if shape is None else shape}")


def check_broadcasts(what: str, small: Any, shape: Any) -> None:
    """Check that the shape `small`, put under the end of `shape`, has its sizes or 1.

    Raises:
        ValueError: it does not, or is longer.
    """
    pairs = zip(small[::-1], shape[::-1])
    if len(small) > len(shape) or not all(n in (1, m) for n, m in pairs):
        raise ValueError(f"{what} of shape {small} does not broadcast against x of shape {shape}")


def checked_dtype(what: str, dtype: Any) -> np.dtype:
    """A dtype that a tensor can have: float32, float64, an integer type or bool.

    Raises:
        TypeError: it is not one of these.
    """
    try:
        checked = np.dtype(dtype)
    except TypeError:
        raise TypeError(f"{what} must be float32, float64, an integer type or bool, got "
                        f"{shown(dtype)}") from None
    if checked.kind not in "fiub" or checked.kind == "f" and checked.itemsize not in (4, 8):
        raise TypeError(f"{what} must be float32, float64, an integer type or bool, got {checked}")
    return checked


def kind_of_numbers(what: str, data: Any) -> str:
    """The kind of dtype ("f", "i", "u", "b") of numbers in nested lists.

    Raises:
        ValueError: the lists have several lengths.
        TypeError: they hold something other than numbers.
    """
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


# ---------------------------------------------------------------- arrays

def check_state(what: str, own: Any, state: Any) -> None:
    """Check that saved arrays are those of `own`, by name, in all but their values.

    Raises:
        ValueError: entries are missing, unexpected, or of another shape or dtype; names them.
    """
    problems = [f"{name} is missing" for name in own if name not in state]
    problems += [f"{name} is unexpected" for name in state if name not in own]
    for name, needed in own.items():
        if name not in state:
            continue
        given = state[name]
        if (given.shape, given.dtype) != (needed.shape, needed.dtype):
            problems.append(f"{name} is {given.dtype} {given.shape}, not {needed.dtype} "
                            f"{needed.shape}")
    if problems:
        raise ValueError(f"{what}: {'; '.join(problems)}")


def check_alike(what: str, given: Any, needed: Any) -> None:
    """Check that `given` is a number, or an array like `needed` in all but its values.

    Raises:
        ValueError: it is not; shows both.
    """
    if isinstance(given, (int, float)):
        return
    kind = (type(given), getattr(given, "shape", None), getattr(given, "dtype", None))
    if kind != (type(needed), needed.shape, needed.dtype):
        raise ValueError(f"{what} is {look(given)}; needed is {look(needed)}")


def check_ids(what: str, ids: Any, count: int) -> None:
    """Check that ids are an array of integers and, on the host, from 0 to count - 1.

    NumPy would take -1 for the last one. On another device the values are not looked at, as that
    would wait for the device: labels are checked before they are copied there.

    Raises:
        TypeError: they are not an array of integers.
        ValueError: one is below 0, or count or more.
    """
    if getattr(getattr(ids, "dtype", None), "kind", "") not in ("i", "u"):
        raise TypeError(f"{what} must be an integer array or tensor, got {shown(ids)}")
    if isinstance(ids, np.ndarray) and ids.size and not 0 <= ids.min() <= ids.max() < count:
        raise ValueError(f"{what} must be from 0 to {count - 1}, got {ids.min()} to {ids.max()}")

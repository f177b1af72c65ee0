"""Functions that move elements: every one is linear, and its rule is its adjoint.

The adjoint puts elements back where they came from, and adds up those that were repeated.
"""

from __future__ import annotations

from typing import Any, Sequence

from minigan import checks
from minigan.backend import Array, Backend, Shape, backend_of
from minigan.checks import is_whole, whole_axis
from minigan.engine import Tensor, core, op
from minigan.errors import NotTensorError, ShapesError, shown
from minigan.ops.arguments import check_tensors, dropped, of_tensors
from minigan.ops.arithmetic import widened
from minigan.ops.elementwise import where

# ---------------------------------------------------------------- other shapes


@op(lambda gy, y, x, shape: gy, broadcasts=True, view=True)
def _broadcast_to(xp: Backend, x: Array, shape: Shape) -> Array:
    return xp.broadcast_to(x, shape)


def broadcast_to(x: Tensor, shape: Shape) -> Tensor:
    """x repeated to `shape`, without copying.

    Raises:
        ValueError: shape is not a tuple of whole numbers.
        ShapesError: x does not broadcast to it.
    """
    if not isinstance(shape, tuple):
        checks.check_sizes("broadcast_to: shape", shape)
    if x.data.shape == shape:
        return x
    return _broadcast_to(x, shape=tuple(shape))


@op(lambda gy, y, x, shape: reshape(gy, x.shape), view=True)
def _reshape(xp: Backend, x: Array, shape: int | Shape) -> Array:
    return x.reshape(shape)


@core
def reshape(x: Tensor, shape: int | Shape) -> Tensor:
    """The same elements, in C order, in another shape.

    shape: an int or a tuple; one size may be -1, which is then worked out.

    Raises:
        ShapesError: the number of elements is another.
        ValueError: a size is negative and not -1.
    """
    if isinstance(x, Tensor) and x.data.shape == shape:
        return x
    y = _reshape(x, shape=shape)
    if y.data.shape != shape:  # a size was left to NumPy, which takes any negative number for that
        checks.check_sizes("reshape: shape", (shape,) if is_whole(shape) else shape, -1)
    return y


@of_tensors
def expand_dims(x: Tensor, axis: int) -> Tensor:
    """x with a new axis of size 1 before `axis` (counted in the result).

    Raises:
        NotTensorError: x is not a tensor.
        ValueError: the result has no such axis.
    """
    axis = whole_axis("expand_dims: axis", axis, x.ndim + 1, x.shape)
    return reshape(x, x.shape[:axis] + (1,) + x.shape[axis:])


@of_tensors
def squeeze(x: Tensor, axis: int) -> Tensor:
    """x without its axis `axis`, which must have size 1.

    Raises:
        NotTensorError: x is not a tensor.
        ValueError: x has no such axis, or its size is not 1.
    """
    axis = whole_axis("squeeze: axis", axis, x.ndim, x.shape)
    if x.shape[axis] != 1:
        raise ValueError(f"squeeze: axis {axis} of a tensor of shape {x.shape} does not have "
                         f"size 1")
    return reshape(x, dropped(x, (axis,)))


def _transpose_rule(gy: Tensor, y: Tensor, x: Tensor, axes: Shape) -> Tensor:
    """Every axis goes back to where it was."""
    back = tuple([axes.index(i) for i in range(len(axes))])
    return _transpose(gy, axes=back)


@op(_transpose_rule, view=True)
def _transpose(xp: Backend, x: Array, axes: Shape) -> Array:
    return x.transpose(axes)


@core
@of_tensors
def transpose(x: Tensor, axes: Shape | None = None) -> Tensor:
    """Axes in another order; reversed if `axes` is left out.

    axes: where each axis of the result comes from, as in NumPy: (N, H, W, C) becomes (N, C, H, W)
    by (0, 3, 1, 2).

    Raises:
        TypeError: x is not a tensor, or axes is not a tuple of ints.
        ShapesError: the axes are not each axis of x once.
    """
    if axes is None:
        return _transpose(x, axes=tuple(range(x.ndim))[::-1])
    checks.check_ints("transpose: axes", axes, x.ndim)
    return _transpose(x, axes=tuple([a + x.ndim if a < 0 else a for a in axes]))


# ---------------------------------------------------------------- picking, and putting back

# An index made of slices picks an element at most once, and the result is a view. An index with
# arrays may pick one several times, and its adjoint has to add. So there are two ops.

@op(lambda gy, y, x, index: _scatter_add(gy, index=index, shape=x.shape, repeats=False), view=True,
    public="getitem")
def _slice(xp: Backend, x: Array, index: Any) -> Array:
    return x[index]


@op(lambda gy, y, x, index: _scatter_add(gy, index=index, shape=x.shape, repeats=True),
    public="getitem")
def _gather(xp: Backend, x: Array, index: Any) -> Array:
    return x[index]


def _scatter_add_rule(gy: Tensor, y: Tensor, values: Tensor, index: Any, shape: Shape,
                      repeats: bool) -> Tensor:
    if repeats:
        return _gather(gy, index=index)
    return _slice(gy, index=index)


@op(_scatter_add_rule)
def _scatter_add(xp: Backend, values: Array, index: Any, shape: Shape, repeats: bool
                 ) -> Array:
    return xp.put_add(shape, index, values, repeats)


@core
def getitem(x: Tensor, index: Any) -> Tensor:
    """x[index] as in NumPy.

    index: ints, slices, None, Ellipsis, integer or boolean arrays on x's device, or a tuple of
    those. Arrays are copied, so they may be overwritten later.

    Raises:
        NotTensorError: x is not a tensor.
        TypeError: the index is made of something else.
        ShapesError: it points outside x, or has too many entries.
    """
    if not isinstance(x, Tensor):
        raise NotTensorError("getitem", "x", x)
    index, has_arrays = backend_of(x.data).constant_index(index)
    if has_arrays:
        return _gather(x, index=index)
    return _slice(x, index=index)


@of_tensors
def scatter_add(values: Tensor, index: Any, shape: Shape) -> Tensor:
    """Zeros of `shape` with values added at index, repeats summed: the adjoint of `getitem`.

    values: of the shape that zeros(shape)[index] has. index: as in `getitem`. Of booleans and
    integers the result is int64, as that of `sum`.

    Raises:
        TypeError: values are not a tensor, or the index is made of something else.
        ValueError: shape is not a tuple of whole numbers.
        ShapesError: the index points outside the shape, or picks another number of elements.
    """
    values = widened(values)
    xp = backend_of(values.data)
    index, has_arrays = xp.constant_index(index)
    checks.check_sizes("scatter_add: shape", shape)
    try:
        picked = xp.zeros(shape, "bool")[index].shape
    except IndexError as error:
        raise ShapesError("scatter_add", error, (values,), {"shape": shape}) from error
    if picked != values.shape:
        raise ShapesError("scatter_add", f"the index picks places of shape {picked}", (values,),
                          {"shape": shape})
    return _scatter_add(values, index=index, shape=tuple(shape), repeats=has_arrays)


@of_tensors
def embedding(ids: Any, table: Tensor) -> Tensor:
    """Rows of a table: ids (...) integers from 0 to K - 1, table (K, D) -> (..., D).

    ids: an array or a tensor. Values are checked on the host only, on each replay of a recorded
    step, too.

    Raises:
        NotTensorError: the table is not a tensor.
        TypeError: ids are not integers.
        ValueError: the table is not (K, D), or an id is below 0 or above K - 1.
    """
    if table.ndim != 2:
        raise ValueError(f"embedding: table must be (K, D), a row for each id, got {table.shape}")
    rows = ids.data if isinstance(ids, Tensor) else ids
    check_ids("embedding: ids", rows, table.shape[0])
    return getitem(table, rows)


def check_ids(what: str, ids: Any, count: int) -> None:
    """Check that ids are an array of integers from 0 to count - 1, and check again in each replay.

    Raises:
        TypeError, ValueError: they are not, see `checks.check_ids`.
    """
    checks.check_ids(what, ids, count)
    backend_of(ids).recheck(lambda array: checks.check_ids(what, array, count), ids, count)


# ---------------------------------------------------------------- joining

def _concatenate_rule(gy: Tensor, y: Tensor, *tensors: Tensor, axis: int,
                      wanted: tuple[bool, ...]) -> tuple[Tensor | None, ...]:
    """To each tensor the piece of gy that lies where it lies in y."""
    before = (slice(None),) * axis
    gradients = []
    start = 0
    for x, want in zip(tensors, wanted):
        stop = start + x.shape[axis]
        piece = (*before, slice(start, stop))
        gradients.append(gy[piece] if want else None)
        start = stop
    return tuple(gradients)


@op(joint=_concatenate_rule)
def _concatenate(xp: Backend, *arrays: Array, axis: int) -> Array:
    return xp.concatenate(arrays, axis=axis)


def concatenate(tensors: Sequence[Tensor], axis: int = 0) -> Tensor:
    """Tensors one after another along an existing axis; all other sizes must agree.

    Raises:
        ValueError: tensors is not a list or tuple of one or more, or their sizes do not agree, or
            they have no such axis.
        NotTensorError: one of them is not a tensor.
    """
    _check_several("concatenate", tensors)
    first = tensors[0]
    axis = whole_axis("concatenate: axis", axis, first.ndim, first.shape)
    for x in tensors[1:]:
        if x.ndim != first.ndim or dropped(x, (axis,)) != dropped(first, (axis,)):
            raise ValueError(f"concatenate: tensors of shapes {first.shape} and {x.shape} do not "
                             f"agree in all axes but {axis}")
    return _concatenate(*tensors, axis=axis)


def stack(tensors: Sequence[Tensor], axis: int = 0) -> Tensor:
    """Tensors of one shape along a new axis, before `axis` (counted in the result).

    Raises:
        ValueError: tensors is not a list or tuple of one or more, or they have several shapes, or
            the result has no such axis.
        NotTensorError: one of them is not a tensor.
    """
    _check_several("stack", tensors)
    if len({t.shape for t in tensors}) != 1:
        raise ValueError(f"stack: tensors must be one or more of one shape, got the shapes "
                         f"{[t.shape for t in tensors]}")
    axis = whole_axis("stack: axis", axis, tensors[0].ndim + 1, tensors[0].shape)
    return concatenate([expand_dims(t, axis) for t in tensors], axis)


def _check_several(function: str, tensors: Any) -> None:
    """Raise unless `tensors` is a list or tuple of tensors, not an empty one."""
    if isinstance(tensors, Tensor) or not isinstance(tensors, (list, tuple)) or not tensors:
        raise ValueError(f"{function}: tensors must be a list or tuple of at least one tensor, got "
                         f"{shown(tensors)}")
    for i, x in enumerate(tensors):
        check_tensors(function, **{f"tensors[{i}]": x})


@of_tensors
def pack(x: Tensor, m: int) -> Tensor:
    """m samples as one, channel beside channel: (N, ..., C) -> (N / m, ..., m C).

    Source: PacGAN, Lin et al. 2018, "PacGAN: the power of two samples in generative adversarial
    networks", section 2: D judges m real or m generated samples at once, D(pack(x, m)), so it sees
    when they are too much alike. D is built for m times the channels; nothing else changes.

    Raises:
        NotTensorError: x is not a tensor.
        ValueError: N is not a multiple of m, or m is not a whole number of 1 or more.
    """
    if x.ndim < 2 or not is_whole(m) or m < 1 or x.shape[0] % m:
        raise ValueError(f"pack: x must be (N, ..., C) with N a multiple of m, which is 1 or more, "
                         f"got {x.shape} and {m!r}")
    n, *middle, c = x.shape
    rows = reshape(x, (n // m, m, *middle, c))                        # (N / m, m, ..., C)
    beside = transpose(rows, (0, *range(2, x.ndim), 1, x.ndim))       # (N / m, ..., m, C)
    return reshape(beside, (n // m, *middle, m * c))                  # (N / m, ..., m C)


# ---------------------------------------------------------------- larger ones

@of_tensors
def pad(x: Tensor, widths: Sequence[tuple[int, int]], value: float = 0.0) -> Tensor:
    """x with `widths[i]` = (before, after) constant elements added along axis i.

    Raises:
        NotTensorError: x is not a tensor.
        ValueError: widths is not a pair of whole numbers, 0 or more, for each axis.
        TypeError: value is not a number.
    """
    checks.check_widths("pad: widths", widths, x.shape)
    checks.check_number("pad: value", value)

    shape = tuple([before + n + after for n, (before, after) in zip(x.shape, widths)])
    inside = tuple([slice(before, before + n) for n, (before, _) in zip(x.shape, widths)])
    padded = scatter_add(x, inside, shape)
    if x.dtype.kind != "f":
        padded = padded.astype(x.dtype)  # nothing was summed
    if not value:
        return padded

    ones = Tensor(backend_of(x.data).ones(x.shape, bool))
    is_inside = scatter_add(ones, inside, shape).astype(bool)
    return where(is_inside, padded, value)


@of_tensors
def upsample_nearest(x: Tensor, scale: int = 2) -> Tensor:
    """Every pixel repeated: (N, H, W, C) -> (N, H * scale, W * scale, C).

    Raises:
        NotTensorError: x is not a tensor.
        ValueError: x is not (N, H, W, C), or scale is not a whole number of 1 or more.
    """
    checks.check_images("upsample_nearest: x", x.shape)
    scale = checks.whole("upsample_nearest: scale", scale)
    n, h, w, c = x.shape
    pixels = reshape(x, (n, h, 1, w, 1, c))
    repeated = broadcast_to(pixels, (n, h, scale, w, scale, c))
    return reshape(repeated, (n, h * scale, w * scale, c))

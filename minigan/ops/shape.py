"""Functions that move elements: every one is linear, and its rule is its adjoint."""

from __future__ import annotations

from typing import Any, Sequence

from minigan import errors
from minigan.backend import Array, Backend, backend_of
from minigan.engine import Tensor, core, op
from minigan.ops.arithmetic import widened
from minigan.ops.elementwise import where

# ---------------------------------------------------------------- other shapes


@op(lambda gy, y, x, shape: gy, broadcasts=True, view=True)
def _broadcast_to(xp: Backend, x: Array, shape: tuple[int, ...]) -> Array:
    return xp.broadcast_to(x, shape)


def broadcast_to(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """x repeated, without copying, to `shape`."""
    if not isinstance(shape, tuple):
        errors.check_sizes("broadcast_to: shape", shape)
    return x if x.data.shape == shape else _broadcast_to(x, shape=tuple(shape))


@op(lambda gy, y, x, shape: reshape(gy, x.shape), view=True)
def _reshape(xp: Backend, x: Array, shape: int | tuple[int, ...]) -> Array:
    return x.reshape(shape)


@core
def reshape(x: Tensor, shape: int | tuple[int, ...]) -> Tensor:
    """The same elements, in C order, in another shape; one size may be -1."""
    if isinstance(x, Tensor) and x.data.shape == shape:
        return x
    y = _reshape(x, shape=shape)
    if y.data.shape != shape:  # a size was left to NumPy, which takes any negative number for that
        errors.check_sizes("reshape: shape", (shape,) if errors.is_whole(shape) else shape, -1)
    return y


def _transpose_rule(gy: Tensor, y: Tensor, x: Tensor, axes: tuple[int, ...]) -> Tensor:
    """Every axis back to where it was."""
    back = tuple([axes.index(i) for i in range(len(axes))])
    return _transpose(gy, axes=back)


@op(_transpose_rule, view=True)
def _transpose(xp: Backend, x: Array, axes: tuple[int, ...]) -> Array:
    return x.transpose(axes)


@core
def transpose(x: Tensor, axes: tuple[int, ...] | None = None) -> Tensor:
    """Axes in another order; reversed if `axes` is left out."""
    errors.check_tensors("transpose", x=x)
    if axes is None:
        return _transpose(x, axes=tuple(range(x.ndim))[::-1])
    if not isinstance(axes, (tuple, list)) or not all(map(errors.is_whole, axes)):
        raise TypeError(f"transpose: axes must be a tuple of {x.ndim} ints, got "
                        f"{errors.shown(axes)}")
    return _transpose(x, axes=tuple(a + x.ndim if a < 0 else a for a in axes))


# ---------------------------------------------------------------- picking, and putting back

# Two ops, one for indices made of slices, one for arrays, as the second may pick an element twice.

def _slice_rule(gy: Tensor, y: Tensor, x: Tensor, index: Any) -> Tensor:
    return _scatter_add(gy, index=index, shape=x.shape, repeats=False)


@op(_slice_rule, view=True, public="getitem")
def _slice(xp: Backend, x: Array, index: Any) -> Array:
    return x[index]


def _gather_rule(gy: Tensor, y: Tensor, x: Tensor, index: Any) -> Tensor:
    return _scatter_add(gy, index=index, shape=x.shape, repeats=True)


@op(_gather_rule, public="getitem")
def _gather(xp: Backend, x: Array, index: Any) -> Array:
    return x[index]


def _scatter_add_rule(gy: Tensor, y: Tensor, values: Tensor, index: Any, shape: tuple[int, ...],
                      repeats: bool) -> Tensor:
    return _gather(gy, index=index) if repeats else _slice(gy, index=index)


@op(_scatter_add_rule)
def _scatter_add(xp: Backend, values: Array, index: Any, shape: tuple[int, ...], repeats: bool
                 ) -> Array:
    return xp.put_add(shape, index, values, repeats)


@core
def getitem(x: Tensor, index: Any) -> Tensor:
    """x[index] as in NumPy: ints, slices, None, Ellipsis, integer or boolean arrays."""
    index, arrays = backend_of(x.data).constant_index(index)
    return _gather(x, index=index) if arrays else _slice(x, index=index)


def scatter_add(values: Tensor, index: Any, shape: tuple[int, ...]) -> Tensor:
    """Zeros of `shape` with values added at index, repeats summed: the adjoint of getitem.

    Of booleans and integers the result is int64, as that of `sum`.
    """
    errors.check_tensors("scatter_add", values=values)
    values = widened(values)
    index, arrays = backend_of(values.data).constant_index(index)
    errors.check_places(index, shape, values, backend_of(values.data).zeros)
    return _scatter_add(values, index=index, shape=tuple(shape), repeats=arrays)


# ---------------------------------------------------------------- made of those


def _one_axis(function: str, axis: Any, ndim: int, x: Tensor) -> int:
    """An axis, counted from the front, of a tensor that has ndim of them: x or what it becomes."""
    if not errors.is_whole(axis) or not -ndim <= axis < ndim:
        among = f"from {-ndim} to {ndim - 1}" if ndim else "of which there is none"
        raise ValueError(f"{function}: axis must be an int, {among}, got {errors.shown(axis)} for "
                         f"a tensor of shape {x.shape}")
    return int(axis) % ndim


def _several(function: str, tensors: Any) -> None:
    """Raise unless `tensors` is a list or tuple of tensors, not an empty one."""
    if isinstance(tensors, Tensor) or not isinstance(tensors, (list, tuple)) or not tensors:
        raise ValueError(f"{function}: tensors must be a list or tuple of at least one tensor, got "
                         f"{errors.shown(tensors)}")
    for i, x in enumerate(tensors):
        errors.check_tensors(function, **{f"tensors[{i}]": x})


def expand_dims(x: Tensor, axis: int) -> Tensor:
    """x with a new axis of size 1 before `axis` (counted in the result)."""
    errors.check_tensors("expand_dims", x=x)
    axis = _one_axis("expand_dims", axis, x.ndim + 1, x)
    return reshape(x, x.shape[:axis] + (1,) + x.shape[axis:])


def squeeze(x: Tensor, axis: int) -> Tensor:
    """x without its axis `axis`, which must have size 1."""
    errors.check_tensors("squeeze", x=x)
    axis = _one_axis("squeeze", axis, x.ndim, x)
    if x.shape[axis] != 1:
        raise ValueError(f"squeeze: axis {axis} of a tensor of shape {x.shape} has not size 1")
    return reshape(x, x.shape[:axis] + x.shape[axis + 1:])


def _concatenate_rule(gy: Tensor, y: Tensor, *parts: Tensor, axis: int,
                      wanted: tuple[bool, ...]) -> tuple[Tensor | None, ...]:
    gradients, start = [], 0
    for part, want in zip(parts, wanted):
        stop = start + part.shape[axis]
        gradients.append(gy[(slice(None),) * axis + (slice(start, stop),)] if want else None)
        start = stop
    return tuple(gradients)


@op(joint=_concatenate_rule)
def _concatenate(xp, *parts, axis):
    return xp.concatenate(parts, axis=axis)


def concatenate(tensors: Sequence[Tensor], axis: int = 0) -> Tensor:
    """Tensors one after another along an existing axis; all other sizes must agree."""
    _several("concatenate", tensors)
    first = tensors[0]
    axis = _one_axis("concatenate", axis, first.ndim, first)
    for x in tensors[1:]:
        if x.ndim != first.ndim or any(n != m for i, (n, m) in enumerate(zip(x.shape, first.shape))
                                       if i != axis):
            raise ValueError(f"concatenate: tensors of shapes {first.shape} and {x.shape} do not "
                             f"agree in all axes but {axis}")
    return _concatenate(*tensors, axis=axis)


def stack(tensors: Sequence[Tensor], axis: int = 0) -> Tensor:
    """Tensors of one shape along a new axis."""
    _several("stack", tensors)
    if len({t.shape for t in tensors}) != 1:
        raise ValueError(f"stack: tensors must be one or more of one shape, got the shapes "
                         f"{[t.shape for t in tensors]}")
    axis = _one_axis("stack", axis, tensors[0].ndim + 1, tensors[0])
    return concatenate([expand_dims(t, axis) for t in tensors], axis)


def pad(x: Tensor, widths: Sequence[tuple[int, int]], value: float = 0.0) -> Tensor:
    """x with `widths[i]` = (before, after) constant elements added along axis i."""
    errors.check_tensors("pad", x=x)
    if not isinstance(widths, (tuple, list)) or len(widths) != x.ndim or not all(map(_is_pair,
                                                                                     widths)):
        raise ValueError(f"pad: widths must be {x.ndim} pairs of ints, 0 or more, for a tensor of "
                         f"shape {x.shape}, got {errors.shown(widths)}")
    if not errors.is_number(value):
        raise TypeError(f"pad: value must be a number, got {errors.shown(value)}")
    shape = tuple(before + n + after for n, (before, after) in zip(x.shape, widths))
    inside = tuple(slice(before, before + n) for n, (before, _) in zip(x.shape, widths))
    padded = scatter_add(x, inside, shape)
    if x.dtype.kind != "f":
        padded = padded.astype(x.dtype)  # nothing was summed
    if not value:
        return padded
    ones = Tensor(backend_of(x.data).ones(x.shape, bool))
    is_inside = scatter_add(ones, inside, shape).astype(bool)
    return where(is_inside, padded, value)


def _is_pair(widths: Any) -> bool:
    return isinstance(widths, (tuple, list)) and len(widths) == 2 and all(
        errors.is_whole(n) and n >= 0 for n in widths)


def check_ids(what: str, ids: Any, count: int) -> None:
    """Raise unless ids are an array of integers from 0 to count - 1; in every replay anew.

    See `errors.check_ids`.
    """
    errors.check_ids(what, ids, count)
    backend_of(ids).recheck(lambda array: errors.check_ids(what, array, count), ids, count)


def embedding(ids: Any, table: Tensor) -> Tensor:
    """Rows of a table: ids (...) integers from 0 to K - 1, table (K, D) -> (..., D)."""
    errors.check_tensors("embedding", table=table)
    if table.ndim != 2:
        raise ValueError(f"embedding: table must be (K, D), a row for each id, got {table.shape}")
    data = ids.data if isinstance(ids, Tensor) else ids
    check_ids("embedding: ids", data, table.shape[0])
    return getitem(table, data)


def pack(x: Tensor, m: int) -> Tensor:
    """m samples as one, channel beside channel: (N, ..., C) -> (N / m, ..., m C).

    Source: PacGAN, Lin et al. 2018, "PacGAN: the power of two samples in generative adversarial
    networks", section 2: D judges m real or m generated samples at once, D(pack(x, m)), so it sees
    when they are too much alike. D is built for m times the channels; nothing else changes.
    """
    errors.check_tensors("pack", x=x)
    if x.ndim < 2 or not errors.is_whole(m) or m < 1 or x.shape[0] % m:
        raise ValueError(f"pack: x must be (N, ..., C) with N a multiple of m, which is 1 or more, "
                         f"got {x.shape} and {m!r}")
    n, *middle, c = x.shape
    rows = reshape(x, (n // m, m, *middle, c))
    beside = transpose(rows, (0, *range(2, x.ndim), 1, x.ndim))      # (N / m, ..., m, C)
    return reshape(beside, (n // m, *middle, m * c))


def upsample_nearest(x: Tensor, scale: int = 2) -> Tensor:
    """Every pixel repeated: (N, H, W, C) -> (N, H * scale, W * scale, C)."""
    errors.check_tensors("upsample_nearest", x=x)
    if x.ndim != 4 or not errors.is_whole(scale) or scale < 1:
        raise ValueError(f"upsample_nearest: x must be (N, H, W, C) and scale an int of 1 or more, "
                         f"got {x.shape} and {scale!r}")
    n, h, w, c = x.shape
    repeated = broadcast_to(reshape(x, (n, h, 1, w, 1, c)), (n, h, scale, w, scale, c))
    return reshape(repeated, (n, h * scale, w * scale, c))

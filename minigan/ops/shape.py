"""Functions that move elements: every one is linear, and its rule is its adjoint."""

from __future__ import annotations

from typing import Any, Sequence

from minigan.backend import of
from minigan.engine import (Tensor, broadcast_to, check_ids, getitem, op, reshape, scatter_add,
                            transpose)
from minigan.ops.elementwise import where


def _positive(axis: int, ndim: int) -> int:
    if not -ndim <= axis < ndim:
        raise ValueError(f"axis {axis} does not fit a tensor with {ndim} axes")
    return axis % ndim


def expand_dims(x: Tensor, axis: int) -> Tensor:
    """x with a new axis of size 1 before `axis` (counted in the result)."""
    axis = _positive(axis, x.ndim + 1)
    return reshape(x, x.shape[:axis] + (1,) + x.shape[axis:])


def squeeze(x: Tensor, axis: int) -> Tensor:
    """x without its axis `axis`, which must have size 1."""
    axis = _positive(axis, x.ndim)
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
    if not tensors:
        raise ValueError("concatenate: tensors must hold at least one tensor")
    return _concatenate(*tensors, axis=_positive(axis, tensors[0].ndim))


def stack(tensors: Sequence[Tensor], axis: int = 0) -> Tensor:
    """Tensors of one shape along a new axis."""
    if len({t.shape for t in tensors}) != 1:
        raise ValueError(f"stack: tensors must be one or more of one shape, got the shapes "
                         f"{[t.shape for t in tensors]}")
    return concatenate([expand_dims(t, axis) for t in tensors], axis)


def pad(x: Tensor, widths: Sequence[tuple[int, int]], value: float = 0.0) -> Tensor:
    """x with `widths[i]` = (before, after) constant elements added along axis i."""
    if len(widths) != x.ndim or any(before < 0 or after < 0 for before, after in widths):
        raise ValueError(f"pad: widths must be {x.ndim} pairs of ints, 0 or more, for a tensor of "
                         f"shape {x.shape}, got {widths!r}")
    shape = tuple(before + n + after for n, (before, after) in zip(x.shape, widths))
    inside = tuple(slice(before, before + n) for n, (before, _) in zip(x.shape, widths))
    padded = scatter_add(x, inside, shape)
    if x.dtype.kind != "f":
        padded = padded.astype(x.dtype)  # nothing was summed
    if not value:
        return padded
    is_inside = scatter_add(Tensor(of(x.data).ones(x.shape, bool)), inside, shape)
    return where(is_inside, padded, value)


def embedding(ids: Any, table: Tensor) -> Tensor:
    """Rows of a table: ids (...) integers from 0 to K - 1, table (K, D) -> (..., D)."""
    data = ids.data if isinstance(ids, Tensor) else ids
    check_ids("embedding: ids", data, table.shape[0])
    return getitem(table, data)


def pack(x: Tensor, m: int) -> Tensor:
    """m samples as one, channel beside channel: (N, ..., C) -> (N / m, ..., m C).

    Source: PacGAN, Lin et al. 2018, "PacGAN: the power of two samples in generative adversarial
    networks", section 2: D judges m real or m generated samples at once, D(pack(x, m)), so it sees
    when they are too much alike. D is built for m times the channels; nothing else changes.
    """
    if x.ndim < 2 or not isinstance(m, int) or m < 1 or x.shape[0] % m:
        raise ValueError(f"pack: x must be (N, ..., C) with N a multiple of m, which is 1 or more, "
                         f"got {x.shape} and {m!r}")
    n, *middle, c = x.shape
    rows = reshape(x, (n // m, m, *middle, c))
    beside = transpose(rows, (0, *range(2, x.ndim), 1, x.ndim))      # (N / m, ..., m, C)
    return reshape(beside, (n // m, *middle, m * c))


def upsample_nearest(x: Tensor, scale: int = 2) -> Tensor:
    """Every pixel repeated: (N, H, W, C) -> (N, H * scale, W * scale, C)."""
    if x.ndim != 4 or not isinstance(scale, int) or scale < 1:
        raise ValueError(f"upsample_nearest: x must be (N, H, W, C) and scale an int of 1 or more, "
                         f"got {x.shape} and {scale!r}")
    n, h, w, c = x.shape
    repeated = broadcast_to(reshape(x, (n, h, 1, w, 1, c)), (n, h, scale, w, scale, c))
    return reshape(repeated, (n, h * scale, w * scale, c))

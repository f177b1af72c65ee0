"""The geometry of a convolution: sizes, stride, padding and dilation, computed once and frozen.

The three functions of the convolution family share one `Geometry`, always that of the *forward*
convolution: `in_size` is where the kernel slides, `out_size` how many places it stops at. So no
rule of differentiation contains any padding algebra.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Sequence

Pair = tuple[int, int]


@dataclass(frozen=True)
class Geometry:
    """Sizes are (height, width); `pads` is ((top, bottom), (left, right))."""

    in_size: Pair
    kernel: Pair
    stride: Pair
    pads: tuple[Pair, Pair]
    dilation: Pair
    out_size: Pair


def pair(name: str, value: Any, least: int) -> Pair:
    """An int, or two of them, as a pair; `least` is the smallest value that makes sense."""
    values = (value, value) if isinstance(value, int) else value
    if (not isinstance(values, Sequence) or isinstance(values, str) or len(values) != 2
            or not all(isinstance(v, int) and v >= least for v in values)):
        raise ValueError(f"{name} must be an int or two ints, each {least} or more, got {value!r}")
    return values[0], values[1]


def _pads(op: str, padding: Any) -> tuple[Pair, Pair]:
    """`padding` of a convolution as ((top, bottom), (left, right))."""
    if isinstance(padding, Sequence) and not isinstance(padding, str) and len(padding) == 2 and all(
            isinstance(p, Sequence) and not isinstance(p, str) for p in padding):
        return (pair(f"{op}: padding", padding[0], 0), pair(f"{op}: padding", padding[1], 0))
    try:
        vertical, horizontal = pair(f"{op}: padding", padding, 0)
    except ValueError:
        raise ValueError(f"{op}: padding must be an int, a pair, ((top, bottom), (left, right)) or "
                         f"'same', nothing negative, got {padding!r}") from None
    return (vertical, vertical), (horizontal, horizontal)


def check_padding(op: str, padding: Any) -> None:
    """Raise a ValueError unless `padding` is one that a convolution can have."""
    if not (isinstance(padding, str) and padding == "same"):
        _pads(op, padding)


def conv_geometry(op: str, in_size: Pair, kernel: Pair, stride: Any, padding: Any,
                  dilation: Any) -> Geometry:
    """The geometry of a convolution over `in_size` = (H, W).

    OH = floor((H + top + bottom - dilation * (KH - 1) - 1) / stride) + 1, likewise OW.
    "same" gives OH = ceil(H / stride) and puts an odd pad at the bottom and the right, as Keras.
    """
    stride, dilation = pair(f"{op}: stride", stride, 1), pair(f"{op}: dilation", dilation, 1)
    reach = tuple(d * (k - 1) + 1 for d, k in zip(dilation, kernel))
    if isinstance(padding, str) and padding == "same":
        out_size = tuple(-(-size // s) for size, s in zip(in_size, stride))
        extra = [max((o - 1) * s + r - size, 0)
                 for o, s, r, size in zip(out_size, stride, reach, in_size)]
        (high, wide) = extra
        pads = (high // 2, high - high // 2), (wide // 2, wide - wide // 2)
    else:
        pads = _pads(op, padding)
        out_size = tuple((size + before + after - r) // s + 1 for size, (before, after), r, s
                         in zip(in_size, pads, reach, stride))
    if min(out_size) < 1:
        raise ValueError(f"{op}: a kernel of {kernel} (dilation {dilation}) does not fit into "
                         f"images of {in_size} with padding {padding!r}; images are (N, H, W, C); "
                         f"for (N, C, H, W) use transpose(0, 2, 3, 1)")
    return Geometry(in_size, kernel, stride, pads, dilation, out_size)


def transpose_geometry(op: str, out_size: Pair, kernel: Pair, stride: Any, padding: Any,
                       output_padding: Any, dilation: Any) -> Geometry:
    """The geometry of the convolution whose transpose takes `out_size` = (H, W) as its input.

    Result size: (H - 1) * stride - top - bottom + dilation * (KH - 1) + output_padding + 1;
    "same" makes it H * stride, as Keras.
    """
    stride, dilation = pair(f"{op}: stride", stride, 1), pair(f"{op}: dilation", dilation, 1)
    more = pair(f"{op}: output_padding", output_padding, 0)
    if isinstance(padding, str) and padding == "same":
        if more != (0, 0):
            raise ValueError(f"{op}: output_padding {output_padding!r} has no meaning with "
                             f"padding='same', which fixes the size at {stride} times {out_size}")
        in_size = (out_size[0] * stride[0], out_size[1] * stride[1])
        return conv_geometry(op, in_size, kernel, stride, "same", dilation)
    if any(m >= max(s, d) for m, s, d in zip(more, stride, dilation)):
        raise ValueError(f"{op}: output_padding {output_padding!r} must be smaller than the stride "
                         f"{stride} or the dilation {dilation}")
    pads = _pads(op, padding)
    in_size = tuple((o - 1) * s - sum(p) + d * (k - 1) + m + 1 for o, s, p, d, k, m
                    in zip(out_size, stride, pads, dilation, kernel, more))
    if min(in_size) < 1:
        raise ValueError(f"{op}: images of {out_size} with kernel {kernel}, stride {stride} and "
                         f"padding {padding!r} would give an image of {in_size}")
    return Geometry(in_size, kernel, stride, pads, dilation, out_size)

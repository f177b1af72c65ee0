"""The geometry of a convolution: sizes, stride, padding and dilation, computed once and frozen.

The three functions of the convolution family share one `Geometry`, always that of the *forward*
convolution: `in_size` is where the kernel slides, `out_size` how many places it stops at. So no
rule of differentiation contains any padding algebra.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Sequence

Pair = tuple[int, int]
Sizes = tuple[int, ...]  # a pair, cut from a shape: (height, width)
Size = int | Pair        # as people give it: for both directions, or (height, width)
Padding = str | int | Pair | tuple[Pair, Pair]  # "same", or zeros on all sides, see `conv_geometry`


@dataclass(frozen=True)
class Geometry:
    """Sizes are (height, width); `pads` is ((top, bottom), (left, right))."""

    in_size: Pair
    kernel: Pair
    stride: Pair
    pads: tuple[Pair, Pair]
    dilation: Pair
    out_size: Pair


def conv_geometry(op: str, in_size: Sizes, kernel: Sizes, stride: Any, padding: Any,
                  dilation: Any) -> Geometry:
    """The geometry of a convolution over images of `in_size` = (H, W).

    OH = floor((H + top + bottom - dilation * (KH - 1) - 1) / stride) + 1, and OW likewise.

    op: the function that asks, for messages. kernel: (KH, KW).
    stride, dilation: an int of 1 or more, or a pair of them, (vertical, horizontal).
    padding: an int of 0 or more, a pair, ((top, bottom), (left, right)), or "same", which gives
    OH = ceil(H / stride) and puts an odd pad at the bottom and the right, as Keras does.

    Raises:
        ValueError: a setting is something else, or the kernel does not fit into the padded images.
    """
    stride = pair(f"{op}: stride", stride, 1)
    dilation = pair(f"{op}: dilation", dilation, 1)
    if _is_same(padding):
        axes = [_same_axis(*sizes) for sizes in zip(in_size, kernel, stride, dilation)]
        (oh, vertical), (ow, horizontal) = axes
    else:
        vertical, horizontal = _pads(op, padding)
        oh = _stops(in_size[0], vertical, _reach(kernel[0], dilation[0]), stride[0])
        ow = _stops(in_size[1], horizontal, _reach(kernel[1], dilation[1]), stride[1])

    if min(oh, ow) < 1:
        raise ValueError(f"{op}: a kernel of {kernel} (dilation {dilation}) does not fit into "
                         f"images of {in_size} with padding {padding!r}; images are (N, H, W, C); "
                         f"for (N, C, H, W) use transpose(0, 2, 3, 1)")
    return Geometry(_both(in_size), _both(kernel), stride, (vertical, horizontal), dilation,
                    (oh, ow))


def transpose_geometry(op: str, out_size: Sizes, kernel: Sizes, stride: Any, padding: Any,
                       output_padding: Any, dilation: Any) -> Geometry:
    """The geometry of the convolution whose transpose takes images of `out_size` = (H, W).

    Its result has (H - 1) * stride - top - bottom + dilation * (KH - 1) + output_padding + 1 rows;
    with "same" it has H * stride, as in Keras.

    output_padding: an int of 0 or more, or a pair, below the stride or the dilation: which of the
    sizes that the convolution maps to (H, W). The other settings are those of `conv_geometry`.

    Raises:
        ValueError: a setting is something else, or the result would have no pixels.
    """
    stride = pair(f"{op}: stride", stride, 1)
    dilation = pair(f"{op}: dilation", dilation, 1)
    more = pair(f"{op}: output_padding", output_padding, 0)
    if _is_same(padding):
        if more != (0, 0):
            raise ValueError(f"{op}: output_padding {output_padding!r} has no meaning with "
                             f"padding='same', which fixes the size at {stride} times {out_size}")
        in_size = (out_size[0] * stride[0], out_size[1] * stride[1])
        return conv_geometry(op, in_size, kernel, stride, "same", dilation)

    if any(m >= max(s, d) for m, s, d in zip(more, stride, dilation)):
        raise ValueError(f"{op}: output_padding {output_padding!r} must be smaller than the stride "
                         f"{stride} or the dilation {dilation}")
    pads = _pads(op, padding)
    axes = zip(out_size, pads, kernel, stride, dilation, more)
    h, w = [_size_before(*axis) for axis in axes]
    if min(h, w) < 1:
        raise ValueError(f"{op}: images of {out_size} with kernel {kernel}, stride {stride} and "
                         f"padding {padding!r} would give an image of {(h, w)}")
    return Geometry((h, w), _both(kernel), stride, pads, dilation, _both(out_size))


def pool_geometry(op: str, in_size: Sizes, size: Any, stride: Any) -> Geometry:
    """The geometry of windows over images of `in_size` = (H, W), without padding.

    size, stride: an int of 1 or more, or a pair of them; stride is `size` if it is None.

    Raises:
        ValueError: a setting is something else, or no window fits into the images.
    """
    kernel = pair(f"{op}: size", size, 1)
    if stride is None:
        stride = kernel
    return conv_geometry(op, in_size, kernel, stride, 0, 1)


def pair(name: str, value: Any, least: int) -> Pair:
    """An int, or two of them, as a pair; `least` is the smallest value that makes sense.

    Raises:
        ValueError: it is something else; `name` says which argument.
    """
    values = (value, value) if isinstance(value, int) else value
    if not _is_sequence(values) or len(values) != 2 or not all(
            isinstance(v, int) and v >= least for v in values):
        raise ValueError(f"{name} must be an int or two ints, each {least} or more, got {value!r}")
    return _both(values)


def check_padding(op: str, padding: Any) -> None:
    """Check that `padding` is one that a convolution can have.

    Raises:
        ValueError: it is not.
    """
    if not _is_same(padding):
        _pads(op, padding)


def _pads(op: str, padding: Any) -> tuple[Pair, Pair]:
    """`padding` of a convolution as ((top, bottom), (left, right))."""
    name = f"{op}: padding"
    if _is_sequence(padding) and len(padding) == 2 and all(map(_is_sequence, padding)):
        return pair(name, padding[0], 0), pair(name, padding[1], 0)
    try:
        vertical, horizontal = pair(name, padding, 0)
    except ValueError:
        raise ValueError(f"{name} must be an int, a pair, ((top, bottom), (left, right)) or "
                         f"'same', nothing negative, got {padding!r}") from None
    return (vertical, vertical), (horizontal, horizontal)


def _same_axis(size: int, kernel: int, stride: int, dilation: int) -> tuple[int, Pair]:
    """How many places a kernel stops at along an axis with padding "same", and that padding."""
    stops = -(-size // stride)  # rounded up
    extra = max((stops - 1) * stride + _reach(kernel, dilation) - size, 0)
    return stops, (extra // 2, extra - extra // 2)


def _stops(size: int, pads: Pair, reach: int, stride: int) -> int:
    """How many places a kernel stops at along an axis."""
    return (size + sum(pads) - reach) // stride + 1


def _size_before(stops: int, pads: Pair, kernel: int, stride: int, dilation: int, more: int) -> int:
    """The size of an axis on which a kernel stops at so many places, with `more` left over."""
    return (stops - 1) * stride - sum(pads) + _reach(kernel, dilation) + more


def _reach(kernel: int, dilation: int) -> int:
    """How many pixels a kernel covers along an axis, gaps included."""
    return dilation * (kernel - 1) + 1


def _is_same(padding: Any) -> bool:
    return isinstance(padding, str) and padding == "same"


def _is_sequence(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _both(sizes: Sequence[int]) -> Pair:
    return sizes[0], sizes[1]

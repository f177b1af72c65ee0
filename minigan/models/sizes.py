"""Sizes of images on their way through strided layers, and the convolutions that fit them."""

from __future__ import annotations

from typing import Any

Shape = tuple[int, int, int]  # height, width, channels
Size = tuple[int, int]        # height, width


def halved(shape: Shape, layers: int, odd: bool = False) -> list[Size]:
    """An image's size before and after each strided layer: [(28, 28), (14, 14), (7, 7)] for 2.

    shape: (H, W, C). odd: also halve odd sizes, rounding up; `halving` says how.

    Raises:
        ValueError: a size on the way is odd, or too small to halve.
    """
    height, width = shape[:2]
    unit = 2 ** layers
    remedy = "choose another preset or number of layers, or data of another size"
    if odd and min(height, width) <= unit // 2:
        raise ValueError(f"shape: {layers} layers of stride 2 need heights and widths of "
                         f"{unit // 2 + 1} or more, not {height}x{width}; {remedy}")
    if not odd and (height % unit or width % unit):
        raise ValueError(f"shape: {layers} layers of stride 2 make heights and widths that are "
                         f"multiples of {unit}, not {height}x{width}; {remedy}")

    sizes = [(height, width)]
    for _ in range(layers):
        height = (height + 1) // 2
        width = (width + 1) // 2
        sizes.append((height, width))
    return sizes


def halving(size: Size) -> dict[str, Any]:
    """Arguments of the convolution that halves images of `size`, and of its transpose to `size`.

    A kernel of 4 by 4, which covers every pixel equally often; of 3 along an odd side, so that it
    fits there, too.
    """
    height, width = size
    kernel = (4 - height % 2, 4 - width % 2)
    return {"kernel_size": kernel, "stride": 2, "padding": 1}

"""What a handwritten picture is like, measured from its pixels: boldness, slant, width, height.

The notions are those of Castro et al. 2019, "Morpho-MNIST", https://arxiv.org/abs/1809.10780.
Slant is theirs, from second moments; width and height are the sides of their bounding
parallelogram, which leans as the picture does and leaves out one percent of the ink at each end.
Boldness is their thickness, the mean width of the strokes, and not the amount of ink, which a wider
digit has more of as well. They measure it along a skeleton of the picture made four times as large
and black and white; here it follows from ink and outline, which need neither.
"""

from __future__ import annotations

import numpy as np

ATTRIBUTES = ("boldness", "slant", "width", "height")
MARGIN = 0.01     # of the ink, left out at each end of width and height
BLOCK = 500       # pictures that are measured at a time
DARK = 25         # grey levels of a dark ground, at most


def measure(images: np.ndarray) -> dict[str, np.ndarray]:
    """The attributes of pictures with light strokes on a dark ground, float64 (n,) by name.

    boldness  the mean width of the strokes, in pixels: 2 ink / length of the outlines. A stroke of
              width b and length l >> b has ink b l and outlines of 2 l together.
    slant     the shear that would set the picture upright: how many pixels it leans to the right
              for each pixel upwards; -u11 / u02 with the central moments u of the ink.
    width     pixels across in which all ink but MARGIN at each end lies, once each row has moved
              back by the slant.
    height    the same from top to bottom.

    images: uint8 (n, H, W, C) or (n, H, W); of several channels their mean is measured. A picture
    without any ink has 0 of everything; one whose ink is all in one row has slant 0.

    Raises:
        ValueError: images have another type or shape.
    """
    images = np.asarray(images)
    if images.ndim == 3:
        images = images[..., None]
    if images.dtype != np.uint8 or images.ndim != 4 or 0 in images.shape[1:]:
        raise ValueError(f"images: expected uint8 (n, H, W, C) or (n, H, W), got {images.dtype} "
                         f"{images.shape}")

    values = np.empty((len(images), len(ATTRIBUTES)))
    for start in range(0, len(images), BLOCK):
        block = slice(start, start + BLOCK)
        values[block] = _of_ink(images[block].mean(axis=3) / 255)
    return dict(zip(ATTRIBUTES, values.T.copy()))


def why_not(images: np.ndarray) -> str:
    """Why these pictures have no strokes to measure, in words; "" if they may have.

    Strokes are light on a dark ground and have one channel. images: uint8 (n, H, W, C).
    """
    channels = images.shape[3]
    if channels != 1:
        return f"its pictures have {channels} channels, strokes are grey"
    ground = float(np.median(border(images)))
    if ground > DARK:
        return (f"its pictures have a ground of grey level {ground:.0f} at their borders, strokes "
                f"are light on a dark one, of {DARK} at most")
    return ""


def border(images: np.ndarray) -> np.ndarray:
    """The outermost pixels of images (n, H, W, C), in one row."""
    edges = (images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1])
    return np.concatenate([edge.ravel() for edge in edges])


def _of_ink(ink: np.ndarray) -> np.ndarray:
    """The attributes (n, 4) of ink (n, H, W), from 0 to 1."""
    _, height, width = ink.shape
    of_rows = ink.sum(axis=2)                                       # (n, H)
    of_columns = ink.sum(axis=1)                                    # (n, W)
    total = of_rows.sum(axis=1)                                     # (n,)
    some = np.where(total > 0, total, 1)

    y = np.arange(height) - (of_rows @ np.arange(height) / some)[:, None]     # (n, H), from the
    x = np.arange(width) - (of_columns @ np.arange(width) / some)[:, None]    # (n, W)  centre
    u02 = np.einsum("nh,nh->n", of_rows, y ** 2)
    u11 = np.einsum("nhw,nh,nw->n", ink, y, x)
    slant = -u11 / np.where(u02 > 0, u02, 1)

    outline = _outline(ink)
    boldness = 2 * total / np.where(total > 0, outline, 1)
    upright = x[:, None, :] + (slant[:, None] * y)[:, :, None]      # (n, H, W), moved by the slant
    across = _extent(upright.reshape(len(ink), -1), ink.reshape(len(ink), -1))
    return np.stack([boldness, slant, across, _extent(y, of_rows)], axis=1)


def _outline(ink: np.ndarray) -> np.ndarray:
    """The length of all outlines, (n,): the sum of |gradient|, which is the length of the contours
    averaged over all levels (the coarea formula). What is outside the picture is ground.

    The gradient is taken where four pixels meet, so that a diagonal counts as sqrt(2).
    """
    framed = np.pad(ink, ((0, 0), (1, 1), (1, 1)))
    across = np.diff(framed, axis=2)
    down = np.diff(framed, axis=1)
    gx = (across[:, 1:] + across[:, :-1]) / 2                       # (n, H + 1, W + 1)
    gy = (down[:, :, 1:] + down[:, :, :-1]) / 2
    return np.sqrt(gx ** 2 + gy ** 2).sum(axis=(1, 2))


def _extent(places: np.ndarray, ink: np.ndarray) -> np.ndarray:
    """How far ink reaches, without MARGIN of it at each end, (n,).

    places, ink: (n, m); ink of each place, spread evenly over one pixel around it. The share of all
    ink to the left of t is then a function of straight pieces, whose slope changes where a pixel
    begins and where it ends.
    """
    borders = np.concatenate([places - 0.5, places + 0.5], axis=1)  # (n, 2 m)
    changes = np.concatenate([ink, -ink], axis=1)
    order = np.argsort(borders, axis=1)
    borders = np.take_along_axis(borders, order, axis=1)
    slopes = np.cumsum(np.take_along_axis(changes, order, axis=1), axis=1)

    total = ink.sum(axis=1, keepdims=True)
    share = np.zeros(borders.shape)
    share[:, 1:] = np.cumsum(slopes[:, :-1] * np.diff(borders, axis=1), axis=1)
    share /= np.where(total > 0, total, 1)
    extent = np.empty(len(ink))
    for i in range(len(ink)):
        left, right = np.interp((MARGIN, 1 - MARGIN), share[i], borders[i])
        extent[i] = right - left
    return extent

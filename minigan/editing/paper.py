"""A drawing on paper, as a generator of light strokes on a dark ground knows drawings.

What people photograph is dark ink on light paper, of any size, anywhere in the picture. The digits
of MNIST are light on black, of one size, and their centre of mass is in the middle (LeCun et al.
1998, "Gradient-based learning applied to document recognition", section III.A). How large and where
strokes are is measured on the generator's own pictures.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from minigan.data.pictures import resize
from minigan.editing.directions.attributes import DARK, border, why_not

STROKE = 64          # the level that strokes are above
CONTRAST = 0.1       # of black to white that strokes must differ from the ground
NOISE = 3.0          # deviations of the ground that do not count as ink
FAINT = 0.1          # of the strongest ink that does not count either
OUTSIDE = 0.005      # of all ink that may lie beyond each side of the box
STRETCH = 0.2        # how much larger or smaller strokes may be
SHIFT = 2.0          # pixels that the centre of mass may be off


class Layout(NamedTuple):
    """How strokes lie in pictures."""

    side: float      # the longer side of their box, in pixels
    y: float         # their centre of mass
    x: float


class Blank(Exception):
    """There is nothing on the paper."""


def layout_of(images: np.ndarray) -> Layout | None:
    """How strokes lie in pictures uint8 (N, H, W, C), in the middle of what all of them do.

    None if they have colours, or no dark ground.
    """
    if why_not(images):
        return None
    layouts = [_layout(image[..., 0]) for image in images if image.max() > STROKE]
    if not layouts:
        return None
    side, y, x = np.median(layouts, axis=0)
    return Layout(float(side), float(y), float(x))


def _layout(picture: np.ndarray) -> Layout:
    """The same for one picture uint8 (H, W) that has strokes."""
    rows, columns = np.nonzero(picture > STROKE)
    height = np.ptp(rows) + 1
    width = np.ptp(columns) + 1
    return Layout(max(height, width), *centre(picture))


def centre(picture: np.ndarray) -> tuple[float, float]:
    """The centre of mass of a picture (H, W), y and x."""
    weights = picture / picture.sum()
    rows = np.arange(picture.shape[0])
    columns = np.arange(picture.shape[1])
    return float(weights.sum(axis=1) @ rows), float(weights.sum(axis=0) @ columns)


def fits(picture: np.ndarray, layout: Layout) -> bool:
    """Whether a picture uint8 (H, W, 1) has strokes of that size and place on a dark ground."""
    grey = picture[..., 0]
    if np.median(border(picture[None])) > DARK or grey.max() <= STROKE:
        return False
    own = _layout(grey)
    alike = abs(own.side / layout.side - 1) <= STRETCH
    return bool(alike and np.hypot(own.y - layout.y, own.x - layout.x) <= SHIFT)


def is_dark_on_light(picture: np.ndarray) -> bool:
    """Whether the border of a picture uint8 (H, W, 1) is nearer to its lightest than its darkest.

    One pixel of a hundred may be lighter or darker than what counts as that.
    """
    darkest, lightest = np.percentile(picture, (1, 99))
    return bool(np.median(border(picture[None])) > (darkest + lightest) / 2)


def ink(picture: np.ndarray) -> np.ndarray:
    """How much ink or chalk is where: float (H, W) from 0, the ground, to 1.

    picture: uint8 (H, W, 1), dark on light or light on dark. The ground may have a shadow: it is a
    surface of second order, fitted to what is on its side of the middle between dark and light.

    Raises:
        Blank: there is nothing but ground.
    """
    x = picture[..., 0] / 255
    if is_dark_on_light(picture):
        x = 1 - x
    low, high = np.percentile(x, (1, 99.5))
    on_ground = x <= (low + high) / 2
    x = x - _surface(x, on_ground)

    strongest = np.sort(x, axis=None)[-max(1, x.size // 100):].mean()
    if strongest < CONTRAST:
        raise Blank
    least = max(NOISE * x[on_ground].std(), FAINT * strongest)
    least = min(least, strongest / 2)
    return ((x - least) / (strongest - least)).clip(0, 1)


def _surface(x: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The polynomial of second order that is nearest to x (H, W) where it is known."""
    h, w = x.shape
    rows, columns = np.meshgrid(np.linspace(-1, 1, h), np.linspace(-1, 1, w), indexing="ij")
    terms = np.stack([rows ** i * columns ** j for i, j in
                      ((0, 0), (0, 1), (1, 0), (1, 1), (0, 2), (2, 0))], axis=-1)  # (H, W, 6)
    weights = np.linalg.lstsq(terms[known], x[known], rcond=None)[0]
    return terms @ weights


def placed(amount: np.ndarray, layout: Layout, height: int, width: int) -> np.ndarray:
    """Ink (h, w), as `ink` returns it, laid out on black, uint8 (height, width, 1)."""
    top, bottom = _span(amount.sum(axis=1))
    left, right = _span(amount.sum(axis=0))
    strokes = amount[top:bottom, left:right]

    side = max(strokes.shape)
    above = (side - strokes.shape[0]) // 2
    before = (side - strokes.shape[1]) // 2
    square = np.zeros((side, side))
    square[above:above + strokes.shape[0], before:before + strokes.shape[1]] = strokes
    levels = (255 * square).round().astype(np.uint8)
    size = max(1, round(layout.side))
    small = resize(levels[None, :, :, None], size)[0, :, :, 0] / 255
    small = small / max(np.percentile(small[small > 0.1], 90), 0.1)    # thin strokes become faint

    y, x = centre(small)
    sheet = np.zeros((height + 2 * size, width + 2 * size))
    first_row = min(max(0, size + round(layout.y - y)), height + size)
    first_column = min(max(0, size + round(layout.x - x)), width + size)
    sheet[first_row:first_row + size, first_column:first_column + size] = small
    middle = sheet[size:size + height, size:size + width]
    return (255 * middle.clip(0, 1)).round().astype(np.uint8)[..., None]


def _span(sums: np.ndarray) -> tuple[int, int]:
    """The first index and the one after the last of all but a trace of what is summed."""
    share = np.cumsum(sums) / sums.sum()
    first = int(np.searchsorted(share, OUTSIDE, side="right"))
    last = int(np.searchsorted(share, 1 - OUTSIDE))
    return first, max(first, last) + 1

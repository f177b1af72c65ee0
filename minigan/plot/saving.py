"""Figures and pixels as PNG files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from minigan.plot.raster import encoded
from minigan.plot.settings import drawn
from minigan.system import files
from minigan.system.paths import user_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def save(picture: Figure | np.ndarray, path: str | os.PathLike[str], scale: int = 1) -> Path:
    """Write a Figure, or an array pixel by pixel, as a PNG file; returns its path.

    picture: a Figure, whose words are kept in the file too, as its Description (see `words`); or
    uint8 (H, W) or (H, W, C), where C = 1 is grey, 3 RGB and 4 RGBA, and any other number of
    channels stand side by side in grey. path: ends in .png; folders are made. scale: how many
    pixels wide and high each pixel becomes. The file gets its name when it is complete, so nobody
    ever sees half a picture.

    Raises:
        ValueError: path does not end in .png, or picture or scale is not as above.
    """
    path = user_path(path)
    if path.suffix.lower() != ".png":
        raise ValueError(f"save: the path must end in .png, got {str(path)!r}")
    content = png(picture, scale)
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write(path, content)
    return path


def png(picture: Figure | np.ndarray, scale: int = 1) -> bytes:
    """The bytes that `save` writes.

    Raises:
        ValueError: as `save`.
    """
    if isinstance(picture, np.ndarray):
        return encoded(picture, scale)
    return encoded(pixels(picture), scale, "\n".join(words(picture)))


@drawn
def pixels(figure: Figure) -> np.ndarray:
    """Draw a Figure: uint8 (H, W, 3)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.array(canvas.buffer_rgba())[:, :, :3]


def words(figure: Figure) -> list[str]:
    """The texts in a Figure, sorted: titles, labels, names, but not the numbers along its axes.

    So a picture can be searched, read aloud, and compared with what would be drawn today.
    """
    from matplotlib.text import Text

    numbers = _numbers(figure)
    texts = set()
    for text in figure.findobj(Text):
        if text.get_visible() and text not in numbers:
            texts.add(text.get_text().strip())
    return sorted(texts - {""})


def _numbers(figure: Figure) -> set[Any]:
    """The tick labels of axes whose ticks were not named."""
    from matplotlib.ticker import FixedFormatter

    numbers = set()
    for ax in figure.axes:
        for axis in (ax.xaxis, ax.yaxis):
            if not isinstance(axis.get_major_formatter(), FixedFormatter):
                numbers.update(axis.get_ticklabels(which="both"))
    return numbers

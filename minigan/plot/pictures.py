"""Images in a Figure: a grid with labels, a strip with captions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Sequence

import numpy as np

from minigan.plot.raster import tile, visible
from minigan.plot.settings import drawn, plain
from minigan.plot.style import FAINT, INK, MUTED, PAPER, TEXT, TITLE, diverging, new_figure, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SCREEN = 100            # dots per inch of a grid: one for each pixel
LABEL_HEIGHT = 24       # pixels above a grid
LETTER_WIDTH = 7        # pixels of a letter at the left of it, about
GAP = 0.25              # inches between the pictures of a strip, and around it
TITLE_LETTERS = 11.5    # characters of a bold title an inch
OUTLINED = 2500         # a matrix of up to so many cells has lines between them


@drawn
def image_grid(images: np.ndarray, columns: int | None = None, labels: Sequence[Any] | None = None,
               gap: int = 2, scale: int = 1, names: Sequence[Any] | None = None) -> Figure:
    """The picture of `tile` as a Figure, pixel by pixel, with a label over each column.

    images, columns, gap: as in `tile`. labels: one for each column. names: one for each row, at its
    left. scale: screen pixels for each pixel.

    Raises:
        ValueError: there are more or fewer labels than columns, or names than rows; and as `tile`.
    """
    sheet = tile(images, columns, gap)
    height, width = tile(images[:1]).shape[:2]
    rows = (sheet.shape[0] + gap) // (height + gap)
    count = (sheet.shape[1] + gap) // (width + gap)
    if labels is not None and len(labels) != count:
        raise ValueError(f"image_grid: {count} columns have {len(labels)} labels")
    if names is not None and len(names) != rows:
        raise ValueError(f"image_grid: {rows} rows have {len(names)} names")

    w = sheet.shape[1] * scale
    h = sheet.shape[0] * scale
    left = max((LETTER_WIDTH * len(str(name)) + 20 for name in names or ()), default=0)
    across = left + w
    total = h + (0 if labels is None else LABEL_HEIGHT)
    figure = new_figure(across / SCREEN, total / SCREEN, dpi=SCREEN)
    ax = figure.add_axes((left / across, 0, w / across, h / total))
    ax.set_axis_off()
    ax.imshow(_rgb(sheet), interpolation="nearest", aspect="auto")

    for i, label in enumerate(labels or ()):
        middle = left + (i * (width + gap) + width / 2) * scale
        figure.text(middle / across, (h + 8) / total, plain(label), ha="center", va="baseline",
                    size=9, color=INK)
    for i, name in enumerate(names or ()):
        middle = h - (i * (height + gap) + height / 2) * scale
        figure.text((left - 8) / across, middle / total, plain(name), ha="right", va="center",
                    size=9, color=INK)
    return figure


@drawn
def strip(pictures: Sequence[np.ndarray], captions: Sequence[str] = (), title: str = "",
          caption: str = "", height: float = 2.2) -> Figure:
    """Pictures of one height side by side, each with its caption under it.

    pictures: uint8 (H, W) or (H, W, 3), shown as they are, or a float matrix (H, W), shown in
    colours: white at 0, blue above, orange below. captions: of the first pictures; they may have
    several lines. height: inches of each picture.
    """
    widths = [height * (picture.shape[1] / picture.shape[0]) for picture in pictures]
    width = sum(widths) + GAP * (len(pictures) + 1)
    heading = wrapped(title, width - GAP, TITLE_LETTERS)
    below = wrapped(caption, width)

    head = 0.3 + 0.2 * len(heading) if heading else GAP
    foot = 0.1
    if captions:
        foot += 0.16 * max(text.count("\n") + 1 for text in captions)
    total = head + height + foot + 0.17 * len(below) + 0.12 * bool(below)
    figure = new_figure(width, total)

    def write(x: float, y: float, text: str, **look: Any) -> None:
        """A text, x inches from the left and y from the top."""
        figure.text(x / width, 1 - y / total, plain(text), **look)

    left = GAP
    for i, picture in enumerate(pictures):
        box = (left / width, 1 - (head + height) / total, widths[i] / width, height / total)
        _show(figure.add_axes(box), picture)
        under = captions[i].split("\n") if i < len(captions) else []
        for j, line in enumerate(under):
            write(left, head + height + 0.19 + 0.16 * j, line, size=TEXT, color=MUTED)
        left += widths[i] + GAP

    for j, line in enumerate(heading):
        write(GAP, 0.31 + 0.2 * j, line, size=TITLE, weight="bold", color=INK)
    figure.text(GAP / width, 0.1 / total, plain("\n".join(below)), size=TEXT, color=MUTED)
    return figure


def _show(ax: Axes, picture: np.ndarray) -> None:
    """A picture, or a matrix in colours, in a faint frame."""
    ax.set(xticks=[], yticks=[])
    for spine in ax.spines.values():
        spine.set(color=FAINT, linewidth=0.8)

    if picture.dtype == np.uint8:
        ax.imshow(_rgb(picture), interpolation="nearest", aspect="auto")
        return

    h, w = picture.shape
    top = float(np.abs(picture).max()) or 1.0
    ax.imshow(picture, cmap=diverging(), vmin=-top, vmax=top, interpolation="nearest",
              aspect="auto")
    if h * w <= OUTLINED:
        ax.set_xticks(np.arange(0.5, w - 1), minor=True)
        ax.set_yticks(np.arange(0.5, h - 1), minor=True)
        ax.grid(which="minor", color=PAPER, linewidth=0.8)
        ax.tick_params(which="minor", length=0)


def _rgb(picture: np.ndarray) -> np.ndarray:
    """A picture with three channels: matplotlib's grey map is off by one here and there."""
    if picture.ndim == 2:
        picture = picture[:, :, None]
    shown = visible(picture[None])[0]
    if shown.shape[2] == 1:
        shown = shown.repeat(3, axis=2)
    return shown

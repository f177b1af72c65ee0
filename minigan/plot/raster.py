"""Pictures as arrays of pixels: side by side, made visible, encoded as a PNG file.

    images  (N, H, W, C) --tile--> one picture (H, W) or (H, W, 3) --encoded--> bytes of a file

Nothing here needs matplotlib.
"""

from __future__ import annotations

import io
import math

import numpy as np

CELL = 4                    # pixels of a square of the checkerboard below transparent pixels
WHITE, GREY = 255, 204      # its two colours


def tile(images: np.ndarray, columns: int | None = None, gap: int = 2) -> np.ndarray:
    """Put pictures side by side, row by row, into one picture.

    images: uint8 (N, H, W) or (N, H, W, C), shown as `visible` says. columns: how many pictures a
    row has; None makes the sheet about square. gap: white pixels between pictures; there are none
    around the sheet.

    Returns uint8 (rows * (H + gap) - gap, columns * (W + gap) - gap), with a last axis of 3 if the
    pictures are coloured.

    Raises:
        ValueError: images have another type or shape, or there are none; or columns is less than 1
            or gap less than 0.
    """
    images = np.asarray(images)
    if images.ndim == 3:
        images = images[..., None]
    if images.dtype != np.uint8 or images.ndim != 4 or images.size == 0:
        raise ValueError(f"tile: images must be uint8 (N, H, W) or (N, H, W, C), one or more, got "
                         f"{images.dtype} {images.shape}")

    images = visible(images)
    n, h, w, c = images.shape
    if columns is None:
        columns = math.ceil(math.sqrt(n))
    if columns < 1 or gap < 0:
        raise ValueError(f"tile: columns must be 1 or more and gap 0 or more, got {columns} and "
                         f"{gap}")

    rows = math.ceil(n / columns)
    cells = np.full((rows, h + gap, columns, w + gap, c), WHITE, np.uint8)
    for i, image in enumerate(images):
        row, column = divmod(i, columns)
        cells[row, :h, column, :w] = image

    sheet = cells.reshape(rows * (h + gap), columns * (w + gap), c)
    height = len(sheet) - gap
    width = sheet.shape[1] - gap
    sheet = sheet[:height, :width]
    if c == 1:
        sheet = sheet[:, :, 0]
    return np.ascontiguousarray(sheet)


def visible(images: np.ndarray) -> np.ndarray:
    """Turn pictures with any number of channels into grey or coloured ones.

    images: uint8 (N, H, W, C). Grey pictures (C = 1) and RGB (C = 3) are returned as they are.
    RGBA (C = 4) is laid over a checkerboard, which shows through where it is transparent:
    (N, H, W, 3). With any other C the channels are grey pictures side by side: (N, H, C * W, 1).
    """
    n, h, w, c = images.shape
    if c in (1, 3):
        return images
    if c == 4:
        return _over_checkerboard(images)
    side_by_side = images.transpose(0, 1, 3, 2)               # (N, H, C, W)
    return np.ascontiguousarray(side_by_side).reshape(n, h, c * w, 1)


def _over_checkerboard(images: np.ndarray) -> np.ndarray:
    """Composite RGBA pictures with a checkerboard: alpha * picture + (1 - alpha) * board."""
    _, h, w, _ = images.shape
    squares = np.add.outer(np.arange(h) // CELL, np.arange(w) // CELL)
    board = np.where(squares % 2, WHITE, GREY)[:, :, None]    # (H, W, 1)
    colour = images[..., :3]                                  # (N, H, W, 3)
    alpha = images[..., 3:] / 255.0                           # (N, H, W, 1)
    mixed = colour * alpha + board * (1 - alpha)
    return np.rint(mixed).astype(np.uint8)


def encoded(picture: np.ndarray, scale: int = 1, description: str = "") -> bytes:
    """The bytes of a PNG file.

    picture: uint8 (H, W) or (H, W, C); 3 channels are RGB, 4 are RGBA, others see `visible`.
    scale: how many pixels wide and high each pixel becomes. description: kept in the file as text
    under the keyword Description (an iTXt chunk), unless it is empty.

    Raises:
        ValueError: picture has another type or shape, or scale is not an int of 1 or more.
    """
    from PIL import Image, PngImagePlugin

    if picture.dtype != np.uint8 or picture.ndim not in (2, 3) or picture.size == 0:
        raise ValueError(f"save: pixels must be uint8 (H, W) or (H, W, C), got {picture.dtype} "
                         f"{picture.shape}")
    if not isinstance(scale, int) or scale < 1:
        raise ValueError(f"save: scale must be an int of 1 or more, got {scale!r}")

    if picture.ndim == 3 and picture.shape[2] not in (3, 4):
        picture = visible(picture[None])[0, :, :, 0]
    picture = picture.repeat(scale, axis=0).repeat(scale, axis=1)

    text = PngImagePlugin.PngInfo()
    if description:
        text.add_itxt("Description", description)
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG", pnginfo=text)
    return file.getvalue()

"""Picture files to bytes, and bytes to another size.

What happens to a picture:
- It is turned as its EXIF tag says, as every viewer shows it. Of an animation the first frame is
  used.
- Its middle square is cut out and brought to the size with a Lanczos filter, which averages where
  it makes pictures smaller. A square of that size keeps its pixels.
- Transparent pixels lie on white.
- 16 bits a channel become 8; palettes, CMYK and the like become RGB.
- It is left out if its header declares more than 33 million pixels, or 134 million for a JPEG: a
  file of a few kB can declare any size, and its pixels would fill the memory.
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Iterator, NamedTuple

import numpy as np
from numpy.typing import NDArray

from minigan.system.machine import memory
from minigan.system.turn import no_warnings

if TYPE_CHECKING:
    from PIL.Image import Image

# Not all formats that Pillow knows: some of its readers start other programs.
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
SUFFIXES = {".bmp", ".gif", ".jpg", ".jpeg", ".png", ".pbm", ".pgm", ".ppm", ".pnm", ".tif",
            ".tiff", ".webp"}
ANIMATED = {"GIF", "PNG", "WEBP"}  # a JPEG or TIFF may hold its own thumbnail
GREY = {"1", "L", "LA", "La", "I", "I;16", "I;16L", "I;16B", "I;16N"}
MOST_PIXELS = 1 << 25       # of a picture
MOST_JPEG_PIXELS = 1 << 27  # which is decoded at a fraction of its size
BLOCK = 256  # images that are resized at once


class Unusable(Exception):
    """A file that is not a picture we can use; its text is the reason, to stand behind a count."""


class Header(NamedTuple):
    """What a picture file says about its picture."""

    width: int
    height: int
    grey: bool  # whether it has only grey values
    transparent: bool  # whether parts of it may be transparent
    animated: bool  # whether it is the first of several


def look(path: Path) -> Header:
    """Read a picture file's header.

    Raises:
        Unusable: it is not a picture, or a broken one.
    """
    with _opened(path) as image:
        return Header(image.width, image.height, image.mode in GREY, image.has_transparency_data,
                      _is_animated(image))


def decode(path: Path, size: int) -> NDArray[np.uint8]:
    """A picture file as uint8 (size, size, 1) if it is grey, else (size, size, 3).

    Raises:
        Unusable: it is not a picture, or a broken one.
    """
    with _opened(path) as image:
        square = _square(_upright(image, size), size)
        return np.asarray(square).reshape(size, size, -1)


def decode_whole(path: Path, longest: int, ground: str = "white") -> NDArray[np.uint8]:
    """A whole picture file in grey, uint8 (H, W, 1), its longer side `longest` pixels at most.

    ground: the colour below transparent pixels.

    Raises:
        Unusable: it is not a picture, or a broken one.
    """
    from PIL.Image import Resampling
    with _opened(path) as image:
        image = _upright(image, longest, ground).convert("L")
        image.thumbnail((longest, longest), Resampling.LANCZOS)
        return np.array(image)[..., None]


def resize(images: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Images uint8 (N, H, W, C) as (N, size, size, C), in the way picture files are resized.

    The filter is linear: what it makes of a unit matrix is its own matrix. Products with that
    matrix, first along the rows, then along the columns, resize many images at once.

    Raises:
        ValueError: there is not enough memory.
    """
    from PIL import Image
    count, height, width, channels = images.shape
    check_room(count, size, channels)
    side = min(height, width)
    top = (height - side) // 2
    left = (width - side) // 2
    squares = images[:, top:top + side, left:left + side]
    if side == size:
        return np.ascontiguousarray(squares)
    unit = Image.fromarray(np.eye(side, dtype=np.float32))
    matrix = np.asarray(unit.resize((side, size), Image.Resampling.LANCZOS))  # (size, side)
    result = np.empty((count, size, size, channels), np.uint8)
    for i in range(0, count, BLOCK):
        x = squares[i:i + BLOCK].transpose(0, 3, 1, 2).astype(np.float32)     # (n, C, side, side)
        x = (x @ matrix.T).round().clip(0, 255)                               # (n, C, side, size)
        x = (matrix @ x).round().clip(0, 255)                                 # (n, C, size, size)
        result[i:i + BLOCK] = x.transpose(0, 2, 3, 1)
    return result


def check_room(count: int, size: int, channels: int) -> None:
    """Refuse a set that would fill more than half of the machine's memory, before it is made.

    Raises:
        ValueError: it would.
    """
    needed = count * size * size * channels
    available = memory()
    if available and needed > available / 2:
        raise ValueError(f"data: {count:,} images of {size}x{size}x{channels} need "
                         f"{needed / 1e9:.1f} GB, more than half of this machine's "
                         f"{available / 1e9:.1f} GB: take fewer of them or a smaller size")


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """An open picture file; whatever Pillow fails on inside the block becomes `Unusable`."""
    from PIL import Image, UnidentifiedImageError
    try:
        # Pillow warns of odd tags and of large pictures.
        with no_warnings(), Image.open(path, formats=FORMATS) as image:
            if image.mode == "F":
                raise Unusable("of floats")
            most = MOST_JPEG_PIXELS if image.format in ("JPEG", "MPO") else MOST_PIXELS
            if image.width * image.height > most:
                raise Unusable("too large")
            yield image
    except UnidentifiedImageError:
        named = path.suffix.lower() in SUFFIXES
        raise Unusable("broken" if named else "not a picture") from None
    except Image.DecompressionBombError:
        raise Unusable("too large") from None
    except (Unusable, MemoryError):
        raise
    except PermissionError:
        raise Unusable("that cannot be read") from None
    except Exception:  # damage can make a reader fail in any way
        raise Unusable("broken") from None


def _is_animated(image: Image) -> bool:
    """Whether there are more frames; not whether all of them are whole."""
    try:
        return image.format in ANIMATED and bool(getattr(image, "is_animated", False))
    except Exception:  # what a damaged frame raises; the first may be whole
        return False


def _upright(image: Image, size: int, ground: str = "white") -> Image:
    """An open picture in 8 bits, grey or RGB, opaque, and turned as its EXIF tag says.

    size: of what it is needed for. A large JPEG is decoded at a half, a 4th or an 8th of its own.
    """
    from PIL import ImageOps
    image.draft(None, (2 * size, 2 * size))
    if image.width * image.height > MOST_PIXELS:
        raise Unusable("too large")
    mode = "L" if image.mode in GREY else "RGB"
    return _flat(ImageOps.exif_transpose(image), mode, ground)


def _flat(image: Image, mode: str, ground: str) -> Image:
    """The picture in 8 bits, opaque on a ground of this colour, of this mode."""
    from PIL import Image as Pillow
    if image.mode.startswith("I"):
        levels = np.asarray(image).clip(0, 65535) // 257
        image = Pillow.fromarray(levels.astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        below = Pillow.new("RGBA", image.size, ground)
        image = Pillow.alpha_composite(below, image)
    return image.convert(mode)


def _square(image: Image, size: int) -> Image:
    """The middle square, at this size."""
    from PIL.Image import Resampling
    width, height = image.size
    side = min(width, height)
    left = (width - side) // 2
    top = (height - side) // 2
    image = image.crop((left, top, left + side, top + side))
    if side != size:
        image = image.resize((size, size), Resampling.LANCZOS)
    return image

"""Picture files as pictures of the kind that a model draws, and what was done to each, in words."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import Iterable, NamedTuple

import numpy as np

from minigan.data.folder import natural
from minigan.data.pictures import FORMATS, SUFFIXES, Header, Unusable, decode, decode_whole, look
from minigan.editing import paper
from minigan.editing.drawing import Drawing
from minigan.models.model import Model
from minigan.streams import Stream
from minigan.system.console import warn
from minigan.system.paths import exists, user_path

DRAWS = 64       # that show what the model's pictures look like
FINE = 8         # times the model's size: what drawings on paper are looked at in
NAMED = 3        # files that a warning names
BLANK = "blank: its pixels are all alike"
IN_GREY = "turned to grey"
GREY = np.array([0.299, 0.587, 0.114])   # luma of R, G and B, ITU-R BT.601


class Original(NamedTuple):
    """A picture file, read for a model."""

    path: Path
    pixels: np.ndarray         # uint8 (H, W, C), of the model's shape
    done: tuple[str, ...]      # what was done to it


class Originals:
    """Reads picture files as pictures of the model's shape.

    as_is: only cut, resize and turn to grey; by default drawings on paper become light on dark,
    where the model's pictures are, and get the place and size that these have.
    """

    def __init__(self, model: Model, as_is: bool = False) -> None:
        self.model = model
        self.as_is = as_is

    @cached_property
    def layout(self) -> paper.Layout | None:
        """How strokes lie in the model's pictures; None unless they are light on dark."""
        drawing = Drawing(self.model)
        return paper.layout_of(drawing.pixels(*drawing.some(Stream(0, "originals"), DRAWS)))

    def read_all(self, places: Iterable[str | os.PathLike[str]]) -> list[Original]:
        """The pictures of files and folders. Of a folder, those that can be used, with a warning.

        Raises:
            FileNotFoundError: there is no such file or folder.
            ValueError: a file cannot be used, or no file of a folder.

        Warns:
            UserWarning: some files of a folder cannot be used.
        """
        found: list[Original] = []
        for place in map(user_path, places):
            if place.is_dir():
                found += self._folder(place)
            else:
                found.append(self.read(place))
        return found

    def _folder(self, folder: Path) -> list[Original]:
        files = [path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES
                 and not path.name.startswith(".") and path.is_file()]
        if not files:
            raise ValueError(f"picture: there is no picture in the folder {folder}")
        found = []
        refused = []
        for path in sorted(files, key=lambda path: natural(str(path))):
            try:
                found.append(self._fitted(path))
            except Unusable as reason:
                refused.append(f"{path.relative_to(folder).as_posix()} ({reason})")
        if not found:
            raise ValueError(f"picture: none of the {len(files)} in {folder} can be used, such as "
                             f"{refused[0]}")
        if refused:
            reasons = ", ".join(refused[:NAMED]) + (", ..." if len(refused) > NAMED else "")
            warn(f"pictures: {len(refused)} of {len(files)} in {folder} are left out: {reasons}",
                 stacklevel=4)
        return found

    def read(self, path: Path) -> Original:
        """One picture file.

        Raises:
            FileNotFoundError: it does not exist.
            ValueError: it is not a picture, or cannot be used.
        """
        if not exists(path):
            raise FileNotFoundError(f"picture: {path} does not exist")
        try:
            return self._fitted(path)
        except Unusable as reason:
            hint = f"pictures are files in the formats {', '.join(FORMATS)}"
            if str(reason) == BLANK:
                hint = "--as-is, in Python as_is=True, takes it all the same"
            raise ValueError(f"picture: {path} cannot be used ({reason}); {hint}") from None

    def _fitted(self, path: Path) -> Original:
        header = look(path)
        height, width, channels = self.model.shape
        if channels not in (1, 3):
            raise ValueError(f"picture: files have 1 or 3 channels, {self.model.name}'s pictures "
                             f"have {channels}; give arrays of uint8 in Python")
        size = max(height, width)
        pixels = decode(path, size)
        done = [*_first(header), *_cut(header, size), *_coloured(pixels, channels),
                *_transparent(header)]
        pixels = _with_channels(_middle(pixels, height, width), channels)
        if channels == 1 and not self.as_is and self.layout is not None:
            return self._from_paper(path, header, pixels, done)
        return Original(path, pixels, tuple(done))

    def _from_paper(self, path: Path, header: Header, pixels: np.ndarray, done: list[str]
                    ) -> Original:
        """A picture for a model of light strokes on a dark ground."""
        height, width, _ = self.model.shape
        layout = self.layout
        assert layout is not None
        if paper.fits(pixels, layout):
            return Original(path, pixels, tuple(done))
        if (header.width, header.height) == (width, height) and not header.transparent:
            if pixels.min() == pixels.max():
                raise Unusable(BLANK)
            if paper.is_dark_on_light(pixels):
                pixels = 255 - pixels
                done.append("inverted, as it is dark on light")
            return Original(path, pixels, tuple(done))

        whole = self._whole(path, header)
        done = [*_first(header), f"resized from {header.width}x{header.height}",
                *(word for word in done if word == IN_GREY), *_transparent(header)]
        if paper.is_dark_on_light(whole):
            done.append("inverted, as it is dark on light")
        done.append("its strokes placed as in the model's pictures")
        try:
            ink = paper.ink(whole)
        except paper.Blank:
            raise Unusable(BLANK) from None
        return Original(path, paper.placed(ink, layout, height, width), tuple(done))

    def _whole(self, path: Path, header: Header) -> np.ndarray:
        """The whole picture in grey, larger than the model's pictures.

        A transparent one stands on white or on black, whichever shows more of it.
        """
        longest = FINE * max(self.model.shape[:2])
        grounds = ("white", "black") if header.transparent else ("white",)
        seen = [decode_whole(path, longest, ground) for ground in grounds]
        return max(seen, key=np.std)


def _first(header: Header) -> list[str]:
    """What is said of a picture that moves."""
    return ["the first picture of an animation"] if header.animated else []


def _cut(header: Header, size: int) -> list[str]:
    """What `decode` does to a picture of that size."""
    words = []
    if header.width != header.height:
        words.append("cut to its middle square")
    if min(header.width, header.height) != size:
        words.append(f"resized from {header.width}x{header.height}")
    return words


def _coloured(pixels: np.ndarray, channels: int) -> list[str]:
    """What becomes of the colours of a decoded picture (H, W, 1 or 3)."""
    if pixels.shape[2] == channels or (pixels == pixels[..., :1]).all():
        return []
    return [IN_GREY]


def _transparent(header: Header) -> list[str]:
    return ["its transparent parts filled"] if header.transparent else []


def _middle(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """The middle of a square picture, as high and as wide as that."""
    top = (pixels.shape[0] - height) // 2
    left = (pixels.shape[1] - width) // 2
    return pixels[top:top + height, left:left + width]


def _with_channels(pixels: np.ndarray, channels: int) -> np.ndarray:
    """A picture uint8 (H, W, 1 or 3) with as many channels."""
    if pixels.shape[2] == channels:
        return pixels
    if channels == 3:
        return pixels.repeat(3, axis=2)
    return (pixels @ GREY).round().astype(np.uint8)[..., None]

"""A GIF of a run's sample grids, made with Pillow, which matplotlib needs anyway."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Mapping

from minigan.system import files

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

FRAME_MS = 400
LAST_MS = 3000
STRIP = 18  # pixels below the grid, for the step


def animate(grids: Mapping[int, Path], path: Path, scale: int = 1) -> None:
    """Write a GIF that shows PNG files one after another, each with its step below, for ever.

    grids: step -> file, in order; all files of one size. scale: the factor by which the files were
    enlarged, which is undone in the GIF.
    """
    frames = [_frame(step, file, scale) for step, file in grids.items()]
    durations = [FRAME_MS] * (len(frames) - 1) + [LAST_MS]
    content = io.BytesIO()
    frames[0].save(content, "GIF", save_all=True, append_images=frames[1:], loop=0,
                   duration=durations)
    files.write(path, content.getvalue())


def _frame(step: int, file: Path, scale: int) -> Picture:
    """A grid with its step below."""
    from PIL import Image, ImageDraw
    with Image.open(file) as grid:
        mode = "L" if grid.mode == "L" else "RGB"
        width = grid.width // scale
        height = grid.height // scale
        pixels = grid.convert(mode).resize((width, height), Image.Resampling.NEAREST)
    frame = Image.new(mode, (width, height + STRIP), "white")
    frame.paste(pixels, (0, 0))
    ImageDraw.Draw(frame).text((2, height + 4), f"step {step:,}", fill="black")
    return frame

"""The sample grids of a run as one moving picture, by Pillow, which matplotlib brings along."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Mapping

from minigan.system import files

FRAME_MS, LAST_MS = 400, 3000
STRIP = 18  # pixels below the grid, for the step


def animate(grids: Mapping[int, Path], path: Path, scale: int = 1) -> None:
    """Write a GIF that shows PNG files one after another, each with its step below, for ever.

    grids: step -> file, in order; all files of one size. scale: of the files, which is undone.
    """
    from PIL import Image, ImageDraw
    frames = []
    for step, file in grids.items():
        with Image.open(file) as grid:
            kind = "L" if grid.mode == "L" else "RGB"
            size = grid.width // scale, grid.height // scale
            frame = Image.new(kind, (size[0], size[1] + STRIP), "white")
            frame.paste(grid.convert(kind).resize(size, Image.Resampling.NEAREST), (0, 0))
        ImageDraw.Draw(frame).text((2, frame.height - STRIP + 4), f"step {step:,}", fill="black")
        frames.append(frame)
    content = io.BytesIO()
    frames[0].save(content, "GIF", save_all=True, append_images=frames[1:], loop=0,
                   duration=[FRAME_MS] * (len(frames) - 1) + [LAST_MS])
    files.write(path, content.getvalue())

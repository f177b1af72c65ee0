"""Picture files as people have them: scans and photographs of a drawn digit, and what is none."""
from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter


def seven(size: tuple[int, int], box: tuple[int, int, int, int], width: int, ink: object = 0,
          ground: object = 255, mode: str = "L") -> Image.Image:
    """A 7 in a box (left, top, right, bottom) of a picture of that size."""
    left, top, right, bottom = box
    image = Image.new(mode, size, ground)  # type: ignore[arg-type]
    corners = [(left, top), (right, top), ((2 * left + right) // 3, bottom)]
    ImageDraw.Draw(image).line(corners, fill=ink, width=width, joint="curve")
    return image


def digit() -> Image.Image:
    """A 7 as MNIST has digits."""
    return seven((28, 28), (8, 8, 20, 26), 3, 255, 0)


def scan(folder: Path) -> Path:
    """Dark ink on grey paper with a shadow and noise, somewhere in the picture, as a JPEG."""
    sheet = seven((320, 240), (170, 60, 236, 160), 16, 60, 230)
    levels = np.asarray(sheet.filter(ImageFilter.GaussianBlur(1))).astype(float)
    shadow = np.linspace(0.6, 1, 320)
    noise = np.random.default_rng(0).normal(0, 4, levels.shape)
    path = folder / "scan.jpg"
    Image.fromarray((levels * shadow + noise).clip(0, 255).astype(np.uint8)).save(path, quality=85)
    return path


def transparent(folder: Path, ink: tuple[int, int, int]) -> Path:
    """Ink of a colour on nothing."""
    path = folder / "transparent.png"
    seven((90, 60), (30, 10, 56, 50), 6, (*ink, 255), (*ink, 0), "RGBA").save(path)
    return path


def broken(folder: Path) -> Path:
    """A PNG that was cut short."""
    path = folder / "broken.png"
    seven((60, 60), (20, 10, 40, 50), 6).save(path)
    path.write_bytes(path.read_bytes()[:80])
    return path

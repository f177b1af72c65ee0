"""Draw the examples' pictures again and put them into examples/pictures, at most 60 kB each.

    python benchmarks/make_pictures.py            # all; an hour on two cores, as examples train
    python benchmarks/make_pictures.py 03 05 20   # these

A picture keeps its words as its Description, which tests compare with what would be drawn now. The
colours are reduced as far as the size asks for.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image, PngImagePlugin

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
LARGEST = 60_000  # bytes


def main() -> int:
    """Draw and copy; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("numbers", nargs="*", help="which examples, as 03 05")
    wanted = parser.parse_args().numbers
    for path in sorted(EXAMPLES.glob("[0-9][0-9]_*.py")):
        if not wanted or path.stem[:2] in wanted:
            with tempfile.TemporaryDirectory() as folder:
                environment = {**os.environ, "PYTHONPATH": str(EXAMPLES.parent)}
                subprocess.run([sys.executable, str(path)], cwd=folder, env=environment, check=True)
                size = bring(Path(folder, "runs", "examples", f"{path.stem}.png"))
            print(f"{path.stem}: {size:,} bytes\n", flush=True)
    return 0


def bring(drawn: Path) -> int:
    """Write a picture into examples/pictures with as many colours as fit; returns its bytes."""
    target = EXAMPLES / "pictures" / drawn.name
    with Image.open(drawn) as picture:
        picture.load()
        about = PngImagePlugin.PngInfo()
        if "Description" in picture.info:  # not of pictures put together from pixels
            about.add_itxt("Description", picture.info["Description"])
        for colours in (256, 128, 64, 32, 16):
            fewer = picture.convert("RGB").quantize(colours, dither=Image.Dither.NONE)
            fewer.save(target, optimize=True, pnginfo=about)
            if target.stat().st_size <= LARGEST:
                break
    return target.stat().st_size


if __name__ == "__main__":
    sys.exit(main())

"""Draw the examples' pictures again and put them into examples/pictures, at most 60 kB each.

    python benchmarks/make_pictures.py            # all; an hour on two cores, as examples train
    python benchmarks/make_pictures.py 03 05 20   # these
    python benchmarks/make_pictures.py pix2pix-digits pix2pix-halves   # README's of pix2pix

A picture keeps its words as its Description, which tests compare with what would be drawn now. The
colours are reduced as far as the size asks for.

README's pictures of pix2pix are of MNIST's test digits, which no training has seen: they need MNIST
(`minigan data get mnist`, or --data-dir). Its other grids are copies of a run's samples/latest.png.
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
PIX2PIX = {"pix2pix-digits": "edges", "pix2pix-halves": "halves"}  # the preset of each picture
ROWS = COLUMNS = 8


def main() -> int:
    """Draw and copy; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", help=f"which examples, as 03 05, or of README's "
                        f"{' and '.join(PIX2PIX)} (default: all examples)")
    parser.add_argument("--data-dir", help="where MNIST is (default: where minigan looks)")
    parser.add_argument("--runs", type=Path, help="where runs of pix2pix are kept by the names of "
                        "their pictures: one that is there is not trained again (default: none is "
                        "kept)")
    options = parser.parse_args()
    wanted = options.names
    for name in wanted:
        if name in PIX2PIX:
            with tempfile.TemporaryDirectory() as folder:
                run = (options.runs or Path(folder)) / name
                size = bring(draw_pix2pix(run, Path(folder, f"{name}.png"), options.data_dir))
            print(f"{name}: {size:,} bytes\n", flush=True)
    for path in sorted(EXAMPLES.glob("[0-9][0-9]_*.py")):
        if not wanted or path.stem[:2] in wanted:
            with tempfile.TemporaryDirectory() as folder:
                environment = {**os.environ, "PYTHONPATH": str(EXAMPLES.parent)}
                subprocess.run([sys.executable, str(path)], cwd=folder, env=environment, check=True)
                size = bring(Path(folder, "runs", "examples", f"{path.stem}.png"))
            print(f"{path.stem}: {size:,} bytes\n", flush=True)
    return 0


def draw_pix2pix(run: Path, target: Path, data_dir: str | None) -> Path:
    """Train pix2pix with its preset's settings and draw held-out digits; returns the target."""
    sys.path.insert(0, str(EXAMPLES.parent))
    import minigan as mg
    held_out = mg.data.load("mnist", split="test", folder=data_dir)
    if not run.exists():
        environment = {**os.environ, "PYTHONPATH": str(EXAMPLES.parent)}
        subprocess.run([sys.executable, "-m", "minigan", "train", "pix2pix", "--preset",
                        PIX2PIX[run.name], "--out", str(run)], env=environment, check=True)
    pictures = mg.load(run).pictures(ROWS * COLUMNS, seed=0, images=held_out)
    mg.plot.save(mg.plot.tile(pictures, COLUMNS), target, scale=2)
    return target


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

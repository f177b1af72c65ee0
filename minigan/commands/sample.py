"""`minigan sample RUN`: draw images from a finished run."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from minigan.commands.options import (add_backend, add_quiet, add_run, count, labels, natural, path,
                                      run_of)
from minigan.system.console import plural, remark

if TYPE_CHECKING:
    import numpy as np

    from minigan.runs import Loaded

HELP = "draw images from a finished run"
STEPS = 10  # of a walk, a row each


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which run, which images, and where to write them."""
    add_run(parser, "a run folder, a checkpoint or an exported file")
    parser.add_argument("--pretrained", action="store_true", help="in place of RUN: the small "
                        "generator of digits that comes with minigan")
    parser.add_argument("--n", type=count, help="how many images, or walks (default: 64 or 8, or "
                        "as many as labels)")
    parser.add_argument("--labels", type=labels, help="for conditional models: which, as 2,0,2,6 "
                        "or as names of classes (default: all in turn)")
    parser.add_argument("--seed", type=natural, default=0, help="of the latent vectors")
    parser.add_argument("--interpolate", action="store_true", help=f"walks between latent "
                        f"vectors: {STEPS} steps a row, each row from where the one before ended; "
                        f"a label a row")
    parser.add_argument("--single", action="store_true", help="a file for each image, in a folder")
    parser.add_argument("--raw", action="store_true", help="use the generator's own weights, not "
                        "their moving average")
    parser.add_argument("--data-dir", type=path, help="for models that start from images: where "
                        "the files of their data set are (default: as in training)")
    add_backend(parser)
    add_quiet(parser, "what was written")
    parser.add_argument("--out", type=path, help="the PNG to write (default: RUN/samples/"
                        "seed-SEED.png, or walk-SEED.png; of a file FILE.npz FILE-seed-SEED.png "
                        "beside it), or the folder of --single")


def run(options: argparse.Namespace) -> int:
    """Draw; returns the exit status."""
    import minigan
    from minigan.runs import load
    from minigan.runs.preview import PAIRED
    if options.backend:
        minigan.use(options.backend)
    if options.pretrained and options.run_folder is not None:
        raise ValueError(f"--pretrained: it is drawn from in place of RUN, so give one of the "
                         f"two, not also {str(options.run_folder)!r}")
    source = None if options.pretrained else run_of(options)
    trained = load(source)
    if options.labels and not trained.model.conditional:
        raise ValueError(f"--labels: {trained.model.name} is not conditional")
    if options.labels and options.n and options.n != len(options.labels):
        raise ValueError(f"--n is {options.n}, but there are {len(options.labels)} --labels")
    images, columns = _walks(trained, options) if options.interpolate else _images(trained, options)
    _write(images, columns, source, options)
    if images.shape[1:] != trained.model.shape:
        remark(f"of each: {PAIRED}")
    return 0


def _images(trained: Loaded, options: argparse.Namespace) -> tuple[np.ndarray, int]:
    """Images (n, H, W, C), and how many shall stand in a row."""
    from minigan.runs.trained import load_data
    columns = trained.model.n_classes if trained.model.conditional else 8
    n = options.n or len(options.labels or ()) or 8 * columns
    given = options.data_dir and load_data(trained.config, options.data_dir)
    return trained.pictures(n, labels=options.labels, seed=options.seed, raw=options.raw,
                            images=given), min(n, columns)


def _walks(trained: Loaded, options: argparse.Namespace) -> tuple[np.ndarray, int]:
    """The same for walks, a row each."""
    rows = options.n or len(options.labels or ()) or (
        trained.model.n_classes if trained.model.conditional else 8)
    walks = trained.interpolate(rows, STEPS, options.labels, options.seed, options.raw)
    return walks.reshape(-1, *walks.shape[2:]), STEPS


def _write(images: np.ndarray, columns: int, source: Path | None, options: argparse.Namespace
           ) -> None:
    from minigan import plot
    name = f"{'walk' if options.interpolate else 'seed'}-{options.seed}"
    if source is None:
        place = Path(f"pretrained-{name}")
    elif source.is_dir():
        place = source / "samples" / name
    else:  # beside a file there may be others
        place = source.with_name(f"{source.stem}-{name}")
    if options.single:
        out = options.out or place
        for i, image in enumerate(images):
            plot.save(image, out / f"{name}-{i:03d}.png")
    else:
        out = options.out or place.with_name(place.name + ".png")
        plot.save(plot.tile(images, columns), out, scale=2)
    print(f"{plural(len(images), 'image')}: {out.as_posix()}")

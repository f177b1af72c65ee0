"""`minigan sample RUN`: draw images from a finished run."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from minigan.commands.options import (add_backend, add_pretrained, add_quiet, add_run, count,
                                      labels, natural, path, source_of)
from minigan.system.console import plural, remark

if TYPE_CHECKING:
    import numpy as np

    from minigan.runs import Loaded

HELP = "draw images from a finished run"
STEPS = 10      # of a walk, which fills a row
UNLABELLED = 8  # images in a row, if there are no classes


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which run, which images, and where to write them."""
    add_run(parser, "a run folder, a checkpoint or an exported file")
    add_pretrained(parser)
    parser.add_argument(
        "--n", type=count,
        help="how many images, or walks (default: as many as --labels; else 64 images or 8 walks, "
             "and for conditional models 8 images or 1 walk of each class)")
    parser.add_argument(
        "--labels", type=labels,
        help="classes for conditional models, like 2,0,2,6, or by name (default: all in turn)")
    parser.add_argument("--seed", type=natural, default=0, help="seed of the latent vectors")
    parser.add_argument(
        "--latents", type=path,
        help="draw the latent vectors of this file, which `minigan edit` wrote, under its labels")
    parser.add_argument(
        "--interpolate", action="store_true",
        help=f"draw walks between latent vectors: each row is {STEPS} steps with one label, and "
             "begins where the row above ends")
    parser.add_argument(
        "--single", action="store_true", help="write a file for each image, to a folder")
    parser.add_argument(
        "--raw", action="store_true",
        help="use the generator's own weights, not their moving average")
    parser.add_argument(
        "--data-dir", type=path,
        help="where the files of the run's data set are, for models that start from images "
             "(default: as in training)")
    add_backend(parser)
    add_quiet(parser, "what was written")
    parser.add_argument(
        "--out", type=path,
        help="the PNG to write, or the folder of --single (default: RUN/samples/seed-SEED.png, or "
             "walk-SEED.png; FILE-seed-SEED.png beside a FILE.npz; with --latents, latents-NAME "
             "and walk-NAME)")


def run(options: argparse.Namespace) -> int:
    """Draw images and write them; returns the exit status.

    Raises:
        FileNotFoundError: there is no such file of latents.
        ValueError: RUN and --pretrained are both given, --labels is given for a model without
            labels, --n differs from --labels or stands beside --latents; or the latents are
            another generator's.
    """
    import minigan
    from minigan.runs import load
    from minigan.runs.preview import PAIRED
    if options.backend:
        minigan.use(options.backend)
    source = source_of(options)
    trained = load(source)
    if options.labels and not trained.model.conditional:
        raise ValueError(f"--labels: {trained.model.name} is not conditional")
    if options.latents and options.n:
        raise ValueError("--n: there are as many images as --latents, so leave it out")
    if options.labels and options.n and options.n != len(options.labels):
        raise ValueError(f"--n is {options.n}, but there are {len(options.labels)} --labels")

    draw = _walks if options.interpolate else _images
    images, columns = draw(trained, options)
    _write(images, columns, source, options)
    if images.shape[1:] != trained.model.shape:
        remark(f"of each: {PAIRED}")
    return 0


def _images(trained: Loaded, options: argparse.Namespace) -> tuple[np.ndarray, int]:
    """Images uint8 (n, H, W, C), and how many of them make a row."""
    from minigan.runs.training_data import load_data
    columns = trained.model.n_classes if trained.model.conditional else UNLABELLED
    if options.latents:
        images = trained.sample(labels=options.labels, raw=options.raw, latents=options.latents)
        return images, min(len(images), columns)
    n = options.n or len(options.labels or ()) or 8 * columns
    sources = None
    if options.data_dir:
        sources = load_data(trained.config, options.data_dir)
    images = trained.pictures(n, labels=options.labels, seed=options.seed, raw=options.raw,
                              images=sources)
    return images, min(n, columns)


def _walks(trained: Loaded, options: argparse.Namespace) -> tuple[np.ndarray, int]:
    """The same for walks, each a row."""
    usual = trained.model.n_classes if trained.model.conditional else 8
    rows = options.n or len(options.labels or ()) or usual
    walks = trained.interpolate(None if options.latents else rows, STEPS, options.labels,
                                options.seed, options.raw, options.latents)
    return walks.reshape(-1, *walks.shape[2:]), STEPS


def _write(images: np.ndarray, columns: int, source: Path | None, options: argparse.Namespace
           ) -> None:
    """Write one PNG, or one for each image. source: None for the generator of the package."""
    from minigan import plot
    if options.latents:
        name = f"{'walk' if options.interpolate else 'latents'}-{options.latents.stem}"
    else:
        name = f"{'walk' if options.interpolate else 'seed'}-{options.seed}"
    if source is None:
        usual = Path(f"pretrained-{name}")
    elif source.is_dir():
        usual = source / "samples" / name
    else:  # there may be other files next to it
        usual = source.with_name(f"{source.stem}-{name}")

    if options.single:
        out = options.out or usual
        for i, image in enumerate(images):
            plot.save(image, out / f"{name}-{i:03d}.png")
    else:
        out = options.out or usual.with_name(f"{usual.name}.png")
        plot.save(plot.tile(images, columns), out, scale=2)
    print(f"{plural(len(images), 'image')}: {out.as_posix()}")

"""`minigan sample RUN`: draw images from a finished run."""

from __future__ import annotations

import argparse
from pathlib import Path

from minigan.commands.options import count, labels

HELP = "draw images from a finished run"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which run, which images, and where to write them."""
    parser.add_argument("run_folder", metavar="RUN", help="a run folder or a checkpoint file")
    parser.add_argument("--n", type=count, help="how many images (default: 64, or as many as "
                        "labels)")
    parser.add_argument("--labels", type=labels, help="for conditional models: which, as 2,0,2,6 "
                        "(default: all in turn)")
    parser.add_argument("--seed", type=int, default=0, help="of the latent vectors")
    parser.add_argument("--raw", action="store_true", help="use the generator's own weights, not "
                        "their moving average")
    parser.add_argument("--data-dir", type=Path, help="for models that start from images: where "
                        "the files of their data set are (default: as in training)")
    parser.add_argument("--out", type=Path, help="the PNG to write (default: RUN/samples/"
                        "seed-SEED.png)")


def run(options: argparse.Namespace) -> int:
    """Draw; returns the exit status."""
    from minigan import plot
    from minigan.training import load
    from minigan.training.loading import load_data
    trained = load(options.run_folder)
    if options.labels and not trained.model.conditional:
        raise ValueError(f"--labels: {trained.model.name} is not conditional")
    if options.labels and options.n and options.n != len(options.labels):
        raise ValueError(f"--n is {options.n}, but there are {len(options.labels)} --labels")
    columns = trained.model.n_classes if trained.model.conditional else 8
    n = options.n or len(options.labels or ()) or 8 * columns
    given = options.data_dir and load_data(trained.config, options.data_dir)
    images = trained.pictures(n, labels=options.labels, seed=options.seed, raw=options.raw,
                              images=given)
    source = Path(options.run_folder)
    name = f"seed-{options.seed}.png"
    out = options.out or (source / "samples" / name if source.is_dir() else source.with_name(name))
    plot.save(plot.tile(images, min(n, columns)), out, scale=2)
    print(f"{len(images)} image{'s' * (len(images) > 1)}: {Path(out).as_posix()}")
    return 0

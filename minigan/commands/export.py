"""`minigan export RUN`: a run's generator alone, in a small file."""

from __future__ import annotations

import argparse

from minigan.commands.options import add_run, path, run_of

HELP = "write a run's generator alone, to a small file"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which run, and where to."""
    add_run(parser, "a run folder or a checkpoint file")
    parser.add_argument(
        "--out", type=path, help="the npz file to write (default: RUN/generator.npz)")


def run(options: argparse.Namespace) -> int:
    """Write the file; returns the exit status."""
    from minigan.runs import load
    source = run_of(options)
    trained = load(source)
    folder = source if source.is_dir() else source.parent
    out = trained.export(options.out or folder / "generator.npz")
    config = trained.config
    print(f"{config['model']} {config['preset']}, step {config['step']:,}, "
          f"{out.stat().st_size:,} bytes: {out.as_posix()}")
    return 0

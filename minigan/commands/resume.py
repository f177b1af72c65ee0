"""`minigan resume [RUN]`: go on with a run from where it stopped."""

from __future__ import annotations

import argparse

from minigan.commands.options import (add_backend, add_quiet, add_run, add_speed_options, count,
                                      path, run_of, threads)

HELP = "go on with a run from where it stopped"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which run, and how far."""
    add_run(parser, "a run folder")
    far = parser.add_mutually_exclusive_group()
    far.add_argument(
        "--steps", type=count,
        help="training steps in all, including those already done (default: as many as the run "
             "was started for)")
    far.add_argument("--more", type=count, help="training steps to add to those already done")
    parser.add_argument(
        "--data-dir", type=path,
        help="where the files of the run's data set are (default: where they were)")
    add_backend(parser, "as before")
    add_speed_options(parser, "as before", "as before")
    add_quiet(parser, "the run folder")
    parser.add_argument(
        "--threads", type=threads, help="threads to compute with (default: as before)")


def run(options: argparse.Namespace) -> int:
    """Train; returns the exit status.

    Raises:
        ValueError: there is nothing left to do.
    """
    from minigan.commands.fitting import captures, fit, use_backend
    from minigan.runs import open_run
    from minigan.training import Trainer
    folder = open_run(run_of(options))
    config = folder.read_config()
    use_backend(options, config)
    trainer = Trainer.resume(folder.path, data_dir=options.data_dir, threads=options.threads,
                             capture=captures(options, config))

    total = options.steps or trainer.steps
    if options.more:
        total = trainer.step + options.more
    if total <= trainer.step:
        raise ValueError(f"--steps: {folder} has done {trainer.step:,} of {total:,} steps; --steps "
                         f"is the total, --more adds to it, and `minigan report {folder}` makes "
                         f"its pictures and its report again")
    return fit(trainer, total - trainer.step)

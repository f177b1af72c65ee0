"""`minigan report [RUN]`: make the pictures and the report of a run again."""

from __future__ import annotations

import argparse

from minigan.commands.options import add_run, path, run_of
from minigan.system.console import say

HELP = "make the pictures and the report of a run again"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which run."""
    add_run(parser, "a run folder")
    parser.add_argument(
        "--data-dir", type=path,
        help="where the files of the run's data set are, for models that start from images "
             "(default: as in training)")


def run(options: argparse.Namespace) -> int:
    """Make the pictures and the report; returns the exit status."""
    from minigan.runs import make_report, open_run
    from minigan.runs.training_data import load_data
    folder = open_run(run_of(options))
    images = None
    if options.data_dir:
        images = load_data(folder.read_config(), options.data_dir)
    say(make_report(folder.path, images).as_posix())
    return 0

"""What several commands share: how options look, and the types of their values."""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
from pathlib import Path
from typing import Any

from minigan.system.paths import user_path

MOST_THREADS = max(1024, os.cpu_count() or 1)  # so that a typo does not start a million threads


class Formatter(argparse.ArgumentDefaultsHelpFormatter):
    """Shows defaults, except None and False, which say nothing."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.default is None or action.default is False:
            return action.help
        return super()._get_help_string(action)


def path(text: str) -> Path:
    """A file or folder; ~ is the user's home: in --out=~/runs a shell does not replace it.

    Raises:
        argparse.ArgumentTypeError: it is empty, or ~ is not known.
    """
    if not text:
        raise argparse.ArgumentTypeError("is empty, expected a path")
    try:
        return user_path(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def suggest(action: argparse.Action, words: Any) -> None:
    """Let shell completion offer these words; others may be right as well."""
    setattr(action, "known", tuple(words))


def add_backend(parser: Any, default: str = "MINIGAN_BACKEND, else numpy") -> None:
    """--backend. default: in words."""
    backend = parser.add_argument("--backend", help=f"numpy or cupy (default: {default})")
    suggest(backend, ("numpy", "cupy"))


def add_quiet(parser: Any, result: str) -> None:
    """--quiet. result: what is still printed on standard output."""
    parser.add_argument(
        "--quiet", action="store_true",
        help=f"show no progress; print {result} only, and errors and warnings on standard error")


def add_json(parser: Any, keys: str) -> None:
    """--json. keys: what the document holds."""
    parser.add_argument(
        "--json", action="store_true",
        help=f"for programs: print one JSON document and nothing else on standard output: {keys}")


def print_json(document: Any) -> None:
    """Print a JSON document."""
    print(json.dumps(document, indent=1, allow_nan=False))


def add_run(parser: argparse.ArgumentParser, what: str) -> None:
    """RUN, which may be left out; `run_of` then finds the newest. what: what RUN can be."""
    parser.add_argument(
        "run_folder", metavar="RUN", type=path, nargs="?",
        help=f"{what} (default: the run in runs/ that was written to last)")


def run_of(options: argparse.Namespace) -> Path:
    """The RUN that was given, or the run that was written to last.

    Raises:
        FileNotFoundError: none was given, and there is none in runs/.
    """
    from minigan.runs import newest_run
    given: Path | None = options.run_folder
    return newest_run().path if given is None else given


def add_pretrained(parser: argparse.ArgumentParser, more: str = "") -> None:
    """--pretrained. more: what else it means."""
    parser.add_argument(
        "--pretrained", action="store_true",
        help=f"in place of RUN: the small generator of digits that comes with minigan{more}")


def source_of(options: argparse.Namespace) -> Path | None:
    """What `runs.load` takes: `run_of`, or None for the generator in the package.

    Raises:
        FileNotFoundError: no RUN was given, and there is none in runs/.
        ValueError: RUN and --pretrained are both given.
    """
    if not options.pretrained:
        return run_of(options)
    if options.run_folder is not None:
        raise ValueError(f"--pretrained: it takes the place of RUN, so give one of the two, not "
                         f"also {str(options.run_folder)!r}")
    return None


def count(text: str) -> int:
    """A whole number of 1 or more."""
    return _whole(text, 1)


def natural(text: str) -> int:
    """A whole number of 0 or more."""
    return _whole(text, 0)


def threads(text: str) -> int:
    """A number of threads.

    Raises:
        argparse.ArgumentTypeError: it is not between 1 and MOST_THREADS.
    """
    value = count(text)
    if value > MOST_THREADS:
        raise argparse.ArgumentTypeError(f"must be {MOST_THREADS:,} or less, got {value:,}")
    return value


def number(text: str) -> float:
    """A finite number.

    Raises:
        argparse.ArgumentTypeError: it is something else.
    """
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"must be a finite number, got {text!r}")
    return value


def positive(text: str) -> float:
    """A finite number above 0.

    Raises:
        argparse.ArgumentTypeError: it is something else.
    """
    value = number(text)
    if value <= 0:
        raise argparse.ArgumentTypeError(f"must be above 0, got {text!r}")
    return value


def labels(text: str) -> list[str]:
    """Labels such as 2,0,2,6, or names of classes; a name with a comma goes in double quotes.

    Raises:
        argparse.ArgumentTypeError: a label is missing.
    """
    line = next(csv.reader([text], skipinitialspace=True), [])
    parts = [part.strip() for part in line]
    if not all(parts) or not parts:
        raise argparse.ArgumentTypeError(f"{text!r} lacks a label, expected labels like 2,0,2,6")
    return parts


def _whole(text: str, least: int) -> int:
    try:
        value = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
    if value < least:
        raise argparse.ArgumentTypeError(f"must be {least} or more, got {value}")
    return value


def add_speed_options(parser: Any, precision: str = "fp32", capture: str = "with numpy") -> None:
    """--precision and --capture, for commands that train.

    precision, capture: their defaults, in words.
    """
    parser.add_argument(
        "--precision", choices=("fp32", "tf32"),
        help="precision of products on a GPU: fp32, or tf32, which is faster and rounds factors "
             f"to 10 bits (default: {precision})")
    parser.add_argument(
        "--capture", action=argparse.BooleanOptionalAction,
        help="record a training step once and replay it, on a GPU as a CUDA graph: the same "
             f"numbers, faster (default: {capture})")

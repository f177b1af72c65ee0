"""`minigan play RUN`: a page to play with, in one HTML file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from minigan.commands.options import add_pretrained, add_quiet, add_run, path, source_of
from minigan.system.console import remark

if TYPE_CHECKING:
    from minigan.editing.directions.record import Directions
    from minigan.runs import Loaded

HELP = "make a page to play with, in one HTML file"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which run, and where to write the page."""
    add_run(parser, "a run folder, a checkpoint or an exported file")
    add_pretrained(parser)
    parser.add_argument(
        "--open", action="store_true", help="open the page in a browser of this machine")
    add_quiet(parser, "the name of the page")
    parser.add_argument(
        "--out", type=path,
        help="the HTML file to write (default: RUN/play.html; FILE-play.html beside a FILE.npz; "
             "pretrained-play.html)")


def run(options: argparse.Namespace) -> int:
    """Write the page; returns the exit status.

    Raises:
        ValueError: RUN and --pretrained are both given, or the model starts from images.
    """
    from minigan.play.generator import check_latents
    from minigan.play.page import page
    from minigan.play.writing import check_place, write_page
    from minigan.runs import load
    source = source_of(options)
    out = options.out or _usual(source)
    check_place("--out", out)
    trained = load(source)
    check_latents(trained.model)
    text = page(trained, _directions(trained))
    write_page(out, text)
    print(f"{len(text.encode()):,} bytes: {out.as_posix()}")
    if not (options.open and _opened(out)):
        remark("open it in a browser: it needs no network and no server")
    return 0


def _opened(out: Path) -> bool:
    """Whether a browser was found here, which shows the page now."""
    import webbrowser
    return webbrowser.open(out.resolve().as_uri())


def _usual(source: Path | None) -> Path:
    """Where a page goes if no other place is given."""
    if source is None:
        return Path("pretrained-play.html")
    if source.is_dir():
        return source / "play.html"
    return source.with_name(f"{source.stem}-play.html")


def _directions(trained: Loaded) -> Directions | None:
    """The directions that were measured, else new ones; None where there are none to find."""
    from minigan.editing.directions.finding import find_directions
    try:
        if trained.directions is not None:
            return trained.directions
        remark("no directions were measured for it: looking for some")
    except ValueError as error:
        remark(f"{error}; looking for others")
    try:
        return find_directions(trained.model)
    except ValueError as error:
        remark(f"no directions: {error}")
        return None

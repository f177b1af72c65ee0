"""`minigan data`: list the data sets, and get one; no other command uses the network."""

from __future__ import annotations

import argparse
from pathlib import Path

from minigan.commands.options import add_quiet, path
from minigan.console import is_quiet, remark

HELP = "list data sets, or get one"


def add_options(parser: argparse.ArgumentParser) -> None:
    """list, get NAME, and where the files are."""
    parser.set_defaults(what="list", data_dir=None)
    what = parser.add_subparsers(title="what to do", dest="what", metavar="{list,get}")
    listed = what.add_parser("list", help="what there is, and where it is")
    got = what.add_parser("get", help="download a set's files, or what is missing of them")
    got.add_argument("name", metavar="NAME", help="mnist, fashion-mnist or cifar-10")
    add_quiet(got, "the folder")
    for parser in (listed, got):
        parser.add_argument("--data-dir", type=path, help="data folder, with a folder for each set "
                            "in it (default: MINIGAN_DATA, else the user's cache folder)")


def run(options: argparse.Namespace) -> int:
    """List or get; returns the exit status."""
    if options.what == "get":
        return _get(options.name, options.data_dir)
    from minigan.data import places, sets, sources
    _say("digits", sets.DIGITS, sources.EMBEDDED.stat().st_size if sources.EMBEDDED.is_file()
         else 0, "inside the package; the default")
    for name, source in sets.SETS.items():
        try:
            where = f"in {places.find(source, 'train', options.data_dir)[0].parent}"
        except (FileNotFoundError, ValueError):
            where = f"not here: minigan data get {name}"
        _say(name, source.about, sum(file.size for file in source.downloads), where)
    print(f"{'stacked-mnist':14} {sets.STACKED}\n{'':14} made when it is used")
    print(f"{'a path':14} any folder of pictures, its sub-folders as classes\n"
          f"{'':14} --data PATH --size 64")
    return 0


def _say(name: str, about: str, size: int, where: str) -> None:
    print(f"{name:14} {about}\n{'':14} {size / 1e6:.0f} MB, {where}")


def _get(name: str, folder: Path | None) -> int:
    from minigan.data.download import get
    place = get(name, folder, remark)
    print(place if is_quiet() else f"{name} is in {place}")
    return 0

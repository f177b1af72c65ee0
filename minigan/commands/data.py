"""`minigan data`: list the data sets, or get one; no other command uses the network."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from minigan.commands.options import add_json, add_quiet, path, print_json, suggest
from minigan.system.console import is_quiet, remark

HELP = "list data sets, or get one"


def add_options(parser: argparse.ArgumentParser) -> None:
    """list, get NAME, and the data folder."""
    from minigan.data.sets import SETS
    parser.set_defaults(what="list", data_dir=None, json=False)
    what = parser.add_subparsers(title="what to do", dest="what", metavar="{list,get}")
    listed = what.add_parser("list", help="list the data sets, and where they are (the default)")
    got = what.add_parser("get", help="download a set's files that are not here yet")
    name = got.add_argument("name", metavar="NAME", help="mnist, fashion-mnist or cifar-10")
    suggest(name, SETS)
    add_quiet(got, "the folder")
    add_json(listed, "a list of sets: name, about, bytes (null where there are no files), here, "
                     "folder (null where it is not here, or needs none)")
    for parser in (listed, got):
        parser.add_argument(
            "--data-dir", type=path,
            help="data folder, with a folder for each set in it (default: MINIGAN_DATA, else the "
                 "user's cache folder)")


def run(options: argparse.Namespace) -> int:
    """List or get; returns the exit status."""
    if options.what == "get":
        return _get(options.name, options.data_dir)
    listed = known(options.data_dir)
    if options.json:
        print_json(listed)
        return 0
    for data_set in listed:
        print(f"{data_set['name']:14} {data_set['about']}")
        print(f"{'':14} {_where(data_set)}")
    print(f"{'a path':14} any folder of pictures; its sub-folders are classes")
    print(f"{'':14} --data PATH --size 64")
    return 0


def known(data_dir: Path | None) -> list[dict[str, Any]]:
    """The sets that have a name, and whether their files are here."""
    from minigan.data import places, sets, sources
    listed: list[dict[str, Any]] = [{
        "name": "digits",
        "about": sets.DIGITS,
        "bytes": _size(sources.EMBEDDED),
        "here": sources.EMBEDDED.is_file(),
        "folder": None,
    }]
    for name, source in sets.SETS.items():
        try:
            folder: str | None = str(places.find(source, "train", data_dir)[0].parent)
        except (FileNotFoundError, ValueError):
            folder = None
        listed.append({
            "name": name,
            "about": source.about,
            "bytes": sum(file.size for file in source.downloads),
            "here": folder is not None,
            "folder": folder,
        })
    listed.append({
        "name": "stacked-mnist",
        "about": sets.STACKED,
        "bytes": None,
        "here": True,
        "folder": None,
    })
    return listed


def _size(file: Path) -> int:
    return file.stat().st_size if file.is_file() else 0


def _where(data_set: dict[str, Any]) -> str:
    """Where a set of `known` is, for people."""
    if data_set["bytes"] is None:
        return "made when it is used"
    if data_set["name"] == "digits":
        where = "inside the package; the default"
    elif data_set["here"]:
        where = f"in {data_set['folder']}"
    else:
        where = f"not here: minigan data get {data_set['name']}"
    return f"{data_set['bytes'] / 1e6:.0f} MB, {where}"


def _get(name: str, folder: Path | None) -> int:
    from minigan.data.download import get
    place = get(name, folder, remark)
    print(place if is_quiet() else f"{name} is in {place}")
    return 0

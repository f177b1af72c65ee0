"""Where data files are looked for, and where a download puts them. Nothing is read here."""

from __future__ import annotations

import os
import sys
from pathlib import Path, PurePosixPath, PureWindowsPath

from minigan.data.sets import KnownSet, names
from minigan.system.files import user_path

ARCHIVES = ("cifar-10-binary.tar.gz", "cifar-10-binary.tar")
UNPACKED = ("cifar-10-batches-bin", ".")
PICKLES = ("cifar-10-python.tar.gz", "cifar-10-batches-py")


def cache_folder() -> Path:
    """The user's cache folder for minigan, by the platform's custom; it need not exist."""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or str(Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = str(Path.home() / "Library" / "Caches")
    else:
        base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "minigan"


def roots(folder: Path | None) -> list[Path]:
    """The data folders: the given one alone, otherwise $MINIGAN_DATA and the user's cache folder.

    The first is where a download goes.
    """
    if folder is not None:
        return [folder]
    variable = os.environ.get("MINIGAN_DATA")
    return [*([user_path(variable)] if variable else []), cache_folder()]


def home(source: KnownSet, folder: Path | None) -> Path:
    """The folder that a download of the set's files goes to."""
    return roots(folder)[0] / source.name


def places(source: KnownSet, folder: Path | None) -> list[Path]:
    """Every folder where the set's files may be, the likeliest first."""
    layouts = (source.name, *source.layouts, ".")
    found = [root / layout for root in roots(folder) for layout in layouts]
    return found if folder is not None else [*found, *source.fixed]


def find(source: KnownSet, split: str, folder: Path | None) -> list[Path]:
    """The split's files, or the archive or folder that holds them; see the two below."""
    if source.form == "cifar":
        return [find_cifar(source, folder)]
    return find_idx(source, split, folder)


def find_idx(source: KnownSet, split: str, folder: Path | None) -> list[Path]:
    """The split's files, plain or .gz: all from the first place that has them all.

    Raises:
        FileNotFoundError: no place has; names them all.
    """
    files = source.splits[split]
    for place in places(source, folder):
        paths = [next((path for path in (place / name, place / f"{name}.gz") if path.is_file()),
                      None) for name in files]
        if all(paths):
            return [path for path in paths if path]
    raise missing(source, " and ".join(files) + " (plain or .gz)", folder)


def find_cifar(source: KnownSet, folder: Path | None) -> Path:
    """CIFAR-10's archive, or a folder with its unpacked .bin files.

    Raises:
        FileNotFoundError: no place has either; names them all.
        ValueError: there is only the version for Python.
    """
    for place in places(source, folder):
        for path in (place / name for name in ARCHIVES):
            if path.is_file():
                return path
        for path in (place / name for name in UNPACKED):
            if any((path / name).is_file() for files in source.splits.values() for name in files):
                return path
    for place in places(source, folder):
        for path in (place / name for name in PICKLES):
            if path.exists():
                raise ValueError(
                    f"data: {path} holds pickles, which can run any code when they are read; "
                    f"minigan reads the binary version, `minigan data get cifar-10`")
    raise missing(source, f"{ARCHIVES[0]} or {UNPACKED[0]}", folder)


def missing(source: KnownSet, what: str, folder: Path | None) -> FileNotFoundError:
    """An error that says where was looked and how to get the files."""
    looked = ", ".join(str(place) for place in places(source, folder))
    return FileNotFoundError(
        f"data: {source.title}'s {what} are not in {looked}: get them with "
        f"`minigan data get {source.name}`, or use --data digits, which needs no files")


def is_folder(name: str) -> bool:
    """Whether the name in an `Images.source` is the path of a folder of pictures."""
    return name not in names()


def last_part(path: str) -> str:
    """What to call a folder where its place is nobody's business: the last part of its path.

    Of an absolute path of any system, or of ./NAME; other names stay as they are.
    """
    kinds = (PurePosixPath(path), PureWindowsPath(path))
    for pure in kinds:
        if pure.is_absolute():
            return pure.name or "pictures"
    return path.removeprefix("./")

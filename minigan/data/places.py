"""Where data files are looked for, and where a download puts them. Nothing is read here."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath, PureWindowsPath

from minigan.data.sets import KnownSet, names
from minigan.system.paths import user_path

ARCHIVES = ("cifar-10-binary.tar.gz", "cifar-10-binary.tar")
UNPACKED = ("cifar-10-batches-bin", ".")
PICKLES = ("cifar-10-python.tar.gz", "cifar-10-batches-py")


def cache_folder() -> Path:
    """The user's cache folder for minigan; it need not exist.

    `platformdirs`, which pooch brings and uses itself, knows each system's custom: ~/.cache or
    $XDG_CACHE_HOME, ~/Library/Caches, %LOCALAPPDATA%.
    """
    import platformdirs
    return Path(platformdirs.user_cache_dir("minigan", appauthor=False, opinion=False))


def roots(folder: Path | None) -> list[Path]:
    """The data folders: the given one alone, else $MINIGAN_DATA and the user's cache folder.

    The first is where a download goes.
    """
    if folder is not None:
        return [folder]
    variable = os.environ.get("MINIGAN_DATA")
    if variable:
        return [user_path(variable), cache_folder()]
    return [cache_folder()]


def home(source: KnownSet, folder: Path | None) -> Path:
    """The folder that a download of the set's files goes to."""
    return roots(folder)[0] / source.name


def places(source: KnownSet, folder: Path | None) -> list[Path]:
    """Every folder where the set's files may be, the most likely first."""
    layouts = (source.name, *source.layouts, ".")
    result = [root / layout for root in roots(folder) for layout in layouts]
    if folder is None:
        result += source.fixed
    return result


def find(source: KnownSet, split: str, folder: Path | None) -> list[Path]:
    """The split's files, or the archive or folder that holds them.

    Raises:
        FileNotFoundError, ValueError: as `find_idx` and `find_cifar`.
    """
    if source.form == "cifar":
        return [find_cifar(source, folder)]
    return find_idx(source, split, folder)


def find_idx(source: KnownSet, split: str, folder: Path | None) -> list[Path]:
    """The split's files, plain or .gz: all from the first folder that has them all.

    Raises:
        FileNotFoundError: no folder has them all; lists all folders.
    """
    names = source.splits[split]
    for place in places(source, folder):
        paths = [path for name in names if (path := _plain_or_gzip(place / name))]
        if len(paths) == len(names):
            return paths
    raise missing(source, " and ".join(names) + " (plain or .gz)", folder)


def _plain_or_gzip(path: Path) -> Path | None:
    """The file of that name, or the one with .gz behind it, or None."""
    for candidate in (path, path.with_name(f"{path.name}.gz")):
        if candidate.is_file():
            return candidate
    return None


def find_cifar(source: KnownSet, folder: Path | None) -> Path:
    """CIFAR-10's archive, or a folder with its unpacked .bin files.

    Raises:
        FileNotFoundError: no folder has either; lists all folders.
        ValueError: only the version for Python is there, which consists of pickles.
    """
    members = [member for split in source.splits.values() for member in split]
    for place in places(source, folder):
        for name in ARCHIVES:
            if (place / name).is_file():
                return place / name
        for name in UNPACKED:
            if any((place / name / member).is_file() for member in members):
                return place / name
    for place in places(source, folder):
        for name in PICKLES:
            if (place / name).exists():
                raise ValueError(f"data: {place / name} holds pickles, which can run any code when "
                                 f"they are read; minigan reads the binary version, `minigan data "
                                 f"get cifar-10`")
    raise missing(source, f"{ARCHIVES[0]} or {UNPACKED[0]}", folder)


def missing(source: KnownSet, files: str, folder: Path | None) -> FileNotFoundError:
    """An error that lists the folders that were searched, and says how to get the files."""
    looked = ", ".join(str(place) for place in places(source, folder))
    return FileNotFoundError(
        f"data: {source.title}'s {files} are not in {looked}: get them with "
        f"`minigan data get {source.name}`, or use --data digits, which needs no files")


def is_folder(name: str) -> bool:
    """Whether the name in an `Images.source` is the path of a folder of pictures."""
    return name not in names()


def last_part(path: str) -> str:
    """A folder's name for files that others may read: the last part of its path.

    path: an absolute path of any system, or ./NAME; other names stay as they are.
    """
    for pure in (PurePosixPath(path), PureWindowsPath(path)):
        if pure.is_absolute():
            return pure.name or "pictures"
    return path.removeprefix("./")

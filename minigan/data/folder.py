"""Any folder of pictures as a data set: which files, which labels, and what was left out.

All pictures below the folder are taken, in the order of their paths; names that begin with a dot
are hidden, and are no part of it. If none lies in the folder itself, its sub-folders are the
classes: label 0 is the first of their names, with numbers in names by size (2 before 10). The set
has three channels unless every picture is grey.
"""

from __future__ import annotations

import errno
import os
import re
from collections import defaultdict
from pathlib import Path

import numpy as np

from minigan.data.images import Images
from minigan.data.pictures import Unusable, check_room, decode, look
from minigan.data.places import last_part
from minigan.system.console import is_quiet, standard_error, warn

Found = tuple[Path, int, int, bool]  # a picture file, its width and height, whether it is grey
NAMED = 3  # files that are left out for one reason and named


def load_folder(folder: Path, size: int | None = None) -> Images:
    """The pictures of a folder, uint8 (N, size, size, 1 or 3), under the folder's own name.

    Args:
        folder: an existing folder.
        size: height and width; by default the pictures' own, if they are all of one square size.
            Smaller pictures are left out, for blown up they would teach a GAN to blur.

    Raises:
        ValueError: no picture is left, with what was wrong with the others; or there is no one
            size; or not enough memory.

    Warns:
        UserWarning: files or folders were left out; how many for which reason, and the first ones.
    """
    from tqdm import tqdm

    skipped = LeftOut(folder)
    found = _look_through(folder, size, skipped)
    size = size or _common_size(folder, found)
    channels = 1 if all(grey for *_, grey in found) else 3
    check_room(len(found), size, channels)
    images = np.empty((len(found), size, size, channels), np.uint8)
    used: list[tuple[str, ...]] = []  # paths below the folder
    coloured = False
    stream = standard_error()
    for path, *_ in tqdm(found, desc="reading pictures", unit="", ascii=True, file=stream,
                         disable=is_quiet() or not stream.isatty()):
        try:
            picture = decode(path, size)
        except Unusable as reason:
            skipped.add(str(reason), path)
            continue
        images[len(used)] = picture  # a grey one into all three channels
        coloured |= picture.shape[2] == 3
        used.append(path.relative_to(folder).parts)
    skipped.report(len(used))
    images = images[:len(used), :, :, :3 if coloured else 1]
    labels, classes = _classes(used)
    name = last_part(str(folder.absolute()))
    return Images(np.ascontiguousarray(images), labels, name, "train", classes=classes)


def natural(name: str) -> tuple[list[str | int], str]:
    """What to sort names by: numbers in them by size, letters whatever their case; then as words.

    sorted(["b10", "B2", "a"], key=natural) is ["a", "B2", "b10"].
    """
    parts = re.split(r"(\d+)", name)  # text, number, text, ...
    return [int(part) if i % 2 else part.casefold() for i, part in enumerate(parts)], name


class LeftOut:
    """The files and folders below `folder` that are not used, by reason."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.paths: defaultdict[str, list[str]] = defaultdict(list)

    def add(self, reason: str, path: Path) -> None:
        """Note that a file or folder is left out."""
        self.paths[reason].append(path.relative_to(self.folder).as_posix())

    def report(self, used: int) -> None:
        """Say what was left out: as a warning, or as an error if nothing is left."""
        ordered = sorted(self.paths.items(), key=lambda item: (-len(item[1]), item[0]))
        counts = ", ".join(f"{len(paths):,} {reason} ({_some(paths)})" for reason, paths in ordered)
        if not used:
            raise ValueError(f"data: no picture in {self.folder} can be used"
                             + (f" (left out: {counts})" if counts else ", it has no files"))
        if counts:
            total = sum(map(len, self.paths.values()))
            what = "file is" if total == 1 else "files are"
            warn(f"data: {used:,} pictures of {self.folder} are used, {total:,} {what} left out: "
                 f"{counts}", stacklevel=5)


def _some(paths: list[str]) -> str:
    return ", ".join(paths[:NAMED]) + ", ..." * (len(paths) > NAMED)


def _look_through(folder: Path, size: int | None, skipped: LeftOut) -> list[Found]:
    """The pictures that are large enough, as far as their headers tell; notes the others."""
    found: list[Found] = []
    for path in _files(folder, skipped):
        try:
            width, height, grey = look(path)
        except Unusable as reason:
            skipped.add(str(reason), path)
            continue
        if size is not None and min(width, height) < size:
            skipped.add(f"smaller than {size}x{size}", path)
        else:
            found.append((path, width, height, grey))
    if not found:
        skipped.report(0)
    return found


def _files(folder: Path, skipped: LeftOut) -> list[Path]:
    """All files below that are not hidden, sorted by their paths' parts; links are followed.

    Raises:
        OSError: `folder` itself cannot be read; one below it is noted as left out.
    """
    def unreadable(error: OSError) -> None:
        if Path(error.filename) == folder:
            raise error
        skipped.add("that cannot be read", Path(error.filename))

    seen, files = set(), []
    for place, folders, names in os.walk(folder, onerror=unreadable, followlinks=True):
        if (real := os.path.realpath(place)) in seen:  # a link led in a circle
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        files += [Path(place, name) for name in names if not name.startswith(".")]
    return sorted((path for path in files if _is_file(path, skipped)),
                  key=lambda path: path.parts)


def _is_file(path: Path, skipped: LeftOut) -> bool:
    """Whether there is a file; notes one in a folder that may be listed, but not entered."""
    try:
        return path.is_file()
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ELOOP):
            skipped.add("that cannot be read", path)
        return False


def _common_size(folder: Path, found: list[Found]) -> int:
    sizes = sorted({(width, height) for _, width, height, _ in found})
    (width, height), *others = sizes
    if others or width != height:
        several = f"{width}x{height}" + (f" to {others[-1][0]}x{others[-1][1]}" if others else "")
        raise ValueError(f"--size: the pictures in {folder} are of {several}, choose a size for "
                         "all, as --size 64")
    return width


def _classes(used: list[tuple[str, ...]]) -> tuple[np.ndarray | None, list[str]]:
    """Labels and the classes' names from paths below the folder; (None, []) if it has no classes.

    A single sub-folder is a wrapping and no class.
    """
    if any(len(parts) == 1 for parts in used):
        return None, []
    classes = sorted({parts[0] for parts in used}, key=natural)
    if len(classes) < 2:
        return None, []
    number = {name: label for label, name in enumerate(classes)}
    return np.array([number[parts[0]] for parts in used]), classes

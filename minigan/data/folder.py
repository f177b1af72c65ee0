"""Any folder of pictures as a data set: which files, which labels, and what was left out.

All pictures below the folder are used, in the order of their paths; names that begin with a dot
are hidden and do not count. If no picture lies in the folder itself, its sub-folders are the
classes, labelled from 0 in the order of their names, with numbers in names by size (2 before 10).
The set has three channels unless every picture is grey.
"""

from __future__ import annotations

import errno
import os
import re
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import numpy as np

from minigan.data.images import Images
from minigan.data.pictures import Header, Unusable, check_room, decode, look
from minigan.data.places import last_part
from minigan.system.console import is_quiet, standard_error, warn

NAMED = 3  # files at most that a message names for each reason of leaving files out


class PictureFile(NamedTuple):
    """A picture file."""

    path: Path
    header: Header


def load_folder(folder: Path, size: int | None = None) -> Images:
    """The pictures of a folder, uint8 (N, size, size, 1 or 3), under the folder's own name.

    folder: an existing folder. size: height and width; by default the pictures' own, if all are of
    one square size. Smaller pictures are left out: enlarged, they would teach a GAN to blur.

    Raises:
        ValueError: no picture can be used (the error says why), they have several sizes, or there
            is not enough memory.

    Warns:
        UserWarning: files or folders were left out; says how many for each reason, and names a few.
    """
    from tqdm import tqdm

    skipped = LeftOut(folder)
    usable = _look_through(folder, size, skipped)
    size = size or _common_size(folder, usable)
    channels = 1 if all(file.header.grey for file in usable) else 3
    check_room(len(usable), size, channels)
    images = np.empty((len(usable), size, size, channels), np.uint8)
    used: list[tuple[str, ...]] = []  # paths below the folder
    coloured = False
    stream = standard_error()
    hidden = is_quiet() or not stream.isatty()
    for file in tqdm(usable, desc="reading pictures", unit="", ascii=True, file=stream,
                     disable=hidden):
        try:
            picture = decode(file.path, size)
        except Unusable as reason:
            skipped.add(str(reason), file.path)
            continue
        images[len(used)] = picture  # a grey one fills all three channels
        coloured |= picture.shape[2] == 3
        used.append(file.path.relative_to(folder).parts)
    skipped.report(len(used))

    channels = 3 if coloured else 1
    images = images[:len(used), :, :, :channels]
    labels, classes = _classes(used)
    name = last_part(str(folder.absolute()))
    return Images(np.ascontiguousarray(images), labels, name, "train", classes=classes)


def natural(name: str) -> tuple[list[str | int], str]:
    """A key to sort names by: numbers in them by size, letters regardless of case.

    sorted(["b10", "B2", "a"], key=natural) is ["a", "B2", "b10"].
    """
    pieces: list[str | int] = []
    for i, piece in enumerate(re.split(r"(\d+)", name)):  # text, number, text, ...
        is_number = i % 2 == 1
        pieces.append(int(piece) if is_number else piece.casefold())
    return pieces, name


class LeftOut:
    """The files and folders below `folder` that are not used, by reason."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.paths: defaultdict[str, list[str]] = defaultdict(list)

    def add(self, reason: str, path: Path) -> None:
        """Note that a file or folder is left out."""
        self.paths[reason].append(path.relative_to(self.folder).as_posix())

    def report(self, used: int) -> None:
        """Warn of what was left out. used: how many pictures are used.

        Raises:
            ValueError: no picture is used.

        Warns:
            UserWarning: something was left out.
        """
        counts = self._counts()
        if not used:
            why = f" (left out: {counts})" if counts else ", it has no files"
            raise ValueError(f"data: no picture in {self.folder} can be used{why}")
        if counts:
            total = sum(map(len, self.paths.values()))
            files = "file is" if total == 1 else "files are"
            warn(f"data: {used:,} pictures of {self.folder} are used, {total:,} {files} left out: "
                 f"{counts}", stacklevel=5)

    def _counts(self) -> str:
        """How many files for each reason, the most frequent first, with the first files' names."""
        counts = []
        for reason in sorted(self.paths, key=lambda reason: (-len(self.paths[reason]), reason)):
            paths = self.paths[reason]
            named = ", ".join(paths[:NAMED])
            more = ", ..." if len(paths) > NAMED else ""
            counts.append(f"{len(paths):,} {reason} ({named}{more})")
        return ", ".join(counts)


def _look_through(folder: Path, size: int | None, skipped: LeftOut) -> list[PictureFile]:
    """The pictures that are large enough, by their headers; notes the others in `skipped`."""
    usable: list[PictureFile] = []
    for path in _files(folder, skipped):
        try:
            header = look(path)
        except Unusable as reason:
            skipped.add(str(reason), path)
            continue
        if size is not None and min(header.width, header.height) < size:
            skipped.add(f"smaller than {size}x{size}", path)
        else:
            usable.append(PictureFile(path, header))
    if not usable:
        skipped.report(0)
    return usable


def _files(folder: Path, skipped: LeftOut) -> list[Path]:
    """All files below the folder that are not hidden, sorted by path; links are followed.

    Raises:
        OSError: `folder` itself cannot be read. A folder below it is noted as left out.
    """
    def unreadable(error: OSError) -> None:
        if Path(error.filename) == folder:
            raise error
        skipped.add("that cannot be read", Path(error.filename))

    seen = set()
    files = []
    for place, folders, names in os.walk(folder, onerror=unreadable, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:  # a link led in a circle
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        files += [Path(place, name) for name in names if not name.startswith(".")]
    files = [path for path in files if _is_file(path, skipped)]
    return sorted(files, key=lambda path: path.parts)


def _is_file(path: Path, skipped: LeftOut) -> bool:
    """Whether a path is a file; notes a path in a folder that can be listed, but not entered."""
    try:
        return path.is_file()
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ELOOP):
            skipped.add("that cannot be read", path)
        return False


def _common_size(folder: Path, pictures: list[PictureFile]) -> int:
    sizes = sorted({(file.header.width, file.header.height) for file in pictures})
    width, height = sizes[0]
    if len(sizes) > 1 or width != height:
        given = " to ".join(f"{w}x{h}" for w, h in (sizes[0], sizes[-1])[:len(sizes)])
        raise ValueError(f"--size: the pictures in {folder} are {given}; choose one size for all, "
                         "such as --size 64")
    return width


def _classes(used: list[tuple[str, ...]]) -> tuple[np.ndarray | None, list[str]]:
    """Labels and the classes' names from paths below the folder; (None, []) if it has no classes.

    A single sub-folder does not count as a class.
    """
    if any(len(parts) == 1 for parts in used):
        return None, []
    classes = sorted({parts[0] for parts in used}, key=natural)
    if len(classes) < 2:
        return None, []
    label_of = {name: label for label, name in enumerate(classes)}
    labels = np.array([label_of[parts[0]] for parts in used])
    return labels, classes

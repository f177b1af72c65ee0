"""Any folder of pictures as a data set: which files, which labels, and what was left out.

All pictures below the folder are taken, in the order of their paths; names that begin with a dot
are hidden, and are no part of it. If none lies in the folder itself, its sub-folders are the
classes. The set has three channels unless every picture is grey.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import numpy as np

from minigan.console import standard_error, warn
from minigan.data.images import Images
from minigan.data.pictures import Unusable, check_room, decode, look

Found = tuple[Path, int, int, bool]  # a picture file, its width and height, whether it is grey


def load_folder(folder: Path, size: int | None = None) -> Images:
    """The pictures of a folder, uint8 (N, size, size, 1 or 3), under the folder's path as a name.

    Args:
        folder: an existing folder.
        size: height and width; by default the pictures' own, if they are all of one square size.
            Smaller pictures are left out, for blown up they would teach a GAN to blur.

    Raises:
        ValueError: no picture is left, with what was wrong with the others; or there is no one
            size; or not enough memory.

    Warns:
        UserWarning: files were left out; how many for which reason.
    """
    from tqdm import tqdm

    skipped: Counter[str] = Counter()
    found = _look_through(folder, size, skipped)
    size = size or _common_size(folder, found)
    channels = 1 if all(grey for *_, grey in found) else 3
    check_room(len(found), size, channels)
    images = np.empty((len(found), size, size, channels), np.uint8)
    used: list[tuple[str, ...]] = []  # paths below the folder
    coloured = False
    stream = standard_error()
    for path, *_ in tqdm(found, desc="reading pictures", unit="", ascii=True, file=stream,
                         disable=not stream.isatty()):
        try:
            picture = decode(path, size)
        except Unusable as reason:
            skipped[str(reason)] += 1
            continue
        images[len(used)] = picture  # a grey one into all three channels
        coloured |= picture.shape[2] == 3
        used.append(path.relative_to(folder).parts)
    _report(folder, skipped, len(used))
    images = images[:len(used), :, :, :3 if coloured else 1]
    labels, classes = _classes(used)
    return Images(np.ascontiguousarray(images), labels, str(folder), "train", classes=classes)


def _look_through(folder: Path, size: int | None, skipped: Counter[str]) -> list[Found]:
    """The pictures that are large enough, as far as their headers tell; counts the others."""
    found: list[Found] = []
    for path in _files(folder):
        try:
            width, height, grey = look(path)
        except Unusable as reason:
            skipped[str(reason)] += 1
            continue
        if size is not None and min(width, height) < size:
            skipped[f"smaller than {size}x{size}"] += 1
        else:
            found.append((path, width, height, grey))
    if not found:
        _report(folder, skipped, 0)
    return found


def _files(folder: Path) -> list[Path]:
    """All files below that are not hidden, sorted by their paths' parts; links are followed."""
    seen, files = set(), []
    for place, folders, names in os.walk(folder, followlinks=True):
        if (real := os.path.realpath(place)) in seen:  # a link led in a circle
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        files += [Path(place, name) for name in names if not name.startswith(".")]
    return sorted((path for path in files if path.is_file()), key=lambda path: path.parts)


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
    classes = sorted({parts[0] for parts in used})
    if len(classes) < 2:
        return None, []
    return np.array([classes.index(parts[0]) for parts in used]), classes


def _report(folder: Path, skipped: Counter[str], used: int) -> None:
    """Say what was left out: as a warning, or as an error if nothing is left."""
    ordered = sorted(skipped.items(), key=lambda item: (-item[1], item[0]))
    counts = ", ".join(f"{count:,} {reason}" for reason, count in ordered)
    if not used:
        raise ValueError(f"data: no picture in {folder} can be used"
                         + (f" (left out: {counts})" if counts else ", it has no files"))
    if counts:
        warn(f"data: {used:,} pictures of {folder} are used, {skipped.total():,} files are left "
             f"out: {counts}", stacklevel=5)

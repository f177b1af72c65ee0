"""Known sets, read from their authors' files where these are on the disk already."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from minigan.data.cifar import parse_batch, read_batches
from minigan.data.idx import parse_idx, read_contents
from minigan.data.images import Images
from minigan.data.places import find_cifar, find_idx
from minigan.data.sets import SETS, KnownSet
from minigan.system.console import warn


def load_known(source: KnownSet, split: str, folder: Path | None) -> Images:
    """A known set. folder: the only place to look in; None: all of `places`.

    Raises:
        ValueError: the set has no such split, or a file is damaged or another set's.
        FileNotFoundError: the files are not on the disk.
        OSError: a file cannot be read.

    Warns:
        UserWarning: a file is sound, but not the set's original.
    """
    if split not in source.splits:
        raise ValueError(f"split: {split!r}, expected one of {', '.join(source.splits)}")
    if source.form == "cifar":
        return _load_cifar(source, split, folder)
    return _load_idx(source, split, folder)


def _load_idx(source: KnownSet, split: str, folder: Path | None) -> Images:
    image_path, label_path = find_idx(source, split, folder)
    images = _read_idx(image_path, source, 3)               # (N, H, W)
    labels = _read_idx(label_path, source, 1)               # (N,)
    if len(images) != len(labels):
        raise ValueError(f"data: {len(images)} images in {image_path} but {len(labels)} labels "
                         f"in {label_path}")
    classes = source.classes
    if labels.max(initial=0) >= len(classes):               # EMNIST has 26 letters
        classes = ()
    return Images(images[..., np.newaxis], labels, source.name, split, classes=classes)


def _read_idx(path: Path, source: KnownSet, ndim: int) -> NDArray[np.uint8]:
    contents = read_contents(path)
    values = parse_idx(contents, ndim, path)
    _check_origin(contents, path, source)
    return values


def _load_cifar(source: KnownSet, split: str, folder: Path | None) -> Images:
    place = find_cifar(source, folder)
    names = source.splits[split]
    images = []
    labels = []
    for name, contents in zip(names, read_batches(place, names)):
        some_images, some_labels = _read_cifar(contents, place / name, source)
        images.append(some_images)
        labels.append(some_labels)
    return Images(np.concatenate(images), np.concatenate(labels), source.name, split,
                  classes=source.classes)


def _read_cifar(contents: bytes, path: Path, source: KnownSet
                ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    images, labels = parse_batch(contents, len(source.classes), path)
    _check_origin(contents, path, source)
    return images, labels


def _check_origin(contents: bytes, path: Path, source: KnownSet) -> None:
    """Warn if the contents are not the original's; refuse another known set's.

    Raises:
        ValueError: the contents are another set's: MNIST and its likes use the same file names.
    """
    if source.owns(contents):
        return
    for other in SETS.values():
        if other.owns(contents):
            raise ValueError(f"data: {path} is {other.title}'s file, not {source.title}'s")
    warn(f"data: {path} is not {source.title}'s original file; it is used all the same",
         stacklevel=6)  # of the call of `load`

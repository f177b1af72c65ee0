"""The images that a run was trained on: found again, and recognised by a checksum."""

from __future__ import annotations

import os
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np

from minigan import data
from minigan.data import Images, Lazy
from minigan.data.places import is_folder
from minigan.runs.contents import RunContents
from minigan.runs.records import RunConfig


def load_data(config: RunConfig, folder: str | os.PathLike[str] | None = None) -> Images:
    """Load the data set of a run again.

    folder: where its files are now, if not where they were.

    Raises:
        ValueError: the images were made in Python.
        FileNotFoundError: its files are not here.
    """
    source = config.source
    if not source:
        raise ValueError(f"data: the run was trained on images that were made in Python, "
                         f"{config.data!r}; only Python can make them again")
    if folder is not None:
        moved = source.copy()
        if source["name"].startswith("./"):  # an exported file calls a folder of pictures ./NAME
            own = Path(folder, source["name"])
            moved["name"] = str(own if own.is_dir() else Path(folder).absolute())
        else:
            moved["folder"] = os.fspath(folder)
        return as_trained(data.load(**moved), config)
    try:
        return as_trained(data.load(**source), config)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{error} (if they were moved, data_dir, --data-dir in a command, "
                                f"says where to)") from None


def load_data_of(folder: RunContents, config: RunConfig,
                 data_dir: str | os.PathLike[str] | None = None) -> Images:
    """Load the data set of a run again, from where it was last or when the run began.

    config: that of the last checkpoint. data_dir: where its files are now.

    Raises:
        FileNotFoundError, ValueError: as `load_data`.
    """
    try:
        return load_data(config, data_dir)
    except FileNotFoundError:
        first = folder.read_config()
        if data_dir is not None or first.source in (None, config.source):
            raise
        with suppress(FileNotFoundError):
            return load_data(first)
        raise


def as_trained(images: Images, config: RunConfig) -> Images:
    """Images of a folder with the labels that their classes had in the run.

    Early versions, which recorded no names, sorted the folders as words, 10 before 2. Images of
    other classes are returned as they are.
    """
    if images.labels is None or not images.source or not is_folder(images.source["name"]):
        return images
    names = config.class_names
    if names is None:
        names = sorted(images.classes)
    if sorted(names) != sorted(images.classes):
        return images
    return images.ordered(names)


def fingerprint(images: Images) -> int:
    """A checksum of all images, or of what they are made from, and of the labels."""
    pixels = images.images.sources if isinstance(images.images, Lazy) else (images.images,)
    labels = () if images.labels is None else (images.labels,)
    crc = 0
    for array in (*pixels, *labels):
        crc = zlib.crc32(np.ascontiguousarray(array).data, crc)
    return crc


def check_data(images: Images, config: RunConfig) -> None:
    """Make sure that these are the images that the run was trained on.

    Raises:
        ValueError: they are not.
    """
    if fingerprint(images) != config.data_crc32:
        raise ValueError(f"data: {images!r} holds other images or labels than those that the run "
                         f"was trained on, {config.data}")

"""A data set in memory.

Images are bytes, NHWC: as bytes MNIST's train part is 47 MB, as float32 it would be 188 MB.
`ranges` makes them float32 in [-1, 1], batch by batch.
"""

from __future__ import annotations

from typing import Any, Sequence, TypedDict, cast

import numpy as np
from numpy.typing import NDArray

from minigan import plot
from minigan.checks import MOST_CLASSES
from minigan.data.ranges import named_type
from minigan.system import notebook
from minigan.system.notebook import or_text


class Lazy:
    """Stands in for an array of images that would be too large: makes images when it is indexed.

    Subclasses set `shape`, (N, H, W, C), and `sources`, the arrays that the images are made from,
    and define `__getitem__`.
    """

    shape: tuple[int, int, int, int]
    sources: tuple[NDArray[Any], ...]
    dtype = np.dtype(np.uint8)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, which: slice | NDArray[np.integer]) -> NDArray[np.uint8]:
        """The images of a slice or of integers (n,), a new uint8 array (n, H, W, C)."""
        raise NotImplementedError


class Source(TypedDict):
    """The arguments with which `load` makes a data set again; a run's config keeps them."""

    name: str
    split: str
    size: int | None
    folder: str | None


class Images:
    """Images as bytes with their labels, checked once, when they are made.

    images: uint8 (N, H, W, C), N at least 1, C from 1 to 4; 0 is black, 255 is white. A `Lazy`
    makes an array for slices and integers along the first axis only.
    labels: int64 (N,), each from 0 to n_classes - 1, or None if the set has none.
    name: the set's name, as in `load`. split: the part of it, "train" or "test".
    n_classes: the number of classes; 0 without labels. By default as many as `classes`, or the
    highest label + 1, which is too few for a selection that lacks the last class.
    classes: the classes' names in the order of the labels; by default "0", "1", ...

    source: the arguments with which `load` made the set, and will make it again; None for sets that
    were made in Python.

    Raises:
        TypeError: an argument is not a NumPy array, or has another dtype than the one above.
        ValueError: a wrong number of dimensions, no image, channels not last, too many or too few
            labels or names of classes, a label out of range, or more than a million classes.
    """

    def __init__(
        self,
        images: NDArray[np.uint8] | Lazy,
        labels: NDArray[np.integer] | None = None,
        name: str = "images",
        split: str = "train",
        n_classes: int | None = None,
        classes: Sequence[str] = (),
    ) -> None:
        _check_images(images)
        if n_classes is None and classes:
            n_classes = len(classes)
        if labels is None:
            if n_classes:
                raise ValueError(f"n_classes: {n_classes} given, but labels is None")
            n_classes = 0
        else:
            n_classes = _check_labels(labels, len(images), n_classes)
        if classes and len(classes) != n_classes:
            raise ValueError(f"classes: {len(classes)} names for {n_classes} classes")
        self.images = cast("NDArray[np.uint8]", images)
        self.labels = None if labels is None else labels.astype(np.int64)
        self.name = name
        self.split = split
        self.n_classes = n_classes
        self.classes = tuple(classes) or tuple(str(label) for label in range(n_classes))
        self.source: Source | None = None

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        height, width, channels = self.shape
        return (f"Images({self.name}, {self.split}: {len(self)} of {height}x{width}x{channels}, "
                f"{self.n_classes} classes)")

    @or_text
    def _repr_html_(self) -> str:
        """The first images, and what the set is, for a notebook."""
        first = self.images[:notebook.ROWS * notebook.COLUMNS]
        sheet = plot.png(plot.tile(first, notebook.COLUMNS))
        return notebook.captioned(sheet, repr(self))

    def ordered(self, classes: Sequence[str]) -> Images:
        """The same images, with labels that follow the order of `classes`, the same names.

        Raises:
            ValueError: the names differ.
        """
        if sorted(classes) != sorted(self.classes):
            raise ValueError(f"data: {self.name} has the classes {', '.join(self.classes)}, not "
                             f"{', '.join(classes)}")
        if self.labels is None or tuple(classes) == self.classes:
            return self
        order = list(classes)
        new_label = np.array([order.index(name) for name in self.classes])   # by old label
        labels = new_label[self.labels]
        result = Images(self.images, labels, self.name, self.split, classes=classes)
        result.source = self.source
        return result

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, C) of one image."""
        _, height, width, channels = self.images.shape
        return height, width, channels


def _check_images(images: object) -> None:
    if not isinstance(images, (np.ndarray, Lazy)) or images.dtype != np.uint8:
        raise TypeError(f"images: expected a uint8 NumPy array, got {named_type(images)}")
    if len(images.shape) != 4 or 0 in images.shape:
        raise ValueError(f"images: expected (N, H, W, C) and not empty, got {images.shape}")
    if images.shape[3] > 4:  # (N, 1, 28, 28) from another library would train on nonsense
        raise ValueError(f"images: expected channels last, 1 to 4 of them, got {images.shape}")


def _check_labels(labels: object, count: int, n_classes: int | None) -> int:
    if not isinstance(labels, np.ndarray) or not np.issubdtype(labels.dtype, np.integer):
        raise TypeError(f"labels: expected an integer NumPy array or None, got "
                        f"{named_type(labels)}")
    if labels.shape != (count,):
        raise ValueError(f"labels: expected one for each of {count} images, got {labels.shape}")
    lowest = int(labels.min())
    highest = int(labels.max())
    if n_classes is None:
        n_classes = highest + 1
    if n_classes > MOST_CLASSES:
        raise ValueError(f"labels: from {lowest} to {highest}, {n_classes:,} classes; expected "
                         f"{MOST_CLASSES:,} at most: number the classes from 0")
    if lowest < 0 or highest >= n_classes:
        raise ValueError(f"labels: from {lowest} to {highest}, expected 0 to {n_classes - 1}")
    return n_classes

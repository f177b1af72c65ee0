"""A data set in memory, and the map between its bytes and the model's range.

Images are bytes, NHWC: MNIST's train part is 47 MB so and 188 MB as float32. They become float32
in [-1, 1], the range of a tanh output, batch by batch.
"""

from __future__ import annotations

from typing import Any, Sequence, cast

import numpy as np
from numpy.typing import NDArray

from minigan.checks import MOST_CLASSES


class Lazy:
    """Stands in for an array of images that would be too large: makes those that are asked for.

    Subclasses set `shape`, (N, H, W, C), and `sources`, the arrays that it makes them from.
    """

    shape: tuple[int, int, int, int]
    sources: tuple[NDArray[Any], ...]
    dtype = np.dtype(np.uint8)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, which: slice | NDArray[np.integer]) -> NDArray[np.uint8]:
        """The images of a slice or of integers (n,), a new uint8 array (n, H, W, C)."""
        raise NotImplementedError


class Images:
    """Images as bytes with their labels, checked once, when they are made.

    Attributes:
        images: uint8 (N, H, W, C), N at least 1, C from 1 to 4; 0 is black, 255 is white. Of a
            `Lazy` only slices and integers along the first axis make an array.
        labels: int64 (N,), each from 0 to n_classes - 1, or None where the set has none.
        name: the set's name, as in `load`.
        split: the part of it, "train" or "test".
        n_classes: the number of classes; 0 without labels. Unless given, as many as `classes`, or
            the highest label + 1, which is too few for a selection that lacks the last class.
        classes: the classes' names in the order of the labels; unless given, "0", "1", ...
        source: the arguments with which `load` made it, and will make it again; else None.

    Raises:
        TypeError: an argument is no NumPy array, or has another dtype than the one above.
        ValueError: a wrong number of dimensions, no image, channels not last, a label or a class's
            name too many or too few, a label out of range, or more than a million classes.
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
        self.source: dict[str, Any] | None = None

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        height, width, channels = self.shape
        return (f"Images({self.name}, {self.split}: {len(self)} of {height}x{width}x{channels}, "
                f"{self.n_classes} classes)")

    def ordered(self, classes: Sequence[str]) -> Images:
        """The same images, with labels by the order of `classes`, which are the same names.

        Raises:
            ValueError: they are other names.
        """
        if sorted(classes) != sorted(self.classes):
            raise ValueError(f"data: {self.name} has the classes {', '.join(self.classes)}, not "
                             f"{', '.join(classes)}")
        if self.labels is None or tuple(classes) == self.classes:
            return self
        places = np.array([list(classes).index(name) for name in self.classes])
        made = Images(self.images, places[self.labels], self.name, self.split, classes=classes)
        made.source = self.source
        return made

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, C) of one image."""
        _, height, width, channels = self.images.shape
        return height, width, channels


def to_model(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Bytes to the model's range: x = u / 127.5 - 1, so 0 is -1 and 255 is exactly 1.

    Args:
        images: uint8, any shape.

    Returns:
        A new float32 array of the same shape, in [-1, 1].

    Raises:
        TypeError: images is not a uint8 array.
    """
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8:
        raise TypeError(f"images: expected a uint8 NumPy array, got {_kind(images)}")
    x = images.astype(np.float32)
    x /= 127.5
    x -= 1
    return x


def to_bytes(x: NDArray[np.floating]) -> NDArray[np.uint8]:
    """The model's range to bytes: u = clip(rint((x + 1) * 127.5), 0, 255), to_model's inverse.

    Rounding matters: cutting the fraction off returns 63 of the 256 values one too low.

    Args:
        x: a float array, any shape; what lies outside [-1, 1] is clipped.

    Returns:
        A new uint8 array of the same shape.

    Raises:
        TypeError: x is not a float array.
        ValueError: x holds a NaN, which has no byte (the cast would make one up).
    """
    if not isinstance(x, np.ndarray) or not np.issubdtype(x.dtype, np.floating):
        raise TypeError(f"x: expected a float NumPy array, got {_kind(x)}")
    if np.isnan(x).any():
        raise ValueError(f"x: holds {np.count_nonzero(np.isnan(x))} NaN of {x.size} values")
    levels: NDArray[np.floating] = np.clip(np.rint((x + 1) * 127.5), 0, 255)
    return levels.astype(np.uint8)


def _check_images(images: object) -> None:
    if not isinstance(images, (np.ndarray, Lazy)) or images.dtype != np.uint8:
        raise TypeError(f"images: expected a uint8 NumPy array, got {_kind(images)}")
    if len(images.shape) != 4 or 0 in images.shape:
        raise ValueError(f"images: expected (N, H, W, C) and not empty, got {images.shape}")
    if images.shape[3] > 4:  # (N, 1, 28, 28) from another library would train on nonsense
        raise ValueError(f"images: expected channels last, 1 to 4 of them, got {images.shape}")


def _check_labels(labels: object, count: int, n_classes: int | None) -> int:
    if not isinstance(labels, np.ndarray) or not np.issubdtype(labels.dtype, np.integer):
        raise TypeError(f"labels: expected an integer NumPy array or None, got {_kind(labels)}")
    if labels.shape != (count,):
        raise ValueError(f"labels: expected one for each of {count} images, got {labels.shape}")
    lowest, highest = int(labels.min()), int(labels.max())
    if n_classes is None:
        n_classes = highest + 1
    if n_classes > MOST_CLASSES:
        raise ValueError(f"labels: from {lowest} to {highest}, {n_classes:,} classes; expected "
                         f"{MOST_CLASSES:,} at most: number the classes from 0")
    if lowest < 0 or highest >= n_classes:
        raise ValueError(f"labels: from {lowest} to {highest}, expected 0 to {n_classes - 1}")
    return n_classes


def _kind(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype}"
    return f"a {type(value).__name__}"

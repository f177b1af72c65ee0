"""Data sets by name: the digits in the package, and idx files that are on the disk already."""

from __future__ import annotations

import hashlib
import os
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from minigan.data.idx import parse_idx, read_contents
from minigan.data.images import Images

EMBEDDED = Path(__file__).with_name("digits.npz")
ALIASES = {"mnist5k": "digits"}


@dataclass(frozen=True)
class IdxSet:
    """A set of four idx files, two for each split, under their original names.

    Attributes:
        title: the name that people know.
        layouts: folders under a data folder where others or we keep the files.
        fixed: folders where a system's package puts them.
        md5: each file's sum, of its *decompressed* bytes: the .gz of another packer, with another
            name or time in its header, is the same data. It is no guard against malice.
    """

    title: str
    layouts: tuple[str, ...]
    fixed: tuple[Path, ...]
    md5: dict[str, str]


# The sums of MNIST's .gz files are those that torchvision and tensorflow-datasets check; these are
# of what is inside them.
IDX_SETS = {
    "mnist": IdxSet(
        title="MNIST",
        layouts=("mnist", "MNIST/raw"),  # the second is torchvision's
        fixed=(),
        md5={
            "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
            "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
            "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
            "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
        },
    ),
    "fashion-mnist": IdxSet(
        title="Fashion-MNIST",
        layouts=("fashion-mnist", "FashionMNIST/raw"),
        fixed=(Path("/usr/share/datasets/fashion-mnist"),),  # Debian's dataset-fashion-mnist
        md5={
            "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
            "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
            "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
            "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
        },
    ),
}

IDX_SPLITS = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}


def load(
    name: str = "digits",
    split: str = "train",
    folder: str | os.PathLike[str] | None = None,
) -> Images:
    """A data set by its name.

    - "digits" (or "mnist5k"): 5,000 real MNIST digits, 500 a class, inside the package; train only.
    - "mnist", "fashion-mnist": 60,000 train and 10,000 test images of 28x28, from the four idx
      files, plain or .gz, that are already on the disk.

    Args:
        name: one of the above.
        split: "train" or "test".
        folder: a data folder (one subfolder a set) or the folder of the files themselves. It alone
            is searched when given; otherwise $MINIGAN_DATA, the user's cache folder and the
            system's own.

    Returns:
        `Images`, uint8 (N, H, W, C) with int64 labels and 10 classes.

    Raises:
        ValueError: an unknown name, a split that the set lacks, a file that is no idx file of the
            right kind, or images and labels of different number.
        FileNotFoundError: the files are in none of the places; all of them are named.

    Warns:
        UserWarning: a file is sound, but not the set's original (KMNIST has the same names).
    """
    known = ALIASES.get(name, name)
    if known not in ("digits", *IDX_SETS):
        raise ValueError(f"data: unknown set {name!r}, known are "
                         f"{', '.join(['digits', *IDX_SETS, *ALIASES])}")
    images = _load_embedded(split) if known == "digits" else _load_idx(
        known, split, None if folder is None else Path(folder))
    images.source = {"name": known, "split": split,
                     "folder": None if folder is None else os.path.abspath(folder)}
    return images


def cache_folder() -> Path:
    """The user's cache folder for minigan, by the platform's custom; it need not exist."""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or str(Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = str(Path.home() / "Library" / "Caches")
    else:
        base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "minigan"


def _load_embedded(split: str) -> Images:
    if split != "train":
        raise ValueError(f"split: {split!r}, the embedded digits have only 'train' "
                         "(--data mnist has a 'test' part)")
    if not EMBEDDED.is_file():
        raise FileNotFoundError(f"data: the embedded digits are missing ({EMBEDDED}), "
                                "choose another set with --data")
    with np.load(EMBEDDED) as file:
        return Images(file["images"], file["labels"], "digits", split, n_classes=10)


def _load_idx(name: str, split: str, folder: Path | None) -> Images:
    if split not in IDX_SPLITS:
        raise ValueError(f"split: {split!r}, expected one of {', '.join(IDX_SPLITS)}")
    source = IDX_SETS[name]
    image_path, label_path = _find(source, split, folder)
    images = _read(image_path, source, 3)
    labels = _read(label_path, source, 1)
    if len(images) != len(labels):
        raise ValueError(f"data: {len(images)} images in {image_path} but {len(labels)} labels "
                         f"in {label_path}")
    n_classes = max(10, int(labels.max(initial=0)) + 1)  # EMNIST's letters come in this form too
    return Images(images[..., np.newaxis], labels, name, split, n_classes)


def _find(source: IdxSet, split: str, folder: Path | None) -> tuple[Path, Path]:
    """The images' and the labels' file: both from the first place that has both."""
    places = _places(source, folder)
    image_name, label_name = IDX_SPLITS[split]
    for place in places:
        image_path, label_path = _file(place, image_name), _file(place, label_name)
        if image_path and label_path:
            return image_path, label_path
    raise FileNotFoundError(
        f"data: {source.title}'s {image_name} and {label_name} (plain or .gz) are not in "
        f"{', '.join(str(place) for place in places)}: put them there or use --data digits, "
        "which needs no files")


def _places(source: IdxSet, folder: Path | None) -> list[Path]:
    if folder is not None:
        roots = [folder]
    else:
        variable = os.environ.get("MINIGAN_DATA")
        roots = [Path(variable).expanduser()] if variable else []
        roots.append(cache_folder())
    places = [root / layout for root in roots for layout in (*source.layouts, ".")]
    return places if folder is not None else [*places, *source.fixed]


def _file(place: Path, name: str) -> Path | None:
    for path in (place / name, place / f"{name}.gz"):
        if path.is_file():
            return path
    return None


def _read(path: Path, source: IdxSet, ndim: int) -> NDArray[np.uint8]:
    contents = read_contents(path)
    values = parse_idx(contents, ndim, path)
    found = hashlib.md5(contents, usedforsecurity=False).hexdigest()
    if found in source.md5.values():
        return values
    for other in IDX_SETS.values():  # all these sets use the same file names
        if found in other.md5.values():
            raise ValueError(f"data: {path} is {other.title}'s file, not {source.title}'s")
    warnings.warn(f"data: {path} is not {source.title}'s original file (the MD5 of its contents "
                  f"is {found}); it is used all the same", stacklevel=4)
    return values

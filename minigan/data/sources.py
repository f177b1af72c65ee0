"""Data by name: the digits in the package, known sets that are on the disk, folders of images."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from minigan.data.folder import load_folder
from minigan.data.images import Images
from minigan.data.originals import load_known
from minigan.data.pictures import resize
from minigan.data.sets import ALIASES, SETS, names
from minigan.data.stacked_mnist import BASES, COUNT, stack
from minigan.system.console import warn
from minigan.system.paths import user_path

EMBEDDED = Path(__file__).with_name("digits.npz")


def load(
    name: str | os.PathLike[str] = "digits",
    split: str = "train",
    folder: str | os.PathLike[str] | None = None,
    size: int | None = None,
) -> Images:
    """A data set by its name, or from a folder of pictures.

    - "digits" (or "mnist5k"): 5,000 real MNIST digits, 500 a class, inside the package; train only.
    - "mnist", "fashion-mnist": 60,000 train and 10,000 test images, 28x28 and grey, from the four
      idx files, plain or .gz, that are already on the disk.
    - "cifar-10": 50,000 train and 10,000 test images, 32x32 and in colour, from the archive of the
      binary version or its unpacked .bin files, that are already on the disk.
    - "stacked-mnist": three digits of "mnist" as the colours of one picture, 28x28, 1,000 classes;
      128,000 train and 10,000 test images, always the same ones. If MNIST is nowhere on the disk,
      "stacked-digits" takes its place, the same made of the package's digits.
    - a path: the pictures of that folder; see `minigan.data.folder`. Train only. A folder whose
      name is one of the above is written as ./mnist.

    Nothing is downloaded; that is `minigan data get`, or `minigan.data.download.get`.

    name: one of the above. split: "train" or "test".
    folder: a data folder (one subfolder a set) or the folder of the files themselves, which is then
    searched alone; by default $MINIGAN_DATA, the user's cache folder and the folders of a system's
    package. For a folder of pictures: where a relative path begins, or where the folder of an
    absolute path is now.
    size: height and width to bring the images to, as `minigan.data.pictures` does it; by default
    they keep their own.

    Returns `Images`, uint8 (N, H, W, C); int64 labels and 10 classes, except for stacked digits and
    folders of pictures.

    Raises:
        ValueError: an unknown name, a split that the set lacks, a file of the wrong format, a
            different number of images and labels, no usable picture, a size below 1 or one for
            which there is not enough memory.
        FileNotFoundError: the files are nowhere; lists the folders that were searched.

    Warns:
        UserWarning: a file is sound, but not the set's original (KMNIST has the same names); or
            pictures of a folder are left out, with the reasons; or the package's digits are stacked
            in MNIST's place.
    """
    if size is not None and (not isinstance(size, int) or isinstance(size, bool) or size < 1):
        raise ValueError(f"size: {size!r}, expected a whole number of 1 or more")
    text = os.fspath(name)
    known = ALIASES.get(text, text)
    where = None if folder is None else user_path(folder)
    if known in BASES:
        return _load_stacked(known, split, where, size)
    if known == "digits":
        images = _load_embedded(split)
    elif known in SETS:
        images = load_known(SETS[known], split, where)
    else:
        return _load_pictures(text, split, where, size)
    if size is not None:
        images.images = resize(images.images, size)
    images.source = {"name": known, "split": split, "size": size,
                     "folder": None if where is None else str(where.absolute())}
    return images


def _load_stacked(name: str, split: str, folder: Path | None, size: int | None) -> Images:
    """The set's digits, resized and stacked; the test part has as many stacks as digits."""
    try:
        digits = load(BASES[name], split, folder, size)
    except FileNotFoundError:
        if folder is not None or name != "stacked-mnist" or split != "train":
            raise
        warn("data: MNIST is not here (minigan data get mnist), so stacked-digits, made of the "
             "package's 5,000 digits, is used for stacked-mnist; its numbers are not those of "
             "papers", stacklevel=3)
        return _load_stacked("stacked-digits", split, None, size)
    count = COUNT if split == "train" else len(digits)
    images = stack(digits, count, name=name)
    assert digits.source is not None
    images.source = digits.source.copy()
    images.source["name"] = name
    return images


def _load_pictures(text: str, split: str, folder: Path | None, size: int | None) -> Images:
    path = user_path(text)
    if folder is not None:
        path = folder if path.is_absolute() else folder / path
    is_path = text != "" and (path.exists() or path.name != text)  # it has a separator
    if not is_path:
        raise ValueError(f"data: unknown set {text!r}, known are {', '.join([*names(), *ALIASES])} "
                         "and folders of pictures")
    if not path.is_dir():
        given = "a file" if path.exists() else "not there"
        raise FileNotFoundError(f"data: {path} is {given}, expected a folder of pictures")
    if split != "train":
        raise ValueError(f"split: {split!r}, a folder of pictures has only 'train'")
    path = path.resolve() if ".." in path.parts else path.absolute()
    images = load_folder(path, size)
    images.source = {"name": str(path), "split": split, "folder": None, "size": images.shape[0]}
    return images


def _load_embedded(split: str) -> Images:
    if split != "train":
        raise ValueError(f"split: {split!r}, the embedded digits have only 'train' "
                         "(--data mnist has a 'test' part)")
    if not EMBEDDED.is_file():
        raise FileNotFoundError(f"data: the embedded digits are missing ({EMBEDDED}), "
                                "choose another set with --data")
    with np.load(EMBEDDED) as file:
        return Images(file["images"], file["labels"], "digits", split, n_classes=10)

"""The catalogue: which sets there are, which files they consist of, and where these are offered.

Facts only; `places` looks for the files, `originals` reads them, `download` gets them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Mapping


@dataclass(frozen=True)
class Download:
    """A file as it is offered: its name, its size in bytes, and its SHA-256."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class KnownSet:
    """A set of images that others publish.

    Its checksums are of the files' *unpacked* bytes: the archive of another packer, with another
    name or time in its header, is the same data. They tell one set from another; what protects a
    download is its SHA-256.
    """

    name: str                   # in `load`; also the folder under a data folder for its files
    title: str                  # the name that people know
    about: str                  # what is in it, in a few words
    form: str                   # the format of its files, "idx" or "cifar"
    classes: tuple[str, ...]    # their names, in the order of the labels
    layouts: tuple[str, ...]    # folders under a data folder where others keep the files
    fixed: tuple[Path, ...]     # folders where a system's package puts them
    mirrors: tuple[str, ...]    # addresses, each of which offers all `downloads`
    downloads: tuple[Download, ...]
    splits: Mapping[str, tuple[str, ...]]  # the unpacked files' names, by split
    sums: Mapping[str, str]     # checksums, by the unpacked files' names
    sum_kind: str               # "md5" or "sha1", whichever was published

    def owns(self, contents: bytes) -> bool:
        """Whether these are the unpacked bytes of one of the original files."""
        checksum = hashlib.new(self.sum_kind, contents, usedforsecurity=False)
        return checksum.hexdigest() in self.sums.values()


STACKED = "three digits of mnist, else of ours, as the colours of a picture, 1,000 classes"
DIGITS = "5,000 of MNIST's digits, 28x28, grey, 10 classes"
ALIASES = {"mnist5k": "digits", "cifar10": "cifar-10"}
IDX_SPLITS = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}

# The SHA-256s are those that tensorflow-datasets and Keras check, the MD5s those that torchvision
# checks or, of the idx files' contents, computed from files that passed.
SETS = {known.name: known for known in (
    KnownSet(
        name="mnist",
        title="MNIST",
        about="60,000 handwritten digits and 10,000 for tests, 28x28, grey, 10 classes",
        form="idx",
        classes=tuple("0123456789"),
        layouts=("MNIST/raw",),  # torchvision's
        fixed=(),
        mirrors=("https://ossci-datasets.s3.amazonaws.com/mnist/",
                 "https://storage.googleapis.com/cvdf-datasets/mnist/"),
        downloads=(
            Download("train-images-idx3-ubyte.gz", 9_912_422,
                     "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
            Download("train-labels-idx1-ubyte.gz", 28_881,
                     "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
            Download("t10k-images-idx3-ubyte.gz", 1_648_877,
                     "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
            Download("t10k-labels-idx1-ubyte.gz", 4_542,
                     "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
        ),
        splits=IDX_SPLITS,
        sums={
            "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
            "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
            "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
            "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
        },
        sum_kind="md5",
    ),
    KnownSet(
        name="fashion-mnist",
        title="Fashion-MNIST",
        about="60,000 pictures of clothes and 10,000 for tests, 28x28, grey, 10 classes",
        form="idx",
        classes=("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker",
                 "bag", "ankle boot"),
        layouts=("FashionMNIST/raw",),
        fixed=(Path("/usr/share/datasets/fashion-mnist"),),  # Debian's dataset-fashion-mnist
        mirrors=("https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
                 "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"),
        downloads=(
            Download("train-images-idx3-ubyte.gz", 26_421_880,
                     "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
            Download("train-labels-idx1-ubyte.gz", 29_515,
                     "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
            Download("t10k-images-idx3-ubyte.gz", 4_422_102,
                     "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
            Download("t10k-labels-idx1-ubyte.gz", 5_148,
                     "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
        ),
        splits=IDX_SPLITS,
        sums={
            "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
            "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
            "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
            "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
        },
        sum_kind="md5",
    ),
    KnownSet(
        name="cifar-10",
        title="CIFAR-10",
        about="50,000 small photographs and 10,000 for tests, 32x32, colour, 10 classes",
        form="cifar",
        classes=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship",
                 "truck"),
        layouts=(),
        fixed=(),
        mirrors=("https://www.cs.toronto.edu/~kriz/",),
        downloads=(
            Download("cifar-10-binary.tar.gz", 170_052_171,
                     "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"),
        ),
        splits={
            "train": tuple(f"data_batch_{i}.bin" for i in range(1, 6)),
            "test": ("test_batch.bin",),
        },
        sums={
            "data_batch_1.bin": "aadd24acce27caa71bf4b10992e9e7b2d74c2540",
            "data_batch_2.bin": "c0ba65cce70568cd57b4e03e9ac8d2a5367c1795",
            "data_batch_3.bin": "1dd00a74ab1d17a6e7d73e185b69dbf31242f295",
            "data_batch_4.bin": "aab85764eb3584312d3c7f65fd2fd016e36a258e",
            "data_batch_5.bin": "26e2849e66a845b7f1e4614ae70f4889ae604628",
            "test_batch.bin": "67eb016db431130d61cd03c7ad570b013799c88c",
        },
        sum_kind="sha1",
    ),
)}


def names() -> tuple[str, ...]:
    """Every set that has a name, the embedded one first."""
    return ("digits", *SETS, "stacked-mnist", "stacked-digits")

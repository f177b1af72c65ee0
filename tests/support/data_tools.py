"""Small data sets of the tests' own making, and where the real ones are."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
from pathlib import Path

import numpy as np
import pytest
from project import ROOT

from minigan.data import sets

SHARED = ROOT.parent / "shared" / "data"
needs_mnist = pytest.mark.skipif(not (SHARED / "mnist").is_dir(), reason="MNIST is not here")
needs_cifar = pytest.mark.skipif(not (SHARED / "cifar-10").is_dir(), reason="CIFAR is not here")


def idx_bytes(values: np.ndarray) -> bytes:
    header = struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape)
    return header + values.tobytes()


def write_set(folder: Path, count: int = 12, packed: bool = False, split: str = "train") -> Path:
    """A small set in MNIST's form, of its own making."""
    folder.mkdir(parents=True)
    images = np.arange(count * 6, dtype=np.uint8).reshape(count, 2, 3)
    for name, values in zip(sets.IDX_SPLITS[split], (images, images[:, 0, 0] % 10)):
        contents = idx_bytes(values)
        path = folder / (f"{name}.gz" if packed else name)
        path.write_bytes(gzip.compress(contents) if packed else contents)
    return folder


def records(labels: np.ndarray, pixels: np.ndarray) -> bytes:
    """CIFAR's binary form of labels (N,) and pictures (N, 32, 32, 3), written value by value."""
    out = bytearray()
    for label, picture in zip(labels, pixels):
        out.append(int(label))
        for colour in range(3):
            out += picture[:, :, colour].tobytes()
    return bytes(out)


def write_tar(path: Path, members: dict[str, bytes], mode: str = "w:gz") -> Path:
    """A tar archive of these members."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as archive:
        for name, contents in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(contents)
            archive.addfile(info, io.BytesIO(contents))
    return path

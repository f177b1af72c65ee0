"""Small data sets of the tests' own making, and a machine without any other."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
from pathlib import Path

import numpy as np
import pytest

from minigan.data import places, sets
from minigan.data.cifar import RECORD

ROOT = Path(__file__).resolve().parents[1]
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


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """No data on this machine: neither a variable, a cache, nor a system package."""
    monkeypatch.delenv("MINIGAN_DATA", raising=False)
    monkeypatch.setattr(places, "cache_folder", lambda: tmp_path / "cache")
    return tmp_path

"""The binary format of CIFAR-10: records of a label and the three colours of a picture.

A record has 3073 bytes: the label, then 1024 red, 1024 green and 1024 blue values, each row by row.
Source: A. Krizhevsky, "The CIFAR-10 dataset", section "Binary version". The files lie in a folder
or in the archive as it is published, which is read member by member: nothing is unpacked to the
disk. The version for Python consists of pickles, which can run any code: it is never read.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Sequence

import numpy as np
from numpy.typing import NDArray

SIDE = 32
RECORD = 1 + 3 * SIDE * SIDE
MOST = 100_000 * RECORD  # bytes of a file; the original files have 10,000 records each


def read_batches(place: Path, names: Sequence[str]) -> list[bytes]:
    """The contents of the files of these names, in their order.

    place: a folder that holds them, or a tar archive, compressed or not.

    Raises:
        OSError: a file cannot be read.
        ValueError: one is missing, or the archive is damaged or holds something else.
    """
    found = _read_files(place, names) if place.is_dir() else _read_members(place, names)
    missing = [name for name in names if name not in found]
    if missing:
        raise ValueError(f"data: {place} holds no {', '.join(missing)}")
    return [found[name] for name in names]


def _read_files(folder: Path, names: Sequence[str]) -> dict[str, bytes]:
    found = {}
    for name in names:
        path = folder / name
        if path.is_file():
            _check_size(path, path.stat().st_size)
            found[name] = path.read_bytes()
    return found


def _check_size(path: Path, size: int) -> None:
    if size > MOST:
        raise ValueError(f"data: {path} has {size:,} bytes, a file of CIFAR-10 has at most "
                         f"{MOST:,}")


def _read_members(archive: Path, names: Sequence[str]) -> dict[str, bytes]:
    import tarfile  # here, as few programs read an archive
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(archive, "r|*") as members:  # as a stream: from front to back, once
            for member in members:
                name = Path(member.name).name
                if not member.isfile():
                    continue
                if f"{name}.bin" in names:
                    raise ValueError(f"data: {archive} holds pickles ({member.name}), which can "
                                     "run any code when they are read; minigan reads the binary "
                                     "version, `minigan data get cifar-10`")
                if name in names:
                    _check_size(archive / member.name, member.size)
                    contents = members.extractfile(member)
                    assert contents is not None  # it is None for folders and links only
                    found[name] = contents.read()
                if len(found) == len(names):
                    break
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise ValueError(f"data: {archive} is a damaged or truncated archive, or not an archive "
                         f"({error})") from None
    return found


def parse_batch(contents: bytes, n_classes: int, path: Path
                ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The pictures, uint8 (N, 32, 32, 3), and labels, uint8 (N,), of a file of records.

    contents: its bytes. n_classes: labels are from 0 to n_classes - 1. path: where the bytes come
    from, for the errors.

    Raises:
        ValueError: the bytes are not a whole number of records, or a label is out of range.
    """
    if not contents or len(contents) % RECORD:
        raise ValueError(f"data: {path} has {len(contents)} bytes, expected a multiple of {RECORD} "
                         "(a label and 32x32 pixels of three colours): it is truncated or not of "
                         "the binary version")
    records = np.frombuffer(contents, np.uint8).reshape(-1, RECORD)
    labels = records[:, 0]
    planes = records[:, 1:].reshape(-1, 3, SIDE, SIDE)
    if labels.max() >= n_classes:
        raise ValueError(f"data: {path} has a label {labels.max()}, expected 0 to {n_classes - 1}: "
                         "it is not of the binary version of CIFAR-10")
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), labels

"""The idx format, in which MNIST and the sets made in its likeness come.

A header of big-endian numbers (two zero bytes, the type, the number of dimensions, then each size
as uint32), then the values, last dimension fastest. Source: Y. LeCun, C. Cortes, C. Burges, "The
MNIST database of handwritten digits", section "File formats". Only type 8, bytes, is read.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from minigan.system.machine import memory

_GZIP_START = b"\x1f\x8b"
_TYPE_U8 = 8


def read_contents(path: Path) -> bytes:
    """A file's bytes, decompressed when they are gzip's, whatever the name says.

    Raises:
        OSError: the file cannot be read.
        ValueError: the compressed file is cut off or damaged, or its header declares more than half
            of this machine's memory. What does not belong to the values is not read.
    """
    with open(path, "rb") as raw:
        compressed = raw.read(2) == _GZIP_START
        raw.seek(0)
        if not compressed:
            return _read_declared(raw, path)
        try:
            with gzip.GzipFile(fileobj=raw) as file:
                return _read_declared(file, path)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(f"{path}: damaged or truncated gzip file ({error})") from error


def _read_declared(file: IO[bytes] | gzip.GzipFile, path: Path) -> bytes:
    """Header and values, and a byte more if there is one; what is no idx file only in part."""
    header = file.read(4)
    ndim = header[3] if len(header) == 4 and header[:2] == b"\0\0" else 0
    header += file.read(4 * ndim)
    sizes = struct.unpack(f">{ndim}I", header[4:]) if len(header) == 4 + 4 * ndim else ()
    declared, there = math.prod(sizes), memory()
    if there and declared > there / 2:
        raise ValueError(f"{path}: its header declares {declared / 1e9:.1f} GB, more than half of "
                         f"this machine's {there / 1e9:.1f} GB")
    return header + file.read(declared + 1)


def parse_idx(contents: bytes, ndim: int, path: Path) -> NDArray[np.uint8]:
    """The array in an idx file's decompressed bytes.

    Args:
        contents: header and values.
        ndim: the number of dimensions that is expected: 3 for images, 1 for labels.
        path: where they come from, for the errors.

    Returns:
        uint8, in the shape that the header says; a read-only view of `contents`.

    Raises:
        ValueError: no idx header, another type or number of dimensions, fewer or more values than
            the sizes say.
    """
    if len(contents) < 4 or contents[:2] != b"\0\0":
        raise ValueError(f"{path}: not an idx file, it starts with {contents[:4].hex(' ')!r}, "
                         f"expected '00 00 08 {ndim:02x}'")
    kind, found = contents[2], contents[3]
    if kind != _TYPE_U8:
        raise ValueError(f"{path}: idx type {kind:#04x}, only bytes (0x08) are read")
    if found != ndim:
        raise ValueError(f"{path}: {found} dimensions, expected {ndim} "
                         "(images have 3, labels 1: are the files swapped?)")
    start = 4 + 4 * ndim
    if len(contents) < start:
        raise ValueError(f"{path}: truncated in the header, {len(contents)} of {start} bytes")
    shape = struct.unpack(f">{ndim}I", contents[4:start])
    expected, given = math.prod(shape), len(contents) - start
    if given != expected:
        fault = "truncated" if given < expected else "too long"
        raise ValueError(f"{path}: {fault}, {given} values for the sizes {shape}, "
                         f"expected {expected}")
    return np.frombuffer(contents, np.uint8, offset=start).reshape(shape)


def read_idx(path: Path, ndim: int) -> NDArray[np.uint8]:
    """The array in an idx file, plain or gzip: `read_contents`, then `parse_idx`."""
    return parse_idx(read_contents(path), ndim, path)

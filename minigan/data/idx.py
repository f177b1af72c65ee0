"""The idx format, which MNIST and the sets modelled on it use.

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
    """A file's bytes, decompressed if they are gzip's, whatever the name says.

    Of anything behind the values that the header declares, one byte is read, which shows that it
    is there.

    Raises:
        OSError: the file cannot be read.
        ValueError: the compressed file is cut off or damaged, or its header declares more than half
            of this machine's memory.
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
    """Header and values, and one more byte if there is one; the first bytes of any other file."""
    header = file.read(4)
    ndim = header[3] if len(header) == 4 and header[:2] == b"\0\0" else 0
    header += file.read(4 * ndim)
    sizes: tuple[int, ...] = ()
    if len(header) == 4 + 4 * ndim:
        sizes = struct.unpack(f">{ndim}I", header[4:])
    declared = math.prod(sizes)
    available = memory()
    if available and declared > available / 2:
        raise ValueError(f"{path}: its header declares {declared / 1e9:.1f} GB, more than half of "
                         f"this machine's {available / 1e9:.1f} GB")
    return header + file.read(declared + 1)


def parse_idx(contents: bytes, ndim: int, path: Path) -> NDArray[np.uint8]:
    """The array in an idx file's decompressed bytes: uint8, a read-only view of `contents`.

    contents: header and values. ndim: the number of dimensions that is expected, 3 for images and 1
    for labels. path: where the bytes come from, for the errors.

    Raises:
        ValueError: no idx header, another type or number of dimensions, fewer or more values than
            the header's sizes say.
    """
    if len(contents) < 4 or contents[:2] != b"\0\0":
        raise ValueError(f"{path}: not an idx file, it starts with {contents[:4].hex(' ')!r}, "
                         f"expected '00 00 08 {ndim:02x}'")
    value_type = contents[2]
    dimensions = contents[3]
    if value_type != _TYPE_U8:
        raise ValueError(f"{path}: idx type {value_type:#04x}, only bytes (0x08) are read")
    if dimensions != ndim:
        raise ValueError(f"{path}: {dimensions} dimensions, expected {ndim} "
                         "(images have 3, labels 1: are the files swapped?)")
    start = 4 + 4 * ndim
    if len(contents) < start:
        raise ValueError(f"{path}: truncated in the header, {len(contents)} of {start} bytes")
    shape = struct.unpack(f">{ndim}I", contents[4:start])
    expected = math.prod(shape)
    given = len(contents) - start
    if given != expected:
        fault = "truncated" if given < expected else "too long"
        raise ValueError(f"{path}: {fault}, {given} values for the sizes {shape}, "
                         f"expected {expected}")
    return np.frombuffer(contents, np.uint8, offset=start).reshape(shape)

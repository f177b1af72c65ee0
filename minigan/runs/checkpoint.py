"""Checkpoints and exported files: one npz of arrays and a config, no pickle, nothing half written.

A file counts as damaged if anything in it does not fit: each entry is read to its end, where the
zip's checksum is compared, and declared sizes are checked before memory is allocated for them.
"""

from __future__ import annotations

import errno
import json
import math
import struct
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np

from minigan.system.files import replacing
from minigan.system.json_files import parse_json
from minigan.system.machine import memory
from minigan.system.paths import is_file, naming
from minigan.system.turn import no_warnings

CONFIG = "config.json"  # the entry that holds the settings, as UTF-8 bytes
LAYOUT = 2              # of a checkpoint; another number is refused
NEEDED = {"minigan", "layout", "model", "preset", "settings", "shape", "n_classes", "seed"}
ENTRIES = 100_000       # in a file, at most
SMALL = 64 << 20        # bytes that any file may unpack to;
RATIO = 20              # beyond that, times its own size: weights compress to a half, not less
SMALL_LAYER = 4096      # units, classes and pixels that the settings of any file may ask for
SMALL_IMAGE = 1 << 20
BLOCK = 1 << 20         # bytes that are read at once
END = struct.Struct("<4s6xH10x")  # a zip's end, if it has no comment: signature, number of entries


class DamagedError(ValueError):
    """A file is not a checkpoint, or not the whole of one."""


def save(path: Path, arrays: dict[str, np.ndarray], config: dict[str, Any],
         keep: Path | None = None, compress: bool = False, mark: str = "",
         exclusive: bool = False) -> None:
    """Write arrays and a config to one npz; if that fails, the file that was there stays.

    keep: a path that the file that was there is moved to. mark, exclusive: see `replacing`.
    compress: smaller, but slow.

    It writes what numpy.savez writes; that function of NumPy 2.0 leaves its zip file open when the
    disk is full.

    Raises:
        OSError: the file cannot be written.
    """
    compression = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    text = json.dumps(config, indent=1).encode()
    entries = {CONFIG: np.frombuffer(text, np.uint8), **arrays}
    with (replacing(path, mark, keep, exclusive) as file,
          zipfile.ZipFile(file, "w", compression, compresslevel=9) as archive):
        for name, array in entries.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, np.asarray(array), allow_pickle=False)


def load(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays and config of an npz that `save` wrote.

    Raises:
        FileNotFoundError: there is no such file.
        DamagedError: the file is truncated, changed, or not a checkpoint of minigan; or its headers
            declare more than such a file can hold, or than half of this machine's memory.
        ValueError: it was written in another layout.
    """
    arrays = _read(path)
    config = _config(path, arrays.pop(CONFIG, None))
    _check_plausible(path, config, sum(array.size for array in arrays.values()))
    return arrays, config


def load_config(path: Path) -> dict[str, Any]:
    """The config alone, which is quick; the arrays may be damaged.

    Raises:
        FileNotFoundError, DamagedError, ValueError: as `load`.
    """
    return _config(path, _read(path, only=CONFIG).get(CONFIG))


# The arrays.

def _read(path: Path, only: str | None = None) -> dict[str, np.ndarray]:
    """All arrays of an npz, or the only one of that name."""
    if not is_file(path):
        raise FileNotFoundError(f"{path} does not exist")
    with naming(path), open(path, "rb") as file:
        try:
            # NumPy warns of headers of Python 2, which a changed one may look like.
            with no_warnings(), zipfile.ZipFile(file) as archive:
                return _arrays(archive, file, only)
        except Exception as error:  # damage shows in whatever zipfile and NumPy stumble over
            if isinstance(error, OSError) and error.errno != errno.EINVAL:  # a negative offset
                raise
            reason = str(error) or type(error).__name__
            raise DamagedError(f"{path} is damaged or not a checkpoint of minigan "
                               f"({reason})") from None


def _arrays(archive: zipfile.ZipFile, file: IO[bytes], only: str | None) -> dict[str, np.ndarray]:
    entries = archive.infolist()
    _check_sizes(entries, file.seek(0, 2))
    _check_count(entries, file)
    arrays = {}
    for entry in entries:
        name = entry.filename.removesuffix(".npy")
        if only in (None, name):
            arrays[name] = _array(archive, entry)
    return arrays


def _check_sizes(entries: list[zipfile.ZipInfo], size: int) -> None:
    """Refuse entries that declare more than a file of `size` bytes of ours can hold."""
    names = {entry.filename for entry in entries}
    if len(entries) > ENTRIES or len(names) < len(entries):
        raise ValueError("it has too many entries, or two of the same name")
    for entry in entries:
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"entry {entry.filename!r} is compressed in an unknown way")

    declared = sum(entry.file_size for entry in entries)
    most = max(SMALL, RATIO * size)
    if declared > most:
        raise ValueError(f"its entries declare {declared:,} bytes, more than the {most:,} that a "
                         f"file of {size:,} bytes can hold")
    available = memory()
    if available and declared > available / 2:
        raise ValueError(f"its entries declare {declared / 1e9:.1f} GB, more than half of this "
                         f"machine's {available / 1e9:.1f} GB")


def _check_count(entries: list[zipfile.ZipInfo], file: IO[bytes]) -> None:
    """Refuse a zip whose directory was read only in part, because a length in it is damaged."""
    file.seek(-END.size, 2)
    signature, counted = END.unpack(file.read(END.size))
    if signature != b"PK\5\6" or counted not in (len(entries), 0xFFFF):
        raise ValueError(f"its directory has {len(entries)} entries, not as many as its end says")


def _array(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> np.ndarray:
    """The array of an entry, whose size must be exactly what both headers declare."""
    with archive.open(entry) as file:
        if np.lib.format.read_magic(file) != (1, 0):
            raise ValueError(f"entry {entry.filename!r} has an unknown header")
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
        size = math.prod(shape) * dtype.itemsize
        fits = min(shape, default=0) >= 0 and file.tell() + size == entry.file_size
        if dtype.hasobject or not fits:
            raise ValueError(f"entry {entry.filename!r} declares {dtype} {shape} in "
                             f"{entry.file_size:,} bytes")
        array = np.empty(shape, dtype, "F" if fortran else "C")
        if size:
            _fill(array.reshape(-1, order="A").view(np.uint8), file)
        if file.read(1):  # reading to the end compares the checksum
            raise ValueError(f"entry {entry.filename!r} is too long")
        return array


def _fill(array: np.ndarray, file: IO[bytes]) -> None:
    """Read bytes until an array, uint8 (n,), is full."""
    for start in range(0, len(array), BLOCK):
        due = min(BLOCK, len(array) - start)
        block = file.read(due)
        array[start:start + len(block)] = np.frombuffer(block, np.uint8)
        if len(block) < due:
            raise ValueError("it is truncated")


# The config.

def _config(path: Path, text: np.ndarray | None) -> dict[str, Any]:
    """The config from its bytes, checked for the entries that every config has."""
    if text is None or text.dtype != np.uint8:
        raise DamagedError(f"{path} is not a checkpoint of minigan: it holds no config of a run")
    try:
        config = parse_json(text.tobytes())
    except ValueError as error:
        raise DamagedError(f"{path} is damaged or not a checkpoint of minigan (its config is not "
                           f"JSON: {error})") from None
    if not isinstance(config, dict) or not NEEDED <= config.keys():
        raise DamagedError(f"{path} is not a checkpoint of minigan: it holds no config of a run")
    if config["layout"] != LAYOUT:
        raise ValueError(f"{path} was written by minigan {config['minigan']} in layout "
                         f"{config['layout']}; this version reads layout {LAYOUT}")
    return config


def _check_plausible(path: Path, config: dict[str, Any], numbers: int) -> None:
    """Refuse a config that asks for layers or images larger than all arrays of its file."""
    settings = config["settings"]
    sizes = [config["n_classes"]]
    if isinstance(settings, dict):
        sizes += settings.values()
    largest = max((size for size in sizes if isinstance(size, int)), default=0)

    shape = config["shape"]
    sides = [side for side in shape if isinstance(side, int)] if isinstance(shape, list) else []
    pixels = math.prod(sides)

    if largest > max(numbers, SMALL_LAYER) or pixels > max(numbers, SMALL_IMAGE):
        raise DamagedError(f"{path} is damaged or not a checkpoint of minigan (its settings ask "
                           f"for {max(largest, pixels):,}, its arrays hold {numbers:,} numbers)")

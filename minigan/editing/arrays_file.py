"""Arrays in one npz file, compressed; what is read back may be damaged, or anybody's."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any, Mapping

import numpy as np

from minigan.system.paths import exists, is_file, naming

MOST = 1 << 30     # bytes that a file may unpack to


def packed(arrays: Mapping[str, Any]) -> bytes:
    """The bytes of such a file."""
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def unpacked(path: Path, what: str, writer: str) -> dict[str, Any]:
    """All arrays of a file, by name. what: it holds, and writer: the command, for an error.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, not a file, or not an npz; or its entries declare more than a GB.
    """
    if exists(path) and not is_file(path):
        raise ValueError(f"{what}: {path} is not a file, but a folder or a device")
    if not exists(path):
        raise FileNotFoundError(f"{what}: {path} does not exist; `{writer}` writes it")
    with naming(path), open(path, "rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                declared = sum(entry.file_size for entry in archive.infolist())
            if declared > MOST:
                raise ValueError(f"its entries declare {declared:,} bytes, more than {MOST:,}")
            file.seek(0)
            with np.load(file, allow_pickle=False) as arrays:
                return dict(arrays)
        except Exception as error:  # damage shows in whatever zipfile and NumPy stumble over
            if isinstance(error, OSError) and error.errno:
                raise
            raise ValueError(f"{what}: {path} is damaged or not a file that `{writer}` writes "
                             f"({error or type(error).__name__})") from None

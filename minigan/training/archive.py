"""Files that are never half written, and checkpoints: one npz of arrays and a config, no pickle."""

from __future__ import annotations

import json
import os
import warnings
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import Any, IO, Iterator

import numpy as np

CONFIG = "config.json"  # the entry that holds the settings, as UTF-8 bytes
LAYOUT = 2              # of a checkpoint; another number is refused
NEEDED = {"minigan", "layout", "model", "preset", "settings", "shape", "n_classes", "seed"}


class DamagedError(ValueError):
    """A file is no checkpoint, or not the whole of one."""


@contextmanager
def replacing(path: Path, keep: Path | None = None) -> Iterator[IO[bytes]]:
    """A file to write to that becomes `path` only when everything is written.

    keep: what the file that was there is renamed to, in place of being lost.

    Raises:
        OSError: naming `path`, where writing itself does not say (a full disk).
    """
    part = path.with_name(path.name + ".part")
    try:
        with open(part, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if keep is not None and path.exists():
            os.replace(path, keep)  # a kill between these two lines leaves `keep`, and readers know
        os.replace(part, path)
    except OSError as error:
        error.filename = error.filename or str(path)
        raise
    finally:
        part.unlink(missing_ok=True)


def save(path: Path, arrays: dict[str, np.ndarray], config: dict[str, Any],
         keep: Path | None = None, compress: bool = False) -> None:
    """Write arrays and a config to one npz, or leave what was there as it was.

    keep: where the file that was there goes, see `replacing`. compress: smaller, but slow.

    As numpy.savez does it, which in NumPy 2.0 leaves its zip file open when the disk is full.
    """
    kind = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    text = np.frombuffer(json.dumps(config, indent=1).encode(), np.uint8)
    with replacing(path, keep) as file, zipfile.ZipFile(file, "w", kind, compresslevel=9) as zip:
        for name, array in {CONFIG: text, **arrays}.items():
            with zip.open(f"{name}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, np.asarray(array), allow_pickle=False)


def load(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays and config of an npz that `save` wrote.

    Raises:
        FileNotFoundError: there is no such file.
        DamagedError: the file is truncated, changed, or no checkpoint of minigan.
        ValueError: it was written in another layout.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist")
    with open(path, "rb") as file:
        try:
            if not zipfile.is_zipfile(file):
                raise ValueError("it is no complete npz file")
            file.seek(0)
            with warnings.catch_warnings(), np.load(file, allow_pickle=False) as archive:
                warnings.simplefilter("ignore")  # a changed header may look like one of Python 2
                arrays = {name: archive[name] for name in archive.files}
            config = json.loads(bytes(arrays.pop(CONFIG, b"{}")))
        except Exception as error:  # damage shows in whatever zipfile and NumPy stumble over
            raise DamagedError(f"{path} is damaged or no checkpoint of minigan "
                               f"({error or type(error).__name__})") from None
    if not isinstance(config, dict) or not NEEDED <= config.keys():
        raise DamagedError(f"{path} is no checkpoint of minigan: it holds no config of a run")
    if config["layout"] != LAYOUT:
        raise ValueError(f"{path} was written by minigan {config['minigan']} in layout "
                         f"{config['layout']}; this version reads layout {LAYOUT}")
    return arrays, config

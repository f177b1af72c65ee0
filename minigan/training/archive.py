"""Files that are never half written, and checkpoints: one npz of arrays and a config, no pickle."""

from __future__ import annotations

import json
import os
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import Any, IO, Iterator

import numpy as np

CONFIG = "config.json"  # the entry that holds the settings, as UTF-8 bytes


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file to write to that becomes `path` only when everything is written."""
    part = path.with_name(path.name + ".part")
    try:
        with open(part, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def save(path: Path, arrays: dict[str, np.ndarray], config: dict[str, Any]) -> None:
    """Write arrays and a config to one npz, or leave what was there as it was."""
    text = np.frombuffer(json.dumps(config, indent=1).encode(), np.uint8)
    with replacing(path) as file:
        np.savez(file, **{CONFIG: text, **arrays})  # type: ignore[arg-type]


def load(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays and config of an npz that `save` wrote.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is truncated, damaged, or no checkpoint of minigan.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist")
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        config = json.loads(arrays.pop(CONFIG).tobytes())
        if not isinstance(config, dict) or "minigan" not in config or "model" not in config:
            raise KeyError("model")
    except KeyError:
        raise ValueError(f"{path} is no checkpoint of minigan: it holds no config") from None
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, UnicodeDecodeError,
            NotImplementedError) as error:
        raise ValueError(f"{path} is damaged or no checkpoint of minigan ({error})") from None
    return arrays, config

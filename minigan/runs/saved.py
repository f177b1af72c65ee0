"""What a run has saved last: which checkpoint, whether it belongs there, and its data set."""

from __future__ import annotations

import os
import zlib
from contextlib import ExitStack, suppress
from typing import Any

import numpy as np

from minigan.data import Images, Lazy
from minigan.runs import checkpoint
from minigan.runs.folder import RunFolder
from minigan.runs.identity import NUMBERS, SETTINGS, identity
from minigan.runs.places import newest_run, open_run
from minigan.runs.trained import load_data
from minigan.system import files
from minigan.system.console import warn

Saved = tuple[dict[str, np.ndarray], dict[str, Any]]
NEEDED = {*SETTINGS, *NUMBERS, "data", "source", "minigan", "backend", "threads", "environment"}
NEEDED -= {"generation", "owner"}  # checkpoints had none before they had versions


def find(run: Any = None) -> tuple[RunFolder, dict[str, np.ndarray], dict[str, Any]]:
    """A run's folder, and the arrays and the config of its last good checkpoint.

    run: the folder; left out, the newest below runs/. A damaged config.json is written anew from
    the checkpoint, a damaged checkpoint put aside, unless a trainer is at work there: then nothing
    is touched.
    """
    folder = newest_run() if run is None else open_run(run)
    arrays, config = _last_good(folder)
    lacking = sorted(NEEDED - config.keys())
    if lacking:
        raise ValueError(f"{folder.checkpoint} does not fit this version of minigan: its config "
                         f"has no {', '.join(lacking)}")
    folder.restore_config()
    recorded = folder.read_config()
    for name in SETTINGS:
        if config[name] != recorded.get(name):
            raise ValueError(f"{folder.checkpoint} is of another run than {folder.config}: its "
                             f"{name} is {config[name]!r}, not {recorded.get(name)!r}")
    if identity(config) != identity(recorded):
        raise ValueError(f"{folder.checkpoint} is of another run than {folder.config}, though of "
                         f"the same settings: its run is {identity(config)}, not "
                         f"{identity(recorded)}")
    return folder, arrays, config


def _last_good(folder: RunFolder) -> Saved:
    """checkpoint.npz; where that is damaged or gone, previous.npz and a warning that says so."""
    try:
        return checkpoint.load(folder.checkpoint)
    except (FileNotFoundError, checkpoint.DamagedError):
        pass
    with ExitStack() as lock:
        try:
            lock.enter_context(folder.locked())
            ours = True
        except (RuntimeError, OSError):  # a trainer is at work, or there is no config.json to lock
            ours = not files.exists(folder.config)
        return _one_of_both(folder, ours)


def _one_of_both(folder: RunFolder, ours: bool) -> Saved:
    """The better checkpoint; ours: nobody else writes, so that a damaged one can be renamed."""
    try:
        return checkpoint.load(folder.checkpoint)  # once more: now nobody is about to replace it
    except FileNotFoundError as error:
        if not files.exists(folder.previous):
            raise FileNotFoundError(f"{error}: the run has saved nothing") from None
        problem: Exception = error
    except checkpoint.DamagedError as error:
        problem = error
    try:
        saved = checkpoint.load(folder.previous)
    except (checkpoint.DamagedError, FileNotFoundError) as second:
        raise checkpoint.DamagedError(f"{problem}, and there is no other to go on from: "
                                      f"{second}") from None
    aside = ""
    if ours and files.exists(folder.checkpoint):
        aside = f", it is {folder.put_aside()} now"
    warn(f"{problem}{aside}; going on from {folder.previous}, step "
         f"{saved[1].get('step', 0):,}", stacklevel=5)
    return saved


def data_of(folder: RunFolder, config: dict[str, Any],
            data_dir: str | os.PathLike[str] | None = None) -> Images:
    """The data set of a run again: where it was last, or where it was when the run began.

    data_dir: where its files are now.
    """
    try:
        return load_data(config, data_dir)
    except FileNotFoundError:
        first = folder.read_config()
        if data_dir is not None or first.get("source") in (None, config["source"]):
            raise
        with suppress(FileNotFoundError):
            return load_data(first)
        raise


def fingerprint(data: Images) -> int:
    """A check sum of all images, or of what they are made from, and labels."""
    images = data.images.sources if isinstance(data.images, Lazy) else (data.images,)
    crc = 0
    for array in (*images, *([] if data.labels is None else [data.labels])):
        crc = zlib.crc32(np.ascontiguousarray(array).data, crc)
    return crc


def check_data(data: Images, config: dict[str, Any]) -> None:
    """Raise a ValueError unless these are the images that the run was trained on."""
    if fingerprint(data) != config["data_crc32"]:
        raise ValueError(f"data: {data!r} holds other images or labels than those that the run "
                         f"was trained on, {config['data']}")

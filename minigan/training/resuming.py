"""From a run folder back to a trainer: which checkpoint, whether it belongs, what may differ."""

from __future__ import annotations

import os
import zlib
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from minigan import files
from minigan.console import warn
from minigan.data import Images, Lazy
from minigan.training import archive
from minigan.training.folder import RunFolder
from minigan.training.identity import NUMBERS, SETTINGS, identity
from minigan.training.loading import load_data
from minigan.training.runs import newest_run, open_run

if TYPE_CHECKING:
    from minigan.training.trainer import Trainer

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
        return archive.load(folder.checkpoint)
    except (FileNotFoundError, archive.DamagedError):
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
        return archive.load(folder.checkpoint)  # once more: now nobody is about to replace it
    except FileNotFoundError as error:
        if not files.exists(folder.previous):
            raise FileNotFoundError(f"{error}: the run has saved nothing") from None
        problem: Exception = error
    except archive.DamagedError as error:
        problem = error
    try:
        saved = archive.load(folder.previous)
    except (archive.DamagedError, FileNotFoundError) as second:
        raise archive.DamagedError(f"{problem}, and there is no other to go on from: "
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


def load_state(trainer: Trainer, arrays: dict[str, np.ndarray], config: dict[str, Any]) -> None:
    """Set a fresh trainer to a checkpoint; warn where it was written by another machine."""
    try:
        trainer.load_state(arrays, config)
    except (KeyError, TypeError, ValueError) as error:
        reason = f"it has no entry {error}" if isinstance(error, KeyError) else error
        raise ValueError(f"{trainer.folder.checkpoint} does not fit this version of minigan "
                         f"({reason})") from None
    then, now = (_circumstances(settings) for settings in (config, trainer.config))
    changed = [f"{name} was {then[name]} and is {value}" for name, value in now.items()
               if name in then and then[name] != value]  # older ones do not tell all
    if changed:
        warn(f"{trainer.folder} goes on, but may not get the same bits as without a stop: "
             f"{'; '.join(changed)}", stacklevel=3)


def check_source(trainer: Trainer, config: dict[str, Any]) -> None:
    """Warn where the code of a class of one's own is not what it was at the checkpoint."""
    then, now = config.get("class_crc32"), trainer.config["class_crc32"]
    if None not in (then, now) and then != now:
        warn(f"{trainer.folder} goes on with the class {trainer.config['class']}, whose source "
             f"text has changed since it was trained", stacklevel=3)


def _circumstances(config: dict[str, Any]) -> dict[str, Any]:
    """Everything beside the run's own settings that decides about its bits."""
    return {**{name: config[name] for name in ("minigan", "backend", "threads")},
            "precision": config.get("precision", "fp32"),
            **config["environment"]}

"""From a run folder back to a trainer: which checkpoint, whether it belongs, what may differ."""

from __future__ import annotations

import warnings
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from minigan.data import Images, Lazy
from minigan.training import archive
from minigan.training.folder import RunFolder, newest_run, open_run

if TYPE_CHECKING:
    from minigan.training.trainer import Trainer

Saved = tuple[dict[str, np.ndarray], dict[str, Any]]
OF_THE_RUN = ("model", "preset", "settings", "shape", "n_classes", "seed", "batch_size", "data",
              "data_crc32")  # what a checkpoint and its folder's config.json agree on


def find(run: Any = None) -> tuple[RunFolder, dict[str, np.ndarray], dict[str, Any]]:
    """A run's folder, and the arrays and the config of its last good checkpoint.

    run: the folder; left out, the newest below runs/.
    """
    folder = newest_run() if run is None else open_run(run)
    arrays, config = _last_good(folder)
    recorded = folder.read_config()
    for name in OF_THE_RUN:
        if config.get(name) != recorded.get(name):
            raise ValueError(f"{folder.checkpoint} is of another run than {folder.config}: its "
                             f"{name} is {config.get(name)!r}, not {recorded.get(name)!r}")
    return folder, arrays, config


def _last_good(folder: RunFolder) -> Saved:
    """checkpoint.npz; where that is damaged or gone, previous.npz and a warning that says so."""
    try:
        return archive.load(folder.checkpoint)
    except FileNotFoundError as error:
        if not folder.previous.exists():
            raise FileNotFoundError(f"{error}: the run has saved nothing") from None
        problem: Exception = error
    except archive.DamagedError as error:
        problem = error
    try:
        saved = archive.load(folder.previous)
    except (archive.DamagedError, FileNotFoundError) as second:
        raise archive.DamagedError(f"{problem}, and there is no other to go on from: "
                                   f"{second}") from None
    aside = _put_aside(folder.checkpoint)
    warnings.warn(f"{problem}{aside}; going on from {folder.previous}, step "
                  f"{saved[1]['step']:,}", stacklevel=4)
    return saved


def _put_aside(path: Path) -> str:
    """Rename a damaged file, so that nothing overwrites it; what to say about it."""
    if not path.exists():
        return ""
    aside, n = path.with_name("damaged.npz"), 1
    while aside.exists():
        n += 1
        aside = path.with_name(f"damaged-{n}.npz")
    path.rename(aside)
    return f", it is {aside.name} now"


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
        raise ValueError(f"{trainer.folder.checkpoint} does not fit this version of minigan "
                         f"({error})") from None
    then, now = (_circumstances(settings) for settings in (config, trainer.config))
    changed = [f"{name} was {then.get(name)} and is {value}" for name, value in now.items()
               if then.get(name) != value]
    if changed:
        warnings.warn(f"{trainer.folder} goes on, but may not get the same bits as without a stop: "
                      f"{'; '.join(changed)}", stacklevel=3)


def _circumstances(config: dict[str, Any]) -> dict[str, Any]:
    """Everything beside the run's own settings that decides about its bits."""
    return {**{name: config[name] for name in ("minigan", "backend", "threads")},
            "precision": config.get("precision", "fp32"),
            **config["environment"]}

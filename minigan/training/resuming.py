"""A training set to a checkpoint, and what may differ from one without a stop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from minigan.runs.folder import RunFolder
from minigan.system.console import warn
from minigan.training.state import TrainingState

Config = dict[str, Any]


def load_state(state: TrainingState, path: Path, arrays: dict[str, np.ndarray],
               numbers: Config) -> None:
    """Set a fresh training to the checkpoint that was read from `path`.

    Raises:
        ValueError: an entry is missing, or does not fit.
    """
    try:
        state.load_state(arrays, numbers)
    except (KeyError, TypeError, ValueError) as error:
        reason = f"it has no entry {error}" if isinstance(error, KeyError) else error
        raise ValueError(f"{path} does not fit this version of minigan ({reason})") from None


def warn_of_changes(folder: RunFolder, then: Config, now: Config) -> None:
    """Warn where machine, versions or a class's own code are not those of the checkpoint.

    then, now: the config of the checkpoint, and that of the trainer which goes on.
    """
    before = _circumstances(then)
    after = _circumstances(now)
    changed = [f"{name} was {before[name]} and is {value}" for name, value in after.items()
               if name in before and before[name] != value]  # older checkpoints do not tell all
    if changed:
        warn(f"{folder} goes on, but may not get the same bits as without a stop: "
             f"{'; '.join(changed)}", stacklevel=3)

    crcs = (then.get("class_crc32"), now["class_crc32"])
    if None not in crcs and crcs[0] != crcs[1]:
        warn(f"{folder} goes on with the class {now['class']}, whose source text has changed since "
             f"it was trained", stacklevel=3)


def _circumstances(config: Config) -> Config:
    """Everything beside the run's own settings that decides about its bits."""
    return {**{name: config[name] for name in ("minigan", "backend", "threads")},
            "precision": config.get("precision", "fp32"),
            **config["environment"]}

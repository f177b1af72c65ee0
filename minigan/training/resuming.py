"""Setting a training to a checkpoint, and warning of what may make it differ from then on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from minigan.runs.folder import RunFolder
from minigan.runs.records import RunConfig, Saved
from minigan.system.console import warn
from minigan.training.state import TrainingState


def restore(state: TrainingState, saved: Saved, path: Path) -> None:
    """Set a fresh training to the checkpoint that was read from `path`.

    Raises:
        ValueError: an entry is missing, or does not fit.
    """
    try:
        state.restore(saved)
    except (KeyError, TypeError, ValueError) as error:
        reason = f"it has no entry {error}" if isinstance(error, KeyError) else error
        raise ValueError(f"{path} does not fit this version of minigan ({reason})") from None


def warn_of_changes(folder: RunFolder, then: RunConfig, now: RunConfig) -> None:
    """Warn if machine, versions or the code of a user's class are not those of the checkpoint.

    then, now: the config of the checkpoint, and that of the trainer that goes on.
    """
    before = _circumstances(then)
    after = _circumstances(now)
    changed = [f"{name} was {before[name]} and is {value}" for name, value in after.items()
               if name in before and before[name] != value]  # older checkpoints recorded less
    if changed:
        warn(f"{folder} goes on, but may not get the same bits as without a stop: "
             f"{'; '.join(changed)}", stacklevel=3)

    if then.class_crc32 is None or now.class_crc32 is None:
        return
    if then.class_crc32 != now.class_crc32:
        warn(f"{folder} goes on with the class {now.model_class}, whose source text has changed "
             f"since it was trained", stacklevel=3)


def _circumstances(config: RunConfig) -> dict[str, Any]:
    """Everything besides the run's own settings that its bits depend on."""
    return {
        "minigan": config.minigan,
        "backend": config.backend,
        "threads": config.threads,
        "precision": config.precision,
        **config.environment,
    }

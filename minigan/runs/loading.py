"""From a run folder, a checkpoint or an exported file to a model."""

from __future__ import annotations

import os
from pathlib import Path

from minigan.models.identity import is_own
from minigan.models.model import Model
from minigan.models.rebuilding import Maker, rebuild
from minigan.runs import checkpoint
from minigan.runs.exporting import PRETRAINED, restore
from minigan.runs.places import open_run
from minigan.runs.records import RunConfig, Saved
from minigan.runs.trained import Loaded
from minigan.system.paths import user_path


def load(path: str | os.PathLike[str] | None = None, model: Maker | None = None) -> Loaded:
    """The model of a run folder, of a checkpoint or of an exported file, on the default backend.

    path: by default the package's own small generator, of digits on request. model: the class of
    your own model, if it is not found otherwise; see `minigan.models.rebuilding.rebuild`.

    Raises:
        FileNotFoundError: there is nothing at that path, or the run has saved nothing yet.
        TypeError: `model` is not a class derived from `Model`, nor a function that makes one.
        ValueError: the file is damaged, foreign, or of another layout; or its model's class cannot
            be found, or is another one than `model`.
    """
    path = PRETRAINED if path is None else user_path(path)
    source = None if path == PRETRAINED else path
    if path.is_dir():
        folder = open_run(path)
        file = folder.checkpoint
        saved = _read(file, folder.previous)
    else:
        file = path
        saved = _read(file)

    config = saved.config
    made = build(config, file, model)
    try:
        if "holds" in config:
            restore(made, saved.arrays)
        else:
            made.load_state_dict(saved.arrays)
    except (KeyError, TypeError, ValueError) as error:
        raise _misfit(file, config, error) from None
    return Loaded(made, config, source)


def _read(file: Path, previous: Path | None = None) -> Saved:
    """What a file holds. previous: the checkpoint before it, which an error names if it exists."""
    try:
        return Saved.from_file(*checkpoint.load(file))
    except (checkpoint.DamagedError, FileNotFoundError) as error:
        if previous is None or not previous.exists():
            raise
        raise type(error)(f"{error}; the one before is {previous}") from None


def build(config: RunConfig, file: Path, model: Maker | None = None) -> Model:
    """The untrained model of a config that comes from `file`; model: as in `load`.

    Raises:
        TypeError: `model` is not a class derived from `Model`, nor a function that makes one.
        ValueError: there is no such model here, or `model` is another one.
    """
    try:
        return rebuild(config, model)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        if model is not None:
            raise
        if is_own(config):
            raise ValueError(f"{file}: {error}") from None
        raise _misfit(file, config, error) from None


def _misfit(file: Path, config: RunConfig, error: Exception) -> ValueError:
    reader = f"the class {config.model_class}" if is_own(config) else "this version of minigan"
    return ValueError(f"{file} does not fit {reader} ({error})")

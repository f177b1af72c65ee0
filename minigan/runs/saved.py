"""What a run saved last: which of its checkpoints is good, and whether it belongs to the run."""

from __future__ import annotations

import os
from contextlib import ExitStack

from minigan.runs import checkpoint
from minigan.runs.folder import RunFolder
from minigan.runs.places import newest_run, open_run
from minigan.runs.records import NUMBERS, SETTINGS, RunConfig, Saved
from minigan.system.console import warn
from minigan.system.paths import exists

NEEDED = {*SETTINGS, *NUMBERS, "data", "source", "minigan", "backend", "threads", "environment"}
NEEDED -= {"generation", "owner"}  # checkpoints of early versions of minigan have none


def find(run: str | os.PathLike[str] | None = None) -> tuple[RunFolder, Saved]:
    """A run's folder, and its last good checkpoint.

    run: the folder; left out, the newest below runs/. A damaged config.json is written again from
    the checkpoint, and a damaged checkpoint is put aside, unless a trainer is at work there: then
    nothing is touched.

    Raises:
        FileNotFoundError: there is no such run, or it has saved nothing.
        ValueError: no checkpoint is whole; or it is another run's, or lacks an entry.
    """
    folder = newest_run() if run is None else open_run(run)
    saved = _last_good(folder)
    lacking = sorted(NEEDED - saved.config.keys())
    if lacking:
        raise ValueError(f"{folder.checkpoint} does not fit this version of minigan: its config "
                         f"has no {', '.join(lacking)}")
    folder.restore_config()
    _check_same_run(folder, saved.config, folder.read_config())
    return folder, saved


def _check_same_run(folder: RunFolder, saved: RunConfig, recorded: RunConfig) -> None:
    """Raise unless the checkpoint's config and config.json are of one run."""
    for name in SETTINGS:
        if saved[name] != recorded.get(name):
            raise ValueError(f"{folder.checkpoint} is of another run than {folder.config}: its "
                             f"{name} is {saved[name]!r}, not {recorded.get(name)!r}")
    if saved.run_id != recorded.run_id:
        raise ValueError(f"{folder.checkpoint} is of another run than {folder.config}, though of "
                         f"the same settings: its run is {saved.run_id}, not {recorded.run_id}")


def _last_good(folder: RunFolder) -> Saved:
    """checkpoint.npz; where that is damaged or gone, previous.npz and a warning that says so."""
    try:
        return Saved.from_file(*checkpoint.load(folder.checkpoint))
    except (FileNotFoundError, checkpoint.DamagedError):
        pass
    with ExitStack() as lock:
        try:
            lock.enter_context(folder.locked())
            ours = True
        except (RuntimeError, OSError):  # a trainer is at work, or there is no config.json to lock
            ours = not exists(folder.config)
        return _better_of_both(folder, ours)


def _better_of_both(folder: RunFolder, ours: bool) -> Saved:
    """The better checkpoint; ours: nobody else writes, so that a damaged one can be renamed."""
    problem: Exception
    try:  # once more: now nobody is about to replace it
        return Saved.from_file(*checkpoint.load(folder.checkpoint))
    except FileNotFoundError as error:
        if not exists(folder.previous):
            raise FileNotFoundError(f"{error}: the run has saved nothing") from None
        problem = error
    except checkpoint.DamagedError as error:
        problem = error

    try:
        saved = Saved.from_file(*checkpoint.load(folder.previous))
    except (checkpoint.DamagedError, FileNotFoundError) as second:
        raise checkpoint.DamagedError(f"{problem}, and there is no other to go on from: "
                                      f"{second}") from None

    aside = ""
    if ours and exists(folder.checkpoint):
        aside = f", it is {folder.put_aside()} now"
    step = saved.config.get("step", 0)
    warn(f"{problem}{aside}; going on from {folder.previous}, step {step:,}", stacklevel=5)
    return saved

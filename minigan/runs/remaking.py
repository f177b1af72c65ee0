"""Making the pictures and the report of a run again, from what is in its folder.

A kill between the last checkpoint and the last pictures leaves a finished run without them, and so
does a full disk; `minigan report RUN` makes them.
"""

from __future__ import annotations

import os
from pathlib import Path

from minigan.data import Images
from minigan.models.rebuilding import Maker
from minigan.runs import saved as checkpoints
from minigan.runs.loading import build
from minigan.runs.pictures import Pictures
from minigan.runs.training_data import as_trained, check_data, load_data


def make_report(run: str | os.PathLike[str] | None = None, data: Images | None = None,
                model: Maker | None = None) -> Path:
    """Make a run's losses.png, samples.gif, report.html and samples again; returns the report.

    They show the run as it was at its last checkpoint: its samples, losses up to there, and the
    grids that are in samples/. What was trained is not touched, and the training data are needed
    only by models that start from images.

    run: the folder, by default the one below runs/ that was written to last. data: for models that
    start from images, those of the training; left out, they are loaded again. model: as in
    `minigan.load`.

    Raises:
        FileNotFoundError: there is no such run, or it has saved nothing.
        ValueError: its checkpoints are damaged or foreign, or its data are not here.
        RuntimeError: another process trains there; or something could not be made, which is
            reported after everything else is made.
    """
    folder, saved = checkpoints.find(run)
    made = build(saved.config, folder.checkpoint, model)
    made.load_state_dict(saved.arrays)

    if data is None and made.starts_from_images():
        data = load_data(saved.config)
    if data is not None:
        data = as_trained(data, saved.config)
        check_data(data, saved.config)

    pictures = Pictures(folder, made, data, saved.config)
    problems: list[str] = []
    pictures.tell = problems.append
    with folder.locked():
        pictures.draw_samples(saved.numbers.step)
        pictures.draw_summary(saved.numbers)
    if problems:
        raise RuntimeError(f"{folder}: {'; '.join(problems)}")
    return folder.report

"""Reading what a run folder holds; `folder` writes it.

    config.json      what was run: model, settings, data, seed, machine, versions, and the run's id
    metrics.jsonl    one JSON object a line: step, losses, seconds
    samples/         000000.png, 000010.png, ... from fixed latents; latest.png
    samples.gif      the same, moving
    losses.png       the loss curves
    report.html      all of it on one page
    checkpoint.npz   everything that training changed, and the config
    previous.npz     the checkpoint before that
    directions.npz   directions in latent space, if `minigan directions` measured them
    directions.png   a row of pictures for each of them
    edits/           001.png, 001.npz, ...: what `minigan edit` made of real pictures
    damaged*         what could not be read, kept for a person to look at

A folder holds no path of its own and can be moved.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from minigan.runs import checkpoint, log
from minigan.runs.records import NUMBERS, RunConfig
from minigan.runs.stamps import is_whole
from minigan.system.json_files import read_json


class RunContents:
    """The paths of a run's files, and what these hold."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.json"
        self.metrics = path / "metrics.jsonl"
        self.samples = path / "samples"
        self.animation = path / "samples.gif"
        self.losses = path / "losses.png"
        self.report = path / "report.html"
        self.checkpoint = path / "checkpoint.npz"
        self.previous = path / "previous.npz"

    def __str__(self) -> str:
        return self.path.as_posix()

    def read_config(self) -> RunConfig:
        """What config.json holds; if it is damaged or gone, the copy of it in the checkpoint.

        Raises:
            ValueError: there is no config in either.
        """
        try:
            return self.recorded_config()
        except (FileNotFoundError, ValueError) as error:
            saved = self._saved_config()
            if saved is None:
                raise ValueError(f"{error}, and no checkpoint says what it was") from None
            return saved

    def recorded_config(self) -> RunConfig:
        """What config.json holds.

        Raises:
            OSError: it is gone, or cannot be read.
            ValueError: it is damaged, or not minigan's.
        """
        content = read_json(self.config)
        if not isinstance(content, dict) or "minigan" not in content:
            raise ValueError(f"{self.config} is not a config of minigan")
        return RunConfig.from_json(content)

    def _saved_config(self) -> RunConfig | None:
        """The run's config in the last checkpoint that can be read; None if there is none."""
        for path in (self.checkpoint, self.previous):
            with suppress(OSError, ValueError):
                content = checkpoint.load_config(path)
                own = {key: value for key, value in content.items() if key not in NUMBERS}
                return RunConfig.from_json(own)
        return None

    def read_metrics(self) -> list[dict[str, Any]]:
        """All whole lines of metrics.jsonl; damaged ones, or one cut short, are left out."""
        return log.read(self.metrics)[0]

    def grid(self, step: int) -> Path:
        """Where the sample grid of a step is, or would be."""
        return self.samples / f"{step:06d}.png"

    def grids(self) -> dict[int, Path]:
        """The whole PNG files in samples/ named after a step, by that step, in order."""
        steps = sorted(int(path.stem) for path in self.samples.glob("*.png")
                       if path.stem.isascii() and path.stem.isdecimal())
        paths = {step: self.grid(step) for step in steps}
        return {step: path for step, path in paths.items() if is_whole(content_of(path))}


def content_of(path: Path) -> bytes:
    """A file's bytes; b"" if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


# Run folders side by side.

def is_run(path: Path) -> bool:
    """Whether a folder has a config.json of minigan or, if that is damaged, a checkpoint."""
    return run_id_of(path) is not None


def run_id_of(path: Path) -> str | None:
    """The id of the run in a folder; None if there is no run."""
    try:
        return RunContents(path).read_config().run_id
    except (OSError, ValueError):
        return None


def folders_in(root: Path) -> list[Path]:
    """The folders in a folder, by name; none where it cannot be read."""
    try:
        with os.scandir(root) as entries:
            return sorted(Path(entry.path) for entry in entries if entry.is_dir())
    except OSError:
        return []


def last_written(path: Path) -> int:
    """When the last checkpoint was written, else the config, in nanoseconds.

    Raises:
        OSError: there is none.
    """
    try:
        return (path / "checkpoint.npz").stat().st_mtime_ns
    except FileNotFoundError:
        return (path / "config.json").stat().st_mtime_ns

"""The run folder: where a training run writes, and how it gets its place.

    config.json      what was run: model, settings, data, seed, machine, versions
    metrics.jsonl    one JSON object a line: step, losses, seconds
    samples/         000000.png, 000010.png, ... from fixed latents; latest.png
    samples.gif      the same, moving
    losses.png       the loss curves
    report.html      all of it on one page
    checkpoint.npz   everything that training changed, and the config
    previous.npz     the checkpoint before that

A folder holds no path of its own and can be moved.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Callable, ContextManager

from minigan.data.places import user_path
from minigan.training.archive import replacing
from minigan.training.lock import locked


class RunFolder:
    """Paths of one run, and the files that are written a line or a picture at a time."""

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

    def write_config(self, config: dict[str, Any]) -> None:
        """Write config.json."""
        with replacing(self.config) as file:
            file.write(json.dumps(config, indent=1).encode())

    def read_config(self) -> dict[str, Any]:
        """What config.json holds."""
        config: dict[str, Any] = json.loads(self.config.read_text(encoding="utf-8"))
        return config

    def append_metrics(self, record: dict[str, Any]) -> None:
        """Add one line to metrics.jsonl."""
        try:
            with open(self.metrics, "a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")
        except OSError as error:
            error.filename = error.filename or str(self.metrics)
            raise

    def read_metrics(self) -> list[dict[str, Any]]:
        """All lines of metrics.jsonl; one that a kill cut short is left out."""
        if not self.metrics.is_file():
            return []
        with open(self.metrics, encoding="utf-8") as file:
            return [json.loads(line) for line in file if line.endswith("\n")]

    def grids(self) -> dict[int, Path]:
        """The pictures in samples/ by step, in order."""
        return dict(sorted((int(path.stem), path) for path in self.samples.glob("*.png")
                           if path.stem.isdecimal()))

    def go_back(self, step: int, regular: Callable[[int], bool]) -> None:
        """Forget what a run wrote after `step`, and the lines of steps that are not regular.

        A checkpoint of that step is where training goes on: it will write all that again. An
        irregular line is that of a last step which is not the last any more.
        """
        kept = [record for record in self.read_metrics()
                if record["step"] <= step and regular(record["step"])]
        if self.metrics.is_file():
            with replacing(self.metrics) as file:
                file.writelines(json.dumps(record).encode() + b"\n" for record in kept)
        for later, path in self.grids().items():
            if later > step:
                path.unlink()
        for part in (*self.path.glob("*.part"), *self.samples.glob(".*.part")):
            part.unlink()  # a kill left them

    def locked(self) -> ContextManager[None]:
        """While it is held no other trainer can write here."""
        return locked(self.config, str(self))


def new_run(model: str, out: str | os.PathLike[str] | None = None, overwrite: bool = False,
            root: str | os.PathLike[str] = "runs") -> RunFolder:
    """A fresh folder: `out`, or the next free one of root/MODEL-001, -002, ...

    overwrite: if `out` exists and holds a config.json of minigan, it is renamed to OUT.old first.

    Raises:
        FileExistsError: `out` exists, and overwrite is not given or would not be safe.
        RuntimeError: another process trains in `out`.
    """
    if out is None:
        root = user_path(root)
        taken = [int(tail) for path in (root.iterdir() if root.is_dir() else ())
                 if (tail := path.name.removeprefix(f"{model}-")).isdecimal()
                 and path.name.startswith(f"{model}-")]
        path = root / f"{model}-{max(taken, default=0) + 1:03d}"
    else:
        path = user_path(out)
        if path.exists() or path.is_symlink():
            _make_way(path, overwrite)
    (path / "samples").mkdir(parents=True)
    return RunFolder(path)


def _make_way(path: Path, overwrite: bool) -> None:
    if not overwrite:
        raise FileExistsError(f"--out: {path} exists; choose another name, or add --overwrite to "
                              f"replace a run folder (the old one is kept as {path.name}.old)")
    if not _is_run(path):
        raise FileExistsError(f"--overwrite: {path} is not a run folder of minigan (it has no "
                              f"config.json of minigan), so it is left alone")
    with RunFolder(path).locked():
        pass  # nobody trains there, who would go on writing under the same name
    old, n = path.with_name(path.name + ".old"), 1
    while old.exists():
        n += 1
        old = path.with_name(f"{path.name}.old{n}")
    path.rename(old)


def _is_run(path: Path) -> bool:
    try:
        config = json.loads((path / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(config, dict) and "minigan" in config


def newest_run(root: str | os.PathLike[str] = "runs") -> RunFolder:
    """The run below `root` that was written to last.

    Raises:
        FileNotFoundError: there is none.
    """
    found = [path for path in (Path(root).iterdir() if Path(root).is_dir() else ())
             if _is_run(path)]
    if not found:
        raise FileNotFoundError(f"run: there is no run folder of minigan in {Path(root)}; name "
                                f"the one you mean")
    return RunFolder(max(found, key=_last_written))


def _last_written(path: Path) -> float:
    checkpoint = path / "checkpoint.npz"
    return (checkpoint if checkpoint.exists() else path / "config.json").stat().st_mtime


def open_run(path: str | os.PathLike[str]) -> RunFolder:
    """An existing run folder.

    Raises:
        FileNotFoundError: there is none at that path.
    """
    folder = user_path(path)
    if not _is_run(folder):
        raise FileNotFoundError(f"run: {folder} is not a run folder of minigan (it has no "
                                f"config.json of minigan)")
    return RunFolder(folder)

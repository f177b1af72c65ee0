"""What `train` and `resume` share: training, and what is printed about it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, Mapping

from minigan.system.console import is_quiet, plural, remark, say

if TYPE_CHECKING:
    from minigan.training import Trainer


def use_backend(options: argparse.Namespace, before: Mapping[str, Any] | None = None) -> None:
    """Make --backend and --precision the default. before: the config of a run to resume."""
    import minigan
    from minigan.backend import default
    before = before or {}
    name = options.backend or before.get("backend") or default().device
    kept = before.get("precision") if name == before.get("backend") else None
    minigan.use(name, options.precision or kept)


def captures(options: argparse.Namespace, before: Mapping[str, Any] | None = None) -> bool:
    """Whether to capture steps: as --capture says, else as `before`, else on NumPy only.

    before: the config of a run to resume.

    Raises:
        ValueError: --capture is given, and the backend cannot do it.
    """
    from minigan.backend import default
    if options.capture is None:
        kept = (before or {}).get("capture", default().device == "numpy")
        return bool(kept) and default().capturable
    if options.capture and not default().capturable:
        raise ValueError(f"--capture: the backend {default().device!r} cannot capture steps")
    return bool(options.capture)


def fit(trainer: Trainer, steps: int) -> int:
    """Train `steps` further steps, print what is trained and the result; returns the exit status.
    """
    from minigan.system.interrupt import exit_status
    say(str(trainer.folder) if is_quiet() else f"run folder: {trainer.folder}")
    _announce(trainer, steps)
    trainer.fit(steps)

    if trainer.interrupted:
        remark(f"interrupted at step {trainer.step:,}; what was learned is saved in "
               f"{trainer.folder.checkpoint.as_posix()}, and `minigan resume {trainer.folder}` "
               f"goes on from there")
        return exit_status(trainer.signal)
    remark(f"{plural(trainer.step, 'step')} in {trainer.seconds:.0f} s; see "
           f"{trainer.folder.report.as_posix()}")
    return exit_status(trainer.signal) if trainer.signal else 0


def _announce(trainer: Trainer, steps: int) -> None:
    """Print what will be trained, on what, and where to look."""
    from minigan.runs.classes import described
    model = trainer.model
    images = trainer.data
    size = "x".join(map(str, images.shape))
    if trainer.step:
        extent = f"from step {trainer.step:,} to {trainer.step + steps:,},"
    else:
        extent = f"{plural(steps, 'step')} of {trainer.batches.batch_size};"
    remark(f"{model.name} {model.preset} on {images.name} ({plural(len(images), 'image')} {size}), "
           f"{trainer.xp.describe()}, {plural(trainer.threads, 'thread')}, {extent} look at "
           f"{trainer.folder}/samples/latest.png")
    if classes := described(model, images):
        remark(classes)
    if notice := trainer.xp.notice():
        remark(notice)

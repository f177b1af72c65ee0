"""Writing metrics.jsonl during training: which steps get a line, and how none is lost."""

from __future__ import annotations

from typing import Any, Callable, ContextManager

from minigan.runs.folder import RunFolder
from minigan.runs.log import Reading
from minigan.runs.pictures import is_milestone

READ_EVERY = 20  # steps between two readings of the losses: reading waits for the device


class MetricsLog:
    """Adds lines to a run's metrics.jsonl; lines that cannot be written now go with the next ones.

    extra: a context that turns a failure into a warning; see `Pictures.extra`.
    """

    def __init__(self, folder: RunFolder, extra: Callable[[str], ContextManager[None]]) -> None:
        self._folder = folder
        self._extra = extra
        self._unwritten: list[dict[str, Any]] = []

    def add(self, reading: Reading) -> None:
        """Add a line with losses."""
        self._add(reading.to_json())

    def warn(self, step: int, advice: str) -> None:
        """Add a line with a warning about the training."""
        self._add({"step": step, "warning": advice})

    def _add(self, *records: dict[str, Any]) -> None:
        self._folder.check_place()
        self._unwritten += records
        with self._extra("metrics.jsonl"):
            while self._unwritten:
                self._folder.append_metrics(self._unwritten[0])
                del self._unwritten[0]

    def complete(self, reading: Reading) -> None:
        """Before training goes on: add the line of the last step, if an error kept it out.

        reading: the latest losses, {} before the first step. Unwritten lines of later steps are
        dropped: those steps will be done again.
        """
        self._unwritten = [record for record in self._unwritten
                           if record["step"] <= reading.step and is_read(record["step"])]
        records = [*self._folder.read_metrics(), *self._unwritten]
        last = max((record["step"] for record in records), default=0)
        if reading.losses and is_read(reading.step) and last < reading.step:
            self.add(reading)
        else:
            self._add()


def is_read(step: int) -> bool:
    """Whether the losses are read after a step even if it is not the last one."""
    return step == 1 or step % READ_EVERY == 0


def is_regular(record: dict[str, Any]) -> bool:
    """Whether a run that never stopped would have this line of the log, too."""
    return is_read(record["step"]) or "warning" in record and is_milestone(record["step"])

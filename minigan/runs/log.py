"""metrics.jsonl: one JSON object a line, each with its step; written a line at a time.

If the disk was full or the power failed, lines are cut short or damaged. A reader takes those that
are whole.
"""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any, Mapping, NamedTuple

from minigan.system.json_files import parse_json
from minigan.system.paths import is_file, naming

LINE = 1 << 20  # bytes of a line of metrics.jsonl, at most


class Reading(NamedTuple):
    """The losses as they were read after a step."""

    step: int
    losses: dict[str, float]
    seconds: float  # spent training so far

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Reading:
        """The record of a line; a warning's line has no losses."""
        losses = {name: value for name, value in record.items()
                  if name not in ("step", "seconds", "warning")}
        return cls(record["step"], losses, record.get("seconds", 0.0))

    def to_json(self) -> dict[str, Any]:
        """The record as a line holds it."""
        return {"step": self.step, **self.losses, "seconds": round(self.seconds, 3)}


def append(path: Path, record: dict[str, Any]) -> None:
    """Add one line, or nothing.

    Raises:
        OSError: it cannot be written; names the file.
    """
    line = json.dumps(record).encode() + b"\n"
    with naming(path), open(path, "ab", buffering=0) as file:
        written = file.write(line)
        if written < len(line):  # the disk is full, and half a line would spoil the next one
            file.truncate(file.tell() - written)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def read(path: Path) -> tuple[list[dict[str, Any]], int]:
    """The records, and how many lines are damaged; a last line that is cut short is not counted."""
    records: list[dict[str, Any]] = []
    damaged = 0
    if not is_file(path):
        return records, damaged

    with naming(path), open(path, "rb") as file:
        while line := file.readline(LINE):
            record = _record(line)
            if record is not None:
                records.append(record)
            elif line.endswith(b"\n") or len(line) == LINE or b"\0" in line:
                damaged += 1
    return records, damaged


def _record(line: bytes) -> dict[str, Any] | None:
    """The record of a whole line; None if it is not one."""
    if not line.endswith(b"\n"):
        return None
    try:
        record = parse_json(line)
    except ValueError:
        return None
    if not isinstance(record, dict):
        return None
    step = record.get("step")
    return record if type(step) is int and step >= 0 else None

"""metrics.jsonl: one JSON object a line, each with its step; written a line at a time.

The disk may be full and the power may fail, so lines may be cut or damaged. A reader takes those
that are whole.
"""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

from minigan.system import files

LINE = 1 << 20  # bytes of a line of metrics.jsonl, at most


def append(path: Path, record: dict[str, Any]) -> None:
    """Add one line, or nothing.

    Raises:
        OSError: it cannot be written; names the file.
    """
    line = json.dumps(record).encode() + b"\n"
    with files.naming(path), open(path, "ab", buffering=0) as file:
        written = file.write(line)
        if written < len(line):  # the disk is full, and half a line would spoil the next one
            file.truncate(file.tell() - written)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def read(path: Path) -> tuple[list[dict[str, Any]], int]:
    """The records, and how many lines are damaged; a cut last one is not."""
    records: list[dict[str, Any]] = []
    damaged = 0
    if not files.is_file(path):
        return records, damaged
    with files.naming(path), open(path, "rb") as file:
        while line := file.readline(LINE):
            record = _record(line)
            if record is not None:
                records.append(record)
            elif line.endswith(b"\n") or len(line) == LINE or b"\0" in line:
                damaged += 1
    return records, damaged


def _record(line: bytes) -> dict[str, Any] | None:
    """The record of a whole line, None if it is none."""
    try:
        record = files.parse_json(line) if line.endswith(b"\n") else None
    except ValueError:
        return None
    step = record.get("step") if isinstance(record, dict) else None
    return record if type(step) is int and step >= 0 else None

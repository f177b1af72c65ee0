"""JSON from files that may be damaged or hostile: limits, and errors that name the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from minigan.system.paths import naming

JSON_LIMIT = 64 << 20  # bytes; the largest file that minigan writes holds some MB


def read_json(path: Path, limit: int = JSON_LIMIT) -> Any:
    """What a JSON file in UTF-8 holds.

    Raises:
        OSError: it cannot be read.
        ValueError: it is larger than `limit` bytes, not UTF-8, not JSON, or nested too deeply.
    """
    with naming(path), open(path, "rb") as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise ValueError(f"{path} is larger than {limit:,} bytes")
    try:
        return parse_json(content)
    except ValueError as error:
        raise ValueError(f"{path} is not JSON ({error})") from None


def parse_json(content: bytes) -> Any:
    """The value of JSON text in UTF-8, with or without a byte order mark.

    Raises:
        ValueError: it is not UTF-8, not JSON, or nested too deeply.
    """
    try:
        return json.loads(content.decode("utf-8-sig"))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None

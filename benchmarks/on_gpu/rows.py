"""Rows of results: a part prints each as a line of JSON, and the parent process writes it down."""

from __future__ import annotations

import json
from typing import Any


def emit(**row: Any) -> None:
    """One row of results."""
    print(json.dumps(row), flush=True)


def failure(error: Exception) -> str:
    """What went wrong, in one line for a row."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:400]}"

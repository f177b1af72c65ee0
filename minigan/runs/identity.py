"""Which run a config is of, and which of that run's checkpoints it comes from."""

from __future__ import annotations

import hashlib
import json
from typing import Any, NamedTuple

SETTINGS = ("model", "preset", "settings", "shape", "n_classes", "seed", "batch_size",
            "data_crc32")  # what makes a run the one that it is, wherever it and its data are
NUMBERS = ("step", "steps", "seconds", "losses", "streams", "generation", "owner")


class Version(NamedTuple):
    """Which of a run's checkpoints one is: its number, and the trainer that wrote it.

    Checkpoints that were written before there were versions have version (0, "").
    """

    generation: int
    owner: str


def version(config: dict[str, Any]) -> Version:
    """The version of a checkpoint, from its config."""
    return Version(config.get("generation", 0), config.get("owner", ""))


def identity(config: dict[str, Any]) -> str:
    """The run's id: random, or made of the settings where the run was begun without one."""
    return str(config.get("run") or settings_id(config))


def settings_id(config: dict[str, Any]) -> str:
    """32 hexadecimal digits that two runs share if their settings and data are the same."""
    words = json.dumps({name: config.get(name) for name in SETTINGS}, sort_keys=True)
    return hashlib.sha256(words.encode()).hexdigest()[:32]

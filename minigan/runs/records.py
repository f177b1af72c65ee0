"""A run's records: its config, the numbers of a checkpoint, and which checkpoint that is.

They are JSON on the disk only: in config.json, and inside of checkpoints.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, Iterator, Mapping, NamedTuple

import numpy as np

from minigan.data.images import Source

# What makes a run the one that it is, wherever it and its data are.
SETTINGS = ("model", "preset", "settings", "shape", "n_classes", "seed", "batch_size",
            "data_crc32")

# What a checkpoint's config holds beside the run's own.
NUMBERS = ("step", "steps", "seconds", "losses", "streams", "generation", "owner")


@dataclass(frozen=True, kw_only=True, eq=False)
class RunConfig(Mapping[str, Any]):
    """What a person, `minigan.load` or `resume` needs to make a run again: config.json.

    Entries are attributes, `config.seed`, and also have their keys of config.json,
    `config["seed"]`. An entry that the file of another version lacks has its default as attribute,
    and no key; one that this version does not know is kept in `more`, and so are the numbers of a
    checkpoint.
    """

    minigan: str = ""                   # the version of minigan
    layout: int = 0                     # of checkpoints
    run: str = ""                       # the run's id: 32 random hexadecimal digits
    model: str = ""
    model_class: str | None = None      # "minigan.models.gan:GAN"; in JSON "class"
    class_crc32: int | None = None      # of the source text of a user's own class
    preset: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    shape: list[int] = field(default_factory=list)  # of an image: height, width, channels
    n_classes: int = 0
    data: str = ""                      # the data set's name
    source: Source | None = None  # arguments of `minigan.data.load`; None: made in Python
    data_crc32: int | None = None       # of all images and labels
    seed: int = 0
    batch_size: int = 0
    threads: int = 1
    backend: str = "numpy"
    precision: str = "fp32"
    capture: bool = False
    environment: dict[str, Any] = field(default_factory=dict)  # see `system.machine.environment`
    class_names: list[str] | None = None  # in the order of labels; None: an early version's run
    more: dict[str, Any] = field(default_factory=dict)
    entries: tuple[str, ...] = ()       # the keys in JSON, in order; left out, all of the above

    def __post_init__(self) -> None:
        if not self.entries:
            object.__setattr__(self, "entries", tuple(ATTRIBUTES))

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> RunConfig:
        """The record of what config.json, or a checkpoint's config, holds."""
        known = {ATTRIBUTES[key]: value for key, value in content.items() if key in ATTRIBUTES}
        more = {key: value for key, value in content.items() if key not in ATTRIBUTES}
        return cls(**known, more=more, entries=tuple(content))

    def to_json(self) -> dict[str, Any]:
        """The entries by their keys, in the order that they were read in."""
        return dict(self)

    def __getitem__(self, key: str) -> Any:
        if key in self.more:
            return self.more[key]
        if key not in self.entries:
            raise KeyError(key)
        return getattr(self, ATTRIBUTES[key])

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def run_id(self) -> str:
        """The run's id: random, or `settings_id` for a run that was begun without one."""
        return str(self.run or self.settings_id)

    @property
    def settings_id(self) -> str:
        """32 hexadecimal digits that two runs share if their settings and data are the same."""
        settings = {name: self.get(name) for name in SETTINGS}
        words = json.dumps(settings, sort_keys=True)
        return hashlib.sha256(words.encode()).hexdigest()[:32]


# By key in JSON: the attribute.
ATTRIBUTES = {{"model_class": "class"}.get(entry.name, entry.name): entry.name
              for entry in dataclasses.fields(RunConfig)
              if entry.name not in ("more", "entries")}


@dataclass(frozen=True)
class Numbers:
    """How far a training is: what a checkpoint holds beside its arrays and the run's config."""

    step: int                 # steps done
    steps: int                # steps to do in all
    seconds: float            # spent training
    losses: dict[str, float]  # the latest of each kind
    streams: dict[str, int]   # the counters of the random streams

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Numbers:
        """Those of a checkpoint's config.

        Raises:
            KeyError: one is missing.
        """
        return cls(**{entry.name: content[entry.name] for entry in dataclasses.fields(cls)})

    def to_json(self) -> dict[str, Any]:
        """As a checkpoint's config holds them."""
        return dict(vars(self))


class Version(NamedTuple):
    """Which of a run's checkpoints one is: its number, and the trainer that wrote it.

    Checkpoints of early versions of minigan have version (0, "").
    """

    generation: int
    owner: str

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Version:
        """That of a checkpoint, from its config."""
        return cls(content.get("generation", 0), content.get("owner", ""))


class Saved(NamedTuple):
    """What a checkpoint or an exported file holds."""

    arrays: dict[str, np.ndarray]
    config: RunConfig

    @classmethod
    def from_file(cls, arrays: dict[str, np.ndarray], content: Mapping[str, Any]) -> Saved:
        """The record of what `checkpoint.load` returns."""
        return cls(arrays, RunConfig.from_json(content))

    @property
    def numbers(self) -> Numbers:
        """How far the training was.

        Raises:
            KeyError: a number is missing.
        """
        return Numbers.from_json(self.config)

    @property
    def version(self) -> Version:
        """Which of the run's checkpoints it is."""
        return Version.from_json(self.config)

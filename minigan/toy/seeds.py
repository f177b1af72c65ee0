"""One seed of a toy run after another, each saved as soon as it is done, so that a run can go on.

    toy.json       what was run: points, loss, protocol, steps, machine
    seed-0.json    the scores of the seed at the end and on the way, and how long it took
    seed-0.png     samples over time, and the critic's level sets
    report.json    mean and range over the seeds

A seed is done when its json exists. Given again, the same command goes on after the last one.
"""

from __future__ import annotations

import dataclasses
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Iterator, Sequence

from minigan import plot
from minigan.system import files
from minigan.system.allocator import keep_freed_memory
from minigan.system.console import reason, warn
from minigan.system.json_files import read_json
from minigan.system.machine import environment
from minigan.system.paths import exists, user_path
from minigan.toy.pictures import Moment, picture
from minigan.toy.plan import Plan
from minigan.toy.report import summary
from minigan.toy.training import watch
from minigan.version import __version__

if TYPE_CHECKING:
    from minigan.metrics.modes import ModeScores


class ToyRun:
    """A folder with the seeds of one plan.

    out: the folder, by default runs/toy-NAME. An existing one must be of the same plan.

    Raises:
        ValueError: `out` holds something else, or a run of another plan.
    """

    def __init__(self, plan: Plan, out: str | os.PathLike[str] | None = None) -> None:
        self.plan = plan
        self.path = Path("runs", f"toy-{plan.name}") if out is None else user_path(out)
        self._check_place()

    def _check_place(self) -> None:
        """Raise unless the folder is free, or holds seeds of the same plan."""
        if not self.path.exists():
            return
        if all(path.name.startswith(files.TEMPORARY) for path in self.path.iterdir()):
            return
        try:
            there = read_json(self.path / "toy.json")["plan"]
        except (OSError, ValueError, KeyError, TypeError):
            raise ValueError(f"--out: {self.path} exists and is not a toy run (it has no "
                             f"toy.json); choose another name") from None
        if not isinstance(there, dict):
            there = {}
        own = dataclasses.asdict(self.plan)
        differ = [f"{name} {there.get(name)}, not {value}" for name, value in own.items()
                  if there.get(name) != value]
        if differ:
            raise ValueError(f"--out: {self.path} holds a toy run with {'; '.join(differ)}; choose "
                             f"another name, or delete it")

    def train(self, seeds: Sequence[int]) -> None:
        """Train the seeds that are not done yet, one after another, and write report.json.

        Raises:
            ValueError: no seeds are given.
        """
        if not seeds:
            raise ValueError("seeds: there are none to train")
        keep_freed_memory()
        self.begin()
        for seed in seeds:
            self.train_seed(seed)
        scores = self.scores(seeds)
        by_seed = {seed: score._asdict() for seed, score in scores.items()}
        self._write("report.json", {**summary(list(scores.values())), "by_seed": by_seed})

    def begin(self) -> None:
        """Make the folder, unless it exists. Call it before several processes train seeds in it."""
        self.path.mkdir(parents=True, exist_ok=True)
        if not exists(self.path / "toy.json"):
            self._write("toy.json", {
                "minigan": __version__,
                "plan": dataclasses.asdict(self.plan),
                "environment": environment(),
            })

    def scores(self, seeds: Sequence[int]) -> dict[int, ModeScores]:
        """The scores of the seeds that are done, by seed.

        Raises:
            ValueError: a seed's json is damaged, or not a record of a seed.
        """
        from minigan.metrics.modes import ModeScores
        return {seed: ModeScores(**record["scores"]) for seed, record in self.records(seeds)}

    def records(self, seeds: Sequence[int]) -> Iterator[tuple[int, dict[str, Any]]]:
        """Each seed that is done, and what its json holds."""
        for seed in seeds:
            record = self._record(seed)
            if record is not None:
                yield seed, record

    def train_seed(self, seed: int) -> None:
        """Train one seed, if it is not done yet, in a folder that `begin` made."""
        if self._record(seed) is not None:
            return
        began = time.monotonic()
        began_processor = time.process_time()
        moments = list(watch(self.plan, seed))
        seconds = time.monotonic() - began
        processor_seconds = time.process_time() - began_processor

        self._draw(seed, moments)
        *on_the_way, end = moments
        self._write(f"seed-{seed}.json", {
            "seed": seed,
            "scores": end.scores._asdict(),
            "on the way": {moment.step: moment.scores._asdict() for moment in on_the_way},
            "seconds": round(seconds, 1),
            "processor_seconds": round(processor_seconds, 1),
        })

    def _draw(self, seed: int, moments: Sequence[Moment]) -> None:
        """Write the picture of a seed; if that fails, warn, so that the scores are not lost."""
        path = self.path / f"seed-{seed}.png"
        try:
            plot.save(picture(f"{self.plan.name}, seed {seed}", self.plan.data, moments), path)
        except Exception as error:
            warn(f"{path} could not be written ({reason(error)})")

    def _record(self, seed: int) -> dict[str, Any] | None:
        """What a seed's json holds; None if it does not exist.

        Raises:
            ValueError: it is damaged, or not a record of a seed.
        """
        from minigan.metrics.modes import ModeScores
        path = self.path / f"seed-{seed}.json"
        if not exists(path):
            return None
        record = read_json(path)
        scores = record.get("scores") if isinstance(record, dict) else None
        if not isinstance(scores, dict) or scores.keys() != set(ModeScores._fields):
            raise ValueError(f"{path} is not a record of a seed of a toy run; rename it, and the "
                             f"seed is trained again")
        return dict(record)

    def _write(self, name: str, content: dict[str, Any]) -> None:
        files.write(self.path / name, json.dumps(content, indent=1).encode())

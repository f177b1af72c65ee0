"""One seed of a toy run after another, each kept as soon as it is done, so that a run can go on.

    toy.json       what was run: points, loss, protocol, steps, machine
    seed-0.json    the scores of the seed at the end and on the way, and how long it took
    seed-0.png     samples over time, and the critic's level sets
    report.json    mean and range over the seeds

A seed is done when its json is there. The same command again goes on after the last one.
"""

from __future__ import annotations

import dataclasses
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Iterator, Sequence

from minigan import __version__, plot
from minigan.system import files
from minigan.system.allocator import keep_freed_memory
from minigan.system.console import reason, warn
from minigan.system.machine import environment
from minigan.toy.pictures import picture
from minigan.toy.plan import Plan
from minigan.toy.report import summary
from minigan.toy.training import watch

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
        self.path = files.user_path(out) if out is not None else Path("runs") / f"toy-{plan.name}"
        self._check_place()

    def _check_place(self) -> None:
        if not self.path.exists() or all(path.name.startswith(files.TEMPORARY)
                                         for path in self.path.iterdir()):
            return
        try:
            found = files.read_json(self.path / "toy.json")["plan"]
        except (OSError, ValueError, KeyError, TypeError):
            raise ValueError(f"--out: {self.path} exists and is no toy run (it has no toy.json); "
                             f"choose another name") from None
        own = dataclasses.asdict(self.plan)
        found = found if isinstance(found, dict) else {}
        differ = [f"{name} {found.get(name)}, not {value}" for name, value in own.items()
                  if found.get(name) != value]
        if differ:
            raise ValueError(f"--out: {self.path} holds a toy run with {'; '.join(differ)}; choose "
                             f"another name, or delete it")

    def train(self, seeds: Sequence[int]) -> None:
        """Train those seeds that are not there yet, one after another; writes report.json.

        Raises:
            ValueError: there is no seed.
        """
        if not seeds:
            raise ValueError("seeds: there is none to train")
        keep_freed_memory()
        self.begin()
        for seed in seeds:
            self.train_seed(seed)
        scores = self.scores(seeds)
        self._write("report.json", {
            **summary(list(scores.values())),
            "by_seed": {seed: score._asdict() for seed, score in scores.items()}})

    def begin(self) -> None:
        """Make the folder, unless it is there; before several processes train seeds of it."""
        self.path.mkdir(parents=True, exist_ok=True)
        if not files.exists(self.path / "toy.json"):
            self._write("toy.json", {"minigan": __version__, "plan": dataclasses.asdict(self.plan),
                                     "environment": environment()})

    def scores(self, seeds: Sequence[int]) -> dict[int, ModeScores]:
        """The scores by seed, of those that are done."""
        from minigan.metrics.modes import ModeScores
        return {seed: ModeScores(**record["scores"]) for seed, record in self.records(seeds)}

    def records(self, seeds: Sequence[int]) -> Iterator[tuple[int, dict[str, Any]]]:
        """Each seed that is done, and what its json holds."""
        for seed in seeds:
            record = self._record(seed)
            if record is not None:
                yield seed, record

    def train_seed(self, seed: int) -> None:
        """Train one seed, if it is not there yet, in a folder that `begin` made."""
        if self._record(seed) is not None:
            return
        began, own = time.monotonic(), time.process_time()
        moments = list(watch(self.plan, seed))
        seconds = {"seconds": round(time.monotonic() - began, 1),
                   "processor_seconds": round(time.process_time() - own, 1)}
        try:
            plot.save(picture(f"{self.plan.name}, seed {seed}", self.plan.data, moments),
                      self.path / f"seed-{seed}.png")
        except Exception as error:  # the scores are worth more, and are what was trained for
            warn(f"{self.path / f'seed-{seed}.png'} could not be written ({reason(error)})")
        self._write(f"seed-{seed}.json", {
            "seed": seed, "scores": moments[-1].scores._asdict(),
            "on the way": {moment.step: moment.scores._asdict() for moment in moments[:-1]},
            **seconds})

    def _record(self, seed: int) -> dict[str, Any] | None:
        """What a seed's json holds, None if it is not there.

        Raises:
            ValueError: it is damaged, or no record of a seed.
        """
        from minigan.metrics.modes import ModeScores
        path = self.path / f"seed-{seed}.json"
        if not files.exists(path):
            return None
        found = files.read_json(path)
        scores = found.get("scores") if isinstance(found, dict) else None
        if not isinstance(scores, dict) or scores.keys() != set(ModeScores._fields):
            raise ValueError(f"{path} is no record of a seed of a toy run; rename it, and the seed "
                             f"is trained again")
        return dict(found)

    def _write(self, name: str, content: dict[str, Any]) -> None:
        files.write(self.path / name, json.dumps(content, indent=1).encode())

"""A cell of the table: one side of one workload, in a process of its own."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import minigan
from minigan.bench import worker
from minigan.bench.sides import SIDES, is_rival, place
from minigan.bench.workloads import CHECKED

LIMITS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "BLIS_NUM_THREADS")


class Missing(Exception):
    """A cell cannot be measured here; its text says why."""


class Cell:
    """A process that runs steps on request: `with Cell("torch", load, 2) as cell: ...`.

    load: of `workloads.prepare`. After that, `losses` holds those of the first steps, `versions`
    what was imported, `level` the bytes of memory after the import.

    Raises:
        Missing: a package is not installed, a rival has no such workload, or its process failed.
    """

    def __init__(self, side: str, load: dict[str, Any], threads: int,
                 rivals: Path | None = None) -> None:
        self.side, self.name = side, load["name"]
        if load.get("unknown") and is_rival(side):
            raise Missing(load["unknown"])
        try:
            module = place(side, rivals)
        except FileNotFoundError as error:
            raise Missing(str(error)) from None
        self._folder = tempfile.TemporaryDirectory(prefix="minigan-bench-")
        file = Path(self._folder.name, "load")
        file.write_bytes(pickle.dumps(load))
        order = {"module": module, "form": SIDES[side].form, "load": str(file),
                 "threads": threads, "checked": CHECKED}
        root = str(Path(minigan.__file__).resolve().parents[1])
        path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))
        limits = {name: str(threads) for name in LIMITS}
        self._errors = open(Path(self._folder.name, "errors"), "w+", encoding="utf-8",
                            errors="replace")
        self.process = subprocess.Popen(
            [sys.executable, worker.__file__, json.dumps(order)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=self._errors, text=True,
            env={**os.environ, **limits, "PYTHONPATH": path, "TORCHINDUCTOR_COMPILE_THREADS": "1"})
        try:
            begun = self._answer()
            if "missing" in begun:
                raise Missing(begun["missing"])
        except BaseException:
            self.close()
            raise
        self.losses: list[list[float]] = begun["losses"]
        self.versions: dict[str, str] = begun["versions"]
        self.level: int = begun["level"]

    def __enter__(self) -> Cell:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """The process's number."""
        return self.process.pid

    def ask(self, order: str) -> Any:
        """Send one of the worker's orders; its answer."""
        assert self.process.stdin is not None
        try:
            print(order, file=self.process.stdin, flush=True)
        except BrokenPipeError:
            pass  # the answer says why
        return self._answer()

    def seconds(self, steps: int) -> float:
        """Seconds that so many steps take."""
        return float(self.ask(f"steps {steps}"))

    def memory(self) -> dict[str, float]:
        """Megabytes: peak since the first steps, the same above the level after import, device."""
        found = self.ask("memory")
        megabytes = {"peak_mb": found["peak"] / 1e6,
                     "above_mb": max(0, found["peak"] - self.level) / 1e6}
        return {**megabytes, **({"device_mb": found["device"] / 1e6} if found["device"] else {})}

    def close(self) -> None:
        """End the process and forget its files."""
        assert self.process.stdin is not None and self.process.stdout is not None
        try:
            self.process.stdin.close()  # which ends it, unless it is in the middle of something
        except BrokenPipeError:
            pass
        try:
            self.process.wait(2)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self._errors.close()
        self._folder.cleanup()

    def _answer(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if line:
            return json.loads(line)
        status = self.process.wait()
        self._errors.flush()
        self._errors.seek(0)
        said = [text.strip() for text in self._errors.read().splitlines() if text.strip()]
        raise Missing(f"its process ended with status {status}" + f": {said[-1]}" * bool(said))

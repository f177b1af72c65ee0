"""A cell of the table: one side of one workload, in its own process."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import minigan
from minigan.bench import worker
from minigan.bench.records import Floor, Memory, Operation, Workload
from minigan.bench.sides import SIDES, is_rival, module_of
from minigan.bench.workloads import CHECKED

LIMITS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "BLIS_NUM_THREADS")


class Missing(Exception):
    """A cell cannot be measured here; its text says why."""


class Cell:
    """A process that runs steps on request: `with Cell("torch", workload, 2) as cell: ...`.

    losses: of the first steps. versions: of what was imported. level: bytes of memory after the
    import.

    Raises:
        Missing: a package is not installed, a rival has no such workload, or its process failed.
    """

    def __init__(self, side: str, workload: Workload | Operation, threads: int,
                 rivals: Path | None = None) -> None:
        self.side = side
        self.name = workload.name
        unknown = getattr(workload, "unknown", None)
        if unknown and is_rival(side):
            raise Missing(unknown)
        try:
            module = module_of(side, rivals)
        except FileNotFoundError as error:
            raise Missing(str(error)) from None

        self._folder = tempfile.TemporaryDirectory(prefix="minigan-bench-")
        file = Path(self._folder.name, "workload")
        file.write_bytes(pickle.dumps(for_rivals(workload) if is_rival(side) else workload))
        self._errors = open(Path(self._folder.name, "errors"), "w+", encoding="utf-8",
                            errors="replace")
        request = {"module": module, "form": SIDES[side].form, "workload": str(file),
                   "threads": threads, "checked": CHECKED}
        self.process = subprocess.Popen(
            [sys.executable, worker.__file__, json.dumps(request)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=self._errors, text=True,
            env={**environment(threads), "TORCHINDUCTOR_COMPILE_THREADS": "1"})
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
        """The process's id."""
        return self.process.pid

    def seconds(self, steps: int) -> float:
        """Seconds that so many steps take."""
        return float(self._ask(f"steps {steps}"))

    def memory(self) -> Memory:
        """Megabytes of the process, and of its device if it has one."""
        held = self._ask("memory")
        return Memory(
            peak_mb=held["peak"] / 1e6,
            above_mb=max(0, held["peak"] - self.level) / 1e6,
            device_mb=held["device"] / 1e6 if held["device"] else None)

    def floor(self) -> Floor | None:
        """The step's matrix products alone; None for rivals and GPUs."""
        numbers = self._ask("floor")
        return Floor(**numbers) if numbers else None

    def close(self) -> None:
        """End the process and delete its files."""
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

    def _ask(self, request: str) -> Any:
        """Send one of the worker's requests; returns its answer."""
        assert self.process.stdin is not None
        try:
            print(request, file=self.process.stdin, flush=True)
        except BrokenPipeError:
            pass  # the answer says why
        return self._answer()

    def _answer(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if line:
            return json.loads(line)
        status = self.process.wait()
        self._errors.flush()
        self._errors.seek(0)
        printed = [text.strip() for text in self._errors if text.strip()]
        last_words = f": {printed[-1]}" if printed else ""
        raise Missing(f"its process ended with status {status}{last_words}")


def for_rivals(workload: Workload | Operation) -> SimpleNamespace:
    """The same fields in a plain namespace, which a process without minigan can read."""
    plain = SimpleNamespace(**vars(workload))
    if isinstance(workload, Workload):
        plain.generator = [SimpleNamespace(**vars(layer)) for layer in workload.generator]
        plain.discriminator = [SimpleNamespace(**vars(layer)) for layer in workload.discriminator]
    return plain


def environment(threads: int) -> dict[str, str]:
    """Environment of a process that measures: it finds this minigan, BLAS has so many threads."""
    root = str(Path(minigan.__file__).resolve().parents[1])
    paths = [root, os.environ.get("PYTHONPATH", "")]
    limits = {name: str(threads) for name in LIMITS}
    return {**os.environ, **limits, "PYTHONPATH": os.pathsep.join(filter(None, paths))}

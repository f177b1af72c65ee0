"""Time one training step of gan:seed: minigan, PyTorch, and the same step by hand in NumPy.

    python benchmarks/step.py [--threads 1] [--pairs 41] [--output results.jsonl]

Each side is a process of its own; they take turns, A B A B, and only the ratio within a pair
counts. A pair during which other processes used more than a tenth of a core is discarded. Before
anything is timed, the losses of five steps from the same weights must agree.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import json
import platform
import statistics
import subprocess
import sys
import time
from datetime import date
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

SIDES = {"minigan": "ours", "numpy by hand": "by_hand", "pytorch": "pytorch"}
QUIET = 0.1  # cores that others may use during a pair
ROUND = 60   # steps a turn


def work(side: str, threads: int) -> None:
    """A side's process: builds, runs five steps, then n steps for each number n it is sent."""
    from minigan.backend.threads import use_threads
    from workloads import gan_seed
    use_threads(threads)
    if side == "pytorch":
        import torch
        torch.set_num_threads(threads)
    load = gan_seed()
    step = importlib.import_module(f"rivals.{SIDES[side]}").build(load)
    batches = len(load["images"])
    print(json.dumps([step(i) for i in range(5)]), flush=True)
    for line in sys.stdin:
        began = time.perf_counter()
        for i in range(int(line)):
            step(i % batches)
        print(time.perf_counter() - began, flush=True)


class Side:
    """One process, asked for steps."""

    def __init__(self, name: str, threads: int) -> None:
        self.name = name
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--worker", name, "--threads", str(threads)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.losses = json.loads(self._answer())

    def _answer(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"the process of {self.name} ended early")
        return line

    def milliseconds(self, steps: int) -> float:
        assert self.process.stdin is not None
        print(steps, file=self.process.stdin, flush=True)
        return float(self._answer()) / steps * 1e3

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def compare(ours: Side, rival: Side, pairs: int) -> dict[str, Any]:
    """Median and range of ours / rival over quiet pairs."""
    from minigan.backend.machine import all_busy_seconds
    for side in (ours, rival):
        side.milliseconds(ROUND)  # warm up
    kept, discarded = [], 0
    while len(kept) < pairs and discarded < 10 * pairs:
        before, began = all_busy_seconds(), time.perf_counter()
        a, b = ours.milliseconds(ROUND), rival.milliseconds(ROUND)
        wall, busy = time.perf_counter() - began, all_busy_seconds() - before
        others = busy / wall - 1  # one side computes at a time
        if others > QUIET + (threads_of(ours) - 1):
            discarded += 1
        else:
            kept.append((a, b))
    ratios = sorted(a / b for a, b in kept)
    if not ratios:
        raise SystemExit(f"no quiet pair among {discarded}: other processes keep this machine busy")
    return {"workload": "gan:seed", "rival": rival.name, "pairs": len(ratios),
            "discarded": discarded, "minigan_ms": statistics.median(a for a, _ in kept),
            "rival_ms": statistics.median(b for _, b in kept),
            "ratio": statistics.median(ratios), "low": ratios[0], "high": ratios[-1]}


def threads_of(side: Side) -> int:
    """How many threads a side may use."""
    return int(side.process.args[-1])  # type: ignore[index]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--pairs", type=int, default=41)
    parser.add_argument("--output", type=Path, help="add the rows, as JSON lines, to this file")
    parser.add_argument("--worker", choices=SIDES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        return work(options.worker, options.threads)

    import numpy

    from minigan.backend.machine import processor
    facts = {"date": date.today().isoformat(), "processor": processor(),
             "threads": options.threads, "python": platform.python_version(),
             "numpy": numpy.__version__}
    print(", ".join(f"{name} {value}" for name, value in facts.items()))
    ours = Side("minigan", options.threads)
    for name in ("numpy by hand", "pytorch"):
        if name == "pytorch":
            try:
                facts["torch"] = importlib.metadata.version("torch")
            except importlib.metadata.PackageNotFoundError:
                print(f"{name:15} - (not installed: python -m pip install torch)")
                continue
        rival = Side(name, options.threads)
        worst = max(abs(a - b) for mine, theirs in zip(ours.losses, rival.losses)
                    for a, b in zip(mine, theirs))
        if worst > 1e-4:
            raise SystemExit(f"{name} computes something else: losses differ by {worst}")
        row = compare(ours, rival, options.pairs)
        rival.close()
        print(f"minigan / {name:15} {row['ratio']:.3f} ({row['low']:.2f} to {row['high']:.2f}), "
              f"{row['minigan_ms']:.3f} / {row['rival_ms']:.3f} ms, {row['pairs']} pairs, "
              f"{row['discarded']} discarded, losses within {worst:.0e}", flush=True)
        if options.output:
            with open(options.output, "a", encoding="utf-8") as file:
                file.write(json.dumps({**row, **facts}) + "\n")
    ours.close()


if __name__ == "__main__":
    main()

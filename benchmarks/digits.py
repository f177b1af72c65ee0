"""Train every model on the embedded digits, put each to the digit test, and write the table.

    python benchmarks/digits.py --quick       one seed, a tenth of the steps: does it all work?
    python benchmarks/digits.py --full        three seeds, all steps: the README's table

Each row is the README's own command, `minigan train MODEL --preset PRESET --seed SEED`, on one
thread, and `minigan evaluate`; two of them run at once. An interrupted run goes on where it was
when the script is started again: what is finished stays, what was cut off resumes.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from minigan.system.machine import environment

HERE = Path(__file__).resolve().parent
MODELS = {("wgan", "mlp"): 12_000, ("wgan-gp", "conv28"): 9_000, ("dcgan", "small"): 6_000,
          ("cgan", "conv"): 4_000, ("cgan", "mlp"): 8_000, ("gan", "mlp"): 8_000}  # steps
COLUMNS = {  # of the table: the digit test's rows, and how many decimals
    "recognised": 2, "least class": 3, "precision": 2, "recall": 2, "copies, median": 2,
    "copies, near": 3, "Frechet distance": 1, "label right": 3, "label right, worst digit": 3,
    "spread, worst digit": 2}


def minigan(*arguments: str) -> None:
    """Run a command of minigan; raises, with what it said, if it fails."""
    done = subprocess.run([sys.executable, "-m", "minigan", *arguments], capture_output=True,
                          text=True)
    if done.returncode:
        raise SystemExit(f"minigan {' '.join(arguments)}: {done.stderr.strip()[-500:]}")


def measured(run: Path, name: str, preset: str, seed: int, steps: int) -> dict[str, Any]:
    """The numbers of one training, which is begun, continued, or finished already."""
    if not (run / "checkpoint.npz").exists():
        minigan("train", name, "--preset", preset, "--seed", str(seed), "--steps", str(steps),
                "--threads", "1", "--out", str(run), "--overwrite")
    readings = last_reading(run)
    if readings.get("step", 0) < steps:
        minigan("resume", str(run), "--steps", str(steps), "--threads", "1")
        readings = last_reading(run)
    minigan("evaluate", str(run))
    test = json.loads((run / "evaluation.json").read_text())
    found = {"model": name, "preset": preset, "seed": seed, "steps": steps,
             "failed": test["failed"], "minutes": readings["seconds"] / 60,
             "environment": environment(),
             **{row["name"]: row["value"] for row in test["rows"]}}
    print(f"{name}:{preset} seed {seed}: {found['minutes']:.1f} minutes, "
          f"recognised {found['recognised']:.3f}, "
          + (f"fails {test['failed']}" if test["failed"] else "passes"), flush=True)
    return found


def last_reading(run: Path) -> dict[str, Any]:
    """The last line of a run's metrics, empty if there is none."""
    file = run / "metrics.jsonl"
    lines = file.read_text().splitlines() if file.exists() else []
    return json.loads(lines[-1]) if lines else {}


def cell(values: list[float], digits: int) -> str:
    """Mean and range, as 0.62 (0.60-0.63)."""
    mean = f"{sum(values) / len(values):.{digits}f}"
    if len(values) == 1:
        return mean
    return f"{mean} ({min(values):.{digits}f}-{max(values):.{digits}f})"


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown: one line a model, mean and range over its seeds, and how many seeds pass."""
    heads = ["model", "steps", "minutes", *COLUMNS, "passes"]
    lines = [f"| {' | '.join(heads)} |", "|" + " --- |" * len(heads)]
    for name, preset in sorted(MODELS):
        of_model = [row for row in rows if (row["model"], row["preset"]) == (name, preset)]
        if not of_model:
            continue
        cells = [f"{name}:{preset}", f"{of_model[0]['steps']:,}",
                 cell([row["minutes"] for row in of_model], 1)]
        for column, digits in COLUMNS.items():
            values = [row[column] for row in of_model if column in row]
            cells.append(cell(values, digits) if values else "")
        passed = sum(not row["failed"] for row in of_model)
        lines.append(f"| {' | '.join(cells)} | {passed} of {len(of_model)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="The digit test of every model.")
    kind = parser.add_mutually_exclusive_group(required=True)
    kind.add_argument("--quick", action="store_true", help="one seed, a tenth of the steps")
    kind.add_argument("--full", action="store_true", help="all steps")
    parser.add_argument("--seeds", type=int, default=3, help="how many, from 0 on (with --full)")
    parser.add_argument("--jobs", type=int, default=2, help="trainings at once")
    parser.add_argument("--runs", type=Path, default=Path("runs/digits"),
                        help="run folders go here")
    parser.add_argument("--output", type=Path, default=HERE / "results" / "digits.jsonl",
                        help="one line for each training (with --full)")
    options = parser.parse_args()

    part = 10 if options.quick else 1
    folder = options.runs / ("quick" if options.quick else "full")
    folder.mkdir(parents=True, exist_ok=True)
    todo = [(folder / f"{name}-{preset}-{seed}", name, preset, seed, steps // part)
            for seed in range(1 if options.quick else options.seeds)
            for (name, preset), steps in MODELS.items()]
    with ThreadPoolExecutor(options.jobs) as pool:
        rows = list(pool.map(lambda job: measured(*job), todo))
    if options.full:
        options.output.write_text("".join(json.dumps(row) + "\n" for row in rows))
    print(table(rows))


if __name__ == "__main__":
    main()

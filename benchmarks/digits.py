"""Train every model on the embedded digits and put its samples to the digit test.

    python benchmarks/digits.py --quick       one seed, a tenth of the steps: does it all work?
    python benchmarks/digits.py --full        three seeds, all steps: writes results/digits.jsonl

Measures what `minigan evaluate` says of `minigan train MODEL --preset PRESET --seed SEED`: how many
samples two judges recognise, precision, recall, copies, Frechet distance, and labels of conditional
models. Each training has one thread, two run at once. --full takes about an hour on two cores,
--quick some minutes. An interrupted table goes on when the script is started again: finished
trainings are kept, a cut-off one resumes.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

from minigan.system.machine import environment

HERE = Path(__file__).resolve().parent
MODELS = {  # model and preset -> steps
    ("wgan", "mlp"): 12_000,
    ("wgan-gp", "conv28"): 9_000,
    ("dcgan", "small"): 6_000,
    ("cgan", "conv"): 4_000,
    ("cgan", "mlp"): 8_000,
    ("gan", "mlp"): 8_000,
}


def minigan(*arguments: str) -> None:
    """Run a command of minigan.

    Raises:
        SystemExit: it failed; says what it printed.
    """
    done = subprocess.run([sys.executable, "-m", "minigan", *arguments], capture_output=True,
                          text=True)
    if done.returncode:
        raise SystemExit(f"minigan {' '.join(arguments)}: {done.stderr.strip()[-500:]}")


def measured(run: Path, model: str, preset: str, seed: int, steps: int) -> dict[str, Any]:
    """The row of one training, which is started, resumed, or finished already."""
    if not (run / "checkpoint.npz").exists():
        minigan("train", model, "--preset", preset, "--seed", str(seed), "--steps", str(steps),
                "--threads", "1", "--out", str(run), "--overwrite")
    readings = last_reading(run)
    if readings.get("step", 0) < steps:
        minigan("resume", str(run), "--steps", str(steps), "--threads", "1")
        readings = last_reading(run)
    minigan("evaluate", str(run))
    test = json.loads((run / "evaluation.json").read_text())

    row = {
        "model": model,
        "preset": preset,
        "seed": seed,
        "steps": steps,
        "failed": test["failed"],
        "minutes": readings["seconds"] / 60,
        "date": date.today().isoformat(),
        "environment": environment(),
    }
    row.update({part["name"]: part["value"] for part in test["rows"]})
    verdict = f"fails {row['failed']}" if row["failed"] else "passes"
    print(f"{model}:{preset} seed {seed}: {row['minutes']:.1f} minutes, recognised "
          f"{row['recognised']:.3f}, {verdict}", flush=True)
    return row


def last_reading(run: Path) -> dict[str, Any]:
    """The last line of a run's metrics, empty if there is none."""
    file = run / "metrics.jsonl"
    lines = file.read_text().splitlines() if file.exists() else []
    return json.loads(lines[-1]) if lines else {}


def main() -> None:
    """Train what is missing, and write the rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    extent = parser.add_mutually_exclusive_group(required=True)
    extent.add_argument("--quick", action="store_true", help="one seed, a tenth of the steps")
    extent.add_argument("--full", action="store_true", help="all steps")
    parser.add_argument("--seeds", type=int, default=3, help="how many, from 0 on (with --full)")
    parser.add_argument("--jobs", type=int, default=2, help="trainings at once")
    parser.add_argument("--runs", type=Path, default=Path("runs/digits"),
                        help="run folders go here")
    parser.add_argument("--output", type=Path, default=HERE / "results" / "digits.jsonl",
                        help="one line for each training (with --full)")
    options = parser.parse_args()

    seeds = 1 if options.quick else options.seeds
    divisor = 10 if options.quick else 1
    folder = options.runs / ("quick" if options.quick else "full")
    folder.mkdir(parents=True, exist_ok=True)
    jobs = [(folder / f"{model}-{preset}-{seed}", model, preset, seed, steps // divisor)
            for seed in range(seeds)
            for (model, preset), steps in MODELS.items()]
    with ThreadPoolExecutor(options.jobs) as pool:
        rows = list(pool.map(lambda job: measured(*job), jobs))

    if options.full:
        options.output.write_text("".join(json.dumps(row) + "\n" for row in rows))
        print(f"results: {options.output}; `python benchmarks/make_results.py` makes the table")


if __name__ == "__main__":
    main()

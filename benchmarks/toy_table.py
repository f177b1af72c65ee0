"""Train every loss on points in the plane, the ring and the grid, some seeds each.

    python benchmarks/toy_table.py [--seeds 3] [--processes 2] [--out runs/toy-table]

Measures what `minigan toy` counts: modes found, samples near one, reverse KL, least share,
deviation. Each process trains one seed of one loss on one thread: about 14 minutes of processor
time for three seeds. Seeds that are in the run folders already are kept, so an interrupted table
goes on where it stopped. Writes results/toy.jsonl, a line for each loss.
"""

from __future__ import annotations

import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

from minigan.system.machine import environment
from minigan.toy import Plan, ToyRun, summary

LOSSES = ("gan", "lsgan", "wgan", "wgan-gp", "pacgan2", "r1", "rpgan-r1-r2")
POINTS = ("ring", "grid")
HERE = Path(__file__).resolve().parent


def train(job: tuple[str, str, int, Path]) -> str:
    """One seed of one loss, on one thread."""
    from minigan.system.threads import use_threads
    points, loss, seed, out = job
    use_threads(1)
    run = ToyRun(Plan(points, loss), out / f"{points}-{loss}")
    run.train_seed(seed)
    score = run.scores([seed])[seed]
    failed = f"; fails at {', '.join(score.failed)}" if score.failed else ""
    return f"{points} {loss} seed {seed}: {score.found} modes, {score.near:.1%} near{failed}"


def row(points: str, loss: str, out: Path, seeds: range) -> dict[str, Any]:
    """What the seeds of one loss scored, from what is in its folder."""
    plan = Plan(points, loss)
    run = ToyRun(plan, out / f"{points}-{loss}")
    run.train(seeds)  # all are there; this writes the folder's report
    scores = run.scores(seeds)
    took = [record["processor_seconds"] for _, record in run.records(seeds)]
    return {
        "points": points,
        "loss": loss,
        "protocol": plan.protocol,
        "steps": plan.steps,
        "packing": plan.terms[1].packing,
        **summary(list(scores.values())),
        "by_seed": {seed: score._asdict() for seed, score in scores.items()},
        "processor_seconds": round(sum(took), 1),
        "date": date.today().isoformat(),
        **environment(),
    }


def main() -> None:
    """Train what is missing, and write the rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3, help="how many, from 0 on")
    parser.add_argument("--processes", type=int, default=2, help="trainings at once")
    parser.add_argument("--out", type=Path, default=Path("runs/toy-table"),
                        help="run folders go here")
    parser.add_argument("--output", type=Path, default=HERE / "results" / "toy.jsonl",
                        help="one line for each loss")
    options = parser.parse_args()

    seeds = range(options.seeds)
    jobs = [(points, loss, seed, options.out)
            for seed in seeds
            for points in reversed(POINTS)  # those that take longest first
            for loss in reversed(LOSSES)]
    for points, loss, _, out in jobs:  # here, as two processes may train seeds of one loss
        ToyRun(Plan(points, loss), out / f"{points}-{loss}").begin()
    with ProcessPoolExecutor(options.processes) as pool:
        for line in pool.map(train, jobs):
            print(line, flush=True)

    rows = [row(points, loss, options.out, seeds) for points in POINTS for loss in LOSSES]
    options.output.write_text("".join(json.dumps(each) + "\n" for each in rows), encoding="utf-8")
    spent = sum(each["processor_seconds"] for each in rows)
    print(f"{spent / 60:.1f} minutes of processor time; results: {options.output}; "
          f"`python benchmarks/make_results.py` makes the table")


if __name__ == "__main__":
    main()

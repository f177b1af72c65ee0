"""The table of 2-D mixtures: every loss on the ring and on the grid, some seeds each.

    python benchmarks/toy_table.py [--seeds 5] [--processes 2] [--out runs/toy-table]

Some minutes on two cores: each process trains one seed of one row on one thread. Seeds that are in
the run folders already are kept, so an interrupted table goes on where it stopped. Writes
benchmarks/results/toy.jsonl, a line a row, and prints the table in Markdown beside the published
rows, whose networks and budgets are their own.
"""

from __future__ import annotations

import argparse
import json
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):  # before NumPy is loaded
    os.environ.setdefault(name, "1")

from minigan.system.machine import environment  # noqa: E402
from minigan.toy import Plan, ToyRun, cell, floor, summary  # noqa: E402

LOSSES = ("gan", "lsgan", "wgan", "wgan-gp", "pacgan2", "r1", "rpgan-r1-r2")
POINTS = ("ring", "grid")
HERE = Path(__file__).resolve().parent
COLUMNS = ("found", "near", "reverse_kl", "least_share", "deviation")

# Modes found, samples within 3 sigma in percent, reverse KL (None: not reported).
# VEEGAN: Srivastava et al. 2017, table 1. PacGAN: Lin et al. 2018, table 1.
PUBLISHED: dict[str, list[tuple[str, float, float, float | None]]] = {
    "ring": [("GAN, VEEGAN's protocol", 1.0, 99.3, None), ("ALI, VEEGAN's", 2.8, 0.13, None),
             ("Unrolled GAN, VEEGAN's", 7.6, 35.6, None), ("VEEGAN", 8, 52.9, None),
             ("GAN, PacGAN's protocol", 6.3, 98.2, 0.45), ("ALI, PacGAN's", 6.6, 97.6, 0.36),
             ("PacGAN2", 7.9, 95.6, 0.07), ("PacGAN3", 7.8, 97.7, 0.10),
             ("PacGAN4", 7.8, 95.9, 0.07)],
    "grid": [("GAN, VEEGAN's protocol", 3.3, 0.5, None), ("ALI, VEEGAN's", 15.8, 1.6, None),
             ("Unrolled GAN, VEEGAN's", 23.6, 16, None), ("VEEGAN", 24.6, 40, None),
             ("GAN, PacGAN's protocol", 17.3, 94.8, 0.70), ("ALI, PacGAN's", 24.1, 95.7, 0.14),
             ("PacGAN2", 23.8, 91.3, 0.13), ("PacGAN3", 24.6, 94.2, 0.06),
             ("PacGAN4", 24.8, 93.6, 0.04)],
}


def train(job: tuple[str, str, int, Path]) -> str:
    """One seed of one row, on one thread."""
    from minigan.system.threads import use_threads
    points, loss, seed, out = job
    use_threads(1)
    run = ToyRun(Plan(points, loss), out / f"{points}-{loss}")
    run.train_seed(seed)
    score = run.scores([seed])[seed]
    return (f"{points} {loss} seed {seed}: {score.found} modes, {score.near:.1%} near"
            + (f"; fails at {', '.join(score.failed)}" if score.failed else ""))


def rows(out: Path, seeds: range) -> list[dict[str, Any]]:
    """A record a row, from what is in the folders."""
    made = []
    for points in POINTS:
        for loss in LOSSES:
            plan = Plan(points, loss)
            run = ToyRun(plan, out / f"{points}-{loss}")
            run.train(seeds)  # all are there; this writes the row's report
            scores = run.scores(seeds)
            took = [record["processor_seconds"] for _, record in run.records(seeds)]
            made.append({"points": points, "loss": loss, "protocol": plan.protocol,
                         "steps": plan.steps, "packing": plan.terms[1].packing,
                         **summary(list(scores.values())),
                         "by_seed": {seed: score._asdict() for seed, score in scores.items()},
                         "processor_seconds": round(sum(took), 1), **environment()})
    return made


def markdown(records: list[dict[str, Any]]) -> str:
    """The table for the README."""
    text = []
    for points in POINTS:
        plan = Plan(points)
        real = floor(plan)
        text += [f"| {points}, {real.modes} modes | modes found | within 3 sigma | reverse KL | "
                 f"least share | deviation | within bounds |", "| --- " * 7 + "|",
                 "| *real points* | " + " | ".join(
                     cell(name, summary([real])[name]) for name in COLUMNS) + " | |"]
        for record in records:
            if record["points"] == points:
                text.append(f"| {record['loss']} | " + " | ".join(
                    cell(name, record[name]) for name in COLUMNS)
                    + f" | {record['within_bounds']} of {record['seeds']} |")
        for name, found, near, kl in PUBLISHED[points]:
            text.append(f"| *{name}* | {found:g} | {near:g}% | "
                        + ("" if kl is None else f"{kl:.2f}") + " | | | |")
        text.append("")
    return "\n".join(text)


def main() -> None:
    """Train what is missing, write the records, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5, help="how many, from 0 on")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("runs") / "toy-table")
    parser.add_argument("--output", type=Path, default=HERE / "results" / "toy.jsonl")
    options = parser.parse_args()
    seeds = range(options.seeds)
    jobs = [(points, loss, seed, options.out)
            for seed in seeds for points in reversed(POINTS) for loss in reversed(LOSSES)]
    for points, loss, _, out in jobs:  # here, as two processes may train seeds of one row
        ToyRun(Plan(points, loss), out / f"{points}-{loss}").begin()
    with ProcessPoolExecutor(options.processes) as pool:
        for line in pool.map(train, jobs):
            print(line, flush=True)
    records = rows(options.out, seeds)
    options.output.write_text("".join(json.dumps(r) + "\n" for r in records), encoding="utf-8")
    print(markdown(records))
    spent = sum(record["processor_seconds"] for record in records)
    print(f"{spent / 60:.1f} minutes of processor time")


if __name__ == "__main__":
    main()

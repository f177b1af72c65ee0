"""How many modes of stacked digits a run finds: counted in blocks, as 78,000 digits take minutes.

After every block of samples, the counts so far are written to evaluation.part.json in the folder.
Judging the same samples of the same weights again goes on from there, however it was stopped.
"""

from __future__ import annotations

import json
import zlib
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from minigan import data, plot
from minigan.evaluation.judgement import Judgement, Request
from minigan.runs.trained import BLOCK, Loaded
from minigan.system import files
from minigan.system.json_files import read_json
from minigan.system.progress import Progress

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PART = "evaluation.part.json"
ROWS = 6     # of the samples that are shown
COLUMNS = 8


def judge_modes(trained: Loaded, folder: Path, request: Request) -> Judgement:
    """Count the modes of n samples; call `forget` when the result is written."""
    from minigan.metrics.stacked_modes import real_counts
    n = request.n
    counts = count(trained, folder, n, request.seed, request.raw)
    floor = real_counts(data.load("digits").images, n, request.seed)
    lines, figures = report(counts, floor)
    first = next(trained.blocks(n, seed=request.seed, raw=request.raw))
    return Judgement(None, lines, figures, picture_of_counts(first, counts, request.title))


# Counting.

def count(trained: Loaded, folder: Path, n: int, seed: int, raw: bool) -> np.ndarray:
    """`stacked_modes.count_modes` of `trained.sample(n, seed=seed, raw=raw)`, int64 (3, 1000).

    Goes on with what an earlier call left in the folder.
    """
    from minigan.metrics.stacked_modes import N_MODES, RULES, count_modes, mode_count
    path = folder / PART
    key = _key(trained, n, seed, raw)
    counts, done = _counted(path, key) or (np.zeros((len(RULES), N_MODES), np.int64), 0)
    blocks_done = -(-done // BLOCK)
    blocks = -(-n // BLOCK)
    with Progress(blocks_done, blocks, "judging") as bar:
        for images in trained.blocks(n, seed=seed, raw=raw, start=done):
            counts += count_modes(images)
            done += len(images)
            record = {**key, "done": done, "counts": counts.tolist()}
            files.write(path, json.dumps(record).encode())
            bar.advance()
            bar.show({"modes": mode_count(counts[0]).found})
    return counts


def _key(trained: Loaded, n: int, seed: int, raw: bool) -> dict[str, Any]:
    """Everything that the counts depend on."""
    weights = 0
    for value in trained.model.state_dict().values():
        weights = zlib.crc32(np.ascontiguousarray(value).data, weights)
    return {
        "minigan": trained.config.minigan,
        "weights": weights,
        "n": n,
        "seed": seed,
        "raw": raw,
    }


def _counted(path: Path, key: dict[str, Any]) -> tuple[np.ndarray, int] | None:
    """The counts of an earlier call for the same samples, (3, 1000), and how many samples it
    counted; None if there was no such call.


    A file for other samples, or an edited one, is ignored.
    """
    try:
        saved = read_json(path)
        counts = np.array(saved["counts"], np.int64)
        done = int(saved["done"])
        same = all(saved[name] == value for name, value in key.items())
    except (OSError, ValueError, TypeError, KeyError):
        return None
    whole = same and (counts[:2].sum(1) == done).all()
    return (counts, done) if whole else None


def forget(folder: Path) -> None:
    """Remove the counts so far that `count` wrote to the folder, if there are any."""
    path = folder / PART
    with suppress(OSError, ValueError):
        if {"minigan", "weights", "done", "counts"} <= set(read_json(path)):
            path.unlink()


# What was counted, for people and for JSON.

def report(counts: np.ndarray, floor: np.ndarray) -> tuple[list[str], dict[str, Any]]:
    """Lines for people and entries for JSON. counts: (3, 1000). floor: those of real pictures."""
    from minigan.metrics.stacked_modes import N_MODES, N_PAPERS, PUBLISHED, RULES, mode_count
    lines = [f"{'':48}{'samples':>8}{'modes':>7}{'KL':>8}{'floor: samples, modes, KL':>28}"]
    rows = []
    for name, own_counts, real_counts in zip(RULES, counts, floor):
        own = mode_count(own_counts)
        real = mode_count(real_counts)
        lines.append(f"{RULES[name]:48}{own.n:8,}{own.found:7,}{own.kl:8.3f}"
                     f"{real.n:14,}{real.found:7,}{real.kl:7.3f}")
        kl = own.kl if own.n else None
        rows.append({"rule": name, **own._asdict(), "kl": kl, "floor": real._asdict()})

    papers = ", ".join(f"{method} {modes} / {kl}" for method, modes, kl, _ in PUBLISHED)
    lines += [f"modes: of {N_MODES:,}; KL: reverse, from equal shares, in nats; floor: as many "
              f"pictures stacked from the package's 5,000 real digits",
              f"published, by other networks, classifiers and lengths of training: {papers}"]
    n = int(counts[0].sum())
    if n != N_PAPERS:
        lines.append(f"of {n:,} samples, not {N_PAPERS:,}: fewer samples find fewer modes")
    split = "floor stacked from the package's 5,000 digits, which the judges have not seen"
    return lines, {"modes": N_MODES, "rows": rows, "split": split}


def picture_of_counts(images: np.ndarray, counts: np.ndarray, title: str) -> Figure:
    """The first of samples uint8 (n, 28, 28, 3), and how often the first judge saw each mode.

    counts: (3, 1000).
    """
    first_judge = counts[0]
    times_due = first_judge * first_judge.size / max(first_judge.sum(), 1)
    share = np.clip(times_due - 1, -1, 1)
    squares = np.zeros((2, 11, 5, 11))  # with a line between two of them
    squares[:, :10, :, :10] = share.reshape(2, 5, 10, 10).swapaxes(1, 2)  # (2, green, 5, blue)
    sheet = squares.reshape(22, 55)[:21, :54]
    return plot.strip(
        [plot.tile(images[:ROWS * COLUMNS], COLUMNS), sheet],
        ["the first samples",
         "how often each mode came: white as often as it should, orange never, blue twice or more"],
        title,
        "A square for each red digit, 0 to 4 above and 5 to 9 below; in it the green digit "
        "downwards and the blue one to the right.",
        height=2.6)

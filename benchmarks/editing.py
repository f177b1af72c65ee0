"""What editing does to real digits: inverted, drawn with other labels, moved along directions.

    MINIGAN_DATA=FOLDER python benchmarks/editing.py      writes results/editing.jsonl, a minute

The generator is the one in the package, the digits are 20 test digits of MNIST a class, which it
never saw. FOLDER is where `minigan data get mnist` put them.
"""

from __future__ import annotations

import json
import time
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

import minigan as mg
from minigan.editing import ATTRIBUTES, Edit, floor, measure
from minigan.metrics.judges import predictions
from minigan.runs.exporting import PRETRAINED
from minigan.streams import Stream
from minigan.system.machine import environment

RESULTS = Path(__file__).with_name("results") / "editing.jsonl"
A_CLASS = 20
OWN = 200      # of the generator's own pictures
THREADS = 2
AMOUNT = 2     # of a move, both ways


def some_digits() -> tuple[np.ndarray, np.ndarray]:
    """The pictures and their labels, class by class: uint8 (200, 28, 28, 1) and int64 (200,)."""
    digits = mg.data.load("mnist", "test")
    labels = np.asarray(digits.labels)
    order = Stream(0, "editing").permutation(len(labels))
    chosen = [order[labels[order] == label][:A_CLASS] for label in range(10)]
    which = np.concatenate(chosen)
    return digits.images[which], labels[which]


def inversion(trained: Any, images: np.ndarray, labels: np.ndarray) -> tuple[Edit, dict[str, Any]]:
    """The edit that all else begins with, and its errors, lengths and times."""
    began, processor = time.perf_counter(), time.process_time()
    edit = trained.edit(images, labels)
    seconds, processor_seconds = time.perf_counter() - began, time.process_time() - processor
    own = floor(trained.model, OWN)
    lengths = np.linalg.norm(edit.z, axis=1)
    return edit, {
        "n": len(images), "error": mean(edit.inversion.error),
        "worst": float(edit.inversion.error.max()), "nearest": mean(edit.inversion.nearest),
        "own": mean(own.error), "length": mean(lengths), "longest": float(lengths.max()),
        "due": float(np.sqrt(edit.z.shape[1])), "named": share(named(edit.images, labels)),
        "seconds": seconds, "processor_seconds": processor_seconds, "threads": THREADS}


def other_settings(trained: Any, images: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """Without labels, with a judge's features, and with half of the steps."""
    found = trained.edit(images)
    return {"n": len(images), "label found": share(found.labels == labels),
            "error, label looked for": mean(found.inversion.error),
            "error, judge": mean(trained.edit(images, labels, features="judge").inversion.error),
            "error, 100 steps": mean(trained.edit(images, labels, steps=100).inversion.error)}


def relabelled(edit: Edit, images: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """Every latent with all ten labels: is it the digit, and is it still the hand?

    The correlations are within pairs of a digit and a label: that ones are narrow does not count.
    """
    ten = edit.relabel()
    right = named(ten.images, np.asarray(ten.labels)).reshape(len(images), 10)
    before = measure(images)
    after = measure(ten.images)
    pairs = (labels[:, None] * 10 + np.arange(10)).reshape(-1)
    hand = {name: correlation(centred(before[name].repeat(10), pairs), centred(after[name], pairs))
            for name in ATTRIBUTES}
    return {"n": len(ten), "named": share(right), "named, worst digit": float(right.mean(0).min()),
            **hand}


def moves(edit: Edit) -> list[dict[str, Any]]:
    """What changes from -AMOUNT to AMOUNT along each direction of an attribute, by attribute.

    "NAME, spreads": the same in standard deviations of drawn digits, within classes.
    """
    directions = edit.directions
    assert directions is not None
    rows = []
    for name in ATTRIBUTES:
        low = measure(edit.move(**{name: -AMOUNT}).images)
        high = measure(edit.move(**{name: AMOUNT}).images)
        row: dict[str, Any] = {"what": "move", "n": len(edit), "direction": name}
        for attribute in ATTRIBUTES:
            change = mean(high[attribute] - low[attribute])
            spread = directions.spread[directions.attributes.index(attribute)]
            row[attribute] = change
            row[f"{attribute}, spreads"] = change / float(spread)
        rows.append(row)
    return rows


# Arithmetic.

def named(images: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Whether both judges see the digit of the label, bool (n,)."""
    return (predictions(images) == labels).all(0)


def centred(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Values (n,) less the mean of their group."""
    counts = np.bincount(groups)
    means = np.bincount(groups, values) / np.maximum(counts, 1)
    return values - means[groups]


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a, b)[0, 1])


def mean(values: np.ndarray) -> float:
    return float(np.mean(values))


share = mean


def main() -> None:
    mg.use_threads(THREADS)
    trained = mg.load(PRETRAINED)
    images, labels = some_digits()
    edit, first = inversion(trained, images, labels)
    rows = [{"what": "inversion", **first},
            {"what": "settings", **other_settings(trained, images, labels)},
            {"what": "relabel", **relabelled(edit, images, labels)},
            *moves(edit)]
    about = {"date": date.today().isoformat(), "environment": environment()}
    lines = [json.dumps({**row, **about}) for row in rows]
    RESULTS.write_text("\n".join(lines) + "\n", encoding="utf-8")
    for row in rows:
        print(row)


if __name__ == "__main__":
    main()
